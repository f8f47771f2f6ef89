//! The machine as a report must describe it: CPU, kernel, hypervisor, counters.
//!
//! Correct means: nothing is guessed; what the system does not say is absent.

use std::fs;

use raw_cpuid::{CpuId, CpuIdReaderNative};

use crate::job::catalogue::CountedIn;
use crate::job::{
    Counters, EventState, FurtherState, Plan, PmuUse, Unavailable, catalogue, counts,
};
use crate::report::{Basis, Provenance, SourceLine};
use crate::stats::Event;
use crate::worker::parent::Outcome;

pub mod cpus;

use cpus::Watch;

/// The clock as the rows of a run saw it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CoreClock {
    /// TSC frequency.
    pub tsc_hz: Option<f64>,
    core_hz: Vec<f64>,
}

impl CoreClock {
    /// What another row saw.
    pub(crate) fn see(&mut self, tsc_hz: f64, core_hz: f64) {
        self.tsc_hz = Some(tsc_hz);
        self.core_hz.extend(core_hz.is_finite().then_some(core_hz));
    }

    /// The median over the rows.
    pub fn core_hz(&self) -> Option<f64> {
        let mut sorted = self.core_hz.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// (max − min) / median over the rows.
    pub fn spread(&self) -> Option<f64> {
        let most = self.core_hz.iter().copied().reduce(f64::max)?;
        let least = self.core_hz.iter().copied().reduce(f64::min)?;
        Some((most - least) / self.core_hz()?)
    }
}

/// What was found out about this machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What holds of any run here.
    known: Provenance,
    /// Whether the TSC runs at one rate in all power states.
    pub has_invariant_tsc: bool,
    /// The hardware events, each with the reason where it cannot be counted.
    pub events: Vec<EventState>,
    /// How the run measures, as far as it is known.
    plan: Plan,
    /// How the hardware counters are read, once it is known.
    usage: Option<PmuUse>,
    /// The events beside those of the columns, each with the reason where it cannot be counted.
    pub further: Vec<FurtherState>,
    watch: Watch,
    idle_cpu: Option<u32>,
}

impl Machine {
    /// Asks CPUID and the kernel; what the counters are good for was found out before.
    pub fn inspect(plan: &Plan, events: &[EventState]) -> Machine {
        let cpuid = CpuId::with_cpuid_reader(CpuIdReaderNative);
        let feature = cpuid.get_feature_info();
        let brand = cpuid.get_processor_brand_string();
        let now = std::time::SystemTime::now();
        let known = Provenance {
            tool: format!("dispatchlab {}", env!("CARGO_PKG_VERSION")),
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
            // Asked of the kernel itself: /proc may not be mounted.
            kernel: nix::sys::utsname::uname().map_or_else(
                |_| "unknown".to_string(),
                |name| name.release().to_string_lossy().into_owned(),
            ),
            hypervisor: cpuid
                .get_hypervisor_info()
                .map(|found| format!("{:?}", found.identify())),
            date: humantime::format_rfc3339_seconds(now).to_string(),
            ..Provenance::default()
        };
        Machine {
            known,
            has_invariant_tsc: cpuid
                .get_advanced_power_mgmt_info()
                .is_some_and(|power| power.has_invariant_tsc()),
            events: events.to_vec(),
            plan: plan.checked(events),
            usage: None,
            further: Vec::new(),
            watch: Watch::begin(),
            idle_cpu: None,
        }
    }

    /// What holds of any run here.
    pub fn known(&self) -> &Provenance {
        &self.known
    }

    /// Notes that the run is over, where it was and how it counted.
    pub fn has_run(&mut self, outcome: &Outcome) {
        self.idle_cpu = self.watch.idle_cpu(outcome.cpu);
        // What the worker that measured found out itself is what holds.
        if !outcome.counters.is_empty() {
            self.events.clone_from(&outcome.counters);
            self.plan = self.plan.checked(&outcome.counters);
        }
        self.usage.clone_from(&outcome.usage);
        self.further.clone_from(&outcome.further);
    }

    /// The machine where its hardware counters are not believed, for this reason. Nothing is counted of it, and branch
    /// misses are inferred where that was tried.
    pub fn distrusting(&self, reason: String, infers: bool) -> Machine {
        let state = || {
            Err(Unavailable {
                reason: reason.clone(),
                remedy: "run it again, or take --counters clock".into(),
            })
        };
        let is_of_cpu =
            |name: &str| catalogue::find(name).is_ok_and(|event| event.by == CountedIn::Hardware);
        let further = self.further.iter().map(|(name, known)| {
            let known = if is_of_cpu(name) {
                state().and(known.clone())
            } else {
                known.clone()
            };
            (name.clone(), known)
        });
        Machine {
            further: further.collect(),
            events: Event::ALL.map(|event| (event, state())).to_vec(),
            plan: Plan {
                counters: Counters::Clock,
                infer_ms: if infers { self.plan.infer_ms } else { 0.0 },
                ..self.plan.clone()
            },
            usage: None,
            ..self.clone()
        }
    }

    /// A CPU on another core that was idle during the run.
    pub fn idle_cpu(&self) -> Option<u32> {
        self.idle_cpu
    }

    /// Whether the run's hardware counters, real or scripted, count an event.
    fn counts(&self, event: Event) -> bool {
        let asks = match &self.plan.counters {
            Counters::Pmu => true,
            Counters::Fake(script) => !script.events.is_empty(),
            Counters::Clock | Counters::None => false,
        };
        asks && counts(&self.events, event)
    }

    /// Whether a column can have an event, as far as it was asked. One that passed its check by itself is used beside
    /// cycles only.
    pub fn state(&self, event: Event) -> Result<(), Unavailable> {
        let known = |event: Event| {
            let mut states = self.events.iter();
            states.find(|(other, _)| *other == event)
        };
        known(event).map_or(Ok(()), |(_, state)| state.clone())?;
        match known(Event::Cycles) {
            Some((_, Err(_))) => Err(Unavailable {
                reason: "columns take it only beside cycles of the CPU, which are refused here"
                    .into(),
                remedy: "see why above; -e counts it without cycles".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Why an event does not come from the hardware.
    fn why_not(&self, event: Event) -> String {
        self.state(event).err().map_or_else(
            || "hardware counters were not asked: --counters pmu does".into(),
            |unavailable| unavailable.reason,
        )
    }

    /// Where each column's numbers come from.
    pub fn sources(&self) -> Vec<SourceLine> {
        let line = |event: &str, source: &str, basis: Basis, why: String| SourceLine {
            event: event.into(),
            source: source.into(),
            basis,
            why,
        };
        let is_fake = matches!(self.plan.counters, Counters::Fake(_));
        let named = |source: &'static str| if is_fake { "fake" } else { source };
        let mut lines = if self.plan.counters == Counters::None {
            let why = "not timed: --counters none";
            vec![
                line("ns", "none", Basis::Unsupported, why.into()),
                line("cycles", "none", Basis::Unsupported, why.into()),
            ]
        } else {
            let clock = "TSC against the raw monotonic clock".into();
            vec![line("ns", named("clock"), Basis::Measured, clock)]
        };
        for event in Event::ALL {
            let counted = match event {
                Event::Cycles => "core cycles in user mode",
                Event::Instructions | Event::Branches => {
                    "retired in user mode, less the harness's own"
                }
                Event::BranchMisses => {
                    "retired in user mode, the harness's own included, less the end of its loop"
                }
            };
            let (source, basis, why) = match event {
                Event::Cycles if self.plan.counters == Counters::None => continue,
                _ if self.counts(event) => {
                    let usage = self.usage.as_ref();
                    let apart = usage.is_some_and(|usage| usage.apart.contains(&event));
                    let turns = if apart { "; in turns of its own" } else { "" };
                    let way = usage.map_or_else(String::new, |usage| format!("; {}", usage.told()));
                    (
                        named("pmu"),
                        Basis::Measured,
                        format!("{counted}{turns}{way}"),
                    )
                }
                Event::Cycles => (named("clock"), Basis::Measured, self.why_not(event)),
                Event::Instructions | Event::Branches => {
                    ("step", Basis::Exact, self.why_not(event))
                }
                Event::BranchMisses if self.plan.infers() => {
                    ("injection", Basis::Inferred, self.why_not(event))
                }
                Event::BranchMisses => {
                    let mut why = self.why_not(event);
                    if let Some(uninferred) = &self.plan.uninferred {
                        why += "; they are not inferred: ";
                        why += uninferred;
                    } else if self.plan.counters == Counters::Clock && self.plan.infer_ms == 0.0 {
                        why += "; a pass that has no time for it infers none";
                    }
                    ("none", Basis::Unsupported, why)
                }
            };
            lines.push(line(event.name(), source, basis, why));
        }
        for (name, state) in &self.further {
            let by = catalogue::find(name).map(|event| event.by);
            lines.push(match (state, by) {
                (Err(unavailable), _) => {
                    let why = unavailable.reason.clone();
                    line(name, "none", Basis::Unsupported, why)
                }
                (Ok(way), by) => {
                    let source = match by {
                        Ok(CountedIn::Kernel) => "kernel",
                        _ => "pmu",
                    };
                    let alone = matches!(by, Ok(CountedIn::Hardware))
                        && self
                            .events
                            .iter()
                            .any(|(event, state)| *event == Event::Cycles && state.is_err());
                    // Its cycles were what the CPU's counters are held by, and other events passed instead.
                    let alone = if alone {
                        "; cycles of the CPU are refused"
                    } else {
                        ""
                    };
                    let why =
                        format!("in turns of its own, the harness's own included; {way}{alone}");
                    line(name, named(source), Basis::Measured, why)
                }
            });
        }
        lines
    }

    /// The line of one column.
    pub fn source(&self, event: &str) -> SourceLine {
        let known = self.sources().into_iter().find(|line| line.event == event);
        known.unwrap_or_else(|| SourceLine {
            event: event.into(),
            source: "none".into(),
            basis: Basis::Unsupported,
            why: "nothing here counts it".into(),
        })
    }

    /// The provenance of a run.
    pub fn provenance(&self, pinned_cpu: Option<u32>, clock: &CoreClock, seed: u64) -> Provenance {
        Provenance {
            pinned_cpu,
            tsc_hz: clock.tsc_hz,
            core_hz: clock.core_hz(),
            core_hz_spread: clock.spread(),
            seed,
            sources: self.sources(),
            ..self.known.clone()
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
