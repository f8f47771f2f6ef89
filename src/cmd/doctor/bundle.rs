//! `doctor --report`: what a maintainer needs of a machine that is elsewhere.
//!
//! Correct means: whatever decides whether its counters are believed is in the file, as the machine said it and not as it
//! was understood; and nothing that names the machine or who uses it is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use raw_cpuid::native_cpuid::cpuid_count;
use serde_json::{Value, json};

use crate::cmd::Stop;
use crate::counter::clock::Clock;
use crate::counter::pmu::{self, Pmu};
use crate::job::{EventState, PmuUse};
use crate::sys::cores::DEVICES;
use crate::sys::mapping::Window;

/// The leaves of CPUID that say what the CPU is, what it counts with, and what is around it.
const LEAVES: [u32; 11] = [
    0x0,
    0x1,
    0x6,
    0x7,
    0xa,
    0x1a,
    0x4000_0000,
    0x8000_0001,
    0x8000_0008,
    0x8000_0021,
    0x8000_0022,
];

/// Pairs of readings with nothing between them.
const EMPTY: usize = 501;
/// The same events by the program that everybody knows.
const PERF_STAT: [&str; 4] = [
    "stat",
    "-e",
    "cycles:u,instructions:u,branches:u,branch-misses:u",
    "true",
];

/// The whole file, with what `doctor`, the tour and one row with its samples print as JSON inside.
pub(super) fn bundle(
    cpu: Option<u32>,
    (found, tour, row): (&str, &str, &str),
) -> Result<String, Stop> {
    // Counters are of a thread, and so is the CPU that it keeps to.
    let counting = std::thread::spawn(move || count(cpu)).join();
    let counted =
        counting.map_err(|_| io::Error::other("the thread that counts has panicked"))??;
    let leaf = |leaf: u32| {
        let found = cpuid_count(leaf, 0);
        let registers = [found.eax, found.ebx, found.ecx, found.edx];
        (
            format!("{leaf:#x}"),
            json!(registers.map(|word| format!("{word:#010x}"))),
        )
    };
    let setting = |path: &str| {
        fs::read_to_string(path)
            .ok()
            .map(|text| text.trim().to_string())
    };
    let status = setting("/proc/self/status").unwrap_or_default();
    let own = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_string())
    };
    let document = json!({
        "bundle": 1,
        "tool": format!("dispatchlab {}", env!("CARGO_PKG_VERSION")),
        "cpu": cpu,
        "cpuid": LEAVES.map(leaf).into_iter().collect::<BTreeMap<_, _>>(),
        "kernel": setting("/proc/sys/kernel/osrelease"),
        "perf_event_paranoid": setting("/proc/sys/kernel/perf_event_paranoid"),
        "nmi_watchdog": setting("/proc/sys/kernel/nmi_watchdog"),
        "seccomp": own("Seccomp:"),
        "rights": own("CapEff:"),
        "devices": devices(Path::new(DEVICES)),
        "kernel_log": told("dmesg", &[], is_about_counters),
        "perf_stat": told("perf", &PERF_STAT, |line| !line.trim().is_empty()),
        "tour": serde_json::from_str::<Value>(tour).unwrap_or_default(),
        "row": serde_json::from_str::<Value>(row).unwrap_or_default(),
        "counted": counted,
        "doctor": serde_json::from_str::<Value>(found).unwrap_or_default(),
    });
    Ok(format!("{document:#}\n"))
}

/// What the kernel and the counters answer on a CPU.
fn count(cpu: Option<u32>) -> io::Result<Value> {
    if let Some(cpu) = cpu {
        let mut set = CpuSet::new();
        set.set(cpu as usize)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    let answers = pmu::answers(cpu);
    let answers = answers.iter().map(|(event, [without, with])| {
        let said = json!({"without_guests": without, "with_guests": with});
        (event.name(), said)
    });
    let answers: BTreeMap<_, _> = answers.collect();
    let mut window = Window::reserve()?;
    let mut clock = Clock::new(&mut window)?;
    let mut counters = Pmu::open(cpu);
    counters.check(&mut clock);
    let states: &[EventState] = counters.states();
    let usage: Option<PmuUse> = counters.usage();
    let pages: BTreeMap<_, _> = counters
        .pages()
        .into_iter()
        .map(|(event, fields)| (event.name(), BTreeMap::from(fields)))
        .collect();
    let [empty, empty_by_call] = counters.empty(EMPTY);
    Ok(json!({
        "answers": answers,
        "openings": counters.openings(),
        "held": counters.held(),
        "call": counters.call(),
        "states": states,
        "usage": usage,
        "pages": pages,
        "empty": empty,
        "empty_by_call": empty_by_call,
    }))
}

/// What another program says of the machine, and why it says nothing where it does not.
fn told(program: &str, arguments: &[&str], is_wanted: fn(&str) -> bool) -> Value {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output();
    match output {
        Err(error) => json!({ "why": format!("{program} does not run: {error}") }),
        Ok(output) => {
            let text = [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let lines = text.iter().flat_map(|text| text.lines());
            let lines: Vec<&str> = lines.filter(|line| is_wanted(line)).collect();
            json!({ "status": output.status.code(), "lines": lines })
        }
    }
}

/// Whether a line of the kernel's log is about counters; others may name anything.
fn is_about_counters(line: &str) -> bool {
    const BEGIN: [&str; 6] = [
        "perf:",
        "perf_event",
        "Performance Events:",
        "NMI watchdog:",
        "core: ",
        "... ",
    ];
    // Behind the time, where there is one.
    let said = line.split_once("] ").map_or(line, |(_, said)| said);
    BEGIN.iter().any(|begin| said.starts_with(begin))
}

/// The kernel's list of PMUs, file by file.
fn devices(root: &Path) -> BTreeMap<String, String> {
    const FOLDERS: [&str; 4] = ["", "format", "events", "caps"];
    const FILES: [&str; 3] = ["type", "cpus", "rdpmc"];
    let list = |path: &Path| -> Vec<String> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    };
    let mut all = BTreeMap::new();
    for device in list(root) {
        for folder in FOLDERS {
            let names = match folder {
                "" => FILES.map(String::from).to_vec(),
                _ => list(&root.join(&device).join(folder)),
            };
            for name in names {
                let file = Path::new(&device).join(folder).join(name);
                let text = fs::read_to_string(root.join(&file)).ok();
                all.extend(text.map(|text| (file.display().to_string(), text.trim().to_string())));
            }
        }
    }
    all
}
