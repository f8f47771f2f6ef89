//! `doctor`: what can be measured here and why not, and whether the harness measures what is known.
//!
//! Correct means: every check is a measurement made now, of code whose cost the manuals state, and
//! a check that fails says what it means for the numbers.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::output::{Input, Output};
use super::record::{self, Concerns, Failed};
use super::{Common, Stop, names, print_json, print_plain};
use crate::counter::pmu;
use crate::fingerprint::{self, Fingerprint, Unprepared};
use crate::job::{Counters, Plan, Unavailable};
use crate::machine::Machine;
use crate::machine::cpus::{self, Fact};
use crate::pipeline::{self, Settings};
use crate::report::{Report, Row, json};
use crate::scenario::Scenario;
use crate::stats::{Event, Quantity};
use crate::sys::interrupt;
use crate::template::{Library, Origin, Template};
use crate::text::{folded, hanging, printable};
use crate::worker::parent::{Progress, signal_name};

mod bundle;
mod misses;
mod proof;

/// One check.
#[derive(Debug, Clone, PartialEq)]
struct Check {
    name: &'static str,
    ok: bool,
    value: String,
    expected: &'static str,
    why: String,
    /// Which results it concerns where it fails.
    concerns: Concerns,
}

/// Kernels whose cost is known: name, header and code.
#[rustfmt::skip] // a table: one kernel an entry
const KERNELS: [(&str, &str); 6] = [
    ("add",   ";! title = \"dependent adds\"\n;! unroll = 50\nbody:\n add rax, rax\n"),
    ("imul",  ";! title = \"dependent multiplications\"\n;! unroll = 50\nbody:\n imul rax, rax\n"),
    ("load",  ";! title = \"dependent loads\"\n;! unroll = 50\nsetup:\n lea rax, [\"self\"]\nbody:\n mov rax, [rax]\ndata \"self\":\n dq \"self\"\n"),
    ("empty", ";! title = \"one nop\"\nbody:\n nop\n"),
    ("steps", ";! title = \"a loop of ten\"\n;! result = \"eax\"\n;! expect = 30\nbody:\n xor eax, eax\n mov ecx, 10\n1: add eax, 3\n dec ecx\n jnz 1b\n"),
    ("call",  ";! title = \"a system call\"\nbody:\n mov eax, 39\n syscall\n"),
];

/// Timing of the row whose samples are all in a bundle.
const SAMPLED_MS: f64 = 2.0;

pub(super) fn doctor(common: &Common, bundle: Option<&Path>) -> Result<i32, Stop> {
    let output = bundle
        .map(|path| Output::open("--report", path))
        .transpose()?;
    let own: Vec<Input> = record::path()
        .iter()
        .filter_map(|path| Input::at(path))
        .collect();
    Output::check(&output.iter().collect::<Vec<_>>(), &own)?;
    let mut settings = common.settings(None)?;
    if settings.plan.counters == Counters::None {
        settings.plan.counters = Counters::Clock;
    }
    settings.plan.time_ms = common.time.unwrap_or(10.0);
    settings.plan.further.clear();
    let _core = common.claim_core(&mut settings);
    let machine = Machine::inspect(&settings.plan, &settings.events);
    let voice = common.progress();
    let mut progress = voice.telling();
    let by_counters = (settings.plan.counters == Counters::Pmu)
        .then(|| pipeline::run(&kernels()?, &settings, &mut progress).map_err(Stop::from))
        .transpose()?;
    let mut asked = settings.clone();
    if by_counters.is_some() {
        // The harness itself is checked with what any machine has.
        settings.plan.counters = Counters::Clock;
    }
    let mut report = pipeline::run(&kernels()?, &settings, &mut progress)?;
    let twice = Settings {
        plan: Plan {
            chunk_ns: settings.plan.chunk_ns * 2.0,
            ..settings.plan.clone()
        },
        ..settings.clone()
    };
    let doubled = pipeline::run(&kernels()?[..1], &twice, &mut progress)?;
    let counted = by_counters.as_ref();
    if let Some(signal) = interrupt::seen() {
        drop(progress);
        drop(voice);
        return Ok(interrupted(common, signal));
    }
    let mut checks = checks(&report, &doubled);
    let counter_checks = by_counters
        .iter()
        .flat_map(|counted| counter_checks(counted, &report));
    let counter_checks: Vec<Check> = counter_checks.collect();
    // What fails here is not believed elsewhere on this page.
    let machine = match counter_checks.iter().find(|check| !check.ok) {
        Some(check) => {
            let why = format!(
                "the hardware counters failed a check below: `{}` has {}, expected {}",
                check.name, check.value, check.expected
            );
            machine.distrusting(why, false)
        }
        None => machine,
    };
    let counted = counted.filter(|_| counter_checks.iter().all(|check| check.ok));
    checks.extend(counter_checks);
    checks.extend(proof::checks(&settings, &mut progress)?);
    let heads = proof::heads(&settings, &mut progress)?;
    let breakpoint = Counter {
        kind: "breakpoint",
        event: "iterations of a loop",
        state: heads.as_ref().map(|_| ()).map_err(Clone::clone),
    };
    checks.extend(heads.ok());
    checks.extend(misses::check(&settings, &mut progress)?);
    let fingerprint = fingerprint(&settings, &mut progress)?;
    // What a signal has cut short has not failed.
    if let Some(signal) = interrupt::seen() {
        drop(progress);
        drop(voice);
        return Ok(interrupted(common, signal));
    }
    report.provenance.predictor = Some(fingerprint.line.clone());
    report.provenance.sources = match counted {
        Some(counted) => counted.provenance.sources.clone(),
        None => machine.sources(),
    };
    let mut counters = Counter::all(&machine, matches!(common.counters.as_str(), "auto" | "pmu"));
    counters.push(breakpoint);
    let facts = cpus::facts(report.provenance.pinned_cpu);
    if let Some(output) = output {
        let found = as_json(&report, &counters, &checks, (&facts, &fingerprint));
        asked.plan.placements.truncate(1);
        // Of what a bundle is read for nothing needs an uninterrupted run of each row: those were most of its time.
        asked.plan.run_ms = 0.0;
        let tour = json::render(&pipeline::run(&tour()?, &asked, &mut progress)?);
        // Of one row all that was read, the empty entries and each chunk; of all of them it would be megabytes.
        asked.samples = true;
        asked.plan.time_ms = asked.plan.time_ms.min(SAMPLED_MS);
        let row = json::render(&pipeline::run(&kernels()?[..1], &asked, &mut progress)?);
        let bundle = bundle::bundle(report.provenance.pinned_cpu, (&found, &tour, &row))?;
        output.write(&bundle, printable::json)?;
    }
    drop(progress);
    drop(voice);
    let rendered = if common.json {
        as_json(&report, &counters, &checks, (&facts, &fingerprint))
    } else {
        let width = common.style().width;
        let found = (&checks[..], &facts[..], &fingerprint);
        as_text(&machine, &counters, &report, found, width)
    };
    let failed = checks.iter().filter(|check| !check.ok).map(Failed::from);
    let is_scripted = matches!(settings.plan.counters, Counters::Fake(_));
    // A script says nothing about this machine.
    if !is_scripted && let Err(why) = record::remember(&report.provenance, failed.collect()) {
        common.warn(&format!(
            "warning: later results will not say what was found here: {why}\n"
        ));
    }
    if common.json {
        print_json(&rendered)?;
    } else {
        print_plain(&rendered)?;
    }
    Ok(i32::from(checks.iter().any(|check| !check.ok)))
}

/// The rows of the suite that everybody has.
fn tour() -> Result<Vec<Scenario>, Stop> {
    let library = Library::embedded();
    let suite = library.suite("tour")?;
    let members = suite.iter().flat_map(|suite| &suite.members);
    members
        .map(|member| names::bind(&library, &member.scenario, &[]))
        .collect()
}

/// Says that a signal has ended it, and gives the exit code.
fn interrupted(common: &Common, signal: i32) -> i32 {
    let name = signal_name(signal);
    common.warn(&format!(
        "warning: interrupted by {name}: nothing was checked; run it again\n"
    ));
    128 + signal
}

/// Runs patterns of branches, briefly.
fn fingerprint(settings: &Settings, progress: Progress<'_>) -> Result<Fingerprint, Stop> {
    const TIME_MS: f64 = 3.0;
    let scenarios = fingerprint::scenarios(settings.plan.seed).map_err(|error| match error {
        Unprepared::Template(diagnostics) => Stop::Templates(diagnostics),
        Unprepared::Parameter(error) => Stop::from(error),
    })?;
    let mut settings = settings.clone();
    settings.plan.time_ms = TIME_MS;
    settings.plan.placements.truncate(1);
    let report = pipeline::run(&scenarios, &settings, progress)?;
    Ok(Fingerprint::of(&report.rows))
}

/// A line for each kind of branch: the cycles of each pattern, and what they come to.
fn learned(fingerprint: &Fingerprint) -> String {
    let mut out = String::from("\nWhat the branch predictors learn (inferred from cycles)\n");
    let kinds = &fingerprint.patterns;
    let kinds = kinds.chunk_by(|one, next| one.branches == next.branches);
    let number = |value: Option<f64>| value.map_or("?".into(), |value| format!("{value:.1}"));
    for kind in kinds {
        let _ = writeln!(
            out,
            "  -   {}: {} cycles where predicted, {} where missed",
            kind[0].branches,
            number(kind[0].predicted),
            number(kind[0].missed)
        );
        for pattern in kind {
            let _ = writeln!(
                out,
                "        {:<13} {:>6}  {}",
                pattern.visits,
                number(pattern.cycles),
                pattern.found.word()
            );
        }
    }
    out
}

impl From<&Check> for Failed {
    fn from(check: &Check) -> Failed {
        Failed {
            name: check.name.into(),
            value: check.value.clone(),
            expected: check.expected.into(),
            why: check.why.clone(),
            concerns: check.concerns,
        }
    }
}

/// What to say of a fact: the reason where it is unknown, the remedy where it could be quieter.
fn advice(fact: &Fact) -> Option<&str> {
    match &fact.value {
        Err(why) => Some(why),
        Ok(value) if fact.best.split(", ").any(|best| best == value) || value == fact.best => None,
        Ok(_) => Some(fact.remedy),
    }
}

/// A counter of the kernel, and why it cannot be used where it cannot.
#[derive(Debug, Clone, PartialEq)]
struct Counter {
    /// `pmu`, `software counters` or `rdpmc`.
    kind: &'static str,
    /// The event; for `rdpmc`, what it may read.
    event: &'static str,
    state: Result<(), Unavailable>,
}

impl Counter {
    fn all(machine: &Machine, is_verified: bool) -> Vec<Counter> {
        let hardware = Event::ALL.into_iter().map(|event| Counter {
            kind: "pmu",
            event: event.name(),
            state: verified(machine.state(event), is_verified),
        });
        let software = pmu::probe_software();
        let software = software.into_iter().map(|(event, state)| Counter {
            kind: "software counters",
            event,
            state,
        });
        let rdpmc = pmu::rdpmc();
        let rdpmc = Counter {
            kind: "rdpmc",
            event: rdpmc.as_ref().map_or("no counter", |how| *how),
            state: rdpmc.map(|_| ()),
        };
        hardware.chain(software).chain([rdpmc]).collect()
    }
}

/// What is known of an event that opens: some hypervisors' open and stay 0.
fn verified(state: Result<(), Unavailable>, is_verified: bool) -> Result<(), Unavailable> {
    let unverified = || Unavailable {
        reason: "opens, not verified".into(),
        remedy: "`doctor --counters pmu` holds it against loops of known length".into(),
    };
    state.and_then(|()| is_verified.then_some(()).ok_or_else(unverified))
}

fn kernels() -> Result<Vec<Scenario>, Stop> {
    let mut scenarios = Vec::new();
    for (name, text) in KERNELS {
        let template =
            Template::parse(name, Origin::Embedded, text.to_string()).map_err(Stop::Templates)?;
        scenarios.push(Scenario::bind(Arc::new(template), &[])?);
    }
    Ok(scenarios)
}

fn cycles(row: Option<&Row>) -> f64 {
    row.and_then(|row| row.value(Quantity::Cycles))
        .unwrap_or(f64::NAN)
}

/// A number of a check, which may have none.
fn told(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return "none".into();
    }
    format!("{value:.decimals$}")
}

fn checks(report: &Report, doubled: &Report) -> Vec<Check> {
    let row = |name: &str| report.rows.iter().find(|row| row.template == name);
    let near = |value: f64, wanted: f64, tolerance: f64| (value / wanted - 1.0).abs() <= tolerance;
    let measured = |name, value: f64, ok, expected, why: &str| Check {
        name,
        ok,
        value: told(value, 3),
        expected,
        why: if ok { String::new() } else { why.to_string() },
        concerns: Concerns::Clock,
    };
    let (add, imul, load) = (cycles(row("add")), cycles(row("imul")), cycles(row("load")));
    let empty = row("empty")
        .and_then(|row| row.baseline.as_ref())
        .and_then(|base| base.cycles.value);
    let empty = empty.unwrap_or(f64::NAN);
    let ratio = cycles(doubled.rows.first()) / add;
    let unit = "cycles are not core cycles here; the clock may change faster than it is calibrated";
    let counted = |quantity: Quantity| row("steps").and_then(|row| row.value(quantity));
    let instructions = counted(Quantity::Instructions).unwrap_or(f64::NAN);
    let branches = counted(Quantity::Branches).unwrap_or(f64::NAN);
    let is_exact = instructions == 32.0 && branches == 10.0;
    let call = row("call").map_or("not run", |row| row.status.name());
    let is_stopped = call == "forbidden";
    vec![
        measured(
            "dependent add",
            add,
            near(add, 1.0, 0.01),
            "1.00 cycles",
            unit,
        ),
        measured(
            "dependent imul",
            imul,
            // Five or six on small cores, but whole cycles on all.
            (3.0..=6.0).contains(&imul.round()) && near(imul, imul.round(), 0.01),
            "3, 4, 5 or 6 cycles",
            unit,
        ),
        measured(
            "dependent load from L1",
            load,
            near(load, 4.0, 0.02) || near(load, 5.0, 0.02),
            "4 or 5 cycles",
            "loads are slower than an L1 hit; is a debugger or an emulator at work?",
        ),
        measured(
            "empty iteration without a walk",
            empty,
            near(empty, 1.0, 0.02),
            "1.00 cycles",
            "the loop itself costs more than a taken branch; baselines are larger than they should be",
        ),
        measured(
            "n against 2n",
            ratio,
            near(ratio, 1.0, 0.005),
            "ratio 1.000",
            "cost does not grow with the iterations; the overhead that is subtracted is wrong",
        ),
        Check {
            name: "single-stepping",
            ok: is_exact,
            value: format!("{} and {}", told(instructions, 0), told(branches, 0)),
            expected: "32 instr, 10 branch",
            why: if is_exact {
                String::new()
            } else {
                "counts are not exact here".into()
            },
            concerns: Concerns::Steps,
        },
        Check {
            name: "a system call of a template",
            ok: is_stopped,
            value: call.into(),
            expected: "forbidden",
            why: if is_stopped {
                String::new()
            } else {
                "this kernel does not filter system calls; run only templates that you would run as \
                 programs"
                    .into()
            },
            concerns: Concerns::All,
        },
    ]
}

/// A count that is known: the check's name, its kernel, what is counted and where, the unit, how many, and in words.
type KnownCount = (
    &'static str,
    &'static str,
    Event,
    Quantity,
    Option<f64>,
    f64,
    &'static str,
);

/// The same kernels, by the hardware counters, and cycles beside the clock's: of each event that those are believed to
/// count. Why another one is refused stands beside it already.
fn counter_checks(counted: &Report, by_clock: &Report) -> Vec<Check> {
    let row = |report: &'_ Report, name: &str| {
        let at = report.rows.iter().position(|row| row.template == name)?;
        report.rows[at].metrics.clone()
    };
    let clock = row(by_clock, "imul").and_then(|metrics| metrics[Quantity::Cycles].value);
    #[rustfmt::skip] // a table: one check a line
    let table: [KnownCount; 3] = [
        ("pmu: cycles, to the clock's", "imul", Event::Cycles, Quantity::Cycles, clock, 1.0, "ratio 1.000"),
        ("pmu: loop of ten", "steps", Event::Instructions, Quantity::Instructions, Some(1.0), 32.0, "32 instructions"),
        ("pmu: loop of ten", "steps", Event::Branches, Quantity::Branches, Some(1.0), 10.0, "10 branches"),
    ];
    let is_counted = |event: Event| {
        let mut sources = counted.provenance.sources.iter();
        sources.any(|line| line.event == event.name() && line.source == "pmu")
    };
    let counted_ones = table.into_iter().filter(|one| is_counted(one.2));
    let check = |(name, kernel, _, quantity, unit, wanted, expected): KnownCount| {
        let metrics = row(counted, kernel);
        // Where the counters of a row were not believed, another source stands in, and the misses say why.
        let metric = metrics.as_ref().map(|metrics| &metrics[quantity]);
        let metric = metric.filter(|metric| metric.source.as_deref() == Some("pmu"));
        let value = metric.and_then(|metric| metric.value);
        let value = value.zip(unit).map(|(value, unit)| value / unit);
        let ok = value.is_some_and(|value| (value / wanted - 1.0).abs() <= 0.02);
        let said = metrics.and_then(|metrics| metrics[Quantity::BranchMisses].why.clone());
        let said = said.filter(|_| value.is_none());
        let remedy =
            "the hardware counters do not count this machine's code; take --counters clock";
        let why = said.map_or_else(|| remedy.into(), |said| format!("{said}; {remedy}"));
        Check {
            name,
            ok,
            value: told(value.unwrap_or(f64::NAN), 3),
            expected,
            why: if ok { String::new() } else { why },
            concerns: Concerns::Counters,
        }
    };
    counted_ones.map(check).collect()
}

fn as_json(
    report: &Report,
    counters: &[Counter],
    checks: &[Check],
    (facts, fingerprint): (&[Fact], &Fingerprint),
) -> String {
    let counters: Vec<_> = counters
        .iter()
        .map(|counter| {
            let why = counter.state.as_ref().err();
            json!({
                "kind": counter.kind,
                "event": counter.event,
                "ok": why.is_none(),
                "reason": why.map(|why| &why.reason),
                "remedy": why.map(|why| &why.remedy),
            })
        })
        .collect();
    let list: Vec<_> = checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "ok": check.ok,
                "value": check.value,
                "expected": check.expected,
                "why": if check.ok { serde_json::Value::Null } else { json!(check.why) },
            })
        })
        .chain(facts.iter().map(|fact| {
            // Nothing that a self-check could fail by: what the machine is like.
            json!({
                "name": fact.name,
                "ok": true,
                "value": fact.value.as_ref().map_or("unknown", String::as_str),
                "expected": fact.best,
                "why": advice(fact),
            })
        }))
        .collect();
    format!(
        "{:#}\n",
        json!({
            "schema": 1,
            "provenance": report.provenance,
            "checks": list,
            "counters": counters,
            "predictor": {
                "basis": "inferred",
                "line": fingerprint.line,
                "patterns": fingerprint.patterns,
            },
        })
    )
}

/// Counters of one kind with the same answer, together.
fn grouped(counters: &[Counter]) -> Vec<Vec<&Counter>> {
    let mut groups: Vec<Vec<&Counter>> = Vec::new();
    for counter in counters {
        let alike = |group: &&mut Vec<&Counter>| {
            group[0].kind == counter.kind && group[0].state == counter.state
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(counter),
            None => groups.push(vec![counter]),
        }
    }
    groups
}

/// A text in lines that begin at one column, the first of them behind `lead`.
fn indented(text: &str, lead: &str, column: usize, width: usize) -> String {
    let narrow = hanging(text, "", 0, width.saturating_sub(column));
    let mut out = String::new();
    for (at, line) in narrow.lines().enumerate() {
        let lead = if at == 0 { lead } else { "" };
        let _ = writeln!(out, "{lead:<column$}{line}");
    }
    out
}

fn as_text(
    machine: &Machine,
    counters: &[Counter],
    report: &Report,
    (checks, facts, fingerprint): (&[Check], &[Fact], &Fingerprint),
    width: usize,
) -> String {
    const REASONS: usize = 8;
    let mut out = String::from("What can be measured here\n");
    let mark = |ok: bool| if ok { "ok  " } else { "no  " };
    for group in grouped(counters) {
        let events: Vec<_> = group.iter().map(|counter| counter.event).collect();
        let state = &group[0].state;
        let (mark, kind) = (mark(state.is_ok()), group[0].kind);
        let line = format!("  {mark}{kind}: {}\n", events.join(", "));
        out += &folded(&line, REASONS - 2, width);
        if let Err(why) = state {
            out += &indented(&why.reason, "", REASONS, width);
            out += &indented(&why.remedy, "", REASONS, width);
        }
    }
    let provenance = &report.provenance;
    let hertz = |value: Option<f64>| {
        value.map_or_else(
            || "unknown".into(),
            |hertz| format!("{:.4} GHz", hertz / 1e9),
        )
    };
    let _ = writeln!(
        out,
        "  {}clock: TSC {}, core {} while measuring",
        mark(machine.has_invariant_tsc),
        hertz(provenance.tsc_hz),
        hertz(provenance.core_hz)
    );
    let step = checks.iter().find(|check| check.name == "single-stepping");
    let _ = writeln!(
        out,
        "  {}step: instructions and branches by single-stepping",
        mark(step.is_some_and(|check| check.ok))
    );
    out.push_str("\nWhere the columns come from\n");
    for source in &provenance.sources {
        let basis = format!("{:?}", source.basis).to_lowercase();
        let lead = format!("  {:<14} {basis:<12} {:<6} ", source.event, source.source);
        out += &indented(&source.why, &lead, lead.len(), width);
    }
    out.push_str("\nSelf-check of the harness\n");
    for check in checks {
        let _ = writeln!(
            out,
            "  {}{:<31} {:<10} expected {}",
            mark(check.ok),
            check.name,
            check.value,
            check.expected
        );
        if !check.ok {
            out += &indented(&check.why, "", REASONS, width);
        }
    }
    out += &learned(fingerprint);
    out.push_str("\nWhat may disturb this CPU\n");
    for fact in facts {
        let value = fact.value.as_ref().map_or("unknown", String::as_str);
        let _ = writeln!(out, "  -   {}: {value}", fact.name);
        if let Some(advice) = advice(fact) {
            out += &indented(advice, "", REASONS, width);
        }
    }
    let hypervisor = provenance
        .hypervisor
        .as_deref()
        .map_or_else(|| "no hypervisor".into(), |name| format!("under {name}"));
    let machine = format!(
        "\n{}, {hypervisor}, Linux {}\n",
        provenance.cpu, provenance.kernel
    );
    out += &folded(&machine, 2, width);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Basis, FaultReport, Provenance, SourceLine, Status};

    #[test]
    fn an_event_that_merely_opens_is_not_ok() {
        assert_eq!(verified(Ok(()), true), Ok(()));
        let opens = verified(Ok(()), false).expect_err("nothing has counted with it");
        assert_eq!(opens.reason, "opens, not verified");
        let absent = Unavailable {
            reason: "no PMU".into(),
            remedy: "none".into(),
        };
        assert_eq!(verified(Err(absent.clone()), false), Err(absent));
    }

    /// What is measured of the kernels: cycles of add, imul, load and the empty iteration, those of add in
    /// chunks of twice the length, and the instructions and branches of the loop of ten.
    type Measured = ([f64; 5], [f64; 2]);

    const RIGHT: Measured = ([1.0, 3.0, 4.0, 1.0, 1.0], [32.0, 10.0]);

    fn failed(([add, imul, load, empty, doubled], counts): Measured) -> Vec<&'static str> {
        use crate::report::fixture::{measured, ok};
        let row = |name, cycles| ok(name, cycles, cycles, (counts[0], counts[1]));
        let mut rows = vec![
            row("add", add),
            row("imul", imul),
            row("load", load),
            row("empty", 1.7),
            row("steps", 12.0),
            row("call", 1.0),
        ];
        rows[3]
            .baseline
            .iter_mut()
            .for_each(|baseline| baseline.cycles = measured(empty));
        rows[5].status = Status::Fault(FaultReport {
            kind: None,
            signal: Some("SIGSYS".into()),
            call: Some("getpid".into()),
            address: None,
            message: "stopped".into(),
            template: "call".into(),
            line: None,
            text: None,
            registers: Default::default(),
        });
        let report = |rows| Report {
            rows,
            ..Report::default()
        };
        let checks = checks(&report(rows), &report(vec![row("add", doubled)]));
        let failed = checks.iter().filter(|check| !check.ok);
        failed.map(|check| check.name).collect()
    }

    #[test]
    fn each_kernel_may_be_off_by_its_bound_and_no_more() {
        #[rustfmt::skip] // a table: one machine a line
        let table: [(Measured, &[&str]); 24] = [
            (RIGHT, &[]),
            (([1.009, 3.0, 4.0, 1.0, 1.009], RIGHT.1), &[]),
            (([1.011, 3.0, 4.0, 1.0, 1.011], RIGHT.1), &["dependent add"]),
            (([0.989, 3.0, 4.0, 1.0, 0.989], RIGHT.1), &["dependent add"]),
            (([1.0, 3.027, 4.0, 1.0, 1.0], RIGHT.1), &[]),
            (([1.0, 3.033, 4.0, 1.0, 1.0], RIGHT.1), &["dependent imul"]),
            (([1.0, 2.967, 4.0, 1.0, 1.0], RIGHT.1), &["dependent imul"]),
            (([1.0, 5.04, 4.0, 1.0, 1.0], RIGHT.1), &[]), // a small core
            (([1.0, 6.07, 4.0, 1.0, 1.0], RIGHT.1), &["dependent imul"]),
            (([1.0, 7.0, 4.0, 1.0, 1.0], RIGHT.1), &["dependent imul"]),
            (([1.0, 2.0, 4.0, 1.0, 1.0], RIGHT.1), &["dependent imul"]),
            (([1.0, 3.0, 4.07, 1.0, 1.0], RIGHT.1), &[]),
            (([1.0, 3.0, 4.09, 1.0, 1.0], RIGHT.1), &["dependent load from L1"]),
            (([1.0, 3.0, 4.89, 1.0, 1.0], RIGHT.1), &["dependent load from L1"]),
            (([1.0, 3.0, 4.91, 1.0, 1.0], RIGHT.1), &[]),
            (([1.0, 3.0, 5.11, 1.0, 1.0], RIGHT.1), &["dependent load from L1"]),
            (([1.0, 3.0, 4.0, 1.019, 1.0], RIGHT.1), &[]),
            (([1.0, 3.0, 4.0, 1.021, 1.0], RIGHT.1), &["empty iteration without a walk"]),
            (([1.0, 3.0, 4.0, 1.0, 1.0049], RIGHT.1), &[]),
            (([1.0, 3.0, 4.0, 1.0, 1.0051], RIGHT.1), &["n against 2n"]),
            (([1.0, 3.0, 4.0, 1.0, 0.9949], RIGHT.1), &["n against 2n"]),
            ((RIGHT.0, [32.0, 11.0]), &["single-stepping"]),
            ((RIGHT.0, [33.0, 10.0]), &["single-stepping"]),
            (([f64::NAN, 3.0, 4.0, 1.0, 1.0], RIGHT.1), &["dependent add", "n against 2n"]),
        ];
        for (measured, wanted) in table {
            assert_eq!(failed(measured), wanted, "{measured:?}");
        }
    }

    #[test]
    fn hardware_counters_may_be_off_by_2_percent() {
        use crate::report::fixture::ok;
        for (factor, is_sound) in [
            (1.0, true),
            (1.019, true),
            (1.021, false),
            (0.981, true),
            (0.979, false),
        ] {
            let counted = |mut row: Row| {
                let metrics = row.metrics.as_mut().expect("numbers");
                for quantity in [Quantity::Cycles, Quantity::Instructions, Quantity::Branches] {
                    metrics[quantity].basis = Basis::Measured;
                    metrics[quantity].source = Some("pmu".into());
                }
                row
            };
            let by_pmu = |event: Event| SourceLine {
                event: event.name().into(),
                source: "pmu".into(),
                basis: Basis::Measured,
                why: String::new(),
            };
            let report = |rows| Report {
                rows,
                provenance: Provenance {
                    sources: Event::ALL.map(by_pmu).to_vec(),
                    ..Provenance::default()
                },
                ..Report::default()
            };
            // A small core's multiplications.
            let by_clock = report(vec![ok("imul", 5.0, 5.0, (1.0, 0.0))]);
            let counted = report(vec![
                counted(ok("imul", 5.0 * factor, 5.0, (1.0, 0.0))),
                counted(ok("steps", 12.0, 12.0, (32.0 * factor, 10.0 * factor))),
            ]);
            let checks = counter_checks(&counted, &by_clock);
            // What the clock stands in for was not counted.
            assert!(
                counter_checks(&by_clock, &by_clock)
                    .iter()
                    .all(|check| !check.ok && check.value == "none")
            );
            assert_eq!(checks.len(), 3);
            assert!(
                checks.iter().all(|check| check.ok == is_sound),
                "{factor}: {checks:?}"
            );
        }
        // What the run refuses itself is no check that fails.
        assert_eq!(counter_checks(&Report::default(), &Report::default()), []);
    }
}
