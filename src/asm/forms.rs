//! Every way to write an instruction, by mnemonic, from iced's table of encodings.
//!
//! Correct means: a form is listed if and only if 64-bit code can use it and this assembler can
//! write all its operands; a mnemonic's forms keep the order of the table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use iced_x86::{Code, EncodingKind, MemorySize, OpCodeInfo, OpCodeOperandKind as Kind};

/// One encoding of one mnemonic.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// iced's name for it.
    pub(super) code: Code,
    /// What iced knows about it.
    pub(super) info: &'static OpCodeInfo,
    /// Bits of its memory operand; 0 where it has none or any size will do.
    pub(super) memory_bits: u32,
    /// Whether it is a string instruction, whose operands nobody writes.
    pub(super) is_string: bool,
}

impl Form {
    /// The operands in order, with whether they are written.
    pub(super) fn operands(&self) -> impl Iterator<Item = (u32, Kind, bool)> + '_ {
        (0u32..)
            .zip(self.info.op_kinds().iter().copied())
            .map(|(at, kind)| (at, kind, self.is_written(kind)))
    }

    /// How many operands are written.
    pub(super) fn written(&self) -> usize {
        self.operands().filter(|(_, _, written)| *written).count()
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

/// The forms of a mnemonic; none where there is no such mnemonic.
pub(super) fn of(mnemonic: &str) -> &'static [Form] {
    index().get(mnemonic).map_or(&[], Vec::as_slice)
}

/// All mnemonics of the table.
pub(super) fn mnemonics() -> impl Iterator<Item = &'static str> {
    index().keys().map(String::as_str)
}

fn index() -> &'static HashMap<String, Vec<Form>> {
    static INDEX: OnceLock<HashMap<String, Vec<Form>>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index: HashMap<String, Vec<Form>> = HashMap::new();
        for code in Code::values() {
            let info = code.op_code();
            if !is_usable(code, info) {
                continue;
            }
            let is_string = info
                .op_kinds()
                .iter()
                .any(|kind| matches!(kind, Kind::seg_rSI | Kind::es_rDI));
            let memory_bits = 8 * u32::try_from(info.memory_size().size()).unwrap_or(0);
            let name = format!("{:?}", info.mnemonic()).to_ascii_lowercase();
            index.entry(name).or_default().push(Form {
                code,
                info,
                memory_bits,
                is_string,
            });
        }
        index
    })
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

/// The name under which iced knows a mnemonic, and an immediate that the spelling implies.
pub(super) fn canonical(written: &str) -> (Cow<'_, str>, Option<u8>) {
    if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == written) {
        return (Cow::Borrowed(name), None);
    }
    for prefix in ["cmov", "set", "j"] {
        if let Some(condition) = written.strip_prefix(prefix)
            && let Some((_, name)) = CONDITIONS.iter().find(|(alias, _)| *alias == condition)
        {
            return (Cow::Owned(format!("{prefix}{name}")), None);
        }
    }
    compare(written).unwrap_or((Cow::Borrowed(written), None))
}

/// `cmpltsd` is `cmpsd` with the predicate as its last operand, `vcmpltsd` likewise.
fn compare(written: &str) -> Option<(Cow<'_, str>, Option<u8>)> {
    let (vex, rest) = match written.strip_prefix("vcmp") {
        Some(rest) => ("v", rest),
        None => ("", written.strip_prefix("cmp")?),
    };
    let at = rest
        .len()
        .checked_sub(2)
        .filter(|at| rest.is_char_boundary(*at))?;
    let (predicate, lanes) = rest.split_at(at);
    let known = if vex.is_empty() {
        &PREDICATES[..8]
    } else {
        &PREDICATES[..]
    };
    let number = known.iter().position(|known| *known == predicate)?;
    matches!(lanes, "ps" | "pd" | "ss" | "sd" | "ph" | "sh").then(|| {
        (
            Cow::Owned(format!("{vex}cmp{lanes}")),
            u8::try_from(number).ok(),
        )
    })
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

/// Predicates of the vector comparisons; legacy encodings know the first eight.
#[rustfmt::skip]
const PREDICATES: [&str; 32] = [
    "eq",    "lt",     "le",     "unord",   "neq",    "nlt",    "nle",    "ord",
    "eq_uq", "nge",    "ngt",    "false",   "neq_oq", "ge",     "gt",     "true",
    "eq_os", "lt_oq",  "le_oq",  "unord_s", "neq_us", "nlt_uq", "nle_uq", "ord_s",
    "eq_us", "nge_uq", "ngt_uq", "false_os", "neq_os", "ge_oq", "gt_oq",  "true_us",
];
