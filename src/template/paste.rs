//! A text without sections, as compilers and disassemblers print it, as sections of a template.
//!
//! Correct means: the text is assembled as it stands, one function of it is called once an iteration,
//! and everything that nobody wrote is named as an assumption.

mod arguments;
mod functions;
mod go;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use arguments::Arguments;
use functions::{called, functions, globals, labels, without};

use super::sections::{opens, split_sections};
use super::source::{Place, SourceText};
use super::{Clobbers, Header};
use crate::asm::{self, Fixup, Section, SectionKind, SourceLine, SourceSection, Syntax};
use crate::text::diagnostic::Diagnostic;

/// The section that holds the text.
const CODE: &str = "listing";
/// The section that holds what the text puts into writable memory.
const DATA: &str = "listing.data";
/// Bytes of an object that a text names and does not define.
const UNKNOWN: u32 = 4096;

/// A text as sections.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pasted {
    /// All of them, ready to be assembled.
    pub(crate) sections: Vec<SourceSection>,
    /// What was assumed, a sentence each.
    pub(crate) assumed: Vec<String>,
    /// Registers whose value was.
    pub(crate) registers: Vec<Assumed>,
    /// The sections that nobody wrote, as text.
    generated: String,
    /// What a text in Go's syntax says beside.
    pub(crate) go: Option<go::Listed>,
}

/// A register that holds what nobody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assumed {
    /// Its 64-bit name.
    pub register: &'static str,
    /// What it holds; none where that is the address of an object.
    pub number: Option<u64>,
}

/// Whether a text has code and opens no section.
pub(crate) fn is_pasted(lines: &[SourceLine]) -> bool {
    let is_code = |line: &SourceLine| {
        let code = line.text.trim_start();
        !code.is_empty() && !code.starts_with([';', '#'])
    };
    let mut opened = lines.iter().filter(|line| opens(&line.text));
    // `func (t T) Add() {` and `data := t.data` are Go itself, which listings have between their lines.
    let is_source = |line: &SourceLine| {
        let code = line.text.trim_start();
        let behind = code.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let behind = behind.trim_start();
        behind.starts_with(":=") || code.starts_with("func ") && !behind.starts_with('"')
    };
    lines.iter().any(is_code)
        && match asm::is_go(lines, Syntax::Auto) {
            true => opened.all(is_source),
            false => opened.next().is_none(),
        }
}

/// The sections of a text, and what was assumed.
///
/// # Errors
/// What is wrong with any line; several functions and no word which of them is called.
pub(crate) fn paste(
    source: &SourceText<'_>,
    lines: Vec<SourceLine>,
    header: &Header,
) -> Result<Pasted, Vec<Diagnostic>> {
    if asm::is_go(&lines, header.syntax) {
        return go::paste(source, lines, header);
    }
    if let Some(other) = asm::of_other_bits(&lines, &source.file) {
        return Err(vec![other]);
    }
    let context = asm::Context {
        file: &source.file,
        hash: &|name| {
            Err(format!(
                "the hash of `{name}` is not known in a text without a header"
            ))
        },
        is_open: true,
        is_run: true,
        syntax: header.syntax,
        separates: header.separates,
        bound: &[],
        go_minor: None,
    };
    let (own, program, left) = assembled(&lines, header, &context)?;
    let all = asm::sources(&lines);
    let functions = functions(&all);
    let globals = globals(&all);
    let texts = asm::sources(&own[0].lines);
    let code = &program.sections[0];
    if code.size() == 0 {
        return Err(vec![without_code(source, &own)]);
    }
    let arguments = Arguments::new(&header.args)
        .map_err(|(message, help)| vec![source.complain(START, message, Some(help))])?;
    let mut assumed = left;
    let returns = own[0].lines.iter().any(|line| line.text.contains("ret"));
    let known: Vec<&str> = match functions.is_empty() {
        true => labels(code, &own[0].lines, &texts),
        false => functions.iter().map(String::as_str).collect(),
    };
    if known.is_empty() && header.call.is_none() && !returns {
        if let Some((name, value)) = header.args.first() {
            let message = format!("`--arg {name}={value}`: the text has no function that takes it");
            let help = format!("write `mov {name}, {value}` in front of it");
            return Err(vec![source.complain(START, message, Some(help))]);
        }
        assumed.push(
            "the text has no function and no `ret`, so all of it is one iteration".to_string(),
        );
        let mut sections = own;
        sections[0].kind = SectionKind::Body;
        sections[0].name = "body".to_string();
        return Ok(Pasted {
            sections,
            assumed,
            registers: Vec::new(),
            generated: String::new(),
            go: None,
        });
    }
    // What a text of NASM lets others see is a function, and its other labels may be none.
    let open: Vec<&str> = known
        .iter()
        .copied()
        .filter(|name| globals.contains(name))
        .collect();
    let known = match (header.call.as_deref(), &open[..]) {
        (None, [_]) if functions.is_empty() => open,
        _ => known,
    };
    let called = called(source, &known, header.call.as_deref())?;
    let mut generated = String::from("body:\n.intel_syntax noprefix\n");
    let entry = called.filter(|name| code.labels.iter().any(|label| label.name == **name));
    generated.push_str(&arguments.code());
    let _ = writeln!(generated, "  call \"{}\"", entry.unwrap_or(CODE));
    assumed.push(match called {
        Some(name) => format!("one iteration calls `{name}`"),
        None => "one iteration calls the first line".to_string(),
    });
    assumed.extend(arguments.sentence());
    assumed.push(around(&generated));
    generated.push_str(OBJECT);
    for (symbol, what) in unknown(&program.sections, &own) {
        let name = symbol.split('@').next().unwrap_or(&symbol);
        match what {
            Unknown::Slot => {
                let _ = writeln!(generated, "data \"{symbol}\": dq \"{name}\"");
            }
            Unknown::Guard => {
                let _ = write!(
                    generated,
                    "func \"{symbol}\":\n.intel_syntax noprefix\n  ud2\n"
                );
                assumed.push(format!(
                    "`{name}` is there and ends the run with an invalid opcode"
                ));
            }
            Unknown::Function => {
                let _ = write!(
                    generated,
                    "func \"{symbol}\":\n.intel_syntax noprefix\n  mov eax, 1\n  ret\n"
                );
                assumed.push(format!(
                    "`{name}`, which the text calls, returns 1{COUNTED}"
                ));
            }
            Unknown::Pointer => {
                let _ = writeln!(generated, "data \"{symbol}\": dq \"listing.callee\"");
                assumed.push(format!(
                    "`{name}`, which the text calls through memory, returns 1{COUNTED}"
                ));
            }
            Unknown::Address => {
                let _ = writeln!(generated, "data \"{symbol}\": dq \"listing.object\"");
                assumed.push(format!("`{name}` lies at the object's address"));
            }
            Unknown::Data => {
                let _ = writeln!(generated, "data \"{symbol}\": resb {UNKNOWN}");
                assumed.push(format!("`{name}` is {UNKNOWN} bytes of zeros"));
            }
        }
    }
    let text = SourceText::new(source.file.clone(), &generated);
    let lines = text.lines.iter().map(|text| SourceLine {
        number: 1,
        text: (*text).to_string(),
    });
    let mut sections = split_sections(&text, lines.collect())?;
    sections.extend(own);
    Ok(Pasted {
        sections,
        assumed,
        registers: arguments.assumed(),
        generated,
        go: None,
    })
}

/// Where what is wrong with no line is said.
const START: Place = Place {
    line: 1,
    column: 1,
    width: 1,
};

/// The sections of a text, and what they assemble to; without functions that are wrong and that nothing names, where
/// one is asked for by its name.
fn assembled(
    lines: &[SourceLine],
    header: &Header,
    context: &asm::Context<'_>,
) -> Result<(Vec<SourceSection>, asm::Program, Vec<String>), Vec<Diagnostic>> {
    let own = sections(lines);
    let found = match asm::assemble(&own, context) {
        Ok(program) => return Ok((own, program, Vec::new())),
        Err(found) => found,
    };
    let Some((rest, left)) = header
        .call
        .as_deref()
        .and_then(|called| without(lines, called, &found))
    else {
        return Err(found);
    };
    let own = sections(&rest);
    let Ok(program) = asm::assemble(&own, context) else {
        return Err(found);
    };
    let mut fixups = program.sections.iter().flat_map(|section| &section.fixups);
    let is_left = |symbol: &str| {
        let name = symbol.split('@').next().unwrap_or(symbol);
        left.iter().any(|left| left.name == name)
    };
    if fixups.any(|fixup| is_left(&fixup.symbol)) {
        return Err(found);
    }
    Ok((
        own,
        program,
        left.iter().map(|left| left.sentence()).collect(),
    ))
}

/// What a text puts into its code, and what into memory that is written to.
fn sections(lines: &[SourceLine]) -> Vec<SourceSection> {
    let (code, data) = apart(lines, &asm::sources(lines));
    let section = |kind, name: &str, lines: Vec<SourceLine>| SourceSection {
        kind,
        name: name.to_string(),
        place: None,
        line: lines.first().map_or(1, |line| line.number),
        lines,
    };
    let mut own = vec![section(SectionKind::Func, CODE, code)];
    if !data.is_empty() {
        own.push(section(SectionKind::Data, DATA, data));
    }
    own
}

/// Why nothing of a text can run.
fn without_code(source: &SourceText<'_>, own: &[SourceSection]) -> Diagnostic {
    let mut lines = own.iter().flat_map(|section| &section.lines);
    let is_left = |line: &&SourceLine| line.text.contains(".gnu.lto_");
    let (place, message, help) = match lines.find(is_left) {
        Some(line) => (
            Place {
                line: line.number,
                ..START
            },
            "the compiler has left the code to the linker, and the text has none",
            "compile it with -fno-lto, or with -ffat-lto-objects",
        ),
        None => (
            START,
            "the text has no instruction",
            "paste a function, or write a `body:` with what one iteration does",
        ),
    };
    source.complain(place, message.to_string(), Some(help.to_string()))
}

/// How much of an iteration is none of the text, but its body as it stands up to here: the call and what leads to it.
fn around(body: &str) -> String {
    let count = body.lines().filter(|line| line.starts_with("  ")).count();
    format!(
        "{count} of the instructions that are counted, and one of the branches, are this call and what gives it its \
         arguments"
    )
}

/// What a call of a function that is not there adds to the counts: the two instructions of `listing.callee`.
const COUNTED: &str = ": 2 more instructions that are counted, and one branch, at each call";

/// What stands in for arguments. The words behind the function's first lead to it again, so that a pointer to
/// objects leads somewhere, too.
const OBJECT: &str = "\
data \"listing.object\": times 512 dq \"listing.table\"
data \"listing.table\": times 512 dq \"listing.callee\"
func \"listing.callee\":
.intel_syntax noprefix
  mov eax, 1
  ret
  align 8
  times 64 dq \"listing.callee\"
";

impl Pasted {
    /// Gives a header what only the text says.
    pub(crate) fn settle(&self, header: &mut Header) {
        // Nobody has said which registers a pasted function leaves alone.
        header.clobbers = Clobbers::All;
        if let Some(go) = &self.go {
            go.settle(header);
        }
    }

    /// The template that this text is, with what was assumed as comments.
    pub(crate) fn text(&self, header: &Header, source: &SourceText<'_>) -> String {
        let mut text = String::new();
        let stated = stated(source);
        if !stated.iter().any(|(key, _)| *key == "title") {
            text.push_str(";! title = \"a pasted listing\"\n");
        }
        text.push_str(";! clobbers = \"all\"\n");
        for (_, line) in stated {
            let _ = writeln!(text, ";! {line}");
        }
        text.push_str(match header.syntax {
            // Each section shows what it is, and the call is Intel's.
            Syntax::Auto | Syntax::Go => "",
            Syntax::Intel => ";! syntax = \"intel\"\n",
            Syntax::Att => ";! syntax = \"att\"\n",
        });
        if header.separates {
            text.push_str(";! separator = \";\"\n");
        }
        if let Some(go) = &self.go {
            text.push_str(&go.header());
        }
        for one in &self.assumed {
            let _ = writeln!(text, "; Assumed: {one}.");
        }
        text.push('\n');
        text.push_str(&self.generated);
        if let Some(go) = &self.go {
            text.push_str(&go::sections_text(&self.sections[go.first_own..]));
            return text;
        }
        for section in &self.sections {
            let header = match section.name.as_str() {
                CODE => format!("func \"{CODE}\":\n"),
                DATA => format!("data \"{DATA}\":\n"),
                "body" if self.generated.is_empty() => "body:\n".to_string(),
                _ => continue,
            };
            text.push_str(&header);
            for line in &section.lines {
                let _ = writeln!(text, "{}", line.text);
            }
        }
        text
    }
}

/// The header's lines that mean the same in a template, with their keys; the other ones are said of the text, or
/// once more.
fn stated<'a>(source: &SourceText<'a>) -> Vec<(&'a str, &'a str)> {
    const KEPT: [&str; 5] = ["title", "source", "result", "expect", "bind"];
    let mut key = "";
    let mut lines = Vec::new();
    for line in &source.lines {
        let line = line.trim_start();
        let Some(line) = line.strip_prefix(";!").or(line.strip_prefix("//!")) else {
            continue;
        };
        // A value may go on in the next line.
        if let Some((word, _)) = line.split_once('=')
            && word
                .trim()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            key = word.trim();
        }
        if KEPT.contains(&key) {
            lines.push((key, line.trim()));
        }
    }
    lines
}

/// Lines of code and tables, and lines of what is written to; constants count for both.
fn apart(lines: &[SourceLine], texts: &[&str]) -> (Vec<SourceLine>, Vec<SourceLine>) {
    let (mut code, mut data) = (Vec::new(), Vec::new());
    let mut is_data = false;
    let mut has_data = false;
    for (line, text) in lines.iter().zip(texts) {
        let mut words = text
            .split([' ', '\t', ',', '[', ']', '\'', '"'])
            .filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let writable = |name: &str| {
            [".data", ".bss", ".tdata", ".tbss", "_DATA", "_BSS"]
                .iter()
                .any(|begin| name.starts_with(begin))
                && !name.starts_with(".data.rel.ro")
        };
        let is_constant = is_constant(text, first, second);
        let begins = match second.to_ascii_lowercase().as_str() {
            // MASM has its name in front.
            "segment" => "segment",
            "ends" => ".text",
            _ => first,
        };
        let (to_code, to_data) = match begins.to_ascii_lowercase().as_str() {
            ".data" | ".bss" | ".data?" => {
                is_data = true;
                (false, false)
            }
            ".section" | "section" | "segment" if writable(second) || writable(first) => {
                is_data = true;
                (false, false)
            }
            ".section" | "section" | "segment" | ".text" | ".code" | ".const" => {
                is_data = false;
                (true, false)
            }
            ".comm" | ".lcomm" | "comm" => (false, true),
            _ => (!is_data || is_constant, is_data || is_constant),
        };
        has_data |= to_data && !is_constant;
        if to_code {
            code.push(line.clone());
        }
        if to_data {
            data.push(line.clone());
        }
    }
    if !has_data {
        data.clear();
    }
    (code, data)
}

/// Whether a line names a number or an address that is the same wherever the line stands.
fn is_constant(text: &str, first: &str, second: &str) -> bool {
    let is_named = matches!(first, ".set" | ".equ" | ".equiv" | "%define" | "%assign")
        || second == "="
        || second.eq_ignore_ascii_case("equ");
    // `$-msg` is a distance from here.
    let code = text.split(';').next().unwrap_or_default();
    let mut words = code.split([' ', '\t', ',', '-', '+', '(', ')']);
    is_named && !code.contains('$') && !words.any(|word| word == ".")
}

/// What a text names and does not define.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// What C calls where the guard of a stack has changed.
    Guard,
    /// What is called.
    Function,
    /// The linker's word for the address of what the text does define.
    Slot,
    /// A word in memory that is called through.
    Pointer,
    /// A word in memory that holds an address.
    Address,
    /// Anything else.
    Data,
}

fn unknown(sections: &[Section], sources: &[SourceSection]) -> BTreeMap<String, Unknown> {
    let is_known = |name: &str| {
        sections.iter().any(|section| {
            section.name == name || section.labels.iter().any(|label| label.name == name)
        })
    };
    let mut found = BTreeMap::new();
    for (section, source) in sections.iter().zip(sources) {
        let numbers = source.lines.iter().map(|line| line.number);
        let texts: HashMap<u32, &str> = numbers.zip(asm::sources(&source.lines)).collect();
        for fixup in section
            .fixups
            .iter()
            .filter(|fixup| !is_known(&fixup.symbol))
        {
            found.entry(fixup.symbol.clone()).or_insert_with(|| {
                let text = texts.get(&fixup.line).copied().unwrap_or("");
                let slot = fixup.symbol.split_once("@GOTPCREL");
                match kind(fixup, text) {
                    _ if slot.is_some_and(|(name, _)| is_known(name)) => Unknown::Slot,
                    Unknown::Address
                        if texts
                            .values()
                            .any(|other| calls_what_was_loaded(text, other)) =>
                    {
                        Unknown::Pointer
                    }
                    kind => kind,
                }
            });
        }
    }
    found
}

/// Whether a line calls the register that another one loads: `mov rax, [rip+f@GOTPCREL]`, `call rax`.
fn calls_what_was_loaded(load: &str, call: &str) -> bool {
    let code = |line: &'_ str| {
        line.split('#')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    };
    let (load, call) = (code(load), code(call));
    let operands = load
        .split_once([' ', '\t'])
        .map_or("", |(_, operands)| operands);
    let register = match operands.contains('%') {
        true => operands.rsplit(',').next(),
        false => operands.split(',').next(),
    };
    let mut words = call.split([' ', '\t']).filter(|word| !word.is_empty());
    let is_call = words.next().is_some_and(|word| word.starts_with("call"));
    let called = words.next().map(|word| word.trim_start_matches(['*', '%']));
    is_call
        && called.is_some()
        && called == register.map(|register| register.trim().trim_start_matches('%'))
}

fn kind(fixup: &Fixup, text: &str) -> Unknown {
    let branches = text
        .split_whitespace()
        .any(|word| word.starts_with("call") || word.starts_with('j') || word.starts_with("loop"));
    let is_indirect = text.contains(['[', '*']);
    if fixup.symbol.starts_with("__stack_chk_fail") && !is_indirect {
        return Unknown::Guard;
    }
    match (branches, is_indirect, fixup.symbol.contains("@GOTPCREL")) {
        (true, false, _) => Unknown::Function,
        (true, true, _) => Unknown::Pointer,
        (false, _, true) => Unknown::Address,
        _ => Unknown::Data,
    }
}
