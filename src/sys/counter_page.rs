//! The page that the kernel keeps for an open counter, by which a program reads the counter itself.
//!
//! Correct means: a value is put together from fields that belong together, or there is none and the
//! reason is said. The layout and the protocol are those of `struct perf_event_mmap_page` in
//! linux/perf_event.h: the kernel adds one to `lock` before and behind each change, so whoever has
//! seen one even number on both sides of its reading has seen no change.

use std::arch::asm;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};

use super::mapping::PAGE;

/// What a program may do with the page: bits of its capabilities.
const RDPMC: u64 = 1 << 2;
/// Set by every kernel since 3.12, whose capabilities mean what they are called.
const IS_SOUND: u64 = 1 << 1;

/// Readings of a page that keeps changing before it is given up: a change takes the kernel less than
/// a microsecond.
const TRIES: u32 = 1000;

/// The fields of the page, each read by itself: the kernel may change them between two readings.
pub trait Fields {
    /// Even between two changes, another number behind each.
    fn lock(&self) -> u32;
    /// The number of the CPU's counter plus one; 0 while it is on none.
    fn index(&self) -> u32;
    /// What is to be added to the CPU's counter.
    fn offset(&self) -> u64;
    /// Nanoseconds for which it was enabled, when it last came to or left the CPU.
    fn enabled_ns(&self) -> u64;
    /// Nanoseconds for which it was on a counter, then.
    fn running_ns(&self) -> u64;
    /// What a program may do.
    fn capabilities(&self) -> u64;
    /// Bits that the CPU's counter has.
    fn width(&self) -> u16;
    /// The CPU's counter of this number, by `rdpmc`.
    fn counter(&self, number: u32) -> u64;
}

/// What a page and its counter showed at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// What was counted since the counter was opened.
    pub count: u64,
    /// Nanoseconds for which it was enabled and on no counter, all in all.
    pub missed_ns: u64,
}

/// Why a page shows no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotShown {
    /// The kernel does not let programs read this counter.
    Forbidden,
    /// It is on none of the CPU's counters now.
    Unscheduled,
    /// The width that it states is that of no counter.
    Width(u16),
    /// It changed at each of many readings.
    Torn,
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotShown::Forbidden => {
                f.write_str("the kernel lets no program read this counter itself")
            }
            NotShown::Unscheduled => f.write_str("it is on none of the CPU's counters"),
            NotShown::Width(bits) => write!(f, "the kernel says that it has {bits} bits"),
            NotShown::Torn => write!(
                f,
                "the kernel changed its page during each of {TRIES} readings"
            ),
        }
    }
}

/// Reads the fields until all of them are of one time.
///
/// # Errors
/// Where the counter cannot be read so, now or ever.
pub fn read(page: &impl Fields) -> Result<Shown, NotShown> {
    for _ in 0..TRIES {
        let lock = page.lock();
        let shown = attempt(page);
        if lock.is_multiple_of(2) && page.lock() == lock {
            return shown;
        }
    }
    Err(NotShown::Torn)
}

/// One reading, which is worth something only if the lock has not changed meanwhile.
fn attempt(page: &impl Fields) -> Result<Shown, NotShown> {
    let missed_ns = page.enabled_ns().wrapping_sub(page.running_ns());
    let capabilities = page.capabilities();
    let (index, offset, width) = (page.index(), page.offset(), page.width());
    if capabilities & RDPMC == 0 || capabilities & IS_SOUND == 0 {
        return Err(NotShown::Forbidden);
    }
    let number = index.checked_sub(1).ok_or(NotShown::Unscheduled)?;
    if !(1..=64).contains(&width) {
        return Err(NotShown::Width(width));
    }
    let unused = 64 - u32::from(width);
    // The kernel lets a counter begin below zero, so its highest bit is a sign.
    let counter = ((page.counter(number) << unused) as i64) >> unused;
    Ok(Shown {
        count: offset.wrapping_add(counter as u64),
        missed_ns,
    })
}

/// Reads an open counter's words into memory of the caller's, and says how many there were.
///
/// # Errors
/// What the kernel says; no word is of use then.
pub fn read_words(counter: &impl AsRawFd, words: &mut [u64]) -> io::Result<usize> {
    // SAFETY: the kernel writes no more bytes than `words` has, and any bytes are a word.
    let read = unsafe {
        libc::read(
            counter.as_raw_fd(),
            words.as_mut_ptr().cast(),
            size_of_val(words),
        )
    };
    match usize::try_from(read) {
        Ok(bytes) => Ok(bytes / size_of::<u64>()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// The page of one counter.
#[derive(Debug)]
pub struct CounterPage {
    map: MmapRaw,
}

impl CounterPage {
    /// Maps the page of an open counter, to be read.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn map(counter: &impl AsRawFd) -> io::Result<CounterPage> {
        // Without a length the map would be as long as the file, and a counter's has none.
        let map = MmapOptions::new()
            .len(PAGE)
            .map_raw_read_only(counter.as_raw_fd())?;
        Ok(CounterPage { map })
    }

    /// Reads the counter without a system call.
    ///
    /// # Errors
    /// Where it cannot be read so, now or ever.
    pub fn read(&self) -> Result<Shown, NotShown> {
        read(self)
    }

    /// What stands in it now, by the names of linux/perf_event.h.
    pub fn fields(&self) -> [(&'static str, u64); 6] {
        [
            ("index", u64::from(self.index())),
            ("offset", self.offset()),
            ("time_enabled", self.enabled_ns()),
            ("time_running", self.running_ns()),
            ("capabilities", self.capabilities()),
            ("pmc_width", u64::from(self.width())),
        ]
    }

    /// The CPU's counter that it is on now: fixed counters have numbers from 2³⁰.
    pub fn number(&self) -> Option<u32> {
        self.index().checked_sub(1)
    }

    fn word32(&self, offset: usize) -> u32 {
        // SAFETY: the offsets below are multiples of four within the page, which stays mapped as
        // long as `self`; relaxed loads of this size may be made of memory that can only be read,
        // and that another writes.
        let word = unsafe { &*self.map.as_ptr().add(offset).cast::<AtomicU32>() };
        word.load(Ordering::Relaxed)
    }

    fn word64(&self, offset: usize) -> u64 {
        // SAFETY: as above, with multiples of eight.
        let word = unsafe { &*self.map.as_ptr().add(offset).cast::<AtomicU64>() };
        word.load(Ordering::Relaxed)
    }
}

impl Fields for CounterPage {
    fn lock(&self) -> u32 {
        // Nothing that stands behind one reading of the lock, or before the other, may pass it.
        fence(Ordering::Acquire);
        let lock = self.word32(8);
        fence(Ordering::Acquire);
        lock
    }

    fn index(&self) -> u32 {
        self.word32(12)
    }

    fn offset(&self) -> u64 {
        self.word64(16)
    }

    fn enabled_ns(&self) -> u64 {
        self.word64(24)
    }

    fn running_ns(&self) -> u64 {
        self.word64(32)
    }

    fn capabilities(&self) -> u64 {
        self.word64(40)
    }

    fn width(&self) -> u16 {
        self.word32(48) as u16
    }

    fn counter(&self, number: u32) -> u64 {
        #[cfg(test)]
        if let Some(played) = super::fake_kernel::counter(number) {
            return played;
        }
        rdpmc(number)
    }
}

/// The CPU's counter of this number, fenced on both sides.
///
/// Where the kernel has not switched the instruction on for this process, it ends the process with
/// SIGSEGV; a page that says a program may read is the kernel's word that it has.
fn rdpmc(number: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the instructions read a register of the CPU and no memory, and write the two registers
    // that are named; every CPU that has counters has them.
    unsafe {
        asm!(
            "lfence", "rdpmc", "lfence",
            in("ecx") number, out("eax") low, out("edx") high,
            options(nostack, preserves_flags),
        );
    }
    u64::from(high) << 32 | u64::from(low)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::AtomicBool;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    type Acts<'a> = Box<dyn Fn(u32, &mut State) + 'a>;

    /// What the kernel keeps, and what it does to it before each reading of a field.
    struct Kernel<'a> {
        state: RefCell<State>,
        /// Called with the number of the reading that comes.
        acts: Acts<'a>,
        readings: Cell<u32>,
    }

    #[derive(Debug, Clone, Copy)]
    struct State {
        lock: u32,
        index: u32,
        offset: u64,
        enabled_ns: u64,
        running_ns: u64,
        capabilities: u64,
        width: u16,
        counter: u64,
    }

    /// A counter of 48 bits that began at -1000 and has counted 1007.
    const STATE: State = State {
        lock: 2,
        index: 3,
        offset: 1000,
        enabled_ns: 900,
        running_ns: 900,
        capabilities: RDPMC | IS_SOUND,
        width: 48,
        counter: 7,
    };

    impl<'a> Kernel<'a> {
        fn new(state: State, acts: impl Fn(u32, &mut State) + 'a) -> Kernel<'a> {
            Kernel {
                state: RefCell::new(state),
                acts: Box::new(acts),
                readings: Cell::new(0),
            }
        }

        fn quiet(state: State) -> Kernel<'a> {
            Kernel::new(state, |_, _| {})
        }

        fn now<T>(&self, of: impl Fn(&State) -> T) -> T {
            let reading = self.readings.replace(self.readings.get() + 1);
            let mut state = self.state.borrow_mut();
            (self.acts)(reading, &mut state);
            of(&state)
        }
    }

    impl Fields for Kernel<'_> {
        fn lock(&self) -> u32 {
            self.now(|state| state.lock)
        }
        fn index(&self) -> u32 {
            self.now(|state| state.index)
        }
        fn offset(&self) -> u64 {
            self.now(|state| state.offset)
        }
        fn enabled_ns(&self) -> u64 {
            self.now(|state| state.enabled_ns)
        }
        fn running_ns(&self) -> u64 {
            self.now(|state| state.running_ns)
        }
        fn capabilities(&self) -> u64 {
            self.now(|state| state.capabilities)
        }
        fn width(&self) -> u16 {
            self.now(|state| state.width)
        }
        fn counter(&self, number: u32) -> u64 {
            // Another counter has a number of its own in it.
            self.now(|state| match number + 1 == state.index {
                true => state.counter,
                false => 0xdead,
            })
        }
    }

    #[test]
    fn a_count_is_the_offset_and_the_counter_with_its_sign() {
        #[rustfmt::skip] // a table: width, counter and count a line
        let cases = [
            (48, 7,                     1007),
            (48, (1 << 48) - 1000,         0), // -1000 in 48 bits
            (48, (1 << 48) - 1,          999),
            (40, (1 << 40) - 1000,         0),
            (64, 7,                     1007),
            (64, u64::MAX,               999),
            (32, 0x7fff_ffff,    0x8000_03e7),
            (32, 0x8000_0000,    1000u64.wrapping_sub(0x8000_0000)),
            // Bits above its width, where the CPU shows any, are not the counter's.
            (48, 0xabcd_0000_0000_0007, 1007),
        ];
        for (width, counter, count) in cases {
            let kernel = Kernel::quiet(State {
                width,
                counter,
                ..STATE
            });
            let shown = Shown {
                count,
                missed_ns: 0,
            };
            assert_eq!(read(&kernel), Ok(shown), "{width} {counter:#x}");
        }
    }

    #[test]
    fn a_counter_that_cannot_be_read_says_why() {
        let old_meaning = State {
            capabilities: RDPMC,
            ..STATE
        };
        #[rustfmt::skip] // a table: one state a line
        let cases = [
            (State { capabilities: IS_SOUND, ..STATE }, NotShown::Forbidden),
            (old_meaning,                               NotShown::Forbidden),
            (State { index: 0, ..STATE },               NotShown::Unscheduled),
            (State { width: 0, ..STATE },               NotShown::Width(0)),
            (State { width: 65, ..STATE },              NotShown::Width(65)),
        ];
        for (state, why) in cases {
            assert_eq!(read(&Kernel::quiet(state)), Err(why), "{state:?}");
        }
    }

    #[test]
    fn what_the_counter_missed_is_the_difference_of_its_times() {
        let kernel = Kernel::quiet(State {
            enabled_ns: 5000,
            running_ns: 3200,
            ..STATE
        });
        assert_eq!(read(&kernel).map(|shown| shown.missed_ns), Ok(1800));
    }

    /// The kernel puts the counter's value into the offset and begins anew, at any moment of a
    /// reading: the count is the same before and behind.
    #[test]
    fn a_change_at_any_moment_of_a_reading_tears_no_count() {
        for moment in 0..12 {
            let moved = move |reading: u32, state: &mut State| {
                if reading == moment {
                    state.lock += 2;
                    state.offset += state.counter;
                    state.counter = 0;
                    state.index = 5;
                }
            };
            let kernel = Kernel::new(STATE, moved);
            assert_eq!(
                read(&kernel).map(|shown| shown.count),
                Ok(1007),
                "at {moment}"
            );
        }
    }

    #[test]
    fn the_lock_taken_and_the_fields_changed_later_tear_no_count() {
        for moment in 0..12 {
            let slow = move |reading: u32, state: &mut State| {
                if reading == moment {
                    state.lock += 1;
                    state.offset += state.counter;
                } else if reading == moment + 1 {
                    state.counter = 0;
                    state.lock += 1;
                }
            };
            // Between the two acts count and offset do not belong together: 1014 is torn.
            let read = read(&Kernel::new(STATE, slow)).map(|shown| shown.count);
            assert_eq!(read, Ok(1007), "at {moment}");
        }
    }

    #[test]
    fn a_counter_that_leaves_the_cpu_during_a_reading_is_unscheduled() {
        let leaves = |reading: u32, state: &mut State| {
            if reading == 4 {
                state.lock += 2;
                state.index = 0;
            }
        };
        let read = read(&Kernel::new(STATE, leaves));
        assert_eq!(read, Err(NotShown::Unscheduled));
    }

    #[test]
    fn a_page_that_always_changes_is_given_up() {
        let kernel = Kernel::new(STATE, |_, state| state.lock += 1);
        assert_eq!(read(&kernel), Err(NotShown::Torn));
    }

    fn memory(fields: &[(u64, u64)]) -> File {
        let file = File::from(memfd_create("page", MFdFlags::empty()).expect("a file"));
        file.set_len(PAGE as u64).expect("grows");
        for (offset, value) in fields {
            file.write_all_at(&value.to_le_bytes(), *offset)
                .expect("writes");
        }
        file
    }

    #[test]
    fn the_fields_lie_where_the_kernels_header_has_them() {
        // struct perf_event_mmap_page: version and compat_version, lock and index, offset, enabled,
        // running, capabilities, and pmc_width before time_shift and time_mult.
        let page = memory(&[
            (0, 0xffff_ffff_ffff_ffff),
            (8, 6 << 32 | 4),
            (16, 1000),
            (24, 70),
            (32, 60),
            (40, 0x1e),
            (48, 0xffff_ffff_ffff_0030),
        ]);
        let page = CounterPage::map(&page).expect("maps");
        assert_eq!((page.lock(), page.index(), page.offset()), (4, 6, 1000));
        assert_eq!((page.enabled_ns(), page.running_ns()), (70, 60));
        assert_eq!((page.capabilities(), page.width()), (0x1e, 48));
    }

    #[test]
    fn a_mapped_page_that_forbids_it_is_not_read_by_rdpmc() {
        let page = CounterPage::map(&memory(&[(8, 1 << 32), (40, IS_SOUND)])).expect("maps");
        assert_eq!(page.read(), Err(NotShown::Forbidden));
    }

    #[test]
    fn what_is_no_file_is_not_mapped() {
        assert!(CounterPage::map(&std::io::stdin().lock()).is_err());
    }

    /// Another thread moves what was counted between offset and counter, as fast as it can.
    #[test]
    fn no_count_is_torn_by_a_thread_that_writes_meanwhile() {
        struct Memory<'a>(CounterPage, &'a AtomicU64);
        impl Fields for Memory<'_> {
            fn lock(&self) -> u32 {
                self.0.lock()
            }
            fn index(&self) -> u32 {
                self.0.index()
            }
            fn offset(&self) -> u64 {
                self.0.offset()
            }
            fn enabled_ns(&self) -> u64 {
                0
            }
            fn running_ns(&self) -> u64 {
                0
            }
            fn capabilities(&self) -> u64 {
                RDPMC | IS_SOUND
            }
            fn width(&self) -> u16 {
                48
            }
            fn counter(&self, _: u32) -> u64 {
                self.1.load(Ordering::Relaxed)
            }
        }
        const TOTAL: u64 = 1_000_000;
        let counter = AtomicU64::new(0);
        let file = memory(&[(8, 1 << 32), (16, TOTAL)]);
        let page = Memory(CounterPage::map(&file).expect("maps"), &counter);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let write = |offset: u64, value: &[u8]| {
                    file.write_all_at(value, offset).expect("writes");
                };
                for step in 0u32.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let moved = u64::from(step % 1000);
                    write(8, &(2 * step + 1).to_le_bytes());
                    write(16, &(TOTAL - moved).to_le_bytes());
                    counter.store(moved, Ordering::Release);
                    write(8, &(2 * step + 2).to_le_bytes());
                }
            });
            let counts: Vec<_> = (0..20_000).map(|_| read(&page)).collect();
            is_over.store(true, Ordering::Relaxed);
            let is_odd = |shown: &&Result<Shown, NotShown>| {
                !matches!(shown, Ok(Shown { count: TOTAL, .. }) | Err(NotShown::Torn))
            };
            assert_eq!(counts.iter().find(is_odd), None);
            assert!(counts.iter().any(Result::is_ok));
        });
    }
}
