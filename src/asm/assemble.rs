//! Sections of text to sections of bytes.
//!
//! Correct means: every line is either in the bytes or has a Diagnostic, and one bad line hides no
//! other's.

use std::collections::HashMap;

use super::emit::Encoded;
use super::encode::{self, Choice};
use super::expression;
use super::inst::{Datum, Direction, Inst, Name, OperandKind, Statement, Target};
use super::intel;
use super::layout::{Ground, Piece, PieceKind, Places, lay_out};
use super::problem::Problem;
use super::program::{Program, Section, SectionKind};
use crate::diagnostic::Diagnostic;
use crate::template::{SourceLine, SourceSection};

/// What assembling needs to know beside the text.
pub struct Context<'a> {
    /// Name of the file for diagnostics.
    pub file: &'a str,
    /// The hash of a type, for `hash("main.T0")`; an error is shown as it is.
    pub hash: &'a dyn Fn(&str) -> Result<u32, String>,
}

/// Assembles all sections of one template.
///
/// # Errors
/// Everything that is wrong with any line, in the order of the lines.
pub fn assemble(
    sections: &[SourceSection],
    context: &Context<'_>,
) -> Result<Program, Vec<Diagnostic>> {
    let mut found = Found {
        file: context.file,
        sections,
        problems: Vec::new(),
    };
    let mut parsed = Vec::new();
    for (at, source) in sections.iter().enumerate() {
        parsed.push(Parsed::new(source, at, context, &mut found));
    }
    let assembled = parsed
        .iter()
        .map(|section| section.assemble(&parsed, &mut found))
        .collect();
    if found.problems.is_empty() {
        Ok(Program {
            sections: assembled,
        })
    } else {
        Err(found.diagnostics())
    }
}

/// Assembles one piece of plain text as a body.
///
/// # Errors
/// Everything that is wrong with any line.
pub fn fragment(text: &str) -> Result<Section, Vec<Diagnostic>> {
    let lines = (1..).zip(text.lines()).map(|(number, text)| SourceLine {
        number,
        text: text.to_owned(),
    });
    let source = SourceSection {
        kind: SectionKind::Body,
        name: "body".to_owned(),
        line: 1,
        lines: lines.collect(),
    };
    let context = Context {
        file: "fragment",
        hash: &|name| Err(format!("the hash of `{name}` is not known here")),
    };
    let program = assemble(std::slice::from_ref(&source), &context)?;
    Ok(program
        .sections
        .into_iter()
        .next()
        .expect("one section in, one section out"))
}

/// The problems so far, with the section and line they belong to, by index.
struct Found<'a> {
    file: &'a str,
    sections: &'a [SourceSection],
    problems: Vec<(usize, usize, Problem)>,
}

impl Found<'_> {
    /// A line can be refused in either pass; the reader wants them from top to bottom.
    fn diagnostics(mut self) -> Vec<Diagnostic> {
        self.problems
            .sort_by_key(|(section, line, problem)| (*section, *line, problem.span.column));
        let at = |(section, line, problem): (usize, usize, Problem)| {
            problem.at(self.file, &self.sections[section].lines[line])
        };
        self.problems.into_iter().map(at).collect()
    }
}

/// A statement that takes up room.
enum Item {
    Inst(Inst),
    Datum(Datum),
    Align(u32),
}

/// A section whose lines are parsed, with all its labels.
struct Parsed<'a> {
    source: &'a SourceSection,
    /// Index of the section.
    number: usize,
    /// What takes up room, with the index of its line.
    items: Vec<(usize, Item)>,
    places: Places,
}

impl<'a> Parsed<'a> {
    fn new(
        source: &'a SourceSection,
        number: usize,
        context: &Context<'_>,
        found: &mut Found<'_>,
    ) -> Parsed<'a> {
        let mut parsed = Parsed {
            source,
            number,
            items: Vec::new(),
            places: Places::default(),
        };
        let mut defined: HashMap<String, u32> = HashMap::new();
        for (at, line) in source.lines.iter().enumerate() {
            let mut statements = Vec::new();
            if let Err(problem) = intel::parse(&line.text, context.hash, &mut statements) {
                found.problems.push((number, at, problem));
            }
            for statement in statements {
                let next = parsed.items.len();
                match statement {
                    Statement::NumericLabel(label) => parsed.places.numeric.push((label, next)),
                    Statement::Label(name, span) => {
                        if let Some(first) = defined.get(&name) {
                            let problem =
                                Problem::new(span, format!("the label `{name}` is defined twice"))
                                    .help(format!("the first one stands in line {first}"));
                            found.problems.push((number, at, problem));
                        } else {
                            defined.insert(name.clone(), line.number);
                            parsed.places.named.insert(name, next);
                        }
                    }
                    Statement::Inst(inst) => parsed.items.push((at, Item::Inst(inst))),
                    Statement::Align(to) => parsed.items.push((at, Item::Align(to))),
                    Statement::Data(data) => {
                        parsed
                            .items
                            .extend(data.into_iter().map(|datum| (at, Item::Datum(datum))));
                    }
                }
            }
        }
        parsed
    }

    fn assemble(&self, all: &[Parsed<'_>], found: &mut Found<'_>) -> Section {
        let mut pieces = Vec::with_capacity(self.items.len());
        for (at, (line, item)) in self.items.iter().enumerate() {
            let kind = self.piece(item, at, all).unwrap_or_else(|problem| {
                found.problems.push((self.number, *line, problem));
                // Labels count pieces, so a refused one leaves an empty one.
                PieceKind::Fixed(
                    Encoded {
                        bytes: Vec::new(),
                        field: None,
                    },
                    None,
                )
            });
            pieces.push(Piece { line: *line, kind });
        }
        let lines: Vec<u32> = self.source.lines.iter().map(|line| line.number).collect();
        let laid = lay_out(&Ground {
            pieces: &pieces,
            places: &self.places,
            lines: &lines,
            symbol: matches!(self.source.kind, SectionKind::Func | SectionKind::Data)
                .then_some(&self.source.name),
            is_unique: &|name| {
                all.iter()
                    .filter(|section| section.places.named.contains_key(name))
                    .count()
                    == 1
            },
            is_code: self.source.kind != SectionKind::Data,
        });
        found.problems.extend(
            laid.problems
                .into_iter()
                .map(|(line, problem)| (self.number, line, problem)),
        );
        Section {
            kind: self.source.kind,
            name: self.source.name.clone(),
            line: self.source.line,
            bytes: laid.bytes,
            labels: laid.labels,
            fixups: laid.fixups,
            lines: laid.lines,
        }
    }

    fn piece(&self, item: &Item, at: usize, all: &[Parsed<'_>]) -> Result<PieceKind, Problem> {
        match item {
            Item::Align(to) => Ok(PieceKind::Align(*to)),
            Item::Datum(Datum::Bytes(bytes)) => Ok(PieceKind::Fixed(
                Encoded {
                    bytes: bytes.clone(),
                    field: None,
                },
                None,
            )),
            Item::Datum(Datum::Address(target, width)) => {
                self.check_target(target, at, all, false)?;
                Ok(PieceKind::Address(target.clone(), *width))
            }
            Item::Inst(inst) => self.instruction(inst, at, all),
        }
    }

    fn instruction(
        &self,
        inst: &Inst,
        at: usize,
        all: &[Parsed<'_>],
    ) -> Result<PieceKind, Problem> {
        let mut target = None;
        for operand in &inst.operands {
            if let Some(named) = operand.kind.target() {
                let branch =
                    matches!(operand.kind, OperandKind::Target(_)) && is_branch(&inst.mnemonic);
                self.check_target(named, at, all, branch)?;
                target = Some(named.clone());
            }
        }
        encode::check_reach(inst)?;
        let Choice { short, long } = encode::encode(inst)?;
        match (short, long, target) {
            (Some(short), long, Some(target)) if self.places.find(&target.name, at).is_some() => {
                Ok(PieceKind::Branch {
                    short,
                    long,
                    target,
                })
            }
            (_, Some(long), target) => Ok(PieceKind::Fixed(long, target)),
            (_, None, _) => {
                let message = format!("`{}` reaches only labels of its own section", inst.mnemonic);
                let problem = Problem::new(inst.operand_span(), message);
                Err(match inst.reach {
                    Some(_) => problem.help("leave out `short`"),
                    None => problem.help("go to a label here, and from there on with `jmp`"),
                })
            }
        }
    }

    /// Refuses names that neither the section, nor another one, nor the linker can know.
    fn check_target(
        &self,
        target: &Target,
        at: usize,
        all: &[Parsed<'_>],
        branch: bool,
    ) -> Result<(), Problem> {
        if self.places.find(&target.name, at).is_some() {
            return Ok(());
        }
        let name = match &target.name {
            Name::Symbol(_) => return Ok(()),
            Name::Numeric(number, way) => {
                let side = if *way == Direction::Forward {
                    "after"
                } else {
                    "before"
                };
                return Err(Problem::new(
                    target.span,
                    format!("there is no label `{number}:` {side} this line"),
                ));
            }
            Name::Label(name) => name,
        };
        // A name with a dot in front is known to its own section only.
        let others = || {
            all.iter()
                .filter(|section| !name.starts_with('.') && section.places.named.contains_key(name))
        };
        let is_symbol = |section: &Parsed<'_>| {
            matches!(section.source.kind, SectionKind::Func | SectionKind::Data)
                && section.source.name == *name
        };
        match others().count() {
            1 => Ok(()),
            0 if all.iter().any(is_symbol) => Ok(()),
            0 => {
                let what = if branch {
                    "undefined label"
                } else {
                    "unknown register or symbol"
                };
                let mut known: Vec<&str> = self.places.named.keys().map(String::as_str).collect();
                for section in all {
                    known.extend(
                        section
                            .places
                            .named
                            .keys()
                            .map(String::as_str)
                            .filter(|name| !name.starts_with('.')),
                    );
                }
                if !branch {
                    for name in expression::register_names() {
                        known.push(name);
                    }
                }
                known.sort_unstable();
                let problem = Problem::new(target.span, format!("{what} `{name}`"));
                Err(problem.suggest(
                    name,
                    known.into_iter(),
                    Some("symbols stand in double quotes"),
                ))
            }
            _ => {
                let lines: Vec<String> = others()
                    .map(|section| section.source.name.clone())
                    .collect();
                Err(Problem::new(
                    target.span,
                    format!("the label `{name}` is defined in several other sections"),
                )
                .help(format!(
                    "it stands in {}; give one of them another name",
                    lines.join(", ")
                )))
            }
        }
    }
}

fn is_branch(mnemonic: &str) -> bool {
    mnemonic.starts_with('j')
        || mnemonic.starts_with("loop")
        || matches!(mnemonic, "call" | "xbegin")
}
