//! What follows from the hardware's counts of a row, beside the columns.
//!
//! Correct means: both numbers of a quotient are of the same loop and the same source, and one that is not
//! counted makes none.

use crate::report::{Basis, FurtherMetric, Metric, Row};
use crate::stats::{Estimate, Event, Quantity, Summary};

/// Instructions of a cycle.
const IPC: &str = "ipc";
/// The cycles of the same chunks by the clock.
const BY_CLOCK: &str = "cycles-by-clock";
/// What a branch miss costs.
const PER_MISS: &str = "cycles-per-miss";

/// Of a row whose cycles were counted: the instructions of a cycle, of the whole loop, and the cycles by the clock.
pub(super) fn beside(summary: &Summary, cycles: &Metric) -> Vec<FurtherMetric> {
    let (Some(clock), Some(source)) = (&summary.cycles_by_clock, &cycles.source) else {
        return Vec::new();
    };
    let counted = Some(summary.cycles).filter(|cycles| cycles.value > 0.0);
    let instructions = summary.events[Event::Instructions as usize].zip(counted);
    let ipc = instructions.map(|(instructions, cycles)| Estimate {
        value: instructions.value / cycles.value,
        low: instructions.low / cycles.high,
        high: instructions.high / cycles.low,
    });
    let by_clock = if source == "fake" { "fake" } else { "clock" };
    let ipc = ipc.map(|ipc| further(IPC, "count", &ipc, source));
    let mut all: Vec<FurtherMetric> = ipc.into_iter().collect();
    all.push(further(BY_CLOCK, "cycles", clock, by_clock));
    all
}

fn further(name: &str, unit: &str, estimate: &Estimate, source: &str) -> FurtherMetric {
    let end = |value: f64| Some(value).filter(|value| value.is_finite());
    FurtherMetric {
        name: name.into(),
        unit: unit.into(),
        metric: Metric {
            low: end(estimate.low),
            high: end(estimate.high),
            ..Metric::of(estimate.value, Basis::Measured, source)
        },
    }
}

/// Beside each row that misses, what a miss costs: its cycles above those of a row of the same template that misses
/// nothing and differs from it in the receivers alone, for each of its misses.
pub(super) fn cost_misses(rows: &mut [Row]) {
    // Of the many rows of a large suite few have counted misses, and without a PMU none.
    let misses = |row: &&Row| counted(row, Quantity::BranchMisses)?.value;
    let predicted: Vec<&Row> = rows
        .iter()
        .filter(|row| misses(row).is_some_and(|misses| misses < FEW))
        .collect();
    let costs: Vec<Option<FurtherMetric>> = rows
        .iter()
        .map(|row| {
            misses(&row).filter(|misses| *misses >= MANY)?;
            predicted.iter().find_map(|predicted| cost(row, predicted))
        })
        .collect();
    for (row, cost) in rows.iter_mut().zip(costs) {
        if let (Some(metrics), Some(cost)) = (&mut row.metrics, cost) {
            metrics.further.push(cost);
        }
    }
}

/// Misses of a row that has some.
const MANY: f64 = 0.1;
/// Misses of a row that has none.
const FEW: f64 = 0.01;

/// What hardware counted of a row.
fn counted(row: &Row, quantity: Quantity) -> Option<Metric> {
    let metric = row.metrics.as_ref()?[quantity].clone();
    let is_counted = matches!(metric.source.as_deref(), Some("pmu" | "fake"));
    metric
        .value
        .filter(|_| is_counted && metric.basis == Basis::Measured)?;
    Some(metric)
}

/// What a miss costs a row that has some, held against one that has none.
fn cost(row: &Row, predicted: &Row) -> Option<FurtherMetric> {
    const RECEIVERS: [&str; 2] = ["order", "targets"];
    let others = |row: &'_ Row| -> Vec<String> {
        let params = row.params.iter();
        let others = params.filter(|(name, _)| !RECEIVERS.contains(&&name[..]));
        others
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect()
    };
    let is_same = row.template_sha256 == predicted.template_sha256
        && row.clobbers == predicted.clobbers
        && others(row) == others(predicted);
    let [(cycles, misses), (base, none)] = [row, predicted].map(|row| {
        (
            counted(row, Quantity::Cycles),
            counted(row, Quantity::BranchMisses),
        )
    });
    let (cycles, misses, base, none) = (cycles?, misses?, base?, none?);
    if !is_same {
        return None;
    }
    let ends =
        |metric: &Metric| Some((metric.low.or(metric.value)?, metric.high.or(metric.value)?));
    let ((low, high), (base_low, base_high)) = (ends(&cycles)?, ends(&base)?);
    let (fewest, most) = ends(&misses)?;
    let estimate = Estimate {
        value: (cycles.value? - base.value?) / (misses.value? - none.value?),
        low: (low - base_high) / most,
        high: (high - base_low) / fewest,
    };
    Some(further(
        PER_MISS,
        "cycles",
        &estimate,
        misses.source.as_deref()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// A row of so many cycles and misses, from a source, with so many targets.
    fn row(cycles: f64, misses: f64, source: &str, targets: u64) -> Row {
        let mut row = fixture::ok("call", cycles, cycles, (6.0, 2.0));
        let metrics = row.metrics.as_mut().expect("numbers");
        for (quantity, value) in [(Quantity::Cycles, cycles), (Quantity::BranchMisses, misses)] {
            metrics[quantity] = Metric::of(value, Basis::Measured, source);
        }
        row.params.insert(
            "targets".into(),
            crate::template::Value::Int(targets as i64),
        );
        row
    }

    #[test]
    fn a_miss_costs_what_the_row_has_more_than_one_that_misses_nothing() {
        #[rustfmt::skip] // a table: misses of the one and of the other, their source, and what one costs
        let table = [
            (0.875, 0.0,   "pmu",       Some(20.0)),
            (0.1,   0.0,   "pmu",       Some(175.0)),
            (0.099, 0.0,   "pmu",       None),
            (0.875, 0.009, "pmu",       Some(17.5 / (0.875 - 0.009))),
            (0.875, 0.01,  "pmu",       None),
            (0.875, 0.0,   "injection", None),
        ];
        for (misses, none, source, cost) in table {
            let mut rows = [row(30.0, misses, source, 8), row(12.5, none, source, 1)];
            cost_misses(&mut rows);
            let found = rows[0].metrics.as_ref().expect("numbers").further.first();
            let found = found.map(|one| (one.name.clone(), one.metric.value.expect("a number")));
            assert_eq!(found.is_some(), cost.is_some(), "{misses} {none} {source}");
            if let (Some((name, found)), Some(cost)) = (found, cost) {
                assert!(
                    name == PER_MISS && (found - cost).abs() < 1e-9,
                    "{found} {cost}"
                );
            }
            assert!(
                rows[1]
                    .metrics
                    .as_ref()
                    .expect("numbers")
                    .further
                    .is_empty()
            );
        }
    }

    #[test]
    fn rows_that_differ_in_more_than_their_receivers_are_not_compared() {
        let mut rows = [row(30.0, 0.875, "pmu", 8), row(12.5, 0.0, "pmu", 1)];
        rows[1]
            .params
            .insert("work".into(), crate::template::Value::Int(16));
        cost_misses(&mut rows);
        assert!(
            rows[0]
                .metrics
                .as_ref()
                .expect("numbers")
                .further
                .is_empty()
        );
    }
}
