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
