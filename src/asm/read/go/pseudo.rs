//! What stands between Go's instructions, and what its assembler inserts.
//!
//! Correct means: a directive makes the bytes that Go's assembler makes of it, or is refused by name.

use std::borrow::Cow;

use iced_x86::Register;

use super::operand::number;
use super::symbol::canonical;
use super::{Call, Function};
use crate::asm::inst::{
    Asked, Datum, Decor, Inst, Mem, Name, Operand, OperandKind, Padding, Statement, Target,
};
use crate::asm::lay::pad;
use crate::asm::problem::Problem;
use crate::asm::read::around::Around;

impl<'a> Call<'a> {
    /// What stands in a listing or a source and is no instruction; whether it was that.
    pub(super) fn pseudo(
        &self,
        around: &mut Around<'_, 'a>,
        statements: &mut Vec<Statement<'a>>,
    ) -> Result<bool, Problem> {
        let function = &mut around.function;
        match self.name {
            "FUNCDATA"
            | "PCDATA"
            | "GLOBL"
            | "GO_ARGS"
            | "NO_LOCAL_POINTERS"
            | "GO_RESULTS_INITIALIZED"
            | "ADJSP" => {}
            // In a listing it is as long as the distance to the next line.
            "NOP" if self.operands.is_empty() && !function.is_disassembled => {
                let mut bytes = std::mem::take(&mut function.shown);
                if bytes.is_empty() {
                    pad(&mut bytes, usize::from(function.length.unwrap_or(0)));
                }
                statements.push(Statement::Data(vec![Datum::Bytes(bytes)]));
            }
            "TEXT" => return self.text_line(function, statements).map(|()| true),
            "RET" if function.locals > 0 && !function.is_lowered => {
                let locals = function.locals;
                statements.push(self.made("mov", vec![register(Register::RBP), stack(locals)]));
                statements.push(self.made("add", vec![register(Register::RSP), value(locals + 8)]));
                statements.push(self.made("ret", Vec::new()));
            }
            "BYTE" => self.data(1, statements)?,
            "WORD" => self.data(2, statements)?,
            "LONG" => self.data(4, statements)?,
            "QUAD" => self.data(8, statements)?,
            "PCALIGN" => {
                let to = self.number(0)?;
                let to = u32::try_from(to)
                    .ok()
                    .filter(|to| to.is_power_of_two() && *to <= 2048)
                    .ok_or_else(|| {
                        Problem::new(self.span(0), "the multiple is a power of two up to 2048")
                    })?;
                statements.push(Statement::Align(Padding {
                    to,
                    fill: None,
                    most: u32::MAX,
                }));
            }
            "DUFFZERO" | "DUFFCOPY" => self.duff(function, statements)?,
            "XCHGL" if self.text(0) == "AX" && self.text(1) == "AX" => {
                statements.push(Statement::Data(vec![Datum::Bytes(vec![0x90])]));
            }
            "NOP" | "NOPL" | "NOPW" if !function.shown.is_empty() => {
                let bytes = std::mem::take(&mut function.shown);
                statements.push(Statement::Data(vec![Datum::Bytes(bytes)]));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `TEXT ·f(SB), NOSPLIT, $16-8`: in a source, what Go inserts at its beginning.
    fn text_line(
        &self,
        function: &mut Function,
        statements: &mut Vec<Statement<'a>>,
    ) -> Result<(), Problem> {
        let opened = self.text(0).find("(SB)").map(|end| &self.text(0)[..end]);
        function.symbol = opened.map(|name| canonical(name).into_owned());
        function.locals = 0;
        if function.is_lowered || self.operands.len() < 2 {
            return Ok(());
        }
        let last = self.operands.len() - 1;
        let size = self.text(last).strip_prefix('$').unwrap_or_default();
        let at = size
            .char_indices()
            .skip(1)
            .find(|(_, c)| *c == '-')
            .map_or(size.len(), |(at, _)| at);
        let locals = number(&size[..at]).ok_or_else(|| {
            Problem::new(self.span(last), "the size of a frame is $locals-arguments")
                .help("write $0-16, or $0")
        })?;
        if locals <= 0 {
            return Ok(());
        }
        let flags = if last > 1 { self.text(1) } else { "" };
        if locals % 8 != 0 || !(1..1 << 20).contains(&locals) {
            return Err(Problem::new(
                self.span(last),
                "a frame is a multiple of 8 bytes",
            ));
        }
        let is_nosplit = flags
            .split('|')
            .any(|flag| flag.trim() == "NOSPLIT" || flag.trim() == "4");
        if !is_nosplit {
            return Err(Problem::new(
                self.span(last),
                "Go inserts a check of the stack into a function with a frame",
            )
            .help("write NOSPLIT, or paste what `go tool asm -S` makes of it"));
        }
        function.locals = locals;
        statements.push(self.made("sub", vec![register(Register::RSP), value(locals + 8)]));
        statements.push(self.made("mov", vec![stack(locals), register(Register::RBP)]));
        statements.push(self.made("lea", vec![register(Register::RBP), stack(locals)]));
        Ok(())
    }

    /// An instruction that Go inserts here.
    fn made(&self, name: &'static str, kinds: Vec<OperandKind<'a>>) -> Statement<'a> {
        let operands = kinds.into_iter().map(|kind| Operand {
            kind,
            span: self.here,
        });
        Statement::Inst(Inst {
            mnemonic: Cow::Borrowed(name),
            span: self.here,
            prefixes: Vec::new(),
            operands: operands.collect(),
            reach: None,
            decor: Decor::default(),
            form: Asked::default(),
        })
    }

    fn number(&self, at: usize) -> Result<i128, Problem> {
        let text = self.text(at);
        let found = text.strip_prefix('$').and_then(number);
        found.ok_or_else(|| {
            Problem::new(
                self.span(at),
                format!("`{}` wants a number here", self.name),
            )
            .help(format!("write {} $16", self.name))
        })
    }

    fn data(&self, width: usize, statements: &mut Vec<Statement<'a>>) -> Result<(), Problem> {
        let value = self.number(0)?;
        let bits = 8 * width as u32;
        if !(-(1i128 << (bits - 1))..1i128 << bits).contains(&value) {
            let message = format!("the number does not fit in {width} bytes");
            return Err(Problem::new(self.span(0), message));
        }
        let bytes = value.to_le_bytes()[..width].to_vec();
        statements.push(Statement::Data(vec![Datum::Bytes(bytes)]));
        Ok(())
    }

    /// A call into the middle of `runtime.duffzero`, with a frame pointer for profilers around it.
    fn duff(
        &self,
        function: &Function,
        statements: &mut Vec<Statement<'a>>,
    ) -> Result<(), Problem> {
        const SAVE: [u8; 10] = [0x48, 0x89, 0x6c, 0x24, 0xf0, 0x48, 0x8d, 0x6c, 0x24, 0xf0];
        const RESTORE: [u8; 4] = [0x48, 0x8b, 0x6d, 0x00];
        let is_bare = function.length == Some(5);
        let bytes = |bytes: &[u8]| Statement::Data(vec![Datum::Bytes(bytes.to_vec())]);
        let offset = self.number(0)?;
        let name = match self.name {
            "DUFFZERO" => "runtime.duffzero",
            _ => "runtime.duffcopy",
        };
        let target = OperandKind::Target(Target {
            name: Name::Symbol(Cow::Borrowed(name)),
            addend: i64::try_from(offset).unwrap_or(0),
            span: self.span(0),
        });
        if !is_bare {
            statements.push(bytes(&SAVE));
        }
        statements.push(self.made("call", vec![target]));
        if !is_bare {
            statements.push(bytes(&RESTORE));
        }
        Ok(())
    }
}

fn register<'a>(register: Register) -> OperandKind<'a> {
    OperandKind::Register(register)
}

fn value<'a>(value: i128) -> OperandKind<'a> {
    OperandKind::Immediate { value, bits: None }
}

/// Memory so far above the stack pointer.
fn stack<'a>(displacement: i128) -> OperandKind<'a> {
    OperandKind::Memory(Mem {
        bits: None,
        segment: None,
        base: Some(Register::RSP),
        index: None,
        scale: 1,
        displacement,
        target: None,
        broadcast: None,
        is_displaced: true,
    })
}
