//! `dispatchlab step`: what was executed, instruction by instruction.
//!
//! Correct means: the listing has every instruction that ran and what it changed, counts as `run`
//! does, and ends with the reason where a template goes wrong.

use crate::common::{assert_golden, dispatchlab, folder, json, rows, template, value};

const HEADER: &str = ";! heap = \"pointer\"\n;! params = { objects = 8, order = \"cyclic\" }\n;! result = \"eax\"\n;! expect = \"id\"\n";

#[test]
fn a_listing_names_what_each_instruction_changed_and_where_it_went() {
    let run = dispatchlab(&["step", "itab_call", "-p", "targets=2", "--iterations", "2"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_golden("step_itab_call.txt", &run.stdout);
    let run = dispatchlab(&["step", "wrapper_call", "-p", "receiver=nil"]);
    // The panic was asked for.
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_golden("step_wrapper_nil.txt", &run.stdout);
}

#[test]
fn the_harness_is_shown_where_that_is_asked_for() {
    let bare = dispatchlab(&["step", "direct_call"]);
    assert!(!bare.stdout.contains("harness:"), "{}", bare.stdout);
    let whole = dispatchlab(&["step", "direct_call", "--harness"]);
    assert!(
        whole
            .stdout
            .contains("before the first iteration\nharness:"),
        "{}",
        whole.stdout
    );
    assert!(whole.stdout.contains("lfence"), "{}", whole.stdout);
}

#[test]
fn a_listing_has_as_many_instructions_and_branches_as_a_run_counts() {
    let names = [
        "inline",
        "value_method",
        "wrapper_call",
        "wrapper_call[go=1.10]",
        "itab_wrapper",
        "type_switch[cases=3,hit=last]",
    ];
    let mut arguments = vec!["run", "--counters", "none"];
    arguments.extend(names);
    let (_, report) = json(&arguments);
    for (name, row) in rows(&report) {
        let (code, told) = json(&["step", name]);
        assert_eq!((code, &told["status"]), (0, &"ok".into()), "{name}");
        let iteration = &told["iterations"][0];
        for count in ["instructions", "branches"] {
            let stepped = iteration[count].as_f64().expect("a count");
            assert_eq!(stepped, value(row, count), "{count} of {name}");
        }
        let steps = iteration["steps"].as_array().expect("steps");
        assert_eq!(steps.len() as f64, value(row, "instructions"), "{name}");
        assert_eq!(iteration["result"], iteration["expected"], "{name}");
    }
}

#[test]
fn json_gives_values_names_flags_memory_and_branches() {
    let file = template(
        &folder("step"),
        "small",
        ";! result = \"rdx\"\n;! expect = 7\nbody:\n mov dword [rsp+8], 7\n mov edx, [rsp+8]\n cmp edx, 7\n jne 1f\n lea rcx, [\"w\"]\n1:\ndata \"w\":\n dq 1\n",
    );
    let (code, told) = json(&["step", &file]);
    assert_eq!((code, &told["schema"]), (0, &1.into()));
    let iteration = &told["iterations"][0];
    assert!(iteration["object"].is_null() && iteration["type"].is_null());
    assert_eq!(
        (&iteration["result"], &iteration["expected"]),
        (&"0x7".into(), &"0x7".into())
    );
    let step = |at: usize| &iteration["steps"][at];
    assert_eq!(step(0)["memory"]["name"], "stack+0x8");
    assert_eq!(step(0)["registers"], serde_json::json!({}));
    assert_eq!(step(1)["registers"]["rdx"]["value"], "0x7");
    assert_eq!(step(1)["line"], 5);
    assert_eq!(step(2)["flags"]["ZF"], true);
    assert_eq!(step(3)["branch"]["taken"], false);
    assert_eq!(step(4)["registers"]["rcx"]["name"], "w");
    assert!(step(4)["memory"].is_null(), "lea touches no memory");
}

/// Name, body (it begins on line 6), status, words of the listing, and the last line of the template
/// that it shows.
#[rustfmt::skip] // a table: one template a line
const FAULTS: &[(&str, &str, &str, &str, u64)] = &[
    ("null_access",  " xor ecx, ecx\n mov eax, [rcx + 0x18]\n",             "fault",        "nil pointer",         7),
    ("ud2",          " mov eax, [rax]\n ud2\n",                             "fault",        "SIGILL",              7),
    ("wild_ret",     " mov eax, [rax]\n push 0x1234\n ret\n",               "fault",        "to 0x1234",           8),
    ("recursion",    " call \"main.f\"\nfunc \"main.f\":\n sub rsp, 4096\n call \"main.f\"\n", "fault", "stack is full",      9),
    ("clobbered",    " mov eax, [rax]\n mov r15d, 5\n nop\n",               "fault",        "r15",                 8),
    ("unbalanced",   " mov eax, [rax]\n push rax\n",                        "fault",        "rsp",                 7),
    ("direction",    " mov eax, [rax]\n std\n",                             "fault",        "DF=1",                7),
    ("system_call",  " mov eax, 39\n syscall\n",                           "forbidden",    "getpid",              7),
    ("endless",      " mov eax, [rax]\n1: jmp 1b\n",                        "timeout",      "has not ended after", 7),
    ("wrong",        " mov eax, [rax]\n inc eax\n",                         "wrong-result", "expected 0x1",        7),
];

#[test]
fn what_goes_wrong_ends_the_listing_with_its_reason() {
    let folder = folder("step");
    for (name, body, status, words, last) in FAULTS {
        let file = template(&folder, name, &format!("{HEADER}body:\n{body}"));
        let run = dispatchlab(&["step", &file, "--iterations", "3"]);
        assert_eq!(run.code, 4, "{name}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(words), "{name}: {}", run.stdout);
        assert!(
            run.stdout.contains(&format!("\n{status}: ")),
            "{name}: {}",
            run.stdout
        );
        if *name == "endless" {
            // Sixty thousand steps are a large document, and say nothing more.
            assert!(run.stdout.contains("instructions …"), "{}", run.stdout);
            continue;
        }
        let (code, told) = json(&["step", &file, "--iterations", "3"]);
        assert_eq!(
            (code, told["status"].as_str()),
            (4, Some(*status)),
            "{name}"
        );
        let iterations = told["iterations"].as_array().expect("iterations");
        assert_eq!(iterations.len(), 1, "{name}");
        let steps = iterations[0]["steps"].as_array().expect("steps");
        let step = steps.last().unwrap_or_else(|| panic!("{name} has no step"));
        assert_eq!(step["line"].as_u64(), Some(*last), "{name}: {step:#}");
    }
}

#[test]
fn the_faulting_instruction_is_shown_as_one_that_did_not_end() {
    let folder = folder("step");
    let file = template(
        &folder,
        "fault",
        &format!("{HEADER}body:\n mov ecx, 8\n mov eax, [rcx]\n"),
    );
    let run = dispatchlab(&["step", &file]);
    assert!(
        run.stdout.contains("did not end, memory at 0x8"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("1 instruction, 0 branches"),
        "{}",
        run.stdout
    );
    let setup = template(
        &folder,
        "setup",
        ";! title = \"x\"\nsetup:\n xor ecx, ecx\n mov eax, [rcx]\nbody:\n nop\n",
    );
    let run = dispatchlab(&["step", &setup]);
    assert_eq!(run.code, 4);
    assert!(
        run.stdout.contains("before the first iteration\nsetup:"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_second_iteration_may_be_the_one_that_faults() {
    let file = template(
        &folder("step"),
        "second",
        ";! heap = \"pointer\"\n;! params = { objects = 4, order = \"cyclic\" }\nbody:\n mov eax, [rax]\n dec eax\n jz 1f\n ud2\n1:\n",
    );
    assert_eq!(dispatchlab(&["step", &file]).code, 0);
    let (code, told) = json(&["step", &file, "--iterations", "4"]);
    assert_eq!(code, 4);
    let iterations = told["iterations"].as_array().expect("iterations");
    assert_eq!(iterations.len(), 2);
    assert_eq!(iterations[1]["object"], 1);
    assert_eq!(told["fault"]["line"], 7);
}

#[test]
fn what_cannot_be_stepped_is_a_usage_or_template_error() {
    assert_eq!(dispatchlab(&["step", "no_such_template"]).code, 2);
    assert_eq!(
        dispatchlab(&["step", "inline", "--iterations", "0"]).code,
        2
    );
    assert_eq!(dispatchlab(&["step", "inline", "--at", "9"]).code, 2);
    let run = dispatchlab(&["step", "inline", "--stack", "--at", "1"]);
    assert_eq!(run.code, 2);
    assert!(
        run.said().contains("no instruction of that line ran"),
        "{}",
        run.said()
    );
    let file = template(
        &folder("step"),
        "typo",
        ";! title = \"x\"\nbody:\n mvo eax, 1\n",
    );
    let run = dispatchlab(&["step", &file]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
}
