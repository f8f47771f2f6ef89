//! A few iterations of a row, single-stepped in one entry and told step by step.
//!
//! Correct means: every step of the entry is told once, in order, up to the first thing that went
//! wrong, and an iteration's result is what its register held at the end of the body.

use super::probe;
use crate::job::{Failure, Trace, TraceIteration, TraceStep};
use crate::link::Image;
use crate::stage::{Ground, Stage, Visits};
use crate::sys::signals::{Step, StepLog};
use crate::template::{FACTORS, ResultRegister};

/// Steps the first `iterations` of a walk at placement 0.
///
/// A body that does not leave alone what it must makes the harness run wild afterwards; then the
/// steps end with that body.
pub fn trace(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    iterations: u64,
    log: &mut StepLog,
) -> Trace {
    let setup = stage.images[0].setup.clone();
    let mut told = Vec::new();
    let mut is_cut_short = false;
    let outcome = stage.set_up(ground, visits, |stage, ground| {
        let ran = probe::step_setup(stage, ground, visits, log);
        let end = log.steps().iter().position(|step| step.ip == setup.end);
        // What may not be stepped to its end does not run at all.
        is_cut_short = !setup.is_empty() && end.is_none() && log.is_full();
        let last = end.map_or(log.steps().len(), |end| end + 1);
        told.extend_from_slice(&log.steps()[..if setup.is_empty() { 0 } else { last }]);
        match is_cut_short {
            true => Err(Failure::Worker("the setup was cut short".into())),
            false => ran,
        }
    });
    let mut trace = Trace {
        data: stage.images[0].site.data,
        code: stage.images[0].site.code,
        frame: ground.frame(),
        ..Trace::default()
    };
    if let Err(failure) = outcome {
        trace.is_cut_short = is_cut_short;
        trace.failure = Some(failure).filter(|_| !is_cut_short);
        trace.steps = differences(&told);
        return trace;
    }
    let outcome = stage.enter_stepping_all(ground, visits, iterations, log);
    trace.is_cut_short = log.is_cut_short();
    told.extend_from_slice(log.steps());
    let mut steps = &told[..];
    let mut from = 0;
    while let Some((start, end)) = next_iteration(&stage.images[0], steps, from) {
        let element = trace.iterations.len();
        let kind = visits.kinds.get(element).copied().unwrap_or(0);
        let iteration = TraceIteration {
            object: stage.object(kind),
            start,
            end,
            expected: visits.expected(element as u64 % visits.len(), 1),
            result: end
                .filter(|_| !stage.row.results.is_empty())
                .map(|end| sum(&steps[end], &stage.row.results)),
        };
        trace.failure = end.and_then(|end| {
            probe::find_culprit(stage, &steps[start..=end]).or(mismatch(element, &iteration))
        });
        trace.iterations.push(iteration);
        match end {
            Some(end) if trace.failure.is_some() => steps = &steps[..=end],
            Some(end) => from = end + 1,
            None => break,
        }
        if trace.failure.is_some() {
            trace.is_cut_short = false;
            break;
        }
    }
    trace.failure = trace.failure.or(outcome.err());
    trace.steps = differences(steps);
    trace
}

/// The steps at the loop head and at the end of the body of the first iteration at or behind `from`.
fn next_iteration(image: &Image, steps: &[Step], from: usize) -> Option<(usize, Option<usize>)> {
    let find = |from: usize, address: u64| {
        let found = steps
            .get(from..)?
            .iter()
            .position(|step| step.ip == address);
        found.map(|at| from + at)
    };
    let start = find(from, image.loop_head)?;
    let end = find(start, image.body.start).and_then(|begin| find(begin, image.body.end));
    Some((start, end))
}

/// What the loop adds of the results that a step's registers hold.
fn sum(step: &Step, results: &[ResultRegister]) -> u64 {
    let added = |(factor, register): (u32, &ResultRegister)| {
        let value = register.cut(step.registers[usize::from(register.number)]);
        value.wrapping_mul(factor.into())
    };
    let results = FACTORS.into_iter().zip(results);
    results.map(added).fold(0, u64::wrapping_add)
}

fn mismatch(element: usize, iteration: &TraceIteration) -> Option<Failure> {
    let (expected, actual) = iteration.expected.zip(iteration.result)?;
    (expected != actual).then_some(Failure::WrongResult {
        element: element as u64,
        iterations: 1,
        expected,
        actual,
    })
}

fn differences(steps: &[Step]) -> Vec<TraceStep> {
    let mut before = [0; 16];
    let difference = |step: &Step| {
        let changed = (0u8..)
            .zip(step.registers.iter().zip(before))
            .filter(|(_, (now, before))| *now != before)
            .map(|(number, (now, _))| (number, *now))
            .collect();
        before = step.registers;
        TraceStep {
            ip: step.ip,
            flags: step.flags,
            changed,
        }
    };
    steps.iter().map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let step = |rax, rcx| {
            let mut registers = [0; 16];
            (registers[0], registers[1]) = (rax, rcx);
            Step {
                registers,
                ..Step::default()
            }
        };
        let told = differences(&[step(1, 0), step(1, 2), step(1, 2), step(0, 2)]);
        let changed: Vec<_> = told.into_iter().map(|step| step.changed).collect();
        assert_eq!(changed, [vec![(0, 1)], vec![(1, 2)], vec![], vec![(0, 0)]]);
    }

    #[test]
    fn a_result_has_the_width_of_its_register() {
        let mut step = Step::default();
        step.registers[2] = 0x1122_3344_5566_7788;
        step.registers[3] = 5;
        let of = |bits| sum(&step, &[ResultRegister { number: 2, bits }]);
        assert_eq!(
            [of(8), of(16), of(32), of(64)],
            [0x88, 0x7788, 0x5566_7788, 0x1122_3344_5566_7788]
        );
        let both = [2, 3].map(|number| ResultRegister { number, bits: 8 });
        assert_eq!(sum(&step, &both), 0x88 + 5 * 0x7fff_ffff);
    }
}
