//! Instructions that single-stepping does not see as it sees others.
//!
//! Correct means: every instruction that ran is a step of the log, those too that raised no trap, and whoever
//! pushes the flags finds no trap flag among them.
//!
//! The CPU holds the trap of a load of `ss` back for one instruction (Intel SDM vol. 3, 6.8.3). Where user-mode
//! instruction prevention is on, the kernel carries out `sgdt`, `sidt`, `sldt`, `smsw` and `str` itself
//! (arch/x86/kernel/umip.c) and raises none for them: the next one comes behind the instruction that follows.

use std::collections::HashMap;

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register,
};

use crate::link::Image;
use crate::sys::signals::{Look, Step, StepLog, Trap};

/// Looks at the instruction that some bytes begin with.
pub fn look(bytes: &[u8]) -> Look {
    let code = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
    Look {
        length: code.len() as u64,
        trap: trap_of(&code),
    }
}

fn trap_of(code: &Instruction) -> Trap {
    use Mnemonic::{Mov, Pushf, Pushfq, Sgdt, Sidt, Sldt, Smsw, Str};
    let is_to_ss = code.op0_kind() == OpKind::Register && code.op0_register() == Register::SS;
    match code.mnemonic() {
        Mov if is_to_ss => Trap::HeldBack,
        Sgdt | Sidt | Sldt | Smsw | Str => Trap::HeldBack,
        Pushf | Pushfq => Trap::Shown,
        _ => Trap::Raised,
    }
}

/// Adds to a log what ran behind each instruction that held its trap back, and raised none.
pub fn reveal(image: &Image, log: &mut StepLog) {
    let mut known: HashMap<u64, Option<Instruction>> = HashMap::new();
    let decode = |ip: u64| {
        image.owner(ip)?;
        let bytes = &image.code[(ip - image.site.code) as usize..];
        Some(Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE).decode())
    };
    log.reveal(|before, next| {
        let code = *known.entry(before.ip).or_insert_with(|| decode(before.ip));
        let code = code.filter(|code| trap_of(code) == Trap::HeldBack)?;
        let behind = code.next_ip();
        (behind != next.ip).then(|| between(&code, decode(behind).as_ref(), before, next))
    });
}

/// The machine between an instruction that held its trap back and the one that ran behind it. What the first
/// wrote is known where the second leaves it alone.
fn between(code: &Instruction, behind: Option<&Instruction>, before: &Step, next: &Step) -> Step {
    let mut step = Step {
        ip: code.next_ip(),
        ..*before
    };
    if code.op0_kind() == OpKind::Memory {
        step.watched = next.watched;
    } else if code.op0_register().is_gpr() {
        let written = code.op0_register().full_register();
        let mut factory = InstructionInfoFactory::new();
        let is_kept = behind.is_none_or(|behind| {
            let mut used = factory.info(behind).used_registers().iter();
            used.all(|used| used.register().full_register() != written || is_read(used.access()))
        });
        if is_kept {
            step.registers[written.number()] = next.registers[written.number()];
        }
    }
    step
}

fn is_read(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Read | OpAccess::CondRead | OpAccess::None | OpAccess::NoMemAccess
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asm;

    #[test]
    fn instructions_that_steps_do_not_see_are_known_with_any_prefix() {
        let bytes = |text: &str| asm::fragment(text).expect("assembles").bytes;
        #[rustfmt::skip] // a table
        let cases: [(&str, &[u8], Trap); 12] = [
            ("pushfq",       &[0x2e, 0x9c],                  Trap::Shown),
            ("pushf",        &[0x66, 0x9c],                  Trap::Shown),
            ("pushfq",       &[0x64, 0xf2, 0x48, 0x9c],      Trap::Shown),
            ("pushfq",       &[0x36, 0x36, 0x36, 0x36, 0x9c], Trap::Shown),
            ("push -100",    &[0x6a, 0x9c],                  Trap::Raised),
            ("popfq",        &[0x9d],                        Trap::Raised),
            ("mov ss, ecx",  &[0x8e, 0xd1],                  Trap::HeldBack),
            ("mov ds, ecx",  &[0x8e, 0xd9],                  Trap::Raised),
            ("sgdt [rsp]",   &[0x0f, 0x01, 0x04, 0x24],      Trap::HeldBack),
            ("smsw eax",     &[0x0f, 0x01, 0xe0],            Trap::HeldBack),
            ("str [rsp]",    &[0x0f, 0x00, 0x0c, 0x24],      Trap::HeldBack),
            ("nop",          &[],                            Trap::Raised),
        ];
        for (text, given, trap) in cases {
            let length = given.len() as u64;
            assert_eq!(look(given), Look { length, trap }, "{text}");
            let own = look(&bytes(text)).trap;
            assert_eq!(own, trap, "{text}");
        }
    }
}
