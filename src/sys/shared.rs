//! One page that two processes share: notes from one to the other, and the record of a fault.
//!
//! Correct means: what one process stored before it died, the other reads.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::mapping::PAGE;

/// Words for notes; the rest of the page belongs to the fault record.
pub const NOTES: usize = 64;
const FAULT: usize = NOTES;
/// Words of a fault record: valid, signal, code, address, ip, previous ip, 16 registers, number and
/// architecture of a system call, top of the stack, steps, exception, its error code, sender, flags, guard,
/// words below the stack pointer, holders.
pub(super) const FAULT_WORDS: usize = HOLDERS + FEW;
/// Words kept of what there may be many of.
pub(super) const FEW: usize = 8;
/// The first of the words among them that are those below the stack pointer.
pub(super) const BELOW: usize = 31;
/// The first of those that hold the addresses of holders.
pub(super) const HOLDERS: usize = BELOW + FEW;
/// The word among them that holds the steps.
const STEPS: usize = 25;

/// A page shared with another process.
#[derive(Debug)]
pub struct SharedPage {
    map: MmapRaw,
    file: File,
}

/// What a signal handler saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawFault {
    /// Signal number.
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_addr`.
    pub address: u64,
    /// Instruction pointer.
    pub ip: u64,
    /// Where the last instruction before `ip` stood, while single-stepping; else 0.
    pub previous_ip: u64,
    /// General-purpose registers by hardware number.
    pub registers: [u64; 16],
    /// With SIGSYS: the number of the system call.
    pub call: u32,
    /// With SIGSYS: the architecture it entered as, an `AUDIT_ARCH`.
    pub architecture: u32,
    /// The word at the stack pointer, where that lies in the known stack; else 0. After a call into
    /// nowhere it is the return address.
    pub top_of_stack: u64,
    /// Steps logged before it, while single-stepping; else 0.
    pub steps: u64,
    /// The CPU's number of the exception; of a signal that no exception raised, that of an earlier one.
    pub exception: u64,
    /// What the CPU said about it, of a page fault the bits of Intel SDM vol. 3, 4.7.
    pub error: u64,
    /// `si_pid`, which means something where [`RawFault::is_sent`].
    pub sender: i32,
    /// RFLAGS.
    pub flags: u64,
    /// The first address of the guard ([`super::signals::set_guard`]) that no longer holds what it did; else 0.
    pub guard: u64,
    /// The words below the stack pointer, the nearest first, where they lie in the known stack; else 0.
    /// Behind a `ret` into nowhere the first is where it went.
    pub below: [u64; FEW],
    /// The first addresses, in the data at work and in the stack, that hold `ip`, or behind a breakpoint what is
    /// in front of it; 0 where there are no more.
    pub holders: [u64; FEW],
}

impl RawFault {
    /// Whether a process sent the signal, so that no instruction raised it: `SI_USER`, `SI_QUEUE` and
    /// `SI_TKILL` are 0 or less, and what the kernel raises is above (siginfo.h).
    pub fn is_sent(&self) -> bool {
        self.code <= 0
    }

    /// Whether it is a write that a page fault stopped.
    pub fn is_write(&self) -> bool {
        const WRITE: u64 = 1 << 1;
        self.is_page_fault() && self.error & WRITE != 0
    }

    /// Whether it is an instruction that could not be fetched.
    pub fn is_fetch(&self) -> bool {
        const FETCH: u64 = 1 << 4;
        self.is_page_fault() && self.error & FETCH != 0
    }

    fn is_page_fault(&self) -> bool {
        const PAGE_FAULT: u64 = 14;
        self.exception == PAGE_FAULT
    }
}

impl SharedPage {
    /// A new page whose descriptor children inherit.
    ///
    /// # Errors
    /// When the kernel gives no memory file.
    pub fn new() -> io::Result<SharedPage> {
        // No close-on-exec flag: the other process gets it by number.
        let file = File::from(memfd_create("shared", MFdFlags::empty())?);
        file.set_len(PAGE as u64)?;
        SharedPage::of(file)
    }

    /// The page that a parent passed by descriptor number.
    ///
    /// # Errors
    /// When the number is not an open descriptor of a page.
    pub fn inherited(descriptor: RawFd) -> io::Result<SharedPage> {
        // SAFETY: fcntl(F_GETFD) reads a number and touches no memory.
        if descriptor < 3 || unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: the descriptor is open, and this process was started to use it as its own: no
        // one else here knows it.
        let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
        SharedPage::of(File::from(owned))
    }

    fn of(file: File) -> io::Result<SharedPage> {
        if file.metadata()?.len() != PAGE as u64 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let map = MmapOptions::new().len(PAGE).map_raw(&file)?;
        Ok(SharedPage { map, file })
    }

    /// The number to pass to the other process.
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    #[inline]
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is PAGE bytes, page-aligned and lives as long as `self`; atomics may
        // be shared with a process that writes them at the same time.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), PAGE / 8) }
    }

    /// Leaves a note.
    #[inline]
    pub fn note(&self, index: usize, value: u64) {
        self.words()[..NOTES][index].store(value, Ordering::Release);
    }

    /// Reads a note.
    pub fn noted(&self, index: usize) -> u64 {
        self.words()[..NOTES][index].load(Ordering::Acquire)
    }

    pub(super) fn fault_words(&self) -> &[AtomicU64] {
        &self.words()[FAULT..FAULT + FAULT_WORDS]
    }

    /// Says how many steps have been logged of the run that is single-stepped.
    pub(super) fn note_steps(&self, steps: u64) {
        self.fault_words()[STEPS].store(steps, Ordering::Release);
    }

    /// Steps that were logged of the run that is, or was last, single-stepped. There are only so many, and
    /// each is the tool's own work: who waits for the code does not count the time that they take.
    pub fn steps(&self) -> u64 {
        self.fault_words()[STEPS].load(Ordering::Acquire)
    }

    /// The fault that a handler recorded, if any.
    pub fn fault(&self) -> Option<RawFault> {
        let word = |index: usize| self.fault_words()[index].load(Ordering::Acquire);
        (word(0) != 0).then(|| RawFault {
            signal: word(1) as i32,
            code: word(2) as i32,
            address: word(3),
            ip: word(4),
            previous_ip: word(5),
            registers: std::array::from_fn(|number| word(6 + number)),
            call: word(22) as u32,
            architecture: word(23) as u32,
            top_of_stack: word(24),
            steps: word(STEPS),
            exception: word(26),
            error: word(27),
            sender: word(28) as i32,
            flags: word(29),
            guard: word(30),
            below: std::array::from_fn(|at| word(BELOW + at)),
            holders: std::array::from_fn(|at| word(HOLDERS + at)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_through_the_descriptor() {
        let page = SharedPage::new().expect("maps");
        page.note(3, 77);
        let copy = page.file.try_clone().expect("clones");
        assert_eq!(SharedPage::of(copy).expect("maps").noted(3), 77);
        assert_eq!(page.fault(), None);
    }

    #[test]
    fn a_closed_descriptor_is_refused() {
        assert!(SharedPage::inherited(999).is_err());
        assert!(SharedPage::inherited(-1).is_err());
    }
}
