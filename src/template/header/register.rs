//! Names of the registers that can hold a result.
//!
//! Correct means: every general register at every width but the stack pointer, and nothing else.

use crate::template::ResultRegister;

/// Those of 64 bits, in hardware order.
const WIDE: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// The name of a register with all its 64 bits; none of what has no such name.
pub(super) fn wide(name: &str) -> Option<&'static str> {
    WIDE.into_iter().find(|wide| *wide == name)
}

/// A general register by name, at any width.
///
/// # Errors
/// What to write instead.
pub(super) fn register(name: &str) -> Result<ResultRegister, String> {
    #[rustfmt::skip] // One width a row, in hardware order.
    const NAMES: [(u8, [&str; 16]); 4] = [
        (64, WIDE),
        (32, ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"]),
        (16, ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w"]),
        (8, ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"]),
    ];
    let lower = name.to_ascii_lowercase();
    let found = NAMES.iter().find_map(|(bits, names)| {
        let number = names.iter().position(|known| *known == lower)?;
        Some(ResultRegister {
            number: number as u8,
            bits: *bits,
        })
    });
    match found {
        Some(register) if register.number == 4 => {
            Err("the stack pointer belongs to the harness; move the result to eax".to_string())
        }
        Some(register) => Ok(register),
        None if ["ah", "bh", "ch", "dh"].contains(&lower.as_str()) => {
            Err("move the high byte to a register of its own".to_string())
        }
        None => Err("it is a general register such as eax, rax, r9d or cl".to_string()),
    }
}
