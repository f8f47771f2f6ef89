//! The hash table in which the runtime of Go 1.10 and later finds itabs.
//!
//! Correct means: each itab stands where `itabAdd` of `runtime/iface.go` puts it into an empty table
//! of that size, in the order they come.

use super::{Release, hash};

/// Entries of the table a program starts with: `itabInitSize` in `runtime/iface.go`.
const FIRST_SIZE: usize = 512;

/// Where itabs with these hashes stand: for each entry the index of its itab.
///
/// The table doubles before more than three quarters of it are taken. Entry h, h+1, h+3, h+6, … is
/// tried, counted from the low bits of the hash.
pub fn entries(hashes: &[u32]) -> Vec<Option<usize>> {
    let mut size = FIRST_SIZE;
    while 4 * hashes.len() > 3 * size {
        size *= 2;
    }
    let mut entries = vec![None; size];
    for (number, &hash) in hashes.iter().enumerate() {
        let mut at = hash as usize & (size - 1);
        let mut step = 1;
        while entries[at].is_some() {
            at = (at + step) & (size - 1);
            step += 1;
        }
        entries[at] = Some(number);
    }
    entries
}

/// The hash by which an itab is found: those of its interface and of its type, in one.
///
/// # Errors
/// Where the release's type hash is not known, or the name is not that of an itab.
pub fn hash_of(itab: &str, release: Release) -> Result<u32, String> {
    let names = itab.strip_prefix("go.itab.");
    let (dynamic, interface) = names
        .and_then(|names| names.rsplit_once(','))
        .ok_or_else(|| format!("\"{itab}\" is not the name of an itab: go.itab.TYPE,INTERFACE"))?;
    Ok(hash::type_hash(release, interface)? ^ hash::type_hash(release, dynamic)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `find`, as `runtime/iface.go` has it: what the modelled function does on real memory.
    fn find(entries: &[Option<usize>], hashes: &[u32], wanted: usize) -> Option<usize> {
        let mask = entries.len() - 1;
        let mut at = hashes[wanted] as usize & mask;
        for step in 1.. {
            match entries[at] {
                Some(found) if found == wanted => return Some(step),
                Some(_) => at = (at + step) & mask,
                None => return None,
            }
        }
        None
    }

    #[test]
    fn every_itab_is_found_by_probing_where_a_linear_search_finds_it() {
        for (count, spread) in [(1u32, 1), (8, 1), (380, 7), (385, 512), (2000, 3)] {
            let hashes: Vec<u32> = (0..count)
                .map(|number| (number / spread).wrapping_mul(0x9e37_79b9))
                .collect();
            let entries = entries(&hashes);
            assert!(entries.len().is_power_of_two() && 3 * entries.len() >= 4 * hashes.len());
            for wanted in 0..hashes.len() {
                let linear = entries
                    .iter()
                    .filter(|entry| **entry == Some(wanted))
                    .count();
                assert_eq!(linear, 1);
                assert!(
                    find(&entries, &hashes, wanted).is_some(),
                    "{count} {wanted}"
                );
            }
        }
    }

    #[test]
    fn the_hash_of_an_itab_joins_interface_and_type() {
        let release: Release = "1.10".parse().expect("a release");
        let of = |name: &str| hash::type_hash(release, name).expect("known");
        assert_eq!(
            hash_of("go.itab.main.T,main.I", release),
            Ok(of("main.T") ^ of("main.I"))
        );
        assert!(hash_of("main.T", release).is_err());
    }
}
