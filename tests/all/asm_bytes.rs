//! The assembler's bytes, without any other assembler at hand.
//!
//! Correct means: the bytes printed here, which Intel's manual gives too, and for any instruction
//! at all that listing what was assembled gives back what was written.

use dispatchlab::asm::{disassemble, fragment};

/// A line and its bytes.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("cmp rsp, [r14+16]",               "493b6610"),
    ("mov rcx, [rax+24]",               "488b4818"),
    ("mov rcx, [ rax + 24 ]",           "488b4818"),
    ("MOV RCX, QWORD PTR [RAX+18h]",    "488b4818"),
    ("call rcx",                        "ffd1"),
    ("call [rax+24]",                   "ff5018"),
    ("jmp rax",                         "ffe0"),
    ("test rax, rax",                   "4885c0"),
    ("push rbp",                        "55"),
    ("push r12",                        "4154"),
    ("push word gs",                    "660fa8"),
    ("pop word gs",                     "660fa9"),
    ("push gs",                         "0fa8"),
    ("push word 5",                     "666a05"),
    ("push word 127",                   "666a7f"),
    ("push word 128",                   "66688000"),
    ("rep bsf edx, ebx",                "f30fbcd3"),
    ("push 0x1234",                     "6834120000"),
    ("mov rbp, rsp",                    "4889e5"),
    ("sub rsp, 8",                      "4883ec08"),
    ("mov rax, rbx",                    "4889d8"),
    ("mov eax, [rax]",                  "8b00"),
    ("mov rax, gs:[-8]",                "65488b0425f8ffffff"),
    ("mov rax, [gs:-8]",                "65488b0425f8ffffff"),
    ("mov rax, 1",                      "48c7c001000000"),
    ("mov rax, 0x123456789abcdef0",     "48b8f0debc9a78563412"),
    ("movabs rax, 1",                   "48b80100000000000000"),
    ("mov eax, -1",                     "b8ffffffff"),
    ("mov eax, 4*8 + (3 - 1)*-2",       "b81c000000"),
    ("mov cl, 'c'",                     "b163"),
    ("mov dword [rsp+8], 7",            "c744240807000000"),
    ("mov byte ptr [rax], 255",         "c600ff"),
    ("lea rcx, [rax+rbx*8+1_000]",      "488d8cd8e8030000"),
    ("mov rax, [rax+rsp]",              "488b0404"),
    ("mov rax, [r13]",                  "498b4500"),
    ("mov rax, [r12]",                  "498b0424"),
    ("xchg eax, eax",                   "87c0"),
    ("xchg rax, rbx",                   "4893"),
    ("nop",                             "90"),
    ("nop dword [rax+8]",               "0f1f4008"),
    ("add ax, 0xffff",                  "6683c0ff"),
    ("add eax, 0xffffff80",             "83c080"),
    ("sal rax, 3",                      "48c1e003"),
    ("imul rax, 5",                     "486bc005"),
    ("popcnt r11d, edx",                "f3440fb8da"),
    ("movsd",                           "a5"),
    ("movsd xmm0, [rax]",               "f20f1000"),
    ("cmpltsd xmm0, xmm1",              "f20fc2c101"),
    ("rep stosq",                       "f348ab"),
    ("lock xadd [rcx], rax",            "f0480fc101"),
    ("cmp byte [rip+5], 7",             "803d0500000007"),
    ("vpaddd xmm1{k1}, xmm2, xmm3",     "62f16d09fecb"),
    ("vmovups ymm0, [rdi+0x200]",       "c5fc108700020000"),
    ("vaddps zmm1, zmm2, [rcx]{1to16}", "62f16c585809"),
    ("notrack jmp rax",                 "3effe0"),
    ("enter 16, 1",                     "c8100001"),
    ("ud2",                             "0f0b"),
    // A listing shows the wait on a line of its own.
    ("fstenv [rcx]",                    "9bd931"),
    ("fsave [rcx]",                     "9bdd31"),
    ("fstcw [rcx]",                     "9bd939"),
    ("endbr64",                         "f30f1efa"),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn known_lines_have_their_known_bytes() {
    for (line, bytes) in TABLE {
        let section = fragment(line).unwrap_or_else(|found| panic!("{line}: {found:?}"));
        assert_eq!(hex(&section.bytes), *bytes, "{line}");
    }
}

#[test]
fn comments_and_blanks_change_nothing() {
    for line in [
        "mov eax, 1 ; one",
        "mov eax, 1 # one",
        "mov eax, 1 // one",
        "\t mov\teax ,1;;",
        "a: b: mov eax, 1",
    ] {
        assert_eq!(hex(&fragment(line).unwrap().bytes), "b801000000", "{line}");
    }
    assert!(
        fragment("; nothing\n\n   # at all\n//")
            .unwrap()
            .bytes
            .is_empty()
    );
}

/// Listings that are no source text, or say less than their bytes, by their first word; and why.
#[rustfmt::skip]
const LEFT_OUT: &[(&[&str], &str)] = &[
    (&["jmp", "call", "loop", "loope", "loopne", "xbegin", "jrcxz", "jecxz"], "where it goes is an address in a listing and a label in a source text"),
    (&["cs", "ds", "es", "ss", "fs", "gs", "o16", "o32", "o64", "a32", "bnd", "notrack", "rep", "repe", "repne", "xacquire", "xrelease"],
        "a prefix that means nothing there"),
    (&["iretw", "pushfw", "popfw"],                                 "the 16-bit form of something whose name has no width"),
    (&["lmsw", "lldt", "ltr", "verr", "verw", "invlpga"],           "a kernel's, with widths that say nothing"),
    (&["nop"],                                                      "the nop of two operands is not of the dialect"),
    (&["pi2fw", "pi2fd", "pavgusb", "pmulhrwa", "pswapd"],          "3DNow, which no CPU since 2011 has"),
    (&["sal"],                                                      "/6, which GNU as and this assembler write as shl, /4"),
    (&["xchg"],                                                     "the operands commute"),
    (&["wrfsbase"],                                                 "fs belongs to the tool's own thread"),
];

/// The same, by a part of the text.
#[rustfmt::skip]
const LEFT_OUT_PARTS: &[(&str, &str)] = &[
    ("rel 0x",    "an address in a listing and a label in a source text"),
    ("[qword 0x", "written movabs in a source text"),
    (":",         "a segment, most of which mean nothing in 64-bit code"),
    (" to st",    "the direction of an x87 operation is not of the dialect"),
    ("pop fs",    "fs belongs to the tool's own thread"),
    ("mov fs",    "the same"),
];

fn is_left_out(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    LEFT_OUT.iter().any(|(names, _)| names.contains(&first))
        || LEFT_OUT_PARTS.iter().any(|(part, _)| text.contains(part))
        // jcc to an address; 3DNow.
        || first.starts_with('j') && !text.contains('[')
        || first.starts_with("pf")
}

#[test]
fn listing_what_was_assembled_from_a_listing_gives_the_same_text() {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    // A hundred thousand instructions; a debug build, ten times as slow, tries a third of them.
    let turns = if cfg!(debug_assertions) {
        100_000
    } else {
        300_000
    };
    let mut tried = 0;
    let mut wrong = Vec::new();
    for turn in 0..turns {
        let mut bytes: Vec<u8> = [random(), random()].concat();
        // Legacy, VEX and EVEX encodings in turn; random bytes alone are seldom one of the latter.
        match turn % 6 {
            0 => bytes[0] = 0xc5,
            1 => bytes[0] = 0xc4,
            2 => (bytes[0], bytes[1]) = (0x62, bytes[1] & 0xf0 | (1 + bytes[1] % 3)),
            3 => bytes[0] = 0x0f,
            _ => {}
        }
        let listed = disassemble(&bytes, 0x1000, &|_| None);
        let text = listed[0].text.as_str();
        if text.starts_with("db ") || is_left_out(text) {
            continue;
        }
        tried += 1;
        let again = match fragment(text) {
            Ok(section) => {
                let again = disassemble(&section.bytes, 0x1000, &|_| None);
                if again.len() == 1 && again[0].text == text {
                    continue;
                }
                format!("{} ({})", again[0].text, hex(&section.bytes))
            }
            Err(found) => found[0].message.clone(),
        };
        wrong.push(format!("{text} ({}) gave {again}", hex(&listed[0].bytes)));
    }
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(tried > turns / 3, "only {tried} instructions were tried");
}
