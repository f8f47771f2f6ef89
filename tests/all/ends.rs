//! How a run ends that is ended: by a signal, by a second one, by the end of what it is part of.
//!
//! Correct means: what is done is printed and exported, what is not is named, the exit code says which signal it
//! was, and no process is left.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::common::{command, fresh, rows, template, unfolded, wait_until, workers_of};
use dispatchlab::sys::interrupt;
use serde_json::Value;

/// Sends a signal by its name.
fn send(process: u32, signal: &str) {
    let arguments = [format!("-{signal}"), process.to_string()];
    let status = Command::new("kill").args(arguments).status();
    assert!(status.expect("kill runs").success());
}

fn is_gone(process: u32) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

/// Rows behind the first; each takes seconds.
const BUSY: usize = 30;
/// Fewer, where the first row's end is heard of at once: all are proved before it is timed.
const BEHIND: usize = 5;

fn start(place: &Path, more: &[&str]) -> (Child, u32) {
    start_with(place, BUSY, more, Stdio::piped())
}

/// The same with so many rows behind the first, and another stderr.
fn start_with(place: &Path, busy: usize, more: &[&str], stderr: Stdio) -> (Child, u32) {
    write_busy(place);
    let busy: Vec<String> = (1..=busy)
        .map(|at| format!("busy.asm[align={at}]"))
        .collect();
    let names = ["run", "inline"]
        .into_iter()
        .chain(busy.iter().map(String::as_str));
    let names: Vec<&str> = names
        .chain(["--placements", "1", "--time", "200"])
        .collect();
    start_command(place, &[&names, more].concat(), stderr)
}

fn write_busy(place: &Path) {
    template(place, "busy", "body:\n mov ecx, 100\n1: dec ecx\n jnz 1b\n");
}

/// Starts a command, and waits until it has a worker.
fn start_command(place: &Path, all: &[&str], stderr: Stdio) -> (Child, u32) {
    let mut command = command(place, all);
    // Whoever started the tests may ignore interrupts.
    let child = interrupt::allow_in(&mut command)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("starts");
    let mut workers = Vec::new();
    wait_until("a worker starts", || {
        workers = workers_of(child.id());
        !workers.is_empty()
    });
    (child, workers[0])
}

/// What a run leaves that a signal ends once it says that it has timed a row: its output, and what stood on stderr.
/// That is a terminal, on which a run says so at once; into a pipe it says so every ten seconds.
fn ended_by(place: &Path, signal: &str, more: &[&str]) -> (Output, String) {
    let start = |shown: Stdio| start_with(place, BEHIND, more, shown);
    ended_once(start, is_under_way, signal)
}

/// The same of a run that is started so, once a line says that it has come as far.
fn ended_once(
    start: impl FnOnce(Stdio) -> (Child, u32),
    is_time: fn(&str) -> bool,
    signal: &str,
) -> (Output, String) {
    let mut errors = open_terminal();
    let shown = std::fs::File::options()
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(ptsname_r(&errors).expect("a name"))
        .expect("opens");
    let (mut child, worker) = start(shown.into());
    let mut said = Vec::new();
    let mut block = [0; 4096];
    // A terminal that nobody has open any more is an error to its reader.
    while let Ok(read @ 1..) = errors.read(&mut block) {
        said.extend_from_slice(&block[..read]);
        let text = String::from_utf8_lossy(&said);
        if text.split('\r').any(is_time) {
            break;
        }
    }
    send(child.id(), signal);
    let mut stdout = Vec::new();
    let mut printed = child.stdout.take().expect("piped");
    printed.read_to_end(&mut stdout).expect("reads");
    while let Ok(read @ 1..) = errors.read(&mut block) {
        said.extend_from_slice(&block[..read]);
    }
    let status = child.wait().expect("ends");
    wait_until("the worker is gone", || is_gone(worker));
    let stderr = Vec::new();
    let output = Output {
        status,
        stdout,
        stderr,
    };
    (output, String::from_utf8_lossy(&said).into_owned())
}

/// A terminal as its reader has it. No process that starts meanwhile inherits it: it would keep it open.
fn open_terminal() -> PtyMaster {
    let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("one");
    grantpt(&terminal).expect("granted");
    unlockpt(&terminal).expect("unlocked");
    terminal
}

/// Whether what a run says of itself is that it has timed a row.
fn is_under_way(line: &str) -> bool {
    line.contains(" timing ") && !line.contains(", 0 of")
}

#[test]
fn each_signal_that_ends_a_run_prints_and_exports_what_is_done_and_names_the_rest() {
    let signals = [
        ("INT", 130),
        ("TERM", 143),
        ("HUP", 129),
        ("QUIT", 131),
        ("XCPU", 152),
        ("USR1", 138),
        ("USR2", 140),
        ("ALRM", 142),
        ("VTALRM", 154),
        ("PROF", 155),
        ("IO", 157),
        ("PWR", 158),
    ];
    assert_eq!(signals.len(), interrupt::ENDING.len());
    // Side by side, because each waits; not all at once, because each works, too.
    for some in signals.chunks(3) {
        std::thread::scope(|all| {
            for (signal, code) in some {
                let place = fresh(&format!("signal_{signal}"));
                all.spawn(move || prints_what_is_done(&place, signal, *code));
            }
        });
    }
}

/// As a batch system or a service manager does it: the worker may be the first to get it.
#[test]
fn rows_that_take_turns_are_reported_with_the_turns_that_they_had() {
    let place = fresh("in_turns");
    write_busy(&place);
    fs::write(place.join("types.txt"), "0 1 1 0 1 0 0 1\n".repeat(64)).expect("writes");
    let is_timing = |line: &str| line.contains(" timing ");
    // A minute of turns for each image.
    let long = ["--placements", "2", "--time", "60000", "--json"];
    for (name, names) in [
        (
            "compare",
            &["compare", "busy.asm", "busy.asm[align=16]"][..],
        ),
        (
            "advise",
            &["advise", "itab_call", "-p", "order=@types.txt"][..],
        ),
    ] {
        let all = [names, &long[..]].concat();
        let start = |shown: Stdio| start_command(&place, &all, shown);
        let (output, said) = ended_once(start, is_timing, "INT");
        assert_eq!(output.status.code(), Some(130), "{name}: {said}");
        let text = String::from_utf8_lossy(&output.stdout);
        let document: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {said}"));
        let report = match name {
            "advise" => &document["report"],
            _ => &document,
        };
        let rows = report["rows"].as_array().expect("rows");
        assert!(rows.len() >= 2, "{name}: {report:#}");
        // A busy neighbour may cost one its number, and each has an answer.
        let has_number = |row: &Value| row["metrics"]["cycles"]["value"].is_f64();
        assert!(rows.iter().any(has_number), "{name}: {report:#}");
        let compared = report["comparisons"].as_array().expect("comparisons");
        let of_cycles = compared.iter().filter(|one| one["metric"] == "cycles");
        assert_eq!(of_cycles.count(), rows.len() - 1, "{name}: {report:#}");
        let words = "interrupted by SIGINT: the rows have had fewer turns than were planned";
        assert!(unfolded(&said).contains(words), "{name}: {said}");
    }
}

#[test]
fn a_signal_to_all_processes_of_a_run_is_that_of_the_run() {
    for signal in ["TERM", "USR1"] {
        let place = fresh(&format!("all_{signal}"));
        let (child, worker) = start(&place, &["--json"]);
        std::thread::sleep(Duration::from_millis(500));
        let both = [worker, child.id()].map(|process| process.to_string());
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .args(both)
            .status();
        assert!(status.expect("kill runs").success());
        let output = child.wait_with_output().expect("ends");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let warnings = document["warnings"].to_string();
        assert!(
            warnings.contains(&format!("interrupted by SIG{signal}")),
            "{document:#}"
        );
        let is_error = |(_, row): &(&str, &serde_json::Value)| row["status"] == "error";
        assert!(!rows(&document).iter().any(is_error), "{document:#}");
    }
}

#[test]
fn a_signal_is_heard_while_a_template_expands() {
    let place = fresh("expanding");
    let text = "{% for i in range(100000) %}{% set x = range(100000)|sort %}{% endfor %}";
    template(
        &place,
        "endless",
        &format!(";! expand = true\nbody:\n{text}\n nop\n"),
    );
    template(&place, "good", "body:\n nop\n");
    // The first worker's rows, and those that get ready while it works.
    let good = (0..64).map(|align| format!("good.asm[align={align}]"));
    let names: Vec<String> = good.chain(["endless.asm".into()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rest = ["--counters", "none", "--json"];
    let mut command = command(&place, &[&["run"], &names[..], &rest].concat());
    let mut child = interrupt::allow_in(&mut command)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let expander = child_for(child.id(), "__expand");
    wait_until("a worker starts", || {
        let is_one = |process: &u32| *process != expander;
        workers_of(child.id()).iter().any(is_one)
    });
    std::thread::sleep(Duration::from_secs(1));
    // It never ends now, and is waited for.
    send(expander, "STOP");
    send(child.id(), "TERM");
    wait_until("the run ends", || {
        child.try_wait().expect("a child").is_some()
    });
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(143));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let is_error = |(_, row): &(&str, &serde_json::Value)| row["status"] == "error";
    assert!(!rows(&document).iter().any(is_error), "{document:#}");
    let warnings = document["warnings"].to_string();
    assert!(warnings.contains("interrupted by SIGTERM"), "{warnings}");
}

#[test]
fn a_worker_that_is_stopped_is_said_to_be_and_waited_for() {
    let place = fresh("stopped");
    let (mut child, worker) = start(&place, &[]);
    send(worker, "STOP");
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = String::new();
    while !unfolded(&said).contains(&format!("`kill -CONT {worker}` continues it")) {
        let read = errors.read_line(&mut said).expect("UTF-8");
        assert!(read > 0, "it ended by itself: {said}");
    }
    send(worker, "CONT");
    while !said.lines().any(is_under_way) {
        let read = errors.read_line(&mut said).expect("UTF-8");
        assert!(read > 0, "it ended by itself: {said}");
    }
    // A run is ended whatever its worker can do.
    send(worker, "STOP");
    send(child.id(), "TERM");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(143));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("inline"), "{printed}");
    wait_until("the worker is gone", || is_gone(worker));
}

#[test]
fn an_expander_that_is_killed_is_not_the_templates_fault() {
    let place = fresh("killed_expander");
    let text = "{% for i in range(100000) %}{% set x = range(100000)|sort %}{% endfor %}";
    template(
        &place,
        "endless",
        &format!(";! expand = true\nbody:\n{text}\n nop\n"),
    );
    template(&place, "good", "body:\n nop\n");
    let names = ["run", "endless.asm", "good.asm", "--counters", "none"];
    let child = command(&place, &names)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let expander = child_for(child.id(), "__expand");
    std::thread::sleep(Duration::from_millis(200));
    send(expander, "KILL");
    let output = child.wait_with_output().expect("ends");
    let said = unfolded(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains(
            "was ended by SIGKILL from outside; the template is not to blame; run it again"
        ) || said.contains("was ended by SIGKILL from outside; the template is not to blame"),
        "{said}"
    );
    assert!(!said.contains("loop that repeats"), "{said}");
    assert!(said.contains("good – – 1 0"), "{said}");
}

fn prints_what_is_done(place: &Path, signal: &str, code: i32) {
    let (output, stderr) = ended_by(place, signal, &["--json", "--export-json", "x.json"]);
    assert_eq!(output.status.code(), Some(code), "{signal}: {stderr}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names: Vec<&str> = rows(&document).iter().map(|(name, _)| *name).collect();
    assert_eq!(names[0], "inline", "{signal}");
    let warnings = document["warnings"].to_string();
    let words = format!(
        "interrupted by SIG{signal}: without a number are busy[align={}]",
        names.len()
    );
    assert!(warnings.contains(&words), "{warnings}");
    assert!(unfolded(&stderr).contains(&words), "{stderr}");
    let exported = std::fs::read(place.join("x.json")).expect("an export");
    let exported: serde_json::Value = serde_json::from_slice(&exported).expect("whole");
    assert_eq!(exported["rows"], document["rows"], "{signal}");
}

#[test]
fn a_run_that_ends_before_its_first_row_leaves_an_old_export_as_it_was() {
    let place = fresh("ends_early");
    let old = place.join("x.json");
    std::fs::write(&old, "old").expect("writes");
    let (child, _) = start(&place, &["--export-json", "x.json"]);
    send(child.id(), "TERM");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(143));
    assert_eq!(std::fs::read_to_string(&old).expect("reads"), "old");
    let files = std::fs::read_dir(&place).expect("reads").flatten();
    let left: Vec<_> = files.map(|file| file.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_second_signal_ends_at_once_and_leaves_no_worker_and_no_half_export() {
    use std::os::unix::process::ExitStatusExt;
    for (first, second, number) in [("INT", "INT", libc::SIGINT), ("HUP", "TERM", libc::SIGTERM)] {
        let place = fresh(&format!("twice_{second}"));
        std::fs::write(place.join("x.json"), "old").expect("writes");
        let (mut child, worker) = start(&place, &["--export-json", "x.json"]);
        std::thread::sleep(Duration::from_millis(300));
        send(child.id(), first);
        // It may have ended in between; then there is nothing to end.
        let arguments = [format!("-{second}"), child.id().to_string()];
        let _ = Command::new("kill")
            .args(arguments)
            .stderr(Stdio::null())
            .status();
        let status = child.wait().expect("ends");
        let ended = [status.code(), status.signal().map(|signal| 128 + signal)];
        let codes = [130, 129, 128 + number].map(Some);
        assert!(ended.iter().any(|end| codes.contains(end)), "{status}");
        wait_until("the worker is gone", || is_gone(worker));
        let text = std::fs::read_to_string(place.join("x.json")).expect("there");
        assert!(text == "old" || serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}

/// A terminal that is closed and its shell send one each, right after the other.
#[test]
fn signals_that_come_together_are_one_and_lose_nothing() {
    let place = fresh("together");
    let (child, worker) = start(&place, &["--export-json", "x.json"]);
    std::thread::sleep(Duration::from_millis(300));
    send(child.id(), "HUP");
    let _ = Command::new("kill")
        .args(["-HUP".to_string(), child.id().to_string()])
        .stderr(Stdio::null())
        .status();
    let output = child.wait_with_output().expect("ends");
    // It ended by itself, and not by the second one.
    assert_eq!(output.status.code(), Some(129), "{}", output.status);
    wait_until("the worker is gone", || is_gone(worker));
}

/// As of a background job of a script, and of `nohup`.
#[test]
fn a_signal_that_is_ignored_around_a_run_is_ignored_by_it() {
    for signal in ["INT", "HUP"] {
        let ignoring =
            format!("trap '' {signal}; exec \"$0\" run inline --placements 1 --time 300");
        let child = Command::new("sh")
            .args(["-c", &ignoring, env!("CARGO_BIN_EXE_dispatchlab")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let program = format!("/proc/{}/exe", child.id());
        let is_running =
            || std::fs::read_link(&program).is_ok_and(|path| path.ends_with("dispatchlab"));
        wait_until("the shell is replaced", is_running);
        send(child.id(), signal);
        let output = child.wait_with_output().expect("ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{signal}: {stderr}");
    }
}

#[test]
fn a_worker_ends_with_its_parent_however_that_ends() {
    let place = fresh("orphan");
    let (mut child, worker) = start(&place, &[]);
    send(child.id(), "KILL");
    child.wait().expect("ends");
    wait_until("the worker is gone", || is_gone(worker));
}

/// The process of a run that was started for this.
fn child_for(parent: u32, role: &str) -> u32 {
    let mut found = None;
    wait_until(role, || {
        found = workers_of(parent).into_iter().find(|child| {
            let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(role)
        });
        found.is_some()
    });
    found.expect("it was waited for")
}

#[test]
fn an_expansion_ends_with_its_parent_however_that_ends() {
    let place = fresh("expander");
    let text = "{% for i in range(100000) %}{% set x = range(100000)|sort %}{% endfor %}";
    template(
        &place,
        "endless",
        &format!(";! expand = true\nbody:\n{text}\n nop\n"),
    );
    let mut child = command(&place, &["run", "endless.asm"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let expander = child_for(child.id(), "__expand");
    std::thread::sleep(Duration::from_millis(200));
    send(child.id(), "KILL");
    child.wait().expect("ends");
    // By itself it would go on for seconds of the processor.
    let is_soon = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        is_gone(expander)
    });
    assert!(is_soon, "it goes on alone");
}

#[test]
fn a_worker_that_is_killed_before_its_first_row_costs_that_row() {
    let place = fresh("before_the_first");
    template(&place, "good", "body:\n nop\n");
    // Large, so that the worker is still reading when it is killed.
    let names = [
        "run",
        "itab_call[targets=8192]",
        "good.asm",
        "--quick",
        "--json",
    ];
    let child = command(&place, &names)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    send(child_for(child.id(), "__worker"), "KILL");
    let output = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let statuses: Vec<_> = rows(&document)
        .iter()
        .map(|(_, row)| row["status"].clone())
        .collect();
    assert_eq!(statuses, ["error", "ok"], "{document:#}");
    let message = rows(&document)[0].1["diagnostics"][0]["message"].to_string();
    assert!(
        message.contains("ended by SIGKILL from outside"),
        "{message}"
    );
}

#[test]
fn two_runs_take_two_cores_or_say_that_they_disturb_each_other() {
    let place = fresh("side_by_side");
    template(
        &place,
        "busy",
        "body:\n mov ecx, 100\n1: dec ecx\n jnz 1b\n",
    );
    let started = |cpu: &[&str]| {
        let names = [
            "run",
            "busy.asm",
            "busy.asm[align=1]",
            "--json",
            "--time",
            "300",
            "--placements",
            "1",
        ];
        let child = command(&place, &[&names, cpu].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        child_for(child.id(), "__worker");
        child
    };
    let document = |child: Child| -> serde_json::Value {
        let output = child.wait_with_output().expect("ends");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let is_told = |document: &serde_json::Value| {
        document["warnings"]
            .to_string()
            .contains("they disturb each other")
    };
    let first = started(&[]);
    let second = started(&[]);
    let (first, second) = (document(first), document(second));
    let cpu = |document: &serde_json::Value| document["provenance"]["pinned_cpu"].clone();
    assert!(cpu(&first) != cpu(&second) || is_told(&first) || is_told(&second));
    // On one core, the second is told whatever else runs here.
    let cpu = cpu(&first).to_string();
    let first = started(&["--cpu", &cpu]);
    let second = document(started(&["--cpu", &cpu]));
    assert!(is_told(&second), "{second:#}");
    document(first);
}
