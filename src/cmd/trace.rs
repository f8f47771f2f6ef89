//! `trace`: what a call site of a running program meets, into a file that `order=@FILE` replays.
//!
//! Correct means: the file has the visits of the site in their order; the program runs on as it was when the last one
//! is there; and what it was slowed down by is said.

use std::fmt::Write as _;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::output::{Input, Output};
use super::program::{bytes_of, read};
use super::{Common, Stop, print_json, print_plain};
use crate::binary::Kind;
use crate::binary::sites::{HashTable, How};
use crate::go::Release;
use crate::scenario::{MAX_NUMBERS, parse_name};
use crate::sys::breakpoint::{End, Stopped};
use crate::sys::interrupt;
use crate::sys::process::{ends_within, outlive};
use crate::template::{Library, Template, Value};
use crate::text::paths::named as shown;
use crate::text::{hanging, printable, quoted, word};
use crate::visits::{Recorded, Spot, Summary, watch};

/// What remarks under the report are wide.
const WIDTH: usize = 80;

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
    let file = on_path(Path::new(program)).map_err(Stop::Usage)?;
    let name = shown(&file);
    let output = Output::new_one("-o", &traced.output)?;
    let inputs: Vec<Input> = Input::at(&file).into_iter().collect();
    Output::check(&[&output], &inputs)?;
    let bytes = bytes_of(&name)?;
    let binary = read(&name, &bytes)?;
    if !binary.is_program() {
        let (what, next) = match binary.kind {
            Kind::Object => ("an object file", "link it into a program"),
            _ => (
                "a shared library",
                "sites in libraries are not traced, so link its code into a program",
            ),
        };
        return Err(Stop::Usage(format!(
            "{name} is {what}, which nobody can start; {next}"
        )));
    }
    let spot = Spot::find(&binary, &traced.at).map_err(|why| {
        Stop::Usage(format!(
            "{name}: {why}; `dispatchlab sites {} FUNC` lists them",
            word(&name)
        ))
    })?;
    interrupt::watch();
    let mut command = Command::new(&file);
    command
        .args(arguments)
        .stdout(io::stderr().as_fd().try_clone_to_owned()?);
    let stopped =
        Stopped::start(&mut command).map_err(|error| Stop::Usage(unstarted(&name, &error)))?;
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
        let release = binary.go.as_ref().and_then(|go| go.release);
        let replay = Replay::of(&common.library()?, &spot.how, summary.types.len(), release)?;
        print_plain(&text(&name, &spot, &recorded, &summary, &target, &replay))?;
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

/// Why a program that could be read does not start, or is not traced, and what to do.
fn unstarted(name: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        // Tracing is what is denied so, and starting it with EACCES.
        Some(libc::EPERM) => format!(
            "{name} cannot be traced: {error}; in a container it may take --cap-add=SYS_PTRACE"
        ),
        Some(libc::EACCES) => {
            format!("{name} does not start: {error}; make it executable, with `chmod +x`")
        }
        // The file itself was read.
        Some(libc::ENOENT) => format!(
            "{name} does not start: its loader, which `readelf -l {name}` names, is not here; take a program that is built for \
             this system, or link it statically"
        ),
        _ => format!("{name} does not start: {error}; see whether it starts by itself"),
    }
}

/// The file that the shell would start.
fn on_path(program: &Path) -> Result<PathBuf, String> {
    let is_path = program.as_os_str().as_encoded_bytes().contains(&b'/');
    if is_path {
        return Ok(program.to_path_buf());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    let is_started = |file: &PathBuf| {
        let about = file.metadata();
        about.is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    found.into_iter().find(is_started).ok_or_else(|| {
        let name = shown(program);
        let next = match program.is_file() {
            true => format!("for the file of this folder write ./{name}"),
            false => format!("write its path, as ./{name}"),
        };
        format!("`{name}` is in no folder of PATH as a program; {next}")
    })
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

fn text(
    name: &str,
    spot: &Spot,
    recorded: &Recorded,
    summary: &Summary,
    target: &str,
    replay: &Replay,
) -> String {
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
    let Replay {
        row,
        parameters,
        remarks,
    } = replay;
    let _ = writeln!(
        out,
        "wrote {target}\nnext: dispatchlab run '{row}' {parameters} -p {}",
        word(&format!("order=@{target}"))
    );
    for remark in remarks {
        out += &hanging(remark, "", 2, WIDTH);
    }
    if spot.how.is_by_interface() {
        let _ = writeln!(
            out,
            "or: dispatchlab advise {} {} -p {}",
            word(name),
            quoted(&spot.reference),
            word(&format!("order=@{target}"))
        );
    }
    out
}

/// How the sequence is replayed.
struct Replay {
    /// The shipped scenario that dispatches like the site.
    row: String,
    /// What it takes to visit so many types, as code of that release.
    parameters: String,
    /// In what it is not the site.
    remarks: Vec<String>,
}

impl Replay {
    fn of(
        library: &Library,
        how: &How,
        types: usize,
        release: Option<Release>,
    ) -> Result<Replay, Stop> {
        let row = match how {
            // Its own row has one function; function literals may be many.
            How::FuncValue | How::FuncGuard { .. } => Some("closure".into()),
            _ => how.row(),
        };
        let row = row.unwrap_or_else(|| "itab_call".into());
        let mut remarks = Vec::new();
        let mut parameters = match how {
            How::Hashes { .. } | How::Addresses { .. } | How::Guard { .. } | How::HashTable(_) => {
                remarks.push(of_cases(how, types));
                format!("-p cases={types} -p hit=order")
            }
            _ => format!("-p targets={types}"),
        };
        let (template, _) = parse_name(&row)?;
        let template = library.load(&template)?;
        if let Some(own) = release
            && let Some(nearest) = nearest(&template, own)
        {
            if Some(nearest) != shown_by_default(&template) {
                let _ = write!(parameters, " -p go={nearest}");
            }
            if nearest != own {
                remarks.push(format!(
                    "{row} shows no Go {own}, which the program was made by; Go {nearest} is the nearest that it shows"
                ));
            }
        }
        Ok(Replay {
            row,
            parameters,
            remarks,
        })
    }
}

/// That a row has a case for each type that came, which need not be the site's.
fn of_cases(how: &How, types: usize) -> String {
    if let How::HashTable(HashTable { value: None, .. }) = how {
        return format!(
            "its cases are as many as the targets of the jump that were met, {types}: types whose hashes lie in one slot of the \
             table share a target, so that there may be more types than numbers here"
        );
    }
    let came = match types {
        1 => "its case is the one type that came".to_string(),
        _ => format!("its cases are the {types} types that came"),
    };
    match how {
        How::Hashes { cases: Some(cases) }
        | How::Addresses { cases, .. }
        | How::HashTable(HashTable { cases, .. }) => match *cases == types {
            true => format!("{came}; the site compares with as many, which need not be the same"),
            false => format!("{came}; the site compares with {cases}"),
        },
        How::Guard { itab } => format!("{came}; the site compares with one, of {itab}"),
        _ => format!("{came}; the site may have others"),
    }
}

/// The releases that a template shows, the default first.
fn releases(template: &Template) -> impl Iterator<Item = Release> {
    let all = template.header.params.get("go");
    let all = all.into_iter().flat_map(|param| &param.allowed);
    all.filter_map(|value| match value {
        Value::Text(text) => text.parse().ok(),
        _ => None,
    })
}

fn shown_by_default(template: &Template) -> Option<Release> {
    releases(template).next()
}

/// Of the releases that a template shows the latest up to this one, for code stays as it is until a release changes it;
/// where all are later, the oldest.
fn nearest(template: &Template, own: Release) -> Option<Release> {
    let before = releases(template).filter(|one| *one <= own).max();
    before.or_else(|| releases(template).min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::sites::{HashBits, Place};
    use iced_x86::Register;

    #[test]
    fn a_replay_names_the_release_that_is_not_shown_by_itself_and_says_what_it_is_not() {
        let library = Library::embedded();
        let table = |value| {
            let bits = HashBits { shift: 3, mask: 15 };
            How::HashTable(HashTable {
                table: 0x4000,
                bits,
                cases: 8,
                value,
            })
        };
        let by_table = table(Some(Place::Register(Register::RAX)));
        let by_target = table(None);
        let func_guard = How::FuncGuard {
            function: "main.f".into(),
            address: 1,
        };
        let addresses = How::Addresses { first: 0, cases: 4 };
        let guard = How::Guard {
            itab: "go:itab.main.A,main.I".into(),
        };
        #[rustfmt::skip] // a table: kind, release of the program, the row's parameters, words of a remark
        let table = [
            (How::Itab { slot: 1 },            Some("1.19"), "-p targets=9 -p go=1.19",               None),
            (How::Itab { slot: 1 },            Some("1.27"), "-p targets=9",                          None),
            (How::Itab { slot: 1 },            Some("1.24"), "-p targets=9 -p go=1.19",               Some("shows no Go 1.24")),
            (How::Itab { slot: 1 },            Some("1.9"),  "-p targets=9 -p go=1.10",               Some("shows no Go 1.9")),
            (How::Vtable { slot: 1 },          None,         "-p targets=9",                          None),
            (How::Dictionary,                  Some("1.19"), "-p targets=9 -p go=1.19",               None),
            (How::FuncValue,                   Some("1.27"), "-p targets=9",                          None),
            (func_guard,                       Some("1.27"), "-p targets=9",                          None),
            (by_table,                         Some("1.22"), "-p cases=9 -p hit=order -p go=1.22",    Some("compares with 8")),
            (by_target,                        Some("1.22"), "-p cases=9 -p hit=order -p go=1.22",    Some("share a target")),
            (How::Hashes { cases: Some(8) },   Some("1.27"), "-p cases=9 -p hit=order",               Some("compares with 8")),
            (How::Hashes { cases: Some(9) },   Some("1.27"), "-p cases=9 -p hit=order",               Some("with as many")),
            (addresses,                        Some("1.21"), "-p cases=9 -p hit=order -p go=1.19",    Some("compares with 4")),
            (guard,                            Some("1.27"), "-p cases=9 -p hit=order",               Some("with one, of go:itab.main.A,main.I")),
        ];
        for (how, release, parameters, remark) in table {
            let release = release.map(|text| text.parse().expect("a release"));
            let found = Replay::of(&library, &how, 9, release).expect("a row");
            assert_eq!(found.parameters, parameters, "{how:?} {release:?}");
            let is_closure = matches!(how, How::FuncValue | How::FuncGuard { .. });
            assert_eq!(found.row == "closure", is_closure, "{how:?}");
            let said = found.remarks.concat();
            assert_eq!(said.is_empty(), remark.is_none(), "{said}");
            assert!(said.contains(remark.unwrap_or_default()), "{said}");
            // What is printed can be run.
            let named = format!("{} {parameters}", found.row);
            let given = parameters
                .split("-p ")
                .filter_map(|one| one.trim().split_once('='));
            let (name, mut all) = parse_name(&found.row).expect("a name");
            all.extend(given.map(|(key, value)| (key.into(), value.into())));
            all.push(("order".into(), "cyclic".into()));
            let row = std::sync::Arc::new(library.load(&name).expect("shipped"));
            assert!(
                crate::scenario::Scenario::bind(row, &all).is_ok(),
                "{named}"
            );
        }
    }
}
