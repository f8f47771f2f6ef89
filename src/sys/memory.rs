//! Memory with an end: an allocation that the system refuses ends the process with a sentence.
//!
//! Correct means: every allocation is the system's own, and a refused one leaves the process
//! through [`OUT_OF_MEMORY`] instead of an abort with a core file.

use std::alloc::{GlobalAlloc, Layout, System};

/// Exit status of a process that got no memory.
pub const OUT_OF_MEMORY: i32 = 3;

const MESSAGE: &[u8] =
    b"error: this takes more memory than a process gets here (4 GiB, or what the \
system has left); a template that grows without end? lower its parameters\n";

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
        // SAFETY: the message is a constant with its length, and _exit takes a number.
        unsafe {
            libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
            libc::_exit(OUT_OF_MEMORY)
        }
    }
    pointer
}
