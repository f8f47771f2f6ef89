//! The hardware's cycles against the clock's, of the same chunks.
//!
//! Correct means: counts that stop, or that count something else, behind the check that they have passed are found
//! in the row that they are of; and no disturbance of the machine is taken for that.

use super::calibration::Scale;
use super::costs::Costs;
use super::quantile::{LOWER_QUARTILE, rank, sorted};
use super::segments::Visit;
use super::{Event, Timing};

/// How far the two may lie apart. An interruption is in the ticks and not in the counts; the lower quartile has few.
const APART: f64 = 0.1;

/// Takes a row's counts away where none are left, or where their cycles are not the clock's. `or_clock` has the clock
/// stand in for them.
pub fn distrust(timing: &mut Timing, or_clock: bool) {
    let Some(why) = reason(timing) else { return };
    let Some(counting) = &mut timing.counting else {
        return;
    };
    if counting.why.as_ref() != Some(&why) {
        counting.remedy = "take --counters clock".into();
    }
    counting.why = Some(why);
    counting.is_replaced = or_clock;
    let references = timing.references.iter_mut().flat_map(|references| {
        let missed = references.missed.images.iter_mut();
        missed.chain([&mut references.one, &mut references.random])
    });
    let delayed = timing.delayed.iter_mut().flat_map(|site| &mut site.images);
    let images = timing.images.iter_mut().chain([&mut timing.baseline]);
    for chunk in images
        .chain(references)
        .chain(delayed)
        .flat_map(|image| &mut image.chunks)
    {
        counting.refused += u64::from(chunk.events.take().is_some());
    }
}

fn reason(timing: &Timing) -> Option<String> {
    let counting = timing.counting.as_ref()?;
    let first = Costs::of(timing.images.first()?, timing, &Scale::of(timing));
    let counted = |visit: &Visit| visit.events[Event::Cycles as usize];
    if first.all.iter().all(|visit| counted(visit).is_none()) {
        return counting.why.clone();
    }
    // What ran beside a chunk makes the clock wrong, not the counters.
    let held = || first.visits.iter().filter(|visit| counted(visit).is_some());
    let quartile =
        |of: &dyn Fn(&Visit) -> Option<f64>| rank(&sorted(held().filter_map(of)), LOWER_QUARTILE);
    let (pmu, clock) = (quartile(&counted)?, quartile(&|visit| Some(visit.cycles))?);
    let is_near = (pmu / clock - 1.0).abs() <= APART;
    let disturbed = match first.doubtful {
        true => ", where something else ran beside every chunk",
        false => "",
    };
    (!is_near).then(|| {
        format!(
            "they have {pmu:.2} cycles for an iteration that has {clock:.2} by the clock{disturbed}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Calibration, Chunk, Counting, Events, ImageSamples};

    /// Chunks of 100 iterations, of 1000 cycles by the clock at one tick a cycle, and of so many by the hardware.
    fn timed(counts: &[Option<u64>]) -> Timing {
        let calibration = Calibration {
            chain_ticks: 1000,
            width_ticks: 10,
        };
        let events = |count: u64| Events::of(|event| (event == Event::Cycles).then_some(count));
        let chunk = |count: &Option<u64>| Chunk {
            turn: 0,
            segment: 0,
            ticks: 1000,
            before: calibration,
            after: calibration,
            events: count.map(events),
        };
        Timing {
            iterations_per_chunk: 100,
            unroll: 1,
            segments: 1,
            chain_cycles: 1000,
            best_width_ticks: 10,
            tsc_hz: 1e9,
            images: vec![ImageSamples {
                chunks: counts.iter().map(chunk).collect(),
                switches: Vec::new(),
            }],
            counting: Some(Counting {
                remedy: String::new(),
                overhead: events(0),
                entries: Vec::new(),
                refused: 0,
                why: None,
                is_replaced: false,
            }),
            ..Timing::default()
        }
    }

    fn distrusted(counts: &[Option<u64>], or_clock: bool) -> Counting {
        let mut timing = timed(counts);
        distrust(&mut timing, or_clock);
        let counting = timing.counting.expect("it was there");
        let left = timing.images[0]
            .chunks
            .iter()
            .filter(|chunk| chunk.events.is_some())
            .count();
        let are_taken = counting.why.is_some();
        assert_eq!(left == 0, are_taken, "{counting:?}");
        counting
    }

    #[test]
    fn cycles_may_be_a_tenth_off_the_clocks_and_no_more() {
        for (count, is_near) in [
            (1000, true),
            (1099, true),
            (1101, false),
            (901, true),
            (899, false),
            (0, false),
        ] {
            let counting = distrusted(&[Some(count); 8], true);
            assert_eq!(counting.why.is_none(), is_near, "{count}");
            assert_eq!(counting.is_replaced, !is_near);
            assert_eq!(counting.refused, if is_near { 0 } else { 8 });
            let words = format!(
                "they have {:.2} cycles for an iteration that has 10.00",
                count as f64 / 100.0
            );
            assert!(counting.why.is_none_or(|why| why.contains(&words)));
        }
    }

    #[test]
    fn some_chunks_without_a_count_are_no_reason_and_the_first_quarter_decides() {
        let some = [None, Some(1000), None, Some(1000), Some(5000), Some(5000)];
        assert_eq!(distrusted(&some, true).why, None);
    }

    #[test]
    fn chunks_beside_which_something_ran_do_not_decide_where_there_are_others() {
        let counted = |disturbed: usize| {
            let mut timing = timed(&[Some(1000); 8]);
            for chunk in &mut timing.images[0].chunks[..disturbed] {
                // Twice the ticks, and a width that says why.
                chunk.ticks *= 2;
                chunk.before.width_ticks *= 2;
                chunk.after.width_ticks *= 2;
            }
            distrust(&mut timing, true);
            timing.counting.expect("it was there").why
        };
        assert_eq!(counted(0), None);
        assert_eq!(counted(7), None);
        let all = counted(8).expect("nothing else is there to hold them against");
        assert!(
            all.ends_with("where something else ran beside every chunk"),
            "{all}"
        );
    }

    #[test]
    fn a_row_of_which_nothing_was_counted_has_the_reason_of_its_readings() {
        let mut timing = timed(&[None; 4]);
        let counting = timing.counting.as_mut().expect("it was asked");
        (counting.refused, counting.why) = (4, Some("taken away".into()));
        distrust(&mut timing, true);
        let counting = timing.counting.expect("it was there");
        assert!(counting.is_replaced && counting.why.as_deref() == Some("taken away"));
    }
}
