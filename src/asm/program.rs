//! What assembling yields: position-independent bytes, and everything needed to place them.
//!
//! Correct means: bytes outside the fixup fields never change again; every field a fixup names is
//! zero until the linker fills it; and offsets are those of the whole section, however little of it
//! is written out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The assembled sections of one scenario, in the order of the template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// `setup` (at most one), `body` (exactly one), functions and data.
    pub sections: Vec<Section>,
}

/// What a section is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SectionKind {
    /// Runs once for each image, before its first iteration; never counted or timed.
    Setup,
    /// One iteration.
    Body,
    /// A callee with a symbol of its own.
    Func,
    /// Data that the template defines or replaces.
    Data,
}

/// One contiguous piece of code or data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// What the section is for.
    pub kind: SectionKind,
    /// `setup`, `body`, or the symbol of a function or datum.
    pub name: String,
    /// Template line of the section's header, counted from 1.
    pub line: u32,
    /// Where it is to stand, where that is said of a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<CodePlace>,
    /// Whether it is a modelled piece of Go's runtime, which no line of the template wrote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_runtime: bool,
    /// How many instructions have the bytes that a listing shows.
    #[serde(default, skip_serializing_if = "is_none")]
    pub listed: u32,
    /// The bytes, fixup fields zero; all of them but those that are repeated.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
    /// Stretches of data that are not written out, ascending by offset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<Repeat>,
    /// Data between or behind the code, ascending by offset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
    /// Labels bound in this section.
    pub labels: Vec<Label>,
    /// Fields that hold an address of something outside this section.
    pub fixups: Vec<Fixup>,
    /// Where each source line begins, ascending by offset.
    pub lines: Vec<LineMark>,
}

/// Whether there are none.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// Where a function is to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodePlace {
    /// So many bytes behind the loop head.
    Behind(u32),
    /// At this offset of a page on which no function stands in front of it.
    Page(u32),
    /// At the next multiple of this.
    Align(u32),
}

impl CodePlace {
    /// Bytes of a page.
    pub const PAGE: u32 = 4096;
    /// The longest distance, bytes.
    pub const FURTHEST: u32 = 16 << 20;

    /// What of it cannot be.
    pub fn refusal(self) -> Option<String> {
        match self {
            CodePlace::Behind(distance) => (distance > CodePlace::FURTHEST).then(|| {
                format!(
                    "a distance is at most {} bytes, not {distance}",
                    CodePlace::FURTHEST
                )
            }),
            CodePlace::Page(offset) => (offset >= CodePlace::PAGE).then(|| {
                format!(
                    "a page has the offsets 0 to {}, not {offset}",
                    CodePlace::PAGE - 1
                )
            }),
            CodePlace::Align(to) => (!to.is_power_of_two() || to > CodePlace::PAGE).then(|| {
                format!(
                    "`align` is a power of two from 1 to {}, not {to}",
                    CodePlace::PAGE
                )
            }),
        }
    }
}

impl fmt::Display for CodePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodePlace::Behind(distance) => write!(f, "{distance} bytes behind the loop head"),
            CodePlace::Page(offset) => write!(f, "{offset} bytes into a page of its own"),
            CodePlace::Align(to) => write!(f, "aligned to {to} bytes"),
        }
    }
}

/// Most bytes that all data sections of a program may take.
pub const MAX_DATA: u64 = 1 << 30;

/// A stretch of data that is the same bytes over and over.
///
/// A buffer may take a gigabyte. It is kept in a few bytes, and crosses to a worker in a few, until its
/// memory is filled there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// Bytes from the start of the section.
    pub offset: u32,
    /// What is repeated, at least one byte; of zeros, one.
    #[serde(with = "hex")]
    pub unit: Vec<u8>,
    /// How many times.
    pub count: u32,
}

/// Data in a section of code: a table of addresses, a constant that stands behind a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// Bytes of each value.
    pub unit: u32,
}

/// A part of a section: bytes that are written out, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch<'a> {
    /// As they stand.
    Written(&'a [u8]),
    /// Over and over.
    Repeated(&'a Repeat),
}

/// A named offset inside a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// As the template spells it.
    pub name: String,
    /// Bytes from the start of the section.
    pub offset: u32,
}

/// How a fixup field encodes its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FixupKind {
    /// Signed 32-bit distance from [`Fixup::end`].
    Rel32,
    /// Absolute address, 32 bits, zero-extended or sign-extended alike.
    Abs32,
    /// Absolute address, 64 bits.
    Abs64,
}

/// A field that the linker fills with the address of a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixup {
    /// Bytes from the start of the section to the field.
    pub offset: u32,
    /// Bytes from the start of the section to the end of the instruction: the base of `Rel32`.
    pub end: u32,
    /// Encoding of the field.
    pub kind: FixupKind,
    /// The symbol, or a label of another section.
    pub symbol: String,
    /// Added to the symbol's address.
    pub addend: i64,
    /// Template line, counted from 1.
    pub line: u32,
    /// Column of the symbol in the assembled text, counted from 1.
    pub column: u32,
}

/// The first byte that a source line produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineMark {
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Template line, counted from 1.
    pub line: u32,
}

impl Program {
    /// The section that runs once an iteration.
    pub fn body(&self) -> Option<&Section> {
        self.sections.iter().find(|s| s.kind == SectionKind::Body)
    }
}

impl Repeat {
    /// Bytes that it takes.
    pub fn size(&self) -> u64 {
        (self.unit.len() as u64).saturating_mul(u64::from(self.count))
    }

    /// Fills zeroed memory of its size. Of a run of zeros nothing is written, so that no page of it is
    /// ever given memory.
    fn write_to(&self, memory: &mut [u8]) {
        if self.unit.iter().all(|&byte| byte == 0) {
            return;
        }
        let mut filled = self.unit.len().min(memory.len());
        memory[..filled].copy_from_slice(&self.unit[..filled]);
        while filled < memory.len() {
            let more = filled.min(memory.len() - filled);
            memory.copy_within(..more, filled);
            filled += more;
        }
    }
}

impl Section {
    /// Bytes that it takes.
    pub fn size(&self) -> u64 {
        let written = self.bytes.len() as u64;
        let repeats = self.repeats.iter().map(Repeat::size);
        repeats.fold(written, u64::saturating_add)
    }

    /// All of it in order, each stretch with its offset.
    pub fn stretches(&self) -> impl Iterator<Item = (u64, Stretch<'_>)> {
        let mut at = 0;
        let mut rest = &self.bytes[..];
        let ends = self.repeats.iter().map(Some).chain([None]);
        ends.flat_map(move |repeat| {
            let bytes = match repeat {
                Some(repeat) => u64::from(repeat.offset).saturating_sub(at) as usize,
                None => rest.len(),
            };
            let (written, others) = rest.split_at(bytes.min(rest.len()));
            rest = others;
            let start = at;
            at = at.saturating_add(written.len() as u64);
            let written = (!written.is_empty()).then_some((start, Stretch::Written(written)));
            let repeated = repeat.map(|repeat| (at, Stretch::Repeated(repeat)));
            at = at.saturating_add(repeat.map_or(0, Repeat::size));
            written.into_iter().chain(repeated)
        })
    }

    /// Writes what is not zero into zeroed memory of its size; with `repeats` also what is not written
    /// out here.
    ///
    /// # Panics
    /// When the memory is smaller than the section.
    pub fn write_to(&self, memory: &mut [u8], repeats: bool) {
        for (offset, stretch) in self.stretches() {
            let memory = &mut memory[offset as usize..];
            match stretch {
                Stretch::Written(bytes) => memory[..bytes.len()].copy_from_slice(bytes),
                Stretch::Repeated(repeat) if repeats => {
                    repeat.write_to(&mut memory[..repeat.size() as usize]);
                }
                Stretch::Repeated(_) => {}
            }
        }
    }

    /// Whether an instruction of this section, or what is no table of it, stands at `offset`.
    pub fn has_code_at(&self, offset: u32) -> bool {
        let after = self.tables.partition_point(|table| table.offset <= offset);
        let table = after.checked_sub(1).map(|at| self.tables[at]);
        let is_table = table.is_some_and(|table| offset - table.offset < table.size);
        self.kind != SectionKind::Data && u64::from(offset) < self.size() && !is_table
    }

    /// Template line of the instruction that covers `offset`.
    pub fn line_at(&self, offset: u32) -> Option<u32> {
        self.mark_at(offset).map(|mark| mark.line)
    }

    /// Where the source line begins whose code covers `offset`.
    pub fn start_of_line(&self, offset: u32) -> Option<u32> {
        self.mark_at(offset).map(|mark| mark.offset)
    }

    fn mark_at(&self, offset: u32) -> Option<&LineMark> {
        let after = self.lines.partition_point(|mark| mark.offset <= offset);
        self.lines.get(after.checked_sub(1)?)
    }
}

/// Bytes as one lower-case hex string: an array of numbers would be four times as long.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        to.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() % 2 != 0 || !text.is_ascii() {
            return Err(D::Error::custom("bytes want an even number of hex digits"));
        }
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(D::Error::custom))
            .collect()
    }
}
