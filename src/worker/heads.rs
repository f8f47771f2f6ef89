//! How often the head of a row's loop runs, by an execution breakpoint of the CPU.
//!
//! Correct means: it is a count that no code of this program makes, over exactly the iterations that were asked for; and
//! where there is no breakpoint to be had, that is said. The kernel hands breakpoints out where it has no other counter
//! of the CPU, and each hit costs some 20 µs on a virtual machine.

use perf_event::events::{Breakpoint, Event};

use crate::counter::errno::{Surroundings, explain};
use crate::counter::group::{EventGroup, Refused};
use crate::job::catalogue::Asked;
use crate::job::{Failure, Heads, Unavailable};
use crate::stage::{Ground, Request, Stage, Visits};

/// The breakpoint of one row.
#[derive(Debug)]
pub(super) struct Breakpointed {
    group: Result<EventGroup<()>, Unavailable>,
}

impl Breakpointed {
    /// Puts it on an instruction; it counts nothing yet.
    pub(super) fn open(address: u64) -> Breakpointed {
        let asked = Asked::Event(Event::Breakpoint(Breakpoint::Code { addr: address }));
        let surroundings = Surroundings::inspect();
        let explained = |error: &std::io::Error| explain(error, &surroundings.asking(&asked));
        let opened = EventGroup::open(&[((), asked.clone())], None);
        let refused = opened.refused.iter().chain(&opened.without_room).next();
        let group = match (opened.group, refused) {
            (Some(mut group), _) => group
                .pause()
                .map_err(|error| explained(&error))
                .map(|()| group),
            (None, Some((_, error))) => Err(explained(error)),
            (None, None) => Err(Refused::Unbelieved.into()),
        };
        Breakpointed { group }
    }

    /// Enters once for so many iterations, and says how often the loop's head ran.
    ///
    /// # Errors
    /// What entering says.
    pub(super) fn count(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        visits: &Visits,
        iterations: u64,
    ) -> Result<Heads, Failure> {
        let counted = match &mut self.group {
            Err(why) => Err(why.clone()),
            Ok(group) => {
                let request = Request {
                    image: 0,
                    visits,
                    element: 0,
                    iterations,
                };
                stage.rewind(ground, 0);
                let switched = group.resume();
                let entry = stage.enter_between(ground, request, || group.read())?;
                let switched = switched.and(group.pause());
                stage.rewind(ground, 0);
                let refused =
                    |error: std::io::Error| Refused::Unread(error.raw_os_error().unwrap_or(0));
                let counts = switched
                    .map_err(refused)
                    .and_then(|()| entry.after?.since(&entry.before?));
                // Some hypervisors let a debug register be set and none be hit.
                let hits = |count: u64| (count > 0).then_some(count).ok_or(Refused::StoodStill);
                let counted = counts.and_then(|counts| hits(counts[0]));
                counted.map_err(Unavailable::from)
            }
        };
        Ok(Heads {
            iterations,
            counted,
        })
    }
}
