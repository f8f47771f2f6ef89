//! What stands in for the terminal view in a build without it.

use super::Watch;
use crate::cmd::{Common, Stop};

/// Says how the view is added.
///
/// # Errors
/// Always.
pub(super) fn check() -> Result<(), Stop> {
    Err(Stop::Usage(
        "this build has no terminal view; `cargo build --release --features view` adds it, and `watch --plain` prints \
         lines instead"
            .into(),
    ))
}

pub(super) fn on_screen(_: &Common, _: Watch<'_>) -> Result<i32, Stop> {
    check().map(|()| 0)
}
