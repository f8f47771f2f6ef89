//! Whether a row has one value at all.
//!
//! Correct means: a row that runs at one speed in some turns and at another speed in others is
//! told from a row that is merely noisy.
//!
//! Rule: the medians of the turns, in order, have a gap of more than 4 % with at least 15 % of the
//! turns, and at least two of them, on either side. Noise fills such a gap; an interrupted turn
//! stands alone. The parts of a random walk differ by themselves, so each visit is held against the
//! median of its own segment, and segments that were visited too rarely to have one do not count.

use std::collections::BTreeMap;

use super::quantile::{median, sorted};
use super::segments::Visit;

/// Modes nearer than this are one: placement and noise differ by less.
const GAP: f64 = 1.04;
/// The share of turns that makes a mode.
const SHARE: f64 = 0.15;
/// The number of turns that makes a mode: one alone may be an accident.
const FEWEST: usize = 2;

/// Visits that a segment must have before its median means anything.
const FEWEST_VISITS: usize = 4;

/// Whether the turns fall into two groups.
pub(super) fn is_bistable(visits: &[Visit]) -> bool {
    let usual = usual_costs(visits);
    let turns = visits.chunk_by(|one, next| one.turn == next.turn);
    let relative = |visit: &Visit| usual.get(&visit.segment).map(|usual| visit.cycles / usual);
    let medians =
        sorted(turns.filter_map(|turn| median(&sorted(turn.iter().filter_map(relative)))));
    let least = ((medians.len() as f64 * SHARE).ceil() as usize).max(FEWEST);
    let splits = least..(medians.len() + 1).saturating_sub(least);
    splits
        .into_iter()
        .any(|at| medians[at] > medians[at - 1] * GAP)
}

/// The median cost of each segment with enough visits.
fn usual_costs(visits: &[Visit]) -> BTreeMap<u32, f64> {
    let mut costs: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for visit in visits {
        costs.entry(visit.segment).or_default().push(visit.cycles);
    }
    costs.retain(|_, costs| costs.len() >= FEWEST_VISITS);
    let medians = costs.into_iter();
    medians
        .filter_map(|(segment, costs)| Some((segment, median(&sorted(costs))?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(medians: &[f64]) -> Vec<Visit> {
        let turn = |(turn, &cycles): (usize, &f64)| {
            (0..8).map(move |segment| Visit {
                turn: turn as u32,
                segment,
                cycles,
                ns: 0.0,
                events: [None; 4],
            })
        };
        medians.iter().enumerate().flat_map(turn).collect()
    }

    #[test]
    fn turns_in_two_groups_are_two_modes() {
        assert!(is_bistable(&turns(&[3.5, 4.0, 3.51, 3.99, 4.01, 3.5])));
    }

    #[test]
    fn a_few_slow_turns_are_no_mode() {
        let mut medians = vec![5.0; 20];
        medians[3] = 8.0;
        medians[9] = 8.0;
        assert!(!is_bistable(&turns(&medians)));
        medians[12] = 8.0;
        assert!(is_bistable(&turns(&medians)));
    }

    #[test]
    fn noise_without_a_gap_is_no_mode() {
        let medians: Vec<f64> = (0..20)
            .map(|step| 5.0 * (1.0 + f64::from(step) * 0.03))
            .collect();
        assert!(!is_bistable(&turns(&medians)));
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
    fn segments_that_cost_differently_are_no_modes() {
        // Each turn visits two of eight segments, which cost 10 or 20 by themselves.
        let visits: Vec<Visit> = (0..40u32)
            .flat_map(|turn| {
                [0, 1].map(|part| Visit {
                    turn,
                    segment: (2 * turn + part) % 8,
                    cycles: if turn % 4 < 2 { 10.0 } else { 20.0 },
                    ns: 0.0,
                    events: [None; 4],
                })
            })
            .collect();
        assert!(!is_bistable(&visits));
        // The same, and every second round is slower.
        let slower = |visit: &Visit| Visit {
            cycles: visit.cycles
                * if (visit.turn / 4).is_multiple_of(2) {
                    1.0
                } else {
                    1.2
                },
            ..*visit
        };
        assert!(is_bistable(&visits.iter().map(slower).collect::<Vec<_>>()));
    }
}
