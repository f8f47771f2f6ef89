//! What SSE instructions do.
//!
//! Correct means: each does what the CPU does with MXCSR at its default, NaNs included; the sticky
//! exception flags of MXCSR are not kept, and what reads them is not interpreted.

use iced_x86::{Instruction, Mnemonic};

use super::cpu::{CF, Cpu, M, Op, PF, Run, X, ZF, mask};

fn xmm(cpu: &Cpu<'_>, op: &Op, which: usize) -> u128 {
    cpu.vectors[usize::from(op.number[which] & 15)]
}

fn put(cpu: &mut Cpu<'_>, op: &Op, value: u128) -> Option<()> {
    cpu.vectors[usize::from(op.number[0] & 15)] = value;
    Some(())
}

/// All of operand 1; from memory it has to be aligned.
fn whole(cpu: &mut Cpu<'_>, op: &Op) -> Option<u128> {
    if op.kind[1] == M {
        let address = cpu.address(op);
        cpu.load_vector(address, true)
    } else {
        Some(xmm(cpu, op, 1))
    }
}

/// The low `W` bits of operand 1, from wherever it is.
fn low<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<u64> {
    if op.kind[1] == X {
        Some(xmm(cpu, op, 1) as u64 & mask(W))
    } else {
        cpu.read::<W, { super::cpu::ANY }>(op, 1)
    }
}

/// Lane by lane of a type.
macro_rules! lanes {
    ($lane:ty, $a:expr, $b:expr, $f:expr) => {{
        const BYTES: usize = size_of::<$lane>();
        let (a, b): (u128, u128) = ($a, $b);
        let mut result = 0u128;
        for lane in 0..16 / BYTES {
            let at = 8 * BYTES * lane;
            let f: fn($lane, $lane) -> $lane = $f;
            let one = f((a >> at) as $lane, (b >> at) as $lane);
            result |= u128::from(u64::from_le_bytes({
                let mut bytes = [0; 8];
                bytes[..BYTES].copy_from_slice(&one.to_le_bytes());
                bytes
            })) << at;
        }
        result
    }};
}

/// An instruction that makes operand 0 out of itself and a whole operand 1.
macro_rules! packed {
    (|$a:ident, $b:ident| $body:expr) => {{
        fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
            let $b = whole(cpu, op)?;
            let $a = xmm(cpu, op, 0);
            put(cpu, op, $body)
        }
        run as Run
    }};
    ($lane:ty, $f:expr) => {
        packed!(|a, b| lanes!($lane, a, b, $f))
    };
}

/// The same, with the immediate.
macro_rules! chosen {
    (|$a:ident, $b:ident, $choice:ident| $body:expr) => {{
        fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
            let $b = whole(cpu, op)?;
            let $a = xmm(cpu, op, 0);
            let $choice = op.immediate as u8;
            put(cpu, op, $body)
        }
        run as Run
    }};
}

fn single(bits: u128) -> f32 {
    f32::from_bits(bits as u32)
}

fn double(bits: u128) -> f64 {
    f64::from_bits(bits as u64)
}

/// The result of an operation on floats as x86 has it: the first NaN made quiet, or its own NaN,
/// whose sign is set.
macro_rules! float {
    ($name:ident, $float:ty, $bits:ty, $quiet:expr, $default:expr) => {
        fn $name(a: $bits, b: $bits, f: fn($float, $float) -> $float) -> $bits {
            let (x, y) = (<$float>::from_bits(a), <$float>::from_bits(b));
            if x.is_nan() {
                return a | $quiet;
            }
            if y.is_nan() {
                return b | $quiet;
            }
            let result = f(x, y);
            if result.is_nan() {
                $default
            } else {
                result.to_bits()
            }
        }
    };
}
float!(float32, f32, u32, 1 << 22, 0xffc0_0000);
float!(float64, f64, u64, 1 << 51, 0xfff8_0000_0000_0000);

/// One operation as `ss`, `sd`, `ps`, `pd`, by the letters that its name ends in.
macro_rules! floats {
    ($form:expr, |$x:ident, $y:ident| $body:expr) => {
        match $form {
            Form::Ss => {
                fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                    let b = low::<32>(cpu, op)? as u32;
                    let a = xmm(cpu, op, 0);
                    let result = float32(a as u32, b, |$x, $y| $body);
                    put(cpu, op, a & !u128::from(u32::MAX) | u128::from(result))
                }
                run as Run
            }
            Form::Sd => {
                fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                    let b = low::<64>(cpu, op)?;
                    let a = xmm(cpu, op, 0);
                    let result = float64(a as u64, b, |$x, $y| $body);
                    put(cpu, op, a & !u128::from(u64::MAX) | u128::from(result))
                }
                run as Run
            }
            Form::Ps => packed!(u32, |a, b| float32(a, b, |$x, $y| $body)),
            Form::Pd => packed!(u64, |a, b| float64(a, b, |$x, $y| $body)),
        }
    };
}

/// `min` and `max`, which give the second operand where there is no order.
macro_rules! extremes {
    ($form:expr, $compare:tt) => {
        match $form {
            Form::Ss => {
                fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                    let b = low::<32>(cpu, op)?;
                    let a = xmm(cpu, op, 0);
                    let keeps = single(a) $compare single(u128::from(b));
                    let result = if keeps { a as u32 } else { b as u32 };
                    put(cpu, op, a & !u128::from(u32::MAX) | u128::from(result))
                }
                run as Run
            }
            Form::Sd => {
                fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                    let b = low::<64>(cpu, op)?;
                    let a = xmm(cpu, op, 0);
                    let keeps = double(a) $compare double(u128::from(b));
                    let result = if keeps { a as u64 } else { b };
                    put(cpu, op, a & !u128::from(u64::MAX) | u128::from(result))
                }
                run as Run
            }
            Form::Ps => packed!(u32, |a, b| if f32::from_bits(a) $compare f32::from_bits(b) { a } else { b }),
            Form::Pd => packed!(u64, |a, b| if f64::from_bits(a) $compare f64::from_bits(b) { a } else { b }),
        }
    };
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Ss,
    Sd,
    Ps,
    Pd,
}

/// What an instruction does, where it is one of these.
pub(super) fn run_of(instruction: &Instruction) -> Option<Run> {
    moves(instruction)
        .or_else(|| bitwise(instruction.mnemonic()))
        .or_else(|| integers(instruction.mnemonic()))
        .or_else(|| shuffles(instruction.mnemonic()))
        .or_else(|| shifts(instruction.mnemonic()))
        .or_else(|| floating(instruction.mnemonic()))
        .or_else(|| conversions(instruction))
}

/// A whole register, aligned or not.
fn move_whole<const IS_ALIGNED: bool>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    if op.kind[0] == M {
        let address = cpu.address(op);
        let value = xmm(cpu, op, 1);
        return cpu.store_vector(address, value, IS_ALIGNED);
    }
    let value = if op.kind[1] == M {
        let address = cpu.address(op);
        cpu.load_vector(address, IS_ALIGNED)?
    } else {
        xmm(cpu, op, 1)
    };
    put(cpu, op, value)
}

/// `movss`, `movsd`: between registers the upper part stays, a load zeroes it.
fn move_scalar<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = low::<W>(cpu, op)?;
    if op.kind[0] == M {
        let address = cpu.address(op);
        return cpu.store::<W>(address, value);
    }
    let kept = if op.kind[1] == M {
        0
    } else {
        xmm(cpu, op, 0) & !u128::from(mask(W))
    };
    put(cpu, op, kept | u128::from(value))
}

/// `movd`, `movq`: the rest is zeroed, in whatever kind of register.
fn move_low<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = low::<W>(cpu, op)?;
    if op.kind[0] == X {
        put(cpu, op, u128::from(value))
    } else {
        cpu.write::<W, { super::cpu::ANY }>(op, 0, value)
    }
}

/// `movlps`, `movhps`, `movhlps`, `movlhps` and their like: one half from another.
fn move_half<const TO_HIGH: bool, const FROM_HIGH: bool>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    if op.kind[0] == M {
        let half = xmm(cpu, op, 1) >> if TO_HIGH { 64 } else { 0 };
        let address = cpu.address(op);
        return cpu.store::<64>(address, half as u64);
    }
    let half = if op.kind[1] == M {
        let address = cpu.address(op);
        cpu.load::<64>(address)?
    } else {
        (xmm(cpu, op, 1) >> if FROM_HIGH { 64 } else { 0 }) as u64
    };
    let before = xmm(cpu, op, 0);
    let low = u128::from(u64::MAX);
    let value = if TO_HIGH {
        before & low | u128::from(half) << 64
    } else {
        before & !low | u128::from(half)
    };
    put(cpu, op, value)
}

fn moves(instruction: &Instruction) -> Option<Run> {
    use Mnemonic::*;
    let is_wide =
        instruction.op_count() == 2 && (0..2).any(|at| instruction.op_register(at).is_gpr64());
    Some(match instruction.mnemonic() {
        Movups | Movupd | Movdqu | Lddqu => move_whole::<false>,
        Movaps | Movapd | Movdqa | Movntps | Movntpd | Movntdq => move_whole::<true>,
        Movss => move_scalar::<32>,
        Movsd => move_scalar::<64>,
        Movd if is_wide => move_low::<64>,
        Movd => move_low::<32>,
        Movq => move_low::<64>,
        Movlps | Movlpd => move_half::<false, false>,
        Movhps | Movhpd => move_half::<true, false>,
        Movhlps => move_half::<false, true>,
        Movlhps => move_half::<true, false>,
        _ => return None,
    })
}

fn bitwise(mnemonic: Mnemonic) -> Option<Run> {
    use Mnemonic::*;
    Some(match mnemonic {
        Xorps | Xorpd | Pxor => packed!(|a, b| a ^ b),
        Andps | Andpd | Pand => packed!(|a, b| a & b),
        Orps | Orpd | Por => packed!(|a, b| a | b),
        Andnps | Andnpd | Pandn => packed!(|a, b| !a & b),
        Ptest => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let b = whole(cpu, op)?;
                let a = xmm(cpu, op, 0);
                let zero = if a & b == 0 { ZF } else { 0 };
                let carry = if !a & b == 0 { CF } else { 0 };
                cpu.set_arithmetic(zero | carry);
                Some(())
            }
            run
        }
        _ => return None,
    })
}

fn integers(mnemonic: Mnemonic) -> Option<Run> {
    use Mnemonic::*;
    Some(match mnemonic {
        Paddb => packed!(u8, |a, b| a.wrapping_add(b)),
        Paddw => packed!(u16, |a, b| a.wrapping_add(b)),
        Paddd => packed!(u32, |a, b| a.wrapping_add(b)),
        Paddq => packed!(u64, |a, b| a.wrapping_add(b)),
        Psubb => packed!(u8, |a, b| a.wrapping_sub(b)),
        Psubw => packed!(u16, |a, b| a.wrapping_sub(b)),
        Psubd => packed!(u32, |a, b| a.wrapping_sub(b)),
        Psubq => packed!(u64, |a, b| a.wrapping_sub(b)),
        Pcmpeqb => packed!(u8, |a, b| if a == b { u8::MAX } else { 0 }),
        Pcmpeqw => packed!(u16, |a, b| if a == b { u16::MAX } else { 0 }),
        Pcmpeqd => packed!(u32, |a, b| if a == b { u32::MAX } else { 0 }),
        Pcmpeqq => packed!(u64, |a, b| if a == b { u64::MAX } else { 0 }),
        Pcmpgtb => packed!(i8, |a, b| if a > b { -1 } else { 0 }),
        Pcmpgtw => packed!(i16, |a, b| if a > b { -1 } else { 0 }),
        Pcmpgtd => packed!(i32, |a, b| if a > b { -1 } else { 0 }),
        Pminub => packed!(u8, |a, b| a.min(b)),
        Pmaxub => packed!(u8, |a, b| a.max(b)),
        Pminsw => packed!(i16, |a, b| a.min(b)),
        Pmaxsw => packed!(i16, |a, b| a.max(b)),
        Pmullw => packed!(u16, |a, b| a.wrapping_mul(b)),
        Pmulld => packed!(u32, |a, b| a.wrapping_mul(b)),
        Pmulhuw => packed!(u16, |a, b| ((u32::from(a) * u32::from(b)) >> 16) as u16),
        Pmulhw => packed!(i16, |a, b| ((i32::from(a) * i32::from(b)) >> 16) as i16),
        Pmuludq => packed!(u64, |a, b| (a & mask(32)) * (b & mask(32))),
        Pavgb => packed!(u8, |a, b| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8),
        Paddusb => packed!(u8, |a, b| a.saturating_add(b)),
        Psubusb => packed!(u8, |a, b| a.saturating_sub(b)),
        Pmovmskb => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let bytes = xmm(cpu, op, 1).to_le_bytes();
                let signs = (0..16).map(|at| u64::from(bytes[at] >> 7) << at).sum();
                cpu.put::<64>(op.number[0], signs);
                Some(())
            }
            run
        }
        Movmskps => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let bits = xmm(cpu, op, 1);
                let sign = |at: u32| (bits >> (32 * at + 31) & 1) as u64;
                let signs = (0..4).map(|at| sign(at) << at).sum();
                cpu.put::<64>(op.number[0], signs);
                Some(())
            }
            run
        }
        Movmskpd => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let bits = xmm(cpu, op, 1);
                let signs = bits >> 63 & 1 | (bits >> 127 & 1) << 1;
                cpu.put::<64>(op.number[0], signs as u64);
                Some(())
            }
            run
        }
        _ => return None,
    })
}

/// Takes 32-bit lanes of `from` by two bits each of a choice.
fn dwords(from: u128, choice: u8) -> u128 {
    (0..4).fold(0, |result, at: u32| {
        let lane = from >> (32 * u32::from(choice >> (2 * at) & 3)) & u128::from(u32::MAX);
        result | lane << (32 * at)
    })
}

/// The same of the four 16-bit lanes that begin at a bit; the others stay.
fn words(from: u128, choice: u8, first: u32) -> u128 {
    let four = u128::from(u64::MAX) << first;
    (0..4).fold(from & !four, |result, at: u32| {
        let lane = from >> (first + 16 * u32::from(choice >> (2 * at) & 3)) & 0xffff;
        result | lane << (first + 16 * at)
    })
}

/// Lanes of two operands in turn, from the low or the high half.
fn unpack(a: u128, b: u128, bits: u32, is_high: bool) -> u128 {
    let ones = u128::MAX >> (128 - bits);
    let lanes = 64 / bits;
    let first = if is_high { 64 } else { 0 };
    (0..lanes).fold(0, |result, at| {
        let from = first + at * bits;
        let pair = (a >> from & ones) | (b >> from & ones) << bits;
        result | pair << (2 * bits * at)
    })
}

fn shuffles(mnemonic: Mnemonic) -> Option<Run> {
    use Mnemonic::*;
    Some(match mnemonic {
        Pshufd => chosen!(|_a, b, choice| dwords(b, choice)),
        Pshuflw => chosen!(|_a, b, choice| words(b, choice, 0)),
        Pshufhw => chosen!(|_a, b, choice| words(b, choice, 64)),
        Shufps => chosen!(|a, b, choice| {
            let low = u128::from(u64::MAX);
            dwords(a, choice) & low | dwords(b, choice) & !low
        }),
        Shufpd => chosen!(|a, b, choice| {
            let half = |from: u128, bit: u8| {
                from >> (64 * u32::from(choice >> bit & 1)) & u128::from(u64::MAX)
            };
            half(a, 0) | half(b, 1) << 64
        }),
        Pshufb => packed!(|a, b| {
            let (from, by) = (a.to_le_bytes(), b.to_le_bytes());
            let byte = |by: u8| {
                if by >> 7 == 1 {
                    0
                } else {
                    from[usize::from(by & 15)]
                }
            };
            u128::from_le_bytes(by.map(byte))
        }),
        Palignr => chosen!(|a, b, choice| match u32::from(choice) {
            0 => b,
            bytes @ 1..16 => b >> (8 * bytes) | a << (128 - 8 * bytes),
            bytes @ 16..32 => a >> (8 * (bytes - 16)),
            _ => 0,
        }),
        Punpcklbw => packed!(|a, b| unpack(a, b, 8, false)),
        Punpckhbw => packed!(|a, b| unpack(a, b, 8, true)),
        Punpcklwd => packed!(|a, b| unpack(a, b, 16, false)),
        Punpckhwd => packed!(|a, b| unpack(a, b, 16, true)),
        Punpckldq | Unpcklps => packed!(|a, b| unpack(a, b, 32, false)),
        Punpckhdq | Unpckhps => packed!(|a, b| unpack(a, b, 32, true)),
        Punpcklqdq | Unpcklpd => packed!(|a, b| unpack(a, b, 64, false)),
        Punpckhqdq | Unpckhpd => packed!(|a, b| unpack(a, b, 64, true)),
        _ => return None,
    })
}

/// Shifts each lane by one count, which is an immediate or the low half of operand 1.
macro_rules! shifted {
    ($lane:ty, |$value:ident, $count:ident| $body:expr) => {{
        fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
            let count = match op.kind[1] {
                super::cpu::I => op.immediate & 0xff,
                _ => whole(cpu, op)? as u64,
            };
            const BYTES: usize = size_of::<$lane>();
            let a = xmm(cpu, op, 0);
            let mut result = 0u128;
            for lane in 0..16 / BYTES {
                let at = 8 * BYTES * lane;
                let f = |$value: $lane, $count: u64| -> $lane { $body };
                let one = f((a >> at) as $lane, count);
                result |= (one as u128 & (u128::MAX >> (128 - 8 * BYTES))) << at;
            }
            put(cpu, op, result)
        }
        run as Run
    }};
}

fn shifts(mnemonic: Mnemonic) -> Option<Run> {
    use Mnemonic::*;
    Some(match mnemonic {
        Psllw => shifted!(u16, |value, count| if count < 16 {
            value << count
        } else {
            0
        }),
        Pslld => shifted!(u32, |value, count| if count < 32 {
            value << count
        } else {
            0
        }),
        Psllq => shifted!(u64, |value, count| if count < 64 {
            value << count
        } else {
            0
        }),
        Psrlw => shifted!(u16, |value, count| if count < 16 {
            value >> count
        } else {
            0
        }),
        Psrld => shifted!(u32, |value, count| if count < 32 {
            value >> count
        } else {
            0
        }),
        Psrlq => shifted!(u64, |value, count| if count < 64 {
            value >> count
        } else {
            0
        }),
        Psraw => shifted!(i16, |value, count| value >> count.min(15)),
        Psrad => shifted!(i32, |value, count| value >> count.min(31)),
        Pslldq => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let bytes = (op.immediate & 0xff) as u32;
                let value = xmm(cpu, op, 0);
                put(cpu, op, if bytes < 16 { value << (8 * bytes) } else { 0 })
            }
            run
        }
        Psrldq => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let bytes = (op.immediate & 0xff) as u32;
                let value = xmm(cpu, op, 0);
                put(cpu, op, if bytes < 16 { value >> (8 * bytes) } else { 0 })
            }
            run
        }
        _ => return None,
    })
}

fn compare<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let b = u128::from(low::<W>(cpu, op)?);
    let a = xmm(cpu, op, 0);
    let order = if W == 32 {
        single(a).partial_cmp(&single(b))
    } else {
        double(a).partial_cmp(&double(b))
    };
    cpu.set_arithmetic(match order {
        None => ZF | PF | CF,
        Some(std::cmp::Ordering::Less) => CF,
        Some(std::cmp::Ordering::Equal) => ZF,
        Some(std::cmp::Ordering::Greater) => 0,
    });
    Some(())
}

fn floating(mnemonic: Mnemonic) -> Option<Run> {
    use Form::{Pd, Ps, Sd, Ss};
    use Mnemonic::*;
    let add = |form| floats!(form, |x, y| x + y);
    let subtract = |form| floats!(form, |x, y| x - y);
    let multiply = |form| floats!(form, |x, y| x * y);
    let divide = |form| floats!(form, |x, y| x / y);
    let least = |form| extremes!(form, <);
    let most = |form| extremes!(form, >);
    Some(match mnemonic {
        Addss => add(Ss),
        Addsd => add(Sd),
        Addps => add(Ps),
        Addpd => add(Pd),
        Subss => subtract(Ss),
        Subsd => subtract(Sd),
        Subps => subtract(Ps),
        Subpd => subtract(Pd),
        Mulss => multiply(Ss),
        Mulsd => multiply(Sd),
        Mulps => multiply(Ps),
        Mulpd => multiply(Pd),
        Divss => divide(Ss),
        Divsd => divide(Sd),
        Divps => divide(Ps),
        Divpd => divide(Pd),
        Minss => least(Ss),
        Minsd => least(Sd),
        Minps => least(Ps),
        Minpd => least(Pd),
        Maxss => most(Ss),
        Maxsd => most(Sd),
        Maxps => most(Ps),
        Maxpd => most(Pd),
        Sqrtss => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let b = low::<32>(cpu, op)? as u32;
                let result = float32(b, 0, |x, _| x.sqrt());
                let kept = xmm(cpu, op, 0) & !u128::from(u32::MAX);
                put(cpu, op, kept | u128::from(result))
            }
            run
        }
        Sqrtsd => {
            fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
                let b = low::<64>(cpu, op)?;
                let result = float64(b, 0, |x, _| x.sqrt());
                let kept = xmm(cpu, op, 0) & !u128::from(u64::MAX);
                put(cpu, op, kept | u128::from(result))
            }
            run
        }
        Sqrtps => packed!(|_a, b| lanes!(u32, b, 0, |x, _| float32(x, 0, |x, _| x.sqrt()))),
        Sqrtpd => packed!(|_a, b| lanes!(u64, b, 0, |x, _| float64(x, 0, |x, _| x.sqrt()))),
        Ucomiss | Comiss => compare::<32>,
        Ucomisd | Comisd => compare::<64>,
        _ => return None,
    })
}

/// From a float to an integer of W bits; what does not fit is the smallest integer.
fn to_integer<const W: u32, const IS_SINGLE: bool, const CUTS: bool>(
    cpu: &mut Cpu<'_>,
    op: &Op,
) -> Option<()> {
    let value = if IS_SINGLE {
        f64::from(f32::from_bits(low::<32>(cpu, op)? as u32))
    } else {
        f64::from_bits(low::<64>(cpu, op)?)
    };
    let value = if CUTS {
        value.trunc()
    } else {
        value.round_ties_even()
    };
    let half = 2f64.powi(W as i32 - 1);
    let fits = value >= -half && value < half;
    let integer = if fits {
        value as i64
    } else {
        (1u64 << (W - 1)) as i64
    };
    cpu.put::<W>(op.number[0], integer as u64);
    Some(())
}

fn from_integer<const W: u32, const IS_SINGLE: bool>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let integer = super::cpu::signed(W, low::<W>(cpu, op)?) as i64;
    let (bits, width) = if IS_SINGLE {
        (u64::from((integer as f32).to_bits()), 32)
    } else {
        ((integer as f64).to_bits(), 64)
    };
    let kept = xmm(cpu, op, 0) & !u128::from(mask(width));
    put(cpu, op, kept | u128::from(bits))
}

fn widen(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let bits = low::<32>(cpu, op)? as u32;
    let value = f32::from_bits(bits);
    let result = if value.is_nan() {
        u64::from(bits >> 31) << 63 | 0x7ff8 << 48 | u64::from(bits & 0x7f_ffff) << 29
    } else {
        f64::from(value).to_bits()
    };
    let kept = xmm(cpu, op, 0) & !u128::from(u64::MAX);
    put(cpu, op, kept | u128::from(result))
}

fn narrow(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let bits = low::<64>(cpu, op)?;
    let value = f64::from_bits(bits);
    let result = if value.is_nan() {
        ((bits >> 63) as u32 * 0x8000_0000) | 0x7fc0_0000 | (bits >> 29) as u32 & 0x7f_ffff
    } else {
        (value as f32).to_bits()
    };
    let kept = xmm(cpu, op, 0) & !u128::from(u32::MAX);
    put(cpu, op, kept | u128::from(result))
}

fn conversions(instruction: &Instruction) -> Option<Run> {
    use Mnemonic::*;
    let to_wide = instruction.op0_register().is_gpr64();
    let from_wide = instruction.op1_register().is_gpr64() || instruction.memory_size().size() == 8;
    Some(match (instruction.mnemonic(), to_wide, from_wide) {
        (Cvttss2si, true, _) => to_integer::<64, true, true>,
        (Cvttss2si, false, _) => to_integer::<32, true, true>,
        (Cvttsd2si, true, _) => to_integer::<64, false, true>,
        (Cvttsd2si, false, _) => to_integer::<32, false, true>,
        (Cvtss2si, true, _) => to_integer::<64, true, false>,
        (Cvtss2si, false, _) => to_integer::<32, true, false>,
        (Cvtsd2si, true, _) => to_integer::<64, false, false>,
        (Cvtsd2si, false, _) => to_integer::<32, false, false>,
        (Cvtsi2ss, _, true) => from_integer::<64, true>,
        (Cvtsi2ss, _, false) => from_integer::<32, true>,
        (Cvtsi2sd, _, true) => from_integer::<64, false>,
        (Cvtsi2sd, _, false) => from_integer::<32, false>,
        (Cvtss2sd, ..) => widen,
        (Cvtsd2ss, ..) => narrow,
        _ => return None,
    })
}
