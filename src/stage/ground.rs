//! The stack that generated code runs on, and the notes of what runs.
//!
//! Correct means: frame 0 stands where the harness can wrap four frames with one bit, and above the
//! frames a canary tells of writes that reach too far.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use crate::link::frame::{self, carried};
use crate::stage::notes;
use crate::sys::first_writes::FirstWrites;
use crate::sys::mapping::{self, PAGE, Writable};
use crate::sys::shared::SharedPage;
use crate::sys::signals;

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
    /// Who notes which parts of a row's data are written.
    pub(super) data_writes: FirstWrites,
    /// The same of the stack.
    pub(super) stack_writes: FirstWrites,
    /// Parts of the stack that rows have written.
    pub(super) used: BTreeSet<u32>,
}

/// Notes progress that takes no entry.
#[derive(Debug)]
pub struct Pulse {
    page: &'static SharedPage,
    entries: u64,
    calls: u32,
}

impl Pulse {
    /// Notes one in so many calls, which are short.
    pub fn beat(&mut self) {
        const CALLS: u32 = 1 << 16;
        self.calls += 1;
        if self.calls == CALLS {
            self.calls = 0;
            self.entries += 1;
            self.page.note(notes::ENTRIES, self.entries);
        }
    }
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
            data_writes: FirstWrites::new(PAGE)?,
            stack_writes: FirstWrites::new(STACK_BYTES)?,
            used: BTreeSet::new(),
        })
    }

    /// Gets ready for a row with so many bytes of data.
    ///
    /// # Errors
    /// When the kernel gives no address space.
    pub(super) fn make_room(&mut self, data_bytes: usize) -> io::Result<()> {
        if self.data_writes.room() < data_bytes {
            self.data_writes = FirstWrites::new(data_bytes)?;
        }
        Ok(())
    }

    /// The stack as it is before a row has run: zero, with the canary, and registers that hold nothing.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.used.extend(self.stack_writes.writable());
        self.stack_writes.end(self.stack.bytes())?;
        let part = PAGE;
        for used in &self.used {
            self.stack.bytes()[*used as usize * part..][..part].fill(0);
        }
        *self.canary() = CANARY_BYTES;
        let registers = self.frames();
        let widest = mapping::widest_vector() as u64;
        registers[carried::WIDEST as usize..][..8].copy_from_slice(&widest.to_le_bytes());
        // All exceptions masked, and all registers empty, as at the start of a process (Intel SDM vol. 1, 8.1).
        let x87 = &mut registers[carried::X87 as usize..];
        x87[..4].copy_from_slice(&0xffff_037f_u32.to_le_bytes());
        x87[8..12].copy_from_slice(&0xffff_ffff_u32.to_le_bytes());
        Ok(())
    }

    /// Notes the row whose code may run from now on: the one to blame for what happens then.
    pub fn work_on(&self, row: usize) {
        self.page.note(notes::ROW, row as u64 + 1);
    }

    /// Notes that the worker is at work: who watches it counts these.
    pub(super) fn note_progress(&mut self) {
        self.entries += 1;
        self.page.note(notes::ENTRIES, self.entries);
    }

    /// Notes whether generated code runs from now on.
    pub(super) fn note_inside(&self, is_inside: bool) {
        self.page.note(notes::INSIDE, u64::from(is_inside));
    }

    /// The same for whoever is at work without entering anything.
    pub fn pulse(&self) -> Pulse {
        Pulse {
            page: self.page,
            entries: self.entries,
            calls: 0,
        }
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

    /// Addresses above the body's that it may not write to where it runs in frame `number`: those of later
    /// frames, the harness's state and the canary.
    pub fn reserved(&self, number: u64) -> Range<u64> {
        let frame = self.frame();
        let own = frame + number * frame::FRAME_STEP as u64;
        own + frame::BODY_BYTES..frame + frame::CANARY + 8 * frame::CANARY_WORDS
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
