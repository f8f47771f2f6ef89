//! The lines of a section to items: what takes up room, encoded where that needs no address, and the
//! labels between.
//!
//! Correct means: items stand in the order of their statements, each with its line, and of what is
//! wrong every line says its own.

use std::collections::hash_map::Entry;

use super::SourceSection;
use super::encode::emit::Coder;
use super::encode::{self, Choice};
use super::inst::{Datum, Inst, OperandKind, Repeated, Statement, Target, Times};
use super::lay::Places;
use super::problem::{Problem, Span};
use super::program::SectionKind;
use super::read::{self, Placed};
use crate::text::diagnostic::Diagnostic;

/// What assembling needs to know beside the text.
pub struct Context<'a> {
    /// Name of the file for diagnostics.
    pub file: &'a str,
    /// The hash of a type, for `hash("main.T0")`; an error is shown as it is.
    pub hash: &'a dyn Fn(&str) -> Result<u32, String>,
    /// Whether a branch may go to a bare name that nothing here defines, as it may to a symbol.
    pub is_open: bool,
}

/// Problems after which the rest of a text is not looked at: nobody reads more.
const MOST_PROBLEMS: usize = 1000;

/// Most instructions, addresses and bytes that `times` may write out in one text, where what it repeats
/// has to stand there each time.
const MOST_COPIES: u64 = 1 << 18;

/// The problems so far, with the section and line they belong to, by index.
pub(super) struct Found<'a> {
    file: &'a str,
    sections: &'a [SourceSection],
    pub(super) problems: Vec<(usize, usize, Problem)>,
}

impl<'a> Found<'a> {
    pub(super) fn new(sections: &'a [SourceSection], context: &Context<'a>) -> Found<'a> {
        Found {
            file: context.file,
            sections,
            problems: Vec::new(),
        }
    }

    /// Of the copies of one line the first tells what is wrong with all.
    pub(super) fn add(&mut self, section: usize, line: usize, problem: Problem) {
        let place = (section, line, problem.span);
        let last = self.problems.last();
        if last.is_none_or(|(section, line, last)| (*section, *line, last.span) != place) {
            self.problems.push((section, line, problem));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= MOST_PROBLEMS
    }

    /// A line can be refused in either pass; the reader wants them from top to bottom.
    pub(super) fn diagnostics(mut self) -> Vec<Diagnostic> {
        self.problems
            .sort_by_key(|(section, line, problem)| (*section, *line, problem.span.column));
        let at = |(section, line, problem): (usize, usize, Problem)| {
            problem.at(self.file, &self.sections[section].lines[line])
        };
        self.problems.into_iter().map(at).collect()
    }
}

/// A statement that takes up room, with the index of its line.
pub(super) type Item<'a> = (usize, ItemKind<'a>);

/// What it is.
#[derive(Clone)]
pub(super) enum ItemKind<'a> {
    /// An instruction encoded for wherever its target may be; whether it branches there.
    Inst(Choice, Option<(Target<'a>, bool)>),
    /// One that reaches only near labels, or is wrong: what was written is needed once more.
    Odd(Box<(Inst<'a>, Result<Choice, Problem>)>),
    /// A value of a data directive.
    Datum(Datum<'a>),
    /// Bytes over and over, and how many times.
    Repeat(Vec<u8>, u64),
    /// `align N`.
    Align(u32),
}

impl<'a> ItemKind<'a> {
    /// Encodes at once: an encoding takes less room than what was written.
    pub(super) fn of(inst: Inst<'a>, coder: &mut Coder) -> ItemKind<'a> {
        let choice = encode::check_reach(&inst).and_then(|()| encode::encode(&inst, coder));
        let mut aims = aims(&inst);
        match (choice, aims.next(), aims.next()) {
            (Ok(choice), aim, None) if choice.long.is_some() => {
                let aim = aim.map(|(target, is_branch)| (target.clone(), is_branch));
                ItemKind::Inst(choice, aim)
            }
            (choice, ..) => {
                drop(aims);
                ItemKind::Odd(Box::new((inst, choice)))
            }
        }
    }

    fn is_refused(&self) -> bool {
        matches!(self, ItemKind::Odd(odd) if odd.1.is_err())
    }
}

/// The targets of an instruction, with whether it branches there.
pub(super) fn aims<'i, 'a>(inst: &'i Inst<'a>) -> impl Iterator<Item = (&'i Target<'a>, bool)> {
    inst.operands.iter().filter_map(|operand| {
        let target = operand.kind.target()?;
        let is_direct = matches!(operand.kind, OperandKind::Target(_));
        Some((target, is_direct && is_branch(&inst.mnemonic)))
    })
}

/// The labels of a section, and where it stands.
pub(super) struct Scope<'a> {
    pub(super) source: &'a SourceSection,
    /// Index of the section.
    pub(super) number: usize,
    pub(super) places: Places<'a>,
}

/// What one section leaves to the next: an encoder, and room.
#[derive(Default)]
pub(super) struct Bench<'a> {
    pub(super) coder: Coder,
    pub(super) tokens: Vec<Placed<'a>>,
    pub(super) statements: Vec<Statement<'a>>,
    /// What `times` has written out so far, of [`MOST_COPIES`].
    copies: u64,
}

/// One section's lines as items, with all its labels.
pub(super) fn parse<'a>(
    source: &'a SourceSection,
    number: usize,
    context: &Context<'_>,
    bench: &mut Bench<'a>,
    found: &mut Found<'_>,
) -> (Scope<'a>, Vec<Item<'a>>) {
    let mut places = Places::default();
    let mut items: Vec<Item<'a>> = Vec::with_capacity(source.lines.len());
    let Bench {
        coder,
        tokens,
        statements,
        copies,
    } = bench;
    let is_data = source.kind == SectionKind::Data;
    let mut refused = 0;
    for (at, line) in source.lines.iter().enumerate() {
        if found.is_full() || refused >= MOST_PROBLEMS {
            break;
        }
        if let Err(problem) = read::parse(&line.text, context.hash, tokens, statements) {
            found.problems.push((number, at, problem));
        }
        for statement in statements.drain(..) {
            let next = items.len();
            match statement {
                Statement::NumericLabel(label) => places.numeric.push((label, next)),
                Statement::Label(name, span) => match places.named.entry(name) {
                    Entry::Vacant(entry) => {
                        entry.insert((next, at));
                        places.order.push((name, next));
                    }
                    Entry::Occupied(first) => {
                        let first = source.lines[first.get().1].number;
                        let problem =
                            Problem::new(span, format!("the label `{name}` is defined twice"))
                                .help(format!("the first one stands in line {first}"));
                        found.problems.push((number, at, problem));
                    }
                },
                Statement::Inst(inst) => {
                    let item = ItemKind::of(inst, coder);
                    refused += usize::from(item.is_refused());
                    items.push((at, item));
                }
                Statement::Align(to) => items.push((at, ItemKind::Align(to))),
                Statement::Reserve(bytes, _) if is_data => {
                    items.push((at, repeat(vec![0], bytes)));
                }
                Statement::Reserve(_, span) => {
                    found.problems.push((number, at, not_in_code(span)));
                }
                Statement::Times(times) => match written_out(*times, is_data, coder, copies) {
                    Ok(all) => {
                        refused += usize::from(all.iter().any(ItemKind::is_refused));
                        items.extend(all.into_iter().map(|item| (at, item)));
                    }
                    Err(problem) => found.problems.push((number, at, problem)),
                },
                Statement::Data(data) => {
                    items.extend(data.into_iter().map(|datum| (at, ItemKind::Datum(datum))));
                }
            }
        }
    }
    let scope = Scope {
        source,
        number,
        places,
    };
    (scope, items)
}

fn repeat<'a>(unit: Vec<u8>, count: u64) -> ItemKind<'a> {
    /// Far more than there is room for, and so little that sums of it do not overflow.
    const MOST_BYTES: u64 = 1 << 38;
    let most = MOST_BYTES / unit.len().max(1) as u64;
    ItemKind::Repeat(unit, count.min(most))
}

fn not_in_code(span: Span) -> Problem {
    let message = "memory is reserved in data, and this is code";
    Problem::new(span, message).help(
        "put it into a section of its own, `data \"main.buffer\":`, and take its address by \
         `lea rcx, [\"main.buffer\"]`; room in code is `times 8 nop`",
    )
}

/// What `times` repeats, as often as it says; bytes of data once, with their number.
fn written_out<'a>(
    times: Times<'a>,
    is_data: bool,
    coder: &mut Coder,
    copies: &mut u64,
) -> Result<Vec<ItemKind<'a>>, Problem> {
    let Times { count, span, what } = times;
    let mut take = |each: usize| {
        let wanted = count.saturating_mul(each as u64);
        *copies = copies.saturating_add(wanted);
        if *copies <= MOST_COPIES {
            return Ok(count as usize);
        }
        let message = format!(
            "`times` has to write {wanted} copies out here, and all of a text are at most {MOST_COPIES}"
        );
        let help =
            "write a loop; data may be `resb`, or `times` of numbers, and `setup` can fill them";
        Err(Problem::new(span, message).help(help))
    };
    let data = match what {
        Repeated::Inst(inst) => {
            let count = take(1)?;
            let item = ItemKind::of(inst, coder);
            // What is wrong is said once, even where it is not to be written at all.
            let count = if item.is_refused() { 1 } else { count };
            return Ok(vec![item; count]);
        }
        Repeated::Data(data) => data,
    };
    let mut unit = Vec::new();
    for datum in &data {
        match datum {
            Datum::Bytes(bytes) => unit.extend_from_slice(bytes),
            Datum::Address(..) => {
                let weight = |datum: &Datum<'_>| match datum {
                    Datum::Bytes(bytes) => bytes.len().max(1),
                    Datum::Address(..) => 1,
                };
                let count = take(data.iter().map(weight).sum())?;
                let once: Vec<ItemKind<'a>> = data.into_iter().map(ItemKind::Datum).collect();
                let all = std::iter::repeat_n(once, count);
                return Ok(all.flatten().collect());
            }
        }
    }
    if is_data {
        return Ok(vec![repeat(unit, count)]);
    }
    let count = take(unit.len())?;
    Ok(vec![ItemKind::Datum(Datum::Bytes(unit.repeat(count)))])
}

fn is_branch(mnemonic: &str) -> bool {
    mnemonic.starts_with('j')
        || mnemonic.starts_with("loop")
        || matches!(mnemonic, "call" | "xbegin")
}
