//! `check`: what is wrong with templates and suites, for editors and CI.

mod unset;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::common::hidden;
use super::names::{check_stdin, of_suite};
use super::{Common, Stop, print_json, print_plain};
use crate::prepare::prepare;
use crate::scenario::Scenario;
use crate::template::Template;
use crate::template::library::Library;
use crate::text::diagnostic;
use crate::text::diagnostic::Diagnostic;

pub(super) fn check(common: &Common, files: &[String]) -> Result<i32, Stop> {
    check_stdin(files)?;
    let library = common.library()?;
    let parameters = common.parameters()?;
    let (mut found, mut code) = (Vec::new(), 0);
    for file in files {
        match check_one(common, &library, file, &parameters) {
            Ok(checked) => found.push((file, checked)),
            // A name that means nothing hides nothing of the others.
            Err(stop) => code = code.max(super::explain(&stop, common.error_style())),
        }
    }
    if common.json {
        let files: Vec<_> = found
            .iter()
            .map(|(file, checked)| {
                json!({
                    "file": file,
                    "diagnostics": checked.diagnostics,
                    "hints": checked.hints,
                    "listed": checked.listed,
                })
            })
            .collect();
        print_json(&format!("{:#}\n", json!({ "schema": 1, "files": files })))?;
    }
    // Any other bytes would have been refused.
    let listed = found
        .iter()
        .filter(|(_, checked)| checked.listed > 0 && checked.diagnostics.is_empty());
    for (file, Checked { listed, .. }) in listed.filter(|_| !common.json) {
        print_plain(&format!(
            "{file}: {listed} of {listed} instructions byte-identical to the listing\n"
        ))?;
    }
    let (mut all, mut hints) = (Vec::new(), Vec::new());
    for (_, checked) in found {
        all.extend(checked.diagnostics);
        hints.extend(checked.hints);
    }
    if !common.json && !hints.is_empty() {
        common.say(&diagnostic::render_hints(&hints, common.error_style()));
    }
    if all.is_empty() {
        return Ok(code);
    }
    if common.json {
        Ok(3)
    } else {
        Err(Stop::Templates(all))
    }
}

/// What is wrong with a file.
fn check_one(
    common: &Common,
    library: &Library,
    file: &str,
    parameters: &[(String, String)],
) -> Result<Checked, Stop> {
    if let Some(diagnostics) = check_suite(library, file, parameters)? {
        return Ok(Checked::wrong(diagnostics));
    }
    match library.load(file) {
        Ok(template) => {
            common.tell_reading(&template);
            check_template(&Arc::new(template), parameters)
        }
        Err(error) => Ok(Checked::wrong(error.diagnostics()?)),
    }
}

/// What is wrong with a suite and with its rows; none where the name means something else.
fn check_suite(
    library: &Library,
    name: &str,
    parameters: &[(String, String)],
) -> Result<Option<Vec<Diagnostic>>, Stop> {
    Ok(match library.suite(name) {
        Ok(None) => None,
        Ok(Some(suite)) => {
            let rows = of_suite(library, &suite, parameters)?;
            Some(rows.into_iter().flat_map(|row| row.refused).collect())
        }
        Err(error) => Some(error.diagnostics()?),
    })
}

/// What was found in a file.
struct Checked {
    /// What is wrong.
    diagnostics: Vec<Diagnostic>,
    /// What is allowed, and most likely not meant.
    hints: Vec<Diagnostic>,
    /// Instructions that have the bytes of a listing.
    listed: u32,
}

impl Checked {
    fn wrong(diagnostics: Vec<Diagnostic>) -> Checked {
        Checked {
            diagnostics,
            hints: Vec::new(),
            listed: 0,
        }
    }
}

/// Checks the template at its defaults, and at each other value of each listed parameter, because
/// a branch that the defaults do not take is part of the file too.
fn check_template(
    template: &Arc<Template>,
    parameters: &[(String, String)],
) -> Result<Checked, Stop> {
    let mut bindings = vec![parameters.to_vec()];
    for (name, param) in &template.header.params {
        for value in param.allowed.iter().skip(1) {
            let mut binding = vec![(name.clone(), value.to_string())];
            binding.extend_from_slice(parameters);
            bindings.push(binding);
        }
    }
    let mut seen = BTreeSet::new();
    let mut checked = Checked {
        diagnostics: Vec::new(),
        hints: hidden(template),
        listed: 0,
    };
    let mut is_new = |one: &Diagnostic| seen.insert((one.line, one.column, one.message.clone()));
    for binding in &bindings {
        let scenario = Scenario::bind(Arc::clone(template), binding)?;
        match prepare(&scenario) {
            Ok(prepared) => {
                let sections = &prepared.row.program.sections;
                checked.listed = sections.iter().map(|section| section.listed).sum();
                let hint = unset::hint(&scenario, &prepared);
                checked.hints.extend(hint.filter(&mut is_new));
            }
            Err(diagnostics) => {
                let new = diagnostics.into_iter().filter(&mut is_new);
                checked.diagnostics.extend(new);
            }
        }
    }
    Ok(checked)
}
