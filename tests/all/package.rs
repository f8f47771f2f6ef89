//! What `contrib/package` makes of a program that is built.
//!
//! Correct means: the package puts a program that runs, its pages and its completions where Debian looks for them, and
//! takes all of it away again.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::fresh;

#[test]
fn a_package_installs_and_leaves_nothing_behind() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        eprintln!("skipped: there is no dpkg-deb here (package dpkg)");
        return;
    }
    let place = fresh("package");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/package");
    let made = Command::new(script)
        .arg(env!("CARGO_BIN_EXE_dispatchlab"))
        .env("CARGO_TARGET_DIR", &place)
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(made.status.success(), "{made:?}");
    let deb = said.lines().last().expect("a package");

    // A system of its own, in which nothing is installed and nobody runs scripts.
    let system = place.join("system");
    for folder in ["info", "updates"] {
        std::fs::create_dir_all(system.join("var/lib/dpkg").join(folder)).expect("creates");
    }
    std::fs::write(system.join("var/lib/dpkg/status"), "").expect("writes");
    let dpkg = |arguments: &[&str]| {
        let output = Command::new("dpkg")
            .arg(format!("--root={}", system.display()))
            .args([
                "--force-not-root",
                "--force-depends",
                "--force-script-chrootless",
                "--log=/dev/null",
            ])
            .args(arguments)
            .output();
        let output = output.expect("dpkg starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    dpkg(&["-i", deb]);
    let installed = [
        "usr/bin/dispatchlab",
        "usr/share/man/man1/dispatchlab.1.gz",
        "usr/share/man/man1/dispatchlab-sweep.1.gz",
        "usr/share/bash-completion/completions/dispatchlab",
        "usr/share/zsh/vendor-completions/_dispatchlab",
        "usr/share/fish/vendor_completions.d/dispatchlab.fish",
        "usr/share/doc/dispatchlab/copyright",
    ];
    for file in installed {
        assert!(system.join(file).is_file(), "{file}");
    }
    let program = Command::new(system.join("usr/bin/dispatchlab"))
        .args(["show", "itab_call"])
        .output()
        .expect("it runs");
    assert!(program.status.success(), "{program:?}");
    dpkg(&["-r", "dispatchlab"]);
    for file in installed {
        assert!(!system.join(file).exists(), "{file}");
    }
}
