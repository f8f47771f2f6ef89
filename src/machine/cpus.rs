//! The CPUs as the kernel describes them: who shares a core, what sets the frequency, who is idle.
//!
//! Correct means: what the kernel does not say is unknown, with the reason, a CPU is called idle
//! only if it was so while the run lasted, and two processes that claim a core have one each where there are two.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu};
use nix::unistd::Pid;

/// Where the kernel describes its CPUs.
const ROOT: &str = "/sys/devices/system/cpu";
/// The share of its time that an idle CPU does nothing.
const IDLE: f64 = 0.9;

/// Something about the CPU that bears on noise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What the kernel says; an error is why that is unknown.
    pub value: Result<String, String>,
    /// What would be quietest.
    pub best: &'static str,
    /// What to do where it is not so.
    pub remedy: &'static str,
}

/// The facts about the CPU that a worker was pinned to.
pub fn facts(cpu: Option<u32>) -> Vec<Fact> {
    facts_in(Path::new(ROOT), cpu)
}

fn facts_in(root: &Path, cpu: Option<u32>) -> Vec<Fact> {
    let Some(cpu) = cpu else {
        let why = "the worker is not pinned to a CPU";
        let unknown = |mut fact: Fact| {
            fact.value = Err(why.into());
            fact
        };
        return facts_in(root, Some(0)).into_iter().map(unknown).collect();
    };
    vec![
        Fact {
            name: "SMT sibling",
            value: siblings(root, cpu).map(|siblings| match siblings[..] {
                [] => "none".into(),
                _ => listed(&siblings),
            }),
            best: "none, or idle",
            remedy: "keep it idle, or turn SMT off: echo off > /sys/devices/system/cpu/smt/control",
        },
        Fact {
            name: "frequency governor",
            value: read(root, &format!("cpu{cpu}/cpufreq/scaling_governor")),
            best: "performance",
            remedy: "cpupower frequency-set -g performance",
        },
        Fact {
            name: "turbo",
            value: turbo(root),
            best: "off",
            remedy: "it changes the frequency with the load of other cores; ns follow, cycles do not",
        },
        Fact {
            name: "isolation",
            value: isolation(root, cpu),
            best: "isolcpus, nohz_full",
            remedy: "boot with isolcpus and nohz_full for one core, and measure there with --cpu",
        },
    ]
}

fn read(root: &Path, name: &str) -> Result<String, String> {
    let path = root.join(name);
    let text = fs::read_to_string(&path);
    let text = text.map_err(|_| format!("the kernel has no readable {}", path.display()))?;
    Ok(text.trim().to_string())
}

/// The other hardware threads of its core.
fn siblings(root: &Path, cpu: u32) -> Result<Vec<u32>, String> {
    let all = read(root, &format!("cpu{cpu}/topology/thread_siblings_list"))?;
    Ok(numbers(&all)
        .into_iter()
        .filter(|&one| one != cpu)
        .collect())
}

fn turbo(root: &Path) -> Result<String, String> {
    let word = |is_on: bool| String::from(if is_on { "on" } else { "off" });
    if let Ok(no_turbo) = read(root, "intel_pstate/no_turbo") {
        return Ok(word(no_turbo == "0"));
    }
    match read(root, "cpufreq/boost") {
        Ok(boost) => Ok(word(boost == "1")),
        Err(_) => Err("no frequency driver here: the firmware or the hypervisor sets it".into()),
    }
}

fn isolation(root: &Path, cpu: u32) -> Result<String, String> {
    let isolated = read(root, "isolated");
    let ticks = read(root, "nohz_full");
    if let (Err(why), Err(_)) = (&isolated, &ticks) {
        return Err(why.clone());
    }
    let has = |list: &Result<String, String>| {
        list.as_ref().is_ok_and(|list| numbers(list).contains(&cpu))
    };
    Ok(match (has(&isolated), has(&ticks)) {
        (true, true) => "isolcpus, nohz_full",
        (true, false) => "isolcpus",
        (false, true) => "nohz_full",
        (false, false) => "none",
    }
    .into())
}

/// A core that no other process of this program measures on, as long as this value lives.
#[derive(Debug)]
pub struct Claim {
    /// The CPU to measure on.
    pub cpu: u32,
    _held: UnixDatagram,
}

/// Claims the core of one of these CPUs, the first that is free; `None` where others have them all, or nothing can
/// be claimed here.
///
/// # Errors
/// The first of the CPUs, where others have them all.
pub fn claim(cpus: &[u32]) -> Result<Option<Claim>, u32> {
    claim_as("dispatchlab", cpus)
}

/// A claim is the name of a socket that no file stands for: the kernel frees it however its process ends.
fn claim_as(name: &str, cpus: &[u32]) -> Result<Option<Claim>, u32> {
    for &cpu in cpus {
        let siblings = siblings(Path::new(ROOT), cpu).unwrap_or_default();
        let core = siblings.into_iter().fold(cpu, u32::min);
        let held = SocketAddr::from_abstract_name(format!("{name}-core-{core}"));
        match held.and_then(|address| UnixDatagram::bind_addr(&address)) {
            Ok(held) => return Ok(Some(Claim { cpu, _held: held })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(_) => return Ok(None),
        }
    }
    cpus.first().map_or(Ok(None), |first| Err(*first))
}

/// The CPUs that this process may use, the one that it runs on first.
pub fn usable() -> Vec<u32> {
    let now = sched_getcpu().unwrap_or(0);
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let mut cpus: Vec<usize> = (0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .collect();
    cpus.sort_by_key(|cpu| *cpu != now);
    cpus.into_iter().map(|cpu| cpu as u32).collect()
}

/// The numbers of a list as the kernel writes them: `0-3,8`.
fn numbers(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

fn listed(cpus: &[u32]) -> String {
    let words: Vec<String> = cpus.iter().map(|cpu| format!("CPU {cpu}")).collect();
    words.join(", ")
}

/// How long a CPU has been up and idle, in ticks of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    cpu: u32,
    all: u64,
    idle: u64,
}

/// What the CPUs do from one moment on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    start: Vec<Load>,
}

impl Watch {
    /// Begins now.
    pub fn begin() -> Watch {
        Watch {
            start: loads(&fs::read_to_string("/proc/stat").unwrap_or_default()),
        }
    }

    /// A CPU on another core that this process may use and that was idle since, isolated ones first.
    pub fn idle_cpu(&self, pinned: Option<u32>) -> Option<u32> {
        let root = Path::new(ROOT);
        let busy = pinned.map_or(Vec::new(), |cpu| siblings(root, cpu).unwrap_or_default());
        let now = loads(&fs::read_to_string("/proc/stat").unwrap_or_default());
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        let mut idle = self.idle(&now);
        idle.retain(|&cpu| Some(cpu) != pinned && !busy.contains(&cpu));
        idle.retain(|&cpu| allowed.is_set(cpu as usize).unwrap_or(false));
        let isolated = numbers(&read(root, "isolated").unwrap_or_default());
        let quietest = idle.iter().find(|cpu| isolated.contains(cpu));
        quietest.or(idle.first()).copied()
    }

    fn idle(&self, now: &[Load]) -> Vec<u32> {
        let was = |cpu: u32| self.start.iter().find(|load| load.cpu == cpu);
        let is_idle = |load: &&Load| {
            was(load.cpu).is_some_and(|was| {
                let all = load.all.saturating_sub(was.all);
                let idle = load.idle.saturating_sub(was.idle);
                all > 0 && idle as f64 >= IDLE * all as f64
            })
        };
        now.iter().filter(is_idle).map(|load| load.cpu).collect()
    }
}

/// The lines `cpuN user nice system idle iowait …` of proc_stat(5).
fn loads(stat: &str) -> Vec<Load> {
    let load = |line: &str| {
        let mut words = line.strip_prefix("cpu")?.split_ascii_whitespace();
        let cpu = words.next()?.parse().ok()?;
        let times: Vec<u64> = words.map_while(|word| word.parse().ok()).take(8).collect();
        let idle = times.get(3)? + times.get(4)?;
        let all = times.iter().sum();
        line.as_bytes()[3]
            .is_ascii_digit()
            .then_some(Load { cpu, all, idle })
    };
    stat.lines().filter_map(load).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_core_is_free_again_when_its_claim_is_gone() {
        let name = format!("dispatchlab-test-{}", std::process::id());
        // No machine has these, so each is a core of its own.
        let cpus = [70_001, 70_002];
        let claim = |cpus: &[u32]| claim_as(&name, cpus).map(|claim| claim.expect("sockets"));
        let first = claim(&cpus).expect("free");
        let second = claim(&cpus).expect("free");
        assert_eq!((first.cpu, second.cpu), (70_001, 70_002));
        assert_eq!(claim(&cpus).map(|claim| claim.cpu), Err(70_001));
        drop(first);
        assert_eq!(claim(&cpus).map(|claim| claim.cpu), Ok(70_001));
        assert!(matches!(claim_as(&name, &[]), Ok(None)));
    }

    fn machine(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("cpus-{}-{name}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
            fs::write(path, text).expect("writes");
        }
        root
    }

    fn values(root: &Path, cpu: u32) -> Vec<Result<String, String>> {
        let facts = facts_in(root, Some(cpu));
        facts.into_iter().map(|fact| fact.value).collect()
    }

    #[test]
    fn a_desktop_says_everything() {
        let root = machine(
            "desktop",
            &[
                ("cpu2/topology/thread_siblings_list", "2,10\n"),
                ("cpu2/cpufreq/scaling_governor", "powersave\n"),
                ("intel_pstate/no_turbo", "0\n"),
                ("isolated", "2-3\n"),
                ("nohz_full", "(null)\n"),
            ],
        );
        let said = ["CPU 10", "powersave", "on", "isolcpus"].map(|word| Ok(word.to_string()));
        assert_eq!(values(&root, 2), said);
        fs::remove_dir_all(root).expect("removes");
    }

    #[test]
    fn what_a_machine_does_not_say_is_unknown_with_the_reason() {
        let root = Path::new("/nowhere");
        assert!(
            values(root, 0)
                .iter()
                .all(|value| { value.as_ref().is_err_and(|why| !why.is_empty()) })
        );
        let unpinned = facts_in(root, None);
        assert!(
            unpinned[0]
                .value
                .as_ref()
                .is_err_and(|why| why.contains("not pinned"))
        );
    }

    #[test]
    fn lists_of_the_kernel_are_numbers() {
        assert_eq!(numbers("0-2,8,10-11\n"), [0, 1, 2, 8, 10, 11]);
        assert_eq!(numbers(""), [0u32; 0]);
        assert_eq!(numbers("(null)"), [0u32; 0]);
    }

    #[test]
    fn a_cpu_that_did_next_to_nothing_meanwhile_is_idle() {
        let stat = |busy: [u64; 2], idle: [u64; 2]| {
            format!(
                "cpu  1 1 1 1 1 0 0 0 0 0\ncpu0 {} 0 0 {} 0 0 0 0 0 0\ncpu1 {} 0 0 {} 0 0 0 0 0 0\nintr 9\n",
                busy[0], idle[0], busy[1], idle[1]
            )
        };
        let watch = Watch {
            start: loads(&stat([100, 5], [100, 5])),
        };
        assert_eq!(watch.idle(&loads(&stat([101, 55], [199, 55]))), [0]);
        assert_eq!(watch.idle(&watch.start.clone()), [0u32; 0]);
        // Nine tenths of the time, and a little less.
        assert_eq!(watch.idle(&loads(&stat([110, 16], [190, 94]))), [0]);
    }
}
