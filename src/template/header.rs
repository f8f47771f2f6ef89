//! The header: TOML in the `;!` lines at the top of a template.
//!
//! Correct means: every key is known, every value has the type and range its key wants, and each
//! complaint points at the key or value in the file itself.

mod assumption;
mod block;
mod declared;
mod reader;
mod register;
mod rules;

use toml::de::DeTable;

use self::block::Block;
use self::reader::Reader;
use super::source::SourceText;
use super::{Header, parts};
use crate::asm::Syntax;
use crate::text::diagnostic::Diagnostic;

/// Whether a line belongs to the header. Marks look like one and belong to the code.
pub(crate) fn is_header_line(line: &str) -> bool {
    content(line).is_some() && !parts::is_mark(line)
}

/// What a header line says, behind `;!`, or `//!` as Go's comments begin.
fn content(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix(";!").or_else(|| line.strip_prefix("//!"))
}

/// Reads the header of a template.
///
/// # Errors
/// All that is wrong with it, each at its place.
pub(crate) fn parse(source: &SourceText<'_>) -> Result<Header, Vec<Diagnostic>> {
    let block = Block::of(source)?;
    let table = DeTable::parse(&block.toml).map_err(|error| {
        let place = block.place(error.span().unwrap_or(0..0));
        let help = "a header line is TOML after `;!`, such as `;! title = \"...\"`".to_string();
        vec![source.complain(place, error.message().replace('\n', "; "), Some(help))]
    })?;
    let mut reader = Reader::new(source, &block);
    let (mut header, places) = reader.header(table.get_ref());
    let is_go = |line: &&str| line.trim_start().starts_with("//!");
    if !table.get_ref().contains_key("syntax") && source.lines.iter().any(is_go) {
        header.syntax = Syntax::Go;
    }
    let mut errors = reader.errors;
    // A value that could not be read would only break rules that the user kept.
    if errors.is_empty() {
        rules::check(&header, &mut |key, message, help| {
            let place = places.get(key).copied().unwrap_or(block.place(0..0));
            errors.push(source.complain(place, message, Some(help)));
        });
    }
    errors.sort_by_key(|error| (error.line, error.column));
    if errors.is_empty() {
        Ok(header)
    } else {
        Err(errors)
    }
}
