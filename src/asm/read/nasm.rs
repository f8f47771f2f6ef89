//! The columns of a listing that `nasm -l` writes: the number of a line of source, its offset, its bytes, and the line.
//!
//! Correct means: a text is such a listing only where each of its lines has that number, and then each line is read as
//! the source that it shows. Bytes count but where they hold an address of 32 bits, which no text here has.

use std::ops::Range;

use super::listing::{Entry, Row};

/// Columns of a line's number.
const NUMBER: usize = 6;
/// Columns between that and the source.
const BETWEEN: usize = 34;
/// Columns of the offset.
const OFFSET: usize = 8;

/// The rows of a text that is such a listing.
pub(super) fn survey<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> Option<Vec<Row<'a>>> {
    if !is_listing(lines.clone()) {
        return None;
    }
    let mut rows: Vec<Row<'a>> = Vec::new();
    let mut owner: Option<(usize, Bytes)> = None;
    for (at, line) in lines.enumerate() {
        let text = source(line);
        let shown = bytes(line);
        let row = Row::Entry(Entry::of(Vec::new(), text.clone()));
        match shown {
            Some(more) if text.is_empty() => {
                if let Some((_, bytes)) = &mut owner {
                    bytes.append(more);
                }
                rows.push(Row::Passed);
                continue;
            }
            _ if text.is_empty() => rows.push(Row::Passed),
            _ => rows.push(row),
        }
        give(&mut rows, owner.take());
        owner = shown.map(|bytes| (at, bytes));
    }
    give(&mut rows, owner);
    Some(rows)
}

/// Gives bytes to the row that they are of.
fn give(rows: &mut [Row<'_>], owner: Option<(usize, Bytes)>) {
    if let Some((at, bytes)) = owner
        && !bytes.are_open
        && let Row::Entry(entry) = &mut rows[at]
    {
        *entry = Entry::of(bytes.bytes, entry.text.clone());
    }
}

/// What a line of source is in such a listing, else all of the line.
pub(in crate::asm) fn sources<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> Vec<&'a str> {
    match is_listing(lines.clone()) {
        true => lines.map(|line| &line[source(line)]).collect(),
        false => lines.collect(),
    }
}

fn is_listing<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let mut has_bytes = false;
    let mut last = 0;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let Some((number, end)) = number(line) else {
            return false;
        };
        // What a macro makes has the numbers of its own lines, and rows of it are told by bytes.
        let is_row = bytes(line).is_some();
        if number < last && !is_row || !line[end..].is_empty() && !line[end..].starts_with(' ') {
            return false;
        }
        has_bytes |= is_row;
        last = number;
    }
    has_bytes
}

/// The number that a line begins with, and where that ends: in the sixth column at least, but for what a paste took
/// from the left of all lines.
fn number(line: &str) -> Option<(u32, usize)> {
    let start = line.len() - line.trim_start_matches(' ').len();
    let digits = line[start..].bytes().take_while(u8::is_ascii_digit).count();
    let end = start + digits;
    (start > 0 || digits >= NUMBER).then_some(())?;
    Some((line[start..end].parse().ok()?, end))
}

/// Where the line of source stands.
fn source(line: &str) -> Range<usize> {
    let end = line.trim_end().len();
    let start = number(line).map_or(0, |(_, number)| number + BETWEEN);
    // A tab or a letter of several bytes stands in the source alone, behind that column.
    let start = start.min(end);
    match line.is_char_boundary(start) {
        true => start..end,
        false => end..end,
    }
}

/// The bytes of a line.
#[derive(Debug, Default)]
struct Bytes {
    bytes: Vec<u8>,
    /// Whether the instruction will have others, or there are none.
    are_open: bool,
}

impl Bytes {
    fn append(&mut self, more: Bytes) {
        self.bytes.extend(more.bytes);
        self.are_open |= more.are_open;
    }
}

/// What stands in the column of bytes, if there is an offset in front of it.
fn bytes(line: &str) -> Option<Bytes> {
    let (_, end) = number(line)?;
    let offset = line.get(end + 1..end + 1 + OFFSET)?;
    let is_offset = offset.bytes().all(|byte| byte.is_ascii_hexdigit());
    let column = line.get(end + 1 + OFFSET..)?.strip_prefix(' ')?;
    let column = column.split([' ', '\t']).next()?;
    if !is_offset || column.is_empty() {
        return None;
    }
    let mut found = Bytes::default();
    let mut field: Option<usize> = None;
    let mut rest = column;
    while let Some(mark) = rest.chars().next() {
        match mark {
            '<' => {
                // `<rep 8h>` stands behind what is repeated, `<res 40h>` behind nothing.
                found.are_open |= found.bytes.is_empty();
                return Some(found);
            }
            '[' => field = Some(found.bytes.len()),
            ']' => {
                let size = found.bytes.len() - field.take()?;
                // An address that takes four bytes is none that code has here.
                found.are_open |= size == 4;
            }
            '(' | ')' | '-' => {}
            _ => {
                let digits = rest.get(..2)?;
                found.bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[1..];
            }
        }
        rest = &rest[1..];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "     2 00000000 B801000000              f: mov eax, 1";
    const LABEL: &str = "     1                                  .again:";

    #[test]
    fn a_listing_has_a_number_on_each_line_and_bytes_on_one() {
        let is = |lines: &[&str]| is_listing(lines.iter().copied());
        assert!(is(&[LABEL, ROW]));
        assert!(is(&[LABEL, "", ROW]));
        // What was pasted with the blanks of all lines taken away.
        assert!(!is(&[LABEL]));
        assert!(!is(&[ROW, "ret"]));
        assert!(!is(&[ROW, LABEL]), "numbers ascend");
        assert!(!is(&["1: nop", "2: nop"]));
        assert!(!is(&["     1 0000000G B801000000              nop"]));
    }

    #[test]
    fn the_source_stands_behind_its_column_and_the_bytes_before_it() {
        assert_eq!(
            sources([LABEL, ROW].into_iter()),
            [".again:", "f: mov eax, 1"]
        );
        assert_eq!(sources(["nop", ROW].into_iter()), ["nop", ROW]);
        let all = |line: &str| bytes(line).map(|bytes| (bytes.bytes, bytes.are_open));
        assert_eq!(all(ROW), Some((vec![0xb8, 1, 0, 0, 0], false)));
        assert_eq!(all(LABEL), None);
        let of = |column: &str| {
            all(&format!("     2 00000000 {column} nop")).map(|(bytes, open)| (bytes.len(), open))
        };
        assert_eq!(of("E8(00000000)"), Some((5, false)));
        assert_eq!(of("48890425[00000000]"), Some((8, true)));
        assert_eq!(of("48B8[0000000000000000]"), Some((10, false)));
        assert_eq!(of("90<rep 8h>"), Some((1, false)));
        assert_eq!(of("<res 40h>"), Some((0, true)));
        assert_eq!(of("48B9887766-"), Some((5, false)));
        assert_eq!(of("48B"), None);
    }
}
