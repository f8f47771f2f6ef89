//! What came of holding rows against the first one: ratios on one scale, and what differs in the code.

use std::fmt::Write as _;

use super::html::{Svg, escaped, number, tick};
use crate::report::ruler::Ruler;
use crate::report::saved::Document;
use crate::report::{Basis, CodeChange, Comparison};
use crate::stats::Quantity;
use crate::stats::paired::Verdict;

const WIDTH: f64 = 640.0;
const LABEL: f64 = 200.0;
const LINE: f64 = 24.0;

/// Nothing where nothing was compared.
pub(super) fn section(document: &Document) -> String {
    if document.comparisons.is_empty() {
        return String::new();
    }
    // The points of a sweep are held against each other one by one.
    let cycles = document
        .comparisons
        .iter()
        .filter(|one| one.metric == "cycles");
    let drawn: Vec<&Comparison> = cycles.filter(|one| one.ratio.is_some()).collect();
    let mut out = format!(
        "<h2>Against {}</h2>",
        escaped(&document.comparisons[0].base)
    );
    if document.sweep.is_none() && !drawn.is_empty() {
        out += &forest(&drawn);
    }
    out += &table(&document.comparisons);
    for change in &document.changes {
        out += &code(change);
    }
    out
}

/// Ratios of cycles with their intervals, by ratio, around a line at 1.
fn forest(drawn: &[&Comparison]) -> String {
    let ends = drawn.iter().flat_map(|one| [one.ratio, one.low, one.high]);
    let sound = ends.flatten().filter(|end| *end > 0.0);
    let ruler = Ruler::by_ratio(sound.chain([1.0]));
    let height = LINE * drawn.len() as f64 + 26.0;
    let mut svg = Svg::new(WIDTH, height);
    let at = |ratio: f64| LABEL + ruler.at(ratio) * (WIDTH - LABEL - 90.0);
    let bottom = height - 26.0;
    for value in ruler.ticks(5) {
        svg.line("axis", (at(value), 0.0), (at(value), bottom + 4.0));
        svg.text("tick", (at(value), bottom + 18.0), "middle", &tick(value));
    }
    svg.line("one", (at(1.0), 0.0), (at(1.0), bottom));
    for (index, one) in drawn.iter().enumerate() {
        let y = LINE * (index as f64 + 0.5);
        let ratio = one.ratio.unwrap_or(1.0);
        let verdict = one.verdict.map_or("", word);
        let tip = format!(
            "{}: {ratio:.4} times the cycles of {}{}, {verdict}",
            one.other,
            one.base,
            interval(one)
        );
        svg.tipped(&tip, |svg| {
            svg.rectangle("ground", (0.0, y - LINE / 2.0), (WIDTH, LINE));
            svg.text(
                "label",
                (LABEL - 8.0, y + 4.0),
                "end",
                &shortened(&one.other),
            );
            if let (Some(low), Some(high)) = (one.low, one.high) {
                svg.line("interval", (at(low.max(1e-9)), y), (at(high), y));
            }
            svg.circle(verdict, (at(ratio), y), 4.5);
            svg.text(
                "label",
                (WIDTH - 84.0, y + 4.0),
                "start",
                &format!("{ratio:.3} {verdict}"),
            );
        });
    }
    format!(
        "<figure>{}<figcaption>ratios of cycles with their intervals</figcaption></figure>",
        svg.finish("chart", "ratios of cycles")
    )
}

/// A name that fits beside a chart; all of it stands in the table.
pub(super) fn shortened(name: &str) -> String {
    const MOST: usize = 25;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_string(),
    }
}

fn interval(one: &Comparison) -> String {
    match (one.basis, one.low, one.high) {
        (Basis::Exact, ..) => ", exact".into(),
        (_, Some(low), Some(high)) => format!(" ({low:.4} to {high:.4})"),
        _ => ", without an interval".into(),
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "not told apart",
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::Undecided => "undecided",
    }
}

/// The same of a metric that is no time.
fn word_of(one: &Comparison) -> &'static str {
    let is_time = Quantity::named(&one.metric).is_none_or(Quantity::is_time);
    match one.verdict {
        None => "",
        Some(Verdict::Faster) if !is_time => "fewer",
        Some(Verdict::Slower) if !is_time => "more",
        Some(verdict) => word(verdict),
    }
}

fn table(comparisons: &[Comparison]) -> String {
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>row</th><th>metric</th><th>base</th><th>this</th><th>ratio</th>\
         <th>interval</th><th>basis</th><th></th></tr></thead><tbody>",
    );
    for one in comparisons {
        let [base, own] = match one.values {
            Some((base, own)) => [number(base), number(own)],
            None => ["–".to_string(), "–".to_string()],
        };
        let ratio = one
            .ratio
            .map_or("–".to_string(), |ratio| format!("{ratio:.4}"));
        let interval = match (one.basis, one.low, one.high) {
            (Basis::Exact, ..) => "exact".to_string(),
            (_, Some(low), Some(high)) => format!("{low:.4} to {high:.4}"),
            _ => "–".to_string(),
        };
        let verdict = match &one.why {
            Some(why) => format!("{} {why}", word_of(one)),
            None => word_of(one).to_string(),
        };
        let cells = [
            &one.other[..],
            &one.metric.replace('_', " "),
            &base,
            &own,
            &ratio,
            &interval,
            one.basis.name(),
            verdict.trim(),
        ];
        out += "<tr>";
        for cell in cells {
            let _ = write!(out, "<td>{}</td>", escaped(cell));
        }
        out += "</tr>";
    }
    out + "</tbody></table></div>"
}

fn code(change: &CodeChange) -> String {
    let mut out = format!(
        "<details class=\"code\"><summary>code of {} against {}: {} → {} bytes, {} → {} instructions</summary><pre>",
        escaped(&change.other),
        escaped(&change.base),
        change.bytes[0],
        change.bytes[1],
        change.instructions[0],
        change.instructions[1]
    );
    for line in &change.lines {
        let class = match line.side {
            '-' => "gone",
            '+' => "new",
            _ => "both",
        };
        let _ = writeln!(
            out,
            "<span class=\"{class}\">{} {}</span>",
            line.side,
            escaped(&line.text)
        );
    }
    out + "</pre></details>"
}
