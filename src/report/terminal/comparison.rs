//! What came of a comparison, as text: a table of ratios for each other row, and what changed in the
//! code.
//!
//! Correct means: every ratio stands beside the numbers that it is of, a difference that is not told
//! apart from none has a `~` and not a direction, and lines that are left out are counted.

use super::Detail;
use super::table::printed;
use crate::report::{Basis, CodeChange, Comparison, Report, Row};
use crate::stats::Quantity;
use crate::stats::paired::Verdict;
use crate::text::{Paint, Style, columns, hanging};

/// Most lines of a code change that are shown.
const MOST_LINES: usize = 60;
/// Lines shown around a line that changed.
const AROUND: usize = 2;

/// All comparisons, with a line break at the end; empty where there are none.
pub(super) fn render(report: &Report, style: Style, detail: Detail) -> String {
    let mut out = String::new();
    let groups = report
        .comparisons
        // A row may be compared with itself twice.
        .chunk_by(|one, next| one.other == next.other && next.metric != FIRST_METRIC);
    for group in groups {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &table(group, report, style, detail);
    }
    for change in &report.changes {
        out.push('\n');
        out += &code(change, style);
    }
    out
}

/// One of a line's cells.
type Cell = fn(&Line) -> &str;

/// The metric that the comparisons of a pair of rows begin with.
const FIRST_METRIC: &str = "cycles";

/// The cells of one metric's line.
pub(super) struct Line {
    pub(super) metric: String,
    pub(super) values: String,
    pub(super) ratio: String,
    pub(super) interval: String,
    pub(super) p: String,
    pub(super) verdict: &'static str,
}

/// The comparison as the cells of a line.
pub(super) fn line(comparison: &Comparison, style: Style) -> Line {
    let times = if style.unicode { "×" } else { "x" };
    let dash = if style.unicode { "–" } else { "-" };
    let arrow = if style.unicode { "→" } else { "->" };
    let is_exact = comparison.basis == Basis::Exact;
    let value = |value: f64| match is_exact && value.fract() == 0.0 {
        true => format!("{value:.0}"),
        false => printed(value, 2),
    };
    let interval = match (comparison.low, comparison.high) {
        _ if is_exact => "exact".to_string(),
        (Some(low), Some(high)) => format!("{low:.4}{dash}{high:.4}"),
        _ if comparison.ratio.is_none() => comparison.basis.name().to_string(),
        _ => "unknown".to_string(),
    };
    let quantity = Quantity::named(&comparison.metric);
    let of_counts = quantity.is_some_and(|quantity| !quantity.is_time());
    Line {
        metric: match (&*comparison.metric, quantity) {
            (_, Some(Quantity::BranchMisses)) => Quantity::BranchMisses.known().short,
            ("cold_cycles", _) => "cold",
            (other, _) => other,
        }
        .to_string(),
        values: match comparison.values {
            Some((base, other)) => format!("{} {arrow} {}", value(base), value(other)),
            None => String::new(),
        },
        ratio: match comparison.ratio {
            Some(ratio) if is_exact => format!("{ratio:.2}{times}"),
            Some(ratio) => format!("{ratio:.4}{times}"),
            None => style.absent().to_string(),
        },
        interval,
        p: match comparison.p {
            Some(p) if p < 0.001 => "<0.001".to_string(),
            Some(p) => format!("{p:.3}"),
            None => String::new(),
        },
        verdict: match comparison.verdict {
            None => "",
            Some(Verdict::Same) if is_exact => "same",
            Some(Verdict::Same) => "~",
            Some(Verdict::Faster) if of_counts => "fewer",
            Some(Verdict::Slower) if of_counts => "more",
            Some(Verdict::Faster) => "faster",
            Some(Verdict::Slower) => "slower",
            Some(Verdict::Undecided) => "undecided",
        },
    }
}

fn table(group: &[Comparison], report: &Report, style: Style, detail: Detail) -> String {
    let Some(first) = group.first() else {
        return String::new();
    };
    let lines: Vec<Line> = group.iter().map(|one| line(one, style)).collect();
    let width = |of: Cell, head: &str| {
        lines
            .iter()
            .map(|line| columns(of(line)))
            .max()
            .unwrap_or(0)
            .max(columns(head))
    };
    let cells: [(Cell, &str); 5] = [
        (|line| &line.values, "base and other"),
        (|line| &line.ratio, "ratio"),
        (|line| &line.interval, "interval"),
        (|line| &line.p, "p"),
        (|line| line.verdict, "verdict"),
    ];
    let metric = width(|line| &line.metric, "");
    let widths = cells.map(|(of, head)| width(of, head));
    let right = |text: &str, width: usize| {
        let blanks = " ".repeat(width.saturating_sub(columns(text)));
        format!("{blanks}{text}")
    };
    let lead = style.paint(Paint::Head, &first.other);
    let mut out = hanging(&format!("against {}", first.base), &lead, 2, style.width);
    let heads = cells.iter().zip(widths);
    let heads: String = heads
        .map(|((_, head), width)| format!("  {}", right(head, width)))
        .collect();
    let head = format!("  {}{heads}", " ".repeat(metric));
    out += &(style.paint(Paint::Head, &head) + "\n");
    for line in &lines {
        let texts = cells.iter().zip(widths);
        let texts: String = texts
            .map(|((of, _), width)| format!("  {}", right(of(line), width)))
            .collect();
        let text = format!("  {:<metric$}{texts}", line.metric);
        out += &(text.trim_end().to_string() + "\n");
    }
    for remark in remarks(group, report, detail) {
        out += &hanging(&remark, " ", 2, style.width);
    }
    out
}

/// What must be said below the table.
fn remarks(group: &[Comparison], report: &Report, detail: Detail) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(pairs) = group.iter().find_map(|one| one.pairs) {
        remarks.push(format!(
            "cycles and ns: measured, the median ratio of {pairs} pairs of neighbouring turns."
        ));
    }
    let is_undecided =
        |one: &&Comparison| one.verdict == Some(Verdict::Undecided) && one.why.is_none();
    let range = |name: &str| {
        let named = |row: &&Row| row.scenario == name;
        report.rows.iter().find(named)?.layout
    };
    if let Some(one) = group.iter().find(is_undecided)
        && let (Some(base), Some(other)) = (range(&one.base), range(&one.other))
    {
        remarks.push(format!(
            "undecided: they differ here, but less than the place of the code changes ({:.2} to \
             {:.2} cycles against {:.2} to {:.2} over placements).",
            base.cycles_min, base.cycles_max, other.cycles_min, other.cycles_max
        ));
    }
    let mut said: Vec<(Vec<&str>, &str)> = Vec::new();
    // Why there are no misses to compare is as it is for their column.
    let is_told = |one: &&Comparison| {
        detail == Detail::Full || one.metric != "branch_misses" || one.ratio.is_some()
    };
    for one in group.iter().filter(is_told) {
        let Some(why) = &one.why else { continue };
        match said.iter_mut().find(|(_, known)| known == why) {
            Some((metrics, _)) => metrics.push(&*one.metric),
            None => said.push((vec![&*one.metric], why)),
        }
    }
    remarks.extend(
        said.into_iter()
            .map(|(metrics, why)| format!("{}: {why}.", metrics.join(", ").replace('_', " "))),
    );
    remarks
}

/// The lines that changed, each with its neighbours.
fn code(change: &CodeChange, style: Style) -> String {
    let arrow = if style.unicode { "→" } else { "->" };
    let sizes = |[base, other]: [u64; 2], what: &str| match base == other {
        true => format!("{base} {what}"),
        false => format!("{base} {arrow} {other} {what}"),
    };
    let about = format!(
        "code, {} {arrow} {}: {}, {}",
        change.base,
        change.other,
        sizes(change.bytes, "bytes"),
        sizes(change.instructions, "instructions")
    );
    let has_changed = |at: usize| change.lines[at].side != ' ';
    let is_near = |at: usize| {
        let last = change.lines.len() - 1;
        (at.saturating_sub(AROUND)..=(at + AROUND).min(last)).any(has_changed)
    };
    let shown: Vec<usize> = (0..change.lines.len()).filter(|&at| is_near(at)).collect();
    if shown.is_empty() {
        return hanging(
            &format!("{about}; no instruction differs"),
            "",
            2,
            style.width,
        );
    }
    let mut out = hanging(&about, "", 2, style.width);
    let mut next = 0;
    for &at in shown.iter().take(MOST_LINES) {
        if at > next {
            out += "      ...\n";
        }
        next = at + 1;
        let line = &change.lines[at];
        let indent = if line.text.ends_with(':') { "" } else { "  " };
        let text = format!("  {} {indent}{}", line.side, line.text);
        out += &(text.trim_end().to_string() + "\n");
    }
    let left = shown.len().saturating_sub(MOST_LINES);
    if left > 0 {
        let more = format!("{left} more lines; `dispatchlab show NAME` lists all of each");
        out += &hanging(&more, " ", 2, style.width);
    } else if next < change.lines.len() {
        out += "      ...\n";
    }
    out
}
