//! What an object holds, what an iteration is given, and what its result must be, as a formula over the receiver.
//!
//! Correct means: numbers have 64 bits and wrap, operators bind as in C, an address is never mixed into a number,
//! and a text that is printed and read again is the same formula.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod reader;

pub use reader::{Known, Refused};

/// Whose id, type or address is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Whose {
    /// Whether it is that of the second walk.
    pub is_second: bool,
    /// How many objects further on, in the order of their numbers; behind the last one comes the first.
    pub hops: u8,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// The object's number, from 1.
    Id(Whose),
    /// Its type's number, from 1.
    Type(Whose),
    /// Its type's number, from 0, as the discriminant of an enum counts.
    Tag(Whose),
    /// Its address.
    Object(Whose),
    /// The element of the walk, from 0.
    Element,
    /// The address of a symbol; `{t}` in it is the type's number, from 0.
    Symbol(String),
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the sign that `ROWS` has for it")]
pub enum Operator {
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    ShiftLeft,
    ShiftRight,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Xor,
    Or,
}

/// A value that follows from a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// A number.
    Number(u64),
    /// A name.
    Name(Name),
    /// The complement, `~`.
    Not(Box<Formula>),
    /// Two values and what is made of them.
    Binary(Operator, Box<Formula>, Box<Formula>),
    /// `condition ? one : other`; anything but 0 is true.
    Choice(Box<Formula>, Box<Formula>, Box<Formula>),
}

/// What a formula gives: a number, or an address and what is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'f> {
    /// What it is an address of.
    pub base: Option<Base<'f>>,
    /// The number, or what is added.
    pub number: u64,
    /// What `|` puts into an address, which must not have those bits itself.
    pub bits: u64,
}

/// What has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base<'f> {
    /// An object, by its number from 0.
    Object(u32),
    /// A symbol; `{t}` in it is that type's number.
    Symbol(&'f str, u32),
}

impl<'f> Value<'f> {
    fn of(number: u64) -> Value<'f> {
        Value {
            base: None,
            number,
            bits: 0,
        }
    }

    /// The number, or the address, where its base is at an address.
    ///
    /// # Errors
    /// Where `|` meets bits that the address has.
    pub fn at(&self, address: impl FnOnce(Base<'f>) -> u64) -> Result<u64, String> {
        let Some(base) = self.base else {
            return Ok(self.number);
        };
        let address = address(base).wrapping_add(self.number);
        match address & self.bits {
            0 => Ok(address | self.bits),
            _ => Err(format!(
                "`|` with {:#x} meets bits that the address has: align the object, or add",
                self.bits
            )),
        }
    }

    fn address(base: Base<'f>) -> Value<'f> {
        Value {
            base: Some(base),
            ..Value::of(0)
        }
    }
}

/// The receivers that a formula is about.
#[derive(Debug, Clone, Copy)]
pub struct Receivers<'a> {
    /// The type of each object.
    pub types: &'a [u32],
    /// The object that is visited, from 0.
    pub object: u32,
    /// That of the second walk, where there is one.
    pub second: u32,
    /// The element of the walk.
    pub element: u64,
}

impl Receivers<'_> {
    fn object(&self, whose: Whose) -> u32 {
        let first = if whose.is_second {
            self.second
        } else {
            self.object
        };
        match self.types.len() as u64 {
            0 => 0,
            count => ((u64::from(first) + u64::from(whose.hops)) % count) as u32,
        }
    }

    fn type_of(&self, object: u32) -> u32 {
        self.types.get(object as usize).copied().unwrap_or(0)
    }
}

impl Operator {
    /// The operators, the one that binds closest first; those of a row bind alike.
    const ROWS: [&'static [(&'static str, Operator)]; 8] = [
        &[
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("%", Operator::Remainder),
        ],
        &[("+", Operator::Add), ("-", Operator::Subtract)],
        &[("<<", Operator::ShiftLeft), (">>", Operator::ShiftRight)],
        &[
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ],
        &[("==", Operator::Equal), ("!=", Operator::NotEqual)],
        &[("&", Operator::And)],
        &[("^", Operator::Xor)],
        &[("|", Operator::Or)],
    ];

    fn sign(self) -> &'static str {
        let all = Operator::ROWS.iter().copied().flatten();
        let mut all = all.filter(|(_, operator)| *operator == self);
        all.next().map_or("?", |(sign, _)| sign)
    }

    /// What it makes of two numbers; nothing where it divides by zero. A shift by 64 or more leaves 0.
    fn of(self, one: u64, other: u64) -> Option<u64> {
        Some(match self {
            Operator::Multiply => one.wrapping_mul(other),
            Operator::Divide => one.checked_div(other)?,
            Operator::Remainder => one.checked_rem(other)?,
            Operator::Add => one.wrapping_add(other),
            Operator::Subtract => one.wrapping_sub(other),
            Operator::ShiftLeft => u32::try_from(other)
                .ok()
                .and_then(|by| one.checked_shl(by))
                .unwrap_or(0),
            Operator::ShiftRight => u32::try_from(other)
                .ok()
                .and_then(|by| one.checked_shr(by))
                .unwrap_or(0),
            Operator::Less => u64::from(one < other),
            Operator::LessOrEqual => u64::from(one <= other),
            Operator::Greater => u64::from(one > other),
            Operator::GreaterOrEqual => u64::from(one >= other),
            Operator::Equal => u64::from(one == other),
            Operator::NotEqual => u64::from(one != other),
            Operator::And => one & other,
            Operator::Xor => one ^ other,
            Operator::Or => one | other,
        })
    }
}

impl Formula {
    /// What it gives for these receivers.
    ///
    /// # Errors
    /// A division by zero, or an address where only a number can stand.
    pub fn value(&self, of: &Receivers<'_>) -> Result<Value<'_>, String> {
        let number = Value::of;
        Ok(match self {
            Formula::Number(value) => number(*value),
            Formula::Name(name) => name.value(of),
            Formula::Not(inner) => number(!inner.number(of)?),
            Formula::Choice(condition, one, other) => match condition.number(of)? {
                0 => other.value(of)?,
                _ => one.value(of)?,
            },
            Formula::Binary(operator, one, other) => {
                let (left, right) = (one.value(of)?, other.value(of)?);
                let base = match (operator, left.base, right.base) {
                    (_, None, None) => None,
                    (Operator::Add | Operator::Or, Some(base), None)
                    | (Operator::Add | Operator::Or, None, Some(base))
                    | (Operator::Subtract, Some(base), None) => Some(base),
                    _ => return Err(format!("`{}` cannot take an address", operator.sign())),
                };
                if let (Some(base), Operator::Or) = (base, operator) {
                    // Which of both has the address does not matter: the other one is a number.
                    let (address, bits) = match left.base {
                        Some(_) => (left, right.number),
                        None => (right, left.number),
                    };
                    return Ok(Value {
                        base: Some(base),
                        number: address.number,
                        bits: address.bits | bits,
                    });
                }
                let value = operator.of(left.number, right.number);
                let value = value.ok_or_else(|| format!("`{self}` divides by zero"))?;
                Value {
                    base,
                    number: value,
                    bits: left.bits | right.bits,
                }
            }
        })
    }

    /// The same, where it must be a number.
    ///
    /// # Errors
    /// As [`Formula::value`]; and an address.
    pub fn number(&self, of: &Receivers<'_>) -> Result<u64, String> {
        let value = self.value(of)?;
        match value.base {
            None => Ok(value.number),
            Some(_) => Err(format!("`{self}` is an address, and a number is wanted")),
        }
    }

    /// The names in it.
    pub fn names(&self) -> Vec<&Name> {
        match self {
            Formula::Number(_) => Vec::new(),
            Formula::Name(name) => vec![name],
            Formula::Not(inner) => inner.names(),
            Formula::Binary(_, one, other) => [one.names(), other.names()].concat(),
            Formula::Choice(condition, one, other) => {
                [condition.names(), one.names(), other.names()].concat()
            }
        }
    }

    /// Whether it names an address.
    pub fn has_address(&self) -> bool {
        let mut names = self.names().into_iter();
        names.any(|name| matches!(name, Name::Object(_) | Name::Symbol(_)))
    }

    /// Whether it names anything of the second walk.
    pub fn names_the_second_walk(&self) -> bool {
        let mut names = self.names().into_iter();
        names.any(|name| name.whose().is_some_and(|whose| whose.is_second))
    }

    /// Whether it hangs on more than the object that the first walk visits.
    pub fn is_of_the_element(&self) -> bool {
        self.names_the_second_walk() || self.names().contains(&&Name::Element)
    }

    /// Whether its value is one for each type: two types never share one, as far as can be seen from its names.
    pub fn tells_types_apart(&self) -> bool {
        let of_type = |name: &&Name| matches!(name, Name::Type(whose) | Name::Tag(whose) if *whose == Whose::default());
        self.names().iter().any(of_type)
    }

    /// It, as it is seen so many objects further on, or by the second walk.
    fn seen_by(self, whose: Whose) -> Formula {
        let moved = |own: Whose| Whose {
            is_second: own.is_second || whose.is_second,
            hops: own.hops.saturating_add(whose.hops),
        };
        let inner = |formula: Box<Formula>| Box::new(formula.seen_by(whose));
        match self {
            Formula::Number(_) => self,
            Formula::Name(name) => Formula::Name(match name {
                Name::Id(own) => Name::Id(moved(own)),
                Name::Type(own) => Name::Type(moved(own)),
                Name::Tag(own) => Name::Tag(moved(own)),
                Name::Object(own) => Name::Object(moved(own)),
                Name::Element | Name::Symbol(_) => name,
            }),
            Formula::Not(one) => Formula::Not(inner(one)),
            Formula::Binary(operator, one, other) => {
                Formula::Binary(operator, inner(one), inner(other))
            }
            Formula::Choice(condition, one, other) => {
                Formula::Choice(inner(condition), inner(one), inner(other))
            }
        }
    }

    fn depth(&self) -> u32 {
        match self {
            Formula::Number(_) | Formula::Name(_) => 1,
            Formula::Not(inner) => 1 + inner.depth(),
            Formula::Binary(_, one, other) => 1 + one.depth().max(other.depth()),
            Formula::Choice(condition, one, other) => {
                1 + condition.depth().max(one.depth()).max(other.depth())
            }
        }
    }
}

impl Name {
    fn whose(&self) -> Option<Whose> {
        match self {
            Name::Id(whose) | Name::Type(whose) | Name::Tag(whose) | Name::Object(whose) => {
                Some(*whose)
            }
            Name::Element | Name::Symbol(_) => None,
        }
    }

    fn value(&self, of: &Receivers<'_>) -> Value<'_> {
        let number = Value::of;
        let type_of = |whose: &Whose| u64::from(of.type_of(of.object(*whose)));
        match self {
            Name::Id(whose) => number(u64::from(of.object(*whose)) + 1),
            Name::Type(whose) => number(type_of(whose) + 1),
            Name::Tag(whose) => number(type_of(whose)),
            Name::Element => number(of.element),
            Name::Object(whose) => Value::address(Base::Object(of.object(*whose))),
            Name::Symbol(name) => Value::address(Base::Symbol(name, of.type_of(of.object))),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, word) = match self {
            Name::Id(whose) => (whose, "id"),
            Name::Type(whose) => (whose, "type"),
            Name::Tag(whose) => (whose, "tag"),
            Name::Object(whose) => (whose, "object"),
            Name::Element => return f.write_str("element"),
            Name::Symbol(name) => return write!(f, "\"{name}\""),
        };
        if whose.is_second {
            f.write_str("second.")?;
        }
        for _ in 0..whose.hops {
            f.write_str("next.")?;
        }
        f.write_str(word)
    }
}

impl fmt::Display for Formula {
    /// Every operator in parentheses, so that nobody has to know how they bind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Formula::Number(number) => write!(f, "{number}"),
            Formula::Name(name) => name.fmt(f),
            Formula::Not(inner) => write!(f, "~{inner}"),
            Formula::Binary(operator, one, other) => {
                write!(f, "({one} {} {other})", operator.sign())
            }
            Formula::Choice(condition, one, other) => write!(f, "({condition} ? {one} : {other})"),
        }
    }
}

impl Serialize for Formula {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Formula {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Formula, D::Error> {
        let text = String::deserialize(deserializer)?;
        Formula::parse(&text, &Known::default())
            .map_err(|refused| serde::de::Error::custom(refused.message))
    }
}

#[cfg(test)]
mod tests;
