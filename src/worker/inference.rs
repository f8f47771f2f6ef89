//! The turns of the two images that a row's branch misses are inferred from.
//!
//! Correct means: both images are verified as those of the row are, they take as many turns over the
//! same segments, and what goes wrong with them costs the row nothing but this number.

use super::stage::{Ground, Stage, Visits};
use super::timing::{Proved, Scale, Series};
use super::verify;
use crate::counter::CounterSource;
use crate::job::{Failure, Plan};
use crate::sys::time;

/// Rounds that every row has, whatever its budget: fewer pairs have no interval.
const FEWEST_ROUNDS: u32 = 8;
/// Pairs of turns without a context switch that a row should have.
const ENOUGH_PAIRS: usize = 16;

/// Compares the result of each element in both images. Returns why they are of no use, where they
/// are not.
pub fn verify(stage: &mut Stage<'_>, ground: &mut Ground, visits: &Visits) -> Option<String> {
    let failure = stage.delayed().find_map(|image| {
        stage.rewind(ground, image);
        verify::verify_image(stage, ground, visits, image).err()
    });
    let why = failure.map(|failure| why(&failure));
    if why.is_some() {
        stage.infer_nothing();
    }
    why
}

fn why(failure: &Failure) -> String {
    let what = match failure {
        Failure::WrongResult { .. } => "gives another result",
        Failure::Panic(_) => "panics",
        _ => "does not leave alone what it must",
    };
    format!(
        "with latency in front of its dispatch branch the code {what}: does it read the flags behind \
         the branch, or its own length?"
    )
}

/// Gives both images their turns, one after the other.
///
/// # Errors
/// What entering or comparing says.
pub(super) fn infer(
    row: &mut Proved<'_>,
    ground: &mut Ground,
    source: &mut dyn CounterSource,
    series: &mut Series,
    (plan, scale): (&Plan, &mut Scale),
) -> Result<(), Failure> {
    let images = row.stage.delayed();
    let budget_ns = plan.infer_ms * 1e6 * images.len() as f64;
    let started = time::nanoseconds();
    for turn in 0u32.. {
        let spent = (time::nanoseconds() - started) as f64;
        let is_enough = series.quiet_pairs(&images, scale) >= ENOUGH_PAIRS
            || spent >= plan.patience * budget_ns;
        let is_over = turn >= FEWEST_ROUNDS && spent >= budget_ns && is_enough;
        if images.is_empty() || is_over {
            break;
        }
        // Whoever comes first in a round finds other caches than the one behind it.
        let is_swapped = turn % 2 == 1;
        for step in 0..images.len() {
            let step = if is_swapped {
                images.len() - 1 - step
            } else {
                step
            };
            series.turn(row, ground, source, (turn, images.start + step))?;
        }
    }
    Ok(())
}
