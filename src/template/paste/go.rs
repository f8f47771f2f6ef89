//! A listing of Go's compiler or disassembler, or a source of its assembler, as sections of a template.
//!
//! Correct means: one function of it is called once an iteration, in the convention of the release that
//! the listing is of; what it reaches is there as it was pasted, or as the runtime is modelled; and
//! everything that nobody wrote is named as an assumption.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use super::{Pasted, called};
use crate::asm::{self, Fixup, Program, SectionKind, SourceLine, SourceSection};
use crate::formula::{Formula, Known};
use crate::go::layout::{self, OBJECT_SIZE};
use crate::go::object::{MOST_BYTES, ObjectShape};
use crate::go::symbol::{itab, package, pointer_method, type_descriptor};
use crate::go::types::predeclared_size;
use crate::go::{HeapKind, Release, hash, runtime};
use crate::template::sections::split_sections;
use crate::template::source::{Place, SourceText};
use crate::template::{Header, Param, Value};
use crate::text::diagnostic::Diagnostic;

/// The section of what stands in front of the first function.
const REST: &str = "listing";
/// The last release whose disassembler turns comparisons round.
const TURNED: Release = Release::BEFORE_NEWEST;
/// The runtime's functions that look for an itab by its names.
const LOOKUPS: [&str; 9] = [
    "runtime.assertE2I",
    "runtime.assertE2I2",
    "runtime.assertI2I",
    "runtime.assertI2I2",
    "runtime.convI2I",
    "runtime.getitab",
    "runtime.interfaceSwitch",
    "runtime.typeAssert",
    "runtime.ifaceE2I",
];
/// The runtime's functions that call what a type compares its values with.
const COMPARISONS: [&str; 4] = [
    "runtime.efaceeq",
    "runtime.ifaceeq",
    "runtime.interequal",
    "runtime.nilinterequal",
];
/// Bytes of a datum that is named and nowhere.
const UNKNOWN: u32 = 4096;
/// Registers that carry arguments since Go 1.17, by Go's names and as 64 bits.
#[rustfmt::skip]
const REGISTERS: [(&str, &str); 9] = [
    ("AX", "rax"), ("BX", "rbx"), ("CX", "rcx"), ("DI", "rdi"), ("SI", "rsi"),
    ("R8", "r8"), ("R9", "r9"), ("R10", "r10"), ("R11", "r11"),
];
/// Bytes of arguments that the harness has room for.
const MOST_ARGUMENTS: u32 = 256;

/// What a listing says of the template that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    release: Release,
    receiver: Option<Receiver>,
    /// The first section that was pasted, behind those that nobody wrote.
    pub(super) first_own: usize,
}

/// What a listing says of the receiver that it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receiver {
    /// Whether its first word is an itab or a type.
    pub(crate) heap: HeapKind,
    /// Pattern of its types.
    pub(crate) types: String,
    /// The methods of its interface.
    pub(crate) methods: Vec<String>,
    /// Whether an itab of the text says so; else they are all methods of the type that the text has.
    is_told: bool,
    /// The symbol that is its first word, where that is of the text.
    word: Option<String>,
    /// What its second word is.
    value: Data,
    /// Bytes of its objects, as far as a type of the text says it.
    size: Result<u32, String>,
}

/// The data word of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    /// Where the value is.
    Pointer,
    /// The value itself, which points to an object.
    Value,
    /// The value itself, which nobody made: of maps, channels and functions.
    Nil,
}

impl Receiver {
    /// What nobody said of it.
    fn assumptions(&self) -> Vec<String> {
        let is_open = self.heap == HeapKind::Iface && !self.is_told;
        let methods = is_open.then(|| {
            format!(
                "the interface has the methods {}, all that the text has of {}: an itab that is pasted, too, says which",
                self.methods.join(", "),
                self.types
            )
        });
        let value = match (self.value, &self.size) {
            (Data::Nil, _) => Some(format!(
                "the value of {} is nil, for none is given",
                self.types
            )),
            (Data::Value, Ok(_)) if !self.types.starts_with('*') => Some(format!(
                "the value of {} points to {OBJECT_SIZE} bytes, the object's number and zeros",
                self.types
            )),
            (_, Ok(_)) => None,
            (_, Err(name)) => Some(format!(
                "the objects of {} have {OBJECT_SIZE} bytes: `{name}` that is pasted, too, says how many",
                self.types
            )),
        };
        methods.into_iter().chain(value).collect()
    }

    /// What the loop loads for it, where the text has its first word.
    fn words(&self) -> Option<[String; 2]> {
        let value = match self.value {
            Data::Nil => "0",
            Data::Pointer | Data::Value => "object",
        };
        self.word
            .as_ref()
            .map(|word| [format!("\"{word}\""), value.to_string()])
    }

    /// The symbol that the first word of one value points to.
    fn first_word(&self) -> String {
        let name = self.types.replace("{t}", "0");
        match (&self.word, self.heap) {
            (None, HeapKind::Iface) => itab(&name, &format!("{}.I", package(&name))),
            _ => itab_or_type(self, &name),
        }
    }

    /// What its objects hold, where that is more than an object of 16 bytes does: their number, and zeros.
    fn object(&self) -> Option<String> {
        let size = self.size.as_ref().ok().filter(|size| **size > OBJECT_SIZE);
        size.map(|size| format!("dd id; resb {}", size - 4))
    }
}

/// The sections of a text in Go's syntax, and what was assumed.
///
/// # Errors
/// What is wrong with any line; several functions and no word which of them is called; an argument
/// that is none.
pub(super) fn paste(
    source: &SourceText<'_>,
    lines: Vec<SourceLine>,
    header: &Header,
) -> Result<Pasted, Vec<Diagnostic>> {
    let told = told(&lines);
    let release = match header.states_go {
        true => header.go,
        false => told.unwrap_or(Release::NEWEST),
    };
    if header.states_go
        && let Some(wrong) = contradicted(source, release, &lines)
    {
        return Err(vec![wrong]);
    }
    let mixed = mixed(source, release, &lines)?;
    let mut own = sections(lines);
    let hash = |name: &str| hash::type_hash(release, &asm::go_type(name));
    let bound: Vec<String> = header.bind.keys().cloned().collect();
    let context = asm::Context {
        file: &source.file,
        hash: &hash,
        is_open: true,
        is_run: false,
        syntax: asm::Syntax::Go,
        separates: header.separates,
        bound: &bound,
        go_minor: header.states_go.then(|| header.go.minor()),
    };
    // What is wrong with a section counts where it is reached.
    let (program, refused) = match asm::assemble(&own, &context) {
        Ok(program) => (program, BTreeMap::new()),
        Err(all) => {
            let refused = refused(&mut own, all)?;
            (asm::assemble(&own, &context)?, refused)
        }
    };
    let order = asm::keeps_order(&own);
    let release = match order {
        _ if header.states_go => release,
        Some(true) => Release::NEWEST,
        Some(false) if release == Release::NEWEST => TURNED,
        _ => release,
    };
    let is_open = !header.states_go && release >= TURNED;
    let release = if is_open {
        newest_with(release, &program)
    } else {
        release
    };
    let functions: Vec<&str> = own
        .iter()
        .zip(&program.sections)
        .filter(|(one, made)| one.kind == SectionKind::Func && made.size() > 0)
        .map(|(one, _)| one.name.as_str())
        .filter(|name| *name != REST)
        .collect();
    let wanted = header.call.as_deref().map(asm::go_symbol);
    let of_refused = refused.iter().filter(|(_, one)| one.is_function);
    let of_refused = of_refused.map(|(name, _)| name.as_str());
    let all: Vec<&str> = functions.iter().copied().chain(of_refused).collect();
    let entry = called(source, &all, wanted.as_deref())?.unwrap_or(REST);
    let mut text = Text {
        release,
        is_register: is_register(&own, entry, release),
        functions: &functions,
        generated: String::new(),
        made: HashSet::new(),
        program: &program,
        unhashed: None,
        uncompared: Vec::new(),
        assumed: vec![format!(
            "one iteration calls `{entry}`, and the release is {release}{}: `go = \"1.N\"` in a header says another",
            match told {
                None if !header.states_go && order.is_none() =>
                    ", for nothing in the text tells it",
                _ => "",
            }
        )],
    };
    text.assumed.extend(mixed);
    let interfaces = interfaces(source, header, (&functions, &program))?;
    for interface in &interfaces {
        text.assumed.extend(interface.receiver.assumptions());
    }
    let has = |symbol: &str| own.iter().any(|one| one.name == symbol);
    text.body(source, header, entry, &interfaces, frame(&own, entry))?;
    let mut roots = vec![entry.to_string()];
    for interface in interfaces.iter().skip(1) {
        let word = interface.receiver.first_word();
        if !has(&word) {
            roots.extend(
                text.datum(&word)
                    .map_err(|what| refuse(source, what, String::new()))?,
            );
        }
        roots.push(word);
    }
    let receiver = interfaces.into_iter().next().map(|one| one.receiver);
    if let Some(receiver) = &receiver {
        let names = (0..).map(|number| receiver.types.replace("{t}", &number.to_string()));
        let of_types = names.map(|name| (itab_or_type(receiver, &name), type_descriptor(&name)));
        let count = if receiver.types.contains("{t}") {
            usize::MAX
        } else {
            1
        };
        for (word, kind) in of_types
            .take(count)
            .take_while(|(word, kind)| count == 1 || has(word) || has(kind))
        {
            if receiver.word.is_some() && !has(&word) {
                roots.extend(
                    text.datum(&word)
                        .map_err(|what| refuse(source, what, String::new()))?,
                );
            }
            roots.extend([word, kind].into_iter().filter(|symbol| has(symbol)));
        }
        let all = functions
            .iter()
            .filter(|name| receiver.word.is_none() && is_method(name, receiver));
        roots.extend(all.map(|name| (*name).to_string()));
    }
    // Functions of assumed itabs are reached through them.
    let mut known: HashSet<String> = own.iter().map(|one| one.name.clone()).collect();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    while let Some(name) = roots.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        if let Some(one) = refused.get(&name) {
            return Err(one.why.clone());
        }
        if LOOKUPS.contains(&name.as_str()) {
            // They find what no line names.
            let itabs = own.iter().filter(|one| one.name.starts_with("go.itab."));
            roots.extend(itabs.map(|one| one.name.clone()));
            text.lookup();
        }
        let at = own.iter().position(|one| one.name == name);
        let Some(at) = at else { continue };
        if own[at].kind == SectionKind::Func
            && let Some(line) = asm::runs_off(&own[at].lines)
        {
            let message = format!(
                "`{name}` ends here, and execution runs on: lines are missing behind this one"
            );
            let help = "paste the function to its end".to_string();
            return Err(vec![source.complain(whole(line), message, Some(help))]);
        }
        if own[at].kind == SectionKind::Data
            && let Some(bytes) = asm::unshown(&own[at].lines)
        {
            text.assumed.push(format!(
                "the last {bytes} bytes of `{name}` are zeros, for no row shows them"
            ));
        }
        for fixup in &program.sections[at].fixups {
            let symbol = header.bind.get(&fixup.symbol).unwrap_or(&fixup.symbol);
            roots.push(symbol.clone());
            if refused.contains_key(symbol) {
                continue;
            }
            if known.insert(symbol.clone()) && !is_called(fixup, &own[at]) {
                let place = Place {
                    line: fixup.line,
                    column: fixup.column,
                    width: fixup.symbol.chars().count() as u32,
                };
                if own[at].kind == SectionKind::Func
                    && let Some(help) = unmodelled(symbol, text.release)
                {
                    let message = format!("`{symbol}` is read here, and is not modelled");
                    return Err(vec![source.complain(place, message, Some(help))]);
                }
                let found = text.datum(symbol).map_err(|what| {
                    let help = "paste its `SRODATA` or `SNOPTRDATA` block, with its rows and `rel` lines, too";
                    vec![source.complain(place, what, Some(help.to_string()))]
                })?;
                roots.extend(found);
            }
        }
    }
    let compares = COMPARISONS.iter().any(|name| reached.contains(*name));
    if let Some(missing) = text.uncompared.first().filter(|_| compares) {
        let mut fixups = program.sections.iter().flat_map(|one| &one.fixups);
        let line = fixups
            .find(|one| one.symbol == *missing)
            .map_or(1, |one| one.line);
        let message =
            format!("`{missing}`, which compares values of this type, is not in the text");
        let help = "paste its function and its `SRODATA` block, too";
        return Err(vec![source.complain(
            source.whole_line(line),
            message,
            Some(help.to_string()),
        )]);
    }
    let left = refused.iter().map(|(name, one)| (name, &one.why[0]));
    let left = left.map(|(name, why)| {
        let line = why.line;
        format!(
            "`{name}` is left out, for nothing reaches it, and line {line} of it is wrong: {}",
            why.message
        )
    });
    text.assumed.extend(left);
    if let Some(why) = &text.unhashed {
        let functions = own
            .iter()
            .filter(|one| one.kind == SectionKind::Func && reached.contains(&one.name));
        let mut lines = functions.flat_map(|one| &one.lines);
        if let Some(line) = lines.find(|line| reads_hash(&line.text)) {
            let place = whole(line);
            let message = format!("the hash of a type is read here: {why}");
            let help = "paste the type's own `SRODATA` block, whose rows have its hash, or say another release in the header";
            return Err(vec![source.complain(
                place,
                message,
                Some(help.to_string()),
            )]);
        }
    }
    let written = SourceText::new(source.file.clone(), &text.generated);
    let lines = written.lines.iter().map(|text| SourceLine {
        number: 1,
        text: (*text).to_string(),
    });
    let mut all = split_sections(&written, lines.collect())?;
    let first_own = all.len();
    let Text {
        assumed, generated, ..
    } = text;
    own.retain(|one| reached.contains(&one.name));
    all.extend(own);
    Ok(Pasted {
        sections: all,
        assumed,
        registers: Vec::new(),
        generated,
        go: Some(Listed {
            release,
            receiver,
            first_own,
        }),
    })
}

/// A section that cannot be assembled.
struct Unread {
    is_function: bool,
    /// What is wrong with it, at least one thing.
    why: Vec<Diagnostic>,
}

/// Takes the functions and data out that something is wrong with.
///
/// # Errors
/// All of it, where it is wrong in front of the first of them, or in no line.
fn refused(
    own: &mut Vec<SourceSection>,
    all: Vec<Diagnostic>,
) -> Result<BTreeMap<String, Unread>, Vec<Diagnostic>> {
    let holder = |line: u32| {
        let mut sections = own.iter().filter(|one| one.name != REST);
        sections.find(|one| one.lines.iter().any(|own| own.number == line))
    };
    let mut refused: BTreeMap<String, Unread> = BTreeMap::new();
    for why in &all {
        let Some(section) = holder(why.line) else {
            return Err(all);
        };
        let one = refused
            .entry(section.name.clone())
            .or_insert_with(|| Unread {
                is_function: section.kind == SectionKind::Func,
                why: Vec::new(),
            });
        one.why.push(why.clone());
    }
    own.retain(|one| !refused.contains_key(&one.name));
    Ok(refused)
}

/// The functions and data of the text, each once.
fn sections(lines: Vec<SourceLine>) -> Vec<SourceSection> {
    let whole = SourceSection {
        kind: SectionKind::Func,
        name: REST.to_string(),
        place: None,
        line: lines.first().map_or(1, |line| line.number),
        lines,
    };
    let mut seen = HashSet::new();
    let all = asm::split_go(vec![whole]).into_iter();
    all.filter(|one| seen.insert(one.name.clone())).collect()
}

/// The newest release up to this one that has the functions of the runtime which a listing names, as far as any has them.
/// Those before [`SINCE_PUSH`] look otherwise.
fn newest_with(newest: Release, program: &Program) -> Release {
    let fixups = program.sections.iter().flat_map(|one| &one.fixups);
    let named = fixups.map(|fixup| &fixup.symbol[..]);
    let named: BTreeSet<&str> = named.filter(|name| name.starts_with("runtime.")).collect();
    let missing = |release: Release| {
        let known = runtime::names(release);
        let is_known = |name: &&&str| known.iter().any(|one| one == **name);
        named.iter().filter(|name| !is_known(name)).count()
    };
    let older = (SINCE_PUSH..newest.minor()).rev();
    let older = older.filter_map(|minor| format!("1.{minor}").parse().ok());
    let mut best = (missing(newest), newest);
    for release in older.take_while(|_| !named.is_empty()) {
        if best.0 == 0 {
            break;
        }
        let missing = missing(release);
        if missing < best.0 {
            best = (missing, release);
        }
    }
    best.1
}

/// The first release whose functions begin with `PUSHQ BP`.
const SINCE_PUSH: u8 = 21;

/// The release that a listing looks like; none where nothing in it tells.
fn told(lines: &[SourceLine]) -> Option<Release> {
    let has = |part: &str| lines.iter().any(|line| line.text.contains(part));
    let any = |parts: &[&str]| parts.iter().any(|part| has(part));
    let has_g = has("(R14)");
    let is_dotted = lines.iter().any(|line| is_dotted(&line.text));
    let is_colon = lines.iter().any(|line| is_colon(&line.text));
    let minor = if has_g && !is_dotted && (has("PUSHQ\tBP") || has("PUSHQ BP")) {
        Release::NEWEST.minor()
    } else if has_g {
        if is_colon { 20 } else { 19 }
    } else if any(&["(TLS)", "\"\".", "FS:", "GS:"]) {
        match () {
            () if has("staticuint64s") => 15,
            () if any(&["convT16(", "convT32(", "convT64(", "convTstring("]) => 12,
            () => 10,
        }
    } else if is_dotted {
        19
    } else if is_colon {
        Release::NEWEST.minor()
    } else {
        return None;
    };
    format!("1.{minor}").parse().ok()
}

/// Whether a line spells a name as listings up to Go 1.19 do.
fn is_dotted(line: &str) -> bool {
    let parts = [
        "go.itab.",
        "go.string.",
        "type..",
        "type.*",
        "type.main.",
        "type.\"\".",
    ];
    parts.iter().any(|part| line.contains(part)) || names_type(line)
}

/// Whether a line spells a name as listings since Go 1.20 do.
fn is_colon(line: &str) -> bool {
    ["go:itab.", "go:string.", "type:"]
        .iter()
        .any(|part| line.contains(part))
}

/// Lines that look like those of two releases: what is said of their names.
///
/// # Errors
/// Code in both conventions.
fn mixed(
    source: &SourceText<'_>,
    release: Release,
    lines: &[SourceLine],
) -> Result<Option<String>, Vec<Diagnostic>> {
    let first = |is: &dyn Fn(&str) -> bool| lines.iter().find(|line| is(&line.text));
    let is_row = |text: &str| text.trim_start().starts_with("0x") || text.contains(".go:");
    let stack = first(&|text| is_row(text) && text.contains("(TLS), CX"));
    let register = first(&|text| is_row(text) && REGISTER_G.iter().any(|part| text.contains(part)));
    if let (Some(stack), Some(register)) = (stack, register) {
        let message = format!(
            "this line is of a listing since Go 1.17, with arguments in registers, and line {} of one up to Go 1.16, with arguments on the stack",
            stack.number
        );
        let help = "paste the functions of one release".to_string();
        return Err(vec![source.complain(whole(register), message, Some(help))]);
    }
    Ok(match (first(&is_dotted), first(&is_colon)) {
        (Some(dotted), Some(colon)) => Some(format!(
            "all is of Go {release}, though line {} spells a name as Go does up to 1.19, and line {} as it does since 1.20",
            dotted.number, colon.number
        )),
        _ => None,
    })
}

/// How the check of the stack names g where that is in a register.
const REGISTER_G: [&str; 2] = ["16(R14)", "0x10(R14)"];

/// Whether a line names a type as listings up to Go 1.19 do: `type.int(SB)`, `type.int SRODATA`.
fn names_type(line: &str) -> bool {
    let mut all = line.match_indices("type.");
    all.any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let behind = line[at..].find("(SB)").is_some() || line[at..].contains(" SRODATA");
        behind && before.is_none_or(|c| matches!(c, ' ' | '\t' | ',' | '$'))
    })
}

/// What contradicts the release that a header states: a line of code in the other convention.
fn contradicted(
    source: &SourceText<'_>,
    release: Release,
    lines: &[SourceLine],
) -> Option<Diagnostic> {
    let is_row =
        |line: &&SourceLine| line.text.trim_start().starts_with("0x") || line.text.contains(".go:");
    let other = match release.has_register_abi() {
        true => &["(TLS), CX"][..],
        false => &REGISTER_G,
    };
    let is_other = |line: &&SourceLine| other.iter().any(|part| line.text.contains(part));
    let line = lines.iter().filter(is_row).find(is_other)?;
    let stated = source.lines.iter().position(|line| {
        let key = line.trim_start_matches(['/', ';', '!', ' ']);
        key.strip_prefix("go")
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    })?;
    let kind = match release.has_register_abi() {
        true => "up to Go 1.16, with arguments on the stack",
        false => "since Go 1.17, with arguments in registers",
    };
    let message = format!(
        "this line is of a listing {kind}, and line {} says `go = \"{release}\"`",
        stated + 1
    );
    let help = "take the release out of the header, or write that of the listing";
    Some(source.complain(whole(line), message, Some(help.to_string())))
}

/// The `TEXT` line of a function, without its columns.
fn opening<'a>(own: &'a [SourceSection], name: &str) -> Option<&'a str> {
    let section = own.iter().find(|one| one.name == name)?;
    let mut texts = section.lines.iter().map(|line| line.text.as_str());
    texts.find_map(|text| Some(&text[text.find("TEXT")?..]).filter(|text| text.contains("(SB)")))
}

/// Whether a function takes its arguments in registers: compiled ones since Go 1.17 do, and those that
/// are written by hand do not.
fn is_register(own: &[SourceSection], name: &str, release: Release) -> bool {
    let is_listed = own.iter().filter(|one| one.name == name).any(|one| {
        let mut lines = one.lines.iter().map(|line| line.text.as_str());
        lines.any(|text| {
            text.contains("0x") && text.trim_start().starts_with(['0', '/', '='])
                || text.contains(".go:")
        })
    });
    let is_marked = opening(own, name).is_some_and(|text| text.contains("ABIInternal"));
    release.has_register_abi() && (is_listed || is_marked)
}

/// Bytes of arguments and results, as the `TEXT` line says, or the heading in front of it.
fn frame(own: &[SourceSection], name: &str) -> u32 {
    /// What is taken where nothing says it.
    const UNSAID: u32 = 64;
    let size = opening(own, name).and_then(|text| {
        let (_, size) = text.rsplit_once('$')?;
        let size = size.split(['/', ';', ' ', '\t']).next()?;
        size.rsplit_once('-')?.1.trim().parse().ok()
    });
    let heading = || {
        let section = own.iter().find(|one| one.name == name)?;
        let (_, size) = section.lines.first()?.text.split_once(" args=0x")?;
        u32::from_str_radix(size.split(' ').next()?, 16).ok()
    };
    size.or_else(heading).unwrap_or(UNSAID).min(MOST_ARGUMENTS)
}

/// Whether a symbol is branched to, rather than read.
fn is_called(fixup: &Fixup, section: &SourceSection) -> bool {
    let line = section.lines.iter().find(|line| line.number == fixup.line);
    let mut words = line
        .map_or("", |line| line.text.as_str())
        .split_whitespace();
    words.any(|word| matches!(word, "CALL" | "DUFFZERO" | "DUFFCOPY") || asm::is_go_jump(word))
}

/// What to do about a datum of the runtime that is not modelled; none for others.
fn unmodelled(symbol: &str, release: Release) -> Option<String> {
    let function = symbol.strip_suffix(".f").unwrap_or(symbol);
    let is_runtime = symbol.starts_with("runtime.");
    let is_there = runtime::has_datum(symbol, release) || runtime::has_datum(function, release);
    (is_runtime && !is_there).then(|| {
        format!(
            "of the runtime's data there are {}; paste its block, or let a datum of your own take its place by `bind = {{ \"{symbol}\" = \"main.mine\" }}` in the header",
            runtime::DATA.map(|name| name.trim_start_matches("runtime.")).join(", ")
        )
    })
}

/// Whether a line may read a type's hash, or an itab's: both have its 32 bits at offset 16.
fn reads_hash(line: &str) -> bool {
    let mut words = line.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let is_load = words.any(|word| matches!(word, "MOVL" | "CMPL"));
    let is_hash = |word: &str| {
        let (offset, base) = word.split_once('(').unwrap_or((word, ""));
        let is_type = offset.starts_with("type") || offset.starts_with("go");
        match base {
            "SP)" => false,
            "SB)" => is_type && offset.ends_with("+16"),
            _ => matches!(offset, "16" | "0x10"),
        }
    };
    is_load && words.any(is_hash)
}

/// A type whose methods the text has.
fn is_method(function: &str, receiver: &Receiver) -> bool {
    let types = receiver.types.trim_start_matches('*');
    let (package, rest) = function.split_once(".(*").unwrap_or((function, ""));
    let Some((name, method)) = rest.split_once(").") else {
        return false;
    };
    let is_type = match types.split_once("{t}") {
        None => types == format!("{package}.{name}"),
        Some((stem, _)) => format!("{package}.{name}")
            .strip_prefix(stem)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())),
    };
    is_type && receiver.methods.iter().any(|one| one == method)
}

/// Whether an argument is a receiver: of an interface with methods, or of `any`.
fn is_receiver(word: &str) -> bool {
    matches!(word, "iface" | "eface")
}

/// What the rows of a pasted type say of its values: how many bytes they have, and what an interface holds of one.
fn described(program: &Program, name: &str) -> Option<(u64, Data)> {
    /// The flag of types whose values are an interface's data word: in the kind up to Go 1.25, and since among the flags.
    const DIRECT: u8 = 1 << 5;
    const CHAN: u8 = 18;
    const MAP: u8 = 21;
    let symbol = type_descriptor(name);
    let section = program
        .sections
        .iter()
        .find(|one| one.kind == SectionKind::Data && one.name == symbol)?;
    let at = |field: layout::Field| section.bytes.get(field.offset as usize).copied();
    let size = section
        .bytes
        .first_chunk()
        .copied()
        .map(u64::from_le_bytes)?;
    let kind = at(layout::TYPE_KIND)?;
    let is_direct = (kind | at(layout::TYPE_TFLAG)?) & DIRECT != 0;
    let value = match kind & (DIRECT - 1) {
        _ if !is_direct => Data::Pointer,
        CHAN | MAP | layout::KIND_FUNC => Data::Nil,
        _ => Data::Value,
    };
    Some((size, value))
}

/// Bytes of the objects of a type, and what an interface holds of one; the type that says nothing where none does.
fn objects(program: &Program, name: &str) -> (Result<u32, String>, Data) {
    let own = described(program, name);
    let value = own.map_or(Data::Pointer, |(_, value)| value);
    let value = if name.starts_with('*') {
        Data::Value
    } else {
        value
    };
    let size = match (name.strip_prefix('*'), own) {
        (Some(pointed), _) => described(program, pointed).map(|(size, _)| size),
        // What it points to is not said.
        (None, Some((_, Data::Value | Data::Nil))) => Some(u64::from(OBJECT_SIZE)),
        (None, own) => own.map(|(size, _)| size),
    };
    let size = size.or_else(|| predeclared_size(name.trim_start_matches('*')));
    let size = size.map(|size| u32::try_from(size).unwrap_or(u32::MAX));
    let unsaid = type_descriptor(name.strip_prefix('*').unwrap_or(name));
    (size.ok_or(unsaid), value)
}

/// The symbol that the first word of a type's receivers points to.
fn itab_or_type(receiver: &Receiver, name: &str) -> String {
    match &receiver.word {
        Some(word) => word.replace(&receiver.types, name),
        None => type_descriptor(name),
    }
}

/// The itabs that the text has of a type: each interface with its methods in the order of `fun`.
fn itabs(program: &Program, name: &str) -> Vec<(String, Vec<String>)> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let data = program
        .sections
        .iter()
        .filter(|one| one.kind == SectionKind::Data);
    for section in data {
        let own = section.name.strip_prefix("go.itab.");
        let Some((of, interface)) = own.and_then(|own| own.split_once(',')) else {
            continue;
        };
        if of != name {
            continue;
        }
        let [pointers, values] = [
            pointer_method(name, ""),
            format!("{}.", name.trim_start_matches('*')),
        ];
        let mut methods: Vec<(u32, String)> = Vec::new();
        for fixup in &section.fixups {
            let method = fixup.symbol.strip_prefix(&*pointers);
            let method = method.or_else(|| fixup.symbol.strip_prefix(&*values));
            methods.extend(method.map(|method| (fixup.offset, method.to_string())));
        }
        methods.sort_unstable();
        let methods: Vec<String> = methods.into_iter().map(|(_, method)| method).collect();
        if !methods.is_empty() {
            found.insert(interface.to_string(), methods);
        }
    }
    found.into_iter().collect()
}

/// An argument that is an interface.
struct Interface {
    receiver: Receiver,
    /// Where its first word is, as it was written; none at the beginning.
    place: Option<String>,
}

/// What `--arg iface=main.T0` and `--arg BX=iface=main.T0` ask for: first the one whose receivers a walk visits.
fn interfaces(
    source: &SourceText<'_>,
    header: &Header,
    text: (&[&str], &Program),
) -> Result<Vec<Interface>, Vec<Diagnostic>> {
    let mut given: Vec<(Option<&str>, &str, &str)> = Vec::new();
    for (word, value) in &header.args {
        if is_receiver(word) {
            given.push((None, word, value));
        } else if let Some((kind, name)) = placed(value) {
            given.push((Some(word), kind, name));
        }
    }
    given.sort_by_key(|(place, ..)| place.is_some());
    if given.iter().filter(|(place, ..)| place.is_none()).count() > 1 {
        let help = "give the second one its place, `--arg CX=iface=main.T0`, or on the stack `--arg '16(SP)=iface=main.T0'`"
            .to_string();
        return Err(refuse(
            source,
            "`--arg iface` and `--arg eface` are both given".to_string(),
            help,
        ));
    }
    let made = given.into_iter().map(|(place, word, name)| {
        Ok(Interface {
            receiver: receiver(source, (word, name), text)?,
            place: place.map(str::to_string),
        })
    });
    made.collect()
}

/// The kind and the type in `iface=main.T0`, the value of an argument in a place of its own.
fn placed(value: &str) -> Option<(&str, &str)> {
    value.split_once('=').filter(|(kind, _)| is_receiver(kind))
}

/// The receivers of a type.
fn receiver(
    source: &SourceText<'_>,
    (word, name): (&str, &str),
    (functions, program): (&[&str], &Program),
) -> Result<Receiver, Vec<Diagnostic>> {
    let heap = if word == "iface" {
        HeapKind::Iface
    } else {
        HeapKind::Eface
    };
    let (name, interface) = match name.split_once(',') {
        Some((name, interface)) => (name, Some(interface)),
        None => (name, None),
    };
    let pointer = format!("*{name}");
    let is_pointed = heap == HeapKind::Iface
        && !name.starts_with('*')
        && is_pointed(program, &name.replace("{t}", "0"));
    let name = if is_pointed {
        pointer
    } else {
        name.to_string()
    };
    let first = name.replace("{t}", "0");
    let (size, value) = objects(program, &first);
    let of = |name: &str| -> Vec<String> {
        let begin = match value {
            Data::Pointer => pointer_method(name, ""),
            _ if name.starts_with('*') => pointer_method(name, ""),
            Data::Value | Data::Nil => format!("{name}."),
        };
        let methods = functions
            .iter()
            .filter_map(|function| function.strip_prefix(&*begin));
        let methods: BTreeSet<&str> = methods
            .filter(|method| !method.contains(['.', '-']))
            .collect();
        methods.into_iter().map(str::to_string).collect()
    };
    let told = itabs(program, &first);
    let told = match (interface, &told[..]) {
        _ if heap == HeapKind::Eface => None,
        (Some(interface), all) => {
            let wanted = asm::go_type(interface);
            let found = all.iter().find(|(name, _)| *name == wanted);
            let Some(found) = found else {
                let message = format!("the text has no itab of `{first}` for `{interface}`");
                return Err(refuse(
                    source,
                    message,
                    "paste it, or leave the interface out".into(),
                ));
            };
            Some(found.clone())
        }
        (None, []) => None,
        (None, [one]) => Some(one.clone()),
        (None, all) => {
            let names: Vec<String> = all
                .iter()
                .map(|(name, _)| format!("`{first},{name}`"))
                .collect();
            return Err(refuse(
                source,
                format!("`--arg iface={name}`: the text has itabs of it for several interfaces"),
                format!("say which: {}", names.join(", ")),
            ));
        }
    };
    let is_told = told.is_some();
    let all = of(&first);
    let (interface, methods) = match told {
        Some((interface, methods)) => (Some(interface), methods),
        None => (None, all.clone()),
    };
    if methods.is_empty() && heap == HeapKind::Iface {
        let wanted = pointer_method(&first, "NAME");
        return Err(refuse(
            source,
            format!(
                "`--arg iface={name}`: the text has no method of `*{}`",
                first.trim_start_matches('*')
            ),
            format!(
                "paste its functions `{wanted}`, too; an itab leads to those of the pointer type"
            ),
        ));
    }
    if let Some(size) = size.as_ref().ok().filter(|size| **size > MOST_BYTES) {
        return Err(refuse(
            source,
            format!(
                "`--arg {word}={name}`: its values have {size} bytes, and an object here at most {MOST_BYTES}"
            ),
            "call a function that makes one".to_string(),
        ));
    }
    let has_itab = |name: &str| {
        interface
            .as_ref()
            .is_none_or(|wanted| itabs(program, name).iter().any(|(one, _)| one == wanted))
    };
    // Where the next type is there as well, a walk can visit several.
    let types = match first.strip_suffix('0').filter(|_| !name.contains("{t}")) {
        Some(stem) if of(&format!("{stem}1")) == all && has_itab(&format!("{stem}1")) => {
            format!("{stem}{{t}}")
        }
        _ => name.clone(),
    };
    let word = match (heap, interface, value) {
        (HeapKind::Iface, Some(interface), _) => Some(itab(&types, &interface)),
        (HeapKind::Iface, None, Data::Value | Data::Nil) if !name.starts_with('*') => {
            Some(itab(&types, &format!("{}.I", package(&first))))
        }
        (HeapKind::Eface, _, Data::Nil) => Some(type_descriptor(&types)),
        _ => None,
    };
    Ok(Receiver {
        heap,
        types,
        methods,
        is_told,
        word,
        value,
        size,
    })
}

/// Whether the text has itabs of the pointer to a type, and none of the type: its receivers are pointers.
fn is_pointed(program: &Program, name: &str) -> bool {
    let [own, pointer] = [name, &format!("*{name}")].map(|name| !itabs(program, name).is_empty());
    pointer && !own
}

/// All of a line.
fn whole(line: &SourceLine) -> Place {
    Place {
        line: line.number,
        column: 1,
        width: line.text.trim_end().chars().count() as u32,
    }
}

fn refuse(source: &SourceText<'_>, message: String, help: String) -> Vec<Diagnostic> {
    let place = Place {
        line: 1,
        column: 1,
        width: 1,
    };
    vec![source.complain(place, message, Some(help))]
}

/// The sections that nobody wrote, while they are written.
struct Text<'a> {
    release: Release,
    is_register: bool,
    functions: &'a [&'a str],
    program: &'a Program,
    generated: String,
    /// The data among them.
    made: HashSet<String>,
    assumed: Vec<String>,
    /// Functions that compare values of a pasted type and are not there, as the type names them.
    uncompared: Vec<String>,
    /// Why the hash of a type is not there, if one is wanted.
    unhashed: Option<String>,
}

impl Text<'_> {
    /// The call, with its arguments.
    fn body(
        &mut self,
        source: &SourceText<'_>,
        header: &Header,
        entry: &str,
        interfaces: &[Interface],
        bytes: u32,
    ) -> Result<(), Vec<Diagnostic>> {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &header.args {
            if is_receiver(name) || placed(value).is_some() {
                continue;
            }
            let value = number(value).ok_or_else(|| {
                refuse(
                    source,
                    format!("`--arg {name}={value}`: the value is a whole number"),
                    "write --arg AX=5, --arg AX=0x10, --arg iface=main.T0, or for `any` --arg eface=main.T0; in another place --arg BX=iface=main.T0"
                        .to_string(),
                )
            })?;
            values.insert(name.clone(), value);
        }
        let mut said = Vec::new();
        let places = interfaces.iter().map(|one| self.place(one, bytes));
        let places: Option<Vec<usize>> = places.collect();
        let taken: Vec<usize> = places
            .iter()
            .flatten()
            .flat_map(|at| [*at, at + 1])
            .collect();
        let is_twice = taken
            .iter()
            .enumerate()
            .any(|(at, one)| taken[..at].contains(one));
        let known = match self.is_register {
            true => "it takes AX, BX, CX, DI, SI, R8 to R11, iface and eface, and those in two registers that follow each other, BX=iface=main.T0"
                .to_string(),
            false => format!(
                "it takes 0(SP), 8(SP) and so on up to {bytes} bytes, iface and eface, and those in two words, 8(SP)=iface=main.T0"
            ),
        };
        let Some(places) = places.filter(|_| !is_twice) else {
            let names = interfaces.iter().filter_map(|one| one.place.as_deref());
            let names = names.collect::<Vec<_>>().join(", ");
            let message = match is_twice {
                true => format!("the interface at {names} has a word that another one has, too"),
                false => format!("`{entry}` has no room for an interface at {names}"),
            };
            return Err(refuse(source, message, known));
        };
        let mut objects = String::new();
        let out = &mut self.generated;
        out.push_str("body:\n.intel_syntax noprefix\n");
        let words = (0..).zip(interfaces.iter().zip(&places));
        for (number, (Interface { receiver, .. }, &at)) in words {
            let first = match receiver.heap {
                HeapKind::Iface => "itab",
                _ => "type",
            };
            let [low, high] = [at, at + 1].map(|at| match self.is_register {
                true => REGISTERS[at].0.to_string(),
                false => format!("{}(SP)", 8 * at),
            });
            let types = match number {
                0 => receiver.types.clone(),
                _ => receiver.types.replace("{t}", "0"),
            };
            said.push(format!("{low} and {high} = {first} and object of {types}"));
            // The harness has loaded itab and object of the first one.
            let [itab, object] = match (self.is_register, number) {
                (true, 1..) => [REGISTERS[at].1, REGISTERS[at + 1].1],
                _ => ["rax", "rbx"],
            };
            if number > 0 {
                let _ = writeln!(out, "  lea {itab}, [\"{}\"]", receiver.first_word());
                if receiver.value == Data::Nil {
                    let _ = writeln!(out, "  xor {0}, {0}", half(object));
                } else {
                    let name = format!("listing.object{number}");
                    let size = receiver.size.as_ref().copied().unwrap_or(OBJECT_SIZE);
                    let room = size.max(OBJECT_SIZE) - 4;
                    let _ = writeln!(out, "  lea {object}, [\"{name}\"]");
                    let _ = write!(
                        objects,
                        "data \"{name}\":\n.intel_syntax noprefix\n  dd 1\n  resb {room}\n"
                    );
                }
            }
            out.push_str(&match (self.is_register, number, at) {
                (true, 0, 1) => "  mov rcx, rbx\n  mov rbx, rax\n".to_string(),
                (true, 0, 2..) => format!(
                    "  mov {}, rax\n  mov {}, rbx\n",
                    REGISTERS[at].1,
                    REGISTERS[at + 1].1
                ),
                (true, ..) => String::new(),
                (false, ..) => {
                    format!(
                        "  mov [rsp + {}], rax\n  mov [rsp + {}], rbx\n",
                        8 * at,
                        8 * at + 8
                    )
                }
            });
        }
        if self.is_register {
            let rest = REGISTERS
                .iter()
                .enumerate()
                .filter(|(at, _)| !taken.contains(at));
            for (_, (go, intel)) in rest {
                let value = values.remove(*go).unwrap_or_else(|| "0".to_string());
                let _ = match &*value {
                    "0" => writeln!(out, "  xor {0}, {0}", half(intel)),
                    value => writeln!(out, "  mov {intel}, {value}"),
                };
                said.push(format!("{go} = {value}"));
            }
            out.push_str("  xor edx, edx\n  xorps xmm15, xmm15\n");
        } else {
            let rest = (0..bytes.div_ceil(8) as usize).filter(|at| !taken.contains(at));
            for at in rest.map(|at| 8 * at) {
                let value = values
                    .remove(&format!("{at}(SP)"))
                    .unwrap_or_else(|| "0".to_string());
                let _ = match value.parse::<i32>() {
                    Ok(value) => writeln!(out, "  mov qword [rsp + {at}], {value}"),
                    Err(_) => writeln!(out, "  mov rax, {value}\n  mov [rsp + {at}], rax"),
                };
                said.push(format!("{at}(SP) = {value}"));
            }
        }
        let _ = writeln!(out, "  call \"{entry}\"");
        let body = out.rfind("body:").unwrap_or_default();
        let around = super::around(&out[body..]);
        out.push_str(&objects);
        if let Some((name, _)) = values.first_key_value() {
            return Err(refuse(
                source,
                format!("`--arg {name}`: `{entry}` has no such argument"),
                known,
            ));
        }
        self.assumed.push(match said.is_empty() {
            true => "it takes no arguments".to_string(),
            false => format!("its arguments are {}", said.join(", ")),
        });
        self.assumed.push(around);
        Ok(())
    }

    /// The number of the word that an interface begins with: a register, or 8 bytes of the stack; none where it
    /// has no room.
    fn place(&self, interface: &Interface, bytes: u32) -> Option<usize> {
        let (at, count) = match (self.is_register, interface.place.as_deref()) {
            (true, None) => (0, REGISTERS.len()),
            (true, Some(place)) => (
                REGISTERS.iter().position(|(name, _)| *name == place)?,
                REGISTERS.len(),
            ),
            // What takes no arguments still has room for one at the beginning.
            (false, None) => return Some(0),
            (false, Some(place)) => {
                let at: usize = place.strip_suffix("(SP)")?.parse().ok()?;
                (
                    at.is_multiple_of(8).then_some(at / 8)?,
                    bytes.div_ceil(8) as usize,
                )
            }
        };
        (at + 2 <= count).then_some(at)
    }

    /// That only what the text has can be looked up.
    fn lookup(&mut self) {
        const SAID: &str =
            "a type implements an interface where the text has their itab, and no other does";
        if !self.assumed.iter().any(|said| said == SAID) {
            self.assumed.push(SAID.to_string());
        }
    }

    /// A datum that is named and nowhere; the functions that it leads to.
    ///
    /// # Errors
    /// What it is, where no bytes can be assumed for it.
    fn datum(&mut self, symbol: &str) -> Result<Vec<String>, String> {
        if runtime::has_datum(symbol, self.release) || self.functions.contains(&symbol) {
            return Ok(Vec::new());
        }
        // An address that no line has is refused when the text is assembled.
        if symbol.starts_with("0x") {
            return Ok(Vec::new());
        }
        if !self.made.insert(symbol.to_string()) {
            return Ok(Vec::new());
        }
        let kinds = [
            ("..typeAssert.", "what an assertion looks for"),
            ("..interfaceSwitch.", "the cases of a type switch"),
            ("..dict.", "the types of a generic function"),
        ];
        let kind = kinds.iter().find(|(part, _)| symbol.contains(part));
        let kind = kind.map(|(_, what)| *what);
        let kind = kind.or(asm::is_jump_table(symbol).then_some("a table of jumps"));
        if let Some(what) = kind {
            return Err(format!("`{symbol}`, {what}, is not in the text"));
        }
        let function = symbol.strip_suffix(".f").unwrap_or_default();
        let is_modelled = function.starts_with("runtime.")
            && runtime::names(self.release)
                .iter()
                .any(|name| name == function);
        let out = &mut self.generated;
        let _ = write!(out, "data \"{symbol}\":\n.intel_syntax noprefix\n");
        let constant = symbol
            .strip_prefix("$f64.")
            .or(symbol.strip_prefix("$f32."));
        let text = asm::go_string(symbol);
        if let Some(bits) = constant.filter(|bits| u64::from_str_radix(bits, 16).is_ok()) {
            let width = if symbol.starts_with("$f64") {
                "dq"
            } else {
                "dd"
            };
            let _ = writeln!(out, "  {width} 0x{bits}");
        } else if let Some(text) = text {
            let bytes: Vec<String> = text.iter().map(u8::to_string).collect();
            let _ = match bytes.is_empty() {
                true => writeln!(out, "  resb 1"),
                false => writeln!(out, "  db {}", bytes.join(", ")),
            };
            self.assumed
                .push(format!("`{symbol}` holds the text of its name"));
        } else if let Some((name, interface)) = symbol
            .strip_prefix("go.itab.")
            .and_then(|name| name.rsplit_once(','))
        {
            return Ok(self.itab(name, interface));
        } else if self.functions.contains(&function) || is_modelled {
            let _ = writeln!(out, "  dq \"{function}\"");
            return Ok(vec![function.to_string()]);
        } else if function.starts_with("type..eq.") {
            let _ = writeln!(out, "  dq 0");
            self.uncompared.push(symbol.to_string());
        } else if let Some(mask) = symbol.strip_prefix("runtime.gcbits.").and_then(bytes_of) {
            let _ = writeln!(out, "  db {mask}");
        } else if symbol.starts_with("type..namedata.") || symbol.starts_with("type..importpath.") {
            let _ = writeln!(out, "  resb 64");
            self.assumed.push(format!(
                "`{symbol}`, which nothing that is modelled reads, is zeros"
            ));
        } else if let Some(name) = symbol.strip_prefix("type.") {
            let hash = hash::type_hash(self.release, &asm::go_type(name));
            let word = hash.as_ref().copied().unwrap_or(0);
            let _ = writeln!(out, "  dq 64, 0\n  dd {word:#x}\n  times 92 db 0");
            self.assumed.push(match hash {
                Ok(hash) => format!(
                    "of the type `{name}` there is its hash, {hash:#x}, and a size of 64 bytes"
                ),
                Err(why) => {
                    let said =
                        format!("the type `{name}` has a size of 64 bytes and no hash: {why}");
                    self.unhashed = Some(why);
                    said
                }
            });
        } else {
            let _ = writeln!(out, "  resb {UNKNOWN}");
            self.assumed
                .push(format!("`{symbol}` is {UNKNOWN} bytes of zeros"));
        }
        Ok(Vec::new())
    }

    /// The itab of a type, with the methods that the text has.
    fn itab(&mut self, name: &str, interface: &str) -> Vec<String> {
        let (_, value) = objects(self.program, name);
        let begin = match value {
            Data::Value | Data::Nil if !name.starts_with('*') => format!("{name}."),
            _ => pointer_method(name, ""),
        };
        let mut methods: Vec<String> = self
            .functions
            .iter()
            .filter(|function| {
                function.starts_with(&*begin) && !function[begin.len()..].contains(['.', '-'])
            })
            .map(|function| (*function).to_string())
            .collect();
        methods.sort();
        let hash = hash::type_hash(self.release, &asm::go_type(name)).unwrap_or(0);
        let out = &mut self.generated;
        let _ = writeln!(out, "  dq 0, \"type.{name}\"\n  dd {hash:#x}, 0");
        for method in &methods {
            let _ = writeln!(out, "  dq \"{method}\"");
        }
        let symbol = itab(name, interface);
        self.assumed.push(match methods.len() {
            0 => format!("`{symbol}` has no methods, for none of `{name}` is pasted"),
            _ => format!("the methods of `{symbol}` are {}", methods.join(", ")),
        });
        let descriptor = format!("type.{name}");
        // A type's is always assumed.
        methods.extend(self.datum(&descriptor).unwrap_or_default());
        methods
    }
}

/// The bytes that hexadecimal digits are, as the assembler reads them.
fn bytes_of(digits: &str) -> Option<String> {
    let pairs = (0..digits.len()).step_by(2);
    let bytes = pairs.map(|at| {
        Some(format!(
            "0x{:02x}",
            u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?
        ))
    });
    let bytes: Vec<String> = bytes.collect::<Option<_>>()?;
    (!bytes.is_empty()).then(|| bytes.join(", "))
}

/// The lower half of a register.
fn half(register: &str) -> String {
    match register.strip_prefix('r') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("{register}d"),
        Some(name) => format!("e{name}"),
        None => register.to_string(),
    }
}

/// A whole number as the assembler reads it.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(format!("{sign}{value}"))
}

impl Listed {
    /// The lines of a header that say it.
    pub(super) fn header(&self) -> String {
        let mut text = format!(";! go = \"{}\"\n", self.release);
        if let Some(receiver) = &self.receiver {
            let _ = match (receiver.words(), receiver.heap) {
                (Some([first, second]), _) => writeln!(
                    text,
                    ";! heap = \"pointer\"\n;! words = ['{first}', \"{second}\"]"
                ),
                (None, HeapKind::Iface) => {
                    let methods = receiver.methods.iter().map(|name| format!("{name:?}"));
                    let methods: Vec<String> = methods.collect();
                    writeln!(
                        text,
                        ";! heap = \"iface\"\n;! methods = [{}]",
                        methods.join(", ")
                    )
                }
                _ => writeln!(text, ";! heap = \"eface\""),
            };
            let _ = writeln!(text, ";! types = {:?}", receiver.types);
            if let Some(object) = receiver.object() {
                let _ = writeln!(text, ";! object = {object:?}");
            }
        }
        text
    }

    /// Gives a header what the listing and its arguments say.
    pub(super) fn settle(&self, header: &mut Header) {
        header.go = self.release;
        if let Some(receiver) = &self.receiver {
            header.heap = receiver.heap;
            header.types = vec![receiver.types.clone()];
            let object = receiver.object();
            header.object = object.and_then(|text| ObjectShape::parse(&text).ok());
            if let Some(words) = receiver.words() {
                let known = Known::default();
                let formulas = words.iter().map(|word| Formula::parse(word, &known));
                header.heap = HeapKind::Pointer;
                header.words = formulas.filter_map(Result::ok).collect();
            } else if receiver.heap == HeapKind::Iface {
                header.methods.clone_from(&receiver.methods);
            }
            if receiver.types.contains("{t}") {
                let targets = Param {
                    default: Value::Int(1),
                    allowed: Vec::new(),
                    range: None,
                };
                header.params.insert("targets".to_string(), targets);
            }
        }
    }
}

/// The pasted sections as text.
pub(super) fn sections_text(sections: &[SourceSection]) -> String {
    let mut text = String::new();
    for section in sections {
        let word = match section.kind {
            SectionKind::Data => "data",
            _ => "func",
        };
        let _ = writeln!(text, "{word} \"{}\":", section.name);
        for line in &section.lines {
            let _ = writeln!(text, "{}", line.text);
        }
    }
    text
}
