//! What counters are good for, as a worker says it.
//!
//! Correct means: what is not counted has a reason and a next step.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stats::Event;

/// Why a source cannot be used here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// What the kernel or the CPU said.
    pub reason: String,
    /// What the user can do about it.
    pub remedy: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

/// An event of a column, and why it is not counted where it is not.
pub type EventState = (Event, Result<(), Unavailable>);

/// An event by its name, and how it is read or why it cannot be counted.
pub type FurtherState = (String, Result<String, Unavailable>);
