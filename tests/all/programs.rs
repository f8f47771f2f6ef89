//! `sym`, `itab`, `vtable` and `sites` against programs that the compilers of this machine build.
//!
//! Correct means: what is said of a program is what its own tools say of it, `go tool nm`, `readelf`, and the program
//! itself. Where a compiler is missing, the test says so.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dispatchlab::binary::Binary;
use dispatchlab::binary::itabs::Held;
use serde_json::Value;

use crate::common::{dispatchlab, folder, json};

pub(crate) fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Builds with a compiler, into a file of that name; none, with a word, where it cannot.
pub(crate) fn built(name: &str, compiler: &str, arguments: &[&str]) -> Option<PathBuf> {
    built_of(name, compiler, arguments, &[])
}

/// The program of the fixture by the Go on the path, built as these options say.
pub(crate) fn go(name: &str, options: &[&str]) -> Option<PathBuf> {
    go_of(name, options, "program.go")
}

/// That of another fixture.
pub(crate) fn go_of(name: &str, options: &[&str], source: &str) -> Option<PathBuf> {
    built_of(
        name,
        "go",
        &[&["build"], options].concat(),
        &[&fixture(source)],
    )
}

/// With the name of the file in front of the sources: `go` wants those last.
pub(crate) fn built_of(
    name: &str,
    compiler: &str,
    arguments: &[&str],
    sources: &[&str],
) -> Option<PathBuf> {
    let file = folder("programs").join(name);
    let output = Command::new(compiler)
        .args(arguments)
        .arg("-o")
        .arg(&file)
        .args(sources)
        .env("GOTOOLCHAIN", "local")
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("CGO_ENABLED", "0")
        .output();
    match output {
        Ok(output) if output.status.success() => Some(file),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            eprintln!("skipped {name}: {compiler} says {text}");
            None
        }
        Err(error) => {
            eprintln!("skipped {name}: {compiler} does not start: {error}");
            None
        }
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The rows of `itab --json` by interface and type.
fn itabs(file: &Path) -> HashMap<String, Value> {
    let (code, document) = json(&["itab", text(file)]);
    assert_eq!(code, 0);
    let all = document["itabs"].as_array().expect("itabs");
    let name = |one: &Value| {
        let word = |key: &str| one[key].as_str().expect("a name").to_string();
        format!("{},{}", word("type"), word("interface"))
    };
    all.iter().map(|one| (name(one), one.clone())).collect()
}

/// What the program prints of itself: a name and numbers, by the first word.
fn own_view(file: &Path) -> Vec<Vec<String>> {
    let output = Command::new(file).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let words = |line: &str| line.split(' ').map(str::to_string).collect();
    text.lines().map(words).collect()
}

fn number(text: &str) -> u64 {
    let digits = text.trim_start_matches("0x");
    u64::from_str_radix(digits, if digits.len() < text.len() { 16 } else { 10 }).expect("a number")
}

#[test]
fn the_itabs_of_a_program_are_those_that_its_linker_and_the_program_itself_know() {
    let Some(file) = go("plain", &[]) else { return };
    let found = itabs(&file);
    // `go tool nm` prints address, kind and name.
    let listed = said("go", &["tool", "nm", text(&file)]);
    let listed = listed.lines().filter_map(|line| {
        let mut words = line.trim_start().splitn(3, ' ');
        let (address, _, name) = (words.next()?, words.next()?, words.next()?);
        let name = name
            .strip_prefix("go.itab.")
            .or(name.strip_prefix("go:itab."))?;
        Some((
            name.to_string(),
            format!("0x{}", address.trim_start_matches('0')),
        ))
    });
    let listed: HashMap<String, String> = listed.collect();
    // Go 1.27 gives them no symbols.
    assert!(listed.len() >= 5 || listed.is_empty(), "{listed:?}");
    for (name, address) in &listed {
        assert_eq!(found[name]["address"], address.as_str(), "{name}");
    }
    let mut compared = 0;
    for line in own_view(&file).iter().filter(|line| line[0] == "itab") {
        let [_, name, address, _, _, hash, first, second] = &line[..] else {
            panic!("{line:?}")
        };
        let one = &found[&format!("{name},main.Shape")];
        let hexadecimal = |text: &str| format!("{:#x}", number(text));
        assert_eq!(one["address"], hexadecimal(address), "{name}");
        assert_eq!(one["hash"], format!("{:#010x}", number(hash)), "{name}");
        assert_eq!(one["fun"][0]["address"], hexadecimal(first), "{name}");
        assert_eq!(one["fun"][1]["address"], hexadecimal(second), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn a_stripped_and_a_movable_program_have_the_same_itabs_by_name_hash_and_methods() {
    let Some(plain) = go("plain_twin", &[]) else {
        return;
    };
    let view = |file: &Path| {
        let all = itabs(file).into_iter();
        let all = all.filter(|(name, _)| name.contains("main."));
        let mut all: Vec<(String, String, Vec<String>)> = all
            .map(|(name, one)| {
                let methods = one["fun"].as_array().expect("methods").iter();
                let methods = methods.map(|slot| format!("{} {}", slot["method"], slot["symbol"]));
                (name, one["hash"].to_string(), methods.collect())
            })
            .collect();
        all.sort();
        all
    };
    let expected = view(&plain);
    assert_eq!(expected.len(), 5, "{expected:?}");
    for (name, options) in [
        ("stripped", &["-ldflags=-s -w"][..]),
        ("pie", &["-buildmode=pie"][..]),
        ("stripped_pie", &["-buildmode=pie", "-ldflags=-s -w"][..]),
        ("unoptimised", &["-gcflags=-N -l"][..]),
    ] {
        let Some(file) = go(name, options) else {
            continue;
        };
        assert_eq!(view(&file), expected, "{name}");
    }
}

#[test]
fn types_of_one_name_in_two_functions_are_told_apart_though_no_symbol_names_them() {
    let name = ["*main.local.1", "*main.local.2"].map(|name| format!("{name},main.Shape"));
    for (program, options) in [
        ("locals", &[][..]),
        ("locals_stripped", &["-ldflags=-s -w"]),
        ("locals_pie", &["-buildmode=pie", "-ldflags=-s -w"]),
    ] {
        let Some(file) = go_of(program, options, "locals.go") else {
            return;
        };
        let found = itabs(&file);
        for (name, method) in name
            .iter()
            .zip(["main.(*local.1).Area", "main.(*local.2).Area"])
        {
            let one = found
                .get(name)
                .unwrap_or_else(|| panic!("{name} of {program}"));
            assert_eq!(one["fun"][0]["symbol"], method, "{program}");
            // It is found by the name that is printed.
            let run = dispatchlab(&["sym", text(&file), method]);
            assert_eq!(run.code, 0, "{program}: {}", run.stderr);
        }
    }
}

#[test]
fn a_type_is_decoded_field_by_field_though_no_symbol_names_it() {
    let Some(file) = go("types", &["-ldflags=-s -w"]) else {
        return;
    };
    let hash = itabs(&file)["main.Circle,main.Shape"]["hash"].clone();
    let run = dispatchlab(&["sym", text(&file), "type.main.Circle"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let field = |name: &str| {
        // Fields begin with a capital letter, and may end in an underscore, since Go 1.21.
        let named = |line: &str| line.to_lowercase().replace('_', " ").contains(name);
        let rows = run.stdout.lines().filter(|line| line.starts_with("  +"));
        let row = rows.into_iter().find(|line| named(line));
        let row = row.unwrap_or_else(|| panic!("{name}: {}", run.stdout));
        row.rsplit(' ').next().expect("a value").to_string()
    };
    assert_eq!(field(" size "), "16");
    assert_eq!(format!("{:?}", field(" hash ")), hash.to_string());
    assert_eq!(field(" kind "), "25");
    assert!(
        run.stdout
            .contains("a type: the first fields of main.Circle")
    );
}

#[test]
fn a_slot_says_whether_it_is_a_wrapper_and_has_the_method_inlined() {
    let Some(file) = go("wrappers", &[]) else {
        return;
    };
    let bytes = fs::read(&file).expect("it was built");
    let binary = Binary::read(&bytes).expect("a program");
    let go = binary.go.as_ref().expect("of Go");
    let held = |type_name: &str, method: &str| {
        let table = go
            .itabs
            .iter()
            .find(|one| one.is_of("main.Shape", Some(type_name)));
        let slots = &table.expect("an itab").slots;
        slots
            .iter()
            .find(|slot| slot.method == method)
            .expect("a slot")
            .held
    };
    let wrapper = |inlined| Held::Wrapper {
        inlined: Some(inlined),
    };
    assert_eq!(held("*main.Square", "Area"), Held::Method);
    assert_eq!(held("main.Circle", "Area"), wrapper(true));
    assert_eq!(held("main.Circle", "Scale"), wrapper(false));
    assert_eq!(held("*main.Circle", "Scale"), wrapper(false));
    // No call reaches it, and the linker leaves it out.
    assert_eq!(held("main.Circle", "Unused"), Held::Pruned);
}

#[test]
fn the_bytes_that_are_dumped_are_the_files() {
    for options in [&[][..], &["-buildmode=pie"][..]] {
        let name = format!("dumped{}", options.len());
        let Some(file) = go(&name, options) else {
            return;
        };
        let bytes = fs::read(&file).expect("it was built");
        let found = itabs(&file);
        let address = number(
            found["main.Circle,main.Shape"]["address"]
                .as_str()
                .expect("one"),
        );
        // Where `readelf` says that a section begins, in memory and in the file.
        let sections = said("readelf", &["-SW", text(&file)]);
        let offset = sections.lines().find_map(|line| {
            let words: Vec<&str> = line.split(']').nth(1)?.split_whitespace().collect();
            let hexadecimal = |at: usize| u64::from_str_radix(words.get(at)?, 16).ok();
            let (start, offset, size) = (hexadecimal(2)?, hexadecimal(3)?, hexadecimal(4)?);
            (start > 0 && (start..start + size).contains(&address))
                .then(|| address - start + offset)
        });
        let at = offset.expect("a section holds it") as usize;
        let run = dispatchlab(&["itab", text(&file), "main.Shape,main.Circle", "--dump"]);
        let rows = run.stdout.lines().filter(|line| line.starts_with("  +"));
        let mut compared = 0;
        for row in rows {
            let mut words = row.split_whitespace();
            let offset: usize = words
                .next()
                .and_then(|word| word[1..].parse().ok())
                .expect("an offset");
            let printed = words.map_while(|word| {
                (word.len() == 2)
                    .then(|| u8::from_str_radix(word, 16).ok())
                    .flatten()
            });
            let printed: Vec<u8> = printed.collect();
            assert_eq!(printed, bytes[at + offset..][..printed.len()], "{row}");
            compared += printed.len();
        }
        // All 48 but the padding behind the hash.
        assert_eq!(compared, 44, "{}", run.stdout);
    }
}

#[test]
fn a_symbol_is_where_readelf_says_and_has_the_bytes_that_the_file_has() {
    let Some(file) = built("cpp", "g++", &["-O2", &fixture("shapes.cpp")]) else {
        return;
    };
    let (code, document) = json(&["sym", text(&file)]);
    assert_eq!(code, 0);
    let found: HashMap<&str, &Value> = document["symbols"]
        .as_array()
        .expect("symbols")
        .iter()
        .map(|one| (one["name"].as_str().expect("a name"), one))
        .collect();
    let mut compared = 0;
    // Number, value, size, type, binding, visibility, section, name.
    for line in said("readelf", &["-sW", text(&file)]).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            _,
            value,
            size,
            kind @ ("FUNC" | "OBJECT"),
            _,
            _,
            section,
            name,
            ..,
        ] = words[..]
        else {
            continue;
        };
        if section == "UND" || name.contains('@') {
            continue;
        }
        let one = found[name];
        assert_eq!(
            number(one["address"].as_str().expect("one")),
            u64::from_str_radix(value, 16).expect("one"),
            "{name}"
        );
        assert_eq!(one["size"].as_u64(), size.parse().ok(), "{name}");
        assert_eq!(one["kind"] == "code", kind == "FUNC", "{name}");
        compared += 1;
    }
    assert!(compared >= 15, "only {compared} symbols were compared");
    let run = dispatchlab(&["sym", text(&file), "twice"]);
    let listed = said(
        "objdump",
        &["-d", "--no-addresses", "--disassemble=twice", text(&file)],
    );
    let bytes = |text: &str, is_row: &dyn Fn(&str) -> bool| -> String {
        let rows = text.lines().filter(|line| is_row(line));
        let words = rows.flat_map(|row| {
            row.split_whitespace()
                .skip_while(|word| word.starts_with("0x"))
                .take_while(|word| word.len() == 2 && u8::from_str_radix(word, 16).is_ok())
        });
        words.collect()
    };
    let own = bytes(&run.stdout, &|line| line.starts_with("  0x"));
    assert!(
        !own.is_empty() && own == bytes(&listed, &|line| line.starts_with('\t')),
        "{}\n{listed}",
        run.stdout
    );
}

#[test]
fn the_tables_of_cpp_and_rust_have_their_methods_in_order() {
    if let Some(file) = built("tables", "g++", &["-O2", &fixture("shapes.cpp")]) {
        let (_, document) = json(&["vtable", text(&file), "Cube"]);
        let table = &document["vtables"][0];
        assert_eq!(table["class"], "Cube");
        let names: Vec<&str> = table["fun"]
            .as_array()
            .expect("slots")
            .iter()
            .map(|slot| slot["symbol"].as_str().expect("one"))
            .collect();
        assert_eq!(names, ["Cube::area() const", "Cube::scale(int)"]);
        assert_eq!(table["fun"][1]["offset"], 8);
    }
    // An object file's are filled by its relocations.
    if let Some(file) = built("tables.o", "g++", &["-O2", "-c", &fixture("shapes.cpp")]) {
        let run = dispatchlab(&["vtable", text(&file), "Square"]);
        assert!(
            run.stdout.contains("Square::area() const"),
            "{}{}",
            run.stdout,
            run.stderr
        );
    }
    if let Some(file) = built("tables_rust", "rustc", &["-O", &fixture("shapes.rs")]) {
        let (_, document) = json(&["vtable", text(&file), "shapes::Square"]);
        let table = &document["vtables"][0];
        assert_eq!(
            (&table["language"], &table["value_size"]),
            (&"Rust".into(), &4.into())
        );
        let slots = table["fun"].as_array().expect("slots");
        let names: Vec<&str> = slots
            .iter()
            .map(|slot| slot["symbol"].as_str().expect("one"))
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(
            names[0].contains("area") && names[1].contains("scale"),
            "{names:?}"
        );
    }
}

#[test]
fn the_sites_of_a_program_are_where_its_source_has_them() {
    let Some(file) = go("sites", &[]) else { return };
    let of = |function: &str| {
        let (_, document) = json(&["sites", text(&file), function]);
        let all = document["sites"].as_array().expect("sites").iter();
        let all = all.filter(|one| one["function"] == function);
        let word = |one: &Value| format!("{} {}", one["kind"].as_str().unwrap_or(""), one["slot"]);
        all.map(word).collect::<Vec<String>>()
    };
    assert_eq!(of("main.area"), ["itab 0"]);
    assert_eq!(of("main.scale"), ["itab 1"]);
    assert_eq!(of("main.total"), ["itab 0"]);
    assert_eq!(of("main.apply"), ["func value null"]);
    assert_eq!(of("main.sum"), Vec::<String>::new());
    // Of `Circle` the small method stands in the wrapper, and the one that is not inlined is called.
    assert_eq!(of("main.(*Circle).Area"), ["wrapper, inlined null"]);
    assert_eq!(of("main.(*Circle).Scale"), ["wrapper null"]);
    assert_eq!(of("main.(*Square).Area"), Vec::<String>::new());
    // Halves of hashes up to Go 1.21, a table since.
    let kind = of("main.kind").join(", ");
    assert!(kind.starts_with("type switch"), "{kind}");
    // Go 1.19 has a table of jumps there, Go 1.27 one of results.
    let chosen = of("main.chosen").join(", ");
    assert!(["switch, table null", ""].contains(&&*chosen), "{chosen}");
}

#[test]
fn each_type_switch_is_a_site_whether_or_not_its_types_are_listed() {
    let Some(file) = go_of("switches", &[], "switches.go") else {
        return;
    };
    #[rustfmt::skip] // a table: a function, and the hashes that each of its switches compares with
    let functions = [
        ("main.basics",      &[4][..]),
        ("main.rooted",      &[4]),
        ("main.both",        &[4, 4]),
        ("main.interrupted", &[5]),
        // It has a number where a type has its hash, and it is that of `int8`.
        ("main.number",      &[]),
    ];
    for (function, cases) in functions {
        let run = dispatchlab(&["sites", text(&file), function]);
        // A case of an interface is a site of its own.
        let is_switch = |line: &&str| {
            let kind = line.contains("type switch, hashes") || line.contains("type switch, table");
            line.starts_with("  0x") && kind
        };
        let listed: Vec<&str> = run.stdout.lines().filter(is_switch).collect();
        assert_eq!(listed.len(), cases.len(), "{function}: {}", run.stdout);
        for (line, cases) in listed.iter().zip(cases) {
            // Go 1.19 has a table only from many types on, Go 1.22 from 5 on.
            let halved = format!("type switch, hashes, {cases} cases");
            let is_one =
                line.ends_with(&halved) || line.ends_with(&halved.replace("hashes", "table"));
            assert!(is_one, "{function}: {line}");
        }
    }
}

#[test]
fn chains_of_assertions_and_cases_of_interfaces_are_sites_with_the_row_of_the_like() {
    let Some(file) = go_of("chains", &[], "switches.go") else {
        return;
    };
    #[rustfmt::skip] // a table: a function, the kind that one site of it has, its cases, and its row
    let functions = [
        ("main.chained",  "type switch, addresses",  Some(3), "type_switch[strategy=pointer]"),
        ("main.asked",    "type switch, interfaces", Some(2), "interface_switch"),
        ("main.asserted", "assertion, interface",    None,    "assert_to_interface"),
        ("main.guarded",  "guard",                   None,    "guard"),
    ];
    for (function, kind, cases, row) in functions {
        let (_, document) = json(&["sites", text(&file), function]);
        let all = document["sites"].as_array().expect("sites").iter();
        let found: Vec<&Value> = all.filter(|site| site["kind"] == kind).collect();
        assert_eq!(found.len(), 1, "{function}: {document}");
        assert_eq!(found[0]["cases"], Value::from(cases), "{function}");
        assert_eq!(found[0]["row"], row);
    }
    // Compares of two values are no chain.
    let (_, document) = json(&["sites", text(&file), "main.apart"]);
    assert_eq!(document["sites"], Value::Array(Vec::new()));
}

#[test]
fn a_call_through_the_dictionary_of_a_generic_is_no_call_through_an_itab() {
    let release = said("go", &["version"]);
    // Others convert to an interface first, or have no generics.
    if !["go1.18", "go1.19"].iter().any(|own| release.contains(own)) {
        eprintln!("skipped: {release}");
        return;
    }
    let Some(file) = go_of("generics", &[], "switches.go") else {
        return;
    };
    let function = "main.(*List[go.shape.int_0]).Sum";
    let (_, document) = json(&["sites", text(&file), function]);
    let sites = document["sites"].as_array().expect("sites");
    assert_eq!(sites.len(), 1, "{document}");
    assert_eq!(sites[0]["kind"], "generic dictionary");
    assert_eq!(
        (&sites[0]["slot"], &sites[0]["row"]),
        (&Value::Null, &Value::Null)
    );
    let place = folder("generics");
    let order = place.join("order.txt");
    fs::write(&order, "0 1 0 1\n").expect("writes");
    let order = format!("order=@{}", text(&order));
    let run = dispatchlab(&["advise", text(&file), function, "-p", &order]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    let why = "here the types were chosen where the generic function was called";
    assert!(run.said().contains(why), "{}", run.stderr);
}

#[test]
fn code_that_no_symbol_names_is_said_to_be_left_out() {
    for (options, is_stripped) in [("-s", true), ("-O2", false)] {
        let name = format!("sites{options}");
        let Some(file) = built(&name, "g++", &[options, &fixture("shapes.cpp")]) else {
            return;
        };
        let run = dispatchlab(&["sites", text(&file)]);
        let words = "belong to no function that it names, and were not looked at";
        assert_eq!(run.said().contains(words), is_stripped, "{}", run.stderr);
    }
}

#[test]
fn what_is_no_program_of_this_machine_is_named_as_what_it_is() {
    let place = folder("refused");
    let order = place.join("order.txt");
    fs::write(&order, "0 1 0 1\n").expect("writes");
    let elf = |class: u8, order: u8, machine: u16| {
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([class, order, 1, 0]);
        bytes.resize(16, 0);
        bytes.extend([2, 0]);
        bytes.extend(machine.to_le_bytes());
        bytes.resize(64, 0);
        bytes
    };
    for (bytes, words) in [
        (Vec::new(), "it is empty"),
        (b"MZ\x90\0".to_vec(), "a program of Windows"),
        (b"#!/bin/sh\n".to_vec(), "a script"),
        (b"!<arch>\n".to_vec(), "an archive"),
        (b"some words".to_vec(), "no program"),
        (b"\x7fELF\x02\x01".to_vec(), "it ends in its first header"),
        (elf(1, 1, 3), "32-bit x86"),
        (elf(1, 1, 62), "32-bit addresses"),
        (elf(2, 1, 183), "64-bit ARM"),
        (elf(2, 2, 21), "the higher byte first"),
        (elf(2, 1, 62), "cut off or damaged"),
    ] {
        let file = place.join("file");
        fs::write(&file, &bytes).expect("writes");
        let order = format!("order=@{}", text(&order));
        let recording = place.join("types.txt");
        #[rustfmt::skip] // a table: a command, what stands behind the file, and whether it wants a program
        let commands = [
            (&["sym"][..],                                            &[][..],                    true),
            (&["itab"],                                               &[],                        true),
            (&["vtable"],                                             &[],                        true),
            (&["sites"],                                              &[],                        true),
            (&["import"],                                             &["main.f"],                true),
            (&["advise"],                                             &["main.f", "-p", &*order], true),
            (&["trace", "-o", text(&recording), "--at", "main.f", "--"], &[],                     true),
            (&["go"],                                                 &["--func", "f"],           false),
            (&["show"],                                               &[],                        false),
        ];
        for (command, more, is_of_programs) in commands {
            let run = dispatchlab(&[command, &[text(&file)], more].concat());
            // What takes sources has another code for those that are none.
            let codes: &[i32] = if is_of_programs { &[2] } else { &[2, 3] };
            assert!(
                codes.contains(&run.code),
                "{command:?} {words}: {}",
                run.code
            );
            assert!(
                run.stdout.is_empty() && (!is_of_programs || run.said().contains(words)),
                "{command:?}: {}",
                run.said()
            );
            assert_eq!(
                run.stderr.matches("error:").count(),
                1,
                "{command:?}: {}",
                run.stderr
            );
            assert!(!recording.exists(), "{words}");
        }
    }
    let run = dispatchlab(&["sym", "no/such/file"]);
    assert!(
        run.code == 2 && run.said().contains("there is no such file"),
        "{}",
        run.said()
    );
    let run = dispatchlab(&["sym", env!("CARGO_MANIFEST_DIR")]);
    assert!(
        run.code == 2 && run.said().contains("it is a folder"),
        "{}",
        run.said()
    );
}

#[test]
fn what_a_program_has_not_is_an_error_that_says_what_it_has() {
    let Some(file) = go("errors", &[]) else {
        return;
    };
    let error = |arguments: &[&str]| {
        let run = dispatchlab(&[&arguments[..1], &[text(&file)], &arguments[1..]].concat());
        assert_eq!(run.code, 2, "{}", run.stdout);
        run.said()
    };
    let said = error(&["itab", "main.Shapes"]);
    assert!(
        said.contains("no itab for main.Shapes; did you mean `main.Shape`?"),
        "{said}"
    );
    let said = error(&["itab", "main.Namer,main.Circle"]);
    assert!(said.contains("it has those of *main.Square"), "{said}");
    let said = error(&["import", "main.Shape,main.Circle"]);
    assert!(
        said.contains("has the methods Area, Scale, Unused; say which"),
        "{said}"
    );
    let said = error(&["import", "main.Shape,main.Circle", "--method", "Aera"]);
    assert!(
        said.contains("no method `Aera`; it has Area, Scale, Unused: did you mean `Area`?"),
        "{said}"
    );
    let said = error(&["import", "main.Shape,main.Circle", "--method", "Unused"]);
    assert!(said.contains("the linker left it out"), "{said}");
    let said = error(&["import", "main.Shape", "--method", "Area"]);
    assert!(said.contains("has 4 itabs for main.Shape"), "{said}");
    let said = error(&["import", "main.twise"]);
    assert!(
        said.contains("no symbol `main.twise`; did you mean `main.twice`?"),
        "{said}"
    );
    let said = error(&["import", "main.twice", "--arg", "CS=4"]);
    assert!(
        said.contains("an argument of imported code is in a register"),
        "{said}"
    );
    let said = error(&["vtable"]);
    assert!(said.contains("Go has itabs"), "{said}");
}

#[test]
fn no_damage_to_a_program_makes_anything_panic() {
    use dispatchlab::stats::random::SplitMix64;
    let files = [
        go("damaged", &["-ldflags=-s -w"]),
        built("damaged.o", "g++", &["-O2", "-c", &fixture("shapes.cpp")]),
    ];
    for file in files.into_iter().flatten() {
        let whole = fs::read(&file).expect("it was built");
        let mut random = SplitMix64::new(7);
        for round in 0..40 {
            let mut bytes = whole.clone();
            let mut below = |bound: usize| random.below(bound as u64) as usize;
            for _ in 0..1 + below(8) {
                // Half of the changes are where the headers and tables are.
                let most = match below(2) {
                    0 => bytes.len().min(4096),
                    _ => bytes.len(),
                };
                let at = below(most);
                bytes[at] = below(256) as u8;
            }
            if below(3) == 0 {
                let end = below(bytes.len());
                bytes.truncate(end);
            }
            let outcome = std::panic::catch_unwind(|| crate::common::fuzz::program(&bytes));
            assert!(outcome.is_ok(), "round {round} of {}", file.display());
        }
    }
}

#[test]
fn a_call_through_a_table_of_functions_is_no_switch() {
    let place = folder("tails");
    let source = place.join("tails.c");
    let text_of = "__attribute__((noipa)) int a(int n) { return n + 1; }\n\
        __attribute__((noipa)) int b(int n) { return n * 3; }\n\
        int (*const table[2])(int) = {a, b};\n\
        __attribute__((noipa)) int tail(int n) { return table[n](n); }\n\
        int main(int n, char **all) { return tail(n - 1); }\n";
    fs::write(&source, text_of).expect("writes");
    let Some(file) = built("tails", "gcc", &["-O2", text(&source)]) else {
        return;
    };
    let (_, document) = json(&["sites", text(&file), "tail"]);
    let sites = document["sites"].as_array().expect("sites");
    assert!(!sites.is_empty());
    for site in sites {
        assert_eq!(site["kind"], "other", "{site}");
    }
}

#[test]
fn the_first_function_of_a_class_is_found_whatever_stands_in_front_of_it() {
    let place = folder("leads");
    let source = place.join("leads.cpp");
    let text_of = "struct A { long a; virtual int f() { return 1; } virtual int g() { return 2; } };\n\
        struct B : virtual A { long b; virtual int own() { return 3; } };\n\
        struct C : virtual A, virtual B { virtual int own() override { return 4; } };\n\
        A a; B b; C c;\nint main() { return a.f(); }\n";
    fs::write(&source, text_of).expect("writes");
    for (name, options) in [
        ("leads-pie", &["-O1"][..]),
        ("leads-fixed", &["-O1", "-fno-pie", "-no-pie"][..]),
        ("leads-untyped", &["-O1", "-fno-rtti"][..]),
        ("leads.o", &["-O1", "-c"][..]),
    ] {
        let Some(file) = built(name, "g++", &[options, &[text(&source)]].concat()) else {
            return;
        };
        for (class, symbol) in [("A", "A::f()"), ("B", "B::own()"), ("C", "C::own()")] {
            let (_, document) = json(&["vtable", text(&file), class]);
            let all = document["vtables"].as_array().expect("tables");
            let table = all.iter().find(|table| table["class"] == class);
            let first = &table.unwrap_or_else(|| panic!("{document}"))["fun"][0];
            assert_eq!(
                (&first["offset"], &first["symbol"]),
                (&0.into(), &symbol.into()),
                "{name}: {class}"
            );
        }
    }
    let library = said("g++", &["-print-file-name=libstdc++.so"]);
    let library = library.trim();
    if !Path::new(library).is_file() {
        eprintln!("skipped: no libstdc++.so");
        return;
    }
    let (_, document) = json(&["vtable", library, "ostream"]);
    let all = document["vtables"].as_array().expect("tables");
    let table = all.iter().find(|table| table["class"] == "std::ostream");
    let first = &table.unwrap_or_else(|| panic!("{document}"))["fun"][0];
    let symbol = first["symbol"].as_str().expect("one");
    assert!(first["offset"] == 0 && symbol.contains("::~"), "{first}");
}

#[test]
fn a_function_that_is_called_again_and_again_is_still_known_to_come_from_a_table() {
    let place = folder("again");
    let source = place.join("again.s");
    // r12 is as it was behind a call, and r11 is not.
    let text_of = ".intel_syntax noprefix\n.globl kept, lost, main\n\
        .type kept, @function\nkept: push rbx\n mov ebx, 9\n mov r12, [rdi+16]\n\
        1: call r12\n dec ebx\n jnz 1b\n pop rbx\n ret\n.size kept, .-kept\n\
        .type lost, @function\nlost: push rbx\n mov ebx, 9\n mov r11, [rdi+16]\n\
        1: call r11\n dec ebx\n jnz 1b\n pop rbx\n ret\n.size lost, .-lost\n\
        main: ret\n.section .note.GNU-stack\n";
    fs::write(&source, text_of).expect("writes");
    let Some(file) = built("again", "gcc", &[text(&source)]) else {
        return;
    };
    for (function, kind) in [("kept", "vtable"), ("lost", "other")] {
        let (_, document) = json(&["sites", text(&file), function]);
        assert_eq!(document["sites"][0]["kind"], kind, "{document}");
    }
}

#[test]
fn distances_in_a_table_are_numbers_and_what_is_undefined_is_nowhere() {
    let place = folder("bases");
    let source = place.join("bases.cpp");
    let text_of = "struct A { long a; virtual int f() { return 1; } };\n\
        struct B : virtual A { long b; int f() override { return 3; } };\n\
        extern \"C\" int puts(const char *);\n\
        B b;\nint main() { A *a = &b; return a->f() + puts(\"\"); }\n";
    fs::write(&source, text_of).expect("writes");
    for (name, options) in [
        ("bases-pie", &["-O1"][..]),
        ("bases-fixed", &["-O1", "-fno-pie", "-no-pie"][..]),
    ] {
        let Some(file) = built(name, "g++", &[options, &[text(&source)]].concat()) else {
            return;
        };
        let run = dispatchlab(&["vtable", text(&file), "B"]);
        // B's own table begins with how far A is.
        let first = run.stdout.lines().find(|line| line.starts_with("  +0 "));
        let is_function = first.is_some_and(|line| line.ends_with(" B::f()"));
        assert!(is_function, "{}", run.stdout);
        // A stands 16 bytes into B, and its methods want B's address.
        assert!(run.stdout.contains(" a distance: -16\n"), "{}", run.stdout);
        assert!(!run.stdout.contains("0xffff"), "{}", run.stdout);
    }
    let Some(object) = built("bases.o", "g++", &["-O1", "-c", text(&source)]) else {
        return;
    };
    let (_, document) = json(&["vtable", text(&object), "B"]);
    let first = &document["vtables"][0]["fun"][0];
    assert_eq!(
        (&first["offset"], &first["symbol"]),
        (&0.into(), &"B::f()".into())
    );
    let (_, document) = json(&["sym", text(&object), "puts"]);
    let symbol = &document["symbols"][0];
    assert_eq!(
        (&symbol["kind"], &symbol["address"]),
        (&"elsewhere".into(), &Value::Null)
    );
    let run = dispatchlab(&["sym", text(&object), "puts"]);
    assert_eq!(
        run.stdout,
        "puts\n  another file has it: here is only what names it\n"
    );
}
