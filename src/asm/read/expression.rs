//! Constants, registers and one symbol in a sum, as they stand in operands and brackets.
//!
//! Correct means: the value is exact or refused; nothing wraps, and the order of registers is kept.
//! What GNU as and NASM bind differently wants parentheses.

use std::borrow::Cow;

use iced_x86::Register;

use super::around::Around;
use super::data::float_bits;
use super::float;
use super::lexer::{Placed, Token};
use crate::asm::inst::{ANONYMOUS, Direction, Name, Target};
use crate::asm::problem::{Problem, Span};
use crate::asm::registers::{lower, no_index, register};

/// How deep parentheses and signs may nest: enough for any text a person writes, and little stack.
const DEEPEST: u32 = 40;

/// The tokens of one line, and how far they are read.
pub(in crate::asm) struct Cursor<'t, 'a> {
    tokens: &'t [Placed<'a>],
    at: usize,
    pub(in crate::asm) around: &'t Around<'t, 'a>,
    /// Whether `%` and `$` mark registers and immediates.
    pub(in crate::asm) is_att: bool,
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
    /// The label or symbol that is subtracted.
    pub(in crate::asm) minus: Option<Box<Target<'a>>>,
    /// Whether a number was written, be it 0.
    pub(in crate::asm) has_number: bool,
}

/// A register times a constant.
#[derive(Debug, Clone, Copy)]
pub(in crate::asm) struct Term {
    pub(in crate::asm) register: Register,
    pub(in crate::asm) scale: i128,
    /// Whether a factor was written: `rax*1` asks for an index.
    pub(in crate::asm) scaled: bool,
    /// Whether it stands for an index that is none.
    pub(in crate::asm) is_none: bool,
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
    pub(in crate::asm) fn and(self, other: Terms) -> Option<Terms> {
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
        around: &'t Around<'t, 'a>,
        is_att: bool,
    ) -> Cursor<'t, 'a> {
        Cursor {
            tokens,
            at: 0,
            around,
            is_att,
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

    /// The token after that.
    pub(in crate::asm) fn peek_third(&self) -> Option<&'t Token<'a>> {
        self.peek_behind(2)
    }

    /// The token behind so many others.
    pub(in crate::asm) fn peek_behind(&self, others: usize) -> Option<&'t Token<'a>> {
        self.tokens
            .get(self.at + others)
            .map(|placed| &placed.token)
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

    /// Passes over the rest of the statement.
    pub(in crate::asm) fn finish(&mut self) {
        self.at = self.tokens.len();
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

    /// A sum of products, or constants joined by bit operators.
    pub(in crate::asm) fn sum(&mut self) -> Result<Linear<'a>, Problem> {
        self.nested_sum(0)
    }

    /// A sum whose distances of labels are numbers.
    pub(in crate::asm) fn settled_sum(&mut self) -> Result<Linear<'a>, Problem> {
        let start = self.span();
        let sum = self.sum()?;
        self.settled(sum, start.to(self.last_span()))
    }

    fn nested_sum(&mut self, depth: u32) -> Result<Linear<'a>, Problem> {
        let start = self.span();
        let (mut total, mut is_product) = self.product(depth)?;
        let mut before: Option<char> = None;
        loop {
            let Some(sign) = self.operator(&['+', '-', '&', '|', '^', '<', '>']) else {
                return Ok(total);
            };
            let here = self.span();
            let is_sum = |sign| matches!(sign, '+' | '-');
            if before.is_some_and(|other| other != sign && !(is_sum(other) && is_sum(sign))) {
                return Err(unlike(self.last_span()));
            }
            let (term, is_other) = self.product(depth)?;
            is_product |= is_other;
            let whole = start.to(self.last_span());
            total = match sign {
                '+' => total.plus(term, whole)?,
                '-' => total.plus(term.times(-1, here)?, whole)?,
                _ => {
                    if is_product {
                        return Err(unlike(here));
                    }
                    let one = self.constant(total, whole)?;
                    let other = self.constant(term, whole)?;
                    Linear::number(bounded(bitwise(sign, one, other), whole)?)
                }
            };
            before = Some(sign);
        }
    }

    /// Takes one of these operators.
    fn operator(&mut self, known: &[char]) -> Option<char> {
        match self.peek() {
            // In AT&T syntax `%` begins a register.
            Some(Token::Mark('%')) if self.is_att => None,
            Some(Token::Mark(mark)) if known.contains(mark) => {
                self.advance();
                Some(*mark)
            }
            _ => None,
        }
    }

    /// A product, and whether it has an operator.
    fn product(&mut self, depth: u32) -> Result<(Linear<'a>, bool), Problem> {
        let start = self.span();
        let mut total = self.factor(depth)?;
        let mut is_product = false;
        while let Some(operator) = self.operator(&['*', '/', '%']) {
            let factor = self.factor(depth)?;
            is_product = true;
            let here = start.to(self.last_span());
            if operator != '*' {
                let (one, by) = (self.constant(total, here)?, self.constant(factor, here)?);
                let value = match operator {
                    '/' => one.checked_div(by),
                    _ => one.checked_rem(by),
                };
                let value = value.ok_or_else(|| Problem::new(here, "a division by zero"))?;
                total = Linear::number(value);
                continue;
            }
            let (one, factor) = (self.settled(total, here)?, self.settled(factor, here)?);
            total = match (one.as_constant(), factor.as_constant()) {
                (_, Some(by)) => one.times(by, here)?.scaled(),
                (Some(by), None) => factor.times(by, here)?.scaled(),
                (None, None) => {
                    return Err(Problem::new(here, "one side of `*` must be a constant"));
                }
            };
        }
        Ok((total, is_product))
    }

    /// The sum with the distance of its two labels as a number, where it has two.
    pub(in crate::asm) fn settled(
        &self,
        mut sum: Linear<'a>,
        here: Span,
    ) -> Result<Linear<'a>, Problem> {
        if let (Some(to), Some(from)) = (&sum.target, &sum.minus) {
            let distance = self.around.distance(to, from, here)?;
            sum.constant = bounded(sum.constant.checked_add(distance), here)?;
            (sum.target, sum.minus) = (None, None);
        }
        match &sum.minus {
            Some(_) => Err(Problem::new(
                here,
                "an address can be subtracted from another one only",
            )),
            None => Ok(sum),
        }
    }

    /// The value of what must be a constant.
    fn constant(&self, sum: Linear<'a>, here: Span) -> Result<i128, Problem> {
        self.settled(sum, here)?
            .as_constant()
            .ok_or_else(|| Problem::new(here, "both sides of this operator must be constants"))
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
            Token::Number(value) => Ok(Linear::number(i128::from(*value))),
            Token::Mark('-') => self.factor(depth + 1)?.times(-1, here),
            Token::Mark('+') => self.factor(depth + 1),
            Token::Mark('~') => {
                let inner = self.factor(depth + 1)?;
                let value = self.constant(inner, here)?;
                // The complement of a 64-bit number, which a signed field can hold.
                Ok(Linear::number(bounded((-1i128).checked_sub(value), here)?))
            }
            Token::Mark('(') => {
                let inner = self.nested_sum(depth + 1)?;
                self.expect(')')?;
                Ok(inner)
            }
            Token::Mark('$') if !self.is_att => match self.peek() {
                Some(Token::Number(_)) => Err(dollar_number(here)),
                _ => Ok(Linear::target(Name::Here, here)),
            },
            Token::Mark('%') if self.is_att => self.marked_register(here),
            Token::Mark('%') => Err(percent(here)),
            Token::Text(symbol) => Ok(Linear::target(Name::Symbol(symbol.clone()), here)),
            Token::Numeric(label, way) => Ok(match self.around.binary(*label, *way) {
                Some(value) => Linear::number(value),
                None => Linear::target(Name::Numeric(*label, *way), here),
            }),
            Token::Float(text) => Err(float_misplaced(text, here)),
            Token::Quote(bytes) => Ok(Linear::number(packed(bytes, here)?)),
            Token::Word("hash") if self.peek() == Some(&Token::Mark('(')) => self.hash(here),
            Token::Word(word) if let Some(field) = float::Field::of(word) => {
                Ok(Linear::number(float_bits(self, field)?))
            }
            Token::Word(word) if word.starts_with("__?") => Err(Problem::new(
                here,
                format!("NASM's `{word}` is not known here"),
            )
            .help("write the number that it stands for")),
            Token::Word(".") => Ok(Linear::target(Name::Here, here)),
            Token::Word("@F" | "@f") if !self.is_att => Ok(Linear::target(
                Name::Numeric(ANONYMOUS, Direction::Forward),
                here,
            )),
            Token::Word("@B" | "@b") if !self.is_att => Ok(Linear::target(
                Name::Numeric(ANONYMOUS, Direction::Backward),
                here,
            )),
            Token::Word("$$") => Ok(Linear::target(Name::Start, here)),
            Token::Word(word) => Ok(match register(word).filter(|_| !self.is_att) {
                Some(register) => Linear::register(register, here),
                None => match (self.around.constants.get(word), no_index(word)) {
                    (Some(value), _) => Linear::number(*value),
                    (None, Some(register)) => Linear::no_index(register, here),
                    (None, None) => Linear::target(Name::Label(word), here),
                },
            }),
            Token::Mark(mark) => Err(Problem::new(
                here,
                format!("expected an operand, found `{mark}`"),
            )),
        }
    }

    /// What follows `%`.
    fn marked_register(&mut self, here: Span) -> Result<Linear<'a>, Problem> {
        let Some(Token::Word(word)) = self.peek() else {
            return Err(Problem::new(
                here,
                "a register's name is missing behind `%`",
            ));
        };
        let span = here.to(self.span());
        self.advance();
        match register(word) {
            Some(register) => Ok(Linear::register(register, span)),
            None => Err(no_register(word, span)),
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
        match (self.around.hash)(name) {
            Ok(hash) => Ok(Linear::number(i128::from(hash))),
            Err(why) => Err(Problem::new(start.to(self.last_span()), why).help(
                "name a release whose hashes are known (docs/templates.md lists them), or write the number; \
                 outside a template there is no release",
            )),
        }
    }
}

impl<'a> Linear<'a> {
    fn number(value: i128) -> Linear<'a> {
        Linear {
            constant: value,
            has_number: true,
            ..Linear::default()
        }
    }

    pub(in crate::asm) fn register(register: Register, span: Span) -> Linear<'a> {
        Linear {
            registers: Terms::one(Term {
                register,
                scale: 1,
                scaled: false,
                is_none: false,
                span,
            }),
            ..Linear::default()
        }
    }

    /// An index that is none, for which a register stands.
    pub(in crate::asm) fn no_index(register: Register, span: Span) -> Linear<'a> {
        let mut sum = Linear::register(register, span);
        for term in sum.registers.iter_mut() {
            term.is_none = true;
        }
        sum
    }

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
        let is_number = self.registers.is_empty() && self.target.is_none() && self.minus.is_none();
        is_number.then_some(self.constant)
    }

    /// The lone register, unscaled.
    pub(in crate::asm) fn as_register(&self) -> Option<Register> {
        match (self.registers.0, self.constant, &self.target) {
            ([Some(term), None], 0, None) if term.scale == 1 && !term.scaled && !term.is_none => {
                Some(term.register)
            }
            _ => None,
        }
    }

    /// The label or symbol of a sum that has one and no registers, with its addend.
    pub(in crate::asm) fn as_target(&self) -> Option<Target<'a>> {
        let addend = i64::try_from(self.constant).ok()?;
        let is_alone = self.registers.is_empty() && self.minus.is_none();
        let target = self.target.as_ref().filter(|_| is_alone)?;
        Some(Target {
            addend,
            ..target.clone()
        })
    }

    pub(in crate::asm) fn scaled(mut self) -> Linear<'a> {
        for term in self.registers.iter_mut() {
            term.scaled = true;
        }
        self
    }

    pub(in crate::asm) fn times(mut self, by: i128, here: Span) -> Result<Linear<'a>, Problem> {
        match (by, &self.target, &self.minus) {
            (1, ..) | (_, None, None) => {}
            (-1, ..) => {
                let target = self.target.take().map(Box::new);
                self.target = std::mem::replace(&mut self.minus, target).map(|minus| *minus);
            }
            (_, Some(target), _) => return Err(multiplied(target, here)),
            (_, _, Some(target)) => return Err(multiplied(target, here)),
        }
        for term in self.registers.iter_mut() {
            term.scale = bounded(term.scale.checked_mul(by), here)?;
        }
        self.constant = bounded(self.constant.checked_mul(by), here)?;
        Ok(self)
    }

    pub(in crate::asm) fn plus(
        mut self,
        other: Linear<'a>,
        here: Span,
    ) -> Result<Linear<'a>, Problem> {
        let second = match (&self.target, &self.minus) {
            (Some(_), _) if other.target.is_some() => other.target.as_ref(),
            (_, Some(_)) => other.minus.as_deref(),
            _ => None,
        };
        if let Some(second) = second {
            return Err(Problem::new(second.span, "two addresses cannot be added"));
        }
        self.target = self.target.or(other.target);
        self.minus = self.minus.or(other.minus);
        self.has_number |= other.has_number;
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

fn bitwise(sign: char, one: i128, other: i128) -> Option<i128> {
    let by = || u32::try_from(other).ok().filter(|by| *by < 64);
    Some(match sign {
        '&' => one & other,
        '|' => one | other,
        '^' => one ^ other,
        '<' => one.checked_mul(1i128 << by()?)?,
        _ => one >> by()?,
    })
}

/// The number that characters stand for: the first one lowest, as they lie in memory.
fn packed(bytes: &[u8], here: Span) -> Result<i128, Problem> {
    if bytes.len() > 8 {
        return Err(Problem::new(here, "a number has at most eight characters"));
    }
    let packed = bytes.iter().rev();
    Ok(packed.fold(0, |value, byte| value << 8 | i128::from(*byte)))
}

fn unlike(here: Span) -> Problem {
    Problem::new(
        here,
        "assemblers differ in which of these operators comes first",
    )
    .help("put parentheses around one of them, as in (1 << 4) | 3")
}

fn multiplied(target: &Target<'_>, here: Span) -> Problem {
    let Name::Label(name) = &target.name else {
        return Problem::new(here, "an address cannot be multiplied");
    };
    Problem::new(here, format!("`{name}` is no constant, and an address cannot be multiplied")).help(format!(
        "a constant comes from `.set {name}, 5` on a line above, or is `{{{{ {name} }}}}` in a template that is expanded"
    ))
}

/// `$5` in Intel syntax.
pub(in crate::asm) fn dollar_number(here: Span) -> Problem {
    Problem::new(
        here,
        "`$` marks an immediate in AT&T syntax, and this line is Intel syntax",
    )
    .help(
        "write `mov eax, 5`, destination first, or in AT&T syntax `mov $5, %eax`, destination last",
    )
}

/// `%` where an operand begins in Intel syntax.
fn percent(here: Span) -> Problem {
    Problem::new(
        here,
        "`%` marks a register in AT&T syntax, and this line is Intel syntax",
    )
    .help(
        "write `mov eax, 5`, destination first, or in AT&T syntax `mov $5, %eax`, destination last",
    )
}

/// A floating-point number where none can be.
fn float_misplaced(text: &str, here: Span) -> Problem {
    let message = format!("an instruction has no floating-point constants such as {text}");
    let problem = Problem::new(here, message);
    match float::bytes(text, false, 4).as_deref() {
        Ok(&[a, b, c, d]) => {
            let bits = u32::from_le_bytes([a, b, c, d]);
            problem.help(format!(
                "the bits of {text} as a float are {bits:#x}; or load it from data, as `dd {text}`"
            ))
        }
        _ => problem.help("load it from data, as wide as it has to be: `dq`, `dt` or `do`"),
    }
}

/// A name behind `%` that no register has.
pub(in crate::asm) fn no_register(word: &str, span: Span) -> Problem {
    let problem = Problem::new(span, format!("there is no register `{word}`"));
    if let Some(help) = crate::asm::registers::missing(word) {
        return problem.help(help);
    }
    problem.suggest(word, crate::asm::registers::names(), None)
}

/// `1010b` can be a label before or a number: a number where there is no such label.
pub(in crate::asm) fn as_binary(label: u32, way: Direction) -> Option<i128> {
    let digits = label.to_string();
    let value = i128::from_str_radix(&digits, 2).ok();
    value.filter(|_| way == Direction::Backward && digits.len() > 1)
}
