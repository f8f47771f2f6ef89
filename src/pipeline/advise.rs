//! `advise`: ways of one call site that take turns, and which of them is the best.
//!
//! Correct means: a way is the best only where each other one was shown to be slower, wherever the code is placed, with
//! the confidence asked for of all that is said together; else those are named that may be.

use std::io;

use super::compare::{doubt_placements, error_of_each};
use super::{Measured, Settings, Task, measured};
use crate::compare::{self, Side};
use crate::report::{Comparison, Report};
use crate::stats::Quantity;
use crate::stats::paired::Verdict;
use crate::worker::parent::Progress;

/// The rows, each held against the first, and what came of them.
#[derive(Debug, Clone)]
pub struct Advice {
    /// All rows, in the order of the tasks.
    pub report: Report,
    /// What they come to.
    pub outcome: Outcome,
    /// Where it is undecided: cycles of each other row that may be the best and has a number, held against those of the
    /// one with the least ratio.
    pub rivals: Vec<Comparison>,
}

/// What a contest of ways comes to, by the numbers of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All others are slower than this one.
    Best(usize),
    /// Any of these may be the best: the one with the least ratio first, and last those that have no number.
    Undecided(Vec<usize>),
    /// Nothing was compared, and why.
    Nothing(String),
}

/// Measures ways in turns; the first is what ratios refer to.
///
/// # Errors
/// When no worker can be started at all.
pub fn advise(
    tasks: Vec<Task>,
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
) -> io::Result<Advice> {
    let mut settings = settings.clone();
    settings.plan.together = true;
    let ways = tasks.len();
    let Measured {
        mut report,
        timings,
    } = measured(tasks, &settings, progress)?;
    if report.rows.len() < ways {
        return Ok(Advice {
            report,
            outcome: Outcome::Nothing("the run was interrupted".into()),
            rivals: Vec::new(),
        });
    }
    let rows = &report.rows;
    // Which one is the best is seen in the same numbers that show it, so that every pair counts.
    let error = error_of_each(confidence, rows.len() * rows.len().saturating_sub(1) / 2);
    let planned = settings.plan.placements.len() as u32;
    let compared = |base: usize, other: usize| {
        let side = |at: usize| Side {
            row: &rows[at],
            timing: timings[at].as_ref(),
        };
        let mut all = compare::compare(side(base), side(other), error);
        for one in &mut all {
            doubt_placements(one, planned, [&rows[base], &rows[other]]);
        }
        all
    };
    let against_first: Vec<Vec<Comparison>> = (1..rows.len()).map(|at| compared(0, at)).collect();
    let has_cycles = rows
        .first()
        .is_some_and(|row| row.value(Quantity::Cycles).is_some());
    let ratios: Vec<Option<f64>> = std::iter::once(has_cycles.then_some(1.0))
        .chain(against_first.iter().map(|all| cycles(all)?.ratio))
        .collect();
    let is_slower = |base: usize, other: usize| {
        let all = compared(base, other);
        cycles(&all).and_then(|one| one.verdict) == Some(Verdict::Slower)
    };
    let outcome = outcome(&ratios, is_slower).unwrap_or_else(|| {
        let why = rows.first().and_then(|row| row.metric(Quantity::Cycles));
        let why = why.and_then(|cycles| cycles.why.clone());
        Outcome::Nothing(why.unwrap_or_else(|| "the call has no numbers".into()))
    });
    let rivals = match &outcome {
        Outcome::Undecided(may_be) => {
            let (least, others) = may_be.split_first().unwrap_or((&0, &[]));
            let others = others.iter().filter(|row| ratios[**row].is_some());
            let pairs = others.map(|other| compared(*least, *other));
            pairs.filter_map(|all| cycles(&all).cloned()).collect()
        }
        Outcome::Best(_) | Outcome::Nothing(_) => Vec::new(),
    };
    report.comparisons = against_first.into_iter().flatten().collect();
    Ok(Advice {
        report,
        outcome,
        rivals,
    })
}

/// The comparison of cycles.
pub fn cycles(all: &[Comparison]) -> Option<&Comparison> {
    all.iter().find(|one| one.metric == "cycles")
}

/// What ratios to the first row come to. A row without one may be the best, for all that is known. None where the first has
/// none.
fn outcome(ratios: &[Option<f64>], is_slower: impl Fn(usize, usize) -> bool) -> Option<Outcome> {
    ratios.first().copied().flatten()?;
    let mut ranked: Vec<(usize, f64)> = ratios
        .iter()
        .enumerate()
        .filter_map(|(at, ratio)| Some((at, (*ratio)?)))
        .collect();
    ranked.sort_by(|one, other| one.1.total_cmp(&other.1));
    let (best, _) = *ranked.first()?;
    let others = ranked.iter().skip(1).map(|(at, _)| *at);
    let rivals = others.filter(|at| !is_slower(best, *at));
    let unknown = (0..ratios.len()).filter(|at| ratios[*at].is_none());
    let rivals: Vec<usize> = rivals.chain(unknown).collect();
    Some(match rivals[..] {
        [] => Outcome::Best(best),
        [..] => Outcome::Undecided(std::iter::once(best).chain(rivals).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_one_that_all_others_were_shown_to_be_slower_than() {
        // Ratios to the first, and the pairs of which the second was shown to be slower.
        #[rustfmt::skip] // a table: one contest a line
        let table = [
            (vec![Some(1.0), Some(0.5), Some(0.7)], vec![(1, 0), (1, 2)], Some(Outcome::Best(1))),
            (vec![Some(1.0), Some(0.5), Some(0.7)], vec![(1, 0)],         Some(Outcome::Undecided(vec![1, 2]))),
            (vec![Some(1.0), Some(0.5), Some(0.7)], vec![],               Some(Outcome::Undecided(vec![1, 2, 0]))),
            (vec![Some(1.0), Some(1.5), Some(1.7)], vec![(0, 1), (0, 2)], Some(Outcome::Best(0))),
            // Of what has no number nobody knows.
            (vec![Some(1.0), None, Some(0.7)],      vec![(2, 0)],         Some(Outcome::Undecided(vec![2, 1]))),
            (vec![Some(1.0)],                       vec![],               Some(Outcome::Best(0))),
            (vec![None, Some(0.5)],                 vec![],               None),
        ];
        for (ratios, slower, expected) in table {
            let found = outcome(&ratios, |base, other| slower.contains(&(base, other)));
            assert_eq!(found, expected, "{ratios:?}");
        }
    }
}
