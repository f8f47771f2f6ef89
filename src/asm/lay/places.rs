//! The labels of one section, as positions between pieces.
//!
//! Correct means: a name means one place wherever it is seen from, and one with a dot in front, where
//! it comes more than once, the one behind the same name without a dot.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use crate::asm::inst::{Direction, Name, Target};
use crate::asm::problem::Span;

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
    /// Names that a line says are the linker's.
    pub(in crate::asm) open: HashSet<&'a str>,
    /// NASM's local labels that come more than once, by the label that they stand behind.
    local: HashMap<(usize, &'a str), usize>,
    /// Labels without a dot: where each stands.
    global: Vec<usize>,
    /// Names of what stands elsewhere, or of no label's own place.
    aliases: HashMap<&'a str, Alias<'a>>,
}

/// What else a name means than a place between pieces.
#[derive(Debug, Clone)]
struct Alias<'a> {
    target: Target<'a>,
    /// Where the target stands, if that is here.
    label: Option<usize>,
}

/// A name that is given to an address, until all labels are known.
#[derive(Debug)]
pub(in crate::asm) struct Given<'a> {
    pub(in crate::asm) name: &'a str,
    pub(in crate::asm) span: Span,
    /// The line that gives it, and the piece that follows there.
    pub(in crate::asm) line: usize,
    pub(in crate::asm) from: usize,
    pub(in crate::asm) target: Target<'a>,
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

    /// Binds names that were given to addresses, whichever of both comes first.
    ///
    /// # Errors
    /// Names that are taken, with the line that has them, and those that mean nothing but each other.
    pub(in crate::asm) fn bind(
        &mut self,
        mut given: Vec<Given<'a>>,
    ) -> Vec<(Given<'a>, Option<usize>)> {
        // Of several lines that give one name, the last counts.
        let last: HashMap<&str, usize> = given.iter().map(|one| (one.name, one.line)).collect();
        given.retain(|one| last[one.name] == one.line);
        let mut taken = Vec::new();
        loop {
            let names: HashSet<&str> = given.iter().map(|one| one.name).collect();
            let is_settled = |one: &Given<'a>| match one.target.name.word() {
                Some(word) => !names.contains(word),
                None => true,
            };
            let (now, later): (Vec<_>, Vec<_>) = given.into_iter().partition(is_settled);
            if now.is_empty() {
                taken.extend(later.into_iter().map(|one| (one, None)));
                return taken;
            }
            for one in now {
                let aim = self.aim(one.target.clone(), one.from);
                match (self.named.get(one.name), &aim) {
                    (Some((_, line)), _) if *line != one.line => {
                        let line = *line;
                        taken.push((one, Some(line)));
                    }
                    (_, (Target { addend: 0, .. }, Some(piece))) => {
                        self.named.insert(one.name, (*piece, one.line));
                        self.order.push((one.name, *piece));
                    }
                    _ => {
                        let (target, label) = aim;
                        self.aliases.insert(one.name, Alias { target, label });
                    }
                }
            }
            given = later;
        }
    }

    /// What a target means, and the piece before which that stands, seen from piece `from`.
    pub(in crate::asm) fn aim<'t>(
        &self,
        target: Target<'t>,
        from: usize,
    ) -> (Target<'t>, Option<usize>)
    where
        'a: 't,
    {
        let label = self.find(&target.name, from);
        let alias = target.name.word().and_then(|word| self.aliases.get(word));
        match (label, alias) {
            (None, Some(alias)) => {
                let meant = Target {
                    name: alias.target.name.clone(),
                    addend: target.addend.saturating_add(alias.target.addend),
                    span: target.span,
                };
                (meant, alias.label)
            }
            _ => (target, label),
        }
    }

    /// How far names of no label's own place are from a piece of this section.
    pub(in crate::asm) fn distant(&self) -> impl Iterator<Item = (&'a str, usize, i64)> {
        let aliases = self.aliases.iter();
        aliases.filter_map(|(name, alias)| Some((*name, alias.label?, alias.target.addend)))
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
