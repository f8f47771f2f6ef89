//! Events beside those of the columns, from `-e` to every kind of report.
//!
//! Correct means: scripted counts come out as the script says, those of the kernel are counted for real
//! on any machine, and what is not counted has a reason and no number.

use crate::common::{dispatchlab, folder, json, rows, template, value};
use dispatchlab::counter::pmu;

/// A script with further events: each by name, then by scenario.
fn scripted(name: &str) -> String {
    let path = folder("further").join(format!("{name}.json"));
    let text = r#"{"tsc_hz": 2.0e9, "cycles_per_tick": 1.5, "cycles": {"*": [6.0]},
        "further": {"cache-misses": {"inline": 2, "*": 0.25}, "page-faults": {"*": 0},
                    "task-clock": {"*": 3.5}}}"#;
    std::fs::write(&path, text).expect("writes");
    format!("fake:{}", path.display())
}

#[test]
fn scripted_events_are_metrics_of_their_own() {
    let counters = scripted("metrics");
    let events = "cache-misses,faults,r01c4,task-clock";
    let run = ["run", "direct_call", "inline", "--counters", &counters];
    let (code, document) = json(&[&run[..], &["-e", events, "--time", "1"]].concat());
    assert_eq!(code, 0);
    let rows = rows(&document);
    let metrics = |at: usize| rows[at].1["metrics"].as_object().expect("an object");
    let names: Vec<&String> = metrics(0).keys().skip(7).collect();
    assert_eq!(
        names,
        ["cache-misses", "page-faults", "r01c4", "task-clock"]
    );
    for (at, event, wanted, unit) in [
        (0, "cache-misses", 0.25, "count"),
        (1, "cache-misses", 2.0, "count"),
        (0, "page-faults", 0.0, "count"),
        (0, "task-clock", 3.5, "ns"),
    ] {
        // What the script says that entering takes is taken off.
        assert_eq!(value(rows[at].1, event), wanted, "{event}");
        let metric = &metrics(at)[event];
        assert_eq!(metric["basis"], "measured", "{event}");
        assert_eq!(metric["source"], "fake", "{event}");
        assert_eq!(metric["unit"], unit, "{event}");
    }
    let absent = &metrics(0)["r01c4"];
    assert!(absent["value"].is_null());
    assert_eq!(absent["basis"], "unsupported");
    assert_eq!(absent["why"], "the script has no such event; add it");
    let sources = document["provenance"]["sources"]
        .as_array()
        .expect("a list");
    let mut sources = sources
        .iter()
        .filter(|line| line["event"] == "cache-misses");
    assert_eq!(sources.next().expect("a source")["source"], "fake");
}

#[test]
fn raw_samples_hold_what_their_values_are_made_of() {
    let counters = scripted("samples");
    let run = [
        "run",
        "inline",
        "--counters",
        &counters,
        "--samples",
        "--time",
        "1",
    ];
    let (_, document) = json(&[&run[..], &["-e", "cache-misses"]].concat());
    let (_, row) = rows(&document)[0];
    let samples = &row["samples"];
    let [event] = &samples["further"].as_array().expect("a list")[..] else {
        panic!("{samples:#}")
    };
    assert_eq!(event["name"], "cache-misses");
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let (overhead, iterations) = (&event["overhead"], &samples["iterations_per_chunk"]);
    let chunks = event["chunks"].as_array().expect("a list");
    assert!(!chunks.is_empty());
    for chunk in chunks {
        let of_one = (number(&chunk["count"]) - number(overhead)) / number(iterations);
        assert_eq!(of_one, value(row, "cache-misses"));
    }
}

#[test]
fn they_stand_under_their_row_and_in_every_export() {
    let counters = scripted("text");
    let place = folder("further");
    let (csv, markdown) = (place.join("report.csv"), place.join("report.md"));
    let run = dispatchlab(&[
        "run",
        "direct_call",
        "inline",
        "--counters",
        &counters,
        "-e",
        "cache-misses,r01c4,task-clock",
        "--time",
        "1",
        "--export-csv",
        csv.to_str().expect("UTF-8"),
        "--export-markdown",
        markdown.to_str().expect("UTF-8"),
    ]);
    let under = |row: &str| {
        let lines = run.stdout.lines().skip_while(|line| !line.starts_with(row));
        lines.skip(1).take(2).collect::<Vec<_>>()
    };
    let measured = "  measured [fake]: cache-misses 0.250, task-clock 3.500 ns";
    assert_eq!(
        under("direct_call "),
        [measured, "  unsupported: r01c4 –¹"],
        "{}",
        run.stdout
    );
    assert!(
        under("inline ")[0].contains("cache-misses 2.000"),
        "{}",
        run.stdout
    );
    let remark = "\n¹ the script has no such event; add it\n";
    assert!(run.stdout.contains(remark), "{}", run.stdout);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80));
    let csv = std::fs::read_to_string(csv).expect("written");
    let is_it =
        |line: &&str| line.starts_with("direct_call,") && line.contains(",task-clock,3.5,3.5,3.5,");
    let line = csv.lines().find(is_it).expect("a line");
    assert!(line.contains(",ns,measured,fake,"), "{line}");
    let markdown = std::fs::read_to_string(markdown).expect("written");
    assert!(
        markdown.contains("cache-misses 0.250, task-clock 3.500 ns"),
        "{markdown}"
    );
}

#[test]
fn events_of_the_kernel_are_counted_on_any_machine() {
    let run = ["run", "direct_call", "--time", "8"];
    let events = ["-e", "page-faults,task-clock", "-e", "cs,faults"];
    let (code, document) = json(&[run, events].concat());
    assert_eq!(code, 0, "{document:#}");
    let row = rows(&document)[0].1;
    let metric = |name: &str| &row["metrics"][name];
    for name in ["page-faults", "task-clock"] {
        assert_eq!(metric(name)["basis"], "measured", "{row:#}");
        assert_eq!(metric(name)["source"], "kernel", "{row:#}");
    }
    // Its memory is all there when it is timed.
    assert!(value(row, "page-faults") < 0.1, "{row:#}");
    // Both are times of the same loop; the clock's is a lower quartile, the kernel's a mean.
    let ratio = value(row, "task-clock") / value(row, "ns");
    assert!((0.5..20.0).contains(&ratio), "{ratio} {row:#}");
    let switches = metric("context-switches");
    let is_refused = |why: &str| why.starts_with("not allowed");
    assert!(
        switches["value"].is_number() || switches["why"].as_str().is_some_and(is_refused),
        "{switches:#}"
    );
    let sources = document["provenance"]["sources"]
        .as_array()
        .expect("a list");
    let mut sources = sources.iter().filter(|line| line["event"] == "task-clock");
    let why = sources.next().expect("a source")["why"].as_str();
    let why = why.expect("words");
    assert!(
        why.contains("read with read(), for the kernel lets no program"),
        "{why}"
    );
}

#[test]
fn rows_that_take_turns_and_points_of_a_sweep_have_them_too() {
    let more = ["-e", "task-clock", "--time", "1", "--placements", "1"];
    for command in [
        &["compare", "inline", "direct_call"][..],
        &["sweep", "itab_call", "-P", "targets=1,8"],
    ] {
        let (code, document) = json(&[command, &more].concat());
        assert_eq!(code, 0);
        assert_eq!(rows(&document).len(), 2);
        for (name, row) in rows(&document) {
            assert!(value(row, "task-clock") > 0.0, "{name}: {row:#}");
        }
        let text = dispatchlab(&[command, &more].concat()).stdout;
        assert!(text.matches("[kernel]: task-clock ").count() >= 2, "{text}");
    }
}

#[test]
fn a_saved_job_keeps_them() {
    let path = folder("further").join("job.json");
    let path = path.to_str().expect("UTF-8");
    let first = ["run", "inline", "-e", "faults", "--time", "1"];
    let saved = dispatchlab(&[&first[..], &["--save-job", path]].concat());
    assert_eq!(saved.code, 0, "{}", saved.stderr);
    let (_, replayed) = json(&["run", "--job", path]);
    assert!(rows(&replayed)[0].1["metrics"]["page-faults"]["value"].is_number());
    let (_, other) = json(&["run", "--job", path, "-e", "task-clock"]);
    let metrics = &rows(&other)[0].1["metrics"];
    assert!(metrics.get("page-faults").is_none());
    assert!(metrics["task-clock"]["value"].is_number());
}

#[test]
fn an_event_that_the_machine_does_not_count_says_why() {
    let Err(unavailable) = pmu::probe().swap_remove(0).1 else {
        println!("skipped: this machine has a PMU");
        return;
    };
    let (code, document) = json(&["run", "inline", "-e", "cache-misses,r01c4,dummy", "--quick"]);
    assert_eq!(code, 0);
    let metrics = &rows(&document)[0].1["metrics"];
    for event in ["cache-misses", "r01c4"] {
        assert!(metrics[event]["value"].is_null());
        assert_eq!(metrics[event]["basis"], "unsupported");
        let why = metrics[event]["why"].as_str().expect("words");
        assert_eq!(why, unavailable.to_string(), "{event}");
    }
    let why = metrics["dummy"]["why"].as_str().expect("words");
    assert!(why.contains("no x86-64 machine"), "{why}");
}

#[test]
fn a_word_that_is_no_event_ends_it_before_anything_is_measured() {
    // Were it run, this would end with 4.
    let crash = template(&folder("further"), "crash", "body:\n ud2\n");
    for (event, words) in [
        ("cache-mises", "did you mean cache-misses?"),
        ("nonsense", "L1-dcache, L1-icache, LLC"),
        ("cycles", "every report has it"),
        ("faults:k", "counted in user mode"),
    ] {
        let run = dispatchlab(&["run", &crash, "-e", event]);
        assert_eq!((run.code, &run.stdout[..]), (2, ""), "{}", run.stderr);
        assert!(run.said().contains(words), "{}", run.stderr);
    }
}

#[test]
fn where_nothing_is_timed_none_is_counted() {
    let run = ["run", "inline", "-e", "faults", "--counters", "none"];
    let (code, document) = json(&run);
    assert_eq!(code, 0);
    let faults = &rows(&document)[0].1["metrics"]["page-faults"];
    assert!(faults["value"].is_null(), "{faults:#}");
    assert_eq!(faults["why"], "not timed: --counters none; leave that out");
}
