//! What the stores of an iteration left on the stack, from the registers at each step.
//!
//! Correct means: a byte has the value of the last store to it in this iteration; where `rsp` has been
//! above a byte since, nobody wrote it; what a slot is for follows from who reads it later, and from
//! how far a called function reaches into its caller's frame.

use std::collections::BTreeMap;
use std::ops::Range;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind,
    Register, UsedMemory,
};

use super::{State, Teller};
use crate::link::frame::BODY_BYTES;
use crate::report::stack::{Drawing, Frame, Part, Slot, Word, Written};
use crate::report::steps::{Line, Location};
use crate::template::LinePlace;

/// Where the stack is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// After each instruction that changed it.
    Changes,
    /// Before each instruction of a line.
    Before(u32),
}

/// Bytes below the body's that can be the row's stack.
const REACH: u64 = 256 * 1024;
/// Words that are drawn at most.
const MOST_WORDS: u64 = 64;
/// Drawings at either end of a very long iteration; the listing shows no more instructions either.
const DRAWN_END: usize = 1000;

/// An instruction of an iteration and the machine around it.
struct Executed<'a> {
    instruction: Instruction,
    now: &'a State,
    /// None where it did not end.
    after: Option<&'a State>,
}

/// Adds the drawings to the lines of an iteration that began with `rsp` at `stack`. `steps` has the
/// state before each line, by index.
pub(super) fn draw(
    teller: &Teller<'_>,
    (states, steps): (&[State], &[usize]),
    lines: &mut [Line],
    stack: u64,
    drawn: Drawn,
) {
    let executed: Vec<Executed<'_>> = (0..lines.len())
        .map(|at| {
            let line = &lines[at];
            let next = steps.get(at + 1).copied();
            Executed {
                instruction: Decoder::with_ip(64, &line.bytes, line.address, DecoderOptions::NONE)
                    .decode(),
                now: &states[steps[at]],
                // What has no line of its own, code outside the image, does not run.
                after: states
                    .get(next.unwrap_or(steps[at] + 1))
                    .filter(|_| line.is_executed),
            }
        })
        .collect();
    let has_spill_area = teller.has_register_abi;
    let mut replay = Replay::new(stack);
    for (one, line) in executed.iter().zip(lines.iter()) {
        replay.step(one, line);
    }
    let known = replay.finish(has_spill_area);
    let mut replay = Replay::new(stack);
    let count = lines.len();
    for at in 0..count {
        let one = &executed[at];
        let is_listed = at < DRAWN_END || at + DRAWN_END >= count;
        let is_own = !lines[at].is_harness && is_listed;
        let depth = replay.activations.len();
        if is_own && drawn == Drawn::Before(own_line(&lines[at])) {
            lines[at].stack = known.drawing(teller, &replay, one.now.registers[4], true);
        }
        let has_written = replay.step(one, &lines[at]);
        let Some(after) = one.after else { continue };
        let has_moved = one.now.registers[4] != after.registers[4];
        if let Some(next) = lines.get(at + 1)
            && replay.activations.len() > depth
        {
            replay.enter(&next.section);
        }
        if is_own && drawn == Drawn::Changes && (has_written || has_moved) {
            lines[at].stack = known.drawing(teller, &replay, after.registers[4], false);
        }
    }
}

/// One store.
#[derive(Debug, Clone)]
struct Store {
    /// Calls that it is under.
    depth: usize,
    line: Option<LinePlace>,
    /// What the instruction itself says of it.
    slot: Option<Slot>,
    /// Whether it lies above the return address of the function that made it.
    is_callers: bool,
    /// Whether it lies where the caller put an argument.
    is_over_argument: bool,
    /// Whether a function that was called takes it as an argument.
    is_argument: bool,
    /// The depth of the first instruction that read it.
    reader: Option<usize>,
    /// Addresses at which a load of a part of it began or ended.
    cuts: Vec<u64>,
}

impl Store {
    fn slot(&self, has_spill_area: bool) -> Slot {
        if let Some(slot) = &self.slot {
            return slot.clone();
        }
        let is_read_outside = self.reader.is_some_and(|depth| depth < self.depth);
        match self.is_callers {
            _ if self.is_argument => Slot::Argument,
            _ if is_read_outside => Slot::Result,
            true if has_spill_area => Slot::Spill,
            true if self.is_over_argument => Slot::Argument,
            true if self.reader.is_some() => Slot::Argument,
            true => Slot::Result,
            false if self.reader.is_some() => Slot::Local,
            false => Slot::Unread,
        }
    }
}

/// A function that was called and has not returned.
#[derive(Debug)]
struct Activation {
    function: String,
    /// Where its return address lies; none for the body.
    return_slot: Option<u64>,
    /// Its caller's stores above its return address when it was called, by address.
    passed: Vec<(u64, usize)>,
    /// The end of what it uses of its caller's frame.
    reach: u64,
}

/// A byte of the stack: who wrote it, and what, where that is known.
type Byte = (usize, Option<u8>);

/// The stack while an iteration is followed.
struct Replay {
    stack: u64,
    bytes: BTreeMap<u64, Byte>,
    stores: Vec<Store>,
    activations: Vec<Activation>,
    /// The end of the highest byte that an instruction used.
    top: u64,
    factory: InstructionInfoFactory,
}

impl Replay {
    fn new(stack: u64) -> Replay {
        Replay {
            stack,
            bytes: BTreeMap::new(),
            stores: Vec::new(),
            activations: vec![Activation {
                function: "body".into(),
                return_slot: None,
                passed: Vec::new(),
                reach: 0,
            }],
            top: stack,
            factory: InstructionInfoFactory::new(),
        }
    }

    /// Names the function that was called last.
    fn enter(&mut self, function: &str) {
        if let Some(last) = self.activations.last_mut() {
            last.function = function.to_string();
        }
    }

    /// Follows one instruction, and tells whether it wrote to the stack.
    fn step(&mut self, one: &Executed<'_>, line: &Line) -> bool {
        let Some(after) = one.after else { return false };
        if line.is_harness {
            return false;
        }
        self.enter(&line.section);
        let stores = self.stores.len();
        let used: Vec<UsedMemory> = self.factory.info(&one.instruction).used_memory().to_vec();
        for memory in &used {
            if let Some(range) = self.range(memory, one) {
                self.access(memory, range, one, line);
            }
        }
        self.leave(after.registers[4]);
        let is_call = matches!(
            one.instruction.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        );
        if is_call {
            let top = after.registers[4];
            let above = self.bytes.range(top + 8..self.stack + BODY_BYTES);
            let above = above.map(|(at, (store, _))| (*at, *store));
            // What an earlier call left there as its result is nobody's argument.
            let depth = self.activations.len();
            let of_caller = |store: &Store| store.depth == depth && !store.is_callers;
            let passed = above.filter(|(_, store)| of_caller(&self.stores[*store]));
            let passed = passed.collect();
            self.activations.push(Activation {
                function: String::new(),
                return_slot: Some(top),
                passed,
                reach: 0,
            });
        }
        self.stores.len() > stores
    }

    /// The bytes of the stack that a memory operand names.
    fn range(&self, memory: &UsedMemory, one: &Executed<'_>) -> Option<Range<u64>> {
        let address = memory.virtual_address(0, |register, _, _| {
            if register.is_segment_register() {
                return (register != Register::FS && register != Register::GS).then_some(0);
            }
            let whole = *one
                .now
                .registers
                .get(register.full_register().number())
                .filter(|_| register.is_gpr())?;
            Some(match register.size() {
                4 => whole & 0xffff_ffff,
                _ => whole,
            })
        })?;
        let mut size = memory.memory_size().size() as u64;
        let repeats = one.instruction.has_rep_prefix() || one.instruction.has_repne_prefix();
        if repeats && one.instruction.is_string_instruction() {
            size *= one.now.registers[1].min(REACH);
        }
        let end = address.checked_add(size)?;
        let stack = self.stack.saturating_sub(REACH)..self.stack + BODY_BYTES;
        (size > 0 && stack.contains(&address) && end <= stack.end).then_some(address..end)
    }

    fn access(&mut self, memory: &UsedMemory, range: Range<u64>, one: &Executed<'_>, line: &Line) {
        use iced_x86::OpAccess::{
            CondRead, CondWrite, Read, ReadCondWrite, ReadWrite, Write as Store_,
        };
        let access = memory.access();
        let reads = matches!(access, Read | CondRead | ReadWrite | ReadCondWrite);
        let writes = matches!(access, Store_ | CondWrite | ReadWrite | ReadCondWrite);
        if !reads && !writes {
            return;
        }
        self.top = self.top.max(range.end);
        let is_by_frame = matches!(memory.base(), Register::RSP | Register::RBP);
        if let Some(own) = self.activations.last_mut()
            && is_by_frame
            && own.return_slot.is_some_and(|slot| range.start > slot)
        {
            own.reach = own.reach.max(range.end);
        }
        let depth = self.activations.len();
        if reads {
            for (_, (store, _)) in self.bytes.range(range.clone()) {
                let store = &mut self.stores[*store];
                store.reader.get_or_insert(depth);
                store.cuts.extend([range.start, range.end]);
            }
        }
        if writes {
            let own = self.activations.last();
            let is_over_argument = own.is_some_and(|own| {
                let mut passed = own.passed.iter();
                passed.any(|(at, _)| range.contains(at))
            });
            let own = own.and_then(|own| own.return_slot);
            let bytes = stored(one, (range.end - range.start) as usize);
            for (number, at) in range.clone().enumerate() {
                let value = bytes.get(number).copied();
                self.bytes.insert(at, (self.stores.len(), value));
            }
            self.stores.push(Store {
                depth,
                line: line.line.clone(),
                slot: slot_of(one),
                is_callers: own.is_some_and(|slot| range.start > slot),
                is_over_argument,
                is_argument: false,
                reader: None,
                cuts: Vec::new(),
            });
        }
    }

    /// Forgets what lies below `rsp`, and the functions that have returned.
    fn leave(&mut self, rsp: u64) {
        if self
            .bytes
            .first_key_value()
            .is_some_and(|(at, _)| *at < rsp)
        {
            self.bytes = self.bytes.split_off(&rsp);
        }
        while let Some(last) = self
            .activations
            .pop_if(|one| one.return_slot.is_some_and(|slot| slot < rsp))
        {
            self.pass(&last);
        }
    }

    /// What a function took as arguments.
    fn pass(&mut self, ended: &Activation) {
        for &(at, store) in &ended.passed {
            self.stores[store].is_argument |= at < ended.reach;
        }
    }

    /// What the whole iteration tells of its stores.
    fn finish(mut self, has_spill_area: bool) -> Known {
        while let Some(last) = self.activations.pop() {
            self.pass(&last);
        }
        let slots = self.stores.iter().map(|store| store.slot(has_spill_area));
        Known {
            slots: slots.collect(),
            top: self.stack + (self.top - self.stack).next_multiple_of(8),
            stores: self.stores,
        }
    }
}

/// What the instruction alone says of what it stores.
fn slot_of(one: &Executed<'_>) -> Option<Slot> {
    let instruction = &one.instruction;
    match instruction.mnemonic() {
        // The line is that of the return address, and only known where it is drawn.
        Mnemonic::Call => Some(Slot::ReturnAddress(None)),
        Mnemonic::Push if instruction.op0_kind() == OpKind::Register => Some(Slot::Saved(
            crate::link::harness::register_name(crate::template::ResultRegister {
                number: instruction.op0_register().number() as u8,
                bits: 64,
            }),
        )),
        Mnemonic::Mov
            if instruction.op1_kind() == OpKind::Register
                && instruction.op1_register() == Register::RBP =>
        {
            Some(Slot::Saved("rbp"))
        }
        _ => None,
    }
}

/// The bytes that an instruction stores, where they are a register's, a constant or a return address;
/// empty where they are not known.
fn stored(one: &Executed<'_>, size: usize) -> Vec<u8> {
    let instruction = &one.instruction;
    let operand = match instruction.mnemonic() {
        Mnemonic::Call => {
            let target = one.now.ip + instruction.len() as u64;
            return target.to_le_bytes()[..size.min(8)].to_vec();
        }
        Mnemonic::Push => 0,
        Mnemonic::Mov | Mnemonic::Xchg => 1,
        _ => return Vec::new(),
    };
    let value = match instruction.op_kind(operand) {
        OpKind::Register if instruction.op_register(operand).is_gpr() => {
            let register = instruction.op_register(operand);
            let whole = one.now.registers[register.full_register().number()];
            let is_high = matches!(
                register,
                Register::AH | Register::BH | Register::CH | Register::DH
            );
            if is_high { whole >> 8 } else { whole }
        }
        OpKind::Register | OpKind::Memory => return Vec::new(),
        _ => instruction.immediate(operand),
    };
    value.to_le_bytes()[..size.min(8)].to_vec()
}

/// What an iteration as a whole tells: what each store is for, and how high the stack is used.
struct Known {
    stores: Vec<Store>,
    slots: Vec<Slot>,
    top: u64,
}

impl Known {
    /// The words from `rsp` up to the highest that the iteration uses; none where `rsp` has left the
    /// stack.
    fn drawing(
        &self,
        teller: &Teller<'_>,
        replay: &Replay,
        rsp: u64,
        is_before: bool,
    ) -> Option<Drawing> {
        if rsp > replay.stack + BODY_BYTES || rsp < replay.stack.saturating_sub(REACH) {
            return None;
        }
        let words = self.top.saturating_sub(rsp).div_ceil(8);
        let mut frames: Vec<Frame> = Vec::new();
        let mut owners = replay.activations.iter().rev();
        let mut owner = owners.next();
        for number in 0..words.min(MOST_WORDS) {
            let at = rsp + 8 * number;
            while let (Some(own), Some(_)) = (owner, frames.last())
                && own.return_slot.is_some_and(|slot| at > slot)
            {
                owner = owners.next();
                frames.extend(owner.map(|own| named(&own.function)));
            }
            if frames.is_empty() {
                frames.extend(owner.map(|own| named(&own.function)));
            }
            let word = Word {
                offset: 8 * number,
                parts: self.parts(teller, replay, at),
            };
            if let Some(frame) = frames.last_mut() {
                frame.words.push(word);
            }
        }
        if frames.is_empty() {
            frames.extend(owner.map(|own| named(&own.function)));
        }
        // The frame above begins where the last return address ends, even where nothing is in it.
        frames.extend(
            owners
                .next()
                .map(|own| named(&own.function))
                .filter(|_| words <= MOST_WORDS),
        );
        Some(Drawing {
            is_before,
            frames,
            left_out: words.saturating_sub(MOST_WORDS),
        })
    }

    fn parts(&self, teller: &Teller<'_>, replay: &Replay, start: u64) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut from = start;
        while from < start + 8 {
            let first = replay.bytes.get(&from);
            let store = first.map(|(store, _)| *store);
            let mut end = from + 1;
            while end < start + 8
                && replay.bytes.get(&end).map(|(store, _)| *store) == store
                && store.is_none_or(|store| !self.stores[store].cuts.contains(&end))
            {
                end += 1;
            }
            let bytes = (from..end).map(|at| replay.bytes.get(&at).and_then(|(_, byte)| *byte));
            let bytes: Option<Vec<u8>> = bytes.collect();
            parts.push(Part {
                offset: from - start,
                size: end - from,
                written: store.map(|store| self.written(teller, replay, store, bytes)),
            });
            from = end;
        }
        parts
    }

    fn written(
        &self,
        teller: &Teller<'_>,
        replay: &Replay,
        store: usize,
        bytes: Option<Vec<u8>>,
    ) -> Written {
        let value = bytes.map(|bytes| {
            let mut wide = [0; 8];
            wide[..bytes.len()].copy_from_slice(&bytes);
            let value = u64::from_le_bytes(wide);
            if bytes.len() == 8 {
                let mut location = teller.location(value, replay.stack);
                if location.name.is_none() && location.shown == teller.image.body.end {
                    location.name = Some("end of body".into());
                }
                return location;
            }
            Location {
                value,
                shown: value,
                name: None,
            }
        });
        let slot = match &self.slots[store] {
            Slot::ReturnAddress(_) => {
                let shown = value.as_ref().map(|value| value.shown);
                Slot::ReturnAddress(shown.and_then(|at| teller.line_of(at)))
            }
            slot => slot.clone(),
        };
        Written {
            value,
            slot,
            line: self.stores[store].line.clone(),
        }
    }
}

/// The line in the template's own file; 0 where it has none there.
fn own_line(line: &Line) -> u32 {
    let place = line.line.as_ref().filter(|place| place.file.is_none());
    place.map_or(0, |place| place.line)
}

fn named(function: &str) -> Frame {
    Frame {
        function: function.to_string(),
        words: Vec::new(),
    }
}
