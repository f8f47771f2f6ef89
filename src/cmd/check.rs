//! `check`: what is wrong with templates and suites, for editors and CI.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::names::{check_stdin, of_suite};
use super::{Common, Stop, print};
use crate::diagnostic::Diagnostic;
use crate::pipeline::prepare;
use crate::report::json;
use crate::scenario::Scenario;
use crate::template::Template;
use crate::template::library::{Library, LoadError};

pub(super) fn check(common: &Common, files: &[String]) -> Result<i32, Stop> {
    check_stdin(files)?;
    let library = Library::new(common.templates.clone())?;
    let parameters = common.parameters()?;
    let mut found = Vec::new();
    for file in files {
        if let Some(diagnostics) = check_suite(&library, file, &parameters)? {
            found.push((file, diagnostics));
            continue;
        }
        let diagnostics = match library.load(file) {
            Ok(template) => check_template(&Arc::new(template), &parameters)?,
            Err(LoadError::Wrong(diagnostics)) => diagnostics,
            Err(other) => return Err(other.into()),
        };
        found.push((file, diagnostics));
    }
    if common.json {
        let files: Vec<_> = found
            .iter()
            .map(|(file, list)| {
                let list: Vec<_> = list.iter().map(json::diagnostic).collect();
                json!({ "file": file, "diagnostics": list })
            })
            .collect();
        print(&format!("{:#}\n", json!({ "schema": 1, "files": files })))?;
    }
    let all: Vec<Diagnostic> = found
        .into_iter()
        .flat_map(|(_, diagnostics)| diagnostics)
        .collect();
    if all.is_empty() {
        return Ok(0);
    }
    if common.json {
        Ok(3)
    } else {
        Err(Stop::Templates(all))
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
        Err(LoadError::Wrong(diagnostics)) => Some(diagnostics),
        Err(other) => return Err(other.into()),
    })
}

/// Checks the template at its defaults, and at each other value of each listed parameter, because
/// a branch that the defaults do not take is part of the file too.
fn check_template(
    template: &Arc<Template>,
    parameters: &[(String, String)],
) -> Result<Vec<Diagnostic>, Stop> {
    let mut bindings = vec![parameters.to_vec()];
    for (name, param) in &template.header.params {
        for value in param.allowed.iter().skip(1) {
            let mut binding = vec![(name.clone(), value.to_string())];
            binding.extend_from_slice(parameters);
            bindings.push(binding);
        }
    }
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for binding in &bindings {
        let scenario = Scenario::bind(Arc::clone(template), binding)?;
        for diagnostic in prepare(&scenario).err().unwrap_or_default() {
            if seen.insert((
                diagnostic.line,
                diagnostic.column,
                diagnostic.message.clone(),
            )) {
                all.push(diagnostic);
            }
        }
    }
    Ok(all)
}
