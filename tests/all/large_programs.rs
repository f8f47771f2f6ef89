//! Programs of the size that people have.
//!
//! Correct means: what holds of a small program holds of a large one, and what it takes of memory is bounded by its size.
//! Where a tool is missing, the test says so.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::folder;
use crate::imports::imported;
use crate::programs::text;

/// Go's own compiler, as a program of Go that is there wherever Go is.
fn compiler() -> Option<PathBuf> {
    let output = Command::new("go").args(["env", "GOTOOLDIR"]).output();
    let output = output.map_err(|error| eprintln!("skipped: go does not start: {error}"));
    let place = String::from_utf8(output.ok()?.stdout).expect("UTF-8");
    let file = PathBuf::from(place.trim()).join("compile");
    let is_there = file.is_file();
    if !is_there {
        eprintln!("skipped: this Go comes without {}", file.display());
    }
    is_there.then_some(file)
}

/// With `PROGRAM=FILE` of that one instead.
#[test]
fn five_thousand_functions_of_a_large_program_are_written_with_their_bytes_or_refused() {
    const FUNCTIONS: usize = 5_000;
    let other = std::env::var_os("PROGRAM").map(PathBuf::from);
    let Some(file) = other.or_else(compiler) else {
        return;
    };
    let (taken, refused) = imported(&file, FUNCTIONS);
    eprintln!("{}: {taken} taken, refused {refused:?}", file.display());
    let sum: usize = refused.values().sum();
    assert!(taken > 10 * sum, "{taken} taken, refused {refused:?}");
    // They are chosen evenly, so that a program of fewer than twice as many has more than half of that.
    assert!(taken + sum > FUNCTIONS / 2, "{taken} and {sum}");
}

/// Assembly text of so many functions of 482 bytes each, which end in an indirect call.
fn functions(count: usize) -> String {
    let mut text = String::from("\t.text\n");
    let _ = write!(
        text,
        "\t.macro one\n\t.globl f\\@\n\t.type f\\@, @function\nf\\@:\n\t.fill 476, 1, 0x90\n\tcall *24(%rax)\n\tret\n\
         \tint3\n\tint3\n\t.size f\\@, .-f\\@\n\t.endm\n\t.rept {count}\n\tone\n\t.endr\n"
    );
    text
}

#[test]
fn a_program_of_a_hundred_megabytes_is_read_in_three_hundred_mebibytes() {
    const KIBIBYTES: u64 = 300 << 10;
    let place = folder("large");
    let source = place.join("large.s");
    let object = place.join("large.o");
    fs::write(&source, functions(196_000)).expect("writes");
    let mut assemble = Command::new("as");
    assemble.arg("-o").arg(&object).arg(&source);
    match assemble.status() {
        Ok(status) if status.success() => {}
        other => return eprintln!("skipped: as: {other:?}"),
    }
    let size = fs::metadata(&object).expect("it is written").len();
    assert!(size > 100_000_000, "{size}");
    for (arguments, words) in [
        (&["sym", "f77777"][..], "f77777"),
        (&["sites", "f77777"], "1 sites"),
        (&["import", "f77777"], "call"),
    ] {
        // All addresses that the process takes, whether or not there is memory behind them.
        let limited = format!("ulimit -v {KIBIBYTES} && exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_dispatchlab")]);
        command
            .arg(arguments[0])
            .arg(text(&object))
            .args(&arguments[1..]);
        let output = command.output().expect("sh starts");
        let (out, err) = (output.stdout, output.stderr);
        let out = String::from_utf8_lossy(&out);
        let err = String::from_utf8_lossy(&err);
        assert!(output.status.success(), "{arguments:?}: {err}");
        assert!(out.contains(words), "{arguments:?}: {out}");
    }
    fs::remove_file(&object).expect("it can go");
}
