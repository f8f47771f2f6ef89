//! Texts that templates share: what is found where, and whose line is to blame.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::common::{dispatchlab, fresh, run_in, template, unfolded};
use dispatchlab::prepare::prepare;
use dispatchlab::scenario::Scenario;
use dispatchlab::template::{Library, LoadError, shipped};
use dispatchlab::text::diagnostic::Diagnostic;

const HEADER: &str = ";! result = \"eax\"\n;! expect = 7\n;! expand = true\n";

fn put(place: &Path, name: &str, text: &str) -> PathBuf {
    let path = place.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, text).expect("a file");
    path
}

fn load(path: &Path) -> Result<Scenario, Vec<Diagnostic>> {
    let library = Library::new(None).expect("there is one");
    let template = match library.load(&path.display().to_string()) {
        Err(LoadError::Wrong(errors)) => return Err(errors),
        other => other.expect("it can be read"),
    };
    Ok(Scenario::bind(Arc::new(template), &[]).expect("binds"))
}

fn only_error(path: &Path) -> Diagnostic {
    let mut errors = match load(path) {
        Err(errors) => errors,
        Ok(scenario) => prepare(&scenario).expect_err("an error"),
    };
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

#[test]
fn a_text_in_two_files_is_the_bytes_of_one_that_has_it_all() {
    let place = fresh("whole");
    put(
        &place,
        "go/seven.asm",
        " mov eax, {{ amount }}\n{% include \"ret.asm\" %}\n",
    );
    put(
        &place,
        "go/ret.asm",
        "{% if amount == 7 %}\n ret\n{% endif %}\n",
    );
    put(
        &place,
        "m.asm",
        "{% macro put(n) %}\n mov eax, {{ n }} ; {{ amount }}\n{% endmacro %}\n",
    );
    let parted = format!(
        "{HEADER};! params = {{ amount = 7 }}\nbody:\n call \"main.f\"\n{{% import \"m.asm\" as m %}}\n{{{{ m.put(7) }}}}\n\
         {{% from \"m.asm\" import put %}}\n{{{{ put(7) }}}}\nfunc \"main.f\":\n{{% include \"go/seven.asm\" %}}\n"
    );
    let whole = format!(
        "{HEADER}body:\n call \"main.f\"\n mov eax, 7\n mov eax, 7\nfunc \"main.f\":\n mov eax, 7\n ret\n"
    );
    let bytes = |name: &str, text: &str| {
        let scenario = load(&put(&place, name, text)).expect("sound");
        let program = prepare(&scenario).expect("prepares").row.program;
        program
            .sections
            .into_iter()
            .map(|one| one.bytes)
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes("parted.asm", &parted), bytes("whole.asm", &whole));
    let run = run_in(
        &place,
        &["run", "parted.asm", "--quick", "--placements", "1"],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn what_is_wrong_in_an_included_text_is_said_of_its_own_line() {
    let place = fresh("wrong");
    let path = place.join("t.asm");
    put(
        &place,
        "t.asm",
        &format!("{HEADER}body:\n mov eax, 7\n{{% include \"p/piece.asm\" %}}\n"),
    );
    #[rustfmt::skip] // a table: the included text, the line that is wrong, and what is said of it
    let table = [
        (" nop\n mvo eax, {{ 7 }}\n",                  2, "unknown instruction `mvo`"),
        (" nop\n\n jmp \"main.none\"\n",               3, "nothing defines the symbol"),
        (" nop\n mov eax, {{ bogus }}\n",              2, "undefined"),
        ("\n{% for x on y %}\n",                       2, "syntax error"),
        (";! part a\n nop\n",                          1, "part `a` does not end"),
        (" nop\nfunc \"f\" ret\n",                     2, "a `func` section has a name"),
        (" nop\n{{ 1 + \n \"x\" }}\n",                 3, "tried to use + operator"),
        (" nop\n {% include \"none.asm\" %}\n",        2, "there is no `none.asm`"),
        ("{% macro f() %}{{ g }}{% endmacro %}\n\n{{ f() }}\n", 1, "undefined"),
    ];
    for (text, line, message) in table {
        let piece = put(&place, "p/piece.asm", text);
        let error = only_error(&path);
        assert_eq!(
            (&error.file, error.line),
            (&piece.display().to_string(), line),
            "{error:?}"
        );
        assert!(error.message.contains(message), "{error:?}");
        let own = text.lines().nth(line as usize - 1).unwrap_or_default();
        let shown = error.origin.as_ref().unwrap_or(&error.text);
        assert_eq!(shown, own, "{error:?}");
    }
    // The template's own lines keep their numbers, behind what they include, too.
    put(&place, "p/piece.asm", " nop\n nop\n nop\n");
    let text = format!("{HEADER}body:\n mov eax, 7\n{{% include \"p/piece.asm\" %}}\n mvo\n");
    let error = only_error(&put(&place, "t.asm", &text));
    assert_eq!((error.file, error.line), (path.display().to_string(), 7));
}

#[test]
fn a_section_or_a_part_that_begins_in_one_file_and_again_in_another_names_both() {
    let place = fresh("both");
    put(&place, "p.asm", " ret\nfunc \"f\":\n ret\n");
    let text = format!("{HEADER}body:\n mov eax, 7\nfunc \"f\":\n{{% include \"p.asm\" %}}\n");
    let error = only_error(&put(&place, "t.asm", &text));
    assert_eq!(error.line, 2);
    assert_eq!(
        error.help.as_deref(),
        Some("the first is on line 6; rename or remove one")
    );
    let text =
        format!("{HEADER}body:\n mov eax, 7\n{{% include \"p.asm\" %}}\nfunc \"f\":\n ret\n");
    let error = only_error(&put(&place, "t.asm", &text));
    let first = place.join("p.asm").display().to_string();
    let help = format!("the first is on line 2 of {first}; rename or remove one");
    assert_eq!((error.line, error.help), (7, Some(help)));
}

#[test]
fn a_fault_a_listing_and_a_step_name_the_file_of_the_line() {
    let place = fresh("said");
    put(&place, "p/load.asm", "\n mov eax, [rcx]\n");
    let text =
        format!("{HEADER}body:\n xor ecx, ecx\n{{% include \"p/load.asm\" %}}\n mov eax, 7\n");
    put(&place, "t.asm", &text);
    let shown = run_in(&place, &["show", "t.asm"]);
    assert!(shown.stdout.contains("; line 5\n"), "{}", shown.stdout);
    assert!(shown.stdout.contains("; p/load.asm:2"), "{}", shown.stdout);
    assert!(shown.stdout.contains("; line 7\n"), "{}", shown.stdout);
    let go = run_in(&place, &["show", "t.asm", "--syntax", "go"]);
    assert!(
        go.stdout.contains("(p/load.asm:2)") && go.stdout.contains("(t.asm:5)"),
        "{}",
        go.stdout
    );
    let run = run_in(
        &place,
        &["run", "t.asm", "--quick", "--placements", "1", "--json"],
    );
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let fault = &report["rows"][0]["fault"];
    assert_eq!(
        (fault["template"].as_str(), fault["line"].as_u64()),
        (Some("p/load.asm"), Some(2)),
        "{report:#}"
    );
    assert_eq!(fault["text"].as_str(), Some("mov eax, [rcx]"));
    put(&place, "p/load.asm", "\n mov edx, [rsp]\n");
    let step = run_in(&place, &["step", "t.asm"]);
    assert!(
        step.stdout.contains("; p/load.asm:2"),
        "{}{}",
        step.stdout,
        step.stderr
    );
}

#[test]
fn the_hash_is_that_of_the_files_one_behind_the_other() {
    let place = fresh("hash");
    let text = format!("{HEADER}body:\n{{% include \"a.asm\" %}}{{% include \"b.asm\" %}}\n");
    let (a, b) = ("{% include \"b.asm\" %}\n", " mov eax, 7\n");
    put(&place, "a.asm", a);
    put(&place, "b.asm", b);
    let hash = |text: &str| {
        load(&put(&place, "t.asm", text))
            .expect("sound")
            .template
            .sha256
            .clone()
    };
    let of_all = hash(&text);
    let all = format!("{text}{a}{b}")
        .replace("{%", "{#")
        .replace("%}", "#}");
    assert_ne!(of_all, hash(&all), "the tags are part of the text");
    let joined = put(&place, "joined", &format!("{text}{a}{b}"));
    let sum = std::process::Command::new("sha256sum")
        .arg(joined)
        .output()
        .expect("sha256sum");
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(&of_all));
    put(&place, "b.asm", " mov eax, 7 \n");
    assert_ne!(hash(&text), of_all, "one blank in an included text");
}

#[test]
fn what_is_missing_is_named_with_what_there_is() {
    let place = fresh("missing");
    put(&place, "own/frames.asm", " nop\n");
    let include = |name: &str| {
        let text = format!("{HEADER}body:\n mov eax, 7\n {{% include \"{name}\" %}}\n");
        only_error(&put(&place, "t.asm", &text))
    };
    let error = include("own/frame.asm");
    assert_eq!((error.line, error.column, error.width), (6, 14, 13));
    assert_eq!(
        error.help.as_deref(),
        Some("did you mean `own/frames.asm`?")
    );
    let error = include("zzzzzzzzzzzzzz");
    let help = error.help.expect("a help");
    assert!(help.contains("own/frames.asm"), "{help}");
    for (name, message) in [
        ("../t.asm", "leaves the folder of the template"),
        ("own/../../t.asm", "leaves the folder of the template"),
        ("/etc/passwd", "leaves the folder of the template"),
        ("t.asm", "which is itself"),
    ] {
        let error = include(name);
        assert!(error.message.contains(message), "{error:?}");
    }
}

#[test]
fn the_set_of_templates_stands_behind_the_files_own_folder_and_lists_no_pieces() {
    let place = fresh("set");
    put(&place, "set/p/x.asm", " mov eax, 7\n");
    put(
        &place,
        "set/whole.asm",
        &format!("{HEADER}body:\n{{% include \"p/x.asm\" %}}\n"),
    );
    put(
        &place,
        "mine/t.asm",
        &format!("{HEADER}body:\n{{% include \"p/x.asm\" %}}\n"),
    );
    let run = |name: &str| {
        run_in(
            &place,
            &[
                "run",
                name,
                "--templates",
                "set",
                "--quick",
                "--placements",
                "1",
            ],
        )
    };
    assert_eq!(run("whole").code, 0);
    assert_eq!(run("mine/t.asm").code, 0);
    put(&place, "mine/p/x.asm", " mov eax, 8\n");
    assert_eq!(run("whole").code, 0, "that of the set");
    assert_eq!(run("mine/t.asm").code, 4, "that beside the file");
    let listed = run_in(&place, &["list", "--templates", "set"]);
    assert!(
        listed.stdout.contains("whole") && !listed.stdout.contains("\nx "),
        "{}",
        listed.stdout
    );
    let run = run_in(
        &place,
        &[
            "run",
            "whole",
            "--templates",
            "set",
            "--quick",
            "--export-json",
            "set/p/x.asm",
        ],
    );
    assert_eq!(run.code, 2, "an input is no output: {}", run.stderr);
}

#[test]
fn a_saved_job_holds_what_was_included() {
    let place = fresh("job");
    let piece = put(&place, "x.asm", " mov eax, 7\n");
    put(
        &place,
        "t.asm",
        &format!("{HEADER}body:\n{{% include \"x.asm\" %}}\n"),
    );
    let run = run_in(
        &place,
        &[
            "run",
            "t.asm",
            "--quick",
            "--placements",
            "1",
            "--save-job",
            "j.json",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    std::fs::remove_file(piece).expect("removed");
    let run = run_in(&place, &["run", "--job", "j.json", "--quick"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        !run.said().contains("assembles the template"),
        "{}",
        run.stderr
    );
    let job = std::fs::read_to_string(place.join("j.json")).expect("it is there");
    for (from, to, message) in [
        (
            "\"x.asm\":0",
            "\"x.asm\":1",
            "names a text that is not there",
        ),
        (
            " mov eax, 7\\n",
            " mov eax, 8\\n",
            "not the one that the SHA-256 was made of",
        ),
    ] {
        put(&place, "k.json", &job.replacen(from, to, 1));
        let run = run_in(&place, &["run", "--job", "k.json"]);
        assert!(
            run.code != 0 && run.said().contains(message),
            "{from}: {}",
            run.stderr
        );
    }
}

#[test]
fn standard_input_and_shipped_templates_include_what_is_shipped() {
    let listed = dispatchlab(&["list"]);
    assert!(
        !unfolded(&listed.stdout).contains("go/"),
        "{}",
        listed.stdout
    );
    let place = fresh("none");
    template(
        &place,
        "t",
        &format!("{HEADER}body:\n mov eax, 7\n; {{% include \"x.asm\" %}}\n"),
    );
    let run = run_in(&place, &["check", "t.asm"]);
    assert!(run.said().contains("there is no `x.asm`"), "{}", run.stderr);
}

#[test]
fn every_piece_of_the_folder_is_embedded_and_used_by_a_shipped_template() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("asm_templates/go");
    let files = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path());
    let mut count = 0;
    for path in files {
        let name = format!("go/{}", path.file_name().expect("a name").to_string_lossy());
        let text = std::fs::read_to_string(&path).expect("text");
        assert_eq!(
            shipped::text(shipped::PIECES, &name),
            Some(&text[..]),
            "{name}"
        );
        let uses = |template: &&String| {
            let template = Library::embedded().load(template).expect("sound");
            template.includes.texts.iter().any(|one| one.name == name)
        };
        assert!(
            Library::embedded()
                .names()
                .iter()
                .any(|template| uses(&template)),
            "{name}"
        );
        count += 1;
    }
    assert_eq!(count, shipped::PIECES.len());
}
