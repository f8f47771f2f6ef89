//! From chunks to visits: what an iteration cost, and which chunks are believed.
//!
//! Correct means: nothing is subtracted but the overhead of entering, and a chunk is left out
//! because of what the machine did beside it or in it, never because its number is unwelcome where
//! there are others to judge it by.

use super::calibration::Scale;
use super::quantile::{LOWER_QUARTILE, rank, sorted};
use super::segments::Visit;
use super::{Chunk, Event, ImageSamples, Timing};

/// A segment with fewer visits than this has no quartile that could absorb an interruption.
const ENOUGH_VISITS: usize = 3;
/// Tukey's far-out fence: this many interquartile ranges above the upper quartile.
const FAR_OUT: f64 = 3.0;
/// What the fence adds where the interquartile range is next to nothing, as a share.
const SLACK: f64 = 0.05;

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It enters the value.
    Kept,
    /// It was disturbed and enters the value all the same, because all were.
    KeptDisturbed,
    /// Something else ran on the CPU during its turn.
    Switched,
    /// A calibration beside it was interrupted.
    Interrupted,
    /// Something else took issue slots of the core beside it.
    Shared,
    /// It was interrupted, and its segment has too few visits for a quartile to absorb that.
    FarOut,
    /// Its calibrations give no cycles.
    Uncalibrated,
}

impl Fate {
    /// Whether it enters the value.
    pub fn is_kept(self) -> bool {
        matches!(self, Fate::Kept | Fate::KeptDisturbed)
    }
}

/// The visits of one image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Costs {
    /// Those that enter the value.
    pub(super) visits: Vec<Visit>,
    /// All that have cycles, disturbed or not.
    pub(super) all: Vec<Visit>,
    /// What became of each chunk, in their order.
    pub(super) fates: Vec<Fate>,
    /// What disturbed each chunk, in their order.
    pub(super) causes: Vec<Option<Fate>>,
    /// Chunks that were disturbed.
    pub(super) dropped: u64,
    /// Kept chunks that look interrupted.
    pub(super) suspected: u64,
    /// Share of all chunks that the machine disturbed, beside them or in them.
    pub(super) contended: f64,
    /// Whether all chunks were disturbed, so that they had to be believed.
    pub(super) doubtful: bool,
}

impl Costs {
    /// The visits of an image, disturbed chunks left out; all of them where every one was
    /// disturbed, for a doubtful number that says so is better than none.
    pub(super) fn of(image: &ImageSamples, timing: &Timing, scale: &Scale) -> Costs {
        let iterations = timing.iterations_per_chunk.max(1) as f64;
        let verdicts = scale.judge(image);
        let causes: Vec<Option<Fate>> = verdicts.iter().map(|verdict| verdict.disturbed).collect();
        let dropped = causes.iter().flatten().count();
        let doubtful = dropped > 0 && dropped == image.chunks.len();
        let mut all = Vec::with_capacity(image.chunks.len());
        let mut fates = Vec::with_capacity(image.chunks.len());
        for (chunk, verdict) in image.chunks.iter().zip(verdicts) {
            let ticks =
                (chunk.ticks as f64 - timing.entry_overhead_ticks as f64).max(0.0) / iterations;
            let cycles = ticks / verdict.ticks_per_cycle;
            all.push(Visit {
                turn: chunk.turn,
                segment: chunk.segment,
                cycles,
                ns: ticks / timing.tsc_hz * 1e9,
                events: events_of(chunk, timing, iterations),
            });
            fates.push(match verdict.disturbed {
                Some(cause) if !doubtful => cause,
                // A calibration that gives no cycles at all is of no use even then.
                _ if !(cycles.is_finite() && cycles >= 0.0) => Fate::Uncalibrated,
                Some(_) => Fate::KeptDisturbed,
                None => Fate::Kept,
            });
        }
        leave_out_interrupted(&all, &mut fates);
        if timing.by_mean {
            leave_out_whole_turns(&image.chunks, &mut fates);
        }
        let of_fate = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
        let lost = if doubtful {
            image.chunks.len()
        } else {
            dropped + of_fate(Fate::FarOut)
        };
        let contended = if image.chunks.is_empty() {
            0.0
        } else {
            lost as f64 / image.chunks.len() as f64
        };
        let kept = all.iter().zip(&fates).filter(|(_, fate)| fate.is_kept());
        Costs {
            visits: kept.map(|(visit, _)| *visit).collect(),
            dropped: dropped as u64,
            suspected: suspected(&image.chunks, &fates, scale.gap_ticks),
            causes,
            fates,
            contended,
            doubtful,
            all: all
                .into_iter()
                .filter(|visit| visit.cycles.is_finite())
                .collect(),
        }
    }
}

/// Kept chunks that are longer than their segment's quartile by what an interruption takes. Code that
/// is slow at times looks the same, so they are counted and not dropped.
fn suspected(chunks: &[Chunk], fates: &[Fate], gap_ticks: f64) -> u64 {
    let mut segments = std::collections::BTreeMap::<u32, Vec<f64>>::new();
    for (chunk, _) in chunks.iter().zip(fates).filter(|(_, fate)| fate.is_kept()) {
        let ticks = segments.entry(chunk.segment).or_default();
        ticks.push(chunk.ticks as f64);
    }
    let of_segment = |ticks: Vec<f64>| {
        let ticks = sorted(ticks);
        let usual = rank(&ticks, LOWER_QUARTILE).filter(|_| ticks.len() >= ENOUGH_VISITS);
        let limit = usual.map_or(f64::INFINITY, |usual| usual + gap_ticks);
        ticks.iter().filter(|&&ticks| ticks >= limit).count() as u64
    };
    segments.into_values().map(of_segment).sum()
}

/// Events of one iteration: what was counted, less what an entry takes.
fn events_of(chunk: &Chunk, timing: &Timing, iterations: f64) -> [Option<f64>; 4] {
    Event::ALL.map(|event| {
        let count = chunk.events?.get(event)? as f64;
        let overhead = timing.counting.as_ref()?.overhead.get(event)? as f64;
        // A chunk that mispredicts nothing may have fewer misses than an entry had: below 0, so
        // that the mean is not too high.
        Some((count - overhead) / iterations)
    })
}

/// Leaves out interrupted visits of segments that have too few for a quartile to do it.
///
/// Parts of a long walk are alike, so the image's other visits say what is far out; a segment with
/// visits enough speaks for itself and may be as slow as it likes.
fn leave_out_interrupted(visits: &[Visit], fates: &mut [Fate]) {
    let kept = || {
        visits
            .iter()
            .zip(fates.iter())
            .filter(|(_, fate)| fate.is_kept())
    };
    let costs = sorted(kept().map(|(visit, _)| visit.cycles));
    let (Some(lower), Some(upper)) = (rank(&costs, 0.25), rank(&costs, 0.75)) else {
        return;
    };
    let fence = upper + FAR_OUT * (upper - lower) + SLACK * upper;
    let mut counts = std::collections::BTreeMap::<u32, usize>::new();
    for (visit, _) in kept() {
        *counts.entry(visit.segment).or_default() += 1;
    }
    for (visit, fate) in visits.iter().zip(fates) {
        if fate.is_kept() && visit.cycles > fence && counts[&visit.segment] < ENOUGH_VISITS {
            *fate = Fate::FarOut;
        }
    }
}

/// Leaves out the turns of which a chunk was left out, where others are whole: what takes long is disturbed
/// more often than what takes no time, so that the mean of the chunks that are left would be too low.
fn leave_out_whole_turns(chunks: &[Chunk], fates: &mut [Fate]) {
    let spans: Vec<std::ops::Range<usize>> = {
        let mut at = 0;
        let turns = chunks.chunk_by(|one, other| one.turn == other.turn);
        let span = |turn: &[Chunk]| {
            at += turn.len();
            at - turn.len()..at
        };
        turns.map(span).collect()
    };
    let lost = |fates: &[Fate]| fates.iter().copied().find(|fate| !fate.is_kept());
    if spans
        .iter()
        .all(|span| lost(&fates[span.clone()]).is_some())
    {
        return;
    }
    for span in spans {
        if let Some(cause) = lost(&fates[span.clone()]) {
            fates[span].fill(cause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    fn costs(timing: &Timing) -> Costs {
        Costs::of(&timing.images[0], timing, &Scale::of(timing))
    }

    #[test]
    fn the_cost_is_the_ticks_without_overhead_at_the_speed_of_the_chain() {
        // 22,000 ticks for 32,000 cycles; 4096 iterations of 5 cycles are 14,080 ticks.
        let timing = fixture::turn_with_calibrations(&[22_052, 22_052], &[2_852; 2]);
        let visit = costs(&timing).visits[0];
        assert!((visit.cycles - 5.0).abs() < 1e-12, "{visit:?}");
        assert!(
            (visit.ns - 14_080.0 / 4096.0 / 2.6).abs() < 1e-12,
            "{visit:?}"
        );
    }

    #[test]
    fn an_image_that_was_disturbed_throughout_is_used_and_marked() {
        let mut timing = fixture::turn_with_calibrations(&[22_052; 5], &[3_700; 5]);
        timing.best_width_ticks = 2_852;
        let costs = costs(&timing);
        assert_eq!((costs.visits.len(), costs.dropped), (4, 4));
        assert!(costs.doubtful);
        assert_eq!(costs.contended, 1.0);
    }

    #[test]
    fn an_interrupted_visit_that_is_its_segments_only_one_is_left_out() {
        let mut timing = fixture::steady(4, 5.0);
        timing.segments = 32;
        let chunks = &mut timing.images[0].chunks;
        for (at, chunk) in chunks.iter_mut().enumerate() {
            chunk.segment = at as u32;
        }
        chunks[5].ticks *= 2;
        let costs = costs(&timing);
        assert_eq!(costs.visits.len(), 31);
        assert_eq!(costs.dropped, 0);
        assert_eq!(costs.contended, 1.0 / 32.0);
    }

    #[test]
    fn a_visit_far_out_is_left_out_where_its_segment_has_fewer_than_three() {
        // What half of the visits cost, the one that is far out, the visits of its segment, and whether it stays.
        #[rustfmt::skip] // a table: one visit a line
        let table = [
            (5.0, 5.24, 1, true), (5.0, 5.26, 1, false), (5.0, 5.26, 2, false), (5.0, 5.26, 3, true),
            (6.0, 9.29, 1, true), (6.0, 9.31, 1, false), // three ranges of one beyond six, and a twentieth of six
        ];
        for (other, cycles, visits, stays) in table {
            let mut timing = fixture::steady(4, 5.0);
            timing.segments = 32;
            timing.images[0] = fixture::image(4, |_, segment| {
                if segment.is_multiple_of(2) {
                    5.0
                } else {
                    other
                }
            });
            for (at, chunk) in timing.images[0].chunks.iter_mut().enumerate() {
                chunk.segment = if (5..5 + visits).contains(&at) {
                    5
                } else {
                    at as u32
                };
            }
            timing.images[0].chunks[5].ticks = fixture::ticks(cycles);
            let kept = costs(&timing).visits.len();
            assert_eq!(
                kept,
                if stays { 32 } else { 31 },
                "{other}, {cycles}, {visits}"
            );
        }
    }

    #[test]
    fn of_phases_a_turn_counts_whole_or_not_at_all() {
        let mut timing = fixture::steady(4, 5.0);
        timing.by_mean = true;
        timing.images[0].chunks[3].after.chain_ticks *= 3;
        let kept = |timing: &Timing| {
            costs(timing)
                .visits
                .iter()
                .map(|visit| visit.turn)
                .collect::<Vec<_>>()
        };
        let turns = kept(&timing);
        assert_eq!(turns.len(), 24);
        assert!(!turns.contains(&0));
        timing.by_mean = false;
        assert!(kept(&timing).contains(&0));
    }

    #[test]
    fn a_segment_that_is_slow_on_every_visit_stays() {
        let mut timing = fixture::steady(4, 5.0);
        for chunk in timing.images[0]
            .chunks
            .iter_mut()
            .filter(|chunk| chunk.segment == 0)
        {
            chunk.ticks *= 2;
        }
        assert_eq!(costs(&timing).visits.len(), 32);
    }
}
