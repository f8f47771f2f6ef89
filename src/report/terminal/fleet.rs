//! Several reports beside each other, as text: a line for each kind of CPU.
//!
//! Correct means: a report that lies apart is named, and what has no number is no number.

use crate::report::fleet::{Line, Named, OfCpu};
use crate::text::printable::line as plain;
use crate::text::{Paint, Style, columns, hanging};

/// The scenarios that are in more than one report, with a line break at the end.
pub fn render(reports: &[Named<'_>], lines: &[Line], style: Style) -> String {
    let shared = lines.iter().filter(|line| line.reports() > 1);
    let mut out = String::new();
    for line in shared {
        out += &style.paint_lines(
            Paint::Head,
            &hanging(&plain(&line.scenario), "", 0, style.width),
        );
        let names: Vec<_> = line.cpus.iter().map(|cpu| plain(&cpu.cpu)).collect();
        let width = names.iter().map(|name| columns(name)).max().unwrap_or(0);
        for (cpu, name) in line.cpus.iter().zip(&names) {
            let blanks = " ".repeat(width - columns(name));
            let said = told(cpu, reports, style);
            out += &format!("  {name}{blanks}  {said}\n");
        }
    }
    match out.is_empty() {
        true => "no scenario of one text is in more than one of them\n".into(),
        false => out,
    }
}

fn told(cpu: &OfCpu, reports: &[Named<'_>], style: Style) -> String {
    let mut said = match cpu.median {
        None => style.absent().to_string(),
        Some(median) if cpu.values.len() == 1 => format!("{median:.2} cycles"),
        Some(median) => format!("{median:.2} cycles, median of {}", cpu.values.len()),
    };
    let value = |report: &usize| {
        let found = cpu.values.iter().find(|(own, _)| own == report);
        found.and_then(|(_, metric)| metric.value)
    };
    let apart: Vec<String> = cpu
        .apart
        .iter()
        .map(|report| {
            let value = value(report).map_or(String::new(), |value| format!(" {value:.2}"));
            format!("{}{value}", plain(reports[*report].name))
        })
        .collect();
    if !apart.is_empty() {
        said += &format!("; apart: {}", apart.join(", "));
    }
    let without: Vec<_> = cpu
        .without
        .iter()
        .map(|report| plain(reports[*report].name))
        .collect();
    if !without.is_empty() {
        said += &format!("; without a number: {}", without.join(", "));
    }
    said
}
