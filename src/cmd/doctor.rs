//! `doctor`: what can be measured here and why not, and whether the harness measures what is known.
//!
//! Correct means: every check is a measurement made now, of code whose cost the manuals state, and
//! a check that fails says what it means for the numbers.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::{Common, Stop, print};
use crate::counter::Unavailable;
use crate::job::{Counters, Plan};
use crate::machine::Machine;
use crate::pipeline::{self, Settings};
use crate::report::{Report, Row};
use crate::scenario::Scenario;
use crate::template::{Origin, Template};

/// One check.
#[derive(Debug, Clone, PartialEq)]
struct Check {
    name: &'static str,
    ok: bool,
    value: String,
    expected: &'static str,
    why: String,
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

pub(super) fn doctor(common: &Common) -> Result<i32, Stop> {
    let mut settings = common.settings(None)?;
    if settings.plan.counters == Counters::None {
        settings.plan.counters = Counters::Clock;
    }
    settings.plan.time_ms = common.time.unwrap_or(10.0);
    let machine = Machine::inspect(&settings.plan);
    let mut progress = common.progress();
    let report = pipeline::run(&kernels()?, &settings, &mut progress)?;
    let twice = Settings {
        plan: Plan {
            chunk_ns: settings.plan.chunk_ns * 2.0,
            ..settings.plan.clone()
        },
        ..settings.clone()
    };
    let doubled = pipeline::run(&kernels()?[..1], &twice, &mut progress)?;
    common.end_progress();
    if report.interrupted || doubled.interrupted {
        common.warn("warning: interrupted: nothing was checked; run it again\n");
        return Ok(130);
    }
    let checks = checks(&report, &doubled);
    let rendered = if common.json {
        as_json(&report, &checks)
    } else {
        as_text(&machine, &report, &checks)
    };
    print(&rendered)?;
    Ok(i32::from(checks.iter().any(|check| !check.ok)))
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
    row.and_then(|row| row.metrics.as_ref())
        .and_then(|metrics| metrics.cycles.value)
        .unwrap_or(f64::NAN)
}

fn checks(report: &Report, doubled: &Report) -> Vec<Check> {
    let row = |name: &str| report.rows.iter().find(|row| row.template == name);
    let near = |value: f64, wanted: f64, tolerance: f64| (value / wanted - 1.0).abs() <= tolerance;
    let measured = |name, value: f64, ok, expected, why: &str| Check {
        name,
        ok,
        value: format!("{value:.3}"),
        expected,
        why: if ok { String::new() } else { why.to_string() },
    };
    let (add, imul, load) = (cycles(row("add")), cycles(row("imul")), cycles(row("load")));
    let empty = row("empty")
        .and_then(|row| row.baseline.as_ref())
        .and_then(|base| base.cycles.value);
    let empty = empty.unwrap_or(f64::NAN);
    let ratio = cycles(doubled.rows.first()) / add;
    let unit = "cycles are not core cycles here; the clock may change faster than it is calibrated";
    let counted = row("steps").and_then(|row| row.metrics.as_ref());
    let instructions = counted
        .and_then(|metrics| metrics.instructions.value)
        .unwrap_or(f64::NAN);
    let branches = counted
        .and_then(|metrics| metrics.branches.value)
        .unwrap_or(f64::NAN);
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
            near(imul, 3.0, 0.01),
            "3.00 cycles",
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
            value: format!("{instructions} instructions, {branches} branches"),
            expected: "32 and 10",
            why: if is_exact {
                String::new()
            } else {
                "counts are not exact here".into()
            },
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
        },
    ]
}

fn as_json(report: &Report, checks: &[Check]) -> String {
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
        .collect();
    format!(
        "{:#}\n",
        json!({ "schema": 1, "provenance": report.provenance, "checks": list })
    )
}

/// Events with the same answer, together.
fn grouped<'a>(
    events: &'a [(&'static str, Result<(), Unavailable>)],
) -> Vec<(Vec<&'static str>, Option<&'a Unavailable>)> {
    let mut groups: Vec<(Vec<&'static str>, Option<&Unavailable>)> = Vec::new();
    for (event, opened) in events {
        let answer = opened.as_ref().err();
        match groups.iter_mut().find(|(_, known)| *known == answer) {
            Some((names, _)) => names.push(event),
            None => groups.push((vec![event], answer)),
        }
    }
    groups
}

fn as_text(machine: &Machine, report: &Report, checks: &[Check]) -> String {
    let mut out = String::from("What can be measured here\n");
    let mark = |ok: bool| if ok { "ok  " } else { "no  " };
    for (events, unavailable) in grouped(&machine.events) {
        let events = events.join(", ");
        match unavailable {
            None => {
                let _ = writeln!(out, "  {}pmu: {events}", mark(true));
            }
            Some(why) => {
                let _ = writeln!(out, "  {}pmu: {events}", mark(false));
                let _ = writeln!(out, "        {}", why.reason);
                let _ = writeln!(out, "        {}", why.remedy);
            }
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
    let _ = writeln!(
        out,
        "  {}step: instructions and branches by single-stepping",
        mark(
            checks
                .iter()
                .any(|check| check.name == "single-stepping" && check.ok)
        )
    );
    out.push_str("\nWhere the columns come from\n");
    for source in &provenance.sources {
        let basis = format!("{:?}", source.basis).to_lowercase();
        let _ = writeln!(
            out,
            "  {:<14} {:<12} {:<6} {}",
            source.event, basis, source.source, source.why
        );
    }
    out.push_str("\nSelf-check of the harness\n");
    for check in checks {
        let _ = writeln!(
            out,
            "  {}{:<31} {:<32} expected {}",
            mark(check.ok),
            check.name,
            check.value,
            check.expected
        );
        if !check.ok {
            let _ = writeln!(out, "      {}", check.why);
        }
    }
    let hypervisor = provenance
        .hypervisor
        .as_deref()
        .map_or_else(|| "no hypervisor".into(), |name| format!("under {name}"));
    let _ = writeln!(
        out,
        "\n{}, {hypervisor}, Linux {}",
        provenance.cpu, provenance.kernel
    );
    out
}
