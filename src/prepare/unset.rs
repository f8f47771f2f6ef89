//! A body without a `heap` that reads `rax` as if a receiver were in it.
//!
//! Correct means: what is named is an instruction that a body reaches before anything has put a value into
//! `rax`, be it the setup, the body itself or a function that it calls; where code is left that cannot be
//! followed, nothing is named.

use std::collections::BTreeSet;

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::Prepared;
use crate::go::HeapKind;
use crate::link::{Image, Owner};
use crate::scenario::Scenario;
use crate::text::diagnostic::Diagnostic;

/// The hint, where there is one to give.
pub fn hint(scenario: &Scenario, prepared: &Prepared) -> Option<Diagnostic> {
    if scenario.template.header.heap != HeapKind::None {
        return None;
    }
    let line = reader(&prepared.image, prepared)?;
    let message = "the body reads `rax` before it writes it, and without a `heap` no receiver is in it: the first \
                   iteration finds 0, and each later one what the one before left";
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

/// The line of the first instruction that reads `rax` while nothing has written it.
fn reader(image: &Image, prepared: &Prepared) -> Option<u32> {
    let mut factory = InstructionInfoFactory::new();
    let setup = &image.setup;
    let mut at = setup.start;
    while at < setup.end {
        let one = image.instruction(at);
        let is_call = matches!(
            one.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        );
        if is_call || effect(&one, &mut factory).1 {
            return None;
        }
        at += one.len().max(1) as u64;
    }
    let mut readers: BTreeSet<u64> = BTreeSet::new();
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let mut open = vec![image.body.start];
    while let Some(address) = open.pop() {
        let owner = image.owner(address).map(|piece| &piece.owner);
        // Beyond the body is the harness, and what a runtime's function does is known to set `rax`.
        let is_body = image.body.contains(&address);
        let is_own = is_body || matches!(owner, Some(Owner::Section(_)));
        if !is_own || address == image.body.end || !seen.insert(address) {
            continue;
        }
        let one = image.instruction(address);
        let (reads, writes) = effect(&one, &mut factory);
        if reads {
            readers.insert(address);
        }
        if reads || writes {
            continue;
        }
        let target = one.near_branch_target();
        match one.flow_control() {
            FlowControl::Next => open.push(one.next_ip()),
            FlowControl::ConditionalBranch => open.extend([target, one.next_ip()]),
            FlowControl::UnconditionalBranch if target != 0 => open.push(target),
            // A function mostly answers in `rax`, so what follows the call is not looked at.
            FlowControl::Call if target != 0 => open.push(target),
            _ => {}
        }
    }
    let first = readers.first()?;
    image.line(&prepared.row.program, *first)
}

/// Whether an instruction reads `rax`, or a part of it, and whether it writes it. What is zero whatever was in it
/// is not read.
fn effect(one: &Instruction, factory: &mut InstructionInfoFactory) -> (bool, bool) {
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
    let (mut reads, mut writes) = (false, false);
    for used in factory.info(one).used_registers() {
        if used.register().full_register() != Register::RAX || is_nop {
            continue;
        }
        reads |= matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        );
        writes |= matches!(
            used.access(),
            OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite
        );
    }
    // What is only put away is not looked at: functions keep registers so.
    let is_put_away = one.mnemonic() == Mnemonic::Push;
    match clears || is_zero {
        true => (false, writes),
        false => (reads && !is_put_away, writes),
    }
}
