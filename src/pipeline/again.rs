//! Rows whose hardware counts were refused while they were timed: once more, by the clock, which infers their misses.
//!
//! Correct means: all numbers of a row are of one of its two runs, rows that took turns still do, and a row that
//! comes to nothing the second time keeps what it had.

use std::io;
use std::time::Duration;

use crate::job::{Counters, JobRow, Plan};
use crate::worker::parent::{self, Outcome, Progress, RowOutcome, Told};

/// Whether the clock stands in for counters that were to count this row's misses, too.
fn lacks_misses(row: &RowOutcome, job: &JobRow) -> bool {
    let timing = row.timing.as_ref().filter(|timing| {
        let mut counting = timing.counting.iter();
        timing.delayed.is_empty() && counting.any(|counting| counting.is_replaced)
    });
    timing.is_some() && !job.injection.sites().is_empty()
}

/// Measures such rows again; where rows take turns, all of them.
pub(super) fn by_clock(
    outcome: &mut Outcome,
    plan: &Plan,
    jobs: &[&JobRow],
    timeout: Duration,
    progress: Progress<'_>,
) -> io::Result<()> {
    let by_clock = Plan {
        counters: Counters::Clock,
        cpu: plan.cpu.or(outcome.cpu),
        heads: 0,
        ..plan.clone()
    };
    if outcome.interrupted.is_some() || !by_clock.infers() {
        return Ok(());
    }
    let lacking: Vec<bool> = outcome
        .rows
        .iter()
        .zip(jobs)
        .map(|(row, job)| lacks_misses(row, job))
        .collect();
    let takes_part = |at: usize| match plan.together {
        true => lacking.contains(&true) && outcome.rows[at].timing.is_some(),
        false => lacking[at],
    };
    let again: Vec<usize> = (0..jobs.len()).filter(|&at| takes_part(at)).collect();
    if again.is_empty() {
        return Ok(());
    }
    progress(Told::Step(
        "the hardware counters were refused: measuring again by the clock",
    ));
    let jobs: Vec<&JobRow> = again.iter().map(|&at| jobs[at]).collect();
    let second = parent::run(&by_clock, &jobs, timeout, progress)?;
    outcome.interrupted = second.interrupted;
    let is_whole = second.rows.iter().all(|row| row.timing.is_some());
    if plan.together && !is_whole {
        return Ok(());
    }
    for (at, mut row) in again.into_iter().zip(second.rows) {
        let Some(timing) = &mut row.timing else {
            continue;
        };
        let first = outcome.rows[at].timing.take();
        timing.counting = first.and_then(|first| first.counting);
        if let Some(proof) = &mut row.proof {
            let first = outcome.rows[at].proof.take();
            proof.heads = first.and_then(|first| first.heads);
        }
        outcome.rows[at] = row;
    }
    Ok(())
}
