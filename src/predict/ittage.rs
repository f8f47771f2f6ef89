//! Indirect branches by the longest history that was seen before: ITTAGE (Seznec, 2011).
//!
//! Correct means: 8 tables of 4096 entries, tagged with 11 bits, over the last 4 to 200 bits of history, in
//! front of a table of last targets; what is predicted is the target of the longest matching entry, or of
//! the next one where that one was wrong last.

use super::history::{Bits, History};
use super::indirect::LastTarget;
use super::{Model, is_indirect};
use crate::branch::{Branch, BranchKind};
use crate::stats::random::SplitMix64;

const TABLES: usize = 8;
const INDEX_BITS: u32 = 12;
/// Not as many as the index has, whose hash would be the same.
const TAG_BITS: u32 = 11;
const WIDTHS: [u32; 2] = [INDEX_BITS, TAG_BITS];
/// Bits that a taken branch leaves in the history of the textbook variant.
const PATH_BITS: u32 = 3;
/// Branches after which nothing is useful unless it proves so again.
const AGE: u64 = 1 << 18;

/// What the history is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// The outcomes of conditional branches, and bits of the address and target of each taken branch: the
    /// predictor of the literature, which tells indirect targets that were visited before.
    Textbook,
    /// The outcomes of conditional branches alone.
    ConditionalOnly,
}

impl Path {
    /// The bits that a branch leaves in the history.
    pub(super) fn bits(self, branch: &Branch) -> Bits {
        let mut bits = Bits { value: 0, count: 0 };
        if branch.kind == BranchKind::Conditional {
            bits = Bits {
                value: u32::from(branch.taken),
                count: 1,
            };
        }
        if self == Path::Textbook && branch.taken {
            // Multiplied, so that targets that differ in any bit are likely to differ in these.
            let place = branch.target ^ branch.ip.rotate_left(32);
            let place = place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - PATH_BITS);
            bits.value = bits.value << PATH_BITS | place as u32;
            bits.count += PATH_BITS;
        }
        bits
    }
}

/// The model.
#[derive(Debug)]
pub struct Ittage {
    path: Path,
    base: LastTarget,
    tables: Vec<Vec<Entry>>,
    history: History,
    branches: u64,
    random: SplitMix64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    target: u64,
    tag: u16,
    /// From 0 to 3; at 0 the next miss takes another target.
    confidence: u8,
    is_useful: bool,
}

impl Ittage {
    /// One that has seen nothing.
    pub fn new(path: Path) -> Ittage {
        Ittage {
            path,
            base: LastTarget::new(),
            tables: vec![vec![Entry::default(); 1 << INDEX_BITS]; TABLES],
            history: History::of_tables::<TABLES>((4.0, 200.0), WIDTHS),
            branches: 0,
            random: SplitMix64::new(1),
        }
    }

    fn allocate(&mut self, slots: &[(usize, u16); TABLES], first: usize, target: u64) {
        let first = first + (self.random.below(2) as usize).min(TABLES.saturating_sub(first + 1));
        for (table, &(index, tag)) in slots.iter().enumerate().skip(first) {
            let entry = &mut self.tables[table][index];
            if !entry.is_useful {
                *entry = Entry {
                    target,
                    tag,
                    confidence: 0,
                    is_useful: false,
                };
                return;
            }
        }
        for (table, &(index, _)) in slots.iter().enumerate().skip(first) {
            // One in eight: a miss that cannot be helped must not empty the tables.
            if self.random.below(8) == 0 {
                self.tables[table][index].is_useful = false;
            }
        }
    }

    fn judge(&mut self, branch: &Branch) -> bool {
        let slots = self.history.slots(branch.ip, WIDTHS);
        let mut matching = (0..TABLES)
            .rev()
            .filter(|&table| self.tables[table][slots[table].0].tag == slots[table].1);
        let (provider, other) = (matching.next(), matching.next());
        let base = self.base.of(branch.ip);
        let alternative = other.map_or(base, |table| {
            Some(self.tables[table][slots[table].0].target)
        });
        let own = provider.map(|table| self.tables[table][slots[table].0]);
        let predicted = match own {
            Some(entry) if entry.confidence == 0 => alternative.or(Some(entry.target)),
            Some(entry) => Some(entry.target),
            None => base,
        };
        if let Some(table) = provider {
            let entry = &mut self.tables[table][slots[table].0];
            if entry.target == branch.target {
                entry.confidence = (entry.confidence + 1).min(3);
                entry.is_useful |= alternative != Some(branch.target);
            } else if entry.confidence > 0 {
                entry.confidence -= 1;
            } else {
                entry.target = branch.target;
                entry.is_useful = false;
            }
        }
        self.base.learn(branch.ip, branch.target);
        let missed = predicted != Some(branch.target);
        let was_right = own.is_some_and(|entry| entry.target == branch.target);
        let first = provider.map_or(0, |table| table + 1);
        if missed && !was_right && first < TABLES {
            self.allocate(&slots, first, branch.target);
        }
        self.branches += 1;
        if self.branches.is_multiple_of(AGE) {
            for entry in self.tables.iter_mut().flatten() {
                entry.is_useful = false;
            }
        }
        missed
    }
}

impl Model for Ittage {
    fn name(&self) -> &'static str {
        match self.path {
            Path::Textbook => "ittage",
            Path::ConditionalOnly => "ittage-conditional",
        }
    }

    fn predicts(&self, kind: BranchKind) -> bool {
        is_indirect(kind)
    }

    fn misses(&mut self, branch: &Branch) -> bool {
        let missed = self.predicts(branch.kind) && self.judge(branch);
        self.history.push(self.path.bits(branch));
        missed
    }
}
