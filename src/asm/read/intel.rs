//! Intel syntax: the operands of one instruction.
//!
//! Correct means: what NASM, MASM and GNU as in Intel mode agree on is read as they read it; what
//! they read differently must be written out.

use iced_x86::Register;

use super::decor::decoration;
use super::expression::Cursor;
use super::lexer::Token;
use super::operand::operand;
use crate::asm::inst::{Inst, Operand, OperandKind};
use crate::asm::problem::Problem;

/// What stands behind the mnemonic.
pub(super) fn operands<'a>(
    cursor: &mut Cursor<'_, 'a>,
    inst: &mut Inst<'a>,
) -> Result<(), Problem> {
    listed(cursor, inst)?;
    if inst.form.displacement == Some(64) {
        inst.form.displacement = None;
        let is_accumulator = |operand: &Operand<'_>| {
            let register = operand.kind.register().map(Register::full_register);
            register == Some(Register::RAX) && operand.kind.register() != Some(Register::AH)
        };
        // Other registers have 32 bits of it, and so it is for them to fit.
        if inst.operands.iter().any(is_accumulator) {
            inst.mnemonic = "movabs".into();
        }
    }
    Ok(())
}

fn listed<'a>(cursor: &mut Cursor<'_, 'a>, inst: &mut Inst<'a>) -> Result<(), Problem> {
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
