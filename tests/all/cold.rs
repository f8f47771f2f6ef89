//! Calls behind a scrub, from the parameter to the report.

use crate::common::{dispatchlab, folder, json, rows, template, unfolded};
use serde_json::Value;

/// A document of a run; of a noisy one, the second.
fn measured(arguments: &[&str], is_plausible: impl Fn(&Value) -> bool) -> Value {
    let all = [arguments, &["--counters", "clock"]].concat();
    let (code, first) = json(&all);
    assert_eq!(code, 0, "{first:#}");
    if is_plausible(&first) {
        return first;
    }
    let (_, second) = json(&all);
    assert!(is_plausible(&second), "twice: {first:#}\n{second:#}");
    second
}

fn cycles(document: &Value, at: usize, state: &str) -> f64 {
    let value = &rows(document)[at].1["cold"][state]["value"];
    value.as_f64().unwrap_or(f64::NAN)
}

fn is_colder(document: &Value, at: usize, by: f64) -> bool {
    cycles(document, at, "cycles") > cycles(document, at, "warm") + by
}

#[test]
fn data_from_memory_cost_more_than_fifty_cycles_and_code_too() {
    let scenarios = [
        "run",
        "itab_call[cold=dcache]",
        "direct_call[cold=dcache]",
        "itab_call[cold=icache]",
    ];
    measured(&scenarios, |document| {
        (0..3).all(|at| is_colder(document, at, 50.0))
    });
}

#[test]
fn a_call_through_an_itab_with_forgotten_targets_costs_more_or_says_that_it_does_not() {
    measured(&["run", "itab_call[cold=predictor]"], |document| {
        let warnings = rows(document)[0].1["warnings"].to_string();
        is_colder(document, 0, 5.0) || warnings.contains("shows no effect")
    });
}

#[test]
fn a_row_has_the_hot_cycles_beside_the_cold_ones_each_with_its_basis() {
    let arguments = ["run", "itab_call", "itab_call[cold=dcache]", "--time", "10"];
    let document = measured(&arguments, |document| {
        cycles(document, 1, "cycles").is_finite() && cycles(document, 1, "warm").is_finite()
    });
    let rows = rows(&document);
    assert!(rows[0].1.get("cold").is_none());
    let (name, row) = rows[1];
    assert_eq!(name, "itab_call[cold=dcache]");
    let cold = &row["cold"];
    assert_eq!(cold["scrubbed"], "dcache");
    for number in ["cycles", "warm", "scrub_ns"] {
        assert_eq!(cold[number]["basis"], "measured", "{cold:#}");
        assert_eq!(cold[number]["source"], "clock", "{cold:#}");
        assert!(cold[number]["value"].is_f64(), "{cold:#}");
    }
    assert!(cold["cycles"]["low"].is_f64() && cold["cycles"]["high"].is_f64());
    assert!(cold["entries"].as_u64() >= Some(96), "{cold:#}");
    assert!(cold["doubtful"].is_boolean());
    // The hot ones and the counts are those of any row.
    assert!(row["metrics"]["cycles"]["value"].is_f64());
    for count in ["instructions", "branches"] {
        let twin = &rows[0].1["metrics"][count]["value"];
        assert_eq!(&row["metrics"][count]["value"], twin);
    }
}

#[test]
fn the_table_says_what_was_scrubbed_what_it_is_beside_and_what_is_left_out() {
    let run = dispatchlab(&["run", "itab_call", "-p", "cold=icache", "--quick", "-v"]);
    let text = unfolded(&run.stdout);
    for part in [
        "cold=icache: one call by itself adds",
        "warm, the same without the scrub:",
        "in no number",
        "all other columns are hot",
    ] {
        assert!(
            text.contains(part),
            "{part}: {}\n{}",
            run.stdout,
            run.stderr
        );
    }
}

#[test]
fn a_state_that_there_is_not_is_refused_with_those_that_there_are() {
    let run = dispatchlab(&["run", "itab_call", "-p", "cold=l2"]);
    assert_eq!(run.code, 2);
    let states = "`cold` is one of none, predictor, icache, dcache, not `l2`";
    assert!(run.said().contains(states), "{}", run.said());
}

#[test]
fn what_cannot_be_cold_has_its_hot_numbers_and_the_reason() {
    let path = template(
        &folder("cold"),
        "plain",
        ";! unroll = 2\n;! result = \"eax\"\n;! expect = 1\nbody:\n mov eax, 1\n",
    );
    for (given, why) in [(["cold=icache"], "unroll"), (["cold=dcache"], "unroll")] {
        let arguments = ["run", &path, "-p", given[0], "--quick"];
        let (code, document) = json(&arguments);
        assert_eq!(code, 0, "{document:#}");
        let cold = &rows(&document)[0].1["cold"]["cycles"];
        assert_eq!(cold["basis"], "unsupported", "{cold:#}");
        assert!(cold["value"].is_null());
        assert!(cold["why"].as_str().is_some_and(|said| said.contains(why)));
        // A machine so busy that the row does not settle says so.
        let hot = &rows(&document)[0].1["metrics"]["cycles"];
        let why = hot["why"].as_str();
        let is_unsettled = why.is_some_and(|why| why.starts_with("not settled: "));
        assert!(hot["value"].is_f64() || is_unsettled, "{hot:#}");
    }
    let none = ["run", "itab_call[cold=icache]", "--counters", "none"];
    let (_, document) = json(&none);
    let cold = &rows(&document)[0].1["cold"]["cycles"];
    assert!(
        cold["why"]
            .as_str()
            .is_some_and(|why| why.contains("timed"))
    );
}

#[test]
fn a_sweep_has_a_column_and_a_comparison_a_line_of_cold_calls() {
    let sweep = [
        "sweep",
        "itab_call",
        "-P",
        "cold=none,icache,dcache",
        "--quick",
    ];
    let text = dispatchlab(&sweep).stdout;
    let head = text.lines().find(|line| line.contains("cycles  "));
    assert!(head.is_some_and(|head| head.contains("cold")), "{text}");
    let compare = [
        "compare",
        "direct_call",
        "itab_call",
        "-p",
        "cold=dcache",
        "--time",
        "5",
    ];
    let (_, document) = json(&compare);
    let comparisons = document["comparisons"].as_array().expect("comparisons");
    let metrics: Vec<&str> = comparisons
        .iter()
        .filter_map(|one| one["metric"].as_str())
        .collect();
    assert_eq!(metrics.len(), 6, "{metrics:?}");
    assert_eq!(metrics[5], "cold_cycles");
    assert!(comparisons[5]["p"].is_null());
}

#[test]
fn a_saved_job_keeps_what_is_scrubbed() {
    let job = folder("cold").join("itab.job");
    let job = job.display().to_string();
    let save = [
        "run",
        "itab_call[cold=icache]",
        "--quick",
        "--save-job",
        &job,
    ];
    assert_eq!(dispatchlab(&save).code, 0);
    let (code, document) = json(&["run", "--job", &job]);
    assert_eq!(code, 0, "{document:#}");
    let (name, row) = rows(&document)[0];
    assert_eq!(name, "itab_call[cold=icache]");
    assert_eq!(row["cold"]["scrubbed"], "icache");
}
