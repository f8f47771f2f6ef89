//! Where the table of methods, or the type, stands that a site goes by.
//!
//! Correct means: what is read there is said to be one only where the target that the site goes to follows from it.

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::HASH;
use super::spot::number;
use crate::binary::sites::{HashBits, HashTable, Place};
use crate::sys::breakpoint::{Memory, Registers};

/// Where it stands, and how a target follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    at: At,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In a register, by its number.
    Register(u8),
    /// So far behind what a register holds.
    Slot(u8, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// It stands so far in the table.
    Slot(u64),
    /// It stands in another table, at this address, where bits of the type's hash say.
    Hash(u64, HashBits),
}

impl Told {
    /// Of the last instruction, which goes through a table that a register holds, if it still does.
    pub(super) fn by_slot(instructions: &[Instruction]) -> Option<Told> {
        let (base, offset) = table(instructions)?;
        Some(Told {
            at: At::Register(base),
            by: By::Slot(offset),
        })
    }

    /// Of a jump through a table by hashes.
    pub(super) fn by_hash(table: &HashTable) -> Option<Told> {
        let at = match table.value? {
            Place::Register(register) => At::Register(number(register)?),
            Place::Slot(base, displacement) => At::Slot(number(base)?, displacement),
        };
        Some(Told {
            at,
            by: By::Hash(table.table, table.bits),
        })
    }

    /// What stands there.
    pub(super) fn read(&self, registers: &Registers, memory: &Memory) -> Option<u64> {
        match self.at {
            At::Register(number) => Some(registers.get(number)),
            At::Slot(base, displacement) => {
                memory.word(registers.get(base).wrapping_add(displacement))
            }
        }
    }

    /// Whether a target follows from what stands there, in a program that is loaded so far behind its file's addresses.
    pub(super) fn leads_to(&self, target: u64, found: u64, memory: &Memory, slide: u64) -> bool {
        let at = match self.by {
            By::Slot(offset) => Some(found.wrapping_add(offset)),
            By::Hash(table, bits) => memory.word(found.wrapping_add(HASH)).map(|word| {
                let slot = bits.of(word as u32);
                table.wrapping_add(slide).wrapping_add(8 * u64::from(slot))
            }),
        };
        at.and_then(|at| memory.word(at)) == Some(target)
    }
}

/// The register that holds the table which the last instruction goes through, if it still does.
fn table(instructions: &[Instruction]) -> Option<(u8, u64)> {
    let (last, before) = instructions.split_last()?;
    let through = |one: &Instruction| {
        let is_plain = one.memory_index() == Register::None && !one.is_ip_rel_memory_operand();
        let base = number(one.memory_base())?;
        is_plain.then_some((base, one.memory_displacement64()))
    };
    if last.op0_kind() == OpKind::Memory {
        return through(last);
    }
    let target = last.op0_register();
    let mut changed = Vec::new();
    for one in before.iter().rev() {
        let is_load = one.mnemonic() == Mnemonic::Mov
            && one.op0_kind() == OpKind::Register
            && one.op0_register() == target;
        if is_load && one.op1_kind() == OpKind::Memory {
            // Whether the register still holds it is seen at each visit.
            let is_kept = |base: u8| Some(base) != number(target) && !changed.contains(&base);
            return through(one).filter(|(base, _)| is_kept(*base));
        }
        if is_load || one.flow_control() != FlowControl::Next {
            return None;
        }
        // Most instructions write their first operand; those that do not cost no more than a name.
        if one.op_count() > 0 && one.op0_kind() == OpKind::Register {
            changed.extend(number(one.op0_register()));
        }
    }
    None
}
