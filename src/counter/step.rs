//! Instructions and branches by single-stepping: exact, slow, and needing no counter.
//!
//! Correct means: every executed instruction of the template and of the runtime stubs it calls is
//! counted once, none of the harness is, and a repeated string instruction is one.

use iced_x86::{Decoder, DecoderOptions};

use super::flow::Flow;
use super::interpreter::{self, Belief, Depth};
use super::receivers::{self, Followed, More};
use super::{Count, CounterSource, Reading};
use crate::branch::BranchKind;
use crate::job::{CountedBy, Counts, Failure, Plan};
use crate::link::{ByAddress, Image, Owner};
use crate::stage::{Ground, Request, Stage, Visits, traps};
use crate::sys::signals::StepLog;

/// Steps that a count of each receiver may take, each way, for each step that the interpreter is verified
/// by: 6000, or 30 ms where a step takes 5 µs, and 600 where a run is to be quick. Verified, the
/// interpreter does the same in less.
const STEPS_PER_VERIFIED: u64 = 3;

/// The single-stepping source, with room for so many steps an entry.
#[derive(Debug)]
pub struct StepSource {
    log: StepLog,
    depth: Depth,
}

impl StepSource {
    /// A source whose entries end after as many steps as the plan says.
    pub fn new(plan: &Plan) -> StepSource {
        StepSource {
            log: StepLog::new(plan.step_budget as usize, traps::look),
            depth: Depth {
                iterations: plan.interpreted,
                verified: plan.verified,
            },
        }
    }

    /// How far the interpreter may go.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// The log, for looking at single steps.
    pub fn log(&mut self) -> &mut StepLog {
        &mut self.log
    }
}

impl CounterSource for StepSource {
    fn read(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        request: Request<'_>,
    ) -> Result<Reading, Failure> {
        let span = (request.element, request.iterations);
        let exit =
            stage.enter_stepping(ground, request.image, request.visits, span, &mut self.log)?;
        let addresses = self.log.steps().iter().map(|step| step.ip);
        let iterations = count_iterations(&stage.images[request.image], addresses);
        Ok(Reading {
            exit,
            iterations,
            ..Reading::default()
        })
    }
}

/// Counts each iteration of a trace that comes step by step. What stands in front of the first loop head is
/// entry and setup, what follows the last iteration is the exit: neither belongs to one, and the exit is
/// the harness's own. A body that begins at the loop head and jumps back to its own first instruction begins
/// no other iteration: that takes the end of the body first.
#[derive(Debug)]
pub(super) struct Iterations<'a> {
    image: &'a Image,
    /// By address: whether it is a branch, and whose it is.
    known: ByAddress<(bool, Whose)>,
    counts: Vec<Count>,
    before: Option<u64>,
    is_between: bool,
}

/// Whose an instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Template,
    Harness,
    Nobody,
}

impl<'a> Iterations<'a> {
    pub(super) fn new(image: &'a Image) -> Iterations<'a> {
        Iterations {
            image,
            known: ByAddress::default(),
            counts: Vec::new(),
            before: None,
            is_between: true,
        }
    }

    pub(super) fn counts(&self) -> &[Count] {
        &self.counts
    }

    pub(super) fn see(&mut self, address: u64) {
        let is_repeat = self.before.replace(address) == Some(address);
        if address == self.image.loop_head && self.is_between {
            self.counts.push(Count::default());
            self.is_between = false;
        }
        self.is_between |= address == self.image.body.end;
        let Some(count) = self.counts.last_mut() else {
            return;
        };
        let image = self.image;
        let known = self.known.entry(address).or_insert_with(|| {
            let owner = image.owner(address).map(|piece| &piece.owner);
            let whose = match owner {
                Some(Owner::Section(_) | Owner::Stub(_)) => Whose::Template,
                Some(Owner::Harness) => Whose::Harness,
                None => Whose::Nobody,
            };
            (whose != Whose::Nobody && is_branch(image, address), whose)
        });
        let branches = u64::from(known.0);
        match known.1 {
            // A branch to itself is one each time.
            Whose::Template if branches == 1 || !is_repeat => {
                count.instructions += 1;
                count.branches += branches;
            }
            Whose::Harness => {
                count.harness += 1;
                count.harness_branches += branches;
            }
            _ => {}
        }
    }
}

/// Cuts a trace at the loop head and counts each iteration.
pub fn count_iterations(image: &Image, addresses: impl Iterator<Item = u64>) -> Vec<Count> {
    let mut iterations = Iterations::new(image);
    addresses.for_each(|address| iterations.see(address));
    iterations.counts
}

fn is_branch(image: &Image, address: u64) -> bool {
    let bytes = &image.code[(address - image.site.code) as usize..];
    let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
    BranchKind::of(instruction.flow_control()).is_some()
}

/// Counts one iteration of a row, of which the first was counted before.
///
/// Where the path depends on the receiver alone, an iteration of each distinct receiver is stepped and weighted
/// by how often the walk visits it: exact for the whole walk, and for all that comes behind it. Where more
/// decides, or that would take too many steps, the loop is interpreted. Where that cannot be done either, the
/// first iterations are stepped. Where a count is not that of all iterations it says of how many it is, and
/// beside it stands why. `None` where the first one alone takes more steps than the log has room for.
///
/// # Errors
/// What entering says.
pub fn count(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut StepSource,
    (first, belief): (&Count, &mut Belief),
) -> Result<(Option<Counts>, Option<String>), Failure> {
    if stage.row.has_walk()
        && let Ok(counts) = count_receivers(stage, ground, visits, source, first)?
    {
        return Ok((Some(counts), None));
    }
    match interpreter::count(stage, ground, visits, source.depth, (first, belief))? {
        Ok((counts, why)) => Ok((Some(counts), why)),
        Err(why) => Ok(match count_prefix(stage, ground, visits, source)? {
            Ok(Some(counts)) if counts.stepped.is_none() => (Some(counts), None),
            Ok(Some(counts)) => (Some(counts), Some(format!("not interpreted: {why}"))),
            Ok(None) => (None, None),
            Err(lost) => (None, Some(format!("single steps lose {lost}"))),
        }),
    }
}

fn count_receivers(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut StepSource,
    first: &Count,
) -> Result<Result<Counts, More>, Failure> {
    /// No iteration has fewer steps: they are the harness's own.
    const FEWEST: u64 = 8;
    let most = source.depth.verified * STEPS_PER_VERIFIED;
    let steps = (first.instructions + first.harness).max(FEWEST);
    let row = stage.row;
    let limits = (most / steps, CountedBy::Step);
    receivers::count(row, &visits.kinds, limits, |objects| {
        let visits = stage.visits(objects)?;
        if visits.len() * steps > most {
            return Ok(None);
        }
        follow(stage, ground, &visits, visits.len(), source)
    })
}

/// Steps so many iterations in one entry and follows what they do; `None` where the log has no room for all.
fn follow(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    iterations: u64,
    source: &mut StepSource,
) -> Result<Option<Followed>, Failure> {
    let image = stage.images[0].clone();
    let stack = (ground.stack().addresses(), ground.frame());
    let log = source.log();
    stage.rewind(ground, 0);
    let exit = stage.enter_stepping(ground, 0, visits, (0, iterations), log)?;
    let mut flow = Flow::new(&image, stage.row, stack);
    let peek = |address| stage.word(address);
    for is_noting in [true, false] {
        if !is_noting {
            flow.begin_finding();
        }
        for step in log.steps() {
            flow.step(step.ip, &step.registers, &peek);
        }
    }
    let mut counts = flow.counts().to_vec();
    if exit.is_none() {
        counts.pop();
    }
    let is_nested = log.steps().iter().any(|step| step.flags & NESTED_TASK != 0);
    let lost = match () {
        () if is_nested => Some("the nested-task flag, which the code sets"),
        () if flow.keeps_selector() => {
            Some("the low bits of a null selector, and the code loads one")
        }
        () => None,
    };
    let followed = Followed {
        counts,
        found: flow.found(),
        reads: flow.reads(),
        lost,
    };
    stage.rewind(ground, 0);
    Ok(Some(followed).filter(|followed| exit.is_some() || !followed.counts.is_empty()))
}

/// The nested-task flag: the kernel clears it where a step is trapped, and does not set it again
/// (arch/x86/kernel/signal_64.c, FIX_EFLAGS).
const NESTED_TASK: u64 = 1 << 14;

fn count_prefix(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut StepSource,
) -> Result<Result<Option<Counts>, &'static str>, Failure> {
    const PREFIX: u64 = 64;
    let has_walk = stage.row.has_walk();
    let iterations = if has_walk {
        PREFIX.min(visits.len())
    } else {
        PREFIX
    };
    let Some(followed) = follow(stage, ground, visits, iterations, source)? else {
        return Ok(Ok(None));
    };
    if let Some(lost) = followed.lost {
        return Ok(Err(lost));
    }
    let counted = &followed.counts;
    // All frames are among them, and there is no receiver that is not.
    let is_same = counted.iter().all(|count| {
        (count.instructions, count.branches) == (counted[0].instructions, counted[0].branches)
    });
    let is_all = !has_walk && is_same && followed.is_of_all();
    let unroll = f64::from(stage.row.copies());
    let mean = |of: fn(&Count) -> u64| {
        counted.iter().map(of).sum::<u64>() as f64 / counted.len() as f64 / unroll
    };
    Ok(Ok(Some(Counts {
        instructions: mean(|count| count.instructions),
        branches: mean(|count| count.branches),
        stepped: (!is_all).then_some(counted.len() as u64 * u64::from(stage.row.copies())),
        by: CountedBy::Step,
    })))
}

/// Counts the first iteration of a row: interpreted, where the interpreter is to be believed, for a step of the CPU takes
/// as long as a thousand of its own.
///
/// # Errors
/// What entering says.
pub fn count_first(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    (source, belief): (&mut StepSource, &mut Belief),
) -> Result<Count, Failure> {
    if belief.ask(stage, ground, visits, source.depth)?.is_ok()
        && let Some(first) = interpreter::count_first(stage, ground, visits)
    {
        return Ok(first);
    }
    count_one(stage, ground, 0, visits, source)
}

/// Steps one iteration of an image, on the walk's first object, up to the jump that ends it.
///
/// # Errors
/// What entering says.
pub fn count_one(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    image: usize,
    visits: &Visits,
    source: &mut StepSource,
) -> Result<Count, Failure> {
    let twice = stage.visits(vec![visits.kinds[0]; 2])?;
    let request = Request {
        image,
        visits: &twice,
        element: 0,
        iterations: 2,
    };
    stage.rewind(ground, image);
    let last = stage.images[image].loop_branch;
    source.log.stop_at(Some(last));
    let reading = source.read(stage, ground, request);
    source.log.stop_at(None);
    stage.rewind(ground, image);
    Ok(reading?.iterations.first().copied().unwrap_or_default())
}

/// Instructions and branches of the harness in one iteration, of one that was stepped with so many copies of the
/// body in it.
pub fn harness_of(count: &Count, unroll: u32) -> Counts {
    let unroll = f64::from(unroll);
    Counts {
        instructions: count.harness as f64 / unroll,
        branches: count.harness_branches as f64 / unroll,
        stepped: None,
        by: CountedBy::Step,
    }
}
