//! What each line of a listing or source of Go's is.
//!
//! Correct means: columns are cut where the tool that printed them set them, and a line that none of Go's
//! tools prints is none of these.

use std::ops::Range;

use super::names::meaning;
use super::operand::{number, split};
use super::{place, trimmed};
use crate::asm::problem::{Problem, Span};

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape<'a> {
    /// An instruction, or what a listing prints like one.
    Line(Line),
    /// Bytes of a function or of data, from an offset on.
    Dump(u64, Vec<u8>),
    /// `rel 24+8 t=1 main.f+0`.
    Relocation(Relocation<'a>),
    /// `main.f STEXT size=20`, `go.itab.T,I SRODATA size=40`.
    Heading(Heading<'a>),
    /// `DATA x+8(SB)/8, $1`.
    Data(Value<'a>),
    /// `GLOBL x(SB), RODATA, $16`.
    Global(&'a str, u64),
    /// A row with something in front of it that no listing has there, or with a field that none has.
    Broken(Problem),
    /// Anything else.
    Other,
}

/// An instruction in its columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Line {
    pub(super) address: u64,
    pub(super) bytes: Vec<u8>,
    /// The instruction, in bytes of the line.
    pub(super) text: Range<usize>,
    pub(super) is_disassembled: bool,
    /// The decimal offset where it is another one.
    pub(super) wrong: Option<(Span, u64)>,
}

/// A field that holds an address.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Relocation<'a> {
    pub(super) offset: u64,
    pub(super) width: u64,
    pub(super) symbol: &'a str,
    pub(super) addend: i64,
    pub(super) span: Span,
}

/// The line that opens a symbol of a listing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heading<'a> {
    pub(super) name: &'a str,
    pub(super) is_code: bool,
    /// Whether nothing here reads it: it is the debugger's, or has no name.
    pub(super) is_passed: bool,
    /// Whether it is zeros until the program writes to it.
    pub(super) is_zero: bool,
    pub(super) size: Option<u64>,
    /// The line.
    pub(super) span: Span,
}

/// A value of a source's data.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value<'a> {
    pub(super) symbol: &'a str,
    pub(super) offset: u64,
    pub(super) width: u64,
    pub(super) text: &'a str,
    pub(super) span: Span,
}

/// What a line is.
pub(super) fn shape(line: &str) -> Shape<'_> {
    let mut start = line.len() - line.trim_start().len();
    let code = &line[start..];
    // Listings in books hide lines behind a comment.
    if let Some(rest) = code.strip_prefix("//")
        && rest.trim_start().starts_with("0x")
    {
        start = line.len() - rest.trim_start().len();
    }
    if let Some(rest) = line[start..].strip_prefix("=>") {
        start = line.len() - rest.trim_start().len();
    }
    let code = &line[start..];
    match code.as_bytes().first() {
        None => Shape::Other,
        Some(b'0') if code.starts_with("0x") => row(line, start, false),
        Some(b'r') if code.starts_with("rel ") => relocation(line, start),
        Some(b'D') if code.starts_with("DATA") => value(line, start),
        Some(b'G') if code.starts_with("GLOBL") => global(code),
        _ => {
            // `main.go:26` in front of an address.
            let first = code.split([' ', '\t']).next().unwrap_or_default();
            let is_position = first.rsplit_once(':').is_some_and(|(file, line)| {
                !file.is_empty()
                    && !line.is_empty()
                    && line.bytes().all(|byte| byte.is_ascii_digit())
            });
            if is_position {
                let behind = trimmed(line, start + first.len()..line.len());
                if line[behind.clone()].starts_with("0x") {
                    return row(line, behind.start, true);
                }
            }
            match (heading(code), hidden(line)) {
                (Shape::Other, Some(at)) => {
                    let problem = Problem::new(
                        place(line, &at),
                        "a row of a listing begins here, behind what no listing has in front of one",
                    );
                    Shape::Broken(problem.help("remove what stands in front of it"))
                }
                (shape, _) => shape,
            }
        }
    }
}

/// The offset or address of a row that does not begin its line: columns of a row, and then an instruction or bytes.
fn hidden(line: &str) -> Option<Range<usize>> {
    let words: Vec<&str> = line
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .collect();
    let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    for three in words.windows(3) {
        let [address, next, _] = three else { continue };
        let is_address = address.strip_prefix("0x").is_some_and(is_hex);
        let is_row = is_mnemonic(next)
            || next.len() % 2 == 0 && is_hex(next)
            || next.len() == 5 && is_decimal(next);
        if is_address && is_row {
            let start = address.as_ptr() as usize - line.as_ptr() as usize;
            return Some(start..start + address.len());
        }
    }
    None
}

/// No address of a program's code is lower, and no offset in a function so high.
const PROGRAM: u64 = 1 << 20;

/// A line that begins with an offset or an address.
fn row(line: &str, start: usize, is_disassembled: bool) -> Shape<'_> {
    let hex = line[start + 2..]
        .bytes()
        .take_while(u8::is_ascii_hexdigit)
        .count();
    let Ok(address) = u64::from_str_radix(&line[start + 2..start + 2 + hex], 16) else {
        return Shape::Other;
    };
    let mut behind = start + 2 + hex;
    // Where delve has a breakpoint.
    if is_disassembled && line[behind..].starts_with('*') {
        behind += 1;
    }
    if !line[behind..].starts_with([' ', '\t']) {
        return Shape::Other;
    }
    let mut text = trimmed(line, behind..line.len());
    let token = |text: &Range<usize>| {
        let rest = &line[text.clone()];
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        (&line[text.start..text.start + end], text.start + end)
    };
    let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (first, end) = token(&text);
    let mut made = Line {
        address,
        is_disassembled,
        ..Line::default()
    };
    if !is_disassembled
        && first.len() == 2
        && is_hex(first)
        && let Some(bytes) = dump(&line[text.clone()])
    {
        return Shape::Dump(address, bytes);
    }
    // Five digits at least; six of them may be three bytes, too, and then are no offset.
    let decimal = first.bytes().all(|byte| byte.is_ascii_digit());
    let decimal = first
        .parse::<u64>()
        .ok()
        .filter(|_| decimal && first.len() >= 5);
    if let Some(decimal) = decimal.filter(|one| first.len() == 5 || *one == address) {
        if decimal != address {
            made.wrong = Some((place(line, &(text.start..end)), decimal));
        }
        text = trimmed(line, end..text.end);
    } else if first.len() >= 2 && first.len() % 2 == 0 && first.len() <= 30 && is_hex(first) {
        let rest = trimmed(line, end..text.end);
        let (word, _) = token(&rest);
        let is_instruction = is_mnemonic(word) || word == "?" || is_disassembled;
        if is_instruction {
            let byte = |at: usize| u8::from_str_radix(&first[at..at + 2], 16).unwrap_or_default();
            made.bytes = (0..first.len()).step_by(2).map(byte).collect();
            made.is_disassembled = true;
            text = rest;
        }
    }
    // No function of a listing is so long; a program's first one lies higher.
    made.is_disassembled |= text.start == end - first.len() && address >= PROGRAM;
    if line[text.clone()].starts_with('(') {
        text = trimmed(line, text.start + position(&line[text.clone()])..text.end);
    }
    made.text = text;
    Shape::Line(made)
}

/// The length of `(main.go:26)`, whose path may hold anything.
fn position(text: &str) -> usize {
    let is_end = |at: usize| {
        let before = text[..at].trim_end();
        let before = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_end = before.ends_with([':', '[']);
        before.len() < text[..at].trim_end().len() && is_end
            || text[..at].ends_with(']')
            || text[..at].ends_with("unknown line number>")
    };
    let ends = text.match_indices(')').map(|(at, _)| at);
    ends.into_iter()
        .find(|at| is_end(*at))
        .map_or(0, |at| at + 1)
}

/// The bytes of a dump's line; none where it is an instruction with its bytes in front.
fn dump(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        let word = rest.get(..2)?;
        bytes.push(u8::from_str_radix(word, 16).ok()?);
        rest = &rest[2..];
        let is_next = rest.len() > 2
            && rest.starts_with(' ')
            && rest.as_bytes()[1..3].iter().all(u8::is_ascii_hexdigit)
            && rest.as_bytes().get(3).is_none_or(|byte| *byte == b' ');
        if !is_next || bytes.len() == 16 {
            break;
        }
        rest = &rest[1..];
    }
    let behind = rest.trim();
    let word = behind.split([' ', '\t']).next().unwrap_or_default();
    // The characters that the bytes are stand behind them.
    let is_text =
        behind.is_empty() || behind.chars().count() <= bytes.len() || rest.starts_with("  ");
    (is_text && (behind.len() == bytes.len() || !is_mnemonic(word))).then_some(bytes)
}

/// Whether Go's assembler has an instruction or a directive of that name.
pub(super) fn is_mnemonic(word: &str) -> bool {
    matches!(
        word,
        "TEXT"
            | "FUNCDATA"
            | "PCDATA"
            | "NOP"
            | "LOCK"
            | "REP"
            | "REPN"
            | "DUFFZERO"
            | "DUFFCOPY"
            | "BYTE"
            | "PCALIGN"
    ) || meaning(word).is_some()
}

fn relocation(line: &str, start: usize) -> Shape<'_> {
    let parse = || {
        let code = line[start..].trim_end();
        let mut words = code.splitn(4, ' ');
        let (_, place_of, kind) = (words.next()?, words.next()?, words.next()?);
        let (offset, width) = place_of.split_once('+')?;
        kind.strip_prefix("t=")?;
        let target = words.next().unwrap_or_default();
        let (symbol, addend) = split(target)?;
        let at = start + code.len() - target.len();
        Some(Relocation {
            offset: offset.parse().ok()?,
            width: width.parse().ok()?,
            symbol,
            addend: i64::try_from(addend).ok()?,
            span: place(line, &(at..at + symbol.len())),
        })
    };
    let wrong = || {
        let problem = Problem::new(
            place(line, &(start..line.trim_end().len())),
            "a `rel` line has an offset, a width, a kind and a symbol",
        );
        Shape::Broken(problem.help("as in `rel 24+8 t=R_ADDR main.f+0`"))
    };
    parse().map_or_else(wrong, Shape::Relocation)
}

fn heading(code: &str) -> Shape<'_> {
    let Some(size_at) = code.find(" size=") else {
        return Shape::Other;
    };
    let digits = &code[size_at + 6..];
    let digits = &digits[..digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len())];
    let span = place(code, &(0..code.trim_end().len()));
    let kinds = [
        "TEXT",
        "RODATA",
        "NOPTRDATA",
        "DATA",
        "BSS",
        "NOPTRBSS",
        "TLSBSS",
        "DWARF",
    ];
    // Since Go 1.27 the debugger's have no name, and neither have some strings.
    let is_nameless = code.starts_with('S').then_some(0);
    let named = code.match_indices(" S").map(|(at, _)| at + 1);
    for at in is_nameless.into_iter().chain(named) {
        let kind = &code[at + 1..];
        let Some(found) = kinds.iter().find(|name| kind.starts_with(**name)) else {
            continue;
        };
        return Shape::Heading(Heading {
            name: code[..at].trim_end(),
            is_code: *found == "TEXT",
            is_passed: *found == "DWARF" || at == 0,
            is_zero: found.ends_with("BSS"),
            span,
            size: digits.parse().ok(),
        });
    }
    Shape::Other
}

/// `DATA sym+8(SB)/8, $value`.
fn value(line: &str, start: usize) -> Shape<'_> {
    let parse = || {
        let code = line[start..].strip_prefix("DATA")?;
        let (target, rest) = code.split_once("(SB)/")?;
        let (width, text) = rest.split_once(',')?;
        let (symbol, offset) = split(target.trim())?;
        let text = text.split("//").next()?.trim();
        let at = line.len() - line[start..].len() + line[start..].find(text)?;
        Some(Value {
            symbol,
            offset: u64::try_from(offset).ok()?,
            width: number(width).and_then(|width| u64::try_from(width).ok())?,
            text: text.strip_prefix('$')?,
            span: place(line, &(at..at + text.len())),
        })
    };
    parse().map_or(Shape::Other, Shape::Data)
}

fn global(code: &str) -> Shape<'_> {
    let parse = || {
        let rest = code.strip_prefix("GLOBL")?;
        let (symbol, rest) = rest.split_once("(SB)")?;
        let size = rest.rsplit(',').next()?.split("//").next()?.trim();
        let size = number(size.strip_prefix('$')?)?;
        Some(Shape::Global(symbol.trim(), u64::try_from(size).ok()?))
    };
    parse().unwrap_or(Shape::Other)
}

/// The symbol that a `TEXT` line opens.
pub(super) fn opened_function(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("TEXT")?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let end = rest.find("(SB)")?;
    Some(&rest[..end])
}
