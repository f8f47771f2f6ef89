//! Which registers beside the general ones a row's code may carry from one entry to the next.
//!
//! Correct means: a register that no section names is not among them, so that rows without vector code pay
//! for none; one that any section names is.

use iced_x86::{CpuidFeature, Decoder, DecoderOptions, Instruction, InstructionInfoFactory};

use serde::{Deserialize, Serialize};

use crate::asm::{Program, SectionKind};

/// Registers that code names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Vector registers, a bit each.
    pub vectors: u32,
    /// Bytes of the widest of them that is named: 16, 32 or 64.
    pub width: u8,
    /// Mask registers, a bit each.
    pub masks: u8,
    /// Whether there is x87 or MMX code.
    pub x87: bool,
}

impl Carried {
    /// What the sections of a program name. Bytes that stand among code and are no code may name more.
    pub fn of(program: &Program) -> Carried {
        let mut carried = Carried::default();
        let mut factory = InstructionInfoFactory::new();
        let code = |kind| kind != SectionKind::Data;
        for section in program.sections.iter().filter(|one| code(one.kind)) {
            for instruction in &mut Decoder::new(64, &section.bytes, DecoderOptions::NONE) {
                carried.see(&instruction, &mut factory);
            }
        }
        carried
    }

    fn see(&mut self, instruction: &Instruction, factory: &mut InstructionInfoFactory) {
        use CpuidFeature::{
            D3NOW, FPU, FPU287, FPU387, FXSR, MMX, XSAVE, XSAVEC, XSAVEOPT, XSAVES,
        };
        let features = instruction.cpuid_features();
        let is_whole =
            |feature: &CpuidFeature| matches!(feature, FXSR | XSAVE | XSAVEC | XSAVEOPT | XSAVES);
        if features.iter().any(is_whole) {
            // What these load and store is named in memory, and may be all there is.
            *self = Carried {
                vectors: u32::MAX,
                width: 64,
                masks: u8::MAX,
                x87: true,
            };
        }
        let is_old =
            |feature: &CpuidFeature| matches!(feature, FPU | FPU287 | FPU387 | MMX | D3NOW);
        self.x87 |= features.iter().any(is_old);
        // What is written to a part of a vector register is told as written to all of it, so its width is
        // that of the operands.
        let operands = (0..instruction.op_count()).map(|at| instruction.op_register(at));
        for register in operands.chain([instruction.memory_index()]) {
            if register.is_vector_register() {
                self.width = self.width.max(register.size() as u8);
            }
        }
        for used in factory.info(instruction).used_registers() {
            let register = used.register();
            if register.is_vector_register() {
                self.vectors |= 1 << register.number();
            } else if register.is_k() {
                self.masks |= 1 << register.number();
            } else if register.is_mm() || register.is_st() {
                self.x87 = true;
            }
        }
    }

    /// Whether there is nothing but general registers.
    pub fn is_none(&self) -> bool {
        *self == Carried::default()
    }

    /// The numbers of registers whose bits these are.
    pub(crate) fn numbers(bits: u32) -> impl Iterator<Item = u32> {
        (0..32).filter(move |number| bits & (1 << number) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asm;

    fn named(text: &str) -> Carried {
        let section = asm::fragment(text).expect("assembles");
        let mut carried = Carried::default();
        let mut factory = InstructionInfoFactory::new();
        for instruction in &mut Decoder::new(64, &section.bytes, DecoderOptions::NONE) {
            carried.see(&instruction, &mut factory);
        }
        carried
    }

    #[test]
    fn general_code_carries_nothing_else() {
        assert_eq!(
            named("mov rax, [rbx]\nimul rax, rcx\ncrc32 eax, ecx\nlfence"),
            Carried::default()
        );
    }

    #[test]
    fn what_is_named_is_carried_at_its_greatest_width() {
        let some = named("movaps xmm3, xmm1\nvpaddq ymm3, ymm9, [rax]");
        assert_eq!(
            (some.vectors, some.width, some.masks, some.x87),
            (0x20a, 32, 0, false)
        );
        let wide = named("vpaddq zmm17{k2}, zmm0, zmm0\nkmovw eax, k5");
        assert_eq!(
            (wide.vectors, wide.width, wide.masks),
            (1 << 17 | 1, 64, 1 << 2 | 1 << 5)
        );
        let whole = named("fxrstor [rsi]");
        assert_eq!(
            (whole.vectors, whole.width, whole.x87),
            (u32::MAX, 64, true)
        );
        assert_eq!(named("xsave [rsi]"), whole);
        for old in [
            "fldz",
            "fadd st0, st1",
            "emms",
            "paddb mm0, mm1",
            "cvtpi2ps xmm0, mm3",
        ] {
            assert!(named(old).x87, "{old}");
        }
    }
}
