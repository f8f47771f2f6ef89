//! The whole flow, from names to a Report: the table of contents in code.
//!
//! Correct means: every scenario asked for is one row of the report, in the order asked for,
//! whatever happened to it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::apart;
use crate::asm::{self, Program, Section, SectionKind};
use crate::counter::pmu::EventState;
use crate::diagnostic::Diagnostic;
use crate::go::heap::{Heap, HeapSpec, lay_out};
use crate::go::{hash, runtime, symbol};
use crate::injection::{self, Injection, Refusal};
use crate::job::file::SavedJob;
use crate::job::{Counters, JobRow, Plan, check};
use crate::link::{Image, LinkError, Placement, Site, Variant, link, link_with_data};
use crate::machine::Machine;
use crate::report::samples::Samples;
use crate::report::steps::Steps;
use crate::report::{Report, Row, Status};
use crate::scenario::{Order, Scenario};
use crate::stats::Timing;
use crate::steps;
use crate::template::{HeapKind, Template, closest};
use crate::verdict;
use crate::worker::parent::{self, Meanwhile, Progress, RowOutcome};

pub mod ablate;
pub mod compare;
pub mod predict;
pub mod sweep;

/// Address at which code is linked to be shown; nothing runs there.
pub const SHOWN_CODE: u64 = 0x10_0000;
/// Address at which data are linked to be shown.
pub const SHOWN_DATA: u64 = 0x80_0000;

/// How to run a list of scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How to measure.
    pub plan: Plan,
    /// How long a worker may make no entry.
    pub timeout: Duration,
    /// The row that ratios refer to.
    pub reference: Option<String>,
    /// Whether the report keeps the raw samples.
    pub samples: bool,
    /// What the hardware counters are good for, as it was found out before.
    pub events: Vec<EventState>,
}

/// A scenario, and what it was assembled to or why it was not.
#[derive(Debug, Clone)]
pub struct Task {
    /// What was asked for.
    pub scenario: Scenario,
    /// What runs.
    pub prepared: Result<Prepared, Vec<Diagnostic>>,
    /// What the reader must know beside what measuring it shows.
    pub warning: Option<String>,
    /// Why its results are not compared, where they could be.
    pub unchecked: Option<String>,
}

impl Task {
    /// Expands, assembles, lays out and links a scenario.
    pub fn new(scenario: &Scenario) -> Task {
        Task {
            scenario: scenario.clone(),
            prepared: prepare(scenario),
            warning: None,
            unchecked: None,
        }
    }

    /// The task, refused where a worker has no room for its images.
    fn within(self, placements: usize) -> Task {
        let template = Arc::clone(&self.scenario.template);
        let refused =
            |problem: check::Problem| vec![template.at_line(1, problem.to_string(), None)];
        let prepared = self.prepared.and_then(|mut prepared| {
            if check::room(&prepared.row, placements).is_err() {
                // Two images less, before the whole row is refused.
                let why = "there is no room for two more images of it; lower `--placements`";
                prepared.row.injection = Injection::None(why.into());
            }
            check::room(&prepared.row, placements).map_err(refused)?;
            Ok(prepared)
        });
        Task { prepared, ..self }
    }

    /// A row of a saved job: its bytes run, whatever this version makes of its template.
    fn saved(scenario: &Scenario, row: &JobRow) -> Task {
        const CHANGED: &str = "the saved bytes were measured, but this version assembles the template \
             that is saved with them to others; save the job again to measure those";
        let is_changed = prepare(scenario).map_or(true, |prepared| prepared.row != *row);
        Task {
            scenario: scenario.clone(),
            prepared: complete(scenario, row.clone()),
            warning: is_changed.then(|| CHANGED.to_string()),
            unchecked: None,
        }
    }
}

/// Assembles, runs, summarizes.
///
/// # Errors
/// When no worker can be started at all.
pub fn run(
    scenarios: &[Scenario],
    settings: &Settings,
    progress: Progress<'_>,
) -> io::Result<Report> {
    let mut session = Session::new(settings);
    let mut batches = batches(scenarios).peekable();
    let mut ready = Vec::new();
    while let Some(batch) = batches.next() {
        let mut tasks = std::mem::take(&mut ready);
        let unready = &batch[tasks.len()..];
        tasks.extend(unready.iter().map(Task::new));
        let next = batches.peek().copied().unwrap_or_default();
        // The next ones get ready while these are proved.
        let mut meanwhile = || {
            let scenario = next.get(ready.len());
            ready.extend(scenario.map(Task::new));
            scenario.is_some()
        };
        session.measure(tasks, progress, &mut meanwhile)?;
    }
    Ok(session.report().report)
}

/// Neighbours that one worker has in memory together: a suite of rows over a million objects each
/// would not fit a small machine, and behind a row that faults another worker links the rest anew.
fn batches(scenarios: &[Scenario]) -> impl Iterator<Item = &[Scenario]> {
    const MOST_OBJECTS: u64 = 1 << 20;
    const MOST_ROWS: usize = 64;
    let mut rest = scenarios;
    std::iter::from_fn(move || {
        let mut objects = 0;
        let fits = |scenario: &&Scenario| {
            objects += u64::from(scenario.objects);
            objects <= MOST_OBJECTS
        };
        let few = rest.iter().take(MOST_ROWS);
        let count = few.take_while(fits).count().max(1).min(rest.len());
        let (batch, others) = rest.split_at(count);
        rest = others;
        (!batch.is_empty()).then_some(batch)
    })
}

/// The rows of a saved job, ready to be measured.
pub fn saved(job: &SavedJob) -> Vec<Task> {
    job.rows()
        .map(|(scenario, row)| Task::saved(scenario, row))
        .collect()
}

/// Runs, summarizes.
///
/// # Errors
/// When no worker can be started at all.
pub fn measure(
    tasks: Vec<Task>,
    settings: &Settings,
    progress: Progress<'_>,
) -> io::Result<Report> {
    Ok(measured(tasks, settings, progress)?.report)
}

/// A report with what its values are made of.
struct Measured {
    report: Report,
    /// One for each row of the report; `None` where it was not timed.
    timings: Vec<Option<Timing>>,
}

fn measured(tasks: Vec<Task>, settings: &Settings, progress: Progress<'_>) -> io::Result<Measured> {
    let mut session = Session::new(settings);
    session.measure(tasks, progress, &mut || false)?;
    Ok(session.report())
}

/// What the batches of a run have yielded so far.
struct Session<'a> {
    settings: &'a Settings,
    machine: Machine,
    clock: verdict::CoreClock,
    rows: Vec<Row>,
    timings: Vec<Option<Timing>>,
    unfinished: Vec<String>,
    /// The CPU of the first worker; the others go there too.
    cpu: Option<u32>,
    has_run: bool,
    unfiltered: Option<String>,
    interrupted: bool,
}

impl<'a> Session<'a> {
    fn new(settings: &'a Settings) -> Session<'a> {
        Session {
            settings,
            machine: Machine::inspect(&settings.plan, &settings.events),
            clock: verdict::CoreClock::default(),
            rows: Vec::new(),
            timings: Vec::new(),
            unfinished: Vec::new(),
            cpu: None,
            has_run: false,
            unfiltered: None,
            interrupted: false,
        }
    }

    fn measure(
        &mut self,
        tasks: Vec<Task>,
        progress: Progress<'_>,
        meanwhile: Meanwhile<'_>,
    ) -> io::Result<()> {
        if self.interrupted {
            let names = tasks.into_iter().map(|task| task.scenario.name);
            self.unfinished.extend(names);
            return Ok(());
        }
        let settings = self.settings;
        let count = settings.plan.placements.len();
        let tasks: Vec<Task> = tasks.into_iter().map(|task| task.within(count)).collect();
        let prepared = tasks.iter().flat_map(|task| &task.prepared);
        let plan = Plan {
            cpu: settings.plan.cpu.or(self.cpu),
            ..settings.plan.clone()
        };
        let rows: Vec<&JobRow> = prepared.map(|prepared| &prepared.row).collect();
        self.has_run |= !rows.is_empty();
        let outcome = parent::run_beside(&plan, &rows, settings.timeout, progress, meanwhile)?;
        self.machine.has_run(&outcome);
        self.cpu = self.cpu.or(outcome.cpu);
        self.interrupted = outcome.interrupted;
        self.unfiltered = self.unfiltered.take().or(outcome.unfiltered);

        let mut outcomes = outcome.rows.into_iter();
        for task in tasks {
            let scenario = &task.scenario;
            let mut timing = None;
            let mut row = match task.prepared {
                Err(diagnostics) => verdict::unmeasured(scenario, Status::Error(diagnostics)),
                Ok(prepared) => {
                    let row_outcome = outcomes.next().unwrap_or_default();
                    if outcome.interrupted && row_outcome.is_open(&plan) {
                        self.unfinished.push(scenario.name.clone());
                        continue;
                    }
                    timing = row_outcome.timing.clone();
                    verdict::judge(
                        scenario,
                        &prepared,
                        row_outcome,
                        &plan,
                        &self.machine,
                        &mut self.clock,
                    )
                }
            };
            let sampled = timing.as_ref().filter(|_| settings.samples);
            row.samples = sampled.map(Samples::of);
            row.warnings.extend(task.warning);
            if !row.verified && row.metrics.is_some() {
                row.warnings.push(task.unchecked.unwrap_or_else(|| {
                    "no result is stated, so nothing was compared; add `result` and `expect` to the \
                     header"
                        .into()
                }));
            }
            self.rows.push(row);
            self.timings.push(timing);
        }
        Ok(())
    }

    fn report(self) -> Measured {
        let (settings, mut rows) = (self.settings, self.rows);
        let reference = settings
            .reference
            .clone()
            .filter(|name| rows.iter().any(|row| &row.scenario == name));
        verdict::relate(&mut rows, reference.as_deref());
        verdict::hold(&mut rows);
        let cpu = self.cpu.or((!self.has_run).then_some(0));
        let mut warnings = self.machine.warnings(cpu);
        warnings.extend(self.unfiltered.map(|reason| {
            format!(
                "system calls of templates are not stopped here ({reason}); run only templates that \
                 you would run as programs"
            )
        }));
        if self.interrupted {
            warnings.push(format!(
                "interrupted: without a number are {}; run these again",
                self.unfinished.join(", ")
            ));
        }
        let seed = settings.plan.seed;
        let report = Report {
            provenance: self.machine.provenance(self.cpu, &self.clock, seed),
            rows,
            comparisons: Vec::new(),
            changes: Vec::new(),
            sweep: None,
            ablation: None,
            by_section: false,
            reference,
            warnings,
            interrupted: self.interrupted,
        };
        Measured {
            report,
            timings: self.timings,
        }
    }
}

/// A scenario that assembles and links.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What a worker gets.
    pub row: JobRow,
    /// Its data.
    pub heap: Heap,
    /// It, linked at the address where code is shown.
    pub image: Image,
}

impl Prepared {
    /// The row linked where code is shown, at any placement.
    pub fn image_at(&self, placement: Placement, variant: Variant) -> Image {
        let site = Site {
            data: SHOWN_DATA,
            code: SHOWN_CODE,
            placement,
            variant,
        };
        link(&self.row, &self.heap, site).unwrap_or_else(|_| self.image.clone())
    }

    /// The data of an image of [`Prepared::image_at`].
    pub fn data_of(&self, image: &Image) -> Vec<u8> {
        let addresses = &image.data_addresses;
        let mut data = vec![0; (addresses.end - addresses.start) as usize];
        // It has linked before.
        let _ = link_with_data(&self.row, &self.heap, image.site, &mut data);
        data
    }
}

/// Expands, assembles, lays out and links.
///
/// # Errors
/// Everything that is wrong with the template under these parameters.
pub fn prepare(scenario: &Scenario) -> Result<Prepared, Vec<Diagnostic>> {
    if scenario.walk.order == Order::Recorded && scenario.recording.is_none() {
        let message = "`order=@FILE`: the recording was not read".to_string();
        return Err(vec![scenario.template.at_line(1, message, None)]);
    }
    let (mut program, injection) = assemble(scenario)?;
    let setup = program
        .sections
        .iter()
        .find(|section| section.kind == SectionKind::Setup);
    if let Some(setup) = setup.filter(|_| !scenario.work.is_none()) {
        let message = "`setup:` may hold values in the registers that `work` needs".to_string();
        let help = "leave `work` at 0, or move what setup does into the body".to_string();
        return Err(vec![scenario.template.at_line(
            setup.line,
            message,
            Some(help),
        )]);
    }
    let header = &scenario.template.header;
    let objects = if header.heap == HeapKind::None {
        1
    } else {
        scenario.objects
    };
    let heap = heap_spec(scenario);
    runtime::pull_in(&mut program, &heap)
        .map_err(|message| vec![scenario.template.at_line(1, message, None)])?;
    let row = JobRow {
        name: scenario.name.clone(),
        program,
        heap,
        walk: scenario.walk,
        recorded: scenario
            .recording
            .as_ref()
            .map_or_else(Vec::new, |recording| recording.types().to_vec()),
        result: header.result,
        expected: (0..objects)
            .map(|object| scenario.expected(object))
            .collect(),
        clobbers: header.clobbers,
        unroll: header.unroll.max(1),
        spacing: scenario.spacing,
        recover: scenario.recover,
        panics: scenario.panics,
        work: scenario.work,
        align: scenario.align,
        cold: scenario.cold,
        injection,
    };
    complete(scenario, row)
}

/// Lays out and links.
fn complete(scenario: &Scenario, row: JobRow) -> Result<Prepared, Vec<Diagnostic>> {
    let template = &scenario.template;
    let header = &template.header;
    let whole_template = |message: String| vec![template.at_line(1, message, None)];
    check::sizes(&row).map_err(|problem| whole_template(problem.to_string()))?;
    let heap = lay_out(&row.heap).map_err(whole_template)?;
    let placement = crate::link::PLACEMENTS[0];
    let site = Site {
        data: SHOWN_DATA,
        code: SHOWN_CODE,
        placement,
        variant: Variant::Body,
    };
    let image = link(&row, &heap, site).map_err(|errors| {
        let offered = runtime::names(row.heap.release);
        errors
            .iter()
            .map(|error| link_diagnostic(template, &row.program, error, &offered))
            .collect::<Vec<_>>()
    })?;
    if let Some(label) = &header.dispatch {
        let is_bound = row
            .program
            .sections
            .iter()
            .any(|s| s.labels.iter().any(|bound| &bound.name == label));
        if !is_bound {
            let help = "put the label in front of the branch that the template studies, or drop `dispatch`";
            let message = format!("`dispatch` names the label `{label}`, which no section has");
            let line = template.header_line("dispatch");
            return Err(vec![template.at_line(line, message, Some(help.into()))]);
        }
    }
    Ok(Prepared { row, heap, image })
}

/// Assembles, and once more with latency in front of the dispatch branch where that can be.
fn assemble(scenario: &Scenario) -> Result<(Program, Injection), Vec<Diagnostic>> {
    let template = &scenario.template;
    let sections = scenario.expand_by(&apart::render)?;
    let release = scenario.release;
    let hash = move |name: &str| hash::type_hash(release, name);
    let file = template.file_name();
    let context = asm::Context {
        file: &file,
        hash: &hash,
        is_open: false,
    };
    let mut planned = Err(Refusal::Impossible(String::new()));
    let assembled = asm::assemble_and_insert(&sections, &context, |program| {
        planned = injection::plan_for(scenario, program);
        planned.iter().flatten().cloned().collect()
    });
    let (mut program, copies) = assembled.map_err(|mut diagnostics| {
        for diagnostic in &mut diagnostics {
            let own = template.line(diagnostic.line);
            diagnostic.origin = (own != diagnostic.text).then(|| own.to_string());
        }
        diagnostics
    })?;
    let bind = &template.header.bind;
    rename(&mut program.sections, bind);
    let mut injection = injection::of(planned, copies).map_err(|problem| {
        let help =
            "put the label in front of the branch that the template studies, or drop `dispatch`";
        vec![template.at_line(problem.line, problem.message, Some(help.into()))]
    })?;
    if let Injection::Delayed { copies, .. } = &mut injection {
        rename(&mut copies[..], bind);
    }
    Ok((program, injection))
}

/// Gives symbols the names that the header's `bind` says they stand for.
fn rename(sections: &mut [Section], bind: &BTreeMap<String, String>) {
    for fixup in sections.iter_mut().flat_map(|section| &mut section.fixups) {
        if let Some(name) = bind.get(&fixup.symbol) {
            fixup.symbol.clone_from(name);
        }
    }
}

fn heap_spec(scenario: &Scenario) -> HeapSpec {
    let header = &scenario.template.header;
    let objects = if header.heap == HeapKind::None {
        0
    } else {
        scenario.objects
    };
    HeapSpec {
        kind: header.heap,
        types: (0..scenario.types)
            .map(|number| scenario.type_name(number))
            .collect(),
        methods: header.methods.clone(),
        signatures: header.signatures.clone(),
        objects: (0..objects)
            .map(|object| scenario.type_of_object(object))
            .collect(),
        release: scenario.release,
        nil_receiver: scenario.nil_receiver,
        indexed: scenario.indexed,
    }
}

/// `offered` are the runtime's functions, which are there where somebody names them.
fn link_diagnostic(
    template: &Template,
    program: &Program,
    error: &LinkError,
    offered: &[String],
) -> Diagnostic {
    let at_fixup = |section: usize, fixup: usize, message: String, help: Option<String>| {
        let fixup = &program.sections[section].fixups[fixup];
        let mut diagnostic = template.at_line(fixup.line, message, help);
        diagnostic.column = fixup.column;
        diagnostic.width = fixup.symbol.chars().count() as u32 + 2;
        diagnostic
    };
    match error {
        LinkError::Undefined {
            section,
            fixup,
            nearest,
        } => {
            let wanted = symbol::canonical(&program.sections[*section].fixups[*fixup].symbol);
            let is_runtime = wanted.starts_with("runtime.");
            let offered = offered.iter().filter(|_| is_runtime).map(String::as_str);
            let near = closest(&wanted, offered).or(nearest.as_deref());
            let help = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("define it with `func \"{wanted}\":` or `data \"{wanted}\":`"),
            };
            at_fixup(
                *section,
                *fixup,
                format!("nothing defines the symbol \"{wanted}\""),
                Some(help),
            )
        }
        LinkError::Narrow { section, fixup } => at_fixup(
            *section,
            *fixup,
            "an address does not fit into 32 bits".into(),
            Some("use `lea reg, [\"NAME\"]`, or `dq` in data".into()),
        ),
        LinkError::Copied { section, fixup } => {
            let label = &program.sections[*section].fixups[*fixup].symbol;
            at_fixup(
                *section,
                *fixup,
                format!("the body stands there several times, so `{label}` has no one address"),
                Some("take `unroll` out of the header, or jump inside the section only".into()),
            )
        }
        LinkError::MissingFunction {
            function,
            wanted_by,
        } => {
            let line = template.header_line("methods");
            let message = format!(
                "{wanted_by} needs the function \"{function}\", which the template does not define"
            );
            template.at_line(
                line,
                message,
                Some(format!("add a section `func \"{function}\":`")),
            )
        }
        LinkError::Duplicate { section } => {
            let section = &program.sections[*section];
            let message = format!("the symbol \"{}\" is defined twice", section.name);
            template.at_line(
                section.line,
                message,
                Some("rename one of the two sections".into()),
            )
        }
    }
}

/// The exit code of a report: the highest of its rows', or that of an interrupted one.
pub fn exit_code(report: &Report) -> i32 {
    let interrupted = if report.interrupted { 130 } else { 0 };
    let codes = report.rows.iter().map(|row| status_code(&row.status));
    codes.fold(interrupted, i32::max)
}

/// The exit code that one status asks for.
pub fn status_code(status: &Status) -> i32 {
    match status {
        Status::Ok
        | Status::Panic {
            asked_for: true, ..
        } => 0,
        Status::Error(_) => 3,
        Status::Panic { .. }
        | Status::Fault(_)
        | Status::Timeout(_)
        | Status::WrongResult { .. } => 4,
    }
}

/// Single-steps the first iterations of one scenario.
///
/// Where the code ends its worker, what it did until then dies with it; then a second worker steps
/// exactly as far as the first one came.
///
/// # Errors
/// When no worker can be started at all; inside, what is wrong with the template.
pub fn step(
    scenario: &Scenario,
    settings: &Settings,
    iterations: u64,
    drawn: Option<steps::Drawn>,
    progress: Progress<'_>,
) -> io::Result<Result<Steps, Vec<Diagnostic>>> {
    let prepared = match prepare(scenario) {
        Ok(prepared) => prepared,
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let mut plan = Plan {
        trace: Some(iterations),
        ..settings.plan.clone()
    };
    let mut once = |plan: &Plan| -> io::Result<RowOutcome> {
        let rows = [&prepared.row];
        let outcome = parent::run(plan, &rows, settings.timeout, &mut *progress)?;
        Ok(outcome.rows.into_iter().next().unwrap_or_default())
    };
    let first = once(&plan)?;
    let mut trace = first.trace.unwrap_or_default();
    if first.failure.is_some() && first.steps > 0 {
        plan.step_budget = first.steps;
        trace = once(&plan)?.trace.unwrap_or_default();
        trace.is_cut_short = false;
    }
    // What was seen in time says more than what it led to.
    let failure = trace.failure.take().or(first.failure);
    let has_ended = trace.iterations.iter().any(|one| one.end.is_some());
    let status = match failure {
        Some(failure) => verdict::failed(scenario, &prepared, &failure, &plan),
        None if trace.is_cut_short && !has_ended => {
            verdict::unended(scenario, &prepared, &trace, &plan)
        }
        None => Status::Ok,
    };
    Ok(Ok(steps::tell(scenario, &prepared, &trace, status, drawn)))
}

/// A plan with everything at its default.
pub fn default_plan(counters: Counters) -> Plan {
    Plan {
        cpu: None,
        seed: 1,
        time_ms: 40.0,
        patience: crate::job::patience(),
        chunk_ns: 20_000.0,
        placements: crate::link::placements(4),
        counters,
        step_budget: 60_000,
        interpreted: crate::job::interpreted(),
        verified: crate::job::verified(),
        infer_ms: 20.0,
        modelled: 0,
        further: Vec::new(),
        together: false,
        trace: None,
        model: None,
    }
}
