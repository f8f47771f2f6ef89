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
mod told;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use crate::binary::sites::How;
use crate::binary::vtables::demangled;
use crate::binary::{Binary, Kind};
use crate::go::layout;
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
        let table = spot.told.and_then(|told| {
            let table = told.read(registers, memory)?;
            // Another value may have come there since.
            let is_it = || told.leads_to(values[0], table, memory, slide);
            let is_table = *tables.entry((table, values[0])).or_insert_with(is_it);
            is_table.then_some(Key::Table(table))
        });
        let key = table.unwrap_or_else(|| spot.key(values, slide));
        let next = known.len() as u32;
        let number = *known.entry(key).or_insert_with(|| {
            let sight = Sight {
                binary,
                spot,
                slide,
                registers,
                memory,
            };
            names.push(sight.name(key, values[0]));
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

/// What is in sight when a thread comes to a site.
struct Sight<'v> {
    binary: &'v Binary<'v>,
    spot: &'v Spot,
    /// How far behind its file's addresses the program is loaded.
    slide: u64,
    registers: &'v Registers,
    memory: &'v Memory,
}

impl Sight<'_> {
    /// An address as the file has it.
    fn own(&self, address: u64) -> u64 {
        address.wrapping_sub(self.slide)
    }

    /// What a key is called.
    fn name(&self, key: Key, target: u64) -> String {
        match key {
            Key::Target(target) => self.of_target(target),
            Key::Hash(hash) => self.of_hash(hash),
            Key::Table(address) => self
                .of_type(address)
                .or_else(|| self.of_class(address))
                .or_else(|| {
                    let is_of_types = !matches!(self.spot.how, How::Itab { .. });
                    is_of_types.then(|| self.hash_at(address).map(unnamed))?
                })
                .unwrap_or_else(|| self.of_target(target)),
        }
    }

    /// A function, with the types whose itabs lead there.
    fn of_target(&self, target: u64) -> String {
        let name = self.binary.name_of(self.own(target));
        let name = name.map_or_else(|| format!("{target:#x}"), |name| demangled(&name));
        let How::Itab { slot } = self.spot.how else {
            return name;
        };
        let tables = self.binary.go.iter().flat_map(|go| &go.itabs);
        let leads = tables.filter(|table| {
            let slot = table.slots.get(slot as usize);
            slot.is_some_and(|slot| slot.address == self.own(target))
        });
        let mut types: Vec<&str> = leads.map(|table| &*table.type_name).collect();
        types.sort_unstable();
        types.dedup();
        match types[..] {
            [] => name,
            _ => format!("{} ({name})", types.join(" or ")),
        }
    }

    /// The type at an address, or of the itab there, which the program may have made by itself.
    fn of_type(&self, address: u64) -> Option<String> {
        /// Where an itab has its type.
        const TYPE: u64 = 8;
        let go = self.binary.go.as_ref()?;
        let own = self.own(address);
        let itab = go.itab_at(own).map(|table| table.type_name.clone());
        itab.or_else(|| go.type_name(own)).or_else(|| {
            let found = self.memory.word(address.wrapping_add(TYPE))?;
            go.type_name(self.own(found))
        })
    }

    /// The class of C++ whose table is at an address.
    fn of_class(&self, address: u64) -> Option<String> {
        let (symbol, _) = self.binary.symbol_at(self.own(address))?;
        let name = demangled(&symbol.name);
        let name = name.strip_prefix("{vtable(")?.strip_suffix(")}")?;
        Some(name.to_string())
    }

    /// The type with a hash. It is likely to be at hand still, for the code compares its address next; code that looks for
    /// types by their hashes alone has no list of all of them.
    fn of_hash(&self, hash: u32) -> String {
        /// Words at the top of the stack that are looked at, where registers were put away.
        const WORDS: u64 = 64;
        const STACK: u8 = 4;
        let top = self.registers.get(STACK);
        let put_away = (0..WORDS).map_while(|at| self.memory.word(top.wrapping_add(8 * at)));
        let registers = (0..16).map(|number| self.registers.get(number));
        let mut at_hand = registers
            .chain(put_away)
            .filter(|address| self.hash_at(*address) == Some(hash));
        let at_hand = at_hand.find_map(|address| self.of_type(address));
        at_hand.unwrap_or_else(|| match &self.binary.types_hashed(hash)[..] {
            [] => unnamed(hash),
            names => names.join(" or "),
        })
    }

    /// The hash of the type or the itab at an address.
    fn hash_at(&self, address: u64) -> Option<u32> {
        self.memory
            .word(address.wrapping_add(HASH))
            .map(|word| word as u32)
    }
}

/// Where a type and an itab have the hash.
const HASH: u64 = layout::TYPE_HASH.offset as u64;

/// A type of which nothing but the hash is known.
fn unnamed(hash: u32) -> String {
    format!("type with hash {hash:#010x}")
}
