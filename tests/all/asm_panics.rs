//! Whatever stands in a template, the assembler answers.
//!
//! Correct means: bytes or diagnostics, never a panic, and diagnostics that point into their line.

use dispatchlab::asm::fragment;
use proptest::prelude::*;

/// Pieces of lines, right and wrong, to be strung together.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "mov", "lea", "add", "jmp", "je", "call", "push", "pop", "vpaddd", "vgatherdps", "movsd", "cmpeqsd", "lock", "rep", "xchg",
    "movabs", "shl", "imul", "enter", "extrq", "insertq", "vpermil2ps", "xlatb", "xbegin", "bndmov", "tileloadd", "fld", "fadd",
    "nop", "align", "db", "dw", "dd", "dq", "rax", "eax", "ax", "al", "ah", "r8", "r8b", "rsp", "rip", "cl", "dx", "xmm0", "xmm31",
    "ymm5", "zmm9", "k1", "st", "st0", "mm1", "cr0", "dr7", "tmm1", "bnd0", "es", "gs", "fs", "byte", "word", "dword", "qword",
    "xmmword", "ptr", "short", "near", "rel", "offset", "hash(\"x\")", "\"sym\"", "1:", "1f", "1b", "x:", "x", ".l", ".l:", "{k1}", "{z}",
    "{1to16}", "{rn-sae}", "{sae}", "[", "]", "(", ")", "+", "-", "*", ",", ":", "0", "1", "-1", "3", "8", "127", "128", "255",
    "0x7fffffff", "0x80000000", "0xffffffffffffffff", "'a'", "'", "\"", "{", "}", ";", "#", "/", "é", "\t", " ", "\n",
];

fn check(text: &str) {
    if let Err(found) = fragment(text) {
        for diagnostic in found {
            let length = diagnostic.text.chars().count();
            let end = (diagnostic.column + diagnostic.width) as usize;
            // The character after the last one may be marked: something is missing there.
            assert!(
                diagnostic.column >= 1 && diagnostic.width >= 1 && end <= length + 2,
                "{diagnostic:?}"
            );
            assert!(
                !diagnostic.message.is_empty() && !diagnostic.message.ends_with('.'),
                "{diagnostic:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        check(&text);
    }

    #[test]
    fn any_string_of_pieces_is_answered(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..14)) {
        check(&pieces.join(" "));
        check(&pieces.concat());
    }

    #[test]
    fn a_valid_line_with_one_piece_changed_is_answered(
        line in prop::sample::select(&[
            "mov rax, qword ptr [rbx + rcx*8 + 16]", "lock cmpxchg [rcx], rdx", "vaddps zmm1{k1}{z}, zmm2, [rcx]{1to16}",
            "cmp dword [\"sym\" + 8], 7", "x: jne x", "imul r8, r9, 100", "vgatherdps xmm1, [rax+xmm2*4], xmm3", "enter 16, 0",
            "dq 1, \"a\", -2", "extrq xmm0, 1, 2", "shld [rax], rbx, cl", "vpermil2ps xmm1, xmm2, xmm3, xmm4, 2",
        ][..]),
        at in 0usize..60,
        piece in prop::sample::select(PIECES),
        removed in 0usize..6,
    ) {
        let chars: Vec<char> = line.chars().collect();
        let at = at.min(chars.len());
        let rest: String = chars[at..].iter().skip(removed).collect();
        check(&format!("{}{piece}{rest}", chars[..at].iter().collect::<String>()));
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    for text in ["(", "-", "[", "+(", "mov rax, -("] {
        check(&format!("mov eax, {}", text.repeat(50_000)));
    }
}

#[test]
fn very_long_lines_and_many_lines_are_answered() {
    check(&"a".repeat(100_000));
    check(&format!("db {}1", "1, ".repeat(20_000)));
    assert!(
        fragment(
            &"x: jmp y\ny: jmp x\n"
                .replace('x', "1")
                .replace("jmp y", "jmp 2f")
                .replace("y:", "2:")
                .replace("jmp 1", "jmp 1b")
                .repeat(300)
        )
        .is_ok()
    );
}
