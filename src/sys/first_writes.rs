//! Which parts of some memory were written, and what stood there before: the first write to a part faults,
//! and the handler notes the part, copies it and lets the write go on.
//!
//! Correct means: from [`FirstWrites::watch`] on each part that changes is noted before it does, its copy
//! holds what stood there then, and code cannot tell but by the time that its first write takes.
//!
//! [`signals::install`](super::signals::install) has put the handler in its place before.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::mapping::{PAGE, Writable};

/// Parts that a memory has at the most: each may become a mapping of its own in the kernel's books, of
/// which a process has 65,530 (`vm.max_map_count`).
const MOST_PARTS: usize = 4096;

/// A part that was not written yet: the first write to it faults.
const WAITS: u8 = 0;
/// One that can be written, and of which nobody asks what stood there.
const IS_OPEN: u8 = 1;
/// One that was written, and copied before.
const IS_COPIED: u8 = 2;
/// One that was written, and held zeros before.
const WAS_ZERO: u8 = 3;

/// What the handler needs to know of a watched memory.
#[derive(Debug)]
struct Watched {
    start: AtomicU64,
    end: AtomicU64,
    part_bytes: AtomicU64,
    copies: AtomicU64,
    marks: [AtomicU8; MOST_PARTS],
    noted: [AtomicU32; MOST_PARTS],
    count: AtomicUsize,
    is_taken: AtomicBool,
}

impl Watched {
    const fn new() -> Watched {
        Watched {
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            part_bytes: AtomicU64::new(0),
            copies: AtomicU64::new(0),
            marks: [const { AtomicU8::new(0) }; MOST_PARTS],
            noted: [const { AtomicU32::new(0) }; MOST_PARTS],
            count: AtomicUsize::new(0),
            is_taken: AtomicBool::new(false),
        }
    }
}

/// Memories that can be watched at a time; a worker watches two, its row's data and the stack.
const MOST_WATCHED: usize = 8;

static WATCHED: [Watched; MOST_WATCHED] = [const { Watched::new() }; MOST_WATCHED];

/// Bytes of a part of a memory of so many bytes: a page, or more where that would be too many parts.
pub fn part_bytes(bytes: usize) -> usize {
    let parts = bytes.div_ceil(PAGE);
    PAGE * parts.div_ceil(MOST_PARTS).next_power_of_two()
}

/// Watches one memory after the other.
#[derive(Debug)]
pub struct FirstWrites {
    watched: &'static Watched,
    copies: Writable,
    /// As many as a part has, never written.
    zeros: Writable,
    part_bytes: usize,
}

impl FirstWrites {
    /// One that can watch memories of up to `most_bytes`.
    ///
    /// # Errors
    /// When the kernel has no address space for the copies, or too many watch something.
    pub fn new(most_bytes: usize) -> io::Result<FirstWrites> {
        let room = most_bytes.next_multiple_of(part_bytes(most_bytes));
        let copies = Writable::new(room)?;
        let zeros = Writable::new(part_bytes(most_bytes))?;
        let take = |one: &&Watched| !one.is_taken.swap(true, Ordering::AcqRel);
        let watched = WATCHED.iter().find(take);
        Ok(FirstWrites {
            watched: watched.ok_or_else(|| io::Error::other("too many memories are watched"))?,
            copies,
            zeros,
            part_bytes: PAGE,
        })
    }

    /// Bytes of the largest memory that can be watched.
    pub fn room(&self) -> usize {
        self.copies.view().len()
    }

    /// Makes `memory` read-only but for the parts in `open`, ascending, and forgets what was noted.
    ///
    /// # Errors
    /// When the kernel refuses.
    ///
    /// # Panics
    /// When the memory does not begin at a page, or is larger than was said.
    pub fn watch(&mut self, memory: &mut [u8], open: impl Iterator<Item = u32>) -> io::Result<()> {
        let start = memory.as_ptr() as u64;
        self.part_bytes = part_bytes(memory.len());
        let room = memory.len().next_multiple_of(self.part_bytes);
        assert!(
            start.is_multiple_of(PAGE as u64) && room <= self.copies.view().len(),
            "{} bytes at {start:#x} cannot be watched",
            memory.len()
        );
        let watched = self.watched;
        watched.end.store(0, Ordering::Release);
        watched.count.store(0, Ordering::Relaxed);
        for mark in &watched.marks {
            mark.store(WAITS, Ordering::Relaxed);
        }
        watched.start.store(start, Ordering::Relaxed);
        watched
            .part_bytes
            .store(self.part_bytes as u64, Ordering::Relaxed);
        watched
            .copies
            .store(self.copies.address(), Ordering::Relaxed);
        watched
            .end
            .store(start + memory.len() as u64, Ordering::Release);
        protect(memory, libc::PROT_READ)?;
        let mut run: Option<(usize, usize)> = None;
        for part in open {
            let part = part as usize;
            watched.marks[part].store(IS_OPEN, Ordering::Relaxed);
            run = match run {
                Some((first, end)) if end == part => Some((first, part + 1)),
                _ => {
                    self.open(memory, run)?;
                    Some((part, part + 1))
                }
            };
        }
        self.open(memory, run)
    }

    fn open(&self, memory: &mut [u8], parts: Option<(usize, usize)>) -> io::Result<()> {
        let Some((first, end)) = parts else {
            return Ok(());
        };
        let end = memory.len().min(end * self.part_bytes);
        let opened = &mut memory[first * self.part_bytes..end];
        protect(opened, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Watches nothing from now on: `memory` is writable, and faults are what they are.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn end(&mut self, memory: &mut [u8]) -> io::Result<()> {
        self.watched.end.store(0, Ordering::Release);
        self.watched.count.store(0, Ordering::Relaxed);
        protect(memory, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// The parts that were first written since this was last asked, in that order.
    pub fn noted(&mut self) -> Vec<u32> {
        let count = self.watched.count.swap(0, Ordering::AcqRel);
        let noted = &self.watched.noted[..count];
        noted
            .iter()
            .map(|part| part.load(Ordering::Relaxed))
            .collect()
    }

    /// The parts of what is watched that can be written: those that were, and those that were open.
    pub fn writable(&self) -> impl Iterator<Item = u32> + '_ {
        let marks = (0u32..).zip(&self.watched.marks);
        let is_writable = |(_, mark): &(u32, &AtomicU8)| mark.load(Ordering::Relaxed) != WAITS;
        marks.filter(is_writable).map(|(part, _)| part)
    }

    /// What stood in a part that was noted, before it was written.
    pub fn before(&self, part: u32) -> &[u8] {
        let range = self.range(part);
        match self.watched.marks[part as usize].load(Ordering::Relaxed) {
            WAS_ZERO => &self.zeros.view()[..range.len()],
            _ => &self.copies.view()[range],
        }
    }

    /// Offsets of a part in the memory that is watched.
    pub fn range(&self, part: u32) -> std::ops::Range<usize> {
        let watched = self.watched;
        let bytes = watched.end.load(Ordering::Relaxed) - watched.start.load(Ordering::Relaxed);
        let start = part as usize * self.part_bytes;
        start..(start + self.part_bytes).min(bytes as usize)
    }

    /// Bytes of a part of the memory that is watched.
    pub fn part_bytes(&self) -> usize {
        self.part_bytes
    }

    /// Gives the memory of the copies back to the system.
    pub fn forget_copies(&mut self) {
        self.copies.forget();
    }
}

impl Drop for FirstWrites {
    fn drop(&mut self) {
        self.watched.end.store(0, Ordering::Release);
        self.watched.is_taken.store(false, Ordering::Release);
    }
}

fn protect(memory: &mut [u8], protection: i32) -> io::Result<()> {
    // SAFETY: the bytes are whole pages of a mapping that their owner lends here; pages that become
    // read-only are made writable again by the handler at the first write, whoever makes it.
    let answer = unsafe { libc::mprotect(memory.as_mut_ptr().cast(), memory.len(), protection) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Notes the part that holds `address`, copies it and makes it writable. Tells whether it was one that
/// waits for its first write: then the write may be tried again. Safe in a signal handler.
pub(super) fn note(address: u64) -> bool {
    WATCHED.iter().any(|watched| note_in(watched, address))
}

fn note_in(watched: &Watched, address: u64) -> bool {
    let end = watched.end.load(Ordering::Acquire);
    let start = watched.start.load(Ordering::Relaxed);
    if address < start || address >= end {
        return false;
    }
    let part_bytes = watched.part_bytes.load(Ordering::Relaxed);
    let part = (address - start) / part_bytes;
    let mark = &watched.marks[part as usize];
    if mark.load(Ordering::Relaxed) != WAITS {
        return false;
    }
    let from = start + part * part_bytes;
    let bytes = part_bytes.min(end - from);
    let copy = watched.copies.load(Ordering::Relaxed) + part * part_bytes;
    // SAFETY: the part lies in the memory that is watched, which its owner keeps mapped and readable
    // meanwhile, in whole words, and its copy in a `Writable` as large; the two do not overlap, and who
    // writes the part stands still. The pages are a whole part of that memory.
    let answer = unsafe {
        let words = std::slice::from_raw_parts(from as *const u64, bytes as usize / 8);
        // Of a large buffer that nobody has written a copy would take as much memory again.
        let is_zero = words.iter().all(|word| *word == 0);
        if !is_zero {
            std::ptr::copy_nonoverlapping(from as *const u8, copy as *mut u8, bytes as usize);
        }
        mark.store(
            if is_zero { WAS_ZERO } else { IS_COPIED },
            Ordering::Relaxed,
        );
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        libc::mprotect(from as *mut libc::c_void, bytes as usize, protection)
    };
    let at = watched.count.fetch_add(1, Ordering::AcqRel);
    watched.noted[at].store(part as u32, Ordering::Relaxed);
    answer == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_pages_up_to_4096_of_them_and_then_twice_as_large() {
        assert_eq!(part_bytes(1), PAGE);
        assert_eq!(part_bytes(MOST_PARTS * PAGE), PAGE);
        assert_eq!(part_bytes(MOST_PARTS * PAGE + 1), 2 * PAGE);
        assert_eq!(part_bytes(1 << 30), 64 * PAGE);
    }
}
