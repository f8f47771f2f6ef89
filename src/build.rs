//! Lists the files of `asm_templates/` for the binary to hold, so that a new template or suite needs no Rust, and names
//! the build for `--version`.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rustc-env=DISPATCHLAB_BUILD={}", build());
    println!("cargo::rustc-env=DISPATCHLAB_FEATURES={}", features());
    // Of the folder as a whole: a file that is new changes it.
    println!("cargo::rerun-if-changed=asm_templates");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = root.join("asm_templates");
    let stem = |path: &Path| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string()
    };
    embed(files(&folder, "asm")?, stem, "templates.rs")?;
    embed(files(&folder.join("suites"), "toml")?, stem, "suites.rs")?;
    let below = |path: &Path| {
        path.strip_prefix(&folder)
            .unwrap_or(path)
            .to_string_lossy()
            .to_string()
    };
    embed(pieces(&folder)?, below, "pieces.rs")
}

/// Profile, target and commit. Who builds tells the commit: to look for it would build all again after each one.
fn build() -> String {
    println!("cargo::rerun-if-env-changed=DISPATCHLAB_COMMIT");
    let named = |name: &str| env::var(name).unwrap_or_default();
    let mut commit = named("DISPATCHLAB_COMMIT");
    commit.retain(|c| c.is_ascii_alphanumeric() || c == '-');
    if commit.is_empty() {
        commit = "not told".into();
    }
    format!("{}, {}, commit {commit}", named("PROFILE"), named("TARGET"))
}

/// The features of the package that are on.
fn features() -> String {
    let variables = env::vars().filter_map(|(name, _)| {
        let feature = name.strip_prefix("CARGO_FEATURE_")?;
        Some(feature.to_lowercase().replace('_', "-"))
    });
    let mut features: Vec<String> = variables.collect();
    features.sort();
    match features.is_empty() {
        true => "none".into(),
        false => features.join(", "),
    }
}

/// The files of a folder whose names end so.
fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = entries(folder)?;
    files.retain(|path| path.extension().is_some_and(|found| found == ending));
    Ok(files)
}

/// The texts in the folders below one, which templates include.
fn pieces(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut pieces = Vec::new();
    for below in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        pieces.extend(files(&below, "asm")?);
        pieces.extend(self::pieces(&below)?);
    }
    Ok(pieces)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

/// Writes names and texts of files as a Rust expression.
fn embed(mut files: Vec<PathBuf>, name: impl Fn(&Path) -> String, to: &str) -> io::Result<()> {
    files.sort();
    let embedded = |path: &PathBuf| format!("({:?}, include_str!({path:?})),\n", name(path));
    let list: String = files.iter().map(embedded).collect();
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join(to), format!("&[\n{list}]\n"))
}
