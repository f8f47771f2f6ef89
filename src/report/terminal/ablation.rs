//! What each part of a template costs, as a table.
//!
//! Correct means: a cost that is not told apart from none is not shown as one, and every row that
//! has no number has its reason in the table of rows above.

use crate::report::Report;
use crate::report::ablation::{Ablation, PartCost};
use crate::stats::paired::Verdict;
use crate::text::{Paint, Style, columns, hanging};

/// The whole table, with a line break at the end.
pub(super) fn render(report: &Report, ablation: &Ablation, style: Style) -> String {
    let heads = ["part", "cycles", "interval", "instr", "branch", "bytes", ""];
    let lines: Vec<[String; 7]> = ablation
        .parts
        .iter()
        .map(|part| cells(part, style))
        .collect();
    let width = |at: usize| {
        let cells = lines.iter().map(|line| columns(&line[at]));
        cells.max().unwrap_or(0).max(columns(heads[at]))
    };
    let text = |cells: [&str; 7]| {
        let mut text = String::new();
        for (at, cell) in cells.into_iter().enumerate() {
            let blanks = " ".repeat(width(at).saturating_sub(columns(cell)));
            match at {
                0 => text += &format!("  {cell}{blanks}"),
                6 => text += &format!("  {cell}"),
                _ => text += &format!("  {blanks}{cell}"),
            }
        }
        text.trim_end().to_string() + "\n"
    };
    let about = format!("What leaving each part of {} out saves:", ablation.scenario);
    let mut out = hanging(&about, "", 2, style.width);
    out += &style.paint_lines(Paint::Head, &text(heads));
    for line in &lines {
        out += &text(line.each_ref().map(String::as_str));
    }
    let pairs = report.comparisons.iter().find_map(|one| one.pairs);
    let mut remark = "cycles: measured".to_string();
    if let Some(pairs) = pairs {
        remark += &format!(", from {pairs} pairs of neighbouring turns with and without the part");
    }
    remark += "; instr, branch and bytes: exact. Parts overlap in a pipeline, so the costs need not \
               add up.";
    let has = |verdict| {
        ablation
            .parts
            .iter()
            .any(|part| part.verdict == Some(verdict))
    };
    if has(Verdict::Undecided) {
        remark += " Undecided: it differs here, but less than the place of the code changes.";
    }
    if ablation.parts.iter().any(is_unchecked) {
        remark += " Unchecked: without the part the results are others.";
    }
    out += &hanging(&remark, "", 2, style.width);
    let stepped = ablation.parts.iter().filter_map(|part| part.stepped).min();
    if let Some(stepped) = stepped {
        out += &hanging(&super::stepped(stepped), "", 2, style.width);
    }
    out
}

fn is_unchecked(part: &PartCost) -> bool {
    !part.verified && part.verdict.is_some()
}

fn cells(part: &PartCost, style: Style) -> [String; 7] {
    let dash = style.absent();
    let mark = if part.stepped.is_some() { "*" } else { "" };
    let count = |value: Option<f64>| match value {
        Some(value) if value.fract() == 0.0 => format!("{value:.0}{mark}"),
        Some(value) => format!("{value:.2}{mark}"),
        None => dash.to_string(),
    };
    let interval = match (part.low, part.high) {
        (Some(low), Some(high)) => format!("{low:.2} to {high:.2}"),
        _ => dash.to_string(),
    };
    let verdict = match part.verdict {
        None => "no number",
        Some(Verdict::Faster) => "costs",
        Some(Verdict::Slower) => "slower without",
        Some(Verdict::Same) => "~",
        Some(Verdict::Undecided) => "undecided",
    };
    let unchecked = if is_unchecked(part) {
        ", unchecked"
    } else {
        ""
    };
    [
        part.part.clone(),
        part.cycles
            .map_or_else(|| dash.to_string(), |cycles| format!("{cycles:.2}")),
        interval,
        count(part.instructions),
        count(part.branches),
        part.bytes
            .map_or_else(|| dash.to_string(), |bytes| bytes.to_string()),
        format!("{verdict}{unchecked}"),
    ]
}
