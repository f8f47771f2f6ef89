//! Scripted readings, so that everything behind them can be tested to the letter.
//!
//! Correct means: the code runs and is verified as ever; only the ticks and the counts are the
//! script's, and a scripted reading passes through the checks that a real one does.

use super::group::{Counts, Refused, Snapshot, Times};
use super::{CounterSource, Reading};
use crate::injection::{COPIES, IMAGES_PER_SITE};
use crate::job::{EventState, Failure, FakeReading, FakeScript, FurtherState, Unavailable};
use crate::stage::{Ground, Request, Stage};
use crate::stats::{Calibration, Event, Events};

/// Ticks that the fake says entering takes.
pub const OVERHEAD_TICKS: u64 = 50;
/// What the fake says entering adds to each event.
pub const OVERHEAD_EVENTS: u64 = 77;
/// Cycles of the fake calibration chain.
pub const CHAIN_CYCLES: u64 = 32_000;

/// The scripted source.
#[derive(Debug, Clone)]
pub struct Fake {
    /// What it says.
    pub script: FakeScript,
}

impl Fake {
    /// Cycles of one iteration as the script has them.
    fn cycles(&self, row: &str, image: usize) -> f64 {
        let values = self
            .script
            .cycles
            .get(row)
            .or_else(|| self.script.cycles.get("*"));
        let values = values.map_or(&[][..], Vec::as_slice);
        values.get(image).or(values.last()).copied().unwrap_or(1.0)
    }

    /// The same of an image with latency in front of its branch; the first placement's where the
    /// script has none.
    fn delayed(&self, row: &str, image: usize) -> f64 {
        let script = &self.script.delayed;
        let values = script.get(row).or_else(|| script.get("*"));
        // A script has one pair for each site, which all of its pairs have.
        let copy = image % COPIES;
        let own = values.and_then(|values| {
            let last = values.len().checked_sub(COPIES)? + copy;
            let at = image / IMAGES_PER_SITE * COPIES + copy;
            values.get(at).or(values.get(last)).copied()
        });
        own.unwrap_or_else(|| self.cycles(row, 0))
    }

    /// What the script's counters read over so many iterations; `None` where it has none.
    fn events(&self, row: &str, image: usize, iterations: f64) -> Option<Result<Events, Refused>> {
        let script = &self.script.events;
        let values = script.get(row).or_else(|| script.get("*"))?;
        let value = values.get(image).or(values.last())?;
        Some(counted(value, iterations))
    }
}

impl FakeScript {
    /// What the scripted counters are good for; `None` where the script has none.
    pub fn states(&self) -> Option<Vec<EventState>> {
        let readings: Vec<&FakeReading> = self.events.values().flatten().collect();
        let state = |event: Event| {
            let is_counted = readings.iter().any(|one| one.of(event).is_some());
            (event, is_counted.then_some(()).ok_or_else(absent))
        };
        (!readings.is_empty()).then(|| Event::ALL.map(state).to_vec())
    }
}

impl FakeScript {
    /// What each of these further events is good for.
    pub fn further_states(&self, names: &[String]) -> Vec<FurtherState> {
        let state = |name: &String| match self.further.contains_key(name) {
            true => (name.clone(), Ok("scripted".into())),
            false => (name.clone(), Err(absent())),
        };
        names.iter().map(state).collect()
    }

    /// A further event's count in one iteration of a row.
    pub fn further(&self, row: &str, event: &str) -> f64 {
        let rows = self.further.get(event);
        let count = rows.and_then(|rows| rows.get(row).or_else(|| rows.get("*")));
        count.copied().unwrap_or(0.0)
    }
}

/// Why a script counts no such event.
fn absent() -> Unavailable {
    Unavailable {
        reason: "the script has no such event".into(),
        remedy: "add it".into(),
    }
}

impl FakeReading {
    /// An iteration's count of an event.
    pub fn of(&self, event: Event) -> Option<f64> {
        match event {
            Event::Cycles => self.cycles,
            Event::Instructions => self.instructions,
            Event::Branches => self.branches,
            Event::BranchMisses => self.branch_misses,
        }
    }
}

impl CounterSource for Fake {
    fn is_timed(&self) -> bool {
        false
    }

    fn calibrate(&mut self) -> Calibration {
        let ticks = CHAIN_CYCLES as f64 / self.script.cycles_per_tick;
        Calibration {
            chain_ticks: ticks.round() as u64 + OVERHEAD_TICKS,
            width_ticks: 1000,
        }
    }

    fn read(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Reading, Failure> {
        let Request {
            image,
            visits,
            element,
            iterations,
        } = request;
        let exit = stage.enter(ground, image, visits, element, iterations)?;
        let per_iteration = match image.checked_sub(stage.delayed().start) {
            Some(copy) => self.delayed(&stage.row.name, copy),
            None => self.cycles(&stage.row.name, image),
        };
        let cycles = per_iteration * (iterations * u64::from(stage.row.copies())) as f64;
        let ticks = (cycles / self.script.cycles_per_tick).round() as u64 + OVERHEAD_TICKS;
        let iterations = (iterations * u64::from(stage.row.copies())) as f64;
        Ok(Reading {
            exit: Some(exit),
            ticks: Some(ticks),
            events: self.events(&stage.row.name, image, iterations),
            ..Reading::default()
        })
    }
}

/// A reading as the group's own code judges it: one more snapshot than the one before.
fn counted(value: &FakeReading, iterations: f64) -> Result<Events, Refused> {
    const ENABLED_NS: u64 = 1000;
    let counts = Event::ALL.map(|event| value.of(event).unwrap_or(0.0) * iterations);
    let enabled_ns = value.time_enabled.unwrap_or(ENABLED_NS);
    let mut all = Counts::default();
    for (count, own) in all.iter_mut().zip(counts) {
        *count = own.round() as u64 + OVERHEAD_EVENTS;
    }
    let now = Snapshot {
        counts: all,
        times: Times::Call {
            enabled_ns,
            running_ns: value.time_running.unwrap_or(enabled_ns),
        },
    };
    let before = Snapshot {
        counts: Counts::default(),
        times: Times::Call {
            enabled_ns: 0,
            running_ns: 0,
        },
    };
    let counts = now.since(&before)?;
    Ok(Events::of(|event| {
        value.of(event).map(|_| counts[event as usize])
    }))
}
