//! Reports that were written as JSON, read back to be compared with.
//!
//! Correct means: a row read back holds the numbers that were written, with their intervals, bases
//! and reasons, and a document of another kind or schema is refused with a reason.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{
    Baseline, Basis, ColdCall, Held, Layout, Metric, Metrics, ModelledRuntime, Provenance, Row,
    Status,
};
use crate::stats::{Disturbances, Mode};
use crate::template::{Clobbers, Value};

/// What is read of a saved report.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedReport {
    /// The machine and the run.
    pub provenance: Provenance,
    /// The rows with numbers.
    pub rows: Vec<Row>,
    /// The rows without, each with its status.
    pub without_numbers: Vec<(String, String)>,
}

/// Why a text is no saved report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// It is no JSON, or lacks what a report has.
    Foreign(String),
    /// It is of another schema.
    Schema(u64),
    /// A number in it cannot have been measured.
    Impossible {
        /// The scenario of its row.
        row: String,
        /// Which number.
        metric: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Foreign(why) => write!(
                f,
                "no report of `dispatchlab run --json` or --export-json: {why}"
            ),
            ReadError::Schema(schema) => write!(
                f,
                "a report of schema {schema}, and this version reads schema {}; measure it again",
                super::json::SCHEMA
            ),
            ReadError::Impossible { row, metric, why } => {
                write!(
                    f,
                    "{row}: {metric}: {why}, so nothing is compared with it; measure it again"
                )
            }
        }
    }
}

#[derive(Deserialize)]
struct Document {
    provenance: Provenance,
    rows: Vec<SavedRow>,
}

#[derive(Deserialize)]
struct SavedRow {
    scenario: String,
    template: String,
    template_path: String,
    template_sha256: String,
    params: BTreeMap<String, Value>,
    status: String,
    #[serde(default)]
    iterations: u64,
    metrics: Option<Metrics>,
    #[serde(default)]
    verified: bool,
    clobbers: Clobbers,
    baseline: Option<Baseline>,
    cold: Option<ColdCall>,
    layout: Option<Layout>,
    #[serde(default)]
    published: Vec<Held>,
    section: Option<String>,
    today: Option<String>,
    #[serde(default)]
    doubtful: bool,
    #[serde(default)]
    dropped_samples: u64,
    disturbances: Option<Disturbances>,
    #[serde(default)]
    modes: Vec<Mode>,
    #[serde(default)]
    modelled_runtime: Vec<ModelledRuntime>,
    title: String,
    note: Option<String>,
}

/// More than anything can be in one iteration: `--timeout` ends one after a day, which is less in any unit.
const MOST: f64 = 1e15;
/// A count of misses may be a little below 0, for each branch that it is of.
const LEAST_MISSES: f64 = -0.02 * 16.0;
/// A difference of two entries may be below 0 by what both are off.
const LEAST_DIFFERENCE: f64 = -1e4;

/// The first number of a row that cannot be, and why.
fn impossible(row: &SavedRow) -> Option<(&'static str, String)> {
    let metrics = row.metrics.as_ref()?;
    let mut numbers = vec![
        ("ns", &metrics.ns, 0.0),
        ("cycles", &metrics.cycles, 0.0),
        ("instructions", &metrics.instructions, 0.0),
        ("branches", &metrics.branches, 0.0),
        ("branch_misses", &metrics.branch_misses, LEAST_MISSES),
        ("allocs", &metrics.allocs, 0.0),
        ("alloc_bytes", &metrics.alloc_bytes, 0.0),
    ];
    if let Some(baseline) = &row.baseline {
        numbers.push(("baseline.cycles", &baseline.cycles, 0.0));
        numbers.push(("baseline.instructions", &baseline.instructions, 0.0));
    }
    if let Some(cold) = &row.cold {
        numbers.push(("cold.cycles", &cold.cycles, LEAST_DIFFERENCE));
        numbers.push(("cold.warm", &cold.warm, LEAST_DIFFERENCE));
        numbers.push(("cold.scrub_ns", &cold.scrub_ns, 0.0));
    }
    let mut wrong = numbers
        .into_iter()
        .filter_map(|(name, metric, least)| Some((name, wrong_of(metric, least)?)));
    let of_layout = || {
        let layout = row.layout.as_ref()?;
        let ends = [layout.cycles_min, layout.cycles_median, layout.cycles_max];
        let is_sound = ends.iter().all(|end| (0.0..=MOST).contains(end)) && ends.is_sorted();
        let why = || {
            format!(
                "{} to {} to {} is no range of cycles",
                ends[0], ends[1], ends[2]
            )
        };
        (!is_sound).then(|| ("layout", why()))
    };
    wrong.next().or_else(of_layout)
}

/// What is wrong with a number that is no less than `least`.
fn wrong_of(metric: &Metric, least: f64) -> Option<String> {
    let Some(value) = metric.value else {
        let is_sound = metric.basis == Basis::Unsupported;
        return (!is_sound).then(|| format!("{} without a value", metric.basis.name()));
    };
    if !(least..=MOST).contains(&value) {
        return Some(format!("{value} cannot be"));
    }
    // Of a number with noise six digits are written.
    let slack = 1e-5 * value.abs() + 1e-9;
    let (low, high) = (metric.low.unwrap_or(value), metric.high.unwrap_or(value));
    let is_inside = low - slack <= value && value <= high + slack;
    let is_finite = low.is_finite() && high.abs() <= MOST;
    (!is_inside || !is_finite)
        .then(|| format!("the interval {low} to {high} does not hold {value}"))
}

/// Reads a report.
///
/// # Errors
/// Where the text is no report of this schema, or a number in it cannot be.
pub fn read(text: &str) -> Result<SavedReport, ReadError> {
    let foreign = |error: serde_json::Error| ReadError::Foreign(error.to_string());
    let document: serde_json::Value = serde_json::from_str(text).map_err(foreign)?;
    match document.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(super::json::SCHEMA) => {}
        Some(schema) => return Err(ReadError::Schema(schema)),
        None => return Err(ReadError::Foreign("it has no `schema`".into())),
    }
    let document: Document = serde_json::from_value(document).map_err(foreign)?;
    for row in &document.rows {
        if let Some((metric, why)) = impossible(row) {
            return Err(ReadError::Impossible {
                row: row.scenario.clone(),
                metric,
                why,
            });
        }
    }
    let (with, without): (Vec<SavedRow>, Vec<SavedRow>) = document
        .rows
        .into_iter()
        .partition(|row| row.metrics.is_some());
    Ok(SavedReport {
        provenance: document.provenance,
        rows: with.into_iter().map(SavedRow::row).collect(),
        without_numbers: without
            .into_iter()
            .map(|row| (row.scenario, row.status))
            .collect(),
    })
}

impl SavedRow {
    fn row(self) -> Row {
        Row {
            scenario: self.scenario,
            template: self.template,
            template_path: self.template_path,
            template_sha256: self.template_sha256,
            params: self.params,
            title: self.title,
            status: Status::Ok,
            iterations: self.iterations,
            checksum: None,
            metrics: self.metrics,
            sites: Vec::new(),
            further: Vec::new(),
            ratio: None,
            verified: self.verified,
            clobbers: self.clobbers,
            baseline: self.baseline,
            cold: self.cold,
            around: None,
            layout: self.layout,
            published: self.published,
            section: self.section,
            today: self.today,
            doubtful: self.doubtful,
            dropped_samples: self.dropped_samples,
            disturbances: self.disturbances,
            settled: None,
            modes: self.modes.try_into().ok(),
            modelled: None,
            modelled_runtime: self.modelled_runtime,
            note: self.note,
            samples: None,
            warnings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, json};

    #[test]
    fn what_was_written_is_read_back() {
        let report = fixture::report();
        let saved = read(&json::render(&report)).expect("a report");
        assert_eq!(saved.provenance, report.provenance);
        let with: Vec<&Row> = report
            .rows
            .iter()
            .filter(|row| row.metrics.is_some())
            .collect();
        assert_eq!(saved.rows.len(), with.len());
        for (saved, row) in saved.rows.iter().zip(with) {
            assert_eq!(
                (&saved.scenario, &saved.params),
                (&row.scenario, &row.params)
            );
            let cycles = |row: &Row| {
                row.metrics
                    .as_ref()
                    .and_then(|metrics| metrics.cycles.value)
            };
            assert_eq!(cycles(saved), cycles(row));
            assert_eq!(saved.layout, row.layout);
        }
        assert_eq!(
            saved.rows.len() + saved.without_numbers.len(),
            report.rows.len()
        );
    }

    #[test]
    fn another_document_is_refused_with_a_reason() {
        let why = |text: &str| read(text).expect_err(text).to_string();
        assert!(why("body:\n nop").contains("no report of `dispatchlab run --json`"));
        assert!(why("{}").contains("it has no `schema`"));
        assert!(why("{\"schema\": 1}").contains("provenance"));
        assert!(why("{\"schema\": 7}").contains("schema 7, and this version reads schema 1"));
    }
}
