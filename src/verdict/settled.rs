//! What is said of a row that has no one value.
//!
//! Correct means: where a number is withheld the states that were seen stand in its place, and where it
//! stays, what contradicts it stands beside it.

use crate::report::{Basis, Metric, Metrics};
use crate::stats::{Mode, Settled, Summary, WithoutValue};

/// Takes the times of a row back that has no one value.
pub(super) fn withhold(metrics: &mut Metrics, summary: &Summary) {
    let Some((settled, why)) = summary
        .settled
        .and_then(|settled| Some((settled, settled.without_value?)))
    else {
        return;
    };
    let why = format!(
        "not settled: {}",
        said(why, summary.modes, &settled, metrics.cycles.value)
    );
    for metric in [&mut metrics.cycles, &mut metrics.ns] {
        if metric.value.is_some() {
            *metric = Metric {
                value: None,
                low: None,
                high: None,
                basis: Basis::Unsupported,
                source: None,
                stepped: None,
                subtracted: None,
                why: Some(why.clone()),
            };
        }
    }
}

fn said(
    why: WithoutValue,
    modes: Option<[Mode; 2]>,
    settled: &Settled,
    cycles: Option<f64>,
) -> String {
    let known = |value: Option<f64>| value.map_or("unknown".into(), |value| format!("{value:.2}"));
    let seen = match modes {
        Some([fast, slow]) => format!(
            "{:.2} cycles in {:.0} % of turns, {:.2} in {:.0} %",
            fast.cycles,
            fast.share * 100.0,
            slow.cycles,
            slow.share * 100.0
        ),
        None => format!("{} cycles in turns", known(cycles)),
    };
    let run = known(settled.long_run);
    match why {
        WithoutValue::Run => format!(
            "{seen}, {run} in a run that nothing interrupts; it costs what the entries and data around it make it \
             cost, and no one number says that"
        ),
        WithoutValue::Placements => format!(
            "{seen}, by placement, {run} in a run that nothing interrupts; it costs what the predictors kept from \
             earlier entries make it cost, and no one number says that"
        ),
        WithoutValue::Untrained => format!(
            "{seen}, {run} in a run that nothing interrupts: what so many jumps cost that no predictor knows; where \
             one does, as at other placements (--placements 64), they take one or two each"
        ),
    }
}

/// What contradicts a value that stays.
pub(super) fn doubt(metrics: &Metrics, summary: &Summary) -> Option<String> {
    let settled = summary.settled?;
    if settled.is_settled || settled.without_value.is_some() {
        return None;
    }
    let (cycles, long_run) = (metrics.cycles.value?, settled.long_run?);
    Some(format!(
        "not settled: {cycles:.2} cycles in turns, {long_run:.2} in a run that nothing interrupts; run it again \
         on a quiet machine"
    ))
}
