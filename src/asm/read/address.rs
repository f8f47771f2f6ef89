//! A sum of registers and numbers to what the hardware can address.
//!
//! Correct means: an address that the hardware cannot form is refused here, and no register changes
//! its part but the stack pointer.

use iced_x86::Register;

use super::expression::Linear;
use crate::asm::inst::{Mem, Name, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::name_of;

/// Base, index and scale from a sum of registers.
pub(in crate::asm) fn memory(sum: Linear<'_>, here: Span) -> Result<Mem<'_>, Problem> {
    let mut mem = Mem {
        bits: None,
        segment: None,
        base: None,
        index: None,
        has_no_index: false,
        scale: 1,
        displacement: sum.constant,
        target: None,
        broadcast: None,
        is_displaced: sum.has_number,
    };
    for term in sum.registers.iter() {
        let register = term.register;
        let name = || name_of(register);
        if !(register.is_gpr32()
            || register.is_gpr64()
            || register.is_vector_register()
            || register == Register::RIP)
        {
            return Err(Problem::new(
                term.span,
                format!("`{}` cannot address memory in 64-bit code", name()),
            ));
        }
        if term.scale < 0 {
            return Err(Problem::new(
                here,
                format!("`{}` cannot be subtracted in an address", name()),
            )
            .help("`neg` it in a register of its own, and add that"));
        }
        if ![1, 2, 4, 8].contains(&term.scale) {
            return Err(Problem::new(
                here,
                format!("the factor of `{}` must be 1, 2, 4 or 8", name()),
            )
            .help("multiply before: `lea rcx, [rax+rax*2]` is three times rax"));
        }
        let must_be_index = term.scale != 1 || register.is_vector_register() || term.is_none;
        let is_index = must_be_index || term.scaled && mem.index.is_none() || mem.base.is_some();
        if is_index && mem.index.is_none() {
            mem.index = Some(register);
            mem.has_no_index = term.is_none;
            mem.scale = u32::try_from(term.scale).unwrap_or(1);
        } else if !must_be_index && mem.base.is_none() {
            mem.base = Some(register);
        } else {
            return Err(Problem::new(
                here,
                "only one register of an address can have a factor",
            ));
        }
    }
    order_registers(&mut mem, here)?;
    if let Some(target) = sum.target {
        if mem.index.is_some() || mem.base.is_some_and(|base| base != Register::RIP) {
            return Err(Problem::new(
                here,
                "a symbol's address is relative to `rip` and takes no other register",
            )
            .help("load the address first: `lea rcx, [symbol]`, then use [rcx + ...], as in `jmp [rcx+rdi*8]`; in AT&T syntax `leaq symbol(%rip), %rcx`"));
        }
        let Ok(addend) = i64::try_from(sum.constant) else {
            return Err(Problem::new(
                here,
                "the distance from the symbol is out of range",
            ));
        };
        let is_symbol = mem.base.is_some();
        mem.base = None;
        mem.displacement = 0;
        let name = match target.name {
            // What is addressed from `rip` in so many words can be nothing else.
            Name::Label(name) if is_symbol => Name::Open(name),
            name => name,
        };
        mem.target = Some(Target {
            name,
            addend,
            ..target
        });
    }
    Ok(mem)
}

/// The stack pointer has no encoding as an index, so it changes places with an unscaled base.
fn order_registers(mem: &mut Mem<'_>, here: Span) -> Result<(), Problem> {
    let is_stack = |register| matches!(register, Some(Register::RSP | Register::ESP));
    if is_stack(mem.index) && mem.scale == 1 && !is_stack(mem.base) {
        std::mem::swap(&mut mem.base, &mut mem.index);
    }
    if is_stack(mem.index) {
        return Err(Problem::new(here, "`rsp` cannot be an index")
            .help("copy it to another register first, or give the other register the factor"));
    }
    if (mem.index, mem.base) == (mem.index, Some(Register::RIP)) && mem.index.is_some()
        || mem.index == Some(Register::RIP)
    {
        return Err(
            Problem::new(here, "`rip` takes neither an index nor a factor")
                .help("load the address first: `lea rcx, [rip+8]`, then use [rcx + ...]"),
        );
    }
    if let (Some(base), Some(index)) = (mem.base, mem.index)
        && !index.is_vector_register()
        && base.size() != index.size()
    {
        return Err(Problem::new(
            here,
            format!(
                "`{}` and `{}` differ in width and cannot form one address",
                name_of(base),
                match (mem.has_no_index, index.size()) {
                    (false, _) => name_of(index),
                    (true, 8) => "riz".to_owned(),
                    (true, _) => "eiz".to_owned(),
                }
            ),
        )
        .help("use the 64-bit names of both"));
    }
    Ok(())
}

/// Leaves out a segment that the address has anyway.
pub(in crate::asm) fn without_own_segment(mem: &mut Mem<'_>) {
    let is_stack = matches!(
        mem.base,
        Some(Register::RSP | Register::ESP | Register::RBP | Register::EBP)
    );
    let own = if is_stack { Register::SS } else { Register::DS };
    mem.segment = mem.segment.filter(|segment| *segment != own);
}

/// What `fs` may be used for: of C's thread the word that guards the stack.
pub(in crate::asm) fn check_thread(mem: &Mem<'_>, here: Span) -> Result<(), Problem> {
    /// Where C keeps the guard of the stack.
    const GUARD: i128 = 0x28;
    let is_guard = mem.base.is_none()
        && mem.index.is_none()
        && mem.target.is_none()
        && mem.displacement == GUARD;
    if mem.segment != Some(Register::FS) || is_guard {
        return Ok(());
    }
    if mem.target.is_some() {
        let message = "this is a variable of the thread, and `fs` belongs to the tool's own";
        return Err(Problem::new(here, message)
            .help("make it a variable like any other, with its data in the text, and write it without `fs`"));
    }
    Err(Problem::new(here, "`fs` belongs to the tool's own thread").help(
        "of C's, `fs:0x28` alone can be read, the guard of the stack; Go's g stands at `gs:[-8]` here",
    ))
}
