//! What the calibrations say: core cycles a tick, and which of them were disturbed.
//!
//! Correct means: a calibration that an interruption lengthened, or during which something else
//! took issue slots of the core, is found; a core that changes its frequency is not mistaken for
//! either.
//!
//! **An interruption is a spike, a change of frequency is a step.** The running median of five
//! calibrations of one turn keeps steps and removes spikes, so a chain is compared with that and
//! not with the run's best: a core that leaves its turbo frequency for the rest of the run loses
//! no chunk. The older rule, that the two calibrations around a chunk must agree within 1 %,
//! dropped more good chunks than disturbed ones, for it cannot tell which of the two was disturbed.
//!
//! **The chain cannot see an SMT sibling**, for it leaves most issue slots unused. The throughput
//! kernel uses all of them; its cost in core cycles, which no change of frequency alters, is
//! compared with the best that the row or the worker saw.

use super::costs::Fate;
use super::quantile::{median, rank, sorted};
use super::{Calibration, Chunk, ImageSamples, Timing};

/// A chain this much longer than those around it was interrupted. Clean ones agree within 0.1 %.
const CHAIN_TOLERANCE: f64 = 1.01;
/// A throughput kernel this much slower than the row's low quantile shared the core. Its clean
/// readings differ by 1 % to 5 %, depending on the machine; a sibling at work costs it 30 % and more.
const WIDTH_TOLERANCE: f64 = 1.08;
/// The same against the best reading of the whole worker. The least of many thousand short readings
/// is a lucky one: on a Cascade Lake server it lies 10 % below the usual quiet reading, so the
/// narrower tolerance called quiet samples disturbed.
pub const BEST_WIDTH_TOLERANCE: f64 = 1.2;
/// Calibrations on each side that a chain is compared with.
const NEIGHBOURS: usize = 2;
/// The row's own reference for the throughput kernel: low, but above a lucky reading.
const LOW: f64 = 0.1;

/// What turns ticks into cycles for one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    overhead_ticks: f64,
    chain_cycles: f64,
    /// Core cycles that the throughput kernel takes at most when nothing shares the core.
    width_limit: f64,
    /// Ticks by which the usual interruption lengthened a chain; infinite where none was seen.
    pub(super) gap_ticks: f64,
}

/// One chunk's calibrations, judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    /// Ticks per core cycle: the smaller of both neighbours, because a disturbance only adds ticks;
    /// not positive where there is no usable calibration.
    pub(super) ticks_per_cycle: f64,
    /// What disturbed it, where something did: its turn or a calibration beside it.
    pub(super) disturbed: Option<Fate>,
}

impl Scale {
    /// The scale of a row, from all its calibrations.
    pub(super) fn of(timing: &Timing) -> Scale {
        let mut scale = Scale {
            overhead_ticks: timing.chain_overhead_ticks as f64,
            chain_cycles: timing.chain_cycles.max(1) as f64,
            width_limit: f64::INFINITY,
            gap_ticks: f64::INFINITY,
        };
        let images = timing.images.iter().chain([&timing.baseline]);
        let turns: Vec<Vec<Calibration>> = images
            .flat_map(|image| turns(&image.chunks))
            .map(of_turn)
            .collect();
        let widths = turns
            .iter()
            .flat_map(|turn| (0..turn.len()).filter_map(|at| scale.width_cycles_at(turn, at)));
        if let Some(low) = rank(&sorted(widths), LOW) {
            scale.width_limit = low * WIDTH_TOLERANCE;
        }
        // A burst can outlast the row, so the best of the whole worker counts too.
        let speeds = sorted(
            turns
                .iter()
                .flatten()
                .map(|&one| scale.ticks_per_cycle(one))
                .filter(|&speed| speed > 0.0),
        );
        if let Some(speed) =
            median(&speeds).filter(|_| timing.best_width_ticks > timing.chain_overhead_ticks)
        {
            let best = (timing.best_width_ticks as f64 - scale.overhead_ticks) / speed;
            scale.width_limit = scale.width_limit.min(best * BEST_WIDTH_TOLERANCE);
        }
        let gaps = turns.iter().flat_map(|turn| {
            (0..turn.len()).filter_map(|at| {
                let gap = scale.chain_ticks(turn[at]) - scale.usual_chain_ticks(turn, at);
                scale.is_interrupted(turn, at).then_some(gap)
            })
        });
        scale.gap_ticks = median(&sorted(gaps)).unwrap_or(f64::INFINITY);
        scale
    }

    /// The verdict on each chunk of an image, in order.
    pub(super) fn judge(&self, image: &ImageSamples) -> Vec<Verdict> {
        turns(&image.chunks)
            .flat_map(|chunks| {
                let switches = image.switches.get(chunks[0].turn as usize);
                self.judge_turn(chunks, switches.is_some_and(|&count| count > 0))
            })
            .collect()
    }

    /// Ticks per core cycle of each clean calibration of an image, turn by turn.
    pub(super) fn clean_speeds(&self, image: &ImageSamples) -> Vec<(u32, Vec<f64>)> {
        let of_turn = |chunks: &[Chunk]| {
            let turn = of_turn(chunks);
            let clean = (0..turn.len()).filter(|&at| self.disturbance(&turn, at).is_none());
            let speeds = clean.map(|at| self.ticks_per_cycle(turn[at])).collect();
            (chunks[0].turn, speeds)
        };
        turns(&image.chunks).map(of_turn).collect()
    }

    fn judge_turn(&self, chunks: &[Chunk], is_switched: bool) -> Vec<Verdict> {
        let turn = of_turn(chunks);
        let mut after = 0;
        let mut verdicts = Vec::with_capacity(chunks.len());
        for (index, chunk) in chunks.iter().enumerate() {
            let before = if index > 0 && chunks[index - 1].after == chunk.before {
                after
            } else {
                after + usize::from(index > 0)
            };
            after = before + 1;
            let speeds = [
                self.ticks_per_cycle(chunk.before),
                self.ticks_per_cycle(chunk.after),
            ];
            verdicts.push(Verdict {
                ticks_per_cycle: speeds[0].min(speeds[1]),
                disturbed: if is_switched {
                    Some(Fate::Switched)
                } else {
                    let disturbance = self.disturbance(&turn, before);
                    disturbance.or_else(|| self.disturbance(&turn, after))
                },
            });
        }
        verdicts
    }

    /// What disturbed a calibration.
    fn disturbance(&self, turn: &[Calibration], at: usize) -> Option<Fate> {
        let width = self.width_cycles_at(turn, at);
        match () {
            () if self.is_interrupted(turn, at) => Some(Fate::Interrupted),
            () if width.is_some_and(|width| width > self.width_limit) => Some(Fate::Shared),
            () => None,
        }
    }

    fn is_interrupted(&self, turn: &[Calibration], at: usize) -> bool {
        let ticks = self.chain_ticks(turn[at]);
        ticks <= 0.0 || ticks > self.usual_chain_ticks(turn, at) * CHAIN_TOLERANCE
    }

    /// The running median of the chain.
    fn usual_chain_ticks(&self, turn: &[Calibration], at: usize) -> f64 {
        let around = &turn[at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS + 1).min(turn.len())];
        // The lower of two in the middle: with two calibrations, the mean of both hides a spike.
        rank(
            &sorted(around.iter().map(|&one| self.chain_ticks(one))),
            0.5,
        )
        .unwrap_or(0.0)
    }

    /// Core cycles of the throughput kernel, at the frequency that the chains around it ran at.
    fn width_cycles_at(&self, turn: &[Calibration], at: usize) -> Option<f64> {
        let speed = self.usual_chain_ticks(turn, at) / self.chain_cycles;
        (speed > 0.0).then(|| (turn[at].width_ticks as f64 - self.overhead_ticks) / speed)
    }

    fn chain_ticks(&self, calibration: Calibration) -> f64 {
        calibration.chain_ticks as f64 - self.overhead_ticks
    }

    pub(super) fn ticks_per_cycle(&self, calibration: Calibration) -> f64 {
        self.chain_ticks(calibration) / self.chain_cycles
    }
}

/// The chunks of an image, turn by turn.
fn turns(chunks: &[Chunk]) -> impl Iterator<Item = &[Chunk]> {
    chunks.chunk_by(|one, next| one.turn == next.turn)
}

/// The calibrations of a turn in the order they ran. One that stands between two chunks is in both
/// of them and counts once.
fn of_turn(chunks: &[Chunk]) -> Vec<Calibration> {
    let mut calibrations: Vec<Calibration> = Vec::with_capacity(chunks.len() + 1);
    for (index, chunk) in chunks.iter().enumerate() {
        if index == 0 || chunks[index - 1].after != chunk.before {
            calibrations.push(chunk.before);
        }
        calibrations.push(chunk.after);
    }
    calibrations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    /// Whether each chunk of a turn is disturbed where its calibrations took these ticks.
    fn disturbed(chains: &[u64], widths: &[u64]) -> Vec<bool> {
        let timing = fixture::turn_with_calibrations(chains, widths);
        let verdicts = Scale::of(&timing).judge(&timing.images[0]);
        verdicts
            .iter()
            .map(|verdict| verdict.disturbed.is_some())
            .collect()
    }

    const QUIET: u64 = 22_052;
    const WIDE: u64 = 2_852;

    #[test]
    fn an_interrupted_calibration_takes_both_neighbouring_chunks_with_it() {
        let chains = [QUIET, QUIET, QUIET, QUIET * 2, QUIET, QUIET];
        assert_eq!(
            disturbed(&chains, &[WIDE; 6]),
            [false, false, true, true, false]
        );
    }

    #[test]
    fn two_interruptions_side_by_side_are_both_found() {
        let chains = [QUIET, QUIET, QUIET + 3000, QUIET + 900, QUIET, QUIET, QUIET];
        assert_eq!(
            disturbed(&chains, &[WIDE; 7]),
            [false, true, true, true, false, false]
        );
    }

    #[test]
    fn a_core_that_changes_its_frequency_loses_no_chunk() {
        let slow = QUIET * 115 / 100;
        let wide_slow = (WIDE - 52) * 115 / 100 + 52;
        let chains = [QUIET, QUIET, QUIET, QUIET, slow, slow, slow, slow, slow];
        let widths = [
            WIDE, WIDE, WIDE, WIDE, wide_slow, wide_slow, wide_slow, wide_slow, wide_slow,
        ];
        assert_eq!(disturbed(&chains, &widths), [false; 8]);
        let back: Vec<u64> = chains.iter().rev().copied().collect();
        let widths_back: Vec<u64> = widths.iter().rev().copied().collect();
        assert_eq!(disturbed(&back, &widths_back), [false; 8]);
    }

    #[test]
    fn a_sibling_that_the_chain_cannot_see_is_found_by_the_throughput_kernel() {
        let widths = [WIDE, WIDE, WIDE, WIDE * 13 / 10, WIDE * 14 / 10, WIDE, WIDE];
        assert_eq!(
            disturbed(&[QUIET; 7], &widths),
            [false, false, true, true, true, false]
        );
    }

    #[test]
    fn a_chain_may_be_1_percent_longer_than_its_neighbours_and_a_throughput_kernel_8_and_20_than_the_best()
     {
        let chains = |ticks| disturbed(&[QUIET, QUIET, ticks, QUIET, QUIET], &[WIDE; 5])[1];
        assert_eq!((chains(22_271), chains(22_273)), (false, true));
        let widths = |ticks| disturbed(&[QUIET; 5], &[WIDE, WIDE, ticks, WIDE, WIDE])[1];
        assert_eq!((widths(3_075), widths(3_077)), (false, true));
        let all = |ticks, best| {
            let mut timing = fixture::turn_with_calibrations(&[QUIET; 5], &[ticks; 5]);
            timing.best_width_ticks = best;
            let verdicts = Scale::of(&timing).judge(&timing.images[0]);
            verdicts.iter().all(|verdict| verdict.disturbed.is_some())
        };
        assert_eq!((all(3_411, WIDE), all(3_413, WIDE)), (false, true));
        // A best that is no longer than entering is none.
        assert_eq!((all(3_413, 52), all(3_413, 40)), (false, false));
    }

    #[test]
    fn a_chain_is_held_against_the_median_of_two_on_either_side() {
        // With one on each side the later of two would look usual, and with three a step would be a spike.
        let high = QUIET * 105 / 100;
        let of = |chains: &[u64]| disturbed(chains, &vec![WIDE; chains.len()]);
        assert_eq!(
            of(&[QUIET, QUIET, high, high, QUIET, QUIET]),
            [false, true, true, true, false]
        );
        assert_eq!(of(&[QUIET, QUIET, QUIET, high, high, high]), [false; 5]);
        // Of two, the lower one is usual.
        assert_eq!(of(&[QUIET, high]), [true]);
        assert_eq!(
            of(&[QUIET, QUIET, QUIET, QUIET, high]),
            [false, false, false, true]
        );
    }

    #[test]
    fn a_tenth_of_the_calibrations_say_what_the_throughput_kernel_takes() {
        // So many of twenty were quiet, and the others shared the core.
        for (quiet, is_found) in [(2, true), (1, false)] {
            let mut widths = [WIDE * 13 / 10; 20];
            widths[..quiet].fill(WIDE);
            assert_eq!(disturbed(&[QUIET; 20], &widths)[10], is_found, "{quiet}");
        }
    }

    #[test]
    fn a_burst_longer_than_the_row_is_found_by_the_best_of_the_worker() {
        let mut timing = fixture::turn_with_calibrations(&[QUIET; 5], &[WIDE * 13 / 10; 5]);
        timing.best_width_ticks = WIDE;
        let verdicts = Scale::of(&timing).judge(&timing.images[0]);
        let shared = Some(Fate::Shared);
        assert!(verdicts.iter().all(|verdict| verdict.disturbed == shared));
    }

    #[test]
    fn a_lucky_best_of_the_worker_does_not_condemn_quiet_chunks() {
        let mut timing =
            fixture::turn_with_calibrations(&[QUIET; 5], &[WIDE, WIDE + 90, WIDE, WIDE + 60, WIDE]);
        timing.best_width_ticks = WIDE * 88 / 100;
        let verdicts = Scale::of(&timing).judge(&timing.images[0]);
        assert!(verdicts.iter().all(|verdict| verdict.disturbed.is_none()));
    }

    #[test]
    fn cycles_come_from_the_smaller_of_both_chains() {
        let timing = fixture::turn_with_calibrations(&[QUIET, QUIET + 44], &[WIDE; 2]);
        let verdict = Scale::of(&timing).judge(&timing.images[0])[0];
        assert_eq!(verdict.ticks_per_cycle, (QUIET - 52) as f64 / 32_000.0);
    }

    #[test]
    fn a_chain_shorter_than_its_overhead_is_disturbed() {
        assert_eq!(disturbed(&[10, 10], &[WIDE; 2]), [true]);
        assert_eq!(disturbed(&[52, 52], &[WIDE; 2]), [true]);
    }
}
