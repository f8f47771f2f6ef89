//! What the kernel means when it refuses a counter.
//!
//! Correct means: each errno that `perf_event_open` gives has a sentence and a next step of its own,
//! with the facts of this machine in it, and docs/counters.md lists the same.

use std::fs;
use std::io;

use raw_cpuid::{CpuId, CpuIdReaderNative};

use crate::job::Unavailable;
use crate::job::catalogue::Asked;

/// The errnos with a sentence of their own, by name. The first four groups are one cause each.
#[rustfmt::skip] // a table: one errno a line
pub const ERRNOS: [(i32, &str); 12] = [
    (libc::ENOENT,     "ENOENT"),
    (libc::ENODEV,     "ENODEV"),
    (libc::ENXIO,      "ENXIO"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::EACCES,     "EACCES"),
    (libc::EPERM,      "EPERM"),
    (libc::EINVAL,     "EINVAL"),
    (libc::ENOSYS,     "ENOSYS"),
    (libc::EMFILE,     "EMFILE"),
    (libc::EBUSY,      "EBUSY"),
    (libc::ENOSPC,     "ENOSPC"),
    (libc::ESRCH,      "ESRCH"),
];

/// What the sentences say of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The value of `kernel.perf_event_paranoid`, where the kernel shows it.
    pub paranoid: Option<String>,
    /// Whether the CPU says that a hypervisor is there (CPUID leaf 1, ECX bit 31).
    pub has_hypervisor: bool,
    /// Whether what was refused counts in the kernel too, which fewer may.
    pub counts_kernel: bool,
}

impl Surroundings {
    /// Asks the kernel and the CPU.
    pub fn inspect() -> Surroundings {
        let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok();
        let cpuid = CpuId::with_cpuid_reader(CpuIdReaderNative);
        Surroundings {
            paranoid: paranoid.map(|text| text.trim().to_string()),
            has_hypervisor: cpuid
                .get_feature_info()
                .is_some_and(|feature| feature.has_hypervisor()),
            counts_kernel: false,
        }
    }

    /// The same where this is asked.
    pub fn asking(&self, asked: &Asked) -> Surroundings {
        Surroundings {
            counts_kernel: matches!(asked, Asked::WithKernel(_)),
            ..self.clone()
        }
    }
}

/// Why the kernel refused, and what to do about it.
pub fn explain(error: &io::Error, surroundings: &Surroundings) -> Unavailable {
    let errno = error.raw_os_error().unwrap_or(0);
    let Some((_, name)) = ERRNOS.iter().find(|(number, _)| *number == errno) else {
        return Unavailable {
            reason: format!("perf_event_open says {error}"),
            remedy: "see `man perf_event_open`".into(),
        };
    };
    let (cause, remedy) = match errno {
        libc::ENOENT | libc::ENODEV | libc::ENXIO => ("no PMU", no_pmu(surroundings)),
        libc::EOPNOTSUPP => (
            "the PMU refuses the event",
            "the hypervisor claims counters that it does not have; ask for a host that has them"
                .into(),
        ),
        libc::EACCES | libc::EPERM => ("not allowed", not_allowed(surroundings)),
        libc::EINVAL => (
            "this kernel does not know the event, or not in a group",
            "try a newer kernel".into(),
        ),
        libc::ENOSYS => (
            "there is no such system call here",
            "run outside the sandbox that hides it, on a kernel with CONFIG_PERF_EVENTS".into(),
        ),
        libc::EMFILE => ("too many open files", "raise `ulimit -n`".into()),
        libc::EBUSY => (
            "another user has the PMU to itself",
            "end the profiler that holds it, or wait for it".into(),
        ),
        libc::ENOSPC => (
            "more events at once than the CPU has counters for",
            "end what else counts; a breakpoint of a debugger takes one of four".into(),
        ),
        _ => ("the thread to watch is gone", "run it again".into()),
    };
    Unavailable {
        reason: format!("{cause}: perf_event_open says {name}"),
        remedy,
    }
}

fn no_pmu(surroundings: &Surroundings) -> String {
    if surroundings.has_hypervisor {
        "the hypervisor bit is set: a virtual machine needs a host that exposes a vPMU; no setting inside the guest helps"
    } else {
        "the hypervisor bit is not set: see what `dmesg` says of perf, and whether the firmware has counters switched off"
    }
    .into()
}

fn not_allowed(surroundings: &Surroundings) -> String {
    let now = match &surroundings.paranoid {
        Some(value) => format!("kernel.perf_event_paranoid is {value}"),
        None => "kernel.perf_event_paranoid cannot be read".into(),
    };
    // What happens in the kernel is shown to fewer than what happens in user mode.
    let level = if surroundings.counts_kernel { 1 } else { 2 };
    format!(
        "{now}: run `sysctl kernel.perf_event_paranoid={level}` as root; where it is {level} or less, let the container's seccomp profile pass perf_event_open"
    )
}

#[cfg(test)]
mod tests {
    use perf_event::events::Software;

    use super::*;

    fn said(errno: i32, surroundings: &Surroundings) -> Unavailable {
        explain(&io::Error::from_raw_os_error(errno), surroundings)
    }

    #[test]
    fn every_errno_has_a_sentence_of_its_own() {
        let here = Surroundings::default();
        let mut reasons: Vec<String> = ERRNOS
            .iter()
            .map(|(errno, name)| {
                let unavailable = said(*errno, &here);
                assert!(unavailable.reason.ends_with(name), "{unavailable}");
                assert!(!unavailable.remedy.is_empty());
                unavailable.reason
            })
            .collect();
        reasons.sort();
        reasons.dedup();
        assert_eq!(reasons.len(), ERRNOS.len());
    }

    #[test]
    fn causes_that_want_different_steps_have_different_remedies() {
        let here = Surroundings::default();
        let causes = [
            libc::ENOENT,
            libc::EOPNOTSUPP,
            libc::EACCES,
            libc::EINVAL,
            libc::ENOSYS,
            libc::EMFILE,
            libc::EBUSY,
            libc::ENOSPC,
            libc::ESRCH,
        ];
        let mut remedies: Vec<String> = causes
            .iter()
            .map(|errno| said(*errno, &here).remedy)
            .collect();
        remedies.sort();
        remedies.dedup();
        assert_eq!(remedies.len(), causes.len());
    }

    #[test]
    fn the_facts_of_the_machine_are_in_the_sentence() {
        let guest = Surroundings {
            paranoid: Some("4".into()),
            has_hypervisor: true,
            ..Surroundings::default()
        };
        let metal = Surroundings::default();
        assert!(
            said(libc::EACCES, &guest)
                .remedy
                .contains("perf_event_paranoid is 4")
        );
        assert!(said(libc::EACCES, &metal).remedy.contains("cannot be read"));
        let switches = guest.asking(&Asked::WithKernel(Software::CONTEXT_SWITCHES.into()));
        let remedy = said(libc::EACCES, &switches).remedy;
        assert!(remedy.contains("perf_event_paranoid=1"), "{remedy}");
        assert!(said(libc::ENOENT, &guest).remedy.contains("bit is set"));
        assert!(said(libc::ENOENT, &metal).remedy.contains("bit is not set"));
    }

    #[test]
    fn an_errno_without_a_sentence_is_told_in_the_kernels_words() {
        let unavailable = said(libc::E2BIG, &Surroundings::default());
        assert!(
            unavailable.reason.contains("Argument list too long"),
            "{unavailable}"
        );
    }
}
