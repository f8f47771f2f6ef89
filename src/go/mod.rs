//! A model of Go's runtime data: types, itabs, interfaces, objects and g, as bytes with pointers.
//!
//! Correct means: every field stands at the offset that the named Go release gives it, and holds
//! what that release would put there as far as generated code reads it.

pub mod dump;
pub mod hash;
pub mod heap;
pub mod itab_table;
mod kind;
pub mod layout;
pub mod modelled;
pub mod object;
pub mod panic_words;
pub mod picture;
pub mod release;
pub mod runs;
pub mod runtime;
pub mod switch;
pub mod symbol;
mod type_data;
pub mod types;

pub use heap::{Heap, HeapSpec, Interface, MAX_OBJECTS, lay_out};
pub use kind::HeapKind;
pub use object::ObjectShape;
pub use release::Release;
