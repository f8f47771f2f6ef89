//! What was scanned: a curve with its band for one parameter, a map for two.

use super::html::{Svg, escaped, number, tagged, tick};
use super::rows::bases;
use crate::report::Metric;
use crate::report::ruler::Ruler;
use crate::report::saved::{Document, Shown};
use crate::report::sweep::{Sweep, SweepPoint};
use crate::stats::Quantity;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// Curves that have a colour of their own.
const COLOURS: usize = 6;
/// Shades of a map.
const SHADES: f64 = 9.0;

pub(super) fn section(document: &Document, sweep: &Sweep) -> String {
    let mut out = format!("<h2>Over {}</h2>", escaped(&sweep.keys.join(" and ")));
    for quantity in [Quantity::Cycles, Quantity::BranchMisses] {
        let mut rows = document.rows.iter();
        if !rows.any(|shown| shown.row.value(quantity).is_some()) {
            continue;
        }
        out += &match sweep.keys.len() {
            1 => curves(document, sweep, quantity),
            _ => maps(document, sweep, quantity),
        };
    }
    for told in sweep.knees.iter().map(|knee| &knee.text) {
        out += &tagged("p", "note", told);
    }
    for told in sweep.break_evens.iter().map(|one| &one.text) {
        out += &tagged("p", "note", told);
    }
    out
}

/// The row of a scenario at a point.
fn row<'a>(document: &'a Document, point: &SweepPoint, name: usize) -> Option<&'a Shown> {
    document.rows.get(*point.rows.get(name)?)
}

/// Where the points of one parameter lie: by their numbers where they are ones, else one behind the other.
struct Places {
    ruler: Ruler,
    numbers: Vec<f64>,
}

impl Places {
    fn of(sweep: &Sweep) -> Places {
        let first = sweep.points.iter().map(|point| point.values.first());
        let parsed = first.map(|value| value.and_then(|value| value.parse::<f64>().ok()));
        let parsed: Option<Vec<f64>> = parsed.collect();
        let numbers =
            parsed.unwrap_or_else(|| (0..sweep.points.len()).map(|at| at as f64).collect());
        // Doubling steps are equal ones.
        let is_doubling = numbers.len() > 2
            && numbers.iter().all(|number| *number > 0.0)
            && numbers.windows(2).all(|pair| pair[1] >= pair[0] * 1.5);
        let ruler = match is_doubling {
            true => Ruler::by_ratio(numbers.iter().copied()),
            false => Ruler::around(numbers.iter().copied()),
        };
        Places { ruler, numbers }
    }

    fn x(&self, point: usize) -> f64 {
        LEFT + self.ruler.at(self.numbers[point]) * (WIDTH - LEFT - RIGHT)
    }
}

fn curves(document: &Document, sweep: &Sweep, quantity: Quantity) -> String {
    let places = Places::of(sweep);
    let values = document.rows.iter().filter_map(|shown| {
        let metric = shown.row.metric(quantity)?;
        metric.high.or(metric.value)
    });
    let ruler = Ruler::from_zero(values);
    let y = |value: f64| TOP + (1.0 - ruler.at(value)) * (HEIGHT - TOP - BOTTOM);
    let mut svg = Svg::new(WIDTH, HEIGHT);
    for value in ruler.ticks(5) {
        svg.line("axis", (LEFT, y(value)), (WIDTH - RIGHT, y(value)));
        svg.text("tick", (LEFT - 6.0, y(value) + 4.0), "end", &tick(value));
    }
    let each = sweep.points.len().div_ceil(14).max(1);
    let shown = sweep.points.iter().enumerate().step_by(each);
    for (index, (at, point)) in shown.enumerate() {
        svg.line(
            "axis",
            (places.x(at), HEIGHT - BOTTOM),
            (places.x(at), HEIGHT - BOTTOM + 5.0),
        );
        let value = point.values.first().map_or("", |value| value);
        // Text is larger on a phone: every second one has no place there.
        let class = if index % 2 == 0 { "tick" } else { "tick odd" };
        svg.text(
            class,
            (places.x(at), HEIGHT - BOTTOM + 18.0),
            "middle",
            value,
        );
    }
    let key = sweep.keys.first().map_or("", |key| key);
    svg.text("label", ((LEFT + WIDTH) / 2.0, HEIGHT - 6.0), "middle", key);
    for knee in &sweep.knees {
        let at = places.numbers.iter().position(|number| *number == knee.at);
        let own = &*knee.metric == quantity.known().name;
        if let (Some(at), true) = (at, own) {
            svg.tipped(&knee.text, |svg| {
                svg.line("knee", (places.x(at), TOP), (places.x(at), HEIGHT - BOTTOM));
            });
        }
    }
    for name in 0..sweep.names.len() {
        let metric = |at: usize| -> Option<&Metric> {
            row(document, &sweep.points[at], name)?.row.metric(quantity)
        };
        let all = 0..sweep.points.len();
        let ends = |of: fn(&Metric) -> Option<f64>| {
            let own = all
                .clone()
                .filter_map(|at| Some((places.x(at), y(of(metric(at)?)?))));
            own.collect::<Vec<_>>()
        };
        let upper = ends(|metric| metric.high.or(metric.value));
        let mut band = ends(|metric| metric.low.or(metric.value));
        band.reverse();
        band.extend(upper);
        let colour = name % COLOURS;
        svg.area(&format!("band c{colour}"), &band);
        let line: Vec<Option<(f64, f64)>> = all
            .clone()
            .map(|at| Some((places.x(at), y(metric(at)?.value?))))
            .collect();
        svg.curve(&format!("curve c{colour}"), &line);
        for at in all {
            let Some(shown) = row(document, &sweep.points[at], name) else {
                continue;
            };
            let told = shown.row.metric(quantity);
            let told = told.map(|metric| super::rows::told(metric, quantity.known().unit));
            let reason = || shown.reason.clone().unwrap_or_default();
            let tip = format!("{}: {}", shown.row.scenario, told.unwrap_or_else(reason));
            let place = line[at];
            svg.tipped(&tip, |svg| match place {
                Some(place) => {
                    svg.circle("ground", place, 9.0);
                    svg.circle(&format!("point c{colour}"), place, 3.0);
                }
                None => svg.text(
                    "missing",
                    (places.x(at), HEIGHT - BOTTOM - 4.0),
                    "middle",
                    "×",
                ),
            });
        }
    }
    let legend: Vec<String> = sweep
        .names
        .iter()
        .enumerate()
        .map(|(at, name)| tagged("span", &format!("key c{}", at % COLOURS), name))
        .collect();
    let what = quantity.known().short;
    format!(
        "<figure>{}<p class=\"legend\">{}</p>{}</figure>",
        tagged(
            "figcaption",
            "unit",
            &format!(
                "{what} of an iteration ({}), with 95 % intervals",
                basis(document, quantity)
            )
        ),
        legend.join(" "),
        svg.finish("chart", &format!("{what} over {key}"))
    )
}

/// How the numbers of a drawing were obtained.
fn basis(document: &Document, quantity: Quantity) -> String {
    let bases: Vec<&str> = bases(document, quantity).into_iter().collect();
    bases.join(", ")
}

/// One map for each scenario: the first parameter downwards, the second to the right.
fn maps(document: &Document, sweep: &Sweep, quantity: Quantity) -> String {
    let ways = |key: usize| {
        let mut values: Vec<&String> = Vec::new();
        for point in &sweep.points {
            if let Some(value) = point
                .values
                .get(key)
                .filter(|value| !values.contains(value))
            {
                values.push(value);
            }
        }
        values
    };
    let (down, right) = (ways(0), ways(1));
    let values = document
        .rows
        .iter()
        .filter_map(|shown| shown.row.value(quantity));
    let ruler = Ruler::around(values.map(as_shown));
    let mut out = String::new();
    for (name, title) in sweep.names.iter().enumerate() {
        let mut rows = String::new();
        for value in &down {
            rows += &format!("<tr><th>{}</th>", escaped(value));
            for other in &right {
                let mut points = sweep.points.iter();
                let point = points.find(|one| {
                    one.values.first() == Some(*value) && one.values.get(1) == Some(*other)
                });
                rows += &point
                    .and_then(|point| row(document, point, name))
                    .map_or_else(
                        || "<td></td>".to_string(),
                        |shown| shade(shown, quantity, &ruler),
                    );
            }
            rows += "</tr>";
        }
        let heads: String = right
            .iter()
            .map(|value| format!("<th>{}</th>", escaped(value)))
            .collect();
        let keys = [0, 1].map(|key| sweep.keys.get(key).map_or("", |key| key));
        out += &format!(
            "<figure>{}<div class=\"scroll\"><table class=\"map\"><thead><tr><th>{} \\ {}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></figure>",
            tagged(
                "figcaption",
                "unit",
                &format!(
                    "{title}: {} of an iteration ({})",
                    quantity.known().short,
                    basis(document, quantity)
                )
            ),
            escaped(keys[0]),
            escaped(keys[1])
        );
    }
    out
}

/// A value as its text has it: what reads the same has one shade.
fn as_shown(value: f64) -> f64 {
    number(value).parse().unwrap_or(value)
}

fn shade(shown: &Shown, quantity: Quantity, ruler: &Ruler) -> String {
    let metric = shown.row.metric(quantity);
    let told = metric.map(|metric| super::rows::told(metric, quantity.known().unit));
    let reason = || shown.reason.clone().unwrap_or_default();
    let tip = format!("{}: {}", shown.row.scenario, told.unwrap_or_else(reason));
    let (class, text) = match metric.and_then(|metric| metric.value) {
        Some(value) => (
            format!("s{}", (ruler.at(as_shown(value)) * SHADES).round()),
            number(value),
        ),
        None => ("none".to_string(), "–".to_string()),
    };
    format!(
        "<td class=\"{class}\" tabindex=\"0\" data-tip=\"{}\">{text}</td>",
        escaped(&tip)
    )
}
