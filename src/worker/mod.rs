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
mod executions;
mod further;
mod heads;
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
pub mod standby;
pub mod timing;
pub mod trace;
pub mod verify;

/// Does a row's work; a panic of this program ends the row, not the others.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let what = "the worker panicked, which is a bug of this program; its words are on stderr";
        Err(Failure::Worker(what.into()))
    })
}
