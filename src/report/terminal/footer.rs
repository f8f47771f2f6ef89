//! What stands under a brief report: where each column comes from, what its cells are of, and the
//! machine.
//!
//! Correct means: every column with numbers is named with its basis and source, and at 80 columns it
//! is four lines at the most: of the rest, what does not fit is told in full only.

use super::table::{BY_PLACE, Column, PLACEMENTS};
use super::{book, inferred_within, sweep};
use crate::report::{Basis, Report};
use crate::text::wrap::{columns, lines};
use crate::text::{Paint, Style};

/// Lines at 80 columns; a narrower terminal gets as many more as the same text takes there.
const LINES: usize = 4;
const USUAL_WIDTH: usize = 80;

/// The lines, with a line break at the end.
pub(super) fn render(report: &Report, all: &[Column], style: Style) -> String {
    let is_shown = |column: &&Column| match &report.sweep {
        Some(scanned) => sweep::tells(scanned, column.head),
        None => true,
    };
    let all: Vec<&Column> = all.iter().filter(is_shown).collect();
    let machine = packed(&machine(report), style);
    let most = (LINES * USUAL_WIDTH)
        .div_ceil(style.width.max(1))
        .max(LINES);
    let room = most.saturating_sub(machine.len());
    let mut told = Vec::new();
    if report.rows.iter().any(|row| row.metrics.is_some()) {
        told.extend(sources(&all, &inferred_within(report), style));
        for term in terms(report, &all, style) {
            told.push(term);
            if packed(&told, style).len() > room {
                told.pop();
            }
        }
    }
    let lines = packed(&told, style).into_iter().chain(machine);
    lines
        .map(|line| style.paint(Paint::Faint, &line) + "\n")
        .collect()
}

/// The items in lines, broken between them where that is possible.
fn packed(items: &[String], style: Style) -> Vec<String> {
    let separator = if style.unicode { " · " } else { "; " };
    let mut packed: Vec<String> = Vec::new();
    for item in items {
        match packed.last_mut() {
            Some(line) if columns(line) + columns(separator) + columns(item) <= style.width => {
                *line += separator;
                *line += item;
            }
            _ => packed.extend(lines(item, style.width)),
        }
    }
    packed
}

/// Basis and source of the columns, those with the same together.
fn sources(all: &[&Column], within: &str, style: Style) -> Vec<String> {
    let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
    for column in all.iter().filter(|column| column.head != BY_PLACE) {
        let Some(basis) = column.basis else { continue };
        let by = where_from(basis, column.source.as_deref(), within, style);
        match groups.iter_mut().find(|(_, known)| *known == by) {
            Some((heads, _)) => heads.push(column.head),
            None => groups.push((vec![column.head], by)),
        }
    }
    let line = |(heads, by): (Vec<&str>, String)| format!("{} {by}", heads.join(", "));
    groups.into_iter().map(line).collect()
}

fn where_from(basis: Basis, source: Option<&str>, within: &str, style: Style) -> String {
    let sign = if style.unicode { "±" } else { "+-" };
    match (basis, source) {
        (Basis::Unsupported, _) | (_, None) => basis.name().to_string(),
        (_, Some("injection")) => format!("{} {sign}{within}", basis.name()),
        (_, Some(source)) => format!("{} ({source})", basis.name()),
    }
}

/// What the cells are of, what a reader cannot guess first.
fn terms(report: &Report, all: &[&Column], style: Style) -> Vec<String> {
    let has = |head: &str| all.iter().any(|column| column.head == head);
    let dash = if style.unicode { "–" } else { "-" };
    let mut terms = Vec::new();
    if let Some(reference) = report.reference.as_ref().filter(|_| has("ratio")) {
        terms.push(format!("ratio to {reference}"));
    }
    if book::is_one(report) {
        terms.push("published: on others' machines; here: the same, of the whole loop".into());
    }
    let empty = report.rows.iter().filter_map(|row| row.baseline.as_ref());
    let empty: Vec<f64> = empty.filter_map(|one| one.cycles.value).collect();
    let least = empty.iter().copied().reduce(f64::min);
    let most = empty.iter().copied().reduce(f64::max);
    if let (Some(least), Some(most)) = (least, most) {
        let [least, most] = [least, most].map(|value| format!("{value:.2}"));
        terms.push(match least == most {
            true => format!("loop included (empty {least})"),
            false => format!("loop included (empty {least}{dash}{most})"),
        });
    }
    let placements = report.rows.iter().filter_map(|row| row.layout);
    let most = placements.map(|layout| layout.placements).max();
    let scan = report.sweep.as_ref();
    let of_places = match scan.map(|scan| sweep::tells(scan, PLACEMENTS)) {
        Some(true) => most.map(|most| format!("placements: least, median, most of {most}")),
        Some(false) => None,
        None => most
            .filter(|_| has(BY_PLACE))
            .map(|most| format!("by place: {most} places, where apart")),
    };
    terms.extend(of_places);
    terms
}

/// The machine in the words that tell one from another at a glance, and where the rest is.
fn machine(report: &Report) -> Vec<String> {
    let provenance = &report.provenance;
    let mut machine = provenance.cpu.clone();
    if let Some(hypervisor) = &provenance.hypervisor {
        machine += &format!(" under {hypervisor}");
    }
    let pinned = match provenance.pinned_cpu {
        Some(cpu) => Some(format!("CPU {cpu}")),
        None => report.has_numbers().then(|| "not pinned".to_string()),
    };
    let clock = provenance.core_hz.map(|hz| format!("{:.2} GHz", hz / 1e9));
    let kernel = format!("Linux {}", provenance.kernel);
    let seed = format!("seed {}", provenance.seed);
    let parts = [Some(machine), Some(kernel), pinned, clock, Some(seed)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    vec![parts.join(", "), "more: -v".to_string()]
}
