//! What an instruction does, made by hand.
//!
//! Correct means: operands have the values that the processor would read, and flags are those that it would leave.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;

/// Where the value of an operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// In a general register, by its number in encodings.
    Register(u8),
    /// In memory.
    Memory {
        /// A register, by its number.
        base: Option<u8>,
        /// A register and what it is multiplied by.
        index: Option<(u8, u8)>,
        /// What is added.
        displacement: u64,
    },
    /// In the instruction.
    Number(u64),
}

/// What the covered instruction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It calls the address that is there.
    Call(Operand),
    /// It jumps to it.
    Jump(Operand),
    /// It sets the flags by the difference of two values, of so many bytes.
    Compare(Operand, Operand, u8),
}

/// Registers of a thread that is stopped.
#[derive(Debug, Clone, Copy)]
pub struct Registers(pub(super) libc::user_regs_struct);

impl Registers {
    /// A general register, by its number in encodings: 0 is `rax`, 4 is `rsp`.
    pub fn get(&self, number: u8) -> u64 {
        let r = &self.0;
        let all = [
            r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11,
            r.r12, r.r13, r.r14, r.r15,
        ];
        all[usize::from(number & 15)]
    }
}

/// The memory of a process.
#[derive(Debug)]
pub struct Memory(pub(super) File);

impl Memory {
    pub(super) fn of(process: i32) -> io::Result<Memory> {
        let path = format!("/proc/{process}/mem");
        Ok(Memory(
            OpenOptions::new().read(true).write(true).open(path)?,
        ))
    }

    pub(super) fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact_at(&mut bytes, address).ok()?;
        Some(bytes)
    }

    /// The word at an address; none where nothing is mapped.
    pub fn word(&self, address: u64) -> Option<u64> {
        self.read(address).map(u64::from_le_bytes)
    }

    /// The low `size` bytes of the value of an operand.
    pub(super) fn value(&self, registers: &Registers, operand: Operand, size: u8) -> Option<u64> {
        let value = match operand {
            Operand::Register(number) => registers.get(number),
            Operand::Number(number) => number,
            Operand::Memory {
                base,
                index,
                displacement,
            } => {
                let base = base.map_or(0, |number| registers.get(number));
                let index = index.map_or(0, |(number, scale)| {
                    registers.get(number).wrapping_mul(u64::from(scale))
                });
                let address = base.wrapping_add(index).wrapping_add(displacement);
                match size {
                    8 => self.word(address)?,
                    4 => u64::from(u32::from_le_bytes(self.read(address)?)),
                    2 => u64::from(u16::from_le_bytes(self.read(address)?)),
                    _ => u64::from(u8::from_le_bytes(self.read(address)?)),
                }
            }
        };
        Some(value & mask(size))
    }
}

fn mask(size: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(size.clamp(1, 8)))
}

/// The flags behind a compare (Intel's manual, volume 2, CMP and SUB).
pub(super) fn compared(flags: u64, [one, other]: [u64; 2], size: u8) -> u64 {
    let [carry, parity, adjust, zero, sign, overflow] = [0, 2, 4, 6, 7, 11].map(|bit| 1u64 << bit);
    let top = 1u64 << (8 * u32::from(size) - 1);
    let result = one.wrapping_sub(other) & mask(size);
    let mut found = flags & !(carry | parity | adjust | zero | sign | overflow);
    let mut set = |flag: u64, is_set: bool| found |= if is_set { flag } else { 0 };
    set(carry, one < other);
    set(parity, (result as u8).count_ones().is_multiple_of(2));
    set(adjust, (one ^ other ^ result) & 0x10 != 0);
    set(zero, result == 0);
    set(sign, result & top != 0);
    set(overflow, (one ^ other) & (one ^ result) & top != 0);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flags that the processor has after `cmp`, of 8 bytes.
    fn by_processor(one: u64, other: u64) -> u64 {
        let flags: u64;
        // SAFETY: the instructions change the flags and the stack's top, which they put back.
        unsafe {
            std::arch::asm!("cmp {0}, {1}", "pushfq", "pop {2}", in(reg) one, in(reg) other, out(reg) flags);
        }
        flags
    }

    #[test]
    fn a_compare_sets_the_flags_that_the_processor_sets() {
        const OURS: u64 = 0x8d5;
        let values = [
            0,
            1,
            2,
            15,
            16,
            0x7f,
            0x80,
            u64::MAX,
            i64::MAX as u64,
            i64::MIN as u64,
            0x1234_5678,
        ];
        for one in values {
            for other in values {
                let expected = by_processor(one, other) & OURS;
                assert_eq!(
                    compared(0x202, [one, other], 8) & OURS,
                    expected,
                    "{one:#x} {other:#x}"
                );
            }
        }
        let half = compared(0, [0x8000_0000, 1], 4);
        assert_eq!(half & 0x880, 0x800, "it overflows, and is positive");
    }
}
