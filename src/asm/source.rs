//! Text to be assembled: sections of numbered lines.
//!
//! Correct means: a line's number is the one that its reader knows it by, however it came here.

use serde::{Deserialize, Serialize};

use super::{CodePlace, SectionKind};

/// How text is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// Line by line as it looks.
    #[default]
    Auto,
    /// Destination first, as GCC, Clang, MSVC, objdump, gdb and NASM write it on request.
    Intel,
    /// Destination last, `%rax` and `$5`.
    Att,
    /// Go's assembler and its listings: destination last, `AX` and `$5`.
    Go,
}

/// One section of an expanded template, before assembly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSection {
    /// What the section is for.
    pub kind: SectionKind,
    /// `setup`, `body`, or the symbol.
    pub name: String,
    /// Where it is to stand, where that is said of a function.
    pub place: Option<CodePlace>,
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
