//! AT&T's mnemonics: the width as their last letter, and names that Intel has not.
//!
//! Correct means: a name that is an instruction's own is not cut, a suffix that a register
//! contradicts is refused, and memory has the width that the suffix says.

use iced_x86::Register;

use crate::asm::encode;
use crate::asm::inst::{Inst, Operand, OperandKind, Prefix, Reach};
use crate::asm::problem::Problem;
use crate::asm::registers::name_of;

/// Names that are not Intel's with a letter behind them.
#[rustfmt::skip]
const NAMES: [(&str, &str); 24] = [
    ("cbtw",  "cbw"),    ("cwtl",  "cwde"),   ("cltq",  "cdqe"),   ("cwtd",  "cwd"),    ("cltd",  "cdq"),    ("cqto",  "cqo"),
    ("movsl", "movsd"),  ("stosl", "stosd"),  ("lodsl", "lodsd"),  ("scasl", "scasd"),  ("cmpsl", "cmpsd"),  ("insl",  "insd"),
    ("outsl", "outsd"),  ("ud2a",  "ud2"),    ("ssto",  "stos"),   ("slod",  "lods"),   ("smov",  "movs"),   ("scmp",  "cmps"),
    ("movabsq", "movabs"), ("movabsl", "movabs"), ("movabsw", "movabs"), ("movabsb", "movabs"), ("fxsaveq", "fxsave64"), ("fxrstorq", "fxrstor64"),
];

/// String instructions without their width.
const STRINGS: [&str; 8] = [
    "movs", "stos", "lods", "scas", "cmps", "ins", "outs", "xlat",
];

/// Far calls and jumps: Intel's name, and bits of the pointer in memory.
#[rustfmt::skip]
const FAR: [(&str, &str, u32); 8] = [
    ("ljmp",  "jmp",  48), ("ljmpw",  "jmp",  32), ("ljmpl",  "jmp",  48), ("ljmpq",  "jmp",  80),
    ("lcall", "call", 48), ("lcallw", "call", 32), ("lcalll", "call", 48), ("lcallq", "call", 80),
];

/// Gives the instruction Intel's name, and its memory the width of the suffix. Operands stand in
/// Intel's order.
pub(super) fn name(inst: &mut Inst<'_>) -> Result<(), Problem> {
    if let Some(name) = extension(inst) {
        inst.mnemonic = name.into();
        return Ok(());
    }
    if let Some((_, name)) = NAMES.iter().find(|(written, _)| *written == inst.mnemonic) {
        inst.mnemonic = (*name).into();
        return Ok(());
    }
    if inst.mnemonic.starts_with('f') && !inst.mnemonic.starts_with("fx") {
        x87(inst);
        return Ok(());
    }
    if matches!(&*inst.mnemonic, "movq" | "movd") && has_vector(inst) {
        return Ok(());
    }
    if let Some((_, name, bits)) = FAR.iter().find(|(far, ..)| *far == inst.mnemonic) {
        for operand in &mut inst.operands {
            if let OperandKind::Memory(mem) = &mut operand.kind {
                mem.bits = Some(*bits);
            }
        }
        inst.mnemonic = (*name).into();
        inst.reach = Some(Reach::Far);
        return Ok(());
    }
    let Some((stem, letter)) = split(&inst.mnemonic) else {
        return Ok(());
    };
    let Some(bits) = bits_of(letter) else {
        return Ok(());
    };
    // Its registers say how wide it is.
    if stem == "movd" && letter == 'q' && has_vector(inst) {
        return Ok(());
    }
    // Nothing is there to have the width.
    if inst.operands.is_empty() && stem == "nop" {
        return Ok(());
    }
    let is_vector = bits >= 128;
    if is_vector && !stem.starts_with('v') && !stem.starts_with("cvt") {
        return Ok(());
    }
    let stem = stem.to_owned();
    // The suffix of a conversion to an integer is that of the register.
    let is_of_register = stem.ends_with("2si")
        || stem.ends_with("2usi")
        || matches!(&*stem, "lea" | "lss" | "lfs" | "lgs");
    for operand in &mut inst.operands {
        match &mut operand.kind {
            OperandKind::Memory(mem) if mem.broadcast.is_none() && !is_of_register => {
                mem.bits = Some(bits);
            }
            // A word that is pushed is one by its size alone.
            OperandKind::Immediate { bits: own, .. } if stem == "push" && bits == 16 => {
                *own = Some(16);
            }
            _ => {}
        }
    }
    let is_segment = |one: &Operand<'_>| {
        one.kind
            .register()
            .is_some_and(Register::is_segment_register)
    };
    if matches!(&*stem, "push" | "pop") && bits == 16 && inst.operands.iter().any(is_segment) {
        inst.prefixes.push((Prefix::Raw(0x66), inst.span));
    }
    if !is_vector {
        check_registers(inst, &stem, letter, bits)?;
    }
    inst.mnemonic = stem.into();
    Ok(())
}

fn has_vector(inst: &Inst<'_>) -> bool {
    let is_vector = |register: Register| register.is_vector_register() || register.is_mm();
    let mut registers = inst.operands.iter().filter_map(|one| one.kind.register());
    registers.any(is_vector)
}

fn bits_of(letter: char) -> Option<u32> {
    Some(match letter {
        'b' => 8,
        'w' => 16,
        'l' => 32,
        'q' => 64,
        'x' => 128,
        'y' => 256,
        'z' => 512,
        _ => return None,
    })
}

/// The name without the letter of its width, where it has one.
pub(super) fn bare(name: &str) -> &str {
    split(name).map_or(name, |(stem, _)| stem)
}

/// Whether AT&T syntax knows the name and Intel syntax does not.
pub(in crate::asm::read) fn is_known(name: &str) -> bool {
    let is_extension = (name.starts_with("movs") || name.starts_with("movz")) && name.len() == 6;
    NAMES.iter().any(|(written, _)| *written == name)
        || FAR.iter().any(|(written, ..)| *written == name)
        || !encode::knows(name) && (split(name).is_some() || is_extension || real(name).is_some())
}

pub(in crate::asm::read) fn is_branch(name: &str) -> bool {
    name.starts_with('j')
        || name.starts_with("loop")
        || matches!(name, "call" | "callq" | "xbegin")
        || FAR.iter().any(|(far, ..)| *far == name)
}

/// A known name and the letter of a width behind it.
fn split(name: &str) -> Option<(&str, char)> {
    let is_name = |name: &str| encode::knows(name) || STRINGS.contains(&name);
    let letter = name.chars().next_back().filter(|c| bits_of(*c).is_some())?;
    let stem = &name[..name.len() - 1];
    let is_cut = name == "movq" || !is_name(name);
    (is_cut && is_name(stem) && takes(stem, letter)).then_some((stem, letter))
}

/// Whether a name takes the letter: what moves the stack or the program has one width.
fn takes(stem: &str, letter: char) -> bool {
    match stem {
        "ret" | "leave" | "enter" | "call" | "jmp" | "pushf" | "popf" => letter == 'q',
        "push" | "pop" => matches!(letter, 'q' | 'w'),
        "iret" => false,
        _ if stem.starts_with("set") => letter == 'b',
        _ if stem.starts_with('j') || stem.starts_with("loop") => false,
        _ if matches!(letter, 'x' | 'y' | 'z') => true,
        // Of these the conversions from and to integers have one.
        _ if stem.starts_with(['v', 'k']) => stem.contains("si"),
        _ => encode::is_general(stem) || STRINGS.contains(&stem),
    }
}

/// `movsbl`, `movzwq`, `movslq`: which of Intel's moves it is, its memory given the first width.
fn extension(inst: &mut Inst<'_>) -> Option<&'static str> {
    let name = &inst.mnemonic;
    let (is_signed, letters) = match (name.strip_prefix("movs"), name.strip_prefix("movz")) {
        (Some(letters), _) => (true, letters),
        (_, Some(letters)) => (false, letters),
        _ => return None,
    };
    let [to, from] = &mut inst.operands[..] else {
        return None;
    };
    let to = to.kind.register().filter(|register| register.is_gpr())?;
    let of = |letter: u8| bits_of(char::from(letter)).filter(|bits| *bits <= 64);
    let (source, is_wide) = match letters.as_bytes() {
        [source] => (of(*source)?, true),
        [source, wide] => (of(*source)?, of(*wide)? as usize == 8 * to.size()),
        _ => return None,
    };
    if !is_wide || source as usize >= 8 * to.size() || !is_signed && source == 32 {
        return None;
    }
    match &mut from.kind {
        OperandKind::Memory(mem) => mem.bits = Some(source),
        OperandKind::Register(register) if 8 * register.size() == source as usize => {}
        _ => return None,
    }
    Some(match (is_signed, source) {
        (true, 32) => "movsxd",
        (true, _) => "movsx",
        (false, _) => "movzx",
    })
}

/// A suffix that a register contradicts.
fn check_registers(inst: &Inst<'_>, stem: &str, letter: char, bits: u32) -> Result<(), Problem> {
    let shifts = matches!(
        stem,
        "rol" | "ror" | "rcl" | "rcr" | "shl" | "sal" | "shr" | "sar" | "shld" | "shrd"
    );
    for (at, operand) in inst.operands.iter().enumerate() {
        let Some(register) = operand.kind.register().filter(|one| one.is_gpr()) else {
            continue;
        };
        let is_count = shifts && register == Register::CL && at > 0;
        let is_port = matches!(stem, "in" | "out") && register == Register::DX;
        let is_sum = stem == "crc32" && at == 0;
        let own = 8 * register.size() as u32;
        if is_count || is_port || is_sum || own == bits {
            continue;
        }
        let right = match own {
            8 => 'b',
            16 => 'w',
            32 => 'l',
            _ => 'q',
        };
        let name = name_of(register);
        return Err(Problem::new(
            operand.span,
            format!("the suffix `{letter}` means {bits} bits, and `%{name}` has {own}"),
        )
        .help(format!(
            "write `{stem}{right}` for {own} bits, or `{stem}` alone"
        )));
    }
    Ok(())
}

/// The x87 instructions whose suffix is the width of their memory.
#[rustfmt::skip]
const REALS: [&str; 11] = ["fld", "fst", "fstp", "fadd", "fmul", "fsub", "fsubr", "fdiv", "fdivr", "fcom", "fcomp"];
#[rustfmt::skip]
const INTEGERS: [&str; 12] = [
    "fild", "fist", "fistp", "fisttp", "fiadd", "fimul", "fisub", "fisubr", "fidiv", "fidivr", "ficom", "ficomp",
];
/// Suffixes with the width of a real and of an integer; 0 where there is none.
#[rustfmt::skip]
const WIDTHS: [(&str, u32, u32); 5] = [("ll", 0, 64), ("s", 32, 16), ("l", 64, 32), ("t", 80, 0), ("q", 0, 64)];

/// The name of an x87 instruction without its suffix, and the width that this says.
fn real(name: &str) -> Option<(&str, u32)> {
    WIDTHS.iter().find_map(|(suffix, of_real, of_integer)| {
        let stem = name.strip_suffix(suffix)?;
        let bits = match (REALS.contains(&stem), INTEGERS.contains(&stem)) {
            (true, _) => *of_real,
            (_, true) => *of_integer,
            _ => 0,
        };
        (bits != 0).then_some((stem, bits))
    })
}

/// AT&T's assembler took a subtraction for the reversed one where the result goes into another
/// register than the top, and all have stayed with it; so with divisions.
fn x87(inst: &mut Inst<'_>) {
    let written = inst.mnemonic.clone();
    if let Some((stem, bits)) = real(&written).filter(|_| !inst.operands.is_empty()) {
        for operand in &mut inst.operands {
            if let OperandKind::Memory(mem) = &mut operand.kind {
                mem.bits = Some(bits);
            }
        }
        inst.mnemonic = stem.to_owned().into();
        return;
    }
    let swaps = match &inst.operands[..] {
        [] => true,
        [one] => written.ends_with('p') && one.kind.register().is_some(),
        // One that pops never goes into the top, though it may be written so.
        [to, _] => written.ends_with('p') || to.kind.register() != Some(Register::ST0),
        _ => false,
    };
    let pairs = [
        ("fsub", "fsubr"),
        ("fdiv", "fdivr"),
        ("fsubp", "fsubrp"),
        ("fdivp", "fdivrp"),
    ];
    let both = pairs
        .iter()
        .flat_map(|(one, other)| [(one, other), (other, one)]);
    if let Some((_, other)) = both.into_iter().find(|(one, _)| **one == written)
        && swaps
    {
        inst.mnemonic = (*other).into();
    }
}
