//! Memory that is written, then sealed and entered; never both at once.
//!
//! Correct means: no page is ever writable and executable, and no address is handed out twice in
//! the life of the process: mappings are leaked, because a CPU's branch predictors remember what
//! stood at an address (measured: 8 cycles instead of 5 for code emitted at a used address).

use std::arch::asm;
use std::io;
use std::ops::Range;

use memmap2::{MmapMut, MmapOptions};

use super::signals::{self, StepLog};

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Writable memory between two pages that nothing can touch.
#[derive(Debug)]
pub struct Writable {
    map: &'static mut [u8],
}

/// Memory whose code part can be entered and whose data part can still be written.
#[derive(Debug)]
pub struct Executable {
    map: &'static mut [u8],
    code: Range<usize>,
}

fn protect(map: &mut [u8], range: Range<usize>, protection: i32) -> io::Result<()> {
    let part = &mut map[range];
    // SAFETY: the slice is part of a private anonymous mapping that this module leaked, so the
    // pages are ours for good; no reference into a part that becomes unreadable is ever made,
    // because the slices handed out exclude guard pages.
    let answer = unsafe { libc::mprotect(part.as_mut_ptr().cast(), part.len(), protection) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Writable {
    /// Maps at least `bytes` zeroed bytes, rounded up to pages, with a guard page at both ends.
    ///
    /// # Errors
    /// When the kernel has no memory or address space.
    pub fn new(bytes: usize) -> io::Result<Writable> {
        let inner = bytes.max(1).next_multiple_of(PAGE);
        let map: MmapMut = MmapOptions::new()
            .len(inner + 2 * PAGE)
            .no_reserve_swap()
            .map_anon()?;
        let map: &'static mut [u8] = &mut Box::leak(Box::new(map))[..];
        let end = map.len();
        protect(map, 0..PAGE, libc::PROT_NONE)?;
        protect(map, end - PAGE..end, libc::PROT_NONE)?;
        Ok(Writable {
            map: &mut map[PAGE..end - PAGE],
        })
    }

    /// Address of the first byte; a multiple of [`PAGE`].
    pub fn address(&self) -> u64 {
        self.map.as_ptr() as u64
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.map
    }

    /// Makes `code` executable and unwritable for good, and the page below it a guard.
    ///
    /// # Errors
    /// When the kernel refuses, for one because a policy forbids executable anonymous memory.
    ///
    /// # Panics
    /// When `code` is not made of whole pages behind at least one page of something else.
    pub fn seal(self, code: Range<usize>) -> io::Result<Executable> {
        let is_whole = code.start.is_multiple_of(PAGE) && code.end.is_multiple_of(PAGE);
        assert!(
            is_whole && code.start >= PAGE && code.end <= self.map.len(),
            "{code:?} is not made of pages"
        );
        protect(self.map, code.start - PAGE..code.start, libc::PROT_NONE)?;
        protect(self.map, code.clone(), libc::PROT_READ | libc::PROT_EXEC)?;
        Ok(Executable {
            map: self.map,
            code,
        })
    }
}

impl Executable {
    /// The writable bytes below the guard page.
    pub fn data(&mut self) -> &mut [u8] {
        let end = self.code.start - PAGE;
        &mut self.map[..end]
    }

    fn checked(&self, address: u64) -> u64 {
        let code = &self.map[self.code.clone()];
        assert!(
            code.as_ptr_range().contains(&(address as *const u8)),
            "{address:#x} is not in the sealed code"
        );
        address
    }

    /// Calls `address` as `extern "sysv64" fn(u64) -> u64`.
    ///
    /// # Panics
    /// When the address is not in the sealed code.
    pub fn enter(&mut self, address: u64, argument: u64) -> u64 {
        let address = self.checked(address);
        // SAFETY: the address lies in sealed code, and `&mut self` keeps every reference into the
        // data part away meanwhile. What the code itself does cannot be vouched for; that is why
        // the only caller is a process of its own, which a fault ends.
        unsafe {
            let function: extern "sysv64" fn(u64) -> u64 =
                std::mem::transmute(address as *const ());
            function(argument)
        }
    }

    /// Like [`Executable::enter`], single-stepping: every instruction is logged after it ran. When
    /// the log is full the code goes on unstepped at `escape`.
    ///
    /// # Panics
    /// When an address is not in the sealed code.
    pub fn enter_stepping(
        &mut self,
        address: u64,
        argument: u64,
        log: &mut StepLog,
        escape: u64,
    ) -> u64 {
        let address = self.checked(address);
        let _stepping = signals::begin_steps(log, self.checked(escape));
        let answer: u64;
        // SAFETY: as for `enter`; the asm block declares all that the System V ABI lets the callee
        // clobber. The trap flag is set by the first popfq and cleared by the second, and the
        // handler that `begin_steps` needs is installed, which its guard proves. `rbx` keeps the
        // stack pointer, because rust may have aligned it in any way.
        unsafe {
            asm!(
                "push rbx",
                "mov rbx, rsp",
                "and rsp, -16",
                "pushfq",
                "or dword ptr [rsp], 0x100",
                "popfq",
                "call rax",
                "pushfq",
                "and dword ptr [rsp], 0xfffffeff",
                "popfq",
                "mov rsp, rbx",
                "pop rbx",
                inout("rax") address => answer,
                inout("rdi") argument => _,
                clobber_abi("sysv64"),
            );
        }
        answer
    }
}

/// Points the `gs` base of this thread at an address.
///
/// # Errors
/// What the kernel says.
pub fn set_gs_base(address: u64) -> io::Result<()> {
    const ARCH_SET_GS: i64 = 0x1001;
    // SAFETY: arch_prctl(ARCH_SET_GS) changes only the gs base, which no Rust code on x86-64 Linux
    // uses: thread-local storage is addressed through fs.
    let answer = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, address) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_code_runs_and_its_data_stay_writable() {
        let mut writable = Writable::new(3 * PAGE).expect("maps");
        // lea rax, [rdi + 1]; ret
        writable.bytes()[2 * PAGE..2 * PAGE + 5].copy_from_slice(&[0x48, 0x8d, 0x47, 0x01, 0xc3]);
        let entry = writable.address() + 2 * PAGE as u64;
        let mut code = writable.seal(2 * PAGE..3 * PAGE).expect("seals");
        assert_eq!(code.enter(entry, 41), 42);
        assert_eq!(code.data().len(), PAGE);
        code.data()[0] = 1;
    }

    #[test]
    #[should_panic(expected = "not in the sealed code")]
    fn an_address_outside_the_code_is_not_entered() {
        let writable = Writable::new(3 * PAGE).expect("maps");
        let data = writable.address();
        writable
            .seal(2 * PAGE..3 * PAGE)
            .expect("seals")
            .enter(data, 0);
    }
}
