//! What is taken away from a call before it, so that it is a first one.
//!
//! Correct means: what a state prints is what reads back as it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state that is scrubbed between calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cold {
    /// Nothing: calls are hot.
    #[default]
    None,
    /// What branch predictors remember.
    Predictor,
    /// The code in all caches.
    Icache,
    /// Heap and data sections in all caches.
    Dcache,
}

impl Cold {
    /// All of them, the default first.
    pub const ALL: [Cold; 4] = [Cold::None, Cold::Predictor, Cold::Icache, Cold::Dcache];

    /// Whether nothing is scrubbed.
    pub fn is_none(&self) -> bool {
        *self == Cold::None
    }

    /// Their names.
    pub const NAMES: [&str; 4] = {
        let [none, predictor, icache, dcache] = Cold::ALL;
        [none.name(), predictor.name(), icache.name(), dcache.name()]
    };

    /// Its name as a value of the parameter.
    pub const fn name(self) -> &'static str {
        match self {
            Cold::None => "none",
            Cold::Predictor => "predictor",
            Cold::Icache => "icache",
            Cold::Dcache => "dcache",
        }
    }
}

impl fmt::Display for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cold {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Cold::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| {
            let names = Cold::NAMES.join(", ");
            format!("`cold` is one of {names}, not `{text}`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_as_itself_and_another_word_names_them_all() {
        for cold in Cold::ALL {
            assert_eq!(cold.to_string().parse(), Ok(cold));
        }
        let refused = "l1i".parse::<Cold>().expect_err("no such state");
        assert_eq!(
            refused,
            "`cold` is one of none, predictor, icache, dcache, not `l1i`"
        );
    }
}
