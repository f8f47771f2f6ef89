//! The memory that harness and worker share: the context block, g, and the stack frames.
//!
//! Correct means: every offset is used by exactly one field, and what the worker writes before an
//! entry is all that the harness reads: it makes no state of its own, so an entry is short. What the body
//! leaves in registers stands above the frames, and the next entry begins with it.
//!
//! With `clobbers = "all"` the harness keeps its state in its frame. One frame would make that
//! state a chain through memory: each iteration loads what the last one stored, and on a CPU that
//! does not rename memory (Cascade Lake: 5.5 cycles an iteration) the chain hides a whole direct
//! call. So four frames take turns; each has a cursor of its own that advances by four elements.

use std::ops::Range;

/// Offset of `g` in the data region.
pub const G: u32 = 512;
/// Offset of the word that holds g's address; `gs` points 8 bytes behind it.
pub const G_POINTER: u32 = 448;

/// Context fields, bytes from the start of the data region.
pub mod context {
    /// Address of the frame that the entry's first iteration runs in.
    pub const STACK: u32 = 16;
    /// Out: sum of the results, where a register holds it; else each frame has its part.
    pub const SUM: u32 = 24;
    /// The worker's own stack pointer during a run.
    pub const SAVED_RSP: u32 = 48;
    /// Out: what panicked, 0 if nothing.
    pub const PANIC_KIND: u32 = 56;
    /// Out: return address into the function that panicked.
    pub const PANIC_PC: u32 = 64;
    /// Stack pointer at the start of the current iteration, kept only where panics are recovered.
    pub const BODY_RSP: u32 = 72;
    /// Out: number of recovered panics.
    pub const PANICS: u32 = 80;
    /// Out: stack pointer at the exit.
    pub const EXIT_RSP: u32 = 88;
    /// Out: flags at the exit.
    pub const EXIT_FLAGS: u32 = 96;
    /// Out: MXCSR at the exit, 32 bits.
    pub const EXIT_MXCSR: u32 = 104;
    /// MXCSR at the entry, 32 bits.
    pub const ENTRY_MXCSR: u32 = 108;
    /// Address of frame 0, from which what is carried counts.
    pub const FRAME_0: u32 = 112;
    /// Out: 1 where the loop ran to its end.
    pub const COMPLETE: u32 = 184;
    /// Blocks that the modelled `runtime.mallocgc` gave out; only it counts, and never back.
    pub const ALLOCATIONS: u32 = 192;
    /// The bytes that were asked for in them.
    pub const ALLOCATED_BYTES: u32 = 200;
    /// Out: the types that a failed assertion is about, three words; see
    /// [`PANIC_DOTTYPE`](super::PANIC_DOTTYPE).
    pub const PANIC_TYPES: u32 = 208;
    /// Behind the last field.
    pub const END: u32 = PANIC_TYPES + 24;
}

/// Frames that take turns.
pub const FRAMES: u64 = 4;
/// Bytes between two frames.
pub const FRAME_STEP: i32 = 64;
/// The bit of `rsp` that is set when it has stepped past the last frame.
pub const WRAP_BIT: i8 = 8;
/// Alignment of frame 0; makes the wrap one bit.
pub const FRAME_ALIGN: u64 = 512;
/// Bytes above `rsp` that belong to the body.
pub const BODY_BYTES: u64 = 256;

/// State of a frame, bytes from its `rsp`; the worker writes it before each entry. Where registers hold
/// the state, they are filled from frame 0.
pub mod state {
    /// Address of the frame's next walk element.
    pub const CURSOR: i32 = 512;
    /// Cursor after the frame's last iteration, or a value no cursor takes.
    pub const END: i32 = 520;
    /// Sum of the frame's results.
    pub const SUM: i32 = 528;
    /// Address of g.
    pub const G: i32 = 536;
    /// Iterations left, where there is no walk.
    pub const COUNT: i32 = 544;
    /// A register's value while the harness needs the register.
    pub const SPILL: i32 = 552;
    /// Address of the array of the receivers.
    pub const ARRAY: i32 = 560;
    /// In the entry's first frame: where it goes once registers are loaded.
    pub const TARGET: i32 = 568;
}

/// Iterations of the entry; bytes from frame 0.
pub const ITERATIONS: i32 = 768;
/// The word that guards are made of.
pub const GUARD_WORD: u64 = 0xc0de_cafe_5afe_57ac;
/// Room above frame 0.
pub const FRAME_ROOM: u64 = 4096;

/// What the body leaves in registers from one entry to the next; bytes from frame 0, above the guards.
pub mod carried {
    /// General registers by hardware number.
    pub const REGISTERS: i32 = 1152;
    /// Bytes of the widest vector registers that this CPU has: 16, 32, or 64 with mask registers.
    pub const WIDEST: i32 = 1280;
    /// Mask registers.
    pub const MASKS: i32 = 1288;
    /// The x87 and MMX state, as `fnsave` stores it.
    pub const X87: i32 = 1352;
    /// Vector registers, 64 bytes each.
    pub const VECTORS: i32 = 1472;
    /// Behind the last of them.
    pub const END: i32 = VECTORS + 32 * 64;
}

/// The guards: between the bodies' bytes and the frames' state, and behind that up to what is carried. Nobody
/// writes there; bytes from frame 0.
#[inline]
pub fn guards(takes_turns: bool) -> [Range<u64>; 2] {
    let last = if takes_turns { FRAMES - 1 } else { 0 };
    let bodies = last * FRAME_STEP as u64 + BODY_BYTES;
    let state = ITERATIONS as u64 + 8;
    [
        bodies..state::CURSOR as u64,
        state..carried::REGISTERS as u64,
    ]
}

/// What no entry of code that carries this reads or writes, up to the end of the room: a guard too, and too
/// long to be looked at after each entry. Bytes from frame 0.
pub fn far(carries_vectors: bool) -> Range<u64> {
    let start = match carries_vectors {
        true => carried::END,
        false => carried::VECTORS,
    };
    start as u64..FRAME_ROOM
}

/// Where in the body's own terms a byte lies that is so far above frame 0: of frames that take turns, in any.
pub fn slot(offset: u64, takes_turns: bool) -> String {
    let last = (FRAMES - 1) * FRAME_STEP as u64;
    match takes_turns {
        true => format!(
            "between [rsp+{}] and [rsp+{offset}]",
            offset.saturating_sub(last).max(BODY_BYTES)
        ),
        false => format!("at [rsp+{offset}]"),
    }
}

/// What a modelled panic leaves as the iteration's result when it is recovered.
pub const RECOVERED: u64 = 0x5041_4e49;
/// Panic kind of `runtime.panicwrap`.
pub const PANIC_WRAP: u64 = 1;
/// Panic kind of `runtime.morestack`: the modelled stack does not grow.
pub const PANIC_STACK: u64 = 2;

/// Panic kind of `runtime.panicdottypeE`, `panicdottypeI` and `panicnildottype`. With it come three
/// types: what was there, what was asked for, and the interface; 0 where there is none.
pub const PANIC_DOTTYPE: u64 = 3;
/// Panic kind of an assertion to an interface of a type that lacks a method. The types are what was
/// there and the interface asked for.
pub const PANIC_MISSING_METHOD: u64 = 4;
/// Panic kind of `runtime.panicIndex` and its like: no types come with this one and those below.
pub const PANIC_INDEX: u64 = 5;
/// Panic kind of `runtime.panicSliceAlen` and its like.
pub const PANIC_SLICE: u64 = 6;
/// Panic kind of `runtime.panicdivide`.
pub const PANIC_DIVIDE: u64 = 7;
/// Panic kind of `runtime.panicshift`.
pub const PANIC_SHIFT: u64 = 8;
/// Panic kind of `runtime.gopanic`.
pub const PANIC_CALLED: u64 = 9;
/// Panic kind of `runtime.panicBounds`, which learns from tables whether it was an index.
pub const PANIC_BOUNDS: u64 = 10;
/// Panic kind of `runtime.sigpanic`: an access through a nil pointer.
pub const PANIC_NIL: u64 = 11;

/// Cursor ends and counts of the four frames for `iterations` from `cursor`.
///
/// Only the frame of the last iteration may end the loop; the others get a value they never meet.
#[inline]
pub fn frame_ends(iterations: u64, cursor: u64, element: u64) -> ([u64; 4], [u64; 4]) {
    let mut ends = [u64::MAX; 4];
    let mut counts = [u64::MAX; 4];
    if iterations > 0 {
        let last = ((iterations - 1) % FRAMES) as usize;
        ends[last] = cursor + (iterations - 1 + FRAMES) * element;
        counts[last] = iterations.div_ceil(FRAMES);
    }
    (ends, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks the frames one iteration at a time, as the harness does.
    fn iterations_run(iterations: u64, cursor: u64, element: u64) -> (u64, u64) {
        let (ends, counts) = frame_ends(iterations, cursor, element);
        let mut cursors = [0, 1, 2, 3].map(|frame| cursor + frame * element);
        let mut left = counts;
        let (mut by_cursor, mut by_count) = (None, None);
        for run in 0..iterations + 8 {
            let frame = (run % FRAMES) as usize;
            cursors[frame] += FRAMES * element;
            left[frame] = left[frame].wrapping_sub(1);
            if cursors[frame] == ends[frame] {
                by_cursor.get_or_insert(run + 1);
            }
            if left[frame] == 0 {
                by_count.get_or_insert(run + 1);
            }
        }
        (by_cursor.unwrap_or(0), by_count.unwrap_or(0))
    }

    #[test]
    fn the_frames_end_after_exactly_the_iterations_asked_for() {
        for iterations in 1..40 {
            for element in [8, 16] {
                assert_eq!(
                    iterations_run(iterations, 0x1000, element),
                    (iterations, iterations)
                );
            }
        }
    }
}
