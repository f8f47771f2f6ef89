//! What a row that went wrong is called, and who is to blame: the instruction, the tool, or somebody outside.
//!
//! Correct means: a fault has its line alone and beside other rows, the tool's own work is no endless loop,
//! and what others do to the worker is no fault of the template.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{self, dispatchlab, folder, json, rows, template};
use serde_json::Value;

const HEADER: &str = ";! heap = \"pointer\"\n;! params = { order = \"cyclic\", objects = 4 }\n;! result = \"eax\"\n;! expect = \"id\"\n;! clobbers = \"all\"\n";
/// A row with nothing wrong.
const GOOD: &str = "body: mov eax, [rax]\n";

/// A body that does `what` in its iteration `number` and no other; `what` begins on line 10.
fn late(number: u32, what: &str) -> String {
    late_beside(HEADER, number, what, "")
}

/// The same with further sections, and a header of five lines.
fn late_beside(header: &str, number: u32, what: &str, more: &str) -> String {
    format!(
        "{header}body: lea rcx, [\"count\"]\n inc dword [rcx]\n cmp dword [rcx], {number}\n jne fine\n{what}fine: mov eax, [rax]\n{more}data \"count\": dd 0\n"
    )
}

/// [`HEADER`] with the harness's state in registers.
fn in_registers() -> String {
    HEADER.replace(";! clobbers = \"all\"", ";! title = \"state in registers\"")
}

/// Name, text behind the header (its body begins on line 6), status, kind, words of the message, line.
#[rustfmt::skip] // a table: one template a line
const CALLED_WHAT_THEY_ARE: &[(&str, &str, &str, &str, u64)] = &[
    ("int1",            "body: mov eax, [rax]\n db 0xf1\n",                                             "signal", "`icebp`",                 7),
    ("int1_first",      "body:\n db 0xf1\n mov eax, [rax]\n",                                           "signal", "`icebp`",                 7),
    ("int3",            "body: mov eax, [rax]\n int3\n",                                                "signal", "a breakpoint",            7),
    ("trap_flag",       "body: mov eax, [rax]\n pushfq\n or dword [rsp], 0x100\n popfq\n nop\n nop\n",     "flags",  "the trap flag",           9),
    ("trap_flag_16",    "body: mov eax, [rax]\n pushf\n or dword [rsp], 0x100\n db 0x66, 0x9d\n nop\n add rsp, 6\n", "flags", "the trap flag",        9),
    ("trap_flag_setup", "setup:\n pushfq\n or dword [rsp], 0x100\n popfq\n nop\nbody: mov eax, [rax]\n",      "flags",  "the setup does not leave the trap flag", 9),
    ("half_rex",        "body: mov eax, [rax]\n db 0x48\n",                                             "exit",   "does not end on an instruction", 7),
    ("half_call",       "body: mov eax, [rax]\n db 0xe8\n",                                             "signal", "lacks bytes",             7),
    ("half_store",      "body: mov eax, [rax]\n db 0xc7\n",                                             "signal", "lacks bytes",             7),
    ("half_function",   "body: call \"main.f\"\nfunc \"main.f\":\n mov eax, [rax]\n db 0xc7\n",            "signal", "lacks bytes",             9),
    ("half_move",       "body: call \"main.f\"\nfunc \"main.f\":\n mov eax, [rax]\n db 0x48, 0x8b\n",      "signal", "lacks bytes",             9),
    ("half_prefix",     "body: call \"main.f\"\nfunc \"main.f\":\n mov eax, [rax]\n db 0x48\n",            "signal", "lacks bytes",             9),
    ("half_escape",     "body: call \"main.f\"\nfunc \"main.f\":\n mov eax, [rax]\n db 0x0f\n",            "signal", "lacks bytes",             9),
    ("alignment",       "body: mov eax, [rax]\n pushfq\n or dword [rsp], 0x40000\n popfq\n mov edx, [rsp+1]\n", "signal", "the alignment check flag was set, at `popf", 9),
    ("movaps",          "body: mov eax, [rax]\n movaps xmm0, [rsp+8]\n",                                  "signal", "8: the address is not a multiple of 16, at `movaps", 7),
    ("paddd",           "body: mov eax, [rax]\n paddd xmm0, [rsp+4]\n",                                   "signal", "4: the address is not a multiple of 16", 7),
    ("cmpxchg16b",      "body: mov eax, [rax]\n cmpxchg16b [rsp+8]\n",                                    "signal", "is not a multiple of 16", 7),
    ("non_canonical",   "body: mov eax, [rax]\n mov rcx, 0x8000000000000008\n movaps xmm0, [rcx]\n",      "signal", "a non-canonical address", 8),
    ("privileged",      "body: mov eax, [rax]\n hlt\n",                                                   "signal", "a privileged instruction", 7),
    ("falls_through",   "body: call \"main.p\"\nfunc \"main.p\":\n nop\n",                              "signal", "the padding between functions, at `nop`", 8),
    ("into_padding",    "body: lea rcx, [\"main.p\"]\n inc rcx\n jmp rcx\nfunc \"main.p\":\n ret\n",      "signal", "the padding between functions, at `jmp rcx`", 8),
    ("writes_code",     "body: lea rcx, [\"main.g\"]\n mov byte [rcx], 1\nfunc \"main.g\":\n ret\n",      "signal", "code is read-only",       7),
    ("writes_loop",     "body: lea rcx, [rip]\n mov dword [rcx], 0\n",                                  "signal", "what changes is data",    7),
    ("runs_data",       "body: lea rcx, [\"d\"]\n jmp rcx\ndata \"d\": dq 0x9090909090909090\n",        "signal", "data cannot be run",      7),
];

#[test]
fn a_fault_is_called_what_it_is_at_the_line_that_did_it() {
    let folder = folder("called");
    let mut arguments: Vec<String> = ["run", "--quick"].map(String::from).into();
    for (name, text, ..) in CALLED_WHAT_THEY_ARE {
        arguments.push(template(&folder, name, &format!("{HEADER}{text}")));
    }
    let (code, document) = json(&arguments);
    assert_eq!(code, 4);
    for ((name, _, kind, words, line), (_, row)) in CALLED_WHAT_THEY_ARE.iter().zip(rows(&document))
    {
        let fault = &row["fault"];
        assert_eq!(
            (&row["status"], &fault["kind"]),
            (&"fault".into(), &(*kind).into()),
            "{name}: {row:#}"
        );
        let message = fault["message"].as_str().expect("a message");
        assert!(message.contains(words), "{name}: {message}");
        assert_eq!(fault["line"], *line, "{name}: {fault:#}");
    }
}

/// What happens in the middle of timing, where nothing is stepped.
#[test]
fn what_happens_late_has_its_line_in_either_order_and_beside_other_rows() {
    let folder = folder("late");
    let good = template(&folder, "good", &format!("{HEADER}{GOOD}"));
    #[rustfmt::skip] // a table: one template a line
    let all = [
        ("crash",     " ud2\n",                                                   "fault",     "SIGILL",                  10),
        ("call",      " mov eax, 39\n syscall\n",                                 "forbidden", "getpid",                  11),
        ("hang",      "1: jmp 1b\n",                                              "timeout",   "an endless loop?",        10),
        ("icebp",     " nop\n db 0xf1\n",                                         "fault",     "`icebp`",                 11),
        ("trap_flag", " pushfq\n or dword [rsp], 0x100\n popfq\n nop\n nop\n",    "fault",     "the trap flag was set",   12),
        ("code",      " lea rcx, [rip]\n mov [rcx], ecx\n",                       "fault",     "code is read-only",       11),
    ];
    for (name, what, status, words, line) in all {
        let file = template(&folder, name, &late(200_000, what));
        for order in [[&file, &good], [&good, &file]] {
            let [one, other] = order;
            let (code, document) = json(&["run", one, other, "--quick", "--timeout", "0.4"]);
            assert_eq!(code, 4, "{name}");
            for (scenario, row) in rows(&document) {
                if scenario.ends_with("good") {
                    assert_eq!(row["status"], "ok", "{name}: {row:#}");
                    continue;
                }
                assert_eq!(row["status"], status, "{name}: {row:#}");
                let fault = &row["fault"];
                assert!(
                    fault["message"]
                        .as_str()
                        .is_some_and(|text| text.contains(words)),
                    "{fault:#}"
                );
                assert_eq!(fault["line"], line, "{name}: {fault:#}");
            }
        }
    }
}

/// What goes wrong once timing has begun: name, what the body does in one iteration, further sections, words of the
/// message, line.
type Late = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<u64>,
);

/// Runs each of them, all with one header, and holds kind, words and lines against the reports.
fn assert_late(name: &str, header: &str, kind: &str, all: &[Late]) {
    let folder = folder(name);
    let mut arguments: Vec<String> = ["run", "--quick", "--placements", "1", "--timeout", "0.5"]
        .map(String::from)
        .into();
    for (name, what, more, ..) in all {
        let text = late_beside(header, 1_000_000, what, more);
        arguments.push(template(&folder, name, &text));
    }
    let (_, document) = json(&arguments);
    for ((name, _, _, words, line), (_, row)) in all.iter().zip(rows(&document)) {
        let fault = &row["fault"];
        assert_eq!(
            (&row["status"], &fault["kind"]),
            (&"fault".into(), &kind.into()),
            "{name}: {row:#}"
        );
        let message = fault["message"].as_str().expect("a message");
        assert!(message.contains(words), "{name}: {message}");
        assert_eq!(fault["line"].as_u64(), *line, "{name}: {fault:#}");
    }
}

const PADDING: &str = "a jump into the padding between functions";
/// A function that does not return, so that there is one `ret` at the most.
const FUNCTION: &str = "func \"main.f\":\n jmp rdx\n";

#[test]
fn who_led_to_nowhere_late_is_named_by_what_held_its_target() {
    #[rustfmt::skip] // a table: one template a line
    let all = [
        ("ret",          " mov edx, 0x1234\n push rdx\n ret\n",                         "", "at `ret`", Some(12)),
        ("ret_drops",    " mov edx, 0x1234\n push rdx\n ret 16\n",                      "", "at `ret 0x10`", Some(12)),
        ("ret_padding",  " lea rdx, [\"main.f\"]\n add rdx, 4\n push rdx\n mov edx, 0\n ret\n", FUNCTION, PADDING, Some(14)),
        ("ret_of_two",   " mov edx, 0x1234\n push rdx\n ret\n",                         "func \"main.g\":\n ret\n", "by a jump in one of the lines 12 and 15", None),
        ("jump",         " mov edx, 0x1234\n jmp rdx\n",                                "", "at `jmp rdx`", Some(11)),
        ("call",         " mov edx, 0x1234\n call rdx\n",                               "", "at `call rdx`", Some(11)),
        ("call_nil",     " xor edx, edx\n call rdx\n",                                   "func \"main.g\":\n ret\n", "at `call rdx`", Some(11)),
        ("call_memory",  " call [\"p\"]\n",                                             "data \"p\": dq 0x1234\n", "SIGSEGV at address 0x1234: no code stands there, at `call", Some(10)),
        ("call_padding", " lea rdx, [\"main.f\"]\n add rdx, 4\n mov [\"p\"], rdx\n call [\"p\"]\n", "func \"main.f\":\n jmp rcx\ndata \"p\": dq 0\n", PADDING, Some(13)),
        ("call_stack",   " mov qword [rsp+8], 0x1234\n call [rsp+8]\n",                  "", "at `call", Some(11)),
        ("jump_memory",  " jmp [\"p\"]\n",                                              "data \"p\": dq 0x1234\n", "SIGSEGV at address 0x1234: no code stands there, at `jmp", Some(10)),
        ("jump_padding", " lea rdx, [\"main.f\"]\n add rdx, 4\n mov [\"p\"], rdx\n jmp [\"p\"]\n", "func \"main.f\":\n jmp rcx\ndata \"p\": dq 0\n", PADDING, Some(13)),
        // The other one's word is another.
        ("jump_of_two",  " jmp [\"p\"]\n jmp [\"q\"]\n",                               "data \"p\": dq 0x1234\ndata \"q\": dq 0x5678\n", "at `jmp", Some(10)),
        ("jump_second",  " test ecx, ecx\n jnz 1f\n jmp [\"q\"]\n1: jmp [\"p\"]\n",    "data \"p\": dq 0x1234\ndata \"q\": dq 0x5678\n", "at `jmp", Some(13)),
        // The ninth of the words that hold it is not known, nor that of the other.
        ("jump_unknown", " jmp [\"p\" + 64]\n jmp [\"q\"]\n",                          "data \"p\": times 9 dq 0x1234\ndata \"q\": dq 0x5678\n", "by a jump in one of the lines 10 and 11", None),
        ("jump_table",   " lea rdx, [\"p\"]\n mov esi, 2\n jmp [rdx+rsi*8]\n",          "data \"p\": dq 1, 2, 0x1234\n", "at `jmp", Some(12)),
        ("middle",       " lea rdx, [\"main.f\"]\n inc rdx\n jmp rdx\n",                  "func \"main.f\":\n mov eax, 0xcccccccc\n jmp rcx\n", "a jump into the middle of an instruction, whose rest is another one, at `jmp rdx`", Some(12)),
        ("falls_off",    " jmp \"main.g\"\n",                                           "func \"main.g\":\n nop\n", PADDING, Some(13)),
        ("lacks_bytes",  " jmp \"main.g\"\n",                                           "func \"main.g\":\n db 0x48, 0x8b\n", "lacks bytes, and took them from what stands behind it, at `db 0x48`", Some(13)),
        ("lacks_one",    " jmp \"main.g\"\n",                                           "func \"main.g\":\n nop\n db 0x48\n", "lacks bytes", Some(14)),
    ];
    assert_late("late_nowhere", HEADER, "signal", &all);
}

#[test]
fn a_push_that_is_late_and_has_no_pop_is_called_so() {
    let words = "; rsp is 8 bytes below where an iteration must leave it: every push wants its pop";
    assert_late(
        "late_push",
        HEADER,
        "signal",
        &[("push", " push rcx\n", "", words, None)],
    );
}

#[test]
fn what_reaches_above_the_bodys_bytes_late_is_noticed_in_every_slot() {
    #[rustfmt::skip] // a table: one template a line
    let by_its_code = [
        ("just_above", " mov [rsp+256], rcx\n",                 "", "can write to [rsp+256], above its 256 bytes", Some(10)),
        ("across",     " mov [rsp+249], rcx\n",                 "", "[rsp+256]", Some(10)),
        ("state",      " mov [rsp+600], rcx\n",                 "", "[rsp+600]", Some(10)),
        ("guard",      " mov [rsp+1000], rcx\n",                "", "[rsp+1000]", Some(10)),
        ("carried",    " mov [rsp+2048], rcx\n",                "", "[rsp+2048]", Some(10)),
        ("pushed",     " push rcx\n mov [rsp+264], rcx\n pop rcx\n", "", "[rsp+256]", Some(11)),
        ("moved",      " sub rsp, 32\n mov [rsp+288], rcx\n add rsp, 32\n", "", "[rsp+256]", Some(11)),
        ("called",     " call \"main.f\"\n",                    "func \"main.f\":\n mov [rsp+264], rcx\n ret\n", "[rsp+256]", Some(13)),
    ];
    #[rustfmt::skip] // a table: one template a line
    let by_guards = [
        ("far",        " lea rdx, [rsp+800]\n mov [rdx], rcx\n",  "", "the memory above its 256 bytes", None),
        ("farther",    " lea rdx, [rsp+3700]\n mov [rdx], rcx\n", "", "the memory above its 256 bytes", None),
        ("vectors",    " lea rdx, [rsp+2048]\n mov [rdx], rcx\n", "", "the memory above its 256 bytes", None),
        ("string",     " mov rdi, rsp\n mov rdx, rax\n mov ecx, 600\n mov eax, 0x5a\n rep stosb\n mov rax, rdx\n", "", "the memory above its 256 bytes", None),
    ];
    for (name, header) in [("turns", HEADER.to_string()), ("registers", in_registers())] {
        assert_late(&format!("late_code_{name}"), &header, "stack", &by_its_code);
        assert_late(&format!("late_guards_{name}"), &header, "stack", &by_guards);
    }
    // Where no frames take turns, the byte is known.
    #[rustfmt::skip] // a table: one template a line
    let known = [
        ("near",       " lea rdx, [rsp+256]\n mov [rdx], cl\n",   "", "at [rsp+256]", None),
        ("nearer",     " lea rdx, [rsp+440]\n mov [rdx], rcx\n",  "", "at [rsp+440]", None),
        ("last",       " lea rdx, [rsp+1144]\n mov [rdx], rcx\n", "", "at [rsp+1144]", None),
    ];
    assert_late("late_known", &in_registers(), "stack", &known);
}

#[test]
fn what_stays_within_the_bodys_bytes_is_fine() {
    let folder = folder("within");
    let all = [
        ("last", " mov [rsp+248], rcx\n"),
        ("pushed", " push rcx\n mov [rsp+256], rcx\n pop rcx\n"),
        ("called", " call \"main.f\"\n"),
        ("read", " mov edx, [rsp+256]\n"),
    ];
    for (name, what) in all {
        let more = "func \"main.f\":\n mov [rsp+256], rcx\n ret\n";
        for (state, header) in [("turns", HEADER.to_string()), ("registers", in_registers())] {
            let text = late_beside(&header, 100_000, what, more);
            let file = template(&folder, &format!("{name}_{state}"), &text);
            let (code, document) = json(&["run", &file, "--quick", "--placements", "1"]);
            assert_eq!(code, 0, "{name}, {state}: {document:#}");
        }
    }
}

#[test]
fn a_register_of_the_harness_that_is_written_late_is_named() {
    #[rustfmt::skip] // a table: one template a line
    let all = [
        ("r12",      " mov r12d, 5\n",                "", "does not leave r12 as it was, at `mov r12d, 5`", Some(10)),
        ("r13",      " mov r13d, 5\n",                "", "does not leave r13 as it was", Some(10)),
        ("r15",      " mov r15d, 5\n",                "", "does not leave r15 as it was", Some(10)),
        ("r15_long", " mov r15, -1\n",                "", "does not leave r15 as it was", Some(10)),
        ("called",   " call \"main.f\"\n",            "func \"main.f\":\n inc r13\n ret\n", "does not leave r13 as it was", Some(13)),
    ];
    assert_late("late_registers", &in_registers(), "clobber", &all);
    // One that is put back is not to blame for a wrong result.
    let more = "func \"main.f\":\n push r13\n mov r13d, 5\n pop r13\n ret\n";
    let what = " call \"main.f\"\n mov edx, 7\n mov [rax], edx\n";
    let text = late_beside(&in_registers(), 1_000_000, what, more);
    let file = template(&folder("late_put_back"), "put_back", &text);
    let (_, document) = json(&["run", &file, "--quick", "--placements", "1"]);
    assert_eq!(
        rows(&document)[0].1["status"],
        "wrong-result",
        "{document:#}"
    );
}

/// A body of so many instructions of one byte, and one load.
fn nops(count: u32) -> String {
    format!(
        "{HEADER};! expand = true\nbody:\n{{% for i in range({count}) %}}\n nop\n{{% endfor %}}\n mov eax, [rax]\n"
    )
}

#[test]
fn the_tools_own_work_is_no_endless_loop() {
    let folder = folder("own_work");
    let steps = template(&folder, "steps", &nops(200_000));
    let (code, document) = json(&[
        "run",
        &steps,
        "--quick",
        "--timeout",
        "0.1",
        "--placements",
        "1",
    ]);
    assert_eq!(code, 0, "{document:#}");
    // Two thirds of a second are interpreted, or more where the interpreter is slow.
    let text = format!("{HEADER}body: mov ecx, 20000000\n1: dec ecx\n jnz 1b\n mov eax, [rax]\n");
    let turns = template(&folder, "turns", &text);
    let (code, document) = json(&[
        "run",
        &turns,
        "--quick",
        "--timeout",
        "0.1",
        "--placements",
        "1",
    ]);
    assert_eq!(code, 0, "{document:#}");
    let instructions = &rows(&document)[0].1["metrics"]["instructions"];
    assert_eq!(instructions["value"], 40_000_002.0, "{instructions:#}");
}

/// Ends what it started, whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn started(arguments: &[&str], folder: &Path) -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(arguments)
        .arg("--json")
        .env("XDG_STATE_HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Running(child.expect("it starts"))
}

/// The document that it prints in the end.
fn document(mut running: Running) -> (i32, Value) {
    let out = running.0.stdout.take().expect("its output");
    let document = serde_json::from_reader(out).expect("a document");
    let status = running.0.wait().expect("it ends");
    (status.code().expect("by itself"), document)
}

/// The worker of a process, once there is one.
fn worker_of(parent: u32) -> u32 {
    let began = Instant::now();
    loop {
        let children = format!("/proc/{parent}/task/{parent}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let is_worker = |child: &u32| {
            let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("__worker")
        };
        let mut children = children
            .split_whitespace()
            .filter_map(|child| child.parse().ok());
        if let Some(worker) = children.find(is_worker) {
            return worker;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no worker starts"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.expect("there is a kill").success());
}

#[test]
fn a_worker_that_is_ended_from_outside_blames_no_template() {
    let folder = folder("ended");
    // Long enough to be hit, and timed all the while.
    let long = template(&folder, "long", &format!("{HEADER}{GOOD}"));
    let good = template(&folder, "good", &format!("{HEADER}{GOOD}"));
    for signal in ["KILL", "SEGV", "SYS", "FPE", "TRAP", "TERM"] {
        let running = started(
            &["run", &long, &good, "--time", "400", "--placements", "1"],
            &folder,
        );
        let worker = worker_of(running.0.id());
        std::thread::sleep(Duration::from_millis(300));
        send(&format!("-{signal}"), worker);
        let (code, document) = document(running);
        assert_eq!(code, 4, "{signal}: {document:#}");
        let rows = rows(&document);
        let ended: Vec<&Value> = rows
            .iter()
            .map(|(_, row)| *row)
            .filter(|row| row["status"] == "error")
            .collect();
        assert_eq!(ended.len(), 1, "{signal}: {document:#}");
        let message = ended[0]["diagnostics"][0]["message"]
            .as_str()
            .expect("a message");
        assert!(
            message.contains(&format!("ended by SIG{signal} from")),
            "{message}"
        );
        assert!(
            message.contains("the template is not to blame"),
            "{message}"
        );
        assert_eq!(
            message.contains("from process "),
            signal != "KILL",
            "{message}"
        );
        let others = rows.iter().filter(|(_, row)| row["status"] == "ok");
        assert_eq!(others.count(), 1, "{signal}: {document:#}");
    }
}

#[test]
fn signals_that_the_parent_holds_back_change_no_status() {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
    let folder = folder("held_back");
    #[rustfmt::skip] // a table: one template a line
    let all = [
        ("null",  "body: xor ecx, ecx\n mov eax, [rcx]\n",      "fault",     7),
        ("ud2",   "body: mov eax, [rax]\n ud2\n",               "fault",     7),
        ("int3",  "body: mov eax, [rax]\n int3\n",              "fault",     7),
        ("div",   "body: xor ecx, ecx\n div ecx\n",             "fault",     7),
        ("call",  "body: mov eax, 39\n syscall\n",              "forbidden", 7),
        ("fine",  GOOD,                                         "ok",        0),
    ];
    let files = all.map(|(name, text, ..)| template(&folder, name, &format!("{HEADER}{text}")));
    // A process inherits what the thread that starts it holds back.
    let mut held = SigSet::empty();
    for signal in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGTRAP,
        Signal::SIGSYS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGALRM,
    ] {
        held.add(signal);
    }
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&held), Some(&mut before)).expect("blocks");
    let mut arguments: Vec<&str> = vec!["run", "--quick"];
    arguments.extend(files.iter().map(String::as_str));
    let (_, document) = json(&arguments);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).expect("unblocks");
    for ((name, _, status, line), (_, row)) in all.iter().zip(rows(&document)) {
        assert_eq!(row["status"], *status, "{name}: {row:#}");
        assert_eq!(
            row["fault"]["line"].as_u64().unwrap_or(0),
            *line,
            "{name}: {row:#}"
        );
    }
}

/// A body of some .16 s at 3.7 GHz.
fn long(objects: u32) -> String {
    let header = HEADER.replace("objects = 4", &format!("objects = {objects}"));
    format!("{header}body: mov ecx, 600000000\n1: dec ecx\n jnz 1b\n mov eax, [rax]\n")
}

#[test]
fn a_long_iteration_is_measured() {
    let file = template(&folder("long_iteration"), "long", &long(1));
    let (code, document) = json(&["run", &file, "--placements", "1", "--time", "1"]);
    assert_eq!(code, 0, "{document:#}");
    assert!(common::value(rows(&document)[0].1, "cycles") > 1e8);
}

#[test]
fn what_a_row_will_take_is_said_before_it_starts_where_that_is_long() {
    let folder = folder("long_row");
    // Eleven minutes, of which nobody waits for the end.
    let file = template(&folder, "long", &long(4096));
    let child = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(["run", &file, "--placements", "1"])
        .env("XDG_STATE_HOME", &folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut running = Running(child.expect("it starts"));
    let mut lines = BufReader::new(running.0.stderr.take().expect("its errors"));
    let mut said = String::new();
    while !common::unfolded(&said).contains("because one iteration takes") {
        let read = lines.read_line(&mut said).expect("text");
        assert!(read > 0, "it ended without a word: {said}");
    }
    assert!(said.starts_with("note:"), "{said}");
}

#[test]
fn a_body_that_reads_rax_where_no_receiver_is_has_a_hint_at_its_line() {
    let folder = folder("unset");
    let none = ";! title = \"no heap\"\n";
    #[rustfmt::skip] // a table: one template a line
    let all: [(&str, String, Option<u64>); 21] = [
        ("load",        format!("{none}body:\n mov ecx, [rax]\n"),                                        Some(3)),
        ("second",      format!("{none}body:\n mov ecx, 1\n add rcx, rax\n"),                             Some(4)),
        ("byte",        format!("{none}body:\n movzx ecx, al\n"),                                         Some(3)),
        ("on_one_path", format!("{none}body:\n test ecx, ecx\n jz 1f\n mov eax, 1\n1: mov ecx, eax\n"),    Some(6)),
        ("in_function", format!("{none}body:\n call \"main.f\"\nfunc \"main.f\":\n mov eax, [rax]\n ret\n"), Some(5)),
        ("part",        format!("{none}body:\n mov al, 1\n mov ecx, [rax]\n"),                          Some(4)),
        ("other_part",  format!("{none}body:\n mov al, 1\n movzx ecx, ah\n"),                           Some(4)),
        ("two_parts",   format!("{none}body:\n mov al, 1\n mov ah, 1\n mov ecx, eax\n"),                Some(5)),
        ("part_in_setup", format!("{none}setup:\n mov al, 1\nbody:\n mov ecx, [rax]\n"),                Some(5)),
        ("same_part",   format!("{none}body:\n mov al, 1\n movzx ecx, al\n"),                           None),
        ("word",        format!("{none}body:\n mov al, 1\n mov ah, 1\n movzx ecx, ax\n"),               None),
        ("flag",        format!("{none}body:\n test ecx, ecx\n setz al\n movzx eax, al\n mov ecx, eax\n"), None),
        ("part_then_all", format!("{none}body:\n mov al, 1\n mov eax, 1\n mov ecx, eax\n"),             None),
        ("xor",         format!("{none}body:\n xor eax, eax\n mov ecx, eax\n"),                           None),
        ("sub",         format!("{none}body:\n sub eax, eax\n add ecx, eax\n"),                           None),
        ("sbb",         format!("{none}body:\n sbb eax, eax\n add ecx, eax\n"),                           None),
        ("setup",       format!("{none}setup:\n mov eax, 5\nbody:\n add rax, rax\n"),                     None),
        ("setup_calls", format!("{none}setup:\n call \"main.f\"\nbody:\n add rax, rax\nfunc \"main.f\":\n mov eax, 1\n ret\n"), None),
        ("written",     format!("{none}body:\n mov eax, 1\n imul eax, eax\n"),                            None),
        ("called",      format!("{none}body:\n call \"main.f\"\n add ecx, eax\nfunc \"main.f\":\n mov eax, 1\n ret\n"), None),
        ("heap",        format!("{HEADER}{GOOD}"),                                                        None),
    ];
    for (name, text, line) in all {
        let file = template(&folder, name, &text);
        let (code, document) = json(&["check", &file]);
        assert_eq!(code, 0, "{name}: {document:#}");
        let hints = document["files"][0]["hints"].as_array().expect("hints");
        let lines: Vec<Option<u64>> = hints.iter().map(|hint| hint["line"].as_u64()).collect();
        assert_eq!(
            lines,
            line.map(Some).into_iter().collect::<Vec<_>>(),
            "{name}: {document:#}"
        );
        let run = dispatchlab(&["check", &file]);
        assert_eq!(
            (run.code, run.said().contains("without a `heap`")),
            (0, line.is_some()),
            "{name}: {}",
            run.stderr
        );
    }
}
