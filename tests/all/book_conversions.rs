//! Conversions, assertions and prologues: what the modelled runtime does, against naive twins, Go's
//! words, and the instructions that Go's own compilers emit for the same.
//!
//! Counts of single rows stand in the templates' key `book`; here they are held against single-stepped Go programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{folder, json, rows, template, value};

/// Scenario; instructions in it that Go does not have, nearly always the load that follows the pointer for
/// the result; instructions that the Go program's loop has beside; the program's total; what the
/// second and third number are.
#[rustfmt::skip] // a table: one scenario a line
const COMPILED: &[(&str, f64, f64, f64, &str)] = &[
    ("store_scalar",                       1.0,  3.0,  4.0, "the value's load | inc cmp jg"),
    ("escape[go=1.10]",                    1.0,  6.0, 15.0, "the result's load | mov mov inc mov cmp jl"),
    ("escape[form=pointer,go=1.10]",       2.0,  7.0, 42.0, "the result's load, lea | as above, and the pointer's load"),
    ("escape[go=1.19]",                    0.0,  6.0, 12.0, "mov mov inc mov cmp jg"),
    ("escape[form=pointer,go=1.19]",       0.0,  7.0, 15.0, "the same and a nop"),
    ("escape",                             0.0,  5.0, 11.0, "mov mov dec test jg"),
    ("escape[form=value]",                 0.0,  5.0, 11.0, "mov mov dec test jg"),
    ("escape[form=pointer]",               0.0,  5.0, 11.0, "mov mov dec test jg"),
    ("convert_scalar[bits=8,go=1.10]",     2.0,  4.0, 13.0, "the value's load, the result's | inc cmp jge jmp"),
    ("convert_scalar[bits=8,go=1.19]",     2.0,  4.0, 12.0, "the value's load, the result's | inc cmp jle jmp"),
    ("convert_scalar[bits=8]",             2.0,  3.0, 11.0, "the value's load, the result's | inc cmp jle"),
    ("convert_scalar[go=1.19]",            2.0, 12.0, 33.0, "the value's load, the result's | mov inc mov mov cmp jle mov jmp | mov and inc nop"),
    ("convert_scalar",                     2.0, 10.0, 30.0, "the value's load, the result's | mov inc mov cmp jle mov | mov and inc nop"),
    ("convert_static[go=1.10]",            1.0,  4.0, 11.0, "the result's load | inc cmp jge jmp"),
    ("convert_static[go=1.19]",            1.0,  4.0, 10.0, "the result's load | inc cmp jle jmp"),
    ("convert_static",                     1.0,  4.0, 10.0, "the result's load | dec nop test jle"),
    ("convert_zero[go=1.19]",              3.0,  9.0, 31.0, "lea cmp sete | mov inc mov mov cmp jle mov nop jmp"),
    ("convert_zero",                       3.0,  6.0, 27.0, "lea cmp sete | mov dec nop test jle mov"),
    ("convert_pointer[go=1.10]",           1.0,  4.0, 10.0, "the result's load | inc cmp jge jmp"),
    ("convert_pointer[go=1.19]",           1.0,  4.0,  9.0, "the result's load | inc cmp jle jmp"),
    ("convert_pointer",                    1.0,  3.0,  8.0, "the result's load | dec test jle"),
    ("iface_to_eface[go=1.10]",            2.0,  4.0, 12.0, "the result's mov add | inc cmp jge jmp"),
    ("iface_to_eface[go=1.19]",            2.0,  5.0, 13.0, "the result's mov add | inc nop cmp jle jmp"),
    ("iface_to_eface",                     2.0,  3.0, 11.0, "the result's mov add | dec test jle"),
    ("assert_eface[go=1.10]",              0.0,  6.0, 10.0, "two loads of the interface, the store, inc cmp jge"),
    ("assert_eface[go=1.19]",              0.0,  7.0, 11.0, "the same and a nop"),
    ("assert_eface",                       0.0,  6.0, 10.0, "two loads of the interface, the store, dec test jle"),
    ("assert_eface[form=hit-ok,go=1.10]",  0.0,  8.0, 12.0, "the two loads, the store, a second jne, inc cmp jge jmp"),
    ("assert_eface[form=hit-ok]",          0.0,  6.0, 10.0, "a load, one more as part of the compare, the store, dec test jle jmp"),
    ("assert_iface[form=hit-ok,go=1.10]",  0.0,  8.0, 12.0, "as assert_eface"),
    ("assert_iface[form=hit-ok]",          0.0,  6.0, 10.0, "as assert_eface"),
    ("assert_iface[go=1.10]",              0.0,  6.0, 10.0, "as assert_eface"),
    ("assert_iface[go=1.19]",              0.0,  7.0, 11.0, "as assert_eface"),
    ("assert_iface",                       0.0,  6.0, 10.0, "as assert_eface"),
    ("assert_to_interface",                3.0,  7.0, 23.0, "the result's mov mov add | two loads of the interface, two nop, dec test jle"),
    ("interface_switch",                   2.0, 10.0, 35.0, "the method's add, a jmp | dec test jle, two loads of the interface, two mov, the store, jmp, nop"),
    ("assert_to_interface[form=miss-ok]",  7.0,  8.0, 21.0, "two stores, jne, two loads, the result's mov add | setne, a load, two jmp, nop, dec test jle"),
    ("assert_between_interfaces",          3.0, 10.0, 27.0, "the result's mov mov add | three mov, two jmp, two nop, dec test jle"),
];

#[test]
fn shapes_outside_the_runtime_have_the_instructions_that_go_compilers_emit() {
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(COMPILED.iter().map(|(name, ..)| *name));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for ((name, ours, gos, total, what), (scenario, row)) in COMPILED.iter().zip(rows(&document)) {
        assert_eq!(
            (scenario, &row["verified"]),
            (*name, &true.into()),
            "{row:#}"
        );
        let count = value(row, "instructions");
        assert_eq!(count - ours + gos, *total, "{name}: {what}");
    }
}

/// Template, what it says of another type, and what of a nil interface.
#[rustfmt::skip] // a table: one template a line
const ASSERTIONS: [(&str, &str, &str); 4] = [
    ("assert_eface",  "interface {} is main.T, not main.Other", "interface {} is nil, not main.Other"),
    ("assert_iface",  "main.I is main.T, not main.Other",       "main.I is nil, not main.Other"),
    ("assert_to_interface",       "main.T0 is not main.I: missing method Id",   "interface is nil, not main.I"),
    ("assert_between_interfaces", "main.T0 is not main.J: missing method Name", "interface is nil, not main.J"),
];

/// What a value method says whose wrapper was called with a nil pointer, by a template that has one.
const WRAPPER: (&str, &str) = (
    "itab_pointer",
    "value method main.T.Id called using nil *T pointer",
);

#[test]
fn a_go_program_panics_in_the_words_that_are_modelled() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panics");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(
        folder.join("main.go"),
        include_str!("../fixtures/panics.go"),
    )
    .expect("writes");
    let output = Command::new("go")
        .args(["run", "main.go"])
        .current_dir(&folder)
        .env("GOTOOLCHAIN", "local")
        .env("GO111MODULE", "off")
        // Shared with tests/all/go_binary.rs, so that the runtime is compiled once.
        .env("GOCACHE", folder.with_file_name("go_binary").join("cache"))
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("not compared with a Go program: `go` does not start: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let mut modelled: Vec<String> = ASSERTIONS
        .iter()
        .flat_map(|(name, other, nil)| {
            [
                format!("{name}: interface conversion: {other}"),
                format!("{name}[form=nil]: interface conversion: {nil}"),
            ]
        })
        .chain([format!("{}: {}", WRAPPER.0, WRAPPER.1)])
        .collect();
    let mut raised: Vec<&str> = said.lines().collect();
    modelled.sort();
    raised.sort_unstable();
    assert_eq!(raised, modelled);
}

#[test]
fn a_wrapper_of_a_nil_pointer_panics_in_gos_own_words() {
    for release in ["1.10", "1.27"] {
        let name = format!("{}[go={release},receiver=nil]", WRAPPER.0);
        let (_, document) = json(&["run", &name, "--counters", "none", "--placements", "1"]);
        assert_eq!(rows(&document)[0].1["panic"], WRAPPER.1, "{name}");
    }
}

#[test]
fn assertions_that_fail_panic_in_gos_own_words() {
    for release in ["1.10", "1.19", "1.27"] {
        for (name, other, nil) in ASSERTIONS {
            let scenarios = [
                (format!("{name}[go={release},panics=true]"), other),
                (
                    format!("{name}[go={release},panics=true,recover=true]"),
                    other,
                ),
                (format!("{name}[form=nil,go={release},panics=true]"), nil),
            ];
            let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
            arguments.extend(scenarios.iter().map(|(name, _)| name.as_str()));
            let (code, document) = json(&arguments);
            assert_eq!(code, 0, "the parameters ask for the panics: {document:#}");
            for ((_, words), (scenario, row)) in scenarios.iter().zip(rows(&document)) {
                assert_eq!(row["status"], "panic", "{scenario}");
                assert_eq!(
                    row["panic"],
                    format!("interface conversion: {words}"),
                    "{scenario}"
                );
            }
        }
    }
}

#[test]
fn a_panic_that_no_parameter_asks_for_fails_the_row() {
    let folder = folder("unasked");
    let text = ";! clobbers = \"all\"\nbody:\n lea rax, [\"type.string\"]\n lea rbx, [\"type.int\"]\n lea rcx, [\"type.interface {}\"]\n call \"runtime.panicdottypeE\"\n";
    let file = template(&folder, "unasked", text);
    let (code, document) = json(&["run", &file, "--counters", "none"]);
    assert_eq!(code, 4);
    let (_, row) = rows(&document)[0];
    assert_eq!(
        row["panic"],
        "interface conversion: interface {} is string, not int"
    );
}

/// All itabs of the table are found, each for its own type; the expected results are those of a
/// search that looks at all of them.
#[test]
fn every_type_is_found_in_a_table_that_has_grown() {
    let names = [
        "assert_to_interface[go=1.9,objects=500,targets=500]",
        "assert_between_interfaces[form=miss-ok,go=1.9,objects=500,targets=500]",
        "assert_to_interface[go=1.10,objects=500,targets=500]",
        "assert_to_interface[go=1.19,objects=500,targets=500]",
        "assert_between_interfaces[go=1.21,objects=500,targets=500]",
        "assert_to_interface[cached=false,objects=500,targets=500]",
        "assert_to_interface[objects=500,targets=500]",
        "assert_between_interfaces[form=miss-ok,objects=500,targets=500]",
    ];
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names);
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
}

/// With linear probing the entries that all types together look at are as many in whatever order the types came.
#[test]
fn a_cache_that_the_runtime_has_filled_is_as_quick_as_one_that_is_full_from_the_start() {
    let pairs = [
        (
            "assert_to_interface[targets=8]",
            "assert_to_interface[fills=true,targets=8]",
        ),
        (
            "interface_switch[targets=16]",
            "interface_switch[cache=filled,targets=16]",
        ),
        (
            "interface_switch[go=1.22,targets=5]",
            "interface_switch[cache=filled,go=1.22,targets=5]",
        ),
    ];
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(pairs.iter().flat_map(|(full, filled)| [*full, *filled]));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let rows = rows(&document);
    for (pair, names) in rows.chunks(2).zip(pairs) {
        let [full, filled] = [pair[0], pair[1]].map(|(_, row)| value(row, "instructions"));
        assert!((full - filled).abs() < 1e-6, "{names:?}: {full} {filled}");
    }
}

/// A number of the runtime's sequence, and the state that it leaves.
fn cheaprand(state: u64) -> (u32, u64) {
    let state = state.wrapping_add(0xa076_1d64_78bd_642f);
    let product = u128::from(state) * u128::from(state ^ 0xe703_7ed1_a0b4_28db);
    ((product >> 64) as u32 ^ product as u32, state)
}

#[test]
fn the_runtimes_random_numbers_are_wyrands() {
    const NUMBERS: u32 = 50;
    let (mut sum, mut state) = (0u32, 7);
    for _ in 0..NUMBERS {
        let (number, next) = cheaprand(state);
        (sum, state) = (sum.wrapping_mul(31).wrapping_add(number), next);
    }
    let text = format!(
        ";! clobbers = \"all\"\n;! result = \"ebx\"\n;! expect = {sum}\nbody:\n mov qword [\"runtime.cheaprandState\"], 7\n\
         xor ebx, ebx\n mov ecx, {NUMBERS}\nnext: call \"runtime.cheaprand\"\n imul ebx, ebx, 31\n add ebx, eax\n dec ecx\n jne next\n"
    );
    let file = template(&folder("cheaprand"), "cheaprand", &text);
    let (code, document) = json(&["run", &file, "--quick", "--counters", "none"]);
    assert_eq!(code, 0, "{document:#}");
}

#[test]
fn a_cache_that_stays_empty_costs_the_same_in_each_call() {
    let names = [
        "assert_to_interface[cached=false]",
        "interface_switch[cache=empty]",
    ];
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names);
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for (name, row) in rows(&document) {
        let count = value(row, "instructions");
        assert!(count.fract() == 0.0 && count > 90.0, "{name}: {count}");
    }
}

/// The hash of bytes that the template below computes over what memmove left.
fn digest(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| sum.wrapping_mul(31).wrapping_add(u32::from(*byte));
    bytes.iter().fold(0, step)
}

#[test]
fn memmove_copies_as_many_bytes_as_it_is_told_and_no_other() {
    const ROOM: usize = 80;
    let folder = folder("memmove");
    let source: Vec<u8> = (1..=ROOM as u8).collect();
    let bytes = source
        .iter()
        .map(u8::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let zeros = vec!["0"; ROOM].join(", ");
    let file = |release: &str, count: usize| {
        let mut expected = vec![0; ROOM];
        expected[..count].copy_from_slice(&source[..count]);
        let call = if release == "1.10" {
            format!(
                " lea rax, [\"main.to\"]\n mov [rsp], rax\n lea rax, [\"main.from\"]\n mov [rsp + 8], rax\n mov qword [rsp + 16], {count}\n"
            )
        } else {
            format!(" lea rax, [\"main.to\"]\n lea rbx, [\"main.from\"]\n mov ecx, {count}\n")
        };
        let text = format!(
            ";! go = \"{release}\"\n;! heap = \"pointer\"\n;! clobbers = \"all\"\n;! result = \"eax\"\n;! expect = {}\nbody:\n{call} call \"runtime.memmove\"\n lea rsi, [\"main.to\"]\n xor eax, eax\n mov ecx, {ROOM}\nsum: movzx edx, byte [rsi]\n imul eax, eax, 31\n add eax, edx\n inc rsi\n dec ecx\n jne sum\ndata \"main.from\": db {bytes}\ndata \"main.to\": db {zeros}\n",
            digest(&expected)
        );
        template(&folder, &format!("m{release}-{count}"), &text)
    };
    let counts = (0..=20).chain([31, 32, 33, 47, 48, 49, 63, 64, 65, 80]);
    let files: Vec<String> = counts
        .flat_map(|count| ["1.10", "1.27"].map(|release| file(release, count)))
        .collect();
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(files.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
}

/// Each block lies behind the one before it, at a multiple of eight, until the arena begins again;
/// the counters say how many there were and how much was asked for.
#[test]
fn blocks_are_apart_and_counted() {
    let folder = folder("blocks");
    let text = ";! heap = \"pointer\"\n;! params = { order = \"cyclic\", objects = 200 }\n;! clobbers = \"all\"\n;! result = \"eax\"\n;! expect = \"id\"\n\
body:\n mov ebp, [rax]\n mov rsi, [\"runtime.allocations\"]\n mov rdi, [\"runtime.allocations\" + 8]\n mov eax, ebp\n xor ebx, ebx\n xor ecx, ecx\n call \"runtime.mallocgc\"\n\
 mov rcx, [\"main.end\"]\n cmp rax, rcx\n jae above\n sub rcx, 16384\n cmp rax, rcx\n jb wrong\nabove: test al, 7\n jne wrong\n\
 lea rcx, [rax + rbp]\n mov [\"main.end\"], rcx\n\
 mov rax, [\"runtime.allocations\"]\n sub rax, rsi\n cmp rax, 1\n jne wrong\n mov rax, [\"runtime.allocations\" + 8]\n sub rax, rdi\n\
func \"main.wrong\":\nwrong: ud2\ndata \"main.end\": dq 0\n";
    let file = template(&folder, "blocks", text);
    let (code, document) = json(&["run", &file, "--counters", "none"]);
    assert_eq!(code, 0, "{document:#}");
}

#[test]
fn values_from_256_on_are_allocated_and_smaller_ones_are_not() {
    let names = [
        "convert_scalar[objects=512]",
        "convert_scalar[bits=16,objects=512]",
        "convert_scalar[bits=64,go=1.19,objects=512]",
    ];
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names);
    arguments.extend(["convert_scalar", "convert_scalar[value=large]"]);
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let counts: Vec<f64> = rows(&document)
        .iter()
        .map(|(_, row)| value(row, "instructions"))
        .collect();
    // 255 of the 512 ids have an entry in the table; a large value adds and subtracts its distance.
    let (small, large) = (counts[3], counts[4] - 2.0);
    let mixed = (255.0 * small + 257.0 * large) / 512.0;
    assert!((counts[0] - mixed).abs() < 0.1, "{counts:?}");
}

#[test]
fn a_stack_that_has_room_grows_once_and_the_function_starts_again() {
    for release in ["1.10", "1.19", "1.27"] {
        let names = [
            format!("prologue[go={release}]"),
            format!("prologue[go={release},grow=true]"),
        ];
        let (code, document) = json(&["run", &names[0], &names[1], "--counters", "none"]);
        assert_eq!(code, 0, "{document:#}");
        let rows = rows(&document);
        let [enough, grown] = [0, 1].map(|at| value(rows[at].1, "instructions"));
        assert!(grown > enough + 10.0, "Go {release}: {enough} {grown}");
    }
}

#[test]
fn a_function_of_the_runtime_that_is_spelt_wrong_is_named() {
    let folder = folder("other-release");
    let text =
        ";! clobbers = \"all\"\n;! go = \"1.27\"\nbody:\n nop\n call \"runtime.convTstrings\"\n";
    let file = template(&folder, "other", text);
    let (code, document) = json(&["run", &file, "--counters", "none"]);
    assert_eq!(code, 3);
    let (_, row) = rows(&document)[0];
    let diagnostic = &row["diagnostics"][0];
    assert_eq!(diagnostic["line"], 5);
    assert_eq!(diagnostic["help"], "did you mean \"runtime.convTstring\"?");
}
