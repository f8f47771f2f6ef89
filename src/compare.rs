//! One row held against another: numbers beside numbers, code beside code.
//!
//! Correct means: rows that took turns are compared turn by turn and all others by their intervals,
//! which is said; numbers of different bases are not compared; and the code shown is what ran.

use similar::{Algorithm, ChangeTag, capture_diff_slices};

use crate::asm;
use crate::link::Owner;
use crate::pipeline::Prepared;
use crate::report::{Basis, ChangedLine, CodeChange, Comparison, Metric, Metrics, Row};
use crate::stats::paired::{self, Quantity, Verdict};
use crate::stats::{Event, Timing};

/// What two runs of the same code, one after the other, may differ by.
const UNPAIRED_RESOLUTION: f64 = 0.01;

/// Why there is no interval of rows that took turns.
const FEW_TURNS: &str =
    "too few undisturbed turns were left for an interval; run it again, or with a longer --time";

/// A row to compare, with the samples that were taken in turns with the other's.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The row.
    pub row: &'a Row,
    /// Its samples; `None` where it was measured at another time.
    pub timing: Option<&'a Timing>,
}

/// The metrics, with how each is found in a row and in its samples.
type Compared = (&'static str, fn(&Metrics) -> &Metric, Quantity);
const METRICS: [Compared; 5] = [
    ("cycles", |metrics| &metrics.cycles, Quantity::Cycles),
    ("ns", |metrics| &metrics.ns, Quantity::Ns),
    (
        "instructions",
        |metrics| &metrics.instructions,
        Quantity::Event(Event::Instructions),
    ),
    (
        "branches",
        |metrics| &metrics.branches,
        Quantity::Event(Event::Branches),
    ),
    (
        "branch_misses",
        |metrics| &metrics.branch_misses,
        Quantity::Event(Event::BranchMisses),
    ),
];

/// Every metric of `other` against the same one of `base`; nothing where one has no numbers.
///
/// `error` is the share of intervals that may miss the truth.
pub fn compare(base: Side<'_>, other: Side<'_>, error: f64) -> Vec<Comparison> {
    let (Some(base_metrics), Some(other_metrics)) = (&base.row.metrics, &other.row.metrics) else {
        return Vec::new();
    };
    let one = |(name, of, quantity): &Compared| {
        let pair = Pair {
            base: (base, of(base_metrics)),
            other: (other, of(other_metrics)),
            quantity: *quantity,
            error,
        };
        pair.compare(name)
    };
    METRICS
        .iter()
        .map(one)
        .chain(cold(base, other, error))
        .collect()
}

/// The cold calls of both rows, where both have them. They do not take turns.
fn cold<'a>(base: Side<'a>, other: Side<'a>, error: f64) -> Option<Comparison> {
    let by_itself = |side: Side<'a>| Side {
        timing: None,
        ..side
    };
    let pair = Pair {
        base: (by_itself(base), &base.row.cold.as_ref()?.cycles),
        other: (by_itself(other), &other.row.cold.as_ref()?.cycles),
        // What the place of the code changes is known of hot loops only.
        quantity: Quantity::Event(Event::Cycles),
        error,
    };
    Some(pair.compare("cold_cycles"))
}

/// One metric of two rows.
struct Pair<'a> {
    base: (Side<'a>, &'a Metric),
    other: (Side<'a>, &'a Metric),
    quantity: Quantity,
    error: f64,
}

impl Pair<'_> {
    /// The comparison, and what its ratio rests on that is not Go's.
    fn compare(&self, metric: &'static str) -> Comparison {
        let mut compared = self.compare_numbers(metric);
        let is_time = !matches!(self.quantity, Quantity::Event(_));
        if !is_time || compared.ratio.is_none() {
            return compared;
        }
        for side in [self.base.0.row, self.other.0.row] {
            if let Some(remark) = side.modelled_remark() {
                let own = format!("in {}, {remark}", side.scenario);
                let before = compared.why.take().map_or(String::new(), |why| why + "; ");
                compared.why = Some(before + &own);
            }
        }
        compared
    }

    fn compare_numbers(&self, metric: &'static str) -> Comparison {
        let (base, other) = (self.base.1, self.other.1);
        let empty = Comparison {
            base: self.base.0.row.scenario.clone(),
            other: self.other.0.row.scenario.clone(),
            metric,
            ratio: None,
            low: None,
            high: None,
            p: None,
            verdict: None,
            basis: base.basis,
            pairs: None,
            values: base.value.zip(other.value),
            why: None,
        };
        let Some(values) = empty.values else {
            let missing = if base.value.is_none() { base } else { other };
            return Comparison {
                basis: Basis::Unsupported,
                why: missing.why.clone(),
                ..empty
            };
        };
        if base.basis != other.basis {
            let why = format!(
                "the base's number is {} and the other one's {}",
                base.basis.name(),
                other.basis.name()
            );
            return Comparison {
                basis: Basis::Unsupported,
                why: Some(why),
                ..empty
            };
        }
        if base.basis == Basis::Exact {
            return exact(empty, values, base.stepped.or(other.stepped));
        }
        if let (None, Some(_), Some(_)) = (self.in_turns(), self.base.0.timing, self.other.0.timing)
        {
            return Comparison {
                verdict: Some(Verdict::Undecided),
                why: Some(FEW_TURNS.into()),
                ..empty
            };
        }
        match self.in_turns() {
            Some(ratio) if ratio.high.is_infinite() => Comparison {
                ratio: Some(ratio.ratio),
                p: Some(ratio.p),
                verdict: Some(Verdict::Undecided),
                pairs: Some(ratio.pairs),
                why: Some(FEW_TURNS.into()),
                ..empty
            },
            Some(ratio) => Comparison {
                ratio: Some(ratio.ratio),
                low: Some(ratio.low),
                high: Some(ratio.high),
                p: Some(ratio.p),
                verdict: Some(paired::verdict(&ratio, self.error, self.ranges(values))),
                pairs: Some(ratio.pairs),
                ..empty
            },
            None => self.apart(empty, values),
        }
    }

    /// From neighbouring turns, where the rows took turns.
    fn in_turns(&self) -> Option<paired::Ratio> {
        let (base, other) = (self.base.0.timing?, self.other.0.timing?);
        let known = |metric: &Metric| metric.subtracted.unwrap_or(0.0);
        let known = (known(self.base.1), known(self.other.1));
        paired::ratio(base, other, self.quantity, known, self.error)
    }

    /// From two intervals.
    fn apart(&self, empty: Comparison, values: (f64, f64)) -> Comparison {
        const WHY: &str = "measured one after the other, so what changed on the machine meanwhile \
                           is part of it";
        let (base, other) = (self.base.1, self.other.1);
        let over = |above: Option<f64>, below: Option<f64>| {
            above.zip(below).map(|(above, below)| above / below)
        };
        let ratio = values.1 / values.0;
        let (low, high) = (over(other.low, base.high), over(other.high, base.low));
        let is_told_apart = low.is_some_and(|low| low > 1.0) || high.is_some_and(|high| high < 1.0);
        let differs = (ratio - 1.0).abs() > UNPAIRED_RESOLUTION;
        let verdict = match self.ranges(values) {
            _ if low.is_none() || high.is_none() => Verdict::Undecided,
            Some(ranges) if is_told_apart && differs => paired::placed(ratio, ranges),
            _ => Verdict::Same,
        };
        Comparison {
            ratio: Some(ratio).filter(|ratio| ratio.is_finite()),
            low: low.filter(|low| low.is_finite()),
            high: high.filter(|high| high.is_finite()),
            verdict: Some(verdict),
            why: Some(WHY.into()),
            ..empty
        }
    }

    /// What the place of the code changes: known of times only, and counts are taken as they are.
    fn ranges(&self, values: (f64, f64)) -> Option<[(f64, f64); 2]> {
        let of = |row: &Row| {
            row.layout
                .map(|layout| (layout.cycles_min, layout.cycles_max))
        };
        match self.quantity {
            Quantity::Cycles | Quantity::Ns => Some([of(self.base.0.row)?, of(self.other.0.row)?]),
            Quantity::Event(_) => Some([(values.0, values.0), (values.1, values.1)]),
        }
    }
}

/// Of numbers without noise.
fn exact(empty: Comparison, (base, other): (f64, f64), stepped: Option<u64>) -> Comparison {
    let ratio = (base != 0.0).then(|| other / base);
    let verdict = match other.total_cmp(&base) {
        std::cmp::Ordering::Less => Verdict::Faster,
        std::cmp::Ordering::Equal => Verdict::Same,
        std::cmp::Ordering::Greater => Verdict::Slower,
    };
    let prefix = |stepped| {
        format!("counted over the first {stepped} iterations of a walk, not over all of it")
    };
    let none = || "the base has none".to_string();
    Comparison {
        ratio,
        low: ratio,
        high: ratio,
        verdict: Some(verdict),
        why: stepped.map(prefix).or_else(|| ratio.is_none().then(none)),
        ..empty
    }
}

/// What differs between the code of two rows, section by section.
pub fn changes(base: (&Row, &Prepared), other: (&Row, &Prepared)) -> CodeChange {
    let listings = [listing(base.1), listing(other.1)];
    let texts = |listing: &Listing| listing.lines.clone();
    let (old, new) = (texts(&listings[0]), texts(&listings[1]));
    let operations = capture_diff_slices(Algorithm::Patience, &old, &new);
    let lines = operations
        .iter()
        .flat_map(|operation| operation.iter_changes(&old, &new));
    let lines = lines.map(|change| ChangedLine {
        side: match change.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        },
        text: change.value(),
    });
    CodeChange {
        base: base.0.scenario.clone(),
        other: other.0.scenario.clone(),
        bytes: [listings[0].bytes, listings[1].bytes],
        instructions: [listings[0].instructions, listings[1].instructions],
        lines: lines.collect(),
    }
}

/// The template's own code as lines: a section's name with a colon, its instructions below it.
struct Listing {
    bytes: u64,
    instructions: u64,
    lines: Vec<String>,
}

fn listing(prepared: &Prepared) -> Listing {
    let image = &prepared.image;
    let mut listing = Listing {
        bytes: 0,
        instructions: 0,
        lines: Vec::new(),
    };
    for piece in &image.pieces {
        let Owner::Section(section) = piece.owner else {
            continue;
        };
        let addresses = piece.addresses.clone();
        let code = (addresses.start - image.site.code) as usize
            ..(addresses.end - image.site.code) as usize;
        let listed = asm::disassemble(&image.code[code], addresses.start, &|address| {
            image.name(address)
        });
        let name = &prepared.row.program.sections[section].name;
        listing.lines.push(format!("{name}:"));
        listing.bytes += addresses.end - addresses.start;
        listing.instructions += listed.len() as u64;
        listing.lines.extend(listed.into_iter().map(|one| one.text));
    }
    listing
}
