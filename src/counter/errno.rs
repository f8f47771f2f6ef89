//! What the kernel means when it refuses a counter.
//!
//! Correct means: each errno that `perf_event_open` gives has a sentence and a next step of its own,
//! with the facts of this machine in it, and docs/counters.md lists the same.

use std::fs;
use std::io;

use perf_event::events::Event as KernelEvent;
use raw_cpuid::{CpuId, CpuIdReaderNative};

use crate::job::Unavailable;
use crate::job::catalogue::Asked;
use crate::sys::cores::CorePmus;

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
    /// Which one, where CPUID names it and it is one with a setting of its own.
    pub hypervisor: Option<Hypervisor>,
    /// Whether the kernel has a PMU of the CPU.
    pub has_pmu: bool,
    /// Whether the process runs with a filter of system calls that somebody else installed.
    pub is_filtered: bool,
    /// Whether the process has a right that no level takes away.
    pub is_privileged: bool,
    /// Whether the kernel's NMI watchdog holds a counter.
    pub has_watchdog: bool,
    /// Whether what was refused counts in the kernel too, which fewer may.
    pub counts_kernel: bool,
    /// Whether it is a code of the CPU's own that was asked for as such.
    pub is_raw: bool,
    /// Whether it is no counter, but one of the CPU's breakpoints.
    pub is_breakpoint: bool,
    /// Whether it was refused as a member of a group only.
    pub is_member: bool,
}

/// A hypervisor whose own setting gives its guests counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hypervisor {
    /// KVM, and what is made of it.
    Kvm,
    /// VMware's.
    VMware,
    /// Xen, where it tells its guests of itself.
    Xen,
    /// Microsoft's, with a machine of its own.
    HyperV,
    /// Microsoft's, with the machine of the Windows Subsystem for Linux.
    Wsl,
}

impl Hypervisor {
    /// What gives its guests counters, by its documents: none of it was tried here.
    fn setting(self) -> &'static str {
        match self {
            Hypervisor::Kvm => {
                "under KVM usually `-cpu host,pmu=on`, in libvirt `<pmu state='on'/>`; on AWS the 7th generation in all \
                 sizes, older ones from a whole socket; hosted CI runners and Firecracker have none"
            }
            Hypervisor::VMware => "under VMware usually `vpmc.enable = \"TRUE\"`",
            Hypervisor::Xen => {
                "under Xen usually `vpmu=on` on the hypervisor's own command line, and a reboot of the host"
            }
            Hypervisor::HyperV => {
                "under Hyper-V usually `Set-VMProcessor -Perfmon @(\"pmu\")` while the machine is off"
            }
            Hypervisor::Wsl => {
                "under WSL2 usually `hardwarePerformanceCounters=true` in .wslconfig, from version 0.50.2 on"
            }
        }
    }
}

impl Surroundings {
    /// Asks the kernel and the CPU.
    pub fn inspect() -> Surroundings {
        let read = |path: &str| {
            fs::read_to_string(path)
                .ok()
                .map(|text| text.trim().to_string())
        };
        let cpuid = CpuId::with_cpuid_reader(CpuIdReaderNative);
        let is_wsl = read("/proc/sys/kernel/osrelease")
            .is_some_and(|release| release.to_lowercase().contains("microsoft"));
        let named = cpuid.get_hypervisor_info().map(|found| found.identify());
        let status = read("/proc/self/status").unwrap_or_default();
        let filter = status
            .lines()
            .find_map(|line| line.strip_prefix("Seccomp:"));
        Surroundings {
            paranoid: read("/proc/sys/kernel/perf_event_paranoid"),
            has_hypervisor: cpuid
                .get_feature_info()
                .is_some_and(|feature| feature.has_hypervisor()),
            hypervisor: match named {
                Some(raw_cpuid::Hypervisor::KVM) => Some(Hypervisor::Kvm),
                Some(raw_cpuid::Hypervisor::Xen) => Some(Hypervisor::Xen),
                Some(raw_cpuid::Hypervisor::VMware) => Some(Hypervisor::VMware),
                Some(raw_cpuid::Hypervisor::HyperV) if is_wsl => Some(Hypervisor::Wsl),
                Some(raw_cpuid::Hypervisor::HyperV) => Some(Hypervisor::HyperV),
                _ => None,
            },
            has_pmu: !CorePmus::inspect().is_empty(),
            is_filtered: filter.is_some_and(|mode| mode.trim() == "2"),
            is_privileged: is_privileged(&status),
            has_watchdog: read("/proc/sys/kernel/nmi_watchdog").as_deref() == Some("1"),
            counts_kernel: false,
            is_raw: false,
            is_breakpoint: false,
            is_member: false,
        }
    }

    /// The same where this is asked.
    pub fn asking(&self, asked: &Asked) -> Surroundings {
        Surroundings {
            counts_kernel: matches!(asked, Asked::WithKernel(_)),
            is_raw: matches!(asked, Asked::Raw(_)),
            is_breakpoint: matches!(asked, Asked::Event(KernelEvent::Breakpoint(_))),
            ..self.clone()
        }
    }

    /// The same of what opens by itself.
    pub fn in_a_group(&self) -> Surroundings {
        Surroundings {
            is_member: true,
            ..self.clone()
        }
    }
}

/// Why the kernel refused, and what to do about it.
pub fn explain(error: &io::Error, surroundings: &Surroundings) -> Unavailable {
    let other_code = match surroundings.is_raw {
        true => "leave it out, or take another code of this CPU's manual",
        false => "a raw code of the CPU's manual may have it: -e rNNNN",
    };
    let errno = error.raw_os_error().unwrap_or(0);
    let Some((_, name)) = ERRNOS.iter().find(|(number, _)| *number == errno) else {
        return Unavailable {
            reason: format!("perf_event_open says {error}"),
            remedy: "see `man perf_event_open`".into(),
        };
    };
    let (cause, remedy) = match errno {
        libc::ENOSPC | libc::EINVAL if surroundings.is_member => (
            "the CPU has no counter for it beside the others",
            "end what else counts".into(),
        ),
        libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::EOPNOTSUPP | libc::EINVAL
            if surroundings.is_breakpoint =>
        {
            (
                "the kernel gives no breakpoints here",
                "run it on another kernel; no number needs them".into(),
            )
        }
        libc::ENOENT | libc::ENODEV | libc::ENXIO if surroundings.has_pmu => {
            ("this CPU has no such event", other_code.into())
        }
        libc::ENOENT | libc::ENODEV | libc::ENXIO => ("no PMU", no_pmu(surroundings)),
        libc::EOPNOTSUPP if surroundings.has_hypervisor => (
            "the PMU refuses the event",
            "the hypervisor claims counters that it does not have; ask for a host that has them"
                .into(),
        ),
        libc::EOPNOTSUPP => (
            "the PMU refuses the event",
            "a virtual machine on this one may have the counters to itself: end it".into(),
        ),
        libc::EACCES | libc::EPERM => ("not allowed", not_allowed(surroundings)),
        libc::EINVAL if surroundings.has_pmu => (
            "this CPU has no such event, or this kernel does not know it",
            other_code.into(),
        ),
        libc::EINVAL => (
            "this kernel does not know the event",
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
        libc::ENOSPC if surroundings.is_breakpoint => (
            "more breakpoints at once than the CPU has registers for",
            "end the debugger that has some of the four".into(),
        ),
        libc::ENOSPC => (
            "no counter is left for it",
            "end what else counts, such as a profiler".into(),
        ),
        _ => ("the thread to watch is gone", "run it again".into()),
    };
    Unavailable {
        reason: format!("{cause}: perf_event_open says {name}"),
        remedy,
    }
}

/// Why counters that opened never ran on a CPU, and what to do about it.
pub fn never_ran(surroundings: &Surroundings, cores: &CorePmus, cpu: Option<u32>) -> Unavailable {
    if let (Some(cpu), None, false) = (cpu, cores.of(cpu), cores.is_empty()) {
        return Unavailable {
            reason: format!("the counters never ran: no PMU of the kernel's counts on CPU {cpu}"),
            remedy: "take another one with --cpu, or --counters clock".into(),
        };
    }
    let watchdog = match surroundings.has_watchdog {
        true => ", free the one of the kernel's watchdog (`sysctl kernel.nmi_watchdog=0`)",
        false => "",
    };
    Unavailable {
        reason: "the counters opened and never ran: something else has them, or a host gives none"
            .into(),
        remedy: format!(
            "end what else counts, such as a profiler{watchdog}, or take --counters clock"
        ),
    }
}

/// Whether CAP_SYS_ADMIN or CAP_PERFMON is among the rights of a process, by its `/proc/PID/status`.
fn is_privileged(status: &str) -> bool {
    const RIGHTS: u64 = 1 << 21 | 1 << 38;
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let rights = rights.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok());
    rights.is_some_and(|rights| rights & RIGHTS != 0)
}

fn no_pmu(surroundings: &Surroundings) -> String {
    match (surroundings.has_hypervisor, surroundings.hypervisor) {
        (true, Some(hypervisor)) => format!(
            "the hypervisor bit is set: a virtual machine has the counters that its host gives it, {}",
            hypervisor.setting()
        ),
        (true, None) => {
            "the hypervisor bit is set: a virtual machine has the counters that its host gives it, and here no \
             setting inside the guest helps"
                .into()
        }
        (false, _) => {
            "the hypervisor bit is not set: see what `dmesg` says of perf, and whether the firmware has counters switched off"
                .into()
        }
    }
}

fn not_allowed(surroundings: &Surroundings) -> String {
    // What happens in the kernel is shown to fewer than what happens in user mode.
    let level = if surroundings.counts_kernel { 1 } else { 2 };
    let paranoid = surroundings.paranoid.as_deref();
    let is_too_high =
        paranoid.is_none_or(|value| value.parse::<i32>().is_ok_and(|value| value > level));
    if is_too_high && !surroundings.is_privileged {
        let now = match paranoid {
            Some(value) => format!("kernel.perf_event_paranoid is {value}"),
            None => "kernel.perf_event_paranoid cannot be read".into(),
        };
        return format!(
            "{now}: run `sysctl kernel.perf_event_paranoid={level}` as root, or give the program the right with \
             `setcap cap_perfmon+ep`, or run it as root"
        );
    }
    if surroundings.is_filtered {
        "a filter of system calls is on (Seccomp: 2 in /proc/self/status): run docker and podman with `--cap-add \
         PERFMON`, or with a profile that passes perf_event_open; systemd has `SystemCallFilter`"
    } else {
        "what the kernel's own setting allows, a security module forbids: SELinux has the class `perf_event` for it"
    }
    .into()
}

#[cfg(test)]
mod tests {
    use perf_event::events::{Breakpoint, Software};

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
        // What is no counter has nothing to do with a PMU.
        let code = Breakpoint::Code { addr: 0x1000 };
        let breakpoint = guest.asking(&Asked::Event(KernelEvent::Breakpoint(code)));
        for errno in [libc::ENOENT, libc::EOPNOTSUPP, libc::EINVAL] {
            let said = said(errno, &breakpoint);
            assert!(said.reason.contains("no breakpoints here"), "{said}");
            assert!(!said.to_string().contains("PMU"), "{said}");
        }
        // Nobody is told of breakpoints who asked for none.
        let reason = |here| said(libc::ENOSPC, here).reason;
        assert!(reason(&breakpoint).contains("more breakpoints"));
        assert!(reason(&guest).contains("no counter is left"));
        assert!(
            said(libc::ENOENT, &guest)
                .remedy
                .contains("no setting inside")
        );
        for hypervisor in [
            Hypervisor::Kvm,
            Hypervisor::VMware,
            Hypervisor::Xen,
            Hypervisor::HyperV,
            Hypervisor::Wsl,
        ] {
            let guest = Surroundings {
                hypervisor: Some(hypervisor),
                ..guest.clone()
            };
            let remedy = said(libc::ENOENT, &guest).remedy;
            assert!(
                remedy.contains(hypervisor.setting()) && !remedy.contains("no setting"),
                "{remedy}"
            );
        }
        assert!(said(libc::ENOENT, &metal).remedy.contains("bit is not set"));
    }

    #[test]
    fn nothing_is_advised_that_is_so_already() {
        #[rustfmt::skip] // a table: paranoid, the kernel's own events, root, filter, and what is said
        let table = [
            (Some("2"), false, false, false, "security module"),
            (Some("2"), false, false, true,  "--cap-add"),
            (Some("3"), false, false, true,  "sysctl kernel.perf_event_paranoid=2"),
            (Some("4"), false, false, false, "setcap cap_perfmon+ep"),
            (Some("4"), false, true,  false, "security module"),
            (Some("4"), false, true,  true,  "Seccomp: 2"),
            (Some("2"), true,  false, false, "sysctl kernel.perf_event_paranoid=1"),
            (Some("1"), true,  false, true,  "podman"),
            (None,      false, false, false, "cannot be read"),
        ];
        for (paranoid, counts_kernel, is_privileged, is_filtered, words) in table {
            let here = Surroundings {
                paranoid: paranoid.map(String::from),
                counts_kernel,
                is_privileged,
                is_filtered,
                ..Surroundings::default()
            };
            let remedy = said(libc::EPERM, &here).remedy;
            assert!(remedy.contains(words), "{here:?}: {remedy}");
            assert!(
                words.contains("sysctl")
                    || is_privileged
                    || !remedy.contains("sysctl")
                    || paranoid != Some("2")
            );
        }
    }

    #[test]
    fn a_right_of_its_own_is_above_any_level() {
        let status = |rights: &str| format!("Name:\tx\nCapEff:\t{rights}\n");
        for (rights, is_enough) in [
            ("0000000000000000", false),
            ("0000004000000000", true),
            ("0000000000200000", true),
            ("0000000000100000", false),
        ] {
            assert_eq!(is_privileged(&status(rights)), is_enough, "{rights}");
        }
        assert!(!is_privileged(""));
    }

    #[test]
    fn an_event_that_a_sound_pmu_lacks_is_no_verdict_on_the_machine() {
        let here = Surroundings {
            has_pmu: true,
            has_hypervisor: true,
            ..Surroundings::default()
        };
        for errno in [libc::ENOENT, libc::ENXIO, libc::ENODEV, libc::EINVAL] {
            let why = said(errno, &here);
            assert!(
                why.reason.starts_with("this CPU has no such event"),
                "{why}"
            );
            assert!(why.remedy.contains("raw code"), "{why}");
            let code = said(errno, &here.asking(&Asked::Raw(0x123.into())));
            assert!(
                code.reason == why.reason && !code.remedy.contains("-e rNNNN"),
                "{code}"
            );
        }
        let why = said(libc::EINVAL, &here.in_a_group());
        assert!(
            why.reason.contains("no counter for it beside the others"),
            "{why}"
        );
    }

    #[test]
    fn counters_that_never_ran_have_the_watchdog_named_only_where_it_is_on() {
        let cores = CorePmus::default();
        let here = |has_watchdog| Surroundings {
            has_watchdog,
            ..Surroundings::default()
        };
        assert!(
            never_ran(&here(true), &cores, Some(0))
                .remedy
                .contains("nmi_watchdog=0")
        );
        assert!(
            !never_ran(&here(false), &cores, Some(0))
                .remedy
                .contains("watchdog")
        );
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
