//! `compare`, on scripted cycles where a verdict is asserted and on the machine where it has to run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{dispatchlab, folder, json, template, unfolded};
use serde_json::Value;

const BODY: &str = ";! clobbers = \"all\"\n;! result = \"eax\"\n;! expect = 7\nbody:\n";

/// Four templates whose cycles at four placements and without body are as the script says.
struct Field {
    folder: PathBuf,
    counters: String,
}

impl Field {
    fn new(name: &str) -> Field {
        let folder = folder(name);
        for (template_name, code) in [
            ("base", " mov eax, 7\n"),
            ("near", " mov eax, 7\n nop\n"),
            ("slow", " mov eax, 8\n dec eax\n"),
            ("moved", " mov ecx, 7\n mov eax, ecx\n"),
        ] {
            template(&folder, template_name, &format!("{BODY}{code}"));
        }
        let cycles = |name: &str| format!("{}/{name}", folder.display());
        let script = serde_json::json!({
            "tsc_hz": 2e9,
            "cycles_per_tick": 1.5,
            "cycles": {
                cycles("base"): [5.0, 5.1, 5.2, 5.05, 1.0],
                cycles("near"): [5.01, 5.1, 5.2, 5.05, 1.0],
                cycles("slow"): [5.5, 5.6, 5.7, 5.55, 1.0],
                cycles("moved"): [5.15, 5.6, 5.7, 5.55, 1.0],
            },
        });
        let path = folder.join("script.json");
        fs::write(&path, script.to_string()).expect("writes");
        Field {
            counters: format!("fake:{}", path.display()),
            folder,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn arguments(&self, names: &[&str]) -> Vec<String> {
        let mut all = vec!["compare".to_string()];
        all.extend(names.iter().map(|name| self.file(name)));
        all.extend(["--counters".to_string(), self.counters.clone()]);
        all.extend(["--time", "1"].map(String::from));
        all
    }
}

fn of<'a>(document: &'a Value, other: &str, metric: &str) -> &'a Value {
    let all = document["comparisons"].as_array().expect("comparisons");
    let is_it = |one: &&Value| {
        let name = one["other"].as_str().expect("a name");
        Path::new(name).file_name().expect("a name") == other && one["metric"] == metric
    };
    all.iter().find(is_it).expect("the comparison")
}

#[test]
fn verdicts_follow_the_turns_and_the_placements() {
    let field = Field::new("compare_verdicts");
    let (code, document) =
        json(&field.arguments(&["base.asm", "near.asm", "slow.asm", "moved.asm"]));
    assert_eq!(code, 0, "{document:#}");
    let cycles = |other| of(&document, other, "cycles");
    assert_eq!(
        cycles("near")["verdict"],
        "same",
        "0.2 % is below what is told apart"
    );
    assert_eq!(cycles("slow")["verdict"], "slower");
    assert_eq!(
        cycles("moved")["verdict"],
        "undecided",
        "3 % here, and placements differ by 4 %"
    );
    let ratio = cycles("slow")["ratio"].as_f64().expect("a ratio");
    assert!((ratio - 1.1).abs() < 1e-3, "{ratio}");
    assert!(cycles("slow")["pairs"].as_u64() > Some(5));
    assert_eq!(of(&document, "slow", "ns")["verdict"], "slower");
    let instructions = of(&document, "slow", "instructions");
    assert_eq!(
        (&instructions["ratio"], &instructions["verdict"]),
        (&2.0.into(), &"slower".into())
    );
    assert_eq!(instructions["basis"], "exact");
    let branches = of(&document, "slow", "branches");
    assert!(
        branches["ratio"].is_null() && branches["why"].is_string(),
        "0 of 0: {branches}"
    );
    let misses = of(&document, "slow", "branch_misses");
    assert!(
        misses["ratio"].is_null() && misses["verdict"].is_null(),
        "{misses}"
    );
    assert_eq!(misses["basis"], "unsupported");
}

#[test]
fn what_changed_in_the_code_stands_beside_the_numbers() {
    let field = Field::new("compare_code");
    let (_, document) = json(&field.arguments(&["base.asm", "slow.asm"]));
    let change = &document["changes"][0];
    assert_eq!(change["instructions"], serde_json::json!([1, 2]));
    assert_eq!(change["bytes"], serde_json::json!([5, 7]));
    let run = dispatchlab(&field.arguments(&["base.asm", "slow.asm"]));
    for line in ["  -   mov eax, 7", "  +   mov eax, 8", "  +   dec eax"] {
        assert!(run.stdout.contains(line), "{line}:\n{}", run.stdout);
    }
    assert!(
        unfolded(&run.stdout).contains("1 → 2 instructions"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_stated_bound_fails_with_1_and_only_on_a_difference_that_is_sure() {
    let field = Field::new("compare_bound");
    let with = |names: &[&str], bound: &str| {
        let mut all = field.arguments(names);
        all.extend(["--fail-above".to_string(), bound.to_string()]);
        dispatchlab(&all)
    };
    let failed = with(&["base.asm", "slow.asm"], "5%");
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(
        failed.said().contains("% more cycles than"),
        "{}",
        failed.stderr
    );
    assert_eq!(with(&["base.asm", "slow.asm"], "15").code, 0);
    assert_eq!(
        with(&["base.asm", "moved.asm"], "1").code,
        0,
        "undecided is no failure"
    );
    assert_eq!(
        with(&["slow.asm", "base.asm"], "0").code,
        0,
        "faster is no failure"
    );
}

#[test]
fn a_saved_report_is_compared_by_its_intervals_and_said_to_be() {
    let field = Field::new("compare_saved");
    let saved = field.file("saved.json");
    let run = dispatchlab(&[
        "run",
        &field.file("base.asm"),
        "--counters",
        &field.counters,
        "--time",
        "20",
        "--export-json",
        &saved,
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let (code, document) = json(&field.arguments(&["saved.json", "slow.asm"]));
    assert_eq!(code, 0, "{document:#}");
    let cycles = of(&document, "slow", "cycles");
    assert_eq!(cycles["verdict"], "slower");
    assert!(
        cycles["p"].is_null() && cycles["pairs"].is_null(),
        "{cycles}"
    );
    assert!(
        cycles["why"]
            .as_str()
            .expect("why")
            .contains("one after the other")
    );
    let warned = document["warnings"].to_string();
    assert!(warned.contains("not in turns"), "{warned}");
    // Two reports, and nothing to run.
    let (code, document) = json(&field.arguments(&["saved.json", "saved.json"]));
    assert_eq!(code, 0);
    assert_eq!(of(&document, "base", "cycles")["verdict"], "same");
    fs::write(field.file("foreign.json"), "{\"schema\": 9}").expect("writes");
    let run = dispatchlab(&field.arguments(&["base.asm", "foreign.json"]));
    assert_eq!(run.code, 2);
    assert!(run.said().contains("schema 9"), "{}", run.stderr);
}

#[test]
fn of_a_report_of_another_machine_only_counts_are_compared() {
    let field = Field::new("compare_elsewhere");
    let saved = field.file("saved.json");
    let counters = field.counters.clone();
    let base = field.file("base.asm");
    let run = dispatchlab(&[
        "run",
        &base,
        "--counters",
        &counters,
        "--time",
        "1",
        "--export-json",
        &saved,
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let here: Value =
        serde_json::from_str(&fs::read_to_string(&saved).expect("reads")).expect("JSON");
    for (key, is_elsewhere) in [("cpu", true), ("hypervisor", true), ("kernel", false)] {
        let mut elsewhere = here.clone();
        elsewhere["provenance"][key] = "another".into();
        fs::write(&saved, elsewhere.to_string()).expect("writes");
        let (code, document) = json(&field.arguments(&["saved.json", "slow.asm"]));
        assert_eq!(code, 0, "{document:#}");
        let cycles = of(&document, "slow", "cycles");
        assert_eq!(
            cycles["why"] == "measured on different machines",
            is_elsewhere,
            "{key}: {cycles}"
        );
        assert_eq!(cycles["ratio"].is_null(), is_elsewhere, "{key}: {cycles}");
        assert_eq!(of(&document, "slow", "instructions")["verdict"], "slower");
        let warned = document["warnings"].to_string();
        assert_eq!(
            warned.contains("on another machine"),
            is_elsewhere,
            "{key}: {warned}"
        );
    }
}

#[test]
fn rows_that_are_compared_have_sixteen_turns_however_little_time_there_is() {
    let field = Field::new("compare_turns");
    let mut arguments = field.arguments(&["base.asm", "slow.asm"]);
    let time = arguments
        .iter()
        .position(|one| one == "--time")
        .expect("a time");
    arguments[time + 1] = "0.001".into();
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(of(&document, "slow", "cycles")["pairs"], 16);
}

#[test]
fn a_verdict_of_one_placement_is_doubted_and_of_two_it_is_not() {
    let field = Field::new("compare_placements");
    for (count, is_doubted) in [("1", true), ("2", false)] {
        let mut arguments = field.arguments(&["base.asm", "slow.asm"]);
        arguments.extend(["--placements".to_string(), count.to_string()]);
        let (code, document) = json(&arguments);
        assert_eq!(code, 0, "{document:#}");
        let warned = document["warnings"].to_string();
        assert_eq!(
            warned.contains("with one placement"),
            is_doubted,
            "{count}: {warned}"
        );
    }
}

#[test]
fn a_side_that_faults_leaves_the_others_their_comparison() {
    let field = Field::new("compare_fault");
    template(
        &field.folder,
        "wild",
        &format!("{BODY} xor ecx, ecx\n mov eax, [rcx]\n"),
    );
    let (code, document) = json(&field.arguments(&["base.asm", "wild.asm", "slow.asm"]));
    assert_eq!(code, 4);
    assert_eq!(document["rows"][1]["status"], "fault");
    assert_eq!(document["comparisons"].as_array().map(Vec::len), Some(5));
    assert_eq!(of(&document, "slow", "cycles")["verdict"], "slower");
    let warned = document["warnings"].to_string();
    assert!(warned.contains("wild is not compared with"), "{warned}");
    assert!(warned.contains("wild has no numbers"), "{warned}");
    let (code, document) = json(&field.arguments(&["wild.asm", "base.asm"]));
    assert_eq!(code, 4);
    assert!(document["comparisons"].is_null());
    let warned = document["warnings"].to_string();
    assert!(warned.contains("wild has no numbers"), "{warned}");
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_runs() {
    let field = Field::new("compare_usage");
    template(&field.folder, "other_state", "body:\n nop\n");
    let file = |name: &str| field.file(name);
    for (arguments, words) in [
        (vec!["compare".into(), file("base.asm")], "required"),
        (
            vec!["compare".into(), file("base.asm"), "tour".into()],
            "suite",
        ),
        (
            vec!["compare".into(), file("base.asm"), file("other_state.asm")],
            "clobbers",
        ),
        (
            vec!["compare".into(), file("base.asm"), file("none.json")],
            "there is no such file",
        ),
        (
            vec![
                "compare".into(),
                file("base.asm"),
                file("slow.asm"),
                "-p".into(),
                "x=1".into(),
            ],
            "no parameter `x`",
        ),
        (
            vec![
                "compare".into(),
                file("base.asm"),
                file("slow.asm"),
                "--conf".into(),
                "95".into(),
            ],
            "0.95",
        ),
        (
            vec![
                "compare".into(),
                file("base.asm"),
                file("slow.asm"),
                "--fail-above".into(),
                "-1".into(),
            ],
            "percent",
        ),
    ] {
        let run = dispatchlab(&arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn on_this_machine_an_itab_call_among_random_targets_is_slower_than_a_direct_call() {
    const TRIES: usize = 5;
    // Beside a busy neighbour too few turns may be left for a ratio, which is then said.
    for _ in 0..TRIES {
        let (code, document) = json(&[
            "compare",
            "direct_call",
            "itab_call[order=random,targets=8]",
            "--counters",
            "clock",
            "--quick",
        ]);
        assert_eq!(code, 0, "{document:#}");
        let cycles = &document["comparisons"][0];
        let Some(ratio) = cycles["ratio"].as_f64() else {
            assert!(cycles["why"].is_string(), "{cycles:#}");
            continue;
        };
        assert!(ratio > 1.5, "{cycles:#}");
        if cycles["verdict"] == "slower" {
            return;
        }
        assert_eq!(cycles["verdict"], "undecided", "{cycles:#}");
    }
    println!("undecided {TRIES} times: this machine is too busy to tell");
}
