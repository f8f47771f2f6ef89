//! Lines to statements, one parser a dialect.
//!
//! Correct means: a statement says what its line says, and nothing of how that was written; a line is
//! never read in a dialect that reads it as something else than the one it was written in.
//!
//! ```text
//! line ─ listing ─▶ address, bytes, text       the columns of a disassembler
//!        text ─ dialect ─▶ Intel or AT&T       as it looks, where nothing says it
//!        text ─ lexer ─▶ tokens ─ statement ─▶ Statement, its operands by intel or att
//! ```

mod address;
mod around;
mod att;
mod data;
mod decor;
pub(in crate::asm) mod dialect;
mod directive;
mod expression;
mod float;
pub(in crate::asm) mod go;
mod intel;
mod lexer;
pub(in crate::asm) mod listing;
pub(in crate::asm) mod nasm;
mod operand;
mod prefix;
mod statement;

use std::ops::Range;

use crate::asm::inst::{ANONYMOUS, Statement};
use crate::asm::problem::Problem;
use crate::asm::registers::register;
use crate::asm::source::Syntax;
pub(in crate::asm) use around::{Around, Offsets};
use dialect::Choice;
use expression::Cursor;
pub(in crate::asm) use lexer::Placed;
use lexer::{Dialect, Token, tokens};
use statement::statement;

/// The statements of a part of one line: labels, and instructions or directives.
///
/// Labels are found even where what follows them is wrong, so that one mistake is not two.
/// `found` is room for tokens that one line leaves to the next.
pub(in crate::asm) fn parse<'a>(
    line: &'a str,
    part: Range<usize>,
    choice: &Choice,
    around: &mut Around<'_, 'a>,
    found: &mut Vec<Placed<'a>>,
    statements: &mut Vec<Statement<'a>>,
) -> Result<(), Problem> {
    found.clear();
    if choice.is_go(&line[part.clone()]) {
        return go::statements(line, part, around, statements);
    }
    let syntax = choice.syntax(line, &part);
    let is_att = syntax == Syntax::Att;
    let dialect = Dialect {
        is_att,
        separates: is_att || choice.separates,
    };
    let part = if dialect.separates && line[part.clone()].trim_start().starts_with(';') {
        // A line that begins with `;` is a comment in each of them.
        part.start..part.start
    } else {
        part
    };
    let lexed = tokens(line, part.clone(), dialect, found);
    let comment = lexed.as_ref().ok().copied().flatten();
    around.has_hash_comment = comment.is_some_and(|at| line[at..].starts_with('#'));
    let mut rest = &found[..];
    let mut begun = std::mem::take(&mut around.begun);
    loop {
        let end = rest
            .iter()
            .position(|placed| placed.token == Token::Mark(';'));
        let (one, others) = rest.split_at(end.unwrap_or(rest.len()));
        let mut one = one;
        while let [name, colon, behind @ ..] = one
            && colon.token == Token::Mark(':')
            && !is_equ(behind)
            && let Some(label) = label(name, is_att)?
        {
            if let Statement::NumericLabel(number) = label {
                around.numeric.insert(number);
            }
            statements.extend(begun.bytes());
            statements.push(label);
            one = behind;
        }
        if let Err(problem) = &lexed {
            let is_passed = matches!(one.first(), Some(Placed { token: Token::Word(word), .. }) if directive::is_passed(word));
            return if is_passed {
                Ok(())
            } else {
                Err(problem.clone())
            };
        }
        if let [name, colon, behind @ ..] = one
            && colon.token == Token::Mark(':')
            && let Token::Word(word) = name.token
            && is_equ(behind)
        {
            let mut cursor = Cursor::new(&behind[1..], around, is_att);
            statements.push(directive::value(&mut cursor, word, name.span)?);
        } else if !one.is_empty() {
            let mut cursor = Cursor::new(one, around, is_att);
            let before = statements.len();
            statement(&mut cursor, &mut begun, statements)?;
            if !cursor.is_done() {
                statements.truncate(before);
                return Err(Problem::new(
                    cursor.span(),
                    "expected a comma or the end of the line here",
                ));
            }
        }
        match others {
            [_, others @ ..] => rest = others,
            [] => {
                around.begun = begun;
                return Ok(());
            }
        }
    }
}

/// Whether `equ` stands behind a name's colon, which NASM passes over.
fn is_equ(behind: &[Placed<'_>]) -> bool {
    matches!(behind.first(), Some(Placed { token: Token::Word(word), .. }) if word.eq_ignore_ascii_case("equ"))
}

/// The label that a token in front of a colon is.
fn label<'a>(name: &Placed<'a>, is_att: bool) -> Result<Option<Statement<'a>>, Problem> {
    match &name.token {
        Token::Word(word) => match register(word).filter(|_| !is_att) {
            // `gs: lodsb` would be a prefix to some.
            Some(_) => Err(Problem::new(
                name.span,
                format!("`{word}` is a register and cannot be a label"),
            )),
            None if *word == "@@" => Ok(Some(Statement::NumericLabel(ANONYMOUS))),
            None => Ok(Some(Statement::Label(word, name.span))),
        },
        Token::Number(number) => match u32::try_from(*number) {
            Ok(number) => Ok(Some(Statement::NumericLabel(number))),
            Err(_) => Err(Problem::new(
                name.span,
                "the number of the label is too large",
            )),
        },
        Token::Text(std::borrow::Cow::Borrowed(name_text)) => {
            Ok(Some(Statement::Label(name_text, name.span)))
        }
        _ => Ok(None),
    }
}
