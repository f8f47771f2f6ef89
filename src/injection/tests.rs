use super::*;
use crate::asm::fragment;

const IFACE: Surroundings = Surroundings {
    received: 1 | 1 << 3,
    clobbers: Clobbers::All,
    results: 1,
    work: Work {
        count: 0,
        is_dependent: false,
    },
};

const NO_HEAP: Surroundings = Surroundings {
    received: 0,
    clobbers: Clobbers::Some,
    ..IFACE
};

fn program(text: &str) -> Program {
    Program {
        sections: vec![fragment(text).expect("assembles")],
    }
}

fn planned(text: &str, around: &Surroundings) -> Result<Way, Refusal> {
    plan(&program(text), "site", &["site", "second"], around)
}

/// Where latency goes, without the fence in front of it.
fn way(text: &str, around: &Surroundings) -> Way {
    without_fence(planned(text, around).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}")))
}

fn without_fence(mut way: Way) -> Way {
    assert!(way.is_fenced);
    for insertion in &mut way.insertions {
        let fence = insertion.edits[0].before.remove(0);
        assert_eq!(fence, "lfence");
    }
    way
}

/// What is delayed, and how many instructions in front of the branch.
fn delayed(text: &str, around: &Surroundings) -> (String, i32) {
    let way = way(text, around);
    let edit = &way.insertions[1].edits[0];
    let what = match edit.exchange {
        Some(Exchange::Register { of, .. }) => format!("{of:?}").to_lowercase(),
        Some(Exchange::Memory { bits, .. }) => format!("memory {bits}"),
        None => "rsp".into(),
    };
    (what, -edit.at)
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
        ("dec dword [rbx]\n site: js l\n l:",                                      "memory 32", 1),
        ("cmp dword [rsp + 8], 4\n site: jne l\n l:",                              "memory 32", 1),
        ("cmp byte [rsp + 8], cl\n site: jne l\n l:",                              "memory 8", 1),
        ("site: call [rsp + 8]",                                                   "memory 64", 0),
        ("mov ecx, 3\n cmp ecx, 4\n site: jne l\n l:",                             "rcx", 1),
        ("site: ret",                                                              "rsp", 0),
        // What holds the same always is no reason to wait: the other operand is.
        ("mov ecx, 3\n cmp ecx, ebx\n site: jne l\n l:",                           "rbx", 1),
        ("mov ecx, edx\n cmp ecx, ebx\n site: jne l\n l:",                         "rcx", 1),
        ("xor ecx, ecx\n cmp ecx, ebx\n site: jne l\n l:",                         "rbx", 1),
        ("xor ecx, edx\n cmp ecx, ebx\n site: jne l\n l:",                         "rcx", 1),
        ("lea rcx, [rip]\n cmp rcx, rbx\n site: jne l\n l:",                       "rbx", 1),
        ("lea rcx, [rdx + 8]\n cmp rcx, rbx\n site: jne l\n l:",                   "rcx", 1),
        ("lea rcx, [rdx*8 + 64]\n cmp rcx, rbx\n site: jne l\n l:",                "rcx", 1),
        ("mov ecx, 3\n jz l\n cmp ecx, ebx\n site: jne l\n l:",                   "rbx", 1),
        ("mov ecx, 3\n call \"main.f\"\n cmp ecx, ebx\n site: jne l\n l:",        "rcx", 1), // who knows
    ];
    for (text, what, back) in shapes {
        assert_eq!(delayed(text, &IFACE), (what.to_string(), back), "{text}");
    }
}

#[test]
fn both_copies_have_the_same_instructions_and_wait_for_different_numbers_of_them() {
    let way = way("mov rcx, [rax]\n site: call rcx", &IFACE);
    let [less, more] = way.insertions.map(|one| one.edits[0].before.clone());
    let copied = "mov r11, rcx".to_string();
    let on = "imul r11, r11, 1".to_string();
    let off = [
        "imul r10, r11, 1".to_string(),
        "imul r10, r10, 1".to_string(),
    ];
    let mut expected = vec![copied.clone()];
    expected.extend(vec![on.clone(); BASE]);
    expected.push(off[0].clone());
    expected.extend(vec![off[1].clone(); ADDED - 1]);
    assert_eq!(less, expected);
    assert_eq!(more[0], copied);
    assert_eq!(more[1..], vec![on; BASE + ADDED]);
    assert_eq!(less.len(), more.len());
}

#[test]
fn a_return_waits_for_its_stack_pointer_and_no_flag_changes() {
    let way = way("site: ret", &IFACE);
    for insertion in &way.insertions {
        let before = &insertion.edits[0].before;
        let words: Vec<&str> = before
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(
            words.iter().filter(|word| **word == "crc32").count(),
            BASE + ADDED
        );
        assert!(
            words
                .iter()
                .all(|word| ["mov", "crc32", "lea"].contains(word)),
            "{before:?}"
        );
        assert_eq!(
            before.last().map(String::as_str),
            Some("lea rsp, [rsp + r11]")
        );
    }
    let of = |copy: usize, register: &str| {
        let before = &way.insertions[copy].edits[0].before;
        let own = before
            .iter()
            .filter(|line| **line == format!("crc32 {register}, {register}"));
        own.count()
    };
    assert_eq!([of(0, "r11"), of(0, "r10")], [BASE, ADDED]);
    assert_eq!([of(1, "r11"), of(1, "r10")], [BASE + ADDED, 0]);
}

#[test]
fn results_are_computed_from_what_was_there_and_only_the_branch_waits() {
    // The dumb twin: each copy, run by hand as text, leaves all registers but the two of the delay alone.
    for text in [
        "mov ecx, [rax + 16]\n cmp ecx, 77\n site: jne l\n l: add eax, ecx",
        "mov ecx, [rbx]\n sub ecx, 3\n site: js l\n l: add eax, ecx",
        "add rcx, 8\n site: jmp rcx",
    ] {
        for insertion in way(text, &NO_HEAP).insertions {
            for edit in insertion.edits {
                let written = edit.before.iter().chain(&edit.after);
                let mut written = written.map(|line| line.split([' ', ',']).nth(1));
                assert!(
                    written.all(|register| matches!(register, Some("r11" | "r10"))),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn what_changes_its_operand_is_done_once_more_on_the_copy() {
    let way = way("mov ecx, [rbx]\n sub ecx, 3\n site: js l\n l:", &IFACE);
    let edit = &way.insertions[0].edits[0];
    assert!(edit.is_doubled);
    assert_eq!(edit.before, ["mov r11, rcx"]);
    assert_eq!(edit.after.len(), BASE + ADDED);
}

#[test]
fn a_branch_without_an_operand_says_why_nothing_is_delayed() {
    #[rustfmt::skip] // a table: one shape a line
    let shapes = [
        ("site: call \"main.f\"",                                 "its dispatch branch is direct: a `call`"),
        ("site: jmp l\n l:",                                      "its dispatch branch is direct: a `jmp`"),
        ("mov ecx, [rax]\n site: jrcxz l\n l:",                   "`test` and `jne`"),
        ("ucomisd xmm0, xmm1\n site: ja l\n l:",                  "waits for no register"),
        ("mul rcx\n site: jc l\n l:",                             "waits for no register"),
        ("xadd ecx, edx\n site: js l\n l:",                       "waits for no register"), // it changes both
        ("test ah, 1\n site: jz l\n l:",                          "second byte of a register"),
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
fn the_comparisons_of_a_chain_all_wait() {
    let chain = "mov ecx, [rax + 16]\n cmp ecx, 1\n site: jne b\n mov eax, 1\n jmp done\n b: cmp ecx, 2\n jne c\n \
                 lea rcx, [rip]\n cmp rcx, rax\n jmp done\n c: cmp ecx, 3\n jne done\n mov eax, 3\n done: nop";
    let found = way(chain, &IFACE);
    // `cmp rcx, rax` compares another address, which was loaded meanwhile.
    assert_eq!(found.comparisons, 3);
    let at: Vec<i32> = found.insertions[1]
        .edits
        .iter()
        .map(|edit| edit.at)
        .collect();
    assert_eq!(at, [-1, 3, 8]);
    // Another one that is studied waits for its own copy, and so does what follows it nowhere else.
    let two = chain.replace("b: cmp ecx, 2\n", "b: cmp ecx, 2\n second:");
    assert_eq!(way(&two, &IFACE).comparisons, 2);
}

#[test]
fn a_comparison_that_others_come_to_or_that_reads_another_value_is_none_of_the_chain() {
    #[rustfmt::skip] // a table: one shape a line
    let shapes = [
        ("cmp ecx, 1\n site: jne b\n nop\n b: cmp ecx, 2\n jne c\n c:",                      1), // behind padding
        ("cmp ecx, 1\n site: jne b\n b: cmp ecx, 2\n jne c\n c:",                            2),
        ("test edx, edx\n jz b\n cmp ecx, 1\n site: jne b\n b: cmp ecx, 2\n jne c\n c:",     1), // past the site
        ("cmp ecx, 1\n site: jne b\n mov ecx, 7\n b: cmp ecx, 2\n jne c\n c:",               1), // one way writes it
        ("cmp ecx, 1\n site: jne b\n call \"main.f\"\n b: cmp ecx, 2\n jne c\n c:",          1), // one way calls
        ("lea rdx, [b]\n cmp ecx, 1\n site: jne b\n jmp rdx\n b: cmp ecx, 2\n jne c\n c:",   1), // through a register
        ("cmp ecx, 1\n site: jne b\n b: cmp ecx, 2\n jne c\n test cl, 4\n jne c\n c:",       3),
        ("sub ecx, 1\n site: js b\n b: cmp ecx, 2\n jne c\n c:",                            1), // the copy is changed too
    ];
    for (text, comparisons) in shapes {
        assert_eq!(way(text, &IFACE).comparisons, comparisons, "{text}");
    }
}

#[test]
fn without_two_free_registers_nothing_is_delayed() {
    let all = [
        "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r15",
    ];
    let uses = |names: &[&str]| -> String {
        let lines = names.iter().map(|name| format!("mov {name}, 1\n"));
        lines
            .chain(["mov rcx, [rax]\n site: call rcx".to_string()])
            .collect()
    };
    let why = why_not(&uses(&all[1..]), &IFACE);
    assert!(why.contains("no free register"), "{why}");
    assert!(planned(&uses(&all[2..]), &IFACE).is_ok());
    // With the state in registers three more are taken.
    let around = Surroundings {
        clobbers: Clobbers::Some,
        ..IFACE
    };
    let why = why_not(&uses(&all[..6]), &around);
    assert!(why.contains("no free register"), "{why}");
    assert!(planned(&uses(&all[..5]), &around).is_ok());
}

#[test]
fn what_the_setup_alone_writes_holds_the_same_in_each_iteration() {
    let body = "cmp ecx, ebx\n site: jne l\n l:";
    for (kind, waits) in [(SectionKind::Setup, "rbx"), (SectionKind::Func, "rcx")] {
        let first = Section {
            kind,
            ..fragment("mov rcx, 5").expect("assembles")
        };
        let sections = vec![first, fragment(body).expect("assembles")];
        let way = plan(&Program { sections }, "site", &["site"], &IFACE);
        let way = without_fence(way.expect("a way"));
        let before = &way.insertions[1].edits[0].before;
        assert_eq!(before[0], format!("mov r11, {waits}"), "{kind:?}");
    }
}

#[test]
fn neither_the_result_nor_the_work_around_the_body_is_delayed_through() {
    let work = Work {
        count: 1,
        is_dependent: false,
    };
    let result = |number: u8| 1 << number;
    for (work, results, copy) in [
        (IFACE.work, IFACE.results, "r11"),
        (IFACE.work, result(11), "r10"),
        (IFACE.work, result(9), "r11"),
        (work, IFACE.results, "r9"),
        (work, result(9), "r8"),
    ] {
        let around = Surroundings {
            work,
            results,
            ..IFACE
        };
        let way = way("mov rcx, [rax]\n site: call rcx", &around);
        let before = &way.insertions[0].edits[0].before;
        assert_eq!(before[0], format!("mov {copy}, rcx"), "{around:?}");
    }
}

#[test]
fn a_fence_stands_where_an_iteration_runs_the_branch_once() {
    let section = |kind, name: &str, text: &str| Section {
        kind,
        name: name.into(),
        ..fragment(text).expect("assembles")
    };
    let site = "mov rcx, [rax]\n site: call rcx";
    let body = |text: &str| vec![section(SectionKind::Body, "body", text)];
    let called = |text: &str| {
        let callee = section(SectionKind::Func, "main.f", &format!("{site}\n ret"));
        vec![section(SectionKind::Body, "body", text), callee]
    };
    #[rustfmt::skip] // a table: one shape a line
    let cases = [
        (body(site),                                                              true),
        (body(&format!("{site}\n jnz l\n l:")),                                   true),
        (body(&format!("l: dec edx\n jnz l\n {site}")),                           true),
        (body(&format!("l: {site}\n dec edx\n jnz l")),                           false),
        (body(&format!("l: nop\n {site}\n test edx, edx\n jz m\n jmp l\n m:")),   false),
        (called("call \"main.f\""),                                               true),
        (called("nop"),                                                           true),
        (called("call \"main.f\"\n call \"main.f\""),                             false),
        (called("l: call \"main.f\"\n dec edx\n jnz l"),                          false),
    ];
    for (sections, is_fenced) in cases {
        let program = Program { sections };
        let way = plan(&program, "site", &["site"], &IFACE).expect("a way");
        assert_eq!(way.is_fenced, is_fenced, "{:?}", program.sections[0].bytes);
        let has_one = way.insertions[0].edits[0].before[0] == "lfence";
        assert_eq!(has_one, is_fenced);
    }
}

#[test]
fn copies_of_different_lengths_are_none() {
    let section = |text: &str| fragment(text).expect("assembles");
    let of = |second: &str| latency(Some(vec![section("nop"), section(second)]), (1, true));
    assert!(matches!(of("nop"), Latency::Delayed { .. }));
    assert!(matches!(of("nop\n nop"), Latency::None(why) if why.contains("no room")));
    assert!(matches!(latency(None, (1, true)), Latency::None(_)));
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
    let way = way(text, &IFACE);
    let named = ["rcx", "rax", "r9", "rbp", "r11", "rsi", "r8", "rdx", "rsp"];
    let before = &way.insertions[0].edits[0].before;
    let scratch: Vec<&str> = before
        .iter()
        .filter_map(|line| line[5..].split(',').next())
        .collect();
    assert!(
        scratch[1..]
            .iter()
            .all(|register| !named.contains(register)),
        "{scratch:?}"
    );
    assert_eq!(scratch[1], "r10");
    assert_eq!(scratch[14], "rdi");
}

#[test]
fn images_are_numbered_over_the_sites_that_have_any() {
    let section = |line: u32| Section {
        line,
        ..fragment("nop").expect("assembles")
    };
    let delayed = |line| Latency::Delayed {
        copies: Box::new([section(line), section(line + 1)]),
        comparisons: 1,
        is_fenced: true,
    };
    let site = |label: &str, section, latency| Site {
        label: label.into(),
        place: (section, 0),
        line: 1,
        latency,
    };
    let mut injection = Injection::Sites(vec![
        site("a", 0, delayed(10)),
        site("b", 1, Latency::None("direct".into())),
        site("c", 1, delayed(20)),
    ]);
    assert_eq!(injection.images(), 8);
    let lines = |injection: &Injection, section| -> Vec<Option<u32>> {
        (0..9)
            .map(|image| injection.copy(section, image).map(|copy| copy.line))
            .collect()
    };
    // Each pair of a site has both copies.
    let [first, second] = [[Some(10), Some(11)], [Some(20), Some(21)]].map(|pair| pair.repeat(2));
    let none = |count: usize| vec![None; count];
    assert_eq!(lines(&injection, 0), [first, none(5)].concat());
    assert_eq!(
        lines(&injection, 1),
        [none(4), second.clone(), none(1)].concat()
    );
    injection.give_up(0, "it faults".into());
    assert_eq!(injection.images(), 4);
    assert_eq!(lines(&injection, 1), [second, none(5)].concat());
}
