//! Which prefixes and decorations an instruction takes.
//!
//! Correct means: what does not go together is refused by the name of the prefix, and one that says a width stands
//! only where nothing says another one.

use iced_x86::{Code, Register};

use super::forms::Form;
use super::refuse;
use crate::asm::inst::{Inst, Operand, OperandKind, Prefix};
use crate::asm::problem::Problem;

/// The encoder writes any prefix before anything, so what goes together is decided here.
pub(in crate::asm) fn check_prefixes(inst: &Inst<'_>, form: &Form) -> Result<(), Problem> {
    let info = form.info;
    let first_is_memory = matches!(
        inst.operands.first(),
        Some(Operand {
            kind: OperandKind::Memory(_),
            ..
        })
    );
    let is_memory = |operand: &Operand<'_>| matches!(operand.kind, OperandKind::Memory(_));
    let is_without_memory = !inst.operands.iter().any(is_memory);
    let is_target = |operand: &Operand<'_>| matches!(operand.kind, OperandKind::Target(_));
    let says_no_width = inst.operands.iter().all(is_target);
    for (prefix, span) in &inst.prefixes {
        let allowed = match prefix {
            Prefix::Lock => info.can_use_lock_prefix() && first_is_memory,
            // Old branch predictors wanted a two-byte return. GCC writes `rep bsf` for `tzcnt` where an old processor
            // may read BSF, which is the same of all but zero.
            Prefix::Rep => {
                info.can_use_rep_prefix()
                    || info.code() == Code::Retnq
                    || repeats(&inst.mnemonic)
                    || inst.mnemonic == "bsf"
            }
            // It repeats those that compare nothing, too.
            Prefix::Repne => info.can_use_repne_prefix() || form.is_string(),
            Prefix::Notrack => info.can_use_notrack_prefix(),
            Prefix::Bnd => info.can_use_bnd_prefix(),
            Prefix::Segment(_) => is_without_memory && !form.has_fixed_memory(),
            Prefix::Raw(_) => true,
            // NASM drops the 66 of `o32 cbw`, which makes another instruction of it.
            Prefix::Operands32 => {
                let is_half = |operand: &Operand<'_>| match &operand.kind {
                    OperandKind::Register(register) => register.is_gpr32(),
                    OperandKind::Memory(_) => false,
                    OperandKind::Immediate { .. } | OperandKind::Target(_) => true,
                };
                let has_half = inst.operands.first().is_some_and(is_half);
                (says_no_width || has_half && inst.operands.iter().all(is_half))
                    && info.operand_size() != 16
                    && info.w() == 0
            }
            Prefix::Operands64 => says_no_width && info.operand_size() != 16,
            Prefix::Addresses64 => {
                info.address_size() != 32 && !inst.operands.iter().any(has_half_address)
            }
        };
        if !allowed {
            return Err(refuse::prefix(inst, *prefix, *span));
        }
        if *prefix == Prefix::Notrack {
            refuse::notrack_segment(inst)?;
        }
    }
    let decor = &inst.decor;
    // Memory keeps the elements that the mask leaves out.
    let takes_zeroing = info.can_use_zeroing_masking() && !first_is_memory;
    let allowed = (decor.mask.is_none() || info.can_use_op_mask_register())
        && (decor.mask.is_some() || !info.require_op_mask_register())
        && (decor.zeroing.is_none() || takes_zeroing && decor.mask.is_some())
        && (decor.rounding.is_none() || form.takes_rounding() && is_without_memory)
        && (!decor.exact || info.can_suppress_all_exceptions() && is_without_memory);
    if allowed {
        Ok(())
    } else {
        let needs_mask = info.require_op_mask_register();
        Err(refuse::decoration(inst, needs_mask, takes_zeroing))
    }
}

/// Whether the prefix that repeats is a part of the instruction: VIA's, written with it or without.
fn repeats(name: &str) -> bool {
    name.starts_with("xcrypt") || matches!(name, "xsha1" | "xsha256" | "xstore" | "montmul")
}

/// Whether it is memory at an address of 32 bits.
fn has_half_address(operand: &Operand<'_>) -> bool {
    let OperandKind::Memory(mem) = &operand.kind else {
        return false;
    };
    let mut registers = mem.base.into_iter().chain(mem.index);
    registers.any(Register::is_gpr32)
}
