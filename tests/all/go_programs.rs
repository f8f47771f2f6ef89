//! Go programs of our own whose listings are pasted: each function computes what it computes in Go.
//!
//! Correct means: interface calls, wrappers, switches over types and numbers, assertions, closures, generics and deferred
//! calls give the number that the program itself prints, from its listing alone.

use std::fs;
use std::process::Command;

use crate::common::{Run, dispatchlab, folder, rows, unfolded};

/// The listing of a program, and the results that it prints; none where there is no Go.
fn built(name: &str) -> Option<(String, Vec<(String, i64)>)> {
    let program = format!("{}/tests/fixtures/{name}.go", env!("CARGO_MANIFEST_DIR"));
    let binary = folder("go_programs").join(name);
    let made = Command::new("go")
        .args(["build", "-gcflags=-S", "-o"])
        .arg(&binary)
        .arg(program)
        .output()
        .ok()?;
    let listing = String::from_utf8_lossy(&made.stderr).into_owned();
    let ran = Command::new(&binary).output().ok()?;
    let printed = String::from_utf8_lossy(&ran.stderr).into_owned();
    let results = printed.lines().map(|line| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a number");
        (name.to_owned(), value.parse().expect("a number"))
    });
    let results: Vec<(String, i64)> = results.collect();
    (listing.contains("STEXT") && !results.is_empty()).then_some((listing, results))
}

/// The line of a header that says by which release a listing is: since 1.21 nothing in it tells, and the hashes of
/// the language's own types are others since 1.24.
fn stated_release() -> String {
    let told = Command::new("go").args(["env", "GOVERSION"]).output();
    let told = told.map_or_else(
        |_| String::new(),
        |told| String::from_utf8_lossy(&told.stdout).into_owned(),
    );
    let minor = told
        .trim()
        .strip_prefix("go1.")
        .and_then(|rest| rest.split('.').next()?.parse::<u8>().ok());
    match minor {
        Some(minor) if minor > 20 => format!("//! go = \"1.{minor}\"\n"),
        _ => String::new(),
    }
}

#[test]
fn a_pasted_program_computes_what_it_computes_in_go() {
    let Some((listing, results)) = built("dispatch") else {
        eprintln!("skipped: `go build -gcflags=-S` prints no listing here");
        return;
    };
    assert_eq!(results.len(), 13);
    let file = folder("go_programs").join("dispatch.txt");
    let path = file.to_str().expect("UTF-8");
    let go = stated_release();
    for (name, value) in results {
        let header = format!("{go}//! result = \"rax\"\n//! expect = {}\n", value as u64);
        fs::write(&file, format!("{header}{listing}")).expect("written");
        let call = format!("\"\".{name}");
        let ran = dispatchlab(&[
            "run",
            path,
            "--call",
            &call,
            "--quick",
            "--counters",
            "none",
            "--json",
        ]);
        assert_eq!(ran.code, 0, "{name}: {}{}", ran.stdout, ran.stderr);
        let document = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(
            rows(&document)[0].1["status"],
            "ok",
            "{name}: {}",
            ran.stdout
        );
    }
}

#[test]
fn receivers_of_every_kind_are_read_as_the_types_say_that_are_pasted() {
    let Some((listing, results)) = built("receivers") else {
        eprintln!("skipped: `go build -gcflags=-S` prints no listing here");
        return;
    };
    assert_eq!(results.len(), 18);
    let file = folder("go_programs").join("receivers.txt");
    let path = file.to_str().expect("UTF-8");
    let run = |text: &str, call: &str| {
        let (name, argument) = call.split_once(' ').expect("a function and its argument");
        fs::write(&file, text).expect("written");
        let name = format!("main.{name}");
        #[rustfmt::skip]
        let arguments = ["run", path, "--call", &name, "--arg", argument, "--quick", "--counters", "none"];
        dispatchlab(&arguments)
    };
    for (call, value) in results {
        // A walk may call many times, and what one leaves the next one finds.
        let header = format!("//! result = \"rax\"\n//! expect = {}\n", value as u64);
        let ran = run(&format!("{header}{listing}"), &call);
        assert_eq!(ran.code, 0, "{call}: {}{}", ran.stdout, ran.stderr);
        assert!(
            !ran.said().contains("bytes: `type.main."),
            "{call}: {}",
            ran.said()
        );
    }
    // Without its type, what is assumed is said.
    let at = listing
        .find("\ntype.main.wide SRODATA")
        .or(listing.find("\ntype:main.wide SRODATA"));
    let (before, own) = listing.split_at(at.expect("the type") + 1);
    let behind = own.find("\nt").map_or("", |end| &own[end..]);
    let ran = run(
        &format!("{before}{}", behind.trim_start()),
        "call iface=main.wide",
    );
    assert!(
        ran.said()
            .contains("the objects of main.wide have 16 bytes"),
        "{}",
        ran.said()
    );
}

#[test]
fn a_listing_is_of_the_newest_release_that_has_the_functions_of_the_runtime_that_it_names() {
    let file = folder("go_programs_release").join("f.s");
    let path = file.to_str().expect("UTF-8");
    // `assertE2I2` was the last time in 1.21, and `typeAssert` is since 1.22.
    for (function, release) in [
        ("assertE2I2", "1.21"),
        ("typeAssert", "1.27"),
        ("panicIndex", "1.27"),
    ] {
        let text = format!(
            "TEXT ·f(SB), 516, $0\n\tJMP done\n\tCALL runtime·{function}(SB)\ndone:\n\tRET\n"
        );
        fs::write(&file, text).expect("written");
        let ran = dispatchlab(&["run", path, "--quick", "--counters", "none"]);
        let told = format!("the release is {release},");
        assert!(
            unfolded(&ran.stderr).contains(&told),
            "{function}: {}",
            ran.said()
        );
    }
}

#[test]
fn what_a_header_says_of_the_result_stands_in_the_template_of_a_listing() {
    let folder = folder("go_programs_new");
    let file = folder.join("two.s");
    let text = "//! result = \"eax\"\n//! expect = 2\n//! bind = { \"main.one\" = \"main.two\" }\n\
        TEXT ·f(SB), 516, $0\n\tJMP ·one(SB)\nTEXT ·two(SB), 516, $0\n\tMOVL $2, AX\n\tRET\n";
    fs::write(&file, text).expect("written");
    let made = folder.join("mine.asm");
    let _ = fs::remove_file(&made);
    let place = folder.to_str().expect("UTF-8");
    let path = file.to_str().expect("UTF-8");
    let new = dispatchlab(&[
        "new",
        "mine",
        "--templates",
        place,
        "--from-listing",
        path,
        "--call",
        "main.f",
    ]);
    assert_eq!(new.code, 0, "{}", new.stderr);
    let text = fs::read_to_string(&made).expect("written");
    assert!(
        text.contains(";! expect = 2\n") && text.contains(";! bind = {"),
        "{text}"
    );
    let ran = dispatchlab(&[
        "run",
        made.to_str().expect("UTF-8"),
        "--quick",
        "--counters",
        "none",
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        !ran.said().contains("nothing was compared"),
        "{}",
        ran.said()
    );
}

#[test]
fn interface_values_are_compared_as_their_types_are_in_both_conventions() {
    let file = folder("go_programs").join("equal.s");
    let path = file.to_str().expect("UTF-8");
    let value = |name: &str, bits: &str| {
        format!("DATA main.{name}+0(SB)/8, ${bits}\nGLOBL main.{name}(SB), RODATA, $16\n")
    };
    let data = [
        value("one", "1"),
        value("also", "1"),
        value("two", "2"),
        // 0 and -0 are equal, and no number is not.
        value("zero", "0"),
        value("minus", "0x8000000000000000"),
        value("none", "0x7ff8000000000001"),
    ]
    .concat();
    let strings = "DATA main.s+0(SB)/8, $main.one(SB)\nDATA main.s+8(SB)/8, $8\nGLOBL main.s(SB), RODATA, $16\n\
        DATA main.t+0(SB)/8, $main.also(SB)\nDATA main.t+8(SB)/8, $8\nGLOBL main.t(SB), RODATA, $16\n";
    for release in ["1.10", "1.15", "1.19", "1.27"] {
        for (of, one, other, equal) in [
            ("int64", "one", "also", 1),
            ("int64", "one", "two", 0),
            ("float64", "zero", "minus", 1),
            ("float64", "none", "none", 0),
            ("string", "s", "t", 1),
            ("string", "s", "two", 0),
        ] {
            let is_register = !matches!(release, "1.10" | "1.15");
            let call = match is_register {
                true => format!(
                    "LEAQ type·{of}(SB), AX\n\tLEAQ ·{one}(SB), BX\n\tLEAQ ·{other}(SB), CX\n\tCALL runtime·efaceeq(SB)\n\tMOVBLZX AL, AX"
                ),
                false => format!(
                    "LEAQ type·{of}(SB), AX\n\tMOVQ AX, (SP)\n\tLEAQ ·{one}(SB), AX\n\tMOVQ AX, 8(SP)\n\tLEAQ ·{other}(SB), AX\n\t\
                     MOVQ AX, 16(SP)\n\tCALL runtime·efaceeq(SB)\n\tMOVBLZX 24(SP), AX"
                ),
            };
            let text = format!(
                "//! go = \"{release}\"\n//! result = \"eax\"\n//! expect = {equal}\nTEXT ·f(SB), NOSPLIT, $48-0\n\t{call}\n\tRET\n{data}{strings}"
            );
            fs::write(&file, text).expect("written");
            let ran = dispatchlab(&["run", path, "--quick", "--counters", "none"]);
            assert_eq!(
                ran.code, 0,
                "{release} {of} {one} {other}: {}{}",
                ran.stdout, ran.stderr
            );
        }
    }
}

/// A type with a method that its interface does not ask for, and that comes first by name.
const MORE_METHODS: &str = "package main\n\ntype I interface{ Id() int }\ntype P struct{ v int }\n\n\
    //go:noinline\nfunc (p *P) Alpha() int { return 1000 }\n\n//go:noinline\nfunc (p *P) Id() int { return p.v }\n\n\
    //go:noinline\nfunc Call(i I) int { return i.Id() }\n\nfunc main() { p := &P{5}; println(Call(p), p.Alpha()) }\n";

#[test]
fn the_itab_that_is_pasted_says_which_methods_an_interface_has() {
    let folder = folder("go_itab");
    let source = folder.join("more.go");
    fs::write(&source, MORE_METHODS).expect("written");
    let made = Command::new("go")
        .args(["build", "-gcflags=-S", "-o", "/dev/null"])
        .arg(&source)
        .output();
    let listing = made.map(|made| String::from_utf8_lossy(&made.stderr).into_owned());
    let Some(listing) = listing.ok().filter(|listing| listing.contains("STEXT")) else {
        eprintln!("skipped: `go build -gcflags=-S` prints no listing here");
        return;
    };
    let file = folder.join("more.txt");
    let header = "//! result = \"rax\"\n//! expect = 1\n";
    let path = file.to_str().expect("UTF-8");
    let run = |listing: &str, receiver: &str| {
        fs::write(&file, format!("{header}{listing}")).expect("written");
        dispatchlab(&[
            "run",
            path,
            "--call",
            "main.Call",
            "--arg",
            receiver,
            "--quick",
            "--counters",
            "none",
        ])
    };
    let told = run(&listing, "iface=main.P");
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    let named = run(&listing, "iface=main.P,main.I");
    assert_eq!(named.code, 0, "{}{}", named.stdout, named.stderr);
    let all = |run: &Run| unfolded(&format!("{}{}", run.stdout, run.stderr));
    let unknown = run(&listing, "iface=main.P,main.J");
    assert_eq!(unknown.code, 3);
    let said = all(&unknown);
    assert!(said.contains("no itab of `*main.P` for `main.J`"), "{said}");
    // Without it, the first method by name is the first of all, and that is said.
    let headings = ["\ngo.itab.*", "\ngo:itab.*"];
    let end = headings.iter().find_map(|heading| listing.find(heading));
    let end = end.expect("an itab");
    let said = all(&run(&listing[..end], "iface=main.P"));
    assert!(
        said.contains("the interface has the methods Alpha, Id"),
        "{said}"
    );
}
