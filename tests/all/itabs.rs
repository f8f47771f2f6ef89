//! Itabs that the runtime finds and builds, release by release.
//!
//! Correct means: an itab that is built leads to the methods that the compiler's would lead to, a type that lacks a
//! method has none, an iteration that is to be a first one is, and the table up to Go 1.9 finds what is in it.

use crate::common::{folder, json, rows, template, value};
use serde_json::Value;

const RELEASES: [&str; 5] = ["1.27", "1.21", "1.19", "1.10", "1.9"];

/// The rows of these names, counted and not timed.
fn counted(names: &[String]) -> Vec<(String, Value)> {
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let rows = rows(&document).into_iter();
    rows.map(|(name, row)| (name.to_string(), row.clone()))
        .collect()
}

fn instructions(rows: &[(String, Value)]) -> Vec<f64> {
    rows.iter()
        .map(|(_, row)| value(row, "instructions"))
        .collect()
}

#[test]
fn the_last_method_of_an_itab_that_was_built_is_each_types_own() {
    let mut names = Vec::new();
    for release in RELEASES {
        for (width, others) in [(1, 0), (2, 8), (13, 1), (64, 0)] {
            names.push(format!(
                "first_assertion[go={release},others={others},targets=3,width={width}]"
            ));
        }
        names.push(format!(
            "first_assertion[first=false,go={release},targets=8,width=3]"
        ));
    }
    for (name, row) in counted(&names) {
        assert_eq!(row["verified"], true, "{name}: {row:#}");
    }
}

#[test]
fn a_first_assertion_takes_more_for_each_method_and_a_later_one_does_not() {
    for release in RELEASES {
        let of = |first: bool| {
            let named = [1, 2, 3, 8]
                .map(|width| format!("first_assertion[first={first},go={release},width={width}]"));
            instructions(&counted(&named))
        };
        let (first, later) = (of(true), of(false));
        // Names of one length, which differ in the last byte: each method takes what the one before it took.
        let each = first[2] - first[1];
        assert!(each > 100.0, "Go {release}: {first:?}");
        assert_eq!(first[3] - first[2], 5.0 * each, "Go {release}: {first:?}");
        assert!(later.iter().all(|count| *count == later[0]), "{later:?}");
        assert!(
            first[0] > 3.0 * later[0],
            "Go {release}: {first:?} {later:?}"
        );
    }
}

#[test]
fn a_type_that_lacks_a_method_does_not_implement_the_interface() {
    let folder = folder("lacks");
    let shipped = include_str!("../../asm_templates/first_assertion.asm");
    // The interface's method has a name that no method of the type has, and the header says that it panics.
    let own = r#""type..namedata.{{ "M%02d" | format(k) }}.", 0"#;
    assert_eq!(shipped.matches(own).count(), 1);
    let lacking = shipped.replace(own, r#""type..importpath.main.", 0"#);
    // Of types that the template does not call its own, as those of an imported program, nobody can read the methods.
    let own = r#"data "runtime.firstmoduledata":"#;
    assert_eq!(shipped.matches(own).count(), 1);
    let foreign = shipped.replace(own, r#"data "main.nobodys":"#);
    let all = [("lacks", lacking), ("foreign", foreign)];
    for (release, (name, text)) in RELEASES
        .iter()
        .flat_map(|one| all.iter().map(move |two| (one, two)))
    {
        let text = text.replace("first = true,", "first = true, panics = true,");
        let file = template(&folder, &format!("{name}{release}"), &text);
        let release = format!("go={release}");
        let run = [
            "run",
            &file,
            "-p",
            &release,
            "--quick",
            "--counters",
            "none",
        ];
        let (code, document) = json(&run);
        let (_, row) = rows(&document)[0];
        assert_eq!(
            (code, &row["status"]),
            (0, &"panic".into()),
            "{name} {row:#}"
        );
        let words = "interface conversion: main.T0 is not main.I: missing method M00";
        assert_eq!(row["panic"], words, "{release}");
    }
}

/// Of 500 types some share a chain, or an entry of the table; of one type none does.
#[test]
fn itabs_that_collide_take_a_few_more_steps_in_either_table() {
    for release in ["1.9", "1.10"] {
        for name in ["assert_to_interface", "assert_between_interfaces"] {
            let named = [1, 500]
                .map(|count| format!("{name}[go={release},objects={count},targets={count}]"));
            let counts = instructions(&counted(&named));
            let more = counts[1] - counts[0];
            assert!(
                (0.5..20.0).contains(&more),
                "{name} of {release}: {counts:?}"
            );
        }
    }
}

#[test]
fn conversions_of_releases_without_a_change_are_those_of_the_release_before() {
    let kinds = [
        "convert_scalar",
        "convert_value",
        "convert_zero",
        "convert_static",
        "convert_pointer",
    ];
    for (release, before, changed) in [
        ("1.11", "1.10", &["convert_scalar", "convert_zero"][..]),
        ("1.12", "1.11", &kinds[..]),
        ("1.13", "1.12", &[]),
        ("1.14", "1.13", &[]),
        ("1.15", "1.14", &["convert_scalar"]),
        ("1.16", "1.15", &[]),
    ] {
        let of = |release: &str| {
            let named = kinds.map(|kind| format!("{kind}[go={release}]"));
            instructions(&counted(&named))
        };
        let (own, old) = (of(release), of(before));
        for ((kind, own), old) in kinds.iter().zip(own).zip(old) {
            let is_changed = changed.contains(kind);
            assert_eq!(
                own != old,
                is_changed,
                "{kind} of Go {release}: {own}, {old}"
            );
        }
    }
}
