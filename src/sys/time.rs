//! The time stamp counter and the clock it is measured against.
//!
//! Correct means: a reading is not reordered with what stands around it.

use std::arch::x86_64::{_mm_lfence, _rdtsc};

use nix::time::{ClockId, clock_gettime};

/// Time stamp in ticks, fenced on both sides.
pub fn ticks() -> u64 {
    // SAFETY: lfence needs SSE2 and rdtsc is part of the architecture; every x86-64 CPU has both,
    // and neither touches memory.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

/// Nanoseconds of the raw monotonic clock, which no time daemon slews.
pub fn nanoseconds() -> u64 {
    match clock_gettime(ClockId::CLOCK_MONOTONIC_RAW) {
        Ok(time) => time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64,
        Err(error) => unreachable!("CLOCK_MONOTONIC_RAW exists since Linux 2.6.28: {error}"),
    }
}

/// Nanoseconds that this thread has had of a processor so far.
pub fn processor_nanoseconds() -> u64 {
    match clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID) {
        Ok(time) => time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64,
        Err(error) => unreachable!("CLOCK_THREAD_CPUTIME_ID exists since Linux 2.6.12: {error}"),
    }
}

/// Two clocks are read one after the other, which takes less than this, and no sleep of a machine does.
const NO_SLEEP_NS: u64 = 100_000_000;

/// Nanoseconds that the machine has slept since it was started: the one clock counts them, the other does not.
fn slept_nanoseconds() -> u64 {
    let read = |clock| {
        clock_gettime(clock).map_or(0, |time| {
            time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
        })
    };
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(read(ClockId::CLOCK_MONOTONIC))
}

/// A moment by both clocks.
///
/// The pair with the least time around its stamp is used, so that an interruption between the two
/// reads does not count.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    stamp: u64,
    clock: u64,
    /// Nanoseconds that the machine had slept by then.
    slept: u64,
}

impl Moment {
    /// This moment.
    pub fn now() -> Moment {
        let read = |_| {
            let before = ticks();
            let clock = nanoseconds();
            let after = ticks();
            (after - before, before + (after - before) / 2, clock)
        };
        let slept = slept_nanoseconds();
        let best = (0..16).map(read).min();
        let (_, stamp, clock) = best.unwrap_or_default();
        Moment {
            stamp,
            clock,
            slept,
        }
    }

    /// TSC ticks a second, against the raw clock since this moment; waits until `window_ns` have
    /// passed.
    pub fn ticks_per_second(self, window_ns: u64) -> f64 {
        if slept_nanoseconds().abs_diff(self.slept) > NO_SLEEP_NS {
            // The stamps went on or began anew while the clock stood still.
            return Moment::now().ticks_per_second(window_ns);
        }
        while nanoseconds() - self.clock < window_ns {
            std::hint::spin_loop();
        }
        let last = Moment::now();
        (last.stamp - self.stamp) as f64 / (last.clock - self.clock) as f64 * 1e9
    }
}
