//! A report as a terminal may get it: its names of files, titles, notes and lines of templates are text from
//! elsewhere.
//!
//! Correct means: what is printed of a name or a title neither moves the cursor nor ends a line or a
//! cell of a table, and JSON and CSV, which escape by themselves, have it as it is.

use std::borrow::Cow;

use super::{FaultReport, Metrics, Report, Row, Status};
use crate::template::Figure;
use crate::text::printable::{line, lines};

/// The report with every text in it that comes from a template, a file name or the command line
/// escaped.
pub(super) fn of(report: &Report) -> Report {
    let mut report = report.clone();
    report.rows.iter_mut().for_each(escape_row);
    for one in &mut report.comparisons {
        escape([&mut one.base, &mut one.other]);
        escape(&mut one.why);
    }
    for one in &mut report.changes {
        escape([&mut one.base, &mut one.other]);
        escape(one.lines.iter_mut().map(|line| &mut line.text));
    }
    if let Some(ablation) = &mut report.ablation {
        escape([&mut ablation.scenario]);
        escape(ablation.parts.iter_mut().map(|part| &mut part.part));
    }
    if let Some(sweep) = &mut report.sweep {
        escape(&mut sweep.names);
        escape(sweep.points.iter_mut().flat_map(|point| &mut point.values));
        escape(sweep.knees.iter_mut().map(|knee| &mut knee.text));
        escape(sweep.break_evens.iter_mut().map(|one| &mut one.text));
    }
    if let Some(overlay) = &mut report.overlay {
        escape([&mut overlay.folder]);
        escape(overlay.files.iter_mut().map(|one| &mut one.file));
        if let Some(effect) = &mut overlay.effect {
            escape(&mut effect.same);
            for one in &mut effect.changed {
                escape([&mut one.scenario, &mut one.other]);
                escape(&mut one.why);
            }
        }
    }
    escape(&mut report.reference);
    escape(&mut report.warnings);
    report
}

fn escape<'a>(texts: impl IntoIterator<Item = &'a mut String>) {
    for text in texts {
        if let Cow::Owned(plain) = line(text) {
            *text = plain;
        }
    }
}

fn escape_row(row: &mut Row) {
    escape([
        &mut row.scenario,
        &mut row.template,
        &mut row.template_path,
        &mut row.title,
    ]);
    escape(&mut row.note);
    escape(&mut row.warnings);
    escape(&mut row.section);
    escape(&mut row.today);
    escape(row.metrics.iter_mut().flat_map(Metrics::texts_mut));
    for one in &mut row.modelled_runtime {
        escape([&mut one.function, &mut one.in_go]);
    }
    for one in &mut row.published {
        escape([&mut one.published.metric, &mut one.published.source]);
        escape(&mut one.why);
        if let Figure::Ratio { to, .. } = &mut one.published.figure {
            escape([to]);
        }
    }
    match &mut row.status {
        Status::Ok | Status::WrongResult { .. } => {}
        Status::Panic { message, .. } => escape([message]),
        Status::Fault(report) | Status::Timeout(report) => escape_fault(report),
        Status::Ended {
            template,
            message,
            help,
        } => escape([template, message, help]),
        Status::Error(diagnostics) => {
            for one in diagnostics {
                escape([&mut one.file, &mut one.message]);
                // Of a help the first line is shown.
                if let Some(help) = &mut one.help
                    && let Cow::Owned(plain) = lines(help)
                {
                    *help = plain;
                }
            }
        }
    }
}

fn escape_fault(report: &mut FaultReport) {
    escape([&mut report.message, &mut report.template]);
    escape(&mut report.text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal::markdown;
    use crate::report::{csv, fixture, json, terminal};
    use crate::text::Style;

    #[test]
    fn no_text_of_a_report_reaches_the_terminal_as_a_control() {
        const BAD: &str = "x\x1b[2J\r\ny\u{9b}";
        let mut report = fixture::report();
        for row in &mut report.rows {
            row.scenario += BAD;
            row.template_path = format!("/tmp/{BAD}.asm");
            row.note = Some(BAD.into());
            row.warnings.push(BAD.into());
            if let Some(metrics) = &mut row.metrics {
                for quantity in crate::stats::Quantity::ALL.iter().copied() {
                    let why = &mut metrics[quantity].why;
                    *why = why.take().map(|why| why + BAD);
                }
            }
            match &mut row.status {
                Status::Fault(fault) | Status::Timeout(fault) => {
                    fault.message += BAD;
                    fault.template += BAD;
                    fault.text = Some(BAD.into());
                }
                Status::Panic { message, .. } => *message += BAD,
                Status::Error(diagnostics) => diagnostics[0].message += BAD,
                Status::Ended {
                    template, message, ..
                } => {
                    *template += BAD;
                    *message += BAD;
                }
                _ => {}
            }
        }
        report.warnings.push(BAD.into());
        report.reference = Some(report.rows[0].scenario.clone());
        for width in [30, 80, 300] {
            let style = Style {
                width,
                color: false,
                unicode: true,
            };
            for text in [
                terminal::render(&report, style),
                terminal::warnings(&report, style),
                markdown::render(&report),
            ] {
                let is_odd = |c: char| c.is_control() && c != '\n';
                assert!(!text.contains(is_odd), "{text:?}");
                assert!(
                    text.contains("u{1b}") || text.contains(r"u\{1b\}"),
                    "{text}"
                );
            }
        }
        // These escape by their own rules, and so keep what it was.
        let document: serde_json::Value =
            serde_json::from_str(&json::render(&report)).expect("JSON");
        assert_eq!(document["rows"][0]["scenario"], report.rows[0].scenario);
        assert!(csv::render(&report).contains(BAD));
    }
}
