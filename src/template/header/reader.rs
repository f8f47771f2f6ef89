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
use crate::go::types::Signature;
use crate::go::{HeapKind, Release};
use crate::template::params::MAX_SITES;
use crate::template::source::{Place, SourceText};
use crate::template::{Clobbers, Expect, Header, ResultRegister};
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

/// Every key a header may have.
const KEYS: [&str; 17] = [
    "bind",
    "call",
    "clobbers",
    "dispatch",
    "expand",
    "expect",
    "go",
    "heap",
    "methods",
    "params",
    "result",
    "separator",
    "source",
    "syntax",
    "title",
    "types",
    "unroll",
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
                "types" => header.types = self.text("types", value).unwrap_or_default(),
                "methods" => (header.methods, header.signatures) = self.methods(value),
                "params" => {} // Read below: which names it may have depends on the heap.
                "result" => header.result = self.result(value),
                "expect" => header.expect = self.expect(value),
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
            let help = format!("at most {MAX_SITES}: each has two images of its own");
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
    fn methods(&mut self, value: &Entry<'_>) -> (Vec<String>, Vec<String>) {
        let methods: Option<Vec<(&str, &str)>> = value.get_ref().as_array().and_then(|array| {
            let texts = array.iter().map(|method| method.get_ref().as_str());
            texts
                .map(|text| text.map(|text| text.split_at(text.find('(').unwrap_or(text.len()))))
                .collect()
        });
        let Some(methods) = methods else {
            self.wrong_type("methods", value, "a list of texts", "[\"Id\"]");
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

    fn result(&mut self, value: &Entry<'_>) -> Option<ResultRegister> {
        let text = self.text("result", value)?;
        match register(&text) {
            Ok(register) => Some(register),
            Err(help) => {
                self.error(value.span(), format!("`{text}` cannot hold a result"), help);
                None
            }
        }
    }

    fn expect(&mut self, value: &Entry<'_>) -> Option<Expect> {
        if let DeValue::Integer(number) = value.get_ref() {
            let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
            if parsed.is_none() {
                self.error(
                    value.span(),
                    "`expect` is compared as an unsigned number of 64 bits",
                    "write what the register holds, zero-extended: 0xffffffff for -1 in eax",
                );
            }
            return parsed.map(Expect::Constant);
        }
        if value.get_ref().as_str().is_none() {
            self.wrong_type(
                "expect",
                value,
                "a whole number, \"id\", \"type\" or \"id+type\"",
                "\"id\"",
            );
            return None;
        }
        let words = [
            ("id", Expect::Id),
            ("type", Expect::Type),
            ("id+type", Expect::IdPlusType),
        ];
        self.word("expect", value, &words)
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
