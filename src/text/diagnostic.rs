//! A Diagnostic says what is wrong with a template: where, what, and what to do about it.
//!
//! Correct means: the line and column point into the file the user edits, even when the line that
//! failed came out of an expansion, and the help is something the user can type.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::{Deserialize, Serialize};

use crate::text::{Style, folded, printable};

/// One thing that is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Template file as the user named it, or `embedded:NAME.asm`.
    pub file: String,
    /// Line in the template file, counted from 1.
    pub line: u32,
    /// Column in [`Diagnostic::text`], in characters, counted from 1.
    pub column: u32,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// Width of the underlined part, in characters, at least 1.
    pub width: u32,
    /// The line the column counts in: the template's own, or what its expansion gave.
    pub text: String,
    /// The template's own line where `text` came out of an expansion and differs from it.
    pub origin: Option<String>,
}

/// The diagnostics as a compiler prints them, a blank line between two.
///
/// Where a line came out of an expansion, the template's own line is the one shown under the file
/// name, and what it expands to stands beneath. Of very many the first are shown: the rest mostly
/// follows from them.
pub fn render(diagnostics: &[Diagnostic], style: Style) -> String {
    render_as(Level::ERROR, diagnostics, style)
}

/// The same of what is allowed and most likely not meant.
pub fn render_hints(hints: &[Diagnostic], style: Style) -> String {
    render_as(Level::WARNING, hints, style)
}

fn render_as(level: Level<'static>, diagnostics: &[Diagnostic], style: Style) -> String {
    let renderer = if style.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let decor = if style.unicode {
        DecorStyle::Unicode
    } else {
        DecorStyle::Ascii
    };
    let renderer = renderer.term_width(style.width).decor_style(decor);
    const SHOWN: usize = 20;
    let mut rendered: Vec<String> = diagnostics
        .iter()
        .take(SHOWN)
        .map(|diagnostic| {
            let room = style.width.saturating_sub(GUTTER).max(NARROWEST);
            renderer.render(&[group(&level, &clipped(diagnostic, style), room)]) + "\n"
        })
        .collect();
    if diagnostics.len() > SHOWN {
        let more = diagnostics.len() - SHOWN;
        rendered.push(format!("and {more} more; correct these first\n"));
    }
    rendered.join("\n")
}

/// Characters of a line that are shown, at most, and of them those in front of the blamed one.
const LONGEST: usize = 400;
const BEFORE: usize = 60;

/// Columns that stand before a message or a help: `error: `, or the gutter of a line's number.
const LEAD: usize = 7;
const GUTTER: usize = 20;
/// Columns of an expanded line that are shown on the narrowest of terminals.
const NARROWEST: usize = 20;

/// The diagnostic with a part of its line where that is longer than anybody reads, and its prose in
/// lines that fit.
fn clipped(diagnostic: &Diagnostic, style: Style) -> Diagnostic {
    let mut clipped = diagnostic.clone();
    if diagnostic.text.chars().nth(LONGEST).is_some() {
        let first = (diagnostic.column.max(1) as usize - 1).saturating_sub(BEFORE);
        clipped.text = diagnostic.text.chars().skip(first).take(LONGEST).collect();
        clipped.column = diagnostic.column.max(1) - first as u32;
    }
    // Annotations of a line that is cut cannot be found in it, so then the whole of it is marked.
    if let Some(origin) = &diagnostic.origin
        && origin.chars().nth(LONGEST).is_some()
    {
        clipped.origin = Some(origin.chars().take(LONGEST).collect());
    }
    clipped.text = printable::in_columns(&clipped.text);
    clipped.origin = clipped.origin.as_deref().map(printable::in_columns);
    clipped.file = printable::line(&clipped.file).into_owned();
    for text in [Some(&mut clipped.message), clipped.help.as_mut()]
        .into_iter()
        .flatten()
    {
        *text = printable::lines(text).into_owned();
        if text.chars().nth(LONGEST).is_some() {
            *text = text.chars().take(LONGEST).chain("...".chars()).collect();
        }
    }
    clipped.message = folded(&clipped.message, 0, style.width.saturating_sub(LEAD));
    clipped.help = clipped
        .help
        .map(|help| folded(&help, 0, style.width.saturating_sub(GUTTER)));
    clipped
}

fn group<'a>(level: &Level<'static>, diagnostic: &'a Diagnostic, room: usize) -> Group<'a> {
    let blamed = bytes(&diagnostic.text, diagnostic.column, diagnostic.width);
    let (line, span) = match &diagnostic.origin {
        None => (&diagnostic.text, blamed),
        Some(origin) => (origin, in_origin(origin, &diagnostic.text[blamed])),
    };
    // The renderer cuts a line beside what is marked and never in it.
    let marked = line[span.clone()].char_indices().nth(room);
    let span = span.start..marked.map_or(span.end, |(at, _)| span.start + at);
    let snippet = Snippet::source(line.as_str())
        .path(diagnostic.file.as_str())
        .line_start(diagnostic.line.max(1) as usize)
        .annotation(AnnotationKind::Primary.span(span));
    let mut group = level
        .clone()
        .primary_title(diagnostic.message.as_str())
        .element(snippet);
    if diagnostic.origin.is_some() {
        group = group.element(Level::NOTE.message(expansion(diagnostic, room)));
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The bytes of `width` characters from `column` on, cut at the end of the line. A column just
/// behind the end is where something is missing.
fn bytes(text: &str, column: u32, width: u32) -> Range<usize> {
    let at = |character: u32| {
        let nth = text.char_indices().nth(character as usize);
        nth.map_or(text.len(), |(byte, _)| byte)
    };
    let first = column.max(1) - 1;
    at(first)..at(first.saturating_add(width.max(1)))
}

/// Where the template's own line is to blame: the same words where they stand there exactly once,
/// else the whole line, for nobody knows which part of it gave the blamed one.
fn in_origin(origin: &str, blamed: &str) -> Range<usize> {
    let mut places = origin.match_indices(blamed).map(|(at, _)| at);
    match (places.next(), places.next()) {
        (Some(at), None) if !blamed.trim().is_empty() => at..at + blamed.len(),
        _ => {
            let first = origin.len() - origin.trim_start().len();
            first..origin.trim_end().len().max(first)
        }
    }
}

/// The part of a line around a column that `room` columns can show, and where the column is in it.
fn around(text: &str, column: usize, room: usize) -> (String, usize) {
    let length = text.chars().count();
    if length <= room {
        return (text.to_string(), column);
    }
    let first = column.saturating_sub(room / 2).min(length - room);
    let mut shown: Vec<char> = text.chars().skip(first).take(room).collect();
    if first > 0 {
        shown[0] = '…';
    }
    if first + room < length {
        shown[room - 1] = '…';
    }
    (shown.into_iter().collect(), column - first)
}

/// The expanded line with its own caret.
fn expansion(diagnostic: &Diagnostic, room: usize) -> String {
    let blank = |c: char| if c == '\t' { ' ' } else { c };
    let text: String = diagnostic.text.trim_end().chars().map(blank).collect();
    let indent = text.chars().take_while(|c| c.is_whitespace()).count();
    let length = text.chars().count();
    let column = (diagnostic.column.max(1) as usize - 1).clamp(indent, length);
    let left = (length - column).max(1);
    let carets = "^".repeat((diagnostic.width.max(1) as usize).min(left));
    let (shown, at) = around(text.trim_start(), column - indent, room);
    let carets: String = carets
        .chars()
        .take(room.saturating_sub(at).max(1))
        .collect();
    format!("this line expands to\n{shown}\n{}{carets}", " ".repeat(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::golden;

    const PLAIN: Style = Style {
        width: 80,
        color: false,
        unicode: false,
    };

    fn diagnostic(text: &str, column: u32, width: u32, message: &str) -> Diagnostic {
        Diagnostic {
            file: "mine.asm".into(),
            line: 12,
            column,
            width,
            text: text.into(),
            origin: None,
            message: message.into(),
            help: None,
        }
    }

    fn samples() -> Vec<Diagnostic> {
        vec![
            Diagnostic {
                help: Some("did you mean `mov`?".into()),
                ..diagnostic(
                    "        mvo  rcx, [rax + 24]",
                    9,
                    3,
                    "there is no instruction `mvo`",
                )
            },
            Diagnostic {
                file: "embedded:itab_call.asm".into(),
                line: 7,
                origin: Some("        add  eax, {{ t + 1 }}h".into()),
                help: Some(
                    "write `4096` or `1000h`\nhexadecimal numbers end in `h` or begin with `0x`"
                        .into(),
                ),
                ..diagnostic("        add  eax, 4g96h", 19, 5, "`4g96h` is not a number")
            },
            Diagnostic {
                origin: Some("        mvo  rax, [rax + {{ slot * 8 }}]".into()),
                ..diagnostic(
                    "        mvo  rax, [rax + 24]",
                    9,
                    3,
                    "there is no instruction `mvo`",
                )
            },
            diagnostic("\tmov\trax,", 10, 1, "an operand is missing"),
            diagnostic("", 1, 1, "the file has no section `body:`"),
            diagnostic(
                "        call \"main.Größe\" ; é",
                14,
                12,
                "nothing defines `main.Größe`",
            ),
        ]
    }

    #[test]
    fn diagnostics_look_like_a_compilers() {
        golden::compare("report_diagnostics.txt", &render(&samples(), PLAIN));
    }

    #[test]
    fn colour_and_unicode_come_only_when_asked_for() {
        let plain = render(&samples()[..1], PLAIN);
        assert!(plain.is_ascii() && !plain.contains('\x1b'));
        let styled = render(
            &samples()[..1],
            Style {
                color: true,
                ..PLAIN
            },
        );
        assert!(styled.contains("\x1b["));
        let drawn = render(
            &samples()[..1],
            Style {
                unicode: true,
                ..PLAIN
            },
        );
        assert!(drawn.contains('│') && !drawn.contains('\x1b'));
    }

    #[test]
    fn of_a_line_without_end_the_part_around_the_column_is_shown() {
        let text = format!("{}mvo{}", "nop ".repeat(100_000), " nop".repeat(100_000));
        let long = diagnostic(&text, 400_001, 3, &"x".repeat(1_000_000));
        for origin in [None, Some(text.clone())] {
            let rendered = render(
                &[Diagnostic {
                    origin,
                    ..long.clone()
                }],
                PLAIN,
            );
            assert!(rendered.len() < 4_000, "{} bytes", rendered.len());
            assert!(
                rendered.contains("mvo") || rendered.contains("nop"),
                "{rendered}"
            );
            assert!(rendered.contains('^'), "{rendered}");
        }
    }

    #[test]
    fn no_diagnostic_is_no_text() {
        assert_eq!(render(&[], PLAIN), "");
    }

    #[test]
    fn columns_beyond_the_line_and_odd_widths_do_not_panic() {
        for text in ["", "x", "größer", " \t "] {
            for column in [0, 1, 3, 99, u32::MAX] {
                for width in [0, 1, 99, u32::MAX] {
                    for origin in [
                        None,
                        Some(String::new()),
                        Some("{{ ü }}".to_string()),
                        Some("   ".to_string()),
                    ] {
                        let rendered = render(
                            &[Diagnostic {
                                origin,
                                ..diagnostic(text, column, width, "m")
                            }],
                            PLAIN,
                        );
                        assert!(rendered.starts_with("error: m\n"), "{rendered}");
                    }
                }
            }
        }
    }
}
