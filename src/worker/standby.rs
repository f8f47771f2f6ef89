//! The process of a worker, from its start until it goes about its job; one may be started ahead, and be given its job
//! ahead too, so that nobody waits for that.
//!
//! Correct means: each process gets one job and no other, one that has ended while it waited gets none, none runs any of
//! its rows' code before its turn, and none is left that nobody needs.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::parent::{Part, WORKER, this_program};
use crate::job::{JobRow, Plan};
use crate::stage::notes;
use crate::sys::interrupt;
use crate::sys::memory::OUT_OF_MEMORY;
use crate::sys::process::{Event, Piped};
use crate::sys::shared::SharedPage;

/// A worker that has no job yet.
#[derive(Debug)]
pub(super) struct Started {
    /// It reads its job, and writes messages.
    pub(super) process: Piped,
    pub(super) page: SharedPage,
    /// The secret status, which begins each of its messages too; wait shows the low byte.
    pub(super) status: u32,
}

/// The one that waits, if any.
static WAITING: Mutex<Option<Started>> = Mutex::new(None);

fn waiting() -> MutexGuard<'static, Option<Started>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a worker that waits for the next job, unless one waits already. To be called where nothing is timed: its
/// start takes a CPU for milliseconds. It ends with the thread that calls this.
///
/// What cannot be started now is started, or refused, when there is a job.
pub fn prepare() {
    let mut waiting = waiting();
    if let Some(gone) = waiting.take_if(|one| !one.is_there()) {
        gone.end();
    }
    if waiting.is_none() {
        *waiting = Started::new().ok();
    }
}

/// Ends the worker that waits, and waits for its end.
pub fn end() {
    if let Some(one) = waiting().take() {
        one.end();
    }
}

/// A worker that has its job and gets its rows ready; it goes no further until it is its turn.
#[derive(Debug)]
pub struct Ahead {
    /// None where it was taken out.
    started: Option<Started>,
    plan: Plan,
    /// What its rows are called, in order.
    names: Vec<String>,
}

impl Ahead {
    /// Gives a worker these rows; none where it cannot be had, or a signal ends the run.
    pub fn begin(plan: &Plan, rows: &[&JobRow]) -> Option<Ahead> {
        let mut ahead = Ahead {
            started: Some(take().ok()?),
            plan: plan.clone(),
            names: rows.iter().map(|row| row.name.clone()).collect(),
        };
        let rows = rows.to_vec();
        let line = Part { plan, rows }.line();
        let Piped { watched, stdin, .. } = &mut ahead.started.as_mut()?.process;
        let fed = watched.feed(stdin, &line, || interrupt::seen().is_some());
        fed.is_ok().then_some(ahead)
    }

    /// Has it stand still, as long as others are timed.
    pub fn stop(&mut self) {
        if let Some(started) = &self.started {
            // Gone already where somebody has ended it.
            let _ = started.process.watched.signal(libc::SIGSTOP);
        }
    }

    /// Whether this is the job that it was given.
    pub(super) fn is_for(&self, part: &Part<'_>) -> bool {
        let names = part.rows.iter().map(|row| &row.name);
        self.plan == *part.plan && self.names.iter().eq(names)
    }

    /// The worker, whose turn it is; none where it has ended.
    pub(super) fn go_on(mut self) -> Option<Started> {
        let mut started = self.started.take()?;
        // What ended it while two of them had memory need not end the next.
        let is_there = matches!(started.process.child.try_wait(), Ok(None));
        if is_there && started.process.watched.signal(libc::SIGCONT).is_ok() {
            return Some(started);
        }
        started.end();
        None
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(started) = self.started.take() {
            started.end();
        }
    }
}

/// The worker that waits, or a new one.
pub(super) fn take() -> io::Result<Started> {
    let waiting = waiting().take();
    match waiting {
        Some(one) if one.is_there() => return Ok(one),
        Some(gone) => gone.end(),
        None => {}
    }
    Started::new()
}

impl Started {
    fn new() -> io::Result<Started> {
        let page = SharedPage::new()?;
        let status = secret_status();
        page.note(notes::STATUS, u64::from(status));
        page.note(notes::PARENT, std::process::id().into());
        let mut command = Command::new(this_program());
        command.arg(WORKER).arg(page.descriptor().to_string());
        let process = Piped::start(command)?;
        Ok(Started {
            process,
            page,
            status,
        })
    }

    /// Whether it still waits: until it has a job it says nothing.
    fn is_there(&self) -> bool {
        let now = self
            .process
            .watched
            .wait(&self.process.stdout, Duration::ZERO);
        now.is_ok_and(|now| now == Event::TimedOut)
    }

    fn end(mut self) {
        // Gone already where somebody has ended it.
        let _ = self.process.watched.signal(libc::SIGKILL);
        let _ = self.process.child.wait();
    }
}

/// A status that generated code cannot guess, and that is neither success nor [`OUT_OF_MEMORY`], of which wait shows
/// the low byte.
fn secret_status() -> u32 {
    const _: () = assert!(OUT_OF_MEMORY & 0b101 != 0b101);
    // The standard library seeds its hash maps with the kernel's random bytes.
    let random = RandomState::new().build_hasher().finish() as u32;
    (random >> 1) | 0b101
}
