//! What is no instruction: data, alignment, sections, constants, and notes for tools.
//!
//! Correct means: a directive lays out what the assembler that knows it lays out, one that produces
//! nothing is passed over, and one that would is refused by its name.

use std::borrow::Cow;

use super::data::{align, count, data, data_of, fill, floats, p2align, texts};
use super::expression::Cursor;
use super::lexer::Token;
use crate::asm::encode;
use crate::asm::inst::{Datum, Name, Place, Statement, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::lower;
use crate::asm::source::Syntax;

/// What a directive made of the statement.
pub(super) enum Directive<'a> {
    /// It is none.
    No,
    /// This, and the rest of the line has been read.
    Made(Vec<Statement<'a>>),
    /// Nothing, whatever the rest of the line says.
    Passed,
}

/// Directives that produce nothing.
#[rustfmt::skip]
const PASSED: [&str; 54] = [
    ".globl", ".global", ".type", ".size", ".file", ".loc", ".ident", ".addrsig", ".addrsig_sym", ".weak",
    ".hidden", ".local", ".internal", ".protected", ".code64", ".arch", ".version", ".symver", ".def", ".scl",
    ".endef", ".linkonce", ".build_version", ".subsections_via_symbols", ".reloc", ".lto_discard",
    ".private_extern", ".weak_definition", ".no_dead_strip", ".loc_mark_labels", ".bundle_align_mode", ".title",
    ".allow_index_reg", "global", "default", "bits", "use64", "cpu", "public",
    "includelib", "end", "title", "common", "static", "format", "entry", ".model", ".pushreg", ".setframe", ".allocstack",
    ".savereg", ".savexmm128", ".pushframe", ".endprolog",
];

/// Directives that repeat, choose or fetch text, and what does the same here.
const TEXT: [&str; 33] = [
    ".macro",
    ".endm",
    ".purgem",
    ".irp",
    ".irpc",
    ".if",
    ".ifdef",
    ".ifndef",
    ".ifb",
    ".ifc",
    ".else",
    ".elseif",
    ".endif",
    ".include",
    ".incbin",
    ".altmacro",
    "macro",
    "endm",
    "define",
    "undef",
    "endmacro",
    "assign",
    "if",
    "ifdef",
    "ifndef",
    "elif",
    "else",
    "endif",
    "include",
    "use",
    "incbin",
    "struc",
    "endstruc",
];

/// The directive at the cursor, if there is one.
pub(super) fn directive<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Problem> {
    let span = cursor.span();
    match cursor.peek() {
        // NASM's `%rep`; `[section .text]`, its directives in brackets.
        Some(Token::Mark('%')) if !cursor.is_att => percent(cursor, span),
        Some(Token::Mark('[')) => in_brackets(cursor),
        Some(Token::Word(word)) => {
            let written = *word;
            let word = lower(word);
            if encode::knows(&word) {
                return Ok(Directive::No);
            }
            if let Some(made) = named(cursor, written)? {
                return Ok(Directive::Made(made));
            }
            if word.starts_with('.') {
                return dotted(cursor, &word, span);
            }
            if cursor.is_att {
                return Ok(Directive::No);
            }
            if let Some(width) = data_width(&word) {
                cursor.advance();
                return Ok(Directive::Made(vec![Statement::Data(data(cursor, width)?)]));
            }
            if let Some(width) = reserved_width(&word) {
                cursor.advance();
                let bytes = width * count(cursor, &word)?;
                let reserve = Statement::Reserve(bytes, span.to(cursor.last_span()));
                return Ok(Directive::Made(vec![reserve]));
            }
            plain(cursor, &word, span)
        }
        _ => Ok(Directive::No),
    }
}

/// NASM's and MASM's directives without a dot.
fn plain<'a>(
    cursor: &mut Cursor<'_, 'a>,
    word: &str,
    span: Span,
) -> Result<Directive<'a>, Problem> {
    let made = match word {
        "align" | "alignb" => {
            cursor.advance();
            align(cursor)?
        }
        "npad" => {
            cursor.advance();
            let span = cursor.span();
            let bytes = count(cursor, word)?;
            return match encode::no_operation(bytes) {
                Some(bytes) => Ok(Directive::Made(vec![Statement::Data(vec![Datum::Bytes(
                    bytes,
                )])])),
                None => Err(Problem::new(span, "`npad` stands for 1 to 15 bytes")),
            };
        }
        "comm" => return masm_common(cursor),
        "include" if is_listing_include(cursor) => return Ok(Directive::Passed),
        "section" | "segment" => {
            cursor.advance();
            return Ok(Directive::Made(vec![section(cursor)]));
        }
        "extern" | "extrn" if !is_operand(cursor) => {
            cursor.advance();
            externs(cursor)
        }
        "proc" | "istruc" | "iend" | "org" | "absolute" => return Err(refused(word, span)),
        _ if PASSED.contains(&word) && !is_operand(cursor) => return Ok(Directive::Passed),
        _ if TEXT.contains(&word) && !is_operand(cursor) => return Err(text(word, span)),
        _ => return Ok(Directive::No),
    };
    Ok(Directive::Made(vec![made]))
}

/// Whether what stands at the cursor is a word of something else.
fn is_operand(cursor: &Cursor<'_, '_>) -> bool {
    matches!(cursor.peek_second(), Some(Token::Mark(':' | '=')))
}

/// GNU as's directives.
fn dotted<'a>(
    cursor: &mut Cursor<'_, 'a>,
    word: &str,
    span: Span,
) -> Result<Directive<'a>, Problem> {
    cursor.advance();
    let made = match word {
        ".byte" => data_of(cursor, 1)?,
        ".2byte" | ".word" | ".short" | ".value" | ".hword" => data_of(cursor, 2)?,
        ".4byte" | ".long" | ".int" => data_of(cursor, 4)?,
        ".8byte" | ".quad" => data_of(cursor, 8)?,
        ".octa" => data_of(cursor, 16)?,
        ".float" | ".single" => floats(cursor, 4)?,
        ".double" => floats(cursor, 8)?,
        ".ascii" => texts(cursor, false)?,
        ".asciz" | ".string" => texts(cursor, true)?,
        ".zero" | ".skip" | ".space" => {
            let count = count(cursor, word)?;
            Statement::Fill(fill(cursor)?.unwrap_or(0), count)
        }
        ".p2align" => p2align(cursor)?,
        ".align" | ".balign" => align(cursor)?,
        ".text" => Statement::Place(Place::Code),
        // MASM's.
        ".code" => Statement::Place(Place::Code),
        ".data" | ".data?" | ".bss" | ".const" => Statement::Place(Place::Aside),
        ".section" | ".pushsection" => section(cursor),
        ".popsection" | ".previous" => Statement::Place(Place::Code),
        ".extern" => externs(cursor),
        ".set" | ".equ" | ".equiv" | ".weakref" => return set(cursor),
        ".comm" | ".lcomm" => return common(cursor),
        ".intel_syntax" => {
            if cursor.word().as_deref() == Some("prefix") {
                return Err(Problem::new(
                    span.to(cursor.span()),
                    "Intel syntax with `%` is not read here",
                )
                .help("write `.intel_syntax noprefix`, and registers without `%`"));
            }
            return Ok(then(cursor, Statement::Syntax(Syntax::Intel)));
        }
        ".att_syntax" => return Ok(then(cursor, Statement::Syntax(Syntax::Att))),
        ".rept" => {
            let count = count(cursor, word)?;
            Statement::Repeat(count, span)
        }
        ".endr" => Statement::EndRepeat(span),
        _ if word.starts_with(".cfi_") || word.starts_with(".seh_") || word.starts_with(".cv_") => {
            return Ok(Directive::Passed);
        }
        _ if PASSED.contains(&word) => return Ok(Directive::Passed),
        _ if TEXT.contains(&word) => return Err(text(word, span)),
        _ => return Err(refused(word, span)),
    };
    Ok(match made {
        Statement::Place(_) => then(cursor, made),
        made => Directive::Made(vec![made]),
    })
}

/// The statement, and what follows on the line says nothing more.
fn then<'a>(cursor: &mut Cursor<'_, 'a>, made: Statement<'a>) -> Directive<'a> {
    cursor.finish();
    Directive::Made(vec![made])
}

/// `NAME equ VALUE`, `NAME = VALUE`, `NAME db 5`, `NAME proc`.
fn named<'a>(
    cursor: &mut Cursor<'_, 'a>,
    name: &'a str,
) -> Result<Option<Vec<Statement<'a>>>, Problem> {
    let second = match cursor.peek_second() {
        Some(Token::Mark('=')) => "=".into(),
        Some(Token::Word(word))
            if !cursor.is_att
                && matches!(word.as_bytes()[0] | 0x20, b'd' | b'e' | b'p' | b's' | b'r') =>
        {
            lower(word)
        }
        _ => return Ok(None),
    };
    let label = Statement::Label(name, cursor.span());
    let begin = |cursor: &mut Cursor<'_, 'a>| {
        cursor.advance();
        cursor.advance();
    };
    match &*second {
        "=" | "equ" => {
            let span = cursor.span();
            begin(cursor);
            Ok(Some(vec![value(cursor, name, span)?]))
        }
        "proc" => {
            cursor.finish();
            Ok(Some(vec![label]))
        }
        "endp" => {
            cursor.finish();
            Ok(Some(Vec::new()))
        }
        "segment" | "ends" => {
            let place = match &*second {
                "segment" => place(name),
                _ => Place::Code,
            };
            cursor.finish();
            Ok(Some(vec![Statement::Place(place)]))
        }
        // `rep` and `lock` stand before words, too, but never before these.
        second if let Some(width) = data_width(second) => {
            begin(cursor);
            Ok(Some(vec![label, Statement::Data(data(cursor, width)?)]))
        }
        second if let Some(width) = reserved_width(second) => {
            let span = cursor.span();
            begin(cursor);
            let bytes = width * count(cursor, second)?;
            let reserve = Statement::Reserve(bytes, span.to(cursor.last_span()));
            Ok(Some(vec![label, reserve]))
        }
        _ => Ok(None),
    }
}

fn set<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Problem> {
    let span = cursor.span();
    let name = match cursor.peek() {
        Some(Token::Word(name)) => *name,
        Some(Token::Text(Cow::Borrowed(name))) => *name,
        _ => return Err(Problem::new(span, "expected a name here").help("write `.set x, 5`")),
    };
    cursor.advance();
    cursor.expect(',')?;
    Ok(Directive::Made(vec![value(cursor, name, span)?]))
}

/// A number, or an address that has the name, too.
pub(super) fn value<'a>(
    cursor: &mut Cursor<'_, 'a>,
    name: &'a str,
    span: Span,
) -> Result<Statement<'a>, Problem> {
    let start = cursor.span();
    let sum = cursor.settled_sum()?;
    let here = start.to(cursor.last_span());
    match (sum.as_constant(), sum.as_target()) {
        (Some(value), _) => Ok(Statement::Set(name, value)),
        (None, Some(target)) => Ok(Statement::Alias(
            name,
            span,
            Target {
                span: here,
                ..target
            },
        )),
        (None, None) => Err(Problem::new(
            here,
            "a name is set to a number or to an address, and this is neither",
        )
        .help("a register has no second name here: write it out")),
    }
}

/// `extern NAME, OTHER:proc`: names of what the linker has to find.
fn externs<'a>(cursor: &mut Cursor<'_, 'a>) -> Statement<'a> {
    let mut names = Vec::new();
    while let Some(Token::Word(name)) = cursor.peek() {
        names.push(*name);
        cursor.advance();
        // MASM says what it is, and a bracket may end it.
        while !cursor.is_done() && !cursor.take(',') {
            cursor.advance();
        }
    }
    cursor.finish();
    Statement::Extern(names)
}

/// `.comm NAME, SIZE, ALIGNMENT`: zeros beside the code.
fn common<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Problem> {
    let here = cursor.span();
    let Some(Token::Word(name)) = cursor.peek() else {
        return Err(Problem::new(here, "expected a name here").help("write `.comm x, 8`"));
    };
    cursor.advance();
    cursor.expect(',')?;
    let size = count(cursor, ".comm")?;
    cursor.finish();
    Ok(Directive::Made(vec![
        Statement::Place(Place::Aside),
        Statement::Label(name, here),
        Statement::Fill(0, size),
        Statement::Place(Place::Code),
    ]))
}

/// MASM's `COMM NAME:DWORD`, or `NAME:BYTE:16`: the same.
fn masm_common<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Problem> {
    cursor.advance();
    let here = cursor.span();
    let wrong = |here: Span| {
        Problem::new(here, "expected a name and a size here").help("write `COMM x:DWORD`")
    };
    let Some(Token::Word(name)) = cursor.peek() else {
        return Err(wrong(here));
    };
    cursor.advance();
    cursor.expect(':')?;
    let each = match cursor.word().as_deref() {
        Some("byte") => 1,
        Some("word") => 2,
        Some("dword") => 4,
        Some("qword" | "mmword") => 8,
        Some("xmmword" | "oword") => 16,
        _ => return Err(wrong(cursor.span())),
    };
    cursor.advance();
    let count = if cursor.take(':') {
        count(cursor, "comm")?
    } else {
        1
    };
    cursor.finish();
    Ok(Directive::Made(vec![
        Statement::Place(Place::Aside),
        Statement::Label(name, here),
        Statement::Fill(0, each * count),
        Statement::Place(Place::Code),
    ]))
}

/// Whether it is the file that every listing of MSVC begins with.
fn is_listing_include(cursor: &Cursor<'_, '_>) -> bool {
    matches!(cursor.peek_second(), Some(Token::Word(word)) if word.eq_ignore_ascii_case("listing.inc"))
}

/// What follows `section`.
fn section<'a>(cursor: &mut Cursor<'_, 'a>) -> Statement<'a> {
    let name = match cursor.peek() {
        Some(Token::Word(name)) => (*name).to_owned(),
        Some(Token::Text(name)) => name.to_string(),
        // FASM's.
        Some(Token::Quote(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    };
    cursor.finish();
    Statement::Place(place(&name))
}

/// Where a section of that name goes: code that is rarely run stands apart, as the linker has it.
fn place(name: &str) -> Place {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let nowhere = [
        ".note",
        ".debug",
        ".comment",
        ".eh_frame",
        ".gcc_except",
        ".llvm",
        ".gnu.",
        ".init_array",
        ".fini_array",
        ".ctors",
        ".stab",
        ".drectve",
        ".xdata",
        ".pdata",
        "xdata",
        "pdata",
        "voltbl",
        ".chks64",
        "__LD",
    ];
    if begins(&nowhere) {
        Place::Nowhere
    } else if begins(&[
        ".text.unlikely",
        ".text.cold",
        ".text.startup",
        ".text.exit",
    ]) {
        Place::Aside
    } else if begins(&[
        ".text",
        "text",
        "_TEXT",
        "__TEXT,__text",
        "__TEXT",
        ".init",
        ".fini",
        ".code",
    ]) {
        Place::Code
    } else {
        Place::Aside
    }
}

/// What follows a `%` in front of a line.
fn percent<'a>(cursor: &mut Cursor<'_, 'a>, span: Span) -> Result<Directive<'a>, Problem> {
    let Some(Token::Word(word)) = cursor.peek_second() else {
        return Ok(Directive::No);
    };
    let span = span.to(Span {
        width: span.width + word.chars().count() as u32,
        ..span
    });
    let word = lower(word);
    match &*word {
        "rep" => {
            cursor.advance();
            cursor.advance();
            let count = count(cursor, "%rep")?;
            Ok(Directive::Made(vec![Statement::Repeat(count, span)]))
        }
        "endrep" => {
            cursor.advance();
            cursor.advance();
            Ok(Directive::Made(vec![Statement::EndRepeat(span)]))
        }
        "define" | "idefine" | "xdefine" | "assign" | "iassign" => define(cursor, &word, span),
        _ => Err(text(&format!("%{word}"), span)),
    }
}

/// `%define NAME 5` and `%assign NAME 4 * 2`. The first takes what stands behind the name as text, so that it has to be
/// one number or name to mean the same as a constant.
fn define<'a>(
    cursor: &mut Cursor<'_, 'a>,
    word: &str,
    span: Span,
) -> Result<Directive<'a>, Problem> {
    let (Some(Token::Word(name)), Some(first)) = (cursor.peek_behind(2), cursor.peek_behind(3))
    else {
        return Err(text(&format!("%{word}"), span));
    };
    let is_number = matches!(first, Token::Number(_) | Token::Quote(_));
    let is_one = is_number && cursor.peek_behind(4).is_none();
    if !is_one && !word.ends_with("assign") {
        return Err(text(&format!("%{word}"), span));
    }
    cursor.advance();
    cursor.advance();
    let here = cursor.span();
    cursor.advance();
    Ok(Directive::Made(vec![value(cursor, name, here)?]))
}

/// `[section .text]` and its like.
fn in_brackets<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Directive<'a>, Problem> {
    let Some(Token::Word(word)) = cursor.peek_second() else {
        return Ok(Directive::No);
    };
    let word = lower(word);
    if word == "section" || word == "segment" {
        cursor.advance();
        cursor.advance();
        return Ok(Directive::Made(vec![section(cursor)]));
    }
    if word == "extern" {
        cursor.advance();
        cursor.advance();
        return Ok(Directive::Made(vec![externs(cursor)]));
    }
    Ok(match PASSED.contains(&&*word) {
        true => Directive::Passed,
        false => Directive::No,
    })
}

pub(super) fn data_width(word: &str) -> Option<u32> {
    Some(match word {
        "db" => 1,
        "dw" => 2,
        "dd" => 4,
        "dq" => 8,
        "dt" => 10,
        "do" => 16,
        _ => return None,
    })
}

pub(super) fn reserved_width(word: &str) -> Option<u64> {
    Some(match word {
        // FASM has the shorter names.
        "resb" | "rb" => 1,
        "resw" | "rw" => 2,
        "resd" | "rd" => 4,
        "resq" | "rq" => 8,
        "rest" => 10,
        "reso" => 16,
        _ => return None,
    })
}

fn refused(word: &str, span: Span) -> Problem {
    Problem::new(span, format!("the directive `{word}` is not known here"))
        .help("docs/assembly.md lists those that are; one that produces nothing can be left out")
}

/// A directive that makes text of text.
fn text(word: &str, span: Span) -> Problem {
    Problem::new(span, format!("`{word}` is not read here: text is made by templates")).help(
        "write `;! expand = true` into the header, and `{% for i in range(4) %}` .. `{% endfor %}`, `{% set X = 5 %}` with `{{ X }}`, or `{% macro name(x) %}`; `.rept 4` .. `.endr` and `times 4` are read",
    )
}

/// Whether the word is one of a target's own line, so that nothing behind it is read.
pub(super) fn is_passed(word: &str) -> bool {
    word.starts_with('.')
        && (word.starts_with(".cfi_") || word.starts_with(".seh_") || PASSED.contains(&word))
}

/// A name that the linker may know: GNU as has no other kind.
pub(super) fn open(name: Name<'_>) -> Name<'_> {
    match name {
        Name::Label(name) => Name::Open(name),
        name => name,
    }
}
