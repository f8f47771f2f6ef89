//! A section once more, with instructions put in around some of its own, and operands of those exchanged.
//!
//! Correct means: the section is what assembling its text with these lines in it gives; the labels
//! of an instruction stand in front of what was put there; and the lines of the template are those
//! that they were.

use std::borrow::Cow;

use iced_x86::Register;

use super::inst::{Asked, Decor, Inst, Operand, OperandKind, Statement};
use super::items::{Bench, Context, Item, ItemKind, Scope};
use super::read::dialect::Choice;
use super::read::{self, Around, Offsets};
use super::registers::at_bits;
use super::source::Syntax;
use super::{SourceLine, SourceSection};

/// What becomes of a section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Insertion {
    /// The section, by index.
    pub section: usize,
    /// A label of that section.
    pub label: String,
    /// What is done to some of its instructions, each at most once.
    pub edits: Vec<Edit>,
}

/// What is done to one instruction. Texts are in Intel syntax, one instruction a text, without labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Which instruction: that behind the label is 0, the one in front of it -1, the next one 1.
    pub at: i32,
    /// In front of it, behind its labels.
    pub before: Vec<String>,
    /// What it reads instead of one of its operands.
    pub exchange: Option<Exchange>,
    /// Whether it stays as it is, and the one with the exchanged operand stands behind `after`.
    pub is_doubled: bool,
    /// Behind it, in front of the labels of the next one.
    pub after: Vec<String>,
}

/// What an instruction reads in place of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Another register in each of its operands, at the width that was written.
    Register {
        /// The 64-bit register that was written.
        of: Register,
        /// The one that takes its place.
        by: Register,
    },
    /// A register in place of its memory operand, which is loaded into it first, in front of `before`.
    Memory {
        /// The 64-bit register.
        by: Register,
        /// The operand's width in bits.
        bits: u32,
    },
}

/// Puts it into parsed lines. None where no instruction stands at one of these places.
pub(super) fn insert<'a>(
    insertion: &'a Insertion,
    (source, context): (&'a SourceSection, &Context<'_>),
    scope: &mut Scope<'a>,
    items: &mut Vec<Item<'a>>,
    bench: &mut Bench<'a>,
) -> Option<()> {
    let (behind_label, _) = *scope.places.named.get(insertion.label.as_str())?;
    let is_code = |(_, item): &Item<'_>| matches!(item, ItemKind::Inst(..) | ItemKind::Odd(_));
    let mut places: Vec<(usize, &'a Edit)> = Vec::new();
    for edit in &insertion.edits {
        let at = behind_label.checked_add_signed(edit.at as isize)?;
        // What lies between was counted in instructions.
        let between = at.min(behind_label)..=at.max(behind_label);
        if !items.get(between)?.iter().all(is_code) {
            return None;
        }
        places.push((at, edit));
    }
    // From the last one on, so that those in front stand where they stood.
    places.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (at, edit) in places {
        let line = items[at].0;
        let exchanged = match edit.exchange {
            None => Exchanged::default(),
            Some(exchange) => {
                let before = items[..at].iter().rev();
                let nth = before.take_while(|(other, _)| *other == line).count();
                let written = written(&source.lines[..=line], nth, context, bench)?;
                exchanged(written, exchange)?
            }
        };
        let mut put = Put { line, bench };
        let mut before: Vec<Item<'a>> = exchanged
            .load
            .map(|load| put.item(load))
            .into_iter()
            .collect();
        before.extend(put.parsed(&edit.before)?);
        let mut after = put.parsed(&edit.after)?;
        let changed = exchanged.changed.map(|changed| put.item(changed));
        if edit.is_doubled {
            after.extend(changed);
        } else if let Some(changed) = changed {
            items[at] = changed;
        }
        let count = before.len() + after.len();
        items.splice(at + 1..at + 1, after);
        items.splice(at..at, before);
        let moved = |place| if place > at { place + count } else { place };
        scope.places.settle(moved);
        scope.aside = moved(scope.aside);
    }
    Some(())
}

/// Makes items of one line.
struct Put<'b, 'a> {
    line: usize,
    bench: &'b mut Bench<'a>,
}

impl<'a> Put<'_, 'a> {
    fn item(&mut self, inst: Inst<'a>) -> Item<'a> {
        (self.line, ItemKind::of(inst, &mut self.bench.coder))
    }

    fn parsed(&mut self, texts: &'a [String]) -> Option<Vec<Item<'a>>> {
        let mut parsed = Vec::new();
        for text in texts {
            let no_hash = |name: &str| Err(format!("no hash of {name}"));
            let statements = statements(
                std::iter::once(text.as_str()),
                Syntax::Intel,
                false,
                &no_hash,
                self.bench,
            )?;
            for statement in statements {
                let Statement::Inst(inst) = statement else {
                    return None;
                };
                parsed.push(self.item(inst));
            }
        }
        Some(parsed)
    }
}

/// The n-th instruction of the last of these lines as it was written.
fn written<'a>(
    lines: &'a [SourceLine],
    nth: usize,
    context: &Context<'_>,
    bench: &mut Bench<'a>,
) -> Option<Inst<'a>> {
    let (last, before) = lines.split_last()?;
    // A prefix may stand on the line before.
    let before = before
        .iter()
        .rev()
        .find(|line| !line.text.trim().is_empty());
    let texts = before.into_iter().chain([last]);
    let texts = texts.map(|line| line.text.as_str());
    let statements = statements(
        texts,
        context.syntax,
        context.separates,
        context.hash,
        bench,
    )?;
    let insts = statements
        .into_iter()
        .filter_map(|statement| match statement {
            Statement::Inst(inst) => Some(inst),
            _ => None,
        });
    insts.collect::<Vec<_>>().into_iter().nth(nth)
}

/// The statements of the last of some lines.
fn statements<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    syntax: Syntax,
    separates: bool,
    hash: &dyn Fn(&str) -> Result<u32, String>,
    bench: &mut Bench<'a>,
) -> Option<Vec<Statement<'a>>> {
    let offsets = Offsets::default();
    let mut around = Around::new(hash, &offsets);
    let choice = Choice::new(syntax, separates, texts.clone());
    let mut made = Vec::new();
    let mut parsed = Ok(());
    for text in texts {
        made.clear();
        let part = 0..text.len();
        let tokens = &mut bench.tokens;
        parsed = read::parse(text, part, &choice, &mut around, tokens, &mut made);
    }
    parsed.ok()?;
    Some(made)
}

/// An instruction with another operand, and what loads that.
#[derive(Default)]
struct Exchanged<'a> {
    load: Option<Inst<'a>>,
    changed: Option<Inst<'a>>,
}

fn exchanged(mut inst: Inst<'_>, exchange: Exchange) -> Option<Exchanged<'_>> {
    let mut load = None;
    let mut is_found = false;
    for operand in &mut inst.operands {
        match (exchange, &mut operand.kind) {
            (Exchange::Register { of, by }, OperandKind::Register(register))
                if register.full_register() == of =>
            {
                *register = at_width(by, *register)?;
                is_found = true;
            }
            (Exchange::Register { of, by }, OperandKind::Memory(mem)) => {
                for register in mem.base.iter_mut().chain(&mut mem.index) {
                    if register.full_register() == of {
                        *register = at_width(by, *register)?;
                        is_found = true;
                    }
                }
            }
            (Exchange::Memory { by, bits }, kind @ OperandKind::Memory(_)) => {
                let register = OperandKind::Register(at_bits(by, bits)?);
                let memory = std::mem::replace(kind, register.clone());
                let operand = |kind| Operand {
                    kind,
                    span: operand.span,
                };
                load = Some(Inst {
                    mnemonic: Cow::Borrowed("mov"),
                    span: inst.span,
                    prefixes: Vec::new(),
                    operands: vec![operand(register), operand(memory)],
                    reach: None,
                    decor: Decor::default(),
                    form: Asked::default(),
                });
                is_found = true;
            }
            _ => {}
        }
    }
    is_found.then_some(Exchanged {
        load,
        changed: Some(inst),
    })
}

/// A register at the width of another; none at that of a high byte.
fn at_width(by: Register, like: Register) -> Option<Register> {
    let is_high = matches!(
        like,
        Register::AH | Register::BH | Register::CH | Register::DH
    );
    at_bits(by, like.size() as u32 * 8).filter(|_| !is_high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asm::{
        Context, Section, SectionKind, SourceLine, SourceSection, assemble_and_insert,
    };

    fn source(text: &str) -> SourceSection {
        let lines = (1..).zip(text.lines()).map(|(number, text)| SourceLine {
            number,
            text: text.to_owned(),
        });
        SourceSection {
            kind: SectionKind::Body,
            name: "body".to_owned(),
            place: None,
            line: 1,
            lines: lines.collect(),
        }
    }

    fn inserted(text: &str, insertion: &Insertion) -> Option<Section> {
        let context = Context {
            file: "test",
            hash: &|_| Err("none".into()),
            is_open: true,
            is_run: false,
            syntax: Syntax::Intel,
            separates: false,
            bound: &[],
            go_minor: None,
        };
        let plan = |_: &_| vec![insertion.clone()];
        let sections = [source(text)];
        let assembled = assemble_and_insert(&sections, &context, plan);
        assembled.expect("assembles").1.remove(0)
    }

    fn insertion(label: &str, back: usize) -> Insertion {
        Insertion {
            section: 0,
            label: label.into(),
            edits: vec![Edit {
                at: -(back as i32),
                before: vec!["imul rcx, rcx, 1".into(), "imul r11, rcx, 1".into()],
                after: vec!["mov rcx, r11".into()],
                ..Edit::default()
            }],
        }
    }

    #[test]
    fn the_section_is_what_assembling_the_longer_text_gives() {
        let text = "head: mov ecx, [rax]\n1: again:\n cmp ecx, 5\nsite:\n jne head\n mov eax, 1\n \
             jmp 1b\n jmp short again\nend:\n lea rdx, [end]";
        let longer = "head: mov ecx, [rax]\n1: again:\n imul rcx, rcx, 1\n imul r11, rcx, 1\n cmp ecx, 5\n mov \
             rcx, r11\nsite:\n jne head\n mov eax, 1\n jmp 1b\n jmp short again\nend:\n lea rdx, [end]";
        let section = inserted(text, &insertion("site", 1)).expect("a section");
        let naive = crate::asm::fragment(longer).expect("assembles");
        assert_eq!(section.bytes, naive.bytes);
        assert_eq!(section.labels, naive.labels);
        // What was put in is of the line that it was put in at.
        let naive_lines = |line| match line {
            0..=2 => line,
            3..=6 => 3,
            line => line - 3,
        };
        for offset in 0..section.bytes.len() as u32 {
            let line = naive.line_at(offset).map(naive_lines);
            assert_eq!(section.line_at(offset), line, "{offset}");
        }
    }

    #[test]
    fn an_operand_is_exchanged_as_if_it_had_been_written_so() {
        let by = Register::R11;
        let register = |of| Exchange::Register { of, by };
        let memory = |bits| Exchange::Memory { by, bits };
        #[rustfmt::skip] // a table: what stands there, what is exchanged, what assembling should have got
        let shapes = [
            ("site: call rcx",                    register(Register::RCX), "call r11"),
            ("nop\nsite: call [rax + 24]",        register(Register::RAX), "nop\n call [r11 + 24]"),
            ("site: jmp [rdx + rcx*8]",           register(Register::RCX), "jmp [rdx + r11*8]"),
            ("site: cmp ecx, 0xd04ae83d",         register(Register::RCX), "cmp r11d, 0xd04ae83d"),
            ("site: test bl, 1",                  register(Register::RBX), "test r11b, 1"),
            ("site: test si, si",                 register(Register::RSI), "test r11w, r11w"),
            ("site: cmp dword [rbx + 4], 9",      register(Register::RBX), "cmp dword [r11 + 4], 9"),
            ("site: cmp byte [rsp + 4], 9",       memory(8),               "mov r11b, [rsp + 4]\n cmp r11b, 9"),
            ("site: call [rsp + 8]",              memory(64),              "mov r11, [rsp + 8]\n call r11"),
            ("site:\nlock\n\nxadd [rax], ecx",    register(Register::RAX), "lock xadd [r11], ecx"),
            ("top: nop\nsite: cmp [top], edx",    memory(32),              "top: nop\n mov r11d, [top]\n cmp r11d, edx"),
        ];
        for (text, exchange, longer) in shapes {
            let mut insertion = insertion("site", 0);
            insertion.edits[0] = Edit {
                exchange: Some(exchange),
                ..Edit::default()
            };
            let section = inserted(text, &insertion).expect(text);
            let naive = crate::asm::fragment(longer).expect("assembles");
            assert_eq!(section.bytes, naive.bytes, "{text}");
        }
        let mut insertion = insertion("site", 0);
        insertion.edits[0].exchange = Some(register(Register::RAX));
        assert!(inserted("site: test ah, 1", &insertion).is_none());
        assert!(inserted("site: test cl, 1", &insertion).is_none());
    }

    #[test]
    fn what_changes_its_operand_stays_and_is_done_once_more_on_the_copy() {
        let mut insertion = insertion("site", 1);
        insertion.edits[0] = Edit {
            at: -1,
            before: vec!["mov r11, rcx".into()],
            exchange: Some(Exchange::Register {
                of: Register::RCX,
                by: Register::R11,
            }),
            is_doubled: true,
            after: vec!["imul r11, r11, 1".into()],
        };
        let section = inserted("sub ecx, 3\nsite: js 1f\n1:", &insertion).expect("a section");
        let longer = "mov r11, rcx\n sub ecx, 3\n imul r11, r11, 1\n sub r11d, 3\nsite: js 1f\n1:";
        let naive = crate::asm::fragment(longer).expect("assembles");
        assert_eq!(section.bytes, naive.bytes);
    }

    #[test]
    fn a_short_branch_that_no_longer_reaches_gives_no_section() {
        let far = "site: call rcx\n".to_string() + &"nop\n".repeat(116) + "jmp short site";
        assert!(inserted(&far, &insertion("site", 0)).is_none());
        let near = far.replace("short ", "");
        assert!(inserted(&near, &insertion("site", 0)).is_some());
    }

    #[test]
    fn nothing_is_put_where_no_instruction_is() {
        let text = "nop\n db 1, 2\nsite: call rcx\nend:";
        assert!(inserted(text, &insertion("site", 1)).is_none());
        assert!(inserted(text, &insertion("end", 0)).is_none());
        assert!(inserted(text, &insertion("site", 9)).is_none());
        assert!(inserted(text, &insertion("other", 0)).is_none());
    }
}
