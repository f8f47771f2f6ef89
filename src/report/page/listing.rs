//! The code of a row: offset, bytes, instruction, how often it ran, and the template's line beside it.
//!
//! Correct means: what did not run in the iterations that were counted says of how many that is.

use std::fmt::Write as _;

use super::html::{escaped, number};
use crate::report::listing::{Listed, Listing};

/// A table of all functions.
pub(super) fn table(listing: &Listing, template: &str) -> String {
    let mut out = format!(
        "<details class=\"code\" open><summary>code, with how often each instruction ran in an iteration, exact over {} iterations</summary>\
         <div class=\"scroll\"><table class=\"listing\">",
        listing.iterations
    );
    for function in &listing.functions {
        let modelled = if function.is_modelled {
            " (modelled runtime)"
        } else {
            ""
        };
        let _ = write!(
            out,
            "<tbody><tr><th colspan=\"5\">{}{modelled}</th></tr>",
            escaped(&function.name)
        );
        let mut before = None;
        for one in &function.instructions {
            // A line that became several instructions is written once.
            let place = (one.line, &one.file);
            let is_same = before == Some(place);
            before = Some(place);
            out += &line(one, is_same, template);
        }
        out += "</tbody>";
    }
    out += "</table></div>";
    if listing.left_out > 0 {
        let _ = write!(
            out,
            "<p class=\"faint\">{} more functions are left out</p>",
            listing.left_out
        );
    }
    out + "</details>"
}

fn line(one: &Listed, is_same: bool, template: &str) -> String {
    let class = if one.executions == 0.0 { "cold" } else { "hot" };
    let place = match (&one.file, one.line) {
        _ if is_same => String::new(),
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (None, Some(line)) => format!("{}:{line}", template.rsplit('/').next().unwrap_or(template)),
        (_, None) => String::new(),
    };
    let source = one
        .source
        .as_deref()
        .filter(|_| !is_same)
        .unwrap_or_default();
    format!(
        "<tr class=\"{class}\"><td class=\"offset\">{:x}</td><td class=\"bytes\">{}</td><td class=\"text\">{}</td>\
         <td class=\"times\">{}</td><td class=\"source\"><span class=\"place\">{}</span> {}</td></tr>",
        one.offset,
        escaped(&one.bytes),
        escaped(&one.text),
        if one.executions == 0.0 {
            "·".to_string()
        } else {
            number(one.executions)
        },
        escaped(&place),
        escaped(source)
    )
}
