//! What Go data a loop's receivers are.
//!
//! Correct means: each kind says which register an iteration has it in.

use serde::{Deserialize, Serialize};

/// What the walk visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeapKind {
    /// Nothing: the harness writes no register between iterations.
    None,
    /// `rax` = pointer to an object.
    Pointer,
    /// `rax` = itab, `rbx` = pointer to an object.
    Iface,
    /// `rax` = type, `rbx` = pointer to an object.
    Eface,
    /// `rax` = pointer to a func value: code pointer at 0, id at 8.
    Func,
}
