//! What a reader is told on both sides of each bound: from samples to the text of the report.
//!
//! Correct means: whoever moves a bound, or takes it for another one, makes a row of these tables fail.

use std::sync::Arc;

use super::*;
use crate::branch::BranchKind;
use crate::job::{
    Checksum as Sums, CountedBy, Counters, Counts, Plan, PredictedSite, Prediction, SiteCount,
    Uninferred,
};
use crate::prepare::prepare;
use crate::report::{Report, json, terminal};
use crate::stats::fixture::{self, image};
use crate::stats::{
    CountedChunk, Counting, Event, Events, Further, ImageSamples, LongRun, SiteSamples, Steal,
    Timing,
};
use crate::template::Template;
use crate::text::Style;

/// An interface call; the dispatch branch waits for `rcx`.
const CALL: &str = ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n;! params = { targets = 2 }\n;! result = \
                    \"eax\"\n;! expect = \"id+type\"\n;! dispatch = \"site\"\n;! expand = true\nbody:\n mov rcx, [rax + \
                    24]\n mov rax, rbx\nsite: call rcx\n{% for t in range(targets) %}func \"main.(*T{{t}}).Id\":\n mov \
                    eax, [rax]\n add eax, {{t + 1}}\n ret\n{% endfor %}";

/// The same without receivers.
const ALONE: &str = ";! result = \"eax\"\n;! expect = 7\n;! dispatch = \"site\"\nbody:\n lea rcx, [\"f\"]\nsite: call \
                     rcx\nfunc \"f\":\n mov eax, 7\n ret\n";

/// A row of six instructions and two branches, five cycles each time, whose dispatch branch runs once.
struct Sample {
    scenario: Scenario,
    proof: Proof,
    timing: Timing,
    plan: Plan,
    events: Vec<crate::job::EventState>,
    /// The sites whose images ended a worker.
    given_up: Vec<Uninferred>,
}

impl Sample {
    fn of(text: &str, parameters: &[(&str, &str)]) -> Sample {
        let template = Template::parse("call", Origin::Stdin, text.into()).expect("parses");
        let parameters: Vec<(String, String)> = parameters
            .iter()
            .map(|(key, value)| ((*key).to_string(), (*value).to_string()))
            .collect();
        let scenario = Scenario::bind(Arc::new(template), &parameters).expect("binds");
        let counts = |instructions, branches| Counts {
            instructions,
            branches,
            stepped: None,
            by: CountedBy::Step,
        };
        Sample {
            scenario,
            proof: Proof {
                counts: Some(counts(6.0, 2.0)),
                partial: None,
                prediction: None,
                harness_instructions: 8.0,
                around_body: counts(9.0, 1.0),
                checksum: Some(Sums {
                    expected: 42,
                    actual: 42,
                }),
                elements: 8,
                only_verified: None,
                panic: None,
                allocations: Default::default(),
                runtime: Default::default(),
                executions: None,
                heads: None,
                uninferred: Vec::new(),
                sites: vec![SiteCount {
                    executions: 1.0,
                    traced: None,
                    most: 1.0,
                    goes_one_way: false,
                }],
            },
            timing: fixture::steady(20, 5.0),
            plan: Plan::default(),
            events: Vec::new(),
            given_up: Vec::new(),
        }
    }

    fn call() -> Sample {
        Sample::of(CALL, &[])
    }

    /// The same on a machine whose counters count so much in each iteration of the loop.
    fn counted(events: [f64; 4]) -> Sample {
        const OVERHEAD: u64 = 77;
        let mut sample = Sample::call();
        sample.plan.counters = Counters::Pmu;
        sample.events = Event::ALL.map(|event| (event, Ok(()))).to_vec();
        let whole = |event: Event| {
            let count = events[event as usize] * fixture::ITERATIONS as f64;
            Some((count.round() as i64 + OVERHEAD as i64).max(0) as u64)
        };
        for chunk in &mut sample.timing.images[0].chunks {
            chunk.events = Some(Events::of(whole));
        }
        sample.timing.counting = Some(Counting {
            overhead: Events::of(|_| Some(OVERHEAD)),
            ..Counting::default()
        });
        sample
    }

    fn row(self, clock: &mut CoreClock) -> (Row, Machine) {
        let prepared = prepare(&self.scenario).expect("links");
        let machine = Machine::inspect(&self.plan, &self.events);
        let outcome = RowOutcome {
            proof: Some(self.proof),
            timing: Some(self.timing),
            uninferred: self.given_up,
            ..RowOutcome::default()
        };
        let row = judge(
            &self.scenario,
            &prepared,
            outcome,
            &self.plan,
            &machine,
            clock,
        );
        (row, machine)
    }

    /// Its report.
    fn report(self) -> Report {
        let mut clock = CoreClock::default();
        let (row, machine) = self.row(&mut clock);
        Report {
            provenance: machine.provenance(Some(1), &clock, 1),
            rows: vec![row],
            ..Report::default()
        }
    }

    fn told(self) -> String {
        told(&self.report())
    }
}

/// What stands on both streams, nothing folded.
fn told(report: &Report) -> String {
    let style = Style {
        width: 10_000,
        color: false,
        unicode: true,
    };
    terminal::in_full(report, style) + &terminal::warnings(report, style)
}

/// Two images of a branch that is missed so often in each turn.
fn missed(turns: u32, misses: impl Fn(u32) -> f64) -> SiteSamples {
    let cycles = |turn| 70.0 + misses(turn) * crate::injection::ADDED_CYCLES;
    SiteSamples {
        iterations_per_chunk: fixture::ITERATIONS,
        segments: 8,
        added_cycles: crate::injection::ADDED_CYCLES,
        images: [
            image(turns, |_, _| 70.0),
            image(turns, |turn, _| cycles(turn)),
        ],
        ..SiteSamples::default()
    }
}

/// Says of each row of a table whether a sentence is in what is told.
fn hold<T: std::fmt::Debug + Copy>(
    table: &[(T, Option<&str>)],
    never: &str,
    sample: impl Fn(T) -> Sample,
) {
    for &(given, wanted) in table {
        let told = sample(given).told();
        match wanted {
            Some(words) => assert!(told.contains(words), "{given:?}, {words}: {told}"),
            None => assert!(!told.contains(never), "{given:?}, {never}: {told}"),
        }
    }
}

/// Disturbs every second chunk, or the first of the others where those are not enough.
fn disturb(
    image: &mut ImageSamples,
    chunks: std::ops::Range<usize>,
    with: fn(&mut fixture::Calibration),
) {
    let odd = (0..image.chunks.len()).filter(|at| at % 2 == 1);
    let even = (0..image.chunks.len()).filter(|at| at % 2 == 0);
    let order: Vec<usize> = odd.chain(even).collect();
    for at in &order[chunks] {
        with(&mut image.chunks[*at].after);
    }
}

fn interrupt(calibration: &mut fixture::Calibration) {
    calibration.chain_ticks *= 2;
}

fn share(calibration: &mut fixture::Calibration) {
    calibration.width_ticks *= 2;
}

/// Lets the core run slower by this factor in some turns.
fn slow_down(timing: &mut Timing, turns: std::ops::Range<u32>, factor: f64) {
    for image in timing.images.iter_mut().chain([&mut timing.baseline]) {
        for chunk in image
            .chunks
            .iter_mut()
            .filter(|chunk| turns.contains(&chunk.turn))
        {
            let ticks = (fixture::CHAIN_TICKS - 52) as f64 * factor + 52.0;
            chunk.before.chain_ticks = ticks.round() as u64;
            chunk.after.chain_ticks = ticks.round() as u64;
        }
    }
}

/// Leaves the CPU to something else in the first turns of placement 0.
fn switch(timing: &mut Timing, turns: usize) {
    timing.images[0].switches = (0..20).map(|turn| u32::from(turn < turns)).collect();
    timing.baseline.switches = vec![0; 20];
}

/// What happens to a row, and the names of the warnings that it has.
type Disturbed = (fn(&mut Timing), &'static [&'static str]);

#[test]
fn each_cause_of_disturbance_has_its_warning_from_its_bound_on_and_not_before() {
    const WARNINGS: [(&str, &str); 7] = [
        ("all", "all of its samples were disturbed"),
        ("switched", "because something else ran on this CPU"),
        ("interrupted", "were dropped beside interruptions"),
        ("shared", "because something else used this core"),
        ("most", "most samples ran beside a disturbed calibration"),
        ("frequency", "the core changed its frequency"),
        ("stolen", "the hypervisor gave this CPU to others"),
    ];
    // 160 chunks at placement 0 and as many empty ones: a quarter of all are 80, and so is half of the first.
    #[rustfmt::skip] // a table: one disturbance a line
    let table: [Disturbed; 21] = [
        (|_| {},                                                                          &[]),
        (|it| switch(it, 10),                                                             &[]),
        (|it| switch(it, 11),                                                             &["switched"]),
        (|it| disturb(&mut it.images[0], 0..80, interrupt),                               &[]),
        (|it| { disturb(&mut it.images[0], 0..80, interrupt); disturb(&mut it.baseline, 0..1, interrupt); }, &["interrupted"]),
        (|it| disturb(&mut it.images[0], 0..80, share),                                   &[]),
        (|it| { disturb(&mut it.images[0], 0..80, share); disturb(&mut it.baseline, 0..1, share); }, &["shared"]),
        (|it| { disturb(&mut it.images[0], 0..40, interrupt); disturb(&mut it.images[0], 40..80, share); }, &[]),
        (|it| { disturb(&mut it.images[0], 0..40, interrupt); disturb(&mut it.images[0], 40..81, share); }, &["most"]),
        (|it| disturb(&mut it.images[0], 0..81, share),                                   &["shared"]),
        (|it| disturb(&mut it.images[0], 0..159, share),                                  &["shared"]),
        (|it| disturb(&mut it.images[0], 0..160, share),                                  &["all"]),
        (|it| { it.images.push(image(20, |_, _| 5.0)); disturb(&mut it.images[1], 0..160, share); }, &["shared"]),
        (|it| slow_down(it, 10..20, 1.0095),                                              &[]),
        (|it| slow_down(it, 10..20, 1.0105),                                              &["frequency"]),
        (|it| slow_down(it, 10..20, 0.9905),                                              &[]),
        (|it| slow_down(it, 10..20, 0.9895),                                              &["frequency"]),
        (|it| slow_down(it, 10..12, 1.05),                                                &[]),
        (|it| slow_down(it, 10..13, 1.05),                                                &["frequency"]),
        (|it| it.steal = Some(Steal { ms: 10.0, of_ms: 200.0 }),                          &[]),
        (|it| it.steal = Some(Steal { ms: 10.1, of_ms: 200.0 }),                          &["stolen"]),
    ];
    for (at, (disturb, wanted)) in table.into_iter().enumerate() {
        let mut sample = Sample::call();
        disturb(&mut sample.timing);
        let told = sample.told();
        let warned = WARNINGS.iter().filter(|(_, words)| told.contains(words));
        let warned: Vec<&str> = warned.map(|(name, _)| *name).collect();
        assert_eq!(warned, wanted, "line {at}: {told}");
    }
}

#[test]
fn a_run_that_nothing_interrupts_is_told_from_2_percent_on_and_withholds_the_value_from_10() {
    const BESIDE: Option<&str> = Some("warning: call: not settled: 5.00 cycles in turns");
    const INSTEAD: Option<&str> = Some("it costs what the entries and data around it make it cost");
    #[rustfmt::skip] // a table: one run a line
    let table = [
        (5.0, None), (5.09, None), (4.91, None),
        (5.11, BESIDE), (4.89, BESIDE), (5.49, BESIDE), (4.51, BESIDE),
        (5.51, INSTEAD), (4.49, INSTEAD),
    ];
    hold(&table, "not settled", |cycles| {
        let mut sample = Sample::call();
        sample.timing.long_runs = runs(cycles);
        sample
    });
    let mut sample = Sample::call();
    sample.timing.long_runs = runs(5.51);
    let report = sample.report();
    let metrics = report.rows[0].metrics.as_ref().expect("numbers");
    assert_eq!(
        (metrics[Quantity::Cycles].value, metrics[Quantity::Ns].value),
        (None, None)
    );
}

/// Two runs that nothing interrupted.
fn runs(cycles: f64) -> Vec<LongRun> {
    let quiet = image(1, |_, _| 1.0).chunks[0].before;
    let run = LongRun {
        ticks: fixture::ticks(cycles) - fixture::OVERHEAD,
        iterations: fixture::ITERATIONS,
        before: quiet,
        after: quiet,
        switches: 0,
    };
    vec![run; 2]
}

#[test]
fn placements_and_unknown_branches_leave_no_value_from_their_bounds_on() {
    const PLACEMENTS: Option<&str> = Some("it depends on what the predictors kept");
    const UNTRAINED: Option<&str> = Some("what so many jumps cost that no predictor knows");
    // Direct branches of an iteration, and the cycles at two placements.
    #[rustfmt::skip] // a table: one row a line
    let table = [
        ((0.0,  5.0,  9.9), None),
        ((0.0,  5.0, 10.1), PLACEMENTS),
        ((0.0, 10.1,  5.0), PLACEMENTS),
        ((7.0,  5.0,  6.3), None),
        ((8.0,  5.0,  6.2), None),
        ((8.0,  5.0,  6.3), PLACEMENTS),
        ((8.0, 23.9, 23.9), None),
        ((8.0, 24.1, 24.1), UNTRAINED),
        ((8.0, 23.9, 24.2), None),
        ((7.0, 24.1, 24.1), None),
        ((9.0, 26.9, 26.9), None),
        ((9.0, 27.1, 27.1), UNTRAINED),
    ];
    hold(&table, "not settled", |(branches, first, second)| {
        let mut sample = Sample::call();
        sample.timing.images = vec![image(20, |_, _| first), image(20, |_, _| second)];
        sample.timing.long_runs = runs(first);
        sample.timing.direct_branches = branches;
        sample
    });
}

/// Misses of the one branch, half of the turns this much above and half of them as much below.
fn with_misses(parameters: &[(&str, &str)], misses: f64, half: f64) -> Sample {
    let mut sample = Sample::of(CALL, parameters);
    let by_turn = |turn: u32| {
        if turn.is_multiple_of(2) {
            misses - half
        } else {
            misses + half
        }
    };
    sample.timing.delayed = vec![missed(20, by_turn)];
    sample
}

#[test]
fn a_number_of_misses_that_cannot_be_or_says_nothing_is_none() {
    const NONE: Option<&str> = Some("misses came out, which cannot be");
    const WIDE: Option<&str> = Some("turns differ by more than a miss takes");
    const VAGUE: Option<&str> = Some("inferred, 95 % interval");
    // The interval reaches 1.6 times as far as the turns do, and a hundredth at the least.
    #[rustfmt::skip] // a table: one number a line
    let table = [
        ((-0.24, 0.0), None), ((-0.26, 0.0), NONE),
        (( 1.24, 0.0), None), (( 1.26, 0.0), NONE),
        (( 0.5,  0.311), None), ((0.5, 0.314), WIDE),
    ];
    let sample = |(misses, half)| with_misses(&[], misses, half);
    for never in ["cannot be", "turns differ by more"] {
        hold(&table, never, sample);
    }
    let table = [((0.5, 0.018), None), ((0.5, 0.0195), VAGUE)];
    hold(&table, "inferred, 95 % interval", sample);
    // What lies a little below none is printed as what noise makes of none.
    for (misses, printed) in [(-0.24, " -0.020"), (-0.019, " -0.019"), (1.24, " 1.000")] {
        let told = sample((misses, 0.0)).told();
        assert!(told.contains(printed), "{misses}: {told}");
    }
}

#[test]
fn a_branch_whose_images_went_wrong_has_the_reason_and_no_number() {
    let wrong = Uninferred {
        site: 0,
        why: "with latency in it the code faults".into(),
    };
    for (given_up, uninferred) in [(vec![wrong.clone()], vec![]), (vec![], vec![wrong.clone()])] {
        let mut sample = with_misses(&[], 0.5, 0.0);
        (sample.given_up, sample.proof.uninferred) = (given_up, uninferred);
        let told = sample.told();
        assert!(
            told.contains("with latency in it the code faults") && !told.contains("0.500"),
            "{told}"
        );
    }
}

#[test]
fn an_upper_end_is_that_of_95_percent_and_so_is_a_lower_one() {
    // So many of 20 turns miss by one more, or one less. Of resamples of 20, 11 or more are among 6 in one of
    // 60 cases, and 10 in one of 32: then the median lies halfway. Among 5 it is one in 72.
    for (turns, reach) in [(5, 0.04), (6, 0.8)] {
        for (sign, executions) in [(1.0, 2.0), (-1.0, 2.0)] {
            let mut sample = Sample::call();
            let by_turn = |turn: u32| 1.0 + if turn < turns { sign } else { 0.0 };
            sample.timing.delayed = vec![missed(20, by_turn)];
            sample.proof.sites[0].most = executions;
            let row = &sample.report().rows[0];
            let site = &row.metrics.as_ref().expect("numbers").sites[0];
            let ends = [site.low, site.high].map(|end| end.expect("an interval"));
            let ends = ends.map(|end| (end - 1.0).abs());
            let (near, far) = if sign < 0.0 {
                (ends[1], ends[0])
            } else {
                (ends[0], ends[1])
            };
            assert!((near - 0.04).abs() < 0.002, "{turns}, {sign}: {site:?}");
            assert!((far - reach).abs() < 0.002, "{turns}, {sign}: {site:?}");
        }
    }
}

#[test]
fn misses_where_nothing_can_be_missed_are_warned_of_from_a_tenth_on() {
    const WARNED: Option<&str> =
        Some("branches are mispredicted although all receivers have one type");
    const ONE: &str = "1";
    // The lower end of the interval counts, which lies four hundredths lower.
    #[rustfmt::skip] // a table: one row a line
    let table = [
        ((ONE, 0.135, true),  None),
        ((ONE, 0.145, true),  WARNED),
        ((ONE, 0.145, false), None),
        (("2", 0.5,   true),  None),
    ];
    let sample = |(targets, misses, goes_one_way)| {
        let mut sample = with_misses(&[("targets", targets)], misses, 0.0);
        sample.proof.sites[0].goes_one_way = goes_one_way;
        sample
    };
    hold(&table, "one type", sample);
    // Without receivers there are no types that could be one.
    let mut sample = Sample::of(ALONE, &[]);
    sample.timing.delayed = vec![missed(20, |_| 0.5)];
    let told = sample.told();
    assert!(
        told.contains(" 0.500") && !told.contains("one type"),
        "{told}"
    );
}

#[test]
fn what_the_rows_own_cycles_come_to_is_told_where_it_is_a_twentieth_more() {
    const TOLD: Option<&str> =
        Some("0.20 branch misses are inferred, from iterations that do not overlap");
    // Predicted iterations take 8 cycles, and those with 0.8 misses 32: a miss takes 30.
    #[rustfmt::skip] // a table: one row a line
    let table = [
        ((15.47, 1.0), None),
        ((15.53, 1.0), TOLD),
        ((15.53, 0.24), None),
        ((15.53, 0.2505), TOLD),
        ((12.0,  1.0), None),
    ];
    hold(&table, "do not overlap", |(cycles, executions)| {
        let mut sample = with_misses(&[], 0.2, 0.0);
        sample.timing.images = vec![image(20, |_, _| cycles)];
        sample.proof.sites[0].executions = executions;
        sample.timing.references = Some(Box::new(crate::stats::References {
            segments: 8,
            one: image(20, |_, _| 8.0),
            random: image(20, |_, _| 32.0),
            missed: missed(20, |_| 0.8),
        }));
        sample
    });
}

#[test]
fn hardware_counts_are_held_against_stepping_within_one_percent_and_a_quarter_of_a_prefix() {
    const INSTRUCTIONS: Option<&str> =
        Some("instructions where single-stepping counts 6.00; believe the latter");
    const PREFIX: Option<&str> = Some("counts 6.00 in the first iterations; believe the latter");
    const BRANCHES: Option<&str> = Some("branches where single-stepping counts");
    // Six and two of the template's own, beside nine and one of the loop around them. Below one the bound is that of one.
    #[rustfmt::skip] // a table: one reading a line
    let table = [
        ((15.0,  3.0,   2.0, false), None),
        ((15.05, 3.0,   2.0, false), None),
        ((15.07, 3.0,   2.0, false), INSTRUCTIONS),
        ((14.95, 3.0,   2.0, false), None),
        ((14.93, 3.0,   2.0, false), INSTRUCTIONS),
        ((15.0,  3.019, 2.0, false), None),
        ((15.0,  3.021, 2.0, false), BRANCHES),
        ((15.0,  2.979, 2.0, false), BRANCHES),
        ((15.0,  1.009, 0.0, false), None),
        ((15.0,  1.011, 0.0, false), BRANCHES),
        ((16.4,  3.0,   2.0, true),  None), // a prefix of the walk is another walk
        ((16.6,  3.0,   2.0, true),  PREFIX),
    ];
    hold(
        &table,
        "single-stepping counts",
        |(instructions, branches, exact, is_prefix)| {
            let mut sample = Sample::counted([5.0, instructions, branches, 0.0]);
            let counts = sample.proof.counts.as_mut().expect("counts");
            counts.branches = exact;
            counts.stepped = is_prefix.then_some(64);
            sample
        },
    );
}

#[test]
fn the_end_of_a_chunk_is_no_miss_of_the_row_as_far_as_the_empty_loop_has_it() {
    /// Iterations of a chunk, misses in each, those of an empty chunk, and whether the body has branches.
    type Chunks = (u64, u64, Option<u64>, bool);
    #[rustfmt::skip] // a table: the chunks; value, and both ends of the interval, in misses of a chunk
    let table: [(Chunks, [f64; 3]); 10] = [
        ((64,    1, Some(1), false), [ 0.0,  0.0,  0.0]),
        ((64,    0, Some(0), false), [ 0.0,  0.0,  0.0]), // the predictor has learned how long the loop is
        ((64,    1, Some(0), false), [ 1.0,  1.0,  1.0]),
        ((64,    0, Some(1), false), [ 0.0,  0.0,  0.0]), // never below none
        ((64,    3, Some(9), false), [ 2.0,  2.0,  2.0]), // what disturbs the empty loop is no end of it
        ((64,   33, Some(1), true),  [32.0, 32.0, 33.0]),
        ((64,   33, Some(0), true),  [33.0, 32.0, 33.0]),
        ((64,   33, None,    true),  [33.0, 32.0, 33.0]),
        ((4096,  1, Some(1), false), [ 0.0,  0.0,  0.0]),
        ((4096,  1, Some(0), false), [ 1.0,  1.0,  1.0]),
    ];
    for ((iterations, misses, empty, has_branches), wanted) in table {
        let mut sample = Sample::counted([5.0, 15.0, 3.0, 0.0]);
        sample.timing.iterations_per_chunk = iterations;
        if !has_branches {
            let counts = sample.proof.counts.as_mut().expect("counts");
            counts.branches = 0.0;
        }
        let overhead = sample.timing.counting.as_ref().expect("counted").overhead;
        let entered = overhead.get(Event::BranchMisses).expect("counted");
        let counted = |image: &mut ImageSamples, misses: u64| {
            for chunk in &mut image.chunks {
                let mut events = chunk.events.unwrap_or_default();
                events.set(Event::BranchMisses, Some(entered + misses));
                chunk.events = Some(events);
            }
        };
        counted(&mut sample.timing.images[0], misses);
        if let Some(empty) = empty {
            counted(&mut sample.timing.baseline, empty);
        }
        let (row, _) = sample.row(&mut CoreClock::default());
        let metrics = row.metrics.expect("numbers");
        let misses = &metrics[Quantity::BranchMisses];
        let of_a_chunk = |value: Option<f64>| value.expect("a number") * iterations as f64;
        let found = [misses.value, misses.low, misses.high].map(of_a_chunk);
        let near = |(found, wanted): (&f64, &f64)| (found - wanted).abs() < 1e-9;
        assert!(
            found.iter().zip(&wanted).all(near),
            "{iterations}, {empty:?}: {found:?}, not {wanted:?}"
        );
    }
}

#[test]
fn no_count_is_below_none() {
    // Fewer than the loop around takes, as noise in what entering takes makes them.
    let mut sample = Sample::counted([5.0, 8.5, 0.9, -0.01]);
    sample.timing.further = vec![Further {
        name: "page-faults".into(),
        overhead: 100,
        chunks: (0..8)
            .map(|turn| CountedChunk {
                turn,
                segment: 0,
                count: 60,
            })
            .collect(),
        ..Further::default()
    }];
    let mut clock = CoreClock::default();
    let timing = sample.timing.clone();
    let (row, mut machine) = sample.row(&mut clock);
    let mut metrics = row.metrics.clone().expect("numbers");
    for metric in [
        &metrics[Quantity::Instructions],
        &metrics[Quantity::Branches],
        &metrics[Quantity::BranchMisses],
    ] {
        let ends = [metric.value, metric.low, metric.high];
        assert_eq!(ends, [Some(0.0); 3], "{metric:?}");
        assert_eq!(metric.basis, Basis::Measured);
    }
    machine.further = vec![("page-faults".into(), Ok("scripted".into()))];
    let further = further(Some(&timing), &machine, 1);
    assert_eq!(further[0].metric.value, Some(0.0), "{further:?}");
    metrics.further = further;
    let report = Report {
        rows: vec![Row {
            metrics: Some(metrics),
            ..row
        }],
        ..Report::default()
    };
    let told = told(&report);
    assert!(told.contains("page-faults 0\n"), "{told}");
    assert!(
        !json::render(&report).contains(": -"),
        "{}",
        json::render(&report)
    );
}

#[test]
fn ratios_stand_beside_rows_of_one_harness_state_only() {
    let all = CALL.replacen(";! heap", ";! clobbers = \"all\"\n;! heap", 1);
    for (state, ratios) in [(CALL, 2), (&all, 1)] {
        let clock = &mut CoreClock::default();
        let base = Sample::call().row(clock).0;
        let other = Sample::of(state, &[("targets", "4")]).row(clock).0;
        assert_ne!(base.scenario, other.scenario);
        let reference = Some(base.scenario.clone());
        let mut rows = vec![base, other];
        relate(&mut rows, reference.as_deref());
        let report = Report {
            rows,
            reference,
            ..Report::default()
        };
        let told = told(&report);
        assert_eq!(told.matches(" 1.00×").count(), ratios, "{told}");
    }
}

#[test]
fn the_core_frequency_is_the_median_of_the_rows() {
    let mut clock = CoreClock::default();
    let mut machine = None;
    for slower in [1.25, 0.9, 1.0, 1.0, 0.8] {
        let mut sample = Sample::call();
        slow_down(&mut sample.timing, 0..20, slower);
        machine = Some(sample.row(&mut clock).1);
    }
    // A row without a chunk has no frequency.
    let mut sample = Sample::call();
    sample.timing.images[0].chunks.clear();
    sample.timing.baseline.chunks.clear();
    sample.row(&mut clock);
    let report = Report {
        provenance: machine.expect("a machine").provenance(None, &clock, 1),
        ..Report::default()
    };
    let told = told(&report);
    // 3.782 GHz; the others make 3.025, 4.202 and 4.727 of it.
    assert!(told.contains("core 3.782 GHz (spread 45.00 %)"), "{told}");
}

#[test]
fn the_frequency_of_a_row_is_the_median_of_its_calibrations() {
    for (turns, printed) in [(9, "core 3.782 GHz"), (11, "core 3.602 GHz")] {
        let mut sample = Sample::call();
        slow_down(&mut sample.timing, 0..turns, 1.05);
        let told = sample.told();
        assert!(told.contains(printed), "{turns}: {told}");
    }
}

#[test]
fn models_and_inference_differ_from_a_tenth_beyond_the_interval_on() {
    const NONE_AGREES: Option<&str> = Some("0.50 branch misses are inferred and no model agrees");
    const LEARNS: Option<&str> = Some("this CPU learns what they do not");
    const MISSES: Option<&str> = Some("this CPU misses what they learn");
    const RIGHT: Option<&str> =
        Some("as last-target 0.55 would have them and ittage 0.00 would not");
    const RANGE: Option<&str> = Some("ittage 0.10 to 0.29");
    // What last-target and ittage miss there in a thousand iterations, and ittage elsewhere at calls and at
    // returns.
    #[rustfmt::skip] // a table: one prediction a line
    let table = [
        ((590, 590, 0, 0), None),
        ((700, 700, 0, 0), NONE_AGREES),
        ((700, 700, 0, 0), LEARNS),
        ((410, 410, 0, 0), None),
        ((300, 300, 0, 0), NONE_AGREES),
        ((300, 300, 0, 0), MISSES),
        ((300, 700, 0, 0), MISSES),
        ((550,   0, 0, 0), RIGHT),
        ((990, 590, 0, 0), None), // that a simple model is wrong is no news
        ((300, 200, 210, 0), None),
        ((300, 100, 190, 0), RANGE),
        ((300, 300, 0, 500), NONE_AGREES),
    ];
    const NEVER: &str = "branch misses are inferred";
    hold(&table, NEVER, |misses| with_models(1000, misses));
    // Of a branch that was not reached no model says anything.
    assert!(!with_models(0, (990, 990, 0, 0)).told().contains(NEVER));
}

/// A row of which half a miss is inferred, and what models say in a thousand iterations.
fn with_models(executed: u64, (last, own, calls, returns): (u64, u64, u64, u64)) -> Sample {
    let mut sample = with_misses(&[], 0.5, 0.0);
    let prepared = prepare(&sample.scenario).expect("links");
    let image = &prepared.image;
    let code = image.site.code;
    let is_site = |at: &u64| image.label(&prepared.row.program, code + at) == Some("site");
    let at = (0..4096).find(is_site).expect("the branch");
    let site = |code_offset, kind, misses: &[(&str, u64)]| PredictedSite {
        code_offset,
        kind,
        executed,
        misses: misses
            .iter()
            .map(|(model, count)| ((*model).to_string(), *count))
            .collect(),
    };
    sample.proof.prediction = Some(Prediction {
        by: CountedBy::Interpreter,
        iterations: 2000,
        counted: 1000,
        sites: vec![
            site(
                at,
                BranchKind::IndirectCall,
                &[("last-target", last), ("ittage", own)],
            ),
            site(at + 100, BranchKind::IndirectCall, &[("ittage", calls)]),
            site(at + 200, BranchKind::Return, &[("ittage", returns)]),
        ],
    });
    sample
}

/// Entries with one iteration, by round.
fn entries(cycles: impl Fn(u32) -> f64) -> ImageSamples {
    let mut samples = image(20, |_, _| 1.0);
    for chunk in &mut samples.chunks {
        chunk.ticks = (cycles(chunk.turn) * 22_000.0 / 32_000.0).round() as u64;
    }
    samples
}

#[test]
fn a_scrub_shows_no_effect_where_the_intervals_of_95_percent_meet() {
    const NONE: Option<&str> = Some("cold=dcache shows no effect that can be told from noise");
    // Five of 20 rounds lie a thousand cycles off: nine of a resample in one of 70 cases, of whose ten in the
    // middle then four are, so that the end lies 400 off.
    #[rustfmt::skip] // a table: what a warm and a cold call add, and what the five rounds of each have more
    let table = [
        (((1000.0, 1000.0), (1395.0, 0.0)),     NONE),
        (((1000.0, 1000.0), (1405.0, 0.0)),     None),
        (((1000.0, 0.0),    (1395.0, -1000.0)), NONE),
        (((1000.0, 0.0),    (1405.0, -1000.0)), None),
    ];
    hold(&table, "no effect", |(warm, cold)| {
        let mut sample = Sample::of(CALL, &[("cold", "dcache")]);
        let state = |(added, off): (f64, f64)| {
            let body = |round| 4000.0 + added + if round < 5 { off } else { 0.0 };
            [entries(body), entries(|_| 4000.0)]
        };
        sample.timing.cold = Some(Box::new(crate::stats::ColdSamples {
            cold: state(cold),
            warm: state(warm),
            scrub_ticks: vec![260; 320],
        }));
        sample
    });
}

#[test]
fn too_few_rounds_of_cold_calls_have_a_reason_and_no_doubt() {
    for (rounds, has_value) in [(5, false), (6, true)] {
        let mut sample = Sample::of(CALL, &[("cold", "dcache")]);
        let state = |added: f64| {
            let mut pair = [entries(|_| 4000.0 + added), entries(|_| 4000.0)];
            for image in &mut pair {
                image.chunks.retain(|chunk| chunk.turn < rounds);
            }
            pair
        };
        sample.timing.cold = Some(Box::new(crate::stats::ColdSamples {
            cold: state(400.0),
            warm: state(20.0),
            scrub_ticks: vec![260; 20],
        }));
        let call = sample.report().rows.remove(0).cold.expect("asked for");
        assert_eq!(call.cycles.value.is_some(), has_value, "{call:?}");
        let why = call.cycles.why.as_deref();
        assert_eq!(
            why.is_some_and(|why| why.contains("too few rounds")),
            !has_value
        );
        assert!(!call.doubtful, "{call:?}");
        // A scrub has a time and no interval.
        let scrub = [call.scrub_ns.value, call.scrub_ns.low, call.scrub_ns.high];
        assert_eq!(scrub, [Some(100.0), None, None]);
    }
}

#[test]
fn an_empty_iteration_is_lost_where_its_chunks_take_less_than_two_entries() {
    const LOST: Option<&str> = Some("the empty ones are lost in what entering takes");
    // Of 160 chunks so many take this long, and the others long enough; an entry takes 52.
    let table = [
        ((160, 103), LOST),
        ((160, 104), None),
        ((160, 105), None),
        ((79, 60), None),
        ((81, 60), LOST),
    ];
    hold(&table, "are lost", |(count, ticks)| {
        let mut sample = Sample::call();
        for chunk in &mut sample.timing.baseline.chunks[..count] {
            chunk.ticks = ticks;
        }
        sample
    });
}

#[test]
fn a_mean_is_said_to_be_one_where_the_middle_half_of_chunks_differs_by_2_percent() {
    const MEAN: Option<&str> =
        Some("the mean, and no quartile: chunks of 4096 iterations differ by more than 2 %");
    // Of ten turns so many cost that much, and five cycles the others; and the same of the empty iteration.
    #[rustfmt::skip] // a table: one row a line
    let table = [
        ((5, 5.09, 1.0), None),
        ((5, 5.11, 1.0), MEAN),
        ((2, 5.5,  1.0), None), // less than a quarter
        ((3, 5.5,  1.0), MEAN),
        ((8, 5.5,  1.0), None),
        ((7, 5.5,  1.0), MEAN),
        ((5, 5.11, 1.1), None), // the machine differs
    ];
    hold(&table, "no quartile", |(turns, cycles, empty)| {
        let mut sample = Sample::call();
        let by_turn = move |one: f64, other: f64| {
            move |turn: u32, _| if turn % 10 < turns { other } else { one }
        };
        sample.timing.images = vec![image(20, by_turn(5.0, cycles))];
        sample.timing.baseline = image(20, by_turn(1.0, empty));
        sample.timing.by_mean = true;
        sample.timing.segments = 1;
        for image in [&mut sample.timing.images[0], &mut sample.timing.baseline] {
            for chunk in &mut image.chunks {
                chunk.segment = 0;
            }
        }
        sample
    });
}

#[test]
fn of_data_that_no_near_cache_keeps_the_mean_is_taken_whether_or_not_visits_differ() {
    const MEAN: Option<&str> = Some("the mean of visits, and not their quartile");
    let table = [
        ((true, 8), MEAN),
        ((false, 8), None),
        ((true, 1), None),
        ((true, 2), MEAN),
    ];
    hold(&table, "the mean", |(by_mean, segments)| {
        let mut sample = Sample::call();
        sample.timing.by_mean = by_mean;
        sample.timing.segments = segments;
        sample
    });
}

#[test]
fn two_modes_are_told_where_no_more_than_half_of_the_chunks_were_disturbed() {
    const MODES: Option<&str> = Some("bistable: 5.00 cycles in 50 % of turns, 6.00 in 50 %");
    let table = [
        ((0, false), MODES),
        ((80, false), MODES),
        ((81, false), None),
        ((0, true), None), // of phases, and of data far away, the mean is the value
    ];
    hold(&table, "bistable", |(count, by_mean)| {
        let mut sample = Sample::call();
        let by_turn = |turn: u32, _| if turn.is_multiple_of(2) { 5.0 } else { 6.0 };
        sample.timing.images = vec![image(20, by_turn)];
        disturb(&mut sample.timing.images[0], 0..count, share);
        sample.timing.by_mean = by_mean;
        sample
    });
}

#[test]
fn what_was_not_done_is_said_and_no_number_stands_for_it() {
    const UNTAKEN: &str = "no sample was taken; --time MS gives it longer";
    assert!(!Sample::call().told().contains(UNTAKEN));
    let mut sample = Sample::call();
    sample.timing.images[0].chunks.clear();
    let told = sample.told();
    assert!(told.contains(UNTAKEN) && !told.contains("NaN"), "{told}");
    // Three turns have a value and no interval.
    for (turns, has_interval) in [(3, false), (4, true)] {
        let mut sample = Sample::call();
        sample.timing.images = vec![image(turns, |_, _| 5.0)];
        let row = sample.report().rows.remove(0);
        let cycles = row.metrics.expect("numbers")[Quantity::Cycles].clone();
        let known = [cycles.value, cycles.low, cycles.high].map(|value| value.is_some());
        assert_eq!(known, [true, has_interval, has_interval], "{turns}");
    }
    let mut sample = Sample::call();
    let counts = sample.proof.counts.as_mut().expect("counts");
    counts.stepped = Some(64);
    sample.proof.partial = Some("it has a vector".into());
    let told = sample.told();
    assert!(told.contains("it has a vector"), "{told}");
    for stated in [true, false] {
        let mut sample = Sample::call();
        sample.proof.checksum = sample.proof.checksum.filter(|_| stated);
        assert_eq!(sample.report().rows[0].verified, stated);
    }
}
