//! The events beside those of the columns: a line under their row.
//!
//! Correct means: each number stands beside its event, and each group of them behind basis and source;
//! what there is no number of says why in a footnote, or behind it where there are none.

use super::notes::Notes;
use crate::report::{Basis, FurtherMetric, Report, Row};
use crate::text::wrap::lines as wrapped;
use crate::text::{Style, hanging};

/// The lines under a row, with a line break at the end of each; empty where nothing was asked for.
pub(super) fn under(row: &Row, style: Style, notes: &mut Notes) -> String {
    let because = |why: &str| notes.footnotes(&[why.to_string()]);
    let mut text = String::new();
    for line in lines(row, style, because) {
        let mut indent = "  ";
        for part in wrapped(&line, style.width.saturating_sub(4)) {
            text += &format!("{indent}{part}\n");
            indent = "    ";
        }
    }
    text
}

/// The same of all rows, each with its name, where a report has no table to stand under.
pub(super) fn of_all(report: &Report, style: Style) -> String {
    let because = |why: &str| format!(" ({why})");
    let of = |row: &Row| {
        let line = lines(row, style, because).join("; ");
        let line = format!("{}: {line}", row.scenario);
        hanging(&line, "", 2, style.width)
    };
    report
        .rows
        .iter()
        .filter(|row| has_any(row))
        .map(of)
        .collect()
}

/// Whether events were asked for.
pub(super) fn has_any(row: &Row) -> bool {
    row.metrics
        .as_ref()
        .is_some_and(|metrics| !metrics.further.is_empty())
}

/// One line for each basis and source, in the order of the events; `because` tells why there is no
/// number.
fn lines(row: &Row, style: Style, mut because: impl FnMut(&str) -> String) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for further in row.metrics.iter().flat_map(|metrics| &metrics.further) {
        let metric = &further.metric;
        let source = metric.source.as_ref().map(|source| format!(" [{source}]"));
        let by = format!("{}{}", metric.basis.name(), source.unwrap_or_default());
        let why = metric
            .why
            .as_deref()
            .filter(|_| metric.basis == Basis::Unsupported);
        let why = why.map(&mut because).unwrap_or_default();
        let number = format!("{} {}{why}", further.name, shown(further, style));
        match lines.iter_mut().find(|(other, _)| *other == by) {
            Some((_, numbers)) => numbers.push(number),
            None => lines.push((by, vec![number])),
        }
    }
    let line = |(by, numbers): (String, Vec<String>)| format!("{by}: {}", numbers.join(", "));
    lines.into_iter().map(line).collect()
}

/// A number with its unit: events may be as rare as one in a million iterations.
fn shown(further: &FurtherMetric, style: Style) -> String {
    const RARE: f64 = 0.001;
    let unit = if further.unit == "ns" { " ns" } else { "" };
    match further.metric.value.filter(|value| value.is_finite()) {
        None => style.absent().to_string(),
        Some(0.0) => format!("0{unit}"),
        Some(value) if value.abs() < RARE => format!("{value:.1e}{unit}"),
        Some(value) => format!("{value:.3}{unit}"),
    }
}
