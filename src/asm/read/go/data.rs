//! Data in Go's listings and sources.
//!
//! Correct means: every byte is the one that was printed or asked for, and a field that holds an address
//! holds that of the symbol beside it.

use super::operand::{number, split};
use super::shapes::{Shape, Value};
use super::symbol::canonical;
use crate::asm::inst::{Datum, Name, Target};
use crate::asm::problem::Problem;
use crate::asm::read::listing::{Listing, Row};

/// Data as one row of values, behind all others.
pub(super) fn data<'a>(shapes: &[Shape<'a>]) -> Listing<'a> {
    let mut image: Vec<u8> = Vec::new();
    let mut addresses: Vec<(usize, Datum<'a>)> = Vec::new();
    let mut size = 0;
    let mut wrong = None;
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
                put(*offset, bytes);
            }
            Shape::Broken(problem) => wrong = wrong.or(Some((at, problem.clone()))),
            // Of the short ones, which count from the beginning of all types, nothing is read here.
            Shape::Relocation(one) if one.width == 8 && !one.symbol.is_empty() => {
                put(one.offset, &[0; 8]);
                let target = Target {
                    name: Name::Symbol(canonical(one.symbol)),
                    addend: one.addend,
                    span: one.span,
                };
                addresses.push((one.offset as usize, Datum::Address(target, 8)));
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
    addresses.sort_by_key(|(offset, _)| *offset);
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

/// The bytes of a text in quotes.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            bytes.extend(c.to_string().bytes());
            continue;
        }
        match characters.next() {
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('r') => bytes.push(b'\r'),
            Some('x') => {
                let value = (0..2).fold(0, |value, _| {
                    value * 16 + characters.next().and_then(|c| c.to_digit(16)).unwrap_or(0)
                });
                bytes.push(value as u8);
            }
            Some(c @ '0'..='7') => {
                let value = (0..2).fold(c.to_digit(8).unwrap_or(0), |value, _| {
                    value * 8 + characters.next().and_then(|c| c.to_digit(8)).unwrap_or(0)
                });
                bytes.push(value as u8);
            }
            Some(c) => bytes.extend(c.to_string().bytes()),
            None => {}
        }
    }
    bytes
}
