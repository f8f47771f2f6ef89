//! What stands in braces behind an operand.
//!
//! Correct means: a decoration is the one that was written, where it can be, and at most once.

use iced_x86::{Register, RoundingControl};

use super::expression::Cursor;
use crate::asm::inst::{Broadcast, Inst, Operand, OperandKind};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::register;

/// `{k1}`, `{z}`, `{1to8}`, `{sae}` or `{rn-sae}`.
///
/// `is_destination` tells whether the last operand is the destination, for all that is known.
pub(in crate::asm) fn decoration(
    cursor: &mut Cursor<'_, '_>,
    inst: &mut Inst<'_>,
    is_destination: impl Fn(&Inst<'_>) -> bool,
) -> Result<(), Problem> {
    let start = cursor.span();
    cursor.expect('{')?;
    // AT&T syntax marks the mask register.
    let is_marked = cursor.is_att && cursor.take('%');
    let mut word = cursor.word().unwrap_or_default();
    cursor.advance();
    if cursor.take('-') {
        word = format!("{word}-{}", cursor.word().unwrap_or_default()).into();
        cursor.advance();
    }
    cursor.expect('}')?;
    let here = start.to(cursor.last_span());
    let is_behind_destination = is_destination(inst);
    if cursor.is_att && !is_marked && register(&word).is_some() {
        return Err(
            Problem::new(here, "a register has a `%` in front in AT&T syntax")
                .help(format!("write {{%{word}}}")),
        );
    }
    let decor = &mut inst.decor;
    let before = *decor;
    decor.span.get_or_insert(here);
    match &*word {
        "z" => {
            check_place(here, is_behind_destination, before.zeroing.is_some())?;
            decor.zeroing = Some(here);
        }
        "sae" => decor.exact = true,
        "rn-sae" => decor.rounding = Some(RoundingControl::RoundToNearest),
        "rd-sae" => decor.rounding = Some(RoundingControl::RoundDown),
        "ru-sae" => decor.rounding = Some(RoundingControl::RoundUp),
        "rz-sae" => decor.rounding = Some(RoundingControl::RoundTowardZero),
        _ => {
            if let Some(mask) =
                register(&word).filter(|register| register.is_k() && *register != Register::K0)
            {
                check_place(here, is_behind_destination, before.mask.is_some())?;
                decor.mask = Some(mask);
                return Ok(());
            }
            if let Some(count) = word
                .strip_prefix("1to")
                .and_then(|count| count.parse().ok())
                && let Some(Operand {
                    kind: OperandKind::Memory(mem),
                    ..
                }) = inst.operands.last_mut()
            {
                return match mem.broadcast.replace(Broadcast::Times(count)) {
                    None => Ok(()),
                    Some(_) => Err(twice(here)),
                };
            }
            return Err(Problem::new(here, format!("unknown decoration `{{{word}}}`"))
                .help("known are {k1} to {k7}, {z}, {1to2} to {1to32} after memory, {sae} and {rn-sae}, {rd-sae}, {ru-sae}, {rz-sae}"));
        }
    }
    if word.ends_with("sae") && (before.exact || before.rounding.is_some()) {
        return Err(twice(here));
    }
    Ok(())
}

/// Refuses a mask or `{z}` that is not the destination's own, or not the first.
fn check_place(here: Span, is_behind_destination: bool, is_second: bool) -> Result<(), Problem> {
    if !is_behind_destination {
        return Err(Problem::new(
            here,
            "masks and {z} belong to the destination, the first operand",
        )
        .help("write vaddpd zmm1{k1}{z}, zmm2, zmm3"));
    }
    if is_second {
        return Err(twice(here));
    }
    Ok(())
}

/// A decoration where one of its kind stands already.
fn twice(here: Span) -> Problem {
    Problem::new(here, "an instruction takes one decoration of a kind")
        .help("leave out one of the two")
}
