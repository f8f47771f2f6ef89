//! What stands at an address, and what a template calls it.
//!
//! Correct means: an address has one thing, whoever asks, and two things never have one name.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::binary::{Binary, Content, Symbol};
use crate::go::layout;
use crate::go::symbol::canonical;

/// Bytes of a type that code reads: the fields that all types have.
const TYPE_BYTES: u64 = layout::TYPE_SIZE as u64;

/// What stands at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    /// Code.
    Function { name: String, start: u64, size: u64 },
    /// Data with a name.
    Datum { name: String, start: u64, size: u64 },
    /// Data without a name.
    Unnamed,
    /// What another file has, and where its place begins here.
    Elsewhere { name: String, start: u64 },
}

/// The things of a program.
#[derive(Debug)]
pub(super) struct Things<'a> {
    pub(super) binary: &'a Binary<'a>,
    /// Names of types, which are in no table of symbols, and the first type that has each.
    types: RefCell<HashMap<String, u64>>,
}

impl<'a> Things<'a> {
    pub(super) fn new(binary: &'a Binary<'a>) -> Things<'a> {
        Things {
            binary,
            types: RefCell::new(HashMap::new()),
        }
    }

    /// What stands at an address; of a linker's stub, what it jumps to.
    pub(super) fn at(&self, address: u64) -> Option<Thing> {
        let binary = self.binary;
        let address = binary.behind_stub(address).unwrap_or(address);
        if let Some(name) = self.type_name(address) {
            return Some(Thing::Datum {
                name: self.own_name(format!("type.{}", quotable(&name)), address),
                start: address,
                size: TYPE_BYTES,
            });
        }
        let symbol = binary.symbol_at(address).map(|(symbol, _)| symbol);
        if let (Some(name), Some(symbol)) = (binary.imported(address), symbol) {
            return Some(Thing::Elsewhere {
                name: quotable(name),
                start: symbol.address,
            });
        }
        let section = binary.section(address)?;
        if section.content == Content::Code {
            return symbol.map(|symbol| Thing::Function {
                name: self.name(symbol),
                start: symbol.address,
                size: symbol.size,
            });
        }
        let symbol = symbol.filter(|symbol| symbol.size > 0 && !is_collection(&symbol.name));
        Some(symbol.map_or(Thing::Unnamed, |symbol| Thing::Datum {
            name: self.name(symbol),
            start: symbol.address,
            size: symbol.size,
        }))
    }

    /// What the function at an address is called.
    pub(super) fn function_name(&self, address: u64) -> Option<String> {
        match self.at(address)? {
            Thing::Function { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether a type of Go begins at an address.
    pub(super) fn is_type(&self, address: u64) -> bool {
        self.type_name(address).is_some()
    }

    /// Whether an itab of Go does.
    pub(super) fn is_itab(&self, address: u64) -> bool {
        let go = self.binary.go.as_ref();
        go.is_some_and(|go| go.itab_at(address).is_some())
    }

    fn type_name(&self, address: u64) -> Option<String> {
        self.binary.go.as_ref()?.type_name(address)
    }

    /// The name of a type, or where another one has it, as types of several functions may, one with its address.
    fn own_name(&self, name: String, address: u64) -> String {
        let mut known = self.types.borrow_mut();
        let first = *known.entry(name.clone()).or_insert(address);
        match first == address {
            true => name,
            false => format!("{name}.{address:x}"),
        }
    }

    fn name(&self, symbol: &Symbol<'_>) -> String {
        let name = section_name(&symbol.name);
        match self.binary.is_shared_name(&symbol.name) {
            true => format!("{name}.{:x}", symbol.address),
            false => name,
        }
    }
}

/// A symbol's name as a template has it.
pub(super) fn section_name(symbol: &str) -> String {
    let name = quotable(symbol);
    // The same function in the other convention has no suffix, and only the runtime is called in both.
    let bare = name.strip_suffix(".abi0");
    let bare = bare.filter(|bare| bare.starts_with("runtime."));
    canonical(bare.unwrap_or(&name)).into_owned()
}

/// A name without the sign that ends it, and without the one that changes what stands behind it.
fn quotable(name: &str) -> String {
    name.replace('\\', "").replace('"', "'")
}

/// Whether a symbol stands for many things, one behind the other.
fn is_collection(name: &str) -> bool {
    const MARKS: [&str; 4] = [
        "runtime.rodata",
        "runtime.types",
        "runtime.gcdata",
        "runtime.gcbss",
    ];
    name.ends_with(".*") || name.ends_with(":*") || MARKS.contains(&name)
}
