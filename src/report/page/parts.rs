//! What each part of a template costs.

use std::fmt::Write as _;

use super::html::{Svg, escaped, number, tick};
use crate::report::ablation::{Ablation, PartCost};
use crate::report::ruler::Ruler;

const WIDTH: f64 = 640.0;
const LABEL: f64 = 220.0;
const LINE: f64 = 24.0;

/// The parts on one scale of cycles, and their counts.
pub(super) fn section(ablation: &Ablation) -> String {
    let mut out = format!(
        "<h2>What the parts of {} cost</h2>",
        escaped(&ablation.scenario)
    );
    let timed: Vec<&PartCost> = ablation
        .parts
        .iter()
        .filter(|part| part.cycles.is_some())
        .collect();
    if !timed.is_empty() {
        out += &chart(&timed);
    }
    out += "<div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>part</th><th>cycles</th><th>instructions</th><th>branches</th><th>bytes</th>\
            <th>basis of the cycles</th></tr></thead><tbody>";
    for part in &ablation.parts {
        let shown = |value: Option<f64>| value.map_or("–".to_string(), number);
        let cells = [
            part.part.clone(),
            shown(part.cycles),
            shown(part.instructions),
            shown(part.branches),
            part.bytes
                .map_or("–".to_string(), |bytes| bytes.to_string()),
            part.basis.name().to_string(),
        ];
        out += "<tr>";
        for cell in cells {
            let _ = write!(out, "<td>{}</td>", escaped(&cell));
        }
        out += "</tr>";
    }
    out + "</tbody></table></div>"
}

fn chart(parts: &[&PartCost]) -> String {
    let ends = parts
        .iter()
        .flat_map(|part| [part.cycles, part.low, part.high]);
    let ruler = Ruler::around(ends.flatten().chain([0.0]));
    let height = LINE * parts.len() as f64 + 26.0;
    let bottom = height - 26.0;
    let mut svg = Svg::new(WIDTH, height);
    let at = |cycles: f64| LABEL + ruler.at(cycles) * (WIDTH - LABEL - 20.0);
    for value in ruler.ticks(6) {
        svg.line("axis", (at(value), 0.0), (at(value), bottom + 4.0));
        svg.text("tick", (at(value), bottom + 20.0), "middle", &tick(value));
    }
    svg.line("one", (at(0.0), 0.0), (at(0.0), bottom));
    for (index, part) in parts.iter().enumerate() {
        let y = LINE * (index as f64 + 0.5);
        let cycles = part.cycles.unwrap_or(0.0);
        let tip = format!("{}: {cycles:.2} cycles, {}", part.part, part.basis.name());
        svg.tipped(&tip, |svg| {
            svg.rectangle("ground", (0.0, y - LINE / 2.0), (WIDTH, LINE));
            svg.text("label", (LABEL - 8.0, y + 4.0), "end", &part.part);
            if let (Some(low), Some(high)) = (part.low, part.high) {
                svg.line("interval", (at(low), y), (at(high), y));
            }
            svg.circle("undecided", (at(cycles), y), 4.5);
        });
    }
    format!(
        "<figure>{}<figcaption>cycles that are gone without the part</figcaption></figure>",
        svg.finish("chart", "cycles of parts")
    )
}
