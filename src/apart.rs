//! Expansions in a process of their own, because one instruction of minijinja can take all memory
//! and hours: what it counts are instructions, not the work in them.
//!
//! Correct means: an expansion that ends is the same as in this process, and one that does not is a
//! diagnostic of its template while the other rows go on.

use std::time::Duration;

use crate::sys::apart::{Cut, Limits, run};
use crate::template::{CutOff, Rendered, Rendering};

/// Twice what 131,072 functions of ten lines take, or more; the time where nothing is optimised is longer.
const LIMITS: Limits = Limits {
    memory: 512 << 20,
    processor: Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 2 }),
    clock: Duration::from_secs(120),
};

/// What the rendering gives, or why it gave nothing.
///
/// # Errors
/// When it takes more than there is.
pub fn render(rendering: Rendering<'_>) -> Result<Rendered, CutOff> {
    let answer = run(&LIMITS, |note| {
        pack(rendering(&|line| note(u64::from(line))))
    });
    let cut = match answer {
        Ok(Ok(bytes)) => return unpack(bytes),
        Ok(Err(stopped)) => (stopped.noted as u32, sentence(stopped.cut)),
        Err(error) => (0, format!("there is no process to expand it in: {error}")),
    };
    Err(CutOff {
        line: cut.0,
        message: cut.1,
    })
}

fn sentence(cut: Cut) -> String {
    match cut {
        Cut::Memory => format!(
            "the expansion takes more than {} MiB of memory",
            LIMITS.memory >> 20
        ),
        Cut::Time => format!(
            "the expansion does not come to an end: it took more than {} s",
            LIMITS.processor.as_secs()
        ),
        Cut::Crash => "the expansion crashed".into(),
    }
}

/// The last byte says which of the two stands before it.
fn pack(rendered: Rendered) -> Vec<u8> {
    match rendered {
        Ok(text) => {
            let mut bytes = text.into_bytes();
            bytes.push(1);
            bytes
        }
        Err(diagnostic) => {
            let mut bytes = serde_json::to_vec(&diagnostic).unwrap_or_default();
            bytes.push(0);
            bytes
        }
    }
}

fn unpack(mut bytes: Vec<u8>) -> Result<Rendered, CutOff> {
    let damaged = |message: String| CutOff { line: 0, message };
    match bytes.pop() {
        Some(1) => String::from_utf8(bytes)
            .map(Ok)
            .map_err(|error| damaged(error.to_string())),
        _ => serde_json::from_slice(&bytes)
            .map(Err)
            .map_err(|error| damaged(error.to_string())),
    }
}
