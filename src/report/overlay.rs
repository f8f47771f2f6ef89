//! The part of a report that says which files of an overlay took part, and what they changed.

use serde::{Deserialize, Serialize};

use super::Basis;
use crate::stats::paired::Verdict;

/// A folder whose files stood over those of their names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overlay {
    /// The folder.
    pub folder: String,
    /// Its files that rows were made of; those that none was made of are not here.
    pub files: Vec<OverlayFile>,
    /// What they changed, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// A file of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayFile {
    /// Its path below the folder.
    pub file: String,
    /// How many rows were made of it.
    pub rows: u64,
}

/// Rows without the overlay and with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Those whose code, data or parameters differ, in the order asked for: measured in turns.
    pub changed: Vec<RowEffect>,
    /// Those that are the same to the byte, and so were not measured.
    pub same: Vec<String>,
    /// Geometric mean of the ratios of cycles, with over without, of those that changed and have one.
    pub mean: Option<f64>,
    /// The same over all rows that have one, where those that are the same count as 1.
    pub mean_of_all: Option<f64>,
    /// How many ratios `mean` is made of.
    pub ratios: u64,
}

/// A row that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowEffect {
    /// The scenario.
    pub scenario: String,
    /// The name of its row with the overlay.
    pub other: String,
    /// Cycles without the overlay and with it.
    pub cycles: Option<(f64, f64)>,
    /// The second over the first, in turns.
    pub ratio: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
    /// How the cycles were obtained.
    pub basis: Basis,
    /// What it comes to.
    pub verdict: Option<Verdict>,
    /// Instructions without and with, where both were counted.
    pub instructions: Option<(f64, f64)>,
    /// Why there is no ratio.
    pub why: Option<String>,
}
