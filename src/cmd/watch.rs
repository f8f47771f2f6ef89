//! `watch`: files measured again whenever they are saved.
//!
//! Correct means: from a save to its first number nothing is done that could have been done before; a wrong text, a
//! missing file and a crash cost their own number and nothing else; and a signal ends it and leaves no process.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use super::compare::{self, is_report, pick};
use super::names::bind;
use super::{Common, Stop, check_output, print_plain};
use crate::live::{Earlier, Of, Outcome, Subject, Update, plain};
use crate::machine::{CoreClock, Machine};
use crate::pipeline::{Settings, Task, follow};
use crate::report::saved::SavedReport;
use crate::scenario::{Scenario, parse_name};
use crate::sys::interrupt;
use crate::sys::saves::{Saves, Woken};
use crate::template::library::{Library, path_of};
use crate::template::{Origin, Template};
use crate::text::diagnostic;
use crate::worker::parent::Beside;
use crate::worker::standby;

#[cfg_attr(not(feature = "view"), path = "watch/no_view.rs")]
mod view;

/// How it is asked for.
pub(super) struct Asked<'a> {
    pub(super) names: &'a [String],
    pub(super) baseline: Option<&'a str>,
    pub(super) is_plain: bool,
}

pub(super) fn watch(common: &Common, asked: &Asked<'_>) -> Result<i32, Stop> {
    check_output()?;
    let is_log = asked.is_plain || !io::stdout().is_terminal();
    if !is_log {
        view::check()?;
    }
    interrupt::watch();
    standby::prepare();
    let mut watch = Watch::open(common, asked)?;
    watch.settings.listing = !is_log;
    match is_log {
        true => watch.go_on(&mut Log::new(common)),
        false => view::on_screen(common, watch),
    }
}

/// What somebody wants who looks on.
#[cfg_attr(
    not(feature = "view"),
    expect(dead_code, reason = "a log has nobody who wishes anything")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// To leave, with this exit code.
    Leave(i32),
    /// To measure again without a save.
    Run,
    /// To hold later runs against the last one.
    Pin,
    /// To forget the runs so far.
    Clear,
}

/// Where updates go, and where wishes come from.
trait Shows {
    /// Shows what became of a save.
    fn show(&mut self, seen: &Seen<'_>) -> Result<(), Stop>;

    /// Says what must be known of the run as a whole.
    fn warn(&mut self, warnings: &[String]);

    /// What to wait for beside the files.
    fn streams(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Hears what came from there; whether there is a wish.
    fn hear(&mut self) -> bool {
        false
    }

    /// The next wish that was heard.
    fn wish(&mut self) -> Option<Wish> {
        None
    }
}

/// What there is to show.
#[cfg_attr(
    not(feature = "view"),
    expect(
        dead_code,
        reason = "a log shows what became of a save, and not its text"
    )
)]
struct Seen<'a> {
    /// Which of the files.
    at: usize,
    subject: &'a Subject,
    /// The file itself.
    path: &'a Path,
    /// What ran, where anything did.
    task: Option<&'a Task>,
    update: &'a Update,
}

/// The files, and how they are measured.
struct Watch<'a> {
    common: &'a Common,
    library: Library,
    parameters: Vec<(String, String)>,
    settings: Settings,
    saves: Saves,
    followed: Vec<Followed>,
}

/// What all files are held against from their first run on.
enum Baseline {
    Measured(Box<Earlier>),
    Saved(Box<SavedBaseline>),
}

/// A report that was saved.
struct SavedBaseline {
    file: String,
    report: SavedReport,
}

fn read_report(name: &str) -> Result<SavedBaseline, String> {
    Ok(SavedBaseline {
        file: name.to_string(),
        report: compare::read(&path_of(name))?,
    })
}

fn said_of_baseline(name: &str, why: &str) -> Stop {
    Stop::Usage(format!("`--baseline {name}`: {why}"))
}

/// A file, and all that its text is read from.
struct Followed {
    name: String,
    /// None only while it is measured.
    subject: Option<Subject>,
    paths: BTreeSet<PathBuf>,
}

impl<'a> Watch<'a> {
    /// Measures all, and then each that is saved, until a signal or a wish ends it.
    fn go_on(mut self, shows: &mut dyn Shows) -> Result<i32, Stop> {
        self.run(|_| true, shows)?;
        loop {
            if let Some(signal) = interrupt::seen() {
                return Ok(128 + signal);
            }
            while let Some(wish) = shows.wish() {
                match wish {
                    Wish::Leave(code) => return Ok(code),
                    Wish::Run => self.run(|_| true, shows)?,
                    Wish::Pin => self.change(Subject::pinned),
                    Wish::Clear => self.change(Subject::cleared),
                }
            }
            standby::prepare();
            match self.saves.wait(&shows.streams())? {
                Woken::Saved(changed) => {
                    let is_meant =
                        |one: &Followed| changed.iter().any(|path| one.paths.contains(path));
                    self.run(is_meant, shows)?;
                }
                Woken::Asked | Woken::Nothing => {
                    shows.hear();
                }
            }
        }
    }

    fn change(&mut self, change: impl Fn(Subject) -> Subject) {
        for one in &mut self.followed {
            one.subject = one.subject.take().map(&change);
        }
    }

    /// Finds the files, and refuses what no editor saves.
    fn open(common: &'a Common, asked: &Asked<'_>) -> Result<Watch<'a>, Stop> {
        let mut watch = Watch {
            common,
            library: common.library()?,
            parameters: common.parameters()?,
            settings: common.settings(None)?,
            saves: Saves::new(),
            followed: Vec::new(),
        };
        let baseline = asked.baseline.map(|name| watch.baseline(name));
        let baseline = baseline.transpose()?;
        for name in asked.names {
            let paths = watch.paths_of(name)?;
            let subject = Subject::new(name);
            let subject = match &baseline {
                Some(baseline) => subject.with_baseline(watch.earlier(baseline, name)?),
                None => subject,
            };
            watch.followed.push(Followed {
                name: name.clone(),
                subject: Some(subject),
                paths,
            });
        }
        watch.follow();
        Ok(watch)
    }

    /// The files of a name that somebody can save.
    fn paths_of(&self, name: &str) -> Result<BTreeSet<PathBuf>, Stop> {
        if name == "-" {
            let message = "`watch -`: standard input is not saved; name a file";
            return Err(Stop::Usage(message.into()));
        }
        let scenario = match bind(&self.library, name, &self.parameters) {
            Ok(scenario) => scenario,
            // It is there, and wrong: that is what it is followed for.
            Err(Stop::Templates(_)) => return Ok(own_paths(name)),
            Err(other) => return Err(other),
        };
        self.common.tell(&scenario.template);
        match &scenario.template.origin {
            Origin::File(_) => Ok(all_paths(name, &scenario)),
            Origin::Embedded | Origin::Stdin => {
                let template = &scenario.template.name;
                Err(Stop::Usage(format!(
                    "`watch {name}`: that is built in, and nobody saves it; `dispatchlab new mine --from {template}` \
                     writes a file to edit"
                )))
            }
        }
    }

    /// What is to be the baseline of all: a template is measured, a saved report read.
    fn baseline(&self, name: &str) -> Result<Baseline, Stop> {
        if !is_report(name) {
            return Ok(Baseline::Measured(Box::new(self.measured(name)?)));
        }
        let report = read_report(name).map_err(|why| said_of_baseline(name, &why))?;
        Ok(Baseline::Saved(Box::new(report)))
    }

    /// The baseline of one file: of a report the row of its name, or the only one.
    fn earlier(&self, baseline: &Baseline, name: &str) -> Result<Earlier, Stop> {
        let report = match baseline {
            Baseline::Measured(earlier) => return Ok((**earlier).clone()),
            Baseline::Saved(report) => report,
        };
        // A text that is wrong at the moment has no name yet.
        let scenario = bind(&self.library, name, &self.parameters).ok();
        let scenario = scenario.as_ref().map(|one| one.name.as_str());
        let saved = pick(&report.file, &report.report, scenario)?;
        let then = &saved.provenance;
        let now = Machine::inspect(&self.settings.plan, &self.settings.events);
        let now = now.provenance(None, &CoreClock::default(), self.settings.plan.seed);
        let is_own_machine = (&then.cpu, &then.hypervisor) == (&now.cpu, &now.hypervisor);
        Ok(Earlier {
            name: format!("{} of {}", saved.file, then.date),
            of: Of::Report { is_own_machine },
            row: saved.row,
        })
    }

    /// A baseline that is another file.
    fn measured(&self, name: &str) -> Result<Earlier, Stop> {
        let task = Task::new(&bind(&self.library, name, &self.parameters)?);
        if let Err(wrong) = task.prepared {
            return Err(Stop::Templates(wrong));
        }
        let found = follow::in_turns(&[], &task, &self.settings, &mut || false)?;
        let row = found
            .map(|found| found.row)
            .filter(|row| row.metrics.is_some());
        row.map(|row| Earlier {
            name: name.to_string(),
            of: Of::Text(Box::new(task)),
            row,
        })
        .ok_or_else(|| {
            Stop::Usage(format!(
                "`--baseline {name}`: it has no numbers to hold others against; `dispatchlab run {name}` says why"
            ))
        })
    }

    /// Follows what the texts are read from now.
    fn follow(&mut self) {
        let paths = self.followed.iter().flat_map(|one| &one.paths);
        self.saves.follow(paths.cloned().collect::<Vec<_>>());
    }

    /// Measures those of the files that are meant.
    fn run(
        &mut self,
        is_meant: impl Fn(&Followed) -> bool,
        shows: &mut dyn Shows,
    ) -> Result<(), Stop> {
        for at in 0..self.followed.len() {
            if !is_meant(&self.followed[at]) {
                continue;
            }
            let Some(subject) = self.followed[at].subject.take() else {
                continue;
            };
            let subject = self.run_one(at, subject.saved(), shows)?;
            self.followed[at].subject = Some(subject);
        }
        Ok(())
    }

    /// Measures one, first at once and then in turns with those before.
    fn run_one(
        &mut self,
        at: usize,
        subject: Subject,
        shows: &mut dyn Shows,
    ) -> Result<Subject, Stop> {
        let name = self.followed[at].name.clone();
        let path = own_path(&name);
        let show =
            |shows: &mut dyn Shows, subject: &Subject, task: Option<&Task>, update: &Update| {
                shows.show(&Seen {
                    at,
                    subject,
                    path: &path,
                    task,
                    update,
                })
            };
        let scenario = match bind(&self.library, &name, &self.parameters) {
            Ok(scenario) => scenario,
            Err(stop) => {
                let update = subject.without_number(unread(&name, stop)?);
                show(shows, &subject, None, &update)?;
                return Ok(subject);
            }
        };
        let task = Task::new(&scenario);
        self.follow_texts(at, all_paths(&name, &scenario));
        if let Err(wrong) = &task.prepared {
            let update = subject.without_number(Outcome::Wrong(wrong.clone()));
            show(shows, &subject, None, &update)?;
            return Ok(subject);
        }
        let mut settings = self.settings.clone();
        let _core = self.common.claim_core(&mut settings);
        let Some(row) = follow::at_once(&task, &settings)? else {
            return Ok(subject);
        };
        let has_numbers = row.metrics.is_some();
        show(shows, &subject, Some(&task), &subject.at_once(row.clone()))?;
        if !has_numbers {
            return Ok(subject);
        }
        if self.saves.is_any() {
            return Ok(subject.remembering(task, row));
        }
        let earlier = subject.earlier().into_iter();
        let earlier: Vec<&Task> = earlier.filter_map(Earlier::task).collect();
        let mut sooner = Sooner {
            saves: &mut self.saves,
            shows: &mut *shows,
            is_ready: false,
        };
        let Some(found) = follow::in_turns(&earlier, &task, &settings, &mut sooner)? else {
            return Ok(subject.remembering(task, row));
        };
        let own = found.row.warnings.iter();
        let own = own.map(|warning| format!("{}: {warning}", found.row.scenario));
        shows.warn(&[found.warnings.clone(), own.collect()].concat());
        let (subject, update) = subject.in_turns(task.clone(), found);
        show(shows, &subject, Some(&task), &update)?;
        Ok(subject)
    }

    /// Follows the files that a text is read from now.
    fn follow_texts(&mut self, at: usize, paths: BTreeSet<PathBuf>) {
        if self.followed[at].paths != paths {
            self.followed[at].paths = paths;
            self.follow();
        }
    }
}

/// A number that is being refined is given up for that of the next save, whose worker gets ready meanwhile.
struct Sooner<'a> {
    saves: &'a mut Saves,
    shows: &'a mut dyn Shows,
    is_ready: bool,
}

impl Beside for Sooner<'_> {
    fn work(&mut self) -> bool {
        if !self.is_ready {
            standby::prepare();
        }
        !std::mem::replace(&mut self.is_ready, true)
    }

    fn streams(&self) -> Vec<BorrowedFd<'_>> {
        let mut streams = self.shows.streams();
        streams.extend(self.saves.stream());
        streams
    }

    fn is_over(&mut self) -> bool {
        self.shows.hear() || self.saves.is_any()
    }
}

/// The file that a name means first of all.
fn own_path(name: &str) -> PathBuf {
    own_paths(name)
        .into_iter()
        .next()
        .unwrap_or_else(|| path_of(name))
}

/// The files that a name itself may mean.
fn own_paths(name: &str) -> BTreeSet<PathBuf> {
    let template = parse_name(name).map_or_else(|_| name.to_string(), |(template, _)| template);
    let file = format!("{template}.asm");
    let all = [name, &template, &file].map(path_of);
    let there: BTreeSet<PathBuf> = all.iter().filter(|path| path.is_file()).cloned().collect();
    match there.is_empty() {
        true => BTreeSet::from([path_of(&template)]),
        false => there,
    }
}

/// Those, and all that the text takes in.
fn all_paths(name: &str, scenario: &Scenario) -> BTreeSet<PathBuf> {
    let template: &Template = &scenario.template;
    let included = template.includes.texts.iter().map(|one| &one.origin);
    let origins = std::iter::once(&template.origin).chain(included);
    let files = origins.filter_map(|origin| match origin {
        Origin::File(path) => Some(path_of(&path.to_string_lossy())),
        Origin::Embedded | Origin::Stdin => None,
    });
    let recorded = scenario.recording_path().map(path_of);
    let mut paths = own_paths(name);
    paths.extend(files.chain(recorded));
    paths
}

/// Why a text cannot be read at the moment.
///
/// # Errors
/// What has nothing to do with the file.
fn unread(name: &str, stop: Stop) -> Result<Outcome, Stop> {
    let is_gone = || !own_paths(name).iter().any(|path| path.is_file());
    match stop {
        Stop::Templates(wrong) => Ok(Outcome::Wrong(wrong)),
        Stop::Usage(_) if is_gone() => Ok(Outcome::Gone),
        Stop::Usage(why) => Ok(Outcome::Refused(why)),
        other => Err(other),
    }
}

/// A log: results go to stdout, a line or two each, and what is wrong with a text to stderr, as `run` has it.
struct Log<'a> {
    common: &'a Common,
    warned: BTreeSet<String>,
}

impl<'a> Log<'a> {
    fn new(common: &'a Common) -> Log<'a> {
        Log {
            common,
            warned: BTreeSet::new(),
        }
    }
}

impl Shows for Log<'_> {
    fn show(&mut self, seen: &Seen<'_>) -> Result<(), Stop> {
        print_plain(&plain::render(seen.update, self.common.style()))?;
        if let Outcome::Wrong(wrong) = &seen.update.outcome {
            self.common
                .say(&diagnostic::render(wrong, self.common.error_style()));
        }
        Ok(())
    }

    /// Each of these once.
    fn warn(&mut self, warnings: &[String]) {
        for warning in warnings {
            if self.warned.insert(warning.clone()) {
                self.common.warn(&format!("warning: {warning}\n"));
            }
        }
    }
}
