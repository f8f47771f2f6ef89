//! Parameters that are scanned: which values, which points, and what the curve over them says.
//!
//! Correct means: the values are those that the text says and no others, their number is known
//! before any is made, and a sentence about a curve holds for every point that it names.

use std::fmt;

use crate::report::sweep::{BreakEven, Knee, SweepPoint};
use crate::report::{Comparison, Row};
use crate::stats::Quantity;
use crate::stats::knee::{self, Point};
use crate::stats::paired::Verdict;

/// Most points of a sweep.
pub const MAX_POINTS: u64 = 10_000;

/// A parameter and the values that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The parameter.
    pub key: String,
    /// Its values in order, as they would stand on the command line.
    pub values: Vec<String>,
}

/// What is wrong with the text of an axis: one sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisError(String);

impl fmt::Display for AxisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a range goes on.
enum Step {
    Add(u64),
    Multiply(u64),
}

impl Axis {
    /// Reads `KEY=1,2,4`, `KEY=0..63`, `KEY=0..64:+4` or `KEY=1..1024:x2`; ends are included.
    ///
    /// # Errors
    /// Where the text is none of these, a range is empty, backward or endless, or has too many
    /// values.
    pub fn parse(text: &str) -> Result<Axis, AxisError> {
        let wrong = |why: &str| AxisError(format!("`-P {text}`: {why}"));
        const FORM: &str = "write KEY=1,2,4 or KEY=0..63 or KEY=0..64:+4 or KEY=1..1024:x2";
        let (key, values) = text.split_once('=').ok_or_else(|| wrong(FORM))?;
        let (key, values) = (key.trim(), values.trim());
        if key.is_empty() || values.is_empty() {
            return Err(wrong(FORM));
        }
        let values = match values.split_once("..") {
            Some((first, rest)) => range(first, rest).map_err(|why| wrong(&why))?,
            None => values
                .split(',')
                .map(|one| one.trim().to_string())
                .collect(),
        };
        if values.iter().any(String::is_empty) {
            return Err(wrong("a value is missing between commas"));
        }
        let repeated = values
            .iter()
            .enumerate()
            .find(|(at, one)| values[..*at].contains(one));
        if let (Some((_, one)), true) = (repeated, values.len() < 1000) {
            return Err(wrong(&format!("{one} stands there twice")));
        }
        Ok(Axis {
            key: key.to_string(),
            values,
        })
    }

    /// Its values as numbers, where all are.
    fn numbers(&self) -> Option<Vec<f64>> {
        self.values.iter().map(|one| one.parse().ok()).collect()
    }
}

fn range(first: &str, rest: &str) -> Result<Vec<String>, String> {
    let (last, step) = match rest.split_once(':') {
        Some((last, step)) => (last, Some(step)),
        None => (rest, None),
    };
    let number = |text: &str| {
        text.trim()
            .parse::<u64>()
            .map_err(|_| format!("`{text}` is no whole number from 0"))
    };
    let (first, last) = (number(first)?, number(last)?);
    let step = match step.map(str::trim) {
        None => Step::Add(1),
        Some(step) => match (step.strip_prefix('+'), step.strip_prefix('x')) {
            (Some(by), _) => Step::Add(number(by)?),
            (_, Some(by)) => Step::Multiply(number(by)?),
            _ => return Err(format!("the step `{step}` is neither +N nor xN")),
        },
    };
    if last < first {
        return Err(format!("the range goes backward; write {last}..{first}"));
    }
    let next = |value: &u64| match step {
        Step::Add(by) => value.checked_add(by),
        Step::Multiply(by) => value.checked_mul(by),
    };
    if last > first && next(&first) == Some(first) {
        return Err("with this step the range never ends; the least are +1 and x2".into());
    }
    let values: Vec<u64> = std::iter::successors(Some(first), next)
        .take_while(|value| *value <= last)
        .take(MAX_POINTS as usize + 1)
        .collect();
    if values.len() as u64 > MAX_POINTS {
        return Err(format!("more than {MAX_POINTS} values; take a larger step"));
    }
    Ok(values.iter().map(u64::to_string).collect())
}

/// All points of one axis, or of a grid of two: the values by axis, the last axis fastest.
///
/// # Errors
/// Where there are too many, or two axes of one key.
pub fn points(axes: &[Axis]) -> Result<Vec<Vec<String>>, AxisError> {
    if let [one, other] = axes
        && one.key == other.key
    {
        let message = format!("`{}` is scanned twice; name two parameters", one.key);
        return Err(AxisError(message));
    }
    let count: u64 = axes.iter().map(|axis| axis.values.len() as u64).product();
    if count > MAX_POINTS {
        return Err(AxisError(format!(
            "{count} points, and a sweep has at most {MAX_POINTS}; take larger steps"
        )));
    }
    let mut points = vec![Vec::new()];
    for axis in axes {
        let with = |point: &Vec<String>| {
            let values = axis.values.iter().cloned();
            let point = point.clone();
            values
                .map(move |value| [point.clone(), vec![value]].concat())
                .collect::<Vec<_>>()
        };
        points = points.iter().flat_map(with).collect();
    }
    Ok(points)
}

/// Where each scenario's cycles bend along the only axis.
pub fn knees(axis: &Axis, names: &[String], points: &[SweepPoint], rows: &[Row]) -> Vec<Knee> {
    let Some(numbers) = axis.numbers() else {
        return Vec::new();
    };
    let bends =
        |(scenario, name): (usize, &String)| bends((axis, &numbers), name, points, rows, scenario);
    names.iter().enumerate().flat_map(bends).collect()
}

fn bends(
    (axis, numbers): (&Axis, &[f64]),
    name: &str,
    points: &[SweepPoint],
    rows: &[Row],
    scenario: usize,
) -> Vec<Knee> {
    let valued = points.iter().zip(numbers).filter_map(|(point, &number)| {
        let row = &rows[*point.rows.get(scenario)?];
        let y = row
            .value(Quantity::Cycles)
            .filter(|_| !row.is_disturbed())?;
        let layout = row
            .layout
            .map(|layout| layout.cycles_max - layout.cycles_min);
        let point = Point {
            x: number,
            y,
            uncertainty: layout.filter(|range| range.is_finite()).unwrap_or(0.0),
        };
        Some((number, row, point))
    });
    let mut valued: Vec<(f64, &Row, Point)> = valued.collect();
    valued.sort_by(|one, other| one.0.total_cmp(&other.0));
    let curve: Vec<Point> = valued.iter().map(|(_, _, point)| *point).collect();
    let knee = |at: usize| {
        let (number, _, point) = &valued[at];
        let (before_number, _, before) = &valued[at - 1];
        let how = if point.y > before.y { "rise" } else { "fall" };
        Knee {
            scenario: name.to_string(),
            key: axis.key.clone(),
            at: *number,
            metric: "cycles".into(),
            before: before.y,
            after: point.y,
            text: format!(
                "{name}: cycles {how} from {} {number} on: {:.2} at {before_number}, {:.2} at {number}",
                axis.key, before.y, point.y
            ),
        }
    };
    let found = on_both_axes(&curve);
    found.into_iter().map(knee).collect()
}

/// A line over the values is a curve over their logarithms, and the other way round: a knee is one on
/// both axes.
fn on_both_axes(curve: &[Point]) -> Vec<usize> {
    let found = knee::knees(curve);
    if curve.iter().any(|point| point.x <= 0.0) {
        return found;
    }
    let logarithmic: Vec<Point> = curve
        .iter()
        .map(|point| Point {
            x: point.x.log2(),
            ..*point
        })
        .collect();
    let confirmed = knee::knees(&logarithmic);
    found
        .into_iter()
        .filter(|at| confirmed.contains(at))
        .collect()
}

/// Where along the only axis each other scenario begins to win over the first.
pub fn break_evens(
    axis: &Axis,
    names: &[String],
    points: &[SweepPoint],
    rows: &[Row],
    comparisons: &[Comparison],
) -> Vec<BreakEven> {
    (1..names.len())
        .filter_map(|scenario| break_even(axis, names, points, rows, (comparisons, scenario)))
        .collect()
}

fn break_even(
    axis: &Axis,
    names: &[String],
    points: &[SweepPoint],
    rows: &[Row],
    (comparisons, scenario): (&[Comparison], usize),
) -> Option<BreakEven> {
    let verdict = |point: &SweepPoint| {
        let first = &comparisons.get(point.comparisons.clone())?;
        let other = &rows[point.rows[scenario]].scenario;
        let cycles = first
            .iter()
            .find(|one| one.metric == "cycles" && &one.other == other)?;
        let is_disturbed = |at: usize| rows[point.rows[at]].is_disturbed();
        cycles
            .verdict
            .filter(|_| !is_disturbed(0) && !is_disturbed(scenario))
    };
    let mut ordered: Vec<&SweepPoint> = points.iter().collect();
    if let Some(numbers) = axis.numbers() {
        let number = |point: &SweepPoint| {
            let at = axis
                .values
                .iter()
                .position(|value| *value == point.values[0]);
            at.map_or(f64::NAN, |at| numbers[at])
        };
        ordered.sort_by(|one, other| number(one).total_cmp(&number(other)));
    }
    let order: Vec<String> = ordered
        .iter()
        .map(|point| point.values[0].clone())
        .collect();
    let told: Vec<(&str, Verdict)> = ordered
        .iter()
        .filter_map(|point| Some((point.values[0].as_str(), verdict(point)?)))
        .collect();
    let untold: Vec<&str> = ordered
        .iter()
        .filter(|point| verdict(point).is_none())
        .map(|point| point.values[0].as_str())
        .collect();
    let (last_value, last) = *told.last()?;
    let (base, other) = (names[0].clone(), names[scenario].clone());
    let at = |wanted: Verdict| -> Vec<&str> {
        let these = told.iter().filter(|(_, verdict)| *verdict == wanted);
        these.map(|(value, _)| *value).collect()
    };
    let key = &axis.key;
    let list = |values: &[&str]| runs(values, &order);
    let winner = match last {
        Verdict::Faster => Some((&other, Verdict::Slower)),
        Verdict::Slower => Some((&base, Verdict::Faster)),
        _ => None,
    };
    let since = told
        .iter()
        .rposition(|(_, verdict)| *verdict != last)
        .map_or(0, |at| at + 1);
    let is_clean = winner.is_some_and(|(_, loser)| {
        told[..since].iter().all(|(_, verdict)| *verdict != last)
            && (since == 0 || told[..since].iter().any(|(_, verdict)| *verdict == loser))
    });
    let first_value = told[since].0;
    let unclear: Vec<&str> = told
        .iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::Same | Verdict::Undecided))
        .map(|(value, _)| *value)
        .collect();
    let mut text = match winner {
        Some((winner, _)) if since == 0 => {
            let loser = if winner == &base { &other } else { &base };
            let every = if untold.is_empty() && points.len() == axis.values.len() {
                ", at every point"
            } else {
                ""
            };
            format!("{winner} wins over {loser} from {key} {first_value} to {last_value}{every}")
        }
        Some((winner, _)) if is_clean => {
            let loser = if winner == &base { &other } else { &base };
            format!("{winner} wins over {loser} from {key} {first_value} on")
        }
        _ if at(Verdict::Faster).is_empty() && at(Verdict::Slower).is_empty() => {
            format!("neither {base} nor {other} is faster for sure at any {key}")
        }
        _ => {
            let part = |name: &str, values: Vec<&str>| {
                (!values.is_empty()).then(|| format!("{name} wins at {key} {}", list(&values)))
            };
            let parts = [
                part(&base, at(Verdict::Slower)),
                part(&other, at(Verdict::Faster)),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("no single break-even: {}", parts.join(", "))
        }
    };
    if !unclear.is_empty() && unclear.len() < told.len() {
        text += &format!("; nobody for sure at {}", list(&unclear));
    }
    if !untold.is_empty() {
        text += &format!("; no undisturbed number at {}", list(&untold));
    }
    Some(BreakEven {
        at: (is_clean && since > 0).then(|| first_value.to_string()),
        base,
        other,
        key: key.clone(),
        text,
    })
}

/// Neighbours on the axis as `first to last`.
fn runs(values: &[&str], axis: &[String]) -> String {
    let place = |value: &str| axis.iter().position(|one| one == value).unwrap_or(0);
    let runs = values.chunk_by(|one, next| place(next) == place(one) + 1);
    let told = runs.map(|run| match run {
        [] => String::new(),
        [one] => (*one).to_string(),
        [first, .., last] => format!("{first} to {last}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        Axis::parse(text).expect(text).values
    }

    #[test]
    fn an_axis_has_the_values_that_its_text_says() {
        assert_eq!(values("k=1,2,4"), ["1", "2", "4"]);
        assert_eq!(values("k = same, random"), ["same", "random"]);
        assert_eq!(values("k=0..3"), ["0", "1", "2", "3"]);
        assert_eq!(values("k=0..10:+4"), ["0", "4", "8"]);
        assert_eq!(values("k=1..8:x2"), ["1", "2", "4", "8"]);
        assert_eq!(values("k=3..20:x3"), ["3", "9"]);
        assert_eq!(values("k=5..5"), ["5"]);
        assert_eq!(values("k=0..9999").len(), 10_000);
        assert_eq!(values("work=0,8:dependent"), ["0", "8:dependent"]);
    }

    #[test]
    fn what_is_no_axis_says_why() {
        #[rustfmt::skip] // One refusal a row.
        let refusals = [
            ("k", "write KEY=1,2,4"),
            ("=1", "write KEY=1,2,4"),
            ("k=", "write KEY=1,2,4"),
            ("k=1,,2", "a value is missing"),
            ("k=1,2,1", "1 stands there twice"),
            ("k=8..1", "backward; write 1..8"),
            ("k=1..8:+0", "never ends"),
            ("k=1..8:x1", "never ends"),
            ("k=0..8:x2", "never ends"),
            ("k=1..8:2", "neither +N nor xN"),
            ("k=a..8", "`a` is no whole number"),
            ("k=1..", "`` is no whole number"),
            ("k=-1..8", "`-1` is no whole number"),
            ("k=0..10000", "more than 10000 values"),
            ("k=0..18446744073709551615", "more than 10000 values"),
        ];
        for (text, words) in refusals {
            let refusal = Axis::parse(text).expect_err(text).to_string();
            assert!(refusal.contains(words), "{text}: {refusal}");
        }
        assert_eq!(
            values("k=18446744073709551614..18446744073709551615").len(),
            2
        );
    }

    #[test]
    fn a_grid_has_every_pair_and_a_bound() {
        let axis = |text: &str| Axis::parse(text).expect(text);
        let grid = points(&[axis("a=1,2"), axis("b=x,y")]).expect("four");
        assert_eq!(grid, [["1", "x"], ["1", "y"], ["2", "x"], ["2", "y"]]);
        let many = points(&[axis("a=0..999"), axis("b=0..99")]).expect_err("many");
        assert!(many.to_string().contains("100000 points"));
        let twice = points(&[axis("a=1"), axis("a=2")]).expect_err("twice");
        assert!(twice.to_string().contains("scanned twice"));
    }

    #[test]
    fn neighbours_are_told_as_runs() {
        let axis: Vec<String> = ["1", "2", "4", "8", "16"].map(String::from).to_vec();
        assert_eq!(runs(&["1", "2", "4", "16"], &axis), "1 to 4, 16");
    }

    /// Rows of one scenario along an axis, all undisturbed.
    fn curve(axis: &Axis, cycles: &[f64]) -> (Vec<SweepPoint>, Vec<Row>) {
        let point = |(at, value): (usize, &String)| SweepPoint {
            values: vec![value.clone()],
            rows: vec![at],
            comparisons: 0..0,
        };
        let row = |cycles: &f64| crate::report::fixture::ok("call", *cycles, *cycles, (1.0, 1.0));
        (
            axis.values.iter().enumerate().map(point).collect(),
            cycles.iter().map(row).collect(),
        )
    }

    #[test]
    fn a_knee_is_told_with_its_direction_where_neither_disturbance_nor_placements_explain_it() {
        let axis = Axis::parse("n=1..64:x2").expect("an axis");
        let names = ["call".to_string()];
        let told = |cycles: &[f64], alter: fn(&mut [Row])| -> Vec<String> {
            let (points, mut rows) = curve(&axis, cycles);
            alter(&mut rows);
            knees(&axis, &names, &points, &rows)
                .into_iter()
                .map(|knee| knee.text)
                .collect()
        };
        let up = [5.0, 5.0, 5.0, 5.0, 7.0, 7.0, 7.0];
        let down = [9.0, 9.0, 9.0, 9.0, 5.0, 5.0, 5.0];
        assert_eq!(
            told(&up, |_| {}),
            ["call: cycles rise from n 16 on: 5.00 at 8, 7.00 at 16"]
        );
        assert_eq!(
            told(&down, |_| {}),
            ["call: cycles fall from n 16 on: 9.00 at 8, 5.00 at 16"]
        );
        // The range over placements is a little larger than the step, or a little smaller.
        assert!(
            told(&up, |rows| rows[4]
                .layout
                .iter_mut()
                .for_each(|it| it.cycles_max = 9.1))
            .is_empty()
        );
        assert_eq!(
            told(&up, |rows| rows[4]
                .layout
                .iter_mut()
                .for_each(|it| it.cycles_max = 8.9))
            .len(),
            1
        );
        // Of a point that was disturbed the curve has nothing.
        let spike = [5.0, 5.0, 5.0, 25.0, 5.0, 5.0, 5.0];
        assert!(!told(&spike, |_| {}).is_empty());
        assert!(told(&spike, |rows| rows[3].doubtful = true).is_empty());
    }

    #[test]
    fn a_line_over_the_values_or_over_their_logarithms_has_no_knee() {
        let names = ["call".to_string()];
        let told = |text: &str, cycles: fn(f64) -> f64| {
            let axis = Axis::parse(text).expect("an axis");
            let numbers = axis.numbers().expect("numbers");
            let (points, rows) = curve(
                &axis,
                &numbers.iter().map(|n| cycles(*n)).collect::<Vec<_>>(),
            );
            knees(&axis, &names, &points, &rows).len()
        };
        assert_eq!(told("n=1..64:x2", |n| 5.0 + n), 0);
        assert_eq!(told("n=1..64:x2", |n| 5.0 + 4.0 * n.log2()), 0);
        // Nought has no logarithm, so that a step away from it is one on its own axis.
        assert_eq!(told("n=0..6", |n| if n < 1.0 { 5.0 } else { 9.0 }), 1);
    }

    #[test]
    fn where_either_row_was_disturbed_nobody_wins() {
        use crate::stats::paired::Verdict::{Faster, Slower};
        let axis = Axis::parse("n=1..4").expect("an axis");
        let names = ["base".to_string(), "other".to_string()];
        let text = |disturbed: Option<usize>| {
            let row = |name: &str| crate::report::fixture::ok(name, 5.0, 5.0, (1.0, 1.0));
            let mut rows: Vec<Row> = (0..4).flat_map(|_| ["base", "other"].map(row)).collect();
            if let Some(at) = disturbed {
                rows[at].doubtful = true;
            }
            let point = |at: usize| SweepPoint {
                values: vec![axis.values[at].clone()],
                rows: vec![2 * at, 2 * at + 1],
                comparisons: at..at + 1,
            };
            let points: Vec<SweepPoint> = (0..4).map(point).collect();
            let comparison = |verdict| Comparison {
                base: "base".into(),
                other: "other".into(),
                metric: "cycles".into(),
                ratio: Some(1.0),
                low: None,
                high: None,
                p: None,
                verdict: Some(verdict),
                basis: crate::report::Basis::Measured,
                pairs: None,
                values: None,
                why: None,
            };
            let comparisons = [Slower, Slower, Faster, Faster].map(comparison);
            let found = break_evens(&axis, &names, &points, &rows, &comparisons);
            found[0].text.clone()
        };
        assert_eq!(text(None), "other wins over base from n 3 on");
        for at in [0, 1] {
            assert_eq!(
                text(Some(at)),
                "other wins over base from n 3 on; no undisturbed number at 1"
            );
        }
    }
}
