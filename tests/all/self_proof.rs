//! What `doctor` finds wrong is remembered, and said above later results until it is well again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{Run, folder};
use serde_json::Value;

/// Scripted readings under which every check of `doctor` passes, but for what the adds cost.
fn script(place: &Path, add: f64) -> String {
    let text = format!(
        r#"{{"tsc_hz": 2.0e9, "cycles_per_tick": 1.5, "cycles": {{"add": [{add}, {add}, {add}, {add}, 1.0],
        "imul": [3.0, 3.0, 3.0, 3.0, 1.0], "load": [4.0, 4.0, 4.0, 4.0, 1.0], "*": [1.0, 1.0, 1.0, 1.0, 1.0]}}}}"#
    );
    let path = place.join(format!("add-{add}.json"));
    std::fs::write(&path, text).expect("writes");
    format!("fake:{}", path.display())
}

/// A folder with nothing in it.
fn fresh(name: &str) -> PathBuf {
    let place = folder("self-proof").join(name);
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).expect("makes");
    place
}

fn run(home: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("XDG_STATE_HOME", home)
        .env("DISPATCHLAB_SCRIPTED", "tests")
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

const RESULT: [&str; 4] = ["run", "direct_call", "--counters", "none"];

fn file(home: &Path) -> PathBuf {
    home.join("dispatchlab/doctor.json")
}

/// Puts down what a `doctor` of this machine state would have remembered.
fn remember(home: &Path, failed: &Value, predictor: &Value) {
    let json = run(home, &[&RESULT[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let provenance = &report["provenance"];
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot");
    let mut state = serde_json::json!({ "boot": boot.trim() });
    for fact in ["cpu", "microcode", "kernel", "hypervisor", "tool"] {
        state[fact] = provenance[fact].clone();
    }
    let record = serde_json::json!({
        "schema": 1,
        "state": state,
        "date": "2026-01-02T03:04:05Z",
        "failed": failed,
        "predictor": predictor,
    });
    std::fs::create_dir_all(file(home).parent().expect("a folder")).expect("makes");
    std::fs::write(file(home), record.to_string()).expect("writes");
}

/// A check that failed, of the results that it concerns.
fn failed(name: &str, concerns: &str) -> Value {
    serde_json::json!({
        "name": name, "value": "2.000", "expected": "1.000", "why": "it does not hold", "concerns": concerns,
    })
}

#[test]
fn a_failed_check_is_said_above_the_results_that_use_what_failed_and_above_no_others() {
    let home = fresh("remembered");
    let all = [
        "all",
        "clock",
        "steps",
        "counters",
        "injection",
        "comparisons",
        "measured",
    ];
    let checks: Vec<Value> = all.iter().map(|one| failed(one, one)).collect();
    remember(&home, &checks.into(), &Value::Null);
    let none: &[&str] = &["run", "direct_call", "--counters", "none"];
    let clock: &[&str] = &["run", "direct_call", "--counters", "clock", "--quick"];
    let compared: &[&str] = &[
        "compare",
        "direct_call",
        "ptr_method",
        "--counters",
        "clock",
        "--quick",
    ];
    #[rustfmt::skip] // a table: one command a line
    let said = [
        (none,     &["all", "steps"][..]),
        (clock,    &["all", "clock", "steps", "injection", "measured"]),
        (compared, &["all", "clock", "steps", "injection", "comparisons", "measured"]),
    ];
    for (arguments, expected) in said {
        let found = run(&home, arguments).said();
        for one in all {
            let is_said = found.contains(&format!("the self-check `{one}` failed here on 2026"));
            assert_eq!(
                is_said,
                expected.contains(&one),
                "{arguments:?}: {one}: {found}"
            );
        }
    }
    let json = run(&home, &[none, &["--json"]].concat());
    let report: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let first = report["warnings"][0].as_str().expect("a warning");
    assert!(
        first.contains("`all` failed here on 2026") && first.contains("dispatchlab doctor"),
        "{first}"
    );
    std::fs::remove_file(file(&home)).expect("removes");
    assert!(!run(&home, &RESULT).said().contains("self-check"));
}

#[test]
fn doctor_remembers_what_failed_and_a_scripted_one_nothing() {
    let home = fresh("written");
    let scripted = run(
        &home,
        &["doctor", "--quick", "--counters", &script(&home, 2.0)],
    );
    assert_eq!(scripted.code, 1, "{}", scripted.stdout);
    assert!(
        !file(&home).exists(),
        "a script says nothing about this machine"
    );
    let doctor = run(
        &home,
        &["doctor", "--quick", "--json", "--counters", "clock"],
    );
    let report: Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    let failed: Vec<&Value> = checks.iter().filter(|check| check["ok"] == false).collect();
    let text = std::fs::read_to_string(file(&home)).expect("a record");
    let record: Value = serde_json::from_str(&text).expect("JSON");
    let kept = record["failed"].as_array().expect("a list");
    let names = |checks: &mut dyn Iterator<Item = &Value>| -> Vec<String> {
        checks.map(|check| check["name"].to_string()).collect()
    };
    assert_eq!(names(&mut kept.iter()), names(&mut failed.into_iter()));
}

#[test]
fn what_another_machine_state_failed_is_not_said() {
    let home = fresh("elsewhere");
    remember(
        &home,
        &serde_json::json!([failed("dependent add", "all")]),
        &Value::Null,
    );
    assert!(run(&home, &RESULT).said().contains("self-check"));
    let text = std::fs::read_to_string(file(&home)).expect("a record");
    let mut record: Value = serde_json::from_str(&text).expect("JSON");
    record["state"]["boot"] = "another".into();
    std::fs::write(file(&home), record.to_string()).expect("writes");
    assert!(!run(&home, &RESULT).said().contains("self-check"));
    std::fs::write(file(&home), "{").expect("writes");
    let later = run(&home, &RESULT);
    // Of a broken record that is said, and nothing of what stood in it.
    assert!(later.code == 0 && !later.said().contains("dependent add"));
    assert!(later.said().contains("`dispatchlab doctor` writes it anew"));
}

#[test]
fn a_machine_on_which_inferred_misses_read_wrong_has_none() {
    let home = fresh("distrusted");
    remember(&home, &serde_json::json!([]), &Value::Null);
    let misses = || {
        let run = run(
            &home,
            &[
                "run",
                "itab_call",
                "--counters",
                "clock",
                "--quick",
                "--json",
            ],
        );
        let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
        document["rows"][0]["metrics"]["branch_misses"].clone()
    };
    assert!(!misses()["why"].to_string().contains("`doctor` found"));
    let check = serde_json::json!([{
        "name": "inferred branch misses",
        "value": "0.00 0.44 0.50",
        "expected": "0.00 0.88 0.50",
        "why": "a fenced loop does not tell misses here, so none are inferred",
        "concerns": "injection",
    }]);
    remember(&home, &check, &Value::Null);
    let metric = misses();
    assert_eq!(metric["basis"], "unsupported", "{metric:#}");
    let why = metric["why"].as_str().expect("a reason");
    assert!(why.contains("`doctor` found 0.00 0.44 0.50"), "{why}");
}

#[test]
fn where_nothing_can_be_kept_doctor_says_so_and_goes_on() {
    let place = fresh("unwritable");
    let file = place.join("file");
    std::fs::write(&file, "").expect("writes");
    let doctor = run(&file, &["doctor", "--quick", "--counters", "clock"]);
    assert!(doctor.stdout.contains("Self-check"));
    assert!(
        doctor.said().contains("XDG_STATE_HOME"),
        "{}",
        doctor.stderr
    );
}

#[test]
fn the_program_proves_its_intervals_and_its_checksums() {
    let home = fresh("proofs");
    let doctor = run(
        &home,
        &["doctor", "--json", "--counters", &script(&home, 1.0)],
    );
    let report: Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    let named = |name: &str| {
        checks
            .iter()
            .find(|check| check["name"] == name)
            .expect(name)
    };
    assert_eq!(named("intervals that hold the truth")["ok"], true);
    let wrong = named("one wrong result in eight");
    assert_eq!(
        (&wrong["ok"], &wrong["value"]),
        (&true.into(), &"noticed".into())
    );
    // The CPU counts the loop itself, or the kernel says why not.
    let counters = report["counters"].as_array().expect("counters");
    let breakpoint = counters.iter().find(|one| one["kind"] == "breakpoint");
    let breakpoint = breakpoint.expect("a line about breakpoints");
    match breakpoint["ok"].as_bool().expect("a verdict") {
        true => assert_eq!(named("1000 iterations")["value"], "1000"),
        false => assert!(breakpoint["why"].is_string(), "{breakpoint}"),
    }
    for name in ["SMT sibling", "frequency governor", "turbo", "isolation"] {
        let fact = named(name);
        assert_eq!(fact["ok"], true);
        assert!(
            fact["value"] != "unknown" || fact["why"].is_string(),
            "{fact}"
        );
    }
}

#[test]
fn what_predictors_learn_follows_from_cycles_and_stands_in_later_reports() {
    let home = fresh("predictors");
    let all = |cycles: f64| format!("[{cycles}, {cycles}, {cycles}, {cycles}, 1.0]");
    let text = format!(
        r#"{{"tsc_hz": 2.0e9, "cycles_per_tick": 1.5, "cycles": {{"add": {one}, "imul": {three}, "load": {four},
        "indirect calls": {five}, "indirect calls[order=random]": {thirty},
        "indirect calls[order=cyclic,targets=2]": {five}, "indirect calls[order=cyclic]": {thirty},
        "indirect calls[order=@random]": {fifteen}, "*": {one}}}}}"#,
        one = all(1.0),
        three = all(3.0),
        four = all(4.0),
        five = all(5.0),
        fifteen = all(15.0),
        thirty = all(30.0),
    );
    let script = home.join("script.json");
    std::fs::write(&script, text).expect("writes");
    let counters = format!("fake:{}", script.display());
    let doctor = run(&home, &["doctor", "--json", "--counters", &counters]);
    let report: Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    let predictor = &report["predictor"];
    assert_eq!(predictor["basis"], "inferred");
    let line = predictor["line"].as_str().expect("a line");
    let told = "indirect calls: alternating learned, cyclic 8 missed, random 1,024 partly";
    assert!(line.starts_with(told), "{line}");
    // All other loops cost one cycle whatever they visit, which tells nothing.
    assert!(line.contains("indirect jumps: all unknown"), "{line}");
    let missed = predictor["patterns"][1]["missed"].as_f64();
    assert!(
        missed.is_some_and(|cycles| (cycles - 30.0).abs() < 0.01),
        "{predictor:#}"
    );

    remember(&home, &serde_json::json!([]), &line.into());
    let later = run(&home, &[&RESULT[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&later.stdout).expect("JSON");
    assert_eq!(report["provenance"]["predictor"], line);
}
