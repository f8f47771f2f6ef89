//! `list`: what can be named.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Common, Stop, print_json, print_plain};
use crate::scenario::Scenario;
use crate::template::{Origin, Param, Suite, Template};
use crate::text::folded;
use crate::text::printable;

pub(super) fn list(common: &Common, part: Option<&str>) -> Result<i32, Stop> {
    let library = common.library()?;
    let wanted = |name: &str| part.is_none_or(|part| name.contains(part));
    let mut code = 0;
    // One file that is wrong hides none of the others.
    let mut wrong = |name: &str, stop: Stop| {
        if wanted(name) {
            code = code.max(super::explain(&stop, common.error_style()));
        }
    };
    let mut templates = Vec::new();
    for name in library.names() {
        match library.load(&name) {
            Ok(template) => {
                let template = Arc::new(template);
                match Scenario::bind(Arc::clone(&template), &[]) {
                    Ok(_) => templates.push(template),
                    Err(error) => wrong(&name, error.into()),
                }
            }
            Err(error) => wrong(&name, error.into()),
        }
    }
    let mut suites = Vec::new();
    for name in library.suite_names() {
        match library.suite(&name) {
            Ok(suite) => {
                let rows = suite.iter().flat_map(|suite| &suite.members);
                let of_rows: Vec<_> = rows.flat_map(|row| row.wrong.clone()).collect();
                if !of_rows.is_empty() {
                    wrong(&name, Stop::Templates(of_rows));
                }
                suites.extend(suite);
            }
            Err(error) => wrong(&name, error.into()),
        }
    }
    for (name, error) in library.unlisted() {
        wrong(&name, error.into());
    }
    // Those that are told in full before those of which only the size is.
    suites.sort_by_key(|suite| suite.members.len());
    let listed = Listed { templates, suites };
    let named = listed.matching(|name, _| wanted(name));
    let (templates, suites) = match named {
        // What nothing is called, something may show.
        (templates, suites) if templates.is_empty() && suites.is_empty() && code == 0 => {
            listed.matching(|_, shown| part.is_some_and(|part| shows(shown, part)))
        }
        named => named,
    };
    if templates.is_empty() && suites.is_empty() && code == 0 {
        let part = part.unwrap_or_default();
        return Err(Stop::Usage(format!(
            "nothing that can be named contains `{part}`, nor does its title; `dispatchlab list` shows all"
        )));
    }
    if common.json {
        print_json(&listed.as_json(&templates, &suites)?)?;
    } else {
        let mut text = as_text(&templates, common.style().width);
        for suite in suites {
            // Named alone, a suite is told in full.
            let is_asked_for = part == Some(suite.name.as_str());
            text += &suite_as_text(suite, is_asked_for, common.style().width);
        }
        print_plain(&text)?;
    }
    Ok(code)
}

/// Whether all words of a question stand in what is shown, in any order and case.
fn shows(shown: &str, question: &str) -> bool {
    let shown = shown.to_lowercase();
    let words = question.to_lowercase();
    let mut words = words.split_whitespace();
    words.all(|word| shown.contains(word))
}

/// All that can be named.
struct Listed {
    templates: Vec<Arc<Template>>,
    suites: Vec<Suite>,
}

impl Listed {
    /// Those of which a name, or what they show, is wanted.
    fn matching(
        &self,
        is_wanted: impl Fn(&str, &str) -> bool,
    ) -> (Vec<&Arc<Template>>, Vec<&Suite>) {
        let templates = self.templates.iter().filter(|template| {
            let header = &template.header;
            let source = header.source.as_deref().unwrap_or_default();
            is_wanted(&template.name, &format!("{} {source}", header.title))
        });
        let suites = self.suites.iter();
        let suites = suites.filter(|suite| is_wanted(&suite.name, &suite.title));
        (templates.collect(), suites.collect())
    }

    fn as_json(&self, templates: &[&Arc<Template>], suites: &[&Suite]) -> Result<String, Stop> {
        let mut scenarios = Vec::new();
        for template in templates {
            let scenario = Scenario::bind(Arc::clone(template), &[])?;
            let suites = self
                .suites
                .iter()
                .filter(|suite| suite.has_template(&template.name));
            let suites: Vec<&str> = suites.map(|suite| suite.name.as_str()).collect();
            scenarios.push(json!({
                "name": scenario.name,
                "title": template.header.title,
                "template": template.name,
                "params": scenario.params,
                "suites": suites,
                "source": template.header.source,
            }));
        }
        let suites: Vec<Value> = suites
            .iter()
            .map(|suite| self.suite_as_json(suite))
            .collect();
        let document = json!({ "schema": 1, "scenarios": scenarios, "suites": suites });
        Ok(format!("{document:#}\n"))
    }

    fn suite_as_json(&self, suite: &Suite) -> Value {
        let source = |name: &str| {
            let known = self.templates.iter().find(|template| template.name == name);
            known.and_then(|template| template.header.source.clone())
        };
        let rows = suite.members.iter().map(|row| match &row.said.section {
            None => json!({ "name": row.scenario }),
            Some(section) => json!({
                "name": row.scenario,
                "section": section,
                "source": source(row.template()),
                "published": row.said.published,
            }),
        });
        json!({
            "name": suite.name,
            "title": suite.title,
            "reference": suite.reference,
            "scenarios": rows.collect::<Vec<_>>(),
        })
    }
}

/// Columns of the names, and the blank behind them.
const NAME: usize = 15;

fn as_text(templates: &[&Arc<Template>], width: usize) -> String {
    let mut out = String::new();
    for template in templates {
        let origin = told(&template.origin);
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

/// Where it came from, behind its title.
fn told(origin: &Origin) -> String {
    match origin {
        Origin::Embedded => String::new(),
        Origin::File(path) => format!("  ({})", printable::line(&path.display().to_string())),
        Origin::Stdin => "  (stdin)".into(),
    }
}

/// A suite's title and its scenarios, under their sections; those of a long one where it `is_asked_for`.
fn suite_as_text(suite: &Suite, is_asked_for: bool, width: usize) -> String {
    let (name, title) = (printable::line(&suite.name), printable::line(&suite.title));
    let line = format!("\nsuite {name}: {title}{}\n", told(&suite.origin));
    let mut out = folded(&line, 2, width);
    const LONG: usize = 40;
    let count = suite.members.len();
    if count > LONG && !is_asked_for {
        return out + &format!("  {count} scenarios: dispatchlab list {name}\n");
    }
    let mut section = &None;
    for row in &suite.members {
        if row.said.section != *section {
            section = &row.said.section;
            let title = section.as_deref().unwrap_or("in no section");
            let _ = writeln!(out, "{}", printable::line(title));
        }
        let _ = writeln!(out, "  {}", printable::line(&row.scenario));
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
