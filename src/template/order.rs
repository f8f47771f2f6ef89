//! The order in which a loop visits receivers, and how it is written.
//!
//! Correct means: what an order prints is what reads back as it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Elements of a walk that draws at random. Shorter random sequences are memorised by the branch
/// predictors of current cores (Zen 4 learns 16,384 elements of a random 8-way switch), and then
/// measure memory, not prediction.
pub const RANDOM_ELEMENTS: u64 = 262_144;

/// The order in which receivers are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Object 0 always.
    Same,
    /// Element i visits object i·stride mod objects.
    Cyclic,
    /// Element i visits object i·objects/elements.
    Sorted,
    /// Uniform from the seed.
    Random,
    /// A new uniform object every N elements.
    Runs(u32),
    /// The first type gets this share of the visits, the others the rest evenly; from the seed.
    Hot(Percent),
    /// Element i visits an object of the i-th type of a recorded sequence.
    Recorded,
}

/// An order with its stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    /// The order.
    pub order: Order,
    /// Objects between two neighbours of a cyclic walk.
    pub stride: u32,
}

/// A share from 0 to 100 percent, exact to four decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
pub struct Percent(u32);

impl Percent {
    /// Everything.
    pub const ALL: Percent = Percent(1_000_000);
    /// Steps of the whole.
    pub const STEPS: u64 = 1_000_000;

    /// The share in [`Percent::STEPS`].
    pub fn steps(self) -> u64 {
        u64::from(self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:04}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`hot:P` has P percent, 0 to 100 with at most four decimals, not `{text}`: hot:90"
            )
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || whole.len() > 3 || decimals.len() > 4 {
            return Err(wrong());
        }
        let part = |digits: &str| digits.parse::<u32>().map_err(|_| wrong());
        let steps = part(whole)? * 10_000 + part(&format!("{decimals:0<4}"))?;
        match steps {
            // Nobody means less than one percent; some mean the share as a fraction.
            1..10_000 => {
                let meant = Percent(steps * 100);
                Err(format!(
                    "`hot:{text}` is {text} percent; P is in percent, 0 or 1 to 100: hot:{meant}"
                ))
            }
            0..=1_000_000 => Ok(Percent(steps)),
            _ => Err(wrong()),
        }
    }
}

impl Order {
    /// One of each kind.
    pub const ALL: [Order; 7] = [
        Order::Same,
        Order::Cyclic,
        Order::Random,
        Order::Sorted,
        Order::Runs(1),
        Order::Hot(Percent::ALL),
        Order::Recorded,
    ];

    /// How it is written.
    pub fn form(self) -> &'static str {
        match self {
            Order::Same => "same",
            Order::Cyclic => "cyclic",
            Order::Sorted => "sorted",
            Order::Random => "random",
            Order::Runs(_) => "runs:N",
            Order::Hot(_) => "hot:P",
            // Which file it was stands among the scenario's parameters.
            Order::Recorded => "@FILE",
        }
    }

    /// How all of them are, for who wrote none.
    pub(super) fn forms() -> String {
        let [first @ .., last] = Order::ALL.map(Order::form);
        format!("{} or {last}, with N from 1", first.join(", "))
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Runs(length) => write!(f, "runs:{length}"),
            Order::Hot(share) => write!(f, "hot:{share}"),
            other => f.write_str(other.form()),
        }
    }
}

impl FromStr for Order {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let order = match text.split_once(':') {
            Some(("hot", share)) => return share.parse().map(Order::Hot),
            Some(("runs", length)) => length.parse().ok().map(Order::Runs),
            _ if text == "@" => {
                return Err("`order=@FILE` names a file of type numbers after the `@`".into());
            }
            _ if text.starts_with('@') => return Ok(Order::Recorded),
            _ => Order::ALL
                .into_iter()
                .find(|order| order.to_string() == text),
        };
        // Comparing the spelling keeps `runs:07` out, which would name another scenario.
        order
            .filter(|order| *order != Order::Runs(0) && order.to_string() == text)
            .ok_or_else(|| format!("`order` is {}, not `{text}`", Order::forms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_one_spelling_and_reads_back_as_itself() {
        #[rustfmt::skip] // what is written, and how it is spelled
        let spellings = [
            ("hot:90", "hot:90"), ("hot:90.0", "hot:90"), ("hot:99.5", "hot:99.5"),
            ("hot:99.9990", "hot:99.999"), ("hot:0", "hot:0"), ("hot:100", "hot:100"),
            ("hot:1.05", "hot:1.05"), ("hot:007", "hot:7"), ("hot:33.3333", "hot:33.3333"),
        ];
        for (written, spelled) in spellings {
            let order: Order = written.parse().expect(written);
            assert_eq!(order.to_string(), spelled);
            assert_eq!(spelled.parse(), Ok(order));
        }
    }

    #[test]
    fn a_share_that_is_none_is_refused_with_the_way_to_write_it() {
        for text in [
            "hot:",
            "hot:-1",
            "hot:100.1",
            "hot:x",
            "hot:1e1",
            "hot:+9",
            "hot:9.",
            "hot:1.23456",
            "hot:4294967296",
        ] {
            let refused = text.parse::<Order>().expect_err(text);
            assert!(refused.contains("percent"), "{text}: {refused}");
        }
        let refused = "hot:0.9".parse::<Order>().expect_err("a fraction");
        assert!(
            refused.contains("percent") && refused.ends_with("hot:90"),
            "{refused}"
        );
    }
}
