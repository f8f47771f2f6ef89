//! `serve`: a local page with an editor whose numbers follow.
//!
//! Correct means: the address is printed before anything slow is done, nothing is opened, and a signal ends it and leaves
//! no process.

use std::io::Error;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Common, Stop, check_output, print_plain};
use crate::pipeline::{Settings, Task, follow};
use crate::report::terminal::reasons;
use crate::report::{Report, json};
use crate::scenario::Scenario;
use crate::sys::interrupt;
use crate::template::{Library, Template, params};
use crate::text::Style;
use crate::text::diagnostic::Diagnostic;
use crate::web::{Answer, Bench, Door, Text, Wanted, listen, serve as serve_on};
use crate::worker::parent::Beside;
use crate::worker::standby;

/// Bytes of the stack on which texts are read, as of the main one.
const STACK: usize = 8 << 20;
/// How long one entry into the code of a text may take, and a row beside its timing.
const TIMEOUT: Duration = Duration::from_secs(2);
const ROW_S: f64 = 10.0;

pub(super) fn serve(common: &Common, port: Option<u16>) -> Result<i32, Stop> {
    check_output()?;
    interrupt::watch();
    let listener = listen(port.unwrap_or(0)).map_err(|error| {
        let port = port.unwrap_or_default();
        Stop::Usage(format!(
            "`--port {port}`: {error}; take another one, or leave --port out for one that is free"
        ))
    })?;
    let door = Door::new(listener.local_addr()?.port())?;
    print_plain(&format!("{}\n", door.address()))?;
    let mut desk = Desk::new(common)?;
    let (bench, work) = Bench::new(Box::new(move |wanted, beside| desk.answer(wanted, beside)));
    thread::scope(|scope| -> Result<(), Error> {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)?;
        // It goes before the thread does, which waits for its last customer.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(serve_on(listener, door, bench, || {
            interrupt::seen().is_some()
        }))
    })?;
    Ok(interrupt::seen().map_or(0, |signal| 128 + signal))
}

/// What texts are read and measured with.
struct Desk<'a> {
    common: &'a Common,
    library: Library,
    settings: Settings,
}

impl<'a> Desk<'a> {
    fn new(common: &'a Common) -> Result<Desk<'a>, Stop> {
        let mut settings = common.settings(None)?;
        settings.listing = true;
        settings.timeout = settings.timeout.min(TIMEOUT);
        settings.plan.max_row_s = settings.plan.max_row_s.min(ROW_S);
        Ok(Desk {
            common,
            library: common.library()?,
            settings,
        })
    }

    fn answer(&mut self, wanted: &Wanted, beside: &mut dyn Beside) -> Answer {
        let document = match wanted {
            Wanted::Templates => Ok(self.templates()),
            Wanted::Run(text) => self.run(text, beside),
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
    fn run(&mut self, text: &Text, beside: &mut dyn Beside) -> Result<Value, String> {
        let template = match self.library.of_text(&text.name, text.text.clone()) {
            Ok(template) => Arc::new(template),
            Err(error) => {
                let wrong = error.diagnostics().map_err(|error| error.to_string())?;
                return Ok(json!({ "diagnostics": wrong }));
            }
        };
        let params = controls(&template);
        let wrong = |wrong: Vec<Diagnostic>| json!({ "params": params, "diagnostics": wrong });
        // One that this text does not have any more is left behind by the last one.
        let known = params::all(&template.header);
        let given = text
            .params
            .iter()
            .filter(|(name, _)| known.contains_key(*name));
        let given: Vec<(String, String)> = given
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let scenario = match Scenario::bind(Arc::clone(&template), &given) {
            Ok(scenario) => scenario,
            Err(error) => {
                return Ok(
                    json!({ "params": params, "diagnostics": [], "refused": error.to_string() }),
                );
            }
        };
        let task = Task::new(&scenario);
        if let Err(found) = &task.prepared {
            return Ok(wrong(found.clone()));
        }
        let mut settings = self.settings.clone();
        let _core = self.common.claim_core(&mut settings);
        let report = follow::alone(task, &settings, beside).map_err(|error| error.to_string())?;
        Ok(json!({
            "params": params,
            "diagnostics": [],
            "reasons": why(&report),
            "report": document(&report),
        }))
    }
}

fn document(report: &Report) -> Value {
    serde_json::from_str(&json::render(report)).unwrap_or_default()
}

fn why(report: &Report) -> Vec<String> {
    let style = Style {
        width: 1000,
        color: false,
        unicode: true,
    };
    let rows = report.rows.iter();
    rows.flat_map(|row| reasons(&row.status, style)).collect()
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
