//! What the body left in registers, loaded by the next entry and saved behind the loop, so that the loop
//! goes on as if it had never been left.
//!
//! Correct means: every register but those that the harness itself keeps state in, `rsp` and flags goes from
//! one entry to the next; the baseline, which has no body, begins with zeros and leaves what is carried alone.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

use super::{Assembler, bytes_of};
use crate::job::{Carried, JobRow};
use crate::link::Variant;
use crate::link::frame::{self, carried, state};
use crate::template::Clobbers;

/// General registers in the order of their numbers; `rsp` is the harness's.
#[rustfmt::skip] // a table
const GENERAL: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
];
const RSP: usize = 4;
/// The register that the address of frame 0 is in meanwhile; it comes last, or first.
const RDI: usize = 7;

/// The registers that carry the body's values: with the loop's state in registers those are the harness's.
fn carrying(row: &JobRow) -> impl Iterator<Item = usize> {
    let is_state = row.clobbers == Clobbers::Some;
    let is_harness = move |number| is_state && matches!(number, 12..=15);
    (0..16).filter(move |&number| number != RSP && number != RDI && !is_harness(number))
}

/// Loads everything and goes where the frame says. `rdi` holds the address of frame 0, `rsp` that of
/// the entry's first frame.
pub(super) fn load(ops: &mut Assembler, row: &JobRow, variant: Variant) {
    let is_baseline = variant == Variant::Baseline;
    if !is_baseline {
        beyond_general(ops, &row.carried, false);
    }
    // The flags that the first iteration finds are the same in each entry, whoever enters.
    dynasm!(ops; .arch x64; mov eax, 1; test eax, eax);
    for number in carrying(row) {
        let name = GENERAL[number];
        ops.extend(&*bytes_of(&match is_baseline {
            true => format!("mov {name}, 0"),
            false => format!("mov {name}, [rdi + {}]", at(number)),
        }));
    }
    if row.clobbers == Clobbers::Some {
        dynasm!(ops
            ; .arch x64
            ; mov r13d, 0
            ; mov r12, [rsp + state::CURSOR]
            ; mov r14, [rsp + state::G]
            ; mov r15, [rdi + frame::ITERATIONS]
        );
    }
    // Nothing of the loop begins before all in front of it has ended: a cold call is one iteration.
    dynasm!(ops; .arch x64; lfence);
    match is_baseline {
        true => dynasm!(ops; .arch x64; mov edi, 0),
        false => dynasm!(ops; .arch x64; mov rdi, [rdi + at(RDI)]),
    }
    dynasm!(ops; .arch x64; jmp QWORD [rsp + state::TARGET]);
}

/// Saves everything. `rdi` stands in the frame's spill slot, and the register is free.
pub(super) fn save(ops: &mut Assembler, row: &JobRow, variant: Variant) {
    if variant == Variant::Baseline {
        return;
    }
    dynasm!(ops; .arch x64; mov rdi, [rdi + frame::context::FRAME_0 as i32]);
    for number in carrying(row) {
        let name = GENERAL[number];
        ops.extend(&*bytes_of(&format!("mov [rdi + {}], {name}", at(number))));
    }
    dynasm!(ops; .arch x64; mov rax, [rsp + state::SPILL]; mov [rdi + at(RDI)], rax);
    beyond_general(ops, &row.carried, true);
}

fn at(number: usize) -> i32 {
    carried::REGISTERS + 8 * number as i32
}

/// Moves vector, mask and x87 registers. A CPU that has not what the code names faults in that code, if it
/// ever runs there, and not here.
pub(in crate::link) fn beyond_general(ops: &mut Assembler, row: &Carried, is_save: bool) {
    const FIRST_16: u32 = 0xffff;
    let moved = |instruction: &str, register: &str, number: u32, place: i32| match is_save {
        true => format!("{instruction} [rdi + {place}], {register}{number}\n"),
        false => format!("{instruction} {register}{number}, [rdi + {place}]\n"),
    };
    let vectors = |instruction: &str, register: &str, bits: u32| -> String {
        let place = |number: u32| carried::VECTORS + 64 * number as i32;
        Carried::numbers(bits)
            .map(|number| moved(instruction, register, number, place(number)))
            .collect()
    };
    let masks = || -> String {
        let place = |number: u32| carried::MASKS + 8 * number as i32;
        Carried::numbers(u32::from(row.masks))
            .map(|number| moved("kmovq", "k", number, place(number)))
            .collect()
    };
    let is_widest = row.width > 32 || row.vectors > FIRST_16 || row.masks != 0;
    let widths = [
        (64, "zmm", is_widest),
        (32, "ymm", is_widest || row.width > 16),
    ];
    for (needed, register, _) in widths.into_iter().filter(|(.., is_named)| *is_named) {
        dynasm!(ops; .arch x64; cmp QWORD [rdi + carried::WIDEST], needed; jb >narrow);
        let lines = match needed {
            64 => vectors("vmovups", register, row.vectors) + &masks(),
            _ => vectors("vmovups", register, row.vectors & FIRST_16),
        };
        ops.extend(&*bytes_of(&lines));
        if is_save {
            // What runs next has the old encodings, which are slow while upper halves are in use.
            ops.extend(&*bytes_of("vzeroupper"));
        }
        dynasm!(ops; .arch x64; jmp >moved; narrow:);
    }
    ops.extend(&*bytes_of(&vectors(
        "movups",
        "xmm",
        row.vectors & FIRST_16,
    )));
    dynasm!(ops; .arch x64; moved:);
    if row.x87 {
        match is_save {
            true => dynasm!(ops; .arch x64; fnsave [rdi + carried::X87]),
            false => dynasm!(ops; .arch x64; frstor [rdi + carried::X87]),
        }
    }
}
