//! What an object holds: words that follow from its number and its type, and addresses of others.
//!
//! Correct means: each word stands where its line says, and an object without lines of its own has its id alone, as
//! [`layout`](super::layout) has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::layout::OBJECT_SIZE;
use crate::formula::{Formula, Known, Operator, Refused};

/// Largest object: a page.
pub const MOST_BYTES: u32 = 4096;

/// A word of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Bytes from the start of the object.
    pub offset: u32,
    /// Bytes it takes: 1, 2, 4 or 8.
    pub bytes: u32,
    /// What it is called; what it holds, where nobody says.
    pub name: String,
    /// What it holds.
    pub value: Formula,
}

/// What each object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectShape {
    /// Its words, ascending by offset.
    pub words: Vec<Word>,
    /// Bytes from one object to the next, a multiple of the alignment.
    pub size: u32,
    /// A power of two.
    pub align: u32,
}

impl ObjectShape {
    /// Reads `dd id; dd tint = 3 * tag; dq next; resb 8; align 64`: in order, one behind the other.
    ///
    /// # Errors
    /// Where it is no shape, and why.
    pub fn parse(text: &str) -> Result<ObjectShape, Refused> {
        let mut shape = ObjectShape {
            words: Vec::new(),
            size: 0,
            align: OBJECT_SIZE,
        };
        let mut known = Known::default();
        let mut at = 0;
        for statement in text.split(';') {
            shape
                .read(statement, &mut known)
                .map_err(|refused| Refused {
                    at: at + refused.at,
                    ..refused
                })?;
            at += statement.chars().count() + 1;
        }
        shape.size = shape.size.max(1).next_multiple_of(shape.align);
        Ok(shape)
    }

    fn read(&mut self, statement: &str, known: &mut Known) -> Result<(), Refused> {
        let begin = statement.chars().take_while(|c| c.is_whitespace()).count();
        let text = statement.trim_start();
        let refused = |at: usize, message: String| {
            Refused {
            message,
            help: "write `dq`, `dd`, `dw` or `db` and a value, `NAME = VALUE` where it has a name; `resb N`; `align N`".into(),
            at,
        }
        };
        let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        let value = &text[word.len()..];
        let value_at = begin + word.chars().count();
        let number = || {
            let parsed = value.trim().parse::<u32>().ok();
            parsed.ok_or_else(|| {
                refused(
                    value_at,
                    format!(
                        "`{word}` takes a whole number up to {MOST_BYTES}, not `{}`",
                        value.trim()
                    ),
                )
            })
        };
        match &word[..] {
            "" if text.trim().is_empty() => {
                Err(refused(begin, "an empty line of an object".into()))
            }
            "align" => {
                let align = number()?;
                let is_sound = align.is_power_of_two() && (8..=MOST_BYTES).contains(&align);
                self.align = align;
                match is_sound {
                    true => Ok(()),
                    false => Err(refused(
                        value_at,
                        format!(
                            "an alignment is a power of two from 8 to {MOST_BYTES}, not {align}"
                        ),
                    )),
                }
            }
            "resb" => {
                let bytes = number()?;
                self.reserve(bytes)
                    .map_err(|message| refused(value_at, message))
            }
            "dq" | "dd" | "dw" | "db" => {
                let bytes = match &word[..] {
                    "dq" => 8,
                    "dd" => 4,
                    "dw" => 2,
                    _ => 1,
                };
                let (name, formula, formula_at) = named(value);
                let formula_at = value_at + formula_at;
                let value = Formula::parse(formula, known).map_err(|refused| Refused {
                    at: formula_at + refused.at,
                    ..refused
                })?;
                self.check(&value, bytes)
                    .map_err(|message| refused(formula_at, message))?;
                if let Some(name) = name {
                    if TAKEN.contains(&name) || known.words.contains_key(name) {
                        return Err(refused(value_at, format!("`{name}` has a meaning already")));
                    }
                    known
                        .words
                        .insert(name.to_string(), cut(value.clone(), bytes));
                }
                self.words.push(Word {
                    offset: self.size,
                    bytes,
                    name: name.unwrap_or(formula.trim()).to_string(),
                    value,
                });
                self.reserve(bytes)
                    .map_err(|message| refused(value_at, message))
            }
            _ => Err(refused(
                begin,
                format!("`{}` is nothing that an object can hold", text.trim()),
            )),
        }
    }

    fn reserve(&mut self, bytes: u32) -> Result<(), String> {
        let end = self.size.saturating_add(bytes);
        self.size = end;
        match end {
            ..=MOST_BYTES => Ok(()),
            _ => Err(format!("an object takes at most {MOST_BYTES} bytes")),
        }
    }

    fn check(&self, value: &Formula, bytes: u32) -> Result<(), String> {
        if bytes < 8 && value.has_address() {
            return Err("an address takes 8 bytes: `dq`".into());
        }
        if value.is_of_the_element() {
            return Err("an object is there before anything is visited: it holds no `element` and no `second`".into());
        }
        Ok(())
    }

    /// Its words by name, for formulas that name them.
    pub fn known(&self) -> Known {
        let named = self
            .words
            .iter()
            .filter(|word| word.value.to_string() != word.name);
        let named = named.map(|word| (word.name.clone(), cut(word.value.clone(), word.bytes)));
        Known {
            words: named.collect::<BTreeMap<_, _>>(),
        }
    }
}

/// As much of a value as a word of so many bytes holds.
fn cut(value: Formula, bytes: u32) -> Formula {
    match bytes {
        8 => value,
        _ => {
            let mask = Formula::Number((1 << (8 * bytes)) - 1);
            Formula::Binary(Operator::And, value.into(), mask.into())
        }
    }
}

/// Names that formulas give a meaning.
const TAKEN: [&str; 7] = ["id", "type", "tag", "object", "next", "second", "element"];

/// `NAME = VALUE` or a value alone, and the characters in front of the value.
fn named(text: &str) -> (Option<&str>, &str, usize) {
    if let Some((name, value)) = text.split_once('=') {
        let name = name.trim();
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if is_name && !value.starts_with('=') {
            let at = text.chars().count() - value.chars().count();
            return (Some(name), value, at);
        }
    }
    (None, text, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_one_behind_the_other_and_have_names() {
        let shape =
            ObjectShape::parse("dd id; dd tint = 3 * tag; dq next; resb 8; db tint; align 64");
        let shape = shape.expect("a shape");
        let words: Vec<(u32, u32, &str)> = shape
            .words
            .iter()
            .map(|word| (word.offset, word.bytes, word.name.as_str()))
            .collect();
        assert_eq!(
            words,
            [
                (0, 4, "id"),
                (4, 4, "tint"),
                (8, 8, "next"),
                (24, 1, "tint")
            ]
        );
        assert_eq!((shape.size, shape.align), (64, 64));
        assert!(shape.known().words.contains_key("tint"));
    }

    #[test]
    fn an_object_is_as_large_as_its_words_and_sixteen_bytes_at_least() {
        #[rustfmt::skip] // a table
        let table = [
            ("dd id", 16), ("dq id; dq id", 16), ("dq id; dq id; db id", 32), ("dd id; align 8", 8),
            ("resb 4096", 4096),
        ];
        for (text, size) in table {
            assert_eq!(ObjectShape::parse(text).expect(text).size, size, "{text}");
        }
    }

    #[test]
    fn what_is_no_shape_is_refused_where_it_is_wrong() {
        #[rustfmt::skip] // a table: a text, and the characters in front of what is wrong
        let table = [
            ("", 0), ("dd id;", 6), ("dd", 2), ("df id", 0), ("dd id; dd idd", 10), ("dd next", 2),
            ("align 24", 5), ("align 4", 5), ("resb x", 4), ("resb 4097", 4), ("dd element", 2), ("dq second", 2),
            ("dd id = 3", 2), ("dd a = 3; dd a = 4", 12),
        ];
        for (text, at) in table {
            let refused = ObjectShape::parse(text).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused:?}");
        }
    }
}
