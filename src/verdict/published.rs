//! Published figures, held against the rows of a run.
//!
//! Correct means: a figure meets the same metric of its own row, and a ratio the same metric of both
//! its rows; where one of them has no number, the figure says so.

use std::collections::BTreeMap;

use crate::report::{Basis, Metric, Row};
use crate::template::Figure;

/// A number and how it was obtained, or why there is none.
type Ours = Result<(f64, Basis), String>;

/// Puts a number of this run beside each published figure.
pub fn hold(rows: &mut [Row]) {
    let held: Vec<Vec<Ours>> = rows
        .iter()
        .map(|row| {
            let figures = row.published.iter().map(|one| &one.published);
            figures
                .map(|one| ours(rows, row, &one.metric, &one.figure))
                .collect()
        })
        .collect();
    let modelled: BTreeMap<String, Vec<String>> = rows
        .iter()
        .map(|row| {
            let names = row.modelled_runtime.iter().map(|one| one.function.clone());
            (row.scenario.clone(), names.collect())
        })
        .collect();
    for (row, held) in rows.iter_mut().zip(held) {
        for (one, ours) in row.published.iter_mut().zip(held) {
            match ours {
                Ok((value, basis)) => {
                    (one.measured, one.basis) = (Some(value), Some(basis));
                    let of = match &one.published.figure {
                        Figure::Ratio { to, .. } => vec![&row.scenario, to],
                        Figure::Value { .. } => vec![&row.scenario],
                    };
                    one.modelled_runtime = of
                        .into_iter()
                        .flat_map(|row| modelled[row].clone())
                        .collect();
                    one.modelled_runtime.dedup();
                }
                Err(why) => one.why = Some(why),
            }
        }
    }
}

fn ours(rows: &[Row], row: &Row, metric: &str, figure: &Figure) -> Ours {
    let (value, basis) = value_of(row, metric)?;
    let Figure::Ratio { to, .. } = figure else {
        return Ok((value, basis));
    };
    let other = rows
        .iter()
        .find(|other| &other.scenario == to)
        .ok_or_else(|| format!("run it beside {to}"))?;
    let (base, other_basis) = value_of(other, metric)?;
    let basis = match basis {
        Basis::Exact => other_basis,
        _ => basis,
    };
    let ratio = value / base;
    if ratio.is_finite() {
        Ok((ratio, basis))
    } else {
        Err(format!("{to} has {base} {metric}"))
    }
}

fn value_of(row: &Row, metric: &str) -> Ours {
    let Some(metrics) = &row.metrics else {
        return Err(format!(
            "{} has no numbers: {}",
            row.scenario,
            row.status.name()
        ));
    };
    let number = |metric: &Metric| match metric.value.filter(|value| value.is_finite()) {
        Some(value) => Ok((value, metric.basis)),
        None => Err(metric.why.clone().unwrap_or_else(|| "not measured".into())),
    };
    let Some([instructions, branches]) = row.around else {
        return Err("the loop around the body was not counted".into());
    };
    // Time and misses are of the whole loop, and so is what is held against those who counted it.
    let whole = |metric: &Metric, around: f64| {
        let (own, basis) = number(metric)?;
        Ok((own + metric.subtracted.unwrap_or(around), basis))
    };
    // The baseline has cycles; one row's cycles and nanoseconds differ by one factor.
    let empty_ns = || {
        let baseline = row.baseline.as_ref().ok_or("the baseline was not timed")?;
        let (ns, basis) = number(&metrics.ns)?;
        let (empty, cycles) = (number(&baseline.cycles)?.0, number(&metrics.cycles)?.0);
        Ok::<_, String>((ns, empty * ns / cycles, basis))
    };
    match metric {
        "ns" => number(&metrics.ns),
        "baseline_ns" => empty_ns().map(|(_, empty, basis)| (empty, basis)),
        "net_ns" => empty_ns().map(|(ns, empty, basis)| (ns - empty, basis)),
        "cycles" => number(&metrics.cycles),
        "instructions" => whole(&metrics.instructions, instructions),
        "branches" => whole(&metrics.branches, branches),
        "branch_misses" => number(&metrics.branch_misses),
        "ipc" => {
            let (all, _) = whole(&metrics.instructions, instructions)?;
            let (cycles, basis) = number(&metrics.cycles)?;
            Ok((all / cycles, basis))
        }
        "allocs" => number(&metrics.allocs),
        "alloc_bytes" => number(&metrics.alloc_bytes),
        other => Err(format!("`{other}` is not measured here")),
    }
}
