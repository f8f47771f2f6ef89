//! Marks in the code: parts, which are stretches between `;! part NAME` and `;! end` that can be left out
//! to see what they cost, and notes, `;! note TEXT`, which are said of the row.
//!
//! Correct means: marks are read from the expanded lines, so that a loop or a condition may hold them;
//! they change no byte; and without a part exactly its lines are gone, while all others keep their numbers.

use std::ops::Range;

use super::source::{Place, SourceText};
use crate::asm::{SectionKind, SourceLine, SourceSection};
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

/// A stretch of a part, its marks included.
struct Stretch {
    part: String,
    section: usize,
    lines: Range<usize>,
}

/// What a mark says.
enum Mark<'a> {
    Part(&'a str),
    End,
}

/// Whether a line is a mark, though it looks like one of the header.
pub(crate) fn is_mark(line: &str) -> bool {
    cut(line).is_some()
}

/// What a template remarks on a row: the texts of its notes, one behind the other; none where it has none to make.
/// Says, for one, which parameters make the code something no Go compiler emits.
pub fn note(sections: &[SourceSection]) -> Option<String> {
    let lines = sections.iter().flat_map(|section| &section.lines);
    let notes = lines.filter_map(|line| match cut(&line.text)? {
        ("note", text) => Some(text),
        _ => None,
    });
    let texts: Vec<&str> = notes.filter(|text| !text.is_empty()).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// The names of the parts, in the order of their first lines.
///
/// # Errors
/// Marks that do not match or do not say which part.
pub(crate) fn names(
    source: &SourceText<'_>,
    sections: &[SourceSection],
) -> Result<Vec<String>, Vec<Diagnostic>> {
    let mut names: Vec<String> = Vec::new();
    for stretch in stretches(source, sections)? {
        if !names.contains(&stretch.part) {
            names.push(stretch.part);
        }
    }
    Ok(names)
}

/// Checks all marks, and takes the lines of `omitted` out.
///
/// # Errors
/// Marks that do not match or do not say which part, or no part of that name.
pub(crate) fn leave_out(
    source: &SourceText<'_>,
    mut sections: Vec<SourceSection>,
    omitted: Option<&str>,
) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
    let stretches = stretches(source, &sections)?;
    let Some(part) = omitted else {
        return Ok(sections);
    };
    if !stretches.iter().any(|stretch| stretch.part == part) {
        return Err(vec![unknown_part(source, &stretches, part)]);
    }
    // From the last one on, so that the places of the others stay.
    for stretch in stretches.iter().rev().filter(|one| one.part == part) {
        sections[stretch.section].lines.drain(stretch.lines.clone());
    }
    Ok(sections)
}

fn stretches(
    source: &SourceText<'_>,
    sections: &[SourceSection],
) -> Result<Vec<Stretch>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        let mut open: Option<(usize, &str)> = None;
        for (at, line) in section.lines.iter().enumerate() {
            let Some(mark) = read(line) else { continue };
            let mut complain = |message: String, help: &str| {
                errors.push(complaint(source, line, message, help));
            };
            match (mark, open) {
                _ if section.kind == SectionKind::Data => {
                    let help = "put the marks into the body or a function";
                    complain("a part is code, and this section holds data".into(), help);
                }
                (Err(message), _) => complain(message, "write `;! part nil-check` and `;! end`"),
                (Ok(Mark::Part(name)), None) => open = Some((at, name)),
                (Ok(Mark::Part(name)), Some((begin, outer))) => {
                    let begin = source.named(section.lines[begin].number);
                    complain(
                        format!("part `{name}` begins inside part `{outer}` of {begin}"),
                        "parts are not nested: end the first one before it with `;! end`",
                    );
                    open = Some((at, name));
                }
                (Ok(Mark::End), Some((begin, name))) => {
                    found.push(Stretch {
                        part: name.to_string(),
                        section: index,
                        lines: begin..at + 1,
                    });
                    open = None;
                }
                (Ok(Mark::End), None) => complain(
                    "no part is open that `;! end` could end".into(),
                    "begin one with `;! part NAME`, or delete the line",
                ),
            }
        }
        if let Some((begin, name)) = open {
            errors.push(complaint(
                source,
                &section.lines[begin],
                format!("part `{name}` does not end in its section"),
                "add the line `;! end` behind its code",
            ));
        }
    }
    if errors.is_empty() {
        Ok(found)
    } else {
        // A mark in a loop is wrong in each of its turns.
        errors.dedup();
        Err(errors)
    }
}

/// The word and the rest of a mark. `part = 1` is a key of the header.
fn cut(line: &str) -> Option<(&str, &str)> {
    let text = line.trim_start().strip_prefix(";!")?.trim_start();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    let is_mark = ["part", "end", "note"].contains(&word) && !rest.trim_start().starts_with('=');
    is_mark.then_some((word, rest.trim()))
}

fn read(line: &SourceLine) -> Option<Result<Mark<'_>, String>> {
    let (word, rest) = cut(&line.text).filter(|&(word, _)| word != "note")?;
    let remark = ["  ", "#", ";"].iter().filter_map(|sign| rest.find(sign));
    let name = rest[..remark.min().unwrap_or(rest.len())].trim_end();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    Some(match (word, name) {
        ("end", "") => Ok(Mark::End),
        ("end", name) => Err(format!("`;! end` stands alone, without `{name}`")),
        (_, "") => Err("a part without a name".to_string()),
        (_, name) if name.chars().all(is_name) => Ok(Mark::Part(name)),
        (_, name) => Err(format!(
            "`{name}` is no name for a part: letters, digits and `-`"
        )),
    })
}

fn complaint(
    source: &SourceText<'_>,
    line: &SourceLine,
    message: String,
    help: &str,
) -> Diagnostic {
    let indent = line.text.chars().take_while(|c| c.is_whitespace()).count();
    let place = Place {
        line: line.number,
        column: indent as u32 + 1,
        width: line.text.trim().chars().count() as u32,
    };
    source.complain_expanded(place, &line.text, message, Some(help.to_string()))
}

fn unknown_part(source: &SourceText<'_>, stretches: &[Stretch], part: &str) -> Diagnostic {
    let mut names: Vec<&str> = Vec::new();
    for stretch in stretches {
        if !names.contains(&stretch.part.as_str()) {
            names.push(&stretch.part);
        }
    }
    let help = match closest(part, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => {
            "mark one with `;! part NAME` and `;! end` around its code".to_string()
        }
        None => format!("it has {}", names.join(", ")),
    };
    let message = format!("the template has no part `{part}` under these parameters");
    source.complain(source.whole_line(1), message, Some(help))
}
