//! The text of a template as lines that diagnostics can point into, and behind them those of what it includes.
//!
//! Correct means: a diagnostic made here carries the file's own line, and its column counts
//! characters, not bytes. One number names a line of any of these files: numbers go on from file to file, in
//! the order of the included texts.

use crate::text::diagnostic::Diagnostic;

/// A template's text, named and cut into lines.
#[derive(Debug)]
pub(crate) struct SourceText<'a> {
    /// What diagnostics call the template's file.
    pub(crate) file: String,
    /// The lines of all files, without their ends.
    pub(crate) lines: Vec<&'a str>,
    /// Of each included file its name, and how many lines stand in front of it.
    included: Vec<(String, u32)>,
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
        SourceText::of([(file, text)])
    }

    /// A template's file and those that it includes, with their texts.
    pub(crate) fn of(files: impl IntoIterator<Item = (String, &'a str)>) -> Self {
        let mut files = files.into_iter();
        let (file, text) = files.next().unwrap_or_default();
        let mut source = SourceText {
            file,
            lines: lines_of(text).collect(),
            included: Vec::new(),
        };
        for (file, text) in files {
            source.included.push((file, source.lines.len() as u32));
            source.lines.extend(lines_of(text));
        }
        source
    }

    /// The number of lines of the template's own file.
    pub(crate) fn own_lines(&self) -> usize {
        let first = self.included.first();
        first.map_or(self.lines.len(), |(_, before)| *before as usize)
    }

    /// The lines of each file, and how many stand in front of them.
    pub(crate) fn files(&self) -> impl Iterator<Item = (u32, &[&'a str])> {
        let starts = std::iter::once(0).chain(self.included.iter().map(|(_, before)| *before));
        let ends = self.included.iter().map(|(_, before)| *before);
        let ends = ends.chain([self.lines.len() as u32]);
        starts
            .zip(ends)
            .map(|(start, end)| (start, &self.lines[start as usize..end as usize]))
    }

    /// The file of a line, and its number there.
    pub(crate) fn place(&self, number: u32) -> (&str, u32) {
        let mut included = self.included.iter().rev();
        match included.find(|(_, before)| *before < number) {
            Some((file, before)) => (file, number - before),
            None => (&self.file, number),
        }
    }

    /// A line as messages name it: with its file, where that is not the template's.
    pub(crate) fn named(&self, number: u32) -> String {
        match self.place(number) {
            (_, line) if line == number => format!("line {line}"),
            (file, line) => format!("line {line} of {file}"),
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
        let (file, line) = self.place(place.line);
        Diagnostic {
            file: file.to_string(),
            line,
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

fn lines_of(text: &str) -> std::str::Lines<'_> {
    // Some editors begin a UTF-8 file with a byte order mark.
    text.strip_prefix('\u{feff}').unwrap_or(text).lines()
}
