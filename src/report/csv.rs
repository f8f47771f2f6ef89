//! The report as CSV, one line a number, so that its basis and source stand beside it.
//!
//! Correct means: it is RFC 4180 with a head line, a row without numbers is one line with its
//! reason, a number that there is none of is an empty field with the reason in `why`, never 0, and a
//! spreadsheet takes words for words.

use super::{Basis, Comparison, Metric, Report, terminal};
use crate::stats::Quantity;
use crate::stats::quantity::significant;

/// The fields of a line.
#[rustfmt::skip] // a table: in their order
const HEAD: [&str; 20] = [
    "scenario", "template", "template_sha256", "params", "status", "metric", "value", "low", "high", "unit", "basis",
    "source", "stepped", "why", "cpu", "date", "seed", "tool", "modelled_runtime",
    "point",
];

/// The whole report but its warnings, with a line break at the end.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    line(&mut out, &HEAD.map(String::from));
    for (at, row) in report.rows.iter().enumerate() {
        let fields = |number| fields(report, at, number);
        let Some(metrics) = &row.metrics else {
            let mut none = [const { String::new() }; 9];
            none[8] = terminal::reason(&row.status);
            line(&mut out, &fields(none));
            continue;
        };
        let (empty, cold) = (row.baseline.as_ref(), row.cold.as_ref());
        #[rustfmt::skip] // a table: one number a line
        let beside = [
            ("baseline_cycles", "cycles", empty.map(|one| &one.cycles)),
            ("baseline_instructions", "count", empty.map(|one| &one.instructions)),
            ("cold_cycles", "cycles", cold.map(|one| &one.cycles)),
            ("warm_cycles", "cycles", cold.map(|one| &one.warm)),
            ("scrub_ns", "ns", cold.map(|one| &one.scrub_ns)),
        ];
        let beside = beside.into_iter();
        let beside = beside.filter_map(|(name, unit, metric)| Some((name, unit, metric?)));
        for (name, unit, metric) in metrics.all().chain(beside) {
            line(&mut out, &fields(number(name, unit, metric)));
        }
        if let Some(layout) = row.layout {
            for (name, value) in [
                ("cycles_min", layout.cycles_min),
                ("cycles_max", layout.cycles_max),
                ("cycles_median", layout.cycles_median),
            ] {
                let end = Metric {
                    value: Some(value),
                    low: None,
                    high: None,
                    ..metrics[Quantity::Cycles].clone()
                };
                line(&mut out, &fields(number(name, "cycles", &end)));
            }
        }
        if let Some(ratio) = row.ratio {
            let of = report.reference.as_deref().unwrap_or("the reference");
            let ratio = Metric {
                value: Some(ratio),
                low: None,
                high: None,
                ..metrics[Quantity::Cycles].clone()
            };
            let unit = format!("cycles of {of}");
            line(&mut out, &fields(number("ratio", &unit, &ratio)));
        }
    }
    for (at, comparison) in report.comparisons.iter().enumerate() {
        if let Some(row) = other(report, at) {
            line(&mut out, &fields(report, row, compared(comparison)));
        }
    }
    out
}

/// The row that is held against another in a comparison: of a sweep the one at its point, for others may have its name.
fn other(report: &Report, comparison: usize) -> Option<usize> {
    let points = report.sweep.iter().flat_map(|sweep| &sweep.points);
    let mut points = points.filter(|point| point.comparisons.contains(&comparison));
    let mut rows = match points.next() {
        Some(point) => point.rows.clone(),
        None => (0..report.rows.len()).collect(),
    }
    .into_iter();
    rows.find(|row| report.rows[*row].scenario == report.comparisons[comparison].other)
}

/// `metric` to `why` of a comparison: the ratio as `compared_cycles` and the like, and the verdict in
/// front of the reason.
fn compared(comparison: &Comparison) -> [String; 9] {
    let verdict = comparison
        .verdict
        .map(|verdict| format!("{verdict:?}").to_lowercase());
    let why: Vec<String> = verdict.into_iter().chain(comparison.why.clone()).collect();
    let ratio = Metric {
        value: comparison.ratio,
        low: comparison.low,
        high: comparison.high,
        basis: comparison.basis,
        ..Metric::none(why.join("; "))
    };
    let name = format!("compared_{}", comparison.metric);
    number(&name, &format!("of {}", comparison.base), &ratio)
}

/// A line of one number, between what is about its row and what is about the run.
fn fields(report: &Report, at: usize, number: [String; 9]) -> Vec<String> {
    let row = &report.rows[at];
    let params = row
        .params
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let provenance = &report.provenance;
    let mut fields = vec![
        named(&row.scenario),
        named(&row.template),
        row.template_sha256.clone(),
        params.collect::<Vec<_>>().join(" "),
        row.status.name().to_string(),
    ];
    fields.extend(number);
    fields.extend([
        provenance.cpu.clone(),
        provenance.date.clone(),
        provenance.seed.to_string(),
        provenance.tool.clone(),
        row.modelled_runtime
            .iter()
            .map(|one| one.function.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        report
            .sweep
            .as_ref()
            .and_then(|sweep| sweep.point_of(at))
            .unwrap_or_default(),
    ]);
    fields
}

/// A name. What a spreadsheet would take for a formula, a number, a date or a truth value stands behind `./`, as the file
/// that it is of can be named, too.
fn named(name: &str) -> String {
    let is_odd = |first: char| first.is_ascii_digit() || "=+-@.\t".contains(first);
    let is_truth = ["true", "false"].contains(&name.to_lowercase().as_str());
    let is_path = name.starts_with("./") || name.starts_with("../");
    match !is_path && (is_truth || name.starts_with(is_odd)) {
        true => format!("./{name}"),
        false => name.to_string(),
    }
}

/// `metric` to `why`.
fn number(name: &str, unit: &str, metric: &Metric) -> [String; 9] {
    let shown = |value: Option<f64>| match value.filter(|value| value.is_finite()) {
        Some(value) if metric.basis == Basis::Exact => value.to_string(),
        Some(value) => significant(value).to_string(),
        None => String::new(),
    };
    [
        name.to_string(),
        shown(metric.value),
        shown(metric.low),
        shown(metric.high),
        unit.to_string(),
        metric.basis.name().to_string(),
        metric.source.clone().unwrap_or_default(),
        metric
            .stepped
            .map(|count| count.to_string())
            .unwrap_or_default(),
        metric.why.clone().unwrap_or_default(),
    ]
}

/// One record. Lines end with CR and LF, as RFC 4180 has them.
fn line(out: &mut String, fields: &[String]) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(field);
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, golden};

    /// The records of a CSV text, by the grammar of RFC 4180 and nothing else.
    fn records(text: &str) -> Vec<Vec<String>> {
        let mut records = vec![vec![String::new()]];
        let mut quoted = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let record = records.last_mut().expect("one");
            let field = record.last_mut().expect("one");
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    field.push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => record.push(String::new()),
                '\r' if !quoted => {
                    assert_eq!(chars.next(), Some('\n'));
                    records.push(vec![String::new()]);
                }
                c => field.push(c),
            }
        }
        assert_eq!(
            records.pop(),
            Some(vec![String::new()]),
            "the last line ends"
        );
        records
    }

    #[test]
    fn a_report_as_csv() {
        golden::compare("report.csv", &render(&fixture::report()));
    }

    #[test]
    fn every_ratio_of_the_table_is_a_line_that_names_its_reference() {
        let report = fixture::report();
        let records = records(&render(&report));
        let found: Vec<_> = records
            .iter()
            .filter(|record| record[5] == "ratio")
            .collect();
        let rows: Vec<_> = report
            .rows
            .iter()
            .filter(|row| row.ratio.is_some())
            .collect();
        assert!(!rows.is_empty());
        assert_eq!(found.len(), rows.len());
        for (record, row) in found.iter().zip(rows) {
            assert_eq!(record[0], row.scenario);
            assert_eq!(record[6].parse().ok(), row.ratio.map(significant));
            let reference = report.reference.as_deref().expect("one");
            assert!(record[9].ends_with(reference), "{record:?}");
        }
    }

    #[test]
    fn rows_of_one_name_at_several_points_are_told_apart_and_so_are_their_comparisons() {
        let records = records(&render(&fixture::two_curves()));
        let points = |metric: &str| -> Vec<&str> {
            let own = records.iter().filter(|one| one[0] == "direct_call");
            let own = own.filter(|one| one[5] == metric);
            own.map(|one| &one[HEAD.len() - 1][..]).collect()
        };
        let all = ["targets=1", "targets=2", "targets=4", "targets=8"];
        assert_eq!(points("cycles"), all);
        assert_eq!(points("compared_cycles"), all);
        // What is no scan has no points.
        let plain = self::records(&render(&fixture::report()));
        assert!(plain[1..].iter().all(|one| one[HEAD.len() - 1].is_empty()));
    }

    #[test]
    fn fields_with_commas_quotes_and_line_breaks_come_back() {
        let mut report = fixture::report();
        let odd = "a,b \"c\"\r\nd[order=random,targets=8]";
        report.rows[0].scenario = odd.into();
        let records = records(&render(&report));
        assert_eq!(records[1][0], odd);
        assert!(records.iter().all(|record| record.len() == HEAD.len()));
    }

    #[test]
    fn names_that_a_spreadsheet_would_calculate_with_stand_behind_a_folder() {
        for name in [
            "=1+1",
            "-3",
            "+3",
            "@SUM(1)",
            "12",
            "1e5",
            "2026-11-30",
            "1:30",
            ".5",
            "TRUE",
            "false",
        ] {
            assert_eq!(named(name), format!("./{name}"));
        }
        for name in [
            "itab_call",
            "e5",
            "true_call",
            "./=1+1",
            "../12",
            "/tmp/12",
            "_1",
            "falsey",
            "",
        ] {
            assert_eq!(named(name), name);
        }
        let mut report = fixture::report();
        report.rows[0].scenario = "=1+1".into();
        assert_eq!(records(&render(&report))[1][0], "./=1+1");
    }

    #[test]
    fn every_number_has_a_basis_and_every_absence_a_reason() {
        let records = records(&render(&fixture::report()));
        let at = |name: &str| HEAD.iter().position(|head| *head == name).expect(name);
        for record in &records[1..] {
            let has_value = !record[at("value")].is_empty();
            assert_eq!(has_value, record[at("why")].is_empty(), "{record:?}");
            assert_eq!(has_value, !record[at("source")].is_empty(), "{record:?}");
            let is_row = record[at("metric")].is_empty();
            assert_eq!(is_row, record[at("basis")].is_empty(), "{record:?}");
        }
    }
}
