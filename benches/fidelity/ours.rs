//! Our side of a row: the scenario's iterations, and its times.
//!
//! Correct means: both come from the program as a user starts it, and a row that the program does not
//! verify is no row.

use std::process::{Command, Stdio};
use std::sync::Arc;

use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::template::Library;
use iced_x86::{Decoder, DecoderOptions};
use serde_json::Value;

use super::sequence::Executed;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dispatchlab");

/// A scenario in a release of Go.
#[derive(Clone)]
pub(crate) struct Ours {
    name: String,
    go: String,
    cpu: String,
}

/// What one run of a row said, cycles.
pub(crate) struct Timed {
    /// Over its placements.
    pub(crate) placements: [f64; 3],
    /// Whether the run saw a neighbour on the core.
    pub(crate) is_disturbed: bool,
    /// Whether one number says what its turns took.
    pub(crate) is_settled: bool,
    /// Instructions of its loop around the body.
    pub(crate) around: Option<f64>,
}

impl Ours {
    /// The scenario of that name, or why there is none.
    pub(crate) fn of(name: &str, release: &str, cpu: usize) -> Result<Ours, String> {
        let (template, mut given) = parse_name(name).map_err(|error| error.message)?;
        let library = Library::embedded();
        let template = library.load(&template).map_err(|error| error.to_string())?;
        given.push(("go".to_string(), release.to_string()));
        Scenario::bind(Arc::new(template), &given)
            .map_err(|_| format!("the template has no go={release}"))?;
        Ok(Ours {
            name: name.to_string(),
            go: format!("go={release}"),
            cpu: cpu.to_string(),
        })
    }

    /// The same under another name.
    pub(crate) fn twin(&self, name: &str) -> Ours {
        Ours {
            name: name.to_string(),
            ..self.clone()
        }
    }

    fn say(&self, command: &str, more: &[&str]) -> Result<Value, String> {
        let output = Command::new(PROGRAM)
            .args([command, &self.name, "-p", &self.go, "--json", "-q"])
            .args(["--cpu", &self.cpu])
            .args(more)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// So many iterations, each the template's own instructions.
    pub(crate) fn iterations(&self, count: usize) -> Result<Vec<Vec<Executed>>, String> {
        let count = count.to_string();
        let said = self.say("step", &["--iterations", &count])?;
        let iterations = said["iterations"].as_array().ok_or("no iterations")?;
        iterations.iter().map(executed).collect()
    }

    /// Times the row once.
    pub(crate) fn time(&self) -> Result<Timed, String> {
        let said = self.say("run", &["--time", "4", "--placements", "16"])?;
        let row = &said["rows"][0];
        if row["status"] != "ok" || row["verified"] != true {
            return Err(format!("our row is {}", row["status"]));
        }
        let at = |key: &str| {
            let value = row["layout"][key].as_f64();
            value.ok_or(format!("our row has no {key}"))
        };
        Ok(Timed {
            placements: [at("cycles_min")?, at("cycles_median")?, at("cycles_max")?],
            is_disturbed: row["warnings"]
                .as_array()
                .is_some_and(|all| !all.is_empty()),
            is_settled: row["metrics"]["cycles"]["value"].is_f64(),
            around: row["around"]["instructions"].as_f64(),
        })
    }
}

fn executed(iteration: &Value) -> Result<Vec<Executed>, String> {
    let steps = iteration["steps"].as_array().ok_or("no steps")?;
    let own = steps.iter().filter(|step| step["harness"] == false);
    own.map(|step| {
        let hex = step["bytes"].as_str().unwrap_or_default();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap_or(0))
            .collect();
        Ok(Executed {
            instruction: Decoder::new(64, &bytes, DecoderOptions::NONE).decode(),
            is_own: step["section"] == "body",
            is_taken: step["branch"]["taken"] == true,
        })
    })
    .collect()
}
