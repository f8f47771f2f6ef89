//! The numbers of a row, each with its interval, basis and source, or the reason why there is none.
//!
//! Correct means: there is one for each [`Quantity`], what is written of a number with noise are the digits that
//! mean something, and exact ones keep all of theirs: a count that is wrong once in a walk must show.

use std::ops::{Index, IndexMut};

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::stats::Quantity;
use crate::stats::quantity::{noisy, significant};

/// How a number was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Read from a clock or counter while the code ran; has noise.
    Measured,
    /// Counted; has none.
    Exact,
    /// Derived from measurements by a stated rule.
    Inferred,
    /// Computed by a model of the hardware.
    Modelled,
    /// Not to be had here.
    Unsupported,
}

impl Basis {
    /// The word for it, in JSON and in text.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::Exact => "exact",
            Basis::Inferred => "inferred",
            Basis::Modelled => "modelled",
            Basis::Unsupported => "unsupported",
        }
    }
}

/// One number with its interval, basis and source, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Metric {
    /// Per iteration; `None` if and only if the basis is `Unsupported`.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// How it was obtained.
    pub basis: Basis,
    /// `pmu`, `clock`, `step`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Iterations that were stepped, where the count is that of a prefix of the walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stepped: Option<u64>,
    /// The harness's own, per iteration, which were counted too and are known exactly: the value is
    /// without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtracted: Option<f64>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Metric {
    /// No number, and why.
    pub fn none(why: impl Into<String>) -> Metric {
        Metric {
            value: None,
            low: None,
            high: None,
            basis: Basis::Unsupported,
            source: None,
            stepped: None,
            subtracted: None,
            why: Some(why.into()),
        }
    }

    /// A number without an interval.
    pub fn of(value: f64, basis: Basis, source: &str) -> Metric {
        Metric {
            value: Some(value),
            basis,
            source: Some(source.into()),
            why: None,
            ..Metric::none("")
        }
    }
}

// What is derived says how the fields are written, and this what of them is.
impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.basis == Basis::Exact {
            return Metric::serialize(self, serializer);
        }
        let [value, low, high] = [self.value, self.low, self.high].map(|end| end.map(significant));
        let why = self.why.clone();
        let source = self.source.clone();
        Metric::serialize(
            &Metric {
                value,
                low,
                high,
                why,
                source,
                ..*self
            },
            serializer,
        )
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metric, D::Error> {
        Metric::deserialize(deserializer)
    }
}

/// The numbers of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// In the order of [`Quantity::ALL`].
    numbers: Vec<Metric>,
    /// The branches that its misses are inferred from, each by itself; empty where they are not inferred.
    pub sites: Vec<SiteMisses>,
    /// What follows from the hardware's counts, and the events beside those of the quantities that were asked for.
    pub further: Vec<FurtherMetric>,
}

impl Metrics {
    /// The number of each quantity, as `of` gives it.
    pub fn of(of: impl FnMut(Quantity) -> Metric) -> Metrics {
        Metrics {
            numbers: Quantity::ALL.iter().copied().map(of).collect(),
            sites: Vec::new(),
            further: Vec::new(),
        }
    }

    /// All numbers behind their names and units.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &Metric)> {
        let known = Quantity::ALL.iter().map(|quantity| quantity.known());
        let known = known.zip(&self.numbers);
        let known = known.map(|(known, metric)| (known.name, known.unit, metric));
        let further = self.further.iter();
        known.chain(further.map(|one| (&one.name[..], &one.unit[..], &one.metric)))
    }
}

impl Metric {
    /// The texts in it.
    fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.why.iter_mut().chain(&mut self.source)
    }
}

impl Metrics {
    /// The texts in it, which those of a report that is read back have from elsewhere.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let numbers = self.numbers.iter_mut().flat_map(Metric::texts_mut);
        let sites = self.sites.iter_mut();
        let sites = sites.flat_map(|site| site.why.iter_mut().chain([&mut site.label]));
        let further = self.further.iter_mut().flat_map(|one| {
            let names = [&mut one.name, &mut one.unit];
            names.into_iter().chain(one.metric.texts_mut())
        });
        numbers.chain(sites).chain(further)
    }
}

impl Index<Quantity> for Metrics {
    type Output = Metric;
    fn index(&self, quantity: Quantity) -> &Metric {
        &self.numbers[quantity as usize]
    }
}

impl IndexMut<Quantity> for Metrics {
    fn index_mut(&mut self, quantity: Quantity) -> &mut Metric {
        &mut self.numbers[quantity as usize]
    }
}

/// A number as it stands in a document, with what belongs to it alone.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    metric: Metric,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sites: Vec<SiteMisses>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (at, (name, unit, metric)) in self.all().enumerate() {
            let is_known = at < self.numbers.len();
            let has_sites = is_known && Quantity::ALL[at] == Quantity::BranchMisses;
            let written = Written {
                metric: metric.clone(),
                sites: self.sites.iter().filter(|_| has_sites).cloned().collect(),
                unit: (!is_known).then(|| unit.to_string()),
            };
            map.serialize_entry(name, &written)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metrics, D::Error> {
        let why = "the version that wrote this report did not count it; measure it again";
        let mut metrics = Metrics::of(|_| Metric::none(why));
        for (name, value) in Map::<String, Value>::deserialize(deserializer)? {
            let written: Written = serde_json::from_value(value).map_err(D::Error::custom)?;
            metrics.sites.extend(written.sites);
            match Quantity::named(&name) {
                Some(quantity) => metrics[quantity] = written.metric,
                None => metrics.further.push(FurtherMetric {
                    name,
                    unit: written.unit.unwrap_or_default(),
                    metric: written.metric,
                }),
            }
        }
        Ok(metrics)
    }
}

/// The number of an event beside those of the quantities.
#[derive(Debug, Clone, PartialEq)]
pub struct FurtherMetric {
    /// As perf names it, or what follows from counts.
    pub name: String,
    /// `count`, `cycles` or `ns`.
    pub unit: String,
    /// The number, of one iteration of the whole loop.
    pub metric: Metric,
}

/// The misses of one branch that a template studies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteMisses {
    /// Its label.
    pub label: String,
    /// Its line in the template, or in the text that it includes.
    pub line: u32,
    /// That text's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How often an iteration runs it; `None` where that is not known.
    pub executions: Option<f64>,
    /// Iterations that this is the mean of, where they are not the whole walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traced: Option<u64>,
    /// Misses per iteration; `None` where there is no number.
    #[serde(serialize_with = "noisy")]
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(serialize_with = "noisy")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(serialize_with = "noisy")]
    pub high: Option<f64>,
    /// Comparisons that it stands for: with several, the number is of iterations with at least one miss.
    pub comparisons: u32,
    /// Whether it was noise that took the number, so that another run may have one.
    #[serde(default, rename = "lost", skip_serializing_if = "std::ops::Not::not")]
    pub is_lost: bool,
    /// Why there is no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
