//! Lines to statements, one parser a dialect.
//!
//! Correct means: a statement says what its line says, and nothing of how that was written.

mod expression;
mod intel;
mod lexer;
mod operand;

pub(in crate::asm) use intel::parse;
pub(in crate::asm) use lexer::Placed;
