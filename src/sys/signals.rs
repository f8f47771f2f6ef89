//! Signal handlers that record what generated code did, and the log of a single-stepped run.
//!
//! Correct means: a handler touches nothing but atomics, the shared page and the preallocated log,
//! runs on a stack of its own, and a fault ends the process with the status that was asked for.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use super::first_writes;
use super::mapping::{Writable, fs_base, gs_base};
use super::shared::{BELOW, FEW, HOLDERS, SharedPage};

/// The signal by which a parent asks where the process is; it records and ends.
pub const WHERE: i32 = libc::SIGALRM;

/// Addresses below this are those of a nil pointer and of the fields behind it. Source: `sigpanic` in
/// `runtime/signal_unix.go`.
pub const NIL_PAGE: u64 = 0x1000;
/// What the kernel says of an address where nothing is mapped (asm-generic/siginfo.h, `SEGV_MAPERR`).
const NOT_MAPPED: i32 = 1;

/// The signals recorded: those that instructions raise, and behind them those that others send to end a
/// process, for who sent them is in the record.
const RECORDED: [i32; 12] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGXCPU,
    WHERE,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
];

/// A signal's name.
pub fn name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal)
        .map_or_else(|_| format!("signal {signal}"), |known| known.to_string())
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
    /// The `gs` base, or 0 where this CPU or kernel lets no one read it.
    pub gs_base: u64,
    /// The `fs` base, likewise.
    pub fs_base: u64,
    /// Digest of the memory that [`StepLog::watch`] names.
    pub watched: u64,
    /// General-purpose registers by hardware number.
    pub registers: [u64; 16],
}

/// What stepping has to know of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its bytes.
    pub length: u64,
    /// What it does to the steps.
    pub trap: Trap,
}

/// What an instruction does to the trap that is raised behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// Nothing.
    Raised,
    /// It may be raised one instruction later.
    HeldBack,
    /// Nothing, but it shows the flag that asks for it.
    Shown,
}

/// Room for the steps of a run.
#[derive(Debug)]
pub struct StepLog {
    /// Those of the last run. The handler may not allocate, so there is always room for [`Self::capacity`]; a page of it
    /// that no run has reached is not there yet.
    steps: Vec<Step>,
    capacity: usize,
    escaped: bool,
    escape: u64,
    /// The code that is stepped; what called it is logged, and otherwise left alone.
    code: Range<u64>,
    /// The data that it was given.
    data: Range<u64>,
    /// Looks at the instruction that some bytes begin with.
    look: fn(&[u8]) -> Look,
    /// A breakpoint of the code that starts the steps, and where it goes on.
    begin: Option<(u64, u64)>,
    stop: Option<u64>,
    /// Whether code goes on without steps where the log is full; else it is led out.
    goes_on: bool,
    watched: Range<u64>,
}

impl StepLog {
    /// Room for `capacity` steps. `look` is called by the handler: it may not depend on anything that the stepped code
    /// holds.
    pub fn new(capacity: usize, look: fn(&[u8]) -> Look) -> StepLog {
        // What it makes when it is first called is made here, and not in the handler.
        look(&[]);
        StepLog {
            steps: Vec::with_capacity(capacity.max(1)),
            capacity: capacity.max(1),
            escaped: false,
            escape: 0,
            code: 0..0,
            data: 0..0,
            look,
            begin: None,
            stop: None,
            goes_on: false,
            watched: 0..0,
        }
    }

    /// Has the next run begin its steps at `target`, where a breakpoint at `from` leads; the code in front of
    /// that runs at full speed. With `None` it is stepped from its entry on.
    pub fn begin_at(&mut self, begin: Option<(u64, u64)>) {
        self.begin = begin;
    }

    /// Whether a run's steps begin at its entry.
    pub(super) fn begins_at_entry(&self) -> bool {
        self.begin.is_none()
    }

    /// Where code goes on that has come to the breakpoint in front of `ip`, where that starts the steps.
    fn begins(&self, ip: u64) -> Option<u64> {
        let (from, target) = self.begin?;
        (self.steps.is_empty() && ip == from + 1).then_some(target)
    }

    /// Cuts the runs from now on short where `address` is next; `None` lets them run on.
    pub fn stop_at(&mut self, address: Option<u64>) {
        self.stop = address;
    }

    /// Has runs from now on go on where the log is full, without further steps, or no more so.
    pub fn go_on_when_full(&mut self, goes_on: bool) {
        self.goes_on = goes_on;
    }

    /// Has each step from now on digest `range` of `memory`, whole words of it.
    ///
    /// # Panics
    /// When the range is not in the memory.
    pub fn watch(&mut self, memory: &Writable, range: Range<u64>) {
        let all = memory.addresses();
        assert!(
            all.start <= range.start && range.end <= all.end && range.start.is_multiple_of(8),
            "{range:x?} is not made of words of {all:x?}"
        );
        self.watched = range;
    }

    /// Has no step digest anything.
    pub fn unwatch(&mut self) {
        self.watched = 0..0;
    }

    /// The steps of the last run, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Adds the steps that raised no trap: `hidden` makes the one that ran between two that were logged in a
    /// row, where there is one.
    pub fn reveal(&mut self, mut hidden: impl FnMut(&Step, &Step) -> Option<Step>) {
        let mut whole: Vec<Step> = Vec::new();
        let mut copied = 0;
        for (at, pair) in self.steps.windows(2).enumerate() {
            let mut before = pair[0];
            while let Some(step) = hidden(&before, &pair[1]) {
                whole.extend_from_slice(&self.steps[copied..=at]);
                copied = at + 1;
                before = step;
                whole.push(before);
            }
        }
        if copied > 0 {
            whole.extend_from_slice(&self.steps[copied..]);
            self.steps = whole;
        }
    }

    /// Whether the last run had as many steps as there is room for, or more.
    pub fn is_full(&self) -> bool {
        self.steps.len() >= self.capacity
    }

    /// Whether the last run was cut short: the log was full, or the stop was reached.
    pub fn is_cut_short(&self) -> bool {
        self.escaped
    }
}

static LOG: AtomicPtr<StepLog> = AtomicPtr::new(ptr::null_mut());
static PAGE: AtomicPtr<SharedPage> = AtomicPtr::new(ptr::null_mut());
static STACK_START: AtomicU64 = AtomicU64::new(0);
static STACK_END: AtomicU64 = AtomicU64::new(0);
static STATUS: AtomicI32 = AtomicI32::new(1);
/// Start and end of the data at work.
static DATA: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Start and end of the code whose accesses through nil pointers are answered, and the address that answers.
static NIL: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
/// Starts and ends of the guarded ranges, and behind them the word that they are made of.
static GUARD: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

/// Proof that a log is being written; ends it when dropped.
pub(super) struct Stepping<'a>(PhantomData<Cell<&'a mut StepLog>>);

pub(super) fn begin_steps(
    log: &mut StepLog,
    (code, data): (Range<u64>, Range<u64>),
    escape: u64,
) -> Stepping<'_> {
    assert!(
        !PAGE.load(Ordering::Acquire).is_null(),
        "install the handlers before stepping"
    );
    log.steps.clear();
    log.steps.reserve(log.capacity);
    log.escaped = false;
    log.escape = escape;
    log.code = code;
    log.data = data;
    LOG.store(log, Ordering::Release);
    Stepping(PhantomData)
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        LOG.store(ptr::null_mut(), Ordering::Release);
    }
}

/// Installs the handlers of this process, on a stack of their own, recording into `page`. What is
/// recorded ends the process with `status`. Where the process that started this one held some of the
/// signals back, this one does not: the kernel kills who holds back a fault, and nothing would be recorded.
///
/// # Errors
/// What the kernel says.
pub fn install(page: SharedPage, status: i32) -> io::Result<&'static SharedPage> {
    const HANDLER_STACK: usize = 256 * 1024;
    let page: &'static mut SharedPage = Box::leak(Box::new(page));
    PAGE.store(page, Ordering::Release);
    STATUS.store(status, Ordering::Release);
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
    for signal in RECORDED {
        // SAFETY: a zeroed sigaction is a valid one (all fields are integers), `entered` has the
        // signature that SA_SIGINFO asks for, and it is async-signal-safe.
        let answer = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = entered as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigfillset(&mut action.sa_mask);
            libc::sigaction(signal, &action, ptr::null_mut())
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    unblock()?;
    Ok(page)
}

/// Lets this thread, the only one, have what is recorded.
fn unblock() -> io::Result<()> {
    // SAFETY: a zeroed set is a valid one (all fields are integers), and no handler does anything but record
    // and end, whenever it runs.
    let answer = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        for signal in RECORDED {
            libc::sigaddset(&mut set, signal);
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, ptr::null_mut())
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Names the stack of the code that handlers interrupt, so that they may read from it.
pub fn set_stack(stack: &Writable) {
    STACK_START.store(stack.addresses().start, Ordering::Release);
    STACK_END.store(stack.addresses().end, Ordering::Release);
}

/// Names two ranges of the stack, whole words of it, that hold nothing but this word as long as nobody writes
/// where he must not. A record tells of the first that does not.
///
/// # Panics
/// When they are not in the stack that was named, or not made of words.
pub fn set_guard(ranges: [Range<u64>; 2], word: u64) {
    for (at, range) in ranges.iter().enumerate() {
        let is_inside = is_in_stack(range.start) && is_in_stack(range.end - 1);
        let is_whole = range.start.is_multiple_of(8) && range.end.is_multiple_of(8);
        assert!(is_inside && is_whole, "{range:x?} is no part of the stack");
        GUARD[2 * at].store(range.start, Ordering::Release);
        GUARD[2 * at + 1].store(range.end, Ordering::Release);
    }
    GUARD[4].store(word, Ordering::Release);
}

/// Names the data of the code at work, so that handlers may look for addresses in it; an empty range where they
/// cannot be reached.
pub(super) fn set_data(range: Range<u64>) {
    DATA[0].store(range.start, Ordering::Release);
    DATA[1].store(range.end, Ordering::Release);
}

/// Names code in which an access through a nil pointer goes on at `handler`, as if it had called it, instead of
/// ending the process; an empty range where there is none.
pub fn set_nil(code: Range<u64>, handler: u64) {
    NIL[0].store(code.start, Ordering::Release);
    NIL[1].store(code.end, Ordering::Release);
    NIL[2].store(handler, Ordering::Release);
}

/// Sends code that has accessed memory through a nil pointer to where that is answered, with the address of the
/// instruction as its return address; whether it did. A call through a nil pointer has pushed one itself. Source:
/// `preparePanic` in `runtime/signal_amd64.go`.
fn answers_nil(facts: &libc::siginfo_t, context: &mut libc::ucontext_t) -> bool {
    // SAFETY: the kernel has filled in the address of a fault of this kind.
    let address = unsafe { facts.si_addr() } as u64;
    let [start, end, handler] = [0, 1, 2].map(|at: usize| NIL[at].load(Ordering::Acquire));
    let registers = &mut context.uc_mcontext.gregs;
    let ip = registers[libc::REG_RIP as usize] as u64;
    let rsp = registers[libc::REG_RSP as usize] as u64;
    let is_call = ip < NIL_PAGE && (start..end).contains(&on_stack(rsp));
    let pushed = rsp.wrapping_sub(8);
    let is_access = (start..end).contains(&ip) && is_in_stack(pushed) && is_in_stack(rsp - 1);
    if facts.si_code != NOT_MAPPED || address >= NIL_PAGE || !(is_call || is_access) {
        return false;
    }
    if !is_call {
        // Where nobody has written yet, the write would be refused, and this handler is not interrupted.
        first_writes::note(pushed);
        first_writes::note(rsp - 1);
        // SAFETY: the eight bytes lie in a `Writable`, which is mapped for good, and below the stack pointer of the
        // interrupted code, which stands still and owns nothing there.
        unsafe { ptr::write_unaligned(pushed as *mut u64, ip) };
        registers[libc::REG_RSP as usize] = pushed as i64;
    }
    registers[libc::REG_RIP as usize] = handler as i64;
    true
}

fn is_in_stack(address: u64) -> bool {
    (STACK_START.load(Ordering::Acquire)..STACK_END.load(Ordering::Acquire)).contains(&address)
}

/// The word at an address, if that lies in the stack that was named; else 0.
fn on_stack(address: u64) -> u64 {
    if !is_in_stack(address) || !is_in_stack(address.wrapping_add(7)) {
        return 0;
    }
    // SAFETY: the eight bytes lie in a `Writable`, which is mapped and readable for good.
    unsafe { ptr::read_unaligned(address as *const u64) }
}

/// The first word of the guard that has changed; 0 where none has.
fn broken_guard() -> u64 {
    let of = |at: usize| GUARD[at].load(Ordering::Acquire);
    let words = |at: usize| (of(at)..of(at + 1)).step_by(8);
    let mut all = words(0).chain(words(2));
    all.find(|at| on_stack(*at) != of(4)).unwrap_or(0)
}

/// Notes where words are that hold `target`, in the data at work and in the stack above `rsp`.
fn note_holders(words: &[AtomicU64], target: u64, rsp: u64) {
    /// Data beyond are not looked at, so that a gigabyte of them costs no seconds.
    const MOST: u64 = 64 << 20;
    let start = DATA[0].load(Ordering::Acquire);
    let end = DATA[1].load(Ordering::Acquire).min(start + MOST);
    let in_data = (start..end.saturating_sub(7)).step_by(8);
    let in_data = in_data.filter(|at| {
        // SAFETY: `set_data` names the writable part of an `Executable` as long as it can be read, and that
        // starts at a multiple of a page; nothing else runs.
        unsafe { ptr::read_volatile(*at as *const u64) == target }
    });
    let lowest = STACK_START.load(Ordering::Acquire);
    let first = if is_in_stack(rsp) { rsp } else { lowest };
    let above = (first..STACK_END.load(Ordering::Acquire)).step_by(8);
    let above = above.filter(|at| on_stack(*at) == target);
    let found = above.take(FEW / 2).chain(in_data);
    for (word, at) in words.iter().zip(found) {
        word.store(at, Ordering::Release);
    }
}

/// Folds the words of a range into one, so that a changed word shows.
fn digest(range: &Range<u64>) -> u64 {
    let words = (range.end - range.start) / 8;
    (0..words).fold(0u64, |sum, word| {
        // SAFETY: `watch` has checked that the range lies in a `Writable`, which is mapped and
        // readable for good, and that it begins at a multiple of 8.
        let value = unsafe { ptr::read_volatile((range.start + 8 * word) as *const u64) };
        sum.rotate_left(7).wrapping_add(value)
    })
}

/// Where the kernel enters: puts right the flags that compiled code relies on, and goes on to
/// [`handle`]. The kernel clears DF and TF for a handler, but leaves AC as the interrupted code had it
/// (arch/x86/kernel/signal.c, `handle_signal`): the first unaligned access would raise SIGBUS inside
/// this handler. NT would make a 32-bit `iret` fault, and is cleared with it. They come back with
/// the interrupted code's own flags.
#[unsafe(naked)]
extern "C" fn entered(signal: i32, facts: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // AC, NT and DF.
    const DISTURBING: i32 = (1 << 18) | (1 << 14) | (1 << 10);
    std::arch::naked_asm!(
        "pushfq",
        "and dword ptr [rsp], {kept}",
        "popfq",
        "jmp {handle}",
        kept = const !DISTURBING,
        handle = sym handle,
    )
}

extern "C" fn handle(signal: i32, facts: *mut libc::siginfo_t, context: *mut libc::c_void) {
    const TRAP_TRACE: i32 = 2;
    const TRAP_FLAG: i64 = 0x100;
    /// What the kernel says of an `int3` (arch/x86/kernel/traps.c, `do_int3_user`).
    const SI_KERNEL: i32 = 0x80;
    // SAFETY: the kernel passes a valid siginfo and ucontext to an SA_SIGINFO handler, and nothing
    // else refers to them while it runs.
    let (facts, context) = unsafe { (&*facts, &mut *context.cast::<libc::ucontext_t>()) };
    // SAFETY: PAGE is set before the handlers are installed and never freed.
    let page = unsafe { &*PAGE.load(Ordering::Acquire) };
    let log = LOG.load(Ordering::Acquire);
    if signal == libc::SIGTRAP && !log.is_null() {
        // SAFETY: the log outlives its `Stepping` guard, which is alive as long as LOG is not null,
        // and the interrupted code is generated code or the asm block around it, neither of which
        // holds a reference to it. All signals are masked here, so no second handler runs.
        let log = unsafe { &mut *log };
        let ip = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
        let begin = log
            .begins(*ip as u64)
            .filter(|_| facts.si_code == SI_KERNEL);
        if let Some(target) = begin {
            *ip = target as i64;
        }
        if begin.is_some() || facts.si_code == TRAP_TRACE {
            step(page, log, context);
            return;
        }
    }
    if signal == libc::SIGSEGV && answers_nil(facts, context) {
        // SAFETY: as above; no trap is raised between the instruction and where it goes on.
        let log = unsafe { log.as_mut() };
        let is_stepped = context.uc_mcontext.gregs[libc::REG_EFL as usize] & TRAP_FLAG != 0;
        if let Some(log) = log.filter(|_| is_stepped) {
            step(page, log, context);
        }
        return;
    }
    if signal == libc::SIGSEGV && is_write_refused(facts, context) {
        // SAFETY: the kernel has filled in the address of a fault of this kind.
        let address = unsafe { facts.si_addr() } as u64;
        if first_writes::note(address) {
            return;
        }
    }
    record(page, signal, facts, context);
    // SAFETY: _exit is async-signal-safe and does not return.
    unsafe { libc::_exit(STATUS.load(Ordering::Acquire)) }
}

/// Whether the fault is a write to a page that may be read only.
fn is_write_refused(facts: &libc::siginfo_t, context: &libc::ucontext_t) -> bool {
    const ACCESS_REFUSED: i32 = 2;
    /// Bit 1 of a page fault's error code (Intel SDM vol. 3, 4.7).
    const IS_WRITE: i64 = 1 << 1;
    let error = context.uc_mcontext.gregs[libc::REG_ERR as usize];
    facts.si_code == ACCESS_REFUSED && error & IS_WRITE != 0
}

/// MXCSR of the code that was interrupted.
fn mxcsr(context: &libc::mcontext_t) -> u32 {
    /// Its place in an FXSAVE area, in words of 32 bits (Intel SDM vol. 1, 10.5.1).
    const MXCSR: usize = 6;
    let area = (&raw const *context).cast::<*const u32>();
    // SAFETY: Linux has the address of the saved FXSAVE area behind the registers, which musl's libc has no name for.
    let area = unsafe { *area.add(context.gregs.len()) };
    if area.is_null() {
        return 0;
    }
    // SAFETY: an FXSAVE area has 512 bytes.
    unsafe { area.add(MXCSR).read() }
}

fn step(page: &SharedPage, log: &mut StepLog, context: &mut libc::ucontext_t) {
    const TRAP_FLAG: i64 = 0x100;
    let mxcsr = mxcsr(&context.uc_mcontext);
    let registers = &mut context.uc_mcontext.gregs;
    let ip = registers[libc::REG_RIP as usize] as u64;
    let step = Step {
        ip,
        flags: registers[libc::REG_EFL as usize] as u64,
        mxcsr,
        gs_base: gs_base(),
        fs_base: fs_base(),
        watched: digest(&log.watched),
        registers: REGISTER_ORDER.map(|number| registers[number as usize] as u64),
    };
    // A full log takes no further step, and a handler may never allocate.
    if log.steps.len() < log.steps.capacity() {
        log.steps.push(step);
    }
    page.note_steps(log.steps.len() as u64);
    let is_full = log.is_full();
    let is_inside = log.code.contains(&ip);
    let rsp = registers[libc::REG_RSP as usize] as u64;
    // It has returned, onto the stack it was called from: there is nothing left to cut short.
    let is_home = !is_inside && !is_in_stack(rsp);
    let flags = &mut registers[libc::REG_EFL as usize];
    if is_full && log.goes_on && log.stop != Some(ip) {
        *flags &= !TRAP_FLAG;
    } else if !is_home && (is_full || log.stop == Some(ip)) {
        log.escaped = true;
        *flags &= !TRAP_FLAG;
        registers[libc::REG_RIP as usize] = log.escape as i64;
    } else if is_inside {
        // Whatever the code did to its flags, the next step is logged too.
        *flags |= TRAP_FLAG;
        hide_trap_flag(log, ip, rsp);
    } else if is_full {
        *flags &= !TRAP_FLAG;
    }
}

/// Takes the trap flag out of the copy that a `pushf` has just made, as if nobody stepped. It may stand behind
/// instructions that held their traps back.
fn hide_trap_flag(log: &StepLog, ip: u64, rsp: u64) {
    const LONGEST: u64 = 15;
    let Some(mut at) = log.steps.len().checked_sub(2).map(|at| log.steps[at].ip) else {
        return;
    };
    while log.code.contains(&at) {
        let length = LONGEST.min(log.code.end - at) as usize;
        // SAFETY: the bytes lie in the code that is stepped, which is mapped and readable for good.
        let bytes = unsafe { std::slice::from_raw_parts(at as *const u8, length) };
        let Look { length, trap } = (log.look)(bytes);
        let behind = at + length;
        match trap {
            Trap::HeldBack if behind != ip => at = behind,
            Trap::Shown if behind == ip => break,
            _ => return,
        }
    }
    // The flag is bit 8 of what was pushed, whatever its width.
    let place = rsp.wrapping_add(1);
    let is_pushed = is_in_stack(place) || log.data.contains(&place);
    if log.code.contains(&at) && is_pushed {
        // SAFETY: the byte lies in a `Writable`, or in the data of an `Executable`, which are mapped for good,
        // and the instruction has just written it; only the interrupted code, which stands still, uses it.
        unsafe { *(place as *mut u8) &= !1 };
    }
}

/// What SIGSYS says, as asm-generic/siginfo.h lays it out; libc's crate has no name for it.
#[repr(C)]
struct SystemCall {
    signal: i32,
    error: i32,
    code: i32,
    address: *const libc::c_void,
    number: u32,
    architecture: u32,
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
    // int3 is reported by the address behind it, which no step was at.
    let behind = u64::from(signal == libc::SIGTRAP);
    put(
        5,
        previous_ip(registers[libc::REG_RIP as usize] as u64 - behind),
    );
    for (number, order) in REGISTER_ORDER.into_iter().enumerate() {
        put(6 + number, registers[order as usize] as u64);
    }
    // SAFETY: the record is 128 bytes, whatever the signal; what other signals put there are numbers.
    let call = unsafe { &*ptr::from_ref(facts).cast::<SystemCall>() };
    put(22, u64::from(call.number));
    put(23, u64::from(call.architecture));
    let rsp = registers[libc::REG_RSP as usize] as u64;
    put(24, on_stack(rsp));
    page.note_steps(logged().len() as u64);
    put(26, registers[libc::REG_TRAPNO as usize] as u64);
    put(27, registers[libc::REG_ERR as usize] as u64);
    // SAFETY: si_pid reads a field of the same union; what other signals put there is a number.
    put(28, unsafe { facts.si_pid() } as u64);
    put(29, registers[libc::REG_EFL as usize] as u64);
    put(30, broken_guard());
    for at in 0..FEW {
        put(BELOW + at, on_stack(rsp.wrapping_sub(8 * (at as u64 + 1))));
    }
    put(0, 1);
    // Last, for it may take a while.
    let target = registers[libc::REG_RIP as usize] as u64 - behind;
    note_holders(&words[HOLDERS..], target, rsp);
}

/// The steps of the run that was interrupted; none where nothing is being stepped.
fn logged() -> &'static [Step] {
    // SAFETY: the log outlives its `Stepping` guard, which is alive as long as LOG is not null, and
    // the process ends before the handler that reads it returns.
    unsafe { LOG.load(Ordering::Acquire).as_ref() }.map_or(&[], StepLog::steps)
}

/// The instruction that led to `ip`: the last one in the log that is not `ip` itself.
fn previous_ip(ip: u64) -> u64 {
    logged()
        .iter()
        .rev()
        .map(|step| step.ip)
        .find(|&before| before != ip)
        .unwrap_or(0)
}
