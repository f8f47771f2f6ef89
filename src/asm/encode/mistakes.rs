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
            problem(
                "`lea` takes an address in brackets".to_owned(),
                format!("write `lea {}, [{symbol}]`", name_of(*to)),
            )
        }
        (
            "mov" | "cmp" | "add" | "sub" | "and" | "or" | "xor" | "test" | "adc" | "sbb",
            [first, _],
            [_, Some(to)],
        ) if is_number(first) => {
            let OperandKind::Immediate { value, .. } = first.kind else {
                return None;
            };
            let to = name_of(*to);
            let (part, right) = match inst.form.is_att {
                false => ("first", format!("{written} {to}, {value}")),
                true => ("last", format!("{written} ${value}, %{to}")),
            };
            problem(
                format!("the register stands {part}: a number cannot be written to"),
                format!("write `{right}`"),
            )
        }
        ("movq", _, [Some(to), Some(from)]) if to.is_gpr() && from.is_gpr() => problem(
            "`movq` moves to or from xmm and mm registers".to_owned(),
            format!("write `mov {}, {}`", name_of(*to), name_of(*from)),
        ),
        ("push" | "pop", _, [Some(register)]) if register.is_gpr() && register.size() != 8 => {
            let verb = if name == "push" { "pushes" } else { "pops" };
            problem(
                format!("64-bit code {verb} 64 bits"),
                format!("write `{name} {}`", name_of(register.full_register())),
            )
        }
        _ if shifts && inst.operands.len() == 2 && registers[1].is_some() => {
            let to = registers[0].map_or("eax".to_owned(), name_of);
            let right = match inst.form.is_att {
                false => format!("{name} {to}, cl"),
                true => format!("{name} %cl, %{to}"),
            };
            problem(
                format!("the count of `{written}` is `cl` or a number"),
                format!("write `{right}`, or a number"),
            )
        }
        ("mov" | "movzx" | "movsx", _, [Some(to), Some(from)]) if to.is_gpr() && from.is_gpr() => {
            widths(inst, name, *to, *from)
        }
        ("movss" | "movaps" | "movups" | "movsd" | "movapd", _, [Some(to), Some(from)])
            if to.is_xmm() && from.is_gpr() || to.is_gpr() && from.is_xmm() =>
        {
            let gpr = if to.is_gpr() { to } else { from };
            let right = if gpr.size() == 8 { "movq" } else { "movd" };
            problem(
                format!("`{name}` moves between xmm registers and memory"),
                format!("write `{right} {}, {}`", name_of(*to), name_of(*from)),
            )
        }
        ("pinsrb" | "pinsrw", [_, _, last], [Some(to), Some(from), None])
            if from.is_gpr() && is_number(last) =>
        {
            let from = name_of(at_bits(*from, 32)?);
            problem(
                format!("`{name}` reads the low bits of a 32-bit register"),
                format!("write `{name} {}, {from}, 1`", name_of(*to)),
            )
        }
        _ => None,
    }
}

/// A move between registers of two widths.
fn widths(inst: &Inst<'_>, name: &str, to: Register, from: Register) -> Option<Problem> {
    let bits = |register: Register| 8 * register.size() as u32;
    if bits(to) == bits(from) {
        return None;
    }
    let narrow = |register: Register, width| at_bits(register, width).map(name_of);
    let help = match (bits(to), bits(from)) {
        (64, 32) => format!(
            "`mov {}, {}` clears the upper half; `movsxd {}, {}` keeps the sign",
            narrow(to, 32)?,
            name_of(from),
            name_of(to),
            name_of(from)
        ),
        (wide, small) if wide > small && name == "mov" => format!(
            "write `movzx {}, {}`, or `movsx {}, {}` to keep the sign",
            name_of(to),
            name_of(from),
            name_of(to),
            name_of(from)
        ),
        (small, wide) if wide > small => {
            format!(
                "write `mov {}, {}` for the low bits",
                name_of(to),
                narrow(from, small)?
            )
        }
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
