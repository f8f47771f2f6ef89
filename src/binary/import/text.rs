//! The machine code of one function as lines of a template.
//!
//! Correct means: assembled, the lines give the file's bytes, outside the fields that name something
//! else, and those name what the file's field leads to. What the assembler would encode in another way is
//! asked for by a hint, and where there is none it stands as bytes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};

use crate::asm::{self, FixupKind, Section, Syntax};

/// A function's code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code<'a> {
    /// Where it stands.
    pub(super) address: u64,
    /// All of it.
    pub(super) bytes: &'a [u8],
}

/// What stands at an address: a section of the template, and how far into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The section's name.
    pub(super) section: String,
    /// Bytes from its start.
    pub(super) offset: i64,
}

/// Why code cannot be written as lines of a template, or cannot run there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It makes system calls.
    SystemCall,
    /// It reads or writes what belongs to its thread.
    Thread,
    /// It holds bytes that begin no instruction.
    NoInstruction(u64),
    /// An instruction that names something has an encoding that no text asks for.
    Encoding(String),
    /// It needs more rights than a program has.
    Privileged(String),
    /// Nothing says where it ends.
    NoSize,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::SystemCall => {
                f.write_str("makes system calls, and none of generated code is carried out")
            }
            Refusal::Thread => {
                f.write_str("uses data of its thread, `fs:`, which is this tool's own here")
            }
            Refusal::NoInstruction(address) => {
                write!(f, "has bytes at {address:#x} that begin no instruction")
            }
            Refusal::Encoding(text) => {
                write!(f, "has `{text}` in an encoding that no text asks for")
            }
            Refusal::Privileged(text) => write!(f, "has `{text}`, which a program may not run"),
            Refusal::NoSize => f.write_str("has no size in the file"),
        }
    }
}

/// The lines of a function, without its opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// All of them, a line break behind each.
    pub(super) text: String,
    /// Instructions that stand as bytes.
    pub(super) as_bytes: usize,
    /// Instructions.
    pub(super) count: usize,
    /// Whether g's place is another one: `gs:` for `fs:`.
    pub(super) moves_g: bool,
}

/// What an instruction names outside itself: an address, and whether it goes there.
pub(super) fn named(instruction: &Instruction) -> Option<(u64, bool)> {
    if instruction.is_ip_rel_memory_operand() {
        return Some((instruction.ip_rel_memory_address(), false));
    }
    let mut kinds = instruction.op_kinds();
    kinds
        .any(|kind| kind == OpKind::NearBranch64)
        .then(|| (instruction.near_branch_target(), true))
}

/// The instructions of a function.
pub(super) fn decoded(code: Code<'_>) -> impl Iterator<Item = Instruction> {
    let mut decoder = Decoder::with_ip(64, code.bytes, code.address, DecoderOptions::NONE);
    std::iter::from_fn(move || decoder.can_decode().then(|| decoder.decode()))
}

/// One line in the making.
struct Line<'a> {
    address: u64,
    bytes: Vec<u8>,
    /// What the formatter says.
    plain: String,
    /// What is asked for in front of it, by number.
    variant: usize,
    target: Option<&'a Target>,
    is_branch: bool,
}

/// What can stand in front of an instruction to have another of its encodings; behind the last one
/// it stands as bytes.
const HINTS: [&str; 6] = [
    "",
    "{load} ",
    "{store} ",
    "{disp8} ",
    "{disp32} ",
    "{evex} ",
];

impl Line<'_> {
    fn text(&self) -> Option<String> {
        if self.is_branch && self.target.is_none() {
            // Branches inside the function: as they reach, or as far as they can.
            let (mnemonic, operand) = self.plain.split_once(' ').unwrap_or((&self.plain, ""));
            return match self.variant {
                0 => Some(self.plain.clone()),
                1 => Some(format!("{mnemonic} near {operand}")),
                _ => None,
            };
        }
        let hint = HINTS.get(self.variant)?;
        Some(format!("{hint}{}", self.plain))
    }

    fn written(&self) -> String {
        match self.text() {
            Some(text) => text,
            None => {
                let bytes: Vec<String> = self
                    .bytes
                    .iter()
                    .map(|byte| format!("{byte:#04x}"))
                    .collect();
                format!("db {:<40} ; {}", bytes.join(", "), self.plain)
            }
        }
    }
}

/// The lines of a function; `target` says what stands at an address outside.
///
/// # Errors
/// Why it cannot be written, or cannot run.
pub(super) fn lines(
    code: Code<'_>,
    target: &dyn Fn(u64) -> Option<Target>,
) -> Result<Lines, Refusal> {
    let ends = code.address..code.address + code.bytes.len() as u64;
    let instructions: Vec<Instruction> = decoded(code).collect();
    let starts: BTreeSet<u64> = instructions.iter().map(Instruction::ip).collect();
    let inside = |address: u64| starts.contains(&address) || address == ends.end;
    let mut labels = BTreeSet::new();
    let mut targets = Vec::with_capacity(instructions.len());
    let mut moves_g = false;
    for instruction in &instructions {
        moves_g |= check(instruction)?;
        let found = match named(instruction) {
            Some((address, _)) if inside(address) => {
                labels.insert(address);
                None
            }
            Some((address, _)) => {
                Some(target(address).ok_or_else(|| Refusal::Encoding(format!("{instruction}")))?)
            }
            None => None,
        };
        targets.push(found);
    }
    let label = |address: u64| format!("L{:x}", address - code.address);
    let name = |address: u64| match labels.contains(&address) && inside(address) {
        true => Some(label(address)),
        false => target(address).map(|target| match target.offset {
            0 => format!("\"{}\"", target.section),
            offset => format!("\"{}\"{offset:+#x}", target.section),
        }),
    };
    let listed = asm::disassemble(code.bytes, code.address, &name);
    let mut all: Vec<Line<'_>> = listed
        .into_iter()
        .zip(&instructions)
        .zip(&targets)
        .map(|((one, instruction), target)| Line {
            address: one.address,
            plain: as_gs(one.text),
            bytes: bytes_as_gs(one.bytes, instruction),
            variant: 0,
            target: target.as_ref(),
            is_branch: named(instruction).is_some_and(|(_, branches)| branches),
        })
        .collect();
    settle(&mut all, &labels, &label, ends.end)?;
    let text = render(&all, &labels, &label, ends.end).0;
    Ok(Lines {
        as_bytes: all.iter().filter(|line| line.text().is_none()).count(),
        count: all.len(),
        text,
        moves_g,
    })
}

/// Goes from one way to write a line to the next until all lines give their bytes.
fn settle(
    all: &mut [Line<'_>],
    labels: &BTreeSet<u64>,
    label: &dyn Fn(u64) -> String,
    end: u64,
) -> Result<(), Refusal> {
    /// Each line has fewer ways to be written.
    const MOST_ROUNDS: usize = 12;
    for _ in 0..MOST_ROUNDS {
        let (text, rows) = render(all, labels, label, end);
        let wrong = match assembled(&text) {
            Err(lines) => lines
                .into_iter()
                .filter_map(|line| rows.get(line).copied().flatten())
                .collect(),
            Ok(section) => differing(all, &section, &rows),
        };
        if wrong.is_empty() {
            return Ok(());
        }
        for at in wrong {
            all[at].variant += 1;
            if all[at].text().is_none() && (all[at].target.is_some() || all[at].is_branch) {
                return Err(Refusal::Encoding(all[at].plain.clone()));
            }
        }
    }
    Err(Refusal::Encoding("a line".into()))
}

/// The text, and which line of the function each of its lines is.
fn render(
    all: &[Line<'_>],
    labels: &BTreeSet<u64>,
    label: &dyn Fn(u64) -> String,
    end: u64,
) -> (String, Vec<Option<usize>>) {
    let mut text = String::new();
    let mut rows = Vec::new();
    for (at, line) in all.iter().enumerate() {
        if labels.contains(&line.address) {
            let _ = writeln!(text, "{}:", label(line.address));
            rows.push(None);
        }
        let _ = writeln!(text, "        {}", line.written());
        rows.push(Some(at));
    }
    if labels.contains(&end) {
        let _ = writeln!(text, "{}:", label(end));
        rows.push(None);
    }
    (text, rows)
}

/// The section that a text is, or the lines that are wrong, from 0.
fn assembled(text: &str) -> Result<Section, Vec<usize>> {
    let reading = asm::Reading {
        is_open: true,
        syntax: Syntax::Intel,
        ..asm::Reading::default()
    };
    asm::fragment_in(text, &reading).map_err(|all| {
        let mut lines: Vec<usize> = all
            .iter()
            .map(|one| (one.line as usize).saturating_sub(1))
            .collect();
        lines.dedup();
        lines
    })
}

/// The lines whose bytes are not the file's.
fn differing(all: &[Line<'_>], section: &Section, rows: &[Option<usize>]) -> Vec<usize> {
    let mut starts: Vec<Option<usize>> = vec![None; all.len()];
    for mark in &section.lines {
        if let Some(Some(at)) = rows.get(mark.line as usize - 1) {
            starts[*at].get_or_insert(mark.offset as usize);
        }
    }
    let mut wrong = Vec::new();
    for (at, line) in all.iter().enumerate() {
        let start = starts[at];
        let next = starts[at + 1..]
            .iter()
            .flatten()
            .next()
            .copied()
            .unwrap_or(section.bytes.len());
        let own = start.and_then(|start| section.bytes.get(start..next));
        if !own.is_some_and(|own| is_same(line, own, start.unwrap_or(0), section)) {
            wrong.push(at);
        }
    }
    // A branch may be as it is only because others are not yet.
    let others: Vec<usize> = wrong
        .iter()
        .copied()
        .filter(|at| !all[*at].is_branch)
        .collect();
    if others.is_empty() { wrong } else { others }
}

/// Whether assembled bytes are those of the line, and its field leads where the file's leads.
fn is_same(line: &Line<'_>, own: &[u8], start: usize, section: &Section) -> bool {
    if own.len() != line.bytes.len() {
        return false;
    }
    let ends = start as u32..(start + own.len()) as u32;
    let fixup = section
        .fixups
        .iter()
        .find(|fixup| ends.contains(&fixup.offset));
    let Some(target) = line.target else {
        return fixup.is_none() && own == line.bytes;
    };
    let Some(fixup) = fixup.filter(|fixup| fixup.kind == FixupKind::Rel32) else {
        return false;
    };
    let at = (fixup.offset - ends.start) as usize;
    fixup.symbol == target.section
        && fixup.addend == target.offset
        && own[..at] == line.bytes[..at]
        && own[at + 4..] == line.bytes[at + 4..]
}

/// Whether an instruction has g in its thread's data; an error where it cannot run here.
fn check(instruction: &Instruction) -> Result<bool, Refusal> {
    use iced_x86::Mnemonic as M;
    match instruction.mnemonic() {
        _ if instruction.is_invalid() => return Err(Refusal::NoInstruction(instruction.ip())),
        M::Syscall | M::Sysenter => return Err(Refusal::SystemCall),
        M::Int if instruction.immediate8() == 0x80 => return Err(Refusal::SystemCall),
        _ => {}
    }
    if instruction.is_privileged() {
        return Err(Refusal::Privileged(instruction.to_string()));
    }
    if instruction.segment_prefix() != Register::FS
        || !instruction.op_kinds().any(|kind| kind == OpKind::Memory)
    {
        return Ok(false);
    }
    let is_absolute =
        instruction.memory_base() == Register::None && instruction.memory_index() == Register::None;
    match instruction.memory_displacement64() {
        // g of Go's stack ABI.
        0xffff_ffff_ffff_fff8 if is_absolute => Ok(true),
        // The guard of C's stack.
        0x28 if is_absolute => Ok(false),
        _ => Err(Refusal::Thread),
    }
}

fn as_gs(text: String) -> String {
    text.replace("[fs:-0x8]", "[gs:-0x8]")
}

/// The bytes with g where it is here.
fn bytes_as_gs(mut bytes: Vec<u8>, instruction: &Instruction) -> Vec<u8> {
    if check(instruction) == Ok(true)
        && let Some(prefix) = bytes.iter_mut().find(|byte| **byte == 0x64)
    {
        *prefix = 0x65;
    }
    bytes
}
