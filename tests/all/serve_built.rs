//! The script of the page of `serve`, held against its sources.
//!
//! Correct means: what is committed is what the sources and the lock file make, byte by byte, and says whose work is in it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::fresh;

/// What is made.
const BUILT: [&str; 2] = ["built/app.js", "built/LICENSES.txt"];

fn ui() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/ui")
}

#[test]
fn the_committed_script_is_what_its_sources_make() {
    let place = fresh("page-built");
    for name in ["package.json", "package-lock.json", ".npmrc", "build.mjs"] {
        fs::copy(ui().join(name), place.join(name)).expect("copies");
    }
    for name in ["source", "built"] {
        fs::create_dir(place.join(name)).expect("a folder");
    }
    for file in fs::read_dir(ui().join("source")).expect("sources") {
        let file = file.expect("a file").path();
        let name = file.file_name().expect("a name");
        fs::copy(&file, place.join("source").join(name)).expect("copies");
    }
    for arguments in [&["ci"][..], &["run", "build"]] {
        let run = Command::new("npm")
            .args(arguments)
            .current_dir(&place)
            .stdin(Stdio::null())
            .output();
        match run {
            Err(_) => {
                eprintln!(
                    "skipped: there is no npm here (package npm, and a Node that is no older than 20)"
                );
                return;
            }
            // Without a network the packages cannot be had.
            Ok(run) if arguments == ["ci"] && !run.status.success() => {
                let why = String::from_utf8_lossy(&run.stderr).into_owned();
                eprintln!("skipped: `npm ci` has no packages: {why}");
                return;
            }
            Ok(run) => assert!(run.status.success(), "{arguments:?}: {run:?}"),
        }
    }
    for name in BUILT {
        let [made, committed] = [&place, &ui()].map(|place| fs::read(place.join(name)));
        let is_same = made.expect("made") == committed.expect("committed");
        assert!(
            is_same,
            "{name} is not what its sources make; in src/web/ui: npm ci && npm run build"
        );
    }
}

#[test]
fn each_package_of_the_lock_file_is_pinned_by_its_bytes_and_names_no_host() {
    let text = fs::read_to_string(ui().join("package-lock.json")).expect("a lock file");
    let lock: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let packages = lock["packages"].as_object().expect("packages");
    assert!(packages.len() > 7, "{}", packages.len());
    for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
        let sum = package["integrity"].as_str().unwrap_or_default();
        assert!(sum.starts_with("sha512-"), "{name}");
        assert!(package["resolved"].is_null(), "{name}");
    }
    let wanted = fs::read_to_string(ui().join("package.json")).expect("a list");
    let wanted: serde_json::Value = serde_json::from_str(&wanted).expect("JSON");
    for list in ["dependencies", "devDependencies"] {
        for (name, version) in wanted[list].as_object().expect("a list") {
            let version = version.as_str().unwrap_or_default();
            let is_exact = version.chars().all(|c| c.is_ascii_digit() || c == '.');
            assert!(is_exact, "{name} {version}");
        }
    }
    let licences = fs::read_to_string(ui().join("built/LICENSES.txt")).expect("licences");
    for name in wanted["dependencies"].as_object().expect("a list").keys() {
        assert!(licences.contains(&format!("\n{name} ")), "{name}");
    }
}
