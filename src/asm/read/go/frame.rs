//! What Go's assembler puts around the body of a source's function: the check of the stack, the frame, and
//! the saved frame pointer.
//!
//! Correct means: the bytes are those that the assembler of the release inserts (`cmd/internal/obj/x86`,
//! obj6.go), and offsets from the pseudo-registers count over what was pushed.

use std::borrow::Cow;

use iced_x86::Register;

use super::pieces::end_of;
use super::symbol::canonical;
use super::trimmed;
use crate::asm::inst::{Asked, Decor, Inst, Mem, Name, Operand, OperandKind, Statement, Target};
use crate::asm::problem::{Problem, Span};

/// What stands around a function's body.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// Bytes of the locals.
    locals: i128,
    /// Bytes of the saved frame pointer behind them.
    saved: i128,
    /// Bytes that were pushed in the lines so far.
    pushed: i128,
    /// Whether it begins with a check of the stack, and which function makes it larger.
    grows: Option<&'static str>,
    /// Whether the frame pointer is pushed first.
    is_pushed_first: bool,
    here: Span,
}

/// What the lines of a function call.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::asm) struct Calls {
    /// Whether they call at all, for a saved frame pointer's sake.
    any: bool,
    /// Calls that want a check of the stack.
    deep: bool,
    /// Calls that want one only where the frame takes nearly all that is there without.
    flat: bool,
}

impl Calls {
    /// Of these lines.
    pub(in crate::asm) fn of<'l>(lines: impl Iterator<Item = &'l str>) -> Calls {
        let mut calls = Calls::default();
        for line in lines.filter(|line| line.contains("CALL") || line.contains("DUFF")) {
            let mut start = 0;
            loop {
                let (end, next) = end_of(line, start..line.len(), true);
                let text = &line[trimmed(line, start..end)];
                let text = text.rsplit_once(':').map_or(text, |(label, rest)| {
                    match label.contains(|c: char| c.is_whitespace() || c == '(') {
                        true => text,
                        false => rest.trim_start(),
                    }
                });
                let (name, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
                match name {
                    "CALL" if is_without_arguments(rest.trim()) => {
                        (calls.any, calls.flat) = (true, true);
                    }
                    "CALL" => (calls.any, calls.deep) = (true, true),
                    "DUFFZERO" | "DUFFCOPY" => (calls.any, calls.flat) = (true, true),
                    _ => {}
                }
                match next {
                    Some(next) => start = next,
                    None => break,
                }
            }
        }
        calls
    }
}

/// The runtime's functions that Go takes for leaves.
fn is_without_arguments(target: &str) -> bool {
    let Some(symbol) = target.strip_suffix("(SB)") else {
        return false;
    };
    let name = canonical(symbol);
    matches!(
        &*name,
        "runtime.panicdivide" | "runtime.panicwrap" | "runtime.panicshift"
    ) || name.starts_with("runtime.panicIndex")
        || name.starts_with("runtime.panicSlice")
}

/// The operands of a `TEXT` line.
pub(super) struct Opened<'t> {
    pub(super) symbol: &'t str,
    pub(super) flags: &'t str,
    pub(super) locals: i128,
    pub(super) here: Span,
}

impl Frame {
    /// Bytes below the stack pointer without which no function calls another.
    const SMALL: i128 = 128;
    /// Larger frames may reach over the end of the address space.
    const BIG: i128 = 4096;

    /// The frame of a function, with what stands at its beginning.
    pub(super) fn open<'a>(
        opened: &Opened<'_>,
        calls: Calls,
        go_minor: u8,
        statements: &mut Vec<Statement<'a>>,
    ) -> Result<Frame, Problem> {
        let flag = |name: &str, bit: u32| {
            let mut all = opened.flags.split('|').map(str::trim);
            all.any(|one| one == name || one.parse().is_ok_and(|one: u32| one & bit != 0))
        };
        let locals = opened.locals.max(0);
        if locals % 8 != 0 || locals >= 1 << 20 {
            let problem =
                Problem::new(opened.here, "a frame is a multiple of 8 bytes, below 1 MiB");
            return Err(problem.help("round it up, as Go's assembler asks, too"));
        }
        if flag("WRAPPER", 32) {
            return Err(Problem::new(
                opened.here,
                "what Go inserts into a WRAPPER is not inserted here",
            )
            .help("leave the flag out, or paste what `go tool asm -S` makes of it"));
        }
        let is_nosplit = flag("NOSPLIT", 4);
        // A function without locals saves it, too, where it calls: 1.19 does, 1.10 does not, 1.27 even of NOSPLIT.
        // Which releases between began with either is not known here.
        let first = if is_nosplit { PUSHED_FIRST } else { 12 };
        let is_bare = locals == 0 && (!calls.any || go_minor < first);
        let saved = if flag("NOFRAME", 512) || is_bare {
            0
        } else {
            8
        };
        let size = locals + saved;
        let is_leaf = !calls.deep && (!calls.flat || size < Frame::SMALL - 8);
        let is_checked = !(is_nosplit || size < Frame::SMALL && is_leaf);
        let grows = match flag("NEEDCTXT", 64) {
            true => "runtime.morestack",
            false => "runtime.morestack_noctxt",
        };
        let frame = Frame {
            locals,
            saved,
            pushed: 0,
            grows: is_checked.then_some(grows),
            is_pushed_first: go_minor >= PUSHED_FIRST,
            here: opened.here,
        };
        if is_checked {
            let is_in_register = opened.symbol.ends_with("<ABIInternal>");
            frame.check(size, is_in_register, go_minor, statements)?;
        }
        frame.enter(statements);
        Ok(frame)
    }

    /// The check whether the stack has room.
    fn check<'a>(
        &self,
        size: i128,
        is_in_register: bool,
        go_minor: u8,
        statements: &mut Vec<Statement<'a>>,
    ) -> Result<(), Problem> {
        let here = self.here;
        let (g, spare) = match go_minor {
            ..17 => (Register::RCX, Register::RAX),
            _ => (Register::R14, Register::R12),
        };
        if size > Frame::BIG && go_minor < 17 {
            let message = "how Go up to 1.16 checks the stack for a frame of more than 4096 bytes is not known here";
            return Err(Problem::new(here, message).help("paste what `go tool asm -S` makes of it"));
        }
        let mut made = |name, kinds| statements.push(made(here, name, kinds));
        let guard = memory(g, 16);
        if !is_in_register {
            let own = OperandKind::Memory(super::operand::own_g());
            made("mov", vec![register(g), own]);
        }
        let grow = || label(GROW, here);
        let limit = match size {
            ..=Frame::SMALL => Register::RSP,
            _ if size <= Frame::BIG => {
                made("lea", vec![register(spare), stack(Frame::SMALL - size)]);
                spare
            }
            _ => {
                made("mov", vec![register(spare), register(Register::RSP)]);
                made("sub", vec![register(spare), value(size - Frame::SMALL)]);
                made("jb", vec![grow()]);
                spare
            }
        };
        made("cmp", vec![register(limit), guard]);
        made("jbe", vec![grow()]);
        Ok(())
    }

    /// What makes room.
    fn enter(&self, statements: &mut Vec<Statement<'_>>) {
        let mut made = |name, kinds| statements.push(made(self.here, name, kinds));
        let bp = || register(Register::RBP);
        if self.saved > 0 && self.is_pushed_first {
            made("push", vec![bp()]);
            made("mov", vec![bp(), register(Register::RSP)]);
            adjust(self.here, self.locals, statements);
            return;
        }
        adjust(self.here, self.locals + self.saved, statements);
        if self.saved > 0 {
            let mut made = |name, kinds| statements.push(self::made(self.here, name, kinds));
            made("mov", vec![stack(self.locals), bp()]);
            made("lea", vec![bp(), stack(self.locals)]);
        }
    }

    /// What gives the room back in front of a `RET` at `here`.
    pub(super) fn leave(
        &self,
        here: Span,
        statements: &mut Vec<Statement<'_>>,
    ) -> Result<(), Problem> {
        if self.pushed != 0 {
            let (more, way) = match self.pushed > 0 {
                true => (self.pushed, "pushed and not popped"),
                false => (-self.pushed, "popped and not pushed"),
            };
            let message = format!("in the lines up to this one {more} bytes are {way}");
            return Err(Problem::new(here, message).help(
                "Go's assembler counts PUSH, POP and ADJSP in the order of the lines, and refuses this, too",
            ));
        }
        let bp = || register(Register::RBP);
        if self.saved > 0 && self.is_pushed_first {
            adjust(here, -self.locals, statements);
            statements.push(made(here, "pop", vec![bp()]));
            return Ok(());
        }
        if self.saved > 0 {
            statements.push(made(here, "mov", vec![bp(), stack(self.locals)]));
        }
        adjust(here, -(self.locals + self.saved), statements);
        Ok(())
    }

    /// What stands behind the last line.
    pub(super) fn end<'a>(&mut self) -> Vec<Statement<'a>> {
        let here = self.here;
        let Some(grows) = self.grows.take() else {
            return Vec::new();
        };
        let target = |name| {
            OperandKind::Target(Target {
                name,
                addend: 0,
                span: here,
            })
        };
        let grows = target(Name::Symbol(Cow::Borrowed(grows)));
        vec![
            Statement::Label(GROW, here),
            made(here, "call", vec![grows]),
            made(here, "jmp", vec![target(Name::Start)]),
        ]
    }

    /// Counts what an instruction pushes or pops.
    pub(super) fn count(&mut self, name: &str) {
        self.pushed += match name {
            "PUSHQ" | "PUSHFQ" => 8,
            "POPQ" | "POPFQ" => -8,
            "PUSHW" | "PUSHFW" => 2,
            "POPW" | "POPFW" => -2,
            _ => 0,
        };
    }

    /// Moves the stack pointer by `ADJSP`.
    pub(super) fn move_by(&mut self, bytes: i128, here: Span, to: &mut Vec<Statement<'_>>) {
        self.pushed += bytes;
        adjust(here, bytes, to);
    }

    /// Bytes from the stack pointer to what a pseudo-register points to.
    pub(super) fn offset(&self, register: &str) -> i128 {
        /// Bytes of the return address.
        const RETURN: i128 = 8;
        match register {
            "FP" => self.locals + self.saved + self.pushed + RETURN,
            _ => self.locals + self.pushed,
        }
    }
}

/// The first release 1.N that pushes the frame pointer, instead of storing it into the frame.
const PUSHED_FIRST: u8 = 21;
/// Where the stack is made larger. No line can have such a label.
const GROW: &str = "(grow)";

/// Moves the stack pointer down. One byte holds -128, and not 128.
fn adjust(here: Span, bytes: i128, statements: &mut Vec<Statement<'_>>) {
    let (name, bytes) = match bytes {
        0 => return,
        128 => ("add", -128),
        -128 => ("sub", -128),
        1.. => ("sub", bytes),
        _ => ("add", -bytes),
    };
    let kinds = vec![register(Register::RSP), value(bytes)];
    statements.push(made(here, name, kinds));
}

/// An instruction that Go inserts.
pub(super) fn made<'a>(
    here: Span,
    name: &'static str,
    kinds: Vec<OperandKind<'a>>,
) -> Statement<'a> {
    let operands = kinds.into_iter().map(|kind| Operand { kind, span: here });
    Statement::Inst(Inst {
        mnemonic: Cow::Borrowed(name),
        span: here,
        prefixes: Vec::new(),
        operands: operands.collect(),
        reach: None,
        decor: Decor::default(),
        form: Asked::default(),
    })
}

fn register<'a>(register: Register) -> OperandKind<'a> {
    OperandKind::Register(register)
}

fn value<'a>(value: i128) -> OperandKind<'a> {
    OperandKind::Immediate { value, bits: None }
}

fn label<'a>(name: &'a str, span: Span) -> OperandKind<'a> {
    OperandKind::Target(Target {
        name: Name::Label(name),
        addend: 0,
        span,
    })
}

/// Memory so far above the stack pointer.
fn stack<'a>(displacement: i128) -> OperandKind<'a> {
    memory(Register::RSP, displacement)
}

fn memory<'a>(base: Register, displacement: i128) -> OperandKind<'a> {
    OperandKind::Memory(Mem {
        bits: None,
        segment: None,
        base: Some(base),
        index: None,
        has_no_index: false,
        scale: 1,
        displacement,
        target: None,
        broadcast: None,
        is_displaced: displacement != 0,
    })
}
