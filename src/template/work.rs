//! Instructions that the harness puts around a body, so that one sees how much of it hides.
//!
//! Correct means: what a work prints is what reads back as it, and both halves together are N.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most instructions around a body.
pub const MAX_WORK: u32 = 1024;

/// How many instructions, and what they wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Instructions in front of the body and behind it together.
    pub count: u32,
    /// Whether each waits for the one before, and the body for those in front of it.
    pub is_dependent: bool,
}

impl Work {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.count == 0
    }

    /// How many stand in front of the body. A chain behind it begins at the result, so without one
    /// all stand in front.
    pub fn in_front(self, has_result: bool) -> u32 {
        if self.is_dependent && !has_result {
            self.count
        } else {
            self.count.div_ceil(2)
        }
    }

    /// How many stand behind the body.
    pub fn behind(self, has_result: bool) -> u32 {
        self.count - self.in_front(has_result)
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = if self.is_dependent { ":dependent" } else { "" };
        write!(f, "{}{chain}", self.count)
    }
}

impl FromStr for Work {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (count, is_dependent) = match text.strip_suffix(":dependent") {
            Some(count) => (count, true),
            None => (text, false),
        };
        let is_digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count
            .parse()
            .ok()
            .filter(|count| is_digits && *count <= MAX_WORK);
        let count: u32 = count.ok_or_else(|| {
            format!("`work` is N or N:dependent with N from 0 to {MAX_WORK}, not `{text}`")
        })?;
        // No instruction waits for none.
        let is_dependent = is_dependent && count > 0;
        Ok(Work {
            count,
            is_dependent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_reads_back_as_itself_and_its_halves_add_up() {
        for text in ["0", "1", "7", "1024", "1:dependent", "1024:dependent"] {
            let work: Work = text.parse().expect(text);
            assert_eq!(work.to_string(), text);
            for has_result in [true, false] {
                assert_eq!(
                    work.in_front(has_result) + work.behind(has_result),
                    work.count
                );
            }
        }
        assert_eq!("0:dependent".parse(), Ok(Work::default()));
        let chain: Work = "8:dependent".parse().expect("a chain");
        assert_eq!((chain.in_front(true), chain.in_front(false)), (4, 8));
        for text in [
            "",
            "-1",
            "1025",
            "8:free",
            ":dependent",
            "+8",
            "8:dependent:dependent",
        ] {
            assert!(text.parse::<Work>().is_err(), "{text}");
        }
    }
}
