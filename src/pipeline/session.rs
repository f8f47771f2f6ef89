//! The batches of a run, one after the other: what each row came to, and what holds for all of them.
//!
//! Correct means: each task is one row, or named as unfinished, in the order of the tasks.

use std::io;
use std::os::fd::BorrowedFd;
use std::vec::IntoIter;

use super::overlay::Parts;
use super::{Settings, Task, again, rows};
use crate::asm::MAX_DATA;
use crate::job::{Counters, Heads, JobRow, Plan, check};
use crate::machine::{CoreClock, Machine};
use crate::report::samples::Samples;
use crate::report::{LoopHeads, Provenance, Report, Row, Status};
use crate::scenario::Scenario;
use crate::stats::{self, Timing};
use crate::sys::interrupt;
use crate::template::parse::lower_sha256;
use crate::verdict;
use crate::worker::parent::{self, Beside, Meanwhile, Progress, RowOutcome, signal_name};
use crate::worker::standby::Ahead;

/// How many of the first tasks one worker gets, by the bytes of their data sections: it has all of them
/// in memory together, in one window of addresses.
fn fitting(bytes: impl Iterator<Item = u64>) -> usize {
    let mut all = 0u64;
    let fits = |bytes: &u64| {
        all = all.saturating_add(*bytes);
        all <= MAX_DATA
    };
    bytes.take_while(fits).count()
}

/// Names in a sentence: of very many the first, and how many there are.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 20;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// Iterations of a run's first row that a breakpoint counts, which takes a millisecond or two.
const HEADS: u64 = 64;

fn held(heads: &Heads) -> LoopHeads {
    let counted = heads.counted.as_ref();
    LoopHeads {
        iterations: heads.iterations,
        counted: counted.ok().copied(),
        why: counted.err().map(|why| why.reason.clone()),
    }
}

/// What makes a row what it is: the same code, data and walk are the same row, whatever measures it.
fn identity(row: &JobRow) -> String {
    match serde_json::to_string(row) {
        Ok(text) => text,
        Err(error) => unreachable!("rows have text keys and plain fields only: {error}"),
    }
}

/// Bytes of its data sections.
fn own_data(task: &Task) -> u64 {
    let prepared = task.prepared.as_ref();
    prepared.map_or(0, |prepared| check::data_bytes(&prepared.row))
}

/// A report with what its values are made of.
pub(super) struct Measured {
    pub(super) report: Report,
    /// One for each row of the report; `None` where it was not timed.
    pub(super) timings: Vec<Option<Timing>>,
}

/// Runs tasks in one worker, or in as many as it takes.
pub(super) fn measured(
    tasks: Vec<Task>,
    settings: &Settings,
    progress: Progress<'_>,
) -> io::Result<Measured> {
    measured_beside(tasks, settings, progress, &mut || false)
}

/// The same, with something that this process does or heeds meanwhile.
pub(super) fn measured_beside(
    tasks: Vec<Task>,
    settings: &Settings,
    progress: Progress<'_>,
    meanwhile: Meanwhile<'_>,
) -> io::Result<Measured> {
    let mut session = Session::new(settings);
    session.measure(tasks, progress, meanwhile)?;
    Ok(session.report())
}

/// What the batches of a run have yielded so far.
pub(super) struct Session<'a> {
    settings: &'a Settings,
    machine: Machine,
    clock: CoreClock,
    rows: Vec<Row>,
    timings: Vec<Option<Timing>>,
    unfinished: Vec<String>,
    /// The CPU of the first worker; the others go there too.
    cpu: Option<u32>,
    has_begun: bool,
    unfiltered: Option<String>,
    /// What a breakpoint counted of the loop of the first row that was proved.
    heads: Option<LoopHeads>,
    /// The signal that ended the run.
    interrupted: Option<i32>,
    /// What tells these rows from others, where that is asked.
    job: Option<String>,
    /// What of the overlay rows were made of.
    parts: Parts,
    /// The last batch, as far as it is not judged.
    unjudged: Option<Unjudged>,
}

/// What a batch came to, before anybody has said what that means.
struct Unjudged {
    plan: Plan,
    tasks: IntoIter<Task>,
    /// Of the tasks that could run.
    outcomes: IntoIter<RowOutcome>,
    is_cut_off: bool,
}

/// What there is to do while rows are proved: those of the batch before are judged, and then come those of the next.
struct Between<'s, 'a, 'n> {
    session: &'s mut Session<'a>,
    next: Meanwhile<'n>,
}

impl Beside for Between<'_, '_, '_> {
    fn work(&mut self) -> bool {
        self.session.judge_one() || self.next.work()
    }

    fn worker(&mut self) -> Option<Ahead> {
        self.next.worker()
    }

    fn hush(&mut self) {
        self.next.hush();
    }

    fn streams(&self) -> Vec<BorrowedFd<'_>> {
        self.next.streams()
    }

    fn is_over(&mut self) -> bool {
        self.next.is_over()
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(settings: &'a Settings) -> Session<'a> {
        Session {
            settings,
            machine: Machine::inspect(&settings.plan, &settings.events),
            clock: CoreClock::default(),
            rows: Vec::new(),
            timings: Vec::new(),
            unfinished: Vec::new(),
            cpu: settings.cpu,
            has_begun: false,
            unfiltered: None,
            heads: None,
            interrupted: None,
            job: settings.listing.then(|| settings.plan.seed.to_string()),
            parts: Parts::default(),
            unjudged: None,
        }
    }

    /// Measures tasks, as many in one worker as have room there; those that take turns all in one.
    pub(super) fn measure(
        &mut self,
        tasks: Vec<Task>,
        progress: Progress<'_>,
        meanwhile: Meanwhile<'_>,
    ) -> io::Result<()> {
        let mut rest = tasks;
        loop {
            let count = match self.settings.plan.together {
                true => rest.len(),
                false => fitting(rest.iter().map(own_data)).max(1).min(rest.len()),
            };
            let behind = rest.split_off(count);
            self.measure_batch(rest, progress, meanwhile)?;
            rest = behind;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Names scenarios as unfinished, because a signal ends the run before their turn.
    pub(super) fn leave_out(&mut self, scenarios: &[Scenario]) {
        self.judge();
        self.interrupted = self.interrupted.or_else(interrupt::seen);
        let names = scenarios.iter().map(|scenario| scenario.name.clone());
        self.unfinished.extend(names);
    }

    /// How the rows that come next are measured.
    fn plan(&self) -> Plan {
        let plan = &self.settings.plan;
        Plan {
            cpu: plan.cpu.or(self.cpu),
            heads: self.heads_wanted(),
            executions: self.settings.listing,
            ..plan.clone()
        }
    }

    /// The same of those behind them, as far as it will be no other one; the first ones find out a CPU, and have their loop
    /// held.
    pub(super) fn next_plan(&self) -> Option<Plan> {
        Some(self.plan()).filter(|plan| plan.cpu.is_some() && plan.heads == 0)
    }

    fn measure_batch(
        &mut self,
        tasks: Vec<Task>,
        progress: Progress<'_>,
        meanwhile: Meanwhile<'_>,
    ) -> io::Result<()> {
        // An expansion that a signal has cut short says nothing of its template.
        self.interrupted = self.interrupted.or_else(interrupt::seen);
        if self.interrupted.is_some() {
            self.judge();
            let names = tasks.into_iter().map(|task| task.scenario.name);
            self.unfinished.extend(names);
            return Ok(());
        }
        let settings = self.settings;
        if let Some(overlay) = &settings.overlay {
            let scenarios = tasks.iter().map(|task| &task.scenario);
            scenarios.for_each(|scenario| self.parts.see(scenario, overlay));
        }
        let count = settings.plan.placements.len();
        let tasks: Vec<Task> = tasks.into_iter().map(|task| task.within(count)).collect();
        let plan = self.plan();
        let rows: Vec<&JobRow> = rows(&tasks).collect();
        if let Some(job) = &mut self.job {
            for row in &rows {
                *job = lower_sha256([&**job, &identity(row)]);
            }
        }
        let mut between = Between {
            session: self,
            next: meanwhile,
        };
        let timeout = settings.timeout;
        let mut outcome = parent::run_beside(&plan, &rows, timeout, progress, &mut between)?;
        self.judge();
        let timings = outcome.rows.iter_mut().flat_map(|row| &mut row.timing);
        timings.for_each(|timing| stats::distrust(timing, plan.or_clock));
        again::by_clock(&mut outcome, &plan, &rows, settings.timeout, progress)?;
        self.has_begun |= outcome.has_begun;
        self.machine.has_run(&outcome);
        self.cpu = self.cpu.or(outcome.cpu);
        self.interrupted = outcome.interrupted;
        let is_cut_off = outcome.interrupted.is_some() || outcome.is_given_up;
        self.unfiltered = self.unfiltered.take().or(outcome.unfiltered);
        let proofs = outcome.rows.iter().flat_map(|row| &row.proof);
        let heads = proofs.flat_map(|proof| &proof.heads).next();
        self.heads = self.heads.take().or_else(|| heads.map(held));

        self.unjudged = Some(Unjudged {
            plan,
            tasks: tasks.into_iter(),
            outcomes: outcome.rows.into_iter(),
            is_cut_off,
        });
        Ok(())
    }

    /// Judges what is left of the last batch.
    fn judge(&mut self) {
        while self.judge_one() {}
    }

    /// Judges one row of the last batch, if any is left.
    fn judge_one(&mut self) -> bool {
        let Some(Unjudged {
            plan,
            tasks,
            outcomes,
            is_cut_off,
        }) = &mut self.unjudged
        else {
            return false;
        };
        let Some(task) = tasks.next() else {
            self.unjudged = None;
            return false;
        };
        let scenario = &task.scenario;
        let (mut timing, mut sampled) = (None, None);
        let mut row = match task.prepared {
            Err(diagnostics) => verdict::unmeasured(scenario, Status::Error(diagnostics)),
            Ok(prepared) => {
                let outcome = outcomes.next().unwrap_or_default();
                if *is_cut_off && outcome.is_open(plan) {
                    self.unfinished.push(scenario.name.clone());
                    return true;
                }
                sampled = outcome
                    .timing
                    .as_ref()
                    .filter(|_| self.settings.samples)
                    .map(Samples::of);
                timing = outcome.timing.clone();
                let (machine, clock) = (&self.machine, &mut self.clock);
                verdict::judge(scenario, &prepared, outcome, plan, machine, clock)
            }
        };
        row.samples = sampled;
        row.warnings.extend(task.warning);
        if !row.verified && row.metrics.is_some() {
            let unchecked = match scenario.template.header.expect.is_empty() {
                true => {
                    "no result is stated, so nothing was compared; add `result` and `expect` to the header"
                }
                false => {
                    "nothing was compared: with a nil receiver there is no result to expect; leave `receiver` out"
                }
            };
            row.warnings
                .push(task.unchecked.unwrap_or_else(|| unchecked.into()));
        }
        self.rows.push(row);
        self.timings.push(timing);
        true
    }

    /// Iterations that a breakpoint is to count: once a run, and of one that is timed. What has no time for a
    /// run without interruption and for inferring has none for this.
    fn heads_wanted(&self) -> u64 {
        let plan = &self.settings.plan;
        let is_at_once = plan.run_ms == 0.0 && plan.infer_ms == 0.0;
        match plan.counters {
            Counters::Clock | Counters::Pmu if self.heads.is_none() && !is_at_once => HEADS,
            _ => 0,
        }
    }

    pub(super) fn report(mut self) -> Measured {
        self.judge();
        let (settings, mut rows) = (self.settings, self.rows);
        let reference = settings
            .reference
            .clone()
            .filter(|name| rows.iter().any(|row| &row.scenario == name));
        verdict::relate(&mut rows, reference.as_deref());
        verdict::hold(&mut rows, &settings.said);
        let cpu = self.cpu.or((!self.has_begun).then_some(0));
        let mut warnings = self.machine.warnings(cpu);
        warnings.extend(settings.disturbance.clone());
        warnings.extend(self.heads.as_ref().and_then(LoopHeads::warning));
        if matches!(settings.plan.counters, Counters::Fake(_)) {
            warnings.push(
                "scripted: no time and no count of hardware in this report was measured".into(),
            );
        }
        warnings.extend(self.unfiltered.map(|reason| {
            format!(
                "system calls of templates are not stopped here ({reason}); run only templates that \
                 you would run as programs"
            )
        }));
        if let Some(signal) = self.interrupted {
            let what = match &self.unfinished[..] {
                [] => "the rows have had fewer turns than were planned; run them again for narrower intervals"
                    .into(),
                left => format!("without a number are {}; run these again", some_of(left)),
            };
            warnings.push(format!("interrupted by {}: {what}", signal_name(signal)));
        }
        let seed = settings.plan.seed;
        let provenance = Provenance {
            breakpoint: self.heads,
            job_sha256: self.job.filter(|_| self.has_begun),
            ..self.machine.provenance(self.cpu, &self.clock, seed)
        };
        let report = Report {
            provenance,
            rows,
            comparisons: Vec::new(),
            changes: Vec::new(),
            sweep: None,
            ablation: None,
            compiled: None,
            overlay: settings
                .overlay
                .as_ref()
                .map(|overlay| self.parts.told(overlay)),
            by_section: false,
            reference,
            warnings,
            interrupted: self.interrupted,
        };
        Measured {
            report,
            timings: self.timings,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_very_many_names_the_first_are_named() {
        let names = |count: usize| -> Vec<String> { (0..count).map(|at| at.to_string()).collect() };
        assert_eq!(super::some_of(&names(2)), "0, 1");
        assert!(super::some_of(&names(20)).ends_with(", 19"));
        assert!(super::some_of(&names(21)).ends_with(", 19 and 1 more"));
    }

    #[test]
    fn a_worker_gets_rows_up_to_a_gibibyte_of_data() {
        const MIB: u64 = 1 << 20;
        let fitting = |mib: &[u64]| super::fitting(mib.iter().map(|mib| mib * MIB));
        assert_eq!(fitting(&[]), 0);
        assert_eq!(fitting(&[0; 100]), 100);
        assert_eq!(fitting(&[512, 512, 0, 1]), 3);
        assert_eq!(fitting(&[1, 1024]), 1);
        assert_eq!(fitting(&[1024, 1024]), 1);
        assert_eq!(super::fitting([u64::MAX; 2].into_iter()), 0);
    }
}
