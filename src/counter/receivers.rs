//! The counts of a walk, from one iteration of each of its receivers.
//!
//! Correct means: there are such counts only where the receiver alone decides the path of each iteration, so
//! that they are those of the whole walk, whatever ran before it and however often it is gone through.

use iced_x86::Mnemonic;

use super::Count;
use super::flow::Made;
use crate::job::{CountedBy, Counts, Failure, JobRow};
use crate::link::frame::FRAMES;
use crate::template::Clobbers;

/// Iterations that were followed.
#[derive(Debug)]
pub(super) struct Followed {
    /// What each took.
    pub(super) counts: Vec<Count>,
    /// What decides beside the receivers.
    pub(super) found: Made,
    /// The instruction that reads what differs between runs, where there is one.
    pub(super) reads: Option<Mnemonic>,
    /// What was lost on the way that the timed code keeps, so that it may have taken another path.
    pub(super) lost: Option<&'static str>,
}

impl Followed {
    /// Whether nothing but receivers and frames decides.
    pub(super) fn is_of_all(&self) -> bool {
        !self
            .found
            .has(Made::STATE | Made::LOOP | Made::PLACE | Made::MACHINE)
    }
}

/// What decides beside the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// What iterations leave behind.
    State,
    /// What the loop around the body counts with: its cursor, its sum, or the flags of those.
    Loop,
    /// It is not known what: there are too many receivers, or their iterations are too long.
    Unknown,
    /// An address.
    Place,
    /// What an instruction reads of the machine.
    Machine(Mnemonic),
}

impl More {
    /// The reason why a count is that of the iterations that were counted, and of no others.
    pub(super) fn reason(self) -> String {
        match self {
            More::State => "what iterations leave behind decides the path of later ones".into(),
            More::Loop => {
                "the path hangs on what the loop around the body counts with, or on its flags"
                    .into()
            }
            More::Unknown => "it takes too many steps to find what decides the path".into(),
            More::Place => {
                "an address decides the path, and differs between placements and runs".into()
            }
            More::Machine(mnemonic) => {
                let name = format!("{mnemonic:?}").to_lowercase();
                format!("`{name}` reads what differs from run to run")
            }
        }
    }
}

/// Counts a walk, or says what else decides, by what `follow` says of the iterations that visit some objects, in order, from frame 0 on;
/// it says nothing where they are too long. No more than `most` objects are followed at once.
///
/// # Errors
/// What following says.
pub(super) fn count(
    row: &JobRow,
    objects: &[u32],
    (most, by): (u64, CountedBy),
    mut follow: impl FnMut(Vec<u32>) -> Result<Option<Followed>, Failure>,
) -> Result<Result<Counts, More>, Failure> {
    let unknown = Ok(Err(More::Unknown));
    let one = [0];
    let objects = match row.has_walk() {
        false => &one,
        true => objects,
    };
    let Some(histogram) = histogram(objects, most) else {
        return unknown;
    };
    let distinct: Vec<u32> = histogram.iter().map(|(object, _)| *object).collect();
    let Some(followed) = follow(distinct.clone())? else {
        return unknown;
    };
    if followed.lost.is_some() {
        return unknown;
    }
    let (mut counts, mut found) = (followed.counts, followed.found);
    if found == Made::FRAME && row.clobbers == Clobbers::All {
        // Each receiver in each of the frames that take turns.
        let frames = FRAMES as usize;
        let each = distinct.iter().flat_map(|object| vec![*object; frames]);
        let Some(again) = follow(each.collect())? else {
            return unknown;
        };
        found |= again.found;
        counts = again
            .counts
            .chunks(frames)
            .map(|counts| counts[0])
            .collect();
        let own = |count: &Count| [count.instructions, count.branches];
        let is_same = |counts: &[Count]| counts.iter().all(|one| own(one) == own(&counts[0]));
        if !again.counts.chunks(frames).all(is_same) {
            return Ok(Err(More::State));
        }
    }
    if let Some(mnemonic) = followed.reads {
        return Ok(Err(More::Machine(mnemonic)));
    }
    if found.has(Made::LOOP) {
        return Ok(Err(More::Loop));
    }
    if found.has(Made::STATE | Made::MACHINE) {
        return Ok(Err(More::State));
    }
    if counts.len() != distinct.len() {
        return unknown;
    }
    if found.has(Made::PLACE) {
        return Ok(Err(More::Place));
    }
    let visits = objects.len() as u64;
    let mean = |of: fn(&Count) -> u64| {
        let weighted = histogram
            .iter()
            .zip(&counts)
            .map(|((_, times), count)| times * of(count));
        weighted.sum::<u64>() as f64 / (visits * u64::from(row.copies())) as f64
    };
    Ok(Ok(Counts {
        instructions: mean(|count| count.instructions),
        branches: mean(|count| count.branches),
        stepped: None,
        by,
    }))
}

/// How often each object is visited, in the order of their numbers; `None` where there are more than `most`.
fn histogram(objects: &[u32], most: u64) -> Option<Vec<(u32, u64)>> {
    // Numbers are small: a walk over 2^21 objects is counted in milliseconds so, and in 0.4 s in a tree.
    let numbers = objects.iter().max().map_or(0, |last| *last as usize + 1);
    let mut times = vec![0u64; numbers];
    let mut distinct = 0;
    for &object in objects {
        let times = &mut times[object as usize];
        distinct += u64::from(*times == 0);
        *times += 1;
        if distinct > most {
            return None;
        }
    }
    let visited = (0..).zip(times).filter(|(_, times)| *times > 0);
    Some(visited.collect())
}
