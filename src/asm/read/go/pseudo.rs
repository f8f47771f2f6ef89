//! What stands between Go's instructions, and what its assembler inserts.
//!
//! Correct means: a directive makes the bytes that Go's assembler makes of it, or is refused by name.

use std::borrow::Cow;

use iced_x86::{Decoder, DecoderOptions, Mnemonic};

use super::frame::{Frame, Opened, made};
use super::operand::number;
use super::symbol::canonical;
use super::{Call, Function};
use crate::asm::encode::pad;
use crate::asm::inst::{Datum, Name, OperandKind, Padding, Statement, Target};
use crate::asm::problem::Problem;
use crate::asm::read::around::Around;

/// Whether bytes are such as do nothing.
fn is_padding(bytes: &[u8]) -> bool {
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    decoder.iter().all(|one| one.mnemonic() == Mnemonic::Nop)
}

impl<'a> Call<'a> {
    /// What stands in a listing or a source and is no instruction; whether it was that.
    pub(super) fn pseudo(
        &self,
        around: &mut Around<'_, 'a>,
        statements: &mut Vec<Statement<'a>>,
    ) -> Result<bool, Problem> {
        let function = &mut around.function;
        match self.name {
            "ADJSP" if !function.is_lowered => {
                let bytes = self.number(0)?;
                function.frame.move_by(bytes, self.here, statements);
            }
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
                if !is_padding(&bytes) {
                    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    let message = format!(
                        "the listing's bytes up to the next line are `{hex}`, which is more than padding: lines are missing behind this one"
                    );
                    return Err(Problem::new(self.here, message).help("paste them, too"));
                }
                if bytes.is_empty() {
                    pad(&mut bytes, usize::from(function.length.unwrap_or(0)));
                }
                statements.push(Statement::Data(vec![Datum::Bytes(bytes)]));
            }
            "TEXT" => return self.text_line(function, statements).map(|()| true),
            "RET" if !function.is_lowered => {
                function.frame.leave(self.here, statements)?;
                // With a target it goes on there.
                return match self.operands.len() {
                    1 => {
                        let jump = Call {
                            line: self.line,
                            name: "JMP",
                            here: self.here,
                            operands: self.operands.clone(),
                        };
                        jump.instruction(function, statements).map(|()| true)
                    }
                    _ => Ok(false),
                };
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
        let symbol = self.text(0).find("(SB)").map(|end| &self.text(0)[..end]);
        function.symbol = symbol.map(|name| canonical(name).into_owned());
        statements.extend(function.end());
        function.frame = Frame::default();
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
        let opened = Opened {
            symbol: symbol.unwrap_or_default(),
            flags: if last > 1 { self.text(1) } else { "" },
            locals,
            here: self.span(last),
        };
        function.frame = Frame::open(&opened, function.calls, function.go_minor, statements)?;
        Ok(())
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
        statements.push(made(self.here, "call", vec![target]));
        if !is_bare {
            statements.push(bytes(&RESTORE));
        }
        Ok(())
    }
}
