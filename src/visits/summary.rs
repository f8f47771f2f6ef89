//! A sequence of visits in numbers, and as a file that `order=@FILE` replays.
//!
//! Correct means: counts are of the whole sequence, and the file has the very sequence.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::Recorded;
use crate::text::printable;

/// How often a type came.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeCount {
    /// What it is.
    pub name: String,
    /// Its visits.
    pub visits: u64,
    /// The most in a row.
    pub longest: u64,
}

/// A sequence in numbers, all of them exact.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// By number.
    pub types: Vec<TypeCount>,
    /// Stretches of one type.
    pub runs: u64,
    /// Bits that it takes to say which type a visit has, knowing only how often each comes.
    pub entropy: f64,
    /// The same, knowing the type of the visit before, too.
    pub entropy_after_one: f64,
}

impl Summary {
    /// Of a sequence.
    pub fn of(numbers: &[u32], names: &[String]) -> Summary {
        let mut types: Vec<TypeCount> = names
            .iter()
            .map(|name| TypeCount {
                name: name.clone(),
                visits: 0,
                longest: 0,
            })
            .collect();
        let (mut runs, mut length, mut last) = (0, 0, None);
        let mut pairs: HashMap<(u32, u32), u64> = HashMap::new();
        let mut firsts: HashMap<u32, u64> = HashMap::new();
        for &number in numbers {
            if last == Some(number) {
                length += 1;
            } else {
                (runs, length) = (runs + 1, 1);
            }
            if let Some(before) = last.replace(number) {
                *pairs.entry((before, number)).or_default() += 1;
                *firsts.entry(before).or_default() += 1;
            }
            if let Some(one) = types.get_mut(number as usize) {
                one.visits += 1;
                one.longest = one.longest.max(length);
            }
        }
        // It is replayed as a ring, and so no visit is without one before it.
        if let Some((first, last)) = numbers.first().zip(last) {
            *pairs.entry((last, *first)).or_default() += 1;
            *firsts.entry(last).or_default() += 1;
        }
        Summary {
            entropy: bits(types.iter().map(|one| one.visits)),
            entropy_after_one: (bits(pairs.into_values()) - bits(firsts.into_values())).max(0.0),
            types,
            runs,
        }
    }
}

/// The entropy of counts, in bits.
fn bits(counts: impl Iterator<Item = u64>) -> f64 {
    // In one order, for sums of fractions depend on it.
    let mut counts: Vec<u64> = counts.filter(|count| *count > 0).collect();
    counts.sort_unstable();
    let all: u64 = counts.iter().sum();
    let share = |count: &u64| *count as f64 / all as f64;
    let sum: f64 = counts
        .iter()
        .map(|count| share(count) * share(count).log2())
        .sum();
    // Not -0.
    0.0 - sum
}

impl Recorded {
    /// The file: what the numbers stand for as remarks, and the numbers.
    pub fn text(&self, site: &str) -> String {
        /// Numbers on a line.
        const A_LINE: usize = 32;
        let mut out = format!("# visits of {site}\n");
        for (number, name) in self.names.iter().enumerate() {
            let _ = writeln!(out, "# {number} {}", printable::line(name));
        }
        for line in self.numbers.chunks(A_LINE) {
            let words: Vec<String> = line.iter().map(u32::to_string).collect();
            let _ = writeln!(out, "{}", words.join(" "));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_runs_and_entropy_are_those_that_can_be_made_by_hand() {
        let names = ["a", "b"].map(str::to_string);
        let found = Summary::of(&[0, 1, 0, 1, 0, 1, 0, 1], &names);
        assert_eq!(
            (found.runs, found.types[0].visits, found.types[1].longest),
            (8, 4, 1)
        );
        assert!((found.entropy - 1.0).abs() < 1e-12);
        assert!(
            found.entropy_after_one.abs() < 1e-12,
            "the one before tells the next"
        );
        let found = Summary::of(&[0, 0, 0, 1], &names);
        assert_eq!((found.runs, found.types[0].longest), (2, 3));
        // -(3/4 log 3/4 + 1/4 log 1/4)
        assert!((found.entropy - 0.811_278_124).abs() < 1e-9);
        let found = Summary::of(&[0, 0, 0], &names[..1]);
        assert_eq!((found.runs, found.entropy), (1, 0.0));
        // What the one before tells is never less than nothing.
        let found = Summary::of(&[0, 0, 1, 0, 0], &names);
        assert!(found.entropy_after_one <= found.entropy, "{found:?}");
        let found = Summary::of(&[0, 0, 1], &names);
        assert!(
            (found.entropy_after_one - 2.0 / 3.0).abs() < 1e-9,
            "{found:?}"
        );
    }
}
