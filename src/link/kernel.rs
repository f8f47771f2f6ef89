//! Kernels that something is known of: two of known length in core cycles, timed beside every chunk,
//! and two that hardware counters are held against.
//!
//! Correct means: the chain takes one cycle an instruction on any CPU whose `add r64, r64` has a
//! latency of one cycle (every x86-64 core so far), and the width kernel issues four independent
//! adds a cycle on any core at least four wide.

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};

/// Adds in one turn of the chain: its length in cycles.
pub const CHAIN_ADDS: u64 = 50;
/// Adds in one turn of the width kernel.
pub const WIDTH_ADDS: u64 = 200;
/// Multiplications in one turn of the imul chain, three cycles each on every core since Nehalem and
/// Zen; with the jump back and its count, a turn has two instructions more, and one branch.
pub const IMULS: u64 = 50;
/// Instructions in one turn of the coin kernel, the jump back and its count included.
pub const COIN_INSTRUCTIONS: u64 = 6;
/// Branches in one turn of the coin kernel: one that nothing predicts, and the jump back.
pub const COIN_BRANCHES: u64 = 2;

/// All kernels as `extern "sysv64" fn(turns: u64) -> ticks: u64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernels {
    /// The code.
    pub code: Vec<u8>,
    /// Offset of the chain's entry.
    pub chain: u32,
    /// Offset of the width kernel's entry.
    pub width: u32,
    /// Offset of the imul chain's entry.
    pub imul: u32,
    /// Offset of the coin kernel's entry.
    pub coin: u32,
}

/// Emits all. Position-independent.
pub fn emit() -> Kernels {
    let mut ops = VecAssembler::<X64Relocation>::new(0);
    let chain = ops.offset().0 as u32;
    emit_one(&mut ops, |ops| {
        for _ in 0..CHAIN_ADDS {
            dynasm!(ops; .arch x64; add r8, r8);
        }
    });
    let width = ops.offset().0 as u32;
    emit_one(&mut ops, |ops| {
        for _ in 0..WIDTH_ADDS / 4 {
            dynasm!(ops; .arch x64; add r8, r8; add r9, r9; add r10, r10; add r11, r11);
        }
    });
    let imul = ops.offset().0 as u32;
    emit_one(&mut ops, |ops| {
        for _ in 0..IMULS {
            dynasm!(ops; .arch x64; imul r8, r8);
        }
    });
    let coin = ops.offset().0 as u32;
    // A linear congruential generator whose increment is the time stamp in rsi, so that no two
    // entries toss alike; its highest bit is the coin. Both ways lead to the next instruction.
    emit_one(&mut ops, |ops| {
        dynasm!(ops
            ; .arch x64
            ; imul r8, r8, 0x5851_f42d
            ; add r8, rsi
            ; test r8, r8
            ; js >tossed
            ; tossed:
        );
    });
    match ops.finalize() {
        Ok(code) => Kernels {
            code,
            chain,
            width,
            imul,
            coin,
        },
        Err(error) => unreachable!("the kernels have only local labels, all bound: {error}"),
    }
}

/// `turns` in rdi; ticks between two fenced time stamps in rax.
fn emit_one(
    ops: &mut VecAssembler<X64Relocation>,
    turn: impl Fn(&mut VecAssembler<X64Relocation>),
) {
    dynasm!(ops
        ; .arch x64
        ; xor r8d, r8d
        ; xor r9d, r9d
        ; xor r10d, r10d
        ; xor r11d, r11d
        ; lfence
        ; rdtsc
        ; lfence
        ; shl rdx, 32
        ; or rax, rdx
        ; mov rsi, rax
        ; test rdi, rdi
        ; jz >done
        ; .align 64
        ; turn:
    );
    turn(ops);
    dynasm!(ops
        ; .arch x64
        ; dec rdi
        ; jnz <turn
        ; done:
        ; rdtscp
        ; lfence
        ; shl rdx, 32
        ; or rax, rdx
        ; sub rax, rsi
        ; ret
        ; .align 64
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

    /// The instructions of one turn: from the target of the first jump back to that jump.
    fn turn(kernels: &Kernels, entry: u32) -> Vec<Instruction> {
        let code = &kernels.code[entry as usize..];
        let decoder = Decoder::with_ip(64, code, u64::from(entry), DecoderOptions::NONE);
        let mut before: Vec<Instruction> = Vec::new();
        for instruction in decoder {
            before.push(instruction);
            let target = instruction.near_branch_target();
            if instruction.flow_control() == FlowControl::ConditionalBranch
                && target < instruction.ip()
            {
                before.retain(|one| one.ip() >= target);
                return before;
            }
        }
        panic!("no jump back")
    }

    #[test]
    fn a_turn_has_the_instructions_and_branches_that_counters_are_held_against() {
        let kernels = emit();
        #[rustfmt::skip] // a table: one kernel a line
        let known = [
            (kernels.chain, CHAIN_ADDS + 2,    1),
            (kernels.width, WIDTH_ADDS + 2,    1),
            (kernels.imul,  IMULS + 2,         1),
            (kernels.coin,  COIN_INSTRUCTIONS, COIN_BRANCHES),
        ];
        for (entry, instructions, branches) in known {
            let turn = turn(&kernels, entry);
            let jumps = turn
                .iter()
                .filter(|one| one.flow_control() == FlowControl::ConditionalBranch);
            assert_eq!(turn.len() as u64, instructions, "kernel at {entry}");
            assert_eq!(jumps.count() as u64, branches, "kernel at {entry}");
        }
    }

    #[test]
    fn both_ways_of_the_coin_lead_to_the_next_instruction() {
        let kernels = emit();
        let turn = turn(&kernels, kernels.coin);
        let coin = turn
            .iter()
            .position(|one| one.flow_control() == FlowControl::ConditionalBranch)
            .expect("a coin");
        assert_eq!(turn[coin].near_branch_target(), turn[coin + 1].ip());
    }
}
