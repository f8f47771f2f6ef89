//! One line as tokens, in whichever dialect.
//!
//! Correct means: every token knows its characters, a comment never begins inside quotes, and
//! what is not a token of the dialect is refused here with its column.

mod number;
mod quoted;
mod symbol;

use std::borrow::Cow;
use std::ops::Range;

use crate::asm::inst::Direction;
use crate::asm::problem::{Problem, Span};
use number::number;
use quoted::{quoted, text};
use symbol::symbol_end;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::asm) enum Token<'a> {
    /// A mnemonic, register, keyword, label or symbol, as written.
    Word(&'a str),
    /// A number or character constant.
    Number(u64),
    /// A number with a point: for data.
    Float(&'a str),
    /// `1f` or `1b`.
    Numeric(u32, Direction),
    /// What stood in double quotes; a copy only where it has escapes.
    Text(Cow<'a, str>),
    /// What stood in single quotes and is more than one character, or is no text: for data.
    Quote(Cow<'a, [u8]>),
    /// Any of `, : ; [ ] ( ) { } + - * / % & | ^ ~ $ =`, `<` for `<<` and `>` for `>>`.
    Mark(char),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::asm) struct Placed<'a> {
    /// What it is.
    pub(in crate::asm) token: Token<'a>,
    /// Its characters.
    pub(in crate::asm) span: Span,
}

/// What begins a comment, and what a sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) struct Dialect {
    /// Whether `%` and `$` mark registers and immediates.
    pub(in crate::asm) is_att: bool,
    /// Whether `;` separates statements; else a comment begins there.
    pub(in crate::asm) separates: bool,
}

/// Appends the tokens of the bytes `part` of `line` up to its comment, or up to what is wrong with it.
/// The answer is where the comment begins, where there is one.
pub(in crate::asm) fn tokens<'a>(
    line: &'a str,
    part: Range<usize>,
    dialect: Dialect,
    found: &mut Vec<Placed<'a>>,
) -> Result<Option<usize>, Problem> {
    let all = line;
    let line = &line[..part.end];
    // Positions count bytes, columns count characters.
    let is_ascii = line.is_ascii();
    let mut at = part.start;
    let mut column = match is_ascii {
        true => narrow(at) + 1,
        false => span(line, 0, at).width + 1,
    };
    while let Some(first) = char_at(line, at) {
        let second = line.as_bytes().get(at + 1).copied();
        let (token, end) = match first {
            // Blanks in a row are most of many lines.
            ' ' => {
                let rest = line.as_bytes()[at..].iter();
                let blanks = rest.take_while(|byte| **byte == b' ').count();
                at += blanks;
                column += narrow(blanks);
                continue;
            }
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                column += 1;
                continue;
            }
            ';' if dialect.separates && second != Some(b';') => (Token::Mark(';'), at + 1),
            ';' => return Ok(Some(at)),
            '#' => return Ok(Some(at)),
            '/' if second == Some(b'/') => return Ok(Some(at)),
            '/' if second == Some(b'*') => {
                let Some(length) = line[at + 2..].find("*/") else {
                    // It goes on in the next line, where it would be taken for code.
                    return Err(Problem::new(
                        span(line, at, line.len()),
                        "the comment is not closed on its line",
                    )
                    .help("write `*/` on the same line, or begin each line with `#`"));
                };
                let end = at + 2 + length + 2;
                column += span(line, at, end).width;
                at = end;
                continue;
            }
            '"' => text(line, at, '"')?,
            '`' => text(line, at, '`')?,
            '\'' => quoted(line, at, dialect)?,
            '<' | '>' if second == Some(first as u8) => (Token::Mark(first), at + 2),
            _ if first.is_ascii_digit() => number(line, at, dialect)?,
            _ if is_word(first) || first == '<' || first == '$' && !dialect.is_att => {
                match symbol_end(line, at, dialect) {
                    Some(end) => (Token::Word(&all[at..end]), end),
                    None if first == '$' && second == Some(b'$') => (Token::Word("$$"), at + 2),
                    None if first == '$' => (Token::Mark(first), at + 1),
                    None => return Err(unexpected(line, at, first)),
                }
            }
            ',' | ':' | '[' | ']' | '(' | ')' | '{' | '}' | '+' | '-' | '*' | '/' | '%' | '&'
            | '|' | '^' | '~' | '$' | '=' => (Token::Mark(first), at + 1),
            _ => return Err(unexpected(line, at, first)),
        };
        let width = narrow(if is_ascii {
            end - at
        } else {
            line[at..end].chars().count()
        });
        found.push(Placed {
            token,
            span: Span { column, width },
        });
        column += width;
        at = end;
    }
    Ok(None)
}

fn unexpected(line: &str, at: usize, first: char) -> Problem {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_.$@+<>".contains(c);
    let name = line[at..].find('>').map(|end| &line[at..=at + end]);
    match name.filter(|name| first == '<' && name.len() > 2 && name.chars().all(is_of_name)) {
        // As `objdump --no-addresses` prints a target.
        Some(name) => Problem::new(
            span(line, at, at + name.len()),
            format!("`{name}` is no operand without an address beside it"),
        )
        .help("paste the listing with its addresses: `objdump -d` without `--no-addresses`"),
        None => Problem::new(
            span(line, at, at + first.len_utf8()),
            format!("unexpected character `{first}`"),
        ),
    }
}

/// The character that begins at byte `at`.
fn char_at(line: &str, at: usize) -> Option<char> {
    match line.as_bytes().get(at) {
        Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
        _ => line.get(at..)?.chars().next(),
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX / 2)
}

/// The characters between two positions. It counts from the start of the line: for problems, of
/// which a line has one.
pub(in crate::asm) fn span(line: &str, start: usize, end: usize) -> Span {
    Span {
        column: narrow(line[..start].chars().count() + 1),
        width: narrow(line[start..end].chars().count()),
    }
}

/// Go's middle dot stands in names such as `main·f`, `$` in those of Rust and MSVC.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '?' | '·')
}

fn word_end(line: &str, start: usize) -> usize {
    let is_plain = |byte: &u8| byte.is_ascii() && (is_word(char::from(*byte)) || *byte == b'$');
    let plain = line.as_bytes()[start..]
        .iter()
        .take_while(|byte| is_plain(byte));
    let end = start + plain.count();
    if line.as_bytes().get(end).is_none_or(u8::is_ascii) {
        return end;
    }
    line[end..]
        .find(|c| !is_word(c) && c != '$')
        .map_or(line.len(), |length| end + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEL: Dialect = Dialect {
        is_att: false,
        separates: false,
    };

    fn marks(line: &str) -> Vec<Token<'_>> {
        let mut found = Vec::new();
        // What stands before a problem is kept.
        let _ = tokens(line, 0..line.len(), INTEL, &mut found);
        found.into_iter().map(|placed| placed.token).collect()
    }

    #[test]
    fn numbers_are_read_in_every_notation() {
        for (written, value) in [
            ("0x1F", 31),
            ("1fh", 31),
            ("0ffh", 255),
            ("0b101", 5),
            ("1_000", 1000),
            ("'c'", 99),
            ("0o17", 15),
            ("18446744073709551615", u64::MAX),
            ("'\\n'", 10),
            ("';'", 59),
        ] {
            assert_eq!(marks(written), [Token::Number(value)], "{written}");
        }
        assert_eq!(
            marks("1f 2b"),
            [
                Token::Numeric(1, Direction::Forward),
                Token::Numeric(2, Direction::Backward),
            ]
        );
    }

    #[test]
    fn a_comment_never_begins_inside_quotes() {
        for comment in ["; x", "# x", "// x"] {
            assert_eq!(
                marks(&format!("\"a{comment}\" {comment}")),
                [Token::Text(format!("a{comment}").into())]
            );
        }
    }

    #[test]
    fn bad_tokens_are_refused_at_their_column() {
        for (line, column, width) in [
            ("x \"abc", 3, 4),
            ("a 12x4", 3, 4),
            ("''", 1, 2),
            ("99999999999999999999", 1, 20),
            ("x ! y", 3, 1),
            ("é \"\\q\"", 4, 2),
        ] {
            let problem = tokens(line, 0..line.len(), INTEL, &mut Vec::new()).unwrap_err();
            assert_eq!(
                problem.span,
                Span { column, width },
                "{line}: {}",
                problem.message
            );
        }
    }
}
