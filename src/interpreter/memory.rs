//! The memory that interpreted code may touch: slices at their own addresses, and nothing else.
//!
//! Correct means: a load or store lies as a whole in one of the slices, a store in one that may be
//! written, or it does not happen; and what was stored can be undone.

use std::ops::Range;

/// Bytes that are kept together before the first of them is overwritten.
const PAGE: usize = 4096;

/// Parts of this process's memory.
#[derive(Debug, Default)]
pub struct Memory<'a> {
    writable: Vec<Part<'a>>,
    readable: Vec<&'a [u8]>,
}

/// A part that may be written, with what stood there before.
#[derive(Debug)]
struct Part<'a> {
    bytes: &'a mut [u8],
    /// By page whether it was kept.
    is_kept: Vec<bool>,
    /// Where kept pages begin, and their bytes.
    kept: Vec<(usize, Box<[u8]>)>,
}

/// What stood in a memory: by part, the pages that had been stored to, in the order of that.
#[derive(Debug)]
pub struct Stored(Vec<Vec<Box<[u8]>>>);

impl<'a> Memory<'a> {
    /// Memory of nothing.
    pub fn new() -> Memory<'a> {
        Memory::default()
    }

    /// With a part that can be read and written. What is touched most comes first.
    #[must_use]
    pub fn with(mut self, part: &'a mut [u8]) -> Memory<'a> {
        self.writable.push(Part {
            is_kept: vec![false; part.len().div_ceil(PAGE)],
            bytes: part,
            kept: Vec::new(),
        });
        self
    }

    /// With a part that can be read.
    #[must_use]
    pub fn with_read_only(mut self, part: &'a [u8]) -> Memory<'a> {
        self.readable.push(part);
        self
    }

    #[inline(always)]
    pub(super) fn load<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        for part in &self.writable {
            if let Some(bytes) = at(part.bytes, address) {
                return Some(bytes);
            }
        }
        self.readable.iter().find_map(|part| at(part, address))
    }

    #[inline(always)]
    pub(super) fn store<const N: usize>(&mut self, address: u64, bytes: [u8; N]) -> Option<()> {
        for part in &mut self.writable {
            let offset = address.wrapping_sub(part.bytes.as_ptr() as u64) as usize;
            let place = part
                .bytes
                .get_mut(offset..)
                .and_then(|rest| rest.first_chunk_mut::<N>());
            if let Some(place) = place {
                let pages = [offset / PAGE, (offset + N - 1) / PAGE];
                if pages.iter().all(|&page| part.is_kept[page]) {
                    *place = bytes;
                } else {
                    part.keep(pages);
                    part.bytes[offset..offset + N].copy_from_slice(&bytes);
                }
                return Some(());
            }
        }
        None
    }

    /// Reads bytes that lie in one part as a whole, or says that they do not.
    pub(super) fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        let writable = self.writable.iter().map(|part| &*part.bytes);
        let mut parts = writable.chain(self.readable.iter().copied());
        let found = parts.find_map(|part| {
            let offset = address.wrapping_sub(part.as_ptr() as u64) as usize;
            part.get(offset..)?.get(..bytes.len())
        });
        found.map(|found| bytes.copy_from_slice(found)).is_some()
    }

    /// Writes bytes into a part that holds them as a whole, or says that there is none.
    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        let into = |part: &mut Part<'_>| {
            let offset = address.wrapping_sub(part.bytes.as_ptr() as u64) as usize;
            let end = offset.checked_add(bytes.len())?;
            part.bytes.get(offset..end)?;
            part.keep([offset / PAGE, (end - 1) / PAGE]);
            part.bytes[offset..end].copy_from_slice(bytes);
            Some(())
        };
        self.writable.iter_mut().find_map(into).is_some()
    }

    /// What stands in all that was stored to.
    pub(super) fn copy(&self) -> Stored {
        let of = |part: &Part<'a>| {
            let pages = part.kept.iter();
            pages
                .map(|(start, old)| part.bytes[*start..*start + old.len()].into())
                .collect()
        };
        Stored(self.writable.iter().map(of).collect())
    }

    /// Whether all of it stands there again, addresses in `except` aside.
    pub(super) fn holds(&self, copy: &Stored, except: &[Range<u64>]) -> bool {
        self.writable.iter().zip(&copy.0).all(|(part, pages)| {
            let mut kept = part.kept.iter().enumerate();
            kept.all(|(number, (start, old))| {
                // A page that was stored to since held what it held at first.
                let then = pages.get(number).unwrap_or(old);
                let now = &part.bytes[*start..*start + old.len()];
                is_same(now.as_ptr() as u64, now, then, except)
            })
        })
    }

    /// Puts back what stood there before the first store.
    pub fn undo(&mut self) {
        for part in &mut self.writable {
            for (start, bytes) in part.kept.drain(..) {
                part.bytes[start..start + bytes.len()].copy_from_slice(&bytes);
            }
            part.is_kept.fill(false);
        }
    }
}

/// Whether bytes at an address are the same, but for those in `except`.
fn is_same(address: u64, now: &[u8], then: &[u8], except: &[Range<u64>]) -> bool {
    let end = address + now.len() as u64;
    let mut from = address;
    while from < end {
        let inside = except.iter().find(|range| range.contains(&from));
        if let Some(range) = inside {
            from = range.end;
            continue;
        }
        let starts = except.iter().map(|range| range.start);
        let to = starts.filter(|start| *start > from).fold(end, u64::min);
        let part = (from - address) as usize..(to - address) as usize;
        if now[part.clone()] != then[part] {
            return false;
        }
        from = to;
    }
    true
}

impl Part<'_> {
    #[cold]
    fn keep(&mut self, pages: [usize; 2]) {
        for page in pages {
            if !std::mem::replace(&mut self.is_kept[page], true) {
                let start = page * PAGE;
                let end = self.bytes.len().min(start + PAGE);
                self.kept.push((start, self.bytes[start..end].into()));
            }
        }
    }
}

#[inline(always)]
fn at<const N: usize>(part: &[u8], address: u64) -> Option<[u8; N]> {
    let offset = address.wrapping_sub(part.as_ptr() as u64) as usize;
    part.get(offset..)?.first_chunk::<N>().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_undone_page_by_page() {
        let mut own: Vec<u8> = (0..3 * PAGE + 5).map(|at| at as u8).collect();
        let before = own.clone();
        let start = own.as_ptr() as u64;
        let mut memory = Memory::new().with(&mut own);
        let places = [0, PAGE - 4, 2 * PAGE + 8, 3 * PAGE - 3, 0];
        for (value, place) in (1u64..).zip(places) {
            let stored = memory.store(start + place as u64, value.to_le_bytes());
            assert_eq!(stored, Some(()));
            let loaded = memory.load(start + place as u64).map(u64::from_le_bytes);
            assert_eq!(loaded, Some(value));
        }
        memory.undo();
        drop(memory);
        assert_eq!(own, before);
    }

    #[test]
    fn a_memory_is_what_it_was_where_each_stored_byte_is() {
        let mut own = vec![0u8; 3 * PAGE];
        let start = own.as_ptr() as u64;
        let mut memory = Memory::new().with(&mut own);
        let put = |memory: &mut Memory<'_>, offset: u64, value: u8| {
            memory.store(start + offset, [value]).expect("inside");
        };
        put(&mut memory, 5, 1);
        let copy = memory.copy();
        assert!(memory.holds(&copy, &[]));
        // A page that nobody had stored to.
        put(&mut memory, 2 * PAGE as u64, 7);
        assert!(!memory.holds(&copy, &[]));
        let page = start + 2 * PAGE as u64;
        let (own, next) = (page..page + 1, page + 1..page + 2);
        assert!(memory.holds(&copy, std::slice::from_ref(&own)));
        assert!(!memory.holds(&copy, std::slice::from_ref(&next)));
        put(&mut memory, 2 * PAGE as u64, 0);
        assert!(memory.holds(&copy, &[]));
        put(&mut memory, 5, 2);
        let around = [start + 6..start + 9, start..start + 5];
        assert!(!memory.holds(&copy, &around));
        let over = start..start + 6;
        assert!(memory.holds(&copy, std::slice::from_ref(&over)));
    }

    #[test]
    fn what_does_not_lie_inside_as_a_whole_is_refused() {
        let mut own = [7u8; 16];
        let shared = [9u8; 16];
        let (first, second) = (own.as_ptr() as u64, shared.as_ptr() as u64);
        let mut memory = Memory::new().with(&mut own).with_read_only(&shared);
        assert_eq!(memory.load::<8>(first + 8), Some([7; 8]));
        assert_eq!(memory.load::<16>(second), Some([9; 16]));
        assert_eq!(memory.load::<1>(0), None);
        assert_eq!(memory.load::<1>(u64::MAX), None);
        assert_eq!(memory.store(first + 15, [1]), Some(()));
        assert_eq!(memory.load::<1>(first + 15), Some([1]));
        assert_eq!(memory.store(second, [1]), None, "read only");
        assert_eq!(
            memory
                .store(first + 9, [0; 8])
                .filter(|()| first + 16 != second),
            None
        );
    }
}
