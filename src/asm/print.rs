//! Machine code as a listing in Go's style, `go tool compile -S`'s.
//!
//! Correct means: pasted, the listing gives the same bytes outside the fields that name something
//! elsewhere; what Go's assembler has no words for stands there as bytes.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use super::assemble::{Reading, fragment_in};
use super::read::go::names::{is_sized, named};
use super::read::go::operand::go_name;
use super::source::Syntax;

/// Where a listing's instructions come from.
pub struct Origin<'a> {
    /// The function's symbol.
    pub symbol: &'a str,
    /// The file that is named beside each line.
    pub file: &'a str,
    /// The line of an address, and its file where that is another one.
    pub line: &'a dyn Fn(u64) -> Option<(Option<String>, u32)>,
    /// What stands at an address, such as `main.f+0x10`.
    pub name: &'a dyn Fn(u64) -> Option<String>,
}

/// The listing of `bytes`, which stand at `address`.
pub fn go_listing(bytes: &[u8], address: u64, origin: &Origin<'_>) -> String {
    let mut text = format!("{} STEXT size={}\n", origin.symbol, bytes.len());
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let ends = address..address + bytes.len() as u64;
    let mut row = |at: usize, (file, line): &(Option<String>, u32), row: &str| {
        let (mnemonic, operands) = row.split_once('\t').unwrap_or((row, ""));
        let file = file.as_deref().unwrap_or(origin.file);
        let columns = format!("  {at:#06x} {at:05} ({file}:{line})");
        let row = format!("{columns}  {mnemonic:<7} {operands}");
        text.push_str(row.trim_end());
        text.push('\n');
    };
    let mut leaves = false;
    while decoder.can_decode() {
        let (start, here) = (decoder.position(), decoder.ip());
        let instruction = decoder.decode();
        let own = &bytes[start..decoder.position()];
        let rows = match instruction.is_invalid() {
            true => as_bytes(own),
            false => rows(&instruction, own, &ends, origin.name),
        };
        // A listing has a line everywhere.
        let line = (origin.line)(here).unwrap_or_default();
        leaves |= instruction.near_branch_target() == ends.end;
        for (offset, one) in rows {
            row(start + offset, &line, &one);
        }
    }
    // What jumps there needs a line that it goes to.
    if leaves {
        row(bytes.len(), &(None, 0), "NOP");
    }
    text
}

/// Data as the compiler lists them: their bytes, and what each address among them leads to.
pub fn go_data(symbol: &str, bytes: &[u8], addresses: &[(u32, String)]) -> String {
    /// Bytes of a row.
    const ROW: usize = 16;
    let size = bytes.len();
    if addresses.is_empty() && bytes.iter().all(|byte| *byte == 0) {
        return format!("{symbol} SNOPTRBSS size={size}\n");
    }
    let mut text = format!("{symbol} SRODATA size={size}\n");
    for (row, at) in bytes.chunks(ROW).zip((0..).step_by(ROW)) {
        let hex: String = row.iter().map(|byte| format!(" {byte:02x}")).collect();
        let shown = row.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        });
        let shown: String = shown.collect();
        text.push_str(&format!("  {at:#06x}{hex:<48}  {shown}\n"));
    }
    for (at, target) in addresses {
        let sum = if target.contains('+') { "" } else { "+0" };
        text.push_str(&format!("  rel {at}+8 t=R_ADDR {target}{sum}\n"));
    }
    // What no compiler makes, as an itab without an interface, a source says.
    let reading = Reading {
        is_open: true,
        ..Reading::default()
    };
    match fragment_in(&text, &reading) {
        Ok(_) => text,
        Err(_) => source_data(symbol, bytes, addresses),
    }
}

/// The same as a source of Go's assembler has it.
fn source_data(symbol: &str, bytes: &[u8], addresses: &[(u32, String)]) -> String {
    let mut text = String::new();
    for (word, at) in bytes.chunks(8).zip((0..).step_by(8)) {
        if let Some((_, target)) = addresses.iter().find(|(field, _)| *field == at) {
            text.push_str(&format!("DATA {symbol}+{at}(SB)/8, ${target}(SB)\n"));
            continue;
        }
        for (byte, at) in word.iter().zip(at..).filter(|(byte, _)| **byte != 0) {
            text.push_str(&format!("DATA {symbol}+{at}(SB)/1, ${byte:#04x}\n"));
        }
    }
    text + &format!("GLOBL {symbol}(SB), RODATA, ${}\n", bytes.len())
}

/// The lines of one instruction, each with its offset in it.
fn rows(
    instruction: &Instruction,
    bytes: &[u8],
    ends: &std::ops::Range<u64>,
    name: &dyn Fn(u64) -> Option<String>,
) -> Vec<(usize, String)> {
    let prefix = match instruction {
        one if one.has_lock_prefix() => Some("LOCK"),
        one if one.is_string_instruction() && one.has_repne_prefix() => Some("REPN"),
        one if one.is_string_instruction() && one.has_rep_prefix() => Some("REP"),
        _ => None,
    };
    let Some(text) = go_text(instruction, ends, name) else {
        return as_bytes(bytes);
    };
    let lead = usize::from(prefix.is_some());
    if !is_inverse(&text, &bytes[lead..], instruction) {
        return as_bytes(bytes);
    }
    let prefix = prefix.map(|word| (0, word.to_owned()));
    prefix.into_iter().chain([(lead, text)]).collect()
}

fn as_bytes(bytes: &[u8]) -> Vec<(usize, String)> {
    let row = |(at, byte): (usize, &u8)| (at, format!("BYTE\t${byte:#04x}"));
    bytes.iter().enumerate().map(row).collect()
}

/// Whether the text, as a line of that length, is read as these bytes.
fn is_inverse(text: &str, bytes: &[u8], instruction: &Instruction) -> bool {
    let has_target = instruction.is_ip_rel_memory_operand()
        || instruction
            .op_kinds()
            .any(|kind| kind == OpKind::NearBranch64);
    if has_target {
        return true;
    }
    let end = bytes.len();
    let listing = format!(
        "0x0000 00000 (f:1)\tTEXT\tf(SB), $0\n0x0000 00000 (f:1)\t{text}\n{end:#06x} {end:05} (f:1)\tRET\n"
    );
    let reading = Reading {
        syntax: Syntax::Go,
        ..Reading::default()
    };
    let section = fragment_in(&listing, &reading);
    section.is_ok_and(|section| section.bytes.get(..end) == Some(bytes))
}

/// The instruction in Go's words, as far as they are known.
fn go_text(
    instruction: &Instruction,
    ends: &std::ops::Range<u64>,
    name: &dyn Fn(u64) -> Option<String>,
) -> Option<String> {
    if instruction.mnemonic() == Mnemonic::Nop {
        let is_short = instruction.len() == 1;
        return Some(if is_short { "XCHGL\tAX, AX" } else { "NOP" }.to_owned());
    }
    let intel = format!("{:?}", instruction.mnemonic()).to_ascii_lowercase();
    let width = |at: u32| match instruction.op_kind(at) {
        OpKind::Register => 8 * instruction.op_register(at).size() as u32,
        OpKind::Memory => 8 * instruction.memory_size().size() as u32,
        _ => 0,
    };
    let count = if instruction.is_string_instruction() {
        0
    } else {
        instruction.op_count()
    };
    let first = if count > 0 { width(0) } else { 0 };
    // What is pushed as a number is 64 bits wide.
    let first = match instruction.mnemonic() {
        Mnemonic::Push | Mnemonic::Pop if first == 0 => 64,
        _ => first,
    };
    let second = if count > 1 { width(1) } else { 0 };
    let is_vector = (0..count).any(|at| {
        instruction.op_kind(at) == OpKind::Register && !instruction.op_register(at).is_gpr()
    });
    let mnemonic = named(&intel, first, second, is_vector, count)?;
    let mut operands = (0..count)
        .map(|at| operand(instruction, at, ends, name))
        .collect::<Option<Vec<String>>>()?;
    let is_compare =
        mnemonic.starts_with("CMP") && is_sized(&mnemonic) && !mnemonic.starts_with("CMPX");
    if matches!(&*mnemonic, "CMPPS" | "CMPPD" | "CMPSS" | "CMPSD") && operands.len() == 3 {
        operands[..2].reverse();
    } else if !is_compare {
        operands.reverse();
    }
    Some(match operands.is_empty() {
        true => mnemonic,
        false => format!("{mnemonic}\t{}", operands.join(", ")),
    })
}

fn operand(
    instruction: &Instruction,
    at: u32,
    ends: &std::ops::Range<u64>,
    name: &dyn Fn(u64) -> Option<String>,
) -> Option<String> {
    use OpKind as K;
    Some(match instruction.op_kind(at) {
        K::Register => register(instruction.op_register(at))?,
        K::NearBranch64 => {
            let target = instruction.near_branch_target();
            match (ends.start..=ends.end).contains(&target) {
                true => (target - ends.start).to_string(),
                false => format!("{}(SB)", name(target)?),
            }
        }
        K::Memory => memory(instruction, name)?,
        K::Immediate8 | K::Immediate8_2nd => format!("${}", instruction.immediate8()),
        K::Immediate16 => format!("${}", instruction.immediate16() as i16),
        K::Immediate32 => format!("${}", instruction.immediate32() as i32),
        K::Immediate64 => format!("${}", instruction.immediate64() as i64),
        K::Immediate8to16 | K::Immediate8to32 | K::Immediate8to64 | K::Immediate32to64 => {
            format!("${}", instruction.immediate(at) as i64)
        }
        _ => return None,
    })
}

fn register(register: Register) -> Option<String> {
    let is_known =
        register.is_gpr() || register.is_vector_register() || register.is_k() || register.is_mm();
    if !is_known {
        return None;
    }
    Some(match register {
        Register::AH | Register::CH | Register::DH | Register::BH => format!("{register:?}"),
        mm if mm.is_mm() => format!("M{}", mm.number()),
        one => go_name(one),
    })
}

fn memory(instruction: &Instruction, name: &dyn Fn(u64) -> Option<String>) -> Option<String> {
    if instruction.is_ip_rel_memory_operand() {
        return Some(format!(
            "{}(SB)",
            name(instruction.ip_rel_memory_address())?
        ));
    }
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    let displacement = instruction.memory_displacement64() as i64;
    if instruction.segment_prefix() == Register::GS {
        let is_g = displacement == -8 && base == Register::None && index == Register::None;
        return is_g.then(|| "(TLS)".to_owned());
    }
    let mut text = match displacement {
        0 if base != Register::None || index != Register::None => String::new(),
        displacement => displacement.to_string(),
    };
    if base != Register::None {
        text.push_str(&format!(
            "({})",
            register(base).filter(|_| base.is_gpr64())?
        ));
    }
    if index != Register::None {
        let scale = instruction.memory_index_scale();
        text.push_str(&format!("({}*{scale})", register(index)?));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(bytes: &[u8]) -> Vec<String> {
        let origin = Origin {
            symbol: "main.f",
            file: "f",
            line: &|_| None,
            name: &|address| (address == 0x2000).then(|| "main.g".to_owned()),
        };
        let text = go_listing(bytes, 0x1000, &origin);
        let lines = text.lines().skip(1);
        let words = |line: &str| {
            let (_, row) = line.split_once(")  ").unwrap_or_default();
            row.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        lines.map(words).collect()
    }

    #[test]
    fn an_instruction_stands_in_go_s_words() {
        #[rustfmt::skip] // a table: one instruction a line
        let all: [(&[u8], &[&str]); 14] = [
            (&[0x49, 0x3b, 0x66, 0x10], &["CMPQ SP, 16(R14)"]),
            (&[0x76, 0xfe], &["JLS 0"]),
            (&[0xe8, 0xfb, 0x0f, 0, 0], &["CALL main.g(SB)"]),
            (&[0x48, 0x8d, 0x05, 0xf9, 0x0f, 0, 0], &["LEAQ main.g(SB), AX"]),
            (&[0x8b, 0x4c, 0xd8, 0x08], &["MOVL 8(AX)(BX*8), CX"]),
            (&[0xb8, 0, 0, 0, 0], &["MOVL $0, AX"]),
            (&[0xf0, 0x0f, 0xc1, 0x01], &["LOCK", "XADDL AX, (CX)"]),
            (&[0xf3, 0x48, 0xa5], &["REP", "MOVSQ"]),
            (&[0x0f, 0xb6, 0xc8], &["MOVBLZX AX, CX"]),
            (&[0x48, 0xd3, 0xe2], &["SHLQ CX, DX"]),
            (&[0x0f, 0x9f, 0xc4], &["SETGT AH"]),
            (&[0x65, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff], &["MOVQ (TLS), CX"]),
            (&[0x66, 0x48, 0x0f, 0x6e, 0xc0], &["MOVQ AX, X0"]),
            // The other one of two encodings: Go's assembler would make 4801d8.
            (&[0x48, 0x03, 0xc3], &["BYTE $0x48", "BYTE $0x03", "BYTE $0xc3"]),
        ];
        for (bytes, text) in all {
            assert_eq!(listing(bytes), text, "{bytes:02x?}");
        }
    }

    #[test]
    fn data_are_listed_so_that_they_read_back() {
        let bytes: Vec<u8> = (0..=70).map(|byte| byte * 3).collect();
        for (name, size, addresses) in [
            ("main.table", 71, vec![]),
            ("main.table", 16, vec![(8, "main.f+0x10".to_owned())]),
            (
                "main.table",
                40,
                vec![
                    (0, "main.f".to_owned()),
                    (24, "go.itab.main.T,main.I".to_owned()),
                ],
            ),
            ("go.string.\"it's\"", 4, vec![]),
        ] {
            let mut wanted = bytes[..size].to_vec();
            for (at, _) in &addresses {
                wanted[*at as usize..][..8].fill(0);
            }
            let reading = Reading {
                is_open: true,
                ..Reading::default()
            };
            let text = go_data(name, &wanted, &addresses);
            let read = fragment_in(&text, &reading).unwrap_or_else(|why| panic!("{why:?}\n{text}"));
            assert_eq!(read.bytes, wanted, "{text}");
            let found: Vec<(u32, &str)> = read
                .fixups
                .iter()
                .map(|one| (one.offset, &*one.symbol))
                .collect();
            let expected: Vec<(u32, &str)> = addresses
                .iter()
                .map(|(at, target)| (*at, target.split("+0x").next().unwrap_or(target)))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
        // A compiler's itab has an interface.
        let mut itab = [0; 32];
        itab[16] = 7;
        let text = go_data("go.itab.main.T,main.I", &itab, &[(24, "main.f".to_owned())]);
        let reading = Reading {
            is_open: true,
            ..Reading::default()
        };
        let read = fragment_in(&text, &reading).expect("it is read");
        assert_eq!(
            (&*read.bytes, read.fixups[0].offset),
            (&itab[..], 24),
            "{text}"
        );
        let zeros = fragment_in(&go_data("main.zeros", &[0; 20], &[]), &Reading::default());
        assert_eq!(zeros.expect("it is read").bytes, [0; 20]);
    }
}
