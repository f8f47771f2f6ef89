//! The code of a run beside that of an earlier one.
//!
//! Correct means: what is marked as new or gone is what a patch would add or take away; bytes and lines are those of the
//! run that has the instruction.

use similar::{Algorithm, ChangeTag, capture_diff_slices};

use crate::report::listing::{Listed, Listing};

/// A line of code, or the head of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeLine {
    /// `-` where only the earlier run has it, `+` where only the later one has, a blank where both have.
    pub side: char,
    /// The instruction, or the name of a function with a colon.
    pub text: String,
    /// Hexadecimal; none of a function's name.
    pub bytes: String,
    /// Its line in the template, where it is of the template itself.
    pub line: Option<u32>,
    /// How often an iteration ran it, where that was counted.
    pub executions: Option<f64>,
}

/// The code of a run, held against an earlier one where there is one.
pub fn lines(earlier: Option<&Listing>, listing: &Listing) -> Vec<CodeLine> {
    let new = flat(listing);
    let old = earlier.map_or_else(|| new.clone(), flat);
    let texts = |all: &[CodeLine]| all.iter().map(|one| one.text.clone()).collect::<Vec<_>>();
    let (old_texts, new_texts) = (texts(&old), texts(&new));
    let operations = capture_diff_slices(Algorithm::Patience, &old_texts, &new_texts);
    let changes = operations
        .iter()
        .flat_map(|operation| operation.iter_changes(&old_texts, &new_texts));
    let line = |side, all: &[CodeLine], at: Option<usize>| {
        let one = all.get(at?)?.clone();
        Some(CodeLine { side, ..one })
    };
    changes
        .filter_map(|change| match change.tag() {
            ChangeTag::Equal => line(' ', &new, change.new_index()),
            ChangeTag::Delete => line('-', &old, change.old_index()),
            ChangeTag::Insert => line('+', &new, change.new_index()),
        })
        .collect()
}

fn flat(listing: &Listing) -> Vec<CodeLine> {
    let mut lines = Vec::new();
    for function in &listing.functions {
        lines.push(CodeLine {
            side: ' ',
            text: format!("{}:", function.name),
            bytes: String::new(),
            line: None,
            executions: None,
        });
        let is_counted = listing.iterations > 0;
        lines.extend(function.instructions.iter().map(|one: &Listed| CodeLine {
            side: ' ',
            text: one.text.clone(),
            bytes: one.bytes.clone(),
            line: one.line.filter(|_| one.file.is_none()),
            executions: is_counted.then_some(one.executions),
        }));
    }
    lines
}
