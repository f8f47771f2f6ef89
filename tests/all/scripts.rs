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

/// Each number just inside of what can be, and just beyond.
#[test]
fn saved_numbers_that_cannot_be_are_refused_with_file_row_and_metric() {
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
    let sound = read(&path);
    let number =
        |value: f64, low: f64, high: f64| json!({ "value": value, "low": low, "high": high });
    #[rustfmt::skip] // a table: one number a line
    let all = [
        ("cycles",        number(0.0, 0.0, 0.1),      true),
        ("cycles",        number(-0.001, -0.001, 0.1), false),
        ("cycles",        number(3.0, 2.9, 3.0),      true),
        ("cycles",        number(3.0, 3.01, 3.2),     false),
        ("cycles",        number(3.0, 2.8, 2.99),     false),
        ("cycles",        json!({ "value": null }),   false),
        ("ns",            number(9e14, 9e14, 9e14),   true),
        ("ns",            number(1e18, 1e18, 1e18),   false),
        ("instructions",  number(1.0, 1.0, 1.0),      true),
        ("instructions",  number(-1.0, -1.0, -1.0),   false),
        ("branches",      number(-5.0, -5.0, -5.0),   false),
        ("alloc_bytes",   number(-8.0, -8.0, -8.0),   false),
    ];
    for (metric, change, is_sound) in all {
        let mut changed = sound.clone();
        let own = &mut changed["rows"][0]["metrics"][metric];
        for (key, value) in change.as_object().expect("fields") {
            own[key] = value.clone();
        }
        let file = folder.join("changed.json");
        std::fs::write(&file, changed.to_string()).expect("writes");
        let file = file.display().to_string();
        let run = dispatchlab(&["compare", &file, &good, "--quick", "--counters", "none"]);
        let said = run.said();
        if is_sound {
            assert!(
                !said.contains("nothing is compared with it"),
                "{metric} {change}: {said}"
            );
            continue;
        }
        assert_eq!(run.code, 2, "{metric} {change}: {said}");
        let name = &sound["rows"][0]["scenario"];
        let named = format!("{}: {metric}: ", name.as_str().expect("a name"));
        assert!(
            said.contains("changed.json") && said.contains(&named),
            "{metric} {change}: {said}"
        );
    }
    let mut changed = sound.clone();
    changed["rows"][0]["layout"]["cycles_min"] = json!(1e9);
    let file = folder.join("changed.json");
    std::fs::write(&file, changed.to_string()).expect("writes");
    let run = dispatchlab(&["compare", &file.display().to_string(), &good, "--quick"]);
    assert!(run.said().contains("layout: "), "{}", run.stderr);
}
