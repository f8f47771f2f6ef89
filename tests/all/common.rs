//! Runs the built binary.

pub(crate) mod browser;
pub(crate) mod fuzz;

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dispatchlab::link::{Image, link_with_data};
use dispatchlab::prepare::Prepared;
use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::template::suite::Member;
use dispatchlab::template::{Library, Suite};
use serde_json::Value;

/// A shipped suite.
pub(crate) fn suite(name: &str) -> Suite {
    let suite = Library::embedded().suite(name).expect("it is sound");
    suite.unwrap_or_else(|| panic!("no suite `{name}`"))
}

/// The rows of a shipped suite, bound.
pub(crate) fn rows_of(name: &str) -> Vec<(Scenario, Member)> {
    let members = suite(name).members.into_iter();
    members.map(|row| (named(&row.scenario), row)).collect()
}

/// A shipped scenario by its name.
pub(crate) fn named(name: &str) -> Scenario {
    let (template, overrides) = parse_name(name).expect("a name");
    let template = Library::embedded().load(&template).expect("it is shipped");
    Scenario::bind(template.into(), &overrides).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The data of an image of [`Prepared::image_at`], all of them.
pub(crate) fn data_of(prepared: &Prepared, image: &Image) -> Vec<u8> {
    let addresses = &image.data_addresses;
    let mut data = vec![0; (addresses.end - addresses.start) as usize];
    link_with_data(&prepared.row, &prepared.heap, image.site, &mut data).expect("it links");
    data
}

/// What a run of the binary left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// What stood on stderr, on one line: where a message is broken depends on the length of the paths
    /// in it, and so on where the tests run.
    pub(crate) fn said(&self) -> String {
        unfolded(&self.stderr)
    }
}

/// Text on one line.
pub(crate) fn unfolded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where a command of the tests keeps what it remembers: one folder for each command, so that a check
/// that fails on a busy machine is not said above the results of other tests.
pub(crate) fn state_home(command: &str) -> PathBuf {
    folder(&format!("state-{command}"))
}

/// Runs `dispatchlab` with arguments, in the package's folder.
pub(crate) fn dispatchlab<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Run {
    let command = arguments
        .first()
        .map_or("tour".into(), |word| word.as_ref().to_string_lossy());
    let output = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("XDG_STATE_HOME", state_home(&command))
        .env("DISPATCHLAB_SCRIPTED", "tests")
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Runs `dispatchlab … --json` and parses what it prints.
pub(crate) fn json<S: AsRef<str>>(arguments: &[S]) -> (i32, Value) {
    let mut all: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    all.push("--json");
    let run = dispatchlab(&all);
    let document = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!(
            "{all:?}: {error}\nstdout: {}\nstderr: {}",
            run.stdout, run.stderr
        )
    });
    (run.code, document)
}

/// The rows of a run, by scenario name.
pub(crate) fn rows(document: &Value) -> Vec<(&str, &Value)> {
    let rows = document["rows"].as_array().expect("rows");
    rows.iter()
        .map(|row| (row["scenario"].as_str().expect("a name"), row))
        .collect()
}

/// A metric's value.
pub(crate) fn value(row: &Value, metric: &str) -> f64 {
    row["metrics"][metric]["value"]
        .as_f64()
        .unwrap_or_else(|| panic!("no {metric} in {row:#}"))
}

/// A folder of the file whose test asks, so that two files may use one name at a time.
#[track_caller]
pub(crate) fn folder(name: &str) -> PathBuf {
    let asks = Path::new(Location::caller().file()).file_stem();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(asks.expect("a source file"))
        .join(name);
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

/// A command to be run in a folder.
pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dispatchlab"));
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .env(
            "XDG_STATE_HOME",
            state_home(arguments.first().unwrap_or(&"tour")),
        )
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

/// Runs in a folder of its own.
pub(crate) fn run_in(directory: &Path, arguments: &[&str]) -> Run {
    let output = command(directory, arguments).output().expect("runs");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// An empty folder of the file whose test asks.
#[track_caller]
pub(crate) fn fresh(name: &str) -> PathBuf {
    let place = folder(name);
    std::fs::remove_dir_all(&place).expect("removes");
    folder(name)
}

/// What a process has in memory.
pub(crate) fn memory_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// The processes that a process has started.
pub(crate) fn workers_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |number: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1) == Some(&parent.to_string())
    };
    numbers.filter(is_child).collect()
}

/// Waits for what comes soon, or, on a busy machine, late. The clock is not asked: this process may be stopped for
/// minutes.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut left = 6000;
    while !is_so() {
        left -= 1;
        assert!(left > 0, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes a template into a folder and returns its path.
pub(crate) fn template(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(format!("{name}.asm"));
    std::fs::write(&path, text).expect("writes");
    path.to_str().expect("UTF-8").to_string()
}

/// Compares with a committed file; `BLESS=1` rewrites it.
pub(crate) fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).expect("writes");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "tests/golden/{name} differs; run with BLESS=1 to rewrite it.\n--- expected\n{expected}\n--- actual\n{actual}"
    );
}
