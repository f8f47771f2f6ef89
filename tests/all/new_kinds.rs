//! `new --kind`: templates that show a way to call, and templates of one instruction.

use std::collections::HashSet;
use std::sync::Arc;

use crate::common::{fresh, run_in};
use dispatchlab::asm::SectionKind;
use dispatchlab::prepare::prepare;
use dispatchlab::scenario::Scenario;
use dispatchlab::template::chain::{Measured, template};
use dispatchlab::template::{Origin, Template};
use iced_x86::{Decoder, Instruction, InstructionInfoFactory, OpAccess, Register};

/// Instructions of all kinds, and whether a chain can be made of each.
#[rustfmt::skip] // a table: instructions, a kind a line
const CHAINED: [&str; 77] = [
    "add rax, rbx", "sub eax, ecx", "and rdx, 15", "or r8, r9", "xor rax, rbx", "adc rax, rbx", "sbb rax, rax",
    "inc rcx", "dec r10d", "neg rax", "not rbx", "lea rax, [rbx + 8]", "lea rax, [rax + rbx*4 + 3]", "mov rax, rbx",
    "movzx eax, bl", "movsx rax, bx", "movsxd rax, ebx", "imul rax, rbx", "imul eax, ebx, 3", "mul rcx", "div rcx",
    "idiv rcx", "div ecx", "div cl", "shl rax, 3", "sar rax, cl", "ror eax, 5", "shlx rax, rbx, rcx", "bswap rax",
    "popcnt rax, rbx", "lzcnt eax, ebx", "tzcnt rax, rbx", "bsf rax, rbx", "pext rax, rbx, rcx", "pdep rax, rbx, rcx",
    "andn rax, rbx, rcx", "mulx rax, rdx, rcx", "crc32 rax, rbx", "cmovz rax, rbx", "xchg rax, rbx", "xadd rax, rbx",
    "bts rax, rbx", "cmc", "mov rax, [rbx]", "mov eax, [rbx]", "movzx eax, byte [rbx + 4]", "add rax, [rbx]", "add [rbx], rax",
    "imul rax, [rbx]", "lock add [rbx], rax", "popcnt rax, [rbx]", "addps xmm0, xmm1", "mulsd xmm0, xmm1",
    "divps xmm0, xmm1", "sqrtsd xmm0, xmm1", "vaddps ymm0, ymm1, ymm2", "vmulpd xmm0, xmm1, xmm2",
    "vdivpd ymm0, ymm1, ymm2", "vfmadd213ps ymm0, ymm1, ymm2", "vfmadd231sd xmm3, xmm4, xmm5", "pxor xmm0, xmm1",
    "paddd xmm0, xmm1", "pmulld xmm0, xmm1", "pshufb xmm0, xmm1", "pshufd xmm0, xmm1, 27", "vpermd ymm0, ymm1, ymm2",
    "vpaddq ymm0, ymm1, ymm2", "aesenc xmm0, xmm1", "pclmulqdq xmm0, xmm1, 0", "roundsd xmm0, xmm1, 0", "cvtsi2sd xmm0, rax",
    "cvttsd2si rax, xmm0", "movq rax, xmm0", "movq xmm0, rax", "movd eax, xmm1", "addps xmm0, [rbx]", "vpand ymm0, ymm1, [rbx]",
];

/// Of these none can be made, and why.
#[rustfmt::skip] // a table: instruction, and what is said
const UNCHAINED: [(&str, &str); 12] = [
    ("cmp rax, rbx", "leaves flags only"),
    ("test eax, eax", "leaves flags only"),
    ("sete al", "reads flags only"),
    ("mov rax, 5", "reads nothing"),
    ("xor eax, eax", "reads nothing"),
    ("vpxor ymm0, ymm1, ymm1", "reads nothing"),
    ("rdtsc", "reads nothing"),
    ("mov [rbx], rax", "it stores, and does not load"),
    ("movaps xmm0, [rbx]", "nothing that one of its operands could be"),
    ("lfence", "leaves nothing"),
    ("nop", "leaves nothing"),
    ("prefetcht0 [rbx]", "leaves nothing"),
];

/// What stands in no loop.
#[rustfmt::skip] // a table: instruction, and what is said
const REFUSED: [(&str, &str); 14] = [
    ("call rax", "may go elsewhere"),
    ("jmp rax", "may go elsewhere"),
    ("ret", "may go elsewhere"),
    ("push rax", "stack pointer"),
    ("add rsp, 8", "stack pointer"),
    ("rep movsb", "as many addresses"),
    ("fadd st0, st1", "x87"),
    ("hlt", "for the kernel"),
    ("mov rax, [\"main.x\"]", "names a symbol"),
    ("mov rax, [0x1000]", "no register"),
    ("mvo rax, 1", "unknown instruction"),
    ("add rax, 1\nadd rbx, 1", "more than one instruction"),
    ("", "no instruction"),
    ("; words", "no instruction"),
];

/// The body of a template, as instructions.
fn body(text: &str) -> Vec<Instruction> {
    let template = Template::parse("t", Origin::Stdin, text.to_string())
        .unwrap_or_else(|errors| panic!("{text}{errors:#?}"));
    let scenario = Scenario::bind(Arc::new(template), &[]).expect("binds");
    let prepared = prepare(&scenario).unwrap_or_else(|errors| panic!("{text}{errors:#?}"));
    let sections = &prepared.row.program.sections;
    let body = sections
        .iter()
        .find(|one| one.kind == SectionKind::Body)
        .expect("a body");
    Decoder::new(64, &body.bytes, 0).into_iter().collect()
}

/// What of the values of `live` still decides what an instruction leaves.
fn flows(live: &HashSet<Register>, instruction: &Instruction) -> HashSet<Register> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let reads = |access| {
        matches!(
            access,
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    };
    let writes = |access| {
        matches!(
            access,
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    };
    // Flags and memory stand as registers that no program has.
    let (flags, memory) = (Register::EIP, Register::None);
    let mut taken: Vec<Register> = Vec::new();
    let mut made: Vec<Register> = Vec::new();
    let mut kept: Vec<Register> = Vec::new();
    for one in info.used_registers() {
        let full = one.register().full_register();
        taken.extend(reads(one.access()).then_some(full));
        made.extend(writes(one.access()).then_some(full));
    }
    for one in info.used_memory() {
        taken.extend(reads(one.access()).then_some(memory));
        made.extend(writes(one.access()).then_some(memory));
    }
    taken.extend((instruction.rflags_read() != 0).then_some(flags));
    made.extend((instruction.rflags_modified() != 0).then_some(flags));
    kept.extend(live.iter().filter(|one| !made.contains(one)));
    let is_fed = taken.iter().any(|one| live.contains(one));
    kept.into_iter()
        .chain(made.into_iter().filter(|_| is_fed))
        .collect()
}

/// Whether what the first instruction of a body leaves decides what it leaves the next time.
fn depends(body: &[Instruction]) -> bool {
    let everything = |instruction: &Instruction| {
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(instruction);
        let made = info
            .used_registers()
            .iter()
            .filter(|one| one.access() != OpAccess::Read);
        let mut made: HashSet<Register> = made.map(|one| one.register().full_register()).collect();
        if info
            .used_memory()
            .iter()
            .any(|one| one.access() != OpAccess::Read)
        {
            made.insert(Register::None);
        }
        if instruction.rflags_modified() != 0 {
            made.insert(Register::EIP);
        }
        made
    };
    let mut live = everything(&body[0]);
    for instruction in &body[1..] {
        live = flows(&live, instruction);
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(&body[0]);
    let reads = |access| {
        matches!(
            access,
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    };
    let mut taken = info
        .used_registers()
        .iter()
        .filter(|one| reads(one.access()))
        .map(|one| one.register().full_register());
    taken.any(|one| live.contains(&one))
        || info.used_memory().iter().any(|one| reads(one.access()))
            && live.contains(&Register::None)
        || body[0].rflags_read() != 0 && live.contains(&Register::EIP)
}

#[test]
fn a_chain_is_made_of_every_instruction_that_can_wait_for_itself_and_it_does() {
    for asked in CHAINED {
        let text =
            template(Measured::Latency, asked).unwrap_or_else(|why| panic!("{asked}: {why}"));
        let body = body(&text);
        assert!((1..=2).contains(&body.len()), "{text}");
        assert!(depends(&body), "{text}");
    }
}

#[test]
fn of_the_others_it_is_said_why_there_is_none() {
    for (asked, why) in UNCHAINED {
        let refusal = template(Measured::Latency, asked).expect_err(asked);
        assert!(refusal.contains(why), "{asked}: {refusal}");
        assert!(refusal.contains("--kind throughput"), "{asked}: {refusal}");
    }
    for (asked, why) in REFUSED {
        for measured in [Measured::Latency, Measured::Throughput] {
            let refusal = template(measured, asked).expect_err(asked);
            assert!(refusal.contains(why), "{asked}: {refusal}");
        }
    }
}

#[test]
fn independent_copies_read_nothing_that_the_one_before_wrote() {
    let mut refused = Vec::new();
    for asked in CHAINED
        .iter()
        .copied()
        .chain(UNCHAINED.map(|(asked, _)| asked))
    {
        let text = match template(Measured::Throughput, asked) {
            Ok(text) => text,
            Err(why) => {
                assert!(why.contains("--kind latency"), "{asked}: {why}");
                refused.push(asked);
                continue;
            }
        };
        let body = body(&text);
        let copies = body
            .iter()
            .filter(|one| one.mnemonic() == body[body.len() - 1].mnemonic())
            .count();
        let cuts = body.len() / copies - 1;
        // From each copy to the next, over what stands between them.
        for at in 0..copies.saturating_sub(1) {
            let two = [
                &body[at * (cuts + 1) + cuts..(at + 1) * (cuts + 1)],
                &body[(at + 1) * (cuts + 1)..(at + 2) * (cuts + 1)],
            ]
            .concat();
            let mut live = flows(&HashSet::new(), &two[0]);
            live.extend(outputs(&two[0]));
            for instruction in &two[1..two.len() - 1] {
                live = flows(&live, instruction);
            }
            let last = two[two.len() - 1];
            assert!(inputs(&last).is_disjoint(&live), "{asked} at {at}: {text}");
        }
    }
    assert_eq!(refused, ["add [rbx], rax", "lock add [rbx], rax"]);
}

fn outputs(instruction: &Instruction) -> HashSet<Register> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let made = info.used_registers().iter();
    let made = made.filter(|one| !matches!(one.access(), OpAccess::Read | OpAccess::CondRead));
    let mut made: HashSet<Register> = made.map(|one| one.register().full_register()).collect();
    if instruction.rflags_modified() != 0 {
        made.insert(Register::EIP);
    }
    made
}

fn inputs(instruction: &Instruction) -> HashSet<Register> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let taken = info.used_registers().iter();
    let taken = taken.filter(|one| !matches!(one.access(), OpAccess::Write | OpAccess::CondWrite));
    let mut taken: HashSet<Register> = taken.map(|one| one.register().full_register()).collect();
    if instruction.rflags_read() != 0 {
        taken.insert(Register::EIP);
    }
    taken
}

#[test]
fn every_kind_runs_as_it_is_written() {
    let place = fresh("kinds");
    let mut files = Vec::new();
    for kind in ["itab", "switch", "vtable", "cache"] {
        let run = run_in(&place, &["new", kind, "--kind", kind]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        files.push(format!("{kind}.asm"));
    }
    for (at, asked) in [
        "imul rax, rbx",
        "mov rax, [rbx]",
        "adc rax, rbx",
        "sbb eax, 1",
        "rcl rax, 1",
        "div rcx",
        "mulsd xmm0, xmm1",
        "movq rax, xmm0",
        "mov eax, [rbx]",
        "div cl",
    ]
    .iter()
    .enumerate()
    {
        for kind in ["latency", "throughput"] {
            let name = format!("{kind}{at}");
            let run = run_in(&place, &["new", &name, "--kind", kind, asked]);
            assert_eq!(run.code, 0, "{}", run.stderr);
            files.push(format!("{name}.asm"));
        }
    }
    let mut arguments = vec!["run", "--quick", "--placements", "1", "--counters", "none"];
    arguments.extend(files.iter().map(String::as_str));
    let run = run_in(&place, &arguments);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    for parameters in [
        "itab.asm[order=random,targets=5]",
        "switch.asm[cases=7,hit=default]",
        "vtable.asm[targets=3]",
        "cache.asm[targets=3]",
    ] {
        let name = parameters.replace(".asm", "");
        let run = run_in(
            &place,
            &[
                "run",
                &name,
                "--quick",
                "--placements",
                "1",
                "--counters",
                "none",
            ],
        );
        assert_eq!(run.code, 0, "{name}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn what_a_kind_does_not_take_is_said() {
    let place = fresh("usage");
    for (arguments, message) in [
        (
            &["new", "a", "--kind", "latency"][..],
            "take an instruction",
        ),
        (
            &["new", "a", "--kind", "itab", "nop"][..],
            "only --kind latency and --kind throughput",
        ),
        (
            &["new", "a", "--kind", "latency", "cmp rax, rbx"][..],
            "leaves flags only",
        ),
        (
            &["new", "a", "--kind", "itab", "--from", "inline"][..],
            "cannot be used with",
        ),
        (&["new", "a", "nop"][..], "--kind"),
    ] {
        let run = run_in(&place, arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(
            run.said().contains(message),
            "{arguments:?}: {}",
            run.stderr
        );
    }
    assert_eq!(
        std::fs::read_dir(&place).expect("a folder").count(),
        0,
        "nothing was written"
    );
}
