//! What the assembler says about lines that it refuses.
//!
//! Correct means: the column and width mark what to change, and the help can be typed.

use dispatchlab::asm::fragment;

/// Line; what is underlined; a part of the message; a part of the help.
#[rustfmt::skip]
const REFUSED: &[(&str, &str, &str, &str)] = &[
    // What other assemblers take.
    ("vaddps zmm1{rn-sae}, zmm2, zmm3", "{rn-sae}",   "behind the last register",      "zmm3{rn-sae}"),
    ("vaddps zmm1, zmm2{rn-sae}, zmm3", "{rn-sae}",   "behind the last register",      "zmm3{rn-sae}"),
    ("vmaxps zmm1{sae}, zmm2, zmm3", "{sae}",         "behind the last register",      "zmm3{rn-sae}"),
    ("movd qword [rax], mm1",    "qword [rax]",  "moves 32 bits",                          "`movq`"),
    ("iretw",                    "iretw",        "not assembled here",                     "`iretq`"),
    ("pushfw",                   "pushfw",       "not assembled here",                     "`pushfq`"),
    ("popfw",                    "popfw",        "not assembled here",                     "`popfq`"),
    ("fstsw",                    "fstsw",        "needs a destination",                    "`fstsw ax`"),
    ("mov eax, hash(\"main.T\")", "hash(\"main.T\")", "is not known here",                "write the number"),
    // Names.
    ("mvo rax, rbx",             "mvo",          "unknown instruction `mvo`",              "did you mean `mov`?"),
    ("frobnicate",               "frobnicate",   "unknown instruction",                    ""),
    ("rax",                      "rax",          "unknown instruction",                    "is the mnemonic missing"),
    ("mov ex, 5",                "ex",           "unknown register or symbol `ex`",        "did you mean `eax`?"),
    ("mov rax, ecxx",            "ecxx",         "unknown register or symbol `ecxx`",      "did you mean `ecx`?"),
    ("mov rax, [thing]",         "thing",        "unknown register or symbol",             "double quotes"),
    ("    jmp loop1",           "loop1",        "undefined label `loop1`",                "double quotes"),
    ("loop2: jmp loop1",         "loop1",        "undefined label `loop1`",                "did you mean `loop2`?"),
    ("jle <f+0x30>",             "<f+0x30>",     "no operand without an address",          "without `--no-addresses`"),
    ("jle <",                    "<",            "unexpected character `<`",               ""),
    ("je 1f",                    "1f",           "no label `1:` after this line",          ""),
    ("je 2b",                    "2b",           "no label `2:` before this line",         ""),
    ("x: x: nop",                "x",            "defined twice",                          "stands in line 2"),
    ("rax: nop",                 "rax",          "is a register",                          ""),
    // Sizes.
    ("add [rax], 1",             "[rax]",        "operand size is ambiguous",              "add `byte`, `word`, `dword` or `qword`"),
    ("movzx eax, [rdi]",         "[rdi]",        "operand size is ambiguous",              "add `byte` or `word`"),
    ("cvtsi2sd xmm0, [rax]",     "[rax]",        "operand size is ambiguous",              "add `dword` or `qword`"),
    ("inc [rsp+8]",              "[rsp+8]",      "operand size is ambiguous",              "`qword`"),
    ("mov eax, rbx",             "eax, rbx",     "`eax` is 32 bits wide and `rbx` 64",     "`mov eax, ebx`"),
    ("mov eax, qword [rax]",     "qword [rax]",  "64 bits wide, the others want 32",       "mov r32, r/m32"),
    ("mov rax, dword rbx",       "rbx",          "size word does not fit",                 ""),
    // Forms.
    ("mov rax",                  "rax",          "`mov` does not take one operand",        "forms: mov "),
    ("ret 1, 2",                 "1, 2",         "does not take 2 operands",               "ret imm16"),
    ("xchg rax, 5",              "rax, 5",       "does not take these operands",           "xchg r/m64, r64"),
    ("push eax",                 "eax",          "pushes 64 bits",                         "push rax"),
    ("call 5",                   "5",            "goes to a label or a symbol",            "name a label"),
    ("jrcxz 5",                  "5",            "goes to a label or a symbol",            "name a label"),
    ("cmp rax, \"type.x\"",      "\"type.x\"",   "does not take an address here",          "lea rcx"),
    ("jmp short \"x\"",          "short \"x\"",  "only labels of its own section",         "leave out `short`"),
    ("jrcxz \"x\"",              "\"x\"",        "only labels of its own section",         "`jmp`"),
    ("a: mov rax, short a",      "rax, short a", "`short` stands only",                    ""),
    // Ranges.
    ("mov al, 300",              "300",          "300 does not fit in 8 bits",             "-128 to 255"),
    ("add eax, 0x1ffffffff",     "0x1ffffffff",  "does not fit in 32 bits",                "to 4294967295"),
    ("add rax, 0x80000000",      "0x80000000",   "32 bits, sign-extended to 64",           "to 2147483647"),
    ("mov rax, [rax+0x123456789]", "[rax+0x123456789]", "displacement does not fit",       "put the address in a register"),
    ("mov rax, 99999999999999999999", "99999999999999999999", "does not fit in 64 bits",    ""),
    ("mov rax, 0xffffffffffffffff + 1", "0xffffffffffffffff + 1", "does not fit in 64 bits", ""),
    ("db 256",                   "256",          "256 does not fit in 8 bits",             ""),
    ("align 3",                  "3",            "power of two",                           ""),
    // Addresses.
    ("mov rax, fs:[-8]",         "fs",           "belongs to the tool's own thread",       "gs:[-8]"),
    ("mov rax, [fs:-8]",         "fs",           "belongs to the tool's own thread",       "gs:[-8]"),
    ("add eax, fs:tv@tpoff",     "fs",           "a variable of the thread",               "without `fs`"),
    ("mov rax, [rax*3]",         "rax*3",        "must be 1, 2, 4 or 8",                   ""),
    ("mov rax, [rsp*2]",         "rsp*2",        "`rsp` cannot be an index",               ""),
    ("mov rax, [rsp+rsp]",       "rsp+rsp",      "`rsp` cannot be an index",               ""),
    ("mov rax, [rax+rbx+rcx]",   "rax+rbx+rcx",  "at most a base and an index",            ""),
    ("mov rax, [rax+ebx]",       "rax+ebx",      "differ in width",                        ""),
    ("mov rax, [ax]",            "ax",           "cannot address memory",                  ""),
    ("mov rax, [\"x\"+rcx]",     "\"x\"+rcx",    "takes no other register",                "lea rcx"),
    ("mov rax, [rip+rcx]",       "rip+rcx",      "`rip` takes neither",                    ""),
    // Prefixes and decorations.
    ("lock mov [rax], rbx",      "lock",         "cannot be locked",                       "lock goes with add"),
    ("lock add rax, rbx",        "lock",         "does not go with `add`",                 "destination is memory"),
    ("rep add rax, 1",           "rep",          "does not go with `add`",                 "rep goes with movs"),
    ("lock",                     "lock",         "stands before an instruction",           "on one line"),
    ("mov ah, r8b",              "ah",           "needs a REX prefix",                     "move the byte"),
    ("movzx rax, ah",            "ah",           "needs a REX prefix",                     "move the byte"),
    ("addps xmm1{k1}, xmm2",     "{k1}",         "does not take this decoration",          ""),
    ("vpaddd xmm1{z}, xmm2, xmm3", "{z}",        "{z} needs a mask",                       "{k1}{z}"),
    ("vpaddd xmm1{q}, xmm2, xmm3", "{q}",        "unknown decoration",                     "{k1} to {k7}"),
    ("gs lodsb",                 "gs",           "`gs` does not go with `lodsb`",          "before the brackets"),
    ("fs mov rax, [rbx]",        "fs",           "`fs` does not go with `mov`",            "before the brackets"),
    ("fs movsb",                 "fs",           "`fs` does not go with `movsb`",          "before the brackets"),
    ("gs xlatb",                 "gs",           "`gs` does not go with `xlatb`",          "before the brackets"),
    ("mov rax, [rxa+8]",         "rxa",          "unknown register or symbol `rxa`",       "did you mean `rax`?"),
    // Operands that do not go together.
    ("mov [rax], [rbx]",         "[rbx]",        "one memory operand, not two",            "into a register first"),
    ("add qword [rax], [rbx]",   "[rbx]",        "one memory operand, not two",            "into a register first"),
    ("vaddps zmm1, ymm2, zmm3",  "zmm1, ymm2, zmm3", "`zmm1` is 512 bits wide and `ymm2` 256", "zmm3/m512"),
    ("movaps xmm0, ymm1",        "xmm0, ymm1",   "`xmm0` is 128 bits wide and `ymm1` 256", "xmm2/m128"),
    ("vpaddd xmm1, xmm2, ymmword [rax]", "ymmword [rax]", "256 bits wide, the others want 128", "m128"),
    ("shl rax, bl",              "rax, bl",      "`cl` or a number",                       "shl rax, cl"),
    ("movzx eax, ecx",           "eax, ecx",     "both registers have 32 bits",            "`mov eax, ecx`"),
    ("setz eax",                 "eax",          "does not take these operands",           "sete r/m8"),
    ("cmovz al, bl",             "al, bl",       "does not take these operands",           "cmove r16"),
    ("lea rax, rbx",             "rax, rbx",     "does not take these operands",           "lea r64, m"),
    ("jmp dword [rax]",          "dword [rax]",  "32 bits wide, the others want 64",       "jmp r/m64"),
    ("kmovq k1, eax",            "k1, eax",      "does not take these operands",           "kmovq k1, r64"),
    ("movsd xmm0, dword [rax]",  "dword [rax]",  "32 bits wide, the others want 64",       "m64"),
    ("pshufd xmm0, xmm1",        "xmm0, xmm1",   "does not take 2 operands",               "imm8"),
    // The x87 stack.
    ("fld rax",                  "rax",          "does not take these operands",           "fld m64fp"),
    ("fld st(8)",                "st(",          "st(0) to st(7)",                         "st(1)"),
    ("fadd st1, st2",            "st1, st2",     "does not take these operands",           "fadd st(0), st(i)"),
    ("fild byte [rax]",          "byte [rax]",   "8 bits wide, the others want",           "m16int"),
    ("fst tbyte [rax]",          "tbyte [rax]",  "80 bits wide, the others want",          "m32fp"),
    ("fxch [rax]",               "[rax]",        "does not take one operand",              "fxch st(i)"),
    // More ranges.
    ("mov dword [rax], 0x100000000", "0x100000000", "does not fit in 32 bits",             "to 4294967295"),
    ("mov qword [rax], 0x80000000", "0x80000000", "32 bits, sign-extended to 64",          "to 2147483647"),
    ("push 0x123456789",         "0x123456789",  "32 bits, sign-extended to 64",           "to 2147483647"),
    ("ret 0x10000",              "0x10000",      "does not fit in 16 bits",                "to 65535"),
    ("int 256",                  "256",          "does not fit in 8 bits",                 "to 255"),
    ("shl rax, 256",             "256",          "does not fit in 8 bits",                 "to 255"),
    ("mov rax, [rip+0x80000000]", "[rip+0x80000000]", "displacement does not fit",         "put the address in a register"),
    ("mov eax, [0x80000000]",    "[0x80000000]", "displacement does not fit",              "put the address in a register"),
    // More addresses.
    ("mov rax, [rax-rbx]",       "rax-rbx",      "cannot be subtracted",                   "`neg` it"),
    ("mov rax, [rax+rbx*5]",     "rax+rbx*5",    "must be 1, 2, 4 or 8",                   "multiply before"),
    ("mov rax, [rsp*4+rax]",     "rsp*4+rax",    "`rsp` cannot be an index",               "another register"),
    ("mov fs, ax",               "mov fs, ax",   "belongs to the tool's own thread",       "gs:[-8]"),
    ("pop fs",                   "pop fs",       "belongs to the tool's own thread",       "gs:[-8]"),
    ("wrfsbase rax",             "wrfsbase rax", "belongs to the tool's own thread",       "gs:[-8]"),
    // More prefixes and decorations.
    ("lock inc eax",             "lock",         "does not go with `inc`",                 "destination is memory"),
    ("lock xchg rax, rbx",       "lock",         "does not go with `xchg`",                "destination is memory"),
    ("lock cmp [rax], rbx",      "lock",         "cannot be locked",                       "lock goes with add"),
    ("notrack call qword ptr gs:[rax]", "qword ptr gs:[rax]", "takes the place of a segment", "notrack call rcx"),
    ("mov sil, ah",              "ah",           "needs a REX prefix",                     "move the byte"),
    ("add r8b, ah",              "ah",           "needs a REX prefix",                     "move the byte"),
    ("vpaddd xmm1{k0}, xmm2, xmm3", "{k0}",      "unknown decoration",                     "{k1} to {k7}"),
    ("vpaddd xmm1{k8}, xmm2, xmm3", "{k8}",      "unknown decoration",                     "{k1} to {k7}"),
    ("vaddps xmm1, xmm2, xmm3, {rn-sae}", "{rn-sae}", "does not take this decoration",     "zmm registers"),
    ("vaddps zmm1, zmm2, [rcx], {rn-sae}", "{rn-sae}", "does not take this decoration",    "no operand is memory"),
    ("vaddps zmm1, zmm2, dword [rcx]{1to8}", "dword [rcx]", "{1to8} does not fill",        "{1to16}"),
    ("vpgatherdd zmm0, [rax+zmm1*4]", "vpgatherdd zmm0, [rax+zmm1*4]", "needs a mask",     "{k1} after the destination"),
    ("vaddpd zmm1, zmm2{k1}, zmm3", "{k1}",      "belong to the destination",              "zmm1{k1}{z}"),
    ("vaddpd zmm1{k1}, zmm2, zmm3{z}", "{z}",    "belong to the destination",              "zmm1{k1}{z}"),
    ("vaddpd zmm1, zmm2, [rax]{1to8}{k1}", "{k1}", "belong to the destination",            ""),
    ("vaddpd {k1}, zmm1, zmm2, zmm3", "{k1}",    "belong to the destination",              ""),
    ("vaddpd zmm1{k1}{k2}, zmm2, zmm3", "{k2}",  "one decoration of a kind",               "leave out"),
    ("vaddpd zmm1{k1}{z}{z}, zmm2, zmm3", "{z}", "one decoration of a kind",               "leave out"),
    ("vaddpd zmm1, zmm2, [rax]{1to8}{1to8}", "{1to8}", "one decoration of a kind",         "leave out"),
    ("vaddpd zmm1, zmm2, zmm3, {rn-sae}{rz-sae}", "{rz-sae}", "one decoration of a kind",  "leave out"),
    ("vmovups [rcx]{k1}{z}, zmm1", "{z}",        "does not take {z}",                      "leave it out"),
    ("vpcmpeqd k1{k2}{z}, zmm1, zmm2", "{z}",    "does not take {z}",                      "leave it out"),
    ("vcvtsi2sd xmm1, xmm2, eax, {rn-sae}", "{rn-sae}", "does not take this decoration",   ""),
    ("vcvtusi2sd xmm1, xmm2, eax, {rn-sae}", "{rn-sae}", "does not take this decoration",  ""),
    // Encodings that nobody can use.
    ("call ax",                  "ax",           "through 16 bits",                        "movzx eax, ax"),
    ("jmp r9w",                  "r9w",          "through 16 bits",                        "zero-extend"),
    ("call word ptr [rcx]",      "word ptr [rcx]", "through 16 bits",                      "zero-extend"),
    ("bswap ax",                 "ax",           "no defined result",                      "`rol ax, 8`"),
    ("mov cs, ax",               "cs",           "cannot load `cs`",                       "far transfers"),
    ("mov cs, [rcx]",            "cs",           "cannot load `cs`",                       "far transfers"),
    ("mov cr1, rax",             "cr1",          "there is no `cr1`",                      "cr4 and cr8"),
    ("mov rax, cr9",             "cr9",          "there is no `cr9`",                      "cr4 and cr8"),
    ("mov dr8, rax",             "dr8",          "there is no `dr8`",                      "dr0 to dr7"),
    // Shapes.
    ("mov rax, rbx rcx",         "rcx",          "expected a comma",                       ""),
    ("mov rax,",                 ",",            "missing after the comma",                ""),
    ("mov $5, eax",              "eax",          "has a `%` in AT&T syntax",               "Intel syntax"),
    ("mov rax, \"abc",           "\"abc",        "closing double quote is missing",        ""),
    ("mov rax, \"a\" + \"b\"",   "\"b\"",        "two addresses cannot be added",          ""),
    ("mov rax, 12ab",            "12ab",         "not a number",                           "0x12ab"),
    ("dw \"x\"",                 "\"x\"",        "needs 4 or 8 bytes",                     "`dd` or `dq`"),
    ("mov rax, hash(x)",         "x",            "in double quotes",                       "hash(\"main.T0\")"),
    ("mov é, 1",                 "é",            "unknown register or symbol",             ""),
];

#[test]
fn each_mistake_is_marked_where_it_stands_and_explained() {
    let mut wrong = Vec::new();
    for (line, marked, message, help) in REFUSED {
        let found = match fragment(&format!("nop\n  {line}")) {
            Ok(section) => {
                wrong.push(format!("{line} gave {:02x?}", section.bytes));
                continue;
            }
            Err(found) => found,
        };
        let first = &found[0];
        let text: String = first
            .text
            .chars()
            .skip(first.column as usize - 1)
            .take(first.width as usize)
            .collect();
        let said = first.help.as_deref().unwrap_or_default();
        let is_right = found.len() == 1
            && (text.as_str(), first.line) == (*marked, 2)
            && first.message.contains(message)
            && said.contains(help)
            && first.origin.is_none();
        if !is_right {
            wrong.push(format!("{line}: `{text}`: {} / {said}", first.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_message_shows_the_beginning_of_a_long_name() {
    let long = "xyzw".repeat(5_000);
    let digits = "1".repeat(20_000);
    for (line, message) in [
        (long.clone(), "unknown instruction `"),
        (format!("jmp {long}"), "undefined label `"),
        (format!("mov rax, [{long}]"), "unknown register or symbol `"),
        (format!("nop {{{long}}}"), "unknown decoration `"),
        (format!("a:\nmov rax, {digits}"), "the number "),
        (format!("mov rax, {digits}ab"), "`111"),
        (format!("mov rax, {digits}f"), "the number of label `"),
        (format!("mov rax, hash(\"a {long}\")"), "the hash of `a "),
        (format!("{long}: {long}: nop"), "the label `"),
        (format!("mov rax, {long}:[rax]"), "`xyzw"),
    ] {
        let found = fragment(&line).unwrap_err();
        let shown = &found[0].message;
        assert!(shown.starts_with(message), "{shown}");
        assert!(shown.contains("...") && shown.len() < 100, "{shown}");
        let help = found[0].help.as_deref().unwrap_or_default();
        assert!(help.len() < 1_000, "{help}");
    }
    // A name of 40 characters is shown in full.
    let name = "xyzw".repeat(10);
    let found = fragment(&name).unwrap_err();
    assert_eq!(found[0].message, format!("unknown instruction `{name}`"));
}

#[test]
fn a_list_of_forms_is_kept_short() {
    let found = fragment("mov rax, rbx, rcx").unwrap_err();
    let help = found[0].help.clone().unwrap();
    assert!(
        help.matches(';').count() <= 8 && help.contains("more"),
        "{help}"
    );
}

#[test]
fn a_short_branch_out_of_reach_says_how_far_it_is() {
    for branch in ["jmp short x", "loop x", "jrcxz x"] {
        let found = fragment(&format!("{branch}\n{}x: ret", "nop\n".repeat(130))).unwrap_err();
        assert!(found[0].message.contains("130 bytes away"), "{found:?}");
        assert_eq!(found[0].text, branch);
    }
}
