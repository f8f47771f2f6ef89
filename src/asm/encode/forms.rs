//! Every way to write an instruction, by mnemonic.
//!
//! Correct means: a form is listed if and only if 64-bit code can use it and this assembler can
//! write all its operands; a mnemonic's forms keep the order of iced's table; and the table says
//! of each what iced says of it, which a test compares in full.
//!
//! iced builds its own table of encodings when it is first asked, all texts included: eight
//! milliseconds, where a hundred lines take a tenth of one. Of ours, a mnemonic's lines are
//! read when it is first met.

use std::sync::OnceLock;

use iced_x86::{Code, OpCodeInfo, OpCodeOperandKind as Kind};

use super::fit::{self, Sorts};
use super::table;
use crate::asm::names::hash;

/// One encoding of one mnemonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) struct Form {
    /// iced's number for it.
    code: u16,
    /// Bits of its memory operand; 0 where it has none or any size will do.
    pub(in crate::asm) memory_bits: u16,
    /// Bits of an element that it broadcasts; 0 where it cannot.
    pub(in crate::asm) element_bits: u16,
    /// Which spellings and operands it is for.
    pub(in crate::asm) rule: Rule,
    /// What it can carry.
    traits: u16,
    /// The sorts of operands that may fit, side by side.
    pub(in crate::asm) sorts: Sorts,
    /// How it is put together, where that is simple.
    pub(in crate::asm) plan: Option<Plan>,
    kinds: [Kind; MOST],
    written: [Kind; MOST],
    /// How many operands it has, and how many of them are written.
    counts: (u8, u8),
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
    /// Nothing helps: it is the 16-bit form of something whose operand has no width.
    Never,
}

impl Rule {
    /// All, in the order of their numbers in the table.
    pub(in crate::asm) const ALL: [Rule; 7] = [
        Rule::None,
        Rule::Mov,
        Rule::WideMov,
        Rule::OffsetMov,
        Rule::ExchangeEax,
        Rule::Word,
        Rule::Never,
    ];
}

/// What a form can carry, as bits.
#[rustfmt::skip] // a table: one bit a line
pub(in crate::asm) mod traits {
    pub(in crate::asm) const LOCK:       u16 = 1;
    pub(in crate::asm) const REP:        u16 = 1 << 1;
    pub(in crate::asm) const REPNE:      u16 = 1 << 2;
    pub(in crate::asm) const NOTRACK:    u16 = 1 << 3;
    pub(in crate::asm) const BND:        u16 = 1 << 4;
    /// A mask register, and whether there must be one.
    pub(in crate::asm) const MASK:       u16 = 1 << 5;
    pub(in crate::asm) const NEEDS_MASK: u16 = 1 << 6;
    pub(in crate::asm) const ZEROING:    u16 = 1 << 7;
    pub(in crate::asm) const ROUNDING:   u16 = 1 << 8;
    pub(in crate::asm) const EXACT:      u16 = 1 << 9;
    /// It needs AVX-512.
    pub(in crate::asm) const EVEX:       u16 = 1 << 10;
    /// It came after the form of AVX-512 that says the same.
    pub(in crate::asm) const LATE:       u16 = 1 << 11;
}

/// The fixed bytes of an encoding: a prefix, REX.W, an opcode, and `reg` of its ModRM byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::asm) struct Plan {
    /// 66, F2 or F3; 0 for none.
    pub(in crate::asm) prefix: u8,
    /// Whether REX.W is set.
    pub(in crate::asm) is_wide: bool,
    pub(in crate::asm) opcode: [u8; 3],
    pub(in crate::asm) length: u8,
    /// What stands in `reg` where no register does.
    pub(in crate::asm) digit: u8,
}

impl Plan {
    /// The opcode's bytes.
    pub(in crate::asm) fn opcode(&self) -> &[u8] {
        &self.opcode[..usize::from(self.length)]
    }
}

/// A row of the table.
pub(in crate::asm) fn form(
    code: u16,
    kinds: &[Kind],
    (memory_bits, element_bits): (u16, u16),
    rule: Rule,
    traits: u16,
    plan: Option<Plan>,
) -> Form {
    let mut form = Form {
        code,
        memory_bits,
        element_bits,
        rule,
        traits,
        sorts: 0,
        plan,
        kinds: [Kind::None; MOST],
        written: [Kind::None; MOST],
        counts: (kinds.len() as u8, 0),
    };
    form.kinds[..kinds.len()].copy_from_slice(kinds);
    let mut written = 0;
    for kind in kinds.iter().copied() {
        if form.is_written(kind) {
            form.written[written] = kind;
            form.sorts |= fit::beside(fit::sorts(kind), written);
            written += 1;
        }
    }
    form.sorts |= fit::counted(written);
    form.counts.1 = written as u8;
    form
}

impl Form {
    /// iced's name for it.
    pub(in crate::asm) fn code(&self) -> Code {
        Code::try_from(usize::from(self.code)).expect("the table has iced's numbers")
    }

    /// Whether it has one of these traits.
    pub(in crate::asm) fn has(&self, traits: u16) -> bool {
        self.traits & traits != 0
    }

    /// All that iced knows about it. The first question costs milliseconds: for refusals.
    fn info(&self) -> &'static OpCodeInfo {
        self.code().op_code()
    }

    /// The operands in order, with whether they are written.
    pub(in crate::asm) fn operands(&self) -> impl Iterator<Item = (u32, Kind, bool)> + '_ {
        (0u32..)
            .zip(self.kinds[..usize::from(self.counts.0)].iter().copied())
            .map(|(at, kind)| (at, kind, self.is_written(kind)))
    }

    /// The operands that are written.
    pub(in crate::asm) fn written(&self) -> &[Kind] {
        &self.written[..usize::from(self.counts.1)]
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

    /// Whether it branches to a label.
    pub(in crate::asm) fn branches(&self) -> bool {
        let is_near = |kind: &Kind| matches!(kind, Kind::br64_1 | Kind::br64_4);
        self.written().iter().any(is_near)
    }

    /// `movsq` takes its addresses, and `stosq` its value too, from fixed registers.
    fn is_written(&self, kind: Kind) -> bool {
        match kind {
            Kind::seg_rSI | Kind::es_rDI | Kind::seg_rDI | Kind::seg_rBX_al => false,
            Kind::al | Kind::ax | Kind::eax | Kind::rax | Kind::dx => !self.is_string(),
            _ => true,
        }
    }

    /// Whether it is a string instruction, whose operands nobody writes.
    pub(in crate::asm) fn is_string(&self) -> bool {
        let is_fixed = |kind: &Kind| matches!(kind, Kind::seg_rSI | Kind::es_rDI);
        self.kinds.iter().any(is_fixed)
    }

    /// The form as manuals print it, in lower case.
    pub(in crate::asm) fn text(&self) -> String {
        self.info().instruction_string().to_lowercase()
    }
}

/// What a written mnemonic stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::asm) struct Spelling {
    /// The mnemonic itself.
    pub(in crate::asm) written: &'static str,
    /// The name under which iced knows it.
    pub(in crate::asm) name: &'static str,
    /// The forms, at least one.
    pub(in crate::asm) forms: Vec<Form>,
    /// An immediate that the spelling implies.
    pub(in crate::asm) implied: Option<u8>,
}

/// What a mnemonic in lower case stands for, if there is such a mnemonic.
pub(in crate::asm) fn find(written: &str) -> Option<&'static Spelling> {
    /// A power of two, more than there are spellings.
    const SLOTS: usize = 4096;
    static KNOWN: [OnceLock<Spelling>; SLOTS] = [const { OnceLock::new() }; SLOTS];
    let start = hash(written.as_bytes()) as usize;
    let slots = (start..start + SLOTS).map(|slot| &KNOWN[slot % SLOTS]);
    for slot in slots {
        let known = match slot.get() {
            Some(known) => known,
            None => {
                let spelling = table::spelling(written)?;
                slot.get_or_init(|| spelling)
            }
        };
        if known.written == written {
            return Some(known);
        }
    }
    None
}

/// The forms of a name that iced knows; none where it does not.
pub(in crate::asm) fn of(name: &str) -> &'static [Form] {
    find(name).map_or(&[], |spelling| &spelling.forms)
}

/// All mnemonics that stand for themselves.
pub(in crate::asm) fn mnemonics() -> impl Iterator<Item = &'static str> {
    table::mnemonics()
        .filter(|(written, name)| written == name)
        .map(|(_, name)| name)
}
