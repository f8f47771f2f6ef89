//! Limits that the system sets this process, and what to say where one is too small.
//!
//! Correct means: a limit is lowered and never raised, and one that is too small is named with the number that
//! would do.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};

/// Open files that a run needs, those of its children included.
const FILES: u64 = 32;
/// KiB of addresses that a run of a few small rows needs.
const ADDRESSES_KIB: u64 = 512 << 10;
/// KiB of its own data that it needs.
const DATA_KIB: u64 = 64 << 10;
/// Bytes of data and of addresses that a process of this program allows itself.
pub const DATA_BYTES: u64 = 4 << 30;
/// KiB of the longest file that a run makes beside its exports.
const FILE_KIB: u64 = 4;

/// Bounds a resource: what is less already stays.
///
/// # Errors
/// What the kernel says.
pub fn lower(resource: Resource, most: rlim_t) -> io::Result<()> {
    let (soft, hard) = getrlimit(resource)?;
    Ok(setrlimit(resource, soft.min(most), hard.min(most))?)
}

/// The same of what this process alone is bound by, and not those that it starts.
///
/// # Errors
/// What the kernel says.
pub fn lower_soft(resource: Resource, most: rlim_t) -> io::Result<()> {
    let (soft, hard) = getrlimit(resource)?;
    Ok(setrlimit(resource, soft.min(most), hard)?)
}

/// Has `ulimit -t` be told in time: where its soft limit is the hard one, the kernel kills without a word.
pub fn hear_of_processor_time() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_CPU)
        && soft == hard
        && (2..RLIM_INFINITY).contains(&hard)
    {
        // Where that may not be, the end is as sudden as before.
        let _ = setrlimit(Resource::RLIMIT_CPU, hard - 1, hard);
    }
}

/// Why something that a process needs could not be had, with the limit to raise where one is too small.
pub fn refused(what: &str, error: &io::Error) -> String {
    let limit = |resource, unit: u64| {
        let known = getrlimit(resource).ok().map(|(soft, _)| soft);
        known
            .filter(|soft| *soft != RLIM_INFINITY)
            .map(|soft| soft / unit)
    };
    let named = match error.raw_os_error() {
        Some(libc::EAGAIN) => limit(Resource::RLIMIT_NPROC, 1).map(|now| {
            let running = threads_of_user();
            let enough = running.map_or("three more than run now".into(), |count| {
                (count + 3).to_string()
            });
            format!("`ulimit -u` is {now} for all processes of this user; {enough} would do")
        }),
        Some(libc::EMFILE) => limit(Resource::RLIMIT_NOFILE, 1)
            .map(|now| format!("`ulimit -n` is {now}; {FILES} would do")),
        Some(libc::EFBIG) => limit(Resource::RLIMIT_FSIZE, 1024).map(|now| {
            format!("`ulimit -f` is {now} KiB; {FILE_KIB} would do, and exports need more")
        }),
        Some(libc::ENOMEM) => memory().map(|limit| limit.to_string()),
        _ => None,
    };
    match named {
        Some(named) => format!("{what}: {named}"),
        None => format!("{what}: {error}"),
    }
}

/// A limit of memory that somebody has set below what this program allows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimit {
    option: &'static str,
    now_kib: u64,
    enough_kib: u64,
}

impl MemoryLimit {
    /// How much it allows.
    pub fn bytes(&self) -> u64 {
        self.now_kib << 10
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MemoryLimit {
            option,
            now_kib,
            enough_kib,
        } = self;
        write!(f, "`ulimit {option}` is {now_kib} KiB; ")?;
        match now_kib < enough_kib {
            true => write!(f, "{enough_kib} would do for small rows"),
            false => write!(f, "{} is the next to try", 2 * now_kib),
        }
    }
}

/// The one that is nearest to being too small. Asking for it allocates nothing.
pub fn memory() -> Option<MemoryLimit> {
    let all = [
        ("-d", Resource::RLIMIT_DATA, DATA_KIB),
        ("-v", Resource::RLIMIT_AS, ADDRESSES_KIB),
    ];
    let set = all
        .into_iter()
        .filter_map(|(option, resource, enough_kib)| {
            let (soft, _) = getrlimit(resource).ok()?;
            (soft < DATA_BYTES).then_some(MemoryLimit {
                option,
                now_kib: soft >> 10,
                enough_kib,
            })
        });
    set.min_by_key(|limit| limit.now_kib * DATA_KIB / limit.enough_kib)
}

/// Seconds of the processor that the kernel lets this process and those that it starts have (`ulimit -t`).
pub fn processor_seconds() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_CPU).ok()?;
    // One less is what `hear_of_processor_time` makes of it.
    let set = if hard.checked_sub(soft) == Some(1) {
        hard
    } else {
        soft
    };
    (set != RLIM_INFINITY).then_some(set)
}

/// Whether a process that was killed after so much time of the processor had used up all that its hard limit allows:
/// the kernel kills it then without a word.
pub fn is_used_up(processor: Duration) -> bool {
    /// The kernel holds the limit against the ticks that a process was met at, and tells its time by a clock: on a
    /// processor that others use as well the ticks come to more, to twice as much at the most as far as was seen.
    const TICKS: u32 = 2;
    let hard = getrlimit(Resource::RLIMIT_CPU).map(|(_, hard)| hard);
    hard.is_ok_and(|hard| hard != RLIM_INFINITY && TICKS * processor >= Duration::from_secs(hard))
}

/// How many processes the kernel has ended for want of memory since the machine started.
pub fn kills_for_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}

/// MiB that the memory cgroup of this process allows, where it bounds them.
pub fn memory_of_group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = limits_of_memory(&groups);
    let bytes = limits
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok());
    mib(&bytes?)
}

/// Where the limit of the process's memory cgroup stands, by its `/proc/self/cgroup` (cgroups(7)): of version 1,
/// of version 2, and as a container sees its own.
fn limits_of_memory(groups: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        match (fields.next(), fields.next()) {
            (Some("memory"), Some(path)) => {
                paths.push(format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"));
                paths.push("/sys/fs/cgroup/memory/memory.limit_in_bytes".into());
            }
            (Some(""), Some(path)) => {
                paths.push(format!("/sys/fs/cgroup{path}/memory.max"));
                paths.push("/sys/fs/cgroup/memory.max".into());
            }
            _ => {}
        }
    }
    paths
}

/// A limit in bytes; none where it says `max`, or as much as version 1 does.
fn mib(limit: &str) -> Option<u64> {
    const UNBOUNDED: u64 = 1 << 60;
    let bytes: u64 = limit.trim().parse().ok()?;
    (bytes < UNBOUNDED).then_some(bytes >> 20)
}

/// How many threads the kernel counts for the user of this process; `None` where it does not tell.
fn threads_of_user() -> Option<u64> {
    let own = std::fs::metadata("/proc/self").ok()?.uid();
    let mut count = 0;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        if entry.metadata().is_ok_and(|known| known.uid() == own) {
            let threads = std::fs::read_dir(entry.path().join("task"));
            count += threads.map_or(0, |threads| threads.count() as u64);
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_limit_of_this_process_is_told_as_the_kernel_says_it() {
        let error = io::Error::from_raw_os_error(libc::EPERM);
        assert_eq!(
            refused("no worker", &error),
            "no worker: Operation not permitted (os error 1)"
        );
        // Every process has this limit.
        let error = io::Error::from_raw_os_error(libc::EMFILE);
        let said = refused("no worker", &error);
        assert!(
            said.starts_with("no worker: `ulimit -n` is ") && said.ends_with("; 32 would do"),
            "{said}"
        );
    }

    #[test]
    fn the_limit_of_memory_is_found_in_both_kinds_of_groups() {
        let paths = limits_of_memory("5:cpu:/a\n4:memory:/a/b\n0::/\n");
        assert_eq!(paths[0], "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes");
        assert_eq!(
            limits_of_memory("0::/user.slice\n")[0],
            "/sys/fs/cgroup/user.slice/memory.max"
        );
        assert_eq!(limits_of_memory(""), Vec::<String>::new());
        let all = ["59998208\n", "max\n", "9223372036854771712", ""].map(mib);
        assert_eq!(all, [Some(57), None, None, None]);
    }
}
