//! How long a row's chunks are, and the run that nothing interrupts, which they are held against.
//!
//! Correct means: a row whose chunks agree with an uninterrupted run keeps the shortest ones; else they
//! grow until they agree, and where they never do, that is told and not hidden.
//!
//! A walk begins anew with an entry, in the run as in a chunk: a loop that went on from its end by itself would
//! do so through the harness's state in memory, and a jump back that rewrites that state made the empty
//! loop .6 cycles dearer for as long as it ran (Zen 4).
//!
//! Code is left and entered again every 20 to 40 µs, while images take turns. Most code does not notice.
//! What learns for longer than that, or does now this and now that for longer, does.

use super::neighbours;
use super::timing::{Proved, Scale, check_sum};
use crate::counter::CounterSource;
use crate::job::{Failure, Plan};
use crate::stage::{Ground, Request};
use crate::stats::quantile::{median, rank, sorted};
use crate::stats::{AGREES, Calibration, LongRun};
use crate::sys::time;

/// Chunks of a trial that are timed, and as many in front of them that are not.
const CHUNKS: u32 = 8;
/// The next chunks to try are so many times as long.
const GROWTH: u64 = 4;
/// The longest chunks that are tried.
const LONGEST_NS: f64 = 2e6;
/// A pass that takes so many times as long as a run has to is not made: little time was asked for.
const LONGEST_PASS: f64 = 20.0;
/// The longest entry that is made of several iterations: one must not look as if it had no end.
const LONGEST_ENTRY_MS: f64 = 300.0;
/// Runs that are made where none agrees with the chunks.
const TRIES: u32 = 4;

/// What was found out about a row before its turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// The two shortest runs that nothing interrupted; one where that agrees with the chunks, none where the
    /// plan asks for none.
    pub(super) long_runs: Vec<LongRun>,
    /// Whether chunks do different things by themselves, or find data now nearer and now farther, so that only
    /// their mean is the row's.
    pub(super) by_mean: bool,
    /// Whether chunks are longer than the plan has them.
    is_long: bool,
}

impl Pace {
    /// Rounds of turns that a row has, whatever its budget: of long chunks it holds few, and fewer than these
    /// have no interval.
    pub(super) fn fewest_rounds(&self) -> u32 {
        const FEWEST: u32 = 4;
        if self.is_long { FEWEST } else { 1 }
    }
}

/// Some chunks of one length.
struct Trial {
    /// Core cycles of an iteration, ascending.
    costs: Vec<f64>,
    /// One of the calibrations beside them.
    calibration: Calibration,
}

impl Trial {
    fn mean(&self) -> f64 {
        self.costs.iter().sum::<f64>() / self.costs.len().max(1) as f64
    }

    fn at(&self, share: f64) -> f64 {
        rank(&self.costs, share).unwrap_or(f64::NAN)
    }

    /// Whether the chunks differ by more than the same work does.
    fn differs(&self) -> bool {
        self.at(0.75) > self.at(0.25) * (1.0 + AGREES)
    }

    /// Whether a run costs what the chunks do: as the middle half of them, or a little beside it.
    fn agrees(&self, run: f64) -> bool {
        let median = median(&self.costs).unwrap_or(f64::NAN);
        let low = self.at(0.25).min(median) * (1.0 - AGREES);
        let high = self.at(0.75).max(median) * (1.0 + AGREES);
        (low..=high).contains(&run)
    }

    /// The parts of a walk may differ, and are told apart; without one nothing tells the phases.
    fn has_phases(&self, has_walk: bool) -> bool {
        !has_walk && self.differs()
    }

    /// What is done where a run costs so much, and the next longer chunks would take so long; none where the
    /// walk has no such ones.
    fn next(&self, run: f64, has_walk: bool, longer_ns: Option<f64>) -> Next {
        let has_phases = self.has_phases(has_walk);
        match longer_ns {
            _ if !has_phases && self.agrees(run) => Next::Keep,
            Some(ns) if ns <= LONGEST_NS => Next::Longer,
            // Phases have their mean at any length.
            _ if has_phases => Next::Keep,
            _ => Next::Shortest,
        }
    }
}

/// What is done about the length of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// They stay as long as they are.
    Keep,
    /// Longer ones are tried.
    Longer,
    /// None agree with a run: the shortest are as good as any.
    Shortest,
}

/// Finds the length of a row's chunks and sets it, and runs the row without interruption.
///
/// # Errors
/// What entering or comparing says.
pub(super) fn find(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    source: &mut dyn CounterSource,
    scale: &Scale,
    (plan, entry_ticks): (&Plan, u64),
) -> Result<Pace, Failure> {
    if !source.is_timed() || plan.run_ms == 0.0 {
        return Ok(Pace::default());
    }
    let has_walk = row.stage.row.has_walk();
    let shortest = row.chunk;
    let mut judge = Judge {
        row,
        ground,
        source,
        scale,
        entry_ticks,
        last_ticks: 0,
    };
    let mut trial = judge.trial()?;
    let is_far = has_walk && judge.row.stage.pass() > 0;
    let pass_ms =
        trial.mean() * judge.row.visits.len() as f64 * scale.ns_per_cycle(trial.calibration) / 1e6;
    // A pass is one entry, which must not look like one without an end.
    let is_endless = has_walk && pass_ms > LONGEST_ENTRY_MS;
    if is_endless || is_far && is_too_long(pass_ms, plan.run_ms) {
        return Ok(Pace {
            by_mean: is_far,
            ..Pace::default()
        });
    }
    let (runs, cost) = judge.runs(plan.run_ms, &trial)?;
    // What others took of a run says nothing about how long chunks should be, and longer ones would lose more turns
    // to them.
    let is_shared = runs.iter().all(|run| run.switches > 0);
    let mut pace = Pace {
        long_runs: runs,
        ..Pace::default()
    };
    loop {
        // What a line costs that no near cache keeps depends on how long ago it was last visited, by this image
        // or by another one: on average as long ago as in a run, and no quartile of its visits says that.
        let has_phases = trial.has_phases(has_walk);
        pace.by_mean = has_phases || is_far;
        let longer = judge.row.chunk * GROWTH;
        let ns = trial.mean() * longer as f64 * scale.ns_per_cycle(trial.calibration);
        let is_possible = !has_walk || judge.row.visits.len().is_multiple_of(longer);
        let next = match is_shared && !has_phases {
            true => Next::Keep,
            false => trial.next(cost, has_walk, is_possible.then_some(ns)),
        };
        match next {
            Next::Longer => judge.row.chunk = longer,
            Next::Shortest => {
                judge.row.chunk = shortest;
                return Ok(pace);
            }
            Next::Keep => {
                pace.is_long = judge.row.chunk > shortest;
                return Ok(pace);
            }
        }
        trial = judge.trial()?;
    }
}

/// Whether so little time was asked for that no pass is made.
fn is_too_long(pass_ms: f64, run_ms: f64) -> bool {
    pass_ms > LONGEST_PASS * run_ms
}

struct Judge<'a, 'row> {
    row: &'a mut Proved<'row>,
    ground: &'a mut Ground,
    source: &'a mut dyn CounterSource,
    scale: &'a Scale,
    /// Ticks of entering and leaving.
    entry_ticks: u64,
    /// Ticks of the last entry in front of the first run; 0 before it.
    last_ticks: u64,
}

impl Judge<'_, '_> {
    /// Chunks at the first placement, one after the other.
    fn trial(&mut self) -> Result<Trial, Failure> {
        let segments = self.row.visits.len().div_ceil(self.row.chunk).max(1);
        let has_walk = self.row.stage.row.has_walk();
        let mut costs = Vec::new();
        let mut before = self.source.calibrate();
        for part in 0..2 * CHUNKS {
            let segment = if has_walk {
                u64::from(part) % segments
            } else {
                0
            };
            let request = Request {
                image: 0,
                visits: &self.row.visits,
                element: segment * self.row.chunk,
                iterations: self.row.chunk,
            };
            let entry = self.row.stage.enter_between(self.ground, request, || ())?;
            check_sum(self.row.stage.row, &request, &entry.exit)?;
            if part >= CHUNKS {
                let after = self.source.calibrate();
                let ticks = entry.ticks.saturating_sub(self.entry_ticks);
                costs.push(self.scale.cost(ticks, self.row.chunk, before, after));
                before = after;
            } else {
                before = self.source.calibrate();
            }
        }
        Ok(Trial {
            costs: sorted(costs),
            calibration: before,
        })
    }

    /// Runs of so long at the least, and what an iteration costs in the shortest. Others of the machine make
    /// a run longer, so where one does not agree with the chunks some are made.
    fn runs(&mut self, least_ms: f64, trial: &Trial) -> Result<(Vec<LongRun>, f64), Failure> {
        let mut runs: Vec<(f64, LongRun)> = Vec::new();
        let started = time::nanoseconds();
        while (runs.len() as u32) < TRIES {
            // Where one pass takes much longer than a run has to, one run is what the time allows.
            let spent_ms = (time::nanoseconds() - started) as f64 / 1e6;
            if !runs.is_empty() && spent_ms > f64::from(2 * TRIES) * least_ms {
                break;
            }
            let run = self.run_once(least_ms)?;
            let cost = self
                .scale
                .cost(run.ticks, run.iterations, run.before, run.after);
            runs.push((cost, run));
            if trial.agrees(cost) {
                return Ok((vec![run], cost));
            }
        }
        runs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let least = runs[0].0;
        Ok((
            runs.into_iter().map(|(_, run)| run).take(2).collect(),
            least,
        ))
    }

    /// One entry for all of the time; where there is a walk one for each pass over it, with nothing in
    /// between.
    fn run_once(&mut self, least_ms: f64) -> Result<LongRun, Failure> {
        let row = self.row.stage.row;
        let has_walk = row.has_walk();
        let request = Request {
            image: 0,
            visits: &self.row.visits,
            element: 0,
            iterations: if has_walk {
                self.row.visits.len()
            } else {
                self.row.chunk
            },
        };
        let pass = if has_walk {
            1
        } else {
            self.row.stage.pass().div_ceil(request.iterations)
        };
        // The first pass over data that no cache holds is another one than those behind it.
        let is_first = self.last_ticks == 0;
        for _ in 0..if is_first { pass.max(1) } else { 0 } {
            let entry = self.row.stage.enter_between(self.ground, request, || ())?;
            check_sum(row, &request, &entry.exit)?;
            self.last_ticks = entry.ticks.max(1);
        }
        let needed_ticks = least_ms / 1e3 * self.scale.tsc_hz;
        let times = (needed_ticks / self.last_ticks as f64).ceil().max(1.0) as u64;
        let most =
            (needed_ticks / least_ms * LONGEST_ENTRY_MS / self.last_ticks as f64).max(1.0) as u64;
        let mut times = times.max(pass.min(most));
        let one = request.iterations;
        loop {
            let (entries, iterations) = if has_walk {
                (times, one)
            } else {
                (1, one * times)
            };
            let run = self.timed(entries, iterations)?;
            // What their number was found by may have been interrupted, or of a dear phase.
            if run.ticks as f64 >= needed_ticks / 2.0 {
                return Ok(run);
            }
            times *= 2;
        }
    }

    /// Some entries of so many iterations, one after the other, with nothing in between.
    fn timed(&mut self, entries: u64, iterations: u64) -> Result<LongRun, Failure> {
        let row = self.row.stage.row;
        let request = Request {
            image: 0,
            visits: &self.row.visits,
            element: 0,
            iterations,
        };
        let switches = neighbours::context_switches();
        let before = self.source.calibrate();
        let mut ticks = 0;
        for _ in 0..entries {
            let entry = self.row.stage.enter_between(self.ground, request, || ())?;
            check_sum(row, &request, &entry.exit)?;
            ticks += entry.ticks.saturating_sub(self.entry_ticks);
        }
        let after = self.source.calibrate();
        let switched = neighbours::context_switches().zip(switches);
        Ok(LongRun {
            ticks,
            iterations: request.iterations * entries,
            before,
            after,
            switches: switched.map_or(0, |(after, before)| (after - before) as u32),
        })
    }
}

impl Scale {
    /// Core cycles of an iteration, from the shorter of two neighbouring calibrations.
    fn cost(&self, ticks: u64, iterations: u64, before: Calibration, after: Calibration) -> f64 {
        let chain = before.chain_ticks.min(after.chain_ticks);
        let ticks_per_cycle = self.ticks_per_cycle(chain);
        ticks as f64 / iterations.max(1) as f64 / ticks_per_cycle
    }

    fn ticks_per_cycle(&self, chain_ticks: u64) -> f64 {
        chain_ticks.saturating_sub(self.overhead_ticks).max(1) as f64 / self.chain_cycles as f64
    }

    fn ns_per_cycle(&self, calibration: Calibration) -> f64 {
        self.ticks_per_cycle(calibration.chain_ticks) / self.tsc_hz * 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(costs: &[f64]) -> Trial {
        Trial {
            costs: sorted(costs.iter().copied()),
            calibration: Calibration {
                chain_ticks: 1,
                width_ticks: 1,
            },
        }
    }

    /// Eight chunks, so many of which cost that much and the others 100 cycles.
    fn chunks(count: usize, cycles: f64) -> Trial {
        let mut costs = [100.0; CHUNKS as usize];
        costs[..count].fill(cycles);
        trial(&costs)
    }

    #[test]
    fn a_run_agrees_with_the_middle_half_of_chunks_within_2_percent() {
        #[rustfmt::skip] // a table: chunks that differ, by how much, the run, and whether it agrees
        let table = [
            (0, 100.0, 101.9, true), (0, 100.0, 102.1, false), (0, 100.0, 98.1, true), (0, 100.0, 97.9, false),
            (2, 120.0, 102.1, false), (3, 120.0, 122.3, true), (3, 120.0, 122.5, false),
            (1,  80.0, 97.9, false), (2, 80.0, 78.5, true), (2, 80.0, 78.3, false),
        ];
        for (count, cycles, run, agrees) in table {
            assert_eq!(
                chunks(count, cycles).agrees(run),
                agrees,
                "{count}, {cycles}, {run}"
            );
        }
    }

    #[test]
    fn chunks_differ_where_the_middle_half_of_them_does_by_more_than_2_percent() {
        #[rustfmt::skip] // a table: chunks that differ, by how much, and whether they do
        let table = [(4, 101.9, false), (4, 102.1, true), (2, 120.0, false), (3, 120.0, true), (6, 120.0, true), (7, 120.0, false)];
        for (count, cycles, differs) in table {
            assert_eq!(
                chunks(count, cycles).differs(),
                differs,
                "{count}, {cycles}"
            );
        }
    }

    #[test]
    fn chunks_grow_until_they_agree_with_a_run_or_are_too_long() {
        const AGREES: f64 = 100.0;
        const DIFFERS: f64 = 200.0;
        let (alike, phases) = (chunks(0, 0.0), chunks(4, 150.0));
        #[rustfmt::skip] // a table: the chunks, the run, whether there is a walk, and how long the next ones take
        let table = [
            (&alike,  AGREES,  false, Some(1e3),   Next::Keep),
            (&alike,  AGREES,  true,  Some(1e3),   Next::Keep),
            (&alike,  DIFFERS, true,  Some(1.9e6), Next::Longer),
            (&alike,  DIFFERS, true,  Some(2.1e6), Next::Shortest),
            (&alike,  DIFFERS, true,  None,        Next::Shortest),
            (&alike,  DIFFERS, false, Some(2.1e6), Next::Shortest),
            (&phases, 125.0,   false, Some(1.9e6), Next::Longer),
            (&phases, 125.0,   false, Some(2.1e6), Next::Keep),
            (&phases, 125.0,   true,  Some(1e3),   Next::Keep), // parts of a walk
            (&phases, DIFFERS, true,  Some(2.1e6), Next::Shortest),
        ];
        for (trial, run, has_walk, longer_ns, next) in table {
            assert_eq!(
                trial.next(run, has_walk, longer_ns),
                next,
                "{:?} {run} {has_walk} {longer_ns:?}",
                trial.costs
            );
        }
    }

    #[test]
    fn a_pass_of_twenty_runs_is_made_and_a_longer_one_is_not() {
        assert_eq!(
            (is_too_long(199.0, 10.0), is_too_long(201.0, 10.0)),
            (false, true)
        );
    }

    #[test]
    fn a_row_with_long_chunks_has_turns_enough_for_an_interval() {
        let rounds = |is_long| {
            let pace = Pace {
                is_long,
                ..Pace::default()
            };
            pace.fewest_rounds()
        };
        assert_eq!((rounds(false), rounds(true)), (1, 4));
    }
}
