//! The templates and suites inside the binary.
//!
//! Correct means: every file of `asm_templates/` is here under its own name.

/// Names and texts of files, sorted by name.
pub type Files = &'static [(&'static str, &'static str)];

/// The shipped templates.
pub const TEMPLATES: Files = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The shipped suites.
pub const SUITES: Files = include!(concat!(env!("OUT_DIR"), "/suites.rs"));

/// What they include, by the path below their folder.
pub const PIECES: Files = include!(concat!(env!("OUT_DIR"), "/pieces.rs"));

/// The text of one of them.
pub fn text(files: Files, name: &str) -> Option<&'static str> {
    let mut found = files.iter().filter(|(known, _)| *known == name);
    found.next().map(|&(_, text)| text)
}
