//! Words for people: what is wrong with a text of theirs, lines that fit a width, colours, and the nearest name.
//!
//! Correct means: nothing here knows what the text is about.

pub mod content;
pub mod diagnostic;
pub mod json_words;
mod paint;
pub mod paths;
pub mod printable;
mod quote;
mod suggest;
pub(crate) mod wrap;

pub(crate) use paint::Paint;
pub use paint::Style;
pub use quote::{quoted, word};
pub use suggest::closest;
pub(crate) use wrap::{columns, folded, hanging, listed};
