//! A template's own lines, as messages about it show them.
//!
//! Correct means: numbers count from 1, as editors count, and the text is what the user wrote.

use super::Template;
use crate::text::diagnostic::Diagnostic;

impl Template {
    /// The template as diagnostics name it.
    pub fn file_name(&self) -> String {
        self.origin.file(&format!("{}.asm", self.name))
    }

    /// A line of the text; empty behind its end.
    pub fn line(&self, line: u32) -> &str {
        self.text.lines().nth(line as usize - 1).unwrap_or("")
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
        Diagnostic {
            file: self.file_name(),
            line,
            column,
            width,
            text,
            origin: None,
            message,
            help,
        }
    }
}
