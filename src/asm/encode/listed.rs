//! An instruction whose bytes a listing shows.
//!
//! Correct means: the bytes are taken as they stand, and only where they and the text say the same.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use super::emit::{Coder, Encoded, Field, Width};
use super::{Choice, encode};
use crate::asm::inst::{Inst, Name, OperandKind};
use crate::asm::listing::disassemble;
use crate::asm::problem::Problem;

/// The encoding that the listing shows.
pub(in crate::asm) fn listed(
    inst: &Inst<'_>,
    bytes: &[u8],
    coder: &mut Coder,
) -> Result<Choice, Problem> {
    let shown = decode(bytes);
    let choice = encode(inst, coder)?;
    let candidates = [&choice.long, &choice.short];
    let is_same = |own: &Encoded| {
        // Some, as `fstsw`, are two to the decoder.
        own.bytes() == bytes
            || shown.len() == bytes.len() && same(&decode(own.bytes()), &shown, inst)
    };
    let is_same = candidates.into_iter().flatten().any(is_same);
    if !is_same {
        let first = bytes.get(..shown.len()).unwrap_or_default();
        if first.len() < bytes.len() && listed(inst, first, coder).is_ok() {
            return Err(more(inst, first.len(), bytes));
        }
        let own = choice.long.or(choice.short).unwrap_or_default();
        return Err(contradiction(inst, bytes, own.bytes()));
    }
    Ok(Choice {
        short: None,
        long: Some(Encoded::new(bytes, field(inst, bytes))),
    })
}

fn decode(bytes: &[u8]) -> Instruction {
    Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode()
}

/// The field of the instruction's target.
fn field(inst: &Inst<'_>, bytes: &[u8]) -> Option<Field> {
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let decoded = decoder.decode();
    let offsets = decoder.get_constant_offsets(&decoded);
    let target = inst
        .operands
        .iter()
        .find(|operand| operand.kind.target().is_some())?;
    let (offset, size) = match target.kind {
        // A variable of a debugger lies in the stack.
        OperandKind::Memory(_)
            if !decoded.is_ip_rel_memory_operand() && offsets.displacement_size() < 8 =>
        {
            return None;
        }
        OperandKind::Memory(_) => (offsets.displacement_offset(), offsets.displacement_size()),
        _ => (offsets.immediate_offset(), offsets.immediate_size()),
    };
    let width = match size {
        1 => Width::Rel8,
        4 => Width::Rel32,
        8 => Width::Abs64,
        _ => return None,
    };
    Some(Field {
        offset: offset as u8,
        width,
    })
}

/// Whether two instructions do the same: prefixes without effect and the choice among encodings
/// count for nothing, and neither does the field of a target.
fn same(one: &Instruction, other: &Instruction, inst: &Inst<'_>) -> bool {
    let has_target = inst
        .operands
        .iter()
        .any(|operand| operand.kind.target().is_some());
    let commute = matches!(one.mnemonic(), Mnemonic::Xchg | Mnemonic::Test);
    let flags = |of: &Instruction| {
        (
            of.has_lock_prefix(),
            of.op_mask(),
            of.zeroing_masking(),
            of.rounding_control(),
            of.suppress_all_exceptions(),
            of.is_broadcast(),
        )
    };
    if is_moved_alike(one, other) {
        return true;
    }
    if one.mnemonic() != other.mnemonic()
        || one.op_count() != other.op_count()
        || flags(one) != flags(other)
    {
        return false;
    }
    let count = one.op_count();
    // Debuggers show a variable's name, and the bytes where it lies.
    let is_variable = |kind: &OperandKind<'_>| {
        matches!(kind, OperandKind::Memory(mem) if mem.base.is_none()
            && mem.target.as_ref().is_some_and(|target| matches!(target.name, Name::Label(_))))
    };
    let is_variable = inst
        .operands
        .iter()
        .any(|operand| is_variable(&operand.kind))
        && !other.is_ip_rel_memory_operand();
    let alike = |one: &Instruction, at, other: &Instruction, to| {
        is_variable
            && (one.op_kind(at), other.op_kind(to)) == (OpKind::Memory, OpKind::Memory)
            && one.memory_size() == other.memory_size()
            || alike(one, at, other, to, has_target)
    };
    let in_order = (0..count).all(|at| alike(one, at, other, at));
    in_order || commute && (0..count).all(|at| alike(one, at, other, count - 1 - at))
}

fn alike(one: &Instruction, at: u32, other: &Instruction, to: u32, has_target: bool) -> bool {
    use OpKind as K;
    let is_immediate = |kind| {
        matches!(
            kind,
            K::Immediate8
                | K::Immediate8_2nd
                | K::Immediate16
                | K::Immediate32
                | K::Immediate64
                | K::Immediate8to16
                | K::Immediate8to32
                | K::Immediate8to64
                | K::Immediate32to64
        )
    };
    match (one.op_kind(at), other.op_kind(to)) {
        (K::Register, K::Register) => one.op_register(at) == other.op_register(to),
        (K::NearBranch64, K::NearBranch64) => true,
        (K::Memory, K::Memory) => {
            let segment = |of: &Instruction| match of.segment_prefix() {
                register @ (Register::FS | Register::GS) => register,
                _ => Register::None,
            };
            let is_relative = one.is_ip_rel_memory_operand();
            let place = |of: &Instruction| match is_relative {
                // Both stand at 0, and count from their ends.
                true => of.memory_displacement64().wrapping_sub(of.next_ip()),
                false => of.memory_displacement64(),
            };
            registers(one) == registers(other)
                && segment(one) == segment(other)
                && one.memory_size() == other.memory_size()
                && (has_target && is_relative || place(one) == place(other))
        }
        // The address of a target, which a linker fills in.
        (K::Immediate64, K::Immediate64) if has_target => true,
        (one_kind, other_kind) if is_immediate(one_kind) && is_immediate(other_kind) => {
            let (value, own) = (one.immediate(at), other.immediate(to));
            // Two widths of one number agree where both hold it.
            value == own || one.code() != other.code() && value as u32 == own as u32
        }
        (one_kind, other_kind) => one_kind == other_kind,
    }
}

/// Whether both write one number below 2^32 to one register of 64 bits: what is written to its lower half alone clears
/// the upper one, and NASM has the instruction so.
fn is_moved_alike(one: &Instruction, other: &Instruction) -> bool {
    let moved = |of: &Instruction| {
        let is_number = of.mnemonic() == Mnemonic::Mov && of.op_count() == 2;
        let value = match of.op_kind(1) {
            OpKind::Immediate32 if is_number => u64::from(of.immediate32()),
            OpKind::Immediate32to64 | OpKind::Immediate64 if is_number => of.immediate(1),
            _ => return None,
        };
        let register = of.op0_register();
        let is_wide = register.is_gpr32() || register.is_gpr64();
        is_wide.then(|| (register.full_register(), value))
    };
    match (moved(one), moved(other)) {
        (Some(own), Some(shown)) => own == shown && own.1 <= u64::from(u32::MAX),
        _ => false,
    }
}

/// The registers of an address, however they are split: NASM has `[rbx*2]` as `[rbx+rbx]`, and changes two round that
/// have no factor.
fn registers(of: &Instruction) -> (Register, Register, u32) {
    let (base, index) = (of.memory_base(), of.memory_index());
    match (base, index, of.memory_index_scale()) {
        (Register::None, index, 2) => (index, index, 1),
        (Register::None, index, 1) if index.is_gpr() => (index, Register::None, 1),
        (base, index, 1) if base.is_gpr() && index.is_gpr() && (index as u32) < base as u32 => {
            (index, base, 1)
        }
        (base, index, scale) => (base, index, scale),
    }
}

/// Bytes up to the next line that are not this one's.
fn more(inst: &Inst<'_>, own: usize, bytes: &[u8]) -> Problem {
    let rest = &bytes[own..];
    let texts: Vec<String> = disassemble(rest, 0, &|_| None)
        .into_iter()
        .map(|one| one.text)
        .collect();
    let message = format!(
        "this takes {own} of the {} bytes that the listing shows up to the next line: lines of {} bytes are missing behind it, `{}`",
        bytes.len(),
        rest.len(),
        texts.join("; ")
    );
    Problem::new(inst.whole(), message).help("paste them, too, or take the rows of bytes out")
}

fn contradiction(inst: &Inst<'_>, bytes: &[u8], own: &[u8]) -> Problem {
    let text = |bytes: &[u8]| {
        let listed = disassemble(bytes, 0, &|_| None);
        let texts: Vec<String> = listed.into_iter().map(|one| one.text).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex} {}", texts.join("; "))
    };
    let (shown, written) = (text(bytes), text(own));
    Problem::new(
        inst.whole(),
        format!("the listing's bytes say `{shown}`, and its text `{written}`"),
    )
    .help("one of the two columns was changed: take the bytes out of the line, or correct the text")
}
