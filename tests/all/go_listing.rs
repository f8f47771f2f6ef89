//! Listings and sources of Go's tools: read in every shape, run, checked, and made a template of.
//!
//! Correct means: all shapes of one function give the same bytes; a pasted function runs in the convention
//! of its release with the arguments that it is given; and what cannot be known is asked for or said.

use std::fs;

use dispatchlab::asm::{Reading, fragment_in};

use crate::common::{Run, dispatchlab, folder, json, rows, unfolded};

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/go/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str]) -> Run {
    let all = ["run", "--quick", "--counters", "none"]
        .iter()
        .chain(arguments);
    dispatchlab(&all.collect::<Vec<_>>())
}

/// Instructions of the only row.
fn instructions(arguments: &[&str]) -> f64 {
    let all = ["run", "--quick", "--counters", "none"].iter();
    let (code, document) = json(&all.chain(arguments).copied().collect::<Vec<_>>());
    assert_eq!(code, 0, "{document:#}");
    let row = rows(&document)[0].1.clone();
    row["metrics"]["instructions"]["value"]
        .as_f64()
        .expect("a number")
}

fn hex(text: &str) -> String {
    let section =
        fragment_in(text, &Reading::default()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    section
        .bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn problem(text: &str) -> (u32, u32, String, String) {
    let errors = fragment_in(text, &Reading::default()).expect_err(text);
    let first = &errors[0];
    let help = first.help.clone().unwrap_or_default();
    (first.line, first.column, first.message.clone(), help)
}

#[test]
fn one_function_is_the_same_in_every_shape() {
    let text = fs::read_to_string(fixture("shapes.txt")).expect("it is there");
    let shapes: Vec<(&str, &str)> = text
        .split("-- ")
        .skip(1)
        .map(|part| part.split_once('\n').expect("a name"))
        .collect();
    assert_eq!(shapes.len(), 11);
    for (name, shape) in shapes {
        assert_eq!(hex(shape), "488b4424084885c074044883c005c3", "{name}");
    }
}

#[test]
fn a_line_is_read_as_go_s_assembler_reads_it() {
    #[rustfmt::skip] // a table: one line a line
    let all = [
        ("MOVQ $5, AX", "b805000000"),
        ("MOVQ $-1, AX", "48c7c0ffffffff"),
        ("MOVQ $0x200000000a, BX", "48bb0a00000020000000"),
        ("MOVL $0, AX", "31c0"),
        ("MOVLQZX AX, BX", "8bd8"),
        ("MOVBLZX AL, BX", "0fb6d8"),
        ("MOVBQZX AL, BX", "480fb6d8"),
        ("MOVLQSX CX, AX", "4863c1"),
        ("CMPQ SP, 16(R14)", "493b6610"),
        ("CMPB AL, $3", "3c03"),
        ("TESTB $1, AL", "f6c001"),
        ("XCHGL AX, AX", "90"),
        ("MOVQ AX, X0", "66480f6ec0"),
        ("MOVQ X1, (AX)", "660fd608"),
        ("MOVL X0, AX", "660f7ec0"),
        ("MOVUPS X15, 8(SP)", "440f117c2408"),
        ("CVTSQ2SD AX, X0", "f2480f2ac0"),
        ("CVTTSD2SQ X0, AX", "f2480f2cc0"),
        ("SHLQ CX, DX", "48d3e2"),
        ("SHLQ $3, CX, AX", "480fa4c803"),
        ("IMUL3Q $24, AX, BX", "486bd818"),
        ("SETGT AX", "0f9fc0"),
        ("CMOVQNE AX, BX", "480f45d8"),
        ("LEAQ (AX)(BX*8), CX", "488d0cd8"),
        ("LEAQ 8(SP)(AX*1), CX", "488d4c0408"),
        ("JMP (SI)(CX*8)", "ff24ce"),
        ("CALL 24(AX)", "ff5018"),
        ("MOVQ (TLS), CX", "65488b0c25f8ffffff"),
        ("LOCK\nXADDL AX, (CX)", "f00fc101"),
        ("REP\nMOVSQ", "f348a5"),
        ("CMPSD X1, X0, $2", "f20fc2c102"),
        ("VPADDD Y1, Y2, Y3", "c5edfed9"),
        ("VMOVDQU Y1, Y2", "c5fe7fca"),
        ("PSLLO $8, X1", "660f73f908"),
        ("INT $3", "cc"),
        ("UNDEF", "0f0b"),
        ("BYTE $0x0f; BYTE $0x0b; RET", "0f0bc3"),
        ("ADDQ $-128, SP", "4883c480"),
        ("ANDQ $0xfffffffffffffff0, SP", "4883e4f0"),
        ("MOVW $5, (AX)", "66c7000500"),
        ("PUSHQ BP", "55"),
        ("BSWAPQ AX", "480fc8"),
        ("POPCNTQ (AX), BX", "f3480fb818"),
    ];
    for (line, bytes) in all {
        // Behind a line that only Go's assembler has, all are Go's.
        let text = format!("TEXT ·f(SB), NOSPLIT|NOFRAME, $0\n{line}\n");
        assert_eq!(hex(&text), bytes, "{line}");
    }
}

#[test]
fn padding_and_what_is_inserted_have_the_length_that_offsets_say() {
    let text = "0x0015 00021 (a.go:1) NOP\n0x0020 00032 (a.go:1) XCHGL AX, AX\n\
                0x0021 00033 (a.go:1) MOVL $0, AX\n0x0026 00038 (a.go:1) MOVL $0, AX\n\
                0x0028 00040 (a.go:1) RET\n";
    assert_eq!(
        hex(text),
        "660f1f84000000000066909".to_owned() + "0b80000000031c0c3"
    );
    let frame = "TEXT ·f(SB), NOSPLIT, $16-8\nMOVQ x+0(FP), AX\nMOVQ AX, y-8(SP)\nRET\n";
    // push rbp; mov rbp, rsp; sub rsp, 16; mov rax, [rsp+32]; mov [rsp+8], rax; ...
    assert_eq!(
        hex(frame),
        "554889e54883ec10488b44242048894424084883c4105dc3"
    );
}

#[test]
fn what_is_wrong_is_said_at_its_place_in_the_pasted_file() {
    let (line, column, message, help) = problem(
        "\t0x0000 00000 (a.go:1)\tTEXT\tmain.f(SB), $0\n\t0x0000 00000 (a.go:1)\tJMP\t46\n\t0x0002 00002 (a.go:1)\tRET\n",
    );
    assert_eq!((line, column), (2, 28), "{message}");
    assert!(
        message.contains("no line of this function has the offset 46"),
        "{message}"
    );
    assert!(help.contains("0, 2") && help.contains("\"@46\""), "{help}");
    let (line, column, message, help) =
        problem("TEXT ·f(SB), NOSPLIT, $0\nMOVZX AL, AX\nADD AX, BX\n");
    assert_eq!((line, column), (3, 1), "{message}");
    assert!(help.contains("ADDB, ADDW, ADDL or ADDQ"), "{help}");
    let (.., message, _) = problem("0x0049 00074 (a.go:1) MOVQ AX, BX\n");
    assert!(
        message.contains("0x49 is 73") || message.contains("73"),
        "{message}"
    );
    let (line, _, message, _) = problem("MOVQ 8(AX), BX\nmov rax, [rbx]\n");
    assert_eq!(line, 2);
    assert!(message.contains("no instruction `mov`"), "{message}");
    let (.., message, help) = problem("MOVQ 8(AX), BX\nMOVQ RBX, AX\n");
    assert!(help.contains("writes BX"), "{message} {help}");
}

#[test]
fn a_listing_of_the_stack_abi_runs_with_a_receiver() {
    let file = fixture("old.txt");
    let arguments = [
        file.as_str(),
        "--call",
        "main.pick",
        "--arg",
        "iface=main.T0",
    ];
    let run = run(&arguments);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let said = run.said();
    assert!(said.contains("the release is 1.10"), "{said}");
    assert!(
        said.contains("0(SP) and 8(SP) = itab and object of main.T0"),
        "{said}"
    );
    // Two words and the result's, the call; 16 of the function, 4 of the method.
    assert_eq!(instructions(&arguments), 24.0);
}

#[test]
fn a_listing_of_the_register_abi_runs_with_its_bytes() {
    let file = fixture("call.txt");
    let check = dispatchlab(&["check", &file, "--call", "main.call"]);
    assert_eq!(check.code, 0, "{}", check.stderr);
    let said = unfolded(&check.stdout);
    assert!(
        said.contains("instructions byte-identical to the listing"),
        "{said}"
    );
    let given = [
        file.as_str(),
        "--call",
        "main.call",
        "--arg",
        "iface=main.T0",
    ];
    // Nine words of the body and two of them loaded by the harness, the function, wrapper and method.
    let with = instructions(&given);
    assert!((40.0..50.0).contains(&with), "{with}");
    // The pasted itab is the one that is called through.
    let folder = folder("go_itab");
    let through = folder.join("through.s");
    let text = fs::read_to_string(&file).expect("it is there");
    let source = "0x0000 00000 (m.go:1)\tTEXT\tmain.through(SB), ABIInternal, $24-8\n\
        0x0000 00000 (m.go:1)\tSUBQ\t$24, SP\n\
        0x0004 00004 (m.go:1)\tLEAQ\tgo.itab.main.T0,main.Adder(SB), CX\n\
        0x000b 00011 (m.go:1)\tMOVQ\t24(CX), CX\n\
        0x000f 00015 (m.go:1)\tLEAQ\tmain.object(SB), AX\n\
        0x0016 00022 (m.go:1)\tCALL\tCX\n\
        0x0018 00024 (m.go:1)\tADDQ\t$24, SP\n\
        0x001c 00028 (m.go:1)\tRET\n";
    fs::write(&through, format!("{text}{source}")).expect("written");
    let through = through.to_str().expect("UTF-8");
    let ran = run(&[through, "--call", "main.through"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.said().contains("`main.object` is 4096 bytes of zeros"),
        "{}",
        ran.said()
    );
}

#[test]
fn of_several_functions_one_is_asked_for_and_an_argument_must_be_one() {
    let file = fixture("call.txt");
    let asked = run(&[&file]);
    assert_eq!(asked.code, 3);
    let said = unfolded(&asked.stdout);
    assert!(
        said.contains("`--call SYMBOL`") && said.contains("main.(*T0).Add"),
        "{said}"
    );
    for (argument, wanted) in [
        ("DX=1", "has no such argument"),
        ("AX=one", "a whole number"),
        ("iface=main.T9", "no method of `*main.T9`"),
    ] {
        let refused = run(&[&file, "--call", "main.call", "--arg", argument]);
        assert_eq!(refused.code, 3, "{argument}");
        let said = unfolded(&refused.stdout);
        assert!(said.contains(wanted), "{argument}: {said}");
    }
    let none = run(&[&file, "--arg", "AX"]);
    assert_eq!(none.code, 2, "{}", none.stderr);
}

#[test]
fn a_callee_that_is_not_there_is_an_error_which_a_header_can_mend() {
    let folder = folder("go_callee");
    let file = folder.join("callee.s");
    let text = |bind: &str| {
        format!(
            "{bind}TEXT ·f(SB), NOSPLIT|NOFRAME, $0-8\n\tCALL runtime·printlock(SB)\n\tJMP 46\n\tRET\n\
             TEXT ·mine(SB), NOSPLIT, $0\n\tRET\n"
        )
    };
    let path = file.to_str().expect("UTF-8");
    fs::write(&file, text("").replace("\tJMP 46\n", "")).expect("written");
    let refused = run(&[path, "--call", "main.f"]);
    assert_eq!(refused.code, 3);
    let said = unfolded(&refused.stdout);
    assert!(
        said.contains("runtime.printlock") && said.contains("convT32"),
        "{said}"
    );
    let bind = "//! bind = { \"runtime.printlock\" = \"main.mine\", \"@46\" = \"main.mine\" }\n";
    fs::write(&file, text(bind)).expect("written");
    let bound = run(&[path, "--call", "main.f"]);
    assert_eq!(bound.code, 0, "{}{}", bound.stdout, bound.stderr);
}

#[test]
fn a_source_runs_with_its_data_and_its_arguments() {
    let folder = folder("go_source");
    let file = folder.join("source.s");
    let text = "//! title = \"a table\"\n#include \"textflag.h\"\n\
        DATA ·table+0(SB)/8, $7\nDATA ·table+8(SB)/8, $·next(SB)\nGLOBL ·table(SB), RODATA, $24\n\
        TEXT ·f(SB), NOSPLIT, $0-16\n\tMOVQ n+0(FP), CX\n\tMOVQ ·table(SB), AX\nloop:\n\tDECQ CX\n\tJGT loop\n\
        \tMOVQ ·table+8(SB), DX\n\tCALL DX\n\tMOVQ AX, r+8(FP)\n\tRET\n\
        TEXT ·next(SB), NOSPLIT, $0\n\tADDQ $1, AX\n\tRET\n";
    fs::write(&file, text).expect("written");
    let path = file.to_str().expect("UTF-8");
    // mov, mov, call; 2 and the frame's 2, 3 times 2, 4 and the frame's end; and 2 of the other one.
    let arguments = [path, "--call", "main.f", "--arg", "0(SP)=3"];
    assert_eq!(instructions(&arguments), 3.0 + 4.0 + 6.0 + 5.0 + 2.0);
}

#[test]
fn a_listing_becomes_a_template_that_runs_alike() {
    let folder = folder("go_new");
    let file = fixture("old.txt");
    let place = folder.to_str().expect("UTF-8");
    let path = folder.join("mine.asm");
    // An earlier run leaves it there, and nothing is overwritten.
    let _ = fs::remove_file(&path);
    let made = dispatchlab(&[
        "new",
        "mine",
        "--templates",
        place,
        "--from-listing",
        &file,
        "--call",
        "main.pick",
        "--arg",
        "iface=main.T0",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let text = fs::read_to_string(&path).expect("written");
    assert!(
        text.contains(";! go = \"1.10\"") && text.contains("; Assumed: "),
        "{text}"
    );
    assert_eq!(instructions(&[path.to_str().expect("UTF-8")]), 24.0);
}

#[test]
fn what_is_printed_in_go_s_syntax_reads_back_as_the_same_bytes() {
    for name in [
        "itab_wrapper",
        "wrapper_call[go=1.10]",
        "type_switch[cases=8,strategy=binary]",
        "convert_value[kind=string,to=iface]",
        "assert_to_interface",
    ] {
        let shown = dispatchlab(&["show", name, "--syntax", "go"]);
        assert_eq!(shown.code, 0, "{name}: {}", shown.stderr);
        // All of it, with its title.
        let text = &*shown.stdout;
        let plain = dispatchlab(&["show", name]);
        // Address, bytes and text of each instruction; what the linker fills differs.
        let bytes: usize = plain
            .stdout
            .lines()
            .filter(|line| line.starts_with("  0x"))
            .map(|line| {
                let words = line.split_whitespace().skip(1);
                let is_byte = |word: &&str| word.len() == 2 && u8::from_str_radix(word, 16).is_ok();
                words.take_while(is_byte).count()
            })
            .sum();
        let reading = Reading {
            is_open: true,
            ..Reading::default()
        };
        let read = fragment_in(text, &reading)
            .unwrap_or_else(|errors| panic!("{name}: {errors:#?}\n{text}"));
        let size = |line: &str| match line.starts_with("GLOBL ") {
            true => line.rsplit_once('$')?.1.parse::<usize>().ok(),
            false if line.contains(" STEXT ") => None,
            false => line.rsplit_once(" size=")?.1.parse().ok(),
        };
        let data: usize = text.lines().filter_map(size).sum();
        assert_eq!(read.size() as usize, bytes + data, "{name}");
        assert_eq!(
            name.starts_with("convert"),
            text.contains("runtime.stringType SRODATA size=8"),
            "{name}\n{text}"
        );
        // Nearly all of it stands there in words.
        let raw = text
            .lines()
            .filter(|line| line.contains(")  BYTE "))
            .count();
        assert!(
            raw * 20 < text.lines().count(),
            "{name}: {raw} bytes\n{text}"
        );
    }
}

#[test]
fn a_template_in_go_s_syntax_goes_through_every_command() {
    let folder = folder("go_template");
    let file = folder.join("sum.s");
    let text = "//! result = \"eax\"\n//! expect = 42\n//! clobbers = \"all\"\nbody:\n\tMOVL $40, AX // of it\n\
        \tCALL ·two(SB)\nTEXT ·two(SB), NOSPLIT, $0\n\tADDL $2, AX\n\tRET\n";
    fs::write(&file, text).expect("written");
    let file = file.to_str().expect("UTF-8");
    assert_eq!(instructions(&[file]), 4.0);
    for command in [
        &["check", file][..],
        &["show", file],
        &["step", file],
        &[
            "compare",
            file,
            "direct_call",
            "--quick",
            "--counters",
            "none",
        ],
    ] {
        let run = dispatchlab(command);
        assert_eq!(run.code, 0, "{command:?}: {}{}", run.stdout, run.stderr);
    }
    let mixed = format!("{text}\tmov eax, [rbx]\n");
    let wrong = folder.join("mixed.s");
    fs::write(&wrong, mixed).expect("written");
    let run = dispatchlab(&["check", wrong.to_str().expect("UTF-8")]);
    assert_eq!(run.code, 3);
    assert!(
        run.said().contains("one text has one syntax"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_a_text_calls_of_the_runtime_is_there() {
    let folder = folder("go_runtime");
    let file = folder.join("calls.s");
    let path = file.to_str().expect("UTF-8");
    for release in ["1.10", "1.19", "1.27"] {
        let barrier = match release {
            "1.27" => "CALL runtime·gcWriteBarrier3(SB)\n",
            _ => "",
        };
        let text = format!(
            "//! go = \"{release}\"\nTEXT ·f(SB), NOSPLIT, $32-0\n\tLEAQ ·from(SB), DI\n\tDUFFZERO $253\n\
             \tLEAQ ·from(SB), SI\n\tLEAQ ·to(SB), DI\n\tDUFFCOPY $840\n\tLEAQ type·uint64(SB), AX\n\
             \tMOVQ AX, (SP)\n\tCALL runtime·newobject(SB)\n\t{barrier}\tRET\n"
        );
        fs::write(&file, text).expect("written");
        let ran = run(&[path]);
        assert_eq!(ran.code, 0, "{release}: {}{}", ran.stdout, ran.stderr);
    }
    fs::write(
        &file,
        "TEXT ·f(SB), NOSPLIT, $0\n\tCALL runtime·panicIndex(SB)\n\tRET\n",
    )
    .expect("written");
    let (_, document) = json(&["run", "--quick", "--counters", "none", path]);
    let row = rows(&document)[0].1.clone();
    assert_eq!(row["status"], "panic", "{row:#}");
    assert_eq!(row["panic"], "runtime error: index out of range");
}

#[test]
fn a_type_whose_hash_nobody_knows_here_is_said_to_have_none() {
    let folder = folder("go_unhashed");
    for (release, said) in [
        ("1.23", "there is its hash"),
        ("1.18", "no hash"),
        ("1.24", "there is its hash"),
        ("1.25", "there is its hash"),
    ] {
        let file = folder.join("unhashed.s");
        let text = format!(
            "//! go = \"{release}\"\nTEXT main.f(SB), ABIInternal, $0-8\n\tLEAQ type:main.T(SB), AX\n\tRET\n"
        );
        fs::write(&file, &text).expect("written");
        let ran = run(&[file.to_str().expect("UTF-8")]);
        let told = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(said), "{release}: {told}");
        // Only what reads it wants it.
        for line in [
            "MOVL 16(AX), CX",
            "CMPL CX, type:main.T+16(SB)",
            "MOVL 20(AX), CX",
            "MOVL 16(SP), CX",
        ] {
            let text = text.replace("\tRET\n", &format!("\t{line}\n\tRET\n"));
            fs::write(&file, text).expect("written");
            let ran = run(&[file.to_str().expect("UTF-8")]);
            let is_refused = said == "no hash" && !line.contains("20(") && !line.contains("SP");
            assert_eq!(
                ran.code == 3,
                is_refused,
                "{release} {line}: {}{}",
                ran.stdout,
                ran.stderr
            );
            assert!(
                !is_refused || unfolded(&ran.stdout).contains("the hash of a type is read here"),
                "{}",
                ran.stdout
            );
        }
    }
}

#[test]
fn no_row_of_a_listing_is_passed_over_because_of_what_stands_in_front_of_it() {
    let first = "TEXT main.f(SB) a.go\n  a.go:9\t0x1000\tb801000000\tMOVL $0x1, AX\n";
    for (front, column) in [("> ", 3), ("25 ", 4), ("a b.go:3 ", 10)] {
        let text =
            format!("{first}{front}0x1005\t4883c002\tADDQ $0x2, AX\n  a.go:9\t0x1009\tc3\tRET\n");
        let (line, at, message, _) = problem(&text);
        assert_eq!((line, at), (3, column), "{front}: {message}");
        assert!(
            message.starts_with("a row of a listing begins here"),
            "{message}"
        );
    }
    // Where delve has a breakpoint.
    let marked = "TEXT main.f(SB) a.go\n\ta.go:9\t0x1000*\tb801000000\tmov eax, 0x1\n\ta.go:9\t0x1005\tc3\tret\n";
    assert_eq!(hex(marked), "b801000000c3");
}

#[test]
fn a_function_of_more_than_100000_bytes_has_offsets_of_six_digits() {
    let row = |at: usize, text: &str| format!("\t{at:#06x} {at:05} (a.go:1)\t{text}\n");
    let text = row(99_999, "MOVQ\tAX, BX") + &row(100_002, "ADDQ\t$8, BX") + &row(100_006, "RET");
    assert_eq!(hex(&text), "4889c34883c308c3");
    // Three bytes of a disassembler.
    let text = "TEXT main.f(SB) a.go\n  a.go:9\t0x457000\t488910\tMOVQ DX, 0(AX)\n  a.go:9\t0x457003\tc3\tRET\n";
    assert_eq!(hex(text), "488910c3");
}

#[test]
fn what_a_debugger_reads_or_has_no_name_is_no_row_of_the_data_in_front_of_it() {
    let data = "main.x SNOPTRDATA size=8\n\t0x0000 03 00 00 00 00 00 00 00  ........\n";
    let debugger = " SDWARFVAR size=8 align=0x0\n\t0x0000 0a 6d 61 69 6e 2e 78 00  .main.x.\n";
    let code = "main.f STEXT nosplit size=1\n\t0x0000 00000 (a.go:1)\tTEXT\tmain.f(SB), NOSPLIT, $0\n\t0x0000 00000 (a.go:1)\tRET\n";
    let folder = folder("go_debugger");
    let file = folder.join("x.txt");
    let of = |text: String| {
        fs::write(&file, text).expect("written");
        let run = dispatchlab(&["asm", "--hex", file.to_str().expect("UTF-8")]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    let without = of(format!("{code}{data}"));
    assert!(without.contains("0300000000000000"), "{without}");
    assert_eq!(of(format!("{code}{data}{debugger}")), without);
    let nameless = " SRODATA size=3 align=0x0\n\t0x0000 0a 6d 61  .ma\n";
    assert_eq!(of(format!("{code}{data}{nameless}")), without);
    assert_eq!(of(format!("{code}{nameless}{data}")), without);
}

#[test]
fn zeros_that_nothing_is_written_for_are_bytes_of_the_listing_too() {
    let file = folder("go_zeros").join("zeros.txt");
    for size in [1023, 1024, 4392] {
        let text = format!(
            "main.x SRODATA static size={size} align=0x8\nmain.y SRODATA size=8 align=0x8\n\t0x0000 01 02 03 04 05 06 07 08  ........\n"
        );
        fs::write(&file, text).expect("written");
        let path = file.to_str().expect("UTF-8");
        let bytes = dispatchlab(&["asm", "--hex", path]);
        assert!(bytes.stdout.trim().len() >= 2 * (size + 8), "{size}");
        let rows = dispatchlab(&["asm", path]);
        assert_eq!((bytes.code, rows.code), (0, 0), "{}", rows.stderr);
    }
}

#[test]
fn a_comparison_with_its_bytes_beside_it_is_read_in_the_order_of_each_release() {
    for (bytes, text) in [
        ("39c3", "CMPL AX, BX"),
        ("39c3", "CMPL BX, AX"),
        ("493b6610", "CMPQ 0x10(R14), SP"),
        ("493b6610", "CMPQ SP, 0x10(R14)"),
        ("49396610", "CMPQ SP, 0x10(R14)"),
        ("49396610", "CMPQ 0x10(R14), SP"),
        ("4883f809", "CMPQ $0x9, AX"),
        ("4883f809", "CMPQ AX, $0x9"),
    ] {
        let listing = format!(
            "TEXT main.f(SB) a.go\n  a.go:9\t0x1000\t{bytes}\t{text}\n  a.go:9\t{:#x}\tc3\tRET\n",
            0x1000 + bytes.len() / 2
        );
        assert_eq!(hex(&listing), format!("{bytes}c3"), "{text}");
    }
}

#[test]
fn masks_and_suffixes_of_avx_512_are_read_as_go_s_assembler_reads_them() {
    // As Go 1.19 assembles them, but for the bits of a length that `SAE` has the CPU pass over.
    #[rustfmt::skip] // a table: one line a line
    let all = [
        ("VADDPD Z0, Z1, K1, Z2", "62f1f54958d0"),
        ("VADDPD.Z Z0, Z1, K2, Z2", "62f1f5ca58d0"),
        ("VADDPD.BCST (AX), Z1, Z2", "62f1f5585810"),
        ("VADDPD.BCST.Z 8(AX), Z1, K3, Z2", "62f1f5db585001"),
        ("VADDPD.RN_SAE Z0, Z1, Z2", "62f1f51858d0"),
        ("VADDPD.RZ_SAE.Z Z0, Z1, K7, Z2", "62f1f5ff58d0"),
        ("VMAXPD.SAE Z0, Z1, Z2", "62f1f5185fd0"),
        ("VPCMPEQB Z0, Z1, K2, K1", "62f1754a74c8"),
        ("VPCMPB $1, Z0, Z1, K2, K3", "62f3754a3fd801"),
        ("VCMPPD.SAE $0, Z0, Z1, K2, K3", "62f1f51ac2d800"),
        ("VMOVDQU64 Z0, K1, (AX)", "62f1fe497f00"),
        ("VMOVDQU64.Z (AX), K1, Z0", "62f1fec96f00"),
        ("VMOVDQU8 (AX), Z17", "62e17f486f08"),
        ("VPGATHERQQ (AX)(Z1*8), K1, Z2", "62f2fd499114c8"),
        ("VPBLENDMB Z0, Z1, K1, Z2", "62f2754966d0"),
        ("VPMOVM2B K1, Z0", "62f27e4828c1"),
        ("VPADDD.BCST (AX), Y1, K1, Y2", "62f17539fe10"),
        ("VCVTTPD2DQ.SAE Z0, K1, Y1", "62f1fd19e6c8"),
        ("VPTERNLOGD.BCST $3, (AX), X1, K1, X2", "62f37519251003"),
        ("VCOMPRESSPD Z0, K4, 64(AX)", "62f2fd4c8a4008"),
        ("VSCATTERDPD Z1, K1, (AX)(Y2*8)", "62f2fd49a20cd0"),
        ("VPTESTMD Z0, Z1, K2, K1", "62f2754a27c8"),
        ("VFMADD213SD.RU_SAE X0, X1, K1, X2", "62f2f559a9d0"),
    ];
    for (line, bytes) in all {
        let text = format!("TEXT ·f(SB), NOSPLIT|NOFRAME, $0\n{line}\n");
        assert_eq!(hex(&text), bytes, "{line}");
    }
    // What Go refuses, too.
    for line in [
        "VADDPD Z0, Z1, K0, Z2",
        "VADDPD.Z Z0, Z1, Z2",
        "ADDQ.Z AX, BX",
        "VADDPD.RN_SAE Y0, Y1, Y2",
    ] {
        problem(&format!("TEXT ·f(SB), NOSPLIT|NOFRAME, $0\n{line}\n"));
    }
}

#[test]
fn the_x87_is_refused_by_name() {
    for line in [
        "FMOVD 8(SP), F0",
        "FADDDP F0, F1",
        "FSUBRD F0, F1",
        "FXCHD F0, F1",
    ] {
        let (.., message, help) = problem(&format!("TEXT ·f(SB), NOSPLIT|NOFRAME, $0\n{line}\n"));
        let name = line.split(' ').next().expect("a name");
        assert!(
            message.contains(&format!("`{name}` is of the x87")) && help.contains("BYTE"),
            "{message} {help}"
        );
    }
    assert_eq!(hex("TEXT ·f(SB), NOSPLIT|NOFRAME, $0\nFLD1\n"), "d9e8");
}
