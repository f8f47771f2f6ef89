//! The itabs of a Go program: which type implements which interface, by which functions.
//!
//! Correct means: each itab is one that the linker made, its bytes are the file's, and what a slot
//! holds is what a call through it reaches: a method, a wrapper that the compiler made, or nothing,
//! where the linker found no call of it.

use super::Binary;
use super::symbols::Field;
use crate::go::symbol::plain_path;
use crate::go::{Release, dump, layout};

/// What a slot of an itab leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The method itself.
    Method,
    /// A function that the compiler made, which has the method inlined, or calls it.
    Wrapper {
        /// Whether it is inlined there; none where the file does not say.
        inlined: Option<bool>,
    },
    /// Nothing: no call reaches it, and the linker left the method out.
    Pruned,
}

/// A slot of an itab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The interface's name for the method.
    pub method: String,
    /// Where the slot leads.
    pub address: u64,
    /// What is there.
    pub symbol: String,
    /// What that is.
    pub held: Held,
}

/// An itab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where it is.
    pub address: u64,
    /// The interface's name, with its package.
    pub interface: String,
    /// Where its type is.
    pub interface_address: u64,
    /// Both names as Go prints them, with the names of packages and not their paths: `*yaml.Node`.
    pub printed: [String; 2],
    /// The dynamic type's name, with its package.
    pub type_name: String,
    /// Where it is.
    pub type_address: u64,
    /// The type's hash, as the itab has it.
    pub hash: u32,
    /// In the order of the methods' names.
    pub slots: Vec<Slot>,
}

impl Table {
    /// Bytes that it takes.
    pub fn size(&self) -> u64 {
        u64::from(layout::ITAB_FUN.offset) + 8 * self.slots.len().max(1) as u64
    }

    /// Go's name for it, as up to Go 1.19.
    pub fn symbol(&self) -> String {
        format!("go.itab.{},{}", self.type_name, self.interface)
    }

    /// `INTERFACE,TYPE`, which means it.
    pub fn pair(&self) -> String {
        format!("{},{}", self.interface, self.type_name)
    }

    /// Whether it is of this interface, and of this type where one is named. A name may be without its package, or as
    /// Go prints it.
    pub fn is_of(&self, interface: &str, type_name: Option<&str>) -> bool {
        let is_it = |name: &str, wanted: &str| {
            let wanted = wanted.trim();
            let (name, wanted) = match wanted.strip_prefix('*') {
                Some(wanted) => match name.strip_prefix('*') {
                    Some(name) => (name, wanted),
                    None => return false,
                },
                None => (name, wanted),
            };
            name == wanted
                || wanted == "*"
                || name
                    .rsplit_once('/')
                    .is_some_and(|(_, name)| name == wanted)
                || name
                    .rsplit_once('.')
                    .is_some_and(|(_, name)| name == wanted)
        };
        // In symbols a path has escapes, and nobody writes those.
        let is_any = |name: &str, printed: &str, wanted: &str| {
            is_it(name, wanted) || is_it(&plain_path(name), wanted) || printed == wanted.trim()
        };
        let [of_interface, of_type] = &self.printed;
        is_any(&self.interface, of_interface, interface)
            && type_name.is_none_or(|wanted| is_any(&self.type_name, of_type, wanted))
    }
}

/// Those of an interface, and of a type where one is named. What is named in full is nothing else, even where it ends the
/// name of something else.
pub fn matching<'b>(all: &'b [Table], interface: &str, type_name: Option<&str>) -> Vec<&'b Table> {
    let found: Vec<&Table> = all
        .iter()
        .filter(|table| table.is_of(interface, type_name))
        .collect();
    let is_full = |name: &str, wanted: &str| name == wanted || plain_path(name) == wanted;
    let narrowed = |found: Vec<&'b Table>, is_it: &dyn Fn(&Table) -> bool| {
        let full: Vec<&Table> = found.iter().copied().filter(|one| is_it(one)).collect();
        if full.is_empty() { found } else { full }
    };
    let found = narrowed(found, &|one| is_full(&one.interface, interface.trim()));
    match type_name {
        Some(wanted) => narrowed(found, &|one| is_full(&one.type_name, wanted.trim())),
        None => found,
    }
}

/// The fields of an itab.
pub fn fields<'a>(binary: &'a Binary<'_>, table: &Table) -> Vec<Field<'a>> {
    let release = binary.go.as_ref().and_then(|go| go.release);
    let release = release.unwrap_or(Release::NEWEST);
    let mut found = Vec::new();
    let mut field = |offset: u32, size: u32, name: String, meaning: String| {
        let bytes = binary.bytes(table.address + u64::from(offset), u64::from(size));
        found.extend(bytes.map(|bytes| Field {
            offset,
            bytes,
            name,
            meaning,
        }));
    };
    let types = [
        (layout::ITAB_INTER, &table.interface),
        (layout::ITAB_TYPE, &table.type_name),
    ];
    for (one, name) in types {
        let meaning = format!("-> type.{name}");
        field(one.offset, one.size, one.name(release).into(), meaning);
    }
    let hash = layout::itab_hash(release);
    let meaning = format!("{:#010x}", table.hash);
    field(hash.offset, hash.size, hash.name(release).into(), meaning);
    let fun = layout::itab_fun(release);
    for (number, slot) in (0u32..).zip(&table.slots) {
        let name = format!("{}[{number}]", fun.name(release));
        let meaning = format!("-> {}", slot.symbol);
        field(fun.offset + 8 * number, fun.size, name, meaning);
    }
    found
}

/// The bytes of an itab, as `show --heap` prints those of a modelled one.
pub fn dump(binary: &Binary<'_>, table: &Table) -> String {
    let mut out = format!(
        "{:#x} {}  ({} bytes)\n",
        table.address,
        table.symbol(),
        table.size()
    );
    for field in fields(binary, table) {
        dump::line(
            &mut out,
            field.offset,
            field.bytes,
            &field.name,
            &field.meaning,
        );
    }
    out
}

/// `IFACE` or `IFACE,TYPE`: the comma is the first one that stands in no brackets.
pub fn split(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            ',' if depth == 0 => return (text[..at].trim(), Some(text[at + 1..].trim())),
            _ => {}
        }
    }
    (text.trim(), None)
}
