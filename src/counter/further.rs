//! Events beyond those of the columns, each in a group of its own.
//!
//! Correct means: of all counters of this process one group's count at a time, so that none is taken
//! away for another; an event that the CPU counts is believed only where another that is known passed its check, and
//! none counts the kernel.

use std::io;

use super::clock::Clock;
use super::dispatch;
use super::errno::{Surroundings, explain};
use super::group::{EventGroup, PmuType, Refused, Snapshot};
use crate::job::catalogue::{Asked, Countable, CountedIn};
use crate::job::{FurtherState, Unavailable, catalogue};
use crate::sys::mapping::Window;

/// The same where nothing is timed, and so no turn taken.
pub fn untimed(names: &[String]) -> Vec<FurtherState> {
    let why = Unavailable {
        reason: "not timed: --counters none".into(),
        remedy: "leave that out".into(),
    };
    let state = |name: &String| (name.clone(), Err(why.clone()));
    names.iter().map(state).collect()
}

/// The events that were asked for.
#[derive(Debug)]
pub struct Further {
    events: Vec<Opened>,
    pmu: PmuType,
    surroundings: Surroundings,
}

#[derive(Debug)]
struct Opened {
    event: Countable,
    group: Result<EventGroup<()>, Unavailable>,
    /// What can be asked for it that was not.
    left: std::vec::IntoIter<Asked>,
}

impl Further {
    /// Opens what opens, for this thread; none of it counts yet.
    pub fn open(names: &[String], pmu: PmuType) -> Further {
        // What names no event was refused before any worker was started.
        let events = names.iter().flat_map(|name| catalogue::find(name));
        Further::of(events.collect(), pmu)
    }

    /// The same with the events themselves.
    pub(super) fn of(events: Vec<Countable>, pmu: PmuType) -> Further {
        let surroundings = Surroundings::inspect();
        let open = |mut event: Countable| {
            let asked = event.asked.clone();
            let first = asked.map_err(|never| Unavailable {
                reason: never.into(),
                remedy: "leave it out".into(),
            });
            let mut left = std::mem::take(&mut event.others).into_iter();
            let is_code = event.known.is_none();
            let group = first.and_then(|asked| open(&asked, pmu, (&surroundings, is_code)));
            let group = group.or_else(|why| next(&mut left, pmu, &surroundings).ok_or(why));
            Opened { event, group, left }
        };
        Further {
            events: events.into_iter().map(open).collect(),
            pmu,
            surroundings,
        }
    }

    /// Whether any of the events that opened is the CPU's.
    pub fn has_hardware(&self) -> bool {
        let mut events = self.events.iter();
        events.any(|one| one.event.by == CountedIn::Hardware && one.group.is_ok())
    }

    /// Holds those that have a name of our own against loops of which their counts are known. Where a code counts
    /// something else, it may be another family's, and the next one is held. No other counter of this process may count
    /// meanwhile.
    pub fn check(&mut self, clock: &mut Clock, window: &mut Window) {
        let mut chains = None;
        for one in &mut self.events {
            let Some(known) = one.event.known else {
                continue;
            };
            let mut first = None;
            while let Ok(group) = &mut one.group {
                let held = group.resume().map_err(|error| unswitched(error).into());
                let loops = (&mut *clock, &mut *window, &mut chains);
                let held = held.and_then(|()| dispatch::hold(group, known, loops));
                let paused = group.pause().map_err(|error| unswitched(error).into());
                let Err(why) = paused.and(held) else { break };
                let why = first.get_or_insert(why).clone();
                one.group = next(&mut one.left, self.pmu, &self.surroundings).ok_or(why);
            }
        }
    }

    /// Takes the word of no counter of the CPU. Another source, which columns may take, has none of these events.
    pub fn distrust_hardware(&mut self, why: &Unavailable) {
        for one in &mut self.events {
            if one.event.by == CountedIn::Hardware && one.group.is_ok() {
                one.group = Err(Unavailable {
                    reason: why.reason.clone(),
                    remedy: "leave it out, or run it on a machine whose counters count".into(),
                });
            }
        }
    }

    /// Each event, and why it is not counted where it is not.
    pub fn states(&self) -> Vec<FurtherState> {
        let state = |one: &Opened| {
            let group = one.group.as_ref();
            (
                one.event.name.clone(),
                group
                    .map(|group| group.way().to_string())
                    .map_err(Clone::clone),
            )
        };
        self.events.iter().map(state).collect()
    }

    /// The events that are counted, one after the other.
    pub fn counted(&mut self) -> impl Iterator<Item = (&str, Turn<'_>)> {
        self.events.iter_mut().filter_map(|one| {
            let group = one.group.as_mut().ok()?;
            Some((&one.event.name[..], Turn::of(group)))
        })
    }
}

/// The first of what is left that opens.
fn next(
    left: &mut impl Iterator<Item = Asked>,
    pmu: PmuType,
    surroundings: &Surroundings,
) -> Option<EventGroup<()>> {
    left.find_map(|asked| open(&asked, pmu, (surroundings, false)).ok())
}

/// `is_code`: a raw code is what was asked for, and not what a name of our own stands for.
fn open(
    asked: &Asked,
    pmu: PmuType,
    (surroundings, is_code): (&Surroundings, bool),
) -> Result<EventGroup<()>, Unavailable> {
    let asking = surroundings.asking(asked);
    let asking = Surroundings {
        is_raw: asking.is_raw && is_code,
        ..asking
    };
    let explained = |error: &io::Error| explain(error, &asking);
    let opened = EventGroup::open(&[((), asked.clone())], pmu);
    let refused = opened.refused.iter().chain(&opened.without_room).next();
    match (opened.group, refused) {
        (Some(mut group), _) => {
            group.pause().map_err(|error| explained(&error))?;
            Ok(group)
        }
        (None, Some((_, error))) => Err(explained(error)),
        (None, None) => Err(Refused::Unbelieved.into()),
    }
}

/// One event's time to count.
#[derive(Debug)]
pub struct Turn<'a, N = ()> {
    group: &'a mut EventGroup<N>,
}

impl<'a, N: Copy> Turn<'a, N> {
    /// That of the first member of a group.
    pub fn of(group: &'a mut EventGroup<N>) -> Turn<'a, N> {
        Turn { group }
    }

    /// Lets it count.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn begin(&mut self) -> Result<(), Refused> {
        self.group.resume().map_err(unswitched)
    }

    /// What it has counted so far.
    ///
    /// # Errors
    /// Where there is no sound answer.
    pub fn read(&self) -> Result<Snapshot, Refused> {
        self.group.read()
    }

    /// Stops it.
    ///
    /// # Errors
    /// Where the kernel refuses: then the next one would share the CPU's counters with it.
    pub fn end(&mut self) -> Result<(), Refused> {
        self.group.pause().map_err(unswitched)
    }
}

fn unswitched(error: io::Error) -> Refused {
    Refused::Unread(error.raw_os_error().unwrap_or(0))
}
