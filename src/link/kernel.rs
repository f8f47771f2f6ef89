//! Kernels that something is known of: two of known length in core cycles, timed beside every chunk,
//! and those that hardware counters are held against.
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
/// Instructions in one turn of the steady kernel: the adds of the chain, a comparison and two jumps behind it,
/// the jump back and its count.
pub const STEADY_INSTRUCTIONS: u64 = CHAIN_ADDS + 5;
/// Branches in one turn of the steady kernel, all of them predicted: one that is never taken, one that always
/// is, and the jump back.
pub const STEADY_BRANCHES: u64 = 3;
/// Instructions in one turn of the coin kernel, the jump back and its count included.
pub const COIN_INSTRUCTIONS: u64 = 6;
/// Branches in one turn of the coin kernel: one that nothing predicts, and the jump back.
pub const COIN_BRANCHES: u64 = 2;

/// Targets of the jump kernel's indirect jump.
pub const JUMP_TARGETS: u64 = 8;
/// Instructions in one turn of the jump kernel, the jump back and its count included.
pub const JUMP_INSTRUCTIONS: u64 = 10;
/// Branches in one turn of the jump kernel: an indirect one that nothing predicts, the one from its target, and
/// the jump back.
pub const JUMP_BRANCHES: u64 = 3;

/// Returns in one turn of the return kernel: one that goes elsewhere than its call would have it, which no stack of
/// return addresses predicts, and one that does not.
pub const RETURNS: u64 = 2;

/// All kernels as `extern "sysv64" fn(turns: u64) -> ticks: u64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernels {
    /// The code.
    pub code: Vec<u8>,
    /// Offset of the chain's entry.
    pub chain: u32,
    /// Offset of the width kernel's entry.
    pub width: u32,
    /// Offset of the steady kernel's entry.
    pub steady: u32,
    /// Offset of the coin kernel's entry.
    pub coin: u32,
    /// Offset of the jump kernel's entry.
    pub jump: u32,
    /// Offset of the return kernel's entry.
    pub ret: u32,
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
    let steady = ops.offset().0 as u32;
    // Adds again, because no other instruction takes as long on all cores: three cycles of a multiplication are
    // five or six on small ones.
    emit_one(&mut ops, |ops| {
        for _ in 0..CHAIN_ADDS {
            dynasm!(ops; .arch x64; add r8, r8);
        }
        dynasm!(ops
            ; .arch x64
            ; test r9, r9
            ; jnz >never
            ; jz >always
            ; never:
            ; always:
        );
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
    let jump = ops.offset().0 as u32;
    // The same generator, whose three highest bits are one of eight targets, eight bytes apart.
    emit_one(&mut ops, |ops| {
        dynasm!(ops
            ; .arch x64
            ; imul r8, r8, 0x5851_f42d
            ; add r8, rsi
            ; mov r9, r8
            ; shr r9, 61
            ; lea r10, [>targets]
            ; lea r10, [r10 + r9 * 8]
            ; jmp r10
            ; .align 8
            ; targets:
        );
        for _ in 0..JUMP_TARGETS {
            dynasm!(ops; .arch x64; jmp >join; .align 8);
        }
        dynasm!(ops; .arch x64; join:);
    });
    let ret = ops.offset().0 as u32;
    emit_one(&mut ops, |ops| {
        dynasm!(ops
            ; .arch x64
            ; call >astray
            ; int3
            ; astray:
            ; lea r9, [>elsewhere]
            ; mov [rsp], r9
            ; ret
            ; back:
            ; ret
            ; elsewhere:
            ; call <back
        );
    });
    match ops.finalize() {
        Ok(code) => Kernels {
            code,
            chain,
            width,
            steady,
            coin,
            jump,
            ret,
        },
        Err(error) => unreachable!("the kernels have only local labels, all bound: {error}"),
    }
}

/// A kernel whose turn is so many jumps, each to the next one. There is one in each half of a cache line, so that those of a
/// long chain have no room in a branch target buffer together.
pub fn emit_chain(jumps: u32) -> Vec<u8> {
    const APART: usize = 32;
    /// `jmp` over the rest.
    const JUMP: [u8; 2] = [0xeb, APART as u8 - 2];
    let mut ops = VecAssembler::<X64Relocation>::new(0);
    emit_one(&mut ops, |ops| {
        for _ in 0..jumps {
            ops.extend(&JUMP);
            ops.extend(std::iter::repeat_n(&0xcc_u8, APART - JUMP.len()));
        }
    });
    match ops.finalize() {
        Ok(code) => code,
        Err(error) => unreachable!("the kernel has only local labels, all bound: {error}"),
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
    use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

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
            (kernels.steady, STEADY_INSTRUCTIONS, STEADY_BRANCHES),
            (kernels.coin,  COIN_INSTRUCTIONS, COIN_BRANCHES),
            // All but the trap behind the call that goes astray.
            (kernels.ret, 8 + 1, 6),
            // Of the targets one is visited.
            (kernels.jump,  JUMP_INSTRUCTIONS + JUMP_TARGETS - 1, JUMP_BRANCHES + JUMP_TARGETS - 1),
        ];
        for (entry, instructions, branches) in known {
            let turn: Vec<_> = turn(&kernels, entry)
                .into_iter()
                .filter(|one| one.mnemonic() != Mnemonic::Nop)
                .collect();
            let jumps = turn
                .iter()
                .filter(|one| one.flow_control() != FlowControl::Next);
            assert_eq!(turn.len() as u64, instructions, "kernel at {entry}");
            assert_eq!(jumps.count() as u64, branches, "kernel at {entry}");
        }
    }

    #[test]
    fn a_turn_of_a_chain_has_its_jumps_each_to_the_next_one() {
        let code = emit_chain(3);
        let mut ip = 64;
        for jump in 0.. {
            let decoder = Decoder::with_ip(64, &code[ip as usize..], ip, DecoderOptions::NONE);
            let instruction = decoder.into_iter().next().expect("code");
            if instruction.mnemonic() != Mnemonic::Jmp {
                assert_eq!((jump, instruction.mnemonic()), (3, Mnemonic::Dec));
                break;
            }
            assert_eq!(instruction.near_branch_target(), ip + 32);
            ip = instruction.near_branch_target();
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
