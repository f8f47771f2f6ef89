//! What the elements of a walk hold, where that is more than one object: each kind of element once, by a number.
//!
//! Correct means: two elements have one number exactly where an iteration is given the same and must leave the same.

use std::collections::HashMap;

use crate::formula::{self, Formula, Name};
use crate::job::JobRow;
use crate::link::Receivers;
use crate::template;

/// What one element holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    /// The objects of its receivers: of a batch in its order, of two walks that of each.
    objects: Vec<u32>,
    /// Which element it is, where a formula names that.
    element: u64,
}

/// The kinds of elements that there were so far, in the order in which they first came.
#[derive(Debug, Clone, Default)]
pub(super) struct Elements {
    kinds: Vec<Kind>,
    numbers: HashMap<Kind, u32>,
}

impl Elements {
    /// The kinds of a walk whose receivers visit these objects, whole elements of them.
    ///
    /// The second of two walks visits for element i what the first visits for element i + n/2 + 1 of its n.
    pub(super) fn walk(&mut self, row: &JobRow, objects: &[u32]) -> Vec<u32> {
        let element = row.settings.element;
        let count = objects.len();
        let formulas = row.expect.iter().chain(&row.heap.words);
        let mut names = formulas.flat_map(Formula::names);
        let is_numbered = names.any(|name| *name == Name::Element);
        let kind = |(number, batch): (usize, &[u32])| {
            let mut held = batch.to_vec();
            if element.walks > 1 {
                held.push(objects[(number + count / 2 + 1) % count]);
            }
            Kind {
                objects: held,
                element: if is_numbered { number as u64 } else { 0 },
            }
        };
        let kinds = objects.chunks(element.batch.max(1) as usize).enumerate();
        kinds.map(|one| self.number(kind(one))).collect()
    }

    fn number(&mut self, kind: Kind) -> u32 {
        if let Some(&number) = self.numbers.get(&kind) {
            return number;
        }
        let number = self.kinds.len() as u32;
        self.kinds.push(kind.clone());
        self.numbers.insert(kind, number);
        number
    }

    /// The object of an element's first receiver.
    pub(super) fn object(&self, kind: u32) -> u32 {
        self.kinds[kind as usize].objects[0]
    }

    /// The words of its receivers, one behind the other, each as long as a receiver is.
    ///
    /// # Errors
    /// Where the template says what they are, and they are nothing here.
    pub(super) fn words(
        &self,
        row: &JobRow,
        receivers: &Receivers,
        kind: u32,
    ) -> Result<Vec<u64>, String> {
        let kind = &self.kinds[kind as usize];
        let mut words = Vec::with_capacity(2 * kind.objects.len());
        for &object in &kind.objects {
            let own = receivers.words(&self.about(row, kind, object))?;
            words.extend_from_slice(&own[..row.words()]);
        }
        Ok(words)
    }

    /// What the results of an iteration must add up to; `None` where nothing is stated.
    ///
    /// # Errors
    /// Where a formula has no number for it.
    pub(super) fn expected(&self, row: &JobRow, kind: u32) -> Result<Option<u64>, String> {
        if row.expect.is_empty() {
            return Ok(None);
        }
        let kind = &self.kinds[kind as usize];
        let batch = &kind.objects[..row.settings.element.batch.max(1) as usize];
        let batch: Vec<formula::Receivers<'_>> = batch
            .iter()
            .map(|&object| self.about(row, kind, object))
            .collect();
        template::expected(&row.results, &row.expect, &batch).map(Some)
    }

    fn about<'a>(&self, row: &'a JobRow, kind: &Kind, object: u32) -> formula::Receivers<'a> {
        let second = match row.settings.element.walks {
            1 => object,
            _ => kind.objects[1],
        };
        formula::Receivers {
            types: &row.heap.objects,
            object,
            second,
            element: kind.element,
        }
    }
}
