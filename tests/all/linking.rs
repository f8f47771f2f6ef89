//! The linker against a naive twin, and golden listings at a fixed address.

use std::sync::Arc;

use crate::common::{self, assert_golden, data_of, dispatchlab};
use dispatchlab::asm::{FixupKind, SectionKind};
use dispatchlab::go::symbol::canonical;
use dispatchlab::job::{PLACEMENTS, Placement};
use dispatchlab::link::{Image, Owner, Variant, frame};
use dispatchlab::prepare::{Prepared, prepare};
use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::template::Clobbers;
use dispatchlab::template::library::Library;
use iced_x86::{Decoder, DecoderOptions, Instruction};

fn prepared(name: &str) -> Prepared {
    let (template, overrides) = parse_name(name).expect("a name");
    let template = Library::embedded().load(&template).expect("shipped");
    let scenario = Scenario::bind(Arc::new(template), &overrides).expect("binds");
    prepare(&scenario).expect("assembles and links")
}

const SHIPPED: [&str; 15] = [
    "inline",
    "direct_call",
    "ptr_method",
    "value_method",
    "wrapper_call",
    "wrapper_call[go=1.10]",
    "wrapper_call[receiver=nil,recover=true]",
    "itab_call[order=random,targets=64]",
    "itab_call[go=1.10,order=random,targets=8]",
    "itab_wrapper",
    "itab_wrapper[go=1.10,targets=3]",
    "type_switch[cases=3,go=1.10]",
    "type_switch[cases=8,hit=order,order=random]",
    "type_switch[cases=8,hit=order,order=random,strategy=jump]",
    "rust_enum[order=random]",
];

fn decode(image: &Image, address: u64) -> Instruction {
    let bytes = &image.code[(address - image.site.code) as usize..];
    Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode()
}

/// Looks an address up the slow way: through the names of the program's own sections.
fn naive_address(image: &Image, name: &str) -> u64 {
    let found: Vec<u64> = image
        .symbols
        .iter()
        .filter(|symbol| symbol.name == canonical(name))
        .map(|s| s.address)
        .collect();
    assert_eq!(found.len(), 1, "{name} is defined once");
    found[0]
}

#[test]
fn every_fixup_holds_its_symbols_address_and_no_other_byte_differs() {
    for name in SHIPPED {
        let prepared = prepared(name);
        for placement in PLACEMENTS {
            let image = prepared.image_at(placement, Variant::Body);
            for piece in &image.pieces {
                let Owner::Section(index) = piece.owner else {
                    continue;
                };
                let section = &prepared.row.program.sections[index];
                let start = (piece.addresses.start - image.site.code) as usize;
                let mut bytes = image.code[start..start + section.bytes.len()].to_vec();
                for fixup in &section.fixups {
                    assert_eq!(
                        fixup.kind,
                        FixupKind::Rel32,
                        "{name}: code only refers to near things"
                    );
                    let field = fixup.offset as usize..fixup.offset as usize + 4;
                    let distance =
                        i32::from_le_bytes(bytes[field.clone()].try_into().expect("4 bytes"));
                    let base = piece.addresses.start + u64::from(fixup.end);
                    let target = base.wrapping_add_signed(i64::from(distance) - fixup.addend);
                    assert_eq!(
                        target,
                        naive_address(&image, &fixup.symbol),
                        "{name}: {}",
                        fixup.symbol
                    );
                    bytes[field].fill(0);
                }
                assert_eq!(bytes, section.bytes, "{name}: {}", section.name);
            }
        }
    }
}

#[test]
fn loop_head_and_first_callee_stand_where_the_placement_says() {
    for name in SHIPPED {
        let prepared = prepared(name);
        for placement in PLACEMENTS {
            let image = prepared.image_at(placement, Variant::Body);
            assert_eq!(
                image.loop_head % 64,
                u64::from(placement.loop_head),
                "{name}"
            );
            let first = image.pieces.iter().find(|piece| match piece.owner {
                Owner::Section(index) => {
                    prepared.row.program.sections[index].kind == SectionKind::Func
                }
                _ => false,
            });
            if let Some(first) = first {
                assert_eq!(
                    first.addresses.start % 64,
                    u64::from(placement.callee),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn placements_of_a_row_differ_in_nothing_but_addresses() {
    for name in SHIPPED {
        let prepared = prepared(name);
        let [first, second] = [0, 1].map(|at| prepared.image_at(PLACEMENTS[at], Variant::Body));
        let [mut data, expected] = [&first, &second].map(|image| data_of(&prepared, image));
        for pointer in &second.code_pointers {
            pointer.write(&mut data);
        }
        assert_eq!(
            data, expected,
            "{name}: the code pointers are all that differs in the data"
        );
        let length = |image: &Image| image.entry - image.loop_head;
        assert_eq!(length(&first), length(&second), "{name}");
    }
}

/// The harness is written with a macro whose encodings surprise; so what it emitted is read back.
#[test]
fn the_loop_is_what_the_method_says() {
    let loop_of = |name: &str, placement: Placement| {
        let prepared = prepared(name);
        let image = prepared.image_at(placement, Variant::Baseline);
        let mut address = image.loop_head;
        let mut mnemonics = Vec::new();
        loop {
            let instruction = decode(&image, address);
            assert!(!instruction.is_invalid());
            mnemonics.push(format!("{:?}", instruction.mnemonic()).to_lowercase());
            address = instruction.next_ip();
            if instruction.is_jcc_short_or_near() {
                assert_eq!(instruction.near_branch_target(), image.loop_head);
                return mnemonics.join(" ");
            }
        }
    };
    assert_eq!(
        loop_of("inline", PLACEMENTS[0]),
        "mov mov add mov mov add mov cmp lea btr jne"
    );
    assert_eq!(
        loop_of("itab_call", PLACEMENTS[1]),
        "mov mov mov add mov mov add mov cmp lea btr jne"
    );
}

#[test]
fn the_body_of_a_one_word_walk_starts_on_a_32_byte_line_at_placement_0() {
    let prepared = prepared("direct_call");
    assert_eq!(prepared.row.clobbers, Clobbers::All);
    assert_eq!(prepared.image.body.start % 32, 0);
    assert_eq!(prepared.image.body.start - prepared.image.loop_head, 32);
}

#[test]
fn frames_do_not_reach_into_each_others_state_or_the_guards() {
    let last_frame = (frame::FRAMES - 1) * frame::FRAME_STEP as u64;
    let first_state = frame::state::CURSOR as u64;
    assert!(
        last_frame + frame::BODY_BYTES <= first_state,
        "bodies end below the first state"
    );
    let last_state = last_frame + frame::state::ARRAY as u64 + 8;
    assert!(last_state <= frame::ITERATIONS as u64);
    assert_eq!(frame::guards(true), [448..512, 776..1152]);
    assert_eq!(frame::guards(false), [256..512, 776..1152]);
    assert!(last_frame + frame::BODY_BYTES == 448 && first_state == 512);
    assert!(frame::ITERATIONS as u64 + 8 == 776 && frame::carried::REGISTERS == 1152);
    assert_eq!([false, true].map(frame::far), [1472..4096, 3520..4096]);
    assert_eq!([frame::carried::VECTORS, frame::carried::END], [1472, 3520]);
}

#[test]
fn listings_at_the_fixed_address_are_golden() {
    for (name, file) in [
        ("direct_call", "direct_call.lst"),
        ("wrapper_call", "wrapper_call.lst"),
        ("wrapper_call[go=1.10]", "wrapper_call_go1.10.lst"),
        ("itab_call[targets=2]", "itab_call_2.lst"),
        ("itab_call[go=1.10]", "itab_call_go1.10.lst"),
        ("type_switch[cases=3]", "type_switch_3.lst"),
        ("type_switch[go=1.10]", "type_switch_go1.10.lst"),
    ] {
        let run = dispatchlab(&[
            "show",
            name,
            "--templates",
            "asm_templates",
            "--harness",
            "--heap",
        ]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        // Objects repeat; the first ones show the layout.
        let lines: Vec<&str> = run.stdout.lines().collect();
        let end = lines
            .iter()
            .position(|line| line.contains("object[2]"))
            .unwrap_or(lines.len());
        assert_golden(file, &format!("{}\n", lines[..end].join("\n")));
    }
}

/// The baseline has no body to jump back into, and yet it is linked.
#[test]
fn a_function_may_jump_back_into_the_body_unless_the_body_is_there_twice() {
    let folder = common::folder("jump_back");
    let text = ";! result = \"eax\"\n;! expect = 9\nbody:\n jmp there\nback:\n add eax, 1\nfunc \"main.f\":\nthere:\n mov eax, 8\n jmp back\n";
    let once = common::template(&folder, "once", text);
    let (code, document) = common::json(&["run", &once, "--quick"]);
    assert_eq!(code, 0, "{document:#}");
    let twice = common::template(&folder, "twice", &format!(";! unroll = 2\n{text}"));
    let run = common::dispatchlab(&["check", &twice]);
    assert_eq!(run.code, 3);
    assert!(run.said().contains("twice.asm:11:6"), "{}", run.stderr);
    assert!(
        run.said().contains("`back` has no one address"),
        "{}",
        run.stderr
    );
}
