//! What is printed in Go's syntax and in AT&T's reads back, over random instructions.
//!
//! Correct means: whatever bytes are printed, the text has the same bytes; and of instructions that Go's compiler
//! emits it has words.

use dispatchlab::asm::{Origin, Reading, Syntax, disassemble_in, fragment_in, go_listing};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// A valid instruction that names nothing outside itself.
    fn instruction(&mut self) -> (Vec<u8>, Instruction) {
        loop {
            let mut bytes = match self.below(6) {
                0 => vec![0x0f],
                1 => vec![0x66, 0x0f],
                2 => vec![0x48 | self.byte() & 7],
                3 => vec![0xc5, self.byte()],
                4 => vec![0x62, self.byte() | 0xf0, self.byte() | 4, self.byte()],
                _ => Vec::new(),
            };
            bytes.extend((0..16).map(|_| self.byte()));
            let mut decoder = Decoder::with_ip(64, &bytes, 0x1000, DecoderOptions::NONE);
            let instruction = decoder.decode();
            let is_own = !instruction.is_invalid()
                && instruction.near_branch_target() == 0
                && !instruction.is_ip_rel_memory_operand();
            if is_own {
                bytes.truncate(instruction.len());
                return (bytes, instruction);
            }
        }
    }
}

fn read(text: &str, syntax: Syntax) -> Vec<u8> {
    let reading = Reading {
        is_open: true,
        syntax,
        ..Reading::default()
    };
    let read = fragment_in(text, &reading);
    read.unwrap_or_else(|errors| panic!("{:#?}\n{text}", errors[0]))
        .bytes
}

fn printed(bytes: &[u8]) -> String {
    let origin = Origin {
        symbol: "main.f",
        file: "a.go",
        line: &|_| None,
        name: &|_| None,
    };
    go_listing(bytes, 0x1000, &origin)
}

#[test]
fn any_instructions_are_printed_in_go_s_syntax_so_that_they_read_back() {
    let mut random = Random(20);
    let (mut count, mut in_words) = (0, 0);
    for _ in 0..200 {
        let mut bytes = Vec::new();
        for _ in 0..100 {
            let (own, instruction) = random.instruction();
            bytes.extend(own);
            count += 1;
            in_words +=
                usize::from(!printed(&bytes[bytes.len() - instruction.len()..]).contains("BYTE"));
        }
        let text = printed(&bytes);
        let own = read(&text, Syntax::Auto);
        let apart = own.iter().zip(&bytes).position(|(one, other)| one != other);
        assert_eq!((own.len(), apart), (bytes.len(), None), "{text}");
    }
    eprintln!("{in_words} of {count} have words in Go's assembler");
    assert!(in_words * 2 > count, "{in_words} of {count}");
}

#[test]
fn any_instructions_are_printed_in_att_syntax_so_that_they_mean_the_same() {
    let mut random = Random(21);
    let (mut count, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let (bytes, instruction) = random.instruction();
        let listed = disassemble_in(Syntax::Att, &bytes, 0x1000, &|_| None);
        let [one] = &listed[..] else {
            panic!("{listed:?}");
        };
        let reading = Reading {
            is_open: true,
            syntax: Syntax::Att,
            ..Reading::default()
        };
        count += 1;
        // What is refused on purpose, or has no words there.
        let Ok(section) = fragment_in(&format!("{}\n", one.text), &reading) else {
            refused += 1;
            continue;
        };
        // Another encoding may be the shorter one.
        let again = Decoder::with_ip(64, &section.bytes, 0x1000, DecoderOptions::NONE).decode();
        let name = |one: &Instruction| match one.mnemonic() {
            Mnemonic::Sal => Mnemonic::Shl,
            name => name,
        };
        assert_eq!(name(&again), name(&instruction), "{}", one.text);
        assert_eq!(again.op_count(), instruction.op_count(), "{}", one.text);
    }
    eprintln!("{refused} of {count} are refused");
    assert!(refused * 10 < count, "{refused} of {count}");
}

#[test]
fn a_division_that_pops_is_exchanged_into_the_top_too() {
    // As GNU as assembles them.
    for (text, bytes) in [
        ("fdivrp %st, %st(0)", [0xde, 0xf8]),
        ("fdivp %st, %st(0)", [0xde, 0xf0]),
        ("fdivrp %st, %st(1)", [0xde, 0xf9]),
        ("fsubp %st, %st(0)", [0xde, 0xe0]),
        ("fdiv %st(0), %st", [0xd8, 0xf0]),
        ("fdivr %st, %st(0)", [0xd8, 0xf8]),
    ] {
        assert_eq!(read(text, Syntax::Att), bytes, "{text}");
    }
}
