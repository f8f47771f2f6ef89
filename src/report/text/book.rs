//! The table of the suite `book`: rows under their sections, what was published beside what is
//! measured here.
//!
//! Correct means: theirs and ours on one line are the same quantity, a ratio says of what it is one,
//! and every line fits the width.

use super::failure;
use super::footnotes::Footnotes;
use super::table::{self, Cell, Column, Layout};
use crate::report::{Basis, Held, Report, Row};
use crate::template::Figure;
use crate::text::wrap::lines;
use crate::text::{Paint, Style};

/// The columns of the other table that are left: those that fit beside the figures.
const KEPT: [&str; 5] = ["cycles", "ns", "instr", "branch", "misses"];
/// Columns in front of what is said of a row.
const INDENT: usize = 4;

/// The table, with a line break at the end.
pub(super) fn render(report: &Report, style: Style, notes: &mut Footnotes) -> String {
    let names: Vec<String> = report
        .rows
        .iter()
        .map(|row| row.scenario.clone() + &notes.marks(&table::conditions(row)))
        .collect();
    let mut columns = table::all_columns(report, style, notes);
    columns.retain(|column| KEPT.contains(&column.head));
    let mut columns: Vec<Column> = columns
        .into_iter()
        .map(|column| {
            let cells = column.cells.into_iter().zip(&report.rows);
            let spread = cells.flat_map(|(cell, row)| {
                let more = std::iter::repeat_n(Cell::default(), lines_of(row) - 1);
                std::iter::once(cell).chain(more)
            });
            Column::new(column.head, column.basis, spread.collect())
        })
        .collect();
    columns.extend(figures(report, style, notes));
    let spans = table::spans(&mut columns);
    let least: usize = columns.iter().map(|column| column.total() + 1).sum();
    if least > style.width {
        return table::upright(report, &names, &columns, style, notes);
    }
    let layout = Layout::of(&names, &columns, &spans, style);
    let mut text = layout.heads(&columns, style) + &layout.bases(&columns, &spans, style);
    let mut section = None;
    let mut line = 0;
    for (row, name) in report.rows.iter().zip(&names) {
        if section.replace(&row.section) != Some(&row.section) {
            let title = row.section.as_deref().unwrap_or("in no section");
            text += &format!("\n{}\n", style.paint(Paint::Head, title));
        }
        let has_numbers = row.metrics.is_some() || !row.published.is_empty();
        let numbers = has_numbers.then(|| layout.numbers(&columns, line));
        let reasons = failure::reasons(&row.status, style);
        text += &layout.row(name, numbers, &[], style);
        for more in 1..lines_of(row) {
            let indent = " ".repeat(layout.name);
            text += &format!("{indent}{}\n", layout.numbers(&columns, line + more));
        }
        let room = style.width.saturating_sub(INDENT).max(20);
        for said in reasons.iter().chain(&row.today) {
            for part in lines(said, room) {
                text += &format!("{:INDENT$}{part}\n", "");
            }
        }
        line += lines_of(row);
    }
    text
}

/// A row takes a line for each of its figures.
fn lines_of(row: &Row) -> usize {
    row.published.len().max(1)
}

/// Theirs and ours.
fn figures(report: &Report, style: Style, notes: &mut Footnotes) -> [Column; 2] {
    let mut published = Vec::new();
    let mut here = Vec::new();
    let mut bases = report.rows.iter().flat_map(|row| &row.published);
    let basis = bases.find_map(|held| held.basis);
    for row in &report.rows {
        for held in &row.published {
            published.push(theirs(held, style, notes));
            here.push(ours(held, basis, style, notes));
        }
        if row.published.is_empty() {
            published.push(Cell::default());
            here.push(Cell::default());
        }
    }
    [
        Column::new("published", None, published),
        Column::new("here", basis, here),
    ]
}

fn theirs(held: &Held, style: Style, notes: &mut Footnotes) -> Cell {
    let published = &held.published;
    let (text, remark) = match &published.figure {
        Figure::Value { value } => (shown(*value, &published.metric), published.source.clone()),
        Figure::Ratio { ratio, to } => (
            times(*ratio, &published.metric, style),
            format!("of {to}; {}", published.source),
        ),
    };
    Cell {
        text,
        mark: notes.mark(&remark),
    }
}

/// `basis` is that of the column.
fn ours(held: &Held, basis: Option<Basis>, style: Style, notes: &mut Footnotes) -> Cell {
    let Some(value) = held.measured else {
        return Cell {
            text: style.absent().to_string(),
            mark: held
                .why
                .as_ref()
                .map_or(String::new(), |why| notes.mark(why)),
        };
    };
    let text = match &held.published.figure {
        Figure::Value { .. } => cut(value, held.basis),
        Figure::Ratio { .. } => format!("{}{}", cut(value, None), sign(style)),
    };
    let unlike = held.basis.filter(|_| held.basis != basis);
    let mut remarks: Vec<String> = unlike
        .map(|own| format!("{}, unlike its column", own.name()))
        .into_iter()
        .collect();
    if !held.modelled_runtime.is_empty() {
        let names = held.modelled_runtime.join(", ");
        remarks.push(format!(
            "with a modelled {names}, so this is not what Go takes"
        ));
    }
    Cell {
        text,
        mark: notes.marks(&remarks),
    }
}

/// Two decimals, unless it is a count without a fraction.
fn cut(value: f64, basis: Option<Basis>) -> String {
    if basis == Some(Basis::Exact) && value.fract() == 0.0 {
        format!("{value}")
    } else {
        format!("{value:.2}")
    }
}

fn sign(style: Style) -> &'static str {
    if style.unicode { "×" } else { "x" }
}

fn times(ratio: f64, metric: &str, style: Style) -> String {
    format!("{ratio}{} {}", sign(style), unit(metric))
}

fn shown(value: f64, metric: &str) -> String {
    format!("{value} {}", unit(metric))
}

/// A metric as short as the heads of the columns.
fn unit(metric: &str) -> &str {
    match metric {
        "instructions" => "instr",
        "branches" => "branch",
        "branch_misses" => "misses",
        "alloc_bytes" => "B",
        "ipc" => "IPC",
        "baseline_ns" => "ns empty",
        "net_ns" => "ns net",
        other => other,
    }
}
