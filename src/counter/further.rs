//! Events beyond those of the columns, each in a group of its own.
//!
//! Correct means: of all counters of this process one group's count at a time, so that none is taken
//! away for another; an event that the CPU counts is believed only where the CPU's counters have
//! passed their check.

use std::io;

use super::clock::Clock;
use super::errno::{Surroundings, explain};
use super::group::{EventGroup, PmuType, Refused, Snapshot};
use super::pmu::Tries;
use crate::job::catalogue::{Countable, CountedIn};
use crate::job::{FurtherState, Unavailable, catalogue};

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
}

#[derive(Debug)]
struct Opened {
    event: Countable,
    group: Result<EventGroup<()>, Unavailable>,
}

impl Further {
    /// Opens what opens, for this thread; none of it counts yet.
    pub fn open(names: &[String], pmu: PmuType) -> Further {
        let surroundings = Surroundings::inspect();
        // What names no event was refused before any worker was started.
        let events = names.iter().flat_map(|name| catalogue::find(name));
        let open = |event: Countable| Opened {
            group: open(&event, pmu, &surroundings),
            event,
        };
        Further {
            events: events.map(open).collect(),
        }
    }

    /// Whether any of the events that opened is the CPU's.
    pub fn has_hardware(&self) -> bool {
        let mut events = self.events.iter();
        events.any(|one| one.event.by == CountedIn::Hardware && one.group.is_ok())
    }

    /// Holds those that have a name of our own against loops of which their counts are known. No other counter of this
    /// process may count meanwhile.
    pub fn check(&mut self, clock: &mut Clock) {
        for one in &mut self.events {
            let (Some(known), Ok(group)) = (one.event.known, &mut one.group) else {
                continue;
            };
            let counted = group.resume().map_err(unswitched);
            let counted = counted.and_then(|()| Tries::count(group, clock));
            let counted = group.pause().map_err(unswitched).and(counted);
            let verdict = match counted {
                Ok(tries) => tries.of(0).is_known(known),
                Err(refused) => Err(Unavailable::from(refused)),
            };
            if let Err(why) = verdict {
                one.group = Err(why);
            }
        }
    }

    /// Takes the word of no counter of the CPU.
    pub fn distrust_hardware(&mut self, why: &Unavailable) {
        for one in &mut self.events {
            if one.event.by == CountedIn::Hardware && one.group.is_ok() {
                one.group = Err(why.clone());
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

fn open(
    event: &Countable,
    pmu: PmuType,
    surroundings: &Surroundings,
) -> Result<EventGroup<()>, Unavailable> {
    let asked = event.asked.clone().map_err(|never| Unavailable {
        reason: never.into(),
        remedy: "leave it out".into(),
    })?;
    let explained = |error: &io::Error| explain(error, &surroundings.asking(&asked));
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
