//! The machine as a report must describe it: CPU, kernel, hypervisor, counters.
//!
//! Correct means: nothing is guessed; what the system does not say is absent.

use std::fs;

use raw_cpuid::{CpuId, CpuIdReaderNative};

use crate::counter::{Unavailable, pmu};
use crate::job::{Counters, Plan};
use crate::report::{Basis, Provenance, SourceLine};
use crate::verdict::CoreClock;

/// What was found out about this machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// CPU brand.
    pub cpu: String,
    /// CPUID family.
    pub family: u32,
    /// CPUID model.
    pub model: u32,
    /// Microcode revision.
    pub microcode: Option<String>,
    /// Kernel release.
    pub kernel: String,
    /// Hypervisor.
    pub hypervisor: Option<String>,
    /// Whether the TSC runs at one rate in all power states.
    pub has_invariant_tsc: bool,
    /// The hardware events, each with the reason where it cannot be counted.
    pub events: Vec<(&'static str, Result<(), Unavailable>)>,
    is_timed: bool,
    is_fake: bool,
    date: String,
}

impl Machine {
    /// Asks CPUID, the kernel and perf.
    pub fn inspect(plan: &Plan) -> Machine {
        let cpuid = CpuId::with_cpuid_reader(CpuIdReaderNative);
        let feature = cpuid.get_feature_info();
        let brand = cpuid.get_processor_brand_string();
        let is_fake = matches!(plan.counters, Counters::Fake(_));
        let now = std::time::SystemTime::now();
        Machine {
            cpu: brand.map_or_else(
                || "unknown".into(),
                |brand| brand.as_str().trim().to_string(),
            ),
            family: feature
                .as_ref()
                .map_or(0, |feature| u32::from(feature.family_id())),
            model: feature
                .as_ref()
                .map_or(0, |feature| u32::from(feature.model_id())),
            microcode: microcode(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_string(),
            hypervisor: cpuid
                .get_hypervisor_info()
                .map(|found| format!("{:?}", found.identify())),
            has_invariant_tsc: cpuid
                .get_advanced_power_mgmt_info()
                .is_some_and(|power| power.has_invariant_tsc()),
            events: pmu::probe(),
            is_timed: plan.counters != Counters::None,
            is_fake,
            date: humantime::format_rfc3339_seconds(now).to_string(),
        }
    }

    /// Why there are no hardware counters; `None` where all open.
    pub fn without_pmu(&self) -> Option<&Unavailable> {
        self.events
            .iter()
            .find_map(|(_, opened)| opened.as_ref().err())
    }

    fn why_not_pmu(&self) -> String {
        match self.without_pmu() {
            Some(unavailable) => unavailable.reason.clone(),
            None => "a PMU is there, but this version does not read it".into(),
        }
    }

    /// Where each column's numbers come from.
    pub fn sources(&self) -> Vec<SourceLine> {
        let line = |event: &str, source: &str, basis: Basis, why: String| SourceLine {
            event: event.into(),
            source: source.into(),
            basis,
            why,
        };
        let why = self.why_not_pmu();
        let (clock, basis) = match (self.is_timed, self.is_fake) {
            (false, _) => ("none", Basis::Unsupported),
            (true, true) => ("fake", Basis::Measured),
            (true, false) => ("clock", Basis::Measured),
        };
        let untimed = "not timed: --counters none";
        let timed = |text: String| if self.is_timed { text } else { untimed.into() };
        vec![
            line(
                "ns",
                clock,
                basis,
                timed("TSC against the raw monotonic clock".into()),
            ),
            line("cycles", clock, basis, timed(why.clone())),
            line("instructions", "step", Basis::Exact, why.clone()),
            line("branches", "step", Basis::Exact, why.clone()),
            line("branch_misses", "none", Basis::Unsupported, why),
        ]
    }

    /// The line of one column.
    pub fn source(&self, event: &str) -> SourceLine {
        let mut sources = self.sources();
        let at = sources
            .iter()
            .position(|line| line.event == event)
            .unwrap_or(0);
        sources.swap_remove(at)
    }

    /// The provenance of a run.
    pub fn provenance(&self, pinned_cpu: Option<u32>, clock: &CoreClock, seed: u64) -> Provenance {
        Provenance {
            tool: format!("dispatchlab {}", env!("CARGO_PKG_VERSION")),
            cpu: self.cpu.clone(),
            family: self.family,
            model: self.model,
            microcode: self.microcode.clone(),
            kernel: self.kernel.clone(),
            hypervisor: self.hypervisor.clone(),
            pinned_cpu,
            tsc_hz: clock.tsc_hz,
            core_hz: clock.core_hz(),
            core_hz_spread: clock.spread(),
            seed,
            date: self.date.clone(),
            sources: self.sources(),
        }
    }

    /// What must be said before any number.
    pub fn warnings(&self, pinned_cpu: Option<u32>) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.has_invariant_tsc {
            warnings.push(
                "the TSC is not invariant here: ns may be wrong where the clock changed; cycles are calibrated beside each chunk and stand"
                    .to_string(),
            );
        }
        if pinned_cpu.is_none() {
            warnings.push("the worker was not pinned to a CPU: pass --cpu N with a CPU that this process may use".into());
        }
        warnings
    }
}

fn microcode() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("microcode"))?;
    let revision = line.split(':').nth(1)?.trim();
    (!revision.is_empty()).then(|| revision.to_string())
}
