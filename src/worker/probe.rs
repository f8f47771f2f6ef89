//! The first iterations of a row, single-stepped: does the body leave alone what it must?
//!
//! Correct means: a row passes if and only if, at the end of the setup and of each stepped iteration,
//! the reserved registers, `rsp`, the direction and alignment flags and the control bits of MXCSR are
//! as at its start, and no later one can write above its bytes by the code's own word; and the instruction named is
//! the last one that changed the culprit.

use std::ops::Range;

use crate::job::Failure;
use crate::link::{Owner, trespass};
use crate::stage::{Ground, Run, Stage, Visits};
use crate::sys::signals::{Step, StepLog};
use crate::template::Clobbers;

/// Iterations that are probed.
pub const ITERATIONS: u64 = 8;
/// Steps after which none further is probed: 25 ms where one takes 12 µs. Code in so long a body that only a later iteration
/// reaches is held at the exits.
const ENOUGH_STEPS: usize = 1 << 11;

/// What a body must leave alone: name, kind of fault, how to read it from a step.
type Reserved = (&'static str, &'static str, fn(&Step) -> u64);

#[rustfmt::skip] // a table: one item a line
const ALWAYS: [Reserved; 7] = [
    ("rsp",                       "stack",   |step| step.registers[4]),
    ("the direction flag",        "flags",   |step| step.flags & (1 << 10)),
    ("the alignment check flag",  "flags",   |step| step.flags & (1 << 18)),
    ("the control bits of MXCSR", "flags",   |step| u64::from(step.mxcsr & 0xffc0)),
    ("the gs base",               "clobber", |step| step.gs_base),
    ("the fs base",               "clobber", |step| step.fs_base),
    ("the memory above its 256 bytes", "stack", |step| step.watched),
];

#[rustfmt::skip] // a table: one item a line
const STATE: [Reserved; 4] = [
    ("r12",                       "clobber", |step| step.registers[12]),
    ("r13",                       "clobber", |step| step.registers[13]),
    ("r14",                       "clobber", |step| step.registers[14]),
    ("r15",                       "clobber", |step| step.registers[15]),
];

/// Steps the first iterations of placement 0, each by itself and no further than the end of its
/// body, so that a harness whose state was clobbered never runs on.
///
/// # Errors
/// The first thing that was not left alone, or what entering says.
pub fn probe(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    log: &mut StepLog,
) -> Result<(), Failure> {
    let answer = probe_body(stage, ground, visits, log);
    log.stop_at(None);
    log.unwatch();
    answer?;
    // What these iterations do not reach is told by the code.
    match trespass::store_above(&stage.images[0]) {
        Some(store) => Err(Failure::Above {
            slot: store.slot,
            in_setup: store.in_setup,
            place: stage.place(0, store.address),
        }),
        None => Ok(()),
    }
}

/// Runs the setup of each image, the first one's step by step. One that takes more steps than the log has
/// room for goes on without, and is checked at its exit only.
///
/// # Errors
/// The first thing that a setup did not leave alone, or what entering says.
pub fn set_up(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    log: &mut StepLog,
) -> Result<(), Failure> {
    log.watch(ground.stack(), ground.reserved(0));
    log.go_on_when_full(true);
    let answer = stage.set_up(ground, visits, |stage, ground| {
        step_setup(stage, ground, visits, log)
    });
    log.go_on_when_full(false);
    log.unwatch();
    answer
}

/// Steps the first image's setup, as far as the log has room.
///
/// # Errors
/// As [`set_up`].
pub(super) fn step_setup(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    log: &mut StepLog,
) -> Result<Run, Failure> {
    let setup = stage.images[0].setup.clone();
    if setup.is_empty() {
        return Ok(Run::Whole);
    }
    let ran = stage.step_setup(ground, visits, log);
    if let Some(clobber) = find_setups_culprit(stage, log.steps()) {
        return Err(clobber);
    }
    let ran = ran?;
    let is_short = ran == Run::Whole && !log.is_full();
    if is_short && !log.steps().iter().any(|step| step.ip == setup.end) {
        return Err(unfinished(stage, &setup, log.steps(), true));
    }
    Ok(ran)
}

fn probe_body(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    log: &mut StepLog,
) -> Result<(), Failure> {
    let has_walk = stage.row.has_walk();
    log.stop_at(Some(stage.images[0].body.end));
    let end = stage.images[0].body.end;
    let mut answer = Ok(());
    let mut steps = 0;
    for iteration in 0..ITERATIONS.min(visits.len()) {
        let element = if has_walk { iteration } else { 0 };
        // An entry that is cut short is undone, so those in front of it run again, unstepped.
        stage.rewind(ground, 0);
        if iteration > 0 {
            stage.enter(ground, 0, visits, 0, iteration)?;
        }
        log.watch(ground.stack(), ground.reserved(stage.frame(0)));
        // Only the first iteration of the entry runs, but the harness's state says how many would: a
        // body that overwrites it with a constant must not happen to write what is there.
        let span = (element, 2 + iteration);
        let outcome = stage.enter_stepping(ground, 0, visits, span, log);
        answer = match find_culprit(stage, log.steps()) {
            Some(clobber) => Err(clobber),
            // A body is left through its end, where stepping stops.
            None => outcome.and_then(|exit| match exit {
                Some(_) if !log.steps().iter().any(|step| step.ip == end) => {
                    let body = stage.images[0].body.clone();
                    Err(unfinished(stage, &body, log.steps(), false))
                }
                _ => Ok(()),
            }),
        };
        steps += log.steps().len();
        // One that takes more steps than the log has room for would take as many each time; what it
        // damages later is found at its exits.
        if answer.is_err() || log.is_full() || steps >= ENOUGH_STEPS {
            break;
        }
    }
    answer
}

/// That some code is left by no instruction of its own: the last that ran of it reaches beyond its end.
fn unfinished(stage: &Stage<'_>, code: &Range<u64>, steps: &[Step], in_setup: bool) -> Failure {
    let inside = |step: &&Step| code.contains(&step.ip);
    let last = steps.iter().rev().find(inside);
    Failure::Unfinished {
        in_setup,
        place: stage.place(0, last.map_or(code.start, |step| step.ip)),
    }
}

/// The instruction that set the trap flag, where one did: of a step the flags have it anyway, but behind a
/// `popf` or an `iret` they are what was popped.
fn sets_trap_flag(stage: &Stage<'_>, steps: &[Step]) -> Option<Failure> {
    const TRAP: u64 = 1 << 8;
    let image = &stage.images[0];
    let setter = steps.windows(2).find(|pair| {
        let owner = image.owner(pair[0].ip).map(|piece| &piece.owner);
        let is_own = matches!(owner, Some(Owner::Section(_)));
        pair[1].flags & TRAP != 0 && is_own && image.pops_flags(pair[0].ip)
    })?;
    Some(Failure::Clobber {
        what: "the trap flag".into(),
        kind: "flags".into(),
        in_setup: image.setup.contains(&setter[0].ip),
        place: stage.place(0, setter[0].ip),
    })
}

/// The first reserved thing that differs at the end of a body, and the instruction that changed it
/// last.
pub(super) fn find_culprit(stage: &Stage<'_>, steps: &[Step]) -> Option<Failure> {
    if let Some(set) = sets_trap_flag(stage, steps) {
        return Some(set);
    }
    let body = &stage.images[0].body;
    let begin = steps.iter().position(|step| step.ip == body.start)?;
    // The first end: behind a load of `ss` stepping runs on over the one it was to stop at.
    let end = begin + steps[begin..].iter().position(|step| step.ip == body.end)?;
    find_change(stage, &steps[begin..=end], false)
}

/// The same of the setup.
pub(super) fn find_setups_culprit(stage: &Stage<'_>, steps: &[Step]) -> Option<Failure> {
    if let Some(set) = sets_trap_flag(stage, steps) {
        return Some(set);
    }
    let setup = &stage.images[0].setup;
    let begin = steps.iter().position(|step| step.ip == setup.start)?;
    let end = begin
        + steps[begin..]
            .iter()
            .position(|step| step.ip == setup.end)?;
    find_change(stage, &steps[begin..=end], true)
}

/// The first reserved thing that differs between the ends of a span.
fn find_change(stage: &Stage<'_>, span: &[Step], in_setup: bool) -> Option<Failure> {
    let reserved = ALWAYS
        .iter()
        .chain(if stage.row.clobbers == Clobbers::Some {
            &STATE[..]
        } else {
            &[]
        });
    let mut changed = reserved.filter(|(_, _, read)| read(&span[0]) != read(&span[span.len() - 1]));
    let (what, kind, read) = changed.next()?;
    Some(Failure::Clobber {
        what: (*what).to_string(),
        kind: (*kind).to_string(),
        in_setup,
        place: stage.place(0, last_change(span, *read)),
    })
}

/// Address of the instruction after which `read` changed for the last time.
fn last_change(span: &[Step], read: fn(&Step) -> u64) -> u64 {
    let mut changes = span
        .windows(2)
        .rev()
        .filter(|pair| read(&pair[0]) != read(&pair[1]));
    changes.next().map_or(span[0].ip, |pair| pair[0].ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_instruction_that_changed_a_register_is_named() {
        let step = |ip, r15| {
            let mut registers = [0; 16];
            registers[15] = r15;
            Step {
                ip,
                registers,
                ..Step::default()
            }
        };
        let span = [step(0x10, 1), step(0x13, 5), step(0x17, 7), step(0x1a, 7)];
        assert_eq!(last_change(&span, |step| step.registers[15]), 0x13);
    }
}
