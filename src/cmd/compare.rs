//! `compare`: scenarios, files and saved reports in turns, each against the first.

use std::fs;
use std::path::Path;

use super::common::allows_scripts;
use super::names::{bind_among, check_stdin, inputs, said};
use super::run::{Exports, Outputs};
use super::{Common, Stop};
use crate::pipeline::compare::{Contestant, Saved, compare};
use crate::pipeline::{self, Task};
use crate::report::Report;
use crate::report::saved::{self, SavedReport};
use crate::scenario::Scenario;
use crate::stats::paired::Verdict;
use crate::template::library::path_of;

/// Milliseconds of timing for each image: two rows of five images, proved and timed, take half a
/// second.
const TIME_MS: f64 = 30.0;

/// What the names on the command line stand for.
enum Named {
    Scenario(Box<Scenario>),
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
    let contestants = contestants(common, names)?;
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
    settings.said = said(common, &[])?;
    if common.time.is_none() && !common.quick {
        settings.plan.time_ms = TIME_MS;
    }
    settings.samples = files.samples;
    let scenarios = contestants.iter().filter_map(|one| match one {
        Contestant::Task(task) => Some(task.scenario.clone()),
        Contestant::Saved(_) => None,
    });
    let scenarios: Vec<Scenario> = scenarios.collect();
    let outputs = Outputs::open(files, None, &inputs(common, names, &scenarios)?)?;
    let _core = common.claim_core(&mut settings);
    let mut progress = common.progress();
    let report = compare(contestants, &settings, confidence, &mut progress)?;
    common.end_progress();
    let code = pipeline::exit_code(&report);
    outputs.write(common, &report)?;
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

fn contestants(common: &Common, names: &[String]) -> Result<Vec<Contestant>, Stop> {
    check_stdin(names)?;
    let library = common.library()?;
    let is_report = |name: &&String| Path::new(name).extension().is_some_and(|end| end == "json");
    let scenarios: Vec<String> = names
        .iter()
        .filter(|name| !is_report(name))
        .cloned()
        .collect();
    let bound = bind_among(&library, &scenarios, &common.parameters()?)?;
    for scenario in &bound {
        common.tell(&scenario.template);
    }
    let mut bound = bound.into_iter();
    let mut named = Vec::new();
    for name in names {
        named.push(match is_report(&name) {
            true => Named::Report(name.clone(), Box::new(read(name)?)),
            false => match bound.next() {
                Some(scenario) => Named::Scenario(Box::new(scenario)),
                None => unreachable!("each name that is no report was bound"),
            },
        });
    }
    // A report among the others, or one that begins, is held against the rows of the same name.
    let wanted: Vec<&str> = named
        .iter()
        .filter_map(|one| match one {
            Named::Scenario(scenario) => Some(scenario.name.as_str()),
            Named::Report(..) => None,
        })
        .collect();
    let only = match (&named[0], &wanted[..]) {
        (_, [first, ..]) => Some((*first).to_string()),
        (Named::Report(_, report), []) if report.rows.len() == 1 => {
            Some(report.rows[0].scenario.clone())
        }
        _ => None,
    };
    let mut contestants = Vec::new();
    for one in &named {
        match one {
            Named::Scenario(scenario) => {
                contestants.push(Contestant::Task(Box::new(Task::new(scenario))));
            }
            Named::Report(file, report) => {
                contestants.push(Contestant::Saved(Box::new(pick(
                    file,
                    report,
                    only.as_deref(),
                )?)));
            }
        }
    }
    Ok(contestants)
}

/// The row of a saved report: the one named, or the only one.
fn pick(file: &str, report: &SavedReport, wanted: Option<&str>) -> Result<Saved, Stop> {
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
                return Err(Stop::Usage(format!(
                    "`{file}` has no row {wanted}; it has {}",
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
    })
}

fn read(file: &str) -> Result<SavedReport, Stop> {
    let text = fs::read_to_string(path_of(Path::new(file)))
        .map_err(|error| Stop::Usage(format!("`{file}`: cannot read it: {error}")))?;
    let saved = saved::read(&text).map_err(|error| Stop::Usage(format!("`{file}`: {error}")))?;
    if saved.is_scripted() && !allows_scripts() {
        return Err(Stop::Usage(format!(
            "`{file}`: its numbers are those of a script and none was measured; measure it again"
        )));
    }
    Ok(saved)
}
