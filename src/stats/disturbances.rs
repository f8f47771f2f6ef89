//! What the machine did to a row while it was timed, counted by cause.
//!
//! Correct means: each dropped chunk is counted under one cause, nothing is dropped because of its
//! own number, and what nobody has looked at is unknown and not 0.

use serde::{Deserialize, Serialize};

use super::calibration::Scale;
use super::costs::{Costs, Fate};
use super::quantile::{median, sorted};
use super::{ImageSamples, Timing};

/// A frequency that differs by more than this is another one: quiet rounds agree within 0.1 %.
const STEP: f64 = 0.01;
/// Rounds of turns that a new frequency must last. A round takes some milliseconds.
const LASTS: usize = 3;

/// Time that a hypervisor gave to others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Steal {
    /// Milliseconds; the kernel counts in tens.
    pub ms: f64,
    /// Milliseconds in which that happened.
    pub of_ms: f64,
}

/// What disturbed a row; `None` where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Disturbances {
    /// Times that something else ran on the CPU during a turn.
    pub context_switches: Option<u64>,
    /// Chunks dropped because their turn had such a switch.
    pub switched: Option<u64>,
    /// Chunks dropped because a calibration beside them was interrupted.
    pub interrupted: Option<u64>,
    /// Chunks dropped because something else took issue slots of the core beside them.
    pub shared_core: Option<u64>,
    /// Chunks as much longer than their segment's quartile as an interruption makes them. They are
    /// not dropped: code may be slow by itself at times, and the quartile absorbs them.
    pub suspected: Option<u64>,
    /// Times that the core frequency changed and stayed.
    pub frequency_steps: Option<u64>,
    /// Milliseconds that the hypervisor gave to others.
    pub steal_ms: Option<f64>,
    /// All timed chunks.
    pub chunks: u64,
}

/// Counts what happened to a row whose images these are, the baseline's last.
pub(super) fn disturbances(timing: &Timing, scale: &Scale, images: &[&Costs]) -> Disturbances {
    let samples = || timing.images.iter().chain([&timing.baseline]);
    let chunks = samples().map(|image| image.chunks.len() as u64).sum();
    let dropped = |fate: Fate| {
        let of_image = |costs: &&Costs| {
            costs
                .causes
                .iter()
                .filter(|one| **one == Some(fate))
                .count()
        };
        let count = images.iter().map(of_image).sum::<usize>();
        (chunks > 0).then_some(count as u64)
    };
    let is_watched = chunks > 0 && samples().all(|image| image.is_watched());
    let switches = samples().flat_map(|image| &image.switches);
    let suspected = images.iter().map(|costs| costs.suspected).sum::<u64>();
    Disturbances {
        context_switches: is_watched.then(|| switches.map(|&count| u64::from(count)).sum()),
        switched: dropped(Fate::Switched).filter(|_| is_watched),
        interrupted: dropped(Fate::Interrupted),
        shared_core: dropped(Fate::Shared),
        suspected: (chunks > 0).then_some(suspected),
        frequency_steps: frequency_steps(&rounds(timing, scale)),
        steal_ms: timing.steal.map(|steal| steal.ms),
        chunks,
    }
}

impl Timing {
    /// Of the turns around which context switches were counted, those that had any, and all.
    pub fn turns(&self) -> [u64; 2] {
        let images = self.images.iter().chain([&self.baseline]);
        let switches = images.flat_map(|image| &image.switches);
        switches.fold([0, 0], |[interrupted, turns], &switches| {
            [interrupted + u64::from(switches > 0), turns + 1]
        })
    }
}

impl ImageSamples {
    /// Whether context switches were counted around each of its turns.
    fn is_watched(&self) -> bool {
        let last = self.chunks.last();
        last.is_none_or(|chunk| self.switches.len() > chunk.turn as usize)
    }
}

/// Ticks per core cycle of each round of turns: the median of its clean calibrations.
fn rounds(timing: &Timing, scale: &Scale) -> Vec<f64> {
    let mut rounds = std::collections::BTreeMap::<u32, Vec<f64>>::new();
    for image in timing.images.iter().chain([&timing.baseline]) {
        for (turn, speeds) in scale.clean_speeds(image) {
            rounds.entry(turn).or_default().extend(speeds);
        }
    }
    let medians = rounds.into_values().map(|speeds| median(&sorted(speeds)));
    medians.flatten().collect()
}

/// How often the level changed and stayed; `None` where there are too few rounds to have one.
fn frequency_steps(rounds: &[f64]) -> Option<u64> {
    let differs = |one: f64, other: f64| (one / other - 1.0).abs() > STEP;
    let mut level = median(&sorted(rounds.get(..LASTS)?.iter().copied()))?;
    let mut steps = 0;
    for recent in rounds.windows(LASTS) {
        let now = median(&sorted(recent.iter().copied()))?;
        let has_stayed = recent.iter().all(|&speed| !differs(speed, now));
        if has_stayed && recent.iter().all(|&speed| differs(speed, level)) {
            steps += 1;
            level = now;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{fixture, summarize};

    fn of(timing: &Timing) -> Disturbances {
        summarize(timing, 1).disturbances
    }

    #[test]
    fn a_quiet_row_has_none_and_what_nobody_looked_at_is_unknown() {
        let found = of(&fixture::steady(6, 5.0));
        assert_eq!((found.interrupted, found.shared_core), (Some(0), Some(0)));
        assert_eq!((found.suspected, found.frequency_steps), (Some(0), Some(0)));
        assert_eq!((found.context_switches, found.switched), (None, None));
        assert_eq!(found.steal_ms, None);
        assert_eq!(found.chunks, 2 * 6 * 8);
    }

    #[test]
    fn switches_are_known_where_each_turn_of_each_image_was_watched() {
        // Turns that were watched, of six of the image and six of the empty iteration.
        for (image, baseline, known) in [(6, 6, Some(0)), (5, 6, None), (6, 5, None), (6, 0, None)]
        {
            let mut timing = fixture::steady(6, 5.0);
            timing.images[0].switches = vec![0; image];
            timing.baseline.switches = vec![0; baseline];
            let found = of(&timing);
            assert_eq!(
                (found.context_switches, found.switched),
                (known, known),
                "{image}, {baseline}"
            );
        }
    }

    #[test]
    fn without_a_sample_nothing_is_known() {
        assert_eq!(of(&fixture::empty()), Disturbances::default());
    }

    #[test]
    fn a_turn_with_a_context_switch_is_dropped_as_such_and_counted_once() {
        let mut timing = fixture::steady(6, 5.0);
        timing.images[0].switches = vec![0, 0, 2, 0, 0, 0];
        timing.baseline.switches = vec![0; 6];
        assert_eq!(timing.turns(), [1, 12]);
        // What took the CPU shows in the calibrations of that turn too, and is the same event.
        for chunk in timing.images[0]
            .chunks
            .iter_mut()
            .filter(|one| one.turn == 2)
        {
            chunk.before.width_ticks *= 3;
            chunk.after.width_ticks *= 3;
        }
        let summary = summarize(&timing, 1);
        let found = summary.disturbances;
        assert_eq!((found.context_switches, found.switched), (Some(2), Some(8)));
        assert_eq!((found.interrupted, found.shared_core), (Some(0), Some(0)));
        assert_eq!((summary.dropped, summary.contended), (8, 1.0 / 6.0));
        assert_eq!(summary.iterations, 5 * 8 * fixture::ITERATIONS);
    }

    #[test]
    fn interrupted_and_shared_chunks_are_counted_apart() {
        let quiet = fixture::CHAIN_TICKS;
        let wide = fixture::WIDTH_TICKS;
        let chains = [quiet, quiet, 2 * quiet, quiet, quiet, quiet, quiet, quiet];
        let mut widths = [wide, wide, wide, wide, wide, wide, wide, 2 * wide];
        let found = of(&fixture::turn_with_calibrations(&chains, &widths));
        assert_eq!((found.interrupted, found.shared_core), (Some(2), Some(1)));
        // What interrupts one kernel interrupts the other.
        widths[2] = 4 * wide;
        let found = of(&fixture::turn_with_calibrations(&chains, &widths));
        assert_eq!((found.interrupted, found.shared_core), (Some(2), Some(1)));
    }

    #[test]
    fn long_chunks_are_suspected_and_kept_where_interruptions_were_seen() {
        let mut timing = fixture::steady(16, 5.0);
        for chunk in timing.images[0].chunks.iter_mut().step_by(9) {
            chunk.ticks += 40_000;
        }
        let kept = summarize(&timing, 1).iterations;
        assert_eq!(of(&timing).suspected, Some(0), "no interruption was seen");
        timing.baseline.chunks[3].before.chain_ticks += 30_000;
        let summary = summarize(&timing, 1);
        assert_eq!(summary.disturbances.suspected, Some(15));
        assert_eq!(summary.iterations, kept);
    }

    #[test]
    fn a_chunk_is_suspected_that_is_longer_than_the_quartile_by_an_interruption() {
        // Of sixteen visits of a segment so many are so much longer; the interruption that was seen took 30,000.
        for (visits, ticks, suspected) in [
            (1, 29_999, 0),
            (1, 30_000, 1),
            (5, 30_000, 5),
            (12, 30_000, 12),
            (13, 30_000, 0),
        ] {
            let mut timing = fixture::steady(16, 5.0);
            for chunk in &mut timing.images[0].chunks {
                if chunk.segment == 3 && chunk.turn < visits {
                    chunk.ticks += ticks;
                }
            }
            timing.baseline.chunks[3].before.chain_ticks += 30_000;
            assert_eq!(of(&timing).suspected, Some(suspected), "{visits}, {ticks}");
        }
    }

    #[test]
    fn a_frequency_that_changes_and_stays_is_a_step_and_a_spike_is_none() {
        let rounds = |levels: &[(f64, usize)]| -> Vec<f64> {
            let level = |&(speed, rounds): &(f64, usize)| {
                (0..rounds).map(move |at| speed * (1.0 + 0.001 * (at % 3) as f64))
            };
            levels.iter().flat_map(level).collect()
        };
        let steps = |levels: &[(f64, usize)]| frequency_steps(&rounds(levels));
        assert_eq!(steps(&[(0.70, 20)]), Some(0));
        assert_eq!(steps(&[(0.70, 9), (0.74, 9)]), Some(1));
        assert_eq!(steps(&[(0.70, 9), (0.74, 9), (0.70, 9)]), Some(2));
        assert_eq!(steps(&[(0.70, 9), (0.74, 2), (0.70, 9)]), Some(0));
        assert_eq!(steps(&[(0.74, 1), (0.70, 9)]), Some(0));
        assert_eq!(steps(&[(0.70, 2)]), None);
        // One on the way between two levels is no third level.
        assert_eq!(
            steps(&[(0.70, 9), (0.74, 1), (0.78, 1), (0.82, 9)]),
            Some(1)
        );
        // Three that are alike, of which one differs from the level.
        assert_eq!(
            frequency_steps(&[0.7, 0.7, 0.7, 0.7065, 0.7072, 0.7065]),
            Some(0)
        );
        assert_eq!(
            frequency_steps(&[0.7, 0.7, 0.7, 0.7072, 0.7072, 0.7072]),
            Some(1)
        );
    }

    #[test]
    fn stolen_time_is_passed_on() {
        let mut timing = fixture::steady(2, 5.0);
        timing.steal = Some(Steal {
            ms: 20.0,
            of_ms: 200.0,
        });
        assert_eq!(of(&timing).steal_ms, Some(20.0));
    }
}
