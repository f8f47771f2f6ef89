//! The raw samples of a row, each with what became of it.
//!
//! Correct means: whoever applies docs/method.md to these numbers gets the row's value.

use serde::Serialize;

use crate::stats::{self, Calibration, Events, Fate, Further, ImageSamples, Timing};

/// What was timed for a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Samples {
    /// Iterations of each chunk.
    pub iterations_per_chunk: u64,
    /// Segments of the walk.
    pub segments: u32,
    /// Ticks of an entry with no iteration.
    pub entry_overhead_ticks: u64,
    /// Ticks of a calibration kernel with no turn.
    pub chain_overhead_ticks: u64,
    /// Cycles of the calibration chain.
    pub chain_cycles: u64,
    /// Least ticks of the width kernel in the worker's life.
    pub best_width_ticks: u64,
    /// Frequency of the time stamp counter.
    pub tsc_hz: f64,
    /// Counts of an entry with no iteration: cycles, instructions, branches, branch misses; absent
    /// where the hardware was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_overhead_events: Option<Events>,
    /// Those of each such entry, of which these are the medians; absent likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Events>,
    /// The chunks, image by image in the order they ran.
    pub chunks: Vec<Sample>,
    /// The events that had turns of their own, each with all of its chunks; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Further>,
}

/// One chunk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sample {
    /// Index of the placement; null for the baseline.
    pub placement: Option<usize>,
    /// The image's turn, from 0.
    pub turn: u32,
    /// The part of the walk, from 0.
    pub segment: u32,
    /// Ticks, the entry's overhead included.
    pub ticks: u64,
    /// What the hardware counted, the entry's overhead included; absent where it was not asked or
    /// the reading was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// Calibration in front of it.
    pub before: Calibration,
    /// Calibration behind it.
    pub after: Calibration,
    /// Whether it enters the value.
    pub kept: bool,
    /// Why not, or why although something was wrong.
    pub why: Option<&'static str>,
}

impl Samples {
    /// The samples of a row.
    pub fn of(timing: &Timing) -> Samples {
        let placements = timing.images.iter().enumerate();
        let images = placements
            .map(|(at, image)| (Some(at), image))
            .chain([(None, &timing.baseline)]);
        let chunks = images
            .zip(stats::fates(timing))
            .flat_map(|((placement, image), fates)| of_image(placement, image, fates));
        Samples {
            iterations_per_chunk: timing.iterations_per_chunk,
            segments: timing.segments,
            entry_overhead_ticks: timing.entry_overhead_ticks,
            chain_overhead_ticks: timing.chain_overhead_ticks,
            chain_cycles: timing.chain_cycles,
            best_width_ticks: timing.best_width_ticks,
            tsc_hz: timing.tsc_hz,
            entry_overhead_events: timing.counting.as_ref().map(|counting| counting.overhead),
            entries: timing
                .counting
                .as_ref()
                .map_or_else(Vec::new, |counting| counting.entries.clone()),
            chunks: chunks.collect(),
            further: timing.further.clone(),
        }
    }
}

fn of_image(
    placement: Option<usize>,
    image: &ImageSamples,
    fates: Vec<Fate>,
) -> impl Iterator<Item = Sample> {
    image
        .chunks
        .iter()
        .zip(fates)
        .map(move |(chunk, fate)| Sample {
            placement,
            turn: chunk.turn,
            segment: chunk.segment,
            ticks: chunk.ticks,
            events: chunk.events,
            before: chunk.before,
            after: chunk.after,
            kept: fate.is_kept(),
            why: why(fate),
        })
}

fn why(fate: Fate) -> Option<&'static str> {
    match fate {
        Fate::Kept => None,
        Fate::KeptDisturbed => Some("disturbed, as all of its image"),
        Fate::Switched => Some("something else ran on the CPU during its turn"),
        Fate::Interrupted => Some("beside an interrupted calibration"),
        Fate::Shared => Some("beside a calibration that shared its core"),
        Fate::FarOut => Some("far out in a segment with few visits"),
        Fate::Uncalibrated => Some("without a usable calibration"),
    }
}
