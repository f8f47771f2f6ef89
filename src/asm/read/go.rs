//! Go's assembler: one line of its source, or the text of a line that its compiler or its disassembler
//! printed.
//!
//! Correct means: the instruction is the one that Go's assembler makes, and so is its encoding, where
//! that is not the shortest; what it inserts by itself is inserted, or refused by name.

pub(in crate::asm) mod data;
mod frame;
mod instruction;
pub(in crate::asm) mod marks;
pub(in crate::asm) mod names;
pub(in crate::asm) mod operand;
mod pieces;
mod pseudo;
pub(in crate::asm) mod rows;
pub(in crate::asm) mod sections;
mod shapes;
mod shown;
pub(in crate::asm) mod symbol;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::around::Around;
use super::lexer::span;
use crate::asm::inst::{Datum, Name, Statement};
use crate::asm::problem::{Problem, Span};
use crate::asm::source::Syntax;
pub(in crate::asm) use frame::Calls;
use frame::Frame;
use pieces::{end_of, pieces};
use shown::Shown;

/// What a line has to know of its function, and of its own columns.
#[derive(Debug, Default)]
pub(in crate::asm) struct Function {
    /// Whether the lines are those of a listing, in which nothing is left to be inserted.
    pub(in crate::asm) is_lowered: bool,
    /// Whether a disassembler printed them.
    pub(in crate::asm) is_disassembled: bool,
    /// Bytes of the line at hand, as its columns tell.
    pub(in crate::asm) length: Option<u8>,
    /// Those bytes, where they are printed.
    pub(in crate::asm) shown: Vec<u8>,
    /// What Go inserts into a source's function.
    frame: Frame,
    /// What the lines of a source call.
    pub(in crate::asm) calls: Calls,
    /// The release 1.N whose assembler is meant.
    pub(in crate::asm) go_minor: u8,
    /// The function's own symbol.
    symbol: Option<String>,
    /// The address behind the line at hand.
    pub(in crate::asm) next: Option<u64>,
    /// Whether a disassembler's comparisons stand in the order of their encoding.
    pub(in crate::asm) keeps_order: Option<bool>,
    /// Offsets that a header binds to something else, with the names it gives them.
    pub(in crate::asm) bound: HashMap<u64, String>,
}

impl Function {
    /// The instruction that a disassembler printed, where its bytes stand beside it.
    fn shown(&self) -> Option<Shown> {
        let is_there = self.is_disassembled && !self.shown.is_empty();
        is_there.then(|| Shown::new(&self.shown))
    }

    /// What stands at an offset, or at an address.
    fn place<'a>(&self, address: u64) -> Name<'a> {
        match self.bound.get(&address) {
            Some(name) => Name::Symbol(Cow::Owned(name.clone())),
            None => Name::Address(Box::new((address, None))),
        }
    }

    /// Bytes from the stack pointer to what a pseudo-register points to.
    fn frame_offset(&self, register: &str, is_named: bool, here: Span) -> Result<i128, Problem> {
        // Whatever a listing names, it counts from the stack pointer.
        if self.is_lowered || register == "SP" && !is_named {
            return Ok(0);
        }
        if !is_named {
            return Err(
                Problem::new(here, "an argument has a name in front of its offset")
                    .help("write x+0(FP)"),
            );
        }
        Ok(self.frame.offset(register))
    }

    /// What Go inserts behind the last line.
    pub(in crate::asm) fn end<'a>(&mut self) -> Vec<Statement<'a>> {
        self.frame.end()
    }
}

/// The statements of a part of one line.
pub(super) fn statements<'a>(
    line: &'a str,
    part: Range<usize>,
    around: &mut Around<'_, 'a>,
    statements: &mut Vec<Statement<'a>>,
) -> Result<(), Problem> {
    let mut start = part.start;
    loop {
        let first = line[start..part.end].split(';').next().unwrap_or_default();
        let separates = !around.function.is_lowered || prefix(first.trim()).is_some();
        let (end, next) = end_of(line, start..part.end, separates);
        one(line, start..end, around, statements)?;
        match next {
            Some(next) => start = next,
            None => return Ok(()),
        }
    }
}

/// One statement without its comment.
fn one<'a>(
    line: &'a str,
    part: Range<usize>,
    around: &mut Around<'_, 'a>,
    statements: &mut Vec<Statement<'a>>,
) -> Result<(), Problem> {
    let mut part = trimmed(line, part);
    while let Some(length) = label(&line[part.clone()]) {
        let name = part.start..part.start + length;
        statements.push(Statement::Label(&line[name.clone()], place(line, &name)));
        part = trimmed(line, name.end + 1..part.end);
    }
    let text = &line[part.clone()];
    if text.is_empty() || text.starts_with("#include") || text.starts_with("# ") {
        return Ok(());
    }
    // What the tool puts around Go's code is Intel's.
    for (directive, syntax) in [
        (".intel_syntax", Syntax::Intel),
        (".att_syntax", Syntax::Att),
    ] {
        if text.starts_with(directive) {
            statements.push(Statement::Syntax(syntax));
            return Ok(());
        }
    }
    let length = text.find(|c: char| c.is_whitespace()).unwrap_or(text.len());
    let name = &text[..length];
    // `REP; MOVSQ` and, in a disassembler's line, `LOCK XADDL ..`.
    let here = place(line, &(part.start..part.start + length));
    let rest = trimmed(line, part.start + length..part.end);
    let operands = pieces(&line[rest.clone()]);
    let operands = operands
        .into_iter()
        .map(|piece| trimmed(line, rest.start + piece.start..rest.start + piece.end));
    let operands: Vec<Range<usize>> = operands.collect();
    let call = Call {
        line,
        name,
        here,
        operands,
    };
    match prefix(name) {
        Some(byte) => {
            statements.push(Statement::Data(vec![Datum::Bytes(vec![byte])]));
            one(line, rest, around, statements)
        }
        None if call.pseudo(around, statements)? => Ok(()),
        None => {
            call.instruction(&around.function, statements)?;
            around.function.frame.count(name);
            Ok(())
        }
    }
}

/// A prefix that stands as an instruction of its own.
fn prefix(name: &str) -> Option<u8> {
    Some(match name {
        "LOCK" => 0xf0,
        "REP" | "REPE" | "REPZ" => 0xf3,
        "REPN" | "REPNE" | "REPNZ" => 0xf2,
        _ => return None,
    })
}

/// The length of a label in front of its colon.
fn label(text: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '·' | '$');
    let length = text.find(|c| !is_word(c))?;
    (length > 0 && text[length..].starts_with(':') && !matches!(&text[..length], "FS" | "GS"))
        .then_some(length)
}

pub(super) fn trimmed(line: &str, part: Range<usize>) -> Range<usize> {
    let text = &line[part.clone()];
    let start = part.start + text.len() - text.trim_start().len();
    start..start + text.trim().len()
}

/// The characters of a part of a line, at least one.
fn place(line: &str, part: &Range<usize>) -> Span {
    if line.is_ascii() {
        return Span {
            column: part.start as u32 + 1,
            width: part.len().max(1) as u32,
        };
    }
    let found = span(line, part.start, part.end);
    Span {
        width: found.width.max(1),
        ..found
    }
}

/// A mnemonic with its operands.
struct Call<'a> {
    line: &'a str,
    name: &'a str,
    here: Span,
    operands: Vec<Range<usize>>,
}

impl<'a> Call<'a> {
    fn text(&self, at: usize) -> &'a str {
        self.operands
            .get(at)
            .map_or("", |part| &self.line[part.clone()])
    }

    fn span(&self, at: usize) -> Span {
        self.operands
            .get(at)
            .map_or(self.here, |part| place(self.line, part))
    }
}
