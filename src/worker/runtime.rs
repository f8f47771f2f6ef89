//! Which modelled functions of Go's runtime an iteration runs, and how many instructions that is.
//!
//! Correct means: a function is named if and only if one of its instructions ran in the iterations that were
//! traced, which are those of the whole walk where the interpreter can follow it.

use std::collections::BTreeMap;

use super::branches;
use crate::branch::Branch;
use crate::counter::interpreter::{self, Belief, Wanted};
use crate::counter::step::StepSource;
use crate::job::{Failure, RuntimeCall};
use crate::link::{Image, Owner, Piece};
use crate::stage::{Ground, Stage, Visits};
use crate::template::RANDOM_ELEMENTS;

/// Instructions of an iteration that is interpreted at all.
const LONGEST: u64 = 1 << 24;
/// Iterations that are stepped where the interpreter cannot follow.
const STEPPED: u64 = 64;

/// The functions that a row's iterations run; none of a row whose image has none that anybody calls.
///
/// # Errors
/// What entering says.
pub(super) fn calls(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    (steps, belief): (&mut StepSource, &mut Belief),
) -> Result<Vec<RuntimeCall>, Failure> {
    let image = stage.images[0].clone();
    let names = stage
        .row
        .program
        .sections
        .iter()
        .flat_map(|one| &one.fixups);
    let is_named = names
        .map(|fixup| &fixup.symbol)
        .any(|symbol| symbol.starts_with("runtime."));
    if !is_named {
        return Ok(Vec::new());
    }
    let whole = match stage.row.has_walk() {
        false => RANDOM_ELEMENTS,
        true => visits.len(),
    };
    let wanted = Wanted {
        iterations: whole.min(steps.depth().iterations),
        longest: LONGEST,
    };
    let mut told = Told::new(&image);
    let base = image.site.code;
    let is_believed = belief.ask(stage, ground, visits, steps.depth())?.is_ok();
    let is_traced = is_believed
        && interpreter::trace(stage, ground, visits, wanted, &mut |branch| {
            told.see(&Branch {
                ip: branch.ip - base,
                target: branch.target.wrapping_sub(base),
                ..branch
            });
        })
        .is_ok();
    if !is_traced {
        told = Told::new(&image);
        let log = steps.log();
        branches::trace(
            stage,
            ground,
            visits,
            wanted.iterations.min(STEPPED),
            log,
            &mut |branch| {
                told.see(&branch);
            },
        )?;
    }
    Ok(told.calls(u64::from(stage.row.copies())))
}

/// What the branches of an image have told; offsets count from the start of the code.
struct Told<'a> {
    image: &'a Image,
    /// Where the code goes on.
    at: u64,
    turns: u64,
    /// By the start of its function: how often it was entered, and how many of its instructions ran.
    ran: BTreeMap<u64, (u64, u64)>,
    /// Instructions from one offset to another, both included.
    lengths: BTreeMap<(u64, u64), u64>,
}

impl<'a> Told<'a> {
    fn new(image: &'a Image) -> Told<'a> {
        Told {
            image,
            at: image.loop_head - image.site.code,
            turns: 0,
            ran: BTreeMap::new(),
            lengths: BTreeMap::new(),
        }
    }

    fn see(&mut self, branch: &Branch) {
        let base = self.image.site.code;
        let from = self.at;
        self.turns += u64::from(branches::ends_turn(self.image, branch));
        self.at = match branch.taken {
            true => branch.target,
            false => branch.ip + self.image.instruction(base + branch.ip).len() as u64,
        };
        let Some(piece) = stub(self.image, base + branch.ip) else {
            return;
        };
        let start = piece.addresses.start - base;
        let length = self.lengths.entry((from, branch.ip));
        let image = self.image;
        let length = *length.or_insert_with(|| between(image, from, branch.ip));
        let (entries, instructions) = self.ran.entry(start).or_default();
        *entries += u64::from(from == start);
        *instructions += length;
    }

    fn calls(&self, unroll: u64) -> Vec<RuntimeCall> {
        let copies = (self.turns * unroll).max(1) as f64;
        let named = |(start, &(entries, instructions)): (&u64, &(u64, u64))| {
            let piece = stub(self.image, self.image.site.code + start)?;
            let Owner::Stub(name) = &piece.owner else {
                return None;
            };
            // Where it is entered by its end only, it is entered all the same.
            let entries = entries.max(1);
            Some(RuntimeCall {
                function: name.clone(),
                calls: entries as f64 / copies,
                instructions: instructions as f64 / entries as f64,
            })
        };
        self.ran.iter().filter_map(named).collect()
    }
}

fn stub(image: &Image, address: u64) -> Option<&Piece> {
    let piece = image.owner(address)?;
    matches!(piece.owner, Owner::Stub(_)).then_some(piece)
}

/// Instructions from one offset to another, both included; they follow each other.
fn between(image: &Image, from: u64, to: u64) -> u64 {
    let (mut at, mut count) = (from, 0);
    while at <= to {
        at += image.instruction(image.site.code + at).len().max(1) as u64;
        count += 1;
    }
    count
}
