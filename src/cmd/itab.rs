//! `itab`: the itabs of a Go program.
//!
//! Correct means: each line is of an itab that the program has, and what is asked for and not there is
//! an error that says what is.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::program::{bytes_of, read};
use super::{Common, Stop, print_json, print_plain};
use crate::binary::itabs::{self, Held, Slot, Table};
use crate::binary::vtables::vtables;
use crate::binary::{Binary, GoProgram, sites};
use crate::text::{closest, folded, quoted, word};

pub(super) fn itab(
    common: &Common,
    file: &str,
    wanted: Option<&str>,
    is_dumped: bool,
) -> Result<i32, Stop> {
    let bytes = bytes_of(file)?;
    let binary = read(file, &bytes)?;
    let go = go_of(&binary, file)?;
    let found = matching(go, file, wanted)?;
    let addresses = found.iter().map(|table| table.address).collect();
    // Where they are printed; it takes a look at all code.
    let is_counted = common.json || !is_dumped && wanted.is_some();
    let named = match is_counted {
        true => sites::references(&binary, &addresses),
        false => HashMap::new(),
    };
    let named = |table: &Table| named.get(&table.address).copied().unwrap_or(0);
    if common.json {
        let all: Vec<Value> = found
            .iter()
            .map(|table| document(table, named(table)))
            .collect();
        print_json(&format!("{:#}\n", json!({ "schema": 1, "itabs": all })))?;
        return Ok(0);
    }
    let out = match (is_dumped, wanted) {
        (true, _) => found
            .iter()
            .map(|table| itabs::dump(&binary, table))
            .collect(),
        (false, None) => list(go, &found),
        (false, Some(_)) => found
            .iter()
            .map(|table| shown(table, named(table)))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    print_plain(&folded(&out, 4, common.style().width))?;
    Ok(0)
}

/// What Go's linker left, or why there is none.
pub(super) fn go_of<'a, 'b>(binary: &'b Binary<'a>, file: &str) -> Result<&'b GoProgram<'a>, Stop> {
    binary.go.as_ref().ok_or_else(|| {
        let next = match vtables(binary).is_empty() {
            true => String::new(),
            false => format!(
                "; `dispatchlab vtable {}` lists the tables of C++ and Rust",
                word(file)
            ),
        };
        Stop::Usage(format!(
            "{file} is no Go program, and only those have itabs{next}"
        ))
    })
}

/// The itabs that a text means, `IFACE` or `IFACE,TYPE`.
pub(super) fn matching<'b>(
    go: &'b GoProgram<'_>,
    file: &str,
    wanted: Option<&str>,
) -> Result<Vec<&'b Table>, Stop> {
    if go.itabs.is_empty() {
        return Err(Stop::Usage(format!(
            "in {file} no itab was found: of a plugin or a shared library of Go its symbols alone are read; ask of an \
             executable"
        )));
    }
    let Some(wanted) = wanted else {
        return Ok(go.itabs.iter().collect());
    };
    let (interface, type_name) = match itabs::split(wanted) {
        (interface, Some(type_name)) => (interface, Some(type_name)),
        (interface, None) => (interface, None),
    };
    let found = itabs::matching(&go.itabs, interface, type_name);
    if !found.is_empty() {
        return Ok(found);
    }
    let of_interface = itabs::matching(&go.itabs, interface, None);
    let turned = type_name.and_then(|type_name| {
        let found = itabs::matching(&go.itabs, type_name, Some(interface));
        found.first().map(|table| table.pair())
    });
    Err(Stop::Usage(match (type_name, of_interface.is_empty()) {
        (Some(type_name), _) if let Some(pair) = turned => format!(
            "{file} has no itab of {type_name} for {interface}, but the other way round: the interface comes first, {}",
            quoted(&pair)
        ),
        (Some(type_name), false) => {
            const SHOWN: usize = 8;
            let types = || of_interface.iter().map(|table| &*table.type_name);
            let printed = of_interface.iter().map(|table| &*table.printed[1]);
            let near = closest(type_name, types().chain(printed));
            let near = near.and_then(|near| {
                let is_it = |table: &&&Table| table.type_name == near || table.printed[1] == near;
                of_interface.iter().find(is_it)
            });
            let near = near.map_or(String::new(), |near| {
                format!("; did you mean {}?", quoted(&near.pair()))
            });
            let shown: Vec<&str> = types().take(SHOWN).collect();
            let more = match of_interface.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let shown = shown.join(", ");
            format!(
                "{file} has no itab of {type_name} for {interface}; it has those of {shown}{more}{near}"
            )
        }
        _ => {
            let names = go.itabs.iter();
            let names = names.flat_map(|table| [&*table.interface, &*table.printed[0]]);
            let near = closest(interface, names).map(|near| format!("did you mean `{near}`?"));
            format!(
                "{file} has no itab for {interface}; {}",
                near.unwrap_or_else(|| format!(
                    "`dispatchlab itab {}` lists all that it has",
                    word(file)
                ))
            )
        }
    }))
}

fn document(table: &Table, named: usize) -> Value {
    let fun = (0..).zip(&table.slots).map(|(number, slot): (u32, &Slot)| {
        let (wrapper, inlined) = match slot.held {
            Held::Wrapper { inlined } => (true, inlined),
            Held::Method | Held::Pruned => (false, None),
        };
        json!({
            "slot": number,
            "method": slot.method,
            "address": format!("{:#x}", slot.address),
            "symbol": slot.symbol,
            "wrapper": wrapper,
            "inlined": inlined,
            "pruned": slot.held == Held::Pruned,
        })
    });
    json!({
        "interface": table.interface,
        "type": table.type_name,
        "hash": format!("{:#010x}", table.hash),
        "address": format!("{:#x}", table.address),
        "size": table.size(),
        "named": named,
        "fun": fun.collect::<Vec<_>>(),
    })
}

/// One line an itab.
fn list(go: &GoProgram<'_>, found: &[&Table]) -> String {
    let mut out = format!("{} itabs, {}\n\n", found.len(), go.version);
    for table in found {
        let _ = writeln!(
            out,
            "{:#x}  {:#010x}  {:>2} methods  {},{}",
            table.address,
            table.hash,
            table.slots.len(),
            table.interface,
            table.type_name
        );
    }
    out
}

/// An itab with its methods.
fn shown(table: &Table, named: usize) -> String {
    let times = if named == 1 {
        "instruction"
    } else {
        "instructions"
    };
    let mut out = format!(
        "{},{}\n  at {:#x}, {} bytes, hash {:#010x}, named by {named} {times}\n",
        table.interface,
        table.type_name,
        table.address,
        table.size(),
        table.hash
    );
    for (number, slot) in table.slots.iter().enumerate() {
        let held = match slot.held {
            Held::Method => "",
            Held::Pruned => "  left out by the linker: no call reaches it",
            Held::Wrapper {
                inlined: Some(true),
            } => "  a wrapper, the method inlined",
            Held::Wrapper {
                inlined: Some(false),
            } => "  a wrapper, which calls the method",
            Held::Wrapper { inlined: None } => "  a wrapper",
        };
        let _ = writeln!(
            out,
            "  fun[{number}] {}  {:#x} {}{held}",
            slot.method, slot.address, slot.symbol
        );
    }
    out
}
