//! What `doctor` finds of inferred branch misses: rows whose misses are known, against what is inferred of them.
//!
//! Correct means: a machine on which the method reads wrong fails, and one that was busy for a moment does not.

use std::sync::Arc;

use super::{Check, record};
use crate::cmd::Stop;
use crate::pipeline::{self, Settings};
use crate::scenario::Scenario;
use crate::stats::Quantity;
use crate::template::Library;
use crate::worker::parent::Progress;

/// How far an inferred number may be off.
const MARGIN: f64 = 0.06;
/// Times that the rows are measured until they are right.
const ATTEMPTS: usize = 3;

/// A row with the misses of its branch: template, parameters, and the number.
type Known = (&'static str, &'static [(&'static str, &'static str)], f64);

#[rustfmt::skip] // a table: one row a line
const KNOWN: [Known; 3] = [
    ("itab_call", &[],                                                                    0.0),
    ("itab_call", &[("order", "random"), ("targets", "8")],                               0.875),
    ("guard",     &[("cases", "2"), ("guards", "1"), ("hit", "order"), ("order", "random")], 0.5),
];

/// Measures the rows, where misses are inferred at all.
pub(super) fn check(settings: &Settings, progress: Progress<'_>) -> Result<Option<Check>, Stop> {
    let mut settings = settings.clone();
    settings.plan.uninferred = None;
    settings.plan.infer_ms = settings.plan.infer_ms.max(10.0);
    settings.plan.placements.truncate(1);
    if !settings.plan.infers() {
        return Ok(None);
    }
    let scenarios = scenarios()?;
    let mut found = [None; 3];
    for _ in 0..ATTEMPTS {
        let report = pipeline::run(&scenarios, &settings, &mut *progress)?;
        for (found, row) in found.iter_mut().zip(&report.rows) {
            *found = row.value(Quantity::BranchMisses);
        }
        if judged(found) == Some(true) {
            break;
        }
    }
    let value = found.map(said).join(" ");
    // Of a machine too busy for a number nothing is known.
    let ok = judged(found) != Some(false);
    Ok(Some(Check {
        name: record::INFERRED_MISSES,
        ok,
        value,
        expected: "0.00 0.88 0.50",
        why: if ok {
            String::new()
        } else {
            "a fenced loop does not tell misses here, so none are inferred".into()
        },
        concerns: record::Concerns::Injection,
    }))
}

/// A number as it is printed; what rounds to zero has no sign.
fn said(value: Option<f64>) -> String {
    value.map_or("none".into(), |value| {
        let hundredths = (value * 100.0).round() + 0.0;
        format!("{:.2}", hundredths / 100.0)
    })
}

/// Whether the numbers are those that are known; `None` where one is missing and none is wrong.
fn judged(found: [Option<f64>; 3]) -> Option<bool> {
    let pairs = found.iter().zip(KNOWN);
    let is_off = |(found, (_, _, known)): (&Option<f64>, Known)| {
        found.is_some_and(|found| (found - known).abs() > MARGIN)
    };
    if pairs.clone().any(is_off) {
        return Some(false);
    }
    found.iter().all(Option::is_some).then_some(true)
}

fn scenarios() -> Result<Vec<Scenario>, Stop> {
    let library = Library::embedded();
    let one = |(name, parameters, _): Known| {
        let template = library.load(name)?;
        let parameters: Vec<(String, String)> = parameters
            .iter()
            .map(|(key, value)| ((*key).to_string(), (*value).to_string()))
            .collect();
        Ok(Scenario::bind(Arc::new(template), &parameters)?)
    };
    KNOWN.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        let all = [Some(-0.004), Some(0.876), Some(-0.006), None].map(said);
        assert_eq!(all, ["0.00", "0.88", "-0.01", "none"]);
    }

    #[test]
    fn a_number_that_is_off_fails_and_one_that_is_missing_does_not() {
        let off = |by: f64| judged([Some(0.0), Some(0.875 + by), Some(0.5)]);
        assert_eq!(
            (off(0.0), off(0.059), off(-0.059)),
            (Some(true), Some(true), Some(true))
        );
        assert_eq!((off(0.061), off(-0.061)), (Some(false), Some(false)));
        assert_eq!(judged([Some(0.0), None, Some(0.5)]), None);
        assert_eq!(judged([Some(0.3), None, Some(0.5)]), Some(false));
    }
}
