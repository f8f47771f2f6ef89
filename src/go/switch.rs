//! How Go compilers find the case of a type switch among many, since 1.22: through a table.
//!
//! Correct means: the same bits of the hash, or none, as the compiler chooses for the same hashes.

/// A window of the hash that tells all cases apart, and what stands behind each of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JumpTable {
    /// Bits below the window.
    pub shift: u32,
    /// Bits of the window.
    pub bits: u32,
    /// For each value of the window the case that has it, an index into the hashes.
    pub slots: Vec<Option<usize>>,
}

/// More bits than this a table never has, whoever asks: 8 MiB of addresses.
const WIDEST: u32 = 20;

/// The narrowest window that tells `hashes` apart, and of those the lowest; none where
/// `spare_bits` more than number the cases are not enough.
pub fn jump_table(hashes: &[u32], spare_bits: u32) -> Option<JumpTable> {
    let fewest = usize::BITS - hashes.len().saturating_sub(1).leading_zeros();
    let most = fewest.saturating_add(spare_bits).min(WIDEST);
    (fewest..=most).find_map(|bits| (0..=32 - bits).find_map(|shift| window(hashes, shift, bits)))
}

fn window(hashes: &[u32], shift: u32, bits: u32) -> Option<JumpTable> {
    let mut slots = vec![None; 1 << bits];
    for (case, &hash) in hashes.iter().enumerate() {
        let value = u64::from(hash) >> shift & ((1 << bits) - 1);
        if slots[value as usize].replace(case).is_some() {
            return None;
        }
    }
    Some(JumpTable { shift, bits, slots })
}

/// The cache of a call site that asserts to an interface, as it is once all these types have come
/// by: for each entry the index of its type. Since Go 1.22: twice as many entries as types, a power
/// of two; a type stands at the low bits of its hash or in the next free entry behind.
pub fn site_cache(hashes: &[u32]) -> Vec<Option<usize>> {
    let size = (2 * hashes.len()).next_power_of_two();
    let mut entries = vec![None; size];
    for (number, &hash) in hashes.iter().enumerate() {
        let mut at = hash as usize & (size - 1);
        while entries[at].is_some() {
            at = (at + 1) & (size - 1);
        }
        entries[at] = Some(number);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::hash::type_hash;
    use std::collections::HashSet;

    #[test]
    fn a_call_sites_cache_has_each_type_where_a_probe_from_its_hash_ends() {
        for count in [1, 2, 3, 8, 100] {
            let hashes = hashes("1.27", count);
            let cache = site_cache(&hashes);
            assert!(cache.len().is_power_of_two() && cache.len() >= 2 * count);
            for (wanted, &hash) in hashes.iter().enumerate() {
                let from_hash =
                    (0..cache.len()).map(|step| cache[(hash as usize + step) % cache.len()]);
                let mut taken = from_hash.take_while(Option::is_some);
                assert!(taken.any(|entry| entry == Some(wanted)), "{count} {wanted}");
            }
        }
        assert_eq!(site_cache(&[]), [None]);
    }

    fn hashes(release: &str, cases: usize) -> Vec<u32> {
        let release = release.parse().expect("a release");
        let hash = |t| type_hash(release, &format!("main.T{t}")).expect("known");
        (0..cases).map(hash).collect()
    }

    #[test]
    fn windows_are_those_of_a_binary_that_go_1_27_built() {
        // Cases, and the shift and mask that stand in front of the jump; where the compiler searches
        // by halves, none.
        #[rustfmt::skip] // One switch over main.T0, main.T1, ... a row.
        let built = [
            (5,  Some((0x0c, 0x07))), (6,  Some((0x17, 0x07))), (8,  Some((0x09, 0x1f))), (12, Some((0x0a, 0x3f))),
            (16, Some((0x12, 0x3f))), (20, Some((0x11, 0x7f))), (24, Some((0x11, 0x7f))), (28, Some((0x18, 0x7f))),
            (32, Some((0x18, 0x7f))), (40, None), (48, None), (64, None), (128, None), (256, None),
        ];
        for (cases, expected) in built {
            let table = jump_table(&hashes("1.27", cases), 2);
            let found = table.map(|table| (table.shift, (1u32 << table.bits) - 1));
            assert_eq!(found, expected, "{cases} cases");
        }
    }

    #[test]
    fn every_hash_finds_its_case_and_every_other_slot_is_empty() {
        for cases in [1, 2, 5, 31, 256] {
            let hashes = hashes("1.22", cases);
            let table = jump_table(&hashes, 16).expect("wide enough");
            for (case, hash) in hashes.iter().enumerate() {
                let value = (hash >> table.shift) as usize % table.slots.len();
                assert_eq!(table.slots[value], Some(case));
            }
            assert_eq!(table.slots.iter().flatten().count(), cases);
        }
    }

    #[test]
    fn no_narrower_and_no_lower_window_would_do() {
        for release in ["1.10", "1.19", "1.25"] {
            for cases in 2..=40 {
                let hashes = hashes(release, cases);
                let table = jump_table(&hashes, 16).expect("wide enough");
                let fewest = (0..).find(|bits| 1 << bits >= cases).expect("one");
                let lower = (fewest..table.bits)
                    .flat_map(|bits| (0..=32 - bits).map(move |shift| (bits, shift)))
                    .chain((0..table.shift).map(|shift| (table.bits, shift)));
                for (bits, shift) in lower {
                    let values = hashes.iter().map(|hash| (hash >> shift) % (1 << bits));
                    let different = values.collect::<HashSet<u32>>().len();
                    assert!(different < cases, "Go {release}, {cases} cases");
                }
            }
        }
    }

    #[test]
    fn equal_hashes_have_no_table() {
        assert_eq!(jump_table(&[7, 9, 7], u32::MAX), None);
    }
}
