//! From the names of the command line to scenarios.
//!
//! Correct means: an existing path comes first, then a suite, then a scenario; and what cannot be
//! bound says what could.

use std::sync::Arc;

use super::{Common, Stop};
use crate::scenario::{BindError, Scenario, parse_name};
use crate::template::library::{Library, LoadError};
use crate::template::shipped;

/// What the names stand for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    /// In the order asked for.
    pub(super) scenarios: Vec<Scenario>,
    /// The row that ratios refer to: a suite's own, else none.
    pub(super) reference: Option<String>,
}

impl From<LoadError> for Stop {
    fn from(error: LoadError) -> Stop {
        match error {
            LoadError::Wrong(diagnostics) => Stop::Templates(diagnostics),
            other => Stop::Usage(other.to_string()),
        }
    }
}

impl From<BindError> for Stop {
    fn from(error: BindError) -> Stop {
        Stop::Usage(error.to_string())
    }
}

/// Finds what the names stand for.
pub(super) fn resolve(common: &Common, names: &[String]) -> Result<Wanted, Stop> {
    let library = Library::new(common.templates.clone())?;
    let parameters = common.parameters()?;
    let mut wanted = Wanted {
        scenarios: Vec::new(),
        reference: None,
    };
    for name in names {
        match shipped::suite(name) {
            Some(suite) if !std::path::Path::new(name).exists() => {
                for member in suite.scenarios {
                    wanted
                        .scenarios
                        .push(bind_in_suite(&library, member, &parameters)?);
                }
                wanted.reference = Some(suite.reference.to_string());
            }
            _ => wanted.scenarios.push(bind(&library, name, &parameters)?),
        }
    }
    Ok(wanted)
}

/// Binds a scenario's name, or a path with or without parameters in brackets.
pub(super) fn bind(
    library: &Library,
    name: &str,
    parameters: &[(String, String)],
) -> Result<Scenario, Stop> {
    let (template, mut bound) = match std::path::Path::new(name).is_file() {
        true => (name.to_string(), Vec::new()),
        false => parse_name(name)?,
    };
    bound.extend_from_slice(parameters);
    let template = library.load(&template)?;
    Ok(Scenario::bind(Arc::new(template), &bound)?)
}

/// A suite's members take those of the parameters that they have.
fn bind_in_suite(
    library: &Library,
    name: &str,
    parameters: &[(String, String)],
) -> Result<Scenario, Stop> {
    let (template, bound) = parse_name(name)?;
    let template = Arc::new(library.load(&template)?);
    let known = crate::template::params::all(&template.header);
    let fitting = parameters
        .iter()
        .filter(|(key, _)| known.contains_key(key))
        .cloned();
    let bound: Vec<(String, String)> = bound.into_iter().chain(fitting).collect();
    Ok(Scenario::bind(template, &bound)?)
}
