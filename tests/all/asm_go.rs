//! Go's syntax against Go's own tools: what the compiler prints, assembled, has the bytes it prints.
//!
//! Correct means: every function of the packages assembles from its text and its offsets alone, and of
//! its instructions at least 99.9 % are byte-identical outside the fields that the linker fills; the others
//! stand in a table that says why.

use std::process::Command;

use dispatchlab::asm::{
    Context, Reading, Section, SectionKind, SourceLine, SourceSection, Syntax, assemble,
    fragment_in, is_go, split_go,
};

/// Packages of the standard library that need no C.
const PACKAGES: [&str; 7] = [
    "fmt", "strings", "strconv", "sort", "bytes", "regexp", "math/big",
];

/// Instructions that are not identical, by the beginning of their text, and why.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "MOVQ\t(TLS)",
    "g lies at gs:[-8] here: fs belongs to the thread that runs dispatchlab",
)];

/// What `go build -gcflags=-S` prints of a package or a file; none where there is no Go.
fn listing(of: &[&str]) -> Option<String> {
    let run = Command::new("go")
        .args(["build", "-gcflags=-S", "-o", "/dev/null"])
        .args(of)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    text.contains("STEXT").then_some(text)
}

/// The functions of a listing.
fn functions(text: &str) -> Vec<SourceSection> {
    let lines = text.lines().zip(1..).map(|(text, number)| SourceLine {
        number,
        text: text.to_owned(),
    });
    let whole = SourceSection {
        kind: SectionKind::Body,
        name: "body".to_owned(),
        place: None,
        line: 1,
        lines: lines.collect(),
    };
    let all = split_go(vec![whole]).into_iter();
    all.filter(|one| one.kind == SectionKind::Func).collect()
}

/// A function's lines without its bytes, and those bytes with the fields of the linker.
fn apart(function: SourceSection) -> (SourceSection, Vec<u8>, Vec<(usize, usize)>) {
    let (mut bytes, mut fields, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for line in function.lines {
        let text = line.text.trim();
        let words: Vec<&str> = text.split(' ').collect();
        let byte = |word: &&str| {
            u8::from_str_radix(word, 16)
                .ok()
                .filter(|_| word.len() == 2)
        };
        if let ["rel", place, ..] = words[..] {
            let (offset, width) = place.split_once('+').expect("a place and a width");
            fields.push((
                offset.parse().expect("a number"),
                width.parse().expect("a number"),
            ));
        } else if text.starts_with("0x") && words.get(1).is_some_and(|word| byte(word).is_some()) {
            bytes.extend(words[1..].iter().take(16).map_while(byte));
        } else {
            lines.push(line);
        }
    }
    (SourceSection { lines, ..function }, bytes, fields)
}

/// Offsets and texts of the instructions.
fn instructions(function: &SourceSection) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for line in &function.lines {
        let Some(rest) = line.text.trim().strip_prefix("0x") else {
            continue;
        };
        let (hex, rest) = rest.split_once(' ').expect("an offset");
        let offset = usize::from_str_radix(hex, 16).expect("an offset");
        let text = rest.split_once('\t').map_or("", |(_, text)| text);
        match found.last_mut() {
            Some(last) if last.0 == offset => last.1 = text.to_owned(),
            _ => found.push((offset, text.to_owned())),
        }
    }
    found
}

#[test]
fn what_go_s_compiler_prints_has_its_bytes() {
    let mut of: Vec<Vec<&str>> = PACKAGES.iter().map(|name| vec![*name]).collect();
    let panics = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/panics.go");
    let dispatch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/dispatch.go");
    of.extend([vec![panics], vec![dispatch]]);
    let (mut all, mut same, mut count) = (0, 0, 0);
    let mut wrong = Vec::new();
    for of in of {
        let Some(text) = listing(&of) else {
            eprintln!(
                "skipped: `go build -gcflags=-S {}` prints no listing here",
                of[0]
            );
            return;
        };
        for function in functions(&text) {
            count += 1;
            let (function, bytes, fields) = apart(function);
            let context = Context {
                file: "listing",
                hash: &|_| Err("none is asked for".to_owned()),
                is_open: true,
                is_run: false,
                syntax: Syntax::Go,
                separates: false,
                bound: &[],
                go_minor: None,
            };
            let program = assemble(std::slice::from_ref(&function), &context)
                .unwrap_or_else(|errors| panic!("{}: {:#?}", function.name, errors[0]));
            let mut own = program.sections[0].bytes.clone();
            assert_eq!(own.len(), bytes.len(), "{}", function.name);
            let mut theirs = bytes;
            let symbols = program.sections[0].fixups.iter();
            let symbols = symbols.map(|field| (field.offset as usize, 4));
            for (at, width) in fields.into_iter().chain(symbols) {
                own[at..at + width].fill(0);
                theirs[at..at + width].fill(0);
            }
            let listed = instructions(&function);
            let ends = listed.iter().skip(1).map(|(at, _)| *at).chain([own.len()]);
            for ((at, text), end) in listed.iter().zip(ends).filter(|((at, _), end)| at < end) {
                all += 1;
                if own[*at..end] == theirs[*at..end] {
                    same += 1;
                } else if !EXCEPTIONS.iter().any(|(begin, _)| text.starts_with(begin)) {
                    wrong.push(format!("{} {at:#x} {text}", function.name));
                }
            }
        }
    }
    eprintln!("{same} of {all} instructions of {count} functions are byte-identical");
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
    assert!(same * 1000 >= all * 999, "{same} of {all}");
    assert!(
        count > 1000 && all > 50_000,
        "{count} functions, {all} instructions"
    );
}

/// Lines of documents that have a typing error, or in front of which others were left out.
#[rustfmt::skip] // a table
const MISTYPED: [(&str, &str); 5] = [
    ("MOVQ \"\".m+48(SP), ex",   "`ex` for `CX`"),
    ("0x00ld 00029",             "`l` for 1"),
    ("0x00Sd 00093",             "`S` for 5"),
    ("0x005c CALL\truntime.panicwrap(SB)", "the end of the function is left out"),
    ("0x005c CALL runtime.panicwrap(SB)",  "the same"),
];

/// By hand, over documents with listings: `GO_DOCUMENTS=folder cargo test --test all asm_go`.
#[test]
fn each_line_of_a_document_s_listings_assembles_to_the_length_that_its_offsets_say() {
    let Some(folder) = std::env::var_os("GO_DOCUMENTS") else {
        eprintln!("skipped: GO_DOCUMENTS names no folder of documents");
        return;
    };
    // A short jump or a return that was left out between two lines.
    const LEFT_OUT: u64 = 2;
    let (mut lines, mut lengths, mut apart) = (std::collections::BTreeSet::new(), 0, 0);
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a text");
        let mut before: Option<(u64, String)> = None;
        for line in text.lines() {
            let own = [SourceLine {
                number: 1,
                text: line.to_owned(),
            }];
            let mut words = line.trim_start_matches([' ', '\t', '/']).split_whitespace();
            let is_row = words.next().is_some_and(|word| word.starts_with("0x"))
                && words
                    .next()
                    .is_some_and(|word| word.len() == 5 && word.parse::<u32>().is_ok());
            if !is_row && !is_go(&own, Syntax::Auto) {
                continue;
            }
            let code = line.trim_start_matches([' ', '\t', '/']);
            let offset = code.strip_prefix("0x").and_then(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_hexdigit())?;
                u64::from_str_radix(&rest[..end], 16).ok()
            });
            if let (Some((start, text)), Some(end)) = (before.take(), offset)
                && (1..=15).contains(&end.wrapping_sub(start))
            {
                let listing = format!("{text}\n{code}\n");
                let is_whole = !MISTYPED.iter().any(|(text, _)| code.contains(text));
                match read(&listing) {
                    Ok(_) => lengths += 1,
                    Err(why) if why.contains("bytes are missing behind it") => {
                        lengths += 1;
                        apart += 1;
                        let missing = why.split("lines of ").nth(1).expect("how many");
                        let missing = missing.split(' ').next().expect("a number");
                        if is_whole && missing.parse::<u64>().expect("a number") > LEFT_OUT {
                            wrong.push(format!("{why}: {text} .. {code}"));
                        }
                    }
                    Err(why) if why.contains("and the next offset") && is_whole => {
                        wrong.push(format!("{why}: {text} .. {code}"));
                    }
                    Err(_) => {}
                }
            }
            if lines.insert(code.to_owned())
                && let Err(why) = read(code)
                && !MISTYPED.iter().any(|(text, _)| code.contains(text))
            {
                wrong.push(format!("{why}: {line}"));
            }
            before = offset.map(|offset| (offset, code.to_owned()));
        }
    }
    eprintln!(
        "{} distinct lines, {lengths} lengths, {apart} of them with a line left out",
        lines.len()
    );
    assert!(apart * 20 < lengths, "{apart} of {lengths}");
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
}

/// A text whose jumps may go anywhere.
fn read(text: &str) -> Result<Section, String> {
    let reading = Reading {
        syntax: Syntax::Go,
        is_open: true,
        ..Reading::default()
    };
    fragment_in(text, &reading).map_err(|errors| errors[0].message.clone())
}
