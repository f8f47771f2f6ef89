//! What `doctor` proves of the program itself: that its intervals hold what they should, that a row
//! is not told apart from itself, and that a wrong result is noticed.
//!
//! Correct means: each check would fail if the part it is about were broken.

use std::sync::Arc;

use super::{Check, Concerns};
use crate::cmd::Stop;
use crate::job::{Counters, Plan, Unavailable};
use crate::pipeline::compare::{Contestant, compare};
use crate::pipeline::{self, Settings, Task};
use crate::scenario::Scenario;
use crate::stats::coverage::{Coverage, coverage};
use crate::stats::paired::Verdict;
use crate::template::{Origin, Template};
use crate::worker::parent::{self, Progress};

/// Simulated rows.
const SIMULATIONS: u32 = 200;
/// The share of their intervals that must hold the truth. They are 95 % intervals of a percentile
/// bootstrap, which falls a little short where there are few turns.
const COVERED: f64 = 0.9;
/// The widest that they may be, as a share of the value: an interval that is wide enough holds anything.
const WIDE: f64 = 0.01;

/// Iterations that a breakpoint counts; each takes some 20 µs on a virtual machine.
const HEADS: u64 = 1000;

/// A loop over eight objects that returns the number of each.
const NUMBERS: &str = ";! title = \"numbers\"\n;! heap = \"pointer\"\n;! params = { objects = 8, order = \"cyclic\" }\n;! result = \"eax\"\n;! expect = \"id\"\nbody:\n mov eax, [rax]\n";

pub(super) fn checks(settings: &Settings, progress: Progress<'_>) -> Result<Vec<Check>, Stop> {
    Ok(vec![
        intervals(coverage(SIMULATIONS, 1)),
        itself(settings, &mut *progress)?,
        wrong_results(settings, progress)?,
    ])
}

/// The iterations of a loop, by the CPU's own count of its head; or why it counts none here.
pub(super) fn heads(
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<Result<Check, Unavailable>, Stop> {
    let task = Task::new(&numbers()?);
    let prepared = task.prepared.map_err(Stop::Templates)?;
    let plan = Plan {
        counters: Counters::None,
        heads: HEADS,
        further: Vec::new(),
        ..settings.plan.clone()
    };
    let outcome = parent::run(&plan, &[&prepared.row], settings.timeout, progress)?;
    let proof = outcome.rows.into_iter().next().and_then(|row| row.proof);
    let Some(heads) = proof.and_then(|proof| proof.heads) else {
        return Ok(Err(Unavailable {
            reason: "the row that was to be counted has ended".into(),
            remedy: "run it again".into(),
        }));
    };
    Ok(heads.counted.map(of_heads))
}

fn of_heads(counted: u64) -> Check {
    let ok = counted == HEADS;
    Check {
        name: "1000 iterations",
        ok,
        value: counted.to_string(),
        expected: "1000, by a breakpoint",
        why: if ok {
            String::new()
        } else {
            "the loop does not run as often as it is said to: believe nothing".into()
        },
        concerns: Concerns::All,
    }
}

/// A row in turns with itself: the same bytes at other addresses.
fn itself(settings: &Settings, progress: Progress<'_>) -> Result<Check, Stop> {
    const CONFIDENCE: f64 = 0.95;
    const TIME_MS: f64 = 20.0;
    let scenario = numbers()?;
    let one = || Contestant::Task(Box::new(Task::new(&scenario)));
    let mut settings = settings.clone();
    settings.plan.time_ms = TIME_MS;
    let report = compare(vec![one(), one()], &settings, CONFIDENCE, progress)?;
    let cycles = report.comparisons.iter().find(|one| one.metric == "cycles");
    let ratio = cycles.and_then(|one| one.ratio);
    let ok =
        cycles.is_some_and(|one| matches!(one.verdict, Some(Verdict::Same | Verdict::Undecided)));
    Ok(Check {
        name: "a row against itself",
        ok,
        value: ratio.map_or("none".into(), |ratio| format!("{ratio:.4}")),
        expected: "not told apart",
        why: if ok {
            String::new()
        } else {
            "two copies of the same code are told apart: believe no small difference".into()
        },
        concerns: Concerns::Comparisons,
    })
}

fn numbers() -> Result<Scenario, Stop> {
    let template = Template::parse("numbers", Origin::Embedded, NUMBERS.to_string());
    let template = Arc::new(template.map_err(Stop::Templates)?);
    Ok(Scenario::bind(template, &[])?)
}

fn intervals(found: Coverage) -> Check {
    let ok = found.covered >= COVERED && found.width <= WIDE;
    let why = if ok {
        String::new()
    } else {
        format!(
            "{:.1} % of the simulated intervals hold the truth, their median width is {:.2} %: do not trust \
             low and high",
            found.covered * 100.0,
            found.width * 100.0
        )
    };
    Check {
        name: "intervals that hold the truth",
        ok,
        value: format!("{:.1} %", found.covered * 100.0),
        expected: "90 % or more",
        why,
        concerns: Concerns::Measured,
    }
}

/// The right expectation, one with two neighbours swapped (their sum is the same), and one that is
/// off by one for one object.
fn wrong_results(settings: &Settings, progress: Progress<'_>) -> Result<Check, Stop> {
    let scenario = numbers()?;
    let changes: [fn(&mut [u64]); 3] = [
        |_| {},
        |expected| expected.swap(2, 3),
        |expected| expected[5] += 1,
    ];
    let task = |change: fn(&mut [u64])| {
        let mut task = Task::new(&scenario);
        let expected = task
            .prepared
            .as_mut()
            .ok()
            .and_then(|prepared| prepared.row.expected.as_mut());
        if let Some(expected) = expected {
            change(expected);
        }
        task
    };
    let settings = Settings {
        plan: Plan {
            counters: Counters::None,
            ..settings.plan.clone()
        },
        ..settings.clone()
    };
    let report = pipeline::measure(changes.map(task).into(), &settings, progress)?;
    let said: Vec<&str> = report.rows.iter().map(|row| row.status.name()).collect();
    let ok = said == ["ok", "wrong-result", "wrong-result"];
    Ok(Check {
        name: "one wrong result in eight",
        ok,
        value: if ok {
            "noticed".into()
        } else {
            said.join(", ")
        },
        expected: "noticed",
        why: if ok {
            String::new()
        } else {
            "a template that computes something else is not told from a right one".into()
        },
        concerns: Concerns::All,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_runs_once_more_or_once_less_fails() {
        let ok = [HEADS - 1, HEADS, HEADS + 1].map(|counted| of_heads(counted).ok);
        assert_eq!(ok, [false, true, false]);
    }

    #[test]
    fn intervals_have_to_hold_the_truth_in_nine_of_ten_cases_and_be_no_wider_than_one_percent() {
        for (covered, width, ok) in [
            (0.9, 0.002, true),
            (0.89, 0.002, false),
            (1.0, 0.01, true),
            (1.0, 0.0101, false),
        ] {
            let check = intervals(Coverage { covered, width });
            assert_eq!(
                (check.ok, check.why.is_empty()),
                (ok, ok),
                "{covered}, {width}"
            );
        }
    }
}
