//! The lines that say where the numbers of a run come from, after its rows.
//!
//! Correct means: no line names a source that no number of its rows has, where they have another. A plan is made
//! before anything is measured; counters that are refused meanwhile, and rows that are read from a file, differ from it.

use crate::report::{Row, SourceLine};
use crate::stats::Quantity;

/// Both are counts of every instruction; which of the two was taken is a matter of each row.
const COUNTS: [&str; 2] = ["step", "interpreter"];

/// Has each line name what the rows have, where none has what it says.
pub fn settle(lines: &mut [SourceLine], rows: &[Row]) {
    for line in lines {
        let Some(quantity) = Quantity::named(&line.event) else {
            continue;
        };
        let metrics = rows.iter().filter_map(|row| row.metrics.as_ref());
        let metrics = metrics.map(|metrics| &metrics[quantity]);
        let found: Vec<_> = metrics
            .filter(|metric| metric.value.is_some())
            .filter_map(|metric| Some((metric.source.as_deref()?, metric.basis)))
            .collect();
        let is_said = |source: &str| {
            line.source == source
                || [source, &line.source]
                    .iter()
                    .all(|one| COUNTS.contains(one))
        };
        let Some(&(source, basis)) = found.first() else {
            continue;
        };
        if !found.iter().any(|(source, _)| is_said(source)) {
            line.why = match line.source == "pmu" {
                true => "the hardware counters were asked, and no number of these rows is theirs; the rows say why",
                false => "as the reports say that these rows are from",
            }
            .to_string();
            (line.source, line.basis) = (source.to_string(), basis);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Basis, fixture};

    fn line(event: &str, source: &str) -> SourceLine {
        SourceLine {
            event: event.into(),
            source: source.into(),
            basis: Basis::Measured,
            why: "planned".into(),
        }
    }

    #[test]
    fn a_line_names_what_its_rows_have() {
        let mut row = fixture::ok("itab_call", 5.0, 5.0, (5.0, 2.0));
        let metrics = row.metrics.as_mut().expect("numbers");
        metrics[Quantity::Cycles].source = Some("clock".into());
        metrics[Quantity::Instructions].source = Some("interpreter".into());
        let mut lines = ["clock", "pmu"]
            .map(|source| line("cycles", source))
            .to_vec();
        lines.push(line("instructions", "step"));
        settle(&mut lines, &[row]);
        assert_eq!(lines[0], line("cycles", "clock"));
        assert_eq!(
            (&*lines[1].source, lines[1].basis),
            ("clock", Basis::Measured)
        );
        assert!(lines[1].why.contains("no number of these rows is theirs"));
        assert_eq!(lines[2].source, "step");
        // Without a row there is the plan.
        let mut lines = [line("cycles", "pmu")];
        settle(&mut lines, &[]);
        assert_eq!(lines, [line("cycles", "pmu")]);
    }
}
