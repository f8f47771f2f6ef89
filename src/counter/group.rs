//! Counters of the kernel, opened together and read together.
//!
//! Correct means: a reading is of all members over the same stretch of this thread's user code, or
//! it is refused with the reason; whatever the kernel refuses is named, and the rest still counts.
//! Where the kernel lets a program read the CPU's counters, that is how they are read; else, and
//! whenever one of them is on no counter, by a system call.
//!
//! Of crate `perf-event` three things must be known. It counts a member that the kernel refused, and
//! its next read panics: so after any refusal the whole group is dropped and built anew. A read
//! panics too when a member was dropped, so members live as long as their group. And a read panics
//! where the kernel says that counters ran longer than they were enabled, which kernels have done;
//! so a read that panics is a reading refused.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use perf_event::{Builder, Counter, Group};

use crate::job::Unavailable;
use crate::job::catalogue::Asked;
use crate::sys::counter_page::CounterPage;

/// An event by a name of the caller's own.
pub type Named<N> = (N, Asked);

/// Opens each event by itself, for this thread, user mode only, and closes it again.
///
/// Opening a group would tell nothing: its leader is a software event and opens anywhere.
pub fn probe<N: Copy>(events: &[Named<N>]) -> Vec<(N, io::Result<()>)> {
    let open = |(name, asked): &Named<N>| (*name, builder(asked).build().map(drop));
    events.iter().map(open).collect()
}

/// A builder's defaults leave kernel and hypervisor out, and ask for the times.
fn builder<'a>(asked: &Asked) -> Builder<'a> {
    /// `PERF_TYPE_RAW` of linux/perf_event.h.
    const RAW: u32 = 4;
    let mut builder = Builder::new();
    match asked {
        Asked::Event(event) => builder.kind(event.clone()),
        Asked::WithKernel(event) => {
            builder = builder.kind(event.clone());
            builder.include_kernel();
            builder
        }
        Asked::Raw(code) => {
            let attributes = builder.attrs_mut();
            attributes.type_ = RAW;
            attributes.config = *code;
            builder
        }
    }
}

/// How a group is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By the program itself, from the CPU's counters.
    Rdpmc,
    /// By a system call, and why.
    Call(String),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Rdpmc => f.write_str("read with rdpmc"),
            Way::Call(why) => write!(f, "read with read(), for {why}"),
        }
    }
}

/// Events that count together from now on.
#[derive(Debug)]
pub struct EventGroup<N> {
    group: Group,
    members: Vec<(N, Counter)>,
    /// One for each member, or the reason why there are none.
    pages: Result<Vec<CounterPage>, String>,
    way: Way,
    /// What made the crate panic; after that no reading is believed.
    fault: Option<String>,
}

/// A group, and what had to be left out of it.
#[derive(Debug)]
pub struct Opened<N> {
    /// The members that count; `None` where there is none.
    pub group: Option<EventGroup<N>>,
    /// The others, each with what the kernel said.
    pub refused: Vec<(N, io::Error)>,
}

impl<N: Copy> EventGroup<N> {
    /// Opens all events that open by themselves as one group, without those that the group has no
    /// place for, and starts it.
    pub fn open(events: &[Named<N>]) -> Opened<N> {
        let mut refused = Vec::new();
        let mut left = Vec::new();
        for ((name, opened), event) in probe(events).into_iter().zip(events) {
            match opened {
                Ok(()) => left.push(event.clone()),
                Err(error) => refused.push((name, error)),
            }
        }
        loop {
            if left.is_empty() {
                let group = None;
                return Opened { group, refused };
            }
            match EventGroup::build(&left) {
                Ok(group) => {
                    let group = Some(group);
                    return Opened { group, refused };
                }
                Err((member, error)) => {
                    let (name, _) = left.remove(member);
                    refused.push((name, error));
                }
            }
        }
    }

    /// The group of exactly these events, or the member that the kernel refuses.
    fn build(events: &[Named<N>]) -> Result<EventGroup<N>, (usize, io::Error)> {
        let mut group = Group::new().map_err(|error| (0, error))?;
        let mut members = Vec::new();
        for (at, (name, event)) in events.iter().enumerate() {
            let member = builder(event).group(&mut group).build();
            members.push((*name, member.map_err(|error| (at, error))?));
        }
        let pages: io::Result<Vec<_>> = members
            .iter()
            .map(|(_, member)| CounterPage::map(member))
            .collect();
        let mut group = EventGroup {
            group,
            members,
            pages: pages.map_err(|error| format!("a counter's page cannot be mapped: {error}")),
            way: Way::Call("it was not enabled".into()),
            fault: None,
        };
        group.resume().map_err(|error| (0, error))?;
        Ok(group)
    }

    /// Lets it count again, and finds out how it can be read.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn resume(&mut self) -> io::Result<()> {
        // Pausing a group switches off its members too. One that is switched on while its group is on
        // does not count until the kernel next schedules it, which may be milliseconds later; so they
        // come first.
        for (_, member) in &mut self.members {
            member.enable()?;
        }
        self.group.enable()?;
        let read = |page: &CounterPage| page.read().err().map(|why| why.to_string());
        let why = match &self.pages {
            Ok(pages) => pages.iter().find_map(read),
            Err(why) => Some(why.clone()),
        };
        self.way = why.map_or(Way::Rdpmc, Way::Call);
        Ok(())
    }

    /// Gives the CPU's counters to others until it is resumed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn pause(&mut self) -> io::Result<()> {
        self.group.disable()
    }

    /// How it is read.
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// The members in the order of a reading's counts.
    pub fn names(&self) -> impl Iterator<Item = N> {
        self.members.iter().map(|(name, _)| *name)
    }

    /// Reads all members at once: what they have counted since they were opened.
    ///
    /// # Errors
    /// Where the kernel or the crate has no sound answer.
    pub fn read(&mut self) -> Result<Snapshot, Refused> {
        if let Some(fault) = &self.fault {
            return Err(Refused::Fault(fault.clone()));
        }
        if let Some(snapshot) = self.read_pages() {
            return Ok(snapshot);
        }
        // A group that panicked is never read again, so what it was left in does not matter.
        let read = catch_unwind(AssertUnwindSafe(|| self.group.read()));
        let counts = match read {
            Ok(Ok(counts)) => counts,
            Ok(Err(error)) => return Err(Refused::Fault(format!("read says {error}"))),
            Err(panic) => {
                let fault = words(panic.as_ref());
                self.fault = Some(fault.clone());
                return Err(Refused::Fault(fault));
            }
        };
        let member = |(_, counter): &(N, Counter)| counts.get(counter).copied();
        let all: Option<Vec<u64>> = self.members.iter().map(member).collect();
        Ok(Snapshot {
            counts: all.ok_or_else(|| Refused::Fault("a member is missing".into()))?,
            times: Times::Call {
                enabled_ns: counts.time_enabled(),
                running_ns: counts.time_running(),
            },
        })
    }

    /// Reads the members one after the other, each as of its own moment: what lies between two of
    /// them is part of what entering takes, and is taken off with it.
    fn read_pages(&self) -> Option<Snapshot> {
        let pages = match (&self.way, &self.pages) {
            (Way::Rdpmc, Ok(pages)) => pages,
            _ => return None,
        };
        let mut counts = Vec::with_capacity(pages.len());
        let mut missed_ns = 0;
        for page in pages {
            let shown = page.read().ok()?;
            counts.push(shown.count);
            missed_ns = shown.missed_ns.max(missed_ns);
        }
        let times = Times::Page { missed_ns };
        Some(Snapshot { counts, times })
    }
}

/// What a panic said, on one line.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "a panic without words",
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Counts and times since the group was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// One for each member.
    pub counts: Vec<u64>,
    /// How much of the time it counted.
    pub times: Times,
}

/// How much of the time a group counted, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The kernel said it at that moment.
    Call {
        /// How long the group was enabled while its thread ran, nanoseconds.
        enabled_ns: u64,
        /// How long of that it was on the CPU's counters.
        running_ns: u64,
    },
    /// Its pages did, and it was on the CPU's counters: what its times have grown by since they were
    /// written, both have.
    Page {
        /// How long it was enabled without being on the CPU's counters, nanoseconds.
        missed_ns: u64,
    },
}

impl Snapshot {
    /// What was counted between two snapshots.
    ///
    /// # Errors
    /// Where the counters did not run all the time: counts are never scaled up.
    pub fn since(&self, earlier: &Snapshot) -> Result<Vec<u64>, Refused> {
        match (self.times, earlier.times) {
            (
                Times::Call {
                    enabled_ns,
                    running_ns,
                },
                Times::Call {
                    enabled_ns: then_enabled,
                    running_ns: then_running,
                },
            ) => {
                let enabled_ns = enabled_ns.wrapping_sub(then_enabled);
                let running_ns = running_ns.wrapping_sub(then_running);
                if running_ns == 0 {
                    return Err(Refused::NeverRan { enabled_ns });
                }
                if running_ns != enabled_ns {
                    return Err(Refused::Multiplexed {
                        running_ns,
                        enabled_ns,
                    });
                }
            }
            (Times::Page { missed_ns }, Times::Page { missed_ns: then }) if missed_ns == then => {}
            // What entering takes is not the same in two ways of reading, either.
            _ => return Err(Refused::Taken),
        }
        let counts = self.counts.iter().zip(&earlier.counts);
        Ok(counts.map(|(now, then)| now.wrapping_sub(*then)).collect())
    }
}

/// Why a reading is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The group never got onto the CPU's counters.
    NeverRan {
        /// How long it waited.
        enabled_ns: u64,
    },
    /// It shared them with others, so that it missed a part.
    Multiplexed {
        /// How long it counted.
        running_ns: u64,
        /// How long it should have.
        enabled_ns: u64,
    },
    /// It was on the CPU's counters at one end of the stretch and not all the time.
    Taken,
    /// The kernel or the crate gave no sound answer.
    Fault(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NeverRan { enabled_ns } => write!(
                f,
                "the counters were enabled for {enabled_ns} ns and never ran"
            ),
            Refused::Multiplexed {
                running_ns,
                enabled_ns,
            } => write!(
                f,
                "the counters ran for {running_ns} of {enabled_ns} ns, and what they missed is not made up"
            ),
            Refused::Taken => f.write_str(
                "the counters were taken away for a while, and what they missed is not made up",
            ),
            Refused::Fault(what) => write!(f, "reading the counters failed: {what}"),
        }
    }
}

impl From<Refused> for Unavailable {
    fn from(refused: Refused) -> Unavailable {
        let remedy = match refused {
            Refused::NeverRan { .. } | Refused::Multiplexed { .. } | Refused::Taken => {
                "end what else counts (a profiler; `sysctl kernel.nmi_watchdog=0`), or take --counters clock"
            }
            Refused::Fault(_) => "take --counters clock",
        };
        Unavailable {
            reason: refused.to_string(),
            remedy: remedy.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::mapping::{PAGE, Writable};
    use perf_event::events::{Breakpoint, BreakpointAccess, Event, Software};

    /// Software events, which the kernel counts on any machine.
    fn software() -> [Named<&'static str>; 3] {
        [
            ("task-clock", Software::TASK_CLOCK.into()),
            ("page-faults", Software::PAGE_FAULTS.into()),
            ("context-switches", Software::CONTEXT_SWITCHES.into()),
        ]
    }

    /// An event that every kernel refuses: watchpoints are 1, 2, 4 or 8 bytes wide.
    fn invalid() -> Asked {
        let access = BreakpointAccess::WRITE;
        Asked::Event(Event::Breakpoint(Breakpoint::Data {
            access,
            addr: 0x1000,
            len: 3,
        }))
    }

    /// How long a group was enabled and how long it ran, in nanoseconds, as the kernel says.
    fn called(snapshot: &Snapshot) -> (u64, u64) {
        match snapshot.times {
            Times::Call {
                enabled_ns,
                running_ns,
            } => (enabled_ns, running_ns),
            Times::Page { .. } => panic!("the kernel keeps these counters itself: {snapshot:?}"),
        }
    }

    fn open(events: &[Named<&'static str>]) -> EventGroup<&'static str> {
        let opened = EventGroup::open(events);
        assert!(opened.refused.is_empty(), "{:?}", opened.refused);
        opened.group.expect("a group")
    }

    #[test]
    fn software_events_open_one_by_one_and_together() {
        for (name, opened) in probe(&software()) {
            assert!(opened.is_ok(), "{name}: {opened:?}");
        }
        let names: Vec<_> = open(&software()).names().collect();
        assert_eq!(names, ["task-clock", "page-faults", "context-switches"]);
    }

    #[test]
    fn touched_pages_are_faults_and_time_on_the_cpu_is_time_enabled() {
        const PAGES: usize = 64;
        let mut group = open(&software());
        let mut memory = Writable::new(PAGES * PAGE).expect("maps");
        let before = group.read().expect("reads");
        for page in 0..PAGES {
            memory.bytes()[page * PAGE] = 1;
        }
        let after = group.read().expect("reads");
        let counts = after.since(&before).expect("software events always run");
        assert!(counts[1] >= PAGES as u64, "{counts:?}");
        assert!(counts[0] > 0, "{counts:?}");
        // The clock is a member like the others, so it saw what the group saw; the kernel reads
        // both a few nanoseconds apart.
        let (enabled_ns, running_ns) = called(&after);
        assert_eq!(enabled_ns, running_ns);
        let enabled_ns = enabled_ns - called(&before).0;
        let ratio = counts[0] as f64 / enabled_ns as f64;
        assert!((0.9..1.1).contains(&ratio), "{counts:?} {enabled_ns}");
    }

    #[test]
    fn a_paused_group_counts_nothing_and_a_resumed_one_at_once() {
        const PAGES: usize = 64;
        let mut group = open(&software());
        let mut memory = Writable::new(2 * PAGES * PAGE).expect("maps");
        let mut touch = |first: usize| {
            for page in first..first + PAGES {
                memory.bytes()[page * PAGE] = 1;
            }
        };
        let before = group.read().expect("reads");
        group.pause().expect("switches off");
        touch(0);
        group.resume().expect("switches on");
        let resumed = group.read().expect("reads");
        touch(PAGES);
        let after = group.read().expect("reads");
        let paused = resumed.since(&before).expect("ran")[1];
        assert!(paused < PAGES as u64, "{paused}");
        let counts = after.since(&resumed).expect("ran");
        assert!(counts[0] > 0 && counts[1] >= PAGES as u64, "{counts:?}");
    }

    #[test]
    fn a_group_counts_nothing_of_another_thread() {
        let mut group = open(&software());
        let before = group.read().expect("reads");
        std::thread::spawn(|| {
            let mut memory = Writable::new(512 * PAGE).expect("maps");
            for page in 0..512 {
                memory.bytes()[page * PAGE] = 1;
            }
        })
        .join()
        .expect("ends");
        let faults = group.read().expect("reads").since(&before).expect("ran")[1];
        assert!(faults < 512, "{faults}");
    }

    #[test]
    fn an_event_that_the_kernel_refuses_is_left_out_and_named() {
        let mut events = software().to_vec();
        events.insert(1, ("invalid", invalid()));
        let opened = EventGroup::open(&events);
        let [("invalid", error)] = &opened.refused[..] else {
            panic!("{:?}", opened.refused)
        };
        assert!(error.raw_os_error().is_some(), "{error}");
        let mut group = opened.group.expect("the others");
        assert_eq!(group.read().expect("reads").counts.len(), 3);
    }

    #[test]
    fn a_member_that_opens_alone_and_not_in_the_group_is_left_out_of_a_new_one() {
        // The CPU has four breakpoints: each of five opens by itself, and the last of a group not.
        let words = [0u64; 5];
        let breakpoint = |word: &u64| {
            let access = BreakpointAccess::WRITE;
            Asked::Event(Event::Breakpoint(Breakpoint::Data {
                access,
                addr: word as *const u64 as u64,
                len: 8,
            }))
        };
        let mut events = software().to_vec();
        let names = ["first", "second", "third", "fourth", "fifth"];
        events.extend(names.into_iter().zip(words.iter().map(breakpoint)));
        if let Some((name, Err(error))) = probe(&events)
            .into_iter()
            .find(|(_, opened)| opened.is_err())
        {
            println!("skipped: no breakpoints here: {name}: {error}");
            return;
        }
        let opened = EventGroup::open(&events);
        let refused: Vec<_> = opened.refused.iter().map(|(name, _)| *name).collect();
        assert!(refused.contains(&"fifth"), "{refused:?}");
        assert!(refused.len() < names.len(), "{refused:?}");
        let mut group = opened.group.expect("the others");
        let before = group.read().expect("a group built anew reads");
        let counts = group.read().expect("reads").since(&before).expect("ran");
        assert_eq!(counts.len(), events.len() - refused.len());
    }

    #[test]
    fn without_any_event_there_is_no_group() {
        let opened = EventGroup::open(&[("invalid", invalid())]);
        assert!(opened.group.is_none());
        assert_eq!(opened.refused.len(), 1);
    }

    #[test]
    fn a_read_that_panics_is_refused_then_and_ever_after() {
        let mut group = open(&software());
        // The crate expects the answer of as many members as it opened.
        group.members.pop();
        // A page keeps its counter in the group.
        group.pages = Err("dropped".into());
        for _ in 0..2 {
            let read = group.read();
            assert!(matches!(read, Err(Refused::Fault(_))), "{read:?}");
        }
    }

    #[test]
    fn a_reading_that_did_not_run_all_the_time_is_refused() {
        let at = |count, enabled_ns, running_ns| Snapshot {
            counts: vec![count],
            times: Times::Call {
                enabled_ns,
                running_ns,
            },
        };
        let begin = at(10, 1000, 1000);
        assert_eq!(at(17, 3000, 3000).since(&begin), Ok(vec![7]));
        assert_eq!(
            at(17, 3000, 1000).since(&begin),
            Err(Refused::NeverRan { enabled_ns: 2000 })
        );
        let share = Refused::Multiplexed {
            running_ns: 1500,
            enabled_ns: 2000,
        };
        assert_eq!(at(17, 3000, 2500).since(&begin), Err(share.clone()));
        assert!(share.to_string().contains("1500 of 2000 ns"), "{share}");
        // Counters that seem to have run longer than they were enabled are no better.
        assert!(at(17, 3000, 3500).since(&begin).is_err());
    }
}
