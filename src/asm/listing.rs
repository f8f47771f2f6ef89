//! Machine code to text, for people.
//!
//! Correct means: the lines together hold every byte once, in order, and an address is named only
//! where the caller gives it a name.

use std::cell::RefCell;
use std::rc::Rc;

use iced_x86::{
    Code, Decoder, DecoderOptions, Formatter, GasFormatter, Instruction, NasmFormatter, OpKind,
    Register, SymbolResolver, SymbolResult,
};

use super::program::Table;
use super::source::Syntax;

/// One instruction of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInst {
    /// Where it stands.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its text; a byte that begins no instruction is a `db`.
    pub text: String,
    /// Whether it is data, in a section that says so.
    pub is_data: bool,
}

/// The instructions of `bytes`, which stand at `address`.
///
/// Branch targets and addresses relative to `rip` are replaced by what `name` gives for them, such
/// as `main.f+0x10`.
pub fn disassemble(
    bytes: &[u8],
    address: u64,
    name: &dyn Fn(u64) -> Option<String>,
) -> Vec<ListedInst> {
    let mut listed = Vec::new();
    Lister::default().list(bytes, address, name, |one| listed.push(one));
    listed
}

/// The same in AT&T syntax, or in Intel's where another one is asked for.
pub fn disassemble_in(
    syntax: Syntax,
    bytes: &[u8],
    address: u64,
    name: &dyn Fn(u64) -> Option<String>,
) -> Vec<ListedInst> {
    disassemble_section(syntax, (bytes, address), &[], name)
}

/// The same of a section whose tables are known: these are data, a line for eight bytes, or for one value of an
/// address's width.
pub fn disassemble_section(
    syntax: Syntax,
    (bytes, address): (&[u8], u64),
    tables: &[Table],
    name: &dyn Fn(u64) -> Option<String>,
) -> Vec<ListedInst> {
    let mut lister = match syntax {
        Syntax::Att => Lister::att(),
        _ => Lister::default(),
    };
    let mut listed = Vec::new();
    let mut at = 0;
    for table in tables {
        let start = (table.offset as usize).clamp(at, bytes.len());
        let end = start.saturating_add(table.size as usize).min(bytes.len());
        let here = |at: usize| address.wrapping_add(at as u64);
        lister.list(&bytes[at..start], here(at), name, |one| listed.push(one));
        let row = if table.unit > 1 {
            table.unit as usize
        } else {
            8
        };
        for (number, values) in bytes[start..end].chunks(row).enumerate() {
            listed.push(ListedInst {
                address: here(start + number * row),
                bytes: values.to_vec(),
                text: datum(values, table.unit, lister.is_att, name),
                is_data: true,
            });
        }
        at = end;
    }
    let rest = address.wrapping_add(at as u64);
    lister.list(&bytes[at..], rest, name, |one| listed.push(one));
    listed
}

/// A line of data: an address by its name.
fn datum(values: &[u8], unit: u32, is_att: bool, name: &dyn Fn(u64) -> Option<String>) -> String {
    if let Ok(word) = <[u8; 8]>::try_from(values).map(u64::from_le_bytes)
        && unit == 8
    {
        let directive = if is_att { ".quad" } else { "dq" };
        let value = name(word).unwrap_or_else(|| format!("{word:#x}"));
        return format!("{directive} {value}");
    }
    if let Ok(word) = <[u8; 4]>::try_from(values).map(i32::from_le_bytes)
        && unit == 4
    {
        let directive = if is_att { ".long" } else { "dd" };
        let sign = if word < 0 { "-" } else { "" };
        return format!("{directive} {sign}{:#x}", word.unsigned_abs());
    }
    let values: Vec<String> = values.iter().map(|byte| format!("{byte:#04x}")).collect();
    let directive = if is_att { ".byte" } else { "db" };
    format!("{directive} {}", values.join(", "))
}

/// A formatter, which is worth keeping from one piece of code to the next.
pub struct Lister {
    named: Named,
    formatter: Box<dyn Formatter>,
    is_att: bool,
}

impl Default for Lister {
    fn default() -> Lister {
        let named = Named::default();
        Lister {
            formatter: Box::new(formatter(named.clone())),
            named,
            is_att: false,
        }
    }
}

impl Lister {
    /// One that writes AT&T syntax.
    pub fn att() -> Lister {
        let named = Named::default();
        let mut formatter = GasFormatter::with_options(Some(Box::new(named.clone())), None);
        let options = formatter.options_mut();
        options.set_gas_show_mnemonic_size_suffix(true);
        options.set_uppercase_hex(false);
        options.set_space_after_operand_separator(true);
        options.set_branch_leading_zeros(false);
        Lister {
            formatter: Box::new(formatter),
            named,
            is_att: true,
        }
    }

    /// Gives the instructions of `bytes`, which stand at `address`, one by one to `take`; names as for
    /// [`disassemble`].
    pub fn list(
        &mut self,
        bytes: &[u8],
        address: u64,
        name: &dyn Fn(u64) -> Option<String>,
        mut take: impl FnMut(ListedInst),
    ) {
        let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
        while decoder.can_decode() {
            let start = decoder.position();
            let here = decoder.ip();
            let instruction = decoder.decode();
            let text = if instruction.is_invalid() {
                // What follows one bad byte may be good again.
                let resumed = decoder.set_position(start + 1).is_ok();
                debug_assert!(resumed, "a byte was decoded, so there is one more position");
                decoder.set_ip(here.wrapping_add(1));
                let directive = if self.is_att { ".byte" } else { "db" };
                format!("{directive} {:#04x}", bytes[start])
            } else {
                *self.named.0.borrow_mut() =
                    target(&instruction).and_then(|to| Some((to, name(to)?)));
                let mut text = String::new();
                self.formatter.format(&instruction, &mut text);
                match self.is_att {
                    true => text,
                    false => as_written(text, &instruction),
                }
            };
            take(ListedInst {
                address: here,
                bytes: bytes[start..decoder.position()].to_vec(),
                text,
                is_data: false,
            });
        }
    }
}

/// The text as a template would have it, where the formatter writes what the assembler does not
/// read, what gives other bytes, or what nobody would write.
fn as_written(text: String, instruction: &Instruction) -> String {
    let displacement = instruction.memory_displacement64() as i64;
    let is_absolute = instruction.op_kinds().any(|kind| kind == OpKind::Memory)
        && instruction.memory_base() == Register::None
        && instruction.memory_index() == Register::None;
    if is_absolute && (-0x8000_0000..0).contains(&displacement) {
        let unsigned = format!("{displacement:#x}]");
        let signed = format!("-{:#x}]", displacement.unsigned_abs());
        return text.replacen(&unsigned, &signed, 1);
    }
    if instruction.code() == Code::Pushq_imm32
        && i8::try_from(instruction.immediate32to64()).is_ok()
    {
        return text.replacen("push ", "push dword ", 1);
    }
    if let Some((name, register)) = text.split_once(" to ") {
        // Of two encodings with the one register, the text means the usual one.
        return match register {
            "st0" => format!("{name} st0"),
            _ => format!("{name} {register}, st0"),
        };
    }
    // A 16-bit register says it already.
    text.strip_prefix("o16 ").map(str::to_owned).unwrap_or(text)
}

/// The address that an instruction names.
fn target(instruction: &Instruction) -> Option<u64> {
    if instruction.is_ip_rel_memory_operand() {
        return Some(instruction.ip_rel_memory_address());
    }
    let branches = instruction
        .op_kinds()
        .any(|kind| kind == OpKind::NearBranch64);
    branches.then(|| instruction.near_branch_target())
}

fn formatter(named: Named) -> NasmFormatter {
    let mut formatter = NasmFormatter::with_options(Some(Box::new(named)), None);
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_space_after_operand_separator(true);
    options.set_branch_leading_zeros(false);
    options.set_show_branch_size(false);
    formatter
}

/// The one address that is named in the instruction at hand.
#[derive(Clone, Default)]
struct Named(Rc<RefCell<Option<(u64, String)>>>);

impl SymbolResolver for Named {
    fn symbol(
        &mut self,
        _instruction: &Instruction,
        _operand: u32,
        _instruction_operand: Option<u32>,
        address: u64,
        _address_size: u32,
    ) -> Option<SymbolResult<'_>> {
        let named = self.0.borrow();
        let (known, name) = named.as_ref()?;
        (*known == address).then(|| SymbolResult::with_string(address, name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8], name: &dyn Fn(u64) -> Option<String>) -> Vec<String> {
        disassemble(bytes, 0x1000, name)
            .into_iter()
            .map(|inst| inst.text)
            .collect()
    }

    #[test]
    fn numbers_are_lower_case_hexadecimal_and_commas_are_followed_by_a_space() {
        let bytes = [
            0x48, 0x8b, 0x48, 0x18, 0x49, 0x3b, 0x66, 0x10, 0x48, 0x83, 0xec, 0xab,
        ];
        assert_eq!(
            texts(&bytes, &|_| None),
            [
                "mov rcx, [rax+0x18]",
                "cmp rsp, [r14+0x10]",
                "sub rsp, 0xffffffffffffffab"
            ]
        );
    }

    #[test]
    fn targets_are_named_where_the_caller_knows_a_name() {
        let name = |address| (address == 0x1005).then(|| "main.f+0x5".to_owned());
        let bytes = [
            0xe8, 0, 0, 0, 0, 0x48, 0x8d, 0x0d, 0xf9, 0xff, 0xff, 0xff, 0xeb, 0xfe,
        ];
        assert_eq!(
            texts(&bytes, &name),
            ["call main.f+0x5", "lea rcx, [rel main.f+0x5]", "jmp 0x100c"]
        );
    }

    #[test]
    fn a_line_is_written_as_the_assembler_reads_it() {
        for line in [
            "mov rax, [gs:-0x8]",
            "mov rax, [gs:-0x80000000]",
            "push dword 5",
            "push 5",
            "lldt ax",
            "fadd st1, st0",
            "xchg rax, rax",
        ] {
            let section = crate::asm::fragment(line).expect(line);
            assert_eq!(texts(&section.bytes, &|_| None), [line]);
        }
    }

    #[test]
    fn a_line_in_att_syntax_reads_back_as_the_same_bytes() {
        #[rustfmt::skip] // a table
        let all = [
            "mov rcx, [rax+24]", "mov eax, [rsp+8]", "call rcx", "jmp [rax+rcx*8]", "cmp rsp, [r14+16]", "lea rax, [rbx+rcx*4-5]",
            "movzx eax, byte [rdi]", "movsx rcx, word [rdi+2]", "movsxd rax, ecx", "add qword [rax], 5", "test al, 1", "shl rdx, cl",
            "movaps xmm0, [rsp+32]", "movq xmm0, rax", "cvtsi2sd xmm0, rax", "vpaddd ymm1, ymm2, ymm3", "lock xadd [rcx], eax",
            "rep movsq", "mov rax, [gs:-8]", "push rbp", "ret", "ud2", "imul rax, rbx, 24", "cmovne rax, rcx", "setg al",
            "mov rax, 0x1122334455667788", "xchg rax, rbx", "bswap rax", "cqo", "popcnt rax, rbx",
        ];
        for line in all {
            let own = crate::asm::fragment(line).expect(line);
            let listed = disassemble_in(Syntax::Att, &own.bytes, 0, &|_| None);
            let text: Vec<&str> = listed.iter().map(|one| one.text.as_str()).collect();
            let reading = crate::asm::Reading {
                syntax: Syntax::Att,
                ..crate::asm::Reading::default()
            };
            let read = crate::asm::fragment_in(&text.join("\n"), &reading);
            assert_eq!(read.expect(line).bytes, own.bytes, "{line}: {text:?}");
        }
    }

    #[test]
    fn tables_of_a_section_are_data_and_the_rest_is_code() {
        let section = crate::asm::fragment("nop\ntable: dq table, 5\nret").expect("assembles");
        let table = |offset, size, unit| Table { offset, size, unit };
        assert_eq!(section.tables, [table(1, 8, 8), table(9, 8, 1)]);
        let list = |tables: &[Table], syntax| {
            let name = |address| (address == 0x1001).then(|| "table".to_owned());
            let mut bytes = section.bytes.clone();
            bytes[1..3].copy_from_slice(&[1, 0x10]);
            let listed = disassemble_section(syntax, (&bytes, 0x1000), tables, &name);
            let all: usize = listed.iter().map(|one| one.bytes.len()).sum();
            assert_eq!(all, bytes.len());
            listed.into_iter().map(|one| one.text).collect::<Vec<_>>()
        };
        assert_eq!(
            list(&section.tables, Syntax::Intel),
            [
                "nop",
                "dq table",
                "db 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00",
                "ret"
            ]
        );
        assert_eq!(list(&section.tables, Syntax::Att)[1], ".quad table");
        let short = list(&[table(1, 4, 4), table(9, 3, 1)], Syntax::Intel);
        assert_eq!(short[1], "dd 0x1001");
        assert!(
            short.contains(&"db 0x05, 0x00, 0x00".to_owned()),
            "{short:?}"
        );
        // One that a changed job says is longer than its section.
        assert_eq!(
            list(&[table(17, 900, 8), table(3, 2, 1)], Syntax::Intel)
                .last()
                .map(String::as_str),
            Some("db 0xc3")
        );
    }

    #[test]
    fn every_byte_stands_in_one_line_even_where_none_begins_an_instruction() {
        let bytes = [0x06, 0x90, 0x0f];
        let listed = disassemble(&bytes, 0, &|_| None);
        assert_eq!(
            listed
                .iter()
                .map(|inst| inst.text.as_str())
                .collect::<Vec<_>>(),
            ["db 0x06", "nop", "db 0x0f"]
        );
        assert_eq!(
            listed
                .into_iter()
                .flat_map(|inst| inst.bytes)
                .collect::<Vec<_>>(),
            bytes
        );
    }
}
