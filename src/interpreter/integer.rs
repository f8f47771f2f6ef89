//! What integer instructions do.
//!
//! Correct means: each does to registers, memory and defined flags what the CPU does, which
//! tests/all/interpreter.rs compares for every form.

use super::Halt;
use super::cpu::{AF, ARITHMETIC, CF, DF, PF, SF, ZF};
use super::cpu::{ANY, Cpu, HIGH_BYTE, I, M, Op, R, RAX, RBP, RCX, RDX, RSP, Run, mask, signed};

/// Specialises by the width of an operand.
macro_rules! by_width {
    ($bits:expr, $name:ident $(, $more:expr)*) => {
        match $bits {
            8 => $name::<8 $(, { $more })*> as Run,
            16 => $name::<16 $(, { $more })*> as Run,
            32 => $name::<32 $(, { $more })*> as Run,
            _ => $name::<64 $(, { $more })*> as Run,
        }
    };
}
pub(super) use by_width;

pub(super) const ADD: u8 = 0;
pub(super) const OR: u8 = 1;
pub(super) const ADC: u8 = 2;
pub(super) const SBB: u8 = 3;
pub(super) const AND: u8 = 4;
pub(super) const SUB: u8 = 5;
pub(super) const XOR: u8 = 6;
pub(super) const CMP: u8 = 7;
pub(super) const TEST: u8 = 8;
pub(super) const MOV: u8 = 9;

fn two<const W: u32, const O: u8, const D: u8, const S: u8>(
    cpu: &mut Cpu<'_>,
    op: &Op,
) -> Option<()> {
    let b = cpu.read::<W, S>(op, 1)?;
    if O == MOV {
        return cpu.write::<W, D>(op, 0, b);
    }
    let a = cpu.read::<W, D>(op, 0)?;
    let result = match O {
        ADD => cpu.add::<W>(a, b, false),
        ADC => cpu.add::<W>(a, b, cpu.cf()),
        SUB | CMP => cpu.subtract::<W>(a, b, false),
        SBB => cpu.subtract::<W>(a, b, cpu.cf()),
        _ => {
            let result = match O {
                OR => a | b,
                XOR => a ^ b,
                _ => a & b,
            };
            cpu.set_logic::<W>(result);
            result
        }
    };
    match O {
        CMP | TEST => Some(()),
        _ => cpu.write::<W, D>(op, 0, result),
    }
}

fn two_by_operands<const O: u8>(bits: u32, kinds: [u8; 3]) -> Run {
    match (kinds[0], kinds[1]) {
        (R, R) => by_width!(bits, two, O, R, R),
        (R, M) => by_width!(bits, two, O, R, M),
        (R, _) => by_width!(bits, two, O, R, I),
        (_, R) => by_width!(bits, two, O, M, R),
        _ => by_width!(bits, two, O, M, I),
    }
}

/// A binary operation, specialised by width and operands.
pub(super) fn arithmetic(operation: u8, bits: u32, kinds: [u8; 3]) -> Run {
    match operation {
        ADD => two_by_operands::<ADD>(bits, kinds),
        OR => two_by_operands::<OR>(bits, kinds),
        ADC => two_by_operands::<ADC>(bits, kinds),
        SBB => two_by_operands::<SBB>(bits, kinds),
        AND => two_by_operands::<AND>(bits, kinds),
        SUB => two_by_operands::<SUB>(bits, kinds),
        XOR => two_by_operands::<XOR>(bits, kinds),
        CMP => two_by_operands::<CMP>(bits, kinds),
        TEST => two_by_operands::<TEST>(bits, kinds),
        _ => two_by_operands::<MOV>(bits, kinds),
    }
}

pub(super) fn nothing(_: &mut Cpu<'_>, _: &Op) -> Option<()> {
    Some(())
}

pub(super) fn lea<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let offset = cpu.offset(op);
    cpu.put::<W>(op.number[0], offset);
    Some(())
}

/// `inc` and `dec`, which leave CF alone.
pub(super) fn step<const W: u32, const IS_UP: bool>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let carry = cpu.cf();
    let value = cpu.read::<W, ANY>(op, 0)?;
    let result = if IS_UP {
        cpu.add::<W>(value, 1, false)
    } else {
        cpu.subtract::<W>(value, 1, false)
    };
    cpu.set_carry(carry);
    cpu.write::<W, ANY>(op, 0, result)
}

pub(super) fn neg<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 0)?;
    let result = cpu.subtract::<W>(0, value, false);
    cpu.write::<W, ANY>(op, 0, result)
}

pub(super) fn not<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 0)?;
    cpu.write::<W, ANY>(op, 0, !value)
}

/// `movzx`, `movsx`, `movsxd`; the destination's width is `op.bits`.
pub(super) fn extend<const W: u32, const IS_SIGNED: bool>(
    cpu: &mut Cpu<'_>,
    op: &Op,
) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    let value = if IS_SIGNED { signed(W, value) } else { value };
    put_sized(cpu, op.number[0], op.bits, value);
    Some(())
}

fn put_sized(cpu: &mut Cpu<'_>, number: u8, bits: u8, value: u64) {
    match bits {
        8 => cpu.put::<8>(number, value),
        16 => cpu.put::<16>(number, value),
        32 => cpu.put::<32>(number, value),
        _ => cpu.put::<64>(number, value),
    }
}

/// `cbw`, `cwde`, `cdqe`: to W bits.
pub(super) fn widen<const W: u32>(cpu: &mut Cpu<'_>, _: &Op) -> Option<()> {
    let value = signed(W / 2, cpu.register::<64>(RAX));
    cpu.put::<W>(RAX, value);
    Some(())
}

/// `cwd`, `cdq`, `cqo`.
pub(super) fn spread_sign<const W: u32>(cpu: &mut Cpu<'_>, _: &Op) -> Option<()> {
    let sign = (signed(W, cpu.register::<W>(RAX)) as i64) >> 63;
    cpu.put::<W>(RDX, sign as u64);
    Some(())
}

pub(super) fn cmov<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    // The load happens and the upper half is zeroed whether it moves or not.
    let value = cpu.read::<W, ANY>(op, 1)?;
    let kept = cpu.register::<W>(op.number[0]);
    let is_met = cpu.condition(op.choice);
    cpu.put::<W>(op.number[0], if is_met { value } else { kept });
    Some(())
}

pub(super) fn setcc(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let is_met = cpu.condition(op.choice);
    cpu.write::<8, ANY>(op, 0, u64::from(is_met))
}

pub(super) fn xchg<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let (a, b) = (cpu.read::<W, ANY>(op, 0)?, cpu.read::<W, ANY>(op, 1)?);
    cpu.write::<W, ANY>(op, 0, b)?;
    cpu.write::<W, ANY>(op, 1, a)
}

pub(super) fn xadd<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let (a, b) = (cpu.read::<W, ANY>(op, 0)?, cpu.read::<W, ANY>(op, 1)?);
    let sum = cpu.add::<W>(a, b, false);
    if op.kind[0] == M {
        // The register may be part of the address.
        cpu.write::<W, ANY>(op, 0, sum)?;
        return cpu.write::<W, ANY>(op, 1, a);
    }
    cpu.write::<W, ANY>(op, 1, a)?;
    cpu.write::<W, ANY>(op, 0, sum)
}

pub(super) fn cmpxchg<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let there = cpu.read::<W, ANY>(op, 0)?;
    let new = cpu.read::<W, ANY>(op, 1)?;
    let expected = cpu.register::<W>(RAX);
    cpu.subtract::<W>(expected, there, false);
    if expected == there {
        return cpu.write::<W, ANY>(op, 0, new);
    }
    // Memory is written back as it was. Whether a register's upper half is zeroed too differs
    // between CPUs.
    if W == 32 && op.kind[0] == R && cpu.register::<64>(op.number[0]) != there {
        cpu.halt = Some(Halt::Refused(
            "what it leaves of the upper half depends on the CPU",
        ));
        return None;
    }
    if op.kind[0] == M {
        cpu.write::<W, ANY>(op, 0, there)?;
    }
    cpu.put::<W>(RAX, there);
    Some(())
}

pub(super) fn push<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 0)?;
    cpu.push::<W>(value)
}

pub(super) fn pop<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.pop::<W>()?;
    cpu.write::<W, ANY>(op, 0, value)
}

pub(super) fn leave(cpu: &mut Cpu<'_>, _: &Op) -> Option<()> {
    let frame = cpu.register::<64>(RBP);
    let before = cpu.load::<64>(frame)?;
    cpu.put::<64>(RSP, frame.wrapping_add(8));
    cpu.put::<64>(RBP, before);
    Some(())
}

/// Flags that `popf` may change here: the arithmetic ones, DF, NT, AC and ID.
const POPPED: u64 = ARITHMETIC | DF | 1 << 14 | 1 << 18 | 1 << 21;

pub(super) fn pushf<const W: u32>(cpu: &mut Cpu<'_>, _: &Op) -> Option<()> {
    let flags = cpu.flags();
    cpu.push::<W>(flags)
}

pub(super) fn popf(cpu: &mut Cpu<'_>, _: &Op) -> Option<()> {
    const TRAP: u64 = 1 << 8;
    const ALIGNMENT: u64 = 1 << 18;
    let flags = cpu.pop::<64>()?;
    if flags & (TRAP | ALIGNMENT) != 0 {
        cpu.halt = Some(Halt::Refused(
            "popfq sets the trap or the alignment check flag",
        ));
        return None;
    }
    let kept = cpu.flags() & !POPPED;
    cpu.set_flags(kept | flags & POPPED);
    Some(())
}

const IN_AH: u64 = CF | PF | AF | ZF | SF;

pub(super) fn lahf(cpu: &mut Cpu<'_>, _: &Op) -> Option<()> {
    let flags = cpu.flags() & IN_AH | 2;
    cpu.put::<8>(HIGH_BYTE, flags);
    Some(())
}

pub(super) fn sahf(cpu: &mut Cpu<'_>, _: &Op) -> Option<()> {
    let flags = cpu.flags() & !IN_AH | cpu.register::<8>(HIGH_BYTE) & IN_AH;
    cpu.set_flags(flags);
    Some(())
}

/// `clc`, `stc`, `cmc`.
pub(super) fn set_carry(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let carry = match op.choice {
        0 => false,
        1 => true,
        _ => !cpu.cf(),
    };
    cpu.set_carry(carry);
    Some(())
}

/// `cld`, `std`.
pub(super) fn set_direction(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    cpu.others = cpu.others & !DF | if op.choice == 1 { DF } else { 0 };
    Some(())
}

pub(super) fn bswap<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.register::<W>(op.number[0]).swap_bytes() >> (64 - W);
    cpu.put::<W>(op.number[0], value);
    Some(())
}

pub(super) fn movbe<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?.swap_bytes() >> (64 - W);
    cpu.write::<W, ANY>(op, 0, value)
}

pub(super) const ROL: u8 = 0;
pub(super) const ROR: u8 = 1;
pub(super) const RCL: u8 = 2;
pub(super) const RCR: u8 = 3;
pub(super) const SHL: u8 = 4;
pub(super) const SHR: u8 = 5;
pub(super) const SAR: u8 = 7;

pub(super) fn shift<const W: u32, const O: u8>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let count_mask = if W == 64 { 63 } else { 31 };
    let count = cpu.read::<8, ANY>(op, 1)? as u32 & count_mask;
    let value = cpu.read::<W, ANY>(op, 0)?;
    if count == 0 {
        return cpu.write::<W, ANY>(op, 0, value);
    }
    let top = |value: u64| value >> (W - 1) & 1 != 0;
    let wide = u128::from(value);
    let result = match O {
        SHL => {
            let shifted = wide << count;
            let result = shifted as u64 & mask(W);
            let carry = shifted >> W & 1 != 0;
            cpu.set_logic::<W>(result);
            cpu.set_carry_overflow(carry, carry != top(result));
            result
        }
        SHR | SAR => {
            let whole = if O == SAR {
                signed(W, value) as i64 as i128
            } else {
                wide as i128
            };
            let carry = whole >> (count - 1) & 1 != 0;
            let result = (whole >> count) as u64 & mask(W);
            cpu.set_logic::<W>(result);
            cpu.set_carry_overflow(carry, O == SHR && top(value));
            result
        }
        ROL | ROR => {
            let turn = count % W;
            let turn = if O == ROR { (W - turn) % W } else { turn };
            let result = ((wide << turn) | (wide << turn) >> W) as u64 & mask(W);
            if O == ROL {
                let carry = result & 1 != 0;
                cpu.set_carry_overflow(carry, carry != top(result));
            } else {
                cpu.set_carry_overflow(top(result), top(result) != top(result << 1));
            }
            result
        }
        _ => {
            // W + 1 bits go round, CF on top.
            let turn = count % (W + 1);
            if turn == 0 {
                return cpu.write::<W, ANY>(op, 0, value);
            }
            let turn = if O == RCR { W + 1 - turn } else { turn };
            let all = u128::from(cpu.cf()) << W | wide;
            let ones = (1u128 << (W + 1)) - 1;
            let turned = (all << turn | all >> (W + 1 - turn)) & ones;
            let result = turned as u64 & mask(W);
            let carry = turned >> W & 1 != 0;
            let overflow = if O == RCL {
                carry != top(result)
            } else {
                top(result) != top(result << 1)
            };
            cpu.set_carry_overflow(carry, overflow);
            result
        }
    };
    cpu.write::<W, ANY>(op, 0, result)
}

/// `shld` and `shrd`.
pub(super) fn double_shift<const W: u32, const IS_LEFT: bool>(
    cpu: &mut Cpu<'_>,
    op: &Op,
) -> Option<()> {
    let count_mask = if W == 64 { 63 } else { 31 };
    let count = cpu.read::<8, ANY>(op, 2)? as u32 & count_mask;
    let value = cpu.read::<W, ANY>(op, 0)?;
    if count == 0 {
        return cpu.write::<W, ANY>(op, 0, value);
    }
    if count > W {
        cpu.halt = Some(Halt::Refused(
            "a double shift by more than its width is undefined",
        ));
        return None;
    }
    let filler = cpu.read::<W, ANY>(op, 1)?;
    let (result, carry) = if IS_LEFT {
        let both = (u128::from(value) << W | u128::from(filler)) << count;
        let carry = value >> (W - count) & 1 != 0;
        ((both >> W) as u64 & mask(W), carry)
    } else {
        let both = (u128::from(filler) << W | u128::from(value)) >> count;
        let carry = value >> (count - 1) & 1 != 0;
        (both as u64 & mask(W), carry)
    };
    cpu.set_logic::<W>(result);
    let has_turned = (value ^ result) >> (W - 1) & 1 != 0;
    cpu.set_carry_overflow(carry, has_turned);
    cpu.write::<W, ANY>(op, 0, result)
}

/// `shlx`, `shrx`, `sarx`, `rorx`: no flags.
pub(super) fn flagless_shift<const W: u32, const O: u8>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    let count = cpu.read::<W, ANY>(op, 2)? as u32 & (W - 1);
    let result = match O {
        SHL => value << count,
        SHR => value >> count,
        SAR => ((signed(W, value) as i64) >> count) as u64,
        _ => {
            let twice = u128::from(value) << W | u128::from(value);
            (twice >> count) as u64
        }
    };
    cpu.put::<W>(op.number[0], result & mask(W));
    Some(())
}

/// `mul` and the `imul` with one operand.
pub(super) fn wide_multiply<const W: u32, const IS_SIGNED: bool>(
    cpu: &mut Cpu<'_>,
    op: &Op,
) -> Option<()> {
    let (a, b) = (cpu.register::<W>(RAX), cpu.read::<W, ANY>(op, 0)?);
    let (low, high, is_lost) = if IS_SIGNED {
        let product = i128::from(signed(W, a) as i64) * i128::from(signed(W, b) as i64);
        let low = product as u64 & mask(W);
        (
            low,
            (product >> W) as u64,
            i128::from(signed(W, low) as i64) != product,
        )
    } else {
        let product = u128::from(a) * u128::from(b);
        let high = (product >> W) as u64;
        (product as u64 & mask(W), high, high & mask(W) != 0)
    };
    put_double::<W>(cpu, low, high);
    cpu.set_result::<W>(low);
    cpu.set_carry_overflow(is_lost, is_lost);
    Some(())
}

/// Leaves a result in rdx:rax of the width, which for bytes is ah:al.
fn put_double<const W: u32>(cpu: &mut Cpu<'_>, low: u64, high: u64) {
    cpu.put::<W>(RAX, low);
    cpu.put::<W>(if W == 8 { HIGH_BYTE } else { RDX }, high);
}

/// `imul` with two or three operands.
pub(super) fn multiply<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let (a, b) = if op.choice == 3 {
        (cpu.read::<W, ANY>(op, 1)?, op.immediate & mask(W))
    } else {
        (cpu.register::<W>(op.number[0]), cpu.read::<W, ANY>(op, 1)?)
    };
    let product = i128::from(signed(W, a) as i64) * i128::from(signed(W, b) as i64);
    let low = product as u64 & mask(W);
    let is_lost = i128::from(signed(W, low) as i64) != product;
    cpu.set_result::<W>(low);
    cpu.set_carry_overflow(is_lost, is_lost);
    cpu.put::<W>(op.number[0], low);
    Some(())
}

pub(super) fn mulx<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let product = u128::from(cpu.register::<W>(RDX)) * u128::from(cpu.read::<W, ANY>(op, 2)?);
    cpu.put::<W>(op.number[1], product as u64);
    cpu.put::<W>(op.number[0], (product >> W) as u64);
    Some(())
}

pub(super) fn divide<const W: u32, const IS_SIGNED: bool>(
    cpu: &mut Cpu<'_>,
    op: &Op,
) -> Option<()> {
    let by = cpu.read::<W, ANY>(op, 0)?;
    let high = cpu.register::<W>(if W == 8 { HIGH_BYTE } else { RDX });
    let dividend = u128::from(high) << W | u128::from(cpu.register::<W>(RAX));
    let answer = if IS_SIGNED {
        let dividend = (dividend << (128 - 2 * W)) as i128 >> (128 - 2 * W);
        let by = i128::from(signed(W, by) as i64);
        dividend
            .checked_div(by)
            .zip(dividend.checked_rem(by))
            .filter(|(quotient, _)| i128::from(signed(W, *quotient as u64) as i64) == *quotient)
            .map(|(quotient, rest)| (quotient as u64, rest as u64))
    } else {
        let by = u128::from(by);
        dividend
            .checked_div(by)
            .zip(dividend.checked_rem(by))
            .filter(|(quotient, _)| quotient >> W == 0)
            .map(|(quotient, rest)| (quotient as u64, rest as u64))
    };
    let Some((quotient, rest)) = answer else {
        cpu.halt = Some(Halt::Refused(
            "a division by zero, or one whose quotient does not fit",
        ));
        return None;
    };
    put_double::<W>(cpu, quotient, rest);
    Some(())
}

/// `bt`, `btr`, `bts`, `btc` by `op.choice`; `op.number[2]` is 1 where the bit comes from a register.
pub(super) fn bit<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let number = cpu.read::<W, ANY>(op, 1)?;
    let is_memory = op.kind[0] == M;
    // A bit number from a register reaches beyond the operand in memory.
    let far = if is_memory && op.kind[1] == R {
        (((signed(W, number) as i64) >> W.trailing_zeros()) * i64::from(W / 8)) as u64
    } else {
        0
    };
    let address = cpu.address(op).wrapping_add(far);
    let value = if is_memory {
        cpu.load::<W>(address)?
    } else {
        cpu.register::<W>(op.number[0])
    };
    let place = 1u64 << (number & u64::from(W - 1));
    let result = match op.choice {
        1 => value & !place,
        2 => value | place,
        3 => value ^ place,
        _ => value,
    };
    cpu.set_carry(value & place != 0);
    match (op.choice, is_memory) {
        (0, _) => Some(()),
        (_, true) => cpu.store::<W>(address, result),
        (_, false) => {
            cpu.put::<W>(op.number[0], result);
            Some(())
        }
    }
}

/// `bsf` and `bsr`. A source of 0 leaves the destination alone, as AMD documents and Intel does.
pub(super) fn scan<const W: u32, const IS_UP: bool>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    cpu.set_zero(value == 0);
    if value == 0 {
        if W == 32 {
            cpu.halt = Some(Halt::Refused(
                "what a 32-bit bit scan of 0 leaves depends on the CPU",
            ));
            return None;
        }
        return Some(());
    }
    let found = if IS_UP {
        value.trailing_zeros()
    } else {
        63 - value.leading_zeros()
    };
    cpu.put::<W>(op.number[0], u64::from(found));
    Some(())
}

/// `tzcnt`, `lzcnt`, `popcnt` by `op.choice`.
pub(super) fn count<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    let found = match op.choice {
        0 => value.trailing_zeros().min(W),
        1 => value.leading_zeros() + W - 64,
        _ => value.count_ones(),
    };
    if op.choice == 2 {
        cpu.set_logic::<W>(value);
    } else {
        cpu.set_result::<W>(u64::from(found));
        cpu.set_carry_overflow(value == 0, false);
    }
    cpu.set_zero(if op.choice == 2 {
        value == 0
    } else {
        found == 0
    });
    if op.choice == 2 {
        // popcnt clears the other flags.
        let zero = if value == 0 { ZF } else { 0 };
        cpu.set_arithmetic(zero);
    }
    cpu.put::<W>(op.number[0], u64::from(found));
    Some(())
}

pub(super) fn andn<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let result = !cpu.read::<W, ANY>(op, 1)? & cpu.read::<W, ANY>(op, 2)?;
    cpu.set_logic::<W>(result);
    cpu.put::<W>(op.number[0], result);
    Some(())
}

/// `blsi`, `blsmsk`, `blsr` by `op.choice`.
pub(super) fn lowest<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    let less = value.wrapping_sub(1) & mask(W);
    let (result, carry) = match op.choice {
        0 => (value & value.wrapping_neg(), value != 0),
        1 => (value ^ less, value == 0),
        _ => (value & less, value == 0),
    };
    cpu.set_logic::<W>(result);
    cpu.set_carry_overflow(carry, false);
    cpu.put::<W>(op.number[0], result);
    Some(())
}

pub(super) fn bextr<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    let control = cpu.read::<W, ANY>(op, 2)?;
    let (start, length) = (control as u32 & 0xff, control as u32 >> 8 & 0xff);
    let from_start = if start < W { value >> start } else { 0 };
    let result = if length < W {
        from_start & !(u64::MAX << length)
    } else {
        from_start
    };
    cpu.set_logic::<W>(result);
    cpu.put::<W>(op.number[0], result);
    Some(())
}

pub(super) fn bzhi<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    let from = cpu.read::<W, ANY>(op, 2)? as u32 & 0xff;
    let result = if from < W {
        value & !(u64::MAX << from)
    } else {
        value
    };
    cpu.set_logic::<W>(result);
    cpu.set_carry_overflow(from > W - 1, false);
    cpu.put::<W>(op.number[0], result);
    Some(())
}

/// `pdep` and `pext`.
pub(super) fn scatter<const W: u32, const IS_DEPOSIT: bool>(
    cpu: &mut Cpu<'_>,
    op: &Op,
) -> Option<()> {
    let value = cpu.read::<W, ANY>(op, 1)?;
    let mut places = cpu.read::<W, ANY>(op, 2)?;
    let mut result = 0;
    let mut number = 0;
    while places != 0 {
        let place = places.trailing_zeros();
        let (from, to) = if IS_DEPOSIT {
            (number, place)
        } else {
            (place, number)
        };
        result |= (value >> from & 1) << to;
        number += 1;
        places &= places - 1;
    }
    cpu.put::<W>(op.number[0], result);
    Some(())
}

/// `movs`, `stos`, `lods`, `scas`, `cmps` by `op.choice`, with the prefix in `op.number[0]`: 0 none,
/// 1 `rep` and `repe`, 2 `repne`.
pub(super) fn string<const W: u32>(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    use super::cpu::{RDI, RSI};
    let step = if cpu.others & DF == 0 {
        u64::from(W / 8)
    } else {
        u64::from(W / 8).wrapping_neg()
    };
    let prefix = op.number[0];
    loop {
        if prefix != 0 && cpu.register::<64>(RCX) == 0 {
            return Some(());
        }
        let (source, target) = (cpu.register::<64>(RSI), cpu.register::<64>(RDI));
        match op.choice {
            MOVS => {
                let value = cpu.load::<W>(source)?;
                cpu.store::<W>(target, value)?;
            }
            STOS => {
                let value = cpu.register::<W>(RAX);
                cpu.store::<W>(target, value)?;
            }
            LODS => {
                let value = cpu.load::<W>(source)?;
                cpu.put::<W>(RAX, value);
            }
            SCAS => {
                let value = cpu.load::<W>(target)?;
                let wanted = cpu.register::<W>(RAX);
                cpu.subtract::<W>(wanted, value, false);
            }
            _ => {
                let (a, b) = (cpu.load::<W>(source)?, cpu.load::<W>(target)?);
                cpu.subtract::<W>(a, b, false);
            }
        }
        if matches!(op.choice, MOVS | LODS | CMPS) {
            cpu.put::<64>(RSI, source.wrapping_add(step));
        }
        if op.choice != LODS {
            cpu.put::<64>(RDI, target.wrapping_add(step));
        }
        if prefix == 0 {
            return Some(());
        }
        let left = cpu.register::<64>(RCX).wrapping_sub(1);
        cpu.put::<64>(RCX, left);
        let compares = matches!(op.choice, SCAS | CMPS);
        if compares && cpu.zf() != (prefix == 1) {
            return Some(());
        }
    }
}

pub(super) const MOVS: u8 = 0;
pub(super) const STOS: u8 = 1;
pub(super) const LODS: u8 = 2;
pub(super) const SCAS: u8 = 3;
pub(super) const CMPS: u8 = 4;
