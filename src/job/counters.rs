//! What counters are good for, as a worker says it.
//!
//! Correct means: what is not counted has a reason and a next step.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stats::Event;

/// Why a source cannot be used here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// What the kernel or the CPU said.
    pub reason: String,
    /// What the user can do about it.
    pub remedy: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

impl std::error::Error for Unavailable {}

/// An event of a column, and why it is not counted where it is not.
pub type EventState = (Event, Result<(), Unavailable>);

/// An event by its name, and how it is read or why it cannot be counted.
pub type FurtherState = (String, Result<String, Unavailable>);

/// How a worker reads the CPU's counters, where any is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PmuUse {
    /// The PMU by the kernel's name for it: `cpu`, or on a CPU with two kinds of cores `cpu_core` or `cpu_atom`.
    pub name: Option<String>,
    /// With `rdpmc` or `read()`, and why.
    pub way: String,
    /// The CPU's counters that the events counted together are on, where their pages say: fixed ones from 2³⁰.
    pub numbers: Vec<Option<u32>>,
    /// The events that are counted at once.
    pub together: Vec<Event>,
    /// Those that there is no counter for beside the others, which have turns of their own.
    pub apart: Vec<Event>,
    /// Cycles from one reading to another, with nothing between them.
    pub reading_cycles: Option<u64>,
    /// Instructions likewise.
    pub reading_instructions: Option<u64>,
}

impl PmuUse {
    /// All of it in one line.
    pub fn told(&self) -> String {
        const FIXED: u32 = 1 << 30;
        let mut told = self.way.clone();
        let is_believed = |event: Event| {
            let mut counted = self.together.iter().chain(&self.apart);
            counted.any(|other| *other == event)
        };
        let cycles = self.reading_cycles.filter(|_| is_believed(Event::Cycles));
        let cycles = cycles.map(|count| format!("{count} cycles"));
        let instructions = self.reading_instructions;
        let instructions = instructions.filter(|_| is_believed(Event::Instructions));
        let instructions = instructions.map(|count| format!("{count} instructions"));
        let costs: Vec<String> = cycles.into_iter().chain(instructions).collect();
        if !costs.is_empty() {
            told += &format!(", {} a reading", costs.join(" and "));
        }
        if let Some(name) = &self.name {
            told += &format!("; PMU {name}");
        }
        let numbers: Option<Vec<String>> = self
            .numbers
            .iter()
            .map(|number| {
                let number = (*number)?;
                Some(match number.checked_sub(FIXED) {
                    Some(fixed) => format!("fixed {fixed}"),
                    None => number.to_string(),
                })
            })
            .collect();
        if let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) {
            told += &format!(", counters {}", numbers.join(", "));
        }
        told += "; enabled = running in each reading, others are left out";
        if !self.apart.is_empty() {
            let all = self.together.len() + self.apart.len();
            told += &format!("; {} of {all} counters are free", self.together.len());
        }
        told
    }
}
