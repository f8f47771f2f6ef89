//! Intel syntax: one line to statements.
//!
//! Correct means: what NASM, MASM and GNU as in Intel mode agree on is read as they read it; what
//! they read differently must be written out.

use super::expression::Cursor;
use super::lexer::{Placed, Token, tokens};
use super::operand::{decoration, operand};
use crate::asm::inst::{Datum, Decor, Inst, OperandKind, Prefix, Repeated, Statement, Times};
use crate::asm::problem::{Problem, Span};
use crate::asm::program::MAX_DATA;
use crate::asm::registers::register;

/// The widest alignment that a section can ask for: a page.
const WIDEST_ALIGNMENT: i128 = 4096;

/// The statements of one line: labels, then at most one instruction or directive.
///
/// Labels are found even where what follows them is wrong, so that one mistake is not two.
/// `found` is room for tokens that one line leaves to the next.
pub(in crate::asm) fn parse<'a>(
    line: &'a str,
    hash: &dyn Fn(&str) -> Result<u32, String>,
    found: &mut Vec<Placed<'a>>,
    statements: &mut Vec<Statement<'a>>,
) -> Result<(), Problem> {
    found.clear();
    let lexed = tokens(line, found);
    let mut tokens = &found[..];
    while let [
        name,
        Placed {
            token: Token::Mark(':'),
            ..
        },
        rest @ ..,
    ] = tokens
    {
        match label(name)? {
            Some(label) => statements.push(label),
            None => break,
        }
        tokens = rest;
    }
    lexed?;
    if !tokens.is_empty() {
        let mut cursor = Cursor::new(tokens, hash);
        statements.push(statement(&mut cursor)?);
        if !cursor.is_done() {
            statements.pop();
            return Err(Problem::new(
                cursor.span(),
                "expected a comma or the end of the line here",
            ));
        }
    }
    Ok(())
}

fn label<'a>(name: &Placed<'a>) -> Result<Option<Statement<'a>>, Problem> {
    match &name.token {
        Token::Word(word) if register(word).is_some() => Err(Problem::new(
            name.span,
            format!("`{word}` is a register and cannot be a label"),
        )),
        Token::Word(word) => Ok(Some(Statement::Label(word, name.span))),
        Token::Number(number) => match u32::try_from(*number) {
            Ok(number) => Ok(Some(Statement::NumericLabel(number))),
            Err(_) => Err(Problem::new(
                name.span,
                "the number of the label is too large",
            )),
        },
        _ => Ok(None),
    }
}

fn statement<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Statement<'a>, Problem> {
    let mut prefixes = Vec::new();
    loop {
        let span = cursor.span();
        let Some(word) = cursor.word() else {
            if cursor.peek() == Some(&Token::Mark('{')) {
                let message = "an encoding is not chosen in front of the instruction";
                return Err(Problem::new(span, message).help(
                    "leave {vex} or {evex} out: EVEX is taken where VEX cannot encode the line; \
                     any other encoding goes into `db`",
                ));
            }
            return Err(Problem::new(
                span,
                "expected an instruction, a directive or a label here",
            ));
        };
        cursor.advance();
        if let Some(prefix) = Prefix::from_word(&word) {
            if cursor.is_done() {
                return Err(Problem::new(
                    span,
                    format!("`{word}` stands before an instruction, on its line"),
                )
                .help(format!("write `{word}` and the instruction on one line")));
            }
            prefixes.push((prefix, span));
            continue;
        }
        if word == "xacquire" || word == "xrelease" {
            let byte = if word == "xacquire" { "f2" } else { "f3" };
            let message = format!("`{word}` is not assembled here");
            return Err(Problem::new(span, message).help(format!(
                "leave it out, processors no longer elide locks; its byte is `db 0x{byte}` on the line before"
            )));
        }
        if let Some(width) = data_width(&word) {
            return data(cursor, width).map(Statement::Data);
        }
        if word == "align" || word == ".align" {
            return align(cursor).map(Statement::Align);
        }
        if let Some(width) = reserved_width(&word) {
            let bytes = width * count(cursor, &word)?;
            return Ok(Statement::Reserve(bytes, span.to(cursor.last_span())));
        }
        if word == "times" && prefixes.is_empty() {
            return times(cursor, span);
        }
        let mut inst = Inst {
            mnemonic: word,
            span,
            prefixes,
            operands: Vec::new(),
            reach: None,
            decor: Decor::default(),
        };
        operands(cursor, &mut inst)?;
        return Ok(Statement::Inst(inst));
    }
}

fn operands<'a>(cursor: &mut Cursor<'_, 'a>, inst: &mut Inst<'a>) -> Result<(), Problem> {
    let mut rounded = None;
    while !cursor.is_done() {
        // `{sae}` and `{rn-sae}` stand where an operand would.
        let has_operand = cursor.peek() != Some(&Token::Mark('{'));
        if has_operand {
            let operand = operand(cursor, inst)?;
            if inst.operands.len() == 5 {
                return Err(Problem::new(
                    operand.span,
                    "no instruction takes more than five operands",
                ));
            }
            if let Some(span) = rounded
                && !matches!(operand.kind, OperandKind::Immediate { .. })
            {
                let message = "rounding belongs behind the last register";
                return Err(
                    Problem::new(span, message).help("write vaddps zmm1, zmm2, zmm3{rn-sae}")
                );
            }
            inst.operands.push(operand);
        }
        while cursor.peek() == Some(&Token::Mark('{')) {
            let span = cursor.span();
            let was_rounded = inst.decor.is_rounded();
            decoration(cursor, inst)?;
            if has_operand && inst.decor.is_rounded() && !was_rounded {
                rounded = Some(span.to(cursor.last_span()));
            }
        }
        if cursor.is_done() {
            return Ok(());
        }
        cursor.expect(',').map_err(|problem| Problem {
            message: "expected a comma or the end of the line here".into(),
            ..problem
        })?;
        if cursor.is_done() {
            return Err(Problem::new(
                cursor.last_span(),
                "an operand is missing after the comma",
            ));
        }
    }
    Ok(())
}

fn data_width(word: &str) -> Option<u32> {
    Some(match word {
        "db" => 1,
        "dw" => 2,
        "dd" => 4,
        "dq" => 8,
        _ => return None,
    })
}

fn reserved_width(word: &str) -> Option<u64> {
    Some(match word {
        "resb" => 1,
        "resw" => 2,
        "resd" => 4,
        "resq" => 8,
        _ => return None,
    })
}

/// How many times, or how many units: a constant.
fn count(cursor: &mut Cursor<'_, '_>, word: &str) -> Result<u64, Problem> {
    let start = cursor.span();
    let wanted = |here: Span, what: &str| {
        Problem::new(here, format!("`{word}` wants a constant number{what}")).help(
            "write one, such as `64 * 1024`; a parameter `n` of an expanded template is `{{ n }}`",
        )
    };
    if cursor.is_done() {
        return Err(wanted(start, " behind it"));
    }
    let sum = cursor.sum()?;
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

/// What follows `times`, which stands at `start`.
fn times<'a>(cursor: &mut Cursor<'_, 'a>, start: Span) -> Result<Statement<'a>, Problem> {
    let count = count(cursor, "times")?;
    let here = cursor.span();
    let twice = |word: &str, help: &str| {
        Err(Problem::new(here, format!("`times` does not repeat `{word}`")).help(help))
    };
    let word = cursor.word();
    if word.as_deref() == Some("times") {
        return twice("times", "multiply the numbers, as in `times 2 * 3 nop`");
    }
    let what = match statement(cursor)? {
        Statement::Inst(inst) => Repeated::Inst(inst),
        Statement::Data(data) => Repeated::Data(data),
        Statement::Reserve(bytes, _) => {
            let all = bytes.saturating_mul(count);
            return Ok(Statement::Reserve(all, start.to(cursor.last_span())));
        }
        _ => {
            let help = "put it on a line of its own, without `times`";
            return twice(word.as_deref().unwrap_or("this"), help);
        }
    };
    Ok(Statement::Times(Box::new(Times {
        count,
        span: start.to(cursor.last_span()),
        what,
    })))
}

fn data<'a>(cursor: &mut Cursor<'_, 'a>, width: u32) -> Result<Vec<Datum<'a>>, Problem> {
    let mut values = Vec::new();
    loop {
        values.push(datum(cursor, width)?);
        if cursor.is_done() {
            return Ok(values);
        }
        cursor.expect(',')?;
    }
}

fn datum<'a>(cursor: &mut Cursor<'_, 'a>, width: u32) -> Result<Datum<'a>, Problem> {
    if let (1, Some(Token::Text(text))) = (width, cursor.peek()) {
        cursor.advance();
        return Ok(Datum::Bytes(text.as_bytes().to_vec()));
    }
    let start = cursor.span();
    let sum = cursor.sum()?;
    let here = start.to(cursor.last_span());
    if let Some(value) = sum.as_constant() {
        let bits = 8 * width;
        if value < -(1 << (bits - 1)) || value >= 1 << bits {
            return Err(Problem::new(
                here,
                format!("{value} does not fit in {bits} bits"),
            ));
        }
        let bytes = value.to_le_bytes();
        return Ok(Datum::Bytes(bytes[..width as usize].to_vec()));
    }
    match sum.as_target() {
        Some(target) if width >= 4 => Ok(Datum::Address(target, width)),
        Some(_) => {
            Err(Problem::new(here, "an address needs 4 or 8 bytes").help("use `dd` or `dq`"))
        }
        None => Err(Problem::new(
            here,
            "expected a number, a symbol or a label here",
        )),
    }
}

fn align(cursor: &mut Cursor<'_, '_>) -> Result<u32, Problem> {
    let start = cursor.span();
    let value = cursor.sum()?.as_constant();
    let here = start.to(cursor.last_span());
    value
        .filter(|value| (1..=WIDEST_ALIGNMENT).contains(value) && value & (value - 1) == 0)
        .and_then(|value| u32::try_from(value).ok())
        .ok_or_else(|| Problem::new(here, "an alignment is a power of two from 1 to 4096"))
}
