//! Text of NASM's: what it alone writes so has the bytes that it gives, or shorter ones of the same instruction.

use dispatchlab::asm::fragment;

/// Lines in text of NASM's, and the bytes of nasm 2.16.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    // Bits of a floating-point number.
    ("mov al, __float8__(+1.83203125e1)",    "b059"),
    ("mov al, __float8__(__Infinity__)",     "b078"),
    ("mov ax, __float16__(1.0)",             "66b8003c"),
    ("mov eax, __float32__(-1.0)",           "b8000080bf"),
    ("mov eax, __?float32?__(0x1.0p-1)",     "b80000003f"),
    ("mov rax, __float64__(1.5)",            "48b8000000000000f83f"),
    ("mov rax, __float80m__(2.0)",           "48b80000000000000080"),
    ("mov ax, __float80e__(2.0)",            "66b80040"),
    ("mov rax, __float128h__(+1.0)",         "48b8000000000000ff3f"),
    ("mov rax, __float128l__(0.0)",          "48c7c000000000"),
    // Addresses of 32 bits wrap.
    ("mov al, [a32 0xaaaaaaaaaaaaaaaa]",     "67a0aaaaaaaa"),
    ("mov ax, [a32 dword 0xbbbbbbbb]",       "6667a1bbbbbbbb"),
    ("mov bl, [a32 abs qword es:0xbbbbbbbb]", "26678a1c25bbbbbbbb"),
    ("mov rbx, [a32 rel qword 0xffffffffcccccccc]", "67488b1c25cccccccc"),
    ("mov [a32 0x1234], eax",                "67a334120000"),
    ("mov cl, [byte eax + 0xffffffff]",      "678a48ff"),
    ("mov cl, [byte 0x12345678]",            "8a0c2578563412"),
    ("add eax, [a32 0x1234]",                "6703042534120000"),
    // Addresses of 64 bits, of which other registers than the accumulator have 32 with their sign.
    ("mov rax, [qword 0x1122334455667788]",  "48a18877665544332211"),
    ("mov [qword 0x1122334455667788], al",   "a28877665544332211"),
    ("mov bx, [a64 abs qword 0xffffffffcccccccc]", "668b1c25cccccccc"),
    ("mov ebx, [qword 0xffffffffcccccccc]",  "8b1c25cccccccc"),
    ("mov eax, [rel qword 0xffffffffcccccccc]", "8b0425cccccccc"),
    // Labels without a colon.
    ("start mov eax, ebx",                   "89d8"),
    ("Again rep movsb",                      "f3a4"),
    ("again: loop again",                    "e2fe"),
    ("x0 jmp x0",                            "ebfe"),
    (".l add rax, [rbx]",                    "480303"),
    (".done",                                ""),
    (".t dd 7",                              "07000000"),
    // Prefixes that say a width.
    ("o32 call $",                           "e8fbffffff"),
    ("o32 ret",                              "c3"),
    ("o64 ret",                              "48c3"),
    ("o64 movsd",                            "48a5"),
    ("a64 rep movsb",                        "f3a4"),
    ("a64 mov eax, [rbx]",                   "8b03"),
    ("osp rdfsbase eax",                     "66f30faec0"),
    ("{rex} add al, dl",                     "4000d0"),
    ("{rex} comisd xmm0, xmm1",              "66400f2fc1"),
    // What is left out, and numbers with a width.
    ("vpinsrd xmm2, [ecx], 0",               "67c4e369221100"),
    ("vcvtsi2sd xmm0, rax",                  "c4e1fb2ac0"),
    ("imul eax, [rdi], byte 16",             "6b0710"),
    ("insertps xmm0, [rax], byte 16",        "660f3a210010"),
    ("vmovhpd xmm3, [rax+4]",                "c5e1165804"),
    ("insertps xmm0, dword xmm1, 16",        "660f3a21c110"),
    ("loop $, ecx",                          "67e2fd"),
    ("a32 loop $, ecx",                      "67e2fd"),
    ("loop $, rcx",                          "e2fe"),
    ("o32 cmp eax, 1",                       "83f801"),
    ("retnw",                                "66c3"),
    ("int03",                                "cc"),
    ("rep xcryptcbc",                        "f30fa7d0"),
    ("clzero rax",                           "0f01fc"),
    ("clzero eax",                           "670f01fc"),
    ("invlpga rax, ecx",                     "0f01df"),
    ("invlpga eax, ecx",                     "670f01df"),
    // Fewer bits are read than the operand's name has, or as many whatever it says.
    ("lar eax, bx",                          "0f02c3"),
    ("lar rax, r9w",                         "490f02c1"),
    ("lsl rax, bx",                          "480f03c3"),
    ("lsl ax, bx",                           "660f03c3"),
    ("mov ds, qword [rsi]",                  "8e1e"),
    ("mov qword [rdi], cs",                  "8c0f"),
    ("movd r8, mm1",                         "490f7ec8"),
    ("movd xmm2, rax",                       "66480f6ed0"),
    ("vmovd rax, xmm3",                      "c4e1f97ed8"),
    ("movd xmm2, eax",                       "660f6ed0"),
    ("rdpid ebx",                            "f30fc7fb"),
];

fn hex(text: &str) -> Result<String, String> {
    let section = fragment(text).map_err(|found| found[0].message.clone())?;
    Ok(section
        .bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[test]
fn what_nasm_alone_writes_so_has_its_bytes() {
    let mut wrong = Vec::new();
    for (line, bytes) in TABLE {
        let got = hex(&format!("bits 64\n{line}\n"));
        if got.as_deref() != Ok(bytes) {
            wrong.push(format!("{line}: {got:?} for {bytes}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines of NASM's that it gives another meaning than they have, or that contradict themselves.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    // It takes 32 bits of these and extends their sign, which is another address.
    ("mov al, [0xbbbbbbbb]",                 "does not fit in 32 bits"),
    ("mov al, [a64 0xaaaaaaaaaaaaaaaa]",     "does not fit in 32 bits"),
    ("mov bl, [qword 0xaaaaaaaaaaaaaaaa]",   "does not fit in 32 bits"),
    ("mov al, [rel qword 0xbbbbbbbb]",       "does not fit in 32 bits"),
    ("mov ah, [qword 0x1122334455667788]",   "does not fit in 32 bits"),
    ("mov cl, [byte eax + 0x1000ffff]",      "does not fit in 8 bits"),
    ("o32 cbw",                              "`o32` does not go with `cbw`"),
    ("o32 cmp ax, 1",                        "`o32` does not go with `cmp`"),
    ("o64 mov eax, ebx",                     "`o64` does not go with `mov`"),
    ("a64 mov eax, [ebx]",                   "`a64` does not go with `mov`"),
    ("a64 jecxz $",                          "`a64` does not go with `jecxz`"),
    // Two labels, and prefixes with a typing error.
    ("one two mov eax, ebx",                 "expected a comma"),
    ("lokc add [rax], ecx",                  "unknown instruction `lokc`"),
    ("repp movsb",                           "unknown instruction `repp`"),
];

#[test]
fn what_nasm_changes_the_meaning_of_is_refused_by_name() {
    let mut wrong = Vec::new();
    for (line, message) in REFUSED {
        let got = hex(&format!("bits 64\n{line}\n"));
        if !got.as_ref().is_err_and(|said| said.contains(message)) {
            wrong.push(format!("{line}: {got:?}, not {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_label_needs_its_colon_where_nothing_says_that_the_text_is_nasms() {
    let line = "start mov eax, ebx\n";
    for directive in [
        "bits 64",
        "[BITS 64]",
        "default rel",
        "section .text",
        "global start",
    ] {
        assert_eq!(
            hex(&format!("{directive}\n{line}")).as_deref(),
            Ok("89d8"),
            "{directive}"
        );
    }
    for directive in ["", "; bits 64", ".text", ".globl start"] {
        let said = hex(&format!("{directive}\n{line}")).unwrap_err();
        assert!(
            said.contains("unknown instruction `start`"),
            "{directive}: {said}"
        );
    }
}
