//! What became of a row, and its words in a document.
//!
//! Correct means: the reason of each word stands beside it, under the name that schema 1 has for it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::text::diagnostic::Diagnostic;

/// A fault: the run went wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FaultReport {
    /// `signal`, `clobber`, `stack`, `flags` or `exit`; none of a timeout, whose status says it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `SIGSEGV` and the like, where a signal ended it.
    pub signal: Option<String>,
    /// Faulting address; null when the CPU gives none.
    pub address: Option<String>,
    /// Template file.
    pub template: String,
    /// Template line, where it is known.
    pub line: Option<u32>,
    /// The instruction's text on that line.
    pub text: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// General-purpose registers at the fault, by name, hexadecimal.
    pub registers: BTreeMap<String, String>,
    /// The system call that was stopped, as `man 2 syscalls` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// What became of a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(into = "Written")]
pub enum Status {
    /// It has numbers.
    #[default]
    Ok,
    /// A modelled Go panic, with Go's message and whether the parameters asked for it.
    Panic {
        /// Go's own words.
        message: String,
        /// Whether `receiver=nil` asked for it.
        asked_for: bool,
    },
    /// It crashed, clobbered or left without a result.
    Fault(FaultReport),
    /// It ran out of time; the line is where it was at work.
    Timeout(FaultReport),
    /// It computed a wrong result.
    WrongResult {
        /// Walk element, counted from 0.
        element: u64,
        /// Of so many iterations from there on it is the sum.
        iterations: u64,
        /// What it should have been.
        expected: u64,
        /// What it was.
        actual: u64,
    },
    /// The template does not assemble or link.
    Error(Vec<Diagnostic>),
    /// Something outside ended the worker; the template did nothing wrong.
    Ended {
        /// The template's file, of which nothing is said.
        template: String,
        /// Who and what, in one sentence without a full stop.
        message: String,
        /// What to do next.
        help: String,
    },
}

impl Status {
    /// The word for it, in JSON and in text.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Panic { .. } => "panic",
            // The filter answers a system call with this signal, and nothing else sends it.
            Status::Fault(report) if report.signal.as_deref() == Some("SIGSYS") => "forbidden",
            Status::Fault(_) => "fault",
            Status::Timeout(_) => "timeout",
            Status::WrongResult { .. } => "wrong-result",
            Status::Error(_) | Status::Ended { .. } => "error",
        }
    }
}

/// A status as it stands in a document: its word, and the reason beside it.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
enum Written {
    Ok,
    Panic {
        panic: String,
    },
    Fault {
        fault: FaultReport,
    },
    Forbidden {
        fault: FaultReport,
    },
    Timeout {
        fault: FaultReport,
    },
    WrongResult {
        element: u64,
        #[serde(rename = "summed", skip_serializing_if = "is_one")]
        iterations: u64,
        expected: String,
        actual: String,
    },
    Error {
        diagnostics: Vec<Value>,
    },
}

fn is_one(iterations: &u64) -> bool {
    *iterations == 1
}

impl From<Status> for Written {
    fn from(status: Status) -> Written {
        // Hexadecimal text, for a number above 2^53 does not survive every JSON reader.
        let hex = |number: u64| format!("{number:#x}");
        let is_forbidden = status.name() == "forbidden";
        match status {
            Status::Ok => Written::Ok,
            Status::Panic { message, .. } => Written::Panic { panic: message },
            Status::Fault(fault) if is_forbidden => Written::Forbidden { fault },
            Status::Fault(fault) => Written::Fault { fault },
            Status::Timeout(fault) => Written::Timeout { fault },
            Status::WrongResult {
                element,
                iterations,
                expected,
                actual,
            } => Written::WrongResult {
                element,
                iterations,
                expected: hex(expected),
                actual: hex(actual),
            },
            Status::Error(diagnostics) => Written::Error {
                diagnostics: diagnostics.iter().map(|one| json!(one)).collect(),
            },
            Status::Ended {
                template,
                message,
                help,
            } => Written::Error {
                diagnostics: vec![json!({
                    "file": template,
                    "line": null,
                    "column": null,
                    "message": message,
                    "help": help,
                })],
            },
        }
    }
}
