//! The hardware events, and one number for each of them.
//!
//! Correct means: an event that is not counted has no number, which is not the number 0.

use serde::{Deserialize, Serialize};

/// What a PMU is asked to count, in the order of a report's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Core cycles.
    Cycles,
    /// Retired instructions.
    Instructions,
    /// Retired branches, taken or not.
    Branches,
    /// Retired branches that were predicted wrongly.
    BranchMisses,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 4] = [
        Event::Cycles,
        Event::Instructions,
        Event::Branches,
        Event::BranchMisses,
    ];

    /// The column's name.
    pub fn name(self) -> &'static str {
        match self {
            Event::Cycles => "cycles",
            Event::Instructions => "instructions",
            Event::Branches => "branches",
            Event::BranchMisses => "branch_misses",
        }
    }
}

/// A number for each event; `None` where it is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events([Option<u64>; 4]);

impl Events {
    /// An event's number.
    pub fn get(&self, event: Event) -> Option<u64> {
        self.0[event as usize]
    }

    /// Sets it.
    pub fn set(&mut self, event: Event, count: Option<u64>) {
        self.0[event as usize] = count;
    }

    /// The numbers that `of` gives.
    pub fn of(of: impl FnMut(Event) -> Option<u64>) -> Events {
        Events(Event::ALL.map(of))
    }
}

/// What a row's hardware counters said as a whole; each chunk has its own [`Events`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counting {
    /// Counts of an entry with no iteration: the medians of all.
    pub overhead: Events,
    /// Those of each such entry that was not refused, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Events>,
    /// Readings that were refused.
    pub refused: u64,
    /// Why the first of them was, or all.
    pub why: Option<String>,
    /// What can be done about that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// Whether none of them is believed, and the clock stands in for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_replaced: bool,
}
