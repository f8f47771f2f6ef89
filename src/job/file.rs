//! A Job in a file: everything that measuring it and reporting on it takes, to be replayed elsewhere.
//!
//! Correct means: what is read back is what was written, to the byte; replaying it reads no other
//! file; and a file that something else wrote, cut short or changed is refused with one sentence or
//! does no harm, whatever is in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{self, Problem};
use super::{Job, JobRow, Plan};
use crate::go::runs::Length;
use crate::scenario::{Recording, Scenario};
use crate::template::{Includes, Order, Origin, Said, Template, TextOptions, Value, params};
use crate::text::json_words;

/// The version of the file's layout.
pub const SCHEMA: u32 = 5;
/// Longest text that is read.
pub const MAX_BYTES: u64 = 256 << 20;
/// Objects of all rows together: as many as one row may have. They are all in memory at once, each with its type and its
/// result, and what a run makes ready row by row a job has ready as a whole.
pub const MAX_OBJECTS: u64 = crate::go::MAX_OBJECTS as u64;
/// What tells such a file from other JSON.
const KIND: &str = "dispatchlab job";
/// Longest time that an entry may be given, milliseconds.
const MAX_TIMEOUT_MS: u64 = 24 * 3600 * 1000;

/// A job that was checked, with what its report says of each row.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedJob {
    job: Job,
    scenarios: Vec<Scenario>,
    timeout: Duration,
    reference: Option<String>,
    said: BTreeMap<String, Said>,
}

/// Why a text is no saved job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// It is not JSON, or lacks a field.
    Text(String),
    /// It is something else.
    Foreign,
    /// Another version of the program wrote it.
    Version(u32),
    /// A field cannot be what it is.
    Content(Problem),
    /// Its rows have so many objects together.
    Objects(u64),
}

/// What to say of rows with more objects than a job holds.
pub fn too_many_objects(objects: u64) -> String {
    format!(
        "its rows have {objects} objects together, and a saved job holds at most {MAX_OBJECTS}, all of them in memory at once: \
         save the rows as several jobs, or with a smaller `-p objects=N`"
    )
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Text(why) => write!(f, "the text is cut short or changed: {why}"),
            ReadError::Foreign => write!(
                f,
                "this is no saved job; `dispatchlab run NAME --save-job FILE` writes one"
            ),
            ReadError::Version(schema) => write!(
                f,
                "the job has schema {schema}, and this version reads schema {SCHEMA}; save it again with this version"
            ),
            ReadError::Content(problem) => {
                write!(f, "the job cannot be run: {problem}; save it again")
            }
            ReadError::Objects(objects) => {
                write!(f, "the job cannot be run: {}", too_many_objects(*objects))
            }
        }
    }
}

impl std::error::Error for ReadError {}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<J> {
    kind: String,
    schema: u32,
    tool: String,
    timeout_ms: u64,
    reference: Option<String>,
    said: BTreeMap<String, Said>,
    plan: Plan,
    templates: Vec<SavedTemplate>,
    rows: Vec<SavedRow<J>>,
}

/// What a file says of itself before anything else of it is read.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
    schema: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedTemplate {
    name: String,
    origin: Origin,
    sha256: String,
    text: String,
    #[serde(default, skip_serializing_if = "Includes::is_empty")]
    includes: Includes,
    #[serde(default, skip_serializing_if = "TextOptions::is_empty")]
    options: TextOptions,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedRow<J> {
    /// Index into the templates.
    template: usize,
    params: BTreeMap<String, Value>,
    job: J,
}

/// Of each row how many objects it has: that is known before any of them is made.
#[derive(Deserialize)]
struct Sizes {
    #[serde(default)]
    rows: Vec<SizedRow>,
}

#[derive(Deserialize)]
struct SizedRow {
    job: SizedJob,
}

#[derive(Deserialize)]
struct SizedJob {
    heap: SizedHeap,
    #[serde(default)]
    expected: Option<Length>,
}

#[derive(Deserialize)]
struct SizedHeap {
    objects: Length,
}

impl Sizes {
    fn objects(&self) -> u64 {
        let of_row = |row: &SizedRow| {
            let results = row.job.expected.unwrap_or_default();
            row.job.heap.objects.0.max(results.0)
        };
        let all = self.rows.iter().map(of_row);
        all.fold(0, u64::saturating_add)
    }
}

impl SavedJob {
    /// A job of scenarios and what they were assembled to.
    ///
    /// # Errors
    /// What [`check::job`] says.
    pub fn new(
        plan: Plan,
        timeout: Duration,
        reference: Option<String>,
        rows: impl IntoIterator<Item = (Scenario, JobRow)>,
    ) -> Result<SavedJob, Problem> {
        let (scenarios, rows) = rows.into_iter().unzip();
        let job = Job { plan, rows };
        check::job(&job)?;
        Ok(SavedJob {
            job,
            scenarios,
            timeout,
            reference,
            said: BTreeMap::new(),
        })
    }

    /// The job with what suites say of its rows, by name.
    #[must_use]
    pub fn with_said(mut self, said: &BTreeMap<String, Said>) -> SavedJob {
        let names = self.job.rows.iter().map(|row| &row.name);
        let known = names.filter_map(|name| said.get_key_value(name));
        self.said = known
            .map(|(name, said)| (name.clone(), said.clone()))
            .collect();
        self
    }

    /// What a worker gets.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Each row with the scenario it came from.
    pub fn rows(&self) -> impl Iterator<Item = (&Scenario, &JobRow)> {
        self.scenarios.iter().zip(&self.job.rows)
    }

    /// How long a worker may make no entry.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The row that ratios refer to.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// What suites say of rows, by name.
    pub fn said(&self) -> &BTreeMap<String, Said> {
        &self.said
    }

    /// The text of the file, with a line break at the end.
    ///
    /// # Errors
    /// Where the path of a template is not UTF-8.
    pub fn write(&self) -> Result<String, String> {
        let mut templates: Vec<&Template> = Vec::new();
        let mut rows = Vec::new();
        for (scenario, row) in self.rows() {
            let template = &*scenario.template;
            let known = templates.iter().position(|known| {
                (&known.name, &known.origin, &known.sha256)
                    == (&template.name, &template.origin, &template.sha256)
            });
            let at = known.unwrap_or_else(|| {
                templates.push(template);
                templates.len() - 1
            });
            rows.push(SavedRow {
                template: at,
                params: scenario.params.clone(),
                job: row,
            });
        }
        let templates = templates.into_iter().map(|template| SavedTemplate {
            name: template.name.clone(),
            origin: template.origin.clone(),
            sha256: template.sha256.clone(),
            text: template.text.clone(),
            includes: template.includes.clone(),
            options: template.options.clone(),
        });
        let document = Document {
            kind: KIND.into(),
            schema: SCHEMA,
            tool: format!("dispatchlab {}", env!("CARGO_PKG_VERSION")),
            timeout_ms: u64::try_from(self.timeout.as_millis())
                .unwrap_or(MAX_TIMEOUT_MS)
                .clamp(1, MAX_TIMEOUT_MS),
            reference: self.reference.clone(),
            said: self.said.clone(),
            plan: self.job.plan.clone(),
            templates: templates.collect(),
            rows,
        };
        let text = serde_json::to_string(&document).map_err(|error| error.to_string())?;
        Ok(text + "\n")
    }
}

/// Reads what [`SavedJob::write`] wrote, and checks all of it.
///
/// # Errors
/// Why it is no such text.
pub fn read(text: &str) -> Result<SavedJob, ReadError> {
    let broken = |error: serde_json::Error| ReadError::Text(json_words::said(&error));
    if !text.trim_start().starts_with('{') {
        return Err(ReadError::Foreign);
    }
    // What is JSON and no object is somebody else's too.
    let head: Head = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ReadError::Foreign,
        _ => broken(error),
    })?;
    match (head.kind.as_deref(), head.schema) {
        (Some(KIND), Some(SCHEMA)) => {}
        (Some(KIND), Some(other)) => return Err(ReadError::Version(other)),
        _ => return Err(ReadError::Foreign),
    }
    // Another form of text says below what is wrong with it.
    if let Ok(sizes) = serde_json::from_str::<Sizes>(text)
        && sizes.objects() > MAX_OBJECTS
    {
        return Err(ReadError::Objects(sizes.objects()));
    }
    let document: Document<JobRow> = serde_json::from_str(text).map_err(broken)?;
    build(document).map_err(ReadError::Content)
}

fn build(document: Document<JobRow>) -> Result<SavedJob, Problem> {
    let problem = |place: String, message: String| Problem { place, message };
    if !(1..=MAX_TIMEOUT_MS).contains(&document.timeout_ms) {
        let message = format!("1 to {MAX_TIMEOUT_MS} milliseconds");
        return Err(problem("timeout_ms".into(), message));
    }
    if document.rows.is_empty() {
        return Err(problem("rows".into(), "there is none".into()));
    }
    let mut templates = Vec::new();
    for (at, saved) in document.templates.into_iter().enumerate() {
        let template =
            template(saved).map_err(|message| problem(format!("templates[{at}]"), message))?;
        templates.push(Arc::new(template));
    }
    let mut rows = Vec::new();
    for (at, saved) in document.rows.into_iter().enumerate() {
        let template = templates.get(saved.template).ok_or_else(|| {
            problem(
                format!("rows[{at}].template"),
                format!("there are {} templates", templates.len()),
            )
        })?;
        check::row(&saved.job).map_err(|problem| problem.inside(format_args!("rows[{at}]")))?;
        let scenario = scenario(template, &saved.params, &saved.job)
            .map_err(|message| problem(format!("rows[{at}]"), message))?;
        rows.push((scenario, saved.job));
    }
    let timeout = Duration::from_millis(document.timeout_ms);
    let job = SavedJob::new(document.plan, timeout, document.reference, rows)?;
    Ok(job.with_said(&document.said))
}

fn template(saved: SavedTemplate) -> Result<Template, String> {
    if !saved.includes.is_sound() {
        return Err(
            "`includes` names a text that is not there, or one that includes itself".into(),
        );
    }
    let parsed = Template::parse_with(
        &saved.name,
        saved.origin,
        saved.text,
        &saved.options,
        saved.includes,
    );
    let template = parsed.map_err(|found| {
        let first = found.first();
        first.map_or_else(String::new, |one| {
            format!("line {}: {}", one.line, one.message)
        })
    })?;
    if template.sha256 != saved.sha256 {
        return Err("the text is not the one that the SHA-256 was made of".into());
    }
    Ok(template)
}

/// The scenario that a row came from: what the report says of it beyond numbers.
fn scenario(
    template: &Arc<Template>,
    saved: &BTreeMap<String, Value>,
    row: &JobRow,
) -> Result<Scenario, String> {
    // Every scenario has its release among its parameters, also where the template has none.
    let known = params::all(&template.header);
    let given: Vec<(String, String)> = saved
        .iter()
        .filter(|(key, _)| known.contains_key(*key) || *key != "go")
        .map(|(key, value)| (key.clone(), value.to_string()))
        .collect();
    let mut scenario =
        Scenario::bind(Arc::clone(template), &given).map_err(|error| error.to_string())?;
    if scenario.settings.walk.order == Order::Recorded {
        let recording = Recording::of(row.recorded.clone());
        scenario = scenario
            .replay(recording)
            .map_err(|error| format!("`recorded`, {error}"))?;
    }
    let is_its_own = scenario.params == *saved
        && scenario.name == row.name
        && scenario.template.header.clobbers == row.clobbers
        && scenario.nil_receiver == row.heap.nil_receiver
        && scenario.nil_interface == row.heap.nil_interface
        && scenario.indexed == row.heap.indexed
        && scenario.settings == row.settings;
    if is_its_own {
        Ok(scenario)
    } else {
        Err(format!(
            "`{}` is not the scenario that its template and parameters make",
            row.name
        ))
    }
}
