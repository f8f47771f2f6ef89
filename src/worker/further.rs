//! Turns of a row in which one further event is counted.
//!
//! Correct means: the chunks are those of the row's own turns at its first placement, their results
//! are compared as ever, and nothing else of this process counts meanwhile.

use super::timing::{Proved, TIMED, UNTIMED, check_sum};
use crate::counter::fake::OVERHEAD_EVENTS;
use crate::counter::further::{Further as Events, Turn};
use crate::counter::group::Refused;
use crate::counter::pmu::Pmu;
use crate::job::{Failure, FakeScript, Plan, Unavailable};
use crate::stage::{Exit, Ground, Request, Stage};
use crate::stats::quantile::{median, rank, sorted};
use crate::stats::{CountedChunk, Event, Further};
use crate::sys::time;

/// Turns that an event has, whatever the budget: fewer have no interval.
const FEWEST_TURNS: u32 = 4;
/// Entries without an iteration, whose median is what entering takes.
const EMPTY_ENTRIES: u32 = 501;
/// Chunks of the empty loop, whose median is what the end of a loop misses.
const EMPTY_LOOPS: u32 = 33;
/// An event's time, of a placement's.
const SHARE: f64 = 0.5;

/// One entry, and what was counted in it.
type Counted = (Exit, Result<u64, Refused>);

/// A way to count one event in an entry.
trait Meter {
    /// Enters once and counts.
    ///
    /// # Errors
    /// What the entry says.
    fn count(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Counted, Failure>;
}

impl<N: Copy> Meter for Turn<'_, N> {
    fn count(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Counted, Failure> {
        let entry = stage.enter_between(ground, request, || self.read())?;
        let counted = entry.before.and_then(|before| entry.after?.since(&before));
        Ok((entry.exit, counted.map(|counts| counts[0])))
    }
}

impl Meter for Scripted<'_> {
    fn count(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Counted, Failure> {
        let Request {
            image,
            visits,
            element,
            iterations,
        } = request;
        let exit = stage.enter(ground, image, visits, element, iterations)?;
        let count = self.0.further(&stage.row.name, self.1);
        let iterations = (iterations * u64::from(stage.row.copies())) as f64;
        Ok((
            exit,
            Ok((count * iterations).round() as u64 + OVERHEAD_EVENTS),
        ))
    }
}

/// The event of a script.
struct Scripted<'a>(&'a FakeScript, &'a str);

/// Gives all events that can be counted their turns, one after the other.
///
/// # Errors
/// What entering or comparing says.
pub(super) fn count_all(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    plan: &Plan,
    events: &mut Events,
) -> Result<Vec<Further>, Failure> {
    let mut all = Vec::new();
    for (name, turn) in events.counted() {
        all.push(count_one(row, ground, plan, name, turn)?);
    }
    Ok(all)
}

/// The same for those events of the columns that there is no counter for beside the others.
///
/// # Errors
/// What entering or comparing says.
pub(super) fn count_apart(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    plan: &Plan,
    pmu: &mut Pmu,
) -> Result<Vec<Further>, Failure> {
    let mut all = Vec::new();
    for (event, group) in pmu.apart() {
        all.push(count_one(row, ground, plan, event.name(), Turn::of(group))?);
    }
    Ok(all)
}

fn count_one<N: Copy>(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    plan: &Plan,
    name: &str,
    mut turn: Turn<'_, N>,
) -> Result<Further, Failure> {
    let begun = turn.begin();
    let counted = match &begun {
        Ok(()) => count(row, ground, plan, name, &mut turn),
        Err(_) => Ok(Further {
            name: name.to_string(),
            ..Further::default()
        }),
    };
    let ended = turn.end();
    let mut counted = counted?;
    if let Err(refused) = begun.and(ended) {
        let _ = accepted(&mut counted, Err(refused));
    }
    Ok(counted)
}

/// The same with the counts of a script.
///
/// # Errors
/// What entering or comparing says.
pub(super) fn count_scripted(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    plan: &Plan,
    script: &FakeScript,
) -> Result<Vec<Further>, Failure> {
    let names = plan
        .further
        .iter()
        .filter(|name| script.further.contains_key(*name));
    let one = |name: &String| count(row, ground, plan, name, &mut Scripted(script, name));
    names.map(one).collect()
}

/// Gives an event its turns.
///
/// # Errors
/// What entering or comparing says.
fn count(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    plan: &Plan,
    name: &str,
    meter: &mut dyn Meter,
) -> Result<Further, Failure> {
    let mut further = Further {
        name: name.to_string(),
        ..Further::default()
    };
    let request = Request {
        image: 0,
        visits: &row.visits,
        element: 0,
        iterations: row.chunk,
    };
    let empty = Request {
        iterations: 0,
        ..request
    };
    let mut overheads = Vec::new();
    for _ in 0..EMPTY_ENTRIES {
        let (_, counted) = meter.count(&mut row.stage, ground, empty)?;
        overheads.extend(accepted(&mut further, counted));
    }
    let overheads = sorted(overheads.iter().map(|count| *count as f64));
    further.overhead = rank(&overheads, 0.5).map_or(0, |count| count as u64);
    if name == Event::BranchMisses.name() {
        let empty_loop = Request {
            image: row.stage.baseline(),
            ..request
        };
        let mut all = Vec::new();
        for _ in 0..EMPTY_LOOPS {
            let (_, counted) = meter.count(&mut row.stage, ground, empty_loop)?;
            all.extend(accepted(&mut further, counted));
        }
        let all = sorted(
            all.iter()
                .map(|count| *count as f64 - further.overhead as f64),
        );
        further.loop_end = median(&all).map(|misses| misses.clamp(0.0, 1.0));
    }
    let segments = row.visits.len().div_ceil(row.chunk).max(1) as u32;
    let mut segment = 0;
    let budget_ns = SHARE * plan.time_ms * 1e6;
    let started = time::nanoseconds();
    for turn in 0u32.. {
        for part in 0..UNTIMED + TIMED {
            let element = u64::from(segment) * row.chunk;
            let request = Request { element, ..request };
            let (exit, counted) = meter.count(&mut row.stage, ground, request)?;
            check_sum(row.stage.row, &request, &exit)?;
            let counted = accepted(&mut further, counted).filter(|_| part >= UNTIMED);
            further.chunks.extend(counted.map(|count| CountedChunk {
                turn,
                segment,
                count,
            }));
            segment = (segment + 1) % segments;
        }
        // A walk is gone through whole, or its segments would not count alike.
        let has_seen_all = (turn + 1) * TIMED >= segments;
        let is_over = (time::nanoseconds() - started) as f64 >= budget_ns;
        if turn + 1 >= FEWEST_TURNS && has_seen_all && is_over {
            break;
        }
    }
    Ok(further)
}

/// The count of a reading; of one that was refused, the number of such and the first one's reason.
fn accepted(further: &mut Further, counted: Result<u64, Refused>) -> Option<u64> {
    counted
        .map_err(|refused| {
            further.refused += 1;
            let why = || Unavailable::from(refused).to_string();
            further.why.get_or_insert_with(why);
        })
        .ok()
}
