//! The shipped templates and the sample of the contract, through every stage before the machine.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::{self, json, named, rows, rows_of};
use dispatchlab::asm::{self, Context, Program, SourceSection, Syntax};
use dispatchlab::go::hash::type_hash;
use dispatchlab::go::{HeapKind, symbol};
use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::template;
use dispatchlab::template::shipped::Files;
use dispatchlab::template::{Clobbers, Order, Origin, Template, Value, shipped};

const SAMPLE: &str = include_str!("../fixtures/contract_sample.asm");

fn bind(template: &Arc<Template>, overrides: &[(&str, &str)]) -> Scenario {
    let overrides: Vec<(String, String)> = overrides
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    Scenario::bind(Arc::clone(template), &overrides)
        .unwrap_or_else(|error| panic!("{}: {error}", template.name))
}

fn expand(scenario: &Scenario) -> Vec<SourceSection> {
    scenario
        .expand()
        .unwrap_or_else(|errors| panic!("{}: {errors:#?}", scenario.name))
}

fn assemble(scenario: &Scenario) -> Program {
    let hash = |name: &str| type_hash(scenario.release, name);
    let context = Context {
        file: &scenario.template.file_name(),
        hash: &hash,
        is_open: false,
        is_run: false,
        syntax: Syntax::Auto,
        separates: false,
        bound: &[],
        go_minor: None,
    };
    asm::assemble(&expand(scenario), &context)
        .unwrap_or_else(|errors| panic!("{}: {errors:#?}", scenario.name))
}

/// What the template remarks on a scenario.
fn note(name: &str) -> Option<String> {
    template::note(&expand(&named(name)))
}

/// The bytes of one section as lower-case hex.
fn bytes_of(program: &Program, name: &str) -> String {
    let section = program.sections.iter().find(|section| section.name == name);
    let bytes = &section.unwrap_or_else(|| panic!("no `{name}`")).bytes;
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Mnemonics of the instructions of one section, in order.
fn mnemonics(sections: &[SourceSection], name: &str) -> Vec<String> {
    let section = sections
        .iter()
        .find(|section| section.name == name)
        .unwrap_or_else(|| panic!("no `{name}`"));
    let code = section
        .lines
        .iter()
        .map(|line| line.text.split(';').next().unwrap_or_default());
    code.map(|code| {
        code.split_once(':')
            .filter(|(label, _)| !label.contains(' ') || label.trim().is_empty())
            .map_or(code, |(_, rest)| rest)
    })
    .filter_map(|code| code.split_whitespace().next().map(str::to_string))
    .collect()
}

#[test]
fn every_template_expands_for_all_values_of_its_parameters() {
    for (name, text) in shipped::TEMPLATES {
        let template =
            Arc::new(Template::parse(name, Origin::Embedded, text.to_string()).expect("sound"));
        assert_eq!(
            template.header.clobbers,
            Clobbers::All,
            "{name} is Go-shaped"
        );
        assemble(&bind(&template, &[]));
        for (key, param) in &template.header.params {
            let values: Vec<String> = match (&param.default, param.range) {
                _ if !param.allowed.is_empty() => {
                    param.allowed.iter().map(Value::to_string).collect()
                }
                (Value::Int(_), Some((low, high))) => {
                    vec![low.to_string(), "3".to_string(), high.to_string()]
                }
                (Value::Int(_), None) => vec![
                    "1".to_string(),
                    "2".to_string(),
                    "64".to_string(),
                    "1024".to_string(),
                ],
                (Value::Text(_), _) if key == "order" => {
                    ["same", "cyclic", "random", "sorted", "runs:7"]
                        .map(str::to_string)
                        .to_vec()
                }
                (Value::Bool(_), _) => vec!["false".to_string(), "true".to_string()],
                other => panic!("{name} has a parameter this test does not know: {other:?}"),
            };
            for value in values {
                let scenario = bind(&template, &[(key, &value)]);
                assert!(
                    !assemble(&scenario).body().expect("a body").bytes.is_empty(),
                    "{}",
                    scenario.name
                );
                let (_, overrides) = parse_name(&scenario.name).expect("its own name");
                let again = Scenario::bind(Arc::clone(&template), &overrides).expect("binds again");
                assert_eq!(again, scenario, "{} does not round trip", scenario.name);
            }
        }
    }
}

#[test]
fn every_file_of_the_folder_is_embedded_under_its_name() {
    let kinds: [(&str, &str, Files); 2] = [
        ("asm_templates", "asm", shipped::TEMPLATES),
        ("asm_templates/suites", "toml", shipped::SUITES),
    ];
    for (folder, ending, files) in kinds {
        every_file_is_embedded(folder, ending, files);
    }
}

fn every_file_is_embedded(folder: &str, ending: &str, embedded: Files) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files: BTreeSet<String> = std::fs::read_dir(path)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let embedded: BTreeSet<String> = embedded.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(files, embedded);
}

#[test]
fn the_header_of_a_shipped_template_says_what_it_is_in_a_dozen_lines() {
    for (name, text) in shipped::TEMPLATES {
        let lines = text
            .lines()
            .take_while(|line| line.starts_with(";! "))
            .count();
        assert!((1..=12).contains(&lines), "{name}: {lines}");
    }
}

#[test]
fn every_scenario_of_a_suite_binds_under_the_name_it_has_there() {
    for (name, _) in shipped::SUITES {
        for (scenario, row) in rows_of(name) {
            assert_eq!(scenario.name, row.scenario);
            expand(&scenario);
        }
    }
}

#[test]
fn the_receivers_of_a_tour_give_different_results() {
    for (scenario, _) in rows_of("tour") {
        let expected = scenario.expected().expect("numbers").unwrap_or_default();
        let ids: BTreeSet<u64> = expected.into_iter().collect();
        assert!(
            ids.len() > 2 || scenario.nil_receiver,
            "{}: different receivers give the same result",
            scenario.name
        );
    }
}

/// Templates without receivers, and why: the book's program calls with one or with none at all.
const WITHOUT_RECEIVERS: [(&str, &str); 6] = [
    ("add_call", "a function, or the methods of one Adder"),
    ("convert_static", "a constant"),
    ("convert_zero", "a zero value"),
    ("escape", "the methods of one Adder"),
    ("escape_struct", "the method of one struct"),
    ("type_hash", "a type of the language"),
];

/// A shortcut that takes the first receiver's result for all is noticed by the second.
#[test]
fn in_each_row_of_the_book_two_receivers_have_different_ids() {
    let mut without = BTreeSet::new();
    for (scenario, row) in rows_of("book") {
        let name = &row.scenario;
        if scenario.template.header.heap == HeapKind::None {
            without.insert(row.template().to_string());
            continue;
        }
        // It is asked for one receiver alone.
        if scenario.settings.is_still {
            continue;
        }
        let stands_still = scenario.settings.walk.order == Order::Same
            || scenario
                .settings
                .walk
                .stride
                .is_multiple_of(scenario.objects);
        assert!(!stands_still, "{name}: visits one object");
    }
    let known: BTreeSet<String> = WITHOUT_RECEIVERS.iter().map(|one| one.0.into()).collect();
    assert_eq!(without, known, "{WITHOUT_RECEIVERS:?}");
}

#[test]
fn every_interface_method_has_a_function() {
    for (name, text) in shipped::TEMPLATES {
        let template =
            Arc::new(Template::parse(name, Origin::Embedded, text.to_string()).expect("sound"));
        // An interface without methods has no itab to fill.
        let is_filled = template.header.heap != HeapKind::Eface;
        if template.header.methods.is_empty() || !is_filled {
            continue;
        }
        let (types, count): (&[_], _) = if template.header.params.contains_key("cases") {
            (&[("cases", "4")], 5)
        } else if template.header.params.contains_key("targets") {
            (&[("targets", "5")], 5)
        } else {
            (&[], 1)
        };
        let scenario = bind(&template, types);
        let sections = expand(&scenario);
        for index in 0..count {
            for method in &template.header.methods {
                let function = symbol::pointer_method(&scenario.type_name(index), method);
                assert!(
                    sections.iter().any(|section| section.name == function),
                    "{name} lacks {function}"
                );
            }
        }
    }
}

#[test]
fn the_wrapper_has_the_bytes_of_each_release() {
    // 1.25: the whole function as its compiler emits it. 1.27 and 1.10: up to the return, as stepped
    // through; what follows there was never run. Fields of calls are zero here. The one byte that
    // differs on purpose is 65 for 64 in 1.10: g is at gs:[-8], because fs: is not ours to move.
    #[rustfmt::skip] // One release a row.
    let functions = [
        ("1.27", "493b6610 7621 55 4889e5 4883ec08 4885c0 740e 8b00 e800000000 4883c408 5d 90 c3"),
        ("1.26", "493b6610 7621 55 4889e5 4883ec08 4885c0 740e 8b00 e800000000 4883c408 5d 90 c3"),
        ("1.25", "493b6610 762b 55 4889e5 4883ec08 4d8b6620 4d85e4 752b 4885c0 740f 8b00 6690 e800000000 4883c408 5d c3 \
                  e800000000 90 4889442408 e800000000 488b442408 ebbe 4c8d6c2418 4d392c24 75ca 49892424 ebc4"),
        ("1.10", "65488b0c25f8ffffff 483b6110 7644 4883ec18 48896c2410 488d6c2410 488b5920 4885db 7534 488b442420 \
                  4885c0 741c 8b00 890424 e800000000 8b442408 89442428 488b6c2410 4883c418 c3"),
    ];
    for (release, expected) in functions {
        let scenario = named(&format!("wrapper_call[go={release},method=called]"));
        let expected = expected.replace(' ', "");
        let function = bytes_of(&assemble(&scenario), "main.(*Adder).Add");
        assert!(function.starts_with(&expected), "Go {release}");
        let behind_an_itab = assemble(&named(&format!("itab_wrapper[go={release},method=called]")));
        assert_eq!(bytes_of(&behind_an_itab, "main.(*T0).Id"), function);
    }
}

#[test]
fn calls_have_the_bytes_that_go_1_27_emits() {
    let body = |name: &str| bytes_of(&assemble(&named(name)), "body");
    assert_eq!(body("itab_call"), "488b48184889d8ffd1");
    assert_eq!(body("itab_call[slot=1]"), "488b48204889d8ffd1");
    assert_eq!(body("value_method"), "8b00e800000000");
    let callees = assemble(&named("itab_call[targets=3]"));
    assert_eq!(bytes_of(&callees, "main.(*T2).First"), "8b0083c003c3");
}

#[test]
fn calls_have_the_bytes_that_go_1_10_emits() {
    let bytes = |name: &str, section: &str| bytes_of(&assemble(&named(name)), section);
    assert_eq!(
        bytes("direct_call[go=1.10]", "body"),
        "48890424e8000000008b442408"
    );
    assert_eq!(
        bytes("value_method[go=1.10]", "body"),
        "8b08890c24e8000000008b442408"
    );
    // The harness has the data word in rbx, where that loop had it in rcx: 1c for 0c.
    assert_eq!(
        bytes("itab_call[go=1.10,slot=1]", "body"),
        "488b502048891c24ffd28b442408"
    );
    assert_eq!(
        bytes("itab_call[go=1.10,targets=3]", "main.(*T2).First"),
        "488b4424088b0083c00389442410c3"
    );
    for (name, section) in [
        ("direct_call[go=1.10]", "main.idOf"),
        ("ptr_method[go=1.10]", "main.(*T).Id"),
        ("itab_call[go=1.10]", "main.(*T0).First"),
    ] {
        assert_eq!(
            bytes(name, section),
            "488b4424088b0083c00189442410c3",
            "{name}"
        );
    }
}

#[test]
fn a_type_switch_of_two_has_the_instructions_of_go() {
    let body = |name: &str| mnemonics(&expand(&named(name)), "body").join(" ");
    let case = "cmp jne lea cmp jne mov add jmp";
    assert_eq!(
        body("type_switch"),
        format!("test je mov {case} {case} mov add")
    );
    // What follows the default: for each case, last first, the value of an assertion that failed,
    // and with a default case the detour to the next one.
    let case = "cmp jne lea cmp jne mov jne lea jmp";
    for (name, detours) in [
        ("type_switch[go=1.10]", "mov jmp"),
        ("type_switch[default_case=true,go=1.10]", "mov jmp lea jmp"),
    ] {
        assert_eq!(
            body(name),
            format!("test je mov {case} {case} mov add jmp {detours} {detours}")
        );
    }
}

#[test]
fn a_type_switch_compares_hashes_in_ascending_unsigned_order() {
    for cases in ["2", "3", "8", "256"] {
        let scenario = named(&format!("type_switch[cases={cases}]"));
        let body = expand(&scenario).remove(0);
        let hashes: Vec<u32> = body
            .lines
            .iter()
            .filter_map(|line| line.text.trim().strip_prefix("cmp  ecx, "))
            .map(|rest| {
                rest.split(';')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .parse()
                    .expect("a hash")
            })
            .collect();
        assert_eq!(hashes.len().to_string(), cases);
        assert!(
            hashes.is_sorted_by(|left, right| left < right),
            "{hashes:?}"
        );
    }
}

#[test]
fn a_type_switch_above_three_cases_says_that_go_does_not_emit_it() {
    assert_eq!(note("type_switch[cases=3]"), None);
    assert_eq!(
        note("type_switch[cases=4]").expect("a note"),
        "what-if: no Go compiler emits a chain of 4 cases; from 4 on it searches the hashes by halves, \
         and since Go 1.22 it jumps through a table from 5 on"
    );
}

#[test]
fn a_type_switch_says_what_the_release_does_with_these_hashes() {
    #[rustfmt::skip] // a table: scenario, and the note
    let notes = [
        ("cases=3,strategy=go",             None),
        ("cases=3,strategy=binary",         None),
        ("cases=4,strategy=go",             Some("Go 1.27 searches by halves here")),
        ("cases=8,strategy=go",             Some("Go 1.27 jumps through a table of 32 slots here")),
        ("cases=8,strategy=jump",           None),
        ("cases=8,go=1.19,strategy=go",     Some("Go 1.19 searches by halves here")),
        ("cases=8,go=1.19,strategy=binary", None),
        ("cases=8,go=1.19,strategy=jump",   Some("what-if: for these hashes Go 1.19 searches by halves")),
        ("cases=8,strategy=binary",         Some("what-if: for these hashes Go 1.27 jumps through a table of 32 slots")),
        ("cases=40,strategy=go",            Some("Go 1.27 searches by halves here")),
        ("cases=40,strategy=jump",          Some("what-if: for these hashes Go 1.27 searches by halves")),
        ("cases=2,strategy=jump",           Some("what-if: for these hashes Go 1.27 compares case by case")),
    ];
    for (parameters, expected) in notes {
        let found = note(&format!("type_switch[{parameters}]"));
        assert_eq!(found.as_deref(), expected, "{parameters}");
    }
}

#[test]
fn what_no_compiler_does_and_what_has_no_effect_is_said() {
    #[rustfmt::skip] // a table: scenario, and the note
    let notes = [
        ("endbr_call",                         Some("no Go compiler writes endbr64")),
        ("guard",                              None),
        ("guard[cases=4]",                     Some("what-if: Go guards a call against one type, not 4")),
        ("guard[callee=called,cases=4]",       Some("what-if: Go guards a call against one type, not 4; Go guards only where it inlines the method")),
        ("guard[callee=called,cases=4,guards=1]", Some("what-if: Go guards only where it inlines the method")),
        ("inline_cache[targets=3]",            Some("no Go compiler makes an inline cache; 2 of 3 types are not in it")),
        ("inline_cache",                       Some("no Go compiler makes an inline cache")),
        ("assert_eface[panics=true]",          None),
        ("assert_eface[form=hit-ok,panics=true]", Some("panics only without a second result: `form` is of no effect")),
        ("prologue[check=false,grow=true]",    Some("a function that does not check never grows the stack")),
        ("iface_add[calls=Test]",              Some("the interface does not have Test, so its itab has no slot for it: the call names it")),
    ];
    for (name, expected) in notes {
        assert_eq!(note(name).as_deref(), expected, "{name}");
    }
}

#[test]
fn up_to_three_cases_all_strategies_but_the_table_are_one() {
    for release in ["1.27", "1.22", "1.19", "1.10"] {
        for cases in [2, 3] {
            let bytes = |strategy: &str| {
                let name = format!("type_switch[cases={cases},go={release},strategy={strategy}]");
                bytes_of(&assemble(&named(&name)), "body")
            };
            assert_eq!(bytes("binary"), bytes("linear"));
            assert_eq!(bytes("go"), bytes("linear"));
        }
    }
}

#[test]
fn a_switch_through_a_table_has_the_bytes_and_the_order_of_go_1_27() {
    let scenario = named("type_switch[cases=8,strategy=go]");
    let bytes = bytes_of(&assemble(&scenario), "body");
    // Up to the jump; the 32-bit distance of `je` and the address of the table aside.
    assert_eq!(&bytes[..10], "4885c00f84");
    assert_eq!(&bytes[18..42], "8b4810c1e90983e11f488d15");
    assert_eq!(&bytes[50..56], "ff24ca");
    let body = expand(&scenario).remove(0);
    let constants: Vec<&str> = body
        .lines
        .iter()
        .filter_map(|line| line.text.trim().strip_prefix("add  eax, "))
        .collect();
    // The last one is the default's.
    assert_eq!(constants, ["2", "5", "8", "7", "1", "4", "6", "3", "9"]);
}

#[test]
fn a_search_by_halves_compares_what_go_1_27_compares() {
    #[rustfmt::skip] // Cases, and the constants that its binaries compare on the way to the lowest hash.
    let built: [(u32, &[u32]); 6] = [
        (4,   &[0x8ee3_39e7]),
        (40,  &[0x91ee_8680, 0x4666_b9dc, 0x1aa4_222a]),
        (48,  &[0x94ca_d79c, 0x4666_b9dc, 0x1e32_12ac]),
        (64,  &[0x94ca_d79c, 0x3d08_e0a0, 0x17de_2fbd, 0x0fda_4b5e, 0x00a5_ede8]),
        (128, &[0x869e_8635, 0x35d6_da0e, 0x142c_9028]),
        (256, &[0x80c1_eaa7, 0x3860_0e40, 0x161a_f08b]),
    ];
    for (cases, expected) in built {
        let body = expand(&named(&format!("type_switch[cases={cases},strategy=go]"))).remove(0);
        let pivots = body
            .lines
            .iter()
            .filter(|line| line.text.contains("lower half"));
        let pivots: Vec<u32> = pivots
            .map(|line| {
                line.text
                    .trim()
                    .strip_prefix("cmp  ecx, ")
                    .expect("a comparison")
            })
            .map(|rest| {
                rest.split(' ')
                    .next()
                    .unwrap_or_default()
                    .parse()
                    .expect("a hash")
            })
            .take(expected.len())
            .collect();
        assert_eq!(pivots, expected, "{cases} cases");
    }
}

#[test]
fn a_table_exists_for_every_release_and_leads_every_case_to_its_code() {
    for release in ["1.27", "1.22", "1.19", "1.10"] {
        for cases in [2, 64, 256] {
            let name = format!("type_switch[cases={cases},go={release},strategy=jump]");
            let program = assemble(&named(&name));
            let table = program
                .sections
                .iter()
                .find(|section| section.name == "main.typeSwitch.jump1")
                .unwrap_or_else(|| panic!("{name} has no table"));
            let leading: BTreeSet<&str> = table
                .fixups
                .iter()
                .map(|fixup| fixup.symbol.as_str())
                .filter(|label| label.starts_with("case"))
                .collect();
            assert_eq!(leading.len(), cases, "{name}");
            assert_eq!(table.fixups.len() * 8, table.bytes.len(), "{name}");
        }
    }
}

#[test]
fn guard_and_type_switch_visit_the_same_types() {
    for rest in [
        "cases=2",
        "cases=8,hit=order,order=random",
        "cases=64,hit=last",
        "cases=5,hit=default",
    ] {
        let visited = |template: &str| {
            let scenario = named(&format!("{template}[{rest}]"));
            let types = (0..scenario.objects).map(|object| scenario.type_of_object(object));
            (
                scenario.type_names(),
                types.collect::<Vec<u32>>(),
                scenario.settings.walk,
            )
        };
        assert_eq!(visited("guard"), visited("type_switch"), "{rest}");
    }
}

#[test]
fn a_guard_has_the_bytes_of_go_1_27() {
    // With the registers of that loop: rsi and rcx are the itab and the data word, rdi the guard.
    let body = bytes_of(&assemble(&named("guard")), "body");
    assert_eq!(
        body,
        "488d0d000000004839c875078b0383c001eb09488b48184889d8ffd1"
    );
}

#[test]
fn hit_chooses_the_case_by_its_place_in_the_code() {
    let first_case = |hit: &str| {
        let scenario = named(&format!("type_switch[cases=8,hit={hit}]"));
        (
            scenario.type_of_object(0),
            scenario.type_of_object(1),
            scenario,
        )
    };
    let code_order: Vec<String> = {
        let (.., scenario) = first_case("order");
        let body = expand(&scenario).remove(0);
        body.lines
            .iter()
            .filter_map(|line| line.text.split_once("hash of "))
            .map(|(_, name)| name.to_string())
            .collect()
    };
    for (hit, expected) in [("first", code_order.first()), ("last", code_order.last())] {
        let (one, other, scenario) = first_case(hit);
        assert_eq!(one, other);
        assert_eq!(Some(&scenario.type_name(one)), expected, "{hit}");
    }
    let (one, other, scenario) = first_case("default");
    assert_eq!((one, other, scenario.types), (8, 8, 9));
    let (one, other, _) = first_case("order");
    assert_eq!((one, other), (0, 1));
}

#[test]
fn the_slot_that_is_called_answers_and_the_others_do_not() {
    for slot in ["0", "1", "2"] {
        let scenario = named(&format!("itab_call[slot={slot}]"));
        let answering: Vec<_> = expand(&scenario)
            .into_iter()
            .filter(|section| {
                section
                    .lines
                    .iter()
                    .any(|line| line.text.contains("add  eax, 1"))
            })
            .map(|section| section.name)
            .collect();
        let index: usize = slot.parse().expect("a number");
        assert_eq!(
            answering,
            [format!(
                "main.(*T0).{}",
                scenario.template.header.methods[index]
            )]
        );
    }
}

#[test]
fn the_sample_of_the_contract_binds_and_expands_as_printed() {
    let template = Template::parse("sample", Origin::Stdin, SAMPLE.to_string()).expect("sound");
    let scenario = bind(
        &Arc::new(template),
        &[("targets", "3"), ("order", "random")],
    );
    assert_eq!(scenario.name, "sample[order=random,targets=3]");
    assert_eq!((scenario.types, scenario.objects), (3, 3));
    let expected = scenario.expected().expect("numbers");
    assert_eq!(expected.expect("it is stated")[2], 6);
    let sections = expand(&scenario);
    let names: Vec<&str> = sections
        .iter()
        .map(|section| section.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["body", "main.(*T0).Id", "main.(*T1).Id", "main.(*T2).Id"]
    );
    let adds: Vec<_> = sections[1..]
        .iter()
        .map(|section| (section.lines[1].number, section.lines[1].text.trim()))
        .collect();
    assert_eq!(
        adds,
        [
            (17, "add  eax, 1"),
            (17, "add  eax, 2"),
            (17, "add  eax, 3")
        ]
    );
}

#[test]
fn the_reference_prints_the_sample_and_lists_every_shipped_template() {
    let reference = include_str!("../../docs/templates.md");
    assert!(reference.contains(SAMPLE));
    for (name, _) in shipped::TEMPLATES {
        assert!(reference.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// The way to the collector, which no row takes because none runs here.
#[test]
fn conversions_store_the_same_where_the_write_barrier_is_on() {
    let folder = common::fresh("barrier_on");
    let shipped = ["go/barrier.asm", "go/frames.asm", "go/wrapper.asm"];
    std::fs::create_dir_all(folder.join("go")).expect("a folder");
    for text in shipped {
        std::fs::copy(format!("asm_templates/{text}"), folder.join(text)).expect("a copy");
    }
    let mut names = Vec::new();
    for template in [
        "convert_pointer",
        "convert_scalar",
        "convert_static",
        "convert_value",
        "convert_zero",
        "iface_create",
        "iface_to_eface",
    ] {
        let text = std::fs::read_to_string(format!("asm_templates/{template}.asm"))
            .expect("the shipped template");
        let on = "data \"runtime.writeBarrier\": dd 1, 0, 0, 0\n";
        std::fs::write(folder.join(format!("{template}.asm")), text + on).expect("writes");
        names.extend(["1.27", "1.19", "1.10"].map(|go| format!("{template}[go={go}]")));
    }
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--templates"];
    arguments.push(folder.to_str().expect("UTF-8"));
    arguments.extend(names.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for (name, row) in rows(&document) {
        assert_eq!(row["verified"], true, "{name}: {row:#}");
        let runs = row["modelled_runtime"].to_string();
        assert!(runs.contains("gcWriteBarrier"), "{name}: {runs}");
    }
}
