//! `run NAMES --overlay DIR --compare`: each row without the overlay and with it.
//!
//! Correct means: a row is held against the one of its name, and a name that only one side has is told.

use std::collections::BTreeMap;

use super::names::{inputs, resolve_in, said};
use super::run::{Exports, Outputs};
use super::{Common, Stop};
use crate::pipeline;
use crate::pipeline::overlay::effect;
use crate::scenario::Scenario;

/// Milliseconds of timing for each image, as `compare` takes.
const TIME_MS: f64 = 30.0;
/// Of all intervals together.
const CONFIDENCE: f64 = 0.95;

pub(super) fn compare(common: &Common, names: &[String], exports: &Exports) -> Result<i32, Stop> {
    exports.check_samples(common)?;
    let tour = ["tour".to_string()];
    let names = if names.is_empty() { &tour } else { names };
    if common.overlay.is_none() {
        let message = "`--compare` holds rows against those of an overlay: name its folder with --overlay DIR; \
                       `dispatchlab compare` holds rows of other names against each other";
        return Err(Stop::Usage(message.into()));
    }
    let above = common.library()?;
    common.tell_overlay(&above);
    let with = resolve_in(common, &above, names)?;
    let without = resolve_in(common, &above.clone().under(None)?, names)?;
    let mut others: BTreeMap<&str, &Scenario> = with
        .scenarios
        .iter()
        .map(|scenario| (&scenario.name[..], scenario))
        .collect();
    let (mut pairs, mut gone) = (Vec::new(), Vec::new());
    for scenario in &without.scenarios {
        match others.remove(&scenario.name[..]) {
            Some(other) => pairs.push((scenario.clone(), other.clone())),
            None => gone.push(&scenario.name[..]),
        }
    }
    let new: Vec<&str> = others.into_keys().collect();
    for (names, which) in [(new, "with"), (gone, "without")] {
        if !names.is_empty() {
            common.warn(&format!(
                "warning: there only {which} the overlay, and held against nothing: {}\n",
                names.join(", ")
            ));
        }
    }
    let mut settings = common.settings(None)?;
    settings.said = said(common, &[], pairs.iter().map(|(one, _)| &one.name[..]))?;
    if common.time.is_none() && !common.quick {
        settings.plan.time_ms = TIME_MS;
    }
    settings.samples = exports.samples;
    let outputs = Outputs::open(exports, None, &inputs(common, names, &with.scenarios)?)?;
    let _core = common.claim_core(&mut settings);
    let voice = common.progress();
    let report = effect(&pairs, &settings, CONFIDENCE, &mut voice.telling())?;
    let code = pipeline::exit_code(&report);
    outputs.write(common, &report, voice)?;
    Ok(code)
}
