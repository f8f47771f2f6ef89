//! What is said of a row that has no one value.
//!
//! Correct means: where a number is withheld the states that were seen stand in its place, and where it
//! stays, what contradicts it stands beside it.

use crate::report::{Metric, Metrics};
use crate::stats::{AGREES, Mode, Quantity, Settled, Summary, Timing, WithoutValue};

/// Says of a value that is a mean, and no quartile, that it is.
pub(super) fn explain(metrics: &mut Metrics, summary: &Summary, timing: &Timing) {
    if !summary.is_mean {
        return;
    }
    let why = match timing.segments {
        0 | 1 => format!(
            "the mean, and no quartile: chunks of {} iterations differ by more than {:.0} %",
            timing.iterations_per_chunk,
            AGREES * 100.0
        ),
        _ => "the mean of visits, and not their quartile: the data are more than the near caches keep, and another \
              run, on other pages and beside other neighbours, differs by more than the interval"
            .into(),
    };
    for quantity in [Quantity::Cycles, Quantity::Ns] {
        let metric = &mut metrics[quantity];
        if metric.value.is_some() {
            metric.why = Some(why.clone());
        }
    }
}

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
        said(why, summary, &settled, metrics[Quantity::Cycles].value)
    );
    take_back(metrics, &why);
}

fn take_back(metrics: &mut Metrics, why: &str) {
    for quantity in [Quantity::Cycles, Quantity::Ns] {
        let metric = &mut metrics[quantity];
        if metric.value.is_some() {
            *metric = Metric::none(why);
        }
    }
}

fn said(why: WithoutValue, summary: &Summary, settled: &Settled, cycles: Option<f64>) -> String {
    let layout = (summary.layout.cycles_min, summary.layout.cycles_max);
    said_of(why, (summary.modes, layout), settled, cycles)
}

fn said_of(
    why: WithoutValue,
    (modes, (least, most)): (Option<[Mode; 2]>, (f64, f64)),
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
        None if why == WithoutValue::Placements => {
            format!("{least:.2} to {most:.2} cycles by placement")
        }
        None => format!("{} cycles in turns", known(cycles)),
    };
    let run = settled.long_run.map_or(String::new(), |run| {
        format!(", {run:.2} in a run that nothing interrupts")
    });
    match why {
        WithoutValue::Run => format!(
            "{seen}{run}; it costs what the entries and data around it make it \
             cost, and no one number says that"
        ),
        WithoutValue::Placements | WithoutValue::Turns => format!(
            "{seen}{run}: it depends on what the predictors \
             kept from earlier entries, or on what the code was at, and no one number says that"
        ),
        WithoutValue::Untrained => format!(
            "{seen}{run}: what so many jumps cost that no predictor knows; where \
             one does, as at other placements (--placements 64), they take one or two each"
        ),
    }
}

/// What contradicts a value that stays.
pub(super) fn doubt(metrics: &Metrics, summary: &Summary) -> Option<String> {
    doubt_of(metrics, summary.settled?)
}

fn doubt_of(metrics: &Metrics, settled: Settled) -> Option<String> {
    if settled.is_settled || settled.without_value.is_some() {
        return None;
    }
    let (cycles, long_run) = (metrics[Quantity::Cycles].value?, settled.long_run?);
    Some(format!(
        "not settled: {cycles:.2} cycles in turns, {long_run:.2} in a run that nothing interrupts; run it again \
         on a quiet machine"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Basis, fixture};

    fn metrics() -> Metrics {
        let rows = fixture::report().rows;
        let with = rows.into_iter().find_map(|row| row.metrics);
        with.expect("a row with numbers")
    }

    fn settled(why: Option<WithoutValue>, is_settled: bool) -> Settled {
        Settled {
            long_run: Some(700.0),
            is_settled,
            without_value: why,
        }
    }

    #[test]
    fn where_there_is_no_one_value_the_states_stand_in_its_place() {
        let mode = |cycles, share| Mode { cycles, share };
        let modes = Some([mode(110.0, 0.25), mode(680.0, 0.75)]);
        for why in [
            WithoutValue::Run,
            WithoutValue::Placements,
            WithoutValue::Untrained,
        ] {
            let place = (110.0, 690.0);
            let text = said_of(why, (modes, place), &settled(Some(why), false), Some(680.0));
            assert!(
                text.starts_with("110.00 cycles in 25 % of turns, 680.00 in 75 %"),
                "{text}"
            );
            assert!(text.contains("700.00 in a run"), "{text}");
            let text = said_of(why, (None, place), &settled(Some(why), false), Some(680.0));
            let seen = match why {
                WithoutValue::Placements => "110.00 to 690.00 cycles by placement",
                _ => "680.00 cycles in turns",
            };
            assert!(text.starts_with(seen), "{text}");
        }
    }

    #[test]
    fn a_value_that_stays_although_a_run_differs_has_both_numbers_in_a_warning() {
        let metrics = metrics();
        let cycles = metrics[Quantity::Cycles].value.expect("a value");
        let told = doubt_of(&metrics, settled(None, false)).expect("a warning");
        assert!(
            told.contains(&format!("{cycles:.2} cycles in turns")),
            "{told}"
        );
        assert!(told.contains("700.00 in a run"), "{told}");
        assert_eq!(doubt_of(&metrics, settled(None, true)), None);
        assert_eq!(
            doubt_of(&metrics, settled(Some(WithoutValue::Run), false)),
            None
        );
    }

    #[test]
    fn cycles_and_nanoseconds_are_withheld_together_and_nothing_else() {
        let before = metrics();
        let mut after = before.clone();
        take_back(&mut after, "not settled");
        for quantity in [Quantity::Cycles, Quantity::Ns] {
            let metric = &after[quantity];
            assert_eq!((metric.value, metric.basis), (None, Basis::Unsupported));
            assert_eq!(metric.why.as_deref(), Some("not settled"));
        }
        for quantity in [Quantity::Instructions, Quantity::BranchMisses] {
            assert_eq!(after[quantity], before[quantity]);
        }
    }
}
