//! Instructions and branches by single-stepping: exact, slow, and needing no counter.
//!
//! Correct means: every executed instruction of the template and of the runtime stubs it calls is
//! counted once, none of the harness is, and a repeated string instruction is one.

use std::collections::{BTreeMap, HashMap};

use iced_x86::{Decoder, DecoderOptions, FlowControl};

use super::carry::Carry;
use super::interpreter::{self, Depth};
use super::{Count, CounterSource, Reading, Request};
use crate::job::{CountedBy, Counts, Failure, Plan};
use crate::link::{Image, Owner};
use crate::report::Basis;
use crate::sys::signals::StepLog;
use crate::template::HeapKind;
use crate::worker::stage::{Ground, Stage, Visits};
use crate::worker::traps;

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
    fn name(&self) -> &'static str {
        "step"
    }

    fn basis(&self) -> Basis {
        Basis::Exact
    }

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

/// Cuts a trace at the loop head and counts each iteration. What stands in front of the first loop
/// head is entry and setup, what follows the last iteration is the exit: neither belongs to one,
/// and the exit is the harness's own. A body that begins at the loop head and jumps back to its own
/// first instruction begins no other iteration: that takes the end of the body first.
pub fn count_iterations(image: &Image, addresses: impl Iterator<Item = u64>) -> Vec<Count> {
    let mut known = HashMap::new();
    let mut is_branch = |address| {
        u64::from(
            *known
                .entry(address)
                .or_insert_with(|| is_branch(image, address)),
        )
    };
    let mut counts: Vec<Count> = Vec::new();
    let mut before = None;
    let mut is_between = true;
    for address in addresses {
        let is_repeat = before.replace(address) == Some(address);
        if address == image.loop_head && is_between {
            counts.push(Count::default());
            is_between = false;
        }
        is_between |= address == image.body.end;
        let Some(count) = counts.last_mut() else {
            continue;
        };
        match image.owner(address).map(|piece| &piece.owner) {
            Some(Owner::Section(_) | Owner::Stub(_)) => {
                let branches = is_branch(address);
                // A branch to itself is one each time.
                if branches == 1 || !is_repeat {
                    count.instructions += 1;
                    count.branches += branches;
                }
            }
            Some(Owner::Harness) => {
                count.harness += 1;
                count.harness_branches += is_branch(address);
            }
            _ => {}
        }
    }
    counts
}

fn is_branch(image: &Image, address: u64) -> bool {
    let bytes = &image.code[(address - image.site.code) as usize..];
    let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
    matches!(
        instruction.flow_control(),
        FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::ConditionalBranch
            | FlowControl::Return
            | FlowControl::Call
            | FlowControl::IndirectCall
    )
}

/// Counts one iteration of a row.
///
/// Where the path depends on the receiver alone, each distinct receiver's iteration is stepped
/// twice, in opposite orders, and weighted by how often the walk visits it: exact for the whole
/// walk. Where the two differ, or that would take too many steps, the walk is interpreted. Where that
/// cannot be done either, the first iterations are stepped, the count says how many, and beside it
/// stands why. `None` where the first one alone takes more steps than the log has room for.
///
/// # Errors
/// What entering says.
pub fn count(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut StepSource,
) -> Result<(Option<Counts>, Option<String>), Failure> {
    if stage.row.heap.kind != HeapKind::None
        && let Some(counts) = count_receivers(stage, ground, visits, source)?
    {
        return Ok((Some(counts), None));
    }
    match interpreter::count(stage, ground, visits, source.depth)? {
        Ok(counts) => Ok((Some(counts), None)),
        Err(why) => Ok((count_prefix(stage, ground, visits, source)?, Some(why))),
    }
}

fn count_receivers(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut StepSource,
) -> Result<Option<Counts>, Failure> {
    let most = source.depth.verified * STEPS_PER_VERIFIED;
    let mut histogram: BTreeMap<u32, u64> = BTreeMap::new();
    for &object in &visits.objects {
        *histogram.entry(object).or_default() += 1;
        // No iteration has fewer steps than the harness's own.
        if histogram.len() as u64 * 8 > most {
            return Ok(None);
        }
    }
    let distinct: Vec<u32> = histogram.keys().copied().collect();
    let first = first_of_two(stage, ground, distinct[0], (0, source))?;
    let steps = first.instructions + first.harness;
    if steps == 0 || steps * distinct.len() as u64 > most {
        return Ok(None);
    }
    let back: Vec<u32> = distinct.iter().rev().copied().collect();
    stage.rewind(ground, 0);
    let (distinct, back) = (stage.visits(distinct)?, stage.visits(back)?);
    let Some(there) = count_each(stage, ground, (None, &distinct), (most, source))? else {
        return Ok(None);
    };
    let between = stage.digest(ground);
    let Some(again) = count_each(stage, ground, (Some(&distinct), &back), (most, source))? else {
        return Ok(None);
    };
    // What an iteration leaves behind may lead a later one elsewhere, however rarely.
    let leaves_traces = stage.digest(ground) != between;
    if leaves_traces || there.1 || again.1 || !there.0.iter().eq(again.0.iter().rev()) {
        return Ok(None);
    }
    let there = there.0;
    stage.rewind(ground, 0);
    let mean = |of: fn(&Count) -> u64| {
        let times = histogram.values();
        let weighted = times.zip(&there).map(|(times, count)| times * of(count));
        weighted.sum::<u64>() as f64 / visits.len() as f64
    };
    Ok(Some(Counts {
        instructions: mean(|count| count.instructions),
        branches: mean(|count| count.branches),
        stepped: None,
        by: CountedBy::Step,
    }))
}

/// Steps one iteration of each visit, in order, in as many entries as the log asks for, and tells
/// whether one took anything over from another. `None` where that takes more steps than a count may.
/// `before` is what has run since the setup.
fn count_each(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    (before, visits): (Option<&Visits>, &Visits),
    (most, source): (u64, &mut StepSource),
) -> Result<Option<(Vec<Count>, bool)>, Failure> {
    let image = stage.images[0].clone();
    let mut carry = Carry::new(&image, stage.row.heap.kind);
    let mut counts: Vec<Count> = Vec::new();
    let mut steps = 0;
    while (counts.len() as u64) < visits.len() {
        let element = counts.len() as u64;
        let request = Request {
            image: 0,
            visits,
            element,
            iterations: visits.len() - element,
        };
        let reading = source.read(stage, ground, request)?;
        let mut counted = reading.iterations;
        if reading.exit.is_none() {
            // The log filled up inside the last of them. What was whole runs again, from the setup on.
            counted.pop();
            if let Some(before) = before {
                stage.enter(ground, 0, before, 0, before.len())?;
            }
            let whole = element + counted.len() as u64;
            stage.enter(ground, 0, visits, 0, whole)?;
        }
        steps += source.log.steps().len() as u64;
        carry.follow(source.log.steps().iter().map(|step| step.ip));
        if counted.is_empty() || steps > 2 * most {
            return Ok(None);
        }
        // The harness's own steps differ in the last iteration of an entry, which runs on.
        counts.extend(counted.into_iter().map(|count| Count {
            harness: 0,
            harness_branches: 0,
            ..count
        }));
    }
    Ok(Some((counts, carry.is_found())))
}

fn count_prefix(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    source: &mut StepSource,
) -> Result<Option<Counts>, Failure> {
    const PREFIX: u64 = 64;
    let iterations = if stage.row.heap.kind == HeapKind::None {
        PREFIX
    } else {
        PREFIX.min(visits.len())
    };
    let request = Request {
        image: 0,
        visits,
        element: 0,
        iterations,
    };
    stage.rewind(ground, 0);
    let reading = source.read(stage, ground, request)?;
    stage.rewind(ground, 0);
    let mut counted = reading.iterations;
    if reading.exit.is_none() {
        // The log filled up inside the last iteration.
        counted.pop();
    }
    if counted.is_empty() {
        return Ok(None);
    }
    let unroll = f64::from(stage.row.unroll);
    let mean = |of: fn(&Count) -> u64| {
        counted.iter().map(of).sum::<u64>() as f64 / counted.len() as f64 / unroll
    };
    Ok(Some(Counts {
        instructions: mean(|count| count.instructions),
        branches: mean(|count| count.branches),
        stepped: Some(counted.len() as u64 * u64::from(stage.row.unroll)),
        by: CountedBy::Step,
    }))
}

/// Instructions and branches of the harness in one iteration of an image.
///
/// # Errors
/// What entering says.
pub fn count_harness(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    image: usize,
    visits: &Visits,
    source: &mut StepSource,
) -> Result<Counts, Failure> {
    let first = first_of_two(stage, ground, visits.objects[0], (image, source))?;
    let unroll = f64::from(stage.row.unroll);
    Ok(Counts {
        instructions: first.harness as f64 / unroll,
        branches: first.harness_branches as f64 / unroll,
        stepped: None,
        by: CountedBy::Step,
    })
}

/// Steps one iteration of an object: the first of two, because the last one runs on into the exit.
fn first_of_two(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    object: u32,
    (image, source): (usize, &mut StepSource),
) -> Result<Count, Failure> {
    let twice = stage.visits(vec![object; 2])?;
    let request = Request {
        image,
        visits: &twice,
        element: 0,
        iterations: 2,
    };
    stage.rewind(ground, image);
    let reading = source.read(stage, ground, request)?;
    stage.rewind(ground, image);
    Ok(reading.iterations.first().copied().unwrap_or_default())
}
