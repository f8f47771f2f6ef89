//! `list`: what can be named.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Common, Stop, print};
use crate::report::printable;
use crate::report::text::folded;
use crate::scenario::Scenario;
use crate::template::library::Library;
use crate::template::shipped::{Members, SUITES, Suite};
use crate::template::{BookRow, Origin, Param, Template, book};

/// A row of the suite `book`, and its template.
type BookMember = (Arc<Template>, BookRow);

pub(super) fn list(common: &Common, part: Option<&str>) -> Result<i32, Stop> {
    let library = Library::new(common.templates.clone())?;
    let wanted = |name: &str| part.is_none_or(|part| name.contains(part));
    let mut all = Vec::new();
    let mut code = 0;
    for name in library.names() {
        match library.load(&name) {
            Ok(template) => all.push(Arc::new(template)),
            // One file that is wrong hides none of the others.
            Err(error) if wanted(&name) => {
                code = code.max(super::explain(&error.into(), common.error_style()));
            }
            Err(_) => {}
        }
    }
    let rows = book::rows_of(all.iter().cloned());
    let mut templates = all;
    templates.retain(|template| wanted(&template.name));
    let suites: Vec<&Suite> = SUITES.iter().filter(|suite| wanted(suite.name)).collect();
    if templates.is_empty() && suites.is_empty() && code == 0 {
        let part = part.unwrap_or_default();
        return Err(Stop::Usage(format!(
            "nothing that can be named contains `{part}`; `dispatchlab list` shows all"
        )));
    }
    if common.json {
        print(&as_json(&templates, &suites, &rows)?)?;
    } else {
        let mut text = as_text(&templates, common.style().width);
        for suite in suites {
            // Named alone, a suite is told in full.
            let is_asked_for = part == Some(suite.name);
            text += &suite_as_text(suite, &rows, is_asked_for, common.style().width);
        }
        print(&text)?;
    }
    Ok(code)
}

/// Suites that have a scenario of this template.
fn suites_with(template: &Template) -> Vec<&'static str> {
    let has = |suite: &&Suite| match suite.members {
        Members::Listed(names) => names
            .iter()
            .any(|name| name.split('[').next() == Some(&template.name)),
        Members::Book => !template.header.book.is_empty(),
    };
    SUITES.iter().filter(has).map(|suite| suite.name).collect()
}

fn as_json(
    templates: &[Arc<Template>],
    suites: &[&Suite],
    book: &[BookMember],
) -> Result<String, Stop> {
    let mut scenarios = Vec::new();
    for template in templates {
        let scenario = Scenario::bind(Arc::clone(template), &[])?;
        scenarios.push(json!({
            "name": scenario.name,
            "title": template.header.title,
            "template": template.name,
            "params": scenario.params,
            "suites": suites_with(template),
            "source": template.header.source,
        }));
    }
    let listed: Vec<Value> = suites
        .iter()
        .map(|suite| suite_as_json(suite, book))
        .collect();
    let document = json!({ "schema": 1, "scenarios": scenarios, "suites": listed });
    Ok(format!("{document:#}\n"))
}

fn suite_as_json(suite: &Suite, book: &[BookMember]) -> Value {
    let rows: Vec<Value> = match suite.members {
        Members::Listed(names) => names.iter().map(|name| json!({ "name": name })).collect(),
        Members::Book => book
            .iter()
            .map(|(template, row)| {
                json!({
                    "name": row.scenario,
                    "section": row.section_title(),
                    "source": template.header.source,
                    "published": row.published,
                })
            })
            .collect(),
    };
    json!({
        "name": suite.name,
        "title": suite.title,
        "reference": suite.reference,
        "scenarios": rows,
    })
}

/// Columns of the names, and the blank behind them.
const NAME: usize = 15;

fn as_text(templates: &[Arc<Template>], width: usize) -> String {
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
        if let Some(source) = &template.header.source {
            let line = format!("{:NAME$}from {}\n", "", printable::line(source));
            out += &folded(&line, NAME, width);
        }
        for (name, param) in &template.header.params {
            let line = format!("{:NAME$}  {}\n", "", describe(name, param));
            out += &folded(&line, 2, width);
        }
    }
    out
}

/// A suite's title and its scenarios; of the book, which is long, those under their sections where
/// it `is_asked_for`.
fn suite_as_text(suite: &Suite, book: &[BookMember], is_asked_for: bool, width: usize) -> String {
    let line = format!("\nsuite {}: {}\n", suite.name, suite.title);
    let mut out = folded(&line, 2, width);
    match suite.members {
        Members::Listed(names) => {
            for scenario in names {
                let _ = writeln!(out, "  {scenario}");
            }
        }
        Members::Book if is_asked_for => {
            let mut section = None;
            for (_, row) in book {
                if section.replace(row.section) != Some(row.section) {
                    let _ = writeln!(out, "{}", row.section_title());
                }
                let _ = writeln!(out, "  {}", printable::line(&row.scenario));
            }
        }
        Members::Book => {
            let count = book.len();
            let _ = writeln!(out, "  {count} scenarios: dispatchlab list {}", suite.name);
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
