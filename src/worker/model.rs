//! A row's branches, shown to the models of predictors.
//!
//! Correct means: the first quarter of the iterations is learnt from and not counted, and misses are
//! those of the template's branches and of what it calls; the harness's are part of what is learnt only.

use super::branches::{self, MOST_STEPS};
use crate::branch::Branch;
use crate::counter::interpreter::{self, Belief, Depth, Wanted};
use crate::counter::step::StepSource;
use crate::job::{CountedBy, Failure, PredictedSite, Prediction};
use crate::link::{Image, Owner};
use crate::predict::Tally;
use crate::stage::{Ground, Stage, Visits};

/// One in so many iterations warms the models up.
const WARM_UP: u64 = 4;
/// Iterations that say how many instructions or steps one takes.
const SIZING: u64 = 64;
/// Instructions that the interpreter may run for the models: less than a tenth of a second.
const MOST_INSTRUCTIONS: u64 = 4_000_000;

/// Runs the models over as many iterations as are wanted and can be had: interpreted, or, where the
/// interpreter cannot, single-stepped, which is far fewer.
///
/// # Errors
/// What entering says, and where not even a few iterations can be traced.
pub fn model(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    seed: u64,
    wanted: u64,
    steps: &mut StepSource,
) -> Result<Prediction, Failure> {
    let depth = steps.depth();
    match interpreted(stage, ground, seed, (wanted, depth, &mut Belief::default()))? {
        Ok(prediction) => Ok(prediction),
        Err(_) => stepped(stage, ground, seed, wanted, steps),
    }
}

/// The same where the interpreter can, or why it cannot.
///
/// # Errors
/// What entering says.
pub fn interpreted(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    seed: u64,
    (wanted, depth, belief): (u64, Depth, &mut Belief),
) -> Result<Result<Prediction, String>, Failure> {
    // The walk has as many elements as are traced, so that a sorted one is traced to its end.
    let visits = stage.walk(wanted, seed)?;
    if let Err(why) = belief.ask(stage, ground, &visits, depth)? {
        return Ok(Err(why));
    }
    let sizing = SIZING.min(limit(stage, &visits));
    let few = |iterations: u64| Wanted {
        iterations,
        longest: MOST_INSTRUCTIONS,
    };
    let sized = match interpreter::trace(stage, ground, &visits, few(sizing), &mut |_| {}) {
        Ok(sized) if sized.iterations > 0 => sized,
        Ok(_) => return Ok(Err("not one iteration ended".into())),
        Err(why) => return Ok(Err(why)),
    };
    let each = (sized.tally.instructions + sized.tally.harness) / sized.iterations;
    let turns = wanted.min(MOST_INSTRUCTIONS / each.max(1)).max(1);
    let visits = stage.walk(turns, seed)?;
    let turns = turns.min(limit(stage, &visits));
    let image = stage.images[0].clone();
    let mut shown = Shown::new(&image, turns);
    let base = image.site.code;
    let traced = interpreter::trace(stage, ground, &visits, few(turns), &mut |branch| {
        shown.see(&Branch {
            ip: branch.ip - base,
            target: branch.target.wrapping_sub(base),
            ..branch
        });
    });
    let unroll = u64::from(stage.row.copies());
    Ok(traced.map(|traced| shown.prediction(CountedBy::Interpreter, traced.iterations, unroll)))
}

/// Iterations from the first element of a walk to its end.
fn limit(stage: &Stage<'_>, visits: &Visits) -> u64 {
    match stage.row.has_walk() {
        false => u64::MAX,
        true => visits.len(),
    }
}

fn stepped(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    seed: u64,
    wanted: u64,
    steps: &mut StepSource,
) -> Result<Prediction, Failure> {
    let turns = fitting(stage, ground, seed, wanted, steps)?;
    let visits = stage.walk(turns, seed)?;
    let image = stage.images[0].clone();
    let mut shown = Shown::new(&image, turns);
    let log = steps.log();
    let traced = branches::trace(stage, ground, &visits, turns, log, &mut |branch| {
        shown.see(&branch);
    })?;
    Ok(shown.prediction(CountedBy::Step, traced, u64::from(stage.row.copies())))
}

/// How many turns the steps are enough for.
fn fitting(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    seed: u64,
    wanted: u64,
    steps: &mut StepSource,
) -> Result<u64, Failure> {
    let visits = stage.walk(SIZING, seed)?;
    let log = steps.log();
    let traced = branches::trace(stage, ground, &visits, SIZING, log, &mut |_| {})?;
    if traced == 0 {
        return Err(Failure::Worker(
            "one iteration takes more steps than a trace of its branches may".into(),
        ));
    }
    // What the last entry took is an upper bound where one was enough, as nearly always.
    let each = (log.steps().len() as u64 / traced).max(1);
    Ok(wanted.min(MOST_STEPS / each).max(1))
}

/// Models that learn from the first turns, and are counted in those behind them.
struct Shown<'a> {
    image: &'a Image,
    tally: Tally,
    turn: u64,
    warm_up: u64,
}

impl<'a> Shown<'a> {
    fn new(image: &'a Image, turns: u64) -> Shown<'a> {
        let mut tally = Tally::new();
        let warm_up = turns / WARM_UP;
        if warm_up == 0 {
            tally.begin_counting();
        }
        Shown {
            image,
            tally,
            turn: 0,
            warm_up,
        }
    }

    /// A branch whose addresses count from the start of the code.
    fn see(&mut self, branch: &Branch) {
        self.tally.see(branch);
        if branches::ends_turn(self.image, branch) {
            self.turn += 1;
            if self.turn == self.warm_up {
                self.tally.begin_counting();
            }
        }
    }

    fn prediction(&self, by: CountedBy, traced: u64, unroll: u64) -> Prediction {
        let image = self.image;
        let is_own = |offset: u64| {
            let piece = image.owner(image.site.code + offset);
            piece.is_some_and(|piece| !matches!(piece.owner, Owner::Harness))
        };
        let sites = self.tally.sites();
        let own = sites.iter().filter(|(offset, _)| is_own(**offset));
        Prediction {
            by,
            iterations: traced * unroll,
            counted: traced.saturating_sub(self.warm_up) * unroll,
            sites: own
                .map(|(&code_offset, site)| PredictedSite {
                    code_offset,
                    kind: site.kind,
                    executed: site.executed,
                    misses: self
                        .tally
                        .models_of(site.kind)
                        .map(|(at, name)| (name.to_string(), site.misses[at]))
                        .collect(),
                })
                .collect(),
        }
    }
}
