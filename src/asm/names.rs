//! Look-ups by name, as the parser makes them several times a line: no copy, a cheap hash.
//!
//! Correct means: a name is found in any case of its letters, and the hash is used only for tables
//! whose keys nobody but this crate chooses, because it does not resist crafted ones.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table of names in lower case.
pub(super) type NameMap<V> = HashMap<String, V, BuildHasherDefault<NameHasher>>;

/// `word` in lower case; a copy only where that differs.
pub(super) fn lower(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}

/// FNV-1a: for names of a few letters faster than the standard one.
pub(super) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> NameHasher {
        NameHasher(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
