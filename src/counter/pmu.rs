//! The hardware counters: are there any, do they count what they say, and what does an entry take?
//!
//! Correct means: no number of a PMU is believed before it has counted loops of known length, here
//! and in this process; where one is not believed, the reason is a sentence. What does not fit on the CPU's
//! counters beside the others counts by itself.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use perf_event::events::Hardware;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::errno::{Surroundings, explain, never_ran};
use super::group::{
    Counts, EventGroup, Named, Opened, Opening, PmuType, Refused, Snapshot, Way,
    answers as answers_to, probe as probe_each,
};
use super::{CounterSource, Reading};
pub use crate::job::counts as is_believed;
use crate::job::{EventState, Failure, PmuUse, Unavailable, catalogue};
use crate::link::kernel::{
    CHAIN_ADDS, COIN_BRANCHES, COIN_INSTRUCTIONS, JUMP_BRANCHES, JUMP_INSTRUCTIONS,
    STEADY_BRANCHES, STEADY_INSTRUCTIONS,
};
use crate::stage::{Ground, Request, Stage};
use crate::stats::quantile::{median, rank, sorted};
use crate::stats::{Calibration, Event, Events};
use crate::sys::cores::CorePmus;
use crate::sys::time;

fn hardware(event: Event) -> Named<Event> {
    let kind = match event {
        Event::Cycles => Hardware::CPU_CYCLES,
        Event::Instructions => Hardware::INSTRUCTIONS,
        Event::Branches => Hardware::BRANCH_INSTRUCTIONS,
        Event::BranchMisses => Hardware::BRANCH_MISSES,
    };
    (event, kind.into())
}

/// The number of the PMU that counts on a CPU, where there are several.
pub fn pmu_type(cores: &CorePmus, cpu: Option<u32>) -> PmuType {
    cores
        .of(cpu)
        .filter(|_| cores.is_hybrid())
        .map(|pmu| pmu.kind)
}

/// What the kernel says to each event in each way to ask for it: a number of errno, or nothing where it opens.
pub fn answers(cpu: Option<u32>) -> Vec<(Event, [Option<i32>; 2])> {
    let pmu = pmu_type(&CorePmus::inspect(), cpu);
    Event::ALL
        .map(|event| (event, answers_to(&hardware(event).1, pmu)))
        .to_vec()
}

/// Opens each event by itself, for this thread, user mode only. `Ok` where it opens; whether it
/// counts is for [`Pmu::check`] to say.
pub fn probe() -> Vec<EventState> {
    let surroundings = Surroundings::inspect();
    let answer =
        |opened: std::io::Result<()>| opened.map_err(|error| explain(&error, &surroundings));
    let pmu = pmu_type(&CorePmus::inspect(), None);
    let opened = probe_each(&Event::ALL.map(hardware), pmu).into_iter();
    opened
        .map(|(event, opened)| (event, answer(opened)))
        .collect()
}

/// The counters that the kernel keeps itself, for `doctor`: they need no PMU.
pub fn probe_software() -> Vec<(&'static str, Result<(), Unavailable>)> {
    let surroundings = Surroundings::inspect();
    let state = |name: &'static str| {
        let asked = catalogue::find(name).ok()?.asked.ok()?;
        let (_, opened) = probe_each(&[((), asked.clone())], None).pop()?;
        let explained = opened.map_err(|error| explain(&error, &surroundings.asking(&asked)));
        Some((name, explained))
    };
    let names = ["task-clock", "page-faults", "context-switches"];
    names.into_iter().filter_map(state).collect()
}

/// Whether the kernel lets user code read counters with `rdpmc`, in its own words for it.
///
/// # Errors
/// Where it does not.
pub fn rdpmc() -> Result<&'static str, Unavailable> {
    // A CPU with two kinds of cores has a PMU for each, and none named `cpu`.
    let read = |pmu: &str| fs::read_to_string(format!("/sys/bus/event_source/devices/{pmu}/rdpmc"));
    let value = read("cpu").or_else(|_| read("cpu_core"));
    match value.as_deref().map(str::trim) {
        Ok("0") => Err(Unavailable {
            reason: "switched off: /sys/bus/event_source/devices/cpu/rdpmc is 0".into(),
            remedy: "write 1 to it as root; nothing here needs it".into(),
        }),
        Ok("1") => {
            Ok("allowed for counters that the process has opened; their pages decide, see below")
        }
        Ok(_) => Ok("allowed for every process; the pages of counters decide, see below"),
        Err(_) => Err(Unavailable {
            reason: "the kernel has no CPU PMU: /sys/bus/event_source/devices/cpu is absent".into(),
            remedy: "see above; nothing here needs it".into(),
        }),
    }
}

/// The events that open: those that the CPU counts at once, and those that it has no room for beside them.
#[derive(Debug)]
pub struct Pmu {
    cores: CorePmus,
    cpu: Option<u32>,
    surroundings: Surroundings,
    group: Option<EventGroup<Event>>,
    /// Each a group, which is off while the others count.
    apart: Vec<EventGroup<Event>>,
    states: Vec<EventState>,
    /// What two readings with nothing between them count.
    reading: Option<Cost>,
    /// All that was asked of the kernel, and each group that came of it.
    openings: Vec<Opening>,
    held: Vec<Held>,
    /// Instructions of a call of the kernel.
    call: Option<f64>,
}

impl Pmu {
    /// Opens what opens on a CPU; nothing of it is believed before [`Pmu::check`].
    pub fn open(cpu: Option<u32>) -> Pmu {
        Pmu::open_within(CorePmus::inspect(), Surroundings::inspect(), cpu)
    }

    /// The same with the kernel's list of PMUs and what decides on the words of refusals.
    pub(super) fn open_within(
        cores: CorePmus,
        surroundings: Surroundings,
        cpu: Option<u32>,
    ) -> Pmu {
        let mut pmu = Pmu {
            cores,
            cpu,
            surroundings,
            group: None,
            apart: Vec::new(),
            states: Vec::new(),
            reading: None,
            openings: Vec::new(),
            held: Vec::new(),
            call: None,
        };
        pmu.open_together(&Event::ALL);
        pmu
    }

    /// Opens these in one group, as far as there is room; what there is none for has a group of its own.
    fn open_together(&mut self, events: &[Event]) {
        let kind = pmu_type(&self.cores, self.cpu);
        let named: Vec<_> = events.iter().copied().map(hardware).collect();
        // The one before it would take the counters of this one.
        self.group = None;
        let opened = EventGroup::open(&named, kind);
        self.note(&opened, false);
        for (event, error) in &opened.refused {
            self.state(*event, Err(explain(error, &self.surroundings)));
        }
        self.group = opened.group;
        for event in self
            .group
            .iter()
            .flat_map(EventGroup::names)
            .collect::<Vec<_>>()
        {
            self.state(event, Err(Refused::Unbelieved.into()));
        }
        for (event, error) in opened.without_room {
            self.set_apart(event, explain(&error, &self.surroundings.in_a_group()));
        }
    }

    /// Gives an event a group of its own; `why` is said where that does not open either.
    fn set_apart(&mut self, event: Event, why: Unavailable) {
        let kind = pmu_type(&self.cores, self.cpu);
        let opened = EventGroup::open(&[hardware(event)], kind);
        self.note(&opened, true);
        self.state(event, Err(why));
        self.apart.extend(opened.group.and_then(|mut group| {
            group.pause().ok()?;
            Some(group)
        }));
    }

    fn note(&mut self, opened: &Opened<Event>, is_apart: bool) {
        self.openings.extend(&opened.openings);
        let leaders = self.openings.iter().filter(|one| one.is_leader()).count();
        self.held.extend(opened.group.as_ref().map(|group| Held {
            leaders,
            is_apart,
            members: group.names().collect(),
            tries: None,
            has_run: true,
        }));
    }

    /// Notes what came of holding the last group with these members against the loops.
    fn note_tries(&mut self, members: &[Event], tries: &Result<Tries, Refused>) {
        let mut held = self.held.iter_mut().rev();
        if let Some(held) = held.find(|held| held.members == members) {
            held.tries = tries.as_ref().ok().cloned();
            held.has_run = !matches!(tries, Err(Refused::NeverRan { .. }));
        }
    }

    fn state(&mut self, event: Event, state: Result<(), Unavailable>) {
        self.states.retain(|(other, _)| *other != event);
        self.states.push((event, state));
        self.states.sort_by_key(|(event, _)| *event);
    }

    /// Holds what opened against loops of known length.
    pub fn check(&mut self, clock: &mut Clock) {
        let verdicts = loop {
            // The check, too, is held with the quieter way.
            self.find_way();
            let Some(group) = &self.group else { return };
            let names: Vec<Event> = group.names().collect();
            let tries = Tries::count(group, clock);
            self.note_tries(&names, &tries);
            match (tries, &names[..]) {
                (Ok(tries), names) => break tries.judge(names),
                // Opening holds a group against an empty PMU. Where others have some of its counters, one that is
                // too large never runs.
                (Err(Refused::NeverRan { .. }), [fewer @ .., last]) if !fewer.is_empty() => {
                    let (fewer, last) = (fewer.to_vec(), *last);
                    self.open_together(&fewer);
                    self.set_apart(last, never_ran(&self.surroundings, &self.cores, self.cpu));
                }
                (Err(refused), names) => {
                    let why = self.explained(refused);
                    break names
                        .iter()
                        .map(|event| (*event, Err(why.clone())))
                        .collect();
                }
            }
        };
        for (event, verdict) in verdicts {
            self.state(event, verdict);
        }
        self.check_user_mode(clock);
        if is_believed(&self.states, Event::Cycles) {
            self.check_apart(clock);
        }
    }

    fn explained(&self, refused: Refused) -> Unavailable {
        match refused {
            Refused::NeverRan { .. } => never_ran(&self.surroundings, &self.cores, self.cpu),
            other => other.into(),
        }
    }

    /// Checks the events that have a group of their own, one at a time.
    fn check_apart(&mut self, clock: &mut Clock) {
        if self.apart.is_empty() {
            return;
        }
        self.pause();
        let mut verdicts = Vec::new();
        for group in &mut self.apart {
            let verified = match group.resume() {
                Ok(()) => Tries::count(group, clock),
                Err(error) => Err(Refused::Unread(error.raw_os_error().unwrap_or(0))),
            };
            let _ = group.pause();
            verdicts.push((group.names().next(), verified));
        }
        self.resume();
        for (event, verified) in verdicts {
            let Some(event) = event else { continue };
            self.note_tries(&[event], &verified);
            let verdict = match verified {
                Ok(tries) => tries.of(0).judge(event),
                Err(refused) => Err(self.explained(refused)),
            };
            self.state(event, verdict);
        }
    }

    /// Reads in either way with nothing between, and takes the one whose cycles differ less from reading to reading:
    /// that is what it adds to the noise of a chunk, and for rdpmc it depends on whether a host traps it.
    fn find_way(&mut self) {
        let Some(group) = &mut self.group else { return };
        let usual = Cost::of(group, EventGroup::read);
        let called = Cost::of(group, EventGroup::read_call);
        self.reading = usual;
        if let (Way::Rdpmc, Some(called), Some(usual)) = (group.way(), called, usual)
            && called.spread < usual.spread
        {
            let (rdpmc, read) = (usual.spread, called.spread);
            group.call(format!(
                "readings by rdpmc differ from each other by {rdpmc} cycles here, and those by read() by {read}"
            ));
            self.reading = Some(called);
        }
    }

    /// Counts calls of the kernel, with whatever of the group counts at all: a count that is itself not believed, as one
    /// that is twice what it should be, tells the kernel from user mode all the same.
    fn check_user_mode(&mut self, clock: &mut Clock) {
        let Some(group) = &self.group else { return };
        let names: Vec<Event> = group.names().collect();
        let mut held = self.held.iter().rev();
        let held = held.find(|held| held.members == names);
        let tries = held.and_then(|held| held.tries.as_ref());
        let (Some(tries), Some(of_a_call)) = (tries, OfACall::count(group, clock)) else {
            return;
        };
        let is_instructions = |event: &Event| *event == Event::Instructions;
        self.call = names
            .iter()
            .position(is_instructions)
            .map(|member| of_a_call.counts[member]);
        let steady: Vec<f64> = (0..names.len())
            .map(|member| tries.of(member).steady)
            .collect();
        let Some(reason) = of_a_call.kernel(&names, &steady) else {
            return;
        };
        let why = Unavailable {
            reason,
            remedy: "take --counters clock, or ask for a host whose PMU tells user mode apart"
                .into(),
        };
        for event in Event::ALL
            .into_iter()
            .filter(|event| is_believed(&self.states, *event))
            .collect::<Vec<_>>()
        {
            self.state(event, Err(why.clone()));
        }
    }

    fn read(&self) -> Result<Snapshot, Refused> {
        if !is_believed(&self.states, Event::Cycles) {
            return Err(Refused::Unbelieved);
        }
        self.group.as_ref().ok_or(Refused::Unbelieved)?.read()
    }

    /// How they are read, and what the reader must know of them; `None` where none is believed.
    pub fn usage(&self) -> Option<PmuUse> {
        let group = self.group.as_ref().filter(|_| self.distrust().is_none())?;
        Some(PmuUse {
            name: self.cores.of(self.cpu).map(|pmu| pmu.name.clone()),
            way: group.way().to_string(),
            numbers: group.numbers(),
            together: group.names().collect(),
            apart: self.apart.iter().flat_map(EventGroup::names).collect(),
            reading_cycles: self.reading.map(|cost| cost.cycles),
            reading_instructions: self.reading.and_then(|cost| cost.instructions),
        })
    }

    /// Leaves the CPU's counters to others until it is resumed. A reading that then fails is told as
    /// such, so what the kernel says here is not.
    pub fn pause(&mut self) {
        let _ = self.group.as_mut().map(EventGroup::pause);
    }

    /// Counts again, in the way that was found the quieter one.
    pub fn resume(&mut self) {
        let _ = self.group.as_mut().map(EventGroup::resume);
    }

    /// What the page of each event that is counted says.
    pub fn pages(&self) -> Vec<(Event, [(&'static str, u64); 6])> {
        let groups = self.group.iter().chain(&self.apart);
        groups
            .flat_map(|group| group.names().zip(group.pages()).collect::<Vec<_>>())
            .collect()
    }

    /// What so many pairs of readings count with nothing between them, of those counted at once: in the way that was
    /// found the quieter one, and by the system call. None of a pair that was refused.
    pub fn empty(&self, pairs: usize) -> [Vec<Option<Vec<u64>>>; 2] {
        [false, true].map(|calls| {
            let read = match calls {
                true => EventGroup::read_call,
                false => EventGroup::read,
            };
            let Some(group) = &self.group else {
                return Vec::new();
            };
            let members = group.names().count();
            let pair = |_| {
                let (before, after) = (read(group).ok()?, read(group).ok()?);
                Some(after.since(&before).ok()?[..members].to_vec())
            };
            (0..pairs).map(pair).collect()
        })
    }

    /// All that was asked of the kernel, in order, and its answers.
    pub fn openings(&self) -> &[Opening] {
        &self.openings
    }

    /// What the verdict rests on: each group that was opened, and what it counted.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Instructions that user mode saw of a call of the kernel; none where it was not asked.
    pub fn call(&self) -> Option<f64> {
        self.call
    }

    /// The believed events that have turns of their own.
    pub fn apart(&mut self) -> impl Iterator<Item = (Event, &mut EventGroup<Event>)> {
        let states = &self.states;
        self.apart.iter_mut().filter_map(move |group| {
            let event = group.names().next()?;
            is_believed(states, event).then_some((event, group))
        })
    }

    /// Why none of the CPU's counters is believed to count what it is asked for, where that is so. Cycles alone may be
    /// refused: then no column has any, and what counts something else still counts that.
    pub fn distrust_all(&self) -> Option<&Unavailable> {
        const HELD: [Event; 3] = [Event::Cycles, Event::Instructions, Event::Branches];
        let is_any = HELD.iter().any(|event| is_believed(&self.states, *event));
        self.distrust().filter(|_| !is_any)
    }

    /// Why no column has a count of the CPU's, where that is so: without cycles none has.
    pub fn distrust(&self) -> Option<&Unavailable> {
        let mut states = self.states.iter();
        let cycles = states.find(|(event, _)| *event == Event::Cycles);
        cycles.and_then(|(_, state)| state.as_ref().err())
    }

    /// Each event, and why it is not believed where it is not.
    pub fn states(&self) -> &[EventState] {
        &self.states
    }

    /// Of a reading, the events that are believed.
    fn believed(&self, counts: &Counts) -> Result<Events, Refused> {
        let mut events = Events::default();
        let members = self.group.iter().flat_map(EventGroup::names);
        for (event, count) in members.zip(counts) {
            if !is_believed(&self.states, event) {
                continue;
            }
            // Entering alone takes some of both.
            if *count == 0 && matches!(event, Event::Cycles | Event::Instructions) {
                return Err(Refused::StoodStill);
            }
            events.set(event, Some(*count));
        }
        Ok(events)
    }
}

/// Between two readings of the group. What the readings themselves take cancels out between two such counts only where
/// both are made by the same code.
#[inline(never)]
fn count_between<N: Copy>(group: &EventGroup<N>, mut run: impl FnMut()) -> Result<Counts, Refused> {
    let before = group.read()?;
    run();
    group.read()?.since(&before)
}

/// What user mode sees of a call of the kernel at the most, in a build that is not optimised too, and how many of them a
/// turn of the steady loop has. The kernel has several times as many.
const OF_A_CALL: [(Event, f64, u64); 2] = [
    (Event::Instructions, 250.0, STEADY_INSTRUCTIONS),
    (Event::Branches, 60.0, STEADY_BRANCHES),
];
/// The share of a call's cycles that user mode has at the most.
const USERS_SHARE: f64 = 0.7;

/// What one call of the kernel counts, of calls that do next to nothing in user mode.
#[derive(Debug, Clone, PartialEq)]
struct OfACall {
    /// The medians, one for each member of a group.
    counts: Vec<f64>,
    /// The cycles that it took by the clock.
    cycles: f64,
}

impl OfACall {
    /// Counts some; none where no reading was sound.
    fn count(group: &EventGroup<Event>, clock: &mut Clock) -> Option<OfACall> {
        const CALLS: u64 = 32;
        const TIMES: usize = 5;
        let overhead = clock.overhead_ticks();
        let chain = clock.calibrate().chain_ticks.saturating_sub(overhead);
        let ticks_per_cycle = chain.max(1) as f64 / clock.chain_cycles() as f64;
        let calls = |calls: u64| {
            let mut taken = 0;
            let counts = count_between(group, || {
                let began = time::ticks();
                for _ in 0..calls {
                    let _ = getrusage(UsageWho::RUSAGE_THREAD);
                }
                taken = time::ticks() - began;
            });
            counts.ok().map(|counts| (counts, taken))
        };
        let of_one = |many: u64, none: u64| (many as f64 - none as f64) / CALLS as f64;
        let counted: Vec<_> = (0..TIMES)
            .filter_map(|_| calls(CALLS).zip(calls(0)))
            .collect();
        let members = group.names().count();
        let middle = |member: usize| {
            let counts = counted.iter();
            median(&sorted(counts.map(|((many, _), (none, _))| {
                of_one(many[member], none[member])
            })))
        };
        let taken = counted.iter();
        let taken = median(&sorted(
            taken.map(|((_, many), (_, none))| of_one(*many, *none)),
        ));
        Some(OfACall {
            counts: (0..members).map(middle).collect::<Option<_>>()?,
            cycles: taken? / ticks_per_cycle,
        })
    }

    /// Why the kernel is counted, too, where it is. `steady` is what each member counted in the steady loop: what is wrong
    /// by a factor is held by that. Where neither instructions nor branches are counted, cycles are held against the
    /// clock's, which has the kernel's.
    fn kernel(&self, members: &[Event], steady: &[f64]) -> Option<String> {
        /// What is further off counts something else.
        const FACTORS: std::ops::RangeInclusive<f64> = 0.5..=4.0;
        let too = |counted: f64, what: &str| {
            format!("the PMU counts what the kernel does, too: {counted:.0} {what}")
        };
        let counts = members.iter().zip(&self.counts).zip(steady);
        let mut is_held = false;
        for ((event, counted), steady) in counts.clone() {
            let Some((_, most, of_a_turn)) = OF_A_CALL.iter().find(|(of, ..)| of == event) else {
                continue;
            };
            let factor = steady / (TURNS * of_a_turn) as f64;
            if !FACTORS.contains(&factor) {
                continue;
            }
            is_held = true;
            if *counted > most * factor {
                let what = format!(
                    "{} of a system call that has a few dozen in user mode",
                    event.name()
                );
                return Some(too(*counted, &what));
            }
        }
        let mut counts = counts;
        let cycles = counts.find(|((event, _), _)| **event == Event::Cycles);
        let ((_, cycles), _) = cycles.filter(|_| !is_held)?;
        let all = self.cycles;
        let what =
            format!("of the {all:.0} cycles of a system call, most of which are the kernel's");
        (*cycles > USERS_SHARE * all).then(|| too(*cycles, &what))
    }
}

/// What two readings in a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    /// The median of the first member, which is cycles.
    cycles: u64,
    /// The median of the second, where that is instructions.
    instructions: Option<u64>,
    /// The middle half of the readings lies within so many cycles.
    spread: u64,
}

impl Cost {
    /// That of a way to read; none where all readings are refused.
    fn of(
        group: &EventGroup<Event>,
        read: impl Fn(&EventGroup<Event>) -> Result<Snapshot, Refused>,
    ) -> Option<Cost> {
        const READINGS: u32 = 33;
        let pair = || {
            let before = read(group)?;
            read(group)?.since(&before)
        };
        let counted: Vec<Counts> = (0..READINGS).filter_map(|_| pair().ok()).collect();
        let at = |member: usize, share: f64| {
            let counts = sorted(counted.iter().map(|one| one[member] as f64));
            rank(&counts, share).map(|count| count as u64)
        };
        let has_instructions = group.names().nth(1) == Some(Event::Instructions);
        Some(Cost {
            cycles: at(0, 0.5)?,
            instructions: at(1, 0.5).filter(|_| has_instructions),
            spread: at(0, 0.75)? - at(0, 0.25)?,
        })
    }
}

/// A group that was opened, and what it counted of the known loops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Groups that had been begun by then, itself included: one that was refused a member was begun anew.
    pub leaders: usize,
    /// Whether its only member has turns of its own.
    pub is_apart: bool,
    /// The events.
    pub members: Vec<Event>,
    /// What they counted; none where that was refused, or not asked.
    pub tries: Option<Tries>,
    /// Whether it was on the CPU's counters at all.
    pub has_run: bool,
}

/// What each member of a group counts of a steady chain, a row of coins and a row of indirect jumps, several times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tries {
    /// A try: three loops, each with a count for each member.
    pub counts: Vec<[Vec<f64>; 3]>,
    /// Tries beside them in which a reading was refused.
    pub refused: u32,
}

impl Tries {
    /// Runs the loops. A reading that something else disturbs is followed by another one.
    ///
    /// # Errors
    /// The refusal of one of too many.
    pub(super) fn count<N: Copy>(
        group: &EventGroup<N>,
        clock: &mut Clock,
    ) -> Result<Tries, Refused> {
        const GOOD: usize = 5;
        const MOST_REFUSED: u32 = 55;
        /// Readings without one that counted: there will be none.
        const HOPELESS: u32 = 10;
        let mut tries = Tries::default();
        while tries.counts.len() < GOOD {
            let mut kernels = || -> Result<[Vec<f64>; 3], Refused> {
                Ok([
                    count(group, TURNS, |turns| clock.go_steadily(turns))?,
                    count(group, TURNS, |turns| clock.toss(turns))?,
                    count(group, TURNS, |turns| clock.jump(turns))?,
                ])
            };
            match kernels() {
                Ok(one) => tries.counts.push(one),
                Err(refused) => {
                    tries.refused += 1;
                    let is_hopeless = tries.counts.is_empty() && tries.refused >= HOPELESS;
                    if tries.refused > MOST_REFUSED || is_hopeless {
                        return Err(refused);
                    }
                }
            }
        }
        Ok(tries)
    }

    /// The verdict on each of the members.
    pub fn judge(&self, members: &[Event]) -> Vec<EventState> {
        let verdict = |(member, event): (usize, &Event)| (*event, self.of(member).judge(*event));
        members.iter().enumerate().map(verdict).collect()
    }

    /// The medians of a member; not numbers where there is none.
    pub(super) fn of(&self, member: usize) -> Counted {
        let middle = |kernel: usize| {
            let counts = self
                .counts
                .iter()
                .filter_map(|one| one[kernel].get(member).copied());
            median(&sorted(counts)).unwrap_or(f64::NAN)
        };
        Counted {
            steady: middle(0),
            coins: middle(1),
            jumps: middle(2),
        }
    }
}

/// What so many turns of a kernel take: an entry's own counts cancel out between a short entry and
/// a long one.
pub(super) fn count<N: Copy>(
    group: &EventGroup<N>,
    turns: u64,
    mut run: impl FnMut(u64),
) -> Result<Vec<f64>, Refused> {
    let few_turns = FEW_TURNS.min(turns);
    let mut counted = |turns: u64| count_between(group, || run(turns));
    let few = counted(few_turns)?;
    let many = counted(few_turns + turns)?;
    let pairs = many.iter().zip(&few).take(group.names().count());
    Ok(pairs
        .map(|(many, few)| *many as f64 - *few as f64)
        .collect())
}

/// Turns of a known loop that are counted.
pub(super) const TURNS: u64 = 2000;
/// Turns of the entry that is subtracted.
pub(super) const FEW_TURNS: u64 = 8;
/// Counts that interruptions may add to an exact number: some CPUs count one instruction and one
/// branch for each return from an interrupt.
pub(super) const HANDFUL: f64 = 16.0;
/// How far core cycles may be from their known number.
const CYCLES_TOLERANCE: f64 = 0.03;
/// Coins of which so large a share is guessed are guessed by chance.
pub(super) const CHANCE: std::ops::RangeInclusive<f64> = 0.3..=0.7;
/// The share of jumps to eight random targets that is missed: seven of eight, where no two turns in a row tell
/// anything. All of them is what counts jumps, missed or not.
pub(super) const JUMPS_MISSED: std::ops::RangeInclusive<f64> = 0.75..=0.95;

/// What an event counted on the known loops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) steady: f64,
    pub(super) coins: f64,
    pub(super) jumps: f64,
}

impl Counted {
    fn judge(self, event: Event) -> Result<(), Unavailable> {
        let turns = TURNS as f64;
        let all = [self.steady, self.coins, self.jumps];
        let exactly = |of_a_turn: [u64; 3]| {
            let known = of_a_turn.map(|count| turns * count as f64);
            let near = |(counted, known): (&f64, &f64)| (counted - known).abs() <= HANDFUL;
            (
                all.iter().zip(&known).all(near),
                known.map(|count| count.to_string()),
            )
        };
        let (is_sound, known) = match event {
            Event::Cycles => {
                let known = turns * CHAIN_ADDS as f64;
                let is_near = (self.steady / known - 1.0).abs() <= CYCLES_TOLERANCE;
                (is_near, [known.to_string(), String::new(), String::new()])
            }
            Event::Instructions => {
                exactly([STEADY_INSTRUCTIONS, COIN_INSTRUCTIONS, JUMP_INSTRUCTIONS])
            }
            Event::Branches => exactly([STEADY_BRANCHES, COIN_BRANCHES, JUMP_BRANCHES]),
            Event::BranchMisses => {
                let is_near = self.steady.abs() <= HANDFUL
                    && CHANCE.contains(&(self.coins / turns))
                    && JUMPS_MISSED.contains(&(self.jumps / turns));
                let missed = turns * 7.0 / 8.0;
                (
                    is_near,
                    [
                        "next to none".into(),
                        format!("about {}", turns / 2.0),
                        format!("about {missed}"),
                    ],
                )
            }
        };
        if is_sound {
            return Ok(());
        }
        let name = event.name().replace('_', " ");
        let [steady, coins, jumps] = known;
        Err(Unavailable {
            reason: match event {
                // What the other two take depends on the CPU.
                Event::Cycles => format!(
                    "the PMU counted {} {name} in a loop that has {steady}",
                    self.steady
                ),
                _ => format!(
                    "the PMU counted {}, {} and {} {name} in three loops that have {steady}, {coins} and {jumps}",
                    self.steady, self.coins, self.jumps,
                ),
            },
            remedy: match event {
                Event::Cycles => {
                    "it is not believed; take --counters clock, or ask for a host with a sound vPMU"
                }
                _ => "it is not believed; ask for a host with a sound vPMU",
            }
            .into(),
        })
    }
}

/// The PMU for the events, the clock for ticks and calibrations.
#[derive(Debug)]
pub struct PmuSource<'a> {
    /// What counts.
    pub pmu: &'a mut Pmu,
    /// What runs beside each chunk.
    pub clock: &'a mut Clock,
}

impl CounterSource for PmuSource<'_> {
    fn calibrate(&mut self) -> Calibration {
        self.clock.calibrate()
    }

    fn read(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Reading, Failure> {
        let pmu = &*self.pmu;
        let entry = stage.enter_between(ground, request, || pmu.read())?;
        let counts = entry.before.and_then(|before| entry.after?.since(&before));
        Ok(Reading {
            exit: Some(entry.exit),
            ticks: Some(entry.ticks),
            events: Some(counts.and_then(|counts| pmu.believed(&counts))),
            ..Reading::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use perf_event::events::Software;

    use super::*;
    use crate::job::{Counters, Plan};
    use crate::prepare::prepare;
    use crate::scenario::Scenario;
    use crate::stage::Run;
    use crate::stats::{self, Chunk};
    use crate::sys::mapping::Window;
    use crate::sys::shared::SharedPage;
    use crate::sys::signals;
    use crate::sys::time;
    use crate::template::{Origin, Template};
    use crate::worker::timing::{self, Proved, Scale};

    #[test]
    fn a_probe_answers_for_every_column() {
        let events: Vec<_> = probe().into_iter().map(|(event, _)| event).collect();
        assert_eq!(events, Event::ALL);
    }

    #[test]
    fn software_events_open_anywhere() {
        for (event, opened) in probe_software() {
            // What happens in the kernel is not for everybody.
            let is_refused = |why: &Unavailable| why.reason.starts_with("not allowed");
            let is_for_some = event == "context-switches";
            let is_sound = opened
                .as_ref()
                .map_or_else(|why| is_for_some && is_refused(why), |()| true);
            assert!(is_sound, "{event}: {opened:?}");
        }
    }

    #[test]
    fn a_pmu_is_believed_as_far_as_it_counts_known_loops_rightly() {
        #[rustfmt::skip] // a table: one PMU a line
        let table = [
            (Event::Cycles,       [100_300.0, 21_000.0, 1e4], true),
            (Event::Cycles,       [102_900.0, 21_000.0, 1e4], true),
            (Event::Cycles,       [103_100.0, 21_000.0, 1e4], false),
            (Event::Cycles,       [ 97_100.0, 21_000.0, 1e4], true),
            (Event::Cycles,       [ 96_900.0, 21_000.0, 1e4], false),
            (Event::Cycles,       [      0.0,      0.0, 0.0], false),
            (Event::Cycles,       [ 70_300.0, 21_000.0, 1e4], false), // ticks of a slower clock
            (Event::Instructions, [110_001.0, 12_000.0, 20_000.0], true),
            (Event::Instructions, [110_016.0, 12_016.0, 20_016.0], true),
            (Event::Instructions, [110_017.0, 12_000.0, 20_000.0], false),
            (Event::Instructions, [110_000.0, 12_017.0, 20_000.0], false),
            (Event::Instructions, [110_000.0, 12_000.0, 20_017.0], false),
            (Event::Instructions, [109_983.0, 12_000.0, 20_000.0], false),
            (Event::Instructions, [      0.0,      0.0, 0.0], false),
            (Event::Branches,     [  6_001.0,  4_000.0, 6_000.0], true),
            (Event::Branches,     [  6_016.0,  3_984.0, 5_984.0], true),
            (Event::Branches,     [  6_017.0,  4_000.0, 6_000.0], false),
            (Event::Branches,     [  6_000.0,  4_017.0, 6_000.0], false),
            (Event::Branches,     [  6_000.0,  4_000.0, 6_017.0], false),
            (Event::Branches,     [  4_000.0,  4_000.0, 6_000.0], false), // taken ones alone
            (Event::BranchMisses, [      1.0,    987.0, 1_750.0], true),
            (Event::BranchMisses, [     16.0,    601.0, 1_501.0], true),
            (Event::BranchMisses, [      0.0,    599.0, 1_750.0], false),
            (Event::BranchMisses, [      0.0,  1_399.0, 1_899.0], true),
            (Event::BranchMisses, [      0.0,  1_401.0, 1_750.0], false),
            (Event::BranchMisses, [      0.0,  1_000.0, 1_499.0], false),
            (Event::BranchMisses, [      0.0,  1_000.0, 1_901.0], false),
            (Event::BranchMisses, [      0.0,  1_000.0,     0.0], false), // conditional ones alone
            (Event::BranchMisses, [     17.0,  1_000.0, 1_750.0], false),
            (Event::BranchMisses, [      0.0,      0.0,     0.0], false), // it cannot have guessed all coins
            (Event::BranchMisses, [  2_000.0,  1_000.0, 1_750.0], false), // branches that are not taken
        ];
        for (event, [steady, coins, jumps], is_sound) in table {
            let counted = Counted {
                steady,
                coins,
                jumps,
            };
            match (counted.judge(event), is_sound) {
                (Ok(()), true) => {}
                (Err(why), false) => {
                    let why = why.to_string();
                    assert!(
                        why.contains("not believed")
                            && why.contains(&match event {
                                Event::Cycles => format!("counted {steady} cycles"),
                                _ => format!("counted {steady}, {coins} and {jumps}"),
                            }),
                        "{why}"
                    );
                }
                (judged, _) => panic!("{event:?}, {counted:?}: {judged:?}"),
            }
        }
    }

    #[test]
    fn a_counter_that_counts_the_kernel_is_found_out_whatever_else_is_refused() {
        use Event::{BranchMisses, Branches, Cycles, Instructions};
        type Called<'a> = (&'a [Event], &'a [f64], &'a [f64], f64, bool);
        #[rustfmt::skip] // a table: the members, a call's counts, their steady loops, its cycles by the clock
        let table: [Called<'_>; 14] = [
            (&[Cycles, Instructions], &[90.0, 250.0],  &[1e5, 110_000.0], 500.0, false),
            (&[Cycles, Instructions], &[90.0, 251.0],  &[1e5, 110_000.0], 500.0, true),
            (&[Cycles, Instructions], &[90.0, 500.0],  &[1e5, 220_000.0], 500.0, false), // twice
            (&[Cycles, Instructions], &[90.0, 502.0],  &[1e5, 220_000.0], 500.0, true),
            (&[Cycles, Branches],     &[90.0, 60.0],   &[1e5, 6_000.0],   500.0, false),
            (&[Cycles, Branches],     &[90.0, 61.0],   &[1e5, 6_000.0],   500.0, true),
            (&[Instructions, Branches], &[100.0, 99.0], &[110_000.0, 6_000.0], 500.0, true), // one of both
            (&[Cycles],               &[350.0],        &[1e5],            500.0, false),
            (&[Cycles],               &[351.0],        &[1e5],            500.0, true),
            (&[Cycles, BranchMisses], &[500.0, 3.0],   &[1e5, 0.0],       500.0, true),
            (&[Cycles, Instructions], &[500.0, 0.0],   &[1e5, 0.0],       500.0, true), // what stays 0 holds nothing
            (&[Cycles, Instructions], &[500.0, 900.0], &[1e5, 450_000.0], 500.0, true), // nor does what is far off
            (&[Cycles, Instructions], &[400.0, 30.0],  &[1e5, 110_000.0], 500.0, false), // the finer one decides
            (&[BranchMisses],         &[9.0],          &[0.0],            500.0, false),
        ];
        for (members, counts, steady, cycles, is_kernels) in table {
            let of_a_call = OfACall {
                counts: counts.to_vec(),
                cycles,
            };
            let kernel = of_a_call.kernel(members, steady);
            assert_eq!(
                kernel.is_some(),
                is_kernels,
                "{members:?} {counts:?}: {kernel:?}"
            );
        }
    }

    /// Events that the kernel counts on any machine, under the names of two columns.
    fn disguised() -> Pmu {
        let events = [
            (Event::Cycles, Software::TASK_CLOCK.into()),
            (Event::BranchMisses, Software::PAGE_FAULTS.into()),
        ];
        let opened = EventGroup::open(&events, None);
        Pmu {
            cores: CorePmus::default(),
            cpu: None,
            surroundings: Surroundings::default(),
            group: Some(opened.group.expect("software events open anywhere")),
            apart: Vec::new(),
            states: vec![(Event::Cycles, Ok(())), (Event::BranchMisses, Ok(()))],
            reading: None,
            openings: Vec::new(),
            held: Vec::new(),
            call: None,
        }
    }

    #[test]
    fn counters_of_something_else_do_not_pass_the_check() {
        let mut window = Window::reserve().expect("reserves");
        let mut clock = Clock::new(&mut window).expect("maps");
        let pmu = disguised();
        let group = pmu.group.as_ref().expect("a group");
        let members: Vec<Event> = group.names().collect();
        let tries = Tries::count(group, &mut clock).expect("software events always run");
        let states = tries.judge(&members);
        assert_eq!(states.len(), 2);
        for (event, state) in states {
            let why = state.expect_err("it counts nanoseconds and faults");
            assert!(why.reason.contains("the PMU counted"), "{event:?}: {why}");
        }
    }

    #[test]
    fn a_row_is_timed_with_a_group_that_is_read_around_each_chunk() {
        let text = ";! unroll = 50\nbody:\n imul rax, rax\n";
        let template = Template::parse("imul", Origin::Embedded, text.into()).expect("parses");
        let scenario = Scenario::bind(Arc::new(template), &[]).expect("binds");
        let prepared = prepare(&scenario).expect("links");
        let plan = Plan {
            counters: Counters::Pmu,
            ..Plan::default()
        };
        let mut window = Window::reserve().expect("reserves");
        let mut stage = Stage::new(&prepared.row, &plan, &mut window).expect("maps");
        let page = signals::install(SharedPage::new().expect("maps"), 1).expect("installs");
        let mut ground = Ground::new(page).expect("maps");
        let visits = stage.walk(512, 1).expect("maps");
        stage.settle(&mut ground).expect("settles");
        let whole = |_: &mut Stage<'_>, _: &mut Ground| Ok(Run::Whole);
        stage.set_up(&mut ground, &visits, whole).expect("sets up");
        let (mut clock, mut pmu) = (Clock::new(&mut window).expect("maps"), disguised());
        let tsc_hz = time::Moment::now().ticks_per_second(1_000_000);
        let mut scale = Scale {
            tsc_hz,
            overhead_ticks: clock.overhead_ticks(),
            chain_cycles: clock.chain_cycles(),
            best_width: u64::MAX,
        };
        let mut source = PmuSource {
            pmu: &mut pmu,
            clock: &mut clock,
        };
        let plan = Plan {
            time_ms: 2.0,
            // Chunks stay as long as they are.
            run_ms: 0.0,
            ..plan
        };
        let row = Proved {
            index: 0,
            stage,
            visits,
            chunk: 512,
            direct_branches: 0.0,
            uninferred: Vec::new(),
        };
        let timed = timing::time_rows(&mut [row], &mut ground, &mut source, &mut scale, &plan);
        let timing = timed.into_iter().next().expect("a row").expect("times");
        let counting = timing.counting.as_ref().expect("the group was asked");
        assert_eq!((counting.refused, &counting.why), (0, &None));
        assert!(counting.overhead.get(Event::Cycles) > Some(0));
        assert_eq!(counting.overhead.get(Event::Instructions), None);
        let counted = |chunk: &Chunk| chunk.events.and_then(|events| events.get(Event::Cycles));
        assert!(
            timing.images[0]
                .chunks
                .iter()
                .all(|chunk| counted(chunk) > Some(0))
        );
        let summary = stats::summarize(&timing, 1);
        // The task clock and the time stamp counter saw the same chunks.
        let ratio = summary.cycles.value / summary.ns.value;
        assert!((0.5..2.0).contains(&ratio), "{summary:?}");
        assert!(summary.events[Event::BranchMisses as usize].is_some());
        assert!(summary.events[Event::Instructions as usize].is_none());
    }

    #[test]
    fn where_nothing_opens_each_event_has_its_reason() {
        if is_believed(&probe(), Event::Cycles) {
            println!("skipped: this machine has a PMU");
            return;
        }
        assert_eq!(Pmu::open(None).states(), probe());
    }
}
