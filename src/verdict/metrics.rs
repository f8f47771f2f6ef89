//! The numbers of a row, each from the source that gave it.
//!
//! Correct means: a number stands under the basis of its own source, and where there is none, the
//! reason does.

use crate::go::HeapKind;
use crate::job::{CountedBy, Counts, FurtherState, Proof, SiteCount, catalogue};
use crate::machine::Machine;
use crate::report::{Basis, FurtherMetric, Metric, Metrics};
use crate::scenario::Scenario;
use crate::stats::{self, Estimate, Event, Quantity, Summary, Timing};

pub(super) fn exact(value: f64, counts: Option<&Counts>) -> Metric {
    let by = counts.map_or(CountedBy::Step, |counts| counts.by);
    Metric {
        low: Some(value),
        high: Some(value),
        stepped: counts.and_then(|counts| counts.stepped),
        ..Metric::of(value, Basis::Exact, by.source())
    }
}

/// `refused` is why the hardware's readings were, where any was.
pub(super) fn measured(
    estimate: &Estimate,
    machine: &Machine,
    event: &str,
    refused: Option<&str>,
) -> Metric {
    if estimate.value.is_nan() {
        let untaken = "no sample was taken; --time MS gives it longer";
        return Metric::none(refused.unwrap_or(untaken));
    }
    let source = machine.source(event);
    Metric {
        low: Some(estimate.low).filter(|low| !low.is_nan()),
        high: Some(estimate.high).filter(|high| !high.is_nan()),
        ..Metric::of(estimate.value, source.basis, &source.source)
    }
}

/// The cycles of an empty iteration whose chunks take no longer than entering them.
pub(super) fn lost() -> Metric {
    Metric::none(
        "a chunk has so few iterations of this body that the empty ones are lost in what entering takes; a body with \
         a shorter loop has them",
    )
}

fn unsupported(machine: &Machine, event: &str) -> Metric {
    Metric::none(machine.source(event).why)
}

pub(super) fn metrics(
    proof: &Proof,
    (summary, timing): (Option<&Summary>, Option<&Timing>),
    (machine, seed): (&Machine, u64),
    (refused, inferred, remark): (Option<&str>, &Result<Estimate, String>, Option<String>),
) -> Metrics {
    let timed = |event: &str, refused, of: fn(&Summary) -> &Estimate| match summary {
        Some(summary) => measured(of(summary), machine, event, refused),
        None => unsupported(machine, event),
    };
    // Of the whole group, or in turns of its own.
    let counted = |event: Event| {
        let apart = || {
            let timing = timing?;
            let mut all = timing.further.iter();
            let apart = all.find(|one| one.name == event.name())?;
            let estimate = stats::per_iteration(apart, timing, seed);
            (!estimate.value.is_nan()).then_some(estimate)
        };
        let is_counted = machine.source(event.name()).basis == Basis::Measured;
        summary?.events[event as usize]
            .or_else(apart)
            .filter(|_| is_counted)
    };
    let own = |event: Event, of: fn(&Counts) -> f64, around: f64| {
        let Some(counts) = &proof.counts else {
            let many = "one iteration takes more steps than a count may; shorten the body's loops";
            return Metric::none(proof.partial.as_deref().unwrap_or(many));
        };
        match counted(event) {
            // Where the hardware's readings were refused, stepping has counted all the same.
            Some(estimate) => Metric {
                subtracted: Some(around),
                ..measured(&less(estimate, around), machine, event.name(), None)
            },
            None => Metric {
                why: proof.partial.clone(),
                ..exact(of(counts), Some(counts))
            },
        }
    };
    let around = &proof.around_body;
    let misses = || match machine.source("branch_misses").basis {
        Basis::Measured => {
            let counted = counted(Event::BranchMisses).unwrap_or(Estimate::NONE);
            let has_branches = proof
                .counts
                .as_ref()
                .is_none_or(|counts| counts.branches > 0.0);
            let own = timing.map_or(counted, |timing| {
                without_loop_end(counted, timing, has_branches)
            });
            measured(&less(own, 0.0), machine, "branch_misses", refused)
        }
        Basis::Inferred => match inferred {
            Ok(inferred) => Metric {
                why: remark.clone(),
                ..measured(inferred, machine, "branch_misses", None)
            },
            Err(why) => Metric::none(why),
        },
        _ => unsupported(machine, "branch_misses"),
    };
    Metrics::of(|quantity| match quantity {
        Quantity::Ns => timed("ns", None, |summary| &summary.ns),
        Quantity::Cycles => timed("cycles", refused, |summary| &summary.cycles),
        Quantity::Instructions => own(
            Event::Instructions,
            |counts| counts.instructions,
            around.instructions,
        ),
        Quantity::Branches => own(Event::Branches, |counts| counts.branches, around.branches),
        Quantity::BranchMisses => misses(),
        Quantity::Allocs => allocated(proof.allocations.blocks),
        Quantity::AllocBytes => allocated(proof.allocations.bytes),
    })
}

/// Says of what was allocated that it was counted over a part, where later iterations may allocate more or less:
/// where the counts are of a part, and where without a walk some iterations allocate and others do not.
pub(super) fn mark_allocations(metrics: &mut Metrics, proof: &Proof, has_walk: bool) {
    let is_uneven = !has_walk && proof.allocations.blocks.fract() != 0.0;
    let is_part = proof
        .counts
        .as_ref()
        .is_some_and(|counts| counts.stepped.is_some());
    if is_uneven || is_part {
        for quantity in [Quantity::Allocs, Quantity::AllocBytes] {
            metrics[quantity].stepped = Some(proof.allocations.iterations);
        }
    }
}

/// What the modelled allocator counted.
fn allocated(value: f64) -> Metric {
    Metric {
        source: Some("allocator".into()),
        ..exact(value, None)
    }
}

/// The events beside those of the columns, in the order in which they were asked for.
pub(super) fn further(timing: Option<&Timing>, machine: &Machine, seed: u64) -> Vec<FurtherMetric> {
    let number = |name: &str| {
        let timing = timing?;
        let counted = timing.further.iter().find(|one| one.name == *name)?;
        let estimate = less(stats::per_iteration(counted, timing, seed), 0.0);
        Some(measured(&estimate, machine, name, counted.why.as_deref()))
    };
    let one = |(name, state): &FurtherState| FurtherMetric {
        name: name.clone(),
        unit: catalogue::find(name)
            .map_or("count", |event| event.unit)
            .into(),
        metric: match state {
            Ok(_) => number(name).unwrap_or_else(|| unsupported(machine, name)),
            Err(unavailable) => Metric::none(unavailable.to_string()),
        },
    };
    machine.further.iter().map(one).collect()
}

/// Misses without that of the loop's end, of which a chunk has one, or none where the predictor knows its length.
/// With branches in the body it may know it better or less well than without, so the interval has both.
fn without_loop_end(misses: Estimate, timing: &Timing, has_branches: bool) -> Estimate {
    let iterations = timing.iterations_per_chunk.max(1) as f64;
    let mut apart = timing.further.iter();
    let apart = apart.find(|one| one.name == Event::BranchMisses.name());
    let end = match apart {
        Some(apart) => apart.loop_end,
        None => stats::loop_end(timing),
    };
    let known = end.unwrap_or(0.0);
    let (least, most) = match end {
        Some(end) if !has_branches => (end, end),
        _ => (0.0, 1.0),
    };
    Estimate {
        value: misses.value - known / iterations,
        low: misses.low - most / iterations,
        high: misses.high - least / iterations,
    }
}

/// An estimate without what is known of it. A count cannot be below 0: where it seems so, by a
/// fraction of what entering takes, it is 0.
fn less(estimate: Estimate, known: f64) -> Estimate {
    let left = |value: f64| {
        if value.is_nan() {
            value
        } else {
            // Of two zeros the larger may be the one with a sign.
            (value - known).max(0.0) + 0.0
        }
    };
    Estimate {
        value: left(estimate.value),
        low: left(estimate.low),
        high: left(estimate.high),
    }
}

/// Misses where there is one type, and the branches were seen to go one way only: one target and one
/// direction to predict.
pub(super) fn unexpected_misses(
    scenario: &Scenario,
    metrics: &Metrics,
    sites: &[SiteCount],
) -> Option<String> {
    const MANY: f64 = 0.1;
    let mut types = (0..scenario.objects).map(|object| scenario.type_of_object(object));
    let first = types.next();
    let is_monomorphic =
        scenario.template.header.heap != HeapKind::None && types.all(|other| Some(other) == first);
    // The objects of one type differ in what else they hold, and a branch can depend on that.
    let go_one_way = sites.iter().all(|site| site.goes_one_way);
    // Few turns have no interval, and all the same a value.
    let misses = &metrics[Quantity::BranchMisses];
    let misses = misses.low.or(misses.value).unwrap_or(0.0);
    (is_monomorphic && go_one_way && misses > MANY).then(|| {
        "branches are mispredicted although all receivers have one type: other code may take the \
         predictor's entries by where it stands, which --placements all shows, or something else used \
         the core; run it again"
            .to_string()
    })
}

/// Whether the hardware's counts are those of single-stepping.
pub(super) fn contradiction(metrics: &Metrics, counts: Option<&Counts>) -> Option<String> {
    let counts = counts?;
    // What the first iterations do, later ones need not do exactly.
    let (tolerance, what_of) = match counts.stepped {
        None => (0.01, ""),
        Some(_) => (0.25, " in the first iterations"),
    };
    let pairs = [
        (Quantity::Instructions, counts.instructions),
        (Quantity::Branches, counts.branches),
    ];
    let differs = |metric: &Metric, exact: f64| {
        let counted = metric.value.filter(|_| metric.basis == Basis::Measured);
        counted.filter(|counted| (counted - exact).abs() > tolerance * exact.max(1.0))
    };
    let (what, counted, exact) = pairs
        .into_iter()
        .find_map(|(what, exact)| Some((what, differs(&metrics[what], exact)?, exact)))?;
    Some(format!(
        "the hardware counted {counted:.2} {what} where single-stepping counts {exact:.2}{what_of}; believe \
         the latter, and run again with --counters clock"
    ))
}
