//! Work in a process of its own, with an end to its memory and its time.
//!
//! Correct means: whatever the work does, the caller gets its bytes or the reason why there are
//! none, and all that it took is given back.

use std::io::{self, PipeReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::memory::{self, OUT_OF_MEMORY};
use super::shared::SharedPage;

/// What work may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes above what the process has already.
    pub memory: u64,
    /// Processor time.
    pub processor: Duration,
    /// Time on the clock: only a process that waits for something gets there.
    pub clock: Duration,
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It wanted more memory.
    Memory,
    /// It wanted more processor time.
    Time,
    /// It waited for something, or got no processor.
    Clock,
    /// It panicked or crashed.
    Crash,
}

/// Work that gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Why.
    pub cut: Cut,
    /// The last number that it noted, or 0.
    pub noted: u64,
}

/// Exit status of work that panicked.
const PANICKED: i32 = 101;

/// The bytes that `work` gives; it may note how far it has got.
///
/// # Errors
/// When the system gives no process, pipe or page; and within, why the work gave nothing.
pub fn run(
    limits: &Limits,
    work: impl FnOnce(&dyn Fn(u64)) -> Vec<u8>,
) -> io::Result<Result<Vec<u8>, Stopped>> {
    let page = SharedPage::new()?;
    let (reader, writer) = io::pipe()?;
    // SAFETY: the child allocates, which glibc allows after a fork, writes to its pipe and leaves
    // through _exit: no destructor, exit handler or buffer of the parent runs twice. A lock that
    // another thread held at this moment could keep it waiting, and then the clock ends it.
    match unsafe { fork()? } {
        ForkResult::Child => {
            drop(reader);
            bound(limits);
            let given = catch_unwind(AssertUnwindSafe(|| work(&|number| page.note(0, number))));
            let sent = given.map(|bytes| { writer }.write_all(&bytes));
            let status = if matches!(sent, Ok(Ok(()))) {
                0
            } else {
                PANICKED
            };
            // SAFETY: _exit takes a number and does not return.
            unsafe { libc::_exit(status) }
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let read = read_until(reader, Instant::now() + limits.clock);
            if !matches!(read, Ok(Some(_))) {
                // It is not waited for yet, so the number is its own.
                let _ = kill(child, Signal::SIGKILL);
            }
            let cut = ending(child)?;
            let stopped = |cut| Stopped {
                cut,
                noted: page.noted(0),
            };
            Ok(match (cut, read?) {
                (None, Some(bytes)) => Ok(bytes),
                (Some(cut), Some(_)) => Err(stopped(cut)),
                (_, None) => Err(stopped(Cut::Clock)),
            })
        }
    }
}

/// Bounds the process at hand. A limit that cannot be set leaves those of its parent.
fn bound(limits: &Limits) {
    memory::end_silently();
    if let (Some(used), Ok((soft, hard))) = (data_bytes(), getrlimit(Resource::RLIMIT_DATA)) {
        let _ = setrlimit(Resource::RLIMIT_DATA, soft.min(used + limits.memory), hard);
    }
    let timer = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: limits.processor.as_secs() as i64,
            tv_usec: limits.processor.subsec_micros().into(),
        },
    };
    // SAFETY: the timer is a whole itimerval; nobody wants the old one.
    unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()) };
}

/// What RLIMIT_DATA counts, now.
fn data_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let data: u64 = pages.split(' ').nth(5)?.parse().ok()?;
    Some(data * super::mapping::PAGE as u64)
}

/// All that comes until the other end is closed; nothing when that takes too long.
fn read_until(mut reader: PipeReader, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut wanted = [PollFd::new(
            std::os::fd::AsFd::as_fd(&reader),
            PollFlags::POLLIN,
        )];
        match poll(&mut wanted, limit) {
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(0) => return Ok(None),
            Ok(_) => {}
        }
        match reader.read(&mut piece)? {
            0 => return Ok(Some(bytes)),
            length => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

/// Waits for the end of a child: nothing where it was a good one.
fn ending(child: Pid) -> io::Result<Option<Cut>> {
    loop {
        return Ok(match waitpid(child, None) {
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(WaitStatus::Exited(_, 0)) => None,
            Ok(WaitStatus::Exited(_, OUT_OF_MEMORY)) => Some(Cut::Memory),
            Ok(WaitStatus::Signaled(_, Signal::SIGPROF, _)) => Some(Cut::Time),
            Ok(_) => Some(Cut::Crash),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        memory: 64 << 20,
        processor: Duration::from_millis(200),
        clock: Duration::from_secs(60),
    };

    fn cut(work: impl FnOnce(&dyn Fn(u64)) -> Vec<u8>) -> Stopped {
        run(&LIMITS, work).expect("starts").expect_err("is cut off")
    }

    #[test]
    fn work_within_its_limits_gives_its_bytes() {
        let text = vec![7; 1 << 20];
        let given = run(&LIMITS, |_| text.clone()).expect("starts");
        assert_eq!(given.expect("is done"), text);
    }

    #[test]
    fn work_beyond_its_limits_says_how_far_it_got() {
        let greedy = cut(|note| {
            note(5);
            vec![1; 1 << 30]
        });
        assert_eq!((greedy.cut, greedy.noted), (Cut::Memory, 5));
        let endless = cut(|note| {
            note(6);
            loop {
                std::hint::spin_loop();
            }
        });
        assert_eq!((endless.cut, endless.noted), (Cut::Time, 6));
        assert_eq!(cut(|_| std::process::abort()).cut, Cut::Crash);
    }

    #[test]
    fn work_that_waits_is_ended_by_the_clock() {
        let limits = Limits {
            clock: Duration::from_millis(20),
            ..LIMITS
        };
        let waiting = run(&limits, |_| {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        assert_eq!(
            waiting.expect("starts").expect_err("is cut off").cut,
            Cut::Clock
        );
    }
}
