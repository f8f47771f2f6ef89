//! A made-up report with every status, for the golden files.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::listing::{Listed, ListedFunction, Listing};
use super::sweep::{Knee, Sweep, SweepPoint};
use super::{
    Around, Baseline, Basis, ChangedLine, Checksum, CodeChange, Comparison, FaultReport, Held,
    Layout, LongRun, Metric, Metrics, Provenance, Repeat, Report, Row, SourceLine, Status,
};
use crate::stats::paired::Verdict;
use crate::stats::{Disturbances, Mode, Quantity};
use crate::template::{Clobbers, Figure, Published, Value};
use crate::text::diagnostic::Diagnostic;

const WHY: &str = "no PMU: perf_event_open says ENOENT";

pub(crate) fn measured(value: f64) -> Metric {
    let (low, high) = (Some(value * 0.998), Some(value * 1.002));
    Metric {
        low,
        high,
        ..Metric::of(value, Basis::Measured, "clock")
    }
}

pub(crate) fn exact(value: f64) -> Metric {
    let (low, high) = (Some(value), Some(value));
    Metric {
        low,
        high,
        ..Metric::of(value, Basis::Exact, "step")
    }
}

pub(crate) fn unsupported() -> Metric {
    Metric::none(WHY)
}

/// A row with numbers; `counts` are instructions and branches.
pub(crate) fn ok(scenario: &str, cycles: f64, most: f64, counts: (f64, f64)) -> Row {
    let (template, settings) = scenario.split_once('[').unwrap_or((scenario, ""));
    let settings = settings
        .trim_end_matches(']')
        .split(',')
        .filter_map(|setting| setting.split_once('='));
    let value = |text: &str| text.parse().map_or(Value::Text(text.into()), Value::Int);
    Row {
        scenario: scenario.into(),
        template: template.into(),
        template_path: "embedded".into(),
        template_sha256: "5b1d…".into(),
        params: settings
            .map(|(key, text)| (key.to_string(), value(text)))
            .collect(),
        title: format!("what {template} costs"),
        status: Status::Ok,
        iterations: 1_048_576,
        checksum: Some(Checksum {
            expected: "0x2a".into(),
            actual: "0x2a".into(),
        }),
        metrics: Some(Metrics::of(|quantity| match quantity {
            Quantity::Ns => measured(cycles / 3.694),
            Quantity::Cycles => measured(cycles),
            Quantity::Instructions => exact(counts.0),
            Quantity::Branches => exact(counts.1),
            Quantity::BranchMisses => unsupported(),
            _ => exact(0.0),
        })),
        ratio: Some(cycles / 6.03),
        verified: true,
        clobbers: Clobbers::All,
        baseline: Some(Baseline {
            cycles: measured(1.703),
            instructions: exact(8.0),
        }),
        around: Some(Around {
            instructions: 9.0,
            branches: 1.0,
        }),
        chunks: vec![
            vec![cycles * 0.999, cycles, cycles * 1.004],
            vec![most, most * 1.001],
        ],
        repeats: [cycles, most]
            .into_iter()
            .enumerate()
            .map(|(placement, cycles)| Repeat {
                placement: placement as u32,
                iterations: 4096,
                cycles,
                ns: cycles / 3.694,
            })
            .collect(),
        listing: Some(listing(template, counts.1)),
        layout: Some(Layout {
            placements: 4,
            cycles_min: cycles,
            cycles_median: ((cycles + most) * 500.0).round() / 1000.0,
            cycles_max: most,
        }),
        dropped_samples: 3,
        disturbances: Some(Disturbances {
            context_switches: Some(1),
            switched: Some(2),
            interrupted: Some(1),
            shared_core: Some(0),
            suspected: Some(4),
            frequency_steps: Some(0),
            steal_ms: None,
            chunks: 1280,
        }),
        ..Row::default()
    }
}

/// A function of two instructions, of which the second one ran as often as it says.
fn listing(function: &str, executions: f64) -> Listing {
    let listed = |offset, bytes: &str, text: &str, executions| Listed {
        offset,
        bytes: bytes.into(),
        text: text.into(),
        line: Some(12 + offset),
        file: None,
        source: Some(format!("{text} ; <as> written")),
        executions,
    };
    Listing {
        iterations: 4096,
        functions: vec![ListedFunction {
            name: function.into(),
            is_modelled: false,
            instructions: vec![
                listed(0, "488b08", "mov rcx, [rax]", 1.0),
                listed(3, "ff5118", "call [rcx + 0x18]", executions),
            ],
        }],
        left_out: 0,
    }
}

/// A row without numbers.
fn failed(scenario: &str, status: Status) -> Row {
    let like = ok(scenario, 0.0, 0.0, (0.0, 0.0));
    Row {
        status,
        template_path: format!("mine/{}.asm", like.template),
        template_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        scenario: like.scenario,
        template: like.template,
        params: like.params,
        title: like.title,
        clobbers: like.clobbers,
        ..Row::default()
    }
}

fn fault(kind: &str, message: &str, line: u32, text: &str) -> FaultReport {
    FaultReport {
        kind: (kind != "timeout").then(|| kind.into()),
        message: message.into(),
        template: "mine.asm".into(),
        line: Some(line),
        text: Some(text.into()),
        ..FaultReport::default()
    }
}

/// Rows that have numbers.
fn measured_rows() -> Vec<Row> {
    let mut rows = vec![
        ok("inline", 3.402, 3.41, (1.0, 0.0)),
        ok("direct_call", 6.03, 7.01, (4.0, 2.0)),
        ok("itab_call", 6.04, 7.02, (5.0, 2.0)),
        ok(
            "itab_call[order=random,targets=64]",
            31.62,
            33.4,
            (5.0, 2.0),
        ),
        ok(
            "type_switch[cases=8,hit=order,order=random]",
            30.1,
            34.26,
            (14.6612, 5.4873),
        ),
        ok(
            "wrapper_call[receiver=nil,recover=true]",
            103.4,
            110.0,
            (23.0, 4.0),
        ),
    ];
    let published = |metric: &str, figure| Held {
        measured: Some(1.635),
        basis: Some(Basis::Measured),
        ..Held::from(Published {
            source: "go-internals II, Overhead".into(),
            metric: metric.into(),
            figure,
        })
    };
    let (ratio, to) = (1.08, "direct_call".to_string());
    rows[2].published = vec![
        published("ns", Figure::Value { value: 1.96 }),
        Held {
            measured: None,
            basis: None,
            why: Some("run it beside direct_call".into()),
            ..published("branch_misses", Figure::Ratio { ratio, to })
        },
    ];
    rows[2].today = Some("The same six cycles.".into());
    rows[3].note = Some("the order repeats after 262,144 calls".into());
    rows[3].warnings = vec![
        "61 % of the samples ran beside a disturbed calibration: run again on a quiet machine or pass --cpu N".into(),
    ];
    let mode = |cycles, share| Mode { cycles, share };
    rows[4].settled = Some(true);
    rows[4].long_run = Some(LongRun { cycles: 43.0 });
    rows[4].bistable = true;
    rows[4].modes = vec![mode(41.25, 0.62), mode(44.5, 0.38)];
    rows[4].note =
        Some("no Go compiler emits this chain: above 3 cases it searches by hash".into());
    if let Some(metrics) = &mut rows[4].metrics {
        metrics[Quantity::Instructions].stepped = Some(64);
        metrics[Quantity::Branches].stepped = Some(64);
        metrics[Quantity::BranchMisses] = Metric {
            basis: Basis::Inferred,
            source: Some("injection".into()),
            why: None,
            ..measured(0.949)
        };
    }
    let message = "value method main.Adder.Add called using nil *Adder pointer".into();
    rows[5].status = Status::Panic {
        message,
        asked_for: true,
    };
    rows[5].verified = false;
    if let Some(metrics) = &mut rows[5].metrics {
        metrics[Quantity::Cycles].high = Some(109.0);
    }
    rows[5].ratio = None;
    rows
}

/// Rows that have none.
fn failed_rows() -> Vec<Row> {
    let signal = FaultReport {
        signal: Some("SIGSEGV".into()),
        address: Some("0x18".into()),
        registers: BTreeMap::from([
            ("rax".into(), "0x0".into()),
            ("rcx".into(), "0x7f00".into()),
        ]),
        ..fault(
            "signal",
            "SIGSEGV at address 0x18: a nil pointer was dereferenced",
            12,
            "mov rcx, [rax + 24]",
        )
    };
    let system_call = FaultReport {
        signal: Some("SIGSYS".into()),
        call: Some("getpid".into()),
        ..fault(
            "signal",
            "the system call getpid was stopped, at `syscall`; generated code may make none: take it out of the template",
            4,
            "syscall",
        )
    };
    let clobber = "the body does not leave r15 as it was; use another register, or put `clobbers = \"all\"` into the header";
    let panic = "value method main.Adder.Add called using nil *Adder pointer".to_string();
    let diagnostic = Diagnostic {
        file: "typo.asm".into(),
        line: 3,
        column: 9,
        width: 3,
        text: "        mvo  rcx, [rax]".into(),
        origin: None,
        message: "there is no instruction `mvo`".into(),
        help: Some("did you mean `mov`?".into()),
    };
    vec![
        failed(
            "wrapper_call[receiver=nil]",
            Status::Panic {
                message: panic,
                asked_for: true,
            },
        ),
        failed("mine", Status::Fault(signal)),
        failed(
            "mine[mode=clobber]",
            Status::Fault(fault("clobber", clobber, 9, "mov r15d, 5")),
        ),
        failed("mine[mode=syscall]", Status::Fault(system_call)),
        failed(
            "mine[mode=endless]",
            Status::Timeout(fault(
                "timeout",
                "one entry took more than 2 s; an endless loop? (--timeout S gives it longer)",
                7,
                "jmp again",
            )),
        ),
        failed(
            "mine[mode=swapped]",
            Status::WrongResult {
                element: 17,
                iterations: 1,
                expected: 4,
                actual: 5,
            },
        ),
        failed("typo", Status::Error(vec![diagnostic])),
    ]
}

/// Every status, every mark.
pub(crate) fn report() -> Report {
    let source = |event: &str, source: &str, basis, why: &str| SourceLine {
        event: event.into(),
        source: source.into(),
        basis,
        why: why.into(),
    };
    Report {
        provenance: Provenance {
            tool: "dispatchlab 0.1.0".into(),
            cpu: "AMD EPYC".into(),
            family: 25,
            model: 17,
            microcode: None,
            kernel: "6.18".into(),
            hypervisor: Some("KVM".into()),
            pinned_cpu: Some(1),
            tsc_hz: Some(2_596_140_000.0),
            core_hz: Some(3_694_000_000.0),
            core_hz_spread: Some(0.0004),
            seed: 1,
            date: "2026-11-21T02:00:00Z".into(),
            predictor: None,
            breakpoint: None,
            command: vec![
                "run".into(),
                "tour".into(),
                "-p".into(),
                "order=it's".into(),
            ],
            job_sha256: Some("5b1d…".into()),
            sources: vec![
                source(
                    "ns",
                    "clock",
                    Basis::Measured,
                    "TSC against the raw monotonic clock",
                ),
                source("cycles", "clock", Basis::Measured, WHY),
                source("instructions", "step", Basis::Exact, WHY),
                source("branches", "step", Basis::Exact, WHY),
                source("branch_misses", "none", Basis::Unsupported, WHY),
            ],
        },
        rows: measured_rows().into_iter().chain(failed_rows()).collect(),
        comparisons: Vec::new(),
        changes: Vec::new(),
        sweep: None,
        ablation: None,
        compiled: None,
        overlay: None,
        by_section: false,
        reference: Some("direct_call".into()),
        warnings: vec![
            "the worker was not pinned to a CPU: pass --cpu N with a CPU that this process may use"
                .into(),
        ],
        interrupted: None,
    }
}

/// Rows as the tour has them: a first block, and a section under it.
pub(crate) fn tour() -> Report {
    let inferred = |value: f64| Metric {
        basis: Basis::Inferred,
        source: Some("injection".into()),
        ..measured(value)
    };
    let mut report = report();
    report.rows.truncate(5);
    let [inline, direct, itab, random, switch] = &mut report.rows[..] else {
        unreachable!("five rows are left")
    };
    for (row, why) in [
        (inline, "the template names no branch"),
        (direct, "its dispatch branch is direct"),
    ] {
        let metrics = row.metrics.as_mut().expect("numbers");
        metrics[Quantity::BranchMisses].why = Some(why.into());
    }
    for (row, value) in [(itab, 0.0), (random, 0.984)] {
        row.published.clear();
        row.today = None;
        row.metrics.as_mut().expect("numbers")[Quantity::BranchMisses] = inferred(value);
    }
    switch.section = Some("other ways to the method".into());
    report.by_section = true;
    let sources = &mut report.provenance.sources;
    let misses = sources
        .iter_mut()
        .find(|line| line.event == "branch_misses");
    let misses = misses.expect("a column of misses");
    (misses.source, misses.basis) = ("injection".into(), Basis::Inferred);
    report
}

/// Two rows, and what came of holding them against each other.
pub(crate) fn comparison() -> Report {
    let mut report = tour();
    report.by_section = false;
    report.reference = None;
    report.rows.truncate(3);
    report.rows.remove(0);
    report.rows.iter_mut().for_each(|row| row.ratio = None);
    let held = |metric, ratio: Option<f64>, basis| Comparison {
        base: "direct_call".into(),
        other: "itab_call".into(),
        metric: Cow::Borrowed(metric),
        ratio,
        low: ratio.map(|ratio| ratio * 0.999),
        high: ratio.map(|ratio| ratio * 1.001),
        p: ratio.filter(|_| basis == Basis::Measured).map(|_| 0.0004),
        verdict: ratio.map(|_| Verdict::Slower),
        basis,
        pairs: Some(19),
        values: ratio.map(|ratio| (4.0, 4.0 * ratio)),
        why: None,
    };
    report.comparisons = vec![
        held("cycles", Some(1.0545), Basis::Measured),
        held("instructions", Some(1.25), Basis::Exact),
        Comparison {
            why: Some("its dispatch branch is direct".into()),
            ..held("branch_misses", None, Basis::Unsupported)
        },
    ];
    report.changes = vec![CodeChange {
        base: "direct_call".into(),
        other: "itab_call".into(),
        bytes: [8, 11],
        instructions: [4, 5],
        lines: [('-', "call main.add"), ('+', "call [rax]"), (' ', "ret")]
            .map(|(side, text)| ChangedLine {
                side,
                text: text.into(),
            })
            .into(),
    }];
    report
}

/// Rows over one parameter, or two.
fn scan(keys: &[&str], values: &[&[&str]]) -> Report {
    let mut report = tour();
    report.by_section = false;
    report.rows.clear();
    let mut points = Vec::new();
    for (at, own) in values.iter().enumerate() {
        let name = format!("itab_call[targets={}]", own.join(","));
        report
            .rows
            .push(ok(&name, 5.0 + at as f64, 6.0 + at as f64, (6.0, 2.0)));
        points.push(SweepPoint {
            values: own.iter().map(|value| value.to_string()).collect(),
            rows: vec![at],
            comparisons: 0..0,
        });
    }
    report.sweep = Some(Sweep {
        keys: keys.iter().map(|key| key.to_string()).collect(),
        names: vec!["itab_call".into()],
        points,
        knees: vec![Knee {
            scenario: "itab_call".into(),
            key: keys[0].into(),
            at: 2.0,
            metric: "cycles".into(),
            before: 5.0,
            after: 6.0,
            text: "itab_call: cycles rise from targets 2 on".into(),
        }],
        break_evens: Vec::new(),
    });
    report
}

/// Rows over one parameter.
pub(crate) fn curve() -> Report {
    scan(&["targets"], &[&["1"], &["2"], &["4"], &["8"]])
}

/// Rows over two.
pub(crate) fn map() -> Report {
    let points: [&[&str]; 4] = [
        &["1", "cyclic"],
        &["1", "random"],
        &["2", "cyclic"],
        &["2", "random"],
    ];
    scan(&["targets", "order"], &points)
}

/// Two scenarios over one parameter that the second one does not have.
pub(crate) fn two_curves() -> Report {
    let mut report = curve();
    let scan = report.sweep.as_mut().expect("a scan");
    scan.names.push("direct_call".into());
    let held = comparison().comparisons.remove(0);
    let mut rows = Vec::new();
    for (row, point) in report.rows.drain(..).zip(&mut scan.points) {
        let base = row.scenario.clone();
        rows.extend([row, ok("direct_call", 5.0, 5.0, (4.0, 2.0))]);
        point.rows = vec![rows.len() - 2, rows.len() - 1];
        point.comparisons = report.comparisons.len()..report.comparisons.len() + 1;
        report.comparisons.push(Comparison {
            base,
            other: "direct_call".into(),
            ..held.clone()
        });
    }
    report.rows = rows;
    report
}
