//! `step`: one or a few iterations, instruction by instruction.

use super::names::bind;
use super::{Common, Stop, print_json, print_plain};
use crate::job::check::MAX_TRACED;
use crate::job::{Counters, Plan};
use crate::pipeline::{self, Settings};
use crate::prepare::prepare;
use crate::report::steps::{self, Steps};
use crate::steps::Drawn;
use crate::sys::interrupt;
use crate::worker::parent::signal_name;

/// What to run, and what to show of it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Stepped {
    /// Iterations to run
    #[arg(long, value_name = "N", default_value_t = 1)]
    iterations: u64,
    /// Also show the instructions of the harness
    #[arg(long)]
    harness: bool,
    /// Also say what models of predictors would miss at each branch, from a longer run
    #[arg(long)]
    misses: bool,
    /// Also draw the stack below each instruction that changes it
    #[arg(long)]
    stack: bool,
    /// Draw it above the instructions of this line of the template instead
    #[arg(long, value_name = "LINE", requires = "stack")]
    at: Option<u32>,
}

pub(super) fn step(common: &Common, name: &str, stepped: Stepped) -> Result<i32, Stop> {
    let Stepped {
        iterations,
        harness,
        misses,
        stack,
        at,
    } = stepped;
    if !(1..=MAX_TRACED).contains(&iterations) {
        return Err(Stop::Usage(format!(
            "`--iterations {iterations}`: 1 to {MAX_TRACED}"
        )));
    }
    let library = common.library()?;
    let scenario = bind(&library, name, &common.parameters()?)?;
    common.tell(&scenario.template);
    let settings = common.settings(None)?;
    let settings = Settings {
        plan: Plan {
            counters: Counters::None,
            placements: settings.plan.placements[..1].to_vec(),
            ..settings.plan
        },
        ..settings
    };
    let drawn = match at {
        Some(line) => Some(Drawn::Before(line)),
        None => stack.then_some(Drawn::Changes),
    };
    let voice = common.progress();
    let told = pipeline::step(
        &scenario,
        &settings,
        iterations,
        drawn,
        &mut voice.telling(),
    )?;
    drop(voice);
    if let Some(signal) = interrupt::seen() {
        let name = signal_name(signal);
        common.warn(&format!("warning: interrupted by {name}: run it again\n"));
        return Ok(128 + signal);
    }
    let mut told = told.map_err(Stop::Templates)?;
    if let Some(line) = at.filter(|line| !reaches(&told, *line)) {
        return Err(Stop::Usage(format!(
            "`--at {line}`: no instruction of that line ran; `dispatchlab step {name}` shows which do"
        )));
    }
    if misses {
        let prepared = prepare(&scenario).map_err(Stop::Templates)?;
        told.modelled = Some(super::misses::predict(common, &scenario, &prepared)?);
    }
    if common.json {
        print_json(&steps::json(&told, harness))?;
    } else {
        print_plain(&steps::text(&told, harness, common.style().width))?;
    }
    Ok(pipeline::status_code(&told.status))
}

/// Whether an iteration comes to an instruction of a line.
fn reaches(told: &Steps, line: u32) -> bool {
    let mut lines = told.iterations.iter().flat_map(|one| &one.lines);
    lines.any(|one| {
        one.line
            .as_ref()
            .is_some_and(|place| place.file.is_none() && place.line == line)
    })
}
