//! The loop around a body, and the runtime stubs a body may call, emitted at an address.
//!
//! Correct means: the entry keeps what the System V ABI lets a caller expect (rbx, rbp, r12 to
//! r15, rsp, DF, MXCSR), an iteration is exactly the instructions that docs/method.md lists, and
//! the body begins with the registers that docs/templates.md promises.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};

pub(super) mod registers;
mod stubs;
mod work;

pub(super) use stubs::SIGPANIC;

use super::frame::{self, context, state};
use super::{Owner, Piece, Site, Variant};
use crate::asm;
use crate::asm::SectionKind;
use crate::job::JobRow;
use crate::template::{Clobbers, FACTORS, PAIRS, ResultRegister};

/// Emitted harness code with the addresses the linker needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Harness {
    /// Address of the first byte.
    pub base: u64,
    /// The code, setup and body bytes included.
    pub code: Vec<u8>,
    /// Address to enter.
    pub entry: u64,
    /// Address that saves what the body left, behind the loop.
    pub done: u64,
    /// Addresses of the setup section.
    pub setup: Range<u64>,
    /// Address of the first instruction of an iteration.
    pub loop_head: u64,
    /// Address of the jump back.
    pub loop_branch: u64,
    /// Address behind it.
    pub loop_end: u64,
    /// Addresses of the body.
    pub body: Range<u64>,
    /// Leaves the loop from anywhere.
    pub escape: u64,
    /// Runtime stubs by name.
    pub stubs: Vec<(&'static str, Range<u64>)>,
    /// Address behind the last byte.
    pub end: u64,
    /// All stretches, ascending.
    pub pieces: Vec<Piece>,
}

/// Emits the harness of a row so that its loop head stands where the placement says.
pub fn emit(row: &JobRow, site: Site) -> Harness {
    // The code in front of the loop has one length whatever its address, so a first emission
    // tells how far to move the second, and whether the jump back can be short.
    const SHORT_REACH: u64 = 128;
    let trial = emit_at(row, site, 0, false);
    let distance = (trial.loop_head - site.code) as u32;
    let loop_head = row.settings.align.unwrap_or(site.placement.loop_head);
    let lead = (loop_head + 64 - distance % 64) % 64;
    let is_short = trial.loop_end - trial.loop_head <= SHORT_REACH;
    emit_at(row, site, lead, is_short)
}

/// Bytes of the jump from the end of the setup to behind the loop.
const JUMP_BYTES: usize = 5;

type Assembler = VecAssembler<X64Relocation>;

fn here(ops: &Assembler, site: Site) -> u64 {
    site.code + ops.offset().0 as u64
}

fn section_bytes(row: &JobRow, variant: Variant, kind: SectionKind) -> &[u8] {
    super::sections_of(row, variant)
        .find(|s| s.kind == kind)
        .map_or(&[], |s| &s.bytes)
}

/// Bytes in front of a loop whose state is in memory, and of one that has it in registers: as many as its
/// entry took when it stood there. The entry stands behind the loop, where its length moves nothing; where
/// the loop stands in its *page* matters too (up to 8 % on Zen 4, `place in the page` in docs/method.md), so
/// it stays where it was.
const FRONT_BYTES: [usize; 2] = [105, 115];

fn emit_at(row: &JobRow, site: Site, lead: u32, is_short: bool) -> Harness {
    let mut ops = Assembler::new(site.code as usize);
    let loop_label = ops.new_dynamic_label();
    let done = ops.new_dynamic_label();
    let leave = ops.new_dynamic_label();
    let after_body = ops.new_dynamic_label();

    let front = FRONT_BYTES[usize::from(row.clobbers == Clobbers::Some)];
    let before_setup = front - JUMP_BYTES;
    ops.extend(std::iter::repeat_n(&0xcc_u8, lead as usize + before_setup));
    let setup_start = here(&ops, site);
    ops.extend(section_bytes(row, site.variant, SectionKind::Setup));
    let setup = setup_start..here(&ops, site);
    dynasm!(ops; .arch x64; jmp =>done; =>loop_label);
    let loop_head = here(&ops, site);
    load_receiver(&mut ops, row, site);
    work::in_front(&mut ops, row);
    let body_start = here(&ops, site);
    if site.variant != Variant::Baseline {
        for copy in 0..row.unroll {
            if copy > 0 {
                keep_receiver(&mut ops, row);
            }
            ops.extend(section_bytes(row, site.variant, SectionKind::Body));
        }
    }
    let body = body_start..here(&ops, site);
    dynasm!(ops; .arch x64; =>after_body);
    let is_delayed = matches!(site.variant, Variant::Delayed(_));
    if is_delayed {
        cover(&mut ops);
    }
    work::behind(&mut ops, row, site.variant);
    add_results(&mut ops, row, site.variant);
    if is_delayed {
        fence(&mut ops);
    }
    count_down(&mut ops, row);
    let loop_branch = here(&ops, site);
    if is_short {
        dynasm!(ops; .arch x64; jne BYTE =>loop_label);
    } else {
        dynasm!(ops; .arch x64; jne =>loop_label);
    }
    let loop_end = here(&ops, site);
    dynasm!(ops; .arch x64; =>done);
    let done = here(&ops, site);
    note_end(&mut ops, row, site);
    registers::save(&mut ops, row, site.variant);
    dynasm!(ops; .arch x64; =>leave);
    let escape = here(&ops, site);
    restore_caller(&mut ops, site);
    let entry = here(&ops, site);
    save_caller(&mut ops, site);
    registers::load(&mut ops, row, site.variant);
    let stubs = emit_stubs(&mut ops, row, site);
    unwind(&mut ops, row, leave, after_body);

    let end = here(&ops, site);
    let code = match ops.finalize() {
        Ok(code) => code,
        Err(error) => unreachable!("the harness has only local labels, all bound: {error}"),
    };
    let mut harness = Harness {
        base: site.code,
        code,
        entry,
        done,
        setup,
        loop_head,
        loop_branch,
        loop_end,
        body,
        escape,
        stubs,
        end,
        pieces: Vec::new(),
    };
    harness.pieces = pieces(row, &harness);
    harness
}

/// Where each copy of the body stands. Between two of them stands what puts the receiver back.
pub(super) fn copies(row: &JobRow, body: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
    const MOVE_BYTES: u64 = 3;
    let (unroll, start) = (u64::from(row.unroll), body.start);
    let between = MOVE_BYTES * row.kept.len() as u64;
    let size = (body.end - start).saturating_sub(between * (unroll - 1)) / unroll;
    (0..unroll).map(move |copy| {
        let start = start + copy * (size + between);
        start..start + size
    })
}

/// Cuts the harness's addresses into stretches of one owner each.
fn pieces(row: &JobRow, harness: &Harness) -> Vec<Piece> {
    let index = |kind| {
        row.program
            .sections
            .iter()
            .position(|section| section.kind == kind)
    };
    let mut inner: Vec<Piece> = Vec::new();
    if let Some(setup) = index(SectionKind::Setup) {
        inner.push(Piece {
            addresses: harness.setup.clone(),
            owner: Owner::Section(setup),
        });
    }
    if let Some(body) = index(SectionKind::Body) {
        for addresses in copies(row, &harness.body) {
            inner.push(Piece {
                addresses,
                owner: Owner::Section(body),
            });
        }
    }
    for (name, addresses) in &harness.stubs {
        inner.push(Piece {
            addresses: addresses.clone(),
            owner: Owner::Stub((*name).to_string()),
        });
    }
    inner.retain(|piece| !piece.addresses.is_empty());
    inner.sort_by_key(|piece| piece.addresses.start);
    let mut pieces = Vec::new();
    // In front of the setup lies only the padding that puts the loop head into place.
    let mut at = harness.setup.start;
    for piece in inner {
        if at < piece.addresses.start {
            pieces.push(Piece {
                addresses: at..piece.addresses.start,
                owner: Owner::Harness,
            });
        }
        at = piece.addresses.end;
        pieces.push(piece);
    }
    if at < harness.end {
        pieces.push(Piece {
            addresses: at..harness.end,
            owner: Owner::Harness,
        });
    }
    pieces
}

fn save_caller(ops: &mut Assembler, site: Site) {
    dynasm!(ops
        ; .arch x64
        ; push rbx
        ; push rbp
        ; push r12
        ; push r13
        ; push r14
        ; push r15
        ; mov rdi, QWORD site.data as i64
        ; mov [rdi + context::SAVED_RSP as i32], rsp
        ; stmxcsr [rdi + context::ENTRY_MXCSR as i32]
        ; mov rsp, [rdi + context::STACK as i32]
        ; mov rdi, [rdi + context::FRAME_0 as i32]
    );
}

/// Lets nothing behind it begin before all in front of it has ended: at the end of an iteration whose delay
/// must not be hidden by the next one.
fn fence(ops: &mut Assembler) {
    dynasm!(ops; .arch x64; lfence);
}

/// Work behind the body that waits for nothing, and takes longer than a dispatch branch that waits for its
/// delay. A predicted branch lets the core reach it at once, so that the delay is hidden; behind a
/// mispredicted one it begins only when the delay is over. No register is free here.
fn cover(ops: &mut Assembler) {
    const LINKS: usize = 32;
    let spill = state::SPILL;
    let link = "crc32 r11, r11\n".repeat(LINKS);
    ops.extend(&*bytes_of(&format!(
        "mov [rsp + {spill}], r11\nmov r11d, 1\n{link}mov r11, [rsp + {spill}]"
    )));
}

/// Bytes of a walk element: the words the harness loads, or the number of the receiver that has them.
pub fn element_bytes(row: &JobRow) -> u64 {
    if !row.has_walk() {
        0
    } else if row.heap.indexed {
        8
    } else {
        receiver_bytes(row) as u64 * u64::from(row.settings.element.receivers())
    }
}

/// Bytes of one receiver in an element.
fn receiver_bytes(row: &JobRow) -> i32 {
    8 * row.words() as i32
}

fn load_receiver(ops: &mut Assembler, row: &JobRow, site: Site) {
    let element = element_bytes(row) as i32;
    if element == 0 {
        keep_receiver(ops, row);
        return;
    }
    let two_words = row.words() == 2;
    let batch = row.settings.element.batch;
    if row.settings.recover {
        dynasm!(ops
            ; .arch x64
            ; mov rax, QWORD site.data as i64
            ; mov [rax + context::BODY_RSP as i32], rsp
        );
    }
    match row.clobbers {
        Clobbers::Some if batch > 0 => {
            ops.extend(&*bytes_of(&format!(
                "mov rax, r12\nmov ebx, {batch}\nadd r12, {element}"
            )));
        }
        Clobbers::Some => {
            dynasm!(ops; .arch x64; mov rax, [r12]);
            if two_words {
                dynasm!(ops; .arch x64; mov rbx, [r12 + 8]);
            }
            load_further(ops, row, "r12");
            ops.extend(&*bytes_of(&format!("add r12, {element}")));
        }
        Clobbers::All if batch > 0 => {
            ops.extend(&*bytes_of(&format!(
                "mov rax, [rsp + {cursor}]\nmov ebx, {batch}\nadd qword [rsp + {cursor}], {step}\nmov r14, [rsp + {g}]",
                cursor = state::CURSOR,
                step = 4 * element,
                g = state::G,
            )));
        }
        Clobbers::All => {
            // Only the registers that a receiver comes in are free: what the body left in the others is its own.
            dynasm!(ops; .arch x64; mov rax, [rsp + state::CURSOR]);
            load_further(ops, row, "rax");
            if row.heap.indexed {
                let shift = if two_words { 4 } else { 3 };
                dynasm!(ops; .arch x64; mov rax, [rax]; shl rax, shift; add rax, [rsp + state::ARRAY]);
            }
            if two_words {
                dynasm!(ops; .arch x64; mov rbx, [rax + 8]; mov rax, [rax]);
            } else {
                // The form with a displacement is a byte longer and makes the part in front of the
                // body 32 bytes: a call right at the body's start would otherwise cross a 32-byte
                // line at placement 0, which cores with the JCC erratum punish, and which Go's
                // assembler never emits. The same holds for the long form of the addition.
                dynasm!(ops; .arch x64; mov rax, [BYTE rax + 0]);
            }
            dynasm!(ops
                ; .arch x64
                ; add QWORD [rsp + state::CURSOR], DWORD 4 * element
                ; mov r14, [rsp + state::G]
            );
        }
    }
}

/// Puts the one receiver of a row without a walk where the body wants it, from the registers that keep it.
fn keep_receiver(ops: &mut Assembler, row: &JobRow) {
    for kept in &row.kept {
        let [from, to] = [kept.from, kept.to].map(|number| {
            let register = ResultRegister { number, bits: 64 };
            register_name(register)
        });
        ops.extend(&*bytes_of(&format!("mov {to}, {from}")));
    }
}

/// Loads the receivers behind the first one: that of the second walk, or those of the elements that come next.
fn load_further(ops: &mut Assembler, row: &JobRow, cursor: &str) {
    let element = row.settings.element;
    for further in 1..element.walks + element.ahead {
        let pair = PAIRS[further as usize];
        for (word, &number) in (0..).zip(&pair[..row.words()]) {
            let name = register_name(ResultRegister { number, bits: 64 });
            let offset = further as i32 * receiver_bytes(row) + 8 * word;
            ops.extend(&*bytes_of(&format!("mov {name}, [{cursor} + {offset}]")));
        }
    }
}

/// Names of the general-purpose registers by number: 64, 32, 16 and 8 bits.
#[rustfmt::skip] // a table: one register a line
const REGISTERS: [[&str; 4]; 16] = [
    ["rax", "eax",  "ax",   "al"],
    ["rcx", "ecx",  "cx",   "cl"],
    ["rdx", "edx",  "dx",   "dl"],
    ["rbx", "ebx",  "bx",   "bl"],
    ["rsp", "esp",  "sp",   "spl"],
    ["rbp", "ebp",  "bp",   "bpl"],
    ["rsi", "esi",  "si",   "sil"],
    ["rdi", "edi",  "di",   "dil"],
    ["r8",  "r8d",  "r8w",  "r8b"],
    ["r9",  "r9d",  "r9w",  "r9b"],
    ["r10", "r10d", "r10w", "r10b"],
    ["r11", "r11d", "r11w", "r11b"],
    ["r12", "r12d", "r12w", "r12b"],
    ["r13", "r13d", "r13w", "r13b"],
    ["r14", "r14d", "r14w", "r14b"],
    ["r15", "r15d", "r15w", "r15b"],
];

/// A register's name at its width.
pub fn register_name(register: ResultRegister) -> &'static str {
    let column = match register.bits {
        64 => 0,
        32 => 1,
        16 => 2,
        _ => 3,
    };
    REGISTERS[usize::from(register.number & 15)][column]
}

/// Makes what this process needs to assemble: milliseconds, which nobody has to wait for later.
pub fn warm_up() {
    bytes_of("nop");
}

/// Bytes of a few instructions whose registers are known only at run time. The run-time assembler
/// chooses the short encodings that dynasm's dynamic registers would not.
fn bytes_of(text: &str) -> Rc<[u8]> {
    thread_local! {
        /// Each image of each row has the same few, and is emitted four times until all addresses are known.
        static ASSEMBLED: RefCell<HashMap<String, Rc<[u8]>>> = RefCell::default();
    }
    ASSEMBLED.with_borrow_mut(|assembled| {
        if let Some(bytes) = assembled.get(text) {
            return bytes.clone();
        }
        let bytes: Rc<[u8]> = match asm::fragment(text) {
            Ok(section) => section.bytes.into(),
            Err(diagnostics) => {
                unreachable!("the harness writes only what assembles: {diagnostics:?}")
            }
        };
        assembled.insert(text.into(), bytes.clone());
        bytes
    })
}

/// Adds the results to the sum, each times a factor of its own. One in rax comes first: the others may go through it.
fn add_results(ops: &mut Assembler, row: &JobRow, variant: Variant) {
    const RAX: u8 = 0;
    let results = FACTORS.into_iter().zip(row.results.iter().copied());
    let mut results: Vec<(u32, ResultRegister)> = results.collect();
    results.sort_by_key(|(_, result)| result.number != RAX);
    for (factor, result) in results {
        ops.extend(&*bytes_of(&addition(row, variant, result, factor)));
    }
}

/// The instructions that add one result times a factor. Without a walk no register may be written, so
/// that dependency chains run through: then the sum is added to in memory, or through a spilled register.
fn addition(row: &JobRow, variant: Variant, result: ResultRegister, factor: u32) -> String {
    let name = register_name(result);
    let sum = match row.clobbers {
        Clobbers::Some => "r13".to_string(),
        Clobbers::All => format!("qword [rsp + {}]", state::SUM),
    };
    // The body wrote the register; the baseline has no body, and there any register will do.
    let name = if variant == Variant::Baseline && row.has_walk() && result.bits == 64 {
        "rax"
    } else {
        name
    };
    // A register of the harness, by its number of 64 bits and of 32, with the result in it.
    let widened = |wide: &str, narrow: &str| {
        let moved = match result.bits {
            64 => format!("mov {wide}, {name}"),
            32 => format!("mov {narrow}, {name}"),
            _ => format!("movzx {narrow}, {name}"),
        };
        match factor {
            1 => moved,
            _ => format!("{moved}\nimul {wide}, {wide}, {factor}"),
        }
    };
    match (result.bits, row.has_walk(), row.clobbers) {
        (64, _, _) if factor == 1 => format!("add {sum}, {name}"),
        (_, false, Clobbers::Some) => {
            format!("{}\nadd r13, r12", widened("r12", "r12d"))
        }
        (32, false, Clobbers::All) if factor == 1 => {
            format!(
                "add dword [rsp + {}], {name}\nadc dword [rsp + {}], 0",
                state::SUM,
                state::SUM + 4
            )
        }
        (_, false, Clobbers::All) => format!(
            "mov [rsp + {spill}], rax\n{}\nadd {sum}, rax\nmov rax, [rsp + {spill}]",
            widened("rax", "eax"),
            spill = state::SPILL
        ),
        _ => format!("{}\nadd {sum}, rax", widened("rax", "eax")),
    }
}

fn count_down(ops: &mut Assembler, row: &JobRow) {
    match (row.clobbers, row.has_walk()) {
        (Clobbers::Some, _) => dynasm!(ops; .arch x64; dec r15),
        (Clobbers::All, false) => {
            dynasm!(ops; .arch x64; dec QWORD [rsp + state::COUNT]);
            next_frame(ops);
        }
        (Clobbers::All, _) => {
            dynasm!(ops
                ; .arch x64
                ; mov rax, [rsp + state::END]
                ; cmp rax, [rsp + state::CURSOR]
            );
            next_frame(ops);
        }
    }
}

/// Moves `rsp` to the next of the four frames and leaves ZF alone: `lea` writes no flags, and
/// `btr` writes only CF and leaves ZF as it was (Intel SDM vol. 2, BTR).
fn next_frame(ops: &mut Assembler) {
    dynasm!(ops
        ; .arch x64
        ; lea rsp, [BYTE rsp + frame::FRAME_STEP as i8]
        ; btr rsp, BYTE frame::WRAP_BIT
    );
}

/// Says that the loop ran to its end, and where its stack pointer stands. Leaves `rdi` in the frame's spill
/// slot and the context's address in its place.
fn note_end(ops: &mut Assembler, row: &JobRow, site: Site) {
    dynasm!(ops
        ; .arch x64
        ; mov [rsp + state::SPILL], rdi
        ; mov rdi, QWORD site.data as i64
        ; mov QWORD [rdi + context::COMPLETE as i32], 1
        ; mov [rdi + context::EXIT_RSP as i32], rsp
    );
    if row.clobbers == Clobbers::Some {
        dynasm!(ops; .arch x64; mov [rdi + context::SUM as i32], r13);
    }
}

/// Returns to the worker with its registers, flags and MXCSR. The trap flag survives, because
/// `pushfq` saw it.
fn restore_caller(ops: &mut Assembler, site: Site) {
    // AC and DF, the two flags that would disturb the caller.
    const DISTURBING: i32 = (1 << 18) | (1 << 10);
    dynasm!(ops
        ; .arch x64
        ; mov rdi, QWORD site.data as i64
        ; stmxcsr [rdi + context::EXIT_MXCSR as i32]
        ; ldmxcsr [rdi + context::ENTRY_MXCSR as i32]
        ; mov rsp, [rdi + context::SAVED_RSP as i32]
        ; pushfq
        ; mov rax, [rsp]
        ; mov [rdi + context::EXIT_FLAGS as i32], rax
        ; and DWORD [rsp], !DISTURBING
        ; popfq
        ; pop r15
        ; pop r14
        ; pop r13
        ; pop r12
        ; pop rbp
        ; pop rbx
        ; ret
    );
}

/// The names of the runtime functions that end an iteration.
pub fn stub_names() -> impl Iterator<Item = &'static str> {
    stubs::Stub::ALL.iter().map(|stub| stub.name)
}

/// The runtime functions that end an iteration. Each notes where it was called from and what
/// happened, then leaves through the unwinder; Go's own code for it is longer. Those that only some
/// templates call are there only for them.
fn emit_stubs(ops: &mut Assembler, row: &JobRow, site: Site) -> Vec<(&'static str, Range<u64>)> {
    use stubs::Stub;
    let fixups = row.program.sections.iter().flat_map(|one| &one.fixups);
    let named: HashSet<&str> = fixups
        .map(|fixup| fixup.symbol.as_str())
        .filter(|symbol| symbol.starts_with("runtime."))
        .collect();
    let mut emitted = Vec::new();
    for stub in Stub::ALL {
        let is_named = named.contains(stub.name);
        let is_led_to = stub.name == stubs::SIGPANIC && row.answers_nil();
        if is_named || stub.is_always_there || is_led_to {
            let start = here(ops, site);
            stub.arguments(ops, row, site, is_named);
            dynasm!(ops
                ; .arch x64
                ; mov rdi, QWORD site.data as i64
                ; mov rax, [rsp]
                ; mov [rdi + context::PANIC_PC as i32], rax
                ; mov DWORD [rdi + context::PANIC_KIND as i32], stub.kind as i32
                ; jmp >unwinder
            );
            emitted.push((stub.name, start..here(ops, site)));
        }
    }
    emitted
}

/// Where panics go: back to the loop with a marker as the result, or out.
fn unwind(
    ops: &mut Assembler,
    row: &JobRow,
    leave: dynasmrt::DynamicLabel,
    after_body: dynasmrt::DynamicLabel,
) {
    dynasm!(ops; .arch x64; unwinder:);
    if !row.settings.recover {
        dynasm!(ops; .arch x64; jmp =>leave);
        return;
    }
    dynasm!(ops
        ; .arch x64
        ; inc QWORD [rdi + context::PANICS as i32]
        ; mov rsp, [rdi + context::BODY_RSP as i32]
    );
    for (result, marker) in row.results.iter().zip([frame::RECOVERED, 0, 0, 0]) {
        let name = register_name(ResultRegister {
            bits: 64,
            ..*result
        });
        ops.extend(&*bytes_of(&format!("mov {name}, {marker:#x}")));
    }
    dynasm!(ops; .arch x64; jmp =>after_body);
}
