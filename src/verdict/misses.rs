//! The inferred misses of a row: of each branch that it studies, and their sum.
//!
//! Correct means: no number lies where none can, below nothing or above the executions of its branch; a branch
//! without a number has the reason, and then so has the sum.

use crate::injection::{Injection, Latency};
use crate::job::{JobRow, Proof, Uninferred};
use crate::report::SiteMisses;
use crate::stats::{self, Bound, Estimate, SiteSamples, Summary, Timing};

/// Noise lets a branch that is predicted read below none, but not by much: what is lower is no number of
/// misses.
const LEAST: f64 = -0.02;

/// Each branch that the row studies.
/// `given_up` are those whose images ended a worker.
pub(super) fn sites(
    row: &JobRow,
    (proof, given_up): (&Proof, &[Uninferred]),
    timing: Option<&Timing>,
    seed: u64,
) -> Vec<SiteMisses> {
    let sites = row.injection.sites().iter().enumerate();
    let one = |(at, site): (usize, &crate::injection::Site)| {
        let count = proof.sites.get(at);
        let executions = count.map(|count| count.executions);
        let refused = || {
            let mut refused = given_up.iter().chain(&proof.uninferred);
            let refused = refused.find(|one| one.site == at);
            refused.map(|one| one.why.clone())
        };
        let comparisons = match &site.latency {
            Latency::Delayed { comparisons, .. } => *comparisons,
            Latency::None(_) => 1,
        };
        let never = match &site.latency {
            Latency::None(why) => Some(why.clone()),
            Latency::Delayed { is_fenced, .. } => {
                let repeats = || {
                    count
                        .filter(|_| *is_fenced)
                        .and_then(|count| repeated(count.executions))
                };
                refused()
                    .or_else(|| given_up_on(at, timing))
                    .or_else(repeats)
            }
        };
        let most = count.map(|count| count.most);
        let is_lost = never.is_none();
        let number = never.map_or_else(|| number(at, timing, seed), Err);
        let number = match row.has_walk() {
            false => number.and_then(|number| repeatable(number, executions)),
            true => number,
        };
        let number = number.and_then(|number| possible(number, most));
        SiteMisses {
            label: site.label.clone(),
            line: site.line,
            file: None,
            executions,
            traced: count.and_then(|count| count.traced),
            value: number.as_ref().ok().map(|number| number.value),
            low: number.as_ref().ok().map(|number| number.low),
            high: number.as_ref().ok().map(|number| number.high),
            comparisons,
            is_lost: is_lost && number.is_err(),
            why: number.err(),
        }
    };
    sites.map(one).collect()
}

/// Why there is no number for a branch that is to run once an iteration and does not.
fn repeated(executions: f64) -> Option<String> {
    const ONCE: f64 = 1.001;
    (executions > ONCE).then(|| {
        format!(
            "an iteration runs it {executions:.2} times, by ways that its section does not show, and what is in front \
             of it was taken to run once: jump back to it from its own section"
        )
    })
}

/// Why a site was not timed.
fn given_up_on(site: usize, timing: Option<&Timing>) -> Option<String> {
    let mut pairs = timing?.delayed.iter().filter(|one| one.site == site);
    pairs.find_map(|pair| pair.why.clone())
}

/// What spreads over more than a miss cannot tell one from none.
const WIDEST: f64 = 1.0;

fn number(site: usize, timing: Option<&Timing>, seed: u64) -> Result<Estimate, String> {
    const FEW: &str = "too few turns were left undisturbed; run it again, or with a longer --time";
    let timing = timing.ok_or_else(|| FEW.to_string())?;
    match stats::misses(site, timing, seed) {
        Some(wide) if wide.high - wide.low > WIDEST => Err(
            "turns differ by more than a miss takes, as where a row waits for memory or others use the machine; run \
             it again, or with a longer --time"
                .into(),
        ),
        Some(number) => Ok(number),
        None => Err(FEW.into()),
    }
}

/// A number of misses of a branch that runs so often at the most; none where it lies so far beyond what is
/// possible that nothing of it can be believed.
fn possible(number: Estimate, most: Option<f64>) -> Result<Estimate, String> {
    const FAR: f64 = 0.25;
    let above = number.value - most.unwrap_or(f64::INFINITY);
    if number.value < -FAR || above > FAR {
        return Err(format!(
            "{:.2} misses came out, which cannot be: turns differ by what else the iteration does; run it again, or \
             with a longer --time",
            number.value
        ));
    }
    Ok(bounded(number, most))
}

/// A number of misses of a branch that follows a sequence of the body's own; none where rounds or pairs of one run
/// already learn different parts of it: those of another read something else again (0.24 to 0.68, Zen 4).
/// A branch that an iteration runs many times may be as vague each time.
fn repeatable(number: Estimate, executions: Option<f64>) -> Result<Estimate, String> {
    const VAGUE: f64 = 0.075;
    let most = 2.0 * VAGUE * executions.unwrap_or(1.0).max(1.0);
    let told = match executions {
        Some(executions) if is_between(number.value, executions) => apart(number, executions),
        _ => number,
    };
    let width = |one: &Estimate| one.high - one.low;
    if width(&number) > most || width(&told) > WIDEST {
        return Err(format!(
            "{:.2} to {:.2} misses came out: the branch follows a sequence of the body's own, of which one image \
             learns more than another; a longer --time does not settle that",
            told.low, told.high
        ));
    }
    Ok(told)
}

/// Whether a branch that runs so often is neither predicted nor always missed.
fn is_between(misses: f64, executions: f64) -> bool {
    const ENDS: f64 = 0.05;
    misses > ENDS && misses < executions - ENDS
}

/// The same, as wide as separate runs differ, each of which has the code at other addresses, where other parts of the
/// sequence are learnt: 12 runs of two jumps through 64 places read 0.62 to 0.64 eleven times and 0.50 once, of eight
/// such jumps 0.82 to 0.93 (Zen 4).
fn apart(number: Estimate, executions: f64) -> Estimate {
    const RUNS_DIFFER: f64 = 0.08;
    let least = RUNS_DIFFER * executions.max(1.0);
    Estimate {
        value: number.value,
        low: number.low.min(number.value - least),
        high: number.high.max(number.value + least),
    }
}

/// A number of misses of a branch that runs so often at the most. What lay beyond is an error of the method,
/// and widens the interval to the other side.
fn bounded(number: Estimate, most: Option<f64>) -> Estimate {
    let most = most.unwrap_or(f64::INFINITY).max(0.0);
    if most == 0.0 {
        // A branch that never runs is missed never, whatever noise says.
        return Estimate {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };
    }
    let within = |value: f64| value.max(LEAST).min(most);
    let above = (number.value - most).max(0.0);
    let below = (-number.value).max(0.0);
    let value = within(number.value);
    Estimate {
        value,
        low: within(number.low.min(value - above)),
        high: within(number.high.max(value + below)),
    }
}

/// What a number of misses is of, where that does not go without saying.
pub(super) fn remark(sites: &[SiteMisses]) -> Option<String> {
    const MANY: f64 = 0.05;
    if let [site] = sites {
        let is_missed = site.value.is_some_and(|value| value > MANY);
        return (site.comparisons > 1 && is_missed).then(|| {
            format!(
                "iterations with at least one miss: {} comparisons wait for the same value, and behind the first \
                 miss of an iteration no other shows",
                site.comparisons
            )
        });
    }
    // What rounds to none has no sign.
    let rounded = |value: f64| (value * 100.0).round() / 100.0 + 0.0;
    let one = |site: &SiteMisses| Some(format!("`{}` {:.2}", site.label, rounded(site.value?)));
    let all: Option<Vec<String>> = sites.iter().map(one).collect();
    all.filter(|all| !all.is_empty())
        .map(|all| format!("inferred of each branch by itself: {}", all.join(", ")))
}

/// What the reader must know of inferred misses: which iterations they are of, and where the row's own cycles come
/// to others.
pub(super) fn doubts(
    sites: &[SiteMisses],
    (timing, has_walk): (&Timing, bool),
    summary: &Summary,
    seed: u64,
) -> Vec<String> {
    let differs = summary.is_mean || summary.modes.is_some();
    let phases = said_of_phases(sites, timing, differs);
    let own = said_of_one(sites, (timing, has_walk), summary.cycles.value, seed);
    phases.into_iter().chain(own).collect()
}

/// Of the only branch that is studied.
fn said_of_one(
    sites: &[SiteMisses],
    (timing, has_walk): (&Timing, bool),
    cycles: f64,
    seed: u64,
) -> Option<String> {
    let [site] = sites else { return None };
    let inferred = site.value?;
    if !has_walk {
        return said_of_sequence(inferred, site.executions?);
    }
    said_of_bound(
        inferred,
        stats::bound(timing, cycles, seed)?,
        site.executions,
    )
}

/// Of a row whose iterations are of several kinds, and not by their place in a walk: the images that misses are
/// inferred from begin behind the setup, and are slow, so that they may see one kind alone.
fn said_of_phases(sites: &[SiteMisses], timing: &Timing, differs: bool) -> Option<String> {
    let has_phases = differs && timing.segments <= 1;
    let is_told = sites.iter().any(|site| site.value.is_some());
    if !has_phases || !is_told {
        return None;
    }
    let seen = |one: &SiteSamples| {
        let chunks = one.images.iter().map(|image| image.chunks.len() as u64);
        chunks.min().unwrap_or(0) * one.iterations_per_chunk
    };
    let seen = timing.delayed.iter().map(seen).min()?;
    Some(format!(
        "branch misses are inferred from the first {seen} iterations or so behind the setup, and chunks of this row do \
         not all take as long: where its iterations differ, later ones may miss more or fewer"
    ))
}

/// Of a branch that follows what the body itself computes: where it is neither predicted nor always missed,
/// eight such jumps read 0.40 to 1.0 by how the latency was placed, each way the same again and again (Zen 4).
fn said_of_sequence(inferred: f64, executions: f64) -> Option<String> {
    is_between(inferred, executions).then(|| {
        format!(
            "{inferred:.2} branch misses are those of iterations with latency in them: the branch follows a \
             sequence of the body's own, and if that repeats, how much of it is learnt depends on the code around; \
             the row's own loop may miss more or fewer"
        )
    })
}

fn said_of_bound(inferred: f64, bound: Bound, executions: Option<f64>) -> Option<String> {
    const APART: f64 = 0.05;
    /// Where both loops miss as often, the row's own cycles come to at least 0.8 of what is inferred.
    const LEARNT: f64 = 0.5;
    let most = executions.unwrap_or(f64::INFINITY);
    let possible = |misses: f64| misses.min(most).max(0.0);
    let (own, own_most) = (possible(bound.misses), possible(bound.most));
    let both = |own: f64| {
        format!(
            "{inferred:.2} branch misses are inferred, from iterations that do not overlap, and the row's own \
             cycles come to {own:.2}"
        )
    };
    if own - inferred > APART {
        Some(format!(
            "{}: a predictor that is updated late may miss more where iterations overlap, as the row's own do; the truth \
             lies between",
            both(own)
        ))
    } else if inferred - own_most > APART && own_most < LEARNT * inferred {
        Some(format!(
            "{} at the most: the row's own loop learns a pattern that the one with latency in it does not",
            both(own_most)
        ))
    } else {
        None
    }
}

/// The sum over all branches, or why there is none.
pub(super) fn total(injection: &Injection, sites: &[SiteMisses]) -> Result<Estimate, String> {
    if let Injection::None(why) = injection {
        return Err(why.clone());
    }
    if let Some((site, why)) = sites
        .iter()
        .find_map(|site| Some((site, site.why.as_ref()?)))
    {
        return Err(match sites.len() {
            1 => why.clone(),
            _ => format!("`{}`: {why}", site.label),
        });
    }
    let value: f64 = sites.iter().filter_map(|site| site.value).sum();
    // Each has images and turns of its own, so that errors are independent.
    let off = |end: fn(&SiteMisses) -> Option<f64>| {
        let squares = sites
            .iter()
            .filter_map(|site| Some((end(site)? - site.value?).powi(2)));
        squares.sum::<f64>().sqrt()
    };
    Ok(Estimate {
        value,
        low: value - off(|site| site.low),
        high: value + off(|site| site.high),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value, low, high }
    }

    fn site(label: &str, value: f64, half: f64) -> SiteMisses {
        SiteMisses {
            label: label.into(),
            line: 1,
            file: None,
            executions: Some(1.0),
            traced: None,
            value: Some(value),
            low: Some(value - half),
            high: Some(value + half),
            comparisons: 1,
            is_lost: false,
            why: None,
        }
    }

    #[test]
    fn no_number_lies_above_the_executions_of_its_branch_nor_below_none() {
        let above = bounded(estimate(1.04, 0.98, 1.1), Some(1.0));
        assert_eq!(above, estimate(1.0, 0.96, 1.0));
        let inside = estimate(0.99, 0.98, 1.0);
        assert_eq!(bounded(inside, Some(1.0)), inside);
        let below = bounded(estimate(-0.06, -0.08, -0.04), Some(1.0));
        assert_eq!((below.value, below.low), (LEAST, LEAST));
        assert!((below.high - 0.04).abs() < 1e-12, "{below:?}");
        let noise = bounded(estimate(-0.019, -0.019, 0.01), Some(1.0));
        assert_eq!(noise, estimate(-0.019, -0.019, 0.01));
        let never = bounded(estimate(-0.0004, -0.01, 0.009), Some(0.0));
        assert_eq!(never, estimate(0.0, 0.0, 0.0));
        // Where the executions are not known exactly they bound nothing.
        assert_eq!(bounded(estimate(1.4, 1.3, 1.5), None).value, 1.4);
        assert_eq!(bounded(estimate(0.3, 0.2, 0.4), Some(0.25)).high, 0.25);
    }

    #[test]
    fn the_sum_is_that_of_all_branches_or_there_is_none() {
        let injection = Injection::Sites(Vec::new());
        let mut sites = [site("a", 0.5, 0.03), site("b", 0.25, 0.04)];
        let sum = total(&injection, &sites).expect("a sum");
        assert!(
            (sum.value - 0.75).abs() < 1e-12 && (sum.high - 0.8).abs() < 1e-12,
            "{sum:?}"
        );
        assert!((sum.low - 0.7).abs() < 1e-12, "{sum:?}");
        (sites[0].high, sites[1].high) = (Some(0.56), Some(0.33));
        let sum = total(&injection, &sites).expect("a sum");
        assert!((sum.high - 0.85).abs() < 1e-12 && (sum.low - 0.7).abs() < 1e-12);
        sites[1].why = Some("no free register".into());
        assert_eq!(
            total(&injection, &sites),
            Err("`b`: no free register".into())
        );
        assert_eq!(
            total(&injection, &sites[1..]),
            Err("no free register".into())
        );
        let none = Injection::None("no `dispatch`".into());
        assert_eq!(total(&none, &[]), Err("no `dispatch`".into()));
    }

    #[test]
    fn a_chain_and_several_branches_say_what_their_number_is_of() {
        assert_eq!(remark(&[site("a", 0.5, 0.01)]), None);
        assert_eq!(remark(&[]), None);
        let chain = |value| SiteMisses {
            comparisons: 8,
            ..site("a", value, 0.01)
        };
        assert_eq!(remark(&[chain(0.049)]), None);
        let said = remark(&[chain(0.051)]).expect("a remark");
        assert!(said.contains("at least one miss: 8 comparisons"), "{said}");
        let two = remark(&[site("a", 0.5, 0.01), site("b", 1.0, 0.01)]).expect("a remark");
        assert!(two.ends_with("`a` 0.50, `b` 1.00"), "{two}");
    }

    #[test]
    fn a_bound_is_told_of_where_it_lies_more_than_a_twentieth_above_or_at_less_than_half() {
        let told = |inferred, misses, most| {
            said_of_bound(inferred, Bound { misses, most }, Some(1.0)).unwrap_or_default()
        };
        assert_eq!(told(0.20, 0.249, 0.3), "");
        assert!(told(0.20, 0.251, 0.3).contains("updated late"));
        let said = told(0.18, 0.331, 0.4);
        assert!(
            said.contains("0.18 branch misses") && said.contains("come to 0.33"),
            "{said}"
        );
        // No more than the branch runs.
        assert_eq!(told(0.96, 1.2, 1.3), "");
        // Learnt is what even the cheapest predicted iteration leaves no room for.
        assert_eq!(told(0.40, 0.1, 0.21), "");
        assert!(told(0.40, 0.1, 0.19).contains("0.19 at the most: the row's own loop learns"));
        assert_eq!(told(0.049, -0.2, -0.001), "");
        assert!(told(0.051, -0.2, -0.001).contains("come to 0.00 at the most"));
    }

    #[test]
    fn of_iterations_that_differ_by_phase_the_reader_learns_which_were_seen() {
        // Turns of eight chunks.
        let images = [3, 2].map(|turns| fixture::image(turns, |_, _| 5.0));
        let samples = SiteSamples {
            site: 0,
            iterations_per_chunk: 500,
            segments: 1,
            added_cycles: 24.0,
            images,
            why: None,
        };
        let timing = |segments| Timing {
            segments,
            delayed: vec![samples.clone()],
            ..fixture::empty()
        };
        let inferred = [site("a", 0.0, 0.01)];
        let told = |segments, differs| said_of_phases(&inferred, &timing(segments), differs);
        assert!(told(1, true).is_some_and(|said| said.contains("first 8000 iterations")));
        // The mean of the parts of a walk, all of which are visited; and one kind of iteration.
        assert_eq!(told(2, true), None);
        assert_eq!(told(1, false), None);
        assert_eq!(said_of_phases(&[], &timing(1), true), None);
    }

    #[test]
    fn a_sequence_that_is_learnt_in_part_is_told_of() {
        assert_eq!(said_of_sequence(0.049, 1.0), None);
        assert!(said_of_sequence(0.051, 1.0).is_some_and(|said| said.starts_with("0.05 branch")));
        assert!(said_of_sequence(0.949, 1.0).is_some());
        assert_eq!(said_of_sequence(0.951, 1.0), None);
        assert!(said_of_sequence(0.951, 2.0).is_some());
    }

    #[test]
    fn a_sequence_of_which_rounds_learn_different_parts_has_no_number() {
        assert!(repeatable(estimate(0.5, 0.426, 0.574), Some(1.0)).is_ok());
        let why = repeatable(estimate(0.5, 0.424, 0.576), None).expect_err("none");
        assert!(why.starts_with("0.42 to 0.58 misses came out"), "{why}");
    }

    #[test]
    fn what_is_learnt_of_a_sequence_differs_between_runs_and_the_interval_has_them() {
        let ends = |value: f64, executions: f64| {
            let number = estimate(value, value - 0.04, value + 0.04);
            let wide = repeatable(number, Some(executions)).expect("a number");
            (wide.high - value, value - wide.low)
        };
        let is = |(above, below): (f64, f64), half: f64| {
            (above - half).abs() < 1e-9 && (below - half).abs() < 1e-9
        };
        assert!(is(ends(0.049, 1.0), 0.04) && is(ends(0.951, 1.0), 0.04));
        assert!(is(ends(0.051, 1.0), 0.08) && is(ends(0.949, 1.0), 0.08));
        // One that runs three times an iteration may be off each time, and one that runs seldom as far.
        assert!(is(ends(1.5, 3.0), 0.24) && is(ends(0.2, 0.5), 0.08));
        // Of one that runs so often that the interval is wider than a miss nothing is known.
        let often = |executions| repeatable(estimate(3.0, 2.96, 3.04), Some(executions));
        assert!(often(6.0).is_ok() && often(7.0).is_err());
    }

    #[test]
    fn of_what_was_not_timed_there_is_no_number() {
        assert!(number(0, None, 1).is_err_and(|why| why.contains("too few")));
    }

    #[test]
    fn a_number_far_beyond_what_is_possible_is_none() {
        let number = |value| Estimate {
            value,
            low: value - 0.01,
            high: value + 0.01,
        };
        assert!(possible(number(-0.24), Some(1.0)).is_ok());
        assert!(possible(number(-0.26), Some(1.0)).is_err());
        assert!(possible(number(1.24), Some(1.0)).is_ok());
        assert!(possible(number(1.26), Some(1.0)).is_err());
        assert!(possible(number(7.0), None).is_ok());
    }
}
