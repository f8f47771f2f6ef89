//! Instructions that were read before.
//!
//! Correct means: a line is taken for an equal one before it only where reading it again would give
//! the same bytes: it names no target, and nothing that a line can see has changed since.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::encode::emit::Encoded;

/// The instructions of lines, by their text. Of 161,073 lines of libstdc++ that name no target, as objdump
/// prints them, 13,395 differ.
#[derive(Default)]
pub(super) struct Known<'a>(HashMap<&'a str, Encoded, FixedState>);

impl<'a> Known<'a> {
    /// So many lines are kept that a text of any length takes a few megabytes for them.
    const MOST: usize = 1 << 15;

    /// The instruction that an equal line was.
    #[inline]
    pub(super) fn get(&self, line: &str) -> Option<Encoded> {
        self.0.get(line).copied()
    }

    /// Keeps what a line was.
    pub(super) fn keep(&mut self, line: &'a str, encoded: Encoded) {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(line, encoded);
    }

    /// Forgets all lines: a constant, a numeric label or the syntax is another one from here on.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
