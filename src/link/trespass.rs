//! What code does that no template may, and what it writes that belongs to the harness, as far as the code itself
//! says it.
//!
//! Correct means: a far transfer that is named stands on a way that leads to it from the start of a section; a store that is named lies above the bytes of the body, whatever else the code does, on a way
//! that leads to it from the body's or the setup's start; and a register that is named is written by the
//! template's code, in a function that does not take it back from memory.

use std::collections::BTreeSet;

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::frame::BODY_BYTES;
use super::{Image, Owner};

/// A store above the bytes of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// Address of the instruction.
    pub address: u64,
    /// The first byte of it that is not the body's, from the body's `rsp`.
    pub slot: u64,
    /// Whether the setup leads there.
    pub in_setup: bool,
}

/// The first store above the body's bytes whose place is known: at a fixed distance from `rsp`, which is followed
/// through pushes, pops, calls and what is added to it. Where `rsp` becomes something else nothing is known.
pub fn store_above(image: &Image) -> Option<Store> {
    let of = |start: u64, in_setup: bool| {
        let (address, slot) = Follow::new(image).from(start)?;
        Some(Store {
            address,
            slot,
            in_setup,
        })
    };
    let setup = (!image.setup.is_empty()).then_some(image.setup.start);
    setup
        .and_then(|start| of(start, true))
        .or_else(|| of(image.body.start, false))
}

/// Ways through code, with the distance of `rsp` from where it stood at their start.
struct Follow<'a> {
    image: &'a Image,
    factory: InstructionInfoFactory,
    seen: BTreeSet<(u64, i64)>,
}

impl<'a> Follow<'a> {
    /// Places that are looked at: a loop that pushes has no end.
    const MOST: usize = 1 << 20;

    fn new(image: &'a Image) -> Follow<'a> {
        Follow {
            image,
            factory: InstructionInfoFactory::new(),
            seen: BTreeSet::new(),
        }
    }

    fn from(&mut self, start: u64) -> Option<(u64, u64)> {
        let ends = [self.image.body.end, self.image.setup.end];
        let mut open = vec![(start, 0_i64)];
        while let Some((address, distance)) = open.pop() {
            let is_end = address != start && ends.contains(&address);
            let is_own = is_of_template(self.image, address);
            let is_new = is_own && !is_end && self.seen.insert((address, distance));
            if !is_new || self.seen.len() > Self::MOST {
                continue;
            }
            let one = self.image.instruction(address);
            if let Some(slot) = self.store(&one, distance) {
                return Some((address, slot));
            }
            let target = one.near_branch_target();
            let behind = self.behind(&one, distance);
            let next = behind.map(|distance| (one.next_ip(), distance));
            match one.flow_control() {
                FlowControl::Next => open.extend(next),
                FlowControl::ConditionalBranch => {
                    open.extend([(target, distance), (one.next_ip(), distance)]);
                }
                FlowControl::UnconditionalBranch => open.push((target, distance)),
                // Who is called takes the return address back.
                FlowControl::Call => {
                    open.extend([(one.next_ip(), distance), (target, distance - 8)]);
                }
                FlowControl::IndirectCall => open.push((one.next_ip(), distance)),
                _ => {}
            }
        }
        None
    }

    /// The first byte above the body's that an instruction writes.
    fn store(&mut self, one: &Instruction, distance: i64) -> Option<u64> {
        let used = self.factory.info(one).used_memory();
        let mut above = used.iter().filter_map(|memory| {
            let is_known = memory.base() == Register::RSP && memory.index() == Register::None;
            let start = distance.checked_add(memory.displacement() as i64)?;
            let end = start.checked_add(memory.memory_size().size() as i64)?;
            let is_above = end > BODY_BYTES as i64;
            let is_store = is_known && is_write(memory.access());
            (is_store && is_above).then(|| start.max(BODY_BYTES as i64) as u64)
        });
        above.next()
    }

    /// The distance behind an instruction; `None` where nobody knows.
    fn behind(&mut self, one: &Instruction, distance: i64) -> Option<i64> {
        let moved = match one.mnemonic() {
            Mnemonic::Add | Mnemonic::Sub
                if one.op0_kind() == OpKind::Register && one.op0_register() == Register::RSP =>
            {
                let value = one.try_immediate(1).ok()?.cast_signed();
                match one.mnemonic() {
                    Mnemonic::Add => value,
                    _ => value.checked_neg()?,
                }
            }
            Mnemonic::Lea if one.op0_register() == Register::RSP => {
                let is_known =
                    one.memory_base() == Register::RSP && one.memory_index() == Register::None;
                is_known.then(|| one.memory_displacement64().cast_signed())?
            }
            Mnemonic::Leave | Mnemonic::Enter => return None,
            Mnemonic::Pop if one.op0_register() == Register::RSP => return None,
            _ if one.is_stack_instruction() => i64::from(one.stack_pointer_increment()),
            _ => {
                let mut used = self.factory.info(one).used_registers().iter();
                let is_moved = used.any(|used| {
                    used.register().full_register() == Register::RSP && is_write(used.access())
                });
                (!is_moved).then_some(0)?
            }
        };
        distance.checked_add(moved)
    }
}

/// The first far transfer that a section's start leads to: behind one, the code would run in another segment, which
/// may be one of 32-bit code. What stands behind a jump that its target does not tell is not looked at.
pub fn far_transfer(image: &Image) -> Option<Instruction> {
    let own = image.pieces.iter();
    let own = own.filter(|piece| matches!(piece.owner, Owner::Section(_)));
    let mut open: Vec<u64> = own.map(|piece| piece.addresses.start).collect();
    open.reverse();
    let mut seen = BTreeSet::new();
    while let Some(address) = open.pop() {
        if !is_of_template(image, address) || !seen.insert(address) {
            continue;
        }
        let one = image.instruction(address);
        if is_far(&one) {
            return Some(one);
        }
        let target = one.near_branch_target();
        match one.flow_control() {
            FlowControl::ConditionalBranch | FlowControl::Call | FlowControl::XbeginXabortXend => {
                open.extend([target, one.next_ip()]);
            }
            FlowControl::UnconditionalBranch => open.push(target),
            FlowControl::IndirectBranch | FlowControl::Return | FlowControl::Exception => {}
            _ => open.push(one.next_ip()),
        }
    }
    None
}

/// Whether an instruction goes into another segment.
fn is_far(one: &Instruction) -> bool {
    one.mnemonic() == Mnemonic::Retf || one.is_jmp_far_indirect() || one.is_call_far_indirect()
}

fn is_write(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite
    )
}

fn is_of_template(image: &Image, address: u64) -> bool {
    let owner = image.owner(address).map(|piece| &piece.owner);
    matches!(owner, Some(Owner::Section(_)))
}

/// The instructions that write one of the registers in which the harness keeps its state, each with the
/// register. A function that loads the register from memory, or takes it from the stack, may put it back, and is not
/// among them.
pub fn register_writers(image: &Image) -> Vec<(u64, Register)> {
    /// `r14` holds g, which the harness does not read again.
    const STATE: [Register; 3] = [Register::R12, Register::R13, Register::R15];
    let mut factory = InstructionInfoFactory::new();
    let mut writers = Vec::new();
    let own = image.pieces.iter();
    for piece in own.filter(|piece| matches!(piece.owner, Owner::Section(_))) {
        let all: Vec<Instruction> = image.instructions(piece).collect();
        for register in STATE {
            let mut writes = |one: &Instruction| {
                let mut used = factory.info(one).used_registers().iter();
                used.any(|used| {
                    used.register().full_register() == register && is_write(used.access())
                })
            };
            let own: Vec<&Instruction> = all.iter().filter(|one| writes(one)).collect();
            let may_put_back = |one: &&Instruction| {
                let from_memory = (1..one.op_count()).any(|at| one.op_kind(at) == OpKind::Memory);
                one.mnemonic() == Mnemonic::Pop || from_memory || one.mnemonic() == Mnemonic::Xchg
            };
            if !own.iter().any(may_put_back) {
                writers.extend(own.iter().map(|one| (one.ip(), register)));
            }
        }
    }
    writers
}
