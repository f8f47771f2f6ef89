//! A row's loop, interpreted on the memory that it runs on, which is left as it was.
//!
//! Correct means: the interpreter reads and writes the row's data and the stack, reads its code and
//! the walk, and reaches nothing else; afterwards the data hold what they held before.

use super::{Ground, Stage, Visits};
use crate::interpreter::memory::Memory;
use crate::interpreter::{Code, Cpu, Interpreter};
use crate::link::{HEAP_OFFSET, Owner, frame};

/// Bytes above the lower end of the stack where the entry finds its caller.
const CALLER: u64 = 4096;
const RSP: u8 = 4;

impl Stage<'_> {
    /// Hands over an interpreter of placement 0 and a machine that is about to enter it for
    /// `iterations` from the first element of the walk.
    pub fn emulate<T>(
        &mut self,
        ground: &mut Ground,
        visits: &Visits,
        iterations: u64,
        with: impl FnOnce(&mut Interpreter<'_>, &mut Cpu<'_>) -> T,
    ) -> T {
        let context = self.code.data()[..HEAP_OFFSET as usize].to_vec();
        self.prepare(ground, 0, visits.address(0), iterations);
        let image = &self.images[0];
        let own: Vec<_> = image
            .pieces
            .iter()
            .filter(|piece| matches!(piece.owner, Owner::Section(_) | Owner::Stub(_)))
            .map(|piece| piece.addresses.clone())
            .collect();
        let code = Code {
            address: image.site.code,
            bytes: &image.code,
            own: &own,
            turn_end: image.loop_end,
        };
        let borders = [image.entry, image.loop_head, image.loop_end];
        let mut interpreter = Interpreter::new(code, &borders);
        let stack_start = ground.stack.address();
        let (data, mapped) = self.code.parts();
        let memory = Memory::new()
            .with(ground.stack.bytes())
            .with(data)
            .with_read_only(visits.memory.view())
            .with_read_only(mapped);
        let mut cpu = Cpu::new(memory);
        cpu.set_gs_base(image.site.data + u64::from(frame::G_POINTER) + 8);
        cpu.set_register(RSP, stack_start + CALLER);
        let answer = with(&mut interpreter, &mut cpu);
        cpu.undo_stores();
        // What the last entry left, for one a panic, stays to be asked for.
        self.code.data()[..context.len()].copy_from_slice(&context);
        answer
    }
}
