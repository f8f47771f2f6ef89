//! Memory with an end: an allocation that the system refuses ends the process with a sentence.
//!
//! Correct means: every allocation is the system's own, and a refused one leaves the process
//! through [`OUT_OF_MEMORY`] instead of an abort with a core file.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::limits;

/// Exit status of a process that got no memory.
pub const OUT_OF_MEMORY: i32 = 3;

/// A sentence that takes no memory.
struct Sentence {
    text: [u8; 256],
    length: usize,
}

impl fmt::Write for Sentence {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        let room = &mut self.text[self.length..];
        let length = words.len().min(room.len());
        room[..length].copy_from_slice(&words.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}

impl Sentence {
    fn of_refusal() -> Sentence {
        let mut sentence = Sentence {
            text: [0; 256],
            length: 0,
        };
        // What does not fit is left out.
        let _ = match limits::memory() {
            Some(limit) => writeln!(
                sentence,
                "error: this takes more memory than a process gets here:\n  {limit}"
            ),
            None => writeln!(
                sentence,
                "error: this takes more memory than a process gets here (4 GiB, or what the\n  system has left); a \
                 template that grows without end? lower its parameters"
            ),
        };
        sentence
    }
}

static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// From now on the process leaves without the sentence: another one will say it.
pub fn end_silently() {
    IS_SILENT.store(true, Ordering::Relaxed);
}

static OF_MACHINE: AtomicI32 = AtomicI32::new(OUT_OF_MEMORY);

/// From now on the process ends with this status where the machine leaves it too little: a limit that can be named.
pub fn end_on_small_machines_with(status: i32) {
    OF_MACHINE.store(status, Ordering::Relaxed);
}

/// The system's allocator with that exit.
#[derive(Debug)]
pub struct Ending;

// SAFETY: each call is passed on to the system's allocator as it came, so what holds for its
// pointers holds for these; a null pointer never gets out, because the process ends first.
unsafe impl GlobalAlloc for Ending {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this same function.
        end_if_null(unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this same function.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this same function.
        end_if_null(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this same function.
        end_if_null(unsafe { System.realloc(pointer, layout, size) })
    }
}

fn end_if_null(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() {
        if !IS_SILENT.load(Ordering::Relaxed) {
            let Sentence { text, length } = Sentence::of_refusal();
            // SAFETY: the first `length` bytes of the text were written by us.
            unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), length) };
        }
        let status = match limits::memory() {
            Some(_) => OF_MACHINE.load(Ordering::Relaxed),
            None => OUT_OF_MEMORY,
        };
        // SAFETY: _exit takes a number and does not return.
        unsafe { libc::_exit(status) }
    }
    pointer
}
