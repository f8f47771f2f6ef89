//! `go`: a function as the Go installations of this machine compile it.
//!
//! Correct means: what is shown is what Go's own tools say of the same build, errors are Go's, and nothing stays behind.
//! Where there is no Go, the test says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::{Run, command, fresh, unfolded, wait_until, workers_of};
use dispatchlab::sys::interrupt;
use serde_json::Value;

const GAUGES: &str = "package main

type Gauge interface{ Read(scale int) int }

type Dial struct{ value int }

func (d *Dial) Read(scale int) int { return d.value * scale }

//go:noinline
func total(gauges []Gauge) int {
	sum := 0
	for _, gauge := range gauges {
		sum += gauge.Read(2)
	}
	return sum
}

func twice(a int) int { return a + a }

func main() { println(total([]Gauge{&Dial{3}}), twice(4)) }
";

/// The version of the Go on the path; none, with a word, where there is none.
fn version() -> Option<String> {
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output();
    match output {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
        }
        other => {
            eprintln!("skipped: no `go` on the path: {other:?}");
            None
        }
    }
}

/// Runs in a folder, with an empty one for temporary files and an empty home: both are empty afterwards.
fn run(place: &Path, arguments: &[&str]) -> Run {
    let [temporary, home] = ["temporary", "home"].map(|name| place.join(name));
    for folder in [&temporary, &home] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let output = command(place, arguments)
        .env("TMPDIR", &temporary)
        .env("HOME", &home)
        .env_remove("GOROOT")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_CACHE_HOME")
        .output()
        .expect("starts");
    for folder in [&temporary, &home] {
        assert_eq!(names(folder), Vec::<String>::new(), "{arguments:?}");
    }
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// A folder of an installation that calls itself another release, and is the Go on the path.
fn another(place: &Path) -> PathBuf {
    let root = place.join("another");
    fs::create_dir_all(root.join("bin")).expect("a folder");
    let program = root.join("bin/go");
    let script = "#!/bin/sh\nif [ \"$1\" = version ]; then echo go version go1.16.99 linux/amd64; else exec go \"$@\"; fi\n";
    fs::write(&program, script).expect("writes");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("may be run");
    root
}

#[test]
fn a_function_has_the_bytes_that_gos_own_tools_say() {
    let Some(version) = version() else { return };
    let place = fresh("bytes");
    fs::write(place.join("gauges.go"), GAUGES).expect("writes");
    let release = version.trim_start_matches("go").to_string();
    let made = run(
        &place,
        &[
            "go",
            "gauges.go",
            "--func",
            "total",
            "--go",
            &release,
            "--quick",
            "--counters",
            "none",
        ],
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    // A slice of nothing, which nobody gave.
    assert!(made.stderr.contains("called with 0"), "{}", made.stderr);
    let go = |arguments: &[&str]| {
        let output = Command::new("go")
            .args(arguments)
            .current_dir(&place)
            .env("GOTOOLCHAIN", "local")
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .env("CGO_ENABLED", "0")
            .output()
            .expect("starts");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    go(&["build", "-o", "program", "gauges.go"]);
    let listed = go(&["tool", "objdump", "-s", "^main.total$", "program"]);
    // Lines of instructions have a place, an address and bytes; padding behind the last is INT.
    let instructions = listed
        .lines()
        .filter(|line| line.contains("gauges.go:") && !line.contains("INT "))
        .count();
    let row = made
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with(&format!("{version} ")));
    let row: Vec<&str> = row.expect("a row of the Go").split_whitespace().collect();
    assert_eq!(
        row[1],
        instructions.to_string(),
        "{listed}\n{}",
        made.stdout
    );
    assert!(made.stdout.contains("gauges"), "what -m says of it");
    assert!(
        made.stdout.contains(&format!("total-{version}")),
        "it runs: {}",
        made.stdout
    );
}

#[test]
fn two_installations_stand_side_by_side_and_take_turns() {
    let Some(version) = version() else { return };
    let place = fresh("two");
    fs::write(place.join("gauges.go"), GAUGES).expect("writes");
    let root = another(&place);
    let made = run(
        &place,
        &[
            "go",
            "gauges.go",
            "--func",
            "twice",
            "--goroot",
            root.to_str().expect("UTF-8"),
            "--arg",
            "AX=4",
            "--quick",
        ],
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(!made.stderr.contains("called with 0"), "{}", made.stderr);
    assert!(made.stdout.contains("can inline twice"), "{}", made.stdout);
    let head = made
        .stdout
        .lines()
        .find(|line| line.contains("go1.16.99") && line.contains(&format!(" {version}")));
    assert!(
        head.is_some(),
        "both stand over the columns: {}",
        made.stdout
    );
    let compared = format!("twice-{version} against twice-go1.16.99");
    assert!(
        unfolded(&made.stdout).contains(&compared),
        "{}",
        made.stdout
    );
}

#[test]
fn what_go_refuses_is_said_in_its_words_with_the_users_file_and_line() {
    if version().is_none() {
        return;
    }
    let place = fresh("refused");
    fs::write(place.join("wrong.go"), GAUGES.replace("a + a", "a + \"a\"")).expect("writes");
    let made = run(&place, &["go", "wrong.go", "--func", "twice"]);
    assert_eq!(made.code, 3, "{}", made.stderr);
    let line = GAUGES
        .lines()
        .position(|line| line.contains("a + a"))
        .expect("a line")
        + 1;
    assert!(
        made.stderr.contains(&format!("wrong.go:{line}:")),
        "{}",
        made.stderr
    );
    assert!(
        !made.stderr.contains("dispatchlab-"),
        "no folder of ours: {}",
        made.stderr
    );
    fs::write(place.join("gauges.go"), GAUGES).expect("writes");
    #[rustfmt::skip] // a table: arguments, and words of the refusal
    let refused = [
        (&["gauges.go", "--func", "twise"][..],              "did you mean `twice`?"),
        (&["gauges.go", "--func", "twice", "--go", "1.5"],   "that one is not installed"),
        (&["gauges.go", "--func", "twice", "--goroot", "."], "there is no Go in it"),
        (&["none.go", "--func", "twice"],                    "cannot read none.go"),
    ];
    for (arguments, words) in refused {
        let made = run(&place, &[&["go"], arguments].concat());
        assert_eq!(made.code, 2, "{arguments:?}: {}", made.stderr);
        assert!(
            made.said().contains(words),
            "{arguments:?}: {}",
            made.stderr
        );
    }
}

#[test]
fn of_a_generic_function_an_instance_is_asked_for() {
    if version().is_none() {
        return;
    }
    let place = fresh("generic");
    let generic =
        "\nfunc Max[T int | string](a, b T) T {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn b\n}\n";
    fs::write(place.join("max.go"), format!("{GAUGES}{generic}")).expect("writes");
    for (function, said) in [
        ("Mix[int]", "did you mean `Max[int]`?"),
        (
            "Max",
            "`Max` is generic: name an instance of it, as `Max[int]`",
        ),
    ] {
        let made = run(&place, &["go", "max.go", "--func", function]);
        assert_eq!(made.code, 2, "{function}: {}", made.stderr);
        assert!(made.said().contains(said), "{function}: {}", made.stderr);
    }
    // Two lines of Go's are indented by tabs.
    let wrong = GAUGES.replace("twice(4)", "twice(4, 5)");
    fs::write(place.join("wrong.go"), wrong).expect("writes");
    let made = run(&place, &["go", "wrong.go", "--func", "twice"]);
    assert_eq!(made.code, 3, "{}", made.stderr);
    assert!(
        made.stderr.contains("have (number, number)"),
        "{}",
        made.stderr
    );
    assert!(!made.stderr.contains("\\t"), "{}", made.stderr);
}

#[test]
fn what_is_shown_is_in_the_json_beside_the_rows() {
    let Some(version) = version() else { return };
    let place = fresh("json");
    fs::write(place.join("gauges.go"), GAUGES).expect("writes");
    let root = another(&place);
    let root = root.to_str().expect("UTF-8");
    #[rustfmt::skip] // one command
    let all = ["go", "gauges.go", "--func", "total", "--goroot", root, "--quick", "--counters", "none"];
    let shown = run(&place, &all);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let made = run(&place, &[&all[..], &["--json"]].concat());
    assert_eq!(made.code, 0, "{}", made.stderr);
    let document: Value = serde_json::from_str(&made.stdout).expect("one document");
    let compiled = &document["compiled"];
    assert_eq!(
        (&compiled["function"], &compiled["source"]),
        (&"main.total".into(), &"gauges.go".into())
    );
    let rows = document["rows"].as_array().expect("rows");
    let builds = compiled["builds"].as_array().expect("builds");
    assert_eq!(builds.len(), 2, "{compiled:#}");
    let versions: Vec<&str> = builds
        .iter()
        .filter_map(|build| build["version"].as_str())
        .collect();
    assert_eq!(versions, ["go1.16.99", &version]);
    for (build, row) in builds.iter().zip(rows) {
        assert_eq!(build["scenario"], row["scenario"]);
        let code = build["code"].as_array().expect("instructions");
        assert_eq!(build["instructions"], code.len());
        let line = format!(
            "  {:<16} {:>12} {:>8}\n",
            build["name"].as_str().expect("a name"),
            build["instructions"].as_u64().expect("a count"),
            build["bytes"].as_u64().expect("a count")
        );
        assert!(shown.stdout.contains(&line), "{line}: {}", shown.stdout);
    }
    let lines = compiled["lines"].as_array().expect("lines");
    assert_eq!(lines[0]["text"], "func total(gauges []Gauge) int {");
    let decisions = lines[0]["decisions"].as_array().expect("what -m says");
    let text = decisions[0]["text"].as_str().expect("a text");
    assert!(text.contains("gauges"), "{decisions:?}");
    assert!(shown.stdout.contains(text), "{}", shown.stdout);
    assert_eq!(decisions[0]["by"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_row_that_goes_wrong_names_no_file_that_is_gone() {
    if version().is_none() {
        return;
    }
    let place = fresh("gone");
    let wrong = "\n//go:noinline\nfunc first(all *[4]int) int { return all[3] }\n";
    fs::write(place.join("first.go"), format!("{GAUGES}{wrong}")).expect("writes");
    let all = [
        "go", "first.go", "--func", "first", "--quick", "--arg", "AX=8",
    ];
    let made = run(&place, &all);
    assert_eq!(made.code, 4, "{}{}", made.stdout, made.stderr);
    let said = format!("{}{}", made.stdout, made.stderr);
    assert!(!said.contains("temporary"), "{said}");
    assert!(unfolded(&said).contains("--keep DIR leaves them"), "{said}");
    let made = run(&place, &[&all[..], &["--keep", "kept"]].concat());
    let said = format!("{}{}", made.stdout, made.stderr);
    assert!(said.contains("kept/first-go"), "{said}");
    assert!(!said.contains("--keep DIR leaves them"), "{said}");
}

#[test]
fn templates_that_are_kept_run_by_themselves_and_replace_nothing() {
    if version().is_none() {
        return;
    }
    let place = fresh("kept");
    fs::write(place.join("gauges.go"), GAUGES).expect("writes");
    #[rustfmt::skip] // one command
    let all = ["go", "gauges.go", "--func", "twice", "--keep", "kept", "--quick", "--counters", "none"];
    let made = run(&place, &all);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let kept: Vec<_> = fs::read_dir(place.join("kept"))
        .expect("made")
        .flatten()
        .collect();
    assert!(!kept.is_empty());
    for file in kept {
        let file = file.path();
        let run = run(&place, &["check", file.to_str().expect("UTF-8")]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let again = run(&place, &all);
    assert_eq!(again.code, 2, "{}", again.stdout);
    assert!(
        again.said().contains("is there already"),
        "{}",
        again.stderr
    );
}

#[test]
fn without_a_go_one_sentence_says_what_to_install() {
    let place = fresh("none");
    fs::write(place.join("gauges.go"), GAUGES).expect("writes");
    let output = command(&place, &["go", "gauges.go", "--func", "twice"])
        .env("PATH", &place)
        .env_remove("GOROOT")
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(2));
    let text = unfolded(&String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("apt-get install golang"), "{text}");
}

#[test]
fn a_package_that_is_no_program_is_compiled_where_it_stands_and_stays_as_it_is() {
    if version().is_none() {
        return;
    }
    let place = fresh("package");
    let module = place.join("module");
    fs::create_dir_all(module.join("meters")).expect("a folder");
    fs::write(module.join("go.mod"), "module example.org/lab\n\ngo 1.16\n").expect("writes");
    let text = "package meters\n\ntype Meter struct{ a int }\n\nfunc (m *Meter) Add(n int) int {\n\treturn n + 3\n}\n";
    fs::write(module.join("meters/meters.go"), text).expect("writes");
    let [temporary, home] = ["temporary", "home"].map(|name| place.join(name));
    for folder in [&temporary, &home] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let output = command(
        &module,
        &[
            "go",
            "./meters",
            "--func",
            "(*Meter).Add",
            "--quick",
            "--counters",
            "none",
        ],
    )
    .env("TMPDIR", &temporary)
    .env("HOME", &home)
    .env_remove("GO111MODULE")
    .env_remove("GOFLAGS")
    .output()
    .expect("starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("example.org/lab/meters.(*Meter).Add of ./meters"),
        "{shown}"
    );
    assert!(shown.contains("can inline (*Meter).Add"), "{shown}");
    assert_eq!(names(&module.join("meters")), ["meters.go"]);
    assert_eq!(names(&module), ["go.mod", "meters"]);
    assert_eq!(names(&temporary).len() + names(&home).len(), 0);
}

#[test]
fn a_signal_while_go_compiles_leaves_nothing() {
    if version().is_none() {
        return;
    }
    let place = fresh("signal");
    // Compiled with all that it imports, which takes long.
    let long = GAUGES.replace("package main\n", "package main\n\nimport _ \"net/http\"\n");
    fs::write(place.join("long.go"), long).expect("writes");
    let temporary = place.join("temporary");
    fs::create_dir_all(&temporary).expect("a folder");
    let mut starting = command(
        &place,
        &["go", "long.go", "--func", "twice", "--gcflags", "all=-N"],
    );
    let mut child = interrupt::allow_in(&mut starting)
        .env("TMPDIR", &temporary)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    let mut compilers = Vec::new();
    wait_until("Go compiles", || {
        let tools = workers_of(child.id());
        compilers = tools.iter().flat_map(|tool| workers_of(*tool)).collect();
        !compilers.is_empty()
    });
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(
        child.wait().expect("ends").code(),
        Some(128 + libc::SIGTERM)
    );
    assert_eq!(names(&temporary), Vec::<String>::new());
    std::thread::sleep(Duration::from_millis(50));
    let is_there = |process: &u32| Path::new(&format!("/proc/{process}")).exists();
    wait_until("the compilers are gone", || !compilers.iter().any(is_there));
}
