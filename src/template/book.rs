//! What somebody published about a scenario, and what the suite `book` makes of it.
//!
//! Correct means: a row that the header lists binds, under the name it has everywhere else, and is
//! listed once; a figure is a number or a ratio of two scenarios, never both.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Template;
use super::source::Place;
use crate::diagnostic::Diagnostic;
use crate::scenario::Scenario;

/// The sections of the suite `book`, in its order: chapter and subject, then what the book left out.
pub const SECTIONS: [&str; 9] = [
    "I Calls",
    "I Prologue",
    "II Interfaces",
    "II Layout",
    "II Escape and conversion",
    "II Overhead",
    "II Assertions",
    "II Type switches",
    "Beyond the book",
];

/// The metrics that somebody can have published a figure for.
pub const METRICS: [&str; 10] = [
    "ns",
    "baseline_ns",
    "net_ns",
    "cycles",
    "instructions",
    "branches",
    "branch_misses",
    "ipc",
    "allocs",
    "alloc_bytes",
];

/// A figure that somebody published for what the template shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Publication and section.
    pub source: String,
    /// One of [`METRICS`].
    pub metric: String,
    /// The figure itself.
    #[serde(flatten)]
    pub figure: Figure,
}

/// A published number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// Of one iteration.
    Value {
        /// In the metric's unit.
        value: f64,
    },
    /// Held against another scenario.
    Ratio {
        /// This one's metric over the other's.
        ratio: f64,
        /// The other scenario's name.
        to: String,
    },
}

/// A row of the suite `book`.
#[derive(Debug, Clone, PartialEq)]
pub struct BookRow {
    /// The scenario's name.
    pub scenario: String,
    /// The parameters that the header gives it.
    pub given: Vec<(String, String)>,
    /// Which of [`SECTIONS`] it belongs to.
    pub section: usize,
    /// Instructions and branches of one iteration, counted by hand.
    pub count: Option<[f64; 2]>,
    /// Instructions of one iteration of the whole loop, as a Go compiler emits it.
    pub compiled: Option<f64>,
    /// Figures for this row alone.
    pub published: Vec<Published>,
    /// Where compilers and processors of today disagree with the figures, and why.
    pub today: Option<String>,
}

impl BookRow {
    /// The section's title.
    pub fn section_title(&self) -> &'static str {
        SECTIONS[self.section]
    }
}

impl Template {
    /// The row of the suite `book` that a scenario of this template is.
    pub fn book_row(&self, scenario: &str) -> Option<&BookRow> {
        let rows = &self.header.book;
        rows.iter().find(|row| row.scenario == scenario)
    }
}

/// The rows of all templates, each with its template: by section, and in it as the templates come.
pub fn rows_of(
    templates: impl IntoIterator<Item = Arc<Template>>,
) -> Vec<(Arc<Template>, BookRow)> {
    let mut rows = Vec::new();
    for template in templates {
        let own = template.header.book.iter().cloned();
        rows.extend(own.map(|row| (Arc::clone(&template), row)));
    }
    rows.sort_by_key(|(_, row)| row.section);
    rows
}

/// Gives each row of the key `book` its scenario's name; `places` is where the rows stand.
///
/// # Errors
/// The rows that do not bind, or come twice.
pub(super) fn bind_rows(template: Template, places: &[Place]) -> Result<Template, Vec<Diagnostic>> {
    let template = Arc::new(template);
    let mut names: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    for (row, place) in template.header.book.iter().zip(places) {
        let mut complain = |message: String, help: Option<String>| {
            errors.push(template.source().complain(*place, message, help));
        };
        match Scenario::bind(Arc::clone(&template), &row.given) {
            Err(error) => complain(error.message, error.help),
            Ok(scenario) if names.contains(&scenario.name) => complain(
                format!("`{}` is a row of the book twice", scenario.name),
                Some("put its figures into one row".into()),
            ),
            Ok(scenario) => names.push(scenario.name),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut template = Arc::unwrap_or_clone(template);
    for (row, name) in template.header.book.iter_mut().zip(names) {
        row.scenario = name;
    }
    Ok(template)
}
