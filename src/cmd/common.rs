//! The options that all commands have, and what they make of a plan.
//!
//! Correct means: an option that is out of range is an error that says the range, and what is not
//! said on the command line is as a plan's default.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{ArgAction, Args};

use super::progress::{Display, Voice};
use super::{Stop, Syntax, When, named, record, separator, width_of};
use crate::asm;
use crate::counter::pmu;
use crate::job::check::{self as job_check, MAX_ROW_S, MAX_TIME_MS};
use crate::job::{Counters, EventState, FakeScript, PLACEMENT_COUNTS, Plan, catalogue, placements};
use crate::machine::cpus::{self, Claim};
use crate::pipeline;
use crate::stats::Event;
use crate::sys::cores::CorePmus;
use crate::sys::files;
use crate::template::{Library, Template, TextOptions};
use crate::text::{Style, diagnostic, folded, hanging, printable};
use crate::worker::parent;

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Bind a parameter: targets=8, order=random, order=hot:90, order=@FILE, work=16, align=0, …
    #[arg(short = 'p', value_name = "KEY=VALUE", global = true, action = ArgAction::Append, value_parser = named())]
    pub(super) parameters: Vec<String>,
    /// Take templates from this folder first [default: ./asm_templates, then the built-in ones]
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) templates: Option<PathBuf>,
    /// Where that folder's files are to be found later, where it is gone with this run.
    #[arg(skip)]
    pub(super) templates_later: Option<PathBuf>,
    /// Let the files of this folder stand over all others of their names: templates, what they
    /// include, suites
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) overlay: Option<PathBuf>,
    /// Source of cycles: auto, pmu, clock or none (verify and count only)
    #[arg(long, value_name = "SOURCE", default_value = "auto", global = true)]
    pub(super) counters: String,
    /// Also count these, each in turns of its own: perf's names or codes, as page-faults or r01c4
    #[arg(short = 'e', value_name = "EVENT,..", global = true, action = ArgAction::Append)]
    pub(super) events: Vec<String>,
    /// Milliseconds of timing per scenario and placement [default: 40, quick 2, less for each of more than 40 rows of `run`]
    #[arg(long, value_name = "MS", global = true, allow_negative_numbers = true)]
    pub(super) time: Option<f64>,
    /// Fewer placements and less time
    #[arg(long, global = true)]
    pub(super) quick: bool,
    /// Pin the worker to this CPU
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    pub(super) cpu: Option<u32>,
    /// Seed of random walks and of intervals [default: 1]
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Seconds of its processor that one entry into generated code may take [default: 3]
    #[arg(long, value_name = "S", global = true, allow_negative_numbers = true)]
    pub(super) timeout: Option<f64>,
    /// Seconds that a row may take beside its timing: verification is cut to them, or the row refused [default: 60]
    #[arg(long, value_name = "S", global = true, allow_negative_numbers = true)]
    pub(super) max_row: Option<f64>,
    /// Placements of each row: 1 to 4, 8, 16, 32, 64, or all, which is 64 [default: 4, quick 2]
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    pub(super) placements: Option<String>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto, global = true)]
    pub(super) color: When,
    /// Function that is called, of a file without sections that has several
    #[arg(long, value_name = "SYMBOL", global = true)]
    pub(super) call: Option<String>,
    /// Syntax of files and standard input, and in which `show` prints [default: what they say, or line by line
    /// as it looks; Intel's]
    #[arg(long, value_enum, global = true)]
    pub(super) syntax: Option<Syntax>,
    /// Take `;` for what separates statements in Intel syntax, too
    #[arg(long, value_name = "';'", global = true, value_parser = separator)]
    pub(super) separator: Option<char>,
    /// Argument of the function of a listing: rsi=5 or rsi=object; of a Go listing AX=5, 8(SP)=5 or iface=main.T0
    #[arg(long = "arg", value_name = "KEY=VALUE", value_parser = assignment, global = true)]
    pub(super) arguments: Vec<(String, String)>,
    /// No progress, no warnings
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Print all that is known: reasons, medians, the legend in sentences, the templates' hashes
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// What comments of a template hide.
pub(super) fn hidden(template: &Template) -> Vec<diagnostic::Diagnostic> {
    let reading = asm::Reading {
        file: &template.file_name(),
        syntax: template.header.syntax,
        separates: template.header.separates,
        ..asm::Reading::default()
    };
    asm::hidden(&template.text, &reading)
}

/// `KEY=VALUE` of an argument.
fn assignment(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=');
    let parts = parts.filter(|(key, value)| !key.is_empty() && !value.is_empty());
    let wanted = || "an argument is AX=5, 8(SP)=5 or iface=main.T0".to_string();
    let (key, value) = parts.ok_or_else(wanted)?;
    Ok((key.to_string(), value.to_string()))
}

/// Milliseconds of timing for each image under `--quick`.
const QUICK_MS: f64 = 2.0;
/// Milliseconds for each image that misses are inferred from, under `--quick`.
const QUICK_INFER_MS: f64 = 4.0;
/// Iterations interpreted for a count under `--quick`.
const QUICK_INTERPRETED: u64 = 4096;
/// Milliseconds of the uninterrupted run under `--quick`.
const QUICK_RUN_MS: f64 = 1.0;
/// Steps verified under `--quick`.
const QUICK_VERIFIED: u64 = 100;

impl Common {
    pub(super) fn is_coloured(&self, stream: &impl IsTerminal) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_forced =
            is_set("CLICOLOR_FORCE") && std::env::var_os("CLICOLOR_FORCE") != Some("0".into());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto if is_set("NO_COLOR") => false,
            When::Auto => is_forced || stream.is_terminal() && !is_dumb,
        }
    }

    /// How to lay out text on stdout.
    pub(super) fn style(&self) -> Style {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(std::env::var_os);
        let unicode =
            locale.is_none_or(|locale| locale.to_string_lossy().to_uppercase().contains("UTF"));
        Style {
            width: width_of(&io::stdout()),
            color: self.is_coloured(&io::stdout()),
            unicode,
        }
    }

    /// How to lay out text on stderr.
    pub(super) fn error_style(&self) -> Style {
        Style {
            width: width_of(&io::stderr()),
            color: self.is_coloured(&io::stderr()),
            ..self.style()
        }
    }

    /// Says what is not a result.
    pub(super) fn warn(&self, text: &str) {
        self.say(&folded(&printable::lines(text), 2, width_of(&io::stderr())));
    }

    /// The same of what is laid out already.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            // Nobody can be told that stderr is gone.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }

    /// The templates that can be named.
    pub(super) fn library(&self) -> Result<Library, Stop> {
        self.library_reading(self.syntax())
    }

    /// The same, where files are in this syntax.
    pub(super) fn library_reading(&self, syntax: Option<asm::Syntax>) -> Result<Library, Stop> {
        let options = TextOptions {
            call: self.call.clone(),
            arguments: self.arguments.clone(),
            syntax,
            separates: self.separator.is_some(),
        };
        let library = Library::new(self.templates.clone())?.under(self.overlay.clone())?;
        let library = match &self.templates_later {
            Some(later) => library.found_later_in(later),
            None => library,
        };
        Ok(library.reading(options))
    }

    /// Says which files of the overlay stand over nothing.
    pub(super) fn tell_overlay(&self, library: &Library) {
        let over = library.over_nothing();
        if let (Some(overlay), false) = (&self.overlay, over.is_empty()) {
            self.warn(&format!(
                "warning: in the overlay {}, over nothing of its name: {}\n",
                overlay.display(),
                over.join(", ")
            ));
        }
    }

    /// How texts are written, where the command line says it.
    pub(super) fn syntax(&self) -> Option<asm::Syntax> {
        self.syntax.map(|syntax| match syntax {
            Syntax::Auto => asm::Syntax::Auto,
            Syntax::Intel => asm::Syntax::Intel,
            Syntax::Att => asm::Syntax::Att,
            Syntax::Go => asm::Syntax::Go,
        })
    }

    /// Says what was assumed of a text without sections, and what of the command line it has no use for.
    pub(super) fn tell_reading(&self, template: &Template) {
        for one in &template.assumed {
            self.warn(&format!("assumed: {one}\n"));
        }
        for one in &template.unused {
            self.warn(&hanging(one, "warning:", 2, self.error_style().width));
        }
    }

    /// The same, and what a comment hides.
    pub(super) fn tell(&self, template: &Template) {
        self.tell_reading(template);
        let hidden = hidden(template);
        if !hidden.is_empty() {
            self.say(&diagnostic::render_hints(&hidden, self.error_style()));
        }
    }

    /// The parameters of `-p`.
    pub(super) fn parameters(&self) -> Result<Vec<(String, String)>, Stop> {
        let split = |text: &String| {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                Stop::Usage(format!(
                    "`-p {text}`: a parameter is KEY=VALUE, for example -p targets=8"
                ))
            })?;
            Ok((key.trim().to_string(), value.trim().to_string()))
        };
        self.parameters.iter().map(split).collect()
    }

    /// How to measure.
    pub(super) fn settings(&self, reference: Option<String>) -> Result<pipeline::Settings, Stop> {
        let found = self.counters(None)?;
        let mut plan = self.plan_over(Plan {
            counters: found.counters,
            or_clock: found.or_clock,
            ..Plan::default()
        })?;
        plan.uninferred = record::distrust(&plan, &found.events);
        const SECONDS: f64 = 3.0;
        Ok(pipeline::Settings {
            plan,
            timeout: self
                .checked_timeout()?
                .unwrap_or(Duration::from_secs_f64(SECONDS)),
            reference,
            said: BTreeMap::new(),
            samples: false,
            listing: false,
            events: found.events,
            cpu: found.cpu,
            disturbance: None,
            overlay: self.overlay.clone(),
        })
    }

    /// A plan, and what the command line says of it.
    pub(super) fn plan_over(&self, base: Plan) -> Result<Plan, Stop> {
        let quick_ms = self.quick.then_some(QUICK_MS);
        let time_ms = self.time.or(quick_ms).unwrap_or(base.time_ms);
        if !(time_ms > 0.0 && time_ms <= MAX_TIME_MS) {
            return Err(Stop::Usage(format!(
                "`--time {time_ms:?}`: milliseconds from above 0 to {MAX_TIME_MS}"
            )));
        }
        let infer_ms = match (self.quick, self.time) {
            (true, _) => QUICK_INFER_MS,
            (false, Some(time_ms)) => time_ms / 2.0,
            (false, None) => base.infer_ms,
        };
        let further = if self.events.is_empty() {
            base.further
        } else {
            self.further()?
        };
        let count = self.checked_placements()?.or(self.quick.then_some(2));
        Ok(Plan {
            cpu: self.checked_cpu(base.cpu)?,
            seed: self.seed.unwrap_or(base.seed),
            max_row_s: self.checked_max_row()?.unwrap_or(base.max_row_s),
            time_ms,
            infer_ms,
            run_ms: if self.quick {
                QUICK_RUN_MS
            } else {
                base.run_ms
            },
            uninferred: base.uninferred,
            modelled: if self.quick { 0 } else { base.modelled },
            further,
            placements: count.map_or(base.placements, placements),
            interpreted: if self.quick {
                QUICK_INTERPRETED
            } else {
                base.interpreted
            },
            verified: if self.quick {
                QUICK_VERIFIED
            } else {
                base.verified
            },
            ..base
        })
    }

    /// The names of the events of `-e`.
    pub(super) fn further(&self) -> Result<Vec<String>, Stop> {
        let events = catalogue::list(&self.events);
        let events = events.map_err(|unknown| Stop::Usage(unknown.to_string()))?;
        Ok(events.into_iter().map(|event| event.name).collect())
    }

    pub(super) fn checked_placements(&self) -> Result<Option<usize>, Stop> {
        let Some(wanted) = &self.placements else {
            return Ok(None);
        };
        let count = match wanted.as_str() {
            "all" => PLACEMENT_COUNTS.last().copied(),
            _ => wanted.parse().ok(),
        };
        match count.filter(|count| PLACEMENT_COUNTS.contains(count)) {
            Some(count) => Ok(Some(count)),
            None => Err(Stop::Usage(format!(
                "`--placements {wanted}`: 1 to 4, 8, 16, 32, 64 or all"
            ))),
        }
    }

    pub(super) fn checked_timeout(&self) -> Result<Option<Duration>, Stop> {
        const LONGEST: f64 = 86_400.0;
        let Some(seconds) = self.timeout else {
            return Ok(None);
        };
        if !(0.001..=LONGEST).contains(&seconds) {
            let message = format!("`--timeout {seconds:?}`: seconds from 0.001 to {LONGEST}");
            return Err(Stop::Usage(message));
        }
        Ok(Some(Duration::from_secs_f64(seconds)))
    }

    fn checked_max_row(&self) -> Result<Option<f64>, Stop> {
        let (least, most) = (MAX_ROW_S.start(), MAX_ROW_S.end());
        match self.max_row {
            Some(seconds) if !MAX_ROW_S.contains(&seconds) => Err(Stop::Usage(format!(
                "`--max-row {seconds:?}`: seconds from {least} to {most}"
            ))),
            wanted => Ok(wanted),
        }
    }

    pub(super) fn checked_cpu(&self, planned: Option<u32>) -> Result<Option<u32>, Stop> {
        let Some(cpu) = self.cpu.or(planned) else {
            return Ok(None);
        };
        let allowed = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))
            .map_err(io::Error::from)?;
        if allowed.is_set(cpu as usize).unwrap_or(false) {
            return Ok(Some(cpu));
        }
        let usable =
            (0..nix::sched::CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
        let usable: Vec<String> = usable.map(|cpu| cpu.to_string()).collect();
        Err(Stop::Usage(format!(
            "`--cpu {cpu}`: this process may use {}; take one of these, or leave --cpu out",
            usable.join(", ")
        )))
    }

    /// The source of cycles, and what the hardware counters are good for. A saved job's source
    /// stands where the command line names none.
    pub(super) fn counters(&self, saved: Option<Counters>) -> Result<Found, Stop> {
        let wanted = match (self.counters.as_str(), saved) {
            ("auto", Some(saved)) => saved,
            ("auto", None) => {
                let found = self.verified(pmu::probe())?;
                let is_usable = pmu::is_believed(&found.events, Event::Cycles);
                return Ok(Found {
                    counters: match is_usable {
                        true => Counters::Pmu,
                        false => Counters::Clock,
                    },
                    or_clock: is_usable,
                    ..found
                });
            }
            ("pmu", _) => Counters::Pmu,
            ("clock", _) => Counters::Clock,
            ("none", _) => Counters::None,
            (other, _) => match other.strip_prefix("fake:").filter(|_| allows_scripts()) {
                Some(path) => Counters::Fake(fake_script(path)?),
                None => {
                    return Err(Stop::Usage(format!(
                        "`--counters {other}`: auto, pmu, clock or none"
                    )));
                }
            },
        };
        let found = match &wanted {
            Counters::Pmu => self.demanded()?,
            Counters::Fake(script) => Found::of(script.states().unwrap_or_else(pmu::probe)),
            Counters::Clock | Counters::None => Found::of(pmu::probe()),
        };
        Ok(Found {
            counters: wanted,
            ..found
        })
    }

    /// The hardware counters, where nothing else will do.
    pub(super) fn demanded(&self) -> Result<Found, Stop> {
        let found = self.verified(pmu::probe())?;
        let mut states = found.events.iter();
        let cycles = states.find(|(event, _)| *event == Event::Cycles);
        match cycles.and_then(|(_, state)| state.as_ref().err()) {
            None => Ok(found),
            Some(unavailable) => Err(Stop::from(unavailable)),
        }
    }

    /// The counters that open, held against known loops by a worker on the CPU of the run.
    pub(super) fn verified(&self, opened: Vec<EventState>) -> Result<Found, Stop> {
        if !pmu::is_believed(&opened, Event::Cycles) {
            return Ok(Found::of(opened));
        }
        let plan = Plan {
            cpu: self.checked_cpu(None)?,
            counters: Counters::Pmu,
            ..Plan::default()
        };
        let outcome = parent::verify_counters(&plan)?;
        Ok(Found {
            cpu: outcome.cpu,
            ..Found::of(outcome.counters)
        })
    }

    /// Has the run a core of its own, as long as the claim lives, where others of this program measure too; where
    /// there is none left, the report says so.
    pub(super) fn claim_core(&self, settings: &mut pipeline::Settings) -> Option<Claim> {
        if !matches!(settings.plan.counters, Counters::Clock | Counters::Pmu) {
            return None;
        }
        let wanted = settings.plan.cpu;
        let mut cpus = wanted.map_or_else(cpus::usable, |cpu| vec![cpu]);
        // Where counters were found to be good is looked at first, and cores of another kind not at all.
        let found = settings.cpu;
        cpus.sort_by_key(|cpu| Some(*cpu) != found);
        let kinds = CorePmus::inspect();
        if wanted.is_none() && kinds.is_hybrid() {
            cpus.retain(|cpu| kinds.of(Some(*cpu)) == kinds.of(found));
        }
        match cpus::claim(&cpus) {
            Ok(claim) => {
                settings.plan.cpu = wanted.or(claim.as_ref().map(|claim| claim.cpu));
                claim
            }
            Err(cpu) => {
                settings.disturbance = Some(format!(
                    "another run of dispatchlab measures on the core of CPU {cpu}, and no other is free: they disturb \
                     each other; run one after the other"
                ));
                None
            }
        }
    }

    /// What says what is at work, and between that what everybody must know now, until it is dropped.
    pub(super) fn progress(&self) -> Voice {
        let is_terminal = io::stderr().is_terminal();
        let display = || Display::new(is_terminal, self.error_style().width, Instant::now());
        Voice::new((!self.quiet).then(display))
    }
}

/// What was found out about counters before anything is measured.
pub(super) struct Found {
    /// The source of cycles.
    pub(super) counters: Counters,
    /// Whether the clock stands in for the hardware.
    pub(super) or_clock: bool,
    /// What each of the hardware's is good for.
    pub(super) events: Vec<EventState>,
    /// Where they were checked: it holds of no other CPU.
    pub(super) cpu: Option<u32>,
}

impl Found {
    fn of(events: Vec<EventState>) -> Found {
        Found {
            counters: Counters::Clock,
            or_clock: false,
            events,
            cpu: None,
        }
    }
}

/// Whether counters may be a script, whose numbers nothing measures: the tests of this program say so in its
/// environment, and every report that comes of it says that it did.
pub(super) fn allows_scripts() -> bool {
    std::env::var_os("DISPATCHLAB_SCRIPTED").is_some_and(|value| value == "tests")
}

fn fake_script(path: &str) -> Result<FakeScript, Stop> {
    let wrong =
        |why: &dyn std::fmt::Display| Stop::Usage(format!("`--counters fake:{path}`: {why}"));
    const LONGEST: u64 = 64 << 20;
    let text = files::read(Path::new(path), LONGEST).map_err(|error| wrong(&error))?;
    let text = String::from_utf8(text).map_err(|error| wrong(&error))?;
    let script = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    job_check::fake(&script).map_err(|problem| wrong(&problem))?;
    Ok(script)
}
