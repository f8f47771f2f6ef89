//! A breakpoint in another program, on all of its threads.
//!
//! Correct means: each time that a thread comes to the instruction, its registers are shown once, and it goes on as if
//! the instruction had run; when this ends, the program has its own bytes again and nobody traces it, nor what it has
//! started.
//!
//! The instruction stays covered while its effect is made by hand: with the instruction put back for a single step,
//! other threads would pass unseen. ptrace(2) has the rules.

mod effect;
mod path;
mod ptrace;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::interrupt;
use effect::compared;
pub use effect::{Effect, Memory, Operand, Registers};
pub use path::Path;
use ptrace::{
    Report, is_thread_of, newborn, registers, request, request_alive, send, set_registers,
};

/// What the processor stops at: `int3`.
const COVER: u8 = 0xcc;

/// An instruction to stop at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breakpoint {
    /// Where it begins, in the process.
    pub address: u64,
    /// Its bytes.
    pub length: u8,
    /// What it does.
    pub effect: Effect,
}

/// How watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The program ended, so.
    Ended(ExitStatus),
    /// It has become another program.
    Replaced,
    /// Who looks has seen enough.
    Enough,
    /// A signal asks this process to end.
    Interrupted,
}

/// What was seen of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How it ended.
    pub end: End,
    /// Threads that it has had.
    pub threads: usize,
}

/// A program in front of its first instruction.
#[derive(Debug)]
pub struct Stopped {
    process: i32,
    memory: Memory,
}

impl Stopped {
    /// Starts a program and has it wait in front of its first instruction.
    ///
    /// # Errors
    /// That it does not start, or that this system allows nobody to trace.
    pub fn start(command: &mut Command) -> io::Result<Stopped> {
        let prepare = || {
            // SAFETY: the calls take numbers and touch nothing but this process; all are plain system calls.
            unsafe {
                // What this process has changed for itself is not the program's.
                libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
                let mut limit: libc::rlimit = std::mem::zeroed();
                libc::getrlimit(libc::RLIMIT_DATA, &mut limit);
                limit.rlim_cur = limit.rlim_max;
                libc::setrlimit(libc::RLIMIT_DATA, &limit);
                let none = ptr::null_mut::<libc::c_void>();
                if libc::ptrace(libc::PTRACE_TRACEME, 0, none, none) == -1 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes system calls, takes no lock and allocates nothing.
        unsafe { command.pre_exec(prepare) };
        let child = command.spawn()?;
        let process = child.id() as i32;
        let report = Report::next(process)?;
        if let Some(status) = report.ended() {
            return Err(io::Error::other(format!("it ended at once: {status}")));
        }
        let options = libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_EXITKILL;
        request(libc::PTRACE_SETOPTIONS, process, options as usize)?;
        Ok(Stopped {
            process,
            memory: Memory::of(process)?,
        })
    }

    /// Its number.
    pub fn number(&self) -> i32 {
        self.process
    }

    /// Where the first page of its file is.
    ///
    /// # Errors
    /// What the system says.
    pub fn first_page(&self) -> io::Result<u64> {
        let program = fs::read_link(format!("/proc/{}/exe", self.process))?;
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.process))?;
        let name = program.to_string_lossy();
        let line = maps.lines().find(|line| line.ends_with(&*name));
        let start = line.and_then(|line| line.split('-').next());
        let start = start.and_then(|start| u64::from_str_radix(start, 16).ok());
        start.ok_or_else(|| io::Error::other("its memory has no page of its file"))
    }

    /// Lets it run, and shows each thread that comes to the instruction, with the operands' values (a call and a jump
    /// have one), until `look` says that it was enough, the program ends, or a signal asks this process to end.
    ///
    /// # Errors
    /// What the system says; the program is ended then.
    pub fn watch(
        self,
        breakpoint: Breakpoint,
        look: impl FnMut(&Registers, &Memory, [u64; 2]) -> bool,
    ) -> io::Result<Seen> {
        let [own] = self
            .memory
            .read(breakpoint.address)
            .ok_or_else(|| io::Error::other("the instruction is not in its memory"))?;
        self.memory.0.write_all_at(&[COVER], breakpoint.address)?;
        let process = self.process;
        let mut watch = Watch {
            process,
            memory: self.memory,
            breakpoint,
            own,
            look,
            threads: HashMap::from([(process, false)]),
            early: HashSet::new(),
            guests: HashSet::new(),
            count: 1,
        };
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| wake(process, &is_over));
            let seen = watch.run();
            is_over.store(true, Ordering::Release);
            if seen.is_err() {
                send(process, libc::SIGKILL);
            }
            seen
        })
    }
}

/// Stops the program once when a signal asks this process to end, so that who waits for it hears of that.
fn wake(process: i32, is_over: &AtomicBool) {
    const LOOK: Duration = Duration::from_millis(10);
    while !is_over.load(Ordering::Acquire) {
        if interrupt::seen().is_some() {
            // SAFETY: the call takes two numbers; the process is a child that is watched until `is_over`.
            unsafe { libc::kill(process, libc::SIGSTOP) };
            return;
        }
        std::thread::sleep(LOOK);
    }
}

struct Watch<F> {
    process: i32,
    memory: Memory,
    breakpoint: Breakpoint,
    /// The byte that is covered.
    own: u8,
    look: F,
    /// Those that are traced, and whether the stop that each begins with is still to come.
    threads: HashMap<i32, bool>,
    /// Those that have stopped before anybody has told of them; they wait.
    early: HashSet<i32>,
    /// Processes that run in the program's memory until they become another program.
    guests: HashSet<i32>,
    count: usize,
}

impl<F: FnMut(&Registers, &Memory, [u64; 2]) -> bool> Watch<F> {
    fn run(&mut self) -> io::Result<Seen> {
        request(libc::PTRACE_CONT, self.process, 0)?;
        let mut waiting = None;
        loop {
            let report = match waiting.take() {
                Some(report) => report,
                None => Report::next(-1)?,
            };
            if let Some(status) = report.ended() {
                self.threads.remove(&report.thread);
                self.guests.remove(&report.thread);
                if report.thread == self.process {
                    return Ok(self.seen(End::Ended(status)));
                }
                continue;
            }
            if report.event() != 0 {
                if let Some(end) = self.event(report)? {
                    return self.leave(None, end);
                }
                continue;
            }
            if self.is_first_stop(report)? {
                continue;
            }
            if interrupt::seen().is_some() {
                return self.leave(Some(report), End::Interrupted);
            }
            match self.is_hit(report)? {
                Some(mut registers) => {
                    let (is_enough, next) = self.visit(report.thread, &mut registers)?;
                    if is_enough {
                        return self.leave(next.or(Some(report.without_signal())), End::Enough);
                    }
                    waiting = next;
                    if waiting.is_none() {
                        request_alive(libc::PTRACE_CONT, report.thread, 0)?;
                    }
                }
                None => {
                    request_alive(libc::PTRACE_CONT, report.thread, passed(report.signal()))?;
                }
            }
        }
    }

    fn seen(&self, end: End) -> Seen {
        Seen {
            end,
            threads: self.count,
        }
    }

    /// Whether a thread stands behind the covered instruction.
    fn is_hit(&self, report: Report) -> io::Result<Option<Registers>> {
        if report.signal() != libc::SIGTRAP || report.event() != 0 {
            return Ok(None);
        }
        let found = match registers(report.thread) {
            Ok(found) => found,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok((found.0.rip == self.breakpoint.address + 1).then_some(found))
    }

    /// Takes the stop that each thread begins with; a process of its own is let go.
    fn is_first_stop(&mut self, report: Report) -> io::Result<bool> {
        let thread = report.thread;
        match self.threads.get_mut(&thread) {
            Some(is_awaited) if *is_awaited && report.signal() == libc::SIGSTOP => {
                *is_awaited = false;
                request_alive(libc::PTRACE_CONT, thread, 0)?;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => {
                self.early.insert(thread);
                Ok(true)
            }
        }
    }

    /// What ptrace tells of: a new thread, a new process, another program.
    fn event(&mut self, report: Report) -> io::Result<Option<End>> {
        let thread = report.thread;
        match report.event() {
            libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_VFORK => {
                let new = newborn(thread)?;
                let is_early = self.early.remove(&new);
                self.threads.insert(new, !is_early);
                match is_thread_of(self.process, new) {
                    true => self.count += 1,
                    false => drop(self.guests.insert(new)),
                }
                if is_early {
                    request_alive(libc::PTRACE_CONT, new, 0)?;
                }
            }
            libc::PTRACE_EVENT_FORK => self.release_fork(newborn(thread)?)?,
            libc::PTRACE_EVENT_EXEC if thread == self.process => {
                request_alive(libc::PTRACE_DETACH, thread, 0)?;
                self.threads.clear();
                return Ok(Some(End::Replaced));
            }
            libc::PTRACE_EVENT_EXEC => {
                self.threads.remove(&thread);
                self.guests.remove(&thread);
                return request_alive(libc::PTRACE_DETACH, thread, 0).map(|()| None);
            }
            _ => {}
        }
        request_alive(libc::PTRACE_CONT, thread, 0)?;
        Ok(None)
    }

    /// Gives a copy of the program its own byte, and lets it go.
    fn release_fork(&mut self, new: i32) -> io::Result<()> {
        if !self.early.remove(&new) {
            let report = Report::next(new)?;
            if report.ended().is_some() {
                return Ok(());
            }
        }
        Memory::of(new)?
            .0
            .write_all_at(&[self.own], self.breakpoint.address)?;
        request_alive(libc::PTRACE_DETACH, new, 0)
    }

    /// Shows a thread, and does what the instruction does: whether that was enough, and what it reported meanwhile.
    fn visit(
        &mut self,
        thread: i32,
        registers: &mut Registers,
    ) -> io::Result<(bool, Option<Report>)> {
        let Breakpoint {
            address,
            length,
            effect,
        } = self.breakpoint;
        let next = address + u64::from(length);
        let value = |operand, size| self.memory.value(registers, operand, size);
        let values = match effect {
            Effect::Call(operand) | Effect::Jump(operand) => value(operand, 8).map(|one| [one, 0]),
            Effect::Compare(one, other, size) => value(one, size)
                .zip(value(other, size))
                .map(|(one, other)| [one, other]),
        };
        let Some(values) = values else {
            // It reads what is not there: the processor is to say so.
            return Ok((false, self.step(thread, registers)?));
        };
        let is_enough = !(self.look)(registers, &self.memory, values);
        let r = &mut registers.0;
        match effect {
            Effect::Call(_) => {
                let top = r.rsp.wrapping_sub(8);
                if self
                    .memory
                    .0
                    .write_all_at(&next.to_le_bytes(), top)
                    .is_err()
                {
                    return Ok((is_enough, self.step(thread, registers)?));
                }
                r.rsp = top;
                r.rip = values[0];
            }
            Effect::Jump(_) => r.rip = values[0],
            Effect::Compare(_, _, size) => {
                r.eflags = compared(r.eflags, values, size);
                r.rip = next;
            }
        }
        match set_registers(thread, registers) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            other => other?,
        }
        Ok((is_enough, None))
    }

    /// Has the processor run the instruction itself. Another thread that comes to it meanwhile is not seen.
    fn step(&mut self, thread: i32, registers: &mut Registers) -> io::Result<Option<Report>> {
        let address = self.breakpoint.address;
        registers.0.rip = address;
        set_registers(thread, registers)?;
        self.memory.0.write_all_at(&[self.own], address)?;
        request_alive(libc::PTRACE_SINGLESTEP, thread, 0)?;
        let report = Report::next(thread)?;
        self.memory.0.write_all_at(&[COVER], address)?;
        let is_done =
            report.ended().is_none() && report.signal() == libc::SIGTRAP && report.event() == 0;
        // Another signal came first; the thread comes here again behind its handler.
        Ok((!is_done).then_some(report))
    }

    /// Puts the byte back and lets all threads go, this one last, which stands still: where it works alone, it does
    /// nothing more while anybody traces the program.
    fn leave(&mut self, stopped: Option<Report>, end: End) -> io::Result<Seen> {
        let address = self.breakpoint.address;
        if end != End::Replaced {
            self.memory.0.write_all_at(&[self.own], address)?;
        }
        let first = stopped.map(|report| report.thread);
        for (thread, is_awaited) in &self.threads {
            if Some(*thread) != first && !is_awaited {
                send(*thread, libc::SIGSTOP);
            }
        }
        // Whoever has started a guest stands still until that has become another program.
        let is_guest = |report: &Report| self.guests.contains(&report.thread);
        let held = match stopped {
            Some(report) if is_guest(&report) => {
                self.let_go(report, true)?;
                None
            }
            other => other,
        };
        let mut told = HashSet::new();
        for thread in std::mem::take(&mut self.early) {
            told.insert(thread);
            self.uncover_copy(thread);
            request_alive(libc::PTRACE_DETACH, thread, 0)?;
        }
        let held_thread = held.map(|report| report.thread);
        let is_other = |thread: &i32| Some(*thread) != held_thread;
        while self.threads.keys().any(is_other) {
            let report = Report::next(-1)?;
            if let Some(status) = report.ended() {
                self.threads.remove(&report.thread);
                if report.thread == self.process {
                    return Ok(self.seen(End::Ended(status)));
                }
                continue;
            }
            if !self.threads.contains_key(&report.thread) {
                told.insert(report.thread);
            }
            match report.event() {
                libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_FORK => {
                    let new = newborn(report.thread)?;
                    if !told.remove(&new) {
                        self.threads.insert(new, true);
                    }
                    request_alive(libc::PTRACE_CONT, report.thread, 0)?;
                }
                0 => self.let_go(report, false)?,
                _ => {
                    self.threads.remove(&report.thread);
                    request_alive(libc::PTRACE_DETACH, report.thread, 0)?;
                }
            }
        }
        if let Some(report) = held {
            self.let_go(report, true)?;
        }
        if end == End::Interrupted {
            // A stop that was sent twice would hold the program; this takes it back.
            // SAFETY: the call takes two numbers, and the process was not waited for.
            unsafe { libc::kill(self.process, libc::SIGCONT) };
        }
        Ok(self.seen(end))
    }

    /// Gives a copy of the program its own byte; threads of the program have it.
    fn uncover_copy(&self, number: i32) {
        if !is_thread_of(self.process, number)
            && let Ok(memory) = Memory::of(number)
        {
            // One that has become another program meanwhile has nothing there.
            let _ = memory.0.write_all_at(&[self.own], self.breakpoint.address);
        }
    }

    /// Lets a thread go that is stopped; one with another signal first takes that, if the stop is still to come.
    fn let_go(&mut self, report: Report, is_last: bool) -> io::Result<()> {
        let thread = report.thread;
        let hit = self.is_hit(report)?;
        if let Some(mut registers) = hit {
            // The instruction is there again.
            registers.0.rip = self.breakpoint.address;
            set_registers(thread, &registers)?;
        }
        let signal = match (hit, report.event()) {
            (None, 0) => passed(report.signal()),
            _ => 0,
        };
        if is_last || report.signal() == libc::SIGSTOP {
            self.uncover_copy(thread);
            self.threads.remove(&thread);
            return request_alive(libc::PTRACE_DETACH, thread, signal);
        }
        request_alive(libc::PTRACE_CONT, thread, signal)
    }
}

/// The signal that a thread gets: stops are this tool's own.
fn passed(signal: i32) -> usize {
    match signal {
        libc::SIGSTOP => 0,
        other => other as usize,
    }
}
