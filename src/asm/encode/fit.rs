//! Whether an operand can stand where a form wants one.
//!
//! Correct means: an operand fits a kind only if the encoder then encodes exactly that operand; an
//! immediate fits in its signed and in its unsigned view, never by dropping bits.

use std::ops::RangeInclusive;

use iced_x86::{OpCodeOperandKind as Kind, Register};

use super::forms::Form;
use crate::asm::inst::{Broadcast, Mem, OperandKind, Reach};

/// How an operand and a place for one go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) enum Fit {
    /// The operand can stand here.
    Yes,
    /// An immediate stands here whose field has `field` bits, extended to `operand` bits, and the
    /// value does not fit in it.
    Immediate {
        /// Bits of the field.
        field: u32,
        /// Bits of what it extends to.
        operand: u32,
    },
    /// Memory of this many bits stands here, and the size word says something else.
    Memory(u32),
    /// Another kind of operand stands here.
    No,
}

/// Whether `operand` can stand at `kind` of `form`.
pub(in crate::asm) fn fit(
    operand: &OperandKind<'_>,
    kind: Kind,
    form: &Form,
    reach: Option<Reach>,
) -> Fit {
    match operand {
        OperandKind::Register(register) => either(takes_register(kind, *register)),
        OperandKind::Immediate { value, bits } => immediate(kind, *value, *bits),
        OperandKind::Memory(mem) => memory(kind, mem, form),
        OperandKind::Target(_) => either(match kind {
            Kind::br64_1 => matches!(reach, None | Some(Reach::Short)),
            Kind::br64_4 | Kind::xbegin_4 => matches!(reach, None | Some(Reach::Near)),
            // The address of a symbol is known to the linker alone: all 64 bits.
            Kind::imm64 => true,
            _ => false,
        }),
    }
}

/// Sorts of operands as bits, so that most forms are passed over at a glance.
pub(in crate::asm) type Sorts = u64;

/// How many sorts there are: eight of registers, then these.
const SORTS: u32 = 11;
const IMMEDIATE: u32 = 8;
const MEMORY: u32 = 9;
const TARGET: u32 = 10;

/// The sorts of all operands side by side, and their number.
///
/// Operands can fit a form only if the form has all the bits that they have.
pub(in crate::asm) fn side_by_side(sorts: impl Iterator<Item = Sorts>) -> Sorts {
    let (all, count) = sorts.fold((0, 0), |(all, count), sorts| {
        (all | beside(sorts, count), count + 1)
    });
    all | counted(count)
}

/// The sorts of the operand at `at`, in their place.
pub(in crate::asm) fn beside(sorts: Sorts, at: usize) -> Sorts {
    sorts << (at as u32 * SORTS)
}

/// A number of operands, at most six.
pub(in crate::asm) fn counted(operands: usize) -> Sorts {
    const MOST: u32 = 5;
    1 << (MOST * SORTS + operands as u32)
}

/// The sort of an operand: one bit.
pub(in crate::asm) fn sort(operand: &OperandKind<'_>) -> Sorts {
    match operand {
        OperandKind::Register(register) => register_sort(*register),
        OperandKind::Immediate { .. } => 1 << IMMEDIATE,
        OperandKind::Memory(_) => 1 << MEMORY,
        OperandKind::Target(_) => 1 << TARGET,
    }
}

fn register_sort(register: Register) -> Sorts {
    let is_sort: [fn(Register) -> bool; 7] = [
        Register::is_gpr64,
        Register::is_gpr32,
        Register::is_gpr8,
        Register::is_gpr16,
        Register::is_xmm,
        Register::is_ymm,
        Register::is_zmm,
    ];
    let number = is_sort.iter().position(|is_sort| is_sort(register));
    1 << number.unwrap_or(is_sort.len())
}

/// The sorts of which `fit` takes any operand at `kind`.
pub(in crate::asm) fn sorts(kind: Kind) -> Sorts {
    let registers = Register::values()
        .filter(|register| takes_register(kind, *register))
        .fold(0, |sorts, register| sorts | register_sort(register));
    let immediate =
        immediate_width(kind).is_some() || matches!(kind, Kind::imm8_const_1 | Kind::imm4_m2z);
    let target = matches!(
        kind,
        Kind::br64_1 | Kind::br64_4 | Kind::xbegin_4 | Kind::imm64
    );
    registers
        | Sorts::from(immediate) << IMMEDIATE
        | Sorts::from(takes_memory(kind)) << MEMORY
        | Sorts::from(target) << TARGET
}

fn either(fits: bool) -> Fit {
    if fits { Fit::Yes } else { Fit::No }
}

#[rustfmt::skip]
pub(in crate::asm) fn takes_register(kind: Kind, register: Register) -> bool {
    match kind {
        Kind::r8_or_mem | Kind::r8_reg | Kind::r8_opcode => register.is_gpr8(),
        Kind::r16_or_mem | Kind::r16_reg | Kind::r16_reg_mem | Kind::r16_rm | Kind::r16_opcode => register.is_gpr16(),
        Kind::r32_or_mem | Kind::r32_or_mem_mpx | Kind::r32_reg | Kind::r32_reg_mem | Kind::r32_rm
        | Kind::r32_opcode | Kind::r32_vvvv => register.is_gpr32(),
        Kind::r64_or_mem | Kind::r64_or_mem_mpx | Kind::r64_reg | Kind::r64_reg_mem | Kind::r64_rm
        | Kind::r64_opcode | Kind::r64_vvvv => register.is_gpr64(),
        Kind::mm_or_mem | Kind::mm_reg | Kind::mm_rm => register.is_mm(),
        Kind::xmm_or_mem | Kind::xmm_reg | Kind::xmm_rm | Kind::xmm_vvvv | Kind::xmmp3_vvvv
            => register.is_xmm(),
        // Four bits of an immediate name these.
        Kind::xmm_is4 | Kind::xmm_is5 => register.is_xmm() && register.number() < 16,
        Kind::ymm_is4 | Kind::ymm_is5 => register.is_ymm() && register.number() < 16,
        Kind::ymm_or_mem | Kind::ymm_reg | Kind::ymm_rm | Kind::ymm_vvvv => register.is_ymm(),
        Kind::zmm_or_mem | Kind::zmm_reg | Kind::zmm_rm | Kind::zmm_vvvv | Kind::zmmp3_vvvv => register.is_zmm(),
        Kind::k_or_mem | Kind::k_reg | Kind::kp1_reg | Kind::k_rm | Kind::k_vvvv => register.is_k(),
        Kind::tmm_reg | Kind::tmm_rm | Kind::tmm_vvvv => register.is_tmm(),
        Kind::bnd_reg | Kind::bnd_or_mem_mpx => register.is_bnd(),
        Kind::seg_reg => register.is_segment_register(),
        Kind::cr_reg => register.is_cr(),
        Kind::dr_reg => register.is_dr(),
        Kind::tr_reg => register.is_tr(),
        Kind::sti_opcode => register.is_st(),
        _ => fixed_register(kind) == Some(register),
    }
}

/// The one register that can stand at `kind`.
pub(in crate::asm) fn fixed_register(kind: Kind) -> Option<Register> {
    Some(match kind {
        Kind::es => Register::ES,
        Kind::cs => Register::CS,
        Kind::ss => Register::SS,
        Kind::ds => Register::DS,
        Kind::fs => Register::FS,
        Kind::gs => Register::GS,
        Kind::al => Register::AL,
        Kind::cl => Register::CL,
        Kind::ax => Register::AX,
        Kind::dx => Register::DX,
        Kind::eax => Register::EAX,
        Kind::rax => Register::RAX,
        Kind::st0 => Register::ST0,
        _ => return None,
    })
}

/// Bits of the field, and of the operand whose sign the field extends to.
fn immediate_width(kind: Kind) -> Option<(u32, u32)> {
    Some(match kind {
        Kind::imm8 => (8, 8),
        Kind::imm8sex16 => (8, 16),
        Kind::imm8sex32 => (8, 32),
        Kind::imm8sex64 => (8, 64),
        Kind::imm16 => (16, 16),
        Kind::imm32 => (32, 32),
        Kind::imm32sex64 => (32, 64),
        Kind::imm64 => (64, 64),
        _ => return None,
    })
}

fn immediate(kind: Kind, value: i128, forced: Option<u32>) -> Fit {
    let Some((field, operand)) = immediate_width(kind) else {
        return match kind {
            Kind::imm8_const_1 => either(value == 1 && forced.is_none()),
            Kind::imm4_m2z if forced.is_none() => {
                if (0..16).contains(&value) {
                    Fit::Yes
                } else {
                    Fit::Immediate {
                        field: 4,
                        operand: 4,
                    }
                }
            }
            _ => Fit::No,
        };
    };
    if forced.is_some_and(|bits| bits != field) {
        return Fit::No;
    }
    let signed = signed_range(field);
    // The unsigned view: what the field, extended to the operand, reads as without a sign.
    let high: i128 = 1 << operand;
    let fits = signed.contains(&value)
        || field == operand && (0..high).contains(&value)
        || field < operand && value < high && value >= high + *signed.start();
    if fits {
        Fit::Yes
    } else {
        Fit::Immediate { field, operand }
    }
}

/// What a signed field of that many bits holds.
pub(in crate::asm) fn signed_range(bits: u32) -> RangeInclusive<i128> {
    -(1i128 << (bits - 1))..=(1i128 << (bits - 1)) - 1
}

/// Whether a form's place for an operand can hold memory.
pub(in crate::asm) fn takes_memory(kind: Kind) -> bool {
    is_plain_memory(kind) || vector_index(kind).is_some() || kind == Kind::mem_offs
}

#[rustfmt::skip]
fn is_plain_memory(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::mem | Kind::mem_mpx | Kind::mem_mib | Kind::sibmem
            | Kind::r8_or_mem | Kind::r16_or_mem | Kind::r32_or_mem | Kind::r64_or_mem
            | Kind::r32_or_mem_mpx | Kind::r64_or_mem_mpx | Kind::bnd_or_mem_mpx | Kind::k_or_mem
            | Kind::mm_or_mem | Kind::xmm_or_mem | Kind::ymm_or_mem | Kind::zmm_or_mem
    )
}

/// Which vector registers a gather or scatter takes as its index.
fn vector_index(kind: Kind) -> Option<fn(Register) -> bool> {
    Some(match kind {
        Kind::mem_vsib32x | Kind::mem_vsib64x => Register::is_xmm,
        Kind::mem_vsib32y | Kind::mem_vsib64y => Register::is_ymm,
        Kind::mem_vsib32z | Kind::mem_vsib64z => Register::is_zmm,
        _ => return None,
    })
}

fn memory(kind: Kind, mem: &Mem<'_>, form: &Form) -> Fit {
    let place = match (kind, mem.index, vector_index(kind)) {
        (Kind::mem_offs, _, _) => mem.base.is_none() && mem.index.is_none() && mem.target.is_none(),
        (_, index, Some(is_index)) => index.is_some_and(is_index),
        (_, index, None) => {
            is_plain_memory(kind) && !index.is_some_and(Register::is_vector_register)
        }
    };
    if !place {
        return Fit::No;
    }
    let bits = match mem.broadcast {
        None if vector_index(kind).is_some() && mem.bits.is_some_and(|bits| bits >= 128) => {
            // LLVM writes the width of all elements together.
            return Fit::Yes;
        }
        None => form.memory_bits,
        Some(Broadcast::Full) => match form.element_bits {
            0 => return Fit::No,
            element => element,
        },
        Some(Broadcast::Times(count)) => {
            let element = form.element_bits;
            if element == 0 || form.memory_bits != element.saturating_mul(count) {
                return Fit::No;
            }
            element
        }
    };
    match mem.bits {
        Some(written) if bits != 0 && written != bits => Fit::Memory(bits),
        _ => Fit::Yes,
    }
}
