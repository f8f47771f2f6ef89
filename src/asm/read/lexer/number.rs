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
    // Windows' debuggers part an address in the middle.
    if let Some(low) = line[end..].strip_prefix('`')
        && let Some(low) = low
            .get(..8)
            .filter(|low| low.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && let Ok(address) = u64::from_str_radix(&format!("{written}{low}"), 16)
    {
        return Ok((Token::Number(address), end + 9));
    }
    let is_octal = dialect.is_att && written.len() > 1 && written.starts_with('0');
    // Nearly all numbers are plain decimal ones, which need no copy.
    if !is_octal && let Ok(value) = written.parse() {
        return Ok((Token::Number(value), end));
    }
    if let Some(length) = float_length(line, start, end) {
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
    // MASM's bits of a floating-point number, `03ff8000000000000r`, have a zero in front.
    let suffixed = [
        ('h', 16),
        ('r', 16),
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

/// Bytes of a number with a point or an exponent, in any base, or of packed digits.
fn float_length(line: &str, start: usize, end: usize) -> Option<usize> {
    let written = &line[start..end];
    let all = written.as_bytes();
    let is_based = all[0] == b'0'
        && matches!(
            all.get(1),
            Some(b'x' | b'X' | b'h' | b'H' | b'o' | b'q' | b'b' | b'y')
        );
    let (digits, mark) = match (is_based, all.get(1)) {
        (true, Some(b'x' | b'X' | b'h' | b'H')) => (&written[2..], b'p'),
        (true, _) => (&written[2..], b'p'),
        _ => (written, b'e'),
    };
    let is_hex = matches!(all.get(1), Some(b'x' | b'X' | b'h' | b'H')) && is_based;
    let is_digit = |byte: &u8| match is_hex {
        true => byte.is_ascii_hexdigit() || *byte == b'_',
        false => byte.is_ascii_digit() || *byte == b'_',
    };
    let count = |text: &str| text.bytes().take_while(|byte| is_digit(byte)).count();
    let mut length = count(digits);
    let has_point = digits[length..].starts_with('.');
    if has_point {
        length += 1;
        length += count(&digits[length..]);
    }
    let rest = &digits[length..];
    let skipped = written.len() - digits.len();
    if rest.is_empty() {
        return has_point.then_some(skipped + length);
    }
    if rest.eq_ignore_ascii_case("p")
        && !is_based
        && !has_point
        && !line[end..].starts_with(['+', '-'])
    {
        return Some(skipped + length + 1);
    }
    if rest.as_bytes()[0].to_ascii_lowercase() != mark {
        return None;
    }
    // A sign ends the word.
    let tail = match rest.len() {
        1 => &line[end..],
        _ => &rest[1..],
    };
    let sign = usize::from(tail.starts_with(['+', '-']));
    let exponent = tail[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if exponent == 0 || rest.len() > 1 && exponent + 1 != rest.len() {
        return None;
    }
    Some(skipped + length + 1 + sign + exponent)
}
