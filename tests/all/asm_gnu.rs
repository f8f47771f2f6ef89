//! The assembler against GNU as: the same bytes for every form that dispatch and runtime code uses.
//!
//! Correct means: equal bytes, or a line in the table of exceptions that says why not.

use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

use dispatchlab::asm::{disassemble, fragment};
use iced_x86::{Decoder, DecoderOptions, OpKind, Register};

/// Lines where both encodings mean the same, or GNU as does something a playground must not.
#[rustfmt::skip]
const EXCEPTIONS: &[(&str, &str)] = &[
    ("mov rax, ds", "GNU narrows to eax, which zero-extends; what was written is kept"),
    ("mov rax, gs", "as above"),
    ("mov ds, ax", "GNU leaves out the operand size, which means nothing to it; what was written is kept"),
    ("mov ds, rax", "as above"),
    ("mov gs, ax", "as above"),
    ("mov gs, rax", "as above"),
    ("lldt ax", "as above"),
    ("ltr ax", "as above"),
    ("lmsw ax", "as above"),
    ("verw ax", "as above"),
    ("str rax", "GNU narrows to eax, which zero-extends; what was written is kept"),
    ("sldt rax", "as above"),
    ("xchg rax, rax", "GNU writes the one-byte nop; what was written is kept"),
    ("int 3", "GNU writes the one-byte int3; what was written is kept"),
    ("verr ax", "GNU leaves out the operand size, which means nothing to it"),
    ("lock adc [rcx], cx", "the order of two prefixes: 66 f0 and f0 66 mean the same"),
    ("lock sbb [rcx], cx", "as above"),
    ("lock xor [rcx], cx", "as above"),
    ("lock or [rcx], cx", "as above"),
    ("lock and [rcx], cx", "as above"),
    ("lock sub [rcx], cx", "as above"),
    ("lock inc word ptr [rcx]", "as above"),
    ("lock dec word ptr [rcx]", "as above"),
    ("lock not word ptr [rcx]", "as above"),
    ("lock neg word ptr [rcx]", "as above"),
    ("lock btc word ptr [rcx], 3", "as above"),
    ("lock btc [rcx], dx", "as above"),
    ("lock bts word ptr [rcx], 3", "as above"),
    ("lock bts [rcx], dx", "as above"),
    ("lock btr word ptr [rcx], 3", "as above"),
    ("lock btr [rcx], dx", "as above"),
    ("lock xadd [rcx], dx", "as above"),
    ("lock cmpxchg [rcx], dx", "as above"),
];

/// Families of forms: every `{a|b}` stands for each of its alternatives.
const FAMILIES: &str = include_str!("../fixtures/families.txt");

/// All lines that a family stands for.
fn expand(family: &str) -> Vec<String> {
    let Some((before, rest)) = family.split_once("{{") else {
        return vec![family.to_owned()];
    };
    // Of three braces the first one closes a decoration.
    let end = rest.match_indices('}').map(|(at, _)| at);
    let mut end = end.filter(|at| rest[*at..].starts_with("}}") && !rest[*at..].starts_with("}}}"));
    let Some((inside, after)) = end.next().map(|at| (&rest[..at], &rest[at + 2..])) else {
        return vec![family.to_owned()];
    };
    let tails = expand(after);
    let alternatives = inside.split('|');
    alternatives
        .flat_map(|one| tails.iter().map(move |tail| format!("{before}{one}{tail}")))
        .collect()
}

pub(crate) fn corpus() -> Vec<String> {
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ours(line: &str) -> String {
    match fragment(line) {
        Ok(section) => hex(&section.bytes),
        Err(found) => format!("refused: {}", found[0].message),
    }
}

#[test]
fn every_form_has_the_bytes_of_gnu_as() {
    let lines = corpus();
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

#[test]
fn the_corpus_has_more_than_a_thousand_forms() {
    // An encoding with registers only and the same one with memory are two.
    let mut forms = HashSet::new();
    let mut mnemonics = HashSet::new();
    for line in corpus() {
        let section = fragment(&line).unwrap_or_else(|found| panic!("{line}: {found:?}"));
        let decoded = Decoder::new(64, &section.bytes, DecoderOptions::NONE).decode();
        assert_eq!(decoded.len(), section.bytes.len(), "{line}");
        let has_memory = decoded.op_kinds().any(|kind| kind == OpKind::Memory);
        forms.insert((
            decoded.code(),
            has_memory,
            decoded.has_lock_prefix(),
            decoded.op_mask() != Register::None,
            decoded.is_broadcast(),
        ));
        mnemonics.insert(decoded.mnemonic());
    }
    println!("{} forms of {} mnemonics", forms.len(), mnemonics.len());
    assert!(forms.len() > 1500, "{}", forms.len());
    assert!(mnemonics.len() > 600, "{}", mnemonics.len());
}

/// Instructions whose listing gives other bytes, and why.
#[rustfmt::skip]
const ONE_WAY: &[(&str, &str)] = &[
    ("movabs", "a listing shows neither that an immediate could be shorter nor how an absolute address is written"),
    ("xchg",   "a listing has the operands in the order of the encoding; they commute"),
];

/// A line that gives what a listing shows: there an address of code is a number, and here a label or
/// a distance. The instruction stands at 0.
fn as_source(text: &str, length: usize, line: &str) -> String {
    if let Some(before) = text.strip_suffix(" 0").filter(|_| line.starts_with("1: ")) {
        return format!("1: {before} 1b");
    }
    let Some((before, rest)) = text.split_once("[rel ") else {
        return text.to_string();
    };
    let (address, after) = rest.split_once(']').expect("a bracket is closed");
    let address = address.strip_prefix("0x").unwrap_or(address);
    let address = i64::from_str_radix(address, 16).expect("an address");
    format!("{before}[rip+({})]{after}", address - length as i64)
}

#[test]
fn assembling_the_listing_of_each_form_gives_its_bytes_again() {
    let mut wrong = Vec::new();
    for line in corpus() {
        let section = fragment(&line).unwrap_or_else(|found| panic!("{line}: {found:?}"));
        let listed = disassemble(&section.bytes, 0, &|_| None);
        let text = as_source(&listed[0].text, section.bytes.len(), &line);
        let again = ours(&text);
        let is_excepted = ONE_WAY
            .iter()
            .any(|(name, _)| line.split(' ').next() == Some(name));
        if !is_excepted && again != hex(&section.bytes) {
            wrong.push(format!(
                "{line}: {} lists as {text}: {again}",
                hex(&section.bytes)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
