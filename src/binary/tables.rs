//! Type switches that jump through a table, by some bits of the type's hash, as Go makes them since 1.22
//! (`cmd/compile/internal/walk/switch.go`, `tryJumpTable`).
//!
//! Correct means: what is taken for one leads, at each slot but those of the default, to a compare with a type whose hash
//! has that slot's bits, which a switch over numbers does not; and where the type is said to stand, it stands at the jump.

use std::collections::BTreeMap;
use std::ops::Range;

use iced_x86::{ConditionCode, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::Binary;
use super::chain::{Link, Links};
use super::how::{HashBits, HashTable, Place};
use super::values::{Flow, State, Value, slot};
use crate::go::layout;

/// Where a type and an itab have the hash.
const HASH: u64 = layout::TYPE_HASH.offset as u64;

/// A jump through a table whose address is known.
#[derive(Debug)]
pub(super) struct Jump {
    /// Its number.
    pub(super) at: usize,
    /// The address.
    pub(super) table: u64,
    /// What is known there, and so in front of each case.
    pub(super) state: State,
}

/// A function, and the links that are in it.
pub(super) struct Around<'f> {
    pub(super) flow: &'f Flow,
    pub(super) links: &'f Links,
    /// Its addresses.
    pub(super) ends: Range<u64>,
    /// Whether something is a type, or an itab.
    pub(super) is_type: &'f dyn Fn(u64) -> bool,
}

/// The type switch that a jump is, if it is one.
pub(super) fn hash_table(
    binary: &Binary<'_>,
    around: &Around<'_>,
    jump: &Jump,
) -> Option<HashTable> {
    /// Slots of a table, more than the compiler makes of the cases of any switch that somebody wrote.
    const MOST: u32 = 1 << 16;
    /// Compares that may have the bits of their slots by chance, in a switch over numbers.
    const LEAST: usize = 3;
    let bits = bits(around.flow, jump.at)?;
    if bits.mask >= MOST {
        return None;
    }
    let mut cases: BTreeMap<u64, Option<Place>> = BTreeMap::new();
    // The default may compare with another type, and have blocks of its own that only move registers.
    let mut other = None;
    for number in 0..=bits.mask {
        let target = binary.word(jump.table + 8 * u64::from(number))?;
        if !around.ends.contains(&target) {
            return None;
        }
        let Some(case) = around.case(jump, around.flow.index_of(target)?) else {
            continue;
        };
        let hash = binary.bytes(case.address + HASH, 4)?;
        let hash = u32::from_le_bytes(hash.try_into().ok()?);
        if bits.of(hash) == number {
            cases.insert(target, case.value);
        } else if *other.get_or_insert(target) != target {
            return None;
        }
    }
    (cases.len() >= LEAST).then(|| HashTable {
        table: jump.table,
        bits,
        cases: cases.len(),
        // All compare the same value, and it stands there for each of them.
        value: cases.into_values().flatten().next(),
    })
}

/// How the number of a slot is made, by the instructions straight in front of a jump: a shift and a mask.
fn bits(flow: &Flow, jump: usize) -> Option<HashBits> {
    let mut register = flow.instructions[jump].memory_index().full_register();
    let (mut shift, mut mask) = (0, u32::MAX);
    let mut at = jump;
    while !flow.begins(at) {
        at = at.checked_sub(1)?;
        let one = &flow.instructions[at];
        if one.flow_control() != FlowControl::Next {
            break;
        }
        if !flow.writes(at, register) {
            continue;
        }
        let number = one.try_immediate(1).ok().map(|number| number as u32);
        let is_register = one.op_count() > 1 && one.op1_kind() == OpKind::Register;
        // What is done last is found first.
        match (one.mnemonic(), number) {
            (Mnemonic::And, Some(by)) => mask &= by.checked_shr(shift)?,
            (Mnemonic::Shr, Some(by)) => shift += by,
            (Mnemonic::Movzx, _) if is_register => {
                let from = one.op1_register();
                mask &= (u32::MAX >> (32 - 8 * from.size() as u32)).checked_shr(shift)?;
                register = from.full_register();
            }
            (Mnemonic::Mov, _) if is_register => register = one.op1_register().full_register(),
            _ => break,
        }
    }
    let mask = mask & u32::MAX.checked_shr(shift)?;
    Some(HashBits { shift, mask })
}

/// What a case compares.
struct Case {
    /// The type, or its itab.
    address: u64,
    /// Where the value's own stands in front of the case.
    value: Option<Place>,
}

impl Around<'_> {
    /// The compare with a type or an itab that stands at the start of a case, or in front of the jump.
    fn case(&self, jump: &Jump, start: usize) -> Option<Case> {
        /// Instructions that are looked at: to load both, and padding.
        const NEAR: usize = 8;
        let mut is_changed = false;
        for at in start..self.flow.instructions.len().min(start + NEAR) {
            let one = self.flow.instructions.get(at)?;
            let known = self.compared(at).or_else(|| self.known(jump, start..at));
            if let Some((address, value)) = known {
                let value = in_front(self.flow, start..at, value, one);
                return Some(Case { address, value });
            }
            if one.flow_control() != FlowControl::Next {
                let is_by_equal =
                    matches!(one.condition_code(), ConditionCode::e | ConditionCode::ne);
                return (is_by_equal && !is_changed)
                    .then(|| self.ahead(jump))
                    .flatten();
            }
            is_changed |= one.rflags_modified() != 0;
        }
        None
    }

    /// What a compare asks of, and the register that it asks that of.
    fn compared(&self, at: usize) -> Option<(u64, Register)> {
        match self.links.get(&at)? {
            Link::Is { address, value } => Some((*address, *value)),
            Link::Implements => None,
        }
    }

    /// The same of the instruction behind those of a case, where the type was in a register at the jump.
    fn known(&self, jump: &Jump, case: Range<usize>) -> Option<(u64, Register)> {
        let one = self.flow.instructions.get(case.end)?;
        let is_compare = one.mnemonic() == Mnemonic::Cmp
            && one.op0_kind() == OpKind::Register
            && one.op1_kind() == OpKind::Register;
        let [first, second] = [one.op0_register(), one.op1_register()];
        let of = |register: Register, value: Register| {
            let is_kept = !case.clone().any(|at| self.flow.writes(at, register));
            match jump.state.get(register).filter(|_| is_kept && is_compare)? {
                Value::Address(address) if (self.is_type)(address) => Some((address, value)),
                _ => None,
            }
        };
        of(first, second).or_else(|| of(second, first))
    }

    /// The compare whose flags are still there at the jump.
    fn ahead(&self, jump: &Jump) -> Option<Case> {
        let mut at = jump.at;
        while !self.flow.begins(at) {
            at = at.checked_sub(1)?;
            if let Some((address, value)) = self.compared(at) {
                let is_kept = !(at..jump.at).any(|at| self.flow.writes(at, value));
                let value = (value != Register::None && is_kept)
                    .then(|| Place::Register(value.full_register()));
                return Some(Case { address, value });
            }
            if self.flow.instructions[at].rflags_modified() != 0 {
                break;
            }
        }
        None
    }
}

/// Where what a compare reads stood in front of the instructions that load it.
fn in_front(
    flow: &Flow,
    range: Range<usize>,
    value: Register,
    compare: &Instruction,
) -> Option<Place> {
    if range.clone().any(|at| flow.writes(at, Register::RSP)) {
        return None;
    }
    if value == Register::None {
        return slot(compare);
    }
    let mut register = value.full_register();
    for at in range.rev() {
        if !flow.writes(at, register) {
            continue;
        }
        let one = &flow.instructions[at];
        match (one.mnemonic(), one.op1_kind()) {
            (Mnemonic::Mov, OpKind::Register) => register = one.op1_register().full_register(),
            (Mnemonic::Mov, OpKind::Memory) => return slot(one),
            _ => return None,
        }
    }
    Some(Place::Register(register))
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Kind, Section};
    use super::*;
    use std::borrow::Cow;
    use std::sync::OnceLock;

    const CODE: u64 = 0x1000;
    const TABLE: u64 = 0x2000;
    const TYPES: u64 = 0x3000;
    /// Bytes of each type: two words, the hash, and what follows.
    const TYPE: u64 = 24;

    const LOAD: [u8; 3] = [0x8b, 0x48, 0x10]; // mov ecx, [rax+16]
    const SHIFT: [u8; 3] = [0xc1, 0xe9, 3]; // shr ecx, 3
    const MASK: [u8; 3] = [0x83, 0xe1, 7]; // and ecx, 7
    const AGAIN: [u8; 3] = [0x48, 0x89, 0xc3]; // mov rbx, rax

    /// `lea REGISTER, [rip+…]` at a place: `rdx` is 0x15, `rcx` 0x0d.
    fn lea(register: u8, at: usize, target: u64) -> [u8; 7] {
        let from = CODE + at as u64 + 7;
        let distance = (target.wrapping_sub(from) as u32).to_le_bytes();
        let [a, b, c, d] = distance;
        [0x48, 0x8d, register, a, b, c, d]
    }

    /// A jump behind these instructions, through a table of eight slots whose cases compare `rax` or `rbx` with the types;
    /// `hashes` are those of the types, each a case of the slot of its bits 3 to 5, but for what `moved` puts elsewhere.
    fn found(
        head: &[u8],
        of_rbx: bool,
        hashes: &[u32],
        moved: &[(usize, usize)],
    ) -> Option<HashTable> {
        let mut code = head.to_vec();
        code.extend(lea(0x15, code.len(), TABLE));
        code.extend([0xff, 0x24, 0xca]); // jmp [rdx+rcx*8]
        let mut slots = [0u64; 8];
        for (number, hash) in hashes.iter().enumerate() {
            let own = (hash >> 3 & 7) as usize;
            let other = moved.iter().find(|(from, _)| *from == number);
            slots[other.map_or(own, |(_, to)| *to)] = CODE + code.len() as u64;
            code.extend(lea(0x0d, code.len(), TYPES + TYPE * number as u64));
            let compared = if of_rbx { 0xcb } else { 0xc8 };
            code.extend([0x48, 0x39, compared, 0x75, 0x00, 0xc3]); // cmp, jne, ret
        }
        let default = CODE + code.len() as u64;
        code.extend([0x31, 0xc0, 0xc3]); // xor eax, eax; ret
        let filled = slots
            .iter()
            .map(|slot| if *slot == 0 { default } else { *slot });
        let table: Vec<u8> = filled.flat_map(u64::to_le_bytes).collect();
        let types: Vec<u8> = hashes
            .iter()
            .flat_map(|hash| [[0; 8], [0; 8], u64::from(*hash).to_le_bytes()].concat())
            .collect();
        let section = |name, address, content, bytes: &[u8]| Section {
            name,
            address,
            size: bytes.len() as u64,
            offset: None,
            content,
            bytes: Cow::Owned(bytes.to_vec()),
        };
        let binary = Binary {
            kind: Kind::Executable,
            size: 0,
            sections: vec![
                section(".text", CODE, Content::Code, &code),
                section(".rodata", TABLE, Content::Constant, &table),
                section(".types", TYPES, Content::Constant, &types),
            ],
            symbols: Vec::new(),
            patches: Vec::new(),
            go: None,
            shared_names: OnceLock::new(),
        };
        let flow = Flow::of(&code, CODE, true, None);
        let mut links = Links::new();
        let mut jump = None;
        flow.walk(|at, state| {
            let one = &flow.instructions[at];
            if one.mnemonic() == Mnemonic::Cmp
                && let Some(Value::Address(address)) = state.get(one.op1_register())
            {
                let value = one.op0_register();
                links.insert(at, Link::Is { address, value });
            }
            if one.flow_control() == FlowControl::IndirectBranch {
                let state = state.clone();
                jump = Some(Jump {
                    at,
                    table: TABLE,
                    state,
                });
            }
        });
        let around = Around {
            flow: &flow,
            links: &links,
            ends: CODE..CODE + code.len() as u64,
            is_type: &|address| address >= TYPES,
        };
        hash_table(&binary, &around, &jump.expect("a jump"))
    }

    /// Of the slots 0, 1, 2, …
    const HASHES: [u32; 6] = [0xab00_0000, 0x1209, 0x0010, 0xff1b, 0x0027, 0xcc28];

    #[test]
    fn a_jump_is_by_hashes_where_each_case_has_the_bits_of_its_slot_and_enough_have() {
        let head = [LOAD, SHIFT, MASK].concat();
        let cases = |hashes: &[u32], moved: &[(usize, usize)]| {
            found(&head, false, hashes, moved).map(|table| table.cases)
        };
        assert_eq!(cases(&HASHES, &[]), Some(6));
        assert_eq!(cases(&HASHES[..3], &[]), Some(3));
        assert_eq!(cases(&HASHES[..2], &[]), None);
        // The default may compare with a type, too, and a switch over numbers has cases that do.
        assert_eq!(cases(&HASHES, &[(5, 6)]), Some(5));
        assert_eq!(cases(&HASHES, &[(5, 6), (4, 7)]), None);
    }

    #[test]
    fn the_bits_are_those_that_the_instructions_in_front_of_the_jump_leave() {
        const BYTE: [u8; 3] = [0x0f, 0xb6, 0xc9]; // movzx ecx, cl
        const BOUND: [u8; 5] = [0x83, 0xf9, 7, 0x77, 0x20]; // cmp ecx, 7; ja
        let bits = |head: &[&[u8]]| {
            let code = [&head.concat()[..], &[0xff, 0x24, 0xca]].concat();
            let flow = Flow::of(&code, CODE, true, None);
            let found = bits(&flow, flow.instructions.len() - 1);
            found.map(|bits| (bits.shift, bits.mask))
        };
        #[rustfmt::skip] // a table: what stands in front, the shift, and the mask
        let table: [(&[&[u8]], u32, u32); 6] = [
            (&[&LOAD, &SHIFT, &MASK],           3,  7),
            (&[&LOAD, &MASK],                   0,  7),
            (&[&LOAD, &MASK, &SHIFT],           3,  0),
            (&[&LOAD, &SHIFT, &BYTE],           3,  255),
            (&[&LOAD, &[0xc1, 0xe9, 24]],       24, 255),
            // A switch over numbers is bounded by a compare.
            (&[&LOAD, &BOUND],                  0,  u32::MAX),
        ];
        for (head, shift, mask) in table {
            assert_eq!(bits(head), Some((shift, mask)), "{head:x?}");
        }
    }

    #[test]
    fn the_type_stands_where_the_cases_compare_it() {
        let value = |head: &[u8], of_rbx| found(head, of_rbx, &HASHES, &[])?.value;
        let head = [LOAD, SHIFT, MASK].concat();
        assert_eq!(value(&head, false), Some(Place::Register(Register::RAX)));
        let head = [AGAIN, LOAD, SHIFT, MASK].concat();
        assert_eq!(value(&head, true), Some(Place::Register(Register::RBX)));
    }
}
