//! `show`: the code and data of a scenario at a fixed address; nothing runs, except where what models of
//! predictors would miss is asked for.

use std::fmt::Write as _;

use super::names::bind;
use super::{Common, Stop, Syntax, misses, print_plain};
use crate::asm;
use crate::asm::{FixupKind, SectionKind};
use crate::go::picture::picture;
use crate::go::symbol::canonical;
use crate::go::{HeapKind, dump};
use crate::link::{HEAP_OFFSET, Owner, Piece, frame};
use crate::prepare::{Prepared, prepare};
use crate::report::misses::{Modelled, note};
use crate::template::Template;
use crate::text::printable;
use crate::text::{folded, listed};

/// What to show beside the listing.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Shown {
    /// Also draw and dump the Go data: offsets, bytes, fields, what each pointer points to
    #[arg(long)]
    heap: bool,
    /// Also show the harness around the body
    #[arg(long)]
    harness: bool,
    /// Also show the functions of Go's runtime that it can call, as they are modelled
    #[arg(long)]
    runtime: bool,
    /// Run it, trace its branches, and show what models of predictors would miss
    #[arg(long)]
    misses: bool,
}

pub(super) fn show(common: &Common, name: &str, shown: Shown) -> Result<i32, Stop> {
    let library = common.library_reading(None)?;
    let scenario = bind(&library, name, &common.parameters()?)?;
    common.tell(&scenario.template);
    let prepared = prepare(&scenario).map_err(Stop::Templates)?;
    let modelled = if shown.misses {
        Some(misses::predict(common, &scenario, &prepared)?)
    } else {
        None
    };
    let known = modelled.as_ref().and_then(|one| one.as_ref().ok());
    let title = format!("{}  ({})", scenario.name, scenario.template.file_name());
    // A listing that is pasted has it as a comment.
    let comment = match common.syntax {
        Some(Syntax::Go) => "// ",
        _ => "",
    };
    let mut out = format!("{comment}{title}\n");
    let width = common.style().width;
    match common.syntax {
        Some(Syntax::Go) => out.push_str(&go_listings(&prepared, &shown, &scenario.template)),
        Some(Syntax::Att) => out.push_str(&listing(
            &prepared,
            &shown,
            (asm::Syntax::Att, width),
            (&scenario.template, known),
        )),
        _ => out.push_str(&listing(
            &prepared,
            &shown,
            (asm::Syntax::Intel, width),
            (&scenario.template, known),
        )),
    }
    if let Some(modelled) = &modelled {
        out.push('\n');
        out.push_str(&note(modelled));
    }
    if shown.heap {
        out.push('\n');
        out.push_str(&heap_dump(&prepared));
    }
    let out = printable::lines(&out);
    // A broken line of a listing could not be pasted.
    let out = match common.syntax {
        Some(Syntax::Go) => out.into_owned(),
        _ => folded(&out, 2, width),
    };
    print_plain(&out)?;
    Ok(modelled.map_or(0, |modelled| {
        modelled.map_or_else(|reason| reason.code, |_| 0)
    }))
}

/// The same as Go's compiler prints it.
fn go_listings(prepared: &Prepared, shown: &Shown, template: &Template) -> String {
    let file = &template.file_name();
    let image = &prepared.image;
    let mut out = String::new();
    for piece in &image.pieces {
        let symbol = match &piece.owner {
            Owner::Section(index) => &*prepared.row.program.sections[*index].name,
            owner if !is_shown(prepared, shown, owner) => continue,
            Owner::Harness => "harness",
            Owner::Stub(name) => name,
        };
        let first = piece.addresses.start;
        let start = (first - image.site.code) as usize;
        let end = (piece.addresses.end - image.site.code) as usize;
        let origin = asm::Origin {
            symbol,
            file,
            line: &|address| {
                let place = template.place(image.line(&prepared.row.program, address)?);
                Some((place.file, place.line))
            },
            // Code jumps into the middle of other code, too.
            name: &|address| image.name(address).or_else(|| within(prepared, address)),
        };
        out.push('\n');
        out.push_str(&asm::go_listing(&image.code[start..end], first, &origin));
    }
    out.push_str(&go_data(prepared));
    out
}

/// The data of the template and of the runtime that its code reaches.
fn go_data(prepared: &Prepared) -> String {
    let image = &prepared.image;
    let data = prepared.written_data_of(image);
    let mut out = String::new();
    let sections = prepared.row.program.sections.iter();
    for section in sections.filter(|section| section.kind == SectionKind::Data) {
        let name = canonical(&section.name);
        let Some(symbol) = image.symbols.iter().find(|symbol| symbol.name == name) else {
            continue;
        };
        let start = (symbol.address - image.site.data) as usize;
        let Some(bytes) = data.get(start..start + symbol.size as usize) else {
            continue;
        };
        if section
            .fixups
            .iter()
            .any(|fixup| fixup.kind != FixupKind::Abs64)
        {
            let _ = writeln!(
                out,
                "\n// {name} holds distances, which Go's listings have no words for"
            );
            continue;
        }
        let mut bytes = bytes.to_vec();
        let addresses = section.fixups.iter().filter_map(|fixup| {
            let field = bytes.get_mut(fixup.offset as usize..)?.first_chunk_mut()?;
            let address = u64::from_le_bytes(*field);
            let target = image.name(address).or_else(|| within(prepared, address))?;
            *field = [0; 8];
            Some((fixup.offset, asm::go_type(&target).into_owned()))
        });
        let addresses: Vec<(u32, String)> = addresses.collect();
        out.push('\n');
        out.push_str(&asm::go_data(&asm::go_type(&name), &bytes, &addresses));
    }
    out
}

/// The section around an address of code, and how far into it that is.
fn within(prepared: &Prepared, address: u64) -> Option<String> {
    let mut pieces = prepared.image.pieces.iter();
    let piece = pieces.find(|piece| piece.addresses.contains(&address))?;
    let Owner::Section(index) = &piece.owner else {
        return None;
    };
    let name = &prepared.row.program.sections[*index].name;
    Some(format!("{name}+{}", address - piece.addresses.start))
}

/// Whether a listing has code of this owner: functions of the runtime that anything names are those that can be called.
fn is_shown(prepared: &Prepared, shown: &Shown, owner: &Owner) -> bool {
    match owner {
        Owner::Section(_) => true,
        Owner::Stub(name) if shown.runtime => {
            let sections = prepared.row.program.sections.iter();
            let mut named = sections.flat_map(|one| &one.fixups);
            named.any(|fixup| canonical(&fixup.symbol) == canonical(name)) || shown.harness
        }
        Owner::Stub(_) | Owner::Harness => shown.harness,
    }
}

/// The disassembly: address, bytes, instruction, template line.
fn listing(
    prepared: &Prepared,
    shown: &Shown,
    look: (asm::Syntax, usize),
    said: (&Template, Option<&Modelled>),
) -> String {
    let mut out = String::new();
    for piece in &prepared.image.pieces {
        let title = match &piece.owner {
            owner if !is_shown(prepared, shown, owner) => continue,
            Owner::Harness => "harness".to_string(),
            Owner::Stub(name) => format!("{name}  (modelled)"),
            Owner::Section(index) => prepared.row.program.sections[*index].name.clone(),
        };
        let place = match &piece.owner {
            Owner::Section(index) => prepared.row.program.sections[*index].place,
            _ => None,
        };
        let place = place.map_or(String::new(), |place| format!("  ({place})"));
        let _ = writeln!(out, "\n{title}:{place}");
        list_piece(&mut out, prepared, piece, look, said);
    }
    out
}

fn list_piece(
    out: &mut String,
    prepared: &Prepared,
    piece: &Piece,
    (syntax, width): (asm::Syntax, usize),
    (template, modelled): (&Template, Option<&Modelled>),
) {
    let image = &prepared.image;
    let first = piece.addresses.start;
    let start = (first - image.site.code) as usize;
    let end = (piece.addresses.end - image.site.code) as usize;
    let name = |address: u64| {
        let label = image.label(&prepared.row.program, address);
        label.map(str::to_owned).or_else(|| image.name(address))
    };
    let mut last_line = None;
    let tables = match &piece.owner {
        Owner::Section(index) => &prepared.row.program.sections[*index].tables[..],
        _ => &[],
    };
    let section = asm::disassemble_section(syntax, (&image.code[start..end], first), tables, &name);
    for same in section.chunk_by(|one, next| one.is_data && next.is_data && one.text == next.text) {
        // One line, and how many more of them a table has.
        let (inst, more) = (&same[0], same.len() - 1);
        let line = image.line(&prepared.row.program, inst.address);
        let shown = match line {
            Some(line) if line != last_line.unwrap_or(0) => format!("; {}", template.place(line)),
            _ => String::new(),
        };
        last_line = line;
        let address = format!("  {:#x}", inst.address);
        out.push_str(&listed(&address, &inst.bytes, &inst.text, &shown, width));
        out.push_str(&modelled.map_or_else(String::new, |modelled| modelled.under(inst.address)));
        if more > 0 {
            let _ = writeln!(out, "  ... {more} more of these");
        }
    }
}

fn heap_dump(prepared: &Prepared) -> String {
    let image = &prepared.image;
    let start = HEAP_OFFSET as usize;
    let data = prepared.written_data_of(image);
    let bytes = &data[start..start + prepared.heap.size as usize];
    let words: &[&str] = match prepared.row.heap.kind {
        HeapKind::None => &[],
        HeapKind::Pointer if prepared.row.words() == 2 => &["first", "second"],
        HeapKind::Pointer => &["pointer"],
        HeapKind::Func => &["func"],
        HeapKind::Iface => &["tab", "data"],
        HeapKind::Eface => &["_type", "data"],
    };
    let name = |address: u64| image.name(address);
    let address = |name: &str| {
        let found = image.symbols.iter().find(|symbol| symbol.name == name);
        found.map(|symbol| symbol.address)
    };
    let base = image.site.data + u64::from(HEAP_OFFSET);
    let own_data = prepared
        .row
        .program
        .sections
        .iter()
        .filter(|s| s.kind == SectionKind::Data);
    let own_data = own_data.filter_map(|section| {
        let at = address(&canonical(&section.name))?;
        let offset = (at - image.site.data) as usize;
        Some(dump::render_section(section, at, &data[offset..], &name))
    });
    if prepared.row.heap.kind == HeapKind::None {
        let mut out = "no heap: the template says heap = \"none\"\n".to_string();
        out.extend(own_data);
        return out;
    }
    let is_own = |name: &str| {
        let own = prepared.heap.symbols.iter().find(|own| own.name == name);
        own.map(|own| base + u64::from(own.offset)) == address(name)
    };
    let mut out = picture(&prepared.heap, &prepared.row.heap, &is_own);
    out.push('\n');
    out.push_str(&dump::render_g(image.site.data + u64::from(frame::G)));
    out.push_str(&dump::render(&prepared.heap, base, bytes, &address));
    out.extend(own_data);
    out.push_str(&dump::render_receivers(
        image.receivers.all(&prepared.row),
        words,
        &name,
    ));
    out
}
