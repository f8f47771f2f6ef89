//! Entries with one iteration, with and without a scrub in front of them.
//!
//! Correct means: between a scrub and the entry that it is for nothing runs but two time stamps and
//! the call, every result is compared, and both states differ in nothing but the scrub: the block
//! without branches takes the caches that the one with branches takes.

use std::ops::Range;

use super::neighbours;
use super::order::rotated;
use super::scrubber::Scrubber;
use super::timing::Proved;
use super::verify::compare;
use crate::counter::CounterSource;
use crate::counter::clock::Clock;
use crate::job::{Failure, Plan};
use crate::link::scrub;
use crate::stage::{Ground, Request, expected_of};
use crate::stats::{Chunk, ColdSamples, ImageSamples};
use crate::sys::time;
use crate::template::Cold;

/// Entries of a turn that are not timed: the first ones find what another image left.
const UNTIMED: u32 = 2;
/// Entries of a turn that are timed.
const TIMED: u32 = 6;
/// Rounds without a context switch that every row should have.
const FEWEST_ROUNDS: u32 = 8;
/// Rounds after which more of them say nothing new.
const MOST_ROUNDS: u32 = 1000;

/// Times the cold calls of a row; `None` where it has none.
///
/// # Errors
/// What entering or comparing says.
pub(super) fn time(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    clock: &mut Clock,
    mut scrubber: Option<&mut Scrubber>,
    plan: &Plan,
) -> Result<Option<Box<ColdSamples>>, Failure> {
    let cold = row.stage.row.settings.cold;
    if cold.is_none() || scrub::refusal(row.stage.row, &row.stage.images[0]).is_some() {
        return Ok(None);
    }
    ground.work_on(row.index);
    row.stage.settle(ground)?;
    row.stage.rewind_all(ground);
    let mut samples = Box::<ColdSamples>::default();
    let images = [0, row.stage.baseline()];
    let flushed = images.map(|image| scrub::flushed(cold, &row.stage.images[image]));
    let images_and_states = 4.0;
    let budget_ns = plan.time_ms * 1e6 * images_and_states;
    let started = time::nanoseconds();
    let mut quiet_rounds = 0;
    for round in 0..MOST_ROUNDS {
        let spent = (time::nanoseconds() - started) as f64;
        let is_enough = quiet_rounds >= FEWEST_ROUNDS || spent >= plan.patience * budget_ns;
        if round >= FEWEST_ROUNDS && spent >= budget_ns && is_enough {
            break;
        }
        let mut is_quiet = true;
        for step in rotated(round, 4) {
            let (is_cold, which) = (step < 2, step % 2);
            let mut turn = Turn {
                row,
                ground,
                clock,
                scrubber: scrubber.as_deref_mut(),
                image: images[which],
                flushed: &flushed[which],
                is_cold,
                round,
            };
            let samples = match is_cold {
                true => (&mut samples.cold[which], Some(&mut samples.scrub_ticks)),
                false => (&mut samples.warm[which], None),
            };
            is_quiet &= turn.run(samples)?;
        }
        quiet_rounds += u32::from(is_quiet);
    }
    row.stage.hide(ground)?;
    Ok(Some(samples))
}

/// A turn of one image in one state.
struct Turn<'a, 'row> {
    row: &'a mut Proved<'row>,
    ground: &'a mut Ground,
    clock: &'a mut Clock,
    scrubber: Option<&'a mut Scrubber>,
    image: usize,
    flushed: &'a [Range<u64>],
    is_cold: bool,
    round: u32,
}

impl Turn<'_, '_> {
    /// Says whether nothing else ran meanwhile.
    fn run(
        &mut self,
        (samples, mut scrubs): (&mut ImageSamples, Option<&mut Vec<u64>>),
    ) -> Result<bool, Failure> {
        let switches = neighbours::context_switches();
        for _ in 0..UNTIMED {
            self.enter()?;
        }
        let mut before = self.calibrate();
        for _ in 0..TIMED {
            let (ticks, scrub_ticks) = self.enter()?;
            let after = self.calibrate();
            samples.chunks.push(Chunk {
                turn: self.round,
                segment: 0,
                ticks,
                before,
                after,
                events: None,
            });
            if let Some(scrubs) = &mut scrubs {
                scrubs.push(scrub_ticks);
            }
            before = after;
        }
        let switched = switches.and_then(|before| {
            let after = neighbours::context_switches()?;
            after.checked_sub(before)
        });
        samples.switches.extend(switched.map(|count| count as u32));
        Ok(switched.is_none_or(|count| count == 0))
    }

    /// The second of two: the first one finds predictors and caches as a scrub left them.
    fn calibrate(&mut self) -> crate::stats::Calibration {
        self.clock.calibrate();
        self.clock.calibrate()
    }

    /// Ticks of one entry with one iteration, and of the scrub in front of it.
    fn enter(&mut self) -> Result<(u64, u64), Failure> {
        let has_walk = self.row.stage.row.has_walk();
        // One element a round: what a warm entry visits was visited by the one before.
        let element = if has_walk {
            u64::from(self.round) % self.row.visits.len().max(1)
        } else {
            0
        };
        // The walk is the harness's: what it is made of is never cold.
        self.row.visits.touch(element, 1);
        let (is_cold, scrubber) = (self.is_cold, self.scrubber.as_deref_mut());
        let cold = self.row.stage.row.settings.cold;
        let flushed = self.flushed;
        let request = Request {
            image: self.image,
            visits: &self.row.visits,
            element,
            iterations: 1,
        };
        let entry = self
            .row
            .stage
            .enter_scrubbed(self.ground, request, |code| match (cold, scrubber) {
                (Cold::Predictor, Some(scrubber)) => scrubber.run(is_cold),
                _ if is_cold => code.flush(flushed),
                _ => {}
            })?;
        if self.image != self.row.stage.baseline() {
            let expected = match has_walk {
                true => self.row.visits.expected(element, 1),
                false => expected_of(self.row.stage.row, 0),
            };
            if let Some(expected) = expected {
                compare(&entry.exit, (element, 1), expected)?;
            }
        }
        Ok((entry.ticks, entry.scrub_ticks))
    }
}
