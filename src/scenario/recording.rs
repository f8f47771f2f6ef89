//! A recorded sequence of type numbers, as `order=@FILE` replays it.
//!
//! Correct means: the sequence is the file's, number by number, and what cannot be one is refused
//! with its line.

use std::collections::BTreeMap;

use super::BindError;
use crate::template::params::MAX_TYPES;

/// Most numbers of a recording: with two words each, a walk of 16 MiB.
pub const MAX_NUMBERS: usize = 1 << 20;

/// Type numbers in the order in which a program met them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    types: Vec<u32>,
    /// Where each type comes first: its line, from 1.
    first: BTreeMap<u32, usize>,
}

impl Recording {
    /// Reads numbers from 0, apart by blanks, line breaks or commas; `#` begins a comment.
    ///
    /// # Errors
    /// One sentence, with the line where there is one.
    pub fn parse(text: &str) -> Result<Recording, BindError> {
        let mut types = Vec::new();
        let mut first = BTreeMap::new();
        for (line, content) in (1..).zip(text.lines()) {
            let numbers = content.split('#').next().unwrap_or_default();
            let words = numbers.split(|c: char| c.is_whitespace() || c == ',');
            for word in words.filter(|word| !word.is_empty()) {
                let number = parse_number(word).ok_or_else(|| not_a_number(line, word))?;
                if types.len() == MAX_NUMBERS {
                    return Err(BindError {
                        message: format!(
                            "line {line}: a recording has at most {MAX_NUMBERS} type numbers"
                        ),
                        help: Some("record a shorter stretch, or keep a part of it".into()),
                    });
                }
                types.push(number);
                first.entry(number).or_insert(line);
            }
        }
        if types.is_empty() {
            return Err(BindError {
                message: "there is no type number in it".into(),
                help: Some("write one for each call, from 0: `0 0 1 0 2`".into()),
            });
        }
        Ok(Recording { types, first })
    }

    /// The recording of these numbers, as if one stood on a line.
    pub fn of(types: Vec<u32>) -> Recording {
        let mut first = BTreeMap::new();
        for (line, &number) in (1..).zip(&types) {
            first.entry(number).or_insert(line);
        }
        Recording { types, first }
    }

    /// The numbers.
    pub fn types(&self) -> &[u32] {
        &self.types
    }

    /// How many types it takes for every number to be one.
    pub fn needed(&self) -> u32 {
        self.first
            .keys()
            .next_back()
            .map_or(0, |largest| largest + 1)
    }

    /// The first line with a number that `is_known` does not know, and the number.
    pub fn first_unknown(&self, is_known: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let unknown = self.first.iter().filter(|(number, _)| !is_known(**number));
        unknown.map(|(number, line)| (*line, *number)).min()
    }

    /// What a reader must know of it: its length, and how often its most frequent type comes.
    pub fn describe(&self) -> String {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for &number in &self.types {
            *counts.entry(number).or_default() += 1;
        }
        // Of equally frequent types, the first.
        let most = counts
            .iter()
            .max_by_key(|(number, count)| (**count, std::cmp::Reverse(**number)));
        let (number, count) = most.map_or((0, 0), |(number, count)| (*number, *count));
        let length = self.types.len();
        let share = count as f64 / length.max(1) as f64 * 100.0;
        let types = counts.len();
        let plural = if types == 1 { "" } else { "s" };
        let learnt = match self.is_learnt() {
            true => {
                "; it starts over so soon that predictors learn it, which a program's own order they may not: record \
                 100000 visits or more"
            }
            false => "",
        };
        format!(
            "a recording of {length} visits to {types} type{plural}, {share:.1} % of them to type {number}{learnt}"
        )
    }

    /// Whether it is so short that predictors learn what could not be guessed when it was recorded: a site with 2.6 bits
    /// of entropy took 0.24 times the cycles of another way in the order of 3,000 visits, and 1.20 times in that of
    /// 100,000 (Zen 4).
    pub fn is_learnt(&self) -> bool {
        const ENOUGH: usize = 100_000;
        /// Share of visits that do not go where those behind the same type usually go.
        const HARD: f64 = 0.02;
        if self.types.len() >= ENOUGH {
            return false;
        }
        let mut behind: BTreeMap<u32, BTreeMap<u32, usize>> = BTreeMap::new();
        for pair in self.types.windows(2) {
            let next = behind.entry(pair[0]).or_default();
            *next.entry(pair[1]).or_default() += 1;
        }
        let usual: usize = behind.values().filter_map(|next| next.values().max()).sum();
        let pairs = self.types.len().saturating_sub(1);
        (pairs - usual) as f64 > HARD * pairs as f64
    }
}

fn parse_number(word: &str) -> Option<u32> {
    let is_digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = word.parse().ok().filter(|_| is_digits)?;
    (i64::from(number) < MAX_TYPES).then_some(number)
}

fn not_a_number(line: usize, word: &str) -> BindError {
    const SHOWN: usize = 24;
    let shown: String = word.chars().take(SHOWN).collect();
    BindError {
        message: format!(
            "line {line}: `{}` is no type number, which is a whole number from 0 to {}",
            shown.escape_default(),
            MAX_TYPES - 1
        ),
        help: Some(
            "numbers stand apart by blanks, commas or line breaks; `#` begins a comment".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_order_whatever_stands_between_them() {
        let text = "# from main.trace\n0 1,2\r\n\n3, 4 # 9\n\t0,,5\n";
        let recording = Recording::parse(text).expect("numbers");
        assert_eq!(recording.types(), [0, 1, 2, 3, 4, 0, 5]);
        assert_eq!(recording.needed(), 6);
        assert_eq!(recording.first_unknown(|number| number < 3), Some((4, 3)));
        assert_eq!(recording.first_unknown(|number| number < 6), None);
    }

    #[test]
    fn a_recording_that_is_short_and_hard_to_guess_says_that_predictors_learn_it() {
        let of = |count: usize, number: fn(usize) -> u32| Recording {
            types: (0..count).map(number).collect(),
            first: BTreeMap::new(),
        };
        let scattered = |at: usize| (at * at / 7 % 5) as u32;
        let in_turn = |at: usize| (at % 5) as u32;
        assert!(of(99_999, scattered).is_learnt());
        assert!(!of(100_000, scattered).is_learnt());
        // Nobody needs to learn what the one before tells.
        assert!(!of(3000, in_turn).is_learnt());
        assert!(!of(1, in_turn).is_learnt());
        // One visit in 100 goes elsewhere, or three do.
        assert!(!of(3000, |at| u32::from(at % 100 == 99)).is_learnt());
        assert!(of(3000, |at| u32::from(at % 33 == 32)).is_learnt());
        assert!(
            of(3000, scattered)
                .describe()
                .contains("predictors learn it")
        );
        assert!(!of(3000, in_turn).describe().contains("predictors"));
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        let long = "1 ".repeat(MAX_NUMBERS) + "\n1";
        #[rustfmt::skip] // a table: text, and words of the refusal
        let refused = [
            ("",               "no type number"), ("# 1 2\n", "no type number"),
            ("0\n1\nx\n",      "line 3: `x`"),    ("-1",      "line 1: `-1`"),
            ("0 1.5",          "line 1: `1.5`"),  ("+1",      "line 1: `+1`"),
            ("131072",         "line 1: `131072`"), ("99999999999", "line 1"),
            (long.as_str(),    "line 2: a recording has at most 1048576"),
        ];
        for (text, words) in refused {
            let error = Recording::parse(text).expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        }
        let longest = "1 ".repeat(MAX_NUMBERS);
        assert_eq!(
            Recording::parse(&longest)
                .expect("as long as may be")
                .types()
                .len(),
            MAX_NUMBERS
        );
    }

    #[test]
    fn a_description_has_length_and_the_share_of_the_most_frequent_type() {
        let recording = Recording::of(vec![2, 2, 0, 1]);
        let said = recording.describe();
        assert!(
            said.starts_with("a recording of 4 visits to 3 types, 50.0 % of them to type 2"),
            "{said}"
        );
        assert_eq!(recording.first_unknown(|number| number > 1), Some((3, 0)));
    }
}
