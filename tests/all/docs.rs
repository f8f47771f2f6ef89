//! The documents against the program: outputs, command lines, links and constants.
//!
//! Correct means: a reader who does what README.md and docs/ say sees what they show. Blocks are
//! marked by a comment in front of them:
//!
//! - `<!-- file: NAME -->`: the block is that file; `NAME = OTHER with `A` as `B`` derives one.
//! - `<!-- output: COMMAND -->`: the block is what the command prints, to the letter.
//! - `<!-- measured: COMMAND -->`: the same, numbers and machine aside.
//! - `<!-- first rows: COMMAND -->`: the first paragraph of that and the last, and `…` for those between.
//! - `<!-- drawing: COMMAND -->`: the block is the drawing under that, wherever its points are.
//! - `<!-- excerpt: COMMAND -->`: the block's lines stand in what the command prints, in one piece.
//! - `<!-- built: NAME by RELEASE -->`: the block's commands make that file, with that release of Go; where another
//!   one is installed, or none, outputs of commands that read it are not compared.
//!
//! What stands between `<!-- book: SECTION -->` and `<!-- end -->` in docs/book.md is that section of
//! the suite `book`: rows, published figures and remarks as its file has them, beside numbers of
//! one run, which no test compares.
//!
//! `BLESS=1 cargo test --test all docs::` rewrites outputs and measured blocks; do it on a quiet machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::common::unfolded;
use dispatchlab::go::hash::type_hash;
use dispatchlab::go::{HeapKind, HeapSpec, lay_out};
use dispatchlab::stats::Quantity;
use dispatchlab::template::suite::Member;
use dispatchlab::template::{Figure, Library, Order, params};
use serde_json::Value;

const DOCUMENTS: [&str; 12] = [
    "README.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/method.md",
    "docs/counters.md",
    "docs/templates.md",
    "docs/go-runtime.md",
    "docs/limits.md",
    "docs/book.md",
    "docs/fleet.md",
    "docs/live.md",
    "docs/programs.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// A fenced block: the comment in front of it, its language, its text, and where the text stands.
struct Block<'a> {
    marks: Vec<&'a str>,
    language: &'a str,
    text: &'a str,
    start: usize,
}

/// The fenced blocks of a document, in order.
fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut marks = Vec::new();
    let mut opened: Option<(&str, usize)> = None;
    let mut at = 0;
    for line in document.split_inclusive('\n') {
        let next = at + line.len();
        let trimmed = line.trim_end();
        match (opened, trimmed.strip_prefix("```")) {
            (None, Some(language)) => opened = Some((language, next)),
            (Some((language, start)), Some(_)) => {
                blocks.push(Block {
                    marks: std::mem::take(&mut marks),
                    language,
                    text: &document[start..at],
                    start,
                });
                opened = None;
            }
            (Some(_), None) => {}
            (None, None) => match trimmed
                .strip_prefix("<!-- ")
                .and_then(|rest| rest.strip_suffix(" -->"))
            {
                Some(mark) => marks.push(mark),
                None if trimmed.is_empty() => {}
                None => marks.clear(),
            },
        }
        at = next;
    }
    assert!(opened.is_none(), "a block is not closed");
    blocks
}

/// A folder like a clone of the project, with the files that the documents have the reader write.
fn workplace() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs_workplace");
        // What an earlier run left is in the way of commands that overwrite nothing, and its links may lead to another clone.
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).expect("a folder");
        for folder in ["asm_templates", "tests"] {
            let link = place.join(folder);
            std::os::unix::fs::symlink(root().join(folder), link).expect("a link");
        }
        let documents = ["README.md", "docs/templates.md", "docs/programs.md"].map(read);
        for block in documents.iter().flat_map(|document| blocks(document)) {
            for mark in block
                .marks
                .iter()
                .filter_map(|mark| mark.strip_prefix("file: "))
            {
                match mark.split_once(" = ") {
                    None => fs::write(place.join(mark), block.text).expect("writes"),
                    Some((name, how)) => derive(&place, name, how),
                }
            }
            for mark in &block.marks {
                if let Some((name, release)) = as_built(mark) {
                    build(&place, name, release, block.text);
                }
            }
        }
        place
    })
}

/// The file that a block's commands make, and the release that they are of.
fn as_built(mark: &str) -> Option<(&str, &str)> {
    mark.strip_prefix("built: ")?.split_once(" by ")
}

/// Makes a file by a block's commands, where the release is the one that they are of.
fn build(place: &Path, name: &str, release: &str, commands: &str) {
    let _ = fs::remove_file(place.join(name));
    let go = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(place)
            .env("GOTOOLCHAIN", "local")
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .env("CGO_ENABLED", "0")
            .output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    match go("go", &["env", "GOVERSION"]) {
        Ok(installed) if installed == release => {
            let made = go("sh", &["-c", commands]);
            assert!(place.join(name).exists(), "{commands}: {made:?}");
        }
        other => eprintln!("what {name} shows is of {release}, and not compared here: {other:?}"),
    }
}

/// Whether a command reads a file that could not be built here.
fn wants_what_is_missing(arguments: &[String]) -> bool {
    let text = read("docs/programs.md");
    let blocks = blocks(&text);
    let marks = blocks.iter().flat_map(|block| &block.marks);
    let mut names = marks.filter_map(|mark| as_built(mark));
    // The program, to be read or started, or its source, to be compiled again.
    let is_it = |word: &String, name: &str| {
        let word = word.strip_prefix("./").unwrap_or(word);
        word.strip_suffix(".go").unwrap_or(word) == name
    };
    names.any(|(name, _)| {
        arguments.iter().any(|word| is_it(word, name)) && !workplace().join(name).exists()
    })
}

/// Writes `name`, which is another file with one word as another.
fn derive(place: &Path, name: &str, how: &str) {
    let parts: Vec<&str> = how.split('`').collect();
    let [source, from, " as ", to, ""] = parts[..] else {
        panic!("{how}: OTHER with `A` as `B`")
    };
    let source = source.strip_suffix(" with ").expect("OTHER with");
    let text =
        fs::read_to_string(place.join(source)).expect("the file it derives from comes first");
    assert!(text.contains(from), "{source} has no `{from}`");
    fs::write(place.join(name), text.replacen(from, to, 1)).expect("writes");
}

/// The words of a command line, quotes removed.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    assert!(quote.is_none(), "{line}: a quote is not closed");
    words
}

/// What a command says.
struct Said {
    /// Its results, or where it has none its errors.
    text: String,
    code: i32,
    /// Whether it warns that something else used the core, saw two speeds, or failed a self-check.
    is_noisy: bool,
}

/// A folder for what `doctor` remembers, and an empty one for all others.
fn state_home(arguments: &[String]) -> PathBuf {
    let command = arguments.first().map_or("tour", String::as_str);
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("state-docs-{command}"))
}

fn run(arguments: &[String]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(arguments)
        .current_dir(workplace())
        .env("LC_ALL", "C.UTF-8")
        .env("NO_COLOR", "1")
        .env("XDG_STATE_HOME", state_home(arguments))
        .env("DISPATCHLAB_SCRIPTED", "tests")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let [results, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    Said {
        is_noisy: errors.contains("disturbed")
            || results.contains("bistable")
            || output.status.code() == Some(1),
        text: if results.is_empty() { errors } else { results },
        code: output.status.code().expect("it ends by itself"),
    }
}

/// Runs a command until it was not disturbed, or a few times.
fn run_in_quiet(arguments: &[String]) -> Said {
    const TRIES: usize = 5;
    let mut said = run(arguments);
    for _ in 1..TRIES {
        if !said.is_noisy {
            break;
        }
        said = run(arguments);
    }
    said
}

/// The same of its first rows.
fn first_rows_in_quiet(arguments: &[String]) -> Said {
    let said = run_in_quiet(arguments);
    Said {
        text: first_rows(&said.text),
        ..said
    }
}

/// A report's first paragraph and its last.
fn first_rows(report: &str) -> String {
    let (first, rest) = report.split_once("\n\n").expect("a paragraph ends");
    let (_, last) = rest.rsplit_once("\n\n").expect("others between");
    format!("{first}\n…\n\n{last}")
}

/// The drawing under a report.
fn drawing_in_quiet(arguments: &[String]) -> Said {
    let said = run_in_quiet(arguments);
    Said {
        text: drawing(&said.text).to_string(),
        ..said
    }
}

/// What stands behind the last empty line of a report.
fn drawing(report: &str) -> &str {
    report.rsplit_once("\n\n").map_or(report, |(_, last)| last)
}

/// What each run's drawing has in common: how high it is, its axis below, and what its points stand for.
fn frame(drawing: &str) -> String {
    let lines: Vec<&str> = drawing.lines().collect();
    let below = &lines[lines.len().saturating_sub(2)..];
    format!("{} lines\n{}", lines.len(), below.join("\n"))
}

/// The arguments of a line that runs this program; `None` for other programs.
fn arguments(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let own = match words[..] {
        ["dispatchlab", ref rest @ ..] | ["cargo", "run", "--release", "--", ref rest @ ..] => rest,
        ["cargo", "run", "--release"] => &[],
        _ => return None,
    };
    Some(own.iter().map(ToString::to_string).collect())
}

/// Compares every block of a kind, or rewrites it with what `bless` prints.
fn check_blocks(
    kind: &str,
    bless: Option<fn(&[String]) -> Said>,
    check: impl Fn(&str, &[String]) -> Result<(), String>,
) {
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = read(document);
        let mut blessed = text.clone();
        for block in blocks(&text).iter().rev() {
            let mut marks = block.marks.iter();
            let command = marks.find_map(|mark| mark.strip_prefix(kind)?.strip_prefix(": "));
            let Some(command) = command else { continue };
            let arguments = arguments(command).unwrap_or_else(|| panic!("{document}: {command}"));
            if wants_what_is_missing(&arguments) {
                continue;
            }
            if let Some(print) = bless {
                let span = block.start..block.start + block.text.len();
                blessed.replace_range(span, &print(&arguments).text);
            } else if let Err(why) = check(block.text, &arguments) {
                wrong.push(format!("{document}: `{command}`\n{why}"));
            }
        }
        if blessed != text {
            fs::write(root().join(document), blessed).expect("writes");
        }
    }
    assert!(
        wrong.is_empty(),
        "BLESS=1 rewrites outputs\n{}",
        wrong.join("\n")
    );
}

/// The first line in which two texts differ.
fn compare(shown: &str, printed: &str) -> Result<(), String> {
    let longer = shown.lines().count().max(printed.lines().count());
    let line = |text: &str, at: usize| text.lines().nth(at).unwrap_or("(nothing)").to_string();
    match (0..longer).find(|&at| line(shown, at) != line(printed, at)) {
        None => Ok(()),
        Some(at) => Err(format!(
            "  shown:   {}\n  printed: {}",
            line(shown, at),
            line(printed, at)
        )),
    }
}

/// One test for all outputs: blessing writes the documents, and two writers would undo each other;
/// and what is measured should not run beside what else these tests run.
#[test]
fn outputs_are_what_the_program_prints() {
    let is_blessing = std::env::var_os("BLESS").is_some();
    let bless = |print: fn(&[String]) -> Said| is_blessing.then_some(print);
    check_blocks("output", bless(run), |shown, arguments| {
        compare(shown, &run(arguments).text)
    });
    check_blocks("measured", bless(run_in_quiet), |shown, arguments| {
        let printed = run(&quickly(arguments)).text;
        compare(&without_numbers(shown), &without_numbers(&printed))
    });
    check_blocks(
        "first rows",
        bless(first_rows_in_quiet),
        |shown, arguments| {
            let printed = first_rows(&run(&quickly(arguments)).text);
            compare(&without_numbers(shown), &without_numbers(&printed))
        },
    );
    check_blocks("drawing", bless(drawing_in_quiet), |shown, arguments| {
        let printed = run(&quickly(arguments)).text;
        compare(&frame(shown), &frame(drawing(&printed)))
    });
    check_blocks("excerpt", None, |shown, arguments| {
        let printed = run(arguments).text;
        let holds = printed.contains(shown);
        holds.then_some(()).ok_or(format!("printed:\n{printed}"))
    });
}

/// The documents show a machine without a PMU.
fn quickly(arguments: &[String]) -> Vec<String> {
    let quick = ["--quick", "--counters", "clock"].map(str::to_string);
    [arguments, &quick].concat()
}

/// The rows of the suite `book`.
fn rows_of_book() -> Vec<Member> {
    let suite = Library::embedded().suite("book").expect("it is sound");
    suite.expect("it is shipped").members
}

/// The lines of a section of the suite `book`; numbers of our own only where there is a run.
fn section_of_book(title: &str, run: Option<&Value>) -> Vec<String> {
    let mut table = vec![
        "| scenario | cycles | instr | published | here |".to_string(),
        "|---|--:|--:|--:|--:|".to_string(),
    ];
    let mut remarks = Vec::new();
    for row in rows_of_book()
        .iter()
        .filter(|row| row.said.section.as_deref() == Some(title))
    {
        let measured = run.and_then(|run| {
            let rows = run["rows"].as_array()?;
            rows.iter()
                .find(|one| one["scenario"] == row.scenario.as_str())
        });
        let number = |value: &Value| match value.as_f64() {
            Some(number) => format!("{number:.2}"),
            None => "–".to_string(),
        };
        let of = |metric: &str| {
            measured.map_or("–".into(), |row| number(&row["metrics"][metric]["value"]))
        };
        let mut cells = [
            format!("`{}`", row.scenario),
            of("cycles"),
            of("instructions"),
        ];
        let figures = &row.said.published;
        for (at, figure) in figures.iter().enumerate() {
            let theirs = match &figure.figure {
                Figure::Value { value } => format!("{value} {}", figure.metric),
                Figure::Ratio { ratio, to } => format!("{ratio}× {} of `{to}`", figure.metric),
            };
            let here = measured.map_or("–".into(), |row| {
                number(&row["published"][at]["measured"])
            });
            table.push(format!("| {} | {theirs} | {here} |", cells.join(" | ")));
            cells = Default::default();
        }
        if figures.is_empty() {
            table.push(format!("| {} | | |", cells.join(" | ")));
        }
        let filled = |row: &Value| row["today"].as_str().map(str::to_string);
        let today = measured.map_or(row.said.today.clone(), filled);
        remarks.extend(today.map(|today| format!("- `{}`: {today}", row.scenario)));
    }
    if table.len() == 2 {
        return Vec::new();
    }
    if !remarks.is_empty() {
        table.push(String::new());
    }
    table.extend(remarks);
    table
}

/// A line of such a section without numbers of our own.
fn theirs(line: &str) -> String {
    let cells: Vec<&str> = line.split(" | ").collect();
    match cells[..] {
        [name, _, _, published, _] => format!("{name} | {published}"),
        [name, _, _, "| |"] => name.to_string(),
        _ => line.to_string(),
    }
}

#[test]
fn the_book_shows_each_row_of_the_suite_with_what_was_published() {
    let document = read("docs/book.md");
    let run = std::env::var_os("BLESS").map(|_| {
        let arguments = ["run", "book", "--json"].map(str::to_string);
        serde_json::from_str::<Value>(&run(&arguments).text).expect("a report")
    });
    let mut written = String::new();
    let mut lines = document.lines();
    let mut sections = Vec::new();
    while let Some(line) = lines.next() {
        written += &format!("{line}\n");
        let Some(title) = line
            .strip_prefix("<!-- book: ")
            .and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        sections.push(title.to_string());
        let shown: Vec<&str> = lines
            .by_ref()
            .take_while(|line| *line != "<!-- end -->")
            .collect();
        let shown = shown.join("\n");
        let expected = section_of_book(title, run.as_ref()).join("\n");
        if run.is_none() {
            let told = |text: &str| text.trim().lines().map(theirs).collect::<Vec<_>>();
            let (shown, expected) = (told(&shown), told(&expected));
            assert_eq!(shown.len(), expected.len(), "{title}: BLESS=1 rewrites it");
            for (shown, expected) in shown.iter().zip(&expected) {
                // From a number of ours on a remark is of the run.
                let is_told = match expected.split_once('{') {
                    Some((start, _)) => shown.starts_with(start),
                    None => shown == expected,
                };
                assert!(is_told, "{title}: BLESS=1 rewrites it: {shown}: {expected}");
            }
        }
        written += &format!("\n{expected}\n\n<!-- end -->\n");
    }
    let mut own: Vec<String> = Vec::new();
    own.extend(
        rows_of_book()
            .into_iter()
            .filter_map(|row| row.said.section),
    );
    own.dedup();
    assert_eq!(sections, own, "the sections of the suite, in its order");
    if run.is_some() {
        fs::write(root().join("docs/book.md"), written).expect("writes");
    }
}

/// The cycles of each row that the book shows.
fn cycles_of_the_book(document: &str) -> BTreeMap<&str, f64> {
    let rows = document.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let (cycles, _) = rest.split_once(" | ")?;
        Some((name, cycles.parse().ok()?))
    });
    rows.collect()
}

#[test]
fn no_remark_of_the_book_contradicts_the_numbers_beside_it() {
    const OF: &str = "× the cycles of `";
    let document = read("docs/book.md");
    let cycles = cycles_of_the_book(&document);
    let mut held = 0;
    let remarks = document
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    for (row, remark) in remarks {
        let mut rest = remark;
        while let Some((front, behind)) = rest.split_once(OF) {
            let ratio: f64 = last_number(front).unwrap_or_else(|| panic!("{row}: {remark}"));
            let (other, behind) = behind.split_once('`').expect("a row's name ends");
            let (range, _) = behind.split_once(')').expect("a range follows");
            let numbers: Vec<f64> = range
                .split(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
                .filter_map(|word| word.parse().ok())
                .collect();
            let [least, most] = numbers[..] else {
                panic!("{row}: no range: {remark}");
            };
            let (Some(own), Some(theirs)) = (cycles.get(row), cycles.get(other)) else {
                panic!("{row}: the book shows no cycles of it, or of {other}");
            };
            // What is printed is rounded, on both sides.
            let is_the_ratio = (own / theirs - ratio).abs() < 0.006 + 0.006 * ratio / theirs;
            assert!(is_the_ratio, "{row}: {own} / {theirs}, not {ratio}");
            assert!(least <= ratio && ratio <= most, "{row}: {ratio}: {range}");
            // An end that is printed as 1.00 may lie on either side of 1.
            if least != 1.0 && most != 1.0 {
                let is_layout = least < 1.0 && 1.0 < most;
                let says_so = range.contains("within what placement moves");
                assert_eq!(says_so, is_layout, "{row}: {range}");
            }
            held += 1;
            rest = behind;
        }
    }
    assert!(held > 10, "{held} ratios");
}

/// The number that a text ends with.
fn last_number(text: &str) -> Option<f64> {
    text.rsplit(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
        .next()?
        .parse()
        .ok()
}

/// What the bullets under the tables of strategies say of who wins from where.
#[test]
fn the_tables_of_strategies_show_what_is_said_of_them() {
    let document = read("docs/book.md");
    let (_, section) = document
        .split_once("### Where each strategy wins")
        .expect("it is there");
    let rows: Vec<Vec<f64>> = section
        .lines()
        .take_while(|line| !line.starts_with("One type comes by"))
        .filter_map(|line| {
            let cells = line.strip_prefix("| ")?.trim_end_matches('|').split('|');
            cells.map(|cell| cell.trim().parse().ok()).collect()
        })
        .collect();
    assert_eq!(rows.len(), 10);
    let [cases, chain, halves, table] = [0, 1, 2, 3];
    let at_random = 3;
    let first = |wins: &dyn Fn(&[f64]) -> bool| {
        let last_lost = rows.iter().rposition(|row| !wins(row));
        rows[last_lost.map_or(0, |at| at + 1)][cases]
    };
    let said = |text: &str| assert!(unfolded(section).contains(text), "{text}");
    said("the table is the quickest from 4 cases on, and halves beat the chain from 8 on");
    assert!(first(&|row| row[table] < row[chain] && row[table] < row[halves]) <= 4.0);
    assert!(first(&|row| row[halves] < row[chain]) <= 8.0);
    said("the chain is the quickest up to 16 cases");
    let is_chain = |row: &Vec<f64>| {
        row[chain + at_random] <= row[halves + at_random]
            && row[chain + at_random] <= row[table + at_random]
    };
    assert!(rows.iter().filter(|row| row[cases] <= 16.0).all(is_chain));
    said("Halves pass the chain between 64 and 128 cases, the table between 16 and 32");
    assert_eq!(
        first(&|row| row[halves + at_random] < row[chain + at_random]),
        128.0
    );
    assert_eq!(
        first(&|row| row[table + at_random] < row[chain + at_random]),
        32.0
    );
}

/// A report without what differs between two runs and between two machines: each paragraph on one
/// line, every number as `#`, blanks and rules as one, warnings and what is said under rows left out, and
/// of the lines about the machine only which columns they are about and how those are obtained.
fn without_numbers(report: &str) -> String {
    let mut paragraphs: Vec<String> = Vec::new();
    for paragraph in report.split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().collect();
        let first = lines.first().copied().unwrap_or("");
        let is_remark = |line: &str| line.starts_with(|c: char| "⁰¹²³⁴⁵⁶⁷⁸⁹".contains(c));
        if first.starts_with("warning:") || is_remark(first) {
            continue;
        }
        let is_doctor = first.starts_with("What can be")
            || first.starts_with("Where the")
            || first.starts_with("What may")
            || first.starts_with("What the branch")
            || first.starts_with("Self-check");
        // Knees, break-evens and verdicts are findings; what is compared with what is not.
        let is_finding = |line: &str| {
            [
                " cycles rise from ",
                " cycles fall from ",
                " wins from ",
                " wins at ",
                "neither ",
            ]
            .iter()
            .any(|words| line.contains(words))
        };
        if is_finding(first) {
            continue;
        }
        if first.starts_with("What leaving") || first.contains(" against ") {
            paragraphs.push(compared(&lines));
            continue;
        }
        if paragraph.contains("more: -v") {
            paragraphs.push(columns_of(paragraph));
            continue;
        }
        let is_about_machine = paragraph.contains("pinned") || paragraph.contains(", Linux ");
        let mut kept: Vec<String> = match (is_doctor, is_about_machine) {
            (true, _) => lines.iter().filter_map(|line| doctor_line(line)).collect(),
            (_, true) => lines.iter().filter_map(|line| source_line(line)).collect(),
            _ if first.starts_with("code, ") => lines.iter().map(ToString::to_string).collect(),
            _ => {
                let rows = lines.iter().filter(|line| !is_under_a_row(line));
                rows.map(ToString::to_string).collect()
            }
        };
        // Events that fail for different reasons have a line for each reason.
        kept.dedup();
        paragraphs.push(squeeze(&kept.join(" ")));
    }
    paragraphs.join("\n")
}

/// Whether a line of a table tells something of the row above.
fn is_under_a_row(line: &str) -> bool {
    line.strip_prefix("    ")
        .is_some_and(|said| !said.starts_with(' '))
}

/// Of the lines under a report: each column with its basis, but for misses.
fn columns_of(footer: &str) -> String {
    let items = footer.split(['\n', '·']);
    let sources = items.flat_map(|item| {
        let item = item.split(" (").next().unwrap_or(item).trim();
        let (heads, basis) = item.rsplit_once(' ').unwrap_or(("", item));
        let is_basis = ["measured", "exact", "modelled", "unsupported"].contains(&basis);
        let heads = heads
            .split(", ")
            .filter(move |head| is_basis && *head != "misses");
        heads.map(move |head| format!("{head}: {basis}"))
    });
    sources.collect::<Vec<_>>().join(", ")
}

/// Of a comparison: the first line, and the first word of each line of its table.
fn compared(lines: &[&str]) -> String {
    let table = lines
        .iter()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let first_words = table.filter_map(|line| line.split_whitespace().next());
    let is_metric = |word: &&str| !word.contains(|c: char| c.is_ascii_punctuation() && c != '-');
    let words: Vec<&str> = first_words.filter(is_metric).take(5).collect();
    format!("{}: {}", lines[0], words.join(" "))
}

/// What a line of `doctor` says whatever the machine answers.
fn doctor_line(line: &str) -> Option<String> {
    // Where misses come from depends on how long there was to infer them.
    // So does whether the kernel gives breakpoints.
    let depends = ["branch_misses", "ok  1000 iterations"];
    if depends
        .iter()
        .any(|what| line.trim_start().starts_with(what))
    {
        return None;
    }
    let marks = ["  ok  ", "  no  ", "  -   "];
    let Some(checked) = marks.iter().find_map(|mark| line.strip_prefix(mark)) else {
        // A reason under a failed check is indented further; a line of sources is not.
        let is_reason = line.starts_with("      ");
        return (!is_reason).then(|| {
            line.split_whitespace()
                .take(3)
                .collect::<Vec<_>>()
                .join(" ")
        });
    };
    let subject = checked.split(':').next().unwrap_or(checked);
    Some(match subject.split_once("expected") {
        Some((name, expected)) => format!(
            "{} expected{expected}",
            name.split("  ").next().unwrap_or(name)
        ),
        None => subject.to_string(),
    })
}

/// Of the lines under a report: which columns, and how they are obtained.
fn source_line(line: &str) -> Option<String> {
    let (columns, how) = line.split_once(": ")?;
    let basis = how.split([':', ';']).next()?;
    let is_source = ["measured", "exact", "inferred", "modelled", "unsupported"]
        .iter()
        .any(|word| basis.starts_with(word));
    let is_source = is_source && columns != "branch misses";
    let is_template = line.starts_with("template ");
    (is_source || is_template).then(|| {
        if is_template {
            columns.to_string()
        } else {
            format!("{columns}: {basis}")
        }
    })
}

fn squeeze(text: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for c in text.chars() {
        let c = match c {
            '0'..='9' => '#',
            '.' if last == '#' => '#',
            c if c.is_whitespace() || c == '─' => ' ',
            // The bars of a sweep.
            '▏' | '█' | '▎' | '▍' | '▌' | '▋' | '▊' | '▉' => ' ',
            c => c,
        };
        let is_mark = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺*".contains(c);
        let repeats = c == last && (c == ' ' || c == '#');
        if !is_mark && !repeats {
            out.push(c);
            last = c;
        }
    }
    // Numbers beside each other are one, and the column of misses is none: a quick run infers nothing, and
    // a busy machine leaves out some of them.
    let is_number = |word: &str| word.chars().all(|c| "#–-!".contains(c));
    const DISTURBED: &str = "!: most samples were disturbed, so the value may be too high; no sentence is \
                             told from it";
    let out = out.replace(DISTURBED, "");
    let mut words: Vec<&str> = Vec::new();
    for word in out.split_whitespace() {
        let word = if is_number(word) { "#" } else { word };
        let is_again = word == "#" && words.last() == Some(&"#");
        if !is_again && !["misses", "inferred", "unsupported"].contains(&word) {
            words.push(word);
        }
    }
    // Whether placements differ is not the same in two runs.
    let out = words
        .join(" ")
        .replace(", misses:", ":")
        .replace(" by place", "");
    // How many placements were measured is a number too, and noise may leave one without a value.
    out.replace("over # placements", "over the placements")
        .replace(
            "cycles at the one placement of loop and callees that has a value",
            "least, median and most cycles over the placements of loop and callees",
        )
        .trim()
        .to_string()
}

/// Command lines of a document's `sh` blocks.
fn command_lines(document: &str) -> Vec<String> {
    let text = read(document);
    let blocks = blocks(&text);
    let shell = blocks.iter().filter(|block| block.language == "sh");
    shell
        .flat_map(|block| block.text.lines())
        .map(str::to_string)
        .collect()
}

#[test]
fn every_command_line_in_the_documents_is_one() {
    let mut seen = BTreeSet::new();
    for document in DOCUMENTS {
        for line in command_lines(document) {
            let Some(mut arguments) = arguments(&line) else {
                let known = [
                    "cargo test",
                    "cargo bench",
                    "cargo fmt",
                    "cargo clippy",
                    "cargo install --path .",
                    "cargo doc",
                    "BLESS=1 cargo test",
                ];
                assert!(
                    known.iter().any(|known| line.starts_with(known)),
                    "{document}: what is `{line}`?"
                );
                continue;
            };
            let runs_code = arguments.is_empty() || arguments.iter().any(|word| word == "run");
            if runs_code && !arguments.iter().any(|word| word == "--counters") {
                arguments.extend(["--counters".to_string(), "none".to_string()]);
            }
            // tests/all/book.rs runs each of its rows.
            if arguments.starts_with(&["run", "book"].map(str::to_string)) {
                continue;
            }
            // A debug build takes long for a thousand cases.
            for word in &mut arguments {
                *word = word.replace("2..1024:x2", "2..16:x2");
            }
            // What is timed here is of no interest, only that it is a command.
            let is_timed = |word: &String| {
                ["doctor", "compare", "sweep", "ablate", "run"].contains(&word.as_str())
            };
            if arguments.iter().any(is_timed) {
                let options = [["--quick"].as_slice(), &["--time", "1"]];
                let missing = options
                    .iter()
                    .filter(|option| !line.split(' ').any(|word| word == option[0]));
                arguments.extend(missing.copied().flatten().map(ToString::to_string));
            }
            // Several documents show the same one.
            if !seen.insert(arguments.clone()) {
                continue;
            }
            let said = run(&arguments);
            assert_ne!(said.code, 2, "{document}: `{line}`: {}", said.text);
        }
    }
    assert!(seen.len() >= 8, "the documents show how to use the program");
}

#[test]
fn links_lead_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        let folder = Path::new(document).parent().expect("a folder");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.starts_with("http") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = if path.is_empty() {
                root().join(document)
            } else {
                root().join(folder).join(path)
            };
            assert!(linked.exists(), "{document}: {target}");
            if !anchor.is_empty() {
                let text = fs::read_to_string(&linked).expect("text");
                let has = text
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .any(|heading| slug(heading) == anchor);
                assert!(has, "{document}: {target}");
            }
        }
    }
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn constants_in_the_documents_are_those_of_the_code() {
    let text = [read("docs/method.md"), read("docs/go-runtime.md")].concat();
    let mut seen = 0;
    for row in text.lines().filter(|line| line.starts_with("| [`")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].split('`').nth(1).expect("a name");
        let path = cells[1]
            .split("](../")
            .nth(1)
            .and_then(|rest| rest.split(')').next())
            .expect("a link to its file");
        let value = number_at_start(cells[2]).unwrap_or_else(|| panic!("{row}: a value first"));
        let source = read(path);
        let found = source
            .lines()
            .find_map(|line| constant(line, name))
            .unwrap_or_else(|| panic!("{path} has no {name}"));
        assert_eq!(found, value, "{name} of {path}");
        seen += 1;
    }
    assert!(seen >= 32, "the tables of constants are there: {seen}");
}

/// The number that a cell begins with: `262,144 elements` is 262144.
fn number_at_start(cell: &str) -> Option<f64> {
    let digits: String = cell
        .chars()
        .take_while(|c| c.is_ascii_digit() || ",.".contains(*c))
        .collect();
    digits.replace(',', "").trim_end_matches('.').parse().ok()
}

/// The value that a line of Rust gives to `name`, as a constant or as a field.
fn constant(line: &str, name: &str) -> Option<f64> {
    let line = line.trim();
    let line = line
        .strip_prefix("pub ")
        .or(line.strip_prefix("pub(super) "))
        .unwrap_or(line);
    let value = match line
        .strip_prefix("const ")
        .and_then(|rest| rest.strip_prefix(name))
    {
        Some(rest) if rest.starts_with(':') => rest.split_once(" = ")?.1.trim_end_matches(';'),
        _ => line
            .strip_prefix(name)?
            .strip_prefix(": ")?
            .trim_end_matches(','),
    };
    let factor = |text: &str| text.trim().replace('_', "").parse::<f64>().ok();
    if let Some((base, shift)) = value.split_once("<<") {
        return Some(factor(base)? * factor(shift)?.exp2());
    }
    value.split('*').map(factor).product()
}

/// The cells of a table's row, without quotes.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_matches('|');
    inner
        .split('|')
        .map(|cell| cell.trim().trim_matches('`').to_string())
        .collect()
}

#[test]
fn layouts_in_the_document_are_those_of_the_model() {
    let text = read("docs/go-runtime.md");
    let mut tables = 0;
    for table in text.split("<!-- layout: ").skip(1) {
        let (symbol, rest) = table.split_once(" -->\n").expect("a mark of its own");
        let rows: Vec<Vec<String>> = rest
            .lines()
            .take_while(|line| line.starts_with('|'))
            .map(cells)
            .collect();
        let releases = &rows[0][2..rows[0].len() - 1];
        for (number, release) in releases.iter().enumerate() {
            let documented: Vec<_> = rows[2..]
                .iter()
                .map(|row| {
                    let is_modelled = !row[row.len() - 1].starts_with("not modelled");
                    let name = row[2 + number].clone();
                    (row[0].clone(), row[1].clone(), name, is_modelled)
                })
                .collect();
            let modelled = fields(symbol, release);
            // What every type begins with is not repeated for the interface type.
            let first = modelled.len() - documented.len();
            assert_eq!(documented, modelled[first..], "{symbol} in Go {release}");
            assert!(first == 0 || documented[0].0 == "48", "{symbol}");
        }
        tables += 1;
    }
    assert_eq!(tables, 4);
}

/// Offset, size and name of each field of a symbol of the heap, and whether it is modelled.
fn fields(symbol: &str, release: &str) -> Vec<(String, String, String, bool)> {
    let heap = lay_out(&HeapSpec {
        kind: HeapKind::Iface,
        types: vec!["main.T0".into()],
        methods: vec!["Add".into(), "Sub".into()],
        signatures: vec!["() uint32".into(), "() uint32".into()],
        objects: vec![0],
        release: release.parse().expect("a release"),
        nil_receiver: false,
        nil_interface: false,
        indexed: false,
        object: None,
        words: Vec::new(),
        interfaces: Vec::new(),
    })
    .expect("the hash is known");
    let own = heap.symbols.iter().find(|own| own.name == symbol);
    let own = own.unwrap_or_else(|| panic!("no {symbol}"));
    let range = own.offset..own.offset + own.size;
    let fields = heap.fields.iter().filter(|f| range.contains(&f.offset));
    fields
        .map(|field| {
            let offset = (field.offset - own.offset).to_string();
            let name = field.name.to_string();
            (offset, field.size.to_string(), name, field.is_modelled)
        })
        .collect()
}

#[test]
fn hashes_in_the_document_are_those_of_the_model() {
    let text = read("docs/go-runtime.md");
    let rows = text.lines().filter(|line| line.contains("| `0x"));
    let mut known = 0;
    for row in rows.map(cells) {
        // The second column is a digest, with the releases in front of it, or a type.
        let (releases, name) = match row[0].split_once(" to ") {
            Some((first, last)) => (vec![first, last], "uint32"),
            None => (vec![row[0].as_str()], row[1].as_str()),
        };
        for release in releases {
            let hash = type_hash(release.parse().expect("a release"), name).expect("known");
            assert_eq!(format!("{hash:#010x}"), row[2], "{name} in Go {release}");
            known += 1;
        }
    }
    assert_eq!(known, 18);
    let refused = text.split("Refused, with this reason, are ").nth(1);
    let (refused, _) = refused.expect("a sentence").split_once(':').expect("why");
    for minor in 9..=27 {
        let release = format!("1.{minor}");
        let is_known = type_hash(release.parse().expect("a release"), "uint32").is_ok();
        let is_named = refused.split([',', ' ']).any(|word| word == release);
        assert_ne!(is_known, is_named, "Go {release}");
    }
}

#[test]
fn the_exit_codes_of_the_method_are_those_of_the_help() {
    let help = run(&["--help".to_string()]).text;
    let listed = help
        .split("Exit codes: ")
        .nth(1)
        .expect("the help lists them")
        .replace('\n', " ");
    let codes: Vec<&str> = listed
        .split(", ")
        .filter_map(|entry| entry.split_whitespace().next())
        .collect();
    let method = read("docs/method.md");
    for code in &codes {
        assert!(
            method.contains(&format!("| {code} |")),
            "docs/method.md has no exit code {code}"
        );
    }
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "130"]);
}

#[test]
fn every_quantity_is_in_the_tables_of_documents_exports_and_suites() {
    let (method, templates) = (read("docs/method.md"), read("docs/templates.md"));
    let row = |document: &str, key: &str| {
        let start = format!("| `{key}` | ");
        let line = document.lines().find(|line| line.starts_with(&start));
        line.unwrap_or_else(|| panic!("no row `{key}`")).to_string()
    };
    let of_suites = row(&templates, "published");
    for table in [
        &row(&method, "metrics"),
        &row(&method, "metric"),
        &of_suites,
    ] {
        for quantity in Quantity::ALL {
            assert!(
                table.contains(&format!("`{quantity}`")),
                "{quantity} is not in {table}"
            );
        }
    }
    for metric in dispatchlab::template::suite::metrics() {
        assert!(of_suites.contains(&format!("`{metric}`")), "{metric}");
    }
}

/// The first cells of the rows of a table, by the head of its first column and the next of the line.
fn first_cells<'a>(document: &'a str, head: &str) -> Vec<&'a str> {
    let table = document
        .split(head)
        .nth(1)
        .unwrap_or_else(|| panic!("no table `{head}`"));
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.filter_map(|line| line.split('`').nth(1)).collect()
}

#[test]
fn the_schema_of_saved_jobs_in_the_method_is_the_codes() {
    let stated = format!(
        "a `schema` of its own, now {},",
        dispatchlab::job::file::SCHEMA
    );
    assert!(read("docs/method.md").contains(&stated), "{stated}");
}

#[test]
fn each_parameter_and_each_order_has_a_row_of_its_table() {
    let templates = read("docs/templates.md");
    let mut documented = first_cells(&templates, "| parameter | who has it");
    documented.sort_unstable();
    assert_eq!(documented, params::names().collect::<Vec<_>>());
    let orders = Order::ALL.map(Order::form);
    assert_eq!(
        BTreeSet::from_iter(first_cells(&templates, "| `order` | object |")),
        BTreeSet::from(orders)
    );
    let row = templates
        .lines()
        .find(|line| line.starts_with("| `order` | every heap"));
    for form in orders {
        assert!(row.expect("a row").contains(&format!("`{form}`")), "{form}");
    }
}

#[test]
fn each_command_and_each_export_is_told_of() {
    let readme = read("README.md");
    let help = run(&["--help".to_string()]).text;
    let commands = help.split("Commands:").nth(1).expect("a list of commands");
    let commands = commands.lines().skip(1).take_while(|line| !line.is_empty());
    let commands = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<&str> = commands
        .filter(|name| !["", "help"].contains(name))
        .collect();
    assert!(commands.len() > 10, "{help}");
    for name in commands {
        let is_told = [format!("dispatchlab {name}"), format!("`{name}`")];
        let is_told = is_told.iter().any(|words| readme.contains(words));
        assert!(is_told, "{name} is not in README.md");
    }
    let method = read("docs/method.md");
    let help = run(&["run", "--help"].map(str::to_string)).text;
    let exports = help
        .split_whitespace()
        .filter(|word| word.starts_with("--export-"));
    for option in exports {
        assert!(
            method.contains(&format!("`{option}`")),
            "{option} is not in docs/method.md"
        );
    }
}

#[test]
fn the_header_keys_of_every_shipped_template_are_documented() {
    let document = read("docs/templates.md");
    for (name, text) in dispatchlab::template::shipped::TEMPLATES {
        for line in text.lines().filter_map(|line| line.strip_prefix(";!")) {
            let Some((key, _)) = line.split_once(" =") else {
                continue;
            };
            let key = key.trim();
            assert!(
                document.contains(&format!("| `{key}` |")),
                "{key} of {name} is not in docs/templates.md"
            );
        }
        assert!(
            document.contains(&format!("| `{name}` |")),
            "{name} is not in docs/templates.md"
        );
    }
}

#[test]
fn numbers_and_machines_are_left_out_and_nothing_else() {
    let one = "a  cycles  by place\nx  3.40*¹  3.40–3.51\n    * cycles: wide\n\n¹ bistable\n\nwarning: noise\n\nns measured (clock) · instr, branch exact (step)\nmisses inferred ±0.05 · by place: 4\nEPYC, CPU 1 · more: -v\n";
    let other = "a  cycles\nx\n       12.0\n\nns measured (clock) · instr exact (interpreter) · branch exact (step)\nmisses unsupported\nXeon, not pinned, · more: -v\n";
    assert_eq!(without_numbers(one), without_numbers(other));
    assert_ne!(
        without_numbers(one),
        without_numbers(&other.replace("ns measured", "ns exact"))
    );
    assert_ne!(
        without_numbers(one),
        without_numbers(&other.replace("cycles", "ticks"))
    );
}
