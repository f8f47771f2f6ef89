//! Counts of events beyond those of the columns.
//!
//! Correct means: a value is the mean over the walk's segments of the mean over a segment's chunks,
//! less what entering takes, and no chunk is left out: what disturbs a chunk may be the event itself.

use serde::{Deserialize, Serialize};

use super::segments::{Rule, Segments, Visit};
use super::{Estimate, Timing, bootstrap};

/// One event's turns of a row, which it shares with no other event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Further {
    /// The event.
    pub name: String,
    /// Its count of an entry with no iteration: the median of many.
    pub overhead: u64,
    /// Of branch misses, how many the end of a chunk's loop has: [`loop_end`](super::loop_end).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loop_end: Option<f64>,
    /// The chunks in the order they ran.
    pub chunks: Vec<CountedChunk>,
    /// Readings that were refused.
    pub refused: u64,
    /// Why the first of them was.
    pub why: Option<String>,
}

/// One entry in which the event was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedChunk {
    /// The turn it belongs to, from 0.
    pub turn: u32,
    /// The part of the walk, from 0.
    pub segment: u32,
    /// The count, entering included.
    pub count: u64,
}

/// An event's count in one iteration of the whole loop; no number where no reading was accepted.
pub fn per_iteration(further: &Further, timing: &Timing, seed: u64) -> Estimate {
    let iterations = timing.iterations_per_chunk as f64;
    let visit = |chunk: &CountedChunk| Visit {
        turn: chunk.turn,
        segment: chunk.segment,
        cycles: (chunk.count as f64 - further.overhead as f64) / iterations,
        ns: f64::NAN,
        events: [None; 4],
    };
    let visits: Vec<Visit> = further.chunks.iter().map(visit).collect();
    let segments = Segments::by(Rule::Mean, &visits, |visit| Some(visit.cycles));
    bootstrap::estimate(&segments, seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    fn further(counts: &[(u32, u32, u64)]) -> Further {
        let chunk = |&(turn, segment, count): &(u32, u32, u64)| CountedChunk {
            turn,
            segment,
            count,
        };
        Further {
            overhead: 100,
            chunks: counts.iter().map(chunk).collect(),
            ..Further::default()
        }
    }

    #[test]
    fn segments_count_alike_however_often_they_were_visited() {
        let timing = fixture::empty();
        let n = timing.iterations_per_chunk;
        // Segment 0 was visited three times, segment 1 once.
        let counts = further(&[
            (0, 0, 100 + n),
            (0, 1, 100 + 5 * n),
            (1, 0, 100 + 3 * n),
            (2, 0, 100 + 2 * n),
        ]);
        assert_eq!(per_iteration(&counts, &timing, 1).value, (2.0 + 5.0) / 2.0);
    }

    #[test]
    fn a_single_chunk_with_many_counts_enters_the_value() {
        let timing = fixture::empty();
        let n = timing.iterations_per_chunk;
        let calm = (0..9).map(|turn| (turn, 0, 100));
        let counts: Vec<_> = calm.chain([(9, 0, 100 + 10 * n)]).collect();
        let estimate = per_iteration(&further(&counts), &timing, 1);
        assert!((estimate.value - 1.0).abs() < 1e-12, "{estimate:?}");
        assert!(estimate.low < 1.0 && estimate.high > 1.0, "{estimate:?}");
    }

    #[test]
    fn without_a_reading_there_is_no_number() {
        assert!(
            per_iteration(&further(&[]), &fixture::empty(), 1)
                .value
                .is_nan()
        );
    }
}
