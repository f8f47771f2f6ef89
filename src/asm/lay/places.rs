//! The labels of one section, as positions between pieces.
//!
//! Correct means: a name means one place wherever it is seen from, and one with a dot in front, where
//! it comes more than once, the one behind the same name without a dot.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;

use crate::asm::inst::{Direction, Name};

/// Labels of one section.
#[derive(Debug, Default)]
pub(in crate::asm) struct Places<'a> {
    /// Named labels: index of the piece that follows, and of the line.
    pub(in crate::asm) named: HashMap<&'a str, (usize, usize), FixedState>,
    /// All of them in the order of the lines.
    pub(in crate::asm) order: Vec<(&'a str, usize)>,
    /// Numeric labels in order.
    pub(in crate::asm) numeric: Vec<(u32, usize)>,
    /// The addresses of a listing.
    pub(in crate::asm) addresses: HashMap<u64, usize, FixedState>,
    /// NASM's local labels that come more than once, by the label that they stand behind.
    local: HashMap<(usize, &'a str), usize>,
    /// Labels without a dot: where each stands.
    global: Vec<usize>,
}

impl<'a> Places<'a> {
    /// Gives a name to the place in front of a piece.
    ///
    /// # Errors
    /// The line that has the name, where it means one place only.
    pub(in crate::asm) fn define(
        &mut self,
        name: &'a str,
        piece: usize,
        line: usize,
    ) -> Result<(), usize> {
        let is_local = name.starts_with('.');
        if !is_local {
            self.global.push(piece);
        }
        match self.named.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert((piece, line));
            }
            Entry::Occupied(first) => {
                let (before, first) = *first.get();
                let behind = |piece| self.global.partition_point(|at| *at <= piece);
                let (one, other) = (behind(before), behind(piece));
                if !is_local || one == other || self.local.contains_key(&(other, name)) {
                    return Err(first);
                }
                self.local.entry((one, name)).or_insert(before);
                self.local.insert((other, name), piece);
            }
        }
        self.order.push((name, piece));
        Ok(())
    }

    /// Moves all places.
    pub(in crate::asm) fn settle(&mut self, to: impl Fn(usize) -> usize) {
        let named = self.named.values_mut().map(|(piece, _)| piece);
        let order = self.order.iter_mut().map(|(_, piece)| piece);
        let numeric = self.numeric.iter_mut().map(|(_, piece)| piece);
        let others = self
            .addresses
            .values_mut()
            .chain(self.local.values_mut())
            .chain(&mut self.global);
        for piece in named.chain(order).chain(numeric).chain(others) {
            *piece = to(*piece);
        }
        self.numeric.sort_by_key(|(_, piece)| *piece);
        self.global.sort_unstable();
    }

    /// The piece before which the target's label stands, seen from piece `from`.
    pub(in crate::asm) fn find(&self, name: &Name<'_>, from: usize) -> Option<usize> {
        match name {
            Name::Symbol(name) => self.quoted(name),
            Name::Here => Some(from),
            Name::Start => Some(0),
            Name::Address(named) => self.addresses.get(&named.0).copied(),
            Name::Label(name) | Name::Open(name) => {
                if !self.local.is_empty() && name.starts_with('.') {
                    let behind = self.global.partition_point(|at| *at <= from);
                    if let Some(piece) = self.local.get(&(behind, *name)) {
                        return Some(*piece);
                    }
                }
                self.named.get(name).map(|(piece, _)| *piece)
            }
            Name::Numeric(number, way) => {
                let (before, after) = self
                    .numeric
                    .split_at(self.numeric.partition_point(|(_, at)| *at <= from));
                let same = |(known, _): &&(u32, usize)| known == number;
                let found = match way {
                    Direction::Forward => after.iter().find(same),
                    Direction::Backward => before.iter().rfind(same),
                };
                found.map(|(_, at)| *at)
            }
        }
    }

    /// A label that was written in quotes.
    fn quoted(&self, name: &str) -> Option<usize> {
        let (piece, _) = self.named.get(name)?;
        let is_word =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '?' | '·' | '$');
        (!name.chars().all(is_word)).then_some(*piece)
    }
}
