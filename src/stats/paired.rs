//! Two rows that took turns: how many times as much the one costs, and how surely.
//!
//! Correct means: the interval holds the median ratio with at least the stated confidence, whatever
//! the shape of the noise, as long as what disturbs one turn does not favour a row; and a verdict
//! of `faster` or `slower` survives a change of placement.
//!
//! What disturbs a machine lasts longer than a turn, so it multiplies neighbouring turns alike and
//! drops out of their ratio. The ratios' median needs no shape of the noise; its interval is made of
//! order statistics, with the exact binomial probabilities of the sign test.

use std::collections::BTreeMap;

use super::calibration::Scale;
use super::costs::Costs;
use super::quantile::{median, sorted};
use super::segments::Visit;
use super::{Quantity, Timing};

/// Differences smaller than this are not told apart from none: copies of one row at other addresses
/// were seen to differ by up to 0.2 %, turn after turn. See docs/method.md, "Comparing".
pub const RESOLUTION: f64 = 0.003;
/// Visits that a turn must have left to have a value.
const FEWEST_VISITS: usize = 3;

/// How many times as much one row costs as another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Median of the ratios of neighbouring turns.
    pub ratio: f64,
    /// Lower end of its interval; 0 where there are too few pairs for one.
    pub low: f64,
    /// Upper end; infinite where there are too few pairs.
    pub high: f64,
    /// How likely pairs that lean to one side as much as these are where the rows do not differ.
    pub p: f64,
    /// Pairs of turns.
    pub pairs: u32,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Not told apart.
    Same,
    /// The other is faster, wherever the code is placed.
    Faster,
    /// The other is slower, wherever the code is placed.
    Slower,
    /// They differ here, by less than the place of the code changes.
    Undecided,
}

/// The pairs at placement 0. `known` is what of each row's reading is known and not of the row; a
/// row's pair needs a positive value on both sides. `error` is the share of intervals that may miss.
///
/// `None` where no turn of the one has a neighbour of the other.
pub fn ratio(
    base: &Timing,
    other: &Timing,
    quantity: Quantity,
    known: (f64, f64),
    error: f64,
) -> Option<Ratio> {
    let values = [turns(base, 0, quantity), turns(other, 0, quantity)];
    let pairs = values[0].iter().filter_map(|(turn, base)| {
        let (base, other) = (base - known.0, values[1].get(turn)? - known.1);
        (base > 0.0 && other > 0.0).then(|| (other / base).ln())
    });
    of_logarithms(&sorted(pairs), error)
}

/// The verdict on cycles or nanoseconds. `ranges` are the least and most cycles over placements of
/// base and other; `None` where one has no value.
pub fn verdict(ratio: &Ratio, error: f64, ranges: Option<[(f64, f64); 2]>) -> Verdict {
    let is_told_apart = ratio.p <= error && !(ratio.low <= 1.0 && 1.0 <= ratio.high);
    let differs = (ratio.ratio - 1.0).abs() > RESOLUTION;
    match ranges {
        Some(ranges) if is_told_apart && differs => placed(ratio.ratio, ranges),
        _ => Verdict::Same,
    }
}

/// Whether a difference that is there holds wherever the code is placed: the slower one's least
/// cycles over placements have to be above the faster one's most.
pub fn placed(ratio: f64, [base, other]: [(f64, f64); 2]) -> Verdict {
    match () {
        () if ratio < 1.0 && other.1 < base.0 => Verdict::Faster,
        () if ratio > 1.0 && other.0 > base.1 => Verdict::Slower,
        () => Verdict::Undecided,
    }
}

/// The value of each turn of an image: the median of its visits.
fn turns(timing: &Timing, image: usize, quantity: Quantity) -> BTreeMap<u32, f64> {
    let Some(samples) = timing.images.get(image) else {
        return BTreeMap::new();
    };
    let costs = Costs::of(samples, timing, &Scale::of(timing));
    let of = |visit: &Visit| match (quantity, &timing.counting) {
        (Quantity::Ns, _) => Some(visit.ns),
        // The hardware's where it was asked, else the clock's.
        (Quantity::Cycles, None) => Some(visit.cycles),
        _ => visit.events[quantity.known().event? as usize],
    };
    let mut by_turn = BTreeMap::<u32, Vec<f64>>::new();
    for visit in &costs.visits {
        by_turn.entry(visit.turn).or_default().extend(of(visit));
    }
    let valued = by_turn
        .into_iter()
        .filter(|(_, visits)| visits.len() >= FEWEST_VISITS);
    valued
        .filter_map(|(turn, visits)| Some((turn, median(&sorted(visits))?)))
        .collect()
}

/// Of ascending logarithms of ratios.
fn of_logarithms(sorted: &[f64], error: f64) -> Option<Ratio> {
    let middle = median(sorted)?;
    let below = sorted.iter().filter(|one| **one < 0.0).count();
    let above = sorted.iter().filter(|one| **one > 0.0).count();
    let p = (2.0 * at_most(below.min(above), below + above)).min(1.0);
    // The interval from the k-th least to the k-th greatest misses the median as often as fewer
    // than k of all pairs lie on one side of it.
    let rank = (0..sorted.len() / 2)
        .take_while(|&k| 2.0 * at_most(k, sorted.len()) <= error)
        .count();
    let (low, high) = match rank {
        0 => (0.0, f64::INFINITY),
        rank => (sorted[rank - 1].exp(), sorted[sorted.len() - rank].exp()),
    };
    Some(Ratio {
        ratio: middle.exp(),
        low,
        high,
        p,
        pairs: sorted.len() as u32,
    })
}

/// Probability that at most `k` of `n` fair coins show heads.
fn at_most(k: usize, n: usize) -> f64 {
    // In logarithms: 2^-n is nothing from 1075 coins on.
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for heads in 0..=k.min(n) {
        if heads > 0 {
            term += ((n - heads + 1) as f64 / heads as f64).ln();
        }
        sum += term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;
    use crate::stats::random::SplitMix64;

    /// Pascal's triangle, exact for small n.
    fn naive_at_most(k: usize, n: usize) -> f64 {
        let mut line = vec![1u64];
        for _ in 0..n {
            let mut next = vec![1];
            next.extend(line.windows(2).map(|pair| pair[0] + pair[1]));
            next.push(1);
            line = next;
        }
        line[..=k.min(n)].iter().sum::<u64>() as f64 / 2f64.powi(n as i32)
    }

    #[test]
    fn the_chance_of_at_most_k_heads_is_that_of_pascals_triangle() {
        for n in 0..40 {
            for k in 0..=n {
                let (fast, naive) = (at_most(k, n), naive_at_most(k, n));
                assert!((fast - naive).abs() < 1e-12, "{k} of {n}: {fast} {naive}");
            }
        }
        assert!((at_most(1000, 2001) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn five_pairs_are_too_few_and_six_are_enough() {
        let of = |count: usize| of_logarithms(&vec![0.1; count], 0.05).expect("pairs");
        assert_eq!((of(5).low, of(5).high), (0.0, f64::INFINITY));
        assert!(of(5).p > 0.05 && of(6).p < 0.05);
        assert!((of(6).low - 0.1f64.exp()).abs() < 1e-12);
        assert_eq!(of_logarithms(&[], 0.05), None);
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says_under_heavy_noise() {
        let mut random = SplitMix64::new(5);
        let mut unit = || random.below(1 << 32) as f64 / (1u64 << 32) as f64;
        let mut missed = 0;
        for _ in 0..1000 {
            // One pair in ten is off by up to a factor of e, to either side.
            let pairs = (0..40).map(|_| {
                let noise = if unit() < 0.1 { 2.0 } else { 0.002 };
                0.01 + (unit() - 0.5) * noise
            });
            let ratio = of_logarithms(&sorted(pairs), 0.05).expect("pairs");
            let truth = 0.01f64.exp();
            missed += u32::from(!(ratio.low <= truth && truth <= ratio.high));
        }
        assert!((10..=50).contains(&missed), "{missed} of 1000");
    }

    #[test]
    fn what_slows_both_neighbours_drops_out() {
        let slow = |turn: u32| if turn.is_multiple_of(3) { 1.5 } else { 1.0 };
        let row = |cycles: f64| Timing {
            images: vec![fixture::image(20, |turn, _| cycles * slow(turn))],
            ..fixture::empty()
        };
        let ratio = ratio(&row(5.0), &row(5.5), Quantity::Cycles, (0.0, 0.0), 0.05);
        let ratio = ratio.expect("pairs");
        assert!((ratio.ratio - 1.1).abs() < 1e-3 && ratio.low > 1.09 && ratio.high < 1.11);
        assert_eq!(ratio.pairs, 20);
    }

    #[test]
    fn the_ratio_is_the_median_of_all_pairs() {
        for (turns, wanted) in [(9, 1.0), (10, 1.05), (11, 1.1)] {
            let cycles = |turn: u32, _| if turn < turns { 55.0 } else { 50.0 };
            let other = Timing {
                images: vec![fixture::image(20, cycles)],
                ..fixture::empty()
            };
            let base = fixture::steady(20, 50.0);
            let ratio = ratio(&base, &other, Quantity::Cycles, (0.0, 0.0), 0.05).expect("pairs");
            assert!((ratio.ratio - wanted).abs() < 2e-3, "{turns}: {ratio:?}");
        }
    }

    #[test]
    fn cycles_are_the_hardwares_where_it_was_asked_and_ns_the_clocks() {
        let counted = |cycles: f64| {
            let mut timing = fixture::steady(10, 5.0);
            timing.counting = Some(crate::stats::Counting::default());
            for chunk in &mut timing.images[0].chunks {
                let count = (cycles * fixture::ITERATIONS as f64) as u64;
                chunk.events = Some(crate::stats::Events::of(|_| Some(count)));
            }
            timing.counting.iter_mut().for_each(|counting| {
                counting.overhead = crate::stats::Events::of(|_| Some(0));
            });
            timing
        };
        let (base, other) = (counted(6.0), counted(9.0));
        let of = |quantity| {
            ratio(&base, &other, quantity, (0.0, 0.0), 0.05)
                .expect("pairs")
                .ratio
        };
        assert!((of(Quantity::Cycles) - 1.5).abs() < 1e-9);
        assert!((of(Quantity::Ns) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_known_of_a_reading_is_none_of_the_rows_and_what_is_left_has_to_be_something() {
        let (base, other) = (fixture::steady(10, 5.0), fixture::steady(10, 8.0));
        #[rustfmt::skip] // a table: what is known of both, and the ratio of the rest
        let table = [
            ((0.0, 0.0), Some(1.6)), ((1.0, 0.0), Some(2.0)), ((0.0, 3.0), Some(1.0)), ((1.0, 2.0), Some(1.5)),
            ((5.1, 0.0), None), ((0.0, 8.1), None),
        ];
        for (known, wanted) in table {
            let found =
                ratio(&base, &other, Quantity::Cycles, known, 0.05).map(|found| found.ratio);
            let is_it = match (found, wanted) {
                (Some(found), Some(wanted)) => (found - wanted).abs() < 1e-3,
                (found, wanted) => found == wanted,
            };
            assert!(is_it, "{known:?}: {found:?}");
        }
    }

    #[test]
    fn turns_without_a_neighbour_are_no_pairs() {
        let mut base = fixture::steady(10, 5.0);
        base.images[0].chunks.retain(|chunk| chunk.turn >= 4);
        let other = fixture::steady(7, 5.0);
        let ratio = ratio(&base, &other, Quantity::Ns, (0.0, 0.0), 0.05).expect("pairs");
        assert_eq!(ratio.pairs, 3);
    }

    #[test]
    fn a_verdict_needs_significance_a_difference_and_ranges_apart() {
        let sure = |ratio: f64| Ratio {
            ratio,
            low: ratio * 0.999,
            high: ratio * 1.001,
            p: 0.001,
            pairs: 40,
        };
        let apart = Some([(5.0, 5.1), (5.5, 5.6)]);
        let swapped = Some([(5.5, 5.6), (5.0, 5.1)]);
        let overlapping = Some([(5.0, 6.0), (5.5, 6.5)]);
        assert_eq!(verdict(&sure(1.1), 0.05, apart), Verdict::Slower);
        assert_eq!(verdict(&sure(0.9), 0.05, swapped), Verdict::Faster);
        assert_eq!(verdict(&sure(1.1), 0.05, overlapping), Verdict::Undecided);
        assert_eq!(verdict(&sure(0.9), 0.05, apart), Verdict::Undecided);
        assert_eq!(verdict(&sure(1.002), 0.05, apart), Verdict::Same);
        assert_eq!(verdict(&sure(1.1), 0.0001, apart), Verdict::Same);
        assert_eq!(verdict(&sure(1.1), 0.05, None), Verdict::Same);
        for (low, high, told) in [(0.99, 1.2, Verdict::Same), (1.001, 1.2, Verdict::Slower)] {
            let ratio = Ratio {
                low,
                high,
                ..sure(1.1)
            };
            assert_eq!(verdict(&ratio, 0.05, apart), told);
        }
    }
}
