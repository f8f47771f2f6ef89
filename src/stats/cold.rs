//! What a first call costs: entries with one iteration, in a scrubbed state and in a warm one.
//!
//! Correct means: a body that takes c cycles more than the empty iteration in a state gives c for
//! that state, whatever entering takes in it, and an interruption moves the value as little as it
//! moves the middle half.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calibration::Scale;
use super::quantile::{median, middle_mean, sorted};
use super::{Estimate, ImageSamples, Timing, bootstrap};

/// Fewer rounds than this say too little.
const FEWEST_ROUNDS: usize = 6;
/// Entries of a turn that must have been left undisturbed.
const FEWEST_ENTRIES: usize = 3;

/// Entries with one iteration, each timed by itself. A chunk is one entry, a turn is a round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColdSamples {
    /// Behind a scrub: the row's first image, and the empty iteration.
    pub cold: [ImageSamples; 2],
    /// The same without it.
    pub warm: [ImageSamples; 2],
    /// Ticks of each scrub, which are in none of the entries.
    pub scrub_ticks: Vec<u64>,
}

/// What they say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColdSummary {
    /// Core cycles that the body adds to an entry behind a scrub; `None` where too little was left
    /// undisturbed.
    pub cold: Option<Estimate>,
    /// The same without a scrub.
    pub warm: Option<Estimate>,
    /// Nanoseconds of a scrub: the median.
    pub scrub_ns: f64,
    /// Timed entries behind a scrub, the empty ones included.
    pub entries: u64,
    /// Whether so much was disturbed that all entries are used.
    pub doubtful: bool,
}

/// The summary of a row's cold calls; `None` where none were timed.
pub(super) fn summarize(timing: &Timing, scale: &Scale, seed: u64) -> Option<ColdSummary> {
    let samples = timing.cold.as_ref()?;
    let ticks = samples.scrub_ticks.iter().map(|&ticks| ticks as f64);
    let scrub_ticks = median(&sorted(ticks)).unwrap_or(f64::NAN);
    // As with chunks: where too little was undisturbed, all of it is used, which is said.
    let doubtful = added(&samples.cold, scale, true, seed).is_none();
    Some(ColdSummary {
        cold: added(&samples.cold, scale, !doubtful, seed),
        warm: added(&samples.warm, scale, !doubtful, seed),
        doubtful,
        scrub_ns: scrub_ticks / timing.tsc_hz * 1e9,
        entries: samples
            .cold
            .iter()
            .map(|image| image.chunks.len() as u64)
            .sum(),
    })
}

/// Cycles that an entry with the body takes more than one with the empty iteration: the mean of the
/// middle half of the rounds, of which each compares the middle halves of its two turns.
///
/// Means of middle halves and no medians: a time stamp counter moves in steps of up to 37 cycles, and
/// a median of such readings is a multiple of the step.
fn added(
    [body, empty]: &[ImageSamples; 2],
    scale: &Scale,
    only_quiet: bool,
    seed: u64,
) -> Option<Estimate> {
    let empty = turns(empty, scale, only_quiet);
    let rounds = turns(body, scale, only_quiet).into_iter();
    let rounds: Vec<f64> = rounds
        .filter_map(|(round, cycles)| Some(cycles - empty.get(&round)?))
        .collect();
    if rounds.len() < FEWEST_ROUNDS {
        return None;
    }
    let value = middle_mean(&sorted(rounds.iter().copied()))?;
    let ends = bootstrap::ends(rounds.len(), seed, |drawn| {
        middle_mean(&sorted(drawn.iter().map(|round| rounds[*round])))
    });
    Some(bootstrap::around(value, ends))
}

/// Cycles of an entry, for each turn of which enough was undisturbed, or of all of them.
fn turns(image: &ImageSamples, scale: &Scale, only_quiet: bool) -> BTreeMap<u32, f64> {
    let mut turns = BTreeMap::<u32, Vec<f64>>::new();
    for (chunk, verdict) in image.chunks.iter().zip(scale.judge(image)) {
        if !(only_quiet && verdict.disturbed.is_some()) && verdict.ticks_per_cycle > 0.0 {
            let cycles = chunk.ticks as f64 / verdict.ticks_per_cycle;
            turns.entry(chunk.turn).or_default().push(cycles);
        }
    }
    let enough = turns
        .into_iter()
        .filter(|(_, cycles)| cycles.len() >= FEWEST_ENTRIES);
    enough
        .filter_map(|(turn, cycles)| Some((turn, middle_mean(&sorted(cycles))?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    /// Entries of `cycles` each, by round and number.
    fn image(rounds: u32, cycles: impl Fn(u32, u32) -> f64) -> ImageSamples {
        let mut image = fixture::image(rounds, |_, _| 1.0);
        for chunk in &mut image.chunks {
            let cycles = cycles(chunk.turn, chunk.segment);
            chunk.ticks = (cycles * 22_000.0 / 32_000.0).round() as u64;
        }
        image
    }

    fn summary(cold: [ImageSamples; 2], warm: [ImageSamples; 2]) -> ColdSummary {
        let mut timing = fixture::steady(8, 5.0);
        let scrub_ticks = vec![260, 520, 780];
        timing.cold = Some(Box::new(ColdSamples {
            cold,
            warm,
            scrub_ticks,
        }));
        summarize(&timing, &Scale::of(&timing), 1).expect("samples")
    }

    #[test]
    fn the_cold_and_the_warm_cost_are_what_the_body_adds_in_each_state() {
        let noisy = |base: f64| {
            move |round: u32, entry: u32| base + f64::from((round * 7 + entry * 3) % 5) * 4.0
        };
        let cold = [image(40, noisy(900.0)), image(40, noisy(500.0))];
        let warm = [image(40, noisy(120.0)), image(40, noisy(100.0))];
        let summary = summary(cold, warm);
        let (cold, warm) = (summary.cold.expect("cold"), summary.warm.expect("warm"));
        assert!((cold.value - 400.0).abs() < 2.0, "{cold:?}");
        assert!((warm.value - 20.0).abs() < 2.0, "{warm:?}");
        assert!(cold.low <= cold.value && cold.value <= cold.high);
        assert_eq!((summary.scrub_ns, summary.entries), (200.0, 640));
    }

    #[test]
    fn interruptions_move_it_hardly() {
        let calm = |_, _| 100.0;
        let hit = |round: u32, entry: u32| match (round % 5, entry) {
            (0, 3) => 50_000.0,
            _ => 300.0,
        };
        let states = || [image(40, hit), image(40, calm)];
        let value = summary(states(), states()).cold.expect("cold").value;
        assert!((value - 200.0).abs() < 3.0, "{value}");
    }

    #[test]
    fn steps_of_the_time_stamp_counter_average_out() {
        // Readings are multiples of 37 cycles, at a phase that moves on from entry to entry. What is
        // left out at both ends of a turn costs some of the precision.
        let stepped = |cycles: f64| {
            move |round: u32, entry: u32| {
                let phase = f64::from((round * 8 + entry) * 11 % 37);
                ((cycles + phase) / 37.0).floor() * 37.0
            }
        };
        for added in [0.0, 20.0, 60.0, 200.0] {
            let states = || [image(60, stepped(100.0 + added)), image(60, stepped(100.0))];
            let value = summary(states(), states()).warm.expect("warm").value;
            assert!((value - added).abs() < 16.0, "{added}: {value}");
        }
    }

    #[test]
    fn beside_a_busy_hyperthread_there_is_a_value_and_it_is_doubtful() {
        let busy = |base: f64| {
            let mut image = image(40, |_, _| base);
            for chunk in &mut image.chunks {
                chunk.before.width_ticks *= 2;
                chunk.after.width_ticks *= 2;
            }
            image
        };
        let states = || [busy(300.0), busy(100.0)];
        let busy = summary(states(), states());
        let value = busy.cold.expect("a value").value;
        assert!(busy.doubtful && (value - 200.0).abs() < 2.0, "{busy:?}");
        let calm = || [image(40, |_, _| 300.0), image(40, |_, _| 100.0)];
        assert!(!summary(calm(), calm()).doubtful);
    }

    #[test]
    fn a_round_counts_of_which_three_entries_were_left_undisturbed() {
        for (quiet, doubtful) in [(3, false), (2, true)] {
            let state = || {
                let mut body = image(6, |_, _| 300.0);
                for entry in body.chunks[..8].iter_mut().skip(quiet) {
                    entry.after.width_ticks *= 2;
                }
                [body, image(6, |_, _| 100.0)]
            };
            let summary = summary(state(), state());
            assert_eq!(summary.doubtful, doubtful, "{quiet}");
        }
    }

    #[test]
    fn too_few_rounds_have_no_value() {
        let few = || [image(5, |_, _| 300.0), image(5, |_, _| 100.0)];
        let summary = summary(few(), few());
        assert_eq!((summary.cold, summary.warm), (None, None));
    }
}
