//! Returns by a stack of calls (Kaeli and Emma, 1991).
//!
//! Correct means: a return to behind the call that is innermost and not yet returned from is predicted, as
//! long as no more calls than the stack is deep are open; deeper ones overwrite the outermost.

use super::Model;
use crate::branch::{Branch, BranchKind};

/// As deep as the stacks of large cores.
pub(super) const DEEP: usize = 32;
/// As deep as those of smaller or older ones.
pub(super) const SHALLOW: usize = 16;

/// A circular stack of the addresses of calls.
#[derive(Debug)]
pub struct ReturnStack {
    calls: Vec<u64>,
    top: usize,
    /// Entries that hold an open call.
    open: usize,
}

impl ReturnStack {
    /// An empty one, so deep.
    ///
    /// # Panics
    /// When it has no depth at all.
    pub fn new(depth: usize) -> ReturnStack {
        assert!(depth > 0, "a stack without an entry predicts nothing");
        ReturnStack {
            calls: vec![0; depth],
            top: 0,
            open: 0,
        }
    }

    fn push(&mut self, call: u64) {
        self.top = (self.top + 1) % self.calls.len();
        self.calls[self.top] = call;
        self.open = (self.open + 1).min(self.calls.len());
    }

    fn pop(&mut self) -> Option<u64> {
        self.open = self.open.checked_sub(1)?;
        let call = self.calls[self.top];
        self.top = (self.top + self.calls.len() - 1) % self.calls.len();
        Some(call)
    }
}

/// Whether an address is right behind a call. A trace has no lengths of instructions, and a call has 2 to
/// 15 bytes; code that returns to another place within these is not told apart.
pub(super) fn is_behind(call: u64, address: u64) -> bool {
    (2..=15).contains(&address.wrapping_sub(call))
}

impl Model for ReturnStack {
    fn name(&self) -> &'static str {
        if self.calls.len() == DEEP {
            "return-stack"
        } else {
            "return-stack-16"
        }
    }

    fn predicts(&self, kind: BranchKind) -> bool {
        kind == BranchKind::Return
    }

    fn misses(&mut self, branch: &Branch) -> bool {
        match branch.kind {
            BranchKind::Call | BranchKind::IndirectCall => {
                self.push(branch.ip);
                false
            }
            BranchKind::Return => !self
                .pop()
                .is_some_and(|call| is_behind(call, branch.target)),
            _ => false,
        }
    }
}
