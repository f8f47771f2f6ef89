//! The part of Go's runtime that generated code calls, pulled in by name as a linker pulls from an
//! archive.
//!
//! Correct means: a program gets every function and datum of the runtime that it names and does not
//! define itself, with all that those name in turn, and nothing else; each does what the function of
//! that name does in that release, as far as docs/go-runtime.md says.
//!
//! The functions are text in the language of the templates, because their calling convention and
//! their frames differ between releases as the templates' own do. The tables are made here.

use std::collections::{BTreeSet, HashSet};

use minijinja::{Environment, UndefinedBehavior, context};

use super::itab_table::Pair;
use super::symbol::canonical;
use super::types::Shape;
use super::{HeapSpec, Release, hash, itab_table, layout, symbol};
use crate::asm::{
    self, Fixup, FixupKind, Program, Repeat, Section, SectionKind, SourceLine, SourceSection,
};

/// The function that allocates.
pub const MALLOC: &str = "runtime.mallocgc";
/// Two words that count its blocks and bytes. They stand in the harness's context, so that the worker
/// finds them in every image.
pub const COUNTERS: &str = "runtime.allocations";

/// Bytes that the allocator goes through before it begins again: half of the first-level cache of
/// current cores. Go's goes through megabytes before a collection.
pub const ARENA_BYTES: u32 = 16 << 10;
/// Largest block; so much room is behind the arena's end.
pub const LARGEST_BLOCK: u32 = 4 << 10;
/// Bytes in front of the arena's blocks, the cursor.
const ARENA_START: u32 = 64;
/// Bytes of the write barrier's buffer: 512 words, as in Go.
const BARRIER_BYTES: u32 = 4 << 10;
/// Bytes for the caches of call sites, old ones included: enough for some fifty types at one site.
pub const SITE_CACHES_BYTES: u32 = 64 << 10;
/// Bytes for itabs that are built at run time: more than a hundred of 64 methods. Go's chunks are of 256 KiB.
pub const PERSISTENT_BYTES: u32 = 64 << 10;
/// Bytes of the zero value that all types share: `maxZero` in `runtime/runtime.go`.
const ZERO_BYTES: usize = 1024;

/// Where the offsets in types count from: the beginning of the heap, and of an image's code. Go's linker has these names.
pub const TYPES: &str = "runtime.types";
/// See [`TYPES`].
pub const TEXT: &str = "runtime.text";
/// The runtime's table of itabs up to Go 1.9.
const CHAINS_OF_ITABS: &str = "runtime.hash";

/// What all functions are written in, one file for each idea.
const SOURCES: [&str; 8] = [
    include_str!("runtime/frames.asm"),
    include_str!("runtime/allocate.asm"),
    include_str!("runtime/clear.asm"),
    include_str!("runtime/convert.asm"),
    include_str!("runtime/add_itab.asm"),
    include_str!("runtime/itab.asm"),
    include_str!("runtime/equal.asm"),
    include_str!("runtime/stack.asm"),
];

/// Adds to a program what it names of the runtime and does not define.
///
/// # Errors
/// Where the hash of a type that is needed is not known for the release.
pub fn pull_in(program: &mut Program, heap: &HeapSpec) -> Result<(), String> {
    let mut archive: Option<Vec<SourceSection>> = None;
    let mut known: HashSet<String> = program.sections.iter().map(name_of).collect();
    let mut at = 0;
    while at < program.sections.len() {
        for wanted in wanted_by(&program.sections[at], &known) {
            known.insert(wanted.clone());
            let functions = archive.get_or_insert_with(|| functions(heap.release));
            let found = match functions.iter().find(|one| one.name == wanted) {
                Some(function) => Some(assembled(function, heap.release)?),
                None => datum(&wanted, program, heap)?,
            };
            program.sections.extend(found);
        }
        at += 1;
    }
    if known.contains(CHAINS_OF_ITABS) {
        link_itabs(program, heap)?;
    }
    Ok(())
}

/// The names of the runtime's functions that the release has here.
pub fn names(release: Release) -> Vec<String> {
    let functions = functions(release).into_iter();
    functions.map(|function| function.name).collect()
}

/// Data that are there without any template's doing.
pub const DATA: [&str; 13] = [
    "runtime.staticuint64s",
    "runtime.staticbytes",
    "runtime.zeroVal",
    "runtime.zerobase",
    "runtime.writeBarrier",
    "runtime.itabTable",
    CHAINS_OF_ITABS,
    "runtime.firstmoduledata",
    TYPES,
    TEXT,
    "runtime.arena",
    "runtime.emptyTypeAssertCache",
    "runtime.emptyInterfaceSwitchCache",
];

/// Whether a release has such data, or such a type of the language, without any template's doing.
pub fn has_datum(name: &str, release: Release) -> bool {
    let predeclared = name.strip_prefix("type.");
    let is_type = predeclared.is_some_and(|name| Shape::predeclared(name).is_some());
    is_type || DATA.contains(&name) || names(release).iter().any(|known| known == name)
}

fn name_of(section: &Section) -> String {
    canonical(&section.name).into_owned()
}

/// The names of the runtime that a section uses, each once.
fn wanted_by(section: &Section, known: &HashSet<String>) -> BTreeSet<String> {
    let names = section.fixups.iter().map(|fixup| canonical(&fixup.symbol));
    let of_runtime = names.filter(|name| {
        (name.starts_with("runtime.") || name.starts_with("type.")) && !known.contains(&**name)
    });
    of_runtime.map(|name| name.into_owned()).collect()
}

/// All functions as the release has them, not yet assembled.
fn functions(release: Release) -> Vec<SourceSection> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let values = context! {
        abi => if release.has_register_abi() { "register" } else { "stack" },
        go_minor => release.minor(),
        arena_start => ARENA_START,
        arena_bytes => ARENA_BYTES,
        barrier_bytes => BARRIER_BYTES,
        site_caches_bytes => SITE_CACHES_BYTES,
        persistent_bytes => PERSISTENT_BYTES,
        stack_guard => layout::STACK_GUARD,
    };
    let text = match environment.render_str(&SOURCES.concat(), values) {
        Ok(text) => text,
        Err(error) => unreachable!("the runtime's own text expands for each release: {error:#}"),
    };
    let mut sections: Vec<SourceSection> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let opened = line.split_once(" \"").and_then(|(word, rest)| {
            let kind = match word {
                "func" => SectionKind::Func,
                "data" => SectionKind::Data,
                _ => return None,
            };
            Some((kind, rest.split_once("\":")?))
        });
        match (opened, sections.last_mut()) {
            (Some((kind, (name, rest))), _) => sections.push(SourceSection {
                kind,
                name: name.to_string(),
                place: None,
                line: 1,
                lines: vec![SourceLine {
                    number,
                    text: rest.to_string(),
                }],
            }),
            (None, Some(section)) => section.lines.push(SourceLine {
                number,
                text: line.to_string(),
            }),
            (None, None) => {}
        }
    }
    sections
}

fn assembled(source: &SourceSection, release: Release) -> Result<Section, String> {
    let hash = |name: &str| hash::type_hash(release, name);
    let context = asm::Context {
        file: "runtime",
        hash: &hash,
        is_open: false,
        is_run: false,
        syntax: asm::Syntax::Intel,
        separates: false,
        bound: &[],
        go_minor: None,
    };
    let program = asm::assemble(std::slice::from_ref(source), &context).map_err(|errors| {
        let first = errors.first();
        let why = first.map_or("", |error| error.message.as_str());
        format!("{} of Go {release} is not modelled: {why}", source.name)
    })?;
    let sections = program.sections.into_iter();
    let section = sections
        .last()
        .unwrap_or_else(|| data(&source.name, vec![]));
    Ok(of_runtime(section))
}

/// A section without its lines and labels: those of the template are told apart by them.
fn of_runtime(mut section: Section) -> Section {
    section.is_runtime = true;
    section.line = 1;
    section.lines.clear();
    section.labels.clear();
    for fixup in &mut section.fixups {
        (fixup.line, fixup.column) = (1, 1);
    }
    section
}

fn data(name: &str, bytes: Vec<u8>) -> Section {
    Section {
        repeats: Vec::new(),
        tables: Vec::new(),
        kind: SectionKind::Data,
        name: name.to_string(),
        place: None,
        line: 1,
        is_runtime: true,
        listed: 0,
        bytes,
        labels: Vec::new(),
        fixups: Vec::new(),
        lines: Vec::new(),
    }
}

/// So many zeros, which take a few bytes in a job.
fn room(name: &str, count: u32) -> Section {
    let repeats = vec![Repeat {
        offset: 0,
        unit: vec![0],
        count,
    }];
    Section {
        repeats,
        ..data(name, Vec::new())
    }
}

/// Makes the eight bytes at `offset` hold a symbol's address.
pub(super) fn point(section: &mut Section, offset: u32, symbol: &str) {
    section.fixups.push(Fixup {
        offset,
        end: offset + 8,
        kind: FixupKind::Abs64,
        symbol: symbol.to_string(),
        addend: 0,
        line: 1,
        column: 1,
    });
}

/// A table of the runtime, or a type of the language.
fn datum(name: &str, program: &Program, heap: &HeapSpec) -> Result<Option<Section>, String> {
    let has_value_table = heap.release.minor() >= 15;
    let bytes = match name {
        "runtime.staticuint64s" if has_value_table => {
            (0..256u64).flat_map(u64::to_le_bytes).collect()
        }
        "runtime.staticbytes" if !has_value_table => (0..=u8::MAX).collect(),
        "runtime.zeroVal" => vec![0; ZERO_BYTES],
        "runtime.zerobase" => vec![0; 8],
        // Where types begin and end: there are none but those that a template says.
        "runtime.firstmoduledata" => vec![0; 16],
        "runtime.writeBarrier" => vec![0; 16],
        // A mask of 0, and one empty entry of two words or three.
        "runtime.emptyTypeAssertCache" => vec![0; 8 + 16],
        "runtime.emptyInterfaceSwitchCache" => vec![0; 8 + 24],
        "runtime.arena" => vec![0; (ARENA_START + ARENA_BYTES + LARGEST_BLOCK) as usize],
        // The last of them may reach over the end by eight words.
        "runtime.wbBuf" => vec![0; 8 + BARRIER_BYTES as usize + 64],
        "runtime.siteCaches" => return Ok(Some(room(name, 8 + SITE_CACHES_BYTES))),
        // No frames but those that the template knows of.
        "runtime.frames" => vec![0; 32],
        "runtime.persistent" => return Ok(Some(room(name, 8 + PERSISTENT_BYTES))),
        "runtime.itabTable" if !layout::has_itab_link(heap.release) => {
            return table_of_itabs(program, heap).map(Some);
        }
        CHAINS_OF_ITABS if layout::has_itab_link(heap.release) => {
            return chains_of_itabs(program, heap).map(Some);
        }
        _ => {
            let Some(predeclared) = name.strip_prefix("type.") else {
                return Ok(None);
            };
            // What the model of the heap lays out is not doubled.
            return if heap.lays_out(predeclared) {
                Ok(None)
            } else {
                predeclared_type(predeclared, heap.release)
            };
        }
    };
    Ok(Some(data(name, bytes)))
}

/// All itabs that the program and its heap have, in the order in which they come into the runtime's table.
fn itabs(program: &Program, heap: &HeapSpec) -> Result<(Vec<String>, Vec<Pair>), String> {
    let mut itabs = heap.itabs();
    for section in &program.sections {
        let name = name_of(section);
        if section.kind == SectionKind::Data
            && name.starts_with("go.itab.")
            && !itabs.contains(&name)
        {
            itabs.push(name);
        }
    }
    let pairs = itabs
        .iter()
        .map(|name| itab_table::pair_of(name, heap.release));
    let pairs = pairs.collect::<Result<_, _>>()?;
    Ok((itabs, pairs))
}

/// All itabs in the hash table that the runtime has since Go 1.10.
fn table_of_itabs(program: &Program, heap: &HeapSpec) -> Result<Section, String> {
    let (itabs, pairs) = itabs(program, heap)?;
    let entries = itab_table::entries(&pairs);
    let mut section = data("runtime.itabTable", vec![0; 8 + 16 + 8 * entries.len()]);
    // The variable holds the address of the table, which here follows it.
    point(&mut section, 0, "runtime.itabTable");
    section.fixups[0].addend = 8;
    section.bytes[8..16].copy_from_slice(&(entries.len() as u64).to_le_bytes());
    section.bytes[16..24].copy_from_slice(&(itabs.len() as u64).to_le_bytes());
    for (entry, number) in entries.iter().enumerate() {
        if let Some(number) = number {
            point(&mut section, 24 + 8 * entry as u32, &itabs[*number]);
        }
    }
    Ok(section)
}

/// The array of chains that the runtime had up to Go 1.9.
fn chains_of_itabs(program: &Program, heap: &HeapSpec) -> Result<Section, String> {
    let (itabs, pairs) = itabs(program, heap)?;
    let mut section = data(CHAINS_OF_ITABS, vec![0; 8 * itab_table::CHAINS]);
    for (chain, head) in itab_table::chains(&pairs).heads.iter().enumerate() {
        if let Some(first) = head {
            point(&mut section, 8 * chain as u32, &itabs[*first]);
        }
    }
    Ok(section)
}

/// Gives the program's own itabs their links and flags, as `itabsinit` does before a program starts.
fn link_itabs(program: &mut Program, heap: &HeapSpec) -> Result<(), String> {
    let (itabs, pairs) = itabs(program, heap)?;
    let links = itab_table::chains(&pairs).links;
    let link = layout::ITAB_LINK.offset;
    let in_hash = layout::ITAB_IN_HASH.offset as usize;
    for (itab, next) in itabs.iter().zip(links) {
        let own = program.sections.iter_mut().find(|one| {
            one.kind == SectionKind::Data && name_of(one) == *itab && one.bytes.len() > in_hash
        });
        let Some(section) = own else { continue };
        section.bytes[in_hash] = 1;
        let has_own = section.fixups.iter().any(|fixup| fixup.offset == link);
        if let Some(next) = next.filter(|_| !has_own) {
            point(section, link, &itabs[next]);
        }
    }
    Ok(())
}

/// The descriptor of a type that the language declares, without its name.
fn predeclared_type(name: &str, release: Release) -> Result<Option<Section>, String> {
    let Some(shape) = Shape::predeclared(name) else {
        return Ok(None);
    };
    let mut bytes = vec![0; layout::TYPE_SIZE as usize];
    let mut put = |field: layout::Field, value: u64| {
        let (at, size) = (field.offset as usize, field.size as usize);
        bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    };
    put(layout::TYPE_SIZE_FIELD, shape.size);
    put(layout::TYPE_PTRDATA, shape.pointer_bytes);
    put(layout::TYPE_HASH, hash::type_hash(release, name)?.into());
    put(layout::TYPE_TFLAG, shape.tflag(name, release).into());
    put(layout::TYPE_ALIGN, shape.align.into());
    put(layout::TYPE_FIELD_ALIGN, shape.align.into());
    put(layout::TYPE_KIND, shape.kind_byte(release).into());
    Ok(Some(data(&symbol::type_descriptor(name), bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::HeapKind;

    fn heap(release: &str) -> HeapSpec {
        HeapSpec {
            kind: HeapKind::None,
            types: Vec::new(),
            methods: Vec::new(),
            signatures: Vec::new(),
            objects: Vec::new(),
            release: release.parse().expect("a release"),
            nil_receiver: false,
            nil_interface: false,
            indexed: false,
            object: None,
            words: Vec::new(),
            interfaces: Vec::new(),
        }
    }

    /// A program whose body names one symbol.
    fn naming(symbol: &str) -> Program {
        let mut body = data("body", vec![0; 8]);
        (body.kind, body.is_runtime) = (SectionKind::Body, false);
        point(&mut body, 0, symbol);
        Program {
            sections: vec![body],
        }
    }

    #[test]
    fn every_function_of_every_known_release_assembles_with_all_that_it_names() {
        for release in [
            "1.9", "1.10", "1.11", "1.12", "1.15", "1.16", "1.19", "1.21", "1.22", "1.27",
        ] {
            let functions = functions(release.parse().expect("a release"));
            assert!(functions.len() > 8, "{release}");
            for function in functions {
                let mut program = naming(&function.name);
                pull_in(&mut program, &heap(release))
                    .unwrap_or_else(|error| panic!("{release}: {error}"));
                let has = |name: &str| program.sections.iter().any(|one| one.name == name);
                assert!(has(&function.name), "{release} {}", function.name);
                for fixup in program.sections.iter().flat_map(|one| &one.fixups) {
                    let mut stubs = crate::link::harness::stub_names();
                    let is_harness = [COUNTERS, TYPES, TEXT].contains(&fixup.symbol.as_str())
                        || stubs.any(|stub| stub == fixup.symbol);
                    assert!(
                        is_harness || has(&fixup.symbol),
                        "{release} {}",
                        fixup.symbol
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_not_named_is_not_there() {
        let names = |symbol: &str, release: &str| -> Vec<String> {
            let mut program = naming(symbol);
            pull_in(&mut program, &heap(release)).expect("known");
            let added = program.sections.into_iter().skip(1);
            added.map(|section| section.name).collect()
        };
        assert!(names("main.f", "1.27").is_empty());
        assert!(names("runtime.panicwrap", "1.27").is_empty());
        assert_eq!(names("runtime.zeroVal", "1.27"), ["runtime.zeroVal"]);
        assert_eq!(names("type:uint32", "1.27"), ["type.uint32"]);
        assert!(names("runtime.convT2E32", "1.27").is_empty());
        assert!(names("runtime.convT32", "1.10").is_empty());
        assert!(names("runtime.convT32", "1.11").is_empty());
        assert!(names("runtime.convT2E32", "1.12").is_empty());
        assert!(names("runtime.staticbytes", "1.27").is_empty());
    }

    #[test]
    fn what_the_template_defines_is_its_own() {
        let mut program = naming("runtime.writeBarrier");
        let mut own = data("runtime.writeBarrier", vec![1, 0, 0, 0]);
        own.is_runtime = false;
        program.sections.push(own);
        pull_in(&mut program, &heap("1.27")).expect("known");
        assert_eq!(program.sections.len(), 2);
    }

    #[test]
    fn types_of_the_language_have_the_hash_of_the_release() {
        let bytes = |release: &str| {
            let release = release.parse().expect("a release");
            let section = predeclared_type("uint32", release).expect("known");
            section.expect("a type").bytes
        };
        assert_eq!(bytes("1.10")[16..20], 0xd04a_e83d_u32.to_le_bytes());
        assert_eq!(bytes("1.27")[16..20], 0x16d8_06e3_u32.to_le_bytes());
        assert_eq!((bytes("1.27")[0], bytes("1.27")[23]), (4, 10));
    }
}
