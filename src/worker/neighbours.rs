//! What the kernel says about others that had this worker's CPU.
//!
//! Correct means: what cannot be read is unknown, and nothing is opened once the filter is on.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use nix::sys::resource::{UsageWho, getrusage};

/// How often this thread left its CPU, of itself or because another one wanted it.
pub(super) fn context_switches() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
    let switches = usage.voluntary_context_switches() + usage.involuntary_context_switches();
    u64::try_from(switches).ok()
}

/// Time that the hypervisor gave to others instead of one CPU, or of all.
#[derive(Debug)]
pub(super) struct StealMeter {
    stat: Option<File>,
    /// How the CPU's line begins.
    name: String,
    text: Vec<u8>,
}

impl StealMeter {
    /// Opens what will be read.
    pub(super) fn open(cpu: Option<u32>) -> StealMeter {
        const LARGEST: usize = 1 << 16;
        StealMeter {
            stat: File::open("/proc/stat").ok(),
            name: cpu.map_or("cpu".into(), |cpu| format!("cpu{cpu}")),
            text: vec![0; LARGEST],
        }
    }

    /// Milliseconds since the machine started.
    pub(super) fn ms(&mut self) -> Option<f64> {
        let length = self.stat.as_ref()?.read_at(&mut self.text, 0).ok()?;
        steal_ms(&self.text[..length], &self.name)
    }
}

/// The eighth number of the CPU's line, in units that are 1/100 s on x86 (proc_stat(5)).
fn steal_ms(stat: &[u8], name: &str) -> Option<f64> {
    const STEAL: usize = 8;
    const MS: f64 = 10.0;
    let mut lines = stat.split(|&byte| byte == b'\n');
    let words = |line: &[u8]| {
        Some(
            std::str::from_utf8(line)
                .ok()?
                .split_ascii_whitespace()
                .nth(STEAL)?
                .parse::<u64>()
                .ok()? as f64
                * MS,
        )
    };
    let is_ours = |line: &&[u8]| {
        line.strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&b' '))
    };
    lines.find(is_ours).and_then(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &[u8] = b"cpu  9 8 7 6 5 4 3 21 1 0\ncpu1 9 8 7 6 5 4 3 12 1 0\ncpu11 9 8 7 6 5 4 3 9 1 0\nintr 5\n";

    #[test]
    fn the_steal_of_one_cpu_is_not_anothers() {
        assert_eq!(steal_ms(STAT, "cpu1"), Some(120.0));
        assert_eq!(steal_ms(STAT, "cpu11"), Some(90.0));
        assert_eq!(steal_ms(STAT, "cpu"), Some(210.0));
    }

    #[test]
    fn what_the_kernel_does_not_say_is_unknown() {
        assert_eq!(steal_ms(STAT, "cpu2"), None);
        assert_eq!(steal_ms(b"cpu1 9 8 7\n", "cpu1"), None);
        assert_eq!(steal_ms(b"", "cpu"), None);
    }

    #[test]
    fn a_thread_that_sleeps_has_left_its_cpu() {
        let before = context_switches().expect("a count");
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(context_switches().expect("a count") > before);
    }
}
