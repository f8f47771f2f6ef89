//! Go releases, and what differs between them as far as dispatchlab models it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Go release `1.minor`, from 1.9 to 1.27.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Release(u8);

impl Release {
    /// The release whose code the shipped templates show where nothing else is said.
    pub const NEWEST: Release = Release(27);
    /// The one before it.
    pub const BEFORE_NEWEST: Release = Release(26);
    /// The oldest release whose layouts are known here.
    pub const OLDEST: Release = Release(9);

    /// The number after `1.`.
    pub fn minor(self) -> u8 {
        self.0
    }

    /// Whether arguments travel in registers: amd64 from Go 1.17 on.
    pub fn has_register_abi(self) -> bool {
        self.0 >= 17
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl From<Release> for String {
    fn from(release: Release) -> String {
        release.to_string()
    }
}

impl TryFrom<String> for Release {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Release {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_prefix("1.")
            .and_then(|minor| minor.parse::<u8>().ok())
            .map(Release)
            .filter(|release| (Release::OLDEST..=Release::NEWEST).contains(release))
            .ok_or_else(|| {
                format!(
                    "`{text}` is not a Go release from {} to {}",
                    Release::OLDEST,
                    Release::NEWEST
                )
            })
    }
}
