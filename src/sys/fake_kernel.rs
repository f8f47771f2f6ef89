//! A kernel of the tests' own behind the system calls by which counters are opened and switched.
//!
//! Correct means: a test sees every call in its order and decides its answer; what a group then reads,
//! and the page that it maps, are files of the test's. Calls of other threads go to the real kernel.

use std::cell::RefCell;
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

/// A group that was opened.
struct Group {
    descriptor: c_int,
    /// Where its readings are put, one behind the other.
    readings: File,
    written: u64,
    members: Vec<u64>,
}

/// What a test decides about an opening: the errno of a refusal.
type Answer = Box<dyn FnMut(&Opening) -> Option<i32>>;

struct State {
    asked: Vec<Asked>,
    groups: Vec<Group>,
    answer: Answer,
    /// The capabilities that each counter's page states.
    capabilities: u64,
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
        let state = Rc::new(RefCell::new(State {
            asked: Vec::new(),
            groups: Vec::new(),
            answer: Box::new(answer),
            capabilities,
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
    /// nanoseconds for which it was enabled and ran.
    pub fn will_read(&self, group: usize, counts: &[u64], (enabled, running): (u64, u64)) {
        let mut state = self.state.borrow_mut();
        let group = &mut state.groups[group];
        assert_eq!(counts.len(), group.members.len(), "a count for each member");
        let leader = (0, identity(group.descriptor));
        let members = counts.iter().copied().zip(group.members.iter().copied());
        let mut words = vec![1 + counts.len() as u64, enabled, running];
        words.extend(
            std::iter::once(leader)
                .chain(members)
                .flat_map(|(count, id)| [count, id]),
        );
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_ne_bytes).collect();
        group
            .readings
            .write_all_at(&bytes, group.written)
            .expect("memory takes it");
        group.written += bytes.len() as u64;
    }
}

impl Drop for FakeKernel {
    fn drop(&mut self) {
        // SAFETY: descriptors of the fake are files of memory, which the real calls refuse or close.
        unsafe { hooks::clear_thread_hooks() };
    }
}

/// By what the kernel tells events apart in a reading.
fn identity(descriptor: c_int) -> u64 {
    1000 + descriptor as u64
}

struct Script(Rc<RefCell<State>>);

impl Script {
    fn switched(&self, descriptor: c_int, asked: impl Fn(usize) -> Asked) -> c_int {
        let mut state = self.0.borrow_mut();
        // The last one: a descriptor's number is given again when it was closed.
        let is_it = |group: &Group| group.descriptor == descriptor;
        if let Some(at) = state.groups.iter().rposition(is_it) {
            state.asked.push(asked(at));
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
            });
        } else {
            let capabilities = state.capabilities.to_ne_bytes();
            own.set_len(PAGE as u64).expect("grows");
            own.write_all_at(&capabilities, 40).expect("writes");
            let leader = state.groups.iter_mut().rfind(|one| one.descriptor == group);
            if let Some(leader) = leader {
                leader.members.push(identity(descriptor));
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
