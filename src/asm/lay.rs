//! Statements of one section to bytes: branches, labels, alignment, and what the linker must fill.
//!
//! Correct means: every branch to a label of the section is as short as it can be while all of
//! them reach, and a label's offset is where its next byte stands.

mod places;
mod relax;

use std::collections::HashSet;

use super::encode;
use super::encode::emit::{Encoded, Field, Width};
use super::inst::{Name, Padding, Target, without_table};
use super::problem::Problem;
use super::program::{Fixup, FixupKind, Label, LineMark, Repeat, Table};
pub(super) use places::{Given, Places};
use relax::relax;

/// Something that takes up room in a section, from one source line.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    /// Index of the source line.
    pub(super) line: usize,
    /// What it is.
    pub(super) kind: PieceKind<'a>,
}

/// What a piece is.
#[derive(Debug, Clone)]
pub(super) enum PieceKind<'a> {
    /// An instruction of a fixed length, perhaps with a field for a target.
    Fixed(Encoded, Option<Aim<'a>>),
    /// A branch to a label of this section.
    Branch {
        /// With an 8-bit distance.
        short: Encoded,
        /// With a 32-bit distance, where the instruction has one.
        long: Option<Encoded>,
        /// Where it goes.
        target: Target<'a>,
        /// The piece before which that label stands.
        label: usize,
    },
    /// Data.
    Bytes(Vec<u8>),
    /// Data over and over: the unit, and how many times.
    Repeat(Vec<u8>, u64),
    /// An absolute address in data, 4 or 8 bytes wide.
    Address(Aim<'a>, u32),
    /// How far the first is from the second, in so many bytes.
    Distance(Box<(Aim<'a>, Aim<'a>)>, u32),
    /// Padding up to a multiple.
    Align(Padding),
}

/// A target, looked up.
#[derive(Debug, Clone)]
pub(super) struct Aim<'a> {
    /// What is named.
    pub(super) target: Target<'a>,
    /// The piece before which it stands, where it is a label of this section.
    pub(super) label: Option<usize>,
}

/// The finished bytes of a section.
#[derive(Debug, Default)]
pub(super) struct Laid {
    pub(super) bytes: Vec<u8>,
    pub(super) repeats: Vec<Repeat>,
    /// Bytes that the repeats take.
    repeated: usize,
    /// The piece with which the section takes more room than there is, and where that one ends; then
    /// nothing is laid out.
    pub(super) overrun: Option<(usize, usize)>,
    /// Of code, what of it is data.
    pub(super) tables: Vec<Table>,
    pub(super) labels: Vec<Label>,
    pub(super) fixups: Vec<Fixup>,
    pub(super) lines: Vec<LineMark>,
    /// Where each piece begins, and the end.
    pub(super) starts: Vec<usize>,
    /// Problems with the index of their source line.
    pub(super) problems: Vec<(usize, Problem)>,
}

/// Where every piece begins, and at last the length; `long[i]` says that piece i is a long branch.
pub(super) fn offsets(pieces: &[Piece<'_>], long: &[bool]) -> Vec<usize> {
    let mut at = 0usize;
    let mut starts = Vec::with_capacity(pieces.len() + 1);
    for (piece, long) in pieces.iter().zip(long) {
        starts.push(at);
        at += match &piece.kind {
            PieceKind::Fixed(encoded, _) => encoded.bytes().len(),
            PieceKind::Branch {
                long: Some(encoded),
                ..
            } if *long => encoded.bytes().len(),
            PieceKind::Branch { short, .. } => short.bytes().len(),
            PieceKind::Bytes(bytes) => bytes.len(),
            PieceKind::Repeat(unit, count) => unit.len() * *count as usize,
            PieceKind::Address(_, width) | PieceKind::Distance(_, width) => *width as usize,
            PieceKind::Align(padding) => padding.bytes(at),
        };
    }
    starts.push(at);
    starts
}

impl PieceKind<'_> {
    /// Of a piece of code that is data, the bytes of each value: an address, or whatever stands among data. Bytes
    /// between instructions may be one that the assembler does not know.
    fn unit(&self, is_data: bool) -> Option<u32> {
        match self {
            PieceKind::Address(_, width) | PieceKind::Distance(_, width) => Some(*width),
            PieceKind::Bytes(_) | PieceKind::Repeat(..) | PieceKind::Align(_) if is_data => Some(1),
            _ => None,
        }
    }
}

impl Padding {
    /// How much it is at an offset.
    fn bytes(&self, at: usize) -> usize {
        let bytes = at.next_multiple_of(self.to as usize) - at;
        if bytes > self.most as usize { 0 } else { bytes }
    }
}

/// The distance of a branch from its end to `label`.
pub(super) fn distance(starts: &[usize], from: usize, label: usize, addend: i64) -> i64 {
    let signed = |offset: usize| i64::try_from(offset).unwrap_or(i64::MAX / 2);
    (signed(starts[label]) - signed(starts[from + 1])).saturating_add(addend)
}

/// What a section looks like from inside while it is laid out.
pub(super) struct Ground<'a> {
    pub(super) pieces: &'a [Piece<'a>],
    pub(super) places: &'a Places<'a>,
    /// Template lines by index.
    pub(super) lines: &'a [u32],
    /// The section's own symbol, where it has one.
    pub(super) symbol: Option<&'a str>,
    /// Whether no other section has a label of that name.
    pub(super) is_unique: &'a dyn Fn(&str) -> bool,
    /// Whether padding is code.
    pub(super) is_code: bool,
    /// The first piece behind the code, where sections of other kinds stand.
    pub(super) aside: usize,
    /// Whether a name may be left to whoever reads the bytes.
    pub(super) is_open: bool,
    /// Bytes that the section may take.
    pub(super) room: u64,
}

impl Laid {
    /// Where the next byte stands.
    fn end(&self) -> usize {
        self.bytes.len() + self.repeated
    }

    /// What comes next is data.
    fn table(&mut self, size: u32, unit: u32) {
        let offset = narrow(self.end());
        match self.tables.last_mut() {
            Some(last) if last.offset + last.size == offset && last.unit == unit => {
                last.size += size;
            }
            _ if size > 0 => self.tables.push(Table { offset, size, unit }),
            _ => {}
        }
    }

    /// Data over and over, written out where that is short.
    fn repeat(&mut self, unit: &[u8], count: usize) {
        /// More than this is no longer read byte by byte.
        const SHORT: usize = 256;
        let size = unit.len() * count;
        if size <= SHORT {
            return self.bytes.extend_from_slice(&unit.repeat(count));
        }
        let is_zero = unit.iter().all(|&byte| byte == 0);
        let (unit, count) = if is_zero {
            (&[0][..], size)
        } else {
            (unit, count)
        };
        self.repeats.push(Repeat {
            offset: narrow(self.end()),
            unit: unit.to_vec(),
            count: narrow(count),
        });
        self.repeated += size;
    }
}

/// Where every piece begins, and at last the length.
pub(super) fn measure(pieces: &[Piece<'_>]) -> Vec<usize> {
    offsets(pieces, &relax(pieces).long)
}

/// The bytes of a section.
pub(super) fn lay_out(ground: &Ground<'_>) -> Laid {
    let long = relax(ground.pieces).long;
    let starts = offsets(ground.pieces, &long);
    let is_over = |end: &usize| *end as u64 > ground.room;
    if let Some(at) = starts.iter().position(is_over) {
        return Laid {
            overrun: Some((at - 1, starts[at])),
            ..Laid::default()
        };
    }
    let mut laid = Laid {
        lines: Vec::with_capacity(ground.pieces.len()),
        ..Laid::default()
    };
    if ground.is_code {
        laid.bytes.reserve(starts[ground.pieces.len()]);
    }
    // Lines that have an address among their values.
    let has_address = |piece: &&Piece<'_>| piece.kind.unit(false).is_some();
    let tables: HashSet<usize> = match ground.is_code {
        true => ground
            .pieces
            .iter()
            .filter(has_address)
            .map(|piece| piece.line)
            .collect(),
        false => HashSet::new(),
    };
    for (at, piece) in ground.pieces.iter().enumerate() {
        if laid.end() < starts[at + 1] {
            mark_line(&mut laid, ground.lines[piece.line]);
        }
        let is_data = at >= ground.aside || tables.contains(&piece.line);
        if let Some(unit) = piece.kind.unit(is_data).filter(|_| ground.is_code) {
            laid.table(narrow(starts[at + 1] - starts[at]), unit);
        }
        match &piece.kind {
            PieceKind::Fixed(encoded, aim) => {
                let aim = aim.as_ref().map(|aim| (&aim.target, aim.label));
                emit(&mut laid, ground, &starts, at, encoded, aim);
            }
            PieceKind::Branch {
                short,
                long: wide,
                target,
                label,
            } => {
                let encoded = wide.as_ref().filter(|_| long[at]).unwrap_or(short);
                emit(
                    &mut laid,
                    ground,
                    &starts,
                    at,
                    encoded,
                    Some((target, Some(*label))),
                );
            }
            PieceKind::Bytes(bytes) => laid.bytes.extend_from_slice(bytes),
            PieceKind::Repeat(unit, count) => laid.repeat(unit, *count as usize),
            PieceKind::Address(aim, width) => {
                let kind = if *width == 4 {
                    FixupKind::Abs32
                } else {
                    FixupKind::Abs64
                };
                let offset = laid.end();
                laid.bytes.extend_from_slice(&[0; 8][..*width as usize]);
                let aim = (&aim.target, aim.label);
                refer(&mut laid, ground, &starts, at, aim, kind, offset);
            }
            PieceKind::Distance(both, width) => {
                let (to, from) = &**both;
                differ(&mut laid, ground, &starts, at, (to, from), *width);
            }
            PieceKind::Align(Padding { fill: None, .. }) if ground.is_code => {
                encode::pad(&mut laid.bytes, starts[at + 1] - laid.repeated);
            }
            PieceKind::Align(padding) => {
                laid.repeat(&[padding.fill.unwrap_or(0)], starts[at + 1] - laid.end());
            }
        }
    }
    for (name, piece) in &ground.places.order {
        laid.labels.push(Label {
            name: (*name).to_owned(),
            offset: narrow(starts[*piece]),
        });
    }
    laid.labels
        .sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    laid.starts = starts;
    laid
}

/// What the room of a section lets through is far below 4 GiB.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn mark_line(laid: &mut Laid, line: u32) {
    let offset = narrow(laid.end());
    if laid
        .lines
        .last()
        .is_none_or(|last| last.line != line || last.offset != offset)
    {
        laid.lines.push(LineMark { offset, line });
    }
}

fn emit(
    laid: &mut Laid,
    ground: &Ground<'_>,
    starts: &[usize],
    at: usize,
    encoded: &Encoded,
    aim: Option<(&Target<'_>, Option<usize>)>,
) {
    let start = laid.bytes.len();
    laid.bytes.extend_from_slice(encoded.bytes());
    let (Some(Field { offset, width }), Some(aim)) = (encoded.field, aim) else {
        return;
    };
    let own = start + usize::from(offset);
    let offset = own + laid.repeated;
    if width == Width::Abs64 {
        return refer(laid, ground, starts, at, aim, FixupKind::Abs64, offset);
    }
    let (target, Some(label)) = aim else {
        if width == Width::Rel8 {
            let problem = Problem::new(target_span(aim), "a short branch leaves the text")
                .help("paste what it goes to, too");
            laid.problems.push((ground.pieces[at].line, problem));
            return;
        }
        return refer(laid, ground, starts, at, aim, FixupKind::Rel32, offset);
    };
    let value = distance(starts, at, label, target.addend);
    let fits = if width == Width::Rel8 {
        i8::try_from(value).is_ok()
    } else {
        i32::try_from(value).is_ok()
    };
    if fits {
        let field = &mut laid.bytes[own..own + width.bytes()];
        field.copy_from_slice(&value.to_le_bytes()[..width.bytes()]);
    } else {
        let problem = Problem::new(
            target.span,
            format!("the label is {value} bytes away, out of reach"),
        );
        let help = match width {
            Width::Rel8 => {
                "a short branch reaches -128 to 127 bytes from its end; leave out `short`, or branch around a `jmp`"
            }
            _ => "the distance must fit in 32 bits",
        };
        laid.problems
            .push((ground.pieces[at].line, problem.help(help)));
    }
}

fn target_span((target, _): (&Target<'_>, Option<usize>)) -> super::problem::Span {
    target.span
}

/// Fills in a distance, or leaves it to the linker where only its end is known.
fn differ(
    laid: &mut Laid,
    ground: &Ground<'_>,
    starts: &[usize],
    at: usize,
    (to, from): (&Aim<'_>, &Aim<'_>),
    width: u32,
) {
    let offset = laid.end();
    laid.bytes.extend_from_slice(&[0; 16][..width as usize]);
    let line = ground.pieces[at].line;
    let Some(start) = from.label else {
        let message = "a distance begins at a label of the same section";
        return laid
            .problems
            .push((line, Problem::new(from.target.span, message)));
    };
    let begin = (starts[start] as i64).saturating_add(from.target.addend);
    match to.label {
        Some(end) => {
            let end = (starts[end] as i64).saturating_add(to.target.addend);
            let value = end.saturating_sub(begin);
            let bits = 8 * width.min(8);
            let fits = bits == 64 || (-(1i64 << (bits - 1))..1i64 << bits).contains(&value);
            if !fits {
                let message = format!("the distance is {value} and does not fit in {bits} bits");
                laid.problems
                    .push((line, Problem::new(to.target.span, message)));
            }
            let own = offset - laid.repeated;
            let sign = if value < 0 { 0xff } else { 0 };
            laid.bytes[own..own + width as usize].fill(sign);
            let count = width.min(8) as usize;
            laid.bytes[own..own + count].copy_from_slice(&value.to_le_bytes()[..count]);
        }
        None if width == 4 => {
            let mut target = to.target.clone();
            target.addend = target
                .addend
                .saturating_add((laid.end() as i64).saturating_sub(begin));
            refer(
                laid,
                ground,
                starts,
                at,
                (&target, None),
                FixupKind::Rel32,
                offset,
            );
        }
        None => {
            let message = "the distance to what stands elsewhere has 4 bytes";
            laid.problems
                .push((line, Problem::new(to.target.span, message)));
        }
    }
}

/// Leaves a field to the linker.
fn refer(
    laid: &mut Laid,
    ground: &Ground<'_>,
    starts: &[usize],
    at: usize,
    (target, own): (&Target<'_>, Option<usize>),
    kind: FixupKind,
    offset: usize,
) {
    let (symbol, addend) = match (&target.name, own, ground.symbol) {
        // Other sections may have a label of the same name, but not this section's symbol.
        (_, Some(label), Some(symbol)) => {
            let inside = i64::try_from(starts[label]).unwrap_or(0);
            (symbol.to_owned(), target.addend.saturating_add(inside))
        }
        (Name::Label(name) | Name::Open(name), Some(_), None)
            if !name.starts_with('.') && (ground.is_unique)(name) =>
        {
            ((*name).to_owned(), target.addend)
        }
        (Name::Label(name) | Name::Open(name), Some(_), None) if ground.is_open => {
            ((*name).to_owned(), target.addend)
        }
        (Name::Symbol(name), None, _) => (name.to_string(), target.addend),
        (Name::Label(name) | Name::Open(name), None, _) => {
            (without_table(name).to_owned(), target.addend)
        }
        (Name::Address(named), None, _) => match **named {
            (_, Some((name, more))) => (name.to_owned(), target.addend.saturating_add(more)),
            (address, None) => (format!("{address:#x}"), target.addend),
        },
        _ => {
            let problem = Problem::new(target.span, "the linker cannot tell this label from others").help(
                "`lea` the address, as in `lea rcx, [label]`, or give the label a name that no other section has",
            );
            laid.problems.push((ground.pieces[at].line, problem));
            return;
        }
    };
    if kind == FixupKind::Rel32 && i32::try_from(addend).is_err() {
        let problem = Problem::new(
            target.span,
            "the distance from the symbol does not fit in 32 bits",
        );
        laid.problems.push((ground.pieces[at].line, problem));
        return;
    }
    laid.fixups.push(Fixup {
        offset: narrow(offset),
        end: narrow(laid.end()),
        kind,
        symbol,
        addend,
        line: ground.lines[ground.pieces[at].line],
        column: target.span.column,
    });
}
