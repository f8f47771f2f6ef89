//! From a scenario to what models of branch predictors would miss in it.
//!
//! Correct means: what cannot be told is said, with the exit code of its reason.

use std::io;

use super::Settings;
use crate::job::{Ask, Plan};
use crate::pipeline::status_code;
use crate::prepare::Prepared;
use crate::report::misses::{Modelled, NotModelled};
use crate::scenario::Scenario;
use crate::verdict;
use crate::worker::parent::{self, Progress};

/// Runs the models over so many iterations of a scenario, fewer where stepping them takes too long.
///
/// # Errors
/// When no worker can be started at all; inside, why there is nothing to tell.
pub fn predict(
    scenario: &Scenario,
    prepared: &Prepared,
    settings: &Settings,
    iterations: u64,
    progress: Progress<'_>,
) -> io::Result<Result<Modelled, NotModelled>> {
    let plan = Plan {
        ask: Ask::Model(iterations),
        placements: settings.plan.placements[..1].to_vec(),
        ..settings.plan.clone()
    };
    let outcome = parent::run(&plan, &[&prepared.row], settings.timeout, progress)?;
    let row = outcome.rows.into_iter().next().unwrap_or_default();
    Ok(match (row.prediction, row.failure) {
        (Some(prediction), None) if prediction.counted > 0 => {
            let mut modelled = verdict::told(prepared, &prediction);
            verdict::in_files(&scenario.template, &mut modelled);
            Ok(modelled)
        }
        (_, Some(failure)) => {
            let status = verdict::failed(scenario, prepared, &failure, &plan);
            Err(NotModelled {
                why: format!(
                    "{}; `dispatchlab step {}` shows where",
                    status.name(),
                    scenario.name
                ),
                code: status_code(&status),
            })
        }
        (Some(_), None) => Err(NotModelled {
            why: "too few iterations could be traced".into(),
            code: 0,
        }),
        (None, None) => Err(NotModelled {
            why: "interrupted; run it again".into(),
            code: outcome.interrupted.map_or(0, |signal| 128 + signal),
        }),
    })
}
