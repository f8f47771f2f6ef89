//! `dispatchlab step --stack`: the words of the stack, and what each is for.
//!
//! Correct means: a slot holds what the CPU would load from it, one that nothing wrote is never 0, and
//! the names are those that somebody who draws the frame by hand would give.

use std::fs;

use crate::common::{dispatchlab, folder, json, template};
use serde_json::Value;

/// The line of a shipped template on which a text stands for the last time.
fn line_of(template: &str, text: &str) -> String {
    let path = format!(
        "{}/asm_templates/{template}.asm",
        env!("CARGO_MANIFEST_DIR")
    );
    let source = fs::read_to_string(path).expect("the template");
    let at = source.lines().collect::<Vec<_>>();
    let at = at.iter().rposition(|line| line.contains(text));
    (at.expect("it has that line") + 1).to_string()
}

/// The drawings of the first iteration, in order.
fn drawings(arguments: &[&str]) -> Vec<Value> {
    let (_, told) = json(&[&["step", "--stack"], arguments].concat());
    let steps = told["iterations"][0]["steps"].as_array().expect("steps");
    let all = steps.iter().filter(|step| !step["stack"].is_null());
    all.map(|step| step["stack"].clone()).collect()
}

/// Each word in short: the frame, the offset, and for each part its value and what it is for.
fn words(drawing: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let mut all = Vec::new();
    for frame in list(&drawing["frames"]) {
        for word in list(&frame["words"]) {
            let parts = list(&word["parts"]).into_iter().map(|part| {
                if part["is_written"] == false {
                    return "-".to_string();
                }
                let value = &part["value"];
                let value = match value["name"].as_str() {
                    Some(name) => name.to_string(),
                    None => match value["value"].as_str() {
                        None => "?".to_string(),
                        Some(hex) => u64::from_str_radix(&hex[2..], 16).expect("hex").to_string(),
                    },
                };
                format!("{value} {}", part["slot"].as_str().expect("a slot"))
            });
            let parts: Vec<String> = parts.collect();
            all.push(format!(
                "{} {}: {}",
                frame["function"].as_str().expect("a name"),
                word["offset"],
                parts.join(" | ")
            ));
        }
    }
    all
}

#[test]
fn the_frame_of_a_wrapper_that_copies_a_string_is_the_one_drawn_by_hand() {
    // Adder{6754, "test"} is copied below the arguments 10 and 32, which the caller packed into one
    // store and the wrapper copies one by one. The frame is 48 bytes and holds the saved rbp at 40.
    let line = line_of("iface_strings", "call \"main.Adder.{{ name }}\"");
    let drawn = drawings(&["iface_strings[go=1.12,method=called]", "--at", &line]);
    assert_eq!(drawn.len(), 1);
    assert_eq!(drawn[0]["is_before"], true);
    let words = words(&drawn[0]);
    let wrapper = [
        "0: 6754 argument | -",
        "8: go.string.test argument",
        "16: 4 argument",
        "24: 10 argument | 32 argument",
        "32: -",
        "40: 0 saved rbp",
    ];
    let expected: Vec<String> = wrapper
        .iter()
        .map(|word| format!("main.(*Adder).Add {word}"))
        .collect();
    assert_eq!(words[..6], expected[..], "{words:#?}");
    assert!(words[6].starts_with("main.(*Adder).Add 48: "), "{words:#?}");
    assert!(words[6].ends_with(" return address"), "{words:#?}");
    let caller = [
        "body 56: main.adder argument",
        "body 64: 10 argument | 32 argument",
        "body 72: -",
    ];
    assert_eq!(words[7..], caller, "{words:#?}");
}

#[test]
fn a_result_of_the_stack_abi_is_named_when_it_is_there() {
    let drawn = drawings(&["iface_strings[go=1.12,method=called]"]);
    let mut drawn = drawn.iter().map(words);
    let drawn = drawn.find(|all| {
        all.last()
            .is_some_and(|word| word == "body 72: 42 result | -")
    });
    let drawn = drawn.expect("the wrapper stores its result");
    assert_eq!(drawn[4], "main.(*Adder).Add 32: 42 result | -");
}

#[test]
fn an_argument_that_came_in_a_register_is_spilled_above_the_return_address() {
    let drawn = drawings(&["prologue[grow=true]"]);
    let all: Vec<String> = drawn.iter().flat_map(words).collect();
    let spilled = all.iter().find(|word| word.ends_with("spilled argument"));
    assert!(
        spilled.is_some_and(|word| word.starts_with("body ")),
        "{all:#?}"
    );
}

#[test]
fn a_receiver_that_a_tail_call_replaces_is_still_an_argument() {
    let line = line_of("promoted", "mov  dword [rsp + 24], 0");
    let drawn = words(&drawings(&["promoted[go=1.10]", "--at", &line])[0]);
    assert_eq!(drawn[1], "body 8: object[0] argument");
}

#[test]
fn what_an_earlier_call_left_is_its_result_and_no_argument_of_the_next() {
    let file = template(
        &folder("step_stack"),
        "twice",
        ";! go = \"1.10\"\n;! heap = \"pointer\"\nbody:\n mov qword [rsp], 7\n call \"main.f\"\n call \"main.f\"\nfunc \"main.f\":\n mov rax, [rsp+8]\n mov [rsp+16], rax\n ret\n",
    );
    let drawn = drawings(&[&file]);
    let all: Vec<Vec<String>> = drawn.iter().map(words).collect();
    assert_eq!(all[2][2], "body 16: 7 result", "{all:#?}");
    assert_eq!(all[2][1], "body 8: 7 argument", "{all:#?}");
}

#[test]
fn a_panic_leaves_the_frames_that_led_to_it() {
    for release in ["1.27", "1.10"] {
        let drawn = drawings(&["wrapper_call[receiver=nil]", "-p", &format!("go={release}")]);
        let words = words(drawn.last().expect("a drawing"));
        assert!(words[0].starts_with("runtime.panicwrap"), "{words:#?}");
        assert!(words[0].contains("main.(*Adder).Add+"), "{words:#?}");
        let saved = words.iter().find(|word| word.ends_with("saved rbp"));
        assert!(
            saved.is_some_and(|word| word.starts_with("main.(*Adder).Add ")),
            "{words:#?}"
        );
        let returns = words.iter().filter(|word| word.ends_with("return address"));
        assert_eq!(returns.count(), 2, "{words:#?}");
    }
}

#[test]
fn what_nothing_wrote_or_nobody_can_tell_is_no_number() {
    let file = template(
        &folder("step_stack"),
        "slots",
        "; nothing\nbody:\n mov byte [rsp+9], 0\n push 7\n pop rcx\n sub rsp, 8\n movups [rsp+16], xmm0\n inc qword [rsp+24]\n add rsp, 8\n",
    );
    let drawn = drawings(&[&file]);
    let all: Vec<Vec<String>> = drawn.iter().map(words).collect();
    let first = ["body 0: -", "body 8: - | 0 not read | -", "body 16: -"];
    assert_eq!(all[0], first);
    assert_eq!(all[1][0], "body 0: 7 local");
    // The word that was popped is nobody's when there is room for it again.
    assert_eq!(all[3][0], "body 0: -");
    let vector = [
        "body 0: -",
        "body 8: -",
        "body 16: ? local",
        "body 24: ? local",
    ];
    assert_eq!(all[4], vector);
    assert_eq!(all[5][3], "body 24: ? not read");
    let text = dispatchlab(&["step", &file, "--stack"]).stdout;
    assert!(
        text.contains("rsp+0x8  | -, 0, -          | not read, from line 3"),
        "{text}"
    );
    assert!(text.contains("| ?                |"), "{text}");
}

#[test]
fn a_slot_holds_what_the_cpu_loads_from_it() {
    let mut compared = 0;
    for name in [
        "itab_wrapper[go=1.10,method=called]",
        "itab_wrapper[method=called]",
        "iface_strings[go=1.12,method=called]",
        "iface_unoptimised",
        "escape[form=value,go=1.10]",
        "convert_scalar[go=1.10]",
        "convert_scalar",
        "promoted[go=1.10]",
        "assert_to_interface[go=1.10]",
        "closure[go=1.10,holds=method_value]",
    ] {
        let (code, told) = json(&["step", name, "--stack"]);
        assert_eq!(code, 0, "{name}");
        let mut drawing = Value::Null;
        for step in told["iterations"][0]["steps"].as_array().expect("steps") {
            let text = step["text"].as_str().expect("text");
            if let Some((register, offset)) = load(text) {
                let changed = &step["registers"][register]["value"];
                let word = words_at(&drawing, offset);
                if let (Some(loaded), Some(held)) = (changed.as_str(), word) {
                    assert_eq!(held, loaded, "{name}: {text}\n{drawing:#}");
                    compared += 1;
                }
            }
            if !step["stack"].is_null() {
                drawing = step["stack"].clone();
            }
        }
    }
    assert!(compared >= 20, "only {compared} loads were compared");
}

/// Register and offset of a load of a word by `rsp`.
fn load(text: &str) -> Option<(&str, u64)> {
    let (register, address) = text.strip_prefix("mov ")?.split_once(", [rsp")?;
    let offset = address.strip_suffix(']')?.trim_start_matches('+');
    let offset = match offset.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None if offset.is_empty() => 0,
        None => offset.parse().ok()?,
    };
    register.starts_with('r').then_some((register, offset))
}

/// The number that a drawing has at an offset, where that word has one.
fn words_at(drawing: &Value, offset: u64) -> Option<&str> {
    let frames = drawing["frames"].as_array()?.iter();
    let mut words = frames.flat_map(|frame| frame["words"].as_array().into_iter().flatten());
    let word = words.find(|word| word["offset"] == offset)?;
    let parts = word["parts"].as_array()?;
    (parts.len() == 1).then(|| parts[0]["value"]["value"].as_str())?
}
