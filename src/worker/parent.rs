//! The side that watches: starts workers, blames rows, and goes on with the rest.
//!
//! Correct means: every row ends with exactly one of timing, proof without timing, or failure;
//! a row is blamed only if the shared page named it when its worker died or stood still.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::blame::{self, Blamed};
use super::inference;
use super::standby::{self, Ahead, Started};
use crate::go::heap::lay_out;
use crate::job::{
    Ask, Counters, EventState, Failure, FurtherState, JobRow, Message, Outside, Place, Plan,
    PmuUse, Prediction, Proof, Trace, Uninferred,
};
use crate::link::{Image, Site, Variant, frame, link};
use crate::stage::notes;
use crate::stats::Timing;
use crate::sys::interrupt;
use crate::sys::limits;
use crate::sys::memory::OUT_OF_MEMORY;
use crate::sys::process::{Event, Piped, Watched, wait_for};
use crate::sys::shared::{RawFault, SharedPage};
use crate::sys::signals::{self, WHERE};
use crate::template::Clobbers;

/// What became of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowOutcome {
    /// What proving it yielded.
    pub proof: Option<Proof>,
    /// What was timed.
    pub timing: Option<Timing>,
    /// What it did, where the job asks for that instead.
    pub trace: Option<Trace>,
    /// What the models would have missed, where the job asks for that instead.
    pub prediction: Option<Prediction>,
    /// How it went wrong.
    pub failure: Option<Failure>,
    /// Steps that were logged when it ended its worker.
    pub steps: u64,
    /// The sites whose images ended a worker, which cost the row nothing but their numbers.
    pub uninferred: Vec<Uninferred>,
}

impl RowOutcome {
    /// Whether a worker has still to do something for it.
    pub fn is_open(&self, plan: &Plan) -> bool {
        let is_done = match (plan.ask, &plan.counters) {
            (Ask::Trace(_), _) => self.trace.is_some(),
            (Ask::Model(_), _) => self.prediction.is_some(),
            (Ask::Measure, Counters::None) => self.proof.is_some(),
            (Ask::Measure, _) => self.timing.is_some(),
        };
        self.failure.is_none() && !is_done
    }
}

/// What became of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// One for each row of the job.
    pub rows: Vec<RowOutcome>,
    /// Whether a worker has begun with the rows.
    pub has_begun: bool,
    /// The CPU that the last worker was pinned to.
    pub cpu: Option<u32>,
    /// Why the worker's system calls were not filtered, where they were not.
    pub unfiltered: Option<String>,
    /// The signal that ended it, so that rows may lack their timing and their proof.
    pub interrupted: Option<i32>,
    /// What each hardware counter is good for, where they were asked.
    pub counters: Vec<EventState>,
    /// Whether it was given up because nobody wanted the rest, so that rows may lack their timing and their proof.
    pub is_given_up: bool,
    /// How they were read, where any is believed.
    pub usage: Option<PmuUse>,
    /// What each further event is good for, where there are any.
    pub further: Vec<FurtherState>,
}

/// Something to tell the user while a job runs; called only between samples.
pub type Progress<'a> = &'a mut dyn FnMut(Told<'_>);

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// How far it has got: of use to who watches.
    Step(&'a str),
    /// What everybody must know now, and not when it is over.
    Notice(&'a str),
}

/// What this process does and heeds while a worker works.
pub trait Beside {
    /// Does a piece of other work while nothing is timed yet, and says whether there was one.
    fn work(&mut self) -> bool {
        false
    }

    /// The worker that was given its job ahead of its turn, which is now.
    fn worker(&mut self) -> Option<Ahead> {
        None
    }

    /// Has all of it stand still: from now on rows are timed.
    fn hush(&mut self) {}

    /// What to wait for besides the worker.
    fn streams(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Whether nobody wants the rest any more; asked when one of the streams can be read, and now and then.
    fn is_over(&mut self) -> bool {
        false
    }
}

/// A piece of work is all there is.
impl<F: FnMut() -> bool> Beside for F {
    fn work(&mut self) -> bool {
        self()
    }
}

/// The same, as it is handed on.
pub type Meanwhile<'a> = &'a mut dyn Beside;

/// The rows of a job that one worker gets, written as a [`crate::job::Job`]: rows can be large, so none is
/// copied.
#[derive(Serialize)]
pub(super) struct Part<'a> {
    pub(super) plan: &'a Plan,
    pub(super) rows: Vec<&'a JobRow>,
}

impl Part<'_> {
    /// A line; the word to go is the end of what follows it.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_string(self).unwrap_or_default().into_bytes();
        line.push(b'\n');
        line
    }
}

/// Runs rows in as many workers as it takes.
///
/// `timeout` is how long a worker may make no entry.
///
/// # Errors
/// When no worker can be started at all.
pub fn run(
    plan: &Plan,
    rows: &[&JobRow],
    timeout: Duration,
    progress: Progress<'_>,
) -> io::Result<Outcome> {
    run_beside(plan, rows, timeout, progress, &mut || false)
}

/// The same, with something to do for this process until all rows are proved. From then on it sleeps: its
/// CPU may be the other half of the worker's core.
///
/// # Errors
/// As [`run`].
pub fn run_beside(
    plan: &Plan,
    rows: &[&JobRow],
    timeout: Duration,
    progress: Progress<'_>,
    meanwhile: Meanwhile<'_>,
) -> io::Result<Outcome> {
    let mut outcome = Outcome {
        rows: vec![RowOutcome::default(); rows.len()],
        ..Outcome::default()
    };
    interrupt::watch();
    // Rows whose misses ended a worker, without the images for these.
    let mut without: BTreeMap<usize, JobRow> = BTreeMap::new();
    let mut is_cut_short = false;
    loop {
        let is_open = |row: &RowOutcome| row.is_open(plan);
        let open: Vec<usize> = (0..rows.len())
            .filter(|&at| is_open(&outcome.rows[at]))
            .collect();
        outcome.interrupted = interrupt::seen().filter(|_| !open.is_empty() || is_cut_short);
        if open.is_empty() || outcome.interrupted.is_some() || outcome.is_given_up {
            return Ok(outcome);
        }
        let part = Part {
            plan,
            rows: open
                .iter()
                .map(|&at| without.get(&at).unwrap_or(rows[at]))
                .collect(),
        };
        let ahead = meanwhile.worker().filter(|ahead| ahead.is_for(&part));
        let mut shift = match Shift::start(&part, ahead, timeout, &mut *progress) {
            Ok(shift) => shift,
            Err(error) => {
                let why = limits::refused("no worker can be started", &error);
                give_up_all(&mut outcome, plan, &why);
                continue;
            }
        };
        let end = shift.watch(
            &part,
            &open,
            &mut outcome,
            (&mut *progress, &mut *meanwhile),
        )?;
        is_cut_short |= shift.called_off.is_some();
        match end {
            End::Blamed(row, failure) if give_up(part.rows[row], &failure).is_some() => {
                let at = open[row];
                if let Some((changed, uninferred)) = give_up(part.rows[row], &failure) {
                    without.insert(at, changed);
                    outcome.rows[at].uninferred.push(uninferred);
                }
            }
            End::Blamed(row, failure) => {
                let row = &mut outcome.rows[open[row]];
                row.failure = Some(failure);
                row.steps = shift.page.fault().map_or(0, |fault| fault.steps);
            }
            End::Unable(why) => give_up_all(&mut outcome, plan, &why),
            End::Interrupted => {}
            End::GivenUp => outcome.is_given_up = true,
            // A worker that is done leaves nothing open; if it did, another would do the same.
            End::Done => {
                for row in outcome.rows.iter_mut().filter(|row| is_open(row)) {
                    row.failure = Some(Failure::Worker("the worker left this row out".into()));
                }
            }
        }
    }
}

/// Rows that no worker can be had for: those that are done keep what they have.
fn give_up_all(outcome: &mut Outcome, plan: &Plan, why: &str) {
    let open = outcome.rows.iter_mut().filter(|row| row.is_open(plan));
    for row in open {
        row.failure = Some(Failure::Ended(Outside::Unable(why.into())));
    }
}

/// A row without the images of the site that ended a worker, where one of those did.
fn give_up(row: &JobRow, failure: &Failure) -> Option<(JobRow, Uninferred)> {
    let (site, _) = row.injection.delayed().nth(failure.delayed()?)?;
    let why = inference::why(failure);
    let mut row = row.clone();
    row.injection.give_up(site, why.clone());
    Some((row, Uninferred { site, why }))
}

/// Has a worker open the hardware counters and hold them against known loops.
///
/// # Errors
/// When no worker can be started at all.
pub fn verify_counters(plan: &Plan) -> io::Result<Outcome> {
    const LIMIT: Duration = Duration::from_secs(3);
    let plan = Plan {
        counters: Counters::Pmu,
        ..plan.clone()
    };
    let job = Part {
        plan: &plan,
        rows: Vec::new(),
    };
    let mut outcome = Outcome::default();
    let alone = (&mut |_: Told<'_>| {}, &mut || false);
    let mut shift = Shift::start(&job, None, LIMIT, &mut *alone.0)?;
    let end = shift.watch(&job, &[], &mut outcome, (alone.0, alone.1))?;
    if let End::Unable(why) = end {
        return Err(io::Error::other(why));
    }
    if outcome.counters.is_empty() {
        let message = "the worker that checks the hardware counters ended without an answer";
        return Err(io::Error::other(message));
    }
    Ok(outcome)
}

/// How a worker's life ended.
enum End {
    /// All is said.
    Done,
    /// This row of its job ended it.
    Blamed(usize, Failure),
    /// It could not begin.
    Unable(String),
    /// The user did.
    Interrupted,
    /// Nobody wants the rest.
    GivenUp,
}

/// What waiting for a worker came to.
enum Waited {
    Line,
    TooLong,
    Starved(Outside),
    Interrupted,
    GivenUp,
}

/// Bytes of a line that no message has.
const LONGEST_LINE: usize = 1 << 30;

/// The file that runs now, even where a build has replaced it meanwhile; without /proc, what was called.
pub fn this_program() -> PathBuf {
    let running = Path::new("/proc/self/exe");
    match std::env::args_os().next() {
        Some(called) if !running.exists() => called.into(),
        _ => running.into(),
    }
}

/// Seconds that a worker may take for work of its own, such as to link a row or to interpret an iteration:
/// 100,000 functions take a few.
const OWN_WORK_S: u64 = 120;
/// Time on the clock after which a worker is given up that had less than one part in so many of it: it was
/// stopped. Beside three busy loops it has a fourth, and under a small quota or beside a dozen a twentieth.
const STARVED: (Duration, u32) = (Duration::from_secs(60), 100);
/// Between two looks at what is to be told.
const EVERY: Duration = Duration::from_secs(1);

/// One worker's life.
struct Shift {
    child: Child,
    watched: Watched,
    page: SharedPage,
    /// The secret status, which begins each of its messages too; wait shows the low byte.
    status: u32,
    out: BufReader<ChildStdout>,
    timeout: Duration,
    /// Whether it has linked its rows: before that, none of their code runs.
    is_ready: bool,
    /// How many of its rows are proved, and timed; one that went wrong is both.
    done: [usize; 2],
    /// Of the turns of all rows that are timed, those that something interrupted, and all.
    turns: [u64; 2],
    /// When it was last said what is at work.
    told: Option<Instant>,
    /// Whether it was stopped when it was looked at last.
    is_stopped: bool,
    /// Processes that the kernel had ended for want of memory when this one began.
    kills: Option<u64>,
    /// When its rows were told to take no more turns than they need, because a signal ends the run.
    called_off: Option<Instant>,
}

impl Drop for Shift {
    fn drop(&mut self) {
        // Gone already where all went well.
        let _ = self.watched.signal(libc::SIGKILL);
        let _ = self.child.wait();
    }
}

/// The argument that makes a process of this program a worker; the next one is its page.
pub const WORKER: &str = "__worker";

impl Shift {
    fn start(
        job: &Part<'_>,
        ahead: Option<Ahead>,
        timeout: Duration,
        progress: Progress<'_>,
    ) -> io::Result<Shift> {
        let given = ahead.and_then(Ahead::go_on);
        let has_job = given.is_some();
        let Started {
            process,
            page,
            status,
        } = match given {
            Some(started) => started,
            None => standby::take()?,
        };
        let Piped {
            child,
            watched,
            stdin,
            stdout,
        } = process;
        let mut shift = Shift {
            child,
            watched,
            page,
            status,
            out: BufReader::new(stdout),
            timeout,
            is_ready: false,
            done: [0; 2],
            turns: [0; 2],
            told: None,
            is_stopped: false,
            kills: limits::kills_for_memory(),
            called_off: None,
        };
        match has_job {
            true => drop(stdin),
            false => shift.give(job, stdin, progress),
        }
        Ok(shift)
    }

    /// Writes its job into its input, which then ends.
    fn give(&mut self, job: &Part<'_>, stdin: ChildStdin, progress: Progress<'_>) {
        let watched = &self.watched;
        let mut since = Instant::now();
        let mut is_stopped = false;
        let is_over = || {
            if since.elapsed() >= EVERY {
                since = Instant::now();
                is_stopped = say_if_stopped(watched, is_stopped, &mut *progress);
            }
            interrupt::seen().is_some()
        };
        // A worker that dies before it has read is reported by its exit, and a signal by who looks for it.
        let _ = watched.feed(stdin, &job.line(), is_over);
        self.is_stopped = is_stopped;
    }

    /// Reads messages until the worker is done or gone.
    fn watch(
        &mut self,
        job: &Part<'_>,
        rows: &[usize],
        outcome: &mut Outcome,
        (progress, meanwhile): (Progress<'_>, Meanwhile<'_>),
    ) -> io::Result<End> {
        let mut said = Vec::new();
        loop {
            while self.done[0] < rows.len() && !self.has_line()? && meanwhile.work() {
                self.tell(job, progress);
            }
            if self.done[0] >= rows.len() {
                meanwhile.hush();
            }
            match self.wait_for_line(job, progress, meanwhile)? {
                Waited::Line => {}
                Waited::TooLong => {
                    let (row, failure) = self.ask_where(job);
                    return Ok(End::Blamed(row, failure));
                }
                Waited::Starved(how) => {
                    let row = self.row_at_work(job).unwrap_or(0);
                    return Ok(End::Blamed(row, Failure::Ended(how)));
                }
                Waited::Interrupted => return Ok(End::Interrupted),
                Waited::GivenUp => return Ok(End::GivenUp),
            }
            let heard = self.out.fill_buf()?;
            if heard.is_empty() {
                return self.conclude(job);
            }
            let end = heard.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(heard.len(), |end| end + 1);
            said.extend_from_slice(&heard[..used]);
            self.out.consume(used);
            if end.is_none() && said.len() < LONGEST_LINE {
                continue;
            }
            let message = self.message(&said, rows.len());
            said.clear();
            let Some(message) = message else {
                return Ok(self.distrust(job));
            };
            match message {
                Message::Proved { .. } => self.done[0] += 1,
                Message::Timed { ref timing, .. } => {
                    self.done[1] += 1;
                    let [interrupted, turns] = timing.turns();
                    self.turns = [self.turns[0] + interrupted, self.turns[1] + turns];
                }
                Message::Failed { .. } => self.done = self.done.map(|done| done + 1),
                _ => {}
            }
            match message {
                Message::Unable { why } => return Ok(End::Unable(why)),
                Message::Ready { cpu, unfiltered } => {
                    self.is_ready = true;
                    outcome.has_begun = true;
                    outcome.cpu = cpu;
                    outcome.unfiltered = unfiltered;
                }
                Message::Counters { events, usage } => {
                    (outcome.counters, outcome.usage) = (events, usage);
                    let cycles = outcome
                        .counters
                        .first()
                        .and_then(|(_, state)| state.as_ref().err());
                    // Whoever asks for them and nothing else has no use for the rest.
                    if let Some(why) = cycles.filter(|_| !job.plan.or_clock && !rows.is_empty()) {
                        return Err(io::Error::other(why.clone()));
                    }
                }
                Message::Further { events } => outcome.further = events,
                Message::Expected {
                    row,
                    seconds,
                    iteration_ns,
                } => progress(Told::Notice(&long(
                    &job.rows[row].name,
                    seconds,
                    iteration_ns,
                ))),
                Message::Proved { row, proof } => {
                    outcome.rows[rows[row]].proof = Some(proof);
                }
                Message::Timed { row, timing } => {
                    outcome.rows[rows[row]].timing = Some(timing);
                }
                Message::Traced { row, trace } => outcome.rows[rows[row]].trace = Some(trace),
                Message::Modelled { row, prediction } => {
                    outcome.rows[rows[row]].prediction = Some(prediction);
                }
                Message::Failed { row, failure } => outcome.rows[rows[row]].failure = Some(failure),
                // It has nothing left to do but to end, and `drop` sees to that.
                Message::Done => return Ok(End::Done),
            }
        }
    }

    /// The message of a line, if it is one of this worker and about one of its rows.
    fn message(&self, line: &[u8], rows: usize) -> Option<Message> {
        let line = std::str::from_utf8(line).ok()?;
        let (secret, text) = line.split_once(' ')?;
        let is_own = u32::from_str_radix(secret, 16).is_ok_and(|secret| secret == self.status);
        let message: Message = serde_json::from_str(text).ok()?;
        let is_sound = message.row().is_none_or(|row| row < rows);
        (is_own && is_sound).then_some(message)
    }

    /// Something else than the worker has written into its output: generated code that found a way.
    fn distrust(&mut self, job: &Part<'_>) -> End {
        let _ = self.watched.signal(libc::SIGKILL);
        let _ = self.child.wait();
        let row = self.row_at_work(job).unwrap_or(0);
        let what = "its code wrote into the output of its process";
        End::Blamed(row, Failure::Worker(what.into()))
    }

    /// Whether there is something to read, or nothing will ever be.
    fn has_line(&self) -> io::Result<bool> {
        let now = self
            .watched
            .wait(self.out.get_ref().as_fd(), Duration::ZERO)?;
        Ok(!self.out.buffer().is_empty() || now != Event::TimedOut || interrupt::seen().is_some())
    }

    /// Waits until there is something to read, or the worker has been in one entry for too long: of its own time on
    /// the processor, which is what an endless loop takes, whoever else wants the processor.
    fn wait_for_line(
        &mut self,
        job: &Part<'_>,
        progress: Progress<'_>,
        beside: Meanwhile<'_>,
    ) -> io::Result<Waited> {
        const SLICE: Duration = Duration::from_millis(50);
        let progress_now = |page: &SharedPage| {
            let noted = [notes::ROW, notes::ENTRIES, notes::INSIDE].map(|note| page.noted(note));
            (noted, page.steps())
        };
        let used_now = |watched: &Watched| watched.processor_time().unwrap_or_default();
        let mut seen = progress_now(&self.page);
        let mut idle = Idle::since(Instant::now(), used_now(&self.watched));
        loop {
            // What it has said already counts, so it is read first.
            if !self.out.buffer().is_empty() {
                return Ok(Waited::Line);
            }
            let is_interrupted = interrupt::seen().is_some();
            let left = is_interrupted.then(|| self.left_to_end(job));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let heard = self
                .watched
                .wait_beside(self.out.get_ref(), &beside.streams(), slice)?;
            match heard {
                Event::Readable | Event::Ended => return Ok(Waited::Line),
                Event::Beside if beside.is_over() => return Ok(Waited::GivenUp),
                Event::TimedOut if beside.is_over() => return Ok(Waited::GivenUp),
                Event::Beside if !is_interrupted => continue,
                Event::Beside | Event::TimedOut if left.is_some_and(|left| left.is_zero()) => {
                    return Ok(Waited::Interrupted);
                }
                Event::Beside | Event::TimedOut => {}
            }
            self.tell(job, progress);
            let (now, used) = (progress_now(&self.page), used_now(&self.watched));
            if now != seen {
                (seen, idle) = (now, Idle::since(Instant::now(), used));
                continue;
            }
            idle.look(Instant::now());
            let is_inside = self.is_ready && self.page.noted(notes::INSIDE) != 0;
            let limit = match is_inside {
                true => self.timeout,
                false => self.timeout.max(Duration::from_secs(OWN_WORK_S)),
            };
            let own = used.saturating_sub(idle.used);
            if own >= limit {
                return Ok(Waited::TooLong);
            }
            // What is stopped is waited for until it goes on: whoever stopped it may end the run as well.
            if self.watched.is_stopped() {
                (seen, idle) = (now, Idle::since(Instant::now(), used));
                continue;
            }
            if idle.is_starved(own) {
                return Ok(Waited::Starved(Outside::Starved {
                    processor_ms: own.as_millis() as u64,
                    passed_ms: idle.passed.as_millis() as u64,
                }));
            }
        }
    }

    /// How long a worker is still waited for once a signal ends the run. Rows one after the other are done one by one;
    /// those that take turns would all be lost, though an interval takes a few tens of milliseconds of turns.
    fn left_to_end(&mut self, job: &Part<'_>) -> Duration {
        const LONGEST: Duration = Duration::from_secs(2);
        let are_in_turns = job.plan.together && job.plan.ask == Ask::Measure;
        let are_timed = job.plan.counters != Counters::None && self.done[0] >= job.rows.len();
        if !(are_in_turns && are_timed) {
            return Duration::ZERO;
        }
        self.page.note(notes::ENOUGH, 1);
        let since = self.called_off.get_or_insert_with(Instant::now);
        LONGEST.saturating_sub(since.elapsed())
    }

    /// Says what is at work, now and then.
    fn tell(&mut self, job: &Part<'_>, progress: Progress<'_>) {
        if self.told.is_some_and(|told| told.elapsed() < EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        self.is_stopped = say_if_stopped(&self.watched, self.is_stopped, &mut *progress);
        let Some(row) = self.row_at_work(job).and_then(|row| job.rows.get(row)) else {
            return;
        };
        let [proved, timed] = self.done;
        let of = job.rows.len();
        let (what, done) = match proved < of {
            true => ("verifying", proved),
            false => ("timing", timed),
        };
        let but = match self.is_stopped {
            true => ", the worker is stopped",
            false => "",
        };
        progress(Told::Step(&format!(
            "{what} {}, {done} of {of} done{}{but}",
            row.name,
            noise(self.turns)
        )));
    }

    /// The row at work when the worker was last seen.
    fn row_at_work(&self, job: &Part<'_>) -> Option<usize> {
        let row = (self.page.noted(notes::ROW) as usize).checked_sub(1)?;
        // The page is memory of the worker too, so what stands there may be anything.
        Some(row.min(job.rows.len().saturating_sub(1)))
    }

    /// Ends a worker that stands still, and finds out where it stood.
    fn ask_where(&mut self, job: &Part<'_>) -> (usize, Failure) {
        const GRACE: Duration = Duration::from_millis(500);
        let row = self.row_at_work(job).unwrap_or(0);
        // Both may fail only because the worker ended meanwhile, which is as good.
        let _ = self.watched.signal(WHERE);
        let asked = Instant::now();
        while asked.elapsed() < GRACE && self.page.fault().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.watched.signal(libc::SIGKILL);
        let _ = self.child.wait();
        let fault = self.page.fault().filter(|_| row < job.rows.len());
        if self.page.noted(notes::INSIDE) == 0 {
            let what = "the worker's own work for this row does not come to an end, which is a bug of this program";
            return (row, Failure::Worker(what.into()));
        }
        let overwritten = fault.and_then(|fault| self.overwritten(job, row, &fault));
        let place = || {
            fault.map_or_else(Place::default, |fault| {
                let address = self.blame(job, row, &fault).address;
                self.place(job, address)
            })
        };
        let failure = overwritten.unwrap_or_else(|| Failure::Timeout {
            limit_ms: self.timeout.as_millis() as u64,
            place: place(),
        });
        (row, failure)
    }

    /// The output ended without a last word.
    fn conclude(&mut self, job: &Part<'_>) -> io::Result<End> {
        use std::os::unix::process::ExitStatusExt;
        let (status, processor) = wait_for(&mut self.child)?;
        let row = self.row_at_work(job);
        let ended = match self.page.fault() {
            Some(fault) => blame::ended_by(&fault),
            None => status.signal().and_then(|signal| {
                let kills = [self.kills, limits::kills_for_memory()];
                blame::ended_unseen(signal, kills, processor)
            }),
        };
        if let Some(Outside::Signal { signal, .. }) = ended
            && is_of_the_run(signal)
        {
            return Ok(End::Interrupted);
        }
        if let Some(how) = ended.filter(|_| !job.rows.is_empty()) {
            return Ok(End::Blamed(row.unwrap_or(0), Failure::Ended(how)));
        }
        if job.rows.is_empty() {
            let message = format!("the worker ended before it began: {status}");
            return Ok(End::Unable(message));
        }
        // Killed before its first row, it takes only that one with it.
        let row = row.unwrap_or(0);
        if status.code() == Some(OUT_OF_MEMORY) {
            let limit = limits::memory().map(|limit| limit.to_string());
            return Ok(End::Blamed(
                row,
                Failure::Ended(Outside::NoMemory { limit }),
            ));
        }
        if let Some(fault) = self.page.fault() {
            let Blamed {
                address,
                may_be,
                is_own,
                cause,
                touched,
            } = self.blame(job, row, &fault);
            let place = self.place(job, address);
            let overwritten = self.overwritten(job, row, &fault);
            let failure = if fault.signal == libc::SIGSYS {
                Failure::Forbidden {
                    number: fault.call,
                    architecture: fault.architecture,
                    place,
                }
            } else if let Some(overwritten) = overwritten.filter(|_| !is_own) {
                overwritten
            } else {
                let code = self.page.noted(notes::CODE);
                Failure::Signal {
                    signal: fault.signal,
                    code: fault.code,
                    address: touched,
                    cause,
                    place,
                    may_be: may_be.iter().map(|address| address - code).collect(),
                    registers: fault.registers.to_vec(),
                }
            };
            return Ok(End::Blamed(row, failure));
        }
        if status.code() == Some((self.status & 0xff) as i32) {
            let what = "the worker gave up; its words are on stderr";
            return Ok(End::Blamed(row, Failure::Worker(what.into())));
        }
        let status = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let place = Place::default();
        Ok(End::Blamed(row, Failure::Exit { status, place }))
    }

    /// What a fault comes to in the row's image, which is linked again where it stood.
    fn blame(&self, job: &Part<'_>, row: usize, fault: &RawFault) -> Blamed {
        let row = job.rows[row];
        let code = self.page.noted(notes::CODE);
        let image = self.page.noted(notes::IMAGE) as usize;
        let linked = || -> Option<Image> {
            let heap = lay_out(&row.heap).ok()?;
            let placements = &job.plan.placements;
            let baseline = placements.len();
            let (placement, variant) = match placements.get(image) {
                Some(placement) => (*placement, Variant::Body),
                None if image == baseline => (placements[0], Variant::Baseline),
                // Its lines are not those of the row's program.
                None => return None,
            };
            let site = Site {
                data: self.page.noted(notes::DATA),
                code,
                placement,
                variant,
            };
            link(row, &heap, site).ok()
        };
        let linked = linked();
        let found = linked.as_ref();
        let found = found.map(|image| blame::find(image, &row.program, fault));
        found.unwrap_or_default()
    }

    /// Where an address lies of the image at work.
    fn place(&self, job: &Part<'_>, address: Option<u64>) -> Place {
        let code_offset = address.map(|address| address - self.page.noted(notes::CODE));
        let image = self.page.noted(notes::IMAGE) as usize;
        Place::in_image(image, job.plan.placements.len(), code_offset)
    }

    /// That memory of the harness was overwritten, where the guard around it says so: then what came of it is
    /// nobody's doing.
    fn overwritten(&self, job: &Part<'_>, row: usize, fault: &RawFault) -> Option<Failure> {
        if fault.guard == 0 {
            return None;
        }
        let takes_turns = job.rows[row].clobbers == Clobbers::All;
        Some(Failure::Clobber {
            what: format!(
                "the memory above its 256 bytes, {},",
                frame::slot(fault.guard % frame::FRAME_ROOM, takes_turns)
            ),
            kind: "stack".into(),
            in_setup: false,
            place: self.place(job, None),
        })
    }
}

/// How long a worker has shown nothing of what it does.
struct Idle {
    /// Time that this process looked on.
    passed: Duration,
    /// Processor time of the worker at its begin.
    used: Duration,
    looked: Instant,
}

impl Idle {
    fn since(now: Instant, used: Duration) -> Idle {
        Idle {
            passed: Duration::ZERO,
            used,
            looked: now,
        }
    }

    /// Looks again. What this process itself slept through, as both do in a container that is paused, says nothing of
    /// the worker.
    fn look(&mut self, now: Instant) {
        self.passed += now.duration_since(self.looked).min(EVERY);
        self.looked = now;
    }

    /// Whether it had next to nothing of the processor, which is `own`.
    fn is_starved(&self, own: Duration) -> bool {
        self.passed >= STARVED.0 && own < self.passed / STARVED.1
    }
}

/// How much of what was timed so far something interrupted, as a part of a line of progress.
fn noise([interrupted, turns]: [u64; 2]) -> String {
    match turns {
        0 => String::new(),
        _ => format!(
            ", {:.0} % of turns interrupted",
            100.0 * interrupted as f64 / turns as f64
        ),
    }
}

/// Says that a worker was stopped since it was looked at last. Returns whether it is.
fn say_if_stopped(worker: &Watched, was_stopped: bool, progress: Progress<'_>) -> bool {
    let is_stopped = worker.is_stopped();
    if is_stopped && !was_stopped {
        let number = worker.number();
        let how = match worker.frozen_by() {
            Some(file) => format!(
                "is in a frozen cgroup; its row goes on where it stood once {file} thaws it"
            ),
            None => format!(
                "was stopped from outside; its row goes on where it stood once `kill -CONT {number}` continues it"
            ),
        };
        progress(Told::Notice(&format!(
            "the worker, process {number}, {how}"
        )));
    }
    is_stopped
}

/// Whether a signal that has ended a worker was one to end the run: batch systems and service managers send theirs to
/// all processes at once, and the worker may be the first to get it.
fn is_of_the_run(signal: i32) -> bool {
    const AT_ONCE: Duration = Duration::from_millis(200);
    let began = Instant::now();
    while interrupt::ENDING.contains(&signal) && began.elapsed() < AT_ONCE {
        if interrupt::seen().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// What the user must know of a row that takes long.
fn long(name: &str, seconds: f64, iteration_ns: f64) -> String {
    format!(
        "{name} takes about {}, because one iteration takes {}; fewer --placements and --quick make it less",
        duration(seconds),
        duration(iteration_ns / 1e9)
    )
}

/// A time in the unit that it has a few of.
pub fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 5] = [
        (86_400.0, "days"),
        (3600.0, "hours"),
        (60.0, "minutes"),
        (1.0, "s"),
        (1e-3, "ms"),
    ];
    let fitting = UNITS.iter().find(|(unit, _)| seconds >= 2.0 * unit);
    let (unit, name) = fitting.copied().unwrap_or((1e-6, "µs"));
    match seconds / unit {
        few if few < 10.0 => format!("{few:.1} {name}"),
        many => format!("{many:.0} {name}"),
    }
}

/// A signal's name, for messages.
pub fn signal_name(signal: i32) -> String {
    signals::name(signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_of_a_run_is_said_once_a_row_was_timed() {
        assert_eq!(noise([0, 0]), "");
        assert_eq!(noise([0, 8]), ", 0 % of turns interrupted");
        assert_eq!(noise([1, 8]), ", 12 % of turns interrupted");
    }

    #[test]
    fn a_worker_is_given_up_for_what_it_had_while_it_was_looked_at() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut idle = Idle::since(began, Duration::ZERO);
        // A container that was paused for five minutes.
        idle.look(at(300));
        assert!(!idle.is_starved(Duration::ZERO));
        for second in 301..=358 {
            idle.look(at(second));
        }
        assert!(!idle.is_starved(Duration::ZERO), "59 s");
        idle.look(at(359));
        let [less, more] = [599, 600].map(Duration::from_millis);
        assert_eq!(
            (idle.is_starved(less), idle.is_starved(more)),
            (true, false)
        );
    }
}
