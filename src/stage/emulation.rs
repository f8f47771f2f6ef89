//! A row's loop, interpreted on the memory that it runs on, which is left as it was.
//!
//! Correct means: the interpreter reads and writes the row's data and the stack, reads its code and
//! the walk, and reaches nothing else; afterwards the data hold what they held before.

use super::{Ground, Span, Stage, Visits, get};
use crate::interpreter::memory::Memory;
use crate::interpreter::{Code, Cpu, Interpreter};
use crate::link::Owner;
use crate::link::frame::{self, carried, state};
use crate::template::Clobbers;

const RSP: u8 = 4;
/// Those of a test of 1, with interrupts enabled.
const FIRST_FLAGS: u64 = 0x202;

impl Stage<'_> {
    /// Hands over an interpreter of placement 0 and a machine at the head of its loop, right behind the setup,
    /// for `iterations` from the first element of the walk, and what has it visit them again. The image is put
    /// back there afterwards.
    pub fn emulate<T>(
        &mut self,
        ground: &mut Ground,
        visits: &Visits,
        iterations: u64,
        with: impl FnOnce(&mut Interpreter<'_>, &mut Cpu<'_>, &Again) -> T,
    ) -> T {
        self.rewind(ground, 0);
        self.prepare(ground, 0, Span::of(visits, 0, iterations));
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
        let borders = [image.loop_head, image.loop_end];
        let mut interpreter = Interpreter::new(code, &borders).with_nil(image.sigpanic());
        let frame = ground.frame();
        let g = image.site.data + u64::from(frame::G);
        let saved = |number: i32| get(ground.frames(), (carried::REGISTERS + 8 * number) as u32);
        let registers: [u64; 16] =
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(saved);
        let vectors = saved_vectors(ground.frames());
        let mut again = Again::of(frame, ground.frames());
        if let Some(natives) = &mut self.natives {
            let carried = carried::REGISTERS as usize..carried::END as usize;
            interpreter = interpreter.with(natives.by_address().clone());
            natives.begin(&ground.frames()[carried]);
        }
        let (data, mapped) = self.code.parts();
        let memory = Memory::new()
            .with(ground.stack.bytes())
            .with(data)
            .with_read_only(visits.memory.view())
            .with_read_only(mapped);
        let mut cpu = Cpu::new(memory).with(self.natives.as_mut());
        cpu.set_gs_base(image.site.data + u64::from(frame::G_POINTER) + 8);
        for (number, value) in (0..).zip(registers) {
            cpu.set_register(number, value);
        }
        cpu.set_register(RSP, frame);
        if self.row.clobbers == Clobbers::Some {
            let state = [(12, visits.address(0)), (13, 0), (14, g), (15, iterations)];
            for (number, value) in state {
                cpu.set_register(number, value);
            }
            again.registers = vec![state[0], state[3]];
        }
        cpu.set_flags(FIRST_FLAGS);
        *cpu.vectors() = vectors;
        let answer = with(&mut interpreter, &mut cpu, &again);
        cpu.undo_stores();
        self.rewind(ground, 0);
        answer
    }
}

/// What the loop's own state holds in front of the first element of a walk.
#[derive(Debug)]
pub struct Again {
    words: Vec<(u64, u64)>,
    registers: Vec<(u8, u64)>,
}

impl Again {
    fn of(frame: u64, frames: &[u8]) -> Again {
        let places = (0..frame::FRAMES as i32).flat_map(|number| {
            let own = number * frame::FRAME_STEP;
            [state::CURSOR, state::END, state::COUNT].map(|offset| (own + offset) as u32)
        });
        Again {
            words: places
                .map(|at| (frame + u64::from(at), get(frames, at)))
                .collect(),
            registers: Vec::new(),
        }
    }

    /// Has a machine that has gone through the walk begin it again, its body's state as it left it.
    pub fn apply(&self, cpu: &mut Cpu<'_>) {
        for &(address, value) in &self.words {
            let is_stored = cpu.set_word(address, value);
            debug_assert!(is_stored, "the frames are the row's memory");
        }
        for &(number, value) in &self.registers {
            cpu.set_register(number, value);
        }
        cpu.set_flags(FIRST_FLAGS);
    }
}

/// The lower halves of the vector registers that an entry begins with.
fn saved_vectors(frames: &[u8]) -> [u128; 16] {
    std::array::from_fn(|number| {
        let at = carried::VECTORS as usize + 64 * number;
        let bytes = frames[at..].first_chunk();
        u128::from_le_bytes(*bytes.expect("there is room for the registers above the frames"))
    })
}
