//! Data in Go's listings and sources.
//!
//! Correct means: every byte is the one that was printed or asked for, and a field that holds an address
//! holds that of the symbol beside it.

use super::operand::{number, split};
use super::shapes::{Heading, Relocation, Shape, Value, shape};
use super::symbol::{canonical, unescaped};
use crate::asm::inst::{Datum, Name, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::read::listing::{Listing, Row};
use crate::asm::source::SourceLine;

/// Data as one row of values, behind all others.
pub(super) fn data<'a>(shapes: &[Shape<'a>]) -> Listing<'a> {
    let mut image: Vec<u8> = Vec::new();
    let mut addresses: Vec<(usize, Datum<'a>)> = Vec::new();
    let mut size = 0;
    let mut wrong = None;
    let mut rows = Rows::new(shapes);
    let mut put = |offset: u64, bytes: &[u8]| {
        let start = usize::try_from(offset)
            .ok()
            .filter(|start| *start <= MOST)?;
        let end = start + bytes.len();
        if image.len() < end {
            image.resize(end, 0);
        }
        image[start..end].copy_from_slice(bytes);
        Some(())
    };
    for (at, shape) in shapes.iter().enumerate() {
        match shape {
            Shape::Heading(heading) => size = heading.size.unwrap_or(0).max(size),
            Shape::Global(_, bytes) => size = (*bytes).max(size),
            Shape::Dump(offset, bytes) => {
                wrong = wrong.or(rows.next(at, *offset, bytes.len()));
                put(*offset, bytes);
            }
            Shape::Broken(problem) => wrong = wrong.or(Some((at, problem.clone()))),
            // Of the short ones, which count from the beginning of all types, nothing is read here.
            Shape::Relocation(one) if one.width == 8 && !one.symbol.is_empty() => {
                wrong = wrong.or(rows.holds(at, one));
                put(one.offset, &[0; 8]);
                let target = Target {
                    name: Name::Symbol(canonical(one.symbol)),
                    addend: one.addend,
                    span: one.span,
                };
                addresses.push((one.offset as usize, Datum::Address(target, 8)));
            }
            Shape::Relocation(one) if one.width == 8 => {
                let message = "what has no name is not there, and an address leads to it here";
                let problem = Problem::new(one.span, message);
                wrong = wrong.or(Some((
                    at,
                    problem.help("write the symbol behind the kind, and give it data"),
                )));
            }
            Shape::Data(value) => match meant(value) {
                Ok(Datum::Bytes(bytes)) => {
                    put(value.offset, &bytes);
                }
                Ok(datum) => {
                    put(value.offset, &[0; 8]);
                    addresses.push((value.offset as usize, datum));
                }
                Err(problem) => wrong = wrong.or(Some((at, problem))),
            },
            _ => {}
        }
    }
    wrong = wrong.or(rows.end());
    addresses.sort_by_key(|(offset, _)| *offset);
    let filled: Vec<(usize, i64)> = addresses
        .iter()
        .map(|(offset, datum)| match datum {
            Datum::Address(target, _) => (*offset, target.addend),
            _ => (*offset, 0),
        })
        .collect();
    wrong = wrong.or(rows.unfilled(&image, &filled));
    let mut values = Vec::new();
    let mut at = 0;
    for (offset, datum) in addresses {
        if offset < at || offset + 8 > image.len() {
            continue;
        }
        values.push(Datum::Bytes(image[at..offset].to_vec()));
        values.push(datum);
        at = offset + 8;
    }
    values.push(Datum::Bytes(image[at..].to_vec()));
    let room = size.saturating_sub(image.len() as u64);
    let mut rows: Vec<Row<'a>> = shapes.iter().map(|_| Row::Passed).collect();
    if let Some(last) = rows.last_mut() {
        *last = Row::Values(values, room);
    }
    if let Some((at, problem)) = wrong {
        rows[at] = Row::Wrong(problem);
    }
    Listing {
        rows,
        ..Listing::default()
    }
}

/// How much of a datum, or of a function, its rows show.
pub(super) struct Rows<'s, 'a> {
    heading: Option<(usize, &'s Heading<'a>)>,
    /// Whether they are all there without a heading, too.
    is_code: bool,
    /// The last row: its index, and whether it is a whole one.
    last: Option<(usize, bool)>,
    /// Bytes that were shown so far.
    shown: u64,
}

impl<'s, 'a> Rows<'s, 'a> {
    /// Bytes of a row that is not the last.
    const WHOLE: usize = 16;

    fn new(shapes: &'s [Shape<'a>]) -> Rows<'s, 'a> {
        let mut headings = shapes.iter().enumerate();
        Rows {
            heading: headings.find_map(|(at, shape)| match shape {
                Shape::Heading(heading) => Some((at, heading)),
                _ => None,
            }),
            is_code: false,
            last: None,
            shown: 0,
        }
    }

    /// The rows of a function's bytes.
    pub(super) fn of_code(shapes: &'s [Shape<'a>]) -> Rows<'s, 'a> {
        Rows {
            is_code: true,
            ..Rows::new(shapes)
        }
    }

    /// How long it is, as its heading says.
    pub(super) fn size(&self) -> Option<u64> {
        self.heading.and_then(|(_, heading)| heading.size)
    }

    /// Goes on to a row; what is missing in front of it.
    pub(super) fn next(
        &mut self,
        at: usize,
        offset: u64,
        bytes: usize,
    ) -> Option<(usize, Problem)> {
        if self.heading.is_none() && !self.is_code {
            return None;
        }
        let is_cut = self.last.is_some_and(|(_, is_whole)| !is_whole);
        let (shown, before) = (self.shown, self.last);
        self.last = Some((at, bytes == Rows::WHOLE));
        self.shown = offset.saturating_add(bytes as u64);
        if offset != shown {
            let message = match offset > shown {
                true => format!(
                    "the rows of the bytes {shown:#x} to {offset:#x} are missing in front of this one"
                ),
                false => format!("the bytes from {offset:#x} on stand here for the second time"),
            };
            return Some((at, Problem::new(WHOLE_LINE, message).help(PASTE)));
        }
        let (cut, _) = before.filter(|_| is_cut)?;
        let message = "this row has fewer than 16 bytes, and is not the last";
        Some((cut, Problem::new(WHOLE_LINE, message).help(PASTE)))
    }

    /// What is wrong where an address lies behind the bytes that are shown.
    fn holds(&self, at: usize, address: &Relocation<'_>) -> Option<(usize, Problem)> {
        self.heading?;
        let end = address.offset.saturating_add(address.width);
        (end > self.shown).then(|| {
            let message = format!(
                "an address stands at the bytes {:#x} to {end:#x}, and the rows end at {:#x}",
                address.offset, self.shown
            );
            (at, Problem::new(address.span, message).help(PASTE))
        })
    }

    /// A word without the address that it has to hold: a `rel` line is missing.
    fn unfilled(&self, image: &[u8], filled: &[(usize, i64)]) -> Option<(usize, Problem)> {
        let (at, heading) = self.heading.filter(|(_, heading)| !heading.is_zero)?;
        let name = canonical(heading.name);
        let is_empty = |word: &usize| image.get(*word..word + 8) == Some(&[0; 8]);
        let mut words: Vec<usize> = if name.starts_with("go.itab.") {
            // The hash stands in the third word; up to Go 1.9 in the fourth.
            [0, 8]
                .into_iter()
                .chain((24..image.len()).step_by(8))
                .collect()
        } else if is_jump_table(&name) {
            (0..image.len()).step_by(8).collect()
        } else if name.starts_with("type.") && !name.starts_with("type..") {
            pointers(image, filled)
        } else {
            return None;
        };
        words.retain(|word| is_empty(word) && !filled.iter().any(|(at, _)| at == word));
        let word = words.first()?;
        let message = format!(
            "`{name}` holds an address at the bytes {word:#x} to {:#x}, and no `rel` line says which",
            word + 8
        );
        Some((
            at,
            Problem::new(heading.span, message).help("paste all of its `rel` lines"),
        ))
    }

    /// What is missing behind the last row. Zeros that nothing was written for are in no row: up to 4 bytes of a type,
    /// and any number of a variable.
    pub(super) fn end(&self) -> Option<(usize, Problem)> {
        let (at, heading) = self.heading?;
        let size = heading.size?;
        let name = canonical(heading.name);
        let most = match &*name {
            _ if heading.is_zero => return None,
            _ if self.is_code => 0,
            name if name.starts_with("type..") => return None,
            name if name.starts_with("type.") => 4,
            name if name.starts_with("go.itab.") || name.starts_with("go.string.") => 0,
            name if is_jump_table(name) => 0,
            _ => return None,
        };
        if self.shown.saturating_add(most) >= size {
            return None;
        }
        let message = match self.shown {
            0 => format!("`{name}` has {size} bytes, and no row shows them"),
            shown => format!("`{name}` has {size} bytes, and the rows end at {shown:#x}"),
        };
        Some((at, Problem::new(heading.span, message).help(PASTE)))
    }
}

/// Where a type holds the addresses of what it is made of: elements, keys, arguments, fields and their names; `filled` are
/// the words that have one, each with what is added to it.
fn pointers(image: &[u8], filled: &[(usize, i64)]) -> Vec<usize> {
    const TFLAG: usize = 20;
    const KIND: usize = 23;
    /// Behind what all types begin with.
    const FIRST: usize = 48;
    /// Of a structure and an interface: the fields or methods, and how many there are.
    const TABLE: usize = 56;
    /// Bytes of a field: its name, its type, its offset.
    const FIELD: usize = 24;
    let number = |at: usize, size: usize| -> usize {
        let bytes = image.get(at..at + size).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 8 | usize::from(*byte)).min(1 << 16))
    };
    let words = |from: usize, count: usize| (0..count).map(move |word| from + 8 * word);
    let kind = image.get(KIND).map_or(0, |kind| kind & 0x1f);
    match kind {
        // A channel, a pointer, a slice.
        18 | 22 | 23 => words(FIRST, 1).collect(),
        // An array, and its slice; a map, with its key.
        17 | 21 => words(FIRST, 2).collect(),
        // A function: its types stand behind its methods, if it has some.
        19 => {
            let is_uncommon = number(TFLAG, 1) & 1 == 1;
            let count = number(FIRST, 2) + (number(FIRST + 2, 2) & 0x7fff);
            words(if is_uncommon { 72 } else { 56 }, count).collect()
        }
        20 | 25 if number(TABLE + 8, 8) > 0 => {
            let table = filled.iter().find(|(at, _)| *at == TABLE);
            let fields = table.and_then(|(_, sum)| usize::try_from(*sum).ok());
            let fields = fields.filter(|_| kind == 25).into_iter().flat_map(|first| {
                (0..number(TABLE + 8, 8)).flat_map(move |field| words(first + FIELD * field, 2))
            });
            [TABLE].into_iter().chain(fields).collect()
        }
        _ => Vec::new(),
    }
}

/// Rows begin their line, and what is wrong is all of one.
const WHOLE_LINE: Span = Span {
    column: 1,
    width: 1,
};

/// What to do about rows that are missing.
const PASTE: &str =
    "paste all of its rows; without its heading, what is missing is assumed, and said";

/// Whether a symbol is a table of a function's jumps, as Go has them since 1.19: `main.f.jump3`.
pub fn is_jump_table(name: &str) -> bool {
    let number = name.rsplit_once(".jump").map(|(_, number)| number);
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Bytes at the end of a datum that no row of its listing shows, where zeros may have been meant.
pub fn unshown(lines: &[SourceLine]) -> Option<u64> {
    let mut shown = 0;
    let mut size = None;
    for line in lines {
        match shape(&line.text) {
            Shape::Heading(heading) if !heading.is_zero => size = size.or(heading.size),
            Shape::Dump(offset, bytes) => shown = offset + bytes.len() as u64,
            _ => {}
        }
    }
    size?.checked_sub(shown).filter(|bytes| *bytes > 0)
}

/// Most bytes of data that are written out.
const MOST: usize = 1 << 24;

/// What a `DATA` line puts there.
fn meant<'a>(value: &Value<'a>) -> Result<Datum<'a>, Problem> {
    let width = usize::try_from(value.width).unwrap_or(0);
    let wrong = |why: &str| Err(Problem::new(value.span, why.to_owned()));
    if !(1..=64).contains(&width) {
        return wrong("a value has 1, 2, 4 or 8 bytes");
    }
    if let Some(text) = value
        .text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        let mut bytes = unescaped(text);
        if bytes.len() > width {
            return wrong("the text is longer than the value");
        }
        bytes.resize(width, 0);
        return Ok(Datum::Bytes(bytes));
    }
    if let Some(number) = number(value.text) {
        let bits = 8 * width.min(8) as u32;
        if !(-(1i128 << (bits - 1))..1i128 << bits).contains(&number) {
            return wrong("the number does not fit in the value");
        }
        let mut bytes = number.to_le_bytes()[..width.min(8)].to_vec();
        bytes.resize(width, 0);
        return Ok(Datum::Bytes(bytes));
    }
    if let Ok(float) = value.text.trim_matches(['(', ')']).parse::<f64>() {
        return match width {
            4 => Ok(Datum::Bytes((float as f32).to_le_bytes().to_vec())),
            8 => Ok(Datum::Bytes(float.to_le_bytes().to_vec())),
            _ => wrong("a number with a point has 4 or 8 bytes"),
        };
    }
    match value.text.strip_suffix("(SB)").and_then(split) {
        Some((symbol, addend)) if width == 8 && !symbol.is_empty() => Ok(Datum::Address(
            Target {
                name: Name::Symbol(canonical(symbol)),
                addend: i64::try_from(addend).unwrap_or(0),
                span: value.span,
            },
            8,
        )),
        Some(_) => wrong("an address has 8 bytes"),
        None => wrong("the value is neither a number, nor a text, nor the address of a symbol"),
    }
}
