//! Lists the files of `asm_templates/` for the binary to hold, so that a new template or suite needs no Rust.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Of the folder as a whole: a file that is new changes it.
    println!("cargo::rerun-if-changed=asm_templates");
    embed("asm_templates", "asm", "templates.rs")?;
    embed("asm_templates/suites", "toml", "suites.rs")
}

/// Writes names and texts of a folder's files as a Rust expression.
fn embed(folder: &str, ending: &str, to: &str) -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files: Vec<PathBuf> = fs::read_dir(root.join(folder))?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|found| found == ending));
    files.sort();
    let embedded = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        format!("({name:?}, include_str!({path:?})),\n")
    };
    let list: String = files.iter().map(embedded).collect();
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join(to), format!("&[\n{list}]\n"))
}
