//! Which functions are worth following.
//!
//! Correct means: a function that is passed over has no site.

use iced_x86::{FlowControl, Instruction, Mnemonic};

use super::Finder;
use crate::binary::values::loads_hash;

impl Finder<'_, '_> {
    /// Whether there can be a site among instructions, at a glance: most functions have none, and to follow their ways takes
    /// longer than to read them.
    pub(super) fn may_decide(&self, instructions: &[Instruction]) -> bool {
        let is_go = self.binary.go.is_some();
        let (mut has_address, mut has_compare) = (false, false);
        for one in instructions {
            match one.flow_control() {
                FlowControl::IndirectCall | FlowControl::IndirectBranch => return true,
                FlowControl::Call if self.searches.contains_key(&one.near_branch_target()) => {
                    return true;
                }
                FlowControl::Next if is_go => {
                    has_compare |= one.mnemonic() == Mnemonic::Cmp;
                    has_address |= one.mnemonic() == Mnemonic::Lea
                        && one.is_ip_rel_memory_operand()
                        && self.may_be_type(one.ip_rel_memory_address());
                    if loads_hash(one) || has_address && has_compare {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }

    /// Whether a type, or an itab, may be at an address.
    fn may_be_type(&self, address: u64) -> bool {
        let go = self.binary.go.as_ref();
        go.is_some_and(|go| go.may_be_type(address)) || self.itabs.contains_key(&address)
    }
}
