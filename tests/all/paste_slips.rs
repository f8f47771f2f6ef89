//! Pasted texts with a slip in them, or with habits of their compiler: what runs is what the text means.
//!
//! Correct means: a label that is missing is no function, every function counts as one, and what one iteration has beside
//! the text is told.

use serde_json::Value;

use crate::common::{Run, dispatchlab, fresh, run_in, template, unfolded, value};

/// The run of a text, and a word of the test for its folder.
fn run(name: &str, text: &str, more: &[&str]) -> Run {
    let place = fresh(name);
    template(&place, "f", text);
    let quick = ["run", "f.asm", "--quick", "--counters", "none"];
    run_in(&place, &[&quick[..], more].concat())
}

/// Instructions of one iteration.
fn instructions(name: &str, text: &str, more: &[&str]) -> f64 {
    let run = run(name, text, &[more, &["--json"]].concat());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
    value(&document["rows"][0], "instructions")
}

#[test]
fn a_label_that_is_missing_is_no_function() {
    for (at, (label, jump, said)) in [
        (".L3", "jnz .L4", "undefined label `.L4`"),
        (".L3", "jmp .L4", "undefined label `.L4`"),
        ("loop1", "jnz lop1", "did you mean `loop1`"),
        (".loop", "jnz .lop", "did you mean `.loop`"),
        ("$LL3@f", "jne SHORT $LN4@f", "undefined label `$LN4@f`"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("f:\n mov ecx, 10\n{label}:\n dec ecx\n {jump}\n ret\n");
        for more in [&[][..], &["--call", "f"]] {
            let run = run(&format!("slip{at}"), &text, more);
            assert_eq!(run.code, 3, "{jump}: {}", run.stdout);
            let shown = unfolded(&run.stdout);
            assert!(shown.contains(said), "{jump}: {shown}");
        }
    }
    // Names that others can see may be elsewhere.
    for (at, jump) in ["call lop1", "jmp loop2", "jnz other"]
        .into_iter()
        .enumerate()
    {
        let text = format!("f:\n mov ecx, 10\nloop1:\n dec ecx\n {jump}\n ret\n");
        let run = run(&format!("elsewhere{at}"), &text, &["--call", "f"]);
        assert_eq!(run.code, 0, "{jump}: {}", run.said());
        assert!(
            run.said().contains("returns 1: 2 more instructions"),
            "{jump}: {}",
            run.said()
        );
    }
}

#[test]
fn a_jump_to_another_function_is_no_slip_however_much_its_name_is_like_this_ones() {
    for (at, (label, jump)) in [
        ("foo1:", "jne foo2"),
        (".type later1,@function\nfirst: nop\nlater1:", "jne later2"),
        (".globl later1\nfirst: nop\nlater1:", "jne later2"),
        ("first: nop\nfoo(int):", "jne bar(int)"),
        ("first: nop\n_Z3foov:", "jne _Z3barv"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("{label}\n test edi, edi\n {jump}\n ret\n");
        let name = label
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .trim_end_matches(':');
        let run = run(&format!("tail{at}"), &text, &["--call", name]);
        assert_eq!(run.code, 0, "{jump}: {}{}", run.stdout, run.stderr);
        assert!(
            run.said().contains("which the text calls, returns 1"),
            "{jump}: {}",
            run.said()
        );
    }
}

/// Two functions as MSVC prints them, the first with a comment and padding.
const MICROSOFT: &str = "_TEXT SEGMENT\nsum PROC ; sum, COMDAT\n xor eax, eax\n npad 4\n add eax, [rcx]\n ret 0\nsum ENDP\n\
    main PROC\n mov eax, 5\n ret 0\nmain ENDP\n_TEXT ENDS\n";

#[test]
fn each_function_of_msvc_is_one_with_a_comment_and_without() {
    let all = run("msvc_two", MICROSOFT, &[]);
    assert_eq!(all.code, 3, "{}", all.stdout);
    assert!(
        unfolded(&all.stdout).contains("sum, main"),
        "{}",
        all.stdout
    );
    // Seven around it, and of its own the padding as one.
    assert_eq!(
        instructions("msvc_sum", MICROSOFT, &["--call", "sum"]),
        7.0 + 4.0
    );
    assert_eq!(
        instructions("msvc_main", MICROSOFT, &["--call", "main"]),
        7.0 + 2.0
    );
}

#[test]
fn a_return_and_padding_of_msvc_have_the_bytes_of_its_object() {
    let place = fresh("msvc_bytes");
    template(&place, "f", MICROSOFT);
    let bytes = |lines: &str| {
        template(&place, "one", lines);
        let run = run_in(&place, &["asm", "one.asm", "--hex"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout.trim().to_string()
    };
    assert_eq!(bytes("f PROC\n ret 0\nf ENDP\n"), "c3");
    assert_eq!(bytes("f PROC\n ret 8\nf ENDP\n"), "c20800");
    // Nothing says that this is Microsoft's.
    assert_eq!(bytes("f:\n ret 0\n"), "c20000");
    for (length, expected) in [
        (1, "90"),
        (4, "0f1f4000"),
        (9, "660f1f840000000000"),
        (10, "66660f1f840000000000"),
        (11, "6666660f1f840000000000"),
        (12, "0f1f40000f1f840000000000"),
        (15, "0f1f80000000000f1f840000000000"),
    ] {
        assert_eq!(bytes(&format!("npad {length}\n")), expected);
    }
    for wrong in ["npad 0\n", "npad 16\n"] {
        template(&place, "one", wrong);
        let run = dispatchlab(&["asm", place.join("one.asm").to_str().expect("UTF-8")]);
        assert_eq!(run.code, 3, "{}", run.stdout);
        assert!(run.stderr.contains("1 to 15 bytes"), "{}", run.stderr);
    }
}

#[test]
fn what_stands_around_a_function_of_go_is_told() {
    const MUL: &str =
        "TEXT main.Mul(SB), NOSPLIT|NOFRAME|ABIInternal, $0-16\n\tIMULQ BX, AX\n\tRET\n";
    let run = run("go_around", MUL, &[]);
    assert_eq!(run.code, 0, "{}", run.said());
    let said = run.said();
    let (before, _) = said
        .split_once(" of the instructions that are counted")
        .expect("how many are around it");
    let around: f64 = before
        .rsplit([' ', '\n'])
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a number");
    assert_eq!(instructions("go_around_count", MUL, &[]), around + 2.0);
}

#[test]
fn a_fault_names_the_register_that_was_assumed_and_not_one_that_was_written() {
    for (name, lines, said, is_said) in [
        (
            "copied",
            "mov r11, rsi\n mov eax, [r11]",
            "rsi was assumed to be 1",
            true,
        ),
        (
            "written",
            "mov esi, 1\n mov eax, [rsi]",
            "was assumed to be 1",
            false,
        ),
        (
            "as_it_is",
            "mov eax, [rsi]",
            "rsi was assumed to be 1",
            true,
        ),
        // Behind a return another function begins.
        (
            "second",
            "ret\n mov esi, 1\n ret\ng:\n mov eax, [rsi]",
            "rsi was assumed to be 1",
            true,
        ),
    ] {
        let call = if name == "second" { "g" } else { "f" };
        let text = format!("f:\n {lines}\n ret\n");
        let run = run(&format!("fault_{name}"), &text, &["--call", call]);
        assert_eq!(run.code, 4, "{name}: {}", run.stdout);
        assert_eq!(
            unfolded(&run.stdout).contains(said),
            is_said,
            "{name}: {}",
            run.stdout
        );
    }
}

/// What gcc writes with `-fPIC` goes through tables of the linker, and leads to the text's own functions and variables.
#[test]
fn the_tables_of_position_independent_code_hold_what_the_text_defines() {
    // As many turns as `g` says.
    let counted = |name: &str, call: &str, load: &str| {
        let text = format!(
            "\t.text\n\t.globl f\n\t.type f, @function\nf:\n{load}.L1:\n\tsubl $1, %eax\n\tjne .L1\n\tret\n\t.size f, .-f\n\
             \t.globl h\n\t.type h, @function\nh:\n\tsubq $8, %rsp\n\t{call}\n\taddq $8, %rsp\n\tret\n\t.size h, .-h\n\
             \t.data\n\t.globl g\ng:\t.long 7\n"
        );
        let said = run(name, &text, &["--call", "h"]).said();
        assert!(
            !said.contains("`f`") && !said.contains("`g`"),
            "{name}: {said}"
        );
        instructions(name, &text, &["--call", "h"])
    };
    let plain = "\tmovl g(%rip), %eax\n";
    let own = counted("table_none", "call f", plain);
    assert_eq!(own, counted("table_calls", "call f@PLT", plain));
    assert_eq!(own, counted("table_slot", "call *f@GOTPCREL(%rip)", plain));
    let through = "\tmovq g@GOTPCREL(%rip), %rdx\n\tmovl (%rdx), %eax\n";
    assert_eq!(own + 1.0, counted("table_both", "call f@PLT", through));
}
