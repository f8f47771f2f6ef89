//! What the runtime functions that end an iteration do before they leave: the modelled panics, and
//! the stack that grows.
//!
//! Correct means: a failed assertion leaves its types in the context in one order, whatever the
//! calling convention; a stack that has room left grows and the function starts again; everything
//! else goes on to the unwinder.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

use super::Assembler;
use crate::go::layout;
use crate::job::JobRow;
use crate::link::Site;
use crate::link::frame::{self, context};

/// Where an access through a nil pointer goes. No code names it: the handler of the signal leads there.
pub(in crate::link) const SIGPANIC: &str = "runtime.sigpanic";

/// A function of the runtime that does not return, or not always.
pub(super) struct Stub {
    /// Go's name for it.
    pub name: &'static str,
    /// What it notes, one of the panic kinds.
    pub kind: u64,
    /// Whether it is there for every template.
    pub is_always_there: bool,
    arguments: Arguments,
}

/// What a stub takes.
enum Arguments {
    None,
    /// Nothing; it grows the stack where it can.
    Stack,
    /// Types: where the context keeps each argument, from the first of its three words.
    Types(&'static [u32]),
    /// The same, where the first is an itab, whose type is meant.
    ItabAndTypes(&'static [u32]),
}

impl Stub {
    #[rustfmt::skip] // a table: one stub a line
    pub(in crate::link) const ALL: [Stub; 33] = [
        Stub::new("runtime.panicwrap",          frame::PANIC_WRAP,           true,  Arguments::None),
        Stub::new("runtime.morestack_noctxt",   frame::PANIC_STACK,          true,  Arguments::Stack),
        Stub::new("runtime.morestack",          frame::PANIC_STACK,          true,  Arguments::Stack),
        Stub::new("runtime.panicdottypeE",      frame::PANIC_DOTTYPE,        false, Arguments::Types(&[0, 8, 16])),
        Stub::new("runtime.panicdottypeI",      frame::PANIC_DOTTYPE,        false, Arguments::ItabAndTypes(&[0, 8, 16])),
        Stub::new("runtime.panicnildottype",    frame::PANIC_DOTTYPE,        false, Arguments::Types(&[8])),
        Stub::new("runtime.panicmissingmethod", frame::PANIC_MISSING_METHOD, false, Arguments::Types(&[0, 8])),
        Stub::new("runtime.panicIndex",          frame::PANIC_INDEX,         false, Arguments::None),
        Stub::new("runtime.panicIndexU",         frame::PANIC_INDEX,         false, Arguments::None),
        Stub::new("runtime.panicindex",          frame::PANIC_INDEX,         false, Arguments::None),
        Stub::new("runtime.goPanicIndex",        frame::PANIC_INDEX,         false, Arguments::None),
        Stub::new("runtime.goPanicIndexU",       frame::PANIC_INDEX,         false, Arguments::None),
        Stub::new("runtime.panicSliceAlen",      frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSliceAlenU",     frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSliceAcap",      frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSliceAcapU",     frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSliceB",         frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSliceBU",        frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3Alen",     frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3AlenU",    frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3Acap",     frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3AcapU",    frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3B",        frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3BU",       frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3C",        frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSlice3CU",       frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicSliceConvert",   frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicslice",          frame::PANIC_SLICE,         false, Arguments::None),
        Stub::new("runtime.panicBounds",         frame::PANIC_BOUNDS,        false, Arguments::None),
        Stub::new("runtime.panicdivide",         frame::PANIC_DIVIDE,        false, Arguments::None),
        Stub::new("runtime.panicshift",          frame::PANIC_SHIFT,         false, Arguments::None),
        Stub::new("runtime.gopanic",             frame::PANIC_CALLED,        false, Arguments::None),
        Stub::new(SIGPANIC,                      frame::PANIC_NIL,           false, Arguments::None),
    ];

    const fn new(
        name: &'static str,
        kind: u64,
        is_always_there: bool,
        arguments: Arguments,
    ) -> Stub {
        Stub {
            name,
            kind,
            is_always_there,
            arguments,
        }
    }

    /// Emits what comes before the note; nothing where no template calls it.
    pub(super) fn arguments(&self, ops: &mut Assembler, row: &JobRow, site: Site, is_named: bool) {
        match &self.arguments {
            Arguments::Stack if is_named => grow(ops, site),
            Arguments::Types(slots) => note_types(ops, row, site, slots, false),
            Arguments::ItabAndTypes(slots) => note_types(ops, row, site, slots, true),
            Arguments::None | Arguments::Stack => {}
        }
    }
}

/// The stack grows by lowering the bound that prologues compare with, as far as the stack reaches;
/// nothing is copied. The caller has put its arguments away, and jumps back to its start.
fn grow(ops: &mut Assembler, site: Site) {
    let g = site.data + u64::from(frame::G);
    dynasm!(ops
        ; .arch x64
        ; mov rdi, QWORD g as i64
        ; mov rax, [rdi + layout::G_STACK_LO as i32]
        ; add rax, layout::STACK_GUARD as i32
        ; cmp [rdi + layout::G_STACKGUARD0 as i32], rax
        ; jbe >full
        ; mov [rdi + layout::G_STACKGUARD0 as i32], rax
        ; ret
        ; full:
    );
}

fn note_types(ops: &mut Assembler, row: &JobRow, site: Site, slots: &[u32], is_itab: bool) {
    if !row.heap.release.has_register_abi() {
        // The stack ABI's arguments stand behind the return address, in the register ABI's order.
        dynasm!(ops
            ; .arch x64
            ; mov rax, [rsp + 8]
            ; mov rbx, [rsp + 16]
            ; mov rcx, [rsp + 24]
        );
    }
    if is_itab {
        dynasm!(ops
            ; .arch x64
            ; test rax, rax
            ; je >nil
            ; mov rax, [rax + layout::ITAB_TYPE.offset as i32]
            ; nil:
        );
    }
    dynasm!(ops; .arch x64; mov rdi, QWORD site.data as i64);
    for (number, slot) in slots.iter().enumerate() {
        let at = (context::PANIC_TYPES + slot) as i32;
        match number {
            0 => dynasm!(ops; .arch x64; mov [rdi + at], rax),
            1 => dynasm!(ops; .arch x64; mov [rdi + at], rbx),
            _ => dynasm!(ops; .arch x64; mov [rdi + at], rcx),
        }
    }
    for slot in [0, 8, 16].iter().filter(|slot| !slots.contains(slot)) {
        dynasm!(ops; .arch x64; mov QWORD [rdi + (context::PANIC_TYPES + slot) as i32], 0);
    }
}
