//! Templates that do everything wrong: each is a row with its reason and line, and the rows beside
//! it still have their numbers.

use crate::common::{self, dispatchlab, folder, json, rows, template, unfolded, value};
use dispatchlab::sys::filter;

const HEADER: &str = ";! heap = \"pointer\"\n;! params = { objects = 8, order = \"cyclic\" }\n;! result = \"eax\"\n;! expect = \"id\"\n";

/// Name, body (it begins on line 6), status, fault kind, words of the message, line.
#[rustfmt::skip] // a table: one template a line
const HOSTILE: &[(&str, &str, &str, &str, &str, u64)] = &[
    ("null_access",    " xor ecx, ecx\n mov eax, [rcx + 0x18]\n",                     "fault", "signal",  "nil pointer",       7),
    ("non_canonical",  " mov rcx, 0x8000000000000000\n mov eax, [rcx]\n",             "fault", "signal",  "non-canonical",     7),
    ("ud2",            " mov eax, [rax]\n ud2\n",                                     "fault", "signal",  "SIGILL",            7),
    ("int3",           " mov eax, [rax]\n int3\n",                                    "fault", "signal",  "SIGTRAP",           7),
    ("int_3",          " mov eax, [rax]\n int 3\n nop\n",                           "fault", "signal",  "SIGTRAP",           7),
    ("int_3_long",     " mov eax, [rax]\n db 0xcd, 3\n nop\n",                      "fault", "signal",  "SIGTRAP",           7),
    ("int_4",          " mov eax, [rax]\n int 4\n nop\n",                           "fault", "signal",  "at `int 4`",        7),
    ("int_5",          " mov eax, [rax]\n int 5\n nop\n",                           "fault", "signal",  "at `int 5`",        7),
    ("hlt",            " mov eax, [rax]\n hlt\n",                                     "fault", "signal",  "privileged",        7),
    ("port",           " mov eax, [rax]\n out 0x80, al\n",                            "fault", "signal",  "privileged",        7),
    ("division",       " xor edx, edx\n xor ebx, ebx\n div ebx\n",                    "fault", "signal",  "division by zero",  8),
    ("overflow",       " mov edx, 2\n mov ebx, 1\n div ebx\n",                        "fault", "signal",  "does not fit",      8),
    ("wild_ret",       " mov eax, [rax]\n push 0x1234\n ret\n",                       "fault", "signal",  "no code stands there, at `ret`", 8),
    ("wild_call",      " mov ecx, 0x1234\n call rcx\n",                               "fault", "signal",  "at `call rcx`",     7),
    ("wild_jump",      " mov ecx, 0x1234\n jmp rcx\n",                                "fault", "signal",  "at `jmp rcx`",      7),
    ("jump_into_data", " lea rcx, [\"d\"]\n jmp rcx\ndata \"d\":\n dq 0x9090909090909090\n", "fault", "signal", "at `jmp rcx`", 7),
    ("into_padding",   " call \"main.p\"\nfunc \"main.p\":\n nop\n",                  "fault", "signal",  "padding",           8),
    ("recursion",      " call \"main.f\"\nfunc \"main.f\":\n call \"main.f\"\n ret\n", "fault", "signal",  "stack is full",     8),
    ("no_stack",       " mov eax, [rax]\n xor esp, esp\n push rax\n",                 "fault", "signal",  "at `push rax`",     8),
    ("stack_smash",    " mov ecx, 8192\n mov rdi, rsp\n rep stosq\n",                 "fault", "signal",  "at `rep stosq`",    8),
    ("write_to_code",  " lea rcx, [\"main.g\"]\n mov byte [rcx], 1\nfunc \"main.g\":\n ret\n", "fault", "signal", "SIGSEGV",    7),
    ("write_to_loop",  " lea rcx, [rip]\n mov dword [rcx], 0\n",                      "fault", "signal",  "SIGSEGV",           7),
    ("clobbered_r12",  " mov r12d, 5\n mov eax, [rax]\n",                             "fault", "clobber", "r12",               6),
    ("clobbered_r13",  " mov eax, [rax]\n add r13, 1\n",                              "fault", "clobber", "r13",               7),
    ("one_iteration",  " mov eax, [rax]\n mov r15d, 1\n",                            "fault", "clobber", "r15",               7),
    ("clobbered_r15",  " mov eax, [rax]\n mov r15d, 5\n nop\n",                       "fault", "clobber", "r15",               7),
    ("gs_base",        " mov eax, [rax]\n wrgsbase rax\n",                            "fault", "clobber", "gs base",           7),
    ("clobbered_r14",  " mov r14d, 5\n mov eax, [rax]\n",                             "fault", "clobber", "r14",               6),
    ("fs_base",        " mov eax, [rax]\n mov rdx, rsp\n db 0xf3, 0x48, 0x0f, 0xae, 0xd2\n",  "fault", "clobber", "fs base",           8),
    ("trap_flag_off",  " mov eax, [rax]\n push 0x202\n popfq\n mov r13d, 7\n",        "fault", "clobber", "r13",               9),
    ("half_a_body",    " mov eax, [rax]\n db 0x3e\n",                                 "fault", "exit",    "does not end on an instruction", 7),
    ("unbalanced",     " mov eax, [rax]\n push rax\n",                                "fault", "stack",   "`push rax`",        7),
    ("popped",         " mov eax, [rax]\n pop rcx\n",                                 "fault", "stack",   "`pop rcx`",         7),
    ("other_stack",    " lea rsp, [rsp + 4096]\n mov eax, [rax]\n",                   "fault", "stack",   "rsp",               6),
    ("frame_smash",    " mov eax, [rax]\n mov [rsp + 1024], rax\n",                   "fault", "stack",   "above its 256",     7),
    ("direction_flag", " mov eax, [rax]\n std\n",                                     "fault", "flags",   "direction flag",    7),
    ("alignment_flag", " mov eax, [rax]\n pushfq\n or dword [rsp], 0x40000\n popfq\n", "fault", "flags",  "alignment check",   9),
    ("mxcsr",          " mov eax, [rax]\n push 0\n stmxcsr [rsp]\n xor dword [rsp], 0x8000\n ldmxcsr [rsp]\n pop rcx\n", "fault", "flags", "MXCSR", 10),
    ("getpid",         " mov eax, 39\n syscall\n",                                    "forbidden", "signal", "getpid",        7),
    ("exit",           " xor edi, edi\n mov eax, 60\n syscall\n",                     "forbidden", "signal", "exit",          8),
    ("exit_group",     " xor edi, edi\n mov eax, 231\n syscall\n",                    "forbidden", "signal", "exit_group",    8),
    ("fork",           " mov eax, 57\n syscall\n",                                    "forbidden", "signal", "fork",          7),
    ("clone",          " xor edi, edi\n mov eax, 56\n syscall\n",                     "forbidden", "signal", "clone",         8),
    ("kill_parent",    " mov edi, -1\n mov esi, 9\n mov eax, 62\n syscall\n",         "forbidden", "signal", "kill",          9),
    ("execve",         " mov eax, 59\n syscall\n",                                    "forbidden", "signal", "execve",        7),
    ("open",           " mov eax, 257\n syscall\n",                                   "forbidden", "signal", "openat",        7),
    ("forged_message", " mov edi, 1\n mov rsi, rsp\n mov edx, 1\n mov eax, 1\n syscall\n", "forbidden", "signal", "write",  10),
    ("ignored_signal", " mov edi, 31\n mov eax, 13\n syscall\n",                      "forbidden", "signal", "rt_sigaction",  8),
    ("executable",     " mov edx, 7\n mov eax, 10\n syscall\n",                       "forbidden", "signal", "mprotect",      8),
    ("unknown_number", " mov eax, 9999\n syscall\n",                                  "forbidden", "signal", "number 9999",   7),
    ("x32",            " mov eax, 0x40000027\n syscall\n",                            "forbidden", "signal", "getpid (x32)",  7),
    ("int_0x80",       " mov eax, 1\n int 0x80\n",                                    "forbidden", "signal", "exit (32-bit",  7),
    ("fork_32",        " mov eax, 2\n int 0x80\n",                                    "forbidden", "signal", "fork (32-bit",  7),
    ("sysenter",       " mov eax, 20\n sysenter\n",                                   "fault", "signal",  "",                  7),
];

#[test]
fn each_hostile_template_is_a_row_with_its_status_and_line_and_the_others_get_numbers() {
    let folder = folder("faults");
    let mut arguments = vec!["run".to_string(), "--quick".into(), "direct_call".into()];
    for (name, body, ..) in HOSTILE {
        arguments.push(template(&folder, name, &format!("{HEADER}body:\n{body}")));
    }
    arguments.push("itab_call".into());
    let (code, document) = json(&arguments);
    assert_eq!(code, 4);
    let rows = rows(&document);
    assert_eq!(rows.len(), HOSTILE.len() + 2);
    for good in [&rows[0], &rows[rows.len() - 1]] {
        assert_eq!(good.1["status"], "ok", "{}", good.0);
        assert!(value(good.1, "cycles") > 1.0);
    }
    for ((name, _, status, kind, words, line), (_, row)) in HOSTILE.iter().zip(&rows[1..]) {
        assert_eq!(row["status"], *status, "{name}: {row:#}");
        let fault = &row["fault"];
        let found = fault["kind"].as_str().unwrap_or("timeout");
        assert_eq!(found, *kind, "{name}: {fault:#}");
        assert_eq!(
            fault["line"].as_u64().unwrap_or(0),
            *line,
            "{name}: {fault:#}"
        );
        let message = fault["message"].as_str().expect("a message");
        assert!(message.contains(words), "{name}: {message}");
        assert_eq!(
            fault["call"].is_string(),
            *status == "forbidden",
            "{name}: {fault:#}"
        );
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

/// The same in the middle of timing, where nothing is stepped: the 5,000th iteration does it.
#[test]
fn late_hostility_is_named_too() {
    let folder = folder("late_faults");
    #[rustfmt::skip] // a table: one template a line
    let late = [
        ("late_null",   " mov eax, [rcx]\n",            "fault",     "at `mov eax, [rcx]`", 12),
        ("late_call",   " call rcx\n",                  "fault",     "at `call rcx`",       12),
        ("late_system", " mov eax, 39\n syscall\n",     "forbidden", "getpid",              13),
        ("late_int",    " mov eax, 20\n int 0x80\n",    "forbidden", "getpid (32-bit",      13),
        ("late_r15",    " xor r15d, r15d\n jmp 2f\n",   "fault",     "does not leave r15",  12),
        ("late_gs",     " wrgsbase rcx\n jmp 2f\n",     "fault",     "gs base",              0),
        ("late_std",    " std\n jmp 2f\n",              "fault",     "direction flag",       0),
    ];
    let mut arguments: Vec<String> = ["run", "--quick", "--timeout", "0.5", "inline"]
        .map(String::from)
        .into();
    for (name, body, ..) in late {
        let text = format!(
            "{HEADER}body:\n mov eax, [rax]\n inc dword [\"n\"]\n cmp dword [\"n\"], 5000\n jne 2f\n xor ecx, ecx\n mov edx, 0\n{body}2:\ndata \"n\":\n dd 0\n"
        );
        arguments.push(template(&folder, name, &text));
    }
    let (code, document) = json(&arguments);
    assert_eq!(code, 4);
    let rows = rows(&document);
    assert_eq!(rows[0].1["status"], "ok");
    for ((name, _, status, words, line), (_, row)) in late.iter().zip(&rows[1..]) {
        assert_eq!(row["status"], *status, "{name}: {row:#}");
        let fault = &row["fault"];
        let message = fault["message"].as_str().expect("a message");
        assert!(message.contains(words), "{name}: {message}");
        if *line > 0 {
            assert_eq!(fault["line"], *line, "{name}: {fault:#}");
        }
    }
}

/// Each does something that a neighbour in the same process would suffer from.
#[test]
fn what_a_row_leaves_behind_harms_no_other_row() {
    let folder = folder("neighbours");
    #[rustfmt::skip] // a table: one template a line
    let files = [
        ("full_x87",  " mov eax, [rax]\n fld1\n fld1\n fld1\n fld1\n",                    "ok"),
        ("uses_x87",  " mov ecx, [rax]\n sub rsp, 16\n mov [rsp], rcx\n fild qword [rsp]\n fistp qword [rsp]\n mov eax, [rsp]\n add rsp, 16\n", "ok"),
        ("wild",      " mov eax, [rax]\n lea rcx, [\"d\"]\n and rcx, -4096\n add rcx, 0x6000\n mov edx, 512\n1: mov dword [rcx + rdx * 8], 0x41414141\n dec edx\n jnz 1b\ndata \"d\":\n dd 0\n", "fault"),
    ];
    let mut arguments: Vec<String> = ["run", "--quick", "--counters", "none"]
        .map(String::from)
        .into();
    for (name, body, _) in files {
        arguments.push(template(&folder, name, &format!("{HEADER}body:\n{body}")));
    }
    arguments.extend(["direct_call", "itab_call", "wrapper_call"].map(String::from));
    let (_, document) = json(&arguments);
    let rows = rows(&document);
    for ((name, _, status), (_, row)) in files.iter().zip(&rows) {
        assert_eq!(row["status"], *status, "{name}: {row:#}");
    }
    for (name, row) in &rows[files.len()..] {
        assert_eq!(row["status"], "ok", "{name}: {row:#}");
    }
}

/// The one way to the worker's output that the filter leaves open: the parent notices.
#[test]
fn what_generated_code_writes_into_the_workers_output_is_no_message() {
    let forged = "tests/fixtures/forged_output.asm";
    let arguments = [
        "run",
        "--counters",
        "none",
        "direct_call",
        forged,
        "itab_call",
    ];
    let (code, document) = json(&arguments);
    assert_eq!(code, 4);
    let rows = rows(&document);
    let of = |at: usize| rows[at].1["status"].as_str();
    assert_eq!(
        (of(0), of(1), of(2)),
        (Some("ok"), Some("fault"), Some("ok")),
        "{document:#}"
    );
}

/// As many steps as the log has room for, and a few more or less: two iterations and the harness around
/// them are 1000 steps at some number of turns near 235.
#[test]
fn a_body_that_just_fills_the_step_log_is_as_good_as_any() {
    let folder = folder("budget");
    let saved = folder.join("saved.json").display().to_string();
    // The whole walk is not what this is about, and takes a debug build long.
    let short = ["run", "--counters", "none", "--quick", "--placements", "1"];
    let mut arguments: Vec<String> = short.map(String::from).into();
    for turns in 220..250 {
        let body = format!(" mov eax, [rax]\n mov ecx, {turns}\n1: dec ecx\n jnz 1b\n");
        let text = format!(
            ";! heap = \"pointer\"\n;! result = \"eax\"\n;! expect = \"id\"\nbody:\n{body}"
        );
        arguments.push(template(&folder, &format!("turns_{turns}"), &text));
    }
    arguments.extend(["--save-job".to_string(), saved.clone()]);
    assert_eq!(json(&arguments).0, 0);
    let text = std::fs::read_to_string(&saved).expect("the job is saved");
    let mut job: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    job["plan"]["step_budget"] = 1000.into();
    std::fs::write(&saved, job.to_string()).expect("writes");
    let (code, document) = json(&["run", "--job", &saved]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(rows(&document).len(), 30);
}

/// The stamps that numbers are made of are in the worker's own frames; what a template can reach by the
/// registers that it is given has none.
#[test]
fn no_time_stamp_lies_in_the_memory_that_a_template_is_given() {
    let folder = folder("stamps");
    // As many words behind each pointer, and how many of them have the high half of a stamp of today.
    let search = |start: &str, words: u32, label: u32| {
        format!(
            " lea rdi, [{start}]\n mov ecx, {words}\n{label}: cmp [rdi + 4], edx\n sete sil\n \
             movzx esi, sil\n add eax, esi\n add rdi, 8\n dec ecx\n jnz {label}b\n"
        )
    };
    let (context, frames) = (search("r14 - 512", 64, 1), search("rsp", 128, 2));
    let body = format!("body:\n rdtsc\n xor eax, eax\n{context}{frames}");
    let header =
        ";! heap = \"pointer\"\n;! result = \"eax\"\n;! expect = 0\n;! clobbers = \"all\"\n";
    let file = template(&folder, "search", &format!("{header}{body}"));
    let (code, document) = json(&["run", "--quick", &file]);
    assert_eq!(code, 0, "{document:#}");
    let planted = body.replacen(
        " xor eax",
        " mov [r14 - 480], edx\n mov [r14 - 476], edx\n xor eax",
        1,
    );
    let file = template(&folder, "planted", &format!("{header}{planted}"));
    let (code, document) = json(&["run", "--quick", &file]);
    let status = &rows(&document)[0].1["status"];
    assert_eq!((code, status), (4, &"wrong-result".into()), "{document:#}");
}

/// The setup runs in each entry, and must leave alone what the body must.
#[test]
fn what_a_setup_damages_is_named_at_its_line() {
    let folder = folder("setups");
    #[rustfmt::skip] // a table: one template a line
    let setups = [
        ("setup_rsp",    " xor ecx, ecx\n push rcx\n",                                "stack",   "rsp",                 7),
        ("setup_wild",   " xor ecx, ecx\n xor esp, esp\n",                            "stack",   "rsp",                 7),
        ("setup_r12",    " nop\n mov r12d, 5\n",                                      "clobber", "r12",                 7),
        ("setup_r15",    " mov r15d, 1\n",                                            "clobber", "r15",                 6),
        ("setup_std",    " nop\n std\n",                                              "flags",   "direction flag",      7),
        ("setup_ac",     " pushfq\n or dword [rsp], 0x40000\n popfq\n",               "flags",   "alignment check",     8),
        ("setup_mxcsr",  " push 0x9f80\n ldmxcsr [rsp]\n pop rcx\n",                  "flags",   "MXCSR",               7),
        ("setup_canary", " mov [rsp + 1024], rax\n mov qword [rsp + 1032], 5\n",      "stack",   "above its 256 bytes", 7),
    ];
    let mut arguments: Vec<String> = ["run", "--quick", "--counters", "none"]
        .map(String::from)
        .into();
    for (name, setup, ..) in setups {
        let text = format!("{HEADER}setup:\n{setup}body:\n mov eax, [rax]\n");
        arguments.push(template(&folder, name, &text));
    }
    let (code, document) = json(&arguments);
    assert_eq!(code, 4);
    for ((name, _, kind, words, line), (_, row)) in setups.iter().zip(rows(&document)) {
        let fault = &row["fault"];
        assert_eq!(fault["kind"], *kind, "{name}: {row:#}");
        assert_eq!(fault["line"], *line, "{name}: {fault:#}");
        let message = fault["message"].as_str().expect("a message");
        assert!(
            message.starts_with("the setup") && message.contains(words),
            "{name}: {message}"
        );
    }
}

/// Where the kernel refuses a filter, as some containers' do, the run goes on and says so.
#[test]
fn a_kernel_that_refuses_the_filter_is_told_of_in_a_warning() {
    let run = std::thread::spawn(|| {
        // What is installed holds for this thread and what it starts.
        filter::install(&refusing(libc::SYS_seccomp, libc::EINVAL))
            .expect("this kernel has filters");
        json(&["run", "direct_call", "--counters", "none"])
    });
    let (code, document) = run.join().expect("it ran");
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(rows(&document)[0].1["status"], "ok");
    let warnings = document["warnings"].to_string();
    assert!(
        warnings.contains("Invalid argument"),
        "the kernel's reason is told: {warnings}"
    );
}

/// A filter that answers one system call with an errno, and allows all others.
fn refusing(call: i64, errno: i32) -> [libc::sock_filter; 4] {
    let one = |code: u32, k: u32, jf: u8| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    [
        one(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        one(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32, 1),
        one(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | errno as u32,
            0,
        ),
        one(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ]
}

#[test]
fn a_far_transfer_is_refused_by_its_name_where_it_would_run_and_shown_where_not() {
    let folder = folder("far");
    let rows_of = |name: &str, body: &str| {
        let file = template(&folder, name, &format!("{HEADER}body:\n{body}"));
        let (code, document) = json(&["run", &file, "inline", "--quick", "--counters", "none"]);
        let rows: Vec<serde_json::Value> = rows(&document)
            .iter()
            .map(|(_, row)| (*row).clone())
            .collect();
        assert_eq!(rows[1]["status"], "ok", "{name}: {document:#}");
        (file, code, rows[0].clone())
    };
    #[rustfmt::skip] // a table: one template a line
    let far = [
        ("far_jump",   " mov eax, [rax]\n jmp fword ptr [rsp]\n",                       "jmp dword far", 7),
        ("far_return", " mov eax, [rax]\n retfq\n",                                     "retf",    7),
        ("far_bytes",  " mov eax, [rax]\n db 0xff, 0x1c, 0x24\n",                       "call dword far", 7),
        ("far_callee", " call \"main.f\"\nfunc \"main.f\":\n je 1f\n ret\n1: retf\n", "retf",    10),
    ];
    for (name, body, named, line) in far {
        let (file, code, row) = rows_of(name, body);
        assert_eq!(
            (code, row["status"].as_str()),
            (3, Some("error")),
            "{name}: {row:#}"
        );
        let told = &row["diagnostics"][0];
        let message = told["message"].as_str().unwrap_or_default();
        assert!(
            message.contains(named) && message.contains("far transfer"),
            "{name}: {message}"
        );
        assert_eq!(told["line"], line, "{name}");
        let shown = dispatchlab(&["show", &file]);
        assert_eq!(shown.code, 0, "{name}: {}", shown.said());
    }
    // The same byte where no way leads to it is data.
    let (_, code, row) = rows_of("no_far", " mov eax, [rax]\n jmp 1f\n db 0xcb\n1:\n");
    assert_eq!((code, row["status"].as_str()), (0, Some("ok")), "{row:#}");
}

#[test]
fn an_endless_loop_is_stopped_and_its_line_named() {
    let folder = folder("endless");
    let file = template(
        &folder,
        "endless",
        &format!("{HEADER}body:\n mov eax, [rax]\n1:\n jmp 1b\n"),
    );
    let (code, document) = json(&["run", &file, "inline", "--quick", "--timeout", "3"]);
    assert_eq!(code, 4);
    let rows = rows(&document);
    assert_eq!(rows[0].1["status"], "timeout");
    assert_eq!(rows[0].1["fault"].get("kind"), None);
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
    let (_, row) = rows(&document)[0];
    assert_eq!(row["status"], "wrong-result");
    // What is compared then is a sum, and no element.
    let iterations = row["summed"].as_u64().expect("a number");
    assert!(iterations > 1, "{row:#}");
    let number = |field: &str| {
        let text = row[field].as_str().expect("hexadecimal");
        u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal")
    };
    assert_eq!(number("expected"), 7 * iterations, "{row:#}");
    let run = common::dispatchlab(&["run", &template(&folder, "late", text), "--quick"]);
    let said = unfolded(&run.stdout);
    assert!(
        said.contains("iterations from element") && said.contains("add up to"),
        "{said}"
    );
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

const NIL: &str = "runtime error: invalid memory address or nil pointer dereference";

#[test]
fn an_access_through_a_nil_pointer_is_the_panic_that_go_makes_of_it() {
    #[rustfmt::skip] // a table: scenario, and its instructions and branches where it recovers
    let rows_of = [
        // call | mov, and sigpanic's mov mov mov mov jmp
        ("direct_call[receiver=nil,recover=true]",            7.0, 2.0),
        // mov, in front of the call that never comes
        ("value_method[receiver=nil,recover=true]",           6.0, 1.0),
        // the load from the itab that is not there, at 24
        ("itab_call[receiver=nil_interface,recover=true]",    6.0, 1.0),
        // the load of a code pointer
        ("closure[receiver=nil,recover=true]",                6.0, 1.0),
        ("ptr_method[go=1.10,receiver=nil,recover=true]",     9.0, 2.0),
    ];
    let names = rows_of.map(|(name, ..)| name);
    let (code, document) = json(&[&["run", "--quick", "--placements", "2"][..], &names].concat());
    assert_eq!(code, 0, "{document:#}");
    for ((name, instructions, branches), (_, row)) in rows_of.iter().zip(rows(&document)) {
        assert_eq!(
            (&row["status"], &row["panic"]),
            (&"panic".into(), &NIL.into()),
            "{name}: {row:#}"
        );
        let of = |metric: &str| row["metrics"][metric]["value"].as_f64();
        assert_eq!(of("instructions"), Some(*instructions), "{name}");
        assert_eq!(of("branches"), Some(*branches), "{name}");
        assert!(
            of("cycles").is_none_or(|cycles| cycles > 100.0),
            "the way through the kernel: {row:#}"
        );
        let runs = row["modelled_runtime"].to_string();
        assert!(runs.contains("sigpanic"), "{name}: {runs}");
    }
}

#[test]
fn a_nil_interface_is_a_case_like_any_other_for_a_switch_and_for_an_assertion() {
    let asked = [
        ("type_switch[receiver=nil_interface]", "ok"),
        (
            "type_switch[cases=8,receiver=nil_interface,strategy=go]",
            "ok",
        ),
        ("assert_eface[form=hit-ok,receiver=nil_interface]", "ok"),
        ("assert_eface[receiver=nil_interface]", "panic"),
        ("itab_call[receiver=nil_interface]", "panic"),
    ];
    let names = asked.map(|(name, _)| name);
    let (code, document) = json(&[&["run", "--counters", "none"][..], &names].concat());
    assert_eq!(code, 0, "{document:#}");
    for ((name, status), (_, row)) in asked.iter().zip(rows(&document)) {
        assert_eq!(row["status"], *status, "{name}: {row:#}");
    }
    let run = dispatchlab(&["run", "direct_call", "-p", "receiver=nil_interface"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.said().contains("is no interface"), "{}", run.stderr);
}

/// Below a page it is nil and a field behind it; above, Go dies, too.
#[test]
fn what_is_no_nil_pointer_is_a_fault_also_where_nil_was_asked_for() {
    let folder = folder("no_nil");
    let of = |name: &str, body: &str| template(&folder, name, &format!("{HEADER}body:\n{body}"));
    #[rustfmt::skip] // a table: one template a line
    let files = [
        (of("last",   " mov ecx, 4092\n mov eax, [rcx]\n"), "panic"),
        (of("behind", " mov ecx, 4096\n mov eax, [rcx]\n"), "fault"),
        (of("called", " xor ecx, ecx\n call rcx\n"),        "panic"),
        (of("stored", " xor ecx, ecx\n mov [rcx], eax\n"),  "panic"),
    ];
    let mut arguments = vec!["run", "--counters", "none", "-p", "receiver=nil"];
    arguments.extend(files.iter().map(|(name, _)| name.as_str()));
    let (_, document) = json(&arguments);
    for ((name, status), (_, row)) in files.iter().zip(rows(&document)) {
        assert_eq!(row["status"], *status, "{name}: {row:#}");
        assert!(*status == "fault" || row["panic"] == NIL, "{name}: {row:#}");
    }
    // Who asks for no panic is told where his template went wrong.
    let (_, document) = json(&["run", "--counters", "none", &files[0].0]);
    assert_eq!(rows(&document)[0].1["status"], "fault");
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
