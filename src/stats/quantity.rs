//! What a row has numbers of: one table.
//!
//! Correct means: a quantity is a row here and what computes it, and documents, tables, exports, comparisons and
//! suites take its name, its unit and its place from that row.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Event;

/// What is known of a quantity beside its numbers.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its name in JSON, CSV and suites.
    pub name: &'static str,
    /// The same where columns are narrow.
    pub short: &'static str,
    /// What its numbers count, per iteration.
    pub unit: &'static str,
    /// Decimals in its column; one without a column is not compared either.
    pub decimals: Option<usize>,
    /// The hardware event that it is of.
    pub event: Option<Event>,
    /// Less than this cannot be.
    pub least: f64,
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $quantity:ident = $known:expr;)*) => {
        /// What a row has a number of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Quantity { $($(#[$doc])* $quantity),* }

        impl Quantity {
            /// All of them, in the order of documents.
            pub const ALL: &[Quantity] = &[$(Quantity::$quantity),*];

            /// Its row of the table.
            pub const fn known(self) -> Known {
                match self { $(Quantity::$quantity => $known),* }
            }
        }
    };
}

// Inferred misses may be a little below 0, for each of the sixteen branches that they are of.
quantities! {
    /// Nanoseconds.
    Ns = Known { name: "ns", short: "ns", unit: "ns", decimals: Some(2), event: None, least: f64::MIN_POSITIVE };
    /// Core cycles, never TSC ticks.
    Cycles = Known { name: "cycles", short: "cycles", unit: "cycles", decimals: Some(2), event: Some(Event::Cycles), least: f64::MIN_POSITIVE };
    /// Instructions of the template's own code.
    Instructions = Known { name: "instructions", short: "instr", unit: "count", decimals: Some(2), event: Some(Event::Instructions), least: 0.0 };
    /// Branches of the template's own code.
    Branches = Known { name: "branches", short: "branch", unit: "count", decimals: Some(2), event: Some(Event::Branches), least: 0.0 };
    /// Branch misses of the whole loop.
    BranchMisses = Known { name: "branch_misses", short: "misses", unit: "count", decimals: Some(3), event: Some(Event::BranchMisses), least: -0.02 * 16.0 };
    /// Blocks that the modelled allocator gave out.
    Allocs = Known { name: "allocs", short: "allocs", unit: "count", decimals: None, event: None, least: 0.0 };
    /// Bytes asked for in them.
    AllocBytes = Known { name: "alloc_bytes", short: "B", unit: "bytes", decimals: None, event: None, least: 0.0 };
}

impl Quantity {
    /// The one of a name.
    pub fn named(name: &str) -> Option<Quantity> {
        let mut all = Quantity::ALL.iter().copied();
        all.find(|quantity| quantity.known().name == name)
    }

    /// Those with a column, as tables and comparisons have them: what a row costs first.
    pub fn columns() -> impl Iterator<Item = Quantity> {
        let is_other = |quantity: &&Quantity| **quantity != Quantity::Cycles;
        let others = Quantity::ALL.iter().filter(is_other).copied();
        let all = std::iter::once(Quantity::Cycles).chain(others);
        all.filter(|quantity| quantity.known().decimals.is_some())
    }

    /// Whether it is a time, which the placement of the code changes.
    pub fn is_time(self) -> bool {
        matches!(self, Quantity::Cycles | Quantity::Ns)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.known().name)
    }
}

/// Digits of a number that has noise.
const DIGITS: usize = 6;

/// A number cut to the digits that mean something.
pub fn significant(number: f64) -> f64 {
    let short = format!("{number:.*e}", DIGITS - 1);
    short.parse::<f64>().unwrap_or(number)
}

/// Writes a number that has noise, or several, for `serialize_with`.
///
/// # Errors
/// Those of the serializer.
pub fn noisy<N: Serialize, S: Serializer>(number: &N, serializer: S) -> Result<S::Ok, S::Error> {
    fn cut(value: Value) -> Value {
        match value {
            Value::Array(all) => all.into_iter().map(cut).collect(),
            one => one
                .as_f64()
                .map_or(one, |number| json!(significant(number))),
        }
    }
    cut(json!(number)).serialize(serializer)
}
