//! The whole flow, from names to a Report: the table of contents in code.
//!
//! Correct means: every scenario asked for is one row of the report, in the order asked for,
//! whatever happened to it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::injection::Injection;
use crate::job::file::SavedJob;
use crate::job::{Ask, EventState, JobRow, Plan, check};
use crate::prepare::{Prepared, complete, prepare, to_run};
use crate::report::steps::Steps;
use crate::report::{Report, Status};
use crate::scenario::Scenario;
use crate::steps;
use crate::sys::interrupt;
use crate::template::Said;
use crate::text::diagnostic::Diagnostic;
use crate::verdict;
use crate::worker::parent::{self, Beside, Progress, RowOutcome, Told};
use crate::worker::standby::Ahead;

pub mod ablate;
pub mod advise;
mod again;
pub mod compare;
pub mod follow;
pub mod overlay;
pub mod points;
pub mod predict;
mod session;

use session::{Measured, Session, measured};

/// How to run a list of scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How to measure.
    pub plan: Plan,
    /// How long a worker may make no entry.
    pub timeout: Duration,
    /// The row that ratios refer to.
    pub reference: Option<String>,
    /// What suites say of rows, by the names of their scenarios.
    pub said: BTreeMap<String, Said>,
    /// Whether the report keeps the raw samples.
    pub samples: bool,
    /// Whether it has the code of its rows, with how often each instruction runs, and what tells them from other rows.
    pub listing: bool,
    /// The folder whose files stand over those of their names, for the report to say which took part.
    pub overlay: Option<PathBuf>,
    /// What the hardware counters are good for, as it was found out before.
    pub events: Vec<EventState>,
    /// What disturbs the run as a whole, as it is known before.
    pub disturbance: Option<String>,
    /// The CPU that this was found out on; none where it does not depend on one.
    pub cpu: Option<u32>,
}

/// A scenario, and what it was assembled to or why it was not.
#[derive(Debug, Clone)]
pub struct Task {
    /// What was asked for.
    pub scenario: Scenario,
    /// What runs.
    pub prepared: Result<Prepared, Vec<Diagnostic>>,
    /// What the reader must know beside what measuring it shows.
    pub warning: Option<String>,
    /// Why its results are not compared, where they could be.
    pub unchecked: Option<String>,
}

/// That types take turns of which the walk visits no object, where that is so.
fn left_out(scenario: &Scenario) -> Option<String> {
    let (objects, left) = (scenario.objects, scenario.left_out());
    (left > 0).then(|| {
        format!(
            "{left} of {} types have no object with `objects={objects}`, so that the loop never comes to them; \
             ask for more",
            u64::from(objects) + u64::from(left)
        )
    })
}

impl Task {
    /// Expands, assembles, lays out and links a scenario.
    pub fn new(scenario: &Scenario) -> Task {
        Task {
            scenario: scenario.clone(),
            prepared: to_run(scenario),
            warning: left_out(scenario),
            unchecked: None,
        }
    }

    /// The same, with a word before it: an expansion may take seconds.
    pub fn told(scenario: &Scenario, progress: Progress<'_>) -> Task {
        progress(Told::Step(&format!("preparing {}", scenario.name)));
        Task::new(scenario)
    }

    /// The task, refused where a worker has no room for its images.
    fn within(self, placements: usize) -> Task {
        let template = Arc::clone(&self.scenario.template);
        let refused =
            |problem: check::Problem| vec![template.at_line(1, problem.to_string(), None)];
        let prepared = self.prepared.and_then(|mut prepared| {
            if check::room(&prepared.row, placements).is_err() {
                // Fewer images, before the whole row is refused.
                let why = "there is no room for four more images of it for each branch; lower `--placements`";
                prepared.row.injection = Injection::None(why.into());
            }
            check::room(&prepared.row, placements).map_err(refused)?;
            Ok(prepared)
        });
        Task { prepared, ..self }
    }

    /// A row of a saved job: its bytes run, whatever this version makes of its template.
    fn saved(scenario: &Scenario, row: &JobRow) -> Task {
        const CHANGED: &str = "the saved bytes were measured, but this version assembles the template \
             that is saved with them to others; save the job again to measure those";
        let own = prepare(scenario).ok();
        let is_changed = own.as_ref().is_none_or(|own| own.row != *row);
        Task {
            scenario: scenario.clone(),
            prepared: complete(scenario, row.clone(), own.and_then(|own| own.note)),
            warning: is_changed
                .then(|| CHANGED.to_string())
                .or_else(|| left_out(scenario)),
            unchecked: None,
        }
    }
}

/// Assembles, runs, summarizes.
///
/// # Errors
/// When no worker can be started at all.
pub fn run(
    scenarios: &[Scenario],
    settings: &Settings,
    progress: Progress<'_>,
) -> io::Result<Report> {
    let mut session = Session::new(settings);
    let mut batches = batches(scenarios).peekable();
    let (mut ready, mut ahead) = (Vec::new(), None);
    let mut left = scenarios.len();
    while let Some(batch) = batches.next() {
        let mut tasks = std::mem::take(&mut ready);
        let before = scenarios.len() - left;
        left -= batch.len();
        let mut among = |told: Told<'_>| match told {
            Told::Step(text) if scenarios.len() > batch.len() => {
                let count = scenarios.len();
                progress(Told::Step(&format!(
                    "{before} of {count} rows done, {text}"
                )));
            }
            told => progress(told),
        };
        for scenario in &batch[tasks.len()..] {
            // What a signal has found half ready is as good as not begun.
            if interrupt::seen().is_some() {
                break;
            }
            tasks.push(Task::told(scenario, &mut among));
        }
        if interrupt::seen().is_some() {
            session.leave_out(batch);
            continue;
        }
        let mut next = Next {
            scenarios: batches.peek().copied().unwrap_or_default(),
            ready,
            plan: session.next_plan(),
            worker: ahead,
            ahead: None,
        };
        session.measure(tasks, &mut among, &mut next)?;
        (ready, ahead) = (next.ready, next.ahead);
    }
    progress(Told::Step("relating the rows"));
    Ok(session.report().report)
}

/// The rows of the next batch, which get ready while those of this one are proved: here, and then in a worker.
struct Next<'a> {
    scenarios: &'a [Scenario],
    ready: Vec<Task>,
    /// How they will be measured, as far as that is known.
    plan: Option<Plan>,
    /// The worker that has this batch.
    worker: Option<Ahead>,
    /// The one that has the next.
    ahead: Option<Ahead>,
}

impl Beside for Next<'_> {
    fn work(&mut self) -> bool {
        if let Some(scenario) = self.scenarios.get(self.ready.len()) {
            self.ready.push(Task::new(scenario));
            return true;
        }
        let all = self.ready.iter();
        let objects = all.map(|task| u64::from(task.scenario.objects)).sum();
        let data = rows(&self.ready).map(check::data_bytes);
        let has_room = has_room_beside(objects, data.fold(0, u64::saturating_add));
        let has_rows = !self.ready.is_empty();
        let Some(plan) = self.plan.take().filter(|_| has_rows && has_room) else {
            return false;
        };
        let ready = std::mem::take(&mut self.ready).into_iter();
        self.ready = ready
            .map(|task| task.within(plan.placements.len()))
            .collect();
        let rows: Vec<&JobRow> = rows(&self.ready).collect();
        self.ahead = Ahead::begin(&plan, &rows);
        true
    }

    fn worker(&mut self) -> Option<Ahead> {
        self.worker.take()
    }

    fn hush(&mut self) {
        self.ahead.iter_mut().for_each(Ahead::stop);
    }
}

/// Whether a worker can have so many objects, and bytes of data sections, in memory while another one still has its own:
/// some 200 MiB, for a machine that has room for one large batch need not have room for two.
fn has_room_beside(objects: u64, data: u64) -> bool {
    const OBJECTS: u64 = 1 << 22;
    const DATA: u64 = 64 << 20;
    objects <= OBJECTS && data <= DATA
}

/// What of some tasks can run.
fn rows(tasks: &[Task]) -> impl Iterator<Item = &JobRow> {
    let prepared = tasks.iter().flat_map(|task| &task.prepared);
    prepared.map(|prepared| &prepared.row)
}

/// Neighbours that one worker has in memory together: a suite of rows over a million objects each
/// would not fit a small machine, and behind a row that faults another worker links the rest anew.
fn batches(scenarios: &[Scenario]) -> impl Iterator<Item = &[Scenario]> {
    const MOST_OBJECTS: u64 = 1 << 20;
    const MOST_ROWS: usize = 64;
    let mut rest = scenarios;
    std::iter::from_fn(move || {
        let mut objects = 0;
        let fits = |scenario: &&Scenario| {
            objects += u64::from(scenario.objects);
            objects <= MOST_OBJECTS
        };
        let few = rest.iter().take(MOST_ROWS);
        let count = few.take_while(fits).count().max(1).min(rest.len());
        let (batch, others) = rest.split_at(count);
        rest = others;
        (!batch.is_empty()).then_some(batch)
    })
}

/// The rows of a saved job, ready to be measured.
pub fn saved(job: &SavedJob) -> Vec<Task> {
    job.rows()
        .map(|(scenario, row)| Task::saved(scenario, row))
        .collect()
}

/// Runs, summarizes.
///
/// # Errors
/// When no worker can be started at all.
pub fn measure(
    tasks: Vec<Task>,
    settings: &Settings,
    progress: Progress<'_>,
) -> io::Result<Report> {
    Ok(measured(tasks, settings, progress)?.report)
}

/// The exit code of a report: the highest of its rows', or 128 and the
/// signal that ended the run.
pub fn exit_code(report: &Report) -> i32 {
    let interrupted = report.interrupted.map_or(0, |signal| 128 + signal);
    let codes = report.rows.iter().map(|row| status_code(&row.status));
    codes.fold(interrupted, i32::max)
}

/// The exit code that one status asks for.
pub fn status_code(status: &Status) -> i32 {
    match status {
        Status::Ok
        | Status::Panic {
            asked_for: true, ..
        } => 0,
        Status::Error(_) => 3,
        Status::Panic { .. }
        | Status::Fault(_)
        | Status::Timeout(_)
        | Status::Ended { .. }
        | Status::WrongResult { .. } => 4,
    }
}

/// Single-steps the first iterations of one scenario.
///
/// Where the code ends its worker, what it did until then dies with it; then a second worker steps
/// exactly as far as the first one came.
///
/// # Errors
/// When no worker can be started at all; inside, what is wrong with the template.
pub fn step(
    scenario: &Scenario,
    settings: &Settings,
    iterations: u64,
    drawn: Option<steps::Drawn>,
    progress: Progress<'_>,
) -> io::Result<Result<Steps, Vec<Diagnostic>>> {
    let prepared = match to_run(scenario) {
        Ok(prepared) => prepared,
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let mut plan = Plan {
        ask: Ask::Trace(iterations),
        ..settings.plan.clone()
    };
    let mut once = |plan: &Plan| -> io::Result<RowOutcome> {
        let rows = [&prepared.row];
        let outcome = parent::run(plan, &rows, settings.timeout, &mut *progress)?;
        Ok(outcome.rows.into_iter().next().unwrap_or_default())
    };
    let first = once(&plan)?;
    let mut trace = first.trace.unwrap_or_default();
    if first.failure.is_some() && first.steps > 0 {
        plan.step_budget = first.steps;
        trace = once(&plan)?.trace.unwrap_or_default();
        trace.is_cut_short = false;
    }
    // What was seen in time says more than what it led to.
    let failure = trace.failure.take().or(first.failure);
    let has_ended = trace.iterations.iter().any(|one| one.end.is_some());
    let status = match failure {
        Some(failure) => verdict::failed(scenario, &prepared, &failure, &plan),
        None if trace.is_cut_short && !has_ended => {
            verdict::unended(scenario, &prepared, &trace, &plan)
        }
        None => Status::Ok,
    };
    Ok(Ok(steps::tell(scenario, &prepared, &trace, status, drawn)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_workers_have_their_rows_in_memory_at_once_where_the_next_ones_are_small() {
        const OBJECTS: u64 = 1 << 22;
        const DATA: u64 = 64 << 20;
        assert!(super::has_room_beside(OBJECTS, DATA));
        assert!(!super::has_room_beside(OBJECTS + 1, DATA));
        assert!(!super::has_room_beside(OBJECTS, DATA + 1));
    }
}
