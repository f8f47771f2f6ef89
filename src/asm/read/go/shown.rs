//! What a disassembler's line leaves out, from the bytes beside it.
//!
//! Correct means: the bytes say widths alone; which instruction it is and what its operands are, the
//! text says too, and has to say the same.

use std::borrow::Cow;

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};

use super::names::{Meaning, Order, meaning};
use crate::asm::inst::{Inst, OperandKind};

/// A decoded instruction.
pub(super) struct Shown(Instruction);

impl Shown {
    pub(super) fn new(bytes: &[u8]) -> Shown {
        Shown(Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode())
    }

    /// What a name means: `MOVSD_XMM`, `OUTL` and `CVTTSD2SIL` are the disassembler's own. Comparisons
    /// stand there the other way round.
    pub(super) fn meaning(&self, name: &str) -> Option<Meaning> {
        let decoded = format!("{:?}", self.0.mnemonic()).to_ascii_lowercase();
        let plain = |name| Meaning {
            name: Cow::Owned(name),
            to: None,
            from: None,
            plain: 32,
            order: Order::Reversed,
        };
        if (name, &*decoded) == ("INT", "int3") {
            return Some(plain(decoded));
        }
        let known = meaning(name).filter(|known| known.name == decoded);
        let is_own = || {
            let lower = name.to_ascii_lowercase();
            let rest = lower.strip_prefix(&decoded);
            rest.is_some_and(|rest| rest.len() <= 1 || rest.starts_with('_'))
        };
        let found = known.or_else(|| is_own().then(|| plain(decoded.clone())));
        let found = found.or_else(|| meaning(name))?;
        Some(Meaning {
            order: Order::Reversed,
            ..found
        })
    }

    /// Whether its first operand is that register, of whatever width.
    pub(super) fn begins_with(&self, register: Register) -> bool {
        self.0.op0_kind() == OpKind::Register
            && self.0.op0_register().full_register() == register.full_register()
    }

    /// Whether its first operand is in memory.
    pub(super) fn begins_with_memory(&self) -> bool {
        self.0.op0_kind() == OpKind::Memory
    }

    /// Gives operands, which stand in Intel's order, the widths that the bytes say.
    pub(super) fn widen(&self, inst: &mut Inst<'_>) {
        if inst.mnemonic == "int3" {
            inst.operands.clear();
        }
        let extends = matches!(&*inst.mnemonic, "movzx" | "movsx" | "movsxd");
        for (at, operand) in (0..self.0.op_count()).zip(&mut inst.operands) {
            match &mut operand.kind {
                OperandKind::Register(register) => {
                    let decoded = self.0.op_register(at);
                    if decoded.full_register() == register.full_register() {
                        *register = decoded;
                    }
                }
                OperandKind::Memory(mem) if mem.bits.is_some() || extends => {
                    mem.bits =
                        Some(8 * self.0.memory_size().size() as u32).filter(|bits| *bits > 0);
                }
                _ => {}
            }
        }
    }
}
