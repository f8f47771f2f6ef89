//! A sweep as text: a line a point with its bar, or a grid, and what the curves say.
//!
//! Correct means: every point stands there, with its reason where it has no number, and a bar's
//! length is proportional to its cycles.

use super::table::{self, PLACEMENTS};
use super::{comparison, reason};
use crate::report::sweep::{Sweep, SweepPoint};
use crate::report::{Comparison, Metric, Report, Row};
use crate::stats::Quantity;
use crate::text::wrap::lines as wrapped;
use crate::text::{Paint, Style, columns, hanging};

/// Columns that the widest values and heads of a list take more than the line at hand.
const KEY_ROOM: usize = 12;

/// The whole sweep, with a line break at the end.
pub(super) fn render(report: &Report, sweep: &Sweep, style: Style) -> String {
    let mut out = match &sweep.keys[..] {
        [_] => list(report, sweep, style),
        _ => grids(report, sweep, style),
    };
    if report.rows.iter().any(Row::is_disturbed) {
        let mark = "!: most samples were disturbed, so the value may be too high; no sentence is told from it";
        out += &hanging(mark, "", 2, style.width);
    }
    let stepped = report.rows.iter().filter_map(Row::stepped).min();
    if let ([_], [_], Some(stepped)) = (&sweep.keys[..], &sweep.names[..], stepped) {
        out += &hanging(&super::stepped(stepped), "", 2, style.width);
    }
    if let Some(said) = what_ifs(report, sweep) {
        out += &hanging(&said, "", 2, style.width);
    }
    let told = sweep.knees.iter().map(|knee| &knee.text);
    let told = told.chain(sweep.break_evens.iter().map(|one| &one.text));
    let told: Vec<String> = told.map(|text| hanging(text, "", 2, style.width)).collect();
    if !told.is_empty() {
        out += &format!("\n{}", told.concat());
    }
    out
}

/// Which points no compiler makes code for, where there are any: their curve is one of assumptions.
fn what_ifs(report: &Report, sweep: &Sweep) -> Option<String> {
    let is_one = |row: usize| {
        let note = report.rows[row].note.as_deref();
        note.is_some_and(|note| note.starts_with("what-if"))
    };
    let keys = sweep.keys.join(",");
    let of = |(number, name): (usize, &String)| {
        let points = sweep.points.iter();
        let points = points.filter(|point| is_one(point.rows[number]));
        let values: Vec<String> = points.map(|point| point.values.join(",")).collect();
        let whose = match sweep.names.len() {
            1 => keys.clone(),
            _ => format!("{name} at {keys}"),
        };
        (!values.is_empty()).then(|| format!("{whose} {}", values.join(", ")))
    };
    let told: Vec<String> = sweep.names.iter().enumerate().filter_map(of).collect();
    let said = told.join("; ");
    (!told.is_empty())
        .then(|| format!("what-if, which no compiler emits: {said}; `run` of one says why"))
}

/// Whether its table has the column.
pub(super) fn tells(sweep: &Sweep, head: &str) -> bool {
    let is_list_of_one = sweep.keys.len() == 1 && sweep.names.len() == 1;
    let in_a_list: &[&str] = match is_list_of_one {
        true => &["cold", PLACEMENTS, "instr", "branch"],
        false => &[],
    };
    head == "cycles" || in_a_list.contains(&head)
}

fn cycles(row: &Row) -> Option<f64> {
    row.value(Quantity::Cycles)
}

/// A line of a table, and what hangs behind its cells.
struct Line {
    cells: Vec<String>,
    behind: String,
}

/// A table whose cells are right-aligned.
fn aligned(heads: &[String], lines: &[Line], style: Style) -> String {
    let width = |at: usize| {
        let cells = lines.iter().filter_map(|line| line.cells.get(at));
        let cells = cells.map(|cell| columns(cell));
        cells.max().unwrap_or(0).max(columns(&heads[at]))
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let text = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let blanks = " ".repeat(width.saturating_sub(columns(cell)));
            format!("{blanks}{cell}")
        });
        padded.collect::<Vec<_>>().join("  ")
    };
    let mut out = style.paint(Paint::Head, text(heads).trim_end()) + "\n";
    for line in lines {
        let before = text(&line.cells);
        let indent = " ".repeat(columns(&before) + 2);
        let room = style.width.saturating_sub(indent.len()).max(20);
        let mut behind = wrapped(&line.behind, room).into_iter();
        let first = behind.next().unwrap_or_default();
        out += &(format!("{before}  {first}").trim_end().to_string() + "\n");
        for part in behind {
            out += &format!("{indent}{part}\n");
        }
    }
    out
}

/// A line a point: of one scenario its numbers and a bar, of several their cycles and who wins.
fn list(report: &Report, sweep: &Sweep, style: Style) -> String {
    let key = sweep.keys[0].clone();
    if sweep.names.len() == 1 {
        let mut heads = [&key, "cycles", PLACEMENTS, "instr", "branch"]
            .map(str::to_string)
            .to_vec();
        let has_cold = report.rows.iter().any(|row| row.cold.is_some());
        if has_cold {
            heads.insert(2, "cold".to_string());
        }
        let most = report.rows.iter().filter_map(cycles).fold(0.0, f64::max);
        let line = |point: &SweepPoint| {
            let row = &report.rows[point.rows[0]];
            let value = point.values[0].clone();
            let Some(cycles) = cycles(row) else {
                return Line {
                    cells: vec![value],
                    behind: reason(&row.status),
                };
            };
            let mut cells = vec![value];
            cells.extend(numbers(row, style));
            if has_cold {
                cells.insert(2, cold(row, style));
            }
            let used: usize = cells.iter().map(|cell| columns(cell) + 2).sum();
            let room = style.width.saturating_sub(used + KEY_ROOM).clamp(5, 40);
            Line {
                cells,
                behind: bar(cycles / most, room, style),
            }
        };
        let rows: Vec<Line> = sweep.points.iter().map(line).collect();
        let basis = measured(report);
        return format!(
            "{}\n{}",
            hanging(
                &format!(
                    "{}, {} points; cycles: {basis}",
                    sweep.names[0],
                    sweep.points.len()
                ),
                "",
                2,
                style.width
            ),
            aligned(&heads, &rows, style)
        );
    }
    let mut heads = vec![key];
    heads.extend(sweep.names.iter().cloned());
    for _ in 1..sweep.names.len() {
        heads.extend(["ratio".to_string(), "verdict".to_string()]);
    }
    let line = |point: &SweepPoint| {
        let mut cells = vec![point.values[0].clone()];
        cells.extend(point.rows.iter().map(|&at| value(&report.rows[at])));
        let comparisons = &report.comparisons[point.comparisons.clone()];
        for other in &point.rows[1..] {
            let name = &report.rows[*other].scenario;
            let is_it = |one: &&Comparison| one.metric == "cycles" && &one.other == name;
            match comparisons.iter().find(is_it) {
                Some(one) => {
                    let line = comparison::line(one, style);
                    cells.extend([line.ratio, line.verdict.to_string()]);
                }
                None => cells.extend([style.absent().to_string(), String::new()]),
            }
        }
        let reasons = point.rows.iter().map(|&at| reason(&report.rows[at].status));
        let reasons: Vec<String> = reasons.filter(|reason| !reason.is_empty()).collect();
        Line {
            cells,
            behind: reasons.join("; "),
        }
    };
    let rows: Vec<Line> = sweep.points.iter().map(line).collect();
    let about = format!(
        "{} in turns, {} points; cycles: {}; ratios to {}",
        sweep.names.join(", "),
        sweep.points.len(),
        measured(report),
        sweep.names[0]
    );
    format!(
        "{}\n{}",
        hanging(&about, "", 2, style.width),
        aligned(&heads, &rows, style)
    )
}

/// How the cycles were obtained, as the provenance says.
fn measured(report: &Report) -> &'static str {
    let sources = &report.provenance.sources;
    let line = sources.iter().find(|line| line.event == "cycles");
    line.map_or("", |line| line.basis.name())
}

fn value(row: &Row) -> String {
    match cycles(row) {
        Some(value) if row.is_disturbed() => format!("{value:.2}!"),
        Some(value) => format!("{value:.2}"),
        None => row.status.name().to_string(),
    }
}

/// Cycles of a cold call.
fn cold(row: &Row, style: Style) -> String {
    match row.cold.as_ref().map(|call| call.cycles.value) {
        None => String::new(),
        Some(None) => style.absent().to_string(),
        Some(Some(value)) => format!("{value:.0}"),
    }
}

/// Cycles, their range, instructions and branches.
fn numbers(row: &Row, style: Style) -> Vec<String> {
    let Some(metrics) = &row.metrics else {
        return Vec::new();
    };
    let count = |metric: &Metric| {
        let mark = if metric.stepped.is_some() { "*" } else { "" };
        match metric.value {
            Some(value) if value.fract() == 0.0 => format!("{value:.0}{mark}"),
            Some(value) => format!("{value:.2}{mark}"),
            None => style.absent().to_string(),
        }
    };
    vec![
        value(row),
        table::placements(row, style).unwrap_or_default(),
        count(&metrics[Quantity::Instructions]),
        count(&metrics[Quantity::Branches]),
    ]
}

fn bar(share: f64, width: usize, style: Style) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share * (width * 8) as f64).round() as usize;
    if !style.unicode {
        return "#".repeat(eighths.div_ceil(8));
    }
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

/// For each scenario a grid of cycles: the first parameter down, the second across.
fn grids(report: &Report, sweep: &Sweep, style: Style) -> String {
    let distinct = |axis: usize| {
        let mut values: Vec<&String> = Vec::new();
        for point in &sweep.points {
            if !values.contains(&&point.values[axis]) {
                values.push(&point.values[axis]);
            }
        }
        values
    };
    let (down, across) = (distinct(0), distinct(1));
    let mut out = String::new();
    for (scenario, name) in sweep.names.iter().enumerate() {
        if scenario > 0 {
            out.push('\n');
        }
        let about = format!(
            "{name}: cycles ({}), {} down, {} across",
            measured(report),
            sweep.keys[0],
            sweep.keys[1]
        );
        out += &hanging(&about, "", 2, style.width);
        let cell = |one: &String, other: &String| {
            let is_it = |point: &&SweepPoint| (&point.values[0], &point.values[1]) == (one, other);
            let point = sweep.points.iter().find(is_it);
            point.map_or_else(String::new, |point| {
                value(&report.rows[point.rows[scenario]])
            })
        };
        // As many columns beside each other as fit.
        let widest = across
            .iter()
            .map(|value| columns(value))
            .max()
            .unwrap_or(0)
            .max(7)
            + 2;
        let beside = (style.width.saturating_sub(10) / widest).max(1);
        for part in across.chunks(beside) {
            let mut heads = vec![String::new()];
            heads.extend(part.iter().map(|value| (*value).clone()));
            let line = |one: &&String| {
                let mut cells = vec![(*one).clone()];
                cells.extend(part.iter().map(|other| cell(one, other)));
                Line {
                    cells,
                    behind: String::new(),
                }
            };
            let rows: Vec<Line> = down.iter().map(line).collect();
            out += &aligned(&heads, &rows, style);
        }
    }
    out
}
