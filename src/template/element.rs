//! What an element of a walk holds: one receiver, or several.
//!
//! Correct means: each receiver that is promised has registers of its own, and the loop writes no others.

use serde::{Deserialize, Serialize};

/// Most receivers of a batch.
pub const MOST_IN_A_BATCH: u32 = 64;
/// Most receivers that an iteration gets ahead of their time.
pub const MOST_AHEAD: u32 = 3;

/// The registers that receivers come in, two for each, by hardware number: rax and rbx, rcx and rdx, rsi and rdi, r8 and
/// r9. Of a receiver of one word the second is left alone.
pub const PAIRS: [[u8; 2]; 4] = [[0, 3], [1, 2], [6, 7], [8, 9]];

/// What an iteration is given beside one receiver. At most one of the three is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Element {
    /// Walks side by side: 1 or 2.
    pub walks: u32,
    /// How many of the receivers that come next it has, too.
    pub ahead: u32,
    /// Receivers of an iteration, which gets their address and their number: a power of two; 0 where it gets none so.
    pub batch: u32,
}

impl Default for Element {
    fn default() -> Element {
        Element {
            walks: 1,
            ahead: 0,
            batch: 0,
        }
    }
}

impl Element {
    /// Whether it is one receiver, as most are.
    pub fn is_plain(&self) -> bool {
        *self == Element::default()
    }

    /// How many objects decide what an iteration is given.
    pub fn objects(self) -> usize {
        (self.receivers() + self.ahead) as usize
    }

    /// Receivers from one element to the next.
    pub fn receivers(self) -> u32 {
        self.batch.max(1) * self.walks
    }

    /// The registers that the loop fills in front of each body, by hardware number, where a receiver has so many words.
    pub fn registers(self, words: usize) -> Vec<u8> {
        if self.batch > 0 {
            return PAIRS[0].to_vec();
        }
        let pairs = PAIRS.iter().take((self.walks + self.ahead) as usize);
        pairs
            .flat_map(|pair| &pair[..words.min(2)])
            .copied()
            .collect()
    }

    /// The same as bits.
    pub fn received(self, words: usize) -> u16 {
        let registers = self.registers(words).into_iter();
        registers.fold(0, |bits, number| bits | 1 << number)
    }

    /// Why there is no such element, where there is none.
    ///
    /// # Errors
    /// Where two of its numbers exclude each other.
    pub fn check(self) -> Result<(), String> {
        let others = [self.walks > 1, self.ahead > 0, self.batch > 0];
        match others.into_iter().filter(|one| *one).count() {
            ..=1 => Ok(()),
            _ => Err("of `walks`, `ahead` and `batch` only one can be asked for at a time".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receiver_has_registers_of_its_own() {
        #[rustfmt::skip] // a table: walks, ahead, batch, words of a receiver, and the registers
        let table: [(u32, u32, u32, usize, &[u8]); 9] = [
            (1, 0, 0, 0, &[]),
            (1, 0, 0, 1, &[0]),
            (1, 0, 0, 2, &[0, 3]),
            (2, 0, 0, 1, &[0, 1]),
            (2, 0, 0, 2, &[0, 3, 1, 2]),
            (1, 2, 0, 2, &[0, 3, 1, 2, 6, 7]),
            (1, 3, 0, 1, &[0, 1, 6, 8]),
            (1, 0, 1, 1, &[0, 3]),
            (1, 0, 8, 2, &[0, 3]),
        ];
        for (walks, ahead, batch, words, registers) in table {
            let element = Element {
                walks,
                ahead,
                batch,
            };
            assert_eq!(element.registers(words), registers, "{element:?}");
            assert_eq!(element.check(), Ok(()));
        }
        assert!(
            Element {
                walks: 2,
                ahead: 1,
                batch: 1
            }
            .check()
            .is_err()
        );
        assert!(
            Element {
                walks: 1,
                ahead: 1,
                batch: 2
            }
            .check()
            .is_err()
        );
    }
}
