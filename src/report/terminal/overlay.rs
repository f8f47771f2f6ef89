//! Which files of an overlay took part, and what they changed, row by row.
//!
//! Correct means: a difference that is not told apart from none has a `~`, a row that was not measured is
//! counted as such, and one without a ratio says why.

use super::{Detail, comparison};
use crate::report::Report;
use crate::report::overlay::{Effect, Overlay, RowEffect};
use crate::stats::paired::Verdict;
use crate::text::{Paint, Style, columns, hanging};

/// The files that took part, in one paragraph; empty where there is no overlay.
pub(super) fn files(report: &Report, style: Style) -> String {
    let Some(overlay) = &report.overlay else {
        return String::new();
    };
    let file = |one: &crate::report::overlay::OverlayFile| {
        let s = if one.rows == 1 { "" } else { "s" };
        format!("{} in {} row{s}", one.file, one.rows)
    };
    let files: Vec<String> = overlay.files.iter().map(file).collect();
    let files = match files.is_empty() {
        true => "no row is made of a file of it".to_string(),
        false => files.join(", "),
    };
    hanging(
        &format!("overlay {}: {files}", overlay.folder),
        "",
        2,
        style.width,
    )
}

/// The table of what changed, and what it comes to.
pub(super) fn effect(
    report: &Report,
    (overlay, effect): (&Overlay, &Effect),
    style: Style,
    detail: Detail,
) -> String {
    let mut out = table(report, effect, style);
    for one in &effect.changed {
        if let (None, Some(why)) = (one.ratio, &one.why) {
            out += &hanging(&format!("{}: {why}.", one.scenario), " ", 2, style.width);
        }
    }
    if report.comparisons.iter().any(|one| one.pairs.is_some()) {
        let about = "cycles: measured in turns without the overlay and with it; ratios are medians of neighbouring turns.";
        out += &hanging(about, " ", 2, style.width);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    for line in summary(overlay, effect, style, detail) {
        out += &hanging(&line, "", 2, style.width);
    }
    out
}

fn table(report: &Report, effect: &Effect, style: Style) -> String {
    let heads = ["scenario", "cycles", "ratio", "interval", "instr", ""];
    let lines: Vec<[String; 6]> = effect
        .changed
        .iter()
        .map(|one| cells(report, one, style))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let width = |at: usize| {
        let all = lines.iter().map(|line| columns(&line[at]));
        all.max().unwrap_or(0).max(columns(heads[at]))
    };
    let text = |cells: [&str; 6]| {
        let mut text = String::new();
        for (at, cell) in cells.into_iter().enumerate() {
            let blanks = " ".repeat(width(at).saturating_sub(columns(cell)));
            match at {
                0 => text += &format!("{cell}{blanks}"),
                5 => text += &format!("  {cell}"),
                _ => text += &format!("  {blanks}{cell}"),
            }
        }
        text.trim_end().to_string() + "\n"
    };
    let mut out = style.paint_lines(Paint::Head, &text(heads));
    for line in &lines {
        out += &text(line.each_ref().map(String::as_str));
    }
    out
}

fn cells(report: &Report, one: &RowEffect, style: Style) -> [String; 6] {
    let mut found = report.comparisons.iter();
    let found = found.find(|found| found.other == one.other && found.metric == "cycles");
    let arrow = if style.unicode { "→" } else { "->" };
    let counts = one
        .instructions
        .map(|(without, with)| match without == with {
            true => format!("{without:.0}"),
            false => format!("{without:.0} {arrow} {with:.0}"),
        });
    let absent = || style.absent().to_string();
    let counts = counts.unwrap_or_else(absent);
    let scenario = one.scenario.clone();
    match (found, one.ratio) {
        (Some(found), Some(_)) => {
            let line = comparison::line(found, style);
            let verdict = line.verdict.to_string();
            [
                scenario,
                line.values,
                line.ratio,
                line.interval,
                counts,
                verdict,
            ]
        }
        _ => [
            scenario,
            absent(),
            absent(),
            absent(),
            counts,
            "no ratio".into(),
        ],
    }
}

fn summary(overlay: &Overlay, effect: &Effect, style: Style, detail: Detail) -> Vec<String> {
    let times = if style.unicode { "×" } else { "x" };
    let (changed, same) = (effect.changed.len(), effect.same.len());
    let mut lines = vec![match changed {
        0 => format!(
            "Nothing changed: all {same} rows have the same bytes with {} and without, and none was measured.",
            overlay.folder
        ),
        _ => format!(
            "{changed} of {} rows changed; the rest, {same}, is the same to the byte and was not measured.",
            changed + same
        ),
    }];
    if detail == Detail::Full && same > 0 && changed > 0 {
        lines.push(format!("The same: {}.", effect.same.join(", ")));
    }
    if let (Some(mean), Some(of_all)) = (effect.mean, effect.mean_of_all) {
        lines.push(format!(
            "Geometric mean of the {} ratios: {mean:.4}{times}; with those that are the same as 1: {of_all:.4}{times}.",
            effect.ratios
        ));
    }
    let mut is_told_apart = false;
    for (word, verdict) in [("Slower", Verdict::Slower), ("Faster", Verdict::Faster)] {
        let rows = effect
            .changed
            .iter()
            .filter(|one| one.verdict == Some(verdict));
        let rows: Vec<String> = rows
            .filter_map(|one| Some(format!("{} {:.4}{times}", one.scenario, one.ratio?)))
            .collect();
        if !rows.is_empty() {
            is_told_apart = true;
            lines.push(format!("{word}: {}.", rows.join(", ")));
        }
    }
    if effect.ratios > 0 && !is_told_apart {
        lines.push("No row is told to have become slower or faster.".to_string());
    }
    lines
}
