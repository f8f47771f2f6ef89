//! The tables of methods that C++ and Rust make: of a class, or of a type and a trait.
//!
//! Correct means: each slot is a word of the file, as the loader leaves it. Which words are a table is
//! said by its symbol in C++; Rust's have none, and are told by what they begin with, which is said.

use super::{Binary, Content, Kind, Symbol, SymbolKind};

/// Whose table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `_ZTV…`: where the whole object is, its type, and the virtual functions.
    Cpp,
    /// The function that drops a value, its size, its alignment, and the trait's methods.
    Rust,
}

/// A table of methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vtable {
    /// The class, or the type.
    pub class: String,
    /// Whose it is.
    pub language: Language,
    /// Where it is.
    pub address: u64,
    /// Bytes.
    pub size: u64,
    /// Size and alignment of a value, of Rust's.
    pub value: Option<(u64, u64)>,
    /// The methods, in order.
    pub slots: Vec<VtableSlot>,
}

/// A slot of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VtableSlot {
    /// Bytes from where an object's first word, or a reference's second, points to.
    pub offset: i64,
    /// Where it leads; 0 where it holds nothing.
    pub address: u64,
    /// What is there.
    pub symbol: String,
    /// Whether it is a number and leads nowhere.
    is_number: bool,
}

impl VtableSlot {
    /// The number that it is, where it leads nowhere: how far apart a base and its object are (the C++ ABI for Itanium, 2.5.2).
    pub fn distance(&self) -> Option<i64> {
        /// Larger than any object of a class is likely to be.
        const LARGEST: u64 = 1 << 24;
        let distance = self.address as i64;
        let is_one = self.address != 0 && self.is_number && distance.unsigned_abs() < LARGEST;
        is_one.then_some(distance)
    }
}

/// A symbol in the words of its language.
pub fn demangled(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    let cpp = name
        .starts_with("_Z")
        .then(|| cpp_demangle::Symbol::new(name).ok())
        .flatten();
    cpp.and_then(|symbol| symbol.demangle().ok())
        .unwrap_or_else(|| name.to_string())
}

/// All tables of a program, ascending by address.
pub fn vtables(binary: &Binary<'_>) -> Vec<Vtable> {
    let mut found: Vec<Vtable> = binary
        .symbols
        .iter()
        .filter_map(|symbol| cpp(binary, symbol))
        .collect();
    found.extend(rust(binary));
    found.sort_by_key(|table| table.address);
    found.dedup_by_key(|table| table.address);
    found
}

/// The table of a class, where a symbol is of one.
fn cpp(binary: &Binary<'_>, symbol: &Symbol<'_>) -> Option<Vtable> {
    let is_elsewhere = symbol.kind == SymbolKind::Elsewhere;
    if !symbol.name.starts_with("_ZTV") || symbol.size < 16 || is_elsewhere {
        return None;
    }
    let class = demangled(&symbol.name);
    let class = class
        .strip_prefix("vtable for ")
        .or(class.strip_prefix("{vtable("))
        .map(|class| class.trim_end_matches(")}"))
        .unwrap_or(&class);
    let lead = lead(binary, symbol);
    let slots = (lead..symbol.size)
        .step_by(8)
        .map(|at| slot(binary, symbol.address + at, at as i64 - lead as i64));
    Some(Vtable {
        class: class.to_string(),
        language: Language::Cpp,
        address: symbol.address,
        size: symbol.size,
        value: None,
        slots: slots.collect(),
    })
}

/// How far into the table of a class an object's first word leads: behind the first word that leads to a type. In front of that
/// stand numbers, more of them where bases are virtual (the C++ ABI for Itanium, 2.5.2). A table without a type has
/// a 0 in its place, and its first function tells.
fn lead(binary: &Binary<'_>, symbol: &Symbol<'_>) -> u64 {
    /// A distance and a type.
    const USUAL: u64 = 16;
    let leads = |at: u64| {
        let word = binary.word(at)?;
        let is_address = match binary.kind {
            // Sections are anywhere, and so could a number be.
            Kind::Object => binary.patch(at).is_some(),
            _ => binary.patch(at).is_some() || binary.section(word).is_some(),
        };
        is_address.then_some(word)
    };
    let is_function = |word: u64| {
        let is_code = binary
            .section(word)
            .is_some_and(|section| section.content == Content::Code);
        is_code
            || binary.symbol_at(word).is_some_and(|(symbol, _)| {
                let is_elsewhere = symbol.kind == SymbolKind::Elsewhere;
                is_elsewhere && !symbol.name.starts_with("_ZTI")
            })
    };
    let mut words = (8..symbol.size).step_by(8);
    let first = words.find_map(|at| Some((at, leads(symbol.address + at)?)));
    match first {
        Some((at, word)) if is_function(word) => at.max(USUAL),
        Some((at, _)) => at + 8,
        None => USUAL,
    }
}

fn slot(binary: &Binary<'_>, at: u64, offset: i64) -> VtableSlot {
    let address = binary.word(at).unwrap_or(0);
    let symbol = match address {
        0 => String::new(),
        address => binary
            .symbol_at(address)
            .map_or(format!("{address:#x}"), |(symbol, offset)| match offset {
                0 => demangled(&symbol.name),
                offset => format!("{}+{offset:#x}", demangled(&symbol.name)),
            }),
    };
    VtableSlot {
        offset,
        address,
        symbol,
        is_number: binary.patch(at).is_none() && binary.section(address).is_none(),
    }
}

/// Tables of Rust: in constant data that the loader fills, or that it need not.
fn rust(binary: &Binary<'_>) -> Vec<Vtable> {
    const DROPS: &str = "core::ptr::drop_in_place<";
    let drop_of = |address: u64| {
        let (symbol, offset) = binary.symbol_at(address)?;
        let is_drop = offset == 0 && symbol.name.contains("drop_in_place");
        let name = is_drop.then(|| demangled(&symbol.name))?;
        let of = &name[name.find(DROPS)? + DROPS.len()..];
        Some(of.strip_suffix('>').unwrap_or(of).to_string())
    };
    let is_code = |address: u64| {
        let section = binary.section(address);
        section.is_some_and(|section| section.content == Content::Code)
    };
    let mut found = Vec::new();
    let sections = binary.sections.iter().filter(|section| {
        section.content != Content::Code
            && (section.name.starts_with(".data.rel.ro") || section.name.starts_with(".rodata"))
    });
    for section in sections {
        let first = section.address.next_multiple_of(8);
        let mut at = first;
        while at + 32 <= section.address + section.size {
            let table = table_of_rust(binary, at, &drop_of, &is_code);
            at += table.as_ref().map_or(8, |table| table.size);
            found.extend(table);
        }
    }
    found
}

fn table_of_rust(
    binary: &Binary<'_>,
    at: u64,
    drop_of: &dyn Fn(u64) -> Option<String>,
    is_code: &dyn Fn(u64) -> bool,
) -> Option<Vtable> {
    let [drop, size, align] = [0, 8, 16].map(|offset| binary.word(at + offset));
    let (drop, size, align) = (drop?, size?, align?);
    if !align.is_power_of_two()
        || align > 4096
        || size % align != 0
        || binary.patch(at + 8).is_some()
    {
        return None;
    }
    let mut slots = Vec::new();
    let mut next = at + 24;
    // A value is dropped by no method: the next table begins there.
    let is_method = |word: &u64| is_code(*word) && drop_of(*word).is_none();
    while binary.word(next).filter(is_method).is_some() {
        slots.push(slot(binary, next, (next - at) as i64));
        next += 8;
    }
    let of_method = || {
        let (_, rest) = slots.first()?.symbol.split_once('<')?;
        Some(rest.split_once(" as ")?.0.to_string())
    };
    let class = match drop {
        0 => of_method()?,
        drop => drop_of(drop)?,
    };
    (!slots.is_empty()).then(|| Vtable {
        class,
        language: Language::Rust,
        address: at,
        size: next - at,
        value: Some((size, align)),
        slots,
    })
}
