//! What an error suggests, pasted back.
//!
//! Correct means: each name, address and command that an error of `sym`, `itab`, `import`, `vtable`, `sites` or `trace`
//! says to take is taken.

use std::path::Path;
use std::process::Command;

use crate::advice_source::{build, modules};
use crate::common::{Run, dispatchlab, fresh};
use crate::programs::{built, fixture, text};

/// What stands between two marks, each time.
fn between(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

/// Texts of an error that can be written instead of what was wrong: names in marks, addresses, and sites.
fn suggested(said: &str) -> Vec<String> {
    let is_own = |name: &&str| !name.starts_with("dispatchlab ") && !name.is_empty();
    let names = between(said, '\'').chain(between(said, '`'));
    let names = names.filter(is_own).map(str::to_string);
    // `NAME+0x10 (kind)`.
    let places = said
        .split([' ', ','])
        .map(|word| word.trim_matches(['`', '\'', ':', ';']))
        .filter(|word| word.contains("+0x"))
        .map(str::to_string);
    let addresses = said
        .split([' ', ',', ';'])
        .filter(|word| word.starts_with("0x"))
        .map(str::to_string);
    names.chain(places).chain(addresses).collect()
}

/// A command in marks, run by a shell as it stands.
fn pasted(command: &str, place: &Path) -> Run {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("exec \"$BINARY\" {command}"))
        .env("BINARY", env!("CARGO_BIN_EXE_dispatchlab"))
        .env("XDG_STATE_HOME", place)
        .current_dir(place)
        .output()
        .expect("a shell");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The commands that a text has in marks, but for those with a word that is to be filled in.
fn commands(said: &str) -> impl Iterator<Item = &str> {
    let all = between(said, '`').filter_map(|words| words.strip_prefix("dispatchlab "));
    all.filter(|command| !command.ends_with(" FUNC") && !command.ends_with(" PART"))
}

#[test]
fn what_an_error_suggests_is_taken() {
    let place = fresh("taken");
    modules(&place);
    let options = ["-ldflags=-s -w"];
    // A blank in a path is one in a command, too.
    let go = build(&place, "a program", &options).and_then(Result::ok);
    let cpp = built("suggestions-cpp", "g++", &["-O1", &fixture("shapes.cpp")]);
    #[rustfmt::skip] // a table: a command with `?` for what is wrong, what that is, and the fewest texts that are suggested
    let of_go: &[(&[&str], &str, usize)] = &[
        (&["itab", "?"],                              "main.Deor",                     1),
        (&["itab", "?"],                              "main.Doer,*types.TT",           1),
        (&["itab", "?"],                              "*yaml.T,main.Doer",             1),
        (&["itab", "?"],                              "main.Doer,main.bas",            1),
        (&["import", "?", "--method", "Do"],          "main.Doer",                     8),
        (&["import", "?", "--method", "Do"],          "main.Doer,*types.T",            3),
        (&["import", "?"],                            "main.Doer,*types.T",            3),
        (&["import", "main.Doer,*ex.org/app/types.T", "--method", "?"], "do",          1),
        (&["import", "?"],                            "main.eahc",                     1),
        // Since Go 1.21 each instance has a name of its own.
        (&["import", "?"],                            "main.(*P[...]).Do",             1),
        (&["trace", "-o", "types.txt", "--visits", "1", "--at", "?", "--"], "main.eahc", 1),
        (&["trace", "-o", "types.txt", "--visits", "1", "--at", "?", "--"], "main.each+0x1", 1),
    ];
    let of_cpp: &[(&[&str], &str, usize)] = &[
        (&["vtable", "?"], "Cubee", 1),
        (&["import", "?"], "twise", 1),
    ];
    let mut tried = 0;
    for (file, table) in [(go, of_go), (cpp, of_cpp)] {
        let Some(file) = file else { continue };
        for (command, wrong, fewest) in table {
            let with = |what: &str| {
                let _ = std::fs::remove_file(place.join("types.txt"));
                let put = |word: &&str| {
                    if *word == "?" {
                        what.to_string()
                    } else {
                        word.to_string()
                    }
                };
                let mut all: Vec<String> = command.iter().map(put).collect();
                // `trace` has its program last.
                let at = if command[0] == "trace" { all.len() } else { 1 };
                all.insert(at, text(&file).to_string());
                let all: Vec<String> = all
                    .into_iter()
                    .map(|word| match &*word {
                        "types.txt" => text(&place.join("types.txt")).to_string(),
                        _ => word,
                    })
                    .collect();
                dispatchlab(&all)
            };
            let run = with(wrong);
            assert_eq!(run.code, 2, "{command:?} {wrong}: {}", run.stdout);
            let said = run.said();
            // What was wrong, and the file, stand there as well.
            let own = |one: &String| one != wrong && !one.contains("a program");
            let all: Vec<String> = suggested(&said).into_iter().filter(own).collect();
            assert!(all.len() >= *fewest, "{command:?} {wrong}: {all:?}: {said}");
            for one in all {
                let run = with(&one);
                let is_traced = command[0] == "trace";
                let cannot = ["cannot be traced", "had no visit"];
                let is_refused = is_traced && cannot.iter().any(|why| run.said().contains(why));
                assert!(
                    run.code == 0 || is_refused,
                    "{command:?} {one}: {}",
                    run.stderr
                );
                tried += 1;
            }
            for command in commands(&said) {
                let run = pasted(command, &place);
                assert_eq!(run.code, 0, "{command}: {}", run.stderr);
                tried += 1;
            }
        }
    }
    eprintln!("{tried} suggestions were taken");
}

#[test]
fn what_is_said_to_be_run_runs_whatever_the_file_is_called() {
    let place = fresh("runs");
    modules(&place);
    let Some(Ok(file)) = build(&place, "it's a program", &["-ldflags=-s -w"]) else {
        eprintln!("skipped: no Go builds it");
        return;
    };
    let name = text(&file);
    #[rustfmt::skip] // a table: what is asked, its code, and words of its answer
    let table = [
        (&["sym", name, "nothing like it"][..],                2, "lists all"),
        (&["itab", name, "none.Such"],                         2, "lists all that it has"),
        (&["vtable", name],                                    2, "Go has itabs"),
        (&["import", name, "go.itab.*ex.org/app/types.T,main.Doer"], 2, "is an itab; a method is called through it"),
        (&["sites", name, "main."],                            0, "(dispatchlab import "),
    ];
    for (arguments, code, words) in table {
        let run = dispatchlab(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(crate::common::unfolded(&said).contains(words), "{said}");
        let of_lines = said
            .lines()
            .filter_map(|line| line.split_once("  (dispatchlab ")?.1.strip_suffix(')'));
        let folded = crate::common::unfolded(&run.stderr);
        let all: Vec<&str> = of_lines.chain(commands(&folded)).take(30).collect();
        assert!(!all.is_empty(), "{said}");
        for command in all {
            let run = pasted(command, &place);
            let is_refused = run.stderr.contains("cannot be imported: ");
            assert!(run.code == 0 || is_refused, "{command}: {}", run.stderr);
        }
    }
}

#[test]
fn a_type_is_found_by_its_symbol_by_its_path_and_as_go_prints_it() {
    let place = fresh("spellings");
    modules(&place);
    for options in [&[][..], &["-ldflags=-s -w"]] {
        let name = format!("program{}", options.len());
        let Some(Ok(file)) = build(&place, &name, options) else {
            eprintln!("skipped: no Go builds it");
            return;
        };
        for of in ["gopkg.in/yaml%2ev3.T", "gopkg.in/yaml.v3.T", "yaml.T"] {
            let pair = format!("main.Doer,*{of}");
            let run = dispatchlab(&["itab", text(&file), &pair]);
            let said = format!("{}{}", run.stdout, run.stderr);
            // Whatever it was called, it has one name.
            assert!(
                run.stdout.starts_with("main.Doer,*gopkg.in/yaml%2ev3.T\n"),
                "{pair}: {said}"
            );
            assert_eq!(run.stdout.matches("fun[0]").count(), 1, "{pair}: {said}");
        }
        // A whole name is no end of another one.
        let run = dispatchlab(&["itab", text(&file), "main.Doer,*types.T"]);
        assert_eq!(run.stdout.matches("fun[0]").count(), 3, "{}", run.stdout);
        let run = dispatchlab(&["itab", text(&file), "main.Doer,*ex.org/app/types.T"]);
        assert_eq!(run.stdout.matches("fun[0]").count(), 1, "{}", run.stdout);
    }
}
