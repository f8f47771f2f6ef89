//! The complete report: everything that can be printed, as data.
//!
//! Correct means: a renderer needs nothing but this value, and every number in it stands beside
//! the word for how it was obtained.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::published::Held;
pub use crate::stats::Layout;
use crate::stats::paired::Verdict;
use crate::stats::{Disturbances, Mode, Settled};
use crate::template::{Clobbers, Cold, Value};
use crate::text::diagnostic::Diagnostic;

pub mod ablation;
pub mod csv;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
pub(crate) mod golden;
pub mod json;
pub mod misses;
pub mod printable;
pub mod published;
pub mod samples;
pub mod saved;
pub mod stack;
pub mod steps;
pub mod sweep;
pub mod text;

/// How a number was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Read from a clock or counter while the code ran; has noise.
    Measured,
    /// Counted; has none.
    Exact,
    /// Derived from measurements by a stated rule.
    Inferred,
    /// Computed by a model of the hardware.
    Modelled,
    /// Not to be had here.
    Unsupported,
}

impl Basis {
    /// The word for it, in JSON and in text.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::Exact => "exact",
            Basis::Inferred => "inferred",
            Basis::Modelled => "modelled",
            Basis::Unsupported => "unsupported",
        }
    }
}

/// One number with its interval, basis and source, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Per iteration; `None` if and only if the basis is `Unsupported`.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// How it was obtained.
    pub basis: Basis,
    /// `pmu`, `clock`, `step`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Iterations that were stepped, where the count is that of a prefix of the walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stepped: Option<u64>,
    /// The harness's own, per iteration, which were counted too and are known exactly: the value is
    /// without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtracted: Option<f64>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The metrics of a row, in the order of the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Nanoseconds per iteration.
    pub ns: Metric,
    /// Core cycles per iteration, never TSC ticks.
    pub cycles: Metric,
    /// Instructions of the template's own code per iteration.
    pub instructions: Metric,
    /// Branches of the template's own code per iteration.
    pub branches: Metric,
    /// Branch misses per iteration of the whole loop.
    pub branch_misses: Metric,
    /// Blocks that the modelled allocator gave out per iteration.
    #[serde(default = "Metric::uncounted")]
    pub allocs: Metric,
    /// Bytes asked for in them.
    #[serde(default = "Metric::uncounted")]
    pub alloc_bytes: Metric,
}

impl Metric {
    /// What a report of an earlier version does not have.
    fn uncounted() -> Metric {
        let why = "the version that wrote this report did not count it; measure it again";
        Metric {
            value: None,
            low: None,
            high: None,
            basis: Basis::Unsupported,
            source: None,
            stepped: None,
            subtracted: None,
            why: Some(why.into()),
        }
    }
}

/// The number of an event beside those of the columns.
#[derive(Debug, Clone, PartialEq)]
pub struct FurtherMetric {
    /// As perf names it.
    pub name: String,
    /// `count`, or `ns`.
    pub unit: &'static str,
    /// The number, of one iteration of the whole loop.
    pub metric: Metric,
}

/// The misses of one branch that a template studies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteMisses {
    /// Its label.
    pub label: String,
    /// Its line in the template.
    pub line: u32,
    /// How often an iteration runs it; `None` where that is not known.
    pub executions: Option<f64>,
    /// Iterations that this is the mean of, where they are not the whole walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traced: Option<u64>,
    /// Misses per iteration; `None` where there is no number.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub high: Option<f64>,
    /// Comparisons that it stands for: with several, the number is of iterations with at least one miss.
    pub comparisons: u32,
    /// Whether it was noise that took the number, so that another run may have one.
    #[serde(default, rename = "lost", skip_serializing_if = "std::ops::Not::not")]
    pub is_lost: bool,
    /// Why there is no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What the empty iteration of the same walk takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Core cycles.
    pub cycles: Metric,
    /// Instructions of the harness itself.
    pub instructions: Metric,
}

/// What a first call costs, where some state is scrubbed in front of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColdCall {
    /// What is scrubbed: `predictor`, `icache` or `dcache`.
    pub scrubbed: Cold,
    /// Core cycles that the body adds to an entry with one iteration, behind a scrub.
    pub cycles: Metric,
    /// The same without a scrub.
    pub warm: Metric,
    /// Nanoseconds that a scrub takes; in no other number.
    pub scrub_ns: Metric,
    /// Timed entries behind a scrub.
    pub entries: u64,
    /// Whether most of it was disturbed, so that the numbers rest on disturbed entries.
    pub doubtful: bool,
}

/// Expected and actual sum of the results over one walk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checksum {
    /// Hexadecimal with `0x`.
    pub expected: String,
    /// Hexadecimal with `0x`.
    pub actual: String,
}

/// A fault: the run went wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultReport {
    /// `signal`, `clobber`, `stack`, `flags` or `exit`; none of a timeout, whose status says it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `SIGSEGV` and the like, where a signal ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The system call that was stopped, as `man 2 syscalls` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Faulting address; null when the CPU gives none.
    pub address: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// Template file.
    pub template: String,
    /// Template line, where it is known.
    pub line: Option<u32>,
    /// The instruction's text on that line.
    pub text: Option<String>,
    /// General-purpose registers at the fault, by name, hexadecimal.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<String, String>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// It has numbers.
    Ok,
    /// A modelled Go panic, with Go's message and whether the parameters asked for it.
    Panic {
        /// Go's own words.
        message: String,
        /// Whether `receiver=nil` asked for it.
        asked_for: bool,
    },
    /// It crashed, clobbered or left without a result.
    Fault(FaultReport),
    /// It ran out of time; the line is where it was at work.
    Timeout(FaultReport),
    /// It computed a wrong result.
    WrongResult {
        /// Walk element, counted from 0.
        element: u64,
        /// What it should have been.
        expected: u64,
        /// What it was.
        actual: u64,
    },
    /// The template does not assemble or link.
    Error(Vec<Diagnostic>),
    /// Something outside ended the worker; the template did nothing wrong.
    Ended {
        /// The template's file, of which nothing is said.
        template: String,
        /// Who and what, in one sentence without a full stop.
        message: String,
        /// What to do next.
        help: String,
    },
}

impl Status {
    /// The word for it, in JSON and in text.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Panic { .. } => "panic",
            // The filter answers a system call with this signal, and nothing else sends it.
            Status::Fault(report) if report.signal.as_deref() == Some("SIGSYS") => "forbidden",
            Status::Fault(_) => "fault",
            Status::Timeout(_) => "timeout",
            Status::WrongResult { .. } => "wrong-result",
            Status::Error(_) | Status::Ended { .. } => "error",
        }
    }
}

/// One scenario's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// The template's name.
    pub template: String,
    /// `embedded`, or the file's path.
    pub template_path: String,
    /// SHA-256 of the template's text.
    pub template_sha256: String,
    /// Every bound parameter.
    pub params: BTreeMap<String, Value>,
    /// The template's title.
    pub title: String,
    /// What became of it.
    pub status: Status,
    /// Timed iterations at placement 0.
    pub iterations: u64,
    /// Sum over one walk, where the template states a result.
    pub checksum: Option<Checksum>,
    /// The numbers; present for `Ok`, and for a recovered `Panic`.
    pub metrics: Option<Metrics>,
    /// The branches that its misses are inferred from, each by itself; empty where they are not inferred.
    pub sites: Vec<SiteMisses>,
    /// The events beside those of the columns that were asked for.
    pub further: Vec<FurtherMetric>,
    /// Cycles relative to the suite's reference row, where both have the same harness state.
    pub ratio: Option<f64>,
    /// Whether every result was compared with an expectation.
    pub verified: bool,
    /// The harness state.
    pub clobbers: Clobbers,
    /// The empty iteration.
    pub baseline: Option<Baseline>,
    /// Its cold calls, where its parameters ask for them.
    pub cold: Option<ColdCall>,
    /// Instructions and branches of the loop around the body, per iteration.
    pub around: Option<[f64; 2]>,
    /// The cycles over placements.
    pub layout: Option<Layout>,
    /// Figures others published, each beside ours.
    pub published: Vec<Held>,
    /// The section of its suite that it is in.
    pub section: Option<String>,
    /// Where compilers and processors of today disagree with what was published, and why.
    pub today: Option<String>,
    /// Whether all its samples were disturbed, so that its value is too high by an unknown amount.
    pub doubtful: bool,
    /// Chunks left out because the machine disturbed them.
    pub dropped_samples: u64,
    /// What the machine did to it, by cause; `None` where it was not timed.
    pub disturbances: Option<Disturbances>,
    /// Whether it agrees with a run that nothing interrupts, and its placements with each other; `None` where
    /// that is not known.
    pub settled: Option<Settled>,
    /// The two modes that were seen, where one value does not describe the row.
    pub modes: Option<[Mode; 2]>,
    /// What models of predictors would miss in it, where they were asked.
    pub modelled: Option<misses::Models>,
    /// The modelled functions of Go's runtime that its iterations ran, and that do more in Go.
    pub modelled_runtime: Vec<ModelledRuntime>,
    /// The template's remark for these parameters.
    pub note: Option<String>,
    /// The raw samples, where they were asked for.
    pub samples: Option<samples::Samples>,
    /// What the reader must know about this row, each with what to do next.
    pub warnings: Vec<String>,
}

/// A modelled function of Go's runtime that iterations ran, or may have run: a time in which it is one is not Go's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelledRuntime {
    /// Without `runtime.`.
    pub function: String,
    /// How often an iteration enters it.
    pub calls: f64,
    /// Its own instructions each time.
    pub instructions: f64,
    /// How many those are in Go, or what Go's does beside.
    pub in_go: String,
    /// Whether `in_go` is a number of instructions.
    pub is_counted: bool,
    /// Whether no iteration that was counted ran it, and code leads to it: a later one may have, and how often and
    /// for how long is not known (`calls` and `instructions` are 0).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may: bool,
}

impl ModelledRuntime {
    /// One sentence without a full stop.
    pub fn sentence(&self) -> String {
        let own = (self.instructions * 10.0).round() / 10.0;
        let function = &self.function;
        if self.may {
            return format!(
                "{function} is modelled, and may have run behind the iterations that were counted"
            );
        }
        match self.is_counted {
            true => format!(
                "{function} is modelled: {own} instructions for Go's {}",
                self.in_go
            ),
            false => format!("{function} is modelled, {own} instructions: {}", self.in_go),
        }
    }
}

/// One metric of one row held against the same one of the base.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The base's scenario.
    pub base: String,
    /// The other one's.
    pub other: String,
    /// `cycles`, `ns`, `instructions`, `branches` or `branch_misses`.
    pub metric: &'static str,
    /// The other one's over the base's; `None` where there is no such number.
    pub ratio: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// How likely turns lean as much to one side where there is no difference; `None` for exact
    /// numbers, and where no turns are neighbours.
    pub p: Option<f64>,
    /// What it comes to; `faster` is fewer where counts are compared. `None` without a ratio.
    pub verdict: Option<Verdict>,
    /// How both numbers were obtained.
    pub basis: Basis,
    /// Pairs of neighbouring turns; `None` where the rows did not take turns.
    pub pairs: Option<u32>,
    /// The numbers themselves: the base's and the other one's.
    pub values: Option<(f64, f64)>,
    /// Why there is no ratio, or what it rests on where it is not made of neighbouring turns.
    pub why: Option<String>,
}

/// What differs between the code of the base and that of another row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CodeChange {
    /// The base's scenario.
    pub base: String,
    /// The other one's.
    pub other: String,
    /// Bytes of the template's code: the base's and the other one's.
    pub bytes: [u64; 2],
    /// Instructions in them.
    pub instructions: [u64; 2],
    /// The listings, line by line.
    pub lines: Vec<ChangedLine>,
}

/// A line of a listing, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedLine {
    /// `-` in the base only, `+` in the other one only, a blank in both.
    pub side: char,
    /// Name of a section with a colon, or an instruction.
    pub text: String,
}

impl Row {
    /// What its times rest on that is not Go's; `None` where there is no such thing.
    pub fn modelled_remark(&self) -> Option<String> {
        let pieces = self.modelled_runtime.iter().map(ModelledRuntime::sentence);
        let pieces: Vec<String> = pieces.collect();
        let is_sure = self.modelled_runtime.iter().any(|one| !one.may);
        let is = if is_sure { "is" } else { "may be" };
        (!pieces.is_empty()).then(|| {
            format!(
                "{}; so this {is} not the time that Go takes",
                pieces.join("; ")
            )
        })
    }

    /// The share of its chunks that the machine disturbed; 0 where nobody looked.
    pub fn disturbed_share(&self) -> f64 {
        let chunks = self.disturbances.map_or(0, |found| found.chunks);
        self.dropped_samples as f64 / chunks.max(1) as f64
    }

    /// Iterations whose instructions and branches were counted, where later ones may differ from them.
    pub fn stepped(&self) -> Option<u64> {
        self.metrics.as_ref()?.instructions.stepped
    }

    /// Whether most of what was measured of it was disturbed, so that it should be measured again.
    pub fn is_disturbed(&self) -> bool {
        const MOSTLY: f64 = 0.5;
        self.doubtful || self.disturbed_share() > MOSTLY
    }
}

/// Where the events of one column come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceLine {
    /// `ns`, `cycles`, `instructions`, `branches` or `branch_misses`.
    pub event: String,
    /// `clock`, `step`, …; `none` where it is unsupported.
    pub source: String,
    /// How its numbers are obtained.
    pub basis: Basis,
    /// Why this source and no better one.
    pub why: String,
}

/// Everything about the machine and the run that a number depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Name and version of this tool.
    pub tool: String,
    /// CPU brand.
    pub cpu: String,
    /// CPUID family.
    pub family: u32,
    /// CPUID model.
    pub model: u32,
    /// Microcode revision, where the kernel shows it.
    pub microcode: Option<String>,
    /// Kernel release.
    pub kernel: String,
    /// Hypervisor name, if any.
    pub hypervisor: Option<String>,
    /// CPU the worker was pinned to.
    pub pinned_cpu: Option<u32>,
    /// Time stamp counter frequency.
    pub tsc_hz: Option<f64>,
    /// Core frequency seen during the run.
    pub core_hz: Option<f64>,
    /// (max − min) / median of it, over the rows.
    pub core_hz_spread: Option<f64>,
    /// Seed of walks and intervals.
    pub seed: u64,
    /// UTC, `YYYY-MM-DDThh:mm:ssZ`.
    pub date: String,
    /// One line per event.
    pub sources: Vec<SourceLine>,
    /// What the last `doctor` inferred of the branch predictors of this machine state; `None` where
    /// there was none.
    #[serde(default)]
    pub predictor: Option<String>,
}

/// Everything that can be printed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The machine and the run.
    pub provenance: Provenance,
    /// The rows in the order asked for.
    pub rows: Vec<Row>,
    /// What came of holding rows against the first one.
    pub comparisons: Vec<Comparison>,
    /// What stands in the code of the others and not in the first one's, and the other way round.
    pub changes: Vec<CodeChange>,
    /// What parts cost, where some were left out.
    pub ablation: Option<ablation::Ablation>,
    /// What was scanned, where something was.
    pub sweep: Option<sweep::Sweep>,
    /// Whether the rows stand under the sections that they are in.
    pub by_section: bool,
    /// The reference row of the ratios, if any.
    pub reference: Option<String>,
    /// Warnings about the run as a whole.
    pub warnings: Vec<String>,
    /// Whether the user ended the run before it was done.
    pub interrupted: bool,
}
