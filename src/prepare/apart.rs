//! Expansions in a process of their own, because one instruction of minijinja can take all memory
//! and hours: what it counts are instructions, not the work in them.
//!
//! Correct means: an expansion that ends is the same as in this process, and one that does not is a
//! diagnostic of its template while the other rows go on.

use std::time::Duration;

use crate::scenario::{CutOff, Rendered, Rendering};
use crate::sys::apart::{Cut, Limits, run};

/// Twice what 131,072 functions of ten lines take, or more; the time where little is optimised is longer, and
/// shorter than the first of [`CLOCKS`], which would have all of it twice.
const LIMITS: Limits = Limits {
    memory: 1 << 30,
    processor: Duration::from_secs(if cfg!(debug_assertions) { 12 } else { 6 }),
    clock: CLOCKS[0],
};

/// What each try may take on the clock. One that only waits is made again: a lock that another thread
/// held when its process was made is held in it for good, where this one has other threads.
const CLOCKS: [Duration; 3] = [
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(120),
];

/// What the rendering gives, or why it gave nothing.
///
/// # Errors
/// When it takes more than there is.
pub fn render(rendering: Rendering<'_>) -> Result<Rendered, CutOff> {
    render_within(&CLOCKS, rendering)
}

fn render_within(clocks: &[Duration; 3], rendering: Rendering<'_>) -> Result<Rendered, CutOff> {
    let once = |clock: Duration| {
        let limits = Limits { clock, ..LIMITS };
        run(&limits, |note| {
            pack(rendering(&|line| note(u64::from(line))))
        })
    };
    let mut answer = once(clocks[0]);
    for clock in &clocks[1..] {
        if matches!(&answer, Ok(Err(stopped)) if stopped.cut == Cut::Clock) {
            answer = once(*clock);
        }
    }
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
        Cut::Clock => "the expansion does not come to an end: it stood still".into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expansion_that_only_waits_is_tried_again() {
        let seen = std::env::temp_dir().join(format!("dispatchlab-apart-{}", std::process::id()));
        let _ = std::fs::remove_file(&seen);
        let clocks = [200, 60_000, 60_000].map(Duration::from_millis);
        let waits_once = |_: &dyn Fn(u32)| -> Rendered {
            if std::fs::File::create_new(&seen).is_ok() {
                std::thread::sleep(Duration::from_secs(600));
            }
            Ok("body:".into())
        };
        let rendered = render_within(&clocks, &waits_once);
        std::fs::remove_file(&seen).expect("the first try made it");
        let text = rendered.ok().and_then(Result::ok);
        assert_eq!(text.as_deref(), Some("body:"));
        let clocks = [20, 20, 20].map(Duration::from_millis);
        let never = render_within(&clocks, &|_| {
            std::thread::sleep(Duration::from_secs(600));
            Ok(String::new())
        });
        let cut = never.expect_err("it never ends");
        assert!(cut.message.contains("stood still"), "{}", cut.message);
    }
}
