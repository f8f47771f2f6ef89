//! One function as several compilers have it, as text.
//!
//! Correct means: each column has the instructions of its program, all of them and in order; equal ones stand on one
//! line where that is possible.

use std::fmt::Write as _;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::asm;
use crate::binary::{Binary, Symbol};

/// What one build made of it.
pub(super) struct Column {
    /// The build's name.
    pub(super) name: String,
    /// Instructions.
    pub(super) code: Vec<String>,
    /// Bytes of them.
    pub(super) bytes: u64,
    /// What is called and cannot run here, with the reason.
    pub(super) left_out: Vec<(String, String)>,
    /// The name of its template.
    pub(super) template: String,
}

/// What was decided at a line, and by whom.
pub(super) struct Decided {
    pub(super) text: String,
    pub(super) by: Vec<String>,
}

/// All that is shown.
pub(super) struct View<'a> {
    pub(super) title: String,
    /// Numbers, texts and decisions.
    pub(super) lines: Vec<(usize, String, Vec<Decided>)>,
    pub(super) columns: &'a [Column],
}

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

impl View<'_> {
    pub(super) fn text(&self, width: usize) -> String {
        let mut out = format!("{}\n", self.title);
        self.source(&mut out);
        self.sizes(&mut out);
        match self.columns {
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
    fn source(&self, out: &mut String) {
        if self.lines.is_empty() {
            return;
        }
        out.push('\n');
        for (number, line, decided) in &self.lines {
            let line = line.replace('\t', "    ");
            let _ = writeln!(out, "  {number:>4}  {line}");
            for one in decided {
                // Where all say the same, nobody needs to be named.
                let by = match one.by.len() == self.columns.len() {
                    true => String::new(),
                    false => format!("{}: ", one.by.join(", ")),
                };
                let _ = writeln!(out, "          ^ {by}{}", one.text);
            }
        }
    }

    fn sizes(&self, out: &mut String) {
        let _ = writeln!(out, "\n  {:<16} {:>12} {:>8}", "", "instructions", "bytes");
        for column in self.columns {
            let _ = writeln!(
                out,
                "  {:<16} {:>12} {:>8}",
                column.name,
                column.code.len(),
                column.bytes
            );
        }
        for column in self.columns {
            for (name, why) in &column.left_out {
                let _ = writeln!(out, "  {}: without {name}: {why}", column.name);
            }
        }
    }
}

/// Two columns; `|` stands between what differs.
fn pair(out: &mut String, one: &Column, other: &Column, width: usize) {
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
