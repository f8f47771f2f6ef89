//! Which syntax a line is written in, where nothing says it.
//!
//! Correct means: a line with a marked register or number is AT&T, a `$` or `%` that stands in Intel
//! text for something else makes none of it, and what both read alike goes with its neighbours.

use std::ops::Range;

use super::{att, go};
use crate::asm::encode;
use crate::asm::problem::Problem;
use crate::asm::registers::{lower, register};
use crate::asm::source::Syntax;

/// How the lines of one text are read.
#[derive(Debug, Clone, Copy)]
pub(in crate::asm) struct Choice {
    /// What was asked for, or what a directive has said since.
    pub(in crate::asm) asked: Syntax,
    /// What a line without any mark is: what the marked lines are.
    pub(in crate::asm) neutral: Syntax,
    /// Whether `;` separates statements in Intel syntax.
    pub(in crate::asm) separates: bool,
    /// Whether any line is Go's alone.
    has_go: bool,
    /// Whether what stands in small letters behind Go's columns is another assembler's: delve's.
    pub(in crate::asm) has_guests: bool,
}

impl Choice {
    /// For a text of these lines.
    pub(in crate::asm) fn new<'a>(
        asked: Syntax,
        separates: bool,
        lines: impl Iterator<Item = &'a str> + Clone,
    ) -> Choice {
        let has_go = Choice::has_go(asked, lines.clone());
        let mut lines = lines;
        let is_att = match asked {
            Syntax::Auto if has_go => false,
            Syntax::Auto => lines.any(|line| is_marked(line, &(0..line.len()))),
            asked => asked == Syntax::Att,
        };
        Choice {
            asked,
            neutral: if is_att { Syntax::Att } else { Syntax::Intel },
            separates,
            has_go,
            has_guests: false,
        }
    }

    /// Whether lines are in Go's syntax.
    pub(in crate::asm) fn has_go<'a>(asked: Syntax, lines: impl Iterator<Item = &'a str>) -> bool {
        let mut lines = lines;
        match asked {
            Syntax::Auto => lines.any(go::marks::is_marked),
            asked => asked == Syntax::Go,
        }
    }

    /// Whether the text is in Go's syntax.
    pub(in crate::asm) fn is_go_text(&self) -> bool {
        self.has_go && matches!(self.asked, Syntax::Auto | Syntax::Go)
    }

    /// Whether a line is: delve prints Intel's or AT&T's behind Go's columns.
    pub(super) fn is_go(&self, text: &str) -> bool {
        let is_small = || {
            text.trim_start()
                .starts_with(|c: char| c.is_ascii_lowercase())
        };
        self.is_go_text() && !(self.has_guests && is_small())
    }

    /// A problem of a line, with what else is wrong where it is written in another syntax than its
    /// neighbours. `line` gives the lines of the text by index, with their numbers.
    pub(in crate::asm) fn explained<'a>(
        &self,
        problem: Problem,
        text: &str,
        line: impl Fn(usize) -> Option<(u32, &'a str)>,
    ) -> Problem {
        if self.asked != Syntax::Auto
            || self.neutral != Syntax::Att
            || is_marked(text, &(0..text.len()))
        {
            return problem;
        }
        let mut lines = (0..).map_while(line);
        let Some((number, _)) = lines.find(|(_, text)| is_marked(text, &(0..text.len()))) else {
            return problem;
        };
        let message = format!(
            "{} (line {number} is AT&T syntax, and this line is not)",
            problem.message
        );
        Problem { message, ..problem }.help(
            "write all of the text in one syntax, or put `.intel_syntax noprefix` and `.att_syntax` between",
        )
    }

    /// The syntax of a line: Intel or AT&T.
    pub(super) fn syntax(&self, line: &str, part: &Range<usize>) -> Syntax {
        match self.asked {
            // What stands in small letters behind the columns of a Go listing.
            Syntax::Auto | Syntax::Go if self.has_go => {
                match is_marked(line, part) || is_att_alone(&line[part.clone()]) {
                    true => Syntax::Att,
                    false => Syntax::Intel,
                }
            }
            Syntax::Auto => match self.neutral {
                // Brackets hold memory in Intel syntax, and nothing in AT&T.
                Syntax::Att if is_bracketed(&line[part.clone()]) && !is_marked(line, part) => {
                    Syntax::Intel
                }
                Syntax::Intel if is_att_alone(&line[part.clone()]) => Syntax::Att,
                neutral => neutral,
            },
            asked => asked,
        }
    }
}

/// Whether a part of a line has a register with `%` or a number with `$` where operands stand.
pub(in crate::asm) fn is_marked(line: &str, part: &Range<usize>) -> bool {
    let text = &line.as_bytes()[part.clone()];
    if !text.iter().any(|byte| matches!(byte, b'%' | b'$')) {
        return false;
    }
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in text.iter().copied().enumerate() {
        match quote {
            Some(open) => {
                if byte == open {
                    quote = None;
                }
            }
            None => match byte {
                b'"' => quote = Some(byte),
                b'#' => return false,
                b'/' if text.get(at + 1) == Some(&b'/') => return false,
                b'%' | b'$' if begins_operand(before) => {
                    let rest = &text[at + 1..];
                    if byte == b'%' && is_register(rest) || byte == b'$' && is_number(rest) {
                        return true;
                    }
                }
                _ => {}
            },
        }
        if byte != b' ' && byte != b'\t' || !begins_operand(before) {
            before = byte;
        }
    }
    false
}

/// Whether a line is a directive that NASM and YASM alone write so.
pub(in crate::asm) fn is_nasm(line: &str) -> bool {
    let mut words = line.trim_start().split_ascii_whitespace();
    let Some(first) = words.next().filter(|word| word.len() <= 8) else {
        return false;
    };
    let second = words.next().unwrap_or_default().trim_end_matches(']');
    match first.trim_start_matches('[').to_ascii_lowercase().as_str() {
        "bits" => second == "64",
        "default" => ["rel", "abs"].contains(&lower(second).as_ref()),
        "section" | "segment" => second.starts_with('.'),
        "global" => !second.is_empty(),
        _ => false,
    }
}

/// Whether a line begins a function as Microsoft's compiler prints it.
pub(in crate::asm) fn is_msvc(line: &str) -> bool {
    line.contains("PROC")
        && line
            .split(';')
            .next()
            .is_some_and(|code| code.split_ascii_whitespace().nth(1) == Some("PROC"))
}

fn begins_operand(before: u8) -> bool {
    matches!(before, b' ' | b'\t' | b',' | b'*' | b'(' | b'{')
}

fn is_register(rest: &[u8]) -> bool {
    let length = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    std::str::from_utf8(&rest[..length]).is_ok_and(|word| {
        let word = lower(word);
        register(&word).is_some() || word == "st"
    })
}

fn is_number(rest: &[u8]) -> bool {
    // `$-msg` is NASM's distance from here.
    let begins = |byte: Option<&u8>| matches!(byte, Some(b'0'..=b'9'));
    match rest.first() {
        Some(b'-' | b'~') => begins(rest.get(1)) || rest.get(1) == Some(&b'('),
        Some(b'(') => begins(rest.get(1)),
        first => begins(first) || first == Some(&b'\''),
    }
}

/// Whether the line begins with a name that AT&T syntax alone has.
fn is_att_alone(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t']);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric();
    let length = text.bytes().take_while(|byte| is_name(byte)).count();
    let (first, behind) = text.split_at(length);
    // What ends in another letter has no suffix.
    let ends = matches!(
        first.as_bytes().last(),
        Some(
            b'b' | b'w'
                | b'l'
                | b'q'
                | b'o'
                | b'd'
                | b'a'
                | b's'
                | b't'
                | b'B'
                | b'W'
                | b'L'
                | b'Q'
        )
    );
    if !ends
        || length > 12
        || !matches!(
            behind.as_bytes().first(),
            None | Some(b' ' | b'\t' | b';' | b'#')
        )
    {
        return false;
    }
    let name = lower(first);
    !encode::knows(&name) && att::is_known(&name)
}

/// Whether a bracket stands outside quotes and comments.
fn is_bracketed(text: &str) -> bool {
    let code = text.split(['#', '"']).next().unwrap_or_default();
    code.contains('[') && !code.trim_start().starts_with('[')
}
