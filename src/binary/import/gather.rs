//! What code names, and what that names in turn: which functions and data a template of it needs.
//!
//! Correct means: everything that the taken code and data name is taken too, or is one of those left
//! out, with the reason; and each has one name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::text::{Code, Lines, Refusal, Target, decoded, lines, named};
use crate::binary::{Binary, Content, Kind};
use crate::go::symbol::canonical;
use crate::go::{Release, modelled, runtime};
use crate::link::harness::stub_names;

/// Bytes that are taken of data without a name or a size.
const UNSIZED: u64 = 64;
/// The largest datum whose bytes are taken; of a longer one the first.
const LARGEST: u64 = 64 << 10;
/// Data that lead to data that lead to data: so far.
const DATA_DEPTH: u32 = 4;
/// Functions of one template.
const MOST_FUNCTIONS: usize = 400;
/// Bytes of a type that code reads: the fields that all types have.
const TYPE_BYTES: u64 = crate::go::layout::TYPE_SIZE as u64;

/// A function of the template.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) lines: Lines,
}

/// A word of data that is an address.
#[derive(Debug)]
pub(super) enum Pointer {
    /// Of something that the template has.
    To(Target),
    /// Of something that was left out.
    Nowhere(String),
}

/// Data of the template.
#[derive(Debug)]
pub(super) struct Datum {
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) bytes: Vec<u8>,
    /// Bytes that it has in the file, of which the first may be taken only.
    pub(super) size: u64,
    /// Whether nothing says how long it is.
    pub(super) is_guessed: bool,
    /// By offset.
    pub(super) pointers: BTreeMap<u64, Pointer>,
}

/// All of a template but its body.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) functions: Vec<Function>,
    pub(super) data: Vec<Datum>,
    /// What is called and not here, with the reason.
    pub(super) left_out: BTreeMap<String, String>,
    /// What the modelled runtime has of what is named.
    pub(super) modelled: BTreeSet<String>,
    /// Words of data that were taken for addresses because they look like some.
    pub(super) guessed_pointers: usize,
}

/// What stands at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Function {
        name: String,
        start: u64,
        size: u64,
    },
    Datum {
        name: String,
        start: u64,
        size: u64,
    },
    /// Data without a name.
    Unnamed,
    /// What another file has.
    Elsewhere(String),
}

/// Finds all that code needs.
pub(super) struct Gatherer<'a> {
    binary: &'a Binary<'a>,
    depth: u32,
    /// What is there without any template's doing.
    provided: HashSet<String>,
    /// Functions to take, each with the calls that lead to it.
    functions: VecDeque<(u64, u32)>,
    /// Data to take, by their beginnings.
    data: VecDeque<(u64, u32)>,
    seen: HashSet<u64>,
    /// Data without a name that something leads to.
    unnamed: BTreeSet<u64>,
    gathered: Gathered,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(binary: &'a Binary<'a>, release: Release, depth: u32) -> Gatherer<'a> {
        let mut provided = HashSet::new();
        if binary.go.is_some() {
            provided.extend(runtime::names(release));
            provided.extend(stub_names().map(str::to_string));
            provided.extend(runtime::DATA.map(str::to_string));
        }
        Gatherer {
            binary,
            depth,
            provided,
            functions: VecDeque::new(),
            data: VecDeque::new(),
            seen: HashSet::new(),
            unnamed: BTreeSet::new(),
            gathered: Gathered::default(),
        }
    }

    /// Everything that these functions and data need.
    pub(super) fn gather(mut self, functions: &[u64], data: &[u64]) -> Gathered {
        self.functions.extend(functions.iter().map(|one| (*one, 0)));
        self.data.extend(data.iter().map(|one| (*one, 0)));
        let mut taken: Vec<(String, Code<'a>, u32)> = Vec::new();
        let mut datums: Vec<(u64, u64)> = Vec::new();
        loop {
            if let Some((address, depth)) = self.functions.pop_front() {
                taken.extend(self.function(address, depth));
            } else if let Some((address, depth)) = self.data.pop_front() {
                datums.extend(self.datum(address, depth));
            } else {
                break;
            }
        }
        self.write(taken, datums)
    }

    /// Takes a function, and notes what it names.
    fn function(&mut self, address: u64, depth: u32) -> Option<(String, Code<'a>, u32)> {
        let Some(Thing::Function { name, start, size }) = self.thing(address) else {
            return None;
        };
        if !self.seen.insert(start) {
            return None;
        }
        if self.provided.contains(&name) && depth > 0 {
            self.gathered.modelled.insert(name);
            return None;
        }
        let why = match self.refused(&name, depth) {
            Some(why) => Err(why),
            None => self
                .code(start, size)
                .ok_or_else(|| Refusal::NoSize.to_string()),
        };
        let code = match why {
            Ok(code) => code,
            Err(why) => {
                self.gathered.left_out.insert(name, why);
                return None;
            }
        };
        let inside = start..start + size;
        for instruction in decoded(code) {
            if let Some((target, _)) = named(&instruction)
                && !inside.contains(&target)
            {
                self.lead(target, depth + 1, 0);
            }
        }
        Some((name, code, depth))
    }

    /// Why a function is not taken.
    fn refused(&self, name: &str, depth: u32) -> Option<String> {
        if depth > 0 && name.starts_with("runtime.") {
            let why =
                modelled::why_not(name).unwrap_or("it is of Go's runtime, and is not modelled");
            return Some(why.to_string());
        }
        if depth > self.depth {
            return Some(format!(
                "it is {depth} calls away, and --depth is {}",
                self.depth
            ));
        }
        (self.seen.len() > MOST_FUNCTIONS)
            .then(|| format!("there are {MOST_FUNCTIONS} functions already"))
    }

    /// Goes to what stands at an address that something names.
    fn lead(&mut self, target: u64, calls: u32, data_depth: u32) {
        match self.thing(target) {
            Some(Thing::Function { start, .. }) => self.functions.push_back((start, calls)),
            Some(Thing::Datum { start, .. }) => self.data.push_back((start, data_depth)),
            Some(Thing::Unnamed) => {
                self.unnamed.insert(target);
                self.data.push_back((target, data_depth));
            }
            Some(Thing::Elsewhere(name)) => {
                self.gathered
                    .left_out
                    .insert(name, "another file has it".into());
            }
            None => {}
        }
    }

    /// Takes a datum, and notes what it leads to.
    fn datum(&mut self, address: u64, depth: u32) -> Option<(u64, u64)> {
        let (start, size) = match self.thing(address)? {
            Thing::Datum { name, .. } if self.provided.contains(&name) => {
                self.gathered.modelled.insert(name);
                return None;
            }
            Thing::Datum { start, size, .. } => (start, size),
            Thing::Unnamed => (address, UNSIZED),
            _ => return None,
        };
        if !self.seen.insert(start) || depth > DATA_DEPTH {
            return None;
        }
        for (_, target) in self.pointers(start, size.min(LARGEST)) {
            self.lead(target, self.calls_of_data(depth), depth + 1);
        }
        Some((start, size))
    }

    /// As how many calls a function counts that data lead to.
    fn calls_of_data(&self, depth: u32) -> u32 {
        depth.min(1)
    }

    /// Words of data that are addresses, by offset.
    fn pointers(&self, start: u64, size: u64) -> Vec<(u64, u64)> {
        let first = start.next_multiple_of(8);
        let words = (first..start + size)
            .step_by(8)
            .filter(|at| at + 8 <= start + size);
        let pointer = |at: u64| {
            if let Some(target) = self.binary.patch(at) {
                return Some((at - start, target));
            }
            // Where the loader moves the file, it is told which words are addresses.
            if self.binary.kind != Kind::Executable {
                return None;
            }
            let target = self.binary.word(at)?;
            self.thing(target).map(|_| (at - start, target))
        };
        words.filter_map(pointer).collect()
    }

    fn code(&self, start: u64, size: u64) -> Option<Code<'a>> {
        let bytes = self
            .binary
            .bytes(start, size)
            .filter(|bytes| !bytes.is_empty())?;
        Some(Code {
            address: start,
            bytes,
        })
    }

    /// What stands at an address.
    fn thing(&self, address: u64) -> Option<Thing> {
        let binary = self.binary;
        if let Some(name) = binary.imported(address) {
            return Some(Thing::Elsewhere(name.to_string()));
        }
        if let Some(name) = binary.go.as_ref().and_then(|go| go.type_name(address)) {
            return Some(Thing::Datum {
                name: format!("type.{}", quotable(&name)),
                start: address,
                size: TYPE_BYTES,
            });
        }
        let section = binary.section(address)?;
        let symbol = binary.symbol_at(address);
        if section.content == Content::Code {
            let (symbol, _) = symbol?;
            return Some(Thing::Function {
                name: section_name(&symbol.name),
                start: symbol.address,
                size: symbol.size,
            });
        }
        Some(match symbol {
            Some((symbol, _)) if symbol.size > 0 && !is_collection(&symbol.name) => Thing::Datum {
                name: section_name(&symbol.name),
                start: symbol.address,
                size: symbol.size,
            },
            _ => Thing::Unnamed,
        })
    }

    /// Writes what was taken, now that all of it is known.
    fn write(mut self, taken: Vec<(String, Code<'a>, u32)>, datums: Vec<(u64, u64)>) -> Gathered {
        let chunks = self.chunks();
        let mut gathered = std::mem::take(&mut self.gathered);
        let target = |address: u64| self.target(address, &chunks);
        for (name, code, depth) in taken {
            match lines(code, &target) {
                Ok(lines) => gathered.functions.push(Function {
                    name,
                    address: code.address,
                    size: code.bytes.len() as u64,
                    lines,
                }),
                Err(why) => {
                    let _ = depth;
                    gathered.left_out.insert(name, why.to_string());
                }
            }
        }
        let named: Vec<(u64, u64, bool)> = datums
            .into_iter()
            .filter(|(start, _)| !self.unnamed.contains(start))
            .map(|(start, size)| (start, size, false))
            .chain(
                chunks
                    .iter()
                    .map(|(start, end)| (*start, end - start, true)),
            )
            .collect();
        let starts: HashMap<u64, u64> = named
            .iter()
            .map(|(start, size, _)| (*start, *size))
            .collect();
        for (start, size, is_guessed) in named {
            let Some(place) = self.target(start, &chunks) else {
                continue;
            };
            let shown = size.min(LARGEST);
            let section = self.binary.section(start);
            let room = section.map_or(0, |section| section.address + section.size - start);
            let mut bytes = vec![0; shown.min(room) as usize];
            let in_file = section.map_or(0, |section| {
                (section.address + section.bytes.len() as u64).saturating_sub(start)
            });
            if let Some(own) = self.binary.bytes(start, (bytes.len() as u64).min(in_file)) {
                bytes[..own.len()].copy_from_slice(own);
            }
            let mut pointers = BTreeMap::new();
            for (at, to) in self.pointers(start, bytes.len() as u64) {
                if self.binary.patch(start + at).is_none() {
                    gathered.guessed_pointers += 1;
                }
                let is_here = |name: &str| {
                    self.provided.contains(name)
                        || gathered.left_out.contains_key(name)
                        || gathered.functions.iter().any(|one| one.name == name)
                };
                let pointer = match self.target(to, &chunks) {
                    Some(found) if is_here(&found.section) => Pointer::To(found),
                    Some(found) => {
                        let begins = to.wrapping_sub(found.offset as u64);
                        match starts.contains_key(&begins) {
                            true => Pointer::To(found),
                            false => Pointer::Nowhere(found.section),
                        }
                    }
                    None => Pointer::Nowhere(format!("{to:#x}")),
                };
                pointers.insert(at, pointer);
            }
            gathered.data.push(Datum {
                name: place.section,
                address: start,
                bytes,
                size,
                is_guessed,
                pointers,
            });
        }
        gathered
    }

    /// The data without a name, in pieces: where two references are near each other, one.
    fn chunks(&self) -> BTreeMap<u64, u64> {
        let mut chunks: BTreeMap<u64, u64> = BTreeMap::new();
        for address in &self.unnamed {
            let section = self.binary.section(*address);
            let end = section.map_or(*address, |section| section.address + section.size);
            let end = end.min(address + UNSIZED);
            match chunks.last_entry() {
                Some(mut last) if *last.get() >= *address => {
                    let longer = end.max(*last.get());
                    *last.get_mut() = longer;
                }
                _ => {
                    chunks.insert(*address, end);
                }
            }
        }
        chunks
    }

    /// The section of the template in which an address lies.
    fn target(&self, address: u64, chunks: &BTreeMap<u64, u64>) -> Option<Target> {
        let (section, start) = match self.thing(address)? {
            Thing::Function { name, start, .. } | Thing::Datum { name, start, .. } => (name, start),
            Thing::Elsewhere(name) => (name, address),
            Thing::Unnamed => {
                let (start, end) = chunks.range(..=address).next_back()?;
                if address >= *end {
                    return None;
                }
                (format!("data.{start:x}"), *start)
            }
        };
        Some(Target {
            section,
            offset: address.wrapping_sub(start) as i64,
        })
    }
}

/// A symbol's name as a template has it.
pub(super) fn section_name(symbol: &str) -> String {
    let name = quotable(symbol);
    // The same function in the other convention has no suffix, and only the runtime is called in both.
    let bare = name
        .strip_suffix(".abi0")
        .filter(|bare| bare.starts_with("runtime."));
    canonical(bare.unwrap_or(&name)).into_owned()
}

/// A name without the sign that ends it.
fn quotable(name: &str) -> String {
    name.replace('"', "'")
}

/// Whether a symbol stands for many things, one behind the other.
fn is_collection(name: &str) -> bool {
    name.ends_with(".*")
        || name.ends_with(":*")
        || matches!(
            name,
            "runtime.rodata" | "runtime.types" | "runtime.gcdata" | "runtime.gcbss"
        )
}
