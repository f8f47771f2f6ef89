//! Why a row has other instructions, or takes another time, than what a Go compiler makes of Go.
//!
//! Correct means: a cause is given only where what was counted shows it, so that a difference nobody
//! has looked into stays without one.

use super::agreement::Row;

/// Why a row differs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Runtime,
    Result,
    Jump,
    Register,
    Loop,
    Frames,
    Place,
}

impl Cause {
    /// All, in the order in which they are explained.
    pub(crate) const ALL: [Cause; 7] = [
        Cause::Runtime,
        Cause::Result,
        Cause::Jump,
        Cause::Register,
        Cause::Loop,
        Cause::Frames,
        Cause::Place,
    ];

    /// The word for it in a table.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Cause::Runtime => "runtime",
            Cause::Result => "result",
            Cause::Jump => "jump",
            Cause::Register => "register",
            Cause::Loop => "loop",
            Cause::Frames => "frames",
            Cause::Place => "place",
        }
    }

    /// What the word stands for.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Cause::Runtime => {
                "a function of Go's runtime is modelled without part of what it does: the allocator without size \
                 classes and collector, the look-up of itabs without two checks of its arguments"
            }
            Cause::Result => {
                "our row follows what was made or found to prove its result, one to four instructions that Go's \
                 kernel has no need of; some of them pass for instructions of the loop"
            }
            Cause::Jump => {
                "our body ends in one place, to which its cases jump, and then the loop jumps back; Go's compiler \
                 has a case jump to the head of the loop itself, or puts the likely way first, and takes a branch \
                 less"
            }
            Cause::Register => {
                "Go's compiler keeps the type in the register of the itab, where nothing else needs the itab, \
                 and saves the jump around a nil interface"
            }
            Cause::Loop => {
                "no branch is taken but the loop's, so that the time is what the core needs for the instructions, \
                 and most of these are of the two loops"
            }
            Cause::Frames => {
                "our loop steps the stack pointer from frame to frame, in two additions that wait for those of a callee \
                 with a frame, and the other way round; Go's loop leaves it where it is"
            }
            Cause::Place => {
                "several branches are taken, and each costs a cycle more or less by where it stands, as the ranges of other rows \
                 show; here neither side had both at any of its 16 places, and the two are no further apart than that"
            }
        }
    }
}

/// What a row's instructions may differ in, and by how many kinds of instructions of ours at most.
const INSTRUCTIONS: [(&str, Cause, usize); 17] = [
    ("convert_scalar[value=large]", Cause::Runtime, usize::MAX),
    // Where the value is in memory Go 1.27 loads the one byte, and has no need of the row's second step.
    ("convert_scalar[bits=8]", Cause::Result, 2),
    ("convert_scalar", Cause::Result, 1),
    ("convert_value", Cause::Runtime, usize::MAX),
    ("convert_static", Cause::Result, 1),
    ("convert_pointer", Cause::Result, 1),
    ("iface_create", Cause::Result, 1),
    ("write_barrier", Cause::Result, 1),
    ("convert_zero", Cause::Result, 3),
    ("iface_to_eface", Cause::Register, 3),
    ("assert_eface[form=miss-ok]", Cause::Result, 4),
    ("assert_iface[form=miss-ok]", Cause::Result, 4),
    // A hit jumps to the head of the loop, so that it is taken and the loop's own jump is not.
    ("assert_eface", Cause::Jump, 1),
    ("assert_iface", Cause::Jump, 1),
    ("interface_switch", Cause::Runtime, 6),
    ("assert_to_interface", Cause::Result, 3),
    ("assert_between_interfaces", Cause::Result, 3),
];

/// Why a row's instructions are others.
pub(crate) fn of_instructions(row: &Row) -> Option<Cause> {
    let counted = row.comparison.as_ref()?;
    let (_, cause, most) = INSTRUCTIONS
        .into_iter()
        .find(|(name, ..)| row.scenario.starts_with(name))?;
    match (cause, counted.only_go.is_empty()) {
        _ if counted.only_ours.len() > most => None,
        // Since Go 1.22 it finds the case in the cache of the call site, and calls no other function.
        (_, true) if row.scenario == "interface_switch" => None,
        // The functions that a miss of the cache would call; up to Go 1.21 each assertion does.
        (Cause::Result, false) if row.scenario.starts_with("assert_") => Some(Cause::Runtime),
        (Cause::Result | Cause::Register, false) => None,
        _ => Some(cause),
    }
}

/// Why its time is another.
pub(crate) fn of_times(row: &Row) -> Option<Cause> {
    /// Cycles that our loop's two additions to the stack pointer take at the most.
    const STEP: f64 = 2.0;
    /// Cycles that a place costs a loop that takes several branches: Go's of `add_call` takes 5.0 at some, and 6.0 at most.
    const PLACE: f64 = 1.0;
    let (ours, go) = (row.ours()?, row.go()?);
    let ours_later = ours.median - go.median;
    let gap = (ours.least - go.most).max(go.least - ours.most);
    let counted = row.comparison.as_ref()?;
    match of_instructions(row) {
        None if counted.ours_taken.max(counted.go_taken) < 1.01 => Some(Cause::Loop),
        None if counted.ours_taken > counted.go_taken + 0.5 => Some(Cause::Jump),
        None if counted.stack_moves > 0.0 && (0.0..=STEP).contains(&ours_later) => {
            Some(Cause::Frames)
        }
        None if row.has_all_layouts()
            && counted.go_taken.min(counted.ours_taken) > 1.5
            && gap <= PLACE =>
        {
            Some(Cause::Place)
        }
        other => other,
    }
}
