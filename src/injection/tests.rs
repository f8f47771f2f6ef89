use super::*;
use crate::asm::fragment;

const IFACE: Surroundings = Surroundings {
    heap: HeapKind::Iface,
    clobbers: Clobbers::All,
    result: Some(ResultRegister {
        number: 0,
        bits: 32,
    }),
    work: Work {
        count: 0,
        is_dependent: false,
    },
};

const NO_HEAP: Surroundings = Surroundings {
    heap: HeapKind::None,
    clobbers: Clobbers::Some,
    ..IFACE
};

fn planned(text: &str, around: &Surroundings) -> Result<[Insertion; 2], Refusal> {
    let program = Program {
        sections: vec![fragment(text).expect("assembles")],
    };
    plan(&program, "site", around)
}

/// The register that is delayed, and how many instructions in front of the branch.
fn delayed(text: &str, around: &Surroundings) -> (String, usize) {
    let [_, more] = planned(text, around).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
    let imul = more.before.iter().find(|line| line.starts_with("imul"));
    let register = imul.and_then(|line| line[5..].split(',').next());
    (register.expect("a register").to_string(), more.back)
}

fn why_not(text: &str, around: &Surroundings) -> String {
    match planned(text, around) {
        Err(Refusal::Impossible(why)) => why,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_a_branch_waits_for_is_delayed() {
    #[rustfmt::skip] // a table: one shape a line
    let shapes = [
        ("mov rcx, [rax + 24]\n mov rax, rbx\n site: call rcx",                    "rcx", 0),
        ("mov rcx, [rax]\n site: jmp rcx",                                         "rcx", 0),
        ("site: call [rax + 24]",                                                  "rax", 0),
        ("lea rdx, [rip]\n mov ecx, [rax + 16]\n and ecx, 3\n site: jmp [rdx + rcx*8]", "rcx", 0),
        ("mov ecx, [rax + 16]\n cmp ecx, 77\n site: jne l\n l:",                   "rcx", 1),
        ("lea rcx, [rip]\n cmp rax, rcx\n site: jne l\n l:",                       "rax", 1),
        ("lea rcx, [rip]\n cmp rcx, rax\n site: jne l\n l:",                       "rax", 1),
        ("test bl, 1\n mov ecx, 5\n site: jz l\n l:",                              "rbx", 2),
        ("cmp dword [rbx + 4], 9\n site: ja l\n l:",                               "rbx", 1),
        ("mov edx, [rbx]\n mov ecx, 8\n cmp [rbx + 8], rcx\n site: ja l\n l:",     "rbx", 1),
        ("mov ecx, [rbx]\n sub ecx, 3\n site: js l\n l:",                          "rcx", 1),
    ];
    for (text, register, back) in shapes {
        assert_eq!(
            delayed(text, &IFACE),
            (register.to_string(), back),
            "{text}"
        );
    }
}

#[test]
fn both_copies_have_the_same_instructions_and_wait_for_different_numbers_of_them() {
    let [less, more] = planned("mov rcx, [rax]\n site: call rcx", &IFACE).expect("a plan");
    #[rustfmt::skip]
    assert_eq!(less.before, ["imul rcx, rcx, 1", "imul r11, rcx, 1", "imul r11, r11, 1", "imul r11, r11, 1"]);
    assert_eq!(more.before, ["imul rcx, rcx, 1"; 4]);
    assert_eq!((less.after.len(), more.after.len()), (0, 0));
}

#[test]
fn a_register_that_goes_into_the_next_iteration_is_put_back_behind_the_comparison() {
    let text = "imul rax, rax, 5\n add rax, 3\n test rax, rax\n site: js l\n l:";
    let [less, more] = planned(text, &NO_HEAP).expect("a plan");
    for copy in [&less, &more] {
        assert_eq!(copy.before[0], "mov r10, rax");
        assert_eq!(copy.after, ["mov rax, r10"]);
    }
    let carried = "add rcx, 8\n site: jmp rcx";
    let why = why_not(carried, &NO_HEAP);
    assert!(why.contains("rcx goes from one iteration"), "{why}");
    // A copy of it is made anew each time.
    assert_eq!(
        delayed("add rax, 8\n mov rcx, rax\n site: jmp rcx", &NO_HEAP).0,
        "rcx"
    );
}

#[test]
fn a_branch_without_an_operand_says_why_nothing_is_delayed() {
    #[rustfmt::skip] // a table: one shape a line
    let shapes = [
        ("site: call \"main.f\"",                                 "its dispatch branch is direct: a `call`"),
        ("site: jmp l\n l:",                                      "its dispatch branch is direct: a `jmp`"),
        ("site: ret",                                             "`ret`"),
        ("mov ecx, [rax]\n site: jrcxz l\n l:",                   "`test` and `jne`"),
        ("mov ecx, 3\n cmp ecx, 4\n site: jne l\n l:",            "waits for no register"),
        ("cmp dword [rsp + 8], 4\n site: jne l\n l:",             "waits for no register"),
        ("site: call [rsp + 8]",                                  "waits for no register"),
        ("cmp eax, 4\n inc ecx\n site: jbe l\n l:",               "not all set by one comparison"),
        ("cmp eax, 4\n other: site: jne l\n l:",                  "not all set by one comparison"),
        ("add eax, 4\n adc ebx, 1\n site: jc l\n l:",             "not all set by one comparison"),
        ("jmp l\n l: site: jne l",                                "not all set by one comparison"),
    ];
    for (text, words) in shapes {
        let why = why_not(text, &IFACE);
        assert!(why.contains(words), "{text}: {why}");
    }
}

#[test]
fn without_a_free_register_nothing_is_delayed() {
    let all = [
        "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r15",
    ];
    let uses = |names: &[&str]| -> String {
        let lines = names.iter().map(|name| format!("mov {name}, 1\n"));
        lines
            .chain(["mov rcx, [rax]\n site: call rcx".to_string()])
            .collect()
    };
    let why = why_not(&uses(&all), &IFACE);
    assert!(why.contains("no free register"), "{why}");
    assert!(planned(&uses(&all[1..]), &IFACE).is_ok());
    // With the state in registers three more are taken.
    let around = Surroundings {
        clobbers: Clobbers::Some,
        ..IFACE
    };
    let why = why_not(&uses(&all[..7]), &around);
    assert!(why.contains("no free register"), "{why}");
}

#[test]
fn a_label_at_no_branch_is_the_templates_fault() {
    for (text, words) in [
        ("mov ecx, 1\n site: mov eax, 1\n ret", "where `mov` stands"),
        ("mov ecx, 1\n site:", "no instruction"),
    ] {
        let Err(Refusal::NoBranch(wrong)) = planned(text, &IFACE) else {
            panic!("{text}");
        };
        assert!(wrong.message.contains(words), "{wrong:?}");
        assert_eq!(wrong.line, if words.contains("mov") { 2 } else { 1 });
    }
}

#[test]
fn free_registers_are_those_that_no_instruction_names() {
    // The dumb twin: a register is free where its number is in no operand of the listing.
    let text = "mov rcx, [rax + r9*8]\n push rbp\n xchg r11, rsi\n mul r8\n site: call rcx";
    let [_, more] = planned(text, &IFACE).expect("a plan");
    let [less, _] = planned(text, &IFACE).expect("a plan");
    let named = ["rcx", "rax", "r9", "rbp", "r11", "rsi", "r8", "rdx", "rsp"];
    let scratch = less.before[1][5..].split(',').next().expect("a register");
    assert!(!named.contains(&scratch), "{scratch}");
    assert_eq!(scratch, "r10");
    assert!(more.before.iter().all(|line| !line.contains("r10")));
}
