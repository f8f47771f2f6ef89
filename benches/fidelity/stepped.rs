//! What a kernel of Go executes, instruction by instruction.
//!
//! Correct means: every instruction between the entry of the kernel and its return is here, in
//! order, whatever thread of the process does besides, and iterations are cut where the loop's
//! jump back leads.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use iced_x86::{Decoder, DecoderOptions, Instruction};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::go::Program;
use super::sequence::Executed;

/// Steps after which a kernel is given up: some seventy iterations of some hundred instructions.
const MOST: usize = 200_000;

/// What a kernel executed, from its first instruction to its return.
pub(crate) struct Trace(Vec<Executed>);

impl Trace {
    /// The addresses of the kernel itself that each iteration comes by once, in the order of the
    /// trace: where it can be cut into iterations.
    pub(crate) fn cuts(&self) -> Vec<u64> {
        let own = || self.0.iter().filter(|one| one.is_own);
        let mut times: HashMap<u64, usize> = HashMap::new();
        for one in own() {
            *times.entry(one.instruction.ip()).or_default() += 1;
        }
        // As often as the loop's own instructions; the kernel's first and last ones are there once.
        let often = times.values().copied().max().unwrap_or(0);
        let mut seen = HashSet::new();
        own()
            .map(|one| one.instruction.ip())
            .filter(|ip| times[ip] + 1 >= often && often > 1 && seen.insert(*ip))
            .collect()
    }

    /// The iterations, each from one visit of an address to the next.
    pub(crate) fn cut(&self, at: u64) -> Vec<&[Executed]> {
        let visits: Vec<usize> = (0..self.0.len())
            .filter(|&number| self.0[number].is_own && self.0[number].instruction.ip() == at)
            .collect();
        visits
            .windows(2)
            .map(|two| &self.0[two[0]..two[1]])
            .collect()
    }
}

/// Steps a kernel. All threads of the process stand still meanwhile, so that nothing of Go's runtime
/// interferes, but what it had asked for before it stopped: then once more.
pub(crate) fn trace(program: &Program, kernel: &str) -> Result<Trace, String> {
    const TRIES: usize = 4;
    let mut last = String::new();
    for _ in 0..TRIES {
        match attempt(program, kernel) {
            Ok(trace) if trace.cuts().is_empty() => last = "its loop was not found".to_string(),
            other => return other,
        }
    }
    Err(last)
}

fn attempt(program: &Program, kernel: &str) -> Result<Trace, String> {
    let (mut stopping, entry) = program.stopping(kernel)?;
    let process = stopping.process();
    let failed = |error: nix::Error| format!("ptrace: {error}");
    waitpid(process, Some(WaitPidFlag::WUNTRACED)).map_err(failed)?;
    let threads =
        fs::read_dir(format!("/proc/{process}/task")).map_err(|error| error.to_string())?;
    for thread in threads.flatten() {
        let number = thread.file_name().to_string_lossy().parse();
        let thread = Pid::from_raw(number.map_err(|_| "a thread without a number")?);
        ptrace::attach(thread).map_err(failed)?;
        stopping.traced.push(thread);
        wait(thread)?;
    }
    let memory = File::open(format!("/proc/{process}/mem")).map_err(|error| error.to_string())?;
    let mut decoded: HashMap<u64, Instruction> = HashMap::new();
    let mut signal = None;
    let mut trace: Vec<Executed> = Vec::new();
    let mut entered: Option<u64> = None;
    let mut frame = u64::MAX;
    let mut has_called = false;
    for _ in 0..MOST {
        ptrace::step(process, signal).map_err(failed)?;
        signal = wait(process)?;
        if signal.is_some() {
            continue;
        }
        let registers = ptrace::getregs(process).map_err(failed)?;
        if entered.is_none() {
            if registers.rip != entry {
                continue;
            }
            entered = Some(registers.rsp);
        }
        let top = entered.unwrap_or(u64::MAX);
        if registers.rsp > top {
            return Ok(Trace(trace));
        }
        let instruction = match decoded.get(&registers.rip) {
            Some(known) => *known,
            None => {
                let mut bytes = [0; 16];
                memory
                    .read_at(&mut bytes, registers.rip)
                    .map_err(|error| error.to_string())?;
                let instruction =
                    Decoder::with_ip(64, &bytes, registers.rip, DecoderOptions::NONE).decode();
                decoded.insert(registers.rip, instruction);
                instruction
            }
        };
        // The kernel makes its frame first; from its first call on, what is deeper was called.
        if !has_called {
            frame = frame.min(registers.rsp);
            has_called = is_call(&instruction);
        }
        if let Some(last) = trace.last_mut() {
            last.is_taken = registers.rip != last.instruction.next_ip();
        }
        trace.push(Executed {
            instruction,
            is_own: registers.rsp >= frame,
            is_taken: false,
        });
    }
    Err(format!("it did not end within {MOST} steps"))
}

fn is_call(instruction: &Instruction) -> bool {
    use iced_x86::FlowControl::{Call, IndirectCall};
    matches!(instruction.flow_control(), Call | IndirectCall)
}

/// Waits for the next stop: a signal that is for the process itself, or none for a step's end.
fn wait(process: Pid) -> Result<Option<Signal>, String> {
    match waitpid(process, Some(WaitPidFlag::__WALL)) {
        Ok(WaitStatus::Stopped(_, Signal::SIGTRAP | Signal::SIGSTOP)) => Ok(None),
        Ok(WaitStatus::Stopped(_, signal)) => Ok(Some(signal)),
        Ok(other) => Err(format!("it ended while it was stepped: {other:?}")),
        Err(error) => Err(format!("waitpid: {error}")),
    }
}
