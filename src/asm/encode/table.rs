//! Every form, spelling and register of iced's tables that a template can name, as the texts in
//! `table/` have them.
//!
//! Correct means: those texts are what `generate.rs` makes of iced's tables, which its tests
//! compare. A mnemonic's lines are read when it is first met. As Rust, the same table takes the
//! compiler half a minute.

use std::cmp::Ordering;

use iced_x86::OpCodeOperandKind as K;

use super::fit::Sorts;
use super::forms::{Form, Plan, Rule, Spelling, form};

/// iced's numbers of the registers that 64-bit code can name, in the order of their letters.
pub(in crate::asm) static REGISTERS: [u16; REGISTER_NAMES.len()] = registers();

/// Their letters.
pub(in crate::asm) const REGISTER_NAMES: [&str; count_lines(REGISTER_LINES)] =
    names(REGISTER_LINES);

const KIND_LINES: &str = include_str!("table/kinds.txt");
const FORM_LINES: &str = include_str!("table/forms.txt");
const SPELLING_LINES: &str = include_str!("table/spellings.txt");
const REGISTER_LINES: &str = include_str!("table/registers.txt");

/// The sorts of operands that each kind takes.
static KIND_SORTS: [Sorts; KINDS.len()] = {
    let mut words = Words::new(KIND_LINES);
    let mut sorts = [0; KINDS.len()];
    let mut at = 0;
    while at < sorts.len() {
        sorts[at] = words.number() as Sorts;
        words.end_line();
        at += 1;
    }
    sorts
};

/// The sorts of operands that a kind takes.
pub(in crate::asm) fn kind_sorts(kind: K) -> Sorts {
    KIND_SORTS[kind as usize]
}

/// The row of a mnemonic: iced's name, the immediate that it implies, and its forms.
pub(in crate::asm) fn spelling(written: &str) -> Option<Spelling> {
    let mut words = Words::new(line_of(SPELLING_LINES, written)?);
    let (written, name) = (words.word(), words.word());
    let (start, count) = (words.number(), words.number());
    let implied = (!words.is_absent()).then(|| words.number() as u8);
    let lines = FORM_LINES[start..].lines().take(count);
    Some(Spelling {
        written,
        name,
        implied,
        forms: lines.map(read_form).collect(),
    })
}

/// Mnemonics and iced's names for them, in the order of their letters.
pub(in crate::asm) fn mnemonics() -> impl Iterator<Item = (&'static str, &'static str)> {
    SPELLING_LINES.lines().map(|line| {
        let mut words = Words::new(line);
        (words.word(), words.word())
    })
}

/// The line that begins with `word`, of lines in the order of their first words.
fn line_of(lines: &'static str, word: &str) -> Option<&'static str> {
    let bytes = lines.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let before = bytes[low..middle].iter().rposition(|byte| *byte == b'\n');
        let start = before.map_or(low, |at| low + at + 1);
        let length = bytes[start..].iter().position(|byte| *byte == b'\n')?;
        let line = &lines[start..start + length];
        let (first, _) = line.split_once(' ')?;
        match first.cmp(word) {
            Ordering::Less => low = start + length + 1,
            Ordering::Equal => return Some(line),
            Ordering::Greater => high = start,
        }
    }
    None
}

fn read_form(line: &'static str) -> Form {
    let mut words = Words::new(line);
    let code = words.number() as u16;
    let bits = (words.number() as u16, words.number() as u16);
    let rule = Rule::ALL[words.number()];
    let traits = words.number() as u16;
    let plan = words.plan();
    let mut kinds = [K::None; 5];
    let mut count = 0;
    while !words.is_at_comment() {
        kinds[count] = KINDS[words.number()];
        count += 1;
    }
    form(code, &kinds[..count], bits, rule, traits, plan)
}

const fn registers() -> [u16; REGISTER_NAMES.len()] {
    let mut words = Words::new(REGISTER_LINES);
    let mut registers = [0; REGISTER_NAMES.len()];
    let mut at = 0;
    while at < registers.len() {
        words.word();
        registers[at] = words.number() as u16;
        words.end_line();
        at += 1;
    }
    registers
}

/// The first word of each line.
const fn names<const LINES: usize>(text: &'static str) -> [&'static str; LINES] {
    let mut words = Words::new(text);
    let mut names = [""; LINES];
    let mut at = 0;
    while at < LINES {
        names[at] = words.word();
        words.end_line();
        at += 1;
    }
    names
}

const fn count_lines(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            count += 1;
        }
        at += 1;
    }
    count
}

/// A text of words with a blank between them, in lines.
struct Words {
    text: &'static str,
    at: usize,
}

impl Words {
    const fn new(text: &'static str) -> Words {
        Words { text, at: 0 }
    }

    const fn byte(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    /// The next word, and past the blank behind it.
    const fn word(&mut self) -> &'static str {
        let start = self.at;
        while self.at < self.text.len() && self.byte() > b' ' {
            self.at += 1;
        }
        let word = self.text.split_at(self.at).0.split_at(start).1;
        if self.at < self.text.len() && self.byte() == b' ' {
            self.at += 1;
        }
        word
    }

    /// The next word as a hexadecimal number.
    const fn number(&mut self) -> usize {
        let digits = self.word().as_bytes();
        let (mut at, mut number) = (0, 0);
        while at < digits.len() {
            let digit = match digits[at] {
                decimal @ b'0'..=b'9' => decimal - b'0',
                letter => letter - b'a' + 10,
            };
            number = number * 16 + digit as usize;
            at += 1;
        }
        number
    }

    /// Whether there is no number, past the word that says so.
    fn is_absent(&mut self) -> bool {
        let is_absent = self.text.as_bytes().get(self.at) == Some(&b'-');
        if is_absent {
            self.word();
        }
        is_absent
    }

    /// Four words: prefix, REX.W, `reg`, opcode.
    fn plan(&mut self) -> Option<Plan> {
        if self.is_absent() {
            let _ = (self.word(), self.word(), self.word());
            return None;
        }
        let (prefix, wide, digit) = (self.number(), self.number(), self.number());
        let length = {
            let start = self.at;
            self.word();
            let length = (self.at - start) / 2;
            self.at = start;
            length
        };
        let opcode = self.number();
        let mut bytes = [0; 3];
        let mut at = 0;
        while at < length {
            bytes[at] = (opcode >> (8 * (length - 1 - at))) as u8;
            at += 1;
        }
        Some(Plan {
            prefix: prefix as u8,
            is_wide: wide == 1,
            opcode: bytes,
            length: length as u8,
            digit: digit as u8,
        })
    }

    fn is_at_comment(&self) -> bool {
        self.at >= self.text.len() || self.byte() == b';'
    }

    const fn end_line(&mut self) {
        while self.byte() != b'\n' {
            self.at += 1;
        }
        self.at += 1;
    }
}

/// The kinds of operands by iced's number.
#[rustfmt::skip]
pub(in crate::asm) const KINDS: [K; 109] = [
    K::None, K::farbr2_2, K::farbr4_2, K::mem_offs, K::mem, K::mem_mpx, K::mem_mib,
    K::mem_vsib32x, K::mem_vsib64x, K::mem_vsib32y, K::mem_vsib64y, K::mem_vsib32z,
    K::mem_vsib64z, K::r8_or_mem, K::r16_or_mem, K::r32_or_mem, K::r32_or_mem_mpx,
    K::r64_or_mem, K::r64_or_mem_mpx, K::mm_or_mem, K::xmm_or_mem, K::ymm_or_mem, K::zmm_or_mem,
    K::bnd_or_mem_mpx, K::k_or_mem, K::r8_reg, K::r8_opcode, K::r16_reg, K::r16_reg_mem,
    K::r16_rm, K::r16_opcode, K::r32_reg, K::r32_reg_mem, K::r32_rm, K::r32_opcode, K::r32_vvvv,
    K::r64_reg, K::r64_reg_mem, K::r64_rm, K::r64_opcode, K::r64_vvvv, K::seg_reg, K::k_reg,
    K::kp1_reg, K::k_rm, K::k_vvvv, K::mm_reg, K::mm_rm, K::xmm_reg, K::xmm_rm, K::xmm_vvvv,
    K::xmmp3_vvvv, K::xmm_is4, K::xmm_is5, K::ymm_reg, K::ymm_rm, K::ymm_vvvv, K::ymm_is4,
    K::ymm_is5, K::zmm_reg, K::zmm_rm, K::zmm_vvvv, K::zmmp3_vvvv, K::cr_reg, K::dr_reg,
    K::tr_reg, K::bnd_reg, K::es, K::cs, K::ss, K::ds, K::fs, K::gs, K::al, K::cl, K::ax, K::dx,
    K::eax, K::rax, K::st0, K::sti_opcode, K::imm4_m2z, K::imm8, K::imm8_const_1, K::imm8sex16,
    K::imm8sex32, K::imm8sex64, K::imm16, K::imm32, K::imm32sex64, K::imm64, K::seg_rSI,
    K::es_rDI, K::seg_rDI, K::seg_rBX_al, K::br16_1, K::br32_1, K::br64_1, K::br16_2, K::br32_4,
    K::br64_4, K::xbegin_2, K::xbegin_4, K::brdisp_2, K::brdisp_4, K::sibmem, K::tmm_reg,
    K::tmm_rm, K::tmm_vvvv,
];
