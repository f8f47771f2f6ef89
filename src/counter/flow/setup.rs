//! What the setup leaves behind that differs from run to run: what it reads of the machine, and bits of addresses.
//!
//! Correct means: where this finds nothing, the setup has neither an instruction that reads the machine nor one
//! that makes a number of an address it holds in a register; it is read from top to bottom, whatever jumps it has,
//! and it may find what no iteration looks at.

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

use super::{Kind, Made, R14, RSP, effect_of, is_aligning, is_sum};
use crate::link::Image;

/// The least block that an address is aligned to.
const PAGE: u64 = 4096;

/// What is found, and the instruction that reads the machine.
pub(super) fn left_by(image: &Image) -> (Made, Option<Mnemonic>) {
    let (mut found, mut reads) = (Made::KNOWN, None);
    let mut addresses: u16 = 1 << RSP | 1 << R14;
    let mut factory = InstructionInfoFactory::new();
    let mut at = image.setup.start;
    while at < image.setup.end {
        let code = image.instruction(at);
        at += code.len().max(1) as u64;
        let effect = effect_of(code, &mut factory);
        let holds = effect
            .numbers
            .iter()
            .any(|(number, _)| addresses & 1 << number != 0);
        match effect.kind {
            Kind::Reads => {
                reads = reads.or(Some(code.mnemonic()));
                found |= Made::MACHINE;
            }
            Kind::Shows => found |= Made::MACHINE,
            Kind::Mixes if holds => found |= Made::PLACE,
            Kind::Masks if holds && !aligns(&code) => found |= Made::PLACE,
            _ => {}
        }
        if code.op0_kind() == OpKind::Register && code.op0_register().is_gpr() {
            let bit = 1 << code.op0_register().full_register().number();
            match names_one(image, &code) || holds && keeps(&code) {
                true => addresses |= bit,
                false if is_written(&code) => addresses &= !bit,
                false => {}
            }
        }
    }
    (found, reads)
}

/// Whether an instruction makes the address of something in the code or the data.
fn names_one(image: &Image, code: &Instruction) -> bool {
    let places = [
        &image.data_addresses,
        &(image.site.code..image.site.code + image.code.len() as u64),
    ];
    let is_own = |value: u64| places.iter().any(|place| place.contains(&value));
    match code.mnemonic() {
        Mnemonic::Lea => {
            code.memory_base() == Register::RIP || is_own(code.memory_displacement64())
        }
        Mnemonic::Mov => code.try_immediate(1).is_ok_and(is_own),
        _ => false,
    }
}

/// Whether an address stays one.
fn keeps(code: &Instruction) -> bool {
    code.mnemonic() == Mnemonic::Mov || is_sum(code) || aligns(code)
}

fn aligns(code: &Instruction) -> bool {
    let mask = code.try_immediate(1);
    code.mnemonic() == Mnemonic::And && mask.is_ok_and(|mask| is_aligning(mask, PAGE))
}

/// Whether the first operand is written, and not only compared.
fn is_written(code: &Instruction) -> bool {
    !matches!(
        code.mnemonic(),
        Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Push
    )
}
