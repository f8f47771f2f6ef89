//! From what a worker said of a row to the row of the report.
//!
//! Correct means: every number carries the basis of the source that gave it, and every failure the
//! template's own line.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions};

use crate::asm;
use crate::diagnostic::Diagnostic;
use crate::go::symbol;
use crate::job::{Counts, Failure, PanicAt, Place, Plan, Proof, Trace};
use crate::link::{Image, Variant, frame};
use crate::machine::Machine;
use crate::pipeline::Prepared;
use crate::report::{Baseline, Basis, Checksum, FaultReport, Layout, Metric, Metrics, Row, Status};
use crate::scenario::Scenario;
use crate::stats::{self, Estimate, Event, Summary};
use crate::sys::filter;
use crate::template::{Origin, Template};
use crate::worker::parent::{RowOutcome, signal_name};

/// The clock as the rows of a run saw it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CoreClock {
    /// TSC frequency.
    pub tsc_hz: Option<f64>,
    core_hz: Vec<f64>,
}

impl CoreClock {
    fn see(&mut self, tsc_hz: f64, core_hz: f64) {
        self.tsc_hz = Some(tsc_hz);
        self.core_hz.push(core_hz);
    }

    /// The median over the rows.
    pub fn core_hz(&self) -> Option<f64> {
        let mut sorted = self.core_hz.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// (max − min) / median over the rows.
    pub fn spread(&self) -> Option<f64> {
        let most = self.core_hz.iter().copied().reduce(f64::max)?;
        let least = self.core_hz.iter().copied().reduce(f64::min)?;
        Some((most - least) / self.core_hz()?)
    }
}

/// A row without numbers.
pub fn unmeasured(scenario: &Scenario, status: Status) -> Row {
    let template = &scenario.template;
    let header = &template.header;
    Row {
        scenario: scenario.name.clone(),
        template: template.name.clone(),
        template_path: match &template.origin {
            Origin::Embedded => "embedded".into(),
            Origin::File(path) => path.display().to_string(),
            Origin::Stdin => "-".into(),
        },
        template_sha256: template.sha256.clone(),
        params: scenario.params.clone(),
        title: header.title.clone(),
        status,
        iterations: 0,
        checksum: None,
        metrics: None,
        ratio: None,
        verified: false,
        clobbers: header.clobbers,
        baseline: None,
        layout: None,
        published: header.published.clone(),
        dropped_samples: 0,
        bistable: false,
        note: scenario.note(),
        samples: None,
        warnings: Vec::new(),
    }
}

/// The row of a scenario that was given to a worker.
pub fn judge(
    scenario: &Scenario,
    prepared: &Prepared,
    outcome: RowOutcome,
    plan: &Plan,
    machine: &Machine,
    clock: &mut CoreClock,
) -> Row {
    let status = match (&outcome.failure, &outcome.proof) {
        (Some(failure), _) => failed(scenario, prepared, failure, plan),
        (
            None,
            Some(Proof {
                panic: Some(panic), ..
            }),
        ) => panicked(scenario, prepared, *panic, plan),
        (None, Some(_)) => Status::Ok,
        (None, None) => no_result(scenario, "the worker said nothing of this row".into()),
    };
    let mut row = unmeasured(scenario, status);
    let (None, Some(proof)) = (&outcome.failure, &outcome.proof) else {
        return row;
    };
    row.verified = proof.checksum.is_some();
    row.checksum = checksum(proof);
    let summary = outcome.timing.as_ref().map(|timing| {
        let summary = stats::summarize(timing, plan.seed);
        clock.see(timing.tsc_hz, summary.core_hz);
        summary
    });
    let counting = outcome.timing.as_ref();
    let counting = counting.and_then(|timing| timing.counting.as_ref());
    let refused = counting.and_then(|counting| counting.why.as_deref());
    let metrics = metrics(proof, summary.as_ref(), machine, refused);
    row.warnings.extend(contradiction(&metrics, &proof.counts));
    row.warnings.extend(counting.and_then(|counting| {
        let why = counting.why.as_deref()?;
        let count = counting.refused;
        Some(format!(
            "{count} readings of the hardware counters were refused: {why}"
        ))
    }));
    row.metrics = Some(metrics);
    if let Some(summary) = summary {
        row.iterations = summary.iterations;
        row.dropped_samples = summary.dropped;
        row.bistable = summary.bistable;
        row.layout = Some(Layout {
            placements: summary.layout.0,
            cycles_min: summary.layout.1,
            cycles_max: summary.layout.2,
        });
        row.baseline = Some(Baseline {
            cycles: measured(&summary.baseline_cycles, machine, "cycles", refused),
            instructions: exact(proof.harness_instructions, None),
        });
        row.warnings.extend(warnings(&summary));
    }
    if !row.verified {
        row.warnings.push(
            "no result is stated, so nothing was compared; add `result` and `expect` to the header"
                .into(),
        );
    }
    row
}

fn warnings(summary: &Summary) -> Option<String> {
    const MUCH: f64 = 0.5;
    (summary.contended > MUCH).then(|| {
        "most samples ran beside a disturbed calibration: something else uses this core; run again \
         on a quiet machine or pass --cpu N"
            .to_string()
    })
}

fn checksum(proof: &Proof) -> Option<Checksum> {
    let sums = proof.checksum?;
    Some(Checksum {
        expected: format!("{:#x}", sums.expected),
        actual: format!("{:#x}", sums.actual),
    })
}

fn exact(value: f64, stepped: Option<u64>) -> Metric {
    Metric {
        value: Some(value),
        low: Some(value),
        high: Some(value),
        basis: Basis::Exact,
        source: Some("step".into()),
        stepped,
        subtracted: None,
        why: None,
    }
}

/// `refused` is why the hardware's readings were, where any was.
fn measured(estimate: &Estimate, machine: &Machine, event: &str, refused: Option<&str>) -> Metric {
    if estimate.value.is_nan() {
        let untaken = "no sample was taken; --time MS gives it longer";
        let why = Some(refused.unwrap_or(untaken).to_string());
        return Metric {
            why,
            ..unsupported(machine, event)
        };
    }
    let source = machine.source(event);
    Metric {
        value: Some(estimate.value),
        low: Some(estimate.low),
        high: Some(estimate.high),
        basis: source.basis,
        source: Some(source.source),
        stepped: None,
        subtracted: None,
        why: None,
    }
}

fn unsupported(machine: &Machine, event: &str) -> Metric {
    let why = Some(machine.source(event).why);
    Metric {
        value: None,
        low: None,
        high: None,
        basis: Basis::Unsupported,
        source: None,
        stepped: None,
        subtracted: None,
        why,
    }
}

fn metrics(
    proof: &Proof,
    summary: Option<&Summary>,
    machine: &Machine,
    refused: Option<&str>,
) -> Metrics {
    let timed = |event: &str, refused, of: fn(&Summary) -> &Estimate| match summary {
        Some(summary) => measured(of(summary), machine, event, refused),
        None => unsupported(machine, event),
    };
    let counted = |event: Event| summary?.events[event as usize];
    let own = |event: Event, stepped: f64, around: f64| match counted(event) {
        // Where the hardware's readings were refused, stepping has counted all the same.
        Some(estimate) => Metric {
            subtracted: Some(around),
            ..measured(&less(estimate, around), machine, event.name(), None)
        },
        None => exact(stepped, proof.counts.stepped),
    };
    let around = &proof.around_body;
    let is_counted = machine.source("branch_misses").basis == Basis::Measured;
    let misses = counted(Event::BranchMisses).unwrap_or(Estimate::NONE);
    Metrics {
        ns: timed("ns", None, |summary| &summary.ns),
        cycles: timed("cycles", refused, |summary| &summary.cycles),
        instructions: own(
            Event::Instructions,
            proof.counts.instructions,
            around.instructions,
        ),
        branches: own(Event::Branches, proof.counts.branches, around.branches),
        branch_misses: if is_counted {
            measured(&less(misses, 0.0), machine, "branch_misses", refused)
        } else {
            unsupported(machine, "branch_misses")
        },
    }
}

/// An estimate without what is known of it. A count cannot be below 0: where it seems so, by a
/// fraction of what entering takes, it is 0.
fn less(estimate: Estimate, known: f64) -> Estimate {
    let left = |value: f64| {
        if value.is_nan() {
            value
        } else {
            (value - known).max(0.0)
        }
    };
    Estimate {
        value: left(estimate.value),
        low: left(estimate.low),
        high: left(estimate.high),
    }
}

/// Whether the hardware's counts are those of single-stepping, where both are of the whole walk.
fn contradiction(metrics: &Metrics, counts: &Counts) -> Option<String> {
    const TOLERANCE: f64 = 0.01;
    let pairs = [
        ("instructions", &metrics.instructions, counts.instructions),
        ("branches", &metrics.branches, counts.branches),
    ];
    let differs = |metric: &Metric, exact: f64| {
        let counted = metric.value.filter(|_| metric.basis == Basis::Measured);
        counted.filter(|counted| (counted - exact).abs() > TOLERANCE * exact.max(1.0))
    };
    let (what, counted, exact) = pairs
        .into_iter()
        .filter(|_| counts.stepped.is_none())
        .find_map(|(what, metric, exact)| Some((what, differs(metric, exact)?, exact)))?;
    Some(format!(
        "the hardware counted {counted:.2} {what} where single-stepping counts {exact:.2}; believe \
         the latter, and run again with --counters clock"
    ))
}

/// Fills in the ratios to the reference, between rows of one harness state only.
pub fn relate(rows: &mut [Row], reference: Option<&str>) {
    let cycles = |row: &Row| {
        row.metrics
            .as_ref()
            .and_then(|metrics| metrics.cycles.value)
    };
    let Some(base) = rows
        .iter()
        .find(|row| Some(row.scenario.as_str()) == reference)
    else {
        return;
    };
    let (Some(base_cycles), clobbers) = (cycles(base), base.clobbers) else {
        return;
    };
    for row in rows.iter_mut().filter(|row| row.clobbers == clobbers) {
        row.ratio = cycles(row).map(|value| value / base_cycles);
    }
}

fn no_result(scenario: &Scenario, message: String) -> Status {
    Status::Fault(FaultReport {
        kind: "exit".into(),
        signal: None,
        call: None,
        address: None,
        message,
        template: file_name(&scenario.template),
        line: None,
        text: None,
        registers: BTreeMap::new(),
    })
}

/// The status of a row that ended in a failure.
pub fn failed(scenario: &Scenario, prepared: &Prepared, failure: &Failure, plan: &Plan) -> Status {
    let report = |kind: &str, message: String, remedy: &str, place: &Place| {
        located(scenario, prepared, plan, kind, (&message, remedy), place)
    };
    match failure {
        Failure::Panic(panic) => panicked(scenario, prepared, *panic, plan),
        Failure::WrongResult {
            element,
            expected,
            actual,
        } => Status::WrongResult {
            element: *element,
            expected: *expected,
            actual: *actual,
        },
        Failure::Signal {
            signal,
            address,
            place,
            registers,
            ..
        } => {
            let rsp = registers.get(4).copied().unwrap_or(0);
            let mut fault = report("signal", signal_message(*signal, *address, rsp), "", place);
            fault.signal = Some(signal_name(*signal));
            fault.address = address.map(|address| format!("{address:#x}"));
            let numbered = registers.iter().enumerate().map(|(number, value)| {
                let register = crate::template::ResultRegister {
                    number: number as u8,
                    bits: 64,
                };
                (
                    crate::link::harness::register_name(register).to_string(),
                    format!("{value:#x}"),
                )
            });
            fault.registers = numbered.collect();
            Status::Fault(fault)
        }
        Failure::Clobber { what, kind, place } => {
            let remedy = match kind.as_str() {
                "clobber" if what.starts_with('r') => {
                    "; use another register, or put `clobbers = \"all\"` into the header"
                }
                "stack" => "; every push wants its pop before the body ends",
                _ => "; put it back before the body ends",
            };
            Status::Fault(report(
                kind,
                format!("the body does not leave {what} as it was"),
                remedy,
                place,
            ))
        }
        Failure::Forbidden {
            number,
            architecture,
            place,
        } => {
            let call = call_name(*number, *architecture);
            let message = format!("the system call {call} was stopped");
            let remedy = "; generated code may make none: take it out of the template";
            let mut fault = report("signal", message, remedy, place);
            fault.signal = Some(signal_name(libc::SIGSYS));
            fault.call = Some(call);
            Status::Fault(fault)
        }
        Failure::Exit { status, place } => {
            let message = format!("the process ended with status {status} before the body did");
            Status::Fault(report("exit", message, "", place))
        }
        Failure::Timeout { limit_ms, place } => {
            let limit = *limit_ms as f64 / 1000.0;
            let message = format!("one entry took more than {limit} s");
            let remedy = "; an endless loop? (--timeout S gives it longer)";
            Status::Timeout(report("timeout", message, remedy, place))
        }
        Failure::Worker(what) => no_result(scenario, what.clone()),
    }
}

/// The status of a first iteration that took all the steps there were.
pub fn unended(scenario: &Scenario, prepared: &Prepared, trace: &Trace, plan: &Plan) -> Status {
    let last = trace.steps.last().map(|step| step.ip);
    let place = Place {
        code_offset: last.and_then(|ip| ip.checked_sub(trace.code)),
        ..Place::default()
    };
    let message = format!(
        "the iteration has not ended after {} steps; an endless loop?",
        trace.steps.len()
    );
    Status::Timeout(located(
        scenario,
        prepared,
        plan,
        "timeout",
        (&message, ""),
        &place,
    ))
}

fn signal_message(signal: i32, address: Option<u64>, rsp: u64) -> String {
    const NIL_PAGE: u64 = 4096;
    match (signal, address) {
        (libc::SIGSEGV, Some(address)) if address.abs_diff(rsp) <= 16 => {
            format!(
                "SIGSEGV at address {address:#x}: the stack is full (an endless recursion?) or rsp is wild"
            )
        }
        (libc::SIGSEGV, Some(address)) if address < NIL_PAGE => {
            format!("SIGSEGV at address {address:#x}: a nil pointer was dereferenced")
        }
        (libc::SIGSEGV | libc::SIGBUS, Some(address)) => {
            format!("{} at address {address:#x}", signal_name(signal))
        }
        (libc::SIGSEGV, None) => {
            "SIGSEGV: a non-canonical address or a privileged instruction".into()
        }
        (libc::SIGILL, _) => "SIGILL: an instruction that this CPU does not have, or ud2".into(),
        (libc::SIGFPE, _) => "SIGFPE: a division by zero, or a quotient that does not fit".into(),
        (libc::SIGTRAP, _) => "SIGTRAP: int3, or a jump into the padding between functions".into(),
        _ => signal_name(signal),
    }
}

/// A system call's name as `man 2 syscalls` has it, with the way in where it is not the usual one.
fn call_name(number: u32, architecture: u32) -> String {
    const X32: u32 = 0x4000_0000;
    let known = |name: Option<&str>| name.map_or_else(|| format!("number {number}"), String::from);
    let amd64 = |number: u32| syscalls::x86_64::Sysno::new(number as usize).map(|call| call.name());
    if architecture == filter::ARCH_I386 {
        let call = syscalls::x86::Sysno::new(number as usize).map(|call| call.name());
        format!("{} (32-bit, int 0x80)", known(call))
    } else if number & X32 != 0 {
        format!("{} (x32)", known(amd64(number & !X32)))
    } else {
        known(amd64(number))
    }
}

/// A fault with the template's line, where the place is the template's.
fn located(
    scenario: &Scenario,
    prepared: &Prepared,
    plan: &Plan,
    kind: &str,
    (message, remedy): (&str, &str),
    place: &Place,
) -> FaultReport {
    let template = &scenario.template;
    let image = placed_image(prepared, place, plan);
    let address = place.code_offset.map(|offset| image.site.code + offset);
    let line = address.and_then(|address| image.line(&prepared.row.program, address));
    let instruction = address.map(|address| {
        let text = instruction_text(&image, address);
        match (image.name(address).filter(|_| line.is_none()), line) {
            (Some(name), _) => format!("`{text}` in {name}"),
            (None, None) => format!(
                "`{text}` of the harness, whose registers or memory the template has changed"
            ),
            (None, Some(_)) => format!("`{text}`"),
        }
    });
    let message = match (&instruction, kind) {
        (Some(text), _) => format!("{message}, at {text}{remedy}"),
        (None, "timeout" | "exit" | "signal") => format!("{message}{remedy}"),
        (None, _) => {
            format!("{message}; it was noticed only after the body, at the exit{remedy}")
        }
    };
    FaultReport {
        kind: kind.to_string(),
        signal: None,
        call: None,
        address: None,
        message,
        template: file_name(template),
        line,
        text: line.map(|line| code_of(template_line(template, line)).to_string()),
        registers: BTreeMap::new(),
    }
}

fn placed_image(prepared: &Prepared, place: &Place, plan: &Plan) -> Image {
    let placement = plan
        .placements
        .get(place.placement)
        .copied()
        .unwrap_or(crate::link::PLACEMENTS[0]);
    prepared.image_at(
        placement,
        if place.baseline {
            Variant::Baseline
        } else {
            Variant::Body
        },
    )
}

fn instruction_text(image: &Image, address: u64) -> String {
    let bytes = &image.code[(address - image.site.code) as usize..];
    let length = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE)
        .decode()
        .len();
    let listed = asm::disassemble(&bytes[..length.min(bytes.len())], address, &|address| {
        image.name(address)
    });
    listed
        .first()
        .map(|one| one.text.clone())
        .unwrap_or_default()
}

fn panicked(scenario: &Scenario, prepared: &Prepared, panic: PanicAt, plan: &Plan) -> Status {
    let image = placed_image(prepared, &Place::default(), plan);
    let caller = image
        .symbol_at(image.site.code + panic.code_offset)
        .map(|symbol| symbol.name.clone());
    let message = match panic.kind {
        frame::PANIC_WRAP => caller
            .as_deref()
            .and_then(symbol::panicwrap_message)
            .unwrap_or_else(|| {
                format!(
                    "runtime.panicwrap called from {}, which is no wrapper",
                    caller.as_deref().unwrap_or("the body")
                )
            }),
        _ => "stack overflow".into(),
    };
    Status::Panic {
        message,
        asked_for: scenario.nil_receiver,
    }
}

/// The template as diagnostics name it.
pub fn file_name(template: &Template) -> String {
    match &template.origin {
        Origin::Embedded => format!("embedded:{}.asm", template.name),
        Origin::File(path) => path.display().to_string(),
        Origin::Stdin => "<stdin>".into(),
    }
}

/// A line of the template's text.
pub fn template_line(template: &Template, line: u32) -> &str {
    template.text.lines().nth(line as usize - 1).unwrap_or("")
}

/// The header line that sets `key`; the first line where there is none.
pub fn header_line(template: &Template, key: &str) -> u32 {
    let sets = |line: &str| {
        line.trim_start()
            .strip_prefix(";!")
            .is_some_and(|rest| rest.trim_start().starts_with(key))
    };
    template
        .text
        .lines()
        .position(sets)
        .map_or(1, |at| at as u32 + 1)
}

/// A line without its comment and outer blanks.
fn code_of(line: &str) -> &str {
    line.split(';').next().unwrap_or(line).trim()
}

/// A diagnostic for a whole line.
pub fn at_line(
    template: &Template,
    line: u32,
    message: String,
    help: Option<String>,
) -> Diagnostic {
    let text = template_line(template, line).to_string();
    let column = text.chars().take_while(|c| c.is_whitespace()).count() as u32 + 1;
    let width = (text.trim().chars().count() as u32).max(1);
    Diagnostic {
        file: file_name(template),
        line,
        column,
        width,
        text,
        origin: None,
        message,
        help,
    }
}
