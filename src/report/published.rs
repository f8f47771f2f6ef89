//! Figures that others published, each beside what was measured here.
//!
//! Correct means: a figure without a number of ours beside it says why, and a number of ours has its
//! basis with it.

use serde::{Deserialize, Serialize};

use super::Basis;
use crate::template::Published;

/// A published figure, and ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Theirs.
    #[serde(flatten)]
    pub published: Published,
    /// The same metric, or the ratio of the same two rows, in this run.
    pub measured: Option<f64>,
    /// How ours was obtained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Why there is none of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The modelled functions of Go's runtime that ours is the time of, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modelled_runtime: Vec<String>,
}

impl From<Published> for Held {
    fn from(published: Published) -> Held {
        Held {
            published,
            measured: None,
            basis: None,
            why: None,
            modelled_runtime: Vec::new(),
        }
    }
}
