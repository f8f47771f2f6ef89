//! The texts that `table.rs` is made of, from what iced says: the slow twin of every look-up.
//!
//! Correct means: they are what stands in `table/`. After a change of the rules here, or of iced,
//! `BLESS=1 cargo test --lib asm::generate` writes them anew.

use std::collections::BTreeMap;

use iced_x86::{
    Code, CpuidFeature, EncodingKind, MemorySize, OpCodeInfo, OpCodeOperandKind as Kind, Register,
};

use super::emit::{Coder, through_iced};
use super::fit::tests::tried_sorts;
use super::forms::{self, Form, Rule, form, traits};
use super::plan::{self, Place, place};
use super::table::KINDS;
use crate::asm::inst::{Decor, Inst, Mem, Name, Operand, OperandKind, Reach, Target};
use crate::asm::problem::Span;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/asm/encode/table");

#[test]
fn the_table_says_what_iced_says() {
    let (forms, spellings) = forms_and_spellings();
    for (name, text) in [
        ("kinds", kinds()),
        ("forms", forms),
        ("spellings", spellings),
        ("registers", register_names()),
    ] {
        let file = format!("{FOLDER}/{name}.txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &text).expect("the table can be written");
        }
        let known = std::fs::read_to_string(&file).expect("the table is there");
        let differs = known.lines().zip(text.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{file}: BLESS=1 writes the table anew");
        assert_eq!(known.len(), text.len(), "{file}");
    }
}

#[test]
fn the_table_has_the_names_of_its_numbers() {
    for (number, kind) in (0..).zip(Kind::values()) {
        assert_eq!(KINDS[number], kind);
    }
    assert_eq!(KINDS.len(), Kind::values().count());
    for (name, register) in registers() {
        assert_eq!(
            crate::asm::read::expression::register(&name),
            Some(register),
            "{name}"
        );
    }
    for (written, (name, implied)) in spellings(&index()) {
        let found = forms::find(&written).expect("it is in the table");
        assert_eq!((found.name, found.implied), (name.as_str(), implied));
    }
}

/// The sorts of operands that each kind takes.
fn kinds() -> String {
    let line = |kind: Kind| format!("{:x} {kind:?}\n", tried_sorts(kind));
    Kind::values().map(line).collect()
}

/// The forms by iced's mnemonic, those of one mnemonic in iced's order; and the spellings.
fn forms_and_spellings() -> (String, String) {
    let index = index();
    let mut rows = String::new();
    let mut first = BTreeMap::new();
    for (name, codes) in &index {
        first.insert(name.clone(), (rows.len(), codes.len()));
        rows.extend(codes.iter().map(|code| row(*code, name)));
    }
    let mut lines = String::new();
    for (written, (name, implied)) in spellings(&index) {
        // Where the first of its lines begins in the other text.
        let (first, count) = first[&name];
        let implied = implied.map_or("-".to_owned(), |number| format!("{number:x}"));
        lines.push_str(&format!("{written} {name} {first:x} {count:x} {implied}\n"));
    }
    (rows, lines)
}

fn register_names() -> String {
    let line = |(name, register): (String, Register)| format!("{name} {:x}\n", register as u32);
    registers().into_iter().map(line).collect()
}

/// The usable codes by mnemonic, in iced's order.
fn index() -> BTreeMap<String, Vec<Code>> {
    let mut index: BTreeMap<String, Vec<Code>> = BTreeMap::new();
    for code in Code::values().filter(|code| is_usable(*code, code.op_code())) {
        let name = format!("{:?}", code.mnemonic()).to_ascii_lowercase();
        index.entry(name).or_default().push(code);
    }
    index
}

/// Hexadecimal: iced's number, bits of memory and of an element, rule, traits; of the plan prefix,
/// REX.W, `reg`, opcode; the kinds; and iced's name, for people.
fn row(code: Code, name: &str) -> String {
    let info = code.op_code();
    let kinds = info
        .op_kinds()
        .iter()
        .map(|kind| format!(" {:x}", *kind as u32));
    let bits = |size: MemorySize| 8 * size.size();
    let element = if info.can_broadcast() {
        bits(info.broadcast_memory_size())
    } else {
        0
    };
    let rule = rule(code, name, info);
    let rule = Rule::ALL.iter().position(|known| *known == rule);
    let plan = match plan_of(code) {
        None => "- - - -".to_owned(),
        Some(plan) => {
            let opcode: String = plan
                .opcode
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let wide = u8::from(plan.is_wide);
            format!("{:x} {wide} {} {opcode}", plan.prefix, plan.digit)
        }
    };
    format!(
        "{:x} {:x} {element:x} {:x} {:x} {plan}{} ;{code:?}\n",
        code as u32,
        bits(info.memory_size()),
        rule.expect("it is among all rules"),
        traits(info),
        kinds.collect::<String>(),
    )
}

fn traits(info: &OpCodeInfo) -> u16 {
    let all = [
        (traits::LOCK, info.can_use_lock_prefix()),
        (traits::REP, info.can_use_rep_prefix()),
        (traits::REPNE, info.can_use_repne_prefix()),
        (traits::NOTRACK, info.can_use_notrack_prefix()),
        (traits::BND, info.can_use_bnd_prefix()),
        (traits::MASK, info.can_use_op_mask_register()),
        (traits::NEEDS_MASK, info.require_op_mask_register()),
        (traits::ZEROING, info.can_use_zeroing_masking()),
        (
            traits::ROUNDING,
            info.can_use_rounding_control() && !is_exact_conversion(info.code()),
        ),
        (traits::EXACT, info.can_suppress_all_exceptions()),
        (traits::EVEX, info.encoding() == EncodingKind::EVEX),
        (
            traits::LATE,
            info.encoding() == EncodingKind::VEX && is_late(info.code()),
        ),
    ];
    all.iter()
        .filter(|(_, is)| *is)
        .fold(0, |traits, (one, _)| traits | one)
}

/// Whether it belongs to an extension that gave instructions of AVX-512 a VEX encoding afterwards.
fn is_late(code: Code) -> bool {
    let late = [
        CpuidFeature::AVX_VNNI,
        CpuidFeature::AVX_IFMA,
        CpuidFeature::AVX_NE_CONVERT,
    ];
    code.cpuid_features()
        .iter()
        .any(|feature| late.contains(feature))
}

/// Every 32-bit integer is a double, so there is nothing to round: Intel's manual lists no rounding,
/// though iced does.
fn is_exact_conversion(code: Code) -> bool {
    matches!(
        code,
        Code::EVEX_Vcvtsi2sd_xmm_xmm_rm32_er | Code::EVEX_Vcvtusi2sd_xmm_xmm_rm32_er
    )
}

/// The fixed bytes of an encoding.
struct Fixed {
    prefix: u8,
    is_wide: bool,
    opcode: Vec<u8>,
    digit: u8,
}

/// Takes the bytes apart that iced makes of the form with operands that add nothing to them.
fn plan_of(code: Code) -> Option<Fixed> {
    let info = code.op_code();
    let places: Option<Vec<Place>> = info.op_kinds().iter().map(|kind| place(*kind)).collect();
    let places = places?;
    let count = |wanted: fn(&Place) -> bool| places.iter().filter(|place| wanted(place)).count();
    let in_rm = count(|place| *place == Place::Rm);
    let in_reg = count(|place| *place == Place::Reg);
    let behind = |place: &Place| matches!(place, Place::Immediate(_) | Place::Distance(_));
    if info.encoding() != EncodingKind::Legacy || in_rm > 1 || in_reg > in_rm || count(behind) > 1 {
        return None;
    }
    let kinds = info.op_kinds();
    let form = form(code as u16, kinds, (0, 0), Rule::None, 0, None);
    let operands = kinds.iter().map(|kind| sample(*kind, 0)).collect();
    let encoded = through_iced(&inst(operands), &form, &mut Coder::default()).ok()?;
    let mut rest = encoded.bytes();
    let prefix = rest[0];
    let has_prefix = matches!(prefix, 0x66 | 0xf2 | 0xf3) && rest.len() > 1;
    rest = &rest[usize::from(has_prefix)..];
    let is_wide = rest[0] == 0x48;
    rest = &rest[usize::from(is_wide)..];
    let tail: usize = places
        .iter()
        .map(|place| match place {
            Place::Immediate(length) | Place::Distance(length) => *length,
            _ => 0,
        })
        .sum();
    rest = &rest[..rest.len() - tail];
    let mut digit = 0;
    if in_rm == 1 {
        let (modrm, before) = rest.split_last()?;
        assert!(matches!(modrm & 0xc7, 0xc0 | 0), "{code:?}: {modrm:#x}");
        digit = modrm >> 3 & 7;
        rest = before;
    }
    // A second prefix, or a REX prefix behind 9B, stands where a plan has no place for it.
    let is_plain = (1..=3).contains(&rest.len())
        && !matches!(rest[0], 0x66 | 0xf2 | 0xf3 | 0x40..0x50)
        && (rest[0] != 0x9b || rest.len() == 1);
    is_plain.then(|| Fixed {
        prefix: if has_prefix { prefix } else { 0 },
        is_wide,
        opcode: rest.to_vec(),
        digit,
    })
}

const HERE: Span = Span {
    column: 1,
    width: 1,
};

fn inst(operands: Vec<OperandKind<'static>>) -> Inst<'static> {
    Inst {
        mnemonic: "x".into(),
        span: HERE,
        prefixes: Vec::new(),
        operands: operands
            .into_iter()
            .map(|kind| Operand { kind, span: HERE })
            .collect(),
        reach: None::<Reach>,
        decor: Decor::default(),
    }
}

fn target() -> Target<'static> {
    Target {
        name: Name::Label("x"),
        addend: 0,
        span: HERE,
    }
}

fn memory(
    base: Option<Register>,
    index: Option<Register>,
    scale: u32,
    displacement: i128,
) -> Mem<'static> {
    Mem {
        bits: None,
        segment: None,
        base,
        index,
        scale,
        displacement,
        target: None,
        broadcast: None,
    }
}

/// The operand of that kind whose register has this number; memory where there is no register.
fn sample(kind: Kind, number: usize) -> OperandKind<'static> {
    let fits = |register: &Register| {
        register.number() == number
            && tried_sorts(kind) != 0
            && super::fit::takes_register(kind, *register)
    };
    match place(kind) {
        Some(Place::Immediate(_)) => OperandKind::Immediate {
            value: 0,
            bits: None,
        },
        Some(Place::Distance(_)) => OperandKind::Target(target()),
        Some(Place::Nowhere) if kind == Kind::imm8_const_1 => OperandKind::Immediate {
            value: 1,
            bits: None,
        },
        Some(Place::Nowhere) => {
            OperandKind::Register(super::fit::fixed_register(kind).expect("a fixed register"))
        }
        _ => match Register::values().find(fits) {
            Some(register) => OperandKind::Register(register),
            None => OperandKind::Memory(memory(Some(Register::RAX), None, 1, 0)),
        },
    }
}

#[test]
fn a_planned_encoding_is_the_one_that_iced_makes() {
    let mut coder = Coder::default();
    let (mut planned, mut refused) = (0, 0);
    let spellings = spellings(&index());
    for name in spellings.keys() {
        for form in forms::of(name) {
            for operands in samples(form) {
                let inst = inst(operands);
                let Some(encoded) = plan::encode(&inst, form) else {
                    refused += 1;
                    continue;
                };
                assert_eq!(
                    Ok(&encoded),
                    through_iced(&inst, form, &mut coder).as_ref(),
                    "{form:?} {inst:?}"
                );
                planned += 1;
            }
        }
    }
    assert!(
        planned > 10_000 && planned > 2 * refused,
        "{planned} planned, {refused} not"
    );
}

/// Operands for a form with a plan: each register, each shape of memory, the ends of immediates.
fn samples(form: &Form) -> Vec<Vec<OperandKind<'static>>> {
    if form.plan.is_none() {
        return Vec::new();
    }
    let choices = form.written().iter().map(|kind| choices(*kind));
    choices.fold(vec![Vec::new()], |all, choices| {
        // Each pair of neighbours in some order, rather than every combination.
        let rows = all.len().max(choices.len());
        let rows = if all.len() > 1 && choices.len() > 1 {
            rows + 1
        } else {
            rows
        };
        (0..rows)
            .map(|row| {
                let mut operands: Vec<OperandKind<'_>> = all[row % all.len()].clone();
                operands.push(
                    choices[(row + row / all.len().max(choices.len())) % choices.len()].clone(),
                );
                operands
            })
            .collect()
    })
}

fn choices(kind: Kind) -> Vec<OperandKind<'static>> {
    let immediates = |values: &[i128]| {
        values
            .iter()
            .map(|value| OperandKind::Immediate {
                value: *value,
                bits: None,
            })
            .collect()
    };
    match place(kind) {
        Some(Place::Immediate(1)) => immediates(&[0, 1, -1, 127, -128]),
        Some(Place::Immediate(2)) => immediates(&[0, 0x1234, -1, 0xffff]),
        Some(Place::Immediate(4)) => immediates(&[0, 0x1234_5678, -1, i128::from(i32::MIN)]),
        Some(Place::Immediate(_)) => {
            let mut all: Vec<_> = immediates(&[0, -1, i128::from(i64::MIN), i128::from(u64::MAX)]);
            all.push(OperandKind::Target(target()));
            all
        }
        Some(Place::Distance(_) | Place::Nowhere) => vec![sample(kind, 0)],
        _ => {
            let registers =
                Register::values().filter(|register| super::fit::takes_register(kind, *register));
            let mut all: Vec<_> = registers.map(OperandKind::Register).collect();
            if super::fit::takes_memory(kind) {
                all.extend(memories().into_iter().map(OperandKind::Memory));
            }
            all
        }
    }
}

fn memories() -> Vec<Mem<'static>> {
    let wide: Vec<Register> = Register::values()
        .filter(|register| register.is_gpr64())
        .collect();
    let mut all = Vec::new();
    for displacement in [0, 1, -128, 128, i128::from(i32::MAX), (1 << 64) - 8] {
        all.push(memory(None, None, 1, displacement));
        for base in &wide {
            all.push(memory(Some(*base), None, 1, displacement));
            all.push(memory(Some(*base), Some(Register::R13), 2, displacement));
            all.push(memory(None, Some(*base), 8, displacement));
            all.push(memory(Some(Register::RBP), Some(*base), 4, displacement));
        }
    }
    for displacement in [0, -1, i128::from(i32::MAX)] {
        all.push(memory(Some(Register::RIP), None, 1, displacement));
    }
    all.push(Mem {
        target: Some(target()),
        ..memory(None, None, 1, 0)
    });
    for segment in [Register::FS, Register::GS, Register::CS] {
        all.push(Mem {
            segment: Some(segment),
            ..memory(None, None, 1, -8)
        });
        all.push(Mem {
            segment: Some(segment),
            ..memory(Some(Register::R8), None, 1, 0)
        });
    }
    all.push(memory(Some(Register::EAX), None, 1, 0));
    all
}

fn registers() -> BTreeMap<String, Register> {
    let mut names = BTreeMap::new();
    for register in Register::values() {
        // EIP would need an address-size prefix and reaches nothing that RIP does not.
        if register == Register::None || register == Register::EIP {
            continue;
        }
        let name = format!("{register:?}").to_ascii_lowercase();
        if name.starts_with("dontuse") {
            continue;
        }
        // iced spells the low bytes of the new registers r8l; manuals and assemblers, r8b.
        if let Some(number) = name
            .strip_prefix('r')
            .and_then(|rest| rest.strip_suffix('l'))
        {
            names.insert(format!("r{number}b"), register);
        }
        names.insert(name, register);
    }
    names
}

/// iced's own names first; the other spellings hide those of the same letters.
fn spellings(index: &BTreeMap<String, Vec<Code>>) -> BTreeMap<String, (String, Option<u8>)> {
    let mut spellings = BTreeMap::new();
    let mut add = |written: String, name: &str, implied: Option<u8>| {
        if index.contains_key(name) {
            spellings.insert(written, (name.to_owned(), implied));
        }
    };
    for name in index.keys() {
        add(name.clone(), name, None);
    }
    // `cmpltsd` is `cmpsd` with the predicate as its last operand, `vcmpltsd` likewise.
    for lanes in ["ps", "pd", "ss", "sd", "ph", "sh"] {
        for (number, predicate) in (0u8..).zip(PREDICATES) {
            if number < LEGACY_PREDICATES {
                let name = format!("cmp{lanes}");
                add(format!("cmp{predicate}{lanes}"), &name, Some(number));
            }
            let name = format!("vcmp{lanes}");
            add(format!("vcmp{predicate}{lanes}"), &name, Some(number));
        }
    }
    for prefix in ["cmov", "set", "j"] {
        for (alias, name) in CONDITIONS {
            add(format!("{prefix}{alias}"), &format!("{prefix}{name}"), None);
        }
    }
    // Where a name is also that of an instruction without the immediate, that one is meant.
    let mut add_new = |written: String, name: &str, implied: u8| {
        if !index.contains_key(&written) {
            add(written, name, Some(implied));
        }
    };
    for lanes in ["b", "ub", "w", "uw", "d", "ud", "q", "uq"] {
        for (number, predicate) in (0u8..).zip(INTEGER_PREDICATES) {
            add_new(
                format!("vpcmp{predicate}{lanes}"),
                &format!("vpcmp{lanes}"),
                number,
            );
        }
    }
    for (halves, implied) in [
        ("lqlq", 0x00),
        ("hqlq", 0x01),
        ("lqhq", 0x10),
        ("hqhq", 0x11),
    ] {
        for name in ["pclmulqdq", "vpclmulqdq"] {
            let written = name.replace("qdq", &format!("{halves}dq"));
            add_new(written, name, implied);
        }
    }
    for (one, other) in CONDITIONS {
        // Intel has one of the two names, and listings the other.
        add(format!("cmp{one}xadd"), &format!("cmp{other}xadd"), None);
        add(format!("cmp{other}xadd"), &format!("cmp{one}xadd"), None);
    }
    for (alias, name) in ALIASES {
        add(alias.to_owned(), name, None);
    }
    spellings
}

/// Forms that fit by kind but mean something else, or that another spelling asks for.
fn rule(code: Code, name: &str, info: &OpCodeInfo) -> Rule {
    let is_word = info.operand_size() == 16;
    match name {
        "mov" if info.op_kinds().contains(&Kind::mem_offs) => Rule::OffsetMov,
        "mov" if info.op_kinds().contains(&Kind::imm64) => Rule::WideMov,
        "mov" => Rule::Mov,
        "xchg" if code == Code::Xchg_r32_EAX => Rule::ExchangeEax,
        "push" | "pop" | "ret" | "enter" | "leave" | "pushf" | "popf" if is_word => Rule::Word,
        // Refused before any form is looked at; a list of forms must not show them.
        "call" | "jmp" | "bswap" if is_word => Rule::Never,
        "fldenv" | "fnstenv" | "fstenv" | "fnsave" | "fsave" | "frstor" if is_word => Rule::Never,
        _ => Rule::None,
    }
}

fn is_usable(code: Code, info: &OpCodeInfo) -> bool {
    info.is_instruction()
        && info.mode64()
        && info.encoding() != EncodingKind::MVEX
        // iced 1.22 drops the REX prefix of 3DNow, and no CPU since 2011 has it.
        && info.encoding() != EncodingKind::D3NOW
        && !info.is_reserved_nop()
        // Knights Corner's VEX codes are shorter than the real ones and fault everywhere else.
        && !format!("{code:?}").starts_with("VEX_KNC_")
        && !matches!(info.memory_size(), MemorySize::SegPtr16 | MemorySize::SegPtr32 | MemorySize::SegPtr64)
        && !info.op_kinds().iter().any(|kind| is_foreign(*kind))
}

/// Far branches, and near ones whose 16-bit or 32-bit target AMD and Intel read differently.
fn is_foreign(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::farbr2_2
            | Kind::farbr4_2
            | Kind::br16_1
            | Kind::br16_2
            | Kind::br32_1
            | Kind::br32_4
            | Kind::xbegin_2
            | Kind::brdisp_2
            | Kind::brdisp_4
    )
}

#[rustfmt::skip]
const ALIASES: [(&str, &str); 10] = [
    ("movabs", "mov"),   ("sal",    "shl"),    ("pushf",  "pushfq"),
    ("popf",   "popfq"), ("loopz",  "loope"),  ("loopnz", "loopne"),
    ("retn",   "ret"),   ("xlat",   "xlatb"),  ("fwait",  "wait"),
    ("iret",   "iretd"),
];

#[rustfmt::skip]
const CONDITIONS: [(&str, &str); 14] = [
    ("z",   "e"),  ("nz",  "ne"), ("c",   "b"),  ("nae", "b"),  ("nc",  "ae"),
    ("nb",  "ae"), ("na",  "be"), ("nbe", "a"),  ("nge", "l"),  ("nl",  "ge"),
    ("ng",  "le"), ("nle", "g"),  ("pe",  "p"),  ("po",  "np"),
];

/// How many of the predicates the legacy encodings know.
const LEGACY_PREDICATES: u8 = 8;

/// Predicates of the vector comparisons.
#[rustfmt::skip]
const PREDICATES: [&str; 32] = [
    "eq",    "lt",     "le",     "unord",   "neq",    "nlt",    "nle",    "ord",
    "eq_uq", "nge",    "ngt",    "false",   "neq_oq", "ge",     "gt",     "true",
    "eq_os", "lt_oq",  "le_oq",  "unord_s", "neq_us", "nlt_uq", "nle_uq", "ord_s",
    "eq_us", "nge_uq", "ngt_uq", "false_os", "neq_os", "ge_oq", "gt_oq",  "true_us",
];

/// Predicates of the AVX-512 comparisons of integers.
const INTEGER_PREDICATES: [&str; 8] = ["eq", "lt", "le", "false", "neq", "nlt", "nle", "true"];
