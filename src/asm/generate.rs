//! The text of `table.rs`, from what iced says: the slow twin of every look-up.
//!
//! Correct means: `table.rs` is this text. After a change of the rules here, or of iced,
//! `BLESS=1 cargo test --lib asm::generate` writes it anew.

use std::collections::BTreeMap;

use iced_x86::{Code, EncodingKind, MemorySize, OpCodeInfo, OpCodeOperandKind as Kind, Register};

use super::emit::{Coder, through_iced};
use super::fit::tests::tried_sorts;
use super::forms::{self, Form, Rule, form};
use super::inst::{Decor, Inst, Mem, Name, Operand, OperandKind, Reach, Target};
use super::plan::{self, Place, place};
use super::problem::Span;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/asm/table.rs");

const HEAD: &str = "\
//! Every form, spelling and register of iced's tables that a template can name.
//!
//! Correct means: this file is what `generate.rs` writes; its tests compare the two, and
//! `BLESS=1 cargo test --lib asm::generate` writes it anew.

use iced_x86::{Code as C, OpCodeOperandKind as K, Register as R};

use super::fit::Sorts;
use super::forms::Rule::{self, *};
use super::forms::traits::*;
use super::forms::{Form, Spelling, form, plan, spelling};

const NO: Option<super::forms::Plan> = Option::None;
";

#[test]
fn the_table_says_what_iced_says() {
    let text = table();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(FILE, &text).expect("the table can be written");
    }
    let known = std::fs::read_to_string(FILE).expect("the table is there");
    let differs = known.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert_eq!(differs, None, "BLESS=1 writes the table anew");
    assert_eq!(known.len(), text.len());
}

fn table() -> String {
    let index = index();
    let mut text = String::from(HEAD);
    let kinds: Vec<Kind> = Kind::values().collect();
    let mut put = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    put(format!(
        "\n/// The sorts of operands that each kind takes.\npub(super) const KIND_SORTS: [Sorts; {}] = [",
        kinds.len()
    ));
    for kind in kinds {
        put(format!("    {:#x}, // {kind:?}", tried_sorts(kind)));
    }
    put("];".into());

    put("\n/// The forms by iced's mnemonic; those of one mnemonic in iced's order.\n#[rustfmt::skip]".into());
    put(format!(
        "pub(super) static FORMS: [Form; {}] = [",
        index.values().map(Vec::len).sum::<usize>()
    ));
    let mut first = BTreeMap::new();
    let mut count = 0;
    for (name, codes) in &index {
        first.insert(name.clone(), (count, codes.len()));
        count += codes.len();
        for code in codes {
            put(format!("    {},", row(*code, name)));
        }
    }
    put("];".into());

    let spellings = spellings(&index);
    put(
        "\n/// The spellings of mnemonics, in the order of their letters.\n#[rustfmt::skip]".into(),
    );
    put(format!(
        "pub(super) const SPELLINGS: [Spelling; {}] = [",
        spellings.len()
    ));
    for (written, (name, implied)) in &spellings {
        let (first, count) = first[name];
        let implied = implied.map_or("Option::None".to_owned(), |number| {
            format!("Some({number})")
        });
        put(format!(
            "    spelling({written:?}, {name:?}, {first}, {count}, {implied}),"
        ));
    }
    put("];".into());

    let registers = registers();
    put("\n/// The registers that 64-bit code can name, in the order of their letters.\n#[rustfmt::skip]".into());
    put(format!(
        "pub(super) const REGISTERS: [(&str, R); {}] = [",
        registers.len()
    ));
    for (name, register) in &registers {
        put(format!("    ({name:?}, R::{register:?}),"));
    }
    put("];".into());
    text
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

fn row(code: Code, name: &str) -> String {
    let info = code.op_code();
    let kinds = info.op_kinds().iter().map(|kind| format!("K::{kind:?}"));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let bits = |size: MemorySize| 8 * size.size();
    let element = if info.can_broadcast() {
        bits(info.broadcast_memory_size())
    } else {
        0
    };
    let memory = bits(info.memory_size());
    let rule = match rule(code, name, info) {
        Rule::None => "Rule::None".to_owned(),
        rule => format!("{rule:?}"),
    };
    let plan = plan_of(code).map_or("NO".to_owned(), |plan| {
        let bytes: Vec<String> = plan
            .opcode
            .iter()
            .map(|byte| format!("{byte:#04x}"))
            .collect();
        let wide = u8::from(plan.is_wide);
        format!(
            "plan({:#04x}, {wide}, &[{}], {})",
            plan.prefix,
            bytes.join(", "),
            plan.digit
        )
    });
    format!(
        "form(C::{code:?}, &[{kinds}], ({memory}, {element}), {rule}, {}, {plan})",
        traits(info)
    )
}

fn traits(info: &OpCodeInfo) -> String {
    let traits = [
        ("LOCK", info.can_use_lock_prefix()),
        ("REP", info.can_use_rep_prefix()),
        ("REPNE", info.can_use_repne_prefix()),
        ("NOTRACK", info.can_use_notrack_prefix()),
        ("BND", info.can_use_bnd_prefix()),
        ("MASK", info.can_use_op_mask_register()),
        ("NEEDS_MASK", info.require_op_mask_register()),
        ("ZEROING", info.can_use_zeroing_masking()),
        ("ROUNDING", info.can_use_rounding_control()),
        ("EXACT", info.can_suppress_all_exceptions()),
        ("EVEX", info.encoding() == EncodingKind::EVEX),
    ];
    let names: Vec<&str> = traits
        .into_iter()
        .filter(|(_, is)| *is)
        .map(|(name, _)| name)
        .collect();
    if names.is_empty() {
        "0".to_owned()
    } else {
        names.join(" | ")
    }
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
    let form = form(code, kinds, (0, 0), Rule::None, 0, None);
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
    for (name, _) in &spellings {
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
        planned > 30_000 && planned > 2 * refused,
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
            rows * 3
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
    for displacement in [
        0,
        1,
        -128,
        127,
        128,
        i128::from(i32::MAX),
        i128::from(i32::MIN),
        (1 << 64) - 8,
    ] {
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
        "push" | "pop" | "call" | "jmp" | "ret" | "enter" | "leave" | "pushf" | "popf"
            if is_word =>
        {
            Rule::Word
        }
        "fldenv" | "fnstenv" | "fnsave" | "frstor" if is_word => Rule::Never,
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
