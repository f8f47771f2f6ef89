//! A walk in memory: what the loop loads, and the results that it must add up to.
//!
//! Correct means: element i holds the words of what the walk visits there, behind the last one come as many of the
//! first as iterations look ahead, and the expected sum of any part of the walk is that of its elements.

use crate::formula;
use crate::job::{Failure, JobRow};
use crate::link::harness::element_bytes;
use crate::link::{Receivers, frame};
use crate::sys::mapping::Writable;

use super::elements::Elements;

/// The elements that a loop visits, in memory.
#[derive(Debug)]
pub struct Visits {
    pub(super) memory: Writable,
    element: u64,
    /// What each element holds: the number of its object, or of its kind where it holds more.
    pub kinds: Vec<u32>,
    /// Sum of the expected results before each element, and over all behind the last; empty where
    /// no result is stated.
    prefix: Vec<u64>,
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
        elements: &Elements,
        kinds: Vec<u32>,
    ) -> Result<Visits, Failure> {
        let element = element_bytes(row);
        let ahead = row.settings.element.ahead as usize;
        let mut memory = Writable::new((kinds.len() + ahead) * element as usize)
            .map_err(|error| Failure::Worker(format!("mapping the walk: {error}")))?;
        if element > 0 {
            let held = kinds.iter().chain(kinds.iter().cycle().take(ahead));
            let places = memory.bytes().chunks_exact_mut(element as usize);
            for (place, &kind) in places.zip(held) {
                write(place, row, receivers, elements, kind).map_err(Failure::Worker)?;
            }
        }
        let prefix = prefix_sums(row, elements, &kinds).map_err(Failure::Worker)?;
        Ok(Visits {
            memory,
            element,
            kinds,
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
        self.kinds.len() as u64
    }

    /// Whether there is nothing to visit; never so in a built walk.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The expected sum of the results of `iterations` from `element`, where one is stated. The
    /// walk is not left: the caller's segments divide it.
    pub fn expected(&self, element: u64, iterations: u64) -> Option<u64> {
        let end = self.prefix.get((element + iterations) as usize)?;
        Some(end.wrapping_sub(self.prefix[element as usize]))
    }
}

fn write(
    place: &mut [u8],
    row: &JobRow,
    receivers: &Receivers,
    elements: &Elements,
    kind: u32,
) -> Result<(), String> {
    let mut put = |words: &[u64]| {
        for (field, word) in place.chunks_exact_mut(8).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
    };
    if row.is_by_element() {
        put(&elements.words(row, receivers, kind)?);
    } else if row.heap.indexed {
        put(&[u64::from(kind)]);
    } else {
        let of = formula::Receivers {
            types: &row.heap.objects,
            object: kind,
            second: kind,
            element: 0,
        };
        put(&receivers.words(&of)?);
    }
    Ok(())
}

/// The expected result of one iteration on `object`, where nothing but the object decides it.
pub fn expected_of(row: &JobRow, object: u32) -> Option<u64> {
    if row.settings.recover && (row.heap.nil_receiver || row.settings.panics) {
        return (!row.results.is_empty()).then_some(frame::RECOVERED);
    }
    let expected = row.expected.as_ref()?;
    expected.get(object as usize).or(expected.first()).copied()
}

fn prefix_sums(row: &JobRow, elements: &Elements, kinds: &[u32]) -> Result<Vec<u64>, String> {
    let mut sum = 0u64;
    // To grow would take half as much again, of millions of elements.
    let mut sums = Vec::with_capacity(kinds.len() + 1);
    sums.push(0);
    for &kind in kinds {
        let expected = match row.expect.is_empty() {
            true => expected_of(row, kind),
            false => elements.expected(row, kind)?,
        };
        let Some(expected) = expected else {
            return Ok(Vec::new());
        };
        sum = sum.wrapping_add(expected);
        sums.push(sum);
    }
    Ok(sums)
}
