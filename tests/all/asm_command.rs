//! `dispatchlab asm`: fragments to bytes, on the command line.
//!
//! Correct means: what it prints are the bytes an object file of GNU as would have, and what it
//! refuses names the line, the column and the way on.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::{self, Run, folder};
use serde_json::Value;

fn asm(arguments: &[&str], text: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .arg("asm")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A refused command line is one that reads nothing.
    let _ = stdin.write_all(text.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A fragment that both assemblers read, with a symbol that neither has.
const FRAGMENT: &str = "\
start:
        cmp rsp, [r14+16]
        jbe 2f
        mov rcx, [rax+24]
        mov rax, rbx
1:      call rcx
        dec edx
        jne 1b
        lea rcx, [rip+table]
        call morestack
2:      jmp start
        jne elsewhere
table:
";

/// Its bytes in an object file of GNU as; `None` where there is no binutils.
fn object(text: &str) -> Option<Vec<u8>> {
    let folder = folder("asm_command");
    let (object, binary) = (folder.join("f.o"), folder.join("f.bin"));
    let mut child = Command::new("as")
        .args(["--64", "-o"])
        .arg(&object)
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .ok()?;
    let text = format!(".intel_syntax noprefix\n{text}");
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    assert!(child.wait().ok()?.success());
    let copied = Command::new("objcopy")
        .args(["-O", "binary", "-j", ".text"])
        .args([&object, &binary])
        .status()
        .ok()?;
    assert!(copied.success());
    std::fs::read(binary).ok()
}

#[test]
fn a_fragment_has_the_bytes_of_an_object_file() {
    let run = asm(
        &["--hex", "--syntax", "intel", "--allow-undefined"],
        FRAGMENT,
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let Some(object) = object(FRAGMENT) else {
        eprintln!("skipped: there is no GNU as here (package binutils)");
        return;
    };
    let expected: String = object.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(run.stdout, format!("{expected}\n"));
}

#[test]
fn a_listing_has_offset_bytes_and_text_of_each_line() {
    let run = asm(
        &["-"],
        "f: mov rax, [rax+24] ; fun[0]\n\n jmp f\n dq 5\n db \"ab\"\n",
    );
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (
            0,
            "    0  48 8b 40 18             mov rax, [rax+0x18]\n\
             \x20   4  eb fa                   jmp f\n\
             \x20   6  05 00 00 00 00 00 00 00 db 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00\n\
             \x20   e  61 62                   db 0x61, 0x62\n"
        )
    );
}

#[test]
fn json_says_what_each_line_gave_and_what_is_undefined() {
    let run = asm(
        &["--json", "--allow-undefined"],
        "nop\n call \"main.f\"\n je far\n",
    );
    let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(document["schema"], 1);
    let second = &document["instructions"][1];
    assert_eq!(
        (
            &second["offset"],
            &second["bytes"],
            &second["text"],
            &second["line"]
        ),
        (
            &1.into(),
            &"e800000000".into(),
            &"call main.f".into(),
            &2.into()
        )
    );
    let names: Vec<_> = document["undefined"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["symbol"].as_str().unwrap(), one["offset"].as_u64()))
        .collect();
    assert_eq!(names, [("main.f", Some(2)), ("far", Some(8))]);
}

#[test]
fn what_is_undefined_is_refused_with_its_place() {
    let file = folder("asm_command").join("undefined.asm");
    std::fs::write(&file, "nop\n  call \"main.f\"\n").expect("writes");
    let run = common::dispatchlab(&["asm", file.to_str().expect("UTF-8")]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    for part in [
        "nothing defines the symbol \"main.f\"",
        "undefined.asm:2:8",
        "--allow-undefined",
    ] {
        assert!(run.said().contains(part), "{}", run.stderr);
    }
    let run = asm(&[], "jmp nowhere\n");
    assert_eq!(run.code, 3);
    assert!(run.said().contains("<stdin>:1:5"), "{}", run.stderr);
    // Not even an open fragment takes a misspelt register for a symbol.
    let run = asm(&["--allow-undefined"], "mov rax, [rxa+8]\n");
    assert_eq!(run.code, 3);
    assert!(
        run.said().contains("unknown register or symbol `rxa`"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_cannot_be_read_is_a_usage_error() {
    let run = asm(&["--syntax", "go", "--hex"], "MOVQ AX, BX\n");
    assert_eq!((run.code, run.stdout.as_str()), (0, "4889c3\n"));
    let run = asm(&["no/such/file.asm"], "");
    assert_eq!(run.code, 2);
    assert!(
        run.said().contains("cannot read no/such/file.asm"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_empty_fragment_is_no_bytes() {
    assert_eq!(asm(&["--hex"], "; nothing\n").stdout, "\n");
    assert_eq!(asm(&[], "").stdout, "");
}
