//! What Go's runtime does beside what is modelled of it here, function by function.
//!
//! Correct means: a function stands here if and only if the column "in Go beside" of docs/go-runtime.md has
//! something for it; a number is one that was counted in Go, and has its source.

/// What a function does in Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InGo {
    /// It executes so many instructions.
    Instructions(&'static str),
    /// It does this too, or this instead.
    Beside(&'static str),
}

const PANICS: InGo =
    InGo::Beside("Go's makes an error, runs deferred functions and unwinds frames");
const SIGNALS: InGo = InGo::Beside(
    "Go's handler of the signal looks at more, and the panic runs deferred functions and unwinds frames",
);
const GROWS: InGo = InGo::Beside("Go's copies the stack to one of twice the size");
const FILLS: InGo =
    InGo::Beside("Go's allocates each new cache, and the collector takes the old ones");
/// Single-stepped in Go 1.27: 10,736 instructions from `newstack` to the end of `gogo` for 2 KiB with 13 frames, 9,686 of
/// them in the walk through those.
const UNWINDS: InGo = InGo::Beside(
    "Go's finds what a frame holds in tables of the linker, some 700 instructions a frame",
);
const CACHES: InGo = InGo::Beside("Go's fills its cache of stacks, and empties it");
/// A first assertion, single-stepped in Go 1.19, 1.21 and 1.27: 938 to 1,013 instructions for one method, 2,360 to
/// 2,436 for three, 5,876 to 5,950 for eight.
const MERGES: InGo = InGo::Beside("Go's takes some 700 instructions a method");
const SEEKS: InGo = InGo::Beside("Go's goes from module to module, and looks for a type in a map");
const LOCKS: InGo =
    InGo::Beside("Go's counts what its thread has locked, and waits where another has the lock");
const FLUSHES: InGo = InGo::Beside("Go's hands its full buffer to the collector");
const COPIES: InGo = InGo::Beside(
    "Go's has cases up to 256 bytes, then `rep movs`, and tells old values to the collector",
);

/// The instructions that Go 1.10, 1.19 and 1.27 take, single-stepped: for four bytes Go 1.27 takes 98 in three calls of
/// four and 156 to 248 in the fourth.
const ALLOCATES: InGo = InGo::Instructions("80 to 200");

/// Without `runtime.`.
#[rustfmt::skip] // a table: one function a line
const ALL: [(&str, InGo); 29] = [
    ("memmove",                   COPIES),
    ("typedmemmove",              COPIES),
    ("additab",                   MERGES),
    ("(*itab).init",              MERGES),
    ("itabInit",                  MERGES),
    ("itabAdd",                   InGo::Beside("Go's doubles a table that is three quarters full")),
    ("persistentalloc",           InGo::Beside("Go's runs on the thread's own stack, and asks the system for more")),
    ("resolveNameOff",            SEEKS),
    ("resolveTypeOff",            SEEKS),
    ("(*_type).textOff",          SEEKS),
    ("rtype.textOff",             SEEKS),
    ("lock",                      LOCKS),
    ("lock2",                     LOCKS),
    ("unlock",                    LOCKS),
    ("unlock2",                   LOCKS),
    ("memeqbody",                 InGo::Beside("Go's compares up to 64 bytes at a time")),
    ("typeAssert",                FILLS),
    ("interfaceSwitch",           FILLS),
    ("buildTypeAssertCache",      FILLS),
    ("buildInterfaceSwitchCache", FILLS),
    ("cheaprand",                 InGo::Beside("Go's begins with a random state")),
    ("newstack",                  InGo::Beside("Go's looks whether it is to be preempted, and changes the goroutine's status")),
    ("copystack",                 UNWINDS),
    ("adjustframe",               UNWINDS),
    ("stackalloc",                CACHES),
    ("stackfree",                 CACHES),
    ("morestack",                 GROWS),
    ("morestack_noctxt",          GROWS),
    ("sigpanic",                  SIGNALS),
];

/// What a function of the runtime does in Go, where that is more than what is modelled; `name` is its symbol.
pub fn in_go(name: &str) -> Option<InGo> {
    let name = name.strip_prefix("runtime.")?;
    if name.starts_with("mallocgc") {
        return Some(ALLOCATES);
    }
    if name.starts_with("gcWriteBarrier") {
        return Some(FLUSHES);
    }
    if name.starts_with("panic") || name.starts_with("goPanic") || name == "gopanic" {
        return Some(PANICS);
    }
    let known = ALL.iter().find(|(function, _)| *function == name);
    known.map(|(_, in_go)| *in_go)
}

/// Beginnings of names of the runtime's functions that are not modelled, and what they would take.
const REFUSED: [(&[&str], &str); 6] = [
    (&["map", "makemap"], "Go's maps are not modelled"),
    (
        &["print"],
        "nothing prints here, for no system call of generated code is carried out",
    ),
    (
        &["defer", "gorecover"],
        "deferred functions are not modelled",
    ),
    (
        &[
            "chan",
            "makechan",
            "closechan",
            "select",
            "block",
            "newproc",
            "Gosched",
        ],
        "channels and goroutines are not modelled",
    ),
    (
        &["makeslice", "growslice", "slicecopy"],
        "slices that are made at run time are not modelled",
    ),
    (
        &[
            "concatstring",
            "concatbyte",
            "slicebyteto",
            "stringto",
            "intstring",
            "slicerune",
        ],
        "texts that are made at run time are not modelled",
    ),
];

/// Why a function of the runtime is not modelled, where that is known; `name` is its symbol.
pub fn why_not(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("runtime.")?;
    let mut all = REFUSED.iter();
    let (_, why) = all.find(|(begins, _)| begins.iter().any(|begin| name.starts_with(begin)))?;
    Some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_in_go_is_not_named() {
        assert_eq!(
            in_go("runtime.mallocgc"),
            Some(InGo::Instructions("80 to 200"))
        );
        assert_eq!(in_go("runtime.panicwrap"), Some(PANICS));
        for same in [
            "runtime.convT32",
            "runtime.assertE2I",
            "main.mallocgc",
            "mallocgc",
        ] {
            assert_eq!(in_go(same), None, "{same}");
        }
    }
}
