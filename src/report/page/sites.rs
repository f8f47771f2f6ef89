//! The branches that a row studies: how often an iteration runs each, and how often it is mispredicted there.
//!
//! Correct means: all branches of a row are drawn on one scale from 0, so that what is missed at one is as long as as many
//! misses at another; and one without a number is no empty bar but says why.

use std::fmt::Write as _;

use super::comparisons::shortened;
use super::html::{Svg, escaped, number, tick};
use crate::report::SiteMisses;
use crate::report::ruler::Ruler;

const WIDTH: f64 = 640.0;
/// What a branch takes of a drawing: its label, and under it its bar.
const LINE: f64 = 46.0;

/// Nothing where the row studies no branch.
pub(super) fn section(sites: &[SiteMisses]) -> String {
    if sites.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    if sites.iter().any(|site| site.value.is_some()) {
        out += &chart(sites);
    }
    out + &table(sites)
}

/// A bar a branch: its runs, and in it the share of them that misses, with the interval.
fn chart(sites: &[SiteMisses]) -> String {
    let ends = sites
        .iter()
        .flat_map(|site| [site.executions, site.high, site.value]);
    let ruler = Ruler::from_zero(ends.flatten());
    let height = LINE * sites.len() as f64 + 26.0;
    let bottom = height - 26.0;
    let mut svg = Svg::new(WIDTH, height);
    let at = |times: f64| 20.0 + ruler.at(times) * (WIDTH - 40.0);
    for value in ruler.ticks(5) {
        svg.line("axis", (at(value), 0.0), (at(value), bottom + 4.0));
        svg.text("tick", (at(value), bottom + 20.0), "middle", &tick(value));
    }
    for (index, site) in sites.iter().enumerate() {
        let top = LINE * index as f64;
        let y = top + 36.0;
        let bar = |times: f64, thick: f64| {
            let place = (at(0.0), y - thick / 2.0);
            (place, (at(times) - at(0.0), thick))
        };
        svg.tipped(&told(site), |svg| {
            svg.rectangle("ground", (0.0, top), (WIDTH, LINE));
            let label = shortened(&site.label, 30);
            svg.text("label", (0.0, top + 22.0), "start", &label);
            if let Some(runs) = site.executions {
                let (place, size) = bar(runs, 14.0);
                svg.rectangle("runs", place, size);
            }
            if let Some(misses) = site.value {
                let (place, size) = bar(misses, 8.0);
                svg.rectangle("missed", place, size);
            }
            if let (Some(low), Some(high)) = (site.low, site.high) {
                svg.line("value", (at(low), y), (at(high), y));
            }
            let (class, said) = beside(site);
            svg.text(class, (WIDTH, top + 22.0), "end", &said);
        });
    }
    format!(
        "<figure>{}<figcaption>misses of an iteration by branch (inferred), inside how often it runs</figcaption></figure>",
        svg.finish("chart", "misses by branch")
    )
}

/// What stands behind a bar.
fn beside(site: &SiteMisses) -> (&'static str, String) {
    match (site.value, site.executions) {
        (Some(misses), Some(runs)) => ("label", format!("{} of {}", number(misses), number(runs))),
        (Some(misses), None) => ("label", number(misses)),
        (None, _) => ("missing", "no number".to_string()),
    }
}

/// What a branch says under the pointer.
fn told(site: &SiteMisses) -> String {
    let runs = site
        .executions
        .map_or("not known how often it runs".to_string(), |runs| {
            format!("runs {} times an iteration", number(runs))
        });
    format!(
        "{}, {}: {runs}; misses: {}",
        site.label,
        place(site),
        misses(site)
    )
}

fn place(site: &SiteMisses) -> String {
    match &site.file {
        Some(file) => format!("{file}:{}", site.line),
        None => format!("line {}", site.line),
    }
}

fn misses(site: &SiteMisses) -> String {
    match (site.value, site.low, site.high) {
        (Some(value), Some(low), Some(high)) => {
            format!("{} ({low:.2} to {high:.2})", number(value))
        }
        (Some(value), ..) => number(value),
        _ => format!("– {}", site.why.as_deref().unwrap_or_default()),
    }
}

/// Every number of it.
fn table(sites: &[SiteMisses]) -> String {
    let mut out = String::from(
        "<table class=\"sites\"><thead><tr><th>branch</th><th>line</th><th>runs</th><th>misses, inferred</th></tr></thead><tbody>",
    );
    for site in sites {
        let runs = site.executions.map_or("–".to_string(), number);
        let _ = write!(
            out,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&site.label),
            escaped(place(site).trim_start_matches("line ")),
            escaped(&runs),
            escaped(&misses(site))
        );
    }
    out + "</tbody></table>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(executions: Option<f64>, value: Option<f64>) -> SiteMisses {
        SiteMisses {
            label: "call".into(),
            line: 7,
            file: None,
            executions,
            traced: None,
            value,
            low: value.map(|value| value - 0.05),
            high: value.map(|value| value + 0.05),
            comparisons: 1,
            is_lost: false,
            why: value.is_none().then(|| "it was <disturbed>".to_string()),
        }
    }

    /// The widths of the bars of a class.
    fn widths(page: &str, class: &str) -> Vec<f64> {
        let bars = page.split("<rect ").skip(1);
        let own = bars.filter(|bar| bar.starts_with(&format!("class=\"{class}\"")));
        let width = |bar: &str| {
            bar.split("width=\"")
                .nth(1)?
                .split('"')
                .next()?
                .parse()
                .ok()
        };
        own.map(|bar| width(bar).expect("a width")).collect()
    }

    #[test]
    fn all_bars_of_a_row_are_on_one_scale_and_what_misses_each_time_fills_its_own() {
        let page = section(&[site(Some(2.0), Some(1.0)), site(Some(1.0), Some(1.0))]);
        let (runs, missed) = (widths(&page, "runs"), widths(&page, "missed"));
        assert_eq!(runs.len(), 2);
        assert!((runs[0] - 2.0 * runs[1]).abs() < 0.2, "{runs:?}");
        assert!((missed[0] - missed[1]).abs() < 0.2, "{missed:?}");
        assert!((missed[1] - runs[1]).abs() < 0.2, "{missed:?} {runs:?}");
    }

    #[test]
    fn a_branch_without_a_number_has_no_bar_of_misses_and_says_why() {
        let page = section(&[site(Some(1.0), Some(0.5)), site(Some(1.0), None)]);
        assert_eq!(widths(&page, "missed").len(), 1);
        assert!(page.contains(">no number</text>"), "{page}");
        assert!(
            page.contains("misses: – it was &lt;disturbed&gt;"),
            "{page}"
        );
        // Where none has one there is nothing to draw.
        let page = section(&[site(Some(1.0), None)]);
        assert!(!page.contains("<svg") && page.contains("it was &lt;disturbed&gt;"));
        assert_eq!(section(&[]), "");
    }
}
