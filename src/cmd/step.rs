//! `step`: one or a few iterations, instruction by instruction.

use super::names::bind;
use super::{Common, Stop, print};
use crate::job::check::MAX_TRACED;
use crate::job::{Counters, Plan};
use crate::pipeline::{self, Settings};
use crate::report::steps;
use crate::template::library::Library;

pub(super) fn step(
    common: &Common,
    name: &str,
    iterations: u64,
    harness: bool,
    misses: bool,
) -> Result<i32, Stop> {
    if !(1..=MAX_TRACED).contains(&iterations) {
        return Err(Stop::Usage(format!(
            "`--iterations {iterations}`: 1 to {MAX_TRACED}"
        )));
    }
    let library = Library::new(common.templates.clone())?;
    let scenario = bind(&library, name, &common.parameters()?)?;
    let settings = common.settings(None)?;
    let settings = Settings {
        plan: Plan {
            counters: Counters::None,
            placements: settings.plan.placements[..1].to_vec(),
            ..settings.plan
        },
        ..settings
    };
    let mut progress = common.progress();
    let told = pipeline::step(&scenario, &settings, iterations, &mut progress)?;
    common.end_progress();
    let mut told = told.map_err(Stop::Templates)?;
    if misses {
        let prepared = pipeline::prepare(&scenario).map_err(Stop::Templates)?;
        told.modelled = Some(super::misses::predict(common, &scenario, &prepared)?);
    }
    print(&if common.json {
        steps::json(&told, harness)
    } else {
        steps::text(&told, harness, common.style().width)
    })?;
    Ok(pipeline::status_code(&told.status))
}
