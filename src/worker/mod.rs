//! The process that runs generated code, and the process that watches it.
//!
//! Correct means: whatever a template does, the parent ends with a row for it, and the rows that
//! did nothing wrong have the numbers they would have had alone.

use std::panic::{self, AssertUnwindSafe};

use crate::job::Failure;

mod blame;
pub mod branches;
pub mod child;
mod cold;
mod further;
pub mod inference;
pub mod model;
mod neighbours;
mod order;
mod pace;
pub mod parent;
pub mod probe;
mod runtime;
mod scrubber;
pub mod sites;
pub mod stage;
pub mod timing;
pub mod trace;
pub mod traps;
pub mod verify;

/// What the words of the shared page mean to worker and parent.
pub mod notes {
    /// Row at work plus one; 0 before the first.
    pub const ROW: usize = 0;
    /// Index of the image at work; the baseline comes behind the placements.
    pub const IMAGE: usize = 1;
    /// Address of that image's code.
    pub const CODE: usize = 2;
    /// Entries made so far: a worker that stands still shows by it.
    pub const ENTRIES: usize = 3;
    /// The status that the worker is to end with; wiped as soon as it has been read.
    pub const STATUS: usize = 4;
    /// Whether generated code is running, 1 or 0: all other time is the worker's own.
    pub const INSIDE: usize = 5;
    /// Address of that image's data.
    pub const DATA: usize = 6;
}

/// Does a row's work; a panic of this program ends the row, not the others.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let what = "the worker panicked, which is a bug of this program; its words are on stderr";
        Err(Failure::Worker(what.into()))
    })
}
