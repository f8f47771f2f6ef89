//! What names, titles, notes and paths may do to a terminal: nothing.
//!
//! Correct means: no control character, no mark of direction and nothing without a width reaches stdout or stderr, and
//! JSON has it all the same.

use crate::common::{command, fresh, run_in};

/// Colour, a title of the window, a new line, a mark that turns the text round, a blank without width, a C1 control.
const ODD: &str = "\u{1b}[31mred\u{1b}]0;x\u{7}\u{202e}\u{2066}\u{200b}\u{9b}2J\u{7f}\u{e0041}";

fn is_clean(text: &str) -> bool {
    let odd = |c: char| c.is_control() && c != '\n' || ODD.contains(c) && !c.is_ascii();
    !text.contains(odd)
}

#[test]
fn no_command_prints_what_steers_a_terminal() {
    let place = fresh("odd_names");
    let file = format!("t{ODD}.asm");
    let escaped: String = ODD
        .chars()
        .map(|c| format!("\\U{:08x}", c as u32))
        .collect();
    let text = format!(
        ";! title = \"t {escaped}\"\n;! heap = \"iface\"\n;! types = \"main.T{escaped}\"\n;! methods = [\"Id\"]\n;! result = \"eax\"\n;! expect = \"id\"\nbody: ; {ODD}\n mov rcx, [rax + 24]\n mov rax, rbx\n call rcx\n call \"f{ODD}\"\n;! part p\n nop\n;! end\nfunc \"main.(*T{ODD}).Id\":\n mov eax, [rax]\n ret\nfunc \"f{ODD}\":\n ret\ndata \"d{ODD}\":\n dq 1\n;! note n {ODD}\n"
    );
    std::fs::write(place.join(&file), &text).expect("writes");
    std::fs::write(
        place.join(format!("w{ODD}.asm")),
        text.replace("mov rax, rbx", &format!("mov rax, \"{ODD}\" rbx")),
    )
    .expect("writes");
    let wrong = format!("w{ODD}.asm");
    let nowhere = format!("no{ODD}");
    let bad_parameter = format!("x{ODD}=1");
    let exported = format!("e{ODD}.json");
    let n = "--counters=none";
    #[rustfmt::skip] // a table: one command line a line
    let all: Vec<Vec<&str>> = vec![
        vec!["run", &file, n],
        vec!["run", &file, n, "-v"],
        vec!["run", &file, n, "--json"],
        vec!["run", &wrong, &file, n],
        vec!["run", &file, n, "--export-json", &exported, "--export-csv", "x.csv"],
        vec!["compare", &file, &exported, n],
        vec!["compare", &file, &file, n, "--json"],
        vec!["show", &file],
        vec!["show", &file, "--heap", "--harness"],
        vec!["show", &wrong],
        vec!["step", &file, "--stack"],
        vec!["step", &file, "--json"],
        vec!["check", &file, &wrong],
        vec!["check", &wrong, "--json"],
        vec!["ablate", &file, n],
        vec!["sweep", &file, "-P", "align=0,1", n],
        vec!["list", "--templates", "."],
        vec!["list", "--templates", ".", "--json"],
        vec!["asm", &file],
        vec!["run", &nowhere],
        vec!["run", &file, "-p", &bad_parameter],
        vec!["run", &file, "--seed", &nowhere],
        vec!["run", &file, "--export-csv", "nowhere\u{1b}/x"],
        vec!["run", "--job", &nowhere],
        vec!["run", "--job", &file],
        vec!["new", &nowhere],
        vec!["new", "copied", "--from", &nowhere],
        vec![&nowhere],
        vec!["run", "inline", &bad_parameter],
        vec!["run", "inline", "-e", &nowhere],
        vec!["run", "inline", "-p", &format!("order=@{nowhere}")].into_iter().map(|text| &*text.to_string().leak()).collect(),
    ];
    let shown = run_in(&place, &["show", &file]);
    assert_eq!(shown.code, 0, "it is a template: {}", shown.stderr);
    for arguments in all {
        let run = run_in(&place, &arguments);
        assert!(is_clean(&run.stdout), "{arguments:?}: {:?}", run.stdout);
        assert!(is_clean(&run.stderr), "{arguments:?}: {:?}", run.stderr);
        if arguments.contains(&"--json") {
            let document: serde_json::Value = serde_json::from_str(&run.stdout)
                .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", run.stderr));
            let text = document.to_string();
            assert!(
                text.contains('\u{202e}'),
                "{arguments:?}: the name is as it was"
            );
        }
    }
}

#[test]
fn what_was_typed_stands_escaped_in_an_error_of_the_command_line_also_where_that_has_colours() {
    let place = fresh("odd_typed");
    let odd = "\u{1b}[31mred\u{202e}";
    let option = format!("--x{odd}");
    for arguments in [
        &[odd][..],
        &[&option],
        &["run", &option],
        &["run", "--time", odd],
        &["asm", "--syntax", odd],
        &["completions", odd],
    ] {
        for force in ["0", "1"] {
            let output = command(&place, arguments)
                .env("CLICOLOR_FORCE", force)
                .output()
                .expect("runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said:?}");
            assert!(
                said.contains("\\u{1b}[31mred\\u{202e}") && is_clean(&said),
                "{arguments:?}: {said:?}"
            );
        }
    }
}
