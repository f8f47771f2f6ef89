//! `trace` and `advise` of type switches that jump through a table, as Go makes them since 1.22.
//!
//! Correct means: what is recorded is what the program itself logged, by type and not by place of the jump, and a switch
//! over numbers is none. With a Go before 1.22 the same program has its switches by halves, which hold the same.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{fresh, run_in};
use crate::programs::{go_of, text};
use crate::traces::{recorded, traced};

/// What the fixture logs by letter: over any value, and over its interface with methods.
const VALUES: [&str; 16] = [
    "main.A", "*main.B", "main.B", "main.C", "main.D", "main.E", "main.F", "main.G", "main.H",
    "main.I", "main.J", "*main.K", "main.L", "main.M", "main.N", "int",
];
const METERS: [&str; 7] = [
    "main.A", "*main.B", "main.C", "main.E", "main.F", "main.J", "main.L",
];

/// The sites of a function, each by address and kind.
fn sites(place: &Path, program: &str, function: &str) -> Vec<(String, String)> {
    let run = run_in(place, &["sites", program, function, "--json"]);
    let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let sites = document["sites"].as_array().expect("sites").iter();
    let word = |site: &Value, key: &str| site[key].as_str().expect("a word").to_string();
    sites
        .map(|site| (word(site, "address"), word(site, "kind")))
        .collect()
}

/// The types of a recording, as the program logs them.
fn letters(place: &Path, known: &[&str]) -> String {
    let text = fs::read_to_string(place.join("types.txt")).expect("it is written");
    let names = text
        .lines()
        .skip(1)
        .filter_map(|line| line.strip_prefix("# "));
    let letter = |line: &str| {
        let (_, name) = line.split_once(' ').expect("a number and a name");
        let at = known.iter().position(|known| *known == name);
        char::from(b'a' + at.unwrap_or_else(|| panic!("{name}")) as u8)
    };
    let letters: Vec<char> = names.map(letter).collect();
    let types = recorded(place).types().to_vec();
    types
        .iter()
        .map(|number| letters[*number as usize])
        .collect()
}

#[test]
fn a_switch_by_hashes_is_recorded_type_by_type_whether_or_not_it_jumps_through_a_table() {
    for (name, options) in [
        ("plain", &[][..]),
        ("stripped", &["-ldflags=-s -w"][..]),
        ("movable", &["-buildmode=pie"][..]),
    ] {
        let Some(file) = go_of(&format!("tables_{name}"), options, "tables.go") else {
            return;
        };
        let place = fresh(&format!("tables-{name}"));
        #[rustfmt::skip] // a table: a function, what the log calls its sequence, and the types
        let functions = [
            ("main.six",    "values ",  &VALUES[..]),
            ("main.twelve", "values ",  &VALUES),
            ("main.behind", "values ",  &VALUES),
            ("main.meters", "methods ", &METERS),
        ];
        for (function, log, known) in functions {
            let all = sites(&place, text(&file), function);
            let by_hash = all.iter().find(|(_, kind)| {
                [
                    "type switch, table",
                    "type switch, hashes",
                    "type switch, addresses",
                ]
                .contains(&&**kind)
            });
            let (address, kind) = by_hash.unwrap_or_else(|| panic!("{function}: {all:?}"));
            if kind != "type switch, table" {
                eprintln!("{function}: this Go has no table here, but a {kind}");
            }
            let _ = fs::remove_file(place.join("types.txt"));
            let program = [text(&file), "3000"];
            let Some(run) = traced(&place, &["--at", address], &program) else {
                return;
            };
            let logged = run.stderr.lines().find_map(|line| line.strip_prefix(log));
            let logged = logged.unwrap_or_else(|| panic!("{}", run.stderr));
            assert_eq!(letters(&place, known), logged, "{name} {function}");
            assert!(
                run.stdout.contains("or: dispatchlab advise"),
                "{}",
                run.stdout
            );
        }
    }
}

#[test]
fn a_recording_of_a_table_is_advised_on_with_the_shares_of_the_types() {
    let Some(file) = go_of("tables_advised", &[], "tables.go") else {
        return;
    };
    let place = fresh("tables-advised");
    let at = sites(&place, text(&file), "main.meters");
    let [(address, _)] = &at[..] else {
        panic!("{at:?}");
    };
    let program = [text(&file), "2000"];
    if traced(&place, &["--at", address], &program).is_none() {
        return;
    }
    let letters = letters(&place, &METERS);
    let arguments = [
        "advise",
        text(&file),
        address,
        "-p",
        "order=@types.txt",
        "--quick",
        "--counters",
        "none",
        "--json",
    ];
    let run = run_in(&place, &arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let types = document["advice"]["types"].as_array().expect("types");
    assert_eq!(types.len(), METERS.len(), "{types:?}");
    for one in types {
        let at = METERS.iter().position(|known| one["name"] == *known);
        let letter = char::from(b'a' + at.unwrap_or_else(|| panic!("{one}")) as u8);
        let count = letters.matches(letter).count() as u64;
        assert_eq!(one["visits"], count, "{one}");
    }
}

#[test]
fn a_switch_over_numbers_is_none_over_types_wherever_they_stand_and_whatever_its_cases_compare() {
    let Some(file) = go_of("tables_numbers", &[], "tables.go") else {
        return;
    };
    let place = fresh("tables-numbers");
    for function in ["main.number", "main.masked"] {
        let all = sites(&place, text(&file), function);
        let kinds: Vec<&str> = all.iter().map(|(_, kind)| &**kind).collect();
        let is_type = |kind: &&str| kind.starts_with("type switch");
        assert!(!kinds.iter().any(is_type), "{function}: {kinds:?}");
        assert!(kinds.contains(&"switch, table"), "{function}: {kinds:?}");
        let _ = fs::remove_file(place.join("types.txt"));
        let (address, _) = all
            .iter()
            .find(|(_, kind)| kind == "switch, table")
            .expect("one");
        let program = [text(&file), "500"];
        let Some(run) = traced(&place, &["--at", address], &program) else {
            return;
        };
        assert!(run.stdout.contains(" visits, exact"), "{}", run.stdout);
        assert!(
            !run.stdout.contains("or: dispatchlab advise"),
            "{}",
            run.stdout
        );
    }
}
