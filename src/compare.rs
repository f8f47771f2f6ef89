//! One row held against another: numbers beside numbers, code beside code.
//!
//! Correct means: rows that took turns are compared turn by turn and all others by their intervals,
//! which is said; numbers of different bases are not compared; and the code shown is what ran.

use similar::{Algorithm, ChangeTag, capture_diff_slices};

use crate::asm;
use crate::injection::Injection;
use crate::job::JobRow;
use crate::link::Owner;
use crate::prepare::Prepared;
use crate::report::{Basis, ChangedLine, CodeChange, Comparison, Metric, Row};
use crate::stats::paired::{self, Verdict};
use crate::stats::{Quantity, Timing};

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

/// Every metric of `other` against the same one of `base`; nothing where one has no numbers.
///
/// `error` is the share of intervals that may miss the truth.
pub fn compare(base: Side<'_>, other: Side<'_>, error: f64) -> Vec<Comparison> {
    let (Some(base_metrics), Some(other_metrics)) = (&base.row.metrics, &other.row.metrics) else {
        return Vec::new();
    };
    let one = |quantity: Quantity| {
        let pair = Pair {
            base: (base, &base_metrics[quantity]),
            other: (other, &other_metrics[quantity]),
            quantity: Some(quantity),
            error,
        };
        pair.compare(quantity.known().name)
    };
    Quantity::columns()
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
        quantity: None,
        error,
    };
    Some(pair.compare("cold_cycles"))
}

/// One metric of two rows.
struct Pair<'a> {
    base: (Side<'a>, &'a Metric),
    other: (Side<'a>, &'a Metric),
    /// `None` of what does not take turns.
    quantity: Option<Quantity>,
    error: f64,
}

impl Pair<'_> {
    /// The comparison, and what its ratio rests on that is not Go's.
    fn compare(&self, metric: &'static str) -> Comparison {
        let mut compared = self.compare_numbers(metric);
        if !self.is_time() || compared.ratio.is_none() {
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
            metric: metric.into(),
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
        if base.basis == Basis::Inferred {
            const WHY: &str = "inferred of each row by itself, so that their intervals decide";
            return self.by_intervals(empty, values, WHY);
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
        paired::ratio(base, other, self.quantity?, known, self.error)
    }

    /// From two intervals.
    fn apart(&self, empty: Comparison, values: (f64, f64)) -> Comparison {
        const WHY: &str = "measured one after the other, so what changed on the machine meanwhile \
                           is part of it";
        let (base, other) = (self.base.1, self.other.1);
        if base.low.is_some_and(|low| low <= 0.0) {
            // Nothing is a multiple of what may be none.
            return self.by_intervals(empty, values, WHY);
        }
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

    /// Of numbers that may be next to none: which is more, as far as their intervals tell, and by how many times where
    /// the base is clearly above none.
    fn by_intervals(&self, empty: Comparison, values: (f64, f64), why: &str) -> Comparison {
        /// Misses or other events an iteration; fewer are as good as none.
        const NONE: f64 = 0.05;
        let ends = |metric: &Metric| metric.low.zip(metric.high);
        let (base, other) = (ends(self.base.1), ends(self.other.1));
        let verdict = match base.zip(other) {
            None => Verdict::Undecided,
            Some((base, other)) if other.0 > base.1 => Verdict::Slower,
            Some((base, other)) if other.1 < base.0 => Verdict::Faster,
            Some(_) => Verdict::Same,
        };
        let over = base.zip(other).filter(|(base, _)| base.0 > NONE);
        let why = match over {
            Some(_) => why.to_string(),
            None => format!("{why}; no ratio, for the base may have next to none"),
        };
        Comparison {
            ratio: over.map(|_| values.1 / values.0),
            low: over.map(|(base, other)| other.0.max(0.0) / base.1),
            high: over.map(|(base, other)| other.1 / base.0),
            verdict: Some(verdict),
            why: Some(why),
            ..empty
        }
    }

    /// What the place of the code changes: known of times only, and counts are taken as they are.
    fn ranges(&self, values: (f64, f64)) -> Option<[(f64, f64); 2]> {
        let of = |row: &Row| {
            row.layout
                .map(|layout| (layout.cycles_min, layout.cycles_max))
        };
        match self.is_time() {
            true => Some([of(self.base.0.row)?, of(self.other.0.row)?]),
            false => Some([(values.0, values.0), (values.1, values.1)]),
        }
    }

    fn is_time(&self) -> bool {
        self.quantity.is_some_and(Quantity::is_time)
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
    let mut last = None;
    for piece in &image.pieces {
        let Owner::Section(section) = piece.owner else {
            continue;
        };
        // A body that stands there several times is what its template has once.
        if last.replace(section) == Some(section) {
            continue;
        }
        let addresses = piece.addresses.clone();
        let code = (addresses.start - image.site.code) as usize
            ..(addresses.end - image.site.code) as usize;
        let own = &prepared.row.program.sections[section];
        let listed = asm::disassemble_section(
            asm::Syntax::Intel,
            (&image.code[code], addresses.start),
            &own.tables,
            &|address| image.name(address),
        );
        listing.lines.push(format!("{}:", own.name));
        for one in listed.iter().filter(|one| !one.is_data) {
            listing.bytes += one.bytes.len() as u64;
            listing.instructions += 1;
        }
        listing.lines.extend(listed.into_iter().map(|one| one.text));
    }
    listing
}

/// Whether two rows are the same to the worker: code, data and how they are run, wherever their lines stand.
pub fn is_same(base: &Prepared, other: &Prepared) -> bool {
    let plain = |row: &JobRow| {
        let mut row = JobRow {
            name: String::new(),
            // What it is follows from the code, and from where in it labels stand.
            injection: Injection::default(),
            ..row.clone()
        };
        for section in &mut row.program.sections {
            (section.line, section.listed) = (0, 0);
            section.lines.clear();
            for fixup in &mut section.fixups {
                (fixup.line, fixup.column) = (0, 0);
            }
        }
        row
    };
    plain(&base.row) == plain(&other.row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Layout, Report, fixture as reported, terminal};
    use crate::stats::fixture::{self, image};
    use crate::text::Style;

    const ERROR: f64 = 0.05;

    fn row(name: &str, cycles: f64) -> Row {
        reported::ok(name, cycles, cycles, (5.0, 2.0))
    }

    fn timing(cycles: impl Fn(u32, u32) -> f64) -> Timing {
        Timing {
            images: vec![image(10, cycles)],
            ..fixture::empty()
        }
    }

    /// The report of two rows, and with samples of rows that took turns.
    fn told((base, other): (&Row, &Row), timings: Option<(&Timing, &Timing)>) -> String {
        let side = |row, timing| Side { row, timing };
        let base = side(base, timings.map(|(base, _)| base));
        let other = side(other, timings.map(|(_, other)| other));
        let report = Report {
            rows: vec![base.row.clone(), other.row.clone()],
            comparisons: compare(base, other, ERROR),
            ..Report::default()
        };
        let style = Style {
            width: 10_000,
            color: false,
            unicode: true,
        };
        terminal::in_full(&report, style)
    }

    /// The words of a metric's line.
    fn line(told: &str, metric: &str) -> Vec<String> {
        let lines = told.lines().map(str::split_whitespace);
        let mut lines = lines.map(|words| words.map(String::from).collect::<Vec<_>>());
        let is_it = |words: &Vec<String>| {
            words.first().is_some_and(|first| first == metric) && words.contains(&"→".into())
        };
        lines
            .find(is_it)
            .unwrap_or_else(|| panic!("{metric}: {told}"))
    }

    fn verdict(told: &str, metric: &str) -> String {
        line(told, metric).pop().expect("a word")
    }

    #[test]
    fn inferred_misses_are_held_by_their_intervals_whether_or_not_rows_took_turns() {
        let inferred = |name: &str, value: f64, half: f64| {
            let mut row = row(name, 50.0);
            row.metrics.as_mut().expect("numbers")[Quantity::BranchMisses] = Metric {
                low: Some(value - half),
                high: Some(value + half),
                ..Metric::of(value, Basis::Inferred, "injection")
            };
            row
        };
        #[rustfmt::skip] // a table: one pair of rows a line
        let table = [
            (-0.001, 0.015, 0.87, 0.04, "more", false), (0.001, 0.015, 0.87, 0.04, "more", false),
            (0.87, 0.04, 0.00, 0.015, "fewer", true), (0.50, 0.04, 0.57, 0.04, "~", true),
            (0.50, 0.04, 0.59, 0.04, "more", true), (0.089, 0.04, 0.50, 0.04, "more", false),
            (0.091, 0.04, 0.50, 0.04, "more", true),
        ];
        let samples = (timing(|_, _| 50.0), timing(|_, _| 50.0));
        for (base, base_half, other, other_half, word, has_ratio) in table {
            let rows = (
                inferred("base", base, base_half),
                inferred("other", other, other_half),
            );
            for timings in [None, Some((&samples.0, &samples.1))] {
                let told = told((&rows.0, &rows.1), timings);
                let line = line(&told, "misses");
                assert_eq!(line.last().map(String::as_str), Some(word), "{line:?}");
                assert_eq!(
                    line.iter().any(|word| word.contains('×')),
                    has_ratio,
                    "{line:?}"
                );
                assert!(told.contains("their intervals decide"), "{told}");
            }
        }
    }

    #[test]
    fn rows_that_took_turns_are_told_apart_from_three_in_a_thousand_on() {
        for (factor, word) in [
            (1.0029, "~"),
            (1.0031, "slower"),
            (0.9971, "~"),
            (0.9969, "faster"),
        ] {
            let timings = (timing(|_, _| 50.0), timing(|_, _| 50.0 * factor));
            let rows = (row("base", 50.0), row("other", 50.0 * factor));
            let told = told((&rows.0, &rows.1), Some((&timings.0, &timings.1)));
            assert_eq!(verdict(&told, "cycles"), word, "{factor}: {told}");
            assert_eq!(verdict(&told, "ns"), word, "{factor}: {told}");
        }
    }

    #[test]
    fn rows_of_different_runs_are_told_apart_from_one_in_a_hundred_on_and_where_intervals_do_not_meet()
     {
        // Half of each interval, as a share of the value.
        #[rustfmt::skip] // a table: one pair of rows a line
        let table = [
            (1.0095, 0.001, "~"), (1.0105, 0.001, "slower"),
            (0.9905, 0.001, "~"), (0.9895, 0.001, "faster"),
            (1.02,   0.0101, "~"), (1.02, 0.0098, "slower"),
            (0.98,   0.0102, "~"), (0.98, 0.0099, "faster"),
        ];
        for (factor, half, word) in table {
            let mut rows = (row("base", 50.0), row("other", 50.0 * factor));
            for row in [&mut rows.0, &mut rows.1] {
                let cycles = &mut row.metrics.as_mut().expect("numbers")[Quantity::Cycles];
                let value = cycles.value.expect("a value");
                (cycles.low, cycles.high) =
                    (Some(value * (1.0 - half)), Some(value * (1.0 + half)));
            }
            let told = told((&rows.0, &rows.1), None);
            assert_eq!(verdict(&told, "cycles"), word, "{factor}, {half}: {told}");
            assert!(told.contains("measured one after the other"), "{told}");
        }
    }

    #[test]
    fn a_difference_that_the_place_of_the_code_can_make_is_undecided() {
        // Least and most cycles over placements of the base, and of the other, which costs a tenth more.
        #[rustfmt::skip] // a table: one pair of ranges a line
        let table = [
            (1.1, (50.0, 54.9), (55.0, 60.0), "slower"),
            (1.1, (50.0, 55.1), (55.0, 60.0), "undecided"),
            (1.1, (50.0, 54.9), (54.8, 60.0), "undecided"),
            (0.9, (50.0, 52.0), (45.0, 49.9), "faster"),
            (0.9, (50.0, 52.0), (45.0, 50.1), "undecided"),
            (0.9, (49.8, 52.0), (45.0, 49.9), "undecided"),
        ];
        for (factor, base, other, word) in table {
            let timings = (timing(|_, _| 50.0), timing(|_, _| 50.0 * factor));
            let mut rows = (row("base", 50.0), row("other", 50.0 * factor));
            for (row, (least, most)) in [(&mut rows.0, base), (&mut rows.1, other)] {
                row.layout = Some(Layout {
                    placements: 4,
                    cycles_min: least,
                    cycles_median: least,
                    cycles_max: most,
                });
            }
            for timings in [Some((&timings.0, &timings.1)), None] {
                let told = told((&rows.0, &rows.1), timings);
                assert_eq!(verdict(&told, "cycles"), word, "{base:?} {other:?}: {told}");
                let in_turns = timings.is_some() && word == "undecided";
                assert_eq!(
                    told.contains("less than the place of the code changes"),
                    in_turns,
                    "{told}"
                );
            }
        }
    }

    #[test]
    fn a_turn_costs_what_the_median_of_its_chunks_does() {
        // Of eight chunks of each turn of the other so many cost that much.
        for (count, cycles, ratio) in [
            (3, 90.0, "1.1000×"),
            (3, 40.0, "1.1000×"),
            (5, 90.0, "1.8000×"),
            (5, 40.0, "0.8000×"),
            (4, 57.0, "1.1200×"),
        ] {
            let mixed = |_, chunk: u32| if chunk < count { cycles } else { 55.0 };
            let timings = (timing(|_, _| 50.0), timing(mixed));
            let rows = (row("base", 50.0), row("other", 55.0));
            let told = told((&rows.0, &rows.1), Some((&timings.0, &timings.1)));
            assert!(
                line(&told, "cycles").contains(&ratio.to_string()),
                "{count}, {cycles}: {told}"
            );
        }
    }

    #[test]
    fn a_turn_has_a_value_where_three_chunks_are_left_and_six_turns_an_interval() {
        // Of ten turns so many keep so many chunks.
        #[rustfmt::skip] // a table: one row of samples a line
        let table = [
            (4, 3, "10 pairs", "slower"), (4, 2, "6 pairs", "slower"), (5, 2, "5 pairs", "undecided"), (10, 2, "too few", "undecided"),
        ];
        for (turns, kept, pairs, word) in table {
            let mut timings = (timing(|_, _| 50.0), timing(|_, _| 55.0));
            for chunk in &mut timings.1.images[0].chunks {
                if chunk.turn < turns && chunk.segment >= kept {
                    chunk.after.width_ticks *= 2;
                }
            }
            // A neighbour that is quiet, by which the disturbed ones are known.
            timings.1.baseline = image(40, |_, _| 1.0);
            let rows = (row("base", 50.0), row("other", 55.0));
            let told = told((&rows.0, &rows.1), Some((&timings.0, &timings.1)));
            assert_eq!(verdict(&told, "cycles"), word, "{turns}, {kept}: {told}");
            assert!(told.contains(pairs), "{turns}, {kept}: {told}");
        }
    }

    #[test]
    fn numbers_of_different_bases_are_not_held_against_each_other() {
        let (base, mut other) = (row("base", 50.0), row("other", 55.0));
        let metrics = other.metrics.as_mut().expect("numbers");
        metrics[Quantity::Instructions].basis = Basis::Measured;
        let told = told((&base, &other), None);
        assert!(
            told.contains("instructions: the base's number is exact and the other one's measured."),
            "{told}"
        );
        assert_eq!(verdict(&told, "branches"), "same", "{told}");
    }

    #[test]
    fn a_count_of_a_prefix_says_so_whichever_side_it_is_of() {
        for side in [0, 1] {
            let mut rows = [row("base", 50.0), row("other", 50.0)];
            let metrics = rows[side].metrics.as_mut().expect("numbers");
            metrics[Quantity::Branches].stepped = Some(64);
            let told = told((&rows[0], &rows[1]), None);
            assert!(
                told.contains("branches: counted over the first 64 iterations of a walk"),
                "{told}"
            );
        }
    }

    #[test]
    fn without_an_interval_nothing_is_decided() {
        let mut rows = [row("base", 50.0), row("other", 60.0)];
        for at in [0, 1] {
            let cycles = &mut rows[at].metrics.as_mut().expect("numbers")[Quantity::Cycles];
            (cycles.low, cycles.high) = (None, None);
            let told = told((&rows[0], &rows[1]), None);
            assert_eq!(verdict(&told, "cycles"), "undecided", "{told}");
            rows[at] = row(["base", "other"][at], [50.0, 60.0][at]);
        }
    }

    #[test]
    fn counts_are_fewer_more_or_the_same_and_of_none_there_is_no_ratio() {
        // Instructions of base and other, the ratio and the verdict.
        #[rustfmt::skip] // a table: one pair a line
        let table = [
            (5.0, 4.0, "0.80×", "fewer"), (5.0, 5.0, "1.00×", "same"), (5.0, 6.0, "1.20×", "more"),
            (0.0, 6.0, "–", "more"), (0.0, 0.0, "–", "same"), (5.0, 0.0, "0.00×", "fewer"),
        ];
        for (base, other, ratio, word) in table {
            let row = |name, count| reported::ok(name, 50.0, 50.0, (count, 1.0));
            let told = told((&row("base", base), &row("other", other)), None);
            assert_eq!(verdict(&told, "instructions"), word, "{told}");
            let line = line(&told, "instructions");
            assert!(line.contains(&ratio.to_string()), "{told}");
            let is_none = told.contains("instructions: the base has none");
            assert_eq!(is_none, base == 0.0, "{told}");
        }
    }

    #[test]
    fn a_missing_number_has_the_reason_of_the_side_that_it_misses_on() {
        for (at, reason) in [(0, "of the base"), (1, "of the other")] {
            let mut rows = [row("base", 50.0), row("other", 50.0)];
            for row in &mut rows {
                row.metrics.as_mut().expect("numbers")[Quantity::BranchMisses] =
                    reported::measured(0.5);
            }
            let misses = &mut rows[at].metrics.as_mut().expect("numbers")[Quantity::BranchMisses];
            (misses.value, misses.why) = (None, Some(reason.into()));
            let told = told((&rows[0], &rows[1]), None);
            assert!(
                told.contains(&format!("branch misses: {reason}.")),
                "{told}"
            );
        }
    }

    #[test]
    fn a_chance_of_less_than_one_in_a_thousand_has_no_digits() {
        // Ten pairs on one side are two cases in 1,024, and eleven one in as many.
        for (turns, p) in [(10, "0.002"), (11, "<0.001")] {
            let of = |cycles| Timing {
                images: vec![image(turns, |_, _| cycles)],
                ..fixture::empty()
            };
            let timings = (of(50.0), of(55.0));
            let rows = (row("base", 50.0), row("other", 55.0));
            let told = told((&rows.0, &rows.1), Some((&timings.0, &timings.1)));
            assert!(
                line(&told, "cycles").contains(&p.to_string()),
                "{turns}: {told}"
            );
        }
    }

    #[test]
    fn a_cold_call_is_slower_and_not_more() {
        let cold = |name, cycles| Row {
            cold: Some(crate::report::ColdCall {
                scrubbed: crate::template::Cold::Dcache,
                cycles: reported::measured(cycles),
                warm: reported::measured(20.0),
                scrub_ns: reported::measured(100.0),
                entries: 96,
                doubtful: false,
            }),
            ..row(name, 50.0)
        };
        let told = told((&cold("base", 300.0), &cold("other", 400.0)), None);
        assert_eq!(verdict(&told, "cold"), "slower", "{told}");
    }
}
