//! The instructions of the parameter `work`, half in front of the body and half behind it.
//!
//! Correct means: the halves are as many as the row says and change no value that harness or body
//! reads, the baseline has them too, and
//! - independent ones wait for nothing that body or receiver compute, and nothing waits for them;
//! - of dependent ones each waits for the one before, the body for the first half, and the second
//!   half for the result.

use dynasmrt::{DynasmApi, dynasm};

use super::{Assembler, bytes_of, register_name};
use crate::job::JobRow;
use crate::link::Variant;
use crate::template::ResultRegister;

/// The number of the register that may be written: r11, or r10 where r11 holds the result. Neither
/// has a receiver, g, or harness state in it, in any harness state.
fn scratch(row: &JobRow) -> u8 {
    match row.results.iter().any(|result| result.number == 11) {
        true => 10,
        false => 11,
    }
}

/// Emits the first half.
pub(super) fn in_front(ops: &mut Assembler, row: &JobRow) {
    const RAX: u8 = 0;
    emit(
        ops,
        row,
        row.settings.work.in_front(!row.results.is_empty()),
        RAX,
    );
}

/// Emits the second half. Without a body no one writes the result, and a chain through it could go
/// on from iteration to iteration; there it goes through rax, which every iteration loads.
pub(super) fn behind(ops: &mut Assembler, row: &JobRow, variant: Variant) {
    let through = match (variant, row.results.first()) {
        (Variant::Body | Variant::Delayed(_), Some(result)) => result.number,
        _ => 0,
    };
    emit(
        ops,
        row,
        row.settings.work.behind(!row.results.is_empty()),
        through,
    );
}

fn emit(ops: &mut Assembler, row: &JobRow, count: u32, through: u8) {
    if count == 0 {
        return;
    }
    let scratch = scratch(row);
    if row.settings.work.is_dependent {
        chain(ops, count, through, scratch);
    } else {
        crowd(ops, count, scratch);
    }
}

/// Additions that each start anew from `rsp`, which is known long before: the body leaves it as it
/// was. Adding a register to itself would wait for the addition before.
fn crowd(ops: &mut Assembler, count: u32, scratch: u8) {
    for _ in 0..count {
        match scratch {
            10 => dynasm!(ops; .arch x64; lea r10, [BYTE rsp + 8]),
            _ => dynasm!(ops; .arch x64; lea r11, [BYTE rsp + 8]),
        }
    }
}

/// Additions of a register that is zero, behind the instruction that zeroes it. Cores that add
/// small constants while they rename registers (Golden Cove) cannot take these out of the chain.
fn chain(ops: &mut Assembler, count: u32, through: u8, scratch: u8) {
    let name = |number| register_name(ResultRegister { number, bits: 64 });
    let zero = match scratch {
        10 => "xor r10d, r10d",
        _ => "xor r11d, r11d",
    };
    ops.extend(&*bytes_of(zero));
    let addition = bytes_of(&format!("add {}, {}", name(through), name(scratch)));
    for _ in 0..count {
        ops.extend(&*addition);
    }
}

#[cfg(test)]
mod tests;
