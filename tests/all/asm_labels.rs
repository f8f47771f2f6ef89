//! Labels, symbols, alignment and data: what joins lines and sections.
//!
//! Correct means: what a section knows is in its bytes, the rest is a fixup, and offsets hold.

use dispatchlab::asm::{
    Context, Fixup, FixupKind, Program, Section, SectionKind, SourceLine, SourceSection, Syntax,
    assemble, fragment,
};

fn source(kind: SectionKind, name: &str, line: u32, text: &str) -> SourceSection {
    let lines = (line + 1..)
        .zip(text.lines())
        .map(|(number, text)| SourceLine {
            number,
            text: text.to_owned(),
        });
    SourceSection {
        kind,
        name: name.to_owned(),
        place: None,
        line,
        lines: lines.collect(),
    }
}

fn program(sections: &[SourceSection]) -> Result<Program, Vec<String>> {
    let hash = |name: &str| {
        if name == "main.T0" {
            Ok(0xdead_beef)
        } else {
            Err(format!("unknown type {name}"))
        }
    };
    assemble(
        sections,
        &Context {
            file: "t.asm",
            hash: &hash,
            is_open: false,
            is_run: false,
            syntax: Syntax::Auto,
            separates: false,
            bound: &[],
            go_minor: None,
        },
    )
    .map_err(|found| {
        found
            .iter()
            .map(|d| format!("{}:{} {}", d.line, d.column, d.message))
            .collect()
    })
}

fn hex(section: &Section) -> String {
    section
        .bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn bytes(text: &str) -> String {
    hex(&fragment(text).unwrap_or_else(|found| panic!("{text}: {found:?}")))
}

#[test]
fn a_branch_is_short_where_it_reaches_and_long_where_not() {
    assert_eq!(bytes("a: jmp a"), "ebfe");
    assert_eq!(bytes("je b\nb: ret"), "7400c3");
    assert_eq!(bytes("jmp near b\nb:"), "e900000000");
    assert_eq!(bytes("call b\nb:"), "e800000000");
    let padding = "nop\n".repeat(127);
    assert!(bytes(&format!("jne b\n{padding}b:")).starts_with("757f90"));
    assert!(bytes(&format!("jne b\n{padding}nop\nb:")).starts_with("0f8580000000"));
    assert!(bytes(&format!("b: {}\njmp b", "nop\n".repeat(126))).ends_with("90eb80"));
    assert!(bytes(&format!("b: {}\njmp b", "nop\n".repeat(127))).ends_with("90e97cffffff"));
}

#[test]
fn numeric_and_local_labels_belong_to_their_section() {
    assert_eq!(
        bytes("1: dec eax\njnz 1b\njmp 1f\n1: ret"),
        "ffc875fceb00c3"
    );
    let made = program(&[
        source(SectionKind::Body, "body", 1, ".loop: dec eax\n jnz .loop"),
        source(
            SectionKind::Func,
            "f",
            4,
            ".loop: jmp .loop\n loop: jmp loop",
        ),
    ]);
    let made = made.unwrap();
    assert_eq!(hex(&made.sections[0]), "ffc875fc");
    assert_eq!(hex(&made.sections[1]), "ebfeebfe");
    let names: Vec<_> = made.sections[1]
        .labels
        .iter()
        .map(|label| (label.name.as_str(), label.offset))
        .collect();
    assert_eq!(names, [(".loop", 0), ("loop", 2)]);
}

#[test]
fn a_label_in_brackets_is_relative_to_the_end_of_the_instruction() {
    assert_eq!(bytes("lea rcx, [x]\nx:"), "488d0d00000000");
    assert_eq!(bytes("lea rcx, [x+8]\nx:"), "488d0d08000000");
    assert_eq!(bytes("cmp byte [rel x], 7\nx:"), "803d0000000007");
    assert_eq!(bytes("mov dword [x-4], 7\nx:"), "c705fcffffff07000000");
}

#[test]
fn quoted_symbols_are_always_left_to_the_linker() {
    let lines = [
        (
            "call \"runtime.panicwrap\"",
            "e800000000",
            1,
            5,
            FixupKind::Rel32,
            0,
            6,
        ),
        ("je \"f\"", "0f8400000000", 2, 6, FixupKind::Rel32, 0, 4),
        (
            "lea rcx, [\"type.main.T0\"]",
            "488d0d00000000",
            3,
            7,
            FixupKind::Rel32,
            0,
            11,
        ),
        (
            "mov rcx, [rel \"x\" + 8]",
            "488b0d00000000",
            3,
            7,
            FixupKind::Rel32,
            8,
            15,
        ),
        (
            "cmp dword [\"x\"], 0x1234",
            "813d0000000034120000",
            2,
            10,
            FixupKind::Rel32,
            0,
            12,
        ),
        (
            "cmp [\"go.itab.main.T,main.I\"], rax",
            "48390500000000",
            3,
            7,
            FixupKind::Rel32,
            0,
            6,
        ),
        (
            "mov rdi, \"x\"",
            "48bf0000000000000000",
            2,
            10,
            FixupKind::Abs64,
            0,
            10,
        ),
        (
            "movabs rdi, \"x\"-1",
            "48bf0000000000000000",
            2,
            10,
            FixupKind::Abs64,
            -1,
            13,
        ),
        ("dq \"x\"", "0000000000000000", 0, 8, FixupKind::Abs64, 0, 4),
        ("dd \"x\"+4", "00000000", 0, 4, FixupKind::Abs32, 4, 4),
    ];
    for (line, expected, offset, end, kind, addend, column) in lines {
        let section = fragment(line).unwrap_or_else(|found| panic!("{line}: {found:?}"));
        assert_eq!(hex(&section), expected, "{line}");
        let symbol = line.split('"').nth(1).unwrap().to_owned();
        assert_eq!(
            section.fixups,
            [Fixup {
                offset,
                end,
                kind,
                symbol,
                addend,
                line: 1,
                column
            }],
            "{line}"
        );
    }
}

#[test]
fn bare_words_name_labels_of_other_sections_and_functions() {
    let made = program(&[
        source(SectionKind::Body, "body", 1, "jmp there\ncall f\nback: nop"),
        source(
            SectionKind::Func,
            "f",
            9,
            "nop\nthere: jmp back\ndq there, 1b, back\n1:"
                .replace("1b", "f")
                .as_str(),
        ),
        source(
            SectionKind::Data,
            "table",
            20,
            "dq there, back, f\nown: dq own+1",
        ),
    ])
    .unwrap();
    let of = |at: usize| -> Vec<(String, i64)> {
        made.sections[at]
            .fixups
            .iter()
            .map(|fixup| (fixup.symbol.clone(), fixup.addend))
            .collect()
    };
    assert_eq!(of(0), [("there".into(), 0), ("f".into(), 0)]);
    // Its own labels are counted from the symbol of the function.
    assert_eq!(
        of(1),
        [
            ("back".into(), 0),
            ("f".into(), 1),
            ("f".into(), 0),
            ("back".into(), 0)
        ]
    );
    assert_eq!(
        of(2),
        [
            ("there".into(), 0),
            ("back".into(), 0),
            ("f".into(), 0),
            ("table".into(), 25)
        ]
    );
    assert_eq!(hex(&made.sections[0]), "e900000000e80000000090");
}

#[test]
fn a_label_that_several_sections_define_is_known_only_at_home() {
    let sections = [
        source(SectionKind::Body, "body", 1, "jmp out"),
        source(SectionKind::Func, "f", 3, "jmp out\nout: ret"),
        source(SectionKind::Func, "g", 6, "jmp out\nout: ret"),
    ];
    assert_eq!(
        program(&sections).unwrap_err(),
        ["2:5 the label `out` is defined in several other sections"]
    );
    assert!(program(&sections[1..]).is_ok());
}

#[test]
fn alignment_pads_code_with_nops_and_data_with_zeros() {
    assert_eq!(bytes("ret\nalign 8\nret"), "c30f1f8000000000c3");
    assert_eq!(
        bytes("ret\nalign 16\nret"),
        "c3660f1f840000000000660f1f440000c3"
    );
    assert_eq!(bytes("align 64"), "");
    let data = program(&[source(SectionKind::Data, "d", 1, "db 1\nalign 4\nx: db 2")]).unwrap();
    assert_eq!(hex(&data.sections[0]), "0100000002");
    assert_eq!(data.sections[0].labels[0].offset, 4);
}

#[test]
fn data_takes_numbers_texts_and_hashes() {
    let made = program(&[source(
        SectionKind::Data,
        "d",
        1,
        "db 1, -1, \"a;b\", 'c'\ndw 0x1234\ndd hash(\"main.T0\"), -2\ndq 0xffffffffffffffff, 1+2*3",
    )]);
    assert_eq!(
        hex(&made.unwrap().sections[0]),
        "01ff613b6263".to_owned()
            + "3412"
            + "efbeaddefeffffff"
            + "ffffffffffffffff0700000000000000"
    );
    let made = program(&[source(
        SectionKind::Body,
        "body",
        1,
        "cmp ecx, hash(\"main.T0\")",
    )]);
    assert_eq!(hex(&made.unwrap().sections[0]), "81f9efbeadde");
    let wrong = program(&[source(
        SectionKind::Body,
        "body",
        1,
        "cmp ecx, hash(\"main.X\")",
    )]);
    assert_eq!(wrong.unwrap_err(), ["2:10 unknown type main.X"]);
}

#[test]
fn every_offset_knows_its_line() {
    let section = fragment("nop\n\n; nothing\nx: ret\nalign 4\nmov eax, 1").unwrap();
    let lines: Vec<_> = section
        .lines
        .iter()
        .map(|mark| (mark.offset, mark.line))
        .collect();
    assert_eq!(lines, [(0, 1), (1, 4), (2, 5), (4, 6)]);
    assert_eq!(section.line_at(8), Some(6));
}

#[test]
fn the_problems_of_all_lines_are_reported_in_order() {
    let found = program(&[
        source(
            SectionKind::Body,
            "body",
            1,
            "mvo eax, 1\nnop\nx: mov eax, (\njmp nowhere\njmp x",
        ),
        source(SectionKind::Func, "f", 8, "ret\nbad"),
    ]);
    let found = found.unwrap_err();
    let starts: Vec<&str> = found
        .iter()
        .map(|text| text.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(starts, ["2:1", "4:14", "5:5", "10:1"], "{found:?}");
}

#[test]
fn a_line_that_stood_there_before_is_read_anew_where_something_has_changed() {
    for (text, right) in [
        (
            ".set x, 1\nmov eax, x\n.set x, 2\nmov eax, x",
            "b801000000b802000000",
        ),
        (
            "fsubp\n.att_syntax\nfsubp\n.intel_syntax noprefix\nfsubp",
            "dee9dee1dee9",
        ),
        (
            "add [rax], ecx\nlock\nadd [rax], ecx\nadd [rax], ecx",
            "0108f001080108",
        ),
        // A prefix alone belongs to the line behind it, whatever that was before.
        ("nop\ndata16\nnop\nnop", "90669090"),
        (
            "mov eax, end-here\nhere: nop\nend: mov eax, end-here",
            "b80100000090b801000000",
        ),
        ("nop\n.section .note\nnop\n.text\nnop", "9090"),
        (
            ".rept 2\nmov eax, 5\n.endr\nmov eax, 5",
            "b805000000b805000000b805000000",
        ),
    ] {
        let section = fragment(text).unwrap_or_else(|found| panic!("{text}: {}", found[0].message));
        assert_eq!(hex(&section), right, "{text}");
    }
    // What was a number is a label from here on.
    let found = fragment("mov eax, 101b\n101: mov eax, 101b").unwrap_err();
    assert_eq!((found.len(), found[0].line), (1, 2), "{found:?}");
    let found = fragment("mov eax, ebx\nmov eax, bl\nmov eax, ebx\nmov eax, bl").unwrap_err();
    let lines: Vec<u32> = found.iter().map(|one| one.line).collect();
    assert_eq!(lines, [2, 4], "each line that is wrong says so itself");
}

#[test]
fn lines_that_repeat_have_the_bytes_of_each_line_alone() {
    let corpus = crate::asm_gnu::corpus();
    let alone: Vec<String> = corpus
        .iter()
        .map(|line| hex(&fragment(line).unwrap_or_else(|found| panic!("{line}: {found:?}"))))
        .collect();
    let text = corpus.join("\n");
    let whole = fragment(&format!("{text}\n{text}\n{text}")).expect("assembles");
    assert_eq!(hex(&whole), alone.concat().repeat(3));
    assert!(corpus.len() > 1000, "{}", corpus.len());
}

#[test]
fn more_lines_than_are_kept_are_read_as_well() {
    let line = |number: u32| format!("mov eax, {number}\n");
    let bytes = |number: u32| [&[0xb8][..], &number.to_le_bytes()].concat();
    for count in [32_767, 32_768, 32_769, 70_000] {
        let numbers = || (0..count).chain([0, 1, count - 1, 0]);
        let text: String = numbers().map(line).collect();
        let right: Vec<u8> = numbers().flat_map(bytes).collect();
        assert!(
            fragment(&text).expect("assembles").bytes == right,
            "{count}"
        );
    }
}

#[test]
fn a_prefix_that_the_next_line_does_not_take_is_refused_in_its_own_line() {
    for (text, line, width) in [
        ("nop\n  lock\nmov eax, ebx\nnop", 2, 4),
        ("rep\nadd eax, 1", 1, 3),
        // On one line with it, there.
        ("nop\nlock mov eax, ebx", 2, 4),
        // Where more is wrong than the prefix, that is said.
        ("lock\nmov eax, bl", 2, 7),
    ] {
        let found = fragment(text).unwrap_err();
        let places: Vec<(u32, u32)> = found.iter().map(|one| (one.line, one.width)).collect();
        assert_eq!(places, [(line, width)], "{text}: {found:?}");
    }
    assert_eq!(
        hex(&fragment("lock\nadd [rax], ecx").expect("assembles")),
        "f00108"
    );
}

#[test]
fn a_jump_to_code_that_stands_apart_is_as_long_as_the_linker_needs_it() {
    const TEXT: &str = "f:\n cmp edi, 77\n je .L4\n.L2:\n ret\n.section .text.unlikely\nf.cold:\n.L4:\n jmp .L5\n.L5:\n jmp .L2\n.text\n";
    let section = fragment(TEXT).expect("assembles");
    // As GNU as has them, but for the distances, which its linker fills in.
    let expected = "83ff4d 0f8401000000 c3 eb00 e9f8ffffff";
    assert_eq!(hex(&section), expected.replace(' ', ""));
    // The end of the code is none of what stands behind it.
    let section = fragment("f:\n jz e\n nop\ne:\n.section .rodata\n .byte 7\n").expect("assembles");
    assert_eq!(hex(&section), "74019007");
}
