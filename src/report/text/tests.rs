//! Whole reports.

use super::*;
use crate::report::{Report, fixture, golden};

const PIPED: Style = Style {
    width: 80,
    color: false,
    unicode: true,
};

/// Both streams, results first.
fn both(report: &Report, style: Style) -> String {
    format!("{}{}", render(report, style), warnings(report, style))
}

#[test]
fn the_report_of_every_status_is_as_it_was() {
    golden::compare("report_80.txt", &both(&fixture::report(), PIPED));
}

#[test]
fn a_wide_terminal_has_every_name_beside_its_numbers() {
    golden::compare(
        "report_120.txt",
        &both(
            &fixture::report(),
            Style {
                width: 120,
                ..PIPED
            },
        ),
    );
}

#[test]
fn without_unicode_the_report_is_ascii() {
    let text = both(
        &fixture::report(),
        Style {
            unicode: false,
            ..PIPED
        },
    );
    assert!(text.is_ascii(), "{text}");
    golden::compare("report_ascii.txt", &text);
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for width in [80, 100, 132] {
        for line in both(&fixture::report(), Style { width, ..PIPED }).lines() {
            assert!(crate::text::wrap::columns(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let plain = both(&fixture::report(), PIPED);
    let coloured = both(
        &fixture::report(),
        Style {
            color: true,
            ..PIPED
        },
    );
    let mut stripped = String::new();
    for (at, part) in coloured.split("\x1b[").enumerate() {
        stripped += if at == 0 {
            part
        } else {
            part.split_once('m').map_or("", |(_, rest)| rest)
        };
    }
    assert_eq!(stripped, plain);
    assert!(!plain.contains('\x1b'));
}

#[test]
fn a_number_that_is_not_to_be_had_is_never_zero() {
    let mut report = fixture::report();
    report.rows.truncate(1);
    let text = both(&report, PIPED);
    let row = text
        .lines()
        .find(|line| line.starts_with("inline"))
        .expect("the row");
    let misses = row.split_whitespace().rev().nth(1);
    assert_eq!(misses, Some("–"), "{row}");
    assert!(text.contains("unsupported"));
}

#[test]
fn a_run_without_rows_still_says_where_it_ran() {
    let text = both(
        &Report {
            rows: Vec::new(),
            ..fixture::report()
        },
        PIPED,
    );
    assert!(
        text.contains("AMD EPYC") && !text.contains("scenario"),
        "{text}"
    );
}

#[test]
fn the_narrowest_terminals_do_not_panic() {
    for width in 0..80 {
        render(&fixture::report(), Style { width, ..PIPED });
    }
}

#[test]
fn what_rounds_to_zero_is_printed_without_a_sign() {
    let printed = [(-0.0004, 3), (-0.4, 0), (-0.0006, 3), (0.0, 2), (-12.0, 0)];
    let printed = printed.map(|(value, decimals)| table::printed(value, decimals));
    assert_eq!(printed, ["0.000", "0", "-0.001", "0.00", "-12"]);
}

#[test]
fn numbers_of_any_size_fit_and_stand_apart() {
    let mut report = fixture::report();
    report.rows[0] = fixture::ok("slow", 1_234_567.891, 1_334_567.9, (99_999.0, 1_234.5));
    for width in [80, 120] {
        let text = render(&report, Style { width, ..PIPED });
        let words: Vec<&str> = text.split_whitespace().collect();
        for number in [
            "1234567.89",
            "1234567.89–1284567.90–1334567.90",
            "99999.00",
            "1234.50",
        ] {
            assert!(words.contains(&number), "{number}: {text}");
        }
        for line in text.lines() {
            assert!(crate::text::wrap::columns(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn where_columns_do_not_fit_numbers_stand_below_each_other() {
    let report = fixture::report();
    let narrow = render(&report, Style { width: 46, ..PIPED });
    let long = narrow.lines().filter(|line| line.chars().count() > 46);
    // A path or a name is one word and is not broken.
    let long: Vec<&str> = long.filter(|line| line.trim().contains(' ')).collect();
    assert_eq!(long, Vec::<&str>::new());
    let wide = render(&report, PIPED);
    for word in wide
        .split_whitespace()
        .filter(|word| word.parse::<f64>().is_ok())
    {
        assert!(narrow.contains(word), "{word}");
    }
    assert!(narrow.contains("cycles") && narrow.contains("measured"));
}

/// The report of one row that is altered, nothing folded.
fn altered(alter: impl FnOnce(&mut crate::report::Metrics)) -> String {
    let mut report = fixture::report();
    report.rows.truncate(1);
    alter(report.rows[0].metrics.as_mut().expect("numbers"));
    let style = Style {
        width: 10_000,
        ..PIPED
    };
    both(&report, style)
}

#[test]
fn an_interval_is_told_of_cycles_from_2_percent_on_and_of_nothing_else_that_is_measured() {
    for (half, is_told) in [(0.0099, false), (0.0101, true)] {
        let told = altered(|metrics| {
            metrics.cycles.low = Some(3.402 * (1.0 - half));
            metrics.cycles.high = Some(3.402 * (1.0 + half));
        });
        assert_eq!(told.contains("95 % interval"), is_told, "{half}: {told}");
    }
    let told = altered(|metrics| metrics.ns.high = Some(9.0));
    assert!(!told.contains("95 % interval"), "{told}");
}

#[test]
fn a_number_of_another_basis_or_source_than_its_column_says_so() {
    let told = altered(|metrics| metrics.instructions.basis = Basis::Measured);
    assert!(
        told.contains("measured [step], unlike its column"),
        "{told}"
    );
    let told = altered(|metrics| metrics.instructions.source = Some("interpreter".into()));
    assert!(
        told.contains("exact [interpreter], unlike its column"),
        "{told}"
    );
    assert!(!altered(|_| {}).contains("unlike its column"));
}

#[test]
fn what_was_counted_with_the_harness_and_what_of_a_part_of_the_walk_is_marked() {
    let told = altered(|metrics| metrics.branches.subtracted = Some(1.0));
    assert!(
        told.contains("less the harness's own, which are known exactly"),
        "{told}"
    );
    let told = altered(|metrics| metrics.branches.stepped = Some(64));
    assert!(
        told.contains("counted over the first 64 iterations of the walk"),
        "{told}"
    );
    for (blocks, is_told) in [(0.0, false), (1.0, true)] {
        let told = altered(|metrics| metrics.allocs.value = Some(blocks));
        assert_eq!(
            told.contains("allocations: 1, of 0 bytes"),
            is_told,
            "{told}"
        );
    }
}

#[test]
fn of_code_that_changed_two_lines_around_each_change_are_shown_and_sixty_in_all() {
    use crate::report::{ChangedLine, CodeChange};
    let told = |sides: &str| {
        let line = |(at, side)| ChangedLine {
            side,
            text: format!("add rax, {at}"),
        };
        let report = Report {
            changes: vec![CodeChange {
                base: "base".into(),
                other: "other".into(),
                bytes: [4, 8],
                instructions: [1, 2],
                lines: sides.chars().enumerate().map(line).collect(),
            }],
            ..Report::default()
        };
        render(&report, PIPED)
    };
    let shown = |told: &str| told.lines().filter(|line| line.contains("add rax")).count();
    let told_of = told("     -     ");
    assert_eq!(
        (shown(&told_of), told_of.matches("...").count()),
        (5, 2),
        "{told_of}"
    );
    let told_of = told("-     -");
    assert_eq!(
        (shown(&told_of), told_of.matches("...").count()),
        (6, 1),
        "{told_of}"
    );
    let told_of = told(&"+".repeat(60));
    assert_eq!(
        (shown(&told_of), told_of.contains("more lines")),
        (60, false),
        "{told_of}"
    );
    let told_of = told(&"+".repeat(61));
    assert_eq!(
        (shown(&told_of), told_of.contains("1 more lines")),
        (60, true),
        "{told_of}"
    );
    assert!(told("   ").contains("no instruction differs"));
}

#[test]
fn an_event_rarer_than_one_in_a_thousand_iterations_has_its_power_of_ten() {
    use crate::report::FurtherMetric;
    for (value, printed) in [
        (0.0, "page-faults 0\n"),
        (0.00099, "page-faults 9.9e-4\n"),
        (0.00101, "page-faults 0.001\n"),
    ] {
        let mut report = fixture::report();
        report.rows.truncate(1);
        report.rows[0].further = vec![FurtherMetric {
            name: "page-faults".into(),
            unit: "count",
            metric: fixture::measured(value),
        }];
        let told = both(&report, PIPED);
        assert!(told.contains(printed), "{value}: {told}");
    }
}
