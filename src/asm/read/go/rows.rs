//! The columns of Go's listings: of the compiler's `-S`, of `go tool objdump`, of delve.
//!
//! Correct means: an instruction has the offset and the bytes that its listing shows, a jump's number
//! is an offset of these, what only belongs to the listing is no code, and no byte that the listing
//! has is without a line.

use std::collections::{HashMap, HashSet};

use super::data::{Rows, data};
use super::names::is_jump;
use super::place;
use super::shapes::{Line, Shape, is_mnemonic, opened_function, shape};
use crate::asm::problem::{Problem, Span};
use crate::asm::read::listing::{Claim, Entry, Listing, Row, goal};
use crate::asm::source::SourceLine;

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
    let Image {
        bytes: image,
        size,
        mut wrong,
    } = Image::new(&shapes);
    wrong.extend(beginning(lines, &shapes));
    let mut lengths = HashMap::new();
    let mut is_disassembled = false;
    let mut rows = Vec::with_capacity(shapes.len());
    // From behind, so that each knows what follows it.
    let mut end = size.unwrap_or(0);
    let mut claims = Vec::new();
    let mut is_followed = size.is_some();
    for (at, shape) in shapes.into_iter().enumerate().rev() {
        let Shape::Line(line) = shape else {
            // What was put in by hand may stand for lines that were taken out, and what is wrong for one of them.
            is_followed &= match &shape {
                Shape::Other => !is_code(lines[at]),
                Shape::Broken(_) => false,
                _ => true,
            };
            rows.push(match shape {
                Shape::Other | Shape::Heading(_) => Row::Plain,
                Shape::Broken(problem) => Row::Wrong(problem),
                _ => Row::Passed,
            });
            continue;
        };
        let length = end.checked_sub(line.address);
        let text = &lines[at][line.text.clone()];
        // Behind what nothing runs on from, code may be left out that nothing jumps to; bytes that are there stay.
        let is_bare = image.is_empty() && line.bytes.is_empty();
        let is_led_on = is_followed && !(is_bare && is_last(text));
        if let Some(length) = length.filter(|_| is_led_on) {
            claims.push(Claim {
                line: at,
                length,
                next: end,
                span: place(lines[at], &line.text),
            });
        }
        let is_long = |length: &u64| match text {
            "NOP" => !line.is_disassembled && *length > 0 && end % BOUNDARY > 0,
            _ => *length > SHORT && reaches(text, end),
        };
        if let Some(length) = length.filter(|length| is_led_on && is_bare && is_long(length)) {
            wrong.push((at, longer(place(lines[at], &line.text), text, length, end)));
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
    for (at, problem) in wrong {
        rows[at] = Row::Wrong(problem);
    }
    claims.retain(|claim| matches!(&rows[claim.line], Row::Entry(_)));
    Listing {
        starts: HashSet::new(),
        ends: None,
        rows,
        lengths,
        claims,
        is_disassembled,
    }
}

/// A function's bytes, as the rows behind its lines show them.
struct Image {
    bytes: Vec<u8>,
    /// How long the function is, as its heading says or these bytes do.
    size: Option<u64>,
    wrong: Vec<(usize, Problem)>,
}

impl Image {
    fn new(shapes: &[Shape<'_>]) -> Image {
        let mut bytes: Vec<u8> = Vec::new();
        let mut wrong = Vec::new();
        let mut rows = Rows::of_code(shapes);
        for (at, shape) in shapes.iter().enumerate() {
            if let Shape::Dump(offset, row) = shape {
                wrong.extend(rows.next(at, *offset, row.len()));
                if *offset == bytes.len() as u64 {
                    bytes.extend(row);
                }
            }
        }
        if !bytes.is_empty() {
            wrong.extend(rows.end());
        }
        let shown = Some(bytes.len() as u64).filter(|bytes| *bytes > 0);
        Image {
            size: shown.or(rows.size()),
            bytes,
            wrong,
        }
    }
}

/// What is missing in front of a function's first line: the compiler's is at 0, and the linker puts functions at
/// multiples of 16, or of 32.
fn beginning(lines: &[&str], shapes: &[Shape<'_>]) -> Option<(usize, Problem)> {
    let is_opened = |(line, shape): (&&str, &Shape<'_>)| match shape {
        Shape::Heading(_) | Shape::Dump(..) => true,
        Shape::Other => opened_function(line.trim_start()).is_some(),
        _ => false,
    };
    let mut all = lines.iter().zip(shapes);
    let (at, first) = shapes
        .iter()
        .enumerate()
        .find_map(|(at, shape)| match shape {
            Shape::Line(line) => Some((at, line)),
            _ => None,
        })?;
    let apart = match first.is_disassembled {
        true => first.address % 16,
        false => first.address,
    };
    if apart == 0 || !all.any(is_opened) {
        return None;
    }
    let message = format!(
        "the first line of this function stands at {:#x}: lines of {apart} bytes are missing in front of it",
        first.address
    );
    let span = place(lines[at], &first.text);
    Some((at, Problem::new(span, message).help("paste them, too; without its heading and its `TEXT` line a part of a function is assembled alone")))
}

/// Jumps stand behind padding at multiples of this, since Go 1.15.
const BOUNDARY: u64 = 32;
/// Bytes of a jump with an 8-bit distance.
const SHORT: u64 = 2;
/// Bytes that one with a condition takes more where it goes far.
const LONGER: i64 = 4;
/// What padding may have taken while a jump's distance was chosen, and does not any more: one in the formatter of the
/// standard library has 126 bytes to go, and the longer form.
const SLACK: i64 = 32;

/// Whether a jump reaches its target from `end` with an 8-bit distance for sure: Go's assembler takes the longer one where it
/// has to.
fn reaches(text: &str, end: u64) -> bool {
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let is_jump = words.next().is_some_and(is_jump);
    let target = words.next().and_then(|word| match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    });
    let distance = target.map(|target| target.wrapping_sub(end) as i64);
    // What lies behind is where it is, and is counted from the end of a short jump.
    let near = i64::from(i8::MIN) - LONGER..=i64::from(i8::MAX) - SLACK;
    is_jump && distance.is_some_and(|distance| near.contains(&distance))
}

/// What is missing behind a line that takes more than it would.
fn longer(span: Span, text: &str, length: u64, end: u64) -> Problem {
    let why = match text {
        "NOP" => format!("padding ends at a multiple of {BOUNDARY}"),
        _ => format!("this jump takes {SHORT} bytes"),
    };
    let message = format!(
        "the next offset, {end:#x}, is {length} away, and {why}: lines are missing behind this one"
    );
    Problem::new(span, message)
        .help("paste them, too, or write in their place, without an offset, what is to run there")
}

/// Whether nothing runs on from an instruction into what stands behind it.
fn is_last(text: &str) -> bool {
    let name = text.split([' ', '\t', ';']).next().unwrap_or_default();
    matches!(name, "RET" | "JMP" | "UNDEF" | "INT")
}

/// The last line of a listing's function that is code, where execution runs on behind it: then lines are missing. The
/// compiler puts padding behind a call that does not return.
pub fn runs_off(lines: &[SourceLine]) -> Option<&SourceLine> {
    let is_opened = |line: &SourceLine| match shape(&line.text) {
        Shape::Heading(heading) => heading.is_code,
        Shape::Line(row) => opened_function(&line.text[row.text]).is_some(),
        _ => opened_function(line.text.trim_start()).is_some(),
    };
    let code = lines.iter().rev().find_map(|line| match shape(&line.text) {
        Shape::Line(row) => {
            let text = &line.text[row.text];
            let name = text.split([' ', '\t', ';']).next().unwrap_or_default();
            (!matches!(name, "PCDATA" | "FUNCDATA" | "TEXT")).then_some((line, name))
        }
        Shape::Other if is_code(&line.text) => Some((line, "RET")),
        _ => None,
    });
    let (line, name) = code?;
    let name = name.to_ascii_uppercase();
    let is_end = matches!(&*name, "RET" | "JMP" | "UNDEF" | "UD2" | "INT3" | "?")
        || ["INT", "NOP", "XCHG"]
            .iter()
            .any(|begin| name.starts_with(begin));
    (!is_end && lines.iter().any(is_opened)).then_some(line)
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
