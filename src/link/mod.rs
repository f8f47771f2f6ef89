//! Assigns addresses to a scenario's code and data, and fills the fields that hold them.
//!
//! Correct means: every fixup field and every pointer of the heap holds its symbol's address, no
//! other byte differs from what the assembler, the Go model and the harness emitted, and the loop
//! head and the first callee stand where the placement says.

use std::collections::HashMap;
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};

use crate::asm::{FixupKind, Program, Section};
use crate::go::heap::Heap;
use crate::go::symbol::canonical;
use crate::job::{JobRow, Placement};

mod data;
pub mod frame;
pub mod harness;
pub mod kernel;
mod layout;
pub mod native;
pub mod scrub;
pub mod trespass;
pub mod walk;

pub use data::Receivers;

use data::{Written, place_data, place_objects, write_receivers};
use harness::Harness;
use layout::{Ends, Layout};

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

/// Which loop to link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The scenario.
    Body,
    /// The same harness and walk, the body left out.
    Baseline,
    /// The scenario with latency in front of a dispatch branch, and iterations that do not overlap: which of
    /// its images, two for each site.
    Delayed(usize),
}

/// A section as it stands in a variant, by index.
fn section_of(row: &JobRow, variant: Variant, index: usize) -> &Section {
    let copy = match variant {
        Variant::Delayed(image) => row.injection.copy(index, image),
        Variant::Body | Variant::Baseline => None,
    };
    copy.unwrap_or(&row.program.sections[index])
}

/// All of them.
fn sections_of(row: &JobRow, variant: Variant) -> impl Iterator<Item = &Section> {
    (0..row.program.sections.len()).map(move |index| section_of(row, variant, index))
}

/// What a stretch of an image's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The loop around the body; never counted.
    Harness,
    /// A modelled function of Go's runtime; counted when the template calls it.
    Stub(String),
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

/// Something of each of some addresses. Millions of steps look one up, and nobody chooses addresses to make
/// that slow.
pub type ByAddress<T> = HashMap<u64, T, foldhash::fast::FixedState>;

/// A field of the data region that leads into code: an address, or a distance to one, as the jump tables of code that
/// runs anywhere have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePointer {
    /// Bytes from the start of the data region.
    offset: u32,
    /// What stands there; of a distance the first four bytes.
    bytes: [u8; 8],
    width: u8,
}

impl CodePointer {
    fn new(offset: u32, field: &[u8]) -> CodePointer {
        let mut bytes = [0; 8];
        bytes[..field.len()].copy_from_slice(field);
        CodePointer {
            offset,
            bytes,
            width: field.len() as u8,
        }
    }

    /// Writes it into the data region.
    pub fn write(&self, data: &mut [u8]) {
        let field = &self.bytes[..usize::from(self.width)];
        data[self.offset as usize..][..field.len()].copy_from_slice(field);
    }
}

/// Linked code and data at fixed addresses.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Where it was linked.
    pub site: Site,
    /// The code region's bytes.
    pub code: Vec<u8>,
    /// Addresses of the data region: context, g, heap, the template's data.
    pub data_addresses: Range<u64>,
    /// Fields of the data region that lead into code. The only difference between the data of two placements of one row.
    pub code_pointers: Vec<CodePointer>,
    /// Address to enter.
    pub entry: u64,
    /// Address that saves what the body left, behind the loop.
    pub done: u64,
    /// Address of the first instruction of an iteration.
    pub loop_head: u64,
    /// Address of the jump back to it.
    pub loop_branch: u64,
    /// Address behind that jump.
    pub loop_end: u64,
    /// Addresses of the setup section.
    pub setup: Range<u64>,
    /// Addresses of the body, all copies.
    pub body: Range<u64>,
    /// Address that leaves the loop from anywhere.
    pub escape: u64,
    /// All code, ascending.
    pub pieces: Vec<Piece>,
    /// All names, ascending by address.
    pub symbols: Vec<Symbol>,
    /// What each object's receiver is.
    pub receivers: Receivers,
    /// Data of the modelled runtime that are filled round and round: how far stands in their first word, and
    /// is bounded by those who fill them.
    pub rings: Vec<Range<u64>>,
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
    /// What the header says of objects or receivers gives nothing.
    Formula {
        /// The header's key.
        key: &'static str,
        /// Why, one sentence without a full stop.
        message: String,
    },
    /// A function at a distance stands where other code does.
    Overlap {
        /// Section index.
        section: usize,
        /// The other function; none where it is the loop.
        with: Option<usize>,
        /// A distance from the loop head behind the other code.
        free: u64,
    },
    /// Two sections define one symbol.
    Duplicate {
        /// Section index of the second definition.
        section: usize,
    },
}

/// How many undefined symbols get a suggestion.
const SUGGESTED: usize = 20;

/// Where the heap begins in the data region; context and g lie before it.
pub const HEAP_OFFSET: u32 = 1024;

/// Links one variant of a row at a site.
///
/// # Errors
/// All that is undefined, missing or out of reach, not only the first.
pub fn link(row: &JobRow, heap: &Heap, site: Site) -> Result<Image, Vec<LinkError>> {
    link_parts(row, heap, site, None)
}

/// The same, with the data, which are written into zeroed memory of [`lengths`]: no zero page of a
/// buffer is touched.
///
/// # Errors
/// As [`link`].
pub fn link_with_data(
    row: &JobRow,
    heap: &Heap,
    site: Site,
    data: &mut [u8],
) -> Result<Image, Vec<LinkError>> {
    link_parts(row, heap, site, Some((data, true)))
}

/// The same, with all data but the repeats of data sections: what somebody reads.
///
/// # Errors
/// As [`link`].
pub fn link_with_written_data(
    row: &JobRow,
    heap: &Heap,
    site: Site,
    data: &mut [u8],
) -> Result<Image, Vec<LinkError>> {
    link_parts(row, heap, site, Some((data, false)))
}

fn link_parts(
    row: &JobRow,
    heap: &Heap,
    site: Site,
    data: Option<(&mut [u8], bool)>,
) -> Result<Image, Vec<LinkError>> {
    let harness = harness::emit(row, site);
    let layout = Layout::new(row, heap, site, &harness);
    let mut errors = layout.errors.clone();
    let code = place_code(row, site.variant, &layout, &harness, &mut errors);
    let (mut data, repeats) = data.map_or((None, false), |(data, repeats)| (Some(data), repeats));
    let mut written = Written {
        data: data.as_deref_mut(),
        repeats,
        code: site.code,
        code_pointers: Vec::new(),
    };
    place_data(row, heap, &layout, site, (&mut written, &mut errors));
    place_objects(row, heap, &layout, site, (&mut written, &mut errors));
    let receivers = Receivers::new(row, heap, &layout, site).map_err(|error| errors.push(error));
    let code_pointers = written.code_pointers;
    let receivers = match receivers {
        Ok(receivers) if errors.is_empty() => receivers,
        _ => return Err(errors),
    };
    if let Some(data) = data {
        heap.write_objects(
            &row.heap,
            &mut data[(HEAP_OFFSET + heap.objects) as usize..],
        );
        if let Some(array) = heap.array {
            write_receivers(row, &receivers, &mut data[(HEAP_OFFSET + array) as usize..]);
        }
    }
    Ok(Image {
        site,
        code,
        data_addresses: site.data..layout.data_end,
        code_pointers,
        entry: harness.entry,
        done: harness.done,
        loop_head: harness.loop_head,
        loop_branch: harness.loop_branch,
        loop_end: harness.loop_end,
        setup: harness.setup.clone(),
        body: harness.body.clone(),
        escape: harness.escape,
        receivers,
        rings: rings(row, &layout),
        symbols: layout.symbols,
        pieces: layout.pieces,
    })
}

fn rings(row: &JobRow, layout: &Layout<'_>) -> Vec<Range<u64>> {
    const NAMES: [&str; 2] = ["runtime.arena", "runtime.wbBuf"];
    let of = |&(index, address): &(usize, u64)| {
        let section = &row.program.sections[index];
        let is_ring = section.is_runtime && NAMES.contains(&section.name.as_str());
        is_ring.then(|| address..address + section.size())
    };
    layout.data.iter().filter_map(of).collect()
}

/// Bytes of the data and of the code of an image, which are the same at any site of its placement
/// and variant.
pub fn lengths(row: &JobRow, heap: &Heap, site: Site) -> (usize, usize) {
    let harness = harness::emit(row, site);
    let mut ends = Ends::new(row, heap, site, &harness);
    for section in sections_of(row, site.variant) {
        ends.place(section);
    }
    let code = ends.code_end() - harness.base;
    ((ends.data - site.data) as usize, code as usize)
}

fn place_code(
    row: &JobRow,
    variant: Variant,
    layout: &Layout<'_>,
    harness: &Harness,
    errors: &mut Vec<LinkError>,
) -> Vec<u8> {
    let base = harness.base;
    // Between functions stands int3, as the Go linker fills: a wild jump faults at once.
    let mut code = vec![0xcc; (layout.code_end - base) as usize];
    code[..harness.code.len()].copy_from_slice(&harness.code);
    for &(index, address) in &layout.code {
        let section = section_of(row, variant, index);
        let at = (address - base) as usize;
        code[at..at + section.bytes.len()].copy_from_slice(&section.bytes);
        let mut put = |offset: u32, field: &[u8], _| {
            let at = at + offset as usize;
            code[at..at + field.len()].copy_from_slice(field);
        };
        fill(index, section, address, &mut put, layout, errors);
    }
    code
}

/// Puts into the fixup fields of one section what they hold at its address, with the address of the symbol that each
/// is of.
fn fill(
    index: usize,
    section: &Section,
    address: u64,
    put: &mut dyn FnMut(u32, &[u8], u64),
    layout: &Layout<'_>,
    errors: &mut Vec<LinkError>,
) {
    for (number, fixup) in section.fixups.iter().enumerate() {
        let wanted = canonical(&fixup.symbol);
        let found = layout
            .names
            .get(&*wanted)
            .or_else(|| layout.names.get(fixup.symbol.as_str()));
        let Some(&symbol) = found else {
            // Nobody reads more of them, and each looks at all names.
            let nearest = (errors.len() < SUGGESTED).then(|| layout.nearest(&wanted));
            errors.push(LinkError::Undefined {
                section: index,
                fixup: number,
                nearest: nearest.flatten(),
            });
            continue;
        };
        if layout.copied.contains(fixup.symbol.as_str()) {
            errors.push(LinkError::Copied {
                section: index,
                fixup: number,
            });
            continue;
        }
        let target = symbol.wrapping_add_signed(fixup.addend);
        match fixup.kind {
            FixupKind::Rel32 => {
                // All images of a row and their data lie in one reservation smaller than 2 GiB.
                let distance = target.wrapping_sub(address + u64::from(fixup.end)) as i32;
                put(fixup.offset, &distance.to_le_bytes(), symbol);
            }
            FixupKind::Abs64 => put(fixup.offset, &target.to_le_bytes(), symbol),
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

    /// Where an access through a nil pointer goes on, if anywhere.
    pub fn sigpanic(&self) -> Option<u64> {
        let is_there =
            |piece: &&Piece| matches!(&piece.owner, Owner::Stub(name) if name == harness::SIGPANIC);
        let piece = self.pieces.iter().find(is_there)?;
        Some(piece.addresses.start)
    }

    /// The instruction at an address of the code.
    ///
    /// # Panics
    /// When the address is outside the code.
    pub fn instruction(&self, address: u64) -> Instruction {
        let bytes = &self.code[(address - self.site.code) as usize..];
        Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode()
    }

    /// Whether the instruction there takes flags from the stack, the trap flag among them.
    ///
    /// # Panics
    /// As [`Image::instruction`].
    pub fn pops_flags(&self, address: u64) -> bool {
        use Mnemonic::{Iret, Iretd, Iretq, Popf, Popfd, Popfq};
        let mnemonic = self.instruction(address).mnemonic();
        matches!(mnemonic, Popf | Popfd | Popfq | Iret | Iretd | Iretq)
    }

    /// Whether the instruction there reaches beyond the end of its section, and takes in what stands behind.
    pub fn is_unfinished(&self, address: u64) -> bool {
        let Some(piece) = self.owner(address) else {
            return false;
        };
        let instruction = self.instruction(address);
        let end = address + instruction.len() as u64;
        matches!(piece.owner, Owner::Section(_)) && end > piece.addresses.end
    }

    /// The instructions of a piece, from its start on, as far as they are ones.
    pub fn instructions(&self, piece: &Piece) -> impl Iterator<Item = Instruction> {
        let mut at = piece.addresses.start;
        let end = piece.addresses.end;
        std::iter::from_fn(move || {
            let one = (at < end).then(|| self.instruction(at))?;
            at += one.len().max(1) as u64;
            Some(one)
        })
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

    /// The label of the template at an address: its own, where no symbol begins.
    pub fn label<'p>(&self, program: &'p Program, address: u64) -> Option<&'p str> {
        let piece = self.owner(address)?;
        let Owner::Section(index) = piece.owner else {
            return None;
        };
        let offset = address - piece.addresses.start;
        let labels = &program.sections[index].labels;
        let at = labels.partition_point(|label| u64::from(label.offset) < offset);
        let label = labels
            .get(at)
            .filter(|label| u64::from(label.offset) == offset)?;
        let is_symbol = self
            .symbol_at(address)
            .is_some_and(|symbol| symbol.address == address);
        (!is_symbol).then_some(label.name.as_str())
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
