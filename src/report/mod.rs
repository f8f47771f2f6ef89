//! The complete report: everything that can be printed, as data.
//!
//! Correct means: a renderer needs nothing but this value, and every number in it stands beside
//! the word for how it was obtained.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::metric::{Basis, FurtherMetric, Metric, Metrics, SiteMisses};
pub use self::published::Held;
pub use self::status::{FaultReport, Status};
use crate::stats::paired::Verdict;
use crate::stats::quantity::noisy;
use crate::stats::{Disturbances, Mode, Quantity};
pub use crate::stats::{Layout, Repeat};
use crate::template::{Clobbers, Cold, Value};

pub mod ablation;
pub mod compiled;
pub mod csv;
#[cfg(test)]
pub(crate) mod fixture;
pub mod fleet;
pub mod gobench;
#[cfg(test)]
pub(crate) mod golden;
pub mod json;
pub mod listing;
mod metric;
pub mod misses;
pub mod overlay;
pub mod page;
pub mod printable;
pub mod published;
mod ruler;
pub mod samples;
pub mod saved;
pub mod stack;
mod status;
pub mod steps;
pub mod sweep;
pub mod terminal;

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checksum {
    /// Hexadecimal with `0x`.
    pub expected: String,
    /// Hexadecimal with `0x`.
    pub actual: String,
}

/// The loop around the body, per iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Around {
    /// Its instructions.
    pub instructions: f64,
    /// Its branches.
    pub branches: f64,
}

/// A run that nothing interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LongRun {
    /// Core cycles of an iteration.
    #[serde(serialize_with = "noisy")]
    pub cycles: f64,
}

/// One scenario's result. A document has the fields in this order, those of [`Row::MEASURED`] only where there are
/// numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// What became of it; of a row that is read back its numbers count.
    #[serde(flatten, skip_deserializing)]
    pub status: Status,
    /// Timed iterations at placement 0.
    #[serde(default)]
    pub iterations: u64,
    /// Sum over one walk, where the template states a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// The numbers; present for `Ok`, and for a recovered `Panic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Whether every result was compared with an expectation.
    #[serde(default)]
    pub verified: bool,
    /// The harness state.
    pub clobbers: Clobbers,
    /// The empty iteration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The cycles over placements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Figures others published, each beside ours.
    #[serde(default)]
    pub published: Vec<Held>,
    /// Chunks left out because the machine disturbed them.
    #[serde(default)]
    pub dropped_samples: u64,
    /// Whether all its samples were disturbed, so that its value may be off by an unknown amount.
    #[serde(default)]
    pub doubtful: bool,
    /// What the machine did to it, by cause; `None` where it was not timed.
    pub disturbances: Option<Disturbances>,
    /// Whether it agrees with a run that nothing interrupts, and its placements with each other; `None` where
    /// that is not known.
    pub settled: Option<bool>,
    /// That run.
    pub long_run: Option<LongRun>,
    /// Whether one value does not describe the row.
    #[serde(default)]
    pub bistable: bool,
    /// The two modes that were seen then.
    #[serde(default)]
    pub modes: Vec<Mode>,
    /// Cycles relative to the suite's reference row, where both have the same harness state.
    #[serde(serialize_with = "noisy")]
    pub ratio: Option<f64>,
    /// Its cold calls, where its parameters ask for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold: Option<ColdCall>,
    /// What models of predictors would miss in it, where they were asked; not read back.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub modelled: Option<misses::Models>,
    /// The modelled functions of Go's runtime that its iterations ran, and that do more in Go.
    #[serde(default)]
    pub modelled_runtime: Vec<ModelledRuntime>,
    /// The loop around the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub around: Option<Around>,
    /// The section of its suite that it is in.
    pub section: Option<String>,
    /// Where compilers and processors of today disagree with what was published, and why.
    pub today: Option<String>,
    /// The template's title.
    pub title: String,
    /// The template's remark for these parameters.
    pub note: Option<String>,
    /// What the reader must know about this row, each with what to do next.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Cycles of chunks that its value is made of, by placement in the order that they ran; of many evenly picked ones.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "noisy"
    )]
    pub chunks: Vec<Vec<f64>>,
    /// Values of parts of its turns, for tools that make intervals of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<Repeat>,
    /// Its code, instruction by instruction, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<listing::Listing>,
    /// The raw samples, where they were asked for; not read back.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub samples: Option<samples::Samples>,
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The base's scenario.
    pub base: String,
    /// The other one's.
    pub other: String,
    /// `cycles`, `ns`, `instructions`, `branches` or `branch_misses`.
    pub metric: Cow<'static, str>,
    /// The other one's over the base's; `None` where there is no such number.
    #[serde(serialize_with = "noisy")]
    pub ratio: Option<f64>,
    /// Lower end of the interval.
    #[serde(serialize_with = "noisy")]
    pub low: Option<f64>,
    /// Upper end of the interval.
    #[serde(serialize_with = "noisy")]
    pub high: Option<f64>,
    /// How likely turns lean as much to one side where there is no difference; `None` for exact
    /// numbers, and where no turns are neighbours.
    #[serde(serialize_with = "noisy")]
    pub p: Option<f64>,
    /// What it comes to; `faster` is fewer where counts are compared. `None` without a ratio.
    pub verdict: Option<Verdict>,
    /// How both numbers were obtained.
    pub basis: Basis,
    /// Pairs of neighbouring turns; `None` where the rows did not take turns.
    pub pairs: Option<u32>,
    /// The numbers themselves: the base's and the other one's.
    #[serde(serialize_with = "noisy")]
    pub values: Option<(f64, f64)>,
    /// Why there is no ratio, or what it rests on where it is not made of neighbouring turns.
    pub why: Option<String>,
}

/// What differs between the code of the base and that of another row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedLine {
    /// `-` in the base only, `+` in the other one only, a blank in both.
    pub side: char,
    /// Name of a section with a colon, or an instruction.
    pub text: String,
}

impl Row {
    /// What is said of a row with numbers only.
    #[rustfmt::skip] // a table: in the order of the fields
    pub const MEASURED: [&str; 11] = [
        "iterations", "verified", "dropped_samples", "doubtful", "disturbances", "settled", "long_run", "bistable",
        "modes", "ratio", "modelled_runtime",
    ];

    /// Its number of a quantity, or why there is none; `None` where it has no numbers at all.
    pub fn metric(&self, quantity: Quantity) -> Option<&Metric> {
        self.metrics.as_ref().map(|metrics| &metrics[quantity])
    }

    /// The number itself.
    pub fn value(&self, quantity: Quantity) -> Option<f64> {
        self.metric(quantity)?.value
    }

    /// What a reader must act on before using its numbers.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = self.warnings.clone();
        // A worker's own words for the same, where there are any, name the remedy too.
        if self.doubtful && cautions.is_empty() {
            cautions.push("disturbed throughout: off by an unknown amount; run it again".into());
        }
        let has_value = |metrics: &Metrics| metrics[Quantity::Cycles].value.is_some();
        // Where there is no value the reason names them.
        if let [fast, slow] = &self.modes[..]
            && self.metrics.as_ref().is_none_or(has_value)
        {
            cautions.push(format!(
                "bistable: {:.2} cycles in {:.0} % of turns, {:.2} in {:.0} %, so one value does not describe it; \
                 run it again with a longer --time",
                fast.cycles,
                fast.share * 100.0,
                slow.cycles,
                slow.share * 100.0
            ));
        }
        cautions
    }

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
        self.metric(Quantity::Instructions)?.stepped
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
    /// What held the loop against the CPU's own count of its iterations; `None` where nothing was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoint: Option<LoopHeads>,
    /// The command line, without the program's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// SHA-256 of the seed and the rows as they ran, whose code, data and walks it tells from others'; `None` where
    /// nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_sha256: Option<String>,
}

/// How often the head of the first row's loop ran, by an execution breakpoint of the CPU, which no code of this program
/// counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopHeads {
    /// Iterations that were asked for.
    pub iterations: u64,
    /// Those that the CPU counted; `None` where it counts none here.
    pub counted: Option<u64>,
    /// Why it counts none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl LoopHeads {
    /// What must be said before any number: that the loop did not run as often as it was asked to.
    pub fn warning(&self) -> Option<String> {
        let counted = self.counted.filter(|counted| *counted != self.iterations)?;
        Some(format!(
            "the loop of the first row ran {counted} times, by a breakpoint of the CPU, where {} iterations were asked for: \
             believe no number here, and run `dispatchlab doctor`",
            self.iterations
        ))
    }
}

/// Everything that can be printed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The machine and the run.
    pub provenance: Provenance,
    /// The rows in the order asked for.
    pub rows: Vec<Row>,
    /// What came of holding rows against the first one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// What stands in the code of the others and not in the first one's, and the other way round.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<CodeChange>,
    /// What parts cost, where some were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ablation: Option<ablation::Ablation>,
    /// What was scanned, where something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<sweep::Sweep>,
    /// The function that the rows run, as compilers have made it, where `go` has had it compiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiled: Option<compiled::Compiled>,
    /// The folder whose files stood over those of their names, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<overlay::Overlay>,
    /// Whether the rows stand under the sections that they are in.
    #[serde(skip)]
    pub by_section: bool,
    /// The reference row of the ratios, if any.
    pub reference: Option<String>,
    /// Warnings about the run as a whole.
    pub warnings: Vec<String>,
    /// The signal that ended the run before it was done.
    #[serde(skip)]
    pub interrupted: Option<i32>,
}

impl Report {
    /// Whether anything was measured or counted.
    pub fn has_numbers(&self) -> bool {
        self.rows.iter().any(|row| row.metrics.is_some())
    }
}
