//! Mistakes that people make again and again, and what to write.
//!
//! Correct means: the help is the line that was meant, with the operands that were written.

use iced_x86::Register;

use crate::asm::inst::{Inst, Operand, OperandKind};
use crate::asm::problem::Problem;
use crate::asm::registers::{at_bits, name_of};

/// What is wrong, where it is one of them. No form takes the operands.
pub(in crate::asm) fn mistake(inst: &Inst<'_>, name: &str) -> Option<Problem> {
    let problem =
        |message: String, help: String| Some(Problem::new(inst.operand_span(), message).help(help));
    let written = &inst.mnemonic;
    let registers: Vec<Option<Register>> = inst
        .operands
        .iter()
        .map(|one| one.kind.register())
        .collect();
    let is_number = |operand: &Operand<'_>| matches!(operand.kind, OperandKind::Immediate { .. });
    let shifts = matches!(name, "rol" | "ror" | "rcl" | "rcr" | "shl" | "shr" | "sar");
    match (name, &inst.operands[..], &registers[..]) {
        (
            "lea",
            [
                _,
                Operand {
                    kind: OperandKind::Target(target),
                    ..
                },
            ],
            [Some(to), _],
        ) => {
            let symbol = match &target.name {
                crate::asm::inst::Name::Label(name) => name,
                _ => "symbol",
            };
            let addend = match target.addend {
                0 => String::new(),
                addend => format!("{addend:+}"),
            };
            problem(
                "`lea` takes an address in brackets".to_owned(),
                format!("write `lea {}, [{symbol}{addend}]`", name_of(*to)),
            )
        }
        (
            "mov" | "cmp" | "add" | "sub" | "and" | "or" | "xor" | "test" | "adc" | "sbb" | "imul"
            | "bt" | "bts" | "btr" | "btc" | "shl" | "shr" | "sar" | "rol" | "ror" | "rcl" | "rcr",
            [first, _],
            [_, Some(to)],
        ) if is_number(first) => {
            let OperandKind::Immediate { value, .. } = first.kind else {
                return None;
            };
            let part = if inst.form.is_att { "last" } else { "first" };
            problem(
                format!("the register stands {part}: a number cannot be written to"),
                format!(
                    "write `{}`",
                    right(inst, written, &[Shown::Register(*to), Shown::Number(value)])
                ),
            )
        }
        ("movq" | "movd", _, [Some(to), Some(from)]) if to.is_gpr() && from.is_gpr() => problem(
            format!("`{name}` moves to or from xmm and mm registers"),
            format!("write `{}`", both(inst, "mov", *to, *from)),
        ),
        ("movq" | "movd", [_, _], [Some(one), None] | [None, Some(one)]) if one.is_gpr() => {
            problem(
                format!("`{name}` moves to or from xmm and mm registers"),
                "write `mov`, which moves between general registers and memory".to_owned(),
            )
        }
        ("mov", [_, _], [one, other]) if [one, other].into_iter().flatten().any(is_wide) => {
            moved_otherwise(inst, *one, *other)
        }
        ("push" | "pop", _, [Some(register)]) if register.is_gpr() && register.size() != 8 => {
            let verb = if name == "push" { "pushes" } else { "pops" };
            problem(
                format!("64-bit code {verb} 64 bits"),
                format!(
                    "write `{}`",
                    right(inst, name, &[Shown::Register(register.full_register())])
                ),
            )
        }
        _ if shifts && inst.operands.len() == 2 && registers[1].is_some() => {
            let to = registers[0].unwrap_or(Register::EAX);
            problem(
                format!("the count of `{written}` is `cl` or a number"),
                format!(
                    "write `{}`, or a number",
                    both(inst, name, to, Register::CL)
                ),
            )
        }
        ("mov" | "movzx" | "movsx", _, [Some(to), Some(from)]) if to.is_gpr() && from.is_gpr() => {
            widths(inst, name, *to, *from)
        }
        (
            "add" | "sub" | "cmp" | "and" | "or" | "xor" | "test" | "adc" | "sbb" | "xchg" | "xadd"
            | "cmpxchg",
            _,
            [Some(one), Some(other)],
        ) if one.is_gpr() && other.is_gpr() => one_width(inst, name, *one, *other),
        ("movss" | "movaps" | "movups" | "movsd" | "movapd", _, [Some(to), Some(from)])
            if to.is_xmm() && from.is_gpr() || to.is_gpr() && from.is_xmm() =>
        {
            let gpr = if to.is_gpr() { to } else { from };
            let other = if gpr.size() == 8 { "movq" } else { "movd" };
            problem(
                format!("`{name}` moves between xmm registers and memory"),
                format!("write `{}`", both(inst, other, *to, *from)),
            )
        }
        ("pinsrb" | "pinsrw", [_, _, last], [Some(to), Some(from), None])
            if from.is_gpr() && is_number(last) =>
        {
            let OperandKind::Immediate { value, .. } = last.kind else {
                return None;
            };
            let all = [
                Shown::Register(*to),
                Shown::Register(at_bits(*from, 32)?),
                Shown::Number(value),
            ];
            problem(
                format!("`{name}` reads the low bits of a 32-bit register"),
                format!("write `{}`", right(inst, name, &all)),
            )
        }
        _ => None,
    }
}

/// A move between registers of two widths.
fn widths(inst: &Inst<'_>, name: &str, to: Register, from: Register) -> Option<Problem> {
    let signed = |name: &str| match inst.form.is_att {
        // It is `movslq` there, and `movs` with both letters of the others.
        true => "movs".to_owned(),
        false => name.to_owned(),
    };
    let unsigned = if inst.form.is_att { "movz" } else { "movzx" };
    let help = match (bits(to), bits(from)) {
        (one, other) if one == other && name != "mov" => {
            let message = format!("`{name}` widens, and both registers have {one} bits");
            let help = format!("`{}` copies all of them", both(inst, "mov", to, from));
            return Some(Problem::new(inst.operand_span(), message).help(help));
        }
        (one, other) if one == other => return None,
        (64, 32) => format!(
            "`{}` clears the upper half; `{}` keeps the sign",
            both(inst, "mov", at_bits(to, 32)?, from),
            both(
                inst,
                if inst.form.is_att { "movslq" } else { "movsxd" },
                to,
                from
            )
        ),
        (wide, small) if wide > small && name == "mov" => format!(
            "write `{}`, or `{}` to keep the sign",
            both(inst, &lettered(inst, unsigned, small, wide), to, from),
            both(
                inst,
                &lettered(inst, &signed("movsx"), small, wide),
                to,
                from
            )
        ),
        (small, wide) if wide > small => format!(
            "write `{}` for the low bits",
            both(inst, "mov", to, at_bits(from, small)?)
        ),
        _ => return None,
    };
    let message = format!(
        "`{}` is {} bits wide and `{}` {}",
        name_of(to),
        bits(to),
        name_of(from),
        bits(from)
    );
    Some(Problem::new(inst.operand_span(), message).help(help))
}

/// A move that extends, with AT&T's letters of both widths where they belong to its name.
fn lettered(inst: &Inst<'_>, name: &str, from: u32, to: u32) -> String {
    let letter = |bits: u32| match bits {
        8 => 'b',
        16 => 'w',
        32 => 'l',
        _ => 'q',
    };
    match inst.form.is_att {
        true => format!("{name}{}{}", letter(from), letter(to)),
        false => name.to_owned(),
    }
}

fn bits(register: Register) -> u32 {
    8 * register.size() as u32
}

/// Whether `mov` knows no such register.
fn is_wide(register: &Register) -> bool {
    register.is_vector_register() || register.is_mm() || register.is_k()
}

/// A `mov` of a register for which there are other names.
fn moved_otherwise(
    inst: &Inst<'_>,
    one: Option<Register>,
    other: Option<Register>,
) -> Option<Problem> {
    let registers = [one, other].into_iter().flatten();
    let wide = registers.clone().find(is_wide)?;
    let gpr = registers.clone().find(|register| register.is_gpr());
    let moves = match (wide, gpr) {
        (mask, Some(gpr)) if mask.is_k() && gpr.size() == 4 => "kmovd",
        (mask, _) if mask.is_k() => "kmovq",
        (mm, None) if mm.is_mm() => "movq",
        (xmm, None) if xmm.is_xmm() => "movups",
        (_, Some(gpr)) if gpr.size() == 8 => "movq",
        (_, Some(gpr)) if gpr.size() == 4 => "movd",
        _ => "vmovups",
    };
    let help = match (one, other) {
        (Some(to), Some(from)) => format!("write `{}`", both(inst, moves, to, from)),
        _ => format!("write `{moves}` for all of it, `movd` or `movq` for 32 or 64 bits"),
    };
    let message = format!("`mov` does not move `{}`", name_of(wide));
    Some(Problem::new(inst.operand_span(), message).help(help))
}

/// Two registers of different widths where both must have one.
fn one_width(inst: &Inst<'_>, name: &str, one: Register, other: Register) -> Option<Problem> {
    let (least, most) = (bits(one).min(bits(other)), bits(one).max(bits(other)));
    if least == most {
        return None;
    }
    let at = |bits| Some(both(inst, name, at_bits(one, bits)?, at_bits(other, bits)?));
    let message = format!(
        "`{}` is {} bits wide and `{}` {}",
        name_of(one),
        bits(one),
        name_of(other),
        bits(other)
    );
    let help = format!(
        "write `{}` or `{}`: both have one width",
        at(most)?,
        at(least)?
    );
    Some(Problem::new(inst.operand_span(), message).help(help))
}

/// An operand of an instruction as it would be right.
enum Shown {
    Register(Register),
    Number(i128),
}

/// An instruction as it would be right, in the syntax of the wrong one; its operands in Intel's order.
fn right(inst: &Inst<'_>, name: &str, operands: &[Shown]) -> String {
    let is_att = inst.form.is_att;
    let mut shown: Vec<String> = operands
        .iter()
        .map(|operand| match operand {
            Shown::Register(register) if is_att => format!("%{}", name_of(*register)),
            Shown::Register(register) => name_of(*register),
            Shown::Number(value) if is_att => format!("${value}"),
            Shown::Number(value) => value.to_string(),
        })
        .collect();
    if is_att {
        shown.reverse();
    }
    format!("{name} {}", shown.join(", "))
}

/// The same, of two registers.
fn both(inst: &Inst<'_>, name: &str, to: Register, from: Register) -> String {
    right(inst, name, &[Shown::Register(to), Shown::Register(from)])
}
