//! The lines of a section, one by one: what each says, and what takes up room of it.
//!
//! Correct means: a line is read as its listing, its dialect and the lines before it have it, and one that is passed
//! over says nothing.

use super::repeat::{not_in_code, repeat, written_out};
use super::{Bench, Context, Found, Item, ItemKind, MOST_COPIES, MOST_PROBLEMS, Scope, aims};
use crate::asm::SourceSection;
use crate::asm::encode;
use crate::asm::inst::{Datum, Name, Operand, OperandKind, Place, Statement};
use crate::asm::known::Known;
use crate::asm::lay::{Given, Places};
use crate::asm::problem::{Problem, Span};
use crate::asm::program::SectionKind;
use crate::asm::read::dialect::{Choice as Dialects, is_msvc, is_nasm};
use crate::asm::read::listing::{
    Entry as Columns, Listing, Row, goal, lead_out, settle, survey, without_callee,
};
use crate::asm::read::{self, Around, Offsets, go};

/// One section's lines as items, with all its labels.
///
/// `offsets` are those of a layout before, for distances that are numbers; the answer says whether
/// one was asked for.
pub(in crate::asm) fn parse<'a>(
    source: &'a SourceSection,
    number: usize,
    context: &Context<'_>,
    offsets: &Offsets<'a>,
    bench: &mut Bench<'a>,
    found: &mut Found<'_>,
) -> (Scope<'a>, Vec<Item<'a>>, bool) {
    let lines = source.lines.iter().map(|line| line.text.as_str());
    let dialects = Dialects::new(context.syntax, context.separates, lines.clone());
    let listing = match dialects.is_go_text() {
        true => go::rows::survey(lines),
        false => survey(lines),
    };
    let mut dialects = dialects;
    dialects.has_guests = listing
        .as_ref()
        .is_some_and(|listing| listing.is_disassembled);
    let mut reader = Reader {
        source,
        number,
        dialects,
        around: Around::new(context.hash, offsets).binding(context.bound),
        places: Places::default(),
        code: Vec::with_capacity(source.lines.len()),
        aside: Vec::new(),
        place: Place::Code,
        refused: 0,
        listed: 0,
        lines: vec![0; source.lines.len()],
        begun_at: 0,
        carried: 0,
        bound: Vec::new(),
        is_run: context.is_run,
        given: Vec::new(),
        known: Known::default(),
        bench,
    };
    reader.around.constants.clone_from(&reader.bench.constants);
    reader.around.is_nasm = source.lines.iter().any(|line| is_nasm(&line.text));
    reader.around.is_msvc = source.lines.iter().any(|line| is_msvc(&line.text));
    if reader.dialects.is_go_text() {
        let lines = source.lines.iter().map(|line| line.text.as_str());
        reader.around.function.calls = go::Calls::of(lines);
        reader.around.function.go_minor = context.go_minor.unwrap_or(u8::MAX);
        reader.around.function.keeps_order = reader.bench.keeps_order();
    }
    let mut at = 0;
    let mut repeats: Vec<Loop> = Vec::new();
    while at < source.lines.len() && !found.is_full() && reader.refused < MOST_PROBLEMS {
        let step = reader.line(at, listing.as_ref(), found);
        at = turn(at, step, &mut repeats, &mut reader, found);
    }
    if let Some(open) = repeats.last() {
        let problem = Problem::new(open.span, "nothing ends what is repeated")
            .help("write `.endr` behind it");
        found.problems.push((number, open.line, problem));
    }
    let at = reader.begun_at;
    if let Some(problem) = reader.around.begun.refuse() {
        found.problems.push((number, at, problem));
    }
    if let Some(Statement::Data(bytes)) = reader.around.begun.bytes() {
        let bytes = bytes.into_iter().map(ItemKind::Datum);
        bytes.for_each(|datum| reader.push(at, datum));
    }
    for statement in reader.around.function.end() {
        let columns = Columns::default();
        reader.statement(0, statement, &columns, None, &mut Step::On, found);
    }
    let bound = std::mem::take(&mut reader.bound);
    let (mut scope, items, is_asked) = reader.finish(found);
    scope.claims = listing.map_or_else(Vec::new, |listing| listing.claims);
    scope.claims.retain(|claim| !bound.contains(&claim.line));
    (scope, items, is_asked)
}

/// What a line says of the lines that come next.
enum Step {
    /// The next one.
    On,
    /// The lines up to the end are repeated so many times.
    Repeat(u64, Span),
    /// The end of what is repeated.
    End(Span),
}

/// Lines that are repeated.
struct Loop {
    line: usize,
    left: u64,
    span: Span,
}

/// The line that comes after `at`.
fn turn(
    at: usize,
    step: Step,
    repeats: &mut Vec<Loop>,
    reader: &mut Reader<'_, '_, '_>,
    found: &mut Found<'_>,
) -> usize {
    let end = reader.source.lines.len();
    let mut refuse = |line: usize, problem: Problem| {
        found.problems.push((reader.number, line, problem));
        end
    };
    match step {
        Step::On => at + 1,
        Step::Repeat(count, span) => {
            if count > 0 {
                repeats.push(Loop {
                    line: at,
                    left: count,
                    span,
                });
                return at + 1;
            }
            let is_end =
                |line: &str| matches!(line.split_whitespace().next(), Some(".endr" | "%endrep"));
            let lines = &reader.source.lines[at..];
            let length = lines.iter().position(|line| is_end(&line.text));
            length.map_or(end, |length| at + length + 1)
        }
        Step::End(span) => {
            let Some(open) = repeats.last_mut() else {
                return refuse(at, Problem::new(span, "nothing is repeated here"));
            };
            reader.bench.copies += (at - open.line) as u64;
            if reader.bench.copies > MOST_COPIES {
                let message = format!(
                    "all lines of a text are repeated at most {MOST_COPIES} times together"
                );
                return refuse(open.line, Problem::new(open.span, message));
            }
            open.left -= 1;
            if open.left > 0 {
                return open.line + 1;
            }
            repeats.pop();
            at + 1
        }
    }
}

/// A section while its lines are read.
struct Reader<'e, 'a, 'b> {
    source: &'a SourceSection,
    number: usize,
    dialects: Dialects,
    around: Around<'e, 'a>,
    places: Places<'a>,
    code: Vec<Item<'a>>,
    /// Tables, which stand behind the code.
    aside: Vec<Item<'a>>,
    place: Place,
    refused: usize,
    /// Instructions whose bytes a listing shows.
    listed: u32,
    /// The item at which each line begins.
    lines: Vec<usize>,
    /// The line of the last prefix that stands alone.
    begun_at: usize,
    /// How many prefixes of the lines before the next instruction has.
    carried: usize,
    /// Lines whose branches go elsewhere than their listing says.
    bound: Vec<usize>,
    /// Whether what it addresses has to be there.
    is_run: bool,
    /// Names that were given to addresses.
    given: Vec<Given<'a>>,
    /// Lines that were read before.
    known: Known<'a>,
    bench: &'b mut Bench<'a>,
}

/// Added to the place of what stands aside, until it is known how much code there is.
const ASIDE: usize = 1 << 40;

impl<'a> Reader<'_, 'a, '_> {
    fn finish(mut self, found: &mut Found<'_>) -> (Scope<'a>, Vec<Item<'a>>, bool) {
        let is_parted = !self.aside.is_empty();
        if is_parted {
            // What ends the code is told from what begins behind it.
            let last = self.source.lines.len().saturating_sub(1);
            self.code
                .push((last, ItemKind::Datum(Datum::Bytes(Vec::new()))));
        }
        let count = self.code.len();
        let settled = |place: usize| match place.checked_sub(ASIDE) {
            Some(place) => place + count,
            None => place,
        };
        self.places.settle(settled);
        let mut given = std::mem::take(&mut self.given);
        for one in &mut given {
            one.from = settled(one.from);
        }
        for (one, holder) in self.places.bind(given) {
            let name = one.name;
            let problem = match holder {
                Some(line) => twice(name, one.span, self.source.lines[line].number),
                None => Problem::new(one.span, format!("`{name}` is another name of itself"))
                    .help("set one of the names to a label or a number"),
            };
            found.problems.push((self.number, one.line, problem));
        }
        for place in &mut self.lines {
            if let Some(aside) = place.checked_sub(ASIDE) {
                *place = aside + count;
            }
        }
        self.code.append(&mut self.aside);
        let scope = Scope {
            source: self.source,
            number: self.number,
            places: self.places,
            listed: self.listed,
            is_go: self.dialects.is_go_text(),
            lines: self.lines,
            aside: count,
            is_parted,
            constants: std::mem::take(&mut self.around.constants),
            claims: Vec::new(),
        };
        (scope, self.code, self.around.is_asked.get())
    }

    /// The place of the next item.
    fn next(&self) -> usize {
        match self.is_aside() {
            true => ASIDE + self.aside.len(),
            false => self.code.len(),
        }
    }

    /// Data stand together in a section of data.
    fn is_aside(&self) -> bool {
        self.place != Place::Code && self.source.kind != SectionKind::Data
    }

    fn push(&mut self, line: usize, item: ItemKind<'a>) {
        self.refused += usize::from(item.is_refused());
        match self.is_aside() {
            true => self.aside.push((line, item)),
            false => self.code.push((line, item)),
        }
    }

    /// Reads one line.
    fn line(&mut self, at: usize, listing: Option<&Listing<'a>>, found: &mut Found<'_>) -> Step {
        let text = self.source.lines[at].text.as_str();
        self.lines[at] = self.next();
        let may_be_known = listing.is_none() && self.is_alike();
        if may_be_known && let Some(encoded) = self.known.get(text) {
            self.push(at, ItemKind::plain(encoded));
            return Step::On;
        }
        self.around.here = self.around.offsets.lines.get(at).copied().unwrap_or(0);
        let none = Columns::default();
        let (columns, is_sure) = match listing.map(|listing| &listing.rows[at]) {
            None => (&none, true),
            Some(Row::Heading(address, name)) => {
                self.places
                    .addresses
                    .entry(*address)
                    .or_insert(self.code.len());
                // Versions of a destructor have one name; branches to them have the address.
                let next = self.next();
                let _ = self.places.define(name, next, at);
                return Step::On;
            }
            Some(Row::Passed | Row::More(_)) => return Step::On,
            Some(Row::Wrong(problem)) => {
                found.problems.push((self.number, at, problem.clone()));
                return Step::On;
            }
            Some(Row::Values(values, room)) => {
                for value in values {
                    self.push(at, ItemKind::Datum(value.clone()));
                }
                if *room > 0 {
                    self.push(at, repeat(vec![0], *room));
                }
                return Step::On;
            }
            Some(Row::Entry(columns)) => {
                if let Some(address) = columns.address {
                    let next = self.next();
                    self.places.addresses.entry(address).or_insert(next);
                }
                if columns.text == (0..0) || text[columns.text.clone()].starts_with("(bad)") {
                    self.push(at, ItemKind::Datum(Datum::Bytes(columns.bytes.clone())));
                    return Step::On;
                }
                (columns, true)
            }
            // Source between the instructions; but what was put in by hand counts.
            Some(Row::Plain) => (&none, false),
        };
        let mut columns = std::borrow::Cow::Borrowed(columns);
        if columns.text == (0..0) {
            let whole = 0..text.len();
            columns.to_mut().text = match goal(text, &whole, false) {
                Some((goal, part)) => {
                    columns.to_mut().target = Some(goal);
                    part
                }
                None => whole,
            };
        }
        if let Some(listing) = listing.filter(|_| self.dialects.is_go_text()) {
            let function = &mut self.around.function;
            function.is_lowered = true;
            function.is_disassembled = listing.is_disassembled;
            function.length = listing.lengths.get(&at).copied();
            function.shown.clone_from(&columns.bytes);
            let length = match columns.bytes.len() {
                0 => function.length.map(u64::from),
                bytes => Some(bytes as u64),
            };
            function.next = columns
                .address
                .zip(length)
                .map(|(address, length)| address + length);
        }
        let part = match self.dialects.is_go_text() {
            true => columns.text.clone(),
            false => without_callee(text, columns.text.clone()),
        };
        let mut statements = std::mem::take(&mut self.bench.statements);
        let begun = self.around.begun.count();
        let parsed = read::parse(
            text,
            part,
            &self.dialects,
            &mut self.around,
            &mut self.bench.tokens,
            &mut statements,
        );
        let is_one = parsed.is_ok() && matches!(&statements[..], [Statement::Inst(_)]);
        let is_passed = !is_sure && !self.is_meant(&parsed, &statements);
        let is_row = is_sure && listing.is_some();
        match self.around.begun.count() {
            0 => {}
            // A row of a listing has bytes of its own, and what is passed over none.
            _ if is_passed || is_row => {
                statements.extend(self.around.begun.bytes());
            }
            count if count != begun => self.begun_at = at,
            _ => {}
        }
        if let Err(problem) = parsed
            && !is_passed
            && self.place != Place::Nowhere
        {
            let problem = self.dialects.explained(problem, text, |line| {
                self.source
                    .lines
                    .get(line)
                    .map(|line| (line.number, line.text.as_str()))
            });
            found.problems.push((self.number, at, problem));
        }
        self.carried = begun;
        let mut step = Step::On;
        for statement in statements.drain(..) {
            if !is_passed {
                self.statement(at, statement, &columns, listing, &mut step, found);
            }
        }
        self.bench.statements = statements;
        if may_be_known && is_one && self.is_alike() {
            self.keep(text);
        }
        step
    }

    /// Whether a line that comes next is what an equal one was, or will be.
    fn is_alike(&self) -> bool {
        self.around.begun.count() == 0
            && self.place != Place::Nowhere
            && !self.around.is_asked.get()
            && !self.dialects.is_go_text()
    }

    /// Keeps the item that the line made, where it names no target.
    fn keep(&mut self, line: &'a str) {
        let items = match self.is_aside() {
            true => &self.aside,
            false => &self.code,
        };
        if let Some((_, ItemKind::Inst(choice, None))) = items.last()
            && let (None, Some(encoded)) = (choice.short, choice.long)
        {
            self.known.keep(line, encoded);
        }
    }

    /// Whether a line between those of a listing is to be assembled: a label, or what does so.
    fn is_meant(&mut self, parsed: &Result<(), Problem>, statements: &[Statement<'a>]) -> bool {
        let is_one = |statement: &Statement<'a>| match statement {
            Statement::Label(..) => true,
            Statement::Inst(inst) => encode::is_known(inst),
            _ => false,
        };
        parsed.is_ok() && !statements.is_empty() && statements.iter().all(is_one)
    }

    fn statement(
        &mut self,
        at: usize,
        statement: Statement<'a>,
        columns: &Columns<'a>,
        listing: Option<&Listing<'a>>,
        step: &mut Step,
        found: &mut Found<'_>,
    ) {
        let is_data = self.source.kind == SectionKind::Data || self.is_aside();
        let fail = |found: &mut Found<'_>, number: usize, problem: Problem| {
            found.problems.push((number, at, problem));
        };
        match statement {
            Statement::Place(place) => return self.place = place,
            Statement::Syntax(syntax) => {
                self.known.forget();
                return self.dialects.asked = syntax;
            }
            Statement::NumericLabel(_) => self.known.forget(),
            Statement::Repeat(count, span) => return *step = Step::Repeat(count, span),
            Statement::EndRepeat(span) => return *step = Step::End(span),
            Statement::Set(name, value) => {
                self.known.forget();
                self.around.constants.insert(name, value);
                return;
            }
            Statement::Alias(name, span, target) => {
                self.known.forget();
                self.around.constants.remove(name);
                let from = self.next();
                self.given.push(Given {
                    name,
                    span,
                    line: at,
                    from,
                    target,
                });
                return;
            }
            _ if self.place == Place::Nowhere => return,
            _ => {}
        }
        match statement {
            Statement::NumericLabel(label) => {
                let next = self.next();
                self.places.numeric.push((label, next));
            }
            Statement::Label(name, span) => self.label(at, name, span, found),
            Statement::Inst(mut inst) => {
                if let Some(goal) = &columns.target {
                    inst.operands.push(Operand {
                        kind: OperandKind::Target(goal.target()),
                        span: goal.span,
                    });
                }
                if !self.dialects.is_go_text() {
                    for operand in &mut inst.operands {
                        if let OperandKind::Memory(mem) = &mut operand.kind {
                            settle(mem, columns, listing);
                            if let Some(listing) = listing.filter(|_| self.is_run) {
                                let length = listing.lengths.get(&at).copied();
                                let line = self.source.lines[at].text.as_str();
                                lead_out(mem, columns, listing, (line, length), operand.span);
                            }
                        }
                    }
                }
                let coder = &mut self.bench.coder;
                let item = if columns.bytes.is_empty() {
                    let length = listing.and_then(|listing| listing.lengths.get(&at).copied());
                    // It was so long on its way to the offset, not to what a header binds that to.
                    let is_bound = aims(&inst).any(|(target, is_branch)| {
                        is_branch
                            && matches!(&target.name, Name::Symbol(name) if name.starts_with('@'))
                    });
                    // Go's assembler has one encoding of each instruction, and two of a jump.
                    let is_jump = aims(&inst).any(|(_, is_branch)| is_branch);
                    let is_open = is_jump || !self.dialects.is_go_text();
                    let length = length.filter(|_| is_open && !is_bound);
                    if is_bound {
                        self.bound.push(at);
                    }
                    inst.form.length = length.or(inst.form.length);
                    let item = ItemKind::of(inst, coder);
                    self.without_carried(item, found)
                } else {
                    self.listed += 1;
                    ItemKind::listed(inst, &columns.bytes, coder)
                };
                self.push(at, item);
            }
            Statement::Align(mut to) => {
                // A listing of NASM's shows what fills.
                to.fill = to.fill.or(columns.bytes.first().copied());
                self.push(at, ItemKind::Align(to));
            }
            Statement::Extern(names) => self.places.open.extend(names),
            Statement::Reserve(bytes, _) if is_data => self.push(at, repeat(vec![0], bytes)),
            Statement::Reserve(_, span) => fail(found, self.number, not_in_code(span)),
            Statement::Fill(byte, count) if is_data => self.push(at, repeat(vec![byte], count)),
            Statement::Fill(byte, count) => {
                self.bench.copies = self.bench.copies.saturating_add(count);
                if self.bench.copies > MOST_COPIES {
                    let span = Span {
                        column: 1,
                        width: 1,
                    };
                    return fail(found, self.number, not_in_code(span));
                }
                let bytes = vec![byte; count as usize];
                self.push(at, ItemKind::Datum(Datum::Bytes(bytes)));
            }
            Statement::Times(times) => {
                let Bench { coder, copies, .. } = &mut *self.bench;
                match written_out(*times, is_data, coder, copies) {
                    Ok(all) => all.into_iter().for_each(|item| self.push(at, item)),
                    Err(problem) => fail(found, self.number, problem),
                }
            }
            Statement::Data(data) => {
                for datum in data {
                    self.push(at, ItemKind::Datum(datum));
                }
            }
            Statement::Place(_)
            | Statement::Syntax(_)
            | Statement::Repeat(..)
            | Statement::EndRepeat(_)
            | Statement::Set(..)
            | Statement::Alias(..) => {}
        }
    }

    /// An instruction without the prefixes of the lines before, where only these are wrong: that is said there.
    fn without_carried(&mut self, item: ItemKind<'a>, found: &mut Found<'_>) -> ItemKind<'a> {
        let carried = std::mem::take(&mut self.carried);
        let ItemKind::Odd(odd) = &item else {
            return item;
        };
        let (inst, Err(problem)) = &**odd else {
            return item;
        };
        if carried == 0 || carried > inst.prefixes.len() {
            return item;
        }
        let mut bare = inst.clone();
        bare.prefixes.drain(..carried);
        let bare = ItemKind::of(bare, &mut self.bench.coder);
        if bare.is_refused() {
            return item;
        }
        found
            .problems
            .push((self.number, self.begun_at, problem.clone()));
        bare
    }

    fn label(&mut self, at: usize, name: &'a str, span: Span, found: &mut Found<'_>) {
        let next = self.next();
        if let Err(first) = self.places.define(name, next, at) {
            let problem = twice(name, span, self.source.lines[first].number);
            found.problems.push((self.number, at, problem));
        }
    }
}

fn twice(name: &str, span: Span, first: u32) -> Problem {
    Problem::new(span, format!("the label `{name}` is defined twice"))
        .help(format!("the first one stands in line {first}"))
}
