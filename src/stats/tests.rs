//! Whole rows, against values that follow from how they were made.

use std::time::{Duration, Instant};

use super::fixture::{empty, image, steady};
use super::*;

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-3
}

#[test]
fn a_steady_row_has_its_value_and_no_spread() {
    let summary = summarize(&steady(6, 5.0), 1);
    assert!(
        near(summary.cycles.value, 5.0)
            && near(summary.cycles.low, 5.0)
            && near(summary.cycles.high, 5.0)
    );
    assert!(near(summary.baseline_cycles.expect("a value").value, 1.0));
    // 22,000 ticks of a 2.6 GHz counter for 32,000 cycles.
    assert!((summary.core_hz - 2.6e9 / 22_000.0 * 32_000.0).abs() < 1.0);
    assert!(near(summary.ns.value, 5.0 / (summary.core_hz / 1e9)));
    assert_eq!(
        (summary.iterations, summary.dropped, summary.contended),
        (6 * 8 * 4096, 0, 0.0)
    );
    assert_eq!(summary.modes, None);
}

#[test]
fn the_value_is_placement_zeros_and_the_layout_all_of_them() {
    let mut timing = steady(4, 6.0);
    timing.images.push(image(4, |_, _| 7.0));
    timing.images.push(image(4, |_, _| 5.5));
    let summary = summarize(&timing, 1);
    assert!(near(summary.cycles.value, 6.0));
    let layout = summary.layout;
    assert_eq!(layout.placements, 3);
    let values = [layout.cycles_min, layout.cycles_median, layout.cycles_max];
    for (value, wanted) in values.into_iter().zip([5.5, 6.0, 7.0]) {
        assert!(near(value, wanted), "{summary:?}");
    }
    timing.images.push(image(4, |_, _| 6.5));
    assert!(near(summarize(&timing, 1).layout.cycles_median, 6.25));
}

#[test]
fn segments_of_different_cost_are_averaged() {
    let mut timing = steady(4, 0.0);
    timing.images[0] = image(4, |_, segment| 10.0 + f64::from(segment));
    assert!(near(summarize(&timing, 1).cycles.value, 13.5));
}

#[test]
fn interruptions_inside_chunks_do_not_move_the_value() {
    let mut timing = steady(16, 5.0);
    for chunk in timing.images[0].chunks.iter_mut().step_by(3) {
        chunk.ticks += 40_000;
    }
    let summary = summarize(&timing, 1);
    assert!(
        near(summary.cycles.value, 5.0) && near(summary.cycles.high, 5.0),
        "{summary:?}"
    );
}

#[test]
fn a_burst_on_the_sibling_does_not_enter_the_value() {
    let mut timing = steady(16, 5.0);
    // A burst over twelve of sixteen turns: the quartile alone would not absorb it.
    for chunk in timing.images[0]
        .chunks
        .iter_mut()
        .filter(|chunk| chunk.turn >= 4)
    {
        chunk.ticks = chunk.ticks * 3 / 2;
        chunk.before.width_ticks = chunk.before.width_ticks * 3 / 2;
        chunk.after.width_ticks = chunk.after.width_ticks * 3 / 2;
    }
    let summary = summarize(&timing, 1);
    assert!(near(summary.cycles.value, 5.0), "{summary:?}");
    assert_eq!((summary.dropped, summary.contended), (96, 0.75));
    assert_eq!(summary.iterations, 4 * 8 * 4096);
    assert_eq!(summary.modes, None);
}

#[test]
fn a_row_in_two_modes_says_so() {
    let mut timing = steady(10, 3.5);
    timing.images[0] = image(10, |turn, _| if turn % 3 == 0 { 4.0 } else { 3.5 });
    let [fast, slow] = summarize(&timing, 1).modes.expect("two modes");
    assert!(near(fast.cycles, 3.5) && near(slow.cycles, 4.0));
    assert_eq!((fast.share, slow.share), (0.6, 0.4));
}

#[test]
fn a_placement_that_was_disturbed_throughout_does_not_widen_the_layout() {
    let mut timing = steady(4, 5.0);
    let mut disturbed = image(4, |_, _| 9.0);
    for chunk in &mut disturbed.chunks {
        chunk.before.width_ticks *= 2;
        chunk.after.width_ticks *= 2;
    }
    timing.images.push(disturbed);
    let summary = summarize(&timing, 1);
    assert_eq!(summary.layout.placements, 1);
    assert!(near(summary.layout.cycles_max, 5.0));
    assert_eq!((summary.dropped, summary.contended), (32, 0.0));
}

#[test]
fn the_layout_holds_the_value_of_placement_0_even_where_that_was_disturbed() {
    let mut timing = steady(4, 5.0);
    timing.images.push(image(4, |_, _| 6.0));
    for chunk in &mut timing.images[0].chunks {
        chunk.before.width_ticks *= 2;
        chunk.after.width_ticks *= 2;
    }
    let summary = summarize(&timing, 1);
    assert!(summary.doubtful && summary.contended == 1.0);
    assert_eq!(summary.layout.placements, 2);
    assert!(near(summary.layout.cycles_min, 5.0) && near(summary.layout.cycles_max, 6.0));
}

#[test]
fn the_seed_alone_decides_the_interval() {
    let mut timing = steady(9, 5.0);
    timing.images[0] = image(9, |turn, segment| {
        5.0 + f64::from(turn * 7 % 9) / 50.0 + f64::from(segment) / 10.0
    });
    let summary = summarize(&timing, 1);
    assert_eq!(summary, summarize(&timing, 1));
    assert!(
        summary.cycles.low < summary.cycles.value && summary.cycles.value < summary.cycles.high
    );
}

#[test]
fn no_sample_gives_no_number_and_no_panic() {
    for images in [vec![], vec![ImageSamples::default()]] {
        let summary = summarize(&Timing { images, ..empty() }, 1);
        assert!(
            summary.cycles.value.is_nan()
                && summary.ns.value.is_nan()
                && summary.layout.cycles_min.is_nan()
        );
        let baseline = summary
            .baseline_cycles
            .expect("not lost, for there is none");
        assert!(baseline.value.is_nan() && summary.core_hz.is_nan());
        assert!(!summary.doubtful);
        assert_eq!(
            (
                summary.iterations,
                summary.layout.placements,
                summary.dropped
            ),
            (0, 0, 0)
        );
    }
}

#[test]
fn one_chunk_is_its_own_value() {
    let mut timing = steady(1, 5.0);
    timing.images[0].chunks.truncate(1);
    let summary = summarize(&timing, 1);
    assert!(near(summary.cycles.value, 5.0));
    assert!(summary.cycles.low.is_nan() && summary.cycles.high.is_nan());
}

#[test]
fn calibrations_that_give_no_cycles_give_no_value() {
    let mut timing = steady(2, 5.0);
    for chunk in &mut timing.images[0].chunks {
        chunk.before.chain_ticks = 0;
        chunk.after.chain_ticks = 0;
    }
    let summary = summarize(&timing, 1);
    assert!(summary.cycles.value.is_nan());
    assert_eq!(summary.contended, 1.0);
    // As long as entering takes.
    for chunk in &mut timing.images[0].chunks {
        chunk.before.chain_ticks = 52;
        chunk.after.chain_ticks = 52;
    }
    assert!(summarize(&timing, 1).cycles.value.is_nan());
}

#[test]
fn a_row_of_64_turns_is_summarized_while_nobody_waits() {
    let mut timing = steady(64, 5.0);
    timing.images[0] = image(64, |turn, segment| {
        5.0 + f64::from(turn * 13 % 64) / 99.0 + f64::from(segment)
    });
    let started = Instant::now();
    summarize(&timing, 1);
    // Tests are built without optimisation, which costs a factor of ten or more.
    assert!(
        started.elapsed() < Duration::from_millis(400),
        "{:?}",
        started.elapsed()
    );
}

/// Gives each chunk of an image the counts that `per_iteration` says, and an entry's on top.
fn count(image: &mut ImageSamples, per_iteration: impl Fn(&Chunk) -> [Option<f64>; 4]) {
    for chunk in &mut image.chunks {
        let each = per_iteration(chunk);
        let whole = |event: Event| {
            each[event as usize].map(|one| (one * fixture::ITERATIONS as f64) as u64 + 100)
        };
        chunk.events = Some(Events::of(whole));
    }
}

/// The steady row of 5 clock cycles, asked of hardware counters too.
fn counted(per_iteration: impl Fn(&Chunk) -> [Option<f64>; 4]) -> Timing {
    let mut timing = steady(8, 5.0);
    count(&mut timing.images[0], per_iteration);
    count(&mut timing.baseline, |_| [Some(1.5); 4]);
    timing.counting = Some(Counting {
        overhead: Events::of(|_| Some(100)),
        ..Counting::default()
    });
    timing
}

fn values(summary: &Summary) -> [Option<f64>; 4] {
    summary.events.map(|event| Some(event?.value))
}

#[test]
fn where_the_hardware_was_asked_cycles_are_its_own_and_ns_the_clocks() {
    let summary = summarize(
        &counted(|_| [Some(6.0), Some(12.0), Some(3.0), Some(0.5)]),
        1,
    );
    assert_eq!(values(&summary), [6.0, 12.0, 3.0, 0.5].map(Some));
    assert_eq!(summary.cycles.value, 6.0);
    assert_eq!(summary.baseline_cycles.expect("a value").value, 1.5);
    let layout = summary.layout;
    let cycles = (layout.cycles_min, layout.cycles_median, layout.cycles_max);
    assert_eq!((layout.placements, cycles), (1, (6.0, 6.0, 6.0)));
    assert!(near(summary.ns.value, 5.0 / (summary.core_hz / 1e9)));
}

#[test]
fn misses_are_the_mean_of_what_comes_by_chance_and_not_its_quartile() {
    let by_turn = |chunk: &Chunk| f64::from(chunk.turn % 4 / 3);
    let summary = summarize(&counted(|chunk| [Some(by_turn(chunk)); 4]), 1);
    assert_eq!(values(&summary)[3], Some(0.25));
    assert_eq!(summary.cycles.value, 0.0, "a time is a lower quartile");
}

#[test]
fn a_disturbed_chunk_is_left_out_of_the_counts_too() {
    let mut timing = counted(|chunk| [Some(if chunk.turn == 3 { 9.0 } else { 6.0 }); 4]);
    for chunk in timing.images[0]
        .chunks
        .iter_mut()
        .filter(|chunk| chunk.turn == 3)
    {
        chunk.before.width_ticks *= 2;
        chunk.after.width_ticks *= 2;
    }
    let summary = summarize(&timing, 1);
    assert_eq!(values(&summary), [Some(6.0); 4]);
}

#[test]
fn refused_readings_leave_no_number_but_the_clocks() {
    let mut timing = counted(|_| [Some(6.0); 4]);
    for chunk in &mut timing.images[0].chunks {
        chunk.events = None;
    }
    let summary = summarize(&timing, 1);
    assert_eq!(values(&summary), [None; 4]);
    assert!(summary.cycles.value.is_nan());
    assert!(near(summary.ns.value, 5.0 / (summary.core_hz / 1e9)));
    // Where not one was accepted there is no overhead either.
    for (refused, is_the_clocks) in [(1, false), (0, true)] {
        timing.counting = Some(Counting {
            refused,
            ..Counting::default()
        });
        let value = summarize(&timing, 1).cycles.value;
        assert!(if is_the_clocks {
            near(value, 5.0)
        } else {
            value.is_nan()
        });
    }
}

#[test]
fn an_event_that_is_not_counted_has_no_number_beside_those_that_are() {
    let summary = summarize(&counted(|_| [Some(6.0), Some(12.0), None, None]), 1);
    assert_eq!(values(&summary), [Some(6.0), Some(12.0), None, None]);
}

#[test]
fn an_empty_iteration_that_is_lost_in_the_entry_has_no_value_instead_of_zero() {
    let mut timing = steady(6, 5.0);
    timing.iterations_per_chunk = 1;
    for chunk in &mut timing.baseline.chunks {
        chunk.ticks = timing.entry_overhead_ticks - 3 + u64::from(chunk.segment);
    }
    assert_eq!(summarize(&timing, 1).baseline_cycles, None);
    for chunk in &mut timing.baseline.chunks {
        chunk.ticks = 3 * timing.entry_overhead_ticks;
    }
    let told = summarize(&timing, 1).baseline_cycles.expect("a value");
    assert!(told.low > 0.0, "{told:?}");
}

#[test]
fn of_many_chunks_those_of_each_segment_are_shown_in_the_order_they_ran() {
    // Each chunk costs what tells its segment.
    let mut timing = steady(1, 5.0);
    timing.images = vec![fixture::image(240, |_, segment| 5.0 + f64::from(segment))];
    let shown = shown(&timing);
    assert_eq!((shown.len(), shown[0].len()), (1, SHOWN));
    for segment in 0..timing.segments {
        let cycles = 5.0 + f64::from(segment);
        assert!(shown[0].iter().any(|one| near(*one, cycles)), "{segment}");
    }
    // As many as there are room for are all of them, and one more leaves one out.
    for (turns, count) in [(1, 8), (15, SHOWN), (16, SHOWN)] {
        let mut few = steady(turns, 5.0);
        few.images.truncate(1);
        assert_eq!(super::shown(&few)[0].len(), count, "{turns} turns");
    }
    let mut rising = steady(60, 5.0);
    rising.images = vec![fixture::image(60, |turn, _| 5.0 + f64::from(turn))];
    assert!(super::shown(&rising)[0].is_sorted());
}

#[test]
fn a_disturbed_chunk_is_not_shown() {
    let mut timing = steady(2, 5.0);
    timing.images.truncate(1);
    let all = shown(&timing)[0].len();
    timing.images[0].chunks[3].after.width_ticks *= 2;
    assert!(shown(&timing)[0].len() < all);
}

#[test]
fn the_value_of_a_part_is_that_of_a_row_with_its_turns_alone() {
    let mut timing = steady(12, 5.0);
    timing.images = vec![
        fixture::image(12, |turn, segment| {
            5.0 + f64::from(turn / 2) + f64::from(segment)
        }),
        fixture::image(3, |_, _| 9.0),
    ];
    let repeats = repeats(&timing);
    let placements: Vec<u32> = repeats.iter().map(|one| one.placement).collect();
    assert_eq!(placements, [0, 0, 0, 0, 0, 0, 1, 1, 1]);
    for (part, repeat) in repeats[..6].iter().enumerate() {
        let mut alone = timing.clone();
        alone.images.truncate(1);
        let own = [2 * part as u32, 2 * part as u32 + 1];
        alone.images[0]
            .chunks
            .retain(|chunk| own.contains(&chunk.turn));
        let summary = summarize(&alone, 1);
        assert!(near(repeat.cycles, summary.cycles.value), "{part}");
        assert!(near(repeat.ns, summary.ns.value), "{part}");
        assert_eq!(repeat.iterations, summary.iterations);
    }
}
