//! Sections of text to sections of bytes.
//!
//! Correct means: every line is either in the bytes or has a Diagnostic, and one bad line hides no
//! other's.

mod targets;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::bits::of_32;
use super::insert::{Insertion, insert};
use super::inst::{Datum, Target};
use super::items::{Bench, Context, Found, Item, ItemKind, Scope, aims, parse};
use super::join::join;
use super::lay::{Aim, Ground, Piece, PieceKind, lay_out, measure};
use super::problem::{Problem, Span};
use super::program::{MAX_DATA, Program, Section, SectionKind};
use super::read::Offsets;
use super::read::dialect::Choice as Dialects;
use super::read::go::sections::split_go;
use super::read::nasm;
use super::{SourceLine, SourceSection, Syntax};
use crate::text::diagnostic::Diagnostic;
use targets::place;

/// Assembles all sections of one template.
///
/// # Errors
/// Everything that is wrong with any line, in the order of the lines; of a text that is no assembly at
/// all the first thousand.
pub fn assemble(
    sections: &[SourceSection],
    context: &Context<'_>,
) -> Result<Program, Vec<Diagnostic>> {
    let assembled = assemble_and_insert(sections, context, |_| Vec::new());
    assembled.map(|(program, _)| program)
}

/// The same, and once more each section that something is to be put into: what `plan` says of the
/// program. An insertion that nothing comes of, for there is no such instruction or a short branch
/// does not reach over it, gives none.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_and_insert(
    sections: &[SourceSection],
    context: &Context<'_>,
    plan: impl FnOnce(&Program) -> Vec<Insertion>,
) -> Result<(Program, Vec<Option<Section>>), Vec<Diagnostic>> {
    let mut found = Found::new(sections, context);
    let mut bench = Bench::new(sections, context);
    // Data first: code names the numbers that they have, as the length of a text.
    let mut order: Vec<(usize, &SourceSection)> = sections.iter().enumerate().collect();
    order.sort_by_key(|(_, source)| source.kind != SectionKind::Data);
    let mut read = Vec::with_capacity(sections.len());
    for (at, source) in order {
        let (scope, parsed) = settled(source, at, context, &mut bench, &mut found);
        bench.learn(&scope);
        read.push((scope, parsed));
    }
    read.sort_by_key(|(scope, _)| scope.number);
    let (scopes, items): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    if found.is_full() {
        return Err(found.diagnostics());
    }
    let elsewhere = Elsewhere::new(&scopes, context.is_open);
    let mut room = MAX_DATA;
    let assembled = scopes
        .iter()
        .zip(items)
        .map(|(scope, items)| scope.assemble(items, &elsewhere, &mut room, &mut found))
        .collect();
    if !found.problems.is_empty() {
        return Err(found.diagnostics());
    }
    let program = Program {
        sections: assembled,
    };
    let again = |insertion: &Insertion| {
        let mut found = Found::new(sections, context);
        let mut bench = bench.again();
        let source = sections.get(insertion.section)?;
        let (mut scope, mut items) =
            settled(source, insertion.section, context, &mut bench, &mut found);
        insert(
            insertion,
            (source, context),
            &mut scope,
            &mut items,
            &mut bench,
        )?;
        // What is put in is in no listing.
        scope.claims.clear();
        let mut room = u64::MAX;
        let section = scope.assemble(items, &elsewhere, &mut room, &mut found);
        found.problems.is_empty().then_some(section)
    };
    let inserted = plan(&program).iter().map(again).collect();
    Ok((program, inserted))
}

/// Reads a section, and again until the distances of labels in it are those of the layout they give.
fn settled<'a>(
    source: &'a SourceSection,
    number: usize,
    context: &Context<'_>,
    bench: &mut Bench<'a>,
    found: &mut Found<'_>,
) -> (Scope<'a>, Vec<Item<'a>>) {
    /// Layouts that one text may take: each makes what depends on it right but for the last byte or two.
    const MOST_ROUNDS: usize = 16;
    let known = found.problems.len();
    let copies = bench.copies();
    let mut offsets = Offsets::default();
    for _ in 0..MOST_ROUNDS {
        let (scope, items, is_asked) = parse(source, number, context, &offsets, bench, found);
        if !is_asked || found.is_full() {
            return (scope, items);
        }
        let new = scope.offsets(&items);
        if offsets == new {
            return (scope, items);
        }
        offsets = new;
        found.problems.truncate(known);
        bench.restart(copies);
    }
    let (scope, items, _) = parse(source, number, context, &offsets, bench, found);
    let span = Span {
        column: 1,
        width: 1,
    };
    let message = "the distances of labels in this text change with every layout of it";
    found
        .problems
        .push((number, 0, Problem::new(span, message)));
    (scope, items)
}

/// Assembles one piece of plain text as a body.
///
/// # Errors
/// Everything that is wrong with any line.
pub fn fragment(text: &str) -> Result<Section, Vec<Diagnostic>> {
    fragment_in(text, &Reading::default())
}

/// Whether lines are in Go's syntax, for all that is said and seen.
pub fn is_go(lines: &[SourceLine], syntax: Syntax) -> bool {
    Dialects::has_go(syntax, lines.iter().map(|line| line.text.as_str()))
}

/// Why lines that are to run as they stand are code of another width.
pub fn of_other_bits(lines: &[SourceLine], file: &str) -> Option<Diagnostic> {
    let (line, problem) = of_32(lines.iter(), true)?;
    Some(problem.at(file, &lines[line]))
}

/// Lines of source, without the columns that `nasm -l` writes in front of them.
pub fn sources(lines: &[SourceLine]) -> Vec<&str> {
    nasm::sources(lines.iter().map(|line| line.text.as_str()))
}

/// How a piece of plain text is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The file's name for diagnostics.
    pub file: &'a str,
    /// Whether branches may leave it.
    pub is_open: bool,
    /// How it is written.
    pub syntax: Syntax,
    /// Whether `;` separates statements in Intel syntax.
    pub separates: bool,
    /// The release 1.N of Go whose tools are meant, where it is said.
    pub go_minor: Option<u8>,
}

impl Default for Reading<'_> {
    fn default() -> Self {
        Reading {
            file: "fragment",
            is_open: false,
            syntax: Syntax::Auto,
            separates: false,
            go_minor: None,
        }
    }
}

/// The same, read in another way.
///
/// # Errors
/// Everything that is wrong with any line.
pub fn fragment_in(text: &str, reading: &Reading<'_>) -> Result<Section, Vec<Diagnostic>> {
    let lines = (1..).zip(text.lines()).map(|(number, text)| SourceLine {
        number,
        text: text.to_owned(),
    });
    let source = SourceSection {
        kind: SectionKind::Body,
        name: "body".to_owned(),
        place: None,
        line: 1,
        lines: lines.collect(),
    };
    let context = Context {
        file: reading.file,
        hash: &|name| Err(format!("the hash of `{name}` is not known here")),
        is_open: reading.is_open,
        is_run: false,
        syntax: reading.syntax,
        separates: reading.separates,
        bound: &[],
        go_minor: reading.go_minor,
    };
    let is_go = |section: &SourceSection| is_go(&section.lines, reading.syntax);
    let sections = match is_go(&source) {
        true => split_go(vec![source]),
        false => vec![source],
    };
    let program = assemble(&sections, &context)?;
    Ok(join(program.sections).expect("one section in, at least one out"))
}

/// What a section can see of the others.
struct Elsewhere<'a> {
    scopes: &'a [Scope<'a>],
    /// In how many sections a label without a dot stands.
    labels: HashMap<&'a str, usize>,
    /// The symbols of the sections.
    symbols: HashSet<&'a str>,
    /// Whether branches may go to names that no section has.
    is_open: bool,
}

impl<'a> Elsewhere<'a> {
    fn new(scopes: &'a [Scope<'a>], is_open: bool) -> Elsewhere<'a> {
        let mut labels = HashMap::new();
        // One section alone finds all its labels itself.
        for scope in scopes.iter().filter(|_| scopes.len() > 1) {
            // A name with a dot in front is known to its own section only.
            for (name, _) in scope
                .places
                .order
                .iter()
                .filter(|(name, _)| !name.starts_with('.'))
            {
                *labels.entry(*name).or_default() += 1;
            }
        }
        let symbols = scopes.iter().filter_map(|scope| scope.symbol()).collect();
        Elsewhere {
            scopes,
            labels,
            symbols,
            is_open,
        }
    }

    /// In how many sections a label stands that others may name.
    fn count(&self, name: &str) -> usize {
        self.labels.get(name).copied().unwrap_or(0)
    }
}

impl<'a> Scope<'a> {
    /// Where labels and lines stand, as far as the items of this section alone tell.
    fn offsets(&self, items: &[Item<'a>]) -> Offsets<'a> {
        let empty = || PieceKind::Bytes(Vec::new());
        let find = |target: &Target<'a>, at| {
            let (target, label) = self.places.aim(target.clone(), at);
            Aim { target, label }
        };
        let piece = |(at, (line, item)): (usize, &Item<'a>)| {
            let kind = match item {
                ItemKind::Align(padding) => PieceKind::Align(*padding),
                ItemKind::Datum(Datum::Bytes(bytes)) => PieceKind::Bytes(bytes.clone()),
                ItemKind::Datum(Datum::Address(_, width) | Datum::Distance(_, width)) => {
                    PieceKind::Bytes(vec![0; *width as usize])
                }
                ItemKind::Repeat(unit, count) => PieceKind::Repeat(unit.clone(), *count),
                ItemKind::Inst(choice, aim) => {
                    let aim = aim.as_ref().map(|(target, _)| find(target, at));
                    place(choice.clone(), aim).unwrap_or_else(empty)
                }
                ItemKind::Odd(odd) => match &odd.1 {
                    Ok(choice) => {
                        let aim = aims(&odd.0).last().map(|(target, _)| find(target, at));
                        place(choice.clone(), aim).unwrap_or_else(empty)
                    }
                    Err(_) => empty(),
                },
            };
            Piece { line: *line, kind }
        };
        let pieces: Vec<Piece<'_>> = items.iter().enumerate().map(piece).collect();
        let starts = measure(&pieces);
        let order = self.places.order.iter();
        let labels = order.map(|(name, piece)| (*name, starts[*piece] as i64));
        let distant = self.places.distant();
        let distant = distant.map(|(name, piece, more)| (name, starts[piece] as i64 + more));
        Offsets {
            is_known: true,
            labels: labels.chain(distant).collect(),
            lines: self
                .lines
                .iter()
                .map(|piece| starts[*piece] as i64)
                .collect(),
        }
    }

    /// The symbol of a function or datum.
    fn symbol(&self) -> Option<&'a str> {
        matches!(self.source.kind, SectionKind::Func | SectionKind::Data)
            .then_some(self.source.name.as_str())
    }

    fn assemble<'t>(
        &self,
        items: Vec<Item<'t>>,
        elsewhere: &Elsewhere<'_>,
        room: &mut u64,
        found: &mut Found<'_>,
    ) -> Section
    where
        'a: 't,
    {
        let is_code = self.source.kind != SectionKind::Data;
        // Collected this way, pieces take the memory of the items.
        let pieces: Vec<Piece<'t>> = items
            .into_iter()
            .enumerate()
            .map(|(at, (line, item))| {
                // Labels count pieces, so a refused one leaves an empty one.
                let empty = || PieceKind::Bytes(Vec::new());
                if found.is_full() {
                    return Piece {
                        line,
                        kind: empty(),
                    };
                }
                let kind = self.piece(item, at, elsewhere).unwrap_or_else(|problem| {
                    found.add(self.number, line, problem);
                    empty()
                });
                Piece { line, kind }
            })
            .collect();
        let lines: Vec<u32> = self.source.lines.iter().map(|line| line.number).collect();
        let laid = lay_out(&Ground {
            pieces: &pieces,
            places: &self.places,
            lines: &lines,
            symbol: self.symbol(),
            is_unique: &|name| elsewhere.scopes.len() == 1 || elsewhere.count(name) == 1,
            is_code,
            aside: self.aside,
            is_open: elsewhere.is_open,
            room: if is_code { u64::MAX } else { *room },
        });
        for (line, problem) in laid.problems {
            found.add(self.number, line, problem);
        }
        for (line, problem) in self.left_out(&pieces, &laid.starts) {
            // A line that is refused has no length.
            let is_own =
                |(section, at, _): &(usize, usize, Problem)| (*section, *at) == (self.number, line);
            if !found.problems.iter().any(is_own) {
                found.add(self.number, line, problem);
            }
        }
        if let Some((at, end)) = laid.overrun {
            let line = pieces[at].line;
            let taken = (MAX_DATA - *room).saturating_add(end as u64);
            found.add(self.number, line, self.too_much(line, taken));
            // That is said once.
            *room = u64::MAX;
        }
        let section = Section {
            is_runtime: false,
            listed: self.listed,
            kind: self.source.kind,
            name: self.source.name.clone(),
            place: self.source.place,
            line: self.source.line,
            bytes: laid.bytes,
            repeats: laid.repeats,
            tables: laid.tables,
            labels: laid.labels,
            fixups: laid.fixups,
            lines: laid.lines,
        };
        if !is_code {
            *room = room.saturating_sub(section.size());
        }
        section
    }

    /// Lines that are longer or shorter than their listing says.
    fn left_out(&self, pieces: &[Piece<'_>], starts: &[usize]) -> Vec<(usize, Problem)> {
        if self.claims.is_empty() || starts.len() <= pieces.len() {
            return Vec::new();
        }
        let mut lengths = vec![0; self.source.lines.len()];
        for (at, piece) in pieces.iter().enumerate() {
            lengths[piece.line] += (starts[at + 1] - starts[at]) as u64;
        }
        let wrong = self.claims.iter().filter_map(|claim| {
            let own = lengths[claim.line];
            let (next, length) = (claim.next, claim.length);
            let problem = match own.cmp(&length) {
                Ordering::Equal => return None,
                Ordering::Less => Problem::new(
                    claim.span,
                    format!(
                        "this takes {own} bytes, and the next offset, {next:#x}, is {length} away: lines of {} bytes are missing behind it",
                        length - own
                    ),
                )
                .help("paste them, too, or write in their place, without an offset, what is to run there"),
                Ordering::Greater => Problem::new(
                    claim.span,
                    format!("this takes {own} bytes, and the next offset, {next:#x}, is {length} away"),
                )
                .help("the line or an offset has a typing error; a line without an offset may have any length"),
            };
            Some((claim.line, problem))
        });
        wrong.collect()
    }

    /// The line with which the data become more than fit.
    fn too_much(&self, line: usize, taken: u64) -> Problem {
        let text = &self.source.lines[line].text;
        let code = text.trim_start();
        let span = Span {
            column: (text.chars().count() - code.chars().count()) as u32 + 1,
            width: code.trim_end().chars().count() as u32,
        };
        let message = format!(
            "with this line the data take {taken} bytes, and those of a template may take {MAX_DATA} (1 GiB)"
        );
        Problem::new(span, message).help("reserve less, or let two uses share one buffer")
    }
}
