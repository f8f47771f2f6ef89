//! A section once more, with instructions put in around one of its own.
//!
//! Correct means: the section is what assembling its text with these lines in it gives; the labels
//! of the instruction stand in front of what was put there; and the lines of the template are those
//! that they were.

use super::assemble::{Bench, Item, ItemKind, Scope};
use super::inst::Statement;
use super::intel;

/// Instructions to be put in around another, in Intel syntax, one a text, without labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Insertion {
    /// The section, by index.
    pub section: usize,
    /// A label of that section.
    pub label: String,
    /// Which instruction: that behind the label is 0, the one in front of it 1.
    pub back: usize,
    /// In front of it, behind its labels.
    pub before: Vec<String>,
    /// Behind it, in front of the labels of the next one.
    pub after: Vec<String>,
}

/// Puts it into parsed lines. None where no instruction stands there.
pub(super) fn insert<'a>(
    insertion: &'a Insertion,
    scope: &mut Scope<'a>,
    items: &mut Vec<Item<'a>>,
    bench: &mut Bench<'a>,
) -> Option<()> {
    let (behind_label, _) = *scope.places.named.get(insertion.label.as_str())?;
    let at = behind_label.checked_sub(insertion.back)?;
    let is_code = |(_, item): &Item<'_>| matches!(item, ItemKind::Inst(..) | ItemKind::Odd(_));
    // What lies between was counted in instructions.
    if !items.get(at..=behind_label)?.iter().all(is_code) {
        return None;
    }
    let line = items[at].0;
    let mut parsed = |texts: &'a [String]| -> Option<Vec<Item<'a>>> {
        let mut parsed = Vec::new();
        for text in texts {
            let no_hash = |name: &str| Err(format!("no hash of {name}"));
            intel::parse(text, &no_hash, &mut bench.tokens, &mut bench.statements).ok()?;
            for statement in bench.statements.drain(..) {
                let Statement::Inst(inst) = statement else {
                    return None;
                };
                parsed.push((line, ItemKind::of(inst, &mut bench.coder)));
            }
        }
        Some(parsed)
    };
    let after = parsed(&insertion.after)?;
    let before = parsed(&insertion.before)?;
    let count = before.len() + after.len();
    items.splice(at + 1..at + 1, after);
    items.splice(at..at, before);
    let places = &mut scope.places;
    let named = places.named.values_mut().map(|(piece, _)| piece);
    let order = places.order.iter_mut().map(|(_, piece)| piece);
    let numeric = places.numeric.iter_mut().map(|(_, piece)| piece);
    for piece in named
        .chain(order)
        .chain(numeric)
        .filter(|piece| **piece > at)
    {
        *piece += count;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asm::{Context, Section, SectionKind, assemble_and_insert};
    use crate::template::{SourceLine, SourceSection};

    fn source(text: &str) -> SourceSection {
        let lines = (1..).zip(text.lines()).map(|(number, text)| SourceLine {
            number,
            text: text.to_owned(),
        });
        SourceSection {
            kind: SectionKind::Body,
            name: "body".to_owned(),
            line: 1,
            lines: lines.collect(),
        }
    }

    fn inserted(text: &str, insertion: &Insertion) -> Option<Section> {
        let context = Context {
            file: "test",
            hash: &|_| Err("none".into()),
            is_open: true,
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
            back,
            before: vec!["imul rcx, rcx, 1".into(), "imul r11, rcx, 1".into()],
            after: vec!["mov rcx, r11".into()],
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
