//! The table of a suite with published figures, as `book` is one: rows under their sections, what was
//! published beside what is measured here.
//!
//! Correct means: theirs and ours on one line are the same quantity, a ratio says of what it is one,
//! and every line fits the width.

use super::Detail;
use super::failure;
use super::notes::Notes;
use super::table::{self, Cell, Column, Layout, Sections};
use crate::report::{Basis, Held, Report, Row};
use crate::stats::Quantity;
use crate::template::Figure;
use crate::text::Style;
use crate::text::wrap::lines;

/// Columns in front of what is said of a row.
const INDENT: usize = 4;

/// Whether a report has figures to show beside ours.
pub(super) fn is_one(report: &Report) -> bool {
    let has_figures = |row: &Row| !row.published.is_empty() || row.today.is_some();
    report.by_section && report.rows.iter().any(has_figures)
}

/// The table, with a line break at the end; `columns` are those of the other table, and afterwards those
/// of this one.
pub(super) fn render(
    report: &Report,
    columns: &mut Vec<Column>,
    style: Style,
    notes: &mut Notes,
) -> String {
    // Of those beside the figures only these have room.
    let is_quantity =
        |column: &&Column| Quantity::columns().any(|one| one.known().short == column.head);
    let own = columns.iter().filter(is_quantity);
    let own: Vec<Column> = own
        .map(|column| column.with(column.cells.clone()))
        .collect();
    let rows = 0..report.rows.len();
    let under: Vec<String> = rows.map(|row| notes.under(row, &own)).collect();
    let mut marked = notes.clone();
    let mut beside: Vec<Column> = own.iter().map(|column| spread(column, report)).collect();
    beside.extend(figures(report, style, &mut marked));
    if !table::fit(&beside, style) {
        let said = |row: &Row| {
            let figures = row.published.iter().map(table::figure);
            figures.chain(row.today.clone()).collect()
        };
        return table::upright(report, columns, style, notes, said);
    }
    *columns = beside;
    *notes = marked;
    if notes.detail == Detail::Full {
        table::make_room(columns);
    }
    let names: Vec<&str> = report.rows.iter().map(|row| &row.scenario[..]).collect();
    let spans = table::spans(columns);
    let layout = Layout::of(&names, columns, &spans, style);
    let mut text = layout.heads(columns, style);
    if notes.detail == Detail::Full {
        text += &layout.bases(columns, &spans, style);
    }
    let mut sections = Sections::of(report);
    let mut line = 0;
    for (row, under) in report.rows.iter().zip(&under) {
        text += &sections.title(row, style);
        let has_numbers = row.metrics.is_some() || !row.published.is_empty();
        let numbers = has_numbers.then(|| layout.numbers(columns, line));
        let reasons = failure::reasons(&row.status, style);
        text += &layout.row(&row.scenario, numbers, &[], style);
        for more in 1..lines_of(row) {
            let indent = " ".repeat(layout.name);
            text += &format!("{indent}{}\n", layout.numbers(columns, line + more));
        }
        let room = style.width.saturating_sub(INDENT).max(20);
        for said in reasons.iter().chain(&row.today) {
            for part in lines(said, room) {
                text += &format!("{:INDENT$}{part}\n", "");
            }
        }
        text += under;
        line += lines_of(row);
    }
    text
}

/// The column with a line for each figure of a row; its own cell stands on the first.
fn spread(column: &Column, report: &Report) -> Column {
    let cells = column.cells.iter().zip(&report.rows);
    let cells = cells.flat_map(|(cell, row)| {
        let more = std::iter::repeat_n(Cell::default(), lines_of(row) - 1);
        std::iter::once(cell.clone()).chain(more)
    });
    column.with(cells.collect())
}

/// A row takes a line for each of its figures.
fn lines_of(row: &Row) -> usize {
    row.published.len().max(1)
}

/// Theirs and ours.
fn figures(report: &Report, style: Style, notes: &mut Notes) -> [Column; 2] {
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
        Column::new("published", "", None, published),
        Column::new("here", "", basis, here),
    ]
}

fn theirs(held: &Held, style: Style, notes: &mut Notes) -> Cell {
    let published = &held.published;
    let source = published.source.clone();
    // Who published it is told in full only.
    let (text, remark) = match (&published.figure, notes.detail) {
        (Figure::Value { value }, detail) => (
            shown(*value, &published.metric),
            Some(source).filter(|_| detail == Detail::Full),
        ),
        (Figure::Ratio { ratio, to }, detail) => (
            times(*ratio, &published.metric, style),
            Some(match detail {
                Detail::Brief => format!("of {to}"),
                Detail::Full => format!("of {to}; {source}"),
            }),
        ),
    };
    marked(text, remark.as_slice(), notes)
}

/// `basis` is that of the column.
fn ours(held: &Held, basis: Option<Basis>, style: Style, notes: &mut Notes) -> Cell {
    let Some(value) = held.measured else {
        let why: Vec<String> = held.why.iter().cloned().collect();
        return marked(style.absent().to_string(), &why, notes);
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
    marked(text, &remarks, notes)
}

/// A cell of a line of its own, so that what is said of it stands below the table.
fn marked(text: String, remarks: &[String], notes: &mut Notes) -> Cell {
    Cell {
        text,
        remarks: Vec::new(),
        mark: notes.footnotes(remarks),
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
    match (metric, Quantity::named(metric)) {
        (_, Some(quantity)) => quantity.known().short,
        ("ipc", _) => "IPC",
        ("baseline_ns", _) => "ns empty",
        ("net_ns", _) => "ns net",
        (other, _) => other,
    }
}
