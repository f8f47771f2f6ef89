//! What the reader must know about a row that the machine disturbed.
//!
//! Correct means: a warning comes only where much was lost or a value rests on what was disturbed,
//! and each names the remedy for its own cause. The texts have no numbers, so that rows with the same
//! trouble share one; the numbers are in the report's `disturbances`.

use crate::machine::Machine;
use crate::stats::{Summary, Timing};

/// The share of a row's chunks whose loss is worth a word.
const MUCH: f64 = 0.25;
/// The share of the chunks at placement 0 above which the value is in doubt.
const MOST: f64 = 0.5;
/// The share of time whose theft is: the kernel counts it in 10 ms, so that less is one such unit.
const STOLEN: f64 = 0.05;

pub(super) fn warnings(summary: &Summary, timing: &Timing, machine: &Machine) -> Vec<String> {
    let found = &summary.disturbances;
    let elsewhere = match machine.idle_cpu() {
        Some(cpu) => format!("pass --cpu {cpu}, which was idle meanwhile"),
        None => "pass --cpu N of an idle core (none was idle meanwhile)".into(),
    };
    let is_much = |count: Option<u64>| count.unwrap_or(0) as f64 > MUCH * found.chunks as f64;
    let mut warnings = Vec::new();
    // Of what has no value something else says why.
    if summary.doubtful && !summary.cycles.value.is_nan() {
        warnings.push(format!(
            "all of its samples were disturbed, so its value may be off by an unknown amount: run it \
             again, or {elsewhere}"
        ));
        return warnings;
    }
    if summary.cycles.low.is_nan()
        && !summary.cycles.value.is_nan()
        && found.switched.unwrap_or(0) > 0
    {
        warnings.push(format!(
            "too few of its turns were left undisturbed for an interval, because something else ran on this CPU: its \
             value may be off by some percent; give it a longer --time, or {elsewhere}"
        ));
        return warnings;
    }
    if is_much(found.switched) {
        warnings.push(format!(
            "more than a quarter of the samples were dropped because something else ran on this CPU: \
             {elsewhere}, or keep others off it with taskset or isolcpus"
        ));
    }
    if is_much(found.interrupted) {
        warnings.push(format!(
            "more than a quarter of the samples were dropped beside interruptions: {elsewhere}, or keep \
             interrupts off it with isolcpus, nohz_full and /proc/irq/*/smp_affinity"
        ));
    }
    if is_much(found.shared_core) {
        warnings.push(format!(
            "more than a quarter of the samples were dropped because something else used this core: \
             {elsewhere}, turn SMT off, or ask for a host of one's own"
        ));
    }
    if summary.contended > MOST && warnings.is_empty() {
        warnings.push(format!(
            "most samples ran beside a disturbed calibration: something else uses this core; run again \
             on a quiet machine, or {elsewhere}"
        ));
    }
    if found.frequency_steps.unwrap_or(0) > 0 {
        warnings.push(
            "the core changed its frequency meanwhile; cycles are calibrated and stand, ns are a mixture: \
             set the governor to performance and turn turbo off"
                .into(),
        );
    }
    if timing
        .steal
        .is_some_and(|steal| steal.ms > STOLEN * steal.of_ms)
    {
        warnings.push(
            "the hypervisor gave this CPU to others for a part of the time: run it again, or ask for a \
             dedicated host"
                .into(),
        );
    }
    warnings
}
