//! The machine code of one function as lines of a template.
//!
//! Correct means: assembled, the lines give the file's bytes, outside the fields that name something
//! else, and those name what the file's field leads to. What the assembler would encode in another way is
//! asked for by a hint, and where there is none it stands as bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

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

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.offset {
            0 => write!(f, "\"{}\"", self.section),
            offset => write!(f, "\"{}\"{offset:+#x}", self.section),
        }
    }
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
    /// An instruction, the first, names an address that is nothing's, the second.
    Nowhere(u64, u64),
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
            Refusal::Nowhere(at, to) => {
                write!(f, "names {to:#x} at {at:#x}, where the file has nothing")
            }
            Refusal::NoSize => f.write_str("has no size in the file"),
        }
    }
}

/// What the code of a function leads to inside it, beside its branches.
#[derive(Debug, Clone, Default)]
pub(super) struct Inside {
    /// Instructions whose addresses stand in a table elsewhere.
    pub(super) labels: BTreeSet<u64>,
    /// Tables of distances from themselves to instructions, by address: they stand behind the code.
    pub(super) tables: BTreeMap<u64, Vec<u64>>,
    /// The function's number among those of the template: its labels are no other's.
    pub(super) number: usize,
}

impl Inside {
    /// The label of an instruction so far into the function.
    pub(super) fn label(&self, offset: u64) -> String {
        match self.number {
            0 => format!("L{offset:x}"),
            number => format!("L{number}_{offset:x}"),
        }
    }

    fn table(&self, address: u64) -> String {
        format!("T{}_{address:x}", self.number)
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
    /// Short jumps to other functions, which are long ones here.
    pub(super) widened: usize,
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
    /// Whether it names a table behind the code.
    names_table: bool,
    /// Whether it is a short jump to another function.
    is_widened: bool,
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
    /// Bytes that it takes here.
    fn size(&self) -> usize {
        match (self.is_widened, self.bytes.first()) {
            (true, Some(0xeb)) => 5,
            (true, _) => 6,
            (false, _) => self.bytes.len(),
        }
    }

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
    inside: &Inside,
    target: &dyn Fn(u64) -> Option<Target>,
) -> Result<Lines, Refusal> {
    let end = code.address + code.bytes.len() as u64;
    let instructions: Vec<Instruction> = decoded(code).collect();
    let starts: BTreeSet<u64> = instructions.iter().map(Instruction::ip).collect();
    let is_inside = |address: u64| starts.contains(&address) || address == end;
    let of_tables = inside.tables.values().flatten();
    let known = inside.labels.iter().chain(of_tables).copied();
    let mut labels: BTreeSet<u64> = known.filter(|address| is_inside(*address)).collect();
    let mut targets = Vec::with_capacity(instructions.len());
    let mut moves_g = false;
    let loads_g = loads_g(&instructions);
    for (instruction, loads_g) in instructions.iter().zip(&loads_g) {
        moves_g |= check(instruction, *loads_g)?;
        targets.push(match named(instruction) {
            Some((address, _)) if is_inside(address) => {
                labels.insert(address);
                None
            }
            Some((address, _)) if inside.tables.contains_key(&address) => None,
            Some((address, _)) => {
                let unknown = || Refusal::Nowhere(instruction.ip(), address);
                Some(target(address).ok_or_else(unknown)?)
            }
            None => None,
        });
    }
    let label = |address: u64| inside.label(address.wrapping_sub(code.address));
    let name = |address: u64| {
        if labels.contains(&address) {
            return Some(label(address));
        }
        if inside.tables.contains_key(&address) {
            return Some(inside.table(address));
        }
        target(address).map(|target| target.to_string())
    };
    let listed = asm::disassemble(code.bytes, code.address, &name);
    let mut all: Vec<Line<'_>> = listed
        .into_iter()
        .zip(&instructions)
        .zip(targets.iter().zip(&loads_g))
        .map(|((one, instruction), (target, loads_g))| {
            let named = named(instruction);
            let is_short = instruction.is_jmp_short() || instruction.is_jcc_short();
            Line {
                address: one.address,
                plain: as_gs(&one.text),
                bytes: bytes_as_gs(one.bytes, instruction, *loads_g),
                variant: 0,
                target: target.as_ref(),
                is_widened: is_short && target.is_some(),
                is_branch: named.is_some_and(|(_, branches)| branches),
                names_table: named.is_some_and(|(to, _)| inside.tables.contains_key(&to)),
            }
        })
        .collect();
    let page = Page {
        labels: &labels,
        label: &label,
        end,
        tables: tables(inside, &label),
    };
    settle(&mut all, &page)?;
    let text = page.render(&all).0;
    Ok(Lines {
        as_bytes: all.iter().filter(|line| line.text().is_none()).count(),
        count: all.len(),
        text,
        moves_g,
        widened: all.iter().filter(|line| line.is_widened).count(),
    })
}

/// The tables that stand behind the code.
fn tables(inside: &Inside, label: &dyn Fn(u64) -> String) -> String {
    let mut text = String::new();
    for (address, targets) in &inside.tables {
        let table = inside.table(*address);
        let _ = writeln!(text, "        align 4\n{table}:");
        for target in targets {
            let _ = writeln!(text, "        dd   {} - {table}", label(*target));
        }
    }
    text
}

/// Goes from one way to write a line to the next until all lines give their bytes.
fn settle(all: &mut [Line<'_>], page: &Page<'_>) -> Result<(), Refusal> {
    /// Each line has fewer ways to be written.
    const MOST_ROUNDS: usize = 12;
    for _ in 0..MOST_ROUNDS {
        let (text, rows) = page.render(all);
        let wrong = match assembled(&text) {
            Err(lines) => {
                let own = lines.into_iter().filter_map(|line| rows.get(line).copied());
                own.flatten().collect()
            }
            Ok(section) => differing(all, &section, &rows),
        };
        if wrong.is_empty() {
            return Ok(());
        }
        for at in wrong {
            let line = &mut all[at];
            line.variant += 1;
            let is_bound = line.target.is_some() || line.is_branch || line.names_table;
            if line.text().is_none() && is_bound {
                return Err(Refusal::Encoding(line.plain.clone()));
            }
        }
    }
    Err(Refusal::Encoding("a line".into()))
}

/// What stands between the lines.
struct Page<'a> {
    labels: &'a BTreeSet<u64>,
    label: &'a dyn Fn(u64) -> String,
    end: u64,
    tables: String,
}

impl Page<'_> {
    /// The text, and which instruction each of its lines is.
    fn render(&self, all: &[Line<'_>]) -> (String, Vec<Option<usize>>) {
        let mut text = String::new();
        let mut rows = Vec::new();
        for (at, line) in all.iter().enumerate() {
            if self.labels.contains(&line.address) {
                let _ = writeln!(text, "{}:", (self.label)(line.address));
                rows.push(None);
            }
            let _ = writeln!(text, "        {}", line.written());
            rows.push(Some(at));
        }
        if self.labels.contains(&self.end) {
            let _ = writeln!(text, "{}:", (self.label)(self.end));
        }
        text.push_str(&self.tables);
        (text, rows)
    }
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
    let mut lengths = vec![None; all.len()];
    let moved = all.iter().any(|line| line.is_widened);
    for (at, line) in all.iter().enumerate() {
        let start = starts[at];
        let next = starts[at + 1..].iter().flatten().next().copied();
        // Behind the last one tables may follow.
        let next = next.or_else(|| Some(start? + line.size()));
        let own = start.zip(next);
        let own = own.and_then(|(start, next)| section.bytes.get(start..next));
        lengths[at] = own.map(<[u8]>::len);
        if !own.is_some_and(|own| is_same(line, own, start.unwrap_or(0), section, moved)) {
            wrong.push(at);
        }
    }
    // How far a branch goes depends on how long all others are.
    let others = |is_such: &dyn Fn(usize) -> bool| -> Vec<usize> {
        wrong.iter().copied().filter(|at| is_such(*at)).collect()
    };
    let no_branches = others(&|at| !all[at].is_branch);
    let of_other_length = others(&|at| lengths[at] != Some(all[at].size()));
    match (no_branches.is_empty(), of_other_length.is_empty()) {
        (false, _) => no_branches,
        (true, false) => of_other_length,
        (true, true) => wrong,
    }
}

/// Whether assembled bytes are those of the line, and its field leads where the file's leads; `moved` says that
/// distances inside the function are not the file's.
fn is_same(line: &Line<'_>, own: &[u8], start: usize, section: &Section, moved: bool) -> bool {
    if own.len() != line.size() {
        return false;
    }
    let ends = start as u32..(start + own.len()) as u32;
    let fixup = section
        .fixups
        .iter()
        .find(|fixup| ends.contains(&fixup.offset));
    let Some(target) = line.target else {
        // How far a table behind the code is, depends on where it stands.
        let same = match (line.names_table, line.is_branch && moved) {
            (true, _) => own.len().saturating_sub(4),
            (_, true) => own.len().min(1),
            _ => own.len(),
        };
        return fixup.is_none() && own[..same] == line.bytes[..same];
    };
    let Some(fixup) = fixup.filter(|fixup| fixup.kind == FixupKind::Rel32) else {
        return false;
    };
    let at = (fixup.offset - ends.start) as usize;
    let leads = fixup.symbol == target.section && fixup.addend == target.offset;
    if line.is_widened {
        return leads;
    }
    leads && own[..at] == line.bytes[..at] && own[at + 4..] == line.bytes[at + 4..]
}

/// Whether an instruction has g in its thread's data; an error where it cannot run here.
fn check(instruction: &Instruction, loads_g: bool) -> Result<bool, Refusal> {
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
    if loads_g {
        return Ok(true);
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

/// Which instructions load g by way of a register, as position-independent code does behind a call of a function in the
/// other convention: `mov r14, -8` and `mov r14, fs:[r14]`.
fn loads_g(instructions: &[Instruction]) -> Vec<bool> {
    let mut before: Option<&Instruction> = None;
    let loads = |instruction| {
        let before = before.replace(instruction)?;
        let is_place = before.mnemonic() == Mnemonic::Mov
            && before.op0_kind() == OpKind::Register
            && before.try_immediate(1).ok() == Some(-8i64 as u64);
        let is_load = instruction.segment_prefix() == Register::FS
            && instruction.mnemonic() == Mnemonic::Mov
            && instruction.op1_kind() == OpKind::Memory
            && instruction.memory_base() == before.op0_register()
            && instruction.memory_index() == Register::None
            && instruction.memory_displacement64() == 0;
        (is_place && is_load).then_some(())
    };
    instructions
        .iter()
        .map(loads)
        .map(|one| one.is_some())
        .collect()
}

/// What has passed `check` and names `fs:` is g, but for the guard of C's stack.
fn as_gs(text: &str) -> String {
    match text.split_once("[fs:") {
        Some((before, place)) if !place.starts_with("0x28]") => format!("{before}[gs:{place}"),
        _ => text.to_string(),
    }
}

/// The bytes with g where it is here.
fn bytes_as_gs(mut bytes: Vec<u8>, instruction: &Instruction, loads_g: bool) -> Vec<u8> {
    if check(instruction, loads_g) == Ok(true)
        && let Some(prefix) = bytes.iter_mut().find(|byte| **byte == 0x64)
    {
        *prefix = 0x65;
    }
    bytes
}
