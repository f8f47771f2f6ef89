//! `run`: measure, and print a report.

use super::names::resolve;
use super::{Common, Stop, print};
use crate::pipeline;
use crate::report::{json, text};

pub(super) fn run(common: &Common, names: &[String]) -> Result<i32, Stop> {
    let tour = ["tour".to_string()];
    let wanted = resolve(common, if names.is_empty() { &tour } else { names })?;
    let settings = common.settings(wanted.reference)?;
    let mut progress = common.progress();
    let report = pipeline::run(&wanted.scenarios, &settings, &mut progress)?;
    common.end_progress();
    let rendered = if common.json {
        json::render(&report)
    } else {
        text::render(&report, common.style())
    };
    print(&rendered)?;
    common.warn(&text::warnings(&report, common.error_style()));
    Ok(pipeline::exit_code(&report))
}
