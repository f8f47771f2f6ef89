//! Constants, registers and one symbol in a sum, as they stand in operands and brackets.
//!
//! Correct means: the value is exact or refused; nothing wraps, and the order of registers is kept.

use std::borrow::Cow;

use iced_x86::Register;

use super::lexer::{Placed, Token};
use crate::asm::inst::{Name, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::{lower, register};

/// How deep parentheses and signs may nest: enough for any text a person writes, and little stack.
const DEEPEST: u32 = 40;

/// The tokens of one line, and how far they are read.
pub(in crate::asm) struct Cursor<'t, 'a> {
    tokens: &'t [Placed<'a>],
    at: usize,
    hash: &'t dyn Fn(&str) -> Result<u32, String>,
}

/// A sum.
#[derive(Debug, Clone, Default)]
pub(in crate::asm) struct Linear<'a> {
    /// The constants together.
    pub(in crate::asm) constant: i128,
    /// Registers in the order in which they stand.
    pub(in crate::asm) registers: Terms,
    /// The label or symbol; its addend is kept in `constant` until the end.
    pub(in crate::asm) target: Option<Target<'a>>,
}

/// A register times a constant.
#[derive(Debug, Clone, Copy)]
pub(in crate::asm) struct Term {
    pub(in crate::asm) register: Register,
    pub(in crate::asm) scale: i128,
    /// Whether a factor was written: `rax*1` asks for an index.
    pub(in crate::asm) scaled: bool,
    pub(in crate::asm) span: Span,
}

/// At most two registers, the first one first.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::asm) struct Terms([Option<Term>; 2]);

impl Terms {
    fn one(term: Term) -> Terms {
        Terms([Some(term), None])
    }

    /// Both lists, where that makes no more than two.
    fn and(self, other: Terms) -> Option<Terms> {
        match (self.0, other.0) {
            (_, [None, _]) => Some(self),
            ([None, _], _) => Some(other),
            ([first, None], [second, None]) => Some(Terms([first, second])),
            _ => None,
        }
    }

    pub(in crate::asm) fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }

    pub(in crate::asm) fn iter(&self) -> impl Iterator<Item = &Term> {
        self.0.iter().flatten()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Term> {
        self.0.iter_mut().flatten()
    }
}

impl<'t, 'a> Cursor<'t, 'a> {
    pub(in crate::asm) fn new(
        tokens: &'t [Placed<'a>],
        hash: &'t dyn Fn(&str) -> Result<u32, String>,
    ) -> Cursor<'t, 'a> {
        Cursor {
            tokens,
            at: 0,
            hash,
        }
    }

    /// The next token.
    pub(in crate::asm) fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    /// The token after the next one.
    pub(in crate::asm) fn peek_second(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at + 1).map(|placed| &placed.token)
    }

    /// The next token as a word in lower case.
    pub(in crate::asm) fn word(&self) -> Option<Cow<'a, str>> {
        match self.peek() {
            Some(Token::Word(word)) => Some(lower(word)),
            _ => None,
        }
    }

    /// Where the next token stands; at the end, the character after the last one.
    pub(in crate::asm) fn span(&self) -> Span {
        match (self.tokens.get(self.at), self.tokens.last()) {
            (Some(placed), _) => placed.span,
            (None, Some(last)) => Span {
                column: last.span.column + last.span.width,
                width: 1,
            },
            (None, None) => Span {
                column: 1,
                width: 1,
            },
        }
    }

    /// Where the token before the next one stands.
    pub(in crate::asm) fn last_span(&self) -> Span {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(self.span(), |placed| placed.span)
    }

    pub(in crate::asm) fn advance(&mut self) {
        self.at += 1;
    }

    pub(in crate::asm) fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Takes the next token if it is `mark`.
    pub(in crate::asm) fn take(&mut self, mark: char) -> bool {
        let found = self.peek() == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }

    /// Takes `mark` or says that it is missing.
    pub(in crate::asm) fn expect(&mut self, mark: char) -> Result<(), Problem> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(Problem::new(self.span(), format!("expected `{mark}` here")))
        }
    }

    /// A sum of products.
    pub(in crate::asm) fn sum(&mut self) -> Result<Linear<'a>, Problem> {
        self.nested_sum(0)
    }

    fn nested_sum(&mut self, depth: u32) -> Result<Linear<'a>, Problem> {
        let start = self.span();
        let mut total = self.product(depth)?;
        loop {
            let sign = if self.take('+') {
                1
            } else if self.take('-') {
                -1
            } else {
                return Ok(total);
            };
            let here = self.span();
            let term = self.product(depth)?.times(sign, here)?;
            total = total.plus(term, start.to(self.last_span()))?;
        }
    }

    fn product(&mut self, depth: u32) -> Result<Linear<'a>, Problem> {
        let start = self.span();
        let mut total = self.factor(depth)?;
        while self.take('*') {
            let factor = self.factor(depth)?;
            let here = start.to(self.last_span());
            total = match (total.as_constant(), factor.as_constant()) {
                (_, Some(by)) => total.times(by, here)?.scaled(),
                (Some(by), None) => factor.times(by, here)?.scaled(),
                (None, None) => {
                    return Err(Problem::new(here, "one side of `*` must be a constant"));
                }
            };
        }
        Ok(total)
    }

    fn factor(&mut self, depth: u32) -> Result<Linear<'a>, Problem> {
        let here = self.span();
        if depth > DEEPEST {
            return Err(Problem::new(here, "the expression is nested too deeply"));
        }
        let Some(token) = self.peek() else {
            return Err(Problem::new(here, "expected an operand here"));
        };
        self.advance();
        match token {
            Token::Number(value) => Ok(Linear {
                constant: i128::from(*value),
                ..Linear::default()
            }),
            Token::Mark('-') => self.factor(depth + 1)?.times(-1, here),
            Token::Mark('+') => self.factor(depth + 1),
            Token::Mark('(') => {
                let inner = self.nested_sum(depth + 1)?;
                self.expect(')')?;
                Ok(inner)
            }
            Token::Text(symbol) => Ok(Linear::target(Name::Symbol(symbol.clone()), here)),
            Token::Numeric(label, way) => Ok(Linear::target(Name::Numeric(*label, *way), here)),
            Token::Word("hash") if self.peek() == Some(&Token::Mark('(')) => self.hash(here),
            Token::Word(word) => Ok(match register(word) {
                Some(register) => Linear {
                    registers: Terms::one(Term {
                        register,
                        scale: 1,
                        scaled: false,
                        span: here,
                    }),
                    ..Linear::default()
                },
                None => Linear::target(Name::Label(word), here),
            }),
            Token::Mark(mark) => Err(Problem::new(
                here,
                format!("expected an operand, found `{mark}`"),
            )),
        }
    }

    fn hash(&mut self, start: Span) -> Result<Linear<'a>, Problem> {
        self.expect('(')?;
        let here = self.span();
        let Some(Token::Text(name)) = self.peek() else {
            return Err(
                Problem::new(here, "hash takes the name of a type in double quotes")
                    .help("write hash(\"main.T0\")"),
            );
        };
        self.advance();
        self.expect(')')?;
        match (self.hash)(name) {
            Ok(hash) => Ok(Linear {
                constant: i128::from(hash),
                ..Linear::default()
            }),
            Err(why) => Err(Problem::new(start.to(self.last_span()), why).help(
                "name a release whose hashes are known (docs/templates.md lists them), or write the number; \
                 outside a template there is no release",
            )),
        }
    }
}

impl<'a> Linear<'a> {
    fn target(name: Name<'a>, span: Span) -> Linear<'a> {
        Linear {
            target: Some(Target {
                name,
                addend: 0,
                span,
            }),
            ..Linear::default()
        }
    }

    /// The value of a sum without registers and symbols.
    pub(in crate::asm) fn as_constant(&self) -> Option<i128> {
        (self.registers.is_empty() && self.target.is_none()).then_some(self.constant)
    }

    /// The lone register, unscaled.
    pub(in crate::asm) fn as_register(&self) -> Option<Register> {
        match (self.registers.0, self.constant, &self.target) {
            ([Some(term), None], 0, None) if term.scale == 1 && !term.scaled => Some(term.register),
            _ => None,
        }
    }

    /// The label or symbol of a sum that has one and no registers, with its addend.
    pub(in crate::asm) fn as_target(&self) -> Option<Target<'a>> {
        let addend = i64::try_from(self.constant).ok()?;
        let target = self.target.as_ref().filter(|_| self.registers.is_empty())?;
        Some(Target {
            addend,
            ..target.clone()
        })
    }

    fn scaled(mut self) -> Linear<'a> {
        for term in self.registers.iter_mut() {
            term.scaled = true;
        }
        self
    }

    fn times(mut self, by: i128, here: Span) -> Result<Linear<'a>, Problem> {
        if self.target.is_some() && by != 1 {
            return Err(Problem::new(
                here,
                "an address can neither be multiplied nor subtracted",
            ));
        }
        for term in self.registers.iter_mut() {
            term.scale = bounded(term.scale.checked_mul(by), here)?;
        }
        self.constant = bounded(self.constant.checked_mul(by), here)?;
        Ok(self)
    }

    fn plus(mut self, other: Linear<'a>, here: Span) -> Result<Linear<'a>, Problem> {
        if let (Some(_), Some(second)) = (&self.target, &other.target) {
            return Err(Problem::new(second.span, "two addresses cannot be added"));
        }
        self.target = self.target.or(other.target);
        self.registers = self.registers.and(other.registers).ok_or_else(|| {
            Problem::new(here, "an address has at most a base and an index register")
        })?;
        self.constant = bounded(self.constant.checked_add(other.constant), here)?;
        Ok(self)
    }
}

/// Keeps every intermediate result within what a 64-bit field can hold, signed or unsigned.
fn bounded(value: Option<i128>, here: Span) -> Result<i128, Problem> {
    value
        .filter(|value| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(value))
        .ok_or_else(|| Problem::new(here, "the value does not fit in 64 bits"))
}
