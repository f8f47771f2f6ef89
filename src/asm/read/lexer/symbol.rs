//! Where a word ends: names of C++ and Rust have blanks and brackets in them.
//!
//! Correct means: a name is taken whole or not at all, and nothing that is an operand's own bracket
//! is taken for a part of a name.

use super::{Dialect, char_at, is_word, word_end};
use crate::asm::read::float::Field;
use crate::asm::registers::{lower, register};

/// What stands in front of a C++ name and belongs to it.
const PHRASES: [&str; 11] = [
    "vtable for ",
    "typeinfo for ",
    "typeinfo name for ",
    "VTT for ",
    "construction vtable for ",
    "guard variable for ",
    "non-virtual thunk to ",
    "virtual thunk to ",
    "covariant return thunk to ",
    "TLS wrapper function for ",
    "TLS init function for ",
];

/// Words that brackets follow and that are no functions.
const KEYWORDS: [&str; 6] = ["st", "hash", "ptr", "offset", "rel", "abs"];

/// The end of the word that begins at `start`; none where none begins.
pub(super) fn symbol_end(line: &str, start: usize, dialect: Dialect) -> Option<usize> {
    let mut at = start;
    if line.as_bytes()[start] == b'<' {
        // `<T as Trait>::method`
        at = balanced(line, start)?;
        return line[at..]
            .starts_with("::")
            .then(|| qualified(line, at, dialect));
    }
    if matches!(
        line.as_bytes()[start],
        b'v' | b't' | b'V' | b'c' | b'g' | b'n' | b'T'
    ) && let Some(phrase) = PHRASES.iter().find(|p| line[start..].starts_with(**p))
    {
        at += phrase.len();
    }
    let end = word_end(line, at);
    let word = &line[at..end];
    // A `$` alone, or before a number, is a sign.
    let second = word.strip_prefix('$').map(|rest| rest.chars().next());
    if word.is_empty() || second.is_some_and(|c| !c.is_some_and(|c| c.is_alphabetic() || c == '_'))
    {
        return None;
    }
    match line.as_bytes().get(end) {
        Some(b':' | b'<' | b'(' | b'!') => Some(qualified(line, at, dialect)),
        Some(b'{') if line[end..].starts_with("{{") => Some(qualified(line, at, dialect)),
        Some(b' ') if word == "operator" => Some(qualified(line, at, dialect)),
        _ => Some(end),
    }
}

/// The end of a name of parts with `::` between, with what stands in its brackets.
fn qualified(line: &str, start: usize, dialect: Dialect) -> usize {
    let mut at = start;
    loop {
        let end = word_end(line, at);
        let word = &line[at..end];
        at = end;
        if word == "operator" || word.ends_with(".operator") {
            at = operator_end(line, at);
        }
        let rest = &line[at..];
        let next = match char_at(line, at) {
            Some(':') if rest.starts_with("::") && rest.len() > 2 => {
                at += 2;
                // A destructor's tilde, or a part without a name.
                match char_at(line, at) {
                    Some('~') => at += 1,
                    Some('{' | '<' | '(') => at = balanced(line, at).unwrap_or(at),
                    Some('`') => at = made_up(line, at),
                    _ => {}
                }
                continue;
            }
            // A module in front, as Windows' debuggers have it.
            Some('!') if at > start => {
                at = made_up(line, at + 1);
                continue;
            }
            Some('{') if rest.starts_with("{{") => balanced(line, at),
            Some('<') if !rest.starts_with("<<") && at > start => balanced(line, at),
            Some('(') if at > start && is_argument_list(line, at, word, dialect) => {
                balanced(line, at).map(|end| with_qualifiers(line, end))
            }
            Some(c) if is_word(c) && at > end => continue,
            _ => None,
        };
        match next {
            Some(end) => at = end,
            None => return at,
        }
    }
}

/// Behind a name such as `` `vftable' ``, where one begins at `at`.
fn made_up(line: &str, at: usize) -> usize {
    let rest = line[at..].strip_prefix('`');
    let length = rest.and_then(|rest| rest.find('\''));
    length.map_or(at, |length| at + length + 2)
}

/// What follows `operator`: a sign, or a type's name, up to the arguments.
fn operator_end(line: &str, at: usize) -> usize {
    let rest = &line[at..];
    let skipped = if rest.starts_with("()") { 2 } else { 0 };
    rest[skipped..]
        .find('(')
        .map_or(at, |length| at + skipped + length)
}

/// ` const` and ` [clone .cold]`.
fn with_qualifiers(line: &str, mut at: usize) -> usize {
    if line[at..].starts_with(" const") {
        at += " const".len();
    }
    if line[at..].starts_with(" [clone ")
        && let Some(length) = line[at..].find(']')
    {
        at += length + 1;
    }
    at
}

/// Whether the parenthesis at `at` opens the arguments of a function of that name, and no address.
fn is_argument_list(line: &str, at: usize, word: &str, dialect: Dialect) -> bool {
    let Some(end) = balanced(line, at) else {
        return false;
    };
    let inside = &line[at + 1..end - 1];
    let is_att = dialect.is_att;
    if KEYWORDS.contains(&&*lower(word)) || is_att && inside.contains('%') {
        return false;
    }
    if !is_att && Field::of(word).is_some() {
        return false;
    }
    if inside.is_empty() {
        return true;
    }
    let first = &inside[..word_end(inside, 0)];
    let begins = first.starts_with(|c: char| c.is_alphabetic() || c == '_');
    begins && register(first).is_none()
}

/// Behind the bracket that closes the one at `at`.
fn balanced(line: &str, at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut before = ' ';
    for (offset, c) in line[at..].char_indices() {
        match c {
            '<' | '(' | '{' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | '}' | ']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + offset + c.len_utf8());
                }
            }
            '"' | ';' => return None,
            _ => {}
        }
        before = c;
    }
    None
}
