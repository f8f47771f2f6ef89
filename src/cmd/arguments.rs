//! The command line as it is typed: commands, options, and what their values may be.
//!
//! Correct means: what is typed is taken as it stands, and what may not stand there is refused with what may.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};

use super::common::Common;
use super::{advise, go, import, new, run, show, step, trace};
use crate::text::paths;

/// What does a dynamic call cost on this CPU, and what would other machine code for it cost?
#[derive(Debug, Parser)]
#[command(version, long_version = BUILD, about, after_help = EXAMPLES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) files: run::Files,
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
pub(super) enum Command {
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
        /// What runs are held against: a template, or a saved report (JSON) [default: the first one with numbers]
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
    /// Which way to choose is the best at a call site, in the order of types that a recording has
    Advise {
        #[command(flatten)]
        advised: advise::Advised,
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
    pub(super) fn without_json(&self) -> Option<&'static str> {
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
            | Command::Advise { .. }
            | Command::Doctor { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// How instructions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Syntax {
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
pub(super) fn separator(text: &str) -> Result<char, String> {
    let sign = text.parse::<char>().ok().filter(|sign| *sign == ';');
    sign.ok_or_else(|| "`;` is the only sign that can separate statements".to_string())
}

/// A name, or a path, which need not be UTF-8.
pub(super) fn named() -> impl TypedValueParser<Value = String> {
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
pub(super) fn confidence(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| (0.5..1.0).contains(share))
        .ok_or_else(|| "a share from 0.5 to below 1, such as 0.95".to_string())
}

/// A number of percent, with or without its sign.
pub(super) fn percent(text: &str) -> Result<f64, String> {
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
