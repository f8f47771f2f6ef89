//! Global history: the last bits of what happened, and its hashes of different lengths, kept up to date bit
//! by bit (Michaud, 2005).
//!
//! Correct means: the hash of a length follows from the last bits of that length alone.

use super::mixed;

/// The bits that are kept, a power of two of words: more than the longest history that any model asks for.
const WORDS: usize = 16;

/// The last bits.
#[derive(Debug)]
pub(super) struct History {
    /// A ring; of each word the highest bit is the oldest.
    words: [u64; WORDS],
    /// Bits so far.
    count: usize,
    folds: Vec<Fold>,
}

impl History {
    /// An empty history that keeps these hashes: of how many bits, into how many.
    pub(super) fn new(hashes: impl IntoIterator<Item = (usize, u32)>) -> History {
        let folds = hashes.into_iter().map(|(length, width)| Fold {
            value: 0,
            length,
            width,
            out: length as u32 % width,
        });
        History {
            words: [0; WORDS],
            count: WORDS * 64,
            folds: folds.collect(),
        }
    }

    /// Adds bits: so many of the lowest, the highest of them first. Four at most, which no hash is
    /// narrower than.
    pub(super) fn push(&mut self, bits: Bits) {
        if bits.count == 0 {
            return;
        }
        // Hashes of one length stand together, and lose the same bits.
        let (mut length, mut oldest) = (0, 0);
        for fold in &mut self.folds {
            if fold.length != length {
                length = fold.length;
                oldest = read(&self.words, self.count - length, bits.count);
            }
            fold.push(bits, oldest);
        }
        for at in (0..bits.count).rev() {
            let (word, bit) = (self.count / 64 % WORDS, 63 - self.count % 64);
            let newest = u64::from(bits.value >> at & 1);
            self.words[word] = self.words[word] & !(1 << bit) | newest << bit;
            self.count += 1;
        }
    }

    /// An empty history for tagged tables over `first` to `last` of its bits: two hashes for each, of as
    /// many bits as its index and its tags have.
    pub(super) fn of_tables<const TABLES: usize>(
        (first, last): (f64, f64),
        widths: [u32; 2],
    ) -> History {
        let lengths = geometric::<TABLES>(first, last);
        History::new(
            lengths
                .into_iter()
                .flat_map(|length| widths.map(|width| (length, width))),
        )
    }

    /// Where each of those tables has a branch with the present history, and the tag it has there.
    pub(super) fn slots<const TABLES: usize>(
        &self,
        ip: u64,
        [index_bits, tag_bits]: [u32; 2],
    ) -> [(usize, u16); TABLES] {
        let address = mixed(ip);
        std::array::from_fn(|table| {
            let index = address ^ (address >> (table + 1)) ^ self.hash(2 * table);
            let tag = address ^ (self.hash(2 * table + 1) * 3);
            // 0 is the tag of an entry that was never used.
            let tag = (tag % ((1 << tag_bits) - 1)) as u16 + 1;
            (index as usize % (1 << index_bits), tag)
        })
    }

    /// The hash with this number, in the order in which they were asked for.
    pub(super) fn hash(&self, number: usize) -> u64 {
        u64::from(self.folds[number].value)
    }
}

/// A few bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bits {
    pub(super) value: u32,
    pub(super) count: u32,
}

/// So many bits of the ring from the one with this number on.
fn read(words: &[u64; WORDS], from: usize, count: u32) -> u32 {
    let (first, second) = (words[from / 64 % WORDS], words[(from / 64 + 1) % WORDS]);
    let bits = first << (from % 64) | second >> 1 >> (63 - from % 64);
    (bits >> (64 - count)) as u32
}

/// Bits of the history, cut into pieces of `width` that are exclusive-ored.
#[derive(Debug)]
struct Fold {
    value: u32,
    length: usize,
    width: u32,
    /// Where the oldest bit stands in the value when it has to go.
    out: u32,
}

impl Fold {
    fn push(&mut self, newest: Bits, oldest: u32) {
        let value = self.value << newest.count ^ newest.value ^ oldest << self.out;
        self.value = (value ^ value >> self.width) & ((1 << self.width) - 1);
    }
}

/// Lengths from `first` to `last`, each longer than the one before by the same factor.
pub(super) fn geometric<const N: usize>(first: f64, last: f64) -> [usize; N] {
    let ratio = (last / first).powf(1.0 / (N - 1) as f64);
    std::array::from_fn(|at| (first * ratio.powi(at as i32)).round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    /// The bits cut into pieces, exclusive-ored.
    fn folded(bits: &[bool], width: u32) -> u64 {
        let pieces = bits.chunks(width as usize).map(|piece| {
            let bits = piece.iter().enumerate();
            bits.map(|(at, &bit)| u64::from(bit) << at).sum::<u64>()
        });
        pieces.fold(0, |all, piece| all ^ piece)
    }

    #[test]
    fn a_hash_that_is_kept_up_to_date_is_that_of_the_last_bits() {
        let asked = [(4, 13), (13, 13), (64, 11), (640, 12)];
        let mut history = History::new(asked);
        let mut random = SplitMix64::new(7);
        let mut all: Vec<bool> = vec![false; 640];
        for _ in 0..3000 {
            let count = 1 + random.below(4) as u32;
            let value = random.below(1 << count) as u32;
            history.push(Bits { value, count });
            all.extend((0..count).rev().map(|at| value >> at & 1 == 1));
            let last: Vec<bool> = all.iter().rev().copied().collect();
            for (number, (length, width)) in asked.into_iter().enumerate() {
                assert_eq!(history.hash(number), folded(&last[..length], width));
            }
        }
    }

    #[test]
    fn lengths_grow_by_one_factor_from_the_first_to_the_last() {
        let lengths = geometric::<12>(4.0, 640.0);
        assert_eq!((lengths[0], lengths[11]), (4, 640));
        assert!(lengths.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
