//! The code of a row beside how often it ran.

use std::collections::{HashMap, HashSet};

use crate::asm;
use crate::job::Executions;
use crate::link::{Owner, Piece};
use crate::prepare::Prepared;
use crate::report::listing::{Listed, ListedFunction, Listing};
use crate::scenario::Scenario;

/// Bytes of code that are listed: more than anybody reads.
const MOST: u64 = 16 << 10;

/// The code at the first placement; where there is more than is listed, what ran comes before what did not.
pub(super) fn listing(
    scenario: &Scenario,
    prepared: &Prepared,
    executions: &Executions,
) -> Listing {
    let mut times = HashMap::<&str, HashMap<u32, f64>>::new();
    for one in &executions.instructions {
        let own = times.entry(&one.function).or_default();
        own.insert(one.offset, one.times);
    }
    let named = named(prepared);
    let has_run = |function: &&Function<'_>| times.contains_key(function.name);
    let shown = |function: &&Function<'_>| !function.is_modelled || has_run(function);
    let (mut chosen, rest): (Vec<&Function<'_>>, Vec<_>) =
        named.iter().filter(shown).partition(has_run);
    chosen.extend(rest);
    let mut bytes = 0;
    let mut fits = |function: &&Function<'_>| {
        bytes += function.piece.addresses.end - function.piece.addresses.start;
        bytes <= MOST
    };
    let (mut chosen, left_out): (Vec<_>, Vec<_>) = chosen.into_iter().partition(&mut fits);
    chosen.sort_by_key(|function| function.piece.addresses.start);
    let of = |function: &Function<'_>| ListedFunction {
        name: function.name.to_string(),
        is_modelled: function.is_modelled,
        instructions: instructions(scenario, prepared, function.piece, times.get(function.name)),
    };
    Listing {
        iterations: executions.iterations,
        functions: chosen.into_iter().map(of).collect(),
        left_out: left_out.len() as u64,
    }
}

/// A function of the code, by the name that executions have it under.
struct Function<'a> {
    name: &'a str,
    is_modelled: bool,
    piece: &'a Piece,
}

/// All of them, each once: a body may have copies.
fn named(prepared: &Prepared) -> Vec<Function<'_>> {
    let mut known = HashSet::new();
    let mut named = Vec::new();
    for piece in &prepared.image.pieces {
        let (name, is_modelled) = match &piece.owner {
            Owner::Harness => continue,
            Owner::Section(index) => (&prepared.row.program.sections[*index].name, false),
            Owner::Stub(name) => (name, true),
        };
        if known.insert(name) {
            named.push(Function {
                name,
                is_modelled,
                piece,
            });
        }
    }
    named
}

fn instructions(
    scenario: &Scenario,
    prepared: &Prepared,
    piece: &Piece,
    times: Option<&HashMap<u32, f64>>,
) -> Vec<Listed> {
    let (image, program) = (&prepared.image, &prepared.row.program);
    let first = piece.addresses.start;
    let bytes = &image.code[(first - image.site.code) as usize..];
    let bytes = &bytes[..(piece.addresses.end - first) as usize];
    let name = |address: u64| {
        let label = image.label(program, address);
        label.map(str::to_owned).or_else(|| image.name(address))
    };
    let mut listed = Vec::new();
    let tables = match &piece.owner {
        Owner::Section(index) => &program.sections[*index].tables[..],
        _ => &[],
    };
    for one in asm::disassemble_section(asm::Syntax::Intel, (bytes, first), tables, &name) {
        let offset = (one.address - first) as u32;
        let line = image.line(program, one.address);
        let place = line.map(|line| scenario.template.place(line));
        let source = line.map(|line| scenario.template.line(line).trim().to_string());
        listed.push(Listed {
            offset,
            bytes: one.bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            text: one.text,
            line: place.as_ref().map(|place| place.line),
            file: place.and_then(|place| place.file),
            source: source.filter(|text| !text.is_empty()),
            executions: times
                .and_then(|times| times.get(&offset))
                .copied()
                .unwrap_or(0.0),
        });
    }
    listed
}
