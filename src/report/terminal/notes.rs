//! What must be said of rows and of their numbers, and where it stands.
//!
//! Correct means: every mark in the table has its remark, and no remark that a reader must know of
//! is without a place. In brief, what is said of one row alone stands under it, behind a `*` where
//! it is about a number; what several share, or have alike but for its numbers, is a numbered remark
//! under the table. In full all of
//! them are, and the reasons that nobody can do anything about too.

use std::collections::{BTreeMap, BTreeSet};

use super::Detail;
use super::footnotes::Footnotes;
use super::table::Column;
use crate::text::wrap::lines;
use crate::text::{Paint, Style};

/// Columns in front of what stands under a row.
const INDENT: usize = 4;

/// Something that must be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    kind: Kind,
    text: String,
    /// What stands for it and its like in a brief report, where several rows have one; the whole is told with -v.
    shared: Option<String>,
}

/// What a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The row, and the reader must do something.
    Warning,
    /// The row.
    Row,
    /// One number of it, or why that is missing.
    Number,
    /// One number of it, and nobody can do anything about it: told in full only.
    Aside,
}

impl Remark {
    pub(super) fn new(kind: Kind, text: String) -> Remark {
        Remark {
            kind,
            text,
            shared: None,
        }
    }

    /// The same, of several rows together `shared`.
    pub(super) fn or(self, shared: &str) -> Remark {
        Remark {
            shared: Some(shared.into()),
            ..self
        }
    }

    pub(super) fn said(&self, style: Style) -> String {
        match self.kind {
            Kind::Warning => {
                let word = style.paint(Paint::Warning, "warning:");
                format!("{word} {}", self.text)
            }
            _ => self.text.clone(),
        }
    }
}

/// In how many rows each text stands that `of` has of remarks.
fn counted(columns: &[Column], of: fn(&Remark) -> Option<&String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in 0..columns.first().map_or(0, |column| column.cells.len()) {
        let remarks = columns.iter().flat_map(|column| &column.cells[row].remarks);
        for text in remarks.filter_map(of).collect::<BTreeSet<_>>() {
            *counts.entry(text.clone()).or_default() += 1;
        }
    }
    counts
}

/// The remarks of one table.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    pub(super) detail: Detail,
    style: Style,
    footnotes: Footnotes,
    /// In how many rows each stands.
    rows: BTreeMap<String, usize>,
}

impl Notes {
    /// Puts marks into the columns; the remarks behind them are in what is returned.
    pub(super) fn mark(columns: &mut [Column], style: Style, detail: Detail) -> Notes {
        let mut notes = Notes {
            detail,
            style,
            footnotes: Footnotes::new(style),
            rows: BTreeMap::new(),
        };
        if detail == Detail::Brief {
            let rows = counted(columns, |remark| remark.shared.as_ref());
            let cells = columns.iter_mut().flat_map(|column| &mut column.cells);
            for remark in cells.flat_map(|cell| &mut cell.remarks) {
                let several = |shared: &String| rows[shared] > 1;
                if let Some(shared) = remark.shared.take().filter(several) {
                    remark.text = shared;
                }
            }
        }
        notes.rows = counted(columns, |remark| Some(&remark.text));
        for column in columns {
            column.mark(|remarks| notes.marks(remarks));
        }
        notes
    }

    /// The marks of numbered remarks, whatever the detail.
    pub(super) fn footnotes(&mut self, remarks: &[String]) -> String {
        self.footnotes.marks(remarks)
    }

    /// The numbered remarks, one line each.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.footnotes.lines()
    }

    /// The same laid out.
    pub(super) fn below(&self) -> String {
        self.footnotes.render()
    }

    /// What stands under a row, with a line break at the end of each line.
    pub(super) fn under(&self, row: usize, columns: &[Column]) -> String {
        let mut said: Vec<(Vec<&str>, &Remark)> = Vec::new();
        for column in columns {
            let cell = &column.cells[row];
            // Where no number has the mark, the remark has no other place.
            let is_here = |remark: &&Remark| {
                self.is_told(remark) && (cell.text.is_empty() || !self.is_footnote(remark))
            };
            for remark in cell.remarks.iter().filter(is_here) {
                match said.iter_mut().find(|(_, known)| *known == remark) {
                    Some((heads, _)) => heads.push(column.head),
                    None => said.push((vec![column.head], remark)),
                }
            }
        }
        let room = self.style.width.saturating_sub(INDENT).max(20);
        let mut text = String::new();
        for (heads, remark) in said {
            let said = match remark.kind {
                Kind::Number | Kind::Aside => {
                    format!("* {}: {}", heads.join(", "), remark.text)
                }
                Kind::Warning | Kind::Row => remark.said(self.style),
            };
            for line in lines(&said, room) {
                text += &format!("{:INDENT$}{line}\n", "");
            }
        }
        text
    }

    fn marks(&mut self, remarks: &[Remark]) -> String {
        let told: Vec<&Remark> = remarks.iter().filter(|one| self.is_told(one)).collect();
        let (below, under): (Vec<&Remark>, Vec<&Remark>) = told
            .into_iter()
            .partition(|remark| self.is_footnote(remark));
        let below: Vec<String> = below.iter().map(|one| one.said(self.style)).collect();
        let marks = self.footnotes.marks(&below);
        let has_star = under.iter().any(|remark| remark.kind == Kind::Number);
        marks + if has_star { "*" } else { "" }
    }

    fn is_told(&self, remark: &Remark) -> bool {
        self.detail == Detail::Full || remark.kind != Kind::Aside
    }

    fn is_footnote(&self, remark: &Remark) -> bool {
        self.detail == Detail::Full || self.rows.get(&remark.text).is_some_and(|&rows| rows > 1)
    }
}
