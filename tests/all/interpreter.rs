//! The interpreter against the CPU, instruction by instruction.
//!
//! Correct means: for every encoding that the interpreter accepts, registers, memory, vector
//! registers and defined flags are the CPU's own after it, on random operands.

#![allow(
    clippy::useless_conversion,
    reason = "the macro of dynasm converts register numbers"
)]
#![allow(
    clippy::single_range_in_vec_init,
    reason = "the template's code is one range among possible others"
)]

use std::collections::{BTreeMap, BTreeSet};

use dispatchlab::branch::Branch;
use dispatchlab::interpreter::memory::Memory;
use dispatchlab::interpreter::native::Natives;
use dispatchlab::interpreter::{Code, Cpu, Interpreter, Stop, Watch};
use dispatchlab::job::Carried;
use dispatchlab::link::frame::carried;
use dispatchlab::link::native;
use dispatchlab::stats::random::SplitMix64;
use dispatchlab::sys::mapping::{Executable, PAGE, Window};
use dynasmrt::{DynasmApi, VecAssembler, dynasm, x64::X64Relocation};
use iced_x86::{
    CpuidFeature, Decoder, DecoderOptions, Encoder, FlowControl, Instruction, MemoryOperand,
    Mnemonic, OpCodeOperandKind as Kind, OpKind, Register,
};

/// Offsets in the data page: what the worker's stack pointer was, the machine, memory to use.
const HOME: usize = 0;
const REGISTERS: usize = 64;
const FLAGS: usize = 192;
const VECTORS: usize = 256;
const AREA: usize = 1024;
const AREA_END: usize = PAGE;

const ARITHMETIC: u64 = 0x8d5;
const DIRECTION: u64 = 0x400;

struct Silent;

impl Watch for Silent {
    fn branch(&mut self, _: Branch) {}
}

/// Each instruction between code that loads all registers and code that stores them.
struct Native {
    code: Executable,
    data: u64,
    /// Entry, address of the instruction, address behind it.
    places: Vec<[u64; 3]>,
    bytes: Vec<u8>,
    start: u64,
}

impl Native {
    fn new(instructions: &[Instruction]) -> Native {
        let room = instructions.len() * 768 + 2 * PAGE;
        let mut window = Window::reserve().expect("reserves");
        let mut memory = window.take(room).expect("maps");
        let (data, start) = (memory.address(), memory.address() + 2 * PAGE as u64);
        let mut ops = VecAssembler::<X64Relocation>::new(start as usize);
        let mut places = Vec::new();
        for instruction in instructions {
            places.push(emit(&mut ops, instruction, data, start));
        }
        let bytes = ops.finalize().expect("no labels");
        memory.bytes()[2 * PAGE..2 * PAGE + bytes.len()].copy_from_slice(&bytes);
        let end = memory.bytes().len();
        let code = memory.seal(2 * PAGE..end).expect("seals");
        Native {
            code,
            data,
            places,
            bytes,
            start,
        }
    }
}

fn emit(
    ops: &mut VecAssembler<X64Relocation>,
    instruction: &Instruction,
    data: u64,
    start: u64,
) -> [u64; 3] {
    let here = |ops: &VecAssembler<X64Relocation>| start + ops.offset().0 as u64;
    let entry = here(ops);
    let vectors = VECTORS as i32;
    let at = |number: i32| REGISTERS as i32 + 8 * number;
    dynasm!(ops ; .arch x64
        ; push rbx ; push rbp ; push r12 ; push r13 ; push r14 ; push r15
        ; mov rdi, QWORD data as i64
        ; mov [rdi + HOME as i32], rsp
    );
    for number in 0..16u8 {
        dynasm!(ops ; .arch x64 ; movups Rx(number), [rdi + vectors + 16 * i32::from(number)]);
    }
    dynasm!(ops ; .arch x64 ; push QWORD [rdi + FLAGS as i32] ; popfq);
    for number in (0..16).filter(|number| *number != 7) {
        dynasm!(ops ; .arch x64 ; mov Rq(number as u8), [rdi + at(number)]);
    }
    dynasm!(ops ; .arch x64 ; mov rdi, [rdi + at(7)]);
    let place = here(ops);
    let mut encoder = Encoder::new(64);
    encoder
        .encode(instruction, place)
        .expect("was encoded before");
    ops.extend(encoder.take_buffer().iter());
    let behind = here(ops);
    // mov [rip + distance], rdi
    let distance = (data + at(7) as u64).wrapping_sub(behind + 7) as u32;
    ops.extend([0x48, 0x89, 0x3d].iter().chain(&distance.to_le_bytes()));
    dynasm!(ops ; .arch x64 ; mov rdi, QWORD data as i64);
    for number in (0..16).filter(|number| *number != 7) {
        dynasm!(ops ; .arch x64 ; mov [rdi + at(number)], Rq(number as u8));
    }
    for number in 0..16u8 {
        dynasm!(ops ; .arch x64 ; movups [rdi + vectors + 16 * i32::from(number)], Rx(number));
    }
    dynasm!(ops ; .arch x64
        ; mov rsp, [rdi + HOME as i32]
        ; pushfq
        ; pop QWORD [rdi + FLAGS as i32]
        ; push DWORD 0x202
        ; popfq
        ; pop r15 ; pop r14 ; pop r13 ; pop r12 ; pop rbp ; pop rbx
        ; ret
    );
    [entry, place, behind]
}

fn below(random: &mut SplitMix64, count: usize) -> usize {
    random.below(count as u64) as usize
}

fn general(random: &mut SplitMix64, bits: u32) -> Register {
    let first = match bits {
        8 => Register::AL,
        16 => Register::AX,
        32 => Register::EAX,
        _ => Register::RAX,
    };
    let count = if bits == 8 { 20 } else { 16 };
    loop {
        let register = first + below(random, count) as u32;
        // rsp stays where memory is, but for some.
        if register.full_register() != Register::RSP || below(random, 8) == 0 {
            return register;
        }
    }
}

fn memory(random: &mut SplitMix64) -> MemoryOperand {
    let base = loop {
        let base = general(random, 64);
        if base != Register::RSP {
            break base;
        }
    };
    let index = general(random, 64);
    let displacement = i64::from(random.below(64) as u32) - 32;
    let has_index = below(random, 3) == 0 && index != Register::RSP && index != base;
    let (index, scale) = match has_index {
        true => (index, 1 << below(random, 4)),
        false => (Register::None, 1),
    };
    let displacement = displacement / 16 * 16;
    let segment = Register::None;
    MemoryOperand::new(base, index, scale, displacement, 1, false, segment)
}

/// One random instruction of an encoding; `None` where an operand is of a kind that the interpreter
/// has no use for.
fn instruction_of(code: iced_x86::Code, random: &mut SplitMix64) -> Option<Instruction> {
    let form = code.op_code();
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    for at in 0..form.op_count() {
        let mut register = None;
        let mut is_memory = false;
        let mut immediate = None;
        match form.op_kind(at) {
            Kind::mem => is_memory = true,
            kind @ (Kind::r8_or_mem
            | Kind::r16_or_mem
            | Kind::r32_or_mem
            | Kind::r64_or_mem
            | Kind::xmm_or_mem) => {
                if below(random, 2) == 0 {
                    is_memory = true;
                } else {
                    register = Some(match kind {
                        Kind::r8_or_mem => general(random, 8),
                        Kind::r16_or_mem => general(random, 16),
                        Kind::r32_or_mem => general(random, 32),
                        Kind::r64_or_mem => general(random, 64),
                        _ => Register::XMM0 + below(random, 16) as u32,
                    });
                }
            }
            Kind::r8_reg | Kind::r8_opcode => register = Some(general(random, 8)),
            Kind::r16_reg | Kind::r16_rm | Kind::r16_opcode => register = Some(general(random, 16)),
            Kind::r32_reg | Kind::r32_rm | Kind::r32_opcode | Kind::r32_vvvv => {
                register = Some(general(random, 32));
            }
            Kind::r64_reg | Kind::r64_rm | Kind::r64_opcode | Kind::r64_vvvv => {
                register = Some(general(random, 64));
            }
            Kind::xmm_reg | Kind::xmm_rm => {
                register = Some(Register::XMM0 + below(random, 16) as u32)
            }
            Kind::al => register = Some(Register::AL),
            Kind::cl => register = Some(Register::CL),
            Kind::ax => register = Some(Register::AX),
            Kind::eax => register = Some(Register::EAX),
            Kind::rax => register = Some(Register::RAX),
            Kind::imm8 => immediate = Some((OpKind::Immediate8, random.next_u64() & 0xff)),
            Kind::imm8_const_1 => immediate = Some((OpKind::Immediate8, 1)),
            Kind::imm8sex16 => {
                immediate = Some((OpKind::Immediate8to16, random.next_u64() as i8 as u64))
            }
            Kind::imm8sex32 => {
                immediate = Some((OpKind::Immediate8to32, random.next_u64() as i8 as u64))
            }
            Kind::imm8sex64 => {
                immediate = Some((OpKind::Immediate8to64, random.next_u64() as i8 as u64))
            }
            Kind::imm16 => immediate = Some((OpKind::Immediate16, random.next_u64() & 0xffff)),
            Kind::imm32 => immediate = Some((OpKind::Immediate32, random.next_u64() & 0xffff_ffff)),
            Kind::imm32sex64 => {
                immediate = Some((OpKind::Immediate32to64, random.next_u64() as i32 as u64))
            }
            Kind::imm64 => immediate = Some((OpKind::Immediate64, random.next_u64())),
            Kind::es_rDI => instruction.set_op_kind(at, OpKind::MemoryESRDI),
            Kind::seg_rSI => instruction.set_op_kind(at, OpKind::MemorySegRSI),
            _ => return None,
        }
        if let Some(register) = register {
            instruction.set_op_kind(at, OpKind::Register);
            instruction.set_op_register(at, register);
        }
        if is_memory {
            let memory = memory(random);
            instruction.set_op_kind(at, OpKind::Memory);
            instruction.set_memory_base(memory.base);
            instruction.set_memory_index(memory.index);
            instruction.set_memory_index_scale(memory.scale);
            instruction.set_memory_displ_size(1);
            instruction.set_memory_displacement64(memory.displacement as u64);
        }
        if let Some((kind, value)) = immediate {
            instruction.set_op_kind(at, kind);
            match kind {
                OpKind::Immediate64 => instruction.set_immediate64(value),
                OpKind::Immediate32 => instruction.set_immediate32(value as u32),
                OpKind::Immediate16 => instruction.set_immediate16(value as u16),
                OpKind::Immediate8 => instruction.set_immediate8(value as u8),
                _ => instruction.set_immediate_i64(at, value as i64),
            }
        }
    }
    let is_string =
        (0..form.op_count()).any(|at| matches!(form.op_kind(at), Kind::es_rDI | Kind::seg_rSI));
    match below(random, 3) {
        1 if is_string => instruction.set_has_rep_prefix(true),
        2 if is_string && form.can_use_repne_prefix() => instruction.set_has_repne_prefix(true),
        1 if form.can_use_lock_prefix() && instruction.op0_kind() == OpKind::Memory => {
            instruction.set_has_lock_prefix(true);
        }
        _ => {}
    }
    // What the encoder takes is what the decoder says again.
    let mut encoder = Encoder::new(64);
    encoder.encode(&instruction, 0x1000).ok()?;
    let bytes = encoder.take_buffer();
    let again = Decoder::with_ip(64, &bytes, 0x1000, DecoderOptions::NONE).decode();
    (!again.is_invalid() && is_supported(&again)).then_some(again)
}

fn is_supported(instruction: &Instruction) -> bool {
    instruction
        .cpuid_features()
        .iter()
        .all(|feature| match feature {
            CpuidFeature::INTEL8086
            | CpuidFeature::INTEL186
            | CpuidFeature::INTEL386
            | CpuidFeature::INTEL486
            | CpuidFeature::X64
            | CpuidFeature::CMOV
            | CpuidFeature::SSE
            | CpuidFeature::SSE2
            | CpuidFeature::MULTIBYTENOP
            | CpuidFeature::PAUSE => true,
            CpuidFeature::SSE3 => is_x86_feature_detected!("sse3"),
            CpuidFeature::SSSE3 => is_x86_feature_detected!("ssse3"),
            CpuidFeature::SSE4_1 => is_x86_feature_detected!("sse4.1"),
            CpuidFeature::POPCNT => is_x86_feature_detected!("popcnt"),
            CpuidFeature::LZCNT => is_x86_feature_detected!("lzcnt"),
            CpuidFeature::BMI1 => is_x86_feature_detected!("bmi1"),
            CpuidFeature::BMI2 => is_x86_feature_detected!("bmi2"),
            CpuidFeature::MOVBE => is_x86_feature_detected!("movbe"),
            _ => false,
        })
}

fn word(random: &mut SplitMix64, area: u64) -> u64 {
    const EDGES: [u64; 8] = [
        0,
        1,
        u64::MAX,
        1 << 63,
        0x7fff_ffff,
        0x8000_0000,
        0x80,
        0x7f7f,
    ];
    match below(random, 6) {
        0 => random.below(66),
        1 => EDGES[below(random, EDGES.len())],
        2 => area + 1024 + random.below(64) * 16,
        3 => random.next_u64() >> random.below(64),
        _ => random.next_u64(),
    }
}

fn vector(random: &mut SplitMix64) -> u128 {
    let single = |random: &mut SplitMix64| -> u32 {
        let values = [
            0.0,
            -0.0,
            1.5,
            -2.25,
            f32::INFINITY,
            3e9,
            -7.5e18,
            1e-40,
            2147483648.0,
        ];
        match below(random, 4) {
            0 => values[below(random, values.len())].to_bits(),
            1 => 0x7f80_0000 | random.next_u64() as u32,
            _ => random.next_u64() as u32,
        }
    };
    let double = |random: &mut SplitMix64| -> u64 {
        let values = [
            0.0,
            -0.0,
            0.5,
            2.5,
            -3.5,
            f64::NEG_INFINITY,
            2147483647.5,
            9.3e18,
            1e-310,
            1e39,
        ];
        match below(random, 4) {
            0 => values[below(random, values.len())].to_bits(),
            1 => 0x7ff0 << 48 | random.next_u64(),
            _ => random.next_u64(),
        }
    };
    if below(random, 2) == 0 {
        (0..4).fold(0, |all, _| all << 32 | u128::from(single(random)))
    } else {
        u128::from(double(random)) << 64 | u128::from(double(random))
    }
}

/// A machine to begin with, in the data page.
fn fill(data: &mut [u8], address: u64, instruction: &Instruction, random: &mut SplitMix64) {
    let area = address + AREA as u64;
    let mut put = |offset: usize, value: u64| {
        data[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    };
    for at in (AREA..AREA_END).step_by(16) {
        let value = vector(random);
        put(at, value as u64);
        put(
            at + 8,
            if below(random, 2) == 0 {
                word(random, area)
            } else {
                (value >> 64) as u64
            },
        );
    }
    let mut registers: [u64; 16] = std::array::from_fn(|_| word(random, area));
    registers[4] = area + 1024 + 8 * random.below(32);
    let is_string = (0..instruction.op_count()).any(|at| {
        matches!(
            instruction.op_kind(at),
            OpKind::MemoryESRDI | OpKind::MemorySegRSI
        )
    });
    if is_string {
        registers[1] = random.below(20);
        registers[6] = area + 1024 + random.below(256);
        registers[7] = area + 1024 + random.below(256);
    }
    if (0..instruction.op_count()).any(|at| instruction.op_kind(at) == OpKind::Memory) {
        if instruction.memory_index() != Register::None {
            registers[instruction.memory_index().number()] = 16 * random.below(8);
        }
        registers[instruction.memory_base().number()] = area + 1024 + 16 * random.below(32);
    }
    for (number, value) in registers.into_iter().enumerate() {
        put(REGISTERS + 8 * number, value);
    }
    let direction = if is_string && below(random, 2) == 0 {
        DIRECTION
    } else {
        0
    };
    put(FLAGS, 0x202 | random.next_u64() & ARITHMETIC | direction);
    for number in 0..16 {
        let value = vector(random);
        put(VECTORS + 16 * number, value as u64);
        put(VECTORS + 16 * number + 8, (value >> 64) as u64);
    }
}

fn at(data: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(data[offset..offset + 8].try_into().expect("a word"))
}

/// Interprets from what the page says and leaves there what it left; what stands among `natives` runs by itself.
fn interpret(
    data: &mut [u8],
    code: Code<'_>,
    place: &[u64; 3],
    natives: Option<&mut Natives>,
) -> Result<(), Stop> {
    let (registers, flags) = (REGISTERS..FLAGS, at(data, FLAGS));
    let mut before: Vec<u64> = registers
        .step_by(8)
        .map(|offset| at(data, offset))
        .collect();
    let vectors: Vec<u128> = (0..16)
        .map(|number| {
            let offset = VECTORS + 16 * number;
            u128::from(at(data, offset)) | u128::from(at(data, offset + 8)) << 64
        })
        .collect();
    let (low, area) = data.split_at_mut(AREA);
    let mut cpu = Cpu::new(Memory::new().with(&mut area[..AREA_END - AREA]));
    for (number, value) in before.drain(..).enumerate() {
        cpu.set_register(number as u8, value);
    }
    cpu.vectors().copy_from_slice(&vectors);
    cpu.set_flags(flags);
    let mut interpreter = Interpreter::new(code, &[place[1], place[2]]);
    if let Some(natives) = natives {
        interpreter = interpreter.with(natives.by_address().clone());
        cpu = cpu.with(Some(natives));
    }
    interpreter.run(&mut cpu, place[1], place[2], &mut Silent)?;
    for (number, value) in cpu.registers().into_iter().enumerate() {
        low[REGISTERS + 8 * number..][..8].copy_from_slice(&value.to_le_bytes());
    }
    low[FLAGS..][..8].copy_from_slice(&cpu.flags().to_le_bytes());
    for (number, value) in cpu.vectors().iter().enumerate() {
        low[VECTORS + 16 * number..][..16].copy_from_slice(&value.to_le_bytes());
    }
    Ok(())
}

/// The encodings that the interpreter accepts, a few random instructions of each.
fn accepted(random: &mut SplitMix64) -> Vec<Instruction> {
    let mut instructions = Vec::new();
    for code in iced_x86::Code::values() {
        for _ in 0..6 {
            let Some(instruction) = instruction_of(code, random) else {
                continue;
            };
            let mut encoder = Encoder::new(64);
            encoder
                .encode(&instruction, 0x1000)
                .expect("was encoded before");
            let mut bytes = encoder.take_buffer();
            let end = 0x1000 + bytes.len() as u64;
            bytes.extend([0xc3]);
            let code = Code {
                address: 0x1000,
                bytes: &bytes,
                own: &[],
                turn_end: 0,
            };
            let mut cpu = Cpu::new(Memory::new());
            let mut interpreter = Interpreter::new(code, &[0x1000, end]);
            let answer = interpreter.run(&mut cpu, 0x1000, end, &mut Silent);
            // The harness may read the clock; it is no template's instruction. Branches are those of
            // the rows that tests/all/counts.rs counts by hand, each verified step by step.
            let is_other = matches!(instruction.mnemonic(), Mnemonic::Rdtsc | Mnemonic::Stmxcsr)
                || instruction.flow_control() != FlowControl::Next;
            if !is_other && !matches!(answer, Err(Stop::Unknown { .. } | Stop::Outside { .. })) {
                instructions.push(instruction);
            }
        }
    }
    instructions
}

#[test]
fn every_instruction_that_is_interpreted_does_what_the_cpu_does() {
    const STATES: usize = 8;
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let mut random = SplitMix64::new(seed);
    let instructions = accepted(&mut random);
    let mut native = Native::new(&instructions);
    let mut compared: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    for (instruction, place) in instructions.iter().zip(native.places.clone()) {
        let name = format!("{:?}", instruction.code());
        let count = compared.entry(name.clone()).or_default();
        for _ in 0..STATES {
            let address = native.data;
            // The clock is zero for the harness alone, and this is a template.
            let own = [place[1]..place[2]];
            let part = (place[1] - native.start) as usize..(place[2] + 16 - native.start) as usize;
            let bytes = &native.bytes[part];
            let code = Code {
                address: place[1],
                bytes,
                own: &own,
                turn_end: 0,
            };
            let data = &mut native.code.data()[..PAGE];
            fill(data, address, instruction, &mut random);
            let before = data.to_vec();
            let answer = interpret(data, code, &place, None);
            let interpreted = data.to_vec();
            data.copy_from_slice(&before);
            // Where it stops, the CPU might fault.
            if answer.is_err() {
                continue;
            }
            *count += 1;
            native.code.enter(place[0], 0);
            let data = &native.code.data()[..PAGE];
            let undefined = u64::from(instruction.rflags_undefined());
            let defined = (ARITHMETIC | DIRECTION) & !to_rflags(undefined);
            let flags = (at(data, FLAGS) ^ at(&interpreted, FLAGS)) & defined;
            let differs = (REGISTERS..FLAGS)
                .chain(VECTORS..AREA_END)
                .step_by(8)
                .find(|offset| at(data, *offset) != at(&interpreted, *offset));
            if flags != 0 || differs.is_some() {
                let offset = differs.unwrap_or(FLAGS);
                let what = format!(
                    "{instruction}: at {offset:#x} {:#x}, the CPU {:#x}; before {:#x}; flags differ in {flags:#x} \
                     (before {:#x}); rax {:#x} rcx {:#x}",
                    at(&interpreted, offset),
                    at(data, offset),
                    at(&before, offset),
                    at(&before, FLAGS),
                    at(&before, REGISTERS),
                    at(&before, REGISTERS + 8),
                );
                wrong.entry(name.clone()).or_insert(what);
                break;
            }
        }
    }
    let lines: Vec<&String> = wrong.values().collect();
    assert!(
        lines.is_empty(),
        "{} of {}:\n{lines:#?}",
        lines.len(),
        compared.len()
    );
    let never: Vec<_> = compared.iter().filter(|(_, count)| **count == 0).collect();
    assert!(never.is_empty(), "never compared: {never:?}");
    let names: BTreeSet<_> = instructions
        .iter()
        .map(|one| format!("{:?}", one.mnemonic()))
        .collect();
    for wanted in WANTED.split_whitespace() {
        assert!(
            names.contains(wanted),
            "{wanted} is not interpreted: {names:?}"
        );
    }
}

/// What nothing models the CPU runs, one instruction at a time. So it can run what is modelled, and must leave
/// the same: registers, flags, and the operand in memory where it is.
#[test]
fn an_instruction_that_the_cpu_runs_by_itself_does_what_its_model_does() {
    const FIRST: u64 = 0x10_0000;
    let mut random = SplitMix64::new(3);
    let alone = accepted(&mut random).into_iter().filter(native::is_alone);
    let instructions: Vec<Instruction> = (0..)
        .zip(alone)
        .map(|(number, mut instruction)| {
            instruction.set_ip(FIRST + 32 * number);
            instruction
        })
        .collect();
    let named = Carried {
        vectors: 0xffff,
        width: 16,
        ..Carried::default()
    };
    let mut window = Window::reserve().expect("reserves");
    let mut natives = Natives::new(&instructions, &named, &mut window).expect("maps");
    let mut carried = vec![0; (carried::END - carried::REGISTERS) as usize];
    carried[(carried::WIDEST - carried::REGISTERS) as usize] = 16;
    natives.begin(&carried);
    let mut data = vec![0u8; PAGE];
    let mut compared = BTreeSet::new();
    for instruction in &instructions {
        let mut encoder = Encoder::new(64);
        let start = instruction.ip();
        encoder
            .encode(instruction, start)
            .expect("was encoded before");
        let mut bytes = encoder.take_buffer();
        let end = start + bytes.len() as u64;
        bytes.push(0x90);
        let own = [start..end];
        let code = Code {
            address: start,
            bytes: &bytes,
            own: &own,
            turn_end: 0,
        };
        let place = [0, start, end];
        let address = data.as_ptr() as u64;
        fill(&mut data, address, instruction, &mut random);
        let before = data.clone();
        if interpret(&mut data, code, &place, None).is_err() {
            continue;
        }
        let modelled = data.clone();
        data.copy_from_slice(&before);
        interpret(&mut data, code, &place, Some(&mut natives)).expect("runs");
        let undefined = to_rflags(u64::from(instruction.rflags_undefined()));
        let flags = at(&data, FLAGS) & !undefined | at(&modelled, FLAGS) & undefined;
        data[FLAGS..FLAGS + 8].copy_from_slice(&flags.to_le_bytes());
        let differs = (0..PAGE).find(|&at| data[at] != modelled[at]);
        assert_eq!(differs, None, "{instruction}");
        compared.insert(instruction.code());
    }
    assert!(compared.len() > 150, "{}", compared.len());
}

#[test]
fn every_shape_of_instruction_that_go_emits_is_interpreted() {
    let listed = include_str!("../fixtures/go_instructions.txt");
    let mut unknown = Vec::new();
    for line in listed.lines().filter(|line| !line.starts_with('#')) {
        let (hex, text) = line.split_once(' ').expect("bytes and text");
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        let start = 0x10_0000;
        let end = start + bytes.len() as u64;
        let own = [start..end];
        let code = Code {
            address: start,
            bytes: &[bytes, vec![0x90]].concat(),
            own: &own,
            turn_end: 0,
        };
        // Without memory, what loads or stores halts; that too has to be known of it.
        let mut cpu = Cpu::new(Memory::new());
        let answer = Interpreter::new(code, &[start, end]).run(&mut cpu, start, end, &mut Silent);
        if let Err(Stop::Unknown { .. }) = answer {
            unknown.push(text.trim());
        }
    }
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(listed.lines().count() > 100);
}

/// iced numbers flags by itself.
fn to_rflags(bits: u64) -> u64 {
    use iced_x86::RflagsBits as Bits;
    [
        (Bits::CF, 0),
        (Bits::PF, 2),
        (Bits::AF, 4),
        (Bits::ZF, 6),
        (Bits::SF, 7),
        (Bits::DF, 10),
        (Bits::OF, 11),
    ]
    .into_iter()
    .filter(|(bit, _)| bits & u64::from(*bit) != 0)
    .map(|(_, place)| 1 << place)
    .sum()
}

/// What shipped templates and Go's compilers use, and their neighbours.
const WANTED: &str = "Mov Cmp Lea Test Nop Inc Add Sub And Dec Shl Shr Sar Rol Ror Rcl Rcr Movzx Movsx Movsxd \
    Xor Or Push Pop Sete Setne Setae Sbb Adc Bsf Bsr Bt Bts Btr Btc Imul Mul Div Idiv Not Neg Cmove Cmova \
    Xchg Xadd Cmpxchg Shld Shrd Cdq Cqo Cdqe Bswap Movsb Movsq Stosb Stosq Lodsb Scasb Cmpsb Leave Pushfq Popfq \
    Movups Movdqu Xorps Pxor Movss Movd Movq Addsd Mulsd Divsd Subsd Sqrtsd Ucomisd Cvtsi2sd Cvttsd2si \
    Cvtss2sd Cvtsd2ss Pcmpeqb Pmovmskb Pshufd Punpcklqdq Paddq Psllq Psrldq Andps Minsd Maxsd";
