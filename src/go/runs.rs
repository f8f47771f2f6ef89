//! Long lists of numbers, written by their rule: a million objects of one type are one run, so are results that
//! follow each other, and objects of eight types in turn are one item too.
//!
//! Correct means: what is written reads back as it was, a plain list reads as itself, no document
//! makes a list longer than any row has, and how long a list is can be told without making it.

use serde::de::Error as _;
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::go::MAX_OBJECTS;

/// Numbers of a list at the most: an object each.
const MOST: usize = MAX_OBJECTS as usize;
/// Numbers that are worth a run.
const SHORTEST: usize = 4;

/// Longest period that is looked for.
const LONGEST: usize = 4096;
/// Periods that a list has to go through to be written by its rule.
const PERIODS: usize = 4;

/// One number, or several with one distance, or several in turn.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Item {
    One(u64),
    /// The first, the distance modulo 2^64, and how many.
    Run(u64, u64, usize),
    /// A period, what its numbers grow by from one period to the next, modulo 2^64, and how many numbers there are.
    Turns(Vec<u64>, u64, usize),
}

impl Item {
    /// How many numbers it stands for; `None` of a period without any.
    fn count(&self) -> Option<usize> {
        match self {
            Item::One(_) => Some(1),
            Item::Run(.., count) => Some(*count),
            Item::Turns(period, _, count) => (!period.is_empty()).then_some(*count),
        }
    }

    /// Its numbers; of one that has a count.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        let count = self.count().unwrap_or(0);
        let (period, growth) = match self {
            Item::One(number) => (std::slice::from_ref(number), 0),
            Item::Run(first, distance, _) => (std::slice::from_ref(first), *distance),
            Item::Turns(period, growth, _) => (&period[..], *growth),
        };
        (0..count).map(move |at| {
            let turn = (at / period.len()) as u64;
            period[at % period.len()].wrapping_add(growth.wrapping_mul(turn))
        })
    }
}

/// The run that a list begins with.
fn first_run<N: Copy + Into<u64>>(numbers: &[N]) -> Item {
    let first: u64 = numbers[0].into();
    let Some(&second) = numbers.get(1) else {
        return Item::One(first);
    };
    let distance = second.into().wrapping_sub(first);
    let goes_on = |pair: &&[N]| pair[1].into().wrapping_sub(pair[0].into()) == distance;
    let count = 1 + numbers.windows(2).take_while(goes_on).count();
    // Where a run ends a period may, and the next number is the first one of the next.
    if let Some(turns) = turns(numbers, count) {
        return turns;
    }
    if count < SHORTEST {
        return Item::One(first);
    }
    Item::Run(first, distance, count)
}

/// The numbers as a period and its growth, where the list goes through it a few times.
fn turns<N: Copy + Into<u64>>(numbers: &[N], period: usize) -> Option<Item> {
    let growth = |at: usize| -> Option<u64> {
        let [first, later] = [at, at + period].map(|at| numbers.get(at).copied());
        Some(later?.into().wrapping_sub(first?.into()))
    };
    let own = growth(0).filter(|_| (2..=LONGEST).contains(&period))?;
    let count = period + (0..).take_while(|at| growth(*at) == Some(own)).count();
    let is_worth_it = count >= period * PERIODS;
    is_worth_it.then(|| {
        let period = numbers[..period].iter().map(|number| (*number).into());
        Item::Turns(period.collect(), own, count)
    })
}

/// Writes a list.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer, N: Copy + Into<u64>>(
    numbers: &[N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut items = serializer.serialize_seq(None)?;
    let mut rest = numbers;
    while !rest.is_empty() {
        let item = first_run(rest);
        items.serialize_element(&item)?;
        rest = match item {
            Item::One(_) => &rest[1..],
            Item::Run(_, _, count) | Item::Turns(_, _, count) => &rest[count..],
        };
    }
    items.end()
}

/// Reads a list.
///
/// # Errors
/// What is no list of numbers and runs, is longer than any row's, or has a number that is too large.
pub fn deserialize<'de, D: Deserializer<'de>, N: TryFrom<u64>>(
    deserializer: D,
) -> Result<Vec<N>, D::Error> {
    let items = Vec::<Item>::deserialize(deserializer)?;
    let mut numbers = Vec::new();
    for item in items {
        let count = item.count();
        let count = count.ok_or_else(|| D::Error::custom("a period without numbers"))?;
        if count > MOST - numbers.len() {
            return Err(D::Error::custom(format!("more than {MOST} numbers")));
        }
        numbers.reserve(count);
        for number in item.numbers() {
            let number = N::try_from(number)
                .map_err(|_| D::Error::custom(format!("{number} is too large")))?;
            numbers.push(number);
        }
    }
    // Of millions of objects the room that is left over would be as much again.
    numbers.shrink_to_fit();
    Ok(numbers)
}

/// How many numbers a list has, without them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Length(pub u64);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
        let items = Vec::<Item>::deserialize(deserializer)?;
        let counts = items.iter().filter_map(Item::count);
        let all = counts.fold(0u64, |all, count| all.saturating_add(count as u64));
        Ok(Length(all))
    }
}

/// The same where there may be no list.
pub mod optional {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Read(#[serde(with = "super")] Vec<u64>);

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Written<'a>(#[serde(serialize_with = "super::serialize")] &'a [u64]);

    /// Writes a list, or null.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        numbers: &Option<Vec<u64>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        numbers.as_deref().map(Written).serialize(serializer)
    }

    /// Reads a list, or null.
    ///
    /// # Errors
    /// As [`super::deserialize`].
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u64>>, D::Error> {
        Ok(Option::<Read>::deserialize(deserializer)?.map(|read| read.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Both {
        #[serde(with = "super")]
        types: Vec<u32>,
        #[serde(with = "super::optional")]
        results: Option<Vec<u64>>,
    }

    fn read(text: &str) -> Result<Vec<u32>, String> {
        let text = format!(r#"{{"types":{text},"results":null}}"#);
        let both: Both = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(both.types)
    }

    #[test]
    fn lists_of_any_shape_read_back_as_they_were() {
        let falling = (0..9u64).map(|at| 3u64.wrapping_sub(at)).collect();
        for results in [None, Some(vec![]), Some(vec![7]), Some(falling)] {
            for types in [
                vec![],
                vec![5],
                vec![0; 100],
                vec![0, 1, 2, 0, 1, 2],
                (0..99).map(|at| at % 2).collect(),
                (0..9999).map(|at| at % 8 + at / 5000).collect(),
                (0..9999).map(|at| (at % 3 + at / 7) % 5).collect(),
                (0..50).collect(),
            ] {
                let both = Both {
                    types,
                    results: results.clone(),
                };
                let text = serde_json::to_string(&both).expect("writes");
                assert_eq!(serde_json::from_str::<Both>(&text).expect(&text), both);
            }
        }
    }

    #[test]
    fn a_million_numbers_in_a_row_are_one_run() {
        let both = Both {
            types: vec![0; 1_000_000],
            results: Some((1..=1_000_000).collect()),
        };
        let text = serde_json::to_string(&both).expect("writes");
        assert_eq!(
            text,
            r#"{"types":[[0,0,1000000]],"results":[[1,1,1000000]]}"#
        );
    }

    #[test]
    fn types_in_turn_are_one_item_from_four_turns_on() {
        // One number short of four turns, four turns, and a million; the results grow with each turn.
        for (count, items) in [(31u32, 4), (32, 1), (1_000_000, 1)] {
            let both = Both {
                types: (0..count).map(|at| at % 8).collect(),
                results: Some(
                    (0..count)
                        .map(|at| u64::from(at + 1 + at % 8 + 1))
                        .collect(),
                ),
            };
            let text = serde_json::to_string(&both).expect("writes");
            let written: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            for list in ["types", "results"] {
                let own = written[list].as_array().expect("items");
                assert_eq!(own.len(), items, "{list} of {count}: {text}");
                let length: Length = serde_json::from_value(written[list].clone()).expect("items");
                assert_eq!(length, Length(count.into()));
            }
            assert_eq!(serde_json::from_str::<Both>(&text).expect(&text), both);
        }
    }

    #[test]
    fn what_is_no_list_of_small_numbers_is_refused() {
        assert_eq!(read("[1,[4,2,3],9]"), Ok(vec![1, 4, 6, 8, 9]));
        assert_eq!(read("[[[4,7],10,5]]"), Ok(vec![4, 7, 14, 17, 24]));
        for text in [
            "[4294967296]",
            "[[0,1,99999999999]]",
            "[[1,2]]",
            "[-1]",
            "3",
            "[[0,0,67108864],1]",
            "[[[0,1],0,67108865]]",
            "[[[],0,4]]",
            "[[[0,4294967295],1,4]]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
