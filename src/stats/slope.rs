//! Branch misses from what latency in front of the branch costs.
//!
//! Correct means: two images whose iterations differ by m times the latency that the second has more
//! give m, whatever both have in common, and noise in single turns moves the value as little as it
//! moves a median.
//!
//! Both images visit the same segments in the same turns, so a visit of the one has a partner of the
//! other, and what differs between segments and between hours drops out of their difference.

use std::collections::BTreeMap;

use super::calibration::Scale;
use super::costs::Costs;
use super::quantile::{median, rank, sorted};
use super::random::SplitMix64;
use super::{Estimate, ImageSamples, Timing};
use crate::injection::ADDED_CYCLES;

/// Resamples of the interval.
const RESAMPLES: usize = 1000;
/// Fewer pairs of turns than this say too little: as with comparisons.
const FEWEST_PAIRS: usize = 6;
/// Share outside the interval, at each end: a 95 % interval.
const TAIL: f64 = 0.025;

/// Misses per iteration: the median over pairs of turns of the median over their pairs of visits.
/// `None` where there are too few pairs.
pub(super) fn misses(timing: &Timing, seed: u64) -> Option<Estimate> {
    let [less, more] = &timing.delayed[..] else {
        return None;
    };
    let by_turn = slopes(timing, less, more);
    if by_turn.len() < FEWEST_PAIRS {
        return None;
    }
    let value = median(&sorted(by_turn.iter().copied()))?;
    let mut random = SplitMix64::new(seed);
    let resamples = (0..RESAMPLES).filter_map(|_| {
        let drawn =
            (0..by_turn.len()).map(|_| by_turn[random.below(by_turn.len() as u64) as usize]);
        median(&sorted(drawn))
    });
    let resamples = sorted(resamples);
    let at = |q| rank(&resamples, q).unwrap_or(value);
    Some(Estimate {
        value,
        low: at(TAIL).min(value),
        high: at(1.0 - TAIL).max(value),
    })
}

/// One value for each turn that both images have a visit of.
fn slopes(timing: &Timing, less: &ImageSamples, more: &ImageSamples) -> Vec<f64> {
    let scale = Scale::of(timing);
    let costs = |image| Costs::of(image, timing, &scale).visits;
    let partners: BTreeMap<(u32, u32), f64> = costs(less)
        .into_iter()
        .map(|visit| ((visit.turn, visit.segment), visit.cycles))
        .collect();
    let mut by_turn = BTreeMap::<u32, Vec<f64>>::new();
    for visit in costs(more) {
        if let Some(less) = partners.get(&(visit.turn, visit.segment)) {
            let added = visit.cycles - less;
            by_turn
                .entry(visit.turn)
                .or_default()
                .push(added / ADDED_CYCLES);
        }
    }
    let turns = by_turn.into_values();
    turns.filter_map(|turn| median(&sorted(turn))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    fn timing(turns: u32, cycles: impl Fn(usize, u32, u32) -> f64) -> Timing {
        let image = |copy| fixture::image(turns, |turn, segment| cycles(copy, turn, segment));
        Timing {
            delayed: vec![image(0), image(1)],
            ..fixture::empty()
        }
    }

    #[test]
    fn the_slope_is_what_the_second_image_costs_more_by_the_cycle_of_latency() {
        let cost = |copy: usize, _, segment: u32| {
            10.0 + f64::from(segment) + 0.75 * ADDED_CYCLES * copy as f64
        };
        let misses = misses(&timing(20, cost), 1).expect("pairs");
        assert!((misses.value - 0.75).abs() < 1e-3, "{misses:?}");
        assert!(misses.low <= misses.value && misses.value <= misses.high);
        assert!(misses.high - misses.low < 1e-3, "{misses:?}");
    }

    #[test]
    fn what_lasts_for_a_round_and_what_hits_a_turn_in_three_moves_nothing() {
        let cost = |copy: usize, turn: u32, _| {
            let spike = if turn % 3 == copy as u32 { 40.0 } else { 0.0 };
            12.0 + f64::from(turn % 5)
                + spike * f64::from(turn % 2)
                + 0.5 * ADDED_CYCLES * copy as f64
        };
        let misses = misses(&timing(60, cost), 1).expect("pairs");
        assert!((misses.value - 0.5).abs() < 1e-3, "{misses:?}");
    }

    #[test]
    fn a_branch_that_is_predicted_has_about_none_and_may_read_below() {
        let faster = timing(20, |copy, _, _| 5.0 - 0.09 * copy as f64);
        let misses = misses(&faster, 1).expect("pairs");
        assert!((misses.value + 0.01).abs() < 1e-3, "{misses:?}");
    }

    #[test]
    fn without_both_images_there_is_no_number() {
        assert_eq!(misses(&fixture::steady(20, 5.0), 1), None);
        let mut one_sided = timing(20, |_, _, _| 5.0);
        one_sided.delayed[1].chunks.clear();
        assert_eq!(misses(&one_sided, 1), None);
    }

    #[test]
    fn five_pairs_of_turns_are_too_few() {
        assert_eq!(misses(&timing(5, |_, _, _| 5.0), 1), None);
        assert!(misses(&timing(6, |_, _, _| 5.0), 1).is_some());
    }
}
