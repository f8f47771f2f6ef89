//! What our own work costs, and what calls, type switches and conversions to interfaces cost.
//!
//! Correct means: a bench does the whole of what its name says, its input is made before the clock
//! runs, and a cycle is a core cycle: the calibration chain runs beside each measurement, so that
//! the ratio of ticks holds whatever the clock of the core does. Where the CPU's own counter of cycles is believed, the
//! shapes of calls are counted by it, too, through perf-event; where it is not, the bench says why.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use nix::sched::sched_getcpu;

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

use dispatchlab::asm;
use dispatchlab::counter::CounterSource;
use dispatchlab::counter::clock::Clock;
use dispatchlab::counter::pmu::{Pmu, PmuSource};
use dispatchlab::job::Plan;
use dispatchlab::prepare::prepare;
use dispatchlab::scenario::{Scenario, parse_name};
use dispatchlab::stage::{Ground, Request, Run, Stage};
use dispatchlab::stats::Event;
use dispatchlab::sys::mapping::Window;
use dispatchlab::sys::shared::SharedPage;
use dispatchlab::sys::signals;
use dispatchlab::template::Library;

/// Instructions of one case of a type switch.
const CASE: u64 = 8;
/// Calls of one timed entry: a power of two that divides every walk, and so many that the cost of
/// entering is less than a hundredth of a cycle in each.
const CHUNK: u64 = 4096;
/// The seed of walks in random order.
const SEED: u64 = 1;
/// Time the core gets to reach its frequency.
const SPIN_NS: u64 = 5_000_000;

/// A type switch as `type_switch.asm` expands it.
fn type_switch(instructions: u64) -> String {
    let case = |number: u64| {
        let hash = number.wrapping_mul(2_654_435_761) & 0xffff_ffff;
        format!(
            "        cmp  ecx, {hash}      ; hash of main.T{number}\n\
             \x20       jne  next{number}\n\
             \x20       lea  rcx, [\"type.main.T{number}\"]\n\
             \x20       cmp  rax, rcx\n\
             \x20       jne  done\n\
             \x20       mov  eax, [rbx]\n\
             \x20       add  eax, {}\n\
             \x20       jmp  done\n\
             next{number}:\n",
            number + 1
        )
    };
    let cases: String = (0..instructions / CASE).map(case).collect();
    format!("{cases}done:\n")
}

/// Branches over 126 bytes, one branch among them: each grows when the one behind it does.
fn chain(links: u64) -> String {
    let link = |link: u64| {
        let room = if link + 1 < links { 62 } else { 80 };
        let bytes = "x".repeat(room);
        format!("l{link}: jmp l{}\n db \"{bytes}\"\n", link + 2)
    };
    let links_text: String = (0..links).map(link).collect();
    let end = "x".repeat(64);
    format!("{links_text}l{links}: db \"{end}\"\nl{}: nop\n", links + 1)
}

/// `large`, or `small` where `cargo test` only tries each bench once, in a debug build.
fn only_when_measured(large: u64, small: u64) -> u64 {
    if std::env::args().any(|argument| argument == "--bench") {
        large
    } else {
        small
    }
}

fn scenario(name: &str) -> Scenario {
    let (template, parameters) = parse_name(name).expect("a name as the command line takes it");
    let template = Library::embedded().load(&template).expect("it is shipped");
    Scenario::bind(Arc::new(template), &parameters).expect("its parameters are in range")
}

fn assembling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("assemble");
    let mut bench = |name: String, instructions: u64, text: &str| {
        group.throughput(Throughput::Elements(instructions));
        group.bench_function(name, |bencher| {
            bencher.iter(|| asm::fragment(black_box(text)).expect("it assembles"));
        });
    };
    for instructions in [100, 10_000, only_when_measured(1_000_000, 20_000)] {
        let text = type_switch(instructions);
        bench(format!("{instructions} instructions"), instructions, &text);
    }
    for branches in [1000, only_when_measured(100_000, 2000)] {
        let text = chain(branches);
        bench(
            format!("{branches} branches, each grows the next"),
            branches,
            &text,
        );
    }
    group.finish();
}

fn preparing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prepare");
    group.sample_size(10);
    for targets in [1, 1024, only_when_measured(100_000, 2048)] {
        let name = format!("itab_call[targets={targets}]");
        let scenario = scenario(&name);
        group.throughput(Throughput::Elements(targets));
        group.bench_function(name, |bencher| {
            bencher.iter(|| prepare(black_box(&scenario)).expect("it links"));
        });
    }
    group.finish();
}

/// Core cycles instead of time.
struct Cycles;

impl Measurement for Cycles {
    type Intermediate = u64;
    type Value = f64;

    fn start(&self) -> u64 {
        0
    }

    fn end(&self, _start: u64) -> f64 {
        unreachable!("the shapes are timed by their own harness, through iter_custom")
    }

    fn add(&self, one: &f64, other: &f64) -> f64 {
        one + other
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &CycleFormatter
    }
}

struct CycleFormatter;

impl ValueFormatter for CycleFormatter {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "cycles"
    }

    fn scale_throughputs(
        &self,
        _typical: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        if let Throughput::Elements(elements) = throughput {
            for value in values {
                *value /= *elements as f64;
            }
        }
        "cycles/element"
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "cycles"
    }
}

/// The worker's means of measurement, in this process.
struct Bench {
    ground: Ground,
    clock: Clock,
    window: Window,
}

impl Bench {
    fn new() -> Bench {
        let page = SharedPage::new().and_then(|page| signals::install(page, 1));
        let page = page.expect("a page for the notes of a fault");
        let mut window = Window::reserve().expect("4 GiB of addresses");
        let mut clock = Clock::new(&mut window).expect("executable memory");
        clock.spin(SPIN_NS);
        Bench {
            window,
            ground: Ground::new(page).expect("a stack"),
            clock,
        }
    }

    /// Ticks of a core cycle, now.
    fn ticks_per_cycle(&mut self, overhead: u64) -> f64 {
        let chain = self.clock.calibrate().chain_ticks;
        chain.saturating_sub(overhead) as f64 / self.clock.chain_cycles() as f64
    }

    /// The CPU's own counter, or why nothing is counted by it.
    fn counter(&mut self) -> Result<Pmu, String> {
        let mut pmu = Pmu::open(sched_getcpu().ok().map(|cpu| cpu as u32));
        pmu.check(&mut self.clock);
        match pmu.distrust() {
            None => Ok(pmu),
            Some(why) => Err(why.to_string()),
        }
    }

    /// The sum of a chunk's results, and its core cycles that the CPU's own counter tells, entering and leaving included.
    fn counted(
        &mut self,
        pmu: &mut Pmu,
        stage: &mut Stage<'_>,
        request: Request<'_>,
    ) -> (u64, f64) {
        let clock = &mut self.clock;
        let reading = PmuSource { pmu, clock }
            .read(stage, &mut self.ground, request)
            .expect("the shapes leave alone what they must");
        let events = reading.events.expect("a group was asked");
        let events = events.expect("nobody else wants the counters meanwhile");
        let cycles = events.get(Event::Cycles).expect("they are believed");
        (
            reading.exit.expect("it was not cut short").sum,
            cycles as f64,
        )
    }

    fn shape(
        &mut self,
        group: &mut BenchmarkGroup<'_, Cycles>,
        name: &str,
        mut pmu: Option<&mut Pmu>,
    ) {
        let prepared = prepare(&scenario(name)).expect("it links");
        let plan = Plan::default();
        let mut stage =
            Stage::new(&prepared.row, &plan, &mut self.window).expect("it can be mapped");
        stage.settle(&mut self.ground).expect("a gs base");
        let visits = stage.walk(CHUNK, SEED).expect("memory for the walk");
        let whole = |_: &mut Stage<'_>, _: &mut Ground| Ok(Run::Whole);
        let set_up = stage.set_up(&mut self.ground, &visits, whole);
        set_up.expect("the shapes have no setup");
        let overhead = self.clock.overhead_ticks();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| {
                let chunks = calls.div_ceil(CHUNK);
                let mut cycles = 0.0;
                let mut element = 0;
                let mut before = self.ticks_per_cycle(overhead);
                for _ in 0..chunks {
                    let request = Request {
                        image: 0,
                        visits: &visits,
                        element,
                        iterations: CHUNK,
                    };
                    let (sum, took) = match &mut pmu {
                        Some(pmu) => self.counted(pmu, &mut stage, request),
                        None => {
                            let entry = stage
                                .enter_between(&mut self.ground, request, || ())
                                .expect("the shapes leave alone what they must");
                            let after = self.ticks_per_cycle(overhead);
                            // A disturbance only lengthens a chain: the shorter neighbour is the better one.
                            let took = entry.ticks as f64 / before.min(after);
                            before = after;
                            (entry.exit.sum, took)
                        }
                    };
                    if let Some(expected) = visits.expected(element, CHUNK) {
                        assert_eq!(sum, expected, "{name} computes something else");
                    }
                    cycles += took;
                    element = (element + CHUNK) % visits.len();
                }
                // Criterion wants what the calls cost that it asked for.
                cycles * calls as f64 / (chunks * CHUNK) as f64
            });
        });
    }
}

/// Groups of scenarios that are timed in core cycles.
const SHAPES: [(&str, &[&str]); 3] = [
    (
        "dispatch",
        &[
            "direct_call",
            "wrapper_call",
            "wrapper_call[method=called]",
            "wrapper_call[receiver=nil,recover=true]",
            "itab_call",
            "itab_call[order=random,targets=8]",
            "itab_wrapper",
            "itab_wrapper[method=called]",
            "type_switch",
            "type_switch[cases=8,hit=order,order=random,strategy=go]",
        ],
    ),
    (
        "switch",
        &[
            "type_switch[cases=8,hit=order]",
            "type_switch[cases=8,hit=order,strategy=binary]",
            "type_switch[cases=8,hit=order,strategy=jump]",
            "type_switch[cases=8,hit=order,strategy=pointer]",
            "type_switch[cases=8,hit=order,order=random,strategy=binary]",
            "type_switch[cases=8,hit=order,order=random,strategy=jump]",
            "type_switch[cases=64,hit=order]",
            "type_switch[cases=64,hit=order,strategy=binary]",
            "type_switch[cases=64,hit=order,strategy=jump]",
            "interface_switch[targets=8]",
        ],
    ),
    (
        "convert",
        &[
            "store_scalar",
            "convert_pointer",
            "convert_static",
            "convert_scalar[bits=8]",
            "convert_scalar",
            "convert_scalar[value=large]",
            "convert_scalar[go=1.10]",
            "convert_zero",
            "convert_value",
            "convert_value[kind=slice]",
            "convert_value[kind=struct]",
            "convert_value[kind=plain]",
            "iface_to_eface",
        ],
    ),
];

fn dispatching(criterion: &mut Criterion<Cycles>) {
    let mut bench = Bench::new();
    for (group, names) in SHAPES {
        let mut group = criterion.benchmark_group(group);
        for name in names {
            bench.shape(&mut group, name, None);
        }
        group.finish();
    }
    let [(dispatch, names), ..] = SHAPES;
    match bench.counter() {
        Ok(mut pmu) => {
            let mut group = criterion.benchmark_group(format!("{dispatch}, counted"));
            for name in names {
                bench.shape(&mut group, name, Some(&mut pmu));
            }
            group.finish();
        }
        Err(why) => eprintln!("pipeline: nothing is counted by the CPU: {why}"),
    }
}

fn in_cycles() -> Criterion<Cycles> {
    Criterion::default()
        .with_measurement(Cycles)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group!(own_work, assembling, preparing);
criterion_group! {
    name = shapes;
    config = in_cycles();
    targets = dispatching
}
criterion_main!(own_work, shapes);
