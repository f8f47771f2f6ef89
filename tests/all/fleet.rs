//! One job on many machines: what docs/fleet.md shows, on this one.
//!
//! Correct means: whoever starts the tasks, each writes its own report, and all are of the same rows.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::common::{fresh, run_in};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The command lines of docs/fleet.md that begin so.
fn shown(begin: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs/fleet.md")).expect("a document");
    let line = text.lines().find(|line| line.starts_with(begin));
    line.unwrap_or_else(|| panic!("docs/fleet.md shows no `{begin}`"))
        .to_string()
}

/// A folder with a job in it, and `PATH` with the program in front.
fn with_job(name: &str) -> (PathBuf, String) {
    let place = fresh(name);
    let saved = [
        "run",
        "direct_call",
        "itab_call",
        "--quick",
        "--counters",
        "none",
        "--save-job",
        "fleet.job",
    ];
    let run = run_in(&place, &saved);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let program = Path::new(env!("CARGO_BIN_EXE_dispatchlab"));
    let own = program.parent().expect("a folder").display();
    let path = std::env::var("PATH").expect("a path");
    (place, format!("{own}:{path}"))
}

/// Runs in a shell, as a reader does.
fn shell(place: &Path, path: &str, line: &str) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["600", "sh", "-c", line])
        .current_dir(place)
        .env("PATH", path)
        .env("XDG_STATE_HOME", place)
        .stdin(Stdio::null());
    let output = command.output().expect("timeout of coreutils");
    assert!(output.status.success(), "{line}: {output:?}");
    output
}

/// Merges three reports as the document says, and looks whether they are of one job and of the same rows.
fn assert_one_job(place: &Path, path: &str) {
    let mut reports = Vec::new();
    for entry in std::fs::read_dir(place).expect("a folder").flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        if name.starts_with("result-") && name.ends_with(".json") {
            let text = std::fs::read_to_string(entry.path()).expect("a report");
            reports.push(serde_json::from_str::<Value>(&text).expect("JSON"));
        }
    }
    assert_eq!(reports.len(), 3, "{}", place.display());
    let of = |report: &Value| {
        let rows = report["rows"].as_array().expect("rows").iter();
        let rows: Vec<Value> = rows.map(|row| row["scenario"].clone()).collect();
        (rows, report["provenance"]["job_sha256"].clone())
    };
    let first = of(&reports[0]);
    assert_eq!(first.0, ["direct_call", "itab_call"]);
    assert!(first.1.is_string());
    assert!(reports.iter().all(|report| of(report) == first));

    shell(place, path, &shown("dispatchlab report "));
    let page = std::fs::read_to_string(place.join("fleet.html")).expect("a page");
    assert_eq!(page.matches("<td>job 1 (").count(), 3);
    assert!(!page.contains("<td>job 2 ("));
}

#[test]
fn the_tasks_of_an_array_write_reports_of_one_job() {
    let (place, path) = with_job("array");
    for task in 1..=3 {
        let script = root().join("contrib/fleet.sbatch");
        shell(
            &place,
            &path,
            &format!(
                "SLURM_ARRAY_TASK_ID={task} sh '{}' fleet.job",
                script.display()
            ),
        );
    }
    assert_one_job(&place, &path);
}

#[test]
fn slurm_runs_the_array() {
    let answers = |program: &str, argument: &str| {
        let run = Command::new(program).arg(argument).output();
        run.is_ok_and(|output| output.status.success())
    };
    if !answers("sbatch", "--version") {
        eprintln!("skipped: there is no sbatch here (package slurm-wlm)");
        return;
    }
    if !answers("scontrol", "ping") {
        eprintln!("skipped: no slurmctld answers here");
        return;
    }
    let (place, path) = with_job("slurm");
    std::os::unix::fs::symlink(root().join("contrib"), place.join("contrib")).expect("a link");
    shell(&place, &path, &shown("sbatch "));
    assert_one_job(&place, &path);
}

#[test]
fn machines_that_ssh_reaches_run_the_job() {
    if Command::new("parallel").arg("--version").output().is_err() {
        eprintln!("skipped: there is no parallel here (package parallel)");
        return;
    }
    let (place, path) = with_job("ssh");
    // Each of the machines is this one.
    let ssh = place.join("ssh");
    std::fs::write(&ssh, "#!/bin/sh\nshift\nexec sh -c \"$*\"\n").expect("writes");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&ssh, executable).expect("a script");
    std::fs::write(place.join("machines"), "one\ntwo\nthree\n").expect("writes");
    let path = format!("{}:{path}", place.display());
    shell(&place, &path, &shown("parallel "));
    assert_one_job(&place, &path);
}
