//! Workers that get their rows ready ahead of their turn.
//!
//! Correct means: one stands still while others are timed, what its rows do is told of them and of no others, and none is
//! left when the run ends, however that ends.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::common::{command, fresh, rows, template, wait_until, workers_of};
use serde_json::Value;

/// Objects of rows that are a batch each.
const OBJECTS: u32 = 1 << 20;

/// Workers of a run, each with its state as `/proc` has it.
fn workers(parent: u32) -> Vec<(u32, char)> {
    let state = |worker: u32| {
        let line = fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{worker}/stat")).ok()?;
        let (_, state) = stat.rsplit_once(") ")?;
        let is_worker = String::from_utf8_lossy(&line).contains("__worker");
        is_worker.then_some((worker, state.chars().next()?))
    };
    workers_of(parent).into_iter().filter_map(state).collect()
}

fn names(template: &str) -> Vec<String> {
    let targets = 1..=5;
    targets
        .map(|targets| format!("{template}[objects={OBJECTS},targets={targets}]"))
        .collect()
}

/// A run of long turns, up to where one of its workers stands still beside another.
fn up_to_a_stop(place: &std::path::Path) -> (Child, Vec<u32>) {
    let names = names("itab_call");
    let all: Vec<&str> = ["run", "--json", "--placements", "1", "--time", "300"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let child = command(place, &all)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut seen = Vec::new();
    wait_until("one stands still", || {
        let all = workers(child.id());
        seen = all.iter().map(|(worker, _)| *worker).collect();
        all.len() == 2 && all.iter().filter(|(_, state)| *state == 'T').count() == 1
    });
    (child, seen)
}

#[test]
fn a_worker_that_is_ready_ahead_stands_still_while_rows_are_timed_and_then_does_its_own() {
    let place = fresh("ahead");
    let (child, _) = up_to_a_stop(&place);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0), "{}", output.status);
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let all = rows(&document);
    let told: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    assert_eq!(told[0], format!("itab_call[objects={OBJECTS}]"));
    assert_eq!(told[1..], names("itab_call")[1..]);
    for (name, row) in all {
        assert_eq!(row["metrics"]["instructions"]["value"], 6.0, "{name}");
        assert!(
            row["metrics"]["cycles"]["value"].is_f64(),
            "{name}: {row:#}"
        );
    }
}

#[test]
fn a_worker_that_stands_still_ends_with_its_run_however_that_ends() {
    for signal in ["INT", "KILL"] {
        let place = fresh(&format!("ahead-{signal}"));
        let (mut child, workers) = up_to_a_stop(&place);
        let number = child.id().to_string();
        let sent = Command::new("kill")
            .args([format!("-{signal}"), number])
            .status();
        assert!(sent.expect("kill runs").success());
        child.wait().expect("ends");
        wait_until("all workers are gone", || {
            let is_gone = |worker: &u32| !std::path::Path::new(&format!("/proc/{worker}")).exists();
            workers.iter().all(is_gone)
        });
    }
}

#[test]
fn a_worker_that_is_killed_before_its_turn_costs_no_row() {
    let place = fresh("ahead-killed");
    let (child, seen) = up_to_a_stop(&place);
    let all = workers(child.id());
    let stopped = all.iter().find(|(_, state)| *state == 'T');
    let (stopped, _) = stopped.expect("one of them stands still");
    assert!(seen.contains(stopped));
    let sent = Command::new("kill")
        .args(["-KILL".to_string(), stopped.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0), "{}", output.status);
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert!(rows(&document).iter().all(|(_, row)| row["status"] == "ok"));
}

#[test]
fn what_rows_that_were_given_ahead_do_is_told_of_them_and_of_no_others() {
    let place = fresh("ahead-faults");
    // The book's interface call, with an instruction in it that faults where there are four targets.
    let shipped = include_str!("../../asm_templates/itab_call.asm");
    let text = shipped.replacen("body:", "body:\n{% if targets == 4 %} ud2\n{% endif %}", 1);
    template(&place, "bad", &text);
    let names = names("bad.asm");
    let all: Vec<&str> = ["run", "--json", "--counters", "none", "--placements", "1"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let output = command(&place, &all).output().expect("runs");
    assert_eq!(output.status.code(), Some(4), "{}", output.status);
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let statuses: Vec<&str> = rows(&document)
        .iter()
        .map(|(_, row)| row["status"].as_str().expect("a status"))
        .collect();
    assert_eq!(statuses, ["ok", "ok", "ok", "fault", "ok"]);
}
