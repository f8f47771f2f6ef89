//! The hardware counters: are there any, do they count what they say, and what does an entry take?
//!
//! Correct means: no number of a PMU is believed before it has counted loops of known length, here
//! and in this process; where one is not believed, the reason is a sentence.

use std::fs;

use perf_event::events::Hardware;

use super::clock::Clock;
use super::errno::{Surroundings, explain};
use super::group::{EventGroup, Named, Refused, Snapshot, Way, probe as probe_each};
use super::{CounterSource, Reading};
use crate::job::{EventState, Failure, Unavailable, catalogue};
use crate::link::kernel::{COIN_BRANCHES, COIN_INSTRUCTIONS, IMULS};
use crate::stage::{Ground, Request, Stage};
use crate::stats::quantile::{median, sorted};
use crate::stats::{Calibration, Event, Events};

fn hardware() -> [Named<Event>; 4] {
    Event::ALL.map(|event| {
        let kind = match event {
            Event::Cycles => Hardware::CPU_CYCLES,
            Event::Instructions => Hardware::INSTRUCTIONS,
            Event::Branches => Hardware::BRANCH_INSTRUCTIONS,
            Event::BranchMisses => Hardware::BRANCH_MISSES,
        };
        (event, kind.into())
    })
}

/// Opens each event by itself, for this thread, user mode only. `Ok` where it opens; whether it
/// counts is for [`Pmu::check`] to say.
pub fn probe() -> Vec<EventState> {
    let surroundings = Surroundings::inspect();
    let answer =
        |opened: std::io::Result<()>| opened.map_err(|error| explain(&error, &surroundings));
    let opened = probe_each(&hardware()).into_iter();
    opened
        .map(|(event, opened)| (event, answer(opened)))
        .collect()
}

/// The counters that the kernel keeps itself, for `doctor`: they need no PMU.
pub fn probe_software() -> Vec<(&'static str, Result<(), Unavailable>)> {
    let surroundings = Surroundings::inspect();
    let state = |name: &'static str| {
        let asked = catalogue::find(name).ok()?.asked.ok()?;
        let (_, opened) = probe_each(&[((), asked.clone())]).pop()?;
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
        Ok("1") => Ok("for counters that the process has opened itself"),
        Ok(_) => Ok("for every process"),
        Err(_) => Err(Unavailable {
            reason: "the kernel has no CPU PMU: /sys/bus/event_source/devices/cpu is absent".into(),
            remedy: "see above; nothing here needs it".into(),
        }),
    }
}

/// The group of the events that open.
#[derive(Debug)]
pub struct Pmu {
    group: Option<EventGroup<Event>>,
    states: Vec<EventState>,
}

impl Pmu {
    /// Opens what opens; nothing of it is believed before [`Pmu::check`].
    pub fn open() -> Pmu {
        let surroundings = Surroundings::inspect();
        let opened = EventGroup::open(&hardware());
        let refused = opened.refused.iter();
        let mut states: Vec<EventState> = refused
            .map(|(event, error)| (*event, Err(explain(error, &surroundings))))
            .collect();
        let unchecked = || Err(Refused::Fault("they were not checked".into()).into());
        let members = opened.group.iter().flat_map(EventGroup::names);
        states.extend(members.map(|event| (event, unchecked())));
        states.sort_by_key(|(event, _)| *event);
        Pmu {
            group: opened.group,
            states,
        }
    }

    /// Holds what opened against loops of known length.
    pub fn check(&mut self, clock: &mut Clock) {
        for (event, verdict) in self.verify(clock) {
            let mut states = self.states.iter_mut();
            if let Some((_, state)) = states.find(|(other, _)| *other == event) {
                *state = verdict;
            }
        }
    }

    fn read(&mut self) -> Result<Snapshot, Refused> {
        let fault = || Refused::Fault("they did not pass the check on known loops".into());
        if !is_believed(&self.states, Event::Cycles) {
            return Err(fault());
        }
        self.group.as_mut().ok_or_else(fault)?.read()
    }

    /// How the group is read; `None` where there is none.
    pub fn way(&self) -> Option<&Way> {
        self.group.as_ref().map(EventGroup::way)
    }

    /// Leaves the CPU's counters to others until it is resumed. A reading that then fails is told as
    /// such, so what the kernel says here is not.
    pub fn pause(&mut self) {
        let _ = self.group.as_mut().map(EventGroup::pause);
    }

    /// Counts again.
    pub fn resume(&mut self) {
        let _ = self.group.as_mut().map(EventGroup::resume);
    }

    /// Why no counter of the CPU is believed, where that is so.
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
    fn believed(&self, counts: &[u64]) -> Events {
        let mut events = Events::default();
        let members = self.group.iter().flat_map(EventGroup::names);
        for (event, count) in members.zip(counts) {
            if is_believed(&self.states, event) {
                events.set(event, Some(*count));
            }
        }
        events
    }

    /// Counts a chain of multiplications and a row of coins, several times, and judges the medians.
    fn verify(&mut self, clock: &mut Clock) -> Vec<EventState> {
        const TRIES: u32 = 9;
        let Some(group) = &mut self.group else {
            return Vec::new();
        };
        let names: Vec<Event> = group.names().collect();
        let mut chains = Vec::new();
        let mut coins = Vec::new();
        for _ in 0..TRIES {
            let chain = count(group, |turns| clock.multiply(turns));
            let coin = count(group, |turns| clock.toss(turns));
            match (chain, coin) {
                (Ok(chain), Ok(coin)) => {
                    chains.push(chain);
                    coins.push(coin);
                }
                (Err(refused), _) | (_, Err(refused)) => {
                    let all = |event: &Event| (*event, Err(refused.clone().into()));
                    return names.iter().map(all).collect();
                }
            }
        }
        let middle = |all: &[Vec<f64>], member: usize| {
            median(&sorted(all.iter().map(|counts| counts[member]))).unwrap_or(f64::NAN)
        };
        let verdict = |(member, event): (usize, &Event)| {
            let counted = Counted {
                chain: middle(&chains, member),
                coins: middle(&coins, member),
            };
            (*event, counted.judge(*event))
        };
        names.iter().enumerate().map(verdict).collect()
    }
}

/// What [`TURNS`] turns of a kernel take: an entry's own counts cancel out between a short entry and
/// a long one.
fn count(group: &mut EventGroup<Event>, mut run: impl FnMut(u64)) -> Result<Vec<f64>, Refused> {
    let mut counts = |turns: u64| -> Result<Vec<u64>, Refused> {
        let before = group.read()?;
        run(turns);
        group.read()?.since(&before)
    };
    let few = counts(FEW_TURNS)?;
    let many = counts(FEW_TURNS + TURNS)?;
    let pairs = many.iter().zip(&few);
    Ok(pairs
        .map(|(many, few)| *many as f64 - *few as f64)
        .collect())
}

/// Turns of a known loop that are counted.
const TURNS: u64 = 2000;
/// Turns of the entry that is subtracted.
const FEW_TURNS: u64 = 8;
/// Counts that interruptions may add to an exact number: some CPUs count one instruction and one
/// branch for each return from an interrupt.
const HANDFUL: f64 = 16.0;
/// How far core cycles may be from their known number.
const CYCLES_TOLERANCE: f64 = 0.02;
/// Coins of which so large a share is guessed are guessed by chance.
const CHANCE: std::ops::RangeInclusive<f64> = 0.3..=0.7;

/// What an event counted on the known loops.
#[derive(Debug, Clone, Copy)]
struct Counted {
    chain: f64,
    coins: f64,
}

impl Counted {
    fn judge(self, event: Event) -> Result<(), Unavailable> {
        let turns = TURNS as f64;
        let near = |counted: f64, known: f64| (counted - known).abs() <= HANDFUL;
        let (is_sound, chain, coins) = match event {
            Event::Cycles => {
                let known = turns * IMULS as f64 * 3.0;
                let is_near = (self.chain / known - 1.0).abs() <= CYCLES_TOLERANCE;
                (is_near, format!("{known}"), "any number".to_string())
            }
            Event::Instructions => {
                let known = [turns * (IMULS + 2) as f64, turns * COIN_INSTRUCTIONS as f64];
                let is_near = near(self.chain, known[0]) && near(self.coins, known[1]);
                (is_near, format!("{}", known[0]), format!("{}", known[1]))
            }
            Event::Branches => {
                let known = [turns, turns * COIN_BRANCHES as f64];
                let is_near = near(self.chain, known[0]) && near(self.coins, known[1]);
                (is_near, format!("{}", known[0]), format!("{}", known[1]))
            }
            Event::BranchMisses => {
                let is_near = near(self.chain, 0.0) && CHANCE.contains(&(self.coins / turns));
                (
                    is_near,
                    "next to none".into(),
                    format!("about {}", turns / 2.0),
                )
            }
        };
        if is_sound {
            return Ok(());
        }
        Err(Unavailable {
            reason: format!(
                "the PMU counted {} and {} {} in two loops that have {chain} and {coins}",
                self.chain,
                self.coins,
                event.name().replace('_', " ")
            ),
            remedy:
                "it is not believed; take --counters clock, or ask for a host with a sound vPMU"
                    .into(),
        })
    }
}

/// Whether an event is counted and believed.
pub fn is_believed(states: &[EventState], event: Event) -> bool {
    let mut states = states.iter();
    states.any(|(other, state)| *other == event && state.is_ok())
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
        let pmu = &mut *self.pmu;
        let entry = stage.enter_between(ground, request, || pmu.read())?;
        let events = difference(entry.before, entry.after).map(|counts| pmu.believed(&counts));
        Ok(Reading {
            exit: Some(entry.exit),
            ticks: Some(entry.ticks),
            events: Some(events),
            ..Reading::default()
        })
    }
}

fn difference(
    before: Result<Snapshot, Refused>,
    after: Result<Snapshot, Refused>,
) -> Result<Vec<u64>, Refused> {
    let before = before?;
    after?.since(&before)
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
            (Event::Cycles,       300_300.0, 21_000.0, true),
            (Event::Cycles,       305_900.0, 21_000.0, true),
            (Event::Cycles,       306_100.0, 21_000.0, false),
            (Event::Cycles,       294_100.0, 21_000.0, true),
            (Event::Cycles,       293_900.0, 21_000.0, false),
            (Event::Cycles,             0.0,      0.0, false),
            (Event::Cycles,       426_000.0, 21_000.0, false), // ticks of a slower clock
            (Event::Instructions, 104_001.0, 12_000.0, true),
            (Event::Instructions, 104_016.0, 12_016.0, true),
            (Event::Instructions, 104_017.0, 12_000.0, false),
            (Event::Instructions, 104_000.0, 12_017.0, false),
            (Event::Instructions, 103_983.0, 12_000.0, false),
            (Event::Instructions,       0.0,      0.0, false),
            (Event::Branches,       2_001.0,  4_000.0, true),
            (Event::Branches,       2_016.0,  3_984.0, true),
            (Event::Branches,       2_017.0,  4_000.0, false),
            (Event::Branches,       2_000.0,  4_017.0, false),
            (Event::Branches,       2_000.0,      0.0, false),
            (Event::BranchMisses,       1.0,    987.0, true),
            (Event::BranchMisses,      16.0,    601.0, true),
            (Event::BranchMisses,       0.0,    599.0, false),
            (Event::BranchMisses,       0.0,  1_399.0, true),
            (Event::BranchMisses,       0.0,  1_401.0, false),
            (Event::BranchMisses,      17.0,  1_000.0, false),
            (Event::BranchMisses,       0.0,      0.0, false), // it cannot have guessed all coins
            (Event::BranchMisses,   2_000.0,  1_000.0, false),
        ];
        for (event, chain, coins, is_sound) in table {
            match (Counted { chain, coins }.judge(event), is_sound) {
                (Ok(()), true) => {}
                (Err(why), false) => {
                    let why = why.to_string();
                    assert!(
                        why.contains("not believed")
                            && why.contains(&format!("counted {chain} and {coins}")),
                        "{why}"
                    );
                }
                (judged, _) => panic!("{event:?}, {chain}, {coins}: {judged:?}"),
            }
        }
    }

    /// Events that the kernel counts on any machine, under the names of two columns.
    fn disguised() -> Pmu {
        let opened = EventGroup::open(&[
            (Event::Cycles, Software::TASK_CLOCK.into()),
            (Event::BranchMisses, Software::PAGE_FAULTS.into()),
        ]);
        Pmu {
            group: Some(opened.group.expect("software events open anywhere")),
            states: vec![(Event::Cycles, Ok(())), (Event::BranchMisses, Ok(()))],
        }
    }

    #[test]
    fn counters_of_something_else_do_not_pass_the_check() {
        let mut window = Window::reserve().expect("reserves");
        let mut clock = Clock::new(&mut window).expect("maps");
        let states = disguised().verify(&mut clock);
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
        assert_eq!(Pmu::open().states(), probe());
    }
}
