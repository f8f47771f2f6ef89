//! Instructions and branches by interpreting the walk, and its branches as a stream.
//!
//! Correct means: before anything is told, the CPU's own first steps and the interpreter's have the
//! same addresses and the same registers from the head of the loop on; a count is over whole
//! iterations, and is that of all there will ever be unless it says of how many.

use super::Count;
use super::flow::Flow;
use super::receivers::{self, Followed, More};
use crate::branch::Branch;
use crate::interpreter::{Cpu, Interpreter, Stop, Tally, Watch};
use crate::job::{CountedBy, Counts, Failure};
use crate::link::Image;
use crate::stage::{Ground, Pulse, Stage, Visits, traps};
use crate::sys::signals::{Step, StepLog};

mod repeat;

/// Steps that are followed at the most to find what decides the path: less than a second.
const FOLLOWED_STEPS: u64 = 1 << 22;
/// Steps of the shortest iteration: the harness's own.
const LEAST_STEPS: u64 = 4;
/// Instructions that an iteration may have on average before a count ends early: a walk of 262,144
/// then takes 17 million, a fifth of a second at the most.
const AVERAGE: u64 = 64;
/// Instructions that any count may take: some thousand iterations of a long chain of comparisons.
const LEAST: u64 = 1 << 20;
/// Instructions that one iteration may take to be counted: some four seconds.
const LONGEST: u64 = 1 << 29;

/// How far to interpret.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// Iterations at the most.
    pub iterations: u64,
    /// Steps of the CPU that have to agree.
    pub verified: u64,
}

/// What to interpret.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Iterations at the most.
    pub iterations: u64,
    /// Instructions that each may have.
    pub longest: u64,
}

/// What was interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interpreted {
    /// Whole iterations.
    pub iterations: u64,
    /// What ran in them.
    pub tally: Tally,
}

/// Counts one iteration, or says why not. Beside a count that is not that of all iterations stands why.
///
/// # Errors
/// What entering says.
pub fn count(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    depth: Depth,
    (first, belief): (&Count, &mut Belief),
) -> Result<Result<(Counts, Option<String>), String>, Failure> {
    if let Err(why) = belief.ask(stage, ground, visits, depth)? {
        return Ok(Err(why));
    }
    let steps = followed_steps(depth);
    let each = (first.instructions + first.harness).max(LEAST_STEPS);
    let limits = ((steps / each).max(1), CountedBy::Interpreter);
    let row = stage.row;
    let told = receivers::count(row, &visits.kinds, limits, |objects| {
        follow(stage, ground, objects, steps)
    })?;
    let more = match told {
        Ok(counts) => return Ok(Ok((counts, None))),
        Err(more) => more,
    };
    let seeks = matches!(more, More::State | More::Unknown);
    let counted = match repeat::count(stage, ground, visits, (depth.iterations, seeks)) {
        Ok(counted) if counted.iterations > 0 => counted,
        Ok(_) => return Ok(Err("not one iteration ended".into())),
        Err(stop) => return Ok(Err(said(&stage.images[0], &stop))),
    };
    let unroll = u64::from(row.copies());
    let copies = (counted.iterations * unroll) as f64;
    let counts = Counts {
        instructions: counted.tally.instructions as f64 / copies,
        branches: counted.tally.branches as f64 / copies,
        stepped: (!counted.is_period).then_some(counted.iterations * unroll),
        by: CountedBy::Interpreter,
    };
    Ok(Ok((counts, (!counted.is_period).then(|| more.reason()))))
}

/// Counts the first iteration of a walk, of a row with a [`Belief`] in it; `None` where it cannot be interpreted to its
/// end.
pub(super) fn count_first(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
) -> Option<Count> {
    let one = Wanted {
        iterations: 1,
        longest: LONGEST,
    };
    let ran = trace(stage, ground, visits, one, &mut |_| {}).ok()?;
    let tally = ran.tally;
    (ran.iterations == 1).then_some(Count {
        instructions: tally.instructions,
        branches: tally.branches,
        harness: tally.harness,
        harness_branches: tally.harness_branches,
    })
}

/// Steps that are followed where so much may be interpreted: fewer where a run is to be quick.
fn followed_steps(depth: Depth) -> u64 {
    most_instructions(depth.iterations).min(FOLLOWED_STEPS)
}

/// Interprets iterations that visit some objects and follows what they do; `None` where they take too many
/// steps, or cannot be interpreted.
fn follow(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    objects: Vec<u32>,
    steps: u64,
) -> Result<Option<Followed>, Failure> {
    let visits = stage.visits(objects)?;
    let image = stage.images[0].clone();
    let stack = (ground.stack().addresses(), ground.frame());
    let flow = Flow::new(&image, stage.row, stack);
    let mut following = Following {
        flow,
        left: 0,
        pulse: ground.pulse(),
    };
    for is_noting in [true, false] {
        if !is_noting {
            following.flow.begin_finding();
        }
        following.left = steps;
        let end = stage.emulate(ground, &visits, visits.len(), |interpreter, cpu, _| {
            interpreter.run(cpu, image.loop_head, image.loop_end, &mut following)
        });
        if end.is_err() {
            return Ok(None);
        }
    }
    let flow = following.flow;
    Ok(Some(Followed {
        counts: flow.counts().to_vec(),
        found: flow.found(),
        reads: flow.reads(),
        lost: None,
    }))
}

/// Hands steps to who follows them.
struct Following<'a> {
    flow: Flow<'a>,
    left: u64,
    pulse: Pulse,
}

impl Watch for Following<'_> {
    const STEPS: bool = true;

    fn step(&mut self, ip: u64, cpu: &Cpu<'_>) -> bool {
        self.flow
            .step(ip, &cpu.registers(), &|address| cpu.word(address));
        self.pulse.beat();
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    fn branch(&mut self, _: Branch) {}
}

/// Whether the interpreter is to be believed of a row; the first who asks holds it against the CPU.
#[derive(Debug, Default)]
pub struct Belief(Option<Result<(), String>>);

impl Belief {
    /// Says why it is not to be believed.
    ///
    /// # Errors
    /// What entering says.
    pub fn ask(
        &mut self,
        stage: &mut Stage<'_>,
        ground: &mut Ground,
        visits: &Visits,
        depth: Depth,
    ) -> Result<Result<(), String>, Failure> {
        let answer = match self.0.take() {
            Some(answer) => answer,
            None => verify(stage, ground, visits, depth)?,
        };
        Ok(self.0.insert(answer).clone())
    }
}

/// Holds the interpreter against the CPU's own first steps. Says why it is not to be believed.
///
/// # Errors
/// What entering says.
fn verify(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    depth: Depth,
) -> Result<Result<(), String>, Failure> {
    // An iteration has more than one step, and what is left of an entry when the log is full runs on.
    let all = match stage.row.has_walk() {
        false => u64::MAX,
        true => visits.len(),
    };
    let iterations = depth.iterations.min(depth.verified).min(all);
    let image = stage.images[0].clone();
    let mut recorded = Recorded {
        states: Vec::new(),
        most: depth.verified as usize,
    };
    let end = stage.emulate(ground, visits, iterations, |interpreter, cpu, _| {
        interpreter.run(cpu, image.loop_head, image.loop_end, &mut recorded)
    });
    let mut log = StepLog::new(depth.verified as usize, traps::look);
    stage.enter_stepping(ground, 0, visits, (0, iterations), &mut log)?;
    stage.rewind(ground, 0);
    let mut expected = native(&image, log.steps());
    // Steps that raised no trap stand in the log beside as many as were asked for.
    expected.truncate(recorded.most);
    let difference = difference(&expected, &recorded.states);
    Ok(match (difference, end) {
        (Ok(()), _) => Ok(()),
        (Err(Difference::At(what)), _) => Err(what),
        (Err(Difference::Short), Err(stop)) => Err(said(&image, &stop)),
        (Err(Difference::Short), Ok(())) => {
            Err("the interpreter left the loop before the CPU did".into())
        }
    })
}

/// Interprets the first iterations of a walk at placement 0 and tells each branch, those of the
/// harness included, as it runs, or says why it cannot. Only of a row with a [`Belief`] in it
/// is that to be believed. Data and stack are left as they were.
pub fn trace(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    wanted: Wanted,
    sink: &mut dyn FnMut(Branch),
) -> Result<Interpreted, String> {
    trace_answered(stage, ground, visits, wanted, sink, &mut |_| {})
}

/// The same, and each access through a nil pointer that goes on elsewhere: the address of the instruction, none of a
/// call through one.
pub fn trace_answered(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    visits: &Visits,
    wanted: Wanted,
    sink: &mut dyn FnMut(Branch),
    answered: &mut dyn FnMut(Option<u64>),
) -> Result<Interpreted, String> {
    let image = stage.images[0].clone();
    let Wanted {
        iterations,
        longest,
    } = wanted;
    let mut told = Told {
        sink,
        answered,
        iterations: 0,
        most: iterations,
        longest,
        most_instructions: most_instructions(iterations),
    };
    let answer = stage.emulate(ground, visits, iterations, |interpreter, cpu, _| {
        interpret(interpreter, cpu, &image, &mut told)
    });
    match answer {
        Ok(tally) => Ok(Interpreted {
            iterations: told.iterations,
            tally,
        }),
        Err(stop) => Err(said(&image, &stop)),
    }
}

/// Instructions that so many iterations may take.
fn most_instructions(iterations: u64) -> u64 {
    iterations.saturating_mul(AVERAGE).max(LEAST)
}

fn interpret(
    interpreter: &mut Interpreter<'_>,
    cpu: &mut Cpu<'_>,
    image: &Image,
    told: &mut Told<'_>,
) -> Result<Tally, Stop> {
    match interpreter.run(cpu, image.loop_head, image.loop_end, told) {
        Ok(()) | Err(Stop::Enough) => Ok(interpreter.tally()),
        Err(stop) => Err(stop),
    }
}

/// Why it stopped, without an address that means nothing to anybody.
fn said(image: &Image, stop: &Stop) -> String {
    let offset = |ip: u64| ip.wrapping_sub(image.site.code);
    match stop {
        Stop::Unknown { ip, mnemonic } => {
            format!(
                "the interpreter does not know `{mnemonic}` (code + {:#x})",
                offset(*ip)
            )
        }
        Stop::Halt { ip, halt } => format!("{halt} (code + {:#x})", offset(*ip)),
        other => other.to_string(),
    }
}

/// The CPU's steps as far as they are the loop's, each address that repeats itself once: a repeated
/// string instruction traps in each of its rounds.
fn native(image: &Image, steps: &[Step]) -> Vec<Step> {
    let mut kept: Vec<Step> = Vec::new();
    let inside = steps.iter().skip_while(|step| step.ip != image.loop_head);
    for step in inside.take_while(|step| step.ip != image.loop_end) {
        if kept.last().is_none_or(|last| last.ip != step.ip) {
            kept.push(*step);
        }
    }
    // The last instruction may have been cut short in its rounds, which shows in nothing here.
    kept
}

/// Counts iterations and passes branches on.
struct Told<'a> {
    sink: &'a mut dyn FnMut(Branch),
    answered: &'a mut dyn FnMut(Option<u64>),
    iterations: u64,
    most: u64,
    longest: u64,
    most_instructions: u64,
}

impl Watch for Told<'_> {
    fn branch(&mut self, branch: Branch) {
        (self.sink)(branch);
    }

    fn answered(&mut self, ip: Option<u64>) {
        (self.answered)(ip);
    }

    fn longest(&self) -> u64 {
        self.longest
    }

    fn turn(&mut self, instructions: u64, _: &Cpu<'_>) -> bool {
        self.iterations += 1;
        self.iterations < self.most && instructions < self.most_instructions
    }
}

/// Where the interpreter was before each instruction, and what its registers held; a repetition of an
/// instruction is none.
struct Recorded {
    states: Vec<(u64, [u64; 16])>,
    most: usize,
}

impl Watch for Recorded {
    const STEPS: bool = true;

    fn step(&mut self, ip: u64, cpu: &Cpu<'_>) -> bool {
        if self.states.last().is_some_and(|(last, _)| *last == ip) {
            return true;
        }
        if self.states.len() == self.most {
            return false;
        }
        self.states.push((ip, cpu.registers()));
        true
    }

    fn branch(&mut self, _: Branch) {}
}

/// How the interpreter's steps differ from the CPU's.
enum Difference {
    /// In a step, and what it is.
    At(String),
    /// They end before the CPU's do.
    Short,
}

/// Holds each step against the CPU's.
fn difference(expected: &[Step], states: &[(u64, [u64; 16])]) -> Result<(), Difference> {
    for (at, (step, (ip, registers))) in expected.iter().zip(states).enumerate() {
        if step.ip != *ip {
            return Err(Difference::At(format!(
                "step {at} of the CPU and of the interpreter are at different instructions"
            )));
        }
        let differs = (0..16).find(|&number| registers[number] != step.registers[number]);
        if let Some(number) = differs {
            let number = number as u8;
            let register = crate::template::ResultRegister { number, bits: 64 };
            return Err(Difference::At(format!(
                "{} differs between the CPU and the interpreter after {at} steps",
                crate::link::harness::register_name(register)
            )));
        }
    }
    if states.len() < expected.len() {
        return Err(Difference::Short);
    }
    Ok(())
}
