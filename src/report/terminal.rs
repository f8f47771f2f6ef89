//! The report as text for a terminal: a table, what must be said of its rows, and where every column
//! comes from; in brief, or in full.
//!
//! Correct means: no number stands in a column whose basis is not its own without a mark that says
//! so, what is not to be had is never 0, and the lines fit the width that was asked for. Nothing is
//! computed here: numbers are cut to the digits that mean something, and that is all.

mod ablation;
mod book;
mod comparison;
mod failure;
pub mod fleet;
mod footer;
mod footnotes;
mod further;
pub mod markdown;
mod notes;
mod overlay;
pub mod plot;
mod sweep;
mod table;

use super::overlay::{Effect, Overlay};
use super::{Basis, LoopHeads, Report, Row, SourceLine, Status, printable};
use crate::stats::{Event, Quantity};
use crate::text::{Paint, Style, hanging};
use notes::Notes;

/// How much of a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// The numbers, what a reader must know of them, and where they come from in a few lines.
    Brief,
    /// All that is known.
    Full,
}

/// What a reader needs, with a line break at the end: what to do stands under its row, and the machine
/// and the sources take a few lines.
pub fn render(report: &Report, style: Style) -> String {
    rendered(report, style, Detail::Brief)
}

/// Why a row has no numbers, or what it ended in, a sentence each; nothing of one that is as it should be.
pub fn reasons(status: &Status, style: Style) -> Vec<String> {
    failure::reasons(status, style)
}

/// All that is known, with a line break at the end: each source with its reason, the legend in
/// sentences, the templates.
pub fn in_full(report: &Report, style: Style) -> String {
    rendered(report, style, Detail::Full)
}

fn rendered(report: &Report, style: Style, detail: Detail) -> String {
    let report = &printable::of(report);
    let mut columns = table::all_columns(report, style, detail);
    let mut notes = Notes::mark(&mut columns, style, detail);
    let mut parts = match (&report.sweep, changed(report)) {
        (None, Some(changed)) => vec![
            overlay::effect(report, changed, style, detail),
            modelled(report, style),
        ],
        (Some(scanned), _) => vec![
            sweep::render(report, scanned, style),
            modelled(report, style),
            further::of_all(report, style),
        ],
        (None, None) => {
            let table = if book::is_one(report) {
                book::render(report, &mut columns, style, &mut notes)
            } else {
                if detail == Detail::Full {
                    table::make_room(&mut columns);
                }
                table::render(report, &columns, style, &mut notes)
            };
            vec![table, notes.below(), findings(report, style, detail)]
        }
    };
    parts.extend(match detail {
        Detail::Brief => vec![
            overlay::files(report, style),
            footer::render(report, &columns, style),
        ],
        Detail::Full => vec![
            legend(report, style, |head| match &report.sweep {
                Some(scanned) => sweep::tells(scanned, head),
                None => true,
            }),
            overlay::files(report, style),
            provenance(report, style),
        ],
    });
    joined(&parts)
}

/// What an overlay changed, where that was asked.
fn changed(report: &Report) -> Option<(&Overlay, &Effect)> {
    let overlay = report.overlay.as_ref()?;
    Some((overlay, overlay.effect.as_ref()?))
}

/// The parts that are not empty, with an empty line between them.
fn joined(parts: &[String]) -> String {
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// What the times of rows rest on that is not Go's, where no cell has a mark for it.
fn modelled(report: &Report, style: Style) -> String {
    let mut remarks: Vec<String> = report
        .rows
        .iter()
        .filter_map(Row::modelled_remark)
        .collect();
    remarks.sort();
    remarks.dedup();
    remarks
        .iter()
        .map(|remark| hanging(remark, "", 2, style.width))
        .collect()
}

/// What came of comparing, scanning or leaving out; empty where only rows were measured.
fn findings(report: &Report, style: Style, detail: Detail) -> String {
    if let Some(changed) = changed(report) {
        return overlay::effect(report, changed, style, detail);
    }
    match (&report.ablation, &report.sweep) {
        (Some(costs), _) => ablation::render(report, costs, style),
        (_, Some(scanned)) => sweep::render(report, scanned, style),
        _ => comparison::render(report, style, detail),
    }
}

/// All warnings: those of the rows in their order, rows with the same one together, then those about the
/// run.
pub fn warnings(report: &Report, style: Style) -> String {
    let report = &printable::of(report);
    let mut of_rows: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in &report.rows {
        for warning in &row.warnings {
            match of_rows.iter_mut().find(|(known, _)| known == warning) {
                Some((_, names)) => names.push(&row.scenario),
                None => of_rows.push((warning, vec![&row.scenario])),
            }
        }
    }
    let of_rows = of_rows
        .into_iter()
        .map(|(warning, names)| format!("{}: {warning}", names.join(", ")));
    let warnings: Vec<String> = of_rows.chain(report.warnings.iter().cloned()).collect();
    laid_out(&warnings, style)
}

/// The warnings that the text does not have: those about the run, and where there is no table with rows
/// to stand under those of the rows too.
pub fn warnings_beside(report: &Report, style: Style) -> String {
    match report.sweep {
        Some(_) => warnings(report, style),
        None => laid_out(&printable::of(report).warnings, style),
    }
}

fn laid_out(warnings: &[String], style: Style) -> String {
    let word = style.paint(Paint::Warning, "warning:");
    let line = |warning: &String| hanging(warning, &word, 2, style.width);
    warnings.iter().map(line).collect()
}

/// Why a row has no numbers, or what it ended in, in one line; empty where all is well.
pub(crate) fn reason(status: &Status) -> String {
    let plain = Style {
        width: usize::MAX,
        color: false,
        unicode: true,
    };
    failure::reasons(status, plain).join("; ")
}

/// What the inferred numbers of misses of these rows are good to, per iteration: all of them to this.
fn inferred_within(report: &Report) -> String {
    const USUAL: f64 = 0.05;
    let metrics = report.rows.iter().filter_map(|row| row.metrics.as_ref());
    let misses = metrics.map(|metrics| &metrics[Quantity::BranchMisses]);
    let inferred = misses.filter(|misses| misses.basis == Basis::Inferred);
    let off = inferred.filter_map(|misses| {
        let (value, low, high) = (misses.value?, misses.low?, misses.high?);
        Some((high - value).max(value - low))
    });
    format!("{:.2}", off.fold(USUAL, f64::max))
}

/// What a mark behind counts means.
fn stepped(iterations: u64) -> String {
    format!(
        "*: counted over the first iterations, {iterations} at the least; later ones may differ"
    )
}

/// What the heads of the columns mean, of those that are told.
fn legend(report: &Report, style: Style, is_told: impl Fn(&str) -> bool) -> String {
    if report.rows.iter().all(|row| row.metrics.is_none()) {
        return String::new();
    }
    let mut terms = Vec::new();
    for (heads, of) in [
        (&["cycles", "ns", "misses"][..], "the whole iteration"),
        (&["instr", "branch"], "the template's own code"),
    ] {
        let told: Vec<&str> = heads.iter().copied().filter(|head| is_told(head)).collect();
        if !told.is_empty() {
            terms.push(format!("{}: of {of}", told.join(", ")));
        }
    }
    if report.rows.iter().any(further::has_any) {
        terms.push("under a row: further events, of the whole iteration".to_string());
    }
    let mut placements: Vec<u32> = report
        .rows
        .iter()
        .filter_map(|row| row.layout)
        .map(|layout| layout.placements)
        .collect();
    placements.sort_unstable();
    placements.dedup();
    match placements[..] {
        [] => {}
        _ if book::is_one(report) || !is_told(table::PLACEMENTS) => {}
        [1] => terms.push(
            "placements: cycles at the one placement of loop and callees that has a value"
                .to_string(),
        ),
        [count] => terms.push(format!(
            "placements: least, median and most cycles over {count} placements of loop and callees"
        )),
        _ => terms.push(
            "placements: least, median and most cycles over the placements of loop and callees"
                .to_string(),
        ),
    }
    if is_told("cold") && report.rows.iter().any(|row| row.cold.is_some()) {
        terms.push(
            "cold: cycles that one call by itself adds to an entry behind a scrub; all other columns \
             are hot"
                .to_string(),
        );
    }
    if book::is_one(report) {
        terms.push(
            "published: the figure of somebody else's machine; here: the same of this run, of the \
             whole iteration, the loop's own instructions and branches included"
                .to_string(),
        );
    } else if is_told("empty") && report.rows.iter().any(|row| row.baseline.is_some()) {
        terms.push(
            "empty: cycles of the same loop and walk, the body left out; nothing is subtracted"
                .to_string(),
        );
    }
    if let Some(reference) = report
        .reference
        .as_ref()
        .filter(|_| is_told("ratio") && report.rows.iter().any(|row| row.ratio.is_some()))
    {
        terms.push(format!("ratio: cycles relative to {reference}"));
    }
    hanging(&(terms.join("; ") + "."), "", 0, style.width)
}

/// The machine, the run and the source of each column.
fn provenance(report: &Report, style: Style) -> String {
    let provenance = &report.provenance;
    let mut machine = vec![format!(
        "{} (family {}, model {})",
        provenance.cpu, provenance.family, provenance.model
    )];
    machine.extend(
        provenance
            .microcode
            .as_ref()
            .map(|revision| format!("microcode {revision}")),
    );
    machine.extend(
        provenance
            .hypervisor
            .as_ref()
            .map(|name| format!("under {name}")),
    );
    machine.push(format!("kernel {}", provenance.kernel));
    match provenance.pinned_cpu {
        Some(cpu) => machine.push(format!("pinned to CPU {cpu}")),
        None if report.has_numbers() => machine.push("not pinned".to_string()),
        None => {}
    }
    let mut run = Vec::new();
    run.extend(
        provenance
            .core_hz
            .map(|hz| match provenance.core_hz_spread {
                Some(spread) => {
                    format!("core {:.3} GHz (spread {:.2} %)", hz / 1e9, spread * 100.0)
                }
                None => format!("core {:.3} GHz", hz / 1e9),
            }),
    );
    run.extend(
        provenance
            .tsc_hz
            .map(|hz| format!("TSC {:.3} GHz", hz / 1e9)),
    );
    run.push(format!("seed {}", provenance.seed));
    run.push(provenance.date.clone());
    run.push(provenance.tool.clone());
    let sources = sources(&provenance.sources, &inferred_within(report), style);
    let predictor = provenance.predictor.iter();
    let predictor = predictor.map(|line| format!("predictors, as `doctor` inferred: {line}"));
    let breakpoint = provenance.breakpoint.iter().map(held);
    let lines = [machine.join(", "), run.join(", ")]
        .into_iter()
        .chain(sources)
        .chain(breakpoint)
        .chain(predictor)
        .chain(templates(report));
    lines
        .map(|line| style.paint_lines(Paint::Faint, &hanging(&line, "", 2, style.width)))
        .collect()
}

/// What an execution breakpoint said of the first row's loop.
fn held(heads: &LoopHeads) -> String {
    match (heads.counted, &heads.why) {
        (Some(counted), _) => format!(
            "breakpoint: the CPU counted {counted} of {} iterations of the first row",
            heads.iterations
        ),
        (None, Some(why)) => format!("breakpoint: counts no iterations here: {why}"),
        (None, None) => "breakpoint: counts no iterations here".into(),
    }
}

/// The templates that are not the shipped ones, folder by folder; those are named by the tool's
/// version. Twelve digits tell one text from another; the JSON has them all.
fn templates(report: &Report) -> Vec<String> {
    const DIGITS: usize = 12;
    let mut folders: Vec<(&str, Vec<String>)> = Vec::new();
    for row in report
        .rows
        .iter()
        .filter(|row| row.template_path != "embedded")
    {
        let (folder, file) = row
            .template_path
            .rsplit_once('/')
            .unwrap_or((".", &row.template_path));
        let digits: String = row.template_sha256.chars().take(DIGITS).collect();
        let named = format!("{file} {digits}");
        let at = folders
            .iter()
            .position(|(known, _)| *known == folder)
            .unwrap_or_else(|| {
                folders.push((folder, Vec::new()));
                folders.len() - 1
            });
        if !folders[at].1.contains(&named) {
            folders[at].1.push(named);
        }
    }
    let line = |(folder, files): (&str, Vec<String>)| {
        format!("templates in {folder} (SHA-256): {}", files.join(", "))
    };
    folders.into_iter().map(line).collect()
}

/// One line for all the columns that come from one source for one reason.
fn sources(sources: &[SourceLine], within: &str, style: Style) -> Vec<String> {
    let mut lines: Vec<(Vec<String>, String)> = Vec::new();
    for source in sources {
        let said = where_from(source, within, style);
        // What `-e` was given is printed as it can be given again.
        let is_column = Event::ALL.iter().any(|event| event.name() == source.event);
        let event = match is_column {
            true => source.event.replace('_', " "),
            false => source.event.clone(),
        };
        match lines.iter_mut().find(|(_, other)| *other == said) {
            Some((events, _)) => events.push(event),
            None => lines.push((vec![event], said)),
        }
    }
    lines
        .into_iter()
        .map(|(events, said)| format!("{}: {said}", events.join(", ")))
        .collect()
}

fn where_from(source: &SourceLine, within: &str, style: Style) -> String {
    if source.basis == Basis::Unsupported {
        return format!("{}: {}", source.basis.name(), source.why);
    }
    let times = if style.unicode { "×" } else { "x" };
    let how = match (source.event.as_str(), source.source.as_str()) {
        ("cycles", "clock") => format!("TSC {times} add-chain calibration; "),
        (_, "injection") => {
            let sign = if style.unicode { "±" } else { "+-" };
            format!("what latency in front of the dispatch branch costs, {sign}{within}; ")
        }
        (_, "step") => {
            "counted by single-stepping, or interpreted where a row says so; ".to_string()
        }
        _ => String::new(),
    };
    format!(
        "{} [{}]: {how}{}",
        source.basis.name(),
        source.source,
        source.why
    )
}

#[cfg(test)]
mod tests;
