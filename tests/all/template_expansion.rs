//! Expansion: lines keep their numbers, and errors point into the template.

use std::sync::Arc;

use dispatchlab::asm::SourceSection;
use dispatchlab::scenario::Scenario;
use dispatchlab::template::{Origin, Template};
use dispatchlab::text::diagnostic::Diagnostic;

fn expand_with(
    text: &str,
    overrides: &[(&str, &str)],
) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
    let template = Template::parse("t", Origin::Stdin, text.to_string()).expect("a sound header");
    let overrides: Vec<(String, String)> = overrides
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    Scenario::bind(Arc::new(template), &overrides)
        .expect("binds")
        .expand()
}

/// The code lines of the body with their numbers.
fn body(lines: &str) -> Vec<(u32, String)> {
    let sections = expand_with(&format!(";! expand = true\nbody:\n{lines}"), &[]).expect("expands");
    let code = sections[0]
        .lines
        .iter()
        .filter(|line| !line.text.trim().is_empty());
    code.map(|line| (line.number, line.text.trim().to_string()))
        .collect()
}

fn error(lines: &str) -> Diagnostic {
    let text = format!(";! expand = true\nbody:\n{lines}");
    let mut errors = expand_with(&text, &[]).expect_err(lines);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

fn lines(expected: &[(u32, &str)]) -> Vec<(u32, String)> {
    expected
        .iter()
        .map(|&(number, text)| (number, text.to_string()))
        .collect()
}

#[test]
fn each_turn_of_a_loop_carries_the_line_of_the_template() {
    let seen = body(" nop\n{% for t in range(2) %}\n mov eax, {{ t }}\n ret\n{% endfor %}\n ud2\n");
    let expected = [
        (3, "nop"),
        (5, "mov eax, 0"),
        (6, "ret"),
        (5, "mov eax, 1"),
        (6, "ret"),
        (8, "ud2"),
    ];
    assert_eq!(seen, lines(&expected));
}

#[test]
fn trimmed_blanks_do_not_move_line_numbers() {
    let seen = body("{%- for t in range(2) -%}\n mov eax, {{ t }}\n{%- endfor -%}\n\n ud2\n");
    let numbers: Vec<u32> = seen.iter().map(|line| line.0).collect();
    assert!(
        numbers.iter().all(|number| [4, 7].contains(number)),
        "{seen:?}"
    );
}

#[test]
fn a_tag_over_several_lines_does_not_move_line_numbers() {
    let seen = body(
        "{% set x = [1,\n  2,\n  \"}}%}\"] %}\n mov eax, {{ x[0] +\n 1 }}\n nop {# a\n remark #}\n ud2\n",
    );
    assert_eq!(seen, lines(&[(6, "mov eax, 2"), (8, "nop"), (10, "ud2")]));
}

#[test]
fn a_macro_gives_the_line_of_its_definition() {
    let seen = body(
        "{% macro twice(x) %}\n add eax, {{ x }}\n{% endmacro %}\n nop\n{{ twice(4) }}\n ud2\n",
    );
    assert_eq!(seen, lines(&[(6, "nop"), (4, "add eax, 4"), (8, "ud2")]));
}

#[test]
fn a_section_that_is_wrong_in_a_loop_shows_both_lines() {
    let error =
        error(" nop\n{% for t in range(2) %}\nfunc \"f{{ t // 2 }}\":\n ret\n{% endfor %}\n");
    assert_eq!(error.line, 5);
    assert_eq!(error.text, "func \"f0\":");
    assert_eq!(error.origin.as_deref(), Some("func \"f{{ t // 2 }}\":"));
}

#[test]
fn an_unknown_name_is_pointed_at() {
    let error = error(" nop\n  mov eax, {{ bogus }}\n");
    assert_eq!((error.line, error.column, error.width), (4, 15, 5));
    assert_eq!(error.text, "  mov eax, {{ bogus }}");
    assert!(error.message.contains("undefined"), "{}", error.message);
}

#[test]
fn a_syntax_error_is_pointed_at() {
    let error = error(" nop\n{% for t on range(2) %}\n{% endfor %}\n");
    assert_eq!(error.line, 4);
    assert_eq!(
        &error.text[error.column as usize - 1..][..error.width as usize],
        "on"
    );
    assert!(
        error.message.starts_with("syntax error"),
        "{}",
        error.message
    );
    assert!(error.help.is_some());
}

#[test]
fn an_expansion_without_end_is_an_error() {
    let endless = "{% macro again(n) %}{% for a in range(1000000) %}{% for b in range(1000000) %}{% endfor %}{% endfor %}{% endmacro %}\n{{ again(1) }}\n";
    let error = error(endless);
    assert!(
        error.message.contains("does not come to an end"),
        "{}",
        error.message
    );
    assert!(super_long_range().message.contains("at most"));
}

fn super_long_range() -> Diagnostic {
    error("{% for a in range(1000000000000) %}{% endfor %}\n")
}

#[test]
fn the_context_has_types_methods_and_what_the_release_means() {
    let text = concat!(
        ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"A\", \"B\"]\n",
        ";! params = { targets = 2, go = [\"1.27\", \"1.10\", \"1.18\"], fast = true }\n",
        ";! result = \"eax\"\n;! expect = \"id+type\"\n;! expand = true\n",
        "body: ; {{ abi }} {{ go_minor }} {{ go }} {{ order }} {{ objects }} {% if fast %}fast{% endif %}\n",
        "{% for t in types %}\n; {{ t.index }} {{ t.name }} {{ methods[t.index] }}\n{% endfor %}\n",
    );
    let seen = |overrides: &[(&str, &str)]| -> Vec<String> {
        let sections = expand_with(text, overrides).expect("expands");
        sections[0]
            .lines
            .iter()
            .map(|line| line.text.clone())
            .collect()
    };
    assert_eq!(seen(&[]), ["; 0 main.T0 A", "; 1 main.T1 B"]);
    let hashed = format!(
        "{text} mov eax, {{{{ hash(\"uint32\") }}}} ; {{{{ abi }}}} {{{{ types[0].hash > 0 }}}}\n"
    );
    let last = |go: &str| {
        expand_with(&hashed, &[("go", go)]).map(|sections| sections[0].lines.last().cloned())
    };
    assert_eq!(
        last("1.10").expect("known").expect("a line").text,
        " mov eax, 3494570045 ; stack True"
    );
    assert_eq!(
        last("1.27").expect("known").expect("a line").text,
        " mov eax, 383256291 ; register True"
    );
    let unknown = last("1.18").expect_err("unknown").remove(0);
    assert_eq!(unknown.line, 12);
    assert!(
        unknown
            .message
            .starts_with("how Go 1.18 hashes a type is not known"),
        "{}",
        unknown.message
    );
}

#[test]
fn a_template_that_is_not_expanded_keeps_every_line() {
    let sections = expand_with(
        ";! title = \"x\"\n\nbody:\n\n nop\n ; {{ untouched }}\n",
        &[],
    )
    .expect("plain");
    let numbers: Vec<u32> = sections[0].lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [4, 5, 6]);
    assert_eq!(sections[0].lines[2].text, " ; {{ untouched }}");
}

#[test]
fn twenty_thousand_types_expand() {
    let text = concat!(
        ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n;! params = { targets = 1 }\n",
        ";! result = \"eax\"\n;! expect = \"id+type\"\n;! expand = true\n",
        "body:\n{% for t in range(targets) %}\nfunc \"main.(*T{{ t }}).Id\":\n add eax, {{ t + 1 }}\n ret\n{% endfor %}\n",
    );
    let sections = expand_with(text, &[("targets", "20000")]).expect("expands");
    assert_eq!(sections.len(), 20_001);
}

#[test]
fn the_longest_chains_are_compiled_on_the_stack_of_a_thread() {
    // Threads of tests have two MiB, where a command has eight.
    for (before, link, after) in [
        ("{{ ", "1+", "1 }}"),
        ("{{ ", "1~", "1 }}"),
        ("{{ ", "not ", "1 }}"),
        ("{{ ", "1 if 0 else ", "1 }}"),
        ("{{ 1", "|abs", " }}"),
        ("{{ ", "1 < ", "1 }}"),
        ("{% if 0 %}", "{% elif 0 %}", "{% endif %}"),
    ] {
        body(&format!("; {before}{}{after}\n nop\n", link.repeat(499)));
    }
}
