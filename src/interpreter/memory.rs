//! The memory that interpreted code may touch: slices at their own addresses, and nothing else.
//!
//! Correct means: a load or store lies as a whole in one of the slices, a store in one that may be
//! written, or it does not happen; and what was stored can be undone.

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
