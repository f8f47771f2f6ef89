//! Text to machine code at run time.
//!
//! Correct means: the bytes are one encoding of exactly the instruction that was written, the
//! shortest there is, ties in the order of iced's code table; anything else is a Diagnostic.
//!
//! ```text
//! line ─ lexer, expression, operand, intel ─▶ Statement (inst)
//!                     Statement ─ forms, fit, encode, emit ─▶ Choice
//!                                 Choice ─ layout, assemble ─▶ Section
//! ```
//!
//! Only the first row knows a syntax.

mod assemble;
mod emit;
mod encode;
mod expression;
mod fit;
mod forms;
#[cfg(test)]
mod generate;
mod insert;
mod inst;
mod intel;
mod layout;
mod lexer;
mod listing;
mod names;
mod operand;
mod plan;
mod problem;
pub mod program;
mod refuse;
mod relax;
mod source;
mod table;

pub use assemble::{Context, assemble, assemble_and_insert, fragment, fragment_in};
pub use insert::{Edit, Exchange, Insertion};
pub use listing::{ListedInst, disassemble};
pub use program::{
    Fixup, FixupKind, Label, LineMark, MAX_DATA, Program, Repeat, Section, SectionKind, Stretch,
};
pub use source::{SourceLine, SourceSection};
