//! The columns that disassemblers put around an instruction.
//!
//! Correct means: a text is a listing only where its lines say so beyond doubt; an address and bytes are
//! then those of the line, and of lines between nothing is lost that reads as an instruction.

mod linked;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::asm::encode;
use crate::asm::inst::{Datum, Prefix, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::lower;
pub(in crate::asm) use linked::{lead_out, settle};
use linked::{refuse_unlinked, unlinked};

/// What a line of a listing is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::asm) enum Row<'a> {
    /// `0000000000001139 <twice>:`
    Heading(u64, &'a str),
    /// An instruction with what stands in front of it.
    Entry(Entry<'a>),
    /// Bytes that belong to the line before.
    More(Vec<u8>),
    /// Nothing of these.
    Plain,
    /// What says nothing: `Disassembly of section .text:`.
    Passed,
    /// Data, and how many zeros behind them.
    Values(Vec<Datum<'a>>, u64),
    /// A line whose columns contradict each other.
    Wrong(Problem),
}

/// An instruction in its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::asm) struct Entry<'a> {
    /// Where it stands.
    pub(in crate::asm) address: Option<u64>,
    /// Its bytes; none where the listing shows none.
    pub(in crate::asm) bytes: Vec<u8>,
    /// The text, in bytes of the line, without a target that is an address.
    pub(in crate::asm) text: Range<usize>,
    /// That target.
    pub(in crate::asm) target: Option<Goal<'a>>,
    /// Whether the address can be no label: it has an offset behind it, or no colon.
    is_marked: bool,
    /// Whether it is padding.
    is_nop: bool,
    /// Whether it could well be a label: it stands at the beginning of its line, or has no digit.
    is_doubtful: bool,
}

impl Entry<'_> {
    /// A row whose address is no label.
    pub(super) fn of(bytes: Vec<u8>, text: Range<usize>) -> Self {
        Entry {
            bytes,
            text,
            ..Entry::default()
        }
    }

    /// A row at an address, beyond doubt.
    pub(in crate::asm) fn at(address: u64, bytes: Vec<u8>, text: Range<usize>) -> Self {
        Entry {
            address: Some(address),
            bytes,
            text,
            is_marked: true,
            ..Entry::default()
        }
    }
}

/// Where a branch goes in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::asm) struct Goal<'a> {
    pub(in crate::asm) address: u64,
    /// What the listing calls it, and what is added to that.
    pub(in crate::asm) symbol: Option<(&'a str, i64)>,
    pub(in crate::asm) span: Span,
}

/// A listing's lines, and how long each instruction is where only addresses say it.
#[derive(Debug, Default)]
pub(in crate::asm) struct Listing<'a> {
    pub(in crate::asm) rows: Vec<Row<'a>>,
    /// By line.
    pub(in crate::asm) lengths: HashMap<usize, u8>,
    /// What lines without bytes have to take, where offsets say it and a line that is missing would show.
    pub(in crate::asm) claims: Vec<Claim>,
    /// Whether it is of Go's disassembler, which has spellings of its own.
    pub(in crate::asm) is_disassembled: bool,
    /// The addresses of its lines, where an operand is one: `[rel 0x7]` of `ndisasm`.
    pub(in crate::asm) starts: HashSet<u64>,
    /// The first address and the last one, where lines have some.
    pub(in crate::asm) ends: Option<(u64, u64)>,
}

/// How far a line's offset is from the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) struct Claim {
    pub(in crate::asm) line: usize,
    pub(in crate::asm) length: u64,
    /// The next offset.
    pub(in crate::asm) next: u64,
    pub(in crate::asm) span: Span,
}

/// The rows of a text that is a listing.
pub(in crate::asm) fn survey<'a>(
    lines: impl Iterator<Item = &'a str> + Clone,
) -> Option<Listing<'a>> {
    if !lines.clone().any(looks_dressed) {
        return None;
    }
    if let Some(rows) = super::nasm::survey(lines.clone()) {
        return Some(Listing {
            rows,
            ..Listing::default()
        });
    }
    let mut rows: Vec<Row<'a>> = lines.clone().map(row).collect();
    if !is_listing(&rows) {
        return None;
    }
    join(&mut rows);
    let mut starts = HashSet::new();
    if lines.clone().any(|line| line.contains("[rel ")) {
        starts.extend(rows.iter().filter_map(Row::address));
    }
    let addresses = || rows.iter().filter_map(Row::address);
    let ends = addresses().min().zip(addresses().max());
    refuse_unlinked(&mut rows, lines);
    let lengths = lengths(&rows);
    Some(Listing {
        rows,
        lengths,
        claims: Vec::new(),
        is_disassembled: false,
        starts,
        ends,
    })
}

impl Row<'_> {
    fn address(&self) -> Option<u64> {
        match self {
            Row::Entry(entry) => entry.address,
            Row::Heading(address, _) => Some(*address),
            _ => None,
        }
    }
}

/// A quick look that passes over nearly every line that is no row.
fn looks_dressed(line: &str) -> bool {
    let bytes = line.as_bytes();
    let blanks = bytes
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let code = &bytes[blanks..];
    let digits = code
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let is_colon = code.get(digits) == Some(&b':');
    // `add` and `dec` are of such letters.
    let is_number = || is_colon || code[..digits].iter().any(u8::is_ascii_digit);
    code.starts_with(b"=>")
        || code.starts_with(b"0x")
        || code.starts_with(b"Dump of")
        || digits > 0 && is_number() && matches!(code.get(digits), Some(b':' | b' ' | b'\t' | b'`'))
}

/// Whether these rows make a listing. A number and a colon alone can be a label of GNU as.
fn is_listing(rows: &[Row<'_>]) -> bool {
    let mut addresses = Vec::new();
    let mut is_mixed = false;
    for row in rows {
        match row {
            Row::Heading(..) => return true,
            Row::Entry(entry) if !entry.bytes.is_empty() => return true,
            Row::Entry(entry) if entry.is_marked => return true,
            Row::Entry(entry) if entry.is_doubtful => is_mixed = true,
            Row::Entry(entry) => addresses.extend(entry.address),
            // Labels of GNU as stand among lines without any.
            Row::Plain => is_mixed = true,
            _ => {}
        }
    }
    let ascends = |pair: &[u64]| pair[0] < pair[1] && pair[1] - pair[0] <= 15;
    !is_mixed && addresses.len() > 1 && addresses.windows(2).all(ascends)
}

/// Gives bytes of continued rows to the instruction that they belong to.
fn join(rows: &mut [Row<'_>]) {
    let mut owner = None;
    for at in 0..rows.len() {
        match &mut rows[at] {
            Row::Entry(_) => owner = Some(at),
            Row::More(bytes) => {
                let more = std::mem::take(bytes);
                if let Some(owner) = owner
                    && let Row::Entry(entry) = &mut rows[owner]
                {
                    entry.bytes.extend(more);
                }
            }
            _ => {}
        }
    }
}

fn lengths(rows: &[Row<'_>]) -> HashMap<usize, u8> {
    let mut lengths = HashMap::new();
    let mut before: Option<(usize, u64)> = None;
    for (at, row) in rows.iter().enumerate() {
        let address = match row {
            Row::Entry(entry) => entry.address,
            Row::Heading(address, ..) => Some(*address),
            _ => continue,
        };
        if let (Some((line, start)), Some(end)) = (before, address)
            && let Ok(length @ 1..=15) = u8::try_from(end.wrapping_sub(start).min(255))
        {
            lengths.insert(line, length);
        }
        let is_open = matches!(row, Row::Entry(entry) if entry.bytes.is_empty());
        before = address.filter(|_| is_open).map(|address| (at, address));
    }
    // Behind a function compilers fill up to where the next one would begin.
    const PADDED_TO: u64 = 16;
    if let Some((line, start)) = before
        && let Some(length) = u8::try_from(PADDED_TO - start % PADDED_TO).ok()
        && let Row::Entry(entry) = &rows[line]
        && entry.is_nop
    {
        lengths.insert(line, length);
    }
    lengths
}

/// One line.
fn row(line: &str) -> Row<'_> {
    let start = line.len() - line.trim_start().len();
    if let Some(heading) = heading(line, start) {
        return heading;
    }
    let code = &line[start..];
    // `ndisasm` goes on with bytes behind a dash.
    if let Some(digits) = code.trim_end().strip_prefix('-').filter(|_| start > 0)
        && !digits.is_empty()
        && digits.len().is_multiple_of(2)
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        let value = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or_default();
        return Row::More((0..digits.len()).step_by(2).map(value).collect());
    }
    let passed = [
        "Dump of assembler code",
        "End of assembler dump",
        "Disassembly of section",
        "--- ",
    ];
    if passed.iter().any(|begin| code.starts_with(begin))
        || code.contains("file format elf")
        || code.trim_end() == "..."
        || code.is_empty()
        || code.starts_with([';', '#'])
    {
        return Row::Passed;
    }
    // `objdump -dr`
    if let Some((digits, behind)) = code.split_once(':')
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && behind.trim_start().starts_with("R_X86_64_")
    {
        return Row::Wrong(unlinked(
            span(line, &trimmed(line, start)),
            "this is a relocation",
        ));
    }
    let (address, at, is_marked) = match address(line, start) {
        Some((address, at, is_marked)) => (Some(address), at, is_marked),
        None => (None, start, false),
    };
    let at = match address {
        Some(_) => at + jumps(&line[at..]),
        None => at,
    };
    let (bytes, behind) = bytes(line, at, address.is_some());
    let text = trimmed(line, behind);
    match (address, bytes.is_empty(), text.is_empty()) {
        (None, true, _) => Row::Plain,
        (_, false, true) => Row::More(bytes),
        (Some(_), true, true) => Row::Passed,
        _ => {
            let mut entry = Entry {
                address,
                bytes,
                text: text.clone(),
                target: None,
                is_marked,
                is_nop: line[text.clone()]
                    .split([' ', '\t'])
                    .any(|word| word.starts_with("nop")),
                is_doubtful: start == 0
                    || !line[start..at].bytes().any(|byte| byte.is_ascii_digit()),
            };
            if let Some((target, text)) = goal(line, &entry.text, address.is_some()) {
                entry.text = text;
                entry.target = Some(target);
            }
            Row::Entry(entry)
        }
    }
}

/// Bytes of the arrows that `objdump --visualize-jumps` draws in front of the text.
fn jumps(rest: &str) -> usize {
    let is_drawn = |c: char| {
        matches!(
            c,
            ' ' | '\t' | '|' | '/' | '\\' | '-' | '+' | '<' | '>' | 'X'
        )
    };
    let end = rest.find(|c| !is_drawn(c)).unwrap_or(rest.len());
    match rest[..end].contains(['|', '/', '\\']) {
        true => end,
        false => 0,
    }
}

fn trimmed(line: &str, start: usize) -> Range<usize> {
    let text = &line[start..];
    let start = start + text.len() - text.trim_start().len();
    start..start + text.trim().len()
}

fn span(line: &str, part: &Range<usize>) -> Span {
    super::lexer::span(
        line,
        part.start,
        part.end.max(part.start + 1).min(line.len()),
    )
}

/// What `objdump -F` puts behind each name, up to the number.
const FILE_OFFSET: &str = " (File Offset: 0x";

fn heading(line: &str, start: usize) -> Option<Row<'_>> {
    let code = line[start..].trim_end();
    let (digits, rest) = code.split_once(" <")?;
    let name = match rest.split_once(FILE_OFFSET) {
        Some((name, offset)) if offset.ends_with("):") => name.strip_suffix('>')?,
        _ => rest.strip_suffix(">:")?,
    };
    if name.contains('+') && !name.contains(['(', '<']) {
        return None;
    }
    let address = u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()?;
    Some(Row::Heading(address, name))
}

/// The address that a line begins with, where that ends, and whether it can be no label.
fn address(line: &str, start: usize) -> Option<(u64, usize, bool)> {
    let mut at = start;
    let rest = |at: usize| &line[at..];
    // WinDbg has the number of the source line in front.
    if let Some((number, behind)) = rest(at).split_once(' ')
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && behind.trim_start().as_bytes().get(8) == Some(&b'`')
    {
        at = line.len() - behind.trim_start().len();
    }
    if rest(at).starts_with("=>") {
        at += 2;
        at += rest(at).len() - rest(at).trim_start().len();
    }
    let is_prefixed = rest(at).starts_with("0x");
    if is_prefixed {
        at += 2;
    }
    let begin = at;
    let is_digit = |c: char| c.is_ascii_hexdigit() || c == '`';
    at += rest(at).find(|c| !is_digit(c)).unwrap_or(rest(at).len());
    let digits = line[begin..at].replace('`', "");
    let value = u64::from_str_radix(&digits, 16).ok()?;
    let tail = rest(at);
    if let Some(tail) = tail.strip_prefix(':') {
        return tail
            .starts_with([' ', '\t'])
            .then_some((value, at + 1, is_prefixed));
    }
    // gdb: ` <+11>:` and ` <main+11>:`
    if tail.starts_with(" <")
        && let Some(end) = tail.find(">:")
    {
        return Some((value, at + end + 2, true));
    }
    // Visual Studio and WinDbg have no colon.
    let is_long =
        !is_prefixed && digits.len() >= 8 && digits.bytes().any(|byte| byte.is_ascii_digit());
    (is_long && tail.starts_with(' ')).then_some((value, at, digits.len() >= 12))
}

/// The bytes in front of the text, and where they end. Without an address they must be told from a
/// mnemonic of such letters.
fn bytes(line: &str, start: usize, is_sure: bool) -> (Vec<u8>, usize) {
    let none = (Vec::new(), start);
    let text = trimmed(line, start);
    let (mut at, mut found) = (text.start, Vec::new());
    let all = line.as_bytes();
    let digits = all[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let value = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap_or_default();
    if digits > 2 && digits % 2 == 0 {
        found.extend((at..at + digits).step_by(2).map(value));
        at += digits;
    } else {
        let is_digit = |at: usize| all.get(at).is_some_and(u8::is_ascii_hexdigit);
        let is_end = |at: usize| all.get(at).is_none_or(|byte| matches!(byte, b' ' | b'\t'));
        while is_digit(at) && is_digit(at + 1) && is_end(at + 2) {
            found.push(value(at));
            at += 2;
            if all.get(at) == Some(&b' ') && is_digit(at + 1) {
                at += 1;
            }
        }
    }
    let rest = &line[at..];
    let blanks = &rest[..rest.len() - rest.trim_start().len()];
    let behind = rest.split_whitespace().next();
    let is_followed = behind.is_some_and(begins_instruction);
    // A long instruction fills .NET's column.
    let is_full = found.len() >= 8 && blanks.len() == 1 && is_followed;
    let is_apart =
        blanks.contains('\t') || blanks.len() > 1 || blanks.len() == rest.len() || is_full;
    if found.is_empty() || !is_apart || found.len() > 15 {
        return none;
    }
    // `fadd` and `db` are of such letters, too.
    let first = line[text.start..at].to_ascii_lowercase();
    let is_directive = matches!(&*first, "db" | "dd") || encode::knows(&first);
    let is_text = behind.is_none_or(|word| word.starts_with(|c: char| c.is_alphabetic()));
    // Without addresses bytes alone on a line go on with those of the line before.
    let is_more = behind.is_none() && text.start > 0;
    match is_followed || (is_sure || is_more) && is_text && !is_directive {
        true => (found, at),
        false => none,
    }
}

fn begins_instruction(word: &str) -> bool {
    let word = lower(word);
    let is_bad = word == "(bad)";
    is_bad
        || encode::knows(&word)
        || Prefix::from_word(&word).is_some()
        || super::att::is_known(&word)
        || word.starts_with('.')
}

/// A part of a line without the method that .NET names behind a call's brackets, `[rax+0x20]T:F():int`.
pub(in crate::asm) fn without_callee(line: &str, text: Range<usize>) -> Range<usize> {
    let code = line[text.clone()].trim_start();
    let is_branch = code.starts_with("call") || code.starts_with("jmp");
    // In a name in quotes a bracket is a letter, `"main.P[[]int].Do"`.
    let is_bracket = |end: &usize| is_branch && !code[..*end].contains('"');
    let end = code.find(']').filter(is_bracket).map(|end| end + 1);
    match end {
        Some(end) if code[end..].starts_with(|c: char| c.is_alphabetic() || c == '<') => {
            let start = text.start + line[text].len() - code.len();
            start..start + end
        }
        _ => text,
    }
}

/// The address that a branch of a listing goes to, and the text without it.
///
/// Where the line has no address of its own, only a name behind the number says that it is one.
pub(in crate::asm) fn goal<'a>(
    line: &'a str,
    text: &Range<usize>,
    is_row: bool,
) -> Option<(Goal<'a>, Range<usize>)> {
    let code = &line[text.clone()];
    // Most lines are no rows, and have none.
    if !is_row && !code.as_bytes().contains(&b'<') {
        return None;
    }
    // What comes behind a comment sign is none; `{lambda(int)#1}` is a name.
    let begins_comment = |at: &usize| *at == 0 || matches!(code.as_bytes()[at - 1], b' ' | b'\t');
    let comment = code
        .match_indices('#')
        .map(|(at, _)| at)
        .find(begins_comment);
    let code = &code[..comment.unwrap_or(code.len())];
    let code = code.split(FILE_OFFSET).next().unwrap_or(code).trim_end();
    if !is_row && !code.contains('<') {
        return None;
    }
    let mut at = 0;
    let mut is_branch = false;
    for word in code.split([' ', '\t']) {
        let name = word.split(',').next().unwrap_or(word);
        let is_prefix = word.is_empty() || Prefix::from_word(&lower(word)).is_some();
        is_branch = !is_prefix && super::att::is_branch(&lower(name));
        if !is_prefix {
            at += word.len();
            break;
        }
        at += word.len() + 1;
    }
    if !is_branch {
        return None;
    }
    let operand = code.get(at..)?.trim_start();
    let begin = text.start + code.len() - operand.len();
    // NASM says how far it is, and so do the bytes.
    let operand = match operand.split_once(' ') {
        Some(("short" | "near", behind)) if is_row => behind.trim_start(),
        _ => operand,
    };
    let (digits, symbol) = match operand.split_once([' ', '\t']) {
        None => (operand, None),
        Some((digits, behind)) => {
            let behind = behind.trim();
            let named = behind
                .strip_prefix('<')
                .and_then(|name| name.strip_suffix('>'));
            match (
                named,
                behind
                    .strip_prefix('(')
                    .and_then(|rest| rest.strip_suffix(')')),
            ) {
                (Some(name), _) => (digits, Some(name)),
                // Visual Studio has it the other way round.
                (_, Some(address)) => (address, Some(digits)),
                _ => return None,
            }
        }
    };
    if !is_row && symbol.is_none() {
        return None;
    }
    let hex = digits
        .strip_prefix("0x")
        .or(digits.strip_suffix(['h', 'H']))
        .unwrap_or(digits);
    let address = u64::from_str_radix(&hex.replace('`', ""), 16).ok()?;
    let part = begin..begin + operand.len();
    let goal = Goal {
        address,
        symbol: symbol.map(named),
        span: span(line, &part),
    };
    Some((goal, text.start..begin))
}

/// `foo@plt` and `foo+0x10` as a symbol and what is added.
fn named(name: &str) -> (&str, i64) {
    let (name, addend) = match name.rsplit_once(['+', '-']) {
        Some((stem, offset)) if !stem.is_empty() => {
            let hex = offset.strip_prefix("0x").or(offset.strip_suffix('h'));
            let value = match hex {
                Some(hex) => i64::from_str_radix(hex, 16).ok(),
                None => offset.parse().ok(),
            };
            match value {
                Some(value) if name.as_bytes()[stem.len()] == b'-' => (stem, -value),
                Some(value) => (stem, value),
                None => (name, 0),
            }
        }
        _ => (name, 0),
    };
    (name.strip_suffix("@plt").unwrap_or(name), addend)
}

impl<'a> Goal<'a> {
    /// It, as the operand of a branch.
    pub(in crate::asm) fn target(&self) -> Target<'a> {
        Target {
            name: crate::asm::inst::Name::Address(Box::new((self.address, self.symbol))),
            addend: 0,
            span: self.span,
        }
    }
}
