//! What `show --misses` and `step --misses` have in common: the run that the models are shown.

use super::{Common, Stop};
use crate::job::{Counters, Plan};
use crate::pipeline::{Settings, predict};
use crate::prepare::Prepared;
use crate::report::misses::{Modelled, NotModelled};
use crate::scenario::Scenario;

/// Iterations that the models are shown, where tracing them does not take too long.
const ITERATIONS: u64 = 65_536;
/// Iterations that they are shown beside a measurement, so that it takes no tenth of a second longer.
pub(super) const BESIDE: u64 = 16_384;
/// With `--quick`.
const QUICK: u64 = 2048;

pub(super) fn predict(
    common: &Common,
    scenario: &Scenario,
    prepared: &Prepared,
) -> Result<Result<Modelled, NotModelled>, Stop> {
    let settings = common.settings(None)?;
    let settings = Settings {
        plan: Plan {
            counters: Counters::None,
            ..settings.plan
        },
        ..settings
    };
    let iterations = if common.quick { QUICK } else { ITERATIONS };
    let voice = common.progress();
    let modelled = predict::predict(
        scenario,
        prepared,
        &settings,
        iterations,
        &mut voice.telling(),
    )?;
    drop(voice);
    Ok(modelled)
}
