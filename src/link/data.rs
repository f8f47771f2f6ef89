//! The data region: the heap's bytes and pointers, the template's data, and the receivers.
//!
//! Correct means: what is written is what the heap and the template say, at the addresses of the
//! layout, and every field that holds a code address is noted, whether it is written or not.

use super::layout::Layout;
use super::{HEAP_OFFSET, LinkError, Site, fill};
use crate::asm::Section;
use crate::go::heap::Heap;
use crate::go::layout;
use crate::job::JobRow;

/// What the harness loads for each object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receivers {
    /// The first word of an interface's two, by type; nothing where a receiver is a pointer.
    pub(super) first_words: Vec<u64>,
    /// The address of the first object.
    pub(super) objects: u64,
    pub(super) is_nil: bool,
}

impl Receivers {
    /// The address of an object.
    pub fn object(&self, object: u32) -> u64 {
        self.objects + u64::from(object) * u64::from(layout::OBJECT_SIZE)
    }

    /// The words of an object of that type; the second is 0 where there is only one.
    pub fn words(&self, object: u32, type_index: u32) -> [u64; 2] {
        let pointer = if self.is_nil { 0 } else { self.object(object) };
        match self.first_words.get(type_index as usize) {
            Some(&first) => [first, pointer],
            None => [pointer, 0],
        }
    }

    /// Those of all objects of a row, in order.
    pub fn all<'a>(&'a self, row: &'a JobRow) -> impl Iterator<Item = [u64; 2]> + 'a {
        let objects = (0..).zip(&row.heap.objects);
        objects.map(|(object, &type_index)| self.words(object, type_index))
    }
}

/// The data region while it is written, or while only its code pointers are found.
pub(super) struct Written<'a> {
    pub(super) data: Option<&'a mut [u8]>,
    /// Whether the repeats of data sections are written too.
    pub(super) repeats: bool,
    /// Where code begins.
    pub(super) code: u64,
    pub(super) code_pointers: Vec<(u32, u64)>,
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

    /// Notes a field that holds an address, where that is one of code.
    fn note(&mut self, at: u32, address: u64) {
        if address >= self.code {
            self.code_pointers.push((at, address));
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
        let Some(address) = layout.names.get(pointer.symbol.as_str()) else {
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
        let address = address + u64::from(pointer.addend);
        let at = HEAP_OFFSET + pointer.offset;
        written.put(at, &address.to_le_bytes());
        written.note(at, address);
    }
    for &(index, address) in &layout.data {
        let section = &row.program.sections[index];
        let at = (address - site.data) as u32;
        written.put_section(at, section);
        let mut put = |offset: u32, field: &[u8]| {
            written.put(at + offset, field);
            if let Ok(value) = field.try_into() {
                written.note(at + offset, u64::from_le_bytes(value));
            }
        };
        fill(index, section, address, &mut put, layout, errors);
    }
}

/// Writes the receivers into the array that `array` begins with.
pub(super) fn write_receivers(row: &JobRow, receivers: &Receivers, array: &mut [u8]) {
    let bytes = layout::receiver_bytes(row.heap.kind) as usize;
    for (element, words) in array.chunks_exact_mut(bytes).zip(receivers.all(row)) {
        for (field, word) in element.chunks_exact_mut(8).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
    }
}
