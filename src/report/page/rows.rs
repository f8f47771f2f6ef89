//! The table of rows: numbers with their bases, samples on one scale, and behind each row its code and what is said of
//! it.
//!
//! Correct means: no number stands without the word for how it was obtained, and what has none says why.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::html::{Svg, escaped, number, tagged, tick};
use super::{listing, sites};
use crate::report::ruler::Ruler;
use crate::report::saved::{Document, Shown};
use crate::report::{Basis, Metric, Row};
use crate::stats::Quantity;

/// Width and height of the samples of a row.
const STRIP: (f64, f64) = (220.0, 30.0);

/// The rows of a document, under their sections.
pub(super) fn table(document: &Document) -> String {
    let rows = &document.rows;
    let ruler = ruler(rows);
    let mut out = String::from("<div class=\"rows\">");
    out += &heads(document, &ruler);
    let sections: BTreeSet<&str> = rows
        .iter()
        .filter_map(|shown| shown.row.section.as_deref())
        .collect();
    // Rows that somebody put together are of one section at the most, and have no title.
    let is_by_section = sections.len() > 1;
    let mut title = None;
    for (at, shown) in rows.iter().enumerate() {
        let own = shown.row.section.as_deref().unwrap_or("In no section");
        if is_by_section && title != Some(own) {
            title = Some(own);
            out += &tagged("h3", "section", own);
        }
        out += &row(shown, document, &ruler, &place(document, at));
    }
    out + "</div>"
}

/// The scale of cycles that all rows share.
fn ruler(rows: &[Shown]) -> Ruler {
    let own = |shown: &Shown| {
        let layout = shown.row.layout;
        let ends = layout.map(|layout| [layout.cycles_min, layout.cycles_max]);
        let value = shown.row.value(Quantity::Cycles);
        ends.into_iter().flatten().chain(value).collect::<Vec<_>>()
    };
    Ruler::around(rows.iter().flat_map(own))
}

/// The quantities that have columns.
fn columns(document: &Document) -> Vec<Quantity> {
    let has_number = |quantity: &Quantity| {
        let mut rows = document.rows.iter();
        rows.any(|shown| shown.row.metric(*quantity).is_some())
    };
    Quantity::columns().filter(has_number).collect()
}

fn heads(document: &Document, ruler: &Ruler) -> String {
    let mut out = String::from("<div class=\"grid heads\"><span class=\"name\">scenario</span>");
    let mut svg = Svg::new(STRIP.0, STRIP.1);
    for value in ruler.ticks(4) {
        let x = ruler.at(value) * STRIP.0;
        svg.line("axis", (x, 20.0), (x, STRIP.1));
        svg.text("tick", (x, 15.0), "middle", &tick(value));
    }
    let label = match ruler.is_by_ratio() {
        true => "cycles, by ratio",
        false => "cycles",
    };
    let _ = write!(
        out,
        "<span class=\"plot\">{}</span>",
        svg.finish("strip", label)
    );
    for quantity in columns(document) {
        let bases = bases(document, quantity);
        let _ = write!(
            out,
            "<span class=\"cell\">{}{}</span>",
            escaped(quantity.known().short),
            tagged(
                "small",
                "basis",
                &bases.into_iter().collect::<Vec<_>>().join(", ")
            )
        );
    }
    if let Some(reference) = &document.reference {
        let of = tagged("small", "basis", &format!("to {reference}"));
        let _ = write!(out, "<span class=\"cell\">ratio{of}</span>");
    }
    out + "</div>"
}

/// How the numbers of a column were obtained.
pub(super) fn bases(document: &Document, quantity: Quantity) -> BTreeSet<&'static str> {
    let metrics = document
        .rows
        .iter()
        .filter_map(|shown| shown.row.metric(quantity));
    let with = metrics.filter(|metric| metric.value.is_some());
    with.map(|metric| metric.basis.name()).collect()
}

/// What tells a row from others of its name: the point of the sweep that it was measured at.
fn place(document: &Document, at: usize) -> String {
    let name = |shown: &Shown| shown.row.scenario == document.rows[at].row.scenario;
    let is_alone = document.rows.iter().filter(|shown| name(shown)).count() < 2;
    let Some(sweep) = document.sweep.as_ref().filter(|_| !is_alone) else {
        return String::new();
    };
    let point = sweep.point_of(at);
    point.map_or_else(String::new, |point| format!("at {point}"))
}

fn row(shown: &Shown, document: &Document, ruler: &Ruler, place: &str) -> String {
    let row = &shown.row;
    let is_well = row.metrics.is_some();
    let mut out = format!(
        "<details class=\"row\" data-name=\"{}\"><summary class=\"grid\"><span class=\"name\">{}{}{}</span>",
        escaped(format!("{} {place}", row.scenario).trim_end()),
        escaped(&row.scenario),
        doubt(row),
        match place.is_empty() {
            true => String::new(),
            false => tagged("small", "basis", place),
        }
    );
    if is_well {
        let _ = write!(
            out,
            "<span class=\"plot\">{}</span>",
            strip(row, ruler, STRIP)
        );
        for quantity in columns(document) {
            let is_mixed = bases(document, quantity).len() > 1;
            let cell = row
                .metric(quantity)
                .map_or_else(String::new, |metric| cell(metric, quantity, is_mixed));
            out += &cell;
        }
        if document.reference.is_some() {
            let ratio = row
                .ratio
                .map_or("–".to_string(), |ratio| format!("{ratio:.2}×"));
            let _ = write!(out, "<span class=\"cell\" data-of=\"ratio\">{ratio}</span>");
        }
    }
    if shown.status != "ok" {
        let reason = shown.reason.as_deref().unwrap_or_default();
        // Go's own words of a panic begin with the status.
        let reason = reason.strip_prefix("panic: ").unwrap_or(reason);
        let _ = write!(
            out,
            "<span class=\"ended\">{} {}</span>",
            tagged("b", "status", &shown.status),
            escaped(reason)
        );
    }
    out += "</summary>";
    out += &beside(shown);
    out + "</details>"
}

/// The mark of a row whose numbers a reader must not use unread; what stands behind it is under the pointer too.
fn doubt(row: &Row) -> String {
    let cautions = row.cautions();
    match &cautions[..] {
        [] => String::new(),
        all => format!(
            " <b class=\"doubt\" tabindex=\"0\" data-tip=\"{}\">!</b>",
            escaped(&all.join("; "))
        ),
    }
}

/// A number, with what it rests on under the pointer, and what it is for a screen too narrow for heads of columns.
fn cell(metric: &Metric, quantity: Quantity, is_mixed: bool) -> String {
    let known = quantity.known();
    let of = escaped(known.short);
    let Some(value) = metric.value else {
        let why = metric.why.as_deref().unwrap_or("not known");
        return format!(
            "<span class=\"cell none\" tabindex=\"0\" data-of=\"{of}\" data-tip=\"{}\">–</span>",
            escaped(why)
        );
    };
    let of = match is_mixed {
        true => of,
        false => format!("{of}, {}", metric.basis.name()),
    };
    let stepped = metric.stepped.map_or("", |_| "*");
    let basis = match is_mixed {
        true => tagged("small", "basis", metric.basis.name()),
        false => String::new(),
    };
    format!(
        "<span class=\"cell\" tabindex=\"0\" data-of=\"{of}\" data-tip=\"{}\">{}{stepped}{basis}</span>",
        escaped(&told(metric, known.unit)),
        number(value)
    )
}

/// A number, its interval, and how it was obtained.
pub(super) fn told(metric: &Metric, unit: &str) -> String {
    let Some(value) = metric.value else {
        return format!(
            "no number: {}",
            metric.why.as_deref().unwrap_or("not known")
        );
    };
    let unit = if unit == "count" { "" } else { unit };
    let mut told = format!("{} {unit}", number(value)).trim_end().to_string();
    if let (Some(low), Some(high), false) = (metric.low, metric.high, metric.basis == Basis::Exact)
    {
        let _ = write!(told, ", 95 % interval {low:.3} to {high:.3}");
    }
    let source = metric.source.as_deref();
    let source = source.map_or(String::new(), |source| format!(" ({source})"));
    let _ = write!(told, ", {}{source}", metric.basis.name());
    if let Some(stepped) = metric.stepped {
        let _ = write!(told, ", of {stepped} iterations; later ones may differ");
    }
    told
}

/// The samples of a row, its interval and its range over placements.
fn strip(row: &Row, ruler: &Ruler, (width, height): (f64, f64)) -> String {
    let mut svg = Svg::new(width, height);
    let at = |value: f64| ruler.at(value) * width;
    let middle = height / 2.0;
    let mut tip = row
        .metric(Quantity::Cycles)
        .map_or(String::new(), |metric| told(metric, "cycles"));
    if let Some(layout) = row.layout {
        let _ = write!(
            tip,
            "; over {} placements {:.2} to {:.2}",
            layout.placements, layout.cycles_min, layout.cycles_max
        );
    }
    let count: usize = row.chunks.iter().map(Vec::len).sum();
    if count > 0 {
        let _ = write!(tip, "; a dot is a chunk, {count} of them");
    }
    svg.tipped(&tip, |svg| {
        svg.rectangle("ground", (0.0, 0.0), (width, height));
        // Placements lie in lanes of their own.
        let lanes = row.chunks.len().max(1) as f64;
        let lane = |at: usize| 3.0 + (height - 6.0) * (at as f64 + 0.5) / lanes;
        for (placement, chunks) in row.chunks.iter().enumerate() {
            let class = if placement == 0 { "dots first" } else { "dots" };
            svg.dots(
                class,
                chunks.iter().map(|cycles| (at(*cycles), lane(placement))),
            );
        }
        if let Some(layout) = row.layout {
            svg.line(
                "layout",
                (at(layout.cycles_min), middle),
                (at(layout.cycles_max), middle),
            );
        }
        let cycles = row.metric(Quantity::Cycles);
        if let Some((low, high)) = cycles.and_then(|metric| metric.low.zip(metric.high)) {
            svg.line(
                "interval",
                (at(low), middle),
                (at(high).max(at(low) + 1.0), middle),
            );
        }
        if let Some(value) = row.value(Quantity::Cycles) {
            svg.line("value", (at(value), 3.0), (at(value), height - 3.0));
        }
    });
    svg.finish("strip", &tip)
}

/// What stands behind a row.
fn beside(shown: &Shown) -> String {
    let row = &shown.row;
    let mut out = String::from("<div class=\"beside\">");
    out += &tagged("p", "title", &row.title);
    if let Some(reason) = &shown.reason {
        out += &tagged("p", "warning", reason);
    }
    for caution in row.cautions() {
        out += &tagged("p", "warning", &caution);
    }
    for said in row
        .note
        .iter()
        .chain(&row.today)
        .chain(&row.modelled_remark())
    {
        out += &tagged("p", "note", said);
    }
    if !row.chunks.is_empty() {
        let own = row.chunks.iter().flatten().copied();
        let ruler = Ruler::around(own);
        let mut axis = Svg::new(WIDE.0, 26.0);
        for value in ruler.ticks(8) {
            let x = ruler.at(value) * WIDE.0;
            axis.line("axis", (x, 0.0), (x, 6.0));
            axis.text("tick", (x, 20.0), "middle", &tick(value));
        }
        let _ = write!(
            out,
            "<figure><figcaption>chunks, cycles of an iteration; one lane a placement, the first one on top</figcaption>{}{}</figure>",
            strip(row, &ruler, WIDE),
            axis.finish("strip", "cycles")
        );
    }
    out += &numbers(row);
    if let Some(metrics) = &row.metrics {
        out += &sites::section(&metrics.sites);
    }
    if let Some(code) = &row.listing {
        let file = match &row.template_path[..] {
            "embedded" => &row.template,
            path => path.rsplit('/').next().unwrap_or(path),
        };
        out += &listing::table(code, file);
    }
    let _ = write!(
        out,
        "<p class=\"faint\">{}, SHA-256 {}</p></div>",
        escaped(&row.template_path),
        escaped(&row.template_sha256)
    );
    out
}

/// Width and height of the samples behind a row.
const WIDE: (f64, f64) = (640.0, 72.0);

/// Every number with its basis.
fn numbers(row: &Row) -> String {
    let Some(metrics) = &row.metrics else {
        return String::new();
    };
    let mut out = String::from("<table class=\"numbers\"><tbody>");
    let mut line = |name: &str, metric: &Metric, unit: &str| {
        let _ = write!(
            out,
            "<tr><th>{}</th><td>{}</td></tr>",
            escaped(&name.replace('_', " ")),
            escaped(&told(metric, unit))
        );
    };
    for (name, unit, metric) in metrics.all() {
        line(name, metric, unit);
    }
    if let Some(baseline) = &row.baseline {
        line("empty loop", &baseline.cycles, "cycles");
    }
    if let Some(cold) = &row.cold {
        line("cold call", &cold.cycles, "cycles");
        line("the same warm", &cold.warm, "cycles");
    }
    out + "</tbody></table>"
}
