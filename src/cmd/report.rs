//! `report`: saved reports as one page to look at, and held beside each other.

use std::fmt::Write as _;
use std::path::Path;

use super::compare::report_text;
use super::output::{Input, Output};
use super::{Common, Stop, print_plain};
use crate::report::fleet::{self, Named};
use crate::report::page::{self, Page};
use crate::report::{saved, terminal};
use crate::text::paths::{named, path};
use crate::text::printable;

pub(super) fn report(common: &Common, files: &[String], target: &Path) -> Result<i32, Stop> {
    let inputs: Vec<Input> = files
        .iter()
        .filter_map(|file| Input::at(&path(file)))
        .collect();
    let output = Output::open("-o", target)?;
    Output::check(&[&output], &inputs)?;
    let (mut pages, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        match read(file) {
            Ok(page) => pages.push(page),
            Err(why) => wrong.push(Stop::Usage(format!("`{file}`: {why}"))),
        }
    }
    if pages.is_empty() {
        return Stop::all(wrong, common.error_style()).map(|()| 0);
    }
    output.write(&page::all(&pages), printable::lines)?;
    let mut said = String::new();
    if pages.len() > 1 {
        let all: Vec<Named<'_>> = pages
            .iter()
            .map(|page| Named {
                name: &page.name,
                document: &page.document,
            })
            .collect();
        said = terminal::fleet::render(&all, &fleet::lines(&all), common.style());
        said.push('\n');
    }
    let _ = writeln!(said, "{}", named(target));
    print_plain(&said)?;
    // What is wrong costs itself alone, and the exit code says that something was.
    Stop::all(wrong, common.error_style()).map(|()| 0)
}

fn read(file: &str) -> Result<Page, String> {
    let json = report_text(&path(file))?;
    let document = saved::document(&json).map_err(|error| error.to_string())?;
    Ok(Page {
        name: file.to_string(),
        document,
        json,
    })
}
