//! Does an iteration take anything over from the one before, beside the receiver?
//!
//! Correct means: where it does, through a register or the flags, this says so; it may say so too
//! where the value changes nothing. A value that is only put away, by `push` or a store, is not
//! taken over: that is how functions keep registers for their callers.

use std::collections::HashMap;

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register,
};

use crate::link::{Image, Owner};
use crate::template::HeapKind;

/// Sets of places: 16 whole general registers, their low bytes, 32 vector registers, flags.
type Places = u128;

const FLAGS: u32 = 64;
/// `rsp` and `r14` (g) are the same in each iteration.
const GIVEN: Places = 1 << 4 | 1 << 14;

/// What one instruction reads and what it overwrites.
#[derive(Debug, Clone, Copy, Default)]
struct Effect {
    reads: Places,
    writes: Places,
    is_own: bool,
}

/// Follows traces and remembers what they took over.
#[derive(Debug)]
pub(super) struct Carry<'a> {
    image: &'a Image,
    given: Places,
    known: HashMap<u64, Effect>,
    factory: InstructionInfoFactory,
    read_first: Places,
    ever_written: Places,
}

impl<'a> Carry<'a> {
    pub(super) fn new(image: &'a Image, heap: HeapKind) -> Carry<'a> {
        let receiver: Places = match heap {
            HeapKind::None => 0,
            HeapKind::Pointer | HeapKind::Func => 1,
            HeapKind::Iface | HeapKind::Eface => 1 | 1 << 3,
        };
        // A whole register covers its low byte.
        let given = GIVEN | receiver;
        Carry {
            image,
            given: given | given << 16,
            known: HashMap::new(),
            factory: InstructionInfoFactory::new(),
            read_first: 0,
            ever_written: 0,
        }
    }

    /// Adds the addresses of one entry. What stands in front of the loop happens once, so what it
    /// writes is the same for all iterations.
    pub(super) fn follow(&mut self, addresses: impl Iterator<Item = u64>) {
        let mut written = self.given;
        let head = self.image.loop_head;
        for address in addresses.skip_while(|address| *address != head) {
            if address == self.image.body.start {
                written = self.given;
            }
            let effect = self.effect(address);
            if effect.is_own {
                self.read_first |= effect.reads & !written;
                written |= effect.writes;
            }
            self.ever_written |= effect.writes;
        }
    }

    /// Whether anything that was read first is also written somewhere, be it by the harness.
    pub(super) fn is_found(&self) -> bool {
        self.read_first & self.ever_written != 0
    }

    fn effect(&mut self, address: u64) -> Effect {
        if let Some(effect) = self.known.get(&address) {
            return *effect;
        }
        let owner = self.image.owner(address).map(|piece| &piece.owner);
        let effect = owner.map_or_else(Effect::default, |owner| {
            let bytes = &self.image.code[(address - self.image.site.code) as usize..];
            let code = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
            let mut effect = effect_of(&code, &mut self.factory);
            effect.is_own = *owner != Owner::Harness;
            effect
        });
        self.known.insert(address, effect);
        effect
    }
}

fn effect_of(code: &Instruction, factory: &mut InstructionInfoFactory) -> Effect {
    let mut effect = Effect::default();
    let stored = stored_register(code);
    for used in factory.info(code).used_registers() {
        let place = place_of(used.register());
        let reads = matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        );
        if reads && Some(used.register()) != stored {
            effect.reads |= place;
        }
        if matches!(used.access(), OpAccess::Write | OpAccess::ReadWrite) {
            effect.writes |= covered(used.register());
        }
    }
    if code.rflags_read() != 0 {
        effect.reads |= 1 << FLAGS;
    }
    if code.rflags_modified() != 0 {
        effect.writes |= 1 << FLAGS;
    }
    effect
}

/// The register that an instruction only puts away.
fn stored_register(code: &Instruction) -> Option<Register> {
    match code.mnemonic() {
        Mnemonic::Push if code.op0_kind() == OpKind::Register => Some(code.op0_register()),
        Mnemonic::Mov
            if code.op0_kind() == OpKind::Memory && code.op1_kind() == OpKind::Register =>
        {
            Some(code.op1_register())
        }
        _ => None,
    }
}

/// What reading a register reads: its low byte alone, or all of it.
fn place_of(register: Register) -> Places {
    if register.is_gpr8() && !is_high_byte(register) {
        1 << (16 + register.full_register().number())
    } else if register.is_gpr() {
        1 << register.full_register().number()
    } else if register.is_vector_register() {
        1 << (32 + register.number())
    } else {
        0
    }
}

/// What writing a register leaves nothing of.
fn covered(register: Register) -> Places {
    let place = place_of(register);
    if register.is_gpr32() || register.is_gpr64() {
        place | place << 16
    } else if register.is_gpr16() || is_high_byte(register) {
        0
    } else {
        place
    }
}

fn is_high_byte(register: Register) -> bool {
    matches!(
        register,
        Register::AH | Register::BH | Register::CH | Register::DH
    )
}
