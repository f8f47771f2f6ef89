//! Signal handlers that record what generated code did, and the log of a single-stepped run.
//!
//! Correct means: a handler touches nothing but atomics, the shared page and the preallocated log,
//! runs on a stack of its own, and a fault ends the process with [`FAULT_STATUS`].

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::shared::SharedPage;

/// Exit status of a process that a handler ended.
pub const FAULT_STATUS: i32 = 97;
/// The signal by which a parent asks where the process is; it records and ends.
pub const WHERE: i32 = libc::SIGALRM;

/// The signals recorded, with their names.
#[rustfmt::skip] // a table: one signal a line
const RECORDED: [(i32, &str); 8] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS,  "SIGBUS"),
    (libc::SIGILL,  "SIGILL"),
    (libc::SIGFPE,  "SIGFPE"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGSYS,  "SIGSYS"),
    (libc::SIGXCPU, "SIGXCPU"),
    (WHERE,         "SIGALRM"),
];

/// A signal's name.
pub fn name(signal: i32) -> String {
    let known = RECORDED.iter().find(|(number, _)| *number == signal);
    known.map_or_else(
        || format!("signal {signal}"),
        |(_, name)| (*name).to_string(),
    )
}

/// Hardware register numbers in the order of the kernel's context.
const REGISTER_ORDER: [i32; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// The machine after one instruction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Address of the next instruction.
    pub ip: u64,
    /// RFLAGS, trap flag included.
    pub flags: u64,
    /// MXCSR.
    pub mxcsr: u32,
    /// General-purpose registers by hardware number.
    pub registers: [u64; 16],
}

/// Room for the steps of a run.
#[derive(Debug)]
pub struct StepLog {
    steps: Vec<Step>,
    used: usize,
    escaped: bool,
    escape: u64,
    stop: Option<u64>,
}

impl StepLog {
    /// Room for `capacity` steps, touched here so that no handler faults a page in.
    pub fn new(capacity: usize) -> StepLog {
        StepLog {
            steps: vec![Step::default(); capacity.max(1)],
            used: 0,
            escaped: false,
            escape: 0,
            stop: None,
        }
    }

    /// Cuts the runs from now on short where `address` is next; `None` lets them run on.
    pub fn stop_at(&mut self, address: Option<u64>) {
        self.stop = address;
    }

    /// The steps of the last run, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps[..self.used]
    }

    /// Whether the last run was cut short: the log was full, or the stop was reached.
    pub fn is_cut_short(&self) -> bool {
        self.escaped
    }
}

static LOG: AtomicPtr<StepLog> = AtomicPtr::new(ptr::null_mut());
static PAGE: AtomicPtr<SharedPage> = AtomicPtr::new(ptr::null_mut());

/// Proof that a log is being written; ends it when dropped.
pub(super) struct Stepping<'a>(PhantomData<Cell<&'a mut StepLog>>);

pub(super) fn begin_steps(log: &mut StepLog, escape: u64) -> Stepping<'_> {
    assert!(
        !PAGE.load(Ordering::Acquire).is_null(),
        "install the handlers before stepping"
    );
    log.used = 0;
    log.escaped = false;
    log.escape = escape;
    LOG.store(log, Ordering::Release);
    Stepping(PhantomData)
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        LOG.store(ptr::null_mut(), Ordering::Release);
    }
}

/// Installs the handlers of this process, on a stack of their own, recording into `page`.
///
/// # Errors
/// What the kernel says.
pub fn install(page: SharedPage) -> io::Result<&'static SharedPage> {
    const HANDLER_STACK: usize = 256 * 1024;
    let page: &'static mut SharedPage = Box::leak(Box::new(page));
    PAGE.store(page, Ordering::Release);
    let stack = Box::leak(vec![0u8; HANDLER_STACK].into_boxed_slice());
    let stack = libc::stack_t {
        ss_sp: stack.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: HANDLER_STACK,
    };
    // SAFETY: the stack is leaked, so it outlives every handler; it is larger than what the kernel
    // asks for with AVX-512 state (3376 bytes).
    if unsafe { libc::sigaltstack(&stack, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for (signal, _) in RECORDED {
        // SAFETY: a zeroed sigaction is a valid one (all fields are integers), `handle` has the
        // signature that SA_SIGINFO asks for, and it is async-signal-safe.
        let answer = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigfillset(&mut action.sa_mask);
            libc::sigaction(signal, &action, ptr::null_mut())
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(page)
}

extern "C" fn handle(signal: i32, facts: *mut libc::siginfo_t, context: *mut libc::c_void) {
    const TRAP_TRACE: i32 = 2;
    // SAFETY: the kernel passes a valid siginfo and ucontext to an SA_SIGINFO handler, and nothing
    // else refers to them while it runs.
    let (facts, context) = unsafe { (&*facts, &mut *context.cast::<libc::ucontext_t>()) };
    let log = LOG.load(Ordering::Acquire);
    if signal == libc::SIGTRAP && facts.si_code == TRAP_TRACE && !log.is_null() {
        // SAFETY: the log outlives its `Stepping` guard, which is alive as long as LOG is not null,
        // and the interrupted code is generated code or the asm block around it, neither of which
        // holds a reference to it. All signals are masked here, so no second handler runs.
        step(unsafe { &mut *log }, context);
        return;
    }
    // SAFETY: PAGE is set before the handlers are installed and never freed.
    let page = unsafe { &*PAGE.load(Ordering::Acquire) };
    record(page, signal, facts, context);
    // SAFETY: _exit is async-signal-safe and does not return.
    unsafe { libc::_exit(FAULT_STATUS) }
}

fn step(log: &mut StepLog, context: &mut libc::ucontext_t) {
    const TRAP_FLAG: i64 = 0x100;
    let registers = &mut context.uc_mcontext.gregs;
    // SAFETY: on x86-64 Linux fpregs points at the saved FXSAVE area whenever a handler runs.
    let mxcsr = unsafe { context.uc_mcontext.fpregs.as_ref() }.map_or(0, |fp| fp.mxcsr);
    log.steps[log.used] = Step {
        ip: registers[libc::REG_RIP as usize] as u64,
        flags: registers[libc::REG_EFL as usize] as u64,
        mxcsr,
        registers: REGISTER_ORDER.map(|number| registers[number as usize] as u64),
    };
    log.used += 1;
    let ip = log.steps[log.used - 1].ip;
    if log.used == log.steps.len() || log.stop == Some(ip) {
        log.escaped = true;
        registers[libc::REG_EFL as usize] &= !TRAP_FLAG;
        registers[libc::REG_RIP as usize] = log.escape as i64;
    }
}

fn record(page: &SharedPage, signal: i32, facts: &libc::siginfo_t, context: &libc::ucontext_t) {
    let registers = &context.uc_mcontext.gregs;
    let words = page.fault_words();
    let put = |index: usize, value: u64| words[index].store(value, Ordering::Release);
    put(1, signal as u64);
    put(2, facts.si_code as u64);
    // SAFETY: si_addr reads a field of a union that the kernel filled or zeroed; it is only a number.
    put(3, unsafe { facts.si_addr() } as u64);
    put(4, registers[libc::REG_RIP as usize] as u64);
    put(5, previous_ip(registers[libc::REG_RIP as usize] as u64));
    for (number, order) in REGISTER_ORDER.into_iter().enumerate() {
        put(6 + number, registers[order as usize] as u64);
    }
    put(0, 1);
}

/// The instruction that led to `ip`: the last one in the log that is not `ip` itself.
fn previous_ip(ip: u64) -> u64 {
    // SAFETY: the log outlives its `Stepping` guard, which is alive as long as LOG is not null.
    let Some(log) = (unsafe { LOG.load(Ordering::Acquire).as_ref() }) else {
        return 0;
    };
    log.steps()
        .iter()
        .rev()
        .map(|step| step.ip)
        .find(|&before| before != ip)
        .unwrap_or(0)
}
