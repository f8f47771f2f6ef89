//! Imported code against the program that it is of, which is stepped through in a process of its own.
//!
//! Correct means: for the same arguments an imported function executes the instructions of the original, one by one, and
//! as many branches. Where a compiler is missing, or nobody may trace, the test says so.

use std::fs;
use std::path::Path;
use std::process::Command;

use dispatchlab::binary::{Binary, Kind};
use dispatchlab::sys::breakpoint::Stopped;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};
use serde_json::Value;

use crate::common::{dispatchlab, folder, json, rows, value};
use crate::programs::{built, fixture, go, text};

/// More than any of the calls here takes.
const MOST: usize = 10_000;

/// An instruction that ran.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    /// The function that it is of.
    function: String,
    /// Its mnemonic; the length of a jump into another function is the assembler's own.
    mnemonic: String,
    is_branch: bool,
}

impl Ran {
    fn of(function: String, instruction: &Instruction) -> Ran {
        Ran {
            function,
            mnemonic: format!("{:?}", instruction.mnemonic()),
            is_branch: instruction.flow_control() != FlowControl::Next,
        }
    }
}

fn decoded(bytes: &[u8], address: u64) -> Instruction {
    Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode()
}

/// What the program itself executes from the entry of a function to its return, the first time; none, with a word, where
/// nobody may trace here. `registers` are what it is called with, by number.
fn original(
    file: &Path,
    arguments: &[&str],
    symbol: &str,
    registers: &[(u8, u64)],
) -> Option<Vec<Ran>> {
    let bytes = fs::read(file).expect("it was built");
    let binary = Binary::read(&bytes).expect("a program");
    let [entry] = binary.find(symbol)[..] else {
        panic!("{symbol} is not one symbol");
    };
    let mut command = Command::new(file);
    command
        .args(arguments)
        .env("GODEBUG", "asyncpreemptoff=1")
        .env("GOGC", "off")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let stopped = match Stopped::start(&mut command) {
        Ok(stopped) => stopped,
        Err(error) => {
            eprintln!("skipped: {error}");
            return None;
        }
    };
    let slide = match binary.kind {
        Kind::Movable => {
            let mut starts = binary
                .sections
                .iter()
                .filter_map(|section| section.address.checked_sub(section.offset?));
            let first = starts.next().unwrap_or_default();
            stopped
                .first_page()
                .expect("it has one")
                .wrapping_sub(first)
        }
        Kind::Executable | Kind::Object => 0,
    };
    let path = stopped.first_call(entry.address.wrapping_add(slide), MOST);
    let path = path
        .expect("it is stepped")
        .unwrap_or_else(|| panic!("{symbol} is not called"));
    for (number, expected) in registers {
        // What an argument's upper half holds, C leaves open.
        let found = path.entry.get(*number);
        assert_eq!(
            found as u32, *expected as u32,
            "{symbol}: register {number}"
        );
    }
    let ran = path.addresses.iter().map(|address| {
        let address = address.wrapping_sub(slide);
        let (function, _) = binary.symbol_at(address).expect("code of the file");
        // As many as an instruction has at most, or those up to the section's end.
        let own = (1..=15).rev().find_map(|size| binary.bytes(address, size));
        Ran::of(
            function.name.to_string(),
            &decoded(own.expect("its bytes"), address),
        )
    });
    Some(ran.collect())
}

/// What the first iteration of the imported function executes behind the call of it.
fn imported(file: &Path, place: &Path, arguments: &[&str]) -> Vec<Ran> {
    let all = [&["import", text(file)], arguments].concat();
    let made = dispatchlab(&all);
    assert_eq!(made.code, 0, "{all:?}: {}", made.stderr);
    let template = place.join("imported.asm");
    fs::write(&template, &made.stdout).expect("writes");
    let (code, document) = json(&["step", text(&template)]);
    assert_eq!(code, 0, "{all:?}: {document:#}");
    let iteration = &document["iterations"][0];
    let steps = iteration["steps"].as_array().expect("steps");
    let ran: Vec<(Ran, bool)> = steps
        .iter()
        .filter(|step| step["harness"] == false)
        .map(|step| {
            let section = step["section"].as_str().expect("a section").to_string();
            let bytes = bytes_of(&step["bytes"]);
            let is_body = section == "body";
            (Ran::of(section, &decoded(&bytes, 0)), is_body)
        })
        .collect();
    // What a run counts, exactly, is what was stepped.
    let (_, run) = json(&["run", text(&template), "--quick", "--counters", "none"]);
    let (_, row) = rows(&run)[0];
    let branches = ran.iter().filter(|(one, _)| one.is_branch).count();
    assert_eq!(value(row, "instructions"), ran.len() as f64, "{all:?}");
    assert_eq!(value(row, "branches"), branches as f64, "{all:?}");
    ran.into_iter()
        .filter_map(|(one, is_body)| (!is_body).then_some(one))
        .collect()
}

fn bytes_of(hex: &Value) -> Vec<u8> {
    let digits: String = hex.as_str().expect("hex").split_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16);
    pairs.map(|pair| byte(pair).expect("a byte")).collect()
}

/// Numbers of registers in encodings.
const AX: u8 = 0;
const BX: u8 = 3;
const DI: u8 = 7;

/// What is stepped, registers that it is called with, and how it is imported.
type Case<'a> = (&'a str, &'a [(u8, u64)], &'a [&'a str]);

#[test]
fn an_imported_function_of_go_executes_the_instructions_of_the_original() {
    let place = folder("go");
    for options in [&[][..], &["-buildmode=pie"][..], &["-gcflags=-N -l"][..]] {
        let name = format!("original{}", options.concat().len());
        let Some(file) = go(&name, options) else {
            return;
        };
        #[rustfmt::skip] // a table: one case a line
        let table: [Case<'_>; 5] = [
            ("main.chosen", &[(AX, 4)],          &["main.chosen", "--arg", "AX=4"]),
            ("main.twice",  &[(AX, 4)],          &["main.twice", "--arg", "AX=4"]),
            ("main.sumOf",  &[(AX, 4), (BX, 4)], &["main.sumOf", "--arg", "AX=4", "--arg", "BX=4"]),
            // Through the itab, the wrapper in front of the method of a value.
            ("main.(*Circle).Scale", &[(BX, 2)], &["main.Shape,main.Circle", "--method", "Scale", "--arg", "BX=2"]),
            ("main.(*Square).Area",  &[],        &["main.Shape,*main.Square", "--method", "Area"]),
        ];
        for (symbol, registers, arguments) in table {
            let Some(original) = original(&file, &[], symbol, registers) else {
                return;
            };
            assert_eq!(
                imported(&file, &place, arguments),
                original,
                "{symbol} {options:?}"
            );
        }
    }
}

#[test]
fn an_imported_function_of_c_executes_the_instructions_of_the_original() {
    let place = folder("c");
    for (name, options) in [
        ("original-pie", &["-O2"][..]),
        ("original-fixed", &["-O1", "-no-pie"][..]),
        ("original-plain", &["-O0"][..]),
    ] {
        let source = fixture("shapes.cpp");
        let Some(file) = built(name, "g++", &[options, &[&*source]].concat()) else {
            return;
        };
        for count in 1..=5u64 {
            let more = vec!["x"; count as usize - 1];
            let argument = format!("rdi={count}");
            for symbol in ["chosen", "twice"] {
                let Some(original) = original(&file, &more, symbol, &[(DI, count)]) else {
                    return;
                };
                let found = imported(&file, &place, &[symbol, "--arg", &argument]);
                assert_eq!(found, original, "{symbol} {name} {count}");
            }
        }
    }
}
