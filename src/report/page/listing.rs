//! The code of a row: offset, bytes, instruction, how often it ran, and the template's line beside it.
//!
//! Correct means: what did not run in the iterations that were counted says of how many that is; and a page of hundreds
//! of listings, tens of thousands of lines, opens at once. So a line is text in columns, and no row of a table.

use std::fmt::Write as _;

use super::html::{escaped, number, tagged};
use crate::report::listing::{Listed, Listing};

/// All functions; `file` is what lines without one are of.
pub(super) fn table(listing: &Listing, file: &str) -> String {
    let mut out = format!(
        "<details class=\"code\" open><summary>code, with how often each instruction ran in an iteration, exact over {} iterations</summary>\
         <pre class=\"listing\">",
        listing.iterations
    );
    let columns = Columns::of(listing);
    for function in &listing.functions {
        let modelled = if function.is_modelled {
            " (modelled runtime)"
        } else {
            ""
        };
        out += &tagged("b", "name", &format!("{}{modelled}", function.name));
        out.push('\n');
        let mut before = None;
        for one in &function.instructions {
            // A line that became several instructions is written once.
            let place = (one.line, &one.file);
            let is_same = before == Some(place);
            before = Some(place);
            out += &columns.line(one);
            if let (Some(line), false) = (one.line, is_same) {
                let file = one.file.as_deref().unwrap_or(file);
                let source = one.source.as_deref().unwrap_or_default();
                let _ = write!(out, "  {}", escaped(&format!("{file}:{line}  {source}")));
            }
            out.push('\n');
        }
    }
    out += "</pre>";
    if listing.left_out > 0 {
        let _ = write!(
            out,
            "<p class=\"faint\">{} more functions are left out</p>",
            listing.left_out
        );
    }
    out + "</details>"
}

/// The widths of a listing's columns, in characters.
struct Columns {
    offset: usize,
    bytes: usize,
    text: usize,
    times: usize,
}

impl Columns {
    fn of(listing: &Listing) -> Columns {
        let widest = |of: fn(&Listed) -> String| {
            let functions = listing.functions.iter();
            let all = functions.flat_map(|function| &function.instructions);
            all.map(|one| of(one).chars().count()).max().unwrap_or(0)
        };
        Columns {
            offset: widest(|one| format!("{:x}", one.offset)),
            bytes: widest(|one| one.bytes.clone()),
            text: widest(|one| one.text.clone()),
            times: widest(times),
        }
    }

    /// What ran stands out.
    fn line(&self, one: &Listed) -> String {
        let ran = format!(
            "{:text$}  {:>times$}",
            one.text,
            times(one),
            text = self.text,
            times = self.times
        );
        let ran = match one.executions == 0.0 {
            true => escaped(&ran),
            false => format!("<b>{}</b>", escaped(&ran)),
        };
        let place = format!(
            "{:>offset$x}  {:bytes$}",
            one.offset,
            one.bytes,
            offset = self.offset,
            bytes = self.bytes
        );
        format!("{}  {ran}", escaped(&place))
    }
}

/// How often it ran in an iteration.
fn times(one: &Listed) -> String {
    match one.executions == 0.0 {
        true => "·".to_string(),
        false => number(one.executions),
    }
}
