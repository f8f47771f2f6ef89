//! One line of Intel syntax as tokens.
//!
//! Correct means: every token knows its characters, a comment never begins inside quotes, and
//! what is not a token of the dialect is refused here with its column.

use super::inst::Direction;
use super::problem::{Problem, Span};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A mnemonic, register, keyword or label, as written.
    Word(String),
    /// A number or character constant; at most 64 bits wide.
    Number(i128),
    /// `1f` or `1b`.
    Numeric(u32, Direction),
    /// What stood in double quotes.
    Text(String),
    /// Any of `, : [ ] ( ) { } + - *`.
    Mark(char),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    /// What it is.
    pub(super) token: Token,
    /// Its characters.
    pub(super) span: Span,
}

/// The tokens of `line` up to its comment, or up to what is wrong with it.
pub(super) fn tokens(line: &str) -> (Vec<Placed>, Option<Problem>) {
    let mut found = Vec::new();
    let problem = read(line, &mut found).err();
    (found, problem)
}

fn read(line: &str, found: &mut Vec<Placed>) -> Result<(), Problem> {
    let chars: Vec<char> = line.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let first = chars[at];
        let (token, end) = match first {
            _ if first.is_whitespace() => {
                at += 1;
                continue;
            }
            ';' | '#' => break,
            '/' if chars.get(at + 1) == Some(&'/') => break,
            '"' => text(&chars, at)?,
            '\'' => character(&chars, at)?,
            ',' | ':' | '[' | ']' | '(' | ')' | '{' | '}' | '+' | '-' | '*' => {
                (Token::Mark(first), at + 1)
            }
            _ if first.is_ascii_digit() => number(&chars, at)?,
            _ if is_word(first) => {
                let end = word_end(&chars, at);
                (Token::Word(chars[at..end].iter().collect()), end)
            }
            _ => {
                let problem =
                    Problem::new(span(at, at + 1), format!("unexpected character `{first}`"));
                return Err(match first {
                    '$' | '%' => problem.help(
                        "Intel syntax marks neither registers nor immediates: write `rax` and `5`",
                    ),
                    '/' => problem.help("a comment begins with `;`, `#` or `//`"),
                    _ => problem,
                });
            }
        };
        found.push(Placed {
            token,
            span: span(at, end),
        });
        at = end;
    }
    Ok(())
}

fn span(start: usize, end: usize) -> Span {
    let column = u32::try_from(start + 1).unwrap_or(u32::MAX / 2);
    Span {
        column,
        width: u32::try_from(end - start).unwrap_or(1),
    }
}

/// Go's middle dot stands in names such as `main·f`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '?' | '·')
}

fn word_end(chars: &[char], start: usize) -> usize {
    start + chars[start..].iter().take_while(|c| is_word(**c)).count()
}

fn text(chars: &[char], start: usize) -> Result<(Token, usize), Problem> {
    let mut value = String::new();
    let mut at = start + 1;
    while let Some(&c) = chars.get(at) {
        match c {
            '"' => return Ok((Token::Text(value), at + 1)),
            '\\' => {
                let (c, end) = escape(chars, at)?;
                value.push(c);
                at = end;
            }
            _ => {
                value.push(c);
                at += 1;
            }
        }
    }
    Err(Problem::new(
        span(start, chars.len()),
        "the closing double quote is missing",
    ))
}

/// The character that the escape at `at` stands for, and where the text goes on.
fn escape(chars: &[char], at: usize) -> Result<(char, usize), Problem> {
    let known = match chars.get(at + 1) {
        Some('"') => Some('"'),
        Some('\'') => Some('\''),
        Some('\\') => Some('\\'),
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('0') => Some('\0'),
        _ => None,
    };
    match known {
        Some(c) => Ok((c, at + 2)),
        None => Err(
            Problem::new(span(at, (at + 2).min(chars.len())), "unknown escape").help(
                "known are \\\" \\' \\\\ \\n \\r \\t \\0; other bytes go into `db` as numbers",
            ),
        ),
    }
}

fn character(chars: &[char], start: usize) -> Result<(Token, usize), Problem> {
    let (value, end) = match chars.get(start + 1) {
        Some('\\') => escape(chars, start + 1)?,
        Some(&c) if c != '\'' => (c, start + 2),
        _ => (' ', start + 1),
    };
    if end > start + 1 && chars.get(end) == Some(&'\'') {
        return Ok((Token::Number(i128::from(u32::from(value))), end + 1));
    }
    let width = chars[start + 1..]
        .iter()
        .position(|c| *c == '\'')
        .map_or(chars.len(), |at| start + at + 2);
    Err(Problem::new(
        span(start, width),
        "a character constant is one character in single quotes",
    )
    .help("texts stand in double quotes"))
}

fn number(chars: &[char], start: usize) -> Result<(Token, usize), Problem> {
    let end = word_end(chars, start);
    let written: String = chars[start..end].iter().collect();
    let digits = written.to_ascii_lowercase().replace('_', "");
    let here = span(start, end);

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
                here,
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
            Ok(value) => Ok((Token::Number(i128::from(value)), end)),
            Err(_) => Err(Problem::new(
                here,
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
    let problem = Problem::new(here, format!("`{written}` is not a number"));
    Err(
        if digits.chars().all(|c| c.is_ascii_hexdigit()) && base == 10 {
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

    fn marks(line: &str) -> Vec<Token> {
        tokens(line)
            .0
            .into_iter()
            .map(|placed| placed.token)
            .collect()
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
            ("18446744073709551615", u64::MAX.into()),
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
                [Token::Text(format!("a{comment}"))]
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
            let problem = tokens(line).1.unwrap();
            assert_eq!(
                problem.span,
                Span { column, width },
                "{line}: {}",
                problem.message
            );
        }
    }
}
