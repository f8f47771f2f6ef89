//! Files that are no regular ones, or of another kind than is wanted.
//!
//! Correct means: nothing waits for what may never come, each is named as what it is and by what takes it, and it costs
//! no other input.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Run, command, fresh, run_in, template, unfolded};

const GOOD: &str = ";! result = \"eax\"\n;! expect = 1\nbody:\n mov eax, 1\n";

fn fifo(place: &Path, name: &str) -> PathBuf {
    let path = place.join(name);
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    path
}

/// A folder with a sound template, a report and a job of it.
fn furnished(name: &str) -> PathBuf {
    let place = fresh(name);
    template(&place, "good", GOOD);
    #[rustfmt::skip] // one command line
    let run = run_in(&place, &["run", "good.asm", "--quick", "--placements", "1", "--export-json", "r.json", "--save-job", "j.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    place
}

/// Runs, and holds that it did not wait long for anybody.
fn soon(place: &Path, arguments: &[&str]) -> Run {
    let mut child = command(place, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // Nobody waits longer than some seconds; this process may have been stopped meanwhile.
    let began = Instant::now();
    while child.try_wait().expect("waits").is_none() {
        let is_late = began.elapsed() > Duration::from_secs(300);
        if is_late {
            let _ = child.kill();
        }
        assert!(!is_late, "{arguments:?} waits");
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("ends");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn what_is_no_regular_file_is_one_row_with_its_reason() {
    let place = furnished("special");
    fifo(&place, "fifo.asm");
    let _socket = UnixListener::bind(place.join("socket.asm")).expect("binds");
    symlink("nowhere", place.join("link.asm")).expect("links");
    symlink("round.asm", place.join("round.asm")).expect("links");
    symlink("/dev/zero", place.join("zero.asm")).expect("links");
    let all = [
        "fifo.asm",
        "socket.asm",
        "link.asm",
        "round.asm",
        "zero.asm",
    ];
    let names = [&["run", "good.asm"][..], &all, &["--counters", "none"]].concat();
    let run = soon(&place, &names);
    let said = unfolded(&run.stdout);
    assert_eq!(run.code, 3, "{said}{}", run.stderr);
    for words in [
        "it is a pipe that nobody writes into",
        "it is a socket, which may have no end",
        "it is a link to nowhere, which is not there",
        "its links lead round and never to a file",
        "it is a device, which may have no end; copy what is wanted into a file",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.contains("good – – 1 0"), "{said}");
    // Each error has a next step.
    for (arguments, words) in [
        (&["show", "round.asm"][..], "mend it, or name another file"),
        (&["check", "link.asm"], "mend it, or name another file"),
        (
            &["check", "nowhere.asm"],
            "name a template of `dispatchlab list`",
        ),
        (
            &["list", "--templates", "round.asm"],
            "mend it, or name another file",
        ),
        (
            &["run", "--job", "nowhere.json"],
            "--save-job FILE` writes one",
        ),
        (
            &["compare", "nowhere.json", "good.asm"],
            "--export-json FILE` writes one",
        ),
    ] {
        let run = run_in(&place, arguments);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
    }
    // Each of the commands that takes one file.
    for arguments in [
        &["show", "fifo.asm"][..],
        &["step", "fifo.asm"],
        &["check", "fifo.asm"],
        &["asm", "fifo.asm"],
        &["ablate", "fifo.asm"],
        &["sweep", "fifo.asm", "-P", "align=0,1"],
        &["new", "x", "--from", "fifo.asm"],
        &["new", "x", "--from-listing", "fifo.asm"],
    ] {
        let run = soon(&place, arguments);
        assert_eq!(run.code, 3, "{arguments:?}: {}", run.stderr);
        assert!(
            run.said().contains("a pipe that nobody writes into"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_job_a_report_a_recording_and_an_export_wait_for_nobody_either() {
    let place = furnished("others");
    fifo(&place, "fifo");
    fifo(&place, "fifo.json");
    let _socket = UnixListener::bind(place.join("socket")).expect("binds");
    #[rustfmt::skip] // a table: one command line a line, its exit code, and what is said
    let all: [(&[&str], i32, &str); 9] = [
        (&["run", "--job", "fifo"], 2, "a pipe that nobody writes into"),
        (&["run", "--job", "socket"], 2, "a socket"),
        (&["run", "--job", "/dev/zero"], 2, "a device"),
        (&["run", "--job", "."], 2, "it is a folder"),
        (&["compare", "good.asm", "fifo.json"], 2, "a pipe that nobody writes into"),
        (&["run", "itab_call", "-p", "order=@fifo"], 2, "a pipe that nobody writes into"),
        (&["run", "good.asm", "--export-json", "fifo"], 2, "a pipe that nobody reads"),
        (&["run", "good.asm", "--save-job", "fifo"], 2, "a pipe that nobody reads"),
        (&["run", "good.asm", "--export-csv", "socket"], 2, "a socket"),
    ];
    for (arguments, code, words) in all {
        let run = soon(&place, arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_pipe_that_somebody_writes_into_is_read_to_its_end() {
    let place = furnished("pipes");
    let named = fifo(&place, "late.asm");
    // The writer comes late, and takes its time between two pieces.
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        let mut pipe = std::fs::OpenOptions::new()
            .write(true)
            .open(named)
            .expect("opens");
        let (first, second) = GOOD.split_at(20);
        pipe.write_all(first.as_bytes()).expect("writes");
        std::thread::sleep(Duration::from_millis(200));
        pipe.write_all(second.as_bytes()).expect("writes");
    });
    let run = soon(&place, &["run", "late.asm", "--counters", "none"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    writer.join().expect("writes");
    let script = |script: &str| {
        let output = Command::new("bash")
            .args(["-c", script, env!("CARGO_BIN_EXE_dispatchlab")])
            .current_dir(&place)
            .output()
            .expect("runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code(), said)
    };
    for line in [
        "\"$0\" run --counters none <(sleep 0.3; cat good.asm)",
        "cat good.asm | \"$0\" run --counters none -",
        "cat good.asm | \"$0\" run --counters none /dev/stdin",
        "\"$0\" run --counters none /dev/stdin < good.asm",
        "\"$0\" run --counters none /proc/self/fd/7 7< good.asm",
        "cat good.asm | \"$0\" run --counters none /dev/fd/0",
        "\"$0\" run --job <(cat j.json) --counters none",
        "\"$0\" run good.asm --counters none --export-json >(cat > out.json); sleep 0.3; grep -q checksum out.json",
        "\"$0\" run good.asm --counters none --export-json /dev/stdout | grep -q checksum",
        "\"$0\" run good.asm --counters none --export-json /dev/null",
        "(sleep 0.3; cat p > o) & mkfifo p; \"$0\" run good.asm --counters none --export-csv p; wait; grep -q good o",
    ] {
        let (code, said) = script(line);
        assert_eq!(code, Some(0), "{line}: {said}");
    }
}

#[test]
fn a_file_of_another_kind_is_named_with_what_takes_it() {
    let place = furnished("kinds");
    let write = |name: &str, bytes: &[u8]| std::fs::write(place.join(name), bytes).expect("writes");
    std::fs::copy("/proc/self/exe", place.join("program")).expect("copies");
    write("packed", b"\x1f\x8b\x08\0\0\0\0\0");
    write("wide.asm", b"\xff\xfeb\0o\0d\0y\0:\0");
    write("other.json", b"{\"a\": [1, 2]}\n");
    write(
        "suite.json",
        b"title = \"s\"\n[[section]]\ntitle = \"t\"\nrows = [\"direct_call\"]\n",
    );
    write("template.json", GOOD.as_bytes());
    let job = std::fs::read(place.join("j.json")).expect("reads");
    write("half.json", &job[..job.len() / 2]);
    #[rustfmt::skip] // a table: one command line a line, its exit code, and what is said
    let all: [(&[&str], i32, &str); 18] = [
        (&["show", "program"], 3, "it is machine code in a container"),
        (&["asm", "program"], 3, "it is machine code in a container"),
        (&["new", "x", "--from-listing", "program"], 3, "`dispatchlab import FILE FUNC`"),
        (&["check", "packed"], 3, "it is packed; unpack it first"),
        (&["check", "wide.asm"], 3, "it is UTF-16 text; save it as UTF-8"),
        (&["check", "r.json"], 3, "it is a saved report, which has numbers and no code; `dispatchlab compare"),
        (&["show", "j.json"], 3, "it is a saved job, which has code and no numbers; `dispatchlab run --job FILE` measures it"),
        (&["check", "other.json"], 3, "it is JSON, or a part of some"),
        (&["run", "--job", "r.json"], 3, "no saved job; it is a saved report"),
        (&["run", "--job", "good.asm"], 3, "no saved job; it is a template; `dispatchlab run FILE` measures it"),
        (&["run", "--job", "program"], 3, "no saved job; it is machine code in a container"),
        (&["run", "--job", "other.json"], 3, "this is no saved job"),
        (&["compare", "good.asm", "j.json"], 2, "it is a saved job, which has code and no numbers; `dispatchlab run --job FILE`"),
        (&["compare", "j.json", "good.asm"], 2, "it is a saved job"),
        (&["compare", "good.asm", "template.json"], 2, "it is a template; `dispatchlab run FILE` measures it, and `compare` takes it"),
        (&["compare", "good.asm", "suite.json"], 2, "it is a suite"),
        (&["compare", "good.asm", "other.json"], 2, "no report of `dispatchlab run --json`"),
        (&["compare", "good.asm", "half.json"], 2, "no report of `dispatchlab run --json`"),
    ];
    for (arguments, code, words) in all {
        let run = run_in(&place, arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
    // Among others it is a row.
    let run = run_in(
        &place,
        &["run", "good.asm", "r.json", "program", "--counters", "none"],
    );
    let said = unfolded(&run.stdout);
    assert_eq!(run.code, 3, "{said}");
    assert!(said.contains("good – – 1 0"), "{said}");
    assert!(
        said.contains("it is a saved report, which has numbers"),
        "{said}"
    );
}

#[test]
fn of_several_files_that_are_compared_a_wrong_one_costs_its_own_comparison() {
    let place = furnished("compared");
    template(&place, "wrong", "body:\n mvo eax, 1\n;! heap = 1\n");
    std::fs::write(place.join("header.asm"), ";! heap = 1\nbody:\n nop\n").expect("writes");
    std::fs::write(place.join("broken.json"), "{").expect("writes");
    fifo(&place, "fifo.json");
    let compare = |names: &[&str]| {
        let all = [
            &["compare"],
            names,
            &["--quick", "--placements", "1", "--json"],
        ]
        .concat();
        let run = soon(&place, &all);
        let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_default();
        let rows = document["rows"].as_array().map_or(0, Vec::len);
        (run, rows)
    };
    let (run, rows) = compare(&[
        "good.asm",
        "broken.json",
        "r.json",
        "header.asm",
        "fifo.json",
    ]);
    assert_eq!((run.code, rows), (3, 2), "{}", run.stderr);
    for words in [
        "`broken.json`: no report of",
        "`heap` is a text, not the whole number 1",
        "`fifo.json`: cannot read it: it is a pipe that nobody writes into",
    ] {
        assert!(run.said().contains(words), "{words}: {}", run.stderr);
    }
    let (run, rows) = compare(&["r.json", "broken.json", "good.asm"]);
    assert_eq!((run.code, rows), (2, 2), "{}", run.stderr);
    // Without a base, or without another, there is nothing to compare; and a wrong name is no file.
    for (names, code) in [
        (&["broken.json", "good.asm", "r.json"][..], 2),
        (&["good.asm", "broken.json", "header.asm"], 3),
        (&["good.asm", "r.json", "nowhere.json"], 2),
        (&["good.asm", "r.json", "nowhere"], 2),
    ] {
        let (run, rows) = compare(names);
        assert_eq!((run.code, rows), (code, 0), "{names:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{names:?}");
    }
}

#[test]
fn a_name_that_is_no_utf_8_is_listed_and_searched_for() {
    let place = fresh("names");
    let name = OsStr::from_bytes(b"b\xff.asm");
    std::fs::write(place.join(name), GOOD).expect("writes");
    for part in [&b"b\xff"[..], b"b%FF"] {
        let output = command(&place, &["list", "--templates", "."])
            .arg(OsStr::from_bytes(part))
            .output()
            .expect("runs");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{part:?}: {said}");
        assert!(said.contains("b%FF"), "{part:?}: {said}");
    }
    let output = command(&place, &["new"]).arg(name).output().expect("runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// A line of its own, and what a terminal would obey.
const BREAK: &str = "\\nEVIL\\r\\u001b[31m\\u202e";

#[test]
fn no_text_of_a_header_begins_a_line_of_its_own() {
    let place = fresh("header_texts");
    #[rustfmt::skip] // a table: each key of a header that has a text
    let keys = [
        "title = \"a@\"", "types = \"main.T@\"", "methods = [\"Id@\"]", "dispatch = \"site@\"", "dispatch = [\"site@\"]",
        "result = \"eax@\"", "expect = \"id@\"", "go = \"1.27@\"", "clobbers = \"all@\"", "syntax = \"intel@\"",
        "call = \"main.f@\"", "source = \"a@\"", "heap = \"iface@\"", "bind = { \"main.f@\" = \"main.g\" }",
        "bind = { \"main.f\" = \"main.g@\" }", "params = { \"k@\" = 1 }", "params = { k = \"v@\" }",
        "params = { k = [\"v\", \"w@\"] }", "\"key@\" = 1", "methods = [\"Id(int@) int\"]", "unroll = \"1@\"",
        "expand = \"true@\"",
    ];
    for key in keys {
        // Each with what breaks a line, and with what only steers.
        for (odd, is_refused) in [(BREAK, true), ("\\u001b[31m\\u202e\\u200b", false)] {
            let line = key.replace('@', odd);
            let text = format!(";! {line}\nbody:\n nop\nsite: jmp 1f\n1:\n");
            template(&place, "odd", &text);
            for arguments in [
                &["run", "odd.asm", "--counters", "none", "-v"][..],
                &["show", "odd.asm", "--heap", "--harness"],
                &["step", "odd.asm", "--stack"],
                &["check", "odd.asm"],
                &["list", "--templates", "."],
                &["compare", "odd.asm", "odd.asm", "--counters", "none"],
            ] {
                let run = run_in(&place, arguments);
                for out in [&run.stdout, &run.stderr] {
                    let begins = out
                        .lines()
                        .any(|line| line.trim_start().starts_with("EVIL"));
                    let steers = out.contains(['\u{1b}', '\r', '\u{202e}', '\u{200b}']);
                    assert!(!begins && !steers, "{key} {arguments:?}: {out:?}");
                }
                let is_list = arguments[0] == "list";
                assert!(
                    !is_refused || is_list || run.code != 0,
                    "{key} {arguments:?}: {}",
                    run.stdout
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_written_is_said_as_it_is_before_anything_runs() {
    let place = fresh("outputs");
    template(&place, "good", GOOD);
    symlink("nodir/x.json", place.join("link.json")).expect("links");
    fifo(&place, "fifo");
    let long = "x".repeat(300);
    #[rustfmt::skip] // a table: one command line a line, and what is said
    let all: [(&[&str], &str); 6] = [
        (&["run", "good.asm", "--export-json", "link.json"], "there is no folder ./nodir; make it first"),
        (&["run", "good.asm", "--export-json", &long], "File name too long"),
        (&["run", "good.asm", "--export-json", "/proc/x.json"], "no file can be made in /proc; name another place"),
        (&["run", "good.asm", "--export-json", "good.asm/x"], "what is there is no folder"),
        (&["man", "good.asm"], "what is there is no folder; name another place"),
        (&["man", "fifo"], "what is there is no folder; name another place"),
    ];
    for (arguments, words) in all {
        let run = run_in(&place, arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
    let script = "mkdir gone; cd gone; rmdir ../gone; exec \"$0\" run inline --counters none --export-json x.json";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_dispatchlab")])
        .current_dir(&place)
        .output()
        .expect("runs");
    let said = unfolded(&String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("the working directory is gone"), "{said}");
}

#[test]
fn a_suite_that_cannot_be_read_costs_its_own_rows() {
    let place = fresh("suites");
    template(&place, "good", GOOD);
    symlink("nowhere", place.join("link.toml")).expect("links");
    fifo(&place, "fifo.toml");
    std::fs::write(place.join("wrong.toml"), "title = \"x").expect("writes");
    std::fs::create_dir(place.join("folder.toml")).expect("a folder");
    let names = [
        "link.toml",
        "good.asm",
        "wrong.toml",
        "fifo.toml",
        "folder.toml",
    ];
    let run = soon(
        &place,
        &[&["run"], &names[..], &["--counters", "none"]].concat(),
    );
    let said = unfolded(&run.stdout);
    assert_eq!(run.code, 3, "{said}{}", run.stderr);
    for words in [
        "it is a link to nowhere, which is not there",
        "good – – 1 0",
        "wrong.toml:1:",
        "it is a pipe that nobody writes into",
        "it is a folder",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // And a name that means nothing hides nothing that `check` finds in the others.
    let run = run_in(&place, &["check", "nowhere.asm", "wrong.toml", "good.asm"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.said()
            .contains("cannot read nowhere.asm: there is no such file"),
        "{}",
        run.stderr
    );
    assert!(run.said().contains("wrong.toml:1:"), "{}", run.stderr);
    let run = run_in(&place, &["check", "good.asm", "nowhere.asm"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
}

/// The signals that a shell, a container's first process or a service manager can leave to a program.
#[test]
fn what_a_process_inherits_takes_nothing_from_a_run() {
    let place = fresh("inherited");
    template(&place, "good", GOOD);
    template(&place, "crash", "body:\n ud2\n");
    for first in [
        "trap '' CHLD",
        "trap '' PIPE TERM USR1 ALRM",
        "exec <&-",
        "ulimit -l 0; ulimit -i 0; ulimit -q 0; ulimit -x 0",
        "ulimit -s unlimited",
        "exec 20</dev/null 21</dev/null 22</dev/null; ulimit -n 40",
        "cd /; umask 777",
        "unset HOME XDG_STATE_HOME PATH LANG TERM",
    ] {
        let script =
            format!("{first}; exec \"$0\" run \"$1/good.asm\" \"$1/crash.asm\" --counters none");
        let output = Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_dispatchlab")])
            .arg(&place)
            .current_dir(&place)
            .output()
            .expect("runs");
        let said = unfolded(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(4), "{first}: {output:?}");
        assert!(said.contains("SIGILL"), "{first}: {said}");
        assert!(said.contains(" – – 1 0"), "{first}: {said}");
    }
}
