//! A text that is being edited: a number at once, and then the same in turns with those before it.
//!
//! Correct means: the first number is that of the text as it was saved, found before anything else is; what refines it is
//! measured with its baseline and the last one in one worker, so that what the machine does meanwhile is in none of the
//! ratios.

use std::io;

use super::session::{Measured, measured, measured_beside};
use super::{Settings, Task};
use crate::compare::{Side, compare};
use crate::job::{Plan, placements};
use crate::report::{Basis, Comparison, Report, Row};
use crate::stats::paired::Verdict;
use crate::worker::parent::Beside;

/// How often the intervals of a text that is followed may miss, each.
const ERROR: f64 = 0.05;

/// What a number at once is made of: one image for a millisecond, a few steps, nothing inferred.
fn at_once_plan(plan: &Plan) -> Plan {
    Plan {
        time_ms: plan.time_ms.min(1.0),
        patience: 1.0,
        run_ms: 0.0,
        placements: placements(1),
        infer_ms: 0.0,
        interpreted: plan.interpreted.min(1024),
        verified: plan.verified.min(50),
        modelled: 0,
        further: Vec::new(),
        together: false,
        ..plan.clone()
    }
}

/// The row of a text that was just saved, in the least time.
///
/// # Errors
/// When no worker can be started at all.
pub fn at_once(task: &Task, settings: &Settings) -> io::Result<Option<Row>> {
    let settings = Settings {
        plan: at_once_plan(&settings.plan),
        ..settings.clone()
    };
    let measured = measured(vec![task.clone()], &settings, &mut |_| {})?;
    Ok(measured.report.rows.into_iter().next())
}

/// A text by itself, as the settings say.
///
/// # Errors
/// When no worker can be started at all.
pub fn alone(task: Task, settings: &Settings, beside: &mut dyn Beside) -> io::Result<Report> {
    Ok(measured_beside(vec![task], settings, &mut |_| {}, beside)?.report)
}

/// What measuring in turns came to.
#[derive(Debug, Clone, PartialEq)]
pub struct InTurns {
    /// The row.
    pub row: Row,
    /// One for each of the earlier texts: each metric, the text's own over the earlier one's. Empty where one of them has
    /// no numbers, or keeps the harness's state elsewhere.
    pub against: Vec<Vec<Comparison>>,
    /// What is said of the run as a whole.
    pub warnings: Vec<String>,
}

/// The same text as the settings say, in turns with earlier ones; nothing where a signal or `beside` has it given up.
///
/// # Errors
/// When no worker can be started at all.
pub fn in_turns(
    earlier: &[&Task],
    task: &Task,
    settings: &Settings,
    beside: &mut dyn Beside,
) -> io::Result<Option<InTurns>> {
    let tasks: Vec<Task> = earlier.iter().copied().chain([task]).cloned().collect();
    let mut settings = settings.clone();
    settings.plan.together = tasks.len() > 1;
    let count = tasks.len();
    let Measured { report, timings } = measured_beside(tasks, &settings, &mut |_| {}, beside)?;
    let mut rows = report.rows;
    let Some(row) = rows.pop().filter(|_| rows.len() + 1 == count) else {
        return Ok(None);
    };
    let timing = |at: usize| timings.get(at).and_then(Option::as_ref);
    let own = Side {
        row: &row,
        timing: timing(rows.len()),
    };
    let against = rows.iter().enumerate().map(|(at, base)| {
        let base = Side {
            row: base,
            timing: timing(at),
        };
        match base.row.clobbers == row.clobbers {
            true => compare(base, own, ERROR),
            false => Vec::new(),
        }
    });
    Ok(Some(InTurns {
        against: against.collect(),
        warnings: report.warnings,
        row: row.clone(),
    }))
}

/// The row held against an earlier one that was measured at another time. What disturbed one of the two is not in the
/// other, so that nothing is decided then.
pub fn apart(earlier: &Row, row: &Row) -> Vec<Comparison> {
    let side = |row| Side { row, timing: None };
    if earlier.clobbers != row.clobbers {
        return Vec::new();
    }
    let mut compared = compare(side(earlier), side(row), ERROR);
    if earlier.is_disturbed() || row.is_disturbed() {
        let decided = compared
            .iter_mut()
            .filter(|one| one.basis == Basis::Measured);
        for one in decided.filter(|one| one.verdict.is_some()) {
            one.verdict = Some(Verdict::Undecided);
            one.why = Some("one of the two was disturbed; save it again".into());
        }
    }
    compared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_disturbed_row_decides_nothing_where_the_other_is_of_another_time() {
        let [mut earlier, row] =
            [5.0, 10.0].map(|cycles| fixture::ok("own", cycles, cycles, (5.0, 2.0)));
        let verdict = |earlier: &Row| {
            let compared = apart(earlier, &row);
            let mut cycles = compared.into_iter().filter(|one| one.metric == "cycles");
            cycles.next().and_then(|one| one.verdict)
        };
        assert_eq!(verdict(&earlier), Some(Verdict::Slower));
        earlier.doubtful = true;
        assert_eq!(verdict(&earlier), Some(Verdict::Undecided));
    }
}
