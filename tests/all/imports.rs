//! `import` against programs that the compilers of this machine build.
//!
//! Correct means: imported code has the file's bytes and computes what the program computes, and what is left out is
//! named. Where a compiler is missing, the test says so.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use dispatchlab::binary::import::{Entry, Request, import};
use dispatchlab::binary::{Binary, Kind, sites};

use crate::common::{command, dispatchlab, folder, json, rows};
use crate::programs::{built, built_of, fixture, go, text};

/// What one iteration of imported code leaves in rax.
fn result(place: &Path, file: &Path, arguments: &[&str], expect: u64) -> String {
    let mut all = vec!["import", text(file)];
    all.extend(arguments);
    let made = dispatchlab(&all);
    assert_eq!(made.code, 0, "{all:?}: {}", made.stderr);
    let template = place.join("imported.asm");
    let header = format!(";! result = \"rax\"\n;! expect = {expect}\n");
    fs::write(&template, format!("{header}{}", made.stdout)).expect("writes");
    let (_, document) = json(&["run", text(&template), "--quick", "--counters", "none"]);
    let (_, row) = rows(&document)[0];
    assert_eq!(row["status"], "ok", "{all:?}: {row:#}\n{}", made.stdout);
    made.stdout
}

#[test]
fn an_imported_function_computes_what_it_computes_in_the_program() {
    let place = folder("computed");
    for options in [&[][..], &["-ldflags=-s -w"][..], &["-buildmode=pie"][..]] {
        let name = format!("computed{}", options.concat().len());
        let Some(file) = go(&name, options) else {
            return;
        };
        for (arguments, expect) in [
            (&["main.chosen", "--arg", "AX=4"][..], 23),
            (&["main.chosen", "--arg", "AX=8"][..], 13),
            (&["main.chosen", "--arg", "AX=99"][..], u64::MAX),
            (&["main.twice", "--arg", "AX=4"][..], 13),
            (&["main.kind"][..], 0),
            // A square of side 1, and zero circles.
            (&["main.Shape,*main.Square", "--method", "Area"][..], 1),
            (&["main.Shape,main.Circle", "--method", "Area"][..], 3),
            (
                &[
                    "main.Shape,*main.Pair[int]",
                    "--method",
                    "Scale",
                    "--arg",
                    "BX=9",
                ][..],
                9,
            ),
            // 1 · 5 · 0, through the wrapper that calls it.
            (
                &[
                    "main.Shape,main.Circle",
                    "--method",
                    "Scale",
                    "--arg",
                    "BX=5",
                ][..],
                0,
            ),
        ] {
            result(&place, &file, arguments, expect);
        }
    }
}

#[test]
fn imported_code_of_cpp_goes_through_its_tables_and_its_switch() {
    let place = folder("computed_cpp");
    for (name, options) in [
        ("cpp_pie", &["-O2"][..]),
        ("cpp_fixed", &["-O2", "-no-pie"][..]),
        ("cpp_plain", &["-O0"][..]),
        ("cpp_packed", &["-O2", "-Wl,-z,pack-relative-relocs"][..]),
        ("cpp.so", &["-O2", "-shared", "-fPIC"][..]),
        ("cpp.o", &["-O2", "-c"][..]),
    ] {
        let source = fixture("shapes.cpp");
        let Some(file) = built(name, "g++", &[options, &[&*source]].concat()) else {
            return;
        };
        for (number, expect) in [
            (0, 9),
            (1, 5),
            (2, 54 - 5),
            (3, 3 * 17 + 5),
            (4, 30),
            (5, 25),
            (6, 36),
            (7, 0xffff_ffff),
        ] {
            let argument = format!("rdi={number}");
            result(&place, &file, &["chosen", "--arg", &argument], expect);
        }
        result(&place, &file, &["twice", "--arg", "rdi=4"], 13);
    }
}

/// What came of importing functions of a program, evenly chosen: how many were taken, and why others were not.
pub(crate) fn imported(file: &Path, most: usize) -> (usize, HashMap<String, usize>) {
    let bytes = fs::read(file).expect("it was built");
    let binary = Binary::read(&bytes).expect("a program");
    let (mut taken, mut refused) = (0, HashMap::new());
    let all: Vec<_> = sites::functions(&binary).collect();
    for symbol in all.iter().step_by(all.len().div_ceil(most)) {
        let request = Request {
            file: "a file",
            entry: Entry::Function(symbol),
            others: &[],
            depth: 0,
            arguments: &[],
        };
        match import(&binary, &request) {
            Ok(made) => {
                let (count, as_bytes) = made.instructions;
                assert!(
                    as_bytes * 20 <= count + 20,
                    "{}: {as_bytes} of {count}",
                    symbol.name
                );
                taken += 1;
            }
            Err(why) => {
                let why = why.split("imported: ").nth(1).unwrap_or(&why);
                let why: String = why.split(['`', '0']).next().unwrap_or("").to_string();
                *refused.entry(why).or_insert(0) += 1;
            }
        }
    }
    (taken, refused)
}

#[test]
fn functions_of_a_program_are_written_with_their_bytes_or_refused_with_the_reason() {
    let own = [
        go("all_functions", &[]),
        go("all_stripped", &["-ldflags=-s -w"]),
        go("all_movable", &["-buildmode=pie"]),
        built("all_cpp", "g++", &["-O2", &fixture("shapes.cpp")]),
    ];
    // Some hundreds are enough of each.
    for file in own.into_iter().flatten() {
        let (taken, refused) = imported(&file, 400);
        eprintln!("{}: {taken} taken, refused {refused:?}", file.display());
        let sum: usize = refused.values().sum();
        assert!(
            taken > 10 * sum,
            "{}: {taken} taken, refused {refused:?}",
            file.display()
        );
    }
}

#[test]
fn a_depth_bounds_what_is_taken_and_the_rest_is_named() {
    let Some(file) = go("depth", &[]) else { return };
    let bytes = fs::read(&file).expect("it was built");
    let binary = Binary::read(&bytes).expect("a program");
    assert_eq!(binary.kind, Kind::Executable);
    let symbol = binary.find("main.twice")[0];
    let made = |depth| {
        let request = Request {
            file: "depth",
            entry: Entry::Function(symbol),
            others: &[],
            depth,
            arguments: &[],
        };
        import(&binary, &request).expect("it is imported")
    };
    let near = made(0);
    assert_eq!(near.functions, 1);
    let (name, why) = &near.left_out[0];
    assert_eq!(
        (name.as_str(), why.as_str()),
        ("main.sumOf", "it is 1 call away, and --depth is 0")
    );
    let far = made(1);
    assert_eq!((far.functions, far.left_out.len()), (2, 0));
}

#[test]
fn a_text_without_a_name_is_whole_and_a_name_of_two_functions_is_asked_about() {
    let place = folder("long_text");
    let text_of = "It is longer than the sixty-four bytes that are taken where nothing says how long something is.";
    let sum: u64 = text_of.bytes().map(u64::from).sum();
    let twin = "static __attribute__((noipa)) int twin(int n)";
    let sources = [
        format!(
            "{twin} {{ return n + 1; }}\n\
             __attribute__((noipa)) long sum(const char *s) {{ long n = 0; while (*s) n += *s++; return n; }}\n\
             __attribute__((noipa)) long of_text(long n) {{ return sum(\"{text_of}\") + n; }}\n\
             int other(int); int main(int n, char **all) {{ return twin(n) + other(n) + of_text(n); }}\n"
        ),
        format!("{twin} {{ return n * 7; }}\nint other(int n) {{ return twin(n); }}\n"),
    ];
    let files = ["one.c", "two.c"].map(|name| place.join(name));
    for (file, source) in files.iter().zip(&sources) {
        fs::write(file, source).expect("writes");
    }
    let files = files.each_ref().map(|file| text(file));
    let Some(file) = built("long_text", "gcc", &[&["-O1"], &files[..]].concat()) else {
        return;
    };
    let made = result(&place, &file, &["of_text", "--arg", "rdi=5"], sum + 5);
    assert!(!made.contains("nothing says where they end"), "{made}");
    let run = dispatchlab(&["import", text(&file), "twin"]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.said().contains("`twin` can mean 0x"), "{}", run.stderr);
}

#[test]
fn a_table_without_a_name_is_as_long_as_the_loop_over_it() {
    let place = folder("long_table");
    let source = place.join("weigh.go");
    let numbers: Vec<String> = (0..40).map(|at| (at * at + 3).to_string()).collect();
    let sum: u64 = (0..40).map(|at| (at * at + 3) * at).sum();
    let text_of = format!(
        "package main\n\nvar weights = [40]int{{{}}}\n\n//go:noinline\nfunc weigh(n int) int {{\n\tfor i := range weights {{\n\t\t\
         n += weights[i] * i\n\t}}\n\treturn n\n}}\n\nfunc main() {{ println(weigh(2)) }}\n",
        numbers.join(", ")
    );
    fs::write(&source, text_of).expect("writes");
    let options = ["build", "-ldflags=-s -w"];
    let Some(file) = built_of("long_table", "go", &options, &[text(&source)]) else {
        return;
    };
    // 64 bytes are 8 of 40 numbers.
    let made = result(&place, &file, &["main.weigh", "--arg", "AX=5"], sum + 5);
    assert!(made.contains(", 320 bytes"), "{made}");
    assert!(!made.contains("nothing says where"), "{made}");
}

#[test]
fn no_template_takes_the_place_of_what_is_there() {
    let Some(file) = go("not_over", &[]) else {
        return;
    };
    let place = folder("not_over");
    let target = place.join("mine.asm");
    let link = place.join("link.asm");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink("nowhere", &link).expect("links");
    fs::write(&target, "mine").expect("writes");
    for there in [&target, &link] {
        let run = dispatchlab(&["import", text(&file), "main.twice", "-o", text(there)]);
        assert_eq!(run.code, 2, "{}", run.stdout);
        assert!(
            run.said()
                .contains("is there already, and nothing was written"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(fs::read_to_string(&target).expect("there"), "mine");
    assert!(!place.join("nowhere").exists());
}

#[test]
fn a_register_is_given_once_and_only_where_code_may_have_it() {
    let Some(file) = go("registers", &[]) else {
        return;
    };
    let refuse = |arguments: &[&str], words: &str| {
        let run = dispatchlab(&[&["import", text(&file), "main.twice"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
    };
    refuse(
        &["--arg", "AX=1", "--arg", "rax=2"],
        "`--arg rax=2`: AX has a value already",
    );
    refuse(&["--arg", "R14=1"], "R14 holds g");
    refuse(&["--arg", "X0=1"], "numbers with fractions cannot be given");
    refuse(
        &["--arg", "xmm3=1"],
        "numbers with fractions cannot be given",
    );
    refuse(&["--arg", "SP=1"], "the stack pointer is the loop's own");
    refuse(
        &["--arg", "8(SP)=1"],
        "an argument of imported code is in a register",
    );
}

#[test]
fn a_program_can_come_through_a_pipe() {
    let Some(file) = go("piped", &[]) else {
        return;
    };
    let given = fs::File::open(&file).expect("it was built");
    let output = command(&folder("piped"), &["import", "-", "main.twice"])
        .stdin(given)
        .output()
        .expect("runs");
    let made = dispatchlab(&["import", text(&file), "main.twice"]);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let code = |text: &str| text.split("\n\n").skip(1).collect::<Vec<_>>().join("\n\n");
    assert_eq!(code(&said), code(&made.stdout));
    assert!(said.contains("of stdin"), "{said}");
}

#[test]
fn addresses_that_stay_numbers_are_told() {
    let place = folder("numbers");
    let source = place.join("numbers.c");
    let text_of = "static int table[900];\nvolatile int n;\n\
        __attribute__((noipa)) int *last(void) { return table + 899; }\n\
        int main(void) { return *last() + n; }\n";
    fs::write(&source, text_of).expect("writes");
    for (name, options, is_told) in [
        ("numbers_fixed", &["-O2", "-fno-pie", "-no-pie"][..], true),
        ("numbers_moved", &["-O2", "-fpie", "-pie"][..], false),
    ] {
        let Some(file) = built(name, "gcc", &[options, &[text(&source)]].concat()) else {
            return;
        };
        let made = dispatchlab(&["import", text(&file), "last"]);
        let says = made
            .stdout
            .contains("; Assumed: 1 address of the program, 0x");
        assert_eq!(says, is_told, "{name}: {}", made.stdout);
    }
}

#[test]
fn types_of_one_name_have_a_name_each_and_every_function_of_a_program_assembles() {
    for options in [&[][..], &["-buildmode=pie"][..]] {
        let Some(file) = go(&format!("assembled{}", options.len()), options) else {
            return;
        };
        let place = folder("assembled");
        for symbol in ["main.main", "main.kind", "main.shapes"] {
            let made = dispatchlab(&["import", text(&file), symbol]);
            assert_eq!(made.code, 0, "{symbol}: {}", made.stderr);
            let template = place.join("imported.asm");
            fs::write(&template, &made.stdout).expect("writes");
            let run = dispatchlab(&["check", text(&template)]);
            assert_eq!(
                run.code, 0,
                "{symbol} {options:?}: {}{}",
                run.stdout, run.stderr
            );
        }
    }
}

#[test]
fn data_and_itabs_that_are_named_as_functions_are_said_to_be_none_and_assembly_is_found() {
    let Some(file) = go("not_functions", &[]) else {
        return;
    };
    #[rustfmt::skip] // a table: what is asked for, and words of the answer
    let table = [
        ("main.offset",                       "is data, and functions are imported"),
        ("main.Circle,main.Shape",            "import"),
        ("main.Shape,main.Cirle --method Area", "did you mean 'main.Shape,main.Circle'?"),
        ("*main.Square,main.Shape --method Area", "the interface comes first, 'main.Shape,*main.Square'"),
    ];
    for (wanted, words) in table {
        let wanted: Vec<&str> = wanted.split(' ').collect();
        let run = dispatchlab(&[&["import", text(&file)], &wanted[..]].concat());
        assert_eq!(run.code, 2, "{wanted:?}: {}", run.stdout);
        assert!(run.said().contains(words), "{wanted:?}: {}", run.stderr);
    }
    // A function of assembly is named as it is declared.
    let run = dispatchlab(&["import", text(&file), "runtime.goexit"]);
    assert!(!run.said().contains("has no symbol"), "{}", run.stderr);
    // The suggestion is one that works.
    let run = dispatchlab(&["import", text(&file), "go.itab.main.Circle,main.Shape"]);
    let words = ["is an itab", "'main.Shape,main.Circle' --method"];
    assert!(
        run.code == 2 && words.iter().all(|one| run.said().contains(one)),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_not_here_is_named_where_a_row_ends_and_long_zeros_are_whole() {
    let place = folder("ends");
    let source = place.join("ends.c");
    let text_of = "#include <stdio.h>\nchar big[300000];\n\
        __attribute__((noipa)) int says(int n) { if (n > 0) puts(\"x\"); return n + 1; }\n\
        __attribute__((noipa)) int at(int n) { return big[n] + 5; }\n\
        int main(int n, char **all) { big[n] = 1; return says(n) + at(n); }\n";
    fs::write(&source, text_of).expect("writes");
    let Some(file) = built("ends", "gcc", &["-O1", text(&source)]) else {
        return;
    };
    let made = dispatchlab(&["import", text(&file), "says", "--arg", "rdi=1"]);
    let template = place.join("says.asm");
    fs::write(&template, &made.stdout).expect("writes");
    let (_, document) = json(&["run", text(&template), "--quick", "--counters", "none"]);
    let (_, row) = rows(&document)[0];
    let message = row["fault"]["message"].as_str().expect("a message");
    assert!(message.contains("at `ud2` in puts"), "{message}");
    // The last byte, and no byte more.
    for (index, status) in [(299_999, "ok"), (300_000 + (1 << 26), "fault")] {
        let argument = format!("rdi={index}");
        let made = dispatchlab(&["import", text(&file), "at", "--arg", &argument]);
        assert!(made.stdout.contains("300000 bytes\n"), "{}", made.stdout);
        let header = ";! result = \"rax\"\n;! expect = 5\n";
        fs::write(&template, format!("{header}{}", made.stdout)).expect("writes");
        let (_, document) = json(&["run", text(&template), "--quick", "--counters", "none"]);
        assert_eq!(rows(&document)[0].1["status"], status, "{index}");
    }
}

#[test]
fn names_of_any_instance_of_a_generic_type_can_be_written() {
    let place = crate::common::fresh("instances");
    crate::advice_source::modules(&place);
    for options in [&[][..], &["-ldflags=-s -w"]] {
        let name = format!("program{}", options.len());
        let Some(Ok(file)) = crate::advice_source::build(&place, &name, options) else {
            eprintln!("skipped: no Go builds it");
            return;
        };
        let template = place.join("imported.asm");
        for of in [
            "main.P[[3]int]",
            "main.P[[]interface {}]",
            "main.P[map[string]gopkg.in/yaml%2ev3.T]",
            "main.P[struct { A int \"x:\\\"y\\\"\"; main.b string }]",
            "main.P[func(int, ...string) (int, error)]",
        ] {
            let pair = format!("main.Doer,{of}");
            let made = dispatchlab(&["import", text(&file), &pair, "--method", "Do"]);
            assert_eq!(made.code, 0, "{pair}: {}", made.stderr);
            fs::write(&template, &made.stdout).expect("writes");
            let run = dispatchlab(&["check", text(&template)]);
            assert_eq!(run.code, 0, "{pair}: {}{}", run.stdout, run.stderr);
        }
    }
}

#[test]
fn a_bracket_in_the_name_of_what_is_called_ends_no_instruction() {
    let place = folder("brackets");
    let template = place.join("brackets.asm");
    for (called, code) in [
        ("\"main.P[[3]int].Do\"", 0),
        ("\"main.F[[]interface {}]\"", 0),
        // What .NET writes behind a call's brackets is no part of it.
        ("[rax+0x20]T:F():int", 0),
        ("[rax+0x20] T:F", 3),
    ] {
        let name = called.trim_matches('"');
        let text_of = format!(
            ";! syntax = \"intel\"\nbody:\n        call {called}\nfunc \"{name}\":\n        ret\n"
        );
        fs::write(&template, &text_of).expect("writes");
        let run = dispatchlab(&["check", text(&template)]);
        assert_eq!(run.code, code, "{called}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn a_table_of_places_that_a_function_reads_as_data_stands_there_once() {
    let library = Path::new("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
    if !library.is_file() {
        eprintln!("skipped: there is no libstdc++ in its usual place");
        return;
    }
    let place = folder("libstdcxx");
    let name = "_ZNSt9basic_iosIcSt11char_traitsIcEE11_M_setstateESt12_Ios_Iostate";
    let made = dispatchlab(&["import", text(library), name]);
    if made.code != 0 {
        eprintln!("skipped: {}", made.stderr);
        return;
    }
    let template = place.join("imported.asm");
    fs::write(&template, &made.stdout).expect("writes");
    let run = dispatchlab(&["check", text(&template)]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// What a run of an imported function says of its fault; nothing where it has none.
fn fault_of(place: &Path, file: &Path, arguments: &[&str]) -> String {
    let made = dispatchlab(&[&["import", text(file)], arguments].concat());
    assert_eq!(made.code, 0, "{arguments:?}: {}", made.stderr);
    let template = place.join("imported.asm");
    fs::write(&template, &made.stdout).expect("writes");
    let (_, document) = json(&["run", text(&template), "--quick", "--counters", "none"]);
    let (_, row) = rows(&document)[0];
    let message = row["fault"]["message"].as_str().unwrap_or_default();
    assert_eq!(
        message.is_empty(),
        row["status"] == "ok",
        "{row:#}\n{}",
        made.stdout
    );
    message.to_string()
}

#[test]
fn a_fault_of_go_says_what_was_assumed_and_what_gives_something_else() {
    let place = folder("assumed_go");
    let source = place.join("assumed.go");
    let text_of = "package main\n\ntype Config struct{ a, b int }\n\nvar config *Config\n\n\
        type Reader interface{ Read() int }\n\ntype T struct {\n\tn    int\n\tnext *int\n}\n\n\
        //go:noinline\nfunc (t *T) Read() int { return *t.next }\n\n\
        //go:noinline\nfunc deref(n int, p *int) int { return n + *p }\n\n\
        //go:noinline\nfunc configured() int { return config.b }\n\n\
        //go:noinline\nfunc call(r Reader) int { return r.Read() }\n\n\
        func main() {\n\tconfig = &Config{1, 2}\n\tn := 1\n\tprintln(deref(1, &n), configured(), call(&T{1, &n}))\n}\n";
    fs::write(&source, text_of).expect("writes");
    for options in [
        &["build"][..],
        &["build", "-ldflags=-s -w", "-buildmode=pie"],
    ] {
        let name = format!("assumed_go{}", options.len());
        let Some(file) = built_of(&name, "go", options, &[text(&source)]) else {
            return;
        };
        #[rustfmt::skip] // a table: what is imported, and words of the fault; none where it runs
        let table = [
            (&["main.deref"][..],                         Some("rbx was assumed to be 0: import it with `--arg BX=object` gives it an address, `--arg BX=8` another")),
            (&["main.deref", "--arg", "BX=object"],       None),
            (&["main.deref", "--arg", "BX=8"],            Some("a nil pointer was dereferenced")),
            (&["main.configured"],                        Some("change them in its `data` section")),
            (&["main.Reader,*main.T"],                    Some("was read at +0x8 of the object that the method is called on, and an object is assumed to hold")),
            (&["main.call", "--arg", "AX=table"],         None),
        ];
        for (arguments, words) in table {
            let said = fault_of(&place, &file, arguments);
            assert_eq!(said.is_empty(), words.is_none(), "{arguments:?}: {said}");
            assert!(
                said.contains(words.unwrap_or_default()),
                "{arguments:?}: {said}"
            );
            // What was given is not said to be assumed.
            assert!(!said.contains("BX=8") || arguments.len() == 1, "{said}");
        }
    }
}

#[test]
fn code_of_c_and_rust_is_given_objects_and_tables_and_a_fault_says_which_it_lacks() {
    let place = folder("assumed_c");
    let source = place.join("assumed.c");
    let text_of = "struct s { long a; long *next; int (*f)(void); };\n\
        __attribute__((noipa)) long next(struct s *one) { return *one->next + 1; }\n\
        __attribute__((noipa)) long second(long n, long *p) { return n + *p; }\n\
        __attribute__((noipa)) int called(struct s *one) { return one->f() + 1; }\n\
        struct s *shared;\n__attribute__((noipa)) long of_shared(void) { return shared->a; }\n\
        static int one(void) { return 1; }\n\
        int main(void) { long n = 1; struct s s = {1, &n, one}; shared = &s;\n\
        return next(&s) + second(1, &n) + called(&s) + of_shared(); }\n";
    fs::write(&source, text_of).expect("writes");
    let of_dyn = place.join("of_dyn.rs");
    let text_of = "use std::hint::black_box;\ntrait Shape { fn area(&self) -> u32; fn scale(&mut self, by: u32) -> u32; }\n\
        struct A(u32);\nstruct B(u64);\n\
        impl Shape for A { fn area(&self) -> u32 { self.0 } fn scale(&mut self, by: u32) -> u32 { self.0 *= by; by } }\n\
        impl Shape for B { fn area(&self) -> u32 { 7 } fn scale(&mut self, by: u32) -> u32 { self.0 += 1; by } }\n\
        #[no_mangle] #[inline(never)] pub fn both(one: &mut dyn Shape) -> u32 { one.area() + one.scale(2) }\n\
        #[no_mangle] #[inline(never)] pub fn sum_of(all: &[u32]) -> u32 { let mut sum = 0; for one in all { sum = black_box(sum + one); } sum }\n\
        fn main() { let mut all: [Box<dyn Shape>; 2] = [Box::new(A(1)), Box::new(B(2))];\n\
        for one in &mut all { black_box(both(&mut **black_box(one))); }\n\
        black_box(sum_of(black_box(&[1, 2, 3]))); }\n";
    fs::write(&of_dyn, text_of).expect("writes");
    #[rustfmt::skip] // a table: what is imported, and words of the fault; none where it runs
    let of_c = [
        (&["next"][..],                                    None),
        (&["next", "--arg", "rdi=7"],                      Some("SIGSEGV")),
        (&["second"],                                      Some("rsi was assumed to be 1: import it with `--arg rsi=object` gives it an address")),
        (&["second", "--arg", "rsi=object"],               None),
        (&["called"],                                      Some("`--arg rdi=table`")),
        (&["called", "--arg", "rdi=table"],                None),
        (&["of_shared"],                                   Some("was read from `shared`, and data are assumed to hold what the file has")),
    ];
    #[rustfmt::skip] // the same
    let of_rust = [
        (&["both"][..],                                    Some("rsi was assumed to be 1: import it with `--arg rsi=object`")),
        (&["both", "--arg", "rsi=table"],                  None),
        (&["sum_of", "--arg", "rsi=9"],                    None),
        (&["sum_of", "--arg", "rdi=8"],                    Some("SIGSEGV")),
    ];
    let programs = [
        (
            built("assumed_c", "gcc", &["-O1", text(&source)]),
            &of_c[..],
        ),
        (
            built("assumed_rust", "rustc", &["-O", text(&of_dyn)]),
            &of_rust[..],
        ),
    ];
    for (file, table) in programs {
        let Some(file) = file else { continue };
        for (arguments, words) in table {
            let said = fault_of(&place, &file, arguments);
            assert_eq!(said.is_empty(), words.is_none(), "{arguments:?}: {said}");
            assert!(
                said.contains(words.unwrap_or_default()),
                "{arguments:?}: {said}"
            );
        }
    }
}
