//! What the last self-check of this machine found wrong, kept for every later result.
//!
//! Correct means: a failure is said above each result of the machine state in which it was found, and
//! of no other; a `doctor` that finds nothing wrong ends that; and a folder that cannot be written
//! takes nothing from anyone.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Common, output};
use crate::job::{Counters, EventState, Plan};
use crate::machine::{CoreClock, Machine};
use crate::report::{Basis, Provenance, Report};
use crate::sys::files;
use crate::text::paths::named;
use crate::text::{hanging, json_words};

/// The version of the file's layout.
const SCHEMA: u32 = 1;

/// What a self-check holds for: another boot, kernel, microcode or tool may do better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MachineState {
    boot: Option<String>,
    cpu: String,
    microcode: Option<String>,
    kernel: String,
    hypervisor: Option<String>,
    tool: String,
}

impl MachineState {
    fn of(provenance: &Provenance) -> MachineState {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        MachineState {
            boot: boot.map(|id| id.trim().to_string()),
            cpu: provenance.cpu.clone(),
            microcode: provenance.microcode.clone(),
            kernel: provenance.kernel.clone(),
            hypervisor: provenance.hypervisor.clone(),
            tool: provenance.tool.clone(),
        }
    }
}

/// A check that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failed {
    /// Its name.
    pub(super) name: String,
    /// What it gave.
    pub(super) value: String,
    /// What it should have given.
    pub(super) expected: String,
    /// What that means.
    pub(super) why: String,
    /// Which results.
    #[serde(default)]
    pub(super) concerns: Concerns,
}

/// The results that a failed check is said above: those that use what it is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Concerns {
    /// All.
    #[default]
    All,
    /// Those whose cycles are of the clock.
    Clock,
    /// Those with numbers of the hardware's counters.
    Counters,
    /// Those with counts by single-stepping.
    Steps,
    /// Those whose misses are inferred.
    Injection,
    /// Those with anything measured.
    Measured,
    /// Those in which rows are held against each other.
    Comparisons,
}

impl Concerns {
    fn is_about(self, report: &Report) -> bool {
        let mut sources = report.provenance.sources.iter();
        match self {
            Concerns::All => true,
            Concerns::Clock => {
                sources.any(|one| (&*one.event, &*one.source) == ("cycles", "clock"))
            }
            Concerns::Counters => sources.any(|one| one.source == "pmu"),
            Concerns::Steps => sources.any(|one| one.source == "step"),
            Concerns::Injection => sources.any(|one| one.source == "injection"),
            Concerns::Measured => sources.any(|one| one.basis == Basis::Measured),
            Concerns::Comparisons => !report.comparisons.is_empty(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    schema: u32,
    state: MachineState,
    date: String,
    failed: Vec<Failed>,
    #[serde(default)]
    predictor: Option<String>,
}

impl Record {
    fn warnings(&self, report: &Report) -> Vec<String> {
        let warning = |check: &Failed| {
            format!(
                "the self-check `{}` failed here on {} ({}, expected {}): {}; run `dispatchlab doctor` again",
                check.name, self.date, check.value, check.expected, check.why
            )
        };
        let about = |check: &&Failed| check.concerns.is_about(report);
        self.failed.iter().filter(about).map(warning).collect()
    }
}

/// Keeps what failed and what was found out, in place of what was kept before.
///
/// # Errors
/// Which file cannot be written, why, and what to do.
pub(super) fn remember(provenance: &Provenance, failed: Vec<Failed>) -> Result<(), String> {
    let Some(path) = path() else {
        return Err(
            "neither XDG_STATE_HOME nor HOME names a folder; set XDG_STATE_HOME to one that can be written".into(),
        );
    };
    let record = Record {
        schema: SCHEMA,
        state: MachineState::of(provenance),
        date: provenance.date.clone(),
        failed,
        predictor: provenance.predictor.clone(),
    };
    write(&path, &record).map_err(|error| {
        let place = named(&path);
        if path.is_dir() {
            return format!("{place} is a folder where a file has to be; remove it");
        }
        format!("{place}: {error}; set XDG_STATE_HOME to a folder that can be written")
    })
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    output::replace(path, &(serde_json::to_string_pretty(record)? + "\n"))
}

/// The check whose failure takes inferred misses away.
pub(super) const INFERRED_MISSES: &str = "inferred branch misses";

/// Why branch misses are not to be inferred on this machine, where the last self-check found them wrong.
pub(super) fn distrust(plan: &Plan, events: &[EventState]) -> Option<String> {
    // Only where they would be.
    if !matches!(plan.counters, Counters::Clock) {
        return None;
    }
    let machine = Machine::inspect(plan, events);
    let provenance = machine.provenance(None, &CoreClock::default(), plan.seed);
    // That it is broken is said with the result.
    let record = recorded(&provenance).ok()??;
    let failed = record
        .failed
        .iter()
        .find(|check| check.name == INFERRED_MISSES)?;
    Some(format!(
        "`doctor` found {} on {} where {} is known",
        failed.value, record.date, failed.expected
    ))
}

/// Says above a report what the last self-check found wrong of what it uses, and puts it into the report, with what
/// it found out about the predictors.
pub(super) fn precede<'a>(common: &Common, report: &'a Report) -> Cow<'a, Report> {
    let mut report = Cow::Borrowed(report);
    let record = recorded(&report.provenance).unwrap_or_else(|broken| {
        common.warn(&format!("warning: {broken}\n"));
        None
    });
    let Some(record) = record else {
        return report;
    };
    if record.predictor.is_some() {
        report
            .to_mut()
            .provenance
            .predictor
            .clone_from(&record.predictor);
    }
    let warnings = record.warnings(&report);
    if warnings.is_empty() {
        return report;
    }
    let width = common.error_style().width;
    for warning in &warnings {
        common.warn(&hanging(warning, "warning:", 2, width));
    }
    report.to_mut().warnings.splice(0..0, warnings);
    report
}

/// What is known of this state of this machine.
///
/// # Errors
/// That there is a file which is no record, and what to do.
fn recorded(provenance: &Provenance) -> Result<Option<Record>, String> {
    let Some(path) = path() else {
        return Ok(None);
    };
    let Some(text) = text_of(&path).map_err(|why| format!("{}: {why}", named(&path)))? else {
        return Ok(None);
    };
    let schema = serde_json::from_str::<Versioned>(&text).map(|found| found.schema);
    if let Ok(schema) = schema
        && schema != SCHEMA
    {
        return Err(format!(
            "{}: another version wrote it (schema {schema}, here {SCHEMA}), so what the last self-check found is not \
             known; `dispatchlab doctor` writes it anew",
            named(&path)
        ));
    }
    let record: Record = serde_json::from_str(&text).map_err(|error| {
        format!(
            "{}: what the last self-check found cannot be read ({}); `dispatchlab doctor` writes it anew",
            named(&path),
            json_words::said(&error)
        )
    })?;
    let here = MachineState::of(provenance);
    Ok(Some(record).filter(|record| record.state == here))
}

/// The layout that a file says it has.
#[derive(Deserialize)]
struct Versioned {
    schema: u32,
}

/// The text of a small regular file; none where there is no file. Anything else would be waited for, or never end.
fn text_of(path: &Path) -> Result<Option<String>, String> {
    const LONGEST: u64 = 1 << 20;
    const UNKNOWN: &str = "so what the last self-check found is not known";
    let known = match fs::metadata(path) {
        Ok(known) => known,
        Err(error) if path.symlink_metadata().is_ok() => {
            return Err(format!(
                "it is a link that leads to no file ({error}), {UNKNOWN}; remove it"
            ));
        }
        Err(error) => {
            // A home that is no folder, as `/dev/null`, was made so.
            let mut above = path.ancestors().skip(1);
            let file =
                above.find(|above| above.symlink_metadata().is_ok_and(|known| !known.is_dir()));
            let is_file = file.is_some_and(Path::is_file);
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                io::ErrorKind::NotADirectory if !is_file => Ok(None),
                io::ErrorKind::NotADirectory => Err(format!(
                    "{} is a file where a folder has to be, {UNKNOWN}; remove it, or set XDG_STATE_HOME to a folder",
                    file.map(named).unwrap_or_default()
                )),
                _ => Err(format!(
                    "it cannot be reached ({error}), {UNKNOWN}; set XDG_STATE_HOME to a folder that can be read"
                )),
            };
        }
    };
    if !known.is_file() || known.len() > LONGEST {
        let what = if known.is_file() {
            "no small"
        } else {
            "no regular"
        };
        return Err(format!("it is {what} file, {UNKNOWN}; remove it"));
    }
    let read = || String::from_utf8(files::read(path, LONGEST)?).map_err(io::Error::other);
    read().map(Some).map_err(|error| {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return format!("it cannot be read ({error}), {UNKNOWN}; make it readable, or remove it");
        }
        format!("what the last self-check found cannot be read ({error}); `dispatchlab doctor` writes it anew")
    })
}

/// The file: where the XDG base directory specification wants it, which takes absolute paths only.
pub(super) fn path() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let folder = PathBuf::from(std::env::var_os(name)?);
        folder.is_absolute().then_some(folder)
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("dispatchlab/doctor.json"))
}
