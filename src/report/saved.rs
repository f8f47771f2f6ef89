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

/// Reads a report.
///
/// # Errors
/// Where the text is no report of this schema.
pub fn read(text: &str) -> Result<SavedReport, ReadError> {
    let foreign = |error: serde_json::Error| ReadError::Foreign(error.to_string());
    let document: serde_json::Value = serde_json::from_str(text).map_err(foreign)?;
    match document.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(super::json::SCHEMA) => {}
        Some(schema) => return Err(ReadError::Schema(schema)),
        None => return Err(ReadError::Foreign("it has no `schema`".into())),
    }
    let document: Document = serde_json::from_value(document).map_err(foreign)?;
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
