//! The command line: options, and one file for each command.
//!
//! Correct means: results go to stdout, everything else to stderr, and the exit code is the one
//! that the table in docs/method.md gives.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use nix::sys::resource::Resource;

use crate::job::Unavailable;
use crate::prepare::apart;
use crate::sys::process::{has_no_output, hear_of_children, survive_long_files};
use crate::sys::{limits, memory, stack};
use crate::template::library::{Library, LoadError};
use crate::text::{Style, diagnostic, folded};
use crate::text::{paths, printable};
use crate::worker::{parent, standby};

mod ablate;
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

/// What does a dynamic call cost on this CPU, and what would other machine code for it cost?
#[derive(Debug, Parser)]
#[command(version, long_version = BUILD, about, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    files: run::Files,
}

const BUILD: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nbuild: ",
    env!("DISPATCHLAB_BUILD"),
    "\nfeatures: ",
    env!("DISPATCHLAB_FEATURES")
);

const EXAMPLES: &str = "Examples:
  dispatchlab                              the tour: a table of the ways to call
  dispatchlab run 'itab_call[targets=8,order=random]'
  dispatchlab run wrapper_call -p receiver=nil       the panic path
  dispatchlab sweep itab_call -p order=random -P targets=1..64:x2
  dispatchlab ablate wrapper_call          what its checks and its copy cost
  dispatchlab show itab_call --heap        listing and data, nothing runs
  dispatchlab run my.asm --quick           your own template
  dispatchlab compare direct_call itab_call          in turns: ratio, interval
  echo 'call [rax+24]' | dispatchlab asm   the bytes of a line
  dispatchlab doctor                       what can be measured here and why not

Exit codes: 0 ok, 1 a self-check failed, 2 usage, 3 template error, 4 a template
crashed or gave a wrong result, 5 counters not available, 130 interrupted
(128 + signal)";

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure scenarios, files or suites; a table on stdout [default: the suite `tour`]
    Run {
        /// Scenario `NAME[KEY=VALUE,..]`, template file, suite, or - for stdin
        #[arg(value_parser = named())]
        names: Vec<String>,
        #[command(flatten)]
        files: run::Files,
    },
    /// Measure scenarios, files or saved reports in turns, each against the first
    Compare {
        /// Scenario, template file, or a report of --export-json: what the others are held against
        #[arg(value_parser = named())]
        base: String,
        /// The others
        #[arg(required = true, value_parser = named())]
        others: Vec<String>,
        /// Confidence of the intervals, all others together
        #[arg(long, value_name = "SHARE", default_value_t = 0.95, allow_negative_numbers = true, value_parser = confidence)]
        conf: f64,
        /// Exit with 1 where another takes more cycles than the base by more than this, wherever
        /// the code is placed
        #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = percent)]
        fail_above: Option<f64>,
        #[command(flatten)]
        exports: run::Exports,
    },
    /// Scan one parameter or two; of several scenarios, who wins from where
    Sweep {
        /// Scenarios or template files; at each point they take turns
        #[arg(required = true, value_parser = named())]
        names: Vec<String>,
        /// What to scan: KEY=1,2,4 or KEY=0..63 or KEY=0..64:+4 or KEY=1..1024:x2; twice for a grid
        #[arg(short = 'P', value_name = "KEY=VALUES", required = true)]
        axes: Vec<String>,
        /// Confidence of the intervals of each point
        #[arg(long, value_name = "SHARE", default_value_t = 0.95, allow_negative_numbers = true, value_parser = confidence)]
        conf: f64,
        #[command(flatten)]
        exports: run::Exports,
    },
    /// What each marked part of a template costs, by leaving it out
    Ablate {
        /// Scenario or template file
        #[arg(value_parser = named())]
        name: String,
        /// Confidence of the intervals, all parts together
        #[arg(long, value_name = "SHARE", default_value_t = 0.95, allow_negative_numbers = true, value_parser = confidence)]
        conf: f64,
        #[command(flatten)]
        exports: run::Exports,
    },
    /// List scenarios and suites; a partial name lists what matches
    List {
        /// Part of a name; else words of titles and sources
        #[arg(value_parser = named())]
        part: Option<String>,
    },
    /// Expand, assemble, link and disassemble; runs nothing but with --misses
    Show {
        /// Scenario or template file
        #[arg(value_parser = named())]
        name: String,
        #[command(flatten)]
        shown: show::Shown,
    },
    /// Assemble a fragment: instructions, labels and data, no header; runs nothing
    Asm {
        /// File, or - for stdin [default: -]
        #[arg(value_parser = named())]
        file: Option<String>,
        /// Print all bytes as one hex string
        #[arg(long)]
        hex: bool,
        /// Leave the fields of undefined symbols zero instead of refusing them
        #[arg(long)]
        allow_undefined: bool,
    },
    /// Run one or a few iterations instruction by instruction: what each changed, and where it went
    Step {
        /// Scenario or template file
        #[arg(value_parser = named())]
        name: String,
        #[command(flatten)]
        stepped: step::Stepped,
    },
    /// Check templates and suites; diagnostics only
    Check {
        /// Template files, suites, or - for stdin
        #[arg(required = true, value_parser = named())]
        files: Vec<String>,
    },
    /// What can be measured here and why not, and a self-check of the harness
    Doctor {
        /// Write what a maintainer needs of this machine's counters: no name of it or of its users is in it
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Write a template to start from
    New {
        /// Name of the new template: letters, digits, - and _
        #[arg(value_parser = named())]
        name: String,
        /// Copy this template or file [default: a small one with comments]
        #[arg(long, value_name = "NAME", value_parser = named())]
        from: Option<String>,
        /// Make a template of this listing: what a compiler or disassembler printed
        #[arg(long, value_name = "FILE", conflicts_with = "from", value_parser = named())]
        from_listing: Option<String>,
        /// Write one that shows this; latency and throughput take an instruction
        #[arg(long, value_enum, conflicts_with_all = ["from", "from_listing"])]
        kind: Option<new::Kind>,
        /// The instruction of --kind latency or throughput, in quotes
        #[arg(requires = "kind")]
        instruction: Option<String>,
    },
    /// Measure files again whenever they are saved, each run held against the first and the last one
    Watch {
        /// Template files
        #[arg(required = true, value_name = "FILE", value_parser = named())]
        files: Vec<String>,
        /// What runs are held against [default: the first one with numbers]
        #[arg(long, value_name = "FILE", value_parser = named())]
        baseline: Option<String>,
        /// Lines for a log, where a terminal would have a view
        #[arg(long)]
        plain: bool,
    },
    /// A page on this machine with an editor, whose numbers follow each edit; prints its address and opens nothing
    Serve {
        /// Port of the loopback address [default: one that is free]
        #[arg(long, value_name = "N")]
        port: Option<u16>,
    },
    /// The symbols of a program: where, how large, and which bytes
    Sym {
        /// An ELF file: executable, shared object or `.o`
        #[arg(value_parser = named())]
        binary: String,
        /// Part of a name, or an address; up to eight are shown with their bytes
        pattern: Option<String>,
    },
    /// The itabs of a Go program: which type implements which interface, by which functions
    Itab {
        /// A program that Go made, also a stripped one
        #[arg(value_parser = named())]
        binary: String,
        /// INTERFACE or INTERFACE,TYPE, as io.Writer,*os.File
        wanted: Option<String>,
        /// Print their bytes, as `show --heap` does
        #[arg(long)]
        dump: bool,
    },
    /// The tables of methods that C++ and Rust made
    Vtable {
        /// An ELF file with its symbols
        #[arg(value_parser = named())]
        binary: String,
        /// A class or type, or a part of its name
        class: Option<String>,
    },
    /// Where a program decides at run time what to call, and which shipped scenario shows the like
    Sites {
        /// An ELF file: executable, shared object or `.o`
        #[arg(value_parser = named())]
        binary: String,
        /// A function, or a part of its name; without one the kinds are counted
        function: Option<String>,
    },
    /// Machine code of a program as a template: a function, or a method called through its itab
    Import {
        /// An ELF file: executable, shared object or `.o`
        #[arg(value_parser = named())]
        binary: String,
        #[command(flatten)]
        imported: import::Imported,
    },
    /// A function of Go as each Go that is installed compiles it: side by side, run, and compared in turns
    Go {
        /// A file FILE.go that stands alone, or a package
        #[arg(value_parser = named())]
        source: String,
        #[command(flatten)]
        compiled: go::Compiled,
        #[command(flatten)]
        exports: run::Exports,
    },
    /// The types, or targets, that a call site of a running program meets, for `-p order=@FILE`
    Trace {
        #[command(flatten)]
        traced: trace::Traced,
    },
    /// Put saved reports into one page to look at; several are held beside each other
    Report {
        /// Reports of --export-json or --json
        #[arg(required = true, value_name = "RESULT.json", value_parser = named())]
        files: Vec<String>,
        /// The page: HTML that is whole by itself
        #[arg(short, long, value_name = "FILE.html")]
        output: PathBuf,
    },
    /// Print a completion script
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages, one a command
    Man {
        /// Folder; made where it is missing
        dir: PathBuf,
    },
}

impl Command {
    /// Its name, where it has nothing to print as JSON.
    fn without_json(&self) -> Option<&'static str> {
        match self {
            Command::Show { .. } => Some("show"),
            Command::New { .. } => Some("new"),
            Command::Watch { .. } => Some("watch"),
            Command::Serve { .. } => Some("serve"),
            Command::Import { .. } => Some("import"),
            Command::Report { .. } => Some("report"),
            Command::Completions { .. } => Some("completions"),
            Command::Man { .. } => Some("man"),
            Command::Run { .. }
            | Command::Compare { .. }
            | Command::Sweep { .. }
            | Command::Ablate { .. }
            | Command::List { .. }
            | Command::Asm { .. }
            | Command::Step { .. }
            | Command::Check { .. }
            | Command::Sym { .. }
            | Command::Itab { .. }
            | Command::Vtable { .. }
            | Command::Sites { .. }
            | Command::Go { .. }
            | Command::Trace { .. }
            | Command::Doctor { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// How instructions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Syntax {
    /// Line by line as it looks
    Auto,
    /// Destination first, as Intel's manuals, NASM and `-masm=intel` have it
    Intel,
    /// Destination last, with % and $, as GNU as and `gcc -S` have it
    Att,
    /// As `go tool compile -S` prints it
    Go,
}

/// The one sign that can separate statements.
fn separator(text: &str) -> Result<char, String> {
    let sign = text.parse::<char>().ok().filter(|sign| *sign == ';');
    sign.ok_or_else(|| "`;` is the only sign that can separate statements".to_string())
}

/// A name, or a path, which need not be UTF-8.
fn named() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|typed| as_typed(&typed))
}

/// The text of what was typed: a name as reports have it, which is one already, or the very path of a file.
fn as_typed(typed: &OsStr) -> String {
    let Some(text) = typed.to_str() else {
        return paths::named(typed);
    };
    let template = text.split('[').next().unwrap_or(text);
    let file = format!("{template}.asm");
    let recording = text.split_once("=@").map_or("", |(_, path)| path);
    let is_there = |path: &str| Path::new(path).symlink_metadata().is_ok();
    match [text, template, &file, recording].into_iter().any(is_there) {
        true => paths::named(text),
        false => text.to_string(),
    }
}

/// A share above 0.5 and below 1.
fn confidence(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| (0.5..1.0).contains(share))
        .ok_or_else(|| "a share from 0.5 to below 1, such as 0.95".to_string())
}

/// A number of percent, with or without its sign.
fn percent(text: &str) -> Result<f64, String> {
    let number = text
        .trim()
        .trim_end_matches('%')
        .trim_end()
        .parse::<f64>()
        .ok();
    number
        .filter(|percent| percent.is_finite() && *percent >= 0.0)
        .ok_or_else(|| "a number of percent from 0, such as 5 or 5%".to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
