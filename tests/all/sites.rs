//! `sites`, and what a text means to `sites`, `trace` and `import`.
//!
//! Correct means: a wrapper has the row of the code that it is, and a text that means nothing, or two things, is an error
//! with what to write instead. Where a compiler is missing, the test says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::common::{Run, fresh, run_in};
use crate::programs::{built, built_of, fixture, go_of, text};

/// A program of a source of its own.
fn go_source(name: &str, source: &str) -> Option<PathBuf> {
    let file = fresh(name).join("main.go");
    fs::write(&file, source).expect("writes");
    built_of(name, "go", &["build"], &[text(&file)])
}

/// Methods that a struct has of what it embeds, and one of a value.
const EMBEDDED: &str = "package main

type M interface{ Get(int) int }

type In struct{ a, b int }

//go:noinline
func (i *In) Get(n int) int { return i.a + n }

type Val int

//go:noinline
func (v Val) Get(n int) int { return int(v) + n }

type ByValue struct {
	x int
	In
}
type ByPointer struct {
	x, y int
	*In
}
type Alone struct{ *In }

//go:noinline
func get(m M) int { return m.Get(1) }

func main() {
	println(get(&ByValue{}) + get(&ByPointer{In: &In{}}) + get(Alone{&In{}}) + get(Val(3)))
}
";

#[test]
fn a_wrapper_has_the_row_of_what_it_does_for_the_method() {
    let Some(file) = go_source("embedded", EMBEDDED) else {
        return;
    };
    let place = fresh("embedded-sites");
    #[rustfmt::skip] // a table: a wrapper, and its row
    let table = [
        ("main.(*ByPointer).Get", "promoted"),
        ("main.(*ByValue).Get",   "promoted[embeds=value]"),
        ("main.Alone.Get",        "promoted[embeds=direct]"),
        ("main.(*Val).Get",       "itab_wrapper[method=called]"),
    ];
    for (function, row) in table {
        let run = run_in(&place, &["sites", text(&file), function, "--json"]);
        let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
        let rows: Vec<&Value> = document["sites"]
            .as_array()
            .expect("sites")
            .iter()
            .map(|site| &site["row"])
            .collect();
        assert_eq!(rows, [row], "{function}: {}", run.stdout);
    }
}

#[test]
fn an_address_without_code_is_told_from_a_name() {
    let Some(file) = go_of("sites-address", &[], "traced.go") else {
        return;
    };
    let place = fresh("sites-address");
    for arguments in [
        &["sites", text(&file), "0x1"][..],
        &["import", text(&file), "0x1"],
        &["trace", "-o", "x", "--at", "0x1", "--", text(&file)],
    ] {
        let run = run_in(&place, arguments);
        assert_eq!(run.code, 2, "{}", run.stdout);
        let said = run.said();
        assert!(
            said.contains("no symbol is at 0x1: its code is from 0x"),
            "{said}"
        );
        assert!(!said.contains("did you mean"), "{said}");
    }
}

#[test]
fn of_two_functions_of_one_name_each_can_be_named_as_the_error_says() {
    let source = fresh("twice").join("twice.rs");
    let text_of = "mod m {\n    #[inline(never)]\n    pub fn each<T: std::fmt::Debug>(x: T, call: &dyn Fn(i64) -> i64) -> i64 {\n        \
                   println!(\"{x:?}\");\n        call(1) + 1\n    }\n}\n\nfn main() {\n    let n = std::env::args().count() as i64;\n    \
                   let call = move |one: i64| one + n;\n    println!(\"{}\", m::each(1u8, &call) + m::each(\"x\", &call));\n}\n";
    fs::write(&source, text_of).expect("writes");
    for way in ["legacy", "v0"] {
        let option = format!("-Csymbol-mangling-version={way}");
        let name = format!("twice-{way}");
        let file = built(&name, "rustc", &["-O", &option, text(&source)]);
        // Only a nightly compiler still has the older names.
        let Some(file) = file else { continue };
        let place = fresh(&name);
        let traced = ["trace", "-o", "x", "--at", "m::each", "--", text(&file)];
        let imported = ["import", text(&file), "m::each"];
        for arguments in [&traced[..], &imported] {
            let run = run_in(&place, arguments);
            assert_eq!(run.code, 2, "{}", run.stdout);
            let said = run.said();
            assert!(said.contains("`m::each` can mean 0x"), "{said}");
            let ways: Vec<&str> = said
                .split('`')
                .filter(|one| one.contains("m::each::"))
                .collect();
            assert_eq!(ways.len(), 2, "{said}");
            assert_ne!(ways[0], ways[1], "{said}");
            let addresses = said.split([' ', ',']).filter(|one| one.starts_with("0x"));
            for one in ways.into_iter().chain(addresses) {
                let run = run_in(&place, &["import", text(&file), one]);
                assert_eq!(run.code, 0, "{one}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn what_nobody_can_start_is_refused_with_what_to_do() {
    let Some(file) = go_of("unstarted", &[], "traced.go") else {
        return;
    };
    let place = fresh("unstarted");
    let shared = built(
        "unstarted.so",
        "gcc",
        &["-shared", "-fPIC", "-xc++", &fixture("traced.cpp")],
    );
    let object = built(
        "unstarted.o",
        "gcc",
        &["-c", "-xc++", &fixture("traced.cpp")],
    );
    fs::copy(&file, place.join("gauges")).expect("copies");
    let plain = place.join("plain");
    fs::copy(&file, &plain).expect("copies");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).expect("it is ours");
    #[rustfmt::skip] // a table: a program, and words of the refusal
    let table = [
        (Some("no-such-program".to_string()), "`no-such-program` is in no folder of PATH as a program; write its path"),
        (Some("gauges".to_string()),          "for the file of this folder write ./gauges"),
        (Some("./plain".to_string()),         "make it executable, with `chmod +x`"),
        (Some("./absent".to_string()),        "there is no such file"),
        (shared.map(|file| text(&file).to_string()), "is a shared library, which nobody can start"),
        (object.map(|file| text(&file).to_string()), "is an object file, which nobody can start; link it"),
    ];
    for (program, words) in table {
        let Some(program) = program else { continue };
        let run: Run = run_in(
            &place,
            &[
                "trace",
                "-o",
                "x",
                "--at",
                "main.read",
                "--",
                &program,
                "1",
                "1",
            ],
        );
        assert_eq!(run.code, 2, "{program}: {}", run.stdout);
        let said = run.said();
        assert!(said.contains(words), "{program}: {said}");
        assert!(!said.contains("PTRACE"), "{program}: {said}");
    }
    assert!(!place.join("x").exists());
}

#[test]
fn a_tag_of_a_struct_is_spelled_alike_in_a_recording_and_in_an_itab() {
    let source = "package main

type M interface{ Get(int) int }

type In struct{ a int }

func (i *In) Get(n int) int { return i.a + n }

//go:noinline
func get(m M) int { return m.Get(1) }

func main() {
	n := 0
	for i := 0; i < 9; i++ {
		n += get(&In{})
		n += get(struct {
			*In `json:\"in\"`
		}{&In{}})
	}
	println(n)
}
";
    let Some(file) = go_source("tags", source) else {
        return;
    };
    let place = fresh("tags-traced");
    let arguments = ["--at", "main.get"];
    if crate::traces::traced(&place, &arguments, &[text(&file)]).is_none() {
        return;
    }
    let recording = fs::read_to_string(place.join("types.txt")).expect("it is written");
    let run = run_in(&place, &["itab", text(&file), "main.M", "--json"]);
    let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let itabs = document["itabs"].as_array().expect("itabs");
    let mut names = itabs
        .iter()
        .map(|one| one["type"].as_str().expect("a name"));
    let name = names
        .find(|name| name.contains("json"))
        .expect("the struct");
    let remark = recording.lines().find(|line| line.contains("json"));
    let remark = remark.unwrap_or_else(|| panic!("{recording}"));
    assert!(
        remark.ends_with(name) || remark.contains(&format!("{name} (")),
        "{remark} {name}"
    );
}
