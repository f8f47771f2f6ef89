//! `sym`: what a program's symbols are: where, how large, and which bytes.
//!
//! Correct means: every byte that is printed is the file's, and a pointer names what it leads to.

use std::fmt::Write as _;

use serde_json::json;

use super::program::{bytes_of, read};
use super::{Common, Stop, print_json, print_plain};
use crate::asm;
use crate::binary::symbols::{Decoded, decode};
use crate::binary::{Binary, Content, Symbol, SymbolKind};
use crate::go::dump;
use crate::text::{folded, listed, word};

/// Symbols that are shown with their bytes, where no more match.
const SHOWN: usize = 8;

pub(super) fn sym(common: &Common, file: &str, pattern: Option<&str>) -> Result<i32, Stop> {
    let bytes = bytes_of(file)?;
    let binary = read(file, &bytes)?;
    let types = pattern.map_or_else(Vec::new, |pattern| binary.types(pattern));
    let mut found = match pattern {
        Some(pattern) => binary.matching(pattern),
        None => binary.symbols.iter().collect(),
    };
    found.extend(&types);
    if common.json {
        let all: Vec<_> = found
            .iter()
            .map(|symbol| document(&binary, symbol))
            .collect();
        print_json(&format!("{:#}\n", json!({ "schema": 1, "symbols": all })))?;
        return Ok(0);
    }
    if found.is_empty() {
        return Err(Stop::Usage(match pattern {
            Some(pattern) => format!(
                "{file} has no symbol whose name has `{pattern}` in it; `dispatchlab sym {}` lists all",
                word(file)
            ),
            None => format!(
                "{file} has no symbols, and is no Go program, which has them elsewhere, too; build it without stripping it"
            ),
        }));
    }
    let width = common.style().width;
    let out = match pattern.is_some() && found.len() <= SHOWN {
        true => found
            .iter()
            .map(|symbol| shown(&binary, symbol, width))
            .collect::<Vec<_>>()
            .join("\n"),
        false => table(&binary, &found),
    };
    print_plain(&out)?;
    Ok(0)
}

fn kind(binary: &Binary<'_>, symbol: &Symbol<'_>) -> &'static str {
    let content = binary
        .section(symbol.address)
        .map(|section| section.content);
    match (symbol.kind, content) {
        (SymbolKind::Elsewhere, _) => "elsewhere",
        (SymbolKind::Function, _) | (_, Some(Content::Code)) => "code",
        (_, Some(Content::Constant)) => "constant",
        (_, Some(Content::Variable)) => "variable",
        (_, None) => "mark",
    }
}

fn section<'a>(binary: &'a Binary<'_>, symbol: &Symbol<'_>) -> &'a str {
    binary
        .section(symbol.address)
        .map_or("-", |section| section.name)
}

/// One line a symbol.
fn table(binary: &Binary<'_>, found: &[&Symbol<'_>]) -> String {
    let mut out = format!(
        "{:<12} {:>8}  {:<16} {:<9} name\n",
        "address", "bytes", "section", "kind"
    );
    for symbol in found {
        // What another file has is nowhere here.
        let is_here = symbol.kind != SymbolKind::Elsewhere;
        let address = match is_here {
            true => format!("{:#x}", symbol.address),
            false => "-".to_string(),
        };
        let size = if is_here { symbol.size } else { 0 };
        let _ = writeln!(
            out,
            "{address:<12} {size:>8}  {:<16} {:<9} {}",
            section(binary, symbol),
            kind(binary, symbol),
            symbol.name
        );
    }
    out
}

fn document(binary: &Binary<'_>, symbol: &Symbol<'_>) -> serde_json::Value {
    let is_here = symbol.kind != SymbolKind::Elsewhere;
    json!({
        "name": symbol.name,
        "address": is_here.then(|| format!("{:#x}", symbol.address)),
        "size": is_here.then_some(symbol.size),
        "section": binary.section(symbol.address).map(|section| section.name),
        "file_offset": binary.file_offset(symbol.address),
        "kind": kind(binary, symbol),
    })
}

/// A symbol with its bytes, decoded where its kind is known.
fn shown(binary: &Binary<'_>, symbol: &Symbol<'_>, width: usize) -> String {
    let mut out = format!("{}\n", symbol.name);
    if symbol.kind == SymbolKind::Elsewhere {
        out.push_str("  another file has it: here is only what names it\n");
        return out;
    }
    let place = match binary.file_offset(symbol.address) {
        Some(offset) => format!("at byte {offset:#x} of the file"),
        None => "not in the file: zeros".to_string(),
    };
    let _ = writeln!(
        out,
        "  address {:#x}, {} bytes, section {}, {}, {place}",
        symbol.address,
        symbol.size,
        section(binary, symbol),
        kind(binary, symbol)
    );
    let mut out = folded(&out, 2, width);
    let name = |address: u64| binary.name_of(address);
    match decode(binary, symbol) {
        Decoded::Code(bytes) => {
            for inst in asm::disassemble(bytes, symbol.address, &name) {
                let address = format!("  {:#x}", inst.address);
                out.push_str(&listed(&address, &inst.bytes, &inst.text, "", width));
            }
        }
        Decoded::Data { what, fields, left } => {
            if let Some(what) = what {
                let _ = writeln!(out, "  {what}");
            }
            for field in fields {
                dump::line(
                    &mut out,
                    field.offset,
                    field.bytes,
                    &field.name,
                    &field.meaning,
                );
            }
            if left > 0 {
                let _ = writeln!(out, "  ... {left} bytes more");
            }
        }
        Decoded::Nothing => {}
    }
    out
}
