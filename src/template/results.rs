//! What the results of an iteration add up to.
//!
//! Correct means: the loop adds what [`expected`] says, and results that are swapped, or wrong by a little each, make
//! another sum.

use super::{MOST_RESULTS, ResultRegister};
use crate::formula::{Formula, Receivers};

/// What each result is multiplied by before it is added. The factors of the further ones are primes of 31 bits, as an
/// instruction holds them: no carry from one result to another, and no small difference, is made good by another.
pub const FACTORS: [u32; MOST_RESULTS] = [1, 0x7fff_ffff, 0x7fff_ffed, 0x7fff_ffb7];

impl ResultRegister {
    /// As much of a value as the register holds.
    pub fn cut(self, value: u64) -> u64 {
        value & (u64::MAX >> (64 - u32::from(self.bits)))
    }
}

/// The sum of an iteration's results where `formulas` say what they are; of a batch each result is the sum over its
/// receivers.
///
/// # Errors
/// Where a formula has no number for one of them.
pub fn expected(
    results: &[ResultRegister],
    formulas: &[Formula],
    batch: &[Receivers<'_>],
) -> Result<u64, String> {
    let mut sum = 0u64;
    for ((register, formula), factor) in results.iter().zip(formulas).zip(FACTORS) {
        let mut result = 0u64;
        for receivers in batch {
            result = result.wrapping_add(formula.number(receivers)?);
        }
        let result = register.cut(result).wrapping_mul(factor.into());
        sum = sum.wrapping_add(result);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::Known;

    fn of(bits: &[u8], formulas: &[&str], objects: &[u32]) -> u64 {
        let types = [0, 1, 0];
        let results: Vec<ResultRegister> = (0..)
            .zip(bits)
            .map(|(number, &bits)| ResultRegister { number, bits })
            .collect();
        let formulas: Vec<Formula> = formulas
            .iter()
            .map(|text| Formula::parse(text, &Known::default()).expect("a formula"))
            .collect();
        let receivers = |&object: &u32| Receivers {
            types: &types,
            object,
            second: 0,
            element: 0,
        };
        let batch: Vec<Receivers<'_>> = objects.iter().map(receivers).collect();
        expected(&results, &formulas, &batch).expect("a sum")
    }

    #[test]
    fn a_result_is_as_wide_as_its_register_and_swapped_ones_differ() {
        assert_eq!(of(&[32], &["0 - 1"], &[0]), 0xffff_ffff);
        assert_eq!(of(&[8], &["0x1ff"], &[0]), 0xff);
        assert_eq!(of(&[64], &["0 - 1"], &[0]), u64::MAX);
        assert_eq!(of(&[32, 32], &["id", "type"], &[1]), 2 + 2 * 0x7fff_ffff);
        let both = |one, other| of(&[32, 32], &[one, other], &[0]);
        assert_ne!(both("3", "4"), both("4", "3"));
        // A carry that the upper half did not get.
        assert_ne!(both("1", "1"), both("0x10001", "0"));
        assert_ne!(both("1 << 16", "0"), both("0", "1"));
    }

    #[test]
    fn a_batch_has_the_sum_of_its_receivers_as_wide_as_the_register() {
        assert_eq!(of(&[32], &["id"], &[0, 1, 2]), 6);
        assert_eq!(of(&[8], &["100 * id"], &[1, 2]), 500 & 0xff);
    }
}
