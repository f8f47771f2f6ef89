//! What of a run is kept for others: the code of its rows, how often each instruction ran, and what tells a job from
//! another.

use serde_json::Value;

use crate::common::dispatchlab;

fn document(line: &str) -> Value {
    let run = dispatchlab(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{line}: {}", run.stderr);
    serde_json::from_str(&run.stdout).expect("JSON")
}

fn rows(document: &Value) -> &Vec<Value> {
    document["rows"].as_array().expect("rows")
}

/// The instructions of a row's listing, each with how often an iteration ran it.
fn listed(row: &Value) -> impl Iterator<Item = (&Value, f64)> {
    let functions = row["listing"]["functions"].as_array().into_iter().flatten();
    let all = functions.flat_map(|one| one["instructions"].as_array().into_iter().flatten());
    all.map(|one| (one, one["executions"].as_f64().expect("a number")))
}

#[test]
fn executions_of_all_instructions_are_the_instructions_of_an_iteration() {
    const NAMES: &str = "inline direct_call itab_call[order=random,targets=8] type_switch[cases=8] itab_wrapper \
                         direct_call[walk=none] itab_call[walk=none] convert_scalar escape";
    let document = document(&format!("run {NAMES} --quick --json"));
    for row in rows(&document) {
        let name = &row["scenario"];
        let counted = &row["metrics"]["instructions"];
        assert_eq!(counted["basis"], "exact", "{name}");
        let sum: f64 = listed(row).map(|(_, times)| times).sum();
        let counted = counted["value"].as_f64().expect("a number");
        assert!((sum - counted).abs() < 1e-6, "{name}: {sum} of {counted}");
    }
}

#[test]
fn a_listing_has_every_byte_of_its_functions_and_the_lines_they_stand_in() {
    let document = document("run itab_call --quick --json");
    let row = &rows(&document)[0];
    let mut next = 0;
    for (one, _) in listed(row) {
        let offset = one["offset"].as_u64().expect("an offset");
        assert!(offset == next || offset == 0, "{one}");
        next = offset + one["bytes"].as_str().expect("bytes").len() as u64 / 2;
        assert!(one["line"].is_u64() && one["source"].is_string(), "{one}");
    }
    let call = listed(row).find(|(one, _)| {
        one["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("call"))
    });
    let (call, times) = call.expect("a call");
    assert_eq!(times, 1.0);
    assert!(
        call["source"]
            .as_str()
            .is_some_and(|text| text.contains("call")),
        "{call}"
    );
}

#[test]
fn the_same_rows_have_one_hash_and_others_another() {
    let hash = |line: &str| document(line)["provenance"]["job_sha256"].clone();
    let first = hash("run itab_call --quick --json");
    assert_eq!(first.as_str().map(str::len), Some(64));
    assert_eq!(hash("run itab_call --quick --json --time 2"), first);
    for other in [
        "run itab_call -p targets=2",
        "run itab_call --seed 2",
        "run itab_call direct_call",
    ] {
        assert_ne!(hash(&format!("{other} --quick --json")), first, "{other}");
    }
}

#[test]
fn chunks_lie_around_the_value_and_the_command_is_the_one_that_was_typed() {
    let document = document("run direct_call --quick --placements 4 --json");
    let row = &rows(&document)[0];
    let chunks = row["chunks"].as_array().expect("lists");
    assert_eq!(chunks.len(), 4);
    let first = chunks[0]
        .as_array()
        .expect("chunks")
        .iter()
        .map(|one| one.as_f64().expect("cycles"));
    let (low, high) = first.fold((f64::MAX, 0.0f64), |(low, high), one| {
        (low.min(one), high.max(one))
    });
    let value = row["metrics"]["cycles"]["value"].as_f64().expect("cycles");
    assert!(
        low <= value * 1.01 && value <= high * 1.01,
        "{low} to {high}: {value}"
    );
    assert_eq!(document["provenance"]["command"][1], "direct_call");
}
