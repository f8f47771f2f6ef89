//! A body without a `heap` that reads `rax` as if a receiver were in it.
//!
//! Correct means: what is named is an instruction that a body reaches before anything has put a value into
//! the part of `rax` that it reads, be it the setup, the body itself or a function that it calls; where code is
//! left that cannot be followed, nothing is named.

use std::collections::BTreeSet;

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use crate::go::HeapKind;
use crate::link::{Image, Owner};
use crate::prepare::Prepared;
use crate::scenario::Scenario;
use crate::text::diagnostic::Diagnostic;

/// The hint, where there is one to give.
pub(super) fn hint(scenario: &Scenario, prepared: &Prepared) -> Option<Diagnostic> {
    if scenario.template.header.heap != HeapKind::None {
        return None;
    }
    let line = reader(&prepared.image, prepared)?;
    let message = "the body reads `rax`, or a part of it, before it writes it, and without a `heap` no receiver is \
                   in it: the first iteration finds 0, and each later one what the one before left";
    let help = "name a `heap` in the header, or set `rax` in `setup:` or at the start of the body";
    let mut hint = scenario
        .template
        .at_line(line, message.into(), Some(help.into()));
    let text = scenario.template.line(line);
    let code = text.split(';').next().unwrap_or(text);
    let blanks = code.chars().take_while(|one| one.is_whitespace()).count();
    hint.column = blanks as u32 + 1;
    hint.width = code.trim().chars().count().max(1) as u32;
    Some(hint)
}

/// Parts of `rax`, a bit each: `al`, `ah`, and all above them.
type Parts = u8;
/// All of it. What is 32 bits wide writes the upper half too, with zeros.
const WHOLE: Parts = 0b111;

/// The part that a register is of `rax`; 0 for another register.
fn part(register: Register) -> Parts {
    match register {
        Register::AL => 0b001,
        Register::AH => 0b010,
        Register::AX => 0b011,
        Register::EAX | Register::RAX => WHOLE,
        _ => 0,
    }
}

/// The line of the first instruction that reads a part of `rax` which nothing has written.
fn reader(image: &Image, prepared: &Prepared) -> Option<u32> {
    let mut factory = InstructionInfoFactory::new();
    let setup = &image.setup;
    let mut at = setup.start;
    let mut set: Parts = 0;
    while at < setup.end {
        let one = image.instruction(at);
        let is_call = matches!(
            one.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        );
        if is_call {
            return None;
        }
        set |= effect(&one, &mut factory).1;
        at += one.len().max(1) as u64;
    }
    let mut readers: BTreeSet<u64> = BTreeSet::new();
    let mut seen: BTreeSet<(u64, Parts)> = BTreeSet::new();
    let mut open = vec![(image.body.start, set)];
    while let Some((address, set)) = open.pop() {
        let owner = image.owner(address).map(|piece| &piece.owner);
        // Beyond the body is the harness, and what a runtime's function does is known to set `rax`.
        let is_body = image.body.contains(&address);
        let is_own = is_body || matches!(owner, Some(Owner::Section(_)));
        let is_done = set == WHOLE || address == image.body.end;
        if !is_own || is_done || !seen.insert((address, set)) {
            continue;
        }
        let one = image.instruction(address);
        let (reads, writes) = effect(&one, &mut factory);
        if reads & !set != 0 {
            readers.insert(address);
            continue;
        }
        let set = set | writes;
        let target = one.near_branch_target();
        match one.flow_control() {
            FlowControl::Next => open.push((one.next_ip(), set)),
            FlowControl::ConditionalBranch => open.extend([(target, set), (one.next_ip(), set)]),
            FlowControl::UnconditionalBranch if target != 0 => open.push((target, set)),
            // A function mostly answers in `rax`, so what follows the call is not looked at.
            FlowControl::Call if target != 0 => open.push((target, set)),
            _ => {}
        }
    }
    let first = readers.first()?;
    image.line(&prepared.row.program, *first)
}

/// The parts of `rax` that an instruction reads, and those that it writes. What is zero whatever was in it is
/// not read.
fn effect(one: &Instruction, factory: &mut InstructionInfoFactory) -> (Parts, Parts) {
    let is_same = one.op_count() >= 2
        && one.op0_kind() == OpKind::Register
        && one.op1_kind() == OpKind::Register
        && one.op0_register() == one.op1_register();
    let clears = is_same
        && matches!(
            one.mnemonic(),
            Mnemonic::Xor | Mnemonic::Sub | Mnemonic::Sbb
        );
    // `and eax, 0`, and an exchange with itself, as long `nop`s are written.
    let is_zero = one.mnemonic() == Mnemonic::And
        && one.op_count() == 2
        && one.try_immediate(1).is_ok_and(|value| value == 0);
    let is_nop = one.mnemonic() == Mnemonic::Nop || one.code() == Code::Xchg_r32_EAX && is_same;
    let (mut reads, mut writes): (Parts, Parts) = (0, 0);
    for used in factory.info(one).used_registers() {
        let part = part(used.register());
        if is_nop {
            continue;
        }
        if matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        ) {
            reads |= part;
        }
        if matches!(
            used.access(),
            OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite
        ) {
            writes |= part;
        }
    }
    // What is only put away is not looked at: functions keep registers so.
    let is_put_away = one.mnemonic() == Mnemonic::Push;
    match clears || is_zero || is_put_away {
        true => (0, writes),
        false => (reads, writes),
    }
}
