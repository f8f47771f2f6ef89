//! The edges of the command line: closed pipes, colours, odd files and odd arguments.
//!
//! Correct means: each ends with the exit code of the table and one error that says what next, and
//! nothing is left behind.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{self, command, dispatchlab, fresh, json, rows, run_in, template};

#[test]
fn a_closed_pipe_is_quiet_and_ends_as_the_signal_for_it_does() {
    for arguments in [
        &["list"][..],
        &["--help"],
        &["completions", "zsh"],
        &["run", "inline", "--counters", "none", "--json"],
        &["show", "itab_call", "--heap", "--harness"],
    ] {
        // Closed before anything can be written: a child may be faster than its parent.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut child = command(Path::new("/"), arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stderr = String::new();
        let mut errors = child.stderr.take().expect("piped");
        errors.read_to_string(&mut stderr).expect("UTF-8");
        let code = child.wait().expect("ends").code();
        assert_eq!(
            (code, stderr.contains("panic")),
            (Some(141), false),
            "{arguments:?}: {stderr}"
        );
    }
}

#[test]
fn a_result_that_cannot_be_printed_is_said_to_be_lost() {
    let place = fresh("unprinted");
    for (arguments, to, words) in [
        ("list", ">&-", "standard output is closed"),
        ("--help", ">&-", "standard output is closed"),
        (
            "run inline --counters none",
            ">&-",
            "standard output is closed",
        ),
        (
            "run inline --counters none --export-csv e.csv",
            ">&-",
            "standard output is closed",
        ),
        (
            "list",
            ">/dev/full",
            "`standard output`: cannot write it: the disk is full",
        ),
        (
            "--help",
            ">/dev/full",
            "`standard output`: cannot write it: the disk is full",
        ),
        (
            "run inline --counters none",
            ">/dev/full",
            "`standard output`: cannot write it: the disk is full",
        ),
    ] {
        let script = format!("exec \"$0\" {arguments} {to}");
        let output = Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_dispatchlab")])
            .current_dir(&place)
            .env("XDG_STATE_HOME", common::state_home("run"))
            .output()
            .expect("runs");
        let said = common::unfolded(&String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{script}: {said}");
        assert!(said.contains(words), "{script}: {said}");
    }
    let exported = std::fs::read_to_string(place.join("e.csv")).expect("written all the same");
    assert!(exported.contains("inline"), "{exported}");
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
        (&["run", "inline", "--cpu", "999"],          "take one of these"),
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
        ("folder.asm", 3, "it is a folder"),
        ("bytes.asm", 3, "line 3, byte 4: 0xff"),
        ("wide.asm", 3, "UTF-16 text; save it as UTF-8"),
        ("empty.asm", 3, "no `body:`"),
        ("header.asm", 3, "no `body:`"),
        ("nul.asm", 3, "nul.asm:2"),
        ("none.asm", 2, "no such file"),
        ("/dev/zero", 3, "it is a device"),
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
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
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
