//! A walk in memory: what the loop loads, and the results that it must add up to.
//!
//! Correct means: element i holds the words of the object that the walk visits there, and the expected
//! sum of any part of the walk is that of its elements.

use std::io;

use crate::job::JobRow;
use crate::link::harness::element_bytes;
use crate::link::{Receivers, frame};
use crate::sys::mapping::Writable;

/// The elements that a loop visits, in memory.
#[derive(Debug)]
pub struct Visits {
    pub(super) memory: Writable,
    element: u64,
    /// The object of each element.
    pub objects: Vec<u32>,
    /// Sum of the expected results before each element, and over all behind the last; empty where
    /// no result is stated.
    pub prefix: Vec<u64>,
}

impl Drop for Visits {
    fn drop(&mut self) {
        self.memory.forget();
    }
}

impl Visits {
    pub(super) fn new(
        row: &JobRow,
        receivers: &Receivers,
        objects: Vec<u32>,
    ) -> io::Result<Visits> {
        let element = element_bytes(row);
        let mut memory = Writable::new(objects.len() * element as usize)?;
        for (at, &object) in objects.iter().enumerate() {
            let Some(&type_index) = row.heap.objects.get(object as usize) else {
                break;
            };
            let words = if row.heap.indexed {
                [u64::from(object), 0]
            } else {
                receivers.words(object, type_index)
            };
            let at = at * element as usize;
            for (number, word) in words[..element as usize / 8].iter().enumerate() {
                memory.bytes()[at + 8 * number..at + 8 * number + 8]
                    .copy_from_slice(&word.to_le_bytes());
            }
        }
        let prefix = prefix_sums(row, &objects);
        Ok(Visits {
            memory,
            element,
            objects,
            prefix,
        })
    }

    pub(super) fn address(&self, element: u64) -> u64 {
        self.memory.address() + element * self.element
    }

    /// Reads the elements from `first` on, so that whoever visits them next finds them in the cache
    /// whoever was there last.
    pub fn touch(&mut self, first: u64, count: u64) {
        const LINE: usize = 64;
        let bytes = first * self.element..(first + count) * self.element;
        let part = self
            .memory
            .bytes()
            .get(bytes.start as usize..bytes.end as usize);
        let lines = part.unwrap_or_default().iter().step_by(LINE);
        std::hint::black_box(lines.fold(0u8, |sum, byte| sum ^ byte));
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.objects.len() as u64
    }

    /// Whether there is nothing to visit; never so in a built walk.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The expected sum of the results of `iterations` from `element`, where one is stated. The
    /// walk is not left: the caller's segments divide it.
    pub fn expected(&self, element: u64, iterations: u64) -> Option<u64> {
        let end = self.prefix.get((element + iterations) as usize)?;
        Some(end.wrapping_sub(self.prefix[element as usize]))
    }
}

/// The expected result of one iteration on `object`.
pub fn expected_of(row: &JobRow, object: u32) -> Option<u64> {
    if row.settings.recover && (row.heap.nil_receiver || row.settings.panics) {
        return row.result.map(|_| frame::RECOVERED);
    }
    let expected = row.expected.as_ref()?;
    expected.get(object as usize).or(expected.first()).copied()
}

fn prefix_sums(row: &JobRow, objects: &[u32]) -> Vec<u64> {
    let mut sum = 0u64;
    let mut sums = vec![0];
    for &object in objects {
        let Some(expected) = expected_of(row, object) else {
            return Vec::new();
        };
        sum = sum.wrapping_add(expected);
        sums.push(sum);
    }
    sums
}
