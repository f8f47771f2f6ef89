//! The values of data directives, and what fills.
//!
//! Correct means: every value fits its field or is refused, and bytes stand as memory has them.

use super::directive::open;
use super::expression::{Cursor, Linear};
use super::float;
use super::lexer::Token;
use crate::asm::inst::{Datum, Padding, Statement, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::program::MAX_DATA;

/// The widest alignment that a section can ask for: a page.
const WIDEST_ALIGNMENT: i128 = 4096;

/// How many times, or how many units: a constant.
pub(super) fn count(cursor: &mut Cursor<'_, '_>, word: &str) -> Result<u64, Problem> {
    let start = cursor.span();
    let wanted = |here: Span, what: &str| {
        Problem::new(here, format!("`{word}` wants a constant number{what}")).help(
            "write one, such as `64 * 1024`; a parameter `n` of an expanded template is `{{ n }}`",
        )
    };
    if cursor.is_done() {
        return Err(wanted(start, " behind it"));
    }
    let sum = cursor.settled_sum()?;
    let here = start.to(cursor.last_span());
    let value = sum
        .as_constant()
        .ok_or_else(|| wanted(here, ", and this is none"))?;
    match u64::try_from(value) {
        Ok(value) if value <= MAX_DATA => Ok(value),
        Ok(value) => Err(Problem::new(
            here,
            format!("`{word}` goes up to {MAX_DATA}, and this is {value}"),
        )
        .help("all data of a template may take 1 GiB; reserve less")),
        Err(_) => Err(
            Problem::new(here, format!("`{word}` counts from 0, and this is {value}"))
                .help("leave the line out, or write `0`"),
        ),
    }
}

/// Values of GNU as's directives, whose names the linker may know.
pub(super) fn data_of<'a>(
    cursor: &mut Cursor<'_, 'a>,
    width: u32,
) -> Result<Statement<'a>, Problem> {
    let mut values = data(cursor, width)?;
    for value in &mut values {
        let targets = match value {
            Datum::Bytes(_) => [None, None],
            Datum::Address(target, _) => [Some(target), None],
            Datum::Distance(both, _) => [Some(&mut both.0), Some(&mut both.1)],
        };
        for target in targets.into_iter().flatten() {
            target.name = open(target.name.clone());
        }
    }
    Ok(Statement::Data(values))
}

/// Values with commas between.
pub(super) fn data<'a>(cursor: &mut Cursor<'_, 'a>, width: u32) -> Result<Vec<Datum<'a>>, Problem> {
    let mut all = Vec::new();
    for some in values(cursor, |cursor| repeated(cursor, width))? {
        all.extend(some);
    }
    Ok(all)
}

/// One value, or what MASM and NASM repeat: `4 dup (1, 2)`.
fn repeated<'a>(cursor: &mut Cursor<'_, 'a>, width: u32) -> Result<Vec<Datum<'a>>, Problem> {
    /// Far more than anybody writes so, and little memory.
    const MOST: usize = 1 << 20;
    let is_dup = |token: Option<&Token<'_>>| matches!(token, Some(Token::Word(word)) if word.eq_ignore_ascii_case("dup"));
    if !is_dup(cursor.peek_second()) {
        return Ok(vec![datum(cursor, width)?]);
    }
    let start = cursor.span();
    let Some(Token::Number(count)) = cursor.peek() else {
        return Err(Problem::new(start, "`dup` has a number in front")
            .help("write `4 dup (1)`, or `times 4 dd 1`"));
    };
    cursor.advance();
    cursor.advance();
    cursor.expect('(')?;
    let mut unit = Vec::new();
    loop {
        unit.extend(repeated(cursor, width)?);
        if cursor.take(')') {
            break;
        }
        cursor.expect(',')?;
    }
    let count = usize::try_from(*count).unwrap_or(usize::MAX);
    if count.saturating_mul(unit.len()) > MOST {
        return Err(Problem::new(
            start.to(cursor.last_span()),
            "`dup` makes more values than are written out here",
        )
        .help("`times` and `resb` take as many as there is room for"));
    }
    let all = std::iter::repeat_n(unit, count);
    Ok(all.flatten().collect())
}

fn values<'a, T>(
    cursor: &mut Cursor<'_, 'a>,
    one: impl Fn(&mut Cursor<'_, 'a>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let mut values = Vec::new();
    loop {
        values.push(one(cursor)?);
        if cursor.is_done() {
            return Ok(values);
        }
        cursor.expect(',')?;
    }
}

fn datum<'a>(cursor: &mut Cursor<'_, 'a>, width: u32) -> Result<Datum<'a>, Problem> {
    match cursor.peek() {
        Some(Token::Text(text)) if width == 1 => {
            cursor.advance();
            return Ok(Datum::Bytes(text.as_bytes().to_vec()));
        }
        // Whatever is there.
        Some(Token::Word("?")) => {
            cursor.advance();
            return Ok(Datum::Bytes(vec![0; width as usize]));
        }
        // In data a text is filled up with zeros to whole units.
        Some(Token::Quote(bytes))
            if cursor
                .peek_second()
                .is_none_or(|next| *next == Token::Mark(',')) =>
        {
            cursor.advance();
            let mut bytes = bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(width as usize), 0);
            return Ok(Datum::Bytes(bytes));
        }
        Some(Token::Mark('-' | '+')) if is_float(cursor.peek_second()) => {
            return float_datum(cursor, width);
        }
        token if is_float(token) => return float_datum(cursor, width),
        _ => {}
    }
    let start = cursor.span();
    let sum = cursor.sum()?;
    let here = start.to(cursor.last_span());
    if let Some((to, from)) = distance(&sum, here)? {
        return Ok(Datum::Distance(Box::new((to, from)), width));
    }
    if let Some(value) = sum.as_constant() {
        let bits = 8 * width;
        let top = if bits < 128 { 1i128 << bits } else { i128::MAX };
        if value < -(top >> 1) || value >= top {
            return Err(Problem::new(
                here,
                format!("{value} does not fit in {bits} bits"),
            ));
        }
        let bytes = value.to_le_bytes();
        return Ok(Datum::Bytes(bytes[..width as usize].to_vec()));
    }
    match sum.as_target() {
        Some(target) if width == 4 || width == 8 => Ok(Datum::Address(target, width)),
        Some(_) => {
            Err(Problem::new(here, "an address needs 4 or 8 bytes").help("use `dd` or `dq`"))
        }
        None => Err(Problem::new(
            here,
            "expected a number, a symbol or a label here",
        )),
    }
}

/// Where a sum is the distance of two places, these; the number beside them belongs to the first.
fn distance<'a>(sum: &Linear<'a>, here: Span) -> Result<Option<(Target<'a>, Target<'a>)>, Problem> {
    let (Some(to), Some(from)) = (&sum.target, &sum.minus) else {
        return Ok(None);
    };
    let Ok(addend) = i64::try_from(sum.constant) else {
        return Err(Problem::new(here, "the distance is out of range"));
    };
    let to = Target {
        addend,
        ..to.clone()
    };
    Ok(Some((to, (**from).clone())))
}

/// Whether a token is a floating-point constant: a number, or NASM's word for what is none.
fn is_float(token: Option<&Token<'_>>) -> bool {
    match token {
        Some(Token::Float(_)) => true,
        Some(Token::Word(word)) => float::is_special(word),
        _ => false,
    }
}

/// What stands in parentheses behind NASM's `__float32__` and its kin.
pub(super) fn float_bits(
    cursor: &mut Cursor<'_, '_>,
    field: float::Field,
) -> Result<i128, Problem> {
    cursor.expect('(')?;
    let bytes = float_bytes(cursor, field.width)?;
    cursor.expect(')')?;
    let taken = &bytes[field.first..field.first + field.count];
    let bits = taken.iter().rev();
    Ok(bits.fold(0, |bits, byte| bits << 8 | i128::from(*byte)))
}

/// A floating-point number as memory has it.
fn float_datum<'a>(cursor: &mut Cursor<'_, 'a>, width: u32) -> Result<Datum<'a>, Problem> {
    Ok(Datum::Bytes(float_bytes(cursor, width)?))
}

fn float_bytes(cursor: &mut Cursor<'_, '_>, width: u32) -> Result<Vec<u8>, Problem> {
    let start = cursor.span();
    let is_negative = cursor.take('-');
    if !is_negative {
        cursor.take('+');
    }
    let text = match cursor.peek() {
        Some(Token::Float(text)) => (*text).to_owned(),
        Some(Token::Number(number)) => number.to_string(),
        Some(Token::Word(word)) => (*word).to_owned(),
        _ => String::new(),
    };
    cursor.advance();
    let here = start.to(cursor.last_span());
    float::bytes(&text, is_negative, width).map_err(|message| Problem::new(here, message))
}

/// `.float` and `.double`, where a number may be whole.
pub(super) fn floats<'a>(
    cursor: &mut Cursor<'_, 'a>,
    width: u32,
) -> Result<Statement<'a>, Problem> {
    Ok(Statement::Data(values(cursor, |cursor| {
        float_datum(cursor, width)
    })?))
}

/// `.ascii` and `.asciz`.
pub(super) fn texts<'a>(
    cursor: &mut Cursor<'_, 'a>,
    is_ended: bool,
) -> Result<Statement<'a>, Problem> {
    let text = |cursor: &mut Cursor<'_, 'a>| {
        let mut bytes = match cursor.peek() {
            Some(Token::Text(text)) => text.as_bytes().to_vec(),
            Some(Token::Quote(bytes)) => bytes.to_vec(),
            _ => {
                return Err(Problem::new(
                    cursor.span(),
                    "expected a text in double quotes here",
                ));
            }
        };
        cursor.advance();
        bytes.extend(is_ended.then_some(0));
        Ok(Datum::Bytes(bytes))
    };
    Ok(Statement::Data(values(cursor, text)?))
}

/// `, FILL` behind a number.
pub(super) fn fill(cursor: &mut Cursor<'_, '_>) -> Result<Option<u8>, Problem> {
    if !cursor.take(',') {
        return Ok(None);
    }
    if cursor.is_done() || cursor.peek() == Some(&Token::Mark(',')) {
        return Ok(None);
    }
    // NASM writes the filler as a statement.
    match cursor.word().as_deref() {
        Some("nop") => {
            cursor.advance();
            return Ok(None);
        }
        Some("db") => cursor.advance(),
        _ => {}
    }
    let start = cursor.span();
    let value = cursor.settled_sum()?.as_constant();
    let here = start.to(cursor.last_span());
    match value {
        Some(value @ -128..=255) => Ok(Some(value as u8)),
        _ => Err(Problem::new(here, "what fills is one byte")),
    }
}

/// `align N`, with what fills and how much at most.
pub(super) fn align<'a>(cursor: &mut Cursor<'_, '_>) -> Result<Statement<'a>, Problem> {
    let start = cursor.span();
    let value = cursor.settled_sum()?.as_constant();
    let here = start.to(cursor.last_span());
    padding(cursor, value, here)
}

/// `.p2align N`: the same of a power of two.
pub(super) fn p2align<'a>(cursor: &mut Cursor<'_, '_>) -> Result<Statement<'a>, Problem> {
    let start = cursor.span();
    let power = cursor.settled_sum()?.as_constant();
    let here = start.to(cursor.last_span());
    let value = power.and_then(|power| 1i128.checked_shl(u32::try_from(power).ok()?));
    padding(cursor, value, here)
}

fn padding<'a>(
    cursor: &mut Cursor<'_, '_>,
    value: Option<i128>,
    here: Span,
) -> Result<Statement<'a>, Problem> {
    // GNU as takes 0 for none.
    let value = value.map(|value| value.max(1));
    let to = value
        .filter(|value| (1..=WIDEST_ALIGNMENT).contains(value) && value & (value - 1) == 0)
        .and_then(|value| u32::try_from(value).ok())
        .ok_or_else(|| Problem::new(here, "an alignment is a power of two from 1 to 4096"))?;
    let fill = fill(cursor)?;
    let most = match cursor.take(',') {
        true => count(cursor, "align")?,
        false => u64::from(to),
    };
    Ok(Statement::Align(Padding {
        to,
        fill,
        most: u32::try_from(most).unwrap_or(u32::MAX),
    }))
}
