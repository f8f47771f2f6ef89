//! `vtable`: the tables of methods that C++ and Rust made.
//!
//! Correct means: each slot is the file's, and a class that there is not is an error.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::program::{bytes_of, read};
use super::{Common, Stop, print_json, print_plain};
use crate::binary::vtables::{Language, Vtable, vtables};
use crate::text::{closest, folded, word};

pub(super) fn vtable(common: &Common, file: &str, class: Option<&str>) -> Result<i32, Stop> {
    let bytes = bytes_of(file)?;
    let binary = read(file, &bytes)?;
    let mut found = vtables(&binary);
    if found.is_empty() && !common.json {
        let next = match binary.go {
            Some(_) => format!("Go has itabs: `dispatchlab itab {}`", word(file)),
            None => "they are found by symbols, so build it without stripping it".to_string(),
        };
        return Err(Stop::Usage(format!(
            "{file} has no table of C++ or Rust that is known by a symbol; {next}"
        )));
    }
    if let Some(class) = class {
        let names: Vec<String> = found.iter().map(|table| table.class.clone()).collect();
        let exact = names.iter().any(|name| name == class);
        found.retain(|table| {
            if exact {
                table.class == class
            } else {
                table.class.contains(class)
            }
        });
        if found.is_empty() && !common.json {
            let near = closest(class, names.iter().map(String::as_str));
            let near = near.map_or_else(
                || format!("`dispatchlab vtable {}` lists them", word(file)),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(Stop::Usage(format!(
                "{file} has no table of `{class}`; {near}"
            )));
        }
    }
    if common.json {
        let all: Vec<Value> = found.iter().map(document).collect();
        print_json(&format!("{:#}\n", json!({ "schema": 1, "vtables": all })))?;
        return Ok(0);
    }
    let out: Vec<String> = found.iter().map(shown).collect();
    print_plain(&folded(&out.join("\n"), 4, common.style().width))?;
    Ok(0)
}

fn language(table: &Vtable) -> &'static str {
    match table.language {
        Language::Cpp => "C++",
        Language::Rust => "Rust",
    }
}

fn document(table: &Vtable) -> Value {
    let slots = table.slots.iter().map(|slot| {
        json!({
            "offset": slot.offset,
            "address": format!("{:#x}", slot.address),
            "symbol": slot.symbol,
            "distance": slot.distance(),
        })
    });
    json!({
        "class": table.class,
        "language": language(table),
        "address": format!("{:#x}", table.address),
        "size": table.size,
        "value_size": table.value.map(|(size, _)| size),
        "fun": slots.collect::<Vec<_>>(),
    })
}

fn shown(table: &Vtable) -> String {
    let value = table.value.map_or(String::new(), |(size, align)| {
        format!(", of values of {size} bytes, aligned to {align}")
    });
    let mut out = format!(
        "{} ({})\n  at {:#x}, {} bytes{value}\n",
        table.class,
        language(table),
        table.address,
        table.size
    );
    for slot in &table.slots {
        let _ = match (slot.distance(), slot.address) {
            (_, 0) => writeln!(out, "  {:+} -> 0x0 nothing", slot.offset),
            (Some(distance), _) => {
                writeln!(out, "  {:+} a distance: {distance:+}", slot.offset)
            }
            (None, address) => {
                writeln!(out, "  {:+} -> {address:#x} {}", slot.offset, slot.symbol)
            }
        };
    }
    out
}
