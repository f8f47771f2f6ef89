//! Lines that GNU as and llvm-mc judge alike, in both syntaxes, with objdump's texts of random bytes and with
//! combinations of mnemonics and operands.
//!
//! Correct means: what both take is taken but for what is refused on purpose, and what both refuse is refused. Without
//! the two there is nothing to compare, and that is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use dispatchlab::asm::{Reading, Syntax, fragment_in};

use crate::common::folder;

/// Refusals that docs/assembly.md gives reasons for, by a part of the line or of the message.
const ON_PURPOSE: [&str; 10] = [
    "iret",
    "invalid opcode",
    "there is no `",
    "on Intel's processors than on AMD's",
    "through 16 bits",
    // A register without a name here: the lower half of rip.
    "eip",
    "needs a destination",
    // The prefix would cut the address.
    "addr32 movabs",
    // A repetition of what does not repeat so.
    "does not go with",
    "does not fit in",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// The beginning of an instruction: legacy, VEX and EVEX in turn.
    fn code(&mut self) -> Vec<u8> {
        let mut code = match self.below(8) {
            0 | 1 => vec![*self.of(&[0x66, 0xf2, 0xf3, 0x48, 0x41, 0x4c])],
            2 => vec![0x0f],
            3 => vec![0x0f, *self.of(&[0x38, 0x3a])],
            4 => vec![
                0xc4,
                *self.of(&[0xe1, 0xe2, 0xe3, 0xc1, 0x62, 0x41]),
                self.byte(),
            ],
            5 => vec![
                0x62,
                *self.of(&[0xf1, 0xf2, 0xf3, 0x71, 0xb1]),
                self.byte() | 4,
                *self.of(&[8, 0x28, 0x48, 9, 0x49, 0x18, 0x89]),
            ],
            _ => Vec::new(),
        };
        code.extend((0..12).map(|_| self.byte()));
        code
    }
}

/// Lines with a mistake, by index; none where the program is not there.
fn refused_by(mut program: Command, text: &str, file: &Path) -> Option<BTreeSet<usize>> {
    fs::write(file, text).expect("written");
    let output = program.arg(file).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    let line = |line: &str| {
        let (place, _) = line.split_once(" error")?;
        let number = place.split(':').nth(1)?.parse::<usize>().ok()?;
        number.checked_sub(2)
    };
    Some(said.lines().filter_map(line).collect())
}

/// Which lines both refuse, and which neither.
struct Judged {
    refused: Vec<usize>,
    taken: Vec<usize>,
}

fn judged(lines: &[String], syntax: Syntax, name: &str) -> Option<Judged> {
    let file = folder(name).join("lines.s");
    let first = if syntax == Syntax::Intel {
        ".intel_syntax noprefix"
    } else {
        ""
    };
    let text = format!("{first}\n{}\n", lines.join("\n"));
    let mut gnu = Command::new("as");
    gnu.args(["--64", "-o", "/dev/null"]);
    let mut llvm = Command::new("llvm-mc");
    llvm.args([
        "-triple=x86_64",
        "-mcpu=sapphirerapids",
        "-mattr=+sse4a,+xop,+fma4,+tbm,+lwp",
        "-filetype=null",
    ]);
    let (Some(gnu), Some(llvm)) = (
        refused_by(gnu, &text, &file),
        refused_by(llvm, &text, &file),
    ) else {
        println!("skipped: GNU as and llvm-mc are needed, and one of them is not there");
        return None;
    };
    let both = |is: bool| {
        (0..lines.len())
            .filter(|at| gnu.contains(at) == is && llvm.contains(at) == is)
            .collect()
    };
    Some(Judged {
        refused: both(true),
        taken: both(false),
    })
}

fn own(line: &str, syntax: Syntax) -> Result<usize, String> {
    let reading = Reading {
        is_open: true,
        syntax,
        ..Reading::default()
    };
    fragment_in(line, &reading)
        .map(|section| section.bytes.len())
        .map_err(|found| found[0].message.clone())
}

/// objdump's text of random bytes, one line a shape.
fn disassembled(syntax: Syntax) -> Option<Vec<String>> {
    let mut random = Random(7);
    let mut bytes = Vec::new();
    for _ in 0..8000 {
        bytes.extend(random.code());
        bytes.extend([0x90; 15]);
    }
    let file = folder("asm_oracles").join("random.bin");
    fs::write(&file, bytes).expect("written");
    let mut objdump = Command::new("objdump");
    objdump.args([
        "-D",
        "-b",
        "binary",
        "-m",
        "i386:x86-64",
        "-w",
        "--no-show-raw-insn",
    ]);
    if syntax == Syntax::Intel {
        objdump.args(["-M", "intel"]);
    }
    let output = objdump.arg(&file).output().ok()?;
    let mut shapes = BTreeMap::new();
    for row in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((_, text)) = row.split_once('\t') else {
            continue;
        };
        let text = text.split('#').next().unwrap_or_default().trim();
        let first = text.split(' ').next().unwrap_or_default();
        let is_branch = first.starts_with('j')
            || first.starts_with("loop")
            || first.starts_with("call")
            || first.starts_with("xbegin");
        // What needs its neighbours, or is no instruction.
        if is_branch
            || text.is_empty()
            || text == "nop"
            || text.contains("(bad)")
            || text.contains("fs")
            || text.contains("rex")
            || text.starts_with(".byte")
            || text.starts_with("gs ")
            || text.contains(" gs ")
            || !text.contains(' ')
        {
            continue;
        }
        let shape: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        shapes.entry(shape).or_insert_with(|| text.to_owned());
    }
    Some(shapes.into_values().collect())
}

#[test]
fn what_both_oracles_take_is_taken() {
    for syntax in [Syntax::Intel, Syntax::Att] {
        let Some(lines) = disassembled(syntax) else {
            println!("skipped: objdump is needed");
            return;
        };
        let Some(judged) = judged(&lines, syntax, "asm_oracles_taken") else {
            return;
        };
        assert!(judged.taken.len() > 2000, "{}", judged.taken.len());
        let mut refused = Vec::new();
        for at in &judged.taken {
            let line = &lines[*at];
            if let Err(message) = own(line, syntax)
                && !ON_PURPOSE
                    .iter()
                    .any(|known| message.contains(known) || line.contains(known))
            {
                refused.push(format!("{line}: {message}"));
            }
        }
        println!(
            "{syntax:?}: {} lines, {} refused",
            judged.taken.len(),
            refused.len()
        );
        assert!(
            200 * refused.len() <= judged.taken.len(),
            "{}",
            refused.join("\n")
        );
    }
}

#[rustfmt::skip]
const MNEMONICS: [&str; 60] = [
    "mov", "add", "cmp", "test", "inc", "not", "imul", "div", "lea", "push", "pop", "xchg", "xadd", "cmpxchg", "bswap", "bt", "bsf",
    "popcnt", "shl", "sar", "rol", "shld", "movzx", "movsx", "movsxd", "cmove", "sete", "lock add", "lock inc", "rep movsb", "movss",
    "movaps", "movd", "movq", "addsd", "ucomiss", "cvtsi2sd", "cvttsd2si", "pxor", "pshufd", "pmovmskb", "pextrd", "pinsrq", "psrldq",
    "vaddps", "vmovd", "vpbroadcastb", "vinserti128", "vpermq", "vpgatherdd", "kmovq", "vpcmpud", "andn", "rorx", "crc32", "movbe",
    "fld", "fadd", "fild", "fxch",
];
#[rustfmt::skip]
const INTEL: [&str; 40] = [
    "al", "bh", "r8b", "ax", "r9w", "eax", "r10d", "rax", "rbx", "r11", "rsp", "xmm0", "xmm17", "ymm2", "zmm3", "k1", "mm1", "st", "st(1)",
    "cs", "ds", "1", "-1", "128", "255", "65535", "0x80000000", "0xffffffff", "0x123456789", "[rax]", "[rbx+8]", "[rip+16]",
    "[xmm1*4+rax]", "byte ptr [rax]", "word ptr [rax]", "dword ptr [rcx+4]", "qword ptr [rdx]", "tbyte ptr [rax]", "xmmword ptr [rax]",
    "ymmword ptr [rax]",
];
#[rustfmt::skip]
const ATT: [&str; 36] = [
    "%al", "%bh", "%r8b", "%ax", "%r9w", "%eax", "%r10d", "%rax", "%rbx", "%r11", "%rsp", "%xmm0", "%xmm17", "%ymm2", "%zmm3", "%k1", "%mm1",
    "%st", "%st(1)", "%cs", "%ds", "$1", "$-1", "$128", "$255", "$65535", "$0x80000000", "$0xffffffff", "$0x123456789", "(%rax)", "8(%rbx)",
    "16(%rip)", "(%rax,%xmm1,4)", "-8(%rbp)", "4(%eax)", "%gs:8",
];

#[test]
fn what_both_oracles_refuse_is_refused() {
    // NASM takes the first, and objdump prints the second of what a processor runs.
    let known = |line: &str| line.starts_with("nop") || line.starts_with("movsxd");
    for (syntax, operands, suffixes) in [
        (Syntax::Intel, &INTEL[..], &[""][..]),
        (Syntax::Att, &ATT[..], &["", "", "b", "w", "l", "q"][..]),
    ] {
        let mut random = Random(11);
        let combined = |_| {
            let count = *random.of(&[0, 1, 1, 2, 2, 2, 2, 3]);
            let written: Vec<&str> = (0..count).map(|_| *random.of(operands)).collect();
            format!(
                "{}{} {}",
                random.of(&MNEMONICS),
                random.of(suffixes),
                written.join(", ")
            )
        };
        let lines: BTreeSet<String> = (0..5000).map(combined).collect();
        let lines: Vec<String> = lines.into_iter().collect();
        let Some(judged) = judged(&lines, syntax, "asm_oracles_refused") else {
            return;
        };
        assert!(judged.refused.len() > 3000, "{}", judged.refused.len());
        let taken: Vec<&str> = judged
            .refused
            .iter()
            .map(|at| lines[*at].as_str())
            .filter(|line| own(line, syntax).is_ok() && !known(line))
            .collect();
        assert!(taken.is_empty(), "{syntax:?}\n{}", taken.join("\n"));
    }
}
