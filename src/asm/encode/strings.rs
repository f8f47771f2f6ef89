//! String instructions, and those that wait for memory, with their operands written out, which are fixed.
//!
//! Correct means: the operands are exactly those that the instruction has, and their width is the
//! letter that it is encoded by.

use std::borrow::Cow;

use iced_x86::Register;

use crate::asm::inst::{Inst, Mem, Operand, OperandKind, Prefix};
use crate::asm::problem::Problem;

/// Their names without a width.
const NAMES: [&str; 8] = [
    "movs", "stos", "lods", "scas", "cmps", "ins", "outs", "xlat",
];

/// Whether it is one of them.
pub(in crate::asm) fn is_string(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The instruction without the operands that go without saying.
pub(in crate::asm) fn implicit<'i, 'a>(inst: &'i Inst<'a>) -> Result<Cow<'i, Inst<'a>>, Problem> {
    let name = &*inst.mnemonic;
    if matches!(name, "monitor" | "mwait" | "monitorx" | "mwaitx")
        && inst.operands.iter().all(is_fixed)
    {
        let mut implicit = inst.clone();
        implicit.operands.clear();
        return Ok(Cow::Owned(implicit));
    }
    // Their address is in the accumulator, which some write, and of 32 bits where that is half of it.
    if let ("clzero", [address]) | ("invlpga", [address, _]) = (name, &inst.operands[..])
        && let Some(address @ (Register::RAX | Register::EAX)) = address.kind.register()
        && (inst.operands.iter().skip(1)).all(|one| one.kind.register() == Some(Register::ECX))
    {
        let mut implicit = inst.clone();
        implicit.operands.clear();
        if address == Register::EAX {
            implicit.prefixes.push((Prefix::Raw(0x67), inst.span));
        }
        return Ok(Cow::Owned(implicit));
    }
    // Most names are told from these by one letter.
    let may_be = name.len() < 6
        && (name.as_bytes().get(3) == Some(&b's')
            || name.starts_with("ins")
            || name.starts_with("xlat"));
    if !may_be {
        return Ok(Cow::Borrowed(inst));
    }
    let stem = NAMES.iter().find(|stem| name.starts_with(**stem));
    let Some((stem, rest)) = stem.map(|stem| (*stem, &name[stem.len()..])) else {
        return Ok(Cow::Borrowed(inst));
    };
    if !matches!(rest, "" | "b" | "w" | "d" | "q")
        || rest.is_empty() && stem == "xlat" && inst.operands.is_empty()
    {
        return Ok(Cow::Borrowed(inst));
    }
    if inst.operands.is_empty() {
        return match rest {
            "" => Err(
                Problem::new(inst.span, format!("the width of `{name}` is missing")).help(format!(
                    "write {stem}b, {stem}w, {stem}d or {stem}q, or its operands with a size word"
                )),
            ),
            _ => Ok(Cow::Borrowed(inst)),
        };
    }
    let Some(bits) = width(stem, rest, &inst.operands) else {
        return Ok(Cow::Borrowed(inst));
    };
    let letter = match bits {
        8 => "b",
        16 => "w",
        32 => "d",
        _ => "q",
    };
    let mut implicit = inst.clone();
    let narrow = inst
        .operands
        .iter()
        .filter(|operand| has_half_address(operand));
    match (
        narrow.count(),
        inst.operands.iter().filter(is_memory).count(),
    ) {
        (0, _) => {}
        (narrow, all) if narrow == all => implicit.prefixes.push((Prefix::Raw(0x67), inst.span)),
        // One address size is of both.
        _ => return Ok(Cow::Borrowed(inst)),
    }
    if inst.operands.iter().any(is_thread) {
        implicit.prefixes.push((Prefix::Raw(0x65), inst.span));
    }
    implicit.operands.clear();
    implicit.mnemonic = match stem {
        "xlat" => "xlatb".into(),
        _ => format!("{stem}{letter}").into(),
    };
    Ok(Cow::Owned(implicit))
}

fn is_memory(operand: &&Operand<'_>) -> bool {
    matches!(operand.kind, OperandKind::Memory(_))
}

/// Whether it is memory of Go's thread.
fn is_thread(operand: &Operand<'_>) -> bool {
    matches!(&operand.kind, OperandKind::Memory(mem) if mem.segment == Some(Register::GS))
}

/// Whether it is memory at a 32-bit register.
fn has_half_address(operand: &Operand<'_>) -> bool {
    matches!(&operand.kind, OperandKind::Memory(mem) if mem.base.is_some_and(|base| base.is_gpr32()))
}

/// The registers that a wait for memory has.
fn is_fixed(operand: &Operand<'_>) -> bool {
    matches!(
        operand.kind.register(),
        Some(Register::RAX | Register::EAX | Register::ECX | Register::EDX | Register::EBX)
    )
}

/// The width of the operands, where they are those of the instruction.
fn width(stem: &str, letter: &str, operands: &[Operand<'_>]) -> Option<u32> {
    use Register as R;
    let source = |operand: &Operand<'_>| at(operand, R::RSI, &[None, Some(R::DS), Some(R::GS)]);
    let target = |operand: &Operand<'_>| at(operand, R::RDI, &[None, Some(R::ES)]);
    let table = |operand: &Operand<'_>| at(operand, R::RBX, &[None, Some(R::DS), Some(R::GS)]);
    let value = |operand: &Operand<'_>| match operand.kind.register()? {
        R::AL => Some(Some(8)),
        R::AX => Some(Some(16)),
        R::EAX => Some(Some(32)),
        R::RAX => Some(Some(64)),
        _ => None,
    };
    let port = |operand: &Operand<'_>| (operand.kind.register() == Some(R::DX)).then_some(None);
    let widths = match (stem, operands) {
        ("movs", [to, from]) => [target(to)?, source(from)?],
        ("cmps", [from, to]) => [source(from)?, target(to)?],
        ("stos", [to, from]) => [target(to)?, value(from)?],
        ("stos" | "scas", [to]) => [target(to)?, None],
        ("lods", [to, from]) => [value(to)?, source(from)?],
        ("lods", [from]) => [source(from)?, None],
        ("scas", [from, to]) => [value(from)?, target(to)?],
        ("ins", [to, from]) => [target(to)?, port(from)?],
        ("outs", [to, from]) => [port(to)?, source(from)?],
        ("xlat", [from]) => [table(from)?, Some(8)],
        _ => return None,
    };
    let of_letter = match letter {
        "b" => Some(8),
        "w" => Some(16),
        "d" => Some(32),
        "q" => Some(64),
        _ => None,
    };
    let mut known = widths.into_iter().chain([of_letter]).flatten();
    let first = known.next()?;
    known.all(|bits| bits == first).then_some(first)
}

/// The width of memory at a register alone, where it has one.
fn at(
    operand: &Operand<'_>,
    register: Register,
    segments: &[Option<Register>],
) -> Option<Option<u32>> {
    let OperandKind::Memory(Mem {
        bits,
        segment,
        base,
        index: None,
        displacement: 0,
        target: None,
        ..
    }) = &operand.kind
    else {
        return None;
    };
    let is_own = base.is_some_and(|base| base.full_register() == register);
    (is_own && segments.contains(segment)).then_some(*bits)
}
