//! A template without each of its parts, in turns with the whole.
//!
//! Correct means: only the part's own lines are gone, every row runs in turns with the whole one,
//! and a row whose results the part decides is measured all the same and marked as not verified.

use std::io;

use super::compare::{Contestant, compare};
use super::{Settings, Task, measure};
use crate::job::Counters;
use crate::report::ablation::{Ablation, PartCost};
use crate::report::{Basis, Report, Status};
use crate::scenario::Scenario;
use crate::worker::parent::Progress;

/// Measures what each of these parts costs.
///
/// # Errors
/// When no worker can be started at all.
pub fn ablate(
    scenario: &Scenario,
    parts: &[String],
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
) -> io::Result<Report> {
    let mut tasks: Vec<Task> = parts
        .iter()
        .map(|part| Task::new(&scenario.without(part)))
        .collect();
    uncheck(&mut tasks, settings, progress)?;
    let whole = Task::new(scenario);
    let all = [whole].into_iter().chain(tasks);
    let contestants = all.map(|task| Contestant::Task(Box::new(task)));
    let mut report = compare(contestants.collect(), settings, confidence, progress)?;
    if report.interrupted.is_none() {
        report.ablation = Some(told(&report, parts));
    }
    report.changes.clear();
    Ok(report)
}

/// Takes the expectation from those whose results are other ones without the part.
fn uncheck(tasks: &mut [Task], settings: &Settings, progress: Progress<'_>) -> io::Result<()> {
    const UNCHECKED: &str = "without this part the results are others, so none was compared";
    let mut verify = settings.clone();
    verify.plan.counters = Counters::None;
    verify.plan.placements.truncate(1);
    let verified = measure(tasks.to_vec(), &verify, progress)?;
    for (task, row) in tasks.iter_mut().zip(verified.rows) {
        if let (Status::WrongResult { .. }, Ok(prepared)) = (&row.status, &mut task.prepared) {
            prepared.row.expected = None;
            task.unchecked = Some(UNCHECKED.into());
        }
    }
    Ok(())
}

fn told(report: &Report, parts: &[String]) -> Ablation {
    let base = &report.rows[0];
    let cost = |(at, part): (usize, &String)| {
        let row = &report.rows[at + 1];
        let of = |metric: &str| {
            let is_it = |one: &&crate::report::Comparison| {
                one.other == row.scenario && one.metric == metric
            };
            report.comparisons.iter().find(is_it)
        };
        let gone = |metric: &str| {
            let (with, without) = of(metric).filter(|one| one.basis == Basis::Exact)?.values?;
            Some(with - without)
        };
        let cycles = of("cycles");
        let with = cycles.and_then(|one| one.values).map(|(with, _)| with);
        let saved = |ratio: Option<f64>| Some(with? * (1.0 - ratio?));
        let change = report.changes.iter().find(|one| one.other == row.scenario);
        PartCost {
            part: part.clone(),
            row: at + 1,
            cycles: saved(cycles.and_then(|one| one.ratio)),
            low: saved(cycles.and_then(|one| one.high)),
            high: saved(cycles.and_then(|one| one.low)),
            basis: cycles.map_or(Basis::Unsupported, |one| one.basis),
            verdict: cycles.and_then(|one| one.verdict),
            instructions: gone("instructions"),
            branches: gone("branches"),
            stepped: base.stepped().into_iter().chain(row.stepped()).min(),
            bytes: change.map(|one| one.bytes[0] as i64 - one.bytes[1] as i64),
            verified: row.verified,
        }
    };
    Ablation {
        scenario: base.scenario.clone(),
        parts: parts.iter().enumerate().map(cost).collect(),
    }
}
