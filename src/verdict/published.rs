//! What suites say of rows: published figures, held against the rows of a run.
//!
//! Correct means: a figure meets the same metric of its own row, and a ratio the same metric of both
//! its rows; where one of them has no number, the figure says so.

use std::collections::BTreeMap;

use crate::report::{Basis, Held, Metric, Row};
use crate::stats::Quantity;
use crate::stats::quantity::significant;
use crate::template::remark::{self, Wanted};
use crate::template::{Figure, Said};

/// A number and how it was obtained, or why there is none.
type Ours = Result<(f64, Basis), String>;

/// Puts what is said of rows, by name, beside them, and a number of this run beside each published figure.
pub fn hold(rows: &mut [Row], said: &BTreeMap<String, Said>) {
    for row in rows.iter_mut() {
        if let Some(said) = said.get(&row.scenario).cloned() {
            row.published = said.published.into_iter().map(Held::from).collect();
            (row.section, row.today) = (said.section, said.today);
        }
    }
    let remarks: Vec<Option<String>> = rows
        .iter()
        .map(|row| {
            let number = |wanted: &Wanted<'_>| remarked(rows, row, wanted);
            row.today
                .as_ref()
                .and_then(|today| remark::filled(today, number))
        })
        .collect();
    for (row, remark) in rows.iter_mut().zip(remarks) {
        row.today = remark;
    }
    let held: Vec<Vec<Ours>> = rows
        .iter()
        .map(|row| {
            let figures = row.published.iter().map(|one| &one.published);
            figures
                .map(|one| ours(rows, row, &one.metric, &one.figure))
                .collect()
        })
        .collect();
    let modelled: BTreeMap<String, Vec<String>> = rows
        .iter()
        .map(|row| {
            let names = row.modelled_runtime.iter().map(|one| one.function.clone());
            (row.scenario.clone(), names.collect())
        })
        .collect();
    for (row, held) in rows.iter_mut().zip(held) {
        for (one, ours) in row.published.iter_mut().zip(held) {
            match ours {
                Ok((value, basis)) => {
                    let value = match basis {
                        Basis::Exact => value,
                        _ => significant(value),
                    };
                    (one.measured, one.basis) = (Some(value), Some(basis));
                    let of = match &one.published.figure {
                        Figure::Ratio { to, .. } => vec![&row.scenario, to],
                        Figure::Value { .. } => vec![&row.scenario],
                    };
                    one.modelled_runtime = of
                        .into_iter()
                        .flat_map(|row| modelled[row].clone())
                        .collect();
                    one.modelled_runtime.dedup();
                }
                Err(why) => one.why = Some(why),
            }
        }
    }
}

fn ours(rows: &[Row], row: &Row, metric: &str, figure: &Figure) -> Ours {
    let (value, basis) = value_of(row, metric)?;
    let Figure::Ratio { to, .. } = figure else {
        return Ok((value, basis));
    };
    let other = rows
        .iter()
        .find(|other| &other.scenario == to)
        .ok_or_else(|| format!("run it beside {to}"))?;
    let (base, other_basis) = value_of(other, metric)?;
    let basis = match basis {
        Basis::Exact => other_basis,
        _ => basis,
    };
    let ratio = value / base;
    if ratio.is_finite() {
        Ok((ratio, basis))
    } else {
        Err(format!("{to} has {base} {metric}"))
    }
}

/// A number in words, as it stands in a sentence.
fn remarked(rows: &[Row], row: &Row, wanted: &Wanted<'_>) -> Option<String> {
    let metric = wanted.metric;
    let name = metric.replace('_', " ");
    let Some(to) = wanted.to else {
        // What rounds to none has no sign.
        let rounded = (value_of(row, metric).ok()?.0 * 100.0).round() / 100.0 + 0.0;
        return Some(format!("{rounded:.2} {name}"));
    };
    let other = rows.iter().find(|other| other.scenario == to)?;
    let ratio = value_of(row, metric).ok()?.0 / value_of(other, metric).ok()?.0;
    if !ratio.is_finite() {
        return None;
    }
    let said = format!("{ratio:.2}× the {name} of `{to}`");
    let (Some(own), Some(others)) = (row.layout, other.layout) else {
        return Some(said);
    };
    let (least, most) = (
        own.cycles_min / others.cycles_max,
        own.cycles_max / others.cycles_min,
    );
    let is_of_time = matches!(
        Quantity::named(metric),
        Some(Quantity::Cycles | Quantity::Ns)
    );
    Some(match is_of_time {
        true if (least..=most).contains(&1.0) => {
            format!("{said}, which is within what placement moves ({least:.2} to {most:.2}×)")
        }
        true => format!("{said} ({least:.2} to {most:.2}× by place)"),
        false => said,
    })
}

fn value_of(row: &Row, metric: &str) -> Ours {
    let Some(metrics) = &row.metrics else {
        return Err(format!(
            "{} has no numbers: {}",
            row.scenario,
            row.status.name()
        ));
    };
    let number = |metric: &Metric| match metric.value.filter(|value| value.is_finite()) {
        Some(value) => Ok((value, metric.basis)),
        None => Err(metric.why.clone().unwrap_or_else(|| "not measured".into())),
    };
    let Some(around) = row.around else {
        return Err("the loop around the body was not counted".into());
    };
    // Time and misses are of the whole loop, and so is what is held against those who counted it.
    let whole = |metric: &Metric, around: f64| {
        let (own, basis) = number(metric)?;
        Ok((own + metric.subtracted.unwrap_or(around), basis))
    };
    // The baseline has cycles; one row's cycles and nanoseconds differ by one factor.
    let empty_ns = || {
        let baseline = row.baseline.as_ref().ok_or("the baseline was not timed")?;
        let (ns, basis) = number(&metrics[Quantity::Ns])?;
        let (empty, cycles) = (
            number(&baseline.cycles)?.0,
            number(&metrics[Quantity::Cycles])?.0,
        );
        Ok::<_, String>((ns, empty * ns / cycles, basis))
    };
    match (metric, Quantity::named(metric)) {
        (_, Some(Quantity::Instructions)) => {
            whole(&metrics[Quantity::Instructions], around.instructions)
        }
        (_, Some(Quantity::Branches)) => whole(&metrics[Quantity::Branches], around.branches),
        (_, Some(quantity)) => number(&metrics[quantity]),
        ("baseline_ns", _) => empty_ns().map(|(_, empty, basis)| (empty, basis)),
        // The loop's work overlaps with the body's, so this is nothing that was timed: it stands only beside the same
        // difference of others.
        ("net_ns", _) => empty_ns().map(|(ns, empty, basis)| match basis {
            Basis::Measured => (ns - empty, Basis::Inferred),
            basis => (ns - empty, basis),
        }),
        ("ipc", _) => {
            let (all, _) = whole(&metrics[Quantity::Instructions], around.instructions)?;
            let (cycles, basis) = number(&metrics[Quantity::Cycles])?;
            Ok((all / cycles, basis))
        }
        (other, _) => Err(format!("`{other}` is not measured here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Held, fixture};
    use crate::template::Published;

    /// What stands beside a figure of a row of 20 cycles, beside one of 10.
    fn held(metric: &str, to: Option<&str>, alter: fn(&mut [Row])) -> Held {
        let figure = match to {
            Some(to) => Figure::Ratio {
                ratio: 2.0,
                to: to.into(),
            },
            None => Figure::Value { value: 2.0 },
        };
        let mut rows = [
            fixture::ok("base", 10.0, 10.0, (4.0, 2.0)),
            fixture::ok("other", 20.0, 20.0, (6.0, 2.0)),
        ];
        rows[1].published = vec![Held::from(Published {
            source: "somebody".into(),
            metric: metric.into(),
            figure,
        })];
        alter(&mut rows);
        hold(&mut rows, &BTreeMap::new());
        rows[1].published.remove(0)
    }

    #[test]
    fn a_figure_meets_the_same_metric_of_the_whole_loop() {
        const NS: f64 = 1.0 / 3.694;
        // The loop around takes nine instructions and a branch, and an empty iteration 1.703 cycles.
        #[rustfmt::skip] // a table: one metric a line
        let table = [
            ("cycles",       20.0,                  Basis::Measured),
            ("ns",           20.0 * NS,             Basis::Measured),
            ("baseline_ns",  1.703 * NS,            Basis::Measured),
            ("net_ns",       (20.0 - 1.703) * NS,   Basis::Inferred),
            ("instructions", 15.0,                  Basis::Exact),
            ("branches",     3.0,                   Basis::Exact),
            ("ipc",          0.75,                  Basis::Measured),
            ("allocs",       0.0,                   Basis::Exact),
        ];
        for (metric, value, basis) in table {
            let held = held(metric, None, |_| {});
            let found = held.measured.unwrap_or(f64::NAN);
            assert!((found - value).abs() < 1e-4, "{metric}: {held:?}");
            assert_eq!(held.basis, Some(basis), "{metric}");
        }
        // What was subtracted is what goes back.
        let held = held("instructions", None, |rows| {
            let metrics = rows[1].metrics.as_mut().expect("numbers");
            metrics[Quantity::Instructions].subtracted = Some(7.0);
        });
        assert_eq!(held.measured, Some(13.0));
    }

    #[test]
    fn a_ratio_is_as_sure_as_the_less_sure_of_both() {
        let of = |metric, alter| {
            let held = held(metric, Some("base"), alter);
            (held.measured, held.basis)
        };
        assert_eq!(of("cycles", |_| {}), (Some(2.0), Some(Basis::Measured)));
        assert_eq!(
            of("instructions", |_| {}),
            (Some(15.0 / 13.0), Some(Basis::Exact))
        );
        fn noisy(row: &mut Row) {
            row.metrics.as_mut().expect("numbers")[Quantity::Instructions].basis = Basis::Measured;
        }
        for alter in [
            |rows: &mut [Row]| noisy(&mut rows[0]),
            |rows: &mut [Row]| noisy(&mut rows[1]),
        ] {
            assert_eq!(of("instructions", alter).1, Some(Basis::Measured));
        }
    }

    #[test]
    fn where_there_is_no_number_the_reason_stands() {
        let why = |metric, to, alter| held(metric, to, alter).why.expect("a reason");
        assert_eq!(
            why("cycles", Some("nobody"), |_| {}),
            "run it beside nobody"
        );
        assert_eq!(why("allocs", Some("base"), |_| {}), "base has 0 allocs");
        assert!(why("branch_misses", None, |_| {}).contains("no PMU"));
        assert!(why("ns", None, |rows| rows[1].metrics = None).contains("other has no numbers"));
        assert!(why("ns", None, |rows| rows[1].around = None).contains("was not counted"));
        assert!(why("net_ns", None, |rows| rows[1].baseline = None).contains("was not timed"));
    }
}
