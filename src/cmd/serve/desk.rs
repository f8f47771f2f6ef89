//! Where what the page asks for is read, measured and answered.
//!
//! Correct means: what is wrong with a text is an answer that says where, and costs nothing else; a sweep goes on with the
//! text that it was begun with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::axes::{Axis, points};
use crate::cmd::{Common, Stop, compare, sweep};
use crate::pipeline::compare::{Contestant, compare_beside};
use crate::pipeline::points::{BoundPoint, Scanned};
use crate::pipeline::{Settings, Task, follow};
use crate::report::page::{self, Page};
use crate::report::terminal::reasons;
use crate::report::{Report, Row, json, saved};
use crate::scenario::Scenario;
use crate::template::{Library, Template, params};
use crate::text::Style;
use crate::web::{Answer, Scan, Text, Wanted};
use crate::worker::parent::Beside;
use crate::worker::standby;

/// How long one entry into the code of a text may take, and a row beside its timing.
const TIMEOUT: Duration = Duration::from_secs(2);
const ROW_S: f64 = 10.0;
/// Points of a sweep, each of which is drawn again with each further one.
const MOST_POINTS: usize = 64;
/// Sweeps that are known at a time: each page has one.
const SWEEPS: usize = 4;

/// Why the first number of a text has no misses beside it.
const UNASKED: &str = "they take as long again, and are there where `Misses by site` is open";

/// What texts are read and measured with.
pub(super) struct Desk<'a> {
    common: &'a Common,
    library: Library,
    settings: Settings,
    /// The last ones, the oldest first.
    sweeps: VecDeque<Begun>,
    begun: u64,
}

/// A sweep, point by point.
struct Begun {
    id: u64,
    points: Vec<BoundPoint>,
    scanned: Scanned,
}

/// A text with its parameters bound, or what to say of it instead.
type Bound = Result<(Scenario, Vec<Value>), Value>;

impl<'a> Desk<'a> {
    pub(super) fn new(common: &'a Common) -> Result<Desk<'a>, Stop> {
        let mut settings = common.settings(None)?;
        settings.timeout = settings.timeout.min(TIMEOUT);
        settings.plan.max_row_s = settings.plan.max_row_s.min(ROW_S);
        Ok(Desk {
            common,
            library: common.library()?,
            settings,
            sweeps: VecDeque::new(),
            begun: 0,
        })
    }

    pub(super) fn answer(&mut self, wanted: &Wanted, beside: &mut dyn Beside) -> Answer {
        let document = match wanted {
            Wanted::Templates => Ok(self.templates()),
            Wanted::Run(text) => self.run(text, beside),
            Wanted::Compare(pair) => self.compare(&pair.texts, beside),
            Wanted::Sweep(scan) => self.sweep(scan, beside),
            Wanted::Next(begun) => self.next(begun.id, beside),
            Wanted::Page(shown) => page_of(&shown.report),
        };
        // The next one finds a worker that waits.
        standby::prepare();
        match document {
            Ok(document) => Answer {
                document: document.to_string(),
                is_refused: false,
            },
            Err(why) => Answer {
                document: json!({ "error": why }).to_string(),
                is_refused: true,
            },
        }
    }

    fn templates(&self) -> Value {
        let names = self.library.names();
        // One that is wrong can be mended elsewhere.
        let templates = names.iter().filter_map(|name| self.library.load(name).ok());
        let told = templates.map(|template| {
            json!({ "name": template.name, "title": template.header.title, "text": template.text })
        });
        json!({ "templates": told.collect::<Vec<_>>() })
    }

    /// What became of a text: what is wrong with it, or its report.
    fn run(&self, text: &Text, beside: &mut dyn Beside) -> Result<Value, String> {
        let (scenario, params) = match self.bound(text, &[])? {
            Ok(bound) => bound,
            Err(wrong) => return Ok(wrong),
        };
        let task = Task::new(&scenario);
        if let Err(wrong) = &task.prepared {
            return Ok(json!({ "params": params, "diagnostics": wrong }));
        }
        let mut settings = self.settings.clone();
        settings.listing = true;
        if !text.misses {
            settings.plan.infer_ms = 0.0;
            settings
                .plan
                .uninferred
                .get_or_insert_with(|| UNASKED.into());
        }
        let _core = self.common.claim_core(&mut settings);
        let report = follow::alone(task, &settings, beside).map_err(|error| error.to_string())?;
        Ok(json!({
            "params": params,
            "diagnostics": [],
            "reasons": why(&report.rows),
            "report": document(&report),
        }))
    }

    /// What two texts come to in turns: what is wrong with each, or their report.
    fn compare(&self, texts: &[Text; 2], beside: &mut dyn Beside) -> Result<Value, String> {
        let (mut tasks, mut wrong) = (Vec::new(), Vec::new());
        for text in texts {
            let task = self
                .bound(text, &[])?
                .map(|(scenario, _)| Task::new(&scenario));
            wrong.push(match &task {
                Err(wrong) => wrong.clone(),
                Ok(task) => json!({ "diagnostics": task.prepared.as_ref().err() }),
            });
            tasks.extend(task.ok().filter(|task| task.prepared.is_ok()));
        }
        let [base, other] = &tasks[..] else {
            return Ok(json!({ "wrong": wrong }));
        };
        let state = |task: &Task| task.scenario.template.header.clobbers;
        if state(base) != state(other) {
            return Ok(json!({
                "refused": "the two keep the harness's state in different places (`clobbers`), which costs \
                            differently; give both the same",
            }));
        }
        let mut settings = self.settings.clone();
        if self.common.time.is_none() && !self.common.quick {
            settings.plan.time_ms = compare::TIME_MS;
        }
        let _core = self.common.claim_core(&mut settings);
        let contestants = tasks
            .into_iter()
            .map(|task| Contestant::Task(Box::new(task)));
        let report = compare_beside(
            contestants.collect(),
            &settings,
            compare::CONFIDENCE,
            &mut |_| {},
            beside,
        );
        let report = report.map_err(|error| error.to_string())?;
        Ok(json!({ "reasons": why(&report.rows), "report": document(&report) }))
    }

    /// Binds all points of a sweep, and measures the first.
    fn sweep(&mut self, scan: &Scan, beside: &mut dyn Beside) -> Result<Value, String> {
        let refused = |why: String| Ok(json!({ "refused": why }));
        let axis = match Axis::parse(&scan.axis) {
            Ok(axis) => axis,
            Err(error) => return refused(error.to_string()),
        };
        if axis.values.len() > MOST_POINTS {
            return refused(format!(
                "a sweep on this page has at most {MOST_POINTS} points, and these are {}; take a larger step, or \
                 `dispatchlab sweep`",
                axis.values.len()
            ));
        }
        let mut text = scan.text.clone();
        text.params.remove(&axis.key);
        let mut bound = Vec::new();
        let all = points(std::slice::from_ref(&axis)).map_err(|error| error.to_string())?;
        for values in all {
            let scanned = [(axis.key.clone(), values[0].clone())];
            match self.bound(&text, &scanned)? {
                Ok((scenario, _)) => bound.push((values, vec![scenario])),
                Err(wrong) => return Ok(wrong),
            }
        }
        let prepared = bound
            .first()
            .map(|(_, first)| Task::new(&first[0]).prepared);
        if let Some(Err(wrong)) = prepared {
            return Ok(json!({ "diagnostics": wrong }));
        }
        self.begun += 1;
        if self.sweeps.len() == SWEEPS {
            self.sweeps.pop_front();
        }
        self.sweeps.push_back(Begun {
            id: self.begun,
            points: bound,
            scanned: Scanned::new(&[axis], &[text.name]),
        });
        self.next(self.begun, beside)
    }

    /// One more point of a sweep, and all so far as they are drawn.
    fn next(&mut self, id: u64, beside: &mut dyn Beside) -> Result<Value, String> {
        let known = self.sweeps.iter().position(|begun| begun.id == id);
        let known = known.and_then(|at| self.sweeps.remove(at));
        let Some(mut begun) = known else {
            return Err("this sweep is no longer known; begin it again".into());
        };
        let Some(point) = begun.points.get(begun.scanned.points()) else {
            return Err("all points of this sweep are measured".into());
        };
        let mut settings = self.settings.clone();
        if self.common.time.is_none() && !self.common.quick {
            settings.plan.time_ms = sweep::TIME_MS;
        }
        let _core = self.common.claim_core(&mut settings);
        let (scanned, confidence) = (begun.scanned.clone(), compare::CONFIDENCE);
        let scanned = scanned.and(point, &settings, confidence, &mut |_| {}, beside);
        let scanned = scanned.map_err(|error| error.to_string())?;
        let (done, of) = (scanned.points(), begun.points.len());
        // One that was given up is measured by whoever asks again.
        if done > begun.scanned.points() {
            begun.scanned = scanned.clone();
        }
        self.sweeps.push_back(begun);
        let report = scanned.report().unwrap_or_default();
        Ok(json!({
            "id": id,
            "done": done,
            "of": of,
            "reasons": why(&report.rows[report.rows.len().saturating_sub(1)..]),
            "drawing": page::scanned(&report),
            "report": document(&report),
        }))
    }

    /// A text that is no longer that of its template is called so: a report of it goes from hand to hand.
    fn told_apart(&self, template: Template) -> Template {
        let known = self.library.load(&template.name);
        let is_edited = known.is_ok_and(|known| known.text != template.text);
        let name = match is_edited {
            true => format!("{} (edited)", template.name),
            false => template.name,
        };
        Template { name, ..template }
    }

    /// A text with its parameters and these bound; the controls of its parameters with it.
    fn bound(&self, text: &Text, scanned: &[(String, String)]) -> Result<Bound, String> {
        let template = match self.library.of_text(&text.name, text.text.clone()) {
            Ok(template) => Arc::new(self.told_apart(template)),
            Err(error) => {
                let wrong = error.diagnostics().map_err(|error| error.to_string())?;
                return Ok(Err(json!({ "diagnostics": wrong })));
            }
        };
        let params = controls(&template);
        // One that this text does not have any more is left behind by the last one.
        let known = params::all(&template.header);
        let given = text
            .params
            .iter()
            .filter(|(name, _)| known.contains_key(*name));
        let given = given.map(|(name, value)| (name.clone(), value.clone()));
        let given: Vec<(String, String)> = given.chain(scanned.iter().cloned()).collect();
        Ok(match Scenario::bind(template, &given) {
            Ok(scenario) => Ok((scenario, params)),
            Err(error) => Err(json!({
                "params": params,
                "diagnostics": [],
                "refused": error.to_string(),
            })),
        })
    }
}

fn document(report: &Report) -> Value {
    serde_json::from_str(&json::render(report)).unwrap_or_default()
}

/// A report that was answered before, as `--export-html` writes it.
fn page_of(report: &Value) -> Result<Value, String> {
    let json = format!("{report:#}\n");
    let document = saved::document(&json).map_err(|error| error.to_string())?;
    let page = Page {
        name: String::new(),
        document,
        json,
    };
    Ok(json!({ "page": page::all(&[page]) }))
}

fn why(rows: &[Row]) -> Vec<String> {
    let style = Style {
        width: 1000,
        color: false,
        unicode: true,
    };
    rows.iter()
        .flat_map(|row| reasons(&row.status, style))
        .collect()
}

/// The parameters of a template, as controls have them.
fn controls(template: &Template) -> Vec<Value> {
    let own = &template.header.params;
    let one = |(name, param): (String, crate::template::Param)| {
        let allowed: Vec<String> = param.allowed.iter().map(ToString::to_string).collect();
        json!({
            "name": name,
            "default": param.default.to_string(),
            "allowed": allowed,
            "own": own.contains_key(&name),
        })
    };
    params::all(&template.header).into_iter().map(one).collect()
}
