//! One instruction in Go's syntax.
//!
//! Correct means: operands have the widths that the name says, stand in Intel's order, and ask for the
//! encoding that Go's assembler takes.

use std::borrow::Cow;

use iced_x86::{Register, RoundingControl};

use super::names::{Meaning, Order, meaning, suffixes};
use super::operand::{Written, at_width, operand};
use super::shown::Shown;
use super::{Call, Function};
use crate::asm::encode;
use crate::asm::inst::{
    Asked, Broadcast, Decor, Encoding, Inst, Mem, Name, Operand, OperandKind, Statement, Target,
};
use crate::asm::problem::Problem;

impl<'a> Call<'a> {
    /// An instruction of the processor.
    pub(super) fn instruction(
        &self,
        function: &Function,
        statements: &mut Vec<Statement<'a>>,
    ) -> Result<(), Problem> {
        let shown = function.shown();
        let meaning = match &shown {
            Some(shown) => shown.meaning(self.name),
            None => meaning(self.name),
        };
        let meaning = meaning.ok_or_else(|| self.unknown())?;
        let is_branch = meaning.name.starts_with('j') || meaning.name == "call";
        let mut written = Vec::with_capacity(self.operands.len());
        for at in 0..self.operands.len() {
            let text = self.text(at);
            // `CALL *AX` and `JMP *AX` are other assemblers'.
            let text = text.strip_prefix('*').filter(|_| is_branch).unwrap_or(text);
            written.push(operand(text, self.span(at), is_branch, function)?);
        }
        if written.len() > 5 {
            return Err(Problem::new(
                self.span(5),
                "no instruction takes more than five operands",
            ));
        }
        let is_bare = function.is_disassembled && shown.is_none();
        if is_bare && is_unsized(self.name, &meaning, &written) {
            return Err(Problem::new(
                self.here,
                "how wide the operands are, Go's disassembler does not print here",
            )
            .help(PASTE_BYTES));
        }
        // The operands of string instructions are fixed, and a disassembler prints them.
        if function.is_disassembled && is_string(&meaning.name) {
            written.clear();
        }
        let mut inst = Inst {
            mnemonic: meaning.name.clone(),
            span: self.here,
            prefixes: Vec::new(),
            operands: Vec::with_capacity(written.len()),
            reach: None,
            decor: Decor::default(),
            form: Asked::default(),
        };
        let last = written.len().saturating_sub(1);
        if shown.is_none() {
            rename(&mut inst, &meaning, &written);
        }
        let (_, suffixes) = suffixes(self.name);
        let is_broadcast = self.decorate(&suffixes, &mut inst);
        let mask = mask(&inst.mnemonic, &written);
        for (at, one) in written.into_iter().enumerate() {
            if let (Some(register), true) = (mask, at + 1 == last) {
                inst.decor.mask = Some(register);
                inst.decor.span = Some(self.span(at));
                continue;
            }
            let is_exact = shown.is_none();
            let kind = self.kind(
                one,
                (at, at == last),
                &mut inst,
                &meaning,
                is_branch,
                (is_exact, function),
            )?;
            inst.operands.push(Operand {
                kind,
                span: self.span(at),
            });
        }
        for operand in &mut inst.operands {
            if let OperandKind::Memory(mem) = &mut operand.kind {
                mem.broadcast = is_broadcast.then_some(Broadcast::Full);
            }
        }
        match meaning.order {
            Order::Kept if !function.is_disassembled => {}
            // Go's disassembler turned comparisons round up to some release, and does not in 1.27: a number tells, and
            // the bytes.
            _ if inst.mnemonic == "cmp" && is_kept(&inst.operands, shown.as_ref()) => {}
            Order::Kept if is_bare && !is_number(&inst.operands[..1]) => match function.keeps_order
            {
                Some(true) => {}
                Some(false) => inst.operands.reverse(),
                None => {
                    return Err(Problem::new(
                        self.here,
                        "up to Go 1.26 its disassembler turns comparisons round, since 1.27 it does not, and nothing tells which it was",
                    )
                    .help(format!("{PASTE_BYTES}; or say the release in a header, `//! go = \"1.27\"`")));
                }
            },
            Order::NumberLast if inst.operands.len() == 3 => inst.operands[..2].reverse(),
            _ => inst.operands.reverse(),
        }
        match &shown {
            Some(shown) => shown.widen(&mut inst),
            None => choose(&mut inst, self.name, &meaning, function),
        }
        // The compiler prints an offset there; its name is that of the wrapped function.
        if function.is_disassembled {
            own(&mut inst, function);
        }
        statements.push(Statement::Inst(inst));
        Ok(())
    }

    /// What the suffixes of an instruction of AVX-512 say; whether its memory is one element.
    fn decorate(&self, suffixes: &[&str], inst: &mut Inst<'a>) -> bool {
        let decor = &mut inst.decor;
        for suffix in suffixes {
            decor.span = Some(self.here);
            match *suffix {
                "Z" => decor.zeroing = Some(self.here),
                "SAE" => decor.exact = true,
                "RN_SAE" => decor.rounding = Some(RoundingControl::RoundToNearest),
                "RD_SAE" => decor.rounding = Some(RoundingControl::RoundDown),
                "RU_SAE" => decor.rounding = Some(RoundingControl::RoundUp),
                "RZ_SAE" => decor.rounding = Some(RoundingControl::RoundTowardZero),
                _ => {}
            }
        }
        suffixes.contains(&"BCST")
    }

    /// An operand in the widths that the name says.
    fn kind(
        &self,
        written: Written<'a>,
        (at, is_last): (usize, bool),
        inst: &mut Inst<'a>,
        meaning: &Meaning,
        is_branch: bool,
        (is_exact, function): (bool, &Function),
    ) -> Result<OperandKind<'a>, Problem> {
        let span = self.span(at);
        let width = if is_last { meaning.to } else { meaning.from };
        Ok(match written {
            Written::Register(register, said) => {
                let is_count = matches!(
                    &*inst.mnemonic,
                    "shl" | "shr" | "sar" | "rol" | "ror" | "rcl" | "rcr" | "shld" | "shrd"
                ) && at == 0
                    && !is_last;
                let bits = match (said, width) {
                    _ if is_count => 8,
                    (Some(said), Some(width))
                        if is_exact
                            && said != width
                            && !is_vector(inst)
                            && !function.is_disassembled =>
                    {
                        return Err(Problem::new(
                            span,
                            format!(
                                "`{}` is a register of {said} bits, and `{}` has operands of {width}",
                                self.text(at),
                                self.name
                            ),
                        ));
                    }
                    (Some(said), _) => said,
                    (None, Some(width)) => width,
                    (None, None) => meaning.plain,
                };
                OperandKind::Register(at_width(register, bits))
            }
            Written::Number(value) => {
                let is_wrapped = meaning.to == Some(64) && value > i128::from(i64::MAX);
                OperandKind::Immediate {
                    value: if is_wrapped { value - (1 << 64) } else { value },
                    bits: None,
                }
            }
            Written::Address(target) if self.name == "MOVQ" && at == 0 => {
                inst.mnemonic = Cow::Borrowed("lea");
                OperandKind::Memory(Mem {
                    bits: None,
                    segment: None,
                    base: None,
                    index: None,
                    has_no_index: false,
                    scale: 1,
                    displacement: 0,
                    target: Some(target),
                    broadcast: None,
                    is_displaced: false,
                })
            }
            Written::Address(_) => {
                return Err(Problem::new(
                    span,
                    "an address is known only once the code lies somewhere, and only MOVQ and LEAQ take it then",
                )
                .help("take it with LEAQ into a register first"));
            }
            Written::Memory(Mem {
                target: Some(target),
                base: None,
                index: None,
                ..
            }) if is_branch => OperandKind::Target(target),
            Written::Memory(mut mem) => {
                let takes_width = !matches!(
                    &*inst.mnemonic,
                    "lea" | "movq" | "movd" | "vmovq" | "vmovd" | "nop"
                );
                mem.bits = width.filter(|_| takes_width);
                // A disassembler prints distances without their sign.
                if (1 << 31..1 << 32).contains(&mem.displacement) {
                    mem.displacement -= 1 << 32;
                } else if mem.displacement > i128::from(i64::MAX) {
                    mem.displacement -= 1 << 64;
                }
                OperandKind::Memory(mem)
            }
            Written::Offset(value) => {
                let Ok(address) = u64::try_from(value) else {
                    return Err(Problem::new(span, "an offset is not negative"));
                };
                let name = function.place(address);
                OperandKind::Target(Target {
                    name,
                    addend: 0,
                    span,
                })
            }
            Written::Instructions(_) => {
                return Err(
                    Problem::new(span, "a distance in instructions is not counted here")
                        .help("put a label in front of the line that it goes to, and name that"),
                );
            }
            Written::Label(name) => OperandKind::Target(Target {
                name: Name::Label(name),
                addend: 0,
                span,
            }),
        })
    }

    fn unknown(&self) -> Problem {
        let name = self.name;
        let lower = name.to_ascii_lowercase();
        if X87.iter().any(|begin| name.starts_with(begin)) {
            return Problem::new(
                self.here,
                format!("`{name}` is of the x87, whose operands are not read in Go's syntax"),
            )
            .help("write its bytes, `BYTE $0xdd`, one line each; those without operands, as FLD1, are read");
        }
        let problem = Problem::new(
            self.here,
            format!("Go's assembler has no instruction `{name}`"),
        );
        if name == lower && encode::knows(&lower) {
            return problem.help(format!(
                "`{name}` is Intel's or AT&T's; Go's names are in capitals with the width behind, as MOVQ, and one text has one syntax"
            ));
        }
        if encode::knows(&lower) {
            let upper = name.to_ascii_uppercase();
            return problem.help(format!(
                "Intel's `{lower}` has its width at the end here: {upper}B, {upper}W, {upper}L or {upper}Q"
            ));
        }
        let stem = lower.strip_suffix(['b', 'w', 'l', 'q', 'd']);
        let near = stem.filter(|stem| encode::knows(stem));
        match near {
            Some(stem) => problem.help(format!("Intel's `{stem}` has no such width")),
            None => problem.suggest(
                &lower,
                encode::mnemonics(),
                Some("Go's names are Intel's in capitals, with B, W, L or Q behind those of integers"),
            ),
        }
    }
}

/// Beginnings of Go's names of the x87.
const X87: [&str; 8] = [
    "FMOV", "FADD", "FSUB", "FMUL", "FDIV", "FCOM", "FUCOM", "FXCH",
];

/// The mask of an instruction of AVX-512: it stands in front of the destination.
fn mask(mnemonic: &str, written: &[Written<'_>]) -> Option<Register> {
    // The operand of these is a mask.
    let is_operand = mnemonic.starts_with("vpmovm2") || mnemonic.starts_with("vpbroadcastm");
    match written {
        [.., Written::Register(register, _), _]
            if register.is_k() && mnemonic.starts_with('v') && !is_operand =>
        {
            Some(*register).filter(|register| *register != Register::K0)
        }
        _ => None,
    }
}

/// What tells all that a disassembler's words do not.
const PASTE_BYTES: &str = "paste the lines with their column of bytes";

fn is_number(operands: &[Operand<'_>]) -> bool {
    let kind = operands.first().map(|one| &one.kind);
    matches!(kind, Some(OperandKind::Immediate { .. }))
}

/// Whether a disassembler's line leaves open how wide its operands are: it prints Intel's conditional moves and
/// extensions without any width, and one of 32 bits where registers from R8 on have 8.
fn is_unsized(name: &str, meaning: &Meaning, written: &[Written<'_>]) -> bool {
    let is_bare = meaning.to.is_none()
        && (meaning.name.starts_with("cmov") || matches!(&*meaning.name, "movzx" | "movsx"));
    let is_new = |one: &Written<'_>| match one {
        Written::Register(register, None) => register.is_gpr64() && register.number() >= 8,
        Written::Number(_) => true,
        _ => false,
    };
    let has_register = written
        .iter()
        .any(|one| matches!(one, Written::Register(..)));
    let is_long = meaning.to == Some(32) && super::names::is_sized(name) && name != "BSWAPL";
    is_bare || is_long && has_register && written.iter().all(is_new)
}

/// A branch to the function's own symbol goes to its beginning.
fn own(inst: &mut Inst<'_>, function: &Function) {
    for operand in &mut inst.operands {
        if let OperandKind::Target(target) = &mut operand.kind
            && let Name::Symbol(name) = &target.name
            && function.symbol.as_deref() == Some(&**name)
        {
            target.name = Name::Start;
        }
    }
}

fn is_string(name: &str) -> bool {
    matches!(
        name,
        "movsb"
            | "movsw"
            | "movsq"
            | "stosb"
            | "stosw"
            | "stosd"
            | "stosq"
            | "lodsb"
            | "lodsw"
            | "lodsd"
            | "lodsq"
            | "scasb"
            | "scasw"
            | "scasd"
            | "scasq"
            | "cmpsb"
            | "cmpsw"
            | "cmpsq"
    )
}

fn is_vector(inst: &Inst<'_>) -> bool {
    !encode::is_general(&inst.mnemonic)
}

/// The name that depends on the operands.
fn rename(inst: &mut Inst<'_>, meaning: &Meaning, written: &[Written<'_>]) {
    let is_vector = |one: &Written<'_>| matches!(one, Written::Register(register, _) if register.is_vector_register() || register.is_mm());
    let name = match (&*meaning.name, written.len()) {
        ("mov", 2) if written.iter().any(is_vector) => match meaning.to {
            Some(64) => "movq",
            _ => "movd",
        },
        ("shl", 3) => "shld",
        ("shr", 3) => "shrd",
        ("int", 1) if written[0] == Written::Number(3) => "int3",
        _ => return,
    };
    inst.mnemonic = Cow::Borrowed(name);
}

/// What Go's assembler takes where that is not the shortest, the operands in Intel's order.
fn choose(inst: &mut Inst<'_>, name: &str, meaning: &Meaning, function: &Function) {
    if inst.mnemonic == "int3" {
        inst.operands.clear();
        return;
    }
    let registers = inst
        .operands
        .iter()
        .all(|operand| operand.kind.register().is_some());
    match (name, &inst.operands[..]) {
        ("MOVLQZX", _) if registers => inst.form.encoding = Some(Encoding::Load),
        ("VMOVDQU", _) if registers => inst.form.encoding = Some(Encoding::Store),
        ("TESTB", [to, from])
            if to.kind.register() == Some(Register::AL)
                && matches!(from.kind, OperandKind::Immediate { .. }) =>
        {
            inst.form.length = Some(3);
        }
        (
            "MOVQ" | "MOVL",
            [
                Operand {
                    kind: OperandKind::Register(to),
                    ..
                },
                Operand {
                    kind: OperandKind::Immediate { value: number, .. },
                    ..
                },
            ],
        ) if to.is_gpr() && meaning.name == "mov" => constant(inst, *to, *number, function),
        _ => {}
    }
}

/// A number into a register: its upper half is cleared by an instruction of 32 bits.
fn constant(inst: &mut Inst<'_>, to: Register, number: i128, function: &Function) {
    let half = at_width(to.full_register(), 32);
    // Clearing takes 2 bytes, or 3; a listing says so where the compiler wanted the flags kept.
    let clears = match function.length {
        Some(length) => length <= 3,
        None => !function.is_lowered,
    };
    if number == 0 && clears {
        inst.mnemonic = Cow::Borrowed("xor");
        for operand in &mut inst.operands {
            operand.kind = OperandKind::Register(half);
        }
    } else if (0..1 << 32).contains(&number) && function.length != Some(7) {
        inst.operands[0].kind = OperandKind::Register(half);
    }
}

/// Whether the operands of a disassembled comparison stand in the order of its encoding.
fn is_kept(operands: &[Operand<'_>], shown: Option<&Shown>) -> bool {
    match operands {
        [
            ..,
            Operand {
                kind: OperandKind::Immediate { .. },
                ..
            },
        ] => true,
        [
            Operand {
                kind: OperandKind::Register(first),
                ..
            },
            ..,
        ] => shown.is_some_and(|shown| shown.begins_with(*first)),
        [
            Operand {
                kind: OperandKind::Memory(_),
                ..
            },
            ..,
        ] => shown.is_some_and(Shown::begins_with_memory),
        _ => false,
    }
}
