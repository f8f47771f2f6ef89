//! Look-ups by name, as the parser makes them several times a line: no copy, a cheap hash.
//!
//! Correct means: a name of the table is among its candidates, whatever its neighbours. The hash
//! does not resist crafted names, so the tables are those that the compiler makes.

use std::borrow::Cow;

/// `word` in lower case; a copy only where that differs.
pub(super) fn lower(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}

/// Where the names of a table stand in it: open addressing over `SLOTS`, a power of two.
pub(super) struct Index<const SLOTS: usize>([u16; SLOTS]);

/// What an empty slot holds.
const EMPTY: u16 = u16::MAX;

impl<const SLOTS: usize> Index<SLOTS> {
    /// The index of these names. At least half of the slots must stay empty.
    pub(super) const fn new(names: &[&str]) -> Index<SLOTS> {
        assert!(SLOTS.is_power_of_two() && 2 * names.len() <= SLOTS);
        let mut slots = [EMPTY; SLOTS];
        let mut at = 0;
        while at < names.len() {
            let mut slot = hash(names[at].as_bytes()) as usize % SLOTS;
            while slots[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = at as u16;
            at += 1;
        }
        Index(slots)
    }

    /// Positions among which that of `name` is, if it has one.
    pub(super) fn candidates(&self, name: &str) -> impl Iterator<Item = usize> {
        let start = hash(name.as_bytes()) as usize;
        (start..start + SLOTS)
            .map(|slot| self.0[slot % SLOTS])
            .take_while(|at| *at != EMPTY)
            .map(usize::from)
    }
}

/// FNV-1a.
pub(super) const fn hash(bytes: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5u32;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash
}
