//! Limits that the system sets this process, and what to say where one is too small.
//!
//! Correct means: a limit is lowered and never raised, and one that is too small is named with the number that
//! would do.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};

/// Open files that a run needs, those of its children included.
const FILES: u64 = 32;
/// KiB of addresses that a run of a few small rows needs.
const ADDRESSES_KIB: u64 = 512 << 10;
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
            let enough = running.map_or("two more than run now".into(), |count| {
                (count + 2).to_string()
            });
            format!("`ulimit -u` is {now} for all processes of this user; {enough} would do")
        }),
        Some(libc::EMFILE) => limit(Resource::RLIMIT_NOFILE, 1)
            .map(|now| format!("`ulimit -n` is {now}; {FILES} would do")),
        Some(libc::EFBIG) => limit(Resource::RLIMIT_FSIZE, 1024).map(|now| {
            format!("`ulimit -f` is {now} KiB; {FILE_KIB} would do, and exports need more")
        }),
        Some(libc::ENOMEM) => limit(Resource::RLIMIT_AS, 1024).map(|now| {
            format!("`ulimit -v` is {now} KiB; {ADDRESSES_KIB} would do for small rows")
        }),
        _ => None,
    };
    match named {
        Some(named) => format!("{what}: {named}"),
        None => format!("{what}: {error}"),
    }
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
}
