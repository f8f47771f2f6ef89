//! Conditional branches by the longest history that was seen before: TAGE (Seznec and Michaud, 2006).
//!
//! Correct means: 12 tables of 8192 entries, tagged with 12 bits, over the last 4 to 640 outcomes of
//! conditional branches, in front of a bimodal table; what is predicted is what the longest matching entry
//! says, or the next one where that one is new and new ones are rarely right.

use super::Model;
use super::history::{Bits, History};
use super::simple::Bimodal;
use crate::branch::{Branch, BranchKind};
use crate::stats::random::SplitMix64;

const TABLES: usize = 12;
const INDEX_BITS: u32 = 13;
const TAG_BITS: u32 = 12;
const WIDTHS: [u32; 2] = [INDEX_BITS, TAG_BITS];
/// Branches after which what was useful once is less so.
const AGE: u64 = 1 << 18;

/// The model.
#[derive(Debug)]
pub struct Tage {
    base: Bimodal,
    tables: Vec<Vec<Entry>>,
    history: History,
    /// How often a new entry was worse than what it replaced, less how often it was better.
    distrust: i8,
    branches: u64,
    random: SplitMix64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    tag: u16,
    /// From -4 to 3; not negative is taken.
    counter: i8,
    useful: u8,
}

impl Entry {
    fn is_taken(self) -> bool {
        self.counter >= 0
    }

    fn is_weak(self) -> bool {
        matches!(self.counter, -1 | 0)
    }

    fn learn(&mut self, taken: bool) {
        self.counter = (self.counter + if taken { 1 } else { -1 }).clamp(-4, 3);
    }
}

impl Tage {
    /// One that has seen nothing.
    pub fn new() -> Tage {
        Tage {
            base: Bimodal::new(),
            tables: vec![vec![Entry::default(); 1 << INDEX_BITS]; TABLES],
            history: History::of_tables::<TABLES>((4.0, 640.0), WIDTHS),
            distrust: 0,
            branches: 0,
            random: SplitMix64::new(1),
        }
    }

    /// Makes entries with longer histories than the one that was wrong: one, where there is room.
    fn allocate(&mut self, slots: &[(usize, u16); TABLES], first: usize, taken: bool) {
        // Half of the time the shortest is passed over, so that patterns do not push each other out.
        let first = first + (self.random.below(2) as usize).min(TABLES.saturating_sub(first + 1));
        for (table, &(index, tag)) in slots.iter().enumerate().skip(first) {
            let entry = &mut self.tables[table][index];
            if entry.useful == 0 {
                let counter = if taken { 0 } else { -1 };
                *entry = Entry {
                    tag,
                    counter,
                    useful: 0,
                };
                return;
            }
        }
        for (table, &(index, _)) in slots.iter().enumerate().skip(first) {
            self.tables[table][index].useful -= 1;
        }
    }

    fn age(&mut self) {
        self.branches += 1;
        if self.branches.is_multiple_of(AGE) {
            for entry in self.tables.iter_mut().flatten() {
                entry.useful >>= 1;
            }
        }
    }
}

impl Default for Tage {
    fn default() -> Tage {
        Tage::new()
    }
}

impl Model for Tage {
    fn name(&self) -> &'static str {
        "tage"
    }

    fn predicts(&self, kind: BranchKind) -> bool {
        kind == BranchKind::Conditional
    }

    fn misses(&mut self, branch: &Branch) -> bool {
        if !self.predicts(branch.kind) {
            return false;
        }
        let taken = branch.taken;
        let slots = self.history.slots(branch.ip, WIDTHS);
        let mut matching = (0..TABLES)
            .rev()
            .filter(|&table| self.tables[table][slots[table].0].tag == slots[table].1);
        let (provider, other) = (matching.next(), matching.next());
        let base = self.base.of(branch.ip).is_taken();
        let alternative = other.map_or(base, |table| self.tables[table][slots[table].0].is_taken());
        let own = provider.map(|table| self.tables[table][slots[table].0]);
        let predicted = match own {
            Some(entry) if entry.is_weak() && entry.useful == 0 && self.distrust >= 0 => {
                alternative
            }
            Some(entry) => entry.is_taken(),
            None => base,
        };
        match (provider, own) {
            (Some(table), Some(was)) => {
                let is_new = was.is_weak() && was.useful == 0;
                if is_new && was.is_taken() != alternative {
                    let step = if alternative == taken { 1 } else { -1 };
                    self.distrust = (self.distrust + step).clamp(-8, 7);
                }
                let entry = &mut self.tables[table][slots[table].0];
                if was.is_taken() != alternative {
                    entry.useful = if was.is_taken() == taken {
                        (entry.useful + 1).min(3)
                    } else {
                        entry.useful.saturating_sub(1)
                    };
                }
                entry.learn(taken);
                if was.useful == 0 && other.is_none() {
                    self.base.of(branch.ip).learn(taken);
                }
            }
            _ => self.base.of(branch.ip).learn(taken),
        }
        // Where the longest was right and only not believed, nothing longer is wanted.
        let was_right = own.is_some_and(|entry| entry.is_taken() == taken);
        let first = provider.map_or(0, |table| table + 1);
        if predicted != taken && !was_right && first < TABLES {
            self.allocate(&slots, first, taken);
        }
        self.age();
        self.history.push(Bits {
            value: u32::from(taken),
            count: 1,
        });
        predicted != taken
    }
}
