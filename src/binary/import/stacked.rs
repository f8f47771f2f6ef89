//! Whether a function reads arguments on the stack, which nothing gives it where it is imported.
//!
//! Correct means: in straight code every read of a word above the return address is found, unless the function has written
//! that word itself: Go keeps room there for arguments in registers. Behind a return the frame is the one before it.

use std::collections::HashSet;

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register,
};

/// Whether code that begins with a return address on top of the stack reads what lies above that.
pub(super) fn reads_arguments(code: &[u8]) -> bool {
    const WORD: i64 = 8;
    let mut info = InstructionInfoFactory::new();
    // Bytes from the top of the stack up to the arguments, now and in the body of the function.
    let (mut depth, mut deepest) = (WORD, WORD);
    let mut frame = None;
    let mut written: HashSet<i64> = HashSet::new();
    for one in Decoder::new(64, code, DecoderOptions::NONE) {
        for memory in info.info(&one).used_memory() {
            let base = match memory.base() {
                Register::RSP => Some(depth),
                Register::RBP => frame,
                _ => None,
            };
            let Some(base) = base.filter(|_| memory.index() == Register::None) else {
                continue;
            };
            let place = memory.displacement() as i64 - base;
            match memory.access() {
                _ if place < 0 => {}
                OpAccess::Write => drop(written.insert(place)),
                OpAccess::NoMemAccess | OpAccess::None => {}
                _ if written.contains(&place) => {}
                _ => return true,
            }
        }
        match (one.mnemonic(), of_stack(&one)) {
            (Mnemonic::Push, _) => depth += WORD,
            (Mnemonic::Pop, _) => depth -= WORD,
            (Mnemonic::Sub, Some(bytes)) => depth += bytes,
            (Mnemonic::Add, Some(bytes)) => depth -= bytes,
            (Mnemonic::Mov, _) if one.op0_register() == Register::RBP => {
                frame = (one.op1_register() == Register::RSP).then_some(depth);
            }
            (Mnemonic::Lea, _) if one.op0_register() == Register::RBP => {
                let above = one.memory_displacement64() as i64;
                frame = (one.memory_base() == Register::RSP).then_some(depth - above);
            }
            (Mnemonic::Ret | Mnemonic::Leave, _) => depth = deepest,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    false
}

/// The number that an instruction adds to the stack's register, or takes from it.
fn of_stack(one: &Instruction) -> Option<i64> {
    let is_stack = one.op_count() == 2 && one.op0_register() == Register::RSP;
    let number = one.try_immediate(1).ok().filter(|_| is_stack)?;
    Some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::reads_arguments;
    use crate::asm::fragment;

    #[test]
    fn words_above_the_return_address_are_arguments_and_others_none() {
        for (code, expected) in [
            ("mov rcx, [rsp+8]\nret", true),
            ("mov rcx, [rsp]\nret", false),
            ("add eax, [rsp+16]\nret", true),
            (
                "push rbp\nmov rbp, rsp\nmov rax, [rbp+16]\npop rbp\nret",
                true,
            ),
            (
                "push rbp\nmov rbp, rsp\nmov rax, [rbp+8]\npop rbp\nret",
                false,
            ),
            ("sub rsp, 24\nmov rax, [rsp+32]\nadd rsp, 24\nret", true),
            ("sub rsp, 24\nmov rax, [rsp+16]\nadd rsp, 24\nret", false),
            // Go keeps its arguments in registers there.
            (
                "sub rsp, 24\nmov [rsp+32], rax\nmov rcx, [rsp+32]\nadd rsp, 24\nret",
                false,
            ),
            // Behind a return: the way to a larger stack, which keeps them in the frame of a caller.
            (
                "s: sub rsp, 24\nmov eax, 1\nadd rsp, 24\nret\nmov [rsp+8], rax\nmov rax, [rsp+8]\njmp s",
                false,
            ),
            (
                "sub rsp, 24\njz a\nadd rsp, 24\nret\na: mov rax, [rsp+16]\nadd rsp, 24\nret",
                false,
            ),
            (
                "sub rsp, 24\njz a\nadd rsp, 24\nret\na: mov rax, [rsp+32]\nadd rsp, 24\nret",
                true,
            ),
            ("lea rax, [rsp+8]\nret", false),
            ("cmp rsp, [r14+16]\nret", false),
            ("mov rax, [rsp+rcx*8+8]\nret", false),
        ] {
            let section = fragment(code).expect("assembles");
            assert_eq!(reads_arguments(&section.bytes), expected, "{code}");
        }
    }
}
