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

/// TSC ticks a second, against the raw clock over `window_ns`.
///
/// The pair with the least time around its stamp is used at each end, so that an interruption
/// between the two reads does not count.
pub fn ticks_per_second(window_ns: u64) -> f64 {
    let pair = || {
        let read = |_| {
            let before = ticks();
            let clock = nanoseconds();
            let after = ticks();
            (after - before, before + (after - before) / 2, clock)
        };
        (0..16)
            .map(read)
            .min()
            .map_or((0, 0), |(_, stamp, clock)| (stamp, clock))
    };
    let (first_stamp, first_clock) = pair();
    while nanoseconds() - first_clock < window_ns {
        std::hint::spin_loop();
    }
    let (last_stamp, last_clock) = pair();
    (last_stamp - first_stamp) as f64 / (last_clock - first_clock) as f64 * 1e9
}
