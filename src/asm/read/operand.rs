//! Intel syntax: one operand.
//!
//! Correct means: a size word, a segment and a factor are taken as they stand, and no word is dropped.

use iced_x86::Register;

use super::address::{check_thread, memory, without_own_segment};
use super::directive::open;
use super::expression::{Cursor, Linear};
use super::lexer::Token;
use crate::asm::inst::{Broadcast, Inst, Mem, Name, Operand, OperandKind, Prefix, Reach, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::{name_of, register};

/// Bits named by a size word.
fn size_word(word: &str) -> Option<u32> {
    Some(match word {
        "byte" | "sbyte" => 8,
        "word" | "sword" => 16,
        "dword" | "sdword" => 32,
        // .NET prints what the collector follows as `gword` and what may point into it as `bword`.
        "qword" | "sqword" | "mmword" | "gword" | "bword" => 64,
        "fword" => 48,
        "tbyte" | "tword" => 80,
        "oword" | "xmmword" => 128,
        "yword" | "ymmword" => 256,
        "zword" | "zmmword" => 512,
        _ => return None,
    })
}

/// A segment, and where it stands.
type Segment = Option<(Register, Span)>;

/// The words in front of an operand.
#[derive(Debug, Clone, Copy, Default)]
struct Words {
    bits: Option<u32>,
    /// Whether `ptr` stands behind the width.
    is_pointer: bool,
    /// `BCST`.
    is_broadcast: bool,
    /// `offset`.
    offset: Option<Span>,
    /// `far`, and whether `ptr` stands behind it.
    far: Option<(Span, bool)>,
}

pub(in crate::asm) fn operand<'a>(
    cursor: &mut Cursor<'_, 'a>,
    inst: &mut Inst<'a>,
) -> Result<Operand<'a>, Problem> {
    let start = cursor.span();
    if let Some(kind) = alone(cursor) {
        return Ok(Operand { kind, span: start });
    }
    let words = words(cursor, inst)?;
    let segment = segment(cursor)?;
    let kind = if let Some(st) = x87_register(cursor) {
        if cursor.peek() == Some(&Token::Mark('(')) {
            return Err(Problem::new(
                start.to(cursor.span()),
                "the registers of the x87 stack are st(0) to st(7)",
            )
            .help("write st(1), or st1"));
        }
        OperandKind::Register(st)
    } else {
        unbracketed(cursor, inst, words, segment)?
    };
    // The width of a stack's word; in the encoding it is a prefix alone.
    let is_stacked = matches!(&*inst.mnemonic, "push" | "pop") && words.bits == Some(16);
    if is_stacked && kind.register().is_some_and(Register::is_segment_register) {
        inst.prefixes.push((Prefix::Raw(0x66), start));
    }
    Ok(Operand {
        kind,
        span: start.to(cursor.last_span()),
    })
}

/// Size words and their like.
fn words(cursor: &mut Cursor<'_, '_>, inst: &mut Inst<'_>) -> Result<Words, Problem> {
    let mut words = Words::default();
    while let Some(word) = cursor.word() {
        let here = cursor.span();
        // `byte` can be a symbol's name, too.
        let is_last = matches!(cursor.peek_second(), None | Some(Token::Mark(',' | ']')));
        match &*word {
            _ if is_last => break,
            "short" => inst.reach = Some(Reach::Short),
            "near" => inst.reach = Some(Reach::Near),
            "far" => {
                inst.reach = Some(Reach::Far);
                words.far = Some((here, false));
            }
            "strict" => {}
            "bcst" if words.bits.is_some() => words.is_broadcast = true,
            "ptr" if words.far.is_some() => words.far = Some((here, true)),
            "ptr" if words.bits.is_some() => words.is_pointer = true,
            "offset" if words.bits.is_none() => {
                words.offset = Some(here);
                if cursor.peek_second() == Some(&Token::Word("FLAT"))
                    || cursor.peek_second() == Some(&Token::Word("flat"))
                {
                    let symbol = match (cursor.peek_third(), cursor.peek_behind(3)) {
                        (Some(Token::Mark(':')), Some(Token::Word(symbol))) => symbol,
                        _ => "foo",
                    };
                    return Err(flat(inst, symbol, here));
                }
            }
            _ => match size_word(&word) {
                Some(_) if words.bits.is_some() => {
                    return Err(Problem::new(here, "two size words in one operand")
                        .help("leave one of them out"));
                }
                Some(bits) => words.bits = Some(bits),
                None => break,
            },
        }
        cursor.advance();
    }
    if let Some((here, is_pointer)) = words.far
        && cursor.peek() == Some(&Token::Mark('['))
    {
        words.bits = Some(far_bits(words.bits, is_pointer, here)?);
    }
    Ok(words)
}

/// Bits of a far pointer: NASM's size word is that of the address in it, in front of which stand 16 bits.
fn far_bits(address: Option<u32>, is_pointer: bool, here: Span) -> Result<u32, Problem> {
    match address {
        // Nobody reads `far dword ptr`.
        Some(16 | 32 | 64) if is_pointer => Err(Problem::new(here, "two size words in one operand")
            .help("leave one of them out")),
        Some(16) => Ok(16 + 16),
        Some(32) => Ok(32 + 16),
        Some(64) => Ok(64 + 16),
        None if is_pointer => Ok(32 + 16),
        _ => Err(
            Problem::new(here, "how wide this far transfer's pointer is, assemblers read differently")
                .help("write `call fword ptr [rax]` for an address of 32 bits, or `call far qword [rax]` for one of 64; no template may run it"),
        ),
    }
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

/// An operand behind its words: a sum, brackets, or both.
fn unbracketed<'a>(
    cursor: &mut Cursor<'_, 'a>,
    inst: &mut Inst<'a>,
    words: Words,
    segment: Segment,
) -> Result<OperandKind<'a>, Problem> {
    let start = cursor.span();
    let mut sum = Linear::default();
    let mut is_memory = segment.is_some();
    let mut segment = segment;
    let mut place = None;
    if cursor.peek() == Some(&Token::Mark('(')) {
        check_parenthesis(cursor, inst)?;
    }
    if cursor.peek() != Some(&Token::Mark('[')) {
        sum = cursor.settled_sum()?;
    }
    while cursor.peek() == Some(&Token::Mark('[')) {
        let here = cursor.span();
        if let Some(offset) = words.offset {
            return Err(Problem::new(
                offset.to(here),
                "`offset` takes the address of a label, and brackets read what lies there",
            )
            .help("write `lea rax, [label]` for the address, or leave `offset` out"));
        }
        cursor.advance();
        match bracketed(cursor, inst, segment)? {
            Inside::Operand(kind) => {
                let is_alone = !is_memory && sum.target.is_none() && !sum.has_number;
                cursor.expect(']')?;
                return match kind {
                    OperandKind::Memory(_) if is_alone && words.bits.is_none() => Ok(kind),
                    _ => Err(Problem::new(
                        start.to(cursor.last_span()),
                        "brackets in brackets are an address of their own",
                    )
                    .help("write call [rax+16]")),
                };
            }
            Inside::Sum(inner, found, inside) => {
                segment = found;
                // Brackets alone are marked inside.
                place = Some(if start == here {
                    inside
                } else {
                    start.to(cursor.span())
                });
                let whole = start.to(cursor.span());
                sum = sum.plus(inner, whole)?;
                cursor.expect(']')?;
            }
        }
        is_memory = true;
    }
    let here = start.to(cursor.last_span());
    if !is_memory {
        return plain(cursor, sum, words, here);
    }
    let place = place.unwrap_or(here);
    let mut mem = Mem {
        bits: words.bits,
        segment: segment.map(|(register, _)| register),
        broadcast: words.is_broadcast.then_some(Broadcast::Full),
        ..memory(cursor.settled(sum, place)?, place)?
    };
    check_thread(&mem, segment.map_or(here, |(_, span)| span))?;
    without_own_segment(&mut mem);
    Ok(OperandKind::Memory(mem))
}

/// Beyond this no displacement of 8 bits reaches: of vectors it counts in as many as 64 bytes.
const FARTHEST_BYTE: i128 = 128 * 64;

/// What stands between brackets.
enum Inside<'a> {
    /// `[QWORD PTR [rax+16]]`, as GCC writes calls.
    Operand(OperandKind<'a>),
    /// An address, with the segment in front of it.
    Sum(Linear<'a>, Segment, Span),
}

fn bracketed<'a>(
    cursor: &mut Cursor<'_, 'a>,
    inst: &mut Inst<'a>,
    segment: Segment,
) -> Result<Inside<'a>, Problem> {
    let mut segment = segment_inside(cursor, segment)?;
    let mut is_relative = false;
    let mut is_long = false;
    let mut byte = None;
    let mut address: Option<(usize, Span)> = None;
    while let Some(word) = cursor.word() {
        let here = cursor.span();
        if let Some(bits) = size_word(&word)
            && !matches!(
                cursor.peek_second(),
                None | Some(Token::Mark(']' | '+' | '-' | '*'))
            )
        {
            let is_pointer = matches!(cursor.peek_second(), Some(Token::Word(word)) if word.eq_ignore_ascii_case("ptr"));
            if is_pointer || cursor.peek_second() == Some(&Token::Mark('[')) {
                let operand = operand(cursor, inst)?;
                if bits != 64 {
                    return Err(Problem::new(here, "a call or a jump goes through 64 bits")
                        .help(format!("write `{} [QWORD PTR [rax]]`", inst.mnemonic)));
                }
                return Ok(Inside::Operand(operand.kind));
            }
            match bits {
                8 | 32 => {
                    inst.form.displacement = Some(bits);
                    byte = (bits == 8).then_some(here);
                }
                64 if inst.mnemonic == "mov" && is_number(cursor.peek_second()) => is_long = true,
                _ => return Err(displacement_word(&word, here)),
            }
        } else if word == "rel" {
            is_relative = true;
        } else if matches!(&*word, "a32" | "a64") {
            address = Some((if word == "a32" { 32 } else { 64 }, here));
        } else if !matches!(&*word, "abs" | "nosplit") {
            break;
        }
        cursor.advance();
        if cursor.peek() == Some(&Token::Mark(']')) {
            return Err(Problem::new(
                here,
                format!("`{word}` stands before an address"),
            ));
        }
        segment = segment_inside(cursor, segment)?;
    }
    let inside = cursor.span();
    if (cursor.peek(), cursor.peek_second())
        == (Some(&Token::Mark('(')), Some(&Token::Word("reloc")))
    {
        return Err(Problem::new(
            inside,
            "a run-time compiler's listing does not show this address",
        )
        .help("write a label or a number in its place, or a symbol in double quotes"));
    }
    let mut sum = cursor.settled_sum()?;
    // NASM writes the index of a tile or of a bound so.
    if cursor.take(',') {
        let index = cursor.settled_sum()?.scaled();
        sum = sum.plus(index, inside.to(cursor.last_span()))?;
    }
    if let Some((bits, here)) = address {
        let is_of =
            |register: Register| register.is_vector_register() || 8 * register.size() == bits;
        let is_wide = bits == 32 && (sum.target.is_some() || inst.mnemonic == "movabs");
        if is_wide || !sum.registers.iter().all(|term| is_of(term.register)) {
            return Err(Problem::new(here, "the address has another width")
                .help("leave the word out: registers say how wide an address is"));
        }
        if bits == 32 && sum.registers.is_empty() {
            inst.form.is_half = true;
            // It wraps, and the hardware reads nothing of what is above.
            sum.constant = i128::from(sum.constant as i32);
            (is_relative, is_long) = (false, false);
        }
    }
    let is_half = |sum: &Linear<'_>| sum.registers.iter().any(|one| one.register.is_gpr32());
    let distance = match u32::try_from(sum.constant) {
        Ok(wrapped) if is_half(&sum) => i128::from(wrapped as i32),
        _ => sum.constant,
    };
    if let Some(byte) = byte
        && !(-FARTHEST_BYTE..FARTHEST_BYTE).contains(&distance)
        && !sum.registers.is_empty()
    {
        return Err(
            Problem::new(byte, "the displacement does not fit in 8 bits")
                .help("leave the word `byte` out"),
        );
    }
    // A number of 64 bits, which `mov` alone can have, and the accumulator.
    if is_long && !is_relative {
        inst.form.displacement = Some(64);
    }
    if let Some(target) = in_parentheses(cursor, &sum) {
        sum.target = Some(target);
        sum.constant = 0;
    }
    // A disassembler's address.
    if is_relative
        && sum.target.is_none()
        && sum.registers.is_empty()
        && let Ok(address) = u64::try_from(sum.constant)
    {
        sum.constant = 0;
        sum.target = Some(Target {
            name: Name::Address(Box::new((address, None))),
            addend: 0,
            span: inside.to(cursor.last_span()),
        });
    }
    if is_relative && sum.target.is_none() && !sum.registers.is_empty() {
        return Err(
            Problem::new(inside, "`rel` stands only before a label or a symbol")
                .help("a distance from the next instruction is [rip+8]"),
        );
    }
    Ok(Inside::Sum(sum, segment, inside.to(cursor.last_span())))
}

/// Whether a token begins an address that is a number, perhaps behind its segment or `abs`.
fn is_number(token: Option<&Token<'_>>) -> bool {
    match token {
        Some(Token::Number(_)) => true,
        Some(Token::Word(word)) => {
            word.eq_ignore_ascii_case("abs")
                || register(word).is_some_and(|register| register.is_segment_register())
        }
        _ => false,
    }
}

/// `[name (07FF6A1B21017h)]`, as Visual Studio writes what lies at an address.
fn in_parentheses<'a>(cursor: &mut Cursor<'_, 'a>, sum: &Linear<'a>) -> Option<Target<'a>> {
    let target = sum.as_target()?;
    let Name::Label(name) = target.name else {
        return None;
    };
    let (Some(Token::Mark('(')), Some(Token::Number(address)), Some(Token::Mark(')'))) =
        (cursor.peek(), cursor.peek_second(), cursor.peek_third())
    else {
        return None;
    };
    for _ in 0..3 {
        cursor.advance();
    }
    Some(Target {
        name: Name::Address(Box::new((*address, Some((name, 0))))),
        addend: 0,
        span: target.span,
    })
}

/// An operand without brackets.
fn plain<'a>(
    cursor: &Cursor<'_, 'a>,
    sum: Linear<'a>,
    words: Words,
    here: Span,
) -> Result<OperandKind<'a>, Problem> {
    let sum = cursor.settled(sum, here)?;
    if let Some(value) = sum.as_constant() {
        return Ok(immediate(value, words));
    }
    if let Some(target) = sum.as_target() {
        // MASM's brackets around a variable can be left out.
        if words.is_pointer && words.offset.is_none() {
            let mut mem = Mem {
                bits: words.bits,
                ..memory(sum, here)?
            };
            if let Some(target) = &mut mem.target {
                target.name = open(target.name.clone());
            }
            return Ok(OperandKind::Memory(mem));
        }
        return Ok(OperandKind::Target(target));
    }
    match sum.as_register() {
        Some(Register::RIP) => Err(Problem::new(here, "`rip` stands only inside brackets")),
        Some(register)
            if words.bits.is_some_and(|bits| {
                bits as usize != 8 * register.size() && !is_part(bits, register)
            }) =>
        {
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

/// Whether a size word says how much of a vector register is read, as NASM lets one write.
fn is_part(bits: u32, register: Register) -> bool {
    register.is_vector_register() && (bits as usize) < 8 * register.size()
}

fn immediate<'a>(value: i128, words: Words) -> OperandKind<'a> {
    // In front of a number a size word says of how many bits it is meant to be.
    let is_wrapped = words.bits.is_some_and(|bits| bits < 64) && value > i128::from(i64::MAX);
    OperandKind::Immediate {
        value: if is_wrapped { value - (1 << 64) } else { value },
        bits: words.bits,
    }
}

/// A register in parentheses: AT&T's memory, which would be taken for the register.
fn check_parenthesis(cursor: &Cursor<'_, '_>, inst: &Inst<'_>) -> Result<(), Problem> {
    let Some(Token::Word(word)) = cursor.peek_second() else {
        return Ok(());
    };
    if register(word).is_none() {
        return Ok(());
    }
    let name = &inst.mnemonic;
    Err(
        Problem::new(cursor.span(), "memory stands in brackets in Intel syntax").help(format!(
            "write `{name} [{word}]` for what lies there, or `{name} {word}` for the register"
        )),
    )
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

/// `gs:` before an address.
fn segment(cursor: &mut Cursor<'_, '_>) -> Result<Segment, Problem> {
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
    cursor.advance();
    cursor.advance();
    Ok(Some((segment, here)))
}

/// `[gs:-8]` means `gs:[-8]`.
fn segment_inside(cursor: &mut Cursor<'_, '_>, before: Segment) -> Result<Segment, Problem> {
    let here = cursor.span();
    let inside = segment(cursor)?;
    if inside.is_some() && before.is_some() {
        return Err(Problem::new(here, "two segments in one operand"));
    }
    Ok(before.or(inside))
}

/// A size word in front of an address, where no displacement has that size.
fn displacement_word(word: &str, here: Span) -> Problem {
    Problem::new(here, "the width of a displacement is `byte` or `dword`").help(format!(
        "a size word for what lies there goes before the bracket, as in {word} [rax+8]; a 64-bit address wants movabs"
    ))
}

/// `OFFSET FLAT:foo`.
fn flat(inst: &Inst<'_>, symbol: &str, here: Span) -> Problem {
    let destination = inst.operands.first().and_then(|one| one.kind.register());
    let register = destination.map_or("rdi".into(), |one| name_of(one.full_register()));
    Problem::new(
        here,
        "a 32-bit address is not known here: code lies wherever there is room",
    )
    .help(format!(
        "write `lea {register}, {symbol}[rip]`; or compile with -fpie"
    ))
}
