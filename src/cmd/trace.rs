//! `trace`: what a call site of a running program meets, into a file that `order=@FILE` replays.
//!
//! Correct means: the file has the visits of the site in their order; the program runs on as it was when the last one
//! is there; and what it was slowed down by is said.

use std::fmt::Write as _;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::output::{Input, Output};
use super::program::{bytes_of, read};
use super::{Common, Stop, print_json, print_plain};
use crate::binary::sites::How;
use crate::scenario::MAX_NUMBERS;
use crate::sys::breakpoint::{End, Stopped};
use crate::sys::interrupt;
use crate::sys::process::{ends_within, outlive};
use crate::template::{Library, Template, Value};
use crate::text::paths::named as shown;
use crate::text::printable;
use crate::visits::{Recorded, Spot, Summary, watch};

/// What to run, and where to look.
#[derive(Debug, Args)]
pub(super) struct Traced {
    /// Write the recording here; a file that is there stays
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The call site, as `sites` prints it: its address, FUNC+0x10, or FUNC where it has one
    #[arg(long, value_name = "SITE")]
    at: String,
    /// Visits that are recorded; the program goes on without being watched then
    #[arg(long, value_name = "N", default_value_t = 262_144, value_parser = visits)]
    visits: usize,
    /// The program and its arguments; what it prints goes to standard error
    #[arg(last = true, required = true, value_name = "PROGRAM", value_parser = clap::value_parser!(std::ffi::OsString))]
    program: Vec<std::ffi::OsString>,
}

/// A number that a recording can have.
fn visits(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    number
        .filter(|number| (1..=MAX_NUMBERS).contains(number))
        .ok_or_else(|| format!("a number of visits from 1 to {MAX_NUMBERS}"))
}

pub(super) fn run(common: &Common, traced: &Traced) -> Result<i32, Stop> {
    let [program, arguments @ ..] = &traced.program[..] else {
        return Err(Stop::Usage("`trace`: name a program behind `--`".into()));
    };
    let file = on_path(Path::new(program));
    let name = shown(&file);
    let output = Output::new_one("-o", &traced.output)?;
    let inputs: Vec<Input> = Input::at(&file).into_iter().collect();
    Output::check(&[&output], &inputs)?;
    let bytes = bytes_of(&name)?;
    let binary = read(&name, &bytes)?;
    let spot = Spot::find(&binary, &traced.at).map_err(|why| {
        Stop::Usage(format!(
            "{name}: {why}; `dispatchlab sites {name} FUNC` lists them"
        ))
    })?;
    interrupt::watch();
    let mut command = Command::new(&file);
    command
        .args(arguments)
        .stdout(io::stderr().as_fd().try_clone_to_owned()?);
    let stopped = Stopped::start(&mut command).map_err(|error| {
        // Starting it is what is denied so, and tracing it with EPERM.
        let next = match error.raw_os_error() == Some(libc::EACCES) {
            true => "it is not executable: chmod +x, or link it where it is an object file",
            false => "in a container it may take --cap-add=SYS_PTRACE",
        };
        Stop::Usage(format!("{name} cannot be traced: {error}; {next}"))
    })?;
    let process = stopped.number();
    let recorded = watch(stopped, &binary, &spot, traced.visits)?;
    if recorded.numbers.is_empty() {
        let why = match recorded.seen.end {
            End::Interrupted => {
                common.warn(&left_alone(&name, process, 0));
                return Err(Stop::Signal(interrupt::seen().unwrap_or_default()));
            }
            End::Ended(status) => format!("it ended ({status})"),
            _ => "it became another program".into(),
        };
        return Err(Stop::Usage(format!(
            "{name}: {} had no visit when {why}, and nothing is written; choose another site, or arguments that lead \
             there",
            spot.name
        )));
    }
    let target = shown(&traced.output);
    output.write(
        &recorded.text(&format!("{} in {name}", spot.name)),
        printable::lines,
    )?;
    let summary = Summary::of(&recorded.numbers, &recorded.names);
    if common.json {
        print_json(&format!("{:#}\n", document(&spot, &recorded, &summary)))?;
    } else {
        print_plain(&text(&name, &spot, &recorded, &summary, &target))?;
    }
    match recorded.seen.end {
        End::Interrupted => {
            common.warn(&left_alone(&name, process, recorded.numbers.len()));
            return Ok(128 + interrupt::seen().unwrap_or_default());
        }
        End::Ended(status) => {
            if let Some(signal) = status.signal() {
                common.warn(&format!("warning: {name} was ended by signal {signal}\n"));
            }
        }
        End::Enough | End::Replaced => {
            if let Some(signal) = outlive(process) {
                common.warn(&format!("warning: {}\n", running(&name, process)));
                return Ok(128 + signal);
            }
        }
    }
    Ok(0)
}

/// The file that the shell would start.
fn on_path(program: &Path) -> PathBuf {
    if program.components().count() > 1 || program.has_root() {
        return program.to_path_buf();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
/// What became of a program whose watching a signal ended, and of what was seen of it.
fn left_alone(name: &str, process: i32, visits: usize) -> String {
    /// A terminal's Ctrl-C goes to the program, too, and most end by it at once.
    const ITS_OWN_END: Duration = Duration::from_millis(100);
    let seen = match visits {
        0 => "no visit was recorded, and nothing is written".to_string(),
        1 => "1 visit was recorded until the signal came".into(),
        _ => format!("{visits} visits were recorded until the signal came"),
    };
    let now = match ends_within(process, ITS_OWN_END) {
        true => format!("{name} has ended, too"),
        false => running(name, process),
    };
    format!("warning: {seen}; {now}\n")
}

fn running(name: &str, process: i32) -> String {
    format!("{name} runs on by itself, process {process}: `kill {process}` ends it")
}

    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    let found = found.into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| program.to_path_buf())
}

/// Seconds for each visit, of those behind the first.
fn per_visit(recorded: &Recorded) -> Option<f64> {
    let behind = recorded
        .numbers
        .len()
        .checked_sub(1)
        .filter(|count| *count > 0)?;
    Some(recorded.took.as_secs_f64() / behind as f64)
}

fn document(spot: &Spot, recorded: &Recorded, summary: &Summary) -> serde_json::Value {
    let visits = recorded.numbers.len();
    let types: Vec<_> = summary
        .types
        .iter()
        .enumerate()
        .map(|(number, one)| {
            json!({ "number": number, "name": one.name, "visits": one.visits, "longest_run": one.longest })
        })
        .collect();
    json!({
        "schema": 1,
        "trace": {
            "site": spot.name,
            "address": format!("{:#x}", spot.address),
            "text": spot.text,
            "kind": spot.how.name(),
            "visits": visits,
            "threads": recorded.seen.threads,
            "seconds": recorded.took.as_secs_f64(),
            "types": types,
            "runs": summary.runs,
            "entropy_bits": summary.entropy,
            "entropy_bits_after_one": summary.entropy_after_one,
        }
    })
}

fn text(name: &str, spot: &Spot, recorded: &Recorded, summary: &Summary, target: &str) -> String {
    let visits = recorded.numbers.len();
    let threads = match recorded.seen.threads {
        1 => "1 thread".to_string(),
        count => format!("{count} threads"),
    };
    let mut out = format!(
        "{}  {}  ({})\n{visits} visits, exact, in a program of {threads}\n\n",
        spot.name,
        spot.text,
        spot.how.name()
    );
    let _ = writeln!(
        out,
        "  {:>6} {:>9} {:>8} {:>12}  met",
        "number", "visits", "share", "longest run"
    );
    for (number, one) in summary.types.iter().enumerate() {
        let share = one.visits as f64 / visits as f64 * 100.0;
        let _ = writeln!(
            out,
            "  {number:>6} {:>9} {share:>6.1} % {:>12}  {}",
            one.visits, one.longest, one.name
        );
    }
    let mean = visits as f64 / summary.runs.max(1) as f64;
    let _ = writeln!(
        out,
        "\n{} runs, {mean:.1} visits each; {:.2} bits of entropy a visit, {:.2} where the one\nbefore is known",
        summary.runs, summary.entropy, summary.entropy_after_one
    );
    if let Some(each) = per_visit(recorded) {
        let _ = writeln!(
            out,
            "slowed down: each visit stopped its thread. One came {:.1} µs behind the one before, what the\nprogram did \
             between them included (measured; {:.0} a second); all else ran at its own speed.",
            each * 1e6,
            1.0 / each.max(1e-9)
        );
    }
    let types = summary.types.len();
    let (row, parameters) = replayed(&spot.how, types);
    let _ = writeln!(
        out,
        "wrote {target}\nnext: dispatchlab run '{row}' {parameters} -p order=@{target}"
    );
    if spot.how.is_by_interface() {
        let site = &spot.name;
        let _ = writeln!(
            out,
            "or: dispatchlab advise {name} '{site}' -p order=@{target}"
        );
    }
    out
}

/// The shipped scenario that dispatches like the site, and what it takes to visit so many types.
fn replayed(how: &How, types: usize) -> (String, String) {
    let row = how.row().unwrap_or_default();
    match how {
        How::Itab { .. } | How::Vtable { .. } | How::JumpTable { by_type: false } => {
            (row, format!("-p targets={types}"))
        }
        How::Hashes { .. } | How::Guard { .. } | How::JumpTable { by_type: true } => {
            (row, format!("-p cases={types} -p hit=order"))
        }
        How::FuncValue | How::Dictionary | How::Linked | How::Other => {
            ("itab_call".into(), format!("-p targets={types}"))
        }
    }
}
