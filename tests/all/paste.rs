//! Listings without a header: run, checked, and made a template of.
//!
//! Correct means: a pasted function runs as it is, what nobody wrote is said, and what is left to choose
//! is asked.

use std::fs;

use crate::common::{
    Run, dispatchlab, folder, fresh, json, rows, run_in, template, unfolded, value,
};

fn fixture(name: &str) -> String {
    format!(
        "{}/tests/fixtures/pasted/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn run(arguments: &[&str]) -> Run {
    let all = ["run", "--quick", "--counters", "none"]
        .iter()
        .chain(arguments);
    dispatchlab(&all.collect::<Vec<_>>())
}

#[test]
fn a_pasted_function_runs_and_says_what_it_assumed() {
    for (name, function) in [
        ("gdb-r.txt", "fold"),
        ("gcc-intel.txt", "step"),
        ("gcc-att.txt", "_Z5totalPKP5Shapem"),
        ("visual-studio.txt", "twice"),
    ] {
        let run = run(&[&fixture(name)]);
        assert_eq!(run.code, 0, "{name}: {}{}", run.stdout, run.stderr);
        let said = run.said();
        assert!(
            said.contains(&format!("one iteration calls `{function}`")),
            "{name}: {said}"
        );
        assert!(
            said.contains("rdi and rcx hold the address of an object"),
            "{name}: {said}"
        );
    }
}

#[test]
fn every_command_that_reads_a_text_is_told_its_syntax_and_what_separates() {
    let folder = folder("told");
    let written = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).expect("written");
        file.to_str().expect("UTF-8").to_string()
    };
    // Each of them makes of a number and a register what the other does not.
    let intel = written("intel.s", "mov eax, 1\nadd eax, 2; add eax, 3\nret\n");
    let att = written("att.s", "movl $1, %eax\nadd $2, %eax; add $3, %eax\nret\n");
    let new = folder.join("new");
    // What an earlier run of the tests left.
    let _ = fs::remove_dir_all(&new);
    fs::create_dir_all(&new).expect("a folder");
    let new = new.to_str().expect("UTF-8");
    // `show` says with it how it prints.
    let commands: [&[&str]; 7] = [
        &["asm"],
        &["check"],
        &["run", "--quick", "--counters", "none"],
        &["step"],
        &["compare", "inline", "--quick", "--counters", "none"],
        &["sweep", "-P", "align=0,16", "--quick", "--counters", "none"],
        &["new", "mine", "--templates", new, "--from-listing"],
    ];
    for command in commands {
        let with = |file: &str, options: &[&str]| {
            let all: Vec<&str> = [command, &[file], options].concat();
            dispatchlab(&all)
        };
        for (file, other) in [(&intel, "att"), (&att, "intel")] {
            let run = with(file, &["--syntax", other]);
            assert_eq!(
                run.code, 3,
                "{command:?} {other}: {}{}",
                run.stdout, run.stderr
            );
        }
        let run = with(&intel, &["--syntax", "intel", "--separator", ";"]);
        assert_eq!(run.code, 0, "{command:?}: {}{}", run.stdout, run.stderr);
        let warned = |run: &Run| run.said().contains("an instruction stands in it");
        assert!(!warned(&run), "{command:?}: {}", run.stderr);
        if command[0] == "new" {
            let file = format!("{new}/mine.asm");
            let text = fs::read_to_string(&file).expect("written");
            assert!(
                text.contains(";! syntax = \"intel\"\n;! separator = \";\"\n"),
                "{text}"
            );
            assert_eq!(dispatchlab(&["check", &file]).code, 0);
        } else {
            assert!(warned(&with(&intel, &[])), "{command:?}");
        }
    }
}

fn instructions(arguments: &[&str]) -> f64 {
    let all = ["run", "--quick", "--counters", "none"];
    let (code, document) = json(&[&all, arguments].concat());
    assert_eq!(code, 0, "{document}");
    value(rows(&document)[0].1, "instructions")
}

#[test]
fn what_was_said_of_a_text_is_in_its_header_or_in_the_saved_job() {
    let folder = folder("told_once");
    let written = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).expect("written");
        file.to_str().expect("UTF-8").to_string()
    };
    let code = "one:\n  mov eax, 1\n  ret\ntwo:\n  mov eax, 1; add eax, 2; add eax, 3\n  ret\n";
    let plain = written("plain.s", code);
    let told = written(
        "told.s",
        &format!(";! separator = \";\"\n;! call = \"two\"\n{code}"),
    );
    let options = ["--separator", ";", "--call", "two"];
    let by_options = instructions(&[&[plain.as_str()], &options[..]].concat());
    assert_eq!(by_options, instructions(&[&told]));
    assert_eq!(by_options, instructions(&[&plain, "--call", "two"]) + 2.0);
    let job = folder.join("job.json");
    let job = job.to_str().expect("UTF-8");
    let save = [
        &[
            "run",
            "--quick",
            "--counters",
            "none",
            "--save-job",
            job,
            &plain,
        ],
        &options[..],
    ]
    .concat();
    let saved = dispatchlab(&save);
    assert_eq!(saved.code, 0, "{}{}", saved.stdout, saved.stderr);
    assert_eq!(by_options, instructions(&["--job", job]));
    let again = dispatchlab(&["run", "--job", job, "--syntax", "intel"]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    let wrong = written("wrong.s", ";! separator = \",\"\nnop\n");
    assert_eq!(dispatchlab(&["check", &wrong]).code, 3);
}

#[test]
fn of_several_functions_one_is_asked_for() {
    let folder = folder("several");
    let text = "one:\n  mov eax, 1\n  ret\ntwo:\n  xor eax, eax\n  add eax, 2\n  ret\n";
    let file = folder.join("several.s");
    fs::write(&file, text).expect("written");
    let file = file.to_str().expect("UTF-8");
    let asked = run(&[file]);
    assert_eq!(asked.code, 3);
    let said = unfolded(&asked.stdout);
    assert!(
        said.contains("`--call SYMBOL`") && said.contains("one, two"),
        "{said}"
    );
    let none = run(&[file, "--call", "three"]);
    assert!(
        unfolded(&none.stdout).contains("no function `three`"),
        "{}",
        none.stderr
    );
    let counted = |symbol: &str| {
        let arguments = [
            "run",
            file,
            "--call",
            symbol,
            "--quick",
            "--counters",
            "none",
        ];
        let (code, document) = json(&arguments);
        assert_eq!(code, 0);
        value(rows(&document)[0].1, "instructions")
    };
    assert_eq!(counted("two") - counted("one"), 1.0);
}

#[test]
fn text_without_a_function_is_the_iteration_itself() {
    let folder = folder("bare");
    let file = folder.join("bare.txt");
    fs::write(&file, "  imul %esi, %edi\n  addl %edi, %eax\n").expect("written");
    let file = file.to_str().expect("UTF-8");
    let (code, document) = json(&["run", file, "--quick", "--counters", "none"]);
    assert_eq!(code, 0);
    assert_eq!(value(rows(&document)[0].1, "instructions"), 2.0);
}

#[test]
fn the_template_of_a_listing_has_the_assumptions_as_comments_and_runs() {
    let folder = folder("from-listing");
    // What an earlier run has left is not overwritten.
    let _ = fs::remove_file(folder.join("mine.asm"));
    let dir = folder.to_str().expect("UTF-8");
    let made = dispatchlab(&[
        "new",
        "mine",
        "--from-listing",
        &fixture("gdb-r.txt"),
        "--templates",
        dir,
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let text = fs::read_to_string(folder.join("mine.asm")).expect("written");
    assert!(
        text.contains("; Assumed: one iteration calls `fold`."),
        "{text}"
    );
    assert!(text.contains("func \"listing\":"), "{text}");
    let (code, pasted) = json(&[
        "run",
        &fixture("gdb-r.txt"),
        "--quick",
        "--counters",
        "none",
    ]);
    assert_eq!(code, 0);
    let (code, template) = json(&[
        "run",
        "mine",
        "--templates",
        dir,
        "--quick",
        "--counters",
        "none",
    ]);
    assert_eq!(code, 0);
    let count = |document| value(rows(document)[0].1, "instructions");
    assert_eq!(count(&pasted), count(&template));
}

#[test]
fn check_counts_the_instructions_that_have_the_listing_s_bytes() {
    let checked = dispatchlab(&["check", &fixture("objdump-intel.txt")]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let said = "50 of 50 instructions byte-identical to the listing";
    assert!(checked.stdout.contains(said), "{}", checked.stdout);
}

/// `objdump -F` says behind each name where in the file it stands.
#[test]
fn a_listing_with_offsets_of_the_file_is_read_as_the_one_without() {
    let plain = fs::read_to_string(fixture("objdump-intel.txt")).expect("readable");
    let with = |line: &str| match (line.strip_suffix(">:"), line.strip_suffix('>')) {
        (Some(heading), _) => format!("{heading}> (File Offset: 0x1170):\n"),
        (_, Some(named)) => format!("{named}> (File Offset: 0x1170)\n"),
        _ => format!("{line}\n"),
    };
    let offsets: String = plain.lines().map(with).collect();
    assert!(offsets.matches("(File Offset").count() > 5, "{offsets}");
    let file = folder("offsets").join("listing.txt");
    fs::write(&file, offsets).expect("written");
    let offsets = dispatchlab(&["check", file.to_str().expect("UTF-8")]);
    let plain = dispatchlab(&["check", &fixture("objdump-intel.txt")]);
    let said = "50 of 50 instructions byte-identical to the listing";
    assert!(
        offsets.stdout.contains(said),
        "{}{}",
        offsets.stdout,
        offsets.stderr
    );
    assert_eq!(offsets.stderr, plain.stderr);
}

#[test]
fn the_guard_of_a_stack_is_read_and_its_failure_is_there() {
    let folder = folder("guard");
    let file = folder.join("guard.s");
    let text = "f:\n\tsubq $24, %rsp\n\tmovq %fs:40, %rax\n\tmovq %rax, 8(%rsp)\n\txorl %eax, %eax\n\
                \tmovq 8(%rsp), %rdx\n\tsubq %fs:40, %rdx\n\tjne .L4\n\taddq $24, %rsp\n\tret\n.L4:\n\tcall __stack_chk_fail@PLT\n";
    fs::write(&file, text).expect("written");
    let run = run(&[file.to_str().expect("UTF-8")]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(
        run.said().contains("`__stack_chk_fail` is there"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_wrong_with_a_fragment_is_json_where_json_is_asked_for() {
    let folder = folder("wrong");
    let file = folder.join("wrong.s");
    fs::write(&file, "mov eax, bl\n".repeat(30)).expect("written");
    let (code, document) = json(&["asm", file.to_str().expect("UTF-8")]);
    assert_eq!(code, 3);
    let diagnostics = document["diagnostics"].as_array().expect("a list");
    assert_eq!(diagnostics.len(), 30);
    assert_eq!(diagnostics[29]["line"], 30);
}

#[test]
fn what_only_a_listing_has_a_use_for_is_said_of_a_text_with_sections() {
    let place = fresh("unused_options");
    template(&place, "own", "body:\n nop\n");
    template(&place, "listing", "f:\n mov eax, 1\n ret\n");
    let said = |arguments: &[&str]| {
        let rest = ["--counters", "none"];
        let run = run_in(&place, &[&["run"], arguments, &rest].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.said()
    };
    let call = said(&["own.asm", "--call", "f"]);
    assert!(
        call.contains("warning: `--call f` names a function of a pasted listing, and own has sections of its own"),
        "{call}"
    );
    assert!(!said(&["listing.asm", "--call", "f"]).contains("--call f"));
    let argument = said(&["own.asm", "--arg", "rsi=1"]);
    assert!(
        argument.contains("warning: `--arg rsi=1` is for the function of a pasted listing"),
        "{argument}"
    );
    assert!(!said(&["listing.asm", "--arg", "rsi=1"]).contains("warning"));
}

#[test]
fn an_argument_that_is_given_is_in_its_register_and_a_wrong_one_is_refused() {
    let place = fresh("given_arguments");
    template(&place, "sum", "f:\n lea rax, [rdi+rsi]\n ret\n");
    let file = place.join("sum.asm");
    let file = file.to_str().expect("UTF-8");
    let folder = place.join("new");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let own = folder.to_str().expect("UTF-8");
    let given = ["--arg", "rdi=-5", "--arg", "esi=0x10"];
    let new = ["new", "mine", "--templates", own, "--from-listing", file];
    let run = dispatchlab(&[&new[..], &given].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = fs::read_to_string(folder.join("mine.asm")).expect("written");
    assert!(text.contains("  mov rdi, -5\n  mov esi, 16\n"), "{text}");
    assert!(
        text.contains("rcx holds the address of an object"),
        "{text}"
    );
    assert!(text.contains("edx, r8d and r9d hold 1"), "{text}");
    for (argument, why) in [
        ("rsp=1", "general register but `rsp`"),
        ("AX=1", "general register but `rsp`"),
        ("rsi=one", "a whole number"),
    ] {
        let run = dispatchlab(&["run", file, "--counters", "none", "--arg", argument]);
        assert_eq!(run.code, 3, "{argument}: {}", run.stdout);
        assert!(
            unfolded(&run.stdout).contains(why),
            "{argument}: {}",
            run.stdout
        );
    }
    template(&place, "bare", "mov eax, 1\n");
    let run = run_in(
        &place,
        &["run", "bare.asm", "--counters", "none", "--arg", "rsi=1"],
    );
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(
        unfolded(&run.stdout).contains("has no function that takes it"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_fault_of_an_assumed_argument_names_it_and_one_of_a_given_one_does_not() {
    let place = fresh("assumed_faults");
    let fault = |name: &str, code: &str, arguments: &[&str]| {
        template(&place, name, code);
        let file = format!("{name}.asm");
        let run = run_in(
            &place,
            &[&["run", &file, "--counters", "none"], arguments].concat(),
        );
        assert_eq!(run.code, 4, "{name}: {}{}", run.stdout, run.stderr);
        unfolded(&run.stdout)
    };
    let read = "f:\n\tmov\teax, [rdi+8]\n\tmov\teax, [rsi]\n\tret\n";
    let said = fault("read", read, &[]);
    assert!(
        said.contains("rsi was assumed to be 1: `--arg rsi=object`"),
        "{said}"
    );
    // The quoted line has blanks for its tabs.
    assert!(said.contains("read.asm:3: mov eax, [rsi]"), "{said}");
    let said = fault("read", read, &["--arg", "rsi=8"]);
    assert!(!said.contains("rsi was assumed"), "{said}");
    let derived = fault(
        "derived",
        "f:\n lea rax, [rsi+7]\n mov eax, [rax]\n ret\n",
        &[],
    );
    assert!(derived.contains("its arguments were assumed"), "{derived}");
    // No argument is to blame for an endless recursion.
    let deep = fault("deep", "f:\n call f\n ret\n", &[]);
    assert!(!deep.contains("assumed"), "{deep}");
    let own = fault("own", "body:\n xor eax, eax\n mov eax, [rax]\n", &[]);
    assert!(!own.contains("assumed"), "{own}");
    template(&place, "read", read);
    let run = run_in(
        &place,
        &[
            "run",
            "read.asm",
            "--counters",
            "none",
            "--arg",
            "rsi=object",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn the_instructions_around_a_pasted_function_are_told() {
    let place = fresh("around");
    template(&place, "f", "f:\n mov eax, 1\n ret\n");
    let run = run_in(&place, &["run", "f.asm", "--counters", "none"]);
    assert!(
        run.said().contains(
            "7 of the instructions that are counted, and one of the branches, are this call"
        ),
        "{}",
        run.said()
    );
    let file = place.join("f.asm");
    assert_eq!(instructions(&[file.to_str().expect("UTF-8")]), 7.0 + 2.0);
}

#[test]
fn labels_of_data_are_no_functions_and_of_a_text_of_nasm_the_global_one_is_called() {
    let place = fresh("data_labels");
    let text = "section .data\nmsg: db \"hello\", 10\nlen equ $-msg\ntable: dq 1, 2, main\n\
                section .rodata\nro: dd 7\npi: dq 3.14\n\
                section .bss\nbuf: resb 64\ncount resq 2\n\
                section .text\nmain:\n mov rcx, [rel table+8]\n add ecx, [rel ro]\n mov [rel count], rcx\n\
                 mov eax, len\n.loop:\n dec ecx\n jnz .loop\n ret\n";
    template(&place, "one", text);
    let run = run_in(&place, &["run", "one.asm", "--counters", "none"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(
        run.said().contains("one iteration calls `main`"),
        "{}",
        run.said()
    );
    let two = format!("{text}again:\n jmp main\n");
    template(&place, "two", &two);
    let run = run_in(&place, &["run", "two.asm", "--counters", "none"]);
    assert_eq!(run.code, 3);
    let said = unfolded(&run.stdout);
    assert!(said.contains("main, again"), "{said}");
    template(&place, "open", &format!("global main\n{two}"));
    let run = run_in(&place, &["run", "open.asm", "--counters", "none"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let run = run_in(
        &place,
        &["run", "open.asm", "--counters", "none", "--call", "again"],
    );
    assert!(
        run.said().contains("one iteration calls `again`"),
        "{}",
        run.said()
    );
}

#[test]
fn a_second_name_of_a_function_is_called_like_the_first() {
    let place = fresh("aliases");
    let text = "\t.globl\tone\n\t.type\tone, @function\none:\n\tmovl\t$1, %eax\n\tret\n\t.size\tone, .-one\n\
                \t.globl\ttwo\n\t.type\ttwo, @function\n\t.set\ttwo,one\n\
                \t.type\tthree, @function\nthree:\n\tcall\ttwo\n\tcall\tone.localalias\n\tret\n\
                \t.set\tone.localalias,one\n\t.data\ntable:\n\t.quad\ttwo\n";
    template(&place, "aliases", text);
    let file = place.join("aliases.asm");
    let file = file.to_str().expect("UTF-8");
    assert_eq!(instructions(&[file, "--call", "two"]), 7.0 + 2.0);
    assert_eq!(instructions(&[file, "--call", "three"]), 7.0 + 7.0);
}

#[test]
fn the_listing_of_nasm_runs_as_its_source_and_has_its_bytes() {
    let place = fresh("nasm_listing");
    let text = fs::read_to_string(fixture("nasm-data.lst")).expect("readable");
    template(&place, "listing", &text);
    let file = place.join("listing.asm");
    let file = file.to_str().expect("UTF-8");
    let run = dispatchlab(&["check", file]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    // An address of 32 bits is none here, and its instruction is one of the source.
    assert!(
        run.stdout.contains("13 of 13 instructions byte-identical"),
        "{}",
        run.stdout
    );
    let run = run_in(&place, &["run", "listing.asm", "--counters", "none"]);
    assert!(
        run.said().contains("one iteration calls `f`"),
        "{}",
        run.said()
    );
    assert_eq!(instructions(&[file]), 7.0 + 14.0);
    let changed = text.replace("4883C005", "4883C006");
    template(&place, "changed", &changed);
    let run = run_in(&place, &["check", "changed.asm"]);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.contains("the listing's bytes say"),
        "{}",
        run.stderr
    );
}

#[test]
fn code_of_other_machines_and_none_at_all_are_refused_in_a_sentence() {
    let place = fresh("no_code");
    let refused = |name: &str, text: &str| {
        template(&place, name, text);
        let file = format!("{name}.asm");
        let run = run_in(&place, &["run", &file, "--counters", "none"]);
        assert_eq!(run.code, 3, "{name}: {}{}", run.stdout, run.stderr);
        unfolded(&run.stdout)
    };
    // It would assemble, and read its arguments where the upper half of rsp is lost.
    let frame = refused(
        "frame",
        "f:\n\tmovl\t4(%esp), %eax\n\taddl\t8(%esp), %eax\n\tret\n",
    );
    assert!(
        frame.contains("this is 32-bit code") && frame.contains("-m64"),
        "{frame}"
    );
    let lto = refused(
        "lto",
        "\t.file\t\"m.c\"\n\t.section\t.gnu.lto_.profile.97de,\"e\",@progbits\n\t.string\t\"x\"\n\t.text\n\
         \t.comm\t__gnu_lto_slim,1,1\n\t.ident\t\"GCC\"\n",
    );
    assert!(
        lto.contains("left the code to the linker") && lto.contains("-ffat-lto-objects"),
        "{lto}"
    );
    let none = refused("none", "\t.file\t\"m.c\"\n\t.text\n\t.globl\tf\n");
    assert!(none.contains("the text has no instruction"), "{none}");
    // With its code beside them, such a text runs.
    let fat = "\t.section\t.gnu.lto_.profile.97de,\"e\",@progbits\n\t.string\t\"x\"\n\t.text\nf:\n\tmovl\t$1, %eax\n\tret\n";
    template(&place, "fat", fat);
    let run = run_in(&place, &["run", "fat.asm", "--counters", "none"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn data_that_a_linked_listing_addresses_are_assumed_by_their_names_and_never_other_code() {
    let place = fresh("linked_listing");
    let listings = [
        (
            "objdump",
            "0000000000001208 <count>:\n    1208:\t8b 05 72 2e 00 00    \tmov    eax,DWORD PTR [rip+0x2e72]        # 4080 <counter>\n    \
             120e:\t8d 50 01             \tlea    edx,[rax+0x1]\n    1211:\t89 15 69 2e 00 00    \tmov    DWORD PTR [rip+0x2e69],edx        # 4080 <counter>\n    \
             1217:\tc3                   \tret\n",
        ),
        (
            "gdb",
            "Dump of assembler code for function count:\n   0x0000000000001208 <+0>:\tmov    0x2e72(%rip),%eax        # 0x4080 <counter>\n   \
             0x000000000000120e <+6>:\tlea    0x1(%rax),%edx\n   0x0000000000001211 <+9>:\tmov    %edx,0x2e69(%rip)        # 0x4080 <counter>\n   \
             0x0000000000001217 <+15>:\tret\nEnd of assembler dump.\n",
        ),
    ];
    for (name, text) in listings {
        template(&place, name, text);
        let file = format!("{name}.asm");
        let run = run_in(&place, &["run", &file, "--counters", "none"]);
        assert_eq!(run.code, 0, "{name}: {}", run.stdout);
        assert!(
            run.said().contains("`counter` is 4096 bytes of zeros"),
            "{name}: {}",
            run.said()
        );
        let bare = text
            .replace(" <counter>", "")
            .replace("        # 4080", "")
            .replace("        # 0x4080", "");
        template(&place, "bare", &bare);
        let run = run_in(&place, &["run", "bare.asm", "--counters", "none"]);
        assert_eq!(run.code, 0, "{name}: {}", run.stdout);
        assert!(
            run.said().contains("`0x4080` is 4096 bytes of zeros"),
            "{name}: {}",
            run.said()
        );
    }
}

#[test]
fn a_wrong_function_is_left_out_where_nothing_that_is_called_names_it() {
    let place = fresh("left_out");
    let function = |name: &str, code: &str| {
        format!(
            "\t.globl\t{name}\n\t.type\t{name}, @function\n{name}:\n{code}\tret\n\t.size\t{name}, .-{name}\n"
        )
    };
    let thread = function("thread", "\tmovl\t%fs:x@tpoff, %eax\n");
    let text = thread.clone() + &function("good", "\tmovl\t$1, %eax\n");
    template(&place, "apart", &text);
    let run = run_in(
        &place,
        &["run", "apart.asm", "--counters", "none", "--call", "good"],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(
        run.said()
            .contains("`thread`, which is not called, is left out, for line 4 is refused"),
        "{}",
        run.said()
    );
    let called = thread + &function("good", "\tcall\tthread\n");
    template(&place, "called", &called);
    for function in ["good", "thread"] {
        let run = run_in(
            &place,
            &[
                "run",
                "called.asm",
                "--counters",
                "none",
                "--call",
                function,
            ],
        );
        assert_eq!(run.code, 3, "{function}: {}", run.stdout);
    }
    let outside = text + "\tmovl\t%fs:8, %eax\n";
    template(&place, "outside", &outside);
    let run = run_in(
        &place,
        &["run", "outside.asm", "--counters", "none", "--call", "good"],
    );
    assert_eq!(run.code, 3, "{}", run.stdout);
}

#[test]
fn a_function_of_cpp_is_called_without_its_arguments_and_data_of_a_filtered_text_are_none() {
    let place = fresh("explorer");
    let text = "sum(int const*, int):\n mov eax, esi\n ret\nnames:\n .quad .LC0\nacc:\n .zero 64\n.LC0:\n .string \"zero\"\nwide: .long 5\n";
    template(&place, "one", text);
    let run = run_in(&place, &["run", "one.asm", "--counters", "none"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    let two = text.to_string() + "sum(int):\n ret\nother<int>(int):\n ret\n";
    template(&place, "two", &two);
    let code = |function: &str| {
        run_in(
            &place,
            &["run", "two.asm", "--counters", "none", "--call", function],
        )
        .code
    };
    assert_eq!(code("other"), 0);
    assert_eq!(code("sum(int)"), 0);
    // Two have that name.
    assert_eq!(code("sum"), 3);
    assert_eq!(code("su"), 3);
}

#[test]
fn an_object_of_functions_is_a_table_where_it_is_given_as_one() {
    let place = fresh("callbacks");
    template(
        &place,
        "call",
        "f:\n sub rsp, 8\n call [rdi]\n add rsp, 8\n ret\n",
    );
    let run = run_in(&place, &["run", "call.asm", "--counters", "none"]);
    assert_eq!(run.code, 4, "{}", run.stdout);
    assert!(
        unfolded(&run.stdout).contains("`--arg rdi=table`"),
        "{}",
        run.stdout
    );
    let run = run_in(
        &place,
        &[
            "run",
            "call.asm",
            "--counters",
            "none",
            "--arg",
            "rdi=table",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn arrows_of_jumps_are_passed_over_and_tables_are_shown_as_data() {
    let place = fresh("arrows");
    let text = "0000000000001139 <f>:\n    1139:\t/-> 83 e8 01             \tsub    eax,0x1\n    113c:\t\\-- 75 fb                \tjne    1139 <f>\n    \
                113e:\t    c3                   \tret\n";
    template(&place, "arrows", text);
    let run = run_in(&place, &["check", "arrows.asm"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("3 of 3 instructions byte-identical"),
        "{}",
        run.stdout
    );
    let run = run_in(&place, &["show", "arrows.asm"]);
    assert!(
        run.stdout.contains("dq listing.callee") && run.stdout.contains("... 63 more of these"),
        "{}",
        run.stdout
    );
    let run = run_in(
        &place,
        &["compare", "arrows.asm", "arrows.asm", "--counters", "none"],
    );
    let said = unfolded(&run.stdout);
    // The body's seven, the callee's two with its padding, and the text's three.
    assert!(
        said.contains("13 instructions; no instruction differs"),
        "{said}"
    );
}

#[test]
fn a_function_whose_address_is_loaded_from_the_table_of_offsets_is_called() {
    let place = fresh("offsets");
    for (name, text) in [
        (
            "intel",
            "f:\n push rax\n mov rax, qword ptr [rip + core::panicking::panic@GOTPCREL]\n call rax\n pop rcx\n ret\n",
        ),
        (
            "att",
            "f:\n\tpushq\t%rax\n\tmovq\tother@GOTPCREL(%rip), %rbx\n\tcallq\t*%rbx\n\tpopq\t%rcx\n\tretq\n",
        ),
    ] {
        template(&place, name, text);
        let file = format!("{name}.asm");
        let run = run_in(&place, &["run", &file, "--counters", "none"]);
        assert_eq!(run.code, 0, "{name}: {}", run.stdout);
        assert!(
            run.said()
                .contains("which the text calls through memory, returns 1"),
            "{}",
            run.said()
        );
    }
}
