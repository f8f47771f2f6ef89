//! A fault of pasted code whose arguments nobody wrote.
//!
//! Correct means: a register is named only where the instruction addresses memory by it, and it still holds what was
//! assumed.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic, Register};

use crate::job::Place;
use crate::link::Image;
use crate::link::harness::register_name;
use crate::template::{ResultRegister, Template};

/// What to do about it; none where nothing was assumed.
pub(super) fn remedy(
    template: &Template,
    image: &Image,
    place: &Place,
    registers: &[u64],
) -> Option<String> {
    if template.assumed_registers.is_empty() {
        return None;
    }
    let bytes = image
        .code
        .get(usize::try_from(place.code_offset?).ok()?..)?;
    let instruction = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    let addressed = [instruction.memory_base(), instruction.memory_index()];
    let held = |register: Register| {
        let number = register.is_gpr().then(|| register.number())?;
        let name = register_name(ResultRegister {
            number: u8::try_from(number).ok()?,
            bits: 64,
        });
        let mut all = template.assumed_registers.iter();
        let one = all.find(|one| one.register == name)?;
        let value = one.number?;
        (registers.get(number) == Some(&value)).then_some((name, value))
    };
    if let Some((name, value)) = addressed.into_iter().find_map(held) {
        return Some(format!(
            "; {name} was assumed to be {value}: `--arg {name}=object` gives it an address, `--arg {name}=8` another number"
        ));
    }
    let calls = matches!(
        instruction.flow_control(),
        FlowControl::IndirectCall | FlowControl::IndirectBranch
    );
    if calls {
        return Some(
            "; an assumed object holds addresses of tables, not of functions: `--arg rdi=table` gives a table itself"
                .to_string(),
        );
    }
    // What lies in the stack or in data of the text has another reason.
    let is_frame = |register: &Register| matches!(register, Register::RSP | Register::RBP);
    let is_argument = |register: &Register| register.is_gpr() && !is_frame(register);
    let divides = matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv);
    (divides || addressed.iter().any(is_argument)).then(|| {
        "; its arguments were assumed: `--arg rsi=object` and `--arg rdx=8` give others".to_string()
    })
}
