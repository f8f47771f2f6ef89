//! Made-up samples for tests.

pub(crate) use super::Calibration;
use super::{Chunk, ImageSamples, Timing};

/// Ticks of the chain: 22,000 for 32,000 cycles, and 52 of overhead.
pub(crate) const CHAIN_TICKS: u64 = 22_052;
/// Ticks of the throughput kernel, alone on the core.
pub(crate) const WIDTH_TICKS: u64 = 2_852;
/// Iterations of a chunk.
pub(crate) const ITERATIONS: u64 = 4096;
/// Ticks of entering.
pub(crate) const OVERHEAD: u64 = 52;

/// Ticks of a chunk whose iterations take `cycles`.
pub(crate) fn ticks(cycles: f64) -> u64 {
    (cycles * ITERATIONS as f64 * 22_000.0 / 32_000.0).round() as u64 + OVERHEAD
}

/// A row without samples.
pub(crate) fn empty() -> Timing {
    Timing {
        iterations_per_chunk: ITERATIONS,
        unroll: 1,
        segments: 8,
        entry_overhead_ticks: OVERHEAD,
        chain_overhead_ticks: 52,
        best_width_ticks: u64::MAX,
        chain_cycles: 32_000,
        tsc_hz: 2.6e9,
        ..Timing::default()
    }
}

/// Turns of eight undisturbed chunks, one for each segment; `cycles` by turn and segment.
pub(crate) fn image(turns: u32, cycles: impl Fn(u32, u32) -> f64) -> ImageSamples {
    let quiet = Calibration {
        chain_ticks: CHAIN_TICKS,
        width_ticks: WIDTH_TICKS,
    };
    let chunk = |turn, segment| Chunk {
        turn,
        segment,
        ticks: ticks(cycles(turn, segment)),
        before: quiet,
        after: quiet,
        events: None,
    };
    let chunks = (0..turns).flat_map(|turn| (0..8).map(move |segment| (turn, segment)));
    ImageSamples {
        chunks: chunks.map(|(turn, segment)| chunk(turn, segment)).collect(),
        switches: Vec::new(),
    }
}

/// A row whose every iteration takes `cycles`, with a baseline of one cycle.
pub(crate) fn steady(turns: u32, cycles: f64) -> Timing {
    Timing {
        images: vec![image(turns, |_, _| cycles)],
        baseline: image(turns, |_, _| 1.0),
        ..empty()
    }
}

/// One turn of chunks of 5 cycles between calibrations of these ticks.
pub(crate) fn turn_with_calibrations(chains: &[u64], widths: &[u64]) -> Timing {
    let calibrations: Vec<Calibration> = chains
        .iter()
        .zip(widths)
        .map(|(&chain_ticks, &width_ticks)| Calibration {
            chain_ticks,
            width_ticks,
        })
        .collect();
    let chunks = calibrations
        .windows(2)
        .enumerate()
        .map(|(segment, pair)| Chunk {
            turn: 0,
            segment: segment as u32,
            ticks: ticks(5.0),
            before: pair[0],
            after: pair[1],
            events: None,
        });
    Timing {
        images: vec![ImageSamples {
            chunks: chunks.collect(),
            switches: Vec::new(),
        }],
        ..empty()
    }
}
