//! What the registers hold in front of each instruction of a function, as far as dispatch needs it.
//!
//! Correct means: what is said of a register holds whichever jump or branch of the function led there; where two of them
//! leave different values, nothing is said. Blocks that only a table of jumps leads to begin with nothing known, and
//! what they lead on to is believed to be as the other ways leave it.

use std::collections::BTreeSet;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    InstructionInfoOptions, Mnemonic, OpAccess, OpKind, Register,
};

use super::how::Place;
use crate::go::layout;

/// What is known of a register's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// A word loaded from so far behind another register's value.
    Word { base: Register, offset: u64 },
    /// The address that is so far behind another register's value.
    Place { base: Register, offset: u64 },
    /// A type's hash, as far as its offset tells.
    Hash {
        /// The instruction that loaded it.
        load: u64,
    },
    /// An address in the file.
    Address(u64),
    /// The distance of a case from its table.
    Distance,
    /// The dictionary that a generic function of Go is given for its types.
    Dictionary,
    /// A word of it.
    Entry,
}

/// What is known in front of an instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    registers: [Option<Value>; 16],
    /// Hashes and dictionaries that were put away on the stack: a call between two cases of a switch takes the registers.
    /// Another store that only overlaps one is not noticed.
    kept: Vec<(Place, Value)>,
}

impl State {
    /// Of a register, or of the one that it is a part of.
    pub(super) fn get(&self, register: Register) -> Option<Value> {
        self.registers.get(number(register)?).copied().flatten()
    }

    /// What both know.
    fn meet(&mut self, other: &State) -> bool {
        let mut is_less = false;
        for (own, other) in self.registers.iter_mut().zip(&other.registers) {
            if own.is_some() && own != other {
                *own = None;
                is_less = true;
            }
        }
        let before = self.kept.len();
        self.kept.retain(|kept| other.kept.contains(kept));
        is_less || self.kept.len() != before
    }

    /// Goes on behind an instruction, which writes these registers, a bit each.
    fn step(&mut self, instruction: &Instruction, written: u16) {
        if written == 0 && instruction.op0_kind() != OpKind::Memory {
            return;
        }
        let gained = self.gained(instruction);
        self.keep(instruction, written);
        let mut left = written;
        while left != 0 {
            self.registers[left.trailing_zeros() as usize] = None;
            left &= left - 1;
        }
        if let Some((register, value)) = gained.and_then(|(to, value)| Some((number(to)?, value))) {
            self.registers[register] = Some(value);
        }
    }

    /// Notes what is stored to the stack.
    fn keep(&mut self, instruction: &Instruction, written: u16) {
        let is_moved = number(Register::RSP).is_some_and(|stack| written & (1 << stack) != 0);
        if is_moved && !is_call(instruction) {
            self.kept.clear();
        }
        if instruction.op0_kind() != OpKind::Memory || instruction.mnemonic() == Mnemonic::Cmp {
            return;
        }
        let Some(slot) = slot(instruction) else {
            return;
        };
        self.kept.retain(|(kept, _)| *kept != slot);
        let is_move =
            instruction.mnemonic() == Mnemonic::Mov && instruction.op1_kind() == OpKind::Register;
        let value = is_move
            .then(|| self.get(instruction.op1_register()))
            .flatten();
        if let Some(value @ (Value::Hash { .. } | Value::Dictionary)) = value {
            self.kept.push((slot, value));
        }
    }

    /// What was put away where an instruction reads.
    fn kept_in(&self, instruction: &Instruction) -> Option<Value> {
        let slot = slot(instruction)?;
        let found = self.kept.iter().find(|(kept, _)| *kept == slot);
        found.map(|(_, value)| *value)
    }

    /// What an instruction leaves in a register.
    fn gained(&self, instruction: &Instruction) -> Option<(Register, Value)> {
        if instruction.op_count() < 2 || instruction.op0_kind() != OpKind::Register {
            return None;
        }
        let to = instruction.op0_register();
        let full = to.full_register();
        let is_memory = instruction.op1_kind() == OpKind::Memory;
        let base = instruction.memory_base();
        let offset = instruction.memory_displacement64();
        let is_plain = is_memory
            && instruction.memory_index() == Register::None
            && base != Register::None
            && !instruction.is_ip_rel_memory_operand();
        match instruction.mnemonic() {
            Mnemonic::Lea if instruction.is_ip_rel_memory_operand() => {
                Some((full, Value::Address(instruction.ip_rel_memory_address())))
            }
            Mnemonic::Lea if is_plain && to.is_gpr64() => {
                Some((full, Value::Place { base, offset }))
            }
            Mnemonic::Mov if loads_hash(instruction) => Some((
                full,
                Value::Hash {
                    load: instruction.ip(),
                },
            )),
            Mnemonic::Mov if is_plain && to.is_gpr32() => {
                let kept = self.kept_in(instruction)?;
                Some((full, kept))
            }
            Mnemonic::Mov if is_plain && to.is_gpr64() => {
                let is_dictionary = |value: &Value| *value == Value::Dictionary;
                let value = match self.kept_in(instruction).filter(is_dictionary) {
                    Some(kept) => kept,
                    None if self.get(base) == Some(Value::Dictionary) => Value::Entry,
                    None => Value::Word { base, offset },
                };
                Some((full, value))
            }
            Mnemonic::Mov if instruction.op1_kind() == OpKind::Register => {
                Some((full, self.get(instruction.op1_register())?))
            }
            Mnemonic::Movsxd if is_memory => Some((full, Value::Distance)),
            Mnemonic::Add => {
                let is_distance = |register| self.get(register) == Some(Value::Distance);
                let from = (instruction.op1_kind() == OpKind::Register)
                    .then(|| instruction.op1_register());
                (is_distance(to) || from.is_some_and(is_distance))
                    .then_some((full, Value::Distance))
            }
            _ => None,
        }
    }
}

/// Whether an instruction loads what stands where a type and an itab have a hash.
pub(super) fn loads_hash(instruction: &Instruction) -> bool {
    const HASH: u64 = layout::TYPE_HASH.offset as u64;
    instruction.mnemonic() == Mnemonic::Mov
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register().is_gpr32()
        && instruction.op1_kind() == OpKind::Memory
        && instruction.memory_index() == Register::None
        && instruction.memory_base().is_gpr64()
        && slot(instruction).is_none()
        && instruction.memory_displacement64() == HASH
}

/// The slot of the frame that an operand of memory is.
pub(super) fn slot(instruction: &Instruction) -> Option<Place> {
    let base = instruction.memory_base();
    let is_slot = matches!(base, Register::RSP | Register::RBP)
        && instruction.memory_index() == Register::None;
    is_slot.then(|| Place::Slot(base, instruction.memory_displacement64()))
}

fn is_call(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Call | FlowControl::IndirectCall
    )
}

fn number(register: Register) -> Option<usize> {
    let full = register.full_register();
    full.is_gpr64().then(|| full.number())
}

/// The registers that a function leaves as they were, by the System V ABI for this machine (figure 3.4); the pointer to the
/// stack is one more, and nothing is known of it.
const SAVED: [Register; 6] = [
    Register::RBX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// A function's instructions, and what is known where its blocks begin.
pub(super) struct Flow {
    /// Ascending by address.
    pub(super) instructions: Vec<Instruction>,
    /// The registers that each writes, a bit each.
    written: Vec<u16>,
    /// Ascending.
    blocks: Vec<Block>,
    /// The register that the function is given a dictionary in, where it is given one.
    dictionary: Option<Register>,
}

/// Instructions that run one after the other.
struct Block {
    /// The number of the first.
    first: usize,
    /// The blocks that it leads to.
    next: [Option<usize>; 2],
    /// What is known in front of it.
    start: Option<State>,
}

/// Where a function of Go of this name is given the dictionary of its types: in front of its other arguments, and behind
/// its receiver. None of one that is not generic, and of a receiver that is no pointer, which may take any registers.
pub(super) fn dictionary(name: &str) -> Option<Register> {
    // Without symbols the types stand as three dots.
    let types = name.find("[go.shape.").or_else(|| name.find("[..."))?;
    let is_plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
    match name[..types].contains("(*") {
        true => {
            let (_, method) = name.rsplit_once(").")?;
            is_plain(method).then_some(Register::RBX)
        }
        false => name.ends_with(']').then_some(Register::RAX),
    }
}

impl Flow {
    /// Of the function that has these bytes at an address. What it calls leaves no register as it was in Go, and those
    /// of [`SAVED`] elsewhere. A generic function has its [`dictionary`] in a register.
    #[cfg(test)]
    pub(super) fn of(
        bytes: &[u8],
        address: u64,
        is_go: bool,
        dictionary: Option<Register>,
    ) -> Flow {
        Flow::through(decoded(bytes, address), is_go, dictionary)
    }

    /// Of the function that has these instructions.
    pub(super) fn through(
        instructions: Vec<Instruction>,
        is_go: bool,
        dictionary: Option<Register>,
    ) -> Flow {
        let mut info = InstructionInfoFactory::new();
        let written = instructions
            .iter()
            .map(|one| match (is_call(one), is_go) {
                (true, true) => u16::MAX,
                (true, false) => {
                    let saved = SAVED.iter().filter_map(|register| number(*register));
                    !saved.fold(0, |all, number| all | 1 << number)
                }
                (false, _) => written(one, &mut info),
            })
            .collect();
        let blocks = blocks(&instructions);
        let mut flow = Flow {
            instructions,
            written,
            blocks,
            dictionary,
        };
        flow.settle();
        flow
    }

    /// Which instruction begins at an address.
    pub(super) fn index_of(&self, address: u64) -> Option<usize> {
        index_of(&self.instructions, address)
    }

    /// Whether a block begins with an instruction: another way may lead there.
    pub(super) fn begins(&self, at: usize) -> bool {
        self.block_at(at).is_some()
    }

    /// Whether an instruction writes a register, or a part of it.
    pub(super) fn writes(&self, at: usize, register: Register) -> bool {
        number(register).is_some_and(|number| self.written[at] & (1 << number) != 0)
    }

    /// The block that begins with an instruction.
    fn block_at(&self, at: usize) -> Option<usize> {
        self.blocks
            .binary_search_by_key(&at, |block| block.first)
            .ok()
    }

    /// The number behind the last instruction of a block.
    fn end_of(&self, block: usize) -> usize {
        let next = self.blocks.get(block + 1);
        next.map_or(self.instructions.len(), |next| next.first)
    }

    /// Each instruction in order, by its number, with what is known in front of it.
    pub(super) fn walk(&self, mut see: impl FnMut(usize, &State)) {
        let mut state = State::default();
        for (number, block) in self.blocks.iter().enumerate() {
            if let Some(start) = &block.start {
                state.clone_from(start);
            }
            for at in block.first..self.end_of(number) {
                see(at, &state);
                state.step(&self.instructions[at], self.written[at]);
            }
        }
    }

    /// Follows all ways from the function's start, and then from each block that none of them came to.
    fn settle(&mut self) {
        /// The round of those that no way has come to.
        const NEVER: usize = 0;
        let mut rounds = vec![NEVER; self.blocks.len()];
        let mut state = State::default();
        for first in 0..self.blocks.len() {
            let round = first + 1;
            if rounds[first] != NEVER {
                continue;
            }
            rounds[first] = round;
            let mut start = State::default();
            if let (0, Some(register)) = (first, self.dictionary.and_then(number)) {
                start.registers[register] = Some(Value::Dictionary);
            }
            self.blocks[first].start = Some(start);
            let mut waiting = BTreeSet::from([first]);
            while let Some(block) = waiting.pop_first() {
                if let Some(start) = &self.blocks[block].start {
                    state.clone_from(start);
                }
                for at in self.blocks[block].first..self.end_of(block) {
                    state.step(&self.instructions[at], self.written[at]);
                }
                for to in self.blocks[block].next.into_iter().flatten() {
                    // What an earlier round came to stays: padding behind a jump falls into the next block, too.
                    let is_changed = match &mut self.blocks[to].start {
                        _ if rounds[to] != NEVER && rounds[to] != round => false,
                        Some(known) => known.meet(&state),
                        start => {
                            *start = Some(state.clone());
                            true
                        }
                    };
                    if is_changed {
                        rounds[to] = round;
                        waiting.insert(to);
                    }
                }
            }
        }
    }
}

/// The instructions of a function that has these bytes at an address.
pub(super) fn decoded(bytes: &[u8], address: u64) -> Vec<Instruction> {
    /// Bytes of an instruction, fewer than most have, so that there is room for all.
    const BYTES: usize = 3;
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let mut instructions = Vec::with_capacity(bytes.len() / BYTES + 1);
    while decoder.can_decode() {
        instructions.push(Instruction::default());
        if let Some(last) = instructions.last_mut() {
            decoder.decode_out(last);
        }
    }
    instructions
}

/// Which instruction begins at an address.
fn index_of(instructions: &[Instruction], address: u64) -> Option<usize> {
    let found = instructions.binary_search_by_key(&address, |one| one.ip());
    found.ok()
}

/// Where a direct jump leads, within its function.
fn target(instructions: &[Instruction], one: &Instruction) -> Option<usize> {
    let [first, .., last] = instructions else {
        return None;
    };
    let is_jump = one.is_jcc_short_or_near() || one.is_jmp_short_or_near();
    let to = one.near_branch_target();
    let is_within = is_jump && (first.ip()..=last.ip()).contains(&to);
    is_within.then(|| index_of(instructions, to)).flatten()
}

/// The blocks of a function, of which nothing is known yet.
fn blocks(instructions: &[Instruction]) -> Vec<Block> {
    let ends = |one: &Instruction| {
        !matches!(
            one.flow_control(),
            FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall
        )
    };
    let mut targets = Vec::new();
    let mut firsts = Vec::new();
    firsts.extend((!instructions.is_empty()).then_some(0));
    for (at, one) in instructions.iter().enumerate() {
        if ends(one) {
            let to = target(instructions, one);
            targets.push((at, to));
            firsts.extend((at + 1 < instructions.len()).then_some(at + 1));
            firsts.extend(to);
        }
    }
    firsts.sort_unstable();
    firsts.dedup();
    let block_at = |at: usize| firsts.binary_search(&at).ok();
    let mut blocks = Vec::with_capacity(firsts.len());
    for (number, first) in firsts.iter().enumerate() {
        let end = firsts
            .get(number + 1)
            .copied()
            .unwrap_or(instructions.len());
        let goes_on = !matches!(
            instructions[end - 1].flow_control(),
            FlowControl::UnconditionalBranch
                | FlowControl::IndirectBranch
                | FlowControl::Return
                | FlowControl::Exception
        );
        let found = targets.binary_search_by_key(&(end - 1), |(at, _)| *at);
        let target = found.ok().and_then(|found| targets[found].1);
        let following = (goes_on && end < instructions.len()).then_some(number + 1);
        blocks.push(Block {
            first: *first,
            next: [target.and_then(block_at), following],
            start: None,
        });
    }
    blocks
}

fn written(instruction: &Instruction, info: &mut InstructionInfoFactory) -> u16 {
    let used = info.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
    let used = used.used_registers().iter();
    let written = used.filter(|used| {
        matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    });
    let numbers = written.filter_map(|used| number(used.register()));
    numbers.fold(0, |all, number| all | 1 << number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go 1.22 for `func gsum[T I](all []T) int`, which adds up what a method of each gives, with pointers.
    const SUM: &str = "\
        493b6610766c554889e54883ec20488944243048894c244048895c243831d231f6eb4148895424184889742410488b0c\
        d3488b304889c74889c8bb020000004889faffd6488b54241848ffc2488b4c2410488d3408488b442430488b4c244048\
        8b5c24384839d17fba4889f04883c4205dc3488944240848895c241048894c241848897c2420e8d5e1fdff488b442408\
        488b5c2410488b4c2418488b7c242090e95bffffff";

    fn at_call(dictionary: Option<Register>) -> Option<Value> {
        let digit = |at: usize| u8::from_str_radix(&SUM[at..at + 2], 16).expect("hexadecimal");
        let bytes: Vec<u8> = (0..SUM.len()).step_by(2).map(digit).collect();
        let flow = Flow::of(&bytes, 0x4823a0, true, dictionary);
        let mut found = None;
        flow.walk(|number, state| {
            let one = &flow.instructions[number];
            if one.flow_control() == FlowControl::IndirectCall {
                found = state.get(one.op0_register());
            }
        });
        found
    }

    #[test]
    fn what_a_dictionary_holds_is_known_across_a_loop_that_puts_it_away() {
        assert_eq!(at_call(Some(Register::RAX)), Some(Value::Entry));
        // Nothing tells it from a function value then.
        let word = Value::Word {
            base: Register::RAX,
            offset: 0,
        };
        assert_eq!(at_call(None), Some(word));
        assert_eq!(at_call(Some(Register::RBX)), Some(word));
    }

    #[test]
    fn a_generic_function_is_given_its_dictionary_first_and_a_method_behind_its_receiver() {
        #[rustfmt::skip] // a table: a function, and where its dictionary is
        let table = [
            ("main.gsum[go.shape.*uint8]",                  Some(Register::RAX)),
            ("main.gsum[...]",                              Some(Register::RAX)),
            ("main.(*List[go.shape.int]).Sum",              Some(Register::RBX)),
            ("main.(*List[...]).Sum",                       Some(Register::RBX)),
            ("main.(*List[...]).Sum.func1",                 None),
            ("main.gsum[...].func1",                        None),
            ("main.List[go.shape.int].Sum",                 None),
            ("main.(*List[int]).Sum",                       None),
            ("main.sum",                                    None),
        ];
        for (name, register) in table {
            assert_eq!(dictionary(name), register, "{name}");
        }
    }
}
