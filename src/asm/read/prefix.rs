//! What stands in front of a mnemonic, in every syntax.
//!
//! Correct means: a prefix belongs to the instruction behind it, and each of those that mean something
//! stands once.

use super::expression::Cursor;
use super::lexer::Token;
use crate::asm::inst::{Asked, Decor, Encoding, Inst, Prefix};
use crate::asm::problem::{Problem, Span};

/// Prefixes of an instruction that has not come yet, as in `lock; incl (%rdi)`.
pub(super) type Begun = Option<Vec<(Prefix, Span)>>;

/// The prefixes and the mnemonic; none where only prefixes stand in front of a separator.
pub(super) fn prefixes<'a>(
    cursor: &mut Cursor<'_, 'a>,
    begun: &mut Begun,
) -> Result<Option<Inst<'a>>, Problem> {
    let mut prefixes = begun.take().unwrap_or_default();
    let mut form = Asked {
        is_att: cursor.is_att,
        ..Asked::default()
    };
    loop {
        let span = cursor.span();
        if cursor.peek() == Some(&Token::Mark('{')) {
            choose(cursor, &mut form)?;
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
            if cursor.is_done() {
                if cursor.around.is_followed {
                    prefixes.push((prefix, span));
                    *begun = Some(prefixes);
                    return Ok(None);
                }
                if let Prefix::Raw(_) = prefix {
                    // A disassembler prints the byte of one that nothing takes.
                    prefixes.push((prefix, span));
                    *begun = Some(prefixes);
                    return Ok(None);
                }
                return Err(alone(&word, span));
            }
            if !matches!(prefix, Prefix::Raw(_))
                && prefixes.iter().any(|(before, _)| *before == prefix)
            {
                return Err(
                    Problem::new(span, format!("the prefix `{word}` stands there twice"))
                        .help("leave one of the two out"),
                );
            }
            prefixes.push((prefix, span));
            continue;
        }
        if word == "xacquire" || word == "xrelease" {
            let byte = if word == "xacquire" { "f2" } else { "f3" };
            let message = format!("`{word}` is not assembled here");
            return Err(Problem::new(span, message).help(format!(
                "leave it out, processors no longer elide locks; its byte is `db 0x{byte}` on the line before"
            )));
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

/// A prefix that nothing follows.
fn alone(word: &str, span: Span) -> Problem {
    Problem::new(
        span,
        format!("`{word}` stands before an instruction, on its line"),
    )
    .help(format!("write `{word}` and the instruction on one line"))
}

/// `{vex}` and its like.
fn choose(cursor: &mut Cursor<'_, '_>, form: &mut Asked) -> Result<(), Problem> {
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
        "rex2" | "nf" => {
            return Err(Problem::new(
                span,
                format!("`{{{word}}}` belongs to APX, which is not supported"),
            ));
        }
        _ => {
            return Err(Problem::new(span, format!("`{{{word}}}` chooses no encoding")).help(
                "known are {vex}, {vex3}, {evex}, {load}, {store}, {disp8} and {disp32}; any other encoding goes into `db`",
            ));
        }
    }
    Ok(())
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
