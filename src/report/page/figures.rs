//! Figures that others published, and ours, as dots on one scale, section by section.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::comparisons::shortened;
use super::html::{Svg, escaped, number, tagged, tick};
use crate::report::ruler::Ruler;
use crate::report::saved::Document;
use crate::report::{Held, Row};
use crate::template::Figure;

const WIDTH: f64 = 700.0;
/// What a row takes of a drawing: its name, and under it its dots.
const LINE: f64 = 42.0;

/// A published figure that has one of ours beside it.
struct Pair<'a> {
    row: &'a Row,
    held: &'a Held,
    theirs: f64,
    ours: f64,
}

/// Nothing where nothing was published.
pub(super) fn section(document: &Document) -> String {
    let mut sections: Vec<(&str, BTreeMap<String, Vec<Pair<'_>>>)> = Vec::new();
    for shown in &document.rows {
        let title = shown
            .row
            .section
            .as_deref()
            .unwrap_or("Published and measured");
        for held in &shown.row.published {
            let Some(ours) = held.measured else { continue };
            let (unit, theirs) = match &held.published.figure {
                Figure::Value { value } => (held.published.metric.clone(), *value),
                Figure::Ratio { ratio, .. } => {
                    (format!("ratio of {}", held.published.metric), *ratio)
                }
            };
            if sections.last().is_none_or(|(known, _)| *known != title) {
                sections.push((title, BTreeMap::new()));
            }
            if let Some((_, groups)) = sections.last_mut() {
                groups
                    .entry(unit.replace('_', " "))
                    .or_default()
                    .push(Pair {
                        row: &shown.row,
                        held,
                        theirs,
                        ours,
                    });
            }
        }
    }
    if sections.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<h2>Published, and measured here</h2><p class=\"note\">hollow: published; filled: this run</p>",
    );
    for (title, groups) in &sections {
        let _ = write!(
            out,
            "<details class=\"figures\" open><summary>{}</summary>",
            escaped(title)
        );
        for (unit, pairs) in groups {
            out += &chart(unit, pairs);
        }
        out += "</details>";
    }
    out
}

fn chart(unit: &str, pairs: &[Pair<'_>]) -> String {
    let ruler = Ruler::around(pairs.iter().flat_map(|pair| [pair.theirs, pair.ours]));
    let height = LINE * pairs.len() as f64 + 24.0;
    let bottom = height - 24.0;
    let mut svg = Svg::new(WIDTH, height);
    let at = |value: f64| 20.0 + ruler.at(value) * (WIDTH - 40.0);
    for value in ruler.ticks(6) {
        svg.line("axis", (at(value), 0.0), (at(value), bottom + 4.0));
        svg.text("tick", (at(value), bottom + 20.0), "middle", &tick(value));
    }
    for (index, pair) in pairs.iter().enumerate() {
        let top = LINE * index as f64;
        let y = top + 34.0;
        let of = match &pair.held.published.figure {
            Figure::Ratio { to, .. } => format!(" to {to}"),
            Figure::Value { .. } => String::new(),
        };
        let basis = pair.held.basis.map_or("", |basis| basis.name());
        let tip = format!(
            "{}{of}: published {} ({}), here {}, {basis}",
            pair.row.scenario,
            number(pair.theirs),
            pair.held.published.source,
            number(pair.ours)
        );
        svg.tipped(&tip, |svg| {
            svg.rectangle("ground", (0.0, top), (WIDTH, LINE));
            let name = shortened(&pair.row.scenario, 60);
            svg.text("label", (0.0, top + 22.0), "start", &name);
            svg.line("between", (at(pair.theirs), y), (at(pair.ours), y));
            svg.circle("theirs", (at(pair.theirs), y), 4.0);
            svg.circle("ours", (at(pair.ours), y), 4.0);
        });
    }
    format!(
        "<figure>{}{}</figure>",
        tagged("figcaption", "unit", unit),
        svg.finish("chart", unit)
    )
}
