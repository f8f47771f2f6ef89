//! Every way to write an instruction, by mnemonic.
//!
//! Correct means: a form is listed if and only if 64-bit code can use it and this assembler can
//! write all its operands; a mnemonic's forms keep the order of iced's table.
//!
//! All of it is made when a process first assembles: milliseconds, most of them iced's, which then
//! builds its descriptions of all encodings (docs/architecture.md has the measurement).

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use iced_x86::{
    Code, CpuidFeature, EncodingKind, MemorySize, Mnemonic, OpCodeInfo, OpCodeOperandKind as Kind,
    Register,
};

use super::fit::{self, Sorts};
use super::spellings::spellings;

/// One encoding of one mnemonic.
#[derive(Debug, Clone, Copy)]
pub(in crate::asm) struct Form {
    /// All that iced knows about it.
    pub(in crate::asm) info: &'static OpCodeInfo,
    /// Bits of its memory operand; 0 where it has none or any size will do.
    pub(in crate::asm) memory_bits: u32,
    /// Bits of an element that it broadcasts; 0 where it cannot.
    pub(in crate::asm) element_bits: u32,
    /// Which spellings and operands it is for.
    pub(in crate::asm) rule: Rule,
    /// When it came.
    pub(in crate::asm) age: Age,
    /// Whether it is the one of two alike that other assemblers leave alone.
    pub(in crate::asm) is_second: bool,
    /// The sorts of operands that may fit, side by side.
    pub(in crate::asm) sorts: Sorts,
    /// The operands that are written, and how many there are.
    written: ([Kind; MOST], usize),
}

/// The most operands of a form.
const MOST: usize = 5;

/// What a form wants beside operands that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) enum Rule {
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
    /// Into another segment: `far`, or memory of 48 bits.
    Far,
    /// Registers only: with memory another opcode is meant.
    Registers,
    /// Registers without REX only: iced 1.22 drops that of 3DNow.
    Old,
    /// Nothing helps: it is the 16-bit form of something whose operand has no width.
    Never,
}

/// When an encoding came, as far as it counts between encodings of one instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::asm) enum Age {
    /// Before AVX-512.
    Old,
    /// With AVX-512 and its extensions.
    Avx512,
    /// After the one of AVX-512, as AVX-VNNI and AVX-IFMA did.
    Late,
}

impl Age {
    fn of(info: &OpCodeInfo) -> Age {
        match info.encoding() {
            EncodingKind::EVEX => Age::Avx512,
            EncodingKind::VEX if is_late(info.code()) => Age::Late,
            _ => Age::Old,
        }
    }
}

/// Of AMD's instructions with four operands those with W set take any of the last two from memory; of
/// registers alone, assemblers take that form.
fn is_second(code: Code, info: &OpCodeInfo) -> bool {
    let features = code.cpuid_features();
    features.contains(&CpuidFeature::FMA4) && info.w() == 0
}

/// Whether it belongs to an extension that gave instructions of AVX-512 a VEX encoding afterwards.
fn is_late(code: Code) -> bool {
    let late = [
        CpuidFeature::AVX_VNNI,
        CpuidFeature::AVX_IFMA,
        CpuidFeature::AVX_NE_CONVERT,
    ];
    code.cpuid_features()
        .iter()
        .any(|feature| late.contains(feature))
}

impl Form {
    fn new(code: Code, sorts: &[Sorts]) -> Form {
        let info = code.op_code();
        let bits = |size: MemorySize| 8 * size.size() as u32;
        let is_broadcast = info.can_broadcast();
        let mut form = Form {
            info,
            memory_bits: bits(info.memory_size()),
            element_bits: if is_broadcast {
                bits(info.broadcast_memory_size())
            } else {
                0
            },
            rule: rule(code, info),
            age: Age::of(info),
            is_second: is_second(code, info),
            sorts: 0,
            written: ([Kind::None; MOST], 0),
        };
        let (written, count) = &mut form.written;
        for kind in info.op_kinds().iter().copied() {
            if is_written(info, kind) {
                written[*count] = kind;
                form.sorts |= fit::beside(sorts[kind as usize], *count);
                *count += 1;
            }
        }
        form.sorts |= fit::counted(*count);
        form
    }

    /// The operands in order, with whether they are written.
    pub(in crate::asm) fn operands(&self) -> impl Iterator<Item = (u32, Kind, bool)> {
        let info = self.info;
        (0u32..)
            .zip(info.op_kinds().iter().copied())
            .map(|(at, kind)| (at, kind, is_written(info, kind)))
    }

    /// The operands that are written.
    pub(in crate::asm) fn written(&self) -> &[Kind] {
        &self.written.0[..self.written.1]
    }

    /// Whether its destination is the register of the register field.
    pub(in crate::asm) fn loads(&self) -> bool {
        let first = self.written().first();
        first.is_some_and(|kind| format!("{kind:?}").ends_with("_reg"))
    }

    /// Whether it takes a rounding mode. Every 32-bit integer is a double, so there is nothing to
    /// round: Intel's manual lists no rounding, though iced does.
    pub(in crate::asm) fn takes_rounding(&self) -> bool {
        self.info.can_use_rounding_control()
            && !matches!(
                self.info.code(),
                Code::EVEX_Vcvtsi2sd_xmm_xmm_rm32_er | Code::EVEX_Vcvtusi2sd_xmm_xmm_rm32_er
            )
    }

    /// Whether an 8-bit immediate is extended to the width of its operand.
    pub(in crate::asm) fn extends(&self) -> bool {
        let extends =
            |kind: &Kind| matches!(kind, Kind::imm8sex16 | Kind::imm8sex32 | Kind::imm8sex64);
        self.written().iter().any(extends)
    }

    /// Whether an operand can be memory of a size that somebody writes.
    pub(in crate::asm) fn takes_memory(&self) -> bool {
        self.written().iter().any(|kind| fit::takes_memory(*kind))
    }

    /// Whether an operand can be a general-purpose register of more than one width.
    pub(in crate::asm) fn is_general(&self) -> bool {
        let registers = [Register::BL, Register::BX, Register::EBX, Register::RBX];
        self.written()
            .iter()
            .any(|kind| registers.iter().any(|one| fit::takes_register(*kind, *one)))
    }

    /// Whether it branches to a label.
    pub(in crate::asm) fn branches(&self) -> bool {
        let is_near = |kind: &Kind| matches!(kind, Kind::br64_1 | Kind::br64_4);
        self.written().iter().any(is_near)
    }

    /// Whether it is a string instruction, whose operands nobody writes.
    pub(in crate::asm) fn is_string(&self) -> bool {
        is_string(self.info)
    }

    /// Whether it reads or writes memory at a register that nobody writes.
    pub(in crate::asm) fn has_fixed_memory(&self) -> bool {
        let is_fixed = |kind: &Kind| {
            matches!(
                kind,
                Kind::seg_rSI | Kind::es_rDI | Kind::seg_rDI | Kind::seg_rBX_al
            )
        };
        self.info.op_kinds().iter().any(is_fixed)
    }

    /// The form as manuals print it, in lower case.
    pub(in crate::asm) fn text(&self) -> String {
        self.info.instruction_string().to_lowercase()
    }
}

/// `movsq` takes its addresses, and `stosq` its value too, from fixed registers.
fn is_written(info: &OpCodeInfo, kind: Kind) -> bool {
    match kind {
        Kind::seg_rSI | Kind::es_rDI | Kind::seg_rDI | Kind::seg_rBX_al => false,
        Kind::al | Kind::ax | Kind::eax | Kind::rax | Kind::dx => !is_string(info),
        _ => true,
    }
}

fn is_string(info: &OpCodeInfo) -> bool {
    let is_fixed = |kind: &Kind| matches!(kind, Kind::seg_rSI | Kind::es_rDI);
    info.op_kinds().iter().any(is_fixed)
}

/// Forms that fit by kind but mean something else, or that another spelling asks for.
#[rustfmt::skip] // a table
fn rule(code: Code, info: &OpCodeInfo) -> Rule {
    use Mnemonic as M;
    let is_word = info.operand_size() == 16;
    match code.mnemonic() {
        M::Mov if info.op_kinds().contains(&Kind::mem_offs) => Rule::OffsetMov,
        M::Mov if info.op_kinds().contains(&Kind::imm64) => Rule::WideMov,
        M::Mov => Rule::Mov,
        M::Movq | M::Vmovq if info.op_kinds().contains(&Kind::r64_or_mem) => Rule::Registers,
        _ if info.encoding() == EncodingKind::D3NOW => Rule::Old,
        M::Xchg if code == Code::Xchg_r32_EAX => Rule::ExchangeEax,
        M::Call | M::Jmp if is_far_pointer(info.memory_size()) => Rule::Far,
        M::Push | M::Pop | M::Enter | M::Leave | M::Pushf | M::Popf if is_word => Rule::Word,
        // Refused before any form is looked at; a list of forms must not show them.
        M::Call | M::Jmp | M::Bswap if is_word => Rule::Never,
        M::Fldenv | M::Fnstenv | M::Fstenv | M::Fnsave | M::Fsave | M::Frstor if is_word => Rule::Never,
        _ => Rule::None,
    }
}

fn is_far_pointer(size: MemorySize) -> bool {
    matches!(
        size,
        MemorySize::SegPtr16 | MemorySize::SegPtr32 | MemorySize::SegPtr64
    )
}

/// The names of returns whose width nothing but their name says: iced has one for all.
const RETURNS: [(&str, [Code; 2]); 3] = [
    ("retw", [Code::Retnw, Code::Retnw_imm16]),
    ("retfw", [Code::Retfw, Code::Retfw_imm16]),
    ("retfq", [Code::Retfq, Code::Retfq_imm16]),
];

fn name_of(mnemonic: Mnemonic) -> String {
    format!("{mnemonic:?}").to_ascii_lowercase()
}

fn is_usable(code: Code, info: &OpCodeInfo) -> bool {
    info.is_instruction()
        && info.mode64()
        && info.encoding() != EncodingKind::MVEX
        && !info.is_reserved_nop()
        // Knights Corner's VEX codes are shorter than the real ones and fault everywhere else.
        && !(info.encoding() == EncodingKind::VEX && format!("{code:?}").starts_with("VEX_KNC_"))
        && !info.op_kinds().iter().any(|kind| is_foreign(*kind))
}

/// Far branches to an address in the code, and near ones whose 16-bit or 32-bit target AMD and Intel read differently.
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

/// What a written mnemonic stands for.
#[derive(Debug, Clone, Copy)]
pub(in crate::asm) struct Spelling {
    /// The name under which iced knows it.
    pub(in crate::asm) name: &'static str,
    /// The forms, at least one.
    pub(in crate::asm) forms: &'static [Form],
    /// An immediate that the spelling implies.
    pub(in crate::asm) implied: Option<u8>,
}

/// The usable forms by iced's name, in iced's order.
static FORMS: LazyLock<BTreeMap<String, Vec<Form>>> = LazyLock::new(|| {
    let sorts: Vec<Sorts> = Kind::values().map(fit::sorts).collect();
    let mut forms = vec![Vec::new(); Mnemonic::values().len()];
    let is_named_apart = |code: &Code| RETURNS.iter().any(|(_, codes)| codes.contains(code));
    let usable = Code::values().filter(|code| is_usable(*code, code.op_code()));
    for code in usable.filter(|code| !is_named_apart(code)) {
        forms[code.mnemonic() as usize].push(Form::new(code, &sorts));
    }
    let returns = RETURNS.map(|(name, codes)| {
        let forms = codes.map(|code| Form::new(code, &sorts));
        (name.to_owned(), forms.to_vec())
    });
    let named = Mnemonic::values().map(name_of).zip(forms);
    let named = named.filter(|(_, forms)| !forms.is_empty());
    named.chain(returns).collect()
});

static SPELLINGS: LazyLock<HashMap<String, Spelling, FixedState>> = LazyLock::new(|| {
    let spelling = |(name, implied)| Spelling {
        name,
        forms: of(name),
        implied,
    };
    spellings(&FORMS)
        .into_iter()
        .map(|(written, meaning)| (written, spelling(meaning)))
        .collect()
});

/// What a mnemonic in lower case stands for, if there is such a mnemonic.
pub(in crate::asm) fn find(written: &str) -> Option<&'static Spelling> {
    SPELLINGS.get(written)
}

/// The forms of a name that iced knows; none where it does not.
pub(in crate::asm) fn of(name: &str) -> &'static [Form] {
    FORMS.get(name).map_or(&[], Vec::as_slice)
}

/// All mnemonics that stand for themselves, in the order of their letters.
pub(in crate::asm) fn mnemonics() -> impl Iterator<Item = &'static str> {
    FORMS
        .keys()
        .map(String::as_str)
        .filter(|name| find(name).is_some_and(|spelling| spelling.name == *name))
}
