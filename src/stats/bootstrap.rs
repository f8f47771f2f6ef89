//! Intervals by resampling turns.
//!
//! Correct means: the same samples and seed give the same interval on every machine, and the
//! interval contains the value. Turns are drawn and not chunks, because the chunks of one turn share
//! what the predictors and the cache held.

use super::Estimate;
use super::quantile::{rank, sorted};
use super::random::SplitMix64;
use super::segments::Segments;

/// Resamples; with 1000 the ends are the 25th and the 975th value.
const RESAMPLES: usize = 1000;
/// Share outside the interval, at each end: a 95 % interval.
const TAIL: f64 = 0.025;

/// Fewer turns than this say too little about how turns differ.
const FEWEST_TURNS: usize = 4;

/// The value and its 95 % percentile interval; not a number where there is no visit, and without an
/// interval where there are too few turns for one.
pub(super) fn estimate(segments: &Segments, seed: u64) -> Estimate {
    let Some(value) = segments.value() else {
        return Estimate::NONE;
    };
    if segments.turns < FEWEST_TURNS {
        return Estimate {
            value,
            ..Estimate::NONE
        };
    }
    let mut times = vec![0u32; segments.turns];
    let ends = ends(segments.turns, seed, |drawn| {
        times.fill(0);
        for turn in drawn {
            times[*turn] += 1;
        }
        segments.value_of(&times)
    });
    around(value, ends)
}

/// The ends of the 95 % percentile interval of what `value_of` says of so many things, drawn with
/// replacement, by their indices.
pub(super) fn ends(
    count: usize,
    seed: u64,
    mut value_of: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<(f64, f64)> {
    let mut random = SplitMix64::new(seed);
    let mut drawn = vec![0; count];
    let resamples = sorted((0..RESAMPLES).filter_map(|_| {
        drawn.fill_with(|| random.below(count as u64) as usize);
        value_of(&drawn)
    }));
    Some((rank(&resamples, TAIL)?, rank(&resamples, 1.0 - TAIL)?))
}

/// A value with such ends, between which it lies: a quartile of few things can lie at the end of what
/// resampling gives, or just outside.
pub(super) fn around(value: f64, ends: Option<(f64, f64)>) -> Estimate {
    let (low, high) = ends.unwrap_or((value, value));
    Estimate {
        value,
        low: low.min(value),
        high: high.max(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::segments::Visit;

    fn one_segment(costs: &[f64]) -> Segments {
        let visits: Vec<Visit> = costs
            .iter()
            .enumerate()
            .map(|(turn, &cycles)| Visit {
                turn: turn as u32,
                segment: 0,
                cycles,
                ns: 0.0,
                events: [None; 4],
            })
            .collect();
        Segments::of(&visits, |visit| visit.cycles)
    }

    #[test]
    fn the_interval_of_a_seed_is_pinned() {
        let segments = one_segment(&[5.0, 5.01, 5.02, 5.03, 5.04, 5.05, 5.06, 5.07, 5.08, 5.09]);
        let interval = estimate(&segments, 1);
        assert_eq!(
            (interval.value, interval.low, interval.high),
            (5.02, 5.0, 5.05)
        );
        assert_eq!(estimate(&segments, 1), interval);
    }

    #[test]
    fn the_interval_of_a_quartile_is_that_of_the_binomial() {
        // With 100 different turns, the quartile's 95 % interval has ranks 25 ± 1.96·√(100·¼·¾).
        let costs: Vec<f64> = (1..=100).map(f64::from).collect();
        let interval = estimate(&one_segment(&costs), 42);
        assert_eq!(interval.value, 25.0);
        assert!((15.0..=18.0).contains(&interval.low), "{interval:?}");
        assert!((32.0..=35.0).contains(&interval.high), "{interval:?}");
    }

    #[test]
    fn too_few_turns_have_a_value_and_no_interval() {
        let few = estimate(&one_segment(&[7.0, 7.0, 7.1]), 1);
        assert_eq!(few.value, 7.0);
        assert!(few.low.is_nan() && few.high.is_nan());
        assert!(estimate(&one_segment(&[7.0; 4]), 1).low.is_finite());
    }

    #[test]
    fn no_visit_is_not_a_number() {
        assert!(estimate(&one_segment(&[]), 1).value.is_nan());
    }
}
