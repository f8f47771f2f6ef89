//! From text to a formula.
//!
//! Correct means: what is not a formula is refused at the character where it stops being one, with what could stand
//! there; nothing nests deeper than a stack takes.

use std::collections::BTreeMap;

use super::{Formula, Name, Operator, Whose};
use crate::text::closest;

/// How deep a formula may be: more than a person writes, and little stack.
const DEEPEST: u32 = 64;
/// Most objects that `next.` goes on.
const MOST_HOPS: u8 = 8;

/// What a formula may name beside what all may.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The words that an object holds, by their names.
    pub words: BTreeMap<String, Formula>,
}

/// Why a text is no formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub help: String,
    /// Characters in front of it.
    pub at: usize,
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// Where it is none, and why.
    pub fn parse(text: &str, known: &Known) -> Result<Formula, Refused> {
        let mut reader = Reader {
            text: text.chars().collect(),
            at: 0,
            known,
        };
        let formula = reader.choice(0)?;
        match reader.peek() {
            None if formula.depth() > DEEPEST => {
                Err(reader.refused("the formula is nested too deeply"))
            }
            None => Ok(formula),
            Some(mark) => Err(reader.refused(format!("`{mark}` cannot go on a formula"))),
        }
    }
}

struct Reader<'a> {
    text: Vec<char>,
    at: usize,
    known: &'a Known,
}

impl Reader<'_> {
    fn refused(&self, message: impl Into<String>) -> Refused {
        Refused {
            message: message.into(),
            help: "write it as in C: `3 * id + tag`, `(type << 4) | 1`, `type == 1 ? id : 0`"
                .into(),
            at: self.at,
        }
    }

    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        while self.text.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, sign: &str) -> bool {
        self.peek();
        let end = self.at + sign.len();
        let found = self
            .text
            .get(self.at..end)
            .is_some_and(|here| here.iter().copied().eq(sign.chars()));
        if found {
            self.at = end;
        }
        found
    }

    fn choice(&mut self, depth: u32) -> Result<Formula, Refused> {
        if depth > DEEPEST {
            return Err(self.refused("the formula is nested too deeply"));
        }
        let condition = self.row(Operator::ROWS.len(), depth)?;
        if !self.take("?") {
            return Ok(condition);
        }
        let one = self.choice(depth + 1)?;
        if !self.take(":") {
            return Err(self.refused("expected `:` and what it is otherwise"));
        }
        let other = self.choice(depth + 1)?;
        Ok(Formula::Choice(condition.into(), one.into(), other.into()))
    }

    /// Values joined by operators of the first `rows` rows.
    fn row(&mut self, rows: usize, depth: u32) -> Result<Formula, Refused> {
        let Some(inner) = rows.checked_sub(1) else {
            return self.factor(depth);
        };
        let mut left = self.row(inner, depth)?;
        let mut length = depth;
        while let Some(operator) = self.operator(inner) {
            length += 1;
            if length > DEEPEST {
                return Err(self.refused("the formula is nested too deeply"));
            }
            let right = self.row(inner, depth)?;
            left = Formula::Binary(operator, left.into(), right.into());
        }
        Ok(left)
    }

    /// One of a row's operators. Of two that begin alike the longer one is meant, as in C.
    fn operator(&mut self, row: usize) -> Option<Operator> {
        self.peek();
        let all = Operator::ROWS.iter().copied().flatten();
        let starts = |sign: &str| {
            let here = &self.text[self.at..];
            here.len() >= sign.len() && here.iter().copied().zip(sign.chars()).all(|(a, b)| a == b)
        };
        let (sign, operator) = all
            .filter(|(sign, _)| starts(sign))
            .max_by_key(|(sign, _)| sign.len())?;
        let is_here = Operator::ROWS[row].iter().any(|(_, own)| own == operator);
        is_here.then(|| self.at += sign.len())?;
        Some(*operator)
    }

    fn factor(&mut self, depth: u32) -> Result<Formula, Refused> {
        if depth > DEEPEST {
            return Err(self.refused("the formula is nested too deeply"));
        }
        match self.peek() {
            None => Err(self.refused("the formula ends where a value is wanted")),
            Some('(') => {
                self.at += 1;
                let inner = self.choice(depth + 1)?;
                match self.take(")") {
                    true => Ok(inner),
                    false => Err(self.refused("expected `)`")),
                }
            }
            Some('-') => {
                self.at += 1;
                let inner = self.factor(depth + 1)?;
                Ok(match inner {
                    Formula::Number(number) => Formula::Number(number.wrapping_neg()),
                    inner => {
                        Formula::Binary(Operator::Subtract, Formula::Number(0).into(), inner.into())
                    }
                })
            }
            Some('~') => {
                self.at += 1;
                Ok(Formula::Not(self.factor(depth + 1)?.into()))
            }
            Some('"') => self.symbol(),
            Some(c) if c.is_ascii_digit() => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.name(),
            Some(c) => Err(self.refused(format!("`{c}` is no value"))),
        }
    }

    fn symbol(&mut self) -> Result<Formula, Refused> {
        let start = self.at + 1;
        let length = self.text[start..].iter().position(|c| *c == '"');
        let Some(length) = length.filter(|length| *length > 0) else {
            return Err(self.refused("a symbol stands between double quotes"));
        };
        self.at = start + length + 1;
        let name = self.text[start..start + length].iter().collect();
        Ok(Formula::Name(Name::Symbol(name)))
    }

    fn word(&mut self) -> String {
        let rest = self.text[self.at..].iter();
        let word: String = rest
            .take_while(|c| c.is_alphanumeric() || **c == '_')
            .collect();
        self.at += word.chars().count();
        word
    }

    fn number(&mut self) -> Result<Formula, Refused> {
        let start = self.at;
        let word = self.word().replace('_', "").to_ascii_lowercase();
        let parsed = match word.get(..2) {
            Some("0x") => u64::from_str_radix(&word[2..], 16),
            Some("0b") => u64::from_str_radix(&word[2..], 2),
            _ => word.parse(),
        };
        parsed.map(Formula::Number).map_err(|_| {
            self.at = start;
            self.refused(format!("`{word}` is no whole number of 64 bits"))
        })
    }

    /// `id`, `next.tag`, `second.next.object`.
    fn name(&mut self) -> Result<Formula, Refused> {
        let start = self.at;
        let mut whose = Whose::default();
        loop {
            let word = self.word();
            let goes_on = self.text.get(self.at) == Some(&'.');
            match (&word[..], goes_on) {
                ("second", true) if whose == Whose::default() => whose.is_second = true,
                ("next", true) if whose.hops < MOST_HOPS => whose.hops += 1,
                (_, true) => {
                    self.at = start;
                    return Err(Refused {
                        help: format!(
                            "`next.` may come up to {MOST_HOPS} times, behind one `second.`"
                        ),
                        ..self.refused(format!("nothing is called `{word}.`"))
                    });
                }
                (word, false) => {
                    return self.named(word, whose).ok_or_else(|| {
                        self.at = start;
                        self.unknown(word)
                    });
                }
            }
            self.at += 1;
        }
    }

    fn named(&self, word: &str, whose: Whose) -> Option<Formula> {
        let further = Whose {
            hops: whose.hops + 1,
            ..whose
        };
        Some(Formula::Name(match word {
            "id" => Name::Id(whose),
            "type" => Name::Type(whose),
            "tag" => Name::Tag(whose),
            "object" => Name::Object(whose),
            "next" => Name::Object(further),
            "second" if whose == Whose::default() => Name::Object(Whose {
                is_second: true,
                hops: 0,
            }),
            "element" if whose == Whose::default() => Name::Element,
            _ => return Some(self.known.words.get(word)?.clone().seen_by(whose)),
        }))
    }

    fn unknown(&self, word: &str) -> Refused {
        const ALL: [&str; 7] = ["id", "type", "tag", "object", "next", "second", "element"];
        let own = self.known.words.keys().map(String::as_str);
        let known: Vec<&str> = ALL.into_iter().chain(own).collect();
        let help = match closest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        Refused {
            help,
            ..self.refused(format!("nothing is called `{word}`"))
        }
    }
}
