//! Suites on the command line: found, listed, checked and run, a user's own like the shipped ones.
//!
//! Correct means: a row that there is not is a row with the suite's line, and the others have numbers;
//! a suite that cannot be read runs nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Run, dispatchlab, folder, json, rows, suite, template, unfolded};
use serde_json::Value;

/// A folder for templates, with `suites/`.
fn place(name: &str) -> PathBuf {
    let place = folder(&format!("suites_{name}"));
    fs::remove_dir_all(&place).expect("removes");
    fs::create_dir_all(place.join("suites")).expect("a folder");
    place
}

fn path(place: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = place.join(name);
    fs::write(&path, text).expect("writes");
    path.to_str().expect("UTF-8").to_string()
}

/// What `run` counts, with patience for a busy machine.
fn counted(arguments: &[&str]) -> (i32, Value) {
    json(
        &[
            arguments,
            &["--quick", "--counters", "none", "--timeout", "60"],
        ]
        .concat(),
    )
}

fn names(document: &Value) -> Vec<&str> {
    rows(document).into_iter().map(|row| row.0).collect()
}

const OWN: &str = r#"
title = "ours"
reference = "inline"
rows = ["inline", "itab_call[targets=2, order=random]"]
"#;

#[test]
fn a_file_is_a_suite_and_one_of_the_folder_has_a_name() {
    let place = place("found");
    let file = path(&place, "suites/ours.toml", OWN);
    let folder = place.to_str().expect("UTF-8");
    let expected = ["inline", "itab_call[order=random,targets=2]"];
    for arguments in [&["run", &file][..], &["run", "ours", "--templates", folder]] {
        let (code, document) = counted(arguments);
        assert_eq!((code, names(&document)), (0, expected.to_vec()));
    }
    // Each takes those of the parameters that it has; what is named twice runs once.
    let (code, document) = counted(&["run", &file, &file, "-p", "targets=4"]);
    assert_eq!(code, 0);
    assert_eq!(
        names(&document),
        ["inline", "itab_call[order=random,targets=4]"]
    );
    let refused = dispatchlab(&["run", &file, "-p", "tragets=4"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.said().contains("did you mean `targets`?"),
        "{}",
        refused.stderr
    );

    let listed = dispatchlab(&["list", "ours", "--templates", folder]).stdout;
    assert!(listed.contains("suite ours: ours"), "{listed}");
    assert!(listed.contains("suites/ours.toml)"), "{listed}");
    assert!(
        listed.contains("\n  itab_call[order=random,targets=2]\n"),
        "{listed}"
    );
    let (_, listed) = json(&["list", "--templates", folder]);
    let suites = listed["suites"].as_array().expect("a list");
    let known: Vec<&str> = suites
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(known, ["ours", "tour", "book"]);
}

#[test]
fn a_row_may_be_a_file_with_or_without_its_ending() {
    let place = place("endings");
    let body = "body:\n mov eax, 7\n";
    let own = template(
        &place,
        "own",
        &format!(";! params = {{ n = [1, 2] }}\n{body}"),
    );
    let bare = own.strip_suffix(".asm").expect("the ending").to_string();
    for row in [&own, &bare] {
        let text = format!("rows = [\"{row}\", \"{row}[n=2]\"]\n");
        let (code, document) = counted(&["run", &path(&place, "mine.toml", text)]);
        let expected = [bare.clone(), format!("{bare}[n=2]")];
        assert_eq!(
            (code, names(&document)),
            (0, expected.each_ref().map(|name| &**name).to_vec())
        );
    }
}

#[test]
fn a_suite_of_the_folder_replaces_the_shipped_one_as_a_whole() {
    let place = place("replaced");
    path(&place, "suites/tour.toml", OWN);
    let folder = place.to_str().expect("UTF-8");
    let (_, document) = counted(&["run", "tour", "--templates", folder]);
    assert_eq!(names(&document).len(), 2);
    // Of its rows the suite `book` still says what it says.
    assert_eq!(rows(&document)[1].1["section"], "Beyond the book");
}

#[test]
fn what_the_suite_that_runs_says_of_a_row_stands_before_what_others_say() {
    let place = place("said");
    let text =
        "[[section]]\ntitle = \"Mine\"\nrows = [{ row = \"itab_call\", today = \"so it is\" }]\n";
    let file = path(&place, "mine.toml", text);
    let (_, document) = counted(&["run", &file]);
    let row = rows(&document)[0].1;
    assert_eq!(
        (&row["section"], &row["today"]),
        (&"Mine".into(), &"so it is".into())
    );
    let job = place.join("job.json").to_str().expect("UTF-8").to_string();
    let (_, saved) = counted(&["run", &file, "--save-job", &job]);
    // It is replayed without the file.
    fs::remove_file(&file).expect("removes");
    let (code, replayed) = json(&["run", "--job", &job]);
    assert_eq!((code, &replayed["rows"]), (0, &saved["rows"]));
    let (_, document) = counted(&["run", "itab_call"]);
    assert_eq!(rows(&document)[0].1["section"], "Beyond the book");
}

const HALF: &str = r#"
[[section]]
title = "Some"
rows = [
  "inline",
  "itab_cal",
  "itab_call[tragets=2]",
  "itab_call[targets=0]",
  "itab_call[targets=1]",
  "itab_call[targets",
  "tour",
  "broken",
  "direct_call[order=@nowhere.txt]",
  "direct_call",
]
"#;

#[test]
fn a_row_that_there_is_not_costs_itself_alone() {
    let place = place("half");
    let file = path(&place, "half.toml", HALF);
    let broken = template(&place, "broken", ";! heap = 1\nbody:\n nop\n");
    let folder = place.to_str().expect("UTF-8");
    let (code, document) = counted(&["run", &file, "--templates", folder]);
    assert_eq!(code, 3);
    #[rustfmt::skip] // a table: name, file, line, message, help
    let expected: [(&str, &str, u32, &str, &str); 8] = [
        ("itab_cal",             &file,   6, "no file and no template is called `itab_cal`; did you mean `itab_call`?", ""),
        ("itab_call[tragets=2]", &file,   7, "template `itab_call` has no parameter `tragets`", "did you mean `targets`?"),
        ("itab_call[targets=0]", &file,   8, "`targets` is a whole number from 1 to 131072, not `0`", ""),
        ("itab_call[targets=1]", &file,   9, "this scenario is called `itab_call`", "write it so: figures and ratios go by that name"),
        ("itab_call[targets",    &file,  10, "`itab_call[targets` does not end with its bracket", "write it as `itab_call[order=random,targets=8]`"),
        ("tour",                 &file,  11, "`tour` is a suite, and one of its scenarios is wanted here; `dispatchlab run tour` runs them all", ""),
        ("broken",               &broken, 1, "`heap` is a text, not the whole number 1", "write `heap = \"...\"`"),
        ("direct_call[order=@nowhere.txt]", &file, 13, "`order=@nowhere.txt`: there is no such file; the path counts from the working directory", ""),
    ];
    let all = rows(&document);
    let statuses: Vec<&str> = all
        .iter()
        .filter_map(|row| row.1["status"].as_str())
        .collect();
    assert_eq!((statuses[0], statuses[9]), ("ok", "ok"));
    for ((name, row), (asked, file, line, message, help)) in all[1..9].iter().zip(expected) {
        let found = &row["diagnostics"][0];
        assert_eq!((*name, &row["status"]), (asked, &"error".into()), "{row:#}");
        assert_eq!(
            (&found["file"], &found["line"]),
            (&file.into(), &line.into()),
            "{name}"
        );
        assert_eq!(found["message"], message, "{name}");
        assert_eq!(found["help"].as_str().unwrap_or_default(), help, "{name}");
        assert_eq!(row["section"], "Some", "{name}");
    }
    // Before anything runs, `check` says the same.
    let checked = dispatchlab(&["check", &file, "--templates", folder]);
    assert_eq!((checked.code, checked.stdout.as_str()), (3, ""));
    for (.., message, _) in expected {
        assert!(
            checked.said().contains(message),
            "{message}: {}",
            checked.stderr
        );
    }
    assert_eq!(dispatchlab(&["check", "book", "tour"]).code, 0);
}

#[test]
fn a_suite_that_cannot_be_read_is_a_row_that_says_where() {
    let place = place("wrong");
    let good = path(&place, "good.toml", OWN);
    #[rustfmt::skip] // a table: text, exit code, what is said
    let wrong: [(&str, &[u8], i32, &str); 4] = [
        ("bytes.toml", b"title = \"x\"\nrows = [\"\xff\"]\n", 3, "line 2, byte 10: 0xff is not UTF-8 text"),
        ("empty.toml", b"",                                   3, "the suite has no rows"),
        ("type.toml",  b"title = \"x\"\nrows = 7\n",          3, "type.toml:2:8"),
        ("key.toml",   b"title = \"x\"\nrosw = [\"a\"]\n",    3, "did you mean `rows`?"),
    ];
    let runs = |run: Run, code: i32, words: &str| {
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (code, ""),
            "{}",
            run.stderr
        );
        assert!(run.said().contains(words), "{words}: {}", run.stderr);
    };
    for (name, bytes, code, words) in wrong {
        let file = path(&place, name, bytes);
        let run = dispatchlab(&["run", &good, &file, "--counters", "none"]);
        let said = unfolded(&run.stdout);
        assert_eq!(run.code, code, "{said}{}", run.stderr);
        assert!(said.contains(words), "{words}: {said}");
        assert!(said.contains("inline – – 2 0"), "{said}");
        runs(dispatchlab(&["check", &file]), code, words);
    }
    runs(
        dispatchlab(&["run", "nowhere.toml"]),
        2,
        "nowhere.toml: there is no such file",
    );
    // One template is wanted elsewhere.
    for command in ["show", "step", "ablate"] {
        runs(
            dispatchlab(&[command, &good]),
            2,
            "is a suite, and one of its scenarios is wanted here",
        );
    }
    runs(
        dispatchlab(&["compare", "inline", "tour"]),
        2,
        "`tour` is a suite",
    );
}

#[test]
fn a_wrong_suite_of_the_folder_hides_no_row_and_is_named() {
    let place = place("left_out");
    path(&place, "suites/wrong.toml", "rows = 7\n");
    let folder = place.to_str().expect("UTF-8");
    let arguments = [
        "run",
        "inline",
        "--quick",
        "--counters",
        "none",
        "--templates",
        folder,
    ];
    let run = dispatchlab(&arguments);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("inline"), "{}", run.stdout);
    assert!(run.said().contains("the suite `wrong`"), "{}", run.stderr);
    let listed = dispatchlab(&["list", "--templates", folder]);
    assert_eq!(listed.code, 3);
    assert!(listed.stdout.contains("suite tour: "), "{}", listed.stdout);
    assert!(
        listed.said().contains("wrong.toml:1:8"),
        "{}",
        listed.stderr
    );
    let new = dispatchlab(&["new", "wrong", "--templates", folder]);
    assert!(
        new.code == 2 && new.said().contains("a suite has that name"),
        "{}",
        new.stderr
    );
}

#[test]
fn the_tour_is_what_runs_where_nothing_is_named() {
    let (_, document) = counted(&["run"]);
    let tour = suite("tour");
    let asked: Vec<&str> = tour
        .members
        .iter()
        .map(|row| row.scenario.as_str())
        .collect();
    assert_eq!(names(&document), asked);
}

#[test]
fn a_wrong_row_of_a_suite_is_a_row_and_the_others_run() {
    let place = place("wrong_row");
    let text = "title = \"mine\"\nrows = [\n \"inline\",\n { row = \"direct_call\", cuont = [1, 2] },\n 7,\n \"inline\",\n \"nop[\",\n \
        { row = \"static_call\", published = [{ source = \"s\", to = \"b\", ns = 1 }] },\n \"direct_call\" ]\n";
    let file = path(&place, "mine.toml", text);
    let (code, document) = counted(&["run", &file]);
    assert_eq!(code, 3);
    let all = document["rows"].as_array().expect("rows").iter();
    let all: Vec<(&str, bool)> = all
        .map(|row| {
            (
                row["scenario"].as_str().expect("a name"),
                row["status"] == "ok",
            )
        })
        .collect();
    let expected = [
        ("inline", true),
        ("direct_call", false),
        ("mine:5:2", false),
        ("inline", false),
        ("nop[", false),
        ("static_call", false),
        ("direct_call", true),
    ];
    assert_eq!(all, expected);
    let checked = dispatchlab(&["check", &file]);
    assert_eq!(checked.code, 3);
    for words in [
        "did you mean `count`?",
        "is a row twice",
        "`b`, which others are held against",
    ] {
        assert!(
            checked.said().contains(words),
            "{words}: {}",
            checked.stderr
        );
    }
}
