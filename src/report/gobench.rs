//! The report in the format of Go's benchmarks, for benchstat and what else reads it.
//!
//! Correct means: benchstat takes every line, `-col /scenario` and `-col /KEY` of a parameter hold what belongs together
//! against each other, each line is a value that was measured, and a unit says so where its numbers were not.

use std::fmt::Write as _;

use super::{Basis, Repeat, Report, Row};
use crate::stats::Quantity;
use crate::text::printable;

/// The counts of a line, with their units where they are not inferred.
#[rustfmt::skip] // a table: one count a line
const COUNTS: [(Quantity, &str); 5] = [
    (Quantity::Instructions, "instrs/op"),
    (Quantity::Branches,     "branches/op"),
    (Quantity::BranchMisses, "misses/op"),
    (Quantity::AllocBytes,   "B/op"),
    (Quantity::Allocs,       "allocs/op"),
];

/// The whole report, with a line break at the end; a row without numbers is a comment with its reason.
pub fn render(report: &Report) -> String {
    let known = &report.provenance;
    let mut out = String::from("goos: linux\ngoarch: amd64\npkg: dispatchlab\n");
    let _ = writeln!(out, "cpu: {}", printable::line(&known.cpu));
    let _ = writeln!(out, "kernel: {}", printable::line(&known.kernel));
    let _ = writeln!(out, "date: {}", printable::line(&known.date));
    out += "Unit cycles/op better=lower\nUnit inferred-misses/op better=lower\nUnit modelled-misses/op better=lower\n";
    for row in &report.rows {
        match row.repeats.is_empty() {
            true => {
                let reason = super::terminal::reason(&row.status);
                let name = printable::line(&row.scenario);
                let _ = writeln!(out, "# {name}: {reason}");
            }
            false => {
                let repeats = row.repeats.iter().enumerate();
                out.extend(repeats.map(|(at, repeat)| line(row, repeat, at == 0)));
            }
        }
    }
    out
}

/// One value. A count that has noise is one of the whole row, and stands in its first line alone: repeated it would look as
/// if it had been found again each time.
fn line(row: &Row, repeat: &Repeat, is_first: bool) -> String {
    let mut line = format!(
        "Benchmark{} {} {:.5} ns/op {:.5} cycles/op",
        name(row),
        repeat.iterations,
        repeat.ns,
        repeat.cycles
    );
    for (quantity, unit) in COUNTS {
        let Some(metric) = row.metric(quantity) else {
            continue;
        };
        let is_here = is_first || metric.basis == Basis::Exact;
        if let Some(value) = metric.value.filter(|_| is_here) {
            let basis = match metric.basis {
                Basis::Inferred => "inferred-",
                Basis::Modelled => "modelled-",
                _ => "",
            };
            let _ = write!(line, " {value} {basis}{unit}");
        }
    }
    line + "\n"
}

/// `/scenario=NAME/KEY=VALUE`: the template, and the parameters that its name has.
fn name(row: &Row) -> String {
    let settings = row
        .scenario
        .split_once('[')
        .map_or("", |(_, settings)| settings);
    let settings = settings
        .trim_end_matches(']')
        .split(',')
        .filter(|one| !one.is_empty());
    let mut name = format!("Dispatch/scenario={}", word(&row.template));
    for setting in settings {
        let _ = write!(name, "/{}", word(setting));
    }
    name
}

/// A word of a name: a blank would end it, and a slash begin another.
fn word(text: &str) -> String {
    let plain = printable::line(text);
    plain
        .chars()
        .map(|c| {
            if c.is_whitespace() || c == '/' {
                '_'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, golden};

    #[test]
    fn the_lines_of_every_status_are_as_they_were() {
        golden::compare("report_all.gobench", &render(&fixture::report()));
    }

    #[test]
    fn each_line_of_a_benchmark_is_a_name_a_count_and_pairs() {
        for line in render(&fixture::report())
            .lines()
            .filter(|line| line.starts_with("Benchmark"))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(words.len() >= 4 && words.len().is_multiple_of(2), "{line}");
            assert!(words[1].parse::<u64>().is_ok(), "{line}");
            assert!(
                words[2..]
                    .chunks(2)
                    .all(|pair| pair[0].parse::<f64>().is_ok()),
                "{line}"
            );
        }
    }

    #[test]
    fn inferred_misses_have_a_unit_that_says_so() {
        let text = render(&fixture::tour());
        assert_eq!(text.matches(" 0.984 inferred-misses/op").count(), 1);
        assert!(!text.contains(" misses/op"));
    }

    #[test]
    fn a_name_is_one_word_whatever_it_is_made_of() {
        let row = Row {
            scenario: "my call[order=@a b/c]".into(),
            template: "my call".into(),
            ..Row::default()
        };
        assert_eq!(name(&row), "Dispatch/scenario=my_call/order=@a_b_c");
    }
}
