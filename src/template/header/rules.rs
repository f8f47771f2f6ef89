//! Rules that tie the header's keys to each other.
//!
//! Correct means: a header that passes states a result wherever one can be stated, and nothing that
//! its heap cannot give.

use crate::formula::Formula;
use crate::go::HeapKind;
use crate::template::{Clobbers, Header};

/// Registers of the harness where the body may not clobber all.
const HARNESS: [u8; 4] = [12, 13, 14, 15];

/// Calls `complain` with the key, the message and the help of every rule that `header` breaks.
pub(super) fn check(header: &Header, complain: &mut dyn FnMut(&str, String, String)) {
    let no_heap = header.heap == HeapKind::None;
    let uses_type = header.expect.iter().any(Formula::tells_types_apart);
    if let Some(many) = ["targets", "cases"]
        .into_iter()
        .find(|&key| header.params.contains_key(key) && !no_heap)
    {
        if !uses_type {
            complain(
                if header.expect.is_empty() { "params" } else { "expect" },
                format!("a template with `{many}` has to tell its types apart"),
                "add `result = \"eax\"` and `expect = \"id+type\"`, so that a call that lands in the wrong type is noticed".to_string(),
            );
        }
        if let Some(one) = header.types.iter().find(|one| !one.contains("{t}")) {
            complain(
                if one == "main.T" { "params" } else { "types" },
                format!(
                    "a template with `{many}` has several types, and all would be called `{one}`"
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
    results(header, complain);
    receivers(header, complain);
    if header.unroll > 1 && !no_heap {
        let help = "remove it: a receiver is loaded for each body".to_string();
        complain(
            "unroll",
            "`unroll` works only without a heap".to_string(),
            help,
        );
    }
    let is_wrong = |one: &&String| one.is_empty() || one.contains([' ', '"', ',']);
    if let Some(wrong) = header.types.iter().find(is_wrong) {
        let help = "such as `types = \"main.T{t}\"`".to_string();
        complain("types", format!("`{wrong}` is no name for a Go type"), help);
    }
}

/// What holds of `result` and `expect`.
fn results(header: &Header, complain: &mut dyn FnMut(&str, String, String)) {
    let no_heap = header.heap == HeapKind::None;
    if !header.expect.is_empty() && header.results.is_empty() {
        let help = "add `result = \"eax\"`, or wherever the result is".to_string();
        complain(
            "expect",
            "`expect` without `result`: nothing says where the result is".to_string(),
            help,
        );
    } else if !header.expect.is_empty() && header.expect.len() != header.results.len() {
        let (registers, formulas) = (header.results.len(), header.expect.len());
        complain(
            "expect",
            format!("`expect` says what {formulas} results are, and `result` has {registers}"),
            "write a list with one formula for each register".to_string(),
        );
    }
    if no_heap
        && header
            .expect
            .iter()
            .any(|formula| !formula.names().is_empty())
    {
        let help = "expect a number, or name a heap".to_string();
        complain(
            "expect",
            "a template without a heap has no receiver with an id or a type".to_string(),
            help,
        );
    }
    for (register, formula) in header.results.iter().zip(&header.expect) {
        let bits = register.bits;
        if let Formula::Number(number) = formula
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
    }
    let is_the_harness =
        |number: u8| header.clobbers == Clobbers::Some && HARNESS.contains(&number);
    if header
        .results
        .iter()
        .any(|register| is_the_harness(register.number))
    {
        let help = "use eax, or add `clobbers = \"all\"`".to_string();
        complain(
            "result",
            "the harness keeps its own state in that register".to_string(),
            help,
        );
    }
}

/// What holds of the keys that say what an object and a receiver are.
fn receivers(header: &Header, complain: &mut dyn FnMut(&str, String, String)) {
    if header.object.is_some() && matches!(header.heap, HeapKind::None | HeapKind::Func) {
        let help =
            "take it out, or set `heap = \"pointer\"`, `\"iface\"` or `\"eface\"`".to_string();
        complain(
            "object",
            "`object` says what the walk's objects hold, and here are none".to_string(),
            help,
        );
    }
    if !header.words.is_empty() && header.heap != HeapKind::Pointer {
        let help = "set `heap = \"pointer\"`: an interface's words are its own".to_string();
        complain(
            "words",
            "`words` says what the loop loads in place of a pointer".to_string(),
            help,
        );
    }
    let formulas = || header.expect.iter().chain(&header.words);
    if !header.params.contains_key("walks") && formulas().any(Formula::names_the_second_walk) {
        let key = match header.expect.iter().any(Formula::names_the_second_walk) {
            true => "expect",
            false => "words",
        };
        let help = "declare it: `params = { walks = 2 }`".to_string();
        complain(
            key,
            "`second` is of the second walk, and there is one".to_string(),
            help,
        );
    }
    if header.words.len() > 2 {
        let help = "put the rest into the object".to_string();
        complain(
            "words",
            "a receiver has one word or two, in rax and rbx".to_string(),
            help,
        );
    }
    if !header.interfaces.is_empty() && !matches!(header.heap, HeapKind::Iface | HeapKind::Eface) {
        let help = "set `heap = \"iface\"` or `\"eface\"`".to_string();
        complain(
            "interfaces",
            "`interfaces` adds itabs to a heap of interfaces".to_string(),
            help,
        );
    }
}
