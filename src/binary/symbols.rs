//! The symbols of a program: those of its table, and those that Go's linker left elsewhere.
//!
//! Correct means: a name of the file's own table comes before what Go's tables say, each symbol that a
//! text can mean is found, and what is decoded of its bytes is what they are.

use std::borrow::Cow;
use std::collections::HashSet;

use super::gopher::spelled;
use super::vtables::demangled;
use super::{Binary, Content, Section, Symbol, SymbolKind, itabs};
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

    /// Names of the types of a Go program that have a hash, by what Go's linker and the table of symbols tell.
    pub fn types_hashed(&self, hash: u32) -> Vec<String> {
        let Some(go) = &self.go else {
            return Vec::new();
        };
        let of_symbol = |symbol: &Symbol<'_>| {
            let name = canonical(&symbol.name);
            let name = name.strip_prefix("type.")?;
            let at = symbol.address + u64::from(layout::TYPE_HASH.offset);
            let own = self
                .bytes(at, 4)
                .filter(|_| !name.starts_with('.') && name != "*")?;
            let known = || go.type_name(symbol.address);
            (own == hash.to_le_bytes()).then(|| known().unwrap_or_else(|| name.to_string()))
        };
        let mut found = go.types_hashed(hash);
        found.extend(self.symbols.iter().filter_map(of_symbol));
        found.sort_unstable();
        found.dedup();
        found
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
        let is_end = |own: &str| {
            let rest = own.strip_suffix(wanted);
            rest.is_some_and(|rest| rest.ends_with(['.', '/', ':']))
        };
        // Behind a function's own name comes that of its body in assembly.
        let ways: [&dyn Fn(&str) -> bool; 4] = [
            &|own| canonical(own) == name,
            &|own| in_assembly(own).is_some_and(|own| own == name),
            &is_end,
            &|own| in_assembly(own).is_some_and(is_end),
        ];
        for is_it in ways {
            // Other names of one place are one symbol, and one name of several places is not.
            let mut places = HashSet::new();
            let named = self.symbols.iter().filter(|symbol| is_it(&symbol.name));
            let found: Vec<&Symbol<'a>> = named.filter(|one| places.insert(one.address)).collect();
            if !found.is_empty() {
                return found;
            }
        }
        if self.go.is_some() {
            return Vec::new();
        }
        self.spelled_in_source(wanted)
    }

    /// The one symbol that a text means.
    ///
    /// # Errors
    /// That it means none, or several: which, and how to write each.
    pub fn the_one(&self, wanted: &str) -> Result<&Symbol<'a>, Unclear> {
        self.one_of(wanted, self.find(wanted))
    }

    /// The one of those that were found for a text.
    pub(crate) fn one_of<'b>(
        &'b self,
        wanted: &str,
        found: Vec<&'b Symbol<'a>>,
    ) -> Result<&'b Symbol<'a>, Unclear> {
        const SHOWN: usize = 6;
        match found[..] {
            [one] => Ok(one),
            [] => Err(match address_of(wanted) {
                Some(address) => Unclear::Nowhere(address, self.code()),
                None => Unclear::Nothing,
            }),
            _ => Err(Unclear::Several {
                first: found.iter().take(SHOWN).map(|one| called(one)).collect(),
                more: found.len().saturating_sub(SHOWN),
            }),
        }
    }

    /// From the first byte of code to the last.
    fn code(&self) -> Option<[u64; 2]> {
        let code = |section: &&Section<'_>| section.content == Content::Code;
        let first = self.sections.iter().find(code)?;
        let last = self.sections.iter().rfind(code)?;
        Some([first.address, last.address.saturating_add(last.size)])
    }

    /// A text that means what is at an address, and nothing else: its name with the offset behind it, or where others
    /// have that name, too, the address.
    pub fn reference(&self, address: u64) -> String {
        let by_address = || format!("{address:#x}");
        let Some((symbol, offset)) = self.symbol_at(address) else {
            return by_address();
        };
        match (&self.find(&symbol.name)[..], offset) {
            ([only], 0) if only.address == symbol.address => symbol.name.to_string(),
            ([only], _) if only.address == symbol.address => {
                format!("{}+{offset:#x}", symbol.name)
            }
            _ => by_address(),
        }
    }

    /// Those that a text names as a source of C++ or Rust has them: in full, or from less and less of the name.
    fn spelled_in_source(&self, wanted: &str) -> Vec<&Symbol<'a>> {
        let mut found: [Vec<&Symbol<'a>>; Spelling::WAYS] = Default::default();
        // A name is spelled out in its symbol, and to take all symbols apart takes seconds in a large program.
        let last = last_of(wanted).trim_start_matches('~');
        let is_spelled_out = |symbol: &&Symbol<'a>| {
            last.is_empty() || last.starts_with("operator") || symbol.name.contains(last)
        };
        for symbol in self.symbols.iter().filter(is_spelled_out) {
            let name = match rustc_demangle::try_demangle(&symbol.name) {
                Ok(rust) if has_hash(wanted) => rust.to_string(),
                _ => demangled(&symbol.name),
            };
            let way = Spelling::of(&name).way(wanted);
            if let Some(way) = way {
                found[way].push(symbol);
            }
        }
        let mut found = found.into_iter().find(|all| !all.is_empty());
        let mut all = found.take().unwrap_or_default();
        // A part that a compiler has put elsewhere is called by the function alone.
        let is_part = |symbol: &&Symbol<'a>| demangled(&symbol.name).contains("[clone ");
        if !all.iter().all(is_part) {
            all.retain(|symbol| !is_part(symbol));
        }
        let mut places = HashSet::new();
        all.retain(|symbol| places.insert(symbol.address));
        all
    }

    /// What another file has, where this address stands for it.
    pub fn imported(&self, address: u64) -> Option<&str> {
        let (symbol, _) = self.symbol_at(address)?;
        (symbol.kind == SymbolKind::Elsewhere).then_some(&*symbol.name)
    }
}

/// Why a text means no symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    /// None has that name.
    Nothing,
    /// No symbol is around that address; where the code is.
    Nowhere(u64, Option<[u64; 2]>),
    /// It can mean several.
    Several {
        /// The first of them, each with its address.
        first: Vec<String>,
        /// How many there are beside.
        more: usize,
    },
}

impl Unclear {
    /// In a sentence, without the end of one; none where the name is of nothing.
    pub fn why(&self, wanted: &str) -> Option<String> {
        match self {
            Unclear::Nothing => None,
            Unclear::Nowhere(address, code) => {
                let code = code.map_or(String::new(), |[start, end]| {
                    format!(": its code is from {start:#x} to {end:#x}")
                });
                Some(format!("no symbol is at {address:#x}{code}"))
            }
            Unclear::Several { first, more } => {
                let more = match more {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                Some(format!(
                    "`{wanted}` can mean {}{more}; write the address of one, or its name in full",
                    first.join(", ")
                ))
            }
        }
    }
}

/// A symbol by its address and by a name that no other has: Rust's older names of two functions differ in a hash alone.
fn called(symbol: &Symbol<'_>) -> String {
    let name = match rustc_demangle::try_demangle(&symbol.name) {
        Ok(rust) if symbol.name.starts_with("_ZN") => rust.to_string(),
        _ => demangled(&symbol.name),
    };
    format!("{:#x} `{name}`", symbol.address)
}

/// Whether a text ends in the hash that Rust's older names have.
fn has_hash(wanted: &str) -> bool {
    /// Digits of it.
    const DIGITS: usize = 16;
    let hash = wanted.rsplit_once("::h").map(|(_, hash)| hash);
    hash.is_some_and(|hash| {
        hash.len() == DIGITS && hash.chars().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// The name that a function of assembly is declared by: Go's linker marks those, for they take arguments on the stack.
fn in_assembly(name: &str) -> Option<&str> {
    name.strip_suffix(".abi0")
}

/// A function of C++ or Rust, from its whole name to less and less of it.
struct Spelling<'a> {
    /// `long lab::each<lab::Base>(lab::Base*, long)`.
    whole: &'a str,
    /// `lab::each<lab::Base>`.
    called: &'a str,
    /// `lab::each`.
    bare: String,
}

impl<'a> Spelling<'a> {
    /// In full, without arguments, without those of a template, and without what it is in.
    const WAYS: usize = 4;

    fn of(whole: &'a str) -> Spelling<'a> {
        const UNNAMED: &str = "(anonymous namespace)";
        let mut depth = 0;
        let (mut start, mut end) = (0, whole.len());
        let mut bare = String::new();
        let is_operator = whole.contains("operator");
        for (at, c) in whole.char_indices() {
            match c {
                '<' if !is_operator => depth += 1,
                '>' if !is_operator => depth -= 1,
                '(' if depth == 0 && !whole[at..].starts_with(UNNAMED) => {
                    end = at;
                    break;
                }
                // What stands in front is what it returns.
                ' ' if depth == 0 && !is_operator && !whole[..at].ends_with("(anonymous") => {
                    start = at + 1;
                    bare.clear();
                }
                c if depth == 0 => bare.push(c),
                _ => {}
            }
        }
        // Rust has two colons in front of what stands in brackets.
        bare.truncate(bare.trim_end_matches("::").len());
        Spelling {
            whole,
            called: &whole[start..end],
            bare,
        }
    }

    /// Which of the ways a text is.
    fn way(&self, wanted: &str) -> Option<usize> {
        let is_end = |name: &str| {
            let rest = name.strip_suffix(wanted);
            rest.is_some_and(|rest| rest.ends_with("::"))
        };
        [
            self.whole == wanted,
            self.called == wanted,
            self.bare == wanted,
            is_end(self.called) || is_end(&self.bare),
        ]
        .iter()
        .position(|is_it| *is_it)
    }
}

/// The last part of a name, without arguments: what all spellings have.
fn last_of(wanted: &str) -> &str {
    let end = wanted.find(['(', '<']).unwrap_or(wanted.len());
    let name = wanted[..end].rsplit("::").next().unwrap_or_default();
    name.rsplit(' ').next().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_less_and_less_of_it() {
        #[rustfmt::skip] // a table: a name, what is asked for, and which way that is
        let table = [
            ("long lab::each<lab::Base>(lab::Base*, long)", "long lab::each<lab::Base>(lab::Base*, long)", Some(0)),
            ("long lab::each<lab::Base>(lab::Base*, long)", "lab::each<lab::Base>",                        Some(1)),
            ("long lab::each<lab::Base>(lab::Base*, long)", "lab::each",                                   Some(2)),
            ("long lab::each<lab::Base>(lab::Base*, long)", "each<lab::Base>",                             Some(3)),
            ("long lab::each<lab::Base>(lab::Base*, long)", "each",                                        Some(3)),
            ("long lab::each<lab::Base>(lab::Base*, long)", "ach",                                         None),
            ("long lab::each<lab::Base>(lab::Base*, long)", "Base",                                        None),
            ("call(lab::Base*, long)",                      "call",                                        Some(1)),
            ("sh::total",                                   "sh::total",                                   Some(0)),
            ("sh::total",                                   "total",                                       Some(3)),
            ("<sh::Sq as sh::Shape>::area",                 "<sh::Sq as sh::Shape>::area",                 Some(0)),
            ("<sh::Sq as sh::Shape>::area",                 "area",                                        Some(3)),
            ("(anonymous namespace)::f(int)",               "(anonymous namespace)::f",                    Some(1)),
            ("(anonymous namespace)::f(int)",               "f",                                           Some(3)),
            ("lab::T::operator()(int) const",               "lab::T::operator",                            Some(1)),
            ("main",                                        "main",                                        Some(0)),
            ("two::m::each::<&str>",                        "two::m::each",                                Some(2)),
            ("two::m::each::<&str>",                        "m::each",                                     Some(3)),
            ("two::m::each::h6e7c24920adc7a55",             "m::each::h6e7c24920adc7a55",                  Some(3)),
        ];
        for (name, wanted, way) in table {
            assert_eq!(Spelling::of(name).way(wanted), way, "{name} by {wanted}");
            if way.is_some() {
                let last = last_of(wanted);
                assert!(
                    name.contains(last) && !last.contains(['<', '(', ':', ' ']),
                    "{last}"
                );
            }
        }
    }
}
