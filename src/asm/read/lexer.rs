//! One line of Intel syntax as tokens.
//!
//! Correct means: every token knows its characters, a comment never begins inside quotes, and
//! what is not a token of the dialect is refused here with its column.

use std::borrow::Cow;

use crate::asm::inst::Direction;
use crate::asm::problem::{Problem, Span};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::asm) enum Token<'a> {
    /// A mnemonic, register, keyword or label, as written.
    Word(&'a str),
    /// A number or character constant.
    Number(u64),
    /// `1f` or `1b`.
    Numeric(u32, Direction),
    /// What stood in double quotes; a copy only where it has escapes.
    Text(Cow<'a, str>),
    /// Any of `, : [ ] ( ) { } + - *`.
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

/// Appends the tokens of `line` up to its comment, or up to what is wrong with it.
pub(in crate::asm) fn tokens<'a>(
    line: &'a str,
    found: &mut Vec<Placed<'a>>,
) -> Result<(), Problem> {
    // Positions count bytes, columns count characters.
    let (mut at, mut column) = (0, 1);
    let is_ascii = line.is_ascii();
    while let Some(first) = char_at(line, at) {
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
            ';' | '#' => break,
            '/' if char_at(line, at + 1) == Some('/') => break,
            '"' => text(line, at)?,
            '\'' => character(line, at)?,
            ',' | ':' | '[' | ']' | '(' | ')' | '{' | '}' | '+' | '-' | '*' => {
                (Token::Mark(first), at + 1)
            }
            _ if first.is_ascii_digit() => number(line, at)?,
            _ if is_word(first) => {
                let end = word_end(line, at);
                (Token::Word(&line[at..end]), end)
            }
            _ => {
                let problem = Problem::new(
                    span(line, at, at + first.len_utf8()),
                    format!("unexpected character `{first}`"),
                );
                return Err(match first {
                    '$' | '%' => problem.help(
                        "Intel syntax marks neither registers nor immediates: write `rax` and `5`",
                    ),
                    '/' => problem.help("a comment begins with `;`, `#` or `//`"),
                    _ => problem,
                });
            }
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
    Ok(())
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
fn span(line: &str, start: usize, end: usize) -> Span {
    Span {
        column: narrow(line[..start].chars().count() + 1),
        width: narrow(line[start..end].chars().count()),
    }
}

/// Go's middle dot stands in names such as `main·f`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '?' | '·')
}

fn word_end(line: &str, start: usize) -> usize {
    let is_plain = |byte: &u8| byte.is_ascii() && is_word(char::from(*byte));
    let plain = line.as_bytes()[start..]
        .iter()
        .take_while(|byte| is_plain(byte));
    let end = start + plain.count();
    if line.as_bytes().get(end).is_none_or(u8::is_ascii) {
        return end;
    }
    line[end..]
        .find(|c| !is_word(c))
        .map_or(line.len(), |length| end + length)
}

fn text(line: &str, start: usize) -> Result<(Token<'_>, usize), Problem> {
    let rest = &line[start + 1..];
    if let Some(length) = rest.find(['"', '\\'])
        && rest[length..].starts_with('"')
    {
        let text = Cow::Borrowed(&rest[..length]);
        return Ok((Token::Text(text), start + 1 + length + 1));
    }
    let mut value = String::new();
    let mut at = start + 1;
    while let Some(c) = char_at(line, at) {
        match c {
            '"' => return Ok((Token::Text(Cow::Owned(value)), at + 1)),
            '\\' => {
                let (c, end) = escape(line, at)?;
                value.push(c);
                at = end;
            }
            _ => {
                value.push(c);
                at += c.len_utf8();
            }
        }
    }
    Err(Problem::new(
        span(line, start, line.len()),
        "the closing double quote is missing",
    ))
}

/// The character that the escape at `at` stands for, and where the text goes on.
fn escape(line: &str, at: usize) -> Result<(char, usize), Problem> {
    let second = char_at(line, at + 1);
    let known = match second {
        Some('"') => Some('"'),
        Some('\'') => Some('\''),
        Some('\\') => Some('\\'),
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('0') => Some('\0'),
        _ => None,
    };
    let end = at + 1 + second.map_or(0, char::len_utf8);
    match known {
        Some(c) => Ok((c, end)),
        None => Err(Problem::new(span(line, at, end), "unknown escape")
            .help("known are \\\" \\' \\\\ \\n \\r \\t \\0; other bytes go into `db` as numbers")),
    }
}

fn character(line: &str, start: usize) -> Result<(Token<'_>, usize), Problem> {
    let inside = start + 1;
    let (value, end) = match char_at(line, inside) {
        Some('\\') => escape(line, inside)?,
        Some(c) if c != '\'' => (c, inside + c.len_utf8()),
        _ => (' ', inside),
    };
    if end > inside && char_at(line, end) == Some('\'') {
        return Ok((Token::Number(u64::from(u32::from(value))), end + 1));
    }
    let end = line[inside..]
        .find('\'')
        .map_or(line.len(), |length| inside + length + 1);
    Err(Problem::new(
        span(line, start, end),
        "a character constant is one character in single quotes",
    )
    .help("texts stand in double quotes"))
}

fn number(line: &str, start: usize) -> Result<(Token<'_>, usize), Problem> {
    let end = word_end(line, start);
    let written = &line[start..end];
    // Nearly all numbers are plain decimal ones, which need no copy.
    if let Ok(value) = written.parse() {
        return Ok((Token::Number(value), end));
    }
    let digits = written.to_ascii_lowercase().replace('_', "");
    let here = || span(line, start, end);

    if let Some(label) = digits.strip_suffix(['f', 'b'])
        && label.chars().all(|c| c.is_ascii_digit())
        && !label.is_empty()
    {
        let way = if digits.ends_with('f') {
            Direction::Forward
        } else {
            Direction::Backward
        };
        let Ok(label) = label.parse() else {
            return Err(Problem::new(
                here(),
                format!("the number of label `{written}` is too large"),
            ));
        };
        return Ok((Token::Numeric(label, way), end));
    }
    let (digits, base) = if let Some(hex) = digits.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(hex) = digits.strip_suffix('h') {
        (hex, 16)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        (binary, 2)
    } else if let Some(octal) = digits.strip_prefix("0o") {
        (octal, 8)
    } else {
        (digits.as_str(), 10)
    };
    if !digits.is_empty() && digits.chars().all(|c| c.is_digit(base)) {
        return match u64::from_str_radix(digits, base) {
            Ok(value) => Ok((Token::Number(value), end)),
            Err(_) => Err(Problem::new(
                here(),
                format!("the number {written} does not fit in 64 bits"),
            )),
        };
    }
    // `1to16`, as in an AVX-512 broadcast, is the only word that begins with a digit.
    if written
        .split_once("to")
        .is_some_and(|(one, n)| one == "1" && n.chars().all(|c| c.is_ascii_digit()))
    {
        return Ok((Token::Word(written), end));
    }
    let problem = Problem::new(here(), format!("`{written}` is not a number"));
    Err(
        if digits.len() <= 16 && digits.chars().all(|c| c.is_ascii_hexdigit()) && base == 10 {
            problem.help(format!(
                "hexadecimal numbers are written 0x{digits} or 0{digits}h"
            ))
        } else {
            problem
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(line: &str) -> Vec<Token<'_>> {
        let mut found = Vec::new();
        // What stands before a problem is kept.
        let _ = tokens(line, &mut found);
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
            ("mov $5", 5, 1),
            ("x \"abc", 3, 4),
            ("a 12x4", 3, 4),
            ("''", 1, 2),
            ("'ab'", 1, 4),
            ("99999999999999999999", 1, 20),
            ("x / y", 3, 1),
            ("é \"\\q\"", 4, 2),
        ] {
            let problem = tokens(line, &mut Vec::new()).unwrap_err();
            assert_eq!(
                problem.span,
                Span { column, width },
                "{line}: {}",
                problem.message
            );
        }
    }
}
