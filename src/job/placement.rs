//! Where in a line of the cache a loop and its callees stand.
//!
//! Correct means: the same count gives the same placements, and the first four are those of every count.

use serde::{Deserialize, Serialize};

/// Positions modulo 64 of the loop head and of the first callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Loop head mod 64.
    pub loop_head: u32,
    /// First callee mod 64.
    pub callee: u32,
}

/// The placements every row is measured at by default; the value reported is that of the first.
pub const PLACEMENTS: [Placement; 4] = [at(0, 4), at(1, 4), at(2, 4), at(3, 4)];

/// How many placements a row can have: the first few of the default, or that many evenly over a line.
pub const PLACEMENT_COUNTS: [usize; 8] = [1, 2, 3, 4, 8, 16, 32, 64];

/// Loop heads evenly over a line, and with each the callee that is bit-reversed to it, so that the
/// callees of neighbouring heads are far apart and each offset comes once. Fewer than four are the
/// first of the four.
pub fn placements(count: usize) -> Vec<Placement> {
    let of = (count as u32).clamp(4, 64).next_power_of_two();
    (0..count as u32).map(|number| at(number, of)).collect()
}

/// Placement `number` of `of`, a power of two from 2.
const fn at(number: u32, of: u32) -> Placement {
    let step = 64 / of;
    let bits = of.trailing_zeros();
    Placement {
        loop_head: number * step,
        callee: (number.reverse_bits() >> (32 - bits)) * step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_begin_with_none_moved_and_have_each_offset_once() {
        let pairs = |count| -> Vec<(u32, u32)> {
            let all = placements(count).into_iter();
            all.map(|one| (one.loop_head, one.callee)).collect()
        };
        assert_eq!(pairs(4), [(0, 0), (16, 32), (32, 16), (48, 48)]);
        assert_eq!(placements(4), PLACEMENTS);
        for count in 1..4 {
            assert_eq!(pairs(count), pairs(4)[..count]);
        }
        assert_eq!(pairs(8)[..4], [(0, 0), (8, 32), (16, 16), (24, 48)]);
        for count in [4, 8, 16, 32, 64] {
            let all = placements(count);
            for offset in (0..64).step_by(64 / count) {
                assert_eq!(all.iter().filter(|one| one.loop_head == offset).count(), 1);
                assert_eq!(all.iter().filter(|one| one.callee == offset).count(), 1);
            }
            assert_eq!((all.len(), all[0].loop_head, all[0].callee), (count, 0, 0));
        }
    }
}
