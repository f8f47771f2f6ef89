//! Turns of timed chunks over the images of one row: rules 2 to 6 of docs/method.md.
//!
//! Correct means: every timed chunk has a calibration on both sides, its sum equals what its part
//! of the walk must add up to, and no image is entered at an address that had other code before.

use super::stage::{Ground, Stage, Visits};
use super::verify::compare;
use crate::counter::group::Refused;
use crate::counter::{CounterSource, Reading, Request, Unavailable};
use crate::job::Failure;
use crate::stats::{
    BEST_WIDTH_TOLERANCE, Chunk, Counting, Event, Events, ImageSamples, Timing, quantile,
};
use crate::sys::time;
use crate::template::HeapKind;

/// Chunks of a turn that only warm up.
const UNTIMED: u32 = 2;
/// Chunks of a turn that are timed.
const TIMED: u32 = 8;
/// How many times its budget a row may take while something on the machine disturbs it.
const PATIENCE: f64 = 4.0;
/// The clock's facts that a row's timing needs.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// TSC ticks a second.
    pub tsc_hz: f64,
    /// Ticks of an entry with no iteration, for the calibration kernels.
    pub overhead_ticks: u64,
    /// Cycles of the calibration chain.
    pub chain_cycles: u64,
    /// Ticks that the width kernel takes at its best in this process.
    pub best_width: u64,
}

/// Iterations whose time is between `chunk_ns` and twice that: a power of two.
///
/// # Errors
/// What entering says.
pub fn size_chunk(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    tsc_hz: f64,
    chunk_ns: f64,
) -> Result<u64, Failure> {
    const LARGEST: u64 = 1 << 18;
    let has_walk = stage.row.heap.kind != HeapKind::None;
    let mut iterations = 1u64;
    loop {
        let mut best = u64::MAX;
        for _ in 0..3 {
            best = best.min(stage.enter(ground, 0, visits, 0, iterations)?.ticks);
        }
        let nanoseconds = best as f64 / tsc_hz * 1e9;
        if nanoseconds >= chunk_ns || iterations >= LARGEST {
            return Ok(iterations);
        }
        let is_short = has_walk && iterations * 2 > visits.len();
        if is_short {
            // The walk in hand is only for sizing; what is missing is extrapolated.
            let factor = (chunk_ns / nanoseconds).ceil() as u64;
            return Ok((iterations * factor.next_power_of_two()).min(LARGEST));
        }
        iterations *= 2;
    }
}

/// Times all images of a row in turns.
///
/// # Errors
/// A wrong sum, or what entering says.
pub fn time_row(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut dyn CounterSource,
    scale: &mut Scale,
    plan: (u64, f64),
) -> Result<Timing, Failure> {
    let (iterations, time_ms) = plan;
    let (overhead, mut counting) = entry_overhead(stage, ground, visits, source)?;
    let segments = visits.len().div_ceil(iterations).max(1) as u32;
    let count = stage.images.len();
    let mut images = vec![ImageSamples::default(); count];
    let budget_ns = time_ms * 1e6 * count as f64;
    let mut segment = vec![0u32; count];
    let started = time::nanoseconds();
    for turn in 0u32.. {
        for step in 0..count {
            let image = (turn as usize + step) % count;
            let request = Request {
                image,
                visits,
                element: 0,
                iterations,
            };
            let mut turner = Turner {
                stage,
                ground,
                source,
                request,
                segments,
                segment: &mut segment[image],
                counting: counting.as_mut(),
            };
            turner.run(turn, &mut images[image])?;
        }
        let spent = (time::nanoseconds() - started) as f64;
        if spent >= budget_ns && (spent >= PATIENCE * budget_ns || is_quiet(&images[0], scale)) {
            break;
        }
    }
    let baseline = images.pop().unwrap_or_default();
    Ok(Timing {
        iterations_per_chunk: iterations * u64::from(stage.row.unroll),
        segments,
        entry_overhead_ticks: overhead,
        chain_overhead_ticks: scale.overhead_ticks,
        chain_cycles: scale.chain_cycles,
        best_width_ticks: scale.best_width,
        tsc_hz: scale.tsc_hz,
        images,
        baseline,
        counting,
    })
}

/// Whether enough chunks at placement 0 ran with the core's whole width: an SMT sibling that takes
/// issue slots does not show in the chain, and its bursts last seconds.
fn is_quiet(samples: &ImageSamples, scale: &mut Scale) -> bool {
    const ENOUGH: f64 = 0.5;
    let widths = |chunk: &Chunk| chunk.before.width_ticks.max(chunk.after.width_ticks);
    let best = samples.chunks.iter().map(widths).min().unwrap_or(0);
    scale.best_width = scale.best_width.min(best.max(1));
    let limit = scale.best_width as f64 * BEST_WIDTH_TOLERANCE;
    let clean = samples
        .chunks
        .iter()
        .filter(|chunk| widths(chunk) as f64 <= limit)
        .count();
    clean as f64 >= ENOUGH * samples.chunks.len() as f64
}

/// Ticks and events of an entry without an iteration: the medians of many.
fn entry_overhead(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut dyn CounterSource,
) -> Result<(u64, Option<Counting>), Failure> {
    let request = Request {
        image: 0,
        visits,
        element: 0,
        iterations: 0,
    };
    let mut ticks = Vec::with_capacity(501);
    let mut counting: Option<Counting> = None;
    let mut counted = Vec::new();
    for _ in 0..501 {
        let reading = source.read(stage, ground, request)?;
        ticks.push(reading.ticks.unwrap_or(0));
        if let Some(events) = reading.events {
            counted.extend(accepted(counting.get_or_insert_default(), events));
        }
    }
    ticks.sort_unstable();
    if let Some(counting) = &mut counting {
        counting.overhead = medians(&counted);
    }
    Ok((ticks[ticks.len() / 2], counting))
}

/// The events of a reading; of one that was refused, the count of such and the first one's reason.
fn accepted(counting: &mut Counting, events: Result<Events, Refused>) -> Option<Events> {
    match events {
        Ok(events) => Some(events),
        Err(refused) => {
            counting.refused += 1;
            let why = || Unavailable::from(refused).to_string();
            counting.why.get_or_insert_with(why);
            None
        }
    }
}

fn medians(counted: &[Events]) -> Events {
    Events::of(|event: Event| {
        let counts = counted.iter().filter_map(|events| events.get(event));
        let counts = quantile::sorted(counts.map(|count| count as f64));
        quantile::rank(&counts, 0.5).map(|count| count as u64)
    })
}

/// One image's turn.
struct Turner<'a, 'row> {
    stage: &'a mut Stage<'row>,
    ground: &'a mut Ground,
    source: &'a mut dyn CounterSource,
    request: Request<'a>,
    segments: u32,
    segment: &'a mut u32,
    counting: Option<&'a mut Counting>,
}

impl Turner<'_, '_> {
    fn run(&mut self, turn: u32, samples: &mut ImageSamples) -> Result<(), Failure> {
        for _ in 0..UNTIMED {
            self.chunk()?;
        }
        let mut before = self.source.calibrate();
        for _ in 0..TIMED {
            let (segment, ticks, events) = self.chunk()?;
            let after = self.source.calibrate();
            samples.chunks.push(Chunk {
                turn,
                segment,
                ticks,
                before,
                after,
                events,
            });
            before = after;
        }
        Ok(())
    }

    /// Enters for the next segment of the walk and compares its sum.
    fn chunk(&mut self) -> Result<(u32, u64, Option<Events>), Failure> {
        let segment = *self.segment;
        *self.segment = (segment + 1) % self.segments;
        let mut request = self.request;
        request.element = u64::from(segment) * request.iterations;
        let reading = self.source.read(self.stage, self.ground, request)?;
        let Reading {
            exit,
            ticks,
            events,
            ..
        } = reading;
        let is_baseline = request.image == self.stage.baseline();
        if let (Some(exit), false) = (exit, is_baseline) {
            let expected = match self.stage.row.heap.kind {
                HeapKind::None => super::stage::expected_of(self.stage.row, 0)
                    .map(|one| one.wrapping_mul(request.iterations)),
                _ => request.visits.expected(request.element, request.iterations),
            };
            if let Some(expected) = expected {
                compare(&exit, request.element, expected)?;
            }
        }
        let counted = match (&mut self.counting, events) {
            (Some(counting), Some(events)) => accepted(counting, events),
            _ => None,
        };
        Ok((segment, ticks.unwrap_or(0), counted))
    }
}
