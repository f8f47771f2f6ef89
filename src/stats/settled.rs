//! Whether a row has one value: whether its chunks agree with a run that nothing interrupted, and its
//! placements with each other.
//!
//! Correct means: a row whose cost depends on how often it was left, or on what the predictors happened to
//! keep, is told from one that is merely noisy, and nothing is said of a row that the machine disturbed.
//!
//! The run alone does not find all of them. A hundred jumps, each to the next line, never train in one
//! entry of a second and do at the third entry of 20 ms, at one placement and not at another: the run
//! agrees with the untrained chunks, and the placements lie far apart.

use super::calibration::Scale;
use super::costs::Costs;
use super::modes::{self, Mode};
use super::quantile::{median, rank, sorted};
use super::segments::{Rule, Visit};
use super::{AGREES, Chunk, ImageSamples, LongRun, Timing};

/// Placements whose values differ by more than this factor are states of the code, not of its place: where
/// code stands costs up to a half more on Zen 4, and up to 1.9 times as much on Cascade Lake, where jumps cross lines.
const APART: f64 = 2.0;
/// The same where others of the machine took the CPU: what they take is in some values and not in others.
const APART_BUSY: f64 = 5.0;
/// The same of code that has many branches and no other than direct ones: those either are known or are not.
const APART_DIRECT: f64 = 1.25;
/// Direct branches of an iteration that are many: they share lines, and a predictor has room for few of a line.
const MANY: f64 = 8.0;
/// Core cycles that a direct branch takes at the least while no predictor knows it; one that is known takes
/// one or two.
const UNTRAINED_CYCLES: f64 = 3.0;

/// States of turns at one placement that differ by more than this factor have no one value; nearer ones are told beside
/// it, for what others of the machine take of a core, unseen, makes states as near as that.
const APART_IN_TURNS: f64 = 1.35;

/// A run and chunks that differ by more than this have no one value; a smaller difference is told beside it.
const FAR: f64 = 0.1;

/// The share of an image's chunks that others of the machine may disturb, so that it still tells states from them.
const SOMETIMES: f64 = 0.1;

/// What a row settled at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// Core cycles an iteration of the run that nothing interrupted.
    pub long_run: Option<f64>,
    /// Whether all of them agree.
    pub is_settled: bool,
    /// Why no one number describes the row, where none does.
    pub without_value: Option<WithoutValue>,
}

/// Why a row has no one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutValue {
    /// The run costs something else than turns.
    Run,
    /// Placements do, one and another.
    Placements,
    /// Turns do, at one placement.
    Turns,
    /// Its branches cost what they do before they are learnt, all of them, and at other times may not.
    Untrained,
}

/// What became of a row; `None` where it was not held against a run, or something disturbed that.
pub(super) fn settled(
    timing: &Timing,
    scale: &Scale,
    images: &[Costs],
    rule: Rule,
) -> Option<Settled> {
    let runs = timing.long_runs.iter().map(|run| cost(run, timing, scale));
    let runs = sorted(runs.filter(|cost| cost.is_finite()));
    let long_run = runs.first().copied();
    long_run?;
    let without = |why| Settled {
        long_run,
        is_settled: false,
        without_value: Some(why),
    };
    let values = values(images, timing, rule);
    let branches = timing.direct_branches;
    let is_calm = images.iter().all(|image| image.contended <= SOMETIMES);
    let apart = match is_calm {
        true if branches >= MANY => APART_DIRECT,
        true => APART,
        false => APART_BUSY,
    };
    if spread(&values) > apart {
        return Some(without(WithoutValue::Placements));
    }
    if branches >= MANY && values.first()? >= &(UNTRAINED_CYCLES * branches) {
        return Some(without(WithoutValue::Untrained));
    }
    let first = images.first()?;
    // Of phases a run and turns have to have the same mean: any cost lies between the dear ones and the cheap.
    let has_phases = rule == Rule::Mean && timing.segments <= 1;
    let off = match has_phases {
        true => long_run? / mean(first) - 1.0,
        false => distance(long_run?, first),
    };
    let is_off = off.abs() > AGREES;
    // What others of the machine do to a run they do once, and not twice alike.
    let is_sure = runs
        .get(1)
        .is_some_and(|second| spread(&[runs[0], *second]) <= 1.0 + AGREES);
    let is_believed = (is_sure || has_phases) && is_quiet(timing, scale, first);
    let is_disturbed = first.contended > SOMETIMES;
    if first.visits.is_empty() || is_disturbed || is_off && !is_believed {
        return None;
    }
    let off = off.abs();
    Some(match off > FAR {
        true => without(WithoutValue::Run),
        false => Settled {
            long_run,
            is_settled: off <= AGREES,
            without_value: None,
        },
    })
}

/// The same of a row whose turns are in two states that are too far apart for one value, whatever a run says; others of the
/// machine make two states, too, where they take more than a few of its chunks.
pub(super) fn in_turns(
    settled: Option<Settled>,
    modes: Option<[Mode; 2]>,
    timing: &Timing,
    (scale, first): (&Scale, Option<&Costs>),
) -> Option<Settled> {
    let is_calm = first.is_some_and(|image| image.contended <= SOMETIMES);
    let is_apart = modes.is_some_and(|[fast, slow]| slow.cycles / fast.cycles > APART_IN_TURNS);
    let has_value = settled.is_none_or(|settled| settled.without_value.is_none());
    if !(is_calm && is_apart && has_value) {
        return settled;
    }
    let runs = timing.long_runs.iter().map(|run| cost(run, timing, scale));
    Some(Settled {
        long_run: runs.filter(|cost| cost.is_finite()).reduce(f64::min),
        is_settled: false,
        without_value: Some(WithoutValue::Turns),
    })
}

/// Whether nothing else ran during the runs or beside them, as far as somebody looked, nor beside more than
/// a few of the chunks.
fn is_quiet(timing: &Timing, scale: &Scale, chunks: &Costs) -> bool {
    let undisturbed = |run: &LongRun| {
        let samples = ImageSamples {
            chunks: vec![Chunk {
                turn: 0,
                segment: 0,
                ticks: run.ticks,
                before: run.before,
                after: run.after,
                events: None,
            }],
            switches: vec![run.switches],
        };
        scale
            .judge(&samples)
            .iter()
            .all(|verdict| verdict.disturbed.is_none())
    };
    timing.long_runs.iter().all(undisturbed) && chunks.contended <= SOMETIMES
}

/// The values of the placements, be they disturbed or not.
fn values(images: &[Costs], timing: &Timing, rule: Rule) -> Vec<f64> {
    let value = |image: &Costs| super::cycles(rule, &image.visits, timing).value();
    images.iter().filter_map(value).collect()
}

/// The greatest over the least.
fn spread(values: &[f64]) -> f64 {
    let values = sorted(values.iter().copied().filter(|value| *value > 0.0));
    match (values.first(), values.last()) {
        (Some(least), Some(most)) => most / least,
        _ => 1.0,
    }
}

fn cost(run: &LongRun, timing: &Timing, scale: &Scale) -> f64 {
    let speeds = [run.before, run.after].map(|one| scale.ticks_per_cycle(one));
    let iterations = run.iterations as f64 * f64::from(timing.unroll);
    run.ticks as f64 / iterations / speeds[0].min(speeds[1])
}

fn mean(image: &Costs) -> f64 {
    image.visits.iter().map(|visit| visit.cycles).sum::<f64>() / image.visits.len() as f64
}

/// By what share a run lies outside what chunks cost, the middle half of them: above 0 where it is longer.
fn distance(run: f64, image: &Costs) -> f64 {
    let costs = sorted(image.visits.iter().map(|visit| visit.cycles));
    let at = |share| rank(&costs, share).unwrap_or(f64::NAN);
    let mean = mean(image);
    let middle = median(&costs).unwrap_or(mean);
    // Few chunks have no quartiles to speak of.
    let (low, high) = (at(0.25).min(middle), at(0.75).max(middle).max(mean));
    if run < low {
        run / low - 1.0
    } else if run > high {
        run / high - 1.0
    } else {
        0.0
    }
}

/// The states that turns at all placements were in, where there are two.
pub(super) fn states(images: &[Costs]) -> Option<[Mode; 2]> {
    // Turns of different placements are different turns.
    const MOST_TURNS: u32 = 1 << 20;
    let of_image = |(at, image): (u32, &Costs)| -> Vec<Visit> {
        let apart = |visit: &Visit| Visit {
            turn: at * MOST_TURNS + visit.turn,
            ..*visit
        };
        image.visits.iter().map(apart).collect()
    };
    let all: Vec<Visit> = (0..).zip(images).flat_map(of_image).collect();
    modes::modes(&all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Calibration, fixture, summarize};

    /// A row of 5 cycles whose run takes so many.
    fn with_run(cycles: f64) -> Timing {
        let calibration = Calibration {
            chain_ticks: fixture::CHAIN_TICKS,
            width_ticks: fixture::WIDTH_TICKS,
        };
        Timing {
            long_runs: vec![
                LongRun {
                    ticks: fixture::ticks(cycles) - fixture::OVERHEAD,
                    iterations: fixture::ITERATIONS,
                    before: calibration,
                    after: calibration,
                    switches: 0,
                };
                2
            ],
            ..fixture::steady(6, 5.0)
        }
    }

    #[test]
    fn a_run_within_2_percent_agrees_and_one_beyond_10_leaves_no_value() {
        let told = |cycles: f64| {
            let settled = summarize(&with_run(cycles), 1).settled.expect("a run");
            (settled.is_settled, settled.without_value.is_some())
        };
        assert_eq!(told(5.0), (true, false));
        assert_eq!(told(5.09), (true, false));
        assert_eq!(told(5.11), (false, false));
        assert_eq!(told(4.91), (true, false));
        assert_eq!(told(4.89), (false, false));
        assert_eq!(told(5.49), (false, false));
        assert_eq!(told(5.51), (false, true));
        assert_eq!(told(4.49), (false, true));
    }

    #[test]
    fn placements_that_lie_apart_are_states_with_their_shares() {
        let with_second = |cycles| {
            let mut timing = with_run(5.0);
            timing.images.push(fixture::image(6, |_, _| cycles));
            summarize(&timing, 1)
        };
        let near = with_second(9.9);
        assert!(near.settled.expect("a run").is_settled);
        assert_eq!(near.modes, None);
        let far = with_second(10.1);
        let settled = far.settled.expect("a run");
        assert_eq!(settled.without_value, Some(WithoutValue::Placements));
        assert!(!settled.is_settled);
        let [fast, slow] = far.modes.expect("two states");
        assert!((fast.cycles - 5.0).abs() < 0.01 && (slow.cycles - 10.1).abs() < 0.01);
        assert_eq!((fast.share, slow.share), (0.5, 0.5));
    }

    #[test]
    fn turns_in_two_states_have_a_value_only_where_these_are_near() {
        let told = |slow: f64| {
            let mut timing = with_run(5.0);
            let turn = move |turn: u32, _: u32| if turn.is_multiple_of(2) { 5.0 } else { slow };
            timing.images = vec![fixture::image(24, turn)];
            summarize(&timing, 1).settled.expect("a run")
        };
        assert_eq!(told(6.7).without_value, None);
        let apart = told(6.8);
        assert_eq!(apart.without_value, Some(WithoutValue::Turns));
        assert!(!apart.is_settled && apart.long_run.is_some_and(|run| run < 5.01));
    }

    #[test]
    fn many_direct_branches_that_cost_what_unknown_ones_do_have_no_value() {
        let told = |branches, cycles| {
            let mut timing = with_run(cycles);
            timing.images = vec![fixture::image(6, |_, _| cycles)];
            timing.direct_branches = branches;
            summarize(&timing, 1).settled.expect("a run").without_value
        };
        assert_eq!(told(8.0, 24.1), Some(WithoutValue::Untrained));
        assert_eq!(told(8.0, 23.9), None);
        assert_eq!(told(7.0, 24.1), None);
        assert_eq!(told(0.0, 48.1), None);
    }

    #[test]
    fn of_many_direct_branches_placements_need_not_lie_far_apart() {
        let told = |branches, cycles| {
            let mut timing = with_run(5.0);
            timing.images.push(fixture::image(6, |_, _| cycles));
            timing.direct_branches = branches;
            summarize(&timing, 1).settled.expect("a run").without_value
        };
        assert_eq!(told(8.0, 6.2), None);
        assert_eq!(told(8.0, 6.3), Some(WithoutValue::Placements));
        assert_eq!(told(7.0, 6.3), None);
    }

    #[test]
    fn where_others_took_the_cpu_placements_must_lie_farther_apart() {
        let told = |branches, disturbed: u32, cycles| {
            let mut timing = with_run(5.0);
            let mut second = fixture::image(50, |_, _| cycles);
            second.switches = (0..50).map(|turn| u32::from(turn < disturbed)).collect();
            timing.images.push(second);
            timing.direct_branches = branches;
            summarize(&timing, 1).settled.expect("a run").without_value
        };
        let states = Some(WithoutValue::Placements);
        assert_eq!((told(0.0, 5, 10.1), told(0.0, 6, 10.1)), (states, None));
        assert_eq!((told(8.0, 5, 6.3), told(8.0, 6, 6.3)), (states, None));
        assert_eq!((told(0.0, 6, 24.9), told(0.0, 6, 25.1)), (None, states));
    }

    #[test]
    fn a_run_of_phases_is_held_against_their_mean() {
        let told = |cycles: f64| {
            let mut timing = with_run(cycles);
            timing.segments = 1;
            timing.by_mean = true;
            let phase = |_, chunk: u32| if chunk.is_multiple_of(2) { 3.0 } else { 60.0 };
            timing.images = vec![fixture::image(6, phase)];
            for chunk in &mut timing.images[0].chunks {
                chunk.segment = 0;
            }
            let settled = summarize(&timing, 1).settled.expect("a run");
            (settled.is_settled, settled.without_value.is_some())
        };
        assert_eq!(told(31.5), (true, false));
        assert_eq!(told(32.2), (false, false));
        assert_eq!(told(40.0), (false, true));
    }

    #[test]
    fn parts_of_a_walk_are_no_phases_and_a_run_is_held_against_their_middle_half() {
        let with = |cycles: f64, chunk: fn(u32, u32) -> f64| {
            let mut timing = with_run(cycles);
            timing.images = vec![fixture::image(20, chunk)];
            timing
        };
        let parts = |_, chunk: u32| if chunk.is_multiple_of(2) { 3.0 } else { 60.0 };
        for by_mean in [true, false] {
            let mut timing = with(40.0, parts);
            timing.by_mean = by_mean;
            assert!(summarize(&timing, 1).settled.expect("a run").is_settled);
        }
        // So many of ten turns cost a tenth more, and a run too.
        let few = |turn: u32, _| if turn % 10 < 2 { 5.5 } else { 5.0 };
        let more = |turn: u32, _| if turn % 10 < 3 { 5.5 } else { 5.0 };
        let is_settled = |chunk| {
            summarize(&with(5.55, chunk), 1)
                .settled
                .expect("a run")
                .is_settled
        };
        assert_eq!((is_settled(few), is_settled(more)), (false, true));
        // Where few are dear, their mean lies above the middle half, and a run of all has it.
        let dear = |turn: u32, _| if turn % 10 < 1 { 15.0 } else { 5.0 };
        assert!(
            summarize(&with(6.0, dear), 1)
                .settled
                .expect("a run")
                .is_settled
        );
    }

    #[test]
    fn a_run_costs_what_its_shorter_calibration_says_of_all_copies_of_the_body() {
        let mut timing = with_run(10.0);
        timing.unroll = 2;
        assert!(summarize(&timing, 1).settled.expect("a run").is_settled);
        let mut timing = with_run(5.0);
        for run in &mut timing.long_runs {
            run.after.chain_ticks *= 2;
        }
        assert!(summarize(&timing, 1).settled.expect("it agrees").is_settled);
    }

    #[test]
    fn a_placement_that_seems_to_take_no_time_is_no_state() {
        let mut timing = with_run(5.0);
        timing.images.push(fixture::image(6, |_, _| 0.0));
        assert!(summarize(&timing, 1).settled.expect("a run").is_settled);
    }

    #[test]
    fn of_two_runs_the_shorter_counts_and_phases_need_but_one() {
        let mut timing = with_run(5.0);
        timing.long_runs[1] = with_run(5.6).long_runs[0];
        timing.long_runs.reverse();
        let settled = summarize(&timing, 1).settled.expect("it agrees");
        assert!(settled.is_settled && settled.long_run.is_some_and(|run| run < 5.01));
        let mut timing = with_run(40.0);
        timing.long_runs.truncate(1);
        let phase = |_, chunk: u32| if chunk.is_multiple_of(2) { 3.0 } else { 60.0 };
        timing.images = vec![fixture::image(6, phase)];
        assert_eq!(
            summarize(&timing, 1).settled.expect("a run").without_value,
            None,
            "parts"
        );
        (timing.segments, timing.by_mean) = (1, true);
        for chunk in &mut timing.images[0].chunks {
            chunk.segment = 0;
        }
        let settled = summarize(&timing, 1).settled.expect("it is believed");
        assert_eq!(settled.without_value, Some(WithoutValue::Run));
    }

    #[test]
    fn a_run_that_was_interrupted_or_a_row_that_was_disturbed_says_nothing() {
        let mut timing = with_run(9.0);
        timing.long_runs[0].switches = 1;
        assert_eq!(summarize(&timing, 1).settled, None);
        timing = with_run(5.0);
        timing.long_runs[0].switches = 1;
        assert!(summarize(&timing, 1).settled.expect("it agrees").is_settled);
        let with_switches = |switched: usize, cycles| {
            let mut timing = with_run(cycles);
            timing.images = vec![fixture::image(50, |_, _| 5.0)];
            timing.images[0].switches = (0..50).map(|turn| u32::from(turn < switched)).collect();
            summarize(&timing, 1).settled
        };
        assert!(with_switches(5, 9.0).is_some());
        assert_eq!(with_switches(6, 9.0), None);
        assert_eq!(with_switches(6, 4.0), None);
        // Nor where a run agrees: of so much that was disturbed it might by chance.
        assert!(with_switches(5, 5.0).expect("it agrees").is_settled);
        assert_eq!(with_switches(6, 5.0), None);
        // Two runs that do not agree with each other say nothing of the row.
        let mut timing = with_run(9.0);
        timing.long_runs[1] = with_run(9.17).long_runs[0];
        assert!(summarize(&timing, 1).settled.is_some());
        timing.long_runs[1] = with_run(9.19).long_runs[0];
        assert_eq!(summarize(&timing, 1).settled, None);
        assert_eq!(summarize(&fixture::steady(6, 5.0), 1).settled, None);
    }

    #[test]
    fn where_chunks_differ_by_themselves_their_mean_is_the_value() {
        let mut timing = fixture::steady(8, 5.0);
        timing.segments = 1;
        timing.images[0] = fixture::image(
            8,
            |_, chunk| if chunk.is_multiple_of(2) { 3.0 } else { 60.0 },
        );
        for chunk in &mut timing.images[0].chunks {
            chunk.segment = 0;
        }
        assert!((summarize(&timing, 1).cycles.value - 3.0).abs() < 0.01);
        timing.by_mean = true;
        assert!((summarize(&timing, 1).cycles.value - 31.5).abs() < 0.01);
    }
}
