//! `trace` against programs that log what their call site meets.
//!
//! Correct means: what is recorded is what the program itself logged, and the program ends as it would have. Where a
//! compiler is missing, or nobody may trace, the test says so.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dispatchlab::scenario::Recording;
use serde_json::Value;

use crate::common::{Run, command, folder, fresh, run_in, unfolded};
use crate::programs::{built, fixture, go_of, text};
use dispatchlab::sys::interrupt;

/// What the fixture calls the types that it logs, by digit.
const TYPES: [&str; 3] = ["*main.Dial", "main.Fixed", "main.Ruler"];

/// The program that logs, by the Go on the path.
fn program(name: &str, options: &[&str]) -> Option<PathBuf> {
    go_of(&format!("traced_{name}"), options, "traced.go")
}

/// What `trace` leaves of a program; none, with a word, where nobody may trace here.
pub(crate) fn traced(place: &Path, more: &[&str], program: &[&str]) -> Option<Run> {
    let mut all = vec!["trace", "-o", "types.txt"];
    all.extend(more);
    all.push("--");
    all.extend(program);
    let run = run_in(place, &all);
    if run.stderr.contains("cannot be traced") {
        eprintln!("skipped: {}", run.stderr);
        return None;
    }
    assert_eq!(run.code, 0, "{all:?}: {}", run.stderr);
    Some(run)
}

pub(crate) fn recorded(place: &Path) -> Recording {
    let text = fs::read_to_string(place.join("types.txt")).expect("it is written");
    Recording::parse(&text).expect("`order=@FILE` reads it")
}

/// Which digit of the log each number of a recording is.
fn digits(place: &Path) -> Vec<char> {
    let text = fs::read_to_string(place.join("types.txt")).expect("it is written");
    let names = text
        .lines()
        .skip(1)
        .filter_map(|line| line.strip_prefix("# "));
    let digit = |line: &str| {
        let (_, name) = line.split_once(' ').expect("a number and a name");
        let is_it = |known: &str| name == known || name.starts_with(&format!("{known} "));
        let at = TYPES.iter().position(|known| is_it(known));
        char::from(b'0' + at.unwrap_or_else(|| panic!("{name}")) as u8)
    };
    names.map(digit).collect()
}

/// The lines of the log that are orders.
fn logged(stderr: &str) -> Vec<&str> {
    let is_order = |line: &&str| !line.is_empty() && line.chars().all(|c| c.is_ascii_digit());
    stderr.lines().filter(is_order).collect()
}

#[test]
fn a_recorded_sequence_is_the_one_that_the_program_logs() {
    for (name, options) in [
        ("plain", &[][..]),
        ("stripped", &["-ldflags=-s -w"][..]),
        ("movable", &["-buildmode=pie"][..]),
    ] {
        let Some(file) = program(name, options) else {
            return;
        };
        let place = fresh(name);
        let Some(run) = traced(&place, &["--at", "main.read"], &[text(&file), "5000", "1"]) else {
            return;
        };
        let digits = digits(&place);
        let types: String = recorded(&place)
            .types()
            .iter()
            .map(|number| digits[*number as usize])
            .collect();
        assert_eq!(vec![types.as_str()], logged(&run.stderr), "{name}");
        assert!(run.stderr.contains("sum "), "{name}: it ends by itself");
        assert!(run.stdout.contains("5000 visits, exact"), "{}", run.stdout);
    }
}

#[test]
fn of_several_threads_each_visit_is_recorded_once() {
    let Some(file) = program("threads", &[]) else {
        return;
    };
    let place = fresh("several");
    let arguments = ["--at", "main.read", "--json"];
    let Some(run) = traced(&place, &arguments, &[text(&file), "2000", "4"]) else {
        return;
    };
    let orders = logged(&run.stderr);
    assert_eq!(orders.len(), 4, "{}", run.stderr);
    let mut expected: BTreeMap<char, u64> = BTreeMap::new();
    for digit in orders.concat().chars() {
        *expected.entry(digit).or_default() += 1;
    }
    let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let types = document["trace"]["types"].as_array().expect("types");
    let counts: BTreeMap<char, u64> = digits(&place)
        .into_iter()
        .zip(types)
        .map(|(digit, one)| (digit, one["visits"].as_u64().expect("a count")))
        .collect();
    assert_eq!(counts, expected);
    assert_eq!(document["trace"]["visits"], 8000);
    assert!(
        document["trace"]["threads"].as_u64() > Some(1),
        "{document}"
    );
}

#[test]
fn behind_the_last_visit_nobody_traces_the_program_and_it_ends_as_ever() {
    let Some(file) = program("left", &[]) else {
        return;
    };
    let untraced = Command::new(&file)
        .args(["3000", "3"])
        .output()
        .expect("runs");
    let untraced = String::from_utf8(untraced.stderr).expect("UTF-8");
    let sum = untraced.lines().find(|line| line.starts_with("sum "));
    for (visits, expected) in [("1", 1), ("500", 500), ("9000", 9000), ("9001", 9000)] {
        let place = fresh("left");
        let arguments = ["--visits", visits, "--at", "main.read"];
        let program = [text(&file), "3000", "3", "status"];
        let Some(run) = traced(&place, &arguments, &program) else {
            return;
        };
        assert_eq!(recorded(&place).types().len(), expected);
        assert!(
            run.stderr.lines().any(|line| Some(line) == sum),
            "{}",
            run.stderr
        );
        let tracer = run
            .stderr
            .lines()
            .find(|line| line.starts_with("TracerPid:"));
        let is_alone = tracer.is_some_and(|line| line.ends_with("\t0"));
        assert_eq!(is_alone, visits != "9001", "{visits}: {tracer:?}");
    }
    let place = fresh("bounds");
    for (visits, code) in [("0", 2), ("1048577", 2)] {
        let arguments = [
            "trace",
            "-o",
            "x",
            "--visits",
            visits,
            "--at",
            "main.read",
            "--",
            text(&file),
        ];
        assert_eq!(run_in(&place, &arguments).code, code, "{visits}");
    }
}

#[test]
fn an_interrupt_leaves_the_program_running_and_what_was_seen() {
    let Some(file) = program("interrupted", &[]) else {
        return;
    };
    let place = fresh("interrupted");
    let program = [text(&file), "1000000", "2", "status", "wait"];
    let mut all = vec![
        "trace",
        "-o",
        "types.txt",
        "--visits",
        "1048576",
        "--at",
        "main.read",
        "--",
    ];
    all.extend(program);
    let mut starting = command(&place, &all);
    let mut child = interrupt::allow_in(&mut starting)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    errors.read_line(&mut line).expect("a line");
    if line.contains("cannot be traced") {
        eprintln!("skipped: {line}");
        child.wait().expect("ends");
        return;
    }
    assert_eq!(line, "ready\n");
    std::thread::sleep(Duration::from_millis(300));
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
    // The program has its standard error from us, and closes it when it ends; it says more than a pipe has room for.
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    assert!(rest.contains("\nsum "), "it goes on to its end");
    let unfolded = unfolded(&rest);
    assert!(
        unfolded.contains("visits were recorded until the signal came"),
        "{rest}"
    );
    assert!(unfolded.contains(" runs on by itself, process "), "{rest}");
    assert!(rest.contains("TracerPid:\t0"), "by itself");
    let visits = recorded(&place).types().len();
    assert!((1..1_048_576).contains(&visits), "{visits}");
    let said = format!("warning: {visits} visits were recorded");
    assert!(unfolded.contains(&said), "{said}: {rest}");
}

#[test]
fn a_recording_takes_the_place_of_no_file() {
    let Some(file) = program("stays", &[]) else {
        return;
    };
    let place = fresh("stays");
    // A recording is a file like another: somebody may have measured with it.
    for old in ["main.go\n", "# visits of main.read+0x1 in p\n# 0 a\n0 0\n"] {
        fs::write(place.join("types.txt"), old).expect("writes");
        #[rustfmt::skip] // one command
        let all = ["trace", "-o", "types.txt", "--at", "main.read", "--", text(&file), "10", "1"];
        let run = run_in(&place, &all);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.said().contains("is there already"), "{}", run.stderr);
        let is_started = run.stderr.lines().any(|line| line == "ready");
        assert!(!is_started, "{}", run.stderr);
        let now = fs::read_to_string(place.join("types.txt")).expect("reads");
        assert_eq!(now, old);
    }
}

#[test]
fn classes_are_told_apart_and_a_copy_of_the_program_runs_untraced() {
    let options = ["-O1", &fixture("traced.cpp")];
    let Some(file) = built("traced-cpp", "g++", &options) else {
        return;
    };
    for (visits, expected) in [("1000", 99), ("20", 20)] {
        let place = fresh("classes");
        let arguments = ["--visits", visits, "--at", "area_of"];
        let Some(run) = traced(&place, &arguments, &[text(&file)]) else {
            return;
        };
        assert!(run.stderr.contains("sum 627 copy 0"), "{}", run.stderr);
        assert_eq!(recorded(&place).types().len(), expected);
        for (class, number) in [("Box", 0), ("Circle", 1)] {
            let row = run
                .stdout
                .lines()
                .find(|line| line.ends_with(&format!("  {class}")));
            let row = row.unwrap_or_else(|| panic!("{class}: {}", run.stdout));
            assert!(row.trim_start().starts_with(&number.to_string()), "{row}");
        }
    }
}

#[test]
fn a_function_is_named_to_trace_as_it_is_to_sites() {
    let of_cpp = built("named-cpp", "g++", &["-O1", &fixture("shapes.cpp")]);
    let of_rust = built("named-rust", "rustc", &["-O", &fixture("shapes.rs")]);
    let place = fresh("names");
    #[rustfmt::skip] // a table: a program, and spellings of one function of it
    let programs = [
        (of_cpp,  &["area(Shape const*)", "area", "_Z4areaPK5Shape"][..]),
        (of_rust, &["shapes::area"]),
    ];
    for (file, names) in programs {
        let Some(file) = file else { continue };
        for name in names {
            let run = command(&place, &["sites", text(&file), name, "--json"]).output();
            let document: Value =
                serde_json::from_slice(&run.expect("it runs").stdout).expect("JSON");
            let sites = document["sites"].as_array().expect("sites");
            let [site] = &sites[..] else {
                panic!("{name}: {document}");
            };
            let function = site["function"].as_str().expect("one");
            for name in [name, function] {
                let _ = fs::remove_file(place.join("types.txt"));
                let Some(run) = traced(&place, &["--at", name], &[text(&file)]) else {
                    return;
                };
                assert!(run.stdout.starts_with(function), "{name}: {}", run.stdout);
            }
        }
        // What is near is said.
        let run = run_in(
            &place,
            &["trace", "-o", "n.txt", "--at", "aera", "--", text(&file)],
        );
        assert_eq!(run.code, 2, "{}", run.stdout);
    }
}

#[test]
fn what_is_recorded_is_replayed() {
    let Some(file) = program("replayed", &[]) else {
        return;
    };
    let place = fresh("replayed");
    let Some(run) = traced(&place, &["--at", "main.read"], &[text(&file), "300", "1"]) else {
        return;
    };
    let next = run
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("next: dispatchlab "));
    let next = next.unwrap_or_else(|| panic!("{}", run.stdout));
    assert!(
        next.starts_with("run 'itab_call' -p targets=3 ") && next.ends_with(" -p order=@types.txt"),
        "{next}"
    );
    // 1.19 is a release that the row shows, and not the one that it shows by itself.
    let shown = command(&place, &["import", text(&file), "main.read"]).output();
    let imported = String::from_utf8(shown.expect("it runs").stdout).expect("UTF-8");
    let is_of = |release: &str| imported.contains(&format!(";! go       = \"{release}\""));
    for (release, is_said) in [("1.19", true), ("1.27", false)] {
        let is_it = next.contains(" -p go=1.19 ");
        assert!(!is_of(release) || is_it == is_said, "{release}: {next}");
    }
    let next = next.replace('\'', "");
    let mut all: Vec<&str> = next.split(' ').collect();
    all.extend(["--counters", "none", "--quick"]);
    let replayed = run_in(&place, &all);
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    assert!(
        replayed.stdout.contains("300 visits"),
        "{}",
        replayed.stdout
    );
}

#[test]
fn a_type_switch_is_visited_as_often_as_it_is_run() {
    let Some(file) = go_of("traced_switches", &[], "switches.go") else {
        return;
    };
    let place = fresh("traced-switches");
    let run = command(&place, &["sites", text(&file), "main.both", "--json"]).output();
    let document: Value = serde_json::from_slice(&run.expect("it runs").stdout).expect("JSON");
    let both = document["sites"].as_array().expect("sites").iter();
    let both = both.map(|site| site["address"].as_str().expect("one").to_string());
    let alone = ["main.basics", "main.rooted", "main.interrupted"].map(String::from);
    // Of the sites of `interrupted` one can be traced.
    for site in alone.into_iter().chain(both) {
        let _ = fs::remove_file(place.join("types.txt"));
        let Some(run) = traced(&place, &["--at", &site], &[text(&file)]) else {
            return;
        };
        // The fixture runs each switch 90 times, with values of nine types in turns.
        let words = "\n90 visits, exact";
        assert!(run.stdout.contains(words), "{site}: {}", run.stdout);
        if run.stdout.contains("type switch") {
            let cases = "\nits cases are the ";
            assert!(run.stdout.contains(cases), "{site}: {}", run.stdout);
        }
        // A table of jumps leads several types to one place.
        if run.stdout.contains("type switch, hashes") {
            let types = recorded(&place).types().iter().max().copied();
            assert_eq!(types, Some(8), "{site}: {}", run.stdout);
        }
    }
}

#[test]
fn a_chain_of_compares_tells_each_type_and_a_call_that_looks_for_an_itab_is_refused() {
    let Some(file) = go_of("traced_chains", &[], "switches.go") else {
        return;
    };
    let place = fresh("traced-chains");
    let Some(run) = traced(&place, &["--at", "main.chained"], &[text(&file)]) else {
        return;
    };
    assert!(run.stdout.contains("\n90 visits, exact"), "{}", run.stdout);
    for name in ["  main.One\n", "  *main.Two\n", "  main.Third\n"] {
        assert!(run.stdout.contains(name), "{name}: {}", run.stdout);
    }
    assert!(run.stdout.contains("the site compares with as many"));
    let _ = fs::remove_file(place.join("types.txt"));
    let run = command(&place, &["sites", text(&file), "main.asked", "--json"]).output();
    let document: Value = serde_json::from_slice(&run.expect("it runs").stdout).expect("JSON");
    let sites = document["sites"].as_array().expect("sites").iter();
    let asked = sites.filter(|site| site["kind"] == "type switch, interfaces");
    for site in asked.map(|site| site["address"].as_str().expect("one").to_string()) {
        let run = run_in(
            &place,
            &["trace", "-o", "types.txt", "--at", &site, "--", text(&file)],
        );
        assert_eq!(run.code, 2, "{}", run.stdout);
        let why = "is decided by more than one instruction";
        assert!(run.said().contains(why), "{}", run.stderr);
    }
    let run = run_in(
        &place,
        &[
            "trace",
            "-o",
            "types.txt",
            "--at",
            "main.(*One).Add",
            "--",
            text(&file),
        ],
    );
    let why = "a wrapper always passes on to one method";
    assert!(run.code == 2 && run.said().contains(why), "{}", run.stderr);
}

#[test]
fn what_comes_through_the_dictionary_of_a_generic_are_functions() {
    let Some(file) = go_of("traced_generics", &[], "switches.go") else {
        return;
    };
    let place = fresh("traced-generics");
    let function = "main.(*List[go.shape.int_0]).Sum";
    let listed = run_in(&place, &["sites", text(&file), function]);
    if !listed.stdout.contains("generic dictionary") {
        eprintln!("skipped: this Go calls no method through a dictionary");
        return;
    }
    let Some(run) = traced(&place, &["--at", function], &[text(&file)]) else {
        return;
    };
    assert!(run.stdout.contains("\n10 visits, exact"), "{}", run.stdout);
    assert!(run.stdout.contains("main.One.Add"), "{}", run.stdout);
}

#[test]
fn what_is_no_site_is_refused_before_the_program_starts() {
    let Some(file) = program("refused", &[]) else {
        return;
    };
    let place = fresh("refused");
    let program = text(&file);
    #[rustfmt::skip] // a table: a site, and words of the refusal
    let refused = [
        ("main.raed",       "no function `main.raed`"),
        ("main.read+0x1",   "no instruction of main.read begins there"),
        ("main.read+0x0",   "main.read has the sites main.read+0x"),
        ("main.(*Dial).Read", "has no site"),
        ("0x1",             "no symbol is at 0x1"),
    ];
    for (site, words) in refused {
        let run = run_in(
            &place,
            &["trace", "-o", "x", "--at", site, "--", program, "1", "1"],
        );
        assert_eq!(run.code, 2, "{site}: {}", run.stderr);
        assert!(run.said().contains(words), "{site}: {}", run.stderr);
        assert!(!run.stderr.contains("ready"), "{site}");
    }
    let run = run_in(
        &place,
        &[
            "trace",
            "-o",
            "x",
            "--at",
            "main.read",
            "--",
            program,
            "0",
            "1",
        ],
    );
    assert_eq!(run.code, 2);
    assert!(run.said().contains("had no visit"), "{}", run.stderr);
    assert!(!place.join("x").exists());
}

#[test]
fn a_number_is_a_type_where_two_types_lead_to_one_function() {
    // `call [rax]` keeps the table of the class in `rax`; both classes have the function of their base.
    let source = folder("shared").join("shared.cpp");
    let classes = "struct Base { virtual int f() { return 1; } };\nstruct One : Base {};\nstruct Two : Base {};\n";
    let rest = "extern \"C\" __attribute__((noinline)) int call(Base *b) { return b->f() + 1; }\n\
                int main() { Base *all[2] = {new One, new Two}; int n = 0; for (int i = 0; i < 10; i++) n += call(all[i / 5]); return n != 20; }\n";
    fs::write(&source, format!("{classes}{rest}")).expect("writes");
    let Some(file) = built("shared-cpp", "g++", &["-O1", text(&source)]) else {
        return;
    };
    let place = fresh("shared-types");
    let Some(run) = traced(&place, &["--at", "call"], &[text(&file)]) else {
        return;
    };
    assert_eq!(
        recorded(&place).types(),
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
        "{}",
        run.stdout
    );
    for class in ["  One\n", "  Two\n"] {
        assert!(run.stdout.contains(class), "{}", run.stdout);
    }
}
