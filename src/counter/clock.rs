//! Core cycles from the time stamp counter and a chain of known length.
//!
//! Correct means: the chain runs right beside the chunk it calibrates, so that the ratio of their
//! ticks is a number of core cycles whatever the clock does.

use std::io;

use super::{CounterSource, Reading};
use crate::job::Failure;
use crate::link::kernel;
use crate::stage::{Ground, Request, Stage};
use crate::stats::Calibration;
use crate::sys::mapping::{Executable, PAGE, Window};
use crate::sys::time;

/// Turns of the chain: 32,000 cycles, 10 µs. The TSC of some CPUs moves in steps of 37 cycles, so
/// that a shorter chain reads coarser than 0.1 %.
const CHAIN_TURNS: u64 = 640;
/// Turns of the width kernel: about a microsecond.
const WIDTH_TURNS: u64 = 80;

/// TSC × calibration chain.
#[derive(Debug)]
pub struct Clock {
    code: Executable,
    chain: u64,
    width: u64,
    steady: u64,
    coin: u64,
    jump: u64,
    ret: u64,
}

impl Clock {
    /// Emits the kernels.
    ///
    /// # Errors
    /// When there is no executable memory.
    pub fn new(window: &mut Window) -> io::Result<Clock> {
        let kernels = kernel::emit();
        let mut memory = window.take(2 * PAGE + kernels.code.len())?;
        let start = 2 * PAGE;
        memory.bytes()[start..start + kernels.code.len()].copy_from_slice(&kernels.code);
        let base = memory.address() + start as u64;
        let end = start + kernels.code.len().next_multiple_of(PAGE);
        let code = memory.seal(start..end)?;
        Ok(Clock {
            code,
            chain: base + u64::from(kernels.chain),
            width: base + u64::from(kernels.width),
            steady: base + u64::from(kernels.steady),
            coin: base + u64::from(kernels.coin),
            jump: base + u64::from(kernels.jump),
            ret: base + u64::from(kernels.ret),
        })
    }

    /// Cycles of the chain.
    pub fn chain_cycles(&self) -> u64 {
        CHAIN_TURNS * kernel::CHAIN_ADDS
    }

    /// Cycles of the width kernel where a core runs four adds a cycle, as all do since Haswell and Zen.
    pub fn width_cycles(&self) -> u64 {
        WIDTH_TURNS * kernel::WIDTH_ADDS / 4
    }

    /// Ticks between two time stamps with nothing between them: the median of many.
    pub fn overhead_ticks(&mut self) -> u64 {
        let mut readings: Vec<u64> = (0..1001).map(|_| self.code.enter(self.chain, 0)).collect();
        readings.sort_unstable();
        readings[readings.len() / 2]
    }

    /// Runs a chain whose branches are all predicted.
    pub fn go_steadily(&mut self, turns: u64) {
        self.code.enter(self.steady, turns);
    }

    /// Runs the branches that nothing predicts.
    pub fn toss(&mut self, turns: u64) {
        self.code.enter(self.coin, turns);
    }

    /// Runs the indirect jumps that nothing predicts.
    pub fn jump(&mut self, turns: u64) {
        self.code.enter(self.jump, turns);
    }

    /// Runs the returns of which one goes astray.
    pub fn go_astray(&mut self, turns: u64) {
        self.code.enter(self.ret, turns);
    }

    /// Runs the chain until the core has had time to reach its frequency.
    pub fn spin(&mut self, nanoseconds: u64) {
        let start = time::nanoseconds();
        while time::nanoseconds() - start < nanoseconds {
            self.code.enter(self.chain, CHAIN_TURNS);
        }
    }
}

impl CounterSource for Clock {
    fn calibrate(&mut self) -> Calibration {
        let width_ticks = self.code.enter(self.width, WIDTH_TURNS);
        let chain_ticks = self.code.enter(self.chain, CHAIN_TURNS);
        Calibration {
            chain_ticks,
            width_ticks,
        }
    }

    fn read(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Reading, Failure> {
        let entry = stage.enter_between(ground, request, || ())?;
        Ok(Reading {
            exit: Some(entry.exit),
            ticks: Some(entry.ticks),
            ..Reading::default()
        })
    }
}
