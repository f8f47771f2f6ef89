//! The lines of a section to items: what takes up room, encoded where that needs no address, and the
//! labels between.
//!
//! Correct means: items stand in the order of their statements, each with its line, and of what is
//! wrong every line says its own.

mod reader;
mod repeat;

use std::cell::OnceCell;
use std::collections::HashMap;

use super::SourceSection;
use super::bits::of_32;
use super::encode::emit::{Coder, Encoded};
use super::encode::{self, Choice};
use super::inst::{Datum, Inst, OperandKind, Padding, Statement, Target};
use super::lay::Places;
use super::problem::Problem;
use super::program::SectionKind;
use super::read::listing::Claim;
use super::read::{Placed, go};
use super::source::Syntax;
use crate::text::diagnostic::Diagnostic;
pub(super) use reader::parse;

/// What assembling needs to know beside the text.
pub struct Context<'a> {
    /// Name of the file for diagnostics.
    pub file: &'a str,
    /// The hash of a type, for `hash("main.T0")`; an error is shown as it is.
    pub hash: &'a dyn Fn(&str) -> Result<u32, String>,
    /// Whether a branch may go to a bare name that nothing here defines, as it may to a symbol.
    pub is_open: bool,
    /// Whether the text is to run by itself, so that data that a listing addresses outside of it are symbols.
    pub is_run: bool,
    /// How the text is written.
    pub syntax: Syntax,
    /// Whether `;` separates statements, where it would begin a comment.
    pub separates: bool,
    /// Names that are bound to others afterwards: `@46` is an offset of a listing that no line has.
    pub bound: &'a [String],
    /// The release 1.N whose tools wrote a text in Go's syntax, or are to read it; the newest where nobody says.
    pub go_minor: Option<u8>,
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
        // Of code that cannot be meant for here, each line has a remedy that would not help.
        for section in self.sections {
            if let Some((line, problem)) = of_32(section.lines.iter(), false) {
                return vec![problem.at(self.file, &section.lines[line])];
            }
        }
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
    Align(Padding),
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

    /// An instruction that names no target.
    fn plain(encoded: Encoded) -> ItemKind<'a> {
        let choice = Choice {
            short: None,
            long: Some(encoded),
        };
        ItemKind::Inst(choice, None)
    }

    /// An instruction whose bytes a listing shows.
    fn listed(inst: Inst<'a>, bytes: &[u8], coder: &mut Coder) -> ItemKind<'a> {
        let choice = encode::listed(&inst, bytes, coder);
        match choice {
            Ok(choice) => {
                // A debugger's name of a variable has no field.
                let is_field = choice.long.is_some_and(|long| long.field.is_some());
                let aim = aims(&inst).next().filter(|_| is_field);
                let aim = aim.map(|(target, is_branch)| (target.clone(), is_branch));
                ItemKind::Inst(choice, aim)
            }
            choice => ItemKind::Odd(Box::new((inst, choice))),
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
    /// Instructions whose bytes a listing shows.
    pub(super) listed: u32,
    /// Whether its addresses are offsets of a listing of Go's.
    pub(super) is_go: bool,
    /// The item at which each line begins.
    pub(super) lines: Vec<usize>,
    /// The first item behind the code.
    pub(super) aside: usize,
    /// Whether anything stands there.
    pub(super) is_parted: bool,
    /// Numbers that lines gave names to.
    pub(super) constants: HashMap<&'a str, i128>,
    /// How long lines are, as their listing says.
    pub(super) claims: Vec<Claim>,
}

/// What one section leaves to the next: an encoder, and room.
#[derive(Default)]
pub(super) struct Bench<'a> {
    pub(super) coder: Coder,
    pub(super) tokens: Vec<Placed<'a>>,
    pub(super) statements: Vec<Statement<'a>>,
    /// What `times` has written out so far, of [`MOST_COPIES`].
    copies: u64,
    /// All sections of the text.
    sections: &'a [SourceSection],
    /// Numbers that data give names to, as the length of a text, for the code.
    constants: HashMap<&'a str, i128>,
    /// The release that the context says.
    go_minor: Option<u8>,
    /// Whether comparisons that Go's disassembler printed stand in the order of their encoding, once
    /// somebody has asked.
    keeps_order: OnceCell<Option<bool>>,
}

impl<'a> Bench<'a> {
    /// For all sections of a text.
    pub(super) fn new(sections: &'a [SourceSection], context: &Context<'_>) -> Self {
        Bench {
            sections,
            go_minor: context.go_minor,
            ..Bench::default()
        }
    }

    /// For one of these sections once more.
    pub(super) fn again(&self) -> Self {
        Bench {
            sections: self.sections,
            constants: self.constants.clone(),
            go_minor: self.go_minor,
            keeps_order: self.keeps_order.clone(),
            ..Bench::default()
        }
    }

    /// Whether comparisons of Go's disassembler stand in the order of their encoding, as far as is known.
    fn keeps_order(&self) -> Option<bool> {
        let told = || {
            let said = self.go_minor.map(|minor| minor >= 27);
            go::marks::keeps_order_of(self.sections).or(said)
        };
        *self.keeps_order.get_or_init(told)
    }

    /// Keeps the names of numbers that a section of data has.
    pub(super) fn learn(&mut self, scope: &Scope<'a>) {
        if scope.source.kind == SectionKind::Data {
            self.constants.extend(&scope.constants);
        }
    }

    /// What `times` has written out so far.
    pub(super) fn copies(&self) -> u64 {
        self.copies
    }

    /// Forgets what was written out since.
    pub(super) fn restart(&mut self, copies: u64) {
        self.copies = copies;
    }
}

fn is_branch(mnemonic: &str) -> bool {
    mnemonic.starts_with('j')
        || mnemonic.starts_with("loop")
        || matches!(mnemonic, "call" | "xbegin")
}
