//! `ablate`: what each marked part of a template costs.

use super::names::{bind_among, inputs, said};
use super::run::{Exports, Outputs};
use super::{Common, Stop};
use crate::pipeline;
use crate::pipeline::ablate::ablate;
use crate::prepare::apart;

/// Milliseconds of timing for each image, as `compare` takes.
const TIME_MS: f64 = 30.0;

pub(super) fn run(
    common: &Common,
    name: &str,
    confidence: f64,
    exports: &Exports,
) -> Result<i32, Stop> {
    exports.check_samples(common)?;
    let library = common.library()?;
    let bound = bind_among(&library, &[name.to_string()], &common.parameters()?)?;
    let [scenario] = &bound[..] else {
        unreachable!("one name is one scenario");
    };
    common.tell(&scenario.template);
    let parts = scenario.parts_by(&apart::render).map_err(Stop::Templates)?;
    if parts.is_empty() {
        return Err(Stop::Usage(format!(
            "{} marks no part; put `;! part NAME` and `;! end` around the lines to be left out",
            scenario.name
        )));
    }
    let mut settings = common.settings(None)?;
    settings.said = said(common, &[], [&scenario.name[..]].into_iter())?;
    if common.time.is_none() && !common.quick {
        settings.plan.time_ms = TIME_MS;
    }
    settings.samples = exports.samples;
    let outputs = Outputs::open(exports, None, &inputs(common, &[name.to_string()], &bound)?)?;
    let _core = common.claim_core(&mut settings);
    let voice = common.progress();
    let report = ablate(
        scenario,
        &parts,
        &settings,
        confidence,
        &mut voice.telling(),
    )?;
    let code = pipeline::exit_code(&report);
    outputs.write(common, &report, voice)?;
    Ok(code)
}
