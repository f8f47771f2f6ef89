//! The report as a table for GitHub: the columns of the text, their basis and unit in two rows.
//!
//! Correct means: the table has one line a row, whatever a name or a message contains, every number
//! of the text stands in it with its mark, and the remarks and the machine stand under it.

use std::fmt::Write as _;

use super::notes::Notes;
use super::table::{self, Cell, Column};
use super::{Detail, further, legend, overlay, provenance, reason};
use crate::report::{Basis, Report, Row, printable};
use crate::text::Style;

/// Nothing is wrapped: whoever shows Markdown does that.
const STYLE: Style = Style {
    width: usize::MAX,
    color: false,
    unicode: true,
};

/// The whole report but its warnings, with a line break at the end.
pub fn render(report: &Report) -> String {
    let report = &printable::of(report);
    let mut columns = table::all_columns(report, STYLE, Detail::Full);
    let mut notes = Notes::mark(&mut columns, STYLE, Detail::Full);
    let mut out = heads(&columns);
    for (index, row) in report.rows.iter().enumerate() {
        let ended = ended(row, &columns[0].cells[index], &mut notes);
        let cells = columns.iter().map(|column| match &row.metrics {
            Some(_) => {
                let cell = &column.cells[index];
                let ended = if column.head == "cycles" { &ended } else { "" };
                let marks = [&cell.mark[..], ended].map(str::to_string);
                let marks = marks.into_iter().filter(|mark| !mark.is_empty());
                format!("{}{}", cell.text, marks.collect::<Vec<_>>().join("⁺"))
            }
            None if column.head == "cycles" => format!("*{}*{ended}", row.status.name()),
            None => String::new(),
        });
        line(&mut out, &escaped(&row.scenario), cells);
    }
    let under = [
        legend(report, STYLE, |_| true),
        overlay::files(report, STYLE),
        provenance(report, STYLE),
    ]
    .concat();
    out.push('\n');
    let warnings = super::laid_out(&report.warnings, STYLE);
    let warnings = warnings.lines().map(str::to_string);
    let further = further::of_all(report, STYLE);
    let further = further.lines().map(str::to_string);
    for text in notes
        .lines()
        .chain(further)
        .chain(warnings)
        .chain(under.lines().map(str::to_string))
    {
        let _ = writeln!(out, "- {}", escaped(text.trim()));
    }
    let findings = super::findings(report, STYLE, Detail::Full);
    if !findings.is_empty() {
        let _ = write!(out, "\n```text\n{findings}```\n");
    }
    out
}

/// Three lines: heads, what GitHub needs to see a table, the basis; and the units.
fn heads(columns: &[Column]) -> String {
    let mut out = String::new();
    line(
        &mut out,
        "scenario",
        columns.iter().map(|column| column.head.to_string()),
    );
    line(&mut out, "---", columns.iter().map(|_| "--:".to_string()));
    let basis = |column: &Column| column.basis.map_or(String::new(), emphasis);
    line(&mut out, "*basis*", columns.iter().map(basis));
    let units = columns.iter().map(|column| format!("*{}*", column.unit));
    line(&mut out, "*unit, per iteration*", units);
    out
}

fn emphasis(basis: Basis) -> String {
    format!("*{}*", basis.name())
}

fn line(out: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(out, "| {name} |");
    for cell in cells {
        let _ = write!(out, " {cell} |");
    }
    out.push('\n');
}

/// The marks of what a row ended in, and where it has no number of what must be said of it.
fn ended(row: &Row, first: &Cell, notes: &mut Notes) -> String {
    let mut remarks = match row.metrics {
        Some(_) => Vec::new(),
        None => first
            .remarks
            .iter()
            .map(|remark| remark.said(STYLE))
            .collect(),
    };
    remarks.extend(Some(reason(&row.status)).filter(|reason| !reason.is_empty()));
    notes.footnotes(&remarks)
}

/// Text that shows as it is: nothing in it ends a cell or a line, or is a mark-up of its own.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, golden};

    #[test]
    fn a_report_as_markdown() {
        golden::compare("report.md", &render(&fixture::report()));
    }

    #[test]
    fn every_line_of_the_table_has_the_same_cells_whatever_the_names_are() {
        let mut report = fixture::report();
        report.rows[0].scenario = "a|b\n`c`[x=*1*]".into();
        let text = render(&report);
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with('|'))
            .collect();
        assert_eq!(lines.len(), report.rows.len() + 4);
        assert!(
            lines.iter().all(|line| cells(line) == cells(lines[0])),
            "{text}"
        );
        assert!(text.contains(r"a\|b\\n\`c\`\[x=\*1\*\]"), "{text}");
    }

    #[test]
    fn the_numbers_are_those_of_the_text() {
        let report = fixture::report();
        let text = super::super::in_full(&report, STYLE);
        let markdown = render(&report);
        for word in text
            .split_whitespace()
            .filter(|word| word.parse::<f64>().is_ok())
        {
            assert!(markdown.contains(word), "{word}");
        }
    }
}
