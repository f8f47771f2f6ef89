//! Intel syntax: one statement.
//!
//! Correct means: what NASM, MASM and GNU as in Intel mode agree on is read as they read it; what
//! they read differently must be written out.

use super::data::count;
use super::decor::decoration;
use super::directive::{Directive, directive};
use super::expression::Cursor;
use super::lexer::Token;
use super::operand::operand;
use super::prefix::{Begun, hint, prefixes};
use crate::asm::inst::{Inst, OperandKind, Repeated, Statement, Times};
use crate::asm::problem::{Problem, Span};

/// What stands behind the labels.
pub(super) fn statement<'a>(
    cursor: &mut Cursor<'_, 'a>,
    begun: &mut Begun,
    statements: &mut Vec<Statement<'a>>,
) -> Result<(), Problem> {
    if begun.is_none() {
        match directive(cursor)? {
            Directive::No => {}
            Directive::Passed => {
                cursor.finish();
                return Ok(());
            }
            Directive::Made(made) => {
                statements.extend(made);
                return Ok(());
            }
        }
        if cursor.word().as_deref() == Some("times") {
            let start = cursor.span();
            cursor.advance();
            statements.push(times(cursor, start)?);
            return Ok(());
        }
    }
    let Some(mut inst) = prefixes(cursor, begun)? else {
        return Ok(());
    };
    hint(cursor, &mut inst);
    operands(cursor, &mut inst)?;
    statements.push(Statement::Inst(inst));
    Ok(())
}

fn operands<'a>(cursor: &mut Cursor<'_, 'a>, inst: &mut Inst<'a>) -> Result<(), Problem> {
    let mut rounded = None;
    while !cursor.is_done() {
        // `{sae}` and `{rn-sae}` stand where an operand would.
        let has_operand = cursor.peek() != Some(&Token::Mark('{'));
        if has_operand {
            let operand = operand(cursor, inst)?;
            if inst.operands.len() == 5 {
                return Err(Problem::new(
                    operand.span,
                    "no instruction takes more than five operands",
                ));
            }
            if let Some(span) = rounded
                && !matches!(operand.kind, OperandKind::Immediate { .. })
            {
                let message = "rounding belongs behind the last register";
                return Err(
                    Problem::new(span, message).help("write vaddps zmm1, zmm2, zmm3{rn-sae}")
                );
            }
            inst.operands.push(operand);
        }
        while cursor.peek() == Some(&Token::Mark('{')) {
            let span = cursor.span();
            let was_rounded = inst.decor.is_rounded();
            decoration(cursor, inst, |inst| inst.operands.len() == 1)?;
            if has_operand && inst.decor.is_rounded() && !was_rounded {
                rounded = Some(span.to(cursor.last_span()));
            }
        }
        if cursor.is_done() {
            return Ok(());
        }
        comma(cursor)?;
    }
    Ok(())
}

/// The comma between two operands.
pub(super) fn comma(cursor: &mut Cursor<'_, '_>) -> Result<(), Problem> {
    cursor.expect(',').map_err(|problem| Problem {
        message: "expected a comma or the end of the line here".into(),
        ..problem
    })?;
    if !cursor.is_done() {
        return Ok(());
    }
    let problem = Problem::new(cursor.last_span(), "an operand is missing after the comma");
    Err(match cursor.around.has_hash_comment {
        true => problem
            .help("`#` begins a comment here, and numbers have none in front: write `mov eax, 5`"),
        false => problem,
    })
}

/// What follows `times`, which stands at `start`.
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
    statement(cursor, &mut None, &mut made)?;
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
