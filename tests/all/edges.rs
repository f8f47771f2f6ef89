//! The edges of the command line: interruptions, closed pipes, colours, odd files and odd arguments.
//!
//! Correct means: each ends with the exit code of the table and one error that says what next, and
//! nothing is left behind.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{self, Run, dispatchlab, folder, json, rows, template};
use dispatchlab::sys::interrupt;
use dispatchlab::template::shipped;

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dispatchlab"));
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .env(
            "XDG_STATE_HOME",
            common::state_home(arguments.first().unwrap_or(&"tour")),
        )
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

/// Runs in a folder of its own.
fn run_in(directory: &Path, arguments: &[&str]) -> Run {
    let output = command(directory, arguments).output().expect("runs");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// An empty folder.
fn fresh(name: &str) -> std::path::PathBuf {
    let place = folder(name);
    std::fs::remove_dir_all(&place).expect("removes");
    folder(name)
}

fn send_interrupt(child: &Child) {
    let number = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &number]).status();
    assert!(status.expect("kill runs").success());
}

fn workers_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |number: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1) == Some(&parent.to_string())
    };
    numbers.filter(is_child).collect()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A row that is done at once, and one that would take a minute.
fn start_long_run(name: &str) -> (Child, u32) {
    let place = fresh(name);
    let busy = "body:\n mov ecx, 100\n1: dec ecx\n jnz 1b\n";
    template(&place, "busy", busy);
    let mut command = command(
        &place,
        &["run", "inline", "busy.asm", "--json", "--time", "4000"],
    );
    // Whoever started the tests may ignore interrupts.
    let child = interrupt::allow_in(&mut command)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut workers = Vec::new();
    wait_until("a worker starts", || {
        workers = workers_of(child.id());
        !workers.is_empty()
    });
    (child, workers[0])
}

#[test]
fn an_interrupt_prints_what_is_done_and_names_the_rest() {
    let (child, worker) = start_long_run("interrupt");
    // The handler is there once the worker has said something; a moment later it still measures.
    std::thread::sleep(Duration::from_millis(500));
    send_interrupt(&child);
    let output = child.wait_with_output().expect("ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let warnings = document["warnings"].to_string();
    assert!(
        warnings.contains("interrupted") && warnings.contains("busy"),
        "{warnings}"
    );
    assert!(rows(&document).iter().all(|(name, _)| *name != "busy"));
    assert!(stderr.contains("interrupted"), "{stderr}");
    wait_until("the worker is gone", || {
        !Path::new(&format!("/proc/{worker}")).exists()
    });
}

#[test]
fn an_interrupted_run_keeps_the_rows_that_are_done() {
    let place = fresh("interrupt_kept");
    template(&place, "busy", "body:\n nop\n");
    let names = [
        "run",
        "inline",
        "busy.asm",
        "--json",
        "--time",
        "1500",
        "--placements",
        "1",
    ];
    let child = interrupt::allow_in(&mut command(&place, &names))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    // Two images of 1.5 s, or four times that where the machine is busy, and then the next row.
    let output = {
        std::thread::sleep(Duration::from_millis(4500));
        send_interrupt(&child);
        child.wait_with_output().expect("ends")
    };
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let done: Vec<&str> = rows(&document).iter().map(|(name, _)| *name).collect();
    assert!(
        done.len() < 2 || output.status.code() == Some(0),
        "{done:?}"
    );
    for (name, row) in rows(&document) {
        assert_eq!(row["status"], "ok", "{name}");
        assert!(row["metrics"]["cycles"]["value"].is_number(), "{name}");
    }
}

#[test]
fn a_second_interrupt_ends_at_once_and_leaves_no_worker() {
    use std::os::unix::process::ExitStatusExt;
    let (mut child, worker) = start_long_run("interrupt_twice");
    std::thread::sleep(Duration::from_millis(300));
    send_interrupt(&child);
    // It may have ended in between; then there is nothing to interrupt.
    let _ = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    let status = child.wait().expect("ends");
    assert!(
        status.code() == Some(130) || status.signal() == Some(libc::SIGINT),
        "{status}"
    );
    wait_until("the worker is gone", || {
        !Path::new(&format!("/proc/{worker}")).exists()
    });
}

/// As of a background job of a script.
#[test]
fn an_interrupt_that_is_ignored_around_a_run_is_ignored_by_it() {
    let mut shell = Command::new("sh");
    let ignoring = "trap '' INT; exec \"$0\" run inline --placements 1 --time 300";
    let child = shell
        .args(["-c", ignoring, env!("CARGO_BIN_EXE_dispatchlab")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let program = format!("/proc/{}/exe", child.id());
    let is_running =
        || std::fs::read_link(&program).is_ok_and(|path| path.ends_with("dispatchlab"));
    wait_until("the shell is replaced", is_running);
    send_interrupt(&child);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_closed_pipe_is_quiet() {
    for arguments in [
        &["list"][..],
        &["--help"],
        &["completions", "zsh"],
        &["run", "inline", "--counters", "none", "--json"],
        &["show", "itab_call", "--heap", "--harness"],
    ] {
        let mut child = command(Path::new("/"), arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        drop(child.stdout.take());
        let mut stderr = String::new();
        let mut errors = child.stderr.take().expect("piped");
        errors.read_to_string(&mut stderr).expect("UTF-8");
        let code = child.wait().expect("ends").code();
        assert_eq!(
            (code, stderr.contains("panic")),
            (Some(0), false),
            "{arguments:?}: {stderr}"
        );
    }
}

#[test]
fn colours_follow_the_option_then_no_color_then_clicolor_force() {
    let coloured = |more: &[&str], set: &[(&str, &str)]| {
        let arguments = [&["run", "inline", "--counters", "none"], more].concat();
        let mut command = command(Path::new("/"), &arguments);
        let output = command.envs(set.iter().copied()).output().expect("runs");
        String::from_utf8_lossy(&output.stdout).contains('\x1b')
    };
    assert!(!coloured(&[], &[]), "a pipe has no colours");
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "0")]));
    assert!(!coloured(
        &[],
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]
    ));
    assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn a_piped_report_has_80_columns_whatever_the_names_are() {
    let place = fresh("long_names");
    let long = "a_name_that_goes_on_and_on_".repeat(3);
    template(&place, &long, "body:\n nop\n");
    let run = run_in(
        &place,
        &[
            "run",
            &format!("{long}.asm"),
            "itab_call[order=random,targets=8]",
            "--counters",
            "none",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    for line in run.stdout.lines().filter(|line| !line.contains(&long)) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn odd_arguments_have_one_error_and_their_code() {
    #[rustfmt::skip] // a table: one command line a line
    let cases: [(&[&str], &str); 38] = [
        (&["run", "inlin"],                           "did you mean `inline`"),
        (&["run", "tuor"],                            "did you mean `tour`"),
        (&["rum"],                                    "'run'"),
        (&["itab_call"],                              "dispatchlab run itab_call"),
        (&["run", "inline", "--tme", "3"],            "'--time'"),
        (&["run", "inline", "-p", "objcts=3"],        "did you mean `objects`"),
        (&["run", "inline", "-p", "objects"],         "KEY=VALUE"),
        (&["run", "inline", "-p", "objects=-1"],      "objects"),
        (&["run", "inline", "--time", "0"],           "--time"),
        (&["run", "inline", "--time", "-5"],          "--time"),
        (&["run", "inline", "--time", "NaN"],         "--time"),
        (&["run", "inline", "--time", "1e300"],       "1e300"),
        (&["run", "inline", "--cpu", "999"],          "may use"),
        (&["run", "inline", "--cpu", "-1"],           "--cpu"),
        (&["run", "inline", "--placements", "0"],     "1 to 4"),
        (&["run", "inline", "--placements", "5"],     "1 to 4, 8, 16, 32, 64 or all"),
        (&["run", "inline", "--placements", "most"],  "1 to 4, 8, 16, 32, 64 or all"),
        (&["run", "inline", "-p", "order=hot:90"],    "-p targets=4"),
        (&["run", "itab_call", "-p", "targets=2", "-p", "order=hot:0.9"], "hot:90"),
        (&["run", "inline", "-p", "order=@nowhere"],  "`order=@nowhere`: there is no such file"),
        (&["run", "inline", "-p", "order=@/"],        "it is a folder"),
        (&["run", "inline", "-p", "work=4096"],       "0 to 1024"),
        (&["run", "inline", "-p", "align=64"],        "0 to 63"),
        (&["run", "inline", "--timeout", "0"],        "--timeout"),
        (&["run", "inline", "--timeout", "inf"],      "--timeout"),
        (&["run", "inline", "--seed", "-1"],          "--seed"),
        (&["run", "inline", "--seed", "18446744073709551616"], "--seed"),
        (&["run", "inline", "--counters", "pum"],     "auto, pmu, clock or none"),
        (&["run", "inline", "--counters", "fake:no"], "fake:no"),
        (&["run", "inline", "--templates", "nowhere"], "nowhere"),
        (&["run", ""],                                "dispatchlab list"),
        (&["run", "inline[objects=3"],                "bracket"),
        (&["run", "a\u{1b}[31mb]"],                   "\\u{1b}"),
        (&["run", "-", "-"],                          "once"),
        (&["check", "-", "-"],                        "once"),
        (&["show", "tour"],                           "suite"),
        (&["run", "inline", "--samples"],             "--json"),
        (&["--samples", "run", "inline"],             "behind their command"),
    ];
    let place = fresh("odd_arguments");
    for (arguments, words) in cases {
        let run = run_in(&place, arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
        assert_eq!(
            run.stderr.matches("error:").count(),
            1,
            "{arguments:?}: {}",
            run.stderr
        );
        assert!(
            run.stdout.is_empty() && !run.said().contains('\x1b'),
            "{arguments:?}"
        );
    }
}

#[test]
fn odd_recordings_have_one_error_with_its_line() {
    let place = fresh("odd_recordings");
    #[rustfmt::skip] // a table: what the file holds, and words of the error
    let cases: [(&[u8], &str); 6] = [
        (b"",             "no type number"),
        (b"# nothing\n",  "no type number"),
        (b"0\n1 2\nx y\n", "line 3: `x` is no type number"),
        (b"0\n1 5\n9\n",  "line 2: type 5, but types are 0 to 3; the file needs -p targets=10"),
        (b"0 -1",         "line 1: `-1`"),
        (b"\xff\xfe0\0",  "UTF-8"),
    ];
    for (bytes, words) in cases {
        std::fs::write(place.join("met.txt"), bytes).expect("writes");
        let run = run_in(
            &place,
            &[
                "run",
                "itab_call",
                "-p",
                "targets=4",
                "-p",
                "order=@met.txt",
            ],
        );
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{words}");
        assert!(
            run.stderr.starts_with("error: `order=@met.txt`: "),
            "{}",
            run.stderr
        );
        let said = run.said();
        assert!(said.contains(words), "{}", run.stderr);
        assert_eq!(said.matches("error:").count(), 1, "{}", run.stderr);
    }
}

#[test]
fn odd_files_have_one_error_with_its_place() {
    let place = fresh("odd_files");
    std::fs::create_dir(place.join("folder.asm")).expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(place.join(name), bytes).expect("writes");
    write("bytes.asm", b"body:\n nop\n no\xffp\n");
    write("wide.asm", b"\xff\xfeb\0o\0d\0y\0:\0");
    write("empty.asm", b"");
    write("header.asm", b";! title = \"x\"\n");
    write("nul.asm", b"body:\n nop\0\n");
    for (file, code, words) in [
        ("folder.asm", 2, "it is a folder"),
        ("bytes.asm", 2, "line 3, byte 4: 0xff"),
        ("wide.asm", 2, "line 1, byte 1: 0xff"),
        ("empty.asm", 3, "no `body:`"),
        ("header.asm", 3, "no `body:`"),
        ("nul.asm", 3, "nul.asm:2"),
        ("none.asm", 2, "no such file"),
        ("/dev/zero", 2, "at most 32 MiB"),
    ] {
        let run = run_in(&place, &["check", file]);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (code, ""),
            "{file}: {}",
            run.stderr
        );
        assert!(run.said().contains(words), "{file}: {}", run.stderr);
    }
}

#[test]
fn marks_and_line_ends_of_other_systems_are_no_errors() {
    let place = fresh("line_ends");
    let text = "\u{feff};! title = \"x\"\r\n;! expand = true\r\nbody:\r\n{% for i in range(2) %}\r\n nop\r\n{% endfor %}\r\n";
    let file = template(&place, "windows", text);
    let (code, document) = json(&["run", &file, "--counters", "none"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(common::value(rows(&document)[0].1, "instructions"), 2.0);
}

#[test]
fn expansions_without_end_are_refused() {
    let place = fresh("endless_expansions");
    let doubling = format!("{{% set a = \"x\" %}}{}", "{% set a = a ~ a %}".repeat(60));
    for (name, text, words) in [
        (
            "range",
            "{% for i in range(10 ** 9) %}nop\n{% endfor %}",
            "a range has at most",
        ),
        (
            "loops",
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            "does not come to an end",
        ),
        (
            "macro",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "recursion",
        ),
        (
            "long",
            "{% for i in range(100000) %}{{ \"x\" * 100000 }}{% endfor %}",
            "more than 192 MiB of text",
        ),
        ("doubling", &doubling, "MiB of memory"),
        (
            "namespace",
            "{% set ns = namespace(s=\"x\") %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "MiB of memory",
        ),
        (
            "join",
            "{% set x = range(1000000)|join(\"x\" * 9999) %}",
            "MiB of memory",
        ),
    ] {
        let file = template(
            &place,
            name,
            &format!(";! expand = true\nbody:\n{text}\n nop\n"),
        );
        let run = dispatchlab(&["check", &file]);
        assert_eq!(run.code, 3, "{name}: {}", run.stderr);
        assert!(run.said().contains(words), "{name}: {}", run.stderr);
        assert!(
            run.said().contains(&format!("{name}.asm:")),
            "{name}: {}",
            run.stderr
        );
    }
}

#[test]
fn an_expansion_whose_steps_are_long_is_a_row_beside_others() {
    let place = fresh("long_steps");
    // One step of minijinja for a range of numbers, and one to sort it.
    let text = "{% for i in range(100000) %}{% set x = range(100000)|sort %}{% endfor %}";
    let text = format!(";! expand = true\nbody:\n nop\n nop\n{text}\n nop\n;! note seen\n");
    let bad = template(&place, "sorting", &text);
    let good = template(&place, "good", "body:\n nop\n");
    let (code, document) = json(&["run", &bad, &good, "--counters", "none"]);
    assert_eq!(code, 3, "{document:#}");
    let rows = rows(&document);
    let found = &rows[0].1["diagnostics"][0];
    assert_eq!(found["line"], 5, "{document:#}");
    // It stands in what was not expanded.
    assert!(rows[0].1["note"].is_null(), "{document:#}");
    let message = found["message"].as_str().expect("a text");
    assert!(message.contains("does not come to an end"), "{message}");
    assert_eq!(rows[1].1["status"], "ok", "{document:#}");
}

#[test]
fn show_names_the_labels_that_branches_go_to() {
    let place = fresh("labels");
    let text = "body:\n mov ecx, 3\n.next: dec ecx\n jnz .next\n call f\nfunc \"f\":\n je out\n jmp 1f\n nop\n1:\nout: ret\n";
    let run = dispatchlab(&["show", &template(&place, "labels", text)]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for line in [" jne .next ", " je out ", " jmp out ", " call f "] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
}

#[test]
fn chains_that_would_fill_the_stack_are_refused_where_they_get_too_long() {
    let place = fresh("chains");
    let good = template(&place, "good", "body:\n nop\n");
    for (at, (before, link, after)) in [
        ("{{ ", "1+", "1 }}"),
        ("{{ ", "1-", "1 }}"),
        ("{{ ", "1~", "1 }}"),
        ("{{ ", "1**", "1 }}"),
        ("{{ ", "-", "1 }}"),
        ("{{ ", "not ", "1 }}"),
        ("{{ ", "1 or ", "1 }}"),
        ("{{ ", "1 and ", "1 }}"),
        ("{{ ", "1 if 0 else ", "1 }}"),
        ("{{ 1", " if 0", " }}"),
        ("{{ 1", " is odd", " }}"),
        ("{{ 1", " in x", " }}"),
        ("{{ 1", "|abs", " }}"),
        ("{{ x", "[0]", " }}"),
        ("{{ x", ".x", " }}"),
        ("{{ x", "()", " }}"),
        ("{{ {1: 1", "+1", "} }}"),
        ("{% filter upper", "|upper", " %}{% endfilter %}"),
        ("{% if 0 %}", "{% elif 0 %}", "{% endif %}"),
        ("{%- if 0 -%}", "{%- elif 0 -%}", "{%- endif -%}"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = |links| format!("{before}{}{after}", link.repeat(links));
        let text = format!(";! expand = true\nbody:\n; {}\n nop\n", text(40_000));
        let file = template(&place, &format!("chain{at}"), &text);
        let run = dispatchlab(&["check", &file, &good]);
        assert_eq!(run.code, 3, "{link}: {}", run.stderr);
        assert!(
            run.said().contains(&format!("chain{at}.asm:3:")),
            "{link}: {}",
            run.stderr
        );
        assert!(
            run.said().contains("in one chain"),
            "{link}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_long_text_of_errors_shows_the_first() {
    let place = fresh("many_errors");
    let file = template(
        &place,
        "wrong",
        &format!("body:\n{}", " nonsense rax\n".repeat(200_000)),
    );
    let run = dispatchlab(&["check", &file]);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.lines().count() < 300,
        "{}",
        run.stderr.lines().count()
    );
    assert!(run.said().contains("wrong.asm:2:2") && run.said().contains(" more; "));
}

#[test]
fn names_that_mean_two_things_mean_the_file() {
    let place = fresh("two_meanings");
    template(&place, "own", ";! title = \"own\"\nbody:\n nop\n");
    std::fs::rename(place.join("own.asm"), place.join("tour")).expect("renames");
    let run = run_in(&place, &["run", "tour", "--counters", "none", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(rows(&document).len(), 1);
    std::fs::remove_file(place.join("tour")).expect("removes");
    std::fs::create_dir(place.join("tour")).expect("a folder");
    let run = run_in(&place, &["run", "tour", "--counters", "none", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert!(rows(&document).len() > 10, "a folder is no template");
}

#[test]
fn what_is_named_twice_is_one_row() {
    let run = run_in(
        Path::new("/"),
        &[
            "run",
            "inline",
            "direct_call",
            "inline",
            "--counters",
            "none",
            "--json",
        ],
    );
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let names: Vec<&str> = rows(&document).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["inline", "direct_call"]);
    assert!(run.said().contains("more than once"), "{}", run.stderr);
}

#[test]
fn a_suite_takes_a_parameter_that_a_member_has_and_refuses_one_that_none_has() {
    let of = |parameter: &str| {
        let arguments = [
            "run",
            "tour",
            "-p",
            parameter,
            "--counters",
            "none",
            "--json",
        ];
        run_in(Path::new("/"), &arguments)
    };
    let run = of("tragets=4");
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.said().contains("`targets`"), "{}", run.stderr);
    let run = of("nothing_like_it=4");
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.said().contains("no parameter"), "{}", run.stderr);
    // With four targets, two of its members are one.
    let run = of("targets=4");
    assert_eq!(run.stderr, "");
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let rows = rows(&document);
    let is_it = |row: &&(&str, &serde_json::Value)| row.0 == "itab_call[targets=4]";
    assert_eq!(rows.iter().filter(is_it).count(), 1, "{rows:?}");
}

#[test]
fn standard_input_is_a_template() {
    let mut child = command(
        Path::new("/"),
        &["run", "-", "--counters", "none", "--json"],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .expect("starts");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"body:\n nop\n").expect("writes");
    drop(input);
    let output = child.wait_with_output().expect("ends");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(rows(&document)[0].1["template_path"], "-");
}

#[test]
fn exports_are_opened_before_and_written_after() {
    let place = fresh("exports");
    let old = place.join("old.csv");
    std::fs::write(&old, "old text\n".repeat(1000)).expect("writes");
    for (path, words) in [
        ("-", "stdout"),
        ("nowhere/x.csv", "no folder"),
        (".", "folder"),
    ] {
        let run = run_in(
            &place,
            &[
                "run",
                "inline",
                "--export-json",
                "new.json",
                "--export-csv",
                path,
            ],
        );
        assert_eq!(run.code, 2, "{path}: {}", run.stderr);
        assert!(
            run.said().contains(words) && run.stdout.is_empty(),
            "{path}: {}",
            run.stderr
        );
        assert!(
            !place.join("new.json").exists(),
            "{path}: nothing measured, nothing left"
        );
    }
    let same = ["run", "inline", "--export-json", "x", "--export-csv", "./x"];
    assert_eq!(run_in(&place, &same).code, 2);
    let all = [
        "run",
        "itab_call[order=random,targets=8]",
        "--quick",
        "--samples",
        "--export-csv",
        "old.csv",
        "--export-json",
        "new.json",
        "--export-markdown",
        "new.md",
    ];
    let run = run_in(&place, &all);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("scenario"));
    let read = |name: &str| std::fs::read_to_string(place.join(name)).expect(name);
    assert!(read("old.csv").starts_with("scenario,") && !read("old.csv").contains("old text"));
    assert!(read("new.md").starts_with("| scenario | cycles |"));
    let document: serde_json::Value = serde_json::from_str(&read("new.json")).expect("JSON");
    let (_, row) = rows(&document)[0];
    let chunks = row["samples"]["chunks"].as_array().expect("samples");
    let dropped = chunks
        .iter()
        .filter(|chunk| {
            chunk["why"]
                .as_str()
                .is_some_and(|why| why.starts_with("beside"))
        })
        .count();
    // Where all of an image was disturbed, one of them may be far out besides.
    assert!(row["dropped_samples"].as_u64() >= Some(dropped as u64));
    let kept = chunks
        .iter()
        .filter(|chunk| chunk["placement"] == 0 && chunk["kept"] == true);
    let iterations =
        kept.count() as u64 * row["samples"]["iterations_per_chunk"].as_u64().expect("n");
    assert_eq!(row["iterations"].as_u64(), Some(iterations));
}

#[test]
fn a_new_template_runs_as_it_is_and_nothing_is_overwritten() {
    let place = fresh("new");
    let run = run_in(&place, &["new", "mine"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "wrote mine.asm\nnext: dispatchlab run mine.asm\n")
    );
    let ran = run_in(
        &place,
        &[
            "run",
            "mine.asm",
            "-p",
            "targets=4",
            "-p",
            "order=cyclic",
            "--counters",
            "none",
        ],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let again = run_in(&place, &["new", "mine"]);
    assert_eq!(again.code, 2);
    assert!(
        again.said().contains("nothing was written"),
        "{}",
        again.stderr
    );
    std::fs::create_dir(place.join("asm_templates")).expect("a folder");
    let copied = run_in(&place, &["new", "switch", "--from", "type_switch"]);
    assert!(
        copied.stdout.contains("asm_templates/switch.asm"),
        "{}",
        copied.stdout
    );
    let text = std::fs::read_to_string(place.join("asm_templates/switch.asm")).expect("there");
    assert_eq!(
        Some(text.as_str()),
        shipped::text(shipped::TEMPLATES, "type_switch")
    );
    for (arguments, words) in [
        (&["new", "a/b"][..], "letters"),
        (&["new", "../b"], "letters"),
        (&["new", "b.asm"], "letters"),
        (&["new", ""], "letters"),
        (&["new", "tour"], "suite"),
        (&["new", "inline"], "--from inline"),
        (
            &["new", "b", "--from", "type_swich"],
            "did you mean `type_switch`",
        ),
        (&["new", "b", "--templates", "nowhere"], "nowhere"),
    ] {
        let run = run_in(&place, arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
    }
    let files = std::fs::read_dir(&place).expect("a folder").count();
    assert_eq!(files, 2, "mine.asm and asm_templates");
}

#[test]
fn what_has_no_json_form_says_so_and_does_nothing() {
    let place = fresh("no_json");
    for arguments in [
        &["show", "inline", "--json"][..],
        &["--json", "new", "mine"],
        &["completions", "bash", "--json"],
        &["man", "pages", "--json"],
    ] {
        let run = run_in(&place, arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(run.said().contains("no JSON form"), "{}", run.stderr);
    }
    let files = std::fs::read_dir(&place).expect("a folder").count();
    assert_eq!(files, 0);
}

#[test]
fn every_shell_has_completions_and_every_command_a_page() {
    for shell in ["bash", "zsh", "fish"] {
        let run = dispatchlab(&["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("export-csv"), "{shell}");
        assert!(!run.stdout.contains("__worker"), "{shell}");
    }
    let place = fresh("man");
    let run = run_in(&place, &["man", "pages/man1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let page = |name: &str| std::fs::read_to_string(place.join("pages/man1").join(name));
    for command in [
        "run",
        "list",
        "show",
        "check",
        "doctor",
        "new",
        "completions",
        "man",
    ] {
        let page = page(&format!("dispatchlab-{command}.1")).expect(command);
        assert!(page.contains(".TH"), "{command}");
    }
    assert!(page("dispatchlab.1").is_ok());
    assert!(
        page("dispatchlab-__worker.1").is_err(),
        "what is hidden has no page"
    );
    assert_eq!(run_in(&place, &["man", "/proc/none"]).code, 2);
}
