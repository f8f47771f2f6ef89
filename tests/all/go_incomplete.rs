//! Listings of Go's from which something is missing.
//!
//! Correct means: nothing that a listing had and the text has not is taken for zeros, for nothing, or for something
//! else without a word; where the text does not tell, it is asked for.

use std::fs;
use std::process::Command;

use dispatchlab::asm::{Reading, fragment_in};

use crate::common::{Run, dispatchlab, folder, unfolded};

fn read(text: &str, go_minor: Option<u8>) -> Result<String, (u32, String)> {
    let reading = Reading {
        go_minor,
        is_open: true,
        ..Reading::default()
    };
    let section = fragment_in(text, &reading).map_err(|errors| {
        let help = errors[0].help.clone().unwrap_or_default();
        (errors[0].line, format!("{}; {help}", errors[0].message))
    })?;
    Ok(section
        .bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn run(name: &str, text: &str, arguments: &[&str]) -> Run {
    let file = folder("go_incomplete").join(name);
    fs::write(&file, text).expect("written");
    let path = file.to_str().expect("UTF-8");
    let mut all = vec!["run", path, "--quick", "--counters", "none"];
    all.extend(arguments);
    dispatchlab(&all)
}

/// A function of a listing that ends in `RET`.
fn listed(lines: &[(u32, &str)]) -> String {
    let rows = lines
        .iter()
        .map(|(at, text)| format!("\t0x{at:04x} {at:05} (a.go:1)\t{text}\n"));
    format!(
        "\t0x0000 00000 (a.go:1)\tTEXT\tmain.f(SB), ABIInternal, $0-8\n{}",
        rows.collect::<String>()
    )
}

/// A row of data that has bytes from `at` on.
fn row(at: usize, count: usize) -> String {
    let bytes: Vec<String> = (at..at + count).map(|byte| format!("{byte:02x}")).collect();
    format!("\t0x{at:04x} {}  {}\n", bytes.join(" "), ".".repeat(count))
}

/// A row of zeros.
fn zeros(at: usize) -> String {
    format!("\t0x{at:04x}{}  ................\n", " 00".repeat(16))
}

#[test]
fn rows_of_data_that_are_missing_are_named() {
    let heading = |name: &str, kind: &str, size: usize| format!("{name} {kind} size={size}\n");
    #[rustfmt::skip]
    let all = [
        (heading("type.main.T", "SRODATA", 48), Some((1, "no row shows them"))),
        (heading("type:main.T", "SRODATA dupok", 48) + &row(0, 16) + &row(16, 16), Some((1, "the rows end at 0x20"))),
        (heading("type.main.T", "SRODATA", 48) + &row(0, 16) + &row(32, 16), Some((3, "the bytes 0x10 to 0x20 are missing"))),
        (heading("type.main.T", "SRODATA", 40) + &row(0, 16) + &row(16, 8) + &row(24, 16), Some((3, "fewer than 16 bytes"))),
        (heading("type.main.T", "SRODATA", 48) + &row(0, 16) + &row(16, 16) + &row(16, 16), Some((4, "for the second time"))),
        (heading("go.itab.main.T,main.I", "SRODATA", 32) + &row(0, 16) + "\trel 24+8 t=1 main.T.F+0\n", Some((3, "the bytes 0x18 to 0x20"))),
        (heading("go.string.\"abc\"", "SRODATA", 3), Some((1, "no row shows them"))),
        (heading("main.f.jump3", "SRODATA static", 24) + &row(0, 16), Some((1, "the rows end at 0x10"))),
        // A word that holds an address.
        (heading("go.itab.main.T,main.I", "SRODATA", 32) + &zeros(0) + &zeros(16) + "\trel 0+8 t=1 type.main.I+0\n\trel 24+8 t=1 main.T.F+0\n", Some((1, "at the bytes 0x8 to 0x10"))),
        (heading("go.itab.main.T,main.I", "SRODATA", 32) + &zeros(0) + &zeros(16) + "\trel 0+8 t=1 type.main.I+0\n\trel 8+8 t=1 type.main.T+0\n", Some((1, "at the bytes 0x18 to 0x20"))),
        (heading("main.f.jump3", "SRODATA", 16) + &zeros(0) + "\trel 0+8 t=1 main.f+7\n", Some((1, "at the bytes 0x8 to 0x10"))),
        (heading("type.*main.T", "SRODATA", 56) + &zeros(0) + &row(22, 16).replace("0016", "0010").replace("1d", "16") + &zeros(32) + &zeros(48).replace(" 00 00 00 00 00 00 00 00 ", " "), Some((1, "at the bytes 0x30 to 0x38"))),
        (heading("go.itab.main.T,main.I", "SRODATA", 32) + &zeros(0) + &zeros(16) + "\trel 0+8 t=1 type.main.I+0\n\trel 8+8 t=1 type.main.T+0\n\trel 24+8 t=1 main.T.F+0\n", None),
        // Zeros at the end that nothing was written for, as the compiler leaves them out.
        (heading("type.func()", "SRODATA", 36) + &row(0, 16) + &row(16, 16), None),
        (heading("type..gcmask.main.T", "SNOPTRBSS", 8), None),
        (heading("main.table", "SNOPTRDATA", 64) + &row(0, 16), None),
        (heading("go.string.\"\"", "SRODATA", 0), None),
    ];
    for (text, wanted) in all {
        let found = read(&text, None);
        match wanted {
            None => assert!(found.is_ok(), "{text}: {found:?}"),
            Some((line, said)) => {
                let (at, message) = found.expect_err(&text);
                assert!(
                    at == line && message.contains(said),
                    "{text}: {at}: {message}"
                );
            }
        }
    }
}

#[test]
fn zeros_that_may_be_rows_left_out_are_said() {
    let code = listed(&[(0, "MOVQ\tmain.table+56(SB), AX"), (7, "RET")]);
    let said = run(
        "table.txt",
        &format!("{code}main.table SNOPTRDATA size=64\n{}", row(0, 16)),
        &[],
    )
    .said();
    assert!(
        said.contains("the last 48 bytes of `main.table` are zeros"),
        "{said}"
    );
    let said = run(
        "whole.txt",
        &format!("{code}main.table SNOPTRDATA size=16\n{}", row(0, 16)),
        &[],
    )
    .said();
    assert!(!said.contains("are zeros"), "{said}");
}

#[test]
fn a_line_of_code_that_is_missing_is_missed() {
    let whole = [
        (0, "MOVQ\tAX, BX"),
        (3, "ADDQ\t$2, BX"),
        (7, "MOVQ\tBX, AX"),
        (10, "RET"),
    ];
    assert_eq!(
        read(&listed(&whole), None).as_deref(),
        Ok("4889c34883c3024889d8c3")
    );
    let (line, message) =
        read(&listed(&[whole[0], whole[2], whole[3]]), None).expect_err("4 bytes");
    assert!(
        line == 2 && message.contains("takes 3 bytes") && message.contains("lines of 4 bytes"),
        "{message}"
    );
    let (line, message) = read(&listed(&[whole[0], (2, "ADDQ\t$2, BX"), whole[3]]), None)
        .expect_err("a typing error");
    assert!(line == 2 && message.contains("0x2, is 2 away"), "{message}");
    // What was put in their place, or what nothing runs into.
    let own = listed(&[whole[0]]) + "\tINCQ BX\n\t0x0007 00007 (a.go:1)\tRET\n";
    assert_eq!(read(&own, None).as_deref(), Ok("4889c348ffc3c3"));
    let behind = listed(&[(0, "RET"), (9, "UNDEF")]);
    assert_eq!(read(&behind, None).as_deref(), Ok("c30f0b"));
}

/// A line of Go's disassembler without its bytes.
fn bare(lines: &[&str]) -> String {
    let rows = (0x45_7000..).step_by(16).zip(lines);
    let rows = rows
        .map(|(at, text)| format!("  a.go:9\t0x{at:x}\t{text}\n\tJMP over{at:x}\nover{at:x}:\n"));
    format!("TEXT main.f(SB) a.go\n{}", rows.collect::<String>())
}

/// The encoding of the last line.
fn last(lines: &[&str], go_minor: Option<u8>) -> Result<String, String> {
    let bytes = read(&bare(lines), go_minor).map_err(|(_, message)| message)?;
    let text = bytes.trim_end_matches("eb00");
    Ok(text.rsplit("eb00").next().unwrap_or_default().to_owned())
}

#[test]
fn the_order_of_comparisons_is_told_by_numbers_and_by_the_check_of_the_stack() {
    let less = "CMPQ AX, BX";
    for (lines, minor, wanted) in [
        (&["CMPQ $0x9, CX", less][..], None, Some("4839c3")),
        (&["CMPQ CX, $0x9", less], None, Some("4839d8")),
        (&["CMPQ 0x10(R14), SP", less], None, Some("4839c3")),
        (&["CMPQ SP, 0x10(R14)", less], None, Some("4839d8")),
        (&["CMPQ 0x10(CX), SP", less], Some(27), Some("4839c3")),
        (&[less], Some(26), Some("4839c3")),
        (&[less], Some(27), Some("4839d8")),
        (&[less], None, None),
        (&["CMPQ CX, $0x9", "CMPQ $0x9, CX", less], None, None),
    ] {
        let found = last(lines, minor);
        match wanted {
            Some(wanted) => assert_eq!(found.as_deref(), Ok(wanted), "{lines:?}"),
            None => {
                let message = found.expect_err("nothing tells");
                assert!(
                    message.contains("turns comparisons round") && message.contains("//! go ="),
                    "{message}"
                );
            }
        }
    }
}

#[test]
fn a_width_that_the_disassembler_does_not_print_is_asked_for() {
    for (line, wanted) in [
        ("TESTL AL, AL", Some("84c0")),
        ("TESTL AX, AX", Some("85c0")),
        ("TESTQ R8, R8", Some("4d85c0")),
        ("REP; STOSQ AX, ES:0(DI)", Some("f348ab")),
        ("TESTL R8, R8", None),
        ("CMOVL BX, AX", None),
        ("CMOVE 0x8(SP), AX", None),
        ("MOVZX 0x8(SP), AX", None),
    ] {
        let found = last(&[line], Some(27));
        match wanted {
            Some(wanted) => assert_eq!(found.as_deref(), Ok(wanted), "{line}"),
            None => {
                let message = found.expect_err(line);
                assert!(
                    message.contains("how wide") && message.contains("column of bytes"),
                    "{message}"
                );
            }
        }
    }
    // Its bytes say it.
    let text = "TEXT main.f(SB) a.go\n  a.go:9\t0x457000\t480f4cc3\tCMOVL BX, AX\n  a.go:9\t0x457004\tc3\tRET\n";
    assert_eq!(read(text, None).as_deref(), Ok("480f4cc3c3"));
}

#[test]
fn data_of_a_program_that_has_no_name_there_is_asked_for() {
    let text = |bind: &str| {
        format!(
            "{bind}TEXT main.f(SB) a.go\n  a.go:9\t0x457000\t488d05f90f0000\tLEAQ 0xff9(IP), AX\n  \
             a.go:9\t0x457007\t488b00\tMOVQ 0(AX), AX\n  a.go:9\t0x45700a\tc3\tRET\n\
             DATA main.seven+0(SB)/8, $7\nGLOBL main.seven(SB), RODATA, $8\n"
        )
    };
    let refused = run("ip.txt", &text(""), &[]);
    let said = unfolded(&refused.stdout);
    assert!(
        refused.code == 3 && said.contains("has the address 0x458000"),
        "{said}"
    );
    let header =
        "//! bind = { \"@0x458000\" = \"main.seven\" }\n//! result = \"rax\"\n//! expect = 7\n";
    let bound = run("bound.txt", &text(header), &[]);
    assert_eq!(bound.code, 0, "{}{}", bound.stdout, bound.stderr);
}

#[test]
fn what_no_zeros_can_stand_for_is_asked_for() {
    let jump = listed(&[(0, "LEAQ\tmain.f.jump3(SB), CX"), (7, "JMP\t(CX)(AX*8)")]);
    let refused = run("jump.txt", &jump, &[]);
    let said = unfolded(&refused.stdout);
    assert!(
        refused.code == 3 && said.contains("a table of jumps, is not in the text"),
        "{said}"
    );
    let known = listed(&[(0, "LEAQ\tmain..typeAssert.0(SB), AX"), (7, "RET")]);
    let said = unfolded(&run("assert.txt", &known, &[]).stdout);
    assert!(
        said.contains("what an assertion looks for, is not in the text"),
        "{said}"
    );
    let condition = listed(&[(0, "TESTQ\tAX, AX"), (3, "JEQ\t46"), (5, "RET")]);
    let said = unfolded(&run("condition.txt", &condition, &[]).stdout);
    assert!(
        said.contains("has the offset 46") && said.contains("near it 0, 3, 5"),
        "{said}"
    );
}

#[test]
fn a_text_is_the_bytes_that_go_quotes_in_its_name() {
    for (name, bytes) in [
        (r#""a\"b\n""#, vec![97, 34, 98, 10]),
        (r#""it's""#, b"it's".to_vec()),
        (r#""zwei·drei""#, "zwei·drei".as_bytes().to_vec()),
        (r#""\x00\xff\u00e9""#, vec![0, 255, 0xc3, 0xa9]),
        (r#""back\\slash""#, br"back\slash".to_vec()),
        (r#"" \"\".x""#, br#" "".x"#.to_vec()),
    ] {
        let text: Vec<String> = bytes.iter().map(|byte| format!("{byte}")).collect();
        for (at, byte) in bytes.iter().enumerate() {
            let sum = if at == 0 {
                String::new()
            } else {
                format!("+{at}")
            };
            let code = listed(&[
                (0, &format!("MOVBLZX\tgo.string.{name}{sum}(SB), AX")),
                (7, "RET"),
            ]);
            let header = format!("//! result = \"eax\"\n//! expect = {byte}\n");
            let ran = run("text.txt", &(header + &code), &[]);
            assert_eq!(
                ran.code, 0,
                "{name} of {text:?} at {at}: {}{}",
                ran.stdout, ran.stderr
            );
        }
    }
}

#[test]
fn a_type_with_tags_has_the_hash_of_its_own_spelling() {
    // As Go 1.19 and 1.27 print it at offset 16 of the type's rows.
    let name = r#"type.struct { X int64 "json:\"x\"" }"#;
    for (release, hash) in [("1.19", TAGGED_19), ("1.27", TAGGED_27)] {
        let code = listed(&[(0, &format!("MOVL\t{name}+16(SB), AX")), (6, "RET")]);
        let header = format!("//! go = \"{release}\"\n//! result = \"eax\"\n//! expect = {hash}\n");
        let ran = run("tagged.txt", &(header + &code), &[]);
        assert_eq!(ran.code, 0, "{release}: {}{}", ran.stdout, ran.stderr);
    }
}
const TAGGED_19: u32 = 0xabe7_694a;
const TAGGED_27: u32 = 0x5418_964a;

#[test]
fn a_function_of_any_takes_a_type_and_one_of_an_interface_an_itab() {
    let code = listed(&[
        (0, "LEAQ\ttype.main.T0(SB), CX"),
        (7, "CMPQ\tAX, CX"),
        (10, "SETEQ\tAX"),
        (13, "MOVBLZX\tAL, AX"),
        (16, "RET"),
    ]) + "main.(*T0).F STEXT size=1\n\t0x0000 00000 (a.go:1)\tTEXT\tmain.(*T0).F(SB), $0\n\t0x0000 00000 (a.go:1)\tRET\n";
    for (argument, wanted, said) in [
        ("eface=main.T0", 1, "AX and BX = type and object of main.T0"),
        ("iface=main.T0", 0, "AX and BX = itab and object of main.T0"),
    ] {
        let header = format!("//! result = \"eax\"\n//! expect = {wanted}\n");
        let ran = run(
            "any.txt",
            &(header + &code),
            &["--call", "\"\".f", "--arg", argument],
        );
        assert_eq!(ran.code, 0, "{argument}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.said().contains(said), "{}", ran.said());
    }
    let both = run(
        "any.txt",
        &code,
        &[
            "--call",
            "main.f",
            "--arg",
            "eface=main.T0",
            "--arg",
            "iface=main.T0",
        ],
    );
    assert!(
        both.code == 3 && unfolded(&both.stdout).contains("are both given"),
        "{}",
        both.stdout
    );
}

/// What the compiler and the disassembler print of the dispatch programs, a function each; none where there is no Go.
fn functions() -> Option<[Vec<String>; 2]> {
    let program = format!("{}/tests/fixtures/dispatch.go", env!("CARGO_MANIFEST_DIR"));
    let binary = folder("go_incomplete").join("dispatch");
    let go = |arguments: &[&str]| {
        let mut go = Command::new("go");
        let made = go.args(arguments).output().ok()?;
        Some([made.stdout, made.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()))
    };
    let path = binary.to_str()?;
    let [_, compiled] = go(&["build", "-gcflags=-S", "-o", path, &program])?;
    let [shown, _] = go(&["tool", "objdump", "-s", "^main\\.", path])?;
    let split = |text: &str, begins: fn(&str) -> bool, ends: fn(&str) -> bool| {
        let mut all: Vec<String> = Vec::new();
        let mut is_in = false;
        for line in text.lines() {
            if begins(line) {
                all.push(String::new());
            }
            is_in = begins(line) || is_in && !ends(line);
            if let Some(last) = all.last_mut().filter(|_| is_in) {
                last.push_str(line);
                last.push('\n');
            }
        }
        all
    };
    let is_heading = |line: &str| line.contains(" STEXT ");
    let compiled = split(&compiled, is_heading, |line| !line.starts_with('\t'));
    let shown = split(&shown, |line| line.starts_with("TEXT "), str::is_empty);
    (!compiled.is_empty() && !shown.is_empty()).then_some([compiled, shown])
}

#[test]
fn each_line_of_code_that_is_taken_out_of_a_listing_is_missed() {
    let Some([compiled, shown]) = functions() else {
        eprintln!("skipped: there is no `go`");
        return;
    };
    let is_dump = |line: &&str| {
        let word = line.split_whitespace().nth(1).unwrap_or_default();
        line.starts_with("\t0x") && word.len() == 2
    };
    let without = |text: &String, what: fn(&&str) -> bool| -> String {
        let kept = text.lines().filter(|line| !what(line));
        kept.map(|line| format!("{line}\n")).collect()
    };
    let bare: Vec<String> = compiled.iter().map(|text| without(text, is_dump)).collect();
    let is_code = |line: &str| {
        let is_row = line.starts_with("\t0x") || line.starts_with("  ");
        let is_empty = ["\tTEXT\t", "\tPCDATA\t", "\tFUNCDATA\t", "\trel "];
        is_row && !is_empty.iter().any(|part| line.contains(part))
    };
    let mut counts = Vec::new();
    for texts in [&compiled, &bare, &shown] {
        let mut missed = 0;
        for text in texts {
            read(text, None).unwrap_or_else(|why| panic!("{why:?}\n{text}"));
            let lines: Vec<&str> = text.lines().collect();
            let places = |line: &str| line.split_whitespace().next().map(str::to_owned);
            for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_code(line)) {
                // Padding of no bytes is nothing.
                let next = lines.get(at + 1).copied().unwrap_or_default();
                let is_nothing = line.ends_with("\tNOP") && places(line) == places(next);
                // Without any row of bytes, none is shown.
                let is_only = is_dump(line) && lines.iter().filter(|one| is_dump(one)).count() == 1;
                // What nothing runs into, and nothing jumps to, as the call of `deferreturn` for a panic.
                let before = lines[..at].iter().rev().find(|line| is_code(line));
                let is_apart = before.is_some_and(|line| {
                    let ends = ["\tRET", "\tUNDEF"];
                    ends.iter().any(|end| line.ends_with(end)) || line.contains("\tJMP\t")
                });
                let is_bare = !lines.iter().any(is_dump);
                // That a disassembler's function goes on is asked where it is to run.
                let is_last =
                    !line.starts_with('\t') && !lines[at + 1..].iter().any(|line| is_code(line));
                if is_nothing || is_only || is_last || is_bare && is_apart {
                    continue;
                }
                let kept = lines.iter().enumerate().filter(|(other, _)| *other != at);
                let cut: String = kept.map(|(_, line)| format!("{line}\n")).collect();
                assert!(read(&cut, None).is_err(), "{line}\n{cut}");
                missed += 1;
            }
        }
        counts.push(missed);
    }
    assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
}

#[test]
fn a_function_that_runs_off_its_end_is_not_run() {
    let row = |at: usize, bytes: &str, text: &str| format!("  a.go:9\t{at:#x}\t{bytes}\t{text}\n");
    let heading = "TEXT main.f(SB) a.go\n";
    let first = row(0x457000, "b801000000", "MOVL $0x1, AX");
    let rest = row(0x457005, "c3", "RET");
    assert_eq!(
        run("whole.txt", &format!("{heading}{first}{rest}"), &[]).code,
        0
    );
    for text in [
        format!("{heading}{first}"),
        format!("{heading}{first}{}", row(0x457005, "e8f6ffffff", "CALL main.f(SB)")),
        "\t0x0000 00000 (a.go:1)\tTEXT\tmain.f(SB), ABIInternal, $0-8\n\t0x0000 00000 (a.go:1)\tMOVQ\tAX, BX\n".to_owned(),
    ] {
        let cut = run("cut.txt", &text, &[]);
        assert_eq!(cut.code, 3, "{text}{}", cut.stdout);
        let said = unfolded(&cut.stdout);
        assert!(said.contains("`main.f` ends here, and execution runs on"), "{said}");
    }
    // A part of a function has no end.
    assert_eq!(run("part.txt", &format!("{first}{rest}"), &[]).code, 0);
    let (line, message) =
        read(&format!("{heading}{}", row(0x457005, "c3", "RET")), None).expect_err("5 bytes");
    assert!(
        line == 2 && message.contains("lines of 5 bytes are missing in front"),
        "{message}"
    );
}

#[test]
fn the_release_is_told_by_names_too_and_a_header_must_not_contradict_the_text() {
    let leaf = |symbol: &str| {
        format!(
            "{}{symbol} SRODATA size=8\n{}",
            listed(&[(0, &format!("LEAQ\t{symbol}(SB), AX")), (7, "RET")]),
            row(0, 8)
        )
    };
    #[rustfmt::skip]
    let all = [
        (leaf("type.main.T").replace("size=8", "size=12"), "the release is 1.19:"),
        (leaf("type:main.T").replace("size=8", "size=12"), "the release is 1.27:"),
        (leaf("go.string.\"abcdefgh\""), "the release is 1.19:"),
        (leaf("main.x"), "the release is 1.27, for nothing in the text tells it"),
    ];
    for (text, wanted) in all {
        let said = run("release.txt", &text, &[]).said();
        assert!(said.contains(wanted), "{text}{said}");
    }
    let register = listed(&[(0, "CMPQ\tSP, 16(R14)"), (4, "RET")]);
    let stack = listed(&[(0, "MOVQ\t(TLS), CX"), (9, "RET")]);
    for (release, text, is_refused) in [
        ("1.10", &register, true),
        ("1.16", &register, true),
        ("1.17", &register, false),
        ("1.16", &stack, false),
        ("1.17", &stack, true),
    ] {
        let ran = run(
            "stated.txt",
            &format!("//! go = \"{release}\"\n{text}"),
            &[],
        );
        assert_eq!(ran.code == 3, is_refused, "{release} {text}{}", ran.stdout);
        let said = unfolded(&ran.stdout);
        assert!(
            !is_refused || said.contains(&format!("line 1 says `go = \"{release}\"`")),
            "{said}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_function_counts_where_it_is_reached() {
    let other = |text: &str| format!("TEXT ·other(SB), NOSPLIT|NOFRAME, $0\n\t{text}\n\tRET\n");
    let first = |text: &str| format!("TEXT ·f(SB), NOSPLIT|NOFRAME, $0\n\t{text}\n\tRET\n");
    let wrong = other("ADD AX, BX");
    let call = ["--call", "main.f"];
    let ran = run(
        "unreached.s",
        &format!("{}{wrong}", first("INCQ AX")),
        &call,
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let said = ran.said();
    assert!(
        said.contains("`main.other` is left out") && said.contains("line 5 of it is wrong"),
        "{said}"
    );
    for text in ["CALL ·other(SB)", "LEAQ ·other(SB), AX"] {
        let ran = run("reached.s", &format!("{}{wrong}", first(text)), &call);
        assert_eq!(ran.code, 3, "{text}{}", ran.stdout);
        assert!(unfolded(&ran.stdout).contains("`ADD`"), "{}", ran.stdout);
    }
    // Which one is called is asked for all the same.
    let ran = run("asked.s", &format!("{}{wrong}", first("INCQ AX")), &[]);
    assert!(
        ran.code == 3 && unfolded(&ran.stdout).contains("`--call SYMBOL`"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_type_that_its_itab_names_and_the_code_too_is_there_once() {
    let code = listed(&[
        (0, "LEAQ\tgo.itab.*main.T,main.I(SB), CX"),
        (7, "LEAQ\ttype.*main.T(SB), AX"),
        (14, "RET"),
    ]);
    let ran = run("twice.txt", &code, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn lines_of_source_may_hold_quotes_and_open_nothing() {
    let rows = "  0x457000\t\t31c0\t\t\tXORL AX, AX\t\t\n  0x457002\t\tc3\t\t\tRET\t\t\n";
    for source in [
        "func f(s string) { print(\"a \\\"b\\\" \", s, \"\\n\") }",
        "\tdata := \"x\"",
        "\tbody := f(\"x\")",
        "\tfunc() { print(\"x\") }()",
    ] {
        let text = format!("TEXT main.f(SB) /src/a.go\n{source}\n{rows}");
        let ran = run("source.txt", &text, &[]);
        assert_eq!(ran.code, 0, "{source}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn data_of_the_runtime_that_code_reads_are_modelled_or_asked_for() {
    let reads = |symbol: &str| listed(&[(0, &format!("MOVQ\t{symbol}(SB), AX")), (7, "RET")]);
    let known = run("known.txt", &reads("runtime.zerobase"), &[]);
    assert_eq!(known.code, 0, "{}{}", known.stdout, known.stderr);
    for symbol in ["runtime.memstats", "runtime.mapclear·f"] {
        let said = unfolded(&run("unknown.txt", &reads(symbol), &[]).stdout);
        assert!(
            said.contains("is read here, and is not modelled") && said.contains("writeBarrier"),
            "{said}"
        );
    }
    let own = "DATA main.mine+0(SB)/8, $7\nGLOBL main.mine(SB), RODATA, $8\n";
    let header = "//! bind = { \"runtime.memstats\" = \"main.mine\" }\n//! result = \"rax\"\n//! expect = 7\n";
    let text = format!("{header}{}{own}", reads("runtime.memstats"));
    let bound = run("bound.txt", &text, &[]);
    assert_eq!(bound.code, 0, "{}{}", bound.stdout, bound.stderr);
}

/// A type of two words that is compared by a function.
fn compared_by(function: &str) -> String {
    let word = "01 00 00 00 14 08 08 14 00 00 00 00 00 00 00 00";
    format!(
        "type.main.T SRODATA size=48\n\t0x0000 10 00 00 00 00 00 00 00 10 00 00 00 00 00 00 00  ................\n\
         \t0x0010 {word}  ................\n{}\trel 24+8 t=1 {function}+0\n\trel 32+8 t=1 runtime.gcbits.03+0\n",
        zeros(32)
    )
}

#[test]
fn values_of_a_pasted_type_are_compared_by_its_function() {
    // Two equal values that lie apart.
    let code = listed(&[
        (0, "SUBQ\t$56, SP"),
        (4, "LEAQ\ttype.main.T(SB), AX"),
        (11, "LEAQ\tmain.x(SB), BX"),
        (18, "LEAQ\tmain.y(SB), CX"),
        (25, "CALL\truntime.efaceeq(SB)"),
        (30, "ADDQ\t$56, SP"),
        (34, "RET"),
    ]);
    let numbers = |second: &str| {
        format!(
            "DATA main.x+0(SB)/8, $1.5\nDATA main.x+8(SB)/8, $2.5\nGLOBL main.x(SB), RODATA, $16\n\
             DATA main.y+0(SB)/8, $1.5\nDATA main.y+8(SB)/8, ${second}\nGLOBL main.y(SB), RODATA, $16\n"
        )
    };
    for (function, second, wanted) in [
        ("runtime.c128equal·f", "2.5", 1),
        ("runtime.c128equal·f", "3.5", 0),
        ("runtime.f64equal·f", "3.5", 1),
        ("runtime.c64equal·f", "3.5", 1),
        ("runtime.memequal128·f", "2.5", 1),
        ("runtime.memequal128·f", "3.5", 0),
    ] {
        let header = format!("//! result = \"eax\"\n//! expect = {wanted}\n");
        let text = format!("{header}{code}{}{}", compared_by(function), numbers(second));
        let ran = run("compared.txt", &text, &[]);
        assert_eq!(ran.code, 0, "{function}: {}{}", ran.stdout, ran.stderr);
        assert!(!ran.said().contains("4096 bytes"), "{}", ran.said());
    }
    // Two interfaces that are nil.
    for function in ["runtime.interequal·f", "runtime.nilinterequal·f"] {
        let zero = numbers("0").replace("$1.5", "$0");
        let header = "//! result = \"eax\"\n//! expect = 1\n";
        let text = format!("{header}{code}{}{zero}", compared_by(function));
        let ran = run("nil.txt", &text, &[]);
        assert_eq!(ran.code, 0, "{function}: {}{}", ran.stdout, ran.stderr);
    }
    // A function of its own, which is there, is not there, or is not wanted.
    let own = compared_by("type..eq.main.T·f");
    let missing = run(
        "missing.txt",
        &format!("{code}{own}{}", numbers("2.5")),
        &[],
    );
    let said = unfolded(&missing.stdout);
    assert!(
        said.contains(
            "`type..eq.main.T.f`, which compares values of this type, is not in the text"
        ),
        "{said}"
    );
    let function = "type..eq.main.T STEXT size=6\n\t0x0000 00000 (a.go:1)\tTEXT\ttype..eq.main.T(SB), ABIInternal, $0-17\n\
        \t0x0000 00000 (a.go:1)\tMOVL\t$1, AX\n\t0x0005 00005 (a.go:1)\tRET\n";
    let header = "//! result = \"eax\"\n//! expect = 1\n";
    let text = format!("{header}{code}{own}{function}{}", numbers("3.5"));
    let there = run("there.txt", &text, &["--call", "main.f"]);
    assert_eq!(there.code, 0, "{}{}", there.stdout, there.stderr);
    let unwanted = listed(&[(0, "LEAQ\ttype.main.T(SB), AX"), (7, "RET")]);
    let ran = run("unwanted.txt", &format!("{unwanted}{own}"), &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_function_of_the_runtime_that_is_not_modelled_is_refused_with_why() {
    for (name, why) in [
        ("mapaccess1_faststr", "Go's maps are not modelled"),
        ("printstring", "nothing prints here"),
        ("deferproc", "deferred functions are not modelled"),
        (
            "makeslice",
            "slices that are made at run time are not modelled",
        ),
        (
            "growslice",
            "slices that are made at run time are not modelled",
        ),
        (
            "concatstring2",
            "texts that are made at run time are not modelled",
        ),
    ] {
        let code = listed(&[(0, &format!("CALL\truntime.{name}(SB)")), (5, "RET")]);
        let said = unfolded(&run("refused.txt", &code, &[]).stdout);
        assert!(
            said.contains(why) && said.contains("convTstring, ") && said.contains("bind"),
            "{said}"
        );
    }
}

/// A function that calls the method of the interface whose words are in two registers; those of `main.T0` and `main.U`
/// return their object's number, and ten times as much.
fn method_of(low: &str, high: &str) -> String {
    listed(&[
        (0, "SUBQ\t$24, SP"),
        (4, &format!("MOVQ\t24({low}), DX")),
        (8, &format!("MOVQ\t{high}, AX")),
        (11, "CALL\tDX"),
        (13, "ADDQ\t$24, SP"),
        (17, "RET"),
    ]) + "main.(*T0).F STEXT size=3\n\t0x0000 00000 (a.go:1)\tTEXT\tmain.(*T0).F(SB), ABIInternal, $0\n\
          \t0x0000 00000 (a.go:1)\tMOVL\t(AX), AX\n\t0x0002 00002 (a.go:1)\tRET\n\
          main.(*U).F STEXT size=6\n\t0x0000 00000 (a.go:1)\tTEXT\tmain.(*U).F(SB), ABIInternal, $0\n\
          \t0x0000 00000 (a.go:1)\tIMUL3L\t$10, (AX), AX\n\t0x0003 00003 (a.go:1)\tRET\n"
}

#[test]
fn an_interface_is_an_argument_in_any_place() {
    let run = |text: &str, arguments: &[&str]| {
        let all: Vec<&str> = ["--call", "main.f"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        run("place.txt", text, &all)
    };
    let header = |wanted: u32| format!("//! result = \"eax\"\n//! expect = {wanted}\n");
    #[rustfmt::skip] // a table
    let all = [
        ("BX", "CX", 1, &["BX=iface=*main.T0", "AX=5"][..], "BX and CX = itab and object of *main.T0, AX = 5"),
        ("DI", "SI", 10, &["DI=iface=*main.U"], "DI and SI = itab and object of *main.U"),
        ("AX", "BX", 1, &["iface=*main.T0", "CX=iface=*main.U"], "CX and DI = itab and object of *main.U"),
        ("CX", "DI", 10, &["iface=*main.T0", "CX=iface=*main.U"], "AX and BX = itab and object of *main.T0"),
        ("BX", "CX", 1, &["BX=iface=*main.T0", "DI=iface=*main.U"], "DI and SI = itab and object of *main.U"),
        ("DI", "SI", 10, &["BX=iface=*main.T0", "DI=iface=*main.U"], "BX and CX = itab and object of *main.T0"),
        ("R8", "R9", 10, &["eface=main.T0", "CX=7", "R8=iface=*main.U"], "AX and BX = type and object of main.T0"),
    ];
    for (low, high, wanted, arguments, said) in all {
        let arguments: Vec<&str> = arguments.iter().flat_map(|one| ["--arg", one]).collect();
        let ran = run(&(header(wanted) + &method_of(low, high)), &arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.said().contains(said), "{}", ran.said());
    }
    for (arguments, wanted) in [
        (
            &["--arg", "R11=iface=main.T0"][..],
            "has no room for an interface at R11",
        ),
        (
            &["--arg", "DX=iface=main.T0"],
            "has no room for an interface at DX",
        ),
        (
            &["--arg", "iface=main.T0", "--arg", "BX=iface=main.T0"],
            "has a word that another one has, too",
        ),
        (
            &["--arg", "iface=main.T0", "--arg", "eface=main.T0"],
            "`--arg CX=iface=main.T0`",
        ),
        (&["--arg", "BX=main.T0"], "BX=iface=main.T0"),
    ] {
        let refused = run(&method_of("AX", "BX"), arguments);
        let said = unfolded(&refused.stdout);
        assert!(refused.code == 3 && said.contains(wanted), "{said}");
    }
    // On the stack.
    let old = "TEXT \"\".f(SB), $16-32\n\
        \t0x0000 00000 (a.go:1)\tTEXT\t\"\".f(SB), NOSPLIT, $16-32\n\t0x0000 00000 (a.go:1)\tSUBQ\t$16, SP\n\
        \t0x0004 00004 (a.go:1)\tMOVQ\t32(SP), AX\n\t0x0009 00009 (a.go:1)\tMOVQ\t40(SP), CX\n\
        \t0x000e 00014 (a.go:1)\tMOVQ\t24(AX), AX\n\t0x0012 00018 (a.go:1)\tMOVQ\tCX, (SP)\n\
        \t0x0016 00022 (a.go:1)\tCALL\tAX\n\t0x0018 00024 (a.go:1)\tADDQ\t$16, SP\n\t0x001c 00028 (a.go:1)\tRET\n\
        \"\".(*T0).F STEXT size=8\n\t0x0000 00000 (a.go:1)\tTEXT\t\"\".(*T0).F(SB), NOSPLIT, $0-8\n\
        \t0x0000 00000 (a.go:1)\tMOVQ\t8(SP), AX\n\t0x0005 00005 (a.go:1)\tMOVL\t(AX), AX\n\t0x0007 00007 (a.go:1)\tRET\n";
    let header = format!("//! go = \"1.10\"\n{}", header(1));
    for arguments in [
        &["--arg", "0(SP)=5", "--arg", "8(SP)=iface=main.T0"][..],
        &[
            "--arg",
            "16(SP)=eface=main.T0",
            "--arg",
            "8(SP)=iface=main.T0",
        ],
    ] {
        let ran = run(&(header.clone() + old), &arguments[..4]);
        let is_twice = arguments[1].starts_with("16");
        assert_eq!(
            ran.code,
            if is_twice { 3 } else { 0 },
            "{}{}",
            ran.stdout,
            ran.stderr
        );
    }
}

#[test]
fn spellings_of_two_releases_in_one_text_are_said_and_two_conventions_refused() {
    let both = listed(&[
        (0, "LEAQ\tgo.string.\"a\"(SB), AX"),
        (7, "LEAQ\tgo:string.\"b\"(SB), BX"),
        (14, "RET"),
    ]);
    let said = run("both.txt", &both, &[]).said();
    assert!(
        said.contains(
            "line 2 spells a name as Go does up to 1.19, and line 3 as it does since 1.20"
        ),
        "{said}"
    );
    let one = both.replace("go.string", "go:string");
    let said = run("one.txt", &one, &[]).said();
    assert!(!said.contains("spells a name"), "{said}");
    let stack = listed(&[(0, "MOVQ\t(TLS), CX"), (9, "RET")]).replace("main.f", "main.g");
    let register = listed(&[(0, "CMPQ\tSP, 16(R14)"), (4, "RET")]);
    let refused = run("two.txt", &(stack + &register), &["--call", "main.f"]);
    let said = unfolded(&refused.stdout);
    assert!(
        refused.code == 3
            && said.contains("since Go 1.17")
            && said.contains("line 2 of one up to Go 1.16"),
        "{said}"
    );
}

#[test]
fn an_address_that_a_composed_type_has_to_hold_is_missed() {
    // A structure of two fields, a function of one argument and one result, an interface of one method.
    let composed = |kind: u8, bytes: &[(usize, u8)], size: usize| {
        let mut all = vec![0u8; size];
        (all[16], all[23]) = (1, kind);
        for (at, byte) in bytes {
            all[*at] = *byte;
        }
        let rows = all.chunks(16).zip((0..).step_by(16)).map(|(row, at)| {
            let hex: String = row.iter().map(|byte| format!(" {byte:02x}")).collect();
            format!("\t0x{at:04x}{hex}\n")
        });
        format!("type.X SRODATA size={size}\n{}", rows.collect::<String>())
    };
    let structure = composed(25, &[(64, 2), (72, 2)], 128);
    let function = composed(19, &[(48, 1), (50, 1)], 72);
    let interface = composed(20, &[(64, 1), (72, 1)], 88);
    let rel = |at: usize, sum: usize| format!("\trel {at}+8 t=1 type.X+{sum}\n");
    #[rustfmt::skip] // a table
    let all = [
        (&structure, vec![(56, 80), (80, 0), (88, 0), (104, 0), (112, 0)]),
        (&function, vec![(56, 0), (64, 0)]),
        (&interface, vec![(56, 80)]),
    ];
    for (text, rels) in all {
        let with = |without: Option<usize>| {
            let kept = rels.iter().filter(|(at, _)| Some(*at) != without);
            let lines: String = kept.map(|(at, sum)| rel(*at, *sum)).collect();
            read(&format!("{text}{lines}"), None)
        };
        assert!(with(None).is_ok(), "{text}: {:?}", with(None));
        for (at, _) in &rels {
            let (line, message) = with(Some(*at)).expect_err(text);
            let wanted = format!("holds an address at the bytes {at:#x}");
            assert!(line == 1 && message.contains(&wanted), "{at}: {message}");
        }
    }
    // An address of something without a name.
    let nameless = format!("main.x SRODATA size=16\n{}\trel 0+8 t=1 +5\n", zeros(0));
    let (line, message) = read(&nameless, None).expect_err("no symbol");
    assert!(line == 3 && message.contains("has no name"), "{message}");
}
