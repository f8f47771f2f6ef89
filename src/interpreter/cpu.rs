//! The registers and flags of interpreted code, and how an operand is read and written.
//!
//! Correct means: after each instruction a register holds what the CPU's would, bit for bit; a
//! 32-bit write zeroes the upper half and a narrower one keeps the rest; each flag that the
//! instruction defines has the CPU's value when somebody asks.
//!
//! Flags are kept as the values that they are made of, because most are overwritten unread: a result
//! for ZF and SF, its low byte for PF, and a word of carries of which the top bit is CF, and OF
//! where it differs from the one below (Kogge's carry vectors; Bochs keeps them so too).

use std::ops::Range;

use super::Halt;
use super::memory::{Memory, Stored};
use super::native::Natives;

/// Operand kinds, as constants that code is specialised by.
pub(super) const R: u8 = 0;
pub(super) const M: u8 = 1;
pub(super) const I: u8 = 2;
pub(super) const X: u8 = 3;
/// Known only when it runs.
pub(super) const ANY: u8 = 4;

/// The register slot that always reads 0, and the one that holds the `gs` base.
pub(super) const NO_REGISTER: u8 = 16;
pub(super) const GS: u8 = 17;
/// Added to the number of `ah`, `ch`, `dh`, `bh`'s whole register.
pub(super) const HIGH_BYTE: u8 = 24;

pub(super) const RAX: u8 = 0;
pub(super) const RCX: u8 = 1;
pub(super) const RDX: u8 = 2;
pub(super) const RSP: u8 = 4;
pub(super) const RBP: u8 = 5;
pub(super) const RSI: u8 = 6;
pub(super) const RDI: u8 = 7;

/// Executes one instruction; `None` where it halted.
pub(super) type Run = fn(&mut Cpu<'_>, &Op) -> Option<()>;

/// A predecoded instruction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Op {
    pub(super) run: Run,
    pub(super) ip: u64,
    pub(super) immediate: u64,
    pub(super) displacement: u64,
    pub(super) number: [u8; 3],
    pub(super) kind: [u8; 3],
    pub(super) base: u8,
    pub(super) index: u8,
    pub(super) shift: u8,
    pub(super) segment: u8,
    /// Bits of an operand, for what is not specialised by it.
    pub(super) bits: u8,
    /// A choice that is not worth code of its own: a condition, a prefix, a direction.
    pub(super) choice: u8,
}

/// Some registers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registers {
    /// General ones, a bit each.
    pub general: u16,
    /// Vector registers, a bit each.
    pub vectors: u32,
    /// Mask registers, a bit each.
    pub masks: u8,
    /// Flags, as iced numbers them.
    pub flags: u32,
}

/// What registers hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    flags: u64,
    general: Vec<u64>,
    vectors: Vec<u128>,
    beyond: Vec<u8>,
}

/// Of the flags that code reads, those that the count of a loop writes differently each time.
fn to_rflags(read: u32) -> u64 {
    use iced_x86::RflagsBits;
    let of = |bit: u32, flag: u64| if read & bit != 0 { flag } else { 0 };
    of(RflagsBits::PF, PF) | of(RflagsBits::AF, AF)
}

/// The machine that interpreted code sees.
#[derive(Debug)]
pub struct Cpu<'a> {
    /// Sixteen registers, a zero, the `gs` base; 32 so that no index needs a check.
    registers: [u64; 32],
    pub(super) vectors: [u128; 16],
    pub(super) memory: Memory<'a>,
    zero: u64,
    sign: u64,
    parity: u8,
    carries: u64,
    auxiliary: u64,
    /// The flags that no arithmetic writes.
    pub(super) others: u64,
    pub(super) halt: Option<Halt>,
    /// What runs by itself.
    pub(super) natives: Option<&'a mut Natives>,
}

pub(super) const CF: u64 = 1;
pub(super) const PF: u64 = 1 << 2;
pub(super) const AF: u64 = 1 << 4;
pub(super) const ZF: u64 = 1 << 6;
pub(super) const SF: u64 = 1 << 7;
pub(super) const DF: u64 = 1 << 10;
pub(super) const OF: u64 = 1 << 11;
pub(super) const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;

pub(super) const fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// The value of `bits` with its sign in all bits above.
#[inline(always)]
pub(super) const fn signed(bits: u32, value: u64) -> u64 {
    (((value << (64 - bits)) as i64) >> (64 - bits)) as u64
}

impl<'a> Cpu<'a> {
    /// A machine with zeroed registers, the flags as Linux starts a program with, MXCSR at its
    /// default, and this memory.
    pub fn new(memory: Memory<'a>) -> Cpu<'a> {
        Cpu {
            registers: [0; 32],
            vectors: [0; 16],
            memory,
            zero: 1,
            sign: 0,
            parity: 1,
            carries: 0,
            auxiliary: 0,
            others: 0x202,
            halt: None,
            natives: None,
        }
    }

    /// With instructions that run by themselves.
    #[must_use]
    pub fn with(self, natives: Option<&'a mut Natives>) -> Cpu<'a> {
        Cpu { natives, ..self }
    }

    /// The general-purpose registers by hardware number.
    pub fn registers(&self) -> [u64; 16] {
        let mut registers = [0; 16];
        registers.copy_from_slice(&self.registers[..16]);
        registers
    }

    /// Sets a general-purpose register by hardware number.
    pub fn set_register(&mut self, number: u8, value: u64) {
        self.registers[usize::from(number & 15)] = value;
    }

    /// The vector registers.
    pub fn vectors(&mut self) -> &mut [u128; 16] {
        &mut self.vectors
    }

    /// Sets what `gs` addresses count from.
    pub fn set_gs_base(&mut self, base: u64) {
        self.registers[usize::from(GS)] = base;
    }

    /// A word of memory.
    pub fn word(&self, address: u64) -> Option<u64> {
        self.memory.load(address).map(u64::from_le_bytes)
    }

    /// Stores a word.
    pub fn set_word(&mut self, address: u64, value: u64) -> bool {
        self.memory.store(address, value.to_le_bytes()).is_some()
    }

    /// What some registers hold, and the flags that iterations can leave to the next.
    pub fn state(&self, of: &Registers) -> State {
        let is_of = |bits: u32, number: usize| bits & 1 << number != 0;
        let general = (0..16).filter(|number| is_of(u32::from(of.general), *number));
        let vectors = (0..16).filter(|number| is_of(of.vectors, *number));
        State {
            flags: self.flags() & (CF | to_rflags(of.flags)),
            general: general.map(|number| self.registers[number]).collect(),
            vectors: vectors.map(|number| self.vectors[number]).collect(),
            beyond: match &self.natives {
                Some(natives) => natives.beyond(of.vectors, of.masks),
                None => Vec::new(),
            },
        }
    }

    /// What stands in all memory that was stored to.
    pub fn copy_memory(&self) -> Stored {
        self.memory.copy()
    }

    /// Whether it stands there again, addresses in `except` aside.
    pub fn holds(&self, copy: &Stored, except: &[Range<u64>]) -> bool {
        self.memory.holds(copy, except)
    }

    /// Puts back what stood in memory before the first store.
    pub fn undo_stores(&mut self) {
        self.memory.undo();
    }

    /// RFLAGS.
    pub fn flags(&self) -> u64 {
        let bit = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
        self.others
            | bit(self.cf(), CF)
            | bit(self.pf(), PF)
            | bit(self.af(), AF)
            | bit(self.zf(), ZF)
            | bit(self.sf(), SF)
            | bit(self.of(), OF)
    }

    /// Sets RFLAGS.
    pub fn set_flags(&mut self, flags: u64) {
        self.others = flags & !ARITHMETIC | 2;
        self.set_arithmetic(flags);
    }

    pub(super) fn set_arithmetic(&mut self, flags: u64) {
        self.zero = u64::from(flags & ZF == 0);
        self.sign = if flags & SF != 0 { 1 << 63 } else { 0 };
        self.parity = u8::from(flags & PF == 0);
        self.auxiliary = flags & AF;
        self.set_carry_overflow(flags & CF != 0, flags & OF != 0);
    }

    #[inline(always)]
    pub(super) fn cf(&self) -> bool {
        self.carries >> 63 != 0
    }
    #[inline(always)]
    pub(super) fn of(&self) -> bool {
        (self.carries ^ self.carries << 1) >> 63 != 0
    }
    #[inline(always)]
    pub(super) fn zf(&self) -> bool {
        self.zero == 0
    }
    #[inline(always)]
    pub(super) fn sf(&self) -> bool {
        self.sign >> 63 != 0
    }
    #[inline(always)]
    pub(super) fn pf(&self) -> bool {
        self.parity.count_ones().is_multiple_of(2)
    }
    #[inline(always)]
    pub(super) fn af(&self) -> bool {
        self.auxiliary & AF != 0
    }

    #[inline(always)]
    pub(super) fn set_carry_overflow(&mut self, carry: bool, overflow: bool) {
        self.carries = u64::from(carry) << 63 | u64::from(carry ^ overflow) << 62;
    }

    #[inline(always)]
    pub(super) fn set_carry(&mut self, carry: bool) {
        self.set_carry_overflow(carry, self.of());
    }

    #[inline(always)]
    pub(super) fn set_zero(&mut self, is_zero: bool) {
        self.zero = u64::from(!is_zero);
    }

    /// ZF, SF and PF of a result.
    #[inline(always)]
    pub(super) fn set_result<const W: u32>(&mut self, result: u64) {
        let result = signed(W, result);
        self.zero = result;
        self.sign = result;
        self.parity = result as u8;
    }

    /// All flags of a bitwise result.
    #[inline(always)]
    pub(super) fn set_logic<const W: u32>(&mut self, result: u64) {
        self.set_result::<W>(result);
        self.carries = 0;
        self.auxiliary = 0;
    }

    #[inline(always)]
    pub(super) fn add<const W: u32>(&mut self, a: u64, b: u64, carry: bool) -> u64 {
        let sum = a.wrapping_add(b).wrapping_add(u64::from(carry)) & mask(W);
        self.set_result::<W>(sum);
        self.carries = (a & b | (a | b) & !sum) << (64 - W);
        self.auxiliary = a ^ b ^ sum;
        sum
    }

    #[inline(always)]
    pub(super) fn subtract<const W: u32>(&mut self, a: u64, b: u64, borrow: bool) -> u64 {
        let rest = a.wrapping_sub(b).wrapping_sub(u64::from(borrow)) & mask(W);
        self.set_result::<W>(rest);
        self.carries = (!a & b | (!a | b) & rest) << (64 - W);
        self.auxiliary = a ^ b ^ rest;
        rest
    }

    /// The condition with this number, in the order of the opcodes.
    #[inline(always)]
    pub(super) fn condition(&self, number: u8) -> bool {
        let is_met = match number >> 1 & 7 {
            0 => self.of(),
            1 => self.cf(),
            2 => self.zf(),
            3 => self.cf() || self.zf(),
            4 => self.sf(),
            5 => self.pf(),
            6 => self.sf() != self.of(),
            _ => self.zf() || self.sf() != self.of(),
        };
        is_met != (number & 1 == 1)
    }

    #[inline(always)]
    pub(super) fn register<const W: u32>(&self, number: u8) -> u64 {
        if W == 8 && number >= HIGH_BYTE {
            return self.registers[usize::from(number & 7)] >> 8 & 0xff;
        }
        self.registers[usize::from(number & 31)] & mask(W)
    }

    #[inline(always)]
    pub(super) fn put<const W: u32>(&mut self, number: u8, value: u64) {
        if W == 8 && number >= HIGH_BYTE {
            let register = &mut self.registers[usize::from(number & 7)];
            *register = *register & !0xff00 | (value & 0xff) << 8;
            return;
        }
        let register = &mut self.registers[usize::from(number & 31)];
        *register = match W {
            64 => value,
            32 => value & mask(32),
            _ => *register & !mask(W) | value & mask(W),
        };
    }

    /// The address of the memory operand, without its segment.
    #[inline(always)]
    pub(super) fn offset(&self, op: &Op) -> u64 {
        self.registers[usize::from(op.base & 31)]
            .wrapping_add(self.registers[usize::from(op.index & 31)] << op.shift)
            .wrapping_add(op.displacement)
    }

    /// The address of the memory operand.
    #[inline(always)]
    pub(super) fn address(&self, op: &Op) -> u64 {
        self.offset(op)
            .wrapping_add(self.registers[usize::from(op.segment & 31)])
    }

    #[inline(always)]
    pub(super) fn load<const W: u32>(&mut self, address: u64) -> Option<u64> {
        let value = match W {
            8 => self
                .memory
                .load::<1>(address)
                .map(|bytes| u64::from(bytes[0])),
            16 => self
                .memory
                .load(address)
                .map(|bytes| u64::from(u16::from_le_bytes(bytes))),
            32 => self
                .memory
                .load(address)
                .map(|bytes| u64::from(u32::from_le_bytes(bytes))),
            _ => self.memory.load(address).map(u64::from_le_bytes),
        };
        if value.is_none() {
            self.halt = Some(Halt::Load(address));
        }
        value
    }

    #[inline(always)]
    pub(super) fn store<const W: u32>(&mut self, address: u64, value: u64) -> Option<()> {
        let done = match W {
            8 => self.memory.store(address, [value as u8]),
            16 => self.memory.store(address, (value as u16).to_le_bytes()),
            32 => self.memory.store(address, (value as u32).to_le_bytes()),
            _ => self.memory.store(address, value.to_le_bytes()),
        };
        if done.is_none() {
            self.halt = Some(Halt::Store(address));
        }
        done
    }

    pub(super) fn load_vector(&mut self, address: u64, is_aligned: bool) -> Option<u128> {
        if is_aligned && !address.is_multiple_of(16) {
            self.halt = Some(Halt::Unaligned(address));
            return None;
        }
        let value = self.memory.load(address).map(u128::from_le_bytes);
        if value.is_none() {
            self.halt = Some(Halt::Load(address));
        }
        value
    }

    pub(super) fn store_vector(
        &mut self,
        address: u64,
        value: u128,
        is_aligned: bool,
    ) -> Option<()> {
        if is_aligned && !address.is_multiple_of(16) {
            self.halt = Some(Halt::Unaligned(address));
            return None;
        }
        let done = self.memory.store(address, value.to_le_bytes());
        if done.is_none() {
            self.halt = Some(Halt::Store(address));
        }
        done
    }

    /// Reads operand `which`.
    #[inline(always)]
    pub(super) fn read<const W: u32, const K: u8>(&mut self, op: &Op, which: usize) -> Option<u64> {
        match if K == ANY { op.kind[which] } else { K } {
            R => Some(self.register::<W>(op.number[which])),
            M => self.load::<W>(self.address(op)),
            _ => Some(op.immediate & mask(W)),
        }
    }

    /// Writes operand `which`.
    #[inline(always)]
    pub(super) fn write<const W: u32, const K: u8>(
        &mut self,
        op: &Op,
        which: usize,
        value: u64,
    ) -> Option<()> {
        match if K == ANY { op.kind[which] } else { K } {
            R => {
                self.put::<W>(op.number[which], value);
                Some(())
            }
            _ => self.store::<W>(self.address(op), value),
        }
    }

    #[inline(always)]
    pub(super) fn push<const W: u32>(&mut self, value: u64) -> Option<()> {
        let top = self.register::<64>(RSP).wrapping_sub(u64::from(W / 8));
        self.store::<W>(top, value)?;
        self.put::<64>(RSP, top);
        Some(())
    }

    #[inline(always)]
    pub(super) fn pop<const W: u32>(&mut self) -> Option<u64> {
        let top = self.register::<64>(RSP);
        let value = self.load::<W>(top)?;
        self.put::<64>(RSP, top.wrapping_add(u64::from(W / 8)));
        Some(value)
    }
}
