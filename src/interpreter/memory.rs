//! The memory that interpreted code may touch: slices at their own addresses, and nothing else.
//!
//! Correct means: a load or store lies as a whole in one of the slices, a store in one that may be
//! written, or it does not happen.

/// Parts of this process's memory.
#[derive(Debug, Default)]
pub struct Memory<'a> {
    writable: Vec<&'a mut [u8]>,
    readable: Vec<&'a [u8]>,
}

impl<'a> Memory<'a> {
    /// Memory of nothing.
    pub fn new() -> Memory<'a> {
        Memory::default()
    }

    /// With a part that can be read and written. What is touched most comes first.
    #[must_use]
    pub fn with(mut self, part: &'a mut [u8]) -> Memory<'a> {
        self.writable.push(part);
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
            if let Some(bytes) = at(part, address) {
                return Some(bytes);
            }
        }
        self.readable.iter().find_map(|part| at(part, address))
    }

    #[inline(always)]
    pub(super) fn store<const N: usize>(&mut self, address: u64, bytes: [u8; N]) -> Option<()> {
        for part in &mut self.writable {
            let offset = address.wrapping_sub(part.as_ptr() as u64) as usize;
            let place = part
                .get_mut(offset..)
                .and_then(|rest| rest.first_chunk_mut::<N>());
            if let Some(place) = place {
                *place = bytes;
                return Some(());
            }
        }
        None
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
