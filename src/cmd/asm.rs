//! `asm`: a fragment to bytes; nothing runs.
//!
//! Correct means: the bytes are those that a template with these lines would have, and a field is
//! zero only where the command line allows it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde_json::json;

use super::{Common, Stop, print_json, print_plain};
use crate::asm::{self, Fixup, Section};
use crate::go::Release;
use crate::template::library::{STDIN, text_of};
use crate::text::diagnostic::Diagnostic;
use crate::text::{diagnostic, listed};

/// Bytes in one row of data, at most.
const DATA_ROW: usize = 8;

pub(super) fn asm(
    common: &Common,
    file: &str,
    is_hex: bool,
    allow_undefined: bool,
) -> Result<i32, Stop> {
    let name = if file == "-" { STDIN } else { file };
    let text = text_of(file)?;
    let reading = asm::Reading {
        file: name,
        is_open: allow_undefined,
        syntax: common.syntax().unwrap_or_default(),
        separates: common.separator.is_some(),
        go_minor: said_release(&text).map(Release::minor),
    };
    let hidden = asm::hidden(&text, &reading);
    if !hidden.is_empty() {
        common.say(&diagnostic::render_hints(&hidden, common.error_style()));
    }
    let section = asm::fragment_in(&text, &reading).and_then(|section| {
        match allow_undefined || section.fixups.is_empty() {
            true => Ok(section),
            false => Err(undefined(&section, name, &text)),
        }
    });
    let section = match section {
        Ok(section) => section,
        Err(diagnostics) if common.json => {
            let document = json!({ "schema": 1, "diagnostics": diagnostics });
            print_json(&format!("{document:#}\n"))?;
            return Ok(3);
        }
        Err(diagnostics) => return Err(Stop::Templates(diagnostics)),
    };
    if common.json {
        print_document(&Listing::new(&section))?;
    } else if is_hex {
        print_plain(&format!("{}\n", hex(&all_bytes(&section))))?;
    } else {
        print_listing(&Listing::new(&section), common.style().width)?;
    }
    Ok(0)
}

/// The release that a header in the text says.
fn said_release(text: &str) -> Option<Release> {
    // Most texts have no header, and millions of lines.
    if !text.contains(";!") && !text.contains("//!") {
        return None;
    }
    let lines = text.lines().map(str::trim_start);
    let mut said = lines.filter_map(|line| {
        let line = line.strip_prefix(";!").or(line.strip_prefix("//!"))?;
        let (key, value) = line.split_once('=')?;
        (key.trim() == "go").then(|| value.trim().trim_matches('"').parse().ok())?
    });
    said.next()
}

/// A diagnostic for each field that waits for a linker.
fn undefined(section: &Section, file: &str, text: &str) -> Vec<Diagnostic> {
    let labels: HashSet<&str> = section
        .labels
        .iter()
        .map(|label| label.name.as_str())
        .collect();
    let lines: Vec<&str> = text.lines().collect();
    let complaint = |fixup: &Fixup| {
        let message = if labels.contains(fixup.symbol.as_str()) {
            format!(
                "the address of `{}` is known only once it is linked",
                fixup.symbol
            )
        } else {
            format!("nothing defines the symbol \"{}\"", fixup.symbol)
        };
        let line = lines.get(fixup.line as usize - 1).copied().unwrap_or("");
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

/// A section with what stands at its offsets.
struct Listing<'a> {
    section: &'a Section,
    /// All bytes, those that are repeated among them.
    bytes: Vec<u8>,
    /// The first label of each offset.
    labels: HashMap<u32, &'a str>,
    /// Fields that wait for a linker, by offset.
    fixups: Vec<&'a Fixup>,
}

impl<'a> Listing<'a> {
    fn new(section: &'a Section) -> Listing<'a> {
        let mut fixups: Vec<&Fixup> = section.fixups.iter().collect();
        fixups.sort_by_key(|fixup| fixup.offset);
        let mut labels = HashMap::new();
        for label in &section.labels {
            labels.entry(label.offset).or_insert(label.name.as_str());
        }
        Listing {
            section,
            bytes: all_bytes(section),
            labels,
            fixups,
        }
    }

    /// The section line by line: instructions as they decode, everything else as data.
    fn rows(&self, mut take: impl FnMut(Row) -> Result<(), Stop>) -> Result<(), Stop> {
        let section = self.section;
        let end = self.bytes.len() as u32;
        let mut lister = asm::Lister::default();
        let mut marks = section.lines.iter().peekable();
        while let Some(mark) = marks.next() {
            // The values of one data directive have a mark each, and what `times` repeats has.
            let mut starts = vec![mark.offset];
            while let Some(next) = marks.next_if(|next| next.line == mark.line) {
                starts.push(next.offset);
            }
            let until = marks.peek().map_or(end, |next| next.offset);
            let bytes = &self.bytes[mark.offset as usize..until as usize];
            let name = |address: u64| self.target(mark.offset..until, address);
            let mut listed = Vec::new();
            lister.list(bytes, u64::from(mark.offset), &name, |one| listed.push(one));
            let is_padding = listed.iter().all(|one| one.text.starts_with("nop"));
            let decoded = listed.iter().map(|one| one.address);
            let is_as_marked = decoded.eq(starts.into_iter().map(u64::from));
            if is_as_marked || is_padding {
                for one in listed {
                    take(Row {
                        offset: one.address as u32,
                        bytes: one.bytes,
                        text: one.text,
                        line: mark.line,
                    })?;
                }
                continue;
            }
            for (number, chunk) in (0u32..).zip(bytes.chunks(DATA_ROW)) {
                let values: Vec<String> = chunk.iter().map(|byte| format!("{byte:#04x}")).collect();
                take(Row {
                    offset: mark.offset + number * DATA_ROW as u32,
                    bytes: chunk.to_vec(),
                    text: format!("db {}", values.join(", ")),
                    line: mark.line,
                })?;
            }
        }
        Ok(())
    }

    /// What stands at an address that an instruction of these offsets names: the symbol that its field
    /// waits for, else a label.
    fn target(&self, offsets: Range<u32>, address: u64) -> Option<String> {
        let first = self
            .fixups
            .partition_point(|fixup| fixup.offset < offsets.start);
        if let Some(fixup) = self
            .fixups
            .get(first)
            .filter(|fixup| fixup.offset < offsets.end)
        {
            return Some(match fixup.addend {
                0 => fixup.symbol.clone(),
                addend => format!("{}{addend:+#x}", fixup.symbol),
            });
        }
        let label = self.labels.get(&u32::try_from(address).ok()?)?;
        Some((*label).to_owned())
    }
}

/// All bytes of a section, those that are repeated among them.
fn all_bytes(section: &Section) -> Vec<u8> {
    let mut bytes = vec![0; section.size() as usize];
    section.write_to(&mut bytes, true);
    bytes
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

/// Output in pieces, so that a listing takes no memory of its own.
struct Pieces {
    piece: String,
    print: fn(&str) -> Result<(), Stop>,
}

impl Pieces {
    /// Bytes of one piece.
    const SIZE: usize = 1 << 20;

    fn new(print: fn(&str) -> Result<(), Stop>) -> Pieces {
        Pieces {
            piece: String::new(),
            print,
        }
    }

    fn add(&mut self, text: &str) -> Result<(), Stop> {
        self.piece.push_str(text);
        if self.piece.len() < Self::SIZE {
            return Ok(());
        }
        self.end()
    }

    fn end(&mut self) -> Result<(), Stop> {
        (self.print)(&std::mem::take(&mut self.piece))
    }
}

fn print_listing(listing: &Listing<'_>, width: usize) -> Result<(), Stop> {
    let mut out = Pieces::new(print_plain);
    listing.rows(|row| {
        let offset = format!("{:5x}", row.offset);
        out.add(&listed(&offset, &row.bytes, &row.text, "", width))
    })?;
    out.end()
}

/// A name and its value as JSON.
struct Field<'a>(&'a str, String);

/// Each row is written by itself: a document of all of them would take many times their room.
fn print_document(listing: &Listing<'_>) -> Result<(), Stop> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = Pieces::new(print_json);
    let mut rows = Rows::new("{\n  \"instructions\": [");
    listing.rows(|row| {
        let fields = [
            Field("offset", row.offset.to_string()),
            Field("bytes", format!("\"{}\"", hex(&row.bytes))),
            Field("text", text(&row.text)),
            Field("line", row.line.to_string()),
        ];
        rows.add(&mut out, &fields)
    })?;
    rows.end(&mut out)?;
    let mut rows = Rows::new(",\n  \"schema\": 1,\n  \"undefined\": [");
    for fixup in &listing.section.fixups {
        let fields = [
            Field("symbol", text(&fixup.symbol)),
            Field("offset", fixup.offset.to_string()),
            Field("line", fixup.line.to_string()),
            Field("column", fixup.column.to_string()),
        ];
        rows.add(&mut out, &fields)?;
    }
    rows.end(&mut out)?;
    out.add("\n}\n")?;
    out.end()
}

/// A list of JSON objects, while it is written.
struct Rows {
    /// What stands in front of the next one.
    begin: &'static str,
    is_empty: bool,
}

impl Rows {
    fn new(begin: &'static str) -> Rows {
        Rows {
            begin,
            is_empty: true,
        }
    }

    fn add(&mut self, out: &mut Pieces, fields: &[Field<'_>]) -> Result<(), Stop> {
        let mut text = String::with_capacity(128);
        text.push_str(self.begin);
        let mut separator = "\n    {\n      \"";
        for Field(name, value) in fields {
            for part in [separator, name, "\": ", value] {
                text.push_str(part);
            }
            separator = ",\n      \"";
        }
        text.push_str("\n    }");
        (self.begin, self.is_empty) = (",", false);
        out.add(&text)
    }

    fn end(&mut self, out: &mut Pieces) -> Result<(), Stop> {
        match self.is_empty {
            true => {
                out.add(self.begin)?;
                out.add("]")
            }
            false => out.add("\n  ]"),
        }
    }
}
