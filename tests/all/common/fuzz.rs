//! What fuzzing does with an input: the bodies of the targets in `fuzz/`, and of their short versions
//! in `tests/all/fuzz.rs`.
//!
//! Correct means: whatever the input is, the answer is a value or an error that points into it, and
//! none of these functions panics for any other reason.
#![allow(dead_code, reason = "each target uses one of these")]

use std::sync::Arc;

use dispatchlab::asm;
use dispatchlab::go::heap::lay_out;
use dispatchlab::job::{check, file};
use dispatchlab::link::{Site, Variant, link};
use dispatchlab::prepare::{SHOWN_CODE, SHOWN_DATA, prepare};
use dispatchlab::report::{Report, json, saved, terminal};
use dispatchlab::scenario::Scenario;
use dispatchlab::template::{Origin, Suite, Template};
use dispatchlab::text::diagnostic::Diagnostic;
use dispatchlab::text::{Style, diagnostic, printable};

const PLAIN: Style = Style {
    width: 80,
    color: false,
    unicode: false,
};
/// Types and objects beyond which an input is left alone: it would only be slow.
const MANY: u32 = 2048;

/// A template's text, from the header to linked code.
pub(crate) fn template(text: &str) {
    let template = match Template::parse("fuzz", Origin::Stdin, text.to_string()) {
        Ok(template) => Arc::new(template),
        Err(found) => return check_all(&found, text.lines().count()),
    };
    let Ok(scenario) = Scenario::bind(template, &[]) else {
        return;
    };
    if scenario.types > MANY || scenario.objects > MANY {
        return;
    }
    match prepare(&scenario) {
        Ok(prepared) => {
            let row = &prepared.row;
            check::row(row).expect("what was prepared here can be run");
        }
        Err(found) => check_all(&found, text.lines().count()),
    }
}

/// The lines of a header, above a body that any of them may have.
pub(crate) fn header(text: &str) {
    let lines: String = text.lines().map(|line| format!(";! {line}\n")).collect();
    template(&format!("{lines}body:\n nop\n"));
}

/// A saved report, up to what a terminal gets of it.
pub(crate) fn report(text: &str) {
    let saved = match saved::read(text) {
        Ok(saved) => saved,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let report = Report {
        provenance: saved.provenance,
        rows: saved.rows,
        ..Report::default()
    };
    for text in [
        terminal::render(&report, PLAIN),
        terminal::in_full(&report, PLAIN),
        terminal::markdown::render(&report),
    ] {
        assert!(!text.contains(|c| is_unseen(c) && c != '\n'), "{text:?}");
    }
    // What is written can be read again.
    let again: serde_json::Value = serde_json::from_str(&json::render(&report)).expect("JSON");
    assert!(again["rows"].is_array());
}

/// A name, or whatever else is printed to a terminal.
pub(crate) fn printed(text: &str) {
    let line = printable::line(text);
    assert!(!line.contains(is_unseen), "{line:?}");
    assert_eq!(printable::line(&line), line, "what is escaped stays so");
    assert_eq!(
        printable::lines(text).matches('\n').count(),
        text.matches('\n').count()
    );
    let columns = printable::in_columns(text);
    assert_eq!(columns.chars().count(), text.chars().count());
    assert!(
        !columns.contains(|c| is_unseen(c) && c != '\t'),
        "{columns:?}"
    );
    let document = serde_json::json!({ text: [text] });
    for written in [document.to_string(), format!("{document:#}")] {
        let escaped = printable::json(&written);
        assert!(
            !escaped.contains(|c| is_unseen(c) && c != '\n'),
            "{escaped:?}"
        );
        let read: serde_json::Value = serde_json::from_str(&escaped).expect("JSON");
        assert_eq!(read, document);
    }
    let first = text.lines().next().unwrap_or_default();
    let found = Diagnostic {
        file: text.into(),
        line: 1,
        column: 1,
        width: text.len() as u32,
        text: first.into(),
        origin: text.len().is_multiple_of(2).then(|| first.into()),
        message: format!("x{text}"),
        help: Some(text.into()),
    };
    let shown = diagnostic::render(&[found], PLAIN);
    assert!(!shown.contains(|c| is_unseen(c) && c != '\n'), "{shown:?}");
}

/// What no terminal may get: controls, and of what has no width or turns text round the best known.
fn is_unseen(c: char) -> bool {
    let known = "\u{ad}\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{e0041}";
    c.is_control() || known.contains(c)
}

/// A suite's text.
pub(crate) fn suite(text: &str) {
    match Suite::parse("fuzz", Origin::Stdin, text.to_string()) {
        Ok(suite) => assert!(!suite.members.is_empty()),
        Err(found) => check_all(&found, text.lines().count()),
    }
}

/// Lines of instructions and data.
pub(crate) fn assembler(text: &str) {
    read(text, asm::Syntax::Auto);
}

/// The same of a text that is AT&T syntax, whatever it looks like.
pub(crate) fn att(text: &str) {
    read(text, asm::Syntax::Att);
}

/// The same of Go's.
pub(crate) fn go(text: &str) {
    read(text, asm::Syntax::Go);
    template(text);
}

/// The same of Intel syntax.
pub(crate) fn intel(text: &str) {
    read(text, asm::Syntax::Intel);
}

/// A listing, with what is called of it and what is there in place of what it names.
pub(crate) fn listing(text: &str) {
    assembler(text);
    template(text);
}

fn read(text: &str, syntax: asm::Syntax) {
    let reading = asm::Reading {
        syntax,
        ..asm::Reading::default()
    };
    match asm::fragment_in(text, &reading) {
        Ok(section) => {
            let size = section.bytes.len();
            assert!(
                section
                    .labels
                    .iter()
                    .all(|label| label.offset as usize <= size)
            );
            assert!(
                section
                    .fixups
                    .iter()
                    .all(|fixup| fixup.end as usize <= size)
            );
            let listed = asm::disassemble(&section.bytes, 0, &|_| None);
            assert_eq!(
                listed.iter().map(|one| one.bytes.len()).sum::<usize>(),
                size
            );
        }
        Err(found) => check_all(&found, text.lines().count()),
    }
}

/// A saved job, up to linked code.
pub(crate) fn job(text: &str) {
    let saved = match file::read(text) {
        Ok(saved) => saved,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let job = saved.job();
    for row in &job.rows {
        let is_large = row.heap.objects.len().max(row.heap.types.len()) > MANY as usize;
        let Ok(heap) = lay_out(&row.heap) else {
            continue;
        };
        if is_large || row.unroll > 64 {
            continue;
        }
        for (placement, variant) in job
            .plan
            .placements
            .iter()
            .zip([Variant::Body, Variant::Baseline].into_iter().cycle())
        {
            let site = Site {
                data: SHOWN_DATA,
                code: SHOWN_CODE,
                placement: *placement,
                variant,
            };
            // What does not link says so.
            let _ = link(row, &heap, site);
        }
    }
}

/// Diagnostics are there, point into the text, and can be shown.
fn check_all(found: &[Diagnostic], lines: usize) {
    assert!(!found.is_empty(), "a refusal without a reason");
    for one in found {
        let last = one.text.chars().count() as u32 + 1;
        assert!((1..=last).contains(&one.column), "{one:?}");
        // A file that it includes has lines of its own.
        let is_included = one.file.starts_with("embedded:");
        assert!(is_included || one.line as usize <= lines.max(1), "{one:?}");
        assert!(!one.message.is_empty(), "{one:?}");
    }
    let shown = diagnostic::render(&found[..1], PLAIN);
    assert!(shown.starts_with("error: "), "{shown}");
}

/// The bytes of a program: what it has is read, and a few functions of it are imported.
pub(crate) fn program(bytes: &[u8]) {
    use dispatchlab::binary::import::{Entry, Request, import};
    use dispatchlab::binary::{Binary, itabs, sites, symbols, vtables};
    /// Symbols that are looked at.
    const FEW: usize = 20;
    let binary = match Binary::read(bytes) {
        Ok(binary) => binary,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let finder = sites::Finder::new(&binary);
    for symbol in binary.symbols.iter().rev().take(FEW) {
        let _ = symbols::decode(&binary, symbol);
        let _ = finder.sites(symbol);
        let request = Request {
            file: "fuzz",
            entry: Entry::Function(symbol),
            others: &[],
            depth: 1,
            arguments: &[],
        };
        let _ = import(&binary, &request);
    }
    for table in binary.go.iter().flat_map(|go| &go.itabs) {
        let _ = itabs::dump(&binary, table);
    }
    let _ = vtables::vtables(&binary);
}
