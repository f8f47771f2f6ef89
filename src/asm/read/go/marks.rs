//! Whether a line is in Go's syntax, where nothing says it.
//!
//! Correct means: no line that another assembler reads is taken for one of Go's.

use super::names::{is_sized, meaning};
use super::operand::register;
use super::pieces::{end_of, pieces};
use super::shapes::{Shape, is_mnemonic, shape};
use super::trimmed;
use crate::asm::source::SourceSection;

/// Whether only Go's tools write such a line.
pub(in crate::asm) fn is_marked(line: &str) -> bool {
    let first = line.trim_start().as_bytes().first();
    match first {
        Some(b'A'..=b'Z') => {
            is_instruction(line.trim_start())
                || matches!(shape(line), Shape::Data(_) | Shape::Global(..))
        }
        Some(b'0' | b'=' | b'/') => match shape(line) {
            Shape::Line(row) => is_instruction(&line[row.text]),
            Shape::Dump(..) => true,
            _ => false,
        },
        Some(b'a'..=b'z') if line.as_bytes().contains(&b':') && line.contains(".go:") => {
            match shape(line) {
                Shape::Line(row) => is_instruction(&line[row.text]),
                _ => false,
            }
        }
        // A heading ends in a size.
        Some(_) if line.as_bytes().contains(&b'=') && line.contains(" size=") => {
            matches!(shape(line), Shape::Heading(_))
        }
        _ => false,
    }
}

/// Whether the text is an instruction whose name or operands only Go's assembler has.
fn is_instruction(text: &str) -> bool {
    let (end, _) = end_of(text, 0..text.len(), true);
    let text = text[..end].trim();
    let length = text.find([' ', '\t']).unwrap_or(text.len());
    let (name, rest) = text.split_at(length);
    if !is_mnemonic(name) {
        return false;
    }
    let is_own = |operand: &str| {
        operand.ends_with("(SB)") || operand.ends_with("(TLS)") || operand.ends_with("(FP)") || {
            let group = operand
                .strip_suffix(')')
                .and_then(|one| one.rsplit_once('('));
            group.is_some_and(|(_, word)| {
                let word = word.split('*').next().unwrap_or(word);
                register(word).is_some()
            })
        }
    };
    let operands = pieces(rest);
    let mut operands = operands
        .into_iter()
        .map(|piece| &rest[trimmed(rest, piece)]);
    if matches!(
        name,
        "FUNCDATA" | "PCDATA" | "DUFFZERO" | "DUFFCOPY" | "TEXT"
    ) {
        return true;
    }
    // `MOVQ AX, BX` is wrong to everybody else, as is `ADDQ $8, SP`.
    let is_plain = |operand: &str| register(operand).is_some() || operand.starts_with('$');
    let is_sized = is_sized(name);
    let mut all = operands.clone();
    let is_go = operands.any(is_own);
    let has_register = all.clone().any(|operand| register(operand).is_some());
    is_go && meaning(name).is_some() || is_sized && has_register && all.all(is_plain)
}

/// Whether comparisons of Go's disassembler stand in the order of their encoding, as they do since Go 1.27, and
/// the other way round before; as far as the lines tell: a number is last in an encoding, and what checks the stack
/// compares with memory. None where no line tells, and where two differ.
fn keeps_order<'l>(lines: impl Iterator<Item = &'l str>) -> Option<bool> {
    let mut told = lines
        .filter(|line| line.contains("CMP"))
        .filter_map(|line| {
            let Shape::Line(row) = shape(line) else {
                return None;
            };
            let text = line[row.text.clone()].trim();
            let (name, rest) = text.split_once([' ', '\t'])?;
            if !row.is_disassembled || !matches!(name, "CMPB" | "CMPW" | "CMPL" | "CMPQ") {
                return None;
            }
            let operands = pieces(rest);
            let [first, last] = &operands[..] else {
                return None;
            };
            let (first, last) = (rest[first.clone()].trim(), rest[last.clone()].trim());
            let is_guard = |one: &str| matches!(one, "0x10(R14)" | "0x10(CX)");
            let is_number = |one: &str| one.starts_with('$');
            let is_stack = |one: &str| matches!(one, "SP" | "R12" | "AX");
            match () {
                () if is_number(last) || is_stack(first) && is_guard(last) => Some(true),
                () if is_number(first) || is_guard(first) && is_stack(last) => Some(false),
                () => None,
            }
        });
    let first = told.next()?;
    told.all(|one| one == first).then_some(first)
}

/// The same, of all sections of a text.
pub fn keeps_order_of(sections: &[SourceSection]) -> Option<bool> {
    let lines = sections.iter().flat_map(|section| &section.lines);
    keeps_order(lines.map(|line| line.text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_go_s_is_told_from_those_of_others() {
        for line in [
            "\tMOVQ\t24(AX), CX",
            "ADDQ $8, SP",
            "XORL AX, AX",
            "\tCALL\truntime.convT32(SB)",
            "TEXT ·f(SB), NOSPLIT, $0-8",
            "\t0x0049 00073 (main.go:26)\tMOVQ\tAX, BX",
            "0x0049 00073 (main.go:26) TEXT \"\".f(SB), $0",
            "\t0x0000 49 3b 66 10 76 35                                I;f.v5",
            "main.f STEXT nosplit size=5 args=0x10 locals=0x0",
            "\"\".f STEXT nosplit size=5",
            "  a.go:10\t\t0x457e80\t\t493b6610\t\tCMPQ 0x10(R14), SP\t",
            "DATA ·x+0(SB)/8, $1",
            "// 0x00b7 00183 CALL runtime.panicdottypeE(SB)",
        ] {
            assert!(is_marked(line), "{line}");
        }
        for line in [
            "MOV RAX, [RBX+8]",
            "MOVQ XMM0, RAX",
            "ADD RAX, RBX",
            "MOVQ %RAX, 8(%RSP)",
            "addq $8, %rsp",
            "movq 8(%rax), %rcx",
            "CALL foo",
            "RET",
            "0x401136:\t55\tpush rbp",
            "  401136:\t55                   \tpush   %rbp",
            "NOP",
            "XCHG AX, BX",
            "MOVZX EAX, AL",
            "f: mov eax, 1",
            "; main.go:3 ADDQ $8, SP",
        ] {
            assert!(!is_marked(line), "{line}");
        }
    }
}
