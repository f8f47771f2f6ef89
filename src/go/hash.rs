//! Go's hash of a type, which sits in type and itab and is compared by type switches.
//!
//! Correct means: the same 32 bits that the named release's compiler writes. Where a release's rule
//! is not known, that is an error with a reason and never a guess.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::Release;

/// The hash of the type whose link string is `name`: `uint32`, `main.T0`, `*main.T0`.
///
/// Always four little-endian bytes of a digest of the link string; which digest, which of its bytes, and how
/// they are changed, depends on the release. The changes come from the compiler's own hash
/// package, which alters a digest so that nobody mistakes it for the standard one; in 1.24 the
/// bytes are those behind the first eight, of which it alters none. MD5 of 1.16 is no binary's: the compiler's
/// source has it in 1.15 and in the tree that became 1.17.
///
/// # Errors
/// For the releases whose digest is not known here: 1.17 and 1.18.
pub fn type_hash(release: Release, name: &str) -> Result<u32, String> {
    let first_four =
        |digest: &[u8]| u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    match release.minor() {
        ..=16 => Ok(first_four(&Md5::digest(name))),
        19..=23 => Ok(!first_four(&Sha256::digest(name))),
        24 => Ok(first_four(&Sha256::digest(name)[8..])),
        25.. => Ok(first_four(&Sha256::digest(name)) ^ 0xff),
        _ => Err(format!(
            "how Go {release} hashes a type is not known here; 1.9 to 1.16 and 1.19 to 1.27 are"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(release: &str, name: &str) -> Result<u32, String> {
        type_hash(release.parse().expect("a release"), name)
    }

    #[test]
    fn hashes_equal_those_in_binaries_of_four_generations_of_compilers() {
        // Read out of binaries that Go 1.10, 1.19, 1.24 and 1.27 built.
        #[rustfmt::skip] // One release a row.
        let known = [
            ("1.10", "uint32", 0xd04a_e83d), ("1.10", "uint16", 0xeff2_0ea0),
            ("1.10", "main.Adder", 0x615f_3d8a), ("1.10", "*main.Calculator", 0xc8ca_335e),
            ("1.19", "uint32", 0xe927_f9e3), ("1.19", "uint16", 0xd963_2893),
            ("1.24", "main.C", 0x7283_c7c0), ("1.24", "*main.A", 0x5fff_066b),
            ("1.27", "uint32", 0x16d8_06e3), ("1.27", "uint16", 0x269c_d793),
        ];
        for (release, name, expected) in known {
            assert_eq!(hash(release, name), Ok(expected), "{name} in Go {release}");
        }
    }

    #[test]
    fn releases_at_the_edges_of_a_generation_follow_it() {
        assert_eq!(hash("1.9", "uint32"), hash("1.16", "uint32"));
        assert_eq!(hash("1.19", "uint32"), hash("1.23", "uint32"));
        assert_eq!(hash("1.25", "uint32"), hash("1.27", "uint32"));
    }

    #[test]
    fn a_release_without_evidence_is_refused_by_name() {
        for release in ["1.17", "1.18"] {
            let refusal = hash(release, "uint32").expect_err("not known");
            assert!(refusal.contains(&format!("Go {release} ")), "{refusal}");
        }
    }
}
