//! Whole reports.

use super::*;
use crate::report::{Basis, Metric, Report, fixture, golden};
use crate::stats::Quantity;
use crate::text::columns;

const PIPED: Style = Style {
    width: 80,
    color: false,
    unicode: true,
};

/// Both streams, results first.
fn both(report: &Report, style: Style) -> String {
    format!(
        "{}{}",
        render(report, style),
        warnings_beside(report, style)
    )
}

/// The same in full.
fn both_in_full(report: &Report, style: Style) -> String {
    format!(
        "{}{}",
        in_full(report, style),
        warnings_beside(report, style)
    )
}

#[test]
fn under_a_sweep_no_column_is_named_that_its_table_lacks() {
    // Of one scenario over one parameter there are counts; of several, and of a grid, cycles alone.
    for (report, has_counts) in [
        (fixture::curve(), true),
        (fixture::two_curves(), false),
        (fixture::map(), false),
    ] {
        let table = sweep::render(&report, report.sweep.as_ref().expect("a scan"), PIPED);
        for text in [render(&report, PIPED), in_full(&report, PIPED)] {
            let under = text.strip_prefix(&table).expect("the table first");
            assert_eq!(table.contains("instr"), has_counts, "{table}");
            for head in ["instr, branch", "placements: "] {
                assert_eq!(under.contains(head), has_counts, "{head}: {under}");
            }
            for head in [
                "misses inferred",
                "misses: of",
                "by place",
                "empty:",
                ", ns",
            ] {
                assert!(!under.contains(head), "{head}: {under}");
            }
            assert!(
                under.contains("cycles measured") || under.contains("cycles: of"),
                "{under}"
            );
        }
    }
}

#[test]
fn points_that_no_compiler_emits_are_named_under_a_sweep() {
    for mut report in [fixture::curve(), fixture::two_curves()] {
        let sweep = report.sweep.clone().expect("a scan");
        assert!(!render(&report, PIPED).contains("what-if"));
        let last = sweep.points.last().expect("a point");
        report.rows[last.rows[0]].note = Some("what-if: so many cases are halved".into());
        let text = render(&report, PIPED).replace("\n  ", " ");
        let whose = match sweep.names.len() {
            1 => String::new(),
            _ => format!("{} at ", sweep.names[0]),
        };
        let (key, value) = (&sweep.keys[0], &last.values[0]);
        let said = format!("what-if, which no compiler emits: {whose}{key} {value}; `run`");
        assert!(text.contains(&said), "{text}");
    }
}

/// Lines under the last empty one.
fn footer_of(text: &str) -> Vec<&str> {
    let (_, last) = text
        .trim_end()
        .rsplit_once("\n\n")
        .expect("a paragraph before");
    last.lines().collect()
}

#[test]
fn a_run_has_its_sections_and_what_is_said_of_a_row_under_it() {
    golden::compare("report_run.txt", &both(&fixture::tour(), PIPED));
}

#[test]
fn a_run_on_a_narrow_terminal_has_a_line_a_number() {
    let narrow = Style { width: 40, ..PIPED };
    golden::compare("report_40.txt", &both(&fixture::tour(), narrow));
}

#[test]
fn a_comparison_has_its_verdict_below_the_rows() {
    golden::compare("report_compare.txt", &both(&fixture::comparison(), PIPED));
}

#[test]
fn a_row_that_failed_has_its_reason_and_the_line_beside_it() {
    let mut report = fixture::report();
    report
        .rows
        .retain(|row| ["inline", "mine"].contains(&&row.scenario[..]));
    golden::compare("report_failing.txt", &both(&report, PIPED));
}

#[test]
fn in_full_all_is_told_that_is_known() {
    golden::compare("report_full.txt", &both_in_full(&fixture::report(), PIPED));
}

#[test]
fn the_report_of_every_status_is_as_it_was() {
    golden::compare("report_80.txt", &both(&fixture::report(), PIPED));
}

#[test]
fn at_80_columns_four_lines_stand_under_a_table_whatever_the_machine_is() {
    let mut report = fixture::tour();
    report.provenance.cpu = "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz".into();
    report.provenance.kernel = "6.18.44-0-generic-amd64-cloud-of-somebody".into();
    for (row, source) in report.rows.iter_mut().zip(["interpreter", "step", "pmu"]) {
        let metrics = row.metrics.as_mut().expect("numbers");
        metrics[Quantity::Instructions].source = Some(source.into());
    }
    let text = render(&report, PIPED);
    let footer = footer_of(&text);
    assert_eq!(footer.len(), 4, "{text}");
    assert!(
        footer
            .concat()
            .contains("instr exact (interpreter, step, pmu)")
    );
    // What each column is of and where it is from stands first.
    assert!(
        !text.contains("by place:") && text.contains("ratio to"),
        "{text}"
    );
    assert!(render(&fixture::tour(), PIPED).contains("by place: 4 places"));
}

#[test]
fn what_inferred_misses_are_good_to_is_what_the_widest_of_the_rows_is() {
    let said = |half: f64| {
        let mut report = fixture::tour();
        let numbers = report.rows[0].metrics.as_mut().expect("numbers");
        numbers[Quantity::BranchMisses] = Metric {
            low: Some(0.5 - half),
            high: Some(0.51),
            ..Metric::of(0.5, Basis::Inferred, "injection")
        };
        both(&report, PIPED)
    };
    // What rounds to the usual is the usual.
    assert!(said(0.02).contains("inferred ±0.05"), "{}", said(0.02));
    assert!(said(0.054).contains("inferred ±0.05"));
    assert!(said(0.056).contains("inferred ±0.06"));
    assert!(said(0.21).contains("inferred ±0.21"));
}

#[test]
fn no_mark_stands_at_a_name() {
    for text in [render, in_full].map(|text| text(&fixture::report(), PIPED)) {
        for row in fixture::report().rows {
            let mut lines = text.lines().filter(|line| line.starts_with(&row.scenario));
            let is_name = |line: &str| {
                line[row.scenario.len()..].starts_with([' ', '[']) || line == row.scenario
            };
            assert!(lines.all(is_name), "{}: {text}", row.scenario);
        }
    }
}

#[test]
fn what_is_said_of_several_rows_stands_once_and_each_has_its_mark() {
    let mut report = fixture::report();
    report.rows.truncate(3);
    report.rows[2].published.clear();
    let said = "something else uses this core: run it again";
    report.rows[0].warnings = vec![said.into()];
    let text = render(&report, PIPED);
    assert_eq!(
        text.matches("    warning: something else uses").count(),
        1,
        "{text}"
    );
    assert!(!text.contains('¹'), "{text}");
    report.rows[2].warnings = vec![said.into()];
    let text = render(&report, PIPED);
    assert_eq!(text.matches(said).count(), 1, "{text}");
    assert!(text.contains("\n¹ warning: something else"), "{text}");
    assert_eq!(
        text.matches("3.40¹").count() + text.matches("6.04¹").count(),
        2,
        "{text}"
    );
    assert!(!text.contains("6.03¹"), "{text}");
    // Neither is said on the other stream again.
    assert!(!warnings_beside(&report, PIPED).contains(said));
    assert!(warnings(&report, PIPED).contains(said));
}

#[test]
fn what_is_said_of_a_row_without_numbers_has_no_mark_and_is_told_all_the_same() {
    let mut report = fixture::report();
    report.rows.retain(|row| row.metrics.is_none());
    for row in &mut report.rows {
        row.note = Some("both have this note".into());
    }
    let rows = report.rows.len();
    for text in [render, in_full].map(|text| text(&report, PIPED)) {
        assert_eq!(
            text.matches("    both have this note\n").count(),
            rows,
            "{text}"
        );
    }
}

#[test]
fn a_range_over_placements_is_told_from_1_percent_on() {
    for (most, is_told) in [(3.402 * 1.0099, false), (3.402 * 1.0101, true)] {
        let mut report = fixture::report();
        report.rows.truncate(1);
        report.rows[0]
            .layout
            .as_mut()
            .expect("placements")
            .cycles_max = most;
        let told = render(&report, PIPED);
        assert_eq!(told.contains("by place"), is_told, "{most}: {told}");
    }
}

#[test]
fn why_there_are_no_misses_is_told_where_another_run_may_have_them_and_else_in_full() {
    use crate::report::SiteMisses;
    let mut report = fixture::tour();
    report.rows.truncate(1);
    let row = &mut report.rows[0];
    row.metrics.as_mut().expect("numbers")[Quantity::BranchMisses].why =
        Some("too few turns".into());
    row.metrics.as_mut().expect("numbers").sites = vec![SiteMisses {
        label: "site".into(),
        line: 1,
        file: None,
        executions: Some(1.0),
        traced: None,
        value: None,
        low: None,
        high: None,
        comparisons: 1,
        is_lost: false,
        why: Some("too few turns".into()),
    }];
    assert!(!render(&report, PIPED).contains("too few"));
    assert!(in_full(&report, PIPED).contains("too few turns"));
    let metrics = report.rows[0].metrics.as_mut().expect("numbers");
    metrics.sites[0].is_lost = true;
    let text = render(&report, PIPED);
    assert!(
        text.contains("    * misses: too few turns\n") && text.contains("–*"),
        "{text}"
    );
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
        let style = Style { width, ..PIPED };
        let both = both(&fixture::report(), style) + &both_in_full(&fixture::report(), style);
        for line in both.lines() {
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
        let style = Style { width, ..PIPED };
        let by_section = Report {
            by_section: true,
            ..fixture::report()
        };
        for report in [&fixture::report(), &by_section] {
            render(report, style);
            in_full(report, style);
        }
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
        let text = in_full(&report, Style { width, ..PIPED });
        let words: Vec<&str> = text.split_whitespace().collect();
        for number in [
            "1234567.89",
            "1234567.89–1284567.90–1334567.90",
            "99999",
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

#[test]
fn of_a_book_whose_columns_do_not_fit_placements_and_the_empty_loop_are_told_too() {
    let book = Report {
        by_section: true,
        ..fixture::report()
    };
    let in_columns = in_full(
        &book,
        Style {
            width: 120,
            ..PIPED
        },
    );
    let in_cards = in_full(&book, Style { width: 46, ..PIPED });
    for head in ["placements", "empty"] {
        let stands = |text: &str| text.lines().any(|line| line.trim_start().starts_with(head));
        assert_eq!(
            (stands(&in_columns), stands(&in_cards)),
            (false, true),
            "{head}: {in_cards}"
        );
    }
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
            metrics[Quantity::Cycles].low = Some(3.402 * (1.0 - half));
            metrics[Quantity::Cycles].high = Some(3.402 * (1.0 + half));
        });
        assert_eq!(told.contains("95 % interval"), is_told, "{half}: {told}");
    }
    let told = altered(|metrics| metrics[Quantity::Ns].high = Some(9.0));
    assert!(!told.contains("95 % interval"), "{told}");
}

#[test]
fn what_differs_in_its_numbers_alone_is_one_remark_of_several_rows_and_in_full_of_one() {
    let mut report = fixture::report();
    report.rows.truncate(2);
    let wide = |report: &mut Report, at: usize, high: f64| {
        let metrics = report.rows[at].metrics.as_mut().expect("numbers");
        metrics[Quantity::Cycles].high = Some(high);
    };
    wide(&mut report, 0, 4.0);
    let alone = render(&report, PIPED);
    assert!(alone.contains("95 % interval 3.40 to 4.00"), "{alone}");
    wide(&mut report, 1, 7.0);
    let brief = render(&report, PIPED);
    assert_eq!(brief.matches("95 % interval").count(), 1, "{brief}");
    assert!(brief.contains("95 % interval wider than 2 %"), "{brief}");
    let full = in_full(&report, PIPED);
    for interval in ["3.40 to 4.00", "6.02 to 7.00"] {
        assert!(
            full.contains(&format!("95 % interval {interval}")),
            "{full}"
        );
    }
}

#[test]
fn a_number_of_another_basis_or_source_than_its_column_says_so() {
    // Where it is the only one, the column is of that.
    let told = altered(|metrics| metrics[Quantity::Instructions].basis = Basis::Measured);
    assert!(
        told.contains("instr measured (step)") && !told.contains("unlike its column"),
        "{told}"
    );
    let told = altered(|metrics| metrics[Quantity::Instructions].value = None);
    assert!(told.contains("instr, misses unsupported"), "{told}");
    let mut mixed = fixture::report();
    let metrics = mixed.rows[0].metrics.as_mut().expect("numbers");
    metrics[Quantity::Instructions].basis = Basis::Measured;
    let told = both(&mixed, PIPED);
    assert!(
        told.contains("measured [step], unlike its column"),
        "{told}"
    );
    let told =
        altered(|metrics| metrics[Quantity::Instructions].source = Some("interpreter".into()));
    // The basis is its column's, so that it is enough to name the source below.
    assert!(
        told.contains("instr exact (interpreter) · branch exact (step)"),
        "{told}"
    );
    let mut report = fixture::report();
    let metrics = report.rows[0].metrics.as_mut().expect("numbers");
    metrics[Quantity::Instructions].source = Some("interpreter".into());
    let told = in_full(&report, PIPED);
    assert!(
        told.contains("exact [interpreter], unlike its column"),
        "{told}"
    );
    assert!(!altered(|_| {}).contains("unlike its column"));
}

#[test]
fn what_was_counted_with_the_harness_and_what_of_a_part_of_the_walk_is_marked() {
    let told = altered(|metrics| metrics[Quantity::Branches].subtracted = Some(1.0));
    assert!(
        told.contains("less the harness's own, which are known exactly"),
        "{told}"
    );
    let told = altered(|metrics| metrics[Quantity::Branches].stepped = Some(64));
    assert!(
        told.contains("counted over the first 64 iterations, not"),
        "{told}"
    );
    for (blocks, is_told) in [(0.0, false), (1.0, true)] {
        let told = altered(|metrics| metrics[Quantity::Allocs].value = Some(blocks));
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
        let metrics = report.rows[0].metrics.as_mut().expect("numbers");
        metrics.further = vec![FurtherMetric {
            name: "page-faults".into(),
            unit: "count".into(),
            metric: fixture::measured(value),
        }];
        let told = both(&report, PIPED);
        assert!(told.contains(printed), "{value}: {told}");
    }
}

#[test]
fn the_details_have_what_a_breakpoint_counted_and_a_warning_is_due_where_that_is_another_number() {
    let heads = |counted, why: Option<&str>| LoopHeads {
        iterations: 64,
        counted,
        why: why.map(String::from),
    };
    for (heads, words, is_wrong) in [
        (heads(Some(64), None), "counted 64 of 64 iterations", false),
        (heads(Some(63), None), "counted 63 of 64 iterations", true),
        (heads(Some(65), None), "counted 65 of 64 iterations", true),
        (
            heads(None, Some("not allowed")),
            "no iterations here: not allowed",
            false,
        ),
    ] {
        assert_eq!(heads.warning().is_some(), is_wrong, "{heads:?}");
        let mut report = fixture::report();
        report.provenance.breakpoint = Some(heads);
        let wide = Style {
            width: 200,
            ..PIPED
        };
        let details = in_full(&report, wide);
        assert!(details.contains(words), "{details}");
        assert!(!both(&report, wide).contains("breakpoint"));
    }
}

#[test]
fn what_is_drawn_of_samples_ratios_curves_and_maps_is_as_it_was() {
    use crate::report::terminal::plot;
    let ascii = Style {
        unicode: false,
        ..PIPED
    };
    let mut all = String::new();
    for report in [
        fixture::tour(),
        fixture::comparison(),
        fixture::curve(),
        fixture::map(),
    ] {
        for style in [PIPED, ascii] {
            all += &plot::render(&report, style);
            all.push('\n');
        }
    }
    golden::compare("plots.txt", &all);
}

#[test]
fn a_drawing_fits_its_width_or_is_left_out() {
    use crate::report::terminal::plot;
    for width in [10, 30, 40, 57, 80, 300] {
        let style = Style { width, ..PIPED };
        for report in [
            fixture::tour(),
            fixture::comparison(),
            fixture::curve(),
            fixture::map(),
        ] {
            let text = plot::render(&report, style);
            for line in text.lines() {
                assert!(columns(line) <= width.max(20), "{width}: {line}");
            }
            assert!(width < 80 || !text.is_empty(), "{width}");
        }
    }
}

#[test]
fn rows_without_numbers_are_not_drawn() {
    use crate::report::terminal::plot;
    let mut report = fixture::report();
    report.rows.retain(|row| row.metrics.is_none());
    assert_eq!(plot::render(&report, PIPED), "");
    let mut curve = fixture::curve();
    curve.rows[1].metrics = None;
    let marks = plot::render(&curve, PIPED).matches('●').count();
    // One of them stands in the legend.
    assert_eq!(marks, curve.rows.len());
}
