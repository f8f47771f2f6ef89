//! Text to be assembled: sections of numbered lines.
//!
//! Correct means: a line's number is the one that its reader knows it by, however it came here.

use super::SectionKind;

/// One section of an expanded template, before assembly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSection {
    /// What the section is for.
    pub kind: SectionKind,
    /// `setup`, `body`, or the symbol.
    pub name: String,
    /// Template line of the section's header.
    pub line: u32,
    /// Its lines, without the header line (but with what followed the colon on it).
    pub lines: Vec<SourceLine>,
}

/// One line of an expanded template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// Line in the template file, counted from 1.
    pub number: u32,
    /// The text after expansion, comments included.
    pub text: String,
}
