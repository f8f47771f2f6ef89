//! A call site of a program, and what is read there.
//!
//! Correct means: it begins an instruction of the program, one whose effect can be made by hand, and what is read
//! there is what it decides by.

use std::collections::HashSet;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::Key;
use super::told::Told;
use crate::asm;
use crate::binary::sites::{Finder, How, Site, functions};
use crate::binary::{Binary, Symbol};
use crate::sys::breakpoint::{Breakpoint, Effect, Operand};
use crate::text::closest;

/// A site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Where it is, when the file is loaded where it says.
    pub address: u64,
    /// `main.f+0x10`.
    pub name: String,
    /// A text that means it and no other place.
    pub reference: String,
    /// The instruction.
    pub text: String,
    /// How it chooses.
    pub how: How,
    /// Where the table or the type stands that the target follows from.
    pub(super) told: Option<Told>,
    length: u8,
    effect: Effect,
    /// Whether an operand of memory counts from the instruction.
    is_relative: bool,
    /// What a guard compares with, or a chain of compares first.
    guarded: Option<u64>,
}

impl Spot {
    /// The site that a text means: an address, FUNC+OFFSET, or the only one of FUNC.
    ///
    /// # Errors
    /// Why it is none, and which there are.
    pub fn find(binary: &Binary<'_>, wanted: &str) -> Result<Spot, String> {
        let (symbol, address) = place(binary, wanted)?;
        let found = Finder::new(binary).sites(symbol);
        let bytes = binary.bytes(symbol.address, symbol.size);
        let decoder = Decoder::with_ip(
            64,
            bytes.unwrap_or_default(),
            symbol.address,
            DecoderOptions::NONE,
        );
        let instructions: Vec<Instruction> = decoder.into_iter().collect();
        let is_told = |site: &&Site| {
            let at = instructions.binary_search_by_key(&site.address, |one| one.ip());
            let is_wrapper = matches!(site.how, How::Wrapper(_));
            !is_wrapper && at.is_ok_and(|at| effect(&instructions[at]).is_some())
        };
        let told: Vec<&Site> = found.iter().filter(is_told).collect();
        // Those that are not told are named where there is no other.
        let which = || match told.is_empty() {
            true => several(binary, symbol, &found.iter().collect::<Vec<&Site>>()),
            false => several(binary, symbol, &told),
        };
        let address = match (address, &told[..]) {
            (Some(address), _) => address,
            (None, [only]) => only.address,
            // Why it is not traced is said below.
            (None, []) if found.len() == 1 => found[0].address,
            (None, _) => return Err(format!("`{wanted}`: {}", which())),
        };
        let at = instructions.iter().position(|one| one.ip() == address);
        let at = at.ok_or_else(|| {
            let which = which();
            format!(
                "`{wanted}`: no instruction of {} begins there; {which}",
                symbol.name
            )
        })?;
        let instruction = &instructions[at];
        let site = found.iter().find(|site| site.address == address);
        let Some(site) = site else {
            return Err(format!("`{wanted}`: {}", which()));
        };
        if let How::Wrapper(_) = site.how {
            return Err(format!(
                "`{wanted}`: a wrapper always passes on to one method, so nothing is decided there; name the call that \
                 leads to it"
            ));
        }
        let Some(effect) = effect(instruction) else {
            return Err(format!(
                "`{wanted}`: {} is decided by more than one instruction, so its visits are not told there; name another \
                 site, as the call behind it",
                site.how.name()
            ));
        };
        let how = site.how.clone();
        let own = binary.bytes(address, instruction.len() as u64);
        let name = |address: u64| binary.name_of(address);
        let listed = asm::disassemble(own.unwrap_or_default(), address, &name);
        let guarded = match &how {
            How::Guard { itab } => {
                let mut tables = binary.go.iter().flat_map(|go| &go.itabs);
                let table = tables.find(|table| table.symbol() == *itab);
                table.map(|table| table.address)
            }
            How::Addresses { first: address, .. } | How::FuncGuard { address, .. } => {
                Some(*address)
            }
            _ => None,
        };
        Ok(Spot {
            address,
            name: binary.name_of(address).unwrap_or_default(),
            reference: binary.reference(address),
            text: listed
                .first()
                .map(|one| one.text.clone())
                .unwrap_or_default(),
            told: match &how {
                How::Itab { .. } | How::Vtable { .. } => Told::by_slot(&instructions[..=at]),
                How::HashTable(table) => Told::by_hash(table),
                _ => None,
            },
            how,
            length: instruction.len() as u8,
            effect,
            is_relative: instruction.is_ip_rel_memory_operand(),
            guarded,
        })
    }

    /// Where to stop a process that is loaded so far behind its file's addresses.
    pub(super) fn breakpoint(&self, slide: u64) -> Breakpoint {
        let moved = |operand| match operand {
            Operand::Memory {
                base,
                index,
                displacement,
            } if self.is_relative => Operand::Memory {
                base,
                index,
                displacement: displacement.wrapping_add(slide),
            },
            other => other,
        };
        Breakpoint {
            address: self.address.wrapping_add(slide),
            length: self.length,
            effect: match self.effect {
                Effect::Call(operand) => Effect::Call(moved(operand)),
                Effect::Jump(operand) => Effect::Jump(moved(operand)),
                Effect::Compare(one, other, size) => {
                    Effect::Compare(moved(one), moved(other), size)
                }
            },
        }
    }

    /// What a visit met, by the values that the instruction reads.
    pub(super) fn key(&self, [one, other]: [u64; 2], slide: u64) -> Key {
        let other_than = |address: u64| match one == address.wrapping_add(slide) {
            true => other,
            false => one,
        };
        match (self.effect, self.guarded) {
            (Effect::Compare(..), Some(function)) if matches!(self.how, How::FuncGuard { .. }) => {
                Key::Target(other_than(function))
            }
            (Effect::Compare(..), Some(table)) => Key::Table(other_than(table)),
            (Effect::Compare(..), None) => Key::Hash(one as u32),
            _ => Key::Target(one),
        }
    }
}

/// The function that a text means, and the address where it says one.
fn place<'b, 'a>(
    binary: &'b Binary<'a>,
    wanted: &str,
) -> Result<(&'b Symbol<'a>, Option<u64>), String> {
    let number = |text: &str| {
        let digits = text.strip_prefix("0x")?;
        u64::from_str_radix(digits, 16).ok()
    };
    let one = |name: &str| {
        let mut found = binary.find(name);
        if found.is_empty() {
            // `sites` takes a part of a name.
            let functions: HashSet<u64> = functions(binary).map(|one| one.address).collect();
            found = binary.matching(name);
            found.retain(|symbol| symbol.size > 0 && functions.contains(&symbol.address));
            found.dedup_by_key(|symbol| symbol.address);
        }
        binary.one_of(name, found).map_err(|unclear| {
            unclear.why(name).unwrap_or_else(|| {
                let near = closest(name, functions(binary).map(|one| &*one.name));
                let near = near.and_then(|near| functions(binary).find(|one| one.name == near));
                let near = near.map_or(String::new(), |near| {
                    format!("; did you mean `{}`?", binary.reference(near.address))
                });
                format!("`{wanted}`: the program has no function `{name}`{near}")
            })
        })
    };
    if number(wanted).is_some() {
        return Ok((one(wanted)?, number(wanted)));
    }
    match wanted.rsplit_once('+') {
        Some((name, offset)) if number(offset).is_some() => {
            let symbol = one(name)?;
            let address = number(offset).map(|offset| symbol.address + offset);
            Ok((symbol, address))
        }
        _ => Ok((one(wanted)?, None)),
    }
}

fn several(binary: &Binary<'_>, symbol: &Symbol<'_>, found: &[&Site]) -> String {
    const SHOWN: usize = 6;
    let places: Vec<String> = found
        .iter()
        .take(SHOWN)
        .map(|site| {
            let name = binary.reference(site.address);
            format!("{name} ({})", site.how.name())
        })
        .collect();
    let more = if found.len() > SHOWN { ", …" } else { "" };
    match found.len() {
        0 => format!("{} has no site, so nothing is decided there", symbol.name),
        _ => format!(
            "{} has the sites {}{more}; name one",
            symbol.name,
            places.join(", ")
        ),
    }
}

/// What an instruction does; none of what decides nothing.
fn effect(instruction: &Instruction) -> Option<Effect> {
    if instruction.segment_prefix() != Register::None {
        return None;
    }
    match instruction.flow_control() {
        FlowControl::IndirectCall if !instruction.is_call_far_indirect() => {
            return Some(Effect::Call(operand(instruction, 0)?));
        }
        FlowControl::IndirectBranch if !instruction.is_jmp_far_indirect() => {
            return Some(Effect::Jump(operand(instruction, 0)?));
        }
        _ => {}
    }
    if instruction.mnemonic() != Mnemonic::Cmp {
        return None;
    }
    let size = (0..2).find_map(|at| match instruction.op_kind(at) {
        OpKind::Register => Some(instruction.op_register(at).size()),
        OpKind::Memory => Some(instruction.memory_size().size()),
        _ => None,
    })?;
    let one = operand(instruction, 0)?;
    Some(Effect::Compare(one, operand(instruction, 1)?, size as u8))
}

fn operand(instruction: &Instruction, at: u32) -> Option<Operand> {
    match instruction.op_kind(at) {
        OpKind::Register => Some(Operand::Register(number(instruction.op_register(at))?)),
        OpKind::Memory => {
            let index = instruction.memory_index();
            let base = instruction.memory_base();
            let is_relative = instruction.is_ip_rel_memory_operand();
            Some(Operand::Memory {
                base: match base {
                    Register::None => None,
                    _ if is_relative => None,
                    _ => Some(number(base)?),
                },
                index: match index {
                    Register::None => None,
                    _ => Some((number(index)?, instruction.memory_index_scale() as u8)),
                },
                displacement: instruction.memory_displacement64(),
            })
        }
        _ => instruction.try_immediate(at).ok().map(Operand::Number),
    }
}

/// A general register's number; none of `ah` and the like, which are parts of others.
pub(super) fn number(register: Register) -> Option<u8> {
    let full = register.full_register();
    let is_high = matches!(
        register,
        Register::AH | Register::BH | Register::CH | Register::DH
    );
    (full.is_gpr64() && !is_high).then(|| full.number() as u8)
}
