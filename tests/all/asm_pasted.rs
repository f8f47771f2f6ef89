//! Text of other tools, pasted as it is: lines, listings and mistakes.
//!
//! Correct means: the bytes are those of the tool that the text is from, whether the syntax is found out
//! or named; and a mistake gets the answer that helps.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dispatchlab::asm::{Reading, Section, Syntax, disassemble, fragment, fragment_in, hidden};

/// Syntax, text with `\n` and `\t`, its bytes with `?` for the digits of a linker, and whose they are.
const LINES: &str = include_str!("../fixtures/pasted/lines.tsv");
/// A mistake, a part of the message, a part of the help.
const MISTAKES: &str = include_str!("../fixtures/pasted/mistakes.tsv");

struct Line {
    syntax: &'static str,
    text: String,
    right: Vec<&'static str>,
    judge: &'static str,
}

fn unescaped(text: &str) -> String {
    text.replace("\\\\", "\u{1}")
        .replace("\\n", "\n")
        .replace("\\t", "\t")
        .replace('\u{1}', "\\")
}

fn lines() -> impl Iterator<Item = Line> {
    LINES.lines().skip(1).map(|row| {
        let fields: Vec<&str> = row.split('\t').collect();
        Line {
            syntax: fields[0],
            text: unescaped(fields[1]),
            right: fields[2].split(' ').collect(),
            judge: fields[3],
        }
    })
}

fn open(syntax: Syntax) -> Reading<'static> {
    Reading {
        is_open: true,
        syntax,
        ..Reading::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(text: &str, syntax: Syntax) -> Result<Section, String> {
    fragment_in(text, &open(syntax)).map_err(|found| found[0].message.clone())
}

fn agrees(got: &str, right: &str) -> bool {
    let digits = got.bytes().zip(right.bytes());
    got.len() == right.len()
        && digits
            .into_iter()
            .all(|(one, other)| other == b'?' || one == other)
}

#[test]
fn each_pasted_line_has_its_bytes_whether_the_syntax_is_named_or_found_out() {
    let mut wrong = Vec::new();
    for line in lines() {
        let named = match line.syntax {
            "att" => Some(Syntax::Att),
            "intel" | "nasm" => Some(Syntax::Intel),
            _ => None,
        };
        for syntax in [Some(Syntax::Auto), named].into_iter().flatten() {
            let got = read(&line.text, syntax).map(|section| hex(&section.bytes));
            let is_right = match (&got, line.right[0]) {
                (Err(_), "refuse") => true,
                (Err(_), _) | (Ok(_), "refuse") => false,
                (Ok(got), _) => line.right.iter().any(|right| agrees(got, right)),
            };
            if !is_right {
                wrong.push(format!(
                    "{syntax:?} {:?}: {got:?} for {:?}",
                    line.text, line.right
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pasted")
}

#[test]
fn each_pasted_listing_has_the_bytes_of_its_program() {
    let mut seen = 0;
    for entry in fs::read_dir(fixtures()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "txt") {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).expect("readable");
        let right = fs::read_to_string(path.with_extension("hex")).expect("its bytes");
        let right = right.trim();
        let section = read(&text, Syntax::Auto).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        // Tables stand behind the code.
        let got = hex(&section.bytes);
        let code = &got[..right.len().min(got.len())];
        assert!(agrees(code, right), "{path:?}: {got}");
        let has_tables = text.contains(".long");
        assert!(has_tables || got.len() == right.len(), "{path:?}");
    }
    assert_eq!(seen, 20);
}

#[test]
fn instructions_with_bytes_in_the_listing_are_counted() {
    let text = fs::read_to_string(fixtures().join("objdump-intel.txt")).expect("readable");
    let section = read(&text, Syntax::Auto).expect("assembles");
    assert_eq!(section.listed, 50);
    assert_eq!(fragment("nop\nret").expect("assembles").listed, 0);
}

/// What GNU as makes of a text by itself; `None` where there is no GNU as, or it refuses.
fn gnu(text: &str, prefix: &str) -> Option<String> {
    let folder = std::env::temp_dir().join(format!("dispatchlab-as-{}", std::process::id()));
    fs::create_dir_all(&folder).ok()?;
    let object = folder.join("one.o");
    let mut child = Command::new("as")
        .args(["--64", "-mindex-reg", "-o"])
        .arg(&object)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    stdin
        .write_all(format!("{prefix}\n{text}\n").as_bytes())
        .ok()?;
    drop(stdin);
    child.wait().ok()?.success().then_some(())?;
    let raw = folder.join("one.bin");
    let copied = Command::new("objcopy")
        .args(["-O", "binary", "-j", ".text"])
        .args([&object, &raw])
        .status();
    copied.ok()?.success().then_some(())?;
    fs::read(&raw).ok().map(|bytes| hex(&bytes))
}

#[test]
fn gnu_as_agrees_with_the_table_of_pasted_lines() {
    let mut compared = 0;
    for line in lines().filter(|line| line.judge.contains("gas") && line.right[0] != "refuse") {
        let prefix = match line.syntax {
            "intel" => ".intel_syntax noprefix",
            "att" => "",
            _ => continue,
        };
        let Some(bytes) = gnu(&line.text, prefix) else {
            continue;
        };
        compared += 1;
        let right = |right: &&str| agrees(&bytes, right);
        // A field for the linker holds what GNU as leaves in it.
        let is_field = line.text.contains('@') || bytes.len() == line.right[0].len();
        assert!(
            line.right.iter().any(right) || is_field,
            "{:?}: {bytes}",
            line.text
        );
    }
    println!("{compared} lines compared");
}

/// The instructions of an object, as objdump prints them in AT&T syntax: text and bytes.
fn in_att(lines: &[String]) -> Option<Vec<(String, String)>> {
    let folder = std::env::temp_dir().join(format!("dispatchlab-att-{}", std::process::id()));
    fs::create_dir_all(&folder).ok()?;
    let object = folder.join("all.o");
    let mut child = Command::new("as")
        .args(["--64", "-mindex-reg", "-o"])
        .arg(&object)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let text = format!(".intel_syntax noprefix\n{}\n", lines.join("\n"));
    stdin.write_all(text.as_bytes()).ok()?;
    drop(stdin);
    child.wait().ok()?.success().then_some(())?;
    let listed = Command::new("objdump")
        .args(["-d", "-w"])
        .arg(&object)
        .output()
        .ok()?;
    let listed = String::from_utf8(listed.stdout).ok()?;
    let row = |row: &str| {
        let mut columns = row.split('\t');
        let address = columns.next()?;
        let (bytes, text) = (columns.next()?, columns.next()?);
        let text = text.split('#').next()?.trim();
        address
            .trim()
            .ends_with(':')
            .then(|| (text.to_string(), bytes.replace(' ', "")))
    };
    Some(listed.lines().filter_map(row).collect())
}

/// What objdump's text leaves open or writes as no assembler reads it, by a part of it.
#[rustfmt::skip]
const NOT_ALONE: &[&str] = &[
    "<",        // a target, which the text gives as an address
    "0x0(",     // a displacement of 0 whose width the text does not say
    "(bad)", "rex.", "data16", "addr32", "fwait",
    "xchg   %rax,%rax", "%ds", "%gs\t", "int3", "lldt", "ltr", "lmsw", "verw", "verr", "sldt", "str ",
    "xchg", "ljmp", "lcall", "lret", "mov    $0x", "movabs",
    "pclmulhqhqdq", // of any odd pair of bits
    "fucom ",       // the byte of a wait in front of it is its own instruction
];

/// A branch to an address, and a locked word, whose two prefixes mean the same in either order.
fn is_open(text: &str) -> bool {
    let branches = text.starts_with(['j', 'l', 'c'])
        && text
            .split_whitespace()
            .nth(1)
            .is_some_and(|to| to.starts_with("0x"));
    branches || text.starts_with("lock") && (text.contains("w ") || text.contains("x,("))
}

#[test]
fn every_form_in_att_syntax_has_the_bytes_of_gnu_as() {
    let families = super::asm_gnu::corpus();
    let Some(rows) = in_att(&families) else {
        eprintln!("skipped: there is no GNU as here (package binutils)");
        return;
    };
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (text, right) in rows {
        if is_open(&text) || NOT_ALONE.iter().any(|part| text.contains(part)) {
            continue;
        }
        compared += 1;
        let got = match read(&text, Syntax::Att) {
            Ok(section) => hex(&section.bytes),
            Err(why) => why,
        };
        if got != right {
            wrong.push(format!("{text}: {got} for {right}"));
        }
    }
    println!("{compared} lines compared");
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_mistakes_of_those_who_paste_get_the_answer_that_helps() {
    let mut wrong = Vec::new();
    for row in MISTAKES.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let [text, message, help] = fields[..] else {
            panic!("three columns: {row}");
        };
        let text = unescaped(text);
        match fragment(&text) {
            Ok(section) => wrong.push(format!("{text}: {}", hex(&section.bytes))),
            Err(found) => {
                let said = found[0].help.clone().unwrap_or_default();
                if !found[0].message.contains(message) || !said.contains(help) {
                    wrong.push(format!("{text}: {} / {said}", found[0].message));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_instruction_behind_a_semicolon_is_told_and_prose_is_not() {
    let remarks = |text: &str| hidden(text, &Reading::default()).len();
    for text in [
        "ADD RAX, RBX; ADD RBX, RAX",
        "nop; nop",
        "mov eax, 1 ; mov ecx, 2",
    ] {
        assert_eq!(remarks(text), 1, "{text}");
    }
    for text in [
        "nop ; add one to it",
        "nop ; call the method",
        "; mov eax, 1",
        "movl $1, %eax; nop",
        "db \"a; nop\"",
    ] {
        assert_eq!(remarks(text), 0, "{text}");
    }
}

#[test]
fn a_semicolon_separates_where_it_is_asked_for() {
    let text = "add rax, rbx; add rbx, rax";
    let reading = Reading {
        separates: true,
        ..Reading::default()
    };
    let both = fragment_in(text, &reading).expect("assembles").bytes;
    assert_eq!(hex(&both), "4801d84801c3");
    assert_eq!(hex(&fragment(text).expect("assembles").bytes), "4801d8");
}

#[test]
fn a_prefix_alone_on_a_line_belongs_to_the_instruction_on_the_next() {
    for (text, right) in [
        ("lock\nadd dword ptr [rax], 1", "f0830001"),
        ("lock\naddl $1, (%rax)", "f0830001"),
        ("rep\nmovsb", "f3a4"),
        ("rep\n\n ; a comment\nmovsb\nnop", "f3a490"),
        ("rep; ret\nmovl %eax, %ebx", "f3c389c3"),
        ("bnd\nnotrack\njmp rax", "3ef2ffe0"),
        // In front of anything else it is its byte, as in C libraries that jump over a `lock`.
        ("jmp 1f\nlock\n1: add [rax], ecx", "eb01f00108"),
        ("lock\ndb 0x90", "f090"),
        ("data16", "66"),
        // The rows of a listing have bytes of their own.
        (
            " 401000:\tf0                   \tlock\n 401001:\t01 08                \tadd    DWORD PTR [rax],ecx",
            "f00108",
        ),
    ] {
        let got = read(text, Syntax::Auto).map(|section| hex(&section.bytes));
        assert_eq!(got.as_deref(), Ok(right), "{text:?}");
    }
    let refused = |text| fragment(text).expect_err(text).remove(0);
    let found = refused("lock\nmov [rax], ecx");
    assert!(found.message.contains("cannot be locked"), "{found:?}");
    let found = refused("nop\nlock\n\n");
    assert_eq!((found.line, found.column, found.width), (2, 1, 4));
    assert!(
        refused("lock\nlock\nadd [rax], ecx")
            .message
            .contains("twice")
    );
}

#[test]
fn a_text_in_two_syntaxes_names_both_lines() {
    let found = fragment("movl $5, %eax\nmov ecx, 5\n").expect_err("a mix");
    assert!(
        found[0].message.contains("line 1 is AT&T syntax"),
        "{found:?}"
    );
    assert_eq!(found[0].line, 2);
    let both = ".intel_syntax noprefix\nmov ecx, 5\n.att_syntax\nmovl $5, %eax\n";
    assert_eq!(
        hex(&fragment(both).expect("assembles").bytes),
        "b905000000b805000000"
    );
}

#[test]
fn a_row_of_a_listing_is_never_dropped_for_its_letters() {
    let text = "00000000000edfc0 <f>:\n   edfc0:\t53                   \tpush   rbx\n   edfca:\tc3                   \tret\n";
    assert_eq!(
        hex(&read(text, Syntax::Auto).expect("assembles").bytes),
        "53c3"
    );
    let x87 = "0000000000001000 <f>:\n    1000:\tfadd   st,st(0)\n    1002:\tret\n";
    assert_eq!(
        hex(&read(x87, Syntax::Auto).expect("assembles").bytes),
        "d8c0c3"
    );
    // Labels of such letters are labels.
    let labels = "a: nop\nb: mov eax, b - a\n";
    assert_eq!(
        hex(&fragment(labels).expect("assembles").bytes),
        "90b801000000"
    );
}

#[test]
fn a_listing_whose_addresses_no_linker_has_filled_in_is_refused_at_each_of_them() {
    let refused = |text: &str| -> Vec<u32> {
        let found = fragment_in(text, &open(Syntax::Auto))
            .err()
            .unwrap_or_default();
        let is_unlinked = found
            .iter()
            .filter(|one| one.message.contains("no linker has filled in"));
        is_unlinked.map(|one| one.line).collect()
    };
    let att = "0000000000000010 <twice>:\n  10:\te8 00 00 00 00       \tcall   15 <twice+0x5>\n  15:\t03 05 00 00 00 00    \tadd    0x0(%rip),%eax        # 1b <twice+0xb>\n  1b:\tc3                   \tret\n";
    assert_eq!(refused(att), [2, 3]);
    let intel = "0000000000000010 <twice>:\n  10:\tcall   15 <twice+0x5>\n  15:\tadd    eax,DWORD PTR [rip+0x0]        # 1b <twice+0xb>\n  1b:\tret\n";
    assert_eq!(refused(intel), [2, 3]);
    let llvm = "0000000000000010 <twice>:\n      10: e8 00 00 00 00               \tcallq\t0x15 <twice+0x5>\n      15: 03 05 00 00 00 00            \taddl\t(%rip), %eax  # 0x1b <twice+0xb>\n      1b: c3                           \tretq\n";
    assert_eq!(refused(llvm), [2, 3]);
    let relocated = "0000000000000010 <twice>:\n  10:\te8 00 00 00 00       \tcall   15 <twice+0x5>\n\t\t\t11: R_X86_64_PLT32\tleaf-0x4\n  15:\tc3                   \tret\n";
    assert_eq!(refused(relocated), [2, 3]);
    // Linked code, and code that asks where it stands.
    let linked = "0000000000000010 <twice>:\n  10:\te8 01 00 00 00       \tcall   16 <twice+0x6>\n  15:\t90                   \tnop\n  16:\t03 05 10 00 00 00    \tadd    0x10(%rip),%eax        # 2c <x>\n  1c:\tc3                   \tret\n";
    assert!(refused(linked).is_empty());
    let asks = "0000000000000010 <here>:\n  10:\te8 00 00 00 00       \tcall   15 <here+0x5>\n  15:\t58                   \tpop    %rax\n  16:\tc3                   \tret\n";
    assert!(refused(asks).is_empty());
}

#[test]
fn padding_keeps_the_length_that_the_addresses_say() {
    let text = "0000000000001000 <f>:\n    1000:\tje     1009 <f+0x9>\n    1002:\tnop    DWORD PTR [rax+0x0]\n    1009:\tret\n";
    let bytes = read(text, Syntax::Auto).expect("assembles").bytes;
    assert_eq!(hex(&bytes), "74070f1f8000000000c3");
    // Without addresses it is the shortest with a displacement.
    assert_eq!(
        hex(&fragment("nop dword ptr [rax+0x0]")
            .expect("assembles")
            .bytes),
        "0f1f4000"
    );
}

#[test]
fn what_is_assembled_from_a_listing_is_listed_again() {
    let text = fs::read_to_string(fixtures().join("objdump-att.txt")).expect("readable");
    let section = read(&text, Syntax::Auto).expect("assembles");
    let listed = disassemble(&section.bytes, 0, &|_| None);
    assert_eq!(listed[0].text, "push r13");
    assert_eq!(listed.last().expect("a last one").text, "ret");
}
