//! A fault of code that runs on what nobody wrote: a pasted listing, or what was imported of a program.
//!
//! Correct means: a register is named only where the instruction addresses memory by it, and it still holds what was
//! assumed; and what an address was read from only where the instructions in front of it say so.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};

use crate::asm::SectionKind;
use crate::job::Place;
use crate::link::harness::register_name;
use crate::link::{Image, Owner};
use crate::prepare::Prepared;
use crate::template::{Assumption, ResultRegister, Template};

/// What to do about it; none where nothing was assumed.
pub(super) fn remedy(
    template: &Template,
    (image, prepared): (&Image, &Prepared),
    place: &Place,
    registers: &[u64],
) -> Option<String> {
    let said = &template.header.assumed;
    if template.assumed_registers.is_empty() && said.is_empty() {
        return None;
    }
    let offset = usize::try_from(place.code_offset?).ok()?;
    let bytes = image.code.get(offset..)?;
    let instruction = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    let addressed = [instruction.memory_base(), instruction.memory_index()];
    // What was imported is given other values when it is imported again.
    let is_imported = !said.is_empty();
    let again = if is_imported { "import it with " } else { "" };
    let option = |name: &str| match is_imported && template.header.states_go {
        true => of_go(name),
        false => name.to_string(),
    };
    let mut before = before(image, place);
    // A pasted text is one section, and what stands in front of a return may be another function.
    if !is_imported && let Some((before, _)) = &mut before {
        let ends = |one: &Instruction| one.flow_control() == FlowControl::Return;
        let last = before.iter().rposition(ends);
        before.drain(..last.map_or(0, |last| last + 1));
    }
    let held = |register: Register| {
        // What was copied is said of what it was copied from, and what was read or computed was never assumed.
        let first = match &before {
            Some((before, _)) => match origin(before, register) {
                Origin::Entry(first) => first,
                Origin::Data(_) | Origin::Loaded(..) | Origin::Unknown => return None,
            },
            None => register,
        };
        let name = name_of(first)?;
        let mut all = template.assumed_registers.iter();
        let one = all.find(|one| one.register == name)?;
        let value = one.number?;
        (registers.get(register.number()) == Some(&value)).then_some((name, value))
    };
    // What was read may be the same number.
    if is_imported
        && let Some((before, section)) = &before
        && let Some(read) = read_from(
            template,
            (image, prepared),
            (before, *section),
            &instruction,
        )
    {
        return Some(read);
    }
    if let Some((name, value)) = addressed.into_iter().find_map(held) {
        let option = option(name);
        return Some(format!(
            "; {name} was assumed to be {value}: {again}`--arg {option}=object` gives it an address, `--arg {option}=8` \
             another number"
        ));
    }
    let calls = matches!(
        instruction.flow_control(),
        FlowControl::IndirectCall | FlowControl::IndirectBranch
    );
    let called = (calls && instruction.op0_kind() == OpKind::Register)
        .then(|| held(instruction.op0_register()))
        .flatten();
    if let Some((name, value)) = called.filter(|_| is_imported) {
        return Some(format!(
            "; {name} was assumed to be {value}, and is called: import it with `--arg {}=table`, and write `lea {name}, \
             [\"import.callee\"]` in its place in the body, for a function that returns 1",
            option(name)
        ));
    }
    if calls && !template.assumed_registers.is_empty() {
        return Some(format!(
            "; an assumed object holds addresses of tables, not of functions: {again}`--arg {}=table` gives a table itself",
            option("rdi")
        ));
    }
    // What lies in the stack or in data of the text has another reason.
    let is_frame = |register: &Register| matches!(register, Register::RSP | Register::RBP);
    let is_argument = |register: &Register| register.is_gpr() && !is_frame(register);
    let divides = matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv);
    (divides || addressed.iter().any(is_argument)).then(|| match is_imported {
        false => {
            "; its arguments were assumed: `--arg rsi=object` and `--arg rdx=8` give others".to_string()
        }
        true => format!(
            "; it runs on what was assumed, as its `; Assumed:` lines say: {again}`--arg {}=8` gives an argument, and objects \
             and data stand in the template",
            option("rsi")
        ),
    })
}

/// The instructions of the section in front of a place, and the section's number.
fn before(image: &Image, place: &Place) -> Option<(Vec<Instruction>, usize)> {
    let fault = image.site.code.checked_add(place.code_offset?)?;
    let piece = image.owner(fault)?;
    let Owner::Section(section) = piece.owner else {
        return None;
    };
    let start = usize::try_from(piece.addresses.start - image.site.code).ok()?;
    let end = usize::try_from(fault - image.site.code).ok()?;
    let bytes = image.code.get(start..end)?;
    let all = Decoder::with_ip(64, bytes, piece.addresses.start, DecoderOptions::NONE);
    Some((all.into_iter().collect(), section))
}

/// Where an address came from that was read from memory, as something that was assumed; none where the instructions do
/// not say it, or where that was not.
fn read_from(
    template: &Template,
    (image, prepared): (&Image, &Prepared),
    (before, section): (&[Instruction], usize),
    instruction: &Instruction,
) -> Option<String> {
    let said = &template.header.assumed;
    // What a function has in its registers when it begins is known of the one that is called.
    let mut functions = prepared.row.program.sections.iter();
    let first = functions.position(|one| one.kind == SectionKind::Func && !one.is_runtime);
    let is_called = first == Some(section);
    let base = instruction.memory_base();
    let name = name_of(base).unwrap_or("it");
    let Origin::Loaded(from, at) = origin(before, base) else {
        return None;
    };
    let from_where = match *from {
        Origin::Data(address) => {
            let symbol = image.symbol_at(address.wrapping_add_signed(at))?;
            let of_template = prepared.row.program.sections.iter();
            let mut data =
                of_template.filter(|one| one.kind == SectionKind::Data && !one.is_runtime);
            let is_known = data.any(|one| one.name == symbol.name);
            let is_it = is_known && said.contains(&Assumption::Data);
            return is_it.then(|| {
                format!(
                    "; {name} was read from `{}`, and data are assumed to hold what the file has, as before the program's \
                     first instruction: change them in its `data` section",
                    image
                        .name(address.wrapping_add_signed(at))
                        .unwrap_or_else(|| symbol.name.clone())
                )
            });
        }
        Origin::Entry(register) if is_called => register,
        _ => return None,
    };
    let own = name_of(from_where)?;
    let is_object = |one: &Assumption| match one {
        Assumption::Register(one) => one.register == own && one.number.is_none(),
        Assumption::Object | Assumption::Data => false,
    };
    if said.iter().any(is_object) {
        return Some(format!(
            "; {name} was read at +{at:#x} of the object that {own} is assumed to lead to, each word of which leads to a \
             table of functions: import it with `--arg {own}=table` for one that holds functions itself, or change \
             `data \"import.object\"`"
        ));
    }
    // The receiver is the first argument, and nobody else's.
    let is_receiver = own == "rax" && said.contains(&Assumption::Object);
    is_receiver.then(|| {
        format!(
            "; {name} was read at +{at:#x} of the object that the method is called on, and an object is assumed to hold its \
             number in the first 4 bytes and zeros behind it: say in the header's `object` what it holds"
        )
    })
}

/// Where a register's value came from.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    /// The function was called with it in this register.
    Entry(Register),
    /// The address of something.
    Data(u64),
    /// Read from memory, so far behind where this leads.
    Loaded(Box<Origin>, i64),
    Unknown,
}

/// Where a register has its value from, behind instructions that run one after the other: branches are not looked at.
fn origin(before: &[Instruction], register: Register) -> Origin {
    if !register.is_gpr() {
        return Origin::Unknown;
    }
    let mut factory = InstructionInfoFactory::new();
    let mut writes = |one: &Instruction, place: Register| {
        let info = factory.info(one);
        let is_write = |access: OpAccess| {
            !matches!(
                access,
                OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
            )
        };
        let mut used = info.used_registers().iter();
        used.any(|used| used.register().full_register() == place && is_write(used.access()))
    };
    let place = register.full_register();
    for (at, one) in before.iter().enumerate().rev() {
        let is_call = matches!(
            one.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        );
        if is_call {
            return Origin::Unknown;
        }
        if !writes(one, place) {
            continue;
        }
        let earlier = &before[..at];
        let memory = || match one.memory_base() {
            _ if one.memory_index() != Register::None => Origin::Unknown,
            _ if one.is_ip_rel_memory_operand() => Origin::Data(one.ip_rel_memory_address()),
            base => origin(earlier, base),
        };
        let is_frame = matches!(one.memory_base(), Register::RSP | Register::RBP);
        return match (one.mnemonic(), one.op1_kind()) {
            (Mnemonic::Mov, OpKind::Register) => origin(earlier, one.op1_register()),
            (Mnemonic::Mov, OpKind::Memory) if is_frame => stored(earlier, one),
            (Mnemonic::Mov | Mnemonic::Movsxd | Mnemonic::Movzx, OpKind::Memory) => {
                let at = match one.is_ip_rel_memory_operand() {
                    true => 0,
                    false => one.memory_displacement64() as i64,
                };
                Origin::Loaded(Box::new(memory()), at)
            }
            (Mnemonic::Lea, _) if one.is_ip_rel_memory_operand() => memory(),
            _ => Origin::Unknown,
        };
    }
    Origin::Entry(place)
}

/// What was put where an instruction reads the frame.
fn stored(before: &[Instruction], read: &Instruction) -> Origin {
    let place = |one: &Instruction| (one.memory_base(), one.memory_displacement64());
    let is_store = |one: &Instruction| {
        one.mnemonic() == Mnemonic::Mov
            && one.op0_kind() == OpKind::Memory
            && one.op1_kind() == OpKind::Register
            && one.memory_index() == Register::None
            && place(one) == place(read)
    };
    match before.iter().rposition(is_store) {
        Some(at) => origin(&before[..at], before[at].op1_register()),
        None => Origin::Unknown,
    }
}

/// A register's name with 64 bits.
fn name_of(register: Register) -> Option<&'static str> {
    let number = register.is_gpr().then(|| register.number())?;
    Some(register_name(ResultRegister {
        number: u8::try_from(number).ok()?,
        bits: 64,
    }))
}

/// As Go calls a register.
fn of_go(name: &str) -> String {
    match name.strip_prefix('r') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => name.to_uppercase(),
        Some(name) => name.to_uppercase(),
        None => name.to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instructions(bytes: &[u8]) -> Vec<Instruction> {
        let decoder = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE);
        decoder.into_iter().collect()
    }

    #[test]
    fn a_value_is_followed_to_where_it_was_read_and_no_further_than_a_call() {
        let loaded = |from, at| Origin::Loaded(Box::new(from), at);
        #[rustfmt::skip] // a table: code, and where rcx has its value from behind it
        let table = [
            // mov rcx, [rax+8]
            (&[0x48, 0x8b, 0x48, 0x08][..],                                     loaded(Origin::Entry(Register::RAX), 8)),
            // mov rdx, rax; mov rcx, [rdx+8]
            (&[0x48, 0x89, 0xc2, 0x48, 0x8b, 0x4a, 0x08],                       loaded(Origin::Entry(Register::RAX), 8)),
            // mov [rsp+16], rax; mov rdx, [rsp+16]; mov rcx, [rdx]
            (&[0x48, 0x89, 0x44, 0x24, 0x10, 0x48, 0x8b, 0x54, 0x24, 0x10, 0x48, 0x8b, 0x0a], loaded(Origin::Entry(Register::RAX), 0)),
            // mov rcx, [rip+0x10]
            (&[0x48, 0x8b, 0x0d, 0x10, 0, 0, 0],                                loaded(Origin::Data(0x1017), 0)),
            // lea rdx, [rip+0x10]; mov rcx, [rdx+8]
            (&[0x48, 0x8d, 0x15, 0x10, 0, 0, 0, 0x48, 0x8b, 0x4a, 0x08],        loaded(Origin::Data(0x1017), 8)),
            // cmp rcx, rax
            (&[0x48, 0x39, 0xc1],                                               Origin::Entry(Register::RCX)),
            // mov rcx, [rax+8]; call +0
            (&[0x48, 0x8b, 0x48, 0x08, 0xe8, 0, 0, 0, 0],                       Origin::Unknown),
            // mov rcx, [rax+8]; add rcx, 1
            (&[0x48, 0x8b, 0x48, 0x08, 0x48, 0x83, 0xc1, 0x01],                 Origin::Unknown),
        ];
        for (code, expected) in table {
            assert_eq!(
                origin(&instructions(code), Register::RCX),
                expected,
                "{code:x?}"
            );
        }
    }

    #[test]
    fn a_register_has_the_name_that_go_gives_it() {
        let names = ["rax", "rdi", "r8", "r11"].map(of_go);
        assert_eq!(names, ["AX", "DI", "R8", "R11"]);
    }
}
