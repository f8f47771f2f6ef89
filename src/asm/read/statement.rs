//! One statement, up to its operands: what all syntaxes share.
//!
//! Correct means: prefixes that nothing follows in their statement belong to the next one, and are bytes
//! where that is no instruction.

use super::data::count;
use super::directive::{Directive, data_width, directive, reserved_width};
use super::expression::Cursor;
use super::lexer::Token;
use super::prefix::{Begun, hint, prefixes};
use super::{att, intel};
use crate::asm::encode;
use crate::asm::inst::{Inst, Operand, OperandKind, Prefix, Repeated, Statement, Times};
use crate::asm::problem::{Problem, Span, is_near};
use crate::asm::registers::{lower, register};

/// What stands behind the labels.
pub(super) fn statement<'a>(
    cursor: &mut Cursor<'_, 'a>,
    begun: &mut Begun,
    statements: &mut Vec<Statement<'a>>,
) -> Result<(), Problem> {
    if let Some(label) = local_label(cursor) {
        statements.extend(begun.bytes());
        statements.push(label);
        cursor.advance();
        return match cursor.is_done() {
            true => Ok(()),
            false => statement(cursor, begun, statements),
        };
    }
    match directive(cursor)? {
        Directive::No => {}
        Directive::Passed => {
            cursor.finish();
            return Ok(());
        }
        Directive::Made(made) => {
            statements.extend(begun.bytes());
            statements.extend(made);
            return Ok(());
        }
    }
    if !cursor.is_att && cursor.word().as_deref() == Some("times") {
        statements.extend(begun.bytes());
        let start = cursor.span();
        cursor.advance();
        statements.push(times(cursor, start)?);
        return Ok(());
    }
    let first = cursor.peek();
    let Some(mut inst) = prefixes(cursor, begun)? else {
        if begun.ends_in_rex() {
            statements.extend(begun.bytes());
        }
        return Ok(());
    };
    if let Some(problem) = bare_label(cursor, &inst) {
        let is_alone = inst.prefixes.is_empty() && statements.is_empty();
        return match first {
            Some(Token::Word(name)) if is_alone && may_be_label(cursor, &inst) => {
                statements.push(Statement::Label(name, inst.span));
                statement(cursor, begun, statements)
            }
            _ => Err(problem),
        };
    }
    hint(cursor, &mut inst);
    match cursor.is_att {
        true => att::operands(cursor, &mut inst)?,
        false => intel::operands(cursor, &mut inst)?,
    }
    if cursor.around.is_msvc {
        as_microsoft(&mut inst);
    }
    statements.push(Statement::Inst(inst));
    Ok(())
}

/// What Microsoft's compiler prints in its text, and what stands in the object beside it (`/FAc`).
fn as_microsoft(inst: &mut Inst<'_>) {
    let is_zero =
        |operand: &Operand<'_>| matches!(operand.kind, OperandKind::Immediate { value: 0, .. });
    if inst.mnemonic == "ret" && inst.operands.len() == 1 && is_zero(&inst.operands[0]) {
        inst.operands.clear();
    }
}

/// A label without a colon and with a dot in front, which NASM has no directives with.
fn local_label<'a>(cursor: &Cursor<'_, 'a>) -> Option<Statement<'a>> {
    let Some(Token::Word(name)) = cursor.peek().filter(|_| cursor.around.is_nasm) else {
        return None;
    };
    let begins = match cursor.peek_second() {
        None => true,
        Some(Token::Word(word)) => {
            let word = lower(word);
            encode::knows(&word)
                || Prefix::from_word(&word).is_some()
                || data_width(&word).is_some()
                || reserved_width(&word).is_some()
                || word == "times"
        }
        Some(_) => false,
    };
    (name.starts_with('.') && begins).then(|| Statement::Label(name, cursor.span()))
}

/// Whether a word in front of an instruction is a label: in NASM's text, where it is no prefix with a typing error.
fn may_be_label(cursor: &Cursor<'_, '_>, inst: &Inst<'_>) -> bool {
    const PREFIXES: [&str; 10] = [
        "lock", "rep", "repe", "repz", "repne", "repnz", "notrack", "bnd", "xacquire", "xrelease",
    ];
    let name = &*inst.mnemonic;
    cursor.around.is_nasm && register(name).is_none() && !is_near(name, PREFIXES.into_iter())
}

/// What a label without its colon would be told.
fn bare_label(cursor: &Cursor<'_, '_>, inst: &Inst<'_>) -> Option<Problem> {
    let word = cursor.word().filter(|_| !cursor.is_att)?;
    let begins = encode::knows(&word) || Prefix::from_word(&word).is_some();
    (begins && !encode::knows(&inst.mnemonic)).then(|| {
        let message = format!("unknown instruction `{}`", inst.mnemonic);
        Problem::new(inst.span, message).help(format!(
            "a label has a colon behind it: `{}:`",
            inst.mnemonic
        ))
    })
}

/// What follows NASM's `times`, which stands at `start`.
fn times<'a>(cursor: &mut Cursor<'_, 'a>, start: Span) -> Result<Statement<'a>, Problem> {
    let count = count(cursor, "times")?;
    let here = cursor.span();
    let twice = |word: &str, help: &str| {
        Err(Problem::new(here, format!("`times` does not repeat `{word}`")).help(help))
    };
    let word = cursor.word();
    if word.as_deref() == Some("times") {
        return twice("times", "multiply the numbers, as in `times 2 * 3 nop`");
    }
    let mut made = Vec::new();
    let mut begun = Begun::default();
    statement(cursor, &mut begun, &mut made)?;
    made.extend(begun.bytes());
    let what = match (made.pop(), made.pop()) {
        (Some(Statement::Inst(inst)), None) => Repeated::Inst(inst),
        (Some(Statement::Data(data)), None) => Repeated::Data(data),
        (Some(Statement::Reserve(bytes, _)), None) => {
            let all = bytes.saturating_mul(count);
            return Ok(Statement::Reserve(all, start.to(cursor.last_span())));
        }
        _ => {
            let help = "put it on a line of its own, without `times`";
            return twice(word.as_deref().unwrap_or("this"), help);
        }
    };
    Ok(Statement::Times(Box::new(Times {
        count,
        span: start.to(cursor.last_span()),
        what,
    })))
}
