//! The batches of a run, one after the other: what each row came to, and what holds for all of them.
//!
//! Correct means: each task is one row, or named as unfinished, in the order of the tasks.

use std::io;

use super::{Settings, Task};
use crate::job::{JobRow, Plan};
use crate::machine::Machine;
use crate::report::samples::Samples;
use crate::report::{Report, Row, Status};
use crate::stats::Timing;
use crate::verdict;
use crate::worker::parent::{self, Meanwhile, Progress};

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
    let mut session = Session::new(settings);
    session.measure(tasks, progress, &mut || false)?;
    Ok(session.report())
}

/// What the batches of a run have yielded so far.
pub(super) struct Session<'a> {
    settings: &'a Settings,
    machine: Machine,
    clock: verdict::CoreClock,
    rows: Vec<Row>,
    timings: Vec<Option<Timing>>,
    unfinished: Vec<String>,
    /// The CPU of the first worker; the others go there too.
    cpu: Option<u32>,
    has_run: bool,
    unfiltered: Option<String>,
    interrupted: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(settings: &'a Settings) -> Session<'a> {
        Session {
            settings,
            machine: Machine::inspect(&settings.plan, &settings.events),
            clock: verdict::CoreClock::default(),
            rows: Vec::new(),
            timings: Vec::new(),
            unfinished: Vec::new(),
            cpu: None,
            has_run: false,
            unfiltered: None,
            interrupted: false,
        }
    }

    pub(super) fn measure(
        &mut self,
        tasks: Vec<Task>,
        progress: Progress<'_>,
        meanwhile: Meanwhile<'_>,
    ) -> io::Result<()> {
        if self.interrupted {
            let names = tasks.into_iter().map(|task| task.scenario.name);
            self.unfinished.extend(names);
            return Ok(());
        }
        let settings = self.settings;
        let count = settings.plan.placements.len();
        let tasks: Vec<Task> = tasks.into_iter().map(|task| task.within(count)).collect();
        let prepared = tasks.iter().flat_map(|task| &task.prepared);
        let plan = Plan {
            cpu: settings.plan.cpu.or(self.cpu),
            ..settings.plan.clone()
        };
        let rows: Vec<&JobRow> = prepared.map(|prepared| &prepared.row).collect();
        self.has_run |= !rows.is_empty();
        let outcome = parent::run_beside(&plan, &rows, settings.timeout, progress, meanwhile)?;
        self.machine.has_run(&outcome);
        self.cpu = self.cpu.or(outcome.cpu);
        self.interrupted = outcome.interrupted;
        self.unfiltered = self.unfiltered.take().or(outcome.unfiltered);

        let mut outcomes = outcome.rows.into_iter();
        for task in tasks {
            let scenario = &task.scenario;
            let mut timing = None;
            let mut row = match task.prepared {
                Err(diagnostics) => verdict::unmeasured(scenario, Status::Error(diagnostics)),
                Ok(prepared) => {
                    let row_outcome = outcomes.next().unwrap_or_default();
                    if outcome.interrupted && row_outcome.is_open(&plan) {
                        self.unfinished.push(scenario.name.clone());
                        continue;
                    }
                    timing = row_outcome.timing.clone();
                    verdict::judge(
                        scenario,
                        &prepared,
                        row_outcome,
                        &plan,
                        &self.machine,
                        &mut self.clock,
                    )
                }
            };
            let sampled = timing.as_ref().filter(|_| settings.samples);
            row.samples = sampled.map(Samples::of);
            row.warnings.extend(task.warning);
            if !row.verified && row.metrics.is_some() {
                row.warnings.push(task.unchecked.unwrap_or_else(|| {
                    "no result is stated, so nothing was compared; add `result` and `expect` to the \
                     header"
                        .into()
                }));
            }
            self.rows.push(row);
            self.timings.push(timing);
        }
        Ok(())
    }

    pub(super) fn report(self) -> Measured {
        let (settings, mut rows) = (self.settings, self.rows);
        let reference = settings
            .reference
            .clone()
            .filter(|name| rows.iter().any(|row| &row.scenario == name));
        verdict::relate(&mut rows, reference.as_deref());
        verdict::hold(&mut rows);
        let cpu = self.cpu.or((!self.has_run).then_some(0));
        let mut warnings = self.machine.warnings(cpu);
        warnings.extend(self.unfiltered.map(|reason| {
            format!(
                "system calls of templates are not stopped here ({reason}); run only templates that \
                 you would run as programs"
            )
        }));
        if self.interrupted {
            warnings.push(format!(
                "interrupted: without a number are {}; run these again",
                self.unfinished.join(", ")
            ));
        }
        let seed = settings.plan.seed;
        let report = Report {
            provenance: self.machine.provenance(self.cpu, &self.clock, seed),
            rows,
            comparisons: Vec::new(),
            changes: Vec::new(),
            sweep: None,
            ablation: None,
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
