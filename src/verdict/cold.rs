//! What the cold calls of a row come to.
//!
//! Correct means: a scrub without an effect is said to have none, and where there is no number
//! stands why.

use crate::link::scrub;
use crate::prepare::Prepared;
use crate::report::{Basis, ColdCall, Metric};
use crate::stats::{ColdSummary, Estimate};
use crate::template::Cold;

/// The cold calls of a row; `None` where its parameters ask for none.
pub(super) fn cold(prepared: &Prepared, summary: Option<&ColdSummary>) -> Option<ColdCall> {
    let scrubbed = prepared.row.settings.cold;
    if scrubbed.is_none() {
        return None;
    }
    let refused = scrub::refusal(&prepared.row, &prepared.image);
    let why = refused.unwrap_or(match summary {
        Some(_) => "too few rounds were timed; take a longer --time",
        None => "a cold call is timed by the clock, and nothing was; take --counters auto",
    });
    let number = |estimate: Option<Estimate>| metric(estimate, why);
    let scrub = summary.map(|one| one.scrub_ns).filter(|ns| ns.is_finite());
    Some(ColdCall {
        scrubbed,
        cycles: number(summary.and_then(|one| one.cold)),
        warm: number(summary.and_then(|one| one.warm)),
        scrub_ns: metric(
            scrub.map(|value| Estimate {
                value,
                ..Estimate::NONE
            }),
            why,
        ),
        entries: summary.map_or(0, |one| one.entries),
        doubtful: summary.is_some_and(|one| one.cold.is_some() && one.doubtful),
    })
}

/// What is wrong with them.
pub(super) fn warning(call: &ColdCall) -> Option<String> {
    let (cold, warm) = (call.cycles.low?, call.warm.high?);
    let next = match call.scrubbed {
        Cold::Predictor => {
            "there is no branch here that is hard to find again, or this CPU remembers more than is scrubbed"
        }
        _ => "the call uses nothing that was flushed: `show --heap` has the data",
    };
    (cold <= warm).then(|| {
        format!(
            "cold={} shows no effect that can be told from noise: take a longer --time, or {next}",
            call.scrubbed
        )
    })
}

fn metric(estimate: Option<Estimate>, why: &str) -> Metric {
    let known = |value: f64| Some(value).filter(|value| value.is_finite());
    match estimate {
        None => Metric::none(why),
        Some(estimate) => Metric {
            value: known(estimate.value),
            low: known(estimate.low),
            high: known(estimate.high),
            ..Metric::of(f64::NAN, Basis::Measured, "clock")
        },
    }
}
