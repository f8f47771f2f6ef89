//! The requests of ptrace that a breakpoint takes.
//!
//! Correct means: each is made of a thread that this one traces, and touches no memory but what it is given.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::ptr;

use super::Registers;

/// Something that a thread has reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    pub(super) thread: i32,
    pub(super) status: i32,
}

impl Report {
    /// The next one, of one thread or of any that this thread traces: what another thread of this process has started is
    /// its own affair.
    pub(super) fn next(of: i32) -> io::Result<Report> {
        loop {
            let mut status = 0;
            // SAFETY: the call writes the one integer.
            let thread =
                unsafe { libc::waitpid(of, &mut status, libc::__WALL | libc::__WNOTHREAD) };
            if thread > 0 {
                return Ok(Report { thread, status });
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    pub(super) fn ended(self) -> Option<ExitStatus> {
        let is_ended = libc::WIFEXITED(self.status) || libc::WIFSIGNALED(self.status);
        is_ended.then(|| ExitStatus::from_raw(self.status))
    }

    pub(super) fn signal(self) -> i32 {
        libc::WSTOPSIG(self.status)
    }

    /// The same of a thread whose signal was for this tool.
    pub(super) fn without_signal(self) -> Report {
        Report {
            status: (libc::SIGSTOP << 8) | 0x7f,
            ..self
        }
    }

    /// An event of ptrace, 0 where it is a signal.
    pub(super) fn event(self) -> i32 {
        self.status >> 16
    }
}

/// What is asked of the kernel, in the type that each libc has for it.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
/// What is asked of the kernel, in the type that each libc has for it.
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

/// A request of ptrace that takes two numbers.
pub(super) fn request(what: Request, thread: i32, data: usize) -> io::Result<()> {
    // SAFETY: the requests that are made here (CONT, SINGLESTEP, DETACH, SETOPTIONS) take numbers and touch no memory
    // of this process.
    let answer = unsafe { libc::ptrace(what, thread, ptr::null_mut::<libc::c_void>(), data) };
    if answer == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The same where the thread may have been killed meanwhile, which it reports itself.
pub(super) fn request_alive(what: Request, thread: i32, data: usize) -> io::Result<()> {
    match request(what, thread, data) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

pub(super) fn registers(thread: i32) -> io::Result<Registers> {
    // SAFETY: a zeroed structure of integers is a valid one.
    let mut found: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes the structure, which is as large as it expects.
    let answer = unsafe {
        libc::ptrace(
            libc::PTRACE_GETREGS,
            thread,
            ptr::null_mut::<libc::c_void>(),
            &mut found,
        )
    };
    if answer == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(Registers(found))
}

pub(super) fn set_registers(thread: i32, registers: &Registers) -> io::Result<()> {
    // SAFETY: the kernel reads the structure, which is as large as it expects.
    let answer = unsafe {
        libc::ptrace(
            libc::PTRACE_SETREGS,
            thread,
            ptr::null_mut::<libc::c_void>(),
            &registers.0,
        )
    };
    if answer == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The thread or process that an event tells of.
pub(super) fn newborn(thread: i32) -> io::Result<i32> {
    let mut number: libc::c_ulong = 0;
    // SAFETY: the kernel writes the one integer.
    let answer = unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            thread,
            ptr::null_mut::<libc::c_void>(),
            &mut number,
        )
    };
    if answer == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(number as i32)
}

pub(super) fn send(thread: i32, signal: i32) {
    // SAFETY: the call takes two numbers. The thread is traced by this one and was not waited for after its end, so its
    // number is its own; where it has ended, nothing happens.
    unsafe { libc::syscall(libc::SYS_tkill, thread, signal) };
}

pub(super) fn is_thread_of(process: i32, number: i32) -> bool {
    fs::metadata(format!("/proc/{process}/task/{number}")).is_ok()
}
