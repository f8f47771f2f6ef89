//! Whether an interval holds the truth as often as it says, tried on noise whose truth is known.
//!
//! Correct means: the simulated samples go through [`summarize`], all of it, and the truth is the
//! quantile that the noise has by its formula and not one that was estimated.
//!
//! The noise is that of a busy virtual machine: a tail without variance, chunks that an interruption
//! lengthens manyfold, and, in every second simulation, a walk whose segments differ by a fifth.

use super::random::SplitMix64;
use super::{Calibration, Chunk, ImageSamples, Timing, summarize};

/// Chunks of a turn, all of them timed.
const CHUNKS: u32 = 8;
/// Turns of a simulated row.
const TURNS: u32 = 16;
/// Segments of the simulated walk: each is visited 16 times, as in a row of a second.
const SEGMENTS: u32 = 8;
/// One chunk in so many is interrupted.
const INTERRUPTED: u64 = 50;
/// Scale of the noise, as a share of the cost.
const NOISE: f64 = 0.004;

/// What the simulations came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Share of the intervals that hold the truth.
    pub covered: f64,
    /// Median width of the intervals, as a share of the truth.
    pub width: f64,
}

/// Simulates rows; the same seed gives the same answer.
pub fn coverage(simulations: u32, seed: u64) -> Coverage {
    let mut random = SplitMix64::new(seed);
    let mut covered = 0;
    let mut widths = Vec::new();
    for simulation in 0..simulations {
        let segments = [1, SEGMENTS][simulation as usize % 2];
        let (timing, truth) = row(&mut random, segments);
        let cycles = summarize(&timing, random.next_u64()).cycles;
        covered += u32::from(cycles.low <= truth && truth <= cycles.high);
        widths.push((cycles.high - cycles.low) / truth);
    }
    Coverage {
        covered: f64::from(covered) / f64::from(simulations.max(1)),
        width: super::quantile::median(&super::quantile::sorted(widths)).unwrap_or(f64::NAN),
    }
}

/// A number from 0 to 1, neither of them.
fn uniform(random: &mut SplitMix64) -> f64 {
    (random.below(1 << 52) as f64 + 0.5) / (1u64 << 52) as f64
}

/// The noise below which a share of `q` lies: log-logistic with the shape 2, so without variance.
fn noise(q: f64) -> f64 {
    NOISE * (q / (1.0 - q)).sqrt()
}

/// A row without placements beside the first, and its true value.
fn row(random: &mut SplitMix64, segments: u32) -> (Timing, f64) {
    const TICKS_PER_CYCLE: f64 = 0.7;
    const CHAIN: u64 = 32_000;
    const ITERATIONS: u64 = 4096;
    let costs: Vec<f64> = (0..segments)
        .map(|_| 20.0 * (1.0 + 0.2 * uniform(random)))
        .collect();
    let quiet = Calibration {
        chain_ticks: (CHAIN as f64 * TICKS_PER_CYCLE) as u64,
        width_ticks: 2800,
    };
    let chunk = |at: u32| {
        let segment = at % segments;
        let mut cycles = costs[segment as usize] * (1.0 + noise(uniform(random)));
        if random.below(INTERRUPTED) == 0 {
            cycles *= 1.5 + 10.0 * uniform(random);
        }
        Chunk {
            turn: at / CHUNKS,
            segment,
            ticks: (cycles * ITERATIONS as f64 * TICKS_PER_CYCLE).round() as u64,
            before: quiet,
            after: quiet,
            events: None,
        }
    };
    let timing = Timing {
        iterations_per_chunk: ITERATIONS,
        unroll: 1,
        segments,
        entry_overhead_ticks: 0,
        chain_overhead_ticks: 0,
        best_width_ticks: u64::MAX,
        chain_cycles: CHAIN,
        tsc_hz: 2.6e9,
        images: vec![ImageSamples {
            chunks: (0..TURNS * CHUNKS).map(chunk).collect(),
            switches: Vec::new(),
        }],
        ..Timing::default()
    };
    // The quartile of all is a quantile a little higher of those that are not interrupted.
    let clean = 1.0 - 1.0 / INTERRUPTED as f64;
    let mean = costs.iter().sum::<f64>() / f64::from(segments);
    (
        timing,
        mean * (1.0 + noise(super::quantile::LOWER_QUARTILE / clean)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_intervals_in_ten_hold_the_truth_and_none_is_wide() {
        let found = coverage(100, 1);
        assert!(found.covered >= 0.9, "{found:?}");
        assert!(found.width > 0.0 && found.width < 0.005, "{found:?}");
        assert_eq!(coverage(3, 7), coverage(3, 7));
    }

    #[test]
    fn a_quarter_of_the_noise_lies_below_its_quartile() {
        let mut random = SplitMix64::new(5);
        let below = (0..10_000).filter(|_| noise(uniform(&mut random)) < noise(0.25));
        assert!(below.count().abs_diff(2500) < 220);
    }
}
