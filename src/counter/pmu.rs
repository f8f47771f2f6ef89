//! The hardware counters: are there any, and if not, why?
//!
//! Correct means: each event is opened by itself, because opening a group tells nothing (its
//! leader is a software event and opens anywhere), and each errno has its own sentence.

use std::io;

use perf_event::Builder;
use perf_event::events::Hardware;

use super::Unavailable;

/// The events a report has columns for.
#[rustfmt::skip] // a table: one event a line
const EVENTS: [(&str, Hardware); 4] = [
    ("cycles",        Hardware::CPU_CYCLES),
    ("instructions",  Hardware::INSTRUCTIONS),
    ("branches",      Hardware::BRANCH_INSTRUCTIONS),
    ("branch_misses", Hardware::BRANCH_MISSES),
];

/// Opens each event by itself, for this thread, user mode only. `Ok` where it counts.
pub fn probe() -> Vec<(&'static str, Result<(), Unavailable>)> {
    EVENTS
        .into_iter()
        .map(|(name, event)| {
            let opened = Builder::new().kind(event).build();
            (name, opened.map(drop).map_err(|error| explain(&error)))
        })
        .collect()
}

/// Why the kernel refused, and what to do about it.
pub fn explain(error: &io::Error) -> Unavailable {
    let unavailable = |reason: &str, remedy: &str| Unavailable {
        reason: reason.to_string(),
        remedy: remedy.to_string(),
    };
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => unavailable(
            "no PMU: perf_event_open says ENOENT",
            "a virtual machine needs a host that exposes a vPMU; no setting inside the guest helps",
        ),
        Some(libc::EOPNOTSUPP) => unavailable(
            "the PMU refuses the event: perf_event_open says EOPNOTSUPP",
            "the hypervisor claims counters that it does not have",
        ),
        Some(libc::EACCES | libc::EPERM) => unavailable(
            "not allowed: perf_event_open says EACCES",
            "run `sysctl kernel.perf_event_paranoid=2`, or let the container's seccomp profile pass perf_event_open",
        ),
        Some(libc::EINVAL) => unavailable(
            "this kernel does not know the event: perf_event_open says EINVAL",
            "try a newer kernel",
        ),
        Some(libc::ENOSYS) => unavailable(
            "there is no perf_event_open here: ENOSYS",
            "run outside the sandbox that hides the call",
        ),
        Some(libc::EMFILE) => unavailable("too many open files: EMFILE", "raise `ulimit -n`"),
        _ => Unavailable {
            reason: format!("perf_event_open says {error}"),
            remedy: "see `man perf_event_open`".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errno_has_a_sentence_of_its_own() {
        let errnos = [
            libc::ENOENT,
            libc::EOPNOTSUPP,
            libc::EACCES,
            libc::EINVAL,
            libc::ENOSYS,
            libc::EMFILE,
        ];
        let mut reasons: Vec<String> = errnos
            .iter()
            .map(|errno| explain(&io::Error::from_raw_os_error(*errno)).reason)
            .collect();
        reasons.sort();
        reasons.dedup();
        assert_eq!(reasons.len(), errnos.len());
    }

    #[test]
    fn a_probe_answers_for_every_column() {
        let names: Vec<_> = probe().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["cycles", "instructions", "branches", "branch_misses"]
        );
    }
}
