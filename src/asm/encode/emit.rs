//! One instruction in one form to bytes, through iced's encoder.
//!
//! Correct means: the encoder is told every operand and every prefix, and the field of a label or
//! symbol is found again in its bytes. Whether the operands fit the form is settled before.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use iced_x86::{
    Encoder, Instruction, OpCodeOperandKind as Kind, OpKind, Register, RoundingControl,
};

use super::Choice;
use super::fit::fixed_register;
use super::forms::Form;
use super::refuse;
use crate::asm::inst::{Asked, Encoding, Inst, Mem, OperandKind, Prefix};
use crate::asm::problem::Problem;

/// An encoded instruction; the field of a label or symbol is zero.
///
/// The bytes stand in it, because a program has one for each instruction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::asm) struct Encoded {
    bytes: [u8; 15],
    length: u8,
    /// The field that waits for an address.
    pub(in crate::asm) field: Option<Field>,
}

impl Encoded {
    /// An instruction of at most 15 bytes: the encoder makes no longer one.
    pub(in crate::asm) fn new(bytes: &[u8], field: Option<Field>) -> Encoded {
        let mut encoded = Encoded {
            field,
            ..Encoded::default()
        };
        encoded.bytes[..bytes.len()].copy_from_slice(bytes);
        encoded.length = bytes.len() as u8;
        encoded
    }

    /// The bytes.
    pub(in crate::asm) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// A field that waits for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) struct Field {
    /// Bytes from the start of the instruction.
    pub(in crate::asm) offset: u8,
    /// What it holds.
    pub(in crate::asm) width: Width,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) enum Width {
    /// Distance from the end of the instruction, 8 bits.
    Rel8,
    /// The same, 32 bits.
    Rel32,
    /// An address.
    Abs64,
}

impl Width {
    /// Bytes of the field.
    pub(in crate::asm) fn bytes(self) -> usize {
        match self {
            Width::Rel8 => 1,
            Width::Rel32 => 4,
            Width::Abs64 => 8,
        }
    }
}

/// What one instruction leaves to the next.
#[derive(Default)]
pub(in crate::asm) struct Coder {
    /// iced's encoder, made when it is first needed.
    encoder: Option<Encoder>,
    /// The encodings of branches to labels, by name: where they go is not in them yet.
    pub(in crate::asm) branches: HashMap<String, Choice, FixedState>,
}

/// The bytes of `inst` in one form. The coder is one that earlier instructions used.
pub(in crate::asm) fn encode_form(
    inst: &Inst<'_>,
    form: &Form,
    coder: &mut Coder,
) -> Result<Encoded, Problem> {
    for (operand, kind) in inst.operands.iter().zip(form.written()) {
        if let OperandKind::Memory(mem) = &operand.kind
            && !refuse::displacement_fits(mem, *kind)
        {
            return Err(refuse::displacement(operand));
        }
    }
    let encoder = coder.encoder.get_or_insert_with(|| Encoder::new(64));
    if inst.form.encoding == Some(Encoding::Vex3) {
        encoder.set_prevent_vex2(true);
    }
    let mut instruction = Instruction::default();
    instruction.set_code(form.info.code());
    let mut operands = inst.operands.iter();
    let mut immediates = 0;
    for (at, kind, written) in form.operands() {
        if !written {
            set_implied(&mut instruction, at, kind);
            continue;
        }
        let Some(operand) = operands.next() else {
            break;
        };
        match &operand.kind {
            OperandKind::Register(register) => {
                instruction.set_op_kind(at, OpKind::Register);
                instruction.set_op_register(at, *register);
            }
            OperandKind::Immediate { value, .. } => {
                set_immediate(&mut instruction, at, kind, *value, immediates);
                immediates += 1;
            }
            OperandKind::Memory(mem) => {
                instruction.set_op_kind(at, OpKind::Memory);
                set_memory(&mut instruction, mem, inst.form);
            }
            OperandKind::Target(_) if kind == Kind::imm64 => {
                set_immediate(&mut instruction, at, kind, 0, 0)
            }
            OperandKind::Target(_) => {
                instruction.set_op_kind(at, OpKind::NearBranch64);
                instruction.set_near_branch64(0);
            }
        }
    }
    set_prefixes(&mut instruction, inst);
    // Address and target are both 0, so that every distance fits its field.
    let is_encoded = encoder.encode(&instruction, 0).is_ok();
    let mut bytes = encoder.take_buffer();
    let has_no_index =
        |kind: &OperandKind<'_>| matches!(kind, OperandKind::Memory(mem) if mem.has_no_index);
    let is_bare = inst.operands.iter().any(|one| has_no_index(&one.kind));
    let offsets = encoder.get_constant_offsets();
    let is_encoded = is_encoded && (!is_bare || clear_index(&mut instruction, encoder, &mut bytes));
    encoder.set_prevent_vex2(false);
    let encoded = is_encoded.then(|| {
        let field = place_field(
            inst,
            form,
            &mut bytes,
            offsets.displacement_offset(),
            offsets.immediate_offset(),
        );
        prefixed(inst, &bytes, field)
    });
    // The room goes back, empty, for the next instruction.
    bytes.clear();
    encoder.set_buffer(bytes);
    encoded.flatten().ok_or_else(|| refuse::unencodable(inst))
}

/// Puts none in the place of the index: iced writes that only where nothing else fits. The byte is the
/// one that differs where the next register is the index.
fn clear_index(instruction: &mut Instruction, encoder: &mut Encoder, bytes: &mut [u8]) -> bool {
    const INDEX: u8 = 0b0011_1000;
    const NONE: u8 = 0b0010_0000;
    instruction.set_memory_index(instruction.memory_index() + 1);
    let is_encoded = encoder.encode(instruction, 0).is_ok();
    let other = encoder.take_buffer();
    for (own, other) in bytes.iter_mut().zip(other) {
        if *own != other {
            *own = *own & !INDEX | NONE;
        }
    }
    is_encoded
}

/// The instruction behind the bytes that were asked for in front of it.
fn prefixed(inst: &Inst<'_>, bytes: &[u8], field: Option<Field>) -> Option<Encoded> {
    let raw = inst.prefixes.iter().filter_map(|(prefix, _)| match prefix {
        Prefix::Segment(byte) | Prefix::Raw(byte) => Some(*byte),
        // A branch has 64 bits anyway.
        Prefix::Operands64 if inst.operands.is_empty() => prefix.byte(),
        _ => None,
    });
    let (rex, mut before): (Vec<u8>, Vec<u8>) = raw.partition(|byte| byte & 0xf0 == 0x40);
    if rex.is_empty() && before.is_empty() {
        return Some(Encoded::new(bytes, field));
    }
    // It would make four bytes of the eight that the address has.
    if inst.mnemonic == "movabs" && before.contains(&0x67) {
        return None;
    }
    let is_legacy = |byte: &u8| {
        matches!(
            byte,
            0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3
        )
    };
    let legacy = bytes.iter().take_while(|byte| is_legacy(byte)).count();
    let added = before.len();
    before.extend_from_slice(&bytes[..legacy]);
    if inst.is_padding() {
        before.sort_by_key(|byte| *byte != 0x66);
    }
    let mut rest = bytes[legacy..].to_vec();
    let mut shift = added;
    if let Some(rex) = rex.into_iter().reduce(|one, other| one | other) {
        match rest.first_mut() {
            Some(own) if *own & 0xf0 == 0x40 => *own |= rex,
            // What VEX and EVEX encode has no place for it.
            Some(0xc4 | 0xc5 | 0x62) => return None,
            _ => {
                rest.insert(0, rex);
                shift += 1;
            }
        }
    }
    before.extend(rest);
    let field = field.map(|field| Field {
        offset: field.offset + shift as u8,
        ..field
    });
    (before.len() <= 15).then(|| Encoded::new(&before, field))
}

fn set_implied(instruction: &mut Instruction, at: u32, kind: Kind) {
    match kind {
        Kind::seg_rSI => instruction.set_op_kind(at, OpKind::MemorySegRSI),
        Kind::es_rDI => instruction.set_op_kind(at, OpKind::MemoryESRDI),
        Kind::seg_rDI => instruction.set_op_kind(at, OpKind::MemorySegRDI),
        Kind::seg_rBX_al => {
            instruction.set_op_kind(at, OpKind::Memory);
            instruction.set_memory_base(Register::RBX);
            instruction.set_memory_index(Register::AL);
        }
        _ => {
            if let Some(register) = fixed_register(kind) {
                instruction.set_op_kind(at, OpKind::Register);
                instruction.set_op_register(at, register);
            }
        }
    }
}

/// Cuts nothing that counts: the operand was fitted to the field before.
fn set_immediate(instruction: &mut Instruction, at: u32, kind: Kind, value: i128, before: u32) {
    let field = match kind {
        Kind::imm8sex16 => OpKind::Immediate8to16,
        Kind::imm8sex32 => OpKind::Immediate8to32,
        Kind::imm8sex64 => OpKind::Immediate8to64,
        Kind::imm16 => OpKind::Immediate16,
        Kind::imm32 => OpKind::Immediate32,
        Kind::imm32sex64 => OpKind::Immediate32to64,
        Kind::imm64 => OpKind::Immediate64,
        _ if before > 0 => OpKind::Immediate8_2nd,
        _ => OpKind::Immediate8,
    };
    instruction.set_op_kind(at, field);
    instruction.set_immediate_u64(at, value as u64);
}

fn set_memory(instruction: &mut Instruction, mem: &Mem<'_>, form: Asked) {
    let relative = mem.target.is_some() || mem.base == Some(Register::RIP);
    let base = if relative {
        Register::RIP
    } else {
        mem.base.unwrap_or(Register::None)
    };
    let index = mem.index.unwrap_or(Register::None);
    instruction.set_memory_base(base);
    instruction.set_memory_index(index);
    instruction.set_memory_index_scale(mem.scale);
    let is_half = form.is_half && (base, index) == (Register::None, Register::None);
    instruction.set_memory_displacement64(match (relative, is_half) {
        (true, _) => 0,
        (false, true) => u64::from(mem.displacement as u32),
        (false, false) => mem.displacement as u64,
    });
    let displacement = form.displacement;
    // 1 lets the encoder choose the short form; without a base the size is that of the address.
    instruction.set_memory_displ_size(match (base, index) {
        (Register::None, index) if index.is_gpr32() => 4,
        _ if is_half => 4,
        (Register::None | Register::RIP, _) => 8,
        (base, _) if displacement == Some(32) => base.size() as u32,
        _ if displacement == Some(8) => 1,
        _ => u32::from(mem.displacement != 0),
    });
    instruction.set_is_broadcast(mem.broadcast.is_some());
    instruction.set_segment_prefix(mem.segment.unwrap_or(Register::None));
}

fn set_prefixes(instruction: &mut Instruction, inst: &Inst<'_>) {
    for (prefix, _) in &inst.prefixes {
        match prefix {
            Prefix::Lock => instruction.set_has_lock_prefix(true),
            Prefix::Rep => instruction.set_has_rep_prefix(true),
            Prefix::Repne | Prefix::Bnd => instruction.set_has_repne_prefix(true),
            Prefix::Notrack => instruction.set_segment_prefix(Register::DS),
            Prefix::Segment(_) | Prefix::Raw(_) => {}
            Prefix::Operands32 | Prefix::Operands64 | Prefix::Addresses64 => {}
        }
    }
    let decor = &inst.decor;
    instruction.set_op_mask(decor.mask.unwrap_or(Register::None));
    instruction.set_zeroing_masking(decor.zeroing.is_some());
    instruction.set_rounding_control(decor.rounding.unwrap_or(RoundingControl::None));
    instruction.set_suppress_all_exceptions(decor.exact);
}

/// Finds the field of the label, symbol or explicit `rip` distance, and clears or fills it.
fn place_field(
    inst: &Inst<'_>,
    form: &Form,
    bytes: &mut [u8],
    displacement: usize,
    immediate: usize,
) -> Option<Field> {
    let mut found = None;
    for operand in &inst.operands {
        let (offset, width, value) = match &operand.kind {
            OperandKind::Memory(Mem {
                target: Some(_), ..
            }) => (displacement, Width::Rel32, 0),
            OperandKind::Memory(Mem {
                base: Some(Register::RIP),
                displacement: value,
                ..
            }) => {
                bytes
                    .get_mut(displacement..displacement + 4)?
                    .copy_from_slice(&(*value as i32).to_le_bytes());
                continue;
            }
            OperandKind::Target(_) if form.written().contains(&Kind::br64_1) => {
                (immediate, Width::Rel8, 0)
            }
            OperandKind::Target(_) if form.written().contains(&Kind::imm64) => {
                (immediate, Width::Abs64, 0)
            }
            OperandKind::Target(_) => (immediate, Width::Rel32, 0),
            _ => continue,
        };
        bytes.get_mut(offset..offset + width.bytes())?.fill(value);
        found = Some(Field {
            offset: u8::try_from(offset).ok()?,
            width,
        });
    }
    found
}
