//! The command line: options, and one file for each command.
//!
//! Correct means: results go to stdout, everything else to stderr, and the exit code is the one
//! that the table in docs/method.md gives.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{
    ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::counter::catalogue;
use crate::counter::pmu::{self, EventState};
use crate::diagnostic;
use crate::job::check::{self as job_check, MAX_TIME_MS};
use crate::job::{Counters, FakeScript, Plan};
use crate::link::{PLACEMENT_COUNTS, placements};
use crate::pipeline;
use crate::report::printable;
use crate::report::text::{Style, folded};
use crate::stats::Event;
use crate::template::library::{Library, LoadError};
use crate::worker::parent;

mod ablate;
mod asm;
mod check;
mod compare;
mod doctor;
mod list;
mod misses;
mod names;
mod new;
mod output;
mod record;
mod run;
mod shell;
mod show;
mod step;
mod sweep;

/// Why a command ends without its result.
#[derive(Debug)]
pub enum Stop {
    /// The command line asks for what there is not.
    Usage(String),
    /// Templates are wrong.
    Templates(Vec<diagnostic::Diagnostic>),
    /// A saved job is wrong.
    Job(String),
    /// The counters asked for are not available.
    Counters(String),
    /// The operating system refuses.
    System(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::System(error)
    }
}

/// What does a dynamic call cost on this CPU, and what would other machine code for it cost?
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    files: run::Files,
}

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
crashed or gave a wrong result, 5 counters not available, 130 interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure scenarios, files or suites; a table on stdout [default: the suite `tour`]
    Run {
        /// Scenario `NAME[KEY=VALUE,..]`, template file, suite, or - for stdin
        names: Vec<String>,
        #[command(flatten)]
        files: run::Files,
    },
    /// Measure scenarios, files or saved reports in turns, each against the first
    Compare {
        /// Scenario, template file, or a report of --export-json: what the others are held against
        base: String,
        /// The others
        #[arg(required = true)]
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
        #[arg(required = true)]
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
        name: String,
        /// Confidence of the intervals, all parts together
        #[arg(long, value_name = "SHARE", default_value_t = 0.95, allow_negative_numbers = true, value_parser = confidence)]
        conf: f64,
        #[command(flatten)]
        exports: run::Exports,
    },
    /// List scenarios and suites; a partial name lists what matches
    List {
        /// Part of a name
        part: Option<String>,
    },
    /// Expand, assemble, link and disassemble; runs nothing but with --misses
    Show {
        /// Scenario or template file
        name: String,
        #[command(flatten)]
        shown: show::Shown,
    },
    /// Assemble a fragment: instructions, labels and data, no header; runs nothing
    Asm {
        /// File, or - for stdin [default: -]
        file: Option<String>,
        /// Syntax of the text
        #[arg(long, value_enum, default_value_t = Syntax::Intel)]
        syntax: Syntax,
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
        name: String,
        #[command(flatten)]
        stepped: step::Stepped,
    },
    /// Check template files; diagnostics only
    Check {
        /// Template files, or - for stdin
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// What can be measured here and why not, and a self-check of the harness
    Doctor,
    /// Write a template to start from
    New {
        /// Name of the new template: letters, digits, - and _
        name: String,
        /// Copy this template or file [default: a small one with comments]
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
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
            Command::Completions { .. } => Some("completions"),
            Command::Man { .. } => Some("man"),
            _ => None,
        }
    }
}

/// Options of every command.
#[derive(Debug, Args)]
struct Common {
    /// Bind a parameter: targets=8, order=random, order=hot:90, order=@FILE, work=16, align=0, …
    #[arg(short = 'p', value_name = "KEY=VALUE", global = true, action = ArgAction::Append)]
    parameters: Vec<String>,
    /// Take templates from this folder first [default: ./asm_templates, then the built-in ones]
    #[arg(long, value_name = "DIR", global = true)]
    templates: Option<PathBuf>,
    /// Source of cycles: auto, pmu, clock or none (verify and count only)
    #[arg(long, value_name = "SOURCE", default_value = "auto", global = true)]
    counters: String,
    /// Also count these, each in turns of its own: perf's names or codes, as page-faults or r01c4
    #[arg(short = 'e', value_name = "EVENT,..", global = true, action = ArgAction::Append)]
    events: Vec<String>,
    /// Milliseconds of timing per scenario and placement [default: 40, quick 4, less for each of more than 40 rows of `run`]
    #[arg(long, value_name = "MS", global = true, allow_negative_numbers = true)]
    time: Option<f64>,
    /// Fewer placements and less time
    #[arg(long, global = true)]
    quick: bool,
    /// Pin the worker to this CPU
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    cpu: Option<u32>,
    /// Seed of random walks and of intervals [default: 1]
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Seconds that one entry into generated code may take [default: 3]
    #[arg(long, value_name = "S", global = true, allow_negative_numbers = true)]
    timeout: Option<f64>,
    /// Placements of each row: 1 to 4, 8, 16, 32, 64, or all, which is 64 [default: 4, quick 2]
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    placements: Option<String>,
    /// Print one JSON document
    #[arg(long, global = true)]
    json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto, global = true)]
    color: When,
    /// No progress, no warnings
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// How instructions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Syntax {
    /// As Intel's manuals and NASM have it
    Intel,
    /// As `go tool compile -S` prints it
    Go,
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

/// Parses the command line, runs the command, and prints.
pub fn main() -> ExitCode {
    if let Some(descriptor) = worker_page() {
        bound_memory();
        let Err(error) = crate::worker::child::run(descriptor);
        let _ = writeln!(io::stderr(), "error: {error}");
        return ExitCode::from(2);
    }
    let cli = parse().unwrap_or_else(|error| refuse(&error));
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
            syntax,
            hex,
            allow_undefined,
        } => asm::asm(
            &common,
            file.as_deref().unwrap_or("-"),
            syntax,
            hex,
            allow_undefined,
        ),
        Command::Step { name, stepped } => step::step(&common, &name, stepped),
        Command::Check { files } => check::check(&common, &files),
        Command::Doctor => doctor::doctor(&common),
        Command::New { name, from } => new::new(&common, &name, from.as_deref()),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { dir } => shell::man(&dir),
    };
    let code = match answer {
        Ok(code) => code,
        Err(stop) => explain(&stop, style),
    };
    ExitCode::from(code as u8)
}

/// The descriptor of the shared page, where another process of this program starts this one to run
/// jobs for it. The command line proper does not have this, so no help or completion offers it.
fn worker_page() -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != parent::WORKER {
        return None;
    }
    arguments.next()?.to_str()?.parse().ok()
}

/// Columns of a stream that is no terminal.
const PIPED_WIDTH: usize = 80;
/// Iterations interpreted for a count under `--quick`.
const QUICK_INTERPRETED: u64 = 16_384;
/// Steps verified under `--quick`.
const QUICK_VERIFIED: u64 = 200;

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
    const MOST: u64 = 4 << 30;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_DATA)
        && soft > MOST
    {
        // What may not be limited stays as it was.
        let _ = setrlimit(Resource::RLIMIT_DATA, MOST, hard);
    }
}

/// Says what is wrong with the command line, or prints the help that it asks for, and ends.
fn refuse(error: &clap::Error) -> ! {
    if error.use_stderr() {
        let message = error.render().ansi().to_string();
        let message = folded(&message, 2, width_of(&io::stderr()));
        let _ = anstream::stderr().write_all(message.as_bytes());
    } else {
        let _ = error.print();
    }
    let wrong = error.get(clap::error::ContextKind::InvalidSubcommand);
    if let Some(clap::error::ContextValue::String(name)) = wrong {
        let is_known = Library::embedded().load(name.split('[').next().unwrap_or(name));
        if !matches!(is_known, Err(LoadError::Unknown { .. })) {
            let tip = format!("\n  tip: to measure it: dispatchlab run {name}\n");
            let tip = folded(&tip, 2, width_of(&io::stderr()));
            let _ = io::stderr().write_all(tip.as_bytes());
        }
    }
    std::process::exit(error.exit_code())
}

/// Says on stderr why there is no result, and gives the exit code.
fn explain(stop: &Stop, style: Style) -> i32 {
    let said = |message: &str| folded(&format!("error: {message}\n"), 2, style.width);
    let (text, code) = match stop {
        Stop::Usage(message) => (said(&printable::lines(message)), 2),
        Stop::Templates(diagnostics) => (diagnostic::render(diagnostics, style), 3),
        Stop::Job(message) => (said(&printable::lines(message)), 3),
        Stop::Counters(message) => (said(message), 5),
        // The reader of our output is gone, and wants no word about it.
        Stop::System(error) if error.kind() == io::ErrorKind::BrokenPipe => return 0,
        Stop::System(error) => (said(&error.to_string()), 2),
    };
    let _ = io::stderr().write_all(text.as_bytes());
    code
}

/// Prints a result.
fn print(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

impl Common {
    fn is_coloured(&self, stream: &impl IsTerminal) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_forced =
            is_set("CLICOLOR_FORCE") && std::env::var_os("CLICOLOR_FORCE") != Some("0".into());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto if is_set("NO_COLOR") => false,
            When::Auto => is_forced || stream.is_terminal() && !is_dumb,
        }
    }

    /// How to lay out text on stdout.
    fn style(&self) -> Style {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(std::env::var_os);
        let unicode =
            locale.is_none_or(|locale| locale.to_string_lossy().to_uppercase().contains("UTF"));
        Style {
            width: width_of(&io::stdout()),
            color: self.is_coloured(&io::stdout()),
            unicode,
        }
    }

    /// How to lay out text on stderr.
    fn error_style(&self) -> Style {
        Style {
            width: width_of(&io::stderr()),
            color: self.is_coloured(&io::stderr()),
            ..self.style()
        }
    }

    /// Says what is not a result.
    fn warn(&self, text: &str) {
        if !self.quiet {
            let text = folded(text, 2, width_of(&io::stderr()));
            // Nobody can be told that stderr is gone.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }

    /// The parameters of `-p`.
    fn parameters(&self) -> Result<Vec<(String, String)>, Stop> {
        let split = |text: &String| {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                Stop::Usage(format!(
                    "`-p {text}`: a parameter is KEY=VALUE, for example -p targets=8"
                ))
            })?;
            Ok((key.trim().to_string(), value.trim().to_string()))
        };
        self.parameters.iter().map(split).collect()
    }

    /// How to measure.
    fn settings(&self, reference: Option<String>) -> Result<pipeline::Settings, Stop> {
        let (counters, events) = self.counters(None)?;
        let plan = self.plan_over(pipeline::default_plan(counters))?;
        const SECONDS: f64 = 3.0;
        Ok(pipeline::Settings {
            plan,
            timeout: self
                .checked_timeout()?
                .unwrap_or(Duration::from_secs_f64(SECONDS)),
            reference,
            samples: false,
            events,
        })
    }

    /// A plan, and what the command line says of it.
    fn plan_over(&self, base: Plan) -> Result<Plan, Stop> {
        let quick_ms = self.quick.then_some(4.0);
        let time_ms = self.time.or(quick_ms).unwrap_or(base.time_ms);
        if !(time_ms > 0.0 && time_ms <= MAX_TIME_MS) {
            return Err(Stop::Usage(format!(
                "`--time {time_ms:?}`: milliseconds from above 0 to {MAX_TIME_MS}"
            )));
        }
        let infer_ms = match (self.quick, self.time) {
            (true, _) => 0.0,
            (false, Some(time_ms)) => time_ms / 2.0,
            (false, None) => base.infer_ms,
        };
        let further = if self.events.is_empty() {
            base.further
        } else {
            self.further()?
        };
        let count = self.checked_placements()?.or(self.quick.then_some(2));
        Ok(Plan {
            cpu: self.checked_cpu(base.cpu)?,
            seed: self.seed.unwrap_or(base.seed),
            time_ms,
            infer_ms,
            modelled: if self.quick { 0 } else { base.modelled },
            further,
            placements: count.map_or(base.placements, placements),
            interpreted: if self.quick {
                QUICK_INTERPRETED
            } else {
                base.interpreted
            },
            verified: if self.quick {
                QUICK_VERIFIED
            } else {
                base.verified
            },
            ..base
        })
    }

    /// The names of the events of `-e`.
    fn further(&self) -> Result<Vec<String>, Stop> {
        let events = catalogue::list(&self.events);
        let events = events.map_err(|unknown| Stop::Usage(unknown.to_string()))?;
        Ok(events.into_iter().map(|event| event.name).collect())
    }

    fn checked_placements(&self) -> Result<Option<usize>, Stop> {
        let Some(wanted) = &self.placements else {
            return Ok(None);
        };
        let count = match wanted.as_str() {
            "all" => PLACEMENT_COUNTS.last().copied(),
            _ => wanted.parse().ok(),
        };
        match count.filter(|count| PLACEMENT_COUNTS.contains(count)) {
            Some(count) => Ok(Some(count)),
            None => Err(Stop::Usage(format!(
                "`--placements {wanted}`: 1 to 4, 8, 16, 32, 64 or all"
            ))),
        }
    }

    fn checked_timeout(&self) -> Result<Option<Duration>, Stop> {
        const LONGEST: f64 = 86_400.0;
        let Some(seconds) = self.timeout else {
            return Ok(None);
        };
        if !(0.001..=LONGEST).contains(&seconds) {
            let message = format!("`--timeout {seconds:?}`: seconds from 0.001 to {LONGEST}");
            return Err(Stop::Usage(message));
        }
        Ok(Some(Duration::from_secs_f64(seconds)))
    }

    fn checked_cpu(&self, planned: Option<u32>) -> Result<Option<u32>, Stop> {
        let Some(cpu) = self.cpu.or(planned) else {
            return Ok(None);
        };
        let allowed = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))
            .map_err(io::Error::from)?;
        if allowed.is_set(cpu as usize).unwrap_or(false) {
            return Ok(Some(cpu));
        }
        let usable =
            (0..nix::sched::CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
        let usable: Vec<String> = usable.map(|cpu| cpu.to_string()).collect();
        Err(Stop::Usage(format!(
            "`--cpu {cpu}`: this process may use {}",
            usable.join(", ")
        )))
    }

    /// The source of cycles, and what the hardware counters are good for. A saved job's source
    /// stands where the command line names none.
    fn counters(&self, saved: Option<Counters>) -> Result<(Counters, Vec<EventState>), Stop> {
        let wanted = match (self.counters.as_str(), saved) {
            ("auto", Some(saved)) => saved,
            ("auto", None) => {
                let events = self.verified(pmu::probe())?;
                let is_usable = pmu::is_believed(&events, Event::Cycles);
                let best = if is_usable {
                    Counters::Pmu
                } else {
                    Counters::Clock
                };
                return Ok((best, events));
            }
            ("pmu", _) => Counters::Pmu,
            ("clock", _) => Counters::Clock,
            ("none", _) => Counters::None,
            (other, _) => match other.strip_prefix("fake:") {
                Some(path) => Counters::Fake(fake_script(path)?),
                None => {
                    return Err(Stop::Usage(format!(
                        "`--counters {other}`: auto, pmu, clock or none"
                    )));
                }
            },
        };
        let events = match &wanted {
            Counters::Pmu => self.demanded()?,
            Counters::Fake(script) => script.states().unwrap_or_else(pmu::probe),
            Counters::Clock | Counters::None => pmu::probe(),
        };
        Ok((wanted, events))
    }

    /// The hardware counters, where nothing else will do.
    fn demanded(&self) -> Result<Vec<EventState>, Stop> {
        let events = self.verified(pmu::probe())?;
        let mut cycles = events.iter().filter(|(event, _)| *event == Event::Cycles);
        match cycles.find_map(|(_, state)| state.as_ref().err()) {
            None => Ok(events),
            Some(unavailable) => Err(Stop::Counters(format!(
                "no hardware counters: {}\nhelp: {}; `dispatchlab doctor` tells more, and \
                 --counters clock measures without them",
                unavailable.reason, unavailable.remedy
            ))),
        }
    }

    /// The counters that open, held against known loops by a worker on the CPU of the run.
    fn verified(&self, opened: Vec<EventState>) -> Result<Vec<EventState>, Stop> {
        if !pmu::is_believed(&opened, Event::Cycles) {
            return Ok(opened);
        }
        let plan = Plan {
            cpu: self.checked_cpu(None)?,
            ..pipeline::default_plan(Counters::Pmu)
        };
        Ok(parent::verify_counters(&plan)?)
    }

    /// One line that replaces itself, only where somebody watches.
    fn progress(&self) -> impl FnMut(&str) {
        let shown = !self.quiet && io::stderr().is_terminal();
        move |text: &str| {
            if shown {
                let _ = write!(io::stderr(), "\r\x1b[K{text}");
            }
        }
    }

    /// Removes the progress line.
    fn end_progress(&self) {
        if !self.quiet && io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn fake_script(path: &str) -> Result<FakeScript, Stop> {
    let wrong =
        |why: &dyn std::fmt::Display| Stop::Usage(format!("`--counters fake:{path}`: {why}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let script = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    job_check::fake(&script).map_err(|problem| wrong(&problem))?;
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
