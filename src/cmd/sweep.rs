//! `sweep`: scenarios over one parameter or two.

use super::names::{bind_among, check_stdin, inputs, said};
use super::run::{Exports, Outputs};
use super::{Common, Stop};
use crate::axes::{Axis, points};
use crate::pipeline;
use crate::pipeline::points::{BoundPoint, sweep};
use crate::scenario::Scenario;

/// Milliseconds of timing for each image of each point.
pub(super) const TIME_MS: f64 = 20.0;

pub(super) fn run(
    common: &Common,
    names: &[String],
    axes: &[String],
    confidence: f64,
    exports: &Exports,
) -> Result<i32, Stop> {
    exports.check_samples(common)?;
    check_stdin(names)?;
    let usage = |why: &dyn std::fmt::Display| Stop::Usage(why.to_string());
    let axes: Result<Vec<Axis>, _> = axes.iter().map(|text| Axis::parse(text)).collect();
    let axes = axes.map_err(|error| usage(&error))?;
    if axes.len() > 2 {
        return Err(usage(
            &"`-P` more than twice: a sweep scans one parameter or two",
        ));
    }
    let bound = bind_points(common, names, &axes)?;
    let mut settings = common.settings(None)?;
    let rows = bound.iter().flat_map(|(_, all)| all);
    settings.said = said(common, &[], rows.map(|one| &one.name[..]))?;
    if common.time.is_none() && !common.quick {
        settings.plan.time_ms = TIME_MS;
    }
    settings.samples = exports.samples;
    let all: Vec<Scenario> = bound.iter().flat_map(|(_, all)| all.clone()).collect();
    let outputs = Outputs::open(exports, None, &inputs(common, names, &all)?)?;
    let _core = common.claim_core(&mut settings);
    let voice = common.progress();
    let report = sweep(
        &axes,
        names,
        &bound,
        &settings,
        confidence,
        &mut voice.telling(),
    )?;
    let Some(report) = report else {
        return Ok(0);
    };
    let code = pipeline::exit_code(&report);
    outputs.write(common, &report, voice)?;
    Ok(code)
}

/// Every point's scenarios: a value that one of them cannot have is refused before anything runs.
fn bind_points(common: &Common, names: &[String], axes: &[Axis]) -> Result<Vec<BoundPoint>, Stop> {
    let library = common.library()?;
    let fixed = common.parameters()?;
    if let Some(axis) = axes
        .iter()
        .find(|axis| fixed.iter().any(|(key, _)| *key == axis.key))
    {
        let message = format!("`{}` is scanned and bound by -p; leave one out", axis.key);
        return Err(Stop::Usage(message));
    }
    let points = points(axes).map_err(|error| Stop::Usage(error.to_string()))?;
    let mut bound = Vec::new();
    for values in points {
        let scanned = axes
            .iter()
            .map(|axis| axis.key.clone())
            .zip(values.iter().cloned());
        let parameters: Vec<(String, String)> = fixed.iter().cloned().chain(scanned).collect();
        bound.push((values, bind_among(&library, names, &parameters)?));
    }
    let scenarios = bound.first().map_or(&[][..], |(_, scenarios)| scenarios);
    for scenario in scenarios {
        common.tell(&scenario.template);
    }
    for axis in axes {
        let lacks = scenarios
            .iter()
            .filter(|one| !one.params.contains_key(&axis.key));
        for scenario in lacks {
            common.warn(&format!(
                "warning: {} has no `{}`; it is the same at every point\n",
                scenario.name, axis.key
            ));
        }
    }
    Ok(bound)
}
