//! The value of an image: the lower quartile over the visits of each segment, then the mean over
//! the segments.
//!
//! Correct means: with every turn counted once it is the value that the naive reference computes,
//! and with a turn counted twice the value of the samples in which that turn stands twice. Taking
//! the quartile over all visits instead would read low where segments differ: part of a random walk
//! is cheaper than another part by chance.

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
}

/// The visits of an image by segment, each segment's in ascending order of cost, so that a
/// resample needs no sorting.
#[derive(Debug, Clone)]
pub(super) struct Segments {
    /// (cost, index of the turn) of each visit.
    visits: Vec<Vec<(f64, usize)>>,
    /// Number of turns.
    pub(super) turns: usize,
}

impl Segments {
    /// Sorts visits into segments by the cost that `cost` picks.
    pub(super) fn of(visits: &[Visit], cost: impl Fn(&Visit) -> f64) -> Segments {
        let mut names: Vec<u32> = visits.iter().map(|visit| visit.turn).collect();
        names.sort_unstable();
        names.dedup();
        let mut by_segment = std::collections::BTreeMap::<u32, Vec<(f64, usize)>>::new();
        for visit in visits {
            let turn = names.partition_point(|&name| name < visit.turn);
            by_segment
                .entry(visit.segment)
                .or_default()
                .push((cost(visit), turn));
        }
        let mut visits: Vec<_> = by_segment.into_values().collect();
        for segment in &mut visits {
            segment.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        }
        Segments {
            visits,
            turns: names.len(),
        }
    }

    /// The value of the visits as they are; `None` where there is no visit.
    pub(super) fn value(&self) -> Option<f64> {
        self.value_of(&vec![1; self.turns])
    }

    /// The value where turn `i` counts `times[i]` times; `None` where no visit counts.
    pub(super) fn value_of(&self, times: &[u32]) -> Option<f64> {
        let quartiles = self
            .visits
            .iter()
            .filter_map(|segment| quartile(segment, times));
        let (sum, count) =
            quartiles.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
        (count > 0).then(|| sum / f64::from(count))
    }
}

/// The lower quartile of one segment's sorted visits, each repeated as often as its turn counts.
fn quartile(visits: &[(f64, usize)], times: &[u32]) -> Option<f64> {
    let total: u32 = visits.iter().map(|&(_, turn)| times[turn]).sum();
    let place = (f64::from(total) * LOWER_QUARTILE).ceil() as u32;
    let mut passed = 0;
    visits.iter().find_map(|&(cost, turn)| {
        passed += times[turn];
        (passed >= place && passed > 0).then_some(cost)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::quantile::{rank, sorted};
    use crate::stats::random::SplitMix64;

    /// The rule as it reads, over visits that may repeat.
    fn naive(visits: &[Visit]) -> Option<f64> {
        let last = visits.iter().map(|visit| visit.segment).max()?;
        let quartiles: Vec<f64> = (0..=last)
            .filter_map(|segment| {
                let costs = visits
                    .iter()
                    .filter(|visit| visit.segment == segment)
                    .map(|visit| visit.cycles);
                rank(&sorted(costs), 0.25)
            })
            .collect();
        Some(quartiles.iter().sum::<f64>() / quartiles.len() as f64)
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
        }
    }

    #[test]
    fn segments_weigh_the_same_however_often_they_were_visited() {
        let visit = |segment, cycles| Visit {
            turn: 0,
            segment,
            cycles,
            ns: 0.0,
        };
        let visits = [visit(0, 4.0), visit(0, 4.0), visit(0, 4.0), visit(1, 8.0)];
        assert_eq!(
            Segments::of(&visits, |visit| visit.cycles).value(),
            Some(6.0)
        );
    }
}
