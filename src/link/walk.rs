//! The order in which a loop visits receivers.
//!
//! Correct means: the sequence follows from the walk, the number of objects and the seed alone, so
//! that a printed seed gives the same sequence anywhere.

use crate::scenario::{Order, Walk};
use crate::stats::random::SplitMix64;

/// Elements of a walk that draws at random. Shorter random sequences are memorised by the branch
/// predictors of current cores (Zen 4 learns 16,384 elements of a random 8-way switch), and then
/// measure memory, not prediction.
pub const RANDOM_ELEMENTS: u64 = 262_144;

/// Elements of a walk whose chunks take `chunk` iterations.
pub fn elements(walk: Walk, objects: u32, chunk: u64) -> u64 {
    match walk.order {
        Order::Random | Order::Runs(_) => RANDOM_ELEMENTS.max(chunk),
        _ => chunk.max(u64::from(objects).next_power_of_two()),
    }
}

/// The object each element visits.
pub fn visits(walk: Walk, objects: u32, elements: u64, seed: u64) -> Vec<u32> {
    let count = u64::from(objects.max(1));
    let mut random = SplitMix64::new(seed);
    let mut current = 0;
    (0..elements)
        .map(|element| {
            let object = match walk.order {
                Order::Same => 0,
                Order::Cyclic => element * u64::from(walk.stride) % count,
                Order::Sorted => element * count / elements,
                Order::Random => random.below(count),
                Order::Runs(length) => {
                    if element % u64::from(length.max(1)) == 0 {
                        current = random.below(count);
                    }
                    current
                }
            };
            object as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(order: Order, stride: u32) -> Walk {
        Walk { order, stride }
    }

    #[test]
    fn each_order_visits_what_its_rule_says() {
        assert_eq!(visits(walk(Order::Same, 1), 3, 5, 1), [0, 0, 0, 0, 0]);
        assert_eq!(visits(walk(Order::Cyclic, 1), 3, 5, 1), [0, 1, 2, 0, 1]);
        assert_eq!(visits(walk(Order::Cyclic, 2), 5, 6, 1), [0, 2, 4, 1, 3, 0]);
        assert_eq!(visits(walk(Order::Sorted, 1), 2, 6, 1), [0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn runs_change_only_at_their_length() {
        let sequence = visits(walk(Order::Runs(4), 1), 8, 64, 1);
        for run in sequence.chunks(4) {
            assert!(run.iter().all(|object| object == &run[0]));
        }
    }

    #[test]
    fn a_random_walk_is_fair_and_follows_from_its_seed() {
        let first = visits(walk(Order::Random, 1), 8, RANDOM_ELEMENTS, 1);
        assert_eq!(first, visits(walk(Order::Random, 1), 8, RANDOM_ELEMENTS, 1));
        assert_ne!(first, visits(walk(Order::Random, 1), 8, RANDOM_ELEMENTS, 2));
        for object in 0..8 {
            let share = first.iter().filter(|&&visited| visited == object).count() as f64
                / first.len() as f64;
            assert!((share - 0.125).abs() < 0.005, "object {object}: {share}");
        }
    }

    #[test]
    fn only_random_walks_need_the_full_length() {
        assert_eq!(elements(walk(Order::Cyclic, 1), 100, 64), 128);
        assert_eq!(elements(walk(Order::Same, 1), 1, 8192), 8192);
        assert_eq!(elements(walk(Order::Random, 1), 8, 4096), RANDOM_ELEMENTS);
    }
}
