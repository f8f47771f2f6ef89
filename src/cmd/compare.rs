//! `compare`: scenarios, files and saved reports in turns, each against the first.

use std::fmt::Display;
use std::io;
use std::path::Path;

use super::common::allows_scripts;
use super::names::{self, bind_fitting, check_stdin, inputs, named_in, said};
use super::run::{Exports, Outputs};
use super::{Common, Stop};
use crate::pipeline::compare::{Contestant, Saved, compare};
use crate::pipeline::{self, Task};
use crate::report::Report;
use crate::report::saved::{self, SavedReport};
use crate::scenario::Scenario;
use crate::stats::paired::Verdict;
use crate::sys::files;
use crate::template::library::{Library, path_of};
use crate::text::content::Content;

/// Milliseconds of timing for each image: two rows of five images, proved and timed, take half a
/// second.
pub(super) const TIME_MS: f64 = 30.0;

/// Confidence of the intervals where nobody says one.
pub(super) const CONFIDENCE: f64 = 0.95;

/// Longest report that is read.
const MAX_BYTES: u64 = 256 << 20;

/// What the names on the command line stand for.
enum Named {
    Template(names::Named),
    Report(String, Box<SavedReport>),
}

pub(super) fn run(
    common: &Common,
    names: &[String],
    confidence: f64,
    fail_above: Option<f64>,
    files: &Exports,
) -> Result<i32, Stop> {
    files.check_samples(common)?;
    let (contestants, left_out) = contestants(common, names)?;
    let states = |contestant: &Contestant| match contestant {
        Contestant::Task(task) => {
            let template = &task.scenario.template;
            (task.scenario.name.clone(), template.header.clobbers)
        }
        Contestant::Saved(saved) => (saved.row.scenario.clone(), saved.row.clobbers),
    };
    let (base, state) = states(&contestants[0]);
    if let Some((other, _)) = contestants
        .iter()
        .map(states)
        .find(|(_, one)| *one != state)
    {
        return Err(Stop::Usage(format!(
            "{base} and {other} keep the harness's state in different places (`clobbers`), which \
             costs differently; give both the same"
        )));
    }
    let mut settings = common.settings(None)?;
    let rows: Vec<String> = contestants.iter().map(|one| states(one).0).collect();
    settings.said = said(common, &[], rows.iter().map(String::as_str))?;
    if common.time.is_none() && !common.quick {
        settings.plan.time_ms = TIME_MS;
    }
    settings.samples = files.samples;
    settings.listing = files.has_document(common);
    let scenarios = contestants.iter().filter_map(|one| match one {
        Contestant::Task(task) => Some(task.scenario.clone()),
        Contestant::Saved(_) => None,
    });
    let scenarios: Vec<Scenario> = scenarios.collect();
    let outputs = Outputs::open(files, None, &inputs(common, names, &scenarios)?)?;
    // What was measured before takes no core.
    let is_measured = !scenarios.is_empty();
    let _core = is_measured
        .then(|| common.claim_core(&mut settings))
        .flatten();
    let voice = common.progress();
    let report = compare(contestants, &settings, confidence, &mut voice.telling())?;
    let code = pipeline::exit_code(&report).max(left_out);
    outputs.write(common, &report, voice)?;
    let mut failed = fail_above.map_or_else(Vec::new, |bound| above(&report, bound));
    if fail_above.is_some() {
        failed.extend(unshown(&report));
    }
    for message in &failed {
        common.warn(&format!("{message}\n"));
    }
    Ok(if failed.is_empty() { code } else { code.max(1) })
}

/// The rows that are slower than the base by more than `percent`.
fn above(report: &Report, percent: f64) -> Vec<String> {
    let cycles = report
        .comparisons
        .iter()
        .filter(|one| one.metric == "cycles");
    let is_slower = |ratio: &f64| *ratio > 1.0 + percent / 100.0;
    cycles
        .filter(|one| one.verdict == Some(Verdict::Slower))
        .filter_map(|one| Some((one, one.ratio.filter(is_slower)?)))
        .map(|(one, ratio)| {
            format!(
                "failed: {} takes {:.2} % more cycles than {}, and --fail-above allows {percent} %",
                one.other,
                (ratio - 1.0) * 100.0,
                one.base
            )
        })
        .collect()
}

/// The rows of which nothing was shown.
fn unshown(report: &Report) -> Vec<String> {
    let is_shown = |name: &str| {
        let cycles = report
            .comparisons
            .iter()
            .filter(|one| one.metric == "cycles");
        let mut of_it = cycles.filter(|one| one.other == name);
        of_it.any(|one| one.low.is_some() && one.high.is_some())
    };
    let others = report.rows.iter().skip(1).map(|row| &row.scenario);
    let unshown = others.filter(|name| !is_shown(name));
    unshown
        .map(|name| {
            format!("failed: nothing bounds the cycles of {name} (see why above), so --fail-above cannot pass")
        })
        .collect()
}

/// What the names stand for, and the exit code of those that are left out: a file that is wrong costs its own
/// comparisons, and all of them where it is the base.
fn contestants(common: &Common, names: &[String]) -> Result<(Vec<Contestant>, i32), Stop> {
    check_stdin(names)?;
    let library = common.library()?;
    let found: Vec<Result<Named, Stop>> = names
        .iter()
        .map(|name| named(&library, name))
        .collect::<Result<_, _>>()?;
    let templates: Vec<names::Named> = found
        .iter()
        .filter_map(|one| match one {
            Ok(Named::Template(named)) => Some(named.clone()),
            _ => None,
        })
        .collect();
    let bound = bind_fitting(&templates, &common.parameters()?)?;
    for scenario in &bound {
        common.tell(&scenario.template);
    }
    // A report among the others, or one that begins, is held against the rows of the same name.
    let only = match (&found[0], &bound[..]) {
        (_, [first, ..]) => Some(first.name.clone()),
        (Ok(Named::Report(_, report)), []) if report.rows.len() == 1 => {
            Some(report.rows[0].scenario.clone())
        }
        _ => None,
    };
    let mut bound = bound.iter();
    let contestant = |one: Result<Named, Stop>| match one? {
        Named::Template(_) => match bound.next() {
            Some(scenario) => Ok(Contestant::Task(Box::new(Task::new(scenario)))),
            None => unreachable!("each template was bound"),
        },
        Named::Report(file, report) => {
            let saved = pick(&file, &report, only.as_deref())?;
            Ok(Contestant::Saved(Box::new(saved)))
        }
    };
    sift(common, found.into_iter().map(contestant).collect())
}

/// Those that are right, where these are the base and another.
fn sift(
    common: &Common,
    all: Vec<Result<Contestant, Stop>>,
) -> Result<(Vec<Contestant>, i32), Stop> {
    let is_enough = all[0].is_ok() && all[1..].iter().any(Result::is_ok);
    let (mut right, mut code, mut last) = (Vec::new(), 0, None);
    for one in all {
        match one {
            Ok(one) => right.push(one),
            Err(stop) => {
                let earlier = last.replace(stop);
                code = earlier.map_or(code, |stop| explained(common, &stop).max(code));
            }
        }
    }
    match last {
        Some(stop) if !is_enough => Err(stop),
        Some(stop) => Ok((right, explained(common, &stop).max(code))),
        None => Ok((right, code)),
    }
}

fn explained(common: &Common, stop: &Stop) -> i32 {
    super::explain(stop, common.error_style())
}

/// The row of a saved report: the one named, or the only one.
pub(super) fn pick(file: &str, report: &SavedReport, wanted: Option<&str>) -> Result<Saved, Stop> {
    let names: Vec<&str> = report
        .rows
        .iter()
        .map(|row| row.scenario.as_str())
        .collect();
    let found = match (&names[..], wanted) {
        ([], _) => {
            let without = report.without_numbers.iter();
            let without: Vec<String> = without
                .map(|(name, status)| format!("{name} {status}"))
                .collect();
            return Err(Stop::Usage(format!(
                "`{file}` has no row with numbers ({}); measure it again",
                without.join(", ")
            )));
        }
        ([_], _) => 0,
        (_, Some(wanted)) => match names.iter().position(|name| *name == wanted) {
            Some(at) => at,
            None => {
                let mut without = report.without_numbers.iter();
                let why = without.find(|(name, _)| name == wanted);
                let why = why.map_or_else(
                    || format!("has no row {wanted}"),
                    |(_, status)| format!("has no numbers to compare of {wanted}: {status}"),
                );
                return Err(Stop::Usage(format!(
                    "`{file}` {why}; it has {}",
                    names.join(", ")
                )));
            }
        },
        (_, None) => {
            return Err(Stop::Usage(format!(
                "`{file}` has {} rows, and none is named: save one row each, or name the scenario \
                 that is to be compared",
                names.len()
            )));
        }
    };
    Ok(Saved {
        file: file.to_string(),
        row: report.rows[found].clone(),
        provenance: report.provenance.clone(),
        warnings: report.warnings.clone(),
    })
}

/// Whether a name is that of a saved report.
pub(super) fn is_report(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "json")
}

/// What a name means.
///
/// # Errors
/// That it means nothing; within, what is wrong with its file.
fn named(library: &Library, name: &str) -> Result<Result<Named, Stop>, Stop> {
    if !is_report(name) {
        return Ok(named_in(library, name)?.map(Named::Template));
    }
    let path = path_of(name);
    let wrong = |why: &dyn Display| Stop::Usage(format!("`{name}`: {why}"));
    if path.symlink_metadata().is_err() {
        return Err(wrong(
            &"there is no such file; `dispatchlab run NAME --export-json FILE` writes one",
        ));
    }
    Ok(read(&path)
        .map(|report| Named::Report(name.to_string(), Box::new(report)))
        .map_err(|why| wrong(&why)))
}

/// The text of a saved report that was measured.
pub(super) fn report_text(path: &Path) -> Result<String, String> {
    let bytes = files::read(path, MAX_BYTES + 1).map_err(|error| match error.kind() {
        io::ErrorKind::IsADirectory => "it is a folder".to_string(),
        _ => format!("cannot read it: {error}"),
    })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("a report has at most {} MiB", MAX_BYTES >> 20));
    }
    match Content::of(&bytes) {
        None | Some(Content::Report | Content::Json) => {}
        Some(content) => return Err(format!("no report: it is {content}")),
    }
    String::from_utf8(bytes).map_err(|_| "no report: it is not UTF-8 text".to_string())
}

/// A saved report whose numbers were measured.
pub(super) fn read(path: &Path) -> Result<SavedReport, String> {
    let text = report_text(path)?;
    let saved = saved::read(&text).map_err(|error| error.to_string())?;
    if saved.is_scripted() && !allows_scripts() {
        return Err(
            "its numbers are those of a script and none was measured; measure it again".into(),
        );
    }
    Ok(saved)
}
