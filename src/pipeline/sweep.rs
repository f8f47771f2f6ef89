//! Scenarios over a range of parameters, point by point.
//!
//! Correct means: all points have one seed and one CPU, each has a worker of its own, so that no
//! point finds what another left behind, and memory does not grow with what a point takes.

use std::collections::BTreeSet;
use std::io;

use super::compare::{Contestant, compare};
use super::{Settings, Task, measure};
use crate::report::sweep::{Sweep, SweepPoint};
use crate::report::{Provenance, Report, Row};
use crate::scenario::Scenario;
use crate::sweep::{Axis, break_evens, knees};
use crate::sys::interrupt;
use crate::worker::parent::{Progress, Told};

/// One point: the values of its parameters and its scenarios.
pub type BoundPoint = (Vec<String>, Vec<Scenario>);

/// Measures every point; where there are several scenarios, they take turns at each.
///
/// # Errors
/// When no worker can be started at all.
pub fn sweep(
    axes: &[Axis],
    names: &[String],
    points: &[BoundPoint],
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
) -> io::Result<Option<Report>> {
    let mut settings = settings.clone();
    let mut report: Option<Report> = None;
    let mut sweep = Sweep {
        keys: axes.iter().map(|axis| axis.key.clone()).collect(),
        names: names.to_vec(),
        ..Sweep::default()
    };
    for (at, (values, scenarios)) in points.iter().enumerate() {
        let step = format!(
            "point {} of {}: {}",
            at + 1,
            points.len(),
            values.join(", ")
        );
        progress(Told::Step(&step));
        // Its own steps are no news; what takes long is.
        let mut noticed = |told: Told<'_>| {
            if let Told::Notice(_) = told {
                progress(told);
            }
        };
        let point = calmest(scenarios, &settings, confidence, &mut noticed)?;
        settings.plan.cpu = point.provenance.pinned_cpu;
        let whole = report.get_or_insert_with(|| Report {
            provenance: point.provenance.clone(),
            ..Report::default()
        });
        let (rows, comparisons) = (whole.rows.len(), whole.comparisons.len());
        let is_whole = point.rows.len() == scenarios.len();
        merge(whole, point);
        if is_whole {
            sweep.points.push(SweepPoint {
                values: values.clone(),
                rows: (rows..whole.rows.len()).collect(),
                comparisons: comparisons..whole.comparisons.len(),
            });
        }
        if whole.interrupted || interrupt::is_seen() {
            whole.interrupted = true;
            break;
        }
    }
    if let (Some(report), [axis]) = (&report, axes) {
        sweep.knees = knees(axis, names, &sweep.points, &report.rows);
        sweep.break_evens = break_evens(
            axis,
            names,
            &sweep.points,
            &report.rows,
            &report.comparisons,
        );
    }
    if let Some(report) = &mut report {
        let mut seen = BTreeSet::new();
        report
            .warnings
            .retain(|warning| seen.insert(warning.clone()));
        report.sweep = Some(sweep);
    }
    Ok(report)
}

/// A point, measured again where the machine disturbed most of it.
fn calmest(
    scenarios: &[Scenario],
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
) -> io::Result<Report> {
    const TRIES: usize = 3;
    let disturbed = |report: &Report| {
        let shares = report.rows.iter().map(Row::disturbed_share);
        shares.fold(0.0, f64::max)
    };
    let mut best = measure_point(scenarios, settings, confidence, progress)?;
    for _ in 1..TRIES {
        if best.interrupted || !best.rows.iter().any(Row::is_disturbed) {
            break;
        }
        let again = measure_point(scenarios, settings, confidence, progress)?;
        if again.interrupted || disturbed(&again) < disturbed(&best) {
            best = again;
        }
    }
    Ok(best)
}

fn measure_point(
    scenarios: &[Scenario],
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
) -> io::Result<Report> {
    let tasks = scenarios.iter().map(Task::new);
    if scenarios.len() == 1 {
        return measure(tasks.collect(), settings, progress);
    }
    let contestants = tasks.map(|task| Contestant::Task(Box::new(task)));
    compare(contestants.collect(), settings, confidence, progress)
}

/// Adds a point to the report. What changed in the code between scenarios is no matter of a point.
fn merge(whole: &mut Report, point: Report) {
    whole.rows.extend(point.rows);
    whole.comparisons.extend(point.comparisons);
    whole.warnings.extend(point.warnings);
    whole.interrupted |= point.interrupted;
    let Provenance { core_hz_spread, .. } = point.provenance;
    let spread = &mut whole.provenance.core_hz_spread;
    *spread = match (*spread, core_hz_spread) {
        (Some(known), Some(new)) => Some(known.max(new)),
        (known, new) => known.or(new),
    };
}
