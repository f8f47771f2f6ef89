//! What a call site of a running program meets, visit by visit.
//!
//! Correct means: the sequence has one number for each visit, in the order of the visits; a number stands for one type
//! where the site's table or hash tells it, and else for one target.
//!
//! ```text
//! Binary, SITE ─ Spot::find ─▶ Spot ─ watch ─▶ Recorded ─ Summary::of ─▶ Summary
//! ```

mod spot;
mod summary;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use crate::binary::sites::How;
use crate::binary::vtables::demangled;
use crate::binary::{Binary, Kind};
use crate::sys::breakpoint::{Memory, Registers, Seen, Stopped};

pub use spot::Spot;
pub use summary::{Summary, TypeCount};

/// What is told apart at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// A table of methods, or a type, by its address.
    Table(u64),
    /// A type's hash.
    Hash(u32),
    /// Where the site leads.
    Target(u64),
}

/// A sequence of visits.
#[derive(Debug)]
pub struct Recorded {
    /// A number for each visit, in the order of first visits from 0.
    pub numbers: Vec<u32>,
    /// What each number stands for.
    pub names: Vec<String>,
    /// From the first visit to the last.
    pub took: Duration,
    /// How watching ended.
    pub seen: Seen,
}

/// Runs a program that is stopped, until a site has had so many visits.
///
/// # Errors
/// What the system says.
pub fn watch(
    program: Stopped,
    binary: &Binary<'_>,
    spot: &Spot,
    most: usize,
) -> io::Result<Recorded> {
    let slide = match binary.kind {
        Kind::Movable => program.first_page()?.wrapping_sub(first_address(binary)),
        Kind::Executable | Kind::Object => 0,
    };
    let mut numbers: Vec<u32> = Vec::new();
    let mut known: HashMap<Key, u32> = HashMap::new();
    let mut names = Vec::new();
    let mut tables: HashMap<(u64, u64), bool> = HashMap::new();
    let (mut first, mut last) = (None, Instant::now());
    let look = |registers: &Registers, memory: &Memory, values: [u64; 2]| {
        first.get_or_insert_with(Instant::now);
        let table = spot.table.and_then(|(base, offset)| {
            let table = registers.get(base);
            // The register may have got another value since.
            let is_it = || memory.word(table.wrapping_add(offset)) == Some(values[0]);
            let is_table = *tables.entry((table, values[0])).or_insert_with(is_it);
            is_table.then_some(Key::Table(table))
        });
        let key = table.unwrap_or_else(|| spot.key(values, slide));
        let next = known.len() as u32;
        let number = *known.entry(key).or_insert_with(|| {
            names.push(name(binary, spot, memory, slide, key, values[0]));
            next
        });
        numbers.push(number);
        last = Instant::now();
        numbers.len() < most
    };
    let seen = program.watch(spot.breakpoint(slide), look)?;
    Ok(Recorded {
        took: first.map_or(Duration::ZERO, |first| last - first),
        numbers,
        names,
        seen,
    })
}

/// The address that a file gives to its first byte.
fn first_address(binary: &Binary<'_>) -> u64 {
    let mut starts = binary
        .sections
        .iter()
        .filter_map(|section| section.address.checked_sub(section.offset?));
    starts.next().unwrap_or_default()
}

/// What a key is called.
fn name(
    binary: &Binary<'_>,
    spot: &Spot,
    memory: &Memory,
    slide: u64,
    key: Key,
    target: u64,
) -> String {
    let own = |address: u64| address.wrapping_sub(slide);
    let go = binary.go.as_ref();
    let of_target = |target: u64| {
        let name = binary.name_of(own(target));
        let name = name.map_or_else(|| format!("{target:#x}"), |name| demangled(&name));
        let tables = go.into_iter().flat_map(|go| &go.itabs);
        let slot = match spot.how {
            How::Itab { slot } => Some(slot as usize),
            _ => None,
        };
        let leads = tables.filter(|table| {
            let slot = slot.and_then(|slot| table.slots.get(slot));
            slot.is_some_and(|slot| slot.address == own(target))
        });
        let mut types: Vec<&str> = leads.map(|table| &*table.type_name).collect();
        types.sort_unstable();
        types.dedup();
        match types[..] {
            [] => name,
            _ => format!("{} ({name})", types.join(" or ")),
        }
    };
    match key {
        Key::Target(target) => of_target(target),
        Key::Hash(hash) => {
            let mut tables = go.into_iter().flat_map(|go| &go.itabs);
            let found = tables.find(|table| table.hash == hash);
            let found = found.map(|table| table.type_name.clone());
            found
                .or_else(|| go?.type_with_hash(hash))
                .unwrap_or_else(|| format!("type with hash {hash:#010x}"))
        }
        Key::Table(address) => {
            /// Where an itab has its type.
            const TYPE: u64 = 8;
            let found = go.and_then(|go| go.itab_at(own(address)));
            let made = || {
                let found = memory.word(address.wrapping_add(TYPE))?;
                go?.type_name(own(found))
            };
            let of_class = || {
                let (symbol, _) = binary.symbol_at(own(address))?;
                let name = demangled(&symbol.name);
                let name = name.strip_prefix("{vtable(")?.strip_suffix(")}")?;
                Some(name.to_string())
            };
            found
                .map(|table| table.type_name.clone())
                .or_else(|| go?.type_name(own(address)))
                .or_else(made)
                .or_else(of_class)
                .unwrap_or_else(|| of_target(target))
        }
    }
}
