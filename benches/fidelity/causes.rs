//! Why a row has other instructions, or takes another time, than what a Go compiler makes of Go.

use super::agreement::Row;

/// Why a row's instructions are others.
pub(crate) fn of_instructions(_row: &Row) -> Option<&'static str> {
    None
}
