use super::*;
use crate::report::sweep::{Knee, Sweep, SweepPoint};
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

/// Rows over one parameter, or two.
fn scan(keys: &[&str], values: &[&[&str]]) -> Report {
    let mut report = fixture::tour();
    report.by_section = false;
    report.rows.clear();
    let mut points = Vec::new();
    for (at, own) in values.iter().enumerate() {
        let name = format!("itab_call[targets={}]", own.join(","));
        report.rows.push(fixture::ok(
            &name,
            5.0 + at as f64,
            6.0 + at as f64,
            (6.0, 2.0),
        ));
        points.push(SweepPoint {
            values: own.iter().map(|value| value.to_string()).collect(),
            rows: vec![at],
            comparisons: 0..0,
        });
    }
    report.sweep = Some(Sweep {
        keys: keys.iter().map(|key| key.to_string()).collect(),
        names: vec!["itab_call".into()],
        points,
        knees: vec![Knee {
            scenario: "itab_call".into(),
            key: keys[0].into(),
            at: 2.0,
            metric: "cycles".into(),
            before: 5.0,
            after: 6.0,
            text: "itab_call: cycles rise from targets 2 on".into(),
        }],
        break_evens: Vec::new(),
    });
    report
}

#[test]
fn the_pages_of_rows_comparisons_curves_and_maps_are_as_they_were() {
    golden::compare("page_rows.html", &body(&rendered(&fixture::report())));
    golden::compare(
        "page_comparison.html",
        &body(&rendered(&fixture::comparison())),
    );
    let curve = scan(&["targets"], &[&["1"], &["2"], &["4"], &["8"]]);
    golden::compare("page_curve.html", &body(&rendered(&curve)));
    let map = scan(
        &["targets", "order"],
        &[
            &["1", "cyclic"],
            &["1", "random"],
            &["2", "cyclic"],
            &["2", "random"],
        ],
    );
    golden::compare("page_map.html", &body(&rendered(&map)));
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
    for report in [fixture::comparison(), scan(&["targets"], &[&["1"], &["2"]])] {
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
    let mut report = scan(&["targets"], &[&["1"], &["2"], &["4"]]);
    report.rows[1] = Row {
        scenario: "gone".into(),
        status: Status::Error(Vec::new()),
        ..Row::default()
    };
    let page = rendered(&report);
    assert!(page.contains("×</text>"), "a point without a number");
}
