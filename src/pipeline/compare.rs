//! Rows that take turns, each held against the first.
//!
//! Correct means: every other side has its comparisons or the reason why not, and a side that was
//! measured before is compared as what it is.

use std::io;

use super::session::measured_beside;
use super::{Measured, Settings, Task};
use crate::compare::{self, Side};
use crate::report::{Basis, Comparison, Provenance, Report, Row};
use crate::stats::paired::Verdict;
use crate::worker::parent::{Meanwhile, Progress};

/// What is compared.
#[derive(Debug, Clone)]
pub enum Contestant {
    /// Measured now, in turns with the others.
    Task(Box<Task>),
    /// Measured before.
    Saved(Box<Saved>),
}

/// A row of a saved report.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Its file, for the reader.
    pub file: String,
    /// The row.
    pub row: Row,
    /// Where and when it was measured.
    pub provenance: Provenance,
    /// What stood above the rows of its report.
    pub warnings: Vec<String>,
}

/// Measures what is not measured yet, and compares all others with the first.
///
/// # Errors
/// When no worker can be started at all.
pub fn compare(
    contestants: Vec<Contestant>,
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
) -> io::Result<Report> {
    compare_beside(contestants, settings, confidence, progress, &mut || false)
}

/// The same, with something that this process does or heeds meanwhile.
///
/// # Errors
/// When no worker can be started at all.
pub fn compare_beside(
    contestants: Vec<Contestant>,
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
    meanwhile: Meanwhile<'_>,
) -> io::Result<Report> {
    let tasks: Vec<Task> = contestants.iter().filter_map(task).cloned().collect();
    let mut settings = settings.clone();
    settings.plan.together = true;
    let Measured {
        mut report,
        timings,
    } = measured_beside(tasks, &settings, progress, meanwhile)?;
    // Given up, or ended by a signal: there are fewer rows than contestants.
    let fresh = contestants.iter().filter_map(task).count();
    if report.rows.len() < fresh {
        return Ok(report);
    }
    let mut fresh = std::mem::take(&mut report.rows).into_iter().zip(&timings);
    let mut rows = Vec::new();
    let mut sides = Vec::new();
    let mut machines = Vec::new();
    let machine = |one: &Provenance| (one.cpu.clone(), one.hypervisor.clone());
    for contestant in &contestants {
        match contestant {
            Contestant::Saved(saved) => {
                rows.push(saved.row.clone());
                sides.push(None);
                machines.push(machine(&saved.provenance));
                report.warnings.push(told(saved, &report.provenance));
                let of_file = |warning: &String| format!("{}: {warning}", saved.file);
                report.warnings.extend(saved.warnings.iter().map(of_file));
            }
            Contestant::Task(_) => {
                let (row, timing) = fresh.next().unwrap_or_else(|| unreachable!("a row a task"));
                rows.push(row);
                sides.push(timing.as_ref());
                machines.push(machine(&report.provenance));
            }
        }
    }
    let side = |at: usize| Side {
        row: &rows[at],
        timing: sides[at],
    };
    let error = error_of_each(confidence, rows.len() - 1);
    for at in 1..rows.len() {
        let mut compared = compare::compare(side(0), side(at), error);
        if machines[0] != machines[at] {
            compared.iter_mut().for_each(refuse_measured);
        }
        let planned = settings.plan.placements.len() as u32;
        for one in &mut compared {
            doubt_placements(one, planned, [&rows[0], &rows[at]]);
        }
        if compared.is_empty() {
            let without = if rows[0].metrics.is_none() { 0 } else { at };
            report.warnings.push(format!(
                "{} is not compared with {}, for {} has no numbers; mend it and run again",
                rows[at].scenario, rows[0].scenario, rows[without].scenario
            ));
        }
        report.comparisons.extend(compared);
    }
    let prepared = |at: usize| Some((&rows[at], task(&contestants[at])?.prepared.as_ref().ok()?));
    for at in 1..rows.len() {
        if let (Some(base), Some(other)) = (prepared(0), prepared(at)) {
            report.changes.push(compare::changes(base, other));
        }
    }
    if !report.comparisons.is_empty() && settings.plan.placements.len() == 1 {
        report.warnings.push(
            "with one placement nobody knows what another place of the code would change; leave \
             --placements out before you rely on a verdict"
                .into(),
        );
    }
    report.rows = rows;
    Ok(report)
}

/// How often each of so many intervals may miss, so that all of them hold as often as is asked for.
pub(super) fn error_of_each(confidence: f64, intervals: usize) -> f64 {
    (1.0 - confidence) / intervals.max(1) as f64
}

/// Only counts can be held against those of another machine.
pub fn refuse_measured(comparison: &mut Comparison) {
    if comparison.basis == Basis::Measured {
        *comparison = Comparison {
            ratio: None,
            low: None,
            high: None,
            p: None,
            verdict: None,
            basis: Basis::Unsupported,
            why: Some("measured on different machines".into()),
            ..comparison.clone()
        };
    }
}

/// A verdict about every placement needs all of them.
pub(super) fn doubt_placements(comparison: &mut Comparison, planned: u32, rows: [&Row; 2]) {
    let had = rows
        .iter()
        .filter_map(|row| row.layout)
        .map(|layout| layout.placements);
    let had = had.min().unwrap_or(planned);
    let is_sure = matches!(comparison.verdict, Some(Verdict::Faster | Verdict::Slower));
    if comparison.basis == Basis::Measured && is_sure && had < planned {
        comparison.verdict = Some(Verdict::Undecided);
        // What the ratio rests on is still to be said.
        let known = comparison.why.take();
        let known = known.map_or(String::new(), |known| format!("; {known}"));
        comparison.why = Some(format!(
            "only {had} of {planned} placements have an undisturbed value; run it again{known}"
        ));
    }
}

fn task(contestant: &Contestant) -> Option<&Task> {
    match contestant {
        Contestant::Task(task) => Some(task),
        Contestant::Saved(_) => None,
    }
}

/// What the reader must know of a row that was measured before.
fn told(saved: &Saved, now: &Provenance) -> String {
    let then = &saved.provenance;
    let about = format!(
        "{} of {} was measured at {} with {}",
        saved.row.scenario, saved.file, then.date, then.tool
    );
    if (&then.cpu, &then.hypervisor) == (&now.cpu, &now.hypervisor) {
        format!("{about}, not in turns with the others; measure both now to see a small difference")
    } else {
        format!(
            "{about} on another machine ({}); only exact counts can be held against each other",
            then.cpu
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, terminal};
    use crate::text::Style;

    /// A comparison of rows that have a value at so many placements each, of four.
    fn told(placements: [u32; 2], verdict: Verdict, basis: Basis) -> String {
        let row = |name, count| {
            let mut row = fixture::ok(name, 5.0, 5.0, (5.0, 2.0));
            row.layout
                .iter_mut()
                .for_each(|layout| layout.placements = count);
            row
        };
        let rows = [row("base", placements[0]), row("other", placements[1])];
        let mut comparison = Comparison {
            base: "base".into(),
            other: "other".into(),
            metric: "cycles".into(),
            ratio: Some(1.1),
            low: Some(1.09),
            high: Some(1.11),
            p: Some(0.001),
            verdict: Some(verdict),
            basis,
            pairs: Some(16),
            values: Some((5.0, 5.5)),
            why: Some("mallocgc is modelled".into()),
        };
        doubt_placements(&mut comparison, 4, [&rows[0], &rows[1]]);
        let report = Report {
            rows: rows.to_vec(),
            comparisons: vec![comparison],
            ..Report::default()
        };
        let style = Style {
            width: 10_000,
            color: false,
            unicode: true,
        };
        terminal::render(&report, style)
    }

    #[test]
    fn a_verdict_about_every_placement_needs_a_value_at_each_of_both_rows() {
        use Basis::{Exact, Measured};
        use Verdict::{Faster, Same, Slower};
        #[rustfmt::skip] // a table: one comparison a line
        let table = [
            ([4, 4], Slower, Measured, "slower",    None),
            ([3, 4], Slower, Measured, "undecided", Some("only 3 of 4 placements have an undisturbed value")),
            ([4, 3], Slower, Measured, "undecided", Some("only 3 of 4 placements have an undisturbed value")),
            ([2, 3], Faster, Measured, "undecided", Some("only 2 of 4 placements have an undisturbed value")),
            ([4, 4], Faster, Measured, "faster",    None),
            ([3, 3], Same,   Measured, "~",         None),
            ([3, 3], Slower, Exact,    "slower",    None),
        ];
        for (placements, verdict, basis, word, why) in table {
            let told = told(placements, verdict, basis);
            let line = told.lines().find(|line| line.starts_with("  cycles"));
            assert!(
                line.is_some_and(|line| line.ends_with(word)),
                "{placements:?}: {told}"
            );
            assert_eq!(
                told.contains("placements have an undisturbed value"),
                why.is_some(),
                "{told}"
            );
            assert!(why.is_none_or(|why| told.contains(why)), "{told}");
            assert!(told.contains("mallocgc is modelled"), "{told}");
        }
    }

    #[test]
    fn of_several_intervals_each_misses_less_often() {
        let error = |intervals| error_of_each(0.95, intervals);
        assert!((error(1) - 0.05).abs() < 1e-12 && (error(5) - 0.01).abs() < 1e-12);
        assert_eq!(error(0), error(1));
    }

    #[test]
    fn of_another_machine_only_counts_are_held_against_ours() {
        let compared = |basis| {
            let row = fixture::ok("base", 5.0, 5.0, (5.0, 2.0));
            let side = compare::Side {
                row: &row,
                timing: None,
            };
            let mut all = compare::compare(side, side, 0.05);
            all.iter_mut().for_each(refuse_measured);
            all.retain(|one| one.basis == basis);
            all
        };
        let counts = compared(Basis::Exact);
        assert_eq!(counts.len(), 2);
        assert!(
            counts.iter().all(|one| one.ratio == Some(1.0)),
            "{counts:?}"
        );
        let refused = compared(Basis::Unsupported);
        let reasons = refused
            .iter()
            .filter(|one| one.why.as_deref() == Some("measured on different machines"));
        assert_eq!(reasons.clone().count(), 2, "cycles and ns: {refused:?}");
        assert!(
            reasons
                .clone()
                .all(|one| one.ratio.is_none() && one.verdict.is_none())
        );
        assert!(compared(Basis::Measured).is_empty());
    }
}
