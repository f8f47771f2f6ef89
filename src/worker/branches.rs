//! The branches of a row: interpreted, or by single-stepping where the interpreter cannot tell them.
//!
//! Correct means: of whole iterations, each executed branch is told once and in order, the loop's own
//! included; addresses count from the start of the code, so that a trace is the same wherever the code
//! stands.

use iced_x86::{Decoder, DecoderOptions};

use crate::branch::{Branch, BranchKind};
use crate::counter::interpreter::{self, Belief, Wanted};
use crate::counter::step::StepSource;
use crate::job::Failure;
use crate::link::{ByAddress, Image};
use crate::stage::{Ground, Stage, Visits};
use crate::sys::signals::{Step, StepLog};

/// Steps that a trace may take: about two seconds where a step takes 10 µs.
pub const MOST_STEPS: u64 = 200_000;

/// Instructions of an iteration that is interpreted at all: a tenth of a second.
const LONGEST: u64 = 1 << 24;
/// Iterations that are stepped where the interpreter cannot follow.
const STEPPED: u64 = 64;

/// Who hears of the branches of a row's first iterations.
pub(super) trait Hears {
    /// They are told from the first one on: what was heard before is of no use.
    fn begin(&mut self);
    /// The next one.
    fn hear(&mut self, branch: &Branch);
}

/// Tells all of them the branches of so many iterations, which are interpreted once for all, or of a few that are
/// stepped. The answer is where accesses through nil pointers went on elsewhere, in order: the instruction's offset,
/// none of a call through one.
///
/// # Errors
/// What entering says.
pub(super) fn tell(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    (iterations, steps, belief): (u64, &mut StepSource, &mut Belief),
    hearers: &mut [&mut dyn Hears],
) -> Result<Vec<Option<u64>>, Failure> {
    let base = stage.images[0].site.code;
    if belief.ask(stage, ground, visits, steps.depth())?.is_ok() {
        let wanted = Wanted {
            iterations,
            longest: LONGEST,
        };
        let mut nil = Vec::new();
        hearers.iter_mut().for_each(|one| one.begin());
        let told = interpreter::trace_answered(
            stage,
            ground,
            visits,
            wanted,
            &mut |branch| {
                let branch = Branch {
                    ip: branch.ip - base,
                    target: branch.target.wrapping_sub(base),
                    ..branch
                };
                hearers.iter_mut().for_each(|one| one.hear(&branch));
            },
            &mut |ip| nil.push(ip.map(|ip| ip - base)),
        );
        if told.is_ok() {
            return Ok(nil);
        }
    }
    hearers.iter_mut().for_each(|one| one.begin());
    let turns = iterations.min(STEPPED);
    trace(stage, ground, visits, turns, steps.log(), &mut |branch| {
        hearers.iter_mut().for_each(|one| one.hear(&branch));
    })?;
    Ok(Vec::new())
}

/// Tells the branches of so many turns of the loop from the start of the walk, and over it again where it
/// is shorter. The answer is how many turns that were: fewer where they take too many steps.
///
/// # Errors
/// What entering says.
pub fn trace(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    turns: u64,
    log: &mut StepLog,
    tell: &mut dyn FnMut(Branch),
) -> Result<u64, Failure> {
    let image = stage.images[0].clone();
    let mut branches = Branches {
        image: &image,
        known: ByAddress::default(),
    };
    let (mut done, mut steps) = (0, 0);
    stage.rewind(ground, 0);
    // Twice as many as were planned for, because iterations differ.
    while done < turns && steps < 2 * MOST_STEPS {
        let mut span = (0, turns - done);
        if stage.row.has_walk() {
            span.0 = done % visits.len();
            span.1 = span.1.min(visits.len() - span.0);
        }
        let exit = stage.enter_stepping(ground, 0, visits, span, log)?;
        let logged = log.steps();
        let starts = starts(&image, logged);
        // An entry that was cut short ends inside a turn, which the next one begins with.
        let whole = starts.len() - usize::from(exit.is_none() && !starts.is_empty());
        let end = starts.get(whole).copied().unwrap_or(logged.len());
        let Some(&start) = starts.first().filter(|_| whole > 0) else {
            break;
        };
        // One step more: it says where the last branch went.
        branches.tell(&logged[start..(end + 1).min(logged.len())], tell);
        done += whole as u64;
        steps += logged.len() as u64;
        if exit.is_none() {
            // It was undone, and its whole turns run again without steps.
            advance(stage, ground, visits, done)?;
        }
    }
    stage.rewind(ground, 0);
    Ok(done)
}

/// Runs so many turns from where an image is, from the walk's start and over it again.
fn advance(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    mut turns: u64,
) -> Result<(), Failure> {
    let most = match stage.row.has_walk() {
        false => turns,
        true => visits.len(),
    };
    while turns > 0 {
        let part = turns.min(most);
        stage.enter(ground, 0, visits, 0, part)?;
        turns -= part;
    }
    Ok(())
}

/// Whether a branch is the one that ends a turn of the loop.
pub fn ends_turn(image: &Image, branch: &Branch) -> bool {
    branch.kind == BranchKind::Conditional
        && branch.target == image.loop_head - image.site.code
        && branch.ip >= image.body.end - image.site.code
}

/// The steps at the head of the loop that begin a turn. A body that begins there and jumps back to its
/// own first instruction begins no other turn: that takes the end of the body first.
fn starts(image: &Image, steps: &[Step]) -> Vec<usize> {
    let mut is_between = true;
    let mut starts = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        if step.ip == image.loop_head && is_between {
            starts.push(at);
            is_between = false;
        }
        is_between |= step.ip == image.body.end;
    }
    starts
}

struct Branches<'a> {
    image: &'a Image,
    known: ByAddress<Option<Decoded>>,
}

/// What is known of a branch before it runs.
#[derive(Debug, Clone, Copy)]
struct Decoded {
    kind: BranchKind,
    next: u64,
    /// Where a conditional one goes when it is taken.
    target: u64,
}

impl Branches<'_> {
    /// Tells the branches among some steps, up to the one that leaves the loop.
    fn tell(&mut self, steps: &[Step], tell: &mut dyn FnMut(Branch)) {
        let base = self.image.site.code;
        for pair in steps.windows(2) {
            let (ip, went) = (pair[0].ip, pair[1].ip);
            let image = self.image;
            let Some(decoded) = *self.known.entry(ip).or_insert_with(|| decode(image, ip)) else {
                continue;
            };
            let is_conditional = decoded.kind == BranchKind::Conditional;
            let branch = Branch {
                ip: ip - base,
                kind: decoded.kind,
                taken: !is_conditional || went != decoded.next,
                target: if is_conditional { decoded.target } else { went }.wrapping_sub(base),
            };
            tell(branch);
            if ends_turn(image, &branch) && !branch.taken {
                break;
            }
        }
    }
}

fn decode(image: &Image, ip: u64) -> Option<Decoded> {
    image.owner(ip)?;
    let bytes = &image.code[(ip - image.site.code) as usize..];
    let instruction = Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE).decode();
    Some(Decoded {
        kind: BranchKind::of(instruction.flow_control())?,
        next: instruction.next_ip(),
        target: instruction.near_branch_target(),
    })
}
