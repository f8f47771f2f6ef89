//! The assembler against GNU as: the same bytes for every form that dispatch and runtime code uses.
//!
//! Correct means: equal bytes, or a line in the table of exceptions that says why not.

use std::io::Write;
use std::process::{Command, Stdio};

use dispatchlab::asm::fragment;

/// Lines where both encodings mean the same, or GNU as does something a playground must not.
#[rustfmt::skip]
const EXCEPTIONS: &[(&str, &str)] = &[
    ("mov rax, ds", "GNU narrows to eax, which zero-extends; what was written is kept"),
    ("mov rax, gs", "as above"),
];

/// Families of forms: every `{a|b}` stands for each of its alternatives.
const FAMILIES: &str = include_str!("asm_gnu/families.txt");

/// All lines that a family stands for.
fn expand(family: &str) -> Vec<String> {
    let Some((before, rest)) = family.split_once("{{") else {
        return vec![family.to_owned()];
    };
    let Some((inside, after)) = rest.split_once("}}") else {
        return vec![family.to_owned()];
    };
    let tails = expand(after);
    let alternatives = inside.split('|');
    alternatives
        .flat_map(|one| tails.iter().map(move |tail| format!("{before}{one}{tail}")))
        .collect()
}

fn corpus() -> Vec<String> {
    let families = FAMILIES
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(';'));
    families.flat_map(expand).collect()
}

/// What GNU as makes of each line, as hex; `None` where there is no GNU as.
fn gnu(lines: &[String]) -> Option<Vec<String>> {
    let mut child = Command::new("as")
        .args([
            "--64",
            "-aln",
            "--listing-lhs-width=8",
            "-o",
            "/dev/null",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let text = format!(".intel_syntax noprefix\n{}\n", lines.join("\n"));
    let mut stdin = child.stdin.take()?;
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    assert!(
        output.status.success(),
        "GNU as refuses a line: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut bytes = vec![String::new(); lines.len()];
    for row in String::from_utf8_lossy(&output.stdout).lines() {
        let mut words = row.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<usize>().ok()) else {
            continue;
        };
        if words.next().is_none_or(|offset| offset.len() != 4) {
            continue;
        }
        let hex = row
            .split('\t')
            .next()
            .unwrap_or(row)
            .split_whitespace()
            .skip(2);
        // Line 1 is the directive.
        bytes[number - 2] = hex.collect::<String>().to_lowercase();
    }
    Some(bytes)
}

fn ours(line: &str) -> String {
    match fragment(line) {
        Ok(section) => section
            .bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        Err(found) => format!("refused: {}", found[0].message),
    }
}

#[test]
fn every_form_has_the_bytes_of_gnu_as() {
    let lines = corpus();
    assert!(
        lines.len() >= 300,
        "the corpus has only {} lines",
        lines.len()
    );
    let Some(expected) = gnu(&lines) else {
        eprintln!("skipped: there is no GNU as here (package binutils)");
        return;
    };
    let mut wrong = Vec::new();
    for (line, expected) in lines.iter().zip(&expected) {
        let exception = EXCEPTIONS.iter().any(|(excepted, _)| excepted == line);
        let actual = ours(line);
        if (actual == *expected) == exception {
            wrong.push(format!(
                "{line}: GNU {expected}, ours {actual}{}",
                if exception { " (excepted)" } else { "" }
            ));
        }
    }
    println!("{} lines compared", lines.len());
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        lines.len(),
        wrong.join("\n")
    );
}
