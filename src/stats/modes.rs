//! Whether a row has one value at all, and which ones it has where it has two.
//!
//! Correct means: a row that runs at one speed in some turns and at another speed in others is
//! told from a row that is merely noisy, and from a walk whose parts differ.
//!
//! **A turn's own speed.** The parts of a random walk differ by themselves, and each turn visits
//! other parts. So a visit's cost is taken as the product of what its segment and what its turn
//! contribute, and the two are told apart by least absolute deviations, which interruptions hardly
//! move (by reweighted means; medians alone, taken out in turns, stop short of it where a segment
//! has five visits). Segments that were visited too rarely do not count.
//!
//! **Two modes** are two groups of turns with at least 15 % of the turns, and two, in each. Without
//! the tenth at their edges there is a gap of more than 4 % between them, and it is wider than the
//! bulk of either: its lower three quarters without the lowest tenth. An interrupted turn stands
//! alone and is in no bulk; noise, however wide, fills its gaps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quantile::{median, rank, sorted};
use super::quantity::noisy;
use super::segments::Visit;

/// Modes nearer than this are one: placement and noise differ by less.
const GAP: f64 = 1.04;
/// The share of turns that makes a mode.
const SHARE: f64 = 0.15;
/// The number of turns that makes a mode: one alone may be an accident.
const FEWEST: usize = 2;
/// The share of a group, at either end, that may lie in the gap.
const EDGE: f64 = 0.1;
/// The share of a group that interruptions may have moved away from it, upwards.
const STRAY: f64 = 0.25;
/// Visits that a segment must have before its median means anything.
const FEWEST_VISITS: usize = 4;
/// Rounds of reweighting; after a hundred, what is left moves by less than a mode's width.
const ROUNDS: usize = 100;
/// Differences below this, as logarithms, weigh the same: at first, so that all turns count.
const COARSE: f64 = 0.05;
/// The same later: about the noise of a chunk.
const FINE: f64 = 0.003;

/// One of the speeds of a row that has two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// Core cycles an iteration.
    #[serde(serialize_with = "noisy")]
    pub cycles: f64,
    /// Share of the turns that ran at this speed.
    #[serde(serialize_with = "noisy")]
    pub share: f64,
}

/// The two modes of an image, the faster one first; `None` where it has one value.
pub(super) fn modes(visits: &[Visit]) -> Option<[Mode; 2]> {
    let (usual, turns) = turns_apart(visits)?;
    let turns = sorted(turns);
    let at = split(&turns)?;
    let mode = |group: &[f64]| Mode {
        cycles: usual * median(group).unwrap_or(f64::NAN).exp(),
        share: group.len() as f64 / turns.len() as f64,
    };
    Some([mode(&turns[..at]), mode(&turns[at..])])
}

/// The usual cost, and by how much each turn differs from it, as a logarithm.
fn turns_apart(visits: &[Visit]) -> Option<(f64, Vec<f64>)> {
    let mut counts = BTreeMap::<u32, usize>::new();
    for visit in visits {
        *counts.entry(visit.segment).or_default() += 1;
    }
    let visits: Vec<&Visit> = visits
        .iter()
        .filter(|visit| counts[&visit.segment] >= FEWEST_VISITS && visit.cycles > 0.0)
        .collect();
    let costs: Vec<f64> = visits.iter().map(|visit| visit.cycles.ln()).collect();
    let turn = Groups::of(visits.iter().map(|visit| visit.turn));
    let segment = Groups::of(visits.iter().map(|visit| visit.segment));
    let mut segments = segment.medians(&costs);
    let mut turns = vec![0.0; turn.count];
    // With one segment there is nothing to tell apart.
    let rounds = if segments.len() > 1 { ROUNDS } else { 0 };
    for round in 0..rounds {
        let floor = if round < rounds / 3 { COARSE } else { FINE };
        let weight = |at: usize| {
            let rest = costs[at] - turns[turn.of[at]] - segments[segment.of[at]];
            1.0 / rest.abs().max(floor)
        };
        let weights: Vec<f64> = (0..costs.len()).map(weight).collect();
        turns = turn.means(&weights, |at| costs[at] - segments[segment.of[at]]);
        segments = segment.means(&weights, |at| costs[at] - turns[turn.of[at]]);
    }
    let without_segment = costs.iter().zip(&segment.of);
    let turns = turn.medians(
        &without_segment
            .map(|(cost, &segment)| cost - segments[segment])
            .collect::<Vec<_>>(),
    );
    let usual = segments.iter().map(|cost| cost.exp()).sum::<f64>() / segments.len() as f64;
    (!turns.is_empty()).then_some((usual, turns))
}

/// What belongs together, by its place in a list of names.
struct Groups {
    /// The group of each element.
    of: Vec<usize>,
    count: usize,
}

impl Groups {
    fn of(names: impl Iterator<Item = u32>) -> Groups {
        let names: Vec<u32> = names.collect();
        let mut known = names.clone();
        known.sort_unstable();
        known.dedup();
        let place = |name: &u32| known.partition_point(|one| one < name);
        Groups {
            of: names.iter().map(place).collect(),
            count: known.len(),
        }
    }

    fn medians(&self, values: &[f64]) -> Vec<f64> {
        let mut groups = vec![Vec::new(); self.count];
        for (&group, &value) in self.of.iter().zip(values) {
            groups[group].push(value);
        }
        groups
            .into_iter()
            .filter_map(|group| median(&sorted(group)))
            .collect()
    }

    fn means(&self, weights: &[f64], value: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.count];
        for (at, (&group, weight)) in self.of.iter().zip(weights).enumerate() {
            sums[group].0 += weight * value(at);
            sums[group].1 += weight;
        }
        sums.into_iter()
            .map(|(sum, weights)| sum / weights)
            .collect()
    }
}

/// Where the second group begins, at the widest gap between bulks that is wide enough.
fn split(turns: &[f64]) -> Option<usize> {
    let least = ((turns.len() as f64 * SHARE).ceil() as usize).max(FEWEST);
    let bulk = |group: &[f64]| Some(rank(group, 1.0 - STRAY)? - rank(group, EDGE)?);
    let gap = |at: usize| {
        let (lower, upper) = turns.split_at(at);
        let gap = rank(upper, EDGE)? - rank(lower, 1.0 - EDGE)?;
        let is_wide = gap > GAP.ln() && gap > bulk(lower)? && gap > bulk(upper)?;
        // Several cuts may do; the groups part where neighbours are farthest from each other.
        is_wide.then_some((turns[at] - turns[at - 1], at))
    };
    let splits = (least..(turns.len() + 1).saturating_sub(least)).filter_map(gap);
    let widest = splits.max_by(|one, other| one.0.total_cmp(&other.0));
    widest.map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    fn visit(turn: u32, segment: u32, cycles: f64) -> Visit {
        Visit {
            turn,
            segment,
            cycles,
            ns: 0.0,
            events: [None; 4],
        }
    }

    /// Turns of eight visits to one walk of eight segments, all of a turn's at one cost.
    fn turns(costs: &[f64]) -> Vec<Visit> {
        let turn = |(turn, &cycles): (usize, &f64)| {
            (0..8).map(move |segment| visit(turn as u32, segment, cycles))
        };
        costs.iter().enumerate().flat_map(turn).collect()
    }

    fn is_bistable(visits: &[Visit]) -> bool {
        modes(visits).is_some()
    }

    /// A number from 0 to 1.
    fn uniform(random: &mut SplitMix64) -> f64 {
        random.below(1 << 30) as f64 / f64::from(1 << 30)
    }

    /// What a random walk gives: 128 segments that differ by 20 %, 80 turns of ten chunks of which
    /// eight are timed, each chunk 0.5 % noisy, one in twenty interrupted, one turn in fifteen slow.
    fn random_walk(random: &mut SplitMix64, turn_speed: impl Fn(u32) -> f64) -> Vec<Visit> {
        let segments: Vec<f64> = (0..128).map(|_| 30.0 + 6.0 * uniform(random)).collect();
        let mut visits = Vec::new();
        for turn in 0..80 {
            let mut speed = turn_speed(turn);
            if random.below(15) == 0 {
                speed *= 1.0 + 0.6 * uniform(random);
            }
            for chunk in 2..10 {
                let segment = (turn * 10 + chunk) % 128;
                let mut cycles = segments[segment as usize] * speed;
                cycles *= 1.0 + 0.005 * uniform(random);
                if random.below(20) == 0 {
                    cycles *= 1.0 + uniform(random);
                }
                visits.push(visit(turn, segment, cycles));
            }
        }
        visits
    }

    #[test]
    fn turns_in_two_groups_are_two_modes_with_their_values_and_shares() {
        let found = modes(&turns(&[3.5, 4.0, 3.51, 3.99, 4.01, 3.5, 3.5, 3.49])).expect("modes");
        assert!((found[0].cycles - 3.5).abs() < 0.01, "{found:?}");
        assert!((found[1].cycles - 4.0).abs() < 0.01, "{found:?}");
        assert_eq!((found[0].share, found[1].share), (0.625, 0.375));
    }

    #[test]
    fn a_few_slow_turns_are_no_mode() {
        let mut costs = vec![5.0; 20];
        costs[3] = 8.0;
        costs[9] = 8.0;
        assert!(!is_bistable(&turns(&costs)));
        costs[12] = 8.0;
        assert!(is_bistable(&turns(&costs)));
    }

    #[test]
    fn slow_turns_that_have_nothing_in_common_are_no_mode() {
        let mut costs = vec![5.0; 20];
        costs[3] = 5.4;
        costs[9] = 8.0;
        costs[12] = 6.0;
        costs[15] = 7.0;
        assert!(!is_bistable(&turns(&costs)));
    }

    #[test]
    fn a_turn_between_two_modes_does_not_hide_them() {
        let mut costs: Vec<f64> = (0..20).map(|turn| [3.5, 4.0][turn % 2]).collect();
        costs[7] = 3.75;
        assert!(is_bistable(&turns(&costs)));
    }

    #[test]
    fn noise_without_a_gap_is_no_mode() {
        let costs: Vec<f64> = (0..20)
            .map(|step| 5.0 * (1.0 + f64::from(step) * 0.03))
            .collect();
        assert!(!is_bistable(&turns(&costs)));
    }

    #[test]
    fn too_few_turns_say_nothing() {
        assert!(!is_bistable(&[]));
        assert!(!is_bistable(&turns(&[3.5])));
        assert!(!is_bistable(&turns(&[3.5, 4.0])));
        assert!(!is_bistable(&turns(&[3.5, 3.5, 4.0])));
        assert!(is_bistable(&turns(&[3.5, 3.5, 4.0, 4.0])));
    }

    #[test]
    fn two_groups_are_modes_from_each_of_their_bounds_on() {
        let groups = |groups: &[(usize, f64)]| {
            let costs = groups
                .iter()
                .flat_map(|&(count, cycles)| vec![cycles; count]);
            is_bistable(&turns(&costs.collect::<Vec<_>>()))
        };
        // A gap of 4 %.
        assert!(!groups(&[(10, 5.0), (10, 5.19)]) && groups(&[(10, 5.0), (10, 5.21)]));
        // 15 % of the turns, and two.
        assert!(!groups(&[(22, 5.0), (3, 6.0)]) && groups(&[(21, 5.0), (4, 6.0)]));
        assert!(!groups(&[(3, 5.0), (1, 6.0)]) && groups(&[(3, 5.0), (2, 6.0)]));
        // A tenth of each may lie between them, less than 4 % from both: two of 22, and not three of 23.
        assert!(groups(&[(20, 3.5), (4, 3.638), (20, 3.78)]));
        assert!(!groups(&[(20, 3.5), (5, 3.638), (20, 3.78)]));
    }

    #[test]
    fn a_segment_with_fewer_than_four_visits_says_nothing() {
        // Turns visit one half of the segments and the other.
        let halves = |count: u32| {
            let cycles = move |turn| if turn < count / 2 { 3.5 } else { 4.0 };
            let turn =
                |turn| (0..4).map(move |part| visit(turn, 4 * (turn % 2) + part, cycles(turn)));
            is_bistable(&(0..count).flat_map(turn).collect::<Vec<_>>())
        };
        assert!(!halves(6) && halves(8));
    }

    #[test]
    fn a_visit_that_seems_to_take_no_time_says_nothing() {
        let mut visits = turns(&[3.5, 3.5, 4.0, 4.0]);
        visits.extend((0..8).map(|segment| visit(9, segment, 0.0)));
        let found = modes(&visits).expect("modes");
        assert_eq!((found[0].share, found[1].share), (0.5, 0.5));
        assert!((found[0].cycles - 3.5).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn at_most_one_of_200_random_walks_has_modes() {
        let mut random = SplitMix64::new(1);
        let found = (0..200).filter(|_| is_bistable(&random_walk(&mut random, |_| 1.0)));
        assert!(found.count() <= 1);
    }

    #[test]
    fn a_random_walk_that_is_slower_in_half_of_its_turns_has_modes() {
        let mut random = SplitMix64::new(2);
        let mut missed = 0;
        for _ in 0..40 {
            let slow: Vec<bool> = (0..80).map(|_| random.below(2) == 0).collect();
            let speed = |turn: u32| if slow[turn as usize] { 1.1 } else { 1.0 };
            let Some(found) = modes(&random_walk(&mut random, speed)) else {
                missed += 1;
                continue;
            };
            let ratio = found[1].cycles / found[0].cycles;
            assert!((ratio / 1.1 - 1.0).abs() < 0.03, "{found:?}");
            assert!((found[0].cycles / 33.0 - 1.0).abs() < 0.05, "{found:?}");
            assert!((found[1].share - 0.5).abs() < 0.25, "{found:?}");
        }
        assert!(missed <= 4, "{missed} of 40");
    }

    #[test]
    fn without_segments_that_differ_the_naive_groups_are_the_same() {
        let mut random = SplitMix64::new(3);
        for _ in 0..200 {
            let second = 3.5 * (1.0 + 0.2 * uniform(&mut random));
            let costs: Vec<f64> = (0..24)
                .map(|turn| [3.5, second][usize::from(turn % 3 == 0)])
                .map(|cycles: f64| cycles * (1.0 + 0.004 * uniform(&mut random)))
                .collect();
            // Whole costs in order, cut at the widest ratio of neighbours.
            let sorted = sorted(costs.iter().copied());
            let cut = (1..24).max_by(|&one, &other| {
                let ratio = |at: usize| sorted[at] / sorted[at - 1];
                ratio(one).total_cmp(&ratio(other))
            });
            let cut = cut.expect("cuts");
            let naive = sorted[cut] / sorted[cut - 1];
            match modes(&turns(&costs)) {
                Some(found) => {
                    assert!(naive > 1.03, "{costs:?}");
                    assert_eq!(found[0].share, cut as f64 / 24.0);
                    assert!((found[0].cycles / sorted[cut / 2] - 1.0).abs() < 0.004);
                }
                None => assert!(naive < 1.05, "{costs:?}"),
            }
        }
    }

    #[test]
    fn segments_that_cost_differently_are_no_modes() {
        // Each turn visits two of eight segments, which cost 10 or 20 by themselves.
        let visits: Vec<Visit> = (0..40u32)
            .flat_map(|turn| {
                let cycles = if turn % 4 < 2 { 10.0 } else { 20.0 };
                [0, 1].map(|part| visit(turn, (2 * turn + part) % 8, cycles))
            })
            .collect();
        assert!(!is_bistable(&visits));
        // The same, and every second round is slower.
        let slower = |visit: &Visit| Visit {
            cycles: visit.cycles * [1.0, 1.2][(visit.turn / 4 % 2) as usize],
            ..*visit
        };
        assert!(is_bistable(&visits.iter().map(slower).collect::<Vec<_>>()));
    }
}
