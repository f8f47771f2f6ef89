//! The part of a report that says what each part of a template costs.

use serde::{Deserialize, Serialize};

use super::Basis;
use crate::stats::paired::Verdict;

/// A template and its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// The scenario with all its parts.
    pub scenario: String,
    /// What each costs, in the order in which they stand in the template.
    pub parts: Vec<PartCost>,
}

/// What leaving a part out saves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartCost {
    /// Its name.
    pub part: String,
    /// Index of the row without it.
    pub row: usize,
    /// Cycles of an iteration with all parts, less those without this one; below 0 where leaving it
    /// out makes it slower. `None` where there is no number.
    pub cycles: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// How the cycles were obtained.
    pub basis: Basis,
    /// What the comparison came to: `faster` is without the part.
    pub verdict: Option<Verdict>,
    /// Instructions of an iteration that are gone, where both were counted.
    pub instructions: Option<f64>,
    /// Branches that are gone.
    pub branches: Option<f64>,
    /// Iterations that were counted, with the part or without, where later ones may differ from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stepped: Option<u64>,
    /// Bytes of code that are gone.
    pub bytes: Option<i64>,
    /// Whether the results without it were compared with what they must be. Where the part makes the
    /// result what it is, they cannot.
    pub verified: bool,
}
