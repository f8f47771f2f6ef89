//! What an executable holds: sections, symbols, the words that a loader fills in, and what Go put there.
//!
//! Correct means: every byte that is given out is the file's at that address, or what the loader or
//! linker would write there; a name is the file's own, or of what its content says beyond doubt; and a
//! file that is none of these is one error that says what it is.
//!
//! ```text
//! bytes ─ elf ─▶ sections, symbols, patched words
//!                        │ gopher
//!                Binary ◀┴ release, functions, types, itabs
//! ```
//!
//! Only `elf` and `gopher` know the crates that read the file; everybody else has plain values.

mod chain;
mod elf;
mod gopher;
mod how;
pub mod import;
pub mod itabs;
pub mod sites;
pub mod symbols;
mod tables;
mod values;
pub mod vtables;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::OnceLock;

use iced_x86::{Decoder, DecoderOptions, Mnemonic};

pub use gopher::{GoFunction, GoProgram};

/// A file with machine code, as plain values.
#[derive(Debug)]
pub struct Binary<'a> {
    /// What kind of file it is.
    pub kind: Kind,
    /// Bytes of the file.
    pub size: u64,
    /// What is in memory when it runs, ascending by address.
    pub sections: Vec<Section<'a>>,
    /// Ascending by address; of one address the one that says most comes first.
    pub symbols: Vec<Symbol<'a>>,
    /// What the loader, or the linker of an object file, writes: ascending by address.
    pub patches: Vec<Patch>,
    /// What Go's linker left, where Go made the file.
    pub go: Option<GoProgram<'a>>,
    /// Names that several things have, once somebody has asked.
    shared_names: OnceLock<HashSet<String>>,
}

/// What the loader makes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At the addresses that the file says.
    Executable,
    /// Wherever there is room: a shared object, or a position-independent executable.
    Movable,
    /// Not linked: the addresses are given here, section behind section.
    Object,
}

/// What a section's bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Instructions.
    Code,
    /// Data that nobody writes.
    Constant,
    /// Data that are written.
    Variable,
}

/// A stretch of memory.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// As the file names it.
    pub name: &'a str,
    /// Where it is, or begins where the file is loaded at 0.
    pub address: u64,
    /// Bytes in memory.
    pub size: u64,
    /// Where it begins in the file; none where it is zeros.
    pub offset: Option<u64>,
    /// What it is for.
    pub content: Content,
    /// Its bytes, which are none where it is zeros.
    pub bytes: Cow<'a, [u8]>,
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymbolKind {
    /// Code.
    Function,
    /// Data.
    Datum,
    /// The file does not say.
    Unknown,
    /// What another file has: its address is made up here.
    Elsewhere,
}

/// A name for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// As the file spells it.
    pub name: Cow<'a, str>,
    /// Where it begins.
    pub address: u64,
    /// Bytes; 0 where the file does not say.
    pub size: u64,
    /// What it names.
    pub kind: SymbolKind,
}

/// A word of 8 bytes that is not as the file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Where the word is.
    pub at: u64,
    /// The address that it holds.
    pub target: u64,
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no ELF file, and perhaps something else that is known.
    Foreign(&'static str),
    /// It is an ELF file for another machine.
    Machine(String),
    /// It is an ELF file without code.
    Kind(&'static str),
    /// Its parts contradict each other, or it ends too early.
    Damaged(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Foreign(what) => write!(
                f,
                "it is {what}, and an ELF file is wanted: an executable, a shared object or a `.o` of Linux"
            ),
            Unreadable::Machine(what) => write!(
                f,
                "it is an ELF file for {what}, and only 64-bit x86 is read: build it with GOARCH=amd64, or with \
                 -m64"
            ),
            Unreadable::Kind(what) => write!(
                f,
                "it is an ELF file that is {what}, and an executable, a shared object or a `.o` is wanted"
            ),
            Unreadable::Damaged(why) => write!(
                f,
                "it is an ELF file that is cut off or damaged: {why}; build or copy it again"
            ),
        }
    }
}

impl<'a> Binary<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// What it is instead, or what is wrong with it.
    pub fn read(bytes: &'a [u8]) -> Result<Binary<'a>, Unreadable> {
        let mut binary = elf::read(bytes)?;
        binary.go = gopher::read(bytes, &binary);
        symbols::complete(&mut binary);
        Ok(binary)
    }

    /// Whether the system starts it: it is linked, and no library, which has neither a loader nor the mark of an executable
    /// that is at no fixed address.
    pub fn is_program(&self) -> bool {
        /// The tag of further flags in the dynamic section, and the mark among them (`elf.h`, `DT_FLAGS_1`, `DF_1_PIE`).
        const FLAGS: u64 = 0x6fff_fffb;
        const MARK: u64 = 0x0800_0000;
        let mut sections = self.sections.iter();
        let dynamic = sections.clone().find(|section| section.name == ".dynamic");
        let entries = dynamic
            .into_iter()
            .flat_map(|section| section.bytes.chunks_exact(16));
        let mut flags = entries.filter(|entry| entry.starts_with(&FLAGS.to_le_bytes()));
        match self.kind {
            Kind::Executable => true,
            Kind::Object => false,
            Kind::Movable => {
                sections.any(|section| section.name == ".interp")
                    || flags.any(|entry| {
                        entry[8..]
                            .iter()
                            .rev()
                            .fold(0, |all, byte| all << 8 | u64::from(*byte))
                            & MARK
                            != 0
                    })
            }
        }
    }

    /// Whether several things have this name: static functions of C, generic ones of Go without its symbols.
    pub fn is_shared_name(&self, name: &str) -> bool {
        let shared = self.shared_names.get_or_init(|| {
            let mut known: HashMap<&str, u64> = HashMap::with_capacity(self.symbols.len());
            let others = self.symbols.iter().filter(|symbol| {
                let first = *known.entry(&symbol.name).or_insert(symbol.address);
                first != symbol.address
            });
            others.map(|symbol| symbol.name.to_string()).collect()
        });
        shared.contains(name)
    }

    /// The section around an address.
    pub fn section(&self, address: u64) -> Option<&Section<'a>> {
        let after = self
            .sections
            .partition_point(|section| section.address <= address);
        let section = &self.sections[after.checked_sub(1)?];
        (address - section.address < section.size).then_some(section)
    }

    /// `size` bytes at an address, as the file has them; none where it has fewer there.
    pub fn bytes(&self, address: u64, size: u64) -> Option<&[u8]> {
        let section = self.section(address)?;
        let start = usize::try_from(address - section.address).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        section.bytes.get(start..end)
    }

    /// The word at an address, when the file is loaded where it says.
    pub fn word(&self, address: u64) -> Option<u64> {
        match self.patch(address) {
            Some(target) => Some(target),
            None => {
                let bytes = self.bytes(address, 8)?;
                Some(u64::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    }

    /// What the loader writes at an address.
    pub fn patch(&self, address: u64) -> Option<u64> {
        let found = self
            .patches
            .binary_search_by_key(&address, |patch| patch.at);
        found.ok().map(|at| self.patches[at].target)
    }

    /// The symbol that an address belongs to, and how far into it that is.
    pub fn symbol_at(&self, address: u64) -> Option<(&Symbol<'a>, u64)> {
        /// Symbols in front of an address that are looked at: several may begin inside one another.
        const LOOKED_AT: usize = 16;
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let before = &self.symbols[after.saturating_sub(LOOKED_AT)..after];
        let holds = |symbol: &&Symbol<'a>| address - symbol.address < symbol.size;
        let nearest = before.last()?.address;
        let first_of_nearest = before.iter().find(|symbol| symbol.address == nearest);
        let found = before
            .iter()
            .rev()
            .filter(holds)
            .map(|symbol| symbol.address)
            .next();
        let found = match found {
            Some(start) => before
                .iter()
                .find(|symbol| symbol.address == start && holds(symbol)),
            // A label of an assembler has no size.
            None => first_of_nearest
                .filter(|symbol| symbol.size == 0 && self.is_beside(symbol.address, address)),
        };
        found.map(|symbol| (symbol, address - symbol.address))
    }

    fn is_beside(&self, one: u64, other: u64) -> bool {
        match (self.section(one), self.section(other)) {
            (Some(one), Some(other)) => one.address == other.address,
            _ => one == other,
        }
    }

    /// What a linker's stub at an address jumps to, where one stands there.
    pub fn behind_stub(&self, address: u64) -> Option<u64> {
        /// Instructions of a stub up to its jump, and its bytes.
        const FIRST: usize = 2;
        const BYTES: u64 = 16;
        let section = self.section(address)?;
        if !section.name.starts_with(".plt") {
            return None;
        }
        let bytes = self.bytes(address, BYTES)?;
        let decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
        let mut jumps = decoder
            .into_iter()
            .take(FIRST)
            .filter(|one| one.mnemonic() == Mnemonic::Jmp && one.is_ip_rel_memory_operand());
        let target = self.patch(jumps.next()?.ip_rel_memory_address())?;
        (target != address).then_some(target)
    }

    /// `main.f+0x10`, where something has a name there.
    pub fn name_of(&self, address: u64) -> Option<String> {
        if let Some(target) = self.behind_stub(address) {
            let (symbol, _) = self.symbol_at(target)?;
            return Some(format!("{}@plt", symbol.name));
        }
        let (symbol, offset) = self.symbol_at(address)?;
        Some(match offset {
            0 => symbol.name.to_string(),
            offset => format!("{}+{offset:#x}", symbol.name),
        })
    }

    /// Where an address stands in the file.
    pub fn file_offset(&self, address: u64) -> Option<u64> {
        let section = self.section(address)?;
        Some(section.offset? + (address - section.address))
    }
}
