use super::*;
use crate::report::{Row, Status, fixture, golden};

fn rendered(report: &Report) -> String {
    render(report)
}

/// What is between the styles and the script, a tag a line.
fn body(page: &str) -> String {
    let start = page.find("<body>").expect("a body");
    let end = page.find("<script").expect("a script");
    page[start..end].replace("><", ">\n<") + "\n"
}

#[test]
fn the_pages_of_rows_comparisons_curves_and_maps_are_as_they_were() {
    golden::compare("page_rows.html", &body(&rendered(&fixture::report())));
    golden::compare(
        "page_comparison.html",
        &body(&rendered(&fixture::comparison())),
    );
    golden::compare("page_curve.html", &body(&rendered(&fixture::curve())));
    golden::compare("page_map.html", &body(&rendered(&fixture::map())));
}

#[test]
fn the_report_is_in_the_page_as_json() {
    let report = fixture::report();
    let page = rendered(&report);
    let start = page
        .find("<script type=\"application/json\"")
        .expect("JSON");
    let text = &page[start + page[start..].find('>').expect("an end") + 1..];
    let text = &text[..text.find("</script>").expect("an end")];
    let [own, written] = [text, &json::render(&report)]
        .map(|text| -> serde_json::Value { serde_json::from_str(text).expect("JSON") });
    assert_eq!(own, written);
}

#[test]
fn a_page_names_no_place_to_load_from_and_allows_none() {
    for report in [fixture::report(), fixture::comparison(), fixture::tour()] {
        let page = rendered(&report);
        for word in ["http:", "https:", "src=", "url(", "@import", "style=\""] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn a_row_that_stands_closed_shows_that_its_numbers_are_in_doubt_and_others_show_nothing() {
    let mut report = fixture::report();
    report.rows.truncate(2);
    for row in &mut report.rows {
        (row.warnings, row.doubtful, row.modes) = (Vec::new(), false, Vec::new());
    }
    let marks = |report: &Report| rendered(report).matches("class=\"doubt\"").count();
    assert_eq!(marks(&report), 0);
    report.rows[1].doubtful = true;
    assert_eq!(marks(&report), 1);
    assert!(rendered(&report).contains("data-tip=\"disturbed throughout: "));
    report.rows[0].warnings = vec!["read <this>".into()];
    assert_eq!(marks(&report), 2);
    assert!(rendered(&report).contains("data-tip=\"read &lt;this&gt;\""));
}

#[test]
fn text_from_elsewhere_makes_no_tag_whatever_stands_in_it() {
    const BAD: &str = "<img src=x onerror=alert(1)>\"'\u{202e}</script><script>";
    let mut report = fixture::comparison();
    for row in &mut report.rows {
        row.scenario += BAD;
        row.title = BAD.into();
        row.template_path = BAD.into();
        row.note = Some(BAD.into());
        row.warnings = vec![BAD.into()];
        row.section = Some(BAD.into());
        for function in row.listing.iter_mut().flat_map(|one| &mut one.functions) {
            function.name = BAD.into();
            for one in &mut function.instructions {
                (one.text, one.file, one.source) = (BAD.into(), Some(BAD.into()), Some(BAD.into()));
            }
        }
    }
    report.comparisons[0].other = BAD.into();
    report.changes[0].lines[0].text = BAD.into();
    report.provenance.cpu = BAD.into();
    report.provenance.command = vec![BAD.into()];
    report.warnings = vec![BAD.into()];
    let page = rendered(&report);
    assert!(!page.contains("<img") && !page.contains('\u{202e}'));
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
}

#[test]
fn the_pairs_of_a_sweep_have_their_own_bases_and_its_rows_their_points() {
    let page = rendered(&fixture::two_curves());
    assert!(page.contains("<h2>Against itab_call, point by point</h2>"));
    for targets in ["1", "2", "4", "8"] {
        let pair =
            format!("<summary>direct_call against itab_call[targets={targets}]: 1.0545 times");
        assert_eq!(page.matches(&pair).count(), 1, "{pair}");
        let row = format!("direct_call<small class=\"basis\">at targets={targets}</small>");
        assert_eq!(page.matches(&row).count(), 1, "{row}");
        // A name that is one row's alone says which point it is of.
        let alone = format!("itab_call[targets={targets}]</span>");
        assert_eq!(page.matches(&alone).count(), 1, "{alone}");
    }
    // Of a comparison there is one base, and it is said.
    let page = rendered(&fixture::comparison());
    assert!(page.contains("<h2>Against direct_call</h2>"));
    assert!(!page.contains("class=\"basis\">at "));
}

#[test]
fn counts_that_are_equal_are_the_same_and_times_are_not_told_apart() {
    let mut report = fixture::comparison();
    for one in &mut report.comparisons {
        one.verdict = one.verdict.map(|_| crate::stats::paired::Verdict::Same);
    }
    let page = rendered(&report);
    assert_eq!(page.matches("<td>same</td>").count(), 1);
    assert_eq!(page.matches("<td>not told apart</td>").count(), 1);
    // The dots have the colour of a verdict, which the styles name by one word.
    for verdict in ["same", "faster", "slower", "undecided"] {
        assert!(
            include_str!("page.css").contains(&format!("circle.{verdict}")),
            "{verdict}"
        );
    }
    assert_eq!(page.matches("<circle class=\"same\"").count(), 1);
}

#[test]
fn a_number_that_is_not_known_is_a_dash_with_its_reason() {
    let report = fixture::report();
    let page = rendered(&report);
    assert!(page.contains("data-tip=\"no PMU: perf_event_open says ENOENT\">–"));
    // The rows that failed say why, in their line.
    for row in report.rows.iter().filter(|row| row.metrics.is_none()) {
        let name = row.status.name();
        assert!(
            page.contains(&format!("<b class=\"status\">{name}</b>")),
            "{name}"
        );
    }
}

#[test]
fn saved_reports_are_shown_as_they_were_when_they_were_made() {
    for report in [fixture::comparison(), fixture::curve()] {
        let json = json::render(&report);
        let saved = crate::report::saved::document(&json).expect("a report");
        let page = Page {
            name: String::new(),
            document: saved,
            json,
        };
        // Of numbers with noise six digits are written.
        let told = |page: &str| body(page).replace(|c: char| c.is_ascii_digit() || c == '.', "");
        assert!(told(&all(&[page])) == told(&rendered(&report)));
    }
}

#[test]
fn several_reports_stand_beside_each_other_and_then_alone() {
    let page = |name: &str, cycles: f64, cpu: &str| {
        let mut report = fixture::tour();
        report.rows = vec![fixture::ok("direct_call", cycles, cycles, (4.0, 2.0))];
        report.provenance.cpu = cpu.into();
        Page {
            name: name.into(),
            document: Document::of(&report),
            json: json::render(&report),
        }
    };
    let pages = [
        page("a.json", 5.0, "one"),
        page("b.json", 5.01, "one"),
        page("c.json", 5.4, "one"),
        page("d.json", 9.0, "two"),
    ];
    let text = all(&pages);
    assert!(text.contains("c.json: more than 5 % from 5.01, the median of 3 reports of this CPU"));
    assert!(!text.contains("d.json: more"));
    assert_eq!(text.matches("<section class=\"report\">").count(), 4);
    golden::compare("page_several.html", &body(&text));
}

#[test]
fn a_row_that_is_not_there_costs_the_page_nothing() {
    let mut report = fixture::curve();
    report.rows[1] = Row {
        scenario: "gone".into(),
        status: Status::Error(Vec::new()),
        ..Row::default()
    };
    let page = rendered(&report);
    assert!(page.contains("×</text>"), "a point without a number");
}
