//! What stands in quotes.
//!
//! Correct means: an escape is the byte that C means by it, and a text that is not closed is refused.

use std::borrow::Cow;

use super::{Dialect, Token, char_at, span};
use crate::asm::problem::Problem;

/// A text from the quote at `start` to the next one.
pub(super) fn text(line: &str, start: usize, quote: char) -> Result<(Token<'_>, usize), Problem> {
    let rest = &line[start + 1..];
    if let Some(length) = rest.find([quote, '\\'])
        && rest[length..].starts_with(quote)
    {
        let text = &rest[..length];
        return Ok((
            token(Cow::Borrowed(text.as_bytes()), quote),
            start + 1 + length + 1,
        ));
    }
    let mut value = Vec::new();
    let mut at = start + 1;
    while let Some(c) = char_at(line, at) {
        if c == quote {
            return Ok((token(Cow::Owned(value), quote), at + 1));
        }
        if c == '\\' {
            let (byte, end) = escape(line, at)?;
            value.push(byte);
            at = end;
        } else {
            value.extend_from_slice(&line.as_bytes()[at..at + c.len_utf8()]);
            at += c.len_utf8();
        }
    }
    let name = if quote == '"' {
        "double quote"
    } else {
        "quote"
    };
    Err(Problem::new(
        span(line, start, line.len()),
        format!("the closing {name} is missing"),
    ))
}

/// What is no text can still be data.
fn token(bytes: Cow<'_, [u8]>, quote: char) -> Token<'_> {
    match bytes {
        bytes if quote != '"' => Token::Quote(bytes),
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Token::Text(Cow::Borrowed(text)),
            Err(_) => Token::Quote(Cow::Borrowed(bytes)),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Token::Text(Cow::Owned(text)),
            Err(error) => Token::Quote(Cow::Owned(error.into_bytes())),
        },
    }
}

/// The byte that the escape at `at` stands for, and where the text goes on.
fn escape(line: &str, at: usize) -> Result<(u8, usize), Problem> {
    let rest = line.as_bytes().get(at + 1..).unwrap_or_default();
    let digits = |of: &[u8], is: fn(&u8) -> bool, most: usize| {
        of.iter().take(most).take_while(|byte| is(byte)).count()
    };
    let octal = digits(rest, |byte| (b'0'..b'8').contains(byte), 3);
    if octal > 0 {
        let value = u16::from_str_radix(&line[at + 1..at + 1 + octal], 8).unwrap_or_default();
        return Ok((value as u8, at + 1 + octal));
    }
    if rest.first() == Some(&b'x') {
        let hex = digits(&rest[1..], u8::is_ascii_hexdigit, 2);
        if hex > 0 {
            let value = u8::from_str_radix(&line[at + 2..at + 2 + hex], 16).unwrap_or_default();
            return Ok((value, at + 2 + hex));
        }
    }
    let known = match rest.first() {
        Some(byte @ (b'"' | b'\'' | b'\\' | b'`')) => Some(*byte),
        Some(b'n') => Some(b'\n'),
        Some(b'r') => Some(b'\r'),
        Some(b't') => Some(b'\t'),
        Some(b'b') => Some(8),
        Some(b'f') => Some(12),
        _ => None,
    };
    let end = at + 1 + char_at(line, at + 1).map_or(0, char::len_utf8);
    match known {
        Some(byte) => Ok((byte, end)),
        None => Err(Problem::new(span(line, at, end), "unknown escape")
            .help("known are \\\" \\' \\\\ \\n \\r \\t \\b \\f, up to three octal digits, and \\x with two digits")),
    }
}

/// One character in single quotes, which is a number, or several.
pub(super) fn quoted(
    line: &str,
    start: usize,
    dialect: Dialect,
) -> Result<(Token<'_>, usize), Problem> {
    let inside = start + 1;
    let (value, end) = match char_at(line, inside) {
        Some('\\') => {
            let (byte, end) = escape(line, inside)?;
            (u32::from(byte), end)
        }
        Some(c) if c != '\'' => (u32::from(c), inside + c.len_utf8()),
        _ => (0, inside),
    };
    if end > inside && (char_at(line, end) == Some('\'') || dialect.is_att) {
        let closed = usize::from(char_at(line, end) == Some('\''));
        return Ok((Token::Number(u64::from(value)), end + closed));
    }
    match line[inside..].find('\'') {
        Some(length) if length > 0 => {
            let text = &line.as_bytes()[inside..inside + length];
            Ok((Token::Quote(Cow::Borrowed(text)), inside + length + 1))
        }
        found => {
            let end = found.map_or(line.len(), |length| inside + length + 1);
            Err(Problem::new(
                span(line, start, end),
                "a character constant is at least one character in single quotes",
            )
            .help("an empty text stands in double quotes"))
        }
    }
}
