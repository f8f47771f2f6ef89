//! The columns of Go's listings: of the compiler's `-S`, of `go tool objdump`, of delve.
//!
//! Correct means: an instruction has the offset and the bytes that its listing shows, a jump's number
//! is an offset of these, and what only belongs to the listing is no code.

use std::collections::HashMap;

use super::data::data;
use super::place;
use super::shapes::{Line, Shape, is_mnemonic, shape};
use crate::asm::problem::Problem;
use crate::asm::read::listing::{Claim, Entry, Listing, Row, goal};

/// The rows of a section in Go's syntax, where it is a listing or data.
pub(in crate::asm) fn survey<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Listing<'a>> {
    let lines: Vec<&'a str> = lines.collect();
    let shapes: Vec<Shape<'a>> = lines.iter().copied().map(shape).collect();
    let is = |wanted: fn(&Shape<'_>) -> bool| shapes.iter().any(wanted);
    let is_data = is(|shape| {
        matches!(shape, Shape::Heading(heading) if !heading.is_code)
            || matches!(shape, Shape::Data(_) | Shape::Global(..))
    });
    if is_data {
        return Some(data(&shapes));
    }
    let is_row = |shape: &Shape<'_>| !matches!(shape, Shape::Other);
    if !is(is_row) {
        return None;
    }
    Some(code(&lines, shapes))
}

/// A function's rows, each with the length that the next offset tells, and with its bytes.
fn code<'a>(lines: &[&'a str], shapes: Vec<Shape<'a>>) -> Listing<'a> {
    let mut image: Vec<u8> = Vec::new();
    for shape in &shapes {
        if let Shape::Dump(offset, bytes) = shape
            && *offset == image.len() as u64
        {
            image.extend(bytes);
        }
    }
    let mut lengths = HashMap::new();
    let mut is_disassembled = false;
    let mut rows = Vec::with_capacity(shapes.len());
    // From behind, so that each knows what follows it.
    let mut end = image.len() as u64;
    let mut claims = Vec::new();
    let mut is_followed = false;
    for (at, shape) in shapes.into_iter().enumerate().rev() {
        let Shape::Line(line) = shape else {
            // What was put in by hand may stand for lines that were taken out.
            is_followed &= !(shape == Shape::Other && is_code(lines[at]));
            rows.push(match shape {
                Shape::Other | Shape::Heading(_) => Row::Plain,
                Shape::Broken(problem) => Row::Wrong(problem),
                _ => Row::Passed,
            });
            continue;
        };
        let length = end.checked_sub(line.address);
        let is_led_on = is_followed && !is_last(&lines[at][line.text.clone()]);
        if let Some(length) = length.filter(|_| is_led_on) {
            claims.push(Claim {
                line: at,
                length,
                next: end,
                span: place(lines[at], &line.text),
            });
        }
        (end, is_followed) = (line.address, true);
        is_disassembled |= line.is_disassembled;
        // Where lines were left out, the distance says nothing.
        let length = length
            .and_then(|length| u8::try_from(length).ok())
            .filter(|length| *length <= LONGEST);
        if let Some(length) = length {
            lengths.insert(at, length);
        }
        rows.push(match line.wrong {
            Some((span, decimal)) => Row::Wrong(
                Problem::new(
                    span,
                    format!(
                        "the offset {:#x} is {}, and {decimal} stands behind it",
                        line.address, line.address
                    ),
                )
                .help("one of the two has a typing error"),
            ),
            None => {
                let text = &lines[at][line.text.clone()];
                let shown = if is_replaced(text) {
                    Vec::new()
                } else {
                    bytes(&line, length, &image)
                };
                // What a disassembler cannot spell, and what is one line to it and two to Go's assembler.
                let is_opaque = line.is_disassembled && !line.bytes.is_empty() && is_opaque(text);
                let part = if is_opaque { 0..0 } else { line.text };
                let is_guest =
                    line.is_disassembled && text.starts_with(|c: char| c.is_ascii_lowercase());
                let found = if is_guest {
                    goal(lines[at], &part, true)
                } else {
                    None
                };
                let mut entry = Entry::at(line.address, shown, part);
                if let Some((target, part)) = found {
                    entry.text = part;
                    entry.target = Some(target);
                }
                Row::Entry(entry)
            }
        });
    }
    rows.reverse();
    // Bytes that are shown say more.
    claims.retain(|claim| matches!(&rows[claim.line], Row::Entry(entry) if entry.bytes.is_empty()));
    Listing {
        rows,
        lengths,
        claims,
        is_disassembled,
    }
}

/// Whether nothing runs on from an instruction into what stands behind it.
fn is_last(text: &str) -> bool {
    let name = text.split([' ', '\t', ';']).next().unwrap_or_default();
    matches!(name, "RET" | "JMP" | "UNDEF" | "INT")
}

/// Whether a line between those of a listing is an instruction of its own.
fn is_code(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(is_mnemonic)
}

/// Whether other bytes stand there here: g lies elsewhere, and a call with a frame pointer around it is
/// three instructions.
fn is_replaced(text: &str) -> bool {
    let is_thread = ["(TLS)", "FS:", "GS:", "(TLS*1)"]
        .iter()
        .any(|part| text.contains(part));
    is_thread || text.starts_with("DUFF")
}

/// Whether the bytes are taken without their text.
fn is_opaque(text: &str) -> bool {
    let name = text.split([' ', '\t', ';']).next().unwrap_or_default();
    matches!(
        name,
        "LOCK" | "REP" | "REPNE" | "REPE" | "NOPL" | "NOPW" | "NOP" | "?" | "DATA16"
    )
}

/// The longest that a line can be: padding up to the next 32 bytes, and what zeroes memory.
const LONGEST: u8 = 32;

/// The bytes of a line; of padding those that it takes where none are shown.
fn bytes(line: &Line, length: Option<u8>, image: &[u8]) -> Vec<u8> {
    if line.is_disassembled {
        return line.bytes.clone();
    }
    let start = usize::try_from(line.address).unwrap_or(usize::MAX);
    let end = start.saturating_add(length.map_or(0, usize::from));
    image.get(start..end).unwrap_or_default().to_vec()
}
