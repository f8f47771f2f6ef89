//! Every way to write an instruction, by mnemonic, from iced's table of encodings.
//!
//! Correct means: a form is listed if and only if 64-bit code can use it and this assembler can
//! write all its operands; a mnemonic's forms keep the order of the table.

use std::sync::OnceLock;

use iced_x86::{Code, EncodingKind, MemorySize, OpCodeInfo, OpCodeOperandKind as Kind};

use super::fit::{self, Sorts};
use super::names::NameMap;

/// One encoding of one mnemonic.
///
/// What iced would look up again for each instruction is kept here, once.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// iced's name for it.
    pub(super) code: Code,
    /// What iced knows about it.
    pub(super) info: &'static OpCodeInfo,
    /// Bits of its memory operand; 0 where it has none or any size will do.
    pub(super) memory_bits: u32,
    /// Which spellings and operands it is for.
    pub(super) rule: Rule,
    /// Whether it needs AVX-512.
    pub(super) is_evex: bool,
    /// Whether an 8-bit immediate is extended to the width of its operand.
    pub(super) extends: bool,
    /// Whether an operand can be memory of a size that somebody writes.
    pub(super) takes_memory: bool,
    /// Whether it is a string instruction, whose operands nobody writes.
    pub(super) is_string: bool,
    /// The sorts of operands that may fit, side by side.
    pub(super) sorts: Sorts,
    kinds: [Kind; 5],
    count: usize,
}

/// What a form wants beside operands that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing.
    None,
    /// A `mov` for any spelling but `movabs`.
    Mov,
    /// A `mov` with a 64-bit immediate, which `movabs` asks for too.
    WideMov,
    /// A `mov` with a 64-bit address, for `movabs` only.
    OffsetMov,
    /// `xchg` with `eax`: 90 is a nop and would leave the upper half of rax alone.
    ExchangeEax,
    /// An operand that asks for 16 bits by itself.
    Word,
    /// Nothing helps: it is the 16-bit form of something whose operand has no width.
    Never,
}

impl Form {
    fn new(code: Code, name: &str, sorts_of: &mut dyn FnMut(Kind) -> Sorts) -> Form {
        let info = code.op_code();
        let all = info.op_kinds();
        let is_string = all
            .iter()
            .any(|kind| matches!(kind, Kind::seg_rSI | Kind::es_rDI));
        let mut form = Form {
            code,
            info,
            memory_bits: 8 * u32::try_from(info.memory_size().size()).unwrap_or(0),
            rule: rule(code, name, info),
            is_evex: info.encoding() == EncodingKind::EVEX,
            extends: all
                .iter()
                .any(|kind| matches!(kind, Kind::imm8sex16 | Kind::imm8sex32 | Kind::imm8sex64)),
            takes_memory: all.iter().any(|kind| fit::takes_memory(*kind)),
            is_string,
            kinds: [Kind::None; 5],
            sorts: 0,
            count: 0,
        };
        for kind in all.iter().copied() {
            if !form.is_written(kind) {
                continue;
            }
            form.kinds[form.count] = kind;
            form.count += 1;
        }
        form.sorts = fit::side_by_side(form.written().iter().map(|kind| sorts_of(*kind)));
        form
    }

    /// The operands in order, with whether they are written.
    pub(super) fn operands(&self) -> impl Iterator<Item = (u32, Kind, bool)> + '_ {
        (0u32..)
            .zip(self.info.op_kinds().iter().copied())
            .map(|(at, kind)| (at, kind, self.is_written(kind)))
    }

    /// The operands that are written.
    pub(super) fn written(&self) -> &[Kind] {
        &self.kinds[..self.count]
    }

    /// `movsq` takes its addresses, and `stosq` its value too, from fixed registers.
    fn is_written(&self, kind: Kind) -> bool {
        match kind {
            Kind::seg_rSI | Kind::es_rDI | Kind::seg_rDI | Kind::seg_rBX_al => false,
            Kind::al | Kind::ax | Kind::eax | Kind::rax | Kind::dx => !self.is_string,
            _ => true,
        }
    }

    /// The form as manuals print it, in lower case.
    pub(super) fn text(&self) -> String {
        self.info.instruction_string().to_lowercase()
    }
}

/// Forms that fit by kind but mean something else, or that another spelling asks for.
fn rule(code: Code, name: &str, info: &OpCodeInfo) -> Rule {
    let is_word = info.operand_size() == 16;
    match name {
        "mov" if info.op_kinds().contains(&Kind::mem_offs) => Rule::OffsetMov,
        "mov" if info.op_kinds().contains(&Kind::imm64) => Rule::WideMov,
        "mov" => Rule::Mov,
        "xchg" if code == Code::Xchg_r32_EAX => Rule::ExchangeEax,
        "push" | "pop" | "call" | "jmp" | "ret" | "enter" | "leave" | "pushf" | "popf"
            if is_word =>
        {
            Rule::Word
        }
        "fldenv" | "fnstenv" | "fnsave" | "frstor" if is_word => Rule::Never,
        _ => Rule::None,
    }
}

/// What a written mnemonic stands for.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    /// The name under which iced knows it.
    pub(super) name: &'static str,
    /// The forms, at least one.
    pub(super) forms: &'static [Form],
    /// An immediate that the spelling implies.
    pub(super) implied: Option<u8>,
}

/// What a mnemonic in lower case stands for, if there is such a mnemonic.
pub(super) fn find(written: &str) -> Option<&'static Spelling> {
    static SPELLINGS: OnceLock<NameMap<Spelling>> = OnceLock::new();
    SPELLINGS.get_or_init(spellings).get(written)
}

/// The forms of a name that iced knows; none where it does not.
pub(super) fn of(name: &str) -> &'static [Form] {
    index().get(name).map_or(&[], Vec::as_slice)
}

/// All mnemonics of the table.
pub(super) fn mnemonics() -> impl Iterator<Item = &'static str> {
    index().keys().map(String::as_str)
}

fn index() -> &'static NameMap<Vec<Form>> {
    static INDEX: OnceLock<NameMap<Vec<Form>>> = OnceLock::new();
    INDEX.get_or_init(|| {
        // There are far fewer kinds than places for one.
        let mut known: Vec<Option<Sorts>> = Vec::new();
        let mut sorts_of = |kind: Kind| {
            let at = kind as usize;
            known.resize(known.len().max(at + 1), None);
            *known[at].get_or_insert_with(|| fit::sorts(kind))
        };
        let mut index: NameMap<Vec<Form>> = NameMap::default();
        for code in Code::values() {
            let info = code.op_code();
            if !is_usable(code, info) {
                continue;
            }
            let name = format!("{:?}", info.mnemonic()).to_ascii_lowercase();
            let form = Form::new(code, &name, &mut sorts_of);
            index.entry(name).or_default().push(form);
        }
        index
    })
}

/// iced's own names first; the other spellings hide those of the same letters.
fn spellings() -> NameMap<Spelling> {
    let mut spellings = NameMap::default();
    let mut add = |written: String, name: &str, implied: Option<u8>| {
        if let Some((name, forms)) = index().get_key_value(name) {
            let spelling = Spelling {
                name,
                forms,
                implied,
            };
            spellings.insert(written, spelling);
        }
    };
    for name in mnemonics() {
        add(name.to_owned(), name, None);
    }
    // `cmpltsd` is `cmpsd` with the predicate as its last operand, `vcmpltsd` likewise.
    for lanes in ["ps", "pd", "ss", "sd", "ph", "sh"] {
        for (number, predicate) in (0u8..).zip(PREDICATES) {
            if number < LEGACY_PREDICATES {
                let name = format!("cmp{lanes}");
                add(format!("cmp{predicate}{lanes}"), &name, Some(number));
            }
            let name = format!("vcmp{lanes}");
            add(format!("vcmp{predicate}{lanes}"), &name, Some(number));
        }
    }
    // Where a name is also that of an instruction without the immediate, that one is meant.
    let mut add_new = |written: String, name: &str, implied: u8| {
        if !index().contains_key(&written) {
            add(written, name, Some(implied));
        }
    };
    for lanes in ["b", "ub", "w", "uw", "d", "ud", "q", "uq"] {
        for (number, predicate) in (0u8..).zip(INTEGER_PREDICATES) {
            add_new(
                format!("vpcmp{predicate}{lanes}"),
                &format!("vpcmp{lanes}"),
                number,
            );
        }
    }
    for (halves, implied) in [
        ("lqlq", 0x00),
        ("hqlq", 0x01),
        ("lqhq", 0x10),
        ("hqhq", 0x11),
    ] {
        for name in ["pclmulqdq", "vpclmulqdq"] {
            let written = name.replace("qdq", &format!("{halves}dq"));
            add_new(written, name, implied);
        }
    }
    for prefix in ["cmov", "set", "j"] {
        for (alias, name) in CONDITIONS {
            add(format!("{prefix}{alias}"), &format!("{prefix}{name}"), None);
        }
    }
    for (one, other) in CONDITIONS {
        // Intel has one of the two names, and listings the other.
        add(format!("cmp{one}xadd"), &format!("cmp{other}xadd"), None);
        add(format!("cmp{other}xadd"), &format!("cmp{one}xadd"), None);
    }
    for (alias, name) in ALIASES {
        add(alias.to_owned(), name, None);
    }
    spellings
}

fn is_usable(code: Code, info: &OpCodeInfo) -> bool {
    info.is_instruction()
        && info.mode64()
        && info.encoding() != EncodingKind::MVEX
        // iced 1.22 drops the REX prefix of 3DNow, and no CPU since 2011 has it.
        && info.encoding() != EncodingKind::D3NOW
        && !info.is_reserved_nop()
        // Knights Corner's VEX codes are shorter than the real ones and fault everywhere else.
        && !format!("{code:?}").starts_with("VEX_KNC_")
        && !matches!(info.memory_size(), MemorySize::SegPtr16 | MemorySize::SegPtr32 | MemorySize::SegPtr64)
        && !info.op_kinds().iter().any(|kind| is_foreign(*kind))
}

/// Far branches, and near ones whose 16-bit or 32-bit target AMD and Intel read differently.
fn is_foreign(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::farbr2_2
            | Kind::farbr4_2
            | Kind::br16_1
            | Kind::br16_2
            | Kind::br32_1
            | Kind::br32_4
            | Kind::xbegin_2
            | Kind::brdisp_2
            | Kind::brdisp_4
    )
}

#[rustfmt::skip]
const ALIASES: [(&str, &str); 10] = [
    ("movabs", "mov"),   ("sal",    "shl"),    ("pushf",  "pushfq"),
    ("popf",   "popfq"), ("loopz",  "loope"),  ("loopnz", "loopne"),
    ("retn",   "ret"),   ("xlat",   "xlatb"),  ("fwait",  "wait"),
    ("iret",   "iretd"),
];

#[rustfmt::skip]
const CONDITIONS: [(&str, &str); 14] = [
    ("z",   "e"),  ("nz",  "ne"), ("c",   "b"),  ("nae", "b"),  ("nc",  "ae"),
    ("nb",  "ae"), ("na",  "be"), ("nbe", "a"),  ("nge", "l"),  ("nl",  "ge"),
    ("ng",  "le"), ("nle", "g"),  ("pe",  "p"),  ("po",  "np"),
];

/// How many of the predicates the legacy encodings know.
const LEGACY_PREDICATES: u8 = 8;

/// Predicates of the vector comparisons.
#[rustfmt::skip]
const PREDICATES: [&str; 32] = [
    "eq",    "lt",     "le",     "unord",   "neq",    "nlt",    "nle",    "ord",
    "eq_uq", "nge",    "ngt",    "false",   "neq_oq", "ge",     "gt",     "true",
    "eq_os", "lt_oq",  "le_oq",  "unord_s", "neq_us", "nlt_uq", "nle_uq", "ord_s",
    "eq_us", "nge_uq", "ngt_uq", "false_os", "neq_os", "ge_oq", "gt_oq",  "true_us",
];

/// Predicates of the AVX-512 comparisons of integers.
const INTEGER_PREDICATES: [&str; 8] = ["eq", "lt", "le", "false", "neq", "nlt", "nle", "true"];
