//! Reads the keys of a header one by one.
//!
//! Correct means: a value of the wrong type is an error that says what its key wants, and the rest
//! of the header is still read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::block::Block;
use super::register::register;
use crate::asm::Syntax;
use crate::formula::{Formula, Known, Refused};
use crate::go::types::Signature;
use crate::go::{HeapKind, Interface, ObjectShape, Release};
use crate::template::params::MAX_SITES;
use crate::template::source::{Place, SourceText};
use crate::template::{Assumption, Clobbers, Header, MOST_RESULTS, ResultRegister};
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

/// Every key a header may have.
const KEYS: [&str; 21] = [
    "assumed",
    "bind",
    "call",
    "clobbers",
    "dispatch",
    "expand",
    "expect",
    "go",
    "heap",
    "interfaces",
    "methods",
    "object",
    "params",
    "result",
    "separator",
    "source",
    "syntax",
    "title",
    "types",
    "unroll",
    "words",
];

/// Where the rows of the suite `book` and published figures have gone.
const IN_A_SUITE: &str = "put it into a suite, as asm_templates/suites/mine.toml: `rows = [{ row = \"NAME[go=1.10]\", count = [9, 2], published = [{ source = \"...\", ns = 1.96 }] }]`";
/// Where notes have gone.
const BELOW_THE_CODE: &str = "write it below the code, as lines `;! note TEXT`; what is said under a condition stands between `{% if cases > 3 %}` and `{% endif %}`";

/// Most copies of a body in one loop turn: beyond that the loop no longer fits any cache of decoded instructions.
const MAX_UNROLL: i64 = 1024;

/// Walks the TOML and gathers complaints.
pub(super) struct Reader<'a> {
    source: &'a SourceText<'a>,
    pub(super) block: &'a Block,
    pub(super) errors: Vec<Diagnostic>,
}

pub(super) type Entry<'a> = Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a SourceText<'a>, block: &'a Block) -> Self {
        Reader {
            source,
            block,
            errors: Vec::new(),
        }
    }
}

impl Reader<'_> {
    pub(super) fn header(&mut self, table: &DeTable<'_>) -> (Header, BTreeMap<String, Place>) {
        let mut header = Header::default();
        let mut places = BTreeMap::new();
        for (key, value) in table {
            places.insert(key.get_ref().to_string(), self.block.place(value.span()));
            if breaks_lines(key.get_ref()) || has_line_break(value.get_ref()) {
                let help = "write it in one line, without `\\n` and `\\r`";
                self.error(value.span(), "a line break in a header's text", help);
                continue;
            }
            match key.get_ref().as_ref() {
                "title" => header.title = self.text("title", value).unwrap_or_default(),
                "heap" => header.heap = self.heap(value).unwrap_or(HeapKind::None),
                "types" => header.types = self.texts("types", value, "\"main.T{t}\""),
                "methods" => (header.methods, header.signatures) = self.methods("methods", value),
                "interfaces" => header.interfaces = self.interfaces(value),
                // Read below: what these may name depends on other keys.
                "params" | "object" | "words" | "expect" => {}
                "result" => header.results = self.results(value),
                "dispatch" => header.dispatch = self.dispatch(value),
                "expand" => header.expand = self.boolean("expand", value).unwrap_or(false),
                "go" => {
                    header.go = self.go(value).unwrap_or(Release::NEWEST);
                    header.states_go = true;
                }
                "clobbers" => header.clobbers = self.clobbers(value),
                "unroll" => header.unroll = self.unroll(value),
                "call" => header.call = self.text("call", value),
                "syntax" => header.syntax = self.syntax(value),
                "separator" => header.separates = self.separates(value),
                "source" => header.source = self.text("source", value),
                "assumed" => header.assumed = self.assumed(value),
                "bind" => header.bind = self.bind(value),
                "book" | "published" => self.moved(key, IN_A_SUITE),
                "note" => self.moved(key, BELOW_THE_CODE),
                unknown => self.unknown_key(unknown, key.span(), &KEYS, "a header"),
            }
        }
        if let Some(value) = table.get("params")
            && !has_line_break(value.get_ref())
        {
            header.params = self.params(value, header.heap);
        }
        if let Some(value) = table.get("object") {
            header.object = self.object(value);
        }
        let known = header.object.as_ref().map(ObjectShape::known);
        let known = known.unwrap_or_default();
        if let Some(value) = table.get("words") {
            header.words = self.formulas("words", value, &known);
        }
        if let Some(value) = table.get("expect") {
            header.expect = self.expect(value, &known);
        }
        (header, places)
    }

    /// A key that headers had.
    fn moved(&mut self, key: &Spanned<Cow<'_, str>>, help: &str) {
        let message = format!("a header has no key `{}` any more", key.get_ref());
        self.error(key.span(), message, help);
    }

    pub(super) fn error(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.block.place(span);
        self.errors
            .push(self.source.complain(place, message, Some(help.into())));
    }

    pub(super) fn wrong_type(&mut self, key: &str, value: &Entry<'_>, wanted: &str, example: &str) {
        let message = format!("`{key}` is {wanted}, not {}", described(value.get_ref()));
        self.error(value.span(), message, format!("write `{key} = {example}`"));
    }

    pub(super) fn unknown_key(
        &mut self,
        key: &str,
        span: Range<usize>,
        known: &[&str],
        place: &str,
    ) {
        let help = match closest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{place} has {}", known.join(", ")),
        };
        self.error(span, format!("{place} has no key `{key}`"), help);
    }

    pub(super) fn text(&mut self, key: &str, value: &Entry<'_>) -> Option<String> {
        match value.get_ref().as_str() {
            Some(text) => Some(text.to_string()),
            None => {
                self.wrong_type(key, value, "a text", "\"...\"");
                None
            }
        }
    }

    /// One label, or a list of them.
    fn dispatch(&mut self, value: &Entry<'_>) -> Vec<String> {
        let array = value.get_ref().as_array();
        let Some(array) = array else {
            return self.text("dispatch", value).into_iter().collect();
        };
        let labels = array.iter().map(|label| label.get_ref().as_str());
        let labels: Option<Vec<String>> = labels.map(|label| label.map(String::from)).collect();
        let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
            let wanted = "a label or a list of labels";
            self.wrong_type("dispatch", value, wanted, "[\"first\", \"second\"]");
            return Vec::new();
        };
        let mut twice = labels.iter().enumerate();
        if let Some((_, twice)) = twice.find(|(at, label)| labels[..*at].contains(label)) {
            let message = format!("`dispatch` names `{twice}` twice");
            self.error(value.span(), message, "each branch has one number");
        }
        if labels.len() > MAX_SITES {
            let message = format!("`dispatch` names {} branches", labels.len());
            let help = format!("at most {MAX_SITES}: each has four images of its own");
            self.error(value.span(), message, help);
        }
        labels
    }

    fn boolean(&mut self, key: &str, value: &Entry<'_>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false", "true");
        }
        flag
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &str,
        value: &Entry<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(key, value)?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|&(_, meaning)| meaning);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
            let help = match closest(&text, all.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("it is one of {}", all.join(", ")),
            };
            self.error(value.span(), format!("`{key}` cannot be `{text}`"), help);
        }
        found
    }

    fn heap(&mut self, value: &Entry<'_>) -> Option<HeapKind> {
        let words = [
            ("none", HeapKind::None),
            ("pointer", HeapKind::Pointer),
            ("iface", HeapKind::Iface),
            ("eface", HeapKind::Eface),
            ("func", HeapKind::Func),
        ];
        self.word("heap", value, &words)
    }

    fn clobbers(&mut self, value: &Entry<'_>) -> Clobbers {
        self.word("clobbers", value, &[("all", Clobbers::All)])
            .unwrap_or(Clobbers::Some)
    }

    fn syntax(&mut self, value: &Entry<'_>) -> Syntax {
        let words = [
            ("auto", Syntax::Auto),
            ("intel", Syntax::Intel),
            ("att", Syntax::Att),
            ("go", Syntax::Go),
        ];
        self.word("syntax", value, &words).unwrap_or_default()
    }

    fn separates(&mut self, value: &Entry<'_>) -> bool {
        self.word("separator", value, &[(";", true)]).is_some()
    }

    fn go(&mut self, value: &Entry<'_>) -> Option<Release> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type("go", value, "a release in quotes", "\"1.27\"");
            return None;
        };
        match text.parse() {
            Ok(release) => Some(release),
            Err(message) => {
                self.error(value.span(), message, "write `go = \"1.27\"`");
                None
            }
        }
    }

    /// Names and signatures.
    fn methods(&mut self, key: &str, value: &Entry<'_>) -> (Vec<String>, Vec<String>) {
        let methods: Option<Vec<(&str, &str)>> = value.get_ref().as_array().and_then(|array| {
            let texts = array.iter().map(|method| method.get_ref().as_str());
            texts
                .map(|text| text.map(|text| text.split_at(text.find('(').unwrap_or(text.len()))))
                .collect()
        });
        let Some(methods) = methods else {
            self.wrong_type(key, value, "a list of texts", "[\"Id\"]");
            return Default::default();
        };
        for (name, signature) in &methods {
            if !signature.is_empty()
                && let Err(message) = Signature::parse(signature)
            {
                let help = "write `methods = [\"Add(int32, int32) int32\"]`, or the name alone";
                self.error(value.span(), format!("method `{name}`: {message}"), help);
            }
        }
        let (names, signatures): (Vec<String>, Vec<String>) = methods
            .into_iter()
            .map(|(name, signature)| (name.trim().to_string(), signature.to_string()))
            .unzip();
        if let Some(twice) = names
            .iter()
            .enumerate()
            .find(|(at, name)| names[..*at].contains(name))
        {
            let message = format!("method `{}` comes twice", twice.1);
            self.error(
                value.span(),
                message,
                "Go lists an interface's methods by name, each once",
            );
        }
        (names, signatures)
    }

    /// One text, or a list of them.
    fn texts(&mut self, key: &str, value: &Entry<'_>, example: &str) -> Vec<String> {
        let Some(array) = value.get_ref().as_array() else {
            return self.text(key, value).into_iter().collect();
        };
        let texts = array
            .iter()
            .map(|one| one.get_ref().as_str().map(String::from));
        match texts
            .collect::<Option<Vec<String>>>()
            .filter(|texts| !texts.is_empty())
        {
            Some(texts) => texts,
            None => {
                self.wrong_type(key, value, "a text or a list of at least one text", example);
                Vec::new()
            }
        }
    }

    fn results(&mut self, value: &Entry<'_>) -> Vec<ResultRegister> {
        let mut results: Vec<ResultRegister> = Vec::new();
        for text in self.texts("result", value, "\"eax\"") {
            match register(&text) {
                Ok(one) if results.iter().any(|other| other.number == one.number) => {
                    let help = "name each register once".to_string();
                    self.error(
                        value.span(),
                        format!("`{text}` holds a result already"),
                        help,
                    );
                }
                Ok(one) => results.push(one),
                Err(help) => {
                    self.error(value.span(), format!("`{text}` cannot hold a result"), help);
                }
            }
        }
        if results.len() > MOST_RESULTS {
            let message = format!("at most {MOST_RESULTS} registers hold results");
            self.error(value.span(), message, "combine some of them in the body");
        }
        results
    }

    /// What each result must be: a number, a formula, or a list of these.
    fn expect(&mut self, value: &Entry<'_>, known: &Known) -> Vec<Formula> {
        self.formulas("expect", value, known)
    }

    fn formulas(&mut self, key: &str, value: &Entry<'_>, known: &Known) -> Vec<Formula> {
        match value.get_ref() {
            DeValue::Array(all) => all
                .iter()
                .filter_map(|one| self.formula(key, one, known))
                .collect(),
            _ => self.formula(key, value, known).into_iter().collect(),
        }
    }

    fn formula(&mut self, key: &str, value: &Entry<'_>, known: &Known) -> Option<Formula> {
        match value.get_ref() {
            DeValue::Integer(number) => {
                let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
                if parsed.is_none() {
                    self.error(
                        value.span(),
                        format!("`{key}` is an unsigned number of 64 bits"),
                        "write what the register holds, zero-extended: 0xffffffff for -1 in eax",
                    );
                }
                parsed.map(Formula::Number)
            }
            DeValue::String(text) => match Formula::parse(text, known) {
                Ok(formula) => Some(formula),
                Err(refused) => {
                    self.refused(value, refused);
                    None
                }
            },
            _ => {
                self.wrong_type(
                    key,
                    value,
                    "a whole number or a formula in quotes",
                    "\"id + type\"",
                );
                None
            }
        }
    }

    /// What is wrong inside a text: its place is exact where the text stands there as it is.
    fn refused(&mut self, value: &Entry<'_>, refused: Refused) {
        let span = value.span();
        let text = value.get_ref().as_str().unwrap_or_default();
        let is_plain = span.len() == text.len() + 2;
        let before: usize = text.chars().take(refused.at).map(char::len_utf8).sum();
        let span = match is_plain {
            true => span.start + 1 + before..span.end.max(span.start + 2 + before) - 1,
            false => span,
        };
        self.error(span, refused.message, refused.help);
    }

    fn object(&mut self, value: &Entry<'_>) -> Option<ObjectShape> {
        let text = self.text("object", value)?;
        match ObjectShape::parse(&text) {
            Ok(shape) => Some(shape),
            Err(refused) => {
                self.refused(value, refused);
                None
            }
        }
    }

    /// `{ "main.J" = ["Add", "Sub"] }`
    fn interfaces(&mut self, value: &Entry<'_>) -> Vec<Interface> {
        let Some(table) = value.get_ref().as_table() else {
            let wanted = "a table from interface to methods";
            self.wrong_type("interfaces", value, wanted, "{ \"main.J\" = [\"Add\"] }");
            return Vec::new();
        };
        let mut interfaces = Vec::new();
        for (name, methods) in table {
            let key = format!("interfaces.\"{}\"", name.get_ref());
            let (methods, signatures) = self.methods(&key, methods);
            interfaces.push(Interface {
                name: name.get_ref().to_string(),
                methods,
                signatures,
            });
        }
        interfaces
    }

    fn unroll(&mut self, value: &Entry<'_>) -> u32 {
        match integer(value.get_ref()) {
            Some(copies @ 1..=MAX_UNROLL) => copies as u32,
            _ => {
                self.wrong_type(
                    "unroll",
                    value,
                    &format!("a whole number from 1 to {MAX_UNROLL}"),
                    "4",
                );
                1
            }
        }
    }

    /// `["object", "data", "rsi = 1", "rdi = object"]`
    fn assumed(&mut self, value: &Entry<'_>) -> Vec<Assumption> {
        let mut all = Vec::new();
        for text in self.texts("assumed", value, "[\"rsi = 1\"]") {
            match Assumption::parse(&text) {
                Some(one) => all.push(one),
                None => self.error(
                    value.span(),
                    format!("`{text}` is nothing that can be assumed"),
                    "write \"object\", \"data\", \"rsi = 1\" or \"rdi = object\": it is said where a fault follows from it",
                ),
            }
        }
        all
    }

    fn bind(&mut self, value: &Entry<'_>) -> BTreeMap<String, String> {
        let aliases: Option<BTreeMap<String, String>> =
            value.get_ref().as_table().and_then(|table| {
                table
                    .iter()
                    .map(|(from, to)| {
                        Some((
                            from.get_ref().to_string(),
                            to.get_ref().as_str()?.to_string(),
                        ))
                    })
                    .collect()
            });
        if aliases.is_none() {
            self.wrong_type(
                "bind",
                value,
                "a table from symbol to symbol",
                "{ \"main.f\" = \"main.g\" }",
            );
        }
        aliases.unwrap_or_default()
    }
}

/// Whether a text would be seen as several lines.
fn breaks_lines(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// The same of any text in a value: each is a name, or stands in one line with others.
fn has_line_break(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::String(text) => breaks_lines(text),
        DeValue::Array(all) => all.iter().any(|one| has_line_break(one.get_ref())),
        DeValue::Table(all) => all
            .iter()
            .any(|(key, value)| breaks_lines(key.get_ref()) || has_line_break(value.get_ref())),
        _ => false,
    }
}

/// A whole number that fits 64 bits with a sign.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn described(value: &DeValue<'_>) -> String {
    let kind = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(number) => return format!("the whole number {number}"),
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    kind.to_string()
}
