//! Assigns addresses to a scenario's code and data, and fills the fields that hold them.
//!
//! Correct means: every fixup field and every pointer of the heap holds its symbol's address, no
//! other byte differs from what the assembler, the Go model and the harness emitted, and the loop
//! head and the first callee stand where the placement says.

use std::collections::HashMap;
use std::ops::Range;

use crate::asm::{FixupKind, Label, Program, Section, SectionKind};
use crate::go::heap::{Heap, Word};
use crate::go::symbol::canonical;
use crate::job::JobRow;
use crate::template::closest;

pub mod frame;
pub mod harness;
pub mod kernel;
pub mod walk;

use harness::Harness;

/// Where a scenario's data and code go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// Address of the data region, page-aligned.
    pub data: u64,
    /// Address of the code region, page-aligned.
    pub code: u64,
    /// Where loop head and first callee stand inside a 64-byte line.
    pub placement: Placement,
    /// Whether the body is there.
    pub variant: Variant,
}

/// Positions modulo 64 of the loop head and of the first callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Placement {
    /// Loop head mod 64.
    pub loop_head: u32,
    /// First callee mod 64.
    pub callee: u32,
}

/// The placements every row is measured at; the value reported is that of the first.
pub const PLACEMENTS: [Placement; 4] = [
    Placement {
        loop_head: 0,
        callee: 0,
    },
    Placement {
        loop_head: 16,
        callee: 32,
    },
    Placement {
        loop_head: 32,
        callee: 16,
    },
    Placement {
        loop_head: 48,
        callee: 48,
    },
];

/// Which loop to link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The scenario.
    Body,
    /// The same harness and walk, the body left out.
    Baseline,
}

/// What a stretch of an image's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The loop around the body; never counted.
    Harness,
    /// A modelled function of Go's runtime; counted when the template calls it.
    Stub(&'static str),
    /// A section of the program, by index.
    Section(usize),
}

/// A stretch of code with one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Addresses, end exclusive.
    pub addresses: Range<u64>,
    /// Whose code it is.
    pub owner: Owner,
}

/// A named address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Canonical name.
    pub name: String,
    /// Address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
}

/// Linked code and data at fixed addresses.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Where it was linked.
    pub site: Site,
    /// The code region's bytes.
    pub code: Vec<u8>,
    /// The data region's bytes: context, g, heap, the template's data.
    pub data: Vec<u8>,
    /// Fields of the data region that hold code addresses: offset and value. The only difference
    /// between the data of two placements of one row.
    pub code_pointers: Vec<(u32, u64)>,
    /// Address to enter.
    pub entry: u64,
    /// Address of the first instruction of an iteration.
    pub loop_head: u64,
    /// Addresses of the body, all copies.
    pub body: Range<u64>,
    /// Address that leaves the loop from anywhere.
    pub escape: u64,
    /// All code, ascending.
    pub pieces: Vec<Piece>,
    /// All names, ascending by address.
    pub symbols: Vec<Symbol>,
    /// First and second word of each object's receiver.
    pub receivers: Vec<[u64; 2]>,
}

/// What cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// A fixup names something that nothing defines.
    Undefined {
        /// Section index.
        section: usize,
        /// Fixup index in that section.
        fixup: usize,
        /// The closest defined name.
        nearest: Option<String>,
    },
    /// An address was asked for in 32 bits; images lie above 4 GiB.
    Narrow {
        /// Section index.
        section: usize,
        /// Fixup index in that section.
        fixup: usize,
    },
    /// Data of the Go model needs a function that the template does not define.
    MissingFunction {
        /// The function's symbol.
        function: String,
        /// The data that points to it.
        wanted_by: String,
    },
    /// A label of the body is meant, of which there are several copies.
    Copied {
        /// Section index.
        section: usize,
        /// Fixup index in that section.
        fixup: usize,
    },
    /// Two sections define one symbol.
    Duplicate {
        /// Section index of the second definition.
        section: usize,
    },
}

/// Where the heap begins in the data region; context and g lie before it.
pub const HEAP_OFFSET: u32 = 1024;

/// Links one variant of a row at a site.
///
/// # Errors
/// All that is undefined, missing or out of reach, not only the first.
pub fn link(row: &JobRow, heap: &Heap, site: Site) -> Result<Image, Vec<LinkError>> {
    let harness = harness::emit(row, site);
    let layout = Layout::new(row, heap, site, &harness);
    let mut errors = layout.errors.clone();
    let code = place_code(row, &layout, &harness, &mut errors);
    let (data, code_pointers) = place_data(row, heap, &layout, site, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let receivers = heap.receivers.iter().map(|receiver| {
        let word = |word: &Word| match word {
            Word::Nil => 0,
            Word::Symbol(index) => layout.names[&heap.symbols[*index].name],
            Word::Heap(offset) => site.data + u64::from(HEAP_OFFSET + offset),
        };
        [
            word(&receiver.first),
            receiver.second.as_ref().map_or(0, word),
        ]
    });
    Ok(Image {
        site,
        code,
        data,
        code_pointers,
        entry: harness.entry,
        loop_head: harness.loop_head,
        body: harness.body.clone(),
        escape: harness.escape,
        receivers: receivers.collect(),
        symbols: layout.symbols,
        pieces: layout.pieces,
    })
}

/// Every address of one image, before a byte is placed.
struct Layout {
    /// Code sections with their addresses; the body once a copy.
    code: Vec<(usize, u64)>,
    /// Data sections with their addresses.
    data: Vec<(usize, u64)>,
    data_end: u64,
    code_end: u64,
    names: HashMap<String, u64>,
    /// Labels of a body that stands there several times.
    copied: Vec<String>,
    symbols: Vec<Symbol>,
    pieces: Vec<Piece>,
    errors: Vec<LinkError>,
}

impl Layout {
    fn new(row: &JobRow, heap: &Heap, site: Site, harness: &Harness) -> Layout {
        let mut layout = Layout {
            code: Vec::new(),
            data: Vec::new(),
            data_end: site.data + u64::from(HEAP_OFFSET) + heap.bytes.len() as u64,
            code_end: 0,
            names: HashMap::new(),
            copied: Vec::new(),
            symbols: Vec::new(),
            pieces: harness.pieces.clone(),
            errors: Vec::new(),
        };
        for symbol in &heap.symbols {
            let address = site.data + u64::from(HEAP_OFFSET + symbol.offset);
            layout.name(symbol.name.clone(), address, u64::from(symbol.size));
        }
        for (name, addresses) in &harness.stubs {
            layout.name(
                (*name).to_string(),
                addresses.start,
                addresses.end - addresses.start,
            );
        }
        layout.place_sections(row, site, harness);
        layout.name_labels(&row.program);
        if site.variant == Variant::Baseline {
            layout.name_missing_body(&row.program, harness);
        }
        if row.unroll > 1 {
            let labels = body_labels(&row.program);
            layout.copied = labels.map(|label| label.name.clone()).collect();
        }
        layout.pieces.sort_by_key(|piece| piece.addresses.start);
        layout.symbols.sort_by_key(|symbol| symbol.address);
        layout
    }

    /// A later definition replaces an earlier one: the template's data replace the model's.
    fn name(&mut self, name: String, address: u64, size: u64) {
        if self.names.insert(name.clone(), address).is_some() {
            self.symbols.retain(|symbol| symbol.name != name);
        }
        self.symbols.push(Symbol {
            name,
            address,
            size,
        });
    }

    fn place_sections(&mut self, row: &JobRow, site: Site, harness: &Harness) {
        let mut callee = harness.end.next_multiple_of(64) + u64::from(site.placement.callee);
        let spacing = u64::from(row.spacing);
        let mut defined: Vec<String> = Vec::new();
        for (index, section) in row.program.sections.iter().enumerate() {
            let size = section.bytes.len() as u64;
            let address = match section.kind {
                SectionKind::Setup => {
                    self.code.push((index, harness.setup.start));
                    continue;
                }
                SectionKind::Body => {
                    if site.variant == Variant::Body {
                        let copies = (0..u64::from(row.unroll))
                            .map(|copy| (index, harness.body.start + copy * size));
                        self.code.extend(copies);
                    }
                    continue;
                }
                SectionKind::Func => {
                    let address = callee;
                    callee += size.max(1).next_multiple_of(spacing);
                    self.code.push((index, address));
                    self.pieces.push(Piece {
                        addresses: address..address + size,
                        owner: Owner::Section(index),
                    });
                    address
                }
                SectionKind::Data => {
                    let address = self.data_end.next_multiple_of(64);
                    self.data_end = address + size;
                    self.data.push((index, address));
                    address
                }
            };
            let name = canonical(&section.name);
            if defined.contains(&name) {
                self.errors.push(LinkError::Duplicate { section: index });
            }
            defined.push(name.clone());
            self.name(name, address, size);
        }
        self.code_end = callee.max(harness.end);
    }

    /// Labels are names of their own for jumps from one section into another.
    fn name_labels(&mut self, program: &Program) {
        for &(index, address) in self.code.iter().chain(&self.data) {
            for label in &program.sections[index].labels {
                self.names
                    .entry(label.name.clone())
                    .or_insert(address + u64::from(label.offset));
            }
        }
    }

    /// The baseline has no body, but functions that jump back into it are linked all the same; no
    /// one calls them there.
    fn name_missing_body(&mut self, program: &Program, harness: &Harness) {
        for label in body_labels(program) {
            self.names
                .entry(label.name.clone())
                .or_insert(harness.body.end);
        }
    }

    fn nearest(&self, wanted: &str) -> Option<String> {
        let names = self.symbols.iter().map(|symbol| symbol.name.as_str());
        closest(wanted, names).map(str::to_string)
    }
}

fn body_labels(program: &Program) -> impl Iterator<Item = &Label> {
    let is_body = |section: &&Section| section.kind == SectionKind::Body;
    let bodies = program.sections.iter().filter(is_body);
    bodies.flat_map(|body| &body.labels)
}

fn place_code(
    row: &JobRow,
    layout: &Layout,
    harness: &Harness,
    errors: &mut Vec<LinkError>,
) -> Vec<u8> {
    let base = harness.base;
    // Between functions stands int3, as the Go linker fills: a wild jump faults at once.
    let mut code = vec![0xcc; (layout.code_end - base) as usize];
    code[..harness.code.len()].copy_from_slice(&harness.code);
    for &(index, address) in &layout.code {
        let section = &row.program.sections[index];
        let at = (address - base) as usize;
        code[at..at + section.bytes.len()].copy_from_slice(&section.bytes);
        let field = &mut code[at..at + section.bytes.len()];
        fill(index, section, address, field, layout, errors);
    }
    code
}

fn place_data(
    row: &JobRow,
    heap: &Heap,
    layout: &Layout,
    site: Site,
    errors: &mut Vec<LinkError>,
) -> (Vec<u8>, Vec<(u32, u64)>) {
    let mut data = vec![0; (layout.data_end - site.data) as usize];
    let mut code_pointers = Vec::new();
    data[HEAP_OFFSET as usize..HEAP_OFFSET as usize + heap.bytes.len()]
        .copy_from_slice(&heap.bytes);
    for pointer in &heap.pointers {
        let Some(address) = layout.names.get(&pointer.symbol) else {
            let owner = heap
                .symbols
                .iter()
                .rfind(|symbol| symbol.offset <= pointer.offset);
            errors.push(LinkError::MissingFunction {
                function: pointer.symbol.clone(),
                wanted_by: owner.map(|symbol| symbol.name.clone()).unwrap_or_default(),
            });
            continue;
        };
        let address = address + u64::from(pointer.addend);
        let at = HEAP_OFFSET + pointer.offset;
        data[at as usize..at as usize + 8].copy_from_slice(&address.to_le_bytes());
        if address >= site.code {
            code_pointers.push((at, address));
        }
    }
    for &(index, address) in &layout.data {
        let section = &row.program.sections[index];
        let at = (address - site.data) as usize;
        let end = at + section.bytes.len();
        data[at..end].copy_from_slice(&section.bytes);
        fill(index, section, address, &mut data[at..end], layout, errors);
        for fixup in &section.fixups {
            let field = at + fixup.offset as usize;
            if fixup.kind == FixupKind::Abs64 && field + 8 <= end {
                let value =
                    u64::from_le_bytes(data[field..field + 8].try_into().unwrap_or_default());
                if value >= site.code {
                    code_pointers.push((field as u32, value));
                }
            }
        }
    }
    (data, code_pointers)
}

/// Fills the fixup fields of one section at its address.
fn fill(
    index: usize,
    section: &Section,
    address: u64,
    bytes: &mut [u8],
    layout: &Layout,
    errors: &mut Vec<LinkError>,
) {
    for (number, fixup) in section.fixups.iter().enumerate() {
        let wanted = canonical(&fixup.symbol);
        let found = layout
            .names
            .get(&wanted)
            .or_else(|| layout.names.get(&fixup.symbol));
        let Some(&symbol) = found else {
            errors.push(LinkError::Undefined {
                section: index,
                fixup: number,
                nearest: layout.nearest(&wanted),
            });
            continue;
        };
        if layout.copied.contains(&fixup.symbol) {
            errors.push(LinkError::Copied {
                section: index,
                fixup: number,
            });
            continue;
        }
        let target = symbol.wrapping_add_signed(fixup.addend);
        let at = fixup.offset as usize;
        match fixup.kind {
            FixupKind::Rel32 => {
                // Code and data of an image lie in one reservation far smaller than 2 GiB.
                let distance = target.wrapping_sub(address + u64::from(fixup.end)) as i32;
                bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
            }
            FixupKind::Abs64 => bytes[at..at + 8].copy_from_slice(&target.to_le_bytes()),
            FixupKind::Abs32 => errors.push(LinkError::Narrow {
                section: index,
                fixup: number,
            }),
        }
    }
}

impl Image {
    /// Whose code an address is, if it is in this image.
    pub fn owner(&self, address: u64) -> Option<&Piece> {
        let after = self
            .pieces
            .partition_point(|piece| piece.addresses.start <= address);
        let piece = &self.pieces[after.checked_sub(1)?];
        piece.addresses.contains(&address).then_some(piece)
    }

    /// Template line of the instruction at an address, where it is the template's.
    pub fn line(&self, program: &Program, address: u64) -> Option<u32> {
        let piece = self.owner(address)?;
        let Owner::Section(index) = piece.owner else {
            return None;
        };
        program.sections[index].line_at((address - piece.addresses.start) as u32)
    }

    /// Where the source line begins that an address belongs to.
    pub fn instruction_start(&self, program: &Program, address: u64) -> Option<u64> {
        let piece = self.owner(address)?;
        let Owner::Section(index) = piece.owner else {
            return None;
        };
        let offset = (address - piece.addresses.start) as u32;
        let start = program.sections[index].start_of_line(offset)?;
        Some(piece.addresses.start + u64::from(start))
    }

    /// Name of the symbol that covers an address, with the offset behind it where there is one.
    pub fn name(&self, address: u64) -> Option<String> {
        let symbol = self
            .symbol_at(address)
            .filter(|symbol| address < symbol.address + symbol.size.max(1))?;
        match address - symbol.address {
            0 => Some(symbol.name.clone()),
            offset => Some(format!("{}+{offset:#x}", symbol.name)),
        }
    }

    /// The symbol that covers an address. A return address behind a last `call` counts as inside.
    pub fn symbol_at(&self, address: u64) -> Option<&Symbol> {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let symbol = &self.symbols[after.checked_sub(1)?];
        (address - symbol.address <= symbol.size).then_some(symbol)
    }
}
