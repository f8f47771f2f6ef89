//! Expansions in a process of their own, because one instruction of minijinja can take all memory
//! and hours: what it counts are instructions, not the work in them.
//!
//! Correct means: an expansion that ends is the same as in this process, and one that does not is a
//! diagnostic of its template while the other rows go on.
//!
//! The process is this program again, as the worker is: one for all expansions of a run, and a new
//! one after an expansion that took too much. A line of JSON goes there and one comes back.

use std::io::{self, BufRead, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, rlim_t, setrlimit};
use nix::sys::signal::Signal;

use crate::scenario::{ENDLESS, Expansion, Unexpanded};
use crate::sys::interrupt;
use crate::sys::limits;
use crate::sys::mapping::PAGE;
use crate::sys::memory::{self, OUT_OF_MEMORY};
use crate::sys::process::{Event, Piped, Watched, end_with, wait_for};
use crate::sys::shared::SharedPage;
use crate::sys::signals;

/// The argument that makes a process of this program expand; the next one is its page.
pub const EXPAND: &str = "__expand";

/// Bytes above what the process has already: twice what 131,072 functions of ten lines take, or more.
const MEMORY: u64 = 1 << 30;

/// Processor time, likewise; the time where little is optimised is longer.
const PROCESSOR: Duration = Duration::from_secs(if cfg!(debug_assertions) { 12 } else { 6 });

/// Time on the clock: only a process that gets no processor gets there.
const CLOCK: Duration = Duration::from_secs(120);

/// How often is looked whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);

/// The note that says how far an expansion has got.
const LINE: usize = 0;
/// The one that says with which process it ends.
const PARENT: usize = 1;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
static EXPANDER: Mutex<Option<Expander>> = Mutex::new(None);

/// From now on that program, which understands [`EXPAND`], has the expansions. Without one, as in a
/// library, they are this process's own.
pub fn use_program(program: impl Into<PathBuf>) {
    // Whoever came first is as good.
    let _ = PROGRAM.set(program.into());
}

/// Ends the process that expands, and waits for its end: nobody else does before this process is gone, and until then it
/// counts against `ulimit -u`.
pub fn end() {
    drop(
        EXPANDER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
}

/// What the expansion gives.
///
/// # Errors
/// When it is refused, or takes more than there is.
pub fn render(expansion: &Expansion) -> Result<String, Unexpanded> {
    let Some(program) = PROGRAM.get() else {
        return expansion.render(&|_| {});
    };
    let mut kept = EXPANDER.lock().unwrap_or_else(PoisonError::into_inner);
    render_in(&mut kept, program, expansion).unwrap_or_else(|error| {
        Err(Unexpanded {
            line: 0,
            range: None,
            message: limits::refused("there is no process to expand it in", &error),
            help: None,
        })
    })
}

fn render_in(
    kept: &mut Option<Expander>,
    program: &Path,
    expansion: &Expansion,
) -> io::Result<Result<String, Unexpanded>> {
    let request = serde_json::to_string(expansion)?.into_bytes();
    if let Some(mut expander) = kept.take() {
        // One that is kept ends with the thread that started it: then another one is asked.
        match expander.ask(&request, CLOCK) {
            Ok(Err(Cut::Crash | Cut::Signal(_))) | Err(_) => {}
            told => return answered(kept, expander, told?),
        }
    }
    let mut expander = Expander::start(program)?;
    let told = expander.ask(&request, CLOCK)?;
    answered(kept, expander, told)
}

/// Keeps who has answered.
fn answered(
    kept: &mut Option<Expander>,
    expander: Expander,
    told: Result<Vec<u8>, Cut>,
) -> io::Result<Result<String, Unexpanded>> {
    Ok(match told {
        Ok(answer) => {
            *kept = Some(expander);
            let answer = String::from_utf8(answer).map_err(io::Error::other)?;
            serde_json::from_str(&answer)?
        }
        Err(cut) => Err(cut_off(expander.page.noted(LINE) as usize, cut)),
    })
}

fn cut_off(line: usize, cut: Cut) -> Unexpanded {
    let what = match cut.outside() {
        Some((what, help)) => {
            return Unexpanded {
                line: 0,
                range: None,
                message: format!("{what}; the template is not to blame"),
                help: Some(help.to_string()),
            };
        }
        None => cut.sentence(),
    };
    let message = match line {
        0 => what,
        _ => format!("{what}; it had got to this line"),
    };
    Unexpanded {
        line,
        range: None,
        message,
        help: Some(ENDLESS.to_string()),
    }
}

/// What an expansion took too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Memory,
    Time,
    Clock,
    Crash,
    /// The run ends.
    Interrupted,
    /// The kernel ended it, so that others had memory.
    Killed,
    /// Somebody sent it a signal.
    Signal(i32),
}

impl Cut {
    fn of(end: ExitStatus, processor: Duration, kills: [Option<u64>; 2]) -> Cut {
        /// What its own mistakes end with.
        const RAISED: [Signal; 6] = [
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGILL,
            Signal::SIGFPE,
            Signal::SIGTRAP,
            Signal::SIGABRT,
        ];
        let signal = end
            .signal()
            .and_then(|signal| Signal::try_from(signal).ok());
        let is_more = |[before, now]: [Option<u64>; 2]| {
            before.zip(now).is_some_and(|(before, now)| now > before)
        };
        match (end.code(), signal) {
            (Some(OUT_OF_MEMORY), _) => Cut::Memory,
            (_, Some(Signal::SIGXCPU)) => Cut::Time,
            (_, Some(Signal::SIGKILL)) if limits::is_used_up(processor) => Cut::Time,
            (_, Some(Signal::SIGKILL)) if is_more(kills) => Cut::Killed,
            (_, Some(signal)) if !RAISED.contains(&signal) => Cut::Signal(signal as i32),
            _ => Cut::Crash,
        }
    }

    /// What is none of the template's doing, and what to do about it.
    fn outside(self) -> Option<(String, &'static str)> {
        let raise = "raise that limit";
        let process = "the process that expands templates";
        match self {
            Cut::Memory => limits::memory()
                .filter(|limit| limit.bytes() < MEMORY)
                .map(|limit| (format!("there is no memory to expand it in: {limit}"), raise)),
            Cut::Time => limits::processor_seconds()
                .filter(|seconds| *seconds <= PROCESSOR.as_secs())
                .map(|seconds| {
                    let what = format!(
                        "{process} had used up its time on the processor: `ulimit -t` is {seconds} s; 60 would do"
                    );
                    (what, raise)
                }),
            Cut::Killed => Some((
                format!("the kernel ended {process} for want of memory (the OOM killer)"),
                "run it where there is more memory",
            )),
            Cut::Signal(signal) => Some((
                format!("{process} was ended by {} from outside", signals::name(signal)),
                "run it again",
            )),
            Cut::Interrupted => Some(("the run was ended meanwhile".into(), "run it again")),
            Cut::Clock | Cut::Crash => None,
        }
    }

    fn sentence(self) -> String {
        match self {
            Cut::Memory => format!(
                "the expansion takes more than {} MiB of memory",
                MEMORY >> 20
            ),
            Cut::Time => format!(
                "the expansion does not come to an end: it took more than {} s",
                PROCESSOR.as_secs()
            ),
            Cut::Clock => "the expansion does not come to an end: it stood still".into(),
            Cut::Crash | Cut::Interrupted | Cut::Killed | Cut::Signal(_) => {
                "the expansion crashed".into()
            }
        }
    }
}

/// The process that expands.
#[derive(Debug)]
struct Expander {
    child: Child,
    watched: Watched,
    page: SharedPage,
    requests: ChildStdin,
    answers: ChildStdout,
    /// Processes that the kernel had ended for want of memory when this one began.
    kills: Option<u64>,
}

impl Drop for Expander {
    fn drop(&mut self) {
        // Gone already where it was cut off.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Expander {
    fn start(program: &Path) -> io::Result<Expander> {
        let page = SharedPage::new()?;
        let mut command = Command::new(program);
        command.arg(EXPAND).arg(page.descriptor().to_string());
        Expander::of(command, page)
    }

    fn of(command: Command, page: SharedPage) -> io::Result<Expander> {
        page.note(PARENT, std::process::id().into());
        let started = Piped::start(command)?;
        Ok(Expander {
            child: started.child,
            watched: started.watched,
            page,
            requests: started.stdin,
            answers: started.stdout,
            kills: limits::kills_for_memory(),
        })
    }

    /// The line that answers a request. Without one, the process is of no more use.
    fn ask(&mut self, request: &[u8], clock: Duration) -> io::Result<Result<Vec<u8>, Cut>> {
        let mut deadline = Instant::now() + clock;
        self.page.note(LINE, 0);
        let is_over = || interrupt::seen().is_some();
        for piece in [request, b"\n"] {
            if self.watched.feed(&self.requests, piece, is_over).is_err() && is_over() {
                return Ok(Err(Cut::Interrupted));
            }
        }
        let mut answer = Vec::new();
        let mut piece = vec![0; 1 << 16];
        while answer.last() != Some(&b'\n') {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.watched.wait(&self.answers, left.min(LOOK))? == Event::TimedOut {
                if interrupt::seen().is_some() {
                    return Ok(Err(Cut::Interrupted));
                }
                if self.watched.is_stopped() {
                    // It goes on when whoever stopped it lets it.
                    deadline = Instant::now() + clock;
                } else if left <= LOOK {
                    return Ok(Err(Cut::Clock));
                }
                continue;
            }
            match self.answers.read(&mut piece)? {
                0 => {
                    let (end, processor) = wait_for(&mut self.child)?;
                    let kills = [self.kills, limits::kills_for_memory()];
                    return Ok(Err(Cut::of(end, processor, kills)));
                }
                length => answer.extend_from_slice(&piece[..length]),
            }
        }
        Ok(Ok(answer))
    }
}

/// Expands what is asked for, until nobody can ask any more.
///
/// # Errors
/// When what comes was not written by [`render`], or nobody hears the answer.
pub fn serve(descriptor: i32) -> io::Result<()> {
    let page = SharedPage::inherited(descriptor)?;
    end_with(page.noted(PARENT))?;
    memory::end_silently();
    let given = [Resource::RLIMIT_DATA, Resource::RLIMIT_CPU].map(getrlimit);
    let mut out = io::stdout().lock();
    for request in io::stdin().lock().lines() {
        let expansion: Expansion = serde_json::from_str(&request?)?;
        bound(&given);
        let rendered = expansion.render(&|line| page.note(LINE, line.into()));
        out.write_all((serde_json::to_string(&rendered)? + "\n").as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

/// Bounds what the next expansion may take, within the limits that were given. One that cannot be
/// set stays as it was.
fn bound(given: &[nix::Result<(rlim_t, rlim_t)>; 2]) {
    let limit = |resource, given: nix::Result<(rlim_t, rlim_t)>, used: Option<u64>, more: u64| {
        if let (Ok((soft, hard)), Some(used)) = (given, used) {
            let _ = setrlimit(resource, soft.min(used + more), hard);
        }
    };
    limit(Resource::RLIMIT_DATA, given[0], data_bytes(), MEMORY);
    limit(
        Resource::RLIMIT_CPU,
        given[1],
        processor_seconds(),
        PROCESSOR.as_secs(),
    );
    // A core file of it would help nobody.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}

/// What RLIMIT_DATA counts, now.
fn data_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let data: u64 = pages.split(' ').nth(5)?.parse().ok()?;
    Some(data * PAGE as u64)
}

/// What RLIMIT_CPU counts, now.
fn processor_seconds() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(usage.user_time().tv_sec() as u64 + usage.system_time().tv_sec() as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(command: &str, clock: Duration) -> Result<Vec<u8>, Cut> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        let page = SharedPage::new().expect("a page");
        let mut expander = Expander::of(shell, page).expect("it starts");
        expander.ask(b"what", clock).expect("it is asked")
    }

    #[test]
    fn an_answer_is_a_line_and_every_other_end_has_its_reason() {
        let minute = Duration::from_secs(60);
        for (command, answer) in [
            ("cat", Ok(b"what\n".to_vec())),
            (
                "read it; printf one; sleep 0.01; echo 1",
                Ok(b"one1\n".to_vec()),
            ),
            ("read it; exit 3", Err(Cut::Memory)),
            ("read it; kill -XCPU $$", Err(Cut::Time)),
            ("read it; kill -ABRT $$", Err(Cut::Crash)),
            ("read it; kill -KILL $$", Err(Cut::Signal(libc::SIGKILL))),
            ("read it; kill -USR1 $$", Err(Cut::Signal(libc::SIGUSR1))),
            ("read it; printf half", Err(Cut::Crash)),
        ] {
            assert_eq!(ask(command, minute), answer, "{command}");
        }
        let short = Duration::from_millis(20);
        assert_eq!(ask("read it; exec sleep 600", short), Err(Cut::Clock));
    }
}
