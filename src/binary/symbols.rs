//! The symbols of a program: those of its table, and those that Go's linker left elsewhere.
//!
//! Correct means: a name of the file's own table comes before what Go's tables say, each symbol that a
//! text can mean is found, and what is decoded of its bytes is what they are.

use std::borrow::Cow;
use std::collections::HashSet;

use super::gopher::spelled;
use super::vtables::demangled;
use super::{Binary, Content, Symbol, SymbolKind, itabs};
use crate::go::symbol::canonical;
use crate::go::{Release, layout};

/// What the bytes of a symbol are.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// Instructions.
    Code(&'a [u8]),
    /// Data.
    Data {
        /// What they are, in words.
        what: Option<String>,
        /// Them, piece by piece.
        fields: Vec<Field<'a>>,
        /// Bytes that are not shown.
        left: u64,
    },
    /// The file has none.
    Nothing,
}

/// A piece of data.
#[derive(Debug)]
pub struct Field<'a> {
    /// Bytes from the symbol's start.
    pub offset: u32,
    /// As the file has them.
    pub bytes: &'a [u8],
    /// What Go's sources call it; else nothing.
    pub name: String,
    /// What they mean, where that is known.
    pub meaning: String,
}

/// Adds what the table of symbols has not, and puts all in order.
pub(super) fn complete(binary: &mut Binary<'_>) {
    if let Some(go) = &binary.go {
        let named = binary.symbols.iter().filter(|symbol| symbol.size > 0);
        let known: HashSet<u64> = named.map(|symbol| symbol.address).collect();
        let functions = go.functions.iter().map(|one| Symbol {
            name: match one.name.contains('·') {
                true => Cow::Owned(spelled(&one.name)),
                false => one.name.clone(),
            },
            address: one.address,
            size: one.size,
            kind: SymbolKind::Function,
        });
        let itabs = go.itabs.iter().map(|one| Symbol {
            name: Cow::Owned(one.symbol()),
            address: one.address,
            size: one.size(),
            kind: SymbolKind::Datum,
        });
        let added = functions.chain(itabs);
        let added: Vec<Symbol<'_>> = added.filter(|one| !known.contains(&one.address)).collect();
        binary.symbols.extend(added);
    }
    // What has a size says more than a mark.
    binary.symbols.sort_by(|one, other| {
        let rank = |symbol: &Symbol<'_>| {
            let is_mark = symbol.size == 0 || symbol.kind == SymbolKind::Unknown;
            (symbol.address, is_mark)
        };
        rank(one)
            .cmp(&rank(other))
            .then_with(|| one.name.cmp(&other.name))
    });
}

impl<'a> Binary<'a> {
    /// The symbols whose name has a text in it, or whose bytes an address is among.
    pub fn matching(&self, pattern: &str) -> Vec<&Symbol<'a>> {
        if let Some(address) = address_of(pattern) {
            return self
                .symbol_at(address)
                .map(|(symbol, _)| symbol)
                .into_iter()
                .collect();
        }
        let wanted = canonical(pattern);
        let exact: Vec<&Symbol<'a>> = self
            .symbols
            .iter()
            .filter(|symbol| canonical(&symbol.name) == wanted)
            .collect();
        if !exact.is_empty() {
            return exact;
        }
        let is_part = |symbol: &&Symbol<'a>| {
            symbol.name.contains(pattern) || canonical(&symbol.name).contains(&*wanted)
        };
        let found: Vec<&Symbol<'a>> = self.symbols.iter().filter(is_part).collect();
        if !found.is_empty() {
            return found;
        }
        // As a reader of the source has it.
        let is_part = |symbol: &&Symbol<'a>| demangled(&symbol.name).contains(pattern);
        self.symbols.iter().filter(is_part).collect()
    }

    /// The types of a Go program that a text such as `type.main.T` means, which no table of symbols has.
    pub fn types(&self, pattern: &str) -> Vec<Symbol<'static>> {
        let wanted = canonical(pattern);
        let (Some(go), Some(part)) = (&self.go, wanted.strip_prefix("type.")) else {
            return Vec::new();
        };
        let found = go.types_called(part).into_iter();
        let symbol = |(address, name)| Symbol {
            name: Cow::Owned(format!("type.{name}")),
            address,
            size: u64::from(layout::TYPE_SIZE),
            kind: SymbolKind::Datum,
        };
        found.map(symbol).collect()
    }

    /// The symbols that a text names: as it stands, by its end behind a dot or a slash, or by its address.
    pub fn find(&self, wanted: &str) -> Vec<&Symbol<'a>> {
        if let Some(address) = address_of(wanted) {
            return self
                .symbol_at(address)
                .map(|(symbol, _)| symbol)
                .into_iter()
                .collect();
        }
        let name = canonical(wanted);
        let mut places = std::collections::HashSet::new();
        let exact = self
            .symbols
            .iter()
            .filter(|symbol| canonical(&symbol.name) == name);
        // Other names of one place are one symbol, and one name of several places is not.
        let exact: Vec<&Symbol<'a>> = exact.filter(|one| places.insert(one.address)).collect();
        if !exact.is_empty() {
            return exact;
        }
        let ends = |symbol: &&Symbol<'a>| {
            let rest = symbol.name.strip_suffix(wanted);
            rest.is_some_and(|rest| rest.ends_with(['.', '/', ':']))
        };
        let found: Vec<&Symbol<'a>> = self.symbols.iter().filter(ends).collect();
        if !found.is_empty() || self.go.is_some() {
            return found;
        }
        let is_it = |symbol: &&Symbol<'a>| {
            let name = demangled(&symbol.name);
            name == wanted || name.split('(').next() == Some(wanted)
        };
        self.symbols.iter().filter(is_it).collect()
    }

    /// What another file has, where this address stands for it.
    pub fn imported(&self, address: u64) -> Option<&str> {
        let (symbol, _) = self.symbol_at(address)?;
        (symbol.kind == SymbolKind::Elsewhere).then_some(&*symbol.name)
    }
}

fn address_of(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The bytes of a symbol, as what they are.
pub fn decode<'a>(binary: &'a Binary<'_>, symbol: &Symbol<'_>) -> Decoded<'a> {
    /// Bytes of data that are shown.
    const MOST: u64 = 4096;
    let Some(section) = binary.section(symbol.address) else {
        return Decoded::Nothing;
    };
    if section.content == Content::Code {
        let bytes = binary.bytes(symbol.address, symbol.size);
        return bytes.map_or(Decoded::Nothing, Decoded::Code);
    }
    if let Some(table) = binary.go.as_ref().and_then(|go| go.itab_at(symbol.address)) {
        let what = format!("an itab: {} for {}", table.type_name, table.interface);
        return Decoded::Data {
            what: Some(what),
            fields: itabs::fields(binary, table),
            left: 0,
        };
    }
    if let Some(name) = binary
        .go
        .as_ref()
        .and_then(|go| go.type_name(symbol.address))
    {
        return Decoded::Data {
            what: Some(format!(
                "a type: the first fields of {name}, which all types have"
            )),
            fields: type_fields(binary, symbol.address),
            left: 0,
        };
    }
    let shown = symbol.size.min(MOST);
    let Some(bytes) = binary.bytes(symbol.address, shown) else {
        return Decoded::Nothing;
    };
    let pieces = bytes.chunks(8).zip((0..).step_by(8));
    let fields = pieces.map(|(bytes, offset)| Field {
        offset,
        bytes,
        name: String::new(),
        meaning: meaning(binary, symbol.address + u64::from(offset), bytes),
    });
    Decoded::Data {
        what: None,
        fields: fields.collect(),
        left: symbol.size - shown,
    }
}

/// The fields that every type of Go begins with.
fn type_fields<'a>(binary: &'a Binary<'_>, address: u64) -> Vec<Field<'a>> {
    const FIELDS: [layout::Field; 11] = [
        layout::TYPE_SIZE_FIELD,
        layout::TYPE_PTRDATA,
        layout::TYPE_HASH,
        layout::TYPE_TFLAG,
        layout::TYPE_ALIGN,
        layout::TYPE_FIELD_ALIGN,
        layout::TYPE_KIND,
        layout::TYPE_EQUAL,
        layout::TYPE_GCDATA,
        layout::TYPE_STR,
        layout::TYPE_PTR_TO_THIS,
    ];
    let release = binary.go.as_ref().and_then(|go| go.release);
    let release = release.unwrap_or(Release::NEWEST);
    let field = |field: layout::Field| {
        let at = address + u64::from(field.offset);
        let bytes = binary.bytes(at, u64::from(field.size))?;
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let value = u64::from_le_bytes(wide);
        let meaning = match bytes.len() {
            8 if field.offset >= layout::TYPE_EQUAL.offset => meaning(binary, at, bytes),
            4 => format!("{value:#010x}"),
            _ => value.to_string(),
        };
        Some(Field {
            offset: field.offset,
            bytes,
            name: field.name(release).into(),
            meaning,
        })
    };
    FIELDS.into_iter().filter_map(field).collect()
}

/// What a word of data says: where it leads, or its text.
fn meaning(binary: &Binary<'_>, at: u64, bytes: &[u8]) -> String {
    let word = (bytes.len() == 8).then(|| binary.word(at)).flatten();
    let to = word
        .filter(|word| *word != 0)
        .and_then(|word| binary.name_of(word));
    if let Some(to) = to {
        return format!("-> {to}");
    }
    let is_text = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    match is_text {
        true => format!("{:?}", String::from_utf8_lossy(bytes)),
        false => String::new(),
    }
}
