//! What stands in front of a mnemonic, in every syntax.
//!
//! Correct means: a prefix belongs to the instruction behind it, and each of those that mean something
//! stands once.

use super::expression::Cursor;
use super::lexer::Token;
use crate::asm::inst::{Asked, Datum, Decor, Encoding, Inst, Prefix, Statement};
use crate::asm::problem::{Problem, Span};

/// Prefixes of an instruction that has not come yet, as in `lock; incl (%rdi)`.
#[derive(Debug, Default)]
pub(in crate::asm) struct Begun(Vec<(Prefix, Span)>);

impl Begun {
    /// How many.
    pub(in crate::asm) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether the last one is a REX prefix. In front of another instruction's own one it does nothing, and is no
    /// part of that.
    pub(in crate::asm) fn ends_in_rex(&self) -> bool {
        matches!(self.0.last(), Some((Prefix::Raw(0x40..=0x4f), _)))
    }

    /// They alone, in front of what is no instruction.
    pub(in crate::asm) fn bytes<'a>(&mut self) -> Option<Statement<'a>> {
        let bytes: Vec<u8> = self
            .0
            .drain(..)
            .filter_map(|(prefix, _)| prefix.byte())
            .collect();
        (!bytes.is_empty()).then(|| Statement::Data(vec![Datum::Bytes(bytes)]))
    }

    /// Why they cannot be the last of a text.
    pub(in crate::asm) fn refuse(&mut self) -> Option<Problem> {
        // A disassembler prints the byte of one that nothing takes.
        let is_word =
            |(prefix, _): &(Prefix, Span)| !matches!(prefix, Prefix::Segment(_) | Prefix::Raw(_));
        let (_, span) = *self.0.last().filter(|_| self.0.iter().any(is_word))?;
        self.0.clear();
        let message = "a prefix stands before an instruction, and none comes";
        Some(Problem::new(span, message).help("write both on one line, or leave the prefix out"))
    }
}

/// The prefixes and the mnemonic; none where only prefixes stand there: they are kept.
pub(super) fn prefixes<'a>(
    cursor: &mut Cursor<'_, 'a>,
    begun: &mut Begun,
) -> Result<Option<Inst<'a>>, Problem> {
    let mut prefixes = std::mem::take(&mut begun.0);
    let mut form = Asked {
        is_att: cursor.is_att,
        ..Asked::default()
    };
    loop {
        let span = cursor.span();
        if cursor.peek() == Some(&Token::Mark('{')) {
            if let Some(prefix) = choose(cursor, &mut form)? {
                prefixes.push((prefix, span.to(cursor.last_span())));
            }
            continue;
        }
        let Some(word) = cursor.word() else {
            return Err(Problem::new(
                span,
                "expected an instruction, a directive or a label here",
            ));
        };
        cursor.advance();
        if let Some(prefix) = Prefix::from_word(&word) {
            if !matches!(prefix, Prefix::Raw(_))
                && prefixes.iter().any(|(before, _)| *before == prefix)
            {
                return Err(
                    Problem::new(span, format!("the prefix `{word}` stands there twice"))
                        .help("leave one of the two out"),
                );
            }
            prefixes.push((prefix, span));
            if cursor.is_done() {
                *begun = Begun(prefixes);
                return Ok(None);
            }
            continue;
        }
        return Ok(Some(Inst {
            mnemonic: word,
            span,
            prefixes,
            operands: Vec::new(),
            reach: None,
            decor: Decor::default(),
            form,
        }));
    }
}

/// `{vex}` and its like, and the prefix that one of them is.
fn choose(cursor: &mut Cursor<'_, '_>, form: &mut Asked) -> Result<Option<Prefix>, Problem> {
    let start = cursor.span();
    cursor.advance();
    let word = cursor.word().unwrap_or_default();
    cursor.advance();
    cursor.expect('}')?;
    let span = start.to(cursor.last_span());
    match &*word {
        "vex" | "vex2" => form.encoding = Some(Encoding::Vex),
        "vex3" => form.encoding = Some(Encoding::Vex3),
        "evex" => form.encoding = Some(Encoding::Evex),
        "load" => form.encoding = Some(Encoding::Load),
        "store" => form.encoding = Some(Encoding::Store),
        "disp8" => form.displacement = Some(8),
        "disp32" => form.displacement = Some(32),
        "rex" => return Ok(Some(Prefix::Raw(0x40))),
        "rex2" | "nf" => {
            return Err(Problem::new(
                span,
                format!("`{{{word}}}` belongs to APX, which is not supported"),
            ));
        }
        _ => {
            return Err(Problem::new(span, format!("`{{{word}}}` chooses no encoding")).help(
                "known are {vex}, {vex3}, {evex}, {rex}, {load}, {store}, {disp8} and {disp32}; any other encoding goes into `db`",
            ));
        }
    }
    Ok(None)
}

/// `,pt` and `,pn` behind the mnemonic of a branch.
pub(super) fn hint(cursor: &mut Cursor<'_, '_>, inst: &mut Inst<'_>) {
    let byte = match (cursor.peek(), cursor.peek_second()) {
        (Some(Token::Mark(',')), Some(Token::Word("pt"))) => 0x3e,
        (Some(Token::Mark(',')), Some(Token::Word("pn"))) => 0x2e,
        _ => return,
    };
    cursor.advance();
    inst.prefixes.push((Prefix::Raw(byte), cursor.span()));
    cursor.advance();
}
