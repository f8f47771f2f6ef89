//! The data region: the heap's bytes and pointers, the template's data, and the receivers.
//!
//! Correct means: what is written is what the heap and the template say, at the addresses of the
//! layout, and every field that holds a code address is noted, whether it is written or not.

use std::collections::HashMap;

use super::layout::Layout;
use super::{CodePointer, HEAP_OFFSET, LinkError, Site, fill};
use crate::asm::Section;
use crate::formula::{self, Base, Formula, Name, Value};
use crate::go::heap::Heap;
use crate::go::symbol::canonical;
use crate::job::JobRow;

/// Objects that are looked at for what is wrong with their words, where nothing is written.
const LOOKED_AT: usize = 4096;

/// What the harness loads for each object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receivers {
    /// The first word of an interface's two, by type; nothing where a receiver is a pointer.
    first_words: Vec<u64>,
    /// What is loaded in place of a pointer, where the template says.
    words: Vec<Formula>,
    /// The symbols that those name, for each type.
    symbols: HashMap<String, u64>,
    /// The address of the first object.
    objects: u64,
    /// Bytes from one object to the next.
    object_bytes: u32,
    is_nil: bool,
}

impl Receivers {
    /// Those of a row that is laid out.
    ///
    /// # Errors
    /// What the template's `words` name and nothing defines, and where they are no words.
    pub(super) fn new(
        row: &JobRow,
        heap: &Heap,
        layout: &Layout<'_>,
        site: Site,
    ) -> Result<Receivers, LinkError> {
        let first_words = heap.first_words.iter();
        let mut symbols = HashMap::new();
        for name in row.heap.words.iter().flat_map(Formula::names) {
            let Name::Symbol(name) = name else { continue };
            for number in 0..row.heap.types.len() as u32 {
                let name = of_type(name, number);
                let address = layout.names.get(&*canonical(&name)).copied();
                let address = address.ok_or_else(|| unknown("words", &name))?;
                symbols.insert(name, address);
            }
        }
        let receivers = Receivers {
            first_words: first_words
                .filter(|_| !row.heap.nil_interface)
                .map(|name| layout.names[name.as_str()])
                .collect(),
            words: row.heap.words.clone(),
            symbols,
            objects: site.data + u64::from(HEAP_OFFSET + heap.objects),
            object_bytes: row.heap.object_bytes(),
            is_nil: row.heap.nil_receiver,
        };
        let types = &row.heap.objects;
        let looked_at = types.len().min(LOOKED_AT) as u32;
        let wrong = (0..looked_at).find_map(|object| {
            let of = formula::Receivers {
                types,
                object,
                second: object,
                element: 0,
            };
            let message = receivers.words(&of).err()?;
            Some(format!("of object {object}: {message}"))
        });
        match wrong.filter(|_| !row.heap.words.is_empty()) {
            None => Ok(receivers),
            Some(message) => Err(LinkError::Formula {
                key: "words",
                message,
            }),
        }
    }

    /// The address of an object.
    pub fn object(&self, object: u32) -> u64 {
        self.objects + u64::from(object) * u64::from(self.object_bytes)
    }

    /// The words of a receiver; the second is 0 where there is only one.
    ///
    /// # Errors
    /// Where the template says what they are, and they are nothing here.
    pub fn words(&self, of: &formula::Receivers<'_>) -> Result<[u64; 2], String> {
        let pointer = |object: u32| if self.is_nil { 0 } else { self.object(object) };
        if !self.words.is_empty() {
            let mut words = [0; 2];
            for (word, formula) in words.iter_mut().zip(&self.words) {
                *word = formula.value(of)?.at(|base| match base {
                    Base::Object(object) => pointer(object),
                    Base::Symbol(name, number) => self
                        .symbols
                        .get(&of_type(name, number))
                        .copied()
                        .unwrap_or(0),
                })?;
            }
            return Ok(words);
        }
        let number = of.types.get(of.object as usize).copied().unwrap_or(0);
        Ok(match self.first_words.get(number as usize) {
            Some(&first) => [first, pointer(of.object)],
            None => [pointer(of.object), 0],
        })
    }

    /// Those of all objects of a row, in order, as the walk's first element has them.
    pub fn all<'a>(&'a self, row: &'a JobRow) -> impl Iterator<Item = [u64; 2]> + 'a {
        let types = &row.heap.objects;
        (0..types.len() as u32).map(move |object| {
            let of = formula::Receivers {
                types,
                object,
                second: object,
                element: 0,
            };
            self.words(&of).unwrap_or_default()
        })
    }
}

/// A symbol's name with the type's number in it.
fn of_type(name: &str, number: u32) -> String {
    name.replace("{t}", &number.to_string())
}

fn unknown(key: &'static str, name: &str) -> LinkError {
    LinkError::Formula {
        key,
        message: format!("nothing defines the symbol \"{name}\""),
    }
}

/// Writes the words of all objects that have a shape.
pub(super) fn place_objects(
    row: &JobRow,
    heap: &Heap,
    layout: &Layout<'_>,
    site: Site,
    (written, errors): (&mut Written<'_>, &mut Vec<LinkError>),
) {
    let Some(shape) = &row.heap.object else {
        return;
    };
    let names = shape.words.iter().flat_map(|word| word.value.names());
    let names_symbols = names
        .into_iter()
        .any(|name| matches!(name, Name::Symbol(_)));
    let types = &row.heap.objects;
    let objects = match written.data.is_some() || names_symbols {
        true => types.len(),
        false => types.len().min(LOOKED_AT),
    };
    let base = site.data + u64::from(HEAP_OFFSET + heap.objects);
    for object in 0..objects as u32 {
        let of = formula::Receivers {
            types,
            object,
            second: object,
            element: 0,
        };
        for word in &shape.words {
            let put = word.value.value(&of).and_then(|value| {
                let address = address(&value, base, shape.size, layout)?;
                value.at(|_| address)
            });
            let put = match put {
                Ok(put) => put,
                Err(message) => {
                    errors.push(LinkError::Formula {
                        key: "object",
                        message: format!("`{}` of object {object}: {message}", word.name),
                    });
                    return;
                }
            };
            let at = HEAP_OFFSET + heap.objects + object * shape.size + word.offset;
            written.put(at, &put.to_le_bytes()[..word.bytes as usize]);
            if word.bytes == 8 {
                written.note(at, &put.to_le_bytes(), put);
            }
        }
    }
}

/// The address of what a value is of; 0 where it is a number.
fn address(value: &Value<'_>, objects: u64, size: u32, layout: &Layout<'_>) -> Result<u64, String> {
    Ok(match value.base {
        None => 0,
        Some(Base::Object(object)) => objects + u64::from(object) * u64::from(size),
        Some(Base::Symbol(name, number)) => {
            let name = of_type(name, number);
            let found = layout.names.get(&*canonical(&name)).copied();
            found.ok_or_else(|| format!("nothing defines the symbol \"{name}\""))?
        }
    })
}

/// The data region while it is written, or while only its code pointers are found.
pub(super) struct Written<'a> {
    pub(super) data: Option<&'a mut [u8]>,
    /// Whether the repeats of data sections are written too.
    pub(super) repeats: bool,
    /// Where code begins.
    pub(super) code: u64,
    pub(super) code_pointers: Vec<CodePointer>,
}

impl Written<'_> {
    fn put(&mut self, at: u32, bytes: &[u8]) {
        if let Some(data) = &mut self.data {
            data[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn put_section(&mut self, at: u32, section: &Section) {
        if let Some(data) = &mut self.data {
            let end = at as usize + section.size() as usize;
            section.write_to(&mut data[at as usize..end], self.repeats);
        }
    }

    /// Notes a field that leads to a symbol's address, where that is one of code.
    fn note(&mut self, at: u32, field: &[u8], symbol: u64) {
        if symbol >= self.code {
            self.code_pointers.push(CodePointer::new(at, field));
        }
    }
}

/// Writes the heap's own bytes, its pointers and the template's data.
pub(super) fn place_data(
    row: &JobRow,
    heap: &Heap,
    layout: &Layout<'_>,
    site: Site,
    (written, errors): (&mut Written<'_>, &mut Vec<LinkError>),
) {
    written.put(HEAP_OFFSET, &heap.bytes);
    for pointer in &heap.pointers {
        let Some(&symbol) = layout.names.get(pointer.symbol.as_str()) else {
            let after = heap
                .symbols
                .partition_point(|symbol| symbol.offset <= pointer.offset);
            let owner = after.checked_sub(1).map(|at| &heap.symbols[at]);
            errors.push(LinkError::MissingFunction {
                function: pointer.symbol.clone(),
                wanted_by: owner.map(|symbol| symbol.name.clone()).unwrap_or_default(),
            });
            continue;
        };
        let field = (symbol + u64::from(pointer.addend)).to_le_bytes();
        let at = HEAP_OFFSET + pointer.offset;
        written.put(at, &field);
        written.note(at, &field, symbol);
    }
    for &(index, address) in &layout.data {
        let section = &row.program.sections[index];
        let at = (address - site.data) as u32;
        written.put_section(at, section);
        let mut put = |offset: u32, field: &[u8], symbol: u64| {
            written.put(at + offset, field);
            written.note(at + offset, field, symbol);
        };
        fill(index, section, address, &mut put, layout, errors);
    }
}

/// Writes the receivers into the array that `array` begins with.
pub(super) fn write_receivers(row: &JobRow, receivers: &Receivers, array: &mut [u8]) {
    let bytes = 8 * row.words();
    for (element, words) in array.chunks_exact_mut(bytes).zip(receivers.all(row)) {
        for (field, word) in element.chunks_exact_mut(8).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
    }
}
