//! Code that leaves branch predictors full of other branches.
//!
//! Correct means: it is emitted before the filter is on, and each run tosses other coins, so that
//! no run can be predicted from the one before.

use std::io;

use crate::link::scrub;
use crate::sys::mapping::{Executable, PAGE, Window};
use crate::sys::time;

/// The two blocks, sealed.
#[derive(Debug)]
pub(super) struct Scrubber {
    code: Executable,
    branching: u64,
    straight: u64,
}

impl Scrubber {
    /// Emits them.
    ///
    /// # Errors
    /// When there is no executable memory.
    pub(super) fn new(window: &mut Window) -> io::Result<Scrubber> {
        let blocks = scrub::emit();
        let start = 2 * PAGE;
        let end = start + blocks.code.len().next_multiple_of(PAGE);
        let mut memory = window.take(end)?;
        memory.bytes()[start..start + blocks.code.len()].copy_from_slice(&blocks.code);
        let base = memory.address() + start as u64;
        Ok(Scrubber {
            code: memory.seal(start..end)?,
            branching: base + u64::from(blocks.branching),
            straight: base + u64::from(blocks.straight),
        })
    }

    /// Runs the block with branches, or the one without.
    pub(super) fn run(&mut self, is_branching: bool) {
        let block = match is_branching {
            true => self.branching,
            false => self.straight,
        };
        self.code.enter(block, time::ticks());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_blocks_run_to_their_end() {
        let mut window = Window::reserve().expect("reserves");
        let mut scrubber = Scrubber::new(&mut window).expect("maps");
        for _ in 0..4 {
            scrubber.run(true);
            scrubber.run(false);
        }
    }
}
