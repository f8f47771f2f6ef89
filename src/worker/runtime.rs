//! Which modelled functions of Go's runtime an iteration runs, and how many instructions that is.
//!
//! Correct means: a function is named if and only if one of its instructions ran in the iterations that were
//! traced, which are those of the whole walk where the interpreter can follow it.

use std::collections::BTreeMap;

use super::executions::Ran;
use crate::job::{JobRow, RuntimeCall};
use crate::link::{Image, Owner, Piece};

/// Whether code of a row names such a function, or nil pointers lead to one, so that its iterations may run it.
pub(super) fn is_named(row: &JobRow) -> bool {
    let mut fixups = row.program.sections.iter().flat_map(|one| &one.fixups);
    row.answers_nil() || fixups.any(|fixup| fixup.symbol.starts_with("runtime."))
}

/// The functions that a row's iterations ran.
pub(super) fn calls(ran: &Ran) -> Vec<RuntimeCall> {
    let base = ran.image.site.code;
    // By the start of its function: how often it was entered, and how many of its instructions ran.
    let mut by_function = BTreeMap::<u64, (u64, u64)>::new();
    for (from, to, times) in ran.stretches() {
        let Some(piece) = stub(&ran.image, base + to) else {
            continue;
        };
        let start = piece.addresses.start - base;
        let (entries, instructions) = by_function.entry(start).or_default();
        *entries += times * u64::from(from == start);
        *instructions += times * ran.between(from, to).count() as u64;
    }
    let named = |(start, &(entries, instructions)): (&u64, &(u64, u64))| {
        let piece = stub(&ran.image, base + start)?;
        let Owner::Stub(name) = &piece.owner else {
            return None;
        };
        // Where it is entered by its end only, it is entered all the same.
        let entries = entries.max(1);
        Some(RuntimeCall {
            function: name.clone(),
            calls: entries as f64 / ran.iterations() as f64,
            instructions: instructions as f64 / entries as f64,
        })
    };
    by_function.iter().filter_map(named).collect()
}

fn stub(image: &Image, address: u64) -> Option<&Piece> {
    let piece = image.owner(address)?;
    matches!(piece.owner, Owner::Stub(_)).then_some(piece)
}
