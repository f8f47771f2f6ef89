//! From samples to values: the statistics of docs/method.md, on plain numbers.
//!
//! Correct means: a value depends on nothing but the samples and the seed, and equals what the
//! naive reference in the tests computes.

use serde::{Deserialize, Serialize};

mod bootstrap;
mod calibration;
mod cold;
mod costs;
pub mod coverage;
mod distrust;
mod disturbances;
mod events;
#[cfg(test)]
pub(crate) mod fixture;
mod further;
pub mod knee;
mod modes;
pub mod paired;
pub mod quantile;
pub mod quantity;
pub mod random;
mod segments;
mod settled;
mod slope;

pub use calibration::BEST_WIDTH_TOLERANCE;
pub use cold::{ColdSamples, ColdSummary};
pub use costs::Fate;
pub use distrust::distrust;
pub use disturbances::{Disturbances, Steal};
pub use events::{Counting, Event, Events};
pub use further::{CountedChunk, Further, per_iteration};
pub use modes::Mode;
pub use quantity::Quantity;
pub use settled::{Settled, WithoutValue};
pub use slope::{Bound, bound, misses};

use calibration::Scale;
use costs::Costs;
use quantile::sorted;
use segments::{Rule, Segments, Visit};

/// A calibration beside a chunk: how many ticks a chain of known length took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Ticks of the dependent add chain, its overhead not yet removed.
    pub chain_ticks: u64,
    /// Ticks of the throughput kernel, its overhead not yet removed. The chain cannot see an SMT
    /// sibling that takes issue slots; this can.
    pub width_ticks: u64,
}

/// One timed entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// The turn it belongs to, counted from 0 for each image.
    pub turn: u32,
    /// Which part of the walk it visited, counted from 0.
    pub segment: u32,
    /// Ticks, entry overhead not yet removed.
    pub ticks: u64,
    /// The calibration before it.
    pub before: Calibration,
    /// The calibration after it.
    pub after: Calibration,
    /// What the hardware counted in it, overhead not yet removed; `None` where it was not asked or
    /// its answer refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
}

/// The chunks of one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageSamples {
    /// In the order they ran.
    pub chunks: Vec<Chunk>,
    /// Context switches during each turn, its untimed chunks included; empty where nobody looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<u32>,
}

/// One entry over many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LongRun {
    /// Ticks.
    pub ticks: u64,
    /// Iterations of the loop.
    pub iterations: u64,
    /// The calibration before it.
    pub before: Calibration,
    /// The calibration after it.
    pub after: Calibration,
    /// Times that something else had the CPU meanwhile.
    pub switches: u32,
}

/// A run and the chunks of a row agree where they differ by no more than this: timer interrupts make runs
/// .7 % longer than the median chunk.
pub const AGREES: f64 = 0.02;
/// What the misses of one branch are inferred from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteSamples {
    /// Which of the branches that the row studies.
    pub site: usize,
    /// Iterations per chunk, which are these images' own: their iterations do not overlap.
    pub iterations_per_chunk: u64,
    /// Segments of the walk, likewise.
    pub segments: u32,
    /// Cycles of latency that the second image has more in front of the branch than the first.
    pub added_cycles: f64,
    /// With less and with more latency in front of the branch.
    pub images: [ImageSamples; 2],
    /// Why there is nothing to infer from, where something went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The row's code on two other walks: what it costs where its branch is predicted, and where it is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct References {
    /// Segments of the walk in random order, of as many iterations as the row's.
    pub segments: u32,
    /// At placement 0, staying with one object; each object that was tried is a segment.
    pub one: ImageSamples,
    /// At placement 0, in random order.
    pub random: ImageSamples,
    /// The branch's misses in random order.
    pub missed: SiteSamples,
}

/// What was timed for a row, before any statistics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Iterations per chunk, a power of two.
    pub iterations_per_chunk: u64,
    /// Copies of the body in an iteration of the loop; those are counted.
    #[serde(default = "one")]
    pub unroll: u32,
    /// Segments of the walk.
    pub segments: u32,
    /// Ticks that entering and leaving take with no iteration.
    pub entry_overhead_ticks: u64,
    /// Ticks that entering and leaving a calibration kernel takes.
    pub chain_overhead_ticks: u64,
    /// The least ticks that the width kernel took while this worker ran.
    pub best_width_ticks: u64,
    /// Dependent adds in the calibration chain: its length in core cycles.
    pub chain_cycles: u64,
    /// TSC frequency.
    pub tsc_hz: f64,
    /// Whether chunks do different things by themselves: then their mean is the row's cost, and no quantile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_mean: bool,
    /// The two shortest runs that nothing interrupted; one where that agreed with the chunks, none where none
    /// was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long_runs: Vec<LongRun>,
    /// Branches of an iteration whose target never differs, where those are all there are; else 0.
    #[serde(default)]
    pub direct_branches: f64,
    /// One per placement, placement 0 first.
    pub images: Vec<ImageSamples>,
    /// The empty iteration.
    pub baseline: ImageSamples,
    /// What branch misses are inferred from, site by site; empty where they are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delayed: Vec<SiteSamples>,
    /// What the row's own cycles are held against as a bound of its misses; `None` where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<Box<References>>,
    /// The hardware counters; `None` where they were not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
    /// The events beyond those of the columns that were counted, each in turns of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Further>,
    /// What the hypervisor gave to others meanwhile; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal: Option<Steal>,
    /// Its cold calls; `None` where none were timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold: Option<Box<ColdSamples>>,
}

fn one() -> u32 {
    1
}

/// A value with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value; not a number where there was no sample.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// What is known without a sample.
    pub const NONE: Estimate = Estimate {
        value: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    };
}

/// Core cycles per iteration over the placements of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Placements with a value.
    pub placements: u32,
    /// Smallest value over placements.
    #[serde(serialize_with = "quantity::noisy")]
    pub cycles_min: f64,
    /// Largest value over placements.
    #[serde(serialize_with = "quantity::noisy")]
    pub cycles_max: f64,
    /// Median over placements.
    #[serde(serialize_with = "quantity::noisy")]
    pub cycles_median: f64,
}

/// What the samples of a row say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Core cycles per iteration at placement 0: the hardware's where it was asked, else the
    /// clock's.
    pub cycles: Estimate,
    /// The same by the clock, where they are the hardware's.
    pub cycles_by_clock: Option<Estimate>,
    /// Nanoseconds per iteration at placement 0.
    pub ns: Estimate,
    /// Events per iteration of the whole loop at placement 0, in the order of [`Event::ALL`]; `None`
    /// where there is no reading.
    pub events: [Option<Estimate>; 4],
    /// What a cold call costs; `None` where none was timed.
    pub cold: Option<ColdSummary>,
    /// Timed iterations at placement 0 that entered the value.
    pub iterations: u64,
    /// The values over placements.
    pub layout: Layout,
    /// Core cycles of the empty iteration; `None` where they are lost in what entering takes.
    pub baseline_cycles: Option<Estimate>,
    /// Chunks of all images and the baseline that the machine disturbed. They are left out, except
    /// where an image had no others.
    pub dropped: u64,
    /// What disturbed them.
    pub disturbances: Disturbances,
    /// Whether the value is the mean over its chunks, and no quartile.
    pub is_mean: bool,
    /// Whether it agrees with a run that nothing interrupted, and its placements with each other; `None`
    /// where that is not known.
    pub settled: Option<Settled>,
    /// The two modes that placement 0 ran in, or all placements where they lie apart, where one value does
    /// not describe the row. Not told of a placement that was mostly disturbed, for there the machine has
    /// modes and not the row.
    pub modes: Option<[Mode; 2]>,
    /// Core frequency, in Hz: the median of the clean calibrations.
    pub core_hz: f64,
    /// Whether all chunks at placement 0 were disturbed, so that its value rests on such.
    pub doubtful: bool,
    /// Share of the chunks at placement 0 that the machine disturbed; 1 where all were, and then
    /// the value rests on disturbed chunks.
    pub contended: f64,
}

/// Branch misses of the end of a chunk's loop, where the jump back is not taken for once: between 0, where the
/// predictor has learned when, and 1. As many as a chunk of the empty loop has, which ends alike and has no other
/// branch. `None` where nothing was counted there.
pub fn loop_end(timing: &Timing) -> Option<f64> {
    let counted = |visit: &Visit| visit.events[Event::BranchMisses as usize];
    let baseline = Costs::of(&timing.baseline, timing, &Scale::of(timing));
    let all = sorted(baseline.visits.iter().filter_map(counted));
    let of_a_chunk = |misses: f64| misses * timing.iterations_per_chunk as f64;
    // A chunk that was disturbed may have more, and none has fewer than none.
    quantile::median(&all).map(|misses| of_a_chunk(misses).clamp(0.0, 1.0))
}

/// What became of each chunk: one list for each placement, and last the baseline's.
pub fn fates(timing: &Timing) -> Vec<Vec<Fate>> {
    let scale = Scale::of(timing);
    let images = timing.images.iter().chain([&timing.baseline]);
    images
        .map(|image| Costs::of(image, timing, &scale).fates)
        .collect()
}

/// Chunks of a row that are shown: as many as can be told apart on a line.
const SHOWN: usize = 120;

/// Core cycles per iteration of chunks that enter the value, one list for each placement in the order that they ran,
/// from the source that the value is from: all of them, or of many evenly picked ones.
pub fn shown(timing: &Timing) -> Vec<Vec<f64>> {
    let scale = Scale::of(timing);
    let each = (SHOWN / timing.images.len().max(1)).max(1);
    let of_image = |image: &ImageSamples| {
        let visits = Costs::of(image, timing, &scale).visits;
        let cycles = visits.iter().filter_map(|visit| match is_counted(timing) {
            true => visit.events[Event::Cycles as usize],
            false => Some(visit.cycles),
        });
        let all: Vec<f64> = cycles.collect();
        let count = all.len().min(each);
        // Chunks go through the segments in turn, and a step that is a multiple of their number would meet one of them
        // only: each is taken from anywhere in its step.
        let mut random = random::SplitMix64::new(0);
        let mut picked = |at: usize| {
            let within = random.below(all.len() as u64) as usize;
            all[(at * all.len() + within) / count]
        };
        (0..count).map(&mut picked).collect()
    };
    timing.images.iter().map(of_image).collect()
}

/// Parts that a placement's turns are cut into, for as many values of it: a tool that takes the median of values, and an
/// interval of their ranks, wants six at the least.
const PARTS: usize = 6;

/// A value of its own, of some turns in a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// Index of the placement.
    pub placement: u32,
    /// Iterations that it is of.
    pub iterations: u64,
    /// Core cycles per iteration, by the rule that the row's value has.
    #[serde(serialize_with = "quantity::noisy")]
    pub cycles: f64,
    /// Nanoseconds per iteration, likewise.
    #[serde(serialize_with = "quantity::noisy")]
    pub ns: f64,
}

/// Values of the parts of a row's turns, placement by placement. A row with fewer turns has fewer parts.
pub fn repeats(timing: &Timing) -> Vec<Repeat> {
    let scale = Scale::of(timing);
    let images = timing
        .images
        .iter()
        .map(|image| Costs::of(image, timing, &scale).visits);
    let images: Vec<Vec<Visit>> = images.collect();
    let baseline = Costs::of(&timing.baseline, timing, &scale);
    let rule = rule(
        timing,
        images.first().map_or(&[], |first| first),
        &baseline.visits,
    );
    let mut repeats = Vec::new();
    for (placement, visits) in images.iter().enumerate() {
        let turns: Vec<&[Visit]> = visits.chunk_by(|one, next| one.turn == next.turn).collect();
        let parts = turns.len().min(PARTS);
        for part in 0..parts {
            let own = part * turns.len() / parts..(part + 1) * turns.len() / parts;
            let own: Vec<Visit> = turns[own].concat();
            let ns = Segments::by(rule, &own, |visit| Some(visit.ns)).value();
            if let Some((cycles, ns)) = cycles(rule, &own, timing).value().zip(ns) {
                repeats.push(Repeat {
                    placement: placement as u32,
                    iterations: own.len() as u64 * timing.iterations_per_chunk,
                    cycles,
                    ns,
                });
            }
        }
    }
    repeats
}

/// The share of disturbed chunks above which modes are the machine's.
const MOSTLY: f64 = 0.5;

/// The summary of a row: rules 5 and 7 of docs/method.md, and which chunks to believe.
///
/// Without a sample the values are not numbers and `iterations` is 0.
pub fn summarize(timing: &Timing, seed: u64) -> Summary {
    let scale = Scale::of(timing);
    let images: Vec<Costs> = timing
        .images
        .iter()
        .map(|image| Costs::of(image, timing, &scale))
        .collect();
    let baseline = Costs::of(&timing.baseline, timing, &scale);
    let first: &[Visit] = images.first().map_or(&[], |image| &image.visits);
    let rule = rule(timing, first, &baseline.visits);
    let cycles = |rule, visits: &[Visit]| cycles(rule, visits, timing);
    let values = values(&images, |visits| cycles(rule, visits));
    let settled = settled::settled(timing, &scale, &images, rule);
    let modes = match settled {
        Some(Settled {
            without_value: Some(_),
            ..
        }) => settled::states(&images),
        _ => images
            .first()
            .filter(|image| image.contended <= MOSTLY && rule != Rule::Mean)
            .and_then(|image| modes::modes(&image.visits)),
    };
    let settled = settled::in_turns(settled, modes, timing, (&scale, images.first()));
    let mean = |event: Event| {
        let of = |visit: &Visit| visit.events[event as usize];
        let estimate = bootstrap::estimate(&Segments::by(Rule::Mean, first, of), seed);
        (!estimate.value.is_nan()).then_some(estimate)
    };
    Summary {
        cycles: bootstrap::estimate(&cycles(rule, first), seed),
        cycles_by_clock: is_counted(timing)
            .then(|| {
                bootstrap::estimate(&Segments::by(rule, first, |visit| Some(visit.cycles)), seed)
            })
            .filter(|clock| !clock.value.is_nan()),
        ns: bootstrap::estimate(&Segments::by(rule, first, |visit| Some(visit.ns)), seed),
        events: Event::ALL.map(mean),
        cold: cold::summarize(timing, &scale, seed),
        iterations: first.len() as u64 * timing.iterations_per_chunk,
        layout: layout(&values),
        baseline_cycles: (!is_lost(&timing.baseline, timing))
            .then(|| bootstrap::estimate(&cycles(Rule::LowerQuartile, &baseline.visits), seed)),
        dropped: images
            .iter()
            .chain([&baseline])
            .map(|image| image.dropped)
            .sum(),
        disturbances: disturbances::disturbances(
            timing,
            &scale,
            &images.iter().chain([&baseline]).collect::<Vec<_>>(),
        ),
        settled,
        is_mean: rule == Rule::Mean,
        modes,
        core_hz: core_frequency(timing, &scale),
        doubtful: images.first().is_some_and(|image| image.doubtful),
        contended: images.first().map_or(0.0, |image| image.contended),
    }
}

/// What the visits of a segment come down to. Chunks of one kind of work that were thought to differ, and do
/// not where nothing disturbed them, have a quartile like all others.
/// Nor have those whose empty iterations differ as well: then it is the machine that differs.
fn rule(timing: &Timing, visits: &[Visit], empty: &[Visit]) -> Rule {
    let differ = |visits: &[Visit]| {
        let costs = sorted(visits.iter().map(|visit| visit.cycles));
        let at = |share| quantile::rank(&costs, share).unwrap_or(f64::NAN);
        at(0.75) > at(0.25) * (1.0 + AGREES)
    };
    let has_phases = differ(visits) && !differ(empty);
    if timing.by_mean && (timing.segments > 1 || has_phases) {
        Rule::Mean
    } else {
        Rule::LowerQuartile
    }
}

/// Whether most chunks of an image take less than entering it twice: what is left of them when the
/// overhead is taken off is no more than its own uncertainty. The chunks are sized for the body, so
/// that of one that takes long there may be a single empty iteration in each.
fn is_lost(image: &ImageSamples, timing: &Timing) -> bool {
    let ticks = quantile::sorted(image.chunks.iter().map(|chunk| chunk.ticks as f64));
    let overhead = timing.entry_overhead_ticks as f64;
    quantile::median(&ticks).is_some_and(|median| median < 2.0 * overhead)
}

/// The core cycles of visits, from the source that the row asked; where that counts other events
/// only, from the clock, which stands in for counts that are not believed where the run says so.
fn cycles(rule: Rule, visits: &[Visit], timing: &Timing) -> Segments {
    let counted = |visit: &Visit| visit.events[Event::Cycles as usize];
    match is_counted(timing) {
        true => Segments::by(rule, visits, counted),
        false => Segments::by(rule, visits, |visit| Some(visit.cycles)),
    }
}

/// Whether the cycles of a row are the hardware's.
fn is_counted(timing: &Timing) -> bool {
    timing.counting.as_ref().is_some_and(|counting| {
        !counting.is_replaced
            && (counting.refused > 0 || counting.overhead.get(Event::Cycles).is_some())
    })
}

/// The values of the placements, ascending. One that was disturbed throughout counts only where it is
/// placement 0, whose value the range must contain.
fn values(images: &[Costs], cycles: impl Fn(&[Visit]) -> Segments) -> Vec<f64> {
    let believed = images
        .iter()
        .enumerate()
        .filter(|(at, image)| *at == 0 || !image.doubtful);
    sorted(believed.filter_map(|(_, image)| cycles(&image.visits).value()))
}

/// The range over placements.
fn layout(values: &[f64]) -> Layout {
    let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
    Layout {
        placements: values.len() as u32,
        cycles_min: end(values.first()),
        cycles_median: quantile::median(values).unwrap_or(f64::NAN),
        cycles_max: end(values.last()),
    }
}

/// Median of the core frequency, in Hz, over the clean calibrations; not a number where there is none.
fn core_frequency(timing: &Timing, scale: &Scale) -> f64 {
    let images = timing.images.iter().chain([&timing.baseline]);
    let speeds = images
        .flat_map(|image| scale.clean_speeds(image))
        .flat_map(|(_, speeds)| speeds);
    let frequencies =
        quantile::sorted(speeds.map(|ticks_per_cycle| timing.tsc_hz / ticks_per_cycle));
    quantile::median(&frequencies).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
