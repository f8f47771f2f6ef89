//! The CPU's PMUs, one for each kind of core, as the kernel lists them.
//!
//! Correct means: an event is opened on the PMU that counts on the CPU at hand. Where there are two kinds of
//! cores, one that names no PMU opens on that of the performance cores, and never runs on the others
//! (`PERF_PMU_TYPE_SHIFT` of linux/perf_event.h).

use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel lists them.
pub const DEVICES: &str = "/sys/bus/event_source/devices";
/// The names that they have: of a CPU with one kind of core, and of each kind. The first of two has the
/// performance cores.
const NAMES: [&str; 4] = ["cpu", "cpu_core", "cpu_atom", "cpu_lowpower"];

/// The PMU of a kind of core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorePmu {
    /// `cpu`, or `cpu_core` and the like.
    pub name: String,
    /// What the kernel knows it by.
    pub kind: u32,
    /// The CPUs that it counts on, where the kernel says; else all.
    pub cpus: Option<Vec<u32>>,
}

impl CorePmu {
    fn has(&self, cpu: u32) -> bool {
        self.cpus.as_ref().is_none_or(|cpus| cpus.contains(&cpu))
    }
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorePmus {
    root: PathBuf,
    all: Vec<CorePmu>,
}

impl CorePmus {
    /// Those of this machine.
    pub fn inspect() -> CorePmus {
        CorePmus::below(Path::new(DEVICES))
    }

    /// Those of a folder that is laid out as the kernel's.
    pub fn below(root: &Path) -> CorePmus {
        let read = |name: &&str| {
            let file = |file: &str| fs::read_to_string(root.join(name).join(file)).ok();
            Some(CorePmu {
                name: name.to_string(),
                kind: file("type")?.trim().parse().ok()?,
                cpus: file("cpus").map(|text| cpus(&text)),
            })
        };
        CorePmus {
            root: root.to_path_buf(),
            all: NAMES.iter().filter_map(read).collect(),
        }
    }

    /// Whether the kernel knows of any.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether there is one of a name.
    pub fn has(&self, name: &str) -> bool {
        self.all.iter().any(|pmu| pmu.name == name)
    }

    /// Whether cores differ in theirs.
    pub fn is_hybrid(&self) -> bool {
        self.all.len() > 1
    }

    /// The one that counts on a CPU; the first one where nobody says which CPU.
    pub fn of(&self, cpu: Option<u32>) -> Option<&CorePmu> {
        let mut all = self.all.iter();
        all.find(|pmu| cpu.is_none_or(|cpu| pmu.has(cpu)))
    }

    /// The CPU to measure on where nobody names one: that at hand, but for a performance core where that is none
    /// and one of those may be used.
    pub fn preferred(&self, at_hand: u32, may_use: impl Fn(u32) -> bool) -> u32 {
        let cpus = self.all.first().and_then(|first| first.cpus.as_ref());
        let Some(cpus) = cpus.filter(|cpus| self.is_hybrid() && !cpus.contains(&at_hand)) else {
            return at_hand;
        };
        cpus.iter()
            .copied()
            .find(|cpu| may_use(*cpu))
            .unwrap_or(at_hand)
    }

    /// A file of a PMU's folder, as it stands there.
    pub fn file(&self, pmu: &CorePmu, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.root.join(&pmu.name).join(name)).ok()?;
        Some(text.trim().to_string())
    }
}

/// The CPUs of a list such as `0-3,8`.
fn cpus(list: &str) -> Vec<u32> {
    let span = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        Some(first..=last)
    };
    let parts = list.trim().split(',').filter_map(|part| span(part.trim()));
    parts.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder as the kernel's, with these files.
    fn devices(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("dispatchlab-{name}-{}", std::process::id()));
        for (file, text) in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("writes");
        }
        root
    }

    #[test]
    fn an_event_is_for_the_pmu_of_its_cpu() {
        let root = devices(
            "hybrid",
            &[
                ("cpu_core/type", "4\n"),
                ("cpu_core/cpus", "0-3,8\n"),
                ("cpu_atom/type", "10\n"),
                ("cpu_atom/cpus", "4-7\n"),
            ],
        );
        let cores = CorePmus::below(&root);
        let kind = |cpu| cores.of(cpu).map(|pmu| pmu.kind);
        assert_eq!(
            [kind(Some(3)), kind(Some(4)), kind(Some(8)), kind(None)],
            [Some(4), Some(10), Some(4), Some(4)]
        );
        assert_eq!(kind(Some(9)), None);
        assert!(cores.is_hybrid());
        fs::remove_dir_all(root).expect("removes");
    }

    #[test]
    fn a_performance_core_is_preferred_where_one_may_be_used() {
        let root = devices(
            "preferred",
            &[
                ("cpu_core/type", "4\n"),
                ("cpu_core/cpus", "2-3\n"),
                ("cpu_atom/type", "10\n"),
                ("cpu_atom/cpus", "0-1\n"),
            ],
        );
        let cores = CorePmus::below(&root);
        assert_eq!(cores.preferred(3, |_| true), 3);
        assert_eq!(cores.preferred(0, |_| true), 2);
        assert_eq!(cores.preferred(0, |cpu| cpu == 3), 3);
        assert_eq!(cores.preferred(0, |cpu| cpu < 2), 0);
        fs::remove_dir_all(root).expect("removes");
    }

    #[test]
    fn one_kind_of_core_has_one_pmu_for_all_cpus() {
        let root = devices("alike", &[("cpu/type", "4\n")]);
        let cores = CorePmus::below(&root);
        assert_eq!(cores.of(Some(77)).map(|pmu| &pmu.name[..]), Some("cpu"));
        assert!(!cores.is_hybrid() && cores.preferred(5, |_| true) == 5);
        fs::remove_dir_all(root).expect("removes");
        assert!(CorePmus::below(Path::new("/nowhere")).is_empty());
    }
}
