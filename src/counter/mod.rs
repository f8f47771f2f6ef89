//! Where numbers come from: one trait, a source a file.
//!
//! Correct means: a reading is of exactly the iterations asked for, and a source that cannot be
//! used says why in a sentence with the next step.

use self::group::Refused;
use crate::job::Failure;
use crate::stage::{Exit, Ground, Request, Stage};
use crate::stats::{Calibration, Events};

pub mod clock;
mod dispatch;
pub mod errno;
pub mod fake;
mod flow;
pub mod further;
pub mod group;
pub mod interpreter;
pub mod pmu;
mod receivers;
pub mod step;
#[cfg(test)]
mod tests;

/// What one entry told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// What the code left; `None` where the run was cut short.
    pub exit: Option<Exit>,
    /// TSC ticks, entering and leaving included.
    pub ticks: Option<u64>,
    /// Instructions and branches of each iteration of the template's own code.
    pub iterations: Vec<Count>,
    /// What the hardware counted, entering and leaving included; `None` from a source that does not
    /// ask it.
    pub events: Option<Result<Events, Refused>>,
}

/// Instructions and branches of one iteration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Instructions; a repeated string instruction is one.
    pub instructions: u64,
    /// Jumps, taken or not, calls, returns, `loop`, `jrcxz`.
    pub branches: u64,
    /// Instructions of the harness.
    pub harness: u64,
    /// Branches of the harness.
    pub harness_branches: u64,
}

/// A way to read what an entry took.
pub trait CounterSource {
    /// Whether its ticks are the machine's own, which others on it can disturb.
    fn is_timed(&self) -> bool {
        true
    }
    /// Reads the state of the machine beside a chunk; sources that need none say zero.
    fn calibrate(&mut self) -> Calibration {
        Calibration {
            chain_ticks: 0,
            width_ticks: 0,
        }
    }
    /// Enters once and reads.
    ///
    /// # Errors
    /// What the entry says: a panic, or something that was not left alone.
    fn read(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Reading, Failure>;
}
