//! Ideas for other machine code, each a template of a screenful.
//!
//! Correct means: each is verified for every receiver at its first run, and has the counts that were made by hand;
//! a template that states one result wrongly is a wrong result.

use serde_json::Value;

use crate::common::{folder, json, rows, template, value};

/// A template, its instructions and branches an iteration, counted by hand.
struct Idea {
    name: &'static str,
    text: &'static str,
    counts: (f64, f64),
}

#[rustfmt::skip]
const IDEAS: &[Idea] = &[
    Idea { name: "argument", counts: (5.0, 2.0), text: r#"
;! title  = "a method with an argument, which differs from call to call"
;! heap   = "pointer"
;! words  = ["object", "element & 7"]
;! params = { order = "random", objects = 64 }
;! result = "eax"
;! expect = "3 * id + (element & 7)"
body:                                    ; rax = the object, rbx = the argument
        call "main.(*T).Add"
func "main.(*T).Add":
        mov  eax, [rax]
        lea  eax, [rax + 2 * rax]
        add  eax, ebx
        ret
"# },
    Idea { name: "tagged", counts: (6.0, 0.0), text: r#"
;! title  = "the type in the low bits of the pointer"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 8, order = "random", objects = 64 }
;! words  = "object | tag"
;! object = "dd id; align 64"
;! result = ["ecx", "edx"]
;! expect = ["tag + 1", "type * id"]
body:
        mov  ecx, eax
        and  ecx, 63
        and  rax, -64
        inc  ecx
        mov  edx, [rax]
        imul edx, ecx
"# },
    Idea { name: "header_word", counts: (5.0, 2.0), text: r#"
;! title  = "a table of methods whose address is the object's first word, as C++ has it"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 4, order = "random", objects = 64 }
;! object = 'dq "main.vtable{t}"; dd id; dd tint = 5 * tag'
;! result = "eax"
;! expect = "id + tint + type"
;! dispatch = "site"
;! expand = true
body:
        mov  rcx, [rax]
site:   call [rcx]
{% for t in range(targets) %}
func "main.f{{t}}":
        mov  eax, [rax + 8]
        add  eax, {{ 6 * t + 1 }}
        ret
data "main.vtable{{t}}": dq "main.f{{t}}"
{% endfor %}
"# },
    Idea { name: "list", counts: (11.0, 3.0), text: r#"
;! title  = "three links of a list"
;! heap   = "pointer"
;! params = { order = "random", objects = 64 }
;! object = "dd id; dq next"
;! result = "ecx"
;! expect = "next.next.next.id"
body:
        mov  ecx, 3
1:      mov  rax, [rax + 4]
        dec  ecx
        jnz  1b
        mov  ecx, [rax]
"# },
    Idea { name: "nan_boxes", counts: (5.5, 1.0), text: r#"
;! title  = "a value is a number, or a pointer behind a tag in its upper bits"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 2, order = "cyclic", objects = 64 }
;! words  = "type == 1 ? object | 0xfffc << 48 : 7 * id"
;! result = "eax"
;! expect = "type == 1 ? id : 7 * id"
;! dispatch = "site"
body:
        mov  rcx, rax
        shr  rcx, 48
        cmp  ecx, 0xfffc
site:   jne  number
        shl  rax, 16
        shr  rax, 16
        mov  eax, [rax]
number:
"# },
    Idea { name: "two_walks", counts: (6.0, 0.0), text: r#"
;! title  = "compares the receivers of two walks"
;! heap   = "iface"
;! types  = "main.T{t}"
;! methods = []
;! params = { walks = 2, targets = 4, order = "random", objects = 64 }
;! result = ["eax", "r8d"]
;! expect = ["type == second.type", "id + 1000 * second.id"]
body:                                    ; rax, rbx and rcx, rdx
        mov  r8d, [rdx]
        imul r8d, r8d, 1000
        add  r8d, [rbx]
        cmp  rax, rcx
        sete al
        movzx eax, al
"# },
    Idea { name: "ahead", counts: (8.0, 2.0), text: r#"
;! title  = "prefetches the itab and the object of the receiver after the next"
;! heap   = "iface"
;! types  = "main.T{t}"
;! methods = ["Id"]
;! params = { ahead = 2, targets = 4, order = "random", objects = 1024 }
;! result = "eax"
;! expect = "id + type"
;! clobbers = "all"
;! expand = true
body:                                    ; rsi, rdi = the receiver two elements on
        prefetcht0 [rsi + 24]
        prefetcht0 [rdi]
        mov  rcx, [rax + 24]
        mov  rax, rbx
        call rcx
{% for t in range(targets) %}
func "main.(*T{{t}}).Id":
        mov  eax, [rax]
        add  eax, {{t + 1}}
        ret
{% endfor %}
"# },
    Idea { name: "batch", counts: (5.125, 1.0), text: r#"
;! title  = "sums eight objects at once"
;! heap   = "pointer"
;! params = { batch = 8, order = "random", objects = 64 }
;! result = "ecx"
;! expect = "id"
body:                                    ; rax = the receivers, rbx = how many
        xor  ecx, ecx
1:      mov  rdx, [rax]
        add  ecx, [rdx]
        add  rax, 8
        dec  ebx
        jnz  1b
"# },
    Idea { name: "two_interfaces", counts: (10.0, 2.0), text: r#"
;! title  = "asks a receiver for another interface by comparing types, and calls through that one's itab"
;! heap   = "iface"
;! types  = "main.T{t}"
;! methods = ["Id"]
;! interfaces = { "main.J" = ["Twice"] }
;! params = { targets = 2, order = "random", objects = 64 }
;! result = "eax"
;! expect = "2 * id + tag"
;! expand = true
body:
        lea  rcx, ["go.itab.main.T0,main.J"]
        lea  rdx, ["go.itab.main.T1,main.J"]
        lea  rsi, ["go.itab.main.T1,main.I"]
        cmp  rax, rsi
        cmove rcx, rdx
        mov  rax, rbx
        call [rcx + 24]
{% for t in range(targets) %}
func "main.(*T{{t}}).Id":
        ret
func "main.(*T{{t}}).Twice":
        mov  eax, [rax]
        lea  eax, [rax + rax + {{t}}]
        ret
{% endfor %}
"# },
    Idea { name: "mixed_receivers", counts: (6.0, 2.0), text: r#"
;! title  = "half of the receivers are pointers, half are values"
;! heap   = "iface"
;! types  = ["main.T{t}", "*main.T{t}"]
;! methods = ["Id"]
;! params = { targets = 4, order = "random", objects = 64 }
;! result = "eax"
;! expect = "id + type"
;! dispatch = "site"
;! expand = true
body:
        mov  rcx, [rax + 24]
        mov  rax, rbx
site:   call rcx
{% for t in range(targets) %}
func "main.(*T{{t}}).Id":
        mov  eax, [rax]
        add  eax, {{t + 1}}
        ret
{% endfor %}
"# },
    Idea { name: "cmov_switch", counts: (15.0, 0.0), text: r#"
;! title  = "a type switch by conditional moves, over random types"
;! heap   = "eface"
;! types  = "main.T{t}"
;! params = { targets = 4, order = "random", objects = 64 }
;! result = "eax"
;! expect = "id + 10 * type"
;! expand = true
body:
        mov  ecx, [rax + 16]            ; the hash
        xor  eax, eax
{% for type in types %}
        mov  edx, {{ 10 * (type.index + 1) }}
        cmp  ecx, {{ type.hash }}
        cmove eax, edx
{% endfor %}
        add  eax, [rbx]
"# },
    Idea { name: "perfect_hash", counts: (8.0, 2.0), text: r#"
;! title  = "a type switch by a table that no two hashes share a slot of"
;! heap   = "eface"
;! types  = "main.T{t}"
;! params = { targets = 8, order = "random", objects = 64 }
;! result = "eax"
;! expect = "id + type"
;! dispatch = "site"
;! expand = true
{% set table = jump_table(types | map(attribute="hash") | list, 6) %}
body:
        mov  ecx, [rax + 16]
        shr  ecx, {{ table.shift }}
        and  ecx, {{ table.mask }}
        lea  rdx, ["main.slots"]
        mov  eax, [rbx]
site:   jmp  [rdx + 8 * rcx]
{% for type in types %}
case{{ type.index }}:
        add  eax, {{ type.index + 1 }}
        jmp  out
{% endfor %}
none:   xor  eax, eax
out:
data "main.slots":
{% for slot in table.slots %}
        dq {{ "none" if slot is none else "case" ~ slot }}
{% endfor %}
"# },
    Idea { name: "sorted_batch", counts: (13.875, 4.0), text: r#"
;! title  = "eight receivers at once, all of one type before those of the other"
;! heap   = "iface"
;! types  = "main.T{t}"
;! methods = ["Id"]
;! params = { batch = 8, targets = 2, order = "random", objects = 64 }
;! result = "eax"
;! expect = "id + type"
;! clobbers = "all"
;! expand = true
body:                                   ; rax = the receivers, rbx = how many
        mov  rsi, rax
        xor  edi, edi
{% for t in range(targets) %}
        lea  r8, ["go.itab.main.T{{ t }},main.I"]
        xor  ecx, ecx
next{{ t }}:
        cmp  [rsi + rcx], r8
        jne  over{{ t }}
        mov  rax, [rsi + rcx + 8]
        add  edi, [rax]
        add  edi, {{ t + 1 }}
over{{ t }}:
        add  ecx, 16
        cmp  ecx, 128
        jne  next{{ t }}
{% endfor %}
        mov  eax, edi
{% for t in range(targets) %}
func "main.(*T{{ t }}).Id":
        ret
{% endfor %}
"# },
    Idea { name: "cuckoo", counts: (11.5, 2.5), text: r#"
;! title  = "an itab cache with two places for each type, as cuckoo hashing has it"
;! heap   = "eface"
;! types  = "main.T{t}"
;! params = { targets = 4, order = "cyclic", objects = 64 }
;! result = "eax"
;! expect = "id + type"
;! dispatch = ["first", "second"]
;! expand = true
body:                                   ; rax = the type
        mov  ecx, [rax + 16]
        mov  edx, ecx
        and  ecx, 56
        lea  rsi, ["main.left"]
        cmp  [rsi + rcx], rax
first:  je   found
        and  edx, 7
        lea  rsi, ["main.right"]
        lea  ecx, [8 * rdx]
        cmp  [rsi + rcx], rax
second: jne  miss
found:  mov  eax, [rsi + rcx + 64]
        add  eax, [rbx]
        jmp  done
miss:   xor  eax, eax
done:
data "main.left":
{% for slot in range(8) %}
        dq {{ '"type.main.T0"' if slot == types[0].hash // 8 % 8 else '"type.main.T1"' if slot == types[1].hash // 8 % 8 else 0 }}
{% endfor %}
{% for slot in range(8) %}
        dq {{ 1 if slot == types[0].hash // 8 % 8 else 2 }}
{% endfor %}
data "main.right":
{% for slot in range(8) %}
        dq {{ '"type.main.T2"' if slot == types[2].hash % 8 else '"type.main.T3"' if slot == types[3].hash % 8 else 0 }}
{% endfor %}
{% for slot in range(8) %}
        dq {{ 3 if slot == types[2].hash % 8 else 4 }}
{% endfor %}
"# },
    Idea { name: "two_level", counts: (6.0, 2.0), text: r#"
;! title  = "a table of tables: by package of methods, then by method"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 4, order = "random", objects = 64 }
;! object = 'dq "main.groups{t}"; dd id'
;! result = "eax"
;! expect = "id + type"
;! dispatch = "site"
;! expand = true
body:
        mov  rcx, [rax]
        mov  rcx, [rcx + 8]             ; the second group
site:   call [rcx + 16]                 ; its third method
{% for t in range(targets) %}
func "main.f{{ t }}":
        mov  eax, [rax + 8]
        add  eax, {{ t + 1 }}
        ret
data "main.groups{{ t }}": dq 0, "main.group{{ t }}"
data "main.group{{ t }}": dq 0, 0, "main.f{{ t }}"
{% endfor %}
"# },
    Idea { name: "trampoline", counts: (6.0, 3.0), text: r#"
;! title  = "a call through a trampoline that puts a word beside the receiver, as closures in C have it"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 4, order = "random", objects = 64 }
;! words  = ["object", '"main.trampoline{t}"']
;! result = "eax"
;! expect = "id + 100 * tag"
;! dispatch = "site"
;! expand = true
body:
site:   call rbx
{% for t in range(targets) %}
func "main.trampoline{{ t }}":
        mov  r10d, {{ 100 * t }}
        jmp  "main.f"
{% endfor %}
func "main.f":
        mov  eax, [rax]
        add  eax, r10d
        ret
"# },
    Idea { name: "return_thunk", counts: (7.0, 3.0), text: r#"
;! title  = "returns through a thunk, as kernels have them against straight-line speculation"
;! heap   = "iface"
;! types  = "main.T{t}"
;! methods = ["Id"]
;! params = { targets = 4, order = "random", objects = 64 }
;! result = "eax"
;! expect = "id + type"
;! dispatch = "site"
;! clobbers = "all"
;! expand = true
body:
        mov  rcx, [rax + 24]
        mov  rax, rbx
site:   call rcx
{% for t in range(targets) %}
func "main.(*T{{ t }}).Id":
        mov  eax, [rax]
        add  eax, {{ t + 1 }}
        jmp  "main.return_thunk"
{% endfor %}
func "main.return_thunk":
        ret
        int3
"# },
    Idea { name: "inline_cache", counts: (11.0, 3.0), text: r#"
;! title  = "a call site that remembers the last type and its method, in data"
;! heap   = "iface"
;! types  = "main.T{t}"
;! methods = ["Id"]
;! params = { targets = 2, order = "cyclic", objects = 64 }
;! result = "eax"
;! expect = "id + type"
;! clobbers = "all"
;! expand = true
body:
        lea  rdx, ["main.cache"]
        cmp  rax, [rdx]
        je   hit
        mov  [rdx], rax
        mov  rcx, [rax + 24]
        mov  [rdx + 8], rcx
hit:    mov  rax, rbx
        call [rdx + 8]
data "main.cache": dq 0, 0
{% for t in range(targets) %}
func "main.(*T{{ t }}).Id":
        mov  eax, [rax]
        add  eax, {{ t + 1 }}
        ret
{% endfor %}
"# },
    Idea { name: "guard_word", counts: (3.5, 1.0), text: r#"
;! title  = "guards by a type word in the object's header: no itab is read"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 2, order = "cyclic", objects = 64 }
;! object = "dd tag; dd id"
;! result = "eax"
;! expect = "id + 7 * tag"
;! dispatch = "site"
body:
        cmp  dword [rax], 0
        mov  eax, [rax + 4]
site:   je   done
        add  eax, 7
done:
"# },
    Idea { name: "fields", counts: (5.0, 2.0), text: r#"
;! title  = "a method with three results"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 4, order = "random", objects = 64 }
;! object = "dd id; dw flags = 0x8000 | tag; db depth = id & 15; resb 1; dq next.id * 0x100000001"
;! result = ["rax", "cx", "dl"]
;! expect = ["next.id * 0x100000001", "flags", "depth"]
body:
        call "main.(*T).All"
func "main.(*T).All":
        mov  dl, [rax + 6]
        mov  cx, [rax + 4]
        mov  rax, [rax + 8]
        ret
"# },
    Idea { name: "enum", counts: (4.0, 0.0), text: r#"
;! title  = "an enum in a register: its tag in the upper half, its value in the lower"
;! heap   = "pointer"
;! types  = "main.T{t}"
;! params = { targets = 4, order = "random", objects = 64 }
;! words  = "tag << 32 | id"
;! result = "eax"
;! expect = "id + 10 * tag"
body:
        mov  rcx, rax
        shr  rcx, 32
        imul ecx, ecx, 10
        add  eax, ecx
"# },
];

fn run(apart: &str, name: &str, text: &str) -> (i32, Value) {
    let file = template(&folder(apart), name, text.trim_start());
    json(&[
        "run",
        &file,
        "--quick",
        "--counters",
        "none",
        "--placements",
        "1",
    ])
}

#[test]
fn each_idea_is_right_at_its_first_run() {
    for idea in IDEAS {
        assert!(idea.text.trim().lines().count() <= 40, "{}", idea.name);
        let (code, document) = run("ideas", idea.name, idea.text);
        assert_eq!(code, 0, "{}: {document:#}", idea.name);
        let (_, row) = rows(&document).into_iter().next().expect("a row");
        assert_eq!(row["verified"], true, "{}: {row:#}", idea.name);
        let counts = (value(row, "instructions"), value(row, "branches"));
        assert_eq!(counts, idea.counts, "{}", idea.name);
    }
}

#[test]
fn each_idea_with_one_formula_changed_is_a_wrong_result() {
    for idea in IDEAS {
        let line = idea.text.lines().find(|line| line.starts_with(";! expect"));
        let line = line.expect("it states what it expects");
        let wrong = match line.rsplit_once("\"]") {
            Some((front, _)) => format!("{front} + 1\"]"),
            None => format!("{} + 1\"", &line[..line.len() - 1]),
        };
        let (code, document) = run("wrong_ideas", idea.name, &idea.text.replace(line, &wrong));
        assert_eq!(code, 4, "{}: {document:#}", idea.name);
        assert_eq!(
            document["rows"][0]["status"], "wrong-result",
            "{}",
            idea.name
        );
    }
}

#[test]
fn without_a_walk_the_same_instructions_run_with_nothing_of_the_harness_around_them() {
    let rows_of = |names: &[&str]| {
        let (code, document) = json(&[&["run", "--quick", "--placements", "1"], names].concat());
        assert_eq!(code, 0, "{document:#}");
        document["rows"].as_array().expect("rows").clone()
    };
    let names = [
        "method_inline",
        "direct_call",
        "itab_call",
        "itab_wrapper",
        "type_switch",
        "itab_call[go=1.10]",
    ];
    let still = names.map(|name| match name.strip_suffix(']') {
        Some(front) => format!("{front},walk=none]"),
        None => format!("{name}[walk=none]"),
    });
    let walked = rows_of(&names);
    let still = rows_of(&still.each_ref().map(String::as_str));
    for (walked, still) in walked.iter().zip(&still) {
        assert_eq!(still["verified"], true, "{still:#}");
        for metric in ["instructions", "branches"] {
            let same = [walked, still].map(|row| value(row, metric));
            assert_eq!(same[0], same[1], "{metric} of {}", still["scenario"]);
        }
        let own = still["baseline"]["instructions"]["value"]
            .as_f64()
            .expect("a count");
        assert!(
            own <= 1.0,
            "{own} instructions of the harness in {}",
            still["scenario"]
        );
        assert_eq!(still["params"]["objects"], 1);
    }
    let ratio = |rows: &[Value]| value(&rows[2], "cycles") / value(&rows[0], "cycles");
    assert!(
        ratio(&still) > 1.5 * ratio(&walked),
        "{} and {}",
        ratio(&still),
        ratio(&walked)
    );
}

#[test]
fn what_says_of_several_receivers_how_they_are_visited_is_refused_without_a_walk() {
    let ahead = IDEAS
        .iter()
        .find(|idea| idea.name == "ahead")
        .expect("an idea");
    let all = "body:\n mov ecx, 0\n mov edx, 0\n mov esi, 0\n mov edi, 0\n mov ebp, 0\n mov r8d, 0\n mov r9d, 0\n mov r10d, 0\n mov r11d, 0\n";
    let all = format!(";! heap = \"pointer\"\n{all}");
    let folder = folder("still");
    let ahead = template(&folder, "ahead", ahead.text.trim_start());
    let all = template(&folder, "all", &all);
    #[rustfmt::skip] // a table
    let table = [
        ("itab_call", "order=random", 2, "`walk=none` has one receiver in registers, and `order` is about several"),
        ("itab_call", "work=8", 2, "`work` is about several"),
        ("itab_call", "targets=8", 2, "`walk=none` has one receiver in registers, and `targets=8` is about several"),
        ("type_switch", "hit=order", 2, "`hit=order` is about several"),
        (&ahead, "walk=none", 2, "the template gives a body more: `ahead`"),
        (&all, "walk=none", 3, "keeps the receiver in registers that no code names"),
    ];
    for (name, parameter, code, words) in table {
        let run = crate::common::dispatchlab(&[
            "run",
            name,
            "-p",
            "walk=none",
            "-p",
            parameter,
            "--quick",
        ]);
        assert_eq!(
            run.code, code,
            "{name} {parameter}: {} {}",
            run.stdout, run.stderr
        );
        let said = crate::common::unfolded(&format!("{}{}", run.stdout, run.stderr));
        assert!(said.contains(words), "{name} {parameter}: {said}");
    }
}

/// Two halves of a sum whose carry goes astray: wrong by 65536 in one result and by one in the other.
const CARRY: &str = ";! heap = \"pointer\"\n;! params = { order = \"random\", objects = 64 }\n;! result = [\"eax\", \"edx\"]\n\
    ;! expect = [\"(id << 10) & 0xffff\", \"id >> 6\"]\nbody:\n mov eax, [rax]\n shl eax, 10\n xor edx, edx\n";
/// A word of one byte, whose value is cut to it.
const NARROW: &str = ";! heap = \"pointer\"\n;! params = { order = \"random\", objects = 64 }\n;! object = \"dd id; db small = id * 7\"\n\
    ;! result = \"eax\"\n;! expect = \"small\"\nbody:\n movzx eax, byte [rax + 4]\n";
/// A batch, be it of one.
const BATCH: &str = ";! heap = \"pointer\"\n;! params = { batch = 1, order = \"random\", objects = 64 }\n;! result = \"eax\"\n\
    ;! expect = \"id\"\nbody:\n xor ecx, ecx\n1: mov rdx, [rax]\n add ecx, [rdx]\n add rax, 8\n dec ebx\n jnz 1b\n mov eax, ecx\n";

#[test]
fn what_is_wrong_by_a_carry_is_no_result_and_a_narrow_word_is_narrow() {
    assert_eq!(run("carry", "carry", CARRY).0, 4);
    assert_eq!(run("carry", "narrow", NARROW).0, 0);
}

#[test]
fn a_batch_of_one_is_a_batch_and_its_allocations_are_of_one_receiver() {
    let file = template(&folder("batches"), "batch", BATCH);
    let names = [1, 2, 8].map(|batch| format!("{file}[batch={batch}]"));
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(names.iter().map(String::as_str));
    arguments.extend(["convert_value", "convert_value[walk=none]"]);
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let rows = document["rows"].as_array().expect("rows");
    let counts = [7.0, 6.0, 5.25].map(|count| count);
    for (row, count) in rows.iter().zip(counts) {
        assert_eq!(value(row, "instructions"), count, "{}", row["scenario"]);
    }
    for metric in ["allocs", "alloc_bytes"] {
        assert_eq!(value(&rows[3], metric), value(&rows[4], metric), "{metric}");
    }
}

#[test]
fn types_that_take_turns_and_have_no_object_are_told() {
    for (name, told) in [
        (
            "itab_call[objects=7,targets=8]",
            Some("1 of 8 types have no object with `objects=7`"),
        ),
        ("itab_call[objects=8,targets=8]", None),
        (
            "type_switch[cases=8,hit=order,objects=2]",
            Some("6 of 8 types have no object"),
        ),
        ("type_switch[cases=8,hit=first,objects=2]", None),
    ] {
        let (code, document) = crate::common::json(&["run", name, "--counters", "none"]);
        assert_eq!(code, 0, "{name}");
        let said = document["rows"][0]["warnings"].to_string();
        match told {
            Some(words) => assert!(said.contains(words), "{name}: {said}"),
            None => assert!(!said.contains("no object"), "{name}: {said}"),
        }
    }
}
