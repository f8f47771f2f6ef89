//! Why an instruction has no encoding, in words that help to write one that has.
//!
//! Correct means: the most specific reason wins, and the help shows something that assembles.

use iced_x86::{OpCodeOperandKind as Kind, Register};

use super::admits;
use super::fit::{Fit, fit, signed_range};
use super::forms::{self, Form};
use crate::asm::inst::{Broadcast, Decor, Inst, Mem, Operand, OperandKind, Prefix};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::{at_bits, name_of, register};

/// How many forms a help lists.
const LISTED: usize = 8;

/// Names that other assemblers know, and what to write for them.
#[rustfmt::skip]
const INSTEAD: [(&str, &str); 9] = [
    ("iretw",    "write `iretq`; the bytes of `iretw` are `db 0x66, 0xcf`"),
    ("pushfw",   "write `pushfq`, which keeps the stack aligned; the bytes of `pushfw` are `db 0x66, 0x9c`"),
    ("ljmp",     "write `jmp fword ptr [rax]` in Intel syntax; no template may run it"),
    ("lcall",    "write `call fword ptr [rax]` in Intel syntax; no template may run it"),
    ("pushl",    "64-bit code pushes 64 bits: write `pushq`"),
    ("popl",     "64-bit code pops 64 bits: write `popq`"),
    ("calll",    "64-bit code calls through 64 bits: write `callq`"),
    ("retl",     "64-bit code returns to 64 bits: write `retq`"),
    ("popfw",    "write `popfq`, which keeps the stack aligned; the bytes of `popfw` are `db 0x66, 0x9d`"),
];

/// Instructions that 64-bit code has no more.
#[rustfmt::skip]
const OLD: [&str; 20] = [
    "aaa", "aas", "aam", "aad", "daa", "das", "pusha", "popa", "pushad", "popad", "pushal", "popal",
    "into", "les", "lds", "bound", "arpl", "salc", "pushaw", "popaw",
];

/// No such instruction.
pub(in crate::asm) fn unknown_mnemonic(inst: &Inst<'_>) -> Problem {
    let name = &inst.mnemonic;
    let problem = Problem::new(inst.span, format!("unknown instruction `{name}`"));
    if register(name).is_some() {
        return problem.help("a register cannot begin an instruction; is the mnemonic missing?");
    }
    if OLD.contains(&&**name) {
        let message = format!("there is no `{name}` in 64-bit code");
        return Problem::new(inst.span, message);
    }
    if let Some((_, instead)) = INSTEAD.iter().find(|(known, _)| known == name) {
        return Problem::new(inst.span, format!("`{name}` is not assembled here")).help(*instead);
    }
    // The commonest instructions first: of equally near names the first is suggested.
    let common = [
        "mov", "lea", "call", "cmp", "test", "add", "sub", "jmp", "ret", "push", "pop", "je", "jne",
    ];
    let mut others: Vec<&str> = forms::mnemonics().collect();
    others.sort_unstable();
    problem.suggest(name, common.into_iter().chain(others), None)
}

/// Writing `fs` or its base moves the thread's own data away from the tool.
pub(in crate::asm) fn thread_base(inst: &Inst<'_>, name: &str) -> Result<(), Problem> {
    let first = inst
        .operands
        .first()
        .and_then(|operand| operand.kind.register());
    let is_written = first == Some(Register::FS) && name != "push";
    if is_written || name == "wrfsbase" {
        return Err(
            Problem::new(inst.whole(), "`fs` belongs to the tool's own thread")
                .help("Go's g stands at `gs:[-8]` here"),
        );
    }
    Ok(())
}

/// Encodings that exist, and that fault or do what depends on the processor.
pub(in crate::asm) fn faulting(inst: &Inst<'_>, name: &str) -> Result<(), Problem> {
    let refused = |operand: &Operand<'_>, message: String, help: &str| {
        Err(Problem::new(operand.span, message).help(help))
    };
    match (name, &inst.operands[..]) {
        ("call" | "jmp", [operand]) if operand.kind.is_word() => refused(
            operand,
            format!("`{name}` through 16 bits goes elsewhere on Intel's processors than on AMD's"),
            "zero-extend first: `movzx eax, ax`, then name rax",
        ),
        ("movd", [first, second]) if [first, second].iter().any(|one| one.kind.is_quadword()) => {
            let wide = if first.kind.is_quadword() {
                first
            } else {
                second
            };
            refused(
                wide,
                "`movd` moves 32 bits".to_owned(),
                "write `movq`, or name a 32-bit register",
            )
        }
        ("fstsw" | "fnstsw", []) => {
            let message = format!("`{name}` needs a destination");
            Err(Problem::new(inst.span, message).help(format!("write `{name} ax`")))
        }
        ("bswap", [operand]) if operand.kind.is_word() => refused(
            operand,
            "`bswap` of 16 bits has no defined result".to_owned(),
            "`rol ax, 8` swaps the two bytes",
        ),
        ("mov", [first, _]) if first.kind.register() == Some(Register::CS) => refused(
            first,
            "`mov` cannot load `cs`: it is an invalid opcode".to_owned(),
            "only far transfers load it, and no template may run one",
        ),
        ("mov", operands) => match operands.iter().find(|operand| is_missing(&operand.kind)) {
            None => Ok(()),
            Some(operand) => refused(
                operand,
                format!(
                    "there is no `{}`",
                    name_of(operand.kind.register().unwrap_or_default())
                ),
                "there are cr0, cr2, cr3, cr4 and cr8, and dr0 to dr7",
            ),
        },
        _ => Ok(()),
    }
}

/// Registers that an instruction wants to differ, and that raise an invalid opcode where they do not.
pub(in crate::asm) fn alike(inst: &Inst<'_>, name: &str) -> Result<(), Problem> {
    if !name.starts_with('v') {
        return Ok(());
    }
    let register = |at: usize| inst.operands.get(at).and_then(|one| one.kind.register());
    let index = inst.operands.iter().find_map(|one| match &one.kind {
        OperandKind::Memory(mem) => mem.index.filter(|index| index.is_vector_register()),
        _ => None,
    });
    let is_one = |one: Option<Register>, other: Option<Register>| match (one, other) {
        (Some(one), Some(other)) => one.full_register() == other.full_register(),
        _ => false,
    };
    let gathers = name.starts_with("vgather") || name.starts_with("vpgather");
    let multiplies = matches!(
        name,
        "vfcmaddcph"
            | "vfmaddcph"
            | "vfcmulcph"
            | "vfmulcph"
            | "vfcmaddcsh"
            | "vfmaddcsh"
            | "vfcmulcsh"
            | "vfmulcsh"
    );
    let is_refused = gathers
        && (is_one(register(0), index)
            || is_one(register(2), index)
            || is_one(register(0), register(2)))
        || multiplies && (is_one(register(0), register(1)) || is_one(register(0), register(2)));
    if !is_refused {
        return Ok(());
    }
    let message = format!(
        "`{}` with these registers is an invalid opcode",
        inst.mnemonic
    );
    Err(Problem::new(inst.operand_span(), message)
        .help("the destination differs from the other registers, and in a gather all three do"))
}

/// Whether it is a control or debug register that has a number and nothing else.
fn is_missing(kind: &OperandKind<'_>) -> bool {
    kind.register().is_some_and(|register| {
        register.is_cr() && !matches!(register.number(), 0 | 2 | 3 | 4 | 8)
            || register.is_dr() && register.number() > 7
    })
}

/// No form of the mnemonic takes these operands.
pub(in crate::asm) fn no_form(inst: &Inst<'_>, name: &str, listed: &[Form]) -> Problem {
    let listed: Vec<&Form> = listed.iter().filter(|form| admits(inst, form)).collect();
    let same_count: Vec<&Form> = listed
        .iter()
        .copied()
        .filter(|form| form.written().len() == inst.operands.len())
        .collect();
    if same_count.is_empty() && listed.iter().all(|form| form.is_string()) {
        let message = format!("the operands of `{}` are not written", inst.mnemonic);
        return Problem::new(inst.operand_span(), message)
            .help("it reads at [rsi] or gs:[rsi], writes at [rdi] or compares both");
    }
    if same_count.is_empty() {
        let message = format!(
            "`{}` does not take {}",
            inst.mnemonic,
            counted(inst.operands.len())
        );
        return Problem::new(inst.operand_span(), message).help(forms_text(listed.into_iter()));
    }
    if let Some(problem) = memory_twice(inst).or_else(|| near_miss(inst, &same_count)) {
        return problem;
    }
    let branches = same_count.iter().any(|form| form.branches());
    let wanted = forms_text(nearest_first(inst, &same_count));
    match inst.operands.first().map(|operand| &operand.kind) {
        Some(OperandKind::Immediate { .. }) if branches => Problem::new(
            inst.operand_span(),
            format!("`{name}` goes to a label or a symbol, not to a number"),
        )
        .help(number_target(inst, name)),
        _ if let Some(operand) = inst
            .operands
            .iter()
            .find(|op| matches!(op.kind, OperandKind::Target(_))) =>
        {
            symbol_misplaced(inst, operand, &wanted)
        }
        _ if let Some((operand, count)) = misfit_broadcast(inst) => Problem::new(
            operand.span,
            format!("{{1to{count}}} does not fill the vectors of `{}`", inst.mnemonic),
        )
        .help("to zmm registers a dword goes {1to16} and a qword {1to8}; to ymm and xmm half and a quarter as often"),
        _ => {
            let message = widths_differ(inst)
                .unwrap_or_else(|| format!("`{}` does not take these operands", inst.mnemonic));
            Problem::new(inst.operand_span(), message).help(wanted)
        }
    }
}

/// What to write for a branch to a number.
fn number_target(inst: &Inst<'_>, name: &str) -> String {
    let value = match inst.operands.first().map(|operand| &operand.kind) {
        Some(OperandKind::Immediate { value, .. }) => *value,
        _ => 0,
    };
    let local = match value {
        0..=99 => format!(
            "; of a label `{value}:`, `{value}b` is the one before and `{value}f` the one after"
        ),
        _ => String::new(),
    };
    let through = match name {
        "call" | "jmp" => {
            format!("; an address goes through a register: `mov rax, {value:#x}`, `{name} rax`")
        }
        _ => String::new(),
    };
    format!("name a label, or a symbol in double quotes{local}{through}")
}

/// Two memory operands, which no instruction has that writes its operands.
fn memory_twice(inst: &Inst<'_>) -> Option<Problem> {
    let mut memory = inst
        .operands
        .iter()
        .filter(|operand| matches!(operand.kind, OperandKind::Memory(_)));
    let second = memory.nth(1)?;
    let message = format!("`{}` takes one memory operand, not two", inst.mnemonic);
    Some(Problem::new(second.span, message).help("load one of them into a register first"))
}

/// A broadcast that fits no form.
fn misfit_broadcast<'i>(inst: &'i Inst<'_>) -> Option<(&'i Operand<'i>, u32)> {
    inst.operands
        .iter()
        .find_map(|operand| match &operand.kind {
            OperandKind::Memory(Mem {
                broadcast: Some(Broadcast::Times(count)),
                ..
            }) => Some((operand, *count)),
            _ => None,
        })
}

fn symbol_misplaced(inst: &Inst<'_>, operand: &Operand<'_>, wanted: &str) -> Problem {
    let problem = Problem::new(
        operand.span,
        format!("`{}` does not take an address here", inst.mnemonic),
    );
    if inst.reach.is_some() {
        return problem.help(wanted.to_owned());
    }
    problem.help("brackets read what lies there; `lea rcx, [symbol]` or `mov rcx, symbol` take the address itself")
}

/// How each operand of `inst` fits a form of as many operands.
fn fits<'a>(inst: &'a Inst<'a>, form: &'a Form) -> impl Iterator<Item = (&'a Operand<'a>, Fit)> {
    inst.operands
        .iter()
        .zip(form.written())
        .map(|(operand, kind)| (operand, fit(&operand.kind, *kind, form, inst.reach)))
}

/// The forms that most operands fit first.
fn nearest_first<'a>(inst: &Inst<'_>, forms: &[&'a Form]) -> impl Iterator<Item = &'a Form> {
    let mut sorted = forms.to_vec();
    sorted.sort_by_key(|form| fits(inst, form).filter(|(_, fit)| *fit == Fit::No).count());
    sorted.into_iter()
}

/// What is wrong where all operands but one fit a form, and that one nearly does.
fn near_miss(inst: &Inst<'_>, forms: &[&Form]) -> Option<Problem> {
    let mut immediate: Option<(u32, u32, &Operand<'_>)> = None;
    let mut memory: Option<(u32, &Operand<'_>)> = None;
    for form in forms {
        let mut misses = fits(inst, form).filter(|(_, fit)| *fit != Fit::Yes);
        match (misses.next(), misses.next()) {
            (Some((at, Fit::Immediate { field, operand })), None)
                if immediate.is_none_or(|(widest, ..)| field > widest) =>
            {
                immediate = Some((field, operand, at));
            }
            (Some((at, Fit::Memory(bits))), None) => memory = Some((bits, at)),
            _ => {}
        }
    }
    if let Some((
        field,
        operand,
        Operand {
            kind: OperandKind::Immediate { value, .. },
            span,
        },
    )) = immediate
    {
        let signed = signed_range(field);
        let (most, extended) = match field == operand {
            true => ((1i128 << field) - 1, String::new()),
            false => (*signed.end(), format!(", sign-extended to {operand}")),
        };
        return Some(
            Problem::new(
                *span,
                format!("{} does not fit in {field} bits{extended}", shown(*value)),
            )
            .help(match clearing(inst, *value) {
                Some(help) => help,
                None => format!("the field holds {} to {most}", signed.start()),
            }),
        );
    }
    let (bits, operand) = memory?;
    let OperandKind::Memory(Mem {
        bits: Some(written),
        ..
    }) = &operand.kind
    else {
        return None;
    };
    let message = format!("the memory operand is {written} bits wide, the others want {bits}");
    Some(Problem::new(operand.span, message).help(forms_text(nearest_first(inst, forms))))
}

/// A number as people write it: large ones in both notations.
fn shown(value: i128) -> String {
    match value {
        0x1_0000.. => format!("{value} ({value:#x})"),
        _ => value.to_string(),
    }
}

/// `and` with the lower half, which has a shorter way.
fn clearing(inst: &Inst<'_>, value: i128) -> Option<String> {
    let register = inst.operands.first()?.kind.register()?;
    if inst.mnemonic != "and" || value != 0xffff_ffff || !register.is_gpr64() {
        return None;
    }
    let low = name_of(at_bits(register, 32)?);
    Some(match inst.form.is_att {
        false => format!("`mov {low}, {low}` clears the upper half"),
        true => format!("`movl %{low}, %{low}` clears the upper half"),
    })
}

/// Two registers of different width where the instruction wants one width.
fn widths_differ(inst: &Inst<'_>) -> Option<String> {
    let registers: Vec<Register> = inst
        .operands
        .iter()
        .filter_map(|operand| operand.kind.register())
        .collect();
    let are_all = |of: fn(Register) -> bool| registers.iter().all(|register| of(*register));
    let is_pair = inst.operands.len() == 2 && are_all(Register::is_gpr);
    if !is_pair && !are_all(Register::is_vector_register) {
        return None;
    }
    let (first, rest) = registers.split_first()?;
    let other = rest.iter().find(|other| other.size() != first.size())?;
    Some(format!(
        "`{}` is {} bits wide and `{}` {}",
        name_of(*first),
        8 * first.size(),
        name_of(*other),
        8 * other.size()
    ))
}

fn counted(operands: usize) -> String {
    match operands {
        0 => "an empty list of operands".to_owned(),
        1 => "one operand".to_owned(),
        n => format!("{n} operands"),
    }
}

fn forms_text<'a>(forms: impl Iterator<Item = &'a Form>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in forms.map(Form::text) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let more = texts.len().saturating_sub(LISTED);
    texts.truncate(LISTED);
    let tail = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    format!("forms: {}{tail}", texts.join("; "))
}

/// A prefix before an instruction that does not take it.
pub(in crate::asm) fn prefix(inst: &Inst<'_>, prefix: Prefix, span: Span) -> Problem {
    let (word, help) = match prefix {
        Prefix::Lock => (
            "lock",
            "lock goes with add, adc, and, btc, btr, bts, cmpxchg, dec, inc, neg, not, or, sbb, sub, xadd, xchg and xor, \
             and only where the destination is memory",
        ),
        Prefix::Rep => (
            "rep",
            "rep goes with movs, stos, lods, ins and outs, repe with cmps and scas",
        ),
        Prefix::Repne => ("repne", "repne goes with cmps and scas"),
        Prefix::Notrack => ("notrack", "notrack goes with indirect call and jmp"),
        Prefix::Bnd => ("bnd", "bnd goes with call, jmp, jcc and ret"),
        Prefix::Segment(byte) => (
            if byte == 0x64 { "fs" } else { "gs" },
            "a segment goes before the brackets, as in gs:[-8]; string instructions take none",
        ),
        Prefix::Raw(_) => ("the prefix", "leave it out"),
        Prefix::Operands32 => (
            "o32",
            "leave it out: operands and names say how wide they are",
        ),
        Prefix::Operands64 => (
            "o64",
            "leave it out: operands and names say how wide they are",
        ),
        Prefix::Addresses64 => ("a64", "leave it out: registers say how wide an address is"),
    };
    let message = match prefix {
        Prefix::Lock
            if inst
                .operands
                .iter()
                .any(|operand| matches!(operand.kind, OperandKind::Memory(_))) =>
        {
            format!("`{}` with these operands cannot be locked", inst.mnemonic)
        }
        _ => format!("`{word}` does not go with `{}`", inst.mnemonic),
    };
    Problem::new(span, message).help(help)
}

/// `notrack` is the byte of a `ds` override, and of two overrides the hardware takes one.
pub(in crate::asm) fn notrack_segment(inst: &Inst<'_>) -> Result<(), Problem> {
    let overrides = |operand: &&Operand<'_>| matches!(&operand.kind, OperandKind::Memory(mem) if mem.segment.is_some());
    match inst.operands.iter().find(overrides) {
        None => Ok(()),
        Some(operand) => Err(
            Problem::new(operand.span, "`notrack` takes the place of a segment")
                .help("load the address first: `mov rcx, gs:[rax]`, then `notrack call rcx`"),
        ),
    }
}

/// A decoration that the only fitting forms do not have, or the lack of one they need.
pub(in crate::asm) fn decoration(
    inst: &Inst<'_>,
    needs_mask: bool,
    takes_zeroing: bool,
) -> Problem {
    let name = &inst.mnemonic;
    match inst.decor {
        decor if needs_mask && decor.mask.is_none() => {
            Problem::new(inst.whole(), format!("`{name}` needs a mask"))
                .help("write {k1} after the destination")
        }
        Decor {
            zeroing: Some(span),
            mask: None,
            ..
        } => Problem::new(span, "{z} needs a mask").help("write {k1}{z}"),
        Decor {
            zeroing: Some(span),
            ..
        } if !takes_zeroing => Problem::new(span, format!("`{name}` with these operands does not take {{z}}"))
            .help("{z} goes where the destination is a vector register that is written as a whole; leave it out"),
        decor => Problem::new(
            decor.span.unwrap_or(inst.span),
            format!("`{name}` with these operands does not take this decoration"),
        )
        .help(if decor.rounding.is_some() || decor.exact {
            "rounding and {sae} go with scalars and zmm registers, only where no operand is memory; a result that is always exact takes no rounding"
        } else {
            "masks go with the forms of AVX-512, {z} only where the destination is a register"
        }),
    }
}

/// Whether the constant part of an address fits its field.
pub(in crate::asm) fn displacement_fits(mem: &Mem<'_>, kind: Kind) -> bool {
    let value = mem.displacement;
    let narrow = |register: Option<Register>| register.is_some_and(Register::is_gpr32);
    if kind == Kind::mem_offs {
        return true;
    }
    let top = (1i128 << 64) - (1 << 31);
    signed_range(32).contains(&value)
        || (narrow(mem.base) || narrow(mem.index)) && (0..1 << 32).contains(&value)
        || value >= top
}

/// A constant part that does not fit.
pub(in crate::asm) fn displacement(operand: &Operand<'_>) -> Problem {
    Problem::new(
        operand.span,
        "the displacement does not fit in 32 bits, sign-extended",
    )
    .help(match &operand.kind {
        OperandKind::Memory(mem) if (0xffff_0000..1 << 32).contains(&mem.displacement) => {
            format!("did you mean -{:#x}?", (1i128 << 32) - mem.displacement)
        }
        _ => {
            "put the address in a register first: `mov rcx, 0x123456789`, then use [rcx]".to_owned()
        }
    })
}

/// The form fits, and yet the encoder refuses the combination.
pub(in crate::asm) fn unencodable(inst: &Inst<'_>) -> Problem {
    let registers = || {
        inst.operands
            .iter()
            .filter_map(|operand| Some((operand, operand.kind.register()?)))
    };
    let high = registers().find(|(_, register)| {
        matches!(
            register,
            Register::AH | Register::BH | Register::CH | Register::DH
        )
    });
    if let Some((operand, register)) = high {
        return Problem::new(
            operand.span,
            format!("`{}` cannot be used in an instruction that needs a REX prefix", name_of(register)),
        )
        .help("r8 to r15, spl, bpl, sil, dil and 64-bit operands need one; move the byte to al, bl, cl or dl first");
    }
    Problem::new(
        inst.whole(),
        format!(
            "`{}` cannot be encoded with this combination of operands",
            inst.mnemonic
        ),
    )
}

/// Memory without a size where several would do.
pub(in crate::asm) fn ambiguous(inst: &Inst<'_>, memory: &Operand<'_>, sizes: &[u32]) -> Problem {
    if inst.form.is_att {
        let letter = |bits: &u32| match bits {
            8 => Some('b'),
            16 => Some('w'),
            32 => Some('l'),
            64 => Some('q'),
            _ => None,
        };
        let names = sizes.iter().filter_map(letter);
        let names: Vec<String> = names
            .map(|letter| format!("`{}{letter}`", inst.mnemonic))
            .collect();
        return Problem::new(memory.span, "operand size is ambiguous").help(format!(
            "the last letter of the name says it: {}",
            names.join(", ")
        ));
    }
    let words: Vec<&str> = sizes
        .iter()
        .filter_map(|bits| word_of(*bits))
        .map(|word| word.1)
        .collect();
    let help = match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("add {} or {last}", rest.join(", ")),
        _ => "add `byte`, `word`, `dword` or `qword`".to_owned(),
    };
    Problem::new(memory.span, "operand size is ambiguous").help(help)
}

fn word_of(bits: u32) -> Option<&'static (u32, &'static str)> {
    const WORDS: [(u32, &str); 8] = [
        (8, "`byte`"),
        (16, "`word`"),
        (32, "`dword`"),
        (64, "`qword`"),
        (80, "`tbyte`"),
        (128, "`xmmword`"),
        (256, "`ymmword`"),
        (512, "`zmmword`"),
    ];
    WORDS.iter().find(|(known, _)| *known == bits)
}
