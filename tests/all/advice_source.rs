//! The Go text of an advice, compiled with the Go that is there among packages of any names.
//!
//! Correct means: what is written for a site of a program compiles in the package of that site as it is, and calls
//! each receiver once by its own method; a type without a case is one that no text there can name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dispatchlab::advise::{Packages, Site, Way};
use dispatchlab::binary::Binary;
use dispatchlab::go::Release;
use dispatchlab::go::hash::type_hash;
use dispatchlab::scenario::Recording;

use crate::common::fresh;

/// Packages by folder, what they call themselves, and what the program calls them.
#[rustfmt::skip] // a table
const PACKAGES: [(&str, &str, &str); 15] = [
    ("app/1st",           "first", "p01"),
    ("app/type",          "kind",  "p02"),
    ("app/x",             "x",     "p03"),
    ("app/v",             "v",     "p04"),
    ("app/ok",            "ok",    "p05"),
    ("app/types",         "types", "p06"),
    ("app/n/a/types",     "types", "p07"),
    ("app/n/b/types",     "types", "p08"),
    ("app/bits",          "bits",  "p09"),
    ("app/go-bar",        "bar",   "p10"),
    ("app/we.ird",        "weird", "p11"),
    ("app/a~b",           "ab",    "p12"),
    ("app/internal/in",   "in",    "p13"),
    ("yaml.v3",           "yaml",  "p14"),
    ("go-foo/v2",         "foo",   "p15"),
];

/// How a folder is imported.
fn path(folder: &str) -> String {
    match folder {
        "yaml.v3" => "gopkg.in/yaml.v3".into(),
        "go-foo/v2" => "example.com/go-foo/v2".into(),
        _ => format!("ex.org/{folder}"),
    }
}

/// What all types have.
const DO: &str = "Do(n int, more ...string) (int, error)";

/// A package whose types are in part its own affair.
const SHARED: &str = r#"package shared

type hidden struct{ N int }

func (h hidden) DO { return h.N + n, nil }

func Hidden() interface{ DO } { return hidden{3} }

type P[A any] struct { v A; n int }

func (p *P[A]) DO { return p.n + n, nil }
"#;

/// The program: a package called `yaml` cannot be called so in it, nor a value `x`, nor a table `numbers`.
const MAIN: &str = r#"package main

import (
	shared "ex.org/app/sh-ared"
IMPORTS)

type Doer interface{ DO }

type P[A any] struct { v A; n int }

func (p P[A]) DO { return p.n + n, nil }

type Q[A, B any] struct { a *A; b *B; n int }

func (q *Q[A, B]) DO { return q.n + n, nil }

type v struct{ n int }

func (o *v) DO { return o.n + n, nil }

type x int

func (o x) DO { return int(o) + n, nil }

type base struct{ n int }

func (b base) DO { return b.n + n, nil }

//go:noinline
func yaml() int { return 1 }

//go:noinline
func numbers() int { return 1 }

func local() Doer {
	type local struct{ base }
	return local{base{4}}
}

var all = []Doer{
INSTANCES	P[int]{n: 1}, P[[]interface{}]{n: 2}, &Q[int, string]{n: 3}, P[map[string]p14.T]{n: 4},
	P[func(int, ...string) (int, error)]{n: 5}, P[chan<- p11.T]{n: 6}, P[struct{}]{n: 7},
	P[struct { A int `x:"y"`; b string }]{n: 8}, P[[3]int]{n: 9}, P[P[int]]{n: 10}, P[Doer]{n: 11},
	&v{5}, x(6), base{7}, local(), shared.Hidden(), &shared.P[p14.T]{}, struct{ base }{base{9}},
	struct{ *p14.T }{&p14.T{1}}, struct{ *p14.T; k int }{&p14.T{1}, 2},
}

//go:noinline
func each(d Doer) int {
	n, _ := d.Do(1)
	return n
}

var ways []func(Doer)
var batches []func(*[64]Doer)

func main() {
	sum := yaml() + numbers()
	for i := 0; i < 128; i++ {
		sum += each(all[i%len(all)])
	}
	for _, way := range ways {
		for _, d := range all {
			way(d)
		}
	}
	println(sum, len(ways))
}
"#;

/// Writes the modules; the program's own is in `app`.
pub(crate) fn modules(place: &Path) {
    let write = |name: &str, text: &str| {
        let file = place.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text.replace("DO", DO)).expect("writes");
    };
    let (mut imports, mut instances) = (String::new(), String::new());
    for (folder, package, alias) in PACKAGES {
        let source = format!(
            "package {package}\n\ntype T struct{{ N int }}\n\nfunc (t *T) DO {{ return t.N + n, nil }}\n"
        );
        write(&format!("{folder}/f.go"), &source);
        imports += &format!("\t{alias} {:?}\n", path(folder));
        instances += &format!("\t&{alias}.T{{1}}, P[{alias}.T]{{}}, &P[*{alias}.T]{{}},\n");
    }
    write("app/sh-ared/f.go", SHARED);
    let others = ["yaml.v3", "go-foo/v2"];
    let mut module = "module ex.org/app\n\ngo 1.18\n".to_string();
    for (folder, version) in others.iter().zip(["v3.0.0", "v2.0.0"]) {
        let path = path(folder);
        let text = format!("module {path}\n\ngo 1.18\n");
        write(&format!("{folder}/go.mod"), &text);
        module += &format!("\nrequire {path} {version}\n\nreplace {path} => ../{folder}\n");
    }
    write("app/go.mod", &module);
    let main = MAIN.replace("IMPORTS", &imports);
    write("app/main.go", &main.replace("INSTANCES", &instances));
}

/// Builds the module without the network; none, with a word, where there is no Go of modules and generics.
pub(crate) fn build(place: &Path, name: &str, options: &[&str]) -> Option<Result<PathBuf, String>> {
    let file = place.join(name);
    let made: Output = Command::new("go")
        .arg("build")
        .args(options)
        .arg("-o")
        .arg(&file)
        .arg(".")
        .current_dir(place.join("app"))
        .env("GOTOOLCHAIN", "local")
        .env("GO111MODULE", "on")
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .env("GOWORK", "off")
        .env("GONOSUMDB", "*")
        .env("GONOSUMCHECK", "1")
        .env("CGO_ENABLED", "0")
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    Some(match made.status.success() {
        true => Ok(file),
        false => Err(said),
    })
}

/// What is written for a way of a site that meets all types of an interface, and what it says of types without a case.
fn written(
    binary: &Binary<'_>,
    interface: &str,
    function: &str,
    way: &dyn Fn(u32) -> Way,
) -> (String, Vec<String>) {
    let go = binary.go.as_ref().expect("a program of Go");
    let of_it = go.itabs.iter().filter(|table| table.interface == interface);
    let tables: Vec<_> = of_it.collect();
    let mut recording = String::new();
    for (number, table) in tables.iter().enumerate() {
        let name = format!("{} ({})", table.type_name, table.slots[0].symbol);
        recording += &format!("# {number} {}\n", name.escape_debug());
    }
    // A type for which the linker has made none.
    recording += &format!("# {} ex.org/app/sh-ared.hidden (hidden.Do)\n", tables.len());
    let numbers: Vec<u32> = (0..=tables.len() as u32).collect();
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    recording += &words.join(" ");
    let mut site = Site::of(&Recording::of(numbers), &recording, Release::NEWEST, 0);
    assert_eq!(site.method.as_deref(), Some("Do"));
    site.packages = Packages::of(binary, function);
    site.signature = go.signature(tables[0].interface_address, 0);
    site.interface = Some(interface.into());
    let source = site.source(&way(tables.len() as u32 + 1));
    let remarks: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("// "))
        .collect();
    let remarks = remarks.join(" ");
    let skipped = remarks.split("Type ").skip(1).filter_map(|one| {
        let (_, name) = one.split_once(", ")?;
        Some(name.split(", has no ").next()?.to_string())
    });
    let skipped = skipped.collect();
    (source, skipped)
}

/// A file of a package with that text in a function.
fn file_of(package: &str, source: &str, before: &str, after: &str) -> String {
    let (mut imports, mut code) = (BTreeSet::new(), String::new());
    for line in source.lines() {
        match line.strip_prefix("// import ") {
            Some(import) => {
                imports.insert(format!("import {import}\n"));
            }
            None => code += &format!("{line}\n"),
        }
    }
    let imports: String = imports.into_iter().collect();
    format!("package {package}\n\n{imports}\n{before}{code}{after}")
}

/// The names of types in front of what they lead to, in order.
fn types_of(skipped: &[String]) -> Vec<&str> {
    let mut all: Vec<&str> = skipped
        .iter()
        .filter_map(|name| name.split(" (").next())
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn what_is_written_compiles_among_packages_of_any_names_in_a_stripped_program_too() {
    let place = fresh("names");
    modules(&place);
    let own = ["way0.go", "way1.go", "way2.go"].map(|file| place.join("app").join(file));
    let shared = place.join("app/sh-ared/way.go");
    for options in [
        &[][..],
        &["-ldflags=-s -w"],
        &["-trimpath", "-buildmode=pie"],
    ] {
        let name = format!("program{}", options.concat().len());
        let file = match build(&place, &name, options) {
            Some(Ok(file)) => file,
            Some(Err(why)) => {
                eprintln!("skipped: {why}");
                return;
            }
            None => {
                eprintln!("skipped: there is no Go");
                return;
            }
        };
        let built = |name: &str, texts: &[&PathBuf]| {
            let made = build(&place, name, options).expect("Go is there");
            made.unwrap_or_else(|why| {
                let text = |file: &&PathBuf| fs::read_to_string(file).unwrap_or_default();
                let texts: Vec<String> = texts.iter().map(text).collect();
                panic!("{options:?}: {why}\n{}", texts.join("\n"))
            })
        };
        let bytes = fs::read(&file).expect("it was built");
        let binary = Binary::read(&bytes).expect("a program");
        let of_main = |way: &dyn Fn(u32) -> Way| written(&binary, "main.Doer", "main.each", way);
        let guards = |count| Way::Guards((0..count).collect());
        // A text calls its value `x2` where the package has an `x`.
        let around = |what: &str| {
            (
                format!("func {what}(x2 Doer) {{\n"),
                format!("}}\n\nfunc init() {{ ways = append(ways, {what}) }}\n"),
            )
        };
        let (source, skipped) = of_main(&guards);
        let nameless = ["ex.org/app/sh-ared.hidden", "main.local.1"];
        // Whose field it is, is told by the hash alone.
        let release = binary.go.as_ref().and_then(|go| go.release);
        let is_told = release.is_some_and(|release| type_hash(release, "int").is_ok());

        let skipped = types_of(&skipped);
        assert!(
            skipped == nameless || !is_told,
            "{options:?}: {skipped:?}: {source}"
        );
        let (before, after) = around("ofGuards");
        fs::write(&own[0], file_of("main", &source, &before, &after)).expect("writes");
        let (source, _) = of_main(&|_| Way::Switch);
        let (before, after) = around("ofTypes");
        fs::write(&own[1], file_of("main", &source, &before, &after)).expect("writes");
        let (source, _) = of_main(&|_| Way::Batch);
        let after = "\nfunc init() { batches = append(batches, callInOrder) }\n";
        let source = source.replace("arg1 ", "arg3 ").replace("arg1,", "arg3,");
        let source = source.replace("arg2", "arg4");
        fs::write(&own[2], file_of("main", &source, "", after)).expect("writes");
        let made = built(&format!("{name}-ways"), &own.each_ref());
        let ran = Command::new(made).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success() && said.ends_with(" 2\n"), "{said}");
        for file in &own {
            fs::remove_file(file).expect("removes");
        }
        // In a package that others import main has no name, and what the package hides has one.
        let (source, skipped) = written(&binary, "main.Doer", "ex.org/app/sh-ared.each", &guards);
        let is_of_main = |one: &&str| one.contains("main.");
        let skipped = types_of(&skipped);
        assert!(skipped.iter().all(is_of_main), "{skipped:?}: {source}");
        assert!(source.contains(".(hidden); ok"), "{source}");
        let before = format!("func each(x interface{{ {DO} }}) {{\n");
        fs::write(&shared, file_of("shared", &source, &before, "}\n")).expect("writes");
        built(&format!("{name}-shared"), &[&shared]);
        fs::remove_file(&shared).expect("removes");
    }
}
