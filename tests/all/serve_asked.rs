//! What the page of `serve` asks for beside a text's numbers: two texts in turns, a sweep point by point, a page to keep.
//!
//! Correct means: each is what the command of its name makes of the same texts, and what cannot be is refused where it is
//! wrong and costs nothing else.

use serde_json::{Value, json};

use crate::common::memory_kib;
use crate::serve::{Served, adds, place};

fn own(text: &str) -> Value {
    json!({ "name": "own", "text": text })
}

fn asked(served: &Served, path: &str, body: &Value) -> Value {
    let answered = served.post_to(path, &body.to_string());
    assert_eq!(answered.status, 200, "{path}: {answered:?}");
    answered.json()
}

#[test]
fn two_texts_are_measured_in_turns_with_their_ratio_and_its_interval() {
    let served = Served::start(place());
    let found = asked(
        &served,
        "api/compare",
        &json!({ "texts": [own(&adds(2)), own(&adds(8))] }),
    );
    let rows = found["report"]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 2);
    let of = |metric: &str| {
        let all = found["report"]["comparisons"].as_array().expect("a list");
        let mut own = all.iter().filter(|one| one["metric"] == metric);
        own.next().unwrap_or(&Value::Null).clone()
    };
    let counts = of("instructions");
    assert_eq!(
        (&counts["ratio"], &counts["basis"]),
        (&json!(4.0), &json!("exact"))
    );
    let cycles = of("cycles");
    assert_eq!(cycles["basis"], "measured", "{cycles}");
    let ratio = cycles["ratio"].as_f64().expect("a ratio");
    assert!((2.0..8.0).contains(&ratio), "{cycles}");
    assert!(cycles["low"].as_f64() <= Some(ratio) && cycles["high"].as_f64() >= Some(ratio));
}

#[test]
fn of_two_texts_each_has_what_is_wrong_with_it_and_two_that_do_not_fit_are_refused() {
    let served = Served::start(place());
    let wrong = own("body:\n muv rax, 1\n");
    let found = asked(
        &served,
        "api/compare",
        &json!({ "texts": [own(&adds(1)), wrong] }),
    );
    assert!(found["wrong"][0]["diagnostics"].is_null(), "{found}");
    assert_eq!(found["wrong"][1]["diagnostics"][0]["line"], 2, "{found}");
    assert!(found["report"].is_null(), "{found}");
    let other = own(&format!(";! clobbers = \"all\"\n{}", adds(1)));
    let found = asked(
        &served,
        "api/compare",
        &json!({ "texts": [own(&adds(1)), other] }),
    );
    let why = found["refused"].as_str().unwrap_or_default();
    assert!(why.contains("clobbers"), "{found}");
}

#[test]
fn a_sweep_goes_on_point_by_point_and_each_answer_has_all_so_far() {
    let served = Served::start(place());
    let text = own(&adds(4));
    let mut found = asked(
        &served,
        "api/sweep",
        &json!({ "text": text, "axis": "align=0..2" }),
    );
    let id = found["id"].clone();
    for done in 1..=3 {
        assert_eq!((&found["done"], &found["of"]), (&json!(done), &json!(3)));
        let report = &found["report"];
        assert_eq!(report["rows"].as_array().map(Vec::len), Some(done));
        assert_eq!(
            report["sweep"]["points"].as_array().map(Vec::len),
            Some(done)
        );
        let drawing = found["drawing"].as_str().expect("a drawing");
        let points = drawing.matches("<circle class=\"point").count();
        assert!(points >= done, "{points} at {done}");
        if done < 3 {
            // Whoever edits meanwhile has the numbers of that edit.
            asked(&served, "api/run", &own(&adds(1)));
            found = asked(&served, "api/sweep/next", &json!({ "id": id }));
        }
    }
    let over = served.post_to("api/sweep/next", &json!({ "id": id }).to_string());
    assert_eq!(over.status, 400, "{over:?}");
    let page = asked(&served, "api/page", &json!({ "report": found["report"] }));
    let page = page["page"].as_str().expect("a page");
    assert!(page.starts_with("<!doctype html>") && page.contains("Over align"));
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_runs() {
    let served = Served::start(place());
    let refused = |text: &Value, axis: &str| {
        let found = asked(&served, "api/sweep", &json!({ "text": text, "axis": axis }));
        assert!(found["id"].is_null(), "{found}");
        found
    };
    #[rustfmt::skip] // a table: one range a line
    let table = [
        ("align",        "write KEY=1,2,4"),
        ("align=4..1",   "backward"),
        ("nothing=1..4", "nothing"),
        ("align=0..64",  "at most 64 points"),
        ("align=1,x",    "align"),
    ];
    for (axis, why) in table {
        let found = refused(&own(&adds(1)), axis);
        let told = found["refused"].as_str().unwrap_or_default();
        assert!(told.contains(why), "{axis}: {found}");
    }
    let wrong = refused(&own("body:\n muv rax, 1\n"), "align=0..3");
    assert_eq!(wrong["diagnostics"][0]["line"], 2, "{wrong}");
    let found = asked(
        &served,
        "api/sweep",
        &json!({ "text": own(&adds(1)), "axis": "align=0..63" }),
    );
    assert_eq!(found["of"], 64);
}

#[test]
fn a_page_is_made_of_reports_alone() {
    let served = Served::start(place());
    let run = asked(&served, "api/run", &own(&adds(4)));
    let page = asked(&served, "api/page", &json!({ "report": run["report"] }));
    let page = page["page"].as_str().expect("a page");
    assert!(page.starts_with("<!doctype html>") && page.contains("default-src 'none'"));
    for report in [json!({}), json!({ "schema": 2 }), json!(7)] {
        let answered = served.post_to("api/page", &json!({ "report": report }).to_string());
        assert_eq!(answered.status, 400, "{report}: {answered:?}");
    }
}

#[test]
fn misses_are_inferred_for_who_asks_for_them_alone() {
    let served = Served::start(place());
    let template = include_str!("../../asm_templates/itab_call.asm");
    let misses = |wants: bool| {
        let text = json!({ "name": "itab_call", "text": template, "misses": wants });
        let found = asked(&served, "api/run", &text);
        found["report"]["rows"][0]["metrics"]["branch_misses"].clone()
    };
    let unasked = misses(false);
    assert_eq!(unasked["basis"], "unsupported", "{unasked}");
    let why = unasked["why"].as_str().unwrap_or_default();
    assert!(why.contains("Misses by site"), "{unasked}");
    let asked = misses(true);
    let sites = asked["sites"].as_array().expect("its sites");
    assert_eq!(sites[0]["label"], "site", "{asked}");
}

#[test]
fn each_request_has_one_shape_and_is_guarded_like_the_others() {
    let served = Served::start(place());
    let text = own(&adds(1));
    #[rustfmt::skip] // a table: one request a line
    let table = [
        ("api/compare", json!({ "texts": [text] })),
        ("api/compare", json!({ "texts": [text, text, text] })),
        ("api/compare", json!({ "texts": [text, text], "shell": "ls" })),
        ("api/sweep", json!({ "text": text })),
        ("api/sweep", json!({ "text": text, "axis": "align=0..3", "shell": "ls" })),
        ("api/sweep/next", json!({})),
        ("api/sweep/next", json!({ "id": -1 })),
        ("api/sweep/next", json!({ "id": 1 })),
        ("api/page", json!({})),
        ("api/page", json!({ "report": {}, "shell": "ls" })),
        ("api/run", json!({ "name": "own", "text": "", "misses": "yes" })),
    ];
    for (path, body) in table {
        let answered = served.post_to(path, &body.to_string());
        assert_eq!(answered.status, 400, "{path} {body}: {answered:?}");
    }
    for path in ["api/compare", "api/sweep", "api/sweep/next", "api/page"] {
        assert_eq!(served.status_of("GET", path, true), 405, "{path}");
        assert_eq!(served.status_of("POST", path, false), 403, "{path}");
    }
}

#[test]
fn an_hour_of_edits_leaves_neither_memory_nor_descriptors_behind() {
    let served = Served::start_with(place(), &["--quick", "--time", "1", "--placements", "1"]);
    let edit = |from: usize, to: usize| {
        for at in from..to {
            let (path, body) = match at % 50 {
                10 | 20 | 30 => ("api/run", own("body:\n muv rax, 1\n")),
                40 => (
                    "api/sweep",
                    json!({ "text": own(&adds(1)), "axis": "align=0..63" }),
                ),
                _ => ("api/run", own(&adds(1 + at % 9))),
            };
            asked(&served, path, &body);
        }
        (memory_kib(served.process()), served.descriptors())
    };
    let before = edit(0, 100);
    let after = edit(100, 1000);
    // What the allocator keeps, and not nine hundred edits.
    assert!(after.0 < before.0 + 8 * 1024, "KiB: {before:?} {after:?}");
    assert!(after.1 <= before.1 + 2, "descriptors: {before:?} {after:?}");
}
