//! What stands in for `serve` in a build without it.

use super::{Common, Stop};

pub(super) fn serve(_: &Common, _: Option<u16>) -> Result<i32, Stop> {
    Err(Stop::Usage(
        "this build has no page; `cargo build --release --features web` adds it, and `watch --plain` follows a file \
         in any build"
            .into(),
    ))
}
