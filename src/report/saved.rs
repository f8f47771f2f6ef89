//! Reports that were written as JSON, read back to be compared with.
//!
//! Correct means: a row read back holds the numbers that were written, with their intervals, bases
//! and reasons, and a document of another kind or schema is refused with a reason.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::ablation::Ablation;
use super::sweep::Sweep;
use super::{Basis, CodeChange, Comparison, Metric, Metrics, Provenance, Report, Row};
use crate::stats::{Disturbances, Mode, Quantity};
use crate::text::json_words;

/// What is read of a saved report.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedReport {
    /// The machine and the run.
    pub provenance: Provenance,
    /// The rows with numbers.
    pub rows: Vec<Row>,
    /// The rows without, each with its status.
    pub without_numbers: Vec<(String, String)>,
    /// What stood above its rows.
    pub warnings: Vec<String>,
}

/// Why a text is no saved report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// It is no JSON, or lacks what a report has.
    Foreign(String),
    /// It is of another schema.
    Schema(u64),
    /// A number in it cannot have been measured, or contradicts another.
    Impossible {
        /// The scenario of its row, or `provenance`.
        row: String,
        /// Which field.
        field: String,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Foreign(why) => write!(
                f,
                "no report of `dispatchlab run --json` or --export-json: {why}"
            ),
            ReadError::Schema(schema) => write!(
                f,
                "a report of schema {schema}, and this version reads schema {}; measure it again",
                super::json::SCHEMA
            ),
            ReadError::Impossible { row, field, why } => {
                write!(
                    f,
                    "{row}: {field}: {why}, so the report is not believed; measure it again"
                )
            }
        }
    }
}

/// A report as it can be shown again.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The machine and the run.
    pub provenance: Provenance,
    /// All rows, in their order.
    pub rows: Vec<Shown>,
    /// What came of holding rows against the first one.
    pub comparisons: Vec<Comparison>,
    /// What differs in their code.
    pub changes: Vec<CodeChange>,
    /// What parts cost.
    pub ablation: Option<Ablation>,
    /// What was scanned; its points have rows of this document.
    pub sweep: Option<Sweep>,
    /// The reference row of the ratios.
    pub reference: Option<String>,
    /// Warnings about the run.
    pub warnings: Vec<String>,
}

/// A row with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its status is not read back.
    pub row: Row,
    /// The word for what became of it.
    pub status: String,
    /// Why, where it is not `ok`.
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    provenance: Provenance,
    rows: Vec<Row>,
    #[serde(default)]
    comparisons: Vec<Comparison>,
    #[serde(default)]
    changes: Vec<CodeChange>,
    #[serde(default)]
    ablation: Option<Ablation>,
    #[serde(default)]
    sweep: Option<Sweep>,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// More than anything can be in one iteration: `--timeout` ends one after a day, which is less in any unit.
const MOST: f64 = 1e15;
/// A difference of two entries may be below 0 by what both are off.
const LEAST_DIFFERENCE: f64 = -1e4;
/// Branches of an iteration that are the loop's own, which hardware counts the misses of too.
const LOOP_BRANCHES: f64 = 2.0;
/// Frequencies that a core or its time stamp counter has, Hz.
const FREQUENCIES: std::ops::RangeInclusive<f64> = 1e6..=1e11;

/// The numbers of a row, and the least that each can be.
fn numbers<'a>(row: &'a Row, metrics: &'a Metrics) -> Vec<(&'a str, &'a Metric, f64)> {
    let least = |name: &str| Quantity::named(name).map_or(0.0, |one| one.known().least);
    let all = metrics.all();
    let mut numbers: Vec<_> = all
        .map(|(name, _, metric)| (name, metric, least(name)))
        .collect();
    if let Some(baseline) = &row.baseline {
        numbers.push(("baseline.cycles", &baseline.cycles, 0.0));
        numbers.push(("baseline.instructions", &baseline.instructions, 0.0));
    }
    if let Some(cold) = &row.cold {
        numbers.push(("cold.cycles", &cold.cycles, LEAST_DIFFERENCE));
        numbers.push(("cold.warm", &cold.warm, LEAST_DIFFERENCE));
        numbers.push(("cold.scrub_ns", &cold.scrub_ns, 0.0));
    }
    numbers
}

/// What must hold of the fields of a row beside each other, and what is wrong where it does not.
type Rule = (&'static str, fn(&Row, &Metrics) -> Option<String>);

#[rustfmt::skip] // a table: one rule a line
const RULES: [Rule; 13] = [
    ("iterations",    |row, metrics| (metrics[Quantity::Cycles].value.is_some() && row.iterations == 0).then(|| "0 beside a number of cycles".into())),
    ("ns",            wrong_time),
    ("branches",      |_, metrics| more_than(&metrics[Quantity::Branches], &metrics[Quantity::Instructions], "instructions")),
    ("branch_misses", wrong_misses),
    ("alloc_bytes",   wrong_allocations),
    ("layout",        wrong_layout),
    ("modes",         wrong_modes),
    ("chunks",        |row, _| row.chunks.iter().flatten().find(|cycles| !(0.0..=MOST).contains(*cycles)).map(|cycles| format!("{cycles:e} cycles cannot be"))),
    ("dropped_samples", |row, _| row.disturbances.filter(|all| row.dropped_samples > all.chunks).map(|all| format!("{} of {} chunks", row.dropped_samples, all.chunks))),
    ("disturbances",  |row, _| row.disturbances.as_ref().and_then(wrong_disturbances)),
    ("ratio",         |row, _| row.ratio.filter(|ratio| !(*ratio > 0.0 && *ratio <= MOST)).map(|ratio| format!("{ratio} cannot be"))),
    ("around",        |row, _| row.around.filter(|own| !(own.instructions >= own.branches && own.branches >= 0.0 && own.instructions <= MOST)).map(|own| format!("{} branches of {} instructions cannot be", own.branches, own.instructions))),
    ("disturbances",  |row, _| row.disturbances.and_then(|one| one.steal_ms).filter(|ms| !(0.0..=MOST).contains(ms)).map(|ms| format!("{ms} ms of steal cannot be"))),
];

/// The first field of a row that cannot be, and why. Numbers are of a row that came to its end, be it by a panic that
/// was asked for.
fn impossible(row: &Row, status: &str) -> Option<(String, String)> {
    let is_ended = matches!(status, "ok" | "panic");
    let Some(metrics) = &row.metrics else {
        return (status == "ok").then(|| ("metrics".into(), "a row that is `ok` has some".into()));
    };
    let numbers = numbers(row, metrics).into_iter();
    let mut wrong =
        numbers.filter_map(|(name, metric, least)| Some((name, wrong_of(metric, least)?)));
    let of_status =
        || (!is_ended).then(|| ("status", format!("a row that is `{status}` has no numbers")));
    let of_rule = |(field, wrong): &Rule| Some((*field, wrong(row, metrics)?));
    let first = wrong
        .next()
        .or_else(of_status)
        .or_else(|| RULES.iter().find_map(of_rule));
    first.map(|(field, why)| (field.to_string(), why))
}

/// What is wrong with a number that is no less than `least`.
fn wrong_of(metric: &Metric, least: f64) -> Option<String> {
    let basis = metric.basis.name();
    let Some(value) = metric.value else {
        let is_sound = metric.basis == Basis::Unsupported;
        return (!is_sound).then(|| format!("{basis} without a value"));
    };
    let source = metric.source.as_deref().unwrap_or("none");
    let is_of_its_source = match source {
        "clock" | "pmu" | "kernel" | "fake" => metric.basis == Basis::Measured,
        "step" | "interpreter" | "allocator" => metric.basis == Basis::Exact,
        "injection" => metric.basis == Basis::Inferred,
        model => metric.basis == Basis::Modelled && model.starts_with("model:"),
    };
    if !is_of_its_source {
        return Some(format!("{value} is {basis}, and its source is `{source}`"));
    }
    if !(least..=MOST).contains(&value) {
        return Some(format!("{value} cannot be"));
    }
    if metric.stepped == Some(0) {
        return Some(format!("{value} is of 0 iterations"));
    }
    let is_one = [metric.low, metric.high]
        .iter()
        .flatten()
        .all(|end| *end == value);
    if metric.basis == Basis::Exact && !is_one {
        return Some(format!("{value} is exact, and has an interval"));
    }
    // Of a number with noise six digits are written.
    let slack = 1e-5 * value.abs() + 1e-9;
    let (low, high) = (metric.low.unwrap_or(value), metric.high.unwrap_or(value));
    let is_inside = low - slack <= value && value <= high + slack;
    let is_finite = low >= least.min(0.0) && high.abs() <= MOST;
    (!is_inside || !is_finite)
        .then(|| format!("the interval {low} to {high} does not hold {value}"))
}

/// Cycles and nanoseconds of one time are those of a core's frequency.
fn wrong_time(_: &Row, metrics: &Metrics) -> Option<String> {
    let (ns, cycles) = (
        metrics[Quantity::Ns].value?,
        metrics[Quantity::Cycles].value?,
    );
    let hz = cycles / ns * 1e9;
    (!FREQUENCIES.contains(&hz))
        .then(|| format!("{ns} beside {cycles} cycles: no core has {hz:e} Hz"))
}

/// Whether a number is above another that it is a part of. One of them may have noise.
fn more_than(part: &Metric, whole: &Metric, of: &str) -> Option<String> {
    const NOISE: f64 = 0.02;
    let (part_value, whole_value) = (part.value?, whole.value?);
    let is_exact = [part, whole].map(|one| one.basis == Basis::Exact) == [true; 2];
    let slack = if is_exact { 1e-9 } else { NOISE };
    let is_more = part_value > whole_value * (1.0 + slack) + slack;
    is_more.then(|| format!("{part_value} of {whole_value} {of}"))
}

/// A branch is mispredicted as often as it runs, at the most.
fn wrong_misses(_: &Row, metrics: &Metrics) -> Option<String> {
    let slack = |most: f64| most * (1.0 + 1e-5) - Quantity::BranchMisses.known().least;
    let of_site = metrics.sites.iter().find_map(|site| {
        let (value, executions) = (site.value?, site.executions?);
        let value = site.high.map_or(value, |high| high.max(value));
        (value > slack(executions))
            .then(|| format!("{value} at `{}`, which runs {executions} times", site.label))
    });
    let all = || {
        let executions = metrics.sites.iter().map(|site| site.executions);
        let own = match metrics.sites.is_empty() {
            // A count of a part may be less than that of the whole.
            true => metrics[Quantity::Branches]
                .value
                .filter(|_| metrics[Quantity::Branches].stepped.is_none())?,
            false => executions.sum::<Option<f64>>()?,
        };
        let most = match metrics[Quantity::BranchMisses].basis {
            Basis::Measured => own + LOOP_BRANCHES,
            _ => own,
        };
        let misses = &metrics[Quantity::BranchMisses];
        let is_inferred = misses.basis == Basis::Inferred;
        // What is inferred is bounded as a whole, and what is measured has noise.
        let value = misses.high.filter(|_| is_inferred).or(misses.value)?;
        let is_none = is_inferred && most == 0.0;
        let is_wrong = value > slack(most) || is_none && misses.value != Some(0.0);
        is_wrong.then(|| format!("{value} of {most} branches"))
    };
    of_site.or_else(all)
}

/// Bytes are those of allocations.
fn wrong_allocations(_: &Row, metrics: &Metrics) -> Option<String> {
    let count = metrics[Quantity::Allocs].value?;
    let bytes = metrics[Quantity::AllocBytes].value?;
    (count == 0.0 && bytes > 0.0).then(|| format!("{bytes} bytes in {count} allocations"))
}

/// No more chunks are dropped than there were.
fn wrong_disturbances(all: &Disturbances) -> Option<String> {
    let dropped = [
        ("switched", all.switched),
        ("interrupted", all.interrupted),
        ("shared_core", all.shared_core),
        ("suspected", all.suspected),
    ];
    let wrong = dropped
        .into_iter()
        .find(|(_, count)| count.is_some_and(|count| count > all.chunks));
    wrong.map(|(name, count)| format!("{name}: {} of {} chunks", count.unwrap_or(0), all.chunks))
}

/// The cycles are those of the first placement, which is one of them.
fn wrong_layout(row: &Row, metrics: &Metrics) -> Option<String> {
    /// Six digits are written.
    const ROUNDED: f64 = 1e-5;
    let layout = row.layout.as_ref()?;
    let ends = [layout.cycles_min, layout.cycles_median, layout.cycles_max];
    let is_sound = ends.iter().all(|end| (0.0..=MOST).contains(end)) && ends.is_sorted();
    if !is_sound || layout.placements == 0 {
        let [min, median, max] = ends;
        let placements = layout.placements;
        return Some(format!(
            "{min} to {median} to {max} over {placements} placements is no range of cycles"
        ));
    }
    let cycles = metrics[Quantity::Cycles].value?;
    let is_inside = ends[0] * (1.0 - ROUNDED) <= cycles && cycles <= ends[2] * (1.0 + ROUNDED);
    (!is_inside).then(|| format!("{} to {} does not hold {cycles} cycles", ends[0], ends[2]))
}

/// States have times, and shares of one whole.
fn wrong_modes(row: &Row, _: &Metrics) -> Option<String> {
    let is_time = |mode: &Mode| mode.cycles > 0.0 && mode.cycles <= MOST;
    let is_share = |mode: &Mode| (0.0..=1.0).contains(&mode.share);
    let wrong = row
        .modes
        .iter()
        .find(|mode| !is_time(mode) || !is_share(mode));
    let shares: f64 = row.modes.iter().map(|mode| mode.share).sum();
    let of_one = wrong.map(|mode| {
        format!(
            "{} cycles in {} of the turns cannot be",
            mode.cycles, mode.share
        )
    });
    of_one
        .or_else(|| (shares > 1.0 + 1e-5).then(|| format!("shares of {shares} are more than all")))
}

/// The first field of the provenance that cannot be, and why.
fn impossible_machine(machine: &Provenance) -> Option<(&'static str, String)> {
    let is_known = |hz: &Option<f64>| hz.is_none_or(|hz| FREQUENCIES.contains(&hz));
    let hertz = [("tsc_hz", machine.tsc_hz), ("core_hz", machine.core_hz)];
    let wrong = hertz.into_iter().find(|(_, hz)| !is_known(hz));
    let spread = machine
        .core_hz_spread
        .filter(|spread| !(0.0..=MOST).contains(spread));
    wrong
        .and_then(|(field, hz)| Some((field, format!("{} Hz cannot be", hz?))))
        .or_else(|| Some(("core_hz_spread", format!("{} cannot be", spread?))))
}

/// Reads a report.
///
/// # Errors
/// Where the text is no report of this schema, or a number in it cannot be.
pub fn read(text: &str) -> Result<SavedReport, ReadError> {
    let mut document = document(text)?;
    let mut seen = HashSet::new();
    let rows = document.rows.iter();
    let again: HashSet<String> = rows
        .map(|shown| &shown.row.scenario)
        .filter(|name| !seen.insert(*name))
        .cloned()
        .collect();
    // What does not have the parameter of a sweep is measured once for each of its values.
    let is_sweep = document.sweep.is_some();
    if let Some(row) = again.iter().min().filter(|_| !is_sweep) {
        return Err(ReadError::Impossible {
            row: row.clone(),
            field: "scenario".into(),
            why: "there are two rows of this name".into(),
        });
    }
    document
        .rows
        .retain(|shown| !again.contains(&shown.row.scenario));
    let (with, without): (Vec<_>, Vec<_>) = document
        .rows
        .into_iter()
        .partition(|shown| shown.row.metrics.is_some());
    let words = without
        .into_iter()
        .map(|shown| (shown.row.scenario, shown.status));
    let several = again
        .into_iter()
        .map(|name| (name, "is there once for each point of a sweep".to_string()));
    let words = words.chain(several);
    Ok(SavedReport {
        provenance: document.provenance,
        rows: with.into_iter().map(|shown| shown.row).collect(),
        without_numbers: words.collect(),
        warnings: document.warnings,
    })
}

/// Reads all of a report that can be shown.
///
/// # Errors
/// Those of [`read`].
pub fn document(text: &str) -> Result<Document, ReadError> {
    let foreign = |error: serde_json::Error| ReadError::Foreign(json_words::said(&error));
    let value: Value = serde_json::from_str(text).map_err(foreign)?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(schema) if schema == u64::from(super::json::SCHEMA) => {}
        Some(schema) => return Err(ReadError::Schema(schema)),
        None => return Err(ReadError::Foreign("it has no `schema`".into())),
    }
    let rows = value["rows"].as_array().into_iter().flatten();
    let ends: Vec<(String, Option<String>)> = rows.map(ended).collect();
    let written: Written = serde_json::from_value(value).map_err(foreign)?;
    let all = written.rows.into_iter().zip(ends);
    let shown = all.map(|(row, (status, reason))| Shown {
        row,
        status,
        reason,
    });
    let document = Document {
        provenance: written.provenance,
        rows: shown.collect(),
        comparisons: written.comparisons,
        changes: written.changes,
        ablation: written.ablation,
        sweep: written.sweep,
        reference: written.reference,
        warnings: written.warnings,
    };
    document.check()?;
    Ok(document)
}

/// The word for what became of a row, and its reason.
fn ended(row: &Value) -> (String, Option<String>) {
    let status = row["status"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_string);
    let reason = match status {
        "panic" => text(&row["panic"]),
        "wrong-result" => Some(format!(
            "element {}: {} instead of {}",
            row["element"], row["actual"], row["expected"]
        )),
        "error" => text(&row["diagnostics"][0]["message"]),
        _ => text(&row["fault"]["message"]).map(|message| match row["fault"]["line"].as_u64() {
            Some(line) => format!("line {line}: {message}"),
            None => message,
        }),
    };
    (status.to_string(), reason)
}

impl Document {
    /// The same of a report that was not written yet.
    pub fn of(report: &Report) -> Document {
        let shown = |row: &Row| Shown {
            row: row.clone(),
            status: row.status.name().to_string(),
            reason: Some(super::terminal::reason(&row.status)).filter(|reason| !reason.is_empty()),
        };
        Document {
            provenance: report.provenance.clone(),
            rows: report.rows.iter().map(shown).collect(),
            comparisons: report.comparisons.clone(),
            changes: report.changes.clone(),
            ablation: report.ablation.clone(),
            sweep: report.sweep.clone(),
            reference: report.reference.clone(),
            warnings: report.warnings.clone(),
        }
    }

    /// Refuses numbers that cannot be.
    fn check(&self) -> Result<(), ReadError> {
        let of_machine = impossible_machine(&self.provenance);
        let wrong =
            of_machine.map(|(field, why)| ("provenance".to_string(), field.to_string(), why));
        let of_row = |shown: &Shown| {
            let (field, why) = impossible(&shown.row, &shown.status)?;
            Some((shown.row.scenario.clone(), field, why))
        };
        let outside = || {
            let sweep = self.sweep.as_ref()?;
            let mut named = sweep.points.iter().flat_map(|point| &point.rows);
            let row = named.find(|row| **row >= self.rows.len())?;
            let why = format!("a point has row {row} of {}", self.rows.len());
            Some(("sweep".to_string(), "points".to_string(), why))
        };
        let wrong = wrong
            .or_else(|| self.rows.iter().find_map(of_row))
            .or_else(outside);
        match wrong {
            None => Ok(()),
            Some((row, field, why)) => Err(ReadError::Impossible { row, field, why }),
        }
    }
}

impl SavedReport {
    /// Whether a number in it is of a script, so that nothing was measured.
    pub fn is_scripted(&self) -> bool {
        let is_it = |source: &str| source == "fake";
        let sources = self.provenance.sources.iter();
        let of_metric = |metric: &Metric| metric.source.as_deref().is_some_and(is_it);
        let of_row = |row: &Row| {
            let metrics = row.metrics.as_ref();
            metrics.is_some_and(|own| own.all().any(|(_, _, metric)| of_metric(metric)))
        };
        sources.map(|line| &*line.source).any(is_it) || self.rows.iter().any(of_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Status, fixture, json};

    #[test]
    fn what_was_written_is_read_back() {
        let report = fixture::report();
        let saved = read(&json::render(&report)).expect("a report");
        assert_eq!(saved.provenance, report.provenance);
        let (with, without): (Vec<Row>, Vec<Row>) = report
            .rows
            .iter()
            .cloned()
            .partition(|row| row.metrics.is_some());
        let words = without
            .iter()
            .map(|row| (row.scenario.clone(), row.status.name().to_string()));
        assert_eq!(saved.without_numbers, words.collect::<Vec<_>>());
        let document = |rows: Vec<Row>| {
            json::render(&Report {
                rows,
                ..fixture::report()
            })
        };
        // What a row with numbers ended in is not read.
        let with = with.into_iter().map(|row| Row {
            status: Status::Ok,
            ..row
        });
        assert_eq!(document(saved.rows), document(with.collect()));
    }

    #[test]
    fn another_document_is_refused_with_a_reason() {
        let why = |text: &str| read(text).expect_err(text).to_string();
        assert!(why("body:\n nop").contains("no report of `dispatchlab run --json`"));
        assert!(why("{}").contains("it has no `schema`"));
        assert!(why("{\"schema\": 1}").contains("provenance"));
        assert!(why("{\"schema\": 7}").contains("schema 7, and this version reads schema 1"));
    }
}
