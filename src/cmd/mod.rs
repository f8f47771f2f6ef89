//! The command line: options, and one file for each command.
//!
//! Correct means: results go to stdout, everything else to stderr, and the exit code is the one
//! that the table in docs/method.md gives.

use std::borrow::Cow;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _};
use nix::sys::resource::Resource;

use crate::job::Unavailable;
use crate::prepare::apart;
use crate::sys::process::{has_no_output, hear_of_children, survive_long_files};
use crate::sys::{limits, memory, stack};
use crate::template::library::{Library, LoadError};
use crate::text::printable;
use crate::text::{Style, diagnostic, folded};
use crate::worker::{parent, standby};

mod ablate;
mod advise;
mod arguments;
mod asm;
mod check;
mod common;
mod compare;
mod doctor;
mod go;
mod import;
mod itab;
mod list;
mod misses;
mod names;
mod new;
mod output;
mod overlay;
mod program;
mod progress;
mod record;
mod report;
mod run;
#[cfg_attr(not(feature = "web"), path = "serve/absent.rs")]
mod serve;
mod shell;
mod show;
mod sites;
mod step;
mod sweep;
mod sym;
mod trace;
mod vtable;
mod watch;

use arguments::{Cli, Command, Syntax, When, named, separator};
use common::Common;

/// Why a command ends without its result.
#[derive(Debug)]
pub enum Stop {
    /// The command line asks for what there is not.
    Usage(String),
    /// Templates are wrong.
    Templates(Vec<diagnostic::Diagnostic>),
    /// A saved job is wrong.
    Job(String),
    /// A compiler refuses a source, in its own words.
    Source(String),
    /// The counters asked for are not available.
    Counters(String),
    /// A signal asks to end, and there is nothing to show yet.
    Signal(i32),
    /// The operating system refuses.
    System(io::Error),
}

impl Stop {
    /// Of several reasons all but the last are said, and that one ends the command.
    fn all(mut reasons: Vec<Stop>, style: Style) -> Result<(), Stop> {
        let last = reasons.pop();
        for reason in &reasons {
            explain(reason, style);
        }
        last.map_or(Ok(()), Err)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(unavailable) => Stop::from(unavailable),
            None => Stop::System(error),
        }
    }
}

impl From<&Unavailable> for Stop {
    fn from(unavailable: &Unavailable) -> Stop {
        Stop::Counters(format!(
            "no hardware counters: {}\nhelp: {}; `dispatchlab doctor` tells more{}",
            unavailable.reason,
            unavailable.remedy,
            match unavailable.remedy.contains("--counters clock") {
                true => "",
                false => ", and --counters clock measures without them",
            }
        ))
    }
}

/// Exit code where the machine leaves too little, as for rows of which it leaves too little.
const TOO_SMALL: i32 = 4;
/// Exit code where the reader of what is printed is gone: as if the signal that says so had ended this process.
const UNREAD: i32 = 128 + libc::SIGPIPE;

/// Bytes of the stack that all runs on: the first thread may have no more than its system leaves it.
const STACK: usize = 8 << 20;

/// Parses the command line, runs the command, and prints.
pub fn main() -> ExitCode {
    // Without memory for it there is none for a template either, and that is said where it is missed.
    stack::on_own(STACK, on_a_stack).unwrap_or_else(|_| on_a_stack())
}

fn on_a_stack() -> ExitCode {
    if let Some((role, descriptor)) = role() {
        bound_memory();
        let ended = match role {
            Role::Worker => crate::worker::child::run(descriptor).map(|never| match never {}),
            Role::Expander => apart::serve(descriptor),
        };
        return match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(io::stderr(), "error: {error}");
                ExitCode::from(2)
            }
        };
    }
    memory::end_on_small_machines_with(TOO_SMALL);
    survive_long_files();
    hear_of_children();
    limits::hear_of_processor_time();
    apart::use_program(parent::this_program());
    let cli = parse().unwrap_or_else(|error| refuse(error));
    bound_memory();
    let style = cli.common.error_style();
    let common = cli.common;
    let is_tour = cli.command.is_none();
    let (command, files) = match cli.command {
        Some(command) => (command, cli.files),
        None => (
            Command::Run {
                names: Vec::new(),
                files: cli.files,
            },
            run::Files::default(),
        ),
    };
    let answer = match command {
        _ if common.json && command.without_json().is_some() => {
            let name = command.without_json().unwrap_or_default();
            Err(Stop::Usage(format!(
                "`{name} --json`: `{name}` has no JSON form; leave --json out"
            )))
        }
        _ if !is_tour && files != run::Files::default() => Err(Stop::Usage(
            "options about files stand behind their command: `dispatchlab run NAME --export-csv FILE`".into(),
        )),
        Command::Run { names, files } => run::run(&common, &names, &files),
        Command::Compare {
            base,
            others,
            conf,
            fail_above,
            exports,
        } => {
            let names: Vec<String> = [base].into_iter().chain(others).collect();
            compare::run(&common, &names, conf, fail_above, &exports)
        }
        Command::Sweep {
            names,
            axes,
            conf,
            exports,
        } => sweep::run(&common, &names, &axes, conf, &exports),
        Command::Ablate {
            name,
            conf,
            exports,
        } => ablate::run(&common, &name, conf, &exports),
        Command::List { part } => list::list(&common, part.as_deref()),
        Command::Show { name, shown } => show::show(&common, &name, shown),
        Command::Asm {
            file,
            hex,
            allow_undefined,
        } => asm::asm(
            &common,
            file.as_deref().unwrap_or("-"),
            hex,
            allow_undefined,
        ),
        Command::Step { name, stepped } => step::step(&common, &name, stepped),
        Command::Check { files } => check::check(&common, &files),
        Command::Doctor { report } => doctor::doctor(&common, report.as_deref()),
        Command::New {
            name,
            from,
            from_listing,
            kind,
            instruction,
        } => {
            let made = new::Made {
                from: from.as_deref(),
                listing: from_listing.as_deref(),
                kind,
                instruction: instruction.as_deref(),
            };
            new::new(&common, &name, &made)
        }
        Command::Watch {
            files,
            baseline,
            plain,
        } => {
            let asked = watch::Asked {
                names: &files,
                baseline: baseline.as_deref(),
                is_plain: plain,
            };
            watch::watch(&common, &asked)
        }
        // What follows an edit is to be quick.
        Command::Serve { port } => serve::serve(
            &Common {
                quick: true,
                ..common
            },
            port,
        ),
        Command::Sym { binary, pattern } => sym::sym(&common, &binary, pattern.as_deref()),
        Command::Itab {
            binary,
            wanted,
            dump,
        } => itab::itab(&common, &binary, wanted.as_deref(), dump),
        Command::Vtable { binary, class } => vtable::vtable(&common, &binary, class.as_deref()),
        Command::Sites { binary, function } => {
            sites::sites(&common, &binary, function.as_deref())
        }
        Command::Import { binary, imported } => import::run(&common, &binary, &imported),
        Command::Go {
            source,
            compiled,
            exports,
        } => go::run(common, &source, &compiled, exports),
        Command::Trace { traced } => trace::run(&common, &traced),
        Command::Advise { advised } => advise::run(&common, &advised),
        Command::Report { files, output } => report::report(&common, &files, &output),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { dir } => shell::man(&dir),
    };
    let code = match answer {
        Ok(code) => code,
        Err(stop) => explain(&stop, style),
    };
    apart::end();
    standby::end();
    ExitCode::from(code as u8)
}

/// What another process of this program starts this one for.
enum Role {
    Worker,
    Expander,
}

/// That, and the descriptor of the page that both share. The command line proper does not have
/// this, so no help or completion offers it.
fn role() -> Option<(Role, i32)> {
    let mut arguments = std::env::args_os().skip(1);
    let role = match arguments.next()?.to_str()? {
        parent::WORKER => Role::Worker,
        apart::EXPAND => Role::Expander,
        _ => return None,
    };
    Some((role, arguments.next()?.to_str()?.parse().ok()?))
}

/// Columns of a stream that is no terminal.
const PIPED_WIDTH: usize = 80;
/// Columns of a stream.
fn width_of(stream: &impl AsFd) -> usize {
    let shown = terminal_size::terminal_size_of(stream);
    shown.map_or(PIPED_WIDTH, |(width, _)| usize::from(width.0))
}

/// Reads the command line.
fn parse() -> Result<Cli, clap::Error> {
    /// Longer lines of prose are hard to read.
    const WIDEST_HELP: usize = 100;
    let width = width_of(&io::stdout()).min(WIDEST_HELP);
    let mut command = Cli::command().term_width(width);
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// An expansion can double a text forty times: the process ends before the machine suffers.
fn bound_memory() {
    // What may not be limited stays as it was.
    let _ = limits::lower_soft(Resource::RLIMIT_DATA, limits::DATA_BYTES);
}

/// Says what is wrong with the command line, or prints the help that it asks for, and ends.
fn refuse(mut error: clap::Error) -> ! {
    if error.use_stderr() {
        let message = match escape_typed(&mut error) {
            false => error.render().ansi().to_string(),
            // Without the colours, which are escapes too.
            true => printable::lines(&error.render().to_string()).into_owned(),
        };
        let message = folded(&message, 2, width_of(&io::stderr()));
        let _ = anstream::stderr().write_all(message.as_bytes());
    } else {
        let style = Style {
            width: width_of(&io::stderr()),
            color: false,
            unicode: true,
        };
        let printed = check_output().and_then(|()| error.print().map_err(unprinted));
        if let Err(stop) = printed {
            std::process::exit(explain(&stop, style));
        }
    }
    let wrong = error.get(ContextKind::InvalidSubcommand);
    if let Some(ContextValue::String(name)) = wrong {
        let is_known = Library::embedded().load(name.split('[').next().unwrap_or(name));
        if !matches!(is_known, Err(LoadError::Unknown { .. })) {
            let tip = format!("\n  tip: to measure it: dispatchlab run {name}\n");
            let tip = folded(&tip, 2, width_of(&io::stderr()));
            let _ = io::stderr().write_all(tip.as_bytes());
        }
    }
    std::process::exit(error.exit_code())
}

/// Escapes what was typed where it stands in an error, and says whether any of it had to be.
fn escape_typed(error: &mut clap::Error) -> bool {
    let escaped = |text: &String| printable::line(text).into_owned();
    let typed: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| {
            let value = match value {
                ContextValue::String(text) => ContextValue::String(escaped(text)),
                ContextValue::Strings(texts) => {
                    ContextValue::Strings(texts.iter().map(escaped).collect())
                }
                _ => return None,
            };
            Some((kind, value))
        })
        .collect();
    for (kind, value) in typed {
        error.insert(kind, value);
    }
    std::env::args_os().any(|argument| {
        let text = argument.to_string_lossy();
        matches!(printable::line(&text), Cow::Owned(_))
    })
}

/// Says on stderr why there is no result, and gives the exit code.
fn explain(stop: &Stop, style: Style) -> i32 {
    let said = |message: &str| {
        let message = format!("error: {message}\n");
        folded(&printable::lines(&message), 2, style.width)
    };
    let (text, code) = match stop {
        Stop::Usage(message) => (said(message), 2),
        Stop::Templates(diagnostics) => (diagnostic::render(diagnostics, style), 3),
        Stop::Job(message) => (said(message), 3),
        // Lines with places, which editors find where they are whole.
        Stop::Source(message) => (format!("error: {}\n", printable::lines(message)), 3),
        Stop::Counters(message) => (said(message), 5),
        Stop::Signal(signal) => return 128 + signal,
        // The reader of our output is gone, and wants no word about it.
        Stop::System(error) if error.kind() == io::ErrorKind::BrokenPipe => return UNREAD,
        Stop::System(error) => (said(&error.to_string()), 2),
    };
    let _ = io::stderr().write_all(text.as_bytes());
    code
}

/// Prints text that has no colours of ours.
fn print_plain(text: &str) -> Result<(), Stop> {
    print(&printable::lines(text))
}

/// Prints a JSON document.
fn print_json(document: &str) -> Result<(), Stop> {
    print(&printable::json(document))
}

/// Prints a result.
fn print(text: &str) -> Result<(), Stop> {
    check_output()?;
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(unprinted)
}

/// Refuses to print into nothing, which is no `/dev/null`: what is lost there nobody has asked to be.
fn check_output() -> Result<(), Stop> {
    match has_no_output() {
        true => Err(Stop::Usage(
            "standard output is closed, so nothing can be printed; `> /dev/null` is what throws it away".into(),
        )),
        false => Ok(()),
    }
}

/// Why a result is not printed, or only its beginning.
fn unprinted(error: io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::System(error),
        _ => output::refusal("standard output", Path::new(""), &error),
    }
}
