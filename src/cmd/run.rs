//! `run`: measure, and print a report.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::common::allows_scripts;
use super::names::{inputs, resolve, said};
use super::output::{Escapes, Input, Output};
use super::overlay;
use super::progress::Voice;
use super::record;
use super::{Common, Stop, When, check_output, misses, print};
use crate::job::file::{self, SavedJob};
use crate::job::{Ask, Counters};
use crate::pipeline::{self, Settings, Task};
use crate::report::compiled::Compiled;
use crate::report::terminal::{self, markdown, plot};
use crate::report::{Report, csv, gobench, json, page};
use crate::scenario::Scenario;
use crate::sys::files;
use crate::template::Suite;
use crate::text::content::Content;
use crate::text::paths::named;
use crate::text::printable;
use crate::verdict;
use crate::worker::parent::Told;
use crate::worker::standby;

/// What is read and written besides names and report.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Files {
    #[command(flatten)]
    exports: Exports,
    /// Save what is about to run, to replay it with --job
    #[arg(long, value_name = "FILE")]
    save_job: Option<PathBuf>,
    /// Replay a saved job; no template is read
    #[arg(long, value_name = "FILE")]
    job: Option<PathBuf>,
    /// Hold each row without the overlay against the same row with it, in turns; rows with the same
    /// bytes are not measured
    #[arg(long)]
    compare: bool,
}

/// Where the report goes besides stdout, and how much of it.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Exports {
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    export_json: Option<PathBuf>,
    /// Also write the report as CSV, a line for each number
    #[arg(long, value_name = "FILE")]
    export_csv: Option<PathBuf>,
    /// Also write the report as a Markdown table
    #[arg(long, value_name = "FILE")]
    export_markdown: Option<PathBuf>,
    /// Also write the report as a page to look at, whole by itself
    #[arg(long, value_name = "FILE")]
    export_html: Option<PathBuf>,
    /// Also write the report as benchmarks of Go have it, for benchstat
    #[arg(long, value_name = "FILE")]
    export_gobench: Option<PathBuf>,
    /// When to draw under the table: samples, ratios, curves or a map [default: on a terminal, of up to 24 rows]
    #[arg(long, value_enum, default_value_t = When::Auto, hide_default_value = true)]
    plot: When,
    /// Put the raw samples into the JSON
    #[arg(long)]
    pub(super) samples: bool,
    /// What `go` has had compiled, which its report says beside the rows.
    #[arg(skip)]
    pub(super) compiled: Option<Compiled>,
}

impl Files {
    /// Only these reports, and nothing else read or written.
    pub(super) fn only(exports: Exports) -> Files {
        Files {
            exports,
            ..Files::default()
        }
    }
}

/// How a report is rendered.
type Renderer = fn(&Report) -> String;

/// The files that the options name, all known to be writable.
pub(super) struct Outputs {
    exports: Vec<(Output, Renderer, Escapes)>,
    job: Option<Output>,
    plot: When,
    compiled: Option<Compiled>,
}

impl Outputs {
    /// Looks at all of them before anything runs, so that nothing is measured that cannot be written, and nothing
    /// is written over what this run reads.
    pub(super) fn open(
        files: &Exports,
        job: Option<&PathBuf>,
        inputs: &[Input],
    ) -> Result<Outputs, Stop> {
        let Exports {
            export_json,
            export_csv,
            export_markdown,
            export_html,
            export_gobench,
            plot,
            samples: _,
            compiled,
        } = files;
        let mut exports = Vec::new();
        let mut want = |option, path: &Option<PathBuf>, renderer: Renderer, escapes: Escapes| {
            if let Some(path) = path {
                exports.push((Output::open(option, path)?, renderer, escapes));
            }
            Ok::<_, Stop>(())
        };
        want("--export-json", export_json, json::render, printable::json)?;
        want("--export-csv", export_csv, csv::render, printable::lines)?;
        want(
            "--export-markdown",
            export_markdown,
            markdown::render,
            printable::lines,
        )?;
        want("--export-html", export_html, page::render, printable::lines)?;
        want(
            "--export-gobench",
            export_gobench,
            gobench::render,
            printable::lines,
        )?;
        let job = job
            .map(|path| Output::open("--save-job", path))
            .transpose()?;
        let all: Vec<&Output> = exports
            .iter()
            .map(|(output, ..)| output)
            .chain(&job)
            .collect();
        Output::check(&all, inputs)?;
        if all.is_empty() {
            // What is measured would be lost.
            check_output()?;
        }
        let plot = *plot;
        Ok(Outputs {
            exports,
            job,
            plot,
            compiled: compiled.clone(),
        })
    }

    /// Writes the files, and prints the report and its warnings.
    pub(super) fn write(self, common: &Common, report: &Report, voice: Voice) -> Result<(), Stop> {
        voice.tell(Told::Step("writing the report"));
        let warnings = match common.json {
            true => terminal::warnings(report, common.error_style()),
            false => terminal::warnings_beside(report, common.error_style()),
        };
        let mut report = record::precede(common, report).into_owned();
        // Counters that were refused meanwhile, and rows of a file, differ from what was planned.
        verdict::settle(&mut report.provenance.sources, &report.rows);
        report.compiled = self.compiled;
        report.provenance.command = std::env::args_os().skip(1).map(named).collect();
        let report = &report;
        let rendered = match (common.json, common.verbose) {
            (true, _) => printable::json(&json::render(report)).into_owned(),
            (false, true) => terminal::in_full(report, common.style()),
            (false, false) => terminal::render(report, common.style()),
        };
        let is_drawn = match self.plot {
            When::Always => !common.json,
            When::Never => false,
            When::Auto => !common.json && io::stdout().is_terminal() && is_short(report),
        };
        let plot = match is_drawn {
            true => plot::render(report, common.style()),
            false => String::new(),
        };
        let rendered = match plot.is_empty() {
            true => rendered,
            false => format!("{rendered}\n{plot}"),
        };
        // An empty report would take the place of one that has rows.
        let is_empty = report.interrupted.is_some() && report.rows.is_empty();
        let exports = self.exports.into_iter().filter(|_| !is_empty);
        // A full disk or a closed pipe on one side takes nothing from the others.
        let written =
            exports.map(|(output, render, escapes)| output.write(&render(report), escapes));
        let mut failed: Vec<Stop> = written.filter_map(Result::err).collect();
        // It would speak between the lines of the report.
        drop(voice);
        failed.extend(print(&rendered).err());
        common.say(&warnings);
        Stop::all(failed, common.error_style())
    }
}

/// Whether what is drawn of a report is looked at whole: a sweep is one drawing, of rows each has a line.
fn is_short(report: &Report) -> bool {
    const ROWS: usize = 24;
    report.sweep.is_some() || report.rows.len() <= ROWS
}

impl Exports {
    /// Whether somebody gets the report who may want to know what code it is of.
    pub(super) fn has_document(&self, common: &Common) -> bool {
        common.json || self.export_json.is_some() || self.export_html.is_some()
    }

    /// Refuses samples that would be put nowhere.
    pub(super) fn check_samples(&self, common: &Common) -> Result<(), Stop> {
        if self.samples && self.export_json.is_none() && !common.json {
            let message =
                "`--samples` puts the raw samples into the JSON; add --json or --export-json FILE";
            return Err(Stop::Usage(message.into()));
        }
        Ok(())
    }
}

pub(super) fn run(common: &Common, names: &[String], files: &Files) -> Result<i32, Stop> {
    files.exports.check_samples(common)?;
    if files.compare {
        if files.job.is_some() || files.save_job.is_some() {
            let message =
                "`--compare` reads templates and saves no job; leave --job and --save-job out";
            return Err(Stop::Usage(message.into()));
        }
        return overlay::compare(common, names, &files.exports);
    }
    let voice = common.progress();
    let report = match &files.job {
        Some(_) if !names.is_empty() => {
            let message = "`--job` replays what was saved; leave the names out";
            return Err(Stop::Usage(message.into()));
        }
        Some(path) => {
            let (tasks, settings) = from_job(common, path)?;
            let inputs: Vec<Input> = Input::at(path).into_iter().collect();
            measure(
                common,
                files,
                What::Prepared(tasks),
                settings,
                (&inputs, voice),
            )?
        }
        None => {
            let tour = ["tour".to_string()];
            let names = if names.is_empty() { &tour } else { names };
            // A worker gets ready while this process reads and assembles: for one name that is most of the wait, and for
            // many it is not worth a process that a signal or a limit may meet first.
            if common.quick && names.len() == 1 && files.save_job.is_none() {
                standby::prepare();
            }
            let wanted = resolve(common, names)?;
            let inputs = inputs(common, names, &wanted.scenarios)?;
            let mut settings = common.settings(wanted.reference)?;
            let rows = wanted.scenarios.iter().map(|one| &one.name[..]);
            settings.said = said(common, &wanted.suites, rows)?;
            let by_section = wanted.suites.iter().any(Suite::has_sections);
            let has_figures = wanted.suites.iter().any(Suite::has_figures);
            if common.time.is_none() {
                settings.plan.share_time(wanted.scenarios.len());
            }
            let is_measured = settings.plan.counters != Counters::None;
            // Rows with published figures, as the book's are, are many and not about predictors.
            if is_measured && !common.quick && !has_figures {
                settings.plan.modelled = misses::BESIDE;
            }
            let what = match files.save_job {
                Some(_) => {
                    let objects = wanted.scenarios.iter().map(|one| u64::from(one.objects));
                    let objects = objects.fold(0, u64::saturating_add);
                    if objects > file::MAX_OBJECTS {
                        let why = file::too_many_objects(objects);
                        return Err(Stop::Usage(format!("this job cannot be saved: {why}")));
                    }
                    let prepared = wanted.scenarios.iter();
                    What::Prepared(
                        prepared
                            .map(|one| Task::told(one, &mut voice.telling()))
                            .collect(),
                    )
                }
                None => What::Named(wanted.scenarios),
            };
            let mut measured = measure(common, files, what, settings, (&inputs, voice))?;
            measured.0.by_section = by_section;
            measured
        }
    };
    let (report, outputs, voice) = report;
    outputs.write(common, &report, voice)?;
    Ok(pipeline::exit_code(&report))
}

/// What to measure.
enum What {
    /// Prepared already, as it is or is to be saved.
    Prepared(Vec<Task>),
    /// To be prepared when their turn comes.
    Named(Vec<Scenario>),
}

/// Measures, where all files can be written that are to be.
fn measure(
    common: &Common,
    files: &Files,
    what: What,
    settings: Settings,
    (inputs, voice): (&[Input], Voice),
) -> Result<(Report, Outputs, Voice), Stop> {
    let mut settings = Settings {
        samples: files.exports.samples,
        listing: files.exports.has_document(common),
        ..settings
    };
    let _core = common.claim_core(&mut settings);
    let mut outputs = Outputs::open(&files.exports, files.save_job.as_ref(), inputs)?;
    if let (Some(output), What::Prepared(tasks)) = (outputs.job.take(), &what) {
        save(common, output, tasks, &settings)?;
    }
    let mut progress = voice.telling();
    let report = match what {
        What::Prepared(tasks) => pipeline::measure(tasks, &settings, &mut progress)?,
        What::Named(scenarios) => pipeline::run(&scenarios, &settings, &mut progress)?,
    };
    drop(progress);
    Ok((report, outputs, voice))
}

/// A saved job with its own plan, over which the command line's options win.
fn from_job(common: &Common, path: &Path) -> Result<(Vec<Task>, Settings), Stop> {
    let names_files = common.templates.is_some() || common.overlay.is_some();
    if !common.parameters.is_empty() || names_files {
        let message = "`--job` replays what was saved: its parameters and templates are in the file; leave -p, --templates and --overlay out";
        return Err(Stop::Usage(message.into()));
    }
    let reads_a_listing = common.call.is_some() || !common.arguments.is_empty();
    if reads_a_listing || common.syntax.is_some() || common.separator.is_some() {
        let message = "`--job` replays what was saved as it was read; leave --call, --arg, --syntax and --separator out";
        return Err(Stop::Usage(message.into()));
    }
    let saved = read_job(path)?;
    let mut plan = saved.job().plan.clone();
    let found = common.counters(Some(plan.counters).filter(|_| !plan.or_clock))?;
    if matches!(found.counters, Counters::Fake(_)) && !allows_scripts() {
        return Err(Stop::Job(format!(
            "{}: plan.counters: a script stands there, so no number would be measured; --counters clock measures \
             the rows of this job",
            named(path)
        )));
    }
    (plan.counters, plan.or_clock) = (found.counters, found.or_clock);
    // A replay measures, even where the job was saved of one that was stepped.
    plan.ask = Ask::Measure;
    let settings = Settings {
        plan: common.plan_over(plan)?,
        timeout: common.checked_timeout()?.unwrap_or(saved.timeout()),
        reference: saved.reference().map(str::to_string),
        said: saved.said().clone(),
        samples: false,
        listing: false,
        events: found.events,
        cpu: found.cpu,
        disturbance: None,
        overlay: None,
    };
    Ok((pipeline::saved(&saved), settings))
}

fn read_job(path: &Path) -> Result<SavedJob, Stop> {
    let cannot = |why: &dyn std::fmt::Display| {
        Stop::Usage(format!("`--job {}`: cannot read it: {why}", named(path)))
    };
    let bytes = match path == Path::new("-") {
        true => {
            let mut bytes = Vec::new();
            let read = io::stdin()
                .take(file::MAX_BYTES + 1)
                .read_to_end(&mut bytes);
            read.map(|_| bytes)
        }
        false => files::read(path, file::MAX_BYTES + 1),
    }
    .map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            cannot(&"there is no such file; `dispatchlab run NAME --save-job FILE` writes one")
        }
        io::ErrorKind::IsADirectory => cannot(&"it is a folder"),
        _ => cannot(&error),
    })?;
    let wrong = |why: &dyn std::fmt::Display| Stop::Job(format!("{}: {why}", named(path)));
    if bytes.len() as u64 > file::MAX_BYTES {
        let limit = file::MAX_BYTES >> 20;
        return Err(wrong(&format!("a saved job has at most {limit} MiB")));
    }
    match Content::of(&bytes) {
        Some(content) if content != Content::Job && content != Content::Json => {
            return Err(wrong(&format!("this is no saved job; it is {content}")));
        }
        _ => {}
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong(&file::ReadError::Foreign))?;
    file::read(&text).map_err(|error| wrong(&error))
}

/// Writes the job before it runs: whatever happens then can be replayed.
fn save(common: &Common, output: Output, tasks: &[Task], settings: &Settings) -> Result<(), Stop> {
    let mut rows = Vec::new();
    for task in tasks {
        match &task.prepared {
            Ok(prepared) => rows.push((task.scenario.clone(), prepared.row.clone())),
            Err(_) => common.warn(&format!(
                "warning: {} does not assemble and is left out of the saved job\n",
                task.scenario.name
            )),
        }
    }
    if rows.is_empty() {
        common.warn("warning: nothing assembles, so no job is saved\n");
        return Ok(());
    }
    let (plan, reference) = (settings.plan.clone(), settings.reference.clone());
    let text = SavedJob::new(plan, settings.timeout, reference, rows)
        .map_err(|problem| problem.to_string())
        .and_then(|job| job.with_said(&settings.said).write())
        .map_err(|why| Stop::Usage(format!("this job cannot be saved: {why}")))?;
    output.write(&text, printable::json)
}
