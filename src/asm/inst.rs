//! Parsed statements, the same for every syntax.
//!
//! Correct means: a statement says what was written and where, and nothing that was not: no size is
//! filled in, no operand moved.

use std::borrow::Cow;

use iced_x86::{Register, RoundingControl};

use super::problem::Span;
use super::source::Syntax;

/// What a line, or a part of one, asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement<'a> {
    /// `name:` or `.name:`.
    Label(&'a str, Span),
    /// `1:`.
    NumericLabel(u32),
    /// An instruction.
    Inst(Inst<'a>),
    /// `db`, `dw`, `dd` or `dq`, and what GNU as calls them.
    Data(Vec<Datum<'a>>),
    /// `align N` and its kin.
    Align(Padding),
    /// `resb`, `resw`, `resd` or `resq`: so many zero bytes.
    Reserve(u64, Span),
    /// `.zero N`, `.skip N, FILL`: a byte so many times.
    Fill(u8, u64),
    /// `.set NAME, VALUE`, `NAME equ VALUE`, `NAME = VALUE`.
    Set(&'a str, i128),
    /// The same with an address: a second name of it, and where the name stands.
    Alias(&'a str, Span, Target<'a>),
    /// `extern NAME`: the linker's.
    Extern(Vec<&'a str>),
    /// `.text`, `.section .rodata`: whether what follows is code.
    Place(Place),
    /// `.intel_syntax` or `.att_syntax`.
    Syntax(Syntax),
    /// `.rept N` or `%rep N`.
    Repeat(u64, Span),
    /// `.endr` or `%endrep`.
    EndRepeat(Span),
    /// `times N` in front of an instruction or data.
    Times(Box<Times<'a>>),
}

/// What fills up to a multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Padding {
    /// The multiple, a power of two.
    pub(super) to: u32,
    /// The byte that fills; none where it is code's own padding, or zeros in data.
    pub(super) fill: Option<u8>,
    /// More bytes than this are none at all.
    pub(super) most: u32,
}

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Among the code.
    Code,
    /// Behind all of it: tables and constants.
    Aside,
    /// Nowhere: notes and what a debugger reads.
    Nowhere,
}

/// A statement that is repeated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Times<'a> {
    /// How often.
    pub(super) count: u64,
    /// From `times` to the end.
    pub(super) span: Span,
    /// What.
    pub(super) what: Repeated<'a>,
}

/// What can be repeated.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Repeated<'a> {
    /// An instruction.
    Inst(Inst<'a>),
    /// Values of a data directive.
    Data(Vec<Datum<'a>>),
}

/// One value of a data directive.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum<'a> {
    /// Bytes as they stand.
    Bytes(Vec<u8>),
    /// An address, 4 or 8 bytes wide.
    Address(Target<'a>, u32),
    /// How far the first is from the second, in so many bytes.
    Distance(Box<(Target<'a>, Target<'a>)>, u32),
}

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inst<'a> {
    /// Lower case, as written otherwise.
    pub(super) mnemonic: Cow<'a, str>,
    /// Where the mnemonic stands.
    pub(super) span: Span,
    /// `lock`, `rep` and the like.
    pub(super) prefixes: Vec<(Prefix, Span)>,
    /// Operands in Intel order, at most five.
    pub(super) operands: Vec<Operand<'a>>,
    /// `short` or `near` before a branch target.
    pub(super) reach: Option<Reach>,
    /// What stands in braces.
    pub(super) decor: Decor,
    /// Which of several encodings was asked for.
    pub(super) form: Asked,
}

/// What a line asks of its encoding beside what the instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asked {
    /// `{vex}`, `{evex}` and the like.
    pub(super) encoding: Option<Encoding>,
    /// Bits of the displacement: 8 or 32.
    pub(super) displacement: Option<u32>,
    /// Whether an address without registers has 32 bits.
    pub(super) is_half: bool,
    /// Whether it is written in AT&T syntax, for what is said of it.
    pub(super) is_att: bool,
    /// Bytes of the whole instruction, as a listing's addresses tell.
    pub(super) length: Option<u8>,
}

/// A word in braces in front of the mnemonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `{vex}` or `{vex2}`.
    Vex,
    /// `{vex3}`.
    Vex3,
    /// `{evex}`.
    Evex,
    /// `{load}`: the form whose destination is the register field.
    Load,
    /// `{store}`: the other one.
    Store,
}

/// AVX-512 decorations of an instruction; broadcasts belong to their memory operand.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Decor {
    /// `{k1}`.
    pub(super) mask: Option<Register>,
    /// Where `{z}` stands.
    pub(super) zeroing: Option<Span>,
    /// `{rn-sae}`.
    pub(super) rounding: Option<RoundingControl>,
    /// `{sae}`.
    pub(super) exact: bool,
    /// Where the first of them stands.
    pub(super) span: Option<Span>,
}

impl Decor {
    /// Whether it says how to round, or that nothing is reported.
    pub(super) fn is_rounded(&self) -> bool {
        self.rounding.is_some() || self.exact
    }
}

/// A prefix that is written as a word before the mnemonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    /// `lock`.
    Lock,
    /// `rep`, `repe` or `repz`: one byte value.
    Rep,
    /// `repne` or `repnz`.
    Repne,
    /// `notrack`.
    Notrack,
    /// `bnd`.
    Bnd,
    /// `fs` or `gs` in front of an instruction without memory: this byte, which does nothing.
    Segment(u8),
    /// `data16`, `addr32`, `cs` or `rex.W` where nothing else asks for it: this byte.
    Raw(u8),
    /// NASM's `o32`: no byte, and only where nothing is of another width.
    Operands32,
    /// NASM's `o64`: REX.W where no operand says the width.
    Operands64,
    /// NASM's `a64`: no byte, and only where no address is of another width.
    Addresses64,
}

impl Prefix {
    /// The prefixes by name.
    pub(super) fn from_word(word: &str) -> Option<Prefix> {
        Some(match word {
            "lock" => Prefix::Lock,
            "rep" | "repe" | "repz" => Prefix::Rep,
            "repne" | "repnz" => Prefix::Repne,
            "notrack" => Prefix::Notrack,
            "bnd" => Prefix::Bnd,
            // Hints of a transaction, which processors no longer take.
            "xacquire" => Prefix::Raw(0xf2),
            "xrelease" => Prefix::Raw(0xf3),
            "data16" | "data32" | "o16" | "osp" => Prefix::Raw(0x66),
            "addr32" | "a32" | "asp" => Prefix::Raw(0x67),
            "es" => Prefix::Raw(0x26),
            "cs" => Prefix::Raw(0x2e),
            "ss" => Prefix::Raw(0x36),
            "ds" => Prefix::Raw(0x3e),
            "fs" => Prefix::Segment(0x64),
            "gs" => Prefix::Segment(0x65),
            "rex64" => Prefix::Raw(0x48),
            "o32" => Prefix::Operands32,
            "o64" => Prefix::Operands64,
            "a64" => Prefix::Addresses64,
            _ => return Prefix::rex(word),
        })
    }

    /// The byte that it is by itself.
    pub(super) fn byte(self) -> Option<u8> {
        Some(match self {
            Prefix::Lock => 0xf0,
            Prefix::Rep => 0xf3,
            Prefix::Repne | Prefix::Bnd => 0xf2,
            Prefix::Notrack => 0x3e,
            Prefix::Segment(byte) | Prefix::Raw(byte) => byte,
            Prefix::Operands64 => 0x48,
            Prefix::Operands32 | Prefix::Addresses64 => return None,
        })
    }

    /// `rex`, `rex.W`, `rex.WRXB` and what lies between.
    fn rex(word: &str) -> Option<Prefix> {
        let rest = word.strip_prefix("rex")?;
        let bits = match rest.strip_prefix('.') {
            None if rest.is_empty() => "",
            bits => bits?,
        };
        let bit = |c| Some(8 >> "wrxb".find(c)?);
        let rex = bits
            .chars()
            .try_fold(0x40u8, |rex, c| Some(rex | bit(c)?))?;
        Some(Prefix::Raw(rex))
    }
}

/// How far a branch must be able to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// 8-bit distance.
    Short,
    /// 32-bit distance.
    Near,
    /// Into another segment, whose selector stands in memory behind the address.
    Far,
}

/// One operand and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand<'a> {
    /// What it is.
    pub(super) kind: OperandKind<'a>,
    /// All of it, with size word and brackets.
    pub(super) span: Span,
}

/// What an operand is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum OperandKind<'a> {
    /// A register.
    Register(Register),
    /// A constant, from -2^63 to 2^64 - 1.
    Immediate {
        /// Its value.
        value: i128,
        /// Width of the field, where a size word demands one.
        bits: Option<u32>,
    },
    /// A memory operand.
    Memory(Mem<'a>),
    /// A label or symbol outside brackets.
    Target(Target<'a>),
}

/// A memory operand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mem<'a> {
    /// Bits, where a size word says so.
    pub(super) bits: Option<u32>,
    /// Segment override.
    pub(super) segment: Option<Register>,
    /// Base register; RIP for an explicit `rip`.
    pub(super) base: Option<Register>,
    /// Index register, a vector register for gathers.
    pub(super) index: Option<Register>,
    /// Whether the index is none, `riz` or `eiz`, and its register stands for that.
    pub(super) has_no_index: bool,
    /// 1, 2, 4 or 8.
    pub(super) scale: u32,
    /// Constant part; counts from a target's address where there is one.
    pub(super) displacement: i128,
    /// Label or symbol: the operand is addressed from the instruction pointer.
    pub(super) target: Option<Target<'a>>,
    /// Whether one element goes to all.
    pub(super) broadcast: Option<Broadcast>,
    /// Whether a constant part was written, be it 0.
    pub(super) is_displaced: bool,
}

/// How often an element is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broadcast {
    /// n of `{1ton}`.
    Times(u32),
    /// `DWORD BCST`: as often as the vector has room.
    Full,
}

/// A label or symbol, with what is added to its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// What it names.
    pub(super) name: Name<'a>,
    /// Added to the address.
    pub(super) addend: i64,
    /// Where the name stands.
    pub(super) span: Span,
}

/// What a target names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// A bare word: a label.
    Label(&'a str),
    /// A bare word where the text says that it is a symbol, as in `foo[rip]`: a label if there is
    /// one, else the linker's.
    Open(&'a str),
    /// An address of a listing's column, with what the listing calls it: a symbol, and a number that
    /// is added.
    Address(Box<(u64, Option<(&'a str, i64)>)>),
    /// `.` or `$`: this instruction.
    Here,
    /// `$$`: the beginning.
    Start,
    /// `1f` or `1b`.
    Numeric(u32, Direction),
    /// In double quotes: a symbol, known to the linker only.
    Symbol(Cow<'a, str>),
}

impl Name<'_> {
    /// A bare word.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Name::Label(word) | Name::Open(word) => Some(word),
            _ => None,
        }
    }
}

/// What the linker calls for a name: one image has no table of functions between a call and them, as `f@PLT` asks for.
pub(super) fn without_table(name: &str) -> &str {
    name.strip_suffix("@PLT").unwrap_or(name)
}

/// The number of MASM's labels without a name: `@@`, which `@F` and `@B` look for.
pub(super) const ANONYMOUS: u32 = u32::MAX;

/// Which way to look for a numeric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// The next one.
    Forward,
    /// The last one, or the one on this line.
    Backward,
}

impl Inst<'_> {
    /// From the mnemonic to the last operand.
    pub(super) fn whole(&self) -> Span {
        self.operands
            .last()
            .map_or(self.span, |last| self.span.to(last.span))
    }

    /// Whether it is what compilers fill up with: `nop` with a displacement of 0 that it does not need. Theirs
    /// have every 66 in front of a segment, and four bytes of displacement behind one.
    pub(super) fn is_padding(&self) -> bool {
        let is_stretched = |mem: &Mem<'_>| mem.is_displaced && mem.displacement == 0;
        self.mnemonic == "nop"
            && matches!(&self.operands[..], [Operand { kind: OperandKind::Memory(mem), .. }] if is_stretched(mem))
    }

    /// The operands, or the mnemonic where there are none.
    pub(super) fn operand_span(&self) -> Span {
        match (self.operands.first(), self.operands.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => self.span,
        }
    }
}

impl<'a> OperandKind<'a> {
    /// The label or symbol in it.
    pub(super) fn target(&self) -> Option<&Target<'a>> {
        match self {
            OperandKind::Target(target) => Some(target),
            OperandKind::Memory(mem) => mem.target.as_ref(),
            OperandKind::Register(_) | OperandKind::Immediate { .. } => None,
        }
    }

    /// The register that it is.
    pub(super) fn register(&self) -> Option<Register> {
        match self {
            OperandKind::Register(register) => Some(*register),
            _ => None,
        }
    }
}
