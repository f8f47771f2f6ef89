//! One instruction to bytes: the shortest form that says what was written.
//!
//! Correct means: decoding the bytes gives the written instruction back. Of several encodings the
//! shortest wins, on a tie the sign-extended immediate, then the order of iced's table; an encoding
//! that needs AVX-512 is taken only where nothing older says the same.

mod complete;
pub(in crate::asm) mod emit;
mod fit;
mod forms;
mod listed;
mod mistakes;
mod nops;
mod prefixes;
mod refuse;
mod spellings;
mod strings;

use iced_x86::{EncodingKind, Register};

use super::inst::{Asked, Decor, Encoding, Inst, Operand, OperandKind, Reach};
use super::problem::Problem;
use complete::{complete, renamed};
use emit::{Coder, Encoded, Width, encode_form};
use fit::{Fit, fit};
pub(in crate::asm) use forms::mnemonics;
use forms::{Age, Form, Rule};
pub(in crate::asm) use listed::listed;
pub(in crate::asm) use nops::{no_operation, pad};
use prefixes::check_prefixes;

/// The encodings among which the layout chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// A branch with an 8-bit distance.
    pub(super) short: Option<Encoded>,
    /// Anything else.
    pub(super) long: Option<Encoded>,
}

/// What decides between encodings: whether it has another length than was asked for, age, length,
/// whether the immediate is extended, and whether it is the other one of two of a kind.
type Rank = (bool, Age, usize, bool, bool);

/// The best encodings so far, and what their forms say of memory.
#[derive(Default)]
struct Found {
    short: Option<(Rank, Encoded)>,
    long: Option<(Rank, Encoded)>,
    /// Bits of the memory operands, each width once.
    sizes: Vec<u32>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.short.is_none() && self.long.is_none()
    }

    /// Keeps an encoding that is better than those before it; of equal ones the first stays.
    fn take(&mut self, form: &Form, encoded: Encoded, wanted: Option<u8>) {
        let length = encoded.bytes().len();
        let is_other = wanted.is_some_and(|wanted| usize::from(wanted) != length);
        let rank = (is_other, form.age, length, !form.extends(), form.is_second);
        let is_short = encoded
            .field
            .is_some_and(|field| field.width == Width::Rel8);
        let place = if is_short {
            &mut self.short
        } else {
            &mut self.long
        };
        if place.as_ref().is_none_or(|(best, _)| rank < *best) {
            *place = Some((rank, encoded));
        }
        self.admit(form);
    }

    /// Notes the width of a form that would do, were it not for a number.
    fn admit(&mut self, form: &Form) {
        let bits = form.memory_bits;
        if form.takes_memory() && !self.sizes.contains(&bits) {
            self.sizes.push(bits);
        }
    }
}

/// Whether a name in lower case is that of an instruction.
pub(super) fn knows(name: &str) -> bool {
    forms::find(name).is_some() || strings::is_string(name)
}

/// Whether an instruction can name a general-purpose register, whose width a suffix may say.
pub(super) fn is_general(name: &str) -> bool {
    forms::find(name).is_some_and(|spelling| spelling.forms.iter().any(Form::is_general))
}

/// Whether there is such an instruction at all.
pub(super) fn is_known(inst: &Inst<'_>) -> bool {
    knows(&inst.mnemonic) || strings::is_string(&inst.mnemonic)
}

/// The encodings of `inst`. The coder is one that earlier instructions used.
pub(super) fn encode(inst: &Inst<'_>, coder: &mut Coder) -> Result<Choice, Problem> {
    if !is_plain_branch(inst) {
        return encode_anew(inst, coder);
    }
    if let Some(known) = coder.branches.get(&*inst.mnemonic) {
        return Ok(known.clone());
    }
    let choice = encode_anew(inst, coder)?;
    coder
        .branches
        .insert(inst.mnemonic.to_string(), choice.clone());
    Ok(choice)
}

/// Whether the instruction is a name and a target, and nothing that chooses an encoding.
fn is_plain_branch(inst: &Inst<'_>) -> bool {
    let is_target = matches!(
        &inst.operands[..],
        [Operand {
            kind: OperandKind::Target(_),
            ..
        }]
    );
    let plain = Asked {
        is_att: inst.form.is_att,
        ..Asked::default()
    };
    is_target
        && inst.prefixes.is_empty()
        && inst.reach.is_none()
        && inst.form == plain
        && inst.decor == Decor::default()
}

fn encode_anew(inst: &Inst<'_>, coder: &mut Coder) -> Result<Choice, Problem> {
    let inst = &*renamed(strings::implicit(inst)?);
    let Some(spelling) = forms::find(&inst.mnemonic) else {
        return Err(refuse::unknown_mnemonic(inst));
    };
    let name = spelling.name;
    refuse::thread_base(inst, name)?;
    refuse::faulting(inst, name)?;
    refuse::alike(inst, name)?;
    let inst = &*complete(inst, name, spelling.implied);
    let choice = chosen(inst, name, spelling.forms, coder)?;
    if let (Some(wanted), true) = (inst.form.length, inst.form.displacement.is_none()) {
        if has_length(&choice, wanted) {
            return Ok(only(choice, wanted));
        }
        // A displacement that is longer than it needs to be.
        for displacement in [8, 32] {
            let mut longer = inst.clone();
            longer.form.displacement = Some(displacement);
            if let Ok(choice) = chosen(&longer, name, spelling.forms, coder)
                && has_length(&choice, wanted)
            {
                return Ok(choice);
            }
        }
    }
    Ok(choice)
}

fn has_length(choice: &Choice, wanted: u8) -> bool {
    let both = [&choice.short, &choice.long].into_iter().flatten();
    both.into_iter()
        .any(|one| one.bytes().len() == usize::from(wanted))
}

/// Of the two lengths of a branch the one that was asked for.
fn only(choice: Choice, wanted: u8) -> Choice {
    let is_wanted = |one: &Encoded| one.bytes().len() == usize::from(wanted);
    match choice {
        Choice {
            short: Some(short),
            long: Some(long),
        } => Choice {
            short: Some(short).filter(is_wanted),
            long: Some(long).filter(is_wanted),
        },
        one => one,
    }
}

/// The best of all forms.
fn chosen(
    inst: &Inst<'_>,
    name: &'static str,
    listed: &'static [Form],
    coder: &mut Coder,
) -> Result<Choice, Problem> {
    let mut found = Found::default();
    candidates(inst, listed, coder, &mut found)?;
    for (other, name) in other_spellings(inst, name, found.is_empty()) {
        // A refusal would be of something that nobody wrote.
        let _ = candidates(&other, forms::of(name), coder, &mut found);
    }
    if found.is_empty() {
        return Err(
            mistakes::mistake(inst, name).unwrap_or_else(|| refuse::no_form(inst, name, listed))
        );
    }
    check_size(inst, name, &mut found.sizes)?;
    Ok(Choice {
        short: found.short.map(|(_, encoded)| encoded),
        long: found.long.map(|(_, encoded)| encoded),
    })
}

/// Other ways to write the same instruction, which the table lists instead or as well.
fn other_spellings<'a>(
    inst: &Inst<'a>,
    name: &'static str,
    alone: bool,
) -> Vec<(Inst<'a>, &'static str)> {
    let with = |operands: Vec<Operand<'a>>| {
        (
            Inst {
                operands,
                ..inst.clone()
            },
            name,
        )
    };
    let swaps =
        |kind: &OperandKind<'_>| matches!(kind, OperandKind::Register(_) | OperandKind::Memory(_));
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
        // The upper half is zero either way.
        ("rdpid", [to]) if let Some(half) = to.kind.register().filter(|to| to.is_gpr32()) => {
            vec![with(vec![stack(half.full_register())])]
        }
        ("vmovd", _) if alone && inst.operands.iter().any(|one| one.kind.is_quadword()) => {
            vec![(inst.clone(), "vmovq")]
        }
        // The upper half is cleared either way, so that REX.W says nothing.
        (name, [to, rest @ ..]) if narrows(name, &to.kind) => {
            let mut operands = vec![Operand {
                kind: OperandKind::Register(half(&to.kind)),
                span: to.span,
            }];
            operands.extend_from_slice(rest);
            vec![with(operands)]
        }
        // These read xmm0 whether it is written or not.
        ("sha256rnds2" | "pblendvb" | "blendvps" | "blendvpd", [rest @ .., last])
            if rest.len() == 2 && last.kind.register() == Some(Register::XMM0) =>
        {
            vec![with(rest.to_vec())]
        }
        // Intel's manual: without operands these pop, as their forms in -p do.
        (_, []) if let Some(popping) = popping(name) => {
            let operands = vec![stack(Register::ST1), stack(Register::ST0)];
            vec![(with(operands).0, popping)]
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

/// Whether the instruction moves few bits into a 64-bit register.
fn narrows(name: &str, to: &OperandKind<'_>) -> bool {
    let name = name.strip_prefix('v').unwrap_or(name);
    matches!(
        name,
        "pextrw" | "pextrb" | "movmskps" | "movmskpd" | "pmovmskb" | "extractps"
    ) && to.register().is_some_and(Register::is_gpr64)
}

/// The lower half of a 64-bit register.
fn half(register: &OperandKind<'_>) -> Register {
    let number = register.register().map_or(0, |register| register.number());
    Register::EAX + number as u32
}

/// The popping form of an x87 instruction that pops where it has no operands.
fn popping(name: &str) -> Option<&'static str> {
    Some(match name {
        "fadd" => "faddp",
        "fmul" => "fmulp",
        "fsub" => "fsubp",
        "fsubr" => "fsubrp",
        "fdiv" => "fdivp",
        "fdivr" => "fdivrp",
        _ => return None,
    })
}

/// Encodes in every form that takes the operands.
fn candidates(
    inst: &Inst<'_>,
    listed: &[Form],
    coder: &mut Coder,
    found: &mut Found,
) -> Result<(), Problem> {
    let mut refusal = None;
    let mut is_taken = false;
    let sorts = fit::side_by_side(inst.operands.iter().map(|operand| fit::sort(&operand.kind)));
    for form in listed {
        if form.sorts & sorts != sorts || !admits(inst, form) {
            continue;
        }
        let (mut fits, mut is_wide) = (true, false);
        for (operand, kind) in inst.operands.iter().zip(form.written()) {
            match fit(&operand.kind, *kind, form, inst.reach) {
                Fit::Yes => {}
                Fit::Immediate { .. } => is_wide = true,
                _ => fits = false,
            }
        }
        if fits && is_wide {
            // The number does not choose the width of the memory beside it.
            found.admit(form);
        }
        if !fits || is_wide {
            continue;
        }
        match check_prefixes(inst, form).and_then(|()| encode_form(inst, form, coder)) {
            Ok(encoded) => {
                is_taken = true;
                found.take(form, encoded, inst.form.length);
            }
            // What the last form to fit was refused for says most: the earlier ones are narrower.
            Err(problem) => refusal = Some(problem),
        }
    }
    match refusal {
        Some(problem) if !is_taken => Err(problem),
        _ => Ok(()),
    }
}

/// Whether the form is meant, where its operands fit.
pub(super) fn admits(inst: &Inst<'_>, form: &Form) -> bool {
    let is_absolute = || inst.mnemonic == "movabs";
    let has_memory = || {
        inst.operands
            .iter()
            .any(|operand| matches!(operand.kind, OperandKind::Memory(_)))
    };
    let is_asked = match inst.form.encoding {
        None => true,
        Some(Encoding::Vex | Encoding::Vex3) => form.info.encoding() == EncodingKind::VEX,
        Some(Encoding::Evex) => form.info.encoding() == EncodingKind::EVEX,
        Some(Encoding::Load) => form.loads(),
        Some(Encoding::Store) => !form.loads(),
    };
    is_asked && match form.rule {
        Rule::Registers => !has_memory(),
        Rule::Old => !inst.operands.iter().any(|operand| match &operand.kind {
            OperandKind::Memory(mem) => mem
                .base
                .into_iter()
                .chain(mem.index)
                .any(|one| one.number() > 7),
            _ => false,
        }),
        Rule::None | Rule::WideMov => true,
        Rule::Mov => !is_absolute(),
        // The accumulator's form is the shortest for an address of 32 bits, too.
        Rule::OffsetMov => is_absolute() || inst.form.is_half,
        Rule::ExchangeEax => inst
            .operands
            .iter()
            .any(|operand| operand.kind.register() != Some(Register::EAX)),
        Rule::Far => inst.reach == Some(Reach::Far)
            || inst.operands.iter().any(
                |operand| matches!(&operand.kind, OperandKind::Memory(mem) if mem.bits == Some(48)),
            ),
        Rule::Word => inst.operands.iter().any(|operand| operand.kind.is_word()),
        Rule::Never => false,
    }
}

impl OperandKind<'_> {
    /// Whether it asks for 16 bits by itself.
    pub(super) fn is_word(&self) -> bool {
        match self {
            OperandKind::Register(register) => register.is_gpr16(),
            OperandKind::Immediate { bits, .. } => *bits == Some(16),
            OperandKind::Memory(mem) => mem.bits == Some(16),
            OperandKind::Target(_) => false,
        }
    }

    /// Whether it is a general-purpose register or memory of 64 bits.
    pub(super) fn is_quadword(&self) -> bool {
        match self {
            OperandKind::Register(register) => register.is_gpr64(),
            OperandKind::Memory(mem) => mem.bits == Some(64),
            _ => false,
        }
    }
}

/// Refuses memory without a size word where several sizes would do.
fn check_size(inst: &Inst<'_>, name: &str, sizes: &mut [u32]) -> Result<(), Problem> {
    let memory = inst
        .operands
        .iter()
        .find(|operand| matches!(&operand.kind, OperandKind::Memory(mem) if mem.bits.is_none()));
    let Some(memory) = memory else { return Ok(()) };
    // Nobody writes these in another width than the stack's or a pointer's.
    if matches!(name, "call" | "jmp" | "push" | "pop" | "nop") {
        return Ok(());
    }
    if sizes.len() > 1 {
        sizes.sort_unstable();
        Err(refuse::ambiguous(inst, memory, sizes))
    } else {
        Ok(())
    }
}

/// Refuses `short` and `near` where there is no branch to a label.
pub(super) fn check_reach(inst: &Inst<'_>) -> Result<(), Problem> {
    let Some(reach) = inst.reach else {
        return Ok(());
    };
    if reach == Reach::Far {
        let is_memory = matches!(
            &inst.operands[..],
            [Operand {
                kind: OperandKind::Memory(_),
                ..
            }]
        );
        return match is_memory && matches!(&*inst.mnemonic, "call" | "jmp") {
            true => Ok(()),
            false => Err(Problem::new(
                inst.operand_span(),
                "a far transfer of 64-bit code is a `call` or `jmp` through memory",
            )
            .help("write `jmp fword ptr [rax]`, in AT&T syntax `ljmp *(%rax)`; no template may run it")),
        };
    }
    let has_target = inst
        .operands
        .iter()
        .any(|operand| matches!(operand.kind, OperandKind::Target(_)));
    // In front of a register or memory NASM's `near` says what goes without saying.
    let is_indirect = matches!(&inst.operands[..], [operand] if operand.kind.target().is_none() || matches!(operand.kind, OperandKind::Memory(_)));
    if reach == Reach::Near && is_indirect && matches!(&*inst.mnemonic, "call" | "jmp") {
        return Ok(());
    }
    if has_target
        && forms::find(&inst.mnemonic)
            .is_some_and(|spelling| spelling.forms.iter().any(Form::branches))
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
