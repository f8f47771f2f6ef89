//! What docs/book.md says between its tables of ratios and orders, against the run that the tables are of.
//!
//! Correct means: a sentence that says how much or which is more is held against the rows that it is about, or it is known
//! of whom it speaks; one that nobody has looked at fails here, whatever it says.

use std::collections::BTreeMap;

use crate::common::unfolded;

const BOOK: &str = include_str!("../../docs/book.md");

/// Words of a ratio or an order.
const WORDS: [&str; 14] = [
    "×",
    " times",
    " slow",
    "quick",
    "faster",
    "cheap",
    " dear",
    "as long",
    "twice",
    "half of",
    " beat",
    " costs",
    " fewer",
    " less time",
];

/// How a sentence is held.
enum Held {
    /// The numbers of the first row in a column over those of the second one lie between.
    Rows(Column, &'static str, &'static str, f64, f64),
    /// It is of what others published, or of Go's compilers, and what is reckoned from their numbers is right; or it is of
    /// another table.
    So(fn() -> bool),
    /// The words stand for something else.
    Other,
    /// Another test holds it.
    Elsewhere(&'static str),
}

#[derive(Clone, Copy)]
enum Column {
    Cycles,
    Instructions,
}

use Column::{Cycles, Instructions};
use Held::{Elsewhere, Other, Rows, So};

/// A sentence by some of its words, and what holds it. One may have several lines.
#[rustfmt::skip] // a table: the words, how they are held
const CLAIMS: [(&str, Held); 21] = [
    ("switch of seven cases is slow because", So(|| true)),
    // Two instructions more, and no answer that would hold from machine to machine.
    ("How much slower an interface call is has no one answer", Rows(Cycles, "method_iface", "method_direct", 0.8, 1.3)),
    ("8 % more time; Go 1.27's own loops took 1.03 times as long", So(|| true)),
    ("What costs more is a target that changes", Rows(Cycles, "itab_call[order=random,targets=8]", "itab_call", 2.0, 30.0)),
    ("What costs more is a target that changes", Rows(Cycles, "method_iface", "method_inline", 1.05, 3.0)),
    ("The interface that was twice as slow", So(|| true)),
    // The wrapper with its method called has far more to execute than the method itself.
    ("What took twice as long is the wrapper", Rows(Instructions, "iface_add[go=1.10,method=called]", "add_call[go=1.10]", 2.0, 5.0)),
    ("What took twice as long is the wrapper", Rows(Cycles, "iface_add[go=1.10,method=called]", "add_call[go=1.10]", 1.4, 3.0)),
    ("Only a conversion that is stored where others see it still costs", Rows(Cycles, "convert_scalar[value=large]", "escape[form=value]", 1.3, 10.0)),
    ("An assertion is cheap, unless it is to an interface", Rows(Cycles, "assert_to_interface", "assert_eface", 1.3, 10.0)),
    ("An assertion is cheap, unless it is to an interface", Rows(Cycles, "assert_eface", "value_method", 0.4, 1.1)),
    ("12.3 ns against 0.54, 23 times", So(|| (12.3_f64 / 0.54).round() == 23.0)),
    ("times of the first list are of Go's own compilers", Other),
    ("These publish bytes and offsets, no times", Other),
    ("This is asked of the program with", Other),
    ("the table is the quickest from 4 cases on", Elsewhere("docs::the_tables_of_strategies_show_what_is_said_of_them")),
    ("the chain is the quickest up to 16 cases", Elsewhere("docs::the_tables_of_strategies_show_what_is_said_of_them")),
    ("halves mispredict at each level, half of the time", Elsewhere("docs::the_tables_of_strategies_show_what_is_said_of_them")),
    ("a chain costs the same however long it is", So(the_first_case_of_a_chain_costs_the_same)),
    ("Go is built four times", Other),
    ("processors with a certain erratum are slow", Other),
];

/// Sentences of how `## Fidelity` measures, which are about no row.
const OF_THE_METHOD: [&str; 4] = [
    "The times are of one run",
    "rows are counted and not timed",
    "a row whose sides lie apart has twice the rounds",
    "Two times agree if they differ by no more than 5 %",
];

/// From eight cases on to a twentieth, and to a half in front of that.
fn the_first_case_of_a_chain_costs_the_same() -> bool {
    let (_, table) = BOOK
        .split_once("| cases | the first: chain |")
        .expect("the table of one type");
    let lines = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<f64> {
        let cells = line.split('|').map(str::trim);
        cells.filter_map(|cell| cell.parse().ok()).collect()
    };
    let rows: Vec<Vec<f64>> = lines.map(cells).collect();
    assert_eq!(rows.len(), 10);
    let last = rows[9][1];
    rows.iter().all(|row| {
        let within = if row[0] < 8.0 { 0.5 } else { 0.05 };
        (row[1] / last - 1.0).abs() < within
    })
}

/// The sentences between tables, listings and what is generated.
fn sentences() -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let mut is_generated = false;
    let mut is_code = false;
    for line in BOOK.lines() {
        is_code ^= line.starts_with("```");
        is_generated |= line.starts_with("<!-- book: ") || line.starts_with("<!-- fidelity");
        let is_prose = !is_code
            && !is_generated
            && !line.starts_with(['|', '#', '`'])
            && !line.starts_with("<!--")
            || line.starts_with('`') && !line.starts_with("```");
        if line == "<!-- end -->" {
            is_generated = false;
        }
        if !is_prose || line.is_empty() || line.starts_with("- ") {
            paragraphs.push(String::new());
        }
        if is_prose {
            let last = paragraphs.last_mut().expect("one");
            *last += line;
            last.push(' ');
        }
    }
    let of = |text: &String| -> Vec<String> {
        let text = unfolded(text);
        text.split(". ").map(str::to_string).collect()
    };
    paragraphs.iter().flat_map(of).collect()
}

/// The cycles and the instructions of each row that the document shows.
fn rows() -> BTreeMap<&'static str, [f64; 2]> {
    let row = |line: &'static str| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let mut cells = rest.split(" | ").map(str::parse);
        Some((name, [cells.next()?.ok()?, cells.next()?.ok()?]))
    };
    BOOK.lines().filter_map(row).collect()
}

fn has_word(sentence: &str) -> bool {
    WORDS.iter().any(|word| sentence.contains(word))
}

/// What is wrong with a claim.
fn wrong(words: &str, held: &Held, rows: &BTreeMap<&str, [f64; 2]>) -> Option<String> {
    match held {
        Rows(column, one, other, least, most) => {
            let of = |name: &str| {
                let row = rows
                    .get(name)
                    .unwrap_or_else(|| panic!("the book shows no {name}"));
                row[*column as usize]
            };
            let ratio = of(one) / of(other);
            let is_so = (*least..=*most).contains(&ratio);
            (!is_so).then(|| format!("{words}: {one} is {ratio:.2} times {other}"))
        }
        So(is_so) => (!is_so()).then(|| words.to_string()),
        Other | Elsewhere(_) => None,
    }
}

#[test]
fn no_sentence_between_the_tables_contradicts_the_run_that_they_are_of() {
    let (sentences, rows) = (sentences(), rows());
    assert!(rows.len() > 150, "{} rows", rows.len());
    for (words, held) in &CLAIMS {
        let stands = sentences.iter().any(|sentence| sentence.contains(words));
        assert!(stands, "no sentence has `{words}` any more");
        assert_eq!(wrong(words, held, &rows), None);
        if let Elsewhere(test) = held {
            let (file, name) = test.split_once("::").expect("a file and a name");
            assert_eq!(file, "docs");
            assert!(
                include_str!("docs.rs").contains(&format!("fn {name}()")),
                "{test}"
            );
        }
    }
    let is_known = |sentence: &&String| {
        let mut all = CLAIMS.iter().map(|(words, _)| *words).chain(OF_THE_METHOD);
        all.any(|words| sentence.contains(words))
    };
    let unknown: Vec<&String> = sentences
        .iter()
        .filter(|sentence| has_word(sentence) && !is_known(sentence))
        .collect();
    assert!(unknown.is_empty(), "nothing holds these: {unknown:#?}");
}

#[test]
fn a_claim_is_wrong_beyond_its_ends_and_an_unknown_sentence_is_seen() {
    let held = Rows(Cycles, "a", "b", 1.5, 2.5);
    let with = |cycles: f64| BTreeMap::from([("a", [cycles, 9.0]), ("b", [2.0, 1.0])]);
    for (cycles, is_wrong) in [(2.98, true), (3.0, false), (5.0, false), (5.02, true)] {
        assert_eq!(
            wrong("so", &held, &with(cycles)).is_some(),
            is_wrong,
            "{cycles}"
        );
    }
    let held = Rows(Instructions, "a", "b", 8.0, 10.0);
    assert_eq!(wrong("so", &held, &with(1.0)), None);
    assert!(wrong("so", &So(|| false), &with(1.0)).is_some());
    assert!(has_word("It is 3 times the other") && has_word("that is slower"));
    assert!(!has_word("It loads the receiver from the frame"));
}
