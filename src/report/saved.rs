//! Reports that were written as JSON, read back to be compared with.
//!
//! Correct means: a row read back holds the numbers that were written, with their intervals, bases
//! and reasons, and a document of another kind or schema is refused with a reason.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{
    Baseline, Basis, ColdCall, Held, Layout, Metric, Metrics, ModelledRuntime, Provenance, Row,
    SiteMisses, Status,
};
use crate::stats::{Disturbances, Mode};
use crate::template::{Clobbers, Value};

/// What is read of a saved report.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedReport {
    /// The machine and the run.
    pub provenance: Provenance,
    /// The rows with numbers.
    pub rows: Vec<Row>,
    /// The rows without, each with its status.
    pub without_numbers: Vec<(String, String)>,
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
        field: &'static str,
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
                    "{row}: {field}: {why}, so nothing is compared with it; measure it again"
                )
            }
        }
    }
}

#[derive(Deserialize)]
struct Document {
    provenance: Provenance,
    rows: Vec<SavedRow>,
}

#[derive(Deserialize)]
struct SavedRow {
    scenario: String,
    template: String,
    template_path: String,
    template_sha256: String,
    params: BTreeMap<String, Value>,
    status: String,
    #[serde(default)]
    iterations: u64,
    metrics: Option<Metrics>,
    #[serde(default)]
    verified: bool,
    clobbers: Clobbers,
    baseline: Option<Baseline>,
    cold: Option<ColdCall>,
    layout: Option<Layout>,
    #[serde(default)]
    published: Vec<Held>,
    section: Option<String>,
    today: Option<String>,
    #[serde(default)]
    doubtful: bool,
    #[serde(default)]
    dropped_samples: u64,
    disturbances: Option<Disturbances>,
    #[serde(default)]
    modes: Vec<Mode>,
    #[serde(default)]
    modelled_runtime: Vec<ModelledRuntime>,
    title: String,
    note: Option<String>,
    /// Those of `branch_misses`.
    #[serde(skip)]
    sites: Vec<SiteMisses>,
}

/// More than anything can be in one iteration: `--timeout` ends one after a day, which is less in any unit.
const MOST: f64 = 1e15;
/// A count of misses may be a little below 0, for each branch that it is of.
const LEAST_MISSES: f64 = -0.02 * 16.0;
/// A difference of two entries may be below 0 by what both are off.
const LEAST_DIFFERENCE: f64 = -1e4;
/// Branches of an iteration that are the loop's own, which hardware counts the misses of too.
const LOOP_BRANCHES: f64 = 2.0;
/// Frequencies that a core or its time stamp counter has, Hz.
const FREQUENCIES: std::ops::RangeInclusive<f64> = 1e6..=1e11;

/// The numbers of a row, and the least that each can be; a time is above it.
fn numbers(row: &SavedRow) -> Vec<(&'static str, &Metric, f64)> {
    let mut numbers = Vec::new();
    if let Some(metrics) = &row.metrics {
        numbers.extend([
            ("ns", &metrics.ns, f64::MIN_POSITIVE),
            ("cycles", &metrics.cycles, f64::MIN_POSITIVE),
            ("instructions", &metrics.instructions, 0.0),
            ("branches", &metrics.branches, 0.0),
            ("branch_misses", &metrics.branch_misses, LEAST_MISSES),
            ("allocs", &metrics.allocs, 0.0),
            ("alloc_bytes", &metrics.alloc_bytes, 0.0),
        ]);
    }
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
type Rule = (&'static str, fn(&SavedRow, &Metrics) -> Option<String>);

#[rustfmt::skip] // a table: one rule a line
const RULES: [Rule; 9] = [
    ("status",        wrong_status),
    ("iterations",    |row, metrics| (metrics.cycles.value.is_some() && row.iterations == 0).then(|| "0 beside a number of cycles".into())),
    ("ns",            wrong_time),
    ("branches",      |_, metrics| more_than(&metrics.branches, &metrics.instructions, "instructions")),
    ("branch_misses", wrong_misses),
    ("layout",        wrong_layout),
    ("modes",         wrong_modes),
    ("dropped_samples", |row, _| row.disturbances.filter(|all| row.dropped_samples > all.chunks).map(|all| format!("{} of {} chunks", row.dropped_samples, all.chunks))),
    ("disturbances",  |row, _| row.disturbances.and_then(|one| one.steal_ms).filter(|ms| !(0.0..=MOST).contains(ms)).map(|ms| format!("{ms} ms of steal cannot be"))),
];

/// The first field of a row that cannot be, and why.
fn impossible(row: &SavedRow) -> Option<(&'static str, String)> {
    let mut wrong = numbers(row)
        .into_iter()
        .filter_map(|(name, metric, least)| Some((name, wrong_of(metric, least)?)));
    let broken = || match &row.metrics {
        Some(metrics) => RULES
            .iter()
            .find_map(|(field, wrong)| Some((*field, wrong(row, metrics)?))),
        None => (row.status == "ok").then(|| ("metrics", "a row that is `ok` has some".into())),
    };
    wrong.next().or_else(broken)
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
    // Of a number with noise six digits are written.
    let slack = 1e-5 * value.abs() + 1e-9;
    let (low, high) = (metric.low.unwrap_or(value), metric.high.unwrap_or(value));
    let is_inside = low - slack <= value && value <= high + slack;
    let is_finite = low >= least.min(0.0) && high.abs() <= MOST;
    (!is_inside || !is_finite)
        .then(|| format!("the interval {low} to {high} does not hold {value}"))
}

/// Numbers are of a row that came to its end, be it by a panic that was asked for.
fn wrong_status(row: &SavedRow, _: &Metrics) -> Option<String> {
    let is_ended = matches!(row.status.as_str(), "ok" | "panic");
    (!is_ended).then(|| format!("a row that is `{}` has no numbers", row.status))
}

/// Cycles and nanoseconds of one time are those of a core's frequency.
fn wrong_time(_: &SavedRow, metrics: &Metrics) -> Option<String> {
    let (ns, cycles) = (metrics.ns.value?, metrics.cycles.value?);
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
fn wrong_misses(row: &SavedRow, metrics: &Metrics) -> Option<String> {
    let slack = |most: f64| most * (1.0 + 1e-5) - LEAST_MISSES;
    let of_site = row.sites.iter().find_map(|site| {
        let (value, executions) = (site.value?, site.executions?);
        (value > slack(executions))
            .then(|| format!("{value} at `{}`, which runs {executions} times", site.label))
    });
    let all = || {
        let executions = row.sites.iter().map(|site| site.executions);
        let own = match row.sites.is_empty() {
            // A count of a part may be less than that of the whole.
            true => metrics
                .branches
                .value
                .filter(|_| metrics.branches.stepped.is_none())?,
            false => executions.sum::<Option<f64>>()?,
        };
        let most = match metrics.branch_misses.basis {
            Basis::Measured => own + LOOP_BRANCHES,
            _ => own,
        };
        let value = metrics.branch_misses.value?;
        (value > slack(most)).then(|| format!("{value} of {most} branches"))
    };
    of_site.or_else(all)
}

/// The cycles are those of the first placement, which is one of them.
fn wrong_layout(row: &SavedRow, metrics: &Metrics) -> Option<String> {
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
    let cycles = metrics.cycles.value?;
    let is_inside = ends[0] * (1.0 - ROUNDED) <= cycles && cycles <= ends[2] * (1.0 + ROUNDED);
    (!is_inside).then(|| format!("{} to {} does not hold {cycles} cycles", ends[0], ends[2]))
}

/// States have times, and shares of one whole.
fn wrong_modes(row: &SavedRow, _: &Metrics) -> Option<String> {
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
    let foreign = |error: serde_json::Error| ReadError::Foreign(error.to_string());
    let document: serde_json::Value = serde_json::from_str(text).map_err(foreign)?;
    match document.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(super::json::SCHEMA) => {}
        Some(schema) => return Err(ReadError::Schema(schema)),
        None => return Err(ReadError::Foreign("it has no `schema`".into())),
    }
    let sites = sites(&document).map_err(foreign)?;
    let mut document: Document = serde_json::from_value(document).map_err(foreign)?;
    let of_machine = impossible_machine(&document.provenance);
    for (row, sites) in document.rows.iter_mut().zip(sites) {
        row.sites = sites;
    }
    let of_row = |row: &SavedRow| {
        let (field, why) = impossible(row)?;
        Some((row.scenario.clone(), field, why))
    };
    let wrong = of_machine.map(|(field, why)| ("provenance".to_string(), field, why));
    if let Some((row, field, why)) = wrong.or_else(|| document.rows.iter().find_map(of_row)) {
        return Err(ReadError::Impossible { row, field, why });
    }
    let (with, without): (Vec<SavedRow>, Vec<SavedRow>) = document
        .rows
        .into_iter()
        .partition(|row| row.metrics.is_some());
    Ok(SavedReport {
        provenance: document.provenance,
        rows: with.into_iter().map(SavedRow::row).collect(),
        without_numbers: without
            .into_iter()
            .map(|row| (row.scenario, row.status))
            .collect(),
    })
}

/// The branches that the misses of each row are of.
fn sites(document: &serde_json::Value) -> serde_json::Result<Vec<Vec<SiteMisses>>> {
    let rows = document.get("rows").and_then(serde_json::Value::as_array);
    let of_row = |row: &serde_json::Value| match row.pointer("/metrics/branch_misses/sites") {
        Some(sites) => Vec::deserialize(sites),
        None => Ok(Vec::new()),
    };
    rows.into_iter().flatten().map(of_row).collect()
}

impl SavedReport {
    /// Whether a number in it is of a script, so that nothing was measured.
    pub fn is_scripted(&self) -> bool {
        let is_it = |source: &str| source == "fake";
        let sources = self.provenance.sources.iter();
        let of_metric = |metric: &Metric| metric.source.as_deref().is_some_and(is_it);
        let of_row = |row: &Row| {
            let metrics = row.metrics.as_ref();
            metrics.is_some_and(|own| {
                [
                    &own.ns,
                    &own.cycles,
                    &own.instructions,
                    &own.branches,
                    &own.branch_misses,
                ]
                .into_iter()
                .any(of_metric)
            })
        };
        sources.map(|line| &*line.source).any(is_it) || self.rows.iter().any(of_row)
    }
}

impl SavedRow {
    fn row(self) -> Row {
        Row {
            scenario: self.scenario,
            template: self.template,
            template_path: self.template_path,
            template_sha256: self.template_sha256,
            params: self.params,
            title: self.title,
            status: Status::Ok,
            iterations: self.iterations,
            checksum: None,
            metrics: self.metrics,
            sites: Vec::new(),
            further: Vec::new(),
            ratio: None,
            verified: self.verified,
            clobbers: self.clobbers,
            baseline: self.baseline,
            cold: self.cold,
            around: None,
            layout: self.layout,
            published: self.published,
            section: self.section,
            today: self.today,
            doubtful: self.doubtful,
            dropped_samples: self.dropped_samples,
            disturbances: self.disturbances,
            settled: None,
            modes: self.modes.try_into().ok(),
            modelled: None,
            modelled_runtime: self.modelled_runtime,
            note: self.note,
            samples: None,
            warnings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, json};

    #[test]
    fn what_was_written_is_read_back() {
        let report = fixture::report();
        let saved = read(&json::render(&report)).expect("a report");
        assert_eq!(saved.provenance, report.provenance);
        let with: Vec<&Row> = report
            .rows
            .iter()
            .filter(|row| row.metrics.is_some())
            .collect();
        assert_eq!(saved.rows.len(), with.len());
        for (saved, row) in saved.rows.iter().zip(with) {
            assert_eq!(
                (&saved.scenario, &saved.params),
                (&row.scenario, &row.params)
            );
            let cycles = |row: &Row| {
                row.metrics
                    .as_ref()
                    .and_then(|metrics| metrics.cycles.value)
            };
            assert_eq!(cycles(saved), cycles(row));
            assert_eq!(saved.layout, row.layout);
        }
        assert_eq!(
            saved.rows.len() + saved.without_numbers.len(),
            report.rows.len()
        );
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
