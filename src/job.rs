//! Job and messages: the plain data that cross the process boundary.
//!
//! Correct means: a Job saved to a file and read back is equal, and means the same to any worker
//! of the same version; nothing in it is an address, a handle or a time.

mod carried;
pub mod catalogue;
pub mod check;
mod counters;
pub mod file;
mod placement;

pub use carried::Carried;
pub use counters::{EventState, FurtherState, PmuUse, Unavailable};
pub use placement::{PLACEMENT_COUNTS, PLACEMENTS, Placement, placements};

use serde::{Deserialize, Serialize};

use crate::asm::Program;
use crate::branch::BranchKind;
use crate::formula::Formula;
use crate::go::{HeapKind, HeapSpec, layout};
use crate::injection::{IMAGES_PER_SITE, Injection};
use crate::stats::{Event, Timing};
use crate::template::params::Settings;
use crate::template::{Clobbers, ResultRegister};

/// Everything a worker needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// How to measure.
    pub plan: Plan,
    /// What to measure, in order.
    pub rows: Vec<JobRow>,
}

/// How to measure. A word that means nothing here would be a wish that nobody follows, so it is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// CPU to run on; the one the worker starts on where nothing is said.
    pub cpu: Option<u32>,
    /// Seed of random walks.
    pub seed: u64,
    /// Milliseconds of timing for each image.
    pub time_ms: f64,
    /// How many times as long a row may take while something on the machine disturbs it.
    #[serde(default = "patience")]
    pub patience: f64,
    /// Seconds that a row may take beside the timing that is asked for: its verification is cut to what fits, and a
    /// row that cannot be timed at all in them is refused.
    #[serde(default = "max_row_s")]
    pub max_row_s: f64,
    /// Shortest time of a chunk, nanoseconds; the longest is twice as long.
    pub chunk_ns: f64,
    /// Milliseconds of the run that nothing interrupts, which chunks are held against; 0 for none.
    #[serde(default)]
    pub run_ms: f64,
    /// Placements of each row, the first one's value is reported.
    pub placements: Vec<Placement>,
    /// Where cycles come from.
    pub counters: Counters,
    /// Whether the clock stands in where the hardware's counters are not believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub or_clock: bool,
    /// Whether the hardware was found to count branch misses: each worker finds out for itself.
    #[serde(skip)]
    pub counts_misses: bool,
    /// Steps that a probe or a count may take, each.
    pub step_budget: u64,
    /// Iterations that the interpreter may run for a count.
    #[serde(default = "interpreted")]
    pub interpreted: u64,
    /// Steps of the CPU that the interpreter has to agree with before it is believed.
    #[serde(default = "verified")]
    pub verified: u64,
    /// Milliseconds of timing for both copies that branch misses are inferred from, each in two images; 0
    /// infers none.
    #[serde(default)]
    pub infer_ms: f64,
    /// Why branch misses are not inferred, where `doctor` found that they read wrong on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uninferred: Option<String>,
    /// Iterations that models of predictors are shown beside what is measured; 0 shows none.
    #[serde(default)]
    pub modelled: u64,
    /// Iterations of the first row that an execution breakpoint counts, for the harness to be held against; 0 for none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub heads: u64,
    /// Whether to tell how often each instruction runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executions: bool,
    /// Events to count beside those of the columns, by their names in [`crate::job::catalogue`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<String>,
    /// Whether all rows take turns, to be compared; else one row is timed after the other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// What is asked about each row.
    #[serde(default)]
    pub ask: Ask,
}

/// What is asked of a worker about each row; [`Message`] is what it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// To measure it.
    #[default]
    Measure,
    /// To single-step so many iterations, and tell of them.
    Trace(u64),
    /// To show so many iterations to the models of predictors.
    Model(u64),
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            cpu: None,
            seed: 1,
            time_ms: 40.0,
            patience: patience(),
            max_row_s: max_row_s(),
            chunk_ns: 20_000.0,
            run_ms: 10.0,
            placements: placements(4),
            counters: Counters::Clock,
            or_clock: false,
            counts_misses: false,
            step_budget: 60_000,
            interpreted: interpreted(),
            verified: verified(),
            infer_ms: 20.0,
            uninferred: None,
            modelled: 0,
            heads: 0,
            executions: false,
            further: Vec::new(),
            together: false,
            ask: Ask::Measure,
        }
    }
}

fn is_none(iterations: &u64) -> bool {
    *iterations == 0
}

/// Iterations interpreted by default: a whole walk that draws at random.
pub fn interpreted() -> u64 {
    crate::template::RANDOM_ELEMENTS
}

/// The patience by default.
pub const PATIENCE: f64 = 4.0;

pub(crate) fn patience() -> f64 {
    PATIENCE
}

/// Seconds of a row by default.
pub fn max_row_s() -> f64 {
    60.0
}

/// Steps verified by default.
pub fn verified() -> u64 {
    2000
}

/// The source of cycles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counters {
    /// TSC × calibration chain.
    Clock,
    /// Hardware counters, verified when the worker starts.
    Pmu,
    /// Verify and count only.
    None,
    /// Scripted readings, for tests.
    Fake(FakeScript),
}

/// What the fake source says instead of timing: cycles an iteration by row name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FakeScript {
    /// TSC ticks a second.
    pub tsc_hz: f64,
    /// Core cycles a tick.
    pub cycles_per_tick: f64,
    /// Cycles of one iteration, one value a placement and the baseline last; by scenario name, `*`
    /// for all others.
    pub cycles: std::collections::BTreeMap<String, Vec<f64>>,
    /// What hardware counters read, by the same names and in the same order; where there is any,
    /// the run is one with a PMU.
    #[serde(default)]
    pub events: std::collections::BTreeMap<String, Vec<FakeReading>>,
    /// Cycles of one iteration with less and with more latency in front of the dispatch branch, by
    /// the same names, two for each site, the last two for all others; where there is any, branch misses
    /// are inferred.
    #[serde(default)]
    pub delayed: std::collections::BTreeMap<String, Vec<f64>>,
    /// Counts of further events in one iteration, by the event's name and then by the same names.
    #[serde(default)]
    pub further: std::collections::BTreeMap<String, std::collections::BTreeMap<String, f64>>,
}

/// A scripted reading of hardware counters: an iteration's, the harness's own included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FakeReading {
    /// Core cycles; `None` where they are not counted, as for the others.
    pub cycles: Option<f64>,
    /// Instructions.
    pub instructions: Option<f64>,
    /// Branches.
    pub branches: Option<f64>,
    /// Branch misses.
    pub branch_misses: Option<f64>,
    /// Nanoseconds that the counters are enabled in each entry; 1000 where nothing is said.
    pub time_enabled: Option<u64>,
    /// Nanoseconds that they ran; as long as enabled where nothing is said.
    pub time_running: Option<u64>,
}

/// One scenario, assembled and bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRow {
    /// The scenario's name.
    pub name: String,
    /// Its code.
    pub program: Program,
    /// Its data.
    pub heap: HeapSpec,
    /// What its parameters say of how it is run.
    pub settings: Settings,
    /// The sequence of types of a recorded walk; else empty.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        with = "crate::go::runs"
    )]
    pub recorded: Vec<u32>,
    /// Where an iteration leaves its results.
    #[serde(rename = "result", with = "one_or_many")]
    pub results: Vec<ResultRegister>,
    /// The expected result: one value for each object, or one for all; `None` where nothing is
    /// stated.
    #[serde(with = "crate::go::runs::optional")]
    pub expected: Option<Vec<u64>>,
    /// What each result is, where more decides it than the object that is visited; `expected` is `None` then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Formula>,
    /// The harness state.
    pub clobbers: Clobbers,
    /// Copies of the body in a loop turn.
    pub unroll: u32,
    /// The registers that keep the one receiver of a row without a walk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// What its branch misses are inferred from. Earlier versions saved other copies under another name.
    #[serde(default, rename = "studied")]
    pub injection: Injection,
    /// Registers beside the general ones that its code names, which go from one entry to the next.
    #[serde(default, skip_serializing_if = "Carried::is_none")]
    pub carried: Carried,
}

/// A word of a receiver that stays in a register which no code of the row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The register that keeps it, by hardware number.
    pub from: u8,
    /// The register that the body finds it in.
    pub to: u8,
}

impl JobRow {
    /// Whether each iteration is given a receiver of its own.
    pub fn has_walk(&self) -> bool {
        self.heap.kind != HeapKind::None && !self.settings.is_still
    }

    /// Words of a receiver.
    pub fn words(&self) -> usize {
        layout::receiver_words(self.heap.kind, &self.heap.words)
    }

    /// Whether an iteration is given more than the object that the walk visits.
    pub fn is_by_element(&self) -> bool {
        let mut formulas = self.expect.iter().chain(&self.heap.words);
        !self.settings.element.is_plain() || formulas.any(Formula::is_of_the_element)
    }

    /// Whether an access through a nil pointer is a panic of Go's, and no fault: where the row is asked for nil receivers
    /// or for panics, or recovers from them.
    pub fn answers_nil(&self) -> bool {
        self.heap.nil_receiver || self.settings.panics || self.settings.recover
    }

    /// How many times what is reported is of one turn of the loop: copies of the body, or receivers of a batch.
    pub fn copies(&self) -> u32 {
        self.unroll * self.settings.element.batch.max(1)
    }
}

/// A list that is written as its only member where it has one, and as `null` where it has none.
mod one_or_many {
    use std::fmt;

    use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
    use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
    use serde::ser::{Serialize, Serializer};

    use crate::template::ResultRegister;

    pub(super) fn serialize<S: Serializer>(
        all: &[ResultRegister],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match all {
            [] => serializer.serialize_none(),
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<ResultRegister>, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }

    struct OneOrMany;

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<ResultRegister>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a register, a list of registers, or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            ResultRegister::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }
}

/// What a worker says, one JSON document a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// It cannot run: nothing of any row has.
    Unable {
        /// Why, one sentence without a full stop.
        why: String,
    },
    /// It runs, and where.
    Ready {
        /// The CPU it is pinned to.
        cpu: Option<u32>,
        /// Why its system calls are not filtered, where they are not.
        unfiltered: Option<String>,
    },
    /// What each hardware counter is good for, where they were asked.
    Counters {
        /// In the order of the columns.
        events: Vec<EventState>,
        /// How they are read; `None` where none is believed.
        usage: Option<PmuUse>,
    },
    /// What each event beside those of the columns is good for, where there are any.
    Further {
        /// In the order in which they were asked for.
        events: Vec<FurtherState>,
    },
    /// What a row will take, where that is long.
    Expected {
        /// Index into [`Job::rows`].
        row: usize,
        /// Seconds, all in all.
        seconds: f64,
        /// Nanoseconds of an iteration.
        iteration_ns: f64,
    },
    /// A row's code is what it should be.
    Proved {
        /// Index into [`Job::rows`].
        row: usize,
        /// What was found out on the way.
        proof: Proof,
    },
    /// A row was single-stepped.
    Traced {
        /// Index into [`Job::rows`].
        row: usize,
        /// What it did.
        trace: Trace,
    },
    /// A row's branches were shown to the models.
    Modelled {
        /// Index into [`Job::rows`].
        row: usize,
        /// What each of them would have missed.
        prediction: Prediction,
    },
    /// A row was timed.
    Timed {
        /// Index into [`Job::rows`].
        row: usize,
        /// The readings.
        timing: Timing,
    },
    /// A row went wrong, and the worker goes on with the others.
    Failed {
        /// Index into [`Job::rows`].
        row: usize,
        /// How.
        failure: Failure,
    },
    /// All rows are dealt with.
    Done,
}

impl Message {
    /// The row that it is about.
    pub fn row(&self) -> Option<usize> {
        match self {
            Message::Expected { row, .. }
            | Message::Proved { row, .. }
            | Message::Timed { row, .. }
            | Message::Traced { row, .. }
            | Message::Modelled { row, .. }
            | Message::Failed { row, .. } => Some(*row),
            Message::Unable { .. }
            | Message::Ready { .. }
            | Message::Counters { .. }
            | Message::Further { .. }
            | Message::Done => None,
        }
    }
}

/// What proving a row yields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Instructions and branches of one iteration; `None` where it takes more steps than a count may.
    pub counts: Option<Counts>,
    /// Why those are not the counts of all iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// What models of predictors would miss, where the plan asks for it and the row can be interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// Instructions of the harness in one iteration of the baseline.
    pub harness_instructions: f64,
    /// Instructions and branches of the harness in one iteration around the body.
    pub around_body: Counts,
    /// Sums of the results over one walk; `None` where no result is stated.
    pub checksum: Option<Checksum>,
    /// Elements of the walk.
    pub elements: u64,
    /// How many of them were verified one by one, where there was no time for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_verified: Option<u64>,
    /// The panic that every iteration ended in, where panics are recovered.
    pub panic: Option<PanicAt>,
    /// What the modelled allocator gave out in one iteration.
    #[serde(default)]
    pub allocations: Allocations,
    /// Why the misses of some sites are not inferred after all: a copy with latency in it did not do what
    /// the row does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uninferred: Vec<Uninferred>,
    /// Of each branch that the row studies, how often an iteration runs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteCount>,
    /// The functions of Go's runtime that iterations run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtime: Vec<RuntimeCall>,
    /// How often the head of its loop ran, where the plan asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Heads>,
    /// How often each instruction ran, where the plan asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<Executions>,
}

/// How often an iteration runs each instruction of the template's code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Executions {
    /// Iterations that they are the means of.
    pub iterations: u64,
    /// The instructions that ran.
    pub instructions: Vec<Executed>,
}

/// How often an instruction ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Executed {
    /// The section that it is in, or the modelled function.
    pub function: String,
    /// From the start of that.
    pub offset: u32,
    /// Per iteration.
    pub times: f64,
}

/// How often the head of a row's loop ran, by an execution breakpoint of the CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heads {
    /// Iterations that were asked for.
    pub iterations: u64,
    /// Those that the CPU counted, or why it counts none here.
    pub counted: Result<u64, Unavailable>,
}

/// A function of Go's runtime that a row's iterations run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeCall {
    /// Its symbol.
    pub function: String,
    /// How often an iteration enters it.
    pub calls: f64,
    /// Its own instructions each time, without those of what it calls.
    pub instructions: f64,
}

/// How often an iteration runs a branch that is studied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteCount {
    /// The mean over the walk.
    pub executions: f64,
    /// Iterations that it is the mean of, where they are not the whole walk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traced: Option<u64>,
    /// No more than this on average: the mean where it is of the whole walk, else the most that any iteration
    /// was seen to run it.
    pub most: f64,
    /// Whether it was seen to go one way only; never of a return, which is not predicted by its past.
    pub goes_one_way: bool,
}

/// A branch whose misses are not inferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uninferred {
    /// Which of the branches that the row studies.
    pub site: usize,
    /// Why.
    pub why: String,
}

/// What the modelled allocator gave out, per iteration; it counts both itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Allocations {
    /// Blocks.
    pub blocks: f64,
    /// Bytes asked for in them.
    pub bytes: f64,
    /// The iterations that both are of.
    pub iterations: u64,
}

/// Sums over the results of one walk, modulo 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Of the expected results.
    pub expected: u64,
    /// Of the results that the code left.
    pub actual: u64,
}

/// Instructions and branches of the template's own code.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Instructions per iteration.
    pub instructions: f64,
    /// Branches per iteration.
    pub branches: f64,
    /// Iterations counted, where the count is not that of the whole walk.
    pub stepped: Option<u64>,
    /// Who counted.
    #[serde(default)]
    pub by: CountedBy,
}

/// Who counted instructions and branches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountedBy {
    /// Single-stepping.
    #[default]
    Step,
    /// The interpreter, which agreed with single-stepping.
    Interpreter,
}

impl CountedBy {
    /// The source of a number that it counted.
    pub fn source(self) -> &'static str {
        match self {
            CountedBy::Step => "step",
            CountedBy::Interpreter => "interpreter",
        }
    }
}

/// What a row did, instruction by instruction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Where the data stood, for the names of what registers held.
    pub data: u64,
    /// Where the code stood.
    pub code: u64,
    /// Where frame 0 of the stack stood.
    pub frame: u64,
    /// The machine before each instruction, and after the last one.
    pub steps: Vec<TraceStep>,
    /// Those of the steps that belong to an iteration.
    pub iterations: Vec<TraceIteration>,
    /// Whether the steps ran out before the iterations did.
    pub is_cut_short: bool,
    /// What went wrong, where the process survived it.
    pub failure: Option<Failure>,
}

/// The machine between two instructions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// Address of the next instruction.
    pub ip: u64,
    /// RFLAGS.
    pub flags: u64,
    /// The registers that differ from the step before, by hardware number.
    pub changed: Vec<(u8, u64)>,
}

/// One iteration of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceIteration {
    /// The object it visits.
    pub object: u32,
    /// The step at the head of the loop.
    pub start: usize,
    /// The step at the end of the body; none where it was not reached.
    pub end: Option<usize>,
    /// The result that the row states.
    pub expected: Option<u64>,
    /// The result that it left.
    pub result: Option<u64>,
}

/// What models of branch predictors would have missed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Who traced the branches that they were shown.
    #[serde(default)]
    pub by: CountedBy,
    /// Iterations that they were shown.
    pub iterations: u64,
    /// Iterations in which misses were counted: those behind the warm-up.
    pub counted: u64,
    /// The branches of the template and of what it calls that were executed, by address.
    pub sites: Vec<PredictedSite>,
}

/// What was missed at one branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictedSite {
    /// Where it stands, from the start of the code region.
    pub code_offset: u64,
    /// Its kind.
    pub kind: BranchKind,
    /// How often it was executed in the counted iterations.
    pub executed: u64,
    /// By model, how often it was wrong in them.
    pub misses: Vec<(String, u64)>,
}

/// A modelled panic and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanicAt {
    /// One of the panic kinds of [`crate::link::frame`].
    pub kind: u64,
    /// Return address into the function that panicked, from the start of the code region.
    pub code_offset: u64,
    /// The types that a failed assertion is about, in the order of [`crate::link::frame::PANIC_DOTTYPE`]: bytes from
    /// the start of the data region, 0 for none.
    #[serde(default)]
    pub types: [u64; 3],
}

/// How a row went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// A modelled panic ended it.
    Panic(PanicAt),
    /// A signal ended it.
    Signal {
        /// Signal number.
        signal: i32,
        /// Why the kernel sent it.
        code: i32,
        /// Faulting address, where the CPU gives one.
        address: Option<u64>,
        /// What it was about, where signal and address do not say it.
        #[serde(default)]
        cause: Cause,
        /// Where it happened.
        place: Place,
        /// Where nothing says which instruction it was: those that it can have been, bytes from the start of the
        /// code region.
        #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
        may_be: Box<[u64]>,
        /// The general-purpose registers by hardware number.
        registers: Vec<u64>,
    },
    /// It can write above the bytes that are its own.
    Above {
        /// How far above its `rsp`, bytes.
        slot: u64,
        /// Whether it was the setup; else it was the body.
        in_setup: bool,
        /// The instruction that does.
        place: Place,
    },
    /// It does not end on an instruction: the one behind it swallows its last bytes.
    Unfinished {
        /// Whether it was the setup; else it was the body.
        in_setup: bool,
        /// Its last instruction.
        place: Place,
    },
    /// It changed something that it must leave alone.
    Clobber {
        /// `r15`, `rsp`, `the direction flag`, ….
        what: String,
        /// `clobber`, `stack` or `flags`.
        kind: String,
        /// Whether it was the setup; else it was the body.
        in_setup: bool,
        /// The instruction that changed it.
        place: Place,
    },
    /// A system call was stopped.
    Forbidden {
        /// Its number.
        number: u32,
        /// The architecture it entered as, an `AUDIT_ARCH` of linux/audit.h.
        architecture: u32,
        /// Where it happened.
        place: Place,
    },
    /// The process ended without a result.
    Exit {
        /// Exit status.
        status: i32,
        /// Where it was last seen.
        place: Place,
    },
    /// It ran out of time.
    Timeout {
        /// Milliseconds it was given.
        limit_ms: u64,
        /// Where it was.
        place: Place,
    },
    /// It would take longer than a row may.
    TooLong {
        /// Milliseconds that it would take at the least.
        needed_ms: u64,
        /// Microseconds of an iteration.
        iteration_us: u64,
        /// Milliseconds that it may.
        limit_ms: u64,
    },
    /// It got slower while it was timed, and took longer than a row may.
    Slowed {
        /// Milliseconds of the processor that its long entries had had.
        spent_ms: u64,
    },
    /// A result was wrong.
    WrongResult {
        /// Walk element, or first iteration of a timed chunk, counted from 0.
        element: u64,
        /// Of so many iterations from there on it is the sum.
        iterations: u64,
        /// What it should have been.
        expected: u64,
        /// What it was.
        actual: u64,
    },
    /// The worker could not do its part.
    Worker(String),
    /// Something outside ended the worker, whatever its code did.
    Ended(Outside),
}

/// What a signal was about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// What signal and address say.
    #[default]
    Plain,
    /// `int3`, in one byte or two.
    Breakpoint,
    /// `int1`, which is `icebp`.
    Icebp,
    /// The trap flag was set.
    TrapFlag,
    /// A jump, or the end of a function without one, led between functions.
    Padding,
    /// Code was written to.
    CodeWritten,
    /// Data were run.
    DataRun,
    /// A jump led to where no code stands.
    Nowhere,
    /// A jump led into the middle of an instruction.
    Middle,
    /// The last instruction of a section lacks bytes, and swallowed what stands behind.
    Unfinished,
    /// An access was misaligned while the alignment check flag was set.
    AlignmentCheck,
    /// A locked access crosses two cache lines, and the kernel allows none.
    SplitLock,
    /// The address of an instruction that wants it so is no multiple of this.
    Misaligned(u16),
}

/// What ended a worker from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// A signal.
    Signal {
        /// Its number.
        signal: i32,
        /// The process that sent it, where the kernel says so.
        sender: Option<i32>,
        /// What that process runs, where it is still there.
        name: Option<String>,
    },
    /// The kernel, for want of memory.
    Memory {
        /// MiB that the memory cgroup allows, where it bounds them.
        allowed_mib: Option<u64>,
    },
    /// Its time on the processor was used up (`ulimit -t`).
    Processor {
        /// Seconds of it that are allowed, where they are known.
        allowed_s: Option<u64>,
    },
    /// It never came so far: something that it needs could not be had.
    Unable(String),
    /// It was given no more memory than its limits leave it.
    NoMemory {
        /// The limit that somebody has set, in words.
        limit: Option<String>,
    },
    /// It was stopped, or given no time: so many milliseconds of it, in so many that went by.
    Starved {
        /// Of the processor.
        processor_ms: u64,
        /// That went by.
        passed_ms: u64,
    },
}

/// A place in a row's image, without its address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Bytes from the start of the code region; `None` where it is outside the image.
    pub code_offset: Option<u64>,
    /// The placement of the image.
    pub placement: usize,
    /// Whether it was the baseline image.
    pub baseline: bool,
    /// Where it was one of the images that branch misses are inferred from: which of the sites that have
    /// any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed: Option<usize>,
}

impl Place {
    /// A place in the image of a row with that index, where the baseline has another.
    pub fn in_image(image: usize, baseline: usize, code_offset: Option<u64>) -> Place {
        let delayed = image.checked_sub(baseline + 1);
        Place {
            // Lines are told by the row's own program, which is not what stands there.
            code_offset: code_offset.filter(|_| delayed.is_none()),
            placement: if image < baseline { image } else { 0 },
            baseline: image == baseline,
            delayed: delayed.map(|image| image / IMAGES_PER_SITE),
        }
    }
}

impl Failure {
    /// Where it was in an image that branch misses are inferred from: which of the sites that have any.
    pub fn delayed(&self) -> Option<usize> {
        match self {
            Failure::Signal { place, .. }
            | Failure::Clobber { place, .. }
            | Failure::Forbidden { place, .. }
            | Failure::Exit { place, .. }
            | Failure::Timeout { place, .. }
            | Failure::Above { place, .. }
            | Failure::Unfinished { place, .. } => place.delayed,
            Failure::Panic(_)
            | Failure::TooLong { .. }
            | Failure::Slowed { .. }
            | Failure::WrongResult { .. }
            | Failure::Worker(_)
            | Failure::Ended(_) => None,
        }
    }
}

/// Whether the hardware counts an event, as far as these states say.
pub fn counts(states: &[EventState], event: Event) -> bool {
    let mut states = states.iter();
    states.any(|(other, state)| *other == event && state.is_ok())
}

impl Plan {
    /// Nanoseconds that a row's long entries may take while it is timed: those beside its timing, for each event that is
    /// counted in turns of its own too, what its timing may take where others want the processor, and the
    /// uninterrupted runs of every length of chunks.
    pub fn longest_ns(&self) -> u64 {
        const BESIDE_OTHERS: f64 = 8.0;
        const RUNS: f64 = 100.0;
        let turns = 1.0 + self.further.len() as f64;
        let images = self.placements.len() as f64 + 1.0;
        let asked_s = (self.time_ms + self.infer_ms) * images / 1e3;
        let allowed_s = self.max_row_s + asked_s * BESIDE_OTHERS + self.run_ms * RUNS / 1e3;
        (allowed_s * turns * 1e9) as u64
    }

    /// Rows that each have their whole time.
    pub const UNSHARED: usize = 40;

    /// Milliseconds for each image that sharing leaves a row: three turns of the shortest chunks.
    pub const LEAST_SHARE_MS: f64 = 1.5;
    /// Milliseconds of the run that nothing interrupts, at the least.
    pub const LEAST_RUN_MS: f64 = 1.0;
    /// The patience of rows that share their time: a burst of another process takes in many of them.
    pub const SHARED_PATIENCE: f64 = 2.0;

    /// Lets more rows share the time that so many would have: a long suite then takes a minute and not
    /// three, and each of its rows still has a dozen turns, or three where the run is to be quick.
    pub fn share_time(&mut self, rows: usize) {
        let least = Plan::LEAST_SHARE_MS / self.time_ms;
        let share = Plan::UNSHARED as f64 / rows.max(1) as f64;
        let share = share.max(least).min(1.0);
        self.time_ms *= share;
        self.infer_ms *= share;
        self.run_ms = (self.run_ms * share).max(self.run_ms.min(Plan::LEAST_RUN_MS));
        if rows > Plan::UNSHARED {
            self.patience = self.patience.min(Plan::SHARED_PATIENCE);
        }
    }

    /// The plan as a check of the hardware's counters leaves it.
    pub fn checked(&self, states: &[EventState]) -> Plan {
        let is_pmu = self.counters == Counters::Pmu;
        Plan {
            counters: match is_pmu && self.or_clock && !counts(states, Event::Cycles) {
                true => Counters::Clock,
                false => self.counters.clone(),
            },
            counts_misses: counts(states, Event::Cycles) && counts(states, Event::BranchMisses),
            ..self.clone()
        }
    }

    /// Whether branch misses are inferred, as far as the plan is concerned: where nothing counts them.
    pub fn infers(&self) -> bool {
        let is_source = match &self.counters {
            Counters::Clock => true,
            Counters::Fake(script) => !script.delayed.is_empty(),
            Counters::Pmu => !self.counts_misses,
            Counters::None => false,
        };
        is_source && self.infer_ms > 0.0 && self.uninferred.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_share_the_time_of_forty_down_to_three_turns() {
        let shared = |rows| {
            let mut plan = Plan::default();
            let whole = (plan.time_ms, plan.infer_ms);
            plan.share_time(rows);
            assert!((plan.time_ms / whole.0 - plan.infer_ms / whole.1).abs() < 1e-9);
            assert_eq!(
                plan.patience,
                if rows > 40 { 2.0 } else { 4.0 },
                "{rows} rows"
            );
            plan.time_ms / whole.0
        };
        for (rows, share) in [
            (0, 1.0),
            (1, 1.0),
            (40, 1.0),
            (80, 0.5),
            (400, 0.1),
            (9999, 0.0375),
        ] {
            assert!((shared(rows) - share).abs() < 1e-9, "{rows} rows");
        }
    }
}
