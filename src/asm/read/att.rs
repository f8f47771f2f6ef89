//! AT&T syntax: the operands of one instruction.
//!
//! Correct means: the same instruction as GNU as reads, in Intel's order of operands and under Intel's
//! name; a register without its `%` is never taken for memory.

mod suffix;

use iced_x86::Register;

use super::address::{check_thread, memory, without_own_segment};
use super::decor::decoration;
use super::directive::open;
use super::expression::{Cursor, Linear};
use super::intel::comma;
use super::lexer::Token;
use crate::asm::inst::{Inst, Name, Operand, OperandKind};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::{name_of, no_index, register};
pub(super) use suffix::{is_branch, is_known};

/// What stands behind the mnemonic.
pub(super) fn operands<'a>(
    cursor: &mut Cursor<'_, 'a>,
    inst: &mut Inst<'a>,
) -> Result<(), Problem> {
    let is_branch = is_branch(&inst.mnemonic);
    let mut is_indirect = false;
    while !cursor.is_done() {
        if cursor.peek() != Some(&Token::Mark('{')) {
            let start = cursor.span();
            let star = cursor.take('*');
            if star && !is_branch {
                return Err(Problem::new(
                    start,
                    "`*` stands before the target of a call or jump only",
                )
                .help("leave it out"));
            }
            is_indirect |= star;
            let operand = operand(cursor, is_branch && !star, inst)?;
            if inst.operands.len() == 5 {
                return Err(Problem::new(
                    operand.span,
                    "no instruction takes more than five operands",
                ));
            }
            inst.operands.push(operand);
        }
        while cursor.peek() == Some(&Token::Mark('{')) {
            decorated(cursor, inst)?;
        }
        if !cursor.is_done() {
            comma(cursor)?;
        }
    }
    if is_branch && !is_indirect {
        check_direct(inst)?;
    }
    // Both operands of `enter` are numbers, and stand in Intel's order.
    if inst.mnemonic != "enter" && inst.mnemonic != "enterq" {
        inst.operands.reverse();
    }
    suffix::name(inst)
}

/// A decoration; a mask belongs to the last operand, and rounding stands in front of all.
fn decorated(cursor: &mut Cursor<'_, '_>, inst: &mut Inst<'_>) -> Result<(), Problem> {
    decoration(cursor, inst, |_| true)?;
    let is_at_end = cursor.is_done() || cursor.peek() == Some(&Token::Mark('{'));
    if !is_at_end && (inst.decor.mask.is_some() || inst.decor.zeroing.is_some()) {
        let span = inst.decor.span.unwrap_or(inst.span);
        return Err(Problem::new(
            span,
            "masks and {z} belong to the destination, the last operand",
        )
        .help("write vaddpd %zmm3, %zmm2, %zmm1{%k1}{z}"));
    }
    Ok(())
}

/// A branch to a register or to memory has a `*`.
fn check_direct(inst: &Inst<'_>) -> Result<(), Problem> {
    let [operand] = &inst.operands[..] else {
        return Ok(());
    };
    let written = match &operand.kind {
        OperandKind::Register(register) => format!("*%{}", name_of(*register)),
        OperandKind::Memory(_) => "*(%rax)".to_owned(),
        OperandKind::Immediate { .. } | OperandKind::Target(_) => return Ok(()),
    };
    let name = &inst.mnemonic;
    Err(Problem::new(
        operand.span,
        format!("`{name}` through a register or memory has a `*` in AT&T syntax"),
    )
    .help(format!("write `{name} {written}`")))
}

fn operand<'a>(
    cursor: &mut Cursor<'_, 'a>,
    is_target: bool,
    inst: &Inst<'a>,
) -> Result<Operand<'a>, Problem> {
    let start = cursor.span();
    let kind = match (cursor.peek(), cursor.peek_second()) {
        (Some(Token::Mark('$')), _) => {
            cursor.advance();
            immediate(cursor, inst)?
        }
        (Some(Token::Mark('%')), Some(Token::Word(word))) => {
            let found = marked(cursor, word)?;
            if !(found.is_segment_register() && cursor.take(':')) {
                OperandKind::Register(found)
            } else {
                address(cursor, start, Some(found), inst)?
            }
        }
        _ if is_target && cursor.peek() != Some(&Token::Mark('(')) => {
            let sum = cursor.settled_sum()?;
            if cursor.peek() == Some(&Token::Mark('(')) {
                return Err(Problem::new(
                    start,
                    "a call or jump through memory has a `*` in AT&T syntax",
                )
                .help(format!("write `{} *8(%rax)`", inst.mnemonic)));
            }
            let here = start.to(cursor.last_span());
            match (sum.as_constant(), sum.as_target()) {
                (Some(value), _) => OperandKind::Immediate { value, bits: None },
                (_, Some(target)) => OperandKind::Target(target),
                _ => return Err(Problem::new(here, "expected a label or a symbol here")),
            }
        }
        _ => address(cursor, start, None, inst)?,
    };
    Ok(Operand {
        kind,
        span: start.to(cursor.last_span()),
    })
}

/// The register behind `%`, which is the next token.
fn marked<'a>(cursor: &mut Cursor<'_, 'a>, word: &str) -> Result<Register, Problem> {
    let start = cursor.span();
    cursor.advance();
    let here = start.to(cursor.span());
    cursor.advance();
    if word.eq_ignore_ascii_case("st") {
        if !cursor.take('(') {
            return Ok(Register::ST0);
        }
        let Some(Token::Number(number @ 0..=7)) = cursor.peek() else {
            return Err(Problem::new(
                start.to(cursor.span()),
                "the registers of the x87 stack are %st(0) to %st(7)",
            ));
        };
        cursor.advance();
        cursor.expect(')')?;
        return Ok(Register::ST0 + *number as u32);
    }
    // GNU as calls the debug registers so, too.
    let debug = word.strip_prefix("db").filter(|number| number.len() == 1);
    let name = debug.map_or_else(|| word.to_owned(), |number| format!("dr{number}"));
    register(&name).ok_or_else(|| super::expression::no_register(word, here))
}

/// What follows `$`.
fn immediate<'a>(cursor: &mut Cursor<'_, 'a>, inst: &Inst<'a>) -> Result<OperandKind<'a>, Problem> {
    let start = cursor.span();
    let sum = cursor.settled_sum()?;
    let here = start.to(cursor.last_span());
    if let Some(value) = sum.as_constant() {
        return Ok(OperandKind::Immediate { value, bits: None });
    }
    match sum.as_target() {
        // All 64 bits are known to whoever links.
        Some(mut target) if inst.mnemonic.starts_with("movabs") => {
            target.name = open(target.name);
            Ok(OperandKind::Target(target))
        }
        Some(target) => {
            let name = match &target.name {
                Name::Label(name) => name,
                _ => "symbol",
            };
            Err(Problem::new(
                here,
                "a 32-bit address is not known here: code lies wherever there is room",
            )
            .help(format!(
                "write `leaq {name}(%rip), %{}`; or compile with -fpie",
                moved_to(cursor, inst).map_or("rdi".to_owned(), name_of)
            )))
        }
        None => Err(Problem::new(here, "expected a number behind `$`")),
    }
}

/// The 64-bit register that a move of what was just read goes to.
fn moved_to(cursor: &Cursor<'_, '_>, inst: &Inst<'_>) -> Option<Register> {
    let is_move = inst.mnemonic.starts_with("mov") && cursor.peek_behind(3).is_none();
    match (cursor.peek(), cursor.peek_second(), cursor.peek_third()) {
        (Some(Token::Mark(',')), Some(Token::Mark('%')), Some(Token::Word(word))) if is_move => {
            let register = register(word)?.full_register();
            register.is_gpr64().then_some(register)
        }
        _ => None,
    }
}

/// `disp(base, index, scale)` or a part of it.
fn address<'a>(
    cursor: &mut Cursor<'_, 'a>,
    start: Span,
    segment: Option<Register>,
    inst: &Inst<'a>,
) -> Result<OperandKind<'a>, Problem> {
    let opens = |cursor: &Cursor<'_, '_>| {
        cursor.peek() == Some(&Token::Mark('('))
            && matches!(cursor.peek_second(), Some(Token::Mark('%' | ',')))
    };
    let mut sum = Linear::default();
    if !opens(cursor) {
        check_unmarked(cursor, inst)?;
        sum = cursor.settled_sum()?;
    }
    let mut is_plain = true;
    if cursor.take('(') {
        is_plain = false;
        let whole = |cursor: &Cursor<'_, '_>| start.to(cursor.last_span());
        if cursor.peek() != Some(&Token::Mark(',')) {
            let here = cursor.span();
            let base = part(cursor)?;
            if base.registers.iter().any(|term| term.is_none) {
                let message = "`%riz` and `%eiz` are an index that is none, and no base";
                return Err(Problem::new(here, message).help("write (%rax,%riz,1)"));
            }
            sum = sum.plus(base, whole(cursor))?;
        }
        if cursor.take(',') {
            if cursor.peek() != Some(&Token::Mark(',')) {
                let here = cursor.span();
                let index = part(cursor)?;
                let mut scale = 1;
                if cursor.take(',') {
                    let value = cursor.settled_sum()?.as_constant();
                    scale = value.ok_or_else(|| Problem::new(here, "the scale is a number"))?;
                }
                sum = sum.plus(index.times(scale, here)?.scaled(), whole(cursor))?;
            } else {
                cursor.advance();
                cursor.settled_sum()?;
            }
        }
        cursor.expect(')')?;
    }
    let here = start.to(cursor.last_span());
    // The port of `in` and `out` is written as if it were an address.
    if let Some(port @ Register::DX) = sum.as_register() {
        return Ok(OperandKind::Register(port));
    }
    let is_symbol = sum.target.is_some();
    let mut mem = memory(sum, here)?;
    mem.segment = segment;
    check_thread(&mem, here)?;
    if let Some(target) = &mut mem.target {
        if is_plain && is_symbol && !inst.mnemonic.starts_with("movabs") {
            let name = match &target.name {
                Name::Label(name) => name,
                _ => "symbol",
            };
            return Err(Problem::new(
                here,
                format!("`{name}` alone is a 32-bit address, and code lies wherever there is room"),
            )
            .help(format!("write `{name}(%rip)`")));
        }
        target.name = open(target.name.clone());
    }
    without_own_segment(&mut mem);
    Ok(OperandKind::Memory(mem))
}

/// A register of an address.
fn part<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Linear<'a>, Problem> {
    let here = cursor.span();
    match (cursor.peek(), cursor.peek_second()) {
        (Some(Token::Mark('%')), Some(Token::Word(word))) => {
            if let Some(register) = no_index(word) {
                cursor.advance();
                cursor.advance();
                return Ok(Linear::no_index(register, here.to(cursor.last_span())));
            }
            let register = marked(cursor, word)?;
            Ok(Linear::register(register, here.to(cursor.last_span())))
        }
        (Some(Token::Word(word)), _) if register(word).is_some() => Err(unmarked(word, here, None)),
        _ => Err(Problem::new(here, "expected a register here, with its `%`")),
    }
}

/// A register's name without `%` is a symbol to GNU as, and hardly ever meant as one.
fn check_unmarked(cursor: &Cursor<'_, '_>, inst: &Inst<'_>) -> Result<(), Problem> {
    match cursor.peek() {
        Some(Token::Word(word)) if register(word).is_some() => {
            let problem = unmarked(word, cursor.span(), Some(inst));
            Err(match mixed(cursor, word, inst) {
                Some(help) => problem.help(help),
                None => problem,
            })
        }
        _ => Ok(()),
    }
}

/// `mov eax, $5`: Intel's order with AT&T's mark. What it would be in either syntax.
fn mixed(cursor: &Cursor<'_, '_>, word: &str, inst: &Inst<'_>) -> Option<String> {
    let is_first = inst.operands.is_empty() && cursor.peek_behind(4).is_none();
    if !is_first || cursor.peek_second() != Some(&Token::Mark(',')) {
        return None;
    }
    let (marked, plain) = match (cursor.peek_third()?, cursor.peek_behind(3)?) {
        (Token::Mark('$'), Token::Number(value)) => (format!("${value}"), value.to_string()),
        (Token::Mark('%'), Token::Word(other)) => (format!("%{other}"), (*other).to_owned()),
        _ => return None,
    };
    let name = &inst.mnemonic;
    let bare = suffix::bare(name);
    Some(format!(
        "in Intel syntax, destination first: `{bare} {word}, {plain}`; in AT&T syntax, destination last: `{name} {marked}, %{word}`"
    ))
}

fn unmarked(word: &str, here: Span, inst: Option<&Inst<'_>>) -> Problem {
    let message = format!(
        "the register `{word}` has a `%` in AT&T syntax, else it is memory at a symbol `{word}`"
    );
    let problem = Problem::new(here, message);
    match inst.map(|inst| (&inst.mnemonic, &inst.operands[..])) {
        Some((
            name,
            [
                Operand {
                    kind: OperandKind::Immediate { value, .. },
                    ..
                },
            ],
        )) => {
            let plain = suffix::bare(name);
            problem.help(format!(
                "in AT&T syntax, destination last: `{name} ${value}, %{word}`; in Intel syntax, destination first: `{plain} {word}, {value}`"
            ))
        }
        _ => problem.help(format!("write `%{word}`")),
    }
}
