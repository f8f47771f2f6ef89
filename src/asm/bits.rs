//! Text of 32-bit code, which cannot run here.
//!
//! Correct means: what is called so has no 64-bit register in any line, and more than one sign of its kind, or one that
//! no other text has.

use super::SourceLine;
use super::problem::{Problem, Span};
use super::registers::register;

/// Signs that no 64-bit code has, wherever they stand.
const MARKS: [&str; 8] = [
    "__x86.get_pc_thunk",
    "@GOTOFF",
    "@GOT(",
    "@GOT[",
    ".code32",
    "elf32-i386",
    "bits 32",
    "use32",
];

/// What a sign is.
enum Sign {
    /// It is enough.
    Sure,
    /// A second one makes it so.
    Likely,
}

/// The first sign that lines are 32-bit code, by the index of its line. `is_run` says that the text is to run as it
/// stands, so that an argument of the stack is a sign, too.
pub(super) fn of_32<'a>(
    lines: impl Iterator<Item = &'a SourceLine>,
    is_run: bool,
) -> Option<(usize, Problem)> {
    let mut first: Option<(usize, Span)> = None;
    let (mut count, mut is_sure) = (0, false);
    for (at, line) in lines.enumerate() {
        if has_wide_register(&line.text) {
            return None;
        }
        let sign = match sign(&line.text, is_run) {
            None => continue,
            Some(sign) => sign,
        };
        count += 1;
        is_sure |= matches!(sign, Sign::Sure);
        let code = line.text.trim_start();
        first.get_or_insert((
            at,
            Span {
                column: (line.text.chars().count() - code.chars().count()) as u32 + 1,
                width: code.trim_end().chars().count() as u32,
            },
        ));
    }
    let (at, span) = first.filter(|_| is_sure || count > 1)?;
    let problem = Problem::new(span, "this is 32-bit code, and only 64-bit code runs here");
    Some((
        at,
        problem.help("compile it with -m64, or assemble it for x86-64"),
    ))
}

fn code(line: &str) -> &str {
    line.split([';', '#']).next().unwrap_or(line)
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    code(line)
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
}

fn has_wide_register(line: &str) -> bool {
    words(line).any(|word| {
        register(word).is_some_and(|register| {
            register.size() == 8 && register.is_gpr() || register == iced_x86::Register::RIP
        })
    })
}

fn sign(line: &str, is_run: bool) -> Option<Sign> {
    if MARKS.iter().any(|mark| line.contains(mark)) {
        return Some(Sign::Sure);
    }
    let mut words = words(line);
    let (first, second) = (words.next()?.to_ascii_lowercase(), words.next());
    let narrow = |word: &str| register(word).is_some_and(|register| register.is_gpr32());
    if matches!(&*first, "push" | "pushl" | "pop" | "popl")
        && second.is_some_and(narrow)
        && words.next().is_none()
        && !code(line).contains(['[', '('])
    {
        return Some(Sign::Likely);
    }
    let is_frame = ["(%esp", "(%ebp", "[esp", "[ebp", "[ESP", "[EBP"];
    let is_frame = is_run && is_frame.iter().any(|part| code(line).contains(part));
    is_frame.then_some(Sign::Sure)
}
