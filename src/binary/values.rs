//! What the registers hold in front of each instruction of a function, as far as dispatch needs it.
//!
//! Correct means: what is said of a register holds whichever jump or branch of the function led there; where two of them
//! leave different values, nothing is said. Blocks that only a table of jumps leads to begin with nothing known, and
//! what they lead on to is believed to be as the other ways leave it.

use std::collections::BTreeSet;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
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
        let before = self.clone();
        for (own, other) in self.registers.iter_mut().zip(&other.registers) {
            if own != other {
                *own = None;
            }
        }
        self.kept.retain(|kept| other.kept.contains(kept));
        *self != before
    }

    /// Goes on behind an instruction, which writes these registers, a bit each.
    fn step(&mut self, instruction: &Instruction, written: u16) {
        let gained = self.gained(instruction);
        self.keep(instruction, written);
        for (register, value) in self.registers.iter_mut().enumerate() {
            if written & (1 << register) != 0 {
                *value = None;
            }
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
fn loads_hash(instruction: &Instruction) -> bool {
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
    /// What is known in front of the first one of each block.
    starts: Vec<Option<State>>,
    /// The register that the function is given a dictionary in, where it is given one.
    dictionary: Option<Register>,
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
    pub(super) fn of(
        bytes: &[u8],
        address: u64,
        is_go: bool,
        dictionary: Option<Register>,
    ) -> Flow {
        let decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
        let instructions: Vec<Instruction> = decoder.into_iter().collect();
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
        let starts = vec![None; instructions.len()];
        let mut flow = Flow {
            instructions,
            written,
            starts,
            dictionary,
        };
        flow.settle();
        flow
    }

    /// Which instruction begins at an address.
    pub(super) fn index_of(&self, address: u64) -> Option<usize> {
        let found = self
            .instructions
            .binary_search_by_key(&address, |one| one.ip());
        found.ok()
    }

    /// Whether a block begins with an instruction: another way may lead there.
    pub(super) fn begins(&self, at: usize) -> bool {
        self.starts[at].is_some()
    }

    /// Whether an instruction writes a register, or a part of it.
    pub(super) fn writes(&self, at: usize, register: Register) -> bool {
        number(register).is_some_and(|number| self.written[at] & (1 << number) != 0)
    }

    /// Each instruction in order, by its number, with what is known in front of it.
    pub(super) fn walk(&self, mut see: impl FnMut(usize, &State)) {
        let mut state = State::default();
        for at in 0..self.instructions.len() {
            if let Some(start) = &self.starts[at] {
                state.clone_from(start);
            }
            see(at, &state);
            state.step(&self.instructions[at], self.written[at]);
        }
    }

    /// Follows all ways from the function's start, and then from each block that none of them came to.
    fn settle(&mut self) {
        /// The round of those that no way has come to.
        const NEVER: usize = 0;
        let blocks = self.blocks();
        let mut rounds = vec![NEVER; self.instructions.len()];
        for (round, first) in (1..).zip(blocks.iter().copied()) {
            if rounds[first] != NEVER {
                continue;
            }
            rounds[first] = round;
            let mut start = State::default();
            if let (0, Some(register)) = (first, self.dictionary.and_then(number)) {
                start.registers[register] = Some(Value::Dictionary);
            }
            self.starts[first] = Some(start);
            let mut waiting = BTreeSet::from([first]);
            while let Some(block) = waiting.pop_first() {
                for (to, state) in self.ends_of(block, &blocks) {
                    // What an earlier round came to stays: padding behind a jump falls into the next block, too.
                    let is_changed = match &mut self.starts[to] {
                        _ if rounds[to] != NEVER && rounds[to] != round => false,
                        Some(known) => known.meet(&state),
                        start => {
                            *start = Some(state);
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

    /// The numbers of the instructions that begin a block.
    fn blocks(&self) -> BTreeSet<usize> {
        let mut blocks = BTreeSet::new();
        for (at, one) in self.instructions.iter().enumerate() {
            if at == 0 {
                blocks.insert(at);
            }
            if matches!(
                one.flow_control(),
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall
            ) {
                continue;
            }
            if at + 1 < self.instructions.len() {
                blocks.insert(at + 1);
            }
            blocks.extend(self.target(one));
        }
        blocks
    }

    /// Where a direct jump leads, within the function.
    fn target(&self, one: &Instruction) -> Option<usize> {
        let is_jump = one.is_jcc_short_or_near() || one.is_jmp_short_or_near();
        is_jump
            .then(|| self.index_of(one.near_branch_target()))
            .flatten()
    }

    /// Which blocks a block leads to, and what is known then.
    fn ends_of(&self, block: usize, blocks: &BTreeSet<usize>) -> Vec<(usize, State)> {
        let Some(mut state) = self.starts[block].clone() else {
            return Vec::new();
        };
        for at in block..self.instructions.len() {
            let one = &self.instructions[at];
            state.step(one, self.written[at]);
            let target = self.target(one).map(|to| (to, state.clone()));
            let goes_on = !matches!(
                one.flow_control(),
                FlowControl::UnconditionalBranch
                    | FlowControl::IndirectBranch
                    | FlowControl::Return
                    | FlowControl::Exception
            );
            let is_last = blocks.contains(&(at + 1)) || at + 1 == self.instructions.len();
            if is_last || !goes_on {
                let next = (goes_on && at + 1 < self.instructions.len()).then_some((at + 1, state));
                return target.into_iter().chain(next).collect();
            }
        }
        Vec::new()
    }
}

fn written(instruction: &Instruction, info: &mut InstructionInfoFactory) -> u16 {
    let used = info.info(instruction).used_registers().iter();
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
