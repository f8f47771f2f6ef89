//! Templates that do everything wrong: each is a row with its reason and line, and the rows beside
//! it still have their numbers.

mod common;

use common::{folder, json, rows, template, value};

const HEADER: &str = ";! heap = \"pointer\"\n;! params = { objects = 8, order = \"cyclic\" }\n;! result = \"eax\"\n;! expect = \"id\"\n";

/// Name, body (it begins on line 6), fault kind, words of the message, line.
#[rustfmt::skip] // a table: one template a line
const FAULTS: &[(&str, &str, &str, &str, u64)] = &[
    ("null_access",    " xor ecx, ecx\n mov eax, [rcx + 0x18]\n",                     "signal",  "nil pointer",       7),
    ("non_canonical",  " mov rcx, 0x8000000000000000\n mov eax, [rcx]\n",             "signal",  "non-canonical",     7),
    ("ud2",            " mov eax, [rax]\n ud2\n",                                     "signal",  "SIGILL",            7),
    ("int3",           " mov eax, [rax]\n int3\n",                                    "signal",  "SIGTRAP",           7),
    ("hlt",            " mov eax, [rax]\n hlt\n",                                     "signal",  "privileged",        7),
    ("division",       " xor edx, edx\n xor ebx, ebx\n div ebx\n",                    "signal",  "division by zero",  8),
    ("wild_ret",       " mov eax, [rax]\n push 0x1234\n ret\n",                       "signal",  "0x1234, at `ret`",  8),
    ("recursion",      " call \"main.f\"\nfunc \"main.f\":\n call \"main.f\"\n ret\n", "signal",  "stack is full",     8),
    ("write_to_code",  " lea rcx, [\"main.g\"]\n mov byte [rcx], 1\nfunc \"main.g\":\n ret\n", "signal", "SIGSEGV",    7),
    ("clobbered_r15",  " mov eax, [rax]\n mov r15d, 5\n nop\n",                       "clobber", "r15",               7),
    ("clobbered_r12",  " mov r12d, 5\n mov eax, [rax]\n",                             "clobber", "r12",               6),
    ("unbalanced",     " mov eax, [rax]\n push rax\n",                                "stack",   "`push rax`",        7),
    ("direction_flag", " mov eax, [rax]\n std\n",                                     "flags",   "direction flag",    7),
    ("alignment_flag", " mov eax, [rax]\n pushfq\n or dword [rsp], 0x40000\n popfq\n", "flags",  "alignment check",   9),
    ("mxcsr",          " mov eax, [rax]\n push 0\n stmxcsr [rsp]\n xor dword [rsp], 0x8000\n ldmxcsr [rsp]\n pop rcx\n", "flags", "MXCSR", 10),
];

#[test]
fn each_fault_is_a_row_with_its_kind_and_line_and_the_others_get_numbers() {
    let folder = folder("faults");
    let mut arguments = vec!["run".to_string(), "--quick".into(), "direct_call".into()];
    for (name, body, ..) in FAULTS {
        arguments.push(template(&folder, name, &format!("{HEADER}body:\n{body}")));
    }
    arguments.push("itab_call".into());
    let (code, document) = json(&arguments);
    assert_eq!(code, 4);
    let rows = rows(&document);
    assert_eq!(rows.len(), FAULTS.len() + 2);
    for good in [&rows[0], &rows[rows.len() - 1]] {
        assert_eq!(good.1["status"], "ok", "{}", good.0);
        assert!(value(good.1, "cycles") > 1.0);
    }
    for ((name, _, kind, words, line), (_, row)) in FAULTS.iter().zip(&rows[1..]) {
        assert_eq!(row["status"], "fault", "{name}: {row:#}");
        let fault = &row["fault"];
        assert_eq!(fault["kind"], *kind, "{name}: {fault:#}");
        assert_eq!(fault["line"], *line, "{name}: {fault:#}");
        let message = fault["message"].as_str().expect("a message");
        assert!(message.contains(words), "{name}: {message}");
        assert!(
            row.get("metrics").is_none_or(|metrics| metrics.is_null()),
            "{name} has no numbers"
        );
    }
    let null = &rows[1].1["fault"];
    assert_eq!(null["address"], "0x18");
    assert_eq!(null["signal"], "SIGSEGV");
    assert_eq!(null["text"], "mov eax, [rcx + 0x18]");
    assert!(
        rows[2].1["fault"]["address"].is_null(),
        "the CPU gives no address for a non-canonical access"
    );
}

#[test]
fn an_endless_loop_is_stopped_and_its_line_named() {
    let folder = folder("endless");
    let file = template(
        &folder,
        "endless",
        &format!("{HEADER}body:\n mov eax, [rax]\n1:\n jmp 1b\n"),
    );
    let (code, document) = json(&["run", &file, "inline", "--quick", "--timeout", "0.5"]);
    assert_eq!(code, 4);
    let rows = rows(&document);
    assert_eq!(rows[0].1["status"], "timeout");
    assert_eq!(rows[0].1["fault"]["line"], 8);
    assert_eq!(rows[1].1["status"], "ok");
}

#[test]
fn a_wrong_result_is_never_a_number() {
    let folder = folder("wrong");
    let file = template(
        &folder,
        "wrong",
        &format!("{HEADER}body:\n mov eax, [rax]\n add eax, 1\n"),
    );
    let (code, document) = json(&["run", &file]);
    assert_eq!(code, 4);
    let (_, row) = rows(&document)[0];
    assert_eq!(row["status"], "wrong-result");
    assert_eq!(
        (row["expected"].as_str(), row["actual"].as_str()),
        (Some("0x1"), Some("0x2"))
    );
    assert!(row.get("metrics").is_none_or(|metrics| metrics.is_null()));
}

#[test]
fn a_result_that_goes_wrong_after_5000_iterations_is_noticed() {
    let folder = folder("late");
    let text = ";! result = \"eax\"\n;! expect = 7\nbody:\n mov eax, 7\n inc dword [\"n\"]\n cmp dword [\"n\"], 5000\n jb 1f\n mov eax, 8\n1:\ndata \"n\":\n dd 0\n";
    let (code, document) = json(&["run", &template(&folder, "late", text), "--quick"]);
    assert_eq!(code, 4);
    assert_eq!(rows(&document)[0].1["status"], "wrong-result");
}

/// A sum over the walk would not notice: the swapped constants add up to the same.
#[test]
fn two_swapped_cases_are_noticed() {
    let folder = folder("swapped");
    let text = ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n;! params = { targets = 2, order = \"cyclic\" }\n;! result = \"eax\"\n;! expect = \"id+type\"\nbody:\n mov rcx, [rax + 24]\n mov rax, rbx\n call rcx\nfunc \"main.(*T0).Id\":\n mov eax, [rax]\n add eax, 2\n ret\nfunc \"main.(*T1).Id\":\n mov eax, [rax]\n add eax, 1\n ret\n";
    let (code, document) = json(&["run", &template(&folder, "swapped", text), "--quick"]);
    assert_eq!(code, 4);
    let (_, row) = rows(&document)[0];
    assert_eq!(row["status"], "wrong-result");
    assert_eq!(row["element"], 0);
}

#[test]
fn a_process_that_ends_itself_is_a_row() {
    let folder = folder("exit");
    let file = template(
        &folder,
        "exits",
        &format!("{HEADER}body:\n mov edi, 0\n mov eax, 231\n syscall\n"),
    );
    let (code, document) = json(&["run", &file, "inline", "--quick"]);
    assert_eq!(code, 4);
    let rows = rows(&document);
    assert_eq!(rows[0].1["fault"]["kind"], "exit");
    assert_eq!(rows[1].1["status"], "ok");
}

#[test]
fn nil_receivers_panic_in_gos_own_words() {
    let (code, document) = json(&["run", "wrapper_call", "-p", "receiver=nil", "--quick"]);
    assert_eq!(code, 0, "the parameters ask for the panic");
    let (_, row) = rows(&document)[0];
    assert_eq!(row["status"], "panic");
    assert_eq!(
        row["panic"],
        "value method main.Adder.Add called using nil *Adder pointer"
    );
}

#[test]
fn the_names_in_the_panic_come_from_the_symbol() {
    let folder = folder("renamed");
    let shipped =
        std::fs::read_to_string("asm_templates/wrapper_call.asm").expect("the shipped template");
    let renamed = shipped
        .replace("Adder", "Counter")
        .replace(".Add\"", ".Count\"");
    let file = template(&folder, "renamed", &renamed);
    let (_, document) = json(&["run", &file, "-p", "receiver=nil", "--quick"]);
    let (_, row) = rows(&document)[0];
    assert_eq!(
        row["panic"],
        "value method main.Counter.Count called using nil *Counter pointer"
    );
}

#[test]
fn a_recursion_with_stack_checks_overflows_as_a_panic() {
    let folder = folder("overflow");
    let text = format!(
        ";! clobbers = \"all\"\n{HEADER}body:\n call \"main.f\"\nfunc \"main.f\":\n cmp rsp, [r14 + 16]\n jbe 1f\n call \"main.f\"\n ret\n1: call \"runtime.morestack_noctxt\"\n jmp \"main.f\"\n"
    );
    let (code, document) = json(&["run", &template(&folder, "overflow", &text), "--quick"]);
    assert_eq!(code, 4, "nothing asked for this panic");
    let (_, row) = rows(&document)[0];
    assert_eq!(
        (row["status"].as_str(), row["panic"].as_str()),
        (Some("panic"), Some("stack overflow"))
    );
}
