//! The Go model against a binary of the installed Go compiler.
//!
//! Correct means: what dispatchlab lays out for a release is, field by field, what a program built by
//! that release finds in its own memory. Without a Go compiler on the path the test says so and
//! compares nothing.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use dispatchlab::go::{HeapKind, HeapSpec, Release, hash, lay_out};

/// Prints its own itab, type and interface type.
const PROGRAM: &str = include_str!("../fixtures/layout.go");

/// The release of the `go` on the path.
fn installed() -> Result<Release, String> {
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output()
        .map_err(|error| format!("`go` does not start: {error}"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let minor = version
        .strip_prefix("go1.")
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let minor = minor.ok_or_else(|| format!("`go env GOVERSION` says `{version}`"))?;
    let release: Release = format!("1.{minor}").parse()?;
    hash::type_hash(release, "main.T0").map(|_| release)
}

/// What the program prints: the values behind each name, in order.
fn run(folder: &Path) -> HashMap<String, Vec<u64>> {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("main.go"), PROGRAM).expect("writes");
    let output = Command::new("go")
        .args(["run", "main.go"])
        .current_dir(folder)
        .env("GOTOOLCHAIN", "local")
        .env("GO111MODULE", "off")
        .env("GOCACHE", folder.join("cache"))
        .output()
        .expect("it started before");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{text}");
    let mut values: HashMap<String, Vec<u64>> = HashMap::new();
    for line in text.lines() {
        let (name, value) = line.rsplit_once(' ').expect("a name and a number");
        let value = value.parse().unwrap_or_else(|_| panic!("{text}"));
        values.entry(name.to_string()).or_default().push(value);
    }
    values
}

#[test]
fn the_model_is_what_the_installed_compiler_builds() {
    let release = match installed() {
        Ok(release) => release,
        Err(reason) => {
            eprintln!("not compared with a Go binary: {reason}");
            return;
        }
    };
    let found = run(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("go_binary"));
    assert_eq!(found["id"], [7], "the data word points to the value");
    let heap = lay_out(&HeapSpec {
        kind: HeapKind::Iface,
        types: vec!["main.T0".into()],
        methods: vec!["Add".into(), "Sub".into()],
        signatures: vec!["() uint32".into(), "() uint32".into()],
        objects: vec![0],
        release,
        nil_receiver: false,
        nil_interface: false,
        indexed: false,
        object: None,
        words: Vec::new(),
        interfaces: Vec::new(),
    })
    .expect("the hash is known");
    let mut compared = 0;
    for symbol in &heap.symbols {
        let Some((address, words)) = found.get(&symbol.name).and_then(|all| all.split_first())
        else {
            continue;
        };
        assert_ne!(*address, 0);
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        if symbol.name == "type.main.I" {
            // The methods do not follow the table at once: an uncommon type stands between.
            let methods = found["methods"][1..].iter();
            bytes.extend(methods.flat_map(|word| word.to_le_bytes()));
        }
        let range = symbol.offset..symbol.offset + symbol.size;
        for field in heap.fields.iter().filter(|f| range.contains(&f.offset)) {
            let at = (field.offset - symbol.offset) as usize;
            let Some(actual) = bytes.get(at..at + field.size as usize) else {
                continue;
            };
            let pointer = heap.pointers.iter().find(|p| p.offset == field.offset);
            let what = format!("Go {release}: {} of {}", field.name, symbol.name);
            if let Some(pointer) = pointer {
                let target = u64::from_le_bytes(actual.try_into().expect("8 bytes"));
                assert_ne!(target, 0, "{what}");
                if let Some(all) = found.get(&pointer.symbol).filter(|_| pointer.addend == 0) {
                    assert_eq!(target, all[0], "{what}");
                }
            } else if let Some(offset) = heap.offsets.iter().find(|o| o.offset == field.offset) {
                let actual = u32::from_le_bytes(actual.try_into().expect("4 bytes"));
                let target = heap.symbols.iter().find(|s| s.offset == offset.target);
                let target = &target.expect("it leads to a symbol").name;
                if let Some(all) = found.get(target) {
                    assert_eq!(
                        found["types"][0] + u64::from(actual),
                        all[0],
                        "{what}: {target}"
                    );
                }
            } else if field.is_modelled {
                let mut modelled =
                    heap.bytes[field.offset as usize..][..field.size as usize].to_vec();
                // The uncommon type, whose flag is bit 0, is left out.
                if field.name.eq_ignore_ascii_case("tflag") {
                    modelled[0] |= actual[0] & 1;
                }
                assert_eq!(modelled, actual, "{what}");
            }
            compared += usize::from(field.is_modelled);
        }
    }
    assert!(compared >= 60, "only {compared} fields were compared");
}
