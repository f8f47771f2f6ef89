//! Counters of the kernel, opened together and read together.
//!
//! Correct means: a reading is of all members over the same stretch of this thread's user code, or
//! it is refused with the reason; whatever the kernel refuses is named, and the rest still counts.
//! A group is read in one way only, for what entering takes differs between two. Nothing that is done
//! between two readings allocates.
//!
//! Of crate `perf-event` two things must be known. It counts a member that the kernel refused, so after any
//! refusal the whole group is dropped and built anew; and members live as long as their group. Its own reading
//! allocates, and panics where the kernel says what it should not, so a group is read without it.

use std::fmt;
use std::io;

use perf_event::{Builder, Counter, Group};
use serde::{Deserialize, Serialize};

use crate::job::Unavailable;
use crate::job::catalogue::Asked;
use crate::sys::counter_page::{CounterPage, NotShown, read_words};

/// An event by a name of the caller's own.
pub type Named<N> = (N, Asked);

/// Most members of a group.
pub const MOST: usize = 8;

/// A count for each member of a group, in their order; 0 behind the last.
pub type Counts = [u64; MOST];

/// `PERF_TYPE_*` of linux/perf_event.h.
const HARDWARE: u32 = 0;
const CACHE: u32 = 3;
const RAW: u32 = 4;
/// Where the type of a PMU stands in the code of an event that the kernel has a name for.
const PMU_TYPE_SHIFT: u32 = 32;

/// The PMU that is to count, by the kernel's number for it; none where the CPU has but one.
pub type PmuType = Option<u32>;

/// One opening, and what the kernel said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// A `PERF_TYPE` of linux/perf_event.h, or the number of a PMU.
    pub kind: u32,
    /// The event's code, with the number of a PMU above bit 31.
    pub code: u64,
    /// Whether it was to be a member of a group.
    pub is_member: bool,
    /// Whether guests of this machine were to be left out.
    pub is_without_guests: bool,
    /// The errno of a refusal; `None` where it opened.
    pub errno: Option<i32>,
}

/// What leads each group: `PERF_TYPE_SOFTWARE` and `PERF_COUNT_SW_DUMMY`.
const LEADER: (u32, u64) = (1, 9);

impl Opening {
    /// Whether it leads a group.
    pub fn is_leader(&self) -> bool {
        (self.kind, self.code) == LEADER && !self.is_member
    }
}

/// Opens each event by itself, for this thread, user mode only, and closes it again.
///
/// Opening a group would tell nothing: its leader is a software event and opens anywhere.
pub fn probe<N: Copy>(events: &[Named<N>], pmu: PmuType) -> Vec<(N, io::Result<()>)> {
    probe_each(events, pmu, &mut Vec::new())
}

fn probe_each<N: Copy>(
    events: &[Named<N>],
    pmu: PmuType,
    openings: &mut Vec<Opening>,
) -> Vec<(N, io::Result<()>)> {
    let mut open = |(name, asked): &Named<N>| (*name, open(asked, pmu, None, openings).map(drop));
    events.iter().map(&mut open).collect()
}

/// What the kernel says to an event without guests and with them: a number of errno, or nothing where it opens.
pub fn answers(asked: &Asked, pmu: PmuType) -> [Option<i32>; 2] {
    [true, false].map(|without_guests| {
        let opened = builder(asked, pmu, without_guests).build();
        opened.err().and_then(|error| error.raw_os_error())
    })
}

/// Opens an event, and notes it. Guests of this machine are left out, as perf leaves them out: some PMUs count nothing
/// else, and an event that would count guests keeps some of those from starting. A kernel that does not know the wish
/// says EINVAL, and is asked again without it.
fn open(
    asked: &Asked,
    pmu: PmuType,
    mut group: Option<&mut Group>,
    openings: &mut Vec<Opening>,
) -> io::Result<Counter> {
    let mut build = |without_guests: bool| {
        let mut builder = builder(asked, pmu, without_guests);
        let attributes = builder.attrs_mut();
        let mut opening = Opening {
            kind: attributes.type_,
            code: attributes.config,
            is_member: group.is_some(),
            is_without_guests: attributes.exclude_guest() == 1,
            errno: None,
        };
        let opened = match group.as_deref_mut() {
            Some(group) => builder.group(group).build(),
            None => builder.build(),
        };
        opening.errno = opened.as_ref().err().and_then(io::Error::raw_os_error);
        openings.push(opening);
        opened
    };
    let is_invalid = |error: &io::Error| error.raw_os_error() == Some(libc::EINVAL);
    match build(true) {
        Err(error) if is_invalid(&error) => build(false).map_err(|_| error),
        opened => opened,
    }
}

/// A builder's defaults leave kernel and hypervisor out, and ask for the times.
fn builder<'a>(asked: &Asked, pmu: PmuType, without_guests: bool) -> Builder<'a> {
    let mut builder = Builder::new();
    match asked {
        Asked::Event(event) => builder = builder.kind(event.clone()),
        Asked::WithKernel(event) => {
            builder = builder.kind(event.clone());
            builder.include_kernel();
        }
        Asked::Raw(code) => {
            let attributes = builder.attrs_mut();
            attributes.type_ = RAW;
            attributes.config = code.config;
            attributes.__bindgen_anon_3.config1 = code.config1;
            attributes.__bindgen_anon_4.config2 = code.config2;
        }
    }
    let attributes = builder.attrs_mut();
    let is_hardware = matches!(attributes.type_, HARDWARE | CACHE | RAW);
    match (attributes.type_, pmu) {
        (HARDWARE | CACHE, Some(pmu)) => attributes.config |= u64::from(pmu) << PMU_TYPE_SHIFT,
        (RAW, Some(pmu)) => attributes.type_ = pmu,
        _ => {}
    }
    builder.exclude_guest(is_hardware && without_guests);
    builder
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
}

/// A group, and what had to be left out of it.
#[derive(Debug)]
pub struct Opened<N> {
    /// The members that count; `None` where there is none.
    pub group: Option<EventGroup<N>>,
    /// Those that do not open, each with what the kernel said.
    pub refused: Vec<(N, io::Error)>,
    /// Those that open, and not as a member of the group, likewise.
    pub without_room: Vec<(N, io::Error)>,
    /// All that was asked of the kernel, in order.
    pub openings: Vec<Opening>,
}

impl<N: Copy> EventGroup<N> {
    /// Opens all events that open by themselves as one group, without those that the group has no
    /// place for, and starts it. At most [`MOST`].
    pub fn open(events: &[Named<N>], pmu: PmuType) -> Opened<N> {
        let mut opened = Opened {
            group: None,
            refused: Vec::new(),
            without_room: Vec::new(),
            openings: Vec::new(),
        };
        let mut left = Vec::new();
        let probed = probe_each(events, pmu, &mut opened.openings);
        for ((name, probed), event) in probed.into_iter().zip(events) {
            match probed {
                Ok(()) => left.push(event.clone()),
                Err(error) => opened.refused.push((name, error)),
            }
        }
        while !left.is_empty() && opened.group.is_none() {
            match EventGroup::build(&left, pmu, &mut opened.openings) {
                Ok(group) => opened.group = Some(group),
                Err((member, error)) => {
                    let (name, _) = left.remove(member);
                    opened.without_room.push((name, error));
                }
            }
        }
        opened
    }

    /// The group of exactly these events, or the member that the kernel refuses.
    fn build(
        events: &[Named<N>],
        pmu: PmuType,
        openings: &mut Vec<Opening>,
    ) -> Result<EventGroup<N>, (usize, io::Error)> {
        let group = Group::new();
        openings.push(Opening {
            kind: LEADER.0,
            code: LEADER.1,
            is_member: false,
            is_without_guests: false,
            errno: group.as_ref().err().and_then(io::Error::raw_os_error),
        });
        let mut group = group.map_err(|error| (0, error))?;
        let mut members = Vec::new();
        for (at, (name, event)) in events.iter().enumerate() {
            if at == MOST {
                return Err((at, io::Error::from_raw_os_error(libc::EINVAL)));
            }
            let member = open(event, pmu, Some(&mut group), openings);
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

    /// Has it read with a system call from now on, whatever its pages allow.
    pub fn call(&mut self, why: String) {
        self.pages = Err(why.clone());
        self.way = Way::Call(why);
    }

    /// What stands in the members' pages; none where they cannot be mapped.
    pub fn pages(&self) -> Vec<[(&'static str, u64); 6]> {
        self.pages
            .iter()
            .flatten()
            .map(CounterPage::fields)
            .collect()
    }

    /// The numbers of the CPU's counters that the members are on, as far as their pages say.
    pub fn numbers(&self) -> Vec<Option<u32>> {
        let pages = self.pages.iter().flatten();
        pages.map(CounterPage::number).collect()
    }

    /// The members in the order of a reading's counts.
    pub fn names(&self) -> impl Iterator<Item = N> {
        self.members.iter().map(|(name, _)| *name)
    }

    /// Reads all members at once: what they have counted since they were opened.
    ///
    /// # Errors
    /// Where the kernel has no sound answer; the next reading may be sound again.
    pub fn read(&self) -> Result<Snapshot, Refused> {
        match (&self.way, &self.pages) {
            (Way::Rdpmc, Ok(pages)) => read_pages(pages),
            _ => self.read_call(),
        }
    }

    /// Reads all with one system call.
    ///
    /// # Errors
    /// As [`EventGroup::read`].
    pub fn read_call(&self) -> Result<Snapshot, Refused> {
        // The number of events, the two times, and for the leader and each member its count and its id.
        const HEAD: usize = 3;
        let mut words = [0; HEAD + 2 * (1 + MOST)];
        let events = 1 + self.members.len();
        let read = read_words(&self.group, &mut words[..HEAD + 2 * events]);
        let read = read.map_err(|error| Refused::Unread(error.raw_os_error().unwrap_or(0)))?;
        if read != HEAD + 2 * events || words[0] != events as u64 {
            return Err(Refused::Incomplete);
        }
        let mut counts = Counts::default();
        for (at, ((_, member), count)) in self.members.iter().zip(&mut counts).enumerate() {
            let place = HEAD + 2 * (1 + at);
            if words[place + 1] != member.id() {
                return Err(Refused::Incomplete);
            }
            *count = words[place];
        }
        let [_, enabled_ns, running_ns, ..] = words;
        if running_ns > enabled_ns {
            return Err(Refused::Multiplexed {
                running_ns,
                enabled_ns,
            });
        }
        Ok(Snapshot {
            counts,
            times: Times::Call {
                enabled_ns,
                running_ns,
            },
        })
    }
}

/// Reads the members one after the other, each as of its own moment: what lies between two of
/// them is part of what entering takes, and is taken off with it.
fn read_pages(pages: &[CounterPage]) -> Result<Snapshot, Refused> {
    let mut counts = Counts::default();
    let mut missed_ns = Counts::default();
    for (page, (count, missed_ns)) in pages.iter().zip(counts.iter_mut().zip(&mut missed_ns)) {
        let shown = page.read().map_err(Refused::Hidden)?;
        (*count, *missed_ns) = (shown.count, shown.missed_ns);
    }
    let times = Times::Page { missed_ns };
    Ok(Snapshot { counts, times })
}

/// Counts and times since the group was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// One for each member.
    pub counts: Counts,
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
        /// How long each member was enabled without being on the CPU's counters, nanoseconds.
        missed_ns: Counts,
    },
}

/// More than any counter counts between two readings: 2⁴⁰ cycles are minutes.
const LEAP: u64 = 1 << 40;

impl Snapshot {
    /// What was counted between two snapshots.
    ///
    /// # Errors
    /// Where the counters did not run all the time, for counts are never scaled up; and where they went back or
    /// leapt, as those of a guest do that is suspended or moved.
    pub fn since(&self, earlier: &Snapshot) -> Result<Counts, Refused> {
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
                let enabled_ns = enabled_ns.checked_sub(then_enabled);
                let running_ns = running_ns.checked_sub(then_running);
                let (Some(enabled_ns), Some(running_ns)) = (enabled_ns, running_ns) else {
                    return Err(Refused::WentBack);
                };
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
            _ => return Err(Refused::Taken),
        }
        let mut counts = self.counts;
        for (now, then) in counts.iter_mut().zip(earlier.counts) {
            *now = match now.checked_sub(then) {
                None => return Err(Refused::WentBack),
                Some(LEAP..) => return Err(Refused::Leapt),
                Some(counted) => counted,
            };
        }
        Ok(counts)
    }
}

/// Why a reading is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The page of a counter shows no count.
    Hidden(NotShown),
    /// A count or a time is less than it was.
    WentBack,
    /// A count grew by more than anything counts.
    Leapt,
    /// Code ran, and nothing was counted.
    StoodStill,
    /// The kernel refused to say, with this errno.
    Unread(i32),
    /// The kernel's answer is not of all members.
    Incomplete,
    /// They did not pass their check.
    Unbelieved,
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
            Refused::Hidden(why) => write!(f, "a counter could not be read: {why}"),
            Refused::WentBack => f.write_str(
                "a counter ran backwards, as those of a guest do that was suspended or moved",
            ),
            Refused::Leapt => {
                f.write_str("a counter leapt by more than anything counts in so short a time")
            }
            Refused::StoodStill => f.write_str("the counters stood still while code ran"),
            Refused::Unread(errno) => write!(
                f,
                "reading the counters failed: {}",
                io::Error::from_raw_os_error(*errno)
            ),
            Refused::Incomplete => f.write_str(
                "reading the counters failed: the kernel's answer is not of all of them",
            ),
            Refused::Unbelieved => {
                f.write_str("the counters did not pass the check on known loops")
            }
        }
    }
}

impl From<Refused> for Unavailable {
    fn from(refused: Refused) -> Unavailable {
        let remedy = match refused {
            Refused::NeverRan { .. } | Refused::Multiplexed { .. } | Refused::Taken => {
                "end what else counts, such as a profiler, or take --counters clock"
            }
            _ => "take --counters clock",
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
        let opened = EventGroup::open(events, None);
        assert!(opened.refused.is_empty(), "{:?}", opened.refused);
        opened.group.expect("a group")
    }

    #[test]
    fn software_events_open_one_by_one_and_together() {
        for (name, opened) in probe(&software(), None) {
            assert!(opened.is_ok(), "{name}: {opened:?}");
        }
        let names: Vec<_> = open(&software()).names().collect();
        assert_eq!(names, ["task-clock", "page-faults", "context-switches"]);
    }

    #[test]
    fn touched_pages_are_faults_and_time_on_the_cpu_is_time_enabled() {
        const PAGES: usize = 64;
        let group = open(&software());
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
        let group = open(&software());
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
        let opened = EventGroup::open(&events, None);
        let [("invalid", error)] = &opened.refused[..] else {
            panic!("{:?}", opened.refused)
        };
        assert!(error.raw_os_error().is_some(), "{error}");
        assert_eq!(opened.group.expect("the others").names().count(), 3);
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
        if let Some((name, Err(error))) = probe(&events, None)
            .into_iter()
            .find(|(_, opened)| opened.is_err())
        {
            println!("skipped: no breakpoints here: {name}: {error}");
            return;
        }
        let opened = EventGroup::open(&events, None);
        let left_out: Vec<_> = opened.without_room.iter().map(|(name, _)| *name).collect();
        assert!(left_out.contains(&"fifth"), "{left_out:?}");
        assert!(left_out.len() < names.len(), "{left_out:?}");
        let group = opened.group.expect("the others");
        let before = group.read().expect("a group built anew reads");
        group.read().expect("reads").since(&before).expect("ran");
        assert_eq!(group.names().count(), events.len() - left_out.len());
    }

    #[test]
    fn without_any_event_there_is_no_group() {
        let opened = EventGroup::open(&[("invalid", invalid())], None);
        assert!(opened.group.is_none());
        assert_eq!(opened.refused.len(), 1);
    }

    #[test]
    fn an_answer_that_is_of_other_members_is_refused() {
        let mut group = open(&software());
        group.members.swap(0, 1);
        assert_eq!(group.read_call(), Err(Refused::Incomplete));
    }

    #[test]
    fn counts_that_run_backwards_or_leap_are_refused() {
        let at = |count, ns| Snapshot {
            counts: [count, 0, 0, 0, 0, 0, 0, 0],
            times: Times::Call {
                enabled_ns: ns,
                running_ns: ns,
            },
        };
        let begin = at(1000, 1000);
        let counted = |count| at(count, 2000).since(&begin).map(|counts| counts[0]);
        assert_eq!(counted(1000), Ok(0));
        assert_eq!(counted(999), Err(Refused::WentBack));
        assert_eq!(counted(1000 + LEAP - 1), Ok(LEAP - 1));
        assert_eq!(counted(1000 + LEAP), Err(Refused::Leapt));
        assert_eq!(at(1001, 999).since(&begin), Err(Refused::WentBack));
    }

    #[test]
    fn what_one_member_missed_is_not_hidden_by_what_another_did() {
        let at = |first, second| Snapshot {
            counts: [1; MOST],
            times: Times::Page {
                missed_ns: [first, second, 0, 0, 0, 0, 0, 0],
            },
        };
        assert!(at(7, 9).since(&at(7, 9)).is_ok());
        assert_eq!(at(8, 9).since(&at(7, 9)), Err(Refused::Taken));
    }

    #[test]
    fn a_reading_that_did_not_run_all_the_time_is_refused() {
        let at = |count, enabled_ns, running_ns| Snapshot {
            counts: [count, 0, 0, 0, 0, 0, 0, 0],
            times: Times::Call {
                enabled_ns,
                running_ns,
            },
        };
        let begin = at(10, 1000, 1000);
        assert_eq!(
            at(17, 3000, 3000).since(&begin).map(|counts| counts[0]),
            Ok(7)
        );
        assert_eq!(
            at(17, 3000, 1000).since(&begin),
            Err(Refused::NeverRan { enabled_ns: 2000 })
        );
        let share = Refused::Multiplexed {
            running_ns: 1500,
            enabled_ns: 2000,
        };
        assert_eq!(at(17, 3000, 2500).since(&begin), Err(share));
        assert!(share.to_string().contains("1500 of 2000 ns"), "{share}");
        // Counters that seem to have run longer than they were enabled are no better.
        assert!(at(17, 3000, 3500).since(&begin).is_err());
    }
}
