//! The suite `book`: its rows, held against hand counts and against Go's compilers.
//!
//! Correct means: each row runs and is verified, takes the instructions and branches that the suite
//! counts by hand, and, with the loop that a Go compiler puts around it, the
//! instructions of the compiler's own code.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{dispatchlab, folder, json, rows, rows_of, template, unfolded};
use dispatchlab::go::Release;
use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::template::Library;
use dispatchlab::template::suite::Member;
use serde_json::Value;

/// The name of the same scenario with fewer objects and targets: what an iteration takes depends on
/// neither number, and a debug build lays out and visits many of them slowly.
fn small(row: &Member) -> String {
    row.scenario
        .replace("objects=2097152", "objects=4096")
        .replace("targets=4096", "targets=64")
        .replace("targets=1024", "targets=64")
}

#[test]
fn every_second_row_runs_and_takes_the_instructions_counted_by_hand() {
    every_row_takes_what_was_counted_by_hand(0);
}

#[test]
fn and_so_do_the_others() {
    every_row_takes_what_was_counted_by_hand(1);
}

/// Half of the rows, so that both halves run beside each other.
fn every_row_takes_what_was_counted_by_hand(half: usize) {
    let book: Vec<_> = rows_of("book").into_iter().skip(half).step_by(2).collect();
    let names: Vec<String> = book.iter().map(|(_, row)| small(row)).collect();
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names.iter().map(String::as_str));
    let (_, document) = json(&arguments);
    let measured: BTreeMap<&str, &Value> = rows(&document).into_iter().collect();
    let mut wrong = Vec::new();
    for ((_, row), name) in book.iter().zip(&names) {
        let found = measured[name.as_str()];
        let status = found["status"].as_str().expect("a status");
        let Some(count) = row.said.count else {
            // What a random walk takes depends on the seed.
            if status != "panic" && !name.contains("order=random") {
                wrong.push(format!("{name}: {status}, and no `count`"));
            }
            continue;
        };
        if !["ok", "panic"].contains(&status) || status == "ok" && found["verified"] != true {
            wrong.push(format!("{name}: {status}, verified: {}", found["verified"]));
        }
        for (metric, by_hand) in ["instructions", "branches"].into_iter().zip(count) {
            let value = found["metrics"][metric]["value"].as_f64();
            // An average over receivers is written with two decimals.
            let tolerance = if by_hand.fract() == 0.0 { 1e-9 } else { 0.01 };
            if value.is_none_or(|value| (value - by_hand).abs() > tolerance) {
                wrong.push(format!("{name}: {value:?} {metric}, by hand {by_hand}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!names.is_empty());
}

/// Instructions of the loop that a Go compiler puts around the kernel of a template, with the stack
/// ABI and with registers: keep and fetch the counter, count, compare, jump, store the result, and
/// fetch anew what a call has left in no register. Since Go 1.15 there may be a NOP in front of a
/// branch that would cross a line of 32 bytes.
const LOOPS: [(&str, f64, f64); 11] = [
    ("add_call", 7.0, 7.0),
    ("closure", 7.0, 7.0),
    ("func_value", 8.0, 7.0),
    ("iface_add", 9.0, 9.0),
    ("itab_pointer", 9.0, 8.0),
    ("method_direct", 8.0, 7.0),
    ("method_iface", 9.0, 8.0),
    ("method_inline", 4.0, 4.0),
    ("promoted", 9.0, 9.0),
    ("switch_scalar", 6.0, 8.0),
    ("type_switch", 6.0, 6.0),
];

#[test]
fn with_the_compilers_loop_a_row_has_the_instructions_of_the_compilers_code() {
    let mut wrong = Vec::new();
    for (scenario, row) in rows_of("book") {
        let (Some(compiled), Some([count, _])) = (row.said.compiled, row.said.count) else {
            continue;
        };
        let is_stack = scenario.release < "1.17".parse::<Release>().expect("a release");
        let known = LOOPS.iter().find(|(name, ..)| *name == row.template());
        let padding = if is_stack { 0.0 } else { 1.0 };
        let around = compiled - count;
        match known {
            Some(&(_, stack, register)) => {
                let expected = if is_stack { stack } else { register };
                if (around - expected).abs() > padding {
                    wrong.push(format!("{}: {around}, not {expected}", row.scenario));
                }
            }
            None => wrong.push(format!("{}: {around}, and no loop is known", row.scenario)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_row_with_figures_is_of_a_template_with_a_source() {
    for (scenario, row) in rows_of("book") {
        assert_eq!(scenario.name, row.scenario);
        assert!(row.said.section.is_some(), "{}", row.scenario);
        let has_source = scenario.template.header.source.is_some();
        assert!(
            row.said.published.is_empty() || has_source,
            "{}",
            row.scenario
        );
    }
}

const TWO: &str = concat!(
    ";! title = \"two\"\n;! source = \"a book, II\"\n;! params = { n = [1, 3] }\n",
    ";! result = \"eax\"\n;! expect = 7\n;! clobbers = \"all\"\n;! expand = true\n",
    "body:\n mov eax, 7\n{% for _ in range(n) %}\n nop\n{% endfor %}\n",
);

const TWO_ROWS: &str = r#"
[[section]]
title = "Apart"
rows = [
  { row = "two", count = [2, 0], published = [{ source = "a book, I", allocs = 1 }] },
]

[[section]]
title = "Together"
rows = [
  { row = "two[n=3]", count = [4, 0], published = [
    { source = "a book, II", ns = 1.96 },
    { source = "a book, II", to = "two", instructions = 1.5 },
  ], today = """
    It is all the same
    to a processor of today.""" },
]
"#;

/// A folder with a template and a suite of it.
fn two_rows(name: &str) -> String {
    let folder = folder(name);
    template(&folder, "two", TWO);
    std::fs::create_dir_all(folder.join("suites")).expect("a folder");
    std::fs::write(folder.join("suites/pair.toml"), TWO_ROWS).expect("writes");
    folder.to_str().expect("UTF-8").to_string()
}

#[test]
fn a_row_has_its_section_and_theirs_beside_ours_wherever_it_is_run() {
    let folder = two_rows("book_rows");
    let names = ["two[n=3]", "two"];
    let (code, document) = json(&["run", names[0], names[1], "--templates", &folder, "--quick"]);
    assert_eq!(code, 0);
    let rows = rows(&document);
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), names);
    let row = rows[0].1;
    assert_eq!(
        (&row["section"], &row["today"]),
        (
            &"Together".into(),
            &"It is all the same to a processor of today.".into()
        )
    );
    let [ns, ratio] = &row["published"].as_array().expect("figures")[..] else {
        panic!("{row:#}");
    };
    assert_eq!(
        (ns["value"].as_f64(), ns["basis"].as_str()),
        (Some(1.96), Some("measured"))
    );
    assert_eq!(ns["measured"], row["metrics"]["ns"]["value"]);
    // Of the whole loop: the same around both bodies.
    let around = row["around"]["instructions"].as_f64().expect("a count");
    let expected = (4.0 + around) / (2.0 + around);
    assert_eq!(
        (ratio["ratio"].as_f64(), ratio["to"].as_str()),
        (Some(1.5), Some("two"))
    );
    assert!(
        (ratio["measured"].as_f64().expect("a ratio") - expected).abs() < 1e-5,
        "{ratio}"
    );
    let allocs = &rows[1].1["published"][0];
    assert_eq!(
        (&allocs["measured"], &allocs["basis"]),
        (&0.0.into(), &"exact".into())
    );

    let list = dispatchlab(&["list", "pair", "--templates", &folder]).stdout;
    assert!(
        list.contains("Apart\n  two\nTogether\n  two[n=3]\n"),
        "{list}"
    );
    let (_, listed) = json(&["list", "two", "--templates", &folder]);
    assert_eq!(listed["scenarios"][0]["source"], "a book, II");
    assert_eq!(listed["scenarios"][0]["suites"], Value::from(vec!["pair"]));
}

#[test]
fn an_ordinary_run_says_what_was_published_under_its_table() {
    let folder = two_rows("book_ordinary");
    let run = dispatchlab(&[
        "run",
        "two[n=3]",
        "--templates",
        &folder,
        "--counters",
        "none",
    ]);
    let said = unfolded(&run.stdout);
    assert!(
        said.contains("published: 1.96 ns (a book, II); not held against ours: not timed"),
        "{said}"
    );
    assert!(said.contains("published: 1.5 of the instructions of two (a book, II); not held against ours: run it beside two"), "{said}");
    assert!(!run.stdout.contains("Together"), "{said}");
}

/// A scenario by its name, in a release.
fn in_release(name: &str, release: &str) -> Option<Scenario> {
    let (template, mut given) = parse_name(name).expect("a name");
    let template = Library::embedded().load(&template).expect("is shipped");
    given.push(("go".to_string(), release.to_string()));
    Scenario::bind(Arc::new(template), &given).ok()
}

#[test]
fn every_kernel_in_go_is_a_scenario() {
    let source = include_str!("../../benches/go/kernels.go");
    let names: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("\t{\"")?.split('"').next())
        .collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        let scenario = in_release(name, "1.27").unwrap_or_else(|| panic!("{name}: in no release"));
        let plain = scenario.name.as_str();
        assert!(plain == name, "{name} is called {plain}");
    }
}

#[test]
fn the_tables_of_fidelity_leave_nothing_unexplained() {
    let document = include_str!("../../docs/book.md");
    let (_, tables) = document.split_once("<!-- fidelity -->").expect("a mark");
    let (tables, _) = tables.split_once("<!-- end -->").expect("its end");
    let mut release = String::new();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for line in tables.lines() {
        if let Some(version) = line.strip_prefix("### Go ") {
            release = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        }
        let Some((name, cells)) = line
            .strip_prefix("| `")
            .and_then(|row| row.split_once("` |"))
        else {
            continue;
        };
        assert!(in_release(name, &release).is_some(), "{name}, Go {release}");
        // What noise did all through a run needs no cause; it says so.
        let is_explained = !cells.contains("unexplained") || cells.contains("disturbed");
        assert!(is_explained, "{name}, Go {release}: {cells}");
        assert!(!cells.contains("failed"), "{name}, Go {release}: {cells}");
        // Rows that were counted alone have no times, all three of them, and each is counted.
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let dashes = cells.iter().filter(|cell| **cell == "–").count();
        let is_counted = cells[3].starts_with(|first: char| first.is_ascii_digit());
        assert!(is_counted, "{name}, Go {release}: {cells:?}");
        // Where no one number says what ours takes, there is no ratio.
        let has_times = match cells[4].contains("not settled") {
            true => dashes == 1 && cells[2] == "–",
            false => dashes == 0,
        };
        assert!(
            has_times || dashes == 3 && cells[..3] == ["–"; 3],
            "{name}, Go {release}: {cells:?}"
        );
        if has_times {
            *rows.entry(release.clone()).or_default() += 1;
        }
    }
    for release in ["1.19", "1.27"] {
        assert!(
            rows.get(release).is_some_and(|&count| count > 50),
            "{rows:?}"
        );
    }
}

/// A place is a cause only as far as places are seen to reach: the ranges of a row that is apart by one are no further from
/// each other than the ends of another row's range, on the same side, are.
#[test]
fn what_is_put_down_to_a_place_is_no_more_than_places_cost_elsewhere() {
    let document = include_str!("../../docs/book.md");
    let (_, tables) = document.split_once("<!-- fidelity -->").expect("a mark");
    let range = |cell: &str| -> Option<[f64; 2]> {
        let (_, range) = cell.split_once('(')?;
        let (least, most) = range.trim_end().trim_end_matches(')').split_once('–')?;
        Some([least.parse().ok()?, most.parse().ok()?])
    };
    let (mut widest, mut furthest) = (0.0_f64, 0.0_f64);
    for line in tables.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let (Some(go), Some(ours)) = (range(cells[1]), range(cells[2])) else {
            continue;
        };
        if line.contains("apart: place") {
            furthest = furthest.max((ours[0] - go[1]).max(go[0] - ours[1]));
        } else if line.contains("within layout |") {
            widest = widest.max(go[1] - go[0]);
        }
    }
    assert!(widest >= 1.0, "{widest}");
    assert!(furthest <= 1.0 + 0.1, "{furthest}");
}

/// What is said of time or of prediction holds on one machine and not on the next: it is written from the row's
/// own numbers, or not at all.
#[test]
fn no_remark_speaks_of_time_or_of_prediction_without_a_number_of_the_run() {
    const WORDS: [&str; 10] = [
        "predict",
        "mispredict",
        "faster",
        "slower",
        "quick",
        "cheap",
        "costs",
        "takes the time",
        "doubles",
        "as long",
    ];
    let library = Library::embedded();
    let rows = ["book", "tour"].into_iter().flat_map(rows_of);
    let remarks = rows.filter_map(|(_, row)| Some((row.scenario, row.said.today?)));
    let templates = library
        .names()
        .into_iter()
        .map(|name| library.load(&name).expect("it is shipped"));
    let notes = templates.flat_map(|template| {
        let notes = template
            .text
            .lines()
            .filter_map(|line| line.strip_prefix(";! note "));
        notes
            .map(|note| (template.name.clone(), note.to_string()))
            .collect::<Vec<_>>()
    });
    let mut wrong = Vec::new();
    for (row, remark) in remarks.chain(notes) {
        for sentence in remark.split(". ") {
            let speaks = WORDS.iter().any(|word| sentence.contains(word));
            if speaks && !sentence.contains('{') {
                wrong.push(format!("{row}: {sentence}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
