//! The stack that generated code runs on, and the notes of what runs.
//!
//! Correct means: frame 0 stands where the harness can wrap four frames with one bit, and guards around the
//! frames' state tell of writes that reach too far.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;

use crate::job::{Failure, JobRow};
use crate::link::frame::{self, carried};
use crate::stage::notes;
use crate::sys::first_writes::FirstWrites;
use crate::sys::mapping::{self, PAGE, Writable};
use crate::sys::shared::SharedPage;
use crate::sys::signals;
use crate::sys::time;
use crate::template::Clobbers;

/// Bytes of the stack that generated code runs on.
pub const STACK_BYTES: usize = 256 * 1024;

/// The stack and the notes, which all rows of a worker share.
#[derive(Debug)]
pub struct Ground {
    pub(super) stack: Writable,
    /// Address of frame 0.
    frame: u64,
    pub(super) page: &'static SharedPage,
    pub(super) entries: u64,
    /// Who notes which parts of a row's data are written.
    pub(super) data_writes: FirstWrites,
    /// The same of the stack.
    pub(super) stack_writes: FirstWrites,
    /// Parts of the stack that rows have written.
    pub(super) used: BTreeSet<u32>,
    /// What long entries may take of each row's time.
    bound: Option<Bound>,
}

/// What the long entries of a row may take together: code that gets slower later than anybody has looked would have
/// no end that the number of its entries sets.
#[derive(Debug)]
struct Bound {
    longest_ns: u64,
    ns_per_tick: f64,
    /// The row at work.
    row: usize,
    /// Of the processor, when it was last asked.
    processor_ns: u64,
    /// What each row has had.
    spent_ns: BTreeMap<usize, u64>,
}

impl Bound {
    /// Adds an entry of so many ticks.
    fn add(&mut self, ticks: u64) -> Result<(), Failure> {
        /// Twenty-five times a chunk.
        const LONG_NS: u64 = 1_000_000;
        let entry_ns = (ticks as f64 * self.ns_per_tick) as u64;
        if entry_ns < LONG_NS {
            return Ok(());
        }
        // While somebody else had the processor, the row had none.
        let now = time::processor_nanoseconds();
        let own = (now - self.processor_ns).min(entry_ns);
        self.processor_ns = now;
        if own < LONG_NS {
            return Ok(());
        }
        let spent = self.spent_ns.entry(self.row).or_default();
        *spent += own;
        match *spent > self.longest_ns {
            true => Err(Failure::Slowed {
                spent_ms: *spent / 1_000_000,
            }),
            false => Ok(()),
        }
    }
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
        let frame = frame_in(&stack);
        // Those that all rows have.
        let guards = frame::guards(true).map(|range| frame + range.start..frame + range.end);
        signals::set_guard(guards, frame::GUARD_WORD);
        Ok(Ground {
            stack,
            frame,
            page,
            entries: 0,
            data_writes: FirstWrites::new(PAGE)?,
            stack_writes: FirstWrites::new(STACK_BYTES)?,
            used: BTreeSet::new(),
            bound: None,
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

    /// The stack as it is before a row has run: zero, with the guards, and registers that hold nothing.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn clear(&mut self, row: &JobRow) -> io::Result<()> {
        self.used.extend(self.stack_writes.writable());
        self.stack_writes.end(self.stack.bytes())?;
        let part = PAGE;
        for used in &self.used {
            self.stack.bytes()[*used as usize * part..][..part].fill(0);
        }
        let registers = self.frames();
        for range in frame::guards(takes_turns(row))
            .into_iter()
            .chain([far(row)])
        {
            let guard = &mut registers[range.start as usize..range.end as usize];
            for word in guard.chunks_exact_mut(8) {
                word.copy_from_slice(&frame::GUARD_WORD.to_le_bytes());
            }
        }
        let widest = mapping::widest_vector() as u64;
        registers[carried::WIDEST as usize..][..8].copy_from_slice(&widest.to_le_bytes());
        // All exceptions masked, and all registers empty, as at the start of a process (Intel SDM vol. 1, 8.1).
        let x87 = &mut registers[carried::X87 as usize..];
        x87[..4].copy_from_slice(&0xffff_037f_u32.to_le_bytes());
        x87[8..12].copy_from_slice(&0xffff_ffff_u32.to_le_bytes());
        Ok(())
    }

    /// Notes the row whose code may run from now on: the one to blame for what happens then.
    pub fn work_on(&mut self, row: usize) {
        self.page.note(notes::ROW, row as u64 + 1);
        if let Some(bound) = &mut self.bound {
            bound.row = row;
        }
        self.begin_turn();
    }

    /// Begins some entries: what was done before them is not theirs.
    pub fn begin_turn(&mut self) {
        if let Some(bound) = &mut self.bound {
            bound.processor_ns = time::processor_nanoseconds();
        }
    }

    /// From now on the long entries of a row take no longer than this together.
    pub fn bound(&mut self, longest_ns: u64, tsc_hz: f64) {
        self.bound = Some(Bound {
            longest_ns,
            ns_per_tick: 1e9 / tsc_hz,
            row: 0,
            processor_ns: time::processor_nanoseconds(),
            spent_ns: BTreeMap::new(),
        });
    }

    /// Counts an entry towards that.
    pub(super) fn took(&mut self, ticks: u64) -> Result<(), Failure> {
        self.bound.as_mut().map_or(Ok(()), |bound| bound.add(ticks))
    }

    /// Notes that the worker is at work: who watches it counts these.
    #[inline]
    pub(super) fn note_progress(&mut self) {
        self.entries += 1;
        self.page.note(notes::ENTRIES, self.entries);
    }

    /// Whether a signal ends the run, so that what is timed now is to come to its end.
    pub fn is_called_off(&self) -> bool {
        self.page.noted(notes::ENOUGH) != 0
    }

    /// Notes whether generated code runs from now on.
    #[inline]
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
    #[inline]
    pub fn frame(&self) -> u64 {
        self.frame
    }

    /// The stack.
    pub fn stack(&self) -> &Writable {
        &self.stack
    }

    /// Addresses above the body's that it may not write to where it runs in frame `number`: those of later
    /// frames, the harness's state, the guards and what is carried.
    pub fn reserved(&self, number: u64) -> Range<u64> {
        let frame = self.frame();
        let own = frame + number * frame::FRAME_STEP as u64;
        own + frame::BODY_BYTES..frame + frame::FRAME_ROOM
    }

    /// The stack from frame 0 on.
    #[inline]
    pub(super) fn frames(&mut self) -> &mut [u8] {
        let at = (self.frame - self.stack.address()) as usize;
        &mut self.stack.bytes()[at..]
    }

    /// The first byte from frame 0 on where a guard no longer holds what it did.
    #[inline]
    pub(super) fn broken_guard(&mut self, row: &JobRow) -> Option<u64> {
        let [below, above] = frame::guards(takes_turns(row));
        let frames = self.frames();
        broken(frames, below).or_else(|| broken(frames, above))
    }

    /// The same of the far one.
    pub(super) fn broken_far(&mut self, row: &JobRow) -> Option<u64> {
        broken(self.frames(), far(row))
    }
}

fn takes_turns(row: &JobRow) -> bool {
    row.clobbers == Clobbers::All
}

fn far(row: &JobRow) -> Range<u64> {
    frame::far(row.carried.vectors != 0)
}

/// Address of frame 0 in a stack.
fn frame_in(stack: &Writable) -> u64 {
    let end = stack.addresses().end;
    (end - frame::FRAME_ROOM) / frame::FRAME_ALIGN * frame::FRAME_ALIGN
}

/// Where the first word stands in a guard that is another.
fn broken(frames: &[u8], guard: Range<u64>) -> Option<u64> {
    let bytes = &frames[guard.start as usize..guard.end as usize];
    let (words, _) = bytes.as_chunks::<8>();
    let changed = |word: &[u8; 8]| u64::from_le_bytes(*word) ^ frame::GUARD_WORD;
    // This is asked after each entry: no branch for each word, and several words at once.
    if words.iter().fold(0, |all, word| all | changed(word)) == 0 {
        return None;
    }
    let at = words.iter().position(|word| changed(word) != 0)?;
    Some(guard.start + 8 * at as u64)
}
