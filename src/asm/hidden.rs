//! Instructions that a comment hides.
//!
//! Correct means: only what would assemble is told, behind an instruction on the same line; words of
//! prose that happen to be mnemonics are not.

use super::encode::{self, emit::Coder};
use super::inst::{OperandKind, Statement};
use super::problem::{Problem, Span};
use super::read::dialect::Choice;
use super::read::{self, Around, Offsets, nasm};
use super::{Reading, SourceLine, Syntax};
use crate::text::diagnostic::Diagnostic;

/// A remark for each line on which `;` begins a comment in Intel syntax and an instruction stands
/// behind it.
pub fn hidden(text: &str, reading: &Reading<'_>) -> Vec<Diagnostic> {
    let syntax = reading.syntax;
    let is_other = matches!(syntax, Syntax::Att | Syntax::Go);
    if is_other || reading.separates || !text.contains(';') {
        return Vec::new();
    }
    let choice = Choice::new(syntax, false, text.lines());
    if choice.neutral == Syntax::Att || choice.is_go_text() {
        return Vec::new();
    }
    let mut coder = Coder::default();
    let sources = nasm::sources(text.lines());
    let remark = |(number, (line, source)): (u32, (&str, &str))| {
        let at = line.find(';')?;
        let (before, behind) = (&line[..at], line[at..].trim_start_matches(';'));
        // Where data are `db`, nothing but a comment begins with `;`.
        let is_data = before.split_whitespace().any(|word| word == "db");
        let is_code = !source.trim_start().starts_with(';')
            && !before.trim().is_empty()
            && !before.contains(['"', '\'', '#'])
            && !is_data;
        let first = behind.split_whitespace().next()?;
        if !is_code || line[at..].starts_with(";!") || !encode::knows(&first.to_ascii_lowercase()) {
            return None;
        }
        let part = line.len() - behind.len()..line.len();
        is_instruction(line, part, &choice, &mut coder).then(|| {
            let span = Span {
                column: before.chars().count() as u32 + 1,
                width: line[at..].trim_end().chars().count() as u32,
            };
            let line = SourceLine {
                number,
                text: line.to_owned(),
            };
            Problem::new(span, "`;` begins a comment here, and an instruction stands in it")
                .help("write it on a line of its own, or have it read so with `--separator ';'`; in AT&T text `;` separates instructions")
                .at(reading.file, &line)
        })
    };
    (1..)
        .zip(text.lines().zip(sources))
        .filter_map(remark)
        .collect()
}

/// Whether a part of a line is one instruction, whose operands say more than words do.
fn is_instruction(
    line: &str,
    part: std::ops::Range<usize>,
    choice: &Choice,
    coder: &mut Coder,
) -> bool {
    let offsets = Offsets::default();
    let no_hash = |_: &str| Err(String::new());
    let mut around = Around::new(&no_hash, &offsets);
    let mut made = Vec::new();
    let parsed = read::parse(line, part, choice, &mut around, &mut Vec::new(), &mut made);
    let [Statement::Inst(inst)] = &made[..] else {
        return false;
    };
    let is_word = |kind: &OperandKind<'_>| matches!(kind, OperandKind::Target(_));
    parsed.is_ok()
        && !inst.operands.iter().any(|operand| is_word(&operand.kind))
        && encode::encode(inst, coder).is_ok()
}
