//! A section once more, with instructions put in around one of its own.
//!
//! Correct means: the section is what assembling its text with these lines in it gives; the labels
//! of the instruction stand in front of what was put there; and the lines of the template are those
//! that they were.

use super::assemble::{Bench, Item, ItemKind, Scope};
use super::inst::Statement;
use super::intel;

/// Instructions to be put in around another, in Intel syntax, one a text, without labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Insertion {
    /// The section, by index.
    pub section: usize,
    /// A label of that section.
    pub label: String,
    /// Which instruction: that behind the label is 0, the one in front of it 1.
    pub back: usize,
    /// In front of it, behind its labels.
    pub before: Vec<String>,
    /// Behind it, in front of the labels of the next one.
    pub after: Vec<String>,
}

/// Puts it into parsed lines. None where no instruction stands there.
pub(super) fn insert<'a>(
    insertion: &'a Insertion,
    scope: &mut Scope<'a>,
    items: &mut Vec<Item<'a>>,
    bench: &mut Bench<'a>,
) -> Option<()> {
    let (behind_label, _) = *scope.places.named.get(insertion.label.as_str())?;
    let at = behind_label.checked_sub(insertion.back)?;
    let is_code = |(_, item): &Item<'_>| matches!(item, ItemKind::Inst(..) | ItemKind::Odd(_));
    // What lies between was counted in instructions.
    if !items.get(at..=behind_label)?.iter().all(is_code) {
        return None;
    }
    let line = items[at].0;
    let mut parsed = |texts: &'a [String]| -> Option<Vec<Item<'a>>> {
        let mut parsed = Vec::new();
        for text in texts {
            let no_hash = |name: &str| Err(format!("no hash of {name}"));
            intel::parse(text, &no_hash, &mut bench.tokens, &mut bench.statements).ok()?;
            for statement in bench.statements.drain(..) {
                let Statement::Inst(inst) = statement else {
                    return None;
                };
                parsed.push((line, ItemKind::of(inst, &mut bench.coder)));
            }
        }
        Some(parsed)
    };
    let after = parsed(&insertion.after)?;
    let before = parsed(&insertion.before)?;
    let count = before.len() + after.len();
    items.splice(at + 1..at + 1, after);
    items.splice(at..at, before);
    let places = &mut scope.places;
    let named = places.named.values_mut().map(|(piece, _)| piece);
    let order = places.order.iter_mut().map(|(_, piece)| piece);
    let numeric = places.numeric.iter_mut().map(|(_, piece)| piece);
    for piece in named
        .chain(order)
        .chain(numeric)
        .filter(|piece| **piece > at)
    {
        *piece += count;
    }
    Some(())
}
