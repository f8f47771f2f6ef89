//! One instruction to bytes: the shortest form that says what was written.
//!
//! Correct means: decoding the bytes gives the written instruction back. Of several encodings the
//! shortest wins, on a tie the sign-extended immediate, then the order of iced's table; an encoding
//! that needs AVX-512 is taken only where nothing older says the same.

use iced_x86::{Code, EncodingKind, OpCodeOperandKind as Kind, Register};

use super::emit::{Encoded, Width, encode_form};
use super::fit::{Fit, fit, takes_memory};
use super::forms::{self, Form};
use super::inst::{Inst, Operand, OperandKind, Prefix, Reach};
use super::problem::Problem;
use super::refuse;

/// The encodings among which the layout chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// A branch with an 8-bit distance.
    pub(super) short: Option<Encoded>,
    /// Anything else.
    pub(super) long: Option<Encoded>,
}

/// An encoding with what decides between it and others.
struct Candidate {
    form: &'static Form,
    encoded: Encoded,
    rank: (bool, usize, bool),
}

/// The encodings of `inst`.
pub(super) fn encode(inst: &Inst) -> Result<Choice, Problem> {
    let (name, implied) = forms::canonical(&inst.mnemonic);
    let listed = forms::of(&name);
    if listed.is_empty() {
        return Err(refuse::unknown_mnemonic(inst));
    }
    let inst = &complete(inst, &name, implied);
    let mut found = candidates(inst, &name, listed)?;
    for (other, name) in other_spellings(inst, &name, found.is_empty()) {
        found.extend(candidates(&other, name, forms::of(name)).unwrap_or_default());
    }
    if found.is_empty() {
        return Err(refuse::no_form(inst, &name, listed));
    }
    check_size(inst, &name, &found)?;
    let mut choice = Choice {
        short: None,
        long: None,
    };
    // The sort is stable, so that the table's order decides what is still equal.
    found.sort_by_key(|candidate| candidate.rank);
    for candidate in found {
        let is_short = candidate
            .encoded
            .field
            .is_some_and(|field| field.width == Width::Rel8);
        let place = if is_short {
            &mut choice.short
        } else {
            &mut choice.long
        };
        place.get_or_insert(candidate.encoded);
    }
    Ok(choice)
}

/// Writes out what a spelling leaves to the reader.
fn complete(inst: &Inst, name: &str, implied: Option<u8>) -> Inst {
    let mut inst = inst.clone();
    let constant = |value: u8, inst: &Inst| Operand {
        kind: OperandKind::Immediate {
            value: i128::from(value),
            bits: None,
        },
        span: inst.whole(),
    };
    let shifts = matches!(name, "rol" | "ror" | "rcl" | "rcr" | "shl" | "shr" | "sar");
    if let Some(value) = implied {
        inst.operands.push(constant(value, &inst));
    } else if shifts && inst.operands.len() == 1 {
        inst.operands.push(constant(1, &inst));
    } else if name == "imul"
        && let [
            first,
            Operand {
                kind: OperandKind::Immediate { .. },
                ..
            },
        ] = &inst.operands[..]
        && first.kind.register().is_some()
    {
        inst.operands.insert(1, first.clone());
    }
    inst
}

/// Other ways to write the same instruction, which the table lists instead or as well.
fn other_spellings<'a>(inst: &Inst, name: &'a str, alone: bool) -> Vec<(Inst, &'a str)> {
    let with = |operands: Vec<Operand>| {
        (
            Inst {
                operands,
                ..inst.clone()
            },
            name,
        )
    };
    let swaps =
        |kind: &OperandKind| matches!(kind, OperandKind::Register(_) | OperandKind::Memory(_));
    let stack = |register| Operand {
        kind: OperandKind::Register(register),
        span: inst.whole(),
    };
    match (name, &inst.operands[..]) {
        // The order of these operands says nothing.
        ("xchg" | "test", [a, b]) if swaps(&a.kind) && swaps(&b.kind) => {
            vec![with(vec![b.clone(), a.clone()])]
        }
        ("movsx", _) if alone => vec![(inst.clone(), "movsxd")],
        // These read xmm0 whether it is written or not.
        ("sha256rnds2" | "pblendvb" | "blendvps" | "blendvpd", [rest @ .., last])
            if rest.len() == 2 && last.kind.register() == Some(Register::XMM0) =>
        {
            vec![with(rest.to_vec())]
        }
        // The top of the x87 stack goes without saying.
        (_, []) if alone && name.starts_with('f') => {
            let (top, next) = (stack(Register::ST0), stack(Register::ST1));
            vec![with(vec![next.clone(), top.clone()]), with(vec![top, next])]
        }
        (_, [one]) if alone && name.starts_with('f') => {
            let top = stack(Register::ST0);
            let first = with(vec![top.clone(), one.clone()]);
            let last = with(vec![one.clone(), top]);
            if name.ends_with('p') {
                vec![last, first]
            } else {
                vec![first]
            }
        }
        _ => Vec::new(),
    }
}

/// Every form that takes the operands, encoded.
fn candidates(inst: &Inst, name: &str, listed: &'static [Form]) -> Result<Vec<Candidate>, Problem> {
    let mut found = Vec::new();
    let mut refusal = None;
    for form in listed.iter().filter(|form| admits(inst, name, form)) {
        let mut wanted = form.operands().filter(|(_, _, written)| *written);
        let fits = form.written() == inst.operands.len()
            && inst.operands.iter().all(|operand| {
                wanted.next().is_some_and(|(_, kind, _)| {
                    fit(&operand.kind, kind, form, inst.reach) == Fit::Yes
                })
            });
        if !fits {
            continue;
        }
        match check_prefixes(inst, form).and_then(|()| encode_form(inst, form)) {
            Ok(encoded) => {
                let extended = form.info.op_kinds().iter().any(|kind| {
                    matches!(kind, Kind::imm8sex16 | Kind::imm8sex32 | Kind::imm8sex64)
                });
                let rank = (
                    form.info.encoding() == EncodingKind::EVEX,
                    encoded.bytes.len(),
                    !extended,
                );
                found.push(Candidate {
                    form,
                    encoded,
                    rank,
                });
            }
            // What the last form to fit was refused for says most: the earlier ones are narrower.
            Err(problem) => refusal = Some(problem),
        }
    }
    match refusal {
        Some(problem) if found.is_empty() => Err(problem),
        _ => Ok(found),
    }
}

/// Forms that fit by kind but mean something else, or that another spelling asks for.
pub(super) fn admits(inst: &Inst, name: &str, form: &Form) -> bool {
    let kinds = form.info.op_kinds();
    let offset = kinds.contains(&Kind::mem_offs);
    match name {
        "mov" if inst.mnemonic == "movabs" => offset || kinds.contains(&Kind::imm64),
        "mov" => !offset,
        // 90 is a nop and would leave the upper half of rax alone.
        "xchg" if form.code == Code::Xchg_r32_EAX => inst
            .operands
            .iter()
            .any(|operand| operand.kind.register() != Some(Register::EAX)),
        "push" | "pop" | "call" | "jmp" | "ret" | "enter" | "leave" | "pushf" | "popf" => {
            form.info.operand_size() != 16
                || inst.operands.iter().any(|operand| operand.kind.is_word())
        }
        "fldenv" | "fnstenv" | "fnsave" | "frstor" => form.info.operand_size() != 16,
        _ => true,
    }
}

impl OperandKind {
    /// Whether it asks for 16 bits by itself.
    fn is_word(&self) -> bool {
        match self {
            OperandKind::Register(register) => register.is_gpr16(),
            OperandKind::Immediate { bits, .. } => *bits == Some(16),
            OperandKind::Memory(mem) => mem.bits == Some(16),
            OperandKind::Target(_) => false,
        }
    }
}

/// The encoder writes any prefix before anything, so what goes together is decided here.
fn check_prefixes(inst: &Inst, form: &Form) -> Result<(), Problem> {
    let info = form.info;
    for (prefix, span) in &inst.prefixes {
        let first_is_memory = matches!(
            inst.operands.first(),
            Some(Operand {
                kind: OperandKind::Memory(_),
                ..
            })
        );
        let allowed = match prefix {
            Prefix::Lock => info.can_use_lock_prefix() && first_is_memory,
            // Old branch predictors wanted a two-byte return.
            Prefix::Rep => info.can_use_rep_prefix() || form.code == Code::Retnq,
            Prefix::Repne => info.can_use_repne_prefix(),
            Prefix::Notrack => info.can_use_notrack_prefix(),
            Prefix::Bnd => info.can_use_bnd_prefix(),
        };
        if !allowed {
            return Err(refuse::prefix(inst, *prefix, *span));
        }
    }
    let decor = &inst.decor;
    let in_registers = !inst
        .operands
        .iter()
        .any(|operand| matches!(operand.kind, OperandKind::Memory(_)));
    let allowed = (decor.mask.is_none() || info.can_use_op_mask_register())
        && (decor.mask.is_some() || !info.require_op_mask_register())
        && (!decor.zeroing || info.can_use_zeroing_masking() && decor.mask.is_some())
        && (decor.rounding.is_none() || info.can_use_rounding_control() && in_registers)
        && (!decor.exact || info.can_suppress_all_exceptions() && in_registers);
    if allowed {
        Ok(())
    } else {
        Err(refuse::decoration(inst, info.require_op_mask_register()))
    }
}

/// Refuses memory without a size word where several sizes would do.
fn check_size(inst: &Inst, name: &str, candidates: &[Candidate]) -> Result<(), Problem> {
    let memory = inst
        .operands
        .iter()
        .find(|operand| matches!(&operand.kind, OperandKind::Memory(mem) if mem.bits.is_none()));
    let Some(memory) = memory else { return Ok(()) };
    // Nobody writes these in another width than the stack's or a pointer's.
    if matches!(name, "call" | "jmp" | "push" | "pop" | "nop") {
        return Ok(());
    }
    let mut sizes: Vec<u32> = candidates
        .iter()
        .filter(|candidate| {
            candidate
                .form
                .operands()
                .any(|(_, kind, _)| takes_memory(kind))
        })
        .map(|candidate| candidate.form.memory_bits)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.len() > 1 {
        Err(refuse::ambiguous(memory, &sizes))
    } else {
        Ok(())
    }
}

/// Refuses `short` and `near` where there is no branch to a label.
pub(super) fn check_reach(inst: &Inst) -> Result<(), Problem> {
    let Some(reach) = inst.reach else {
        return Ok(());
    };
    let branches = |form: &Form| {
        form.info
            .op_kinds()
            .iter()
            .any(|kind| matches!(kind, Kind::br64_1 | Kind::br64_4))
    };
    let has_target = inst
        .operands
        .iter()
        .any(|operand| matches!(operand.kind, OperandKind::Target(_)));
    if has_target
        && forms::of(&forms::canonical(&inst.mnemonic).0)
            .iter()
            .any(branches)
    {
        return Ok(());
    }
    let word = if reach == Reach::Short {
        "short"
    } else {
        "near"
    };
    Err(Problem::new(
        inst.operand_span(),
        format!("`{word}` stands only before the label of a branch"),
    ))
}
