//! What came of holding rows against the first one: ratios on one scale, and what differs in the code.

use std::fmt::Write as _;

use super::html::{Svg, escaped, number, tagged, tick};
use crate::report::ruler::Ruler;
use crate::report::saved::Document;
use crate::report::{Basis, CodeChange, Comparison};
use crate::stats::Quantity;
use crate::stats::paired::Verdict;

const WIDTH: f64 = 700.0;
/// What a row takes of a drawing: its name, and under it its dots.
const LINE: f64 = 48.0;

/// Nothing where nothing was compared.
pub(super) fn section(document: &Document) -> String {
    // A pair of rows has one comparison for each metric, one behind the other.
    let pairs: Vec<&[Comparison]> = document
        .comparisons
        .chunk_by(|one, next| (&one.base, &one.other) == (&next.base, &next.other))
        .collect();
    let (Some(first), scan) = (pairs.first(), document.sweep.as_ref()) else {
        return String::new();
    };
    // The points of a sweep are held against each other one by one, each with a base of its own.
    let title = match scan {
        None => format!("Against {}", first[0].base),
        Some(sweep) => format!("Against {}, point by point", sweep.names[0]),
    };
    let mut out = format!("<h2>{}</h2>", escaped(&title));
    let cycles = pairs
        .iter()
        .filter_map(|pair| pair.iter().find(|one| one.metric == "cycles"));
    let drawn: Vec<&Comparison> = cycles.filter(|one| one.ratio.is_some()).collect();
    if scan.is_none() && !drawn.is_empty() {
        out += &forest(&drawn);
    }
    for pair in pairs {
        out += &table(pair, scan.is_none());
    }
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
    let at = |ratio: f64| 20.0 + ruler.at(ratio) * (WIDTH - 40.0);
    let bottom = height - 26.0;
    for value in ruler.ticks(5) {
        svg.line("axis", (at(value), 0.0), (at(value), bottom + 4.0));
        svg.text("tick", (at(value), bottom + 20.0), "middle", &tick(value));
    }
    svg.line("one", (at(1.0), 0.0), (at(1.0), bottom));
    for (index, one) in drawn.iter().enumerate() {
        let top = LINE * index as f64;
        let y = top + 38.0;
        let ratio = one.ratio.unwrap_or(1.0);
        let verdict = one.verdict.map_or("", word);
        let tip = format!(
            "{}: {ratio:.4} times the cycles of {}{}, {verdict}",
            one.other,
            one.base,
            interval(one)
        );
        svg.tipped(&tip, |svg| {
            svg.rectangle("ground", (0.0, top), (WIDTH, LINE));
            let name = shortened(&one.other, 36);
            svg.text("label", (0.0, top + 22.0), "start", &name);
            let said = format!("{ratio:.3} {verdict}");
            svg.text("label", (WIDTH, top + 22.0), "end", &said);
            if let (Some(low), Some(high)) = (one.low, one.high) {
                svg.line("interval", (at(low.max(1e-9)), y), (at(high), y));
            }
            let class = one.verdict.map_or("undecided", class);
            svg.circle(class, (at(ratio), y), 4.5);
        });
    }
    format!(
        "<figure>{}<figcaption>ratios of cycles with their intervals</figcaption></figure>",
        svg.finish("chart", "ratios of cycles")
    )
}

/// At most so many letters of a name; all of it is under the pointer.
pub(super) fn shortened(name: &str, most: usize) -> String {
    match name.char_indices().nth(most) {
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

/// What a dot is coloured by.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::Undecided => "undecided",
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
        // What is counted and equal is no matter of telling apart.
        Some(Verdict::Same) if one.basis == Basis::Exact => "same",
        Some(Verdict::Faster) if !is_time => "fewer",
        Some(Verdict::Slower) if !is_time => "more",
        Some(verdict) => word(verdict),
    }
}

/// All that was held of one row against its base; a reason takes a line of its own, as wide as the table.
fn table(pair: &[Comparison], is_open: bool) -> String {
    let summary = format!("{} against {}", pair[0].other, pair[0].base);
    let cycles = pair.iter().find(|one| one.metric == "cycles");
    let said = cycles.and_then(|one| Some((one.ratio?, word_of(one))));
    let said = said.map_or(String::new(), |(ratio, verdict)| {
        format!(": {ratio:.4} times the cycles, {verdict}")
    });
    let mut out = format!(
        "<details class=\"pair\"{}><summary>{}{}</summary><div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>metric</th>\
         <th>base</th><th>this</th><th>ratio</th><th>interval</th><th></th></tr></thead><tbody>",
        if is_open { " open" } else { "" },
        escaped(&summary),
        escaped(said.trim_end_matches([',', ' ']))
    );
    for one in pair {
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
        let basis = tagged("small", "basis", one.basis.name());
        let metric = escaped(&one.metric.replace('_', " "));
        let _ = write!(out, "<tr><th>{metric}{basis}</th>");
        for cell in [&base, &own, &ratio, &interval, word_of(one)] {
            let _ = write!(out, "<td>{}</td>", escaped(cell));
        }
        out += "</tr>";
        if let Some(why) = &one.why {
            let _ = write!(
                out,
                "<tr class=\"why\"><td colspan=\"6\">{}</td></tr>",
                escaped(why)
            );
        }
    }
    out + "</tbody></table></div></details>"
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
