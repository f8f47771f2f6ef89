//! What is wrong with one line, before it is known which file and line that is.
//!
//! Correct means: the span covers exactly the characters to change, and a name is suggested only
//! when a reader would have taken it for the one that was meant.

use strsim::osa_distance;

use super::SourceLine;
use crate::text::diagnostic::Diagnostic;

/// A run of characters in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    /// First character, counted from 1.
    pub(super) column: u32,
    /// Number of characters, at least 1.
    pub(super) width: u32,
}

impl Span {
    /// From the start of `self` to the end of `last`.
    pub(super) fn to(self, last: Span) -> Span {
        let end = (last.column + last.width).max(self.column + 1);
        Span {
            column: self.column,
            width: end - self.column,
        }
    }
}

/// One thing that is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// What to underline.
    pub(super) span: Span,
    /// What is wrong, one sentence without a full stop.
    pub(super) message: String,
    /// What to do next.
    pub(super) help: Option<String>,
}

impl Problem {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Problem {
        Problem {
            span,
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Problem {
        Problem {
            help: Some(help.into()),
            ..self
        }
    }

    /// Adds "did you mean" where a name of `known` is near `written`, else `otherwise`.
    pub(super) fn suggest<'a>(
        self,
        written: &str,
        known: impl Iterator<Item = &'a str>,
        otherwise: Option<&str>,
    ) -> Problem {
        let help = nearest(written, known)
            .map(|name| format!("did you mean `{name}`?"))
            .or(otherwise.map(str::to_owned));
        Problem { help, ..self }
    }

    pub(super) fn at(self, file: &str, line: &SourceLine) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            line: line.number,
            column: self.span.column,
            width: self.span.width.max(1),
            text: line.text.clone(),
            origin: None,
            message: clipped(&self.message),
            help: self.help,
        }
    }
}

/// The message with the beginnings of names and numbers that are longer than anyone reads: the line
/// beneath shows them in full.
fn clipped(message: &str) -> String {
    /// Characters of a name that are shown.
    const SHOWN: usize = 40;
    let clip = |part: &str| match part.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &part[..end]),
        None => part.to_owned(),
    };
    // Every second part is a name; a symbol's has blanks. A number may stand without backquotes.
    let parts = message
        .split('`')
        .enumerate()
        .map(|(at, part)| match at % 2 {
            1 => clip(part),
            _ => part.split(' ').map(clip).collect::<Vec<_>>().join(" "),
        });
    parts.collect::<Vec<_>>().join("`")
}

/// Whether a word may be one of these with a typing error.
pub(super) fn is_near<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> bool {
    nearest(written, known).is_some()
}

/// The name that is fewest edits away, if that is few for its length; the first one of several.
fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written: String = written.chars().take(64).collect();
    let first = written.chars().next();
    let length = written.chars().count();
    // Two edits turn any name of three letters into almost any other one.
    let most = if length <= 3 { 1 } else { 2 };
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        if name.len().abs_diff(length) > most + 2 {
            continue;
        }
        let edits = osa_distance(&written, name);
        // Of equally near names, one that begins alike is more likely to be meant.
        let rank = 2 * edits + usize::from(name.chars().next() != first);
        if edits <= most && edits < length && best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = || ["mov", "movzx", "imul", "call"].into_iter();
        assert_eq!(nearest("mvo", known()), Some("mov"));
        assert_eq!(nearest("movz", known()), Some("mov"));
        assert_eq!(nearest("cal", known()), Some("call"));
        assert_eq!(nearest("frobnicate", known()), None);
        assert_eq!(nearest("q", known()), None);
    }
}
