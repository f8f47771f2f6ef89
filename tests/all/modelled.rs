//! What models of predictors would miss: `show --misses` and `step --misses`.
//!
//! Correct means: each branch of the listing has the models that predict its kind, their misses are
//! those of the walk, nothing modelled enters a report's columns, and where there is nothing to tell that
//! is said.

use crate::common::{dispatchlab, folder, json, rows, template};
use serde_json::Value;

/// The branch of a kind that an iteration executes at all, from `step --misses --json`.
fn site<'a>(told: &'a Value, kind: &str) -> &'a Value {
    let sites = told["modelled"]["sites"].as_array().expect("sites");
    let found = sites.iter().find(|site| site["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {told:#}"))
}

fn misses(site: &Value, model: &str) -> f64 {
    let miss = &site["branch_misses"][model];
    assert_eq!(miss["basis"], "modelled", "{site:#}");
    assert_eq!(miss["source"], format!("model:{model}"));
    miss["value"].as_f64().expect("a number")
}

#[test]
fn a_random_call_is_missed_by_all_and_a_cyclic_one_by_those_without_a_path() {
    let of = |order: &str| {
        let order = format!("order={order}");
        let (code, told) = json(&[
            "step",
            "itab_call",
            "-p",
            "targets=8",
            "-p",
            &order,
            "--misses",
            "--quick",
        ]);
        assert_eq!(code, 0, "{told:#}");
        told
    };
    let random = of("random");
    let call = site(&random, "indirect-call");
    assert_eq!(call["executed"], 1.0);
    for model in ["last-target", "ittage", "ittage-conditional"] {
        let missed = misses(call, model);
        assert!((missed - 0.875).abs() < 0.06, "{model}: {missed}");
    }
    let cyclic = of("cyclic");
    let call = site(&cyclic, "indirect-call");
    assert_eq!(misses(call, "last-target"), 1.0);
    assert!(misses(call, "ittage") < 0.05, "{call:#}");
    assert!(misses(call, "ittage-conditional") > 0.4, "{call:#}");
    assert_eq!(misses(site(&cyclic, "return"), "return-stack"), 0.0);
}

#[test]
fn the_line_under_a_branch_names_its_models_and_the_note_says_what_they_are_not() {
    for command in ["show", "step"] {
        let run = dispatchlab(&[
            command,
            "itab_call",
            "-p",
            "targets=2",
            "-p",
            "order=cyclic",
            "--misses",
            "--quick",
        ]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let mut lines = run
            .stdout
            .lines()
            .skip_while(|line| !line.contains("call rcx"));
        let under = lines
            .find(|line| line.contains("modelled:"))
            .expect("a line");
        assert!(under.contains("modelled: last-target 1.00, ittage 0.00, ittage-conditional "));
        assert!(
            run.stdout
                .contains("modelled: return-stack 0.00, return-stack-16 0.00")
        );
        assert!(
            run.stdout.contains("Nothing here was measured"),
            "{}",
            run.stdout
        );
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 80));
    }
}

#[test]
fn without_the_option_nothing_is_modelled() {
    for arguments in [["show", "itab_call"], ["step", "itab_call"]] {
        assert!(!dispatchlab(&arguments).stdout.contains("modelled:"));
    }
    let (_, told) = json(&["step", "itab_call"]);
    assert!(told.get("modelled").is_none());
    let (_, report) = json(&["run", "itab_call", "--counters", "none"]);
    for (name, row) in rows(&report) {
        let misses = &row["metrics"]["branch_misses"];
        assert_ne!(misses["basis"], "modelled", "{name}");
    }
}

#[test]
fn a_conditional_branch_is_counted_wherever_it_goes_and_a_copied_body_by_iteration() {
    // Taken every other time; `unroll` makes two sites of it, each with one outcome.
    let body = "body:\n xor ecx, 1\n test ecx, 1\n jz 1f\n nop\n1:\n";
    let folder = folder("misses");
    for (name, unroll, executed) in [("once", 1, 1.0), ("twice", 2, 0.5)] {
        let file = template(
            &folder,
            name,
            &format!(";! unroll = {unroll}\nsetup:\n xor ecx, ecx\n{body}"),
        );
        let (code, told) = json(&["step", &file, "--misses", "--quick"]);
        assert_eq!(code, 0, "{told:#}");
        let own = site(&told, "conditional");
        let each = own["executed"].as_f64().expect("a number");
        assert!((each - executed).abs() < 0.01, "{own:#}");
        assert_eq!(own["line"], 7);
        let bimodal = misses(own, "bimodal");
        assert!(
            if unroll == 1 {
                bimodal >= 0.45
            } else {
                bimodal < 0.01
            },
            "{own:#}"
        );
        assert!(misses(own, "tage") < 0.02, "{own:#}");
    }
}

#[test]
fn where_a_row_fails_the_listing_stands_and_the_reason_is_said() {
    let file = template(
        &folder("misses"),
        "fault",
        ";! title = \"x\"\nbody:\n xor ecx, ecx\n mov eax, [rcx]\n",
    );
    let run = dispatchlab(&["show", &file, "--misses"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stdout.contains("mov eax, [rcx]"), "{}", run.stdout);
    assert!(
        run.stdout.contains("modelled: nothing (fault"),
        "{}",
        run.stdout
    );
}
