//! The report as one JSON document, schema 1.
//!
//! Correct means: the names, their order and the words are those of schema 1, for other tools hold on
//! to them. Further fields may follow the known ones; none of those may change.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Report, Row};

/// The version of the document's layout.
pub(super) const SCHEMA: u32 = 1;

/// The whole report, with a line break at the end; pretty-printed where no samples make it long. What a row
/// without numbers has no number for is left out.
pub fn render(report: &Report) -> String {
    let mut document = json!({ "schema": SCHEMA });
    if let (Value::Object(all), Value::Object(own)) = (&mut document, plain(report)) {
        all.extend(own);
    }
    let rows = document["rows"].as_array_mut().into_iter().flatten();
    for fields in rows.filter_map(Value::as_object_mut) {
        if !fields.contains_key("metrics") {
            fields.retain(|name, _| !Row::MEASURED.contains(&&name[..]));
        }
    }
    if report.rows.iter().any(|row| row.samples.is_some()) {
        return format!("{document}\n");
    }
    format!("{document:#}\n")
}

/// A value whose serialisation is the document's.
pub(super) fn plain<T: Serialize>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(value) => value,
        Err(error) => unreachable!("reports have text keys and plain fields only: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::report::samples::Samples;
    use crate::report::{ColdCall, fixture, golden, misses};
    use crate::stats;
    use crate::template::Cold;

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

    /// A row with everything that a row can have.
    fn full() -> Row {
        let model = misses::Modelled {
            trace: "step",
            iterations: 1,
            counted: 1,
            sites: Vec::new(),
        };
        Row {
            cold: Some(ColdCall {
                scrubbed: Cold::Dcache,
                cycles: fixture::measured(1.0),
                warm: fixture::measured(1.0),
                scrub_ns: fixture::measured(1.0),
                entries: 1,
                doubtful: false,
            }),
            modelled: Some(misses::Models {
                modelled: model,
                disagreement: None,
            }),
            samples: Some(Samples::of(&stats::fixture::empty())),
            ..fixture::ok("full", 1.0, 1.0, (1.0, 1.0))
        }
    }

    #[test]
    fn the_fields_of_a_row_are_those_of_the_method() {
        let method = include_str!("../../docs/method.md");
        let table = method.split("| field |").nth(1).expect("a table of fields");
        let table = table.split("\n\n").next().expect("its rows");
        let cells = table.lines().filter_map(|line| line.split('|').nth(1));
        let documented: BTreeSet<&str> = cells
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .collect();
        let mut report = fixture::report();
        report.rows.push(full());
        let document = parsed(&report);
        let rows = document["rows"].as_array().expect("rows").iter();
        let keys = rows.filter_map(Value::as_object).flat_map(|row| row.keys());
        let written: BTreeSet<&str> = keys.map(String::as_str).collect();
        assert_eq!(documented, written);
    }

    #[test]
    fn what_is_said_of_rows_with_numbers_only_are_fields_of_them() {
        let written = plain(&full());
        for name in Row::MEASURED {
            assert!(written.get(name).is_some(), "{name}");
        }
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
        #[rustfmt::skip] // a table: in the stated order
        let first = [
            "scenario", "template", "template_path", "template_sha256", "params", "status", "iterations", "checksum",
            "metrics", "verified", "clobbers", "baseline", "layout", "published", "dropped_samples",
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
        #[rustfmt::skip] // a table: in the stated order
        let provenance = [
            "tool", "cpu", "family", "model", "microcode", "kernel", "hypervisor", "pinned_cpu", "tsc_hz", "core_hz",
            "core_hz_spread", "seed", "date", "sources", "predictor", "command", "job_sha256",
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
            plain(&fixture::exact(5.000_003_814_697_266))["value"],
            json!(5.000_003_814_697_266)
        );
        assert_eq!(
            plain(&fixture::measured(28.312_345_678))["value"],
            json!(28.3123)
        );
        assert_eq!(plain(&fixture::measured(f64::NAN))["value"], Value::Null);
    }
}
