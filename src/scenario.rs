//! Scenarios: templates with every parameter bound, and their stable names.
//!
//! Correct means: a scenario's name, given back on the command line, binds the same parameters.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::formula::{Formula, Receivers};
use crate::go::hash::type_hash;
use crate::go::{HeapKind, Release, layout};
use crate::template::params::{self, Settings, bound};
use crate::template::{self, Clobbers, Header, Order, Param, Percent, Template, Value};
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

mod chains;
mod expand;
mod recording;

pub use expand::{ENDLESS, Expansion, Renderer, Unexpanded};
pub use recording::{MAX_NUMBERS, Recording};

/// A template with every parameter bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What is bound.
    pub template: Arc<Template>,
    /// Every parameter, including those at their defaults and the ones every heap has.
    pub params: BTreeMap<String, Value>,
    /// Template name and, in brackets, the parameters that differ from their defaults.
    pub name: String,
    /// The release that `go` names, or the header's.
    pub release: Release,
    /// What its parameters say of how it is run.
    pub settings: Settings,
    /// The sequence of types that `order=@FILE` replays, once it was read: see [`Scenario::replay`].
    pub recording: Option<Arc<Recording>>,
    /// Number of dynamic types: `targets`, or `cases` and one type that is no case, or 1.
    pub types: u32,
    /// Which of them objects have.
    pub visited: Visited,
    /// Number of objects.
    pub objects: u32,
    /// Whether every receiver is a nil pointer.
    pub nil_receiver: bool,
    /// Whether every receiver is an interface that holds nothing.
    pub nil_interface: bool,
    /// Whether the receivers stand in an array, and the walk has their numbers.
    pub indexed: bool,
    /// The part of the template that is left out, see [`Scenario::without`].
    pub omitted: Option<String>,
    /// Why there is no such scenario, see [`Scenario::refused`]; empty where there is.
    pub refused: Vec<Diagnostic>,
}

/// Which of a scenario's types its objects have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visited {
    /// Object j has type j mod this many.
    First(u32),
    /// Every object has this type.
    Only(u32),
}

/// What the user asked for that a template cannot be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindError {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help
            .as_ref()
            .map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

impl std::error::Error for BindError {}

/// Cuts `template[key=value,key=value]` apart.
///
/// # Errors
/// Where the brackets are not of that form.
pub fn parse_name(text: &str) -> Result<(String, Vec<(String, String)>), BindError> {
    let wrong = |message: String| BindError {
        message,
        help: Some("write it as `itab_call[order=random,targets=8]`".to_string()),
    };
    let Some((template, rest)) = text.split_once('[') else {
        return if text.contains(']') {
            Err(wrong(format!(
                "`{text}` closes a bracket that it does not open"
            )))
        } else {
            Ok((text.to_string(), Vec::new()))
        };
    };
    let inner = rest
        .strip_suffix(']')
        .ok_or_else(|| wrong(format!("`{text}` does not end with its bracket")))?;
    let overrides: Result<Vec<(String, String)>, BindError> = inner
        .split(',')
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let value = value.trim();
                let value = match value.strip_prefix('@') {
                    Some(path) => format!("@{}", unescape_path(path)),
                    None => value.to_string(),
                };
                Ok((key.trim().to_string(), value))
            }
            _ => Err(wrong(format!("`{pair}` in `{text}` is not key=value"))),
        })
        .collect();
    Ok((template.to_string(), overrides?))
}

/// Whether a character of a path must be escaped for the path to stand in a name.
fn is_special(c: char) -> bool {
    c.is_whitespace() || c.is_control() || ",=[]%".contains(c)
}

/// A path as it stands in a name: what would end the value there as `%2C`, the way URLs have it.
fn escape_path(path: &str) -> String {
    let mut escaped = String::new();
    for c in path.chars() {
        if is_special(c) {
            let mut bytes = [0; 4];
            let encoded = c.encode_utf8(&mut bytes).bytes();
            escaped.extend(encoded.map(|byte| format!("%{byte:02X}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The path that [`escape_path`] wrote. A `%` that begins no escape stands for itself.
fn unescape_path(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|&c| char::from(c).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_string())
}

impl Scenario {
    /// Binds every parameter of `template`: its defaults, and over them `overrides`, later ones winning.
    ///
    /// # Errors
    /// A key that the template does not have, or a value that the key cannot have.
    pub fn bind(
        template: Arc<Template>,
        overrides: &[(String, String)],
    ) -> Result<Scenario, BindError> {
        let header = &template.header;
        let known = params::all(header);
        let mut params: BTreeMap<String, Value> = known
            .iter()
            .map(|(name, param)| (name.clone(), param.default.clone()))
            .collect();
        let mut given: BTreeMap<&str, Value> = BTreeMap::new();
        for (key, text) in overrides {
            let param = known
                .get(key)
                .ok_or_else(|| unknown_key(&template, &known, key))?;
            given.insert(key, parse_value(key, param, text)?);
        }
        params.extend(
            given
                .iter()
                .map(|(key, value)| (key.to_string(), value.clone())),
        );

        // Above, each of these was checked against what its name allows.
        let release = bound(&params, "go").unwrap_or(header.go);
        params.insert("go".to_string(), Value::Text(release.to_string()));

        let heap = header.heap != HeapKind::None;
        let (types, visited) = match (bound(&params, "targets"), bound(&params, "cases")) {
            (Some(targets), _) if heap => (targets, Visited::First(targets)),
            (None, Some(cases)) if heap => {
                let hit: Option<String> = bound(&params, "hit");
                let hit = hit.unwrap_or_else(|| "order".to_string());
                (cases + 1, visited_cases(&template, release, cases, &hit)?)
            }
            _ => (1, Visited::First(1)),
        };
        let mut name_defaults: BTreeMap<String, Value> = known
            .iter()
            .map(|(name, param)| (name.clone(), param.default.clone()))
            .collect();
        if heap {
            let declared = bound(&name_defaults, "objects").unwrap_or(1);
            let least = match visited {
                Visited::First(count) => count,
                Visited::Only(_) => 1,
            };
            let default = Value::Int(i64::from(declared.max(least)));
            name_defaults.insert("objects".to_string(), default.clone());
            params.insert(
                "objects".to_string(),
                given.get("objects").cloned().unwrap_or(default),
            );
        }
        if params.get("walk") == Some(&Value::Text("none".into())) {
            stand_still(&mut params, &given)?;
        }
        let settings = Settings::of(&params);
        settings.element.check().map_err(|message| BindError {
            message,
            help: Some("leave the others out".into()),
        })?;
        let objects = bound(&params, "objects").unwrap_or(1);
        check_share(settings.walk.order, visited, objects)?;
        let indexed = bound(&params, "indexed").unwrap_or(false);
        if indexed && header.clobbers != Clobbers::All {
            return Err(BindError {
                message: "`indexed=true`: the loop keeps no register for the array's address"
                    .into(),
                help: Some("set `clobbers = \"all\"` in the template's header".into()),
            });
        }
        check_element(header, &settings, indexed)?;
        let receiver: Option<String> = bound(&params, "receiver");
        let nil_interface = receiver.as_deref() == Some("nil_interface");
        if nil_interface && !matches!(header.heap, HeapKind::Iface | HeapKind::Eface) {
            return Err(BindError {
                message: "`receiver=nil_interface`: a receiver of this template is no interface"
                    .into(),
                help: Some("`receiver=nil` makes every pointer nil".into()),
            });
        }
        Ok(Scenario {
            name: canonical_name(&template.name, &given, &name_defaults),
            release,
            settings,
            recording: None,
            indexed,
            types,
            visited,
            objects,
            nil_receiver: receiver
                .as_deref()
                .is_some_and(|receiver| receiver != "given"),
            nil_interface,
            params,
            omitted: None,
            refused: Vec::new(),
            template: Arc::clone(&template),
        })
    }

    /// A scenario that was named and that there is not: its row says why, and the others run.
    ///
    /// # Panics
    /// Where `template`, which stands in its place, has parameters of its own.
    pub fn refused(template: Template, name: &str, why: Vec<Diagnostic>) -> Scenario {
        let plain = Scenario::bind(Arc::new(template), &[]).expect("there is nothing to bind");
        Scenario {
            name: name.to_string(),
            refused: why,
            ..plain
        }
    }

    /// How many of the types that take turns have no object: the last ones.
    pub fn left_out(&self) -> u32 {
        match self.visited {
            Visited::First(types)
                if self.template.header.heap != HeapKind::None && !self.settings.is_still =>
            {
                types.saturating_sub(self.objects)
            }
            _ => 0,
        }
    }

    /// The file that `order=@FILE` names.
    pub fn recording_path(&self) -> Option<&str> {
        match self.params.get("order") {
            Some(Value::Text(order)) => order.strip_prefix('@'),
            _ => None,
        }
    }

    /// The scenario with the sequence that its `order=@FILE` replays.
    ///
    /// # Errors
    /// A number that is no type of an object here.
    pub fn replay(self, recording: Recording) -> Result<Scenario, BindError> {
        let known = |number: u32| match self.visited {
            Visited::First(count) => number < count.min(self.objects),
            Visited::Only(only) => number == only,
        };
        if let Some((line, number)) = recording.first_unknown(known) {
            return Err(self.unknown_type(line, number, recording.needed()));
        }
        Ok(Scenario {
            recording: Some(Arc::new(recording)),
            ..self
        })
    }

    fn unknown_type(&self, line: usize, number: u32, needed: u32) -> BindError {
        let declares = |key: &str| self.params.contains_key(key);
        let (message, help) = match self.visited {
            Visited::Only(only) => (
                format!("type {number}, but every object has type {only}"),
                "visit all cases with -p hit=order".to_string(),
            ),
            Visited::First(count) if number < count => (
                format!(
                    "type {number}, of which there is no object: `objects` is {}",
                    self.objects
                ),
                format!("the file needs -p objects={needed} or more"),
            ),
            Visited::First(count) => (
                format!("type {number}, but types are 0 to {}", count - 1),
                if declares("targets") {
                    format!("the file needs -p targets={needed}")
                } else if declares("cases") {
                    format!("the file needs -p cases={needed} -p hit=order")
                } else {
                    format!(
                        "template `{}` has one type; the file needs one with the parameter `targets`, at {needed}",
                        self.template.name
                    )
                },
            ),
        };
        BindError {
            message: format!("line {line}: {message}"),
            help: Some(help),
        }
    }

    /// Name of the dynamic type `index`.
    pub fn type_name(&self, index: u32) -> String {
        type_name(&self.template, index)
    }

    /// Names of all dynamic types, in order.
    pub fn type_names(&self) -> Vec<String> {
        (0..self.types).map(|index| self.type_name(index)).collect()
    }

    /// The type of object `object`, an index into [`Scenario::type_names`].
    pub fn type_of_object(&self, object: u32) -> u32 {
        match self.visited {
            Visited::First(count) => object % count,
            Visited::Only(index) => index,
        }
    }

    /// The general registers that the loop fills in front of each body, as bits by hardware number.
    pub fn received(&self) -> u16 {
        let header = &self.template.header;
        let words = layout::receiver_words(header.heap, &header.words);
        self.settings.element.received(words)
    }

    /// What is said of an iteration's results, where it is compared: not where nothing is stated, nor where a nil
    /// receiver or a panic leaves none.
    fn stated(&self) -> Option<&[Formula]> {
        let formulas = &self.template.header.expect;
        let is_compared = !formulas.is_empty() && !self.nil_receiver && !self.settings.panics;
        is_compared.then_some(formulas)
    }

    /// Whether an iteration is given more than the object that the first walk visits.
    fn is_by_element(&self) -> bool {
        let header = &self.template.header;
        let mut formulas = header.expect.iter().chain(&header.words);
        !self.settings.element.is_plain() || formulas.any(Formula::is_of_the_element)
    }

    /// What the results are, where more decides than the object that the first walk visits.
    pub fn expected_by_element(&self) -> Vec<Formula> {
        let formulas = self.stated().filter(|_| self.is_by_element());
        formulas.unwrap_or_default().to_vec()
    }

    /// What the results of an iteration add up to for each object; none where nothing is stated, or where more decides.
    ///
    /// # Errors
    /// Where a formula has no number for one of them.
    pub fn expected(&self) -> Result<Option<Vec<u64>>, String> {
        let Some(formulas) = self.stated() else {
            return Ok(None);
        };
        let results = &self.template.header.results;
        let objects = match self.template.header.heap {
            HeapKind::None => 1,
            _ => self.objects,
        };
        let types: Vec<u32> = (0..objects)
            .map(|object| self.type_of_object(object))
            .collect();
        let one = |object: u32| {
            let receivers = Receivers {
                types: &types,
                object,
                second: object,
                element: 0,
            };
            template::expected(results, formulas, &[receivers])
                .map_err(|message| format!("of object {object}: {message}"))
        };
        // As long as they are many: what is collected of results grows by doubling.
        let mut all = Vec::with_capacity(objects as usize);
        for object in 0..objects {
            all.push(one(object)?);
        }
        Ok(Some(all).filter(|_| !self.is_by_element()))
    }
}

fn type_name(template: &Template, index: u32) -> String {
    let patterns = &template.header.types;
    let pattern = &patterns[index as usize % patterns.len().max(1)];
    pattern.replace("{t}", &index.to_string())
}

/// Which types the objects of a type switch have. First and last are meant in the order of the
/// code, which a Go compiler sorts by hash.
fn visited_cases(
    template: &Template,
    release: Release,
    cases: u32,
    hit: &str,
) -> Result<Visited, BindError> {
    if hit == "order" {
        return Ok(Visited::First(cases));
    }
    if hit == "default" {
        return Ok(Visited::Only(cases));
    }
    let hashes: Result<Vec<(u32, u32)>, String> = (0..cases)
        .map(|index| Ok((type_hash(release, &type_name(template, index))?, index)))
        .collect();
    let hashes = hashes.map_err(|message| BindError {
        message,
        help: Some("choose another `go`".to_string()),
    })?;
    let chosen = if hit == "first" {
        hashes.iter().min()
    } else {
        hashes.iter().max()
    };
    Ok(Visited::Only(chosen.map_or(0, |&(_, index)| index)))
}

/// Parameters that say which receivers a walk visits, and how.
const OF_A_WALK: [&str; 11] = [
    "order", "stride", "objects", "indexed", "receiver", "recover", "panics", "work", "ahead",
    "batch", "walks",
];

/// Without a walk there is one receiver, and what would say of several how they are visited is refused.
fn stand_still(
    params: &mut BTreeMap<String, Value>,
    given: &BTreeMap<&str, Value>,
) -> Result<(), BindError> {
    for key in OF_A_WALK {
        if given.contains_key(key) {
            return Err(BindError {
                message: format!(
                    "`walk=none` has one receiver in registers, and `{key}` is about several"
                ),
                help: Some(format!("leave out `{key}`, or `walk`")),
            });
        }
    }
    // One type says how many there are, and none of how they take turns.
    let several = match (given.get("targets"), given.get("hit")) {
        (Some(Value::Int(2..)), _) => Some("targets"),
        (_, Some(Value::Text(hit))) if hit == "order" => Some("hit"),
        _ => None,
    };
    if let Some(key) = several {
        return Err(BindError {
            message: format!(
                "`walk=none` has one receiver in registers, and `{key}={}` is about several",
                given[key]
            ),
            help: Some(format!("leave out `{key}`, or `walk`")),
        });
    }
    for key in ["ahead", "batch", "walks"] {
        if bound::<u32>(params, key).is_some_and(|value| value > u32::from(key == "walks")) {
            return Err(BindError {
                message: format!(
                    "`walk=none` has one receiver, and the template gives a body more: `{key}`"
                ),
                help: Some("leave out `walk`".into()),
            });
        }
    }
    let still = [
        ("order", Value::Text("same".into())),
        ("objects", Value::Int(1)),
        ("stride", Value::Int(1)),
    ];
    params.extend(still.map(|(key, value)| (key.to_string(), value)));
    Ok(())
}

/// Refuses what an element cannot be given together with something else.
fn check_element(header: &Header, settings: &Settings, indexed: bool) -> Result<(), BindError> {
    let refused = |message: &str, help: &str| {
        Err(BindError {
            message: message.into(),
            help: Some(help.into()),
        })
    };
    let mut formulas = header.expect.iter().chain(&header.words);
    let is_plain = settings.element.is_plain() && !formulas.any(Formula::is_of_the_element);
    if indexed && !is_plain {
        return refused(
            "`indexed=true`: receivers that stand in an array hang on their object alone",
            "leave out `walks`, `ahead`, `batch`, and formulas that name `element` or `second`",
        );
    }
    if !settings.element.is_plain() && !settings.work.is_none() {
        return refused(
            "`work` stands around bodies that have one receiver",
            "leave `work` at 0, or write the work into the body",
        );
    }
    Ok(())
}

/// Refuses a share that is not everything, where there is nothing else.
fn check_share(order: Order, visited: Visited, objects: u32) -> Result<(), BindError> {
    let types = match visited {
        Visited::First(count) => count.min(objects),
        Visited::Only(_) => 1,
    };
    match order {
        Order::Hot(share) if types == 1 && share != Percent::ALL => Err(BindError {
            message: format!(
                "`order={order}` shares the visits among types, and all objects have one type here"
            ),
            help: Some(
                "take more types, as with -p targets=4; with one, only hot:100 makes sense".into(),
            ),
        }),
        _ => Ok(()),
    }
}

fn canonical_name(
    template: &str,
    given: &BTreeMap<&str, Value>,
    defaults: &BTreeMap<String, Value>,
) -> String {
    let differing: Vec<String> = given
        .iter()
        .filter(|&(key, value)| defaults.get(*key) != Some(value))
        .map(|(key, value)| match value {
            Value::Text(text) if text.starts_with('@') => {
                format!("{key}=@{}", escape_path(&text[1..]))
            }
            _ => format!("{key}={value}"),
        })
        .collect();
    if differing.is_empty() {
        template.to_string()
    } else {
        format!("{template}[{}]", differing.join(","))
    }
}

fn unknown_key(template: &Template, known: &BTreeMap<String, Param>, key: &str) -> BindError {
    let names = known.keys().map(String::as_str);
    let help = match closest(key, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
    };
    BindError {
        message: format!("template `{}` has no parameter `{key}`", template.name),
        help: Some(help),
    }
}

/// Reads `text` as a value of the type that the parameter's default has.
fn parse_value(key: &str, param: &Param, text: &str) -> Result<Value, BindError> {
    let wrong = |message: String| {
        Err(BindError {
            message,
            help: None,
        })
    };
    let value = match &param.default {
        _ if params::is_mixed(key) => {
            parse_integer(text).map_or_else(|| Value::Text(text.to_string()), Value::Int)
        }
        Value::Bool(_) => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return wrong(format!("`{key}` is true or false, not `{text}`")),
        },
        Value::Int(_) => match parse_integer(text) {
            Some(number) => Value::Int(number),
            None => return wrong(format!("`{key}` is a whole number, not `{text}`")),
        },
        Value::Text(_) => Value::Text(text.to_string()),
    };
    let canonical = params::canonical(key, value.clone());
    let value = canonical.clone().unwrap_or(value);
    if !param.allowed.is_empty() && !param.allowed.contains(&value) {
        let allowed: Vec<String> = param.allowed.iter().map(Value::to_string).collect();
        return wrong(format!(
            "`{key}` is one of {}, not `{text}`",
            allowed.join(", ")
        ));
    }
    if let (Some((min, max)), Value::Int(number)) = (param.range, &value)
        && !(min..=max).contains(number)
    {
        return wrong(format!(
            "`{key}` is a whole number from {min} to {max}, not `{text}`"
        ));
    }
    canonical.or_else(wrong)
}

fn parse_integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Origin;

    const HEADER: &str = concat!(
        ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n",
        ";! result = \"al\"\n;! expect = \"id+type\"\n",
        ";! params = { targets = 1, slot = [0, 1, 2], deep = { default = 3, min = 1, max = 9 } }\n",
        "body:\n nop\n",
    );

    fn bind_text(text: &str, name: &str) -> Result<Scenario, BindError> {
        let template = Template::parse("t", Origin::Stdin, text.to_string()).expect("sound");
        let (_, overrides) = parse_name(name)?;
        Scenario::bind(Arc::new(template), &overrides)
    }

    fn bind(name: &str) -> Result<Scenario, BindError> {
        bind_text(HEADER, name)
    }

    #[test]
    fn a_name_holds_only_what_differs_sorted_by_key() {
        #[rustfmt::skip] // What is given, and the name that comes of it.
        let names = [
            ("t", "t"),
            ("t[targets=8,order=random]", "t[order=random,targets=8]"),
            ("t[targets=0x10,slot=0]", "t[targets=16]"),
            ("t[targets=8,objects=8]", "t[targets=8]"),
            ("t[targets=8,objects=16]", "t[objects=16,targets=8]"),
            ("t[ order = runs:7 , receiver=given]", "t[order=runs:7]"),
            ("t[targets=4,targets=2]", "t[targets=2]"),
            ("t[targets=2,order=hot:90.50]", "t[order=hot:90.5,targets=2]"),
            ("t[order=hot:100]", "t[order=hot:100]"),
            ("t[work=8]", "t[work=8]"),
            ("t[work=0x10,align=0x10]", "t[align=16,work=16]"),
            ("t[cold=icache,align=0]", "t[align=0,cold=icache]"),
            ("t[cold=none]", "t"),
            ("t[work=8:dependent,align=0]", "t[align=0,work=8:dependent]"),
            ("t[work=0:dependent,align=auto]", "t"),
            ("t[order=@a/b.txt]", "t[order=@a/b.txt]"),
            ("t[order=@100%.txt]", "t[order=@100%25.txt]"),
            ("t[recover=true,receiver=nil,spacing=128]", "t[receiver=nil,recover=true,spacing=128]"),
        ];
        for (given, expected) in names {
            let scenario = bind(given).expect(given);
            assert_eq!(scenario.name, expected);
            assert_eq!(bind(&scenario.name).expect("again"), scenario);
        }
    }

    #[test]
    fn the_path_of_a_recording_survives_in_a_name_whatever_it_holds() {
        for path in ["a b,c=[d].txt", "é%2C\t%", "%", "100%zz", "ü/ß"] {
            let template = bind("t").expect("binds").template;
            let given = [("order".to_string(), format!("@{path}"))];
            let scenario = Scenario::bind(template, &given).expect(path);
            assert_eq!(scenario.recording_path(), Some(path));
            let name = &scenario.name;
            assert!(
                !name.contains(char::is_whitespace) && name.matches(',').count() == 0,
                "{name}"
            );
            assert_eq!(bind(name).expect(name), scenario, "{name}");
        }
    }

    #[test]
    fn a_recording_goes_with_types_that_objects_have() {
        let recording = |numbers: &[u32]| Recording::of(numbers.to_vec());
        let replay =
            |name: &str, numbers: &[u32]| bind(name).expect(name).replay(recording(numbers));
        let replayed = replay("t[order=@f,targets=3]", &[0, 2, 1]).expect("three types");
        assert_eq!(replayed.recording.expect("it was given").types(), [0, 2, 1]);
        #[rustfmt::skip] // a table: name, numbers, refusal
        let refusals: [(&str, &[u32], &str); 3] = [
            ("t[order=@f,targets=3]",           &[0, 3, 9], "line 2: type 3, but types are 0 to 2; the file needs -p targets=10"),
            ("t[order=@f]",                     &[0, 1],    "line 2: type 1, but types are 0 to 0; the file needs -p targets=2"),
            ("t[objects=2,order=@f,targets=3]", &[2],       "line 1: type 2, of which there is no object: `objects` is 2; the file needs -p objects=3"),
        ];
        for (name, numbers, words) in refusals {
            let refused = replay(name, numbers).expect_err(name).to_string();
            assert!(refused.starts_with(words), "{refused}");
        }
    }

    #[test]
    fn what_cannot_be_bound_says_what_can() {
        #[rustfmt::skip] // One refusal a row.
        let refusals = [
            ("t[tragets=8]", "template `t` has no parameter `tragets`; did you mean `targets`?"),
            ("t[x=1]", "template `t` has no parameter `x`; it has align, cold, deep, indexed, objects, order"),
            ("t[indexed=true]", "`indexed=true`: the loop keeps no register for the array's address"),
            ("t[indexed=1]", "`indexed` is true or false, not `1`"),
            ("t[go=1.27]", "template `t` has no parameter `go`"),
            ("t[targets=0]", "`targets` is a whole number from 1 to 131072, not `0`"),
            ("t[targets=many]", "`targets` is a whole number, not `many`"),
            ("t[slot=3]", "`slot` is one of 0, 1, 2, not `3`"),
            ("t[deep=10]", "`deep` is a whole number from 1 to 9, not `10`"),
            ("t[order=backwards]", "`order` is same, cyclic, random, sorted, runs:N, hot:P or @FILE, with N from 1"),
            ("t[order=runs:0]", "`order` is same, cyclic, random, sorted, runs:N, hot:P or @FILE, with N from 1"),
            ("t[order=runs:07]", "`order` is same, cyclic, random, sorted, runs:N, hot:P or @FILE, with N from 1"),
            ("t[order=hot:0.9,targets=2]", "`hot:0.9` is 0.9 percent; P is in percent, 0 or 1 to 100: hot:90"),
            ("t[order=hot:101,targets=2]", "`hot:P` has P percent, 0 to 100"),
            ("t[order=hot:90]", "`order=hot:90` shares the visits among types, and all objects have one type"),
            ("t[objects=1,order=hot:90,targets=2]", "`order=hot:90` shares the visits"),
            ("t[order=@]", "`order=@FILE` names a file"),
            ("t[work=1025]", "`work` is N or N:dependent with N from 0 to 1024"),
            ("t[work=8:chained]", "`work` is N or N:dependent"),
            ("t[cold=l1i]", "`cold` is one of none, predictor, icache, dcache, not `l1i`"),
            ("t[align=64]", "`align` is auto or a whole number from 0 to 63, not `64`"),
            ("t[align=line]", "`align` is auto or a whole number from 0 to 63, not `line`"),
            ("t[spacing=48]", "`spacing` is a power of two from 16 to 65536, not 48"),
            ("t[spacing=8]", "`spacing` is a whole number from 16 to 65536, not `8`"),
            ("t[spacing=-64]", "`spacing` is a power of two"),
            ("t[stride=0]", "`stride` is a whole number from 1"),
            ("t[receiver=null]", "`receiver` is one of given, nil, nil_interface, not `null`"),
            ("t[recover=1]", "`recover` is true or false, not `1`"),
            ("t[targets=8", "`t[targets=8` does not end with its bracket"),
            ("t[targets]", "`targets` in `t[targets]` is not key=value"),
            ("t[]", "`` in `t[]` is not key=value"),
            ("t]", "`t]` closes a bracket that it does not open"),
        ];
        for (given, expected) in refusals {
            let refusal = bind(given).expect_err(given).to_string();
            assert!(refusal.starts_with(expected), "{given}: {refusal}");
        }
    }

    #[test]
    fn a_template_without_a_heap_has_spacing_and_align_and_nothing_else() {
        let bind = |name: &str| bind_text("body:\n nop\n", name);
        assert_eq!(bind("t[spacing=16]").expect("spacing").settings.spacing, 16);
        for key in [
            "order=same",
            "objects=1",
            "receiver=nil",
            "recover=true",
            "stride=1",
            "targets=1",
            "work=1",
        ] {
            bind(&format!("t[{key}]")).expect_err(key);
        }
        assert_eq!(bind("t").expect("binds").expected(), Ok(None));
    }

    #[test]
    fn results_follow_id_type_and_the_width_of_the_register() {
        let scenario = bind("t[targets=3,objects=300]").expect("binds");
        assert_eq!(scenario.type_names(), ["main.T0", "main.T1", "main.T2"]);
        assert_eq!(scenario.type_of_object(4), 1);
        let expected = scenario.expected().expect("numbers").expect("stated");
        assert_eq!(expected[4], 5 + 2);
        assert_eq!(expected[299], (300 + 3) & 0xff, "al holds eight bits");
        let nil = bind("t[receiver=nil]").expect("binds");
        assert_eq!(nil.expected(), Ok(None));
    }

    #[test]
    fn objects_are_at_least_as_many_as_the_types_they_show() {
        let declared = HEADER.replace("slot = ", "objects = 64, slot = ");
        let objects = |name: &str| bind_text(&declared, name).expect(name).objects;
        assert_eq!(objects("t"), 64);
        assert_eq!(objects("t[targets=8]"), 64);
        assert_eq!(objects("t[targets=100]"), 100);
        assert_eq!(objects("t[objects=2,targets=100]"), 2);
        let left_out = |name: &str| bind_text(&declared, name).expect(name).left_out();
        assert_eq!(left_out("t[objects=99,targets=100]"), 1);
        assert_eq!(left_out("t[objects=100,targets=100]"), 0);
        assert_eq!(bind("t[targets=8]").expect("binds").objects, 8);
    }
}
