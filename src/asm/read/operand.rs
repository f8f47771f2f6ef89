//! Intel syntax: one operand, and the braces after it.
//!
//! Correct means: a size word, a segment and a factor are taken as they stand, and an address that
//! the hardware cannot form is refused here.

use iced_x86::{Register, RoundingControl};

use super::expression::{Cursor, Linear};
use super::lexer::Token;
use crate::asm::inst::{Inst, Mem, Operand, OperandKind, Reach, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::{name_of, register};

/// Bits named by a size word.
fn size_word(word: &str) -> Option<u32> {
    Some(match word {
        "byte" => 8,
        "word" => 16,
        "dword" => 32,
        "qword" => 64,
        "fword" => 48,
        "tbyte" | "tword" => 80,
        "oword" | "xmmword" => 128,
        "yword" | "ymmword" => 256,
        "zword" | "zmmword" => 512,
        _ => return None,
    })
}

pub(in crate::asm) fn operand<'a>(
    cursor: &mut Cursor<'_, 'a>,
    inst: &mut Inst<'a>,
) -> Result<Operand<'a>, Problem> {
    let start = cursor.span();
    if let Some(kind) = alone(cursor) {
        return Ok(Operand { kind, span: start });
    }
    let mut bits = None;
    while let Some(word) = cursor.word() {
        let reach = match &*word {
            "short" => Some(Reach::Short),
            "near" => Some(Reach::Near),
            _ => None,
        };
        if let Some(reach) = reach {
            inst.reach = Some(reach);
        } else if let Some(size) = size_word(&word) {
            bits = Some(size);
        } else if !(word == "ptr" && bits.is_some() || word == "offset" && bits.is_none()) {
            break;
        }
        cursor.advance();
    }
    let segment = segment(cursor)?;
    let kind = if cursor.take('[') {
        let inner = segment_inside(cursor, segment)?;
        let inside = cursor.span();
        let is_relative = before_address(cursor)?;
        let sum = cursor.sum()?;
        if is_relative && sum.target.is_none() {
            return Err(Problem::new(inside, "`rel` stands only before a label or a symbol")
                .help("an address is absolute without it; a distance from the next instruction is [rip+8]"));
        }
        let inside = inside.to(cursor.last_span());
        cursor.expect(']')?;
        OperandKind::Memory(Mem {
            bits,
            segment: inner,
            ..memory(sum, inside)?
        })
    } else if segment.is_some() {
        return Err(
            Problem::new(cursor.span(), "a segment goes before brackets").help("write gs:[-8]"),
        );
    } else if let Some(st) = x87_register(cursor) {
        if cursor.peek() == Some(&Token::Mark('(')) {
            return Err(Problem::new(
                start.to(cursor.span()),
                "the registers of the x87 stack are st(0) to st(7)",
            )
            .help("write st(1), or st1"));
        }
        OperandKind::Register(st)
    } else {
        plain(cursor, bits)?
    };
    Ok(Operand {
        kind,
        span: start.to(cursor.last_span()),
    })
}

/// A register or a number with nothing beside it: what most operands are, and quickly read.
fn alone(cursor: &mut Cursor<'_, '_>) -> Option<OperandKind<'static>> {
    if !matches!(cursor.peek_second(), None | Some(Token::Mark(','))) {
        return None;
    }
    let kind = match cursor.peek()? {
        Token::Word(word) => {
            OperandKind::Register(register(word).filter(|register| *register != Register::RIP)?)
        }
        Token::Number(value) => OperandKind::Immediate {
            value: i128::from(*value),
            bits: None,
        },
        _ => return None,
    };
    cursor.advance();
    Some(kind)
}

/// An operand without brackets.
fn plain<'a>(cursor: &mut Cursor<'_, 'a>, bits: Option<u32>) -> Result<OperandKind<'a>, Problem> {
    let start = cursor.span();
    let sum = cursor.sum()?;
    let here = start.to(cursor.last_span());
    if let Some(value) = sum.as_constant() {
        return Ok(OperandKind::Immediate { value, bits });
    }
    if let Some(target) = sum.as_target() {
        return Ok(OperandKind::Target(target));
    }
    match sum.as_register() {
        Some(Register::RIP) => Err(Problem::new(here, "`rip` stands only inside brackets")),
        Some(register) if bits.is_some_and(|bits| bits as usize != 8 * register.size()) => {
            Err(Problem::new(
                here,
                format!(
                    "the size word does not fit the register `{}`",
                    name_of(register)
                ),
            ))
        }
        Some(register) => Ok(OperandKind::Register(register)),
        None => Err(Problem::new(
            here,
            "a sum with registers stands only inside brackets",
        )),
    }
}

/// `st(3)`; plain `st` is `st(0)`.
fn x87_register(cursor: &mut Cursor<'_, '_>) -> Option<Register> {
    if cursor.word()? != "st" {
        return None;
    }
    cursor.advance();
    if cursor.peek() == Some(&Token::Mark('('))
        && let Some(Token::Number(number @ 0..=7)) = cursor.peek_second()
    {
        cursor.advance();
        cursor.advance();
        cursor.take(')');
        return register(&format!("st{number}"));
    }
    Some(Register::ST0)
}

/// `gs:` before brackets.
fn segment(cursor: &mut Cursor<'_, '_>) -> Result<Option<Register>, Problem> {
    let (Some(Token::Mark(':')), Some(word)) = (cursor.peek_second(), cursor.word()) else {
        return Ok(None);
    };
    let here = cursor.span();
    let Some(segment) = register(&word).filter(|register| register.is_segment_register()) else {
        return Err(Problem::new(
            here,
            format!("`{word}` is not a segment register"),
        ));
    };
    if segment == Register::FS {
        return Err(Problem::new(here, "`fs` belongs to the tool's own thread")
            .help("Go's g stands at `gs:[-8]` here"));
    }
    cursor.advance();
    cursor.advance();
    Ok(Some(segment))
}

/// `[gs:-8]` means `gs:[-8]`.
fn segment_inside(
    cursor: &mut Cursor<'_, '_>,
    before: Option<Register>,
) -> Result<Option<Register>, Problem> {
    let here = cursor.span();
    let inside = segment(cursor)?;
    if inside.is_some() && before.is_some() {
        return Err(Problem::new(here, "two segments in one operand"));
    }
    Ok(before.or(inside))
}

/// What may stand between the bracket and the address: `rel`, and no size word, which in NASM asks
/// for a displacement of that width.
fn before_address(cursor: &mut Cursor<'_, '_>) -> Result<bool, Problem> {
    let Some(word) = cursor.word() else {
        return Ok(false);
    };
    if size_word(&word).is_some() {
        return Err(Problem::new(
            cursor.span(),
            "the width of a displacement cannot be chosen: it is the shortest that holds it",
        )
        .help(format!(
            "a size word for what lies there goes before the bracket, as in {word} [rax+8]; a 64-bit address wants movabs"
        )));
    }
    let is_relative = word == "rel";
    if is_relative {
        cursor.advance();
    }
    Ok(is_relative)
}

/// Base, index and scale from a sum of registers.
fn memory(sum: Linear<'_>, here: Span) -> Result<Mem<'_>, Problem> {
    let mut mem = Mem {
        bits: None,
        segment: None,
        base: None,
        index: None,
        scale: 1,
        displacement: sum.constant,
        target: None,
        broadcast: None,
    };
    for term in sum.registers.iter() {
        let register = term.register;
        let name = || name_of(register);
        if !(register.is_gpr32()
            || register.is_gpr64()
            || register.is_vector_register()
            || register == Register::RIP)
        {
            return Err(Problem::new(
                term.span,
                format!("`{}` cannot address memory in 64-bit code", name()),
            ));
        }
        if term.scale < 0 {
            return Err(Problem::new(
                here,
                format!("`{}` cannot be subtracted in an address", name()),
            )
            .help("`neg` it in a register of its own, and add that"));
        }
        if ![1, 2, 4, 8].contains(&term.scale) {
            return Err(Problem::new(
                here,
                format!("the factor of `{}` must be 1, 2, 4 or 8", name()),
            )
            .help("multiply before: `lea rcx, [rax+rax*2]` is three times rax"));
        }
        let must_be_index = term.scale != 1 || register.is_vector_register();
        let is_index = must_be_index || term.scaled && mem.index.is_none() || mem.base.is_some();
        if is_index && mem.index.is_none() {
            mem.index = Some(register);
            mem.scale = u32::try_from(term.scale).unwrap_or(1);
        } else if !must_be_index && mem.base.is_none() {
            mem.base = Some(register);
        } else {
            return Err(Problem::new(
                here,
                "only one register of an address can have a factor",
            ));
        }
    }
    order_registers(&mut mem, here)?;
    if let Some(target) = sum.target {
        if mem.index.is_some() || mem.base.is_some_and(|base| base != Register::RIP) {
            return Err(Problem::new(
                here,
                "a symbol's address is relative to `rip` and takes no other register",
            )
            .help("load the address first: `lea rcx, [symbol]`, then use [rcx + ...]"));
        }
        let Ok(addend) = i64::try_from(sum.constant) else {
            return Err(Problem::new(
                here,
                "the distance from the symbol is out of range",
            ));
        };
        mem.base = None;
        mem.displacement = 0;
        mem.target = Some(Target { addend, ..target });
    }
    Ok(mem)
}

/// The stack pointer has no encoding as an index, so it changes places with an unscaled base.
fn order_registers(mem: &mut Mem<'_>, here: Span) -> Result<(), Problem> {
    let is_stack = |register| matches!(register, Some(Register::RSP | Register::ESP));
    if is_stack(mem.index) && mem.scale == 1 && !is_stack(mem.base) {
        std::mem::swap(&mut mem.base, &mut mem.index);
    }
    if is_stack(mem.index) {
        return Err(Problem::new(here, "`rsp` cannot be an index")
            .help("copy it to another register first, or give the other register the factor"));
    }
    if (mem.index, mem.base) == (mem.index, Some(Register::RIP)) && mem.index.is_some()
        || mem.index == Some(Register::RIP)
    {
        return Err(
            Problem::new(here, "`rip` takes neither an index nor a factor")
                .help("load the address first: `lea rcx, [rip+8]`, then use [rcx + ...]"),
        );
    }
    if let (Some(base), Some(index)) = (mem.base, mem.index)
        && !index.is_vector_register()
        && base.size() != index.size()
    {
        return Err(Problem::new(
            here,
            format!(
                "`{}` and `{}` differ in width and cannot form one address",
                name_of(base),
                name_of(index)
            ),
        )
        .help("use the 64-bit names of both"));
    }
    Ok(())
}

/// `{k1}`, `{z}`, `{1to8}`, `{sae}` or `{rn-sae}`.
pub(in crate::asm) fn decoration(
    cursor: &mut Cursor<'_, '_>,
    inst: &mut Inst<'_>,
) -> Result<(), Problem> {
    let start = cursor.span();
    cursor.expect('{')?;
    let mut word = cursor.word().unwrap_or_default();
    cursor.advance();
    if cursor.take('-') {
        word = format!("{word}-{}", cursor.word().unwrap_or_default()).into();
        cursor.advance();
    }
    cursor.expect('}')?;
    let here = start.to(cursor.last_span());
    let is_behind_destination = inst.operands.len() == 1;
    let decor = &mut inst.decor;
    let before = *decor;
    decor.span.get_or_insert(here);
    match &*word {
        "z" => {
            check_place(here, is_behind_destination, before.zeroing.is_some())?;
            decor.zeroing = Some(here);
        }
        "sae" => decor.exact = true,
        "rn-sae" => decor.rounding = Some(RoundingControl::RoundToNearest),
        "rd-sae" => decor.rounding = Some(RoundingControl::RoundDown),
        "ru-sae" => decor.rounding = Some(RoundingControl::RoundUp),
        "rz-sae" => decor.rounding = Some(RoundingControl::RoundTowardZero),
        _ => {
            if let Some(mask) =
                register(&word).filter(|register| register.is_k() && *register != Register::K0)
            {
                check_place(here, is_behind_destination, before.mask.is_some())?;
                decor.mask = Some(mask);
                return Ok(());
            }
            if let Some(count) = word
                .strip_prefix("1to")
                .and_then(|count| count.parse().ok())
                && let Some(Operand {
                    kind: OperandKind::Memory(mem),
                    ..
                }) = inst.operands.last_mut()
            {
                return match mem.broadcast.replace(count) {
                    None => Ok(()),
                    Some(_) => Err(twice(here)),
                };
            }
            return Err(Problem::new(here, format!("unknown decoration `{{{word}}}`"))
                .help("known are {k1} to {k7}, {z}, {1to2} to {1to32} after memory, {sae} and {rn-sae}, {rd-sae}, {ru-sae}, {rz-sae}"));
        }
    }
    if word.ends_with("sae") && (before.exact || before.rounding.is_some()) {
        return Err(twice(here));
    }
    Ok(())
}

/// Refuses a mask or `{z}` that is not the destination's own, or not the first.
fn check_place(here: Span, is_behind_destination: bool, is_second: bool) -> Result<(), Problem> {
    if !is_behind_destination {
        return Err(Problem::new(
            here,
            "masks and {z} belong to the destination, the first operand",
        )
        .help("write vaddpd zmm1{k1}{z}, zmm2, zmm3"));
    }
    if is_second {
        return Err(twice(here));
    }
    Ok(())
}

/// A decoration where one of its kind stands already.
fn twice(here: Span) -> Problem {
    Problem::new(here, "an instruction takes one decoration of a kind")
        .help("leave out one of the two")
}
