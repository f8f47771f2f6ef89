//! The parameters with a meaning of their own: one table, in headers and on the command line alike.
//!
//! Correct means: a value that passes here is one that the walk, the heap and the linker can take.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    Cold, Element, Header, MAX_WORK, MOST_AHEAD, MOST_IN_A_BATCH, Order, Param, Value, Walk, Work,
};
use crate::go::{HeapKind, MAX_OBJECTS, Release};

/// Most dynamic types of a scenario: 100,000 rounded up to a power of two.
pub const MAX_TYPES: i64 = 131_072;
/// Most branches of a template that are studied: each has four images of its own.
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

/// A parameter with a meaning of its own: a row of [`OWN`], and where its value is used.
struct Own {
    name: &'static str,
    has: Has,
    /// Whether it is about receivers, so that without a heap no template can declare it.
    needs_a_heap: bool,
    is: Is,
}

/// Which templates have a parameter that they do not declare, and with what default.
#[derive(Clone, Copy)]
enum Has {
    /// All.
    All(&'static str),
    /// Those with a heap.
    Heaps(&'static str),
    /// None.
    None,
}

/// What a value may be.
#[derive(Clone, Copy)]
enum Is {
    Whole(i64, i64),
    PowerOfTwo(i64, i64),
    OneOf(&'static [&'static str]),
    Flag,
    Order,
    Align,
    Work,
    Release,
}

#[rustfmt::skip] // a table: one parameter a line
const OWN: [Own; 19] = [
    Own { name: "ahead",    has: Has::None,           needs_a_heap: true,  is: Is::Whole(0, MOST_AHEAD as i64) },
    Own { name: "align",    has: Has::All("auto"),    needs_a_heap: false, is: Is::Align },
    Own { name: "batch",    has: Has::None,           needs_a_heap: true,  is: Is::PowerOfTwo(1, MOST_IN_A_BATCH as i64) },
    Own { name: "cases",    has: Has::None,           needs_a_heap: false, is: Is::Whole(1, MAX_TYPES) },
    Own { name: "cold",     has: Has::All("none"),    needs_a_heap: false, is: Is::OneOf(&Cold::NAMES) },
    Own { name: "go",       has: Has::None,           needs_a_heap: false, is: Is::Release },
    Own { name: "hit",      has: Has::None,           needs_a_heap: false, is: Is::OneOf(&["first", "last", "default", "order"]) },
    Own { name: "indexed",  has: Has::Heaps("false"), needs_a_heap: true,  is: Is::Flag },
    Own { name: "objects",  has: Has::Heaps("1"),     needs_a_heap: true,  is: Is::Whole(1, MAX_OBJECTS) },
    Own { name: "order",    has: Has::Heaps("same"),  needs_a_heap: true,  is: Is::Order },
    Own { name: "panics",   has: Has::None,           needs_a_heap: false, is: Is::Flag },
    Own { name: "receiver", has: Has::Heaps("given"), needs_a_heap: true,  is: Is::OneOf(&["given", "nil", "nil_interface"]) },
    Own { name: "recover",  has: Has::Heaps("false"), needs_a_heap: false, is: Is::Flag },
    Own { name: "spacing",  has: Has::All("64"),      needs_a_heap: false, is: Is::PowerOfTwo(SPACING.0, SPACING.1) },
    Own { name: "stride",   has: Has::Heaps("1"),     needs_a_heap: true,  is: Is::Whole(1, MAX_OBJECTS) },
    Own { name: "targets",  has: Has::None,           needs_a_heap: true,  is: Is::Whole(1, MAX_TYPES) },
    Own { name: "walk",     has: Has::Heaps("loaded"), needs_a_heap: true, is: Is::OneOf(&["loaded", "none"]) },
    Own { name: "walks",    has: Has::None,           needs_a_heap: true,  is: Is::Whole(1, 2) },
    Own { name: "work",     has: Has::Heaps("0"),     needs_a_heap: true,  is: Is::Work },
];

/// How a row is run, as its parameters say: the same for a scenario and for what a worker gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The order in which receivers are visited.
    pub walk: Walk,
    /// Bytes between the starts of neighbouring functions.
    pub spacing: u32,
    /// Whether a modelled panic unwinds to the loop instead of ending the row.
    pub recover: bool,
    /// Whether every iteration is said to end in a modelled panic.
    pub panics: bool,
    /// Instructions that the harness puts around the body.
    pub work: Work,
    /// Where the loop head stands mod 64, where the placements do not decide.
    pub align: Option<u32>,
    /// What is scrubbed between calls that are timed one by one.
    pub cold: Cold,
    /// What an iteration is given beside one receiver.
    #[serde(default, skip_serializing_if = "Element::is_plain")]
    pub element: Element,
    /// Whether all iterations have one receiver, which stays in registers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_still: bool,
}

impl Settings {
    /// What parameters with sound values say; those that are not there say nothing.
    pub fn of(params: &BTreeMap<String, Value>) -> Settings {
        Settings {
            walk: Walk {
                order: bound(params, "order").unwrap_or(Order::Same),
                stride: bound(params, "stride").unwrap_or(1),
            },
            spacing: bound(params, "spacing").unwrap_or(64),
            recover: bound(params, "recover").unwrap_or(false),
            panics: bound(params, "panics").unwrap_or(false),
            work: bound(params, "work").unwrap_or_default(),
            align: bound(params, "align"),
            cold: bound(params, "cold").unwrap_or_default(),
            element: Element {
                walks: bound(params, "walks").unwrap_or(1),
                ahead: bound(params, "ahead").unwrap_or(0),
                batch: bound(params, "batch").unwrap_or(0),
            },
            is_still: bound::<String>(params, "walk").is_some_and(|walk| walk == "none"),
        }
    }
}

/// The value of a parameter, where it has one of that type.
pub fn bound<T: FromStr>(params: &BTreeMap<String, Value>, name: &str) -> Option<T> {
    params.get(name)?.to_string().parse().ok()
}

/// The names of the parameters with a meaning of their own.
pub fn names() -> impl Iterator<Item = &'static str> {
    OWN.iter().map(|own| own.name)
}

fn own(name: &str) -> Option<&'static Own> {
    OWN.iter().find(|own| own.name == name)
}

/// Whether values of a parameter are whole numbers or texts.
pub(crate) fn is_mixed(name: &str) -> bool {
    own(name).is_some_and(|own| matches!(own.is, Is::Align | Is::Work))
}

impl Own {
    /// What it may be in a template that does not declare it; `None` where such a template has none.
    fn undeclared(&self, header: &Header) -> Option<Param> {
        let default = match self.has {
            Has::All(default) => default,
            Has::Heaps(default) if header.heap != HeapKind::None => default,
            Has::Heaps(_) | Has::None => return None,
        };
        let text = |text: &&str| Value::Text(text.to_string());
        let (default, allowed) = match self.is {
            Is::Flag => {
                let both = [false, true].map(Value::Bool);
                (Value::Bool(default == "true"), both.to_vec())
            }
            Is::OneOf(words) => (text(&default), words.iter().map(text).collect()),
            _ => match default.parse() {
                Ok(number) => (Value::Int(number), Vec::new()),
                Err(_) => (text(&default), Vec::new()),
            },
        };
        Some(Param {
            default,
            allowed,
            range: None,
        })
    }
}

/// All parameters of a template: those its header declares, and those it has anyway.
pub fn all(header: &Header) -> BTreeMap<String, Param> {
    let undeclared = OWN
        .iter()
        .filter_map(|own| Some((own.name.to_string(), own.undeclared(header)?)));
    let declared = header.params.iter();
    let declared = declared.map(|(name, param)| (name.clone(), param.clone()));
    undeclared.chain(declared).collect()
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
    if heap == HeapKind::None && own(name).is_some_and(|own| own.needs_a_heap) {
        return Err(format!(
            "`{name}` is about receivers, and a template without a heap has none"
        ));
    }
    Ok(())
}

/// A value of the parameter `name` as its name knows it, where there are several ways to write it, as far as the
/// name has a meaning of its own.
///
/// # Errors
/// One sentence that says what is expected.
pub(crate) fn canonical(name: &str, value: Value) -> Result<Value, String> {
    let is_not = |what: &str| Err(format!("`{name}` is {what}, not `{value}`"));
    let number = match value {
        Value::Int(number) => Some(number),
        _ => None,
    };
    let is_whole = |low: i64, high: i64| number.is_some_and(|one| (low..=high).contains(&one));
    let range = |low: i64, high: i64| is_not(&format!("a whole number from {low} to {high}"));
    match (own(name).map(|own| own.is), &value) {
        (Some(Is::Whole(low, high)), _) if !is_whole(low, high) => range(low, high),
        (Some(Is::PowerOfTwo(low, high)), Value::Int(number))
            if !(*number as u64).is_power_of_two() =>
        {
            Err(format!(
                "`{name}` is a power of two from {low} to {high}, not {number}"
            ))
        }
        (Some(Is::PowerOfTwo(low, high)), _) if !is_whole(low, high) => range(low, high),
        (Some(Is::OneOf(words)), one) => match one {
            Value::Text(text) if words.contains(&&text[..]) => Ok(value),
            _ => is_not(&format!("one of {}", words.join(", "))),
        },
        (Some(Is::Flag), Value::Bool(_)) => Ok(value),
        (Some(Is::Flag), _) => is_not("true or false"),
        (Some(Is::Order), Value::Text(text)) => match text.parse()? {
            Order::Recorded => Ok(value),
            order => Ok(Value::Text(order.to_string())),
        },
        (Some(Is::Order), _) => Err(format!("`order` is {}, in quotes", Order::forms())),
        (Some(Is::Align), Value::Text(text)) if text == "auto" => Ok(value),
        (Some(Is::Align), _) if !is_whole(0, 63) => is_not("auto or a whole number from 0 to 63"),
        (Some(Is::Work), Value::Text(text)) => {
            let work: Work = text.parse()?;
            Ok(match work.is_dependent {
                true => Value::Text(work.to_string()),
                false => Value::Int(work.count.into()),
            })
        }
        (Some(Is::Work), _) if !is_whole(0, MAX_WORK.into()) => {
            is_not(&format!("N or N:dependent with N from 0 to {MAX_WORK}"))
        }
        (Some(Is::Release), Value::Text(release)) => {
            release.parse::<Release>().map(|_| value.clone())
        }
        (Some(Is::Release), _) => is_not("a release in quotes, such as \"1.27\""),
        (None, Value::Text(text)) if !fits_a_name(text) => Err(format!(
            "`{text}` cannot stand in a scenario's name: no blanks and none of `,` `=` `[` `]`"
        )),
        _ => Ok(value),
    }
}

/// Whether a text survives in `name[key=text]`.
fn fits_a_name(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || ",=[]".contains(c))
}
