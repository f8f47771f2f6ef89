//! Conditional branches by two-bit counters: bimodal (Smith, 1981) and gshare (McFarling, 1993).
//!
//! Correct means: a counter is the one of its branch, or of its branch and the last 16 outcomes, as long
//! as no two share an entry.

use super::{Model, mixed};
use crate::branch::{Branch, BranchKind};

/// A counter from 0 to 3 that says "taken" from 2 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TwoBits(u8);

impl TwoBits {
    /// Weakly not taken: a branch that was never seen is taken to fall through.
    pub(super) const NEW: TwoBits = TwoBits(1);

    pub(super) fn is_taken(self) -> bool {
        self.0 >= 2
    }

    pub(super) fn learn(&mut self, taken: bool) {
        self.0 = if taken {
            (self.0 + 1).min(3)
        } else {
            self.0.saturating_sub(1)
        };
    }
}

/// One counter for each branch: 2^14 of them, indexed by address.
#[derive(Debug)]
pub struct Bimodal {
    counters: Vec<TwoBits>,
}

impl Bimodal {
    const ENTRIES: usize = 1 << 14;

    /// One that has seen nothing.
    pub fn new() -> Bimodal {
        Bimodal {
            counters: vec![TwoBits::NEW; Bimodal::ENTRIES],
        }
    }

    /// The counter of a branch.
    pub(super) fn of(&mut self, ip: u64) -> &mut TwoBits {
        &mut self.counters[mixed(ip) as usize % Bimodal::ENTRIES]
    }
}

impl Default for Bimodal {
    fn default() -> Bimodal {
        Bimodal::new()
    }
}

impl Model for Bimodal {
    fn name(&self) -> &'static str {
        "bimodal"
    }

    fn predicts(&self, kind: BranchKind) -> bool {
        kind == BranchKind::Conditional
    }

    fn misses(&mut self, branch: &Branch) -> bool {
        if !self.predicts(branch.kind) {
            return false;
        }
        let counter = self.of(branch.ip);
        let missed = counter.is_taken() != branch.taken;
        counter.learn(branch.taken);
        missed
    }
}

/// One counter for each branch and history: 2^16 of them, indexed by address exclusive-or the last 16
/// outcomes.
#[derive(Debug)]
pub struct Gshare {
    counters: Vec<TwoBits>,
    history: u16,
}

impl Gshare {
    /// One that has seen nothing.
    pub fn new() -> Gshare {
        Gshare {
            counters: vec![TwoBits::NEW; 1 << u16::BITS],
            history: 0,
        }
    }
}

impl Default for Gshare {
    fn default() -> Gshare {
        Gshare::new()
    }
}

impl Model for Gshare {
    fn name(&self) -> &'static str {
        "gshare"
    }

    fn predicts(&self, kind: BranchKind) -> bool {
        kind == BranchKind::Conditional
    }

    fn misses(&mut self, branch: &Branch) -> bool {
        if !self.predicts(branch.kind) {
            return false;
        }
        let counter = &mut self.counters[usize::from(mixed(branch.ip) as u16 ^ self.history)];
        let missed = counter.is_taken() != branch.taken;
        counter.learn(branch.taken);
        self.history = self.history << 1 | u16::from(branch.taken);
        missed
    }
}
