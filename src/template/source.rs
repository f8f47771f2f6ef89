//! The text of a template as lines that diagnostics can point into.
//!
//! Correct means: a diagnostic made here carries the file's own line, and its column counts
//! characters, not bytes.

use crate::text::diagnostic::Diagnostic;

/// A template's text, named and cut into lines.
#[derive(Debug)]
pub(crate) struct SourceText<'a> {
    /// What diagnostics call the file.
    pub(crate) file: String,
    /// The lines, without their ends.
    pub(crate) lines: Vec<&'a str>,
}

/// A place in a template: line and column count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) width: u32,
}

impl<'a> SourceText<'a> {
    pub(crate) fn new(file: String, text: &'a str) -> Self {
        // Some editors begin a UTF-8 file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        SourceText {
            file,
            lines: text.lines().collect(),
        }
    }

    /// The text of line `number`, counted from 1; empty beyond the end.
    pub(crate) fn line(&self, number: u32) -> &'a str {
        let index = (number as usize).wrapping_sub(1);
        self.lines.get(index).copied().unwrap_or_default()
    }

    /// A diagnostic about the template's own text.
    pub(crate) fn complain(
        &self,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line: place.line,
            column: place.column,
            width: place.width.max(1),
            text: self.line(place.line).to_string(),
            origin: None,
            message: message.into(),
            help,
        }
    }

    /// A diagnostic about what the expansion made of a line.
    pub(crate) fn complain_expanded(
        &self,
        place: Place,
        text: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Diagnostic {
        let own = self.line(place.line);
        Diagnostic {
            text: text.to_string(),
            origin: (own != text).then(|| own.to_string()),
            ..self.complain(place, message, help)
        }
    }

    /// The whole of line `number` without the blanks around it.
    pub(crate) fn whole_line(&self, number: u32) -> Place {
        let line = self.line(number);
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        Place {
            line: number,
            column: indent as u32 + 1,
            width: line.trim().chars().count() as u32,
        }
    }
}
