//! Go's operands.
//!
//! Correct means: a symbol is all of its characters, whatever stands in them, and an offset from a
//! pseudo-register is the one that Go's assembler makes of it.

use iced_x86::Register;

use super::Function;
use super::symbol::canonical;
use crate::asm::inst::{Mem, Name, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers;

/// An operand as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written<'a> {
    /// `AX`, `R8`, `X15`, and the width that the name says, if it does.
    Register(Register, Option<u32>),
    /// `$24`.
    Number(i128),
    /// `$sym(SB)`: an address.
    Address(Target<'a>),
    /// What lies in memory.
    Memory(Mem<'a>),
    /// A number by itself: the offset that a branch goes to.
    Offset(i128),
    /// `3(PC)`: so many instructions from here.
    Instructions(i128),
    /// A name by itself: a label.
    Label(&'a str),
}

/// A register by Go's name, in its full width, with the bits that the name says.
pub(super) fn register(word: &str) -> Option<(Register, Option<u32>)> {
    /// Names of the first eight, in the order of their numbers.
    const OLD: [&str; 8] = ["AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"];
    const HIGH: [&str; 4] = ["AH", "CH", "DH", "BH"];
    if let Some(number) = OLD.iter().position(|name| *name == word) {
        return Some((Register::RAX + number as u32, None));
    }
    if let Some(number) = HIGH.iter().position(|name| *name == word) {
        return Some((Register::AH + number as u32, Some(8)));
    }
    if let Some(old) = word.strip_suffix(['L', 'B']) {
        let named = OLD[..4].iter().position(|name| name[..1] == *old);
        if let Some(number) = named {
            return word
                .ends_with('L')
                .then_some((Register::RAX + number as u32, Some(8)));
        }
        let named = OLD[4..].iter().position(|name| *name == old);
        if let Some(number) = named {
            return word
                .ends_with('B')
                .then_some((Register::RSP + number as u32, Some(8)));
        }
    }
    let (stem, digits) = word.split_at(word.find(|c: char| c.is_ascii_digit())?);
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, suffix) = digits.split_at(end);
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    let bits = match (stem, suffix) {
        ("R", "B") => Some(8),
        ("R", "W") => Some(16),
        ("R", "L") => Some(32),
        (_, "") => None,
        _ => return None,
    };
    let numbered = |first: Register, most: u32| (number < most).then(|| first + number);
    let found = match stem {
        "R" => (8..16).contains(&number).then(|| Register::RAX + number),
        "X" => numbered(Register::XMM0, 32),
        "Y" => numbered(Register::YMM0, 32),
        "Z" => numbered(Register::ZMM0, 32),
        "K" => numbered(Register::K0, 8),
        "M" => numbered(Register::MM0, 8),
        "F" => numbered(Register::ST0, 8),
        "CR" => numbered(Register::CR0, 16),
        "DR" => numbered(Register::DR0, 16),
        _ => None,
    };
    Some((found?, bits))
}

/// A register at a width.
pub(super) fn at_width(register: Register, bits: u32) -> Register {
    match register.is_gpr64() {
        true => registers::at_bits(register, bits).unwrap_or(register),
        false => register,
    }
}

/// Reads one operand. `is_branch` says whether a number or a name by itself is a target.
pub(super) fn operand<'a>(
    text: &'a str,
    span: Span,
    is_branch: bool,
    function: &Function,
) -> Result<Written<'a>, Problem> {
    if let Some((register, bits)) = register(text) {
        return Ok(Written::Register(register, bits));
    }
    if let Some(rest) = text.strip_prefix('$') {
        // `$f64.3ff0000000000000(SB)` is the name of memory.
        let is_constant =
            (rest.starts_with("f64.") || rest.starts_with("f32.")) && rest.ends_with("(SB)");
        if !is_constant {
            return immediate(rest, span, function);
        }
    }
    if let Some((segment, rest)) = text.split_once(':')
        && matches!(segment, "FS" | "GS" | "CS" | "DS" | "ES" | "SS")
    {
        if matches!(segment, "FS" | "GS") {
            return thread(rest, span);
        }
        return operand(rest, span, is_branch, function);
    }
    if text == "(TLS)" || text == "0(TLS)" {
        return Ok(Written::Memory(own_g()));
    }
    if let Some(value) = number(text) {
        return Ok(match is_branch {
            true => Written::Offset(value),
            false => Written::Memory(Mem {
                displacement: value,
                is_displaced: true,
                ..empty()
            }),
        });
    }
    if !text.ends_with(')') {
        return match is_branch && !text.is_empty() {
            true => Ok(Written::Label(text)),
            false => Err(unknown(text, span)),
        };
    }
    memory(text, span, is_branch, function)
}

fn unknown(text: &str, span: Span) -> Problem {
    let problem = Problem::new(
        span,
        format!("expected an operand of Go's assembler, not `{text}`"),
    );
    let lower = text.trim_start_matches('%').to_ascii_lowercase();
    match registers::register(&lower).map(|found| found.full_register()) {
        Some(full) if text.starts_with('%') || text.len() > 2 => problem.help(format!(
            "`{text}` is how others call it; Go's assembler writes {}",
            go_name(full)
        )),
        _ if text.contains('[') => problem.help("memory is 8(AX) or 8(AX)(CX*4)"),
        _ => problem.help(
            "registers are AX to R15 and X0 to X31, numbers $24, memory 8(AX), symbols main.x(SB)",
        ),
    }
}

/// Go's name of a register, whose width it does not say.
pub(in crate::asm) fn go_name(register: Register) -> String {
    let full = register.full_register();
    let name = format!("{full:?}");
    match name.strip_prefix('R') {
        Some(old) if full.is_gpr64() && full.number() < 8 => old.to_owned(),
        _ => match (full.is_vector_register(), register.number()) {
            (true, number) if register.is_xmm() => format!("X{number}"),
            (true, number) if register.is_ymm() => format!("Y{number}"),
            (true, number) => format!("Z{number}"),
            _ => name,
        },
    }
}

fn empty<'a>() -> Mem<'a> {
    Mem {
        bits: None,
        segment: None,
        base: None,
        index: None,
        has_no_index: false,
        scale: 1,
        displacement: 0,
        target: None,
        broadcast: None,
        is_displaced: false,
    }
}

/// Where g stands: Go links `(TLS)` as `fs:[-8]`, and that belongs to the tool's own thread.
pub(super) fn own_g<'a>() -> Mem<'a> {
    Mem {
        segment: Some(Register::GS),
        displacement: -8,
        is_displaced: true,
        ..empty()
    }
}

/// Memory of the thread: what Linux and macOS have there is g, and nothing else is read.
fn thread<'a>(text: &str, span: Span) -> Result<Written<'a>, Problem> {
    match number(text) {
        Some(-8 | 0x30 | 0x8a0 | 0xffff_fff8 | 0xffff_ffff_ffff_fff8) => {
            Ok(Written::Memory(own_g()))
        }
        _ => Err(Problem::new(
            span,
            "of the thread, only g can be read, which Go has at FS:-8",
        )
        .help("write (TLS)")),
    }
}

/// What follows `$`.
fn immediate<'a>(rest: &'a str, span: Span, function: &Function) -> Result<Written<'a>, Problem> {
    if let Some(value) = number(rest) {
        return Ok(Written::Number(value));
    }
    if let Some(character) = rest
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
    {
        let mut characters = character.chars();
        if let (Some(one), None) = (characters.next(), characters.next()) {
            return Ok(Written::Number(i128::from(u32::from(one))));
        }
    }
    if rest.ends_with(')')
        && let Ok(Written::Memory(mem)) = memory(rest, span, false, function)
    {
        return match mem {
            Mem {
                target: Some(target),
                base: None,
                index: None,
                ..
            } => Ok(Written::Address(target)),
            _ => Err(
                Problem::new(span, "the address of memory behind a register is no number")
                    .help(format!("write `LEAQ {rest}, AX`")),
            ),
        };
    }
    Err(
        Problem::new(span, format!("`{rest}` behind `$` is neither a number nor a symbol")).help(
            "numbers are 24, 0x18 and -1; a symbol's address is $main.x(SB); for 64 bits of a double write $0x3ff0000000000000",
        ),
    )
}

/// `sym+8(SB)`, `8(AX)(CX*4)`, `name+16(SP)`, `(DX*8)`.
fn memory<'a>(
    text: &'a str,
    span: Span,
    is_branch: bool,
    function: &Function,
) -> Result<Written<'a>, Problem> {
    let wrong = |what: &str| unknown(what, span);
    let mut before = text;
    let mut groups: [Option<&str>; 2] = [None, None];
    // From behind, because a symbol's name may hold parentheses, too.
    for slot in &mut groups {
        let Some(inside) = before.strip_suffix(')') else {
            break;
        };
        let Some(open) = inside.rfind('(') else {
            break;
        };
        let group = &inside[open + 1..];
        if !is_group(group) {
            break;
        }
        *slot = Some(group);
        before = &inside[..open];
    }
    let (first, second) = match groups {
        [Some(last), Some(first)] => (first, Some(last)),
        [Some(only), None] => (only, None),
        _ => return Err(wrong(text)),
    };
    let mut mem = empty();
    let (symbol, offset) = split(before).ok_or_else(|| wrong(before))?;
    mem.displacement = offset;
    mem.is_displaced = !before.is_empty();
    if let Some(scaled) = second {
        let (index, scale) = scaled.split_once('*').unwrap_or((scaled, "1"));
        // `0(CX)(TLS*1)`, of shared objects.
        if index == "TLS" {
            return Ok(Written::Memory(own_g()));
        }
        index_of(&mut mem, index, scale).ok_or_else(|| wrong(text))?;
    }
    match first {
        "SB" => {
            if mem.index.is_some() {
                return Err(Problem::new(
                    span,
                    "a symbol's address is relative to the instruction and takes no other register",
                )
                .help("take its address with LEAQ, and add the register to that"));
            }
            let addend = i64::try_from(offset).map_err(|_| wrong(text))?;
            mem.displacement = 0;
            mem.target = Some(Target {
                name: Name::Symbol(canonical(symbol)),
                addend,
                span,
            });
        }
        "PC" => {
            return match is_branch && symbol.is_empty() {
                true => Ok(Written::Instructions(offset)),
                false => Err(wrong(text)),
            };
        }
        "IP" => {
            let address = function
                .next
                .and_then(|next| next.checked_add_signed(i64::try_from(offset).ok()?));
            let Some(address) = address.filter(|_| mem.index.is_none() && symbol.is_empty()) else {
                return Err(Problem::new(
                    span,
                    "where this points is known only with the address of the line, and how long it is",
                )
                .help("paste the columns of addresses and bytes, too"));
            };
            mem.displacement = 0;
            mem.target = Some(Target {
                name: function.place(address),
                addend: 0,
                span,
            });
        }
        "SP" | "FP" => {
            mem.base = Some(Register::RSP);
            mem.displacement += function.frame_offset(first, !symbol.is_empty(), span)?;
            order(&mut mem).ok_or_else(|| wrong(text))?;
        }
        _ if first.contains('*') => {
            let (index, scale) = first.split_once('*').unwrap_or((first, "1"));
            index_of(&mut mem, index, scale).ok_or_else(|| wrong(text))?;
        }
        _ => {
            let (register, bits) = register(first).ok_or_else(|| wrong(text))?;
            if bits.is_some() || !register.is_gpr64() {
                return Err(wrong(text));
            }
            mem.base = Some(register);
            order(&mut mem).ok_or_else(|| wrong(text))?;
        }
    }
    if !symbol.is_empty() && mem.target.is_none() && !matches!(first, "SP" | "FP") {
        return Err(wrong(text));
    }
    Ok(Written::Memory(mem))
}

/// Whether what stands in parentheses is a register of any kind.
fn is_group(text: &str) -> bool {
    let (word, scale) = text.split_once('*').unwrap_or((text, "1"));
    matches!(scale, "1" | "2" | "4" | "8")
        && (matches!(word, "SB" | "FP" | "PC" | "TLS" | "IP") || register(word).is_some())
}

fn index_of(mem: &mut Mem<'_>, index: &str, scale: &str) -> Option<()> {
    let (index, bits) = register(index)?;
    if bits.is_some() || !(index.is_gpr64() || index.is_vector_register()) {
        return None;
    }
    mem.index = Some(index);
    mem.scale = scale.parse().ok()?;
    Some(())
}

/// The stack pointer is never an index.
fn order(mem: &mut Mem<'_>) -> Option<()> {
    if mem.index != Some(Register::RSP) {
        return Some(());
    }
    if mem.scale != 1 || mem.base == Some(Register::RSP) {
        return None;
    }
    std::mem::swap(&mut mem.base, &mut mem.index);
    Some(())
}

/// A symbol and what is added to it.
pub(super) fn split(text: &str) -> Option<(&str, i128)> {
    if text.is_empty() {
        return Some(("", 0));
    }
    if let Some(value) = number(text) {
        return Some(("", value));
    }
    let digits = text.bytes().rev().take_while(u8::is_ascii_hexdigit).count();
    for (at, sign) in text.rmatch_indices(['+', '-']).take(2) {
        // A type may end in an arrow, and a name in a number.
        let is_end = text.len() - at <= digits + 3;
        let tail = &text[at + 1..];
        if is_end
            && tail.starts_with(|c: char| c.is_ascii_digit())
            && let Some(value) = number(tail)
        {
            let stem = &text[..at];
            let value = if sign == "-" { -value } else { value };
            return Some((stem, value));
        }
    }
    Some((text, 0))
}

/// A number: decimal, hexadecimal, octal, with signs, and sums of them in parentheses.
pub(super) fn number(text: &str) -> Option<i128> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('-') {
        return Some(-number(rest)?);
    }
    if let Some(rest) = text.strip_prefix('+') {
        return number(rest);
    }
    if let Some(rest) = text.strip_prefix('~') {
        return Some(!number(rest)?);
    }
    if let Some(inside) = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        return sum(inside);
    }
    let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    Some(i128::from(value))
}

/// What stands in parentheses: one operator between two numbers, from the left.
fn sum(text: &str) -> Option<i128> {
    if let Some(value) = number(text) {
        return Some(value);
    }
    for operator in ["|", "+", "-", "<<", ">>", "*", "&"] {
        let Some(at) = text.rfind(operator).filter(|at| *at > 0) else {
            continue;
        };
        let (one, other) = (
            sum(text[..at].trim())?,
            sum(text[at + operator.len()..].trim())?,
        );
        return match operator {
            "|" => Some(one | other),
            "+" => one.checked_add(other),
            "-" => one.checked_sub(other),
            "*" => one.checked_mul(other),
            "&" => Some(one & other),
            _ => {
                let bits = u32::try_from(other).ok().filter(|bits| *bits < 64)?;
                Some(if operator == "<<" {
                    one << bits
                } else {
                    one >> bits
                })
            }
        }
        .filter(|value| value.unsigned_abs() < 1 << 100);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_found_by_go_s_name_alone() {
        for (name, register64, bits) in [
            ("AX", Register::RAX, None),
            ("DI", Register::RDI, None),
            ("R15", Register::R15, None),
            ("AL", Register::RAX, Some(8)),
            ("SIB", Register::RSI, Some(8)),
            ("R9B", Register::R9, Some(8)),
            ("CH", Register::CH, Some(8)),
            ("X31", Register::XMM31, None),
            ("K7", Register::K7, None),
        ] {
            assert_eq!(register(name), Some((register64, bits)), "{name}");
        }
        for name in [
            "RAX", "EAX", "R16", "X32", "ax", "R08", "SL", "AB", "K8", "R",
        ] {
            assert_eq!(register(name), None, "{name}");
        }
    }

    #[test]
    fn a_number_is_read_in_go_s_notations_and_a_sum_in_parentheses() {
        for (text, value) in [
            ("24", 24),
            ("-8", -8),
            ("0x1F", 31),
            ("017", 15),
            ("0", 0),
            ("~0", -1),
            ("(1<<3)", 8),
            ("(4*8+1)", 33),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in [
            "",
            "0x",
            "1f",
            "x",
            "08",
            "18446744073709551616",
            "()",
            "(1<<)",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn an_offset_is_split_from_its_symbol() {
        for (text, symbol, offset) in [
            ("main.x+32", "main.x", 32),
            ("\"\".~r2+16", "\"\".~r2", 16),
            ("x-8", "x", -8),
            ("16", "", 16),
            ("go.string.\"a+1\"", "go.string.\"a+1\"", 0),
            ("type.func(int) <-chan int", "type.func(int) <-chan int", 0),
            ("main.f", "main.f", 0),
            ("", "", 0),
        ] {
            assert_eq!(split(text), Some((symbol, offset)), "{text}");
        }
    }
}
