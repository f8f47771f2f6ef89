//! A template's own lines, as messages about it show them.
//!
//! Correct means: numbers count from 1, as editors count, and the text is what the user wrote. The numbers of
//! included texts go on behind those of the template, and what a reader gets is the file and its own number.

use std::fmt;

use serde::Serialize;

use super::{Included, Template};
use crate::text::diagnostic::Diagnostic;

impl Template {
    /// The template as diagnostics name it.
    pub fn file_name(&self) -> String {
        self.origin.file(&format!("{}.asm", self.name))
    }

    /// A line of the text, or of those that it includes; empty behind their end.
    pub fn line(&self, line: u32) -> &str {
        let (text, line) = match self.located(line) {
            (Some(at), line) => (&self.includes.texts[at].text, line),
            (None, line) => (&self.text, line),
        };
        let lines = text.lines().nth((line as usize).wrapping_sub(1));
        lines.unwrap_or("").trim_start_matches('\u{feff}')
    }

    /// Which of the included texts a line is of, and its number there.
    fn located(&self, line: u32) -> (Option<usize>, u32) {
        let before = &self.includes.before;
        match before
            .partition_point(|before| *before < line)
            .checked_sub(1)
        {
            Some(at) => (Some(at), line - before[at]),
            None => (None, line),
        }
    }

    /// The file and the number of a line, as a reader finds it.
    pub fn place(&self, line: u32) -> LinePlace {
        let (at, line) = self.located(line);
        let included = at.map(|at| &self.includes.texts[at]);
        LinePlace {
            file: included.map(Included::file),
            name: included.map(|one| one.name.clone()),
            line,
        }
    }

    /// The header line that sets `key`; the first line where there is none.
    pub fn header_line(&self, key: &str) -> u32 {
        let sets = |line: &str| {
            line.trim_start()
                .strip_prefix(";!")
                .is_some_and(|rest| rest.trim_start().starts_with(key))
        };
        let found = self.text.lines().position(sets);
        found.map_or(1, |at| at as u32 + 1)
    }

    /// A diagnostic for a whole line.
    pub fn at_line(&self, line: u32, message: String, help: Option<String>) -> Diagnostic {
        let text = self.line(line).to_string();
        let column = text.chars().take_while(|c| c.is_whitespace()).count() as u32 + 1;
        let width = (text.trim().chars().count() as u32).max(1);
        let place = self.place(line);
        Diagnostic {
            file: place.file.unwrap_or_else(|| self.file_name()),
            line: place.line,
            column,
            width,
            text,
            origin: None,
            message,
            help,
        }
    }
}

/// A line, as a reader finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LinePlace {
    /// The file, where it is not the template's own.
    pub file: Option<String>,
    /// The name by which it was included.
    pub name: Option<String>,
    /// The number of the line in its file, from 1.
    pub line: u32,
}

impl fmt::Display for LinePlace {
    /// `line 7`, or `go/frames.asm:7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => write!(f, "line {}", self.line),
            Some(name) => write!(f, "{name}:{}", self.line),
        }
    }
}
