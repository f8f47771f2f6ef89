//! Indirect branches by their last target: a branch target buffer and nothing else.
//!
//! Correct means: a branch is predicted to go where it went last, unless another one took its entry since.

use super::{Model, is_indirect, mixed};
use crate::branch::{Branch, BranchKind};

/// 2^14 entries, indexed by address, each tagged with the whole of it.
#[derive(Debug)]
pub struct LastTarget {
    /// Branch and target.
    entries: Vec<(u64, u64)>,
}

impl LastTarget {
    const ENTRIES: usize = 1 << 14;

    /// One that has seen nothing.
    pub fn new() -> LastTarget {
        LastTarget {
            entries: vec![(u64::MAX, 0); LastTarget::ENTRIES],
        }
    }

    /// Where the branch went last.
    pub(super) fn of(&self, ip: u64) -> Option<u64> {
        let (branch, target) = self.entries[mixed(ip) as usize % LastTarget::ENTRIES];
        (branch == ip).then_some(target)
    }

    /// Remembers where it went.
    pub(super) fn learn(&mut self, ip: u64, target: u64) {
        self.entries[mixed(ip) as usize % LastTarget::ENTRIES] = (ip, target);
    }
}

impl Default for LastTarget {
    fn default() -> LastTarget {
        LastTarget::new()
    }
}

impl Model for LastTarget {
    fn name(&self) -> &'static str {
        "last-target"
    }

    fn predicts(&self, kind: BranchKind) -> bool {
        is_indirect(kind)
    }

    fn misses(&mut self, branch: &Branch) -> bool {
        if !self.predicts(branch.kind) {
            return false;
        }
        let missed = self.of(branch.ip) != Some(branch.target);
        self.learn(branch.ip, branch.target);
        missed
    }
}
