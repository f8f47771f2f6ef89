//! The order in which a loop visits receivers.
//!
//! Correct means: the sequence follows from the walk, the number of objects and the seed alone, so
//! that a printed seed gives the same sequence anywhere.

use std::collections::BTreeMap;

use crate::job::JobRow;
use crate::stats::random::SplitMix64;
use crate::template::{Order, Percent, RANDOM_ELEMENTS, Walk};

/// Of a walk, the largest part that an unfinished repeat of a recording may be: one in so many.
const BROKEN_OFF: u64 = 16;

/// A walk over objects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course<'a> {
    /// The order.
    pub walk: Walk,
    /// The type of each object; none where there is no heap, which is one object.
    pub types: &'a [u32],
    /// The sequence of types of a recorded walk; else empty.
    pub recorded: &'a [u32],
    /// Whether the walk has the numbers of receivers that stand in an array: then it is as long as that.
    pub indexed: bool,
}

impl<'a> Course<'a> {
    /// The walk of a row.
    pub fn of(row: &'a JobRow) -> Course<'a> {
        Course {
            walk: match row.has_walk() {
                true => row.settings.walk,
                false => Walk {
                    order: Order::Same,
                    stride: 1,
                },
            },
            types: &row.heap.objects,
            recorded: &row.recorded,
            indexed: row.heap.indexed,
        }
    }

    /// Elements of a walk whose chunks take `chunk` iterations.
    pub fn elements(self, chunk: u64) -> u64 {
        let objects = (self.types.len() as u64).next_power_of_two();
        match self.walk.order {
            Order::Random | Order::Runs(_) | Order::Hot(_) => {
                let array = if self.indexed { objects } else { 0 };
                RANDOM_ELEMENTS.max(chunk).max(array)
            }
            Order::Recorded => {
                let length = self.recorded.len().max(1) as u64;
                let fitting = (length.div_ceil(chunk)..)
                    .map(|chunks| chunks * chunk)
                    .find(|elements| elements % length * BROKEN_OFF <= *elements);
                fitting.unwrap_or(chunk)
            }
            // A longer stride comes back to where it began sooner.
            Order::Cyclic => {
                let count = self.types.len().max(1) as u64;
                let visited = count / greatest_common_divisor(count, u64::from(self.walk.stride));
                chunk.max(visited.next_power_of_two())
            }
            // A branch that leaves one target for another is missed some sixty times until it is known again, and
            // called by a slower way for thousands more (Zen 4): of shorter stays each row would measure that.
            Order::Sorted if objects > 1 => RANDOM_ELEMENTS.max(chunk).max(objects),
            Order::Same | Order::Sorted => chunk.max(objects),
        }
    }

    /// The object each element visits.
    pub fn visits(self, elements: u64, seed: u64) -> Vec<u32> {
        let count = self.types.len().max(1) as u64;
        let mut random = SplitMix64::new(seed);
        let mut current = 0;
        let groups = match self.walk.order {
            Order::Hot(_) | Order::Recorded => Groups::of(self.types),
            _ => Groups::default(),
        };
        let mut turns = vec![0u64; groups.0.len()];
        (0..elements)
            .map(|element| {
                let object = match self.walk.order {
                    Order::Same => 0,
                    Order::Cyclic => element * u64::from(self.walk.stride) % count,
                    Order::Sorted => element * count / elements,
                    Order::Random => random.below(count),
                    Order::Runs(length) => {
                        if element % u64::from(length.max(1)) == 0 {
                            current = random.below(count);
                        }
                        current
                    }
                    Order::Hot(share) => groups.draw(share, &mut random),
                    Order::Recorded => {
                        let at = element % self.recorded.len().max(1) as u64;
                        let number = self.recorded.get(at as usize).copied().unwrap_or(0);
                        groups.next(number, &mut turns)
                    }
                };
                object as u32
            })
            .collect()
    }
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    match other {
        0 => one,
        _ => greatest_common_divisor(other, one % other),
    }
}

/// The types that objects have, ascending, each with its objects.
#[derive(Debug, Default)]
struct Groups(Vec<(u32, Vec<u64>)>);

impl Groups {
    fn of(types: &[u32]) -> Groups {
        let mut groups: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for (object, &number) in (0..).zip(types) {
            groups.entry(number).or_default().push(object);
        }
        Groups(groups.into_iter().collect())
    }

    /// An object of the first type with the probability `share`, else of any other.
    fn draw(&self, share: Percent, random: &mut SplitMix64) -> u64 {
        let is_hot = random.below(Percent::STEPS) < share.steps();
        let group = match (is_hot, self.0.len() as u64) {
            (false, 2..) => 1 + random.below(self.0.len() as u64 - 1),
            _ => 0,
        };
        let objects = self.0.get(group as usize).map_or(&[][..], |(_, all)| all);
        let at = random.below(objects.len() as u64);
        objects.get(at as usize).copied().unwrap_or(0)
    }

    /// The object of a type whose turn it is.
    fn next(&self, number: u32, turns: &mut [u64]) -> u64 {
        let found = self.0.binary_search_by_key(&number, |(number, _)| *number);
        let Ok(group) = found else { return 0 };
        let objects = &self.0[group].1;
        let turn = turns[group] % objects.len() as u64;
        turns[group] += 1;
        objects[turn as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn walk(order: Order, stride: u32) -> Walk {
        Walk { order, stride }
    }

    /// The visits of a walk over so many objects of one type.
    fn visits(walk: Walk, objects: u32, elements: u64, seed: u64) -> Vec<u32> {
        let types = vec![0; objects as usize];
        let course = Course {
            walk,
            types: &types,
            recorded: &[],
            indexed: false,
        };
        course.visits(elements, seed)
    }

    /// The types of `objects` objects, as a scenario with `count` of them has it.
    fn types(objects: u32, count: u32) -> Vec<u32> {
        (0..objects).map(|object| object % count).collect()
    }

    fn hot(share: &str) -> Walk {
        walk(format!("hot:{share}").parse().expect("a share"), 1)
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

    /// What `hot:P` means, said as plainly as it goes.
    fn dumb_hot(share: f64, types: &[u32], elements: u64, seed: u64) -> Vec<u32> {
        let mut random = SplitMix64::new(seed);
        let kinds = types.iter().max().expect("a type") + 1;
        let mut sequence = Vec::new();
        for _ in 0..elements {
            let mut kind = 0;
            if random.below(1_000_000) as f64 >= share * 10_000.0 && kinds > 1 {
                kind = 1 + random.below(u64::from(kinds) - 1) as u32;
            }
            let objects: Vec<usize> = (0..types.len()).filter(|&one| types[one] == kind).collect();
            sequence.push(objects[random.below(objects.len() as u64) as usize] as u32);
        }
        sequence
    }

    #[test]
    fn a_hot_walk_is_that_of_its_dumb_twin() {
        for (share, objects, kinds) in [("90", 64, 4), ("99.5", 5, 3), ("0", 8, 8), ("100", 7, 1)] {
            let types = types(objects, kinds);
            let course = Course {
                walk: hot(share),
                types: &types,
                recorded: &[],
                indexed: false,
            };
            let value: f64 = share.parse().expect("a number");
            for seed in [1, 2] {
                let twin = dumb_hot(value, &types, 4096, seed);
                assert_eq!(course.visits(4096, seed), twin, "hot:{share}");
            }
        }
    }

    #[test]
    fn the_hot_type_gets_its_share_and_the_others_the_rest_evenly() {
        let types = types(64, 5);
        for share in ["0", "20", "90", "99.5", "100"] {
            let course = Course {
                walk: hot(share),
                types: &types,
                recorded: &[],
                indexed: false,
            };
            let elements = course.elements(4096);
            assert_eq!(elements, RANDOM_ELEMENTS);
            let sequence = course.visits(elements, 1);
            let part = |kind: u32| {
                let of_kind = sequence
                    .iter()
                    .filter(|&&object| types[object as usize] == kind);
                of_kind.count() as f64 / elements as f64
            };
            let wanted = share.parse::<f64>().expect("a number") / 100.0;
            assert!((part(0) - wanted).abs() < 0.005, "hot:{share}: {}", part(0));
            for kind in 1..5 {
                let rest = (1.0 - wanted) / 4.0;
                assert!(
                    (part(kind) - rest).abs() < 0.005,
                    "hot:{share}, type {kind}"
                );
            }
        }
    }

    #[test]
    fn a_recorded_walk_visits_its_types_in_their_order_and_their_objects_in_turn() {
        let types = types(5, 2);
        let course = Course {
            walk: walk(Order::Recorded, 1),
            types: &types,
            recorded: &[0, 1, 0],
            indexed: false,
        };
        assert_eq!(course.visits(8, 1), [0, 1, 2, 4, 3, 0, 2, 1]);
        // No seed takes part.
        assert_eq!(course.visits(64, 1), course.visits(64, 2));
    }

    #[test]
    fn a_recorded_walk_is_whole_chunks_and_hardly_any_of_it_a_broken_off_repeat() {
        for length in [
            1,
            2,
            3,
            255,
            4095,
            4096,
            4097,
            5000,
            65_537,
            600_000,
            1 << 20,
        ] {
            let recorded = vec![0; length as usize];
            let course = Course {
                walk: walk(Order::Recorded, 1),
                types: &[0],
                recorded: &recorded,
                indexed: false,
            };
            for chunk in [64, 4096, 262_144] {
                let elements = course.elements(chunk);
                assert_eq!(elements % chunk, 0, "{length} in chunks of {chunk}");
                assert!(elements >= length.max(chunk) && elements <= 16 * length + chunk);
                assert!(elements % length <= elements / 16, "{length} in {elements}");
            }
        }
    }

    #[test]
    fn only_random_walks_need_the_full_length() {
        let elements = |order, objects: usize, chunk| {
            let types = vec![0; objects];
            let course = Course {
                walk: walk(order, 1),
                types: &types,
                recorded: &[],
                indexed: false,
            };
            course.elements(chunk)
        };
        assert_eq!(elements(Order::Cyclic, 100, 64), 128);
        assert_eq!(elements(Order::Same, 1, 8192), 8192);
        // Every object that a stride comes by, before it begins again.
        for (objects, stride) in [(100, 32), (96, 32), (64, 3), (1 << 12, 32), (7, 7), (5, 10)] {
            let types = vec![0; objects];
            let course = Course {
                walk: walk(Order::Cyclic, stride),
                types: &types,
                recorded: &[],
                indexed: false,
            };
            let all: HashSet<u32> = course.visits(10_000, 1).into_iter().collect();
            let once: HashSet<u32> = course.visits(course.elements(1), 1).into_iter().collect();
            assert_eq!(once, all, "{objects} by {stride}");
            assert!(
                course.elements(1) < 2 * all.len() as u64,
                "{objects} by {stride}"
            );
        }
        assert_eq!(elements(Order::Same, 0, 8192), 8192);
        assert_eq!(elements(Order::Random, 8, 4096), RANDOM_ELEMENTS);
        // With one object there is nothing to leave.
        assert_eq!(elements(Order::Sorted, 1, 8192), 8192);
        assert_eq!(elements(Order::Sorted, 2, 8192), RANDOM_ELEMENTS);
    }
}
