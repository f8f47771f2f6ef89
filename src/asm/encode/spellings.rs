//! What the mnemonics that people write stand for, beside iced's own names.
//!
//! Correct means: a spelling means what manuals and other assemblers mean by it, and one that iced
//! has itself is never hidden by one that implies an immediate.

use std::collections::{BTreeMap, HashMap};

/// Every spelling with iced's name for it, a key of `known`, and the immediate that it implies.
///
/// iced's own names first; the other spellings hide those of the same letters.
pub(in crate::asm) fn spellings<T>(
    known: &BTreeMap<String, T>,
) -> HashMap<String, (&str, Option<u8>)> {
    let mut spellings: HashMap<_, _> = known
        .keys()
        .map(|name| (name.clone(), (name.as_str(), None)))
        .collect();
    let mut add = |written: String, name: &str, implied: Option<u8>| {
        if let Some((name, _)) = known.get_key_value(name) {
            spellings.insert(written, (name.as_str(), implied));
        }
    };
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
    for lanes in ["ps", "pd", "ss", "sd", "ph", "sh"] {
        for (predicate, number) in LONG_PREDICATES {
            add(
                format!("vcmp{predicate}{lanes}"),
                &format!("vcmp{lanes}"),
                Some(number),
            );
        }
    }
    for prefix in ["cmov", "set", "j"] {
        for (alias, name) in CONDITIONS {
            add(format!("{prefix}{alias}"), &format!("{prefix}{name}"), None);
        }
    }
    // Where a name is also that of an instruction without the immediate, that one is meant.
    let mut add_new = |written: String, name: &str, implied: u8| {
        if !known.contains_key(&written) {
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
    // AMD's comparisons of integers have their predicates in another order.
    for lanes in ["b", "ub", "w", "uw", "d", "ud", "q", "uq"] {
        for (number, predicate) in (0u8..).zip(XOP_PREDICATES) {
            add_new(
                format!("vpcom{predicate}{lanes}"),
                &format!("vpcom{lanes}"),
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
    // NASM has two names for each order of operands.
    for kind in [
        "vfmadd",
        "vfmsub",
        "vfnmadd",
        "vfnmsub",
        "vfmaddsub",
        "vfmsubadd",
    ] {
        for (other, order) in [("123", "213"), ("312", "132"), ("321", "231")] {
            for lanes in ["ps", "pd", "ss", "sd"] {
                add(
                    format!("{kind}{other}{lanes}"),
                    &format!("{kind}{order}{lanes}"),
                    None,
                );
            }
        }
    }
    for (alias, name) in ALIASES {
        add(alias.to_owned(), name, None);
    }
    spellings
}

#[rustfmt::skip]
const ALIASES: [(&str, &str); 20] = [
    ("movabs", "mov"),   ("sal",    "shl"),    ("pushf",  "pushfq"),
    ("popf",   "popfq"), ("loopz",  "loope"),  ("loopnz", "loopne"),
    ("retn",   "ret"),   ("xlat",   "xlatb"),  ("fwait",  "wait"),
    ("iret",   "iretd"), ("retfd",  "retf"),  ("lret",   "retf"),
    ("lretl",  "retf"),  ("lretw",  "retfw"), ("lretq",  "retfq"),
    ("retq",   "ret"),   ("retnq",  "ret"),   ("retnw",  "retw"),
    ("int03",  "int3"),  ("int01",  "int1"),
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

/// Names of predicates that say how they treat what is no number, where the short name does not.
#[rustfmt::skip]
const LONG_PREDICATES: [(&str, u8); 16] = [
    ("eq_oq", 0),  ("lt_os", 1),  ("le_os", 2),  ("unord_q", 3),   ("neq_uq", 4),  ("nlt_us", 5),  ("nle_us", 6),  ("ord_q", 7),
    ("nge_us", 9), ("ngt_us", 10), ("false_oq", 11), ("ge_os", 13), ("gt_os", 14), ("true_uq", 15), ("eq_uq", 8), ("neq_oq", 12),
];

/// Predicates of the AVX-512 comparisons of integers.
const INTEGER_PREDICATES: [&str; 8] = ["eq", "lt", "le", "false", "neq", "nlt", "nle", "true"];

/// Predicates of XOP's comparisons of integers.
const XOP_PREDICATES: [&str; 8] = ["lt", "le", "gt", "ge", "eq", "neq", "false", "true"];
