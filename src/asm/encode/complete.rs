//! What a spelling leaves to the reader is written out, and what it says twice is taken once.
//!
//! Correct means: what comes out is the instruction that manuals and other assemblers read in the text, and every
//! operand that is added or widened is one that no other reading has.

use std::borrow::Cow;

use iced_x86::Register;

use crate::asm::inst::{Inst, Operand, OperandKind, Prefix};
use crate::asm::problem::Span;

/// Writes out what a spelling leaves to the reader.
pub(in crate::asm) fn complete<'i, 'a>(
    inst: &'i Inst<'a>,
    name: &str,
    implied: Option<u8>,
) -> Cow<'i, Inst<'a>> {
    let mut inst = Cow::Borrowed(inst);
    let constant = |value: u8, inst: &mut Cow<'_, Inst<'a>>| {
        let operand = Operand {
            kind: OperandKind::Immediate {
                value: i128::from(value),
                bits: None,
            },
            span: inst.whole(),
        };
        inst.to_mut().operands.push(operand);
    };
    let shifts = matches!(name, "rol" | "ror" | "rcl" | "rcr" | "shl" | "shr" | "sar");
    if let Some(value) = implied {
        constant(value, &mut inst);
    } else if shifts && inst.operands.len() == 1 {
        constant(1, &mut inst);
    } else if name == "imul"
        && let [
            first,
            Operand {
                kind: OperandKind::Immediate { .. },
                ..
            },
        ] = &inst.operands[..]
        && first.kind.register().is_some()
    {
        let first = first.clone();
        inst.to_mut().operands.insert(1, first);
    }
    unwritten(&mut inst, name);
    read_alike(&mut inst, name);
    widths(&mut inst, name);
    inst
}

/// Registers that some leave out and others write.
fn unwritten(inst: &mut Cow<'_, Inst<'_>>, name: &str) {
    let here = inst.whole();
    let register = |register| Operand {
        kind: OperandKind::Register(register),
        span: here,
    };
    let of = |at: usize, inst: &Inst<'_>| inst.operands.get(at).and_then(|one| one.kind.register());
    match (name, inst.operands.len()) {
        ("shld" | "shrd", 2) => inst.to_mut().operands.push(register(Register::CL)),
        // NASM leaves out a source that is the destination, too.
        ("vpinsrb" | "vpinsrw" | "vpinsrd" | "vpinsrq", 3)
        | ("vcvtsi2sd" | "vcvtsi2ss" | "vcvtss2sd" | "vcvtsd2ss", 2)
        | ("vmovhpd" | "vmovlpd" | "vmovhps" | "vmovlps", 2)
            if !inst.form.is_att && of(0, inst).is_some_and(Register::is_xmm) =>
        {
            let to = inst.operands[0].clone();
            inst.to_mut().operands.insert(1, to);
        }
        // The counter, which NASM lets one write.
        ("loop" | "loope" | "loopne", 2) if let Some(counter) = of(1, inst) => {
            let is_half = counter == Register::ECX;
            if is_half || counter == Register::RCX {
                let inst = inst.to_mut();
                inst.operands.pop();
                let half = (Prefix::Raw(0x67), here);
                if is_half && !inst.prefixes.iter().any(|(prefix, _)| *prefix == half.0) {
                    inst.prefixes.push(half);
                }
            }
        }
        // What is divided is the accumulator, of the width of the divisor.
        ("div" | "idiv", 2) if let Some(top) = of(0, inst) => {
            let is_accumulator = matches!(
                top,
                Register::AL | Register::AX | Register::EAX | Register::RAX
            );
            let bits = 8 * top.size() as u32;
            let is_alike = match &inst.operands[1].kind {
                OperandKind::Register(by) => by.size() == top.size(),
                OperandKind::Memory(mem) => mem.bits.is_none_or(|own| own == bits),
                _ => false,
            };
            if is_accumulator && is_alike {
                let inst = inst.to_mut();
                inst.operands.remove(0);
                if let OperandKind::Memory(mem) = &mut inst.operands[0].kind {
                    mem.bits = Some(bits);
                }
            }
        }
        _ => {}
    }
}

/// Operands of which fewer bits are read than their names have, or as many whatever the names say.
fn read_alike(inst: &mut Cow<'_, Inst<'_>>, name: &str) {
    let [first, second] = &inst.operands[..] else {
        return;
    };
    let register = |operand: &Operand<'_>| operand.kind.register();
    match name {
        // The selector is the low 16 bits, and the encoding has no word for its width.
        "lar" | "lsl" => {
            let wide = match register(first) {
                Some(to) if to.is_gpr32() => Register::EAX,
                Some(to) if to.is_gpr64() => Register::RAX,
                _ => return,
            };
            if let Some(from) = register(second).filter(|from| from.is_gpr16()) {
                let wide = wide + from.number() as u32;
                inst.to_mut().operands[1].kind = OperandKind::Register(wide);
            }
        }
        // Of memory 16 bits are moved with and without the prefix for 64.
        "mov" if !inst.form.is_att => {
            let (Some(memory), Some(_)) = (
                inst.operands.iter().position(
                    |one| matches!(&one.kind, OperandKind::Memory(mem) if mem.bits == Some(64)),
                ),
                inst.operands
                    .iter()
                    .filter_map(register)
                    .find(|one| one.is_segment_register()),
            ) else {
                return;
            };
            if let OperandKind::Memory(mem) = &mut inst.to_mut().operands[memory].kind {
                mem.bits = Some(16);
            }
        }
        _ => {}
    }
}

/// The instruction by iced's name, where it has another one for these operands: `movd` of a 64-bit register is `movq`, as
/// everybody but Intel reads it (AMD's manual, volume 5, MOVD).
pub(in crate::asm) fn renamed<'i, 'a>(inst: Cow<'i, Inst<'a>>) -> Cow<'i, Inst<'a>> {
    let name = match &*inst.mnemonic {
        "movd" => "movq",
        "vmovd" => "vmovq",
        _ => return inst,
    };
    let registers = || inst.operands.iter().filter_map(|one| one.kind.register());
    let is_wide =
        registers().any(Register::is_gpr64) && registers().any(|one| one.is_mm() || one.is_xmm());
    if !is_wide {
        return inst;
    }
    let mut inst = inst.into_owned();
    inst.mnemonic = name.into();
    Cow::Owned(inst)
}

/// The width that a word in front of a number gives to memory, and the length that padding asks for.
fn widths(inst: &mut Cow<'_, Inst<'_>>, name: &str) {
    let sized = |operand: &Operand<'_>| match operand.kind {
        OperandKind::Immediate { bits, .. } => bits,
        _ => None,
    };
    if let Some(bits) = inst.operands.iter().find_map(sized) {
        let is_open = |operand: &Operand<'_>| matches!(&operand.kind, OperandKind::Memory(mem) if mem.bits.is_none());
        let is_register = |operand: &Operand<'_>| operand.kind.register().is_some();
        // Beside a register, as in `imul eax, [rdi], byte 16`, it is the width of the number alone.
        let gives = inst.operands.iter().any(is_open) && !inst.operands.iter().any(is_register);
        // 64 bits are pushed however the number is written.
        if gives || name == "push" && bits == 64 {
            for operand in &mut inst.to_mut().operands {
                match &mut operand.kind {
                    OperandKind::Memory(mem) => mem.bits = mem.bits.or(Some(bits)),
                    OperandKind::Immediate { bits, .. } => *bits = None,
                    _ => {}
                }
            }
        }
    }
    // A byte is pushed as a word where it is one, for a number of 16 bits behind this prefix holds decoders up.
    let is_byte = |one: &Operand<'_>| {
        let OperandKind::Immediate { value, bits } = one.kind else {
            return false;
        };
        bits == Some(16) && (-128..=127).contains(&value)
    };
    if name == "push" && inst.operands.iter().any(is_byte) {
        let inst = inst.to_mut();
        for operand in &mut inst.operands {
            if let OperandKind::Immediate { bits, .. } = &mut operand.kind {
                *bits = None;
            }
        }
        inst.prefixes.push((Prefix::Raw(0x66), inst.span));
    }
    // What lengthens a nop is written for its length alone.
    if inst.is_padding() && inst.form.displacement.is_none() && inst.form.length.is_none() {
        let is_segment = |(prefix, _): &(Prefix, Span)| *prefix == Prefix::Raw(0x2e);
        let is_longest = inst.prefixes.iter().any(is_segment);
        inst.to_mut().form.displacement = Some(if is_longest { 32 } else { 8 });
    }
}
