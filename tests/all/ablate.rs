//! `ablate`, on scripted cycles: what is subtracted from what, and what becomes of results.

use std::fs;
use std::path::PathBuf;

use crate::common::{dispatchlab, folder, json, rows, template, unfolded};
use serde_json::Value;

const TEXT: &str = ";! clobbers = \"all\"\n;! result = \"eax\"\n;! expect = 7\nbody:\n mov ecx, 3\n\
    ;! part check\n test ecx, ecx\n je out\n;! end\n mov eax, 6\n\
    ;! part result\n add eax, 1\n;! end\n\
    ;! part crash\n jmp out\n;! end\n ud2\nout:\n";

struct Field {
    folder: PathBuf,
    file: String,
    counters: String,
}

impl Field {
    fn new(name: &str, without_check: f64) -> Field {
        let folder = folder(name);
        let file = template(&folder, "whole", TEXT);
        let row = |rest: &str| format!("{}/whole{rest}", folder.display());
        let all = |cycles: f64| serde_json::json!([cycles, cycles, cycles, cycles, 1.0]);
        let script = serde_json::json!({"tsc_hz": 2e9, "cycles_per_tick": 1.5, "cycles": {
            row(""): all(10.0),
            row(" without check"): all(without_check),
            row(" without result"): all(10.0),
        }});
        let path = folder.join("script.json");
        fs::write(&path, script.to_string()).expect("writes");
        let counters = format!("fake:{}", path.display());
        Field {
            folder,
            file,
            counters,
        }
    }

    fn arguments(&self) -> Vec<String> {
        [
            "ablate",
            &self.file,
            "--counters",
            &self.counters,
            "--time",
            "1",
        ]
        .map(String::from)
        .to_vec()
    }
}

fn part<'a>(document: &'a Value, name: &str) -> &'a Value {
    let parts = document["ablation"]["parts"].as_array().expect("parts");
    parts
        .iter()
        .find(|part| part["part"] == name)
        .expect("the part")
}

#[test]
fn a_part_costs_what_its_absence_saves() {
    let field = Field::new("ablate_cost", 8.0);
    let (code, document) = json(&field.arguments());
    assert_eq!(code, 4, "one part cannot be left out");
    let check = part(&document, "check");
    let number = |field: &str| check[field].as_f64().expect(field);
    assert!((number("cycles") - 2.0).abs() < 0.01, "{check}");
    assert!(number("low") <= number("cycles") && number("cycles") <= number("high"));
    assert_eq!(check["verdict"], "faster");
    assert_eq!(
        (&check["instructions"], &check["branches"]),
        (&2.0.into(), &1.0.into())
    );
    assert_eq!(check["bytes"], 4);
    assert_eq!(check["verified"], true);
}

#[test]
fn where_a_part_makes_the_result_it_is_measured_and_not_verified() {
    let field = Field::new("ablate_result", 8.0);
    let (_, document) = json(&field.arguments());
    let result = part(&document, "result");
    assert_eq!(
        (&result["verified"], &result["verdict"]),
        (&false.into(), &"same".into())
    );
    let row = &rows(&document)[2];
    assert!(row.0.ends_with("whole without result"), "{}", row.0);
    assert_eq!(row.1["status"], "ok");
    let warned = row.1["warnings"].to_string();
    assert!(
        warned.contains("without this part the results are others"),
        "{warned}"
    );
}

#[test]
fn a_part_that_cannot_be_left_out_says_why_and_the_others_have_numbers() {
    let field = Field::new("ablate_crash", 8.0);
    let (_, document) = json(&field.arguments());
    let crash = part(&document, "crash");
    assert!(
        crash["cycles"].is_null() && crash["verdict"].is_null(),
        "{crash}"
    );
    assert_eq!(crash["basis"], "unsupported");
    let row = rows(&document)[3].1;
    assert_eq!(
        (&row["status"], &row["fault"]["line"]),
        (&"fault".into(), &17.into())
    );
    let run = dispatchlab(&field.arguments());
    assert!(unfolded(&run.stdout).contains("SIGILL"), "{}", run.stdout);
    assert!(
        unfolded(&run.stdout).contains("no number"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_template_without_parts_is_told_how_to_mark_them() {
    let field = Field::new("ablate_none", 8.0);
    let bare = template(&field.folder, "bare", "body:\n nop\n");
    let run = dispatchlab(&["ablate", &bare]);
    assert_eq!(run.code, 2);
    assert!(run.said().contains(";! part NAME"), "{}", run.stderr);
}

#[test]
fn a_shipped_templates_parts_have_costs_on_this_machine() {
    let (code, document) = json(&[
        "ablate",
        "wrapper_call[method=called]",
        "--quick",
        "--counters",
        "clock",
    ]);
    assert_eq!(code, 0, "{document:#}");
    for name in ["stack-check", "frame-pointer", "nil-check", "copy"] {
        let part = part(&document, name);
        // Beside a busy neighbour too few turns may be left.
        let is_told = part["cycles"].is_number() || part["verdict"] == "undecided";
        assert!(is_told, "{part}");
        assert!(part["instructions"].as_f64() >= Some(1.0), "{part}");
    }
}
