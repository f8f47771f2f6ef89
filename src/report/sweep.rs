//! The part of a report that says which rows stand where on the axes of a sweep.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A scan of one or two parameters over one or more scenarios.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// The parameters.
    pub keys: Vec<String>,
    /// The scenarios as they were named.
    pub names: Vec<String>,
    /// The points in the order measured, the last parameter fastest.
    pub points: Vec<SweepPoint>,
    /// Where curves bend; of one parameter only.
    pub knees: Vec<Knee>,
    /// Where one scenario begins to win over the first; of one parameter only.
    pub break_evens: Vec<BreakEven>,
}

impl Sweep {
    /// The point that a row of the report was measured at, as `KEY=VALUE`, a blank between two: rows of a template that
    /// does not have the parameter share their name. None of a row that is of no point.
    pub fn point_of(&self, row: usize) -> Option<String> {
        let mut points = self.points.iter();
        let point = points.find(|point| point.rows.contains(&row))?;
        let pairs = self.keys.iter().zip(&point.values);
        let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        Some(pairs.join(" "))
    }
}

/// One point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// The parameters' values, in the order of the keys.
    pub values: Vec<String>,
    /// Indices of its rows in the report, one a scenario.
    pub rows: Vec<usize>,
    /// Its comparisons in the report.
    #[serde(skip)]
    pub comparisons: Range<usize>,
}

/// A point from which on a curve is another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The scenario's template.
    pub scenario: String,
    /// The parameter.
    pub key: String,
    /// Its value there.
    pub at: f64,
    /// What bends.
    pub metric: Cow<'static, str>,
    /// The value at the point before.
    pub before: f64,
    /// The value there.
    pub after: f64,
    /// The same as a sentence without a full stop.
    pub text: String,
}

/// Who wins where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakEven {
    /// The first scenario's template.
    pub base: String,
    /// The other one's.
    pub other: String,
    /// The parameter.
    pub key: String,
    /// Its value from which on the winner changes for good; `None` where there is no such one.
    pub at: Option<String>,
    /// The same as a sentence without a full stop.
    pub text: String,
}
