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
    /// Bytes of each.
    pub(super) element: u64,
    /// What each element holds: the number of its object, or of its kind where it holds more.
    pub kinds: Vec<u32>,
    /// What its results add up to, where any is stated.
    sums: Option<Sums>,
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
        let sums = Sums::of(row, elements, &kinds).map_err(Failure::Worker)?;
        Ok(Visits {
            memory,
            element,
            kinds,
            sums,
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
        let sums = self.sums.as_ref()?;
        if iterations == 1 {
            return sums.one(element as usize);
        }
        let end = sums.before((element + iterations) as usize)?;
        Some(end.wrapping_sub(sums.before(element as usize)?))
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
        let mut rest = &mut place[..];
        for word in words {
            // What the element has no room for is no word of it.
            let Some((field, behind)) = rest.split_first_chunk_mut() else {
                break;
            };
            (*field, rest) = (word.to_le_bytes(), behind);
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

/// Results of elements, so that the sum over any of them is found by reading a few that stand side by side: each by itself
/// in four bytes, for there may be millions, and what all in front of a block of them add up to.
#[derive(Debug)]
struct Sums {
    each: Vec<u32>,
    /// The upper halves; none where all are 0.
    upper: Vec<u32>,
    blocks: Vec<u64>,
}

impl Sums {
    /// Elements whose results are added one by one at the most.
    const BLOCK: usize = 32;

    /// `None` where no result is stated.
    fn of(row: &JobRow, elements: &Elements, kinds: &[u32]) -> Result<Option<Sums>, String> {
        let mut sums = Sums {
            each: Vec::with_capacity(kinds.len()),
            upper: Vec::new(),
            blocks: Vec::with_capacity(kinds.len() / Sums::BLOCK + 1),
        };
        let mut sum = 0u64;
        for &kind in kinds {
            let expected = match row.expect.is_empty() {
                true => expected_of(row, kind),
                false => elements.expected(row, kind)?,
            };
            let Some(expected) = expected else {
                return Ok(None);
            };
            sums.push(expected, sum);
            sum = sum.wrapping_add(expected);
        }
        Ok(Some(sums))
    }

    /// One more, behind what adds up to `sum`.
    fn push(&mut self, result: u64, sum: u64) {
        let number = self.each.len();
        if number.is_multiple_of(Sums::BLOCK) {
            self.blocks.push(sum);
        }
        let upper = (result >> 32) as u32;
        if upper != 0 && self.upper.is_empty() {
            self.upper = vec![0; number];
        }
        if upper != 0 || !self.upper.is_empty() {
            self.upper.push(upper);
        }
        self.each.push(result as u32);
    }

    /// What the elements in front of one add up to; `None` beyond the end.
    fn before(&self, element: usize) -> Option<u64> {
        if element > self.each.len() {
            return None;
        }
        // The end of the last block is no block's start.
        let block = (element / Sums::BLOCK).min(self.blocks.len().saturating_sub(1));
        let first = block * Sums::BLOCK;
        let start = self.blocks.get(block).copied().unwrap_or(0);
        let results = (first..element).filter_map(|number| self.one(number));
        Some(results.fold(start, u64::wrapping_add))
    }

    /// The result of one element; `None` beyond the end.
    fn one(&self, element: usize) -> Option<u64> {
        let lower = *self.each.get(element)?;
        let upper = self.upper.get(element).copied().unwrap_or(0);
        Some(u64::from(upper) << 32 | u64::from(lower))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    #[test]
    fn the_sum_in_front_of_each_element_is_that_of_adding_them_one_by_one() {
        let mut random = SplitMix64::new(1);
        for wide_from in [0, 40, 1000] {
            for length in [0, 1, 31, 32, 33, 64, 200] {
                let mut sums = Sums {
                    each: Vec::new(),
                    upper: Vec::new(),
                    blocks: Vec::new(),
                };
                let mut prefix = vec![0u64];
                for number in 0..length {
                    let most = if number < wide_from {
                        1 << 32
                    } else {
                        u64::MAX
                    };
                    let (sum, result) = (prefix[number], random.below(most));
                    sums.push(result, sum);
                    prefix.push(sum.wrapping_add(result));
                }
                for (element, sum) in prefix.iter().enumerate() {
                    assert_eq!(sums.before(element), Some(*sum), "{element} of {length}");
                    let next = prefix.get(element + 1);
                    let one = next.map(|next| next.wrapping_sub(*sum));
                    assert_eq!(sums.one(element), one, "{element} of {length}");
                }
                assert_eq!(sums.before(length + 1), None);
                assert_eq!(sums.upper.is_empty(), wide_from >= length, "{length}");
            }
        }
    }
}
