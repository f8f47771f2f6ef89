//! Expansion: minijinja over the text of a scenario, and then sections.
//!
//! Correct means: every line that comes out carries the number of the template line it came from,
//! also out of loops and macros, and an expansion that never ends is an error, not a hang.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value as Jinja};
use serde::{Deserialize, Serialize};

use super::{Scenario, chains};
use crate::asm::{SourceLine, SourceSection};
use crate::go::Release;
use crate::go::hash::type_hash;
use crate::go::switch::{jump_table, site_cache};
use crate::template::parse::{MARK, plain_lines};
use crate::template::source::SourceText;
use crate::template::{Value, header, parts, sections};
use crate::text::diagnostic::Diagnostic;

/// Steps of minijinja that an expansion may take: 131,072 types take up to 40 million in the shipped templates,
/// and at this limit an endless loop is found in a few seconds.
const FUEL: u64 = 60_000_000;

/// Longest text that an expansion may give, bytes: 131,072 functions of forty lines.
const MAX_EXPANDED: usize = 192 << 20;

/// What to do about an expansion that takes too much.
pub const ENDLESS: &str =
    "look for a loop, macro or text that grows without an end, or lower the parameter";

/// Longest range, so that a slip of a digit does not fill the memory before the fuel is out.
const MAX_RANGE: i64 = 1 << 20;

/// Texts to expand, the template's first, and all that their tags can name: plain data, for whichever
/// process expands them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Expansion {
    texts: Vec<Marked>,
    params: BTreeMap<String, Value>,
    release: Release,
    methods: Vec<String>,
    types: Vec<String>,
}

/// A text whose lines carry their numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Marked {
    text: String,
    /// Bytes of the mark in front of each line.
    prefixes: Vec<usize>,
    /// Lines in front of the first one, of the texts before.
    before: u32,
    /// What the names in its tags mean: indices into the texts behind the template's.
    names: BTreeMap<String, usize>,
}

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unexpanded {
    /// The line, counted through the template and then through what it includes; 0 where that is not known.
    pub line: usize,
    /// What of the line's text is wrong, in bytes, where that is known.
    pub range: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Carries an expansion out, as long as it does not take too much.
pub type Renderer<'a> = &'a dyn Fn(&Expansion) -> Result<String, Unexpanded>;

impl Scenario {
    /// The scenario's text, expanded where the header asks for it, in sections, without the part
    /// that is left out.
    ///
    /// # Errors
    /// What minijinja refuses, or sections or marks of parts that are not sound; all at lines of the
    /// template itself.
    pub fn expand(&self) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
        self.expand_by(&|expansion| expansion.render(&|_| {}))
    }

    /// The same where `render` does the rendering, which may cut it off.
    ///
    /// # Errors
    /// As above, and that it was cut off.
    pub fn expand_by(&self, render: Renderer<'_>) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
        let sections = self.expand_whole(render)?;
        parts::leave_out(&self.template.source(), sections, self.omitted.as_deref())
    }

    /// The names of the template's parts under these parameters, in the order of their first lines.
    ///
    /// # Errors
    /// What is wrong with the expansion, the sections or the marks.
    pub fn parts(&self) -> Result<Vec<String>, Vec<Diagnostic>> {
        self.parts_by(&|expansion| expansion.render(&|_| {}))
    }

    /// The same where `render` does the rendering, which may cut it off.
    ///
    /// # Errors
    /// As above, and that it was cut off.
    pub fn parts_by(&self, render: Renderer<'_>) -> Result<Vec<String>, Vec<Diagnostic>> {
        parts::names(&self.template.source(), &self.expand_whole(render)?)
    }

    /// The same scenario without a part, which its name then says. Whether there is such a part
    /// shows when it is expanded.
    #[must_use]
    pub fn without(&self, part: &str) -> Scenario {
        Scenario {
            name: format!("{} without {part}", self.name),
            omitted: Some(part.to_string()),
            ..self.clone()
        }
    }

    /// The same with every part in it.
    fn expand_whole(&self, render: Renderer<'_>) -> Result<Vec<SourceSection>, Vec<Diagnostic>> {
        let source = self.template.source();
        let lines = if self.template.header.expand {
            let expansion = self.expansion(&source);
            for marked in &expansion.texts {
                if let Some(at) = chains::too_long(&marked.text) {
                    return Err(vec![chain_complaint(&source, marked, at)]);
                }
            }
            let rendered = render(&expansion)
                .map_err(|refusal| vec![complaint(&source, &expansion.texts, refusal)])?;
            unmark(&source, &rendered)
        } else {
            plain_lines(&source)
        };
        sections::split(&source, lines, &self.template.header)
    }

    fn expansion(&self, source: &SourceText<'_>) -> Expansion {
        let includes = &self.template.includes;
        let texts = source
            .files()
            .enumerate()
            .map(|(at, (before, lines))| Marked {
                names: includes.names_of(at).clone(),
                ..mark_lines(lines, before)
            });
        Expansion {
            texts: texts.collect(),
            params: self.params.clone(),
            release: self.release,
            methods: self.template.header.methods.clone(),
            types: self.type_names(),
        }
    }
}

impl Expansion {
    /// The text that comes out. `note` hears of each line of the template whose text does.
    ///
    /// # Errors
    /// What minijinja refuses.
    pub fn render(&self, note: &dyn Fn(u32)) -> Result<String, Unexpanded> {
        let refused = |error: Error| {
            let error = innermost(&error);
            let text = error.name().and_then(|name| name.parse::<usize>().ok());
            let before = text
                .and_then(|at| self.texts.get(at))
                .map_or(0, |text| text.before);
            Unexpanded {
                line: before as usize + error.line().unwrap_or(1),
                range: error.range(),
                message: sentence(error),
                help: advice(error).map(str::to_string),
            }
        };
        // An index is what minijinja calls a text, and what its errors tell of it.
        let names: Vec<String> = (0..self.texts.len()).map(|at| at.to_string()).collect();
        let mut environment = environment();
        let meaning: Vec<_> = self.texts.iter().map(|text| text.names.clone()).collect();
        environment.set_path_join_callback(move |name, parent| {
            let parent = parent.parse::<usize>().ok();
            let meant = parent.and_then(|at| meaning.get(at)?.get(name));
            meant.map_or(name.into(), |at| (at + 1).to_string().into())
        });
        let release = self.release;
        environment.add_function("hash", move |name: &str| hash(release, name));
        environment.add_function("jump_table", table_of);
        environment.add_function("site_cache", |hashes: Vec<u32>| {
            site_cache(&hashes).into_iter().collect::<Jinja>()
        });
        let mut out = Bounded {
            text: Vec::new(),
            note,
        };
        for (name, marked) in names.iter().zip(&self.texts) {
            environment
                .add_template(name, &marked.text)
                .map_err(refused)?;
        }
        environment
            .get_template("0")
            .and_then(|template| {
                template
                    .render_captured_to(self.context(), &mut out)
                    .map(drop)
            })
            .map_err(refused)?;
        // What minijinja writes are pieces of text, whole characters each.
        Ok(String::from_utf8_lossy(&out.text).into_owned())
    }

    fn context(&self) -> BTreeMap<&str, Jinja> {
        let params = self.params.iter();
        let mut context: BTreeMap<&str, Jinja> = params
            .map(|(name, value)| {
                let value = match value {
                    Value::Bool(flag) => Jinja::from(*flag),
                    Value::Int(number) => Jinja::from(*number),
                    Value::Text(text) => Jinja::from(text.as_str()),
                };
                (name.as_str(), value)
            })
            .collect();
        let abi = if self.release.has_register_abi() {
            "register"
        } else {
            "stack"
        };
        let types: Vec<Jinja> = (0..).zip(&self.types).map(|one| self.entry(one)).collect();
        context.extend([
            ("abi", Jinja::from(abi)),
            ("go_minor", Jinja::from(self.release.minor())),
            ("methods", Jinja::from(self.methods.clone())),
            ("types", Jinja::from(types)),
        ]);
        context
    }

    fn entry(&self, (index, name): (u32, &String)) -> Jinja {
        // A release without a known hash is an error only for a template that uses the hash.
        let hash = hash(self.release, name).map_or_else(Jinja::from, Jinja::from);
        let fields = [
            ("index", Jinja::from(index)),
            ("name", Jinja::from(name.as_str())),
            ("hash", hash),
        ];
        Jinja::from_pairs(fields)
    }
}

fn hash(release: Release, name: &str) -> Result<u32, Error> {
    type_hash(release, name).map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))
}

/// A text that cannot grow without bound.
struct Bounded<'a> {
    text: Vec<u8>,
    note: &'a dyn Fn(u32),
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > MAX_EXPANDED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut marks = bytes.rsplit(|byte| *byte == MARK as u8);
        let line = marks.nth(1).and_then(|digits| str::from_utf8(digits).ok());
        line.and_then(|digits| digits.parse().ok())
            .into_iter()
            .for_each(self.note);
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true); // Errors carry their columns only then.
    environment.add_function("range", range);
    environment
}

/// Python's `range`, longer than minijinja's own.
fn range(first: i64, end: Option<i64>, step: Option<i64>) -> Result<Jinja, Error> {
    let (start, end) = end.map_or((0, first), |end| (first, end));
    let step = step.unwrap_or(1);
    let refuse = |reason: String| Err(Error::new(ErrorKind::InvalidOperation, reason));
    if step <= 0 {
        return refuse("range counts upwards: its step is at least 1".to_string());
    }
    if end.saturating_sub(start) / step > MAX_RANGE {
        return refuse(format!("a range has at most {MAX_RANGE} numbers"));
    }
    Ok((start..end)
        .step_by(step as usize)
        .map(Jinja::from)
        .collect())
}

/// The table by which a switch over `hashes` finds its case, or none.
fn table_of(hashes: Vec<u32>, spare_bits: u32) -> Jinja {
    let Some(table) = jump_table(&hashes, spare_bits) else {
        return Jinja::from(());
    };
    let slots: Vec<Option<usize>> = table.slots;
    let fields = [
        ("shift", Jinja::from(table.shift)),
        ("mask", Jinja::from((1u64 << table.bits) - 1)),
        ("slots", Jinja::from(slots)),
    ];
    Jinja::from_pairs(fields)
}

/// A text with its header blank and a mark `MARK number MARK` before each line that begins outside a tag.
/// `before` lines of other texts count in front of its first.
///
/// A mark inside a tag would be part of an expression. One at the end of a line would be lost or
/// kept depending on the blanks that a tag trims; before the line it stays with the line's text.
fn mark_lines(lines: &[&str], before: u32) -> Marked {
    let mut text = String::new();
    let mut prefixes = Vec::new();
    let mut state = Scan::Text;
    for (line, number) in lines.iter().zip(before + 1..) {
        let start = text.len();
        if state == Scan::Text && !is_condition(line) {
            text.push_str(&format!("{MARK}{number}{MARK}"));
        }
        prefixes.push(text.len() - start);
        if !header::is_header_line(line) {
            text.push_str(line);
            state = scan(line, state);
        }
        text.push('\n');
    }
    Marked {
        text,
        prefixes,
        before,
        names: BTreeMap::new(),
    }
}

/// Whether a line is one tag that gives no text and takes no time: of such ones large expansions have the
/// most, and no mark is worth its bytes there.
fn is_condition(line: &str) -> bool {
    let inner = line.trim().strip_prefix("{%");
    let inner = inner.and_then(|rest| rest.strip_suffix("%}"));
    inner.is_some_and(|inner| {
        let word = inner
            .trim_start_matches(['-', '+'])
            .split_whitespace()
            .next();
        let is_one = !inner.contains("{%") && !inner.contains("{{") && !inner.contains("{#");
        is_one && word.is_some_and(|word| ["if", "elif", "else", "endif"].contains(&word))
    })
}

/// Where a scan over minijinja's tags stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scan {
    Text,
    /// In a tag that ends with this character and `}`; the quote of an open string.
    Tag(u8, Option<u8>),
}

fn scan(line: &str, mut state: Scan) -> Scan {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let next = bytes.get(at + 1).copied();
        let (after, taken) = match (state, bytes[at], next) {
            (Scan::Text, b'{', Some(b'{')) => (Scan::Tag(b'}', None), 2),
            (Scan::Text, b'{', Some(kind @ (b'%' | b'#'))) => (Scan::Tag(kind, None), 2),
            (Scan::Tag(kind, None), byte, Some(b'}')) if byte == kind => (Scan::Text, 2),
            (Scan::Tag(kind @ (b'}' | b'%'), None), quote @ (b'"' | b'\''), _) => {
                (Scan::Tag(kind, Some(quote)), 1)
            }
            (Scan::Tag(_, Some(_)), b'\\', Some(_)) => (state, 2),
            (Scan::Tag(kind, Some(quote)), byte, _) if byte == quote => (Scan::Tag(kind, None), 1),
            _ => (state, 1),
        };
        state = after;
        at += taken;
    }
    state
}

/// Cuts the marks off again and gives each line its template line.
fn unmark(source: &SourceText<'_>, rendered: &str) -> Vec<SourceLine> {
    let mut current = 1;
    let mut lines = Vec::new();
    for line in rendered.lines() {
        let mut number = None;
        let mut text = String::with_capacity(line.len());
        for (piece, marks) in line.split(MARK).zip([false, true].into_iter().cycle()) {
            if marks {
                current = piece.parse().unwrap_or(current);
                continue;
            }
            if !piece.trim().is_empty() {
                number.get_or_insert(current);
            }
            text.push_str(piece);
        }
        let number = number.unwrap_or(current);
        // What was only a tag leaves an empty line behind, in a loop one each turn.
        if !text.trim().is_empty() || source.line(number).trim().is_empty() {
            lines.push(SourceLine { number, text });
        }
    }
    lines
}

fn chain_complaint(source: &SourceText<'_>, marked: &Marked, at: usize) -> Diagnostic {
    let text = &marked.text;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[..at].matches('\n').count();
    let start = (start + marked.prefixes[line]).min(at);
    let mut place = source.whole_line(marked.before + line as u32 + 1);
    place.column = text[start..at].chars().count() as u32 + 1;
    place.width = 1;
    let help = "cut it in two with `{% set %}`, or use a loop, or separate `{% if %}`";
    source.complain(place, chain_sentence(), Some(help.to_string()))
}

fn chain_sentence() -> String {
    format!(
        "more than {} operators, filters, subscripts or `elif` in one chain",
        chains::MAX_LINKS
    )
}

fn complaint(source: &SourceText<'_>, texts: &[Marked], refusal: Unexpanded) -> Diagnostic {
    let number = refusal.line.clamp(1, source.lines.len().max(1)) as u32;
    let mut place = source.whole_line(number);
    let marked = texts.iter().rev().find(|text| text.before < number);
    let line = marked.map(|marked| (marked, (number - marked.before) as usize));
    if let (Some(range), Some((marked, line))) = (refusal.range, line)
        && line <= marked.prefixes.len()
        && range.start <= range.end
    {
        let lines = marked.text.split_inclusive('\n').take(line - 1);
        let start = lines.map(str::len).sum::<usize>() + marked.prefixes[line - 1];
        let text = source.line(number);
        let begin = range.start.saturating_sub(start);
        let end = range.end.saturating_sub(start).min(text.len());
        if range.start >= start
            && begin < end
            && text.is_char_boundary(begin)
            && text.is_char_boundary(end)
        {
            place.column = text[..begin].chars().count() as u32 + 1;
            place.width = text[begin..end].chars().count() as u32;
        }
    }
    source.complain(place, refusal.message, refusal.help)
}

/// Where it went wrong, of errors that say that an included text did.
fn innermost(error: &Error) -> &Error {
    let inside = |error: &Error| error.kind() == ErrorKind::BadInclude;
    let mut at = error;
    while let Some(next) = std::error::Error::source(at)
        .and_then(|source| source.downcast_ref::<Error>())
        .filter(|_| inside(at))
    {
        at = next;
    }
    at
}

fn sentence(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => {
            format!("the expansion does not come to an end: it took more than {FUEL} steps")
        }
        (ErrorKind::WriteFailure, _) => {
            format!(
                "the expansion gives more than {} MiB of text",
                MAX_EXPANDED >> 20
            )
        }
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_string(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

fn advice(error: &Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::OutOfFuel | ErrorKind::WriteFailure => ENDLESS,
        ErrorKind::UndefinedError => "declare it in `params`, or define it with `{% set %}`",
        ErrorKind::SyntaxError => {
            "tags are `{% for x in range(n) %}`, `{% if %}`, `{{ value }}` and `{# comment #}`"
        }
        _ => return None,
    })
}
