//! The report of `step`: what was executed, instruction by instruction; its text and its JSON.
//!
//! Correct means: nothing is computed here, the listing has the columns of `show`, and what an
//! instruction did stands under it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::misses::{self, Modelled, NotModelled};
use super::stack::{self, Drawing};
use super::{Status, json as document};
use crate::template::LinePlace;
use crate::text::printable;
use crate::text::{folded, listed};

/// Instructions at either end of a very long iteration that the text lists; the JSON has all.
const LISTED_END: usize = 1000;

/// What was executed.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// The scenario's name.
    pub scenario: String,
    /// Its template.
    pub template: String,
    /// The register that holds the result.
    pub result: Option<String>,
    /// What ran before the first iteration: the harness's entry and the template's setup.
    pub entry: Vec<Line>,
    /// The iterations, in order.
    pub iterations: Vec<Iteration>,
    /// After how many steps it was cut short, where it was.
    pub cut_short: Option<u64>,
    /// How it ended.
    pub status: Status,
    /// What models of predictors would miss, where that was asked for.
    pub modelled: Option<Result<Modelled, NotModelled>>,
}

/// One iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct Iteration {
    /// Counted from 1.
    pub number: u64,
    /// The object that it visits, counted from 0; none without a walk.
    pub object: Option<u32>,
    /// That object's type.
    pub type_name: Option<String>,
    /// What ran.
    pub lines: Vec<Line>,
    /// The template's own instructions.
    pub instructions: u64,
    /// The template's own branches.
    pub branches: u64,
    /// The result that the header states.
    pub expected: Option<u64>,
    /// The result that it left; none where it did not end.
    pub result: Option<u64>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The section or function it belongs to.
    pub section: String,
    /// Whether it is the harness's own.
    pub is_harness: bool,
    /// Whether it ran; the last one of a run that went wrong may not have.
    pub is_executed: bool,
    /// Where it stands in the listing of `show`.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its text.
    pub text: String,
    /// Its line in the template.
    pub line: Option<LinePlace>,
    /// The general-purpose registers that it changed.
    pub changes: Vec<Change>,
    /// The flags that it changed.
    pub flags: Vec<Flag>,
    /// What its memory operand addressed.
    pub memory: Option<Location>,
    /// Where it went, where it is a branch.
    pub branch: Option<Branch>,
    /// The stack there, where it was to be drawn.
    pub stack: Option<Drawing>,
}

/// A register's new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its 64-bit name.
    pub register: String,
    /// What it holds now.
    pub value: Location,
}

/// A flag's new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// Its name in the manuals.
    pub name: &'static str,
    /// Whether it is set now.
    pub is_set: bool,
}

/// Where a branch went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Whether it went anywhere but on.
    pub is_taken: bool,
    /// The next instruction.
    pub to: Location,
}

/// A number that may be an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// What it was.
    pub value: u64,
    /// The same place in the listing of `show`; the number itself where it is no address.
    pub shown: u64,
    /// The name of what stands there.
    pub name: Option<String>,
}

impl Location {
    fn text(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| format!("{:#x}", self.shown))
    }
}

/// The listing in lines of `width` columns, with a line break at the end.
pub fn text(steps: &Steps, harness: bool, width: usize) -> String {
    let title = format!("{}  ({})", steps.scenario, steps.template);
    let mut out = format!("{}\n", printable::line(&title));
    if is_shown(&steps.entry, harness) {
        out.push_str("\nbefore the first iteration\n");
        list(&mut out, steps, &steps.entry, harness, width);
    }
    for iteration in &steps.iterations {
        let _ = write!(out, "\niteration {}", iteration.number);
        if let (Some(object), Some(name)) = (iteration.object, &iteration.type_name) {
            let _ = write!(out, ": object {object}, a {name}");
        }
        out.push('\n');
        list(&mut out, steps, &iteration.lines, harness, width);
        let _ = writeln!(out, "{}", summary(iteration, steps.result.as_deref()));
    }
    if let Some(count) = steps.cut_short {
        let _ = write!(out, "\nstopped after {count} steps\n");
    }
    if let Some(reason) = reason(steps) {
        let _ = write!(out, "\n{}\n", printable::lines(&reason));
    }
    if let Some(modelled) = &steps.modelled {
        let _ = write!(out, "\n{}", misses::note(modelled));
    }
    folded(&out, 2, width)
}

fn is_shown(lines: &[Line], harness: bool) -> bool {
    lines.iter().any(|line| harness || !line.is_harness)
}

fn list(out: &mut String, steps: &Steps, lines: &[Line], harness: bool, width: usize) {
    let modelled = steps.modelled.as_ref().and_then(|one| one.as_ref().ok());
    let shown = || lines.iter().filter(|line| harness || !line.is_harness);
    let count = shown().count();
    let left_out = if count > 2 * LISTED_END {
        LISTED_END..count - LISTED_END
    } else {
        0..0
    };
    let mut section = None;
    for (number, line) in shown().enumerate() {
        if left_out.contains(&number) {
            if number == left_out.start {
                let _ = writeln!(out, "  … {} instructions …", left_out.len());
            }
            continue;
        }
        if section != Some(&line.section) {
            let _ = writeln!(out, "{}:", line.section);
            section = Some(&line.section);
        }
        let shown = line
            .line
            .as_ref()
            .map(|line| format!("; {line}"))
            .unwrap_or_default();
        let drawing = line.stack.as_ref();
        out.extend(drawing.filter(|one| one.is_before).map(stack::text));
        let address = format!("  {:#x}", line.address);
        out.push_str(&listed(&address, &line.bytes, &line.text, &shown, width));
        let effects = effects(line);
        if !effects.is_empty() {
            let _ = writeln!(out, "            {effects}");
        }
        out.push_str(&modelled.map_or_else(String::new, |modelled| modelled.under(line.address)));
        out.extend(drawing.filter(|one| !one.is_before).map(stack::text));
    }
}

/// What an instruction did, in one line.
fn effects(line: &Line) -> String {
    let mut parts = Vec::new();
    if !line.is_executed {
        parts.push("did not end".into());
    }
    let changes = line.changes.iter();
    parts.extend(changes.map(|change| format!("{} = {}", change.register, change.value.text())));
    if !line.flags.is_empty() {
        let flags = line.flags.iter();
        let flags: Vec<String> = flags
            .map(|flag| format!("{}={}", flag.name, u8::from(flag.is_set)))
            .collect();
        parts.push(flags.join(" "));
    }
    if let Some(memory) = &line.memory {
        parts.push(format!("memory at {}", memory.text()));
    }
    match &line.branch {
        Some(Branch { is_taken: true, to }) => parts.push(format!("to {}", to.text())),
        Some(_) => parts.push("not taken".into()),
        None => {}
    }
    parts.join(", ")
}

fn summary(iteration: &Iteration, register: Option<&str>) -> String {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let (instructions, branches) = (iteration.instructions, iteration.branches);
    let many = if branches == 1 { "" } else { "es" };
    let mut text = format!(
        "{instructions} instruction{}, {branches} branch{many}",
        plural(instructions)
    );
    if let (Some(register), Some(result)) = (register, iteration.result) {
        let _ = write!(text, "; {register} = {result:#x}");
        match iteration.expected {
            Some(expected) if expected == result => text.push_str(", as expected"),
            Some(expected) => {
                let _ = write!(text, ", expected {expected:#x}");
            }
            None => text.push_str(", nothing is stated to compare it with"),
        }
    }
    text
}

/// Why the listing ends where it ends.
fn reason(steps: &Steps) -> Option<String> {
    let name = steps.status.name();
    let whole = match &steps.status {
        Status::Ok => return None,
        Status::Panic { message, .. } => format!("{name}: {message}"),
        Status::Fault(report) | Status::Timeout(report) => {
            let place = report.line.map(|line| {
                format!(
                    "\n{}:{line}: {}",
                    report.template,
                    report.text.as_deref().unwrap_or_default()
                )
            });
            format!("{name}: {}{}", report.message, place.unwrap_or_default())
        }
        Status::WrongResult {
            element,
            expected,
            actual,
            ..
        } => format!(
            "{name}: iteration {} left {actual:#x}, expected {expected:#x}",
            element + 1
        ),
        Status::Ended { message, help, .. } => format!("{name}: {message}; {help}"),
        Status::Error(_) => name.into(),
    };
    Some(whole)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same as one JSON document, with a line break at the end.
pub fn json(steps: &Steps, harness: bool) -> String {
    let lines = |lines: &[Line]| -> Value {
        let shown = lines.iter().filter(|line| harness || !line.is_harness);
        shown.map(instruction).collect()
    };
    let iterations = steps.iterations.iter().map(|iteration| {
        json!({
            "iteration": iteration.number,
            "object": iteration.object,
            "type": iteration.type_name,
            "steps": lines(&iteration.lines),
            "instructions": iteration.instructions,
            "branches": iteration.branches,
            "result": iteration.result.map(number),
            "expected": iteration.expected.map(number),
        })
    });
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    put("schema", json!(document::SCHEMA));
    put("scenario", json!(steps.scenario));
    put("template", json!(steps.template));
    put("result", json!(steps.result));
    put("entry", lines(&steps.entry));
    put("iterations", iterations.collect());
    put("cut_short", json!(steps.cut_short));
    if let Some(modelled) = &steps.modelled {
        put("modelled", misses::json(modelled));
    }
    if let Value::Object(status) = document::plain(&steps.status) {
        fields.extend(status);
    }
    format!("{:#}\n", Value::Object(fields))
}

/// As hexadecimal text: a number above 2^53 does not survive every JSON reader.
fn number(value: u64) -> String {
    format!("{value:#x}")
}

fn instruction(line: &Line) -> Value {
    let registers: Map<String, Value> = line
        .changes
        .iter()
        .map(|change| (change.register.clone(), location(&change.value)))
        .collect();
    let flags: Map<String, Value> = line
        .flags
        .iter()
        .map(|flag| (flag.name.to_string(), json!(flag.is_set)))
        .collect();
    let mut step = json!({
        "section": line.section,
        "harness": line.is_harness,
        "executed": line.is_executed,
        "address": number(line.address),
        "bytes": hex(&line.bytes),
        "text": line.text,
        "line": line.line.as_ref().map(|place| place.line),
        "registers": registers,
        "flags": flags,
        "memory": line.memory.as_ref().map(location),
        "branch": line.branch.as_ref().map(|branch| json!({
            "taken": branch.is_taken,
            "to": location(&branch.to),
        })),
    });
    if let Some(file) = line.line.as_ref().and_then(|place| place.file.as_ref()) {
        step["file"] = json!(file);
    }
    if let Some(drawing) = &line.stack {
        step["stack"] = stack::json(drawing, location);
    }
    step
}

fn location(location: &Location) -> Value {
    json!({ "value": number(location.value), "shown": number(location.shown), "name": location.name })
}
