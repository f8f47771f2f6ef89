//! What is printed fits 80 columns where nobody is there to be asked for a width.
//!
//! Correct means: no line of stdout or stderr is wider, whatever the command says, but for a single
//! word that is: a name or a path is not broken, so that it can be copied.

use std::process::Stdio;

use crate::common::{dispatchlab, folder, template};

const WIDTH: usize = 80;

/// Lines that are too wide for another reason than a word.
fn too_wide(text: &str) -> Vec<&str> {
    let is_word = |line: &str| !line.trim().trim_start_matches("--> ").contains(' ');
    text.lines()
        .filter(|line| line.chars().count() > WIDTH && !is_word(line))
        .collect()
}

fn assert_fits(arguments: &[&str]) {
    let run = dispatchlab(arguments);
    for (stream, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let lines = too_wide(text);
        assert!(lines.is_empty(), "{arguments:?} {stream}: {lines:#?}");
    }
    assert!(!(run.stdout + &run.stderr).is_empty(), "{arguments:?}");
}

const COMMANDS: [&str; 12] = [
    "run",
    "compare",
    "sweep",
    "list",
    "show",
    "asm",
    "step",
    "check",
    "doctor",
    "new",
    "completions",
    "man",
];

#[test]
fn every_help_fits() {
    assert_fits(&["--help"]);
    assert_fits(&["-h"]);
    for command in COMMANDS {
        assert_fits(&[command, "--help"]);
        assert_fits(&[command, "-h"]);
    }
}

/// The shipped templates, by name.
fn shipped() -> Vec<String> {
    let list = dispatchlab(&["list"]).stdout;
    let names = list.lines().take_while(|line| !line.is_empty());
    let names = names.filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split(' ').next());
    names.map(str::to_string).collect()
}

#[test]
fn listings_and_steps_of_every_template_fit() {
    assert_fits(&["list"]);
    assert_fits(&["list", "call"]);
    let names = shipped();
    assert!(names.len() > 5, "{names:?}");
    for name in &names {
        assert_fits(&["show", name, "--heap", "--harness"]);
        assert_fits(&["step", name, "--iterations", "2", "--harness"]);
        assert_fits(&["step", name, "--stack"]);
    }
}

#[test]
fn reports_fit_whatever_their_numbers_and_names_are() {
    assert_fits(&["run", "tour", "--quick"]);
    assert_fits(&["run", "tour", "--quick", "--counters", "none"]);
    assert_fits(&["run", "itab_call[order=random,targets=8]", "--quick"]);
    assert_fits(&["doctor", "--quick"]);
    let place = folder("widths");
    let slow = "body:\n mov ecx, 3000000\n1: dec ecx\n jnz 1b\n";
    let slow = template(&place, "slow", slow);
    assert_fits(&["run", &slow, "inline", "--quick"]);
}

#[test]
fn errors_and_warnings_fit() {
    let place = folder("widths");
    let long = "nop ; ".to_string() + &"a long comment ".repeat(20);
    let wrong = format!(
        "body:\n mov eax, \"{}\" ; {long}\n mvo eax, 1\n",
        "x".repeat(90)
    );
    let wrong = template(&place, "wrong", &wrong);
    let expanded = format!(
        ";! expand = true\nbody:\n{{% for t in range(3) %}}\n add eax, {{{{ t }}}}g ; {long}\n{{% endfor %}}\n"
    );
    let expanded = template(&place, "expanded", &expanded);
    let crash = format!(
        ";! title = \"{}\"\nbody:\n xor eax, eax\n mov rax, [rax + 24] ; {long}\n",
        "title ".repeat(30)
    );
    let crash = template(&place, "crash", &crash);
    for arguments in [
        &["run", "itab_call", "--counters", "pmu"][..],
        &["run", "itab_call", "--counters", "fast"],
        &["run", "itab_cal"],
        &["run", "itab_call", "-p", "target=1"],
        &["run", "itab_call", "-p", "order=sideways"],
        &["run", "itab_call", "-p", "targets"],
        &["run", "inline", "inline", "inline", "--counters", "none"],
        &["run", "inline", "--samples"],
        &["run", "inline", "--save-job", "-"],
        &["run", "inline", "--export-csv", "/no/such/folder/here.csv"],
        &["run", "--job", "/no/such/file"],
        &["run", "inline", "--job", "x"],
        &["run", "--job", "x", "-p", "targets=1"],
        &["show", "tour"],
        &["new", "x/y"],
        &["new", "itab_call"],
        &["new", "tour"],
        &["list", "nothing_is_called_like_this"],
        &["--export-csv", "x", "run", "inline"],
        &["run", "inline", "--templates", "/no/such/folder"],
        &["asm", "--syntax", "nasm"],
        &["asm", "/no/such/file.asm"],
        &["step", "inline", "--iterations", "0"],
        &["frobnicate", "--with", "many", "arguments"],
        &["run", "--an-option-that-there-is-not", "inline"],
        &["itab_call[order=random,targets=8,spacing=4096,stride=1]"],
        &["show"],
        &["check", &wrong],
        &["run", &wrong, "inline", "--counters", "none"],
        &["check", &expanded],
        &["run", &expanded],
        &["run", &crash, "--counters", "none"],
        &["step", &crash],
        &["show", &crash],
    ] {
        assert_fits(arguments);
    }
}

#[test]
fn the_listing_of_a_fragment_fits() {
    use std::io::Write as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(["asm", "--allow-undefined"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let text = format!(
        "mov rax, 0x1122334455667788\ndq 1, 2\ncall \"{}\"\nlock add qword [rax+rcx*8+0x11223344], 0x11223344\nnop\n",
        "main.".repeat(12)
    );
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("writes");
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.lines().count() >= 6, "{text}");
    assert_eq!(too_wide(&text), Vec::<&str>::new(), "{text}");
}
