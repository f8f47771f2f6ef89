//! From an instruction's bytes to an [`Op`], once.
//!
//! Correct means: an instruction whose every effect is known becomes an op that has it, and any
//! other is refused with its mnemonic.

use iced_x86::{Code, ConditionCode, Instruction, Mnemonic, OpKind, Register};

use super::cpu::{ANY, GS, HIGH_BYTE, I, M, NO_REGISTER, Op, R, Run, X};
use super::integer::{self as int, by_width};
use super::{Known, vector};

/// The op of an instruction, or why there is none. `known` has what an environment vouches for.
pub(super) fn op_of(instruction: &Instruction, known: Known) -> Result<Op, String> {
    let (mut op, bits) = operands(instruction)?;
    if is_string(instruction) {
        return string(instruction, op).ok_or_else(|| mnemonic(instruction));
    }
    op.bits = bits[0] as u8;
    let run = run_of(instruction, &mut op, bits, known);
    op.run = run.ok_or_else(|| mnemonic(instruction))?;
    Ok(op)
}

fn mnemonic(instruction: &Instruction) -> String {
    format!("{:?}", instruction.mnemonic()).to_lowercase()
}

/// An op that does nothing yet, and the width of each operand.
fn operands(instruction: &Instruction) -> Result<(Op, [u32; 3]), String> {
    let refuse = || mnemonic(instruction);
    let mut op = nothing(instruction);
    let mut bits = [0; 3];
    if is_string(instruction) {
        return Ok((op, bits));
    }
    if instruction.op_count() > 3 {
        return Err(refuse());
    }
    for at in 0..instruction.op_count() {
        let place = at as usize;
        (op.kind[place], bits[place]) = match instruction.op_kind(at) {
            OpKind::Register => {
                let register = instruction.op_register(at);
                let (kind, number) = slot(register).ok_or_else(refuse)?;
                op.number[place] = number;
                (kind, register.size() as u32 * 8)
            }
            OpKind::Memory => {
                memory(instruction, &mut op).ok_or_else(refuse)?;
                (M, instruction.memory_size().size() as u32 * 8)
            }
            OpKind::Immediate8
            | OpKind::Immediate8_2nd
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64 => {
                op.immediate = instruction.immediate(at);
                (I, 0)
            }
            OpKind::NearBranch64 => (I, 64),
            _ => return Err(refuse()),
        };
    }
    Ok((op, bits))
}

/// An op that runs by itself, and is known by a number.
pub(super) fn native_of(instruction: &Instruction, number: u32) -> Option<Op> {
    let mut op = Op {
        run: super::native::run,
        ..nothing(instruction)
    };
    op.immediate = u64::from(number);
    if (0..instruction.op_count()).any(|at| instruction.op_kind(at) == OpKind::Memory) {
        memory(instruction, &mut op)?;
        op.kind[0] = M;
    }
    Some(op)
}

fn nothing(instruction: &Instruction) -> Op {
    Op {
        run: int::nothing,
        ip: instruction.ip(),
        immediate: 0,
        displacement: 0,
        number: [0; 3],
        kind: [ANY; 3],
        base: NO_REGISTER,
        index: NO_REGISTER,
        shift: 0,
        segment: NO_REGISTER,
        bits: 0,
        choice: 0,
    }
}

/// An op whose operand 0 is where an indirect branch goes.
pub(super) fn target_of(instruction: &Instruction) -> Result<Op, String> {
    let is_64 = match instruction.op0_kind() {
        OpKind::Register => instruction.op0_register().is_gpr64(),
        OpKind::Memory => {
            instruction.memory_size().size() == 8
                && !instruction.is_jmp_far_indirect()
                && !instruction.is_call_far_indirect()
        }
        _ => false,
    };
    if is_64 {
        operands(instruction).map(|(op, _)| op)
    } else {
        Err(mnemonic(instruction))
    }
}

fn slot(register: Register) -> Option<(u8, u8)> {
    let number = register.number() as u8;
    if matches!(
        register,
        Register::AH | Register::CH | Register::DH | Register::BH
    ) {
        let whole = register.full_register().number() as u8;
        Some((R, HIGH_BYTE + whole))
    } else if register.is_gpr() {
        Some((R, register.full_register().number() as u8))
    } else if register.is_xmm() && number < 16 {
        Some((X, number))
    } else {
        None
    }
}

/// Fills in a memory operand.
fn memory(instruction: &Instruction, op: &mut Op) -> Option<()> {
    let register = |register: Register| match register {
        Register::None | Register::RIP => Some(NO_REGISTER),
        register if register.is_gpr64() => Some(register.number() as u8),
        _ => None,
    };
    op.base = register(instruction.memory_base())?;
    op.index = register(instruction.memory_index())?;
    op.shift = instruction.memory_index_scale().trailing_zeros() as u8;
    op.displacement = instruction.memory_displacement64();
    let is_short = instruction.memory_base() == Register::None
        && instruction.memory_index() == Register::None
        && instruction.memory_displ_size() == 4;
    // Without registers the address size shows in the displacement only.
    if is_short && op.displacement != op.displacement as i32 as u64 {
        return None;
    }
    op.segment = match instruction.segment_prefix() {
        Register::GS => GS,
        Register::FS => return None,
        _ => NO_REGISTER,
    };
    Some(())
}

fn is_string(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|at| {
        matches!(
            instruction.op_kind(at),
            OpKind::MemorySegRSI | OpKind::MemoryESRDI | OpKind::MemorySegESI | OpKind::MemoryESEDI
        )
    })
}

fn string(instruction: &Instruction, mut op: Op) -> Option<Op> {
    use Mnemonic::*;
    let is_wide = (0..instruction.op_count()).all(|at| {
        !matches!(
            instruction.op_kind(at),
            OpKind::MemorySegESI | OpKind::MemoryESEDI
        )
    });
    let has_segment = matches!(instruction.segment_prefix(), Register::FS | Register::GS);
    if !is_wide || has_segment {
        return None;
    }
    op.choice = match instruction.mnemonic() {
        Movsb | Movsw | Movsd | Movsq => int::MOVS,
        Stosb | Stosw | Stosd | Stosq => int::STOS,
        Lodsb | Lodsw | Lodsd | Lodsq => int::LODS,
        Scasb | Scasw | Scasd | Scasq => int::SCAS,
        Cmpsb | Cmpsw | Cmpsd | Cmpsq => int::CMPS,
        _ => return None,
    };
    op.number[0] = match (instruction.has_rep_prefix(), instruction.has_repne_prefix()) {
        (true, _) => 1,
        (_, true) => 2,
        _ => 0,
    };
    let bits = instruction.memory_size().size() as u32 * 8;
    op.run = by_width!(bits, string_run);
    Some(op)
}

fn string_run<const W: u32>(cpu: &mut super::Cpu<'_>, op: &Op) -> Option<()> {
    int::string::<W>(cpu, op)
}

/// The number of a condition in the order of the opcodes.
pub(super) fn condition(instruction: &Instruction) -> u8 {
    // iced counts from 1 in the same order.
    (instruction.condition_code() as u8).wrapping_sub(1)
}

fn run_of(instruction: &Instruction, op: &mut Op, bits: [u32; 3], known: Known) -> Option<Run> {
    // Integer instructions have no vector operand.
    if op.kind.contains(&X) {
        return vector::run_of(instruction);
    }
    integer(instruction, op, bits).or_else(|| other(instruction, op, bits, known))
}

fn integer(instruction: &Instruction, op: &mut Op, bits: [u32; 3]) -> Option<Run> {
    use Mnemonic::*;
    let width = bits[0];
    Some(match instruction.mnemonic() {
        Mov => int::arithmetic(int::MOV, width, op.kind),
        Movnti => int::arithmetic(int::MOV, width, op.kind),
        Add => int::arithmetic(int::ADD, width, op.kind),
        Or => int::arithmetic(int::OR, width, op.kind),
        Adc => int::arithmetic(int::ADC, width, op.kind),
        Sbb => int::arithmetic(int::SBB, width, op.kind),
        And => int::arithmetic(int::AND, width, op.kind),
        Sub => int::arithmetic(int::SUB, width, op.kind),
        Xor => int::arithmetic(int::XOR, width, op.kind),
        Cmp => int::arithmetic(int::CMP, width, op.kind),
        Test => int::arithmetic(int::TEST, width, op.kind),
        Lea => match width {
            16 => int::lea::<16>,
            32 => int::lea::<32>,
            _ => int::lea::<64>,
        },
        Inc => by_width!(width, inc),
        Dec => by_width!(width, dec),
        Neg => by_width!(width, neg),
        Not => by_width!(width, not),
        Movzx => by_width!(bits[1], movzx),
        Movsx | Movsxd => by_width!(bits[1], movsx),
        Xchg => by_width!(width, xchg),
        Xadd => by_width!(width, xadd),
        Cmpxchg => by_width!(width, cmpxchg),
        Shl | Sal => by_width!(width, shl),
        Shr => by_width!(width, shr),
        Sar => by_width!(width, sar),
        Rol => by_width!(width, rol),
        Ror => by_width!(width, ror),
        Rcl => by_width!(width, rcl),
        Rcr => by_width!(width, rcr),
        Shld => by_width!(width, shld),
        Shrd => by_width!(width, shrd),
        Shlx => by_width!(width, shlx),
        Shrx => by_width!(width, shrx),
        Sarx => by_width!(width, sarx),
        Rorx => by_width!(width, rorx),
        Mul => by_width!(width, mul),
        Imul if instruction.op_count() == 1 => by_width!(width, imul),
        Imul => {
            op.choice = instruction.op_count() as u8;
            by_width!(width, multiply)
        }
        Mulx => by_width!(width, mulx),
        Div => by_width!(width, div),
        Idiv => by_width!(width, idiv),
        Bt | Btr | Bts | Btc => {
            op.choice = match instruction.mnemonic() {
                Bt => 0,
                Btr => 1,
                Bts => 2,
                _ => 3,
            };
            by_width!(width, bit)
        }
        Bsf => by_width!(width, bsf),
        Bsr => by_width!(width, bsr),
        Tzcnt | Lzcnt | Popcnt => {
            op.choice = match instruction.mnemonic() {
                Tzcnt => 0,
                Lzcnt => 1,
                _ => 2,
            };
            by_width!(width, count)
        }
        Andn => by_width!(width, andn),
        Blsi | Blsmsk | Blsr => {
            op.choice = match instruction.mnemonic() {
                Blsi => 0,
                Blsmsk => 1,
                _ => 2,
            };
            by_width!(width, lowest)
        }
        Bextr => by_width!(width, bextr),
        Bzhi => by_width!(width, bzhi),
        Pdep => by_width!(width, pdep),
        Pext => by_width!(width, pext),
        Bswap if width > 16 => by_width!(width, bswap),
        Movbe => by_width!(width, movbe),
        _ => return None,
    })
}

fn other(instruction: &Instruction, op: &mut Op, bits: [u32; 3], known: Known) -> Option<Run> {
    use Mnemonic::*;
    if instruction.condition_code() != ConditionCode::None {
        op.choice = condition(instruction);
        // By the operands it is a cmov, a setcc, or something newer.
        return match instruction.op_count() {
            1 => Some(int::setcc),
            2 => Some(by_width!(bits[0], cmov)),
            _ => None,
        };
    }
    Some(match instruction.mnemonic() {
        Nop | Pause | Lfence | Sfence | Mfence | Endbr64 | Prefetcht0 | Prefetcht1 | Prefetcht2
        | Prefetchnta | Prefetchw | Prefetch => int::nothing,
        Push if is_16(instruction) => int::push::<16>,
        Push => int::push::<64>,
        Pop if is_16(instruction) => int::pop::<16>,
        Pop => int::pop::<64>,
        Leave if instruction.code() == Code::Leaveq => int::leave,
        Pushf => int::pushf::<16>,
        Pushfq => int::pushf::<64>,
        Popfq => int::popf,
        Lahf => int::lahf,
        Sahf => int::sahf,
        Clc => int::set_carry,
        Stc | Cmc => {
            op.choice = if instruction.mnemonic() == Stc { 1 } else { 2 };
            int::set_carry
        }
        Cld => int::set_direction,
        Std => {
            op.choice = 1;
            int::set_direction
        }
        Cbw => int::widen::<16>,
        Cwde => int::widen::<32>,
        Cdqe => int::widen::<64>,
        Cwd => int::spread_sign::<16>,
        Cdq => int::spread_sign::<32>,
        Cqo => int::spread_sign::<64>,
        Rdtsc if known == Known::Harness => zero_clock,
        Stmxcsr if known == Known::Harness => default_mxcsr,
        _ => return None,
    })
}

fn is_16(instruction: &Instruction) -> bool {
    instruction.stack_pointer_increment().unsigned_abs() == 2
}

/// Time stands still: nothing but a stamp is made of it.
fn zero_clock(cpu: &mut super::Cpu<'_>, _: &Op) -> Option<()> {
    cpu.put::<64>(super::cpu::RAX, 0);
    cpu.put::<64>(super::cpu::RDX, 0);
    Some(())
}

fn default_mxcsr(cpu: &mut super::Cpu<'_>, op: &Op) -> Option<()> {
    const DEFAULT: u64 = 0x1f80;
    let address = cpu.address(op);
    cpu.store::<32>(address, DEFAULT)
}

/// Names for what is specialised by more than a width, so that one macro serves all.
macro_rules! named {
    ($($name:ident = $from:ident $(, $more:expr)*;)*) => {
        $(fn $name<const W: u32>(cpu: &mut super::Cpu<'_>, op: &Op) -> Option<()> {
            int::$from::<W $(, { $more })*>(cpu, op)
        })*
    };
}

named! {
    inc = step, true;
    dec = step, false;
    neg = neg;
    not = not;
    movzx = extend, false;
    movsx = extend, true;
    cmov = cmov;
    xchg = xchg;
    xadd = xadd;
    cmpxchg = cmpxchg;
    shl = shift, int::SHL;
    shr = shift, int::SHR;
    sar = shift, int::SAR;
    rol = shift, int::ROL;
    ror = shift, int::ROR;
    rcl = shift, int::RCL;
    rcr = shift, int::RCR;
    shld = double_shift, true;
    shrd = double_shift, false;
    shlx = flagless_shift, int::SHL;
    shrx = flagless_shift, int::SHR;
    sarx = flagless_shift, int::SAR;
    rorx = flagless_shift, int::ROR;
    mul = wide_multiply, false;
    imul = wide_multiply, true;
    multiply = multiply;
    mulx = mulx;
    div = divide, false;
    idiv = divide, true;
    bit = bit;
    bsf = scan, true;
    bsr = scan, false;
    count = count;
    andn = andn;
    lowest = lowest;
    bextr = bextr;
    bzhi = bzhi;
    pdep = scatter, true;
    pext = scatter, false;
    bswap = bswap;
    movbe = movbe;
}
