//! `advise`: the ways of a call site, on a recorded sequence.
//!
//! Correct means: each way computes what the call computes and takes the instructions that its text says, what is written
//! is what was measured, and what is advised follows from the numbers beside it. Where a compiler is missing, the test
//! says so.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dispatchlab::advise::{Site, Way};
use dispatchlab::go::Release;
use dispatchlab::scenario::Recording;
use serde_json::Value;

use crate::common::{Run, fresh, run_in, value};
use crate::programs::{built, built_of, fixture, go_of, text};

/// How often each type comes, by number; the second is the most frequent.
const VISITS: [u64; 3] = [96, 640, 288];

/// Writes a sequence of that, in no order that repeats, and says what it is.
fn recording(place: &Path) -> Vec<u32> {
    let mut left = VISITS;
    let mut seed = 7u32;
    let mut numbers = Vec::new();
    while left.iter().any(|count| *count > 0) {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = (seed >> 16) as usize % 3;
        if left[number] > 0 {
            left[number] -= 1;
            numbers.push(number as u32);
        }
    }
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let names = "# 0 main.Fixed\n# 1 *main.Dial\n# 2 main.Ruler\n";
    fs::write(
        place.join("types.txt"),
        format!("{names}{}\n", words.join(" ")),
    )
    .expect("writes");
    numbers
}

fn advised(place: &Path, more: &[&str]) -> Run {
    let mut all = vec!["advise", "itab_call", "-p", "order=@types.txt", "--quick"];
    all.extend(more);
    run_in(place, &all)
}

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr))
}

#[test]
fn each_way_computes_what_the_call_does_by_the_instructions_that_its_text_has() {
    let place = fresh("counts");
    recording(&place);
    let total = VISITS.iter().sum::<u64>() as f64;
    // By rank: the most frequent first.
    let ranked = [640.0, 288.0, 96.0];
    // A guard is three instructions and a branch; behind the one that holds stand two and a jump, behind all of them the
    // call with its method.
    let guards = |count: usize| {
        let (mut instructions, mut branches) = (0.0, 0.0);
        for (rank, visits) in ranked.iter().enumerate() {
            let passed = (rank + 1).min(count) as f64;
            let (own, more) = if rank < count { (3.0, 1.0) } else { (6.0, 2.0) };
            instructions += visits * (3.0 * passed + own) / total;
            branches += visits * (passed + more) / total;
        }
        (instructions, branches)
    };
    for (callee, more) in [("inlined", 0.0), ("called", 2.0)] {
        let callee = format!("callee={callee}");
        let run = advised(&place, &["--counters", "none", "--json", "-p", &callee]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let document = document(&run);
        let rows = document["report"]["rows"].as_array().expect("rows");
        let counted: HashMap<&str, (f64, f64)> = rows
            .iter()
            .map(|row| {
                assert_eq!(
                    (&row["status"], &row["verified"]),
                    (&"ok".into(), &true.into()),
                    "{row:#}"
                );
                let name = row["scenario"].as_str().expect("a name");
                let name = name.split('[').next().unwrap_or(name);
                (name, (value(row, "instructions"), value(row, "branches")))
            })
            .collect();
        assert_eq!(counted.len(), 7, "{counted:?}");
        assert_eq!(counted["call"], (6.0, 2.0));
        for count in 1..=3 {
            let found = counted[&*format!("guards-{count}")];
            let hits: f64 = ranked[..count].iter().sum::<f64>() / total;
            let (instructions, branches) = guards(count);
            // By name it takes `mov`, `call` and `ret` beside the two, and the call and the return are branches.
            let expected = (
                instructions + hits * more / 2.0 * 3.0,
                branches + hits * more,
            );
            assert!(
                (found.0 - expected.0).abs() < 1e-9 && (found.1 - expected.1).abs() < 1e-9,
                "{count} {callee}: {found:?} {expected:?}"
            );
        }
        // Of a receiver three loops, a call and a return; of a batch the sum over three types.
        let branches = 5.0 + 3.0 / 64.0;
        assert!(
            (counted["batch-64"].1 - branches).abs() < 1e-9,
            "{counted:?}"
        );
    }
}

#[test]
fn what_is_advised_follows_from_the_numbers_and_is_written_as_it_was_measured() {
    let place = fresh("outcome");
    recording(&place);
    let run = advised(&place, &["--json", "-o", "best.asm", "--counters", "clock"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let document = document(&run);
    let advice = &document["advice"];
    let undecided = advice["undecided"].as_array().expect("a list");
    let best = advice["best"].as_str();
    assert_eq!(best.is_some(), undecided.is_empty(), "{advice:#}");
    let chosen = best.or_else(|| undecided[0].as_str()).expect("a way");
    let ways = advice["ways"].as_array().expect("ways");
    let ratio = |name: &str| {
        let way = ways.iter().find(|way| way["way"] == name).expect(name);
        match name {
            "call" => Some(1.0),
            _ => way["ratio"].as_f64(),
        }
    };
    for way in ways {
        let name = way["way"].as_str().expect("a name");
        if let (Some(own), Some(least)) = (ratio(name), ratio(chosen)) {
            assert!(own >= least, "{name} against {chosen}: {advice:#}");
        }
    }
    // The text that was measured: its hash is that of the row.
    let written = fs::read_to_string(place.join("best.asm")).expect("it is written");
    assert_eq!(advice["template"], written);
    let again = run_in(
        &place,
        &[
            "run",
            "best.asm",
            "-p",
            "order=@types.txt",
            "--counters",
            "none",
            "--quick",
            "--json",
        ],
    );
    assert_eq!(again.code, 0, "{}", again.stderr);
    let again = self::document(&again);
    let rows = document["report"]["rows"].as_array().expect("rows");
    let hash = &again["rows"][0]["template_sha256"];
    assert!(
        rows.iter().any(|row| &row["template_sha256"] == hash),
        "{hash}"
    );
    let run = advised(&place, &["-o", "best.asm"]);
    assert_eq!(run.code, 2);
    assert!(run.said().contains("is there already"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_is_said_and_what_cannot_be_asked_is_refused() {
    let place = fresh("refused");
    fs::write(place.join("types.txt"), "0 0 0 0\n").expect("writes");
    let run = advised(&place, &["--counters", "none"]);
    for words in [
        "cannot: the recording has one type, and a switch with one case is a guard",
        "cannot: the recording has one type, and is in order as it is",
        "nothing is advised: not timed",
    ] {
        assert!(
            crate::common::unfolded(&run.stdout).contains(words),
            "{}",
            run.stdout
        );
    }
    #[rustfmt::skip] // a table: arguments, and words of the refusal
    let refused: [(&[&str], &str); 7] = [
        (&["itab_call"],                                         "needs the order in which types come"),
        (&["itab_call", "-p", "order=random"],                   "needs the order in which types come"),
        (&["itab_call", "-p", "order=@none.txt"],                "there is no such file"),
        (&["direct_call", "-p", "order=@types.txt"],             "its receivers are no interface values"),
        (&["guard", "-p", "order=@types.txt", "-p", "slot=1"],   "has no parameter `slot`"),
        (&["itab_call", "-p", "order=@types.txt", "-p", "go=1.10"], "take a later one with -p go=1.27"),
        (&["types.txt", "main.f", "-p", "order=@types.txt"],     "cannot read types.txt"),
    ];
    for (arguments, words) in refused {
        let run = run_in(&place, &[&["advise"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_site_of_a_program_is_advised_on_with_the_names_of_that_program() {
    let Some(file) = go_of("advised", &[], "traced.go") else {
        return;
    };
    let place = fresh("site");
    let program = text(&file);
    let traced = run_in(
        &place,
        &[
            "trace",
            "-o",
            "types.txt",
            "--at",
            "main.read",
            "--",
            program,
            "2000",
            "1",
        ],
    );
    if traced.stderr.contains("cannot be traced") {
        eprintln!("skipped: {}", traced.stderr);
        return;
    }
    let next = traced
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("or: dispatchlab "));
    let next = next
        .unwrap_or_else(|| panic!("{}", traced.stdout))
        .replace('\'', "");
    let mut all: Vec<&str> = next.split(' ').collect();
    all.extend(["--json", "--quick", "--counters", "clock"]);
    let run = run_in(&place, &all);
    assert_eq!(run.code, 0, "{all:?}: {}", run.stderr);
    let advice = &document(&run)["advice"];
    assert_eq!(advice["visits"], 2000);
    let source = advice["go_source"].as_str().expect("a source");
    assert!(source.contains(".Read(arg1)"), "{source}");
    let said = "// Read is func(int) int: arg1 stands for its argument,";
    assert!(
        source.contains(said) && source.contains("\nvar arg1 int\n"),
        "{source}"
    );
    assert!(!run.stderr.contains("is a recording of"), "{}", run.stderr);
    // The same numbers as another site would have them.
    let types = fs::read_to_string(place.join("types.txt")).expect("reads");
    let elsewhere = types.replacen("# visits of main.read", "# visits of main.write", 1);
    assert_ne!(types, elsewhere);
    fs::write(place.join("elsewhere.txt"), elsewhere).expect("writes");
    let next = next.replace("types.txt", "elsewhere.txt");
    let mut all: Vec<&str> = next.split(' ').collect();
    all.extend(["--quick", "--counters", "clock"]);
    let run = run_in(&place, &all);
    assert!(
        run.said().contains("is a recording of main.write"),
        "{}",
        run.stderr
    );
    let bare = run_in(&place, &["advise", program, "-p", "order=@types.txt"]);
    assert!(
        bare.said().contains("name its call site behind it"),
        "{}",
        bare.stderr
    );
    if let Some(other) = built("advised-cpp", "g++", &["-O1", &fixture("traced.cpp")]) {
        let run = run_in(
            &place,
            &["advise", text(&other), "area_of", "-p", "order=@types.txt"],
        );
        assert_eq!(run.code, 2);
        assert!(
            run.said().contains("is a site of the kind vtable"),
            "{}",
            run.stderr
        );
    }
}

/// A program of what `advise` wrote; none where there is no Go, and never because Go refuses it.
fn compiled(name: &str, file: &Path) -> Option<PathBuf> {
    let made = built_of(name, "go", &["build"], &[text(file)]);
    let has_go = Command::new("go").arg("version").output().is_ok();
    assert!(made.is_some() || !has_go, "Go does not compile {file:?}");
    made
}

#[test]
fn the_source_of_each_way_compiles_and_calls_each_receiver_once() {
    let place = fresh("source");
    let numbers = recording(&place);
    let text_of = fs::read_to_string(place.join("types.txt")).expect("written");
    let mut site = Site::of(&Recording::of(numbers), &text_of, Release::NEWEST, 0);
    site.method = Some("Read".into());
    site.signature = Some("func()".into());
    site.interface = Some("main.I".into());
    let mut functions = String::new();
    let ways = [
        Way::Call,
        Way::Guards(vec![1]),
        Way::Guards(vec![1, 2]),
        Way::Switch,
    ];
    for (number, way) in ways.iter().enumerate() {
        functions += &format!("func way{number}(x I) {{\n{}}}\n", site.source(way));
    }
    functions += &site.source(&Way::Batch);
    let around = fs::read_to_string(fixture("ways.go")).expect("a fixture");
    assert!(around.contains("// WAYS\n"));
    let source = around.replace("// WAYS\n", &functions);
    let file = place.join("ways.go");
    fs::write(&file, source).expect("writes");
    let Some(program) = compiled("ways", &file) else {
        return;
    };
    let output = Command::new(program).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!site.source(&Way::Batch).contains("stands for"));
    let once = 22 + 21 * 1000 + 21 * 1_000_000;
    assert_eq!(said, format!("{}\n{once}\n", 4 * once), "{said}");
}

#[test]
fn the_source_compiles_with_types_of_other_packages_and_its_import_lines() {
    let place = fresh("packages");
    let text_of = "# 0 *bytes.Buffer\n# 1 *container/list.List\n# 2 main.Own\n# 3 *strings.Reader (strings.(*Reader).Len)\n\
                   0 1 2 3 3 3\n";
    let numbers = Recording::parse(text_of).expect("numbers");
    let mut site = Site::of(&numbers, text_of, Release::NEWEST, 0);
    site.method = Some("Len".into());
    site.signature = Some("func() int".into());
    site.interface = Some("main.I".into());
    let (mut imports, mut functions) = (BTreeSet::new(), String::new());
    for (number, way) in [Way::Guards(vec![3, 0]), Way::Switch, Way::Batch]
        .iter()
        .enumerate()
    {
        let source = site.source(way);
        let lines = source.lines().filter_map(|line| line.strip_prefix("// "));
        imports.extend(
            lines
                .filter(|line| line.starts_with("import "))
                .map(str::to_string),
        );
        functions += &match way {
            Way::Batch => source,
            _ => format!("func way{number}(x I) {{\n{source}}}\n"),
        };
    }
    imports.extend(["import \"bytes\"", "import \"strings\""].map(str::to_string));
    let imports: Vec<String> = imports.into_iter().collect();
    let source = format!(
        "package main\n\n{}\n\ntype I interface{{ Len() int }}\n\ntype Own int\n\nfunc (Own) Len() int {{ return 1 }}\n\n\
         {functions}\nfunc main() {{\n\tfor _, x := range []I{{&bytes.Buffer{{}}, Own(1), strings.NewReader(\"\")}} {{\n\
         \t\tway0(x)\n\t\tway1(x)\n\t}}\n}}\n",
        imports.join("\n")
    );
    let file = place.join("packages.go");
    fs::write(&file, source).expect("writes");
    let Some(program) = compiled("ways-packages", &file) else {
        return;
    };
    assert!(Command::new(program).status().expect("runs").success());
}

#[test]
fn batches_of_few_visits_are_measured_as_all_ways_are() {
    let place = fresh("short");
    let words: Vec<String> = (0..800).map(|at| (at % 8).to_string()).collect();
    fs::write(place.join("types.txt"), words.join(" ")).expect("writes");
    let run = advised(&place, &["--json"]);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    let document = document(&run);
    let rows = document["report"]["rows"].as_array().expect("rows");
    assert!(rows.len() > 2, "{document:#}");
    for row in rows {
        assert_eq!(row["status"], "ok", "{row:#}");
        assert!(value(row, "cycles") > 0.0, "{row:#}");
    }
    // Types in turn are no harder to guess than they were.
    assert_eq!(document["advice"]["is_learnt"], false);
}
