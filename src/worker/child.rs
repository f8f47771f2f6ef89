//! The worker: reads a Job, stages every row, confines itself, proves every row, then times them,
//! and says each result as it has it.
//!
//! Correct means: no template's code runs before the filter is on, a row is timed only after it was
//! probed, verified and counted in this process, and the shared page names the row at work before
//! any of its code runs.

use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::panic;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::sys::resource::Resource;
use nix::unistd::Pid;

use super::heads::Breakpointed;
use super::neighbours::StealMeter;
use super::scrubber::Scrubber;
use super::timing::{self, Expected, Proved, Scale, Sized};
use super::{cold, further, guarded, inference, model, probe, runtime, sites, trace, verify};
use crate::counter::CounterSource;
use crate::counter::clock::Clock;
use crate::counter::fake::{CHAIN_CYCLES, Fake, OVERHEAD_TICKS};
use crate::counter::further::{Further, untimed};
use crate::counter::interpreter::Belief;
use crate::counter::pmu::{Pmu, PmuSource, pmu_type};
use crate::counter::step::{self, StepSource};
use crate::job::{Ask, Counters, Failure, Job, JobRow, Message, Plan, Prediction, Proof, Trace};
use crate::link::harness;
use crate::stage::{Ground, Stage, notes};
use crate::stats::{Calibration, Steal, Timing};
use crate::sys::cores::CorePmus;
use crate::sys::limits;
use crate::sys::mapping::Window;
use crate::sys::memory;
use crate::sys::process::end_with;
use crate::sys::shared::SharedPage;
use crate::sys::time::{Moment, nanoseconds};
use crate::sys::{filter, signals};
use crate::template::Cold;

/// Iterations of the short walk that the first probe and the sizing of chunks use.
const FIRST_WALK: u64 = 4096;
/// Seconds above which the user is told what a row takes before it does.
const LONG_S: f64 = 10.0;
/// Time in which a breakpoint counts iterations, without what its hits take.
const HEADS_NS: f64 = 10e6;
/// Time the core gets to reach its frequency, from when it slept last to the first timed chunk.
const SPIN_NS: u64 = 1_000_000;

/// Runs as a worker whose parent shares the page with this descriptor, and ends the process.
///
/// # Errors
/// When the process cannot be set up.
pub fn run(descriptor: i32) -> io::Result<std::convert::Infallible> {
    let started = Moment::now();
    let page = SharedPage::inherited(descriptor)?;
    // The only status that this process can end with once it is confined: code that jumps into
    // `_exit` does not know it. The parent's copy is elsewhere.
    let status = page.noted(notes::STATUS) as u32;
    page.note(notes::STATUS, 0);
    SECRET.store(status, Ordering::Relaxed);
    end_with(page.noted(notes::PARENT))?;
    let never = work(page, status, started);
    let Err(error) = never;
    // Nothing has run yet, so no row is to blame.
    let why = limits::refused("no worker can be set up", &error);
    let _ = say(&Message::Unable { why });
    std::process::exit(status as i32)
}

/// Does what the Job asks for, and ends the process.
fn work(page: SharedPage, status: u32, started: Moment) -> io::Result<std::convert::Infallible> {
    let page = signals::install(page, status as i32)?;
    // The row that wanted more says so.
    memory::end_silently();
    set_limits()?;
    let mut window = Window::reserve()?;
    let mut clock = Clock::new(&mut window)?;
    if !has_job()? {
        // There is time to make what nearly every job needs.
        harness::warm_up();
    }
    let job = read_job()?;
    // A backtrace would have to read files, which is forbidden soon.
    panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let asks_hardware = job.plan.counters == Counters::Pmu || !job.plan.further.is_empty();
    // What the hardware's counters are good for decides which images there are, and that is found out on the CPU that
    // they are for; all else can be made before it is this worker's turn.
    let early = match asks_hardware {
        true => None,
        false => Some(stage(page, &job.rows, &job.plan.checked(&[]), &mut window)?),
    };
    await_turn()?;
    let awake_ns = nanoseconds();
    let cpu = pin(job.plan.cpu)?;
    // Opened here, because the filter lets nothing be opened.
    let mut further = Further::open(
        match job.plan.counters {
            Counters::Clock | Counters::Pmu => &job.plan.further,
            Counters::None | Counters::Fake(_) => &[],
        },
        pmu_type(&CorePmus::inspect(), cpu),
    );
    let is_asked = job.plan.counters == Counters::Pmu || further.has_hardware();
    let mut counters = is_asked.then(|| Pmu::open(cpu));
    // What they are good for decides which images there are. Only kernels of this program's own run here.
    if let (Some(pmu), Ask::Measure) = (&mut counters, job.plan.ask) {
        clock.spin(SPIN_NS);
        pmu.check(&mut clock);
        match pmu.distrust_all() {
            Some(why) => further.distrust_hardware(why),
            None => {
                pmu.pause();
                further.check(&mut clock, &mut window);
                pmu.resume();
            }
        }
    }
    let plan = job.plan.checked(counters.as_ref().map_or(&[], Pmu::states));
    let steal = StealMeter::open(cpu);
    let mut worker = Worker {
        page,
        steal,
        ground: Ground::new(page)?,
        clock,
        scrubber: job
            .rows
            .iter()
            .any(|row| row.settings.cold == Cold::Predictor)
            .then(|| Scrubber::new(&mut window))
            .transpose()?,
        counters,
        further,
        steps: StepSource::new(&plan),
        plan: &plan,
        started,
        awake_ns,
        heads: None,
    };
    let stages = match early {
        Some(stages) => stages,
        None => stage(page, &job.rows, worker.plan, &mut window)?,
    };
    if let Some((row, first)) = stages.first().filter(|_| plan.heads > 0) {
        worker.heads = Some((*row, Breakpointed::open(first.images[0].loop_head)));
    }
    let unfiltered = filter::install(&filter::program(window.high(), status)).err();
    let unfiltered = unfiltered.map(|error| error.to_string());
    say(&Message::Ready { cpu, unfiltered })?;
    let is_pmu = job.plan.counters == Counters::Pmu && job.plan.ask == Ask::Measure;
    if let Some(pmu) = worker.counters.as_ref().filter(|_| is_pmu) {
        say(&Message::Counters {
            events: pmu.states().to_vec(),
            usage: pmu.usage(),
        })?;
    }
    if let Err(error) = worker.run(stages).and_then(|()| say(&Message::Done)) {
        eprintln!("{error}");
    }
    std::process::exit(status as i32)
}

/// Limits that hold accidents: no core file, no flood of memory.
fn set_limits() -> io::Result<()> {
    const ADDRESS_SPACE: u64 = 16 << 30;
    limits::lower(Resource::RLIMIT_CORE, 0)?;
    limits::lower(Resource::RLIMIT_AS, ADDRESS_SPACE)
}

/// Whether a job stands there already; where a worker is started ahead it comes later.
fn has_job() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut wanted = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut wanted, PollTimeout::ZERO)? > 0)
}

fn read_job() -> io::Result<Job> {
    let mut text = String::new();
    io::stdin().read_line(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// Waits until nothing follows the job any more: others may be at work until then, and be timed.
fn await_turn() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(|_| ())
}

/// Emits all code of all rows: none is made once the filter is on.
fn stage<'a>(
    page: &SharedPage,
    rows: &'a [JobRow],
    plan: &Plan,
    window: &mut Window,
) -> io::Result<Vec<(usize, Stage<'a>)>> {
    let mut stages = Vec::new();
    for (row, job_row) in rows.iter().enumerate() {
        page.note(notes::ROW, row as u64 + 1);
        match guarded(|| Stage::new(job_row, plan, window).and_then(Stage::hidden)) {
            Ok(stage) => stages.push((row, stage)),
            Err(failure) => say(&Message::Failed { row, failure })?,
        }
    }
    Ok(stages)
}

/// Pins this process to a CPU, by default the one it runs on, or a performance core where that is none.
fn pin(wanted: Option<u32>) -> io::Result<Option<u32>> {
    let preferred = || -> io::Result<u32> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let may_use = |cpu: u32| allowed.is_set(cpu as usize).unwrap_or(false);
        Ok(CorePmus::inspect().preferred(sched_getcpu()? as u32, may_use))
    };
    let cpu = wanted.map_or_else(preferred, Ok)? as usize;
    let mut set = CpuSet::new();
    set.set(cpu)?;
    match sched_setaffinity(Pid::from_raw(0), &set) {
        Ok(()) => Ok(Some(cpu as u32)),
        Err(error) if wanted.is_some() => Err(error.into()),
        // Unpinned numbers are noisier, and the provenance says so.
        Err(_) => Ok(None),
    }
}

/// What begins each message, so that the parent knows it from what generated code may write.
static SECRET: AtomicU32 = AtomicU32::new(0);

/// Saying something as a part of a row's work.
fn said(answer: io::Result<()>) -> Result<(), Failure> {
    answer.map_err(|error| Failure::Worker(format!("telling the parent: {error}")))
}

fn say(message: &Message) -> io::Result<()> {
    let told = serde_json::to_string(message)?;
    let secret = SECRET.load(Ordering::Relaxed);
    // Not a thousand bytes at a time, each of which would wake who reads them.
    let mut out = io::stdout().lock();
    out.write_all(format!("{secret:x} {told}\n").as_bytes())?;
    out.flush()
}

/// How much longer than on a core four adds wide the width kernel's best may be: its own loop takes
/// 4 % on a quiet Cascade Lake, where a busy neighbour costs 85 %.
const SLACK: f64 = 1.17;

struct Worker<'a> {
    page: &'static SharedPage,
    steal: StealMeter,
    ground: Ground,
    clock: Clock,
    /// Where a row's predictors are to be cold.
    scrubber: Option<Scrubber>,
    /// The hardware's, for the columns or for others to be believed.
    counters: Option<Pmu>,
    further: Further,
    steps: StepSource,
    plan: &'a Plan,
    /// The breakpoint, and the row it is of. It stays open: this process may look at no descriptor that it closes.
    heads: Option<(usize, Breakpointed)>,
    /// Reading the job and linking are part of the time that the time stamp counter is measured in.
    started: Moment,
    /// When it had its turn, and no longer slept.
    awake_ns: u64,
}

impl<'a> Worker<'a> {
    fn run(&mut self, stages: Vec<(usize, Stage<'a>)>) -> io::Result<()> {
        match self.plan.ask {
            Ask::Measure => {}
            Ask::Trace(iterations) => return self.trace(stages, iterations),
            Ask::Model(iterations) => return self.model(stages, iterations),
        }
        if !self.plan.further.is_empty() {
            let events = match &self.plan.counters {
                Counters::Fake(script) => script.further_states(&self.plan.further),
                Counters::None => untimed(&self.plan.further),
                Counters::Clock | Counters::Pmu => self.further.states(),
            };
            say(&Message::Further { events })?;
        }
        let tsc_hz = self.tsc_hz();
        let mut proved = Vec::new();
        for (index, stage) in stages {
            self.page.note(notes::ROW, index as u64 + 1);
            match guarded(|| self.prove(index, stage, tsc_hz)) {
                Ok((mut row, proof)) => {
                    if let Err(failure) = row.stage.hide(&mut self.ground) {
                        say(&Message::Failed {
                            row: index,
                            failure,
                        })?;
                        continue;
                    }
                    say(&Message::Proved { row: index, proof })?;
                    proved.push(row);
                }
                Err(failure) => say(&Message::Failed {
                    row: index,
                    failure,
                })?,
            }
        }
        if self.plan.counters == Counters::None {
            return Ok(());
        }
        let mut scale = self.scale(tsc_hz);
        if !matches!(self.plan.counters, Counters::Fake(_)) {
            self.ground.bound(self.plan.longest_ns(), tsc_hz);
        }
        let together = if self.plan.together {
            proved.len().max(1)
        } else {
            1
        };
        for rows in proved.chunks_mut(together) {
            let indices: Vec<usize> = rows.iter().map(|row| row.index).collect();
            for (row, timed) in indices.into_iter().zip(self.time(rows, &mut scale)) {
                say(&match timed {
                    Ok(timing) => Message::Timed { row, timing },
                    Err(failure) => Message::Failed { row, failure },
                })?;
            }
        }
        Ok(())
    }

    /// Single-steps the first iterations of each row, and nothing else.
    fn trace(&mut self, stages: Vec<(usize, Stage<'a>)>, iterations: u64) -> io::Result<()> {
        for (row, mut stage) in stages {
            self.page.note(notes::ROW, row as u64 + 1);
            let answer = match guarded(|| self.trace_row(&mut stage, iterations)) {
                Ok(trace) => Message::Traced { row, trace },
                Err(failure) => Message::Failed { row, failure },
            };
            say(&answer)?;
        }
        Ok(())
    }

    fn trace_row(&mut self, stage: &mut Stage<'a>, iterations: u64) -> Result<Trace, Failure> {
        let ground = &mut self.ground;
        stage.settle(ground)?;
        let visits = stage.walk(FIRST_WALK.max(iterations), self.plan.seed)?;
        let log = self.steps.log();
        Ok(trace::trace(stage, ground, &visits, iterations, log))
    }

    /// Shows the branches of each row to the models of predictors, and does nothing else.
    fn model(&mut self, stages: Vec<(usize, Stage<'a>)>, iterations: u64) -> io::Result<()> {
        for (row, mut stage) in stages {
            self.page.note(notes::ROW, row as u64 + 1);
            let answer = match guarded(|| self.model_row(&mut stage, iterations)) {
                Ok(prediction) => Message::Modelled { row, prediction },
                Err(failure) => Message::Failed { row, failure },
            };
            say(&answer)?;
        }
        Ok(())
    }

    fn model_row(&mut self, stage: &mut Stage<'a>, wanted: u64) -> Result<Prediction, Failure> {
        let ground = &mut self.ground;
        stage.settle(ground)?;
        let visits = stage.walk(FIRST_WALK, self.plan.seed)?;
        probe::set_up(stage, ground, &visits, self.steps.log())?;
        probe::probe(stage, ground, &visits, self.steps.log())?;
        let longest_ns = (self.plan.max_row_s * 1e9) as u64;
        verify::verify(stage, ground, &visits, longest_ns)?;
        model::model(stage, ground, self.plan.seed, wanted, &mut self.steps)
    }

    fn tsc_hz(&self) -> f64 {
        const WINDOW_NS: u64 = 3_000_000;
        match &self.plan.counters {
            Counters::Fake(script) => script.tsc_hz,
            _ => self.started.ticks_per_second(WINDOW_NS),
        }
    }

    /// Probe, verify, count: DESIGN's order, with the size of a chunk found in between, because the
    /// walk's length follows from it.
    fn prove(
        &mut self,
        index: usize,
        mut stage: Stage<'a>,
        tsc_hz: f64,
    ) -> Result<(Proved<'a>, Proof), Failure> {
        let ground = &mut self.ground;
        stage.settle(ground)?;
        let first = stage.first_elements(FIRST_WALK, self.plan.seed)?;
        probe::set_up(&mut stage, ground, &first, self.steps.log())?;
        probe::probe(&mut stage, ground, &first, self.steps.log())?;
        let sized = match self.plan.counters {
            Counters::Clock | Counters::Pmu | Counters::None => {
                timing::size_chunk(&mut stage, ground, &first, tsc_hz, self.plan.chunk_ns)?
            }
            Counters::Fake(_) => Sized {
                iterations: FIRST_WALK,
                iteration_ns: 0.0,
            },
        };
        let Sized {
            iterations: chunk,
            iteration_ns,
        } = sized;
        let visits = stage.walk(chunk, self.plan.seed)?;
        let expected = Expected::of(&stage, &visits, self.plan, sized);
        let left_s = self.plan.max_row_s - expected.timed;
        if left_s <= 0.0 {
            return Err(Failure::TooLong {
                needed_ms: (expected.timed * 1e3) as u64,
                iteration_us: (iteration_ns / 1e3) as u64,
                limit_ms: (self.plan.max_row_s * 1e3) as u64,
            });
        }
        let seconds = expected.timed + expected.verified.min(left_s);
        if seconds > LONG_S {
            said(say(&Message::Expected {
                row: index,
                seconds,
                iteration_ns,
            }))?;
        }
        let verified = verify::verify(&mut stage, ground, &visits, (left_s * 1e9) as u64)?;
        let heads = match &mut self.heads {
            Some((row, heads)) if *row == index => {
                // Of long iterations fewer will do.
                let most = (HEADS_NS / iteration_ns.max(1.0)) as u64;
                // There is no element behind the last one.
                let walk = if stage.row.has_walk() {
                    visits.len()
                } else {
                    u64::MAX
                };
                let iterations = self.plan.heads.min(most.max(1)).min(walk);
                Some(heads.count(&mut stage, ground, &visits, iterations)?)
            }
            _ => None,
        };
        let uninferred = inference::verify(&mut stage, ground, &visits, iteration_ns);
        let baseline = stage.baseline();
        let steps = &mut self.steps;
        let mut belief = Belief::default();
        let first = step::count_first(&mut stage, ground, &visits, (steps, &mut belief))?;
        let empty = step::count_one(&mut stage, ground, baseline, &visits, steps)?;
        let known = (&first, &mut belief);
        let (counts, partial) = step::count(&mut stage, ground, &visits, &mut self.steps, known)?;
        let prediction = match self.plan.modelled {
            0 => None,
            wanted => {
                let depth = self.steps.depth();
                // A row that cannot be interpreted has no models beside it; `show --misses` steps it.
                let wanted = (wanted, depth, &mut belief);
                model::interpreted(&mut stage, ground, self.plan.seed, wanted)?.ok()
            }
        };
        let steps = &mut self.steps;
        let is_traced = self.plan.executions || runtime::is_named(stage.row);
        let by = (steps, &mut belief);
        let (sites, ran) = sites::count(&mut stage, ground, &visits, is_traced, by)?;
        let runtime = ran.as_ref().map_or_else(Vec::new, runtime::calls);
        let unroll = stage.row.copies();
        let branches = counts.as_ref().map_or(0.0, |counts| counts.branches);
        let is_direct = branches > 0.0 && stage.has_direct_branches_only();
        let proof = Proof {
            counts,
            partial,
            prediction,
            harness_instructions: step::harness_of(&empty, unroll).instructions,
            around_body: step::harness_of(&first, unroll),
            checksum: verified.checksum,
            allocations: verified.allocations,
            elements: visits.len(),
            only_verified: verified.only,
            panic: verified.panic,
            uninferred: uninferred.clone(),
            sites,
            runtime,
            heads,
            executions: ran
                .filter(|_| self.plan.executions)
                .map(|ran| ran.told(&stage.row.program)),
        };
        Ok((
            Proved {
                index,
                stage,
                visits,
                chunk,
                direct_branches: if is_direct { branches } else { 0.0 },
                uninferred,
            },
            proof,
        ))
    }

    fn scale(&mut self, tsc_hz: f64) -> Scale {
        if matches!(self.plan.counters, Counters::Fake(_)) {
            return Scale {
                tsc_hz,
                overhead_ticks: OVERHEAD_TICKS,
                chain_cycles: CHAIN_CYCLES,
                best_width: u64::MAX,
            };
        }
        // Proving rows is work too.
        let awake_ns = nanoseconds() - self.awake_ns;
        self.clock.spin(SPIN_NS.saturating_sub(awake_ns));
        let overhead = self.clock.overhead_ticks();
        let readings: Vec<_> = (0..32).map(|_| self.clock.calibrate()).collect();
        let least = |of: fn(&Calibration) -> u64| readings.iter().map(of).min().unwrap_or(u64::MAX);
        let chain = least(|reading| reading.chain_ticks).saturating_sub(overhead);
        let ticks_per_cycle = chain as f64 / self.clock.chain_cycles() as f64;
        // A worker that starts inside a neighbour's burst has never seen the core's whole width.
        let widest = overhead as f64 + self.clock.width_cycles() as f64 * SLACK * ticks_per_cycle;
        Scale {
            tsc_hz,
            overhead_ticks: overhead,
            chain_cycles: self.clock.chain_cycles(),
            best_width: least(|reading| reading.width_ticks).min(widest as u64),
        }
    }

    /// Times rows that take turns, or one alone.
    fn time(&mut self, rows: &mut [Proved<'a>], scale: &mut Scale) -> Vec<Result<Timing, Failure>> {
        let mut fake;
        let mut counted;
        let source: &mut dyn CounterSource = match (&self.plan.counters, &mut self.counters) {
            (Counters::Fake(script), _) => {
                fake = Fake {
                    script: script.clone(),
                };
                &mut fake
            }
            (Counters::Pmu, Some(pmu)) => {
                counted = PmuSource {
                    pmu,
                    clock: &mut self.clock,
                };
                &mut counted
            }
            _ => &mut self.clock,
        };
        let is_timed = source.is_timed();
        let (before, started) = (self.steal.ms(), nanoseconds());
        let mut timings = timing::time_rows(rows, &mut self.ground, source, scale, self.plan);
        let stolen = || Some(self.steal.ms()? - before?);
        let steal = is_timed.then(stolen).flatten().map(|ms| Steal {
            ms: ms.max(0.0),
            of_ms: (nanoseconds() - started) as f64 / 1e6,
        });
        for timing in timings.iter_mut().flatten() {
            timing.steal = steal;
        }
        if is_timed {
            self.time_cold(rows, &mut timings);
        }
        self.count_further(rows, &mut timings);
        timings
    }

    /// Times the cold calls of the rows that have any.
    fn time_cold(&mut self, rows: &mut [Proved<'a>], timings: &mut [Result<Timing, Failure>]) {
        for (row, timed) in rows.iter_mut().zip(timings) {
            let Ok(timing) = timed else { continue };
            let scrubber = self.scrubber.as_mut();
            let (ground, clock) = (&mut self.ground, &mut self.clock);
            match guarded(|| cold::time(row, ground, clock, scrubber, self.plan)) {
                Ok(samples) => timing.cold = samples,
                Err(failure) => *timed = Err(failure),
            }
        }
    }

    /// Gives each row turns in which one further event is counted, and no other at all.
    fn count_further(&mut self, rows: &mut [Proved<'a>], timings: &mut [Result<Timing, Failure>]) {
        let takes_turns = rows.len() > 1;
        let is_pmu = self.plan.counters == Counters::Pmu;
        if let Some(pmu) = &mut self.counters {
            pmu.pause();
        }
        for (row, timing) in rows.iter_mut().zip(timings) {
            let Ok(timed) = timing else { continue };
            let counted =
                timing::at_work(
                    row,
                    &mut self.ground,
                    takes_turns,
                    |row, ground| match &self.plan.counters {
                        Counters::Fake(script) => {
                            further::count_scripted(row, ground, self.plan, script)
                        }
                        _ => {
                            let mut all =
                                further::count_all(row, ground, self.plan, &mut self.further)?;
                            if let Some(pmu) = self.counters.as_mut().filter(|_| is_pmu) {
                                all.extend(further::count_apart(row, ground, self.plan, pmu)?);
                            }
                            Ok(all)
                        }
                    },
                );
            match counted {
                Ok(counts) => timed.further = counts,
                Err(failure) => *timing = Err(failure),
            }
        }
        if let Some(pmu) = &mut self.counters {
            pmu.resume();
        }
    }
}
