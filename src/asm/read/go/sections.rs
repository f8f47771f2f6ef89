//! The functions and data of a text in Go's syntax, as sections.
//!
//! Correct means: every line of a function or datum is in the section of its name, and what stands in
//! front of the first one stays where it was.

use super::shapes::{Shape, opened_function, shape};
use super::symbol::canonical;
use crate::asm::program::SectionKind;
use crate::asm::source::{SourceLine, SourceSection};

/// Splits sections at the functions and data that their lines open.
pub fn split_go(sections: Vec<SourceSection>) -> Vec<SourceSection> {
    let mut made = Vec::with_capacity(sections.len());
    for section in sections {
        if section.kind == SectionKind::Data {
            made.push(section);
        } else {
            split(section, &mut made);
        }
    }
    made
}

/// What a line opens.
enum Opening<'a> {
    Code(&'a str),
    Data(&'a str),
    /// What a debugger reads, or nothing can name.
    Nothing,
    /// A line of the datum of that name, wherever it stands.
    Value(&'a str),
}

fn opening(line: &str) -> Option<Opening<'_>> {
    let found = match shape(line) {
        Shape::Heading(heading) if heading.is_passed => Opening::Nothing,
        Shape::Heading(heading) if heading.is_code => Opening::Code(heading.name),
        Shape::Heading(heading) => Opening::Data(heading.name),
        Shape::Data(value) => Opening::Value(value.symbol),
        Shape::Global(symbol, _) => Opening::Value(symbol),
        Shape::Line(row) => Opening::Code(opened_function(&line[row.text])?),
        Shape::Other => Opening::Code(opened_function(line.trim_start())?),
        Shape::Dump(..) | Shape::Relocation(_) | Shape::Broken(_) => return None,
    };
    Some(found)
}

fn split(section: SourceSection, made: &mut Vec<SourceSection>) {
    let SourceSection {
        kind,
        name,
        place,
        line,
        lines,
    } = section;
    let first = made.len();
    made.push(SourceSection {
        kind,
        name,
        place,
        line,
        lines: Vec::new(),
    });
    let mut current = Some(first);
    for line in lines {
        let section = |kind: SectionKind, name: &str, line: &SourceLine| SourceSection {
            kind,
            name: canonical(name.trim()).into_owned(),
            place: None,
            line: line.number,
            lines: Vec::new(),
        };
        let found = match opening(&line.text) {
            Some(Opening::Code(name)) => Some(section(SectionKind::Func, name, &line)),
            Some(Opening::Data(name)) => Some(section(SectionKind::Data, name, &line)),
            Some(Opening::Nothing) => {
                current = None;
                None
            }
            Some(Opening::Value(name)) => {
                let opened = section(SectionKind::Data, name, &line);
                let at = made[first..]
                    .iter()
                    .position(|one| one.kind == SectionKind::Data && one.name == opened.name);
                let at = at.map_or(made.len(), |at| first + at);
                if at == made.len() {
                    made.push(opened);
                }
                made[at].lines.push(line);
                continue;
            }
            None => None,
        };
        if let Some(opened) = found {
            // The heading and the TEXT line below it open the same function.
            let is_same = current.is_some_and(|at| {
                made[at].name == opened.name
                    && made[at].kind == opened.kind
                    && made[at].lines.len() <= 1
            });
            if !is_same {
                current = Some(made.len());
                made.push(opened);
            }
        }
        if let Some(at) = current {
            made[at].lines.push(line);
        }
    }
}
