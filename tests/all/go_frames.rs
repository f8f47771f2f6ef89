//! What Go's assembler puts around a source's function: the check of the stack, the frame, the saved frame pointer.
//!
//! Correct means: the bytes are those of `go tool asm`, field for field outside what the linker fills.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use dispatchlab::asm::{Reading, fragment_in};

use crate::common::folder;

/// `mov r14, gs:[-8]`, and what Go's assembler has in its place: g lies elsewhere here.
const OWN_G: [[u8; 9]; 2] = [
    [0x65, 0x4c, 0x8b, 0x34, 0x25, 0xf8, 0xff, 0xff, 0xff],
    [0x64, 0x4c, 0x8b, 0x34, 0x25, 0, 0, 0, 0],
];

fn fixture() -> String {
    format!("{}/tests/fixtures/go/frames.s", env!("CARGO_MANIFEST_DIR"))
}

/// A function's bytes, the linker's fields zero.
fn own(text: &str, go_minor: u8) -> Vec<u8> {
    let reading = Reading {
        is_open: true,
        go_minor: Some(go_minor),
        ..Reading::default()
    };
    let section = fragment_in(text, &reading).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let mut bytes = section.bytes;
    for field in &section.fixups {
        bytes[field.offset as usize..][..4].fill(0);
    }
    let at = bytes.windows(9).position(|part| part == OWN_G[0]);
    if let Some(at) = at {
        bytes[at..at + 9].copy_from_slice(&OWN_G[1]);
    }
    bytes
}

/// The functions of a source.
fn functions(text: &str) -> Vec<(&str, String)> {
    let parts = text.split("TEXT ·").skip(1);
    parts
        .map(|part| {
            let name = part.split('(').next().expect("a name");
            (name, format!("TEXT ·{part}"))
        })
        .collect()
}

/// What a Go that is here makes of the source: its minor release, and the functions' bytes.
fn theirs() -> Option<(u8, BTreeMap<String, Vec<u8>>)> {
    let version = Command::new("go").arg("version").output().ok()?;
    let version = String::from_utf8(version.stdout).ok()?;
    let minor = version.split("go1.").nth(1)?.split(['.', ' ']).next()?;
    let object = folder("go_frames").join("frames.o");
    let made = Command::new("go")
        .args(["tool", "asm", "-S", "-p", "main", "-o"])
        .arg(object)
        .arg(fixture())
        .output()
        .ok()?;
    let listing = String::from_utf8_lossy(&made.stdout).into_owned();
    let mut all: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = String::new();
    for line in listing.lines() {
        if let Some((found, _)) = line.split_once(" STEXT ") {
            name = found.rsplit('.').next()?.to_owned();
        } else if let Some(row) = line.strip_prefix("\t0x") {
            let words = row
                .split(' ')
                .skip(1)
                .take(16)
                .take_while(|word| word.len() == 2);
            let bytes = words.map_while(|word| u8::from_str_radix(word, 16).ok());
            all.entry(name.clone()).or_default().extend(bytes);
        } else if let Some(place) = line.strip_prefix("\trel ") {
            let (at, width) = place.split_once(' ')?.0.split_once('+')?;
            let (at, width): (usize, usize) = (at.parse().ok()?, width.parse().ok()?);
            all.get_mut(&name)?[at..at + width].fill(0);
        }
    }
    Some((minor.parse().ok()?, all))
}

#[test]
fn what_a_source_runs_is_what_go_s_assembler_makes_of_it() {
    let text = fs::read_to_string(fixture()).expect("it is there");
    let Some((minor, theirs)) = theirs().filter(|(_, all)| !all.is_empty()) else {
        eprintln!("skipped: `go tool asm` makes no object here");
        return;
    };
    let functions = functions(&text);
    assert_eq!((functions.len(), theirs.len()), (21, 21));
    for (name, text) in functions {
        assert_eq!(own(&text, minor), theirs[name], "{name}");
    }
}

#[test]
fn each_release_has_its_frames() {
    let text = fs::read_to_string(fixture()).expect("it is there");
    let functions: BTreeMap<&str, String> = functions(&text).into_iter().collect();
    // As `go tool asm` of Go 1.19 and of 1.27 printed them.
    #[rustfmt::skip]
    let all = [
        ("zero", 19, "644c8b342500000000493b6610761a4883ec0848892c24488d2c24e800000000488b2c244883c408c3e800000000ebd0"),
        ("zero", 27, "644c8b342500000000493b6610760b554889e5e8000000005dc3e800000000ebdf"),
        ("bigleaf", 27, "644c8b3425000000004c8d6424f84d3b66107616554889e54883c480488b8424900000004883ec805dc3e800000000ebcf"),
        ("leaf112", 19, "4883ec7848896c2470488d6c2470488b842480000000488b6c24704883c478c3"),
        ("leaf112", 27, "554889e54883ec70488b8424800000004883c4705dc3"),
        ("nosplit", 27, "554889e54883ec104883ec10488b4424304883c4104883c4105dc3"),
        ("pushw", 19, "9c488b4424109dc3ffd0c3"),
    ];
    for (name, minor, bytes) in all {
        let made = own(&functions[name], minor);
        let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(made, bytes, "{name} of 1.{minor}");
    }
    // Up to 1.16 g is in CX, and the spare register AX.
    let old = own("TEXT ·f(SB), $128-8\nCALL AX\nRET\n", 10);
    assert_eq!(
        old[..18],
        [
            0x65, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff, 0x48, 0x8d, 0x44, 0x24, 0xf8,
            0x48, 0x3b, 0x41, 0x10
        ]
    );
}

#[test]
fn a_frame_that_go_refuses_or_nobody_knows_is_refused() {
    let message = |text: &str, minor: u8| {
        let reading = Reading {
            go_minor: Some(minor),
            is_open: true,
            ..Reading::default()
        };
        fragment_in(text, &reading)
            .map(|_| ())
            .map_err(|errors| errors[0].message.clone())
    };
    for (text, minor, said) in [
        (
            "TEXT ·f(SB), 4, $8-0\nPUSHQ AX\nRET\n",
            27,
            Some("8 bytes are pushed and not popped"),
        ),
        ("TEXT ·f(SB), 4, $8-0\nPUSHQ AX\nPOPQ AX\nRET\n", 27, None),
        (
            "TEXT ·f(SB), 4, $8-0\nADJSP $-8\nRET\n",
            27,
            Some("8 bytes are popped and not pushed"),
        ),
        ("TEXT ·f(SB), 4, $12-0\nRET\n", 27, Some("a multiple of 8")),
        ("TEXT ·f(SB), 32, $8-0\nRET\n", 27, Some("WRAPPER")),
        (
            "TEXT ·f(SB), $4096-0\nCALL AX\nRET\n",
            16,
            Some("more than 4096 bytes"),
        ),
        ("TEXT ·f(SB), $4096-0\nCALL AX\nRET\n", 17, None),
    ] {
        let found = message(text, minor);
        match said {
            None => assert_eq!(found, Ok(()), "{text}"),
            Some(said) => assert!(
                found.clone().is_err_and(|message| message.contains(said)),
                "{text}: {found:?}"
            ),
        }
    }
}
