//! What instructions say of data without a name: how much of it code looks at, and which numbers may be addresses.
//!
//! Correct means: where it says that something bounds a table, the code in sight looks at no entry behind that.

use iced_x86::{
    ConditionCode, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

/// Bytes of a table, from its address on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) bytes: u64,
    /// Whether a compare of the index says so; else it is a guess.
    pub(super) is_bounded: bool,
}

/// Instructions between the address and the look-up, and from it to a compare in front.
const NEAR: usize = 8;
/// Instructions of a loop from the look-up to the compare that ends it.
const LOOP: usize = 24;
/// Entries where nothing says how many there are, and the most that a compare may say.
const MANY: u64 = 256;
const MOST: u64 = 16 * MANY;

/// The table in which instructions behind its address look something up: nothing where none does.
pub(super) fn of_table(before: &[Instruction], base: Register, behind: &[Instruction]) -> Extent {
    let is_look_up =
        |one: &Instruction| one.memory_base() == base && one.memory_index() != Register::None;
    let Some(at) = behind.iter().take(NEAR).position(is_look_up) else {
        return Extent {
            bytes: 0,
            is_bounded: false,
        };
    };
    let index = behind[at].memory_index();
    let width = u64::from(behind[at].memory_index_scale());
    let near = before.iter().skip(before.len().saturating_sub(NEAR));
    let near: Vec<&Instruction> = near.chain(&behind[..at]).collect();
    let bound = in_front(&near, index).or_else(|| at_end(&near, &behind[at..], index));
    let (count, is_bounded) = match bound {
        Some(count) => (count, true),
        None => (any_in_front(before).unwrap_or(MANY), false),
    };
    Extent {
        bytes: count.min(MOST) * width,
        is_bounded: is_bounded && count <= MOST,
    }
}

/// What a compare of the index in front of the look-up lets through.
fn in_front(all: &[&Instruction], index: Register) -> Option<u64> {
    let at = all.iter().rposition(|one| compares(one, index))?;
    // Another value than the one that was compared.
    let is_same = all[at + 1..].iter().all(|one| !writes(one, index));
    let branch = all.get(at + 1).copied().filter(|_| is_same)?;
    // An index that is not one number may be any other.
    let is_order = !matches!(
        branch.condition_code(),
        ConditionCode::e | ConditionCode::ne
    );
    is_order.then(|| let_through(all[at], branch)).flatten()
}

/// What the compare at the end of a loop over the index lets through.
fn at_end(in_front: &[&Instruction], from_look_up: &[Instruction], index: Register) -> Option<u64> {
    // The next index may be made in a register of its own.
    let is_ahead = |one: &Instruction| {
        one.mnemonic() == Mnemonic::Lea
            && same(one.memory_base(), index)
            && one.memory_index() == Register::None
            && one.memory_displacement64() == 1
    };
    let made = in_front.iter().rev().find(|one| is_ahead(one));
    let mut ahead = made.map(|one| one.op0_register());
    let mut is_next = false;
    for (at, one) in from_look_up.iter().enumerate().skip(1).take(LOOP) {
        let is_of_next = match compares(one, index) {
            true => is_next,
            false => ahead.is_some_and(|ahead| compares(one, ahead)),
        };
        if is_of_next || compares(one, index) {
            let count = let_through(one, from_look_up.get(at + 1)?)?;
            // What was looked up already is compared: one more follows the last that goes on.
            return count.checked_add(u64::from(!is_of_next));
        }
        let is_step = match one.mnemonic() {
            Mnemonic::Inc => same(one.op0_register(), index),
            Mnemonic::Add => {
                same(one.op0_register(), index) && one.try_immediate(1).is_ok_and(|by| by == 1)
            }
            Mnemonic::Mov => {
                same(one.op0_register(), index)
                    && ahead.is_some_and(|ahead| same(one.op1_register(), ahead))
            }
            _ => false,
        };
        if is_step && !is_next {
            (is_next, ahead) = (true, None);
        } else if writes(one, index) {
            return None;
        } else if is_ahead(one) && !is_next {
            ahead = Some(one.op0_register());
        } else if ahead.is_some_and(|ahead| writes(one, ahead)) {
            ahead = None;
        }
    }
    None
}

/// The number of any compare in front, which may be of another value.
fn any_in_front(before: &[Instruction]) -> Option<u64> {
    let is_bound =
        |one: &&Instruction| one.mnemonic() == Mnemonic::Cmp && one.op1_kind() != OpKind::Register;
    let found = before.iter().rev().take(NEAR).find(is_bound)?;
    Some(found.try_immediate(1).ok()?.saturating_add(1).min(MOST))
}

/// Whether it compares that register with a number.
fn compares(one: &Instruction, register: Register) -> bool {
    one.mnemonic() == Mnemonic::Cmp
        && one.op0_kind() == OpKind::Register
        && same(one.op0_register(), register)
        && one.try_immediate(1).is_ok()
}

/// How many numbers from 0 on are on the side of a compare that its branch goes on with.
fn let_through(compare: &Instruction, branch: &Instruction) -> Option<u64> {
    let number = compare.try_immediate(1).ok()?;
    match branch.condition_code() {
        ConditionCode::a | ConditionCode::be | ConditionCode::g | ConditionCode::le => {
            number.checked_add(1)
        }
        // By steps of one from 0 on it comes to the number and no further.
        ConditionCode::e | ConditionCode::ne => Some(number),
        ConditionCode::ae | ConditionCode::b | ConditionCode::ge | ConditionCode::l => Some(number),
        _ => None,
    }
}

fn same(one: Register, other: Register) -> bool {
    one.full_register() == other.full_register()
}

fn writes(one: &Instruction, register: Register) -> bool {
    let mut info = InstructionInfoFactory::new();
    let used = info.info(one).used_registers().iter();
    let mut written = used.filter(|used| {
        !matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess | OpAccess::None
        )
    });
    written.any(|used| same(used.register(), register))
}

/// The length that instructions behind the address of a text give for it, as Go's do: in a register of its own.
pub(super) fn of_text(behind: &[Instruction]) -> u64 {
    /// Instructions that are looked at, and the longest text.
    const NEAR: usize = 3;
    const LONGEST: u64 = 4096;
    let moves = behind
        .iter()
        .take(NEAR)
        .filter(|one| one.mnemonic() == Mnemonic::Mov && one.op1_kind() == OpKind::Immediate32);
    let lengths = moves
        .map(|one| one.immediate(1))
        .filter(|length| *length <= LONGEST);
    lengths.max().unwrap_or(0)
}

/// The numbers of an instruction that can be addresses where a program is never moved: of 32 bits, by themselves.
pub(super) fn numbers(instruction: &Instruction) -> Vec<u64> {
    let mut found = Vec::new();
    for at in 0..instruction.op_count() {
        match instruction.op_kind(at) {
            OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64 => {
                found.push(instruction.immediate(at));
            }
            OpKind::Memory
                if instruction.memory_base() == Register::None
                    && instruction.segment_prefix() == Register::None =>
            {
                found.push(instruction.memory_displacement64());
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    /// The extent in a stretch of code, at its first `lea`.
    fn extent(code: &[u8]) -> (u64, bool) {
        let decoder = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE);
        let all: Vec<Instruction> = decoder.into_iter().collect();
        let at = all
            .iter()
            .position(|one| one.is_ip_rel_memory_operand())
            .expect("a lea");
        let found = of_table(&all[..at], all[at].op0_register(), &all[at + 1..]);
        (found.bytes, found.is_bounded)
    }

    #[test]
    fn a_table_is_as_long_as_the_compares_of_its_index_let_through() {
        const LEA: [u8; 7] = [0x48, 0x8d, 0x15, 0, 1, 0, 0]; // lea rdx, [rip+0x100]
        const LOAD: [u8; 4] = [0x48, 0x8b, 0x14, 0xca]; // mov rdx, [rdx+rcx*8]
        const INC: [u8; 3] = [0x48, 0xff, 0xc1]; // inc rcx
        const NEXT: [u8; 4] = [0x48, 0x8d, 0x71, 0x01]; // lea rsi, [rcx+1]
        let cmp = |number: u8| [0x48, 0x83, 0xf9, number]; // cmp rcx, number
        let cmp_next = |number: u8| [0x48, 0x83, 0xfe, number]; // cmp rsi, number
        let other = |number: u8| [0x48, 0x83, 0xfb, number]; // cmp rbx, number
        let jump = |condition: u8| [0x70 | condition, 0x10];
        let [b, ae, ne, a, l, le] = [2, 3, 5, 7, 12, 14];
        #[rustfmt::skip] // a table: code, bytes of the table, and whether that is sure
        let table: [(Vec<u8>, u64, bool); 15] = [
            ([&cmp(7)[..], &jump(a), &LEA, &LOAD].concat(),                       64, true),
            ([&cmp(8)[..], &jump(ae), &LEA, &LOAD].concat(),                      64, true),
            ([&LEA[..], &LOAD, &INC, &cmp(40), &jump(l)].concat(),               320, true),
            ([&LEA[..], &LOAD, &INC, &cmp(40), &jump(ne)].concat(),              320, true),
            ([&LEA[..], &LOAD, &INC, &cmp(40), &jump(le)].concat(),              328, true),
            ([&LEA[..], &LOAD, &cmp(39), &jump(ne), &INC].concat(),              320, true),
            ([&LEA[..], &LOAD, &cmp(39), &jump(l), &INC].concat(),               320, true),
            // Not one number may be any other.
            ([&cmp(7)[..], &jump(ne), &LEA, &LOAD].concat(),                      64, false),
            ([&LEA[..], &LOAD, &NEXT, &cmp_next(40), &jump(b)].concat(),         320, true),
            ([&NEXT[..], &LEA, &LOAD, &[0x48, 0x89, 0xf1], &cmp(40), &jump(l)].concat(), 320, true), // mov rcx, rsi
            // The index was changed since, or two steps are taken at a time.
            ([&cmp(7)[..], &jump(a), &INC, &LEA, &LOAD].concat(),                 64, false),
            ([&LEA[..], &LOAD, &INC, &INC, &cmp(40), &jump(l)].concat(),        2048, false),
            // Another value.
            ([&other(7)[..], &jump(a), &LEA, &LOAD].concat(),                     64, false),
            ([&LEA[..], &LOAD].concat(),                                        2048, false),
            (LEA.to_vec(),                                                         0, false),
        ];
        for (code, bytes, is_bounded) in table {
            assert_eq!(extent(&code), (bytes, is_bounded), "{code:02x?}");
        }
    }
}
