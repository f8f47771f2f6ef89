//! Single instructions, each between code that loads what they read and code that stores what they wrote.
//!
//! Correct means: what runs is the instruction itself, on the registers, flags and memory that stand in the
//! block it is given; its operand in memory is replaced by a place in that block, so it reaches nothing else.

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, VecAssembler, dynasm};
use iced_x86::{CpuidFeature, Encoder, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::frame::carried;
use super::harness::registers::beyond_general;
use crate::job::Carried;

/// Flags in the block.
pub const FLAGS: usize = 8;
/// The operand in memory.
pub const OPERAND: usize = 64;
/// Bytes of the longest one.
pub const OPERAND_BYTES: usize = 64;

/// The stack pointer of who enters.
const HOME: i32 = 0;
const RDI: usize = 7;

/// Whether an instruction may run by itself: it reads and writes registers that are carried, flags, and at the
/// most one operand in memory, and what it does depends on nothing else.
pub fn is_alone(code: &Instruction) -> bool {
    use CpuidFeature as Has;
    use Mnemonic::*;
    let is_computing = |feature: &CpuidFeature| {
        matches!(
            feature,
            Has::FPU
                | Has::FPU287
                | Has::FPU387
                | Has::MMX
                | Has::SSE
                | Has::SSE2
                | Has::SSE3
                | Has::SSSE3
                | Has::SSE4_1
                | Has::SSE4_2
                | Has::SSE4A
                | Has::AVX
                | Has::AVX2
                | Has::FMA
                | Has::F16C
                | Has::AES
                | Has::PCLMULQDQ
                | Has::VAES
                | Has::VPCLMULQDQ
                | Has::GFNI
                | Has::SHA
                | Has::ADX
                | Has::BMI1
                | Has::BMI2
                | Has::AVX512F
                | Has::AVX512VL
                | Has::AVX512BW
                | Has::AVX512DQ
                | Has::AVX512CD
                | Has::AVX512_VBMI
                | Has::AVX512_VBMI2
                | Has::AVX512_VNNI
                | Has::AVX512_IFMA
                | Has::AVX512_BITALG
                | Has::AVX512_VPOPCNTDQ
                | Has::AVX512_BF16
                | Has::AVX_VNNI
        )
    };
    // What sets rounding, what tells where the last x87 instruction stood, and what stores at `rdi`.
    let is_of_all = matches!(
        code.mnemonic(),
        Ldmxcsr
            | Stmxcsr
            | Vldmxcsr
            | Vstmxcsr
            | Fldenv
            | Fnstenv
            | Fstenv
            | Frstor
            | Fnsave
            | Fsave
            | Maskmovdqu
            | Maskmovq
            | Vmaskmovdqu
    );
    let has_one_place = (0..code.op_count()).all(|at| {
        !matches!(
            code.op_kind(at),
            OpKind::MemorySegDI | OpKind::MemorySegEDI | OpKind::MemorySegRDI
        )
    });
    let is_gathered = code.memory_index().is_vector_register();
    let has_memory = (0..code.op_count()).any(|at| code.op_kind(at) == OpKind::Memory);
    let size = code.memory_size().size();
    // Selectors and tables are the same whenever they are asked for.
    let is_selector = match code.mnemonic() {
        Sgdt | Sidt | Sldt | Smsw | Str => true,
        Mov => {
            let is_segment = |at: u32| {
                code.op_kind(at) == OpKind::Register && code.op_register(at).is_segment_register()
            };
            is_segment(1) || is_segment(0) && code.op0_register() == Register::SS
        }
        _ => false,
    };
    code.flow_control() == FlowControl::Next
        && (is_selector || code.cpuid_features().iter().all(is_computing))
        && !is_of_all
        && has_one_place
        && !is_gathered
        && (!has_memory || (1..=OPERAND_BYTES).contains(&size))
}

/// Code to be called, for an instruction on the block at an address; nothing where it cannot be encoded.
#[allow(
    clippy::useless_conversion,
    reason = "the macro of dynasm converts register numbers"
)]
pub fn emit(code: &Instruction, named: &Carried, block: u64, start: u64) -> Option<Vec<u8>> {
    let mut ops = VecAssembler::<X64Relocation>::new(start as usize);
    let at = |number: usize| carried::REGISTERS + 8 * number as i32;
    let others = || (0..16u8).filter(|number| usize::from(*number) != RDI);
    dynasm!(ops ; .arch x64
        ; push rbx ; push rbp ; push r12 ; push r13 ; push r14 ; push r15
        ; mov rdi, QWORD block as i64
        ; mov [rdi + HOME], rsp
    );
    beyond_general(&mut ops, named, false);
    dynasm!(ops ; .arch x64 ; push QWORD [rdi + FLAGS as i32] ; popfq);
    for number in others() {
        dynasm!(ops ; .arch x64 ; mov Rq(number), [rdi + at(usize::from(number))]);
    }
    dynasm!(ops ; .arch x64 ; mov rdi, [rdi + at(RDI)]);
    let mut own = *code;
    if (0..own.op_count()).any(|operand| own.op_kind(operand) == OpKind::Memory) {
        own.set_segment_prefix(Register::None);
        own.set_memory_base(Register::RIP);
        own.set_memory_index(Register::None);
        own.set_memory_index_scale(1);
        own.set_memory_displ_size(8);
        own.set_memory_displacement64(block + OPERAND as u64);
    }
    let mut encoder = Encoder::new(64);
    encoder.encode(&own, start + ops.offset().0 as u64).ok()?;
    ops.extend(encoder.take_buffer().iter());
    // mov [rip + distance], rdi
    let behind = start + ops.offset().0 as u64 + 7;
    let distance = (block + at(RDI) as u64).wrapping_sub(behind) as u32;
    ops.extend([0x48, 0x89, 0x3d].iter().chain(&distance.to_le_bytes()));
    dynasm!(ops ; .arch x64 ; mov rdi, QWORD block as i64);
    for number in others() {
        dynasm!(ops ; .arch x64 ; mov [rdi + at(usize::from(number))], Rq(number));
    }
    dynasm!(ops ; .arch x64
        ; mov rsp, [rdi + HOME]
        ; pushfq
        ; pop QWORD [rdi + FLAGS as i32]
        ; push DWORD 0x202
        ; popfq
    );
    beyond_general(&mut ops, named, true);
    dynasm!(ops ; .arch x64
        ; pop r15 ; pop r14 ; pop r13 ; pop r12 ; pop rbp ; pop rbx
        ; ret
    );
    ops.finalize().ok()
}
