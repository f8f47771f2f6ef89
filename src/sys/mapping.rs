//! Memory that is written, then sealed and entered; never both at once.
//!
//! Correct means: no page is ever writable and executable, all code lies in one window of
//! addresses, and no address is handed out twice in the life of the process: mappings are leaked,
//! because a CPU's branch predictors remember what stood at an address (measured: 8 cycles instead
//! of 5 for code emitted at a used address).

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T0, _mm_clflush, _mm_mfence, _mm_prefetch};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapMut, MmapOptions};
use nix::sys::resource::{Resource, getrlimit};

use super::signals::{self, StepLog};

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Bytes of a window: all its addresses agree above bit 31, which is what a filter compares.
pub const WINDOW: usize = 1 << 32;

/// Writable memory between two pages that nothing can touch.
#[derive(Debug)]
pub struct Writable {
    map: &'static mut [u8],
}

/// Addresses that code may be put at, most of them not backed by memory yet.
#[derive(Debug)]
pub struct Window {
    base: usize,
    /// Bytes that are reserved; no other code is mapped in the rest of the [`WINDOW`].
    reserved: usize,
    /// Bytes given away, guards included.
    used: usize,
}

/// Memory of a window, not executable yet.
#[derive(Debug)]
pub struct Unsealed {
    map: &'static mut [u8],
}

/// Memory whose code part can be entered and whose data part can still be written.
#[derive(Debug)]
pub struct Executable {
    map: &'static mut [u8],
    code: Range<usize>,
    is_hidden: bool,
}

fn protect(map: &mut [u8], range: Range<usize>, protection: i32) -> io::Result<()> {
    let part = &mut map[range];
    // SAFETY: the slice is part of a private anonymous mapping that this module leaked, so the
    // pages are ours for good; no reference into a part that becomes unreadable is ever used,
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
    #[inline]
    pub fn address(&self) -> u64 {
        self.map.as_ptr() as u64
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&mut self) -> &mut [u8] {
        self.map
    }

    /// The bytes, to be read.
    pub fn view(&self) -> &[u8] {
        self.map
    }

    /// Gives the memory back to the system: the bytes read as zero, and take memory again when they are
    /// written. The addresses stay.
    pub fn forget(&mut self) {
        // SAFETY: the bytes are private anonymous memory of this process, and `&mut self` keeps every
        // reference into them away; what is lost is what they held.
        unsafe {
            libc::madvise(
                self.map.as_mut_ptr().cast(),
                self.map.len(),
                libc::MADV_DONTNEED,
            )
        };
    }

    /// Addresses of all the bytes.
    #[inline]
    pub fn addresses(&self) -> Range<u64> {
        self.address()..self.address() + self.map.len() as u64
    }
}

impl Window {
    /// Reserves the addresses of an aligned [`WINDOW`], or, where `ulimit -v` leaves no room for that, of its first
    /// part.
    ///
    /// # Errors
    /// When the kernel has no address space even for that.
    pub fn reserve() -> io::Result<Window> {
        Window::whole().or_else(Window::first_part)
    }

    fn whole() -> io::Result<Window> {
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let wide = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            libc::mmap(
                std::ptr::null_mut(),
                2 * WINDOW,
                libc::PROT_NONE,
                flags,
                -1,
                0,
            )
        };
        if wide == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = wide as usize;
        let base = start.next_multiple_of(WINDOW);
        for (from, to) in [(start, base), (base + WINDOW, start + 2 * WINDOW)] {
            if from < to {
                // SAFETY: the range is part of the mapping made above, and nothing refers to it.
                unsafe { libc::munmap(from as *mut libc::c_void, to - from) };
            }
        }
        Ok(Window {
            base,
            reserved: WINDOW,
            used: 0,
        })
    }

    /// As much as half of what this process may map, at a place far from where the kernel maps libraries.
    fn first_part(refused: io::Error) -> io::Result<Window> {
        /// Where nothing is: below it programs, far above it the libraries and the stack.
        const FIRST: usize = 1 << 40;
        const PLACES: usize = 64;
        const LEAST: usize = 64 << 20;
        let (limit, _) = getrlimit(Resource::RLIMIT_AS)?;
        let half = usize::try_from(limit / 2).unwrap_or(WINDOW).min(WINDOW);
        if half < LEAST {
            return Err(refused);
        }
        let reserved = 1 << half.ilog2();
        for base in (0..PLACES).map(|place| FIRST + place * WINDOW) {
            // SAFETY: a mapping that may replace no other overlaps nothing.
            let found = unsafe {
                let flags = libc::MAP_PRIVATE
                    | libc::MAP_ANONYMOUS
                    | libc::MAP_NORESERVE
                    | libc::MAP_FIXED_NOREPLACE;
                libc::mmap(
                    base as *mut libc::c_void,
                    reserved,
                    libc::PROT_NONE,
                    flags,
                    -1,
                    0,
                )
            };
            match found {
                libc::MAP_FAILED => {}
                found if found as usize == base => {
                    return Ok(Window {
                        base,
                        reserved,
                        used: 0,
                    });
                }
                // SAFETY: kernels before 4.17 take the address for a hint; this is what was just mapped.
                elsewhere => unsafe {
                    libc::munmap(elsewhere, reserved);
                },
            }
        }
        Err(refused)
    }

    /// What all addresses of the window have above bit 31.
    pub fn high(&self) -> u32 {
        (self.base >> 32) as u32
    }

    /// Takes at least `bytes` zeroed bytes, rounded up to pages, behind a guard page.
    ///
    /// # Errors
    /// When the window is used up, or the kernel has no memory.
    pub fn take(&mut self, bytes: usize) -> io::Result<Unsealed> {
        let inner = bytes.max(1).next_multiple_of(PAGE);
        // The last page is never given away: a filter sees the address behind an instruction.
        if self.used + inner + 2 * PAGE > self.reserved {
            let room = self.reserved >> 20;
            let remedy = match self.reserved {
                WINDOW => "",
                _ => ", which is what half of `ulimit -v` has room for; raise that",
            };
            return Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                format!("all code and data of a run have to fit into {room} MiB{remedy}"),
            ));
        }
        let start = self.base + self.used + PAGE;
        self.used += PAGE + inner;
        // SAFETY: the range lies in the reservation, which is ours for good, and `used` has moved
        // past it, so that no one else gets it; only then is it made readable and a slice.
        let map = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            if libc::mprotect(start as *mut libc::c_void, inner, protection) != 0 {
                return Err(io::Error::last_os_error());
            }
            std::slice::from_raw_parts_mut(start as *mut u8, inner)
        };
        Ok(Unsealed { map })
    }
}

impl Unsealed {
    /// Address of the first byte; a multiple of [`PAGE`].
    #[inline]
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
            is_hidden: false,
        })
    }
}

impl Executable {
    /// The writable bytes below the guard page.
    ///
    /// # Panics
    /// When they are hidden.
    #[inline]
    pub fn data(&mut self) -> &mut [u8] {
        assert!(!self.is_hidden, "hidden data are neither read nor written");
        let end = self.code.start - PAGE;
        &mut self.map[..end]
    }

    /// The same, to be read.
    ///
    /// # Panics
    /// When they are hidden.
    pub fn view(&self) -> &[u8] {
        assert!(!self.is_hidden, "hidden data are neither read nor written");
        &self.map[..self.code.start - PAGE]
    }

    /// The writable bytes below the guard page, and the code.
    ///
    /// # Panics
    /// When the bytes are hidden.
    pub fn parts(&mut self) -> (&mut [u8], &[u8]) {
        assert!(!self.is_hidden, "hidden data are neither read nor written");
        let (data, code) = self.map.split_at_mut(self.code.start);
        let end = data.len() - PAGE;
        (&mut data[..end], &code[..self.code.len()])
    }

    /// The eight bytes at an address, where they lie in the writable ones.
    ///
    /// # Panics
    /// When those are hidden.
    pub fn word(&self, address: u64) -> Option<u64> {
        let data = &self.map[..self.code.start - PAGE];
        let offset = address.wrapping_sub(self.map.as_ptr() as u64) as usize;
        let bytes = data
            .get(offset..)?
            .first_chunk()
            .filter(|_| !self.is_hidden);
        bytes.map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// Whether the writable bytes are unreachable.
    pub fn is_hidden(&self) -> bool {
        self.is_hidden
    }

    /// Makes the writable bytes unreachable, or reachable again: what is not at work cannot be
    /// written to by accident.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hide(&mut self, is_hidden: bool) -> io::Result<()> {
        let end = self.code.start - PAGE;
        let protection = if is_hidden {
            libc::PROT_NONE
        } else {
            libc::PROT_READ | libc::PROT_WRITE
        };
        signals::set_data(0..0);
        protect(self.map, 0..end, protection)?;
        self.is_hidden = is_hidden;
        if !is_hidden {
            let start = self.map.as_ptr() as u64;
            signals::set_data(start..start + end as u64);
        }
        Ok(())
    }

    /// Takes the lines of these addresses out of all caches, and waits until that is done.
    ///
    /// # Panics
    /// When a range is neither all in the code nor all in data that can be reached.
    pub fn flush(&self, ranges: &[Range<u64>]) {
        const LINE: usize = 64;
        let map = self.map.as_ptr() as u64;
        let (code, end) = (map + self.code.start as u64, map + self.code.end as u64);
        let data_end = code - PAGE as u64;
        for range in ranges {
            let is_code = code <= range.start && range.end <= end;
            let is_data = !self.is_hidden && map <= range.start && range.end <= data_end;
            assert!(
                is_code || is_data,
                "{range:x?} is neither code nor data of this mapping"
            );
            for line in range.clone().step_by(LINE) {
                // SAFETY: the address lies in pages of ours that can be read, as was just asked;
                // flushing changes no byte. Every x86-64 CPU has the instruction.
                unsafe { _mm_clflush(line as *const u8) };
            }
        }
        // SAFETY: a fence changes nothing, and every x86-64 CPU has it; flushes are ordered by it.
        unsafe { _mm_mfence() };
    }

    /// Asks for the line of an address, whatever that is, and waits for nothing.
    #[inline]
    pub fn prefetch(&self, address: u64) {
        // SAFETY: a prefetch is a hint: it changes nothing and never faults (Intel SDM vol. 2, PREFETCHh).
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) };
    }

    #[inline]
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
    #[inline]
    pub fn enter(&mut self, address: u64, argument: u64) -> u64 {
        let address = self.checked(address);
        // SAFETY: the address lies in sealed code, and `&mut self` keeps every reference into the
        // data part away meanwhile. What the code itself does cannot be vouched for; that is why
        // the only caller is a process of its own, which a fault ends.
        unsafe {
            let function: extern "sysv64" fn(u64) -> u64 =
                std::mem::transmute(address as *const ());
            let before = fs_base();
            let answer = function(argument);
            restore_fs_base(before);
            answer
        }
    }

    /// Like [`Executable::enter`], single-stepping from the log's beginning on: every instruction is logged after
    /// it ran. When
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
        let start = self.map[self.code.clone()].as_ptr() as u64;
        let code = start..start + self.code.len() as u64;
        let map = self.map.as_ptr() as u64;
        let data = map..start - PAGE as u64;
        let trap = u64::from(log.begins_at_entry()) << 8;
        let _stepping = signals::begin_steps(log, (code, data), self.checked(escape));
        let before = fs_base();
        let answer: u64;
        // SAFETY: as for `enter`; the asm block declares all that the System V ABI lets the callee
        // clobber. The trap flag is set by the first popfq, or by the handler, and cleared by the second, and the
        // handler that `begin_steps` needs is installed, which its guard proves. `rbx` keeps the
        // stack pointer, because rust may have aligned it in any way.
        unsafe {
            asm!(
                "push rbx",
                "mov rbx, rsp",
                "and rsp, -16",
                "pushfq",
                "or dword ptr [rsp], ecx",
                "popfq",
                "call rax",
                "pushfq",
                "and dword ptr [rsp], 0xfffffeff",
                "popfq",
                "mov rsp, rbx",
                "pop rbx",
                inout("rax") address => answer,
                inout("rdi") argument => _,
                inout("rcx") trap => _,
                clobber_abi("sysv64"),
            );
            restore_fs_base(before);
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

/// Bytes of the widest vector registers that this CPU and kernel have: 64 where masks of 64 bits are there
/// too.
pub fn widest_vector() -> usize {
    if is_x86_feature_detected!("avx512bw") {
        64
    } else if is_x86_feature_detected!("avx") {
        32
    } else {
        16
    }
}

/// Empties the x87 stack and masks its exceptions, as at the start of a process.
pub fn reset_x87() {
    // SAFETY: the System V ABI has this state at function boundaries, so nothing is lost.
    unsafe { asm!("fninit", options(nomem, nostack)) };
}

/// Whether programs may read and write the segment bases.
#[inline]
fn has_segment_bases() -> bool {
    /// Bit 1 of AT_HWCAP2: the kernel has enabled FSGSBASE (Documentation/arch/x86/x86_64/fsgs.rst).
    const FSGSBASE: u64 = 1 << 1;
    /// What was read, and 1 beside it; each entry asks, and signal handlers do.
    static READ: AtomicU64 = AtomicU64::new(0);
    let known = READ.load(Ordering::Relaxed);
    if known != 0 {
        return known & FSGSBASE != 0;
    }
    // SAFETY: getauxval reads a table that the kernel made before the program started.
    let read = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    READ.store(read | 1, Ordering::Relaxed);
    read & FSGSBASE != 0
}

/// The `fs` base of this thread, where Rust keeps its thread-local storage; 0 where programs may
/// not read it.
#[inline]
pub fn fs_base() -> u64 {
    if !has_segment_bases() {
        return 0;
    }
    let base;
    // SAFETY: the instruction is enabled, as was just asked; it reads a register and nothing else.
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// Undoes what code may have done to the `fs` base.
///
/// # Safety
/// The base is what [`fs_base`] said on this thread.
#[inline]
unsafe fn restore_fs_base(base: u64) {
    if base != 0 && fs_base() != base {
        // SAFETY: the instruction is enabled, for the base was read; the caller vouches for it.
        unsafe { asm!("wrfsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
    }
}

/// The `gs` base of this thread; 0 where programs may not read it.
#[inline]
pub fn gs_base() -> u64 {
    if !has_segment_bases() {
        return 0;
    }
    let base;
    // SAFETY: the instruction is enabled, as was just asked; it reads a register and nothing else.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_code_runs_and_its_data_stay_writable() {
        let mut window = Window::reserve().expect("reserves");
        let mut writable = window.take(3 * PAGE).expect("maps");
        // lea rax, [rdi + 1]; ret
        writable.bytes()[2 * PAGE..2 * PAGE + 5].copy_from_slice(&[0x48, 0x8d, 0x47, 0x01, 0xc3]);
        let entry = writable.address() + 2 * PAGE as u64;
        let mut code = writable.seal(2 * PAGE..3 * PAGE).expect("seals");
        assert_eq!(code.enter(entry, 41), 42);
        assert_eq!(code.data().len(), PAGE);
        code.data()[0] = 1;
        // Flushing changes nothing.
        code.flush(&[
            entry..entry + 5,
            entry - 2 * PAGE as u64..entry - PAGE as u64,
        ]);
        assert_eq!((code.enter(entry, 41), code.data()[0]), (42, 1));
    }

    #[test]
    #[should_panic(expected = "neither code nor data")]
    fn the_guard_between_code_and_data_is_not_flushed() {
        let mut window = Window::reserve().expect("reserves");
        let writable = window.take(3 * PAGE).expect("maps");
        let guard = writable.address() + PAGE as u64;
        let code = writable.seal(2 * PAGE..3 * PAGE).expect("seals");
        code.flush(std::slice::from_ref(&(guard..guard + 64)));
    }

    #[test]
    fn a_window_hands_out_addresses_once_and_keeps_its_last_page() {
        let mut window = Window::reserve().expect("reserves");
        let high = window.high();
        let mut end = 0;
        for bytes in [1, PAGE, 5 * PAGE + 1] {
            let mut taken = window.take(bytes).expect("maps");
            assert!(taken.address() > end, "a guard lies between");
            assert_eq!((taken.address() >> 32) as u32, high);
            end = taken.address() + taken.bytes().len() as u64;
            taken.bytes().fill(1);
        }
        assert!(window.take(WINDOW - 12 * PAGE).is_err());
        let last = window.take(WINDOW - 13 * PAGE).map(|taken| taken.address());
        assert!(last.is_ok_and(|address| (address >> 32) as u32 == high));
        assert!(window.take(1).is_err());
    }

    #[test]
    fn the_gs_base_that_was_set_is_read() {
        let before = gs_base();
        set_gs_base(0x1234_5000).expect("sets");
        let now = gs_base();
        set_gs_base(before).expect("sets");
        assert!(now == 0x1234_5000 || now == 0, "{now:#x}");
    }

    #[test]
    #[should_panic(expected = "not in the sealed code")]
    fn an_address_outside_the_code_is_not_entered() {
        let mut window = Window::reserve().expect("reserves");
        let writable = window.take(3 * PAGE).expect("maps");
        let data = writable.address();
        writable
            .seal(2 * PAGE..3 * PAGE)
            .expect("seals")
            .enter(data, 0);
    }
}
