//! A row's branches, shown to the models of predictors.
//!
//! Correct means: the first quarter of the iterations is learnt from and not counted, and misses are
//! those of the template's branches and of what it calls; the harness's are part of what is learnt only.

use super::branches::{self, MOST_STEPS};
use super::stage::{Ground, Stage};
use crate::job::{Failure, PredictedSite, Prediction};
use crate::link::Owner;
use crate::predict::Tally;
use crate::sys::signals::StepLog;

/// One in so many iterations warms the models up.
const WARM_UP: u64 = 4;
/// Iterations that say how many steps one takes.
const SIZING: u64 = 64;

/// Runs the models over as many iterations as are wanted and can be had.
///
/// # Errors
/// What entering says, and where not even a few iterations can be traced.
pub fn model(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    seed: u64,
    wanted: u64,
    log: &mut StepLog,
) -> Result<Prediction, Failure> {
    // The walk has as many elements as are traced, so that a sorted one is traced to its end.
    let turns = fitting(stage, ground, seed, wanted, log)?;
    let visits = stage.walk(turns, seed)?;
    let image = stage.images[0].clone();
    let warm_up = turns / WARM_UP;
    let (mut tally, mut turn) = (Tally::new(), 0);
    if warm_up == 0 {
        tally.begin_counting();
    }
    let traced = branches::trace(stage, ground, &visits, turns, log, &mut |branch| {
        tally.see(&branch);
        if branches::ends_turn(&image, &branch) {
            turn += 1;
            if turn == warm_up {
                tally.begin_counting();
            }
        }
    })?;
    let unroll = u64::from(stage.row.unroll);
    let is_own = |offset: u64| {
        let piece = image.owner(image.site.code + offset);
        piece.is_some_and(|piece| !matches!(piece.owner, Owner::Harness))
    };
    let sites = tally.sites();
    let own = sites.iter().filter(|(offset, _)| is_own(**offset));
    Ok(Prediction {
        iterations: traced * unroll,
        counted: traced.saturating_sub(warm_up) * unroll,
        sites: own
            .map(|(&code_offset, site)| PredictedSite {
                code_offset,
                kind: site.kind,
                executed: site.executed,
                misses: tally
                    .models_of(site.kind)
                    .map(|(at, name)| (name.to_string(), site.misses[at]))
                    .collect(),
            })
            .collect(),
    })
}

/// How many turns the steps are enough for.
fn fitting(
    stage: &mut Stage<'_>,
    ground: &mut Ground,
    seed: u64,
    wanted: u64,
    log: &mut StepLog,
) -> Result<u64, Failure> {
    let visits = stage.walk(SIZING, seed)?;
    let mut branches = 0;
    let traced = branches::trace(stage, ground, &visits, SIZING, log, &mut |_| branches += 1)?;
    if traced == 0 {
        return Err(Failure::Worker(
            "one iteration takes more steps than a trace of its branches may".into(),
        ));
    }
    // What the last entry took is an upper bound where one was enough, as nearly always.
    let steps = (log.steps().len() as u64 / traced).max(1);
    Ok(wanted.min(MOST_STEPS / steps).max(1))
}
