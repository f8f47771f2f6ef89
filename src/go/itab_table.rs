//! The table in which Go's runtime finds itabs: since 1.10 one that is probed, before an array of chains.
//!
//! Correct means: each itab stands where `itabAdd`, or `additab`, of `runtime/iface.go` puts it into an empty
//! table of that size, in the order they come.

use super::{Release, hash};

/// Entries of the table a program starts with: `itabInitSize` in `runtime/iface.go`.
const FIRST_SIZE: usize = 512;

/// Chains of the table up to Go 1.9: `hashSize` in `runtime/iface.go`.
pub const CHAINS: usize = 1009;

/// The hashes of the two types that an itab is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// That of the interface.
    pub interface: u32,
    /// That of the dynamic type.
    pub dynamic: u32,
}

impl Pair {
    /// The hash of `itabHashFunc`, since Go 1.10.
    fn probed(self) -> u32 {
        self.interface ^ self.dynamic
    }

    /// The chain of `itabhash`, up to Go 1.9; its sum wraps at 32 bits.
    fn chain(self) -> usize {
        let sum = self.dynamic.wrapping_mul(17).wrapping_add(self.interface);
        sum as usize % CHAINS
    }
}

/// The table up to Go 1.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chains {
    /// For each chain the index of the itab that it begins with.
    pub heads: Vec<Option<usize>>,
    /// For each itab the index of the one behind it in its chain.
    pub links: Vec<Option<usize>>,
}

/// The chains of itabs: each begins its chain when it comes, in front of those that were there.
pub fn chains(itabs: &[Pair]) -> Chains {
    let mut heads: Vec<Option<usize>> = vec![None; CHAINS];
    let linked = itabs.iter().enumerate();
    let links = linked
        .map(|(number, pair)| heads[pair.chain()].replace(number))
        .collect();
    Chains { heads, links }
}

/// Where itabs stand since Go 1.10: for each entry the index of its itab.
///
/// The table doubles before more than three quarters of it are taken. Entry h, h+1, h+3, h+6, … is
/// tried, counted from the low bits of the hash.
pub fn entries(itabs: &[Pair]) -> Vec<Option<usize>> {
    let mut size = FIRST_SIZE;
    while 4 * itabs.len() > 3 * size {
        size *= 2;
    }
    let mut entries = vec![None; size];
    for (number, pair) in itabs.iter().enumerate() {
        let mut at = pair.probed() as usize & (size - 1);
        let mut step = 1;
        while entries[at].is_some() {
            at = (at + step) & (size - 1);
            step += 1;
        }
        entries[at] = Some(number);
    }
    entries
}

/// The hashes by which an itab is found.
///
/// # Errors
/// Where the release's type hash is not known, or the name is not that of an itab.
pub fn pair_of(itab: &str, release: Release) -> Result<Pair, String> {
    let names = itab.strip_prefix("go.itab.");
    let (dynamic, interface) = names
        .and_then(|names| names.rsplit_once(','))
        .ok_or_else(|| format!("\"{itab}\" is not the name of an itab: go.itab.TYPE,INTERFACE"))?;
    Ok(Pair {
        interface: hash::type_hash(release, interface)?,
        dynamic: hash::type_hash(release, dynamic)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs whose hashes agree in runs of `spread`, so that they collide.
    fn pairs(count: u32, spread: u32) -> Vec<Pair> {
        let of = |number: u32| Pair {
            interface: 0x1234_5678,
            dynamic: (number / spread).wrapping_mul(0x9e37_79b9),
        };
        (0..count).map(of).collect()
    }

    /// `find`, as `runtime/iface.go` has it: what the modelled function does on real memory.
    fn find(entries: &[Option<usize>], itabs: &[Pair], wanted: usize) -> Option<usize> {
        let mask = entries.len() - 1;
        let mut at = itabs[wanted].probed() as usize & mask;
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
            let itabs = pairs(count, spread);
            let entries = entries(&itabs);
            assert!(entries.len().is_power_of_two() && 3 * entries.len() >= 4 * itabs.len());
            for wanted in 0..itabs.len() {
                let linear = entries
                    .iter()
                    .filter(|entry| **entry == Some(wanted))
                    .count();
                assert_eq!(linear, 1);
                assert!(find(&entries, &itabs, wanted).is_some(), "{count} {wanted}");
            }
        }
    }

    #[test]
    fn a_chain_has_all_itabs_of_its_remainder_and_the_last_that_came_begins_it() {
        for (count, spread) in [(1u32, 1), (8, 8), (380, 7), (2000, 3)] {
            let itabs = pairs(count, spread);
            let chains = chains(&itabs);
            for (chain, head) in chains.heads.iter().enumerate() {
                let next = |at: &usize| chains.links[*at];
                let found: Vec<usize> = std::iter::successors(*head, next).collect();
                // In 64 bits, and one by one, where the table wraps and links.
                let is_here = |pair: &Pair| {
                    let sum = u64::from(pair.interface) + 17 * u64::from(pair.dynamic);
                    (sum % (1 << 32) % 1009) as usize == chain
                };
                let all = (0..itabs.len()).rev();
                let expected: Vec<usize> = all.filter(|at| is_here(&itabs[*at])).collect();
                assert_eq!(found, expected, "{count} {chain}");
            }
        }
    }

    #[test]
    fn the_pair_of_an_itab_is_of_its_interface_and_of_its_type() {
        let release: Release = "1.10".parse().expect("a release");
        let of = |name: &str| hash::type_hash(release, name).expect("known");
        assert_eq!(
            pair_of("go.itab.main.T,main.I", release),
            Ok(Pair {
                interface: of("main.I"),
                dynamic: of("main.T")
            })
        );
        assert!(pair_of("main.T", release).is_err());
    }
}
