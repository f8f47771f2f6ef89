//! Rules that tie the header's keys to each other.
//!
//! Correct means: a header that passes states a result wherever one can be stated, and nothing that
//! its heap cannot give.

use crate::go::HeapKind;
use crate::template::{Clobbers, Expect, Header, ResultRegister};

/// Registers of the harness where the body may not clobber all.
const HARNESS: [u8; 4] = [12, 13, 14, 15];

/// Calls `complain` with the key, the message and the help of every rule that `header` breaks.
pub(super) fn check(header: &Header, complain: &mut dyn FnMut(&str, String, String)) {
    let no_heap = header.heap == HeapKind::None;
    let uses_type = matches!(header.expect, Some(Expect::Type | Expect::IdPlusType));
    if let Some(many) = ["targets", "cases"]
        .into_iter()
        .find(|&key| header.params.contains_key(key) && !no_heap)
    {
        if !uses_type {
            complain(
                if header.expect.is_some() { "expect" } else { "params" },
                format!("a template with `{many}` has to tell its types apart"),
                "add `result = \"eax\"` and `expect = \"id+type\"`, so that a call that lands in the wrong type is noticed".to_string(),
            );
        }
        if !header.types.contains("{t}") {
            complain(
                if header.types == "main.T" {
                    "params"
                } else {
                    "types"
                },
                format!(
                    "a template with `{many}` has several types, and all would be called `{}`",
                    header.types
                ),
                "put the type's number into the name: `types = \"main.T{t}\"`".to_string(),
            );
        }
    }
    if header.params.contains_key("targets") && header.params.contains_key("cases") {
        let help = "keep one of them".to_string();
        complain(
            "params",
            "`targets` and `cases` both set the number of types".to_string(),
            help,
        );
    }
    if header.params.contains_key("hit") && !header.params.contains_key("cases") {
        let help = "declare `cases` too".to_string();
        complain(
            "params",
            "`hit` says which of the `cases` are visited".to_string(),
            help,
        );
    }
    if header.expect.is_some() && header.result.is_none() {
        let help = "add `result = \"eax\"`, or wherever the result is".to_string();
        complain(
            "expect",
            "`expect` without `result`: nothing says where the result is".to_string(),
            help,
        );
    }
    if no_heap && !matches!(header.expect, None | Some(Expect::Constant(_))) {
        let help = "expect a number, or name a heap".to_string();
        complain(
            "expect",
            "a template without a heap has no receiver with an id or a type".to_string(),
            help,
        );
    }
    if let (Some(ResultRegister { bits, .. }), Some(Expect::Constant(number))) =
        (header.result, header.expect)
        && bits < 64
        && number >> bits != 0
    {
        let help = format!(
            "expect at most {:#x}, or widen the register",
            (1u64 << bits) - 1
        );
        complain(
            "expect",
            format!("{number:#x} does not fit the {bits} bits of `result`"),
            help,
        );
    }
    if let Some(register) = header.result
        && header.clobbers == Clobbers::Some
        && HARNESS.contains(&register.number)
    {
        let help = "use eax, or add `clobbers = \"all\"`".to_string();
        complain(
            "result",
            "the harness keeps its own state in that register".to_string(),
            help,
        );
    }
    if header.unroll > 1 && !no_heap {
        let help = "remove it: a receiver is loaded for each body".to_string();
        complain(
            "unroll",
            "`unroll` works only without a heap".to_string(),
            help,
        );
    }
    if header.types.is_empty() || header.types.contains([' ', '"', ',']) {
        let help = "such as `types = \"main.T{t}\"`".to_string();
        complain(
            "types",
            format!("`{}` is no name for a Go type", header.types),
            help,
        );
    }
}
