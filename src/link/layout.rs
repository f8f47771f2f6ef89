//! Every address of one image, before a byte is placed.
//!
//! Correct means: each section, stub and piece of the heap has its place, no two overlap, and a name
//! leads to the definition that counts: the template's before the model's.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::harness::{self, Harness};
use super::{
    HEAP_OFFSET, LinkError, Owner, Piece, Site, Symbol, Variant, frame, section_of, sections_of,
};
use crate::asm::{CodePlace, Label, Program, Section, SectionKind};
use crate::go::heap::Heap;
use crate::go::runtime;
use crate::go::symbol::canonical;
use crate::job::JobRow;
use crate::text::closest;

/// Where the next section goes.
pub(super) struct Ends {
    pub(super) data: u64,
    pub(super) code: u64,
    /// Bytes between functions.
    spacing: u64,
    loop_head: u64,
    /// The end of what stands at a distance.
    far: u64,
}

impl Ends {
    pub(super) fn new(row: &JobRow, heap: &Heap, site: Site, harness: &Harness) -> Ends {
        Ends {
            data: site.data + u64::from(HEAP_OFFSET) + u64::from(heap.size),
            code: harness.end.next_multiple_of(64) + u64::from(site.placement.callee),
            spacing: u64::from(row.settings.spacing),
            loop_head: harness.loop_head,
            far: harness.end,
        }
    }

    /// The end of all code.
    pub(super) fn code_end(&self) -> u64 {
        self.code.max(self.far)
    }

    /// The address of a function or datum; the harness places the rest.
    pub(super) fn place(&mut self, section: &Section) -> Option<u64> {
        let size = section.size();
        match section.kind {
            SectionKind::Setup | SectionKind::Body => None,
            SectionKind::Func => {
                let taken = size.max(1);
                let address = match section.place {
                    None => self.code,
                    Some(CodePlace::Behind(distance)) => {
                        let address = self.loop_head + u64::from(distance);
                        self.far = self.far.max(address + taken);
                        return Some(address);
                    }
                    Some(CodePlace::Page(offset)) => {
                        let page = self.code.next_multiple_of(CodePlace::PAGE.into());
                        page + u64::from(offset)
                    }
                    Some(CodePlace::Align(to)) => self.code.next_multiple_of(to.into()),
                };
                self.code = address + taken.next_multiple_of(self.spacing);
                Some(address)
            }
            SectionKind::Data => {
                let address = self.data.next_multiple_of(64);
                self.data = address + size;
                Some(address)
            }
        }
    }
}

/// Every address of one image, before a byte is placed.
pub(super) struct Layout<'a> {
    /// Code sections with their addresses; the body once a copy.
    pub(super) code: Vec<(usize, u64)>,
    /// Data sections with their addresses.
    pub(super) data: Vec<(usize, u64)>,
    pub(super) data_end: u64,
    pub(super) code_end: u64,
    pub(super) names: HashMap<Cow<'a, str>, u64>,
    /// Labels of a body that stands there several times.
    pub(super) copied: HashSet<&'a str>,
    pub(super) symbols: Vec<Symbol>,
    /// Whether a symbol was named twice.
    has_replaced: bool,
    pub(super) pieces: Vec<Piece>,
    pub(super) errors: Vec<LinkError>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(
        row: &'a JobRow,
        heap: &'a Heap,
        site: Site,
        harness: &Harness,
    ) -> Layout<'a> {
        let ends = Ends::new(row, heap, site, harness);
        let count = heap.symbols.len() + harness.stubs.len() + row.program.sections.len();
        let mut layout = Layout {
            code: Vec::new(),
            data: Vec::new(),
            data_end: 0,
            code_end: 0,
            names: HashMap::with_capacity(count),
            copied: HashSet::new(),
            symbols: Vec::with_capacity(count),
            has_replaced: false,
            pieces: harness.pieces.clone(),
            errors: Vec::new(),
        };
        for symbol in &heap.symbols {
            let address = site.data + u64::from(HEAP_OFFSET + symbol.offset);
            let name = Cow::Borrowed(symbol.name.as_str());
            layout.name(name, address, u64::from(symbol.size));
        }
        for (name, addresses) in &harness.stubs {
            layout.name(
                Cow::Borrowed(*name),
                addresses.start,
                addresses.end - addresses.start,
            );
        }
        // Where offsets count from; they are no data of their own, and no address is shown as one of them.
        let heap_start = site.data + u64::from(HEAP_OFFSET);
        layout
            .names
            .insert(Cow::Borrowed(runtime::TYPES), heap_start);
        layout.names.insert(Cow::Borrowed(runtime::TEXT), site.code);
        let mut sections = row.program.sections.iter();
        if sections.any(|one| one.is_runtime && one.name == runtime::MALLOC) {
            let counters = site.data + u64::from(frame::context::ALLOCATIONS);
            layout.name(Cow::Borrowed(runtime::COUNTERS), counters, 16);
        }
        layout.place_sections(row, site, harness, ends);
        layout.name_labels(row, site.variant);
        if site.variant == Variant::Baseline {
            layout.name_missing_body(&row.program, harness);
        }
        if row.unroll > 1 {
            let labels = body_labels(&row.program);
            layout.copied = labels.map(|label| label.name.as_str()).collect();
        }
        layout.pieces.sort_by_key(|piece| piece.addresses.start);
        if layout.has_replaced {
            keep_last(&mut layout.symbols);
        }
        layout.symbols.sort_by_key(|symbol| symbol.address);
        layout
    }

    /// A later definition replaces an earlier one: the template's data replace the model's.
    fn name(&mut self, name: Cow<'a, str>, address: u64, size: u64) {
        self.symbols.push(Symbol {
            name: name.to_string(),
            address,
            size,
        });
        self.has_replaced |= self.names.insert(name, address).is_some();
    }

    fn place_sections(&mut self, row: &'a JobRow, site: Site, harness: &Harness, mut ends: Ends) {
        let mut defined: HashSet<Cow<'_, str>> = HashSet::new();
        for (index, section) in sections_of(row, site.variant).enumerate() {
            let size = section.size();
            let Some(address) = ends.place(section) else {
                if section.kind == SectionKind::Setup {
                    self.code.push((index, harness.setup.start));
                } else if site.variant != Variant::Baseline {
                    let copies = harness::copies(row, &harness.body);
                    self.code.extend(copies.map(|copy| (index, copy.start)));
                }
                continue;
            };
            if section.kind == SectionKind::Func {
                self.code.push((index, address));
                let owner = if section.is_runtime {
                    Owner::Stub(section.name.clone())
                } else {
                    Owner::Section(index)
                };
                self.pieces.push(Piece {
                    addresses: address..address + size,
                    owner,
                });
            } else {
                self.data.push((index, address));
            }
            let name = canonical(&section.name);
            if !defined.insert(name.clone()) {
                self.errors.push(LinkError::Duplicate { section: index });
            }
            self.name(name, address, size);
        }
        self.data_end = ends.data;
        self.code_end = ends.code_end();
        self.find_overlaps(row, site.variant, harness);
    }

    /// A function at a distance may stand where other code does.
    fn find_overlaps(&mut self, row: &'a JobRow, variant: Variant, harness: &Harness) {
        let is_far = |place: Option<CodePlace>| matches!(place, Some(CodePlace::Behind(_)));
        let of = |&(index, address): &(usize, u64)| {
            let section = section_of(row, variant, index);
            let addresses = address..address + section.size().max(1);
            let is_func = section.kind == SectionKind::Func;
            is_func.then(|| (addresses, index, is_far(section.place)))
        };
        let mut placed: Vec<_> = self.code.iter().filter_map(of).collect();
        if !placed.iter().any(|(.., is_far)| *is_far) {
            return;
        }
        placed.sort_by_key(|(addresses, ..)| addresses.start);
        let mut before = (harness.base..harness.end, None);
        for (addresses, index, is_far) in placed {
            if addresses.start < before.0.end {
                // Of two the one at a distance is to blame.
                let (section, with, end) = match (is_far, before.1) {
                    (false, Some(other)) => (other, Some(index), addresses.end),
                    (_, with) => (index, with, before.0.end),
                };
                self.errors.push(LinkError::Overlap {
                    section,
                    with,
                    free: end - harness.loop_head,
                });
            }
            if addresses.end > before.0.end {
                before = (addresses, Some(index));
            }
        }
    }

    /// Labels are names of their own for jumps from one section into another.
    fn name_labels(&mut self, row: &'a JobRow, variant: Variant) {
        for &(index, address) in self.code.iter().chain(&self.data) {
            for label in &section_of(row, variant, index).labels {
                self.names
                    .entry(Cow::Borrowed(&label.name))
                    .or_insert(address + u64::from(label.offset));
            }
        }
    }

    /// The baseline has no body, but functions that jump back into it are linked all the same; no
    /// one calls them there.
    fn name_missing_body(&mut self, program: &'a Program, harness: &Harness) {
        for label in body_labels(program) {
            self.names
                .entry(Cow::Borrowed(&label.name))
                .or_insert(harness.body.end);
        }
    }

    pub(super) fn nearest(&self, wanted: &str) -> Option<String> {
        let names = self.symbols.iter().map(|symbol| symbol.name.as_str());
        closest(wanted, names).map(str::to_string)
    }
}

/// Of symbols with one name, the last.
fn keep_last(symbols: &mut Vec<Symbol>) {
    let mut last: HashMap<String, usize> = HashMap::new();
    for (at, symbol) in symbols.iter().enumerate() {
        last.insert(symbol.name.clone(), at);
    }
    let mut at = 0..;
    symbols.retain(|symbol| at.next() == last.get(&symbol.name).copied());
}

fn body_labels(program: &Program) -> impl Iterator<Item = &Label> {
    let is_body = |section: &&Section| section.kind == SectionKind::Body;
    let bodies = program.sections.iter().filter(is_body);
    bodies.flat_map(|body| &body.labels)
}
