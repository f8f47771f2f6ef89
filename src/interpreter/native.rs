//! Instructions that nothing here models, run by the CPU itself on the registers of the interpreted machine.
//!
//! Correct means: each finds in registers, flags and its operand what the interpreted machine has there, and
//! leaves there what it made; an operand in memory is one that the machine may reach.

use std::io;

use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, OpAccess, OpKind};

use super::cpu::{Cpu, M, Op};
use super::{Halt, Known, decode};
use crate::job::Carried;
use crate::link::frame::carried;
use crate::link::{ByAddress, Image, Owner, native};
use crate::sys::mapping::{Executable, PAGE, Window};

/// The instructions of an image that run by themselves.
#[derive(Debug)]
pub struct Natives {
    code: Executable,
    entries: Vec<Entry>,
    by_address: ByAddress<u32>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where to enter.
    address: u64,
    /// Bytes of its operand in memory, and whether it writes there.
    operand: Option<(usize, bool)>,
}

impl Natives {
    /// Those that the template's code in an image has and that nothing models; `None` where it has none, or more
    /// than are worth it.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn of(image: &Image, named: &Carried, window: &mut Window) -> io::Result<Option<Natives>> {
        const MOST: usize = 4096;
        let mut wanted = Vec::new();
        for piece in image
            .pieces
            .iter()
            .filter(|piece| piece.owner != Owner::Harness)
        {
            let at = |address: u64| (address - image.site.code) as usize;
            let bytes = &image.code[at(piece.addresses.start)..at(piece.addresses.end)];
            let start = piece.addresses.start;
            let code = &mut Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
            let is_unknown = |code: &Instruction| decode::op_of(code, Known::Template).is_err();
            wanted.extend(
                code.into_iter()
                    .filter(|code| is_unknown(code) && native::is_alone(code)),
            );
        }
        match wanted.len() {
            1..=MOST => Natives::new(&wanted, named, window).map(Some),
            _ => Ok(None),
        }
    }

    /// Makes those that can be encoded; `named` has all registers but general ones that they name.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn new(
        wanted: &[Instruction],
        named: &Carried,
        window: &mut Window,
    ) -> io::Result<Natives> {
        /// Of one of them, with loads and stores of all registers.
        const LONGEST: usize = 2048;
        let length = (wanted.len() * LONGEST).next_multiple_of(PAGE);
        let mut memory = window.take(2 * PAGE + length)?;
        let block = memory.address();
        let mut factory = InstructionInfoFactory::new();
        let (mut entries, mut by_address, mut end) = (Vec::new(), ByAddress::default(), 2 * PAGE);
        for code in wanted {
            let address = block + end as u64;
            let Some(bytes) = native::emit(code, named, block, address) else {
                continue;
            };
            let Some(place) = memory.bytes().get_mut(end..end + bytes.len()) else {
                break;
            };
            place.copy_from_slice(&bytes);
            end += bytes.len();
            let has_operand = (0..code.op_count()).any(|at| code.op_kind(at) == OpKind::Memory);
            let mut used = factory.info(code).used_memory().iter();
            let is_written = used.any(|used| used.access() != OpAccess::Read);
            by_address.insert(code.ip(), entries.len() as u32);
            entries.push(Entry {
                address,
                operand: has_operand.then(|| (code.memory_size().size(), is_written)),
            });
        }
        Ok(Natives {
            code: memory.seal(2 * PAGE..2 * PAGE + length)?,
            entries,
            by_address,
        })
    }

    /// Their addresses in the image, and the numbers that ops know them by.
    pub fn by_address(&self) -> &ByAddress<u32> {
        &self.by_address
    }

    /// Takes what a row's entries begin with in vector, mask and x87 registers: all from
    /// [`carried::REGISTERS`] to [`carried::END`].
    pub fn begin(&mut self, carried: &[u8]) {
        let block = carried::REGISTERS as usize..carried::END as usize;
        self.code.data()[block].copy_from_slice(carried);
    }

    /// What stands in registers beyond the lowest quarters of the vectors: masks, x87, and the rest of vectors.
    pub(super) fn beyond(&self, vectors: u32, masks: u8) -> Vec<u8> {
        let data = self.code.view();
        let mut held = Vec::new();
        for number in (0..32).filter(|number| vectors & 1 << number != 0) {
            let at = carried::VECTORS as usize + 64 * number;
            held.extend_from_slice(&data[at + if number < 16 { 16 } else { 0 }..at + 64]);
        }
        for number in (0..8).filter(|number| masks & 1 << number != 0) {
            let at = carried::MASKS as usize + 8 * number;
            held.extend_from_slice(&data[at..at + 8]);
        }
        held.extend_from_slice(&data[carried::X87 as usize..carried::VECTORS as usize]);
        held
    }
}

/// Runs one of them.
pub(super) fn run(cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let natives = cpu.natives.take()?;
    let ran = enter(natives, cpu, op);
    cpu.natives = Some(natives);
    ran
}

fn enter(natives: &mut Natives, cpu: &mut Cpu<'_>, op: &Op) -> Option<()> {
    let entry = natives.entries[op.immediate as usize];
    let block = natives.code.data();
    let address = cpu.address(op);
    if let Some((size, _)) = entry.operand.filter(|_| op.kind[0] == M) {
        let operand = &mut block[native::OPERAND..native::OPERAND + size];
        if !cpu.memory.read(address, operand) {
            cpu.halt = Some(Halt::Load(address));
            return None;
        }
    }
    let flags = cpu.flags().to_le_bytes();
    block[native::FLAGS..native::FLAGS + 8].copy_from_slice(&flags);
    let (registers, vectors) = (carried::REGISTERS as usize, carried::VECTORS as usize);
    for (number, value) in cpu.registers().into_iter().enumerate() {
        block[registers + 8 * number..][..8].copy_from_slice(&value.to_le_bytes());
    }
    for (number, value) in cpu.vectors.iter().enumerate() {
        block[vectors + 64 * number..][..16].copy_from_slice(&value.to_le_bytes());
    }
    natives.code.enter(entry.address, 0);
    let block = natives.code.data();
    let word = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().unwrap_or_default());
    if let Some((size, true)) = entry.operand {
        let operand = &block[native::OPERAND..native::OPERAND + size];
        if !cpu.memory.write(address, operand) {
            cpu.halt = Some(Halt::Store(address));
            return None;
        }
    }
    for number in 0..16u8 {
        cpu.set_register(number, word(registers + 8 * usize::from(number)));
    }
    cpu.set_flags(word(native::FLAGS));
    for (number, value) in cpu.vectors.iter_mut().enumerate() {
        let at = vectors + 64 * number;
        *value = u128::from(word(at)) | u128::from(word(at + 8)) << 64;
    }
    Some(())
}
