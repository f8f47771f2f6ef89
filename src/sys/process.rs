//! Another process: watching it, asking it where it is, ending it.
//!
//! Correct means: a process is addressed by a descriptor, so that a reused number is never hit.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, getppid};

/// A handle to a running child.
#[derive(Debug)]
pub struct Watched {
    descriptor: OwnedFd,
    number: u32,
    clock: Option<ClockId>,
}

/// A running child that is spoken to through pipes.
#[derive(Debug)]
pub struct Piped {
    /// The child.
    pub child: Child,
    /// A handle to it.
    pub watched: Watched,
    /// What it reads.
    pub stdin: ChildStdin,
    /// What it writes.
    pub stdout: ChildStdout,
}

impl Piped {
    /// Starts it in a group of its own: Ctrl-C is for this process, which then ends it.
    ///
    /// # Errors
    /// Where the system starts no more processes, or has no more handles.
    pub fn start(mut command: Command) -> io::Result<Piped> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let watched = Watched::new(&child)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| io::Error::other("it has no pipes"))?;
        Ok(Piped {
            child,
            watched,
            stdin,
            stdout,
        })
    }
}

/// From now on this process ends when its parent does, however that ends.
///
/// # Errors
/// Where it has ended already.
pub fn end_with(parent: u64) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    match u64::try_from(getppid().as_raw()) {
        Ok(now) if now == parent => Ok(()),
        _ => Err(io::Error::other(
            "the process that started this one is gone",
        )),
    }
}

/// Whether the process was started without a standard output. The runtime puts another file in its place before
/// `main`, so that nothing that is opened later gets what is printed.
pub fn has_no_output() -> bool {
    HAS_NO_OUTPUT.load(Ordering::Relaxed)
}

static HAS_NO_OUTPUT: AtomicBool = AtomicBool::new(false);

// SAFETY: the section holds functions that the loader calls, with arguments that this one does not take, before `main`
// and before the runtime opens anything.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look_for_output;

extern "C" fn look_for_output() {
    // SAFETY: it takes two numbers and changes nothing.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    HAS_NO_OUTPUT.store(flags == -1, Ordering::Relaxed);
}

/// From now on the ends of children are kept until somebody asks for them. A process that ignores them, or was started
/// by one that does, would never hear how a child ended.
pub fn hear_of_children() {
    // SAFETY: the default effect of that signal is none, and no code of ours runs.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// From now on a file that gets too long (`ulimit -f`) is an error of who writes it, and not the end of the process.
pub fn survive_long_files() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Waits for a child's end: how it ended, and the time of the processor that it has had.
///
/// # Errors
/// What the kernel says.
pub fn wait_for(child: &mut Child) -> io::Result<(ExitStatus, Duration)> {
    // The kernel adds up the time of all that were waited for.
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
        let [user, system] = [usage.user_time(), usage.system_time()]
            .map(|time| Duration::from_micros(time.num_microseconds().unsigned_abs()));
        Some(user + system)
    };
    let before = used();
    let status = child.wait()?;
    let own = before
        .zip(used())
        .map(|(before, now)| now.saturating_sub(before));
    Ok((status, own.unwrap_or_default()))
}

/// Runs a command to its end, in a process group of its own; none where it was ended, with all that it had started,
/// because `is_over`.
///
/// # Errors
/// That it does not start, or what the kernel says.
pub fn finish(
    command: &mut std::process::Command,
    is_over: impl Fn() -> bool,
) -> io::Result<Option<ExitStatus>> {
    use std::os::unix::process::CommandExt as _;
    const LOOK: Duration = Duration::from_millis(5);
    let mut child = command.process_group(0).spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if is_over() {
            // It was not waited for, so the number of its group is its own.
            let group = Pid::from_raw(child.id() as i32);
            let _ = nix::sys::signal::killpg(group, Signal::SIGKILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// Waits until a child has ended, or a signal asks this process to end: then which.
pub fn outlive(number: i32) -> Option<i32> {
    while is_running(number) {
        if let Some(signal) = super::interrupt::seen() {
            return Some(signal);
        }
        std::thread::sleep(LOOK_AT_CHILD);
    }
    None
}

/// Whether a child ends in so long a time.
pub fn ends_within(number: i32, limit: Duration) -> bool {
    let start = Instant::now();
    while is_running(number) {
        if start.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(LOOK_AT_CHILD);
    }
    true
}

/// How often somebody looks whether a child has ended.
const LOOK_AT_CHILD: Duration = Duration::from_millis(10);

fn is_running(number: i32) -> bool {
    let flags = nix::sys::wait::WaitPidFlag::WNOHANG;
    let state = nix::sys::wait::waitpid(Pid::from_raw(number), Some(flags));
    // Whom somebody else has waited for is an error, and has ended.
    state == Ok(nix::sys::wait::WaitStatus::StillAlive)
}

/// What happened first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The stream has something to read, or was closed.
    Readable,
    /// The process ended and the stream is empty.
    Ended,
    /// One of the other streams has something to read, and neither of the two is so.
    Beside,
    /// Nothing within the time.
    TimedOut,
}

/// Where a line of `/proc/PID/cgroup` has the state of its freezer, the file that changes that, and what stands in the
/// first where it is frozen. The second version is mounted by itself or beside the first.
fn freezers(line: &str) -> Vec<(String, String, &'static str)> {
    let mut parts = line.splitn(3, ':');
    let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    let at = |root: &str, state: &str, file: &str, frozen: &'static str| {
        let folder = format!("/sys/fs/cgroup{root}{}", path.trim_end_matches('/'));
        (
            format!("{folder}/{state}"),
            format!("{folder}/{file}"),
            frozen,
        )
    };
    match (number, controllers) {
        ("0", "") => ["", "/unified"]
            .map(|root| at(root, "cgroup.events", "cgroup.freeze", "frozen 1"))
            .to_vec(),
        _ if controllers.split(',').any(|one| one == "freezer") => {
            vec![at("/freezer", "freezer.state", "freezer.state", "FROZEN")]
        }
        _ => Vec::new(),
    }
}

impl Watched {
    /// Watches a child that was not waited for yet.
    ///
    /// # Errors
    /// What the kernel says; ENOSYS before Linux 5.3.
    pub fn new(child: &Child) -> io::Result<Watched> {
        // SAFETY: pidfd_open takes two numbers. The child is not waited for, so its number is its own.
        let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        let descriptor = unsafe { OwnedFd::from_raw_fd(answer as i32) };
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(child.id() as i32)).ok();
        Ok(Watched {
            descriptor,
            number: child.id(),
            clock,
        })
    }

    /// Processor time that it has had so far; `None` once it is gone.
    pub fn processor_time(&self) -> Option<Duration> {
        let time = clock_gettime(self.clock?).ok()?;
        Some(time.into())
    }

    /// Whether somebody has stopped it, as SIGSTOP, a debugger and a frozen cgroup do: it goes on when it is continued.
    /// Without /proc nobody knows.
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.number));
        // Behind its name, which may be anything.
        let state = stat.ok().and_then(|stat| {
            let (_, rest) = stat.rsplit_once(") ")?;
            rest.chars().next()
        });
        matches!(state, Some('T' | 't')) || self.frozen_by().is_some()
    }

    /// The file that has frozen it with its cgroup, of either version of those; none where none has.
    pub fn frozen_by(&self) -> Option<String> {
        let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", self.number)).ok()?;
        let files = cgroups.lines().flat_map(freezers);
        files
            .into_iter()
            .find(|(state, _, frozen)| {
                let state = std::fs::read_to_string(state).unwrap_or_default();
                state.lines().any(|line| line == *frozen)
            })
            .map(|(_, file, _)| file)
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Writes what the process reads, and looks at `is_over` while it takes none of it: one that is stopped, or that
    /// does something else, does so without an end.
    ///
    /// # Errors
    /// Where it is over, or nobody can read it any more.
    pub fn feed<S: AsFd + Write>(
        &self,
        mut stream: S,
        mut bytes: &[u8],
        mut is_over: impl FnMut() -> bool,
    ) -> io::Result<()> {
        const LOOK: u16 = 50;
        let flags = OFlag::from_bits_truncate(fcntl(&stream, FcntlArg::F_GETFL)?);
        fcntl(&stream, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut wanted = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
                    // A signal is as good as the end of the time.
                    let _ = poll(&mut wanted, LOOK);
                    if is_over() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// ESRCH when the process is gone.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        // SAFETY: a null siginfo asks for the ordinary one; the other arguments are numbers.
        let answer = unsafe {
            let none = std::ptr::null::<libc::siginfo_t>();
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.descriptor.as_raw_fd(),
                signal,
                none,
                0,
            )
        };
        if answer == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Waits until the stream can be read or the process ends.
    ///
    /// # Errors
    /// What poll says.
    pub fn wait(&self, stream: impl AsFd, limit: Duration) -> io::Result<Event> {
        self.wait_beside(stream, &[], limit)
    }

    /// The same, or until one of the others can be read.
    ///
    /// # Errors
    /// What poll says.
    pub fn wait_beside(
        &self,
        stream: impl AsFd,
        others: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> io::Result<Event> {
        let all = [stream.as_fd(), self.descriptor.as_fd()].into_iter();
        let mut wanted: Vec<PollFd<'_>> = all
            .chain(others.iter().copied())
            .map(|one| PollFd::new(one, PollFlags::POLLIN))
            .collect();
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        loop {
            match poll(&mut wanted, limit) {
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(0) => return Ok(Event::TimedOut),
                Ok(_) => break,
            }
        }
        let any = |entry: &PollFd<'_>| entry.any().unwrap_or(true);
        Ok(match &wanted[..] {
            [out, ..] if any(out) => Event::Readable,
            [_, ended, ..] if any(ended) => Event::Ended,
            _ => Event::Beside,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freezer_is_where_its_version_of_cgroups_has_it() {
        let states = |line: &str| -> Vec<String> {
            freezers(line)
                .into_iter()
                .map(|(state, ..)| state)
                .collect()
        };
        assert_eq!(
            states("0::/a/b"),
            [
                "/sys/fs/cgroup/a/b/cgroup.events",
                "/sys/fs/cgroup/unified/a/b/cgroup.events"
            ]
        );
        assert_eq!(
            states("6:freezer:/"),
            ["/sys/fs/cgroup/freezer/freezer.state"]
        );
        assert_eq!(
            states("3:cpuset,freezer:/x:y"),
            ["/sys/fs/cgroup/freezer/x:y/freezer.state"]
        );
        assert_eq!(states("4:memory:/x").len() + states("odd").len(), 0);
    }
}
