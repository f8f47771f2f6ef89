//! `--overlay DIR`: files that stand over the shipped ones for one run, and what they change.

use std::path::{Path, PathBuf};

use crate::common::{dispatchlab, fresh, rows, value};
use serde_json::Value;

const ROWS: [&str; 3] = ["wrapper_call", "itab_wrapper[go=1.10]", "itab_call"];

/// A folder in which Go's frames end with one instruction more.
fn overlay(name: &str) -> PathBuf {
    let place = fresh(name);
    let shipped = std::fs::read_to_string("asm_templates/go/frames.asm").expect("the shipped text");
    put(
        &place,
        "go/frames.asm",
        &shipped.replace("        ret\n", "        nop\n        ret\n"),
    );
    place
}

fn put(place: &Path, name: &str, text: &str) {
    let path = place.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn run(overlay: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let overlay = overlay.to_str().expect("UTF-8");
    let all = [
        &["run"],
        arguments,
        &["--quick", "--overlay", overlay, "--json"],
    ]
    .concat();
    let run = dispatchlab(&all);
    let document = serde_json::from_str(&run.stdout).unwrap_or_default();
    (run.code, document, run.said())
}

#[test]
fn one_edit_of_a_shared_text_reaches_every_row_that_uses_it_and_no_other() {
    let place = overlay("one");
    let (code, over, _) = run(&place, &[&ROWS[..], &["--counters", "none"]].concat());
    assert_eq!(code, 0, "{over:#}");
    let empty = fresh("empty");
    let (_, under, _) = run(&empty, &[&ROWS[..], &["--counters", "none"]].concat());
    let counts = |document: &Value| -> Vec<f64> {
        let rows = rows(document);
        rows.iter()
            .map(|(_, row)| value(row, "instructions"))
            .collect()
    };
    let (with, without) = (counts(&over), counts(&under));
    let more: Vec<f64> = with
        .iter()
        .zip(&without)
        .map(|(with, without)| with - without)
        .collect();
    assert_eq!(more, [1.0, 1.0, 0.0], "{with:?} {without:?}");
    let files = &over["overlay"]["files"];
    assert_eq!(
        files,
        &serde_json::json!([{ "file": "go/frames.asm", "rows": 2 }])
    );
    assert_eq!(under["overlay"]["files"], serde_json::json!([]));
}

#[test]
fn every_report_says_what_took_part() {
    let place = overlay("said");
    put(
        &place,
        "suites/mine.toml",
        "rows = [\"wrapper_call\", \"mine\"]\n",
    );
    put(
        &place,
        "mine.asm",
        ";! result = \"eax\"\n;! expect = 1\nbody:\n mov eax, 1\n",
    );
    let overlay = place.to_str().expect("UTF-8");
    let file = place.join("out.md");
    let run = dispatchlab(&[
        "run",
        "mine",
        "--quick",
        "--placements",
        "1",
        "--counters",
        "none",
        "--overlay",
        overlay,
        "--export-markdown",
        file.to_str().expect("UTF-8"),
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let markdown = std::fs::read_to_string(file).expect("it was written");
    for text in [
        crate::common::unfolded(&run.stdout),
        markdown.replace('\\', ""),
    ] {
        assert!(
            text.contains("go/frames.asm in 1 row, mine.asm in 1 row"),
            "{text}"
        );
    }
    let said = run.said();
    assert!(
        said.contains("over nothing of its name: mine.asm, suites/mine.toml"),
        "{said}"
    );
    let none = dispatchlab(&[
        "run",
        "inline",
        "--quick",
        "--counters",
        "none",
        "--overlay",
        overlay,
    ]);
    assert!(
        none.stdout.contains("no row is made of a file of it"),
        "{}",
        none.stdout
    );
    let missing = dispatchlab(&["run", "inline", "--overlay", "/nowhere"]);
    assert!(
        missing.code == 2 && missing.said().contains("/nowhere"),
        "{}",
        missing.stderr
    );
}

#[test]
fn before_and_after_are_held_against_each_other_and_the_same_is_not_measured() {
    let place = overlay("compared");
    let (code, document, _) = run(
        &place,
        &[&ROWS[..], &["--compare", "--counters", "clock"]].concat(),
    );
    assert_eq!(code, 0, "{document:#}");
    let effect = &document["overlay"]["effect"];
    assert_eq!(effect["same"], serde_json::json!(["itab_call"]));
    let changed = effect["changed"].as_array().expect("rows");
    let names: Vec<&str> = changed
        .iter()
        .filter_map(|one| one["scenario"].as_str())
        .collect();
    assert_eq!(names, &ROWS[..2]);
    let ratios: Vec<f64> = changed
        .iter()
        .filter_map(|one| one["ratio"].as_f64())
        .collect();
    for one in changed {
        let counts = one["instructions"].as_array().expect("counted");
        assert_eq!(
            counts[1].as_f64().expect("with") - counts[0].as_f64().expect("without"),
            1.0
        );
        assert!(
            one["ratio"].is_number() || one["why"].is_string(),
            "{one:#}"
        );
    }
    assert_eq!(effect["ratios"], ratios.len());
    if !ratios.is_empty() {
        let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
        let close = |key: &str, count: usize| {
            let mean = effect[key].as_f64().expect("a mean");
            assert!(
                (mean - (sum / count as f64).exp()).abs() < 1e-6,
                "{effect:#}"
            );
        };
        close("mean", ratios.len());
        close("mean_of_all", ratios.len() + 1);
    }
    assert_eq!(
        document["rows"].as_array().map(Vec::len),
        Some(4),
        "two of each that changed"
    );
}

#[test]
fn an_overlay_of_other_words_changes_nothing_and_takes_no_time() {
    let place = fresh("words");
    let shipped = std::fs::read_to_string("asm_templates/go/frames.asm").expect("the shipped text");
    put(
        &place,
        "go/frames.asm",
        &format!("; another remark\n{shipped}"),
    );
    let overlay = place.to_str().expect("UTF-8");
    let run = dispatchlab(&["run", "tour", "--compare", "--overlay", overlay]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said = crate::common::unfolded(&run.stdout);
    assert!(
        said.contains("Nothing changed: all") && said.contains("none was measured"),
        "{said}"
    );
}

#[test]
fn what_goes_wrong_with_the_overlay_is_a_row_and_the_others_are_compared() {
    let place = overlay("wrong");
    put(&place, "itab_call.asm", "body:\n mvo eax, 1\n");
    let (code, document, _) = run(
        &place,
        &[&ROWS[1..], &["--compare", "--counters", "none"]].concat(),
    );
    assert_eq!(code, 3, "{document:#}");
    let changed = document["overlay"]["effect"]["changed"]
        .as_array()
        .expect("rows");
    let why = changed
        .iter()
        .map(|one| one["why"].as_str().unwrap_or_default());
    assert!(
        why.clone()
            .any(|why| why.contains("itab_call with the overlay is error")),
        "{document:#}"
    );
}

#[test]
fn a_comparison_wants_an_overlay_and_a_job_wants_none() {
    let place = overlay("usage");
    let overlay = place.to_str().expect("UTF-8");
    for (arguments, message) in [
        (
            &["run", "inline", "--compare"][..],
            "name its folder with --overlay DIR",
        ),
        (
            &["run", "--job", "none.json", "--overlay", overlay][..],
            "leave -p, --templates and --overlay out",
        ),
        (
            &[
                "run",
                "--compare",
                "--job",
                "none.json",
                "--overlay",
                overlay,
            ][..],
            "leave --job and --save-job out",
        ),
    ] {
        let run = dispatchlab(arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.said().contains(message), "{}", run.stderr);
    }
}
