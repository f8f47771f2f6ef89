use std::sync::Arc;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use crate::job::PLACEMENTS;
use crate::link::{Image, Owner, Variant};
use crate::prepare::prepare;
use crate::scenario::{Scenario, parse_name};
use crate::template::{Origin, Template, Work};

/// A template whose harness state and result are as asked.
fn image(heap: &str, clobbers: &str, result: &str, work: &str, variant: Variant) -> Image {
    let result = match result {
        "" => String::new(),
        name => format!(";! result = \"{name}\"\n"),
    };
    let function = match heap {
        "func" => "func \"main.(*T).Call\":\n ret\n",
        _ => "",
    };
    let text = format!(";! heap = \"{heap}\"\n{clobbers}{result}body:\n nop\n{function}");
    let template = Template::parse("t", Origin::Stdin, text).expect("sound");
    let (_, given) = parse_name(&format!("t[work={work}]")).expect("a name");
    let scenario = Scenario::bind(Arc::new(template), &given).expect("binds");
    let prepared = prepare(&scenario).expect("links");
    prepared.image_at(PLACEMENTS[0], variant)
}

/// The harness's instructions of one iteration, in front of the body and behind it.
fn halves(image: &Image) -> [Vec<Instruction>; 2] {
    let mut halves = [Vec::new(), Vec::new()];
    let mut address = image.loop_head;
    loop {
        let bytes = &image.code[(address - image.site.code) as usize..];
        let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
        assert!(!instruction.is_invalid());
        if !image.body.contains(&address) {
            let owner = image.owner(address).map(|piece| &piece.owner);
            assert_eq!(owner, Some(&Owner::Harness), "{address:#x}");
            halves[usize::from(address >= image.body.end && !image.body.is_empty())]
                .push(instruction);
        }
        address = instruction.next_ip();
        if instruction.is_jcc_short_or_near() {
            assert_eq!(instruction.near_branch_target(), image.loop_head);
            return halves;
        }
    }
}

#[rustfmt::skip] // a table: heap, harness state, result
const KINDS: [(&str, &str, &str); 9] = [
    ("pointer", "",                         "eax"),
    ("iface",   "",                         "rbx"),
    ("iface",   "",                         "r11"),
    ("eface",   "",                         ""),
    ("pointer", ";! clobbers = \"all\"\n", "al"),
    ("iface",   ";! clobbers = \"all\"\n", "r15"),
    ("iface",   ";! clobbers = \"all\"\n", "r11d"),
    ("func",    ";! clobbers = \"all\"\n", "r10w"),
    ("iface",   ";! clobbers = \"all\"\n", ""),
];

#[test]
fn work_is_as_many_instructions_as_asked_half_in_front_and_half_behind() {
    for (heap, clobbers, result) in KINDS {
        let plain = halves(&image(heap, clobbers, result, "0", Variant::Body));
        for text in [
            "1",
            "7",
            "64",
            "1024",
            "1:dependent",
            "8:dependent",
            "1023:dependent",
        ] {
            let work: Work = text.parse().expect("work");
            let found = halves(&image(heap, clobbers, result, text, Variant::Body));
            let has_result = !result.is_empty();
            let wanted = [work.in_front(has_result), work.behind(has_result)];
            for half in 0..2 {
                // A chain has the instruction that zeroes its register beside it.
                let zeroing = usize::from(work.is_dependent && wanted[half] > 0);
                let more = found[half].len() - plain[half].len();
                assert_eq!(
                    more,
                    wanted[half] as usize + zeroing,
                    "{heap} {result} {text}, half {half}"
                );
            }
            let baseline = |work: &str| {
                let [front, behind] =
                    halves(&image(heap, clobbers, result, work, Variant::Baseline));
                front.len() + behind.len()
            };
            let all = |halves: &[Vec<Instruction>; 2]| halves[0].len() + halves[1].len();
            assert_eq!(
                baseline(text) - baseline("0"),
                all(&found) - all(&plain),
                "{text}"
            );
        }
    }
}

/// What stands in front of the body or behind it and would not without work.
fn added(heap: &str, clobbers: &str, result: &str, work: &str) -> [Vec<Instruction>; 2] {
    let plain = halves(&image(heap, clobbers, result, "0", Variant::Body));
    let [front, behind] = halves(&image(heap, clobbers, result, work, Variant::Body));
    let more = behind.len() - plain[1].len();
    [front[plain[0].len()..].to_vec(), behind[..more].to_vec()]
}

#[test]
fn independent_work_reads_nothing_but_rsp_and_writes_what_nothing_reads() {
    for (heap, clobbers, result) in KINDS {
        let result_whole = whole(result);
        for instruction in added(heap, clobbers, result, "9").concat() {
            assert_eq!(instruction.mnemonic(), Mnemonic::Lea);
            let base = (instruction.memory_base(), instruction.memory_index());
            assert_eq!(base, (Register::RSP, Register::None));
            let written = instruction.op0_register();
            assert!([Register::R10, Register::R11].contains(&written));
            assert_ne!(Some(written), result_whole);
        }
    }
}

fn whole(result: &str) -> Option<Register> {
    let register = match result {
        "eax" | "al" => Register::RAX,
        "rbx" => Register::RBX,
        "r11" | "r11d" => Register::R11,
        "r10w" => Register::R10,
        "r15" => Register::R15,
        _ => return None,
    };
    Some(register)
}

#[test]
fn dependent_work_is_a_chain_through_receiver_and_result_that_adds_zero() {
    for (heap, clobbers, result) in KINDS {
        let [front, behind] = added(heap, clobbers, result, "9:dependent");
        for (half, through) in [(front, Some(Register::RAX)), (behind, whole(result))] {
            let Some((zeroing, chain)) = half.split_first() else {
                assert_eq!(through, None, "all stand in front where there is no result");
                continue;
            };
            assert_eq!(zeroing.mnemonic(), Mnemonic::Xor);
            assert_eq!(zeroing.op0_register(), zeroing.op1_register());
            let zero = zeroing.op0_register().full_register();
            assert!([Register::R10, Register::R11].contains(&zero) && Some(zero) != through);
            for addition in chain {
                assert_eq!(addition.mnemonic(), Mnemonic::Add);
                assert_eq!(addition.op1_kind(), OpKind::Register);
                assert_eq!(Some(addition.op0_register()), through);
                assert_eq!(addition.op1_register(), zero);
            }
        }
    }
}

#[test]
fn the_chain_of_the_baseline_goes_through_what_each_iteration_loads() {
    for (heap, clobbers, result) in KINDS {
        let [front, behind] = halves(&image(
            heap,
            clobbers,
            result,
            "9:dependent",
            Variant::Baseline,
        ));
        let chain = front.iter().chain(&behind);
        let additions = chain.filter(|one| {
            let source = one.op1_kind() == OpKind::Register && one.op_count() == 2;
            let zero = source && [Register::R10, Register::R11].contains(&one.op1_register());
            one.mnemonic() == Mnemonic::Add && zero && one.op0_register() == Register::RAX
        });
        assert_eq!(additions.count(), 9, "{heap} {result}");
    }
}

#[test]
fn a_template_with_setup_has_no_work() {
    let text = ";! heap = \"pointer\"\nsetup:\n mov r11d, 1\nbody:\n nop\n".to_string();
    let template = Arc::new(Template::parse("t", Origin::Stdin, text).expect("sound"));
    let bind = |work: &str| {
        let given = [("work".to_string(), work.to_string())];
        prepare(&Scenario::bind(Arc::clone(&template), &given).expect("binds"))
    };
    assert!(bind("0").is_ok());
    let refused = bind("1").expect_err("setup");
    assert_eq!(refused[0].line, 2);
    assert!(refused[0].message.contains("`setup:`"), "{refused:?}");
}

#[test]
fn an_aligned_loop_stands_there_at_every_placement_and_its_callees_move() {
    let text = ";! heap = \"pointer\"\nbody:\n call \"f\"\nfunc \"f\":\n ret\n".to_string();
    let template = Arc::new(Template::parse("t", Origin::Stdin, text).expect("sound"));
    let bind = |given: &[(String, String)]| {
        prepare(&Scenario::bind(Arc::clone(&template), given).expect("binds")).expect("links")
    };
    let aligned = bind(&[("align".to_string(), "17".to_string())]);
    let free = bind(&[]);
    for placement in PLACEMENTS {
        let at = |image: &Image| {
            (
                image.loop_head % 64,
                image
                    .symbols
                    .iter()
                    .find(|one| one.name == "f")
                    .expect("f")
                    .address
                    % 64,
            )
        };
        let callee = u64::from(placement.callee);
        for variant in [Variant::Body, Variant::Baseline] {
            assert_eq!(at(&aligned.image_at(placement, variant)), (17, callee));
            assert_eq!(
                at(&free.image_at(placement, variant)),
                (u64::from(placement.loop_head), callee)
            );
        }
    }
}
