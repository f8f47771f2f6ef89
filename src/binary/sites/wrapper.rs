//! Functions that the compiler makes to pass a call on to the method, and how they do.
//!
//! Correct means: a wrapper is one that an itab leads to, and its row is of the code that it has.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::{Function, How};
use crate::binary::how::{Embedded, Passing};
use crate::binary::itabs::{Held, Slot};
use crate::binary::values::slot;

/// The function that a slot leads to, where that is a wrapper, and whether it has the method in it.
pub(super) fn led_to(slot: &Slot) -> Option<(u64, bool)> {
    match slot.held {
        Held::Wrapper { inlined } => Some((slot.address, inlined == Some(true))),
        _ => None,
    }
}

impl Function<'_, '_> {
    /// Where a wrapper passes on to the method: it begins there, where it has that in it.
    pub(super) fn wrapper(&mut self, inlined: bool) {
        let name = self.name.rsplit('.').next();
        let leads = |one: &Instruction| {
            let is_direct = one.is_call_near() || one.is_jmp_short_or_near();
            let to = one.near_branch_target();
            let called = is_direct
                .then(|| self.finder.binary.symbol_at(to))
                .flatten();
            called.is_some_and(|(called, _)| {
                !self.ends.contains(&to) && called.name.rsplit('.').next() == name
            })
        };
        let call = self.flow.instructions.iter().position(leads);
        let passing = match call {
            Some(at) if !inlined => self.passing(at),
            _ => Passing::Inlined,
        };
        if let Some(at) = call.or(inlined.then_some(0)) {
            self.site(at, How::Wrapper(passing));
        }
    }

    /// How a wrapper comes to the method that it calls or jumps to there.
    fn passing(&self, at: usize) -> Passing {
        let to = self.flow.instructions[at].near_branch_target();
        let called = self.finder.binary.symbol_at(to);
        let called = called.map_or("", |(called, _)| &called.name);
        if !is_of_pointer(called) {
            return Passing::Copied;
        }
        // What the stack has is an argument.
        let loads = |one: &Instruction| {
            one.mnemonic() == Mnemonic::Mov
                && one.op0_register() == Register::RAX
                && one.op1_kind() == OpKind::Memory
                && slot(one).is_none()
        };
        Passing::Promoted(match is_of_pointer(self.name) {
            false => Embedded::Direct,
            true if self.flow.instructions[..at].iter().any(loads) => Embedded::Pointer,
            true => Embedded::Value,
        })
    }
}

/// Whether a method is one of a pointer, `main.(*T).M`.
fn is_of_pointer(name: &str) -> bool {
    let receiver = name.rsplit_once('.');
    receiver.is_some_and(|(receiver, _)| receiver.ends_with(')'))
}
