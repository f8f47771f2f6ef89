//! The comparisons behind the one that is studied which read the same register: a chain of cases.
//!
//! Correct means: a comparison is one of them only where each way to it comes by the studied one, with
//! the register left alone since, so that a copy made there holds what the register holds.
//!
//! The answer is that of a must-analysis over the instructions of one section: at first everything is
//! taken to hold, but for where others may enter, and each instruction takes away what does not.

use std::collections::HashSet;

use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, Register};

use super::registers::{self, Code};
use crate::asm::Program;

/// Indices of the comparisons. `others` are offsets of further branches that are studied: what they wait
/// for is theirs.
pub(super) fn behind(
    program: &Program,
    (index, code): (usize, &Code),
    studied: usize,
    register: Register,
    others: &[u32],
) -> Vec<usize> {
    let instructions = &code.instructions;
    let entered = entered(program, index, instructions);
    let mut factory = InstructionInfoFactory::new();
    let mut writes = |code: &Instruction| {
        let info = factory.info(code);
        let mut used = info.used_registers().iter();
        used.any(|used| {
            used.register().full_register() == register && registers::writes(used.access())
        })
    };
    // What an instruction passes on: whether the copy holds behind it, where it did in front.
    let keeps: Vec<bool> = instructions
        .iter()
        .map(|code| !writes(code) && !is_call(code))
        .collect();
    let position = |offset: u64| code.at(u32::try_from(offset).ok()?);
    let mut holds: Vec<bool> = instructions
        .iter()
        .enumerate()
        .map(|(at, code)| at != 0 && !entered.contains(&code.ip32()))
        .collect();
    loop {
        let mut next = holds.clone();
        for (at, code) in instructions.iter().enumerate() {
            let is_passed_on = at == studied || (holds[at] && keeps[at]);
            let falls_through = !matches!(
                code.flow_control(),
                FlowControl::UnconditionalBranch
                    | FlowControl::IndirectBranch
                    | FlowControl::Return
                    | FlowControl::Exception
            );
            let behind = Some(at + 1).filter(|_| falls_through);
            let target = match code.flow_control() {
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                    position(code.near_branch_target())
                }
                _ => None,
            };
            for to in behind.into_iter().chain(target) {
                if let Some(next) = next.get_mut(to) {
                    *next &= is_passed_on;
                }
            }
        }
        if next == holds {
            break;
        }
        holds = next;
    }
    let is_reached = reached(code, studied);
    let compares = |at: &usize| {
        let code = &instructions[*at];
        let reads = registers::read_operands(code);
        let is_high = reads.iter().any(|one| super::HIGH_BYTES.contains(one));
        let address = [code.memory_base(), code.memory_index()];
        matches!(code.mnemonic(), Mnemonic::Cmp | Mnemonic::Test)
            && reads
                .iter()
                .chain(&address)
                .any(|one| one.full_register() == register)
            && !is_high
    };
    let is_others = |at: &usize| {
        let mut behind = instructions[at + 1..].iter();
        let branch = behind.find(|code| code.flow_control() != FlowControl::Next);
        branch.is_some_and(|branch| others.contains(&branch.ip32()))
    };
    // Padding cannot be told from code, and what lies between is counted in lines of the template.
    let first_gap = instructions
        .iter()
        .enumerate()
        .skip(studied)
        .find(|(_, code)| {
            matches!(
                code.mnemonic(),
                Mnemonic::Nop | Mnemonic::INVALID | Mnemonic::Int3
            )
        })
        .map_or(instructions.len(), |(at, _)| at);
    (studied + 1..first_gap)
        .filter(|at| holds[*at] && is_reached[*at])
        .filter(compares)
        .filter(|at| !is_others(at))
        .collect()
}

fn is_call(code: &Instruction) -> bool {
    matches!(
        code.flow_control(),
        FlowControl::Call | FlowControl::IndirectCall | FlowControl::Interrupt
    )
}

/// Offsets that code elsewhere, or through a register or a table, may lead to.
fn entered(program: &Program, index: usize, instructions: &[Instruction]) -> HashSet<u32> {
    let section = &program.sections[index];
    let fixups = program.sections.iter().flat_map(|other| &other.fixups);
    let named: HashSet<&str> = fixups.map(|fixup| fixup.symbol.as_str()).collect();
    let labels = section.labels.iter();
    let labels = labels
        .filter(|label| named.contains(label.name.as_str()))
        .map(|label| label.offset);
    let taken = instructions
        .iter()
        .filter(|code| code.is_ip_rel_memory_operand())
        .filter_map(|code| u32::try_from(code.ip_rel_memory_address()).ok());
    // A call leads to its target and behind itself, and who comes back has been elsewhere.
    let called = instructions
        .iter()
        .filter(|code| code.flow_control() == FlowControl::Call)
        .filter_map(|code| u32::try_from(code.near_branch_target()).ok());
    labels.chain(taken).chain(called).collect()
}

/// Which instructions a way leads to from the studied one.
fn reached(code: &Code, studied: usize) -> Vec<bool> {
    let mut reached = vec![false; code.instructions.len()];
    let mut open = vec![studied];
    while let Some(at) = open.pop() {
        let Some(one) = code.instructions.get(at) else {
            continue;
        };
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        let target = match one.flow_control() {
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                code.at(one.near_branch_target() as u32)
            }
            _ => None,
        };
        open.extend(target);
        if !matches!(
            one.flow_control(),
            FlowControl::UnconditionalBranch
                | FlowControl::IndirectBranch
                | FlowControl::Return
                | FlowControl::Exception
        ) {
            open.push(at + 1);
        }
    }
    reached
}
