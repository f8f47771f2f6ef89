//! What a terminal can show.
//!
//! Correct means: without colour there is no escape sequence, and padding is counted before paint.

/// How text is laid out and decorated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; 80 where the output is no terminal.
    pub width: usize,
    /// Whether ANSI colours are wanted.
    pub color: bool,
    /// Whether `×`, `–` and superscripts can be shown; ASCII stands in for them otherwise.
    pub unicode: bool,
}

/// What a piece of text is, and so how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Heads of columns.
    Head,
    /// What is read last.
    Faint,
    /// A row that went wrong.
    Failure,
    /// A row that ended as its parameters asked.
    Expected,
    /// The word before a warning.
    Warning,
}

impl Style {
    /// The text as it is to look.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            _ if !self.color || text.is_empty() => return text.to_string(),
            Paint::Head => "1",
            Paint::Faint => "2",
            Paint::Failure => "1;31",
            Paint::Expected => "36",
            Paint::Warning => "1;33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Each line painted by itself, so that a pager that shows part of them shows them right.
    pub(crate) fn paint_lines(self, paint: Paint, text: &str) -> String {
        text.lines()
            .map(|line| self.paint(paint, line) + "\n")
            .collect()
    }

    /// What stands where there is no number.
    pub(crate) fn absent(self) -> &'static str {
        if self.unicode { "–" } else { "-" }
    }
}
