//! Numbers, in the notation of every assembler.
//!
//! Correct means: a notation that two assemblers read differently is read as the dialect's own
//! assembler does, and what is no number in any is refused.

use super::{Dialect, Token, span, word_end};
use crate::asm::inst::Direction;
use crate::asm::problem::Problem;

pub(super) fn number(
    line: &str,
    start: usize,
    dialect: Dialect,
) -> Result<(Token<'_>, usize), Problem> {
    let mut end = word_end(line, start);
    let written = &line[start..end];
    let is_octal = dialect.is_att && written.len() > 1 && written.starts_with('0');
    // Nearly all numbers are plain decimal ones, which need no copy.
    if !is_octal && let Ok(value) = written.parse() {
        return Ok((Token::Number(value), end));
    }
    let is_hex = written.starts_with("0x") || written.starts_with("0X");
    if !is_hex && let Some(length) = float_length(line, start, end) {
        end = start + length;
        return Ok((Token::Float(&line[start..end]), end));
    }
    let digits = written.to_ascii_lowercase().replace('_', "");
    let here = || span(line, start, end);
    let all_of =
        |digits: &str, base| !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    if let Some(label) = digits.strip_suffix(['f', 'b'])
        && all_of(label, 10)
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
    let prefixed = [
        ("0x", 16),
        ("0b", 2),
        ("0y", 2),
        ("0o", 8),
        ("0q", 8),
        ("0d", 10),
        ("0h", 16),
    ];
    let suffixed = [
        ('h', 16),
        ('o', 8),
        ('q', 8),
        ('y', 2),
        ('d', 10),
        ('t', 10),
    ];
    let prefixed = prefixed
        .iter()
        .filter_map(|(prefix, base)| Some((digits.strip_prefix(prefix)?, *base)));
    let suffixed = suffixed
        .iter()
        .filter_map(|(suffix, base)| Some((digits.strip_suffix(*suffix)?, *base)));
    let plain = (&digits[..], if is_octal { 8 } else { 10 });
    let mut notations = prefixed.chain(suffixed).chain([plain]);
    if let Some((digits, base)) = notations.find(|(digits, base)| all_of(digits, *base)) {
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
        if digits.len() <= 16 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            problem.help(format!(
                "hexadecimal numbers are written 0x{digits} or 0{digits}h"
            ))
        } else {
            problem
        },
    )
}

/// Bytes of a number with a point: digits, a point, digits and perhaps an exponent.
fn float_length(line: &str, start: usize, end: usize) -> Option<usize> {
    let written = &line[start..end];
    let (whole, rest) = written.split_once('.')?;
    if !whole.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let fraction = rest.chars().take_while(char::is_ascii_digit).count();
    let rest = &rest[fraction..];
    let mut length = whole.len() + 1 + fraction;
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        // The sign ends the word.
        let tail = if exponent.is_empty() {
            &line[start + length + 1..]
        } else {
            exponent
        };
        let sign = usize::from(tail.starts_with(['+', '-']));
        let digits = tail[sign..]
            .chars()
            .take_while(char::is_ascii_digit)
            .count();
        if digits == 0 {
            return None;
        }
        length += 1 + sign + digits;
        return Some(length);
    }
    rest.is_empty().then_some(length)
}
