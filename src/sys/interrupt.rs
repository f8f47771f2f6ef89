//! Signals that ask a process to end: the first is noted, the second ends it.
//!
//! Correct means: after the first of them the process goes on and can see which it was; the next, whichever it is,
//! has its default effect, unless it comes with the first: a terminal that is closed and its shell send one each; and
//! those that were ignored stay ignored.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Ctrl-C, what `kill` and `timeout` send, a closed terminal, Ctrl-\, the soft limit of `ulimit -t`; what batch systems
/// send as a warning before their own end; the timers that a shell or a debugger can leave to a program; and a failing
/// power supply. All of them end a process that does not ask for them.
pub const ENDING: [i32; 12] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGXCPU,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
];

/// The first one's number; 0 where there was none.
static SEEN: AtomicI32 = AtomicI32::new(0);
/// When it came, nanoseconds of the monotonic clock.
static CAME_NS: AtomicU64 = AtomicU64::new(0);
static WATCHED: Once = Once::new();

/// What comes so soon after the first one comes with it; nobody presses a key twice in that time.
const TOGETHER_NS: u64 = 150_000_000;

/// Notes these signals from now on. To be called as often as anybody likes.
pub fn watch() {
    WATCHED.call_once(|| {
        // Without a handler the first signal ends the process, as it did before.
        for signal in ENDING {
            let _ = install(signal);
        }
    });
}

/// The first such signal since [`watch`].
pub fn seen() -> Option<i32> {
    Some(SEEN.load(Ordering::Acquire)).filter(|signal| *signal != 0)
}

/// Lets what a command starts be ended by these signals, also where they are ignored or held back around this
/// process, as interrupts are in a background job of a script: a program inherits both.
pub fn allow_in(command: &mut Command) -> &mut Command {
    let allow = || {
        // SAFETY: zeroed sets and actions are valid ones (all fields are integers); the calls change
        // nothing but this process, and all are async-signal-safe.
        let is_done = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            let mut set: libc::sigset_t = std::mem::zeroed();
            let mut is_done = true;
            for signal in ENDING {
                libc::sigaddset(&mut set, signal);
                is_done &= libc::sigaction(signal, &action, ptr::null_mut()) == 0;
            }
            is_done & (libc::sigprocmask(libc::SIG_UNBLOCK, &set, ptr::null_mut()) == 0)
        };
        if is_done {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: between fork and exec the closure makes system calls, takes no lock and allocates
    // nothing.
    unsafe { command.pre_exec(allow) }
}

fn install(signal: i32) -> io::Result<()> {
    // SAFETY: a zeroed sigaction is a valid one (all fields are integers), and `note` has the signature
    // of a plain handler.
    let answer = unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, ptr::null(), &mut before) != 0 {
            return Err(io::Error::last_os_error());
        }
        // A shell starts background jobs with interrupts ignored, and `nohup` ignores hang-ups.
        if before.sa_sigaction == libc::SIG_IGN {
            return Ok(());
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, ptr::null_mut())
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Nanoseconds of a clock that only goes forward.
fn now_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes the value it is given and is async-signal-safe (signal-safety(7)).
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

extern "C" fn note(signal: libc::c_int) {
    let is_first = SEEN
        .compare_exchange(0, signal, Ordering::AcqRel, Ordering::Acquire)
        .is_ok();
    if is_first {
        CAME_NS.store(now_ns(), Ordering::Release);
        return;
    }
    if now_ns().saturating_sub(CAME_NS.load(Ordering::Acquire)) >= TOGETHER_NS {
        // SAFETY: both calls are async-signal-safe; the signal is held back until this handler returns, and then
        // has its default effect, which ends the process.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
}
