//! The value of an image: the lower quartile over the visits of each segment, then the mean over
//! the segments.
//!
//! Correct means: with every turn counted once it is the value that the naive reference computes,
//! and with a turn counted twice the value of the samples in which that turn stands twice. Taking
//! the quartile over all visits instead would read low where segments differ: part of a random walk
//! is cheaper than another part by chance.
//!
//! Counts of events are no times: interruptions add next to nothing to them, and misses are random
//! from visit to visit, so that a quartile reads low. Of them a segment's value is the mean.

use super::quantile::LOWER_QUARTILE;

/// One visit: what an iteration cost on one pass over one segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Visit {
    /// The turn it belongs to.
    pub(super) turn: u32,
    /// The part of the walk.
    pub(super) segment: u32,
    /// Cost of one iteration, in core cycles.
    pub(super) cycles: f64,
    /// Cost of one iteration, in nanoseconds.
    pub(super) ns: f64,
    /// Events of one iteration, in the order of [`Event::ALL`]; `None` where none was counted.
    ///
    /// [`Event::ALL`]: super::Event::ALL
    pub(super) events: [Option<f64>; 4],
}

/// What the visits of one segment come down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// For times: interruptions only ever add.
    LowerQuartile,
    /// For differences of times, which interruptions make larger or smaller.
    Median,
    /// For counts of events.
    Mean,
}

/// The visits of an image by segment, each segment's in ascending order of cost, so that a
/// resample needs no sorting.
#[derive(Debug, Clone)]
pub(super) struct Segments {
    /// (cost, index of the turn) of each visit.
    visits: Vec<Vec<(f64, usize)>>,
    /// Number of turns.
    pub(super) turns: usize,
    rule: Rule,
}

impl Segments {
    /// Sorts visits into segments by the time that `cost` picks.
    pub(super) fn of(visits: &[Visit], cost: impl Fn(&Visit) -> f64) -> Segments {
        Segments::by(Rule::LowerQuartile, visits, |visit| Some(cost(visit)))
    }

    /// Sorts the visits that have what `cost` picks into segments, which `rule` will sum up.
    pub(super) fn by(
        rule: Rule,
        visits: &[Visit],
        cost: impl Fn(&Visit) -> Option<f64>,
    ) -> Segments {
        let mut names: Vec<u32> = visits.iter().map(|visit| visit.turn).collect();
        names.sort_unstable();
        names.dedup();
        let mut by_segment = std::collections::BTreeMap::<u32, Vec<(f64, usize)>>::new();
        for visit in visits {
            let Some(cost) = cost(visit) else { continue };
            let turn = names.partition_point(|&name| name < visit.turn);
            by_segment
                .entry(visit.segment)
                .or_default()
                .push((cost, turn));
        }
        let mut visits: Vec<_> = by_segment.into_values().collect();
        for segment in &mut visits {
            segment.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        }
        Segments {
            visits,
            turns: names.len(),
            rule,
        }
    }

    /// The value of the visits as they are; `None` where there is no visit.
    pub(super) fn value(&self) -> Option<f64> {
        self.value_of(&vec![1; self.turns])
    }

    /// The value where turn `i` counts `times[i]` times; `None` where no visit counts.
    pub(super) fn value_of(&self, times: &[u32]) -> Option<f64> {
        let value = match self.rule {
            Rule::LowerQuartile => quartile,
            Rule::Median => median,
            Rule::Mean => mean,
        };
        let values = self
            .visits
            .iter()
            .filter_map(|segment| value(segment, times));
        let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
        (count > 0).then(|| sum / f64::from(count))
    }
}

/// The lower quartile of one segment's sorted visits, each repeated as often as its turn counts.
fn quartile(visits: &[(f64, usize)], times: &[u32]) -> Option<f64> {
    let total = total(visits, times);
    let place = (f64::from(total) * LOWER_QUARTILE).ceil() as u32;
    at(visits, times, place.max(1))
}

/// The median of them.
fn median(visits: &[(f64, usize)], times: &[u32]) -> Option<f64> {
    let total = total(visits, times);
    let lower = at(visits, times, total.div_ceil(2))?;
    let upper = at(visits, times, total / 2 + 1)?;
    Some((lower + upper) / 2.0)
}

/// The visit at a place, from 1 on, of them.
fn at(visits: &[(f64, usize)], times: &[u32], place: u32) -> Option<f64> {
    let mut passed = 0;
    visits.iter().find_map(|&(cost, turn)| {
        passed += times[turn];
        (passed >= place && passed > 0).then_some(cost)
    })
}

/// How many they are.
fn total(visits: &[(f64, usize)], times: &[u32]) -> u32 {
    visits.iter().map(|&(_, turn)| times[turn]).sum()
}

/// The mean of one segment's visits, each repeated as often as its turn counts.
fn mean(visits: &[(f64, usize)], times: &[u32]) -> Option<f64> {
    let total = total(visits, times);
    let weighted = visits
        .iter()
        .map(|&(cost, turn)| cost * f64::from(times[turn]));
    (total > 0).then(|| weighted.sum::<f64>() / f64::from(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::quantile::{self, rank, sorted};
    use crate::stats::random::SplitMix64;

    /// The rules as they read, over visits that may repeat.
    fn naive(visits: &[Visit]) -> Option<f64> {
        naive_by(visits, |costs| rank(costs, 0.25))
    }

    fn naive_by(visits: &[Visit], rule: fn(&[f64]) -> Option<f64>) -> Option<f64> {
        let last = visits.iter().map(|visit| visit.segment).max()?;
        let values: Vec<f64> = (0..=last)
            .filter_map(|segment| {
                let costs = visits
                    .iter()
                    .filter(|visit| visit.segment == segment)
                    .map(|visit| visit.cycles);
                rule(&sorted(costs))
            })
            .collect();
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }

    fn some_visits(random: &mut SplitMix64) -> Vec<Visit> {
        (0..random.below(60))
            .map(|index| {
                let cycles = 5.0 + random.below(100) as f64 / 10.0;
                Visit {
                    turn: (index / 8) as u32 * 3,
                    segment: random.below(9) as u32,
                    cycles,
                    ns: cycles / 3.7,
                    events: [None, Some(cycles), None, None],
                }
            })
            .collect()
    }

    #[test]
    fn the_value_is_what_the_rule_says() {
        let mut random = SplitMix64::new(11);
        for _ in 0..200 {
            let visits = some_visits(&mut random);
            assert_eq!(
                Segments::of(&visits, |visit| visit.cycles).value(),
                naive(&visits)
            );
        }
    }

    #[test]
    fn counting_a_turn_twice_is_the_same_as_having_it_twice() {
        let mut random = SplitMix64::new(12);
        for _ in 0..200 {
            let visits = some_visits(&mut random);
            let segments = Segments::of(&visits, |visit| visit.cycles);
            let halved = Segments::by(Rule::Median, &visits, |visit| Some(visit.cycles));
            let times: Vec<u32> = (0..segments.turns)
                .map(|_| random.below(4) as u32)
                .collect();
            let repeated: Vec<Visit> = visits
                .iter()
                .flat_map(|&visit| {
                    std::iter::repeat_n(visit, times[visit.turn as usize / 3] as usize)
                })
                .collect();
            assert_eq!(segments.value_of(&times), naive(&repeated));
            let median = naive_by(&repeated, quantile::median);
            assert_eq!(halved.value_of(&times), median);
        }
    }

    #[test]
    fn a_mean_repeats_a_turn_as_often_as_it_counts() {
        let mut random = SplitMix64::new(13);
        for _ in 0..200 {
            let visits = some_visits(&mut random);
            let segments = Segments::by(Rule::Mean, &visits, |visit| visit.events[1]);
            let times: Vec<u32> = (0..segments.turns)
                .map(|_| random.below(4) as u32)
                .collect();
            let mut means = Vec::new();
            for segment in 0..9 {
                let mut repeated = Vec::new();
                for visit in visits.iter().filter(|visit| visit.segment == segment) {
                    let count = times[visit.turn as usize / 3] as usize;
                    repeated.extend(std::iter::repeat_n(visit.cycles, count));
                }
                if !repeated.is_empty() {
                    means.push(repeated.iter().sum::<f64>() / repeated.len() as f64);
                }
            }
            let naive = means.iter().sum::<f64>() / means.len() as f64;
            match segments.value_of(&times) {
                Some(value) => assert!((value - naive).abs() < 1e-9, "{value} {naive}"),
                None => assert!(means.is_empty()),
            }
        }
    }

    #[test]
    fn visits_without_a_reading_do_not_count() {
        let visit = |segment, count| Visit {
            turn: 0,
            segment,
            cycles: 1.0,
            ns: 0.0,
            events: [None, count, None, None],
        };
        let visits = [visit(0, Some(4.0)), visit(0, None), visit(1, None)];
        let instructions = |visit: &Visit| visit.events[1];
        let value = Segments::by(Rule::Mean, &visits, instructions).value();
        assert_eq!(value, Some(4.0));
        let none = Segments::by(Rule::Mean, &visits[1..], instructions).value();
        assert_eq!(none, None);
    }

    #[test]
    fn segments_weigh_the_same_however_often_they_were_visited() {
        let visit = |segment, cycles| Visit {
            turn: 0,
            segment,
            cycles,
            ns: 0.0,
            events: [None; 4],
        };
        let visits = [visit(0, 4.0), visit(0, 4.0), visit(0, 4.0), visit(1, 8.0)];
        assert_eq!(
            Segments::of(&visits, |visit| visit.cycles).value(),
            Some(6.0)
        );
    }
}
