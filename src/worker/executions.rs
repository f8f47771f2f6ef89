//! How often an iteration runs each instruction.
//!
//! Correct means: an instruction has a count if and only if it ran in the iterations that were traced, which are those
//! of the whole walk where the interpreter can follow it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::branches::{self, Hears};
use crate::asm::Program;
use crate::branch::Branch;
use crate::job::{Executed, Executions};
use crate::link::{ByAddress, Image, Owner};

/// Bytes of the instruction at an offset.
fn length_at(image: &Image, offset: u64) -> u64 {
    let instruction = image.instruction(image.site.code + offset);
    instruction.len().max(1) as u64
}

/// What the branches of iterations told of the code between them; offsets count from the start of the code.
pub(super) struct Ran {
    pub(super) image: Image,
    copies: u64,
    /// Where the code goes on.
    at: u64,
    turns: u64,
    /// How often the code ran from one offset to another, both included.
    stretches: HashMap<(u64, u64), u64, foldhash::fast::FixedState>,
    /// Where an access through a nil pointer goes on, if anywhere.
    sigpanic: Range<u64>,
    /// Where stretches began that such an access ended, in their order.
    unended: Vec<u64>,
    /// Bytes of the branches that were not taken, by their offsets.
    lengths: ByAddress<u64>,
}

impl Ran {
    /// Of these iterations of an image, whose loop has so many copies of the body, none yet.
    pub(super) fn new(image: Image, copies: u64) -> Ran {
        let base = image.site.code;
        let handler = image.sigpanic().and_then(|at| image.owner(at));
        let sigpanic = handler.map_or(0..0, |piece| {
            piece.addresses.start - base..piece.addresses.end - base
        });
        Ran {
            at: image.loop_head - base,
            sigpanic,
            unended: Vec::new(),
            lengths: ByAddress::default(),
            image,
            copies,
            turns: 0,
            stretches: HashMap::default(),
        }
    }

    fn see(&mut self, branch: &Branch) {
        if self.sigpanic.contains(&branch.ip) && !self.sigpanic.contains(&self.at) {
            self.unended.push(self.at);
            self.at = self.sigpanic.start;
        }
        *self.stretches.entry((self.at, branch.ip)).or_default() += 1;
        self.turns += u64::from(branches::ends_turn(&self.image, branch));
        self.at = match branch.taken {
            true => branch.target,
            false => {
                let image = &self.image;
                let length = self.lengths.entry(branch.ip);
                branch.ip + *length.or_insert_with(|| length_at(image, branch.ip))
            }
        };
    }

    /// Ends the stretches that accesses through nil pointers ended, in the same order.
    pub(super) fn end_at(&mut self, accesses: &[Option<u64>]) {
        for (from, to) in std::mem::take(&mut self.unended).into_iter().zip(accesses) {
            if let Some(to) = to {
                *self.stretches.entry((from, *to)).or_default() += 1;
            }
        }
    }

    /// Iterations of the row's body that it is of.
    pub(super) fn iterations(&self) -> u64 {
        (self.turns * self.copies).max(1)
    }

    /// The stretches, by where they begin.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let mut all: Vec<_> = self.stretches.iter().collect();
        all.sort_unstable();
        let told = |(&(from, to), &times): (&(u64, u64), &u64)| (from, to, times);
        all.into_iter().map(told)
    }

    /// The instructions from one offset to another, both included; they follow each other.
    pub(super) fn between(&self, from: u64, to: u64) -> impl Iterator<Item = u64> {
        let next =
            move |at: &u64| Some(at + length_at(&self.image, *at)).filter(|next| *next <= to);
        std::iter::successors(Some(from).filter(|from| *from <= to), next)
    }

    /// The same instruction by instruction, those of the harness left out.
    pub(super) fn told(&self, program: &Program) -> Executions {
        let mut by_offset = BTreeMap::<u64, u64>::new();
        for (from, to, times) in self.stretches() {
            for at in self.between(from, to) {
                *by_offset.entry(at).or_default() += times;
            }
        }
        let mut by_place = BTreeMap::<(String, u64), u64>::new();
        for (offset, times) in by_offset {
            let address = self.image.site.code + offset;
            let Some(piece) = self.image.owner(address) else {
                continue;
            };
            let function = match &piece.owner {
                Owner::Harness => continue,
                Owner::Section(index) => program.sections[*index].name.clone(),
                Owner::Stub(name) => name.clone(),
            };
            // A body has several copies.
            let within = address - piece.addresses.start;
            *by_place.entry((function, within)).or_default() += times;
        }
        let iterations = self.iterations();
        let executed = |((function, offset), times): ((String, u64), u64)| Executed {
            function,
            offset: offset as u32,
            times: times as f64 / iterations as f64,
        };
        Executions {
            iterations,
            instructions: by_place.into_iter().map(executed).collect(),
        }
    }
}

impl Hears for Ran {
    fn begin(&mut self) {
        *self = Ran::new(self.image.clone(), self.copies);
    }

    fn hear(&mut self, branch: &Branch) {
        self.see(branch);
    }
}
