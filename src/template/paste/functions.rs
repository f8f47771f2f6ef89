//! Which parts of a pasted text are functions, which of them is called, and which can be left out.
//!
//! Correct means: what is called is code, and a function is left out only where nothing that is left names it.

use std::collections::HashSet;

use super::START;
use crate::asm::{Section, SourceLine};
use crate::template::source::SourceText;
use crate::text::diagnostic::Diagnostic;

/// The functions that the text itself calls so.
pub(super) fn functions(texts: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let code = text.trim();
        let words: Vec<&str> = code.split_whitespace().collect();
        let name = match &words[..] {
            [".type", name, kind] if kind.ends_with("function") => Some(name.trim_end_matches(',')),
            [name, kind, ..] if kind.eq_ignore_ascii_case("proc") => Some(*name),
            [_, ..] if code.ends_with(">:") => code
                .split_once(" <")
                .map(|(_, name)| name.trim_end_matches(">:")),
            ["Dump", .., name] => Some(name.trim_end_matches(':')),
            _ => None,
        };
        found.extend(name.map(|name| name.trim_matches('"').to_string()));
    }
    found.dedup();
    found
}

/// The names that the text lets others see.
pub(super) fn globals<'a>(texts: &[&'a str]) -> HashSet<&'a str> {
    let names = |text: &&'a str| {
        let code = text.split([';', '#']).next().unwrap_or_default().trim();
        let (word, names) = code.split_once([' ', '\t']).unwrap_or((code, ""));
        let word = word.to_ascii_lowercase();
        let is_open = matches!(&*word, "global" | ".globl" | ".global" | "public");
        let names = if is_open { names } else { "" };
        names
            .split([',', ' ', '\t', ':'])
            .filter(|name| !name.is_empty())
    };
    texts.iter().flat_map(names).collect()
}

/// Directives that lay out data.
#[rustfmt::skip] // a list
const DATA: [&str; 30] = [
    ".zero", ".skip", ".space", ".string", ".ascii", ".asciz", ".byte", ".2byte", ".4byte", ".8byte", ".value", ".short",
    ".word", ".long", ".int", ".quad", ".octa", ".float", ".single", ".double", ".hword", "db", "dw", "dd", "dq", "dt",
    "do", "resb", "resd", "resq",
];

/// Labels of code that others can see, of a section of these lines.
pub(super) fn labels<'s>(
    section: &'s Section,
    lines: &[SourceLine],
    texts: &[&str],
) -> Vec<&'s str> {
    // Text that came without its directives has data among its code.
    let lays_out = |offset: u32| {
        let number = section.line_at(offset);
        let at =
            number.and_then(|number| lines.binary_search_by_key(&number, |line| line.number).ok());
        let text = at.map_or("", |at| texts[at]);
        let mut words = text.split_whitespace().filter(|word| !word.ends_with(':'));
        let word = words.next().unwrap_or_default().to_ascii_lowercase();
        DATA.contains(&&*word)
    };
    let labels = section.labels.iter();
    let labels =
        labels.filter(|label| section.has_code_at(label.offset) && !lays_out(label.offset));
    labels
        .map(|label| label.name.as_str())
        .filter(|name| !name.starts_with(['.', '$']))
        .collect()
}

/// The function to call; none where the text has none with a name.
pub(super) fn called<'a>(
    source: &SourceText<'_>,
    known: &[&'a str],
    wanted: Option<&str>,
) -> Result<Option<&'a str>, Vec<Diagnostic>> {
    let complain =
        |message: String, help: String| vec![source.complain(START, message, Some(help))];
    match (wanted, known) {
        (Some(wanted), _) => match meant(known, wanted) {
            Some(name) => Ok(Some(name)),
            None => Err(complain(
                format!("the text has no function `{wanted}`"),
                format!("it has {}", known.join(", ")),
            )),
        },
        (None, []) => Ok(None),
        (None, [name]) => Ok(Some(name)),
        (None, _) => Err(complain(
            "the text has several functions, and one is to be called".to_string(),
            format!(
                "name it with `--call SYMBOL`, or in a header `;! call = \"SYMBOL\"`: {}",
                known.join(", ")
            ),
        )),
    }
}

/// The name that is wanted; of C++ its arguments can be left out, where one function has the name.
fn meant<'a>(known: &[&'a str], wanted: &str) -> Option<&'a str> {
    let exact = known.iter().find(|name| **name == wanted);
    let begins = |name: &&&str| {
        let name: &str = name;
        name.strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let mut alike = known.iter().filter(begins);
    let only = alike.next().filter(|_| alike.next().is_none());
    exact.or(only).copied()
}

/// A function that is left out of a text, with what is wrong in it.
pub(super) struct LeftOut {
    pub(super) name: String,
    line: u32,
    message: String,
}

impl LeftOut {
    pub(super) fn sentence(&self) -> String {
        format!(
            "`{}`, which is not called, is left out, for line {} is refused: {}",
            self.name, self.line, self.message
        )
    }
}

/// The text without the functions in which all that was found is, and which; none where some of it is elsewhere.
pub(super) fn without(
    lines: &[SourceLine],
    called: &str,
    found: &[Diagnostic],
) -> Option<(Vec<SourceLine>, Vec<LeftOut>)> {
    let extents = extents(lines);
    let mut left: Vec<LeftOut> = Vec::new();
    let mut lines = lines.to_vec();
    for one in found {
        let extent = extents
            .iter()
            .find(|extent| extent.lines.contains(&one.line))?;
        if extent.name == called {
            return None;
        }
        if left.iter().all(|left| left.name != extent.name) {
            left.push(LeftOut {
                name: extent.name.clone(),
                line: one.line,
                message: one.message.clone(),
            });
            let own = lines
                .iter_mut()
                .filter(|line| extent.lines.contains(&line.number));
            own.for_each(|line| line.text.clear());
        }
    }
    Some((lines, left))
}

/// Where a function stands.
struct Extent {
    name: String,
    lines: std::ops::RangeInclusive<u32>,
}

/// From each label to the `.size` of its name.
fn extents(lines: &[SourceLine]) -> Vec<Extent> {
    let mut begun: std::collections::HashMap<&str, u32> = std::collections::HashMap::new();
    let mut found = Vec::new();
    for line in lines {
        let code = line.text.trim();
        if let Some(name) = code
            .split('#')
            .next()
            .and_then(|code| code.trim_end().strip_suffix(':'))
        {
            begun.entry(name.trim_matches('"')).or_insert(line.number);
        }
        let size = code
            .strip_prefix(".size")
            .filter(|rest| rest.starts_with([' ', '\t']));
        let name = size.and_then(|rest| rest.split(',').next());
        let name = name.map(|name| name.trim().trim_matches('"'));
        if let Some((name, start)) = name.and_then(|name| Some((name, *begun.get(name)?))) {
            found.push(Extent {
                name: name.to_string(),
                lines: start..=line.number,
            });
        }
    }
    found
}
