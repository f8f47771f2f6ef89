//! Scripted readings, so that everything behind them can be tested to the letter.
//!
//! Correct means: the code runs and is verified as ever; only the ticks are the script's.

use super::{CounterSource, Reading, Request};
use crate::job::{Failure, FakeScript};
use crate::report::Basis;
use crate::stats::Calibration;
use crate::worker::stage::{Ground, Stage};

/// Ticks that the fake says entering takes.
pub const OVERHEAD_TICKS: u64 = 50;
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
}

impl CounterSource for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn basis(&self) -> Basis {
        Basis::Measured
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
        let cycles =
            self.cycles(&stage.row.name, image) * (iterations * u64::from(stage.row.unroll)) as f64;
        let ticks = (cycles / self.script.cycles_per_tick).round() as u64 + OVERHEAD_TICKS;
        Ok(Reading {
            exit: Some(exit),
            ticks: Some(ticks),
            iterations: Vec::new(),
        })
    }
}
