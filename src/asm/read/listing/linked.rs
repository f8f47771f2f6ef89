//! What the addresses of a listing stand for: lines of it, data of the program that it is of, or what no linker has filled
//! in yet.
//!
//! Correct means: no address is taken for one of another text, and whoever runs the listing learns what it needs.

use iced_x86::Register;

use super::{Entry, FILE_OFFSET, Listing, Row, named, span};
use crate::asm::inst::{Mem, Name, Target};
use crate::asm::problem::{Problem, Span};

/// Settles an operand that is an address, `[rel 0x7]`. In a listing it is a line, or counts from the next instruction;
/// elsewhere it is absolute, for nothing says where the text stands.
pub(in crate::asm) fn settle(
    mem: &mut Mem<'_>,
    columns: &Entry<'_>,
    listing: Option<&Listing<'_>>,
) {
    let Some(Target { name, addend, .. }) = &mem.target else {
        return;
    };
    let Name::Address(named) = name else { return };
    let (address, None) = **named else { return };
    let value = (address as i64).wrapping_add(*addend);
    match (columns.address, columns.bytes.len() as u64, listing) {
        (Some(here), 1.., Some(listing)) if !listing.starts.contains(&address) => {
            let next = here.wrapping_add(columns.bytes.len() as u64);
            mem.displacement = i128::from(value.wrapping_sub(next as i64));
            mem.base = Some(Register::RIP);
        }
        (None, ..) => mem.displacement = i128::from(value),
        _ => return,
    }
    mem.target = None;
}

/// Makes an operand that counts from the next instruction, and leads out of the listing of a linked program, what lies
/// there: whoever runs the text has to give it that.
pub(in crate::asm) fn lead_out<'a>(
    mem: &mut Mem<'a>,
    columns: &Entry<'_>,
    listing: &Listing<'_>,
    (line, length): (&'a str, Option<u8>),
    span: Span,
) {
    let (Some(here), Some((first, last))) = (columns.address, listing.ends) else {
        return;
    };
    let length = match columns.bytes.len() as u64 {
        0 => length.map(u64::from),
        bytes => Some(bytes),
    };
    let (Some(length), Some(Register::RIP), None, None) =
        (length, mem.base, mem.index, &mem.target)
    else {
        return;
    };
    let address = here
        .wrapping_add(length)
        .wrapping_add(mem.displacement as u64);
    if (first..=last).contains(&address) {
        return;
    }
    // `# 4080 <counter>`
    let comment = line.rsplit_once('#').map(|(_, comment)| comment.trim());
    let named_so = |comment: &'a str| {
        let comment = comment.split(FILE_OFFSET).next()?;
        let (digits, name) = comment.split_once(" <")?;
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let is_same = u64::from_str_radix(digits, 16) == Ok(address);
        name.strip_suffix('>').filter(|_| is_same).map(named)
    };
    let (name, addend) = match comment.and_then(named_so) {
        Some((name, addend)) => (name.into(), addend),
        None => (format!("{address:#x}").into(), 0),
    };
    mem.target = Some(Target {
        name: Name::Symbol(name),
        addend,
        span,
    });
    (mem.base, mem.displacement) = (None, 0);
}

/// Refuses the fields of an object file that a linker has yet to fill: they hold 0, so that a call leads to the next
/// instruction, and data stand where that one does.
pub(super) fn refuse_unlinked<'a>(rows: &mut [Row<'a>], lines: impl Iterator<Item = &'a str>) {
    const OPEN: [&str; 7] = [
        "0x0(%rip)",
        " (%rip)",
        "\t(%rip)",
        ",(%rip)",
        "[rip+0x0]",
        "[rip + 0x0]",
        "[rip]",
    ];
    let mut rows: Vec<_> = rows.iter_mut().zip(lines).collect();
    let mut next: Option<(Option<u64>, &str)> = None;
    for (row, line) in rows.iter_mut().rev() {
        let Row::Entry(entry) = &**row else { continue };
        let text = &line[entry.text.clone()];
        let follows = next.replace((entry.address, text));
        let what = match &entry.target {
            // Code that asks where it stands calls the next instruction, and pops what that pushed.
            Some(goal) => follows
                .filter(|(address, next)| {
                    *address == Some(goal.address) && !next.starts_with("pop")
                })
                .filter(|_| text.starts_with("call"))
                .map(|_| "this call leads to the instruction behind it"),
            None => (text.contains("rip") && OPEN.iter().any(|open| text.contains(open)))
                .then_some("this is data where the next instruction stands"),
        };
        let Some(what) = what else { continue };
        **row = Row::Wrong(unlinked(span(line, &entry.text), what));
    }
}

pub(super) fn unlinked(span: Span, what: &str) -> Problem {
    let why = format!(
        "{what}: the listing is of an object file, whose addresses no linker has filled in"
    );
    Problem::new(span, why).help(
        "list the linked program, or paste the compiler's own text (`gcc -S`), or take the function from the file: \
         `dispatchlab import FILE.o NAME`",
    )
}
