//! What a line can see of those around it while it is read.
//!
//! Correct means: a constant is the one of the last line that set it, and a distance of labels is the
//! one of the finished section or is asked for again.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::expression::as_binary;
use super::go::Function;
use super::prefix::Begun;
use crate::asm::inst::{Direction, Name, Target};
use crate::asm::problem::{Problem, Span};

/// What surrounds a line.
pub(in crate::asm) struct Around<'e, 'a> {
    /// The hash of a type.
    pub(in crate::asm) hash: &'e dyn Fn(&str) -> Result<u32, String>,
    /// Values of `.set` and `equ` so far.
    pub(in crate::asm) constants: HashMap<&'a str, i128>,
    /// The numeric labels so far.
    pub(in crate::asm) numeric: HashSet<u32>,
    /// Where labels stand, as far as is known.
    pub(in crate::asm) offsets: &'e Offsets<'a>,
    /// Where the line begins, as far as is known.
    pub(in crate::asm) here: i64,
    /// Whether a distance was asked for.
    pub(in crate::asm) is_asked: Cell<bool>,
    /// Prefixes that stand alone so far.
    pub(in crate::asm) begun: Begun,
    /// Whether the line ends in a comment that `#` begins.
    pub(in crate::asm) has_hash_comment: bool,
    /// Whether the text is NASM's, whose labels need no colon.
    pub(in crate::asm) is_nasm: bool,
    /// Whether it is of Microsoft's compiler.
    pub(in crate::asm) is_msvc: bool,
    /// What a line in Go's syntax has to know of its function.
    pub(in crate::asm) function: Function,
}

/// Where labels stand in a layout.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::asm) struct Offsets<'a> {
    /// Whether there was a layout before.
    pub(in crate::asm) is_known: bool,
    /// By name.
    pub(in crate::asm) labels: HashMap<&'a str, i64>,
    /// By line.
    pub(in crate::asm) lines: Vec<i64>,
}

impl<'e, 'a> Around<'e, 'a> {
    pub(in crate::asm) fn new(
        hash: &'e dyn Fn(&str) -> Result<u32, String>,
        offsets: &'e Offsets<'a>,
    ) -> Around<'e, 'a> {
        Around {
            hash,
            constants: HashMap::new(),
            numeric: HashSet::new(),
            offsets,
            here: 0,
            is_asked: Cell::new(false),
            begun: Begun::default(),
            has_hash_comment: false,
            is_nasm: false,
            is_msvc: false,
            function: Function::default(),
        }
    }

    /// The same, where these names are bound to others afterwards.
    pub(in crate::asm) fn binding(mut self, bound: &[String]) -> Self {
        let offset = |name: &String| {
            let digits = name.strip_prefix('@')?;
            let offset = match digits.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            Some((offset.ok()?, name.clone()))
        };
        self.function.bound = bound.iter().filter_map(offset).collect();
        self
    }

    /// Bytes from `from` to `to`.
    pub(in crate::asm) fn distance(
        &self,
        to: &Target<'_>,
        from: &Target<'_>,
        here: Span,
    ) -> Result<i128, Problem> {
        self.is_asked.set(true);
        if !self.offsets.is_known {
            return Ok(0);
        }
        let place = |target: &Target<'_>| match &target.name {
            Name::Here => Ok(self.here),
            Name::Start => Ok(0),
            Name::Label(name) | Name::Open(name) if self.offsets.labels.contains_key(name) => {
                Ok(self.offsets.labels[name])
            }
            _ => Err(Problem::new(
                here,
                "the distance of two addresses is a number only where both are labels of this text",
            )),
        };
        Ok(i128::from(place(to)?) - i128::from(place(from)?))
    }

    /// The value of digits with a `b` behind them, where they are a number.
    pub(in crate::asm) fn binary(&self, label: u32, way: Direction) -> Option<i128> {
        as_binary(label, way).filter(|_| !self.numeric.contains(&label))
    }
}
