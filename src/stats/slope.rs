//! Branch misses from what latency in front of the branch costs.
//!
//! Correct means: two images whose iterations differ by m times the latency that the second has more
//! give m, whatever both have in common; parts of the walk with more misses count by their share of it;
//! and noise in single turns moves the value as little as it moves a median.
//!
//! Both images visit the same segments in the same turns, so a visit of the one has a partner of the
//! other, and what differs between segments and between hours drops out of their difference.

use std::collections::BTreeMap;

use super::calibration::Scale;
use super::costs::Costs;
use super::quantile::{rank, sorted};
use super::segments::{Rule, Segments, Visit};
use super::{Estimate, SiteSamples, Timing, bootstrap};

/// How many times as far as rounds of one run do, separate runs differ: each has the code at other addresses.
const APART: f64 = 1.6;
/// Misses that separate runs of steady rows differ by: 20 of a sorted walk read 0.001 to 0.025 (Zen 4).
const REPEATS: f64 = 0.015;
/// The same where the branch is not predicted: of twenty runs one or two lay 0.03 to 0.06 off, and a jump
/// through a table with 8 or 16 random targets reads 0.03 above what can be, each time (Zen 4).
const REPEATS_MISSED: f64 = 0.04;
/// Fewer misses than this are noise.
const PREDICTED: f64 = 0.05;
/// Fewer pairs of turns than this say too little: as with comparisons.
const FEWEST_PAIRS: usize = 6;
/// Tukey's far-out fence: this many interquartile ranges beyond the quartiles.
const FAR_OUT: f64 = 3.0;
/// What the fence adds, in misses, where the quartiles are next to each other.
const SLACK: f64 = 0.1;

/// Misses of one branch per iteration: the mean of what pairs of images say, each at other addresses, and an interval
/// that has both of theirs. `None` where all have too few turns.
pub fn misses(site: usize, timing: &Timing, seed: u64) -> Option<Estimate> {
    let pairs = timing.delayed.iter().filter(|pair| pair.site == site);
    let said: Vec<Estimate> = pairs
        .filter_map(|pair| of_pair(pair, timing, seed))
        .collect();
    let sum: f64 = said.iter().map(|one| one.value).sum();
    (!said.is_empty()).then(|| Estimate {
        value: sum / said.len() as f64,
        low: said.iter().map(|one| one.low).fold(f64::INFINITY, f64::min),
        high: said
            .iter()
            .map(|one| one.high)
            .fold(f64::NEG_INFINITY, f64::max),
    })
}

/// What one pair of images says: the mean over segments of what their visits have as median.
/// `None` where there are too few turns of both.
fn of_pair(site: &SiteSamples, timing: &Timing, seed: u64) -> Option<Estimate> {
    let misses = |visit: &Visit| Some(visit.cycles / site.added_cycles);
    let more = |visits| Segments::by(Rule::Median, &pairs(site, timing, visits), misses);
    let undisturbed = more(|costs| costs.visits);
    // What disturbs both images alike drops out of their difference, and what does not widens the interval.
    let turns = match undisturbed.turns < FEWEST_PAIRS {
        true => more(|costs| costs.all),
        false => undisturbed,
    };
    if turns.turns < FEWEST_PAIRS {
        return None;
    }
    let Estimate { value, low, high } = bootstrap::estimate(&turns, seed);
    let repeats = match value > PREDICTED {
        true => REPEATS_MISSED,
        false => REPEATS,
    };
    let widened = |off: f64| (APART * off.max(0.0)).hypot(repeats);
    Some(Estimate {
        value,
        low: value - widened(value - low),
        high: value + widened(high - value),
    })
}

/// The second image's of these visits, with the cycles that they took more than the first one's, but for those that
/// are far from all others: an interruption inside a chunk does not show beside it.
fn pairs(site: &SiteSamples, timing: &Timing, visits: fn(Costs) -> Vec<Visit>) -> Vec<Visit> {
    let [less, more] = &site.images;
    let own = chunked(timing, site.iterations_per_chunk, site.segments);
    let scale = Scale::of(timing);
    let costs = |image| visits(Costs::of(image, &own, &scale));
    let partners: BTreeMap<(u32, u32), f64> = costs(less)
        .into_iter()
        .map(|visit| ((visit.turn, visit.segment), visit.cycles))
        .collect();
    let more = costs(more).into_iter();
    let mut pairs: Vec<Visit> = more
        .filter_map(|visit| {
            let less = partners.get(&(visit.turn, visit.segment))?;
            Some(Visit {
                cycles: visit.cycles - less,
                ..visit
            })
        })
        .collect();
    let all = sorted(pairs.iter().map(|pair| pair.cycles));
    if let (Some(lower), Some(upper)) = (rank(&all, 0.25), rank(&all, 0.75)) {
        let reach = FAR_OUT * (upper - lower) + SLACK * site.added_cycles;
        pairs.retain(|pair| (lower - reach..=upper + reach).contains(&pair.cycles));
    }
    pairs
}

/// What a row's timing says of the machine, for images whose chunks are their own.
fn chunked(timing: &Timing, iterations_per_chunk: u64, segments: u32) -> Timing {
    Timing {
        iterations_per_chunk,
        segments,
        unroll: timing.unroll,
        entry_overhead_ticks: timing.entry_overhead_ticks,
        chain_overhead_ticks: timing.chain_overhead_ticks,
        best_width_ticks: timing.best_width_ticks,
        chain_cycles: timing.chain_cycles,
        tsc_hz: timing.tsc_hz,
        direct_branches: timing.direct_branches,
        ..Timing::default()
    }
}

/// What the row's own cycles come to in misses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Where a predicted iteration costs what staying with one object costs on average.
    pub misses: f64,
    /// Where it costs what staying with the cheapest object does: a core can take longer for a branch that it predicts
    /// among several targets than for one that it knows only one of (8.0 against 5.3 cycles for a call, Zen 4).
    pub most: f64,
}

/// What the row's own cycles come to in misses: between those of walks that stay with one object, whose branch
/// is predicted, and of one in random order, whose misses are inferred. `None` where these two do not differ
/// enough to tell.
pub fn bound(timing: &Timing, cycles: f64, seed: u64) -> Option<Bound> {
    const LEAST_CYCLES: f64 = 3.0;
    const LEAST_MISSES: f64 = 0.2;
    let references = timing.references.as_ref()?;
    let own = chunked(timing, timing.iterations_per_chunk, references.segments);
    let scale = Scale::of(timing);
    // Of an object whose chunks were all disturbed the quartile is believed: without it the others' mean would be of
    // another walk.
    let visits = |image| Costs::of(image, &own, &scale).all;
    let cost = |visits: &[Visit]| Segments::of(visits, |visit| visit.cycles).value();
    let one = visits(&references.one);
    let predicted = cost(&one)?;
    let of_object = one
        .chunk_by(|one, other| one.segment == other.segment)
        .filter_map(cost);
    let cheapest = of_object.fold(predicted, f64::min);
    let missed = cost(&visits(&references.random))?;
    let misses = of_pair(&references.missed, timing, seed)?.value;
    let is_told = missed - predicted >= LEAST_CYCLES && misses >= LEAST_MISSES;
    let above = |predicted: f64| misses * (cycles - predicted) / (missed - predicted);
    is_told.then(|| Bound {
        misses: above(predicted),
        most: above(cheapest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{References, fixture};

    const ADDED_CYCLES: f64 = 24.0;

    fn site(turns: u32, cycles: impl Fn(usize, u32, u32) -> f64) -> SiteSamples {
        let image = |copy| fixture::image(turns, |turn, segment| cycles(copy, turn, segment));
        SiteSamples {
            iterations_per_chunk: fixture::ITERATIONS,
            segments: 8,
            added_cycles: ADDED_CYCLES,
            images: [image(0), image(1)],
            ..SiteSamples::default()
        }
    }

    fn misses_of(site: &SiteSamples) -> Option<Estimate> {
        of_pair(site, &fixture::empty(), 1)
    }

    #[test]
    fn the_slope_is_what_the_second_image_costs_more_by_the_cycle_of_latency() {
        let cost = |copy: usize, _, segment: u32| {
            10.0 + f64::from(segment) + 0.75 * ADDED_CYCLES * copy as f64
        };
        let misses = misses_of(&site(20, cost)).expect("pairs");
        assert!((misses.value - 0.75).abs() < 1e-3, "{misses:?}");
        assert!(misses.low <= misses.value && misses.value <= misses.high);
    }

    #[test]
    fn where_one_pair_takes_longer_by_its_addresses_the_number_lies_between_and_the_interval_has_both()
     {
        let pair = |share: f64| {
            site(20, move |copy, _, _| {
                70.0 + share * ADDED_CYCLES * copy as f64
            })
        };
        let said = |shares: &[f64]| {
            let delayed = shares.iter().map(|share| pair(*share)).collect();
            misses(
                0,
                &Timing {
                    delayed,
                    ..fixture::empty()
                },
                1,
            )
        };
        let both = said(&[1.0, 0.87]).expect("pairs");
        assert!((both.value - 0.935).abs() < 1e-3, "{both:?}");
        assert!(
            (both.low - 0.83).abs() < 1e-3 && (both.high - 1.04).abs() < 1e-3,
            "{both:?}"
        );
        // One of two has too few turns: the other has a number.
        let short = Timing {
            delayed: vec![pair(1.0), site(2, |_, _, _| 1.0)],
            ..fixture::empty()
        };
        assert!(misses(0, &short, 1).is_some_and(|one| (one.value - 1.0).abs() < 1e-3));
        assert_eq!(misses(1, &short, 1), None);
        assert_eq!(said(&[]), None);
    }

    #[test]
    fn separate_runs_differ_even_where_rounds_do_not() {
        for (share, half) in [(0.04, REPEATS), (0.06, REPEATS_MISSED)] {
            let cost = |copy: usize, _, _| 70.0 + share * ADDED_CYCLES * copy as f64;
            let misses = misses_of(&site(20, cost)).expect("pairs");
            assert!(
                (misses.high - misses.low - 2.0 * half).abs() < 1e-3,
                "{misses:?}"
            );
        }
    }

    #[test]
    fn what_lasts_for_a_round_and_what_hits_a_turn_in_three_moves_nothing() {
        let cost = |copy: usize, turn: u32, _| {
            let spike = if turn % 3 == copy as u32 { 40.0 } else { 0.0 };
            12.0 + f64::from(turn % 5)
                + spike * f64::from(turn % 2)
                + 0.5 * ADDED_CYCLES * copy as f64
        };
        let misses = misses_of(&site(60, cost)).expect("pairs");
        assert!((misses.value - 0.5).abs() < 1e-3, "{misses:?}");
    }

    #[test]
    fn a_walk_whose_half_is_predicted_has_half_of_the_misses_of_the_other() {
        // A median over all would be of the one half or of the other.
        let cost = |copy: usize, _, segment: u32| {
            let misses = if segment < 3 { 0.9 } else { 0.0 };
            12.0 + misses * ADDED_CYCLES * copy as f64
        };
        let misses = misses_of(&site(20, cost)).expect("pairs");
        assert!((misses.value - 0.9 * 3.0 / 8.0).abs() < 1e-3, "{misses:?}");
    }

    #[test]
    fn a_pair_is_left_out_that_lies_three_ranges_and_a_tenth_beyond_the_quartiles() {
        // By how much the turns of seven segments differ, the misses of the eighth, and their mean.
        for (range, eighth, mean) in [
            (0.0, 0.099, 0.099 / 8.0),
            (0.0, 0.101, 0.0),
            (0.2, 0.89, (0.89 + 0.7) / 8.0),
            (0.2, 0.91, 0.1),
        ] {
            let cost = |copy: usize, turn: u32, segment: u32| {
                let misses = match segment {
                    7 => eighth,
                    _ => range * f64::from(turn % 2),
                };
                30.0 + misses * ADDED_CYCLES * copy as f64
            };
            let found = misses_of(&site(20, cost)).expect("pairs");
            assert!(
                (found.value - mean).abs() < 1e-3,
                "{range}, {eighth}: {found:?}"
            );
            // The same below.
            let cost = |copy: usize, turn, segment| 60.0 - cost(copy, turn, segment);
            let found = misses_of(&site(20, cost)).expect("pairs");
            assert!(
                (found.value + mean).abs() < 1e-3,
                "{range}, {eighth}: {found:?}"
            );
        }
    }

    #[test]
    fn the_chunks_of_these_images_are_their_own() {
        let mut site = site(20, |copy, _, _| 12.0 + 0.5 * ADDED_CYCLES * copy as f64);
        site.iterations_per_chunk /= 2;
        let misses = misses_of(&site).expect("pairs");
        assert!((misses.value - 1.0).abs() < 1e-3, "{misses:?}");
    }

    #[test]
    fn a_branch_that_is_predicted_has_about_none_and_may_read_below() {
        let faster = site(20, |copy, _, _| 5.0 - 0.01 * ADDED_CYCLES * copy as f64);
        let misses = misses_of(&faster).expect("pairs");
        assert!((misses.value + 0.01).abs() < 1e-3, "{misses:?}");
    }

    #[test]
    fn where_nearly_all_is_disturbed_the_pairs_are_believed_all_the_same() {
        let mut site = site(20, |copy, _, _| 12.0 + 0.5 * ADDED_CYCLES * copy as f64);
        for image in &mut site.images {
            image.switches = vec![1; 20];
            image.switches[3] = 0;
        }
        let misses = misses_of(&site).expect("pairs");
        assert!((misses.value - 0.5).abs() < 1e-3, "{misses:?}");
    }

    #[test]
    fn the_bound_lies_where_the_rows_cycles_lie_between_predicted_and_missed() {
        let image = |cycles: f64| fixture::image(20, |_, _| cycles);
        let timing = |one: f64, random: f64, misses: f64| Timing {
            references: Some(Box::new(References {
                segments: 8,
                one: image(one),
                random: image(random),
                missed: site(20, |copy, _, _| 70.0 + misses * ADDED_CYCLES * copy as f64),
            })),
            ..fixture::empty()
        };
        let told = bound(&timing(8.0, 32.0, 0.8), 14.0, 1).expect("a bound");
        assert!((told.misses - 0.2).abs() < 1e-3, "{told:?}");
        assert!((told.most - 0.2).abs() < 1e-3, "{told:?}");
        assert_eq!(bound(&timing(8.0, 10.9, 0.8), 9.0, 1), None);
        assert!(bound(&timing(8.0, 11.1, 0.8), 9.0, 1).is_some());
        assert_eq!(bound(&timing(8.0, 32.0, 0.19), 14.0, 1), None);
        assert!(bound(&timing(8.0, 32.0, 0.21), 14.0, 1).is_some());
        assert_eq!(bound(&fixture::empty(), 14.0, 1), None);
    }

    #[test]
    fn where_objects_cost_more_and_less_the_most_is_from_the_cheapest() {
        let one = |_, segment: u32| if segment < 4 { 6.0 } else { 10.0 };
        let timing = Timing {
            references: Some(Box::new(References {
                segments: 8,
                one: fixture::image(20, one),
                random: fixture::image(20, |_, _| 32.0),
                missed: site(20, |copy, _, _| 70.0 + 0.8 * ADDED_CYCLES * copy as f64),
            })),
            ..fixture::empty()
        };
        let told = bound(&timing, 14.0, 1).expect("a bound");
        assert!((told.misses - 0.2).abs() < 1e-3, "{told:?}");
        assert!((told.most - 0.8 * 8.0 / 26.0).abs() < 1e-3, "{told:?}");
    }

    #[test]
    fn without_both_images_there_is_no_number() {
        let mut one_sided = site(20, |_, _, _| 5.0);
        one_sided.images[1].chunks.clear();
        assert_eq!(misses_of(&one_sided), None);
    }

    #[test]
    fn five_pairs_of_turns_are_too_few() {
        assert_eq!(misses_of(&site(5, |_, _, _| 5.0)), None);
        assert!(misses_of(&site(6, |_, _, _| 5.0)).is_some());
    }
}
