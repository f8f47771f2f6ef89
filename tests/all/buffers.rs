//! `resb` and `times`: what nobody has to write out.
//!
//! Correct means: an image is the same as where everything is written out by hand; what is not written
//! out takes no room in a job or in the process that reports; and what is too much is refused with its
//! line, before memory is taken.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::common::{data_of, dispatchlab, folder, json, rows, template, value};
use dispatchlab::asm::{
    Context, MAX_DATA, Program, Section, SectionKind, SourceLine, SourceSection, Syntax, assemble,
    fragment,
};
use dispatchlab::job::{PLACEMENTS, check};
use dispatchlab::link::Variant;
use dispatchlab::prepare::{Prepared, prepare};
use dispatchlab::scenario::Scenario;
use dispatchlab::template::{Origin, Template};

/// A template of these data sections, prepared.
fn prepared(data: &str) -> Prepared {
    let text = format!("body:\n lea rax, [\"main.f\"]\nfunc \"main.f\":\n ret\n{data}");
    let template = Template::parse("buffers", Origin::Stdin, text).expect("a template");
    let scenario = Scenario::bind(Arc::new(template), &[]).expect("binds");
    prepare(&scenario).unwrap_or_else(|found| panic!("{data}: {found:?}"))
}

/// Data sections, each of its lines; the first one begins at line 2.
fn assembled(sections: &[&[&str]]) -> Result<Program, Vec<(u32, String, String)>> {
    let mut number = 0;
    let source = |(at, lines): (usize, &&[&str])| {
        number += 1;
        let line = number;
        let lines = lines.iter().map(|text| {
            number += 1;
            SourceLine {
                number,
                text: (*text).to_owned(),
            }
        });
        SourceSection {
            kind: SectionKind::Data,
            name: format!("main.d{at}"),
            place: None,
            line,
            lines: lines.collect(),
        }
    };
    let sources: Vec<SourceSection> = sections.iter().enumerate().map(source).collect();
    let context = Context {
        file: "t.asm",
        hash: &|name| {
            (name == "main.T")
                .then_some(0xdead_beef)
                .ok_or("no hash".into())
        },
        is_open: false,
        is_run: false,
        syntax: Syntax::Auto,
        separates: false,
        bound: &[],
        go_minor: None,
    };
    let told = |found: Vec<dispatchlab::text::diagnostic::Diagnostic>| {
        let all = found.into_iter();
        all.map(|one| (one.line, one.message, one.help.unwrap_or_default()))
            .collect()
    };
    assemble(&sources, &context).map_err(told)
}

/// The only section of these lines.
fn data(lines: &[&str]) -> Section {
    let program = assembled(&[lines]).unwrap_or_else(|found| panic!("{lines:?}: {found:?}"));
    program.sections.into_iter().next().expect("one section")
}

/// The only thing that is wrong with these lines.
fn refused(lines: &[&str]) -> (u32, String, String) {
    let mut found = assembled(&[lines]).expect_err("is refused");
    assert_eq!(found.len(), 1, "{lines:?}: {found:?}");
    found.remove(0)
}

/// All its bytes.
fn whole(section: &Section) -> Vec<u8> {
    let mut bytes = vec![0; section.size() as usize];
    section.write_to(&mut bytes, true);
    bytes
}

/// Lines, and the same written out by hand.
fn twins() -> Vec<(String, String)> {
    let list = |value: &str, count| vec![value; count].join(", ");
    let long = |word: &str, value: &str, count| format!("{word} {}", list(value, count));
    let pairs = [
        ("resb 3", "db 0, 0, 0".into()),
        ("resw 3", "dw 0, 0, 0".into()),
        ("resd 2+1", "dd 0, 0, 0".into()),
        ("resq 1", "dq 0".into()),
        ("RESB 0", String::new()),
        ("times 0 dq 7", String::new()),
        ("resb 1000", long("db", "0", 1000)),
        ("resq 1000", long("dq", "0", 1000)),
        ("times 3 db 1, 2", "db 1, 2, 1, 2, 1, 2".into()),
        ("times 2 * 2 dw 0x1234", long("dw", "0x1234", 4)),
        ("times 300 dd 7", long("dd", "7", 300)),
        ("times 5000 dq -1", long("dq", "-1", 5000)),
        ("times 257 db 1, \"ab\", 3", long("db", "1, \"ab\", 3", 257)),
        ("times 4 resw 100", long("dw", "0", 400)),
        ("times 100 dq \"main.f\"", long("dq", "\"main.f\"", 100)),
        (
            "times 3 dq \"main.f\" + 1, 5",
            list("\"main.f\" + 1, 5", 3).replacen('"', "dq \"", 1),
        ),
        (
            "times 100 dd hash(\"main.T\")",
            long("dd", "hash(\"main.T\")", 100),
        ),
        (
            "before: times 99 dq before, after\nafter: resb 999\n dq before, after, \"x\" + 8",
            format!(
                "before: {}\nafter: {}\n dq before, after, \"x\" + 8",
                long("dq", "before, after", 99),
                long("db", "0", 999)
            ),
        ),
        (
            " db 1\nhere: resb 700\n db 2\n times 700 db 3\nthere: align 512\n dq here, there\n resb 1",
            format!(
                " db 1\nhere: {}\n db 2\n {}\nthere: align 512\n dq here, there\n db 0",
                long("db", "0", 700),
                long("db", "3", 700)
            ),
        ),
    ];
    let pairs = pairs.into_iter();
    pairs
        .map(|(short, long)| (short.to_string(), long))
        .collect()
}

#[test]
fn an_image_is_the_same_as_where_all_is_written_out() {
    for (short, long) in twins() {
        let template = |text: &str| {
            format!(
                "data \"x\":\n{text}\ndata \"main.next\": dq \"x\", \"main.next\", \"main.f\"\n"
            )
        };
        let [short_row, long_row] = [&short, &long].map(|text| prepared(&template(text)));
        for placement in PLACEMENTS {
            let [one, other] =
                [&short_row, &long_row].map(|row| row.image_at(placement, Variant::Body));
            assert_eq!(one.code, other.code, "{short}");
            assert_eq!(one.symbols, other.symbols, "{short}");
            assert_eq!(one.code_pointers, other.code_pointers, "{short}");
            assert_eq!(
                data_of(&short_row, &one),
                data_of(&long_row, &other),
                "{short}"
            );
        }
        check::row(&short_row.row).unwrap_or_else(|problem| panic!("{short}: {problem}"));
    }
}

#[test]
fn labels_and_fields_behind_a_buffer_are_told_where_they_stand() {
    let section = data(&[
        "first: resb 1",
        "resb 0x100000",
        "middle: dq middle",
        "times 1000 dd 1, 2",
        "last: dd 5",
    ]);
    let labels: Vec<(&str, u32)> = section
        .labels
        .iter()
        .map(|label| (label.name.as_str(), label.offset))
        .collect();
    let middle = 1 + 0x10_0000;
    assert_eq!(
        labels,
        [
            ("first", 0),
            ("middle", middle),
            ("last", middle + 8 + 8000)
        ]
    );
    let field = &section.fixups[0];
    assert_eq!(
        (field.offset, field.addend),
        (middle, i64::from(middle)),
        "{field:?}"
    );
    assert_eq!(section.line_at(0), Some(2));
    assert_eq!(section.line_at(middle - 1), Some(3));
    assert_eq!(section.line_at(middle), Some(4));
    assert_eq!(section.line_at(middle + 8 + 7999), Some(5));
    assert_eq!(section.line_at(middle + 8 + 8000), Some(6));
}

#[test]
fn a_gibibyte_is_kept_in_a_few_bytes_and_crosses_the_boundary_in_a_few() {
    for lines in [
        &["resb 1073741824"][..],
        &["resq 134217728"],
        &["times 134217728 dq 1"],
        &["times 1073741824 db 0"],
        &["a: resb 536870912", "dq a", "times 67108863 dq -1"],
    ] {
        let section = data(lines);
        assert_eq!(section.size(), MAX_DATA, "{lines:?}");
        let kept: usize = section.repeats.iter().map(|one| one.unit.len()).sum();
        assert!(section.bytes.len() + kept <= 32, "{lines:?}: {section:?}");
        let text = serde_json::to_string(&section).expect("JSON");
        assert!(text.len() < 1000, "{text}");
        let read: Section = serde_json::from_str(&text).expect("reads");
        assert_eq!(read, section);
    }
}

#[test]
fn a_row_of_a_gibibyte_links_without_its_memory() {
    let prepared = prepared("data \"main.b\": resb 1073741824\n");
    let addresses = &prepared.image.data_addresses;
    assert!(addresses.end - addresses.start > MAX_DATA);
    check::row(&prepared.row).expect("fits");
    check::room(&prepared.row, 4).expect("fits");
    assert_eq!(check::data_bytes(&prepared.row), MAX_DATA);
}

#[test]
fn more_than_a_gibibyte_is_refused_at_the_line_that_makes_it_so() {
    // Beyond what one number may be, at the number; beyond together, at the line.
    let (line, message, help) = refused(&["resb 1073741825"]);
    assert_eq!(line, 2);
    assert!(message.contains("goes up to 1073741824"), "{message}");
    assert!(help.contains("1 GiB"), "{help}");
    for lines in [
        &["resb 1073741824", "db 0"][..],
        &["db 0", "resb 1073741824"],
        &["db 0", "times 536870912 dw 5"],
        &["resb 1073741823", "db 1, 2"],
        &["resb 1073741823", "dw 1"],
        &["resb 1073741000", "times 1073741824 resq 1073741824"],
        &["resb 1", "times 1073741824 db \"eight by\", 0"],
    ] {
        let (line, message, help) = refused(lines);
        assert_eq!(line, 3, "{lines:?}");
        assert!(message.contains("may take 1073741824 (1 GiB)"), "{message}");
        assert!(help.contains("reserve less"), "{help}");
    }
    assert_eq!(data(&["resb 1073741823", "db 1"]).size(), MAX_DATA);
    // All data of a template count together.
    let halves: [&[&str]; 3] = [&["resb 536870912"], &["resb 536870912"], &["resb 0"]];
    assembled(&halves).expect("just fits");
    let found = assembled(&[halves[0], halves[1], &["db 0"], halves[0]]).expect_err("too much");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, 6);
    assert!(
        found[0].1.contains("take 1073741825 bytes"),
        "{}",
        found[0].1
    );
}

#[test]
fn a_number_that_is_none_is_refused_with_what_to_write() {
    #[rustfmt::skip] // a table: one line a line
    let wrong: &[(&str, &str, &str)] = &[
        ("resb -1",               "counts from 0, and this is -1",      "write `0`"),
        ("times -8 db 1",         "counts from 0, and this is -8",      "write `0`"),
        ("resb",                  "wants a constant number behind it",  "64 * 1024"),
        ("times",                 "wants a constant number behind it",  "64 * 1024"),
        ("x: resb x",             "wants a constant number, and this",  "{{ n }}"),
        ("times \"main.f\" db 1", "wants a constant number, and this",  "{{ n }}"),
        ("resq rax",              "wants a constant number, and this",  "{{ n }}"),
        ("times 2 times 3 db 1",  "does not repeat `times`",            "times 2 * 3"),
        ("times 2 align 8",       "does not repeat `align`",            "on a line of its own"),
        ("times 2",               "expected an instruction",            ""),
        ("times 2, db 1",         "expected an instruction",            ""),
        ("resb 1, 2",             "expected a comma or the end",        ""),
        ("times 9999999999999999999 db 1", "goes up to 1073741824",     "1 GiB"),
        ("times 262145 dq \"main.f\"", "262145 copies",                 "`setup`"),
        ("times 131073 dq 1, x",  "copies out here",                    "`setup`"),
        ("times 1000 dq nowhere", "unknown register or symbol `nowhere`", ""),
        ("times 2 db 256",        "does not fit in 8 bits",             ""),
    ];
    for (line, words, help) in wrong {
        let (_, message, told) = refused(&[line]);
        assert!(message.contains(words), "{line}: {message}");
        assert!(told.contains(help), "{line}: {told}");
    }
}

#[test]
fn an_instruction_that_is_repeated_is_that_many_instructions() {
    for (short, long) in [
        ("times 8 nop", "nop\n".repeat(8)),
        ("times 0 nop", String::new()),
        (
            "times 3 mov eax, [rbx + 8]",
            "mov eax, [rbx + 8]\n".repeat(3),
        ),
        (
            "x: times 3 jmp x\n je x",
            format!("x: {}\n je x", "jmp x\n".repeat(3)),
        ),
        (
            "times 200 je 1f\n1: nop",
            format!("{}1: nop", "je 1f\n".repeat(200)),
        ),
        ("times 3 db 0x0f, 0x0b", "db 0x0f, 0x0b\n".repeat(3)),
        (
            "times 2 lock inc dword [rax]",
            "lock inc dword [rax]\n".repeat(2),
        ),
        ("times: nop\n jmp times", "a: nop\n jmp a".to_string()),
    ] {
        let one = fragment(short).unwrap_or_else(|found| panic!("{short}: {found:?}"));
        let other = fragment(&long).unwrap_or_else(|found| panic!("{long}: {found:?}"));
        assert_eq!(one.bytes, other.bytes, "{short}");
        assert_eq!(one.repeats, [], "{short}");
        // Each copy begins where `step` can tell it apart from its neighbours.
        if !short.contains("db") {
            let starts = |section: &Section| -> Vec<u32> {
                section.lines.iter().map(|mark| mark.offset).collect()
            };
            assert_eq!(starts(&one), starts(&other), "{short}");
        }
    }
}

#[test]
fn code_that_is_repeated_too_often_or_reserved_is_refused_once() {
    for (line, words, help) in [
        ("resb 64", "reserved in data", "data \"main.buffer\":"),
        ("x: resq 8 ; room", "reserved in data", "times 8 nop"),
        ("times 4 resb 1", "reserved in data", "lea rcx"),
        ("times 262145 nop", "262145 copies", "write a loop"),
        ("times 131073 db 1, 2", "262146 copies", "write a loop"),
        ("times 5000 jmp nowhere", "undefined label `nowhere`", ""),
        ("times 5000 frobnicate", "unknown instruction", ""),
        ("times 0 frobnicate", "unknown instruction", ""),
        ("x: times 5000 jrcxz x", "out of reach", ""),
    ] {
        let found = fragment(line).expect_err(line);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].message.contains(words), "{line}: {found:?}");
        let told = found[0].help.as_deref().unwrap_or_default();
        assert!(told.contains(help), "{line}: {told}");
    }
    assert_eq!(
        fragment("times 262144 nop").expect("just fits").bytes.len(),
        1 << 18
    );
    // All lines of a text count together.
    let found = fragment("times 262144 nop\ntimes 1 nop").expect_err("too many");
    assert_eq!((found.len(), found[0].line), (1, 2));
}

/// GNU as has both under other names.
#[test]
fn gnu_as_makes_the_same_bytes() {
    let ours = "times 8 nop\n times 3 mov eax, 1\n times 2 db 1, 2, 3\n times 3 dq -2";
    let gnus = ".intel_syntax noprefix\n.rept 8\n nop\n.endr\n.rept 3\n mov eax, 1\n.endr\n.rept 2\n .byte \
                1, 2, 3\n.endr\n.rept 3\n .quad -2\n.endr\n";
    let reserved = data(&["resb 3", "resw 3", "resd 3", "resq 300"]);
    let skipped = ".skip 3\n.skip 6\n.fill 3, 4, 0\n.fill 300, 8, 0\n";
    let Some(expected) = gnu("code", gnus) else {
        return;
    };
    assert_eq!(fragment(ours).expect("assembles").bytes, expected);
    assert_eq!(Some(whole(&reserved)), gnu("data", skipped));
}

/// What GNU as makes of a text; `None` where there is no GNU as.
fn gnu(name: &str, text: &str) -> Option<Vec<u8>> {
    let place = folder("buffers_gnu");
    let [object, raw] = ["o", "bin"].map(|end| place.join(format!("{name}.{end}")));
    let mut child = Command::new("as")
        .args(["--64", "-o"])
        .arg(&object)
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    assert!(child.wait().ok()?.success(), "GNU as refuses {text}");
    let copied = Command::new("objcopy")
        .args(["-O", "binary", "-j", ".text"])
        .args([&object, &raw])
        .status();
    assert!(copied.ok()?.success());
    std::fs::read(raw).ok()
}

/// Fills a buffer in `setup` and chases through it: each page holds the address of the next one.
const CHASE: &str = "\
;! title  = \"a chase through a buffer that setup fills\"
;! expand = true
;! params = { mib = [4, 1, 16] }
;! result = \"rcx\"
;! expect = 3
setup:
        lea  rdi, [\"main.nodes\"]
        mov  rsi, rdi
        mov  ecx, {{ mib * 256 - 1 }}
1:      lea  rdx, [rsi + 4096]
        mov  [rsi], rdx
        mov  rsi, rdx
        dec  ecx
        jnz  1b
        mov  [rsi], rdi
body:
        mov  rdi, [rdi]
        mov  ecx, [\"main.three\"]
data \"main.nodes\": resb {{ mib }} * 1024 * 1024
data \"main.three\":
        times 300 dd 3
";

#[test]
fn setup_fills_a_buffer_and_the_body_reads_it() {
    let file = template(&folder("buffers"), "chase", CHASE);
    let (code, document) = json(&["run", "--quick", "--counters", "none", &file]);
    assert_eq!(code, 0, "{document:#}");
    let (_, row) = rows(&document)[0];
    assert_eq!(row["verified"], true, "{row:#}");
    assert_eq!(value(row, "instructions"), 2.0);
}

#[test]
fn a_job_with_a_buffer_is_small_and_replays() {
    let place = folder("buffers");
    let file = template(&place, "replayed", CHASE);
    let path = place.join("replayed.json");
    let job = path.to_str().expect("UTF-8");
    let name = format!("{file}[mib=16]");
    let quick = ["run", "--quick", "--counters", "none"];
    let (code, before) = json(&[&quick[..], &["--save-job", job, &name]].concat());
    assert_eq!(code, 0, "{before:#}");
    let text = std::fs::read_to_string(job).expect("a job");
    assert!(text.len() < 10_000, "{} bytes", text.len());
    let (code, after) = json(&["run", "--job", job]);
    assert_eq!(code, 0, "{after:#}");
    let [before, after] = [&before, &after].map(|document| rows(document)[0].1);
    for key in ["scenario", "metrics", "verified"] {
        assert_eq!(before[key], after[key], "{key}");
    }

    // A file that something else wrote is refused before memory is taken.
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 8] = [
        ("at least once", |one| one["count"] = 0.into()),
        ("at least one byte", |one| one["unit"] = "".into()),
        ("behind the 1073741824", |one| {
            one["count"] = u32::MAX.into();
        }),
        ("behind the 1073741824", |one| {
            one["unit"] = "01".repeat(1 << 16).into();
        }),
        ("not where one can begin", |one| one["offset"] = 1.into()),
        ("not where one can begin", |one| {
            one["offset"] = u32::MAX.into();
        }),
        ("cut short or changed", |one| one["offset"] = (-1).into()),
        ("hex", |one| one["unit"] = "0".into()),
    ];
    for (words, change) in changes {
        let mut changed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let sections = &mut changed["rows"][0]["job"]["program"]["sections"];
        let sections = sections.as_array_mut().expect("sections");
        let buffer = sections.iter_mut().find(|one| one["name"] == "main.nodes");
        change(&mut buffer.expect("the buffer")["repeats"][0]);
        std::fs::write(job, changed.to_string()).expect("writes");
        let run = dispatchlab(&["run", "--job", job, "--counters", "none"]);
        assert_eq!(run.code, 3, "{words}: {}", run.stderr);
        assert!(run.said().contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn show_says_how_much_a_buffer_is_in_one_line() {
    let text = "body:\n lea rax, [\"main.f\"]\nfunc \"main.f\":\n ret\ndata \"main.b\":\n dq 1, \"main.f\"\n resb \
                1073740000\n dq 2\n times 100 dd 1, 2\n times 30 db \"seventeen letters\"\n";
    let file = template(&folder("buffers"), "shown", text);
    let run = dispatchlab(&["show", "--heap", &file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("no heap: "), "{}", run.stdout);
    let at = run.stdout.find("main.b  (").expect("the section");
    let lines: Vec<&str> = run.stdout[at..].lines().take(7).collect();
    assert_eq!(lines[0], "main.b  (1073741334 bytes)", "{}", run.stdout);
    assert_eq!(lines[1], "  +0   01 00 00 00 00 00 00 00");
    assert!(lines[2].ends_with("-> main.f"), "{}", lines[2]);
    assert_eq!(lines[3], "  +16  ... 1073740000 bytes of 00");
    assert_eq!(lines[4], "  +1073740016 02 00 00 00 00 00 00 00");
    assert_eq!(
        lines[5],
        "  +1073740024 ... 800 bytes of 01 00 00 00 02 00 00 00"
    );
    let last = "  +1073740824 ... 510 bytes of 73 65 76 65 6e 74 65 65 6e 20 6c 65 74 74 65 72";
    assert_eq!(lines[6], last);
}

#[test]
fn asm_lists_each_copy_of_an_instruction() {
    let file = template(
        &folder("buffers"),
        "listed",
        "times 3 inc eax\n times 2 db 1, 2\n",
    );
    let run = dispatchlab(&["asm", &file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.matches("inc eax").count(), 3, "{}", run.stdout);
    assert!(
        run.stdout.contains("db 0x01, 0x02, 0x01, 0x02"),
        "{}",
        run.stdout
    );
}
