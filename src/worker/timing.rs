//! Turns of timed chunks over the images of one row or of several: rules 2 to 6 of docs/method.md.
//!
//! Correct means: every timed chunk has a calibration on both sides, its sum equals what its part
//! of the walk must add up to, and no image is entered at an address that had other code before.

use std::collections::BTreeSet;

use super::guarded;
use super::inference;
use super::neighbours;
use super::order::TurnOrder;
use super::pace::{self, Pace};
use super::verify::compare;
use crate::counter::group::Refused;
use crate::counter::{CounterSource, Reading};
use crate::job::{Counters, Failure, JobRow, Plan, Unavailable, Uninferred};
use crate::stage::{Exit, Ground, Request, Stage, Visits, expected_of};
use crate::stats::{
    AGREES, BEST_WIDTH_TOLERANCE, Chunk, Counting, Event, Events, ImageSamples, Timing, quantile,
};
use crate::sys::time;

/// Chunks of a turn that only warm up.
pub(super) const UNTIMED: u32 = 2;
/// Chunks of a turn that are timed.
pub(super) const TIMED: u32 = 8;
/// Rounds that rows take which are compared, whatever their budget: with fewer than 6 pairs of turns
/// there is no interval, and some are lost.
const FEWEST_ROUNDS: u32 = 16;
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

/// A chunk, and what an iteration takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sized {
    /// Iterations.
    pub iterations: u64,
    /// Nanoseconds of one, entering included.
    pub iteration_ns: f64,
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
) -> Result<Sized, Failure> {
    const LARGEST: u64 = 1 << 18;
    let has_walk = stage.row.has_walk();
    let mut iterations = 1u64;
    loop {
        let request = Request {
            image: 0,
            visits,
            element: 0,
            iterations,
        };
        let mut best = u64::MAX;
        for _ in 0..3 {
            stage.rewind(ground, 0);
            best = best.min(stage.enter_between(ground, request, || ())?.ticks);
        }
        let nanoseconds = best as f64 / tsc_hz * 1e9;
        let sized = |iterations: u64, entered: u64| Sized {
            iterations,
            iteration_ns: nanoseconds / entered as f64,
        };
        if nanoseconds >= chunk_ns || iterations >= LARGEST {
            return Ok(sized(iterations, iterations));
        }
        let is_short = has_walk && iterations * 2 > visits.len();
        if is_short {
            // The walk in hand is only for sizing; what is missing is extrapolated.
            let factor = (chunk_ns / nanoseconds).ceil() as u64;
            let extrapolated = iterations * factor.next_power_of_two();
            return Ok(sized(extrapolated.min(LARGEST), iterations));
        }
        iterations *= 2;
    }
}

/// Seconds that a row will take from here on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// To verify each element of its walk.
    pub verified: f64,
    /// To time it at the least, of iterations so long that its chunks have one each: the run and the trials of
    /// chunks, and one round of turns. Shorter ones take the time that they are given.
    pub timed: f64,
}

impl Expected {
    /// Of iterations so long, as the first ones were.
    pub fn of(stage: &Stage<'_>, visits: &Visits, plan: &Plan, sized: Sized) -> Expected {
        const RUN_AND_TRIALS: f64 = 20.0;
        /// Entering for one iteration, and comparing.
        const ENTRY_NS: f64 = 300.0;
        let images = stage.baseline() as f64;
        let verified = match stage.row.has_walk() {
            false => 0.0,
            true => visits.len() as f64,
        };
        let rounds = if plan.together { FEWEST_ROUNDS } else { 1 };
        let turns = f64::from(rounds * (UNTIMED + TIMED));
        let timed = match (&plan.counters, sized.iterations) {
            // Each image is entered for its first element, however long that takes.
            (Counters::None, _) => images,
            (_, 1) => images * turns + RUN_AND_TRIALS,
            _ => 0.0,
        };
        Expected {
            verified: images * verified * (sized.iteration_ns + ENTRY_NS) / 1e9,
            timed: timed * sized.iteration_ns / 1e9,
        }
    }
}

/// A row that may be timed.
#[derive(Debug)]
pub struct Proved<'a> {
    /// Its index in the job.
    pub index: usize,
    /// Its images.
    pub stage: Stage<'a>,
    /// Its walk.
    pub visits: Visits,
    /// Iterations of a chunk.
    pub chunk: u64,
    /// Branches of an iteration whose target never differs, where those are all there are; else 0.
    pub direct_branches: f64,
    /// Why the misses of some of its sites are not inferred.
    pub uninferred: Vec<Uninferred>,
}

/// The time that something may take: of the processor, so that it has as many turns where others want the
/// processor too.
#[derive(Debug)]
pub(super) struct Budget {
    ns: f64,
    /// How many times as long it may take where it is disturbed.
    patience: f64,
    processor: u64,
    clock: u64,
}

impl Budget {
    /// How many times as long as planned it may take on the clock: beside three others it takes four times.
    const WAIT: f64 = 8.0;

    /// So many nanoseconds from now on.
    pub(super) fn new(ns: f64, patience: f64) -> Budget {
        Budget {
            ns,
            patience,
            processor: time::processor_nanoseconds(),
            clock: time::nanoseconds(),
        }
    }

    /// Whether it is used up; where `needs_more` says so, only when patience is too.
    pub(super) fn is_over(&self, needs_more: impl FnOnce() -> bool) -> bool {
        let spent = (time::processor_nanoseconds() - self.processor) as f64;
        let passed = (time::nanoseconds() - self.clock) as f64;
        let is_late = passed >= self.ns * Budget::WAIT.max(self.patience);
        is_late || spent >= self.ns && (spent >= self.patience * self.ns || !needs_more())
    }
}

/// Times all images of some rows in turns: of several rows, the turns at one placement are neighbours.
///
/// A row that goes wrong leaves the others their turns.
pub fn time_rows(
    rows: &mut [Proved<'_>],
    ground: &mut Ground,
    source: &mut dyn CounterSource,
    scale: &mut Scale,
    plan: &Plan,
) -> Vec<Result<Timing, Failure>> {
    let takes_turns = rows.len() > 1;
    let mut series: Vec<Result<Series, Failure>> = rows
        .iter_mut()
        .map(|row| {
            at_work(row, ground, takes_turns, |row, ground| {
                Series::new(row, ground, source, scale, plan)
            })
        })
        .collect();
    let images = plan.placements.len() + 1;
    let budget_ns = plan.time_ms * 1e6 * (images * rows.len()) as f64;
    let mut order = TurnOrder::new(rows.len(), images, plan.seed);
    let budget = Budget::new(budget_ns, plan.patience);
    for turn in 0u32.. {
        for (row, image) in order.round(turn) {
            let Ok(one) = &mut series[row] else { continue };
            let done = at_work(&mut rows[row], ground, takes_turns, |row, ground| {
                one.turn(row, ground, source, (turn, image))
            });
            if let Err(failure) = done {
                series[row] = Err(failure);
            }
        }
        let fewest = series
            .iter()
            .flatten()
            .map(|one| one.pace.fewest_rounds())
            .max();
        if plan.together && turn + 1 < FEWEST_ROUNDS || Some(turn + 1) < fewest {
            continue;
        }
        if ground.is_called_off() {
            break;
        }
        let mut left = series.iter().flatten().peekable();
        let goes_on = left.peek().is_some();
        if budget.is_over(|| goes_on && left.any(|one| !one.is_quiet(scale))) {
            break;
        }
    }
    let finish = |(series, row): (Result<Series, Failure>, &mut Proved<'_>)| {
        let mut timing = series?.timing(row, scale);
        // What goes wrong there costs no other number.
        let inferred = at_work(row, ground, takes_turns, |row, ground| {
            Ok(inference::infer(row, ground, source, (plan, &mut *scale)))
        });
        (timing.delayed, timing.references) = inferred.unwrap_or_default();
        Ok(timing)
    };
    series
        .into_iter()
        .zip(rows.iter_mut())
        .map(finish)
        .collect()
}

/// Does a part of a row's work. Where rows take turns, its data are in reach meanwhile and only then.
pub(super) fn at_work<T>(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    takes_turns: bool,
    mut work: impl FnMut(&mut Proved<'_>, &mut Ground) -> Result<T, Failure>,
) -> Result<T, Failure> {
    ground.work_on(row.index);
    guarded(|| {
        if takes_turns {
            row.stage.settle(ground)?;
        }
        let done = work(row, ground)?;
        if takes_turns {
            row.stage.hide(ground)?;
        }
        Ok(done)
    })
}

/// What was timed of a row so far.
pub(super) struct Series {
    entry_overhead_ticks: u64,
    counting: Option<Counting>,
    /// Segments of the walk.
    segments: u32,
    /// The segment that comes next, for each image.
    next: Vec<u32>,
    images: Vec<ImageSamples>,
    pace: Pace,
}

impl Series {
    fn new(
        row: &mut Proved<'_>,
        ground: &mut Ground,
        source: &mut dyn CounterSource,
        scale: &Scale,
        plan: &Plan,
    ) -> Result<Series, Failure> {
        row.stage.settle(ground)?;
        row.stage.rewind_all(ground);
        let (entry_overhead_ticks, counting) =
            entry_overhead(&mut row.stage, ground, &row.visits, source)?;
        let pace = pace::find(row, ground, source, scale, (plan, entry_overhead_ticks))?;
        row.stage.rewind_all(ground);
        let images = row.stage.baseline() + 1;
        let segments = row.visits.len().div_ceil(row.chunk).max(1) as u32;
        Ok(Series {
            entry_overhead_ticks,
            counting,
            segments,
            next: stagger(row, ground, segments)?,
            images: vec![ImageSamples::default(); images],
            pace,
        })
    }

    /// One turn of one image.
    fn turn(
        &mut self,
        row: &mut Proved<'_>,
        ground: &mut Ground,
        source: &mut dyn CounterSource,
        (turn, image): (u32, usize),
    ) -> Result<(), Failure> {
        for part in 0..(UNTIMED + TIMED).min(self.segments) {
            // Else the first image of a round would find the walk in a farther cache than the others.
            let segment = u64::from((self.next[image] + part) % self.segments);
            row.visits.touch(segment * row.chunk, row.chunk);
        }
        let request = Request {
            image,
            visits: &row.visits,
            element: 0,
            iterations: row.chunk,
        };
        let mut turner = Turner {
            stage: &mut row.stage,
            ground,
            source,
            request,
            segments: self.segments,
            segment: &mut self.next[image],
            timed: TIMED,
            counting: self.counting.as_mut(),
        };
        let before = neighbours::context_switches().filter(|_| turner.source.is_timed());
        let samples = &mut self.images[image];
        turner.run(turn, samples)?;
        let switches =
            before.and_then(|before| neighbours::context_switches()?.checked_sub(before));
        samples.switches.extend(switches.map(|count| count as u32));
        Ok(())
    }

    fn is_quiet(&self, scale: &mut Scale) -> bool {
        is_quiet(&self.images[0], scale) && (!self.pace.by_mean || halves_agree(&self.images[0]))
    }

    fn timing(self, row: &Proved<'_>, scale: &Scale) -> Timing {
        let mut images = self.images;
        let baseline = images.pop().unwrap_or_default();
        Timing {
            iterations_per_chunk: row.chunk * u64::from(row.stage.row.copies()),
            unroll: row.stage.row.copies(),
            segments: self.segments,
            entry_overhead_ticks: self.entry_overhead_ticks,
            chain_overhead_ticks: scale.overhead_ticks,
            chain_cycles: scale.chain_cycles,
            best_width_ticks: scale.best_width,
            tsc_hz: scale.tsc_hz,
            by_mean: self.pace.by_mean,
            long_runs: self.pace.long_runs,
            direct_branches: row.direct_branches,
            images,
            baseline,
            delayed: Vec::new(),
            references: None,
            counting: self.counting,
            further: Vec::new(),
            steal: None,
            cold: None,
        }
    }
}

/// Where each image begins. Images that visited the same data in the same order would walk in each other's
/// footsteps: the one behind would find in the caches what the one in front has fetched. Spread evenly
/// over the walk, each finds a line as long after its last visit as it would if it ran alone.
fn stagger(row: &mut Proved<'_>, ground: &mut Ground, segments: u32) -> Result<Vec<u32>, Failure> {
    let spread = row.stage.baseline() as u32 + 1;
    let images = 0..row.stage.images.len() as u32;
    let pass = row.stage.pass();
    if pass == 0 {
        return Ok(images.map(|_| 0).collect());
    }
    if row.stage.row.has_walk() {
        return Ok(images
            .map(|image| image % spread * segments / spread)
            .collect());
    }
    for image in 1..row.stage.baseline() {
        let mut left = pass * image as u64 / u64::from(spread);
        while left > 0 {
            let part = left.min(row.chunk);
            row.stage.enter(ground, image, &row.visits, 0, part)?;
            left -= part;
        }
    }
    Ok(images.map(|_| 0).collect())
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

/// Whether the first half of an image's chunks took as long as the second: the mean of phases is known then.
fn halves_agree(samples: &ImageSamples) -> bool {
    let ticks = |chunks: &[Chunk]| chunks.iter().map(|chunk| chunk.ticks).sum::<u64>() as f64;
    let half = samples.chunks.len() / 2;
    let (first, second) = samples.chunks[..2 * half].split_at(half);
    (ticks(first) / ticks(second).max(1.0) - 1.0).abs() <= AGREES
}

/// The turns of an image in which most chunks ran with the core's whole width, and nothing else at all
/// as far as somebody looked.
pub(super) fn quiet_turns(samples: &ImageSamples, scale: &mut Scale) -> BTreeSet<u32> {
    let turns = samples.chunks.chunk_by(|one, other| one.turn == other.turn);
    let quiet = turns.filter(|chunks| {
        let alone = samples.switches.get(chunks[0].turn as usize);
        let turn = ImageSamples {
            chunks: chunks.to_vec(),
            switches: Vec::new(),
        };
        alone.is_none_or(|switches| *switches == 0) && is_quiet(&turn, scale)
    });
    quiet.map(|chunks| chunks[0].turn).collect()
}

/// Compares the sum of a chunk with what its part of the walk must add up to, where that is stated.
///
/// # Errors
/// A wrong result.
pub(super) fn check_sum(row: &JobRow, request: &Request<'_>, exit: &Exit) -> Result<(), Failure> {
    let expected = match row.has_walk() {
        false => expected_of(row, 0).map(|one| one.wrapping_mul(request.iterations)),
        true => request.visits.expected(request.element, request.iterations),
    };
    let of = (request.element, request.iterations);
    expected.map_or(Ok(()), |expected| compare(exit, of, expected))
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
        counting.entries = counted;
    }
    Ok((ticks[ticks.len() / 2], counting))
}

/// The events of a reading; of one that was refused, the count of such and the first one's reason.
fn accepted(counting: &mut Counting, events: Result<Events, Refused>) -> Option<Events> {
    match events {
        Ok(events) => Some(events),
        Err(refused) => {
            counting.refused += 1;
            if counting.why.is_none() {
                let why = Unavailable::from(refused);
                (counting.why, counting.remedy) = (Some(why.reason), why.remedy);
            }
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
pub(super) struct Turner<'a, 'row> {
    pub(super) stage: &'a mut Stage<'row>,
    pub(super) ground: &'a mut Ground,
    pub(super) source: &'a mut dyn CounterSource,
    pub(super) request: Request<'a>,
    pub(super) segments: u32,
    pub(super) segment: &'a mut u32,
    /// Chunks that are timed.
    pub(super) timed: u32,
    pub(super) counting: Option<&'a mut Counting>,
}

impl Turner<'_, '_> {
    pub(super) fn run(&mut self, turn: u32, samples: &mut ImageSamples) -> Result<(), Failure> {
        self.ground.begin_turn();
        for _ in 0..UNTIMED {
            self.chunk()?;
        }
        let mut before = self.source.calibrate();
        for _ in 0..self.timed {
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
            check_sum(self.stage.row, &request, &exit)?;
        }
        let counted = match (&mut self.counting, events) {
            (Some(counting), Some(events)) => accepted(counting, events),
            _ => None,
        };
        Ok((segment, ticks.unwrap_or(0), counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::{self, image};

    const SCALE: Scale = Scale {
        tsc_hz: 2.6e9,
        overhead_ticks: 52,
        chain_cycles: 32_000,
        best_width: fixture::WIDTH_TICKS,
    };

    /// Turns of eight chunks, of each so many beside a kernel that took this many ticks.
    fn beside(chunks: usize, width_ticks: u64) -> ImageSamples {
        let mut image = image(2, |_, _| 5.0);
        for turn in image.chunks.chunks_mut(8) {
            for chunk in &mut turn[..chunks] {
                chunk.after.width_ticks = width_ticks;
            }
        }
        image
    }

    #[test]
    fn an_image_is_quiet_where_half_of_its_chunks_had_the_cores_width_within_20_percent() {
        // A fifth more than 2,852 is 3,422.4.
        for (chunks, width_ticks, is_it) in [
            (8, 3_422, true),
            (8, 3_423, false),
            (4, 9_999, true),
            (5, 9_999, false),
        ] {
            let samples = beside(chunks, width_ticks);
            assert_eq!(
                is_quiet(&samples, &mut SCALE.clone()),
                is_it,
                "{chunks}, {width_ticks}"
            );
            let turns = quiet_turns(&samples, &mut SCALE.clone());
            assert_eq!(
                turns.len(),
                if is_it { 2 } else { 0 },
                "{chunks}, {width_ticks}"
            );
        }
        // Seven of sixteen are too few, wherever they stand.
        let mut samples = beside(4, 9_999);
        samples.chunks[4].after.width_ticks = 9_999;
        assert!(!is_quiet(&samples, &mut SCALE.clone()));
        // A better reading than the worker ever had is the best one from now on.
        let mut scale = SCALE;
        assert!(!is_quiet(
            &beside(7, 3_000),
            &mut Scale {
                best_width: 2_000,
                ..scale
            }
        ));
        is_quiet(&beside(8, 2_000), &mut scale);
        assert_eq!(
            scale.best_width,
            fixture::WIDTH_TICKS,
            "its other calibration is no better"
        );
    }

    #[test]
    fn a_turn_in_which_something_else_ran_is_not_quiet() {
        let mut samples = beside(0, 0);
        samples.switches = vec![0, 1];
        assert_eq!(
            quiet_turns(&samples, &mut SCALE.clone()),
            BTreeSet::from([0])
        );
        samples.switches.clear();
        assert_eq!(
            quiet_turns(&samples, &mut SCALE.clone()).len(),
            2,
            "nobody looked"
        );
    }

    #[test]
    fn a_mean_is_known_where_both_halves_of_the_chunks_take_as_long_within_2_percent() {
        for (second, is_known) in [
            (50.0, true),
            (50.9, true),
            (51.1, false),
            (49.1, true),
            (48.9, false),
        ] {
            let samples = image(10, |turn, _| if turn < 5 { 50.0 } else { second });
            assert_eq!(halves_agree(&samples), is_known, "{second}");
        }
    }
}
