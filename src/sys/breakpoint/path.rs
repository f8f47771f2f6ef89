//! What a thread executes from the entry of a function to its return.
//!
//! Correct means: each instruction between is told once, in the order in which it ran, as the thread of the program ran
//! it; the program is ended then.

use std::io;
use std::os::unix::fs::FileExt as _;

use super::ptrace::{Report, registers, request, request_alive, send, set_registers};
use super::{COVER, Registers, Stopped, passed};

/// A call that was stepped through.
#[derive(Debug, Clone)]
pub struct Path {
    /// Registers in front of its first instruction.
    pub entry: Registers,
    /// The address of each instruction that ran, in order.
    pub addresses: Vec<u64>,
}

impl Stopped {
    /// Lets the program run until a thread comes to `entry`, and has that thread go on step by step until the function
    /// returns. None where no thread comes there; the program is ended in any case.
    ///
    /// A stack that is moved meanwhile, as Go does for a function that needs more of it, makes the return unknown.
    ///
    /// # Errors
    /// What the system says, and a call of more than `most` instructions.
    pub fn first_call(self, entry: u64, most: usize) -> io::Result<Option<Path>> {
        let process = self.process;
        let path = self.stepped(entry, most);
        send(process, libc::SIGKILL);
        // The process ends when each of its threads was waited for.
        let is_last = |report: Report| report.thread == process && report.ended().is_some();
        while Report::next(-1).is_ok_and(|report| !is_last(report)) {}
        path
    }

    fn stepped(&self, entry: u64, most: usize) -> io::Result<Option<Path>> {
        let not_there = || io::Error::other("the function is not in its memory");
        let [own] = self.memory.read(entry).ok_or_else(not_there)?;
        self.memory.0.write_all_at(&[COVER], entry)?;
        let Some((thread, mut at_entry)) = self.reach(entry)? else {
            return Ok(None);
        };
        self.memory.0.write_all_at(&[own], entry)?;
        at_entry.0.rip = entry;
        set_registers(thread, &at_entry)?;
        let mut addresses = vec![entry];
        loop {
            request(libc::PTRACE_SINGLESTEP, thread, 0)?;
            let report = Report::next(thread)?;
            if report.ended().is_some() {
                return Err(io::Error::other("the thread ended on the way"));
            }
            // A signal of the runtime's, for a switch of goroutines; without it this one goes on.
            if report.signal() != libc::SIGTRAP || report.event() != 0 {
                continue;
            }
            let now = registers(thread)?;
            if now.0.rsp > at_entry.0.rsp {
                return Ok(Some(Path {
                    entry: at_entry,
                    addresses,
                }));
            }
            if addresses.len() == most {
                return Err(io::Error::other(format!(
                    "the call takes more than {most} instructions"
                )));
            }
            addresses.push(now.0.rip);
        }
    }

    /// Waits for the first thread that comes to the covered instruction.
    fn reach(&self, entry: u64) -> io::Result<Option<(i32, Registers)>> {
        request(libc::PTRACE_CONT, self.process, 0)?;
        loop {
            let report = Report::next(-1)?;
            if report.ended().is_some() {
                if report.thread == self.process {
                    return Ok(None);
                }
                continue;
            }
            if report.signal() == libc::SIGTRAP && report.event() == 0 {
                let found = registers(report.thread)?;
                if found.0.rip == entry + 1 {
                    return Ok(Some((report.thread, found)));
                }
            }
            let signal = match report.event() {
                0 => passed(report.signal()),
                _ => 0,
            };
            request_alive(libc::PTRACE_CONT, report.thread, signal)?;
        }
    }
}
