//! What the parameters with a meaning of their own may be, in headers and on the command line alike.
//!
//! Correct means: a value that passes here is one that the walk, the heap and the linker can take.

use std::collections::BTreeMap;

use super::{Cold, Header, MAX_WORK, Order, Param, Value, Work};
use crate::go::{HeapKind, MAX_OBJECTS, Release};

/// Most dynamic types of a scenario: 100,000 rounded up to a power of two.
pub const MAX_TYPES: i64 = 131_072;
/// Most branches of a template that are studied: each has two images of its own.
pub const MAX_SITES: usize = 16;
/// Largest and smallest distance between function starts: a page of 64 KiB, and the alignment Go 1.10 used.
pub const SPACING: (i64, i64) = (16, 65_536);

/// Names that the expansion gives a meaning, so that no parameter can have them.
pub const TAKEN: [&str; 8] = [
    "abi",
    "go_minor",
    "hash",
    "jump_table",
    "site_cache",
    "methods",
    "range",
    "types",
];

/// Parameters that only make sense where there are receivers to visit.
const NEED_A_HEAP: [&str; 7] = [
    "indexed", "objects", "order", "receiver", "stride", "targets", "work",
];

/// Parameters whose values are whole numbers or texts.
pub(crate) const MIXED: [&str; 2] = ["align", "work"];

/// All parameters of a template: those its header declares, and those it has anyway.
pub fn all(header: &Header) -> BTreeMap<String, Param> {
    let anything = |default: Value| Param {
        default,
        allowed: Vec::new(),
        range: None,
    };
    let choice = |values: Vec<Value>| Param {
        default: values[0].clone(),
        allowed: values,
        range: None,
    };
    let text = |value: &str| Value::Text(value.to_string());
    let mut params = BTreeMap::from([
        ("align".to_string(), anything(text("auto"))),
        (
            "cold".to_string(),
            choice(Cold::ALL.map(|one| text(one.name())).to_vec()),
        ),
        ("spacing".to_string(), anything(Value::Int(64))),
    ]);
    if header.heap != HeapKind::None {
        params.extend([
            (
                "indexed".to_string(),
                choice(vec![Value::Bool(false), Value::Bool(true)]),
            ),
            ("objects".to_string(), anything(Value::Int(1))),
            ("order".to_string(), anything(text("same"))),
            (
                "receiver".to_string(),
                choice(vec![text("given"), text("nil")]),
            ),
            (
                "recover".to_string(),
                choice(vec![Value::Bool(false), Value::Bool(true)]),
            ),
            ("stride".to_string(), anything(Value::Int(1))),
            ("work".to_string(), anything(Value::Int(0))),
        ]);
    }
    params.extend(
        header
            .params
            .iter()
            .map(|(name, param)| (name.clone(), param.clone())),
    );
    params
}

/// Whether a template over `heap` can declare a parameter of this name.
///
/// # Errors
/// One sentence that says why not.
pub(super) fn check_name(name: &str, heap: HeapKind) -> Result<(), String> {
    let first_is_letter = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !first_is_letter
        || !name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        return Err(format!(
            "`{name}` is no name for a parameter: lower-case letters, digits and `_`, a letter first"
        ));
    }
    if TAKEN.contains(&name) {
        return Err(format!("`{name}` already means something in an expansion"));
    }
    if heap == HeapKind::None && NEED_A_HEAP.contains(&name) {
        return Err(format!(
            "`{name}` is about receivers, and a template without a heap has none"
        ));
    }
    Ok(())
}

/// Whether `value` is one that the parameter `name` can have, as far as the name has a meaning of its own.
///
/// # Errors
/// One sentence that says what is expected.
pub(crate) fn check_value(name: &str, value: &Value) -> Result<(), String> {
    match (name, value) {
        ("targets" | "cases", value) => whole_number(name, value, 1, MAX_TYPES),
        ("objects" | "stride", value) => whole_number(name, value, 1, MAX_OBJECTS),
        ("spacing", Value::Int(number)) if !(*number as u64).is_power_of_two() => Err(format!(
            "`spacing` is a power of two from {} to {}, not {number}",
            SPACING.0, SPACING.1
        )),
        ("spacing", value) => whole_number(name, value, SPACING.0, SPACING.1),
        ("order", Value::Text(order)) => order.parse::<Order>().map(drop),
        ("order", _) => {
            Err("`order` is same, cyclic, random, sorted, runs:N or hot:P, in quotes".to_string())
        }
        ("align", Value::Text(text)) if text == "auto" => Ok(()),
        ("align", Value::Int(0..=63)) => Ok(()),
        ("align", value) => Err(format!(
            "`align` is auto or a whole number from 0 to 63, not `{value}`"
        )),
        ("work", Value::Text(work)) => work.parse::<Work>().map(drop),
        ("work", Value::Int(number)) if (0..=i64::from(MAX_WORK)).contains(number) => Ok(()),
        ("work", value) => Err(format!(
            "`work` is N or N:dependent with N from 0 to {MAX_WORK}, not `{value}`"
        )),
        ("cold", value) => one_of(name, value, &Cold::ALL.map(Cold::name)),
        ("receiver", value) => one_of(name, value, &["given", "nil"]),
        ("hit", value) => one_of(name, value, &["first", "last", "default", "order"]),
        ("indexed" | "recover" | "panics", Value::Bool(_)) => Ok(()),
        ("indexed" | "recover" | "panics", value) => {
            Err(format!("`{name}` is true or false, not `{value}`"))
        }
        ("go", Value::Text(release)) => release.parse::<Release>().map(drop),
        ("go", value) => Err(format!(
            "`go` is a release in quotes, such as \"1.27\", not `{value}`"
        )),
        (_, Value::Text(text)) if !fits_a_name(text) => Err(format!(
            "`{text}` cannot stand in a scenario's name: no blanks and none of `,` `=` `[` `]`"
        )),
        _ => Ok(()),
    }
}

/// The value by which a name knows it, where there are several ways to write it.
pub(crate) fn canonical(name: &str, value: Value) -> Value {
    match (name, &value) {
        ("order", Value::Text(text)) => match text.parse() {
            Ok(Order::Recorded) | Err(_) => value,
            Ok(order) => Value::Text(order.to_string()),
        },
        ("work", Value::Text(text)) => match text.parse::<Work>() {
            Ok(work) if !work.is_dependent => Value::Int(i64::from(work.count)),
            Ok(work) => Value::Text(work.to_string()),
            Err(_) => value,
        },
        _ => value,
    }
}

fn whole_number(name: &str, value: &Value, low: i64, high: i64) -> Result<(), String> {
    match value {
        Value::Int(number) if (low..=high).contains(number) => Ok(()),
        _ => Err(format!(
            "`{name}` is a whole number from {low} to {high}, not `{value}`"
        )),
    }
}

fn one_of(name: &str, value: &Value, allowed: &[&str]) -> Result<(), String> {
    match value {
        Value::Text(text) if allowed.contains(&text.as_str()) => Ok(()),
        _ => Err(format!(
            "`{name}` is one of {}, not `{value}`",
            allowed.join(", ")
        )),
    }
}

/// Whether a text survives in `name[key=text]`.
fn fits_a_name(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || ",=[]".contains(c))
}
