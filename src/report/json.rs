//! The report as one JSON document, schema 1.
//!
//! Correct means: the names, their order and the words are those of schema 1, for other tools hold on
//! to them. Further fields may follow the known ones; none of those may change.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Basis, Comparison, FaultReport, Held, Metric, Report, Row, SiteMisses, Status, misses,
};
use crate::stats::Mode;
use crate::text::diagnostic::Diagnostic;

/// The version of the document's layout.
pub(super) const SCHEMA: u32 = 1;
/// Digits of a number that has noise. Exact ones keep all of theirs: a count that is wrong once in a
/// walk must show.
const DIGITS: usize = 6;

/// The whole report, with a line break at the end; pretty-printed where no samples make it long.
pub fn render(report: &Report) -> String {
    let mut document = Map::new();
    document.insert("schema".into(), json!(SCHEMA));
    document.insert("provenance".into(), plain(&report.provenance));
    document.insert("rows".into(), report.rows.iter().map(row).collect());
    if !report.comparisons.is_empty() {
        let comparisons = report.comparisons.iter().map(comparison).collect();
        document.insert("comparisons".into(), comparisons);
    }
    if !report.changes.is_empty() {
        document.insert("changes".into(), plain(&report.changes));
    }
    if let Some(ablation) = &report.ablation {
        document.insert("ablation".into(), plain(ablation));
    }
    if let Some(sweep) = &report.sweep {
        document.insert("sweep".into(), plain(sweep));
    }
    document.insert("reference".into(), json!(report.reference));
    document.insert("warnings".into(), json!(report.warnings));
    let document = Value::Object(document);
    if report.rows.iter().any(|row| row.samples.is_some()) {
        return format!("{document}\n");
    }
    format!("{document:#}\n")
}

/// A comparison; of its numbers, the digits that mean something.
fn comparison(comparison: &Comparison) -> Value {
    let mut value = plain(comparison);
    for name in ["ratio", "low", "high", "p"] {
        if let Some(number) = value.get_mut(name) {
            *number = number.as_f64().map_or(Value::Null, rounded);
        }
    }
    value["values"] = match comparison.values {
        Some((base, other)) => json!([rounded(base), rounded(other)]),
        None => Value::Null,
    };
    value
}

/// One row. What a failed row has no number for is left out.
fn row(row: &Row) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    put("scenario", json!(row.scenario));
    put("template", json!(row.template));
    put("template_path", json!(row.template_path));
    put("template_sha256", json!(row.template_sha256));
    put("params", plain(&row.params));
    put("status", json!(row.status.name()));
    for (name, value) in reason(&row.status) {
        put(name, value);
    }
    if let Some(metrics) = &row.metrics {
        put("iterations", json!(row.iterations));
        if let Some(checksum) = &row.checksum {
            put("checksum", plain(checksum));
        }
        let mut numbers = json!({
            "ns": metric(&metrics.ns),
            "cycles": metric(&metrics.cycles),
            "instructions": metric(&metrics.instructions),
            "branches": metric(&metrics.branches),
            "branch_misses": metric(&metrics.branch_misses),
            "allocs": metric(&metrics.allocs),
            "alloc_bytes": metric(&metrics.alloc_bytes),
        });
        if !row.sites.is_empty() {
            numbers["branch_misses"]["sites"] = row.sites.iter().map(site).collect();
        }
        for further in &row.further {
            let mut number = metric(&further.metric);
            number["unit"] = json!(further.unit);
            numbers[&further.name] = number;
        }
        put("metrics", numbers);
        put("verified", json!(row.verified));
    }
    put("clobbers", plain(&row.clobbers));
    if let Some(baseline) = &row.baseline {
        put(
            "baseline",
            json!({
                "cycles": metric(&baseline.cycles),
                "instructions": metric(&baseline.instructions),
            }),
        );
    }
    if let Some(layout) = &row.layout {
        put(
            "layout",
            json!({
                "placements": layout.placements,
                "cycles_min": rounded(layout.cycles_min),
                "cycles_max": rounded(layout.cycles_max),
                "cycles_median": rounded(layout.cycles_median),
            }),
        );
    }
    put("published", row.published.iter().map(held).collect());
    if row.metrics.is_some() {
        put("dropped_samples", json!(row.dropped_samples));
        put("doubtful", json!(row.doubtful));
        put("disturbances", plain(&row.disturbances));
        let settled = row.settled;
        put("settled", json!(settled.map(|one| one.is_settled)));
        let long_run = settled.and_then(|one| one.long_run);
        put(
            "long_run",
            long_run.map_or(Value::Null, |cycles| json!({ "cycles": rounded(cycles) })),
        );
        put("bistable", json!(row.modes.is_some()));
        put("modes", row.modes.iter().flatten().map(mode).collect());
        put("ratio", row.ratio.map_or(Value::Null, rounded));
        if let Some(cold) = &row.cold {
            put(
                "cold",
                json!({
                    "scrubbed": cold.scrubbed,
                    "cycles": metric(&cold.cycles),
                    "warm": metric(&cold.warm),
                    "scrub_ns": metric(&cold.scrub_ns),
                    "entries": cold.entries,
                    "doubtful": cold.doubtful,
                }),
            );
        }
    }
    if let Some(models) = &row.modelled {
        put("modelled", misses::json_of_row(models));
    }
    if row.metrics.is_some() {
        put("modelled_runtime", plain(&row.modelled_runtime));
    }
    if let Some([instructions, branches]) = row.around {
        let around = json!({ "instructions": instructions, "branches": branches });
        put("around", around);
    }
    put("section", json!(row.section));
    put("today", json!(row.today));
    put("title", json!(row.title));
    put("note", json!(row.note));
    put("warnings", json!(row.warnings));
    if let Some(samples) = &row.samples {
        put("samples", plain(samples));
    }
    Value::Object(fields)
}

/// One branch of those that misses are inferred of.
fn site(site: &SiteMisses) -> Value {
    let mut value = plain(site);
    for name in ["value", "low", "high"] {
        if let Some(number) = value.get_mut(name) {
            *number = number.as_f64().map_or(Value::Null, rounded);
        }
    }
    value
}

/// A published figure; of ours beside it, the digits that mean something.
fn held(held: &Held) -> Value {
    let mut value = plain(held);
    if held.basis != Some(Basis::Exact) {
        value["measured"] = held.measured.map_or(Value::Null, rounded);
    }
    value
}

/// One of the speeds of a row that has two.
fn mode(mode: &Mode) -> Value {
    json!({ "cycles": rounded(mode.cycles), "share": rounded(mode.share) })
}

/// The fields that say why a row has no number, or what it ended in.
pub(super) fn reason(status: &Status) -> Vec<(&'static str, Value)> {
    match status {
        Status::Ok => Vec::new(),
        Status::Panic { message, .. } => vec![("panic", json!(message))],
        Status::Fault(report) | Status::Timeout(report) => vec![("fault", fault(report))],
        Status::WrongResult {
            element,
            expected,
            actual,
        } => vec![
            ("element", json!(element)),
            // Hexadecimal text, for a number above 2^53 does not survive every JSON reader.
            ("expected", json!(format!("{expected:#x}"))),
            ("actual", json!(format!("{actual:#x}"))),
        ],
        Status::Error(diagnostics) => {
            vec![("diagnostics", diagnostics.iter().map(diagnostic).collect())]
        }
        Status::Ended {
            template,
            message,
            help,
        } => {
            let said = json!({
                "file": template,
                "line": null,
                "column": null,
                "message": message,
                "help": help,
            });
            vec![("diagnostics", json!([said]))]
        }
    }
}

fn fault(report: &FaultReport) -> Value {
    let mut fault = json!({
        "signal": report.signal,
        "address": report.address,
        "template": report.template,
        "line": report.line,
        "text": report.text,
        "message": report.message,
        "registers": report.registers,
    });
    if let Some(call) = &report.call {
        fault["call"] = json!(call);
    }
    match (&report.kind, fault) {
        (Some(kind), Value::Object(rest)) => {
            let kind = ("kind".to_string(), json!(kind));
            Value::Object([kind].into_iter().chain(rest).collect())
        }
        (_, fault) => fault,
    }
}

/// A diagnostic as every command's JSON has it.
pub fn diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "width": diagnostic.width,
        "text": diagnostic.text,
        "origin": diagnostic.origin,
    })
}

/// A metric; `value` is null where there is none, and `why` says so.
fn metric(metric: &Metric) -> Value {
    let mut value = plain(metric);
    if metric.basis != Basis::Exact {
        for name in ["value", "low", "high"] {
            if let Some(number) = value.get_mut(name) {
                *number = number.as_f64().map_or(Value::Null, rounded);
            }
        }
    }
    value
}

/// A number with the digits that mean something; null where it is none.
fn rounded(number: f64) -> Value {
    json!(significant(number))
}

/// A number cut to the digits that mean something.
pub(super) fn significant(number: f64) -> f64 {
    let short = format!("{number:.*e}", DIGITS - 1);
    short.parse::<f64>().unwrap_or(number)
}

/// A value whose serialisation is the document's.
fn plain<T: Serialize>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(value) => value,
        Err(error) => unreachable!("reports have text keys and plain fields only: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, golden};

    fn parsed(report: &Report) -> Value {
        serde_json::from_str(&render(report)).expect("the document is JSON")
    }

    #[test]
    fn the_document_of_every_status_is_as_it_was() {
        golden::compare("report_all.json", &render(&fixture::report()));
    }

    #[test]
    fn the_kinds_of_faults_are_those_of_schema_1_and_a_timeout_has_none() {
        let document = parsed(&fixture::report());
        let rows = document["rows"].as_array().expect("rows");
        let mut timeouts = 0;
        for row in rows.iter().filter(|row| row["fault"].is_object()) {
            let kind = row["fault"].get("kind");
            if row["status"] == "timeout" {
                assert_eq!(kind, None, "{row}");
                assert!(row["fault"]["line"].is_u64() && row["fault"]["template"].is_string());
                timeouts += 1;
            } else {
                let known = ["signal", "clobber", "stack", "flags", "exit"];
                let kind = kind.and_then(Value::as_str).expect("a kind");
                assert!(known.contains(&kind), "{kind}");
            }
        }
        assert!(timeouts > 0);
    }

    #[test]
    fn an_empty_run_is_a_document_too() {
        let document = parsed(&Report {
            rows: Vec::new(),
            ..fixture::report()
        });
        assert_eq!(document["schema"], 1);
        assert_eq!(document["rows"], json!([]));
    }

    #[test]
    fn fields_stand_in_the_stated_order() {
        let document = parsed(&fixture::report());
        let keys = |value: &Value| {
            value
                .as_object()
                .expect("an object")
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&document)[..3], ["schema", "provenance", "rows"]);
        let first = [
            "scenario",
            "template",
            "template_path",
            "template_sha256",
            "params",
            "status",
            "iterations",
            "checksum",
            "metrics",
            "verified",
            "clobbers",
            "baseline",
            "layout",
            "published",
            "dropped_samples",
        ];
        let rows = document["rows"].as_array().expect("rows");
        assert_eq!(keys(&rows[0])[..first.len()], first);
        assert_eq!(
            keys(&rows[0]["metrics"])[..5],
            ["ns", "cycles", "instructions", "branches", "branch_misses"]
        );
        let fault = rows
            .iter()
            .find(|row| row["status"] == "fault")
            .expect("a fault");
        assert_eq!(
            keys(&fault["fault"])[..6],
            ["kind", "signal", "address", "template", "line", "text"]
        );
        let provenance = [
            "tool",
            "cpu",
            "family",
            "model",
            "microcode",
            "kernel",
            "hypervisor",
            "pinned_cpu",
            "tsc_hz",
            "core_hz",
            "core_hz_spread",
            "seed",
            "date",
            "sources",
            "predictor",
        ];
        assert_eq!(keys(&document["provenance"]), provenance);
    }

    #[test]
    fn what_is_unsupported_is_null_and_says_why() {
        let document = parsed(&fixture::report());
        let misses = &document["rows"][0]["metrics"]["branch_misses"];
        assert!(
            misses["value"].is_null() && misses["why"].is_string(),
            "{misses}"
        );
        assert_eq!(misses["basis"], "unsupported");
    }

    #[test]
    fn exact_counts_keep_every_digit_and_measured_ones_six() {
        assert_eq!(
            metric(&fixture::exact(5.000_003_814_697_266))["value"],
            json!(5.000_003_814_697_266)
        );
        assert_eq!(
            metric(&fixture::measured(28.312_345_678))["value"],
            json!(28.3123)
        );
        assert_eq!(metric(&fixture::measured(f64::NAN))["value"], Value::Null);
    }
}
