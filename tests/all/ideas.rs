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
