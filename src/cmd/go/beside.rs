//! One function as several compilers have it, as text.
//!
//! Correct means: each column has the instructions of its program, all of them and in order; equal ones stand on one
//! line where that is possible.

use std::fmt::Write as _;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::asm;
use crate::binary::{Binary, Symbol};
use crate::report::compiled::{Build, Compiled};

/// The instructions of a function; addresses inside it count from its start.
pub(super) fn listing(binary: &Binary<'_>, function: &Symbol<'_>) -> Vec<String> {
    let bytes = binary.bytes(function.address, function.size);
    let name = |address: u64| match address.wrapping_sub(function.address) {
        distance if distance < function.size => Some(format!("+{distance:#x}")),
        _ => binary.name_of(address),
    };
    let listed = asm::disassemble(bytes.unwrap_or_default(), function.address, &name);
    listed.into_iter().map(|one| one.text).collect()
}

/// All that is shown above the table.
pub(super) fn text(compiled: &Compiled, width: usize) -> String {
    let mut out = format!("{} of {}\n", compiled.function, compiled.source);
    source(&mut out, compiled);
    sizes(&mut out, compiled);
    match &compiled.builds[..] {
        [only] => {
            out.push('\n');
            for line in &only.code {
                let _ = writeln!(out, "  {line}");
            }
        }
        [first, others @ ..] => {
            for other in others {
                pair(&mut out, first, other, width);
            }
        }
        [] => {}
    }
    out.push('\n');
    out
}

/// The lines of the source, and below each what was decided there.
fn source(out: &mut String, compiled: &Compiled) {
    if compiled.lines.is_empty() {
        return;
    }
    // A terminal is shown no tabs.
    let spaced = |text: &str| text.replace('\t', "    ");
    out.push('\n');
    for line in &compiled.lines {
        let _ = writeln!(out, "  {:>4}  {}", line.line, spaced(&line.text));
        for one in &line.decisions {
            // Where all say the same, nobody needs to be named.
            let by = match one.by.len() == compiled.builds.len() {
                true => String::new(),
                false => format!("{}: ", one.by.join(", ")),
            };
            let _ = writeln!(out, "          ^ {by}{}", spaced(&one.text));
        }
    }
}

fn sizes(out: &mut String, compiled: &Compiled) {
    let _ = writeln!(out, "\n  {:<16} {:>12} {:>8}", "", "instructions", "bytes");
    for build in &compiled.builds {
        let _ = writeln!(
            out,
            "  {:<16} {:>12} {:>8}",
            build.name, build.instructions, build.bytes
        );
    }
    for build in &compiled.builds {
        for left in &build.without {
            let _ = writeln!(
                out,
                "  {}: without {}: {}",
                build.name, left.function, left.why
            );
        }
    }
}

/// Two columns; `|` stands between what differs.
fn pair(out: &mut String, one: &Build, other: &Build, width: usize) {
    /// What stands in front of, between and behind the columns.
    const AROUND: usize = 7;
    let room = (width.saturating_sub(AROUND) / 2).max(20);
    let cut = |text: &str| -> String {
        match text.chars().count() > room {
            true => text.chars().take(room - 1).chain(['…']).collect(),
            false => text.to_string(),
        }
    };
    let mut line = |one: &str, sign: char, other: &str| {
        let line = format!("  {:<room$} {sign} {}", cut(one), cut(other));
        let _ = writeln!(out, "{}", line.trim_end());
    };
    line("", ' ', "");
    line(&one.name, ' ', &other.name);
    for (left, right) in rows(&one.code, &other.code) {
        let sign = if left == right { ' ' } else { '|' };
        line(left.unwrap_or_default(), sign, right.unwrap_or_default());
    }
}

/// Two listings beside each other, equal lines on one.
fn rows<'a>(one: &'a [String], other: &'a [String]) -> Vec<(Option<&'a str>, Option<&'a str>)> {
    // Distances shift with every instruction that is more or less.
    let plain = |code: &[String]| -> Vec<String> {
        let without = |text: &String| match text.split_once(" +0x") {
            Some((jump, _)) => jump.to_string(),
            None => text.clone(),
        };
        code.iter().map(without).collect()
    };
    let operations = capture_diff_slices(Algorithm::Patience, &plain(one), &plain(other));
    let mut rows = Vec::new();
    for operation in operations {
        let (left, right) = match operation {
            DiffOp::Equal {
                old_index,
                new_index,
                len,
            } => (old_index..old_index + len, new_index..new_index + len),
            other => (other.old_range(), other.new_range()),
        };
        let count = left.len().max(right.len());
        let get = |code: &'a [String], range: &std::ops::Range<usize>, at: usize| {
            range.clone().nth(at).map(|at| &*code[at])
        };
        rows.extend((0..count).map(|at| (get(one, &left, at), get(other, &right, at))));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_stands_in_its_column_once_and_equal_ones_beside_each_other() {
        let code = |text: &str| -> Vec<String> { text.split(',').map(str::to_string).collect() };
        let one = code("cmp rsp,jbe +0x20,mov rax,add rax,ret");
        let other = code("cmp rsp,jbe +0x18,add rax,nop,ret");
        let found = rows(&one, &other);
        let left: Vec<&str> = found.iter().filter_map(|row| row.0).collect();
        let right: Vec<&str> = found.iter().filter_map(|row| row.1).collect();
        assert_eq!(left, one);
        assert_eq!(right, other);
        assert!(found.contains(&(Some("add rax"), Some("add rax"))));
        assert!(found.contains(&(Some("jbe +0x20"), Some("jbe +0x18"))));
    }
}
