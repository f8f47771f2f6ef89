//! Hardware counters, from a reading to the report, with and without a PMU.
//!
//! Correct means: scripted readings come out as the script says, less what the harness is known to
//! take; a reading that missed a part is no number; and what the documents say of an errno is what
//! the program says.

use std::path::Path;

use crate::common::{dispatchlab, folder, json, rows, template, value};
use dispatchlab::counter::errno::{ERRNOS, Surroundings, explain};
use dispatchlab::counter::pmu;
use dispatchlab::stats::Event;
use serde_json::Value;

/// Writes a script, whose clock says eight cycles, and returns what `--counters` takes.
fn fake(name: &str, events: &str) -> String {
    fake_beside(name, 8.0, events)
}

/// The same with another clock.
fn fake_beside(name: &str, cycles: f64, events: &str) -> String {
    let path = folder("counters").join(format!("{name}.json"));
    let text = format!(
        r#"{{"tsc_hz": 2.0e9, "cycles_per_tick": 1.5, "cycles": {{"*": [{cycles:?}]}}, "events": {events}}}"#
    );
    std::fs::write(&path, text).expect("writes");
    format!("fake:{}", path.display())
}

/// The one row of a run with scripted counters.
fn row(scenario: &str, counters: &str) -> Value {
    let (code, document) = json(&["run", scenario, "--counters", counters, "--time", "1"]);
    assert_eq!(code, 0, "{document:#}");
    rows(&document)[0].1.clone()
}

fn near(value: f64, wanted: f64) -> bool {
    (value - wanted).abs() < 1e-3
}

const STEADY: &str = r#"{"*": [
    {"cycles": 8.25, "instructions": 15, "branches": 3, "branch_misses": 0.5},
    {"cycles": 9.0,  "instructions": 15, "branches": 3, "branch_misses": 0.75},
    {"cycles": 2.5,  "instructions": 11, "branches": 1, "branch_misses": 0}
]}"#;

#[test]
fn scripted_counters_are_the_rows_columns() {
    let counters = fake("steady", STEADY);
    let arguments = ["run", "direct_call", "--counters", &counters];
    let (_, document) = json(&[&arguments[..], &["--time", "1", "--placements", "2"]].concat());
    let (_, row) = rows(&document)[0];
    assert!(near(value(row, "cycles"), 8.25), "{row:#}");
    assert!(near(value(row, "branch_misses"), 0.5), "{row:#}");
    assert!(
        near(value(row, "ns"), 8.0 / 1.5 / 2.0),
        "ns is the clock's: {row:#}"
    );
    // direct_call is 4 instructions and 2 branches; the harness around it, as docs/method.md lists
    // it, 12 and 1.
    assert!(near(value(row, "instructions"), 4.0), "{row:#}");
    assert!(near(value(row, "branches"), 2.0), "{row:#}");
    assert_eq!(row["metrics"]["instructions"]["subtracted"], 11.0);
    assert_eq!(row["metrics"]["branches"]["subtracted"], 1.0);
    assert!(row["metrics"]["branch_misses"].get("subtracted").is_none());
    assert!(near(
        row["layout"]["cycles_max"].as_f64().expect("a number"),
        9.0
    ));
    let empty = &row["baseline"]["cycles"]["value"];
    assert!(near(empty.as_f64().expect("a number"), 2.5));
    // The script has misses, and direct_call has one type.
    let warnings = row["warnings"].as_array().expect("a list");
    let [flag] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    assert!(
        flag.as_str()
            .is_some_and(|flag| flag.contains("all receivers have one type"))
    );
    for event in Event::ALL {
        let metric = &row["metrics"][event.name()];
        assert_eq!(metric["basis"], "measured", "{metric:#}");
        assert_eq!(metric["source"], "fake", "{metric:#}");
        let sources = document["provenance"]["sources"]
            .as_array()
            .expect("a list");
        let source = sources
            .iter()
            .find(|source| source["event"] == event.name());
        assert_eq!(source.expect("a source")["basis"], "measured");
    }
}

#[test]
fn raw_samples_hold_what_each_value_is_made_of() {
    let counters = fake("samples", STEADY);
    let arguments = ["run", "direct_call", "--counters", &counters, "--samples"];
    let (_, document) = json(&[&arguments[..], &["--time", "1"]].concat());
    let (_, row) = rows(&document)[0];
    let samples = &row["samples"];
    let chunks = samples["chunks"].as_array().expect("a list");
    let overhead = &samples["entry_overhead_events"];
    let iterations = samples["iterations_per_chunk"].as_f64().expect("a number");
    for (at, event) in Event::ALL.into_iter().enumerate() {
        let whole = |value: &Value| value[at].as_f64().expect("a count");
        let kept = chunks
            .iter()
            .filter(|chunk| chunk["placement"] == 0 && chunk["kept"] == true);
        let counts: Vec<f64> = kept
            .map(|chunk| (whole(&chunk["events"]) - whole(overhead)) / iterations)
            .collect();
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let metric = &row["metrics"][event.name()];
        let subtracted = metric["subtracted"].as_f64().unwrap_or(0.0);
        assert!(
            near(value(row, event.name()), mean - subtracted),
            "{event:?}"
        );
    }
}

#[test]
fn the_harness_around_a_body_in_registers_is_subtracted_too() {
    // Its seven instructions are listed in docs/method.md.
    let counters = fake_beside(
        "registers",
        5.0,
        r#"{"*": [{"cycles": 5, "instructions": 13, "branches": 3}]}"#,
    );
    let row = row("tests/fixtures/contract_sample.asm", &counters);
    assert!(near(value(&row, "instructions"), 6.0), "{row:#}");
    assert!(near(value(&row, "branches"), 2.0), "{row:#}");
    assert_eq!(row["metrics"]["instructions"]["subtracted"], 7.0);
}

#[test]
fn the_harness_around_copies_of_a_body_is_shared_among_them() {
    let text = ";! unroll = 50\nbody:\n add rax, rax\n";
    let file = template(&folder("counters"), "unrolled", text);
    let counters = fake_beside(
        "unrolled",
        1.0,
        r#"{"*": [{"cycles": 1, "instructions": 1.04, "branches": 0.02}]}"#,
    );
    let row = row(&file, &counters);
    // dec and jne for fifty adds.
    assert_eq!(row["metrics"]["instructions"]["subtracted"], 0.04);
    assert!(near(value(&row, "instructions"), 1.0), "{row:#}");
    assert!(near(value(&row, "branches"), 0.0), "{row:#}");
}

#[test]
fn the_table_has_measured_counts_with_a_mark_and_its_reason() {
    let counters = fake("table", STEADY);
    let run = dispatchlab(&["run", "direct_call", "--counters", &counters, "--time", "1"]);
    let said = &run.stdout;
    let row = said.lines().nth(1).expect("a row");
    let words: Vec<&str> = row.split_whitespace().collect();
    assert!(words.ends_with(&["4.00*", "2.00*", "0.500"]), "{said}");
    assert!(
        said.contains("\n    * instr, branch: counted over the whole loop, less"),
        "{said}"
    );
    let sources = "\ncycles, ns, instr, branch, misses measured (fake)";
    assert!(
        said.contains(sources) && !said.contains("exact ("),
        "{said}"
    );
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_reading_that_missed_a_part_is_unsupported_and_says_why() {
    for (name, running, words) in [
        ("shared", 400, "ran for 400 of 1000 ns"),
        ("never", 0, "never ran"),
        ("nonsense", 1200, "1200 of 1000 ns"),
    ] {
        let events = format!(
            r#"{{"*": [{{"cycles": 8, "instructions": 15, "branches": 3, "branch_misses": 1,
                "time_enabled": 1000, "time_running": {running}}}]}}"#
        );
        let row = row("direct_call", &fake(name, &events));
        for event in ["cycles", "branch_misses"] {
            let metric = &row["metrics"][event];
            assert!(metric["value"].is_null(), "{metric:#}");
            assert_eq!(metric["basis"], "unsupported");
            let why = metric["why"].as_str().expect("a reason");
            assert!(
                why.contains(words) && why.contains("--counters clock"),
                "{why}"
            );
        }
        // What does not hang on the counters stands.
        assert!(near(value(&row, "ns"), 8.0 / 3.0), "{row:#}");
        assert_eq!(value(&row, "instructions"), 4.0);
        assert_eq!(row["metrics"]["instructions"]["basis"], "exact");
        assert_eq!(row["metrics"]["instructions"]["source"], "step");
        assert!(
            row["warnings"][0]
                .as_str()
                .is_some_and(|one| one.contains(words))
        );
    }
}

#[test]
fn an_event_that_is_not_counted_is_no_zero() {
    let row = row(
        "direct_call",
        &fake("partial", r#"{"*": [{"cycles": 8, "instructions": 15}]}"#),
    );
    assert_eq!(row["metrics"]["instructions"]["basis"], "measured");
    assert_eq!(row["metrics"]["branches"]["basis"], "exact");
    let misses = &row["metrics"]["branch_misses"];
    assert!(misses["value"].is_null(), "{misses:#}");
    assert_eq!(misses["why"], "the script has no such event");
}

#[test]
fn without_an_event_for_cycles_they_are_the_clocks() {
    let events = r#"{"*": [{"instructions": 15, "branches": 3}]}"#;
    let counters = fake("no_cycles", events);
    let (_, document) = json(&["run", "direct_call", "--counters", &counters, "--time", "1"]);
    let sources = document["provenance"]["sources"].as_array();
    let of_cycles = sources.and_then(|all| all.iter().find(|one| one["event"] == "cycles"));
    let of_cycles = of_cycles.expect("a source of cycles");
    assert_eq!(of_cycles["basis"], "measured");
    assert_eq!(of_cycles["why"], "the script has no such event");
    let row = rows(&document)[0].1;
    assert_eq!(row["metrics"]["cycles"]["basis"], "measured");
    assert!(near(value(row, "cycles"), 8.0), "{row:#}");
}

#[test]
fn cycles_that_are_not_the_clocks_are_no_number_and_both_are_named() {
    for (cycles, is_near) in [(8.7, true), (8.9, false), (7.3, true), (7.1, false)] {
        let events =
            format!(r#"{{"*": [{{"cycles": {cycles}, "instructions": 15, "branches": 3}}]}}"#);
        let row = row("direct_call", &fake(&format!("apart-{cycles}"), &events));
        let metric = &row["metrics"]["cycles"];
        assert_eq!(metric["value"].is_number(), is_near, "{cycles}: {metric:#}");
        if !is_near {
            let why = metric["why"].as_str().expect("a reason");
            let words =
                format!("they have {cycles:.2} cycles for an iteration that has 8.00 by the clock");
            assert!(why.contains(&words), "{why}");
            assert_eq!(row["metrics"]["instructions"]["basis"], "exact");
        }
    }
}

#[test]
fn counts_that_contradict_single_stepping_are_told() {
    let events = r#"{"*": [{"cycles": 8, "instructions": 16, "branches": 3}]}"#;
    let row = row("direct_call", &fake("wrong", events));
    let warning = row["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("counted 5.00 instructions"), "{warning}");
}

#[test]
fn hardware_counters_asked_for_and_absent_end_it_before_anything_is_measured() {
    if pmu::is_believed(&pmu::probe(), Event::Cycles) {
        println!("skipped: this machine has a PMU");
        return;
    }
    // Were it run, this would end with 4.
    let crash = template(&folder("counters"), "crash", "body:\n ud2\n");
    let run = dispatchlab(&["run", &crash, "--counters", "pmu"]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert_eq!(run.stdout, "");
    let state = pmu::probe().swap_remove(0).1.expect_err("no PMU");
    let said = run.said();
    assert!(said.contains(&state.reason), "{}", run.stderr);
    assert!(said.contains(&state.remedy), "{}", run.stderr);
}

#[test]
fn without_a_pmu_each_source_says_why_it_is_no_better_one() {
    let Err(unavailable) = pmu::probe().swap_remove(0).1 else {
        println!("skipped: this machine has a PMU");
        return;
    };
    let (_, document) = json(&["run", "inline", "--quick"]);
    let sources = document["provenance"]["sources"]
        .as_array()
        .expect("a list");
    for source in sources.iter().filter(|source| source["event"] != "ns") {
        let why = source["why"].as_str().expect("a reason");
        assert!(why.starts_with(&unavailable.reason), "{source:#}");
    }
    let cycles = sources.iter().find(|source| source["event"] == "cycles");
    assert_eq!(cycles.expect("a source")["source"], "clock");
}

#[test]
fn a_pmu_counts_what_single_stepping_counts() {
    let tour = ["run", "tour", "--quick", "--counters"];
    let run = dispatchlab(&[&tour[..], &["pmu", "--json"]].concat());
    if run.code == 5 {
        println!("skipped: {}", run.stderr);
        return;
    }
    let by_pmu: Value = serde_json::from_str(&run.stdout).expect("a document");
    let (_, stepped) = json(&[&tour[..], &["none"]].concat());
    for ((name, counted), (_, exact)) in rows(&by_pmu).into_iter().zip(rows(&stepped)) {
        for metric in ["instructions", "branches"] {
            let (counted, exact) = (value(counted, metric), value(exact, metric));
            assert!(
                (counted - exact).abs() <= 0.01 * exact.max(1.0),
                "{metric} of {name}: {counted} counted, {exact} stepped"
            );
        }
        assert_eq!(counted["metrics"]["cycles"]["source"], "pmu", "{name}");
        assert!(value(counted, "cycles") > 0.5, "{name}");
        let misses = value(counted, "branch_misses");
        assert!((0.0..8.0).contains(&misses), "{name}: {misses}");
    }
}

/// Cycles by the clock, counts by stepping, misses by injection and by a model: with counters beside
/// them, all say the same of loops of which the truth is known.
#[test]
fn where_there_is_a_pmu_every_source_says_the_same_of_known_loops() {
    /// A scenario, and the share of its calls that are mispredicted: one of eight random types is the
    /// one before.
    const KNOWN: [(&str, f64); 2] = [
        ("itab_call", 0.0),
        ("itab_call[order=random,targets=8]", 0.875),
    ];
    let run = [&["run"][..], &KNOWN.map(|(name, _)| name)].concat();
    let by_pmu = dispatchlab(&[&run[..], &["--counters", "pmu", "--json"]].concat());
    if by_pmu.code == 5 {
        println!("skipped: {}", by_pmu.said());
        return;
    }
    let by_pmu: Value = serde_json::from_str(&by_pmu.stdout).expect("a document");
    let (_, without) = json(&[&run[..], &["--counters", "clock"]].concat());
    let pairs = rows(&by_pmu).into_iter().zip(rows(&without));
    for (((name, counted), (_, other)), (_, truth)) in pairs.zip(KNOWN) {
        let close = |what: &str, one: f64, other: f64, margin: f64| {
            assert!(
                (one - other).abs() <= margin,
                "{what} of {name}: {one}, {other}"
            );
        };
        let both = |metric: &str| (value(counted, metric), value(other, metric));
        let (cycles, clock) = both("cycles");
        close("cycles", cycles / clock, 1.0, 0.2);
        for metric in ["instructions", "branches"] {
            let (pmu, step) = both(metric);
            assert_eq!(other["metrics"][metric]["basis"], "exact");
            close(metric, pmu, step, 0.01 * step);
        }
        close("misses", value(counted, "branch_misses"), truth, 0.06);
        // Too few undisturbed turns are no other answer.
        if let Some(inferred) = other["metrics"]["branch_misses"]["value"].as_f64() {
            close("inferred misses", inferred, truth, 0.12);
        }
        let (code, told) = json(&["step", name, "--misses", "--quick"]);
        assert_eq!(code, 0, "{told:#}");
        let sites = told["modelled"]["sites"].as_array().expect("sites");
        let mut calls = sites.iter().filter(|site| site["kind"] == "indirect-call");
        let call = &calls.next().expect("the call")["branch_misses"]["last-target"]["value"];
        close(
            "modelled misses",
            call.as_f64().expect("a number"),
            truth,
            0.06,
        );
    }
}

#[test]
fn doctor_lists_every_counter_with_its_answer() {
    let (_, document) = json(&["doctor", "--time", "1"]);
    let counters = document["counters"].as_array().expect("a list");
    let of = |kind: &str| -> Vec<&str> {
        let counters = counters.iter().filter(|counter| counter["kind"] == kind);
        counters
            .map(|counter| counter["event"].as_str().expect("a name"))
            .collect()
    };
    assert_eq!(
        of("pmu"),
        ["cycles", "instructions", "branches", "branch_misses"]
    );
    assert_eq!(
        of("software counters"),
        ["task-clock", "page-faults", "context-switches"]
    );
    assert_eq!(of("rdpmc").len(), 1);
    for counter in counters {
        let says_why = counter["reason"].is_string() && counter["remedy"].is_string();
        assert_eq!(counter["ok"] == false, says_why, "{counter:#}");
    }
}

#[test]
fn the_document_says_of_an_errno_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/counters.md");
    let document = std::fs::read_to_string(path).expect("readable");
    let guest = Surroundings {
        paranoid: Some("4".into()),
        has_hypervisor: true,
        ..Surroundings::default()
    };
    let table: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with("| `E"))
        .map(|line| {
            line.split(" | ")
                .map(|cell| cell.trim_matches(['|', ' ']))
                .collect()
        })
        .collect();
    let mut seen = 0;
    for (errno, name) in ERRNOS {
        let said = explain(&std::io::Error::from_raw_os_error(errno), &guest);
        let quoted = format!("`{name}`");
        let row = table
            .iter()
            .find(|row| row[0].split(", ").any(|one| one == quoted));
        let row = row.unwrap_or_else(|| panic!("docs/counters.md has no {name}"));
        assert_eq!(
            format!("{}: perf_event_open says {name}", row[1]),
            said.reason
        );
        assert_eq!(row[2], said.remedy, "{name}");
        seen += 1;
    }
    let documented: usize = table.iter().map(|row| row[0].split(", ").count()).sum();
    assert_eq!(documented, seen, "an errno that the program does not know");
}
