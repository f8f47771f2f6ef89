//! What the targets of a section mean: labels of it, of others, symbols of the linker.
//!
//! Correct means: a name that nobody can know is refused at its place, with what there is.

use super::Elsewhere;
use crate::asm::SourceLine;
use crate::asm::encode::{self, Choice};
use crate::asm::inst::{ANONYMOUS, Datum, Direction, Inst, Name, Target, without_table};
use crate::asm::items::{ItemKind, Scope, aims};
use crate::asm::lay::{Aim, PieceKind};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers;
use crate::text::closest;

/// How an instruction uses a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As an address, or as a number.
    Address,
    /// It calls it, or always goes there.
    Branch,
    /// It goes there or on.
    Condition,
}

impl Way {
    fn of(is_branch: bool, choice: &Choice) -> Self {
        // Jcc, LOOPcc and JrCXZ are those with a distance of a byte, but JMP (volume 2, appendix A.3).
        const JMP: u8 = 0xeb;
        let opcode = choice.short.as_ref().and_then(|short| {
            let bytes = short.bytes();
            bytes.get(bytes.len().checked_sub(2)?).copied()
        });
        match opcode {
            _ if !is_branch => Way::Address,
            None | Some(JMP) => Way::Branch,
            Some(_) => Way::Condition,
        }
    }
}

impl<'a> Scope<'a> {
    pub(super) fn piece<'t>(
        &self,
        item: ItemKind<'t>,
        at: usize,
        elsewhere: &Elsewhere<'_>,
    ) -> Result<PieceKind<'t>, Problem>
    where
        'a: 't,
    {
        let find = |target: Target<'t>, way| {
            let (target, label) = self.places.aim(target, at);
            let label = match label {
                Some(label) => Some(label),
                None => self.find(&target, elsewhere, way)?,
            };
            Ok(Aim { target, label })
        };
        // Where the linker puts code that is rarely run nobody knows, and so no assembler has a short jump there.
        let reaching = |mut choice: Choice, aim: &Option<Aim<'t>>| {
            let label = aim.as_ref().and_then(|aim| aim.label);
            let is_apart = label.is_some_and(|label| (label < self.aside) != (at < self.aside));
            if self.is_parted && is_apart && choice.long.is_some() {
                choice.short = None;
            }
            choice
        };
        Ok(match item {
            ItemKind::Align(to) => PieceKind::Align(to),
            ItemKind::Datum(Datum::Bytes(bytes)) => PieceKind::Bytes(bytes),
            ItemKind::Repeat(unit, count) => PieceKind::Repeat(unit, count),
            ItemKind::Datum(Datum::Address(target, width)) => {
                PieceKind::Address(find(target, Way::Address)?, width)
            }
            ItemKind::Datum(Datum::Distance(both, width)) => {
                let (to, from) = *both;
                let both = (find(to, Way::Address)?, find(from, Way::Address)?);
                PieceKind::Distance(Box::new(both), width)
            }
            ItemKind::Inst(choice, aim) => {
                let aim = aim.map(|(target, is_branch)| find(target, Way::of(is_branch, &choice)));
                let aim = aim.transpose()?;
                place(reaching(choice, &aim), aim).expect("only those with a long form are kept so")
            }
            ItemKind::Odd(odd) => {
                let (inst, choice) = *odd;
                // `lea` without brackets is wrong before its symbol is.
                if !encode::is_known(&inst) || choice.is_err() && inst.mnemonic == "lea" {
                    return Err(choice.err().unwrap_or_else(|| no_long_form(&inst)));
                }
                let mut last = None;
                let way = |is_branch| match &choice {
                    Ok(choice) => Way::of(is_branch, choice),
                    Err(_) if is_branch => Way::Branch,
                    Err(_) => Way::Address,
                };
                for (target, is_branch) in aims(&inst) {
                    last = Some(find(target.clone(), way(is_branch))?);
                }
                place(reaching(choice?, &last), last).ok_or_else(|| {
                    let outside = aims(&inst).find_map(|(target, _)| match &target.name {
                        Name::Address(named) => Some(self.outside(named.0, target.span)),
                        _ => None,
                    });
                    outside.unwrap_or_else(|| no_long_form(&inst))
                })?
            }
        })
    }

    /// Whether a name that an open text lacks can be that of a function elsewhere: no compiler lets others see names
    /// with a dot in front, or `$LN` of MSVC, and a conditional jump to a name that is nearly a label's is a slip.
    fn may_be_elsewhere(&self, name: &str, elsewhere: &Elsewhere<'_>, way: Way) -> bool {
        let is_local = name.starts_with('.') || name.starts_with("$LN");
        let labels = || {
            let labels = self.places.named.keys().chain(elsewhere.labels.keys());
            labels.copied().filter(|label| !self.is_function(label))
        };
        match way {
            Way::Address => false,
            Way::Branch => !is_local,
            Way::Condition => !is_local && closest(name, labels()).is_none(),
        }
    }

    /// Whether a label is a function's, whose name may be much like that of another one which is jumped to: one that a
    /// directive names or the text begins with, and one with parameters or mangled.
    fn is_function(&self, label: &str) -> bool {
        let words = |line: &'a SourceLine| {
            let words = line.text.split([' ', '\t', ',', ':']);
            words.filter(|word| !word.is_empty())
        };
        let is_declared = |line| {
            let mut words = words(line);
            let declares =
                |word| matches!(word, ".type" | ".globl" | ".global" | "global" | "PUBLIC");
            words.next().is_some_and(declares) && words.any(|word| word == label)
        };
        let mut lines = self.source.lines.iter();
        let first = lines
            .clone()
            .find_map(|line| line.text.trim_end().strip_suffix(':'));
        label.contains('(')
            || label.starts_with("_Z")
            || label.starts_with("_R")
            || first.is_some_and(|first| first.trim() == label)
            || lines.any(is_declared)
    }

    /// The piece before which a target stands that is no label of this section: none, mostly.
    ///
    /// Refuses names that neither the section, nor another one, nor the linker can know.
    fn find(
        &self,
        target: &Target<'_>,
        elsewhere: &Elsewhere<'_>,
        way: Way,
    ) -> Result<Option<usize>, Problem> {
        let name = match &target.name {
            // The linker knows it, or says that nobody does.
            Name::Symbol(_) | Name::Open(_) => return Ok(None),
            Name::Here | Name::Start => return Ok(Some(0)),
            Name::Address(named) => {
                let (address, symbol) = &**named;
                return match symbol {
                    Some((_, 0)) => Ok(None),
                    _ if elsewhere.is_open => Ok(None),
                    _ => Err(self.outside(*address, target.span)),
                };
            }
            Name::Numeric(number, way) => {
                let side = if *way == Direction::Forward {
                    "after"
                } else {
                    "before"
                };
                let label = match *number {
                    ANONYMOUS => "@@".to_string(),
                    number => number.to_string(),
                };
                return Err(Problem::new(
                    target.span,
                    format!("there is no label `{label}:` {side} this line"),
                ));
            }
            Name::Label(name) if self.places.open.contains(name) => return Ok(None),
            // The linker's, which may have this section's label for it.
            Name::Label(name) => match without_table(name) {
                own if own != *name && self.places.named.contains_key(own) => return Ok(None),
                linked => linked,
            },
        };
        match elsewhere.count(name) {
            1 => Ok(None),
            0 if elsewhere.symbols.contains(name) => Ok(None),
            0 if elsewhere.is_open && self.may_be_elsewhere(name, elsewhere, way) => Ok(None),
            0 => {
                let branch = way != Way::Address;
                let what = if branch {
                    "undefined label"
                } else {
                    "unknown register or symbol"
                };
                let mut known: Vec<&str> = self.places.named.keys().copied().collect();
                known.extend(elsewhere.labels.keys());
                if !branch {
                    for name in registers::names() {
                        known.push(name);
                    }
                }
                known.sort_unstable();
                let problem = Problem::new(target.span, format!("{what} `{name}`"));
                if let Some(help) = meant(name) {
                    return Err(problem.help(help));
                }
                Err(problem.suggest(
                    name,
                    known.into_iter(),
                    Some("symbols stand in double quotes; where a debugger shows a variable's name, write its address or a label"),
                ))
            }
            _ => {
                let holders: Vec<&str> = elsewhere
                    .scopes
                    .iter()
                    .filter(|scope| scope.places.named.contains_key(name))
                    .map(|scope| scope.source.name.as_str())
                    .collect();
                Err(Problem::new(
                    target.span,
                    format!("the label `{name}` is defined in several other sections"),
                )
                .help(format!(
                    "it stands in {}; give one of them another name",
                    holders.join(", ")
                )))
            }
        }
    }
}

/// What a name that nothing has was meant to be.
fn meant(name: &str) -> Option<String> {
    let digits = name
        .strip_suffix(['h', 'H'])
        .filter(|digits| !digits.is_empty());
    if let Some(digits) =
        digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Some(format!(
            "a hexadecimal number begins with a digit: `0{digits}h` or `0x{digits}`"
        ));
    }
    registers::missing(name)
}

impl Scope<'_> {
    /// A branch to an address that no line has.
    fn outside(&self, address: u64, span: Span) -> Problem {
        let mut known: Vec<u64> = self.places.addresses.keys().copied().collect();
        known.sort_unstable();
        if self.is_go {
            return missing_offset(address, span, &known);
        }
        let message = format!("the target {address:x} is no line of this text");
        let problem = Problem::new(span, message);
        match (known.first(), known.last()) {
            (Some(first), Some(last)) => problem.help(format!(
                "there are {} addresses, from {first:x} to {last:x}; paste the lines that it goes to as well, or name a symbol",
                known.len()
            )),
            _ => problem.help(
                "this is a line of a listing: paste its column of addresses, too, or write a label in front of the line it goes to",
            ),
        }
    }
}

/// A jump to an offset that no line of a listing has.
fn missing_offset(address: u64, span: Span, known: &[u64]) -> Problem {
    /// Offsets that are named around the one that is missing.
    const NEAR: usize = 4;
    let at = known.partition_point(|one| *one < address);
    let near = &known[at.saturating_sub(NEAR)..(at + NEAR).min(known.len())];
    // A disassembler prints addresses, and those in hexadecimal.
    let written = |one: &u64| match one {
        ..0x10_0000 => one.to_string(),
        _ => format!("{one:#x}"),
    };
    let named: Vec<String> = near.iter().map(written).collect();
    let (what, address) = (
        if address < 0x10_0000 {
            "offset"
        } else {
            "address"
        },
        written(&address),
    );
    let problem = Problem::new(
        span,
        format!("no line of this function has the {what} {address}"),
    );
    match known.len() {
        0 => problem.help("put a label in front of the line that it goes to, and name that"),
        count => problem.help(format!(
            "there are {count}, near it {}; paste the line, too, or bind it in the header to a label, a function or data: `;! bind = {{ \"@{address}\" = \"done\" }}`",
            named.join(", ")
        )),
    }
}

/// The piece for an instruction; none where only a label near by would do, and there is none.
pub(super) fn place<'a>(choice: Choice, aim: Option<Aim<'a>>) -> Option<PieceKind<'a>> {
    match (choice, aim) {
        (
            Choice {
                short: Some(short),
                long,
            },
            Some(Aim {
                target,
                label: Some(label),
            }),
        ) => Some(PieceKind::Branch {
            short,
            long,
            target,
            label,
        }),
        (Choice { long, .. }, aim) => Some(PieceKind::Fixed(long?, aim)),
    }
}

fn no_long_form(inst: &Inst<'_>) -> Problem {
    let message = format!("`{}` reaches only labels of its own section", inst.mnemonic);
    let problem = Problem::new(inst.operand_span(), message);
    match inst.reach {
        Some(_) => problem.help("leave out `short`"),
        None => problem.help("go to a label here, and from there on with `jmp`"),
    }
}
