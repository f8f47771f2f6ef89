//! The common encodings, put together by their plan.
//!
//! Correct means: the bytes are those that iced's encoder makes of the same form and operands;
//! where that is not certain there are none, and iced is asked. Its encoder first builds a table
//! of all encodings, which takes as long as assembling a thousand lines.

use iced_x86::{OpCodeOperandKind as Kind, Register};

use super::emit::{Encoded, Field, Width};
use super::forms::Form;
use crate::asm::inst::{Decor, Inst, Mem, OperandKind};

/// What an encoding is made of, behind its prefixes and before its immediate.
#[derive(Default)]
struct Parts {
    segment: Option<u8>,
    /// The low bits of a REX prefix.
    rex: u8,
    /// Added to the last byte of the opcode.
    number: u8,
    modrm: Option<u8>,
    sib: Option<u8>,
    /// The displacement and how many bytes of it count.
    displacement: ([u8; 4], usize),
    immediate: ([u8; 8], usize),
    waits: Option<Waits>,
}

/// Which field waits for an address.
#[derive(Clone, Copy)]
enum Waits {
    Displacement,
    Immediate(Width),
}

/// Bits of a REX prefix.
const REX: u8 = 0x40;
const REX_W: u8 = 8;
const REX_R: u8 = 4;
const REX_X: u8 = 2;
const REX_B: u8 = 1;

/// The bytes of `inst` in a form that it fits, where the form has a plan and nothing is unusual.
pub(in crate::asm) fn encode(inst: &Inst<'_>, form: &Form) -> Option<Encoded> {
    let plan = form.plan.as_ref()?;
    if !inst.prefixes.is_empty() || inst.decor != Decor::default() {
        return None;
    }
    let mut parts = Parts::default();
    for (operand, kind) in inst.operands.iter().zip(form.written()) {
        match &operand.kind {
            OperandKind::Register(register) => parts.register(*kind, *register)?,
            OperandKind::Immediate { value, .. } => parts.immediate(*kind, *value)?,
            OperandKind::Memory(mem) => parts.memory(mem)?,
            OperandKind::Target(_) => parts.target(*kind)?,
        }
    }
    let mut bytes = Bytes::default();
    bytes.extend(parts.segment.as_slice());
    if plan.prefix != 0 {
        bytes.push(plan.prefix);
    }
    let rex = parts.rex | if plan.is_wide { REX_W } else { 0 };
    if rex != 0 {
        bytes.push(REX | rex);
    }
    bytes.extend(plan.opcode());
    bytes.0[bytes.1 - 1] |= parts.number;
    if let Some(modrm) = parts.modrm {
        bytes.push(modrm | plan.digit << 3);
    }
    bytes.extend(parts.sib.as_slice());
    let displacement = bytes.1;
    bytes.extend(&parts.displacement.0[..parts.displacement.1]);
    let immediate = bytes.1;
    bytes.extend(&parts.immediate.0[..parts.immediate.1]);
    let field = parts.waits.map(|waits| match waits {
        Waits::Displacement => Field {
            offset: displacement as u8,
            width: Width::Rel32,
        },
        Waits::Immediate(width) => Field {
            offset: immediate as u8,
            width,
        },
    });
    Some(Encoded::new(&bytes.0[..bytes.1], field))
}

/// Bytes and how many there are: a planned encoding has at most 17.
#[derive(Default)]
struct Bytes([u8; 24], usize);

impl Bytes {
    fn push(&mut self, byte: u8) {
        self.0[self.1] = byte;
        self.1 += 1;
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.0[self.1..self.1 + bytes.len()].copy_from_slice(bytes);
        self.1 += bytes.len();
    }
}

impl Parts {
    fn register(&mut self, kind: Kind, register: Register) -> Option<()> {
        let number = match register.number() as u8 {
            number if !register.is_gpr8() => number,
            number @ 0..4 => number,
            // The high bytes forbid a REX prefix, and the low bytes beside them want one.
            4..12 => return None,
            // iced counts both.
            number => number - 4,
        };
        if number > 15 {
            return None;
        }
        let (low, high) = (number & 7, number >> 3);
        match place(kind)? {
            Place::Rm => {
                *self.modrm.get_or_insert(0) |= 0xc0 | low;
                self.rex |= high * REX_B;
            }
            Place::Reg => {
                *self.modrm.get_or_insert(0) |= low << 3;
                self.rex |= high * REX_R;
            }
            Place::Opcode => {
                self.number = low;
                self.rex |= high * REX_B;
            }
            Place::Nowhere => {}
            Place::Immediate(_) | Place::Distance(_) => return None,
        }
        Some(())
    }

    fn immediate(&mut self, kind: Kind, value: i128) -> Option<()> {
        match place(kind)? {
            Place::Immediate(length) => {
                self.immediate = ((value as u64).to_le_bytes(), length);
            }
            Place::Nowhere => {}
            _ => return None,
        }
        Some(())
    }

    fn target(&mut self, kind: Kind) -> Option<()> {
        let width = match place(kind)? {
            Place::Distance(1) => Width::Rel8,
            Place::Distance(_) => Width::Rel32,
            Place::Immediate(8) => Width::Abs64,
            _ => return None,
        };
        self.immediate = ([0; 8], width.bytes());
        self.waits = Some(Waits::Immediate(width));
        Some(())
    }

    /// Intel SDM vol. 2, tables 2-2 and 2-3.
    fn memory(&mut self, mem: &Mem<'_>) -> Option<()> {
        const RSP: u8 = 4;
        const RBP: u8 = 5;
        if mem.broadcast.is_some() {
            return None;
        }
        self.segment = match mem.segment {
            None => None,
            Some(Register::FS) => Some(0x64),
            Some(Register::GS) => Some(0x65),
            Some(_) => return None,
        };
        let displacement = mem.displacement as i64;
        let narrow = (displacement as i32).to_le_bytes();
        let modrm = self.modrm.get_or_insert(0);
        if mem.target.is_some() || mem.base == Some(Register::RIP) {
            *modrm |= RBP;
            if mem.target.is_some() {
                self.displacement = ([0; 4], 4);
                self.waits = Some(Waits::Displacement);
            } else {
                self.displacement = (narrow, 4);
            }
            return Some(());
        }
        let number = |register: Option<Register>| match register {
            None => Some(None),
            Some(register) if register.is_gpr64() => Some(Some(register.number() as u8)),
            Some(_) => None,
        };
        let (base, index) = (number(mem.base)?, number(mem.index)?);
        if index == Some(RSP) {
            return None;
        }
        if index.is_some() || base.is_none_or(|base| base & 7 == RSP) {
            let scale = mem.scale.trailing_zeros() as u8;
            let low = |number: u8| number & 7;
            let index_low = index.map_or(RSP, low);
            self.sib = Some(scale << 6 | index_low << 3 | base.map_or(RBP, low));
            *modrm |= RSP;
            self.rex |= index.map_or(0, |index| index >> 3) * REX_X;
        } else {
            *modrm |= base.unwrap_or(0) & 7;
        }
        let Some(base) = base else {
            self.displacement = (narrow, 4);
            return Some(());
        };
        self.rex |= (base >> 3) * REX_B;
        let length = match displacement {
            0 if base & 7 != RBP => 0,
            -128..=127 => 1,
            _ => 4,
        };
        *modrm |= match length {
            0 => 0,
            1 => 0x40,
            _ => 0x80,
        };
        self.displacement = (narrow, length);
        Some(())
    }
}

/// Where an operand goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) enum Place {
    /// `rm` of the ModRM byte; memory goes there too.
    Rm,
    /// `reg` of the ModRM byte.
    Reg,
    /// The low bits of the opcode.
    Opcode,
    /// An immediate of so many bytes.
    Immediate(usize),
    /// A distance of so many bytes.
    Distance(usize),
    /// It goes without saying.
    Nowhere,
}

/// Where an operand of this kind goes, where that is simple.
#[rustfmt::skip] // a table
pub(in crate::asm) fn place(kind: Kind) -> Option<Place> {
    Some(match kind {
        Kind::r8_or_mem | Kind::r16_or_mem | Kind::r32_or_mem | Kind::r64_or_mem | Kind::mem
        | Kind::xmm_or_mem | Kind::r16_rm | Kind::r32_rm | Kind::r64_rm | Kind::xmm_rm => Place::Rm,
        Kind::r8_reg | Kind::r16_reg | Kind::r32_reg | Kind::r64_reg | Kind::xmm_reg => Place::Reg,
        Kind::r8_opcode | Kind::r16_opcode | Kind::r32_opcode | Kind::r64_opcode => Place::Opcode,
        Kind::imm8 | Kind::imm8sex16 | Kind::imm8sex32 | Kind::imm8sex64 => Place::Immediate(1),
        Kind::imm16 => Place::Immediate(2),
        Kind::imm32 | Kind::imm32sex64 => Place::Immediate(4),
        Kind::imm64 => Place::Immediate(8),
        Kind::br64_1 => Place::Distance(1),
        Kind::br64_4 => Place::Distance(4),
        Kind::al | Kind::cl | Kind::ax | Kind::dx | Kind::eax | Kind::rax | Kind::imm8_const_1 => Place::Nowhere,
        _ => return None,
    })
}
