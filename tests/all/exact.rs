//! A count that is called exact is that of every iteration, and one of a part of them says so.
//!
//! Correct means: the counts are those made by hand over as many iterations as there will ever be; where later
//! ones may take another path, or where the path is another in the next run, `stepped` says how many were
//! counted, and `why` what decides.

use crate::common::{self, dispatchlab, json, rows, value};
use serde_json::Value;

/// What a row says of its counts.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// That they are those of all iterations.
    All,
    /// That they are not, and why.
    Part(&'static str),
}
use Says::{All, Part};

const STATE: Says = Part("what iterations leave behind");

const POINTER: &str = ";! heap = \"pointer\"\n;! params = { order = \"cyclic\", objects = 4 }\n\
                       ;! result = \"eax\"\n;! expect = \"id\"\n";
const NONE: &str = ";! title = \"x\"\n";

/// A template, its instructions and branches by hand, and what it says of them.
type Case = (&'static str, &'static str, f64, f64, Says);

/// Runs templates with a header, and compares.
fn check(folder: &str, header: &str, cases: &[Case], options: &[&str]) -> Vec<Value> {
    let folder = common::folder(folder);
    let files: Vec<String> = cases
        .iter()
        .map(|(name, text, ..)| common::template(&folder, name, &format!("{header}{text}")))
        .collect();
    // A debug build on a busy machine takes long for the longest rows.
    let mut arguments = vec![
        "run",
        "--counters",
        "none",
        "--placements",
        "1",
        "--timeout",
        "60",
    ];
    arguments.extend(options);
    arguments.extend(files.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let all: Vec<Value> = rows(&document)
        .into_iter()
        .map(|(_, row)| row.clone())
        .collect();
    for ((name, _, instructions, branches, says), row) in cases.iter().zip(&all) {
        let counts = &row["metrics"]["instructions"];
        assert_eq!(
            value(row, "instructions"),
            *instructions,
            "{name}: {counts}"
        );
        assert_eq!(value(row, "branches"), *branches, "{name}: {counts}");
        assert_eq!(counts["basis"], "exact", "{name}");
        for metric in ["instructions", "branches"] {
            let metric = &row["metrics"][metric];
            match says {
                All => assert!(metric["stepped"].is_null(), "{name}: {metric}"),
                Part(why) => {
                    assert!(metric["stepped"].as_u64() > Some(0), "{name}: {metric}");
                    let said = metric["why"].as_str().unwrap_or_default();
                    assert!(said.contains(why), "{name}: {metric}");
                }
            }
        }
    }
    all
}

/// Whether this CPU has what a template needs.
fn has(name: &str) -> bool {
    match name.split('_').next() {
        Some("avx512") => is_x86_feature_detected!("avx512bw"),
        Some("avx2") => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        _ => true,
    }
}

/// Those of a table that this CPU can run.
fn possible(cases: &[Case]) -> Vec<Case> {
    cases.iter().copied().filter(|case| has(case.0)).collect()
}

#[test]
fn state_that_decides_a_path_is_followed_until_it_repeats_itself_or_is_said_to_decide() {
    #[rustfmt::skip] // a table: one template a line
    let cases: [Case; 13] = [
        // Each of the four frames has a counter of its own, and wraps in 2^32 turns.
        ("own_frame",  "body: mov eax, [rax]\n inc dword [rsp+8]\n test dword [rsp+8], 0xff\n jne 1f\n mov ecx, 1000\n2: dec ecx\n jne 2b\n1: nop\n",
            5.0 + 2001.0 / 256.0, 1.0 + 1000.0 / 256.0, STATE),
        ("below_rsp",  "body: mov eax, [rax]\n inc dword [rsp-200]\n test dword [rsp-200], 0x7ff\n jne 1f\n mov ecx, 10000\n2: dec ecx\n jne 2b\n1: nop\n",
            5.0 + 20001.0 / 2048.0, 1.0 + 10000.0 / 2048.0, STATE),
        ("g",          "body: mov eax, [rax]\n inc dword [r14+0x40]\n test dword [r14+0x40], 0xff\n jne 1f\n nop\n1: nop\n",
            5.0 + 1.0 / 256.0, 1.0, STATE),
        ("below_g",    "body: mov eax, [rax]\n inc dword [r14-100]\n test dword [r14-100], 0xff\n jne 1f\n nop\n1: nop\n",
            5.0 + 1.0 / 256.0, 1.0, STATE),
        // A byte is what it was behind 256 turns.
        ("g_byte",     "body: mov eax, [rax]\n inc byte [r14+0x40]\n jne 1f\n nop\n1: nop\n",
            4.0 + 1.0 / 256.0, 1.0, All),
        ("frame_byte", "body: mov eax, [rax]\n inc byte [rsp+8]\n jne 1f\n nop\n1: nop\n",
            4.0 + 1.0 / 256.0, 1.0, All),
        ("register",   "body: mov eax, [rax]\n inc r9b\n jne 1f\n nop\n1: nop\n",
            4.0 + 1.0 / 256.0, 1.0, All),
        ("mmx",        "body: mov eax, [rax]\n movd ecx, mm3\n inc ecx\n and ecx, 0x3ff\n movd mm3, ecx\n jne 1f\n nop\n1: nop\n",
            7.0 + 1.0 / 1024.0, 1.0, All),
        ("x87",        "setup: fldz\nbody: mov esi, [rax]\n fld1\n faddp st1, st0\n ficom dword [\"most\"]\n fnstsw ax\n sahf\n jb 1f\n fstp st0\n fldz\n1: mov eax, esi\ndata \"most\": dd 100\n",
            8.0 + 2.0 / 100.0, 1.0, All),
        ("avx2_upper", "body: mov eax, [rax]\n vextracti128 xmm1, ymm5, 1\n vmovd ecx, xmm1\n inc ecx\n and ecx, 0x3ff\n vmovd xmm1, ecx\n vinserti128 ymm5, ymm5, xmm1, 1\n jne 1f\n nop\n1: nop\n",
            9.0 + 1.0 / 1024.0, 1.0, All),
        ("avx512_mask", "body: mov eax, [rax]\n kmovd ecx, k7\n inc ecx\n and ecx, 0xfff\n kmovd k7, ecx\n jne 1f\n mov ecx, 10000\n2: dec ecx\n jne 2b\n1: nop\n",
            7.0 + 20001.0 / 4096.0, 1.0 + 10000.0 / 4096.0, All),
        ("avx512_mask_32", "body: mov eax, [rax]\n kmovd ecx, k7\n inc ecx\n kmovd k7, ecx\n test ecx, 0xfff\n jne 1f\n mov ecx, 10000\n2: dec ecx\n jne 2b\n1: nop\n",
            7.0 + 20001.0 / 4096.0, 1.0 + 10000.0 / 4096.0, STATE),
        ("memory",     "body: mov eax, [rax]\n dec dword [\"n\"]\n jnz 1f\n mov dword [\"n\"], 1000\n1: nop\ndata \"n\": dd 1000\n",
            4.0 + 1.0 / 1000.0, 1.0, All),
    ];
    let cases = possible(&cases);
    check("exact_state", POINTER, &cases, &[]);
    let frames = format!("{POINTER};! clobbers = \"all\"\n");
    check("exact_frames", &frames, &cases[..5], &[]);
}

/// All registers but the receiver's are the body's own, those too that the harness once went through.
#[test]
fn a_counter_in_any_register_goes_from_iteration_to_iteration_in_every_loop() {
    let all = POINTER.to_string() + ";! clobbers = \"all\"\n";
    let eface = all.replace("\"pointer\"", "\"eface\"");
    let counter = |low: &str, load: &str| {
        format!("body: mov eax, [{load}]\n inc {low}\n test {low}, 63\n jne 1f\n nop\n1: nop\n")
    };
    let registers = [
        "cl", "dl", "sil", "dil", "bpl", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r15b",
    ];
    let mut texts: Vec<(String, String)> = Vec::new();
    for low in registers {
        texts.push((format!("{low}_eface"), counter(low, "rbx")));
        texts.push((low.to_string(), counter(low, "rax")));
    }
    texts.push(("bl".to_string(), counter("bl", "rax")));
    let is_eface = |name: &str| name.ends_with("eface");
    let (two, one): (Vec<_>, Vec<_>) = texts.iter().partition(|(name, _)| is_eface(name));
    let exact = 5.0 + 1.0 / 64.0;
    for indexed in [&[][..], &["-p", "indexed=true"]] {
        for (header, texts) in [(&all, &one), (&eface, &two)] {
            let cases = texts.iter().map(|(name, text)| {
                let (name, text): (&'static str, &'static str) =
                    (name.clone().leak(), text.clone().leak());
                (name, text, exact, 1.0, All)
            });
            check(
                "exact_registers",
                header,
                &cases.collect::<Vec<Case>>(),
                indexed,
            );
        }
    }
}

#[test]
fn a_mean_over_a_period_is_that_of_all_iterations() {
    #[rustfmt::skip] // a table: one template a line
    let cases: [Case; 5] = [
        ("phase", "body: inc dword [\"count\"]\n cmp dword [\"count\"], 1000\n jb 1f\n mov dword [\"count\"], 0\n mov ecx, 500\n2: dec ecx\n jne 2b\n1:\ndata \"count\": dd 0\n",
            4.002, 1.5, All),
        // What comes once only is in no mean of what comes for ever.
        ("first", "body: cmp ecx, 100\n jae 1f\n inc ecx\n1: nop\n", 3.0, 1.0, All),
        ("never", "body: add rax, rbx\n add rbx, 1\n imul rcx, rax\n", 3.0, 0.0, All),
        ("noise", "body: mov rax, [\"s\"]\n mov rcx, rax\n shl rcx, 13\n xor rax, rcx\n mov rcx, rax\n shr rcx, 7\n xor rax, rcx\n mov rcx, rax\n shl rcx, 17\n xor rax, rcx\n mov [\"s\"], rax\n nop\ndata \"s\": dq 88172645463325252\n",
            12.0, 0.0, All),
        ("long",  "body: inc dword [\"n\"]\n test dword [\"n\"], 0x3\n jne 1f\n nop\n1: nop\ndata \"n\": dd 0\n", 4.25, 1.0, STATE),
    ];
    check("exact_period", NONE, &cases, &[]);
    check("exact_period_quick", NONE, &cases, &["--quick"]);
}

#[test]
fn the_instruction_behind_one_that_the_kernel_emulates_is_counted() {
    #[rustfmt::skip] // a table: one template a line
    let cases: [Case; 8] = [
        ("sgdt",      "body: mov eax, [rax]\n sgdt [rsp]\n nop\n nop\n nop\n",                          5.0, 0.0, All),
        ("sgdt_last", "body: mov eax, [rax]\n sgdt [rsp]\n",                                            2.0, 0.0, All),
        ("sgdt_two",  "body: mov eax, [rax]\n sgdt [rsp]\n sgdt [rsp+16]\n nop\n nop\n",                5.0, 0.0, All),
        ("sidt",      "body: mov eax, [rax]\n sidt [rsp]\n nop\n sidt [rsp+16]\n nop\n sidt [rsp]\n nop\n", 7.0, 0.0, All),
        ("sldt",      "body: mov eax, [rax]\n sldt [rsp]\n jmp 1f\n1: nop\n str [rsp]\n jmp 2f\n2: nop\n",  7.0, 2.0, All),
        ("smsw",      "body: mov eax, [rax]\n smsw ecx\n nop\n str edx\n nop\n",                        5.0, 0.0, All),
        ("ss",        "body: mov eax, [rax]\n mov ecx, ss\n sgdt [rsp]\n mov ss, ecx\n nop\n nop\n",    6.0, 0.0, All),
        ("call",      "body: mov eax, [rax]\n sgdt [rsp]\n call \"f\"\n nop\nfunc \"f\": ret\n",        5.0, 2.0, All),
    ];
    let header = format!("{POINTER};! clobbers = \"all\"\n");
    check("exact_umip", &header, &cases, &[]);
}

/// All of them look for the trap flag, and take a way of two instructions more where they find none.
#[test]
fn whoever_pushes_the_flags_sees_no_trap_flag() {
    #[rustfmt::skip] // a table: one template a line
    let cases: [Case; 7] = [
        ("cs",     "body: mov eax, [rax]\n db 0x2e\n pushfq\n pop rcx\n test ch, 1\n jne 1f\n nop\n nop\n1: nop\n", 8.0, 1.0, All),
        ("many",   "body: mov eax, [rax]\n db 0x36, 0x3e, 0x64, 0xf2, 0x48\n pushfq\n pop rcx\n test ch, 1\n jne 1f\n nop\n nop\n1: nop\n", 8.0, 1.0, All),
        ("word",   "body: mov eax, [rax]\n db 0x2e, 0x66\n pushfq\n db 0x66\n pop rcx\n test ch, 1\n jne 1f\n nop\n nop\n1: nop\n", 8.0, 1.0, All),
        ("data",   "body: mov eax, [rax]\n mov rsi, rsp\n lea rsp, [\"buf\"+128]\n pushfq\n pop rcx\n mov rsp, rsi\n test ch, 1\n jne 1f\n nop\n nop\n1: nop\ndata \"buf\": times 32 dq 0\n", 11.0, 1.0, All),
        ("ss",     "body: mov eax, [rax]\n mov edx, ss\n mov ss, edx\n pushfq\n pop rcx\n test ch, 1\n jne 1f\n nop\n nop\n1: nop\n", 10.0, 1.0, All),
        ("ss_data", "body: mov eax, [rax]\n mov rsi, rsp\n mov edx, ss\n lea rsp, [\"buf\"+128]\n mov ss, edx\n db 0x2e\n pushfq\n pop rcx\n mov rsp, rsi\n test ch, 1\n jne 1f\n nop\n nop\n1: nop\ndata \"buf\": times 32 dq 0\n", 13.0, 1.0, All),
        ("sgdt",   "body: mov eax, [rax]\n sgdt [rsp]\n pushfq\n pop rcx\n test ch, 1\n jne 1f\n nop\n nop\n1: nop\n", 9.0, 1.0, All),
    ];
    check("exact_trap", POINTER, &cases, &[]);
}

#[test]
fn what_differs_from_run_to_run_is_of_the_iterations_that_were_counted() {
    let mut cases: Vec<Case> = Vec::new();
    for (name, text, instructions) in [
        ("rdtsc", "rdtsc", 4.0),
        ("cpuid", "mov eax, 1\n cpuid", 5.0),
        ("xgetbv", "xor ecx, ecx\n xgetbv", 5.0),
    ] {
        let text = format!("body: mov esi, [rax]\n nop\n {text}\n mov eax, esi\n");
        cases.push((
            name,
            Box::leak(text.into_boxed_str()),
            instructions,
            0.0,
            Part(name),
        ));
    }
    check("exact_machine", POINTER, &cases, &[]);
}

#[test]
fn bits_of_an_own_address_decide_for_one_run_and_addresses_for_all() {
    #[rustfmt::skip] // a table: one template a line
    let deciding: [(&str, &str); 8] = [
        ("lea",      "body: mov eax, [rax]\n here: lea rcx, [here]\n test ecx, 0x1000\n jne 1f\n nop\n1: nop\n"),
        ("call",     "body: mov eax, [rax]\n call 2f\n2: pop rcx\n shr rcx, 12\n test cl, 1\n jne 1f\n nop\n1: nop\n"),
        ("table",    "body: mov eax, [rax]\n mov ecx, [\"t\"]\n test ecx, 0x10000\n jne 1f\n nop\n1: nop\ndata \"t\": dq \"f\"\nfunc \"f\": ret\n"),
        ("pushed",   "body: mov eax, [rax]\n lea rcx, [\"f\"]\n push rcx\n pop rdx\n imul rdx, rdx, 5\n test edx, 0x10000\n jne 1f\n nop\n1: nop\nfunc \"f\": ret\n"),
        ("indexed",  "body: mov eax, [rax]\n lea rcx, [\"f\"]\n shr rcx, 12\n and ecx, 1\n lea rdx, [\"t\"]\n mov ecx, [rdx+rcx*4]\n test ecx, ecx\n jne 1f\n nop\n1: nop\ndata \"t\": dd 0, 1\nfunc \"f\": ret\n"),
        ("distance", "body: mov eax, [rax]\n mov rdx, rsp\n lea rcx, [\"d\"]\n sub rdx, rcx\n bt rdx, 20\n jc 1f\n nop\n1: nop\ndata \"d\": dq 0\n"),
        ("in_code",  "body: mov eax, [rax]\n lea rdx, [1f]\n lea rcx, [\"f\"]\n sub rdx, rcx\n bt rdx, 4\n jc 1f\n nop\n1: nop\nfunc \"f\": ret\n"),
        ("stack",    "body: mov eax, [rax]\n mov rcx, rsp\n shr rcx, 16\n test cl, 1\n jne 1f\n nop\n1: nop\n"),
    ];
    let folder = common::folder("exact_address");
    let mut arguments = vec!["run", "--counters", "none", "--placements", "1"];
    let files =
        deciding.map(|(name, text)| common::template(&folder, name, &format!("{POINTER}{text}")));
    arguments.extend(files.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for (name, row) in rows(&document) {
        let count = &row["metrics"]["instructions"];
        assert!(count["stepped"].as_u64() > Some(0), "{name}: {count}");
        let why = count["why"].as_str().unwrap_or_default();
        assert!(why.contains("an address decides"), "{name}: {count}");
    }
    #[rustfmt::skip] // a table: one template a line
    let steady: [Case; 8] = [
        ("jump",      "body: mov eax, [rax]\n lea rcx, [\"t\"]\n mov edx, eax\n and edx, 1\n call qword [rcx+rdx*8]\ndata \"t\": dq \"f\", \"f\"\nfunc \"f\": ret\n", 6.0, 2.0, All),
        ("compared",  "body: mov eax, [rax]\n lea rcx, [\"a\"]\n lea rdx, [\"b\"]\n cmp rcx, rdx\n jb 1f\n nop\n1: nop\ndata \"a\": dq 0\ndata \"b\": dq 0\n", 6.0, 1.0, All),
        ("length",    "body: mov eax, [rax]\n lea rdx, [\"b\"]\n lea rcx, [\"a\"]\n sub rdx, rcx\n bt rdx, 3\n jc 1f\n nop\n1: nop\ndata \"a\": dq 0\ndata \"b\": dq 0\n", 8.0, 1.0, All),
        ("aligned",   "body: mov eax, [rax]\n lea rcx, [\"a\"]\n test cl, 7\n jne 1f\n nop\n1: nop\ndata \"a\": dq 0\n", 6.0, 1.0, All),
        ("not_null",  "body: mov rcx, rax\n mov eax, [rax]\n test rcx, rcx\n je 1f\n nop\n1: nop\n", 6.0, 1.0, All),
        ("stack_end", "body: mov eax, [rax]\n cmp rsp, [r14+16]\n jbe 1f\n nop\n1: nop\n", 5.0, 1.0, All),
        ("frame",     "body: mov eax, [rax]\n push rbp\n mov rbp, rsp\n and rsp, -32\n sub rsp, 64\n mov [rsp+8], rbp\n mov rcx, [rsp+8]\n test rcx, rcx\n je 1f\n nop\n1: leave\n", 11.0, 1.0, All),
        ("calls",     "body: mov eax, [rax]\n lea rcx, [\"f\"]\n call rcx\n call \"f\"\nfunc \"f\": ret\n", 6.0, 4.0, All),
    ];
    check("exact_steady", POINTER, &steady, &[]);
    let frames = format!("{POINTER};! clobbers = \"all\"\n");
    check("exact_steady_frames", &frames, &steady, &[]);
}

#[test]
fn what_the_loop_around_the_body_counts_with_makes_a_count_one_of_a_part() {
    // Its words are the same again after 4 iterations, and what it adds up after 4 more is not.
    let tail = "jnz 1f\n times 5 nop\n1: nop\n";
    let frame = |offset: &str| {
        format!("body: mov eax, [rax]\n mov rcx, [rsp+{offset}]\n test ecx, 0x100\n {tail}")
    };
    let all = format!("{POINTER};! clobbers = \"all\"\n");
    let sum = ";! result = \"rax\"\n".to_string();
    let big = "mov rax, 0x4000000000000000\n";
    let walk = POINTER.to_string();
    let cases = [
        ("cursor", &all, frame("0x200")),
        ("limit", &all, frame("0x208")),
        ("sum", &all, frame("0x210")),
        ("other_cursor", &all, frame("0x240")),
        (
            "carry",
            &sum,
            format!("body: jc 1f\n times 5 nop\n1: {big}"),
        ),
        (
            "set_by_carry",
            &sum,
            format!("body: setc cl\n test cl, cl\n {tail} {big}"),
        ),
        (
            "added_carry",
            &sum,
            format!("body: mov ecx, 0\n adc ecx, ecx\n {tail} {big}"),
        ),
        (
            "parity",
            &walk,
            "body: jp 1f\n times 5 nop\n1: mov eax, [rax]\n".to_string(),
        ),
    ];
    let folder = common::folder("exact_loop");
    let files: Vec<String> = cases
        .iter()
        .map(|(name, header, text)| common::template(&folder, name, &format!("{header}{text}")))
        .collect();
    let mut arguments = vec!["run", "--counters", "none", "--placements", "1"];
    arguments.extend(files.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let found = rows(&document);
    assert_eq!(found.len(), cases.len());
    for (name, row) in found {
        let count = &row["metrics"]["instructions"];
        assert!(count["stepped"].as_u64() > Some(0), "{name}: {count}");
        let why = count["why"].as_str().unwrap_or_default();
        assert!(
            why.contains("what the loop around the body counts with"),
            "{name}: {count}"
        );
    }
}

/// What the setup makes of the machine or of an address is another number in the next run.
#[test]
fn what_a_setup_takes_from_the_machine_makes_a_count_one_of_a_part() {
    let spin = "mov ecx, ebx\n1: dec ecx\n jne 1b\n";
    let data = "data \"buf\": resb 64\n";
    let low = "and ebx, 15\n inc ebx\n";
    #[rustfmt::skip] // a table: one template a line
    let cases = [
        ("clock",    format!("setup: rdtsc\n mov ebx, eax\n {low}body: {spin}"), Some("`rdtsc` reads")),
        ("random",   format!("setup: rdrand ebx\n {low}body: {spin}"), Some("`rdrand` reads")),
        ("address",  format!("setup: lea rbx, [\"buf\"]\n shr rbx, 12\n {low}body: {spin}{data}"), Some("an address decides")),
        ("stack",    format!("setup: mov rbx, rsp\n imul ebx, ebx, 77\n shr ebx, 20\n {low}body: {spin}"), Some("an address decides")),
        ("masked",   format!("setup: lea rbx, [\"buf\"]\n and ebx, 0xff000\n shr ebx, 12\n {low}body: {spin}{data}"), Some("an address decides")),
        ("constant", format!("setup: mov ebx, 77\n {low}body: {spin}"), None),
        ("moved",    format!("setup: lea rsi, [\"buf\"]\n add rsi, 8\n mov [rsi], rsi\n mov ebx, 77\n {low}body: {spin}{data}"), None),
        ("replaced", format!("setup: lea rbx, [\"buf\"]\n mov ebx, 0x4d0\n shr ebx, 4\n {low}body: {spin}{data}"), None),
        ("aligned",  format!("setup: lea rsi, [\"buf\"]\n and rsi, -64\n mov ebx, 77\n {low}body: {spin}{data}"), None),
    ];
    let folder = common::folder("exact_setup");
    let mut arguments = vec!["run".to_string(), "--counters".into(), "none".into()];
    for (name, text, _) in &cases {
        let header = format!("{NONE};! clobbers = \"all\"\n");
        arguments.push(common::template(&folder, name, &format!("{header}{text}")));
    }
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for ((name, _, said), (_, row)) in cases.iter().zip(rows(&document)) {
        let count = &row["metrics"]["instructions"];
        assert_eq!(count["stepped"].is_u64(), said.is_some(), "{name}: {count}");
        let why = count["why"].as_str().unwrap_or_default();
        assert!(
            said.is_none_or(|said| why.contains(said)),
            "{name}: {count}"
        );
    }
}

#[test]
fn loops_of_vectors_that_are_longer_than_a_log_of_steps_have_counts() {
    #[rustfmt::skip] // a table: one template a line
    let cases: [Case; 5] = [
        ("avx2_sum",    "body: mov ecx, 100000\n lea rdi, [\"b\"]\n vpxor xmm0, xmm0, xmm0\n1: vpaddd ymm0, ymm0, [rdi]\n vpmulld ymm1, ymm0, ymm2\n dec ecx\n jne 1b\n vzeroupper\ndata \"b\": times 32 dd 7\n",
            400_004.0, 100_000.0, All),
        ("avx2_fma",    "body: mov ecx, 100\n lea rdi, [\"b\"]\n1: vfmadd231ps ymm0, ymm1, [rdi]\n vaddsd xmm3, xmm4, xmm5\n vcvtdq2ps ymm6, ymm0\n dec ecx\n jne 1b\n vzeroupper\ndata \"b\": times 32 dd 7\n",
            503.0, 100.0, All),
        // What the vectors hold says when to stop.
        ("avx2_search", "body: lea rdi, [\"b\"]\n vmovd xmm0, [\"c\"]\n vpbroadcastb ymm0, xmm0\n1: vpcmpeqb ymm1, ymm0, [rdi]\n vpmovmskb eax, ymm1\n add rdi, 32\n test eax, eax\n je 1b\n vzeroupper\ndata \"c\": dd 1\ndata \"b\": times 640000 db 0\n db 1\n times 63 db 0\n",
            4.0 + 5.0 * 20_001.0, 20_001.0, All),
        ("avx2_shift",  "body: mov ecx, 100\n lea rdi, [\"b\"]\n1: vmovdqu ymm1, [rdi]\n vpsrld ymm1, ymm1, 1\n vpermq ymm2, ymm1, 0x4e\n vptest ymm2, ymm2\n je 2f\n2: vmovdqu [rdi+64], ymm2\n dec ecx\n jne 1b\ndata \"b\": times 32 dd 7\n",
            2.0 + 8.0 * 100.0, 200.0, All),
        ("avx512_add",  "body: mov ecx, 20000\n lea rdi, [\"b\"]\n mov eax, 0x5555\n kmovw k1, eax\n1: vpaddd zmm0{k1}, zmm0, [rdi]\n vpcmpud k2, zmm0, zmm1, 1\n dec ecx\n jne 1b\n kmovw eax, k2\ndata \"b\": times 32 dd 7\n",
            5.0 + 4.0 * 20_000.0, 20_000.0, All),
    ];
    check("exact_vectors", NONE, &possible(&cases), &[]);
}

#[test]
fn state_that_is_put_away_and_taken_back_makes_a_count_one_of_a_part() {
    // A counter goes by way of state that is no register of the body, and now and then 2001 instructions more run.
    let late = "jne 1f\n mov ecx, 1000\n2: dec ecx\n jne 2b\n1: nop\n";
    let data = "data \"buf\":\n align 64\n times 64 dq 0\n";
    let of = |take: &str, put: &str| {
        format!(
            "body: {put}\n inc dword [\"buf\"+160+144]\n {take}\n movd eax, xmm9\n test eax, 0x1ff\n {late}{data}"
        )
    };
    let all = [
        ("fxrstor", of("fxrstor [\"buf\"]", "fxsave [\"buf\"]")),
        ("fxrstor64", of("fxrstor64 [\"buf\"]", "fxsave64 [\"buf\"]")),
    ];
    let folder = common::folder("hidden_state");
    let mut arguments = vec![
        "run".to_string(),
        "--quick".into(),
        "--counters".into(),
        "none".into(),
    ];
    for (name, text) in &all {
        arguments.push(common::template(&folder, name, &format!("{NONE}{text}")));
    }
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for (name, row) in rows(&document) {
        let counts = &row["metrics"]["instructions"];
        assert!(counts["stepped"].is_u64(), "{name}: {counts}");
    }
}

#[test]
fn what_single_steps_lose_leaves_a_row_without_counts() {
    let late = "jne 1f\n mov ecx, 1000\n2: dec ecx\n jne 2b\n1: nop\n";
    let nested = |mask: &str| {
        format!(
            "body: pushfq\n xor dword [rsp], {mask}\n popfq\n pushfq\n pop rax\n test eax, 0x4000\n {late}"
        )
    };
    let selector =
        format!("body: mov ecx, es\n inc ecx\n and ecx, 3\n mov es, ecx\n test ecx, ecx\n {late}");
    let all = [
        ("nested", nested("0x4000"), Some("the nested-task flag")),
        ("not_nested", nested("0"), None),
        (
            "selector",
            selector,
            Some("the low bits of a null selector"),
        ),
    ];
    let folder = common::folder("lost_state");
    let mut arguments = vec!["run".to_string(), "--counters".into(), "none".into()];
    for (name, text, _) in &all {
        let header = format!("{NONE};! clobbers = \"all\"\n");
        arguments.push(common::template(&folder, name, &format!("{header}{text}")));
    }
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for ((name, _, lost), (_, row)) in all.iter().zip(rows(&document)) {
        let count = &row["metrics"]["instructions"];
        assert_eq!(count["value"].is_null(), lost.is_some(), "{name}: {count}");
        let why = count["why"].as_str().unwrap_or_default();
        assert!(
            lost.is_none_or(|lost| why.contains(lost)),
            "{name}: {count}"
        );
    }
}

#[test]
fn a_branch_on_a_flag_that_no_manual_defines_is_not_interpreted() {
    let of = |work: &str| {
        format!(
            "body: inc r8d\n cmp r8d, 8000\n jb 9f\n {work} 9f\n mov ecx, 200\n2: dec ecx\n jne 2b\n9: nop\n"
        )
    };
    let all = [
        (
            "imul_js",
            of("mov eax, 1390851128\n mov edx, 4071050724\n imul eax, edx\n js"),
        ),
        ("shr_jo", of("mov eax, 2503952625\n shr eax, 20\n jo")),
        ("shrd_jo", of("shrd eax, edx, 13\n jo")),
        (
            "div_jz",
            of("mov eax, 7\n mov ecx, 3\n xor edx, edx\n div ecx\n jz"),
        ),
        ("defined", of("mov eax, 7\n imul eax, eax\n jo")),
    ];
    let folder = common::folder("undefined_flags");
    let mut arguments = vec!["run".to_string(), "--counters".into(), "none".into()];
    for (name, text) in &all {
        arguments.push(common::template(
            &folder,
            name,
            &format!("{NONE};! clobbers = \"all\"\n{text}"),
        ));
    }
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for (name, row) in rows(&document) {
        let counts = &row["metrics"]["instructions"];
        let is_told = counts["why"]
            .to_string()
            .contains("the manuals leave undefined");
        let is_early = counts["stepped"]
            .as_u64()
            .is_some_and(|stepped| stepped < 8000);
        assert_eq!(
            (is_told, is_early),
            (!name.ends_with("/defined"), !name.ends_with("/defined")),
            "{name}: {counts}"
        );
    }
}

/// The loop around a body is counted by interpreting one iteration, or, where the interpreter is not believed, by stepping
/// it: its instructions are the same ones.
#[test]
fn the_loop_around_a_body_has_as_many_instructions_stepped_as_interpreted() {
    const UNKNOWN: &str = "imul ecx, ecx\n js 1f\n1:";
    let folder = common::folder("exact_around");
    let headers = [
        ("registers", ";! heap = \"none\"\n".to_string()),
        (
            "frames",
            ";! heap = \"none\"\n;! clobbers = \"all\"\n".into(),
        ),
        (
            "copies",
            ";! heap = \"none\"\n;! unroll = 3\n;! clobbers = \"all\"\n".into(),
        ),
        ("walk", POINTER.into()),
        ("walk_frames", format!("{POINTER};! clobbers = \"all\"\n")),
    ];
    for (name, header) in headers {
        let load = if header.contains("pointer") {
            " mov eax, [rax]\n"
        } else {
            ""
        };
        let [known, unknown] = ["nop", UNKNOWN].map(|code| {
            let text = format!("{header}body: {code}\n{load}");
            common::template(&folder, &format!("{name}_{}", code.len()), &text)
        });
        let (code, document) = json(&["run", "--quick", &known, &unknown]);
        assert_eq!(code, 0, "{document:#}");
        let found = rows(&document);
        // With a walk the counts beside it are of each receiver, which is stepped.
        if load.is_empty() {
            let source = |at: usize| &found[at].1["metrics"]["instructions"]["source"];
            assert_eq!([source(0), source(1)], ["interpreter", "step"], "{name}");
        }
        let around = |at: usize| &found[at].1["around"];
        assert!(
            around(0)["instructions"].as_f64() > Some(1.0),
            "{name}: {}",
            around(0)
        );
        assert_eq!(around(0), around(1), "{name}");
    }
}

#[test]
fn a_count_of_a_part_says_so_wherever_it_stands() {
    let folder = common::folder("exact_said");
    let counting = "body:\n inc dword [\"n\"]\n test dword [\"n\"], 0x3\n jne 1f\n nop\n1: nop\ndata \"n\": dd 0\n";
    let file = common::template(&folder, "counting", &format!("{NONE}{counting}"));
    let said = |export: &str| {
        let out = folder.join("out").display().to_string();
        let option = format!("--export-{export}");
        let (code, _) = json(&["run", &file, "--counters", "none", &option, &out]);
        assert_eq!(code, 0);
        std::fs::read_to_string(&out).expect("written")
    };
    assert!(said("csv").contains(",262144,what iterations leave behind decides"));
    assert!(said("markdown").contains("counted over the first 262144 iterations"));
    assert!(said("json").contains("\"stepped\": 262144"));

    let counting = "body:\n;! part more\n nop\n;! end\n inc dword [\"n\"]\n test dword [\"n\"], 0x3\n jne 1f\n nop\n1: nop\ndata \"n\": dd 0\n";
    let header = ";! params = { k = [1, 2] }\n";
    let file = common::template(&folder, "parts", &format!("{header}{counting}"));
    let mark = "*: counted over the first iterations, 4096 at the least; later ones may differ";
    for (arguments, count) in [
        (["sweep", &file, "-P", "k=1,2", "--quick"].to_vec(), "5.25*"),
        (["ablate", &file, "--quick"].to_vec(), "1*"),
    ] {
        let out = dispatchlab(&arguments).stdout;
        assert!(out.contains(count), "{out}");
        assert!(common::unfolded(&out).contains(mark), "{out}");
    }
}
