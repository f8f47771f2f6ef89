//! Text to machine code at run time.
//!
//! Correct means: the bytes are one encoding of exactly the instruction that was written, the
//! shortest there is, ties in the order of iced's code table; anything else is a Diagnostic.
//!
//! ```text
//! line ─ read ─▶ Statement (inst)
//!                Statement ─ encode ─▶ Choice, an item (items)
//!                            Choice ─ lay, assemble ─▶ Section
//! ```
//!
//! Only `read` knows a syntax: `intel`, `att` and `go` are parsers side by side, and give the same
//! statements.

mod assemble;
mod bits;
mod encode;
mod hidden;
mod insert;
mod inst;
mod items;
mod join;
mod known;
mod lay;
mod listing;
mod print;
mod problem;
pub mod program;
mod read;
mod registers;
mod source;

pub use assemble::{
    Reading, assemble, assemble_and_insert, fragment, fragment_in, is_go, of_other_bits, sources,
};
pub use hidden::hidden;
pub use insert::{Edit, Exchange, Insertion};
pub use items::Context;
pub use listing::{ListedInst, Lister, disassemble, disassemble_in, disassemble_section};
pub use print::{Origin, go_data, go_listing};
pub use program::{
    CodePlace, Fixup, FixupKind, Label, LineMark, MAX_DATA, Program, Repeat, Section, SectionKind,
    Stretch, Table,
};
pub use read::go::data::{is_jump_table, unshown};
pub use read::go::marks::keeps_order_of as keeps_order;
pub use read::go::names::is_jump as is_go_jump;
pub use read::go::rows::runs_off;
pub use read::go::sections::split_go;
pub use read::go::symbol::{go_string, go_symbol, go_type};
pub use source::{SourceLine, SourceSection, Syntax};
