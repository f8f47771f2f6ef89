//! `asm`: a fragment to bytes; nothing runs.
//!
//! Correct means: the bytes are those that a template with these lines would have, and a field is
//! zero only where the command line allows it.

use serde_json::json;

use super::{Common, Stop, Syntax, print_json, print_plain};
use crate::asm::{self, Fixup, Section};
use crate::template::library::{STDIN, text_of};
use crate::text::diagnostic::Diagnostic;
use crate::text::listed;

/// Bytes in one row of data, at most.
const DATA_ROW: usize = 8;

pub(super) fn asm(
    common: &Common,
    file: &str,
    syntax: Syntax,
    is_hex: bool,
    allow_undefined: bool,
) -> Result<i32, Stop> {
    if syntax == Syntax::Go {
        return Err(Stop::Usage(
            "`--syntax go`: this build reads Intel syntax only; write the fragment in it, or leave the option out".into(),
        ));
    }
    let name = if file == "-" { STDIN } else { file };
    let text = text_of(file)?;
    let section = asm::fragment_in(&text, name, allow_undefined).map_err(Stop::Templates)?;
    if !allow_undefined && !section.fixups.is_empty() {
        return Err(Stop::Templates(undefined(&section, name, &text)));
    }
    if common.json {
        print_json(&as_json(&section))?;
    } else if is_hex {
        print_plain(&format!("{}\n", hex(&section.bytes)))?;
    } else {
        print_plain(&as_text(&section, common.style().width))?;
    }
    Ok(0)
}

/// A diagnostic for each field that waits for a linker.
fn undefined(section: &Section, file: &str, text: &str) -> Vec<Diagnostic> {
    let is_label = |name: &str| section.labels.iter().any(|label| label.name == name);
    let complaint = |fixup: &Fixup| {
        let message = if is_label(&fixup.symbol) {
            format!(
                "the address of `{}` is known only once it is linked",
                fixup.symbol
            )
        } else {
            format!("nothing defines the symbol \"{}\"", fixup.symbol)
        };
        let line = text.lines().nth(fixup.line as usize - 1).unwrap_or("");
        let quotes = line.chars().nth(fixup.column as usize - 1) == Some('"');
        Diagnostic {
            file: file.to_string(),
            line: fixup.line,
            column: fixup.column,
            width: fixup.symbol.chars().count() as u32 + 2 * u32::from(quotes),
            text: line.to_string(),
            origin: None,
            message,
            help: Some("pass --allow-undefined to leave the field zero, or `run` it in a template that defines the symbol".into()),
        }
    };
    section.fixups.iter().map(complaint).collect()
}

/// One row of the listing.
struct Row {
    offset: u32,
    bytes: Vec<u8>,
    text: String,
    line: u32,
}

/// The section line by line: instructions as they decode, everything else as data.
fn rows(section: &Section) -> Vec<Row> {
    let end = section.bytes.len() as u32;
    let mut rows = Vec::new();
    let mut marks = section.lines.iter().peekable();
    while let Some(mark) = marks.next() {
        // The values of one data directive have a mark each, and what `times` repeats has.
        let mut starts = vec![mark.offset];
        while let Some(next) = marks.next_if(|next| next.line == mark.line) {
            starts.push(next.offset);
        }
        let until = marks.peek().map_or(end, |next| next.offset);
        let bytes = &section.bytes[mark.offset as usize..until as usize];
        let name = |address: u64| target(section, mark.offset..until, address);
        let listed = asm::disassemble(bytes, u64::from(mark.offset), &name);
        let is_padding = listed.iter().all(|one| one.text.starts_with("nop"));
        let decoded = listed.iter().map(|one| one.address);
        let is_as_marked = decoded.eq(starts.into_iter().map(u64::from));
        if is_as_marked || is_padding {
            rows.extend(listed.into_iter().map(|one| Row {
                offset: one.address as u32,
                bytes: one.bytes,
                text: one.text,
                line: mark.line,
            }));
            continue;
        }
        for (number, chunk) in (0u32..).zip(bytes.chunks(DATA_ROW)) {
            let values: Vec<String> = chunk.iter().map(|byte| format!("{byte:#04x}")).collect();
            rows.push(Row {
                offset: mark.offset + number * DATA_ROW as u32,
                bytes: chunk.to_vec(),
                text: format!("db {}", values.join(", ")),
                line: mark.line,
            });
        }
    }
    rows
}

/// What stands at an address that an instruction of these offsets names: the symbol that its field
/// waits for, else a label.
fn target(section: &Section, offsets: std::ops::Range<u32>, address: u64) -> Option<String> {
    if let Some(fixup) = section
        .fixups
        .iter()
        .find(|fixup| offsets.contains(&fixup.offset))
    {
        return Some(match fixup.addend {
            0 => fixup.symbol.clone(),
            addend => format!("{}{addend:+#x}", fixup.symbol),
        });
    }
    let label = section
        .labels
        .iter()
        .find(|label| u64::from(label.offset) == address)?;
    Some(label.name.clone())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

fn as_text(section: &Section, width: usize) -> String {
    let mut out = String::new();
    for row in rows(section) {
        let offset = format!("{:5x}", row.offset);
        out.push_str(&listed(&offset, &row.bytes, &row.text, "", width));
    }
    out
}

fn as_json(section: &Section) -> String {
    let rows = rows(section).into_iter().map(|row| {
        json!({
            "offset": row.offset,
            "bytes": hex(&row.bytes),
            "text": row.text,
            "line": row.line,
        })
    });
    let undefined = section.fixups.iter().map(|fixup| {
        json!({
            "symbol": fixup.symbol,
            "offset": fixup.offset,
            "line": fixup.line,
            "column": fixup.column,
        })
    });
    let document = json!({
        "schema": 1,
        "instructions": rows.collect::<Vec<_>>(),
        "undefined": undefined.collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}
