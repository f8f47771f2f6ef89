//! Whether an iteration may come to an instruction more than once.
//!
//! Correct means: where this says no, the section has no way from the instruction back to itself but by a
//! branch whose target is not in the code, and the code calls the section from one place that is itself not
//! repeated; it may say yes where an iteration runs it once.

use iced_x86::FlowControl;

use super::registers::Code;
use crate::asm::{Program, SectionKind};

/// Sections that call each other are looked at no deeper.
const DEEPEST: usize = 16;

/// Whether it may, for an instruction of a section, by index.
pub(super) fn may(program: &Program, of: (usize, &Code), at: usize) -> bool {
    deep(program, of, at, DEEPEST)
}

fn deep(program: &Program, (index, code): (usize, &Code), at: usize, left: usize) -> bool {
    let address = code.instructions[at].ip();
    let leads_back = code.instructions[at..].iter().any(|one| {
        let is_direct = matches!(
            one.flow_control(),
            FlowControl::ConditionalBranch
                | FlowControl::UnconditionalBranch
                | FlowControl::XbeginXabortXend
        );
        is_direct && one.near_branch_target() <= address
    });
    let section = &program.sections[index];
    if leads_back || left == 0 {
        return true;
    }
    if section.kind != SectionKind::Func {
        return false;
    }
    let mut callers = Vec::new();
    for (number, other) in program.sections.iter().enumerate() {
        let named = other
            .fixups
            .iter()
            .filter(|fixup| fixup.symbol == section.name);
        let code = (other.kind != SectionKind::Data).then(|| Code::of(other));
        for (code, fixup) in code
            .iter()
            .flat_map(|code| named.clone().map(move |one| (code, one)))
        {
            let from = code
                .instructions
                .iter()
                .position(|one| one.next_ip() == u64::from(fixup.end));
            callers.push(from.is_none_or(|from| deep(program, (number, code), from, left - 1)));
        }
    }
    callers.len() > 1 || callers.contains(&true)
}
