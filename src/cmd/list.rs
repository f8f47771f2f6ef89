//! `list`: what can be named.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::{Common, Stop, print};
use crate::report::printable;
use crate::report::text::folded;
use crate::scenario::Scenario;
use crate::template::library::Library;
use crate::template::shipped::{SUITES, Suite};
use crate::template::{Origin, Param, Template};

pub(super) fn list(common: &Common, part: Option<&str>) -> Result<i32, Stop> {
    let library = Library::new(common.templates.clone())?;
    let wanted = |name: &str| part.is_none_or(|part| name.contains(part));
    let mut templates = Vec::new();
    let mut code = 0;
    for name in library.names() {
        if wanted(&name) {
            match library.load(&name) {
                Ok(template) => templates.push(template),
                // One file that is wrong hides none of the others.
                Err(error) => code = code.max(super::explain(&error.into(), common.error_style())),
            }
        }
    }
    let suites: Vec<&Suite> = SUITES.iter().filter(|suite| wanted(suite.name)).collect();
    if templates.is_empty() && suites.is_empty() && code == 0 {
        let part = part.unwrap_or_default();
        return Err(Stop::Usage(format!(
            "nothing that can be named contains `{part}`; `dispatchlab list` shows all"
        )));
    }
    if common.json {
        print(&as_json(&templates)?)?;
    } else {
        print(&as_text(&templates, &suites, common.style().width))?;
    }
    Ok(code)
}

/// Suites that have a scenario of this template.
fn suites_with(template: &Template) -> Vec<&'static str> {
    let has = |suite: &&Suite| {
        suite
            .scenarios
            .iter()
            .any(|name| name.split('[').next() == Some(&template.name))
    };
    SUITES.iter().filter(has).map(|suite| suite.name).collect()
}

fn as_json(templates: &[Template]) -> Result<String, Stop> {
    let mut scenarios = Vec::new();
    for template in templates {
        let scenario = Scenario::bind(Arc::new(template.clone()), &[])?;
        scenarios.push(json!({
            "name": scenario.name,
            "title": template.header.title,
            "template": template.name,
            "params": scenario.params,
            "suites": suites_with(template),
            "source": template.header.source,
        }));
    }
    let document = json!({ "schema": 1, "scenarios": scenarios });
    Ok(format!("{document:#}\n"))
}

/// Columns of the names, and the blank behind them.
const NAME: usize = 15;

fn as_text(templates: &[Template], suites: &[&Suite], width: usize) -> String {
    let mut out = String::new();
    for template in templates {
        let origin = match &template.origin {
            Origin::Embedded => String::new(),
            Origin::File(path) => format!("  ({})", printable::line(&path.display().to_string())),
            Origin::Stdin => "  (stdin)".into(),
        };
        let (name, title) = (&template.name, &template.header.title);
        let (name, title) = (printable::line(name), printable::line(title));
        let line = format!("{name:<14} {title}{origin}\n");
        out += &folded(&line, NAME, width);
        for (name, param) in &template.header.params {
            let line = format!("{:NAME$}  {}\n", "", describe(name, param));
            out += &folded(&line, 2, width);
        }
    }
    for suite in suites {
        let line = format!("\nsuite {}: {}\n", suite.name, suite.title);
        out += &folded(&line, 2, width);
        for scenario in suite.scenarios {
            let _ = writeln!(out, "  {scenario}");
        }
    }
    out
}

fn describe(name: &str, param: &Param) -> String {
    let others: Vec<String> = param
        .allowed
        .iter()
        .skip(1)
        .map(ToString::to_string)
        .collect();
    if others.is_empty() {
        format!("{name}={}", param.default)
    } else {
        format!("{name}={}, or {}", param.default, others.join(", "))
    }
}
