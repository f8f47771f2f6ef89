//! Instructions and branches of every tour scenario, against counts made by hand from its listing
//! and against what the same Go program executed, loop aside.

mod common;

use common::{json, rows, value};

/// Scenario, instructions, branches, and the hand count behind them.
///
/// `Go` names what a compiled Go program executed for the same call (Go 1.27, single-stepped; the
/// `wrap` of Go 1.10), without its loop: `+ add` is the type's constant, which that program's
/// methods do not add, `- fun` the two instructions that load the method from the itab, which a
/// direct call does not have.
#[rustfmt::skip] // a table: one scenario a line
const HAND_COUNTS: &[(&str, f64, f64, &str)] = &[
    ("inline",                              2.0, 0.0, "mov add; Go ptrmeth_inl 1 + add"),
    ("direct_call",                         4.0, 2.0, "call | mov add ret; Go func 3 + add"),
    ("ptr_method",                          4.0, 2.0, "call | mov add ret; Go ptrmeth 3 + add"),
    ("value_method",                        4.0, 2.0, "mov call | add ret; Go valmeth 2 + mov + add, the value loaded in front of each call"),
    ("wrapper_call",                       16.0, 6.0, "call | cmp jbe push mov sub test je mov call | add ret | add pop nop ret; Go wrap 17 - fun + add"),
    ("wrapper_call[go=1.26]",              16.0, 6.0, "as 1.27"),
    ("wrapper_call[go=1.25]",              19.0, 7.0, "1.27 - nop + xchg, its own padding, + mov test jne of g._panic"),
    ("wrapper_call[go=1.10]",              27.0, 7.0, "mov call mov | mov cmp jbe sub mov lea mov test jne mov test je mov mov call | mov add mov ret | mov mov mov add ret; Go 1.10 wrap 27 - fun + add"),
    ("itab_call",                           6.0, 2.0, "mov mov call | mov add ret; Go iface 5 + add"),
    ("itab_call[slot=2]",                   6.0, 2.0, "the same, another slot"),
    ("itab_call[targets=2]",                6.0, 2.0, "the same"),
    ("itab_call[order=random,targets=8]",   6.0, 2.0, "the same; Go poly16 5, its receiver loaded straight into rax, + mov"),
    ("itab_call[order=random,targets=64]",  6.0, 2.0, "the same"),
    ("itab_wrapper",                       18.0, 6.0, "mov mov call | the wrapper's 15 without its call in front; Go wrap 17 + add"),
    ("type_switch",                        11.0, 4.0, "test je mov | cmp jne lea cmp jne | mov add jmp; Go tsw2/lo 17 - 6 of the loop, the two loads and the store"),
    ("type_switch[hit=last]",              13.0, 5.0, "first case's cmp jne more; Go tsw2/hi 21 - 6 - nop - lea"),
    ("type_switch[hit=default]",            9.0, 3.0, "test je mov | cmp jne | cmp jne | mov add"),
    ("type_switch[cases=3]",               11.0, 4.0, "the first case again; Go tsw3/lo 17 - 6"),
    ("type_switch[cases=3,hit=last]",      15.0, 6.0, "two more cmp jne; Go tsw3/hi 22 - 6 - lea"),
];

#[test]
fn counts_equal_the_hand_counts() {
    let names: Vec<&str> = HAND_COUNTS.iter().map(|(name, ..)| *name).collect();
    let mut arguments = vec!["run", "--counters", "none"];
    arguments.extend(&names);
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for ((name, instructions, branches, why), (scenario, row)) in
        HAND_COUNTS.iter().zip(rows(&document))
    {
        assert_eq!(scenario, *name);
        assert_eq!(row["status"], "ok", "{row:#}");
        assert_eq!(row["verified"], true, "{name}");
        assert_eq!(row["clobbers"], "all", "{name}");
        assert_eq!(
            value(row, "instructions"),
            *instructions,
            "instructions of {name}: {why}"
        );
        assert_eq!(
            value(row, "branches"),
            *branches,
            "branches of {name}: {why}"
        );
        assert_eq!(row["metrics"]["instructions"]["basis"], "exact");
        assert!(
            row["metrics"]["instructions"].get("stepped").is_none(),
            "{name} is exact for its whole walk"
        );
        assert_eq!(row["metrics"]["cycles"]["basis"], "unsupported");
        assert!(
            row["metrics"]["cycles"]["value"].is_null(),
            "no number where nothing was timed"
        );
    }
}

#[test]
fn a_recovered_nil_panic_is_counted_up_to_the_panic() {
    let (code, document) = json(&[
        "run",
        "wrapper_call[receiver=nil,recover=true]",
        "--counters",
        "none",
    ]);
    assert_eq!(code, 0);
    let (_, row) = rows(&document)[0];
    assert_eq!(row["status"], "panic");
    assert_eq!(
        row["panic"],
        "value method main.Adder.Add called using nil *Adder pointer"
    );
    // call | cmp jbe push mov sub test je call | the modelled panicwrap's mov mov mov mov jmp.
    assert_eq!(value(row, "instructions"), 14.0);
    assert_eq!(value(row, "branches"), 5.0);
}

#[test]
fn the_linear_switch_takes_two_more_instructions_for_each_case() {
    let mut before = None;
    for case in 1..=6u32 {
        let name = format!("type_switch[cases={},hit=last]", case + 1);
        let (_, document) = json(&["run", &name, "--counters", "none"]);
        let (_, row) = rows(&document)[0];
        let now = value(row, "instructions");
        if let Some(before) = before {
            assert_eq!(now, before + 2.0, "{name}");
        }
        before = Some(now);
    }
}
