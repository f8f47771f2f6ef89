//! An ELF file of 64-bit x86 as plain values.
//!
//! Correct means: what is read lies inside the file; an address that another file defines is none of
//! this one's; and a relocation that is not known stands in no word.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use object::elf;
use object::read::elf::{ElfFile64, ElfSymbol64, FileHeader as _, SectionHeader as _};
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, ObjectSymbolTable as _,
    Relocation, RelocationFlags, RelocationTarget, SectionFlags, SectionIndex,
};

use super::{Binary, Content, Kind, Patch, Section, Symbol, SymbolKind, Unreadable};

/// Where the first section of an object file is put: no address of it is 0.
const FIRST: u64 = 0x1_0000;
/// Between two things that are elsewhere: a place inside one is told from the next.
const APART: u64 = 64;

/// How other kinds of files begin.
const FOREIGN: [(&[u8], &str); 8] = [
    (b"MZ", "a program of Windows"),
    (b"\xcf\xfa\xed\xfe", "a program of macOS"),
    (
        b"\xca\xfe\xba\xbe",
        "a program of macOS, or a class of Java",
    ),
    (
        b"!<arch>\n",
        "an archive: take the object out of it, with `ar x`",
    ),
    (b"\0asm", "a program of WebAssembly"),
    (b"\x1f\x8b", "packed: unpack it first"),
    (b"#!", "a script"),
    (b"", "no program"),
];

type File<'a> = ElfFile64<'a, LittleEndian, &'a [u8]>;

/// Sections, symbols and what the loader writes.
pub(super) fn read(bytes: &[u8]) -> Result<Binary<'_>, Unreadable> {
    check(bytes)?;
    let damaged = |error: object::Error| Unreadable::Damaged(error.to_string());
    let file = File::parse(bytes).map_err(damaged)?;
    let kind = match file.elf_header().e_type(LittleEndian) {
        elf::ET_EXEC => Kind::Executable,
        elf::ET_DYN => Kind::Movable,
        elf::ET_REL => Kind::Object,
        elf::ET_CORE => return Err(Unreadable::Kind("the memory of a process that crashed")),
        _ => return Err(Unreadable::Kind("of a kind that nothing here knows")),
    };
    let mut reader = Reader {
        file,
        kind,
        sections: Vec::new(),
        starts: HashMap::new(),
        symbols: Vec::new(),
        patches: Vec::new(),
        elsewhere: HashMap::new(),
        cells: HashMap::new(),
        next: 0,
    };
    reader.sections()?;
    reader.symbols();
    match kind {
        Kind::Object => reader.link(),
        Kind::Executable | Kind::Movable => reader.load(),
    }
    let Reader {
        mut sections,
        symbols,
        mut patches,
        ..
    } = reader;
    if sections.is_empty() {
        return Err(Unreadable::Damaged(
            "it has no section that is loaded".into(),
        ));
    }
    sections.sort_by_key(|section| section.address);
    patches.sort_by_key(|patch| patch.at);
    patches.dedup_by_key(|patch| patch.at);
    Ok(Binary {
        kind,
        size: bytes.len() as u64,
        sections,
        symbols,
        patches,
        go: None,
        shared_names: OnceLock::new(),
    })
}

/// Whether it is a file of this machine.
fn check(bytes: &[u8]) -> Result<(), Unreadable> {
    if bytes.is_empty() {
        return Err(Unreadable::Foreign("empty"));
    }
    if !bytes.starts_with(&elf::ELFMAG) {
        let mut known = FOREIGN.iter();
        let known = known.find(|(magic, _)| bytes.starts_with(magic));
        return Err(Unreadable::Foreign(
            known.map_or("no program", |known| known.1),
        ));
    }
    let Some(ident) = bytes.get(..20) else {
        return Err(Unreadable::Damaged("it ends in its first header".into()));
    };
    let machine = elf::Machine(u16::from_le_bytes([ident[18], ident[19]]));
    let name = match (ident[4], ident[5], machine) {
        (2, 1, elf::EM_X86_64) => return Ok(()),
        (1, 1, elf::EM_X86_64) => "x86-64 with 32-bit addresses",
        (_, 1, elf::EM_386) => "32-bit x86",
        (_, 1, elf::EM_AARCH64) => "64-bit ARM",
        (_, 1, elf::EM_ARM) => "32-bit ARM",
        (_, 1, elf::EM_RISCV) => "RISC-V",
        (_, 1, elf::EM_LOONGARCH) => "LoongArch",
        (_, 2, _) => "a machine that has the higher byte first",
        (1, ..) => "a machine of 32 bits",
        (2, 1, _) => "another machine",
        _ => {
            return Err(Unreadable::Damaged(
                "its first bytes say neither 32 nor 64 bits".into(),
            ));
        }
    };
    Err(Unreadable::Machine(name.to_string()))
}

struct Reader<'a> {
    file: File<'a>,
    kind: Kind,
    sections: Vec<Section<'a>>,
    /// Of each section of the file that is loaded: the address it has here, less the file's.
    starts: HashMap<usize, u64>,
    symbols: Vec<Symbol<'a>>,
    patches: Vec<Patch>,
    /// What other files have, and cells with their addresses.
    elsewhere: HashMap<&'a str, u64>,
    /// Cells with addresses, by those.
    cells: HashMap<u64, u64>,
    /// Behind all that has an address.
    next: u64,
}

impl<'a> Reader<'a> {
    fn sections(&mut self) -> Result<(), Unreadable> {
        let mut found = Vec::new();
        let mut next = FIRST;
        let data: &'a [u8] = self.file.data();
        for section in self.file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
                continue;
            };
            let has = |flag| sh_flags & flag == flag;
            let is_tls_zero = has(elf::SHF_TLS) && section.file_range().is_none();
            if !has(elf::SHF_ALLOC) || section.size() == 0 || is_tls_zero {
                continue;
            }
            let name: &'a str = section.name().unwrap_or("(no name)");
            let (offset, bytes): (Option<u64>, &'a [u8]) = match section.file_range() {
                None => (None, &[]),
                Some((offset, size)) => {
                    let end = offset.checked_add(size);
                    let range = usize::try_from(offset)
                        .ok()
                        .zip(end.and_then(|end| usize::try_from(end).ok()));
                    let bytes = range.and_then(|(start, end)| data.get(start..end));
                    let Some(bytes) = bytes else {
                        return Err(Unreadable::Damaged(format!(
                            "section {name} would end at byte {} of {}",
                            offset.saturating_add(size),
                            data.len()
                        )));
                    };
                    (Some(offset), bytes)
                }
            };
            let content = match (has(elf::SHF_EXECINSTR), has(elf::SHF_WRITE)) {
                (true, _) => Content::Code,
                (_, true) => Content::Variable,
                _ => Content::Constant,
            };
            let address = match self.kind {
                Kind::Object => {
                    next.next_multiple_of(section.align().clamp(16, 4096).next_power_of_two())
                }
                _ => section.address(),
            };
            let Some(end) = address.checked_add(section.size()) else {
                return Err(Unreadable::Damaged(format!(
                    "section {name} would go round the end of memory"
                )));
            };
            next = next.max(end);
            self.starts
                .insert(section.index().0, address.wrapping_sub(section.address()));
            found.push(Section {
                name,
                address,
                size: section.size(),
                offset,
                content,
                bytes: Cow::Borrowed(bytes),
            });
        }
        self.sections = found;
        let Some(room) = next.checked_add(1 << 20) else {
            return Err(Unreadable::Damaged(
                "its sections reach to the end of memory".into(),
            ));
        };
        self.next = (room >> 12) << 12;
        Ok(())
    }

    fn symbols(&mut self) {
        let mut found = Vec::new();
        let has_table = self.file.symbols().next().is_some();
        let own = self.file.symbols();
        let dynamic = self.file.dynamic_symbols();
        let all = own.chain(dynamic.filter(|_| !has_table));
        for symbol in all {
            let raw = symbol.elf_symbol();
            let kind = match raw.st_type() {
                elf::STT_FUNC | elf::STT_GNU_IFUNC => SymbolKind::Function,
                elf::STT_OBJECT => SymbolKind::Datum,
                elf::STT_NOTYPE => SymbolKind::Unknown,
                _ => continue,
            };
            let Some(start) = symbol
                .section_index()
                .and_then(|index| self.starts.get(&index.0))
            else {
                continue;
            };
            let Some(name) = symbol.name().ok().filter(|name| !name.is_empty()) else {
                continue;
            };
            found.push(Symbol {
                name: Cow::Borrowed(name),
                address: symbol.address().wrapping_add(*start),
                size: symbol.size(),
                kind,
            });
        }
        self.symbols = found;
    }

    /// What the loader writes.
    fn load(&mut self) {
        self.load_packed();
        let Some(relocations) = self.file.dynamic_relocations() else {
            return;
        };
        let all: Vec<(u64, Relocation)> = relocations.collect();
        for (at, relocation) in all {
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let target = match r_type {
                elf::R_X86_64_RELATIVE | elf::R_X86_64_IRELATIVE => {
                    Some(relocation.addend() as u64)
                }
                elf::R_X86_64_64 => self
                    .dynamic(&relocation)
                    .map(|to| to.wrapping_add(relocation.addend() as u64)),
                elf::R_X86_64_GLOB_DAT | elf::R_X86_64_JUMP_SLOT => self.dynamic(&relocation),
                _ => None,
            };
            self.patches
                .extend(target.map(|target| Patch { at, target }));
        }
    }

    /// Words that move with the file, in the form that is packed (`SHT_RELR`).
    fn load_packed(&mut self) {
        let data: &'a [u8] = self.file.data();
        let packed = self.file.sections().filter_map(|section| {
            let header = section.elf_section_header();
            header.relr(LittleEndian, data).ok().flatten()
        });
        let places: Vec<u64> = packed.flatten().collect();
        for at in places {
            let target = self.own_word(at);
            self.patches
                .extend(target.map(|target| Patch { at, target }));
        }
    }

    /// The word that the file has at an address.
    fn own_word(&self, at: u64) -> Option<u64> {
        let holds =
            |section: &&Section<'_>| at >= section.address && at - section.address < section.size;
        let section = self.sections.iter().find(holds)?;
        let start = (at - section.address) as usize;
        let bytes = section.bytes.get(start..start.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The address that a dynamic relocation means.
    fn dynamic(&mut self, relocation: &Relocation) -> Option<u64> {
        let RelocationTarget::Symbol(index) = relocation.target() else {
            return Some(0);
        };
        let table = self.file.dynamic_symbol_table()?;
        let place = place(&self.starts, &table.symbol_by_index(index).ok()?)?;
        Some(self.settled(place))
    }

    fn settled(&mut self, place: Place<'a>) -> u64 {
        match place {
            Place::Here(address) => address,
            Place::Elsewhere(name) => self.outside(name),
        }
    }

    /// The address that stands here for what another file has.
    fn outside(&mut self, name: &'a str) -> u64 {
        if let Some(known) = self.elsewhere.get(name) {
            return *known;
        }
        let address = self.take();
        self.elsewhere.insert(name, address);
        self.symbols.push(Symbol {
            name: Cow::Borrowed(name),
            address,
            size: APART,
            kind: SymbolKind::Elsewhere,
        });
        address
    }

    /// The cell that holds an address, as a linker would make one.
    fn cell(&mut self, target: u64) -> u64 {
        if let Some(known) = self.cells.get(&target) {
            return *known;
        }
        let address = self.take();
        self.cells.insert(target, address);
        self.patches.push(Patch {
            at: address,
            target,
        });
        address
    }

    fn take(&mut self) -> u64 {
        let address = self.next;
        self.next = address.wrapping_add(APART);
        address
    }

    /// Does what a linker does with an object file, in a copy of its sections.
    fn link(&mut self) {
        let mut fields = Vec::new();
        let indices: Vec<SectionIndex> = self
            .file
            .sections()
            .map(|section| section.index())
            .collect();
        for index in indices {
            let Some(start) = self.starts.get(&index.0).copied() else {
                continue;
            };
            let Ok(section) = self.file.section_by_index(index) else {
                continue;
            };
            let start = start.wrapping_add(section.address());
            let all: Vec<(u64, Relocation)> = section.relocations().collect();
            for (offset, relocation) in all {
                let at = start.wrapping_add(offset);
                fields.extend(self.field(at, &relocation));
            }
        }
        for field in fields {
            self.fill(&field);
        }
    }

    /// What a relocation of an object file puts where.
    fn field(&mut self, at: u64, relocation: &Relocation) -> Option<Filled> {
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            return None;
        };
        let RelocationTarget::Symbol(index) = relocation.target() else {
            return None;
        };
        let place = place(&self.starts, &self.file.symbol_by_index(index).ok()?)?;
        let target = self.settled(place);
        let addend = relocation.addend() as u64;
        let (value, width) = match r_type {
            elf::R_X86_64_64 => {
                let target = target.wrapping_add(addend);
                self.patches.push(Patch { at, target });
                (target, 8)
            }
            elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => {
                (target.wrapping_add(addend).wrapping_sub(at), 4)
            }
            elf::R_X86_64_PC64 => (target.wrapping_add(addend).wrapping_sub(at), 8),
            elf::R_X86_64_32 | elf::R_X86_64_32S => (target.wrapping_add(addend), 4),
            elf::R_X86_64_GOTPCREL | elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX => {
                (self.cell(target).wrapping_add(addend).wrapping_sub(at), 4)
            }
            _ => return None,
        };
        Some(Filled { at, value, width })
    }

    fn fill(&mut self, field: &Filled) {
        let own = self.sections.iter_mut().find(|section| {
            field.at >= section.address && field.at - section.address < section.size
        });
        let Some(section) = own else { return };
        let start = (field.at - section.address) as usize;
        if let Some(bytes) = section.bytes.to_mut().get_mut(start..start + field.width) {
            bytes.copy_from_slice(&field.value.to_le_bytes()[..field.width]);
        }
    }
}

/// Where a symbol is.
enum Place<'a> {
    /// In this file.
    Here(u64),
    /// In another one, under this name.
    Elsewhere(&'a str),
}

/// Where a symbol is; `starts` are those of the sections.
fn place<'a>(
    starts: &HashMap<usize, u64>,
    symbol: &ElfSymbol64<'a, '_, LittleEndian, &'a [u8]>,
) -> Option<Place<'a>> {
    let index = symbol.section_index();
    match index.and_then(|index| starts.get(&index.0)) {
        Some(start) => Some(Place::Here(symbol.address().wrapping_add(*start))),
        None => symbol
            .name()
            .ok()
            .filter(|name| !name.is_empty())
            .map(Place::Elsewhere),
    }
}

/// A field of an object file, as a linker fills it.
struct Filled {
    at: u64,
    value: u64,
    width: usize,
}
