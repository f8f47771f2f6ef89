//! Lines to statements, one parser a dialect.
//!
//! Correct means: a statement says what its line says, and nothing of how that was written.

pub(in crate::asm) mod expression;
pub(in crate::asm) mod intel;
pub(in crate::asm) mod lexer;
mod operand;
