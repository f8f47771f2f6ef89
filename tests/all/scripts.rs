//! Numbers that nothing has measured: scripts stand in for counters in tests only, and what was saved is looked
//! at before anything is compared with it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Run, dispatchlab, folder, json, template};
use serde_json::{Value, json};

const SCRIPT: &str = r#"{"tsc_hz": 3e9, "cycles_per_tick": 1, "cycles": {"*": [1.0, 1.0, 1.0]}}"#;
const GOOD: &str = ";! heap = \"pointer\"\n;! params = { order = \"cyclic\", objects = 4 }\n;! result = \"eax\"\n;! expect = \"id\"\n;! clobbers = \"all\"\nbody: mov eax, [rax]\n";

/// The program as a user has it.
fn unscripted(arguments: &[&str], home: &Path) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(arguments)
        .env("XDG_STATE_HOME", home)
        .env_remove("DISPATCHLAB_SCRIPTED")
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_script_is_no_source_of_numbers_outside_of_tests() {
    let folder = folder("scripts");
    let good = template(&folder, "good", GOOD);
    let script = folder.join("script.json");
    std::fs::write(&script, SCRIPT).expect("writes");
    let named = format!("fake:{}", script.display());
    let run = unscripted(&["run", &good, "--counters", &named], &folder);
    assert_eq!(run.code, 2);
    assert!(
        run.said().contains("auto, pmu, clock or none"),
        "{}",
        run.stderr
    );
    let (code, report) = json(&["run", &good, "--counters", &named, "--quick"]);
    assert_eq!(code, 0);
    let warning = report["warnings"][0].as_str().expect("a warning");
    assert!(warning.starts_with("scripted: no time"), "{warning}");
}

#[test]
fn a_job_whose_counters_are_a_script_is_refused_unless_others_are_named() {
    let folder = folder("scripted_job");
    let good = template(&folder, "good", GOOD);
    let path = folder.join("job.json");
    let job = path.display().to_string();
    assert_eq!(
        dispatchlab(&["run", &good, "--quick", "--save-job", &job]).code,
        0
    );
    let mut saved = read(&path);
    let script: Value = serde_json::from_str(SCRIPT).expect("JSON");
    saved["plan"]["counters"] = json!({ "fake": script });
    std::fs::write(&path, saved.to_string()).expect("writes");
    let refused = unscripted(&["run", "--job", &job], &folder);
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""));
    assert!(
        refused
            .said()
            .contains("plan.counters: a script stands there"),
        "{}",
        refused.stderr
    );
    let clocked = unscripted(
        &["run", "--job", &job, "--counters", "clock", "--json"],
        &folder,
    );
    assert_eq!(clocked.code, 0, "{}", clocked.stderr);
    let report: Value = serde_json::from_str(&clocked.stdout).expect("JSON");
    assert_eq!(report["rows"][0]["metrics"]["cycles"]["source"], "clock");
}

#[test]
fn a_saved_report_of_a_script_is_not_compared_with() {
    let folder = folder("scripted_report");
    let good = template(&folder, "good", GOOD);
    let script = folder.join("script.json");
    std::fs::write(&script, SCRIPT).expect("writes");
    let named = format!("fake:{}", script.display());
    let report = folder.join("report.json").display().to_string();
    assert_eq!(
        dispatchlab(&[
            "run",
            &good,
            "--quick",
            "--counters",
            &named,
            "--export-json",
            &report
        ])
        .code,
        0
    );
    let refused = unscripted(&["compare", &report, &good, "--quick"], &folder);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .said()
            .contains("those of a script and none was measured"),
        "{}",
        refused.stderr
    );
}

fn number(value: f64, basis: &str, source: &str) -> Value {
    json!({ "value": value, "low": value, "high": value, "basis": basis, "source": source })
}

/// A report of one row whose numbers are known.
fn known(sound: &Value) -> Value {
    let mut known = sound.clone();
    let row = &mut known["rows"][0];
    row["iterations"] = json!(1000);
    row["modes"] = json!([]);
    row["layout"] =
        json!({ "placements": 2, "cycles_min": 3.0, "cycles_median": 3.25, "cycles_max": 3.5 });
    let metrics = &mut row["metrics"];
    metrics["ns"] = number(1.0, "measured", "clock");
    metrics["cycles"] = number(3.0, "measured", "clock");
    metrics["instructions"] = number(2.0, "exact", "interpreter");
    metrics["branches"] = number(1.0, "exact", "interpreter");
    metrics["branch_misses"] = number(0.5, "inferred", "injection");
    metrics["branch_misses"]["sites"] = json!([
        { "label": "site", "line": 9, "executions": 0.75, "value": 0.5, "low": 0.4, "high": 0.6, "comparisons": 1 },
    ]);
    known
}

/// Each number just inside of what can be, and just beyond, alone and beside the others.
#[test]
fn saved_numbers_that_cannot_be_are_refused_with_file_row_and_field() {
    let folder = folder("impossible");
    let good = template(&folder, "good", GOOD);
    let path = folder.join("report.json");
    let report = path.display().to_string();
    let run = dispatchlab(&[
        "run",
        &good,
        "--quick",
        "--counters",
        "clock",
        "--export-json",
        &report,
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let sound = known(&read(&path));
    let name = sound["rows"][0]["scenario"].as_str().expect("a name");
    #[rustfmt::skip] // a table: one change a line
    let all: Vec<(&str, Value, Option<&str>)> = vec![
        ("metrics/cycles",             json!({"value": 3.0, "low": 2.9, "high": 3.0}),   None),
        ("metrics/cycles",             json!({"low": 3.01, "high": 3.2}),                Some("cycles")),
        ("metrics/cycles",             json!({"low": 2.8, "high": 2.99}),                Some("cycles")),
        ("metrics/cycles",             json!({"value": null}),                           Some("cycles")),
        ("metrics/cycles",             json!({"value": 0.0, "low": 0.0}),                Some("cycles")),
        ("metrics/cycles",             json!({"value": -0.001, "low": -0.001}),          Some("cycles")),
        ("metrics/cycles",             json!({"basis": "unsupported"}),                  Some("cycles")),
        ("metrics/cycles",             json!({"basis": "exact"}),                        Some("cycles")),
        ("metrics/cycles",             json!({"source": "a guess"}),                     Some("cycles")),
        ("metrics/cycles",             json!({"source": "pmu"}),                         None),
        ("metrics/ns",                 json!({"value": 0.0, "low": 0.0}),                Some("ns")),
        ("metrics/ns",                 json!({"value": 1e18, "high": 1e18}),             Some("ns")),
        ("metrics/ns",                 json!({"value": 2999.0, "high": 3000.0}),         None),
        ("metrics/ns",                 json!({"value": 3001.0, "high": 3010.0}),         Some("ns")),
        ("metrics/instructions",       json!({"value": -1.0, "low": -1.0}),              Some("instructions")),
        ("metrics/branches",           json!({"value": 2.0, "low": 2.0, "high": 2.0}),   None),
        ("metrics/branches",           json!({"value": 2.1, "low": 2.1, "high": 2.1}),   Some("branches")),
        ("metrics/branches",           json!({"value": 2.03, "high": 2.1, "basis": "measured", "source": "pmu"}), None),
        ("metrics/branches",           json!({"value": 2.1, "high": 2.1, "basis": "measured", "source": "pmu"}),  Some("branches")),
        ("metrics/branch_misses",      json!({"value": 1.0, "high": 1.0}),               None),
        ("metrics/branch_misses",      json!({"value": 1.1, "high": 1.1}),               Some("branch_misses")),
        ("metrics/branch_misses",      json!({"value": 1.3, "high": 1.3, "sites": []}),  None),
        ("metrics/branch_misses",      json!({"value": 1.4, "high": 1.4, "sites": []}),  Some("branch_misses")),
        ("metrics/branch_misses",      json!({"value": 3.3, "high": 3.3, "sites": [], "basis": "measured", "source": "pmu"}), None),
        ("metrics/branch_misses",      json!({"value": 3.4, "high": 3.4, "sites": [], "basis": "measured", "source": "pmu"}), Some("branch_misses")),
        ("metrics/branch_misses/sites/0", json!({"value": 1.0}),                         None),
        ("metrics/branch_misses/sites/0", json!({"value": 1.1}),                         Some("branch_misses")),
        ("metrics/branch_misses/sites/0", json!({"executions": null}),                   None),
        ("metrics/alloc_bytes",        json!({"value": -8.0, "low": -8.0}),              Some("alloc_bytes")),
        ("layout",                     json!({"cycles_min": 1e9}),                       Some("layout")),
        ("layout",                     json!({"cycles_min": 3.001}),                     Some("layout")),
        ("layout",                     json!({"cycles_min": 2.0, "cycles_median": 2.5, "cycles_max": 2.999}), Some("layout")),
        ("layout",                     json!({"cycles_min": 2.0, "cycles_median": 2.5, "cycles_max": 3.0}),   None),
        ("",                           json!({"iterations": 0}),                         Some("iterations")),
        ("",                           json!({"iterations": 1}),                         None),
        ("",                           json!({"status": "fault"}),                       Some("status")),
        ("",                           json!({"status": "panic"}),                       None),
        ("",                           json!({"metrics": null}),                         Some("metrics")),
        ("",                           json!({"modes": [{"cycles": 3.0, "share": 0.4}, {"cycles": 4.0, "share": 0.6}]}),  None),
        ("",                           json!({"modes": [{"cycles": 3.0, "share": 0.4}, {"cycles": 4.0, "share": 0.7}]}),  Some("modes")),
        ("",                           json!({"modes": [{"cycles": 3.0, "share": -0.4}, {"cycles": 4.0, "share": 0.6}]}), Some("modes")),
        ("",                           json!({"modes": [{"cycles": -3.0, "share": 0.4}, {"cycles": 4.0, "share": 0.6}]}), Some("modes")),
        ("layout",                     json!({"placements": 0}),                         Some("layout")),
        ("metrics/ns",                 json!({"low": -0.1}),                             Some("ns")),
        ("metrics/ns",                 json!({"low": 0.0}),                              None),
        ("metrics/instructions",       json!({"stepped": 0}),                            Some("instructions")),
        ("metrics/instructions",       json!({"stepped": 1}),                            None),
        ("",                           json!({"dropped_samples": 1_000_000_000}),         Some("dropped_samples")),
        ("disturbances",               json!({"steal_ms": -1.0}),                        Some("disturbances")),
        ("metrics/instructions",       json!({"low": 2.0, "high": 2.0}),                 None),
        ("metrics/instructions",       json!({"low": 1.0, "high": 9.0}),                 Some("instructions")),
        ("metrics/branch_misses/sites/0", json!({"high": 1.0}),                          None),
        ("metrics/branch_misses/sites/0", json!({"high": 50.0}),                         Some("branch_misses")),
        ("metrics/branch_misses",      json!({"high": 1.0}),                             None),
        ("metrics/branch_misses",      json!({"high": 50.0}),                            Some("branch_misses")),
        ("metrics",                    json!({"branches": number(0.0, "exact", "step"), "branch_misses": number(0.0, "inferred", "injection")}),    None),
        ("metrics",                    json!({"branches": number(0.0, "exact", "step"), "branch_misses": number(-0.015, "inferred", "injection")}), Some("branch_misses")),
        ("metrics",                    json!({"allocs": number(0.0, "exact", "allocator"), "alloc_bytes": number(0.0, "exact", "allocator")}),      None),
        ("metrics",                    json!({"allocs": number(0.0, "exact", "allocator"), "alloc_bytes": number(24.0, "exact", "allocator")}),     Some("alloc_bytes")),
        ("",                           json!({"ratio": 0.5}),                            None),
        ("",                           json!({"ratio": -7.0}),                           Some("ratio")),
        ("",                           json!({"ratio": 0.0}),                            Some("ratio")),
        ("",                           json!({"around": {"instructions": 2.0, "branches": 1.0}}),  None),
        ("",                           json!({"around": {"instructions": -2.0, "branches": 1.0}}), Some("around")),
        ("",                           json!({"around": {"instructions": 2.0, "branches": -1.0}}), Some("around")),
        ("disturbances",               json!({"suspected": 1_000_000_000}),              Some("disturbances")),
        ("disturbances",               json!({"shared_core": 0}),                        None),
        ("/provenance",                json!({"tsc_hz": -3e9}),                          Some("tsc_hz")),
        ("/provenance",                json!({"core_hz": 0.0}),                          Some("core_hz")),
        ("/provenance",                json!({"core_hz_spread": -0.1}),                  Some("core_hz_spread")),
        ("/provenance",                json!({"core_hz_spread": 0.0}),                   None),
    ];
    let file = folder.join("changed.json");
    for (place, change, field) in all {
        let mut changed = sound.clone();
        let pointer = match place {
            "" => "/rows/0".to_string(),
            _ if place.starts_with('/') => place.to_string(),
            _ => format!("/rows/0/{place}"),
        };
        let own = changed.pointer_mut(&pointer).expect("it is there");
        for (key, value) in change.as_object().expect("fields") {
            own[key] = value.clone();
        }
        std::fs::write(&file, changed.to_string()).expect("writes");
        let file = file.display().to_string();
        let run = dispatchlab(&["compare", &file, &good, "--quick", "--counters", "none"]);
        let said = run.said();
        let Some(field) = field else {
            let refused = said.contains("nothing is compared with it");
            assert!(!refused, "{place} {change}: {said}");
            continue;
        };
        assert_eq!(run.code, 2, "{place} {change}: {said}");
        let row = if pointer == place { "provenance" } else { name };
        let is_named = said.contains(&format!("{row}: {field}: "));
        let is_whole = said.contains("changed.json") && said.contains("measure it again");
        assert!(is_named && is_whole, "{place} {change}: {said}");
    }
}

#[test]
fn a_saved_report_has_each_row_once() {
    let folder = folder("twice");
    let good = template(&folder, "good", GOOD);
    let path = folder.join("report.json");
    let file = path.display().to_string();
    let run = dispatchlab(&["run", &good, "--counters", "none", "--export-json", &file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut report = read(&path);
    let row = report["rows"][0].clone();
    report["rows"].as_array_mut().expect("rows").push(row);
    std::fs::write(&path, report.to_string()).expect("writes");
    let run = dispatchlab(&["compare", &file, &good, "--counters", "none"]);
    assert_eq!(run.code, 2, "{}", run.said());
    let said = run.said();
    assert!(said.contains("two rows of this name"), "{said}");
}

#[test]
fn a_saved_number_of_a_script_is_not_compared_with_wherever_it_stands() {
    let folder = folder("scripted_number");
    let good = template(&folder, "good", GOOD);
    let path = folder.join("report.json");
    let report = path.display().to_string();
    let run = ["run", &good, "--quick", "--export-json", &report];
    assert_eq!(dispatchlab(&run).code, 0);
    let mut changed = known(&read(&path));
    changed["rows"][0]["metrics"]["ns"]["source"] = json!("fake");
    std::fs::write(&path, changed.to_string()).expect("writes");
    let refused = unscripted(&["compare", &report, &good, "--quick"], &folder);
    assert_eq!(refused.code, 2);
    assert!(
        refused.said().contains("those of a script"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_word_of_a_job_that_means_nothing_is_refused() {
    let folder = folder("unknown_word");
    let good = template(&folder, "good", GOOD);
    let path = folder.join("job.json");
    let job = path.display().to_string();
    let run = ["run", &good, "--quick", "--save-job", &job];
    assert_eq!(dispatchlab(&run).code, 0);
    let sound = read(&path);
    for place in ["/plan", "", "/rows/0", "/templates/0"] {
        let mut saved = sound.clone();
        saved.pointer_mut(place).expect("it is there")["placments"] = json!([]);
        std::fs::write(&path, saved.to_string()).expect("writes");
        let refused = dispatchlab(&["run", "--job", &job]);
        assert_eq!((refused.code, refused.stdout.as_str()), (3, ""), "{place}");
        assert!(
            refused.said().contains("unknown field `placments`"),
            "{place}: {}",
            refused.stderr
        );
    }
}
