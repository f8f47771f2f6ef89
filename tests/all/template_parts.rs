//! Parts of a template: which there are, what is left when one is left out, and marks that are wrong.

use std::sync::Arc;

use crate::common;
use dispatchlab::asm::{Program, SectionKind};
use dispatchlab::formula::Formula;
use dispatchlab::prepare::prepare;
use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::template::{Library, Origin, Template, TextOptions, shipped};
use dispatchlab::text::diagnostic::Diagnostic;

fn scenario(text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    let template = Template::parse("t", Origin::Stdin, text.to_string())?;
    Ok(Scenario::bind(Arc::new(template), &[]).expect("binds"))
}

fn named(name: &str) -> Scenario {
    let (template, overrides) = parse_name(name).expect("a name");
    let template = Library::embedded().load(&template).expect("shipped");
    Scenario::bind(Arc::new(template), &overrides).expect("binds")
}

fn program(scenario: &Scenario) -> Program {
    prepare(scenario)
        .unwrap_or_else(|errors| panic!("{}: {errors:#?}", scenario.name))
        .row
        .program
}

/// Numbers and texts of the lines of code.
fn code(scenario: &Scenario) -> Vec<(u32, String)> {
    let sections = scenario.expand().expect("expands");
    let lines = sections.into_iter().flat_map(|section| section.lines);
    let code = lines.filter(|line| !line.text.trim().is_empty() && !line.text.contains(";!"));
    code.map(|line| (line.number, line.text.trim().to_string()))
        .collect()
}

const LOOP: &str = concat!(
    ";! expand = true\nbody:\n nop\n",
    "{% for t in range(2) %}\n  ;! part first   ; a remark\n mov eax, {{ t }}\n{% if t %}\n;! end\n",
    " ud2\n{% else %}\n ret\n;! end # here too\n{% endif %}\n{% endfor %}\n",
    ";! part copy-{{ 1 + 1 }}\n cli\n;! end\n hlt\n",
    "func \"f\":\n;! part first\n leave\n;! end\n ret\n",
);

#[test]
fn parts_are_listed_in_the_order_of_their_first_lines() {
    let scenario = scenario(LOOP).expect("sound");
    assert_eq!(scenario.parts().expect("sound"), ["first", "copy-2"]);
    assert_eq!(named("direct_call").parts(), Ok(Vec::new()));
}

#[test]
fn without_a_part_all_its_stretches_are_gone_and_the_other_lines_keep_their_numbers() {
    let whole = scenario(LOOP).expect("sound");
    let without = whole.without("first");
    assert_eq!(without.name, "t without first");
    assert_eq!(without.omitted.as_deref(), Some("first"));
    let lines = |expected: &[(u32, &str)]| -> Vec<(u32, String)> {
        let lines = expected.iter();
        lines.map(|&(n, text)| (n, text.to_string())).collect()
    };
    let left = [
        (3, "nop"),
        (9, "ud2"),
        (16, "cli"),
        (18, "hlt"),
        (23, "ret"),
    ];
    assert_eq!(code(&without), lines(&left));
    let left = [
        (3, "nop"),
        (6, "mov eax, 0"),
        (11, "ret"),
        (6, "mov eax, 1"),
        (9, "ud2"),
        (18, "hlt"),
        (21, "leave"),
        (23, "ret"),
    ];
    assert_eq!(code(&whole.without("copy-2")), lines(&left));
}

#[test]
fn a_part_that_is_not_there_is_an_error_that_names_those_there_are() {
    let whole = scenario(LOOP).expect("sound");
    for (part, help) in [
        ("frist", "did you mean `first`?"),
        ("nil-check", "it has first, copy-2"),
    ] {
        let errors = whole.without(part).expand().expect_err("no such part");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].message.contains(&format!("no part `{part}`")));
        assert_eq!(errors[0].help.as_deref(), Some(help));
    }
}

#[test]
fn marks_change_no_byte_and_no_line() {
    let mut marked = 0;
    for (name, text) in shipped::TEMPLATES {
        let template = Template::parse(name, Origin::Embedded, text.to_string()).expect("sound");
        // An ordinary remark in place of each mark.
        let is_mark = |line: &str| line.starts_with(";! part ") || line == ";! end";
        let mut without_marks = |text: &str| -> String {
            marked += text.lines().filter(|line| is_mark(line)).count();
            let lines = text.lines().map(|line| match is_mark(line) {
                true => ";\n".into(),
                false => format!("{line}\n"),
            });
            lines.collect()
        };
        let mut includes = template.includes.clone();
        for one in &mut includes.texts {
            one.text = without_marks(&one.text);
        }
        let plain = Template::parse_with(
            name,
            Origin::Embedded,
            without_marks(text),
            &TextOptions::default(),
            includes,
        );
        let plain = Arc::new(plain.expect("sound"));
        let template = Arc::new(template);
        for release in &template.header.params["go"].allowed {
            let overrides = [("go".to_string(), release.to_string())];
            let bind = |template: &Arc<Template>| {
                Scenario::bind(Arc::clone(template), &overrides).expect("binds")
            };
            let plain = bind(&plain);
            assert_eq!(plain.parts(), Ok(Vec::new()), "{}", plain.name);
            assert_eq!(program(&plain), program(&bind(&template)), "{}", plain.name);
        }
    }
    assert!(marked > 20, "{marked} marks");
}

#[test]
fn each_part_of_a_shipped_template_can_be_left_out_and_takes_bytes_with_it() {
    for (name, text) in shipped::TEMPLATES {
        let template = Template::parse(name, Origin::Embedded, text.to_string()).expect("sound");
        for release in &template.header.params["go"].allowed {
            let whole = named(&format!("{name}[go={release}]"));
            let bytes = |scenario: &Scenario| -> usize {
                let sections = program(scenario).sections;
                let code = sections.iter().filter(|one| one.kind != SectionKind::Data);
                code.map(|section| section.bytes.len()).sum()
            };
            for part in whole.parts().expect("sound") {
                let without = whole.without(&part);
                assert!(bytes(&without) < bytes(&whole), "{}", without.name);
            }
        }
    }
}

#[test]
fn marks_that_are_wrong_are_one_clear_error_each() {
    #[rustfmt::skip] // a table: text, line, column, width, and what the message says
    let wrong = [
        (";! title = \"x\"\n;! part a\nbody:\n nop\n",         2, 1, 9,  "in the header"),
        (";! end\nbody:\n nop\n",                              1, 1, 6,  "in the header"),
        ("body:\n nop\n ;! end\n",                             3, 2, 6,  "no part is open"),
        ("body:\n;! part a\n nop\n",                           2, 1, 9,  "part `a` does not end in its section"),
        ("body:\n;! part a\n nop\nfunc \"f\":\n ret\n",        2, 1, 9,  "part `a` does not end in its section"),
        ("body:\n;! part a\n;! part b\n nop\n;! end\n",        3, 1, 9,  "part `b` begins inside part `a` of line 2"),
        ("body:\n;! part\n nop\n;! end\n",                     2, 1, 7,  "a part without a name"),
        ("body:\n;! part a_b\n nop\n;! end\n",                 2, 1, 11, "`a_b` is no name for a part"),
        ("body:\n;! part a b\n nop\n;! end\n",                 2, 1, 11, "`a b` is no name for a part"),
        ("body:\n;! part a\n nop\n;! end a\n",                 4, 1, 8,  "without `a`"),
        ("body:\n nop\ndata \"d\":\n;! part a\n dd 1\n",       4, 1, 9,  "this section holds data"),
        ("body:\n nop\n;! prat a\n",                           3, 1, 9,  "a header line below the code"),
        ("body:\n nop\n;! part = 1\n",                         3, 1, 11, "a header line below the code"),
        (";! expand = true\n{% set x = 1 %}\n;! part a\nbody:\n nop\n;! end\n", 3, 1, 9, "before the first section"),
    ];
    for (text, line, column, width, message) in wrong {
        let errors = scenario(text).and_then(|one| one.parts()).expect_err(text);
        let first = &errors[0];
        assert_eq!(
            (first.line, first.column, first.width),
            (line, column, width),
            "{text}: {errors:#?}"
        );
        assert!(first.message.contains(message), "{text}: {errors:#?}");
        assert!(first.help.is_some(), "{text}");
    }
}

#[test]
fn a_mark_that_is_wrong_in_each_turn_of_a_loop_is_reported_once() {
    let text = ";! expand = true\nbody:\n{% for t in range(3) %}\n ;! end\n{% endfor %}\n";
    let errors = scenario(text)
        .expect("a header")
        .parts()
        .expect_err("no part");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0].line, 4);
}

/// The scenario as a template that is not expanded any more.
fn as_text(scenario: &Scenario) -> String {
    let header = scenario.template.text.lines();
    let mut text: String = header
        .filter(|line| {
            line.starts_with(";! ") && !line.starts_with(";! note") && line.contains('=')
        })
        .filter(|line| !line.contains(";! expand"))
        // The branch that is studied may stand in the part.
        .filter(|line| !line.contains(";! dispatch"))
        .map(|line| format!("{line}\n"))
        .collect();
    for section in scenario.expand().expect("expands") {
        text += &match section.kind {
            SectionKind::Body | SectionKind::Setup => format!("{}:\n", section.name),
            SectionKind::Func => format!("func \"{}\":\n", section.name),
            SectionKind::Data => format!("data \"{}\":\n", section.name),
        };
        let is_code = |text: &str| !text.trim_start().starts_with(";!");
        for line in section.lines.iter().filter(|line| is_code(&line.text)) {
            text += &format!("{}\n", line.text);
        }
    }
    text
}

#[test]
fn without_a_part_the_code_still_runs_and_without_most_it_is_still_right() {
    let folder = common::folder("parts");
    let mut files = Vec::new();
    for (name, text) in shipped::TEMPLATES {
        let template = Template::parse(name, Origin::Embedded, text.to_string()).expect("sound");
        for release in &template.header.params["go"].allowed {
            let whole = named(&format!("{name}[go={release}]"));
            for part in whole.parts().expect("sound") {
                let text = as_text(&whole.without(&part));
                let file = common::template(&folder, &format!("{name}-{release}-{part}"), &text);
                // The copy of the receiver is what a result with its id is made of.
                let formulas = template.header.expect.iter();
                let has_id = formulas
                    .map(Formula::to_string)
                    .any(|text| text.contains("id"));
                let is_needed = part == "copy" && has_id;
                files.push((format!("{file}[go={release}]"), is_needed));
            }
        }
    }
    assert!(files.len() > 20, "{} parts", files.len());
    let mut arguments = vec!["run", "--quick", "--counters", "none", "--placements", "1"];
    arguments.extend(files.iter().map(|(file, _)| file.as_str()));
    let (_, document) = common::json(&arguments);
    for ((file, is_needed), (_, row)) in files.iter().zip(common::rows(&document)) {
        let expected = if *is_needed { "wrong-result" } else { "ok" };
        assert_eq!(row["status"], expected, "{file}: {row:#}");
    }
}
