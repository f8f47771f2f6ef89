//! The events that `-e` may name: perf's names for them, those that the kernel lists for this CPU, raw codes of the
//! CPU's own, and those about calls and jumps, by what they are.
//!
//! Correct means: a name opens the event that `perf stat -e NAME:u` opens, and an event that counts
//! nothing in user mode whatever happens, or nothing on this architecture, never yields a 0 for it. A name of our
//! own is believed only where its code counts a known loop as the name says.

use std::fmt;

use raw_cpuid::{CpuId, CpuIdReaderNative};

use perf_event::events::{
    Cache, CacheOp, CacheResult, Event as KernelEvent, Hardware, Software, WhichCache,
};

use crate::stats::Event;
use crate::sys::cores::CorePmus;
use crate::text::closest;

/// What the kernel is asked to count: in user mode, but for what happens in the kernel alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// An event that the kernel has a name for.
    Event(KernelEvent),
    /// The same, in the kernel too.
    WithKernel(KernelEvent),
    /// A code of the CPU's own.
    Raw(Code),
}

/// What `perf_event_attr` has for an event of the CPU's own, in the words of that structure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Code {
    /// The event, its mask and the like.
    pub config: u64,
    /// What some events take beside it.
    pub config1: u64,
    /// The same once more.
    pub config2: u64,
}

impl From<u64> for Code {
    fn from(config: u64) -> Code {
        Code {
            config,
            ..Code::default()
        }
    }
}

impl From<KernelEvent> for Asked {
    fn from(event: KernelEvent) -> Asked {
        Asked::Event(event)
    }
}

impl From<Hardware> for Asked {
    fn from(event: Hardware) -> Asked {
        Asked::Event(event.into())
    }
}

impl From<Software> for Asked {
    fn from(event: Software) -> Asked {
        Asked::Event(event.into())
    }
}

/// Most events of one run: each takes turns of its own.
pub const MOST: usize = 32;

/// An event that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countable {
    /// Its name, as a report has it.
    pub name: String,
    /// What the kernel is asked; an error says why it counts nothing here.
    pub asked: Result<Asked, &'static str>,
    /// Who counts it.
    pub by: CountedIn,
    /// `count`, or `ns` of the kernel's clocks.
    pub unit: &'static str,
    /// What it has to count of known loops before it is believed; none where a code says what it counts.
    pub known: Option<Known>,
    /// What other families of the same maker have for it, asked where this does not count as it is known to.
    pub others: Vec<Asked>,
}

/// What an event counts in loops that counters are held against; in others of them it counts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A coin, where it is missed.
    MissedCoins,
    /// An indirect jump that nothing predicts, where it is missed.
    MissedJumps,
    /// That jump.
    Jumps,
    /// A return that goes elsewhere than its call would have it.
    MissedReturns,
    /// That one and one that does not.
    Returns,
    /// The jumps of a chain that no branch target buffer has room for: the decoder is the first to see them.
    Redirects,
    /// The jumps of a chain that only the second level of a branch target buffer has room for.
    SecondLevel,
    /// The jumps of one that the first level has room for, and what is in front of that has not.
    FirstLevel,
}

impl Known {
    /// Whether it is about which level of a branch target buffer has a jump.
    pub fn is_of_chains(self) -> bool {
        matches!(
            self,
            Known::Redirects | Known::SecondLevel | Known::FirstLevel
        )
    }
}

/// Who counts an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedIn {
    /// The CPU.
    Hardware,
    /// The kernel itself.
    Kernel,
}

/// Why a text names no event: one sentence without a full stop, and what could be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownEvent {
    message: String,
    help: String,
}

impl fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhelp: {}", self.message, self.help)
    }
}

/// perf's names, the first of each event the one that reports have. Those of the columns are left
/// out: a report has them anyway.
#[rustfmt::skip] // a table: one event a line
const HARDWARE: [(&[&str], Hardware); 6] = [
    (&["cache-references"],                                Hardware::CACHE_REFERENCES),
    (&["cache-misses"],                                    Hardware::CACHE_MISSES),
    (&["bus-cycles"],                                      Hardware::BUS_CYCLES),
    (&["ref-cycles"],                                      Hardware::REF_CPU_CYCLES),
    (&["stalled-cycles-frontend", "idle-cycles-frontend"], Hardware::STALLED_CYCLES_FRONTEND),
    (&["stalled-cycles-backend", "idle-cycles-backend"],   Hardware::STALLED_CYCLES_BACKEND),
];

/// The names under which perf has the events of the columns.
#[rustfmt::skip] // a table: one name a line
const COLUMNS: [(&str, Event); 6] = [
    ("cycles",              Event::Cycles),
    ("cpu-cycles",          Event::Cycles),
    ("instructions",        Event::Instructions),
    ("branches",            Event::Branches),
    ("branch-instructions", Event::Branches),
    ("branch-misses",       Event::BranchMisses),
];

/// Where a software event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happens {
    /// In user mode, or in both and the kernel tells them apart.
    InUser,
    /// In the kernel alone: with user mode only, it would read 0 whatever happens.
    InKernel,
    /// Nowhere on x86-64.
    Never,
}

#[rustfmt::skip] // a table: one event a line
const SOFTWARE: [(&[&str], Software, Happens); 10] = [
    (&["task-clock"],                Software::TASK_CLOCK,       Happens::InUser),
    (&["cpu-clock"],                 Software::CPU_CLOCK,        Happens::InUser),
    (&["page-faults", "faults"],     Software::PAGE_FAULTS,      Happens::InUser),
    (&["minor-faults"],              Software::PAGE_FAULTS_MIN,  Happens::InUser),
    (&["major-faults"],              Software::PAGE_FAULTS_MAJ,  Happens::InUser),
    (&["context-switches", "cs"],    Software::CONTEXT_SWITCHES, Happens::InKernel),
    (&["cpu-migrations", "migrations"], Software::CPU_MIGRATIONS, Happens::InKernel),
    (&["alignment-faults"],          Software::ALIGNMENT_FAULTS, Happens::Never),
    (&["emulation-faults"],          Software::EMULATION_FAULTS, Happens::Never),
    (&["dummy"],                     Software::DUMMY,            Happens::Never),
];

/// The caches, with the operations that perf has names for: read, write, prefetch.
#[rustfmt::skip] // a table: one cache a line
const CACHES: [(&str, WhichCache, &[CacheOp]); 7] = [
    ("L1-dcache", WhichCache::L1D,  &[CacheOp::READ, CacheOp::WRITE, CacheOp::PREFETCH]),
    ("L1-icache", WhichCache::L1I,  &[CacheOp::READ, CacheOp::PREFETCH]),
    ("LLC",       WhichCache::LL,   &[CacheOp::READ, CacheOp::WRITE, CacheOp::PREFETCH]),
    ("dTLB",      WhichCache::DTLB, &[CacheOp::READ, CacheOp::WRITE, CacheOp::PREFETCH]),
    ("iTLB",      WhichCache::ITLB, &[CacheOp::READ]),
    ("branch",    WhichCache::BPU,  &[CacheOp::READ]),
    ("node",      WhichCache::NODE, &[CacheOp::READ, CacheOp::WRITE, CacheOp::PREFETCH]),
];

/// Events about calls and jumps, by the codes that Linux lists for Intel's cores and for AMD's from Zen on (its files
/// tools/perf/pmu-events/arch/x86). Families differ: of Intel's, C5/01 is all conditional misses up to Skylake's and the
/// taken ones since Ice Lake's, which has 11 for all, and the small cores' masks are others. So each code is held against
/// what is known, and the next one tried where it counts something else; no machine of ours has shown any.
#[rustfmt::skip] // a table: one event a line, its codes on Intel's and on AMD's
const DISPATCH: [(&str, &[u64], &[u64], Known); 8] = [
    ("indirect-misses",    &[0x80c5, 0xebc5],         &[0xca],          Known::MissedJumps),
    ("conditional-misses", &[0x11c5, 0x01c5, 0x7ec5], &[0x1_0000_00c7], Known::MissedCoins),
    ("return-misses",      &[0x08c5, 0xf7c5],         &[0xc9],          Known::MissedReturns),
    ("indirect-branches",  &[0x80c4, 0xebc4],         &[0xcc],          Known::Jumps),
    ("returns",            &[0x08c4, 0xf7c4],         &[0xc8],          Known::Returns),
    ("decode-redirects",   &[0x01e6, 0x0160],         &[0x91],          Known::Redirects),
    ("btb-l2-overrides",   &[],                       &[0x8b],          Known::SecondLevel),
    ("btb-l1-overrides",   &[],                       &[0x8a],          Known::FirstLevel),
];
/// Why a CPU has none of them, or not this one.
pub const NO_CODE: &str = "no code of this CPU is known for it; -e rNNNN takes one of its manual";

/// What the kernel never counts here, in one sentence.
const NEVER: &str = "Linux counts it on no x86-64 machine, so that it would be 0 whatever happens";

/// Every name that is no raw code, with its event.
fn named() -> Vec<(Vec<String>, Countable)> {
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
    };
    let countable = |names: Vec<String>, asked, by, unit| {
        let name = names[0].clone();
        (
            names,
            Countable {
                name,
                asked,
                by,
                unit,
                known: None,
                others: Vec::new(),
            },
        )
    };
    let hardware = HARDWARE.iter().map(|(names, event)| {
        countable(
            owned(names),
            Ok((*event).into()),
            CountedIn::Hardware,
            "count",
        )
    });
    let software = SOFTWARE.iter().map(|(names, event, happens)| {
        let asked = match happens {
            Happens::InUser => Ok((*event).into()),
            Happens::InKernel => Ok(Asked::WithKernel((*event).into())),
            Happens::Never => Err(NEVER),
        };
        let unit = if names[0].ends_with("-clock") {
            "ns"
        } else {
            "count"
        };
        countable(owned(names), asked, CountedIn::Kernel, unit)
    });
    let caches = CACHES.iter().flat_map(|(cache, which, operations)| {
        operations.iter().flat_map(move |operation| {
            let (all, one) = match operation {
                CacheOp::READ => ("loads", "load"),
                CacheOp::WRITE => ("stores", "store"),
                CacheOp::PREFETCH => ("prefetches", "prefetch"),
            };
            let of = |name: String, result| {
                let event = Cache {
                    which: *which,
                    operation: *operation,
                    result,
                };
                let asked = Ok(perf_event::events::Event::from(event).into());
                countable(vec![name], asked, CountedIn::Hardware, "count")
            };
            [
                of(format!("{cache}-{all}"), CacheResult::ACCESS),
                of(format!("{cache}-{one}-misses"), CacheResult::MISS),
            ]
        })
    });
    let dispatch = DISPATCH.iter().map(|(name, intel, amd, known)| {
        let codes = match CpuId::with_cpuid_reader(CpuIdReaderNative).get_vendor_info() {
            Some(vendor) if vendor.as_str() == "GenuineIntel" => *intel,
            Some(vendor) if vendor.as_str() == "AuthenticAMD" => *amd,
            _ => &[],
        };
        let mut codes = codes.iter().map(|code| Asked::Raw((*code).into()));
        let asked = codes.next().ok_or(NO_CODE);
        let (names, event) = countable(owned(&[name]), asked, CountedIn::Hardware, "count");
        (
            names,
            Countable {
                known: Some(*known),
                others: codes.collect(),
                ..event
            },
        )
    });
    let all = hardware.chain(software).chain(caches);
    all.chain(dispatch).collect()
}

/// The event of one name or raw code.
///
/// # Errors
/// Where there is none, with what could be meant and what there is.
pub fn find(text: &str) -> Result<Countable, UnknownEvent> {
    let (name, modes) = match (text.rsplit_once('/'), text.rsplit_once(':')) {
        (Some((name, modes)), _) if name.contains('/') => (format!("{name}/"), modes),
        (None, Some((name, modes))) => (name.to_string(), modes),
        _ => (text.to_string(), ""),
    };
    if !modes.is_empty() && modes != "u" {
        return Err(UnknownEvent {
            message: format!(
                "`-e {text}`: of the modifiers `{modes}` only u can be had: events are counted in user mode, and \
                 counted for good"
            ),
            help: format!("write {name}, which is counted in user mode"),
        });
    }
    let name = &name[..];
    let column = COLUMNS
        .iter()
        .find(|(other, _)| other.eq_ignore_ascii_case(name));
    if let Some((_, event)) = column {
        return Err(UnknownEvent {
            message: format!("`-e {text}`: every report has it, as {}", event.name()),
            help: "leave it out; --counters pmu takes it from the hardware where there is any"
                .into(),
        });
    }
    let known = named();
    let is_it = |names: &[String]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
    if let Some((_, countable)) = known.iter().find(|(names, _)| is_it(names)) {
        return Ok(countable.clone());
    }
    let cores = CorePmus::inspect();
    if let Some((name, code)) = raw(name, &cores) {
        return Ok(Countable {
            name,
            asked: Ok(Asked::Raw(code)),
            by: CountedIn::Hardware,
            unit: "count",
            known: None,
            others: Vec::new(),
        });
    }
    let names = known
        .iter()
        .flat_map(|(names, _)| names)
        .map(String::as_str);
    let names = names.chain(COLUMNS.iter().map(|(name, _)| *name));
    let near = closest(name, names)
        .map(|near| format!("did you mean {near}? "))
        .unwrap_or_default();
    Err(UnknownEvent {
        message: format!("`-e {text}`: there is no such event"),
        help: format!("{near}there are {}", listed()),
    })
}

/// What can be named, in one sentence.
fn listed() -> String {
    let first = |names: &[&'static str]| names[0];
    let plain = HARDWARE.iter().map(|(names, _)| first(names));
    let software = SOFTWARE
        .iter()
        .filter(|(_, _, happens)| *happens != Happens::Never);
    let plain = plain.chain(software.map(|(names, _, _)| first(names)));
    let plain = plain.chain(DISPATCH.iter().map(|(name, ..)| *name));
    let caches: Vec<&str> = CACHES.iter().map(|(name, _, _)| *name).collect();
    format!(
        "{}; of {} the -loads, -stores and -prefetches, and the -load-misses and so on; what the \
         kernel lists in /sys/bus/event_source/devices/cpu/events; raw codes of the CPU's manual such as r01c4 or \
         cpu/event=0xc4,umask=0x1/",
        plain.collect::<Vec<_>>().join(", "),
        caches.join(", ")
    )
}

/// A raw code, and the name that it gets: `rNNNN`, `cpu/event=0xc4,umask=0x1/` with the fields that the kernel lists for
/// this CPU, or where it lists none those that Intel and AMD have in common, or a name that the kernel lists, with
/// `cpu/` around it or without.
fn raw(text: &str, cores: &CorePmus) -> Option<(String, Code)> {
    const DIGITS: usize = 16;
    let text = text.to_ascii_lowercase();
    let within = text.strip_suffix('/').and_then(|text| text.split_once('/'));
    if let Some((pmu, terms)) = within {
        let is_known = pmu == "cpu" || cores.has(pmu);
        let code = terms_of(terms, cores).filter(|_| is_known)?;
        return Some((text, code));
    }
    let digits = text.strip_prefix('r').filter(|digits| {
        digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            && (1..=DIGITS).contains(&digits.len())
    });
    match digits {
        Some(digits) => {
            let config = u64::from_str_radix(digits, 16).ok()?;
            Some((text, config.into()))
        }
        None => {
            let code = terms_of(&listed_event(&text, cores)?, cores)?;
            Some((text, code))
        }
    }
}

/// What the kernel writes for an event of a name that it lists.
fn listed_event(name: &str, cores: &CorePmus) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_sound = !name.starts_with('.') && name.chars().all(is_name);
    let pmu = cores.of(None).filter(|_| is_sound)?;
    cores.file(pmu, &format!("events/{name}"))
}

/// The bits of all terms between two commas; a term without a number may be a name that the kernel lists.
fn terms_of(terms: &str, cores: &CorePmus) -> Option<Code> {
    let mut code = Code::default();
    for term in terms.split(',').map(str::trim) {
        let listed = (!term.contains('='))
            .then(|| listed_event(term, cores))
            .flatten();
        for term in listed.as_deref().unwrap_or(term).split(',').map(str::trim) {
            let bits = term_of(term, cores)?;
            code.config |= bits.config;
            code.config1 |= bits.config1;
            code.config2 |= bits.config2;
        }
    }
    Some(code)
}

fn term_of(term: &str, cores: &CorePmus) -> Option<Code> {
    let (name, value) = term.split_once('=').unwrap_or((term, "1"));
    let (name, value) = (name.trim(), value.trim());
    let value = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => value.parse().ok()?,
    };
    match name {
        "config" => return Some(value.into()),
        "config1" | "config2" => return within(&format!("{name}:0-63"), value),
        _ => {}
    }
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let format = cores.of(None).filter(|_| is_name);
    match format.and_then(|pmu| cores.file(pmu, &format!("format/{name}"))) {
        Some(format) => within(&format, value),
        None => place(name, value).map(Code::from),
    }
}

/// A value at the bits that a format such as `config:0-7,32-35` has for it.
fn within(format: &str, value: u64) -> Option<Code> {
    let (word, spans) = format.split_once(':')?;
    let (mut bits, mut left) = (0, value);
    for span in spans.split(',') {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let width = last.checked_sub(first).filter(|_| last < 64)? + 1;
        bits |= (left & u64::MAX >> (64 - width)) << first;
        left = left.checked_shr(width).unwrap_or(0);
    }
    let mut code = Code::default();
    let word = match word {
        "config" => &mut code.config,
        "config1" => &mut code.config1,
        "config2" => &mut code.config2,
        _ => return None,
    };
    *word = bits;
    (left == 0).then_some(code)
}

/// The bits of one field, at the place that it has in the code (Intel SDM vol. 3, 20.2.1; AMD64 APM
/// vol. 2, 13.2.1): of an event's number AMD has four bits more, which stand above.
fn place(name: &str, value: u64) -> Option<u64> {
    let (shift, most) = match name {
        "event" if value > 0xff => {
            return (value <= 0xfff).then_some(value & 0xff | value >> 8 << 32);
        }
        "event" => (0, 0xff),
        "umask" => (8, 0xff),
        "edge" => (18, 1),
        "inv" => (23, 1),
        "cmask" => (24, 0xff),
        _ => return None,
    };
    (value <= most).then_some(value << shift)
}

/// The events of an option's text: names with commas between them.
///
/// # Errors
/// Where one is none, or there are too many.
pub fn list(texts: &[String]) -> Result<Vec<Countable>, UnknownEvent> {
    let mut events: Vec<Countable> = Vec::new();
    for name in texts.iter().flat_map(|text| split(text)) {
        let event = find(name)?;
        if events.iter().all(|other| other.name != event.name) {
            events.push(event);
        }
    }
    if events.len() > MOST {
        return Err(UnknownEvent {
            message: format!(
                "`-e`: at most {MOST} events in one run, not {}",
                events.len()
            ),
            help: "each takes turns of its own; ask for the others in another run".into(),
        });
    }
    Ok(events)
}

/// Parts between commas, but for those between the slashes of a raw code.
fn split(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let parts = text.split(move |c| {
        is_inside ^= c == '/';
        c == ',' && !is_inside
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_is_one_events_only() {
        let known = named();
        let mut seen: Vec<&String> = known.iter().flat_map(|(names, _)| names).collect();
        let count = seen.len();
        for (names, countable) in &known {
            for name in names {
                assert_eq!(find(name).as_ref(), Ok(countable), "{name}");
                assert_eq!(
                    find(&format!("{}:u", name.to_uppercase())).as_ref(),
                    Ok(countable)
                );
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn perfs_names_are_perfs_events() {
        let asked = |name: &str| find(name).expect(name).asked;
        assert_eq!(asked("cache-misses"), Ok(Hardware::CACHE_MISSES.into()));
        assert_eq!(asked("faults"), Ok(Software::PAGE_FAULTS.into()));
        let cache = |which, operation, result| {
            Ok(perf_event::events::Event::from(Cache {
                which,
                operation,
                result,
            })
            .into())
        };
        assert_eq!(
            asked("L1-dcache-load-misses"),
            cache(WhichCache::L1D, CacheOp::READ, CacheResult::MISS)
        );
        assert_eq!(
            asked("LLC-prefetches"),
            cache(WhichCache::LL, CacheOp::PREFETCH, CacheResult::ACCESS)
        );
        assert_eq!(
            asked("dTLB-store-misses"),
            cache(WhichCache::DTLB, CacheOp::WRITE, CacheResult::MISS)
        );
        assert!(find("iTLB-stores").is_err(), "perf has no such event");
    }

    #[test]
    fn what_happens_in_the_kernel_alone_is_asked_with_it_and_what_never_happens_is_not() {
        let switches = find("cs").expect("an event");
        assert_eq!(switches.name, "context-switches");
        assert!(matches!(switches.asked, Ok(Asked::WithKernel(_))));
        for name in ["alignment-faults", "emulation-faults", "dummy"] {
            assert_eq!(find(name).expect(name).asked, Err(NEVER));
        }
        assert_eq!(find("task-clock").expect("an event").unit, "ns");
    }

    /// The kernel's list of a CPU, in a folder.
    fn listed_cpu(name: &str) -> (std::path::PathBuf, CorePmus) {
        let root = std::env::temp_dir().join(format!("dispatchlab-{name}-{}", std::process::id()));
        for (file, text) in [
            ("type", "4"),
            ("events/branch-misses", "event=0xc3"),
            ("events/mem-loads", "event=0xcd,umask=0x1,ldlat=3"),
            ("format/event", "config:0-7,32-35"),
            ("format/umask", "config:8-15"),
            ("format/ldlat", "config1:0-15"),
            ("format/odd", "config2:1,3"),
        ] {
            let path = root.join("cpu").join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("writes");
        }
        let cores = CorePmus::below(&root);
        (root, cores)
    }

    #[test]
    fn what_the_kernel_lists_is_an_event_with_the_bits_where_it_says() {
        let (root, cores) = listed_cpu("listed");
        let code = |config, config1, config2| Code {
            config,
            config1,
            config2,
        };
        for (text, wanted) in [
            ("branch-misses", Some(code(0xc3, 0, 0))),
            ("cpu/branch-misses/", Some(code(0xc3, 0, 0))),
            ("cpu/mem-loads/", Some(code(0x1cd, 3, 0))),
            ("mem-loads", Some(code(0x1cd, 3, 0))),
            ("cpu/event=0x1c3,umask=1/", Some(code(0x1_0000_01c3, 0, 0))),
            ("cpu/event=0xc3,config1=0x20/", Some(code(0xc3, 0x20, 0))),
            ("cpu/odd=3/", Some(code(0, 0, 0b1010))),
            ("cpu/odd=4/", None),
            ("cpu/event=0x1000/", None),
            ("cpu/other=1/", None),
            ("cpu_atom/event=1/", None),
            ("../type", None),
            ("nothing", None),
        ] {
            let found = raw(text, &cores).map(|(_, code)| code);
            assert_eq!(found, wanted, "{text}");
        }
        std::fs::remove_dir_all(root).expect("removes");
    }

    #[test]
    fn of_the_modifiers_only_user_mode_can_be_had() {
        for text in [
            "cache-misses:u",
            "cpu/event=0xc4/u",
            "r1c4:u",
            "cpu/event=0xc4/",
        ] {
            assert!(find(text).is_ok(), "{text}");
        }
        for (text, modifiers) in [
            ("cache-misses:pp", "pp"),
            ("cpu/event=0xc4/k", "k"),
            ("r1c4:uk", "uk"),
        ] {
            let why = find(text).expect_err(text).to_string();
            assert!(
                why.contains(&format!("of the modifiers `{modifiers}` only u")),
                "{why}"
            );
        }
    }

    #[test]
    fn raw_codes_are_those_of_the_manuals() {
        #[rustfmt::skip] // a table: one code a line
        let codes = [
            ("r01c4",                                0x01c4),
            ("R5301B1",                            0x5301b1),
            ("cpu/event=0xc4,umask=0x1/",            0x01c4),
            ("cpu/umask=1, event=196/",              0x01c4),
            ("cpu/event=0x1c0/",             0x01_0000_00c0),
            ("cpu/event=0xd,umask=3,edge,inv=1,cmask=2/", 0x0284_030d),
            ("cpu/config=0x1234/",                   0x1234),
        ];
        for (text, code) in codes {
            let found = find(text).expect(text);
            assert_eq!(found.asked, Ok(Asked::Raw(Code::from(code))), "{text}");
            assert_eq!(found.name, text.to_lowercase());
        }
        for text in [
            "r",
            "rxyz",
            "r11112222333344445",
            "cpu//",
            "cpu/event=0x1000/",
            "cpu/colour=1/",
        ] {
            assert!(find(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_event_says_what_could_be_meant_and_what_there_is() {
        let said = |text: &str| find(text).expect_err(text).to_string();
        assert!(said("cache-mises").contains("did you mean cache-misses?"));
        for part in [
            "stalled-cycles-frontend",
            "L1-dcache",
            "r01c4",
            "page-faults",
        ] {
            assert!(said("nonsense").contains(part), "{part}");
        }
        assert!(said("cache-misses:k").contains("user mode"));
        assert!(said("branch-misses").contains("as branch_misses"));
    }

    #[test]
    fn commas_inside_slashes_are_part_of_a_code_and_repetitions_one_event() {
        let texts = [
            "faults,cpu/event=1,umask=2/".to_string(),
            " page-faults, r1 ,".to_string(),
        ];
        let events = list(&texts).expect("events");
        let names: Vec<&str> = events.iter().map(|event| &event.name[..]).collect();
        assert_eq!(names, ["page-faults", "cpu/event=1,umask=2/", "r1"]);
        let many: Vec<String> = (0..=MOST).map(|code| format!("r{code:x}")).collect();
        assert!(list(&many).is_err());
    }
}
