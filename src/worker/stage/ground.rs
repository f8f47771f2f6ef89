//! The stack that generated code runs on, and the notes of what runs.
//!
//! Correct means: frame 0 stands where the harness can wrap four frames with one bit, and above the
//! frames a canary tells of writes that reach too far.

use std::io;
use std::ops::Range;

use crate::link::frame;
use crate::sys::mapping::Writable;
use crate::sys::shared::SharedPage;
use crate::sys::signals;
use crate::worker::notes;

/// Bytes of the stack that generated code runs on.
pub const STACK_BYTES: usize = 256 * 1024;

/// The canary as it stands in memory.
pub(super) const CANARY_BYTES: [u8; 8 * frame::CANARY_WORDS as usize] = {
    let word = frame::CANARY_VALUE.to_le_bytes();
    let mut bytes = [0; 8 * frame::CANARY_WORDS as usize];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = word[at % 8];
        at += 1;
    }
    bytes
};

/// The stack and the notes, which all rows of a worker share.
#[derive(Debug)]
pub struct Ground {
    pub(super) stack: Writable,
    pub(super) page: &'static SharedPage,
    pub(super) entries: u64,
}

impl Ground {
    /// Maps the stack.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn new(page: &'static SharedPage) -> io::Result<Ground> {
        let stack = Writable::new(STACK_BYTES)?;
        signals::set_stack(&stack);
        Ok(Ground {
            stack,
            page,
            entries: 0,
        })
    }

    /// Notes the row whose code may run from now on: the one to blame for what happens then.
    pub fn work_on(&self, row: usize) {
        self.page.note(notes::ROW, row as u64 + 1);
    }

    pub(super) fn stack_end(&self) -> u64 {
        self.stack.address() + STACK_BYTES as u64
    }

    /// Address of frame 0.
    pub fn frame(&self) -> u64 {
        (self.stack_end() - frame::FRAME_ROOM) / frame::FRAME_ALIGN * frame::FRAME_ALIGN
    }

    /// The stack.
    pub fn stack(&self) -> &Writable {
        &self.stack
    }

    /// Addresses above frame 0 that no body may write to: the harness's state and the canary.
    pub fn reserved(&self) -> Range<u64> {
        let frame = self.frame();
        frame + frame::BODY_BYTES..frame + frame::CANARY + 8 * frame::CANARY_WORDS
    }

    /// The stack from frame 0 on.
    pub(super) fn frames(&mut self) -> &mut [u8] {
        let at = (self.frame() - self.stack.address()) as usize;
        &mut self.stack.bytes()[at..]
    }

    pub(super) fn canary(&mut self) -> &mut [u8; CANARY_BYTES.len()] {
        let canary = self.frames()[frame::CANARY as usize..].first_chunk_mut();
        canary.expect("there is room for the canary above the frames")
    }
}
