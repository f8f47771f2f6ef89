//! Flags that the manuals leave undefined behind an instruction, which each CPU leaves in its own way.
//!
//! Correct means: nothing is interpreted that reads one. What an interpreter puts there is what some CPU
//! does, and the branch behind it goes the way of that one.

use iced_x86::{Instruction, Mnemonic, OpKind, Register, RflagsBits};

/// What a block does with such flags, as bits of [`RflagsBits`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// Those that it reads as it found them.
    reads: u32,
    /// Those that it defines.
    defines: u32,
    /// Those that it leaves undefined.
    leaves: u32,
}

impl Flags {
    /// Goes on behind an instruction; `false` where that reads what one before it in the block left undefined.
    pub(super) fn pass(&mut self, instruction: &Instruction, runs_by_itself: bool) -> bool {
        let reads = instruction.rflags_read();
        if reads & self.leaves != 0 {
            return false;
        }
        self.reads |= reads & !self.defines;
        let leaves = match runs_by_itself {
            true => 0,
            false => undefined(instruction),
        };
        let defines = match may_leave_all(instruction) {
            true => 0,
            false => instruction.rflags_modified() & !leaves,
        };
        self.leaves = self.leaves & !defines | leaves;
        self.defines = (self.defines | defines) & !leaves;
        true
    }

    /// What is undefined behind the block where so much was in front of it; `None` where it reads of that.
    #[inline(always)]
    pub(super) fn behind(self, undefined: u32) -> Option<u32> {
        (self.reads & undefined == 0).then_some(undefined & !self.defines | self.leaves)
    }
}

/// All CPUs clear AF behind `and`, `or`, `xor` and `test`.
fn undefined(instruction: &Instruction) -> u32 {
    use Mnemonic::{And, Or, Test, Xor};
    match instruction.mnemonic() {
        And | Or | Test | Xor => 0,
        _ => instruction.rflags_undefined(),
    }
}

/// A shift by `cl` may be one by nothing, which leaves all flags as they were.
fn may_leave_all(instruction: &Instruction) -> bool {
    let operands = 0..instruction.op_count();
    instruction.rflags_undefined() & RflagsBits::OF != 0
        && operands.clone().any(|at| {
            instruction.op_kind(at) == OpKind::Register
                && instruction.op_register(at) == Register::CL
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    /// What is undefined behind the code; `None` where it reads of that.
    fn behind(code: &[u8]) -> Option<u32> {
        let mut flags = Flags::default();
        let decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
        for instruction in decoder {
            if !flags.pass(&instruction, false) {
                return None;
            }
        }
        flags.behind(0)
    }

    #[test]
    fn a_flag_that_is_left_undefined_may_not_be_read_before_it_is_defined() {
        // imul eax, edx leaves SF, which js reads, and defines OF, which jo does.
        assert_eq!(behind(&[0x0f, 0xaf, 0xc2, 0x78, 0x00]), None);
        assert!(behind(&[0x0f, 0xaf, 0xc2, 0x70, 0x00]).is_some());
        // With test eax, eax between them js may.
        assert_eq!(behind(&[0x0f, 0xaf, 0xc2, 0x85, 0xc0, 0x78, 0x00]), Some(0));
        // shr eax, 20 leaves OF, shr eax, 1 does not.
        assert_eq!(behind(&[0xc1, 0xe8, 20, 0x70, 0x00]), None);
        assert!(behind(&[0xd1, 0xe8, 0x70, 0x00]).is_some());
        assert!(behind(&[0xc1, 0xe8, 20, 0x74, 0x00]).is_some());
        // div ecx leaves ZF.
        assert_eq!(behind(&[0xf7, 0xf1, 0x74, 0x00]), None);
    }

    #[test]
    fn what_one_block_leaves_the_next_may_not_read() {
        let of = |code: &[u8]| {
            let mut flags = Flags::default();
            for instruction in Decoder::with_ip(64, code, 0, DecoderOptions::NONE) {
                assert!(flags.pass(&instruction, false));
            }
            flags
        };
        let left = of(&[0x0f, 0xaf, 0xc2]).behind(0).expect("nothing is read");
        assert_eq!(of(&[0x78, 0x00]).behind(left), None);
        assert_eq!(of(&[0x70, 0x00]).behind(left), Some(left));
        assert_eq!(of(&[0x85, 0xc0, 0x78, 0x00]).behind(left), Some(0));
        // What runs by itself leaves what this CPU does.
        let mut native = Flags::default();
        let code = Decoder::with_ip(64, &[0x0f, 0xaf, 0xc2], 0, DecoderOptions::NONE).decode();
        assert!(native.pass(&code, true));
        assert_eq!(native.behind(left), Some(0));
    }
}
