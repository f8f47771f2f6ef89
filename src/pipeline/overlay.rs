//! Rows made of the shipped files, and of those that stand over them.
//!
//! Correct means: rows that are the same to the byte are said to be and not measured; all others take turns,
//! each with itself; and every file of the overlay that a row was made of is named.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::compare::{Contestant, compare};
use super::{Settings, Task, measure};
use crate::compare::is_same;
use crate::report::overlay::{Effect, Overlay, OverlayFile, RowEffect};
use crate::report::terminal::reason;
use crate::report::{Basis, Report};
use crate::scenario::Scenario;
use crate::template::Origin;
use crate::text::paths::{self, named};
use crate::worker::parent::{Progress, Told};

/// The rows that were made of each file of an overlay.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts(BTreeMap<String, u64>);

impl Parts {
    /// Counts what a scenario was made of.
    pub(super) fn see(&mut self, scenario: &Scenario, overlay: &Path) {
        let template = &scenario.template;
        let included = template.includes.texts.iter().map(|one| &one.origin);
        for origin in std::iter::once(&template.origin).chain(included) {
            if let Origin::File(name) = origin
                && let Ok(below) = paths::path(name).strip_prefix(overlay)
            {
                *self.0.entry(named(below)).or_default() += 1;
            }
        }
    }

    /// What a report says of them.
    pub(super) fn told(&self, overlay: &Path) -> Overlay {
        let file = |(file, rows): (&String, &u64)| OverlayFile {
            file: file.clone(),
            rows: *rows,
        };
        Overlay {
            folder: named(overlay),
            files: self.0.iter().map(file).collect(),
            effect: None,
        }
    }
}

/// What the overlay does to each row: pairs of a scenario without it and with it.
///
/// # Errors
/// When no worker can be started at all.
pub fn effect(
    pairs: &[(Scenario, Scenario)],
    settings: &Settings,
    confidence: f64,
    progress: Progress<'_>,
) -> io::Result<Report> {
    let mut effect = Effect::default();
    let mut changed = Vec::new();
    let mut parts = Parts::default();
    for (without, with) in pairs {
        progress(Told::Step(&format!("preparing {}", without.name)));
        let other = Scenario {
            name: format!("{} with the overlay", with.name),
            ..with.clone()
        };
        let tasks = [Task::new(without), Task::new(&other)];
        let is_unchanged = match [&tasks[0].prepared, &tasks[1].prepared] {
            [Ok(without), Ok(with)] => is_same(without, with),
            _ => false,
        };
        if let Some(overlay) = &settings.overlay {
            parts.see(with, overlay);
        }
        match is_unchanged {
            true => effect.same.push(without.name.clone()),
            false => changed.push(tasks),
        }
    }
    // All intervals together hold as often as is asked for.
    let confidence = 1.0 - (1.0 - confidence) / changed.len().max(1) as f64;
    let mut whole: Option<Report> = None;
    for tasks in changed {
        let names = [0, 1].map(|at: usize| tasks[at].scenario.name.clone());
        let [state, other_state] =
            [0, 1].map(|at: usize| tasks[at].scenario.template.header.clobbers);
        let contestants = tasks.map(|task| Contestant::Task(Box::new(task)));
        let mut report = compare(contestants.to_vec(), settings, confidence, progress)?;
        if state != other_state {
            report.comparisons.iter_mut().for_each(refuse);
        }
        effect.changed.push(row_effect(&report, names));
        let is_over = report.interrupted.is_some();
        match &mut whole {
            None => whole = Some(report),
            Some(whole) => append(whole, &mut report),
        }
        if is_over {
            break;
        }
    }
    let mut report = match whole {
        Some(whole) => whole,
        None => measure(Vec::new(), settings, progress)?,
    };
    average(&mut effect);
    report.overlay = settings.overlay.as_ref().map(|overlay| Overlay {
        effect: Some(effect),
        ..parts.told(overlay)
    });
    Ok(report)
}

/// The harness's loop is another one, and so is its cost.
fn refuse(comparison: &mut crate::report::Comparison) {
    if comparison.basis == Basis::Measured {
        (comparison.ratio, comparison.verdict) = (None, None);
        (comparison.low, comparison.high) = (None, None);
        let why = "the overlay has the harness keep its state elsewhere (`clobbers`), which costs differently";
        comparison.why = Some(why.into());
    }
}

fn append(whole: &mut Report, report: &mut Report) {
    whole.rows.append(&mut report.rows);
    whole.comparisons.append(&mut report.comparisons);
    whole.changes.append(&mut report.changes);
    let is_new = |warning: &String| !whole.warnings.contains(warning);
    let new: Vec<String> = report.warnings.drain(..).filter(is_new).collect();
    whole.warnings.extend(new);
    whole.interrupted = report.interrupted;
}

fn average(effect: &mut Effect) {
    let ratios = effect.changed.iter().filter_map(|one| one.ratio);
    let logs: Vec<f64> = ratios.map(f64::ln).collect();
    let sum: f64 = logs.iter().sum();
    let mean = |count: usize| (sum / count as f64).exp();
    effect.ratios = logs.len() as u64;
    effect.mean = (!logs.is_empty()).then(|| mean(logs.len()));
    effect.mean_of_all = effect.mean.map(|_| mean(logs.len() + effect.same.len()));
}

fn row_effect(report: &Report, [scenario, other]: [String; 2]) -> RowEffect {
    let of = |metric: &str| report.comparisons.iter().find(|one| one.metric == metric);
    let cycles = of("cycles");
    let counted = of("instructions").filter(|one| one.basis == Basis::Exact);
    let mut without = report.rows.iter().filter(|row| row.metrics.is_none());
    let why = without.next().map(|row| {
        format!(
            "{} is {}: {}",
            row.scenario,
            row.status.name(),
            reason(&row.status)
        )
    });
    RowEffect {
        scenario,
        other,
        cycles: cycles.and_then(|one| one.values),
        ratio: cycles.and_then(|one| one.ratio),
        low: cycles.and_then(|one| one.low),
        high: cycles.and_then(|one| one.high),
        basis: cycles.map_or(Basis::Unsupported, |one| one.basis),
        verdict: cycles.and_then(|one| one.verdict),
        instructions: counted.and_then(|one| one.values),
        why: why.or_else(|| cycles.and_then(|one| one.why.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_geometric_and_rows_that_are_the_same_count_as_one() {
        let row = |ratio| RowEffect {
            scenario: "a".into(),
            other: "b".into(),
            cycles: None,
            ratio,
            low: None,
            high: None,
            basis: Basis::Measured,
            verdict: None,
            instructions: None,
            why: None,
        };
        let mut effect = Effect {
            changed: vec![row(Some(2.0)), row(Some(8.0)), row(None)],
            same: vec!["c".into(), "d".into()],
            ..Effect::default()
        };
        average(&mut effect);
        let close =
            |found: Option<f64>, wanted: f64| (found.expect("a mean") - wanted).abs() < 1e-12;
        assert!(
            close(effect.mean, 4.0) && close(effect.mean_of_all, 2.0),
            "{effect:?}"
        );
        assert_eq!(effect.ratios, 2);
        let mut none = Effect {
            same: vec!["c".into()],
            ..Effect::default()
        };
        average(&mut none);
        assert_eq!((none.mean, none.mean_of_all), (None, None));
    }
}
