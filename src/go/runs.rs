//! Long lists of numbers, written as runs: a million objects of one type are one run, and so are results
//! that follow each other.
//!
//! Correct means: what is written reads back as it was, a plain list reads as itself, and no document
//! makes a list longer than any row has.

use serde::de::Error as _;
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::go::MAX_OBJECTS;

/// Numbers of a list at the most: an object each.
const MOST: usize = MAX_OBJECTS as usize;
/// Numbers that are worth a run.
const SHORTEST: usize = 4;

/// One number, or several with one distance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Item {
    One(u64),
    /// The first, the distance modulo 2^64, and how many.
    Run(u64, u64, usize),
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
    if count < SHORTEST {
        return Item::One(first);
    }
    Item::Run(first, distance, count)
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
            Item::Run(_, _, count) => &rest[count..],
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
        let (first, distance, count) = match item {
            Item::One(number) => (number, 0, 1),
            Item::Run(first, distance, count) => (first, distance, count),
        };
        if count > MOST - numbers.len() {
            return Err(D::Error::custom(format!("more than {MOST} numbers")));
        }
        numbers.reserve(count);
        for at in 0..count as u64 {
            let number = first.wrapping_add(distance.wrapping_mul(at));
            let number = N::try_from(number)
                .map_err(|_| D::Error::custom(format!("{number} is too large")))?;
            numbers.push(number);
        }
    }
    // Of millions of objects the room that is left over would be as much again.
    numbers.shrink_to_fit();
    Ok(numbers)
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
    fn what_is_no_list_of_small_numbers_is_refused() {
        assert_eq!(read("[1,[4,2,3],9]"), Ok(vec![1, 4, 6, 8, 9]));
        for text in [
            "[4294967296]",
            "[[0,1,99999999999]]",
            "[[1,2]]",
            "[-1]",
            "3",
            "[[0,0,67108864],1]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
