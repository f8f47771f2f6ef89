//! Cuts the expanded text into sections.
//!
//! Correct means: every line of code belongs to exactly one section, in the order of the template,
//! and columns do not shift where code follows a section's colon.

use std::collections::HashMap;

use super::source::{Place, SourceText};
use super::{Header, parts, paste};
use crate::asm::{self, CodePlace, SectionKind, SourceLine, SourceSection};
use crate::text::diagnostic::Diagnostic;

/// A section's opening: its kind, its name, and the characters up to and with the colon.
struct Opening {
    kind: SectionKind,
    name: String,
    place: Option<CodePlace>,
    length: usize,
}

/// The sections of a text: those that it opens, or, where it opens none, those that calling one of its
/// functions takes.
///
/// # Errors
/// Code before the first section, a section that comes twice or is not spelt right, no `body:`; what
/// is wrong with a text without sections.
pub(crate) fn split(
    source: &SourceText<'_>,
    lines: Vec<SourceLine>,
    header: &Header,
) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
    if paste::is_pasted(&lines) {
        return Ok(paste::paste(source, lines, header)?.sections);
    }
    let sections = split_sections(source, lines)?;
    let is_go = |one: &SourceSection| asm::is_go(&one.lines, header.syntax);
    Ok(match sections.iter().any(is_go) {
        true => asm::split_go(sections),
        false => sections,
    })
}

/// Whether a line opens a section, or tries to.
pub(crate) fn opens(line: &str) -> bool {
    opening(line.trim_start()).is_some()
}

/// Cuts `lines` into the sections that they open.
///
/// # Errors
/// Code before the first section, a section that comes twice or is not spelt right, no `body:`.
pub(crate) fn split_sections(
    source: &SourceText<'_>,
    lines: Vec<SourceLine>,
) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
    let mut sections: Vec<SourceSection> = Vec::new();
    let mut first_seen: HashMap<String, u32> = HashMap::new();
    let mut errors = Vec::new();
    let mut stray_reported = false;
    for line in lines {
        let code = line.text.trim_start();
        // Most lines open nothing, and few of those begin like one that does.
        if let Some(section) = sections.last_mut()
            && !code.starts_with(['s', 'b', 'f', 'd'])
        {
            section.lines.push(line);
            continue;
        }
        let indent = line.text.chars().take_while(|c| c.is_whitespace()).count();
        let place = |column: usize, width: usize| Place {
            line: line.number,
            column: (indent + column) as u32 + 1,
            width: width as u32,
        };
        match opening(code) {
            Some(Ok(Opening {
                kind,
                name,
                place: at,
                length,
            })) => {
                if let Some(&first) = first_seen.get(&name) {
                    let message = format!("section `{name}` comes twice");
                    let help = format!(
                        "the first is on {}; rename or remove one",
                        source.named(first)
                    );
                    errors.push(source.complain_expanded(
                        place(0, length),
                        &line.text,
                        message,
                        Some(help),
                    ));
                }
                first_seen.entry(name.clone()).or_insert(line.number);
                let mut section = SourceSection {
                    kind,
                    name,
                    place: at,
                    line: line.number,
                    lines: Vec::new(),
                };
                let rest: String = line.text.chars().skip(indent + length).collect();
                if !without_comment(&rest).trim().is_empty() {
                    // Blanks in place of the opening keep the columns.
                    let text = format!("{}{rest}", " ".repeat(indent + length));
                    section.lines.push(SourceLine {
                        number: line.number,
                        text,
                    });
                }
                sections.push(section);
            }
            Some(Err((message, help))) => {
                let width = without_comment(&line.text).trim().chars().count();
                errors.push(source.complain_expanded(
                    place(0, width),
                    &line.text,
                    message,
                    Some(help),
                ));
            }
            None => match sections.last_mut() {
                Some(section) => section.lines.push(line),
                None => {
                    let (message, text) = if parts::is_mark(&line.text) {
                        ("a mark before the first section", &line.text[..])
                    } else {
                        let code = without_comment(&line.text);
                        ("code before the first section", code)
                    };
                    let width = text.trim().chars().count();
                    if width > 0 && !stray_reported {
                        stray_reported = true;
                        let help = "begin with `body:`, or `setup:` for what runs once".to_string();
                        errors.push(source.complain_expanded(
                            place(0, width),
                            &line.text,
                            message,
                            Some(help),
                        ));
                    }
                }
            },
        }
    }
    if errors.is_empty()
        && !sections
            .iter()
            .any(|section| section.kind == SectionKind::Body)
    {
        let line = sections
            .first()
            .map_or(source.own_lines().max(1) as u32, |section| section.line);
        let help = "add a line `body:` before the code of one iteration".to_string();
        errors.push(source.complain(
            source.whole_line(line),
            "the template has no `body:`",
            Some(help),
        ));
    }
    if errors.is_empty() {
        Ok(sections)
    } else {
        Err(errors)
    }
}

/// What a line without its indent opens, if anything; an error where it tries and fails.
fn opening(line: &str) -> Option<Result<Opening, (String, String)>> {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let (word, rest) = line.split_at(line.find(is_end).unwrap_or(line.len()));
    let kind = match word {
        "setup" | "body" => {
            let colon = rest
                .find(|c: char| !c.is_whitespace())
                .filter(|&at| rest[at..].starts_with(':'))?;
            let kind = if word == "setup" {
                SectionKind::Setup
            } else {
                SectionKind::Body
            };
            return Some(Ok(Opening {
                kind,
                length: word.len() + colon + 1,
                name: word.to_string(),
                place: None,
            }));
        }
        "func" => SectionKind::Func,
        "data" => SectionKind::Data,
        _ => return None,
    };
    let wanted = || {
        let help = format!("write `{word} \"main.name\":`");
        (
            format!("a `{word}` section has a name in double quotes and a colon"),
            help,
        )
    };
    let Some(quoted) = rest.trim_start().strip_prefix('"') else {
        // `data` alone could be an operand or a label of the user's; only what looks like an
        // opening is judged as one.
        return (rest.starts_with(char::is_whitespace) || rest.starts_with(':'))
            .then(|| Err(wanted()));
    };
    let Some((name, after)) = quoted.split_once('"') else {
        return Some(Err(wanted()));
    };
    if name.is_empty() {
        return Some(Err(wanted()));
    }
    let (place, after) = match placed(after.trim_start()) {
        Ok(None) => (None, after),
        Ok(Some(_)) if kind == SectionKind::Data => {
            let help = "data lie where the heap ends; leave `at` and `align` to functions";
            return Some(Err((
                "only a `func` is placed".to_string(),
                help.to_string(),
            )));
        }
        Ok(Some((place, after))) => (Some(place), after),
        Err(message) => {
            let help = "write `func \"main.name\" at \"+4096\":`, `at \"page+64\":` or `align 64:`";
            return Some(Err((message, help.to_string())));
        }
    };
    if !after.trim_start().starts_with(':') {
        return Some(Err(wanted()));
    }
    let colon = line.len() - after.trim_start().len();
    let length = line[..colon].chars().count() + 1;
    Some(Ok(Opening {
        kind,
        name: name.to_string(),
        place,
        length,
    }))
}

/// Where the rest of an opening puts its function, and what stands behind that; none where it puts it nowhere.
fn placed(rest: &str) -> Result<Option<(CodePlace, &str)>, String> {
    let end = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    let rest = rest.trim_start();
    let number = |text: &str| {
        let digits = text.strip_prefix("0x");
        let number = digits.map_or_else(
            || text.parse().ok(),
            |digits| u32::from_str_radix(digits, 16).ok(),
        );
        number.ok_or_else(|| format!("`{text}` is no number of bytes"))
    };
    let (place, after) = match word {
        "at" => {
            let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            let (place, after) = quoted.ok_or("`at` is followed by a place in double quotes")?;
            let place = place.trim();
            let place = match (place.strip_prefix("page"), place.strip_prefix('+')) {
                (Some(""), _) => CodePlace::Page(0),
                (Some(rest), _) => match rest.trim_start().strip_prefix('+') {
                    Some(offset) => CodePlace::Page(number(offset.trim())?),
                    None => return Err(format!("`{place}` is no place of a function")),
                },
                (_, Some(distance)) => CodePlace::Behind(number(distance.trim())?),
                _ => return Err(format!("`{place}` is no place of a function")),
            };
            (place, after)
        }
        "align" => {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            (CodePlace::Align(number(digits)?), after)
        }
        _ => return Ok(None),
    };
    match place.refusal() {
        Some(refusal) => Err(refusal),
        None => Ok(Some((place, after))),
    }
}

/// `line` up to the `;` that begins its comment.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::parse::plain_lines;
    use super::*;

    fn split_text(text: &str) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
        let source = SourceText::new("t.asm".to_string(), text);
        split_sections(&source, plain_lines(&source))
    }

    fn only_error(text: &str) -> Diagnostic {
        let mut errors = split_text(text).expect_err("an error");
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.remove(0)
    }

    #[test]
    fn sections_keep_their_order_their_lines_and_their_numbers() {
        let text = "; about\nsetup:\n  mov rcx, 1\n body: ; once\n  nop\nfunc \"main.(*T).Id\":\n ret\ndata \"main.x\": dd 1\n";
        let sections = split_text(text).expect("sound");
        let seen: Vec<_> = sections
            .iter()
            .map(|s| (s.kind, s.name.as_str(), s.line, s.lines.len()))
            .collect();
        assert_eq!(
            seen,
            [
                (SectionKind::Setup, "setup", 2, 1),
                (SectionKind::Body, "body", 4, 1),
                (SectionKind::Func, "main.(*T).Id", 6, 1),
                (SectionKind::Data, "main.x", 8, 1),
            ]
        );
        assert_eq!(
            sections[1].lines[0],
            SourceLine {
                number: 5,
                text: "  nop".to_string()
            }
        );
    }

    #[test]
    fn code_after_the_colon_keeps_its_column() {
        let sections = split_text("body: nop ; x\n").expect("sound");
        assert_eq!(sections[0].lines[0].text, "      nop ; x");
    }

    #[test]
    fn code_before_the_first_section_is_pointed_at() {
        let error = only_error("; fine\n\n   mov eax, 1 ; stray\nbody:\n");
        assert_eq!((error.line, error.column, error.width), (3, 4, 10));
        assert!(error.message.contains("before the first section"));
    }

    #[test]
    fn a_section_that_comes_twice_names_the_first() {
        let error = only_error("body:\nfunc \"f\":\n ret\n  func \"f\" :\n ret\n");
        assert_eq!((error.line, error.column, error.width), (4, 3, 10));
        assert_eq!(
            error.help.as_deref(),
            Some("the first is on line 2; rename or remove one")
        );
    }

    #[test]
    fn a_section_without_its_name_is_told_the_form() {
        for text in [
            "body:\nfunc main.f:\n",
            "body:\nfunc \"\":\n",
            "body:\nfunc \"f\"\n",
            "body:\nfunc:\n",
        ] {
            let error = only_error(text);
            assert_eq!(
                (error.line, error.help.as_deref()),
                (2, Some("write `func \"main.name\":`")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_template_without_a_body_is_an_error() {
        assert!(
            only_error("func \"f\":\n ret\n")
                .message
                .contains("no `body:`")
        );
        assert!(only_error("").message.contains("no `body:`"));
    }

    #[test]
    fn a_label_that_only_begins_like_a_section_is_code() {
        let sections =
            split_text("body:\nbody2: nop\nfunction: nop\n mov rax, [database]\n").expect("sound");
        assert_eq!(sections[0].lines.len(), 3);
    }
}
