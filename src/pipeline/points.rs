//! Scenarios over a range of parameters, point by point.
//!
//! Correct means: all points have one seed and one CPU, each has a worker of its own, so that no
//! point finds what another left behind, and memory does not grow with what a point takes.

use std::collections::BTreeSet;
use std::io;

use super::compare::{Contestant, compare_beside};
use super::session::measured_beside;
use super::{Settings, Task};
use crate::axes::{Axis, break_evens, knees};
use crate::report::sweep::{Sweep, SweepPoint};
use crate::report::{Provenance, Report, Row};
use crate::scenario::Scenario;
use crate::sys::interrupt;
use crate::worker::parent::{Meanwhile, Progress, Told, signal_name};

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
    let mut scanned = Scanned::new(axes, names);
    for (at, point) in points.iter().enumerate() {
        let step = format!(
            "point {} of {}: {}",
            at + 1,
            points.len(),
            point.0.join(", ")
        );
        progress(Told::Step(&step));
        let mut noticed = |told: Told<'_>| match told {
            Told::Step(text) => progress(Told::Step(&format!("{step}: {text}"))),
            Told::Notice(_) => progress(told),
        };
        scanned = scanned.and(point, settings, confidence, &mut noticed, &mut || false)?;
        if let Some(signal) = scanned.ended_by() {
            let left = points.len() - at - 1;
            let said = format!(
                "interrupted by {}: of {} points the last {left} were not begun; run it again",
                signal_name(signal),
                points.len()
            );
            scanned = scanned.warned(said);
            break;
        }
    }
    Ok(scanned.report())
}

/// A sweep whose first points are measured.
#[derive(Debug, Clone)]
pub struct Scanned {
    axes: Vec<Axis>,
    sweep: Sweep,
    /// None before the first point.
    whole: Option<Report>,
}

impl Scanned {
    /// No point yet.
    pub fn new(axes: &[Axis], names: &[String]) -> Scanned {
        let sweep = Sweep {
            keys: axes.iter().map(|axis| axis.key.clone()).collect(),
            names: names.to_vec(),
            ..Sweep::default()
        };
        Scanned {
            axes: axes.to_vec(),
            sweep,
            whole: None,
        }
    }

    /// Points that have all their rows.
    pub fn points(&self) -> usize {
        self.sweep.points.len()
    }

    /// One more point, on the CPU of the first.
    ///
    /// # Errors
    /// When no worker can be started at all.
    pub fn and(
        self,
        (values, scenarios): &BoundPoint,
        settings: &Settings,
        confidence: f64,
        progress: Progress<'_>,
        meanwhile: Meanwhile<'_>,
    ) -> io::Result<Scanned> {
        let mut settings = settings.clone();
        if let Some(whole) = &self.whole {
            settings.plan.cpu = whole.provenance.pinned_cpu;
        }
        let point =
            calmest(|| measure_point(scenarios, &settings, confidence, progress, meanwhile))?;
        let Scanned {
            axes,
            mut sweep,
            whole,
        } = self;
        let mut whole = whole.unwrap_or_else(|| Report {
            provenance: point.provenance.clone(),
            ..Report::default()
        });
        let (rows, comparisons) = (whole.rows.len(), whole.comparisons.len());
        let is_whole = point.rows.len() == scenarios.len();
        merge(&mut whole, point);
        if is_whole {
            sweep.points.push(SweepPoint {
                values: values.clone(),
                rows: (rows..whole.rows.len()).collect(),
                comparisons: comparisons..whole.comparisons.len(),
            });
        }
        whole.interrupted = whole.interrupted.or_else(interrupt::seen);
        Ok(Scanned {
            axes,
            sweep,
            whole: Some(whole),
        })
    }

    fn ended_by(&self) -> Option<i32> {
        self.whole.as_ref()?.interrupted
    }

    fn warned(mut self, warning: String) -> Scanned {
        if let Some(whole) = &mut self.whole {
            whole.warnings.push(warning);
        }
        self
    }

    /// The report of the points so far; none before the first.
    pub fn report(self) -> Option<Report> {
        let Scanned {
            axes,
            mut sweep,
            whole,
        } = self;
        let mut report = whole?;
        if let [axis] = &axes[..] {
            sweep.knees = knees(axis, &sweep.names, &sweep.points, &report.rows);
            sweep.break_evens = break_evens(
                axis,
                &sweep.names,
                &sweep.points,
                &report.rows,
                &report.comparisons,
            );
        }
        let mut seen = BTreeSet::new();
        report
            .warnings
            .retain(|warning| seen.insert(warning.clone()));
        report.sweep = Some(sweep);
        Some(report)
    }
}

/// A point, measured again where the machine disturbed most of it: that of the tries whose worst row was
/// disturbed least.
fn calmest(mut measure: impl FnMut() -> io::Result<Report>) -> io::Result<Report> {
    const TRIES: usize = 3;
    let disturbed = |report: &Report| {
        let shares = report.rows.iter().map(Row::disturbed_share);
        shares.fold(0.0, f64::max)
    };
    let mut best = measure()?;
    for _ in 1..TRIES {
        if best.interrupted.is_some() || !best.rows.iter().any(Row::is_disturbed) {
            break;
        }
        let again = measure()?;
        if again.interrupted.is_some() || disturbed(&again) < disturbed(&best) {
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
    meanwhile: Meanwhile<'_>,
) -> io::Result<Report> {
    let tasks = scenarios.iter().map(Task::new);
    if scenarios.len() == 1 {
        return Ok(measured_beside(tasks.collect(), settings, progress, meanwhile)?.report);
    }
    let contestants = tasks.map(|task| Contestant::Task(Box::new(task)));
    compare_beside(
        contestants.collect(),
        settings,
        confidence,
        progress,
        meanwhile,
    )
}

/// Adds a point to the report. What changed in the code between scenarios is no matter of a point.
fn merge(whole: &mut Report, point: Report) {
    whole.rows.extend(point.rows);
    whole.comparisons.extend(point.comparisons);
    whole.warnings.extend(point.warnings);
    whole.interrupted = whole.interrupted.or(point.interrupted);
    let Provenance { core_hz_spread, .. } = point.provenance;
    let spread = &mut whole.provenance.core_hz_spread;
    *spread = match (*spread, core_hz_spread) {
        (Some(known), Some(new)) => Some(known.max(new)),
        (known, new) => known.or(new),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// A try of rows of which so many chunks of a thousand were disturbed each.
    fn point(name: &str, dropped: &[u64]) -> Report {
        let row = |&dropped: &u64| {
            let mut row = fixture::ok(name, 5.0, 5.0, (5.0, 2.0));
            row.disturbances
                .iter_mut()
                .for_each(|found| found.chunks = 1000);
            row.dropped_samples = dropped;
            row
        };
        Report {
            rows: dropped.iter().map(row).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn a_point_is_that_of_three_tries_whose_worst_row_was_disturbed_least() {
        // What was disturbed of both rows in each try, the one that is taken, and how many were made.
        #[rustfmt::skip] // a table: one point a line
        let table: [([[u64; 2]; 4], usize, usize); 7] = [
            ([[500, 500], [0, 0],     [0, 0],     [0, 0]], 0, 1),
            ([[501, 0],   [0, 0],     [0, 0],     [0, 0]], 1, 2),
            ([[0, 501],   [0, 0],     [0, 0],     [0, 0]], 1, 2),
            ([[600, 600], [700, 0],   [0, 590],   [0, 0]], 2, 3),
            ([[600, 600], [590, 590], [0, 595],   [0, 0]], 1, 3),
            ([[600, 600], [600, 0],   [600, 0],   [0, 0]], 0, 3),
            ([[900, 900], [800, 800], [700, 700], [0, 0]], 2, 3),
        ];
        for (tries, taken, made) in table {
            let mut names = Vec::new();
            let measure = || {
                let name = format!("try {}", names.len());
                let point = point(&name, &tries[names.len()]);
                names.push(name);
                Ok(point)
            };
            let point = calmest(measure).expect("measures");
            assert_eq!(
                (&point.rows[0].scenario, names.len()),
                (&names[taken], made),
                "{tries:?}"
            );
        }
    }

    #[test]
    fn a_row_whose_every_sample_at_placement_0_was_disturbed_is_measured_again() {
        let mut tries = 0;
        let measure = || {
            tries += 1;
            let mut point = point("call", &[100]);
            point.rows[0].doubtful = true;
            Ok(point)
        };
        calmest(measure).expect("measures");
        assert_eq!(tries, 3);
    }

    #[test]
    fn an_interrupted_try_is_the_last_one() {
        let mut tries = 0;
        let measure = || {
            tries += 1;
            let interrupted = (tries == 2).then_some(libc::SIGINT);
            Ok(Report {
                interrupted,
                ..point("call", &[900])
            })
        };
        let best = calmest(measure).expect("measures");
        assert_eq!(best.interrupted, Some(libc::SIGINT));
        assert_eq!(tries, 2);
    }

    #[test]
    fn the_spread_of_the_core_frequency_is_the_widest_of_all_points() {
        let with = |core_hz_spread| Report {
            provenance: Provenance {
                core_hz_spread,
                ..Provenance::default()
            },
            ..Report::default()
        };
        for (one, other, wanted) in [
            (Some(0.1), Some(0.2), Some(0.2)),
            (Some(0.2), Some(0.1), Some(0.2)),
            (None, Some(0.1), Some(0.1)),
            (Some(0.1), None, Some(0.1)),
        ] {
            let mut whole = with(one);
            merge(&mut whole, with(other));
            assert_eq!(whole.provenance.core_hz_spread, wanted);
        }
    }
}
