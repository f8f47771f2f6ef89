//! Instructions and branches of every tour scenario, against counts made by hand from its listing
//! and against what the same Go program executed, loop aside.

use crate::common::{self, json, rows, value};
use dispatchlab::go::heap::Heap;
use dispatchlab::go::{HeapKind, Release};
use dispatchlab::job::JobRow;
use dispatchlab::prepare::{Prepared, prepare};
use dispatchlab::template::{Library, Param, params, shipped};

/// Scenario, instructions, branches, and the hand count behind them.
///
/// `Go` names what a compiled Go program executed for the same call (Go 1.27, single-stepped, or Go
/// 1.10 for those rows), without its loop: `+ add` is the type's constant, which that program's
/// methods do not add, `- fun` what loads the method from the itab, which a direct call does not
/// have: a load, and under the register ABI a move of the receiver into rax.
#[rustfmt::skip] // a table: one scenario a line
const HAND_COUNTS: &[(&str, f64, f64, &str)] = &[
    ("inline",                              2.0, 0.0, "mov add; Go ptrmeth_inl 1 + add"),
    ("inline[go=1.10]",                     2.0, 0.0, "the same; Go ptrmeth_inl 1 + add"),
    ("direct_call",                         4.0, 2.0, "call | mov add ret; Go func 3 + add"),
    ("direct_call[go=1.10]",                8.0, 2.0, "mov call mov | mov mov add mov ret; Go func 7 + add"),
    ("ptr_method",                          4.0, 2.0, "call | mov add ret; Go ptrmeth 3 + add"),
    ("ptr_method[go=1.10]",                 8.0, 2.0, "as direct_call; Go ptrmeth 7 + add"),
    ("value_method",                        4.0, 2.0, "mov call | add ret; Go valmeth 2 + mov + add, the value loaded in front of each call"),
    ("value_method[go=1.10]",               8.0, 2.0, "mov mov call mov | mov add mov ret; Go deref 7 + add"),
    ("wrapper_call",                        9.0, 3.0, "call | push mov test je mov add pop ret; Go wrap_inl 10 - fun + add"),
    ("wrapper_call[go=1.26]",               9.0, 3.0, "as 1.27"),
    ("wrapper_call[go=1.25]",              12.0, 4.0, "1.27 + mov test jne of g._panic"),
    ("wrapper_call[go=1.10]",              19.0, 4.0, "mov call mov | mov sub mov lea mov test jne mov test je mov add mov mov add ret; Go wrap_inl 19 - fun + add"),
    ("wrapper_call[method=called]",        16.0, 6.0, "call | cmp jbe push mov sub test je mov call | add ret | add pop nop ret; Go wrap 17 - fun + add"),
    ("wrapper_call[go=1.26,method=called]", 16.0, 6.0, "as 1.27"),
    ("wrapper_call[go=1.25,method=called]", 19.0, 7.0, "1.27 - nop + xchg, its own padding, + mov test jne of g._panic"),
    ("wrapper_call[go=1.10,method=called]", 27.0, 7.0, "mov call mov | mov cmp jbe sub mov lea mov test jne mov test je mov mov call | mov add mov ret | mov mov mov add ret; Go wrap 27 - fun + add"),
    ("itab_call",                           6.0, 2.0, "mov mov call | mov add ret; Go iface 5 + add"),
    ("itab_call[slot=2]",                   6.0, 2.0, "the same, another slot"),
    ("itab_call[targets=2]",                6.0, 2.0, "the same"),
    ("itab_call[order=random,targets=8]",   6.0, 2.0, "the same; Go poly16 5, its receiver loaded straight into rax, + mov"),
    ("itab_call[order=random,targets=64]",  6.0, 2.0, "the same"),
    ("itab_call[go=1.10]",                  9.0, 2.0, "mov mov call mov | mov mov add mov ret; Go iface 8 + add, and poly4 9, whose methods add"),
    ("itab_call[go=1.10,slot=2]",           9.0, 2.0, "the same, another slot"),
    ("itab_call[go=1.10,order=random,targets=8]", 9.0, 2.0, "the same"),
    ("itab_wrapper",                       11.0, 3.0, "mov mov call | wrapper_call's 8 without its call; Go wrap_inl 10 + add"),
    ("itab_wrapper[go=1.26]",              11.0, 3.0, "as 1.27"),
    ("itab_wrapper[go=1.25]",              14.0, 4.0, "1.27 + mov test jne"),
    ("itab_wrapper[go=1.10]",              20.0, 4.0, "wrapper_call's 19 and the load of the method; Go wrap_inl 19 + add"),
    ("itab_wrapper[method=called]",        18.0, 6.0, "mov mov call | the wrapper's 15 without its call in front; Go wrap 17 + add"),
    ("itab_wrapper[go=1.26,method=called]", 18.0, 6.0, "as 1.27"),
    ("itab_wrapper[go=1.25,method=called]", 21.0, 7.0, "as wrapper_call: 1.27 - nop + xchg + mov test jne"),
    ("itab_wrapper[go=1.10,method=called]", 28.0, 7.0, "wrapper_call's 27 and the load of the method; Go wrap 27 + add"),
    ("itab_wrapper[go=1.10,method=called,order=random,targets=8]", 28.0, 7.0, "the same"),
    ("type_switch",                        11.0, 4.0, "test je mov | cmp jne lea cmp jne | mov add jmp; Go tsw2/lo 17 - 6 of the loop, the two loads and the store"),
    ("type_switch[hit=last]",              13.0, 5.0, "first case's cmp jne more; Go tsw2/hi 21 - 6 - nop - lea"),
    ("type_switch[hit=default]",            9.0, 3.0, "test je mov | cmp jne | cmp jne | mov add"),
    ("type_switch[cases=3]",               11.0, 4.0, "the first case again; Go tsw3/lo 17 - 6"),
    ("type_switch[cases=3,hit=last]",      15.0, 6.0, "two more cmp jne; Go tsw3/hi 22 - 6 - lea"),
    ("type_switch[go=1.10]",               12.0, 5.0, "test je mov | cmp jne lea cmp jne mov jne lea jmp; Go tsw2/lo 18 - 6"),
    ("type_switch[go=1.10,hit=last]",      14.0, 6.0, "first case's cmp jne more, as in the book's listing"),
    ("type_switch[default_case=true,go=1.10]", 12.0, 5.0, "the first case again; Go tsw2/lo 18 - 6"),
    ("type_switch[default_case=true,go=1.10,hit=last]", 16.0, 7.0, "first case's cmp jne lea jmp more; Go tsw2/hi 22 - 6"),
    ("type_switch[go=1.10,hit=default]",   10.0, 4.0, "test je mov | twice cmp jne | mov add jmp"),
    ("type_switch[default_case=true,go=1.10,hit=default]", 14.0, 6.0, "test je mov | twice cmp jne lea jmp | mov add jmp; Go tsw2/miss 18 - 5, and its stored constant as mov add"),
    ("type_switch[cases=3,go=1.10]",       12.0, 5.0, "the first case again; Go tsw3/lo 18 - 6"),
    ("type_switch[cases=3,go=1.10,hit=last]", 16.0, 7.0, "two times cmp jne more"),
    ("type_switch[cases=3,default_case=true,go=1.10,hit=last]", 20.0, 9.0, "two times cmp jne lea jmp more; Go tsw3/hi 26 - 6"),
    ("type_switch[cases=4,strategy=go]",                   13.0, 5.0, "test je mov | cmp ja | cmp jne lea cmp jne mov add jmp; Go tsw4/lo 20 - 6 - nop"),
    ("type_switch[cases=4,hit=last,strategy=go]",          15.0, 6.0, "one more cmp jne; Go tsw4/hi 23 - 7 - nop - lea, its mov before the switch"),
    ("type_switch[cases=4,hit=default,strategy=go]",       11.0, 4.0, "test je mov | cmp ja | twice cmp jne | mov add; Go tsw4/miss 20 - 7 - three lea - jmp + mov"),
    ("type_switch[cases=5,strategy=go]",                   13.0, 4.0, "test je mov | shr and lea jmp | lea cmp jne mov add jmp; Go tsw5/lo 19 - 6 - lea + shr, its window begins at bit 0"),
    ("type_switch[cases=8,strategy=go]",                   13.0, 4.0, "the same; Go tsw8/lo 19 - 6 - lea + shr"),
    ("type_switch[cases=8,hit=last,strategy=go]",          13.0, 4.0, "the same; Go tsw8/hi 19 - 6 - lea + shr"),
    ("type_switch[cases=8,hit=default,strategy=go]",        9.0, 2.0, "test je mov | shr and lea jmp | mov add, through an empty slot"),
    ("type_switch[cases=16,go=1.22,hit=order,strategy=go]", 13.0, 4.0, "the same whichever case; Go tsw16/hi 20 - 6 - lea"),
    ("type_switch[cases=32,strategy=binary]",              19.0, 8.0, "test je mov | four cmp ja | the leaf's 8; Go tsw32/lo 28 - 6 - three nop"),
    ("type_switch[cases=32,hit=last,strategy=binary]",     21.0, 9.0, "one more cmp jne; Go tsw32/hi 28 - 6 - lea"),
    ("type_switch[cases=40,strategy=go]",                  19.0, 8.0, "40 20 10 5 2: four cmp ja, no table"),
    ("type_switch[cases=8,go=1.19,strategy=go]",           15.0, 6.0, "test je mov | two cmp ja | the leaf's 8; Go tsw8/lo 23 - 6 - two nop"),
    ("type_switch[cases=8,go=1.19,hit=last,strategy=go]",  17.0, 7.0, "one more cmp jne; Go tsw8/hi 25 - 6 - nop - lea"),
    ("type_switch[cases=8,go=1.10,strategy=go]",           16.0, 7.0, "test je mov | two cmp ja | cmp jne lea cmp jne mov jne lea jmp; Go tsw8/lo 22 - 6"),
    ("type_switch[cases=8,default_case=true,go=1.10,hit=last,strategy=go]", 20.0, 9.0, "cmp jne lea jmp more; Go tsw8/hi 27 - 6 - lea"),
    ("type_switch[cases=8,go=1.10,hit=default,strategy=go]", 13.0, 5.0, "test je mov | two cmp ja | twice cmp jne | mov add"),
    ("type_switch[cases=8,default_case=true,go=1.10,hit=default,strategy=go]", 17.0, 7.0, "test je mov | two cmp ja | twice cmp jne lea jmp | mov add; Go tsw8/miss 25 - 5 - lea lea jmp, its stored constant as mov add, - jmp"),
    ("type_switch[cases=32,default_case=true,go=1.10,hit=last,strategy=go]", 24.0, 11.0, "four cmp ja; Go tsw32/hi 31 - 6 - lea"),
    ("guard",                                6.0, 2.0, "lea cmp jne mov add jmp; Go 1.27 with a profile: the same six"),
    ("guard[hit=default]",                   9.0, 3.0, "lea cmp jne | mov mov call | mov add ret; Go 1.27 with a profile: the same, and a nop"),
    ("guard[callee=called]",                 9.0, 4.0, "lea cmp jne mov call | mov add ret | jmp"),
    ("guard[cases=4]",                       6.0, 2.0, "the first guard, however many follow"),
    ("guard[cases=4,hit=last]",             15.0, 5.0, "three lea cmp jne more"),
    ("guard[cases=4,hit=order]",            10.5, 3.5, "6 9 12 15, and their mean"),
    ("guard[cases=4,hit=default]",          18.0, 6.0, "four lea cmp jne | mov mov call | mov add ret"),
    ("guard[cases=4,guards=1,hit=order]",    8.25, 2.75, "one case in four is guarded: 6 9 9 9"),
    ("type_switch[cases=3,default_case=true,go=1.10,hit=default]", 18.0, 8.0, "a third one; Go tsw3/miss 22 - 5, and its stored constant as mov add"),
];

#[test]
fn counts_equal_the_hand_counts() {
    let names: Vec<&str> = HAND_COUNTS.iter().map(|(name, ..)| *name).collect();
    // What is counted is placement 0, and verifying long walks at others takes most of the time.
    let mut arguments = vec!["run", "--counters", "none", "--placements", "1"];
    arguments.extend(&names);
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for ((name, instructions, branches, why), (scenario, row)) in
        HAND_COUNTS.iter().zip(rows(&document))
    {
        assert_eq!(scenario, *name);
        assert_eq!(row["status"], "ok", "{row:#}");
        assert_eq!(row["verified"], true, "{name}");
        assert_eq!(row["clobbers"], "all", "{name}");
        assert_eq!(
            value(row, "instructions"),
            *instructions,
            "instructions of {name}: {why}"
        );
        assert_eq!(
            value(row, "branches"),
            *branches,
            "branches of {name}: {why}"
        );
        assert_eq!(row["metrics"]["instructions"]["basis"], "exact");
        assert!(
            row["metrics"]["instructions"].get("stepped").is_none(),
            "{name} is exact for its whole walk"
        );
        assert_eq!(row["metrics"]["cycles"]["basis"], "unsupported");
        assert!(
            row["metrics"]["cycles"]["value"].is_null(),
            "no number where nothing was timed"
        );
    }
}

#[test]
fn a_recovered_nil_panic_is_counted_up_to_the_panic() {
    // Up to the call of panicwrap, and the modelled panicwrap's mov mov mov mov jmp.
    #[rustfmt::skip] // a table: one scenario a line
    let panics = [
        // call | push mov test je call
        ("wrapper_call[receiver=nil,recover=true]",         11.0, 4.0, "main.Adder.Add", "Adder"),
        // mov call | mov sub mov lea mov test jne mov test je call
        ("wrapper_call[go=1.10,receiver=nil,recover=true]", 18.0, 5.0, "main.Adder.Add", "Adder"),
        // call | cmp jbe push mov sub test je call
        ("wrapper_call[method=called,receiver=nil,recover=true]",         14.0, 5.0, "main.Adder.Add", "Adder"),
        // mov call | mov cmp jbe sub mov lea mov test jne mov test je call
        ("wrapper_call[go=1.10,method=called,receiver=nil,recover=true]", 20.0, 6.0, "main.Adder.Add", "Adder"),
        // mov mov call, and the rest as above
        ("itab_wrapper[method=called,receiver=nil,recover=true]",         16.0, 5.0, "main.T0.Id",     "T0"),
        ("itab_wrapper[go=1.10,method=called,receiver=nil,recover=true]", 21.0, 6.0, "main.T0.Id",     "T0"),
    ];
    let mut arguments = vec!["run", "--counters", "none"];
    arguments.extend(panics.iter().map(|(name, ..)| *name));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0);
    for ((name, instructions, branches, method, receiver), (_, row)) in
        panics.iter().zip(rows(&document))
    {
        assert_eq!(row["status"], "panic", "{name}");
        assert_eq!(
            row["panic"],
            format!("value method {method} called using nil *{receiver} pointer"),
            "{name}"
        );
        assert_eq!(value(row, "instructions"), *instructions, "{name}");
        assert_eq!(value(row, "branches"), *branches, "{name}");
    }
}

#[test]
fn the_linear_switch_takes_two_more_instructions_for_each_case() {
    let names: Vec<String> = (2..=7)
        .map(|cases| format!("type_switch[cases={cases},hit=last]"))
        .collect();
    let mut arguments = vec!["run", "--counters", "none", "--placements", "1"];
    arguments.extend(names.iter().map(String::as_str));
    let (_, document) = json(&arguments);
    let rows = rows(&document);
    assert_eq!(rows.len(), names.len());
    for pair in rows.windows(2) {
        let [before, now] = [pair[0].1, pair[1].1].map(|row| value(row, "instructions"));
        assert_eq!(now, before + 2.0, "{}", pair[1].0);
    }
}

#[test]
fn every_strategy_of_the_switch_finds_every_case_in_every_release() {
    let mut names = Vec::new();
    for strategy in ["go", "binary", "jump", "pointer"] {
        for release in ["1.27", "1.26", "1.25", "1.22", "1.19", "1.10"] {
            for cases in [2, 4, 5, 33] {
                for hit in ["order", "default"] {
                    names.push(format!(
                        "type_switch[cases={cases},go={release},hit={hit},strategy={strategy}]"
                    ));
                }
            }
        }
        names.push(format!(
            "type_switch[cases=256,hit=order,strategy={strategy}]"
        ));
    }
    // Which case is found does not depend on where the code lies.
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let rows = rows(&document);
    assert_eq!(rows.len(), names.len());
    for (name, row) in rows {
        assert_eq!(row["verified"], true, "{name}");
    }
}

/// The values a parameter may take beside its default, where they can be listed. The orders that
/// draw at random visit 262,144 objects, which a few hand counts do and a debug build should not do
/// for every release.
fn others(key: &str, param: &Param) -> Vec<String> {
    let values = match key {
        "order" => vec!["same".to_string(), "sorted".to_string()],
        // It changes no code, only what is timed.
        "cold" => Vec::new(),
        _ => param.allowed.iter().map(ToString::to_string).collect(),
    };
    let default = param.default.to_string();
    values
        .into_iter()
        .filter(|value| *value != default)
        .collect()
}

#[test]
fn every_second_shipped_template_runs_in_each_release_with_each_value_of_its_parameters() {
    templates_run_in_each_release(0);
}

#[test]
fn and_so_do_the_other_templates() {
    templates_run_in_each_release(1);
}

/// Whether none of the rows seen has its code and its data: most releases differ in neither.
fn is_new(seen: &mut Vec<(JobRow, Heap)>, name: &str) -> bool {
    let Prepared { mut row, heap, .. } = prepare(&common::named(name)).expect("it links");
    row.name.clear();
    row.heap.release = Release::NEWEST;
    let is_new = seen.iter().all(|(one, data)| *one != row || *data != heap);
    if is_new {
        seen.push((row, heap));
    }
    is_new
}

/// Half of the templates, so that both halves run beside each other.
fn templates_run_in_each_release(half: usize) {
    // Their methods do not look at the receiver, or look at another one.
    let careless = ["composition", "itab_hash"];
    let mut names = Vec::new();
    for (template, _) in shipped::TEMPLATES.iter().skip(half).step_by(2) {
        let template = Library::embedded().load(template).expect("shipped");
        let params = params::all(&template.header);
        let mut seen = Vec::new();
        for release in &params["go"].allowed {
            let mut scenario = |rest: &str| {
                let name = format!("{}[go={release}{rest}]", template.name);
                if is_new(&mut seen, &name) {
                    names.push(name);
                }
            };
            scenario("");
            // What every heap has does not look at the release; once for a template is enough.
            let is_first = *release == params["go"].default;
            // Of the releases in between, their own shape is enough.
            let is_last = Some(release) == params["go"].allowed.last();
            let is_own = |key: &String| template.header.params.contains_key(key) && key != "order";
            let chosen = params
                .iter()
                .filter(|(key, _)| *key != "go" && (is_first || is_last && is_own(key)));
            for (key, param) in chosen {
                let is_interface =
                    matches!(template.header.heap, HeapKind::Iface | HeapKind::Eface);
                let is_possible = |value: &String| value != "nil_interface" || is_interface;
                for value in others(key, param).into_iter().filter(is_possible) {
                    scenario(&format!(",{key}={value}"));
                }
            }
            let is_end = is_first || is_last;
            if is_end
                && params.contains_key("receiver")
                && !careless.contains(&template.name.as_str())
            {
                scenario(",receiver=nil,recover=true");
            }
            if params.contains_key("targets") {
                scenario(",targets=3");
            }
        }
    }
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    // A debug build on a busy machine takes long for the longest rows.
    arguments.extend(["--timeout", "60"]);
    arguments.extend(names.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "a nil receiver is a panic that was asked for");
    let rows = rows(&document);
    assert_eq!(rows.len(), names.len());
    for (asked, (name, row)) in names.iter().zip(rows) {
        let template = name.split('[').next().unwrap_or_default();
        let is_careless = careless.contains(&template);
        let (is_nil, is_nothing) = (
            asked.contains("receiver=nil"),
            asked.contains("receiver=nil_interface"),
        );
        let expected: &[&str] = match () {
            // A switch and an assertion with a second result take it as any other.
            () if is_nothing => &["ok", "panic"],
            () if is_nil && is_careless => &["ok"],
            () if is_nil || asked.contains("panics=true") => &["panic"],
            () => &["ok"],
        };
        let status = row["status"].as_str().unwrap_or_default();
        assert!(expected.contains(&status), "{asked}: {row:#}");
        if expected == ["ok"] && !is_nil {
            assert_eq!(row["verified"], true, "{asked}");
        }
    }
}

/// Work is the harness's: N more instructions there, with one that zeroes a register for each half of
/// a chain, none more of the template, and every result still right.
#[test]
fn work_around_the_body_is_counted_with_the_harness_alone() {
    let folder = common::folder("counts_work");
    let text = "body:\n mov ecx, [rax]\n";
    let header = ";! heap = \"pointer\"\n;! params = { objects = 8, order = \"cyclic\" }\n";
    let stated = format!("{header};! result = \"ecx\"\n;! expect = \"id\"\n{text}");
    let stated = common::template(&folder, "stated", &stated);
    let silent = common::template(&folder, "silent", &format!("{header}{text}"));
    // Timed, so that whole chunks are verified too.
    let of = |name: &str, work: &str| {
        let more = ["--placements", "1", "--time", "1", "--counters", "clock"];
        let (code, document) = json(&[&["run", name, "-p", work][..], &more].concat());
        assert_eq!(code, 0, "{document:#}");
        rows(&document)[0].1.clone()
    };
    let harness = |row: &serde_json::Value| row["baseline"]["instructions"]["value"].as_f64();
    #[rustfmt::skip] // a table: work, harness instructions more with a result, and without one
    let more = [
        ("work=1", 1.0, 1.0), ("work=9", 9.0, 9.0), ("work=64", 64.0, 64.0),
        ("work=1:dependent", 2.0, 2.0), ("work=9:dependent", 11.0, 10.0),
    ];
    for name in [
        "itab_call[targets=4]",
        "wrapper_call[go=1.10]",
        &stated,
        &silent,
    ] {
        let plain = of(name, "work=0");
        let before = harness(&plain).expect("a baseline");
        for (work, with_result, without) in more {
            let row = of(name, work);
            for metric in ["instructions", "branches"] {
                assert_eq!(value(&row, metric), value(&plain, metric), "{name} {work}");
            }
            assert_eq!(row["verified"], name != silent, "{name} {work}");
            let wanted = if name == silent { without } else { with_result };
            let after = harness(&row).expect("a baseline");
            assert_eq!(after - before, wanted, "{name} {work}");
        }
    }
}

#[test]
fn a_body_that_jumps_back_to_its_first_instruction_is_one_iteration() {
    let folder = common::folder("counts");
    let loops = [
        // Four turns of three, and the setup that is counted nowhere.
        (
            "back",
            "setup:\n xor ecx, ecx\nbody:\n1: inc ecx\n test ecx, 3\n jnz 1b\n",
            12.0,
            4.0,
        ),
        // A branch to itself, five times.
        ("itself", "body:\n mov ecx, 5\n1: loop 1b\n", 6.0, 5.0),
        // A repeated string instruction is one.
        (
            "repeated",
            "body:\n mov ecx, 5\n lea rdi, [rsp]\n rep stosb\n",
            3.0,
            0.0,
        ),
    ];
    for (name, text, instructions, branches) in loops {
        let file = common::template(&folder, name, &format!(";! title = \"x\"\n{text}"));
        let (code, document) = json(&["run", &file, "--counters", "none"]);
        assert_eq!(code, 0, "{document:#}");
        let row = rows(&document)[0].1;
        assert_eq!(value(row, "instructions"), instructions, "{name}");
        assert_eq!(value(row, "branches"), branches, "{name}");
    }
}

/// What the harness steps would miss: a path that is taken rarely, or only where nobody looks.
#[test]
fn a_path_that_more_than_the_receiver_decides_is_interpreted_for_the_whole_walk() {
    let folder = common::folder("exact");
    let header = ";! heap = \"pointer\"\n;! params = { objects = 8, order = \"cyclic\" }\n;! result = \"eax\"\n;! expect = \"id\"\n";
    use Counted::{Interpreted, Stepped};
    #[rustfmt::skip] // a table: name, text, instructions by hand for as many iterations as there will ever be
    let templates = [
        ("register", "body:\n mov eax, [rax]\n inc r9b\n jnz 1f\n nop\n1: nop\n", Interpreted(4.0 + 1.0 / 256.0)),
        ("flags",    "body:\n mov eax, [rax]\n jc 1f\n nop\n1: add ecx, eax\n",                 Stepped(4.0)),
        ("memory",   "body:\n mov eax, [rax]\n dec dword [\"n\"]\n jnz 1f\n mov dword [\"n\"], 1000\n1:\ndata \"n\":\n dd 1000\n", Interpreted(3.0 + 1.0 / 1000.0)),
        ("count",    "body:\n mov eax, [rax]\n test r15d, 1\n jnz 1f\n nop\n1:\n",               Interpreted(3.5)),
        ("saved",    "body:\n push r9\n mov eax, [rax]\n mov r9d, eax\n pop r9\n",             Stepped(4.0)),
        ("constant", "setup:\n mov r9d, 1\nbody:\n mov eax, [rax]\n test r9d, r9d\n jz 1f\n nop\n1:\n", Stepped(4.0)),
        ("written",  "body:\n mov eax, [rax]\n xor ecx, ecx\n cmp eax, 3\n setl cl\n movzx edx, cl\n", Stepped(5.0)),
        ("no_trap",  "body:\n mov eax, [rax]\n push 0x202\n popfq\n nop\n nop\n jmp 1f\n1: nop\n",  Stepped(7.0)),
        ("ss",       "body:\n mov ecx, ss\n mov eax, [rax]\n mov ss, ecx\n nop\n nop\n",     Stepped(5.0)),
        ("ss_jump",  "body:\n mov ecx, ss\n mov eax, [rax]\n mov ss, ecx\n jmp 1f\n1: nop\n", Stepped(5.0)),
        ("ss_twice", "body:\n mov ecx, ss\n mov eax, [rax]\n mov ss, ecx\n mov ss, ecx\n nop\n", Stepped(5.0)),
        ("ss_last",  "body:\n mov ecx, ss\n mov eax, [rax]\n mov ss, ecx\n",                 Stepped(3.0)),
        ("looks",    "body:\n pushfq\n pop rcx\n test ecx, 0x100\n mov eax, [rax]\n jz 1f\n nop\n1:\n", Stepped(5.0)),
    ];
    for (name, text, instructions) in templates {
        let file = common::template(&folder, name, &format!("{header}{text}"));
        let (code, document) = json(&["run", &file, "--counters", "none"]);
        assert_eq!(code, 0, "{name}: {document:#}");
        let count = &rows(&document)[0].1["metrics"]["instructions"];
        let (source, exact) = match instructions {
            Stepped(exact) => ("step", exact),
            Interpreted(exact) => ("interpreter", exact),
        };
        assert_eq!(count["value"], exact, "{name}: {count}");
        assert_eq!(count["source"], source, "{name}: {count}");
        assert!(count["stepped"].is_null(), "{name}: {count}");
    }
    // Who looks for the trap flag sees none, and takes the way that is timed.
    let looks = folder.join("looks.asm").display().to_string();
    let (_, document) = json(&["run", &looks, "--counters", "none"]);
    assert_eq!(value(rows(&document)[0].1, "instructions"), 5.0);
}

/// Who counts a row, and what.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Stepped(f64),
    Interpreted(f64),
}

#[test]
fn the_interpreter_counts_what_stepping_counts() {
    let folder = common::folder("both");
    let header = ";! heap = \"iface\"\n;! methods = [\"Id\"]\n;! params = { targets = 8, order = \"random\", objects = 32 }\n;! types = \"main.T{t}\"\n;! result = \"eax\"\n;! expect = \"id+type\"\n;! expand = true\n;! clobbers = \"all\"\n";
    // What is pushed is only put away; what is counted up is carried on.
    let body = |more: &str| {
        format!(
            "{header}body:\n {more}\n mov rcx, [rax + 24]\n mov rax, rbx\n call rcx\n\
             {{% for t in range(targets) %}}\nfunc \"main.(*T{{{{t}}}}).Id\":\n mov eax, [rax]\n mov ecx, eax\n\
             1: dec ecx\n jnz 1b\n lock add dword [rsp - 16], ecx\n mov edx, ecx\n xchg ecx, edx\n add eax, {{{{t + 1}}}}\n ret\n{{% endfor %}}\n"
        )
    };
    let mut counts = Vec::new();
    // A quick run steps too few for each receiver.
    for (more, source) in [(&[][..], "step"), (&["--quick"], "interpreter")] {
        let file = common::template(&folder, source, &body("push r9\n pop r9"));
        let (code, document) = json(&[&["run", &file, "--counters", "none"], more].concat());
        assert_eq!(code, 0, "{document:#}");
        let row = rows(&document)[0].1;
        assert_eq!(row["metrics"]["branches"]["source"], source, "{document:#}");
        assert!(row["metrics"]["branches"]["stepped"].is_null());
        counts.push((value(row, "instructions"), value(row, "branches")));
    }
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn what_the_interpreter_does_not_know_is_stepped_and_said() {
    let folder = common::folder("unknown");
    let text = ";! result = \"ecx\"\n;! expect = 0\nbody:\n cpuid\n mov ecx, 0\n";
    let file = common::template(&folder, "unknown", text);
    let (code, document) = json(&["run", &file, "--counters", "none"]);
    assert_eq!(code, 0, "{document:#}");
    let count = &rows(&document)[0].1["metrics"]["instructions"];
    assert_eq!(
        (&count["value"], &count["stepped"]),
        (&2.0.into(), &64.into())
    );
    assert_eq!(count["source"], "step");
    let why = count["why"].as_str().expect("a reason");
    assert!(why.contains("does not know `cpuid`"), "{why}");
}

#[test]
fn a_body_with_more_steps_than_a_count_may_take_has_no_counts_and_says_why() {
    let folder = common::folder("long");
    let text = ";! result = \"ecx\"\n;! expect = 0\nbody:\n rdtsc\n mov ecx, 65000\n lea rdi, [\"buf\"]\n1: dec ecx\n jnz 1b\ndata \"buf\":\n dq 0\n";
    let file = common::template(&folder, "long", text);
    let (code, document) = json(&["run", &file, "--quick"]);
    assert_eq!(code, 0, "{document:#}");
    let row = rows(&document)[0].1;
    for metric in ["instructions", "branches"] {
        let metric = &row["metrics"][metric];
        assert!(metric["value"].is_null(), "{metric}");
        assert_eq!(metric["basis"], "unsupported");
        assert!(
            metric["why"]
                .as_str()
                .expect("a reason")
                .contains("more steps")
        );
    }
    // A machine that is too busy withholds them with a reason.
    let cycles = row["metrics"]["cycles"]["value"].as_f64();
    assert!(cycles.is_none_or(|cycles| cycles > 60_000.0), "{row:#}");
}
