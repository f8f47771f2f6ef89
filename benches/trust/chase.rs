//! A pointer chase as a row, and as a loop that is entered once.
//!
//! Correct means: both run the same code on the same pages, in turns, and the loop knows nothing of chunks,
//! turns or images: it makes a pass over all of its data, and is then timed for at least two more in one entry.

use std::sync::Arc;
use std::thread;

use dispatchlab::counter::CounterSource;
use dispatchlab::counter::clock::Clock;
use dispatchlab::job::Plan;
use dispatchlab::prepare::Prepared;
use dispatchlab::prepare::prepare;
use dispatchlab::scenario::Scenario;
use dispatchlab::stage::{Ground, Request, Run, Stage};
use dispatchlab::stats;
use dispatchlab::sys::mapping::Window;
use dispatchlab::sys::shared::SharedPage;
use dispatchlab::sys::signals;
use dispatchlab::template::{Origin, Template};
use dispatchlab::worker::timing::{self, Proved, Scale};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;

use super::row;

/// Data of a chase.
const KIB: [u64; 10] = [16, 64, 256, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
/// Times that loop and row take turns.
const ROUNDS: usize = 5;
/// Links of one turn of the template's loop.
const UNROLL: u64 = 32;
/// The loop is timed for so long at the least.
const LEAST_MS: f64 = 5.0;
/// Entries of the loop that are tried until one is not interrupted by another thread.
const TRIES: usize = 20;
/// What row and loop may differ by, and the loop from itself.
const AGREES: f64 = 0.10;
/// Time the core gets to reach its frequency.
const SPIN_NS: u64 = 5_000_000;

/// Prints a line for each size.
pub(super) fn report() {
    // A thread, so that what the commands beside it start is not bound to its CPU.
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut cpus = CpuSet::new();
            cpus.set(sched_getcpu().expect("a CPU")).expect("a CPU");
            sched_setaffinity(Pid::from_raw(0), &cpus).expect("the thread is pinned");
            let mut bench = Bench::new();
            for kib in KIB {
                bench.hold(kib);
            }
        });
    });
}

/// A chase whose setup lays out one cycle over all lines: the next one's number is this one's times a number
/// that leaves 1 when divided by 4, and an odd number more, which has the full period of a power of two.
fn template(kib: u64) -> String {
    let lines = kib * 16;
    format!(
        ";! unroll = {UNROLL}\n\
         setup:\n\
         \x20       lea  rdi, [\"nodes\"]\n\
         \x20       xor  eax, eax\n\
         \x20       mov  ecx, {lines}\n\
         1:      imul rdx, rax, 162769\n\
         \x20       add  rdx, 12345677\n\
         \x20       and  edx, {lines} - 1\n\
         \x20       mov  esi, edx\n\
         \x20       shl  rsi, 6\n\
         \x20       add  rsi, rdi\n\
         \x20       shl  rax, 6\n\
         \x20       mov  [rdi + rax], rsi\n\
         \x20       mov  eax, edx\n\
         \x20       dec  ecx\n\
         \x20       jne  1b\n\
         body:   mov  rdi, [rdi]\n\
         data \"nodes\":\n\
         \x20       align 64\n\
         \x20       resb {kib} * 1024\n"
    )
}

fn prepared(kib: u64) -> Prepared {
    let name = format!("chase{kib}");
    let parsed = Template::parse(&name, Origin::Stdin, template(kib)).expect("a template");
    let scenario = Scenario::bind(Arc::new(parsed), &[]).expect("it has no parameters");
    prepare(&scenario).expect("it links")
}

/// The worker's means of measurement, in this process.
struct Bench {
    ground: Ground,
    clock: Clock,
    window: Window,
    plan: Plan,
}

impl Bench {
    fn new() -> Bench {
        let page = SharedPage::new().and_then(|page| signals::install(page, 1));
        let page = page.expect("a page for the notes of a fault");
        let mut window = Window::reserve().expect("4 GiB of addresses");
        let mut clock = Clock::new(&mut window).expect("executable memory");
        clock.spin(SPIN_NS);
        Bench {
            ground: Ground::new(page).expect("a stack"),
            clock,
            window,
            plan: Plan::default(),
        }
    }

    fn scale(&mut self) -> Scale {
        Scale {
            tsc_hz: dispatchlab::sys::time::Moment::now().ticks_per_second(SPIN_NS),
            overhead_ticks: self.clock.overhead_ticks(),
            chain_cycles: self.clock.chain_cycles(),
            best_width: u64::MAX,
        }
    }

    /// Ticks of a core cycle, now.
    fn ticks_per_cycle(&mut self, scale: &Scale) -> f64 {
        let chain = self.clock.calibrate().chain_ticks;
        chain.saturating_sub(scale.overhead_ticks) as f64 / scale.chain_cycles as f64
    }

    fn hold(&mut self, kib: u64) {
        let prepared = prepared(kib);
        let mut scale = self.scale();
        let plan = self.plan.clone();
        let stage = Stage::new(&prepared.row, &plan, &mut self.window);
        let mut stage = stage.expect("it can be mapped");
        stage.settle(&mut self.ground).expect("a gs base");
        let first = stage.walk(1, plan.seed).expect("memory for the walk");
        let set_up = stage.set_up(&mut self.ground, &first, |stage, ground| {
            stage.enter_setup(ground, 0, &first).map(|()| Run::Whole)
        });
        set_up.expect("the setup leaves alone what it must");
        let chunk = timing::size_chunk(
            &mut stage,
            &mut self.ground,
            &first,
            scale.tsc_hz,
            plan.chunk_ns,
        );
        let chunk = chunk.expect("so does the body").iterations;
        let visits = stage.walk(chunk, plan.seed).expect("memory for the walk");
        let mut rows = [Proved {
            index: 0,
            stage,
            visits,
            chunk,
            direct_branches: 0.0,
            uninferred: Vec::new(),
        }];
        let (mut loops, mut turns) = (Vec::new(), Vec::new());
        let mut withheld = 0;
        for _ in 0..ROUNDS {
            loops.push(self.uninterrupted(&mut rows[0], kib, &scale));
            rows[0].chunk = chunk;
            let timed = timing::time_rows(
                &mut rows,
                &mut self.ground,
                &mut self.clock,
                &mut scale,
                &plan,
            );
            let [Ok(timed)] = &timed[..] else {
                panic!("{kib} KiB: {timed:?}");
            };
            let summary = stats::summarize(timed, plan.seed);
            turns.push(summary.cycles.value);
            withheld += usize::from(
                summary
                    .settled
                    .is_some_and(|one| one.without_value.is_some()),
            );
        }
        tell(kib, loops, turns, withheld);
    }

    /// Cycles of a link in one long entry, behind a pass over all data.
    fn uninterrupted(&mut self, row: &mut Proved<'_>, kib: u64, scale: &Scale) -> f64 {
        let pass = kib * 16 / UNROLL;
        let mut request = Request {
            image: 0,
            visits: &row.visits,
            element: 0,
            iterations: pass,
        };
        let warm = row.stage.enter_between(&mut self.ground, request, || ());
        let ticks = warm.expect("the chase harms nothing").ticks.max(1);
        let least_ticks = LEAST_MS / 1e3 * scale.tsc_hz;
        request.iterations = pass * (least_ticks / ticks as f64).ceil().max(2.0) as u64;
        let mut least = f64::MAX;
        for _ in 0..TRIES {
            let switched = switches();
            let before = self.ticks_per_cycle(scale);
            let run = row.stage.enter_between(&mut self.ground, request, || ());
            let ticks = run.expect("the chase harms nothing").ticks;
            let after = self.ticks_per_cycle(scale);
            least =
                least.min(ticks as f64 / (request.iterations * UNROLL) as f64 / before.min(after));
            if switches() == switched {
                break;
            }
        }
        least
    }
}

/// Context switches of this thread so far.
fn switches() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("usage");
    usage.voluntary_context_switches() + usage.involuntary_context_switches()
}

/// The middle of some values, and how far the middle ones of them lie apart, as a share of it: others of the
/// machine can spoil one at either end.
fn middle(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let middle = values[values.len() / 2];
    let inner = &values[1..values.len() - 1];
    (middle, (inner[inner.len() - 1] - inner[0]) / middle)
}

fn tell(kib: u64, loops: Vec<f64>, turns: Vec<f64>, withheld: usize) {
    let (looped, spread) = middle(loops);
    let (turned, spread_of_row) = middle(turns);
    let off = turned / looped - 1.0;
    let what = format!(
        "chase of {kib} KiB: loop {looped:.1} (spread {:.0} %), row {turned:.1} ({:.0} %)",
        spread * 100.0,
        spread_of_row * 100.0
    );
    row(&what, "10 %", &format!("{:+.1} %", off * 100.0));
    if spread >= AGREES {
        row("  the loop does not agree with itself", "", "");
    } else if off.abs() > AGREES {
        row("  they do not agree", "", "");
    }
    if withheld > 0 {
        row(
            "  times that the row gave no one value",
            "",
            &format!("{withheld} of {ROUNDS}"),
        );
    }
}
