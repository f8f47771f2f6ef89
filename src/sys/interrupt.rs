//! Ctrl-C: the first is noted, the second ends the process.
//!
//! Correct means: after the first interrupt the process goes on and can see it; the next has its
//! default effect; and where interrupts were ignored they stay ignored.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static SEEN: AtomicBool = AtomicBool::new(false);
static WATCHED: Once = Once::new();

/// Notes interrupts from now on. To be called as often as anybody likes.
pub fn watch() {
    WATCHED.call_once(|| {
        // Without a handler the first interrupt ends the process, as it did before.
        let _ = install();
    });
}

/// Whether there was an interrupt since [`watch`].
pub fn is_seen() -> bool {
    SEEN.load(Ordering::Acquire)
}

/// Lets what a command starts be interrupted, also where interrupts are ignored or held back around this
/// process, as in a background job of a script: a program inherits both.
pub fn allow_in(command: &mut Command) -> &mut Command {
    let allow = || {
        // SAFETY: zeroed sets and actions are valid ones (all fields are integers); both calls change
        // nothing but this process, and both are async-signal-safe.
        let answers = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&mut set, libc::SIGINT);
            [
                libc::sigaction(libc::SIGINT, &action, ptr::null_mut()),
                libc::sigprocmask(libc::SIG_UNBLOCK, &set, ptr::null_mut()),
            ]
        };
        if answers == [0, 0] {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: between fork and exec the closure makes two system calls, takes no lock and allocates
    // nothing.
    unsafe { command.pre_exec(allow) }
}

fn install() -> io::Result<()> {
    // SAFETY: a zeroed sigaction is a valid one (all fields are integers), `note` has the signature
    // of a plain handler and stores to an atomic only, which is async-signal-safe.
    let answer = unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGINT, ptr::null(), &mut before) != 0 {
            return Err(io::Error::last_os_error());
        }
        // A shell starts background jobs with interrupts ignored.
        if before.sa_sigaction == libc::SIG_IGN {
            return Ok(());
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as usize;
        // The second interrupt finds the default again, which ends the process.
        action.sa_flags = libc::SA_RESETHAND | libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGINT, &action, ptr::null_mut())
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn note(_: libc::c_int) {
    SEEN.store(true, Ordering::Release);
}
