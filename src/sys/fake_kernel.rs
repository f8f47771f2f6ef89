//! A kernel of the tests' own behind the system calls by which counters are opened and switched.
//!
//! Correct means: a test sees every call in its order and decides its answer; what a group then reads,
//! the page that it maps and the counters of the CPU that `rdpmc` shows are the test's. As with the real kernel a group
//! opens whatever its size, and one of more members than there are free counters never runs. Calls of other threads go
//! to the real kernel.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use libc::{c_int, c_uint, c_ulong, pid_t};
use nix::sys::memfd::{MFdFlags, memfd_create};
use perf_event::hooks::{self, Hooks};
use perf_event_open_sys::bindings::{self, perf_event_attr};

use super::mapping::PAGE;

/// One call of `perf_event_open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// A `PERF_TYPE` of linux/perf_event.h.
    pub kind: u32,
    /// The event's code, with the type of a PMU above bit 31.
    pub code: u64,
    /// Whether it is to be a member of a group.
    pub is_member: bool,
    /// Whether what the kernel does is counted too.
    pub counts_kernel: bool,
    /// Whether what guests of this machine do is left out.
    pub is_without_guests: bool,
}

impl Opening {
    /// Whether it is what crate `perf-event` opens to lead a group.
    pub fn is_leader(&self) -> bool {
        let dummy = (
            bindings::PERF_TYPE_SOFTWARE,
            u64::from(bindings::PERF_COUNT_SW_DUMMY),
        );
        (self.kind, self.code) == dummy
    }
}

/// What was asked, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To open an event; the errno where it was refused.
    Open(Opening, Option<i32>),
    /// To let a member of the group with this number among the groups count.
    EnableMember(usize),
    /// To let the group count.
    Enable(usize),
    /// To stop it.
    Disable(usize),
}

/// What a group reads: a count for each of its members, and the nanoseconds for which it was enabled and ran.
type Planned = (Vec<u64>, (u64, u64));

/// A group that was opened.
struct Group {
    descriptor: c_int,
    /// Where its readings are put, one behind the other.
    readings: File,
    written: u64,
    members: Vec<u64>,
    /// The page of each member.
    pages: Vec<File>,
}

impl Group {
    fn will_read(&mut self, (counts, (enabled, running)): &Planned) {
        assert_eq!(counts.len(), self.members.len(), "a count for each member");
        let leader = (0, identity(self.descriptor));
        let members = counts.iter().copied().zip(self.members.iter().copied());
        let mut words = vec![1 + counts.len() as u64, *enabled, *running];
        words.extend(
            std::iter::once(leader)
                .chain(members)
                .flat_map(|(count, id)| [count, id]),
        );
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_ne_bytes).collect();
        self.readings
            .write_all_at(&bytes, self.written)
            .expect("memory takes it");
        self.written += bytes.len() as u64;
    }
}

/// What the page of a counter states, by the place that linux/perf_event.h gives it.
mod page {
    pub(super) const LOCK: u64 = 8;
    pub(super) const INDEX: u64 = 12;
    pub(super) const OFFSET: u64 = 16;
    pub(super) const CAPABILITIES: u64 = 40;
    pub(super) const WIDTH: u64 = 48;
}

/// What pages state beside their counter: what a program may do; and whether the n-th member of a group is on the CPU's
/// n-th counter, or on none.
#[derive(Clone, Copy)]
struct Stated {
    capabilities: u64,
    is_on_counters: bool,
}

thread_local! {
    /// What the CPU's counters show to this thread's `rdpmc`, by their numbers; none where the CPU answers itself.
    static COUNTERS: RefCell<Option<BTreeMap<u32, u64>>> = const { RefCell::new(None) };
}

/// The CPU's counter of this number, where a test plays it.
pub(super) fn counter(number: u32) -> Option<u64> {
    COUNTERS.with_borrow(|counters| {
        let played = counters.as_ref()?.get(&number);
        Some(*played.expect("only counters that a page names are read"))
    })
}

/// What a test decides about an opening: the errno of a refusal.
type Answer = Box<dyn FnMut(&Opening) -> Option<i32>>;

struct State {
    asked: Vec<Asked>,
    groups: Vec<Group>,
    answer: Answer,
    stated: Stated,
    /// The CPU's counters that nobody else has.
    free: usize,
    /// What groups read that are not open yet, by their numbers.
    planned: BTreeMap<usize, Vec<Planned>>,
}

/// The kernel of this thread as long as it lives.
pub struct FakeKernel {
    state: Rc<RefCell<State>>,
}

impl FakeKernel {
    /// Stands in for the kernel on this thread; `answer` refuses an opening with an errno.
    pub fn install(answer: impl FnMut(&Opening) -> Option<i32> + 'static) -> FakeKernel {
        FakeKernel::with_pages(0, answer)
    }

    /// The same, with pages that state these capabilities and a counter on no register.
    pub fn with_pages(
        capabilities: u64,
        answer: impl FnMut(&Opening) -> Option<i32> + 'static,
    ) -> FakeKernel {
        let stated = Stated {
            capabilities,
            is_on_counters: false,
        };
        FakeKernel::new(stated, usize::MAX, Box::new(answer))
    }

    /// The same, with pages by which a program may read the CPU's counters: the members of a group are on its counters
    /// from number 0 on, which have 48 bits and show what [`FakeKernel::will_show`] says.
    pub fn with_counters(answer: impl FnMut(&Opening) -> Option<i32> + 'static) -> FakeKernel {
        const MEANT_AS_CALLED: u64 = 1 << 1;
        const RDPMC: u64 = 1 << 2;
        let stated = Stated {
            capabilities: MEANT_AS_CALLED | RDPMC,
            is_on_counters: true,
        };
        COUNTERS.set(Some(BTreeMap::new()));
        FakeKernel::new(stated, usize::MAX, Box::new(answer))
    }

    /// A kernel of whose counters others have left so many.
    pub fn with_room(
        free: usize,
        answer: impl FnMut(&Opening) -> Option<i32> + 'static,
    ) -> FakeKernel {
        let stated = Stated {
            capabilities: 0,
            is_on_counters: false,
        };
        FakeKernel::new(stated, free, Box::new(answer))
    }

    fn new(stated: Stated, free: usize, answer: Answer) -> FakeKernel {
        let state = Rc::new(RefCell::new(State {
            asked: Vec::new(),
            groups: Vec::new(),
            answer,
            stated,
            free,
            planned: BTreeMap::new(),
        }));
        // SAFETY: what crate `perf-event` opened before on this thread are real descriptors, for which
        // the calls below do nothing worse than to be noted; none of them touches memory.
        unsafe { hooks::set_thread_hooks(Box::new(Script(Rc::clone(&state)))) };
        FakeKernel { state }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.borrow().asked.clone()
    }

    /// The openings so far, without their answers.
    pub fn openings(&self) -> Vec<Opening> {
        let opening = |asked| match asked {
            Asked::Open(opening, _) => Some(opening),
            _ => None,
        };
        self.asked().into_iter().filter_map(opening).collect()
    }

    /// Puts down what the group with this number reads next: a count for each of its members, and the
    /// nanoseconds for which it was enabled and ran. A group that is not open yet reads it when it is.
    pub fn will_read(&self, group: usize, counts: &[u64], times: (u64, u64)) {
        let planned = (counts.to_vec(), times);
        let mut state = self.state.borrow_mut();
        match state.groups.get_mut(group) {
            Some(group) => group.will_read(&planned),
            None => state.planned.entry(group).or_default().push(planned),
        }
    }

    /// What the CPU's counter of this number shows from now on.
    pub fn will_show(&self, number: u32, count: u64) {
        COUNTERS.with_borrow_mut(|counters| {
            let counters = counters.as_mut().expect("the kernel has counters");
            counters.insert(number, count);
        });
    }

    /// Takes a member of a group from the CPU's counters and keeps what it has counted.
    pub fn take_away(&self, group: usize, member: usize) {
        let state = self.state.borrow();
        let page = &state.groups[group].pages[member];
        let write = |at, word: u32| page.write_all_at(&word.to_ne_bytes(), at).expect("writes");
        write(page::INDEX, 0);
        write(page::LOCK, 4);
    }
}

impl Drop for FakeKernel {
    fn drop(&mut self) {
        // SAFETY: descriptors of the fake are files of memory, which the real calls refuse or close.
        unsafe { hooks::clear_thread_hooks() };
        COUNTERS.set(None);
    }
}

/// Counters begin so far below zero, so that the kernel hears of it when they have counted as much.
const HALF_OF_A_COUNTER: u64 = 1 << 47;

/// By what the kernel tells events apart in a reading.
fn identity(descriptor: c_int) -> u64 {
    1000 + descriptor as u64
}

impl State {
    /// Gives a group what it is to read, where that was put down before it was open; one that has more members than
    /// there are counters never runs.
    fn begin(&mut self, group: usize) {
        /// More than anybody makes before it is given up.
        const READINGS: u64 = 200;
        let planned = self.planned.remove(&group).unwrap_or_default();
        let (free, group) = (self.free, &mut self.groups[group]);
        let members = group.members.len();
        if members > free && group.written == 0 {
            for reading in 1..=READINGS {
                group.will_read(&(vec![0; members], (1000 * reading, 0)));
            }
        }
        planned.iter().for_each(|planned| group.will_read(planned));
    }
}

struct Script(Rc<RefCell<State>>);

impl Script {
    fn switched(&self, descriptor: c_int, asked: impl Fn(usize) -> Asked) -> c_int {
        let mut state = self.0.borrow_mut();
        // The last one: a descriptor's number is given again when it was closed.
        let is_it = |group: &Group| group.descriptor == descriptor;
        if let Some(at) = state.groups.iter().rposition(is_it) {
            state.asked.push(asked(at));
            state.begin(at);
        }
        let has_it = |group: &Group| group.members.contains(&identity(descriptor));
        if let Some(at) = state.groups.iter().rposition(has_it) {
            state.asked.push(Asked::EnableMember(at));
        }
        0
    }
}

/// A file of memory, as a descriptor that somebody else closes and one that stays.
fn memory() -> io::Result<(c_int, File)> {
    let file = File::from(memfd_create("counter", MFdFlags::empty())?);
    let own = file.try_clone()?;
    Ok((file.into_raw_fd(), own))
}

impl Hooks for Script {
    unsafe fn perf_event_open(
        &mut self,
        attributes: *mut perf_event_attr,
        _: pid_t,
        _: c_int,
        group: c_int,
        _: c_ulong,
    ) -> c_int {
        // SAFETY: the crate passes its own attributes, which live during the call.
        let attributes = unsafe { &*attributes };
        let opening = Opening {
            kind: attributes.type_,
            code: attributes.config,
            is_member: group >= 0,
            counts_kernel: attributes.exclude_kernel() == 0,
            is_without_guests: attributes.exclude_guest() == 1,
        };
        let mut state = self.0.borrow_mut();
        let refused = (state.answer)(&opening);
        state.asked.push(Asked::Open(opening, refused));
        if let Some(errno) = refused {
            // SAFETY: the C library's own word of this thread.
            unsafe { *libc::__errno_location() = errno };
            return -1;
        }
        let (descriptor, own) = memory().expect("a file of memory");
        if opening.is_leader() && !opening.is_member {
            state.groups.push(Group {
                descriptor,
                readings: own,
                written: 0,
                members: Vec::new(),
                pages: Vec::new(),
            });
        } else {
            let Stated {
                capabilities,
                is_on_counters,
            } = state.stated;
            let write = |at, bytes: &[u8]| own.write_all_at(bytes, at).expect("writes");
            own.set_len(PAGE as u64).expect("grows");
            write(page::CAPABILITIES, &capabilities.to_ne_bytes());
            let leader = state.groups.iter_mut().rfind(|one| one.descriptor == group);
            if let Some(leader) = leader {
                if is_on_counters {
                    let index = 1 + leader.members.len() as u32;
                    write(page::LOCK, &2u32.to_ne_bytes());
                    write(page::INDEX, &index.to_ne_bytes());
                    write(page::OFFSET, &HALF_OF_A_COUNTER.to_ne_bytes());
                    write(page::WIDTH, &48u16.to_ne_bytes());
                }
                leader.members.push(identity(descriptor));
                leader.pages.push(own);
            }
        }
        descriptor
    }

    unsafe fn ENABLE(&mut self, descriptor: c_int, _: c_uint) -> c_int {
        self.switched(descriptor, Asked::Enable)
    }

    unsafe fn DISABLE(&mut self, descriptor: c_int, _: c_uint) -> c_int {
        self.switched(descriptor, Asked::Disable)
    }

    unsafe fn ID(&mut self, descriptor: c_int, to: *mut u64) -> c_int {
        // SAFETY: the crate passes the address of a word of its own.
        unsafe { *to = identity(descriptor) };
        0
    }
}
